"""``traceparent`` and ``tracestate``, by the cases of W3C's own test suite and some more."""

import re

import pytest

from service.monitoring.trace_context import TraceContext, begin_trace, read_trace_context

TRACE, SPAN = "12345678901234567890123456789012", "1234567890123456"


def read(parent: str, state: str | None = None) -> TraceContext | None:
    environ = {"HTTP_TRACEPARENT": parent}
    if state is not None:
        environ["HTTP_TRACESTATE"] = state
    return read_trace_context(environ)


@pytest.mark.parametrize(
    ("parent", "is_sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f" \t00-{TRACE}-{SPAN}-01\t ", True),
        # Of a version to come, as far as it is known.
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", True),
        (f"01-{TRACE}-{SPAN}-00-", False),
        (f"fe-{TRACE}-{SPAN}-03-.", True),
    ],
)
def test_a_valid_parent_is_taken(parent: str, is_sampled: bool) -> None:
    assert read(parent) == TraceContext(TRACE, SPAN, is_sampled)
    assert begin_trace({"HTTP_TRACEPARENT": parent}).trace_id == TRACE


@pytest.mark.parametrize(
    "parent",
    [
        "",
        " ",
        "0",
        f"ff-{TRACE}-{SPAN}-01",
        f"FF-{TRACE}-{SPAN}-01",
        f".0-{TRACE}-{SPAN}-01",
        f"0.-{TRACE}-{SPAN}-01",
        f"000-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"0\u0660-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-.{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE[:-1]}.-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE[:-1]}A-{SPAN}-01",
        f"00-{TRACE}-.{SPAN[1:]}-01",
        f"00-{TRACE}-{SPAN[:-1]}-01",
        f"00-{TRACE}-{SPAN}0-01",
        f"00-{TRACE}-{SPAN[:-1]}F-01",
        f"00-{TRACE}-{SPAN}-.0",
        f"00-{TRACE}-{SPAN}-0.",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-001",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"00-{TRACE}-{SPAN}-01.",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01\n",
        f"cc-{TRACE}-{SPAN}-01.what-the-future-will-not-be-like",
        f"cc-{TRACE}-{SPAN}-0",
        f"cc-{TRACE}-{SPAN}-001",
        f"00 {TRACE}-{SPAN}-01",
        # Two headers, as servers join them.
        f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01,cc-{TRACE}-{SPAN}-01",
        "a" * 60_000,
    ],
)
def test_a_malformed_parent_begins_a_new_trace(parent: str) -> None:
    assert read(parent, "foo=1") is None
    traces = [begin_trace({"HTTP_TRACEPARENT": parent}) for _ in range(2)]
    assert len({TRACE, *(trace.trace_id for trace in traces)}) == 3
    for trace in traces:
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace.response_header)
        assert trace.trace_id.strip("0")
        assert trace.span_id.strip("0")


def test_each_request_has_a_span_of_its_own() -> None:
    environ = {"HTTP_TRACEPARENT": f"00-{TRACE}-{SPAN}-01"}
    spans = {begin_trace(environ).span_id for _ in range(100)}
    assert len(spans) == 100
    assert SPAN not in spans
    # Nothing is recorded here, whatever the caller does.
    assert begin_trace(environ).response_header.endswith("-00")


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ("foo=1", "foo=1"),
        ("foo=1,bar=2", "foo=1,bar=2"),
        (" foo=1 \t,\tbar=2 ", "foo=1,bar=2"),
        # Empty members are allowed.
        ("foo=1,", "foo=1"),
        (",foo=1,,bar=2", "foo=1,bar=2"),
        ("", ""),
        (" , ,", ""),
        ("foo-_*/bar=bar-_*/foo", "foo-_*/bar=bar-_*/foo"),
        ("fw529a3039@dt=FfAMfHQ,0@x=a b", "fw529a3039@dt=FfAMfHQ,0@x=a b"),
        (f"{'z' * 256}=1", f"{'z' * 256}=1"),
        (f"{'t' * 241}@{'v' * 14}=1", f"{'t' * 241}@{'v' * 14}=1"),
        (f"foo={'1' * 256}", f"foo={'1' * 256}"),
        (
            ",".join(f"bar{n}=1" for n in range(32)),
            ",".join(f"bar{n}=1" for n in range(32)),
        ),
    ],
)
def test_a_valid_state_is_kept(state: str, kept: str) -> None:
    found = read(f"00-{TRACE}-{SPAN}-01", state)
    assert found is not None
    assert found.state == kept


@pytest.mark.parametrize(
    "state",
    [
        "foo",
        "foo=",
        "=1",
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "0foo=1",
        "foo@=1,bar=2",
        "@foo=1,bar=2",
        "foo@@bar=1,bar=2",
        "foo@bar@baz=1,bar=2",
        "foo@0bar=1",
        "foo=1=",
        "foo=bar=baz",
        "foo=ö",
        "foo=1\x7f",
        "foo=1\t2",
        f"{'z' * 257}=1",
        f"{'t' * 242}@v=1",
        f"t@{'v' * 15}=1",
        f"foo={'1' * 257}",
        "foo=1,foo=1",
        "foo=1,bar=2,foo=3",
        "foo=1,bar",
        ",".join(f"bar{n}=1" for n in range(33)),
        # A semicolon is a plain character, an equals sign is not.
        "foo=1;bar=2",
    ],
)
def test_a_malformed_state_is_dropped_and_leaves_the_parent(state: str) -> None:
    assert read(f"00-{TRACE}-{SPAN}-01", state) == TraceContext(TRACE, SPAN, is_sampled=True)
