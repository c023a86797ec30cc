"""The demo's in-memory API server as a process of its own: `python -m benchmarks.memory_server`.

Prints where it listens, and serves until its standard input ends.
"""

import sys

from webhook.demo.apiserver import ApiServer
from webhook.demo.store import Store

_WINDOW = 100_000
"""Changes that a watch may begin before: more than one run makes."""


def main() -> None:
    """Serve an empty store."""
    with ApiServer(Store(_WINDOW)) as server:
        print(server.url, flush=True)  # noqa: T201 - the parent reads it
        sys.stdin.read()


if __name__ == "__main__":
    main()
