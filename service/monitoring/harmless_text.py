"""Text of strangers as logs and traces may have it: without control characters and API keys.

A path, a name or a value of a request is quoted in messages. A line's end in it would forge a line
of a log for people, an escape sequence would command their terminal, and a key that somebody put
into an address would be kept wherever logs are.
"""

import re

# Scanners for leaked secrets find keys by it, and so do we.
KEY_PREFIX = "usk_"

# C0, DEL and C1; what some readers take for a line's end; what turns the direction of writing.
_CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_CONTROL_IN_LINES = re.compile(rf"(?!\n)[{_CONTROLS}]")
# Of a key that was cut off as well, as long as there is enough of it to be worth something.
_API_KEY = re.compile(KEY_PREFIX + r"[A-Za-z0-9_-]{8,}")


def without_keys(text: str) -> str:
    """Return a text with words in the place of API keys."""
    return _API_KEY.sub("(an API key)", text) if KEY_PREFIX in text else text


def one_line(text: str) -> str:
    """Return a text with its control characters as Python writes them."""
    return _CONTROL.sub(_escaped, text)


def lines(text: str) -> str:
    """Return a text of several lines with all other control characters as Python writes them."""
    return _CONTROL_IN_LINES.sub(_escaped, text)


def json_line(text: str) -> str:
    """Return JSON with its control characters as JSON can write them, which changes no value."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
