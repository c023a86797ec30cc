"""Reading manifests: YAML, folders, and folders that Kustomize builds."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import yaml

from webhook.doctor import documents, flux
from webhook.doctor.snapshot import Item, item
from webhook.fields import FieldError, Object, find, objects, text

STANDARD_INPUT = "-"
_KUSTOMIZATION = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SUFFIXES = (".yaml", ".yml")
_BUILD_SECONDS = 60
_LOOKED_AT = (
    "Canary", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet", "Deployment",
    "HelmRelease", "Kustomization", "Role", "RoleBinding", "StatefulSet",
)  # fmt: skip
"""The kinds that rules are about; of others it does not matter if they are no proper objects."""

_BUILDERS = (("kustomize", "build"), ("kubectl", "kustomize"))


@dataclass
class Manifests:
    """What was read: objects, what was not (a failure), and what one should know about it."""

    items: list[Item] = field(default_factory=list)
    built: set[PurePath] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tree:
    """The YAML files below the paths that were given.

    `kustomized` are the folders with a kustomization.yaml and what it says, and `loose` the
    files that no such folder holds.
    """

    kustomized: Mapping[Path, Object]
    loose: Sequence[Path]
    charts: Sequence[Path]

    def roots(self) -> list[Path]:
        """The folders that no other one includes: base and components come with their overlays."""
        included = {
            (folder / name).resolve()
            for folder, obj in self.kustomized.items()
            for name in _included(obj)
        }
        free = [folder for folder in self.kustomized if folder not in included]
        return free or list(self.kustomized)  # those in a circle: Kustomize says what is wrong


def read(paths: Sequence[str]) -> Manifests:
    """The objects of files and folders, `-` for standard input; a folder's as Kustomize builds it.

    What cannot be read is told in `unread`, and the rest is read.
    """
    found = Manifests()
    tree = _tree(found, [Path(it) for it in paths if it != STANDARD_INPUT])
    if STANDARD_INPUT in paths:
        _add_text(found, sys.stdin.read, "standard input", Path.cwd())
    for file in tree.loose:
        _add_file(found, file)
    builder = _builder()
    if builder:
        _build_all(found, tree, builder)
    elif tree.kustomized:
        _read_unbuilt(found, tree)
    if tree.charts:
        charts = ", ".join(map(_shown, tree.charts))
        found.notes.append(
            f"{charts}: a Helm chart is not read; pipe it: helm template … | lockstep doctor -"
        )
    return found


def _tree(found: Manifests, paths: Sequence[Path]) -> Tree:
    files = [file for path in paths for file in _files(found, path)]
    charts = sorted({file.parent for file in files if file.name == "Chart.yaml"})
    files = [file for file in files if not any(_below(file, chart) for chart in charts)]
    kustomized = {
        file.parent: obj
        for file in files
        if file.name in _KUSTOMIZATION and (obj := _first(found, file)) is not None
    }
    loose = [file for file in files if not any(_below(file, it) for it in kustomized)]
    return Tree(kustomized, loose, charts)


def _files(found: Manifests, path: Path) -> Iterator[Path]:
    if path.is_dir():
        path = path.resolve()
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            ours = file.suffix in _SUFFIXES or file.name in _KUSTOMIZATION
            if ours and file.is_file() and not hidden:
                yield file
    elif path.exists():
        # What a shell makes of <(…) is a pipe, and has no place of its own.
        yield path.resolve() if path.is_file() else path
    else:
        found.unread.append(f"{_shown(path)}: no such file or folder")


def _builder() -> tuple[str, ...] | None:
    return next((it for it in _BUILDERS if shutil.which(it[0])), None)


def _build_all(found: Manifests, tree: Tree, builder: Sequence[str]) -> None:
    """Build the roots, and then the folders that a Flux Kustomization among them names."""
    roots = tree.roots()
    for folder in roots:
        _build(found, tree, folder, builder)
    named = [it for item in found.items if (it := _flux(item))]
    for folder in tree.kustomized:
        if folder not in roots and any(it.leads_to(_place(folder)) for it in named):
            _build(found, tree, folder, builder)


def _build(found: Manifests, tree: Tree, folder: Path, builder: Sequence[str]) -> None:
    command = [*builder, str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours, and the folder the caller's
            command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
        error = done.stderr.strip().removeprefix("error: ") if done.returncode else ""
    except subprocess.TimeoutExpired:
        error = f"not built within {_BUILD_SECONDS} s"
    if error and text(tree.kustomized[folder], "kind") == "Component":
        found.notes.append(f"{_shown(folder)}: a component that cannot be built alone is not read")
    elif error:
        found.unread.append(f"{_shown(folder)}: {' '.join(error.split())}")
    else:
        found.built.add(_place(folder))
        _add(found, done.stdout, _shown(folder), folder)


def _read_unbuilt(found: Manifests, tree: Tree) -> None:
    found.notes.append(
        "neither kustomize nor kubectl is on PATH: folders with a kustomization.yaml are read as "
        "they lie, without its namespace, patches and generators"
    )
    for folder, obj in tree.kustomized.items():
        patches = {text(it, "path") for it in objects(obj, "patches")}
        nested = [it for it in tree.kustomized if it != folder and _below(it, folder)]
        for file in sorted(folder.rglob("*")):
            if file.suffix not in _SUFFIXES or str(file.relative_to(folder)) in patches:
                continue
            if not any(_below(file, it) for it in nested):
                _add_file(found, file)


def _add_file(found: Manifests, file: Path) -> None:
    _add_text(found, file.read_text, _shown(file), file.parent)


def _add_text(found: Manifests, read: Callable[[], str], source: str, folder: Path) -> None:
    try:
        text = read()
    except (OSError, UnicodeDecodeError) as error:
        found.unread.append(f"{source}: {error}")
    else:
        _add(found, text, source, folder)


def _add(found: Manifests, text: str, source: str, folder: Path) -> None:
    try:
        for document in documents.documents(text):
            _add_document(found, document, source, folder)
    except yaml.YAMLError as error:
        found.unread.append(f"{source}: {' '.join(str(error).split())}")


def _add_document(found: Manifests, document: object, source: str, folder: Path) -> None:
    try:
        for obj in documents.kubernetes(document):
            if find(obj, "kind") in _LOOKED_AT or find(obj, "metadata", "name"):
                found.items.append(item(obj, source, _place(folder)))
    except FieldError as error:
        found.unread.append(f"{source}: {error}")


def _first(found: Manifests, file: Path) -> Object | None:
    """What a kustomization.yaml says; its kind and apiVersion may be left out."""
    try:
        document = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        found.unread.append(f"{_shown(file)}: {' '.join(str(error).split())}")
        return None
    return document if isinstance(document, Mapping) else None


def _included(kustomization: Object) -> Iterator[str]:
    for key in ("resources", "components", "bases"):
        value = find(kustomization, key)
        if isinstance(value, list):
            yield from (it for it in value if isinstance(it, str) and "://" not in it)


def _flux(item: Item) -> flux.Kustomization | None:
    """The Flux Kustomization in an item; one that is malformed the rules tell of."""
    if (item.kind, item.group) != ("Kustomization", flux.KUSTOMIZE):
        return None
    try:
        return flux.kustomization(item)
    except FieldError:
        return None


def _place(folder: Path) -> PurePath:
    """A folder from the root of its Git repository, or absolute where it is in none."""
    roots = (it for it in (folder, *folder.parents) if (it / ".git").exists())
    return next((folder.relative_to(root) for root in roots), folder)


def _below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _shown(path: Path) -> str:
    """The path as somebody in the current folder would write it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
