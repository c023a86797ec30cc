import json
import re

from tests.healthy import Place
from webhook.doctor.report import Report, document, rules, text
from webhook.doctor.table import RULES


def report(**changes: object) -> Report:
    """Two findings on the ConfigMap, and one on the Canary."""
    place = Place()
    place.annotate("ConfigMap/canary-settings", "flagger.app/config-tracking", None)
    place.annotate("ConfigMap/canary-settings", "reloader.stakater.com/ignore", None)
    place.set("Canary/frontend", "spec.provider", "ngnix")
    values: dict[str, object] = {"findings": place.examined(), "objects": 9}
    return Report(**{**values, **changes})  # type: ignore[arg-type]


def test_findings_stand_below_their_object_with_the_lines_that_fix_them() -> None:
    said = text(report()).splitlines()
    assert said[0] == "ConfigMap shop/canary-settings  app/settings"
    assert said[1].startswith("  config-tracking: Deployment shop/frontend uses it, so Flagger")
    assert said[2:5] == [
        "      metadata:",
        "        annotations:",
        "          flagger.app/config-tracking: disabled",
    ]
    assert said[5].startswith("  reloader: where Reloader runs")
    assert said[9:11] == ["", "Canary shop/frontend  app"]
    assert said[-2].startswith("3 findings on 2 objects; 9 objects looked at by ")


def test_a_terminal_is_not_overrun_and_fixes_stay_whole() -> None:
    narrow = text(report(), 60).splitlines()
    assert max(map(len, narrow)) <= 60
    assert "          flagger.app/config-tracking: disabled" in narrow


def test_without_a_terminal_each_finding_is_one_line() -> None:
    said = text(report()).splitlines()
    assert len([line for line in said if re.match(r"  [a-z-]+: .*\.$", line)]) == 3


def test_colours_change_nothing_but_the_colour() -> None:
    plain = re.sub(r"\x1b\[\d+m", "", text(report(), 80, colour=True))
    assert plain == text(report(), 80)
    assert "\x1b" in text(report(), 80, colour=True)


def test_nothing_found_is_one_line() -> None:
    said = text(report(findings=[]))
    assert said == f"Nothing found; 9 objects looked at by {len(RULES)} rules."


def test_what_could_not_be_read_is_said_and_is_not_healthy() -> None:
    it = report(findings=[], unread=["a.yaml: no YAML"], notes=["b is not read"])
    assert text(it).splitlines() == [
        "Not read: a.yaml: no YAML",
        "Note: b is not read",
        "",
        f"Nothing found in what was read; 9 objects looked at by {len(RULES)} rules.",
    ]
    assert not it.healthy
    assert not report().healthy
    assert report(findings=[], notes=["b is not read"]).healthy


def test_the_json_has_every_fact() -> None:
    it = report(unread=["a"], notes=["b"])
    said = json.loads(document(it))
    assert (said["objects"], said["unread"], said["notes"]) == (9, ["a"], ["b"])
    assert said["findings"][0] == {
        "rule": "config-tracking",
        "kind": "ConfigMap",
        "namespace": "shop",
        "name": "canary-settings",
        "source": "app/settings",
        "message": it.findings[0].fault.harm,
        "fix": "metadata:\n  annotations:\n    flagger.app/config-tracking: disabled",
    }


def test_the_rules_are_listed_in_a_line_each() -> None:
    assert [line.split()[0] for line in rules().splitlines()] == [rule.id for rule in RULES]


def test_every_rule_has_an_id_of_its_own_and_says_what_it_is_about() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
        assert re.fullmatch(r"[^\n]+\.", rule.about), rule.id
