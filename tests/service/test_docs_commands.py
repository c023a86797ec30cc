"""What the docs tell their readers to type is typed here, as far as it can run here."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import example, kubectl
from tests.markdown import DOCS, Command, commands, relative
from tests.service.conftest import Lab, MakeLab
from tests.waiting import wait_for
from webhook import kinds
from webhook.cli import main
from webhook.demo.store import Store

ADOPT = DOCS / "adopt.md"
FRONTEND = {"name": "frontend", "namespace": example.NAMESPACE, "phase": "Progressing"}

ELSEWHERE = {
    "make": "it would run these tests; test_readme knows that the targets exist",
    "docker": "tests/packaging builds the image",
    "node": "frontend/tests run the tools of a build",
    "sed": "tests/unit/test_monitoring.py types it",
    "helm": "tests/cluster renders the chart, by the helm that it builds",
}
"""Programs that are not run here, and why not."""

ALL = commands()
OPERATOR = [it for it in ALL if it.program == "lockstep"]
KUBECTL = [it for it in ALL if it.program == "kubectl"]
RUN = [*OPERATOR, *(it for it in KUBECTL if kubectl.runs_here(it.line))]
NOT_RUN = [it for it in KUBECTL if it not in RUN]

Type = Callable[[str], str]


@pytest.fixture
def typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[Lab], Type]]:
    """From a lab to a function that runs a command line there, and returns what it prints."""
    for variable in ("LOCKSTEP_NAMESPACE", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)
    fronts = []

    def at(lab: Lab) -> Type:
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig(lab.api.url)))
        monkeypatch.setenv("KUBECONFIG", str(path))
        opened = kubectl.front(lab.api.url)
        server = opened.__enter__()
        fronts.append(opened)

        def run(line: str) -> str:
            if line.startswith("kubectl"):
                done = kubectl.run(line, server, tmp_path)
                assert done.returncode == 0, done.stderr
                return done.stdout
            if "|" in line:
                return piped(line)
            arguments = shlex.split(line)[1:]
            # The doctor's 1 says that it found something, and this cluster is no complete one.
            assert main(arguments) in ((0, 1) if arguments[0] == "doctor" else (0,))
            return capsys.readouterr().out

        return run

    yield at
    for opened in fronts:
        opened.__exit__(None, None, None)


def kubeconfig(server: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "namespace": example.NAMESPACE}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
    }


def piped(line: str, text: str = "") -> str:
    """What a pipe prints that succeeds in all its parts; `lockstep` is the one of these tests."""
    path = f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
    script = f"set -o pipefail; {path}; {line}"
    done = subprocess.run(
        ["bash", "-c", script], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_jq = pytest.mark.skipif(not shutil.which("jq"), reason="jq is not on PATH")


def test_every_command_of_the_docs_is_run_or_said_why_not() -> None:
    programs = {it.program for it in ALL}
    assert programs - {"lockstep", "kubectl"} <= ELSEWHERE.keys()
    assert len(RUN) > len(NOT_RUN) > 0


@pytest.mark.parametrize("command", [it for it in KUBECTL if " logs -l" in it.line], ids=str)
def test_logs_of_all_replicas_are_asked_for_whole(command: Command) -> None:
    """With a selector kubectl shows ten lines a pod, whatever `--since` says."""
    assert " --tail=-1" in command.line


@pytest.mark.slow
@kubectl.needed
@needs_jq
@pytest.mark.parametrize("page", sorted({it.page for it in RUN} - {ADOPT}), ids=relative)
def test_the_commands_of_a_page_work_from_its_top_to_its_end(
    page: Path, make_lab: MakeLab, typed: Callable[[Lab], Type]
) -> None:
    lab = make_lab(example.rollout(), start=True)
    wait_for(lambda: has(lab, 25))
    run = typed(lab)
    for command in RUN:
        if command.page == page:
            told = run(command.line)
            assert told or "get events" in command.line, command  # none is good news


@pytest.mark.slow
@kubectl.needed
@pytest.mark.parametrize("command", NOT_RUN, ids=str)
def test_kubectl_understands_what_it_is_told_up_to_where_it_needs_a_cluster(
    command: Command, tmp_path: Path
) -> None:
    """`apply` needs a real API server's OpenAPI, `logs` and `rollout` a kubelet's work."""
    done = kubectl.run(command.line, kubectl.nowhere(), tmp_path)
    assert done.returncode != 0
    assert "refused" in done.stderr
    assert "unknown" not in done.stderr


CAPS = [0, 5, 25, 0, 0]
"""What browsers have after each `lockstep cap` of docs/adopt.md, at a routed share of 25 %.

After the last one the cap is off again, and so is the label: the number stays.
"""


@pytest.mark.slow
@kubectl.needed
def test_adopting_and_leaving_by_the_page_ends_where_it_began(
    make_lab: MakeLab, typed: Callable[[Lab], Type]
) -> None:
    store = example.rollout(labelled=False)
    before = annotated_and_labelled(store)
    lab, expected = make_lab(store, observe=True), iter(CAPS)
    lab.service.start()
    run = typed(lab)
    for command in (it for it in ALL if it.page == ADOPT):
        if "| jq" in command.line:
            assert_observed(lab)
        if "LOCKSTEP_OBSERVE-" in command.line:
            lab.service.stop()
            lab = make_lab(store, start=True)
            run = typed(lab)
        if command in RUN:
            run(command.line)
        if " cap " in command.line:
            wait_for(partial(has, lab, next(expected)))
    assert next(expected, None) is None
    assert (lab.hook("confirm-promotion", FRONTEND).json or {})["reason"] == "NoWriteTarget"
    assert has(lab, CAPS[-1])
    assert annotated_and_labelled(store) == before


def assert_observed(lab: Lab) -> None:
    """The page quotes what is logged while nobody writes."""
    assert lab.hook("confirm-promotion", FRONTEND).status_code == 200
    (line,) = lab.lines.having(hook="confirm-promotion", reason="Observing")
    (quoted,) = re.findall(r"`(would have answered .*?)`", ADOPT.read_text())
    assert quoted in line["message"]
    assert has(lab, 0)


def has(lab: Lab, share: int) -> bool:
    return lab.share(example.VARS) == share == lab.share(example.SETTINGS)


def annotated_and_labelled(store: Store) -> list[object]:
    objects: list[Any] = [
        store.get(kinds.CANARY, example.FRONTEND),
        *(store.get(kinds.CONFIG_MAP, name) for name in (example.VARS, example.SETTINGS)),
    ]
    keys = ("annotations", "labels")
    return [[dict(it["metadata"].get(key) or {}) for key in keys] for it in objects]
