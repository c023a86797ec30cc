"""A threaded TCP server that knows its connections, so that it can cut them and end cleanly."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from webhook.kinds import Kind

_POLL = 0.02
"""Seconds until the accepting thread notices that it is to stop."""

_Request = socket.socket | tuple[bytes, socket.socket]


class Connections(socketserver.ThreadingTCPServer):
    """Serves on the loopback interface, a daemon thread for each connection."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, handler: Any) -> None:
        """Bind the port, any free one for 0."""
        super().__init__(("127.0.0.1", port), handler)
        self._lock = threading.Lock()
        self._open: dict[_Request, threading.Thread] = {}
        self._watches: dict[socket.socket, Kind] = {}
        self._acceptor = threading.Thread(target=self.serve_forever, args=(_POLL,), daemon=True)

    def start(self) -> None:
        """Accept connections from now on."""
        self._acceptor.start()

    def stop(self) -> None:
        """Cut every connection, and wait until all threads have ended."""
        self.shutdown()
        self._acceptor.join()
        with self._lock:
            left = dict(self._open)
        for connection, thread in left.items():
            _cut(connection)
            thread.join()
        self.server_close()

    def process_request(self, request: _Request, client_address: Any) -> None:
        """Serve a new connection in a thread that `stop` waits for."""
        arguments = (request, client_address)
        thread = threading.Thread(target=self.process_request_thread, args=arguments, daemon=True)
        with self._lock:
            self._open[request] = thread
        thread.start()

    def close_request(self, request: _Request) -> None:
        """Close a connection that is over; under the lock, so that no other one is cut for it."""
        with self._lock:
            self._open.pop(request, None)
            super().close_request(request)

    @contextmanager
    def watching(self, connection: socket.socket, kind: Kind) -> Iterator[None]:
        """Have `cut_watches` cut this connection in the meantime."""
        with self._lock:
            self._watches[connection] = kind
        try:
            yield
        finally:
            with self._lock:
                del self._watches[connection]

    def cut_watches(self, kind: Kind | None = None) -> None:
        """Drop the connections of all open watches, or of those of one kind."""
        with self._lock:
            for connection, watched in self._watches.items():
                if kind in (None, watched):
                    _cut(connection)


def hung_up(connection: socket.socket) -> bool:
    """Whether the connection was closed or cut from either side."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _cut(connection: _Request) -> None:
    # whoever blocks on the socket wakes up; its own thread closes it
    with suppress(OSError):
        if isinstance(connection, socket.socket):
            connection.shutdown(socket.SHUT_RDWR)
