"""The watch when the API server misbehaves: it recovers, and costs little until then."""

import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest

from tests import world
from tests.service.conftest import Lab, MakeLab
from tests.waiting import wait_for
from webhook import kinds
from webhook.demo.apiserver import ApiServer
from webhook.demo.store import Store
from webhook.kinds import Kind, Name
from webhook.reflector import Pace

QUICK = Pace(window=1, silence=0.4, list=0.4, first_pause=0.02, last_pause=0.2)
RESTARTS = "lockstep_watch_restarts_total"
CONTACT = "lockstep_watch_contact_timestamp_seconds"


def synced(lab: Lab) -> bool:
    return lab.metric("lockstep_in_step", canary="web") == 1


def listed(lab: Lab) -> int:
    return sum(count for (verb, _), count in lab.api.requests.items() if verb == "list")


def warnings(lab: Lab) -> int:
    return len(lab.lines.having(level="WARNING"))


def loud(lab: Lab) -> list[dict[str, object]]:
    """The lines that are logged unless somebody asks for more."""
    return [line for line in lab.lines.seen if line["level"] != "DEBUG"]


def rollout(window: int) -> Store:
    store = Store(window=window)
    for obj in (world.canary(), world.deployment(), world.route(25), world.variables(25)):
        store.put(obj)
    return store


def churn(store: Store, times: int) -> None:
    """Changes of something that nobody watches, so that old versions fall out of the window."""
    for number in range(times):
        data = {"number": str(number)}
        store.put(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "noise", "namespace": "other"},
                "data": data,
            }
        )


def test_bookmarks_spare_a_list_when_the_window_has_moved_on(make_lab: MakeLab) -> None:
    lab = make_lab(rollout(window=20), start=True, pace=Pace(window=1))
    wait_for(lambda: synced(lab))
    before = lab.api.requests["list", "canaries"]
    for _ in range(8):
        churn(lab.store, 10)
        time.sleep(0.3)
    assert lab.api.requests["watch", "canaries"] > 2
    assert lab.api.requests["list", "canaries"] == before
    lab.store.put(world.route(50))
    wait_for(lambda: lab.share() == 50)


def test_a_version_that_is_too_old_leads_to_a_new_list(make_lab: MakeLab) -> None:
    lab = make_lab(rollout(window=5), start=True, pace=QUICK)
    wait_for(lambda: synced(lab))
    before = lab.api.requests["list", "canaries"]
    lab.api.deny("watch", "canaries")
    lab.api.cut_watches()
    churn(lab.store, 20)
    lab.store.put(world.route(50))
    lab.api.allow("watch", "canaries")
    wait_for(lambda: lab.share() == 50)
    wait_for(lambda: lab.api.requests["list", "canaries"] > before)


def test_a_server_that_accepts_and_never_answers_is_given_up(make_lab: MakeLab) -> None:
    lab = make_lab(start=True, pace=QUICK)
    wait_for(lambda: synced(lab))
    contact = lab.metric(CONTACT, resource=kinds.CANARY.resource) or 0
    lab.api.pause()
    wait_for(lambda: (lab.metric(RESTARTS, resource=kinds.CANARY.resource) or 0) >= 2)
    assert (lab.metric(CONTACT, resource=kinds.CANARY.resource) or 0) < contact + 1.5
    lab.store.put(world.route(50))
    lab.api.resume()
    wait_for(lambda: lab.share() == 50)
    wait_for(lambda: (lab.metric(CONTACT, resource=kinds.CANARY.resource) or 0) > contact)


def test_a_server_that_is_away_is_asked_again_ever_more_rarely(make_lab: MakeLab) -> None:
    lab = make_lab(start=True, pace=Pace(window=1, first_pause=0.05, last_pause=0.5))
    wait_for(lambda: synced(lab))
    threads = threading.active_count()
    port = urlsplit(lab.api.url).port or 0
    lab.api.__exit__(None, None, None)
    time.sleep(3)
    # Four watches, each 3 s: 0.05 + 0.1 + 0.2 + 0.4 s, then 0.25 to 0.5 s a time.
    restarts = lab.metric(RESTARTS) or 0
    assert 8 <= restarts <= 4 * 16
    assert warnings(lab) <= restarts
    lab.store.put(world.route(50))
    with ApiServer(lab.store, port=port):
        wait_for(lambda: lab.share() == 50)
        assert threading.active_count() <= threads + 8  # the server's own, a connection each
        lab.service.watcher.stop()


