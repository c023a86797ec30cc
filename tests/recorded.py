"""Canaries and the router objects of each step, as recorded from a real Flagger or as written."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from webhook import canary as canaries
from webhook import kinds, routers
from webhook.canary import Canary, MeshDefaults
from webhook.kinds import Name
from webhook.routers import Reading, Source

Json = dict[str, Any]

DATA = Path(__file__).parent / "data"
FILES = {
    file.stem: file
    for folder in ("router-objects", "written-objects")
    for file in sorted((DATA / folder).glob("*.json"))
}
"""`router-objects` is what Flagger wrote; `written-objects` is ours, where nothing is recorded."""


@dataclass(frozen=True)
class Revision:
    """A router object, and the last event before Flagger wrote it."""

    event: str | None
    object: Json


@dataclass(frozen=True)
class Recorded:
    """A Canary as it was, and everything that Flagger wrote for it, in order."""

    json: Json
    canary: Canary
    revisions: tuple[Revision, ...]

    @property
    def source(self) -> Source:
        return weighed(self.canary)

    def read(self) -> list[tuple[str | None, Reading]]:
        """What is read of each revision of the one object that is read."""
        return [
            (it.event, self.source.share(it.object, self.canary))
            for it in self.revisions
            if read_by(self.source, it.object)
        ]


def recorded(name: str) -> Recorded:
    content = json.loads(FILES[name].read_text())
    revisions = tuple(Revision(it["after_event"], it["object"]) for it in content["revisions"])
    canary = canaries.parse(content["canary"], MeshDefaults(provider="unset"))
    return Recorded(content["canary"], canary, revisions)


def read_by(source: Source, obj: Json) -> bool:
    # The group alone: the API server serves every version of what it stored as one of them.
    group = str(obj["apiVersion"]).partition("/")[0]
    name = Name(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    return (group, obj["kind"], name) == (source.kind.group, source.kind.kind, source.name)


def weighed(canary: Canary) -> Source:
    source = routers.source(canary)
    assert source is not None
    return source


def web(provider: str, **fields: object) -> Canary:
    name = Name("shop", "web")
    known = Canary(name, "web", name, kinds.DEPLOYMENT, provider, ingress="edge", route="edge")
    return replace(known, **fields)  # type: ignore[arg-type]


def read(provider: str, obj: object, **fields: object) -> Reading:
    canary = web(provider, **fields)
    assert isinstance(obj, dict)
    return weighed(canary).share(obj, canary)


junk: st.SearchStrategy[object] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        10**30,
        1.5,
        float("inf"),
        "",
        "x",
        "\ud800",
        [],
        ["x"],
        [{}],
        {},
        {"x": []},
    ]
)


def places(obj: object, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """The path of every value in a JSON document."""
    inner = (
        obj.items() if isinstance(obj, dict) else enumerate(obj) if isinstance(obj, list) else ()
    )
    for step, value in inner:
        yield (*path, step)
        yield from places(value, *path, step)
