"""The operator's commands, as they are called, against the in-memory API server."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import world
from tests.service.conftest import Configure, Lab, MakeLab
from tests.waiting import wait_for
from webhook import kinds
from webhook.cli import main
from webhook.demo.store import Store
from webhook.kinds import Name

HOOKS = ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "event")
READS = [("list", "configmaps"), ("get", "deployments"), ("get", "httproutes")]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster and no setting but those of the test."""
    for variable in ("LOCKSTEP_NAMESPACE", "KUBERNETES_SERVICE_HOST", "KUBECONFIG"):
        monkeypatch.delenv(variable, raising=False)


def rollout(phase: str = "Progressing", **annotations: str) -> Store:
    """A rollout at 25 %, with Lockstep's hooks on the Canary."""
    store = world.rollout()
    canary = world.canary(phase, {f"lockstep/{key}": it for key, it in annotations.items()})
    hooks = [{"name": it, "type": it, "url": f"http://lockstep.ns/{it}"} for it in HOOKS]
    canary["spec"]["analysis"]["webhooks"] = hooks
    store.put(canary)
    return store


@pytest.fixture
def lab(make_lab: MakeLab, kubeconfig: Configure) -> Lab:
    """A rollout at 25 %; the kubeconfig points at it."""
    made = make_lab(rollout())
    kubeconfig(made.api.url)
    return made


