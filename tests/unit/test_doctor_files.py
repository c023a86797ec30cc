"""What the doctor reads of files: YAML, folders, and what Kustomize builds."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.healthy import MANIFESTS, Place
from webhook.doctor import files
from webhook.doctor.blind import blind
from webhook.doctor.snapshot import Snapshot
from webhook.doctor.table import examine
from webhook.doctor.world import world

Write = Callable[..., None]
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A function that writes a file of a folder, which is also the current one."""
    monkeypatch.chdir(tmp_path)

    def written(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return written


@pytest.fixture
def healthy(write: Write) -> Write:
    """The manifests of a frontend, each folder with a kustomization.yaml."""
    for folder, text in MANIFESTS.items():
        write(f"{folder}/objects.yaml", text)
        write(f"{folder}/kustomization.yaml", kustomization("objects.yaml"))
    return write


def kustomization(*resources: str, **more: object) -> str:
    return yaml.safe_dump({"resources": list(resources), **more})


def names(found: files.Manifests) -> list[str]:
    return sorted(it.name.name for it in found.items)


def without_builders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


def found_in(*paths: str) -> list[str]:
    read = files.read(paths)
    assert not read.unread
    snapshot = Snapshot(tuple(read.items), built=frozenset(read.built))
    return [finding.rule for finding in examine(world(snapshot))]


def test_a_file_may_hold_many_objects_and_a_list_of_them(write: Write) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(CONFIG_MAP.format("c"))]}
    write("all.yaml", "---\n".join([*map(CONFIG_MAP.format, "ab"), yaml.safe_dump(listed), "\n"]))
    assert names(files.read(["all.yaml"])) == ["a", "b", "c"]


def test_a_list_of_one_kind_need_not_say_it_of_each(write: Write) -> None:
    write("a.yaml", "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}]\n")
    (it,) = files.read(["a.yaml"]).items
    assert (it.kind, it.group, it.name.name) == ("ConfigMap", "", "a")


def test_what_is_wrong_with_one_document_keeps_no_other_from_being_read(write: Write) -> None:
    write("all.yaml", "---\n".join([CONFIG_MAP.format("''"), CONFIG_MAP.format("b")]))
    found = files.read(["all.yaml"])
    assert (names(found), found.unread) == (["b"], ["all.yaml: metadata.name is missing"])


@pytest.mark.parametrize(
    "document",
    [
        "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n",
        "apiVersion: v1\nkind: Config\nusers: []\n",
        "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: migrate-}\n",
        "kind: pipeline\n",
        "",
        "# nothing yet\n---\n",
    ],
)
def test_a_document_that_no_rule_is_about_does_not_matter(write: Write, document: str) -> None:
    write("a.yaml", document)
    found = files.read(["a.yaml"])
    assert (found.items, found.unread) == ([], [])


def test_a_date_and_a_bare_equals_sign_are_text_as_for_the_api_server(write: Write) -> None:
    """The CRDs of the Prometheus operator have the one, labels of many a team the other."""
    document = CONFIG_MAP.format("a") + "operators: ['!=', =]\nsince: 2026-11-24\n"
    write("a.yaml", document.replace("['!=', =]", "\n- '!='\n- =\n"))
    found = files.read(["a.yaml"])
    assert found.unread == []
    obj = dict(found.items[0].obj)
    assert (obj["operators"], obj["since"]) == (["!=", "="], "2026-11-24")


def test_a_link_that_leads_in_circles_ends(write: Write, tmp_path: Path) -> None:
    write("some/deeper/a.yaml", CONFIG_MAP.format("a"))
    (tmp_path / "some/deeper/up").symlink_to(tmp_path / "some")
    assert names(files.read(["some"])) == ["a"]


def test_a_pipe_that_the_shell_names_is_a_file(write: Write) -> None:
    reading, writing = os.pipe()
    os.write(writing, CONFIG_MAP.format("a").encode())
    os.close(writing)
    found = files.read([f"/dev/fd/{reading}"])
    os.close(reading)
    assert (names(found), found.unread) == (["a"], [])


