"""The contract of a model: what each of its signatures takes and gives.

A contract comes from a version's card, or, where there is no card, from the tensors of the
SavedModel's own signatures. Names follow TensorFlow: a *signature* has named *inputs* and
*outputs*, each a tensor with a dtype and a shape.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.errors import RepositoryError
from service.repository.json_strings import string_to_json

DEFAULT_SIGNATURE = "serving_default"

Shape = tuple[int | None, ...]

# TensorFlow's names of the dtypes that JSON can carry, with numpy's type for each. Strings are
# bytes to TensorFlow, and Python objects to numpy. Every bfloat16 is a float32, which numpy knows.
NUMPY_TYPES: Mapping[str, type] = {
    "float16": np.float16,
    "bfloat16": np.float32,
    "float32": np.float32,
    "float64": np.float64,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "bool": np.bool_,
    "string": np.object_,
}

LARGEST_BFLOAT16 = float.fromhex("0x1.fep127")

# Larger defaults are not shown.
_MOST_DEFAULTS = 100

# RFC 6838, 4.2, in the lower case that a header's value is compared in.
_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One named tensor of a signature.

    Attributes:
        name: the tensor's name in the signature.
        dtype: TensorFlow's name of its dtype, a key of ``NUMPY_TYPES``.
        shape: its whole shape, batch dimension included; ``None`` is a free dimension, and
            a shape that is itself ``None`` is of unknown rank.
        description: what it means, for people.
        unit: the unit of its numbers, for people ("lb", "mi/gal").
        minimum: the smallest number allowed.
        maximum: the largest number allowed.
        choices: the only values allowed; empty when any is.
        max_length: the most bytes that a string may have.
        content_types: where each string is a file, the types that it may be of ("image/png").
        nullable: whether ``null`` stands for "unknown"; it reaches the model as NaN.
        sensitive: whether its values must not be stored with events and feedback.
        example: the value of one instance, as JSON.
        default: the tensor that the model gets when a request leaves the input out; the
            SavedModel has it, a card does not.
    """

    name: str
    dtype: str
    shape: Shape | None
    description: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str | int | float, ...] = ()
    max_length: int | None = None
    content_types: tuple[str, ...] = ()
    nullable: bool = False
    sensitive: bool = False
    example: Any = None
    default: npt.NDArray[Any] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        where = f"field {self.name!r}"
        if self.dtype not in NUMPY_TYPES:
            raise RepositoryError(
                f"{where}: dtype must be one of {', '.join(NUMPY_TYPES)}, not {self.dtype!r}."
            )
        if self.nullable and not self.is_float:
            raise RepositoryError(f"{where}: only a float can be nullable, not {self.dtype}.")
        if not self.is_number and not (self.minimum is None and self.maximum is None):
            raise RepositoryError(f"{where}: a {self.dtype} has no minimum or maximum.")
        if self.is_number:
            kinds: tuple[type, ...] = (int, float) if self.is_float else (int,)
        else:
            kinds = (str,) if self.dtype == "string" else (bool,)
        if not all(is_one_of(choice, kinds) for choice in self.choices):
            raise RepositoryError(f"{where}: choices must all be of the field's dtype.")
        if self.max_length is not None and self.dtype != "string":
            raise RepositoryError(f"{where}: a {self.dtype} has no max_length.")
        if self.content_types and self.dtype != "string":
            raise RepositoryError(f"{where}: a {self.dtype} has no content_types.")
        for content_type in self.content_types:
            if not (isinstance(content_type, str) and _CONTENT_TYPE.fullmatch(content_type)):
                raise RepositoryError(f"{where}: {content_type!r} is not a content type.")

    @property
    def is_float(self) -> bool:
        return "float" in self.dtype

    @property
    def is_number(self) -> bool:
        return self.dtype not in ("string", "bool")

    @property
    def numpy_type(self) -> type:
        return NUMPY_TYPES[self.dtype]

    @property
    def instance_shape(self) -> Shape | None:
        """The shape of one instance: ``shape`` without its batch dimension."""
        return self.shape if self.shape is None else self.shape[1:]

    @property
    def is_single(self) -> bool:
        """Whether an instance is a list of exactly one value, however deep: ``[N, 1]``."""
        shape = self.shape
        return shape is not None and len(shape) > 1 and all(size == 1 for size in shape[1:])

    @property
    def flat(self) -> "Field":
        """The field of the same values without lists around each: of shape ``[N]``."""
        return replace(self, shape=(self.shape or (None,))[:1])

    @property
    def bare(self) -> "Field":
        """The field without what is only for people."""
        return replace(self, description="", example=None)

    @property
    def optional(self) -> bool:
        """Whether an instance may leave it out, which then stands for ``null``."""
        return self.nullable and self.instance_shape == ()

    @property
    def may_be_absent(self) -> bool:
        """Whether a request may leave it out: it is optional, or has a default."""
        return self.optional or self.default is not None

    @property
    def default_is_row(self) -> bool:
        """Whether the default is one row, which stands for any number of them."""
        return self.default is not None and self.has_batch and self.default.shape[:1] == (1,)

    @property
    def has_batch(self) -> bool:
        """Whether the first dimension is free to hold any number of instances."""
        return self.shape is None or (len(self.shape) > 0 and self.shape[0] is None)

    def to_json(self) -> dict[str, Any]:
        """Return the field as JSON, without what says nothing."""
        value: dict[str, Any] = {"name": self.name, "dtype": self.dtype, "shape": self.shape}
        if self.shape is not None:
            value["shape"] = list(self.shape)
        for key in ("description", "unit", "minimum", "maximum", "max_length", "example"):
            if getattr(self, key) not in (None, ""):
                value[key] = getattr(self, key)
        for key in ("choices", "content_types"):
            if getattr(self, key):
                value[key] = list(getattr(self, key))
        for key in ("nullable", "sensitive"):
            if getattr(self, key):
                value[key] = True
        if self.default is not None:
            value["has_default"] = True
            if self.default.size <= _MOST_DEFAULTS:
                value["default"] = _default_to_json(self.default.tolist())
        return value


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a model: named inputs to named outputs.

    Attributes:
        name: the signature's name.
        inputs: what it takes.
        outputs: what it gives.
        rows_independent: whether each row's answer depends on that row alone; ``None`` where
            nothing is declared.
        inputs_apart: whether nothing that it computes depends on two of its inputs.
        files: those of its inputs whose strings are files.
        single: those of its inputs of which an instance is one value in lists, ``[N, 1]``.
        batched: whether all that it takes and gives has a free first dimension, for rows. That the
            rows have nothing to do with one another is another matter.
        has_rows: whether what it takes comes in rows, each of them one instance. What is of
            unknown rank may come as a single number, which has no rows.
        runs_in_batches: whether its requests may run together, and their rows in several batches:
            of each request whose inputs all have equally many rows.
    """

    name: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    rows_independent: bool | None = None
    inputs_apart: bool = False
    # Asked for with every request, so these are found once.
    files: tuple[Field, ...] = field(init=False, repr=False, compare=False)
    single: tuple[Field, ...] = field(init=False, repr=False, compare=False)
    batched: bool = field(init=False, repr=False, compare=False)
    has_rows: bool = field(init=False, repr=False, compare=False)
    runs_in_batches: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        batched = (
            bool(self.inputs)
            and all(f.has_batch for f in (*self.inputs, *self.outputs))
            and all(f.default is None or f.default_is_row for f in self.inputs)
        )
        has_rows = batched and all(f.shape is not None for f in self.inputs)
        found = {
            "files": tuple(f for f in self.inputs if f.content_types),
            "single": tuple(f for f in self.inputs if f.is_single),
            "batched": batched,
            "has_rows": has_rows,
            "runs_in_batches": bool(self.rows_independent) and has_rows,
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def input(self, name: str) -> Field:
        return next(field for field in self.inputs if field.name == name)

    @property
    def needs_equal_rows(self) -> bool:
        """Whether all inputs must have equally many rows.

        Where rows are not known to be independent, a request is a matter between its client and
        the graph: two inputs may have nothing to do with each other. Where they are independent,
        it must be known that the inputs are so as well.
        """
        return self.batched and self.rows_independent is not False and not self.inputs_apart

    def outputs_in_common(self, other: "Signature") -> frozenset[str]:
        """Return the names of those outputs that another signature of the model gives as well.

        Exporters call the outputs of all signatures alike, so a name alone says nothing: they must
        be of the same tensor and unit, with the same bounds and choices, and both have rows or
        neither.
        """

        if self.batched != other.batched:
            return frozenset()
        others = {field.name: field.bare for field in other.outputs}
        return frozenset(f.name for f in self.outputs if f.bare == others.get(f.name))

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {
            "inputs": [field.to_json() for field in self.inputs],
            "outputs": [field.to_json() for field in self.outputs],
        }
        if self.rows_independent is not None:
            value["rows_independent"] = self.rows_independent
        return value


Contract = Mapping[str, Signature]


class ServedContract(dict[str, Signature]):
    """The contract of a SavedModel some of whose signatures cannot be served.

    Attributes:
        left_out: why they cannot, a sentence each, by name.
    """

    def __init__(self, contract: Contract, left_out: Mapping[str, str]) -> None:
        super().__init__(contract)
        self.left_out = left_out


def why_left_out(contract: Contract, name: str) -> str:
    """Return why a signature cannot be served, as a sentence; empty where nobody knows."""
    reason = contract.left_out.get(name) if isinstance(contract, ServedContract) else None
    return f" Signature {name!r} cannot be served: {reason}" if reason else ""


def refuse_alike(one: Contract, other: Contract) -> bool:
    """Whether two contracts refuse the same requests, whatever those are."""

    def asked(signature: Signature) -> tuple[Signature, list[tuple[bool, bool]]]:
        bare = replace(
            signature,
            inputs=tuple(field.bare for field in signature.inputs),
            outputs=tuple(field.bare for field in signature.outputs),
        )
        return bare, [(field.may_be_absent, field.default_is_row) for field in signature.inputs]

    return {name: asked(each) for name, each in one.items()} == {
        name: asked(each) for name, each in other.items()
    }


def disagreements(contract: Contract, actual: Contract) -> list[str]:
    """Say, a sentence each, where a card's contract is not what the SavedModel really has.

    Args:
        contract: what the card promises.
        actual: what was derived from the SavedModel's signatures.
    """
    problems = []
    for name, signature in contract.items():
        if name not in actual:
            problems.append(f"The card has a signature {name!r} that the SavedModel lacks.")
            continue
        for kind in ("inputs", "outputs"):
            promised = {field.name: field for field in getattr(signature, kind)}
            found = {field.name: field for field in getattr(actual[name], kind)}
            if promised.keys() != found.keys():
                problems.append(
                    f"Signature {name!r}: the card's {kind} are {_names(promised)}, "
                    f"the SavedModel's are {_names(found)}."
                )
                continue
            problems += [
                f"Signature {name!r}: the card says that {field.name!r} is "
                f"{_tensor(field)}, the SavedModel has {_tensor(found[field.name])}."
                for field in promised.values()
                if not _same_tensor(field, found[field.name])
            ]
    return problems


def _same_tensor(promised: Field, found: Field) -> bool:
    """Whether the card's tensor is the graph's; it may be more exact than the graph is."""
    if promised.dtype != found.dtype:
        return False
    if found.shape is None:
        return True
    if promised.shape is None or len(promised.shape) != len(found.shape):
        return False
    return all(f is None or p == f for p, f in zip(promised.shape, found.shape, strict=True))


def _names(tensors: Mapping[str, Field]) -> str:
    return ", ".join(sorted(tensors)) or "none"


def _tensor(field: Field) -> str:
    if field.shape is None:
        return f"{field.dtype} of any shape"
    return f"{field.dtype} [{','.join('?' if d is None else str(d) for d in field.shape)}]"


def _default_to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_default_to_json(item) for item in value]
    if isinstance(value, bytes):
        return string_to_json(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def is_one_of(value: Any, types: tuple[type, ...]) -> bool:
    """Whether a JSON value is of one of these types; numbers must be finite, as float64s."""
    if isinstance(value, bool):
        return bool in types
    if isinstance(value, int) and abs(value) >= 2**1024:
        return False  # No float64 is so large, and comparing the two fails.
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, types)
