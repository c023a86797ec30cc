"""The law on every path of the real Flagger's, ordered by the real store. Side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

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

_APART = 0.4
"""Seconds between two starts: canaries tick from when they were made, and not in unison."""

_STEP = 5000
"""Milliseconds: less than a step of Flagger's stands, and more than a busy machine needs."""

SCENARIOS = {it.name: it for it in [*PATHS, *PROVIDERS]}


@dataclass(frozen=True)
class Played:
    """A judgement on each rollout, and the faults of those that did not come to their end.

    `again` has the second try of those that were too slow in the crowd.
    """

    judgements: dict[str, Judgement] = field(default_factory=dict)
    faults: dict[str, BaseException | None] = field(default_factory=dict)
    again: Played | None = None

    def timed(self, name: str) -> Judgement:
        """The judgement that durations are taken from; order is always the first one's."""
        again = self.again.judgements if self.again else {}
        return again.get(f"{name}-again", self.judgements[name])


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    needs_programs()
    chosen = {it.name for it in request.session.items}
    names = [name for name in SCENARIOS if f"test_the_law_is_kept[{name}]" in chosen]
    with lab(tmp_path_factory.mktemp("law")) as made:
        for _ in range(2):  # replicas, as manifests/base has them
            made.start_replica()
        crowd = _play_all(made, {name: SCENARIOS[name] for name in names})
        # 250 ms are a promise about Lockstep, and not about two cores that 24 canaries share:
        # who missed it in the crowd shows it once more with few others. Order needs no second try.
        slow = [name for name in names if _slow(SCENARIOS[name], crowd.judgements[name])]
        again = _play_all(made, {f"{name}-again": SCENARIOS[name] for name in slow})
        assert not made.observer.failure
    proof.write("law", table(crowd.judgements | again.judgements))
    return replace(crowd, again=again)


def _play_all(made: Lab, scenarios: Mapping[str, Scenario]) -> Played:
    """Play each scenario in a namespace of the name that it has here."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = {}
        for name, scenario in scenarios.items():
            running[name] = pool.submit(_play, made, name, scenario)
            time.sleep(_APART)
    for name in scenarios:
        made.settled(name)
    return Played(
        {name: judge(made.observer.of(name).ordered()) for name in scenarios},
        {name: future.exception() for name, future in running.items()},
    )


def _play(made: Lab, namespace: str, scenario: Scenario) -> None:
    rollout = Rollout(
        made, namespace, scenario.spec, scenario.analysis, scenario.hooks, scenario.workload
    )
    rollout.create()
    scenario.play(rollout)


def _slow(scenario: Scenario, seen: Judgement) -> bool:
    """Whether it did what it may do, for longer than it may."""
    above = scenario.unannounced and seen.above.longest > UNANNOUNCED
    return above or (scenario.by_hand and seen.idle.longest > UNANNOUNCED)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_law_is_kept(played: Played, name: str) -> None:
    scenario = SCENARIOS[name]
    _check(scenario, played, name)
    if played.again and f"{name}-again" in played.again.judgements:
        _check(scenario, played.again, f"{name}-again")
    seen = played.timed(name)
    for finding in (seen.above, seen.idle):
        assert finding.longest <= UNANNOUNCED, f"too slow to follow: {seen}"


def _check(scenario: Scenario, played: Played, name: str) -> None:
    """Everything but durations: in the crowd too, and in a second try as well."""
    if fault := played.faults[name]:
        raise fault
    seen = played.judgements[name]
    above, idle = seen.above, seen.idle
    assert not above.revisions or scenario.unannounced, f"browsers had more than routed: {above}"
    assert not idle.revisions or scenario.by_hand, f"browsers had what did not run: {idle}"
    slow = f"out of step for {seen.off.longest:.0f} ms"
    assert scenario.capped or seen.off.longest < _STEP, f"a step was not followed: {slow}"
    assert seen.end.agree, f"two targets do not agree: {seen.end}"
    assert seen.end.client == desired(seen.end), f"out of step at the end: {seen.end}"
    assert seen.peak == scenario.peak, f"it did not go as it should: {seen}"
    assert _in_order(scenario.phases, seen.phases), f"it did not go as it should: {seen.phases}"


def _in_order(wanted: Sequence[str], seen: Sequence[str]) -> bool:
    rest = iter(seen)
    return all(phase in rest for phase in wanted)
