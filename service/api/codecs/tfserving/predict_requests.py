"""Requests in TensorFlow Serving's REST format of ``:predict``: JSON to tensors.

Rows (``instances``) hold one value or object an instance, columns (``inputs``) one list a tensor.

There are two ways to read them. Requests with which nothing is wrong take the fast path, which
parses long arrays of numbers apart from the rest and checks whole columns. All others are read
again by the slow path, which makes a Python object of every value; only it reports errors.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow

from service.api.codecs.tfserving import predict_fast_path
from service.api.http.request_body import json_value
from service.api.json import json_arrays
from service.api.json.json_numbers import NumberArray
from service.api.validation.error_messages import describe_expected_value, shorten
from service.api.validation.problems import (
    LONGEST_NAME,
    Index,
    Problems,
    brackets,
    first_names,
    invalid_request,
    name_in_path,
    without_excess,
)
from service.api.validation.row_counts import check_equal_rows, check_row_count
from service.api.validation.schemas import PredictEnvelope, load_envelope
from service.api.validation.tensors import columns_are_scalars
from service.errors import InvalidRequestError, strip
from service.repository.contract import DEFAULT_SIGNATURE, Contract, Signature, why_left_out
from service.repository.golden_examples import Tensors
from service.runtime.input_defaults import add_default_inputs, inputs_left_out

SchemaOf = Callable[[Signature], marshmallow.Schema]

_ENVELOPE = PredictEnvelope()


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """A checked request.

    Attributes:
        signature: the signature that is called.
        inputs: a tensor for each of its inputs.
        rows: how many instances were sent as rows; ``None`` when columns were sent.
        scalars: whether values came without the lists that the contract has around each.
    """

    signature: Signature
    inputs: Tensors
    rows: int | None
    scalars: bool = False

    @property
    def instances(self) -> int:
        """How many instances the request has."""
        if self.rows is not None:
            return self.rows
        if not self.signature.has_rows:
            return 1
        # Where rows are not independent, columns may be of different lengths.
        return max((int(tensor.shape[0]) for tensor in self.inputs.values()), default=1)

    def path_of_row(self, row: int) -> str:
        """Return the path of a row of all inputs."""
        if self.rows is None:
            return f"inputs{'.*' if len(self.signature.inputs) > 1 else ''}[{row}]"
        return f"instances[{row}]"

    def path_of(self, name: str, index: Index) -> str:
        """Return the path of the value of input ``name`` at ``index``."""
        named = f".{name}" if len(self.signature.inputs) > 1 else ""
        if self.rows is None:
            return f"inputs{named}{brackets(index)}"
        return f"instances{brackets(index[:1])}{named}{brackets(index[1:])}"


def parse_json(body: bytes) -> Any:
    """Return the JSON value in ``body``; long arrays of numbers are ``NumberArray``.

    Raises:
        InvalidRequestError: it is not strict JSON in UTF-8 (RFC 8259; so no NaN or Infinity).
    """
    return json_value(body, json_arrays.loads)


def check_length(document: Any, *, most: int) -> None:
    """Check how many instances a parsed request has, before anything is made of them.

    Of columns, it is only known when they have been read.

    Raises:
        InvalidRequestError: there are more than ``most``.
    """
    instances = document.get("instances") if type(document) is dict else None
    if type(instances) is NumberArray:
        check_row_count("instances", int(instances.array.shape[0]), most=most)
    elif type(instances) is list:
        check_row_count("instances", len(instances), most=most)


def read_request(
    document: Any,
    contract: Contract,
    schema_of: SchemaOf,
    *,
    limit: int,
    default: str = DEFAULT_SIGNATURE,
) -> PredictRequest:
    """Check a parsed request against a model's contract.

    Args:
        document: what ``parse_json`` returned.
        contract: the model's.
        schema_of: gives the schema of a signature's inputs.
        limit: the most problems to report.
        default: the name of the signature that is called if the request names none.

    Raises:
        InvalidRequestError: it is not a request that the model takes; its details name the places.
    """
    found = predict_fast_path.clean_request_parts(document, contract, default)
    if found is not None:
        return PredictRequest(*found)
    return _read(json_arrays.with_lists(document), contract, schema_of, limit, default)


def reference_request(
    body: bytes, contract: Contract, schema_of: SchemaOf, *, limit: int
) -> PredictRequest:
    """Do what ``parse_json`` and ``read_request`` do, on the slow path alone.

    Raises:
        InvalidRequestError: as they do.
    """
    return _read(json_value(body), contract, schema_of, limit, DEFAULT_SIGNATURE)


def _read(
    document: Any, contract: Contract, schema_of: SchemaOf, limit: int, default: str
) -> PredictRequest:
    if not isinstance(document, dict):
        raise InvalidRequestError(
            f"Expected a JSON object with 'instances' or 'inputs', not {shorten(document)}."
        )
    problems = Problems(limit)
    envelope = load_envelope(_ENVELOPE, document, problems)
    signature = signature_of(contract, envelope.get("signature_name") or default)
    schema = schema_of(signature)
    if "instances" in envelope:
        return _read_rows(signature, envelope["instances"], schema, problems)
    return _read_columns(signature, envelope["inputs"], schema, problems)


def signature_of(contract: Contract, name: str) -> Signature:
    """Return the signature that a request names.

    Raises:
        InvalidRequestError: there is no such signature.
    """
    if name not in contract:
        raise InvalidRequestError(
            f'Serving signature name: "{name[:LONGEST_NAME]}" not found in signature def; '
            f"there are: {', '.join(contract)}.{why_left_out(contract, name)}"
        )
    return contract[name]


def _read_rows(
    signature: Signature, instances: Any, schema: marshmallow.Schema, problems: Problems
) -> PredictRequest:
    if not isinstance(instances, list) or not instances:
        message = f"Expected a list of at least 1 instance, not {shorten(instances)}."
        raise invalid_request("instances", message)
    if not predict_fast_path.names_inputs(signature, instances[0]):
        columns = _only_input(signature, instances, "instances[0]", instances[0])
        _check_inputs_have_rows(signature, (), "instances")
        inputs = _load(
            schema,
            columns,
            problems,
            lambda _, index, texts: problems.add(f"instances{brackets(index)}", *texts),
        )
        problems.raise_if_any()
        return PredictRequest(
            signature, inputs, len(instances), columns_are_scalars(signature, columns)
        )

    inputs = read_objects(signature, instances, schema, path="instances", limit=problems.limit)
    first = {name: [value] for name, value in instances[0].items()}
    return PredictRequest(signature, inputs, len(instances), columns_are_scalars(signature, first))


def read_objects(
    signature: Signature,
    instances: Sequence[Any],
    schema: marshmallow.Schema,
    *,
    path: str,
    limit: int,
) -> Tensors:
    """Read instances that name each input.

    Args:
        signature: whose inputs.
        instances: what should be an object each.
        schema: of the signature's inputs.
        path: of the list of instances.
        limit: the most problems to report.

    Raises:
        InvalidRequestError: some are not what the signature takes; its details name the places.
    """
    left = inputs_left_out(signature, instances)
    _check_inputs_have_rows(signature, left, path)
    problems = Problems(limit)
    _check_keys(signature, instances, left, problems, path)
    # Rows that lack a value have been named; their other values are checked as well.
    every = not problems
    rows = {
        f.name: _rows_with(f.name, instances, every=every)
        for f in signature.inputs
        if f.name not in left
    }
    columns = {name: [instances[i].get(name) for i in rows[name]] for name in rows if rows[name]}

    def report(name: str, index: Index, texts: list[str]) -> None:
        if index:
            row = rows[name][index[0]]
            problems.add(f"{path}[{row}].{name}{brackets(index[1:])}", *texts, order=(row,))
        elif name in columns and len(rows[name]) == len(instances):
            # Of the batch as a whole: the signature takes another number of rows.
            problems.add(path, *texts)

    inputs = _load(schema, columns, problems, report)
    problems.raise_if_any()
    add_default_inputs(signature, inputs, len(instances))
    return inputs


def _check_inputs_have_rows(signature: Signature, left: Container[str], path: str) -> None:
    """Check that each input can hold a value of each instance.

    Args:
        signature: whose inputs.
        left: the inputs that all rows leave out, and may.
        path: of the list of instances.

    Raises:
        InvalidRequestError: one is a single value, whatever the number of instances.
    """
    for field in signature.inputs:
        if field.shape == () and field.name not in left:
            instead = "'inputs' instead of 'instances'"
            if path != "instances":
                instead = "a request to :predict with 'inputs'"
            raise invalid_request(
                path,
                f"Input {field.name!r} is one value for the whole request, not one for each "
                f"instance; send {instead}.",
            )


def _rows_with(name: str, instances: Sequence[Any], *, every: bool) -> Sequence[int]:
    if every:
        return range(len(instances))
    return [i for i, row in enumerate(instances) if type(row) is dict and name in row]


def _check_keys(
    signature: Signature,
    instances: Sequence[Any],
    left: Container[str],
    problems: Problems,
    path: str,
) -> None:
    """Add to ``problems`` which rows are not objects, or have keys that are not the inputs'.

    It stops at the first row with which there are more than can be listed.

    Args:
        signature: whose inputs.
        instances: the rows.
        left: the inputs that all rows may leave out, and do.
        problems: of the request.
        path: of the list of instances.
    """
    fields = {field.name: field for field in signature.inputs}
    names = ", ".join(fields) or "no inputs"
    for i, row in enumerate(instances):
        if problems.are_too_many:
            break
        if type(row) is not dict:
            message = f"Expected {_object_of(signature)}, not {shorten(row)}."
            problems.add(f"{path}[{i}]", message, order=(i,))
        elif row.keys() != fields.keys():
            unknown = f"Unknown field; signature {signature.name!r} takes {names}."
            for name in first_names(row.keys() - fields.keys(), problems.limit):
                problems.add(f"{path}[{i}].{name_in_path(name)}", unknown, order=(i,))
            for name, field in fields.items():
                if name not in row and name not in left and not field.optional:
                    missing = f"Missing; expected {describe_expected_value(field)}."
                    problems.add(f"{path}[{i}].{name}", missing, order=(i,))


def _read_columns(
    signature: Signature, value: Any, schema: marshmallow.Schema, problems: Problems
) -> PredictRequest:
    named = predict_fast_path.names_inputs(signature, value)
    columns = value if named else _only_input(signature, value, "inputs", value)

    def path_of(name: str) -> str:
        return f"inputs.{name}" if named else "inputs"

    inputs = _load(
        schema,
        columns,
        problems,
        lambda name, index, texts: problems.add(f"{path_of(name)}{brackets(index)}", *texts),
    )
    if not problems and signature.needs_equal_rows:
        check_equal_rows(inputs, problems, path_of)
    problems.raise_if_any()
    add_default_inputs(signature, inputs)
    return PredictRequest(signature, inputs, None, columns_are_scalars(signature, columns))


def _only_input(signature: Signature, value: Any, path: str, sample: Any) -> dict[str, Any]:
    """Give a value that came without a name the name of the signature's only input."""
    if len(signature.inputs) != 1:
        message = f"Expected {_object_of(signature)}, not {shorten(sample)}."
        raise invalid_request(path, message)
    return {signature.inputs[0].name: value}


def _object_of(signature: Signature) -> str:
    names = ", ".join(field.name for field in signature.inputs)
    return f"an object with {names}" if names else "an empty object"


def _load(
    schema: marshmallow.Schema,
    columns: dict[str, Any],
    problems: Problems,
    report: Callable[[str, Index, list[str]], None],
) -> Tensors:
    """Return columns as tensors.

    Args:
        schema: of the signature's inputs.
        columns: a list of values for each.
        problems: of the request; without any, the tensors are whole.
        report: adds to them what is wrong, by input and by the index into its value.
    """
    known = {str(field.data_key) for field in schema.fields.values()}
    try:
        tensors: Tensors = schema.load(without_excess(columns, known, problems.limit))
        return tensors
    except marshmallow.ValidationError as error:
        for name, messages in error.messages_dict.items():
            if isinstance(messages, dict):
                for index, texts in messages.items():
                    report(name, index, texts)
            else:
                report(name_in_path(name), (), messages)
        # marshmallow holds its own errors, and with them the data, in cycles.
        strip(error)
        return {}
