"""The command line: the two services, the operator's commands and the demo."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from webhook import __version__, commands, logs, settings
from webhook.cluster import ConfigurationError, connect
from webhook.config_metrics import ConfigMetrics
from webhook.configs import Configs
from webhook.doctor.command import add_doctor
from webhook.metrics import Metrics
from webhook.server import serve, serve_config
from webhook.service import build
from webhook.settings import Settings, SettingsError

_USAGE = 2
_SIGPIPE = 141
"""As a shell says that a program was ended by a pipe that nobody reads."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except (SettingsError, ConfigurationError) as error:
        print(f"lockstep: {error}", file=sys.stderr)  # noqa: T201
        return _USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever reads it, `head` for one, has enough; Python would complain at its end again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGPIPE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lockstep",
        description="Keep a frontend's CANARY_PERCENTAGE equal to what the router really does.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    choices = parser.add_subparsers(required=True, metavar="command")
    _add_server(choices, "serve", "answer Flagger's hooks", _serve)
    _add_server(choices, "serve-config", "answer browsers' requests for config", _serve_config)
    commands.add_status(choices)
    commands.add_hold(choices)
    commands.add_cap(choices)
    commands.add_rollback(choices)
    add_doctor(choices)
    _add_demo(choices)
    return parser


def _add_server(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    purpose: str,
    run: Callable[[argparse.Namespace], int],
) -> None:
    command = commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose.capitalize()}. Settings come from the environment:",
        epilog=settings.table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "demo",
        help="replay recorded rollouts, without a cluster",
        description="Replay recorded rollouts against the real service and an in-memory API "
        "server. Exit code 0: the law was kept; 1: it was not; 2: bad usage.",
    )
    add = command.add_argument
    add("--list", action="store_true", help="list the scenarios and exit")
    add("--scenario", action="append", default=[], metavar="NAME", help="only this (repeatable)")
    add("--recording", action="append", default=[], metavar="FILE", type=Path, help="another one")
    add("--speed", default="10", metavar="N", help="times as fast as recorded (default 10)")
    fewest = "minimal: only pre-rollout and confirm-promotion, the least that a Canary may have"
    add("--hooks", choices=("all", "minimal"), default="all", help=f"{fewest} (default all)")
    command.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    try:
        from webhook.demo import run  # noqa: PLC0415 - rich comes with an extra only
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "rich":
            raise
        print("lockstep: needs rich: pip install 'lockstep-webhook[demo]'", file=sys.stderr)  # noqa: T201
        return _USAGE
    return run.main(options)


def _serve(_options: argparse.Namespace) -> int:
    chosen = _settings()
    metrics = Metrics()
    serve(build(chosen, connect(metrics.api_error), metrics), chosen)
    return 0


def _serve_config(_options: argparse.Namespace) -> int:
    chosen = _settings()
    metrics = ConfigMetrics()
    # Each failed request of a watch is a restart of it, and counted as one.
    cluster = connect(lambda _verb: None)
    serve_config(Configs(cluster, metrics, chosen.namespace), metrics, chosen)
    return 0


def _settings() -> Settings:
    chosen = settings.load()
    logs.configure(chosen.log_level)
    logs.log.debug("starting", extra=logs.fields(version=__version__, **chosen.masked()))
    return chosen
