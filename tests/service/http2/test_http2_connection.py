"""What clients do to a connection in good faith (RFC 9113)."""

import random

import pytest

from service.http2 import http2_connection
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
    LAST_STREAM,
    MAX_FRAME_SIZE,
    PADDED,
    PING,
    PREFACE,
    PRIORITIZED,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    goaway_frame,
    reset_frame,
    settings_frame,
    window_frame,
)
from tests.service.http2.conversation import (
    PING_FRAME,
    READ_TIMEOUT_S,
    WINDOW,
    Conversation,
    Sent,
    block,
    opened,
    request,
)


def kinds(sent: list[Sent]) -> list[int]:
    return [each.kind for each in sent]


def test_an_answer_is_one_piece() -> None:
    conversation = Conversation()
    first = conversation.received()
    assert first == []
    head, data, trailers = conversation.send(request(1))
    assert (head.kind, head.flags, head.payload) == (HEADERS, END_HEADERS, b"\x88")
    assert (data.kind, data.payload) == (DATA, b"hello")
    assert (trailers.kind, trailers.flags) == (HEADERS, END_HEADERS | END_STREAM)
    assert conversation.connection.client == "192.0.2.1"


def test_bytes_may_come_one_by_one() -> None:
    conversation = Conversation(begins=False)
    sent = [
        each
        for byte in PREFACE + settings_frame({}) + request(1) + request(3, b"")
        for each in conversation.send(bytes([byte]))
    ]
    assert kinds(sent) == [SETTINGS, WINDOW_UPDATE, SETTINGS, *[HEADERS, DATA, HEADERS] * 2]
    assert [each.body for each in conversation.host.requests] == [b"hello", b""]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_padding_priority_and_continuations(size: int) -> None:
    fields = block()
    sent = (
        frame(HEADERS, PADDED | PRIORITIZED, 1, b"\x02" + bytes(5) + fields[:10] + b"\0\0")
        + frame(CONTINUATION, 0, 1, fields[10:20])
        + frame(CONTINUATION, END_HEADERS, 1, fields[20:])
        + frame(PRIORITY, 0, 9, bytes(5))
        + frame(DATA, PADDED, 1, b"\x03abc\0\0\0")
        + frame(DATA, PADDED, 1, b"\x00def")
        + frame(77, 0xFF, 1, b"of a kind that nobody knows")
        + frame(DATA, PADDED | END_STREAM, 1, b"\x04\0\0\0\0")
    )
    conversation = Conversation()
    for at in range(0, len(sent), size):
        conversation.send(sent[at : at + size])
    (found,) = conversation.host.requests
    assert found.body == b"abcdef"
    assert found.stream.window == WINDOW - 7 - 4 - 5


def test_trailers_end_a_request() -> None:
    conversation = Conversation()
    conversation.send(request(1, is_last=False))
    sent = conversation.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x01a\x01b"))
    assert kinds(sent) == [HEADERS, DATA, HEADERS]


def test_an_answer_waits_for_the_client_s_windows() -> None:
    conversation = Conversation(holds=True)
    conversation.send(settings_frame({INITIAL_WINDOW_SIZE: 10, MAX_FRAME_SIZE: 20_000}))
    conversation.send(request(1, b"x" * 70_000))
    conversation.host.requests[0].answer()
    assert [len(each.payload) for each in conversation.received()] == [1, 10]
    (sent,) = conversation.send(window_frame(1, 5))
    assert len(sent.payload) == 5
    sizes = [len(each.payload) for each in conversation.send(window_frame(1, 100_000))]
    # The rest of the connection's 65,535 bytes, in frames as large as the client takes.
    assert sizes == [20_000, 20_000, 20_000, 5520]
    *_, last = conversation.send(window_frame(0, 100_000))
    assert (last.kind, last.flags & END_STREAM) == (HEADERS, END_STREAM)
    assert conversation.connection.idle_since is not None


def test_answers_share_the_connection_s_window() -> None:
    conversation = Conversation(holds=True)
    conversation.send(settings_frame({INITIAL_WINDOW_SIZE: 2**20}))
    conversation.send(request(1, b"x" * 90_000) + request(3, b"y" * 90_000))
    for each in conversation.host.requests:
        each.answer()
    conversation.received()
    turns = [{each.stream for each in conversation.send(window_frame(0, 1000))} for _ in range(2)]
    assert turns == [{1}, {3}] or turns == [{3}, {1}]


def test_a_smaller_window_may_be_less_than_nothing() -> None:
    conversation = Conversation(holds=True)
    conversation.send(request(1, b"x" * 70_000))
    conversation.host.requests[0].answer()
    conversation.received()
    conversation.send(settings_frame({INITIAL_WINDOW_SIZE: 0}))
    assert conversation.send(window_frame(0, 10_000)) == []
    assert conversation.send(window_frame(1, 65_535)) == []
    (sent,) = conversation.send(window_frame(1, 7))
    assert len(sent.payload) == 7


