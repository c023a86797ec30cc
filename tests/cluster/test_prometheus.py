"""The real Prometheus during ordinary rollouts: the queries of the docs tell what happened."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.cluster import proof
from tests.cluster.fixtures import needs_programs
from tests.cluster.front import CHECK
from tests.cluster.lab import SYSTEM, ConfigEndpoint, Lab, lab
from tests.cluster.law import labelled, moments, share
from tests.cluster.programs import wait_for
from tests.cluster.prometheus import (
    ABOVE,
    CLIENT,
    HELD,
    OFF,
    ROUTED,
    SLOWEST,
    Prometheus,
    Series,
    needs_prometheus,
    scrape_jobs,
)
from tests.cluster.rollout import Rollout

pytestmark = pytest.mark.slow

_PASSING = 3.0
"""Seconds for which two values may differ: a scrape sees one replica after the other."""

_HOOK_TIMEOUT = 5.0
"""Seconds that Flagger waits for an answer."""


@dataclass(frozen=True)
class Scraped:
    """What was scraped while rollouts ran, and where; times are seconds since the epoch."""

    lab: Lab
    config: ConfigEndpoint
    prometheus: Prometheus
    begin: float
    end: float
    told: dict[str, str] = field(default_factory=dict)
    """The table: a query, and what it returned."""

    def during(self, query: str) -> list[Series]:
        return self.prometheus.during(query, self.begin, self.end)


def _succeeds(it: Rollout) -> None:
    it.release()
    it.reaches("Succeeded")


def _fails(it: Rollout) -> None:
    it.release()
    it.gives(50)
    it.lab.front.failing.add(it.namespace)
    it.reaches("Failed")


def _is_held(it: Rollout) -> None:
    it.release()
    it.gives(50)
    it.annotate(hold="true")
    time.sleep(25)  # two checks of Flagger's or three


PLAYS: dict[str, Callable[[Rollout], None]] = {
    "success": _succeeds,
    "failure": _fails,
    "held": _is_held,
}


def _play(made: Lab, name: str) -> None:
    it = Rollout(made, name, analysis={"stepWeights": [50, 60], "threshold": 1})
    it.create()
    PLAYS[name](it)


@contextmanager
def _watched(folder: Path) -> Iterator[tuple[Lab, ConfigEndpoint, Prometheus]]:
    """Everything that Prometheus is told to scrape, as manifests/base has it."""
    with lab(folder) as made:
        for _ in range(2):
            made.start_replica()
        config = ConfigEndpoint(made.plane)
        made._stack.callback(config.stop)
        config.ready(config.synced)
        prometheus = Prometheus(folder, scrape_jobs(made, config), SYSTEM)
        made._stack.callback(prometheus.stop)
        prometheus.ready(prometheus.serves)
        yield made, config, prometheus


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    needs_programs()
    needs_prometheus()
    with _watched(tmp_path_factory.mktemp("prometheus")) as (made, config, prometheus):
        begin = time.time()
        with ThreadPoolExecutor(len(PLAYS)) as pool:
            for done in [pool.submit(_play, made, name) for name in PLAYS]:
                done.result()
        requests.get(f"{config.url}/config/success/canary-vars.json", timeout=5)
        time.sleep(_PASSING)
        for name in PLAYS:
            made.settled(name)
        found = Scraped(made, config, prometheus, begin, time.time())
        yield found
        proof.write("prometheus", proof.rows(found.told, ("asked of Prometheus", "told")))


def _of(found: list[Series], namespace: str) -> set[float]:
    """Every value that a namespace's series had."""
    return set().union(*(it.values for it in found if it.labels["namespace"] == namespace))


def _refusals(made: Lab) -> Counter[tuple[str, str]]:
    """What Flagger was refused, as seen from outside: by hook and reason."""
    calls = (it for it in made.front.calls if it.hook not in ("rollback", CHECK))
    return Counter((it.hook, it.answer["reason"]) for it in calls if it.status >= 400)


def _by_hook(found: list[Series]) -> dict[tuple[str, str], float]:
    """The highest value for each hook and reason."""
    return {(it.labels["hook"], it.labels["reason"]): max(it.values) for it in found}


def test_both_layers_are_graphed_as_they_were(scraped: Scraped) -> None:
    routed, client = scraped.during(ROUTED), scraped.during(CLIENT)
    for name in PLAYS:
        revisions = scraped.lab.observer.of(name).ordered()
        targets = [it for it in revisions if it.kind == "ConfigMap" and labelled(it.object)]
        assert _of(client, name) == {share(it.object) for it in targets}, name
        assert _of(routed, name) == {it.routed for it in moments(revisions)}, name
        shares = ", ".join(f"{it:g}" for it in sorted(_of(client, name)))
        scraped.told[f"both shares of {name}"] = f"{shares} %, as the store had them"
    assert _of(client, "success") == {0, 50, 60}


def test_browsers_are_not_said_to_be_above_what_is_routed(scraped: Scraped) -> None:
    longest = max((it.longest for it in scraped.during(ABOVE)), default=0.0)
    assert longest < _PASSING
    scraped.told["browsers above what is routed"] = f"for {longest:g} s at the longest"


def test_nothing_is_said_to_be_out_of_step(scraped: Scraped) -> None:
    assert scraped.during(OFF) == []
    scraped.told["out of step for a minute"] = "nothing"


def test_every_refusal_is_counted_with_its_reason(scraped: Scraped) -> None:

    def counted() -> dict[tuple[str, str], float]:
        query = "sum by (hook, reason) (lockstep_gate_refusals_total)"
        return _by_hook(scraped.prometheus.now(query))

    # The held canary is refused again now and then: until both have been looked at in between.
    wait_for(lambda: counted() == _refusals(scraped.lab), "every refusal is counted", 20)
    held = _by_hook(scraped.during(HELD))
    assert held["confirm-traffic-increase", "Held"] > 0
    assert held.keys() <= _refusals(scraped.lab).keys()
    scraped.told["what holds Flagger, and why"] = ", ".join(" ".join(it) for it in held)


def test_the_slowest_hooks_are_told(scraped: Scraped) -> None:
    slowest = {it.labels["hook"]: it.values for it in scraped.during(SLOWEST)}
    assert slowest.keys() == {it.hook for it in scraped.lab.front.calls} - {CHECK}
    longest = max(it for it in slowest["confirm-traffic-increase"] if it == it)  # noqa: PLR0124 - NaN
    assert 0 < longest < _HOOK_TIMEOUT
    scraped.told["the slowest confirm-traffic-increase"] = f"{longest * 1000:.0f} ms"


def test_ordinary_rollouts_raise_no_alert(scraped: Scraped) -> None:
    """Nor does a failure that is rolled back, or a hold."""
    firing = scraped.during('ALERTS{alertstate="firing"}')
    assert [it.labels["alertname"] for it in firing] == []
    scraped.told["alerts that fired in a success, a rollback and a hold"] = "none"


@pytest.mark.parametrize("process", ["serve", "serve-config"])
def test_promtool_has_nothing_to_say_about_the_metrics(scraped: Scraped, process: str) -> None:
    url = (scraped.lab.replicas[0] if process == "serve" else scraped.config).read_url
    text = requests.get(f"{url}/metrics", timeout=5).text
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    scraped.told[f"`promtool check metrics`, {process}"] = "nothing"
