"""Waiting for what happens in another thread or process."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> float:
    """Wait until the condition holds; returns for how many seconds it took.

    The default is for a machine with other work to do, and still shorter than a reflector's rarest
    pause. How fast something has to be is said by a test that compares what this returns.
    """
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it did not happen in time"
        time.sleep(0.003)
    return time.monotonic() - start
