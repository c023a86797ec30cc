"""Each rule on a place where one thing is wrong, and on one where nothing is."""

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import pytest
import yaml

from tests.healthy import APP, SETTINGS, Place
from webhook.doctor.findings import Finding
from webhook.doctor.snapshot import item
from webhook.doctor.table import RULES

CANARY, POD = "Canary/frontend", "Deployment/frontend"
VARS, SETTINGS_MAP = "ConfigMap/canary-vars", "ConfigMap/canary-settings"
KS, HELM, ROLE = "Kustomization/settings", "HelmRelease/chart", "Role/targets"
CONTAINER = "spec.template.spec.containers.0"
HOOKS = "spec.analysis.webhooks"
DATA = "data.config.json"
SSA = "kustomize.toolkit.fluxcd.io/ssa"

Break = Callable[[Place], None]


def put(name: str, path: str, value: object) -> Break:
    return lambda place: place.set(name, path, value)


def annotated(name: str, key: str, value: object = None) -> Break:
    return lambda place: place.annotate(name, key, value)


def labelled(name: str, key: str, value: object = None) -> Break:
    return lambda place: place.label(name, key, value)


def copied(name: str, called: str, *then: Break, folder: PurePath | None = None) -> Break:
    def change(place: Place) -> None:
        place.copy(name, called, folder)
        for step in then:
            step(place)

    return change


def without(name: str) -> Break:
    return lambda place: place.remove(name)


def together(*steps: Break) -> Break:
    def change(place: Place) -> None:
        for step in steps:
            step(place)

    return change


def rendered(number: str) -> Break:
    def change(place: Place) -> None:
        place.get(SETTINGS_MAP)["data"]["config.json"] = f'{{"CANARY_PERCENTAGE": {number}}}'

    return change


def hashed(place: Place) -> None:
    name = "canary-vars-2tfmk9bh4g"
    place.get(VARS)["metadata"]["name"] = name
    place.get(KS)["spec"]["postBuild"]["substituteFrom"][0]["name"] = name
    place.get(HELM)["spec"]["valuesFrom"][0]["name"] = name
    place.get(ROLE)["rules"][0]["resourceNames"][0] = name


def generated(place: Place) -> None:
    options = {"labels": {"lockstep/canary": "frontend"}}
    generator = {"name": "more", "literals": ["CANARY_PERCENTAGE=0"], "options": options}
    obj = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "configMapGenerator": [generator],
    }
    place.objects.append((APP, obj))


def no_targets(place: Place) -> None:
    place.label(VARS, "lockstep/canary", None)
    place.get(ROLE)["rules"][0]["resourceNames"] = ["canary-settings"]
    place.remove(HELM)


def direct(place: Place) -> None:
    """Without Flux: Lockstep writes what pods mount."""
    for name in (KS, HELM, VARS):
        place.remove(name)
    place.annotate(SETTINGS_MAP, "lockstep/mode", None)
    place.get(ROLE)["rules"][0]["resourceNames"] = ["canary-settings"]
    rendered("0")(place)


def bound_everywhere(place: Place) -> None:
    place.get(ROLE)["kind"] = "ClusterRole"
    binding = place.get("RoleBinding/targets")
    binding["kind"] = "ClusterRoleBinding"
    binding["roleRef"]["kind"] = "ClusterRole"


def another_account(place: Place) -> None:
    """Lockstep under a name of its user's, with a right too many."""
    place.set("Deployment/lockstep", "spec.template.spec.serviceAccountName", "stepper")
    place.set("RoleBinding/targets", "subjects.0.name", "stepper")
    place.set(ROLE, "rules.0.resourceNames", None)


def source(name: str) -> dict[str, object]:
    return {"kind": "ConfigMap", "name": name, "optional": True}


def as_in_flaggers_chart(place: Place) -> None:
    """Its flags are in `command`."""
    put(*ELSEWHERE)(place)
    (container,) = place.get(FLAGGER)["spec"]["template"]["spec"]["containers"]
    container["command"] = ["./flagger", *container.pop("args")]


OWN_EVENT = {"name": "mine", "type": "event", "url": "http://audit.test/hook"}
FLAGGER = "Deployment/flagger"
EVENT_URL = {"name": "EVENT_WEBHOOK_URL", "value": "http://audit.test/"}
ELSEWHERE = FLAGGER, f"{CONTAINER}.args.1", "-event-webhook=http://slack.test/"

