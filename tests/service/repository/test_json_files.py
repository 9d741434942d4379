"""JSON files that people and other programs have written."""

import pytest

from service.repository.errors import RepositoryError
from service.repository.json_files import parse_object


@pytest.mark.parametrize("value", ["null", "true", "5", "1.5", '"text"', "[]", "[[1]]"])
def test_a_value_that_is_no_object_is_named(value: str) -> None:
    with pytest.raises(RepositoryError) as raised:
        parse_object(value.encode(), "policy.json")
    assert str(raised.value) == f"policy.json must hold a JSON object, not {value}."
