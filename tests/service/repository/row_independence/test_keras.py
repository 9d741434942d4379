"""What is proved of the layers that Keras exports, held against what they really do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from service.repository.row_dependence_probe import neighbours_matter
from service.repository.row_independence import Proof, prove_independence
from tests.service.conftest import served
from tests.service.repository.row_independence.keras_cases import CASES, MIXING, PROVED, Case


def _model(case: Case) -> Any:
    given = keras.Input(case.shape, dtype=case.dtype, name="x")
    return keras.Model(given, case.make(given))


def _exported(case: Case) -> tuple[Any, Any]:
    model = _model(case)
    spec = tf.TensorSpec([None, *case.shape], case.dtype, name="x")

    def serve(x: Any) -> dict[str, Any]:
        outputs = model(x, training=False)
        several = outputs if isinstance(outputs, list) else [outputs]
        return {f"out{number}": each for number, each in enumerate(several)}

    # As Keras' own export traces.
    traced = tf.function(serve, input_signature=[spec], autograph=False)
    return model, traced.get_concrete_function()


def _has_table(layer: Any) -> bool:
    return isinstance(
        layer,
        keras.layers.IntegerLookup | keras.layers.StringLookup | keras.layers.TextVectorization,
    )


@pytest.fixture(scope="module")
def functions() -> Mapping[str, Any]:
    keras.utils.set_random_seed(1)
    return {name: _exported(case) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def proofs(
    functions: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Proof]:
    """What is proved of all of them, which are signatures of one SavedModel."""
    module = tf.Module()
    models = [model for model, _ in functions.values()]
    # Of whole models TensorFlow would trace every layer once more.
    module.variables_within = [each.value for model in models for each in model.variables]
    module.tables = [layer for model in models for layer in model.layers if _has_table(layer)]
    folder: Path = tmp_path_factory.mktemp("keras") / "1"
    signatures = {name: function for name, (_, function) in functions.items()}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return prove_independence(folder)


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_proved_only_where_it_keeps_rows_apart(
    functions: Mapping[str, Any], proofs: Mapping[str, Proof], name: str
) -> None:
    case, (_, function) = CASES[name], functions[name]

    def run(tensors: Mapping[str, Any]) -> dict[str, Any]:
        x = tensors["x"]
        given = tf.constant(x.tolist(), tf.string, x.shape) if x.dtype == object else x
        return {key: value.numpy() for key, value in function(tf.constant(given)).items()}

    mixing = neighbours_matter(run, {"x": case.inputs()}, absolute=1e-5, relative=1e-3)
    assert bool(mixing) is (case.expected == MIXING), mixing
    assert proofs[name].holds is (case.expected == PROVED), proofs[name].reason


# Networks of many layers, as Keras' own export writes them.
_NETWORKS = ("encoder", "residual", "recurrent_network", "lstm_masked", "conv_lstm2d", "decoded")


@pytest.mark.parametrize("name", _NETWORKS)
def test_what_keras_exports_by_itself_is_batched(tmp_path: Path, name: str) -> None:
    keras.utils.set_random_seed(1)
    case, model = CASES[name], _model(CASES[name])
    model.export(tmp_path / "net" / "1", verbose=False)
    with served(tmp_path, "loop") as client:
        (summary,) = client.get("/v1/models").json["models"]
        for signature in summary["signatures"].values():
            batching = signature["batching"]
            assert (batching["rows_independent"], batching["source"]) == (True, "graph"), batching
        if case.dtype == "string":
            return  # how bytes are sent is another matter
        rows = case.inputs()
        answer = client.post("/v1/models/net:predict", json={"inputs": rows.tolist()})
        assert answer.status_code == 200, answer.json
        want = model.predict(rows, verbose=0)
        assert tf.reduce_max(tf.abs(tf.constant(answer.json["outputs"]) - want)) < 1e-4


@pytest.mark.parametrize("name", ["over_rows", "random_flip", "random_rotation"])
def test_what_is_not_proved_is_exported_and_not_batched(tmp_path: Path, name: str) -> None:
    """Layers that augment pictures draw a number in exports, though they do nothing with it."""
    _model(CASES[name]).export(tmp_path / "net" / "1", verbose=False)
    with served(tmp_path, "loop") as client:
        (summary,) = client.get("/v1/models").json["models"]
        for signature in summary["signatures"].values():
            assert signature["batching"]["rows_independent"] is False
