"""What the docs say of the operator's commands is what the commands do."""

import json
import re
import shlex
from typing import Any

import pytest
import yaml

from tests.builders import Brakes, Reading, a_canary, a_target, a_view
from tests.markdown import DOCS, ROOT, blocks, commands, links, page
from webhook import cli, outlook, status
from webhook.brakes import Brake, Change
from webhook.checks import Outcome
from webhook.gates import Hook
from webhook.kinds import Name
from webhook.policy import decide
from webhook.situation import Shares, situation
from webhook.status import Standing

BRAKES = page("brakes.md")
STATUS = page("status.md")


def shell_lines(program: str) -> list[list[str]]:
    """The arguments of each call of a program in the docs, up to a pipe."""
    lines = [it.line.partition(" | ")[0] for it in commands() if it.program == program]
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("arguments", shell_lines("lockstep"), ids=" ".join)
def test_each_command_shown_is_one(arguments: list[str]) -> None:
    cli._parser().parse_args(arguments)


def test_every_brake_is_shown_on_and_off() -> None:
    shown = [" ".join(it) for it in shell_lines("lockstep")]
    for brake in Brake:
        assert {it.endswith("--off") for it in shown if it.startswith(brake)} == {True, False}


def test_kubectl_annotates_as_the_field_manager_that_flux_leaves_alone() -> None:
    calls = [it for it in shell_lines("kubectl") if "annotate" in it]
    assert calls
    assert all("--field-manager=lockstep" in it for it in calls)


def standing(name: str, routed: int, *shares: int, cap: int | None = None) -> Standing:
    ref = Name("shop", name)
    kinds = ("settings", "vars") if len(shares) > 1 else ("vars",)
    named = zip(kinds, shares, strict=True)
    targets = tuple(a_target(it, name=Name("shop", f"{name}-{kind}")) for kind, it in named)
    canary = a_canary(ref=ref, brakes=Brakes(cap=cap))
    view = a_view(ref=ref, canary=canary, targets=targets, router=Reading(routed))
    return status.standing(Outcome(view, decide(view)))


def test_the_table_shown_is_what_status_prints() -> None:
    both = [standing("checkout", 50, 10, 25), standing("frontend", 25, 10, cap=10)]
    (shown,) = blocks(STATUS, "text")
    assert shown.rstrip("\n") == status.table(both)


def test_every_column_and_field_of_status_is_documented() -> None:
    it = standing("frontend", 25, 25)
    (canary,) = json.loads(status.document([it]))["canaries"]
    rows = [line.split("|")[1:4] for line in STATUS.splitlines() if line.startswith("|")][2:]
    fields = [name for _, cell, _ in rows for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(fields) == sorted(canary)
    columns = [cell.strip() for cell, *_ in rows if cell.strip().isupper()]
    assert columns == re.split(r" {2,}", status.table([it]).splitlines()[0])
    described = next(text for _, cell, text in rows if "`targets`" in cell)
    assert set(canary["targets"][0]) <= set(re.findall(r"`(\w+)`", described))


def test_the_answer_shown_is_what_a_hold_says() -> None:
    canary = a_canary(ref=Name("shop", "frontend"), interval=60.0, brakes=Brakes(hold=True))
    hooks = [{"type": str(it), "url": f"http://lockstep/{it}"} for it in Hook]
    view = a_view(canary=canary)
    obj: dict[str, Any] = {"spec": {"analysis": {"webhooks": hooks}}}
    now = situation(canary, obj, Shares(view, decide(view)))
    change = Change(Brake.HOLD, "true")
    said = [f"Canary shop/frontend: {change.told({})}.", *outlook.follows(change, now)]
    (shown,) = blocks(BRAKES, "text")
    assert shown.splitlines()[:-2] == said


def rights(rules: list[dict[str, list[str]]]) -> set[tuple[str, str]]:
    return {(verb, what) for rule in rules for verb in rule["verbs"] for what in rule["resources"]}


def test_an_operator_may_patch_canaries_and_the_service_may_not() -> None:
    (_, role) = (yaml.safe_load(it) for it in blocks(BRAKES, "yaml"))
    operator = rights(role["rules"])
    assert operator >= {("get", "canaries"), ("patch", "canaries"), ("list", "configmaps")}
    assert {what for verb, what in operator if verb == "patch"} == {"canaries"}
    base = yaml.safe_load_all((ROOT / "manifests/base/rbac.yaml").read_text())
    service = next(it for it in base if it["kind"] == "ClusterRole")
    assert {verb for verb, what in rights(service["rules"]) if what == "canaries"} == {
        "get", "list", "watch",
    }  # fmt: skip


def test_what_has_to_be_adapted_before_flux_applies_it_is_named() -> None:
    """All that has a host, a registry or another namespace in it, but the pair without Flagger."""
    linked = {file for file, _ in links(DOCS / "install-flux.md")}
    foreign = re.compile(r"^[^#\n]*example\.com|kubernetes\.io/metadata\.name", re.MULTILINE)
    examples = {
        file
        for folder in ("manifests", "flagger")
        for file in (ROOT / folder).rglob("*.yaml")
        if foreign.search(file.read_text()) and "pair" not in file.parts
    }
    assert len(examples) > 5
    assert examples <= linked
