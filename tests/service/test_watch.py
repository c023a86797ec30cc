"""What heals a hook that never came."""

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests import world
from tests.service.conftest import Lab, MakeLab, event
from tests.waiting import wait_for
from webhook import kinds
from webhook.kinds import Name
from webhook.targets import CEILING, LABEL

CONTACT = "lockstep_watch_contact_timestamp_seconds"

AT_ONCE = 0.25
"""Seconds within which an unannounced step down is followed: the design's promise."""


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    lab = make_lab(start=True)
    wait_for(lambda: lab.metric("lockstep_in_step", canary="web") == 1)
    return lab


def test_the_watch_follows_the_router_up_and_down(lab: Lab) -> None:
    for routed in (50, 100, 10, 0):
        lab.store.put(world.route(routed))
        assert wait_for(lambda: lab.share() == routed) < AT_ONCE  # noqa: B023 - waited for here


def test_scaling_to_zero_is_followed(lab: Lab) -> None:
    lab.store.put(world.deployment(replicas=0))
    assert wait_for(lambda: lab.share() == 0) < AT_ONCE


def test_a_deleted_canary_is_followed_and_its_series_go(lab: Lab) -> None:
    lab.store.delete(kinds.CANARY, world.WEB)
    assert wait_for(lambda: lab.share() == 0) < AT_ONCE
    wait_for(lambda: lab.metric("lockstep_client_share", canary="web") is None)
    for series in ("routed_share", "in_step", "ceiling"):
        assert lab.metric(f"lockstep_{series}", canary="web") is None


