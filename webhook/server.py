"""Both processes: gunicorn for what they are for, and a listener for probes and metrics.

One worker with threads: two replicas are two pods. The second listener has its own threads, so
that a kubelet or Prometheus is answered even while every thread of gunicorn's waits for something.
"""

import os
import socket
import socketserver
import struct
import threading
from dataclasses import dataclass
from typing import Any, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from webhook.app import hooks_app, read_app
from webhook.config_metrics import ConfigMetrics
from webhook.config_server import config_app
from webhook.configs import Configs
from webhook.logs import JsonFormatter
from webhook.service import Service
from webhook.settings import Bind, Settings, SettingsError

_THREADS = 32
_DRAIN_SECONDS = 10
"""How long requests that have begun may go on after SIGTERM; a hook ends within its deadline."""

_KEEP_ALIVE_SECONDS = 95
"""Longer than the 90 s of Flagger's HTTP client and nginx's 60 s: they never send into a close."""

_RECEIVE_TIMEOUT = struct.pack("ll", 5, 0)
"""The kernel's `timeval`: seconds, microseconds."""

_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stdout",
        }
    },
    "loggers": {
        name: {"level": "WARNING", "handlers": ["stdout"], "propagate": False}
        for name in ("gunicorn.error", "gunicorn.access")
    },
    "root": {"level": "WARNING", "handlers": ["stdout"]},
}


class _ReadServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = 10.0  # for a connection that says nothing; else each would keep a thread

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Probes and scrapes are no news."""


class _Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's, but what comes after SIGTERM is refused instead of left waiting, and cut off.

    gunicorn keeps its socket open until the last request has ended; a caller that the kernel lets
    connect in that time is never answered.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        if self.alive or enabled:
            super().set_accept_enabled(enabled)
            return
        for listener in self.sockets:
            self._accept_all(listener)
        super().set_accept_enabled(enabled)
        for listener in self.sockets:
            listener.close()

    def _accept_all(self, listener: object) -> None:
        """Answer those that connected before."""
        connections = None
        while connections != self.nr_conns:
            connections = self.nr_conns
            self.accept(listener)


class _Background(Protocol):
    """The threads behind the listeners."""

    def start(self) -> None:
        """Start them."""

    def stop(self) -> None:
        """End them."""


@dataclass(frozen=True, slots=True)
class _Site:
    """A listening socket and what is served on it."""

    listener: socket.socket
    app: WSGIApplication


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    def __init__(self, main: _Site, read: _Site, background: _Background) -> None:
        # Accepted connections inherit it. gunicorn has no time limit for a request that stops in
        # its middle, and a few dozen of them would keep every thread.
        main.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _RECEIVE_TIMEOUT)
        self._main = main
        # gunicorn takes the descriptor over, and closes it.
        self._descriptor = main.listener.detach()
        self._read = read
        self._background = background
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": f"fd://{self._descriptor}",
            "worker_class": _Worker,
            "workers": 1,
            "threads": _THREADS,
            "graceful_timeout": _DRAIN_SECONDS,
            "keepalive": _KEEP_ALIVE_SECONDS,
            "control_socket_disable": True,
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 - its heartbeat file, on no disk
            "logconfig_dict": _LOGGING,
            "post_worker_init": self._started,
            "worker_exit": self._stopped,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        return self._main.app

    def _started(self, _worker: object) -> None:
        # Threads begin in the worker: they would not survive the fork.
        _serve_read(self._read)
        self._background.start()

    def _stopped(self, _arbiter: object, _worker: object) -> None:
        self._background.stop()


def serve(service: Service, settings: Settings) -> None:
    """Serve hooks until SIGTERM or SIGINT; returns only by exiting the process.

    Raises:
        SettingsError: an address cannot be listened on.
    """
    hooks = _listen("LOCKSTEP_HOOKS_BIND", settings.hooks_bind)
    read = _listen("LOCKSTEP_READ_BIND", settings.read_bind)
    probes = read_app(service.metrics, service.watcher.missing)
    _Gunicorn(_Site(hooks, hooks_app(service.hooks)), _Site(read, probes), service).run()


def serve_config(configs: Configs, metrics: ConfigMetrics, settings: Settings) -> None:
    """Serve browsers' configs until SIGTERM or SIGINT; returns only by exiting the process.

    A replica that hears nothing is not ready either, so that another one is asked.

    Raises:
        SettingsError: an address cannot be listened on.
    """
    config = _listen("LOCKSTEP_CONFIG_BIND", settings.config_bind)
    read = _listen("LOCKSTEP_READ_BIND", settings.read_bind)
    probes = read_app(metrics, configs.silent)
    _Gunicorn(_Site(config, config_app(configs, metrics)), _Site(read, probes), configs).run()


def _listen(variable: str, bind: Bind) -> socket.socket:
    """A listening socket, opened before gunicorn starts so that a mistake is one clear line."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        return socket.create_server((bind.host, bind.port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        raise SettingsError(f"{variable}: cannot listen on {bind}: {reason}") from error


def _serve_read(site: _Site) -> None:
    """Serve probes and metrics in threads of their own."""
    listener = site.listener
    server = _ReadServer(listener.getsockname()[:2], _Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = listener.getsockname()[:2]
    server.setup_environ()
    server.set_app(site.app)
    threading.Thread(target=server.serve_forever, name="read", daemon=True).start()