CASES: dict[str, list[tuple[Break, str]]] = {
    "config-tracking": [
        (annotated(SETTINGS_MAP, "flagger.app/config-tracking"), "restarts the analysis"),
        (annotated(SETTINGS_MAP, "flagger.app/config-tracking", "off"), "Deployment shop/frontend"),
    ],
    "reloader": [(annotated(SETTINGS_MAP, "reloader.stakater.com/ignore"), "restarts Deployment")],
    "sub-path": [
        (put(POD, f"{CONTAINER}.volumeMounts.0.subPath", "config.json"), "container nginx")
    ],
    "environment": [
        (
            put(POD, f"{CONTAINER}.envFrom", [{"configMapRef": {"name": "canary-settings"}}]),
            "container nginx takes ConfigMap shop/canary-settings",
        ),
        (
            put(
                POD,
                f"{CONTAINER}.env.0.valueFrom",
                {"configMapKeyRef": {"name": "canary-settings", "key": "config.json"}},
            ),
            "environment",
        ),
    ],
    "mounted-only": [(put(POD, f"{CONTAINER}.env.0.value", "x"), "a minute late")],
    "target-invalid": [
        (put(VARS, "data.CANARY_PERCENTAGE", "ten"), "'ten', not a whole number"),
        (rendered('"${CANARY_PERCENTAGE:=0}"'), "not a whole number"),
        (annotated(VARS, "lockstep/key", "OTHER"), "no data key OTHER"),
    ],
    "immutable": [(put(VARS, "immutable", True), "can never change")],
    "hash-suffix": [(hashed, "a name with a hash"), (generated, "the ConfigMap more")],
    "number-in-git": [
        (put(VARS, "data.CANARY_PERCENTAGE", "10"), "Git says 10 %"),
        (rendered("${CANARY_PERCENTAGE:=5}"), "Git says 5 %"),
        (together(direct, rendered("100")), "Git says 100 %"),
    ],
    "no-write-target": [(no_targets, "NoTargets")],
    "unknown-canary": [
        (
            copied(
                SETTINGS_MAP,
                "other",
                labelled("ConfigMap/other", "lockstep/canary", "fronted"),
                put(ROLE, "rules.0.resourceNames", ["canary-vars", "canary-settings", "other"]),
            ),
            "'fronted'",
        )
    ],
    "two-writers": [(annotated(SETTINGS_MAP, "lockstep/mode"), "both write it")],
    "flux-resets": [
        (annotated(VARS, SSA), "Git's number back"),
        (annotated(VARS, SSA, "Merge"), "Git's number back"),
    ],
    "two-variables": [
        (
            copied(
                VARS,
                "more",
                put(KS, "spec.postBuild.substituteFrom", [source("canary-vars"), source("more")]),
                put(ROLE, "rules.0.resourceNames", ["canary-vars", "canary-settings", "more"]),
            ),
            "canary-vars and more",
        )
    ],
    "watch-label": [
        (labelled(VARS, "reconcile.fluxcd.io/watch"), "at its next interval"),
        (labelled(VARS, "reconcile.fluxcd.io/watch", "enabled"), "at its next interval"),
    ],
    "no-default": [(rendered("${CANARY_PERCENTAGE}"), "no JSON")],
    "substitute-strategy": [(put(KS, "spec.postBuild.substituteStrategy", None), "no JSON")],
    "inline-substitute": [
        (put(KS, "spec.postBuild.substitute", {"CANARY_PERCENTAGE": "50"}), "(50) wins")
    ],
    "optional": [
        (put(KS, "spec.postBuild.substituteFrom.0.optional", None), "canary-vars does not exist"),
        (put(HELM, "spec.valuesFrom.0.optional", False), "canary-vars does not exist"),
    ],
    "not-rendered": [
        (put(KS, "spec.postBuild.substituteFrom", []), "never follows"),
        (
            annotated(SETTINGS_MAP, "kustomize.toolkit.fluxcd.io/substitute", "disabled"),
            "never follows",
        ),
        (put(KS, "spec.postBuild.substituteFrom.0.name", "canary-var"), "it takes canary-var,"),
        (put(KS, "spec.postBuild.substituteFrom.0.kind", "Secret"), "it takes no variable"),
        (
            put(KS, "metadata.namespace", "flux-system"),
            "looks for canary-vars in its own namespace, and that is shop/canary-vars",
        ),
        (rendered("0"), "no place for the variable"),
        (rendered("${CANARY_PERCENT:=0}"), "no place for the variable"),
    ],
    "wait": [
        (put(KS, "spec.wait", True), "its wait hold"),
        (
            put(KS, "spec.healthChecks", [{"kind": "Deployment", "name": "x"}]),
            "its healthChecks hold",
        ),
    ],
    "depends-on": [(put(KS, "spec.dependsOn", [{"name": "app"}]), "depends on app")],
    "foreign-objects": [
        (copied(POD, "frontend2", folder=SETTINGS), "Deployment shop/frontend2"),
        (copied(ROLE, "more", folder=SETTINGS / "deeper"), "Role shop/more"),
    ],
    "suspended": [
        (put(KS, "spec.suspend", True), "suspended"),
        (put(HELM, "spec.suspend", True), "suspended"),
    ],
    "helm-wait": [(put(HELM, "spec.upgrade.disableWait", None), "waits until every pod")],
    "malformed": [
        (put(CANARY, "spec.targetRef.kind", "Job"), "targetRef.kind is Job"),
        (annotated(VARS, "lockstep/ceiling", 5), "lockstep/ceiling is 5, not a string"),
        (put(CANARY, f"{HOOKS}.0.timeout", "5 seconds"), "timeout of the webhook start"),
        (put(KS, "spec.postBuild.substitute", {"A": 1}), "A is 1, not a string"),
        (put("RoleBinding/targets", "subjects", "me"), "not a list"),
    ],
    "provider": [(put(CANARY, "spec.provider", "ngnix"), "'ngnix'")],
    "event-hook": [
        (
            together(put(CANARY, f"{HOOKS}.3", None), put(*ELSEWHERE)),
            "told of no step down",
        ),
        (
            together(put(CANARY, f"{HOOKS}.3", OWN_EVENT), without("Deployment/flagger")),
            "told of no step down",
        ),
    ],
    "traffic-increase-hook": [(put(CANARY, f"{HOOKS}.1", None), "takes the next step")],
    "hook-path": [
        (put(CANARY, f"{HOOKS}.0.url", "http://lockstep.sys/pre-rollout"), "calls /pre-rollout"),
        (put(CANARY, f"{HOOKS}.2.url", "http://lockstep.sys/rollout/"), "makes Flagger roll back"),
    ],
    "hook-timeout": [
        (put(CANARY, f"{HOOKS}.0.timeout", "3s"), "the timeout of start (3 s)"),
        (put(CANARY, f"{HOOKS}.3.timeout", "900ms"), "the timeout of event (0.9 s)"),
    ],
    "event-silenced": [
        (put(*ELSEWHERE), "http://slack.test/ hears nothing"),
        (as_in_flaggers_chart, "http://slack.test/ hears nothing"),
        (put(FLAGGER, f"{CONTAINER}.env", [EVENT_URL]), "http://audit.test/ hears nothing"),
        (put(HELM, "spec.values", {"eventWebhook": "http://slack.test/"}), "hears nothing"),
        (put(HELM, "spec.values", {"env": [EVENT_URL]}), "http://audit.test/ hears nothing"),
    ],
    "brake-invalid": [(annotated(CANARY, "lockstep/cap", "ten"), "'ten'")],
    "patch-rights": [
        (put(ROLE, "rules.0.resourceNames", None), "every ConfigMap of its namespace"),
        (
            copied(
                VARS,
                "other",
                labelled("ConfigMap/other", "lockstep/canary"),
                put(ROLE, "rules.0.resourceNames", ["canary-vars", "canary-settings", "other"]),
            ),
            "patch other, which is no target",
        ),
        (put(ROLE, "rules.0.verbs", ["patch", "delete"]), "delete, patch its targets"),
        (put(ROLE, "rules.0.verbs", ["*"]), "do anything to"),
        (bound_everywhere, "in every namespace"),
        (another_account, "stepper may patch"),
    ],
    "no-patch-right": [
        (put(ROLE, "rules.0.resourceNames", ["canary-vars"]), "WriteRefused"),
        (put(ROLE, "rules.0.resourceNames", ["canary-settings"]), "WriteRefused"),
    ],
}
ALSO = {
    ("malformed", 1): {"no-write-target", "patch-rights"},  # it counts as a target no more
}
"""What one mistake brings with it."""

