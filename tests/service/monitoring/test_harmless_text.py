"""What strangers write, in logs: no line of its own, no command to a terminal, no API key."""

import json
import logging
import sys

import pytest

from service.access.key_file import new_key
from service.monitoring.harmless_text import lines, one_line, without_keys
from service.monitoring.logs import JsonFormatter, TextFormatter

HOSTILE = "a\n12:00:00  forged\r\x1b[31m\x1b]0;title\x07\x9b2J\x7f\u2028b\u202ec"


def record(message: str, error: BaseException | None = None) -> logging.LogRecord:
    raised = (type(error), error, None) if error else None
    made = logging.LogRecord("understudy", logging.WARNING, "", 0, message, (), raised)
    made.fields = {  # type: ignore[attr-defined]
        "method": "POST",
        "path": f"/v1/models/{HOSTILE}",
        "status": 404,
        "signature": HOSTILE,
    }
    return made


def is_harmless(text: str) -> bool:
    return text.isprintable() and "\u202e" not in text


def test_a_request_writes_one_line_of_text_without_commands() -> None:
    text = TextFormatter(colours=False).format(record(f"There is no model {HOSTILE}."))
    assert is_harmless(text)
    assert "forged\\r\\x1b[31m\\x1b]0;title\\x07\\x9b2J\\x7f\\u2028b\\u202ec" in text


def test_a_traceback_keeps_its_lines_and_nothing_else() -> None:
    formatter = TextFormatter(colours=False)
    text = formatter.format(record("It failed.", ValueError("one\ntwo\x1b[31m")))
    assert all(is_harmless(line) for line in text.split("\n"))
    assert text.endswith("ValueError: one\ntwo\\x1b[31m")


def test_json_is_one_line_for_every_reader_and_means_the_same() -> None:
    line = JsonFormatter().format(record(HOSTILE))
    assert is_harmless(line)
    assert line.splitlines() == [line]
    assert json.loads(line)["message"] == HOSTILE
    assert json.loads(line)["path"] == f"/v1/models/{HOSTILE}"


def test_all_that_people_write_stays() -> None:
    text = "Expected 'größer' \\ 東京 😀 - naïve"
    assert one_line(text) == lines(text) == without_keys(text) == text


@pytest.mark.parametrize("formatter", [TextFormatter(colours=False), JsonFormatter()])
def test_a_key_in_an_address_is_in_no_log(formatter: logging.Formatter) -> None:
    key, _ = new_key("shop")
    made = record(f"There is no model {key!r}; the host was {key[:30]}.")
    made.fields = {  # type: ignore[attr-defined]
        "method": "GET",
        "path": f"/v1/models/{key}/metadata",
        "status": 404,
        "request_id": key,
    }
    written = formatter.format(made)
    assert "There is no model '(an API key)'; the host was (an API key)." in written
    assert "/v1/models/(an API key)/metadata" in written
    assert key[4:12] not in written


def test_the_traceback_of_a_failure_has_no_key() -> None:
    key, _ = new_key("shop")
    try:
        raise ValueError(key)
    except ValueError as error:
        made = record("It failed.", error)
        made.exc_info = sys.exc_info()
    for formatter in (TextFormatter(colours=False), JsonFormatter()):
        assert key not in formatter.format(made)
