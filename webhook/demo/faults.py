"""What can be made to go wrong with the API server."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from webhook.demo.errors import forbidden
from webhook.demo.routes import Call

_TICK = 0.02
"""Seconds after which a request that is held back asks whether its client is still there."""


class Faults:
    """Refusals, pauses and delays, by verb and plural (`"patch", "configmaps"`); thread-safe."""

    def __init__(self) -> None:
        """No fault at all."""
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._denied: frozenset[tuple[str, str]] = frozenset()
        self._delays: dict[tuple[str, str], float] = {}
        self._running = threading.Event()
        self._running.set()

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        """How often each verb and plural was asked for till now, refused or not; a copy."""
        with self._lock:
            return self._requests.copy()

    def deny(self, verb: str, plural: str) -> None:
        """Answer 403 as if RBAC granted nothing; a watch that is open goes on."""
        with self._lock:
            self._denied |= {(verb, plural)}

    def allow(self, verb: str, plural: str) -> None:
        """Take back `deny`."""
        with self._lock:
            self._denied -= {(verb, plural)}

    def delay(self, seconds: float, verb: str, plural: str) -> None:
        """Answer that much later; 0 takes it back."""
        with self._lock:
            self._delays[verb, plural] = seconds

    def pause(self) -> None:
        """Let requests hang and watches go silent. A client that gives up has done nothing."""
        self._running.clear()

    def resume(self) -> None:
        """Take back `pause`: what hung is answered now."""
        self._running.set()

    def admit(self, call: Call, gone: Callable[[], bool]) -> None:
        """Count the request and let it through once no fault holds it back.

        Raises:
            StoreError: 403, it is denied.
            ConnectionAbortedError: the client gave up waiting.
        """
        asked = call.verb, call.kind.plural
        with self._lock:
            self._requests[asked] += 1
            until = time.monotonic() + self._delays.get(asked, 0)
        while time.monotonic() < until:
            _tick(gone)
        self.hold(gone)
        if asked in self._denied:
            raise forbidden(call.verb, call.kind, call.namespace, call.name)

    def hold(self, gone: Callable[[], bool]) -> None:
        """Wait while the server is paused.

        Raises:
            ConnectionAbortedError: the client gave up waiting.
        """
        while not self._running.is_set():
            _tick(gone)


def _tick(gone: Callable[[], bool]) -> None:
    if gone():
        raise ConnectionAbortedError
    time.sleep(_TICK)
