"""The command line: `lockstep serve`, `lockstep demo`."""

import argparse
import sys
from collections.abc import Sequence

from webhook import __version__, logs, settings
from webhook.cluster import ConfigurationError, connect
from webhook.metrics import Metrics
from webhook.server import serve
from webhook.service import build
from webhook.settings import SettingsError

_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (SettingsError, ConfigurationError) as error:
        print(f"lockstep: {error}", file=sys.stderr)  # noqa: T201
        return _USAGE
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lockstep",
        description="Keep a frontend's CANARY_PERCENTAGE equal to what the router really does.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_serve(commands)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "serve",
        help="answer Flagger's hooks",
        description="Answer Flagger's hooks. Settings come from the environment:",
        epilog=settings.table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=_serve)


def _serve(_options: argparse.Namespace) -> int:
    chosen = settings.load()
    logs.configure(chosen.log_level)
    metrics = Metrics()
    cluster = connect(metrics.api_error)
    logs.log.debug("starting", extra=logs.fields(version=__version__, **chosen.masked()))
    serve(build(chosen, cluster, metrics), chosen)
    return 0
