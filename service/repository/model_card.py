"""The card of a version: what the model is, what it takes and gives, and how good it is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.repository.contract import Contract
from service.repository.contract_json import contract_from_json, contract_to_json
from service.repository.errors import RepositoryError
from service.repository.json_files import read_optional, shown, write_object
from service.repository.precision import Precision

CARD = "assets.extra/card.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A version's card.

    Attributes:
        name: the model's name.
        title: the model in a few words, for people.
        task: "classification" or "regression".
        contract: the signatures that the model promises.
        created_at: when it was exported, ISO 8601 with time zone.
        description: what the model does and what it is not good for.
        evaluation: what was measured, on which data; any JSON object.
        training: how it was trained; any JSON object.
        data: which data it was trained on, with fingerprints; any JSON object.
        libraries: versions of the libraries that made it.
        precision: what its evaluation was measured with, and what it is to be served with.
    """

    name: str
    title: str
    task: str
    contract: Contract
    created_at: str
    description: str = ""
    evaluation: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    precision: Precision = Precision.FLOAT32


_TEXTS = ("name", "title", "task", "created_at", "description")
_OBJECTS = ("evaluation", "training", "data", "libraries")


def write_card(directory: Path, card: Card) -> None:
    """Write ``card`` into a version's folder."""
    value: dict[str, Any] = {"format": _FORMAT}
    value |= {key: getattr(card, key) for key in _TEXTS}
    value["precision"] = str(card.precision)
    value["contract"] = contract_to_json(card.contract)
    value |= {key: getattr(card, key) for key in _OBJECTS}
    (directory / CARD).parent.mkdir(exist_ok=True)
    write_object(directory / CARD, value)


def read_card(directory: Path) -> Card | None:
    """Read the card of a version; ``None`` when it has none.

    Raises:
        RepositoryError: there is a card, and it is not one of this format.
    """
    value = read_optional(directory / CARD)
    if value is None:
        return None
    if value.get("format") != _FORMAT:
        raise RepositoryError(
            f"{CARD}: format must be {_FORMAT}, not {shown(value.get('format'))}."
        )
    for keys, kind, what in ((_TEXTS, str, "a string"), (_OBJECTS, dict, "an object")):
        for key in keys:
            if not isinstance(value.get(key), kind):
                raise RepositoryError(f"{CARD}: {key} must be {what}, not {shown(value.get(key))}.")
    try:
        contract = contract_from_json(value.get("contract"))
    except RepositoryError as error:
        raise RepositoryError(f"{CARD}: {error}") from error
    precision = value.get("precision", Precision.FLOAT32)
    if not isinstance(precision, str) or precision not in set(Precision):
        known = " or ".join(repr(str(each)) for each in Precision)
        raise RepositoryError(f"{CARD}: precision must be {known}, not {shown(precision)}.")
    return Card(
        contract=contract,
        precision=Precision(precision),
        **{key: value[key] for key in (*_TEXTS, *_OBJECTS)},
    )
