"""How long after the router a target has the new share, when only the watch tells of it."""

import json
import queue
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import requests

from benchmarks import world
from benchmarks.api import Api
from benchmarks.results import Spread
from webhook import kinds, targets
from webhook.fields import find, objects, required_text, strings
from webhook.kinds import Name

_HIGHER = 50
_PATIENCE = 10.0
_PAUSE = (0.03, 0.1)
"""Seconds between two writes, drawn at random so that they meet no rhythm of the service's."""

Seen = queue.SimpleQueue[tuple[float, Name, int]]
"""When a target was seen with which share."""


def follow(api: Api, writes: int) -> Spread:
    """Move the routers of the canaries that are there, one at random after the other.

    The time runs from before the write of the router is sent until the write of the target is
    seen in a watch, so both writes and the watch are part of it.

    Raises:
        TimeoutError: a target does not follow.
    """
    chance = random.Random(writes)  # noqa: S311 - which canary is no secret
    listing = json.loads(api.read(kinds.CONFIG_MAP, Name("", ""), labelSelector=targets.LABEL))
    shares = dict(_share(obj) for obj in objects(listing, "items"))
    times = []
    with _watching(api, required_text(listing, "metadata", "resourceVersion")) as seen:
        for _ in range(writes):
            ref = chance.choice(list(shares))
            shares[ref] = _HIGHER if shares[ref] == world.SHARE else world.SHARE
            began = time.perf_counter()
            api.patch(kinds.HTTP_ROUTE, ref, world.route(ref, shares[ref]))
            times.append(_wait(seen, ref, shares[ref]) - began)
            time.sleep(chance.uniform(*_PAUSE))
    return Spread.of(times)


def _wait(seen: Seen, ref: Name, share: int) -> float:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            at, name, now = seen.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            message = f"the target of {ref} has not followed to {share} % in {_PATIENCE:g} s"
            raise TimeoutError(message) from None
        if (name, now) == (ref, share):
            return at


@contextmanager
def _watching(api: Api, version: str) -> Iterator[Seen]:
    """Every change of a target from that version on."""
    seen: Seen = queue.SimpleQueue()
    query = {"labelSelector": targets.LABEL, "resourceVersion": version}
    with api.watch(kinds.CONFIG_MAP, 600, **query) as events:

        def listen() -> None:
            with suppress(requests.RequestException):  # it is cut off when nobody looks any more
                for event in events:
                    seen.put((time.perf_counter(), *_share(find(event, "object"))))

        threading.Thread(target=listen, daemon=True).start()
        yield seen


def _share(obj: object) -> tuple[Name, int]:
    namespace, name = (required_text(obj, "metadata", it) for it in ("namespace", "name"))
    config = json.loads(strings(obj, "data")["config.json"])
    return Name(namespace, name), int(config[targets.NUMBER])
