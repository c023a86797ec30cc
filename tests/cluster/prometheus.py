"""A real Prometheus with docs/alerts.yaml, which scrapes what runs in a test."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.cluster.lab import ROOT
from tests.cluster.programs import Process, free_port, wait_for

INSTALL = "prometheus is not on PATH: tests/tools/install-debian prometheus"
ALERTS = ROOT / "docs" / "alerts.yaml"


def installed() -> bool:
    """Whether there is one."""
    return shutil.which("prometheus") is not None


class Prometheus(Process):
    """One that scrapes and evaluates each second; `sooner` replaces the time an alert waits."""

    def __init__(
        self, folder: Path, targets: Mapping[str, Sequence[str]], sooner: Mapping[str, str]
    ) -> None:
        folder.mkdir()
        rules = yaml.safe_load(ALERTS.read_text())
        for rule in (rule for group in rules["groups"] for rule in group["rules"]):
            if rule["alert"] in sooner:
                rule["for"] = sooner[rule["alert"]]
        (folder / "alerts.yaml").write_text(yaml.safe_dump(rules))
        jobs = [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
            for job, addresses in targets.items()
        ]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yaml"],
            "scrape_configs": jobs,
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.began = time.time()
        command = [
            "prometheus",
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        super().__init__("prometheus", command, folder / "prometheus.log")

    def answers(self) -> bool:
        """Whether it is ready."""
        try:
            return requests.get(f"{self.url}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False

    def firing(self, alert: str) -> list[dict[str, str]]:
        """The labels of each instance of an alert that fires now."""
        found = self._asked("alerts")["alerts"]
        return [
            it["labels"]
            for it in found
            if it["labels"]["alertname"] == alert and it["state"] == "firing"
        ]

    def raises(self, alert: str, seconds: float, **labels: str) -> dict[str, str]:
        """Wait until an alert with these labels fires; returns all labels.

        Raises:
            TimeoutError: it did not.
        """

        def found() -> list[dict[str, str]]:
            return [it for it in self.firing(alert) if labels.items() <= it.items()]

        wait_for(found, f"{alert} fires for {labels}", seconds)
        return found()[0]

    def series(self, query: str) -> int:
        """How many series a query has had since the start."""
        end = time.time()
        answer = self._asked(
            "query_range", query=query, start=str(self.began), end=str(end), step="2"
        )
        return len(answer["result"])

    def _asked(self, what: str, **params: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/api/v1/{what}", params=params, timeout=20)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()["data"]
        return document
