"""W3C Trace Context (recommendation of 2021-11-23): which trace a request belongs to.

A caller sends ``traceparent``, with the ids of its trace and of its own span, and may send
``tracestate``, which tracing systems pass on unread. What the recommendation does not allow is
ignored, and the request begins a trace of its own.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TRACEPARENT = "HTTP_TRACEPARENT"
_TRACESTATE = "HTTP_TRACESTATE"
_BLANKS = " \t"

# Section 3.2.2. Later versions may have more behind the flags, after another hyphen.
_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.ASCII,
)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SAMPLED = 0x01

# Section 3.3.1.3: a key, with or without a tenant, and a value that does not end with a blank.
_MEMBER = re.compile(
    r"([a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]",
    re.ASCII,
)
_MOST_MEMBERS = 32


@dataclass(frozen=True, slots=True)
class TraceContext:
    """What a caller says of its trace.

    Attributes:
        trace_id: the trace; 32 hexadecimal digits.
        parent_id: the caller's span; 16 hexadecimal digits.
        is_sampled: whether the caller may have recorded its span.
        state: what ``tracestate`` holds, without blanks around its members; empty where there is
            none, or none that is valid.
    """

    trace_id: str
    parent_id: str
    is_sampled: bool
    state: str = ""


@dataclass(slots=True)
class RequestTrace:
    """The trace that a request belongs to, and its own span there.

    Attributes:
        trace_id: the trace; 32 hexadecimal digits.
        span_id: the request's own span; 16 hexadecimal digits.
        recording: what records the span; ``None`` where nothing does.
    """

    trace_id: str
    span_id: str
    recording: Any = None

    @property
    def response_header(self) -> str:
        """What ``traceresponse`` says to the caller: the ids, and whether the span is recorded."""
        flags = "00" if self.recording is None else "01"
        return f"00-{self.trace_id}-{self.span_id}-{flags}"


def read_trace_context(environ: Mapping[str, Any]) -> TraceContext | None:
    """Return what a request's headers say of its caller's trace; ``None`` where that is not valid.

    Args:
        environ: its headers, as WSGI names them; those that came twice are joined by commas.
    """
    found = _PARENT.fullmatch(environ.get(_TRACEPARENT, "").strip(_BLANKS))
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more):
        return None
    if trace_id == _NO_TRACE or parent_id == _NO_SPAN:
        return None
    state = _read_state(environ.get(_TRACESTATE, ""))
    return TraceContext(trace_id, parent_id, bool(int(flags, 16) & _SAMPLED), state)


def begin_trace(environ: Mapping[str, Any]) -> RequestTrace:
    """Return the trace of a request that nothing records: its caller's, or a new one.

    Args:
        environ: its headers, as WSGI names them.
    """
    caller = read_trace_context(environ)
    trace_id = caller.trace_id if caller else f"{_random_id(128):032x}"
    return RequestTrace(trace_id, f"{_random_id(64):016x}")


def _random_id(bits: int) -> int:
    # Ids need to differ, not to be secret; forked processes begin with other seeds.
    return random.getrandbits(bits) or 1


def _read_state(header: str) -> str:
    """Return the members of ``tracestate``; none unless all are valid and differ by their keys."""
    if not header:
        return ""  # As of most callers.
    members = [member for part in header.split(",") if (member := part.strip(_BLANKS))]
    keys = set()
    for member in members:
        found = _MEMBER.fullmatch(member)
        if found is None:
            return ""
        keys.add(found[1])
    if len(keys) != len(members) or len(members) > _MOST_MEMBERS:
        return ""
    return ",".join(members)
