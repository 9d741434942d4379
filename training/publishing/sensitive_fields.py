"""Which fields of a contract are marked as sensitive, so that a service never stores them."""

from dataclasses import replace

from service.repository.contract import Contract, Field
from training.errors import UsageError

# Takes all marks back.
NO_FIELD = "none"


def mark_sensitive(contract: Contract, named: str | None, before: Contract | None) -> Contract:
    """Return the contract with its sensitive fields marked, in all signatures.

    Args:
        contract: of the new version.
        named: the fields' names with commas between them, or ``NO_FIELD``; ``None`` leaves the
            marks as they were, because a retraining must not lose them.
        before: the contract of the version that serves; ``None`` where there is none.

    Raises:
        UsageError: no signature has a field of a name; or marks are set and taken back at once.
    """
    if named is None:
        names = _sensitive(before or {})
    else:
        names = {name.strip() for name in named.split(",") if name.strip()}
        if NO_FIELD in names and len(names) > 1:
            raise UsageError(f"--sensitive takes names of fields, or none, not both ({named}).")
        names.discard(NO_FIELD)
        known = {
            field.name for each in contract.values() for field in (*each.inputs, *each.outputs)
        }
        if unknown := sorted(names - known):
            raise UsageError(
                f"--sensitive names {unknown[0]!r}; the contract's fields are "
                f"{', '.join(sorted(known))}."
            )
    return {
        name: replace(
            each,
            inputs=tuple(_marked(field, names) for field in each.inputs),
            outputs=tuple(_marked(field, names) for field in each.outputs),
        )
        for name, each in contract.items()
    }


def _marked(field: Field, names: set[str]) -> Field:
    return replace(field, sensitive=field.name in names)


def _sensitive(contract: Contract) -> set[str]:
    return {
        field.name
        for each in contract.values()
        for field in (*each.inputs, *each.outputs)
        if field.sensitive
    }
