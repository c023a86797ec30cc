import re
from pathlib import Path

import yaml

from tests.markdown import ROOT, page, rows, section
from tests.recorded import FILES, recorded
from webhook import canary, config_server, duration, routers, settings
from webhook.gates import Hook
from webhook.reasons import Reason
from webhook.settings import Settings
from webhook.steps import Change

REASONS = page("reasons.md")
PROVIDERS = page("providers.md")
SETTINGS = page("settings.md")
CONFIG = page("config-endpoint.md")
STATUSES = {"200", "400", "401", "403", "404", "405", "413", "415", "503"}
CLIENT_SHARE_CHANGED = "ClientShareChanged"


def example_hooks() -> dict[str, dict[str, str]]:
    canary = yaml.safe_load((ROOT / "flagger/canary.yaml").read_text())
    return {hook["type"]: hook for hook in canary["spec"]["analysis"]["webhooks"]}


def test_every_reason_is_documented_once_in_the_order_of_the_code() -> None:
    documented = [row[0] for row in rows(REASONS.split("## Events")[0])]
    assert documented == [f"`{reason}`" for reason in Reason]


def test_every_reason_says_where_what_and_what_to_do() -> None:
    for row in rows(REASONS):
        assert len(row) == 4, row
        assert all(row), row


def test_every_event_that_is_no_refusal_is_documented() -> None:
    documented = {row[0].strip("`") for row in rows(REASONS.split("## Events")[1])}
    assert documented == {CLIENT_SHARE_CHANGED, *(change.value for change in Change)}
    reporter = (ROOT / "webhook/reporter.py").read_text()
    assert f'"{CLIENT_SHARE_CHANGED}"' in reporter


def test_reasons_name_only_hooks_and_statuses_that_exist() -> None:
    paths = {f"/{hook}" for hook in Hook}
    for reason, where, *_ in rows(REASONS.split("## Events")[0]):
        assert set(re.findall(r"`(/[a-z-]+)`", where)) <= paths, reason
        statuses = set(re.findall(r"\b[0-9]{3}\b", where))
        assert statuses, reason
        assert statuses <= STATUSES, reason


def test_settings_are_documented_as_they_are() -> None:
    lines = [line for line in SETTINGS.splitlines() if line.startswith("|")]
    assert "\n".join(lines) + "\n" == settings.table()


def test_the_example_canary_has_every_hook_but_rollout() -> None:
    assert set(example_hooks()) == {str(hook) for hook in Hook} - {str(Hook.ROLLOUT)}


def test_each_example_hook_is_sent_to_its_own_path_of_the_service() -> None:
    for hook, webhook in example_hooks().items():
        assert webhook["url"] == f"http://lockstep.lockstep-system/{hook}"


def test_the_hooks_table_has_every_hook_in_the_order_of_the_code() -> None:
    table = rows(section(page("attach.md"), "### What each hook is for"))
    assert [hook for hook, _ in table] == [f"`{hook}`" for hook in Hook]


def test_flagger_waits_longer_than_a_hook_may_take() -> None:
    for hook, webhook in example_hooks().items():
        assert duration.seconds(webhook["timeout"]) > Settings().hook_deadline, hook


def test_the_reasons_that_browsers_get_are_documented() -> None:
    documented = re.findall(r"^\| \d{3} \| `(\w+)` ", CONFIG, re.MULTILINE)
    used = re.findall(r"Reason\.([A-Z_]+)", Path(config_server.__file__).read_text())
    assert sorted(documented) == sorted({Reason[name].value for name in used})


def provider_rows() -> dict[str, list[str]]:
    table = PROVIDERS.split("## Targets")[0]
    return {row[0].strip("`"): row[1:] for row in rows(table)}


def test_every_provider_is_documented_in_the_order_of_the_code() -> None:
    assert list(provider_rows()) == [*routers._PROVIDERS, "kubernetes"]


def test_every_provider_is_documented_with_the_kind_that_is_read() -> None:
    for provider, (kind, *_) in routers._PROVIDERS.items():
        read = f"{kind.kind} `{kind.api_version}`"
        documented = provider_rows()[provider][0]
        assert documented.startswith(f"{read}, "), provider
        assert ("in no namespace" in documented) is not kind.namespaced, provider


def test_what_is_not_proven_on_a_recording_says_so() -> None:
    written = {file.stem for file in FILES.values() if file.parent.name == "written-objects"}
    unproven = {recorded(name).canary.provider for name in written}
    assert {name for name, row in provider_rows().items() if row[2] == "documentation"} == unproven
    assert {row[2] for row in provider_rows().values()} == {"recording", "documentation", ""}


def test_every_kind_of_target_is_documented() -> None:
    documented = [row[0] for row in rows(PROVIDERS.split("## Targets")[1])]
    assert len(documented) == len(canary.WORKLOADS)
    for text, kind in zip(documented, canary.WORKLOADS, strict=True):
        assert text.startswith(f"`{kind.kind}`")
