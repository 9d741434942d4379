"""Fields that are marked as sensitive when a version is trained."""

import pytest

from service.repository.contract import Contract, Field, Signature
from training.errors import UsageError
from training.publishing.sensitive_fields import mark_sensitive


def contract(*sensitive: str) -> Contract:
    def fields(*names: str) -> tuple[Field, ...]:
        return tuple(
            Field(name=name, dtype="float32", shape=(None,), sensitive=name in sensitive)
            for name in names
        )

    return {
        "serving_default": Signature("serving_default", fields("x", "who"), fields("y")),
        "other": Signature("other", fields("who"), fields("z")),
    }


@pytest.mark.parametrize(
    ("named", "before", "expected"),
    [
        (None, None, ()),
        (None, contract("who"), ("who",)),
        ("who, z", None, ("who", "z")),
        ("y", contract("who"), ("y",)),
        ("none", contract("who"), ()),
    ],
)
def test_marks_are_set_kept_and_taken_back(
    named: str | None, before: Contract | None, expected: tuple[str, ...]
) -> None:
    assert mark_sensitive(contract(), named, before) == contract(*expected)


def test_marks_are_not_set_and_taken_back_at_once() -> None:
    with pytest.raises(UsageError, match=r"names of fields, or none, not both \(none, who\)\."):
        mark_sensitive(contract(), "none, who", None)


def test_a_name_that_no_field_has_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"--sensitive names 'whom'; the contract's fields are who, x, y, z\."
    ):
        mark_sensitive(contract(), "who,whom", None)
