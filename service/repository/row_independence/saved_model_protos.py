"""The few protobuf messages of a SavedModel that the analysis reads, without TensorFlow.

TensorFlow's own classes come with all of TensorFlow, which the repository does without: it must
load where nothing runs, and before a fork. What is left out here is skipped by the parser, as
protobuf promises. The messages live in a pool of their own, so that TensorFlow's stay theirs.
"""

from typing import Any

from service.repository.proto_messages import Tables, message_of_tables

# Numbers are those of TensorFlow's saved_model.proto, meta_graph.proto, graph.proto,
# function.proto, node_def.proto, op_def.proto, attr_value.proto, tensor.proto and
# tensor_shape.proto. Enums are read as int32.
_MESSAGES: Tables = {
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


_SAVED_MODEL = message_of_tables("understudy.graph", "SavedModel", _MESSAGES)


def parse_saved_model(data: bytes) -> Any:
    """Return the SavedModel message in ``data``.

    Raises:
        google.protobuf.message.DecodeError: the file is not a SavedModel.
    """
    return _SAVED_MODEL.FromString(data)
