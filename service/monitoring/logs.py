"""Structured logs: one JSON object a line, on standard error."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

LOGGER = "understudy"


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON, with what was passed as ``extra={"fields": ...}``."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "worker": record.process,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def _logger(level: str) -> dict[str, Any]:
    return {"handlers": ["stderr"], "level": level, "propagate": False}


# For logging.config.dictConfig: the service's lines and those of its WSGI server, in one form.
LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
            "formatter": "json",
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {LOGGER: _logger("INFO"), "gunicorn.error": _logger("INFO")},
}


def log(level: int, message: str, *, error: BaseException | None = None, **fields: Any) -> None:
    """Write one line with ``fields`` beside the message, and the traceback of ``error``."""
    logging.getLogger(LOGGER).log(level, message, exc_info=error, extra={"fields": fields})
