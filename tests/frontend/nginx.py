"""Debian's nginx with the configuration of frontend/nginx, as a pod would run it, on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.cluster.programs import free_port
from tests.frontend.programs import FRONTEND
from tests.waiting import wait_for

TMP = "@tmp@/"
"""Stands for a pod's /tmp/ in a configuration, till it is known where that is here."""

_LEAVING = 1.0
"""Seconds for which a pod that ends still serves, by its `preStop`."""

_NOBODY = 65534
"""Who runs it where the tests run as root: nothing in it needs a privilege."""


def _user() -> int | None:
    return _NOBODY if os.getuid() == 0 else None


@dataclass
class Nginx:
    """A context manager: it listens inside of `with`; `folder` is where it may write."""

    configuration: str
    port: int = field(default_factory=free_port)
    folder: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def __enter__(self) -> Self:
        # Not pytest's own: a path to a Unix socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="nginx-", dir="/tmp"))
        log = self.folder / "log"
        log.touch()
        for path in (self.folder, log) if _user() else ():
            os.chown(path, _NOBODY, _NOBODY)
        self.write(self.configuration)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.go_on()  # it may be stalled
        self.stop()
        shutil.rmtree(self.folder)

    def write(self, configuration: str) -> None:
        """Have this configuration at the next start or reload."""
        (self.folder / "nginx.conf").write_text(configuration.replace(TMP, f"{self.folder}/"))

    def start(self) -> None:
        command = ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-g", "daemon off;"],
                user=_user(), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for(self.listening)

    def stop(self) -> None:
        """Cut every connection and refuse new ones, as a Service without pods does."""
        self._end(signal.SIGTERM)

    def leave(self) -> None:
        """Answer what has been asked, and then refuse connections."""
        self._end(signal.SIGQUIT)

    def stall(self) -> None:
        """Let it accept connections, as the kernel does for it, and never answer."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a stall."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        assert self.process
        os.killpg(self.process.pid, number)  # its workers too

    def _end(self, number: int) -> None:
        if self.process:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def kill(self) -> None:
        """End all of it at once, as the kernel does for want of memory."""
        self._signal_all(signal.SIGKILL)
        self._end(signal.SIGKILL)

    def reload(self) -> None:
        """Take the configuration that was written; what is under way ends by the old one."""
        assert self.process
        self.process.send_signal(signal.SIGHUP)

    def listening(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self) -> str:
        return (self.folder / "log").read_text()


@dataclass
class Pod(Nginx):
    """One build's nginx. What is None is an address that refuses connections."""

    configuration: str = ""
    site: Path = Path("/nowhere")
    mounted: Path = Path("/nowhere")
    stable: str = "127.0.0.1:1"
    canary: str = "127.0.0.1:1"
    config: str = "http://127.0.0.1:1/"
    resolver: str = "127.0.0.1"

    def __post_init__(self) -> None:
        values = {
            "FRONTEND_LISTEN": self.address,
            "FRONTEND_SITE": str(self.site),
            "FRONTEND_MOUNTED": str(self.mounted),
            "FRONTEND_STABLE": self.stable,
            "FRONTEND_CANARY": self.canary,
            "LOCKSTEP_CONFIG": self.config,
            "NGINX_LOCAL_RESOLVERS": self.resolver,
        }
        main = (FRONTEND / "nginx/nginx.conf").read_text().replace("/tmp/", TMP)  # noqa: S108
        own = filled_in((FRONTEND / "nginx/frontend.conf.template").read_text(), values)
        self.configuration = main.replace(f"include {TMP}frontend.conf;", own)

    def start(self) -> None:
        """Start it, after what the entry point of nginx's image runs before."""
        for script in (FRONTEND / "nginx").glob("*.sh"):
            text = script.read_text().replace("/tmp/", f"{self.folder}/")  # noqa: S108
            subprocess.run(["sh", "-e", "-c", text], check=True)
        super().start()

    def show(self, site: Path) -> None:
        """Another image; a rolling update answers all the time."""
        self.configuration = self.configuration.replace(str(self.site), str(site))
        self.site = site
        self.write(self.configuration)
        if self.process:
            self.reload()

    def end(self) -> None:
        """Scale down: what has been asked is answered, and all that comes within its `preStop`."""
        time.sleep(_LEAVING)
        self.leave()


def filled_in(template: str, values: Mapping[str, str]) -> str:
    """What the entry point of nginx's image makes of a template: with envsubst, and these names."""
    names = " ".join(f"${{{name}}}" for name in values)
    done = subprocess.run(
        ["envsubst", names], env={"PATH": os.environ["PATH"], **values},
        input=template.replace("/tmp/", TMP),  # noqa: S108
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "${" not in done.stdout
    return done.stdout
