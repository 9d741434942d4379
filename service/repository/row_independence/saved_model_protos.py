"""The few protobuf messages of a SavedModel that the analysis reads, without TensorFlow.

TensorFlow's own classes come with all of TensorFlow, which the repository does without: it must
load where nothing runs, and before a fork. What is left out here is skipped by the parser, as
protobuf promises. The messages live in a pool of their own, so that TensorFlow's stay theirs.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "understudy.graph"
_KINDS = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _KINDS.TYPE_STRING,
    "bytes": _KINDS.TYPE_BYTES,
    "int32": _KINDS.TYPE_INT32,
    "int64": _KINDS.TYPE_INT64,
    "bool": _KINDS.TYPE_BOOL,
    "float": _KINDS.TYPE_FLOAT,
}

# Name, type, number; "*" before a type repeats it, "=" makes a map from strings. Numbers are those
# of TensorFlow's saved_model.proto, meta_graph.proto, graph.proto, function.proto, node_def.proto,
# op_def.proto, attr_value.proto, tensor.proto and tensor_shape.proto. Enums are read as int32.
_MESSAGES: dict[str, list[tuple[str, str, int]]] = {
    "Dim": [("size", "int64", 1)],
    "Shape": [("dim", "*Dim", 2), ("unknown_rank", "bool", 3)],
    "Tensor": [
        ("dtype", "int32", 1),
        ("tensor_shape", "Shape", 2),
        ("tensor_content", "bytes", 4),
        ("int_val", "*int32", 7),
        ("int64_val", "*int64", 10),
        ("bool_val", "*bool", 11),
    ],
    "ListValue": [
        ("s", "*bytes", 2),
        ("i", "*int64", 3),
        ("type", "*int32", 6),
        ("shape", "*Shape", 7),
        ("func", "*Func", 9),
    ],
    "Func": [("name", "string", 1)],
    "Attr": [
        ("list", "ListValue", 1),
        ("s", "bytes", 2),
        ("i", "int64", 3),
        ("b", "bool", 5),
        ("type", "int32", 6),
        ("shape", "Shape", 7),
        ("tensor", "Tensor", 8),
        ("func", "Func", 10),
    ],
    "Node": [
        ("name", "string", 1),
        ("op", "string", 2),
        ("input", "*string", 3),
        ("attr", "=Attr", 5),
    ],
    "Arg": [("name", "string", 1)],
    "OpDef": [("name", "string", 1), ("input_arg", "*Arg", 2), ("output_arg", "*Arg", 3)],
    "Function": [
        ("signature", "OpDef", 1),
        ("node_def", "*Node", 3),
        ("ret", "=string", 4),
        ("control_ret", "=string", 6),
    ],
    "Library": [("function", "*Function", 1)],
    "Graph": [("node", "*Node", 1), ("library", "Library", 2)],
    "TensorInfo": [("name", "string", 1), ("dtype", "int32", 2), ("tensor_shape", "Shape", 3)],
    "SignatureDef": [("inputs", "=TensorInfo", 1), ("outputs", "=TensorInfo", 2)],
    "MetaInfo": [("tags", "*string", 4)],
    "MetaGraph": [
        ("meta_info_def", "MetaInfo", 1),
        ("graph_def", "Graph", 2),
        ("signature_def", "=SignatureDef", 5),
    ],
    "SavedModel": [("meta_graphs", "*MetaGraph", 2)],
}


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, kind: str, number: int) -> None:
    field = message.field.add(name=name, number=number, label=_KINDS.LABEL_OPTIONAL)
    if kind[0] in "*=":
        field.label = _KINDS.LABEL_REPEATED
    bare = kind.lstrip("*=")
    if kind[0] == "=":
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", "string", 1)
        _add_field(entry, "value", bare, 2)
        field.type = _KINDS.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{message.name}.{entry.name}"
    elif bare in _SCALARS:
        field.type = _SCALARS[bare]
    else:
        field.type = _KINDS.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{bare}"


def _saved_model_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="understudy/graph.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, *field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"{_PACKAGE}.SavedModel")
    return message_factory.GetMessageClass(found)


_SAVED_MODEL = _saved_model_class()


def parse_saved_model(data: bytes) -> Any:
    """Return the SavedModel message in ``data``.

    Raises:
        google.protobuf.message.DecodeError: the file is not a SavedModel.
    """
    return _SAVED_MODEL.FromString(data)
