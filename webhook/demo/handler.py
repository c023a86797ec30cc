"""The HTTP of the API server: keep-alive connections, JSON answers, chunked watches."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from webhook.demo.connections import Connections, hung_up
from webhook.demo.errors import StoreError
from webhook.demo.faults import Faults
from webhook.demo.objects import Json
from webhook.demo.routes import Call, resolve
from webhook.demo.store import Store
from webhook.demo.verbs import answer
from webhook.demo.watch import EventType, Pace, WatchEvent
from webhook.kinds import Kind

_BOOKMARK_EVERY = 1.0
"""Seconds; the real server sends one a minute, and one two seconds before the end."""

_WATCH_TIMEOUT = 1800
"""Seconds that a watch lasts if the client does not say; the least that the real server takes."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What the requests are answered from."""

    store: Store
    faults: Faults
    served: Callable[[], frozenset[Kind]]


class Handler(BaseHTTPRequestHandler):
    """One connection, from its first request to its last."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Connections

    def __init__(self, backend: Backend, *args: Any) -> None:
        """Serve the connection; returns when it is closed."""
        self._backend = backend
        super().__init__(*args)

    def handle(self) -> None:
        """Serve requests until either side hangs up, which is no error here."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Say nothing: `ApiServer.requests` counts instead."""

    def serve(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            call = resolve(self.command, self.path, self._backend.served())
            if call is None:
                self._send(404, "text/plain; charset=utf-8", b"404 page not found\n")
                return
            self._backend.faults.admit(call, self._gone)
            self._answer(call, body)
        except StoreError as error:
            self._send_json(error.code, error.status())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 - http.server's names

    def _answer(self, call: Call, body: bytes) -> None:
        if call.verb == "watch":
            self._watch(call)
        else:
            content_type = self.headers.get("Content-Type", "")
            self._send_json(*answer(self._backend.store, call, content_type, body))

    def _watch(self, call: Call) -> None:
        events = self._events(call)
        with self.server.watching(self.connection, call.kind):
            self._begin(200, "application/json", ("Transfer-Encoding", "chunked"))
            for event in events:
                self._backend.faults.hold(self._gone)
                self._send_chunk(_line({"type": event.type, "object": event.object}))
            self._send_chunk(b"")

    def _events(self, call: Call) -> Iterator[WatchEvent]:
        pace = Pace(
            timeout=call.number("timeoutSeconds") or _WATCH_TIMEOUT,
            bookmark_every=_BOOKMARK_EVERY if call.bookmarks else math.inf,
            ended=self._gone,
        )
        selector, since = call.selector, call.number("resourceVersion")
        try:
            return self._backend.store.watch(call.kind, call.namespace, selector, since, pace)
        except StoreError as error:
            # the real server answers 200 and says in the stream that the version is too old
            return iter([WatchEvent(EventType.ERROR, error.status())])

    def _gone(self) -> bool:
        return hung_up(self.connection)

    def _send_json(self, code: int, obj: Json) -> None:
        self._send(code, "application/json", _line(obj))

    def _send(self, code: int, content_type: str, body: bytes) -> None:
        self._begin(code, content_type, ("Content-Length", str(len(body))))
        self.wfile.write(body)

    def _begin(self, code: int, content_type: str, framing: tuple[str, str]) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header(*framing)
        self.end_headers()

    def _send_chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))


def _line(obj: Json) -> bytes:
    return json.dumps(obj, separators=(",", ":")).encode() + b"\n"