EACH = [(rule, number) for rule, cases in CASES.items() for number in range(len(cases))]


def broken(rule: str, number: int) -> Place:
    place = Place()
    CASES[rule][number][0](place)
    return place


def test_where_all_is_well_no_rule_finds_anything() -> None:
    assert Place().examined() == []


def test_without_flux_all_may_be_well_too() -> None:
    place = Place()
    direct(place)
    assert place.examined() == []


def test_another_charts_values_are_not_flaggers() -> None:
    place = Place()
    place.set(HELM, "spec.values", {"env": {"EVENT_WEBHOOK_URL": "x"}, "eventWebhook": {"a": 1}})
    assert place.examined() == []


def test_flaggers_webhook_for_the_whole_cluster_is_seen_where_its_chart_has_it() -> None:
    place = Place()
    place.set(CANARY, f"{HOOKS}.3", None)
    (container,) = place.get(FLAGGER)["spec"]["template"]["spec"]["containers"]
    container["command"] = ["./flagger", *container.pop("args")]
    assert place.examined() == []


def test_every_rule_has_a_failing_example() -> None:
    assert set(CASES) == {rule.id for rule in RULES}


@pytest.mark.parametrize(("rule", "number"), EACH)
def test_a_rule_finds_what_is_wrong_and_says_what_will_happen(rule: str, number: int) -> None:
    found = [it for it in broken(rule, number).examined() if it.rule == rule]
    assert found
    assert any(CASES[rule][number][1] in it.fault.harm for it in found), found


