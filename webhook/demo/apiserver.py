"""An in-memory Kubernetes API server on the loopback interface, for the demo and for tests."""

from functools import partial
from typing import Self

from webhook.demo.connections import Connections
from webhook.demo.faults import Faults
from webhook.demo.handler import Backend, Handler
from webhook.demo.store import KINDS, Store
from webhook.kinds import Kind


class ApiServer(Faults):
    """Serves a store by HTTP as kube-apiserver would, and fails on demand.

    A context manager: the port is bound at once, requests are answered inside of `with`, and
    no thread or connection outlives it. tests/contract holds it to what the real one does.
    """

    def __init__(self, store: Store, port: int = 0) -> None:
        """Bind the port, any free one for 0."""
        super().__init__()
        self._served = frozenset(KINDS)
        backend = Backend(store, self, lambda: self._served)
        self._connections = Connections(port, partial(Handler, backend))

    @property
    def url(self) -> str:
        """Where it is served: `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._connections.server_address[1]}"

    def register(self, kind: Kind) -> None:
        """Serve the kind (again), as if its CRD were installed."""
        self._served |= {kind}

    def unregister(self, kind: Kind) -> None:
        """Take the kind away as if its CRD were deleted: 404 as text, and its watches end.

        The store keeps the objects, so `register` brings them back.
        """
        self._served -= {kind}
        self._connections.cut_watches(kind)

    def cut_watches(self) -> None:
        """Drop the connections of all open watches in mid-stream."""
        self._connections.cut_watches()

    def __enter__(self) -> Self:
        self._connections.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.stop()
