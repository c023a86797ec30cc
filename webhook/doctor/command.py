"""`lockstep doctor`, as it is called."""

import argparse
import os
import shutil
import sys
from contextlib import closing

from webhook import settings
from webhook.cluster import connect
from webhook.deadline import Deadline
from webhook.doctor import files, live, report
from webhook.doctor.blind import blind
from webhook.doctor.report import Report
from webhook.doctor.snapshot import Snapshot
from webhook.doctor.table import RULES, examine
from webhook.doctor.world import world
from webhook.errors import ClusterError, UnavailableError
from webhook.settings import Settings

_DEADLINE = 30.0
"""Seconds for reading a whole cluster."""

_TEXT = """\
Say what would break lockstep: in the cluster, or in manifests before they get
there. Each finding has its rule's id, the object, what will go wrong, and the
lines that fix it. Nothing is changed.

  lockstep doctor                        the cluster of your kubeconfig
  lockstep doctor -n shop                one namespace of it
  lockstep doctor manifests flagger      files and folders; a folder with a
                                         kustomization.yaml is built
  helm template . | lockstep doctor -    what another program renders
  lockstep doctor manifests -o json | jq -r '.findings[].rule'
"""

_EPILOG = """\
Set LOCKSTEP_MESH_PROVIDER and LOCKSTEP_HOOK_DEADLINE where the service has
them. Give all that belongs together in one call: a rule says nothing about
what it does not see. docs/doctor.md explains each rule.
Exit code 0: nothing was found; 1: something was, or something could not be
read, or there was nothing to read; 2: bad usage.
"""


def add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `lockstep doctor`."""
    command = commands.add_parser(
        "doctor",
        help="find what would break lockstep, in the cluster or in manifests",
        description=_TEXT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("paths", nargs="*", metavar="PATH", help="YAML files, folders, or - for standard input")
    add("-n", "--namespace", help="only this one (default LOCKSTEP_NAMESPACE, else all)")
    ids = [rule.id for rule in RULES]
    add("--rules", action="store_true", help="list the rules and exit")
    skip = "leave a rule out (repeatable)"
    add("--skip", action="append", default=[], choices=ids, metavar="RULE", help=skip)
    add("-o", "--output", choices=("text", "json"), default="text", help="text (default) or json")
    command.set_defaults(run=_doctor, usage=command.error)


def _doctor(options: argparse.Namespace) -> int:
    if options.paths and options.namespace:
        options.usage("give either PATH or --namespace: files say in which namespace they are")
    if options.rules:
        print(report.rules())  # noqa: T201
        return 0
    chosen = settings.load()
    try:
        found = _of_files(options, chosen) if options.paths else _of_cluster(options, chosen)
    except ClusterError as error:
        lost = isinstance(error, UnavailableError)
        advice = "; is the cluster of KUBECONFIG the right one, and reachable?" if lost else ""
        print(f"lockstep: {' '.join(str(error).split())}{advice}", file=sys.stderr)  # noqa: T201
        return 1
    _say(found, options.output)
    return 0 if found.healthy else 1


def _of_files(options: argparse.Namespace, chosen: Settings) -> Report:
    found = files.read(options.paths)
    snapshot = Snapshot(
        items=tuple(found.items),
        mesh=chosen.mesh,
        hook_deadline=chosen.hook_deadline,
        built=frozenset(found.built),
    )
    seen = world(snapshot)
    findings = examine(seen, frozenset(options.skip))
    # Such as what a pipe brings whose first half has failed: no CI should be green for it.
    nothing = [] if found.items else [f"{', '.join(options.paths)}: no Kubernetes object in it"]
    unread = found.unread or nothing
    return Report(findings, len(found.items), unread, [*found.notes, *blind(seen)])


def _of_cluster(options: argparse.Namespace, chosen: Settings) -> Report:
    with closing(connect(_unheard)) as cluster:
        namespace = options.namespace or chosen.namespace
        found = live.read(cluster, namespace, Deadline.after(_DEADLINE))
    snapshot = Snapshot(
        items=tuple(found.items), live=True, mesh=chosen.mesh, hook_deadline=chosen.hook_deadline
    )
    findings = examine(world(snapshot), frozenset(options.skip))
    return Report(findings, len(found.items), found.unread)


def _say(found: Report, output: str) -> None:
    if output == "json":
        print(report.document(found))  # noqa: T201
        return
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else 0
    print(report.text(found, width, colour=terminal and "NO_COLOR" not in os.environ))  # noqa: T201


def _unheard(_verb: str) -> None:
    """No metric counts a command's errors: they are told."""
