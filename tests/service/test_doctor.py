"""`lockstep doctor`, as it is called, on files and on the in-memory API server."""

import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.healthy import MANIFESTS, Place
from tests.service.conftest import Configure, Lab, MakeLab
from webhook.cli import main
from webhook.doctor.table import RULES

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster and no setting but those of the test."""
    for variable in ("LOCKSTEP_NAMESPACE", "KUBERNETES_SERVICE_HOST", "KUBECONFIG"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """A healthy frontend's manifests."""
    for folder, text in MANIFESTS.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "objects.yaml").write_text(text)
    return tmp_path


def broken(manifests: Path) -> Path:
    """The same, with a provider that Flagger does not have."""
    place = Place()
    place.set("Canary/frontend", "spec.provider", "ngnix")
    objects = [obj for folder, obj in place.objects if str(folder) == "app"]
    (manifests / "app/objects.yaml").write_text(yaml.safe_dump_all(objects))
    return manifests


def test_healthy_manifests_are_exit_code_0(manifests: Path, capsys: Captured) -> None:
    assert main(["doctor", str(manifests)]) == 0
    assert capsys.readouterr().out.startswith("Nothing found; 10 objects looked at by ")


def test_a_finding_is_exit_code_1_and_goes_to_standard_output(
    manifests: Path, capsys: Captured
) -> None:
    assert main(["doctor", str(broken(manifests))]) == 1
    out, err = capsys.readouterr()
    assert "Canary shop/frontend  " in out
    assert "  provider: Flagger has no provider 'ngnix'" in out
    assert err == ""


def test_the_same_as_json(manifests: Path, capsys: Captured) -> None:
    assert main(["doctor", str(broken(manifests)), "-o", "json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["rule"], finding["name"]) == ("provider", "frontend")


def test_a_rule_may_be_left_out(manifests: Path, capsys: Captured) -> None:
    assert main(["doctor", str(broken(manifests)), "--skip", "provider"]) == 0


def test_what_cannot_be_read_is_exit_code_1(tmp_path: Path, capsys: Captured) -> None:
    assert main(["doctor", str(tmp_path / "nowhere")]) == 1
    assert "nowhere: no such file or folder" in capsys.readouterr().out


def test_where_there_is_nothing_to_look_at_it_is_not_all_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """What a pipe brings whose first half has failed, and a folder that has moved."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["doctor", "-"]) == 1
    assert "Not read: -: no Kubernetes object in it" in capsys.readouterr().out
    assert main(["doctor", str(tmp_path), "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["unread"] == [
        f"{tmp_path}: no Kubernetes object in it"
    ]


def test_the_deadline_is_that_of_the_service(
    manifests: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("LOCKSTEP_HOOK_DEADLINE", "5s")
    assert main(["doctor", str(manifests)]) == 1
    assert "hook-timeout: Lockstep may take 5 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["doctor", "--skip", "nothing"], "invalid choice: 'nothing'"),
        (["doctor", "a.yaml", "-n", "shop"], "give either PATH or --namespace"),
        (["doctor", "--output", "yaml"], "invalid choice: 'yaml'"),
    ],
)
def test_bad_usage_is_exit_code_2(arguments: list[str], complaint: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_the_rules_can_be_listed(capsys: Captured) -> None:
    assert main(["doctor", "--rules"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(RULES)


@pytest.fixture
def lab(make_lab: MakeLab, kubeconfig: Configure) -> Lab:
    """A rollout at 25 %, of a cluster without Flux; the kubeconfig points at it."""
    made = make_lab()
    kubeconfig(made.api.url)
    return made


def test_a_cluster_is_looked_at_without_being_written_to(lab: Lab, capsys: Captured) -> None:
    before = len(lab.store.history())
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "Canary test/web\n  event-hook: Lockstep is told of no step down" in said
    assert "ConfigMap test/canary-vars\n  no-patch-right: no Role lets Lockstep patch it" in said
    assert len(lab.store.history()) == before


def test_only_one_namespace_is_looked_at(lab: Lab, capsys: Captured) -> None:
    assert main(["doctor", "-n", "elsewhere"]) == 0
    assert "0 objects looked at" in capsys.readouterr().out


def test_what_may_not_be_read_is_told_and_is_exit_code_1(lab: Lab, capsys: Captured) -> None:
    lab.api.deny("list", "deployments")
    assert main(["doctor", "-o", "json"]) == 1
    (unread,) = json.loads(capsys.readouterr().out)["unread"]
    assert "deployments" in unread


def test_a_cluster_that_is_not_there_is_one_line(kubeconfig: Configure, capsys: Captured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        kubeconfig(f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "refused" in err
    assert "reachable?" in err


def test_a_reader_who_has_enough_is_no_fault(manifests: Path) -> None:
    command = [sys.executable, "-m", "webhook", "doctor", str(broken(manifests))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as doctor:
        assert doctor.stdout
        assert doctor.stderr
        doctor.stdout.close()
        assert doctor.stderr.read() == b""
        assert doctor.wait() == 141


def test_help_has_an_example_and_fits_a_terminal(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    text = capsys.readouterr().out
    assert "  lockstep doctor manifests" in text
    assert "Exit code 0" in text
    assert max(map(len, text.splitlines())) <= 80
