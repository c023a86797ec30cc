"""How long a gate hook takes, beside the bare API calls that it cannot do without."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks import world
from benchmarks.api import Api, pooled_session
from benchmarks.process import Lockstep
from benchmarks.results import Comparison, Spread
from webhook import kinds, targets
from webhook.gates import Hook
from webhook.kinds import Name

_HOOK = Hook.CONFIRM_TRAFFIC_INCREASE
_WARM_UP = 10
"""Rounds that open the connections and are not counted."""

_PAUSE = 0.05
"""Seconds, at most, between two rounds."""

_BETWEEN_WRITES = 0.05
"""Seconds; the leases of a hundred nodes alone are renewed ten times a second."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Flagger's call of one hook for one canary, and the calls that Lockstep makes for it."""

    api: Api
    lockstep: Lockstep

    def compare(self, canaries: Sequence[Name], rounds: int, *, busy: bool) -> Comparison:
        """Call for all these canaries at once, the hook and the bare calls in turns.

        `busy`: somebody else writes to the API server all the while, as in any cluster in use.
        """
        hook: list[float] = []
        bare: list[float] = []
        with ExitStack() as stack:
            if busy:
                stack.enter_context(_writing(self.api, world.ref(0).namespace))
            pool = stack.enter_context(ThreadPoolExecutor(len(canaries)))
            session = stack.enter_context(pooled_session())

            def call(ref: Name) -> None:
                body = {"name": ref.name, "namespace": ref.namespace, "phase": "Progressing"}
                answer = session.post(f"{self.lockstep.url}/{_HOOK}", json=body, timeout=30)
                answer.raise_for_status()

            for number in range(_WARM_UP + rounds):
                calls = _at_once(pool, call, canaries)
                time.sleep(random.uniform(0, _PAUSE))  # noqa: S311 - to meet no rhythm
                reads = _at_once(pool, self._read, canaries)
                time.sleep(random.uniform(0, _PAUSE))  # noqa: S311
                if number >= _WARM_UP:
                    hook += calls
                    bare += reads
        return Comparison(len(canaries), busy, Spread.of(hook), Spread.of(bare))

    def _read(self, ref: Name) -> None:
        """What `webhook.gather` reads, in its order; bodies are read, not parsed."""
        label = f"{targets.LABEL}={ref.name}"
        self.api.read(kinds.CONFIG_MAP, Name(ref.namespace, ""), labelSelector=label)
        for kind in (kinds.CANARY, kinds.DEPLOYMENT, kinds.HTTP_ROUTE):
            self.api.read(kind, ref)


def canaries(count: int, among: int) -> list[Name]:
    """So many canaries, spread over all."""
    return [world.ref(number * among // count) for number in range(count)]


@contextmanager
def _writing(api: Api, namespace: str) -> Iterator[None]:
    """Write to an object that Lockstep does not look at, again and again."""
    name = Name(namespace, "busy")
    involved = {"involvedObject": {"namespace": namespace}}
    api.create(kinds.EVENT, {"metadata": {"name": name.name}, **involved}, namespace)
    stopped = threading.Event()

    def write() -> None:
        for count in itertools.count(1):
            if stopped.wait(_BETWEEN_WRITES):
                return
            api.patch(kinds.EVENT, name, {"count": count})

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        api.delete(kinds.EVENT, name)


def _at_once(
    pool: ThreadPoolExecutor, call: Callable[[Name], None], refs: Sequence[Name]
) -> list[float]:
    """How long each call takes when all begin together."""
    start = threading.Barrier(len(refs))

    def timed(ref: Name) -> float:
        start.wait()
        began = time.perf_counter()
        call(ref)
        return time.perf_counter() - began

    return list(pool.map(timed, refs))
