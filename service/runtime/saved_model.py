"""Restoring a SavedModel: its graph is checked, loaded into a session, and described."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from service.repository.contract import (
    DEFAULT_SIGNATURE,
    Contract,
    ServedContract,
    disagreements,
)
from service.repository.errors import RepositoryError
from service.repository.golden_examples import Golden
from service.repository.model_card import Card
from service.repository.model_policy import read_policy
from service.repository.precision import Precision
from service.repository.publication_marks import was_published_here
from service.runtime.contract_derivation import completed, derive_contract, tensor_name
from service.runtime.device_placement import leave_cluster
from service.runtime.graphs.example_inputs import ExampleInputs
from service.runtime.graphs.state_writes import writes_state
from service.runtime.graphs.termination import is_bounded
from service.runtime.graphs.unsafe_operations import refused_operations
from service.runtime.load_error import Fault, LoadError
from service.runtime.signature_calls import SignatureCalls, new_session
from service.runtime.tensorflow_errors import GRAPH_ERRORS, first_sentence
from service.runtime.tensorflow_import import (
    SavedModelLoader,
    is_known_operation,
    is_stateful_operation,
    tf,
)
from service.runtime.tensorflow_paths import literal

# Each signature's call takes TensorFlow the longer to make, the more functions the graph has: 0.01
# s for one of a few, 0.5 s for one of 300. So many are made when a version is loaded, and further
# ones while as many seconds have not passed; the others when they are first called.
_MADE_AT_ONCE = 8
_MAKING_S = 3.0

# Characters of a message that lists the reasons of all signatures.
_LONGEST_REASON = 1000


class SavedModel:
    """A SavedModel restored into a session, with a call for each signature that can be served.

    Attributes:
        calls: what runs its signatures.
        contract: the signatures that can be served, as card and graph describe them, and why the
            others cannot.
        signature_def: TensorFlow's own description of all its signatures, as protobuf's JSON.
        example_parsers: the signatures whose only input is parsed as ``tf.train.Example``.
        state_writers: the signatures that change the model's state.
        bounded: the signatures whose calls are certain to end.
    """

    def __init__(
        self,
        directory: Path,
        card: Card | None,
        golden: Golden | None,
        *,
        cores: int,
        precision: Precision,
    ) -> None:
        """The SavedModel in ``directory``, restored into a session.

        Args:
            directory: the version's folder.
            card: the version's card; its contract must be kept.
            golden: its golden examples; the calls of their signatures are made first.
            cores: how many cores one inference may use.
            precision: what the graph computes in.

        Raises:
            LoadError: it is not a SavedModel that can be served, or not the one its card describes.
        """
        session = new_session(cores, precision)
        self.calls = SignatureCalls(session)
        try:
            meta_graph = _restore(session, directory)
            self.contract = self._make_calls(meta_graph, card, golden)
            self._describe(meta_graph, session.graph)
        except BaseException:
            session.close()
            raise

    def _make_calls(
        self, meta_graph: Any, card: Card | None, golden: Golden | None
    ) -> ServedContract:
        derived = derive_contract(meta_graph.signature_def, tf.make_ndarray)
        left_out = dict(derived.left_out)
        promised = card.contract if card else {}
        problems = _broken_promises(promised, left_out)
        problems = problems or disagreements(promised, derived.contract)
        if problems:
            raise LoadError(Fault.CONTRACT, problems[0])
        contract = completed(promised, derived.contract)
        asked_first = {example.signature for example in (golden.examples if golden else ())}

        def importance(name: str) -> tuple[bool, bool, bool, str]:
            # The lowest are those that somebody will ask for soonest.
            return name not in asked_first, name != DEFAULT_SIGNATURE, name not in promised, name

        began = time.monotonic()
        for i, name in enumerate(sorted(contract, key=importance)):
            at_once = i < _MADE_AT_ONCE or time.monotonic() - began < _MAKING_S
            try:
                self.calls.add(meta_graph.signature_def[name], contract[name], at_once=at_once)
            except (KeyError, ValueError, GRAPH_ERRORS) as error:
                left_out[name] = first_sentence(error)
        made = self.calls.by_name
        problems = _broken_promises(promised, left_out)
        if not made:
            reasons = [f"{name!r}: {reason}" for name, reason in left_out.items()]
            message = "It has no signature with only numeric, boolean and string tensors."
            problems = problems or [" ".join([message, *reasons])[:_LONGEST_REASON]]
        if problems:
            raise LoadError(Fault.CONTRACT, problems[0])
        return ServedContract({n: each for n, each in contract.items() if n in made}, left_out)

    def _describe(self, meta_graph: Any, graph: Any) -> None:
        definitions = meta_graph.signature_def
        made = self.calls.by_name
        parsed = ExampleInputs(meta_graph.graph_def)
        self.example_parsers = {
            name
            for name, (binding, _) in made.items()
            if len(binding.feeds) == 1 and parsed.takes(binding.feeds[0])
        }
        self.signature_def: dict[str, Any] = {
            name: MessageToDict(
                definition,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            for name, definition in sorted(definitions.items())
        }
        outputs = {
            name: [tensor_name(tensor) for tensor in definitions[name].outputs.values()]
            for name in made
        }
        graph_def = graph.as_graph_def()
        self.state_writers = {
            name
            for name in made
            if writes_state(
                graph_def, outputs[name], lambda op: graph.op_def_for_type(op).is_stateful
            )
        }
        self.bounded = {
            name
            for name in made
            if is_bounded(meta_graph.graph_def, outputs[name], is_stateful_operation)
        }


def _restore(session: Any, directory: Path) -> Any:
    """Load graph and variables into a session, and return the ``MetaGraphDef``."""
    # What ``saved_model.loader.load`` is made of, with a look at the graph between. It is read
    # once: what is looked at must be what is loaded.
    try:
        with literal(directory) as path, session.graph.as_default():
            loader = SavedModelLoader(path)
            meta_graph = loader.get_meta_graph_def_from_tags([tf.saved_model.SERVING])
            _check_operations(meta_graph, directory)
            leave_cluster(meta_graph.graph_def)
            return loader.load(session, [tf.saved_model.SERVING])
    except LoadError:
        raise
    except Exception as error:
        message = f"TensorFlow cannot load it: {first_sentence(error)}"
        raise LoadError(Fault.GRAPH, message) from error


def _check_operations(meta_graph: Any, directory: Path) -> None:
    """Look at the graph before it is loaded, since loading runs a part of it.

    Raises:
        LoadError: it has operations that must not run.
    """
    try:
        allowed = read_policy(directory.parent).allow_operations
    except RepositoryError:
        allowed = ()
    try:
        problem = refused_operations(
            meta_graph,
            directory,
            is_known=is_known_operation,
            allowed=allowed,
            trusted=was_published_here(directory),
        )
    except RecursionError:
        problem = "Its functions call one another too deeply to be checked."
    if problem:
        raise LoadError(Fault.OPERATIONS, problem)


def _broken_promises(promised: Contract, left_out: Mapping[str, str]) -> list[str]:
    return [
        f"Signature {name!r} of the card cannot be served: {left_out[name]}"
        for name in promised
        if name in left_out
    ]
