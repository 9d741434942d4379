from dataclasses import replace
from typing import Any

import pytest

from service.api.validation.error_messages import (
    count_with_noun,
    describe_expected_value,
    describe_received,
    shape_in_words,
    shorten,
)
from service.repository.contract import Field


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"minimum": 1, "unit": "lb"}, "a number of at least 1 lb"),
        ({"maximum": 1, "nullable": True}, "a number of at most 1 or null"),
        ({"dtype": "float64"}, "a number"),
        ({"dtype": "string"}, "a string"),
        ({"dtype": "string", "max_length": 1}, "a string of at most 1 byte"),
        ({"dtype": "string", "max_length": 2}, "a string of at most 2 bytes"),
    ],
)
def test_expectations_in_words(field: dict[str, Any], words: str) -> None:
    assert (
        describe_expected_value(
            Field(**{"name": "x", "dtype": "float32", "shape": (None,), **field})
        )
        == words
    )


def test_long_values_are_shortened() -> None:
    assert len(shorten("x" * 1000)) == 60


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("Ann", "the text that was sent"),
        (b"Ann", "the text that was sent"),
        (41.5, "the number that was sent"),
        ({"b64": "QW5u"}, "the bytes that were sent"),
        ({"name": "Ann"}, "an object"),
        (["Ann"], "a list of 1 value"),
        (None, "null"),
        (True, "true"),
    ],
)
def test_of_what_is_sensitive_only_the_kind_is_told(value: Any, words: str) -> None:
    field = Field(name="x", dtype="string", shape=(None,))
    assert describe_received(field, value) == shorten(value)
    assert describe_received(replace(field, sensitive=True), value) == words


def test_one_is_no_plural() -> None:
    assert [count_with_noun(n) for n in (0, 1, 2)] == ["0 values", "1 value", "2 values"]
    assert count_with_noun(1, "byte") == "1 byte"


def test_shapes_as_the_documents_write_them() -> None:
    assert shape_in_words((None, 28, 28)) == "[N, 28, 28]"
    assert shape_in_words(()) == "[]"
