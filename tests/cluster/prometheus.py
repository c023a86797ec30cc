"""The real Prometheus, as a process, and what it answers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.cluster.fixtures import missing
from tests.cluster.lab import ROOT, ConfigEndpoint, Lab
from tests.cluster.programs import Process, free_port

ALERTS = ROOT / "docs" / "alerts.yaml"
STEP = 1.0
"""Seconds between two scrapes, two evaluations of the rules, and two points of an answer."""


def _documented() -> list[str]:
    """The queries of docs/metrics.md; a line that is indented goes on with the one before."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    blocks = re.findall(r"```promql\n(.*?)```", text, re.DOTALL)
    return re.sub(r"\n\s+", " ", "".join(blocks)).splitlines()


ROUTED, CLIENT, ABOVE, OFF, HELD, SLOWEST, SILENT, CONFIG_SILENT = _documented()


@dataclass(frozen=True)
class Series:
    """One line of a graph: its labels, and a value a time (seconds since the epoch)."""

    labels: Mapping[str, str]
    points: Mapping[float, float]

    @property
    def values(self) -> set[float]:
        """Every value that it ever had."""
        return set(self.points.values())

    @property
    def longest(self) -> float:
        """For how many seconds it was there without a gap; a single point counts as one step."""
        longest = run = 0.0
        last = None
        for at in sorted(self.points):
            run = run + STEP if last is not None and at - last <= STEP else STEP
            longest, last = max(longest, run), at
        return longest


class Prometheus(Process):
    """Debian's `prometheus`, which scrapes the targets of each job and raises a file's alerts.

    `namespace` is that of the pods, a label of each target as Kubernetes' discovery sets it; our
    own label of that name must win over it, as docs/metrics.md says.
    """

    def __init__(
        self, folder: Path, jobs: Mapping[str, Sequence[str]], namespace: str, rules: Path = ALERTS
    ) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        every = f"{STEP:g}s"
        config = {
            "global": {"scrape_interval": every, "evaluation_interval": every},
            "rule_files": [str(rules)],
            "scrape_configs": [
                {
                    "job_name": job,
                    "honor_labels": True,
                    "static_configs": [
                        {"targets": list(targets), "labels": {"namespace": namespace}}
                    ],
                }
                for job, targets in jobs.items()
            ],
        }
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        command = [
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        super().__init__("prometheus", command, folder / "prometheus.log")

    def serves(self) -> bool:
        """Whether it is ready, and every target has been scraped."""
        try:
            return bool(self.now("count(up)")) and not self.now("up == 0")
        except requests.RequestException:
            return False

    def now(self, query: str) -> list[Series]:
        """The answer at this moment."""
        found = self._ask("query", {"query": query})
        return [_series(it, [it["value"]]) for it in found]

    def during(self, query: str, start: float, end: float) -> list[Series]:
        """The answers at every step between two times, in seconds since the epoch."""
        span = {"start": f"{start}", "end": f"{end}", "step": f"{STEP:g}"}
        found = self._ask("query_range", {"query": query, **span})
        return [_series(it, it["values"]) for it in found]

    def firing(self, alert: str, **labels: str) -> list[Mapping[str, str]]:
        """The labels of each instance of an alert that fires now and has these."""
        found = self.now(f'ALERTS{{alertname="{alert}", alertstate="firing"}}')
        return [it.labels for it in found if labels.items() <= it.labels.items()]

    def _ask(self, path: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30)
        document = answer.json()
        assert document["status"] == "success", f"{parameters['query']}: {document}"
        found: list[dict[str, Any]] = document["data"]["result"]
        return found


def _series(it: Mapping[str, Any], points: Sequence[Sequence[Any]]) -> Series:
    return Series(it["metric"], {float(at): float(value) for at, value in points})


def scrape_jobs(made: Lab, config: ConfigEndpoint) -> dict[str, list[str]]:
    """What a Prometheus in such a cluster would find, by job."""
    (flagger,) = (it for it in made.flagger.command if it.startswith("-port="))
    return {
        "lockstep": [it.read_url.removeprefix("http://") for it in made.replicas],
        "lockstep-config": [config.read_url.removeprefix("http://")],
        "flagger": [f"127.0.0.1:{flagger.removeprefix('-port=')}"],
    }


def needs_prometheus() -> None:
    """Skip, or in CI fail, where it is not installed."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        missing("Prometheus is not installed: tests/tools/install-debian prometheus")
