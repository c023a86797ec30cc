"""What docs/doctor.md says is what the doctor does, and the project's own manifests pass."""

import re
import shutil
from pathlib import Path

import pytest

from tests.healthy import Place
from webhook.cli import main
from webhook.doctor.report import Report, text
from webhook.doctor.table import RULES

ROOT = Path(__file__).parents[2]
DOCTOR = (ROOT / "docs/doctor.md").read_text()


def test_every_rule_is_documented_in_the_order_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+) \|$", DOCTOR, re.MULTILINE)
    assert [row[:2] for row in rows] == [(rule.id, rule.about) for rule in RULES]
    assert all(wanted.endswith(".") for _, _, wanted in rows)


def test_the_findings_shown_are_what_the_doctor_says() -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", DOCTOR, re.DOTALL)
    place = Place()
    place.annotate("ConfigMap/canary-settings", "flagger.app/config-tracking", None)
    place.set("Canary/frontend", "spec.analysis.webhooks.0.timeout", "3s")
    assert shown.rstrip("\n") == text(Report(place.examined(), len(place.objects)), 92)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")
def test_the_projects_own_manifests_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["doctor", "manifests", "flagger"]) == 0, capsys.readouterr().out
    assert "Not read" not in capsys.readouterr().out


def test_they_pass_as_they_lie_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["doctor", "manifests", "flagger"]) == 0, capsys.readouterr().out