def test_that_the_api_server_is_away_is_told_but_not_all_the_time(make_lab: MakeLab) -> None:
    lab = make_lab(start=True, pace=replace(QUICK, last_pause=0.1))
    wait_for(lambda: synced(lab))
    port = urlsplit(lab.api.url).port or 0
    lab.api.__exit__(None, None, None)
    lab.service.workers.changed(world.WEB)
    time.sleep(3.5)
    assert (lab.metric(RESTARTS) or 0) > 4 * 20
    assert warnings(lab) <= 4 * 2 + 2  # each watch: that it broke and why it stays so; the canary
    told = "a canary could not be reconciled"
    assert len(lab.lines.having(level="WARNING", message=told)) == 1
    lab.store.put(world.route(50))
    with ApiServer(lab.store, port=port):
        wait_for(lambda: lab.share() == 50)
        lab.service.watcher.stop()


def test_a_kind_not_to_be_read_is_asked_for_ever_more_rarely(make_lab: MakeLab) -> None:
    lab = make_lab(pace=replace(QUICK, first_pause=0.05, last_pause=0.05, rare_pause=5))
    lab.api.deny("list", "httproutes")
    lab.service.start()
    time.sleep(2.5)
    assert 3 <= lab.api.requests["list", "httproutes"] <= 8
    lab.service.stop()


def test_cutting_connections_leaks_neither_threads_nor_sockets(make_lab: MakeLab) -> None:
    lab = make_lab(start=True, pace=QUICK)
    wait_for(lambda: synced(lab))

    def cut(times: int) -> tuple[int, int]:
        for _ in range(times):
            lab.api.cut_watches()
            time.sleep(0.05)
        wait_for(lambda: synced(lab))
        time.sleep(0.3)
        return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    threads, files = cut(5)
    more_threads, more_files = cut(25)
    assert more_threads <= threads + 6
    assert more_files <= files + 6
    lab.store.put(world.route(50))
    wait_for(lambda: lab.share() == 50)


def test_a_crd_that_comes_later_is_found(make_lab: MakeLab) -> None:
    lab = make_lab(pace=replace(QUICK, silence=5.0))
    lab.api.unregister(kinds.HTTP_ROUTE)
    lab.service.start()
    wait_for(lambda: not lab.service.watcher.missing())
    assert lab.share() == 25
    time.sleep(0.5)
    assert warnings(lab) == 1
    lab.store.put(world.route(50))
    lab.api.register(kinds.HTTP_ROUTE)
    wait_for(lambda: lab.share() == 50)
    lab.service.stop()


def test_rbac_that_forbids_one_kind_is_named_and_leaves_the_others(make_lab: MakeLab) -> None:
    """One Canary of a provider that may not be read must not keep Lockstep from the others."""
    lab = make_lab(pace=replace(QUICK, silence=5.0))
    lab.api.deny("list", "httproutes")
    lab.service.start()
    wait_for(lambda: not lab.service.watcher.missing())
    lab.store.put(world.deployment(replicas=0))
    wait_for(lambda: lab.share() == 0)
    lab.store.put(world.deployment(replicas=1))
    wait_for(lambda: lab.share() == 25)
    (line,) = lab.lines.having(message="the watch of httproutes starts over", level="WARNING")
    assert 'cannot list resource "httproutes"' in line["error"]
    lab.store.put(world.route(50))
    lab.api.allow("list", "httproutes")
    wait_for(lambda: lab.share() == 50)
    lab.service.stop()


@pytest.mark.parametrize("kind", [kinds.CONFIG_MAP, kinds.CANARY], ids=str)
def test_what_every_canary_needs_must_be_listed_before_lockstep_is_ready(
    make_lab: MakeLab, kind: Kind
) -> None:
    """And before it counts as heard of: by that LockstepAbsent tells who guards."""
    plural = kind.plural
    lab = make_lab(pace=QUICK)
    assert lab.service.watcher.missing() == "not yet started"
    lab.api.deny("list", plural)
    lab.service.start()
    time.sleep(0.3)
    assert lab.service.watcher.missing().startswith(f"not yet followed: {plural}")
    assert lab.metric(CONTACT, resource=kind.resource) is None
    lab.api.allow("list", plural)
    wait_for(lambda: not lab.service.watcher.missing())
    wait_for(lambda: lab.metric(CONTACT, resource=kind.resource))
    assert re.fullmatch("canaries[.].+|configmaps", kind.resource)  # as in docs/alerts.yaml
    lab.service.stop()


