"""The fields of a contract in which classifiers answer."""

from collections.abc import Sequence

from service.repository.contract import Field


def label(labels: Sequence[str], example: str, what: str = "class") -> Field:
    """Return the field of the class's name; ``what`` is a class in its description."""
    return Field(
        name="label",
        dtype="string",
        shape=(None,),
        description=f"The most probable {what}.",
        choices=tuple(labels),
        example=example,
    )


def class_id(name: str, classes: int, description: str, example: int) -> Field:
    """Return the field of the class's number, from 0."""
    return Field(
        name=name,
        dtype="int64",
        shape=(None,),
        description=description,
        minimum=0,
        maximum=classes - 1,
        example=example,
    )


def probability(name: str, description: str, example: float) -> Field:
    """Return the field of one probability for each instance."""
    return Field(
        name=name,
        dtype="float32",
        shape=(None,),
        description=description,
        minimum=0,
        maximum=1,
        example=example,
    )


def probabilities(labels: Sequence[str], listed: str = "") -> Field:
    """Return the field of the probabilities of all classes; ``listed`` sums up their names."""
    return Field(
        name="probabilities",
        dtype="float32",
        shape=(None, len(labels)),
        description=f"Of {listed or ', '.join(labels)}, in this order.",
        minimum=0,
        maximum=1,
    )
