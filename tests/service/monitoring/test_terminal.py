"""What moves on a terminal, and what a person's log shows there."""

import io
import json
import logging
import os
import pty
from collections.abc import Iterator
from typing import TextIO

import pytest

from service.monitoring.logs import ForPeople, JsonFormatter, TextFormatter
from service.monitoring.terminal import ProgressLine, has_colours, is_terminal, styled


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """What a terminal shows, as a descriptor, and the stream that writes to it."""
    shows, writes = pty.openpty()
    with os.fdopen(writes, "w", encoding="utf-8") as stream:
        yield shows, stream
    os.close(shows)


def test_colours_are_for_terminals_of_those_who_want_them(terminal: tuple[int, TextIO]) -> None:
    _, stream = terminal
    assert has_colours(stream, {})
    assert not has_colours(stream, {"NO_COLOR": "1"})
    assert has_colours(stream, {"NO_COLOR": ""})
    assert not has_colours(stream, {"TERM": "dumb"})
    assert not has_colours(io.StringIO(), {})
    assert styled("x", "1", "31", colours=True) == "\x1b[1;31mx\x1b[0m"
    assert styled("x", "1", colours=False) == "x"


def test_a_closed_stream_is_no_terminal(terminal: tuple[int, TextIO]) -> None:
    _, stream = terminal
    assert is_terminal(stream)
    stream.close()
    assert not is_terminal(stream)


def test_the_line_moves_and_is_gone_afterwards(terminal: tuple[int, TextIO]) -> None:
    shows, stream = terminal
    line = ProgressLine(stream)
    with line.moving("loading"):
        said = ""
        while said.count("loading") < 2:
            said += os.read(shows, 1000).decode()
    assert "\r\x1b[K⠙ loading\r\x1b[K⠹ loading" in said
    assert os.read(shows, 1000).decode().endswith("\r\x1b[K")


def test_nothing_follows_its_last_word(terminal: tuple[int, TextIO]) -> None:
    shows, stream = terminal
    line = ProgressLine(stream)
    line.end("Stopped.")
    line.draw("loading")
    line.erase()
    line.end("Stopped.")
    assert os.read(shows, 1000) == b"\r\x1b[KStopped.\r\n"


def record(
    level: int, message: str, name: str = "understudy", **fields: object
) -> logging.LogRecord:
    made = logging.LogRecord(name, level, "", 0, message, None, None)
    made.fields = fields
    return made


def test_text_says_what_matters_to_a_person() -> None:
    plain = TextFormatter(colours=False)
    swap = record(logging.INFO, "Versions serve.", model="m", versions=[2], labels={})
    assert plain.format(swap)[8:] == "  Versions serve.  model=m versions=[2]"
    wrong = record(
        logging.WARNING, "Expected a number.", request_id="1", method="POST", path="/v1", status=400,
        model="m", version=None, milliseconds=0.1, client="127.0.0.1",
    )  # fmt: skip
    assert plain.format(wrong)[8:] == "  POST /v1 400: Expected a number.  model=m"
    coloured = TextFormatter(colours=True)
    assert "\x1b[33mPOST /v1 400" in coloured.format(wrong)
    assert "\x1b[31mA version was refused." in coloured.format(
        record(logging.ERROR, "A version was refused.")
    )
    over_progress = TextFormatter(colours=False, over_progress=True).format(swap)
    assert over_progress.startswith("\r\x1b[K")
    assert over_progress.removeprefix("\r\x1b[K")[8:] == plain.format(swap)[8:]
    assert json.loads(JsonFormatter().format(wrong))["status"] == 400


def test_people_hear_once_of_what_all_workers_do() -> None:
    filtering = ForPeople()
    swap = record(logging.INFO, "Versions serve.", model="m", versions=[2])
    refused = record(logging.ERROR, "A version was refused.", model="m", version=2)
    request = record(logging.WARNING, "No.", model="m", status=400)
    assert not filtering.filter(swap), "the greeting says what serves"
    filtering.has_greeted = True
    assert filtering.filter(swap)
    assert not filtering.filter(record(logging.INFO, "A version has passed loading.", model="m"))
    assert not filtering.filter(record(logging.INFO, "Worker exiting", name="gunicorn.error"))
    assert filtering.filter(record(logging.ERROR, "Worker died", name="gunicorn.error"))
    assert filtering.filter(refused)
    filtering.leads = False
    assert not filtering.filter(swap)
    assert not filtering.filter(refused)
    assert filtering.filter(request)
