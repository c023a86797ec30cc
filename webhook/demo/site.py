"""The demo as browsers see it: the sample shop, and a crowd of visitors for each scenario.

What nginx does in a cluster is done here by a few lines, so that the demo needs nothing but Python.
"""

import json
import threading
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import requests

from webhook.kinds import Name
from webhook.targets import NUMBER, RELEASE

_SITE = Path(__file__).parent / "data" / "site"
_PAGE = _SITE / "stable" / "index.html"
_REPORT = 'data-report="/lockstep/report"'
_NOBODY = {NUMBER: 0, RELEASE: "none"}


class Site:
    """A context manager: `url` is served inside of `with`."""

    def __init__(self, config_url: str, targets: Mapping[str, Name]) -> None:
        """Show the targets, by scenario, that `lockstep serve-config` answers at `config_url`."""
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(_Handler, _Numbers(config_url, targets))
        )
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="site", daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Numbers:
    """What browsers are told now; of a target that can't be read, that nobody is on canary."""

    def __init__(self, config_url: str, targets: Mapping[str, Name]) -> None:
        self.names = frozenset(targets)
        self._urls = {
            name: f"{config_url}/config/{target.namespace}/{target.name}.json"
            for name, target in targets.items()
        }

    def of(self, name: str) -> bytes:
        try:
            answer = requests.get(self._urls[name], timeout=2)
        except requests.RequestException:
            return json.dumps(_NOBODY).encode()
        return answer.content if answer.ok else json.dumps(_NOBODY).encode()

    def all(self) -> bytes:
        return json.dumps({name: json.loads(self.of(name)) for name in sorted(self.names)}).encode()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, numbers: _Numbers, *args: object) -> None:
        self._numbers = numbers
        super().__init__(*args, directory=str(_SITE))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        folder, _, name = self.path.partition("?")[0].lstrip("/").rpartition("/")
        if self.path == "/numbers.json":
            self._answer("application/json", self._numbers.all())
        elif folder == "config" and name.removesuffix(".json") in self._numbers.names:
            self._answer("application/json", self._numbers.of(name.removesuffix(".json")))
        elif folder == "shop" and name in self._numbers.names:
            page = _PAGE.read_text().replace(_REPORT, f'data-config="/config/{name}.json"')
            self._answer("text/html", page.encode())
        else:
            super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Browsers ask all the time."""

    def _answer(self, content_type: str, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
