"""Whether clients of one version can continue with another."""

from collections.abc import Iterator

from service.repository.contract import Contract, Field


def broken_promises(old: Contract, new: Contract) -> list[str]:
    """Say, a clause each, what a client of ``old`` may send or expect that ``new`` breaks."""
    problems = []
    for name, signature in old.items():
        if name not in new:
            problems.append(f"signature {name!r} is gone")
            continue
        takes = {field.name: field for field in new[name].inputs}
        gives = {field.name: field for field in new[name].outputs}
        known = {field.name for field in signature.inputs}
        where = f"of signature {name!r}"
        problems += [f"input {field!r} {where} is new" for field in takes if field not in known]
        for field in signature.inputs:
            if field.name not in takes:
                problems.append(f"input {field.name!r} {where} is gone")
            else:
                wrong = _taken_no_more(field, takes[field.name])
                problems += [f"input {field.name!r} {where} {problem}" for problem in wrong]
        for field in signature.outputs:
            if field.name not in gives:
                problems.append(f"output {field.name!r} {where} is gone")
            else:
                wrong = _given_anew(field, gives[field.name])
                problems += [f"output {field.name!r} {where} {problem}" for problem in wrong]
    return problems


def _taken_no_more(old: Field, new: Field) -> Iterator[str]:
    yield from _form(old, new)
    if new.choices and (not old.choices or set(old.choices) - set(new.choices)):
        yield f"takes only {_listing(new)}"
    if new.minimum is not None and (old.minimum is None or old.minimum < new.minimum):
        yield f"must be at least {new.minimum:g}"
    if new.maximum is not None and (old.maximum is None or old.maximum > new.maximum):
        yield f"must be at most {new.maximum:g}"
    if new.max_length is not None and (old.max_length is None or old.max_length > new.max_length):
        yield f"takes {new.max_length:,} bytes at most"
    if old.nullable and not new.nullable:
        yield "must not be null"


def _given_anew(old: Field, new: Field) -> Iterator[str]:
    yield from _form(old, new)
    # In another order as well: probabilities and numbers of classes stand in it.
    if old.choices and new.choices != old.choices:
        yield f"is one of {_listing(new)}, and was one of {_listing(old)}"


def _form(old: Field, new: Field) -> Iterator[str]:
    if (old.dtype, old.shape) != (new.dtype, new.shape):
        yield f"is {new.dtype} {_shape(new)}, and was {old.dtype} {_shape(old)}"


def _shape(field: Field) -> str:
    if field.shape is None:
        return "of any shape"
    return f"[{', '.join('N' if size is None else str(size) for size in field.shape)}]"


def _listing(field: Field) -> str:
    return ", ".join(map(str, field.choices)) or "anything"
