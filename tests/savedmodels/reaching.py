"""Graphs that reach out of themselves: to files, other processes, Python, the end of this one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.savedmodels.saving import save

SPEC = [tf.TensorSpec([None], tf.string, name="text")]
Serve = Callable[[Any], Any]


def save_reaching(directory: Path, serve: Serve, **resources: Any) -> None:
    """Write a SavedModel whose only signature is ``serve``: strings to ``{"answer": strings}``."""
    module = tf.Module()
    for name, resource in resources.items():
        setattr(module, name, resource)
    function = tf.function(lambda text: {"answer": serve(text)}, input_signature=SPEC)
    module.serve = function
    save(directory, module, serving_default=function)


def read_file(text: Any) -> Any:
    return tf.fill(tf.shape(text), tf.io.read_file("/proc/self/environ"))


def read_file_given(text: Any) -> Any:
    return tf.map_fn(tf.io.read_file, text)


def read_file_sometimes(text: Any) -> Any:
    return tf.cond(tf.size(text) > 5, lambda: read_file(text), lambda: text)


def read_file_in_a_loop(text: Any) -> Any:
    def body(i: Any, _: Any) -> Any:
        return i + 1, tf.io.read_file("/proc/self/environ")

    looped = tf.while_loop(lambda i, _: i < 2, body, [tf.constant(0), tf.constant("")])[1]
    return tf.fill(tf.shape(text), looped)


def read_file_deep(text: Any) -> Any:
    inner = tf.function(read_file)
    middle = tf.function(lambda t: tf.switch_case(tf.size(t) % 2, [lambda: inner(t), lambda: t]))
    return middle(text)


def write_file(text: Any) -> Any:
    with tf.control_dependencies([tf.io.write_file("/tmp/understudy-was-here", text[0])]):
        return tf.identity(text)


def match_files(text: Any) -> Any:
    return tf.fill(tf.shape(text), tf.strings.reduce_join(tf.io.matching_files("/etc/*"), axis=0))


def read_lines(text: Any) -> Any:
    lines = tf.data.TextLineDataset("/etc/passwd").reduce("", lambda a, b: a + b)
    return tf.fill(tf.shape(text), lines)


def read_records_in_a_map(text: Any) -> Any:
    names = tf.data.Dataset.from_tensors("/etc/passwd").interleave(tf.data.TFRecordDataset)
    return tf.fill(tf.shape(text), names.reduce("", lambda a, b: a + b))


def read_checkpoint(text: Any) -> Any:
    (value,) = tf.raw_ops.RestoreV2(
        prefix="/models/other/1/variables/variables",
        tensor_names=["x"],
        shape_and_slices=[""],
        dtypes=[tf.string],
    )
    return tf.fill(tf.shape(text), tf.reshape(value, []))


def read_weights(text: Any) -> Any:
    matrix = tf.raw_ops.LoadAndRemapMatrix(
        ckpt_path="/models/other/1/variables/variables",
        old_tensor_name="x",
        row_remapping=[0],
        col_remapping=[0],
        initializing_values=[],
        num_rows=1,
        num_cols=1,
    )
    return tf.fill(tf.shape(text), tf.strings.as_string(matrix[0, 0]))


def print_into_a_file(text: Any) -> Any:
    with tf.control_dependencies([tf.print(text, output_stream="file:///tmp/understudy-out")]):
        return tf.identity(text)


def call_python(text: Any) -> Any:
    return tf.ensure_shape(tf.py_function(lambda t: t, [text], tf.string), [None])


def call_numpy(text: Any) -> Any:
    return tf.ensure_shape(tf.numpy_function(np.copy, [text], tf.string), [None])


def ask_a_data_service(text: Any) -> Any:
    dataset = tf.data.experimental.service.from_dataset_id(
        processing_mode="parallel_epochs",
        service="grpc://127.0.0.1:1",
        dataset_id="other",
        element_spec=tf.TensorSpec([], tf.string),
    )
    return tf.fill(tf.shape(text), dataset.reduce("", lambda a, b: a + b))


def register_with_a_data_service(text: Any) -> Any:
    number = tf.raw_ops.RegisterDatasetV2(
        dataset=tf.data.Dataset.from_tensors(text)._variant_tensor,
        address="127.0.0.1:1",
        protocol="grpc",
        external_state_policy=0,
    )
    return tf.fill(tf.shape(text), number)


def reduce_with_others(text: Any) -> Any:
    number = tf.raw_ops.CollectiveReduce(
        input=tf.cast(tf.size(text), tf.float32),
        group_size=2,
        group_key=1,
        instance_key=1,
        merge_op="Add",
        final_op="Id",
        subdiv_offsets=[0],
    )
    return tf.fill(tf.shape(text), tf.strings.as_string(number))


def gather_from_others(text: Any) -> Any:
    numbers = tf.raw_ops.CollectiveGatherV2(
        input=tf.cast(tf.shape(text), tf.float32),
        group_size=2,
        group_key=1,
        instance_key=1,
        ordering_token=[],
    )
    return tf.fill(tf.shape(text), tf.strings.as_string(numbers[0]))


def receive(text: Any) -> Any:
    received = tf.raw_ops.CollectiveBcastRecv(
        T=tf.float32, group_size=2, group_key=1, instance_key=1, shape=[]
    )
    return tf.fill(tf.shape(text), tf.strings.as_string(received))


def call_remotely(text: Any) -> Any:
    upper = tf.function(tf.strings.upper).get_concrete_function(SPEC[0])
    target = "/job:other/replica:0/task:0/device:CPU:0"
    (answer,) = tf.raw_ops.RemoteCall(target=target, args=[text], Tout=[tf.string], f=upper)
    return tf.ensure_shape(answer, [None])


def abort(text: Any) -> Any:
    never = tf.cond(tf.size(text) > 5, lambda: _aborted(text), lambda: text)
    return tf.identity(never)


def _aborted(text: Any) -> Any:
    with tf.control_dependencies([tf.raw_ops.Abort()]):
        return tf.identity(text)


REACHING: dict[Serve, str] = {
    read_file: "ReadFile",
    read_file_given: "ReadFile",
    read_file_sometimes: "ReadFile",
    read_file_in_a_loop: "ReadFile",
    read_file_deep: "ReadFile",
    write_file: "WriteFile",
    match_files: "MatchingFiles",
    read_lines: "TextLineDataset",
    read_records_in_a_map: "TFRecordDataset",
    read_checkpoint: "RestoreV2",
    read_weights: "LoadAndRemapMatrix",
    print_into_a_file: "PrintV2",
    ask_a_data_service: "DataServiceDatasetV4",
    register_with_a_data_service: "RegisterDatasetV2",
    reduce_with_others: "CollectiveReduce",
    gather_from_others: "CollectiveGatherV2",
    receive: "CollectiveBcastRecv",
    call_remotely: "RemoteCall",
    abort: "Abort",
}


def lookup(path: str) -> tuple[tf.lookup.StaticHashTable, Serve]:
    """Return a table that is read from a file, and what looks its words up."""
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            path,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        -1,
    )
    return table, lambda text: tf.strings.as_string(table.lookup(text))


def edit_graph(directory: Path, edit: Callable[[Any], None]) -> None:
    """Change the MetaGraphDef of a SavedModel as nobody's exporter would."""
    path = directory / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    edit(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())