@pytest.mark.parametrize("kind", [kinds.CONFIG_MAP, kinds.CANARY], ids=str)
def test_and_it_must_be_watched(make_lab: MakeLab, kind: Kind) -> None:
    """A new version whose role lacks the right would follow nothing: its rollout must stop."""
    lab = make_lab(pace=QUICK)
    lab.api.deny("watch", kind.plural)
    lab.service.start()
    wait_for(lambda: lab.api.requests["watch", kind.plural] > 1)
    assert lab.service.watcher.missing().startswith(f"not yet followed: {kind.plural}")
    lab.api.allow("watch", kind.plural)
    wait_for(lambda: not lab.service.watcher.missing())
    lab.service.stop()


def test_a_canary_that_was_deleted_while_nobody_watched_is_noticed(make_lab: MakeLab) -> None:
    lab = make_lab(rollout(window=5), start=True, pace=QUICK)
    wait_for(lambda: synced(lab))
    lab.api.deny("watch", "canaries")
    lab.api.cut_watches()
    lab.store.delete(kinds.CANARY, world.WEB)
    churn(lab.store, 20)
    lab.api.allow("watch", "canaries")
    wait_for(lambda: lab.share() == 0)


def test_a_write_that_failed_is_tried_again_before_the_resync(make_lab: MakeLab) -> None:
    lab = make_lab(start=True)
    wait_for(lambda: synced(lab))
    lab.api.deny("patch", "configmaps")
    lab.store.put(world.route(0))
    wait_for(lambda: lab.lines.having(message="ConfigMap canary-vars could not be written"))
    lab.api.allow("patch", "configmaps")
    wait_for(lambda: lab.share() == 0, 8)


def test_many_canaries_that_wait_for_flux_do_not_keep_another_from_following(
    make_lab: MakeLab,
) -> None:
    store = many(40)
    for number in range(1, 40):
        settings = world.settings(25)
        settings["metadata"]["name"] = f"web-{number}-settings"
        settings["metadata"]["labels"]["lockstep/canary"] = f"web-{number}"
        store.put(settings)
    lab = make_lab(store, start=True)
    wait_for(lambda: lab.metric("lockstep_in_step") == 40, 15)
    for number in range(39, -1, -1):
        deployment = world.deployment(replicas=0)
        deployment["metadata"]["name"] = f"web-{number}"
        lab.store.put(deployment)
    direct = Name("test", "web-0-vars")
    assert wait_for(lambda: lab.share(direct) == 0) < 1.5
    wait_for(lambda: lab.share(Name("test", "web-7-settings")) == 0, 20)


def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop(make_lab: MakeLab) -> None:
    lab = make_lab(pace=Pace(window=0))
    lab.service.start()
    wait_for(lambda: not lab.service.watcher.missing())
    before = lab.api.requests["watch", "canaries"]
    time.sleep(1)
    assert lab.api.requests["watch", "canaries"] - before <= 12
    lab.service.stop()


def test_an_idle_lockstep_asks_for_nothing_but_its_watches(make_lab: MakeLab) -> None:
    lab = make_lab(start=True)
    wait_for(lambda: synced(lab))
    time.sleep(0.3)
    before = lab.api.requests.total()
    time.sleep(2)
    assert lab.api.requests.total() == before


def many(count: int) -> Store:
    store = Store(window=10_000)
    for number in range(count):
        name = f"web-{number}"
        for obj in (world.canary(), world.deployment(), world.route(25), world.variables(0)):
            obj["metadata"]["name"] = f"{name}-vars" if obj["kind"] == "ConfigMap" else name
            if obj["kind"] == "Canary":
                obj["spec"]["targetRef"]["name"] = name
            if obj["kind"] == "ConfigMap":
                obj["metadata"]["labels"]["lockstep/canary"] = name
            for rule in obj["spec"].get("rules", []) if "spec" in obj else []:
                for backend in rule["backendRefs"]:
                    backend["name"] = backend["name"].replace("web", name)
            store.put(obj)
    return store


