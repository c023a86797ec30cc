"""An open watch: the changes that the API server streams, one JSON object a line."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Self

import urllib3

from webhook.answers import told
from webhook.errors import GoneError, UnavailableError
from webhook.fields import Object, find


class Change(StrEnum):
    """What a watch says of an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class Watch:
    """An open watch: iterate it once, `stop` it from any thread."""

    def __init__(
        self, response: urllib3.HTTPResponse, what: str, on_error: Callable[[str], None]
    ) -> None:
        self._response = response
        self._what = what
        self._on_error = on_error
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._response.close()

    def __iter__(self) -> Iterator[tuple[Change, Object]]:
        """Each change in order, until the time asked for is over.

        Raises:
            GoneError: the version to go on from is too old.
            UnavailableError: the connection broke, fell silent or made no sense.
        """
        try:
            for line in self._response:
                if line.strip():
                    yield self._change(json.loads(line))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if self._stopped:
                return
            self._on_error("watch")
            raise UnavailableError(f"{self._what}: {told(error)}") from error

    def stop(self) -> None:
        """End the iteration, which may be waiting in another thread."""
        self._stopped = True
        with suppress(OSError, ValueError, RuntimeError):  # it has ended by itself
            self._response.shutdown()

    def _change(self, event: object) -> tuple[Change, Object]:
        obj = find(event, "object")
        change = find(event, "type")
        if not isinstance(obj, dict) or change not in list(Change):
            code = find(obj, "code")
            error = GoneError if code == 410 else UnavailableError  # noqa: PLR2004
            raise error(f"{self._what}: {find(obj, 'message') or event}")
        return Change(str(change)), obj
