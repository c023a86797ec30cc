"""The log lines in docs/logs.md are what the service prints, and the filters there find them."""

import json
import shutil
import subprocess

import pytest

from tests import example
from tests.markdown import Command, blocks, commands, page
from tests.service.conftest import Lab, MakeLab
from tests.waiting import wait_for
from webhook.demo.store import Store

LOGS = page("logs.md")
PAYLOAD = {"name": "frontend", "namespace": example.NAMESPACE, "phase": "Progressing"}
STRANGER = PAYLOAD | {"name": "checkout"}
OF_THE_MOMENT = ("time", "duration_ms")
FILTERS = [it for it in commands() if " logs " in it.line and "| jq" in it.line]


def flux(store: Store, share: int) -> None:
    store.put(example.rendered(share))


def a_rollout(make_lab: MakeLab) -> Lab:
    """One that is approved at 25 %, goes on to 50 %, and is held there."""
    store = example.rollout(25)
    flux(store, 25)
    lab = make_lab(store, start=True)
    wait_for(lambda: lab.lines.having(after=25))
    lab.lines.seen.clear()
    assert lab.hook("confirm-traffic-increase", PAYLOAD).status_code == 200
    store.put(example.route(50))
    wait_for(lambda: lab.lines.having(after=50))
    flux(store, 50)
    canary = example.canary()
    canary["metadata"]["annotations"] = {"lockstep/hold": "true"}
    store.put(canary)
    assert lab.hook("confirm-traffic-increase", PAYLOAD).status_code == 403
    return lab


def lasting(line: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in line.items() if key not in OF_THE_MOMENT}


def test_the_lines_shown_are_what_the_service_prints(make_lab: MakeLab) -> None:
    (text,) = blocks(LOGS, "json")
    shown = [json.loads(line) for line in text.splitlines()]
    lab = a_rollout(make_lab)
    wait_for(lambda: len(lab.lines.seen) >= len(shown))
    assert [list(it) for it in lab.lines.seen] == [list(it) for it in shown]
    assert [lasting(it) for it in lab.lines.seen] == [lasting(it) for it in shown]


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not on PATH")
@pytest.mark.parametrize("command", FILTERS, ids=str)
def test_each_filter_shown_finds_some_lines_and_not_all(
    make_lab: MakeLab, command: Command
) -> None:
    lab = a_rollout(make_lab)
    lab.hook("confirm-traffic-increase", STRANGER)
    observing = make_lab(example.rollout(50), observe=True)
    observing.hook("confirm-traffic-increase", PAYLOAD)
    observing.hook("rollback", PAYLOAD)
    text = "".join(f"{json.dumps(line)}\n" for line in lab.lines.seen)
    pipe = command.line.partition(" | ")[2]
    done = subprocess.run(
        ["bash", "-c", pipe], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 0 < done.stdout.count("\n") < text.count("\n")