def test_a_resync_of_many_canaries_holds_up_no_change(make_lab: MakeLab) -> None:
    """Queued all at once, a thousand of them had a router that changed wait for seconds."""
    lab = make_lab(many(40), start=True, resync=0.1)
    wait_for(lambda: lab.metric("lockstep_in_step") == 40)
    looks = lab.metric("lockstep_sync_seconds_count", trigger="resync") or 0
    time.sleep(2)
    assert looks < (lab.metric("lockstep_sync_seconds_count", trigger="resync") or 0) < looks + 7


@dataclass
class Door:
    """What a load balancer does whose API server is away: it hangs up on whoever connects."""

    sock: socket.socket
    knocks: int = 0

    def hang_up(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                self.sock.accept()[0].close()
                self.knocks += 1


@contextmanager
def door(port: int) -> Iterator[Door]:
    it = Door(socket.create_server(("127.0.0.1", port)))
    thread = threading.Thread(target=it.hang_up)
    thread.start()
    try:
        yield it
    finally:
        it.sock.shutdown(socket.SHUT_RDWR)
        thread.join()
        it.sock.close()


def of_two_versions(count: int) -> tuple[Store, list[Name]]:
    """A store of that many canaries, half of them on another version; and their targets."""
    store = many(count)
    for number in range(0, count, 2):
        name = Name("test", f"web-{number}")
        store.patch(kinds.CANARY, name, {"spec": {"provider": "gatewayapi:v1beta1"}})
    return store, [Name("test", f"web-{number}-vars") for number in range(count)]


@pytest.mark.slow
def test_a_minute_without_an_api_server_costs_little_and_is_over_at_once(
    make_lab: MakeLab,
) -> None:
    """Half of it nobody listens, half of it somebody hangs up; at the pace of production."""
    store, targets = of_two_versions(20)
    lab = make_lab(store, start=True)
    wait_for(lambda: lab.metric("lockstep_in_step") == 20)
    port = urlsplit(lab.api.url).port or 0
    told = len(loud(lab))
    lab.api.__exit__(None, None, None)
    time.sleep(5)
    threads = threading.active_count()
    time.sleep(25)
    watches, canaries = 5, 20
    with door(port) as it:
        time.sleep(30)
        assert threading.active_count() <= threads + 1  # the door's own
    # A watch pauses for 1 to 2 s, and a canary whose resync came is looked at again after 1 s; each
    # asks twice, since it could have been an idle connection that was closed.
    assert watches * 30 / 2.5 < it.knocks <= (watches + canaries) * 35 * 2
    assert (lab.metric(RESTARTS) or 0) <= watches * 70
    # Each watch tells that it broke, and why it stays so; a canary at each resync.
    assert len(loud(lab)) - told <= watches * 2 + canaries * 3
    for number in range(20):
        lab.store.put(route_of(f"web-{number}", 50))
    with ApiServer(lab.store, port=port):
        assert wait_for(lambda: all(lab.share(name) == 50 for name in targets)) < 2.5
        lab.service.watcher.stop()


def route_of(name: str, share: int) -> world.Json:
    text = json.dumps(world.route(share)).replace('"web', f'"{name}')
    route: world.Json = json.loads(text)
    return route


def quiet(lab: Lab) -> bool:
    """Whether Lockstep has seen all that it wrote itself, and rests."""
    before = lab.api.requests.total()
    time.sleep(0.5)
    return lab.api.requests.total() == before


@pytest.mark.slow
def test_a_thousand_canaries_are_followed(make_lab: MakeLab) -> None:
    lab = make_lab(many(1000), start=True)
    names = [Name("test", f"web-{number}-vars") for number in range(1000)]
    wait_for(lambda: all(lab.share(name) == 25 for name in names), 90)
    threads = threading.active_count()
    assert threads < 100
    wait_for(lambda: lab.metric("lockstep_in_step") == 1000, 30)
    wait_for(lambda: quiet(lab), 60)
    lab.store.put(
        world.route(0) | {"metadata": {"name": "web-500", "namespace": "test"}, "spec": {
            "rules": [{"backendRefs": [
                {"name": "web-500-primary", "weight": 100}, {"name": "web-500-canary", "weight": 0},
            ]}],
        }}
    )  # fmt: skip
    took = wait_for(lambda: lab.share(names[500]) == 0)
    assert took < 1
    assert lab.share(names[501]) == 25