def test_the_connection_s_window_is_renewed_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_connection, "_WINDOW", 2**20)
    conversation = Conversation()
    updates = []
    for stream in range(1, 31, 2):
        sent = conversation.send(request(stream, b"x" * 50_000))
        updates += [each.number for each in sent if each.kind == WINDOW_UPDATE]
        conversation.send(window_frame(0, 50_000) + window_frame(stream, 50_000))
    assert updates == [11 * 50_000]


def test_what_is_answered_early_is_cut_off() -> None:
    conversation = opened()
    conversation.host.requests[0].answer()
    *_, reset = conversation.received()
    assert (reset.kind, reset.number) == (RST_STREAM, ErrorCode.NO_ERROR)
    # What was on its way is dropped.
    assert conversation.send(frame(DATA, 0, 1, b"x") + frame(DATA, END_STREAM, 1, b"y")) == []
    assert conversation.send(PING_FRAME)[0].flags == ACK


def test_who_hangs_up_frees_the_place() -> None:
    conversation = opened()
    conversation.send(request(3))
    conversation.send(reset_frame(1, ErrorCode.CANCEL))
    first, second = conversation.host.requests
    assert (first.is_cancelled, second.is_cancelled) == (True, False)
    conversation.connection.connection_lost(None)
    assert second.is_cancelled
    second.answer()
    assert not conversation.host.register


def test_a_streams_window_bounds_what_is_not_used() -> None:
    conversation = opened()
    sent = conversation.send(frame(DATA, 0, 1, b"x" * WINDOW) + frame(DATA, 0, 1, b"x"))
    assert [(each.kind, each.number) for each in sent] == [
        (RST_STREAM, ErrorCode.FLOW_CONTROL_ERROR)
    ]
    assert conversation.host.requests[0].is_cancelled


def test_a_plain_request_is_told_what_is_spoken_here() -> None:
    conversation = Conversation(begins=False)
    conversation.connection.data_received(b"GET / HTTP/1.1\r\n")
    assert conversation.transport.written.startswith(b"HTTP/1.1 505 ")
    assert conversation.transport.has_ended


def test_pings_are_welcome_after_answers() -> None:
    conversation = Conversation()
    for stream in range(1, 101, 2):
        conversation.send(request(stream) + PING_FRAME)
    conversation.received()
    for _ in range(5):
        conversation.loop.now += 11
        assert conversation.send(PING_FRAME)[0].flags == ACK


def test_other_connections_have_their_turn_meanwhile() -> None:
    conversation = Conversation()
    data = b"".join(request(stream) for stream in range(1, 20_001, 2))
    conversation.connection.data_received(data)
    assert conversation.transport.is_paused
    assert len(conversation.host.requests) < 10_000
    conversation.send(b"")
    assert len(conversation.host.requests) == 10_000
    assert not conversation.transport.is_paused


def test_a_busy_client_may_leave_the_end_of_a_frame_to_later_again_and_again() -> None:
    conversation = Conversation()
    data = b"".join(request(stream) for stream in range(1, 101, 2))
    size = len(data) // 20 - 1
    for at in range(0, len(data), size):
        conversation.send(data[at : at + size])
        conversation.after(1)
    assert len(conversation.host.requests) == 50
    assert not conversation.transport.has_ended


def test_nothing_is_read_while_the_client_takes_nothing() -> None:
    conversation = Conversation(holds=True)
    conversation.send(settings_frame({INITIAL_WINDOW_SIZE: 2**30}) + window_frame(0, 2**30))
    conversation.send(request(1, b"x" * 90_000))
    conversation.transport.unsent = 2**20
    conversation.connection.pause_writing()
    assert conversation.transport.is_paused
    conversation.host.requests[0].answer()
    assert [len(each.payload) for each in conversation.received()] == [1]
    conversation.connection.resume_writing()
    assert conversation.received()[-1].kind == HEADERS
    assert not conversation.transport.is_paused
    conversation.connection.pause_writing()
    conversation.after(READ_TIMEOUT_S + 1)
    assert conversation.transport.is_aborted


def test_answers_wait_in_their_streams_while_the_client_takes_nothing() -> None:
    conversation = Conversation(holds=True)
    conversation.send(b"".join(request(stream) for stream in (1, 3)))
    conversation.connection.pause_writing()
    for each in conversation.host.requests:
        each.answer()
    held = conversation.received()
    assert kinds(held) == [HEADERS, HEADERS]
    assert all(not each.stream.is_closed for each in conversation.host.requests)
    conversation.connection.resume_writing()
    sent = conversation.received()
    assert [(each.stream, each.kind) for each in sent] == [
        (1, DATA), (1, HEADERS), (3, DATA), (3, HEADERS),
    ]  # fmt: skip