def test_a_folder_is_read_with_all_below_but_what_is_hidden_or_no_manifest(write: Write) -> None:
    write("some/a.yaml", CONFIG_MAP.format("a"))
    write("some/deeper/b.yml", CONFIG_MAP.format("b"))
    write("some/.github/c.yaml", CONFIG_MAP.format("c"))
    write("some/values.yaml", "replicas: 1\n")
    write("some/notes.md", "# ${")
    found = files.read(["some"])
    assert (names(found), found.unread, found.notes) == (["a", "b"], [], [])
    assert {it.source for it in found.items} == {"some/a.yaml", "some/deeper/b.yml"}


@needs_kubectl
def test_a_folder_with_a_kustomization_is_built(write: Write) -> None:
    write("app/a.yaml", CONFIG_MAP.format("a"))
    write("app/unused.yaml", CONFIG_MAP.format("b"))
    write("app/kustomization.yaml", kustomization("a.yaml", namespace="shop", nameSuffix="-x"))
    (it,) = files.read(["app"]).items
    assert (str(it), it.source) == ("ConfigMap shop/a-x", "app")


@needs_kubectl
def test_what_an_overlay_includes_is_seen_as_the_overlay_makes_it(write: Write) -> None:
    write("base/a.yaml", CONFIG_MAP.format("a"))
    write("base/kustomization.yaml", kustomization("a.yaml"))
    for overlay in ("dev", "production"):
        text = kustomization("../../base", namespace=overlay)
        write(f"overlays/{overlay}/kustomization.yaml", text)
    assert [str(it) for it in files.read(["."]).items] == [
        "ConfigMap dev/a",
        "ConfigMap production/a",
    ]


@needs_kubectl
def test_a_build_that_fails_is_told_and_the_rest_is_read(write: Write) -> None:
    write("bad/kustomization.yaml", kustomization("missing.yaml"))
    write("good/a.yaml", CONFIG_MAP.format("a"))
    found = files.read(["bad", "good"])
    assert names(found) == ["a"]
    (unread,) = found.unread
    assert unread.startswith("bad: ")
    assert "missing.yaml" in unread


@needs_kubectl
@pytest.mark.parametrize("name", ["kustomization.yml", "Kustomization"])
def test_kustomize_knows_more_names(write: Write, name: str) -> None:
    write("app/a.yaml", CONFIG_MAP.format("a"))
    write(f"app/{name}", kustomization("a.yaml", namespace="shop"))
    assert [str(it) for it in files.read(["app"]).items] == ["ConfigMap shop/a"]


@needs_kubectl
def test_folders_that_include_each_other_are_told(write: Write) -> None:
    write("a/kustomization.yaml", kustomization("../b"))
    write("b/kustomization.yaml", kustomization("../a"))
    assert len([it for it in files.read(["."]).unread if "cycle" in it]) == 2


@needs_kubectl
def test_a_component_that_only_patches_is_no_failure(write: Write) -> None:
    patches = [{"target": {"kind": "Service"}, "patch": "- {op: remove, path: /spec/x}"}]
    component = kustomization(kind="Component", apiVersion="kustomize.config.k8s.io/v1alpha1")
    write("part/kustomization.yaml", component + yaml.safe_dump({"patches": patches}))
    write("part/a.yaml", CONFIG_MAP.format("a"))
    found = files.read(["part"])
    assert found.unread == []


def test_without_a_builder_folders_are_read_as_they_lie_and_that_is_said(
    healthy: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    patch = CONFIG_MAP.format("canary-vars") + "data: {CANARY_PERCENTAGE: '50'}\n"
    healthy("app/change.yaml", patch)
    healthy(
        "app/kustomization.yaml", kustomization("objects.yaml", patches=[{"path": "change.yaml"}])
    )
    without_builders(monkeypatch, tmp_path)
    found = files.read(["."])
    assert [note for note in found.notes if "neither kustomize nor kubectl is on PATH" in note]
    assert names(found).count("canary-vars") == 1
    assert found_in(".") == []


def test_a_chart_is_not_read_and_that_is_said(write: Write) -> None:
    write("chart/Chart.yaml", "name: frontend\n")
    write("chart/templates/a.yaml", "metadata: {{ .Values.metadata }}\n")
    write("b.yaml", CONFIG_MAP.format("b"))
    found = files.read(["."])
    assert (names(found), found.unread) == (["b"], [])
    assert found.notes == [
        "chart: a Helm chart is not read; pipe it: helm template … | lockstep doctor -"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "a.yaml: while parsing"),
        ("apiVersion: v1\nkind: ConfigMap\n", "a.yaml: metadata.name is missing"),
        ("kind: ConfigMap\n", "a.yaml: apiVersion is missing"),
        ("kind: ConfigMap\nmetadata: {generateName: a-}\n", "a.yaml: apiVersion is missing"),
        ("apiVersion: v1\nkind: [1]\nmetadata: {name: a}\n", "a.yaml: kind is [1], not a string"),
        ("apiVersion: v1\nkind: List\nitems: 5\n", "a.yaml: items is 5, not a list"),
    ],
)
def test_what_is_no_manifest_is_told(write: Write, text: str, problem: str) -> None:
    write("a.yaml", text)
    (unread,) = files.read(["a.yaml"]).unread
    assert unread.startswith(problem)
    assert "\n" not in unread