@pytest.mark.parametrize(("rule", "number"), EACH)
def test_nothing_else_is_found(rule: str, number: int) -> None:
    found = {it.rule for it in broken(rule, number).examined()} - {rule}
    assert found == ALSO.get((rule, number), set())


BY_HAND = {
    "malformed": "whatever the message names",
    "environment": "the program has to read a file instead",
    "foreign-objects": "files have to move",
    "hash-suffix": "test_doctor_files builds it",
}
"""The rules whose fix is more than lines to write into an object, and what it is."""

FIXED = [it for it in EACH if it[0] not in BY_HAND]


@pytest.mark.parametrize(("rule", "number"), FIXED)
def test_the_lines_shown_fix_it(rule: str, number: int) -> None:
    place = broken(rule, number)
    for finding in place.examined():
        if finding.rule == rule:
            write(place, finding)
    assert [it for it in place.examined() if it.rule == rule] == []


def write(place: Place, finding: Finding) -> None:
    """Write the lines of a fix where they say that they belong."""
    shown = [line for line in finding.fault.fix if not line.startswith("#")]
    obj = next(it for _, it in place.objects if str(item(it)) == str(finding.fault.item))
    if shown[0].startswith('"'):  # a member of a JSON text
        (line,) = shown
        (key,) = (key for key in obj["data"] if key.endswith(".json"))
        member = r'"CANARY_PERCENTAGE": ("[^"]*"|\$\{[^}]*\}|\w+)'
        obj["data"][key] = re.sub(member, line.rstrip(","), obj["data"][key], count=1)
    elif shown[0] == "volumeMounts:":
        obj["spec"]["template"]["spec"]["containers"][0] |= yaml.safe_load("\n".join(shown))
    elif shown[0].startswith("set "):  # nginx, in a ConfigMap that it mounts
        use_nginx(place, obj, "\n".join(shown))
    else:
        fix = yaml.safe_load("\n".join(shown))
        merge(written_to(place, obj, fix), fix)


def use_nginx(place: Place, workload: dict[str, Any], text: str) -> None:
    """A ConfigMap with lines of nginx, and the workload mounts it."""
    metadata = {"name": "nginx", "namespace": "shop"}
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"conf": text}}
    place.objects.append((APP, obj))
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    volumes.append({"name": "nginx", "configMap": {"name": "nginx"}})


def written_to(place: Place, obj: dict[str, Any], fix: dict[str, Any]) -> dict[str, Any]:
    """The object that the lines name, which may be a new one; else the one that was found."""
    kind = fix.get("kind", obj["kind"])
    if kind == obj["kind"]:
        return obj
    if kind == "Role":
        return next(it for _, it in place.objects if it["kind"] in ("Role", "ClusterRole"))
    return place.get(f"{kind}/{fix['metadata']['name']}")


def merge(obj: dict[str, Any], fix: dict[str, Any]) -> None:
    for key, value in fix.items():
        if isinstance(value, dict) and key != "substitute":
            merge(obj.setdefault(key, {}), value)
        elif key == "webhooks":
            known = {it["name"]: it for it in obj[key]}
            obj[key] = [*({**known.pop(it["name"], {}), **it} for it in value), *known.values()]
        else:
            obj[key] = value


@pytest.mark.parametrize(("rule", "number"), EACH)
def test_every_fix_is_lines_and_every_harm_a_sentence(rule: str, number: int) -> None:
    for finding in broken(rule, number).examined():
        assert all("\n" not in line for line in finding.fault.fix)
        assert any(not line.startswith("#") for line in finding.fault.fix) or rule == "malformed"
        assert not finding.fault.harm.endswith(".")