def test_a_canary_that_is_being_deleted_is_followed(lab: Lab) -> None:
    canary = world.canary()
    canary["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    lab.store.put(canary)
    assert wait_for(lambda: lab.share() == 0) < AT_ONCE


def test_a_cap_is_followed(lab: Lab) -> None:
    lab.store.put(world.canary(annotations={"lockstep/cap": "5"}))
    assert wait_for(lambda: lab.share() == 5) < AT_ONCE


def test_a_number_that_somebody_changed_is_put_right(lab: Lab) -> None:
    lab.store.patch(kinds.CONFIG_MAP, world.VARS, {"data": {"CANARY_PERCENTAGE": "90"}})
    assert wait_for(lambda: lab.share() == 25) < AT_ONCE


def test_a_target_that_appears_is_brought_in_step(lab: Lab) -> None:
    name = Name("test", "more-vars")
    lab.store.put(world.variables(0, name))
    wait_for(lambda: lab.share(name) == 25)
    wait_for(lambda: lab.metric("lockstep_client_share", configmap="more-vars") == 25)
    lab.store.delete(kinds.CONFIG_MAP, name)
    wait_for(lambda: lab.metric("lockstep_client_share", configmap="more-vars") is None)


def test_a_target_of_no_canary_is_put_to_0(lab: Lab) -> None:
    name = Name("test", "orphan-vars")
    orphan = world.variables(50, name)
    orphan["metadata"]["labels"][LABEL] = "nobody"
    lab.store.put(orphan)
    wait_for(lambda: lab.share(name) == 0)


def test_a_target_that_changes_hands_is_synced_to_its_new_canary(lab: Lab) -> None:
    lab.store.patch(kinds.CONFIG_MAP, world.VARS, {"metadata": {"labels": {LABEL: "nobody"}}})
    wait_for(lambda: lab.share() == 0)
    wait_for(lambda: lab.metric("lockstep_client_share", canary="web") is None)


def test_a_removed_label_freezes_the_number_with_a_warning(lab: Lab) -> None:
    lab.store.patch(kinds.CONFIG_MAP, world.VARS, {"metadata": {"labels": {LABEL: None}}})
    wait_for(lambda: lab.lines.having(level="WARNING", configmap="canary-vars"))
    lab.store.put(world.route(0))
    time.sleep(AT_ONCE)
    assert lab.share() == 25
    (line,) = lab.lines.having(level="WARNING", configmap="canary-vars")
    assert "set lockstep/cap to 0" in line["message"]


def test_a_deleted_canary_keeps_its_series_while_browsers_are_on_it(lab: Lab) -> None:
    """Else nobody would be paged: LockstepClientAboveRouted goes by them."""
    lab.api.deny("patch", "configmaps")
    lab.store.delete(kinds.CANARY, world.WEB)
    wait_for(lambda: lab.lines.having(message="ConfigMap canary-vars could not be written"))
    wait_for(lambda: lab.metric("lockstep_routed_share", canary="web") == 0)
    assert lab.metric("lockstep_client_share", canary="web") == 25
    lab.api.allow("patch", "configmaps")
    lab.store.patch(kinds.CONFIG_MAP, world.VARS, {"data": {"CANARY_PERCENTAGE": "24"}})
    wait_for(lambda: lab.share() == 0)
    wait_for(lambda: lab.metric("lockstep_client_share", canary="web") is None)
    assert lab.metric("lockstep_routed_share", canary="web") is None


def test_a_deleted_target_is_no_warning(lab: Lab) -> None:
    lab.store.delete(kinds.CONFIG_MAP, world.VARS)
    wait_for(lambda: lab.metric("lockstep_client_share", canary="web") is None)
    assert not lab.lines.having(level="WARNING")


def test_a_namespace_that_goes_with_all_its_targets_costs_no_thread_for_each(
    make_lab: MakeLab,
) -> None:
    names = [Name("test", f"vars-{number}") for number in range(20)]
    lab = make_lab(world.rollout(25, *(world.variables(25, name) for name in names)), start=True)
    wait_for(lambda: lab.metric("lockstep_in_step", canary="web") == 1)
    lab.api.delay(1, "get", "configmaps")
    threads = [threading.active_count()]

    def gone() -> bool:
        threads.append(threading.active_count())
        return lab.metric("lockstep_client_share", canary="web") is None

    for name in names:
        lab.store.delete(kinds.CONFIG_MAP, name)
    wait_for(gone)
    assert max(threads) - threads[0] < len(names)


def test_a_ceiling_ends_by_itself(make_lab: MakeLab) -> None:
    """Flagger announced, and then thought better of it: its router stays at 25."""
    written = datetime.fromtimestamp(time.time() - 29.5, UTC).isoformat()
    ceiling = json.dumps({"value": 0, "written": written, "announced": written})
    store = world.rollout(25, world.variables(0, ceiling=ceiling))
    lab = make_lab(store, start=True)
    wait_for(lambda: lab.metric("lockstep_ceiling", canary="web") == 0)
    assert lab.share() == 0
    wait_for(lambda: lab.share() == 25)
    obj: Any = store.get(kinds.CONFIG_MAP, world.VARS)
    assert CEILING not in obj["metadata"]["annotations"]


def test_a_lowering_breaks_the_glass_without_any_hook(make_lab: MakeLab) -> None:
    store = world.rollout(25, world.variables(25), world.settings(25))
    lab = make_lab(store, start=True, flux_patience=0.2)
    lab.store.put(world.route(0))
    assert 0.15 < wait_for(lambda: lab.share(world.SETTINGS) == 0) < 1
    # A render that had already started puts the old number back.
    store.put(world.settings(25))
    wait_for(lambda: lab.share(world.SETTINGS) == 0)


def test_router_kinds_are_watched_only_while_a_canary_needs_them(lab: Lab) -> None:
    wait_for(lambda: lab.api.requests["watch", "httproutes"])
    assert lab.api.requests["watch", "virtualservices"] == 0
    istio = world.canary()
    istio["spec"]["provider"] = "istio"
    lab.store.put(istio)
    wait_for(lambda: lab.api.requests["watch", "virtualservices"])
    wait_for(lambda: lab.metric(CONTACT, resource=kinds.HTTP_ROUTE.resource) is None)


def test_a_silent_watch_does_not_hide_behind_one_of_another_version(lab: Lab) -> None:
    other = world.canary()
    other["metadata"]["name"] = other["spec"]["targetRef"]["name"] = "other"
    other["spec"]["provider"] = "gatewayapi:v1beta1"
    lab.store.put(other)
    old, new = kinds.HTTP_ROUTE.resource, kinds.HTTP_ROUTE_BETA.resource
    wait_for(lambda: lab.metric(CONTACT, resource=new) and lab.metric(CONTACT, resource=old))
    lab.store.delete(kinds.CANARY, world.WEB)
    wait_for(lambda: lab.metric(CONTACT, resource=old) is None)
    assert lab.metric(CONTACT, resource=new)


def test_a_watch_that_ended_before_its_list_came_leaves_no_sign_of_life(make_lab: MakeLab) -> None:
    """It would grow old for ever, and an alert would take that for a watch that fell silent."""
    lab = make_lab()
    lab.api.delay(0.5, "list", "httproutes")
    lab.service.start()
    wait_for(lambda: lab.api.requests["list", "httproutes"])
    lab.store.delete(kinds.CANARY, world.WEB)
    time.sleep(1)
    assert lab.metric(CONTACT, resource=kinds.CANARY.resource)
    assert lab.metric(CONTACT, resource=kinds.HTTP_ROUTE.resource) is None
    lab.service.stop()


def test_a_kind_that_is_not_served_does_not_keep_lockstep_from_being_ready(
    make_lab: MakeLab,
) -> None:
    istio = world.canary()
    istio["spec"]["provider"] = "istio"
    store = world.rollout()
    store.put(istio)
    lab = make_lab(store)
    lab.api.unregister(kinds.VIRTUAL_SERVICE)
    lab.service.start()
    wait_for(
        lambda: lab.api.requests["list", "virtualservices"] or not lab.service.watcher.missing()
    )
    wait_for(lambda: not lab.service.watcher.missing())
    lab.service.stop()


def test_only_the_namespace_that_was_asked_for_is_watched(make_lab: MakeLab) -> None:
    lab = make_lab(start=True, namespace="other")
    lab.store.put(world.route(0))
    time.sleep(AT_ONCE)
    assert lab.share() == 25


def test_the_resync_looks_at_every_canary_anyway(make_lab: MakeLab) -> None:
    lab = make_lab(start=True, resync=0.1)
    wait_for(lambda: (lab.metric("lockstep_sync_seconds_count", trigger="resync") or 0) > 2)


def test_a_watch_that_is_cut_goes_on(lab: Lab) -> None:
    lab.api.cut_watches()
    lab.store.put(world.route(50))
    wait_for(lambda: lab.share() == 50)
    assert (lab.metric("lockstep_watch_restarts_total") or 0) > 0


def test_an_api_server_that_was_away_is_caught_up_with(lab: Lab) -> None:
    lab.api.deny("get", "configmaps")
    lab.store.put(world.route(50))
    wait_for(lambda: lab.lines.having(message="a canary could not be reconciled"))
    lab.api.allow("get", "configmaps")
    wait_for(lambda: lab.share() == 50)


@pytest.mark.parametrize("announced", [True, False])
def test_with_the_least_hooks_the_watch_does_the_rest(lab: Lab, announced: bool) -> None:
    """Only pre-rollout and confirm-promotion: nothing is announced, everything is followed."""
    assert lab.hook("pre-rollout").status_code == 200
    lab.store.put(world.route(50))
    assert lab.hook("confirm-promotion").status_code == 200
    assert lab.share() == 50
    lab.store.put(world.canary("Promoting"))
    if announced:
        lab.hook("event", event("Routing all traffic to primary"))
        assert lab.share() == 0
    lab.store.put(world.route(0))
    assert wait_for(lambda: lab.share() == 0) < AT_ONCE
