"""Graphs that reach out of themselves are refused before anything of them runs."""

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.client import pywrap_tf_session

from service.repository.manifest import write_manifest
from service.repository.model_policy import Policy, write_policy
from service.repository.model_store import Store
from service.runtime.graphs.graph_walk import ASSET, GraphWalk
from service.runtime.graphs.unsafe_operations import EFFECTS
from service.runtime.load_error import Fault, LoadError
from service.runtime.servable import Servable
from tests.lifecycles import load_servable
from tests.savedmodels import reaching
from tests.savedmodels.reaching import REACHING, Serve, edit_graph, lookup, save_reaching


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version of a model in a store."""
    (tmp_path / "models" / "m").mkdir(parents=True)
    return tmp_path / "models" / "m" / "1"


def answer(servable: Servable, text: str) -> str:
    inputs = {"text": np.array([text.encode()], object)}
    (value,) = servable.predict(servable.contract["serving_default"], inputs)["answer"]
    return bytes(value).decode()


def refusal(version: Path, fault: Fault = Fault.OPERATIONS) -> str:
    with pytest.raises(LoadError) as caught:
        load_servable(version)
    assert caught.value.fault is fault
    return str(caught.value)


@pytest.mark.parametrize(
    ("serve", "name"), REACHING.items(), ids=lambda it: getattr(it, "__name__", "")
)
def test_what_reaches_out_is_refused_and_the_policy_allows_it(
    version: Path, serve: Serve, name: str
) -> None:
    save_reaching(version, serve)
    message = refusal(version)
    assert re.match(
        rf"It runs {name} \(node '.*', in signature 'serving_default'\), which ", message
    )
    allowed = message.partition('"allow_operations": ["')[2].rstrip('"].').split('", "')
    assert name in allowed
    write_policy(version.parent, Policy(allow_operations=tuple(allowed)))
    assert list(load_servable(version).contract) == ["serving_default"]


def test_another_operation_than_the_one_allowed_is_refused(version: Path) -> None:
    save_reaching(version, reaching.write_file)
    write_policy(version.parent, Policy(allow_operations=("ReadFile",)))
    message = refusal(version)
    assert message.startswith("It runs WriteFile (node 'WriteFile' of function '__inference_")
    assert message.endswith(
        "in signature 'serving_default'), which writes files. If you trust this model with all "
        "that the service may do, allow it in its policy.json: "
        '"allow_operations": ["ReadFile", "WriteFile"].'
    )


@pytest.mark.parametrize("name", ["_Send", "_Recv", "_HostSend", "_HostRecv", "Send", "Recv"])
def test_what_meets_other_processes_is_refused(version: Path, name: str) -> None:
    """No Python function makes these; a graph may have them all the same."""
    save_reaching(version, tf.identity)

    def meet(graph: Any) -> None:
        (output,) = graph.signature_def["serving_default"].outputs.values()
        node = graph.graph_def.node.add(name="meeting", op=name)
        place = "/job:other/replica:0/task:0/device:CPU:0"
        for key in ("send_device", "recv_device"):
            node.attr[key].s = place.encode()
        node.attr["tensor_name"].s = b"answer"
        node.attr["send_device_incarnation"].i = 1
        if "Recv" in name:
            node.attr["tensor_type"].type = tf.string.as_datatype_enum
            output.name = "meeting:0"
            return
        node.attr["T"].type = tf.string.as_datatype_enum
        node.input.append(output.name)
        # Whoever waits for the answer waits for it to be sent.
        last = graph.graph_def.node.add(name="last", op="Identity", input=[output.name])
        last.input.append("^meeting")
        last.attr["T"].type = tf.string.as_datatype_enum
        output.name = "last:0"

    edit_graph(version, meet)
    assert refusal(version).startswith(
        f"It runs {name} (node 'meeting', in signature 'serving_default'), which talks to other "
        "processes."
    )


@pytest.mark.parametrize("serve", [reaching.call_python, reaching.call_numpy])
def test_python_is_refused_when_it_is_loaded_and_cannot_be_allowed(
    version: Path, serve: Serve
) -> None:
    save_reaching(version, serve)
    names = ("EagerPyFunc", "PyFunc", "PyFuncStateless")
    write_policy(version.parent, Policy(allow_operations=names))
    message = refusal(version)
    assert "runs Python code of the process that exported it" in message
    assert "no policy can allow it" in message


def test_a_version_that_was_published_here_is_trusted_and_a_copy_with_a_manifest_is_not(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "models")
    store.publish("m", partial(save_reaching, serve=reaching.read_file))
    published = store.versions("m")[1]
    assert answer(load_servable(published), "x").startswith("PATH=") or "=" in answer(
        load_servable(published), "x"
    )

    # Another's store, with its manifest, and a manifest that somebody has written.
    elsewhere = tmp_path / "elsewhere" / "m" / "1"
    shutil.copytree(published, elsewhere)
    assert refusal(elsewhere).startswith("It runs ReadFile")
    (elsewhere / "manifest.json").unlink()
    write_manifest(elsewhere)
    assert refusal(elsewhere).startswith("It runs ReadFile")


def test_python_in_a_version_that_was_published_here_is_refused_as_well(tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    store.publish("m", partial(save_reaching, serve=reaching.call_python))
    assert "runs Python code" in refusal(store.versions("m")[1])


def test_a_table_is_read_from_the_versions_own_assets(version: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("good\nbad\n")
    table, serve = lookup(str(tmp_path / "words.txt"))
    save_reaching(version, serve, table=table)
    (tmp_path / "words.txt").unlink()
    assert answer(load_servable(version), "bad") == "1"


@pytest.mark.parametrize("name", ["/etc/hostname", "../../../../etc/hostname", "../../other"])
def test_an_asset_outside_of_the_version_is_refused(
    version: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "words.txt").write_text("good\nbad\n")
    table, serve = lookup(str(tmp_path / "words.txt"))
    save_reaching(version, serve, table=table)

    def point_elsewhere(graph: Any) -> None:
        graph.asset_file_def[0].filename = name

    edit_graph(version, point_elsewhere)
    write_policy(version.parent, Policy(allow_operations=("InitializeTableFromTextFileV2",)))
    assert refusal(version) == f"Its asset {name!r} is a file outside of the version."


def test_an_asset_that_is_a_link_out_of_the_version_is_refused(
    version: Path, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("good\nbad\n")
    table, serve = lookup(str(tmp_path / "words.txt"))
    save_reaching(version, serve, table=table)
    (version / "assets" / "words.txt").unlink()
    (version / "assets" / "words.txt").symlink_to("/etc/hostname")
    assert refusal(version) == "Its asset 'words.txt' is a file outside of the version."


def test_a_table_that_is_read_from_any_other_file_is_refused(version: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("good\nbad\n")
    table, serve = lookup(str(tmp_path / "words.txt"))
    save_reaching(version, serve, table=table)

    def forget_the_asset(graph: Any) -> None:
        # TensorFlow feeds the path only where it is listed as one; else the node's own is taken.
        del graph.asset_file_def[:]

    edit_graph(version, forget_the_asset)
    message = refusal(version)
    assert message.startswith("It runs InitializeTableFromTextFileV2 (node ")
    assert "in its initialisation), which reads files." in message


def test_a_variable_that_may_hold_another_path_than_the_assets_is_no_asset(
    version: Path, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("good\nbad\n")
    table, serve = lookup(str(tmp_path / "words.txt"))
    save_reaching(version, serve, table=table)

    def keep_the_path_in_a_variable(graph: Any, *, assigned: str) -> None:
        nodes = graph.graph_def.node
        asset = graph.asset_file_def[0].tensor_info.name.partition(":")[0]
        (reader,) = (n for n in nodes if asset in n.input and n.op != "Identity")
        handle = nodes.add(name="path", op="VarHandleOp")
        handle.attr["dtype"].type = tf.string.as_datatype_enum
        handle.attr["shape"].shape.SetInParent()
        for name, value in (("first", asset), ("second", assigned)):
            assign = nodes.add(name=name, op="AssignVariableOp", input=["path", value])
            assign.attr["dtype"].type = tf.string.as_datatype_enum
        read = nodes.add(name="read", op="ReadVariableOp", input=["path", "^first", "^second"])
        read.attr["dtype"].type = tf.string.as_datatype_enum
        other = nodes.add(name="other", op="Const")
        other.attr["dtype"].type = tf.string.as_datatype_enum
        other.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("/etc/hostname"))
        reader.input[list(reader.input).index(asset)] = "read"

    copy = version.with_name("2")
    shutil.copytree(version, copy)
    asset = "asset_path_initializer"

    def only_the_asset(graph: Any) -> None:
        name = graph.asset_file_def[0].tensor_info.name.partition(":")[0]
        keep_the_path_in_a_variable(graph, assigned=name)

    edit_graph(copy, only_the_asset)
    assert answer(load_servable(copy), "bad") == "1"
    edit_graph(version, lambda graph: keep_the_path_in_a_variable(graph, assigned="other"))
    assert refusal(version).startswith("It runs InitializeTableFromTextFileV2"), asset


def test_variables_are_restored_from_the_version_and_from_nowhere_else(version: Path) -> None:
    save_reaching(version, tf.identity, weight=tf.Variable(1.0))
    assert answer(load_servable(version), "x") == "x"

    def restore_elsewhere(graph: Any) -> None:
        saver = graph.saver_def
        saver.filename_tensor_name = "another:0"
        other = graph.graph_def.node.add(name="another", op="Placeholder")
        other.attr["dtype"].type = tf.string.as_datatype_enum

    edit_graph(version, restore_elsewhere)
    message = refusal(version)
    assert message.startswith("It runs RestoreV2 (node 'RestoreV2' of function '__inference_")
    assert "in restoring its variables), which reads files." in message


def test_what_runs_when_it_is_loaded_is_looked_at_before(version: Path, tmp_path: Path) -> None:
    save_reaching(version, tf.identity)
    target = tmp_path / "written"

    def write_at_the_start(graph: Any) -> None:
        for name, text in (("where", str(target)), ("what", "me")):
            node = graph.graph_def.node.add(name=name, op="Const")
            node.attr["dtype"].type = tf.string.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(text))
        graph.graph_def.node.add(name="write", op="WriteFile", input=["where", "what"])
        (init,) = (node for node in graph.graph_def.node if node.op == "NoOp")
        init.input.append("^write")

    edit_graph(version, write_at_the_start)
    assert refusal(version).startswith(
        "It runs WriteFile (node 'write', in its initialisation), which writes files."
    )
    assert not target.exists()


def test_what_nobody_can_reach_is_no_reason(version: Path) -> None:
    save_reaching(version, tf.identity)

    def add_an_island(graph: Any) -> None:
        node = graph.graph_def.node.add(name="where", op="Const")
        node.attr["dtype"].type = tf.string.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("/etc/hostname"))
        graph.graph_def.node.add(name="island", op="ReadFile", input=["where"])

    edit_graph(version, add_an_island)
    assert answer(load_servable(version), "x") == "x"


def test_an_operation_that_tensorflow_lacks_is_named(version: Path) -> None:
    save_reaching(version, tf.identity)
    edit_graph(version, lambda graph: graph.graph_def.node.add(name="t", op="SentencepieceOp"))
    assert refusal(version) == (
        "It needs the operation SentencepieceOp (node 't'), which TensorFlow does not have here: "
        "it is a custom operation, or one of another version of TensorFlow."
    )


def test_a_tensor_may_be_passed_on_more_often_than_calls_can_nest() -> None:
    meta_graph = meta_graph_pb2.MetaGraphDef()
    nodes = meta_graph.graph_def.node
    nodes.add(name="0", op="Placeholder")
    for i in range(1, 3000):
        nodes.add(name=str(i), op="Identity", input=[str(i - 1)])
    nodes.add(name="read", op="ReadFile", input=["2999"])
    meta_graph.asset_file_def.add(filename="words").tensor_info.name = "0:0"
    meta_graph.collection_def["saved_model_main_op"].node_list.value.append("read")
    (read,) = (step for step in GraphWalk(meta_graph).steps if step.op == "ReadFile")
    assert read.values == (ASSET,)


def test_functions_that_call_one_another_too_deeply_are_refused(version: Path) -> None:
    save_reaching(version, tf.identity)

    def nest(graph: Any) -> None:
        for i in range(2000):
            function = graph.graph_def.library.function.add()
            function.signature.name = f"f{i}"
            node = function.node_def.add(name="call", op="PartitionedCall")
            node.attr["f"].func.name = f"f{i + 1}"
        graph.graph_def.library.function.add().signature.name = "f2000"
        (output,) = graph.signature_def["serving_default"].outputs.values()
        node = graph.graph_def.node.add(name="deep", op="PartitionedCall")
        node.attr["f"].func.name = "f0"
        output.name = "deep:0"

    edit_graph(version, nest)
    assert refusal(version) == ("Its functions call one another too deeply to be checked.")


@pytest.mark.parametrize(
    "serve",
    [
        lambda text: tf.strings.upper(text),
        lambda text: tf.data.Dataset.from_tensors(text).cache().get_single_element(),
        lambda text: tf.map_fn(tf.strings.lower, text),
    ],
)
def test_what_only_computes_is_served(version: Path, serve: Serve) -> None:
    save_reaching(version, serve)
    assert list(load_servable(version).contract) == ["serving_default"]


# Operations of TensorFlow whose names or arguments sound as if they reached out, and do not.
HARMLESS = re.compile(
    r"""
    ^_|TPU|Tpu|Xla|SparseCore|Nccl|^DTensor|Feed|^ConvertTo|^Get(Stats|Minibatch)|^SortListOf
    |^StoreMinibatch|^ComputeDedup    # no kernels without an accelerator
    |^(Reader|IdentityReader)         # need a reader, which is refused
    |^(ScalarSummary|HistogramSummary|ImageSummary|AudioSummary|AudioSummaryV2|TensorSummary
      |TensorSummaryV2|MergeSummary|BoostedTreesMakeStatsSummary|StatsAggregatorSummary)$
                                      # return a protocol buffer
    |^(Print|CheckNumerics.*|DebugGradient.*|DumpMesh|DeleteRpcFutureResource)$
    |^(Experimental)?StatsAggregatorSummary$|^(DebugNumericSummaryV2|DisableCopyOnRead|Snapshot)$
    |^(BoostedTrees.*|ShardedFilename|ShardedFilespec|SaveableObject)$
    |^(Dataset|Experimental)?DatasetToGraph(V2)?$
    |^(InTopK|InTopKV2|ReadVariableOp|ReadVariableXlaSplitND|TensorArray.*|Unique.*|ShardDataset)$
    |^(AutoShardDataset|ExperimentalAutoShardDataset|IsotonicRegression|RewriteDataset)$
    |^(ParseSingleSequenceExample|ParseSequenceExampleV2|SetStatsAggregatorDataset)$
    |^(ExperimentalSetStatsAggregatorDataset|Xdivy|Xlog1py|SparseSoftmax.*|RngReadAndSkip)$
    |^(SampleDistorted.*|MultiDeviceIteratorGetNextFromShard|.*ReadAndSkip|DecodeFiles?)$
    """,
    re.VERBOSE,
)
SUSPICIOUS = re.compile(
    r"File|Read(?!y)|Write|^Py|Py(Func|$)|Summary|Send|Recv|Rpc|Save|Restore|Print|Debug|Dump"
    r"|LMDB|Sql|CSV(Dataset)|Snapshot|DataService|Collective|Remote|Server|Client|Abort|Shutdown"
)
SUSPICIOUS_ARGUMENT = re.compile(r"file|path|dir$|url|uri|address|region|prefix|log_?dir|source$")


def test_every_operation_of_tensorflow_that_sounds_so_was_looked_at() -> None:
    """A new TensorFlow brings new ones; each is to be listed, or said to be harmless."""
    operations = op_def_pb2.OpList()
    operations.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    open_questions = []
    for operation in operations.op:
        texts = [a.name for a in operation.attr if a.type in ("string", "list(string)")]
        texts += [a.name for a in operation.input_arg if a.type == tf.string.as_datatype_enum]
        sounds = SUSPICIOUS.search(operation.name) or any(map(SUSPICIOUS_ARGUMENT.search, texts))
        known = operation.name.removeprefix("Experimental") in EFFECTS
        if sounds and not known and not HARMLESS.search(operation.name):
            open_questions.append((operation.name, texts))
    assert open_questions == []
