"""What a graph may do beside computing: operations that reach out of it are refused.

A SavedModel is a program. TensorFlow has operations that read and write files, talk to other
machines, call Python, or end the process; a graph with one of them does with each request, or
already while it is loaded, what the service's own user may do. docs/guides/operate.md has the list,
and says what trusting a model means.
"""

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from service.repository.model_policy import POLICY
from service.runtime.graphs.graph_walk import SAVER, GraphWalk, Step, TensorSource

_READS = "reads files"
_WRITES = "writes files"
_TALKS = "talks to other processes"
_PYTHON = "runs Python code of the process that exported it, which is not here"
_ENDS = "ends the process"
_HIDES = "runs a graph that is built only when it runs, so it cannot be checked before"

# By what they do; with the prefix "Experimental" they are the same.
_OPERATIONS: dict[str, tuple[str, ...]] = {
    _READS: (
        *("ReadFile", "MatchingFiles", "WholeFileReader", "WholeFileReaderV2"),
        *("TextLineReader", "TextLineReaderV2", "TFRecordReader", "TFRecordReaderV2"),
        *("FixedLengthRecordReader", "FixedLengthRecordReaderV2", "LMDBReader", "RecordInput"),
        *("TextLineDataset", "FixedLengthRecordDataset", "FixedLengthRecordDatasetV2"),
        *("TFRecordDataset", "TFRecordDatasetV2", "CSVDataset", "CSVDatasetV2"),
        *("SqlDataset", "LMDBDataset", "MatchingFilesDataset", "LoadDataset"),
        *("SnapshotDatasetReader", "SnapshotNestedDatasetReader", "SnapshotChunkDataset"),
        *("ListSnapshotChunksDataset", "ImmutableConst", "Skipgram", "GenerateVocabRemapping"),
        *("LoadAndRemapMatrix", "Restore", "RestoreSlice", "RestoreV2", "DTensorRestoreV2"),
        *("InitializeTableFromTextFile", "InitializeTableFromTextFileV2"),
        *("FixedUnigramCandidateSampler", "DecodeProtoV2", "EncodeProto"),
    ),
    _WRITES: (
        *("WriteFile", "Save", "SaveSlices", "SaveV2", "MergeV2Checkpoints", "DistributedSave"),
        *("SaveDataset", "SaveDatasetV2", "SnapshotDataset", "SnapshotDatasetV2"),
        *("CacheDataset", "CacheDatasetV2", "DatasetToTFRecord", "DumpTensor"),
        *("CalibrationStatisticsSaver", "PrintV2", "FileSystemSetConfiguration"),
        *("CreateSummaryFileWriter", "CreateSummaryDbWriter", "SummaryWriter", "ImportEvent"),
        *("WriteSummary", "WriteScalarSummary", "WriteHistogramSummary", "WriteImageSummary"),
        *("WriteAudioSummary", "WriteRawProtoSummary", "WriteGraphSummary"),
        *("FlushSummaryWriter", "CloseSummaryWriter", "StatsAggregatorSetSummaryWriter"),
        *("DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "DebugNanCount"),
        *("DebugNumericSummary", "Copy", "CopyHost"),
    ),
    _TALKS: (
        *("Send", "Recv", "_Send", "_Recv", "_HostSend", "_HostRecv", "RemoteCall"),
        *("RpcServer", "RpcServerStart", "RpcServerRegister", "RpcClient", "RpcCall"),
        *("RpcCheckStatus", "RpcGetValue", "RegisterDataset", "RegisterDatasetV2"),
        *("DataServiceDataset", "DataServiceDatasetV2", "DataServiceDatasetV3"),
        *("DataServiceDatasetV4", "CollectiveInitializeCommunicator", "CollectiveReduce"),
        *("CollectiveReduceV2", "CollectiveReduceV3", "CollectiveReduceScatterV2"),
        *("CollectiveGather", "CollectiveGatherV2", "CollectiveBcastSend"),
        *("CollectiveBcastSendV2", "CollectiveBcastRecv", "CollectiveBcastRecvV2"),
        *("CollectiveAllToAllV2", "CollectiveAllToAllV3", "CollectivePermute"),
        *("CollectiveAssignGroupV2", "ConfigureDistributedTPU", "ShutdownDistributedTPU"),
    ),
    _PYTHON: ("PyFunc", "PyFuncStateless", "EagerPyFunc"),
    _ENDS: ("Abort", "WorkerHeartbeat", "ShutdownTPUSystem"),
    _HIDES: ("DatasetFromGraph", "MlirPassthroughOp"),
}
EFFECTS = {name: effect for effect, names in _OPERATIONS.items() for name in names}


def refused_operations(
    meta_graph: Any,
    folder: Path,
    *,
    is_known: Callable[[str], bool],
    allowed: Collection[str],
    trusted: bool,
) -> str | None:
    """Return which operations of a graph must not run; ``None`` when it may be loaded.

    It is asked before the graph is loaded, since loading runs a part of it.

    Args:
        meta_graph: TensorFlow's ``MetaGraphDef``.
        folder: the version's folder.
        is_known: whether TensorFlow has an operation of that name here.
        allowed: operations that the model's policy allows.
        trusted: whether the version was published here, so that what it reads and writes is what
            its publisher wanted.

    Returns:
        A sentence that names operation, node and what runs it, and how to allow it.
    """
    walk = GraphWalk(meta_graph)
    problem = _unknown(meta_graph, walk, is_known) or _asset_outside(meta_graph, folder)
    if problem:
        return problem
    refused: dict[str, Step] = {}
    for step in walk.steps:
        if _reaches_out(step, walk):
            refused.setdefault(step.op, step)
    for name, step in refused.items():
        if _effect(name) == _PYTHON:
            return (
                f"It runs {_place(step)}, which {_PYTHON}: a SavedModel does not carry it, and no "
                "policy can allow it. Export the model without tf.py_function and numpy_function."
            )
    refused = {} if trusted else {k: v for k, v in refused.items() if k not in allowed}
    if not refused:
        return None
    name, step = next(iter(refused.items()))
    more = f" It also runs {', '.join(list(refused)[1:])}." if len(refused) > 1 else ""
    names = ", ".join(f'"{name}"' for name in sorted({*allowed, *refused}))
    return (
        f"It runs {_place(step)}, which {_effect(name)}.{more} If you trust this model with all "
        f'that the service may do, allow it in its {POLICY}: "allow_operations": [{names}].'
    )


def _unknown(meta_graph: Any, walk: GraphWalk, is_known: Callable[[str], bool]) -> str | None:
    """Return which operation TensorFlow does not have here."""
    # Of the graph itself all nodes are loaded, of functions only what is called.
    found = [(node.op, f"node {node.name!r}") for node in meta_graph.graph_def.node]
    found += [(step.op, _node(step)) for step in walk.steps]
    for name, node in found:
        if name not in walk.functions and not is_known(name):
            return (
                f"It needs the operation {name} ({node}), which TensorFlow does not have here: it "
                "is a custom operation, or one of another version of TensorFlow."
            )
    return None


def _asset_outside(meta_graph: Any, folder: Path) -> str | None:
    """Return which asset is not one of the version's own files: TensorFlow takes any path."""
    own = os.path.realpath(folder)
    for asset in meta_graph.asset_file_def:
        path = os.path.realpath(Path(folder, "assets", asset.filename))
        if os.path.commonpath([own, path]) != own:
            return f"Its asset {asset.filename!r} is a file outside of the version."
    return None


def _reaches_out(step: Step, walk: GraphWalk) -> bool:
    """Whether an operation does what its name can do, with the inputs and attributes it has."""
    node, values = step.node, step.values
    match step.op.removeprefix("Experimental"):
        case name if name not in EFFECTS:
            return False
        case "InitializeTableFromTextFile" | "InitializeTableFromTextFileV2":
            return not (len(values) == 2 and walk.is_asset(values[1]))
        case "ReadFile":
            return not (len(values) == 1 and walk.is_asset(values[0]))
        case "Restore" | "RestoreSlice" | "RestoreV2" | "DTensorRestoreV2":
            return not (values and values[0] == SAVER)
        case "CacheDataset" | "CacheDatasetV2":
            # Without a file name it is a cache in memory.
            return not (len(values) > 1 and values[1] == TensorSource("constant", ""))
        case "FixedUnigramCandidateSampler":
            return bool(node.attr["vocab_file"].s)
        case "DecodeProtoV2" | "EncodeProto":
            source = node.attr["descriptor_source"].s
            return not (source in (b"", b"local://") or source.startswith(b"bytes://"))
        case "PrintV2":
            return bool(node.attr["output_stream"].s.startswith(b"file:"))
        case "Copy" | "CopyHost":
            return bool(node.attr["debug_ops_spec"].list.s)
        case _:
            return True


def _effect(name: str) -> str:
    return EFFECTS[name.removeprefix("Experimental")]


def _place(step: Step) -> str:
    return f"{step.op} ({_node(step)}, in {step.reason})"


def _node(step: Step) -> str:
    inside = f" of function {step.function!r}" if step.function else ""
    return f"node {step.node.name!r}{inside}"
