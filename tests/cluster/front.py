"""What stands in for the Service `lockstep`: it passes Flagger's hooks on to the replicas.

It knows what was asked and answered, and can lose, delay and repeat a hook as networks do.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Self

import urllib3

Json = dict[str, Any]

CHECK = "check"
"""The path of a `rollout` hook that is no business of Lockstep's: a metric check that may fail."""


@dataclass(frozen=True)
class Call:
    """A hook as Flagger called it; `rv` is the store's revision when it came, if asked for."""

    at: float
    rv: int
    hook: str
    payload: Json
    status: int
    answer: Json

    @property
    def namespace(self) -> str:
        """The canary's."""
        return str(self.payload.get("namespace", ""))

    @property
    def message(self) -> str:
        """What Flagger said, on `/event`."""
        return str((self.payload.get("metadata") or {}).get("eventMessage", ""))


@dataclass
class Front:
    """The listener; `replicas` are base URLs, taken in turn."""

    replicas: list[str] = field(default_factory=list)
    revision: Callable[[], int] = lambda: 0
    failing: set[str] = field(default_factory=set)
    """Namespaces whose metric check fails."""

    lost: Callable[[str, Json], bool] = lambda _hook, _payload: False
    delay: Callable[[str, Json], float] = lambda _hook, _payload: 0.0
    """Seconds; above Flagger's time-out the hook comes after Flagger has gone on."""

    repeats: Callable[[str, Json], int] = lambda _hook, _payload: 0
    passing: Callable[[str, str, Json], None] = lambda _url, _hook, _payload: None
    """Is told the replica just before a hook is passed on to it."""

    calls: list[Call] = field(default_factory=list)
    _turn: count[int] = field(default_factory=count)
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(maxsize=64, retries=False)
    )

    def __enter__(self) -> Self:
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = front.hook(self.path.strip("/"), body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                with contextlib.suppress(ConnectionError):  # Flagger has not waited for it
                    self.end_headers()
                    self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where Flagger is told to call."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def of(self, namespace: str) -> list[Call]:
        """The calls for the canary of a namespace."""
        return [it for it in self.calls if it.namespace == namespace]

    def hook(self, hook: str, body: bytes) -> tuple[int, Json]:
        """Take one hook; returns status and answer."""
        at, rv, payload = time.monotonic(), self.revision(), json.loads(body)
        status, answer = self._answer(hook, body, payload)
        self.calls.append(Call(at, rv, hook, payload, status, answer))
        return status, answer

    def _answer(self, hook: str, body: bytes, payload: Json) -> tuple[int, Json]:
        if hook == CHECK:
            return (500 if payload["namespace"] in self.failing else 200), {}
        time.sleep(self.delay(hook, payload))
        if self.lost(hook, payload):
            return 502, {"reason": "LostByTheTest"}
        for _ in range(self.repeats(hook, payload)):
            self._pass_on(hook, body, payload)
        return self._pass_on(hook, body, payload)

    def _pass_on(self, hook: str, body: bytes, payload: Json) -> tuple[int, Json]:
        """The answer of a replica, or where none listens of the next one, as behind a Service.

        Where it breaks off or says nothing, that is what Flagger gets.
        """
        # Flagger has a new connection for each hook.
        headers = {"Content-Type": "application/json", "Connection": "close"}
        for _ in self.replicas:
            url = self.replicas[next(self._turn) % len(self.replicas)]
            self.passing(url, hook, payload)
            try:
                answer = self._pool.request(
                    "POST", f"{url}/{hook}", body=body, headers=headers, timeout=10.0
                )
            except urllib3.exceptions.NewConnectionError:
                continue
            except (urllib3.exceptions.HTTPError, OSError) as error:
                return 502, {"reason": "BrokenOff", "message": str(error)}
            return answer.status, json.loads(answer.data or "{}")
        return 502, {"reason": "NoReplica"}
