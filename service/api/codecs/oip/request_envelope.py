"""What surrounds the tensors of an inference request: names, shapes, datatypes, parameters."""

from collections.abc import Callable, Mapping
from typing import Any

import marshmallow
from marshmallow import ValidationError, fields

from service.api.validation.error_messages import shorten
from service.api.validation.problems import Problems, invalid_request, without_excess
from service.api.validation.strict_schema import StrictSchema

# The most values of a list in a message.
_MOST_SHOWN = 8

# KServe's and Triton's own clients name the model in the body as well.
_IGNORED = {"model_name", "model_version"}
_REQUEST_KEYS = {"id", "parameters", "inputs", "outputs"} | _IGNORED
_INPUT_KEYS = {"name", "shape", "datatype", "parameters", "data"}
_OUTPUT_KEYS = {"name", "parameters"}


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_shape(value: Any) -> bool:
    return type(value) is list and all(type(size) is int and size >= 0 for size in value)


def _is_parameter(value: Any) -> bool:
    return type(value) in (str, int, float, bool)


def _are_parameters(value: Any) -> bool:
    """Whether they are parameters, or none."""
    return value is None or (type(value) is dict and all(map(_is_parameter, value.values())))


class _Checked(fields.Field[Any]):
    """A field whose values satisfy a predicate; its errors say what was expected and what came."""

    def __init__(self, is_right: Callable[[Any], bool], expected: str, **options: Any) -> None:
        super().__init__(
            error_messages={
                "required": f"Missing; expected {expected}.",
                "null": f"Expected {expected}, not null.",
            },
            **options,
        )
        self._is_right = is_right
        self._expected = expected

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        if not self._is_right(value):
            raise ValidationError(f"Expected {self._expected}, not {_shown(value)}.")
        return value


def _shown(value: Any) -> str:
    """Return a value as a short text that also shows what is wrong within it."""
    match value:
        case list() if 0 < len(value) <= _MOST_SHOWN:
            return f"[{', '.join(map(shorten, value))}]"
        case dict():
            wrong = [key for key, item in value.items() if not _is_parameter(item)]
            if wrong:
                key = min(wrong)
                return f"{shorten(value[key])} for {shorten(key)}"
    return shorten(value)


class _Strict(StrictSchema):
    error_messages = {"unknown": "Unknown field."}  # noqa: RUF012


def _name(what: str) -> _Checked:
    return _Checked(_is_text, f"the name of an {what}, a string", required=True)


def _parameters() -> _Checked:
    # Null counts as left out: clients with typed models write it so.
    return _Checked(
        _are_parameters,
        "an object of strings, numbers, true and false",
        allow_none=True,
    )


class _Input(_Strict):
    name = _name("input")
    shape = _Checked(_is_shape, "a list of whole numbers of at least 0", required=True)
    datatype = _Checked(_is_text, "a datatype, such as 'FP32'", required=True)
    parameters = _parameters()
    data = fields.Raw(allow_none=True)


class _Output(_Strict):
    name = _name("output")
    parameters = _parameters()


class _Item(fields.Nested):
    """An object within a list; the error says what came instead."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if type(value) is not dict:
            raise ValidationError(f"Expected an object, not {shorten(value)}.")
        return super().deserialize(value, *args, **kwargs)


class _Items(fields.List[Any]):
    """A list of objects; the error says what came instead."""

    def __init__(self, schema: type[marshmallow.Schema], what: str, **options: Any) -> None:
        missing: dict[str, Any] = {"required": f"Missing; expected a list of {what}."}
        super().__init__(_Item(schema), error_messages=missing, **options)
        self._what = what

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        is_none = value is marshmallow.missing or (value is None and self.allow_none)
        if not is_none and type(value) is not list:
            raise ValidationError(f"Expected a list of {self._what}, not {shorten(value)}.")
        return super().deserialize(value, *args, **kwargs)


class _Request(_Strict):
    id = _Checked(lambda value: value is None or _is_text(value), "a string", allow_none=True)
    parameters = _parameters()
    inputs = _Items(_Input, "inputs", required=True)
    outputs = _Items(_Output, "outputs", allow_none=True)
    model_name = fields.Raw(allow_none=True)
    model_version = fields.Raw(allow_none=True)


_SCHEMA = _Request()


def check_envelope(document: Any, problems: Problems) -> Mapping[str, Any]:
    """Return a request whose envelope has been checked: all but what depends on the model.

    Args:
        document: the JSON value.
        problems: of the request.

    Raises:
        InvalidRequestError: it is not such an envelope.
    """
    # marshmallow takes longer than all the rest of a small request, and is needed only to say
    # what is wrong.
    if _is_plain(document):
        checked: Mapping[str, Any] = document
        return checked
    if type(document) is not dict:
        raise invalid_request("", f"Expected an object, not {shorten(document)}.")
    try:
        loaded: Mapping[str, Any] = _SCHEMA.load(_shortened(document, problems.limit))
        return loaded
    except ValidationError as error:
        problems.add_schema_errors(error)
    raise problems.error()


def _shortened(document: dict[str, Any], limit: int) -> dict[str, Any]:
    """Return what has the same problems, as far as they are listed, and few more."""
    document = without_excess(document, _REQUEST_KEYS, limit)
    inputs = _up_to_wrong(document.get("inputs"), _is_plain_input, _INPUT_KEYS, limit)
    outputs = _up_to_wrong(document.get("outputs"), _is_plain_output, _OUTPUT_KEYS, limit)
    return {
        **document,
        **({"inputs": inputs} if "inputs" in document else {}),
        **({"outputs": outputs} if "outputs" in document else {}),
    }


def _up_to_wrong(items: Any, is_plain: Callable[[Any], bool], keys: set[str], limit: int) -> Any:
    """Return a list up to the item with which more are wrong than can be listed."""
    if type(items) is not list:
        return items
    kept = []
    wrong = 0
    for item in items:
        if wrong > limit:
            break
        wrong += not is_plain(item)
        kept.append(without_excess(item, keys, limit) if type(item) is dict else item)
    return kept


def _is_plain(document: Any) -> bool:
    """Whether the schema would find nothing wrong."""
    if type(document) is not dict or not document.keys() <= _REQUEST_KEYS:
        return False
    inputs, outputs, name = document.get("inputs"), document.get("outputs"), document.get("id")
    return (
        type(inputs) is list
        and (outputs is None or type(outputs) is list)
        and (name is None or _is_text(name))
        and _are_parameters(document.get("parameters"))
        and all(map(_is_plain_input, inputs))
        and all(map(_is_plain_output, outputs or ()))
    )


def _is_plain_input(item: Any) -> bool:
    return (
        _is_plain_item(item, _INPUT_KEYS)
        and _is_shape(item.get("shape"))
        and _is_text(item.get("datatype"))
    )


def _is_plain_output(item: Any) -> bool:
    return _is_plain_item(item, _OUTPUT_KEYS)


def _is_plain_item(item: Any, keys: set[str]) -> bool:
    return (
        type(item) is dict
        and item.keys() <= keys
        and _is_text(item.get("name"))
        and _are_parameters(item.get("parameters"))
    )
