"""The operator's commands, as they are called: `lockstep status`, `hold`, `cap`, `rollback`."""

import argparse
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import closing

from webhook import settings, status
from webhook.brakes import Brake, Change
from webhook.cluster import connect, current_namespace
from webhook.deadline import Deadline
from webhook.errors import (
    ClusterError,
    DeadlineError,
    ForbiddenError,
    UnavailableError,
)
from webhook.fields import PERCENTAGE
from webhook.kinds import Name
from webhook.operating import Operator, UncertainError

_DEADLINE = 10.0
"""Seconds for a whole command."""

_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

_STATUS = """\
Show what each canary is at: its phase, the share of requests routed to it,
the share of browsers in each ConfigMap, what that should be, and the brakes.
It is read live and judged as the service judges it; no service is needed.
What is not in step is explained below the table. While a share is on its way
up, `no` may show for a moment: look again.

  lockstep status                       every canary
  lockstep status frontend -n shop      one of them
  lockstep status -o json | jq '.canaries[] | select(.in_step == false)'
"""

_STATUS_EPILOG = """\
Set LOCKSTEP_MESH_PROVIDER and LOCKSTEP_INGRESS_ANNOTATIONS_PREFIX where the
service has them. docs/status.md explains the columns and the JSON fields.
Exit code 0: every canary was read, whether it is in step or not; 1: one was
not, or there is none of that name; 2: bad usage.
"""

_HOLD = """\
Let Flagger wait where it is: no new rollout starts, and one that is under way
takes no further step and is not promoted. The shares stay. Metric checks go
on and can still fail the rollout.

  lockstep hold frontend -n shop          wait
  lockstep hold frontend -n shop --off    go on
"""

_CAP = """\
Give the canary's assets to no more than PERCENT of the browsers, whatever is
routed. 0 takes all browsers off them. It takes effect at once; requests are
routed as before, and Flagger is not held.

  lockstep cap frontend 10 -n shop        at most 10 %
  lockstep cap frontend -n shop --off     as many as are routed
"""

_ROLLBACK = """\
Let Flagger roll back at its next check: it routes to the primary, browsers
follow, and the canary is scaled down. Once the phase is Promoting it is too
late. No new rollout starts until it is taken off again.

  lockstep rollback frontend -n shop          roll back
  lockstep rollback frontend -n shop --off    let the next rollout start
"""

_BRAKE_EPILOG = """\
It sets the annotation {annotation} on the Canary, which Flagger ignores
and the service acts on, and says what follows from it. You need the right to
patch canaries; docs/brakes.md has a Role, and what holds in which phase.
Exit code 0: it is as you asked, or was already; 1: it is not; 2: bad usage.
"""


def add_status(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `lockstep status`."""
    command = _command(
        commands, "status", "show the canaries and whether they are in step", _STATUS
    )
    command.epilog = _STATUS_EPILOG
    add = command.add_argument
    add("canary", nargs="?", type=_name, metavar="CANARY", help="only this one")
    where = "only this one (default LOCKSTEP_NAMESPACE, else all)"
    add("-n", "--namespace", type=_name, help=where)
    formats = ("table", "json")
    add("-o", "--output", choices=formats, default="table", help="table (default) or json")
    command.set_defaults(run=_reported(_status))


def add_hold(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `lockstep hold`."""
    _brake(commands, Brake.HOLD, "let Flagger wait: no start, no step, no promotion", _HOLD)


def add_cap(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `lockstep cap`."""
    command = _brake(commands, Brake.CAP, "limit the share of browsers; 0 is the kill switch", _CAP)
    values = {"nargs": "?", "type": _percentage, "metavar": "PERCENT"}
    command.add_argument("percent", help="0 to 100", **values)  # type: ignore[arg-type]


def add_rollback(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `lockstep rollback`."""
    _brake(commands, Brake.ROLLBACK, "let Flagger roll back, until it promotes", _ROLLBACK)


def _brake(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    brake: Brake,
    summary: str,
    text: str,
) -> argparse.ArgumentParser:
    command = _command(commands, brake.value, summary, text)
    command.epilog = _BRAKE_EPILOG.format(annotation=brake.annotation)
    command.add_argument("canary", type=_name, metavar="CANARY", help="the Canary's name")
    where = "its namespace (default that of the kubeconfig's context, else default)"
    command.add_argument("-n", "--namespace", type=_name, help=where)
    command.add_argument("--off", action="store_true", help="take it off again")
    command.set_defaults(run=_reported(_set_brake), brake=brake, usage=command.error)
    return command


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    text: str,
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _status(options: argparse.Namespace) -> int:
    chosen = settings.load()
    with closing(connect(_unheard)) as cluster:
        operator = Operator(cluster, chosen.mesh, Deadline.after(_DEADLINE))
        namespace = options.namespace or chosen.namespace
        standings = operator.standings(namespace, options.canary or "")
    if options.output == "json":
        _say(status.document(standings))
    elif standings:
        _say(status.table(standings, _width()))
    else:
        _say(f"There is no Canary in {namespace or 'any namespace'}.")
    return int(any(it.unread for it in standings))


def _set_brake(options: argparse.Namespace) -> int:
    change = _change(options)
    mesh = settings.load().mesh
    with closing(connect(_unheard)) as cluster:
        ref = Name(options.namespace or current_namespace(), options.canary)
        told = Operator(cluster, mesh, Deadline.after(_DEADLINE)).brake(ref, change)
    if change.value is not None:
        undo = f"lockstep {change.brake} {ref.name} -n {ref.namespace} --off"
        told += ["To undo it:", f"  {undo}"]
    for line in told:
        _say(status.wrapped(line, _width()))
    return 0


def _change(options: argparse.Namespace) -> Change:
    percent = getattr(options, "percent", None)
    if options.brake is Brake.CAP and options.off == (percent is not None):
        options.usage("give either PERCENT or --off")
    return Change(options.brake, None if options.off else percent or "true")


def _reported(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The same command, with what the cluster refuses told in one line."""

    def reported(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except ClusterError as error:
            _complain(error, changes="brake" in options)
            return 1

    return reported


def _complain(error: ClusterError, *, changes: bool) -> None:
    text = " ".join(f"{error}{_advice(error, changes=changes)}".split())
    unchanged = changes and not isinstance(error, UncertainError)
    print(f"lockstep: {text}{'; nothing was changed' if unchanged else ''}", file=sys.stderr)  # noqa: T201


def _advice(error: ClusterError, *, changes: bool) -> str:
    if isinstance(error, ForbiddenError):
        verbs = "get and patch" if changes else "list and get"
        return f"; log in, or ask for the right to {verbs} canaries (docs/brakes.md)"
    if isinstance(error, DeadlineError):
        return f" ({_DEADLINE:g} s); try again"
    if isinstance(error, UnavailableError) and not isinstance(error, UncertainError):
        return "; is the cluster of KUBECONFIG the right one, and reachable?"
    return ""


def _name(text: str) -> str:
    if not _OBJECT_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a Kubernetes object")
    return text


def _percentage(text: str) -> str:
    if not PERCENTAGE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 100")
    return text


def _width() -> int:
    """The terminal's columns; 0 where there is none, so that lines stay whole for grep."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def _say(text: str) -> None:
    print(text)  # noqa: T201


def _unheard(_verb: str) -> None:
    """No metric counts a command's errors: they are told."""
