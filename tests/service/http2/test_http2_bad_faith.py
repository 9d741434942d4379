"""What clients do to a connection in bad faith, and what becomes of them (RFC 9113)."""

import pytest

from service.http2.errors import ErrorCode
from service.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    PADDED,
    PING,
    PREFACE,
    PRIORITIZED,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    frame_head,
    reset_frame,
    settings_frame,
    window_frame,
)
from tests.service.http2.conversation import (
    PING_FRAME,
    READ_TIMEOUT_S,
    Conversation,
    block,
    opened,
    request,
)

PREFACED = settings_frame({})


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(DATA, 0, 0, b"x"), ErrorCode.PROTOCOL_ERROR),
        (frame(DATA, 0, 5, b"x"), ErrorCode.PROTOCOL_ERROR),  # of an idle stream
        (frame(DATA, PADDED, 1, b"\x05abcd"), ErrorCode.PROTOCOL_ERROR),
        (frame(DATA, PADDED, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (frame(HEADERS, END_HEADERS, 0, block()), ErrorCode.PROTOCOL_ERROR),
        (frame(HEADERS, END_HEADERS, 2, block()), ErrorCode.PROTOCOL_ERROR),
        (frame(HEADERS, END_HEADERS | PADDED, 3, b"\x09abc"), ErrorCode.PROTOCOL_ERROR),
        (frame(HEADERS, END_HEADERS | PRIORITIZED, 3, b"abc"), ErrorCode.PROTOCOL_ERROR),
        (frame(HEADERS, END_HEADERS, 3, b"\x80"), ErrorCode.COMPRESSION_ERROR),
        (frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\xff"), ErrorCode.COMPRESSION_ERROR),
        (frame(HEADERS, 0, 3, b"") + PREFACED, ErrorCode.PROTOCOL_ERROR),
        (frame(HEADERS, 0, 3, b"") + frame(CONTINUATION, 0, 5, b""), ErrorCode.PROTOCOL_ERROR),
        (frame(CONTINUATION, END_HEADERS, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (request(3, is_last=True) + frame(DATA, 0, 3, b"x"), ErrorCode.STREAM_CLOSED),
        (request(3) + request(3), ErrorCode.STREAM_CLOSED),
        (reset_frame(1, ErrorCode.CANCEL) + frame(DATA, 0, 1, b"x"), ErrorCode.STREAM_CLOSED),
        (frame(PRIORITY, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR),
        (frame(RST_STREAM, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR),
        (frame(RST_STREAM, 0, 9, bytes(4)), ErrorCode.PROTOCOL_ERROR),
        (frame(RST_STREAM, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
        (frame(SETTINGS, 0, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (frame(SETTINGS, 0, 0, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
        (frame(SETTINGS, ACK, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
        (settings_frame({2: 2}), ErrorCode.PROTOCOL_ERROR),
        (settings_frame({INITIAL_WINDOW_SIZE: 2**31}), ErrorCode.FLOW_CONTROL_ERROR),
        (window_frame(1, 2**31 - 65_536) + settings_frame({INITIAL_WINDOW_SIZE: 2**31 - 1}), ErrorCode.FLOW_CONTROL_ERROR),
        (settings_frame({MAX_FRAME_SIZE: 16_383}), ErrorCode.PROTOCOL_ERROR),
        (settings_frame({MAX_FRAME_SIZE: 2**24}), ErrorCode.PROTOCOL_ERROR),
        (frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
        (frame(PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
        (frame(PING, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
        (frame(GOAWAY, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
        (window_frame(0, 0), ErrorCode.PROTOCOL_ERROR),
        (window_frame(0, 2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR),
        (window_frame(9, 1), ErrorCode.PROTOCOL_ERROR),
        (frame(WINDOW_UPDATE, 0, 0, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
        (frame_head(2**20 + 1, DATA, 0, 1), ErrorCode.FRAME_SIZE_ERROR),
        (frame_head(2**15 + 1, HEADERS, 0, 3), ErrorCode.ENHANCE_YOUR_CALM),
        (frame_head(2**15 + 1, 77, 0, 3), ErrorCode.ENHANCE_YOUR_CALM),
    ],
)  # fmt: skip
def test_who_breaks_the_protocol_is_told_how(data: bytes, code: ErrorCode) -> None:
    conversation = opened()
    assert conversation.failure(data) == code
    assert all(each.is_cancelled for each in conversation.host.requests if each.stream.id == 1)
    # Nothing is read any more.
    assert conversation.send(request(99)) == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (window_frame(1, 0), ErrorCode.PROTOCOL_ERROR),
        (window_frame(1, 2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR),
        (frame(PRIORITY, 0, 1, bytes(4)), ErrorCode.FRAME_SIZE_ERROR),
        (frame(HEADERS, END_HEADERS, 1, b"\x00\x01a\x01b"), ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_who_breaks_a_stream_loses_that_alone(data: bytes, code: ErrorCode) -> None:
    conversation = opened()
    (sent,) = conversation.send(data)
    assert (sent.kind, sent.stream, sent.number) == (RST_STREAM, 1, code)
    assert conversation.host.requests[0].is_cancelled
    assert not conversation.transport.has_ended


def streams(count: int, of: bytes) -> bytes:
    return b"".join(
        frame(HEADERS, END_HEADERS, 2 * i + 1, block()) + of.replace(b"####", (2 * i + 1).to_bytes(4, "big"))
        for i in range(1, count)
    )  # fmt: skip


RESET = reset_frame(0, ErrorCode.CANCEL)[:5] + b"####" + bytes(4)


@pytest.mark.parametrize(
    "data",
    [
        streams(2_000, RESET),  # CVE-2023-44487
        streams(2_000, window_frame(0, 0)[:5] + b"####" + bytes(4)),  # CVE-2025-8671
        frame(HEADERS, 0, 3, b"") + frame(CONTINUATION, 0, 3, b"") * 20,
        frame(HEADERS, 0, 3, block()) + frame(CONTINUATION, 0, 3, b"\x82" * 8000) * 5,
        settings_frame({}) * 6_000,
        settings_frame({INITIAL_WINDOW_SIZE: 1}) * 6_000,
        frame(PING, ACK, 0, bytes(8)) * 6_000,
        PING_FRAME * 5,
        window_frame(0, 1) * 6_000,
        frame(PRIORITY, 0, 1, bytes(5)) * 6_000,
        frame(77, 0, 0, b"") * 6_000,
        frame(DATA, 0, 1, b"") * 6_000,
        frame(DATA, PADDED, 1, b"\x01\0") * 6_000,
        reset_frame(1, ErrorCode.CANCEL) * 6_000,
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_floods_end_the_connection(data: bytes) -> None:
    conversation = opened()
    assert conversation.failure(data) == ErrorCode.ENHANCE_YOUR_CALM


def test_more_streams_than_allowed_are_refused_one_by_one() -> None:
    conversation = Conversation(holds=True)
    sent = conversation.send(streams(5_003, b""))
    assert [(each.stream, each.number) for each in sent] == [
        (2 * number + 1, ErrorCode.REFUSED_STREAM) for number in (5_001, 5_002)
    ]
    assert conversation.loop.now == 1000.0


@pytest.mark.parametrize(
    "part", [b"", PREFACE[:10], PREFACE + frame_head(8, PING, 0, 0), PREFACE + frame(HEADERS, 0, 1, b"")]
)  # fmt: skip
def test_what_does_not_come_whole_ends_the_connection(part: bytes) -> None:
    conversation = Conversation(begins=False)
    conversation.send(part)
    conversation.after(READ_TIMEOUT_S - 1)
    assert not conversation.transport.has_ended
    assert conversation.after(2)[-1].kind == GOAWAY
    assert conversation.transport.has_ended


def test_who_takes_no_answer_is_ended() -> None:
    conversation = opened()
    conversation.send(frame(DATA, 0, 1, b"x" * 70_000) + frame(DATA, END_STREAM, 1, b""))
    conversation.host.requests[0].answer()
    conversation.after(READ_TIMEOUT_S - 1)
    conversation.send(window_frame(0, 1) + window_frame(1, 1))
    assert conversation.after(READ_TIMEOUT_S - 1) == []
    (sent,) = conversation.after(2)
    assert (sent.kind, sent.number) == (RST_STREAM, ErrorCode.CANCEL)
