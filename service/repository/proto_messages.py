"""Protobuf messages made from tables of their fields, in pools of their own.

The classes that come with TensorFlow, or with its clients, stay theirs: a second copy of a message
in one pool is an error. What a table leaves out is skipped when bytes are parsed, as protobuf
promises, and refused when text is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# For each message its fields: name, type, number; "*" before a type repeats it, "=" makes a map
# from strings.
Tables = Mapping[str, Sequence[tuple[str, str, int]]]

_KINDS = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _KINDS.TYPE_STRING,
    "bytes": _KINDS.TYPE_BYTES,
    "int32": _KINDS.TYPE_INT32,
    "uint32": _KINDS.TYPE_UINT32,
    "int64": _KINDS.TYPE_INT64,
    "bool": _KINDS.TYPE_BOOL,
    "float": _KINDS.TYPE_FLOAT,
    "double": _KINDS.TYPE_DOUBLE,
}


def message_of_tables(
    package: str, root: str, messages: Tables, enums: Mapping[str, Sequence[str]] | None = None
) -> Any:
    """Return the class of one message of a table.

    Args:
        package: a name for the messages' package.
        root: the message.
        messages: it, and all that its fields name.
        enums: the enumerations that they name, with their values' names, from 0.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3"
    )
    for name, values in (enums or {}).items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(package, message, *field, enums=enums or {})
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{root}"))


def _add_field(
    package: str,
    message: descriptor_pb2.DescriptorProto,
    name: str,
    kind: str,
    number: int,
    *,
    enums: Mapping[str, Sequence[str]],
) -> None:
    field = message.field.add(name=name, number=number, label=_KINDS.LABEL_OPTIONAL)
    if kind[0] in "*=":
        field.label = _KINDS.LABEL_REPEATED
    bare = kind.lstrip("*=")
    if kind[0] == "=":
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(package, entry, "key", "string", 1, enums=enums)
        _add_field(package, entry, "value", bare, 2, enums=enums)
        field.type = _KINDS.TYPE_MESSAGE
        field.type_name = f".{package}.{message.name}.{entry.name}"
    elif bare in _SCALARS:
        field.type = _SCALARS[bare]
    else:
        field.type = _KINDS.TYPE_ENUM if bare in enums else _KINDS.TYPE_MESSAGE
        field.type_name = f".{package}.{bare}"
