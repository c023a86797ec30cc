"""`lockstep serve`: gunicorn for the hooks, and a listener of its own for probes and metrics.

One worker with threads: two replicas are two pods. The second listener has its own threads, so
that a kubelet or Prometheus is answered even while every hook thread waits for something.
"""

import os
import socket
import socketserver
import struct
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from webhook.app import hooks_app, read_app
from webhook.logs import JsonFormatter
from webhook.service import Service
from webhook.settings import Bind, Settings, SettingsError

_THREADS = 32
_DRAIN_SECONDS = 10
"""How long hooks that have begun may go on after SIGTERM; each ends within its deadline."""

_KEEP_ALIVE_SECONDS = 95
"""Longer than the 90 s of Flagger's HTTP client, so that it never sends into a closing one."""

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

    gunicorn keeps its socket open until the last hook has ended; a caller that the kernel lets
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


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    def __init__(self, service: Service, hooks: int, read: socket.socket) -> None:
        self._service = service
        self._hooks = hooks
        self._read = read
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": f"fd://{self._hooks}",
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
        return hooks_app(self._service.hooks)

    def _started(self, _worker: object) -> None:
        _serve_read(read_app(self._service.metrics, self._service.watcher.missing), self._read)
        self._service.start()

    def _stopped(self, _arbiter: object, _worker: object) -> None:
        self._service.stop()


def serve(service: Service, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; returns only by exiting the process.

    Raises:
        SettingsError: an address cannot be listened on.
    """
    hooks = _listen("LOCKSTEP_HOOKS_BIND", settings.hooks_bind)
    # Accepted connections inherit it. gunicorn has no time limit for a request that stops in its
    # middle, and a few dozen of them would keep every thread.
    hooks.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _RECEIVE_TIMEOUT)
    read = _listen("LOCKSTEP_READ_BIND", settings.read_bind)
    _Gunicorn(service, hooks.detach(), read).run()


def _listen(variable: str, bind: Bind) -> socket.socket:
    """A listening socket, opened before gunicorn starts so that a mistake is one clear line."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        return socket.create_server((bind.host, bind.port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        raise SettingsError(f"{variable}: cannot listen on {bind}: {reason}") from error


def _serve_read(app: WSGIApplication, listener: socket.socket) -> None:
    """Serve probes and metrics in threads of their own."""
    server = _ReadServer(listener.getsockname()[:2], _Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = listener.getsockname()[:2]
    server.setup_environ()
    server.set_app(app)
    threading.Thread(target=server.serve_forever, name="read", daemon=True).start()
