"""All scenarios at once: their targets, their threads, and what is seen of them."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from webhook.demo.moments import World
from webhook.demo.operator import Operator, layout
from webhook.demo.page import Page, Scene
from webhook.demo.recording import Recording
from webhook.demo.replay import Replay
from webhook.demo.report import Result
from webhook.demo.serving import Serving
from webhook.demo.store import Store
from webhook.demo.story import Story
from webhook.demo.verdict import BOUND, Announcement, judge
from webhook.gates import Hook
from webhook.kinds import Name

_REFRESH = 0.25
_SETTLE_SECONDS = 2.0


@dataclass(slots=True)
class Stage:
    """Plays recordings against one service, and watches what comes of it."""

    store: Store
    story: Story
    serving: Serving
    scenes: list[Scene] = field(default_factory=list)
    _world: World = field(default_factory=lambda: World({}))
    _rv: int = 0

    def set(self, recordings: Sequence[Recording], hooks: frozenset[Hook]) -> None:
        """Make a target for each canary: in turn a variable, and a config.json."""
        targets: dict[Name, Name] = {}
        for index, recording in enumerate(recordings):
            target = layout(recording.canary, as_json=index % 2 == 1)
            target.create(self.store)
            targets[recording.canary] = target.name
            operator = Operator(self.store, recording.canary, target)
            replay = Replay(recording, operator, self.store, self.serving.url, hooks)
            self.scenes.append(Scene(replay))
        self._world = World(targets)

    @property
    def targets(self) -> dict[str, Name]:
        """The target of each scenario, by the scenario's name."""
        return {scene.name: scene.replay.operator.target.name for scene in self.scenes}

    def play(self, speed: float, console: Console, browsers: str) -> None:
        """Play every recording to its end; `browsers` is where one can watch browsers meanwhile.

        Raises:
            ServingError: the service died.
        """
        start = time.monotonic()
        count = f"{len(self.scenes)} recorded rollout{'s' if len(self.scenes) > 1 else ''}"
        console.print(f"{count}, {speed:g} times as fast as recorded")
        console.print("routed: the share of requests that the router sends to the canary")
        console.print(
            "client: the share of browsers that load its assets; rises after, falls before"
        )
        console.print(f"while this runs, watch browsers follow: {browsers}")
        with Page(console, self.scenes) as page, self._threads(speed) as threads:
            while any(thread.is_alive() for thread in threads):
                self._look(page, start)
            end = time.monotonic() + _SETTLE_SECONDS
            while not self._settled() and time.monotonic() < end:
                self._look(page, start)
            page.show(time.monotonic() - start)

    def results(self, *, announcing: bool) -> list[Result]:
        """The verdict on each scene; `announcing` is whether Flagger's events were sent."""
        return [_result(scene, 0.0 if announcing else BOUND) for scene in self.scenes]

    @contextmanager
    def _threads(self, speed: float) -> Iterator[list[threading.Thread]]:
        stopped = threading.Event()
        threads = [
            threading.Thread(target=scene.replay.play, args=(speed, stopped), name=scene.name)
            for scene in self.scenes
        ]
        for thread in threads:
            thread.start()
        try:
            yield threads
        finally:
            stopped.set()
            for thread in threads:
                thread.join()

    def _look(self, page: Page, start: float) -> None:
        self.serving.check()
        time.sleep(_REFRESH)
        self._catch_up()
        page.show(time.monotonic() - start)

    def _catch_up(self) -> None:
        scenes = {scene.replay.recording.canary: scene for scene in self.scenes}
        for revision in self.store.history(self._rv):
            self._rv = revision.rv
            for canary, moment in self._world.see(revision):
                scenes[canary].moments.append(moment)
        for canary, scene in scenes.items():
            scene.news = self.story.latest(canary)

    def _settled(self) -> bool:
        if any(scene.replay.failure for scene in self.scenes):
            return False  # if the service died, its end is what to tell
        return all(scene.now.client == scene.now.routed for scene in self.scenes)


def _result(scene: Scene, idle_bound: float) -> Result:
    answers = tuple(scene.replay.answers)
    announcements = [Announcement(it.at, it.message) for it in answers if it.message]
    verdict = judge(scene.moments, announcements, idle_bound)
    return Result(scene.name, verdict, answers, scene.replay.failure)
