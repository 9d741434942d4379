"""Contracts as JSON: how a card holds them, and how they are read from there."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from service.repository.contract import Contract, Field, Signature, is_one_of
from service.repository.errors import RepositoryError

_TYPES: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "dtype": (str,),
    "shape": (list, type(None)),
    "description": (str,),
    "unit": (str,),
    "minimum": (int, float),
    "maximum": (int, float),
    "choices": (list,),
    "content_types": (list,),
    "max_length": (int,),
    "nullable": (bool,),
    "sensitive": (bool,),
}


def contract_to_json(contract: Contract) -> dict[str, Any]:
    """Return the contract as the JSON object that a card holds under ``contract``."""
    return {name: signature.to_json() for name, signature in contract.items()}


def contract_from_json(value: Any) -> Contract:
    """Read a contract from the JSON of a card.

    Raises:
        RepositoryError: the value is not a contract; the message names the place.
    """
    if not isinstance(value, dict) or not value:
        raise RepositoryError("contract: expected an object with at least one signature.")
    return {name: _signature_from_json(name, item) for name, item in value.items()}


def _signature_from_json(name: str, value: Any) -> Signature:
    where = f"contract.{name}"
    if not isinstance(value, dict) or value.keys() - {"rows_independent"} != {"inputs", "outputs"}:
        raise RepositoryError(
            f"{where}: expected an object with inputs and outputs, and rows_independent if known."
        )
    declared = value.get("rows_independent")
    if not isinstance(declared, bool | None):
        raise RepositoryError(f"{where}.rows_independent: {declared!r} is not true or false.")
    inputs, outputs = (
        tuple(
            _field_from_json(f"{where}.{kind}[{i}]", item) for i, item in _items(where, value, kind)
        )
        for kind in ("inputs", "outputs")
    )
    return Signature(name, inputs, outputs, declared)


def _items(where: str, value: dict[str, Any], kind: str) -> enumerate[Any]:
    if not isinstance(value[kind], list):
        raise RepositoryError(f"{where}.{kind}: expected a list of fields.")
    return enumerate(value[kind])


def _field_from_json(where: str, value: Any) -> Field:
    if not isinstance(value, dict) or not {"name", "dtype", "shape"} <= value.keys():
        raise RepositoryError(f"{where}: expected an object with name, dtype and shape.")
    unknown = value.keys() - {field.name for field in fields(Field)} - {"has_default"}
    if unknown:
        raise RepositoryError(f"{where}: unknown key {min(unknown)!r}.")
    for key, types in _TYPES.items():
        if key in value and not is_one_of(value[key], types):
            raise RepositoryError(f"{where}.{key}: {value[key]!r} is not {_or(types)}.")
    # What the service adds when it shows a contract.
    known = {key: item for key, item in value.items() if key not in ("default", "has_default")}
    if known["shape"] is not None:
        if not all(d is None or (is_one_of(d, (int,)) and d >= 0) for d in known["shape"]):
            raise RepositoryError(f"{where}.shape: {known['shape']} is not a shape.")
        known["shape"] = tuple(known["shape"])
    for key in ("choices", "content_types"):
        known[key] = tuple(known.get(key, ()))
    return Field(**known)


def _or(types: tuple[type, ...]) -> str:
    names = {str: "a string", list: "a list", int: "a whole number", float: "a number"}
    return " or ".join(names.get(kind, "true, false or null") for kind in types)