def test_a_connection_goes_in_time_and_loses_no_call() -> None:
    conversation = Conversation(holds=True)
    conversation.send(request(1))
    conversation.after(26)
    conversation.loop.now += 7
    warning, ping = conversation.after(1)
    assert (warning.kind, int.from_bytes(warning.payload[:4], "big")) == (GOAWAY, LAST_STREAM)
    # This call was on its way.
    assert conversation.send(request(3)) == []
    (last,) = conversation.send(frame(PING, ACK, 0, ping.payload))
    assert (last.kind, last.payload) == (GOAWAY, goaway_frame(3, ErrorCode.NO_ERROR)[9:])
    # This one is for another connection.
    assert conversation.send(request(5)) == []
    assert len(conversation.host.requests) == 2
    for each in conversation.host.requests:
        assert not conversation.transport.has_ended
        each.answer()
    assert conversation.transport.has_ended


def test_a_client_that_does_not_answer_is_told_its_last_call_all_the_same() -> None:
    conversation = Conversation()
    conversation.connection.leave()
    conversation.received()
    assert conversation.after(6)[0].kind == GOAWAY
    assert conversation.transport.has_ended


@pytest.mark.parametrize("ends", ["end_if_idle", "drop"])
def test_what_is_idle_goes_when_it_is_asked_to(ends: str) -> None:
    conversation = Conversation()
    getattr(conversation.connection, ends)()
    assert kinds(conversation.received()) == [GOAWAY]
    assert conversation.transport.has_ended or conversation.transport.is_aborted


@pytest.mark.parametrize("ends", ["end_if_idle", "drop", "leave", "silence"])
def test_a_client_is_greeted_before_it_is_asked_to_go(ends: str) -> None:
    """It has connected, and has sent nothing yet: otherwise it could not tell who answers."""
    conversation = Conversation(begins=False)
    if ends == "silence":
        sent = conversation.after(READ_TIMEOUT_S + 1)
    else:
        getattr(conversation.connection, ends)()
        sent = conversation.received()
    assert kinds(sent)[:3] == [SETTINGS, WINDOW_UPDATE, GOAWAY]


def test_a_call_that_was_on_its_way_when_the_client_was_asked_to_go_is_answered() -> None:
    conversation = Conversation(begins=False)
    conversation.connection.leave()
    conversation.received()
    sent = conversation.send(PREFACE + settings_frame({}) + request(1))
    # It is not greeted again: these are the acknowledgement and the answer.
    assert [(each.kind, each.flags & ACK) for each in sent[:1]] == [(SETTINGS, ACK)]
    assert kinds(sent[1:]) == [HEADERS, DATA, HEADERS]


def test_a_client_that_goes_is_answered() -> None:
    conversation = opened()
    conversation.send(goaway_frame(0, ErrorCode.NO_ERROR))
    assert not conversation.transport.has_ended
    conversation.host.requests[0].answer()
    assert conversation.transport.has_ended


def test_a_silent_client_is_asked_whether_it_is_there() -> None:
    conversation = Conversation(holds=True)
    conversation.send(request(1))
    sent = conversation.after(62)
    assert kinds(sent)[-1] == PING
    conversation.send(frame(PING, ACK, 0, sent[-1].payload))
    conversation.after(79)
    assert not conversation.transport.is_aborted
    conversation.after(4)
    assert conversation.transport.is_aborted


def test_pings_are_welcome_within_a_long_answer() -> None:
    """gRPC's clients measure with them how much may be on its way."""
    conversation = Conversation(holds=True)
    conversation.send(request(1))
    stream = conversation.host.requests[0].stream
    stream.begin(b"\x88")
    for _ in range(20):
        conversation.connection._outbox.send(stream, b"part")
        assert conversation.send(PING_FRAME)[-1].flags == ACK


def test_whatever_comes_ends_in_order() -> None:
    chance = random.Random(9113)
    good = (
        request(1)
        + settings_frame({INITIAL_WINDOW_SIZE: 70_000})
        + frame(HEADERS, PADDED | PRIORITIZED, 3, b"\x01" + bytes(5) + block() + b"\0")
        + frame(CONTINUATION, END_HEADERS, 3, b"\x40\x01a\x01b\xbe")
        + frame(DATA, PADDED, 3, b"\x02data\0\0")
        + window_frame(3, 100)
        + PING_FRAME
        + frame(DATA, END_STREAM, 3, b"more")
        + reset_frame(5, ErrorCode.CANCEL)
        + goaway_frame(0, ErrorCode.NO_ERROR)
    )
    for _ in range(1500):
        spoilt = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        conversation = Conversation(holds=chance.random() < 0.5)
        at = 0
        while at < len(spoilt):
            end = at + chance.randrange(1, 100)
            conversation.send(bytes(spoilt[at:end]))
            at = end
        conversation.after(READ_TIMEOUT_S + 1)
        conversation.connection.connection_lost(None)
        assert all(each.stream.is_closed for each in conversation.host.requests)
