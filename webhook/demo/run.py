"""`lockstep demo`: recorded rollouts against the real service, without a cluster."""

import argparse
import math
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from webhook.demo import report, scenarios
from webhook.demo.apiserver import ApiServer
from webhook.demo.recording import Recording, RecordingError, check_disjoint, load
from webhook.demo.report import Result
from webhook.demo.serving import Serving, ServingError
from webhook.demo.site import Site
from webhook.demo.stage import Stage
from webhook.demo.store import Store
from webhook.demo.story import Story
from webhook.gates import Hook

_FAILED = 1
_USAGE = 2
_SHOWN_FAULTS = 5
_WINDOW = 1_000_000

HOOKS = {
    "all": frozenset(Hook),
    "minimal": frozenset({Hook.PRE_ROLLOUT, Hook.CONFIRM_PROMOTION}),
}
"""Which hooks the Canaries have: all, or the least that they may."""


class UsageError(Exception):
    """Options that make no sense; the message says which."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to play and how."""

    scenarios: Sequence[str] = ()
    files: Sequence[Path] = ()
    hooks: str = "all"
    speed: float = 10.0


def main(arguments: argparse.Namespace) -> int:
    """The command `lockstep demo`; returns the exit code."""
    console = Console(highlight=False)
    if arguments.list:
        console.print(listing(), soft_wrap=True, markup=False)
        return 0
    try:
        speed = _speed(arguments.speed)
    except UsageError as error:
        return _complain(error, _USAGE)
    options = Options(arguments.scenario, arguments.recording, arguments.hooks, speed)
    return run(options, console)


def _speed(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(f"--speed {text}: not a number above 0")
    return value


def listing() -> str:
    """Every scenario that comes with Lockstep, one a line."""
    return "\n".join(f"{name:<20}  {it}" for name, it in scenarios.DESCRIPTIONS.items())


def run(options: Options, console: Console) -> int:
    """Play, show and judge; the exit code."""
    try:
        results = _play(_chosen(options), options, console)
    except (UsageError, RecordingError) as error:
        return _complain(error, _USAGE)
    except ServingError as error:
        return _complain(error, _FAILED)
    report.show(console, results)
    return 0 if all(result.good for result in results) else _FAILED


def _complain(error: Exception, code: int) -> int:
    print(f"lockstep demo: {error}", file=sys.stderr)  # noqa: T201 - the command's voice
    return code


def _chosen(options: Options) -> list[Recording]:
    known = scenarios.paths()
    if unknown := [name for name in options.scenarios if name not in known]:
        raise UsageError(f"no scenario {', '.join(unknown)}; `lockstep demo --list` shows them all")
    names = options.scenarios or ([] if options.files else list(known))
    paths = [*(known[name] for name in dict.fromkeys(names)), *options.files]
    recordings = [load(path) for path in paths]
    check_disjoint(recordings)
    return recordings


def _play(recordings: Sequence[Recording], options: Options, console: Console) -> list[Result]:
    store, story = Store(_WINDOW), Story()
    with (
        _ended_by_sigterm(),
        tempfile.TemporaryDirectory(prefix="lockstep-demo-") as folder,
        ApiServer(store) as api,
        Serving(api.url, Path(folder), story.hear) as serving,
        Serving(api.url, Path(folder), _ignore, "serve-config") as endpoint,
    ):
        stage = Stage(store, story, serving)
        stage.set(recordings, HOOKS[options.hooks])
        with Site(endpoint.url, stage.targets) as site:
            stage.play(options.speed, console, site.url)
        _tell_faults(story, console)
        return stage.results(announcing=Hook.EVENT in HOOKS[options.hooks])


def _ignore(_line: str) -> None:
    """Recordings break targets on purpose, and `serve-config` warns of it."""


def _tell_faults(story: Story, console: Console) -> None:
    faults = story.faults
    if faults:
        console.print(f"Lockstep logged {len(faults)} warnings, the first ones:", style="yellow")
    for line in faults[:_SHOWN_FAULTS]:
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C does, so that no process is left behind."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
