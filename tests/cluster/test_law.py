"""The law on every path of the real Flagger's, ordered by the real store. Side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.cluster import proof
from tests.cluster.fixtures import needs_programs
from tests.cluster.lab import Lab, lab
from tests.cluster.law import UNANNOUNCED, Judgement, desired, judge, table
from tests.cluster.rollout import Rollout
from tests.cluster.scenarios import PATHS, PROVIDERS, Scenario

pytestmark = pytest.mark.slow

_AT_ONCE = 24
"""Canaries at the same time; more of them measure two cores, not Lockstep."""

SCENARIOS = {it.name: it for it in [*PATHS, *PROVIDERS]}


@dataclass(frozen=True)
class Played:
    """All rollouts at once: a judgement each, and the faults of those that did not end."""

    lab: Lab
    judgements: dict[str, Judgement]
    faults: dict[str, BaseException | None]


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    needs_programs()
    chosen = {it.name for it in request.session.items}
    names = [name for name in SCENARIOS if f"test_the_law_is_kept[{name}]" in chosen]
    with lab(tmp_path_factory.mktemp("law")) as made, ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in range(2):  # replicas, as manifests/base has them
            made.start_replica()
        running: dict[str, Future[None]] = {
            name: pool.submit(_play, made, SCENARIOS[name]) for name in names
        }
        faults = {name: future.exception() for name, future in running.items()}
        for name in names:
            made.settled(name)
        judgements = {name: judge(made.observer.of(name).ordered()) for name in names}
        proof.write("law", table(judgements))
        assert not made.observer.failure
        yield Played(made, judgements, faults)


def _play(made: Lab, scenario: Scenario) -> None:
    rollout = Rollout(
        made, scenario.name, scenario.spec, scenario.analysis, scenario.hooks, scenario.workload
    )
    rollout.create()
    scenario.play(rollout)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_law_is_kept(played: Played, name: str) -> None:
    scenario, seen = SCENARIOS[name], played.judgements[name]
    if fault := played.faults[name]:
        raise fault
    bound = UNANNOUNCED if scenario.unannounced else 0
    assert seen.above.longest <= bound, f"browsers had more than was routed: {seen}"
    assert seen.above.revisions == 0 or bound, f"browsers had more than was routed: {seen}"
    bound = UNANNOUNCED if scenario.by_hand else 0
    assert seen.idle.longest <= bound, f"browsers had a canary that did not run: {seen}"
    assert seen.idle.revisions == 0 or bound, f"browsers had a canary that did not run: {seen}"
    assert seen.end.agree, f"two targets do not agree: {seen.end}"
    assert seen.end.client == desired(seen.end), f"out of step at the end: {seen.end}"
    assert seen.peak == scenario.peak, f"it did not go as it should: {seen}"
    assert _in_order(scenario.phases, seen.phases), f"it did not go as it should: {seen.phases}"


def _in_order(wanted: Sequence[str], seen: Sequence[str]) -> bool:
    rest = iter(seen)
    return all(phase in rest for phase in wanted)
