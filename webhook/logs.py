"""One JSON object a line, to standard output: what log stores and people at night can read."""

import json
import logging
import sys
from datetime import UTC, datetime

log = logging.getLogger("lockstep")
"""The logger; pass `extra=fields(…)` for what a line says besides its message."""


class JsonFormatter(logging.Formatter):
    """A record as one line: time (UTC), level, message, then the fields in their order."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message contains."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def fields(**values: object) -> dict[str, object]:
    """The `extra` of a log call; what is None does not apply and is left out."""
    return {"fields": {name: value for name, value in values.items() if value is not None}}


def configure(level: str) -> None:
    """Let this process log from `level` on; libraries from WARNING on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(level)
