"""Structured logs on standard error: one JSON object a line, or text for a person at a terminal."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from service.monitoring.harmless_text import json_line, lines, one_line, without_keys
from service.monitoring.terminal import BOLD, DIM, ERASE, RED, YELLOW, styled

LOGGER = "understudy"
# Of the settings that the log may have: text on a terminal and JSON elsewhere; text anywhere.
AUTO, TEXT = "auto", "text"

# Of a record's fields, what a person at a terminal has no use for.
_NOT_SHOWN = (
    *("request_id", "client", "milliseconds", "method", "path", "status", "labels"),
    *("trace_id", "span_id"),
)
_STEP = "A version has passed "


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
        return without_keys(json_line(json.dumps(entry, ensure_ascii=False, default=str)))


class TextFormatter(logging.Formatter):
    """Formats a record as a line for a person, with the fields that matter to one.

    Args:
        colours: whether warnings are yellow and errors red.
        over_progress: whether a line that moves may stand where the record goes.
    """

    def __init__(self, *, colours: bool, over_progress: bool = False) -> None:
        super().__init__()
        self._colours = colours
        self._before = ERASE if over_progress else ""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        moment = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        colour = [RED] if record.levelno >= logging.ERROR else [YELLOW]
        message = record.getMessage()
        if "status" in fields:
            message = f"{fields['method']} {fields['path']} {fields['status']}: {message}"
        shown = [
            f"{key}={value}"
            for key, value in fields.items()
            if key not in _NOT_SHOWN and value not in (None, "", [], {})
        ]
        words = [
            styled(moment, DIM, colours=self._colours),
            styled(
                one_line(message),
                *(colour if record.levelno >= logging.WARNING else [BOLD]),
                colours=self._colours,
            ),
            *([styled(one_line(" ".join(shown)), DIM, colours=self._colours)] if shown else []),
        ]
        line = self._before + "  ".join(words)
        if record.exc_info:
            line = f"{line}\n{lines(self.formatException(record.exc_info))}"
        return without_keys(line)


class ForPeople(logging.Filter):
    """Lets through what a person at a terminal wants to know, once for all workers.

    Attributes:
        has_greeted: whether the service has said that it is up; what led to it is not shown.
        leads: whether this process speaks for the others of what they all do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.has_greeted = False
        self.leads = True

    def filter(self, record: logging.LogRecord) -> bool:
        fields = getattr(record, "fields", {})
        is_news = record.levelno >= logging.WARNING
        if record.name != LOGGER:
            return is_news  # gunicorn's account of its workers.
        if "status" in fields:
            return True  # A request is one worker's alone.
        if not self.leads and "model" in fields and not record.exc_info:
            return False
        return is_news or (self.has_greeted and not record.getMessage().startswith(_STEP))


FOR_PEOPLE = ForPeople()


def log_config(*, text: bool, colours: bool = False, over_progress: bool = False) -> dict[str, Any]:
    """Return what ``logging.config.dictConfig`` takes, for the service and its WSGI server.

    Args:
        text: whether a person reads it, instead of JSON for programs.
        colours: whether the text has colours.
        over_progress: whether a line that moves may stand where the text goes.
    """
    form: dict[str, Any] = {"()": JsonFormatter}
    if text:
        form = {"()": TextFormatter, "colours": colours, "over_progress": over_progress}
    own = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": form},
        "filters": {"for_people": {"()": lambda: FOR_PEOPLE}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "line",
                "filters": ["for_people"] if text else [],
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {LOGGER: own, "gunicorn.error": own},
    }


def log(level: int, message: str, *, error: BaseException | None = None, **fields: Any) -> None:
    """Write one line with ``fields`` beside the message, and the traceback of ``error``."""
    logging.getLogger(LOGGER).log(level, message, exc_info=error, extra={"fields": fields})
