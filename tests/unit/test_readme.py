import json
import re
from pathlib import Path

import pytest
import yaml

from webhook.gates import Hook

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
FIELDS = {
    "time", "level", "message", "hook", "namespace", "canary", "phase", "configmap", "trigger",
    "event", "routed", "before", "after", "ceiling", "verdict", "reason", "error", "duration_ms",
}  # fmt: skip
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def log_lines() -> list[dict[str, object]]:
    return [json.loads(line) for line in "".join(blocks("json")).splitlines()]


def test_the_sample_log_lines_have_the_fields_of_every_log_line() -> None:
    assert len(log_lines()) == 3
    for line in log_lines():
        assert set(line) <= FIELDS
        assert {"time", "level", "message", "namespace", "canary"} <= set(line)


def test_the_sample_log_lines_are_an_approval_a_change_and_a_refusal() -> None:
    approval, change, refusal = log_lines()
    assert approval["verdict"] == "approved"
    assert (change["before"], change["after"]) == (25, change["routed"])
    assert refusal["verdict"] == "refused"


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_exist(target: str) -> None:
    assert f"make {target}" in "".join(blocks("sh"))
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_hooks_table_has_every_hook() -> None:
    table = README.split("| hook | what you lose without it |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE) == [str(hook) for hook in Hook]


def test_the_hook_shown_is_the_one_of_the_example_canary() -> None:
    canary = yaml.safe_load((ROOT / "flagger/canary.yaml").read_text())
    (shown,) = (hook for text in blocks("yaml") for hook in yaml.safe_load(text))
    assert shown in canary["spec"]["analysis"]["webhooks"]


def test_kubectl_applies_folders_that_exist() -> None:
    folders = re.findall(r"kubectl apply -k (\S+)", README)
    assert folders
    for folder in folders:
        assert (ROOT / folder / "kustomization.yaml").is_file(), folder


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_linked_files_exist(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if "://" not in link:
            assert (document.parent / link).exists(), link