class Command:
    """A command line that is run, with what it says."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, line: str, code: int = 0) -> str:
        """Standard output; with another code than 0, standard error."""
        try:
            ended = main(line.split())
        except SystemExit as error:  # argparse
            ended = int(error.code or 0)
        out, err = self._capsys.readouterr()
        assert ended == code, out + err
        assert not (err if code == 0 else out), "both or the wrong stream"
        return out if code == 0 else err


@pytest.fixture
def lockstep(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def annotations(store: Store, name: Name = world.WEB) -> dict[str, str]:
    metadata: Any = store.get(kinds.CANARY, name)["metadata"]
    return dict(metadata.get("annotations", {}))


# status


def test_status_shows_every_canary(lab: Lab, lockstep: Command) -> None:
    head, row = lockstep("status").splitlines()
    assert head.split()[:3] == ["NAMESPACE", "NAME", "PHASE"]
    assert row.split() == ["test", "web", "Progressing", "25%", "25%", "25%", "yes", "-"]


@pytest.mark.parametrize("line", ["status", "status web", "status -n test", "status web -n test"])
def test_status_writes_nothing(lab: Lab, lockstep: Command, line: str) -> None:
    version = lab.store.list(kinds.CANARY)[1]
    assert "test       web" in lockstep(line)
    assert lab.store.list(kinds.CANARY)[1] == version


def test_status_says_what_is_not_in_step_and_that_is_no_failure(
    lab: Lab, lockstep: Command
) -> None:
    lab.store.put(world.variables(10))
    said = lockstep("status")
    assert "10%     25%      no: OutOfStep" in said
    assert said.splitlines()[2:] == [
        "",
        "test/web: OutOfStep: the share should be 25 %; ConfigMap test/canary-vars has 10 %",
    ]


def test_status_as_json(lab: Lab, lockstep: Command) -> None:
    (canary,) = json.loads(lockstep("status --output json"))["canaries"]
    assert (canary["canary"], canary["routed"], canary["in_step"]) == ("web", 25, True)
    assert canary["targets"] == [{"configmap": "canary-vars", "mode": "write", "share": 25}]


def test_status_is_of_the_namespace_that_is_watched(
    lab: Lab, lockstep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_NAMESPACE", "elsewhere")
    assert lockstep("status") == "There is no Canary in elsewhere.\n"
    assert json.loads(lockstep("status -o json")) == {"canaries": []}
    assert "web" in lockstep("status -n test")


def test_status_knows_the_provider_that_the_service_assumes(
    lab: Lab, lockstep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = world.canary()
    del canary["spec"]["provider"]
    lab.store.put(canary)
    assert "no: RouterUnreadable" in lockstep("status")
    monkeypatch.setenv("LOCKSTEP_MESH_PROVIDER", "gatewayapi:v1")
    assert "yes" in lockstep("status")


def test_status_of_many_reads_each(lab: Lab, lockstep: Command) -> None:
    for number in range(30):
        canary = world.canary()
        canary["metadata"] |= {"name": f"web{number:02}"}
        lab.store.put(canary)
    names = [line.split()[1] for line in lockstep("status").split("\n\n")[0].splitlines()[1:]]
    assert names == ["web", *(f"web{number:02}" for number in range(30))]


def test_a_canary_that_cannot_be_read_is_shown_and_is_a_failure(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.api.deny("list", "configmaps")
    assert main(["status"]) == 1
    assert "?: ClusterForbidden" in capsys.readouterr().out


# hold, cap, rollback


@pytest.mark.parametrize(
    ("line", "value", "said"),
    [
        ("hold web", "true", "Flagger holds at 25 %"),
        ("cap web 10", "10", "falls from 25 % to 10 % at once"),
        ("cap web 0", "0", "no browser gets the canary's assets"),
        ("cap web 100", "100", "The client share stays 25 %."),
        ("rollback web", "true", "Flagger rolls back at its next check"),
    ],
)
def test_a_brake_is_set_told_and_taken_off(
    lab: Lab, lockstep: Command, line: str, value: str, said: str
) -> None:
    command = line.split(maxsplit=1)[0]
    annotation = f"lockstep/{command}"
    told = lockstep(line)
    assert annotations(lab.store) == {annotation: value}
    assert told.startswith(f"Canary test/web: {annotation} is now {value} (was not set).\n")
    assert said in told
    undo = told.splitlines()[-1].strip()
    assert undo == f"lockstep {line.split(maxsplit=1)[0]} web -n test --off"

    told = lockstep(undo.removeprefix("lockstep "))
    assert annotations(lab.store) == {}
    assert told.startswith(f"Canary test/web: {annotation} is taken off (was {value}).\n")
    assert "To undo it" not in told


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hold web", "lockstep/hold is already true; nothing was written."),
        ("cap web 10", "lockstep/cap is already 10; nothing was written."),
        ("rollback web --off", "lockstep/rollback is not set; nothing was written."),
    ],
)
def test_what_is_so_already_is_not_written(
    make_lab: MakeLab, kubeconfig: Configure, lockstep: Command, line: str, said: str
) -> None:
    lab = make_lab(rollout(hold="true", cap="10"))
    kubeconfig(lab.api.url)
    assert lockstep(line).startswith(f"Canary test/web: {said}\n")
    assert not lab.api.requests["patch", "canaries"]


def test_other_annotations_stay(lab: Lab, lockstep: Command) -> None:
    lab.store.put(world.canary(annotations={"mine": "x", "lockstep/cap": "10"}))
    lockstep("hold web")
    lockstep("cap web --off")
    assert annotations(lab.store) == {"mine": "x", "lockstep/hold": "true"}


def test_the_warning_that_git_sets_it_again_is_shown(lab: Lab, lockstep: Command) -> None:
    canary = world.canary(annotations={"lockstep/hold": "true"})
    owned: Any = {"f:metadata": {"f:annotations": {"f:lockstep/hold": {}}}}
    entry = {"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": owned}
    canary["metadata"]["managedFields"] = [entry]
    lab.store.put(canary)
    assert "Warning: kustomize-controller applies lockstep/hold" in lockstep("hold web --off")


def test_without_a_namespace_it_is_that_of_the_context_else_default(
    lab: Lab, kubeconfig: Configure, lockstep: Command
) -> None:
    kubeconfig(lab.api.url, namespace=None)
    assert "there is no Canary web in default" in lockstep("hold web", code=1)
    lockstep("hold web -n test")
    assert annotations(lab.store) == {"lockstep/hold": "true"}


def test_a_change_that_conflicts_is_made_again(lab: Lab, lockstep: Command) -> None:
    lab.api.delay(0.2, "patch", "canaries")

    def interfere() -> None:
        wait_for(lambda: lab.api.requests["patch", "canaries"])
        lab.store.put(world.canary("WaitingPromotion", {"mine": "x"}))
        lab.api.delay(0, "patch", "canaries")

    other = threading.Thread(target=interfere)
    other.start()
    told = lockstep("cap web 10")
    other.join()
    assert lab.api.requests["patch", "canaries"] == 2
    assert annotations(lab.store) == {"mine": "x", "lockstep/cap": "10"}
    assert "is now 10" in told


@pytest.mark.parametrize(("verb", "plural"), READS)
def test_a_brake_does_not_need_what_only_its_outlook_needs(
    lab: Lab, lockstep: Command, verb: str, plural: str
) -> None:
    lab.api.deny(verb, plural)
    told = lockstep("cap web 10")
    assert annotations(lab.store) == {"lockstep/cap": "10"}
    assert f"cannot {verb} resource" in told


def test_a_canary_that_lockstep_cannot_read_is_braked_all_the_same(
    lab: Lab, lockstep: Command
) -> None:
    canary = world.canary()
    canary["spec"]["targetRef"]["kind"] = "Job"
    lab.store.put(canary)
    told = lockstep("hold web")
    assert annotations(lab.store) == {"lockstep/hold": "true"}
    assert "Warning: what follows is not known, and every gate refuses: spec.targetRef" in told


def test_the_service_obeys_each_brake(
    make_lab: MakeLab, kubeconfig: Configure, lockstep: Command
) -> None:
    lab = make_lab(rollout(), start=True)
    kubeconfig(lab.api.url)
    assert lab.hook("confirm-traffic-increase").status_code == 200
    lockstep("hold web")
    assert (lab.hook("confirm-traffic-increase").json or {})["reason"] == "Held"
    lockstep("hold web --off")
    assert lab.hook("confirm-traffic-increase").status_code == 200
    assert lab.hook("rollback").status_code == 403
    lockstep("rollback web")
    assert lab.hook("rollback").status_code == 200
    lockstep("cap web 10")
    wait_for(lambda: lab.share() == 10)
    lockstep("cap web --off")
    wait_for(lambda: lab.share() == 25)


# errors


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("cap web 101", "'101' is no whole number from 0 to 100"),
        ("cap web -1", "'-1' is no whole number from 0 to 100"),
        ("cap web 10%", "'10%' is no whole number from 0 to 100"),
        ("cap web 1e1", "'1e1' is no whole number from 0 to 100"),
        ("cap web 010", "'010' is no whole number from 0 to 100"),
        ("cap web ten", "'ten' is no whole number from 0 to 100"),
        ("cap web", "give either PERCENT or --off"),
        ("cap web 10 --off", "give either PERCENT or --off"),
        ("hold", "the following arguments are required: CANARY"),
        ("hold canary/web", "'canary/web' is no name of a Kubernetes object"),
        ("hold web -n Test", "'Test' is no name of a Kubernetes object"),
        ("hold web true", "unrecognized arguments: true"),
        ("status --output yaml", "invalid choice: 'yaml'"),
    ],
)
def test_bad_usage_asks_the_cluster_nothing(
    lab: Lab, lockstep: Command, line: str, complaint: str
) -> None:
    assert complaint in lockstep(line, code=2)
    assert not lab.api.requests


def test_a_wrong_setting_is_bad_usage(
    lab: Lab, lockstep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_RESYNC", "never")
    assert "LOCKSTEP_RESYNC" in lockstep("status", code=2)
    assert "LOCKSTEP_RESYNC" in lockstep("hold web", code=2)


def deny(*verbs: str) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        for verb in verbs:
            lab.api.deny(verb, "canaries")

    return change


def without_flagger(lab: Lab) -> None:
    lab.api.unregister(kinds.CANARY)


def nothing(_lab: Lab) -> None:
    pass


UNCHANGED = "; nothing was changed"
ERRORS = [
    (nothing, "hold wob", r"no Canary wob in test \(there: web\); -n names another namespace"),
    (nothing, "hold web -n prod", r"no Canary web in prod \(nor any other\)"),
    (nothing, "status wob", r"no Canary wob in any namespace \(there: test/web\)"),
    (nothing, "status wob -n test", r"no Canary wob in test \(there: web\)"),
    (deny("list"), "hold wob", "no Canary test/wob"),
    (deny("get"), "hold web", r"cannot get resource \"canaries\".*right to get and patch canaries"),
    (deny("patch"), "hold web", r"cannot patch resource.*right to get and patch .*brakes\.md"),
    (deny("list"), "status", r"cannot list resource \"canaries\".*right to list and get canaries"),
    (without_flagger, "hold web", "no Canaries at all; is Flagger installed"),
    (without_flagger, "status", "no Canaries at all; is Flagger installed"),
]


@pytest.mark.parametrize(("fault", "line", "said"), ERRORS)
def test_an_error_is_one_line_and_changes_nothing(
    lab: Lab, lockstep: Command, fault: Callable[[Lab], None], line: str, said: str
) -> None:
    before = lab.store.list(kinds.CANARY)
    fault(lab)
    complaint = lockstep(line, code=1)
    assert re.fullmatch(rf"lockstep: .*{said}.*\n", complaint), complaint
    assert complaint.endswith(f"{UNCHANGED}\n") == line.startswith("hold")
    assert lab.store.list(kinds.CANARY) == before


def test_many_canaries_are_not_all_listed_as_a_hint(lab: Lab, lockstep: Command) -> None:
    for number in range(14):
        canary = world.canary()
        canary["metadata"] |= {"name": f"app{number:02}"}
        lab.store.put(canary)
    assert "app09 and 5 more)" in lockstep("hold wob", code=1)


@pytest.mark.parametrize("line", ["status", "hold web", "cap web 10", "rollback web --off"])
def test_a_cluster_that_is_not_there_is_one_line(
    kubeconfig: Configure, lockstep: Command, line: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        kubeconfig(f"http://127.0.0.1:{closed.getsockname()[1]}")
    complaint = lockstep(line, code=1)
    assert re.fullmatch(r"lockstep: .*[Cc]anar.*refused.*KUBECONFIG.*reachable\?.*\n", complaint)


@pytest.mark.parametrize("text", [None, "", "hello", "a: [", "a: b", "[1]"])
def test_no_usable_kubeconfig_is_one_line(
    lockstep: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    for line in ("status", "hold web"):
        complaint = lockstep(line, code=1)
        pattern = rf"lockstep: no cluster to talk to: {path}: .*set KUBECONFIG.*\n"
        assert re.fullmatch(pattern, complaint)


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({}, {"token": "secret\nsecret"}),
        ({}, {"token": "secret€"}),
        ({"proxy-url": "::::"}, {}),
    ],
    ids=["a token of two lines", "a token not of ASCII", "a proxy that is no URL"],
)
def test_a_kubeconfig_that_no_request_can_be_made_with_is_one_line(
    lockstep: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cluster: dict[str, str],
    user: dict[str, str],
) -> None:
    path = tmp_path / "kubeconfig"
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://cluster.test:1"} | cluster}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    complaint = lockstep("status", code=1)
    assert re.fullmatch(r"lockstep: no cluster to talk to: .*set KUBECONFIG.*\n", complaint)
    assert "secret" not in complaint


@pytest.mark.parametrize("server", ["10.0.0.1:6443", "localhost", "ftp://10.0.0.1", "https://"])
def test_a_server_that_is_no_url_is_named_with_its_kubeconfig(
    kubeconfig: Configure, lockstep: Command, tmp_path: Path, server: str
) -> None:
    kubeconfig(server)
    where = f"{tmp_path / 'kubeconfig'}: the server of the current context"
    shown = server.rstrip("/")
    complaint = lockstep("status", code=1)
    assert f"{where} is '{shown}', and not https://<host>:<port>; " in complaint
    assert complaint.count("\n") == 1


# what goes over the wire


class Wire(ThreadingHTTPServer):
    """An API server of one Canary that notes the patches it gets, and may die of them."""

    daemon_threads = True

    def __init__(self) -> None:
        self.patches: list[tuple[str, str, Any]] = []
        self.dies = False
        super().__init__(("127.0.0.1", 0), Asked)


class Asked(BaseHTTPRequestHandler):
    server: Wire

    def do_GET(self) -> None:
        found = self.path == kinds.CANARY.path(world.WEB)
        canary = world.canary()
        canary["metadata"]["resourceVersion"] = "41"
        self._answer(200 if found else 404, canary if found else {"message": "not found"})

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.patches.append((self.path, self.headers["Content-Type"], body))
        if self.server.dies:
            self.close_connection = True
            return
        self._answer(200, world.canary())

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def wire(kubeconfig: Configure) -> Iterator[Wire]:
    with Wire() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        kubeconfig(f"http://127.0.0.1:{server.server_address[1]}")
        yield server
        server.shutdown()
        thread.join()


def test_a_brake_is_a_merge_patch_by_lockstep_onto_the_version_read(
    wire: Wire, lockstep: Command
) -> None:
    lockstep("hold web")
    ((path, content_type, body),) = wire.patches
    assert path == f"{kinds.CANARY.path(world.WEB)}?fieldManager=lockstep"
    assert content_type == "application/merge-patch+json"
    metadata = {"resourceVersion": "41", "annotations": {"lockstep/hold": "true"}}
    assert body == {"metadata": metadata}


def test_a_connection_lost_in_mid_change_is_told_as_such(wire: Wire, lockstep: Command) -> None:
    wire.dies = True
    complaint = lockstep("hold web", code=1)
    assert "whether it was set is not known" in complaint
    assert "nothing was changed" not in complaint
    assert len(wire.patches) == 1


@pytest.mark.parametrize("command", ["status", "hold", "cap", "rollback"])
def test_help_has_an_example_and_fits_a_terminal(
    lockstep: Command, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = lockstep(f"{command} --help")
    assert f"  lockstep {command} frontend" in text
    assert "Exit code 0" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("command", "purpose"),
    [("serve", "Answer Flagger's hooks."), ("serve-config", "Answer browsers' requests for")],
)
def test_help_of_a_service_has_its_settings_without_markup(
    lockstep: Command, command: str, purpose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = lockstep(f"{command} --help")
    assert purpose in text
    assert "  LOCKSTEP_READ_BIND (0.0.0.0:8081)\n      Where /healthz, /readyz and /metrics" in text
    assert not {"`", "|"} & set(text)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_given_up_after_ten_seconds(
    lab: Lab, lockstep: Command
) -> None:
    lab.api.pause()
    complaint = lockstep("hold web", code=1)
    lab.api.resume()
    assert complaint.endswith(f"{UNCHANGED}\n")
    assert annotations(lab.store) == {}
