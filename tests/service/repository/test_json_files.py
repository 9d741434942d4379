"""JSON files that people and other programs have written."""

import pytest

from service.repository.errors import RepositoryError
from service.repository.json_files import parse_object


@pytest.mark.parametrize("value", ["null", "true", "5", "1.5", '"text"', "[]", "[[1]]"])
def test_a_value_that_is_no_object_is_named(value: str) -> None:
    with pytest.raises(RepositoryError) as raised:
        parse_object(value.encode(), "policy.json")
    assert str(raised.value) == f"policy.json must hold a JSON object, not {value}."


@pytest.mark.parametrize("number", ["1e999", "-1e309", "1" + "0" * 309 + ".5"])
def test_a_number_that_no_float_holds_is_named(number: str) -> None:
    with pytest.raises(RepositoryError, match=r"card\.json holds a number beyond float64: -?1"):
        parse_object(f'{{"a": [{number}]}}'.encode(), "card.json")


def test_large_numbers_come_as_they_are() -> None:
    assert parse_object(b'{"a": 1.5e308, "b": 18446744073709551616}', "card.json") == {
        "a": 1.5e308,
        "b": 2**64,
    }
