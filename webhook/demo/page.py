"""What the terminal shows: a live table, or plain lines where there is no terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from webhook.demo.moments import Moment
from webhook.demo.replay import Replay

_PHASES = {"Succeeded": "green", "Failed": "red", "Progressing": "cyan", "Promoting": "cyan"}


@dataclass(slots=True)
class Scene:
    """One scenario as it is shown; `moments` grows while it is played."""

    replay: Replay
    moments: list[Moment] = field(default_factory=list)
    news: str = ""

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.replay.recording.name

    @property
    def now(self) -> Moment:
        """The latest moment."""
        return self.moments[-1] if self.moments else Moment(rv=0, at=0.0)


class Page:
    """A context manager; `show` is called several times a second."""

    def __init__(self, console: Console, scenes: Sequence[Scene]) -> None:
        """Show the scenes on the console: live where that is a terminal."""
        self._console = console
        self._scenes = scenes
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._shown: dict[str, tuple[object, ...]] = {}

    def __enter__(self) -> Self:
        """Take over the lower part of the terminal."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, seconds: float) -> None:
        """Show how things are, `seconds` after the start."""
        if self._live:
            self._live.update(table(self._scenes, seconds), refresh=True)
            return
        for scene in self._scenes:
            state = (scene.now.phase, scene.now.routed, scene.now.client)
            if self._shown.get(scene.name, ("", 0, 0)) != state:
                self._shown[scene.name] = state
                self._console.print(line(scene, seconds), soft_wrap=True)


def table(scenes: Iterable[Scene], seconds: float) -> Table:
    """All scenes, one a row."""
    shown = Table(box=box.SIMPLE_HEAD, expand=True, padding=0, pad_edge=False)
    shown.add_column("scenario", no_wrap=True, min_width=19)
    shown.add_column("phase", no_wrap=True, min_width=16)
    shown.add_column("routed", justify="right", no_wrap=True, min_width=6)
    shown.add_column("client", justify="right", no_wrap=True, min_width=6)
    shown.add_column(" what Lockstep last did, and why", no_wrap=True, ratio=1)
    shown.add_column(f"{seconds:.0f} s", justify="right", no_wrap=True, min_width=5)
    for scene in scenes:
        now = scene.now
        news = Text(f" {scene.news}")
        shown.add_row(
            scene.name, _phase(now), share(now.routed), _client(now), news, _progress(scene)
        )
    return shown


def line(scene: Scene, seconds: float) -> Text:
    """A scene as one line of a log."""
    now = scene.now
    shares = f"routed {share(now.routed):>5}  client {share(now.client):>5}"
    text = f"{seconds:5.1f} s  {scene.name:<19}  {now.phase or '-':<16}  {shares}  {scene.news}"
    return Text(text.rstrip())


def share(percentage: int | None) -> str:
    """A share, or a question mark where it cannot be known."""
    return "?" if percentage is None else f"{percentage} %"


def _phase(now: Moment) -> Text:
    return Text(now.phase or "-", _PHASES.get(now.phase, ""))


def _client(now: Moment) -> Text:
    if now.client is None:
        return Text("?", "red")
    if now.routed is not None and now.client > now.routed:
        return Text(share(now.client), "bold red")
    return Text(share(now.client), "green" if now.client == now.routed else "yellow")


def _progress(scene: Scene) -> Text:
    replay = scene.replay
    if replay.failure:
        return Text("✗", "bold red")
    if replay.finished:
        return Text("done", "green")
    return Text(f"{100 * replay.done // len(replay.recording.rows)} %", "dim")
