"""What loading a version of many signatures leaves until somebody asks for them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from service.errors import ServiceError
from service.repository.golden_examples import Golden, GoldenExample, write_golden
from service.runtime import saved_model
from service.runtime.load_error import LoadError
from service.runtime.servable import Servable
from service.runtime.signature_calls import SignatureCalls
from tests.lifecycles import load_servable
from tests.savedmodels.many import save_many

COUNT = 12


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Return the tensors of the calls that TensorFlow is asked to make, in order."""
    found: list[tuple[str, ...]] = []
    original = SignatureCalls._make

    def make(self: SignatureCalls, binding: Any) -> Any:
        found.append(binding.fetches)
        return original(self, binding)

    monkeypatch.setattr(SignatureCalls, "_make", make)
    return found


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time be left for more than what is always made at once."""
    monkeypatch.setattr(saved_model, "_MAKING_S", 0.0)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("many") / "1"
    save_many(directory, COUNT)
    return directory


def load(directory: Path) -> Servable:
    servable = load_servable(directory)
    servable.warm_up()
    servable.prove()
    servable.check_rows()
    return servable


def ask(servable: Servable, name: str) -> float:
    outputs = servable.predict(servable.contract[name], {"x": np.zeros(1, np.float32)})
    return float(outputs["y"][0])


def test_only_some_are_made_when_it_is_loaded_and_all_answer(
    many: Path, made: list[Any], no_time: None
) -> None:
    servable = load(many)
    assert len(made) == 8
    assert len(servable.contract) == COUNT
    assert [ask(servable, name) for name in servable.contract] == list(range(COUNT))
    assert len(made) == COUNT
    # Each is made once.
    assert [ask(servable, name) for name in servable.contract] == list(range(COUNT))
    assert len(made) == COUNT


def test_where_there_is_time_all_are_made_at_once(many: Path, made: list[Any]) -> None:
    load(many)
    assert len(made) == COUNT


def test_what_was_not_tried_out_is_not_batched(many: Path, no_time: None) -> None:
    servable = load(many)
    tried = [name for name, each in servable.independence.items() if each.holds]
    assert tried == [f"s{i:03}" for i in range(8)]
    assert "too many signatures to try out all" in servable.independence["s011"].reason
    assert not servable.contract["s011"].runs_in_batches


def test_two_first_calls_at_once_make_one(many: Path, made: list[Any], no_time: None) -> None:
    servable = load(many)
    clients = 8
    together = Barrier(clients)

    def first(_: int) -> float:
        together.wait()
        return ask(servable, "s011")

    with ThreadPoolExecutor(clients) as pool:
        assert set(pool.map(first, range(clients))) == {11.0}
    assert len(made) == 9


def test_golden_examples_are_proved_whichever_signature_they_call(
    tmp_path: Path, no_time: None
) -> None:
    directory = tmp_path / "1"
    save_many(directory, COUNT)
    examples = [GoldenExample(f"s{i:03}", {"x": 1.0}, {"y": i + 1.0}) for i in (9, 10, 11)]
    write_golden(directory, Golden(examples))
    servable = load(directory)
    assert servable.independence["s011"].holds
    assert not servable.independence["s008"].holds
    write_golden(directory, Golden([*examples, GoldenExample("s007", {"x": 1.0}, {"y": 9.0})]))
    with pytest.raises(LoadError, match="Golden example"):
        load(directory)


def test_a_signature_without_its_tensor_is_left_out_when_it_is_loaded(
    tmp_path: Path, no_time: None
) -> None:
    directory = tmp_path / "1"
    save_many(directory, COUNT)
    path = directory / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    (graph,) = saved.meta_graphs
    graph.signature_def["s011"].outputs["y"].name = "nowhere:0"
    path.write_bytes(saved.SerializeToString())
    servable = load(directory)
    assert len(servable.contract) == COUNT - 1
    assert "nowhere" in servable.contract.left_out["s011"]


def test_what_cannot_be_made_later_is_no_fault_of_the_client(
    many: Path, no_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    servable = load(many)

    def fail(self: SignatureCalls, binding: Any) -> Any:
        raise tf.errors.InvalidArgumentError(None, None, "No kernel.")

    with monkeypatch.context() as patch:
        patch.setattr(SignatureCalls, "_make", fail)
        with pytest.raises(ServiceError, match="'s011'") as told:
            ask(servable, "s011")
    assert told.value.status == 500
    # The next may succeed: memory may have been short.
    assert ask(servable, "s011") == 11.0