def test_a_path_that_does_not_exist_is_told(write: Write) -> None:
    assert files.read(["nowhere"]).unread == ["nowhere: no such file or folder"]


def test_standard_input_is_a_file_too(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(CONFIG_MAP.format("a")))
    (it,) = files.read(["-"]).items
    assert (it.name.name, it.source) == ("a", "standard input")


def test_standard_input_that_is_no_text_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    binary = io.TextIOWrapper(io.BytesIO(b"\xff\x00"), "utf-8")
    monkeypatch.setattr("sys.stdin", binary)
    (unread,) = files.read(["-"]).unread
    assert unread.startswith("standard input: 'utf-8' codec can't decode")


@needs_kubectl
def test_what_is_well_in_memory_is_well_in_files(healthy: Write) -> None:
    assert found_in(".") == []
    assert found_in("app", "flux") == []


@needs_kubectl
def test_a_kustomization_of_flux_is_matched_from_the_root_of_the_repository(
    healthy: Write, tmp_path: Path
) -> None:
    healthy("app/settings/more.yaml", CONFIG_MAP.format("more"))
    healthy("app/settings/kustomization.yaml", kustomization("objects.yaml", "more.yaml"))
    assert found_in(".") == ["foreign-objects"]
    (tmp_path / ".git").mkdir()
    assert found_in(".") == ["foreign-objects"]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "app").rename(tmp_path / "elsewhere/app")
    assert found_in(".") == []  # ./app/settings is not in this repository


@needs_kubectl
def test_a_folder_that_flux_names_is_built_by_itself_as_well(healthy: Write) -> None:
    healthy("kustomization.yaml", kustomization("app", "app/settings", "flux"))
    folders = {it.source for it in files.read(["."]).items}
    assert folders == {".", "app/settings"}
    assert found_in(".") == []


@needs_kubectl
def test_a_generators_hash_is_found_built_and_gone_with_the_lines_shown(write: Write) -> None:
    options = {"labels": {"lockstep/canary": "frontend"}}
    generator = {"name": "vars", "literals": ["CANARY_PERCENTAGE=0"], "options": options}
    write("kustomization.yaml", kustomization(configMapGenerator=[generator]))
    snapshot = Snapshot(tuple(files.read(["."]).items))
    (finding,) = examine(world(snapshot))
    assert finding.rule == "hash-suffix"
    (shown,) = yaml.safe_load("\n".join(finding.fault.fix))["configMapGenerator"]
    assert shown["name"] == generator["name"]
    generator["options"] = options | shown["options"]
    write("kustomization.yaml", kustomization(configMapGenerator=[generator]))
    assert found_in(".") == []


def test_what_is_not_among_the_files_is_said() -> None:
    place = Place()
    assert list(blind(place.world())) == []
    rendered = "ConfigMap shop/canary-settings"
    for name in ("Deployment/frontend", "Kustomization/settings", "RoleBinding/targets"):
        place.remove(name)
    assert list(blind(place.world())) == [
        "Deployment shop/frontend is not here, so what it mounts was not looked at",
        f"nothing of Flux's here applies {rendered}, so its rendering was not looked at",
        "no Role for Lockstep is here, so whether it may patch was not looked at",
    ]


def test_of_a_cluster_nothing_is_out_of_sight() -> None:
    place = Place()
    place.remove("Deployment/frontend")
    assert list(blind(world(Snapshot(place.items(), live=True)))) == []
