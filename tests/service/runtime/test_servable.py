import shutil
from pathlib import Path

import numpy as np
import pytest

from service.errors import InvalidRequestError
from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.golden_examples import Golden, GoldenExample, write_golden
from service.repository.model_card import CARD
from service.runtime.load_error import LoadError
from service.runtime.servable import Servable
from tests.lifecycles import load_servable
from tests.savedmodels.affine import fill_affine, save_affine
from tests.savedmodels.shapes import save_shapes


@pytest.fixture(scope="module")
def affine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("affine") / "1"
    fill_affine(directory, bias=1.0)
    return directory


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Servable:
    directory = tmp_path_factory.mktemp("shapes") / "1"
    save_shapes(directory)
    return load_servable(directory)


def test_predicts_rows_in_the_order_of_the_contract(affine: Path) -> None:
    servable = load_servable(affine)
    outputs = servable.predict(
        servable.contract[DEFAULT_SIGNATURE],
        {
            "x": np.array([[1, 2], [3, 4]], np.float32),
            "text": np.array([b"a", "é".encode()], object),
            "shift": np.array([0, np.nan], np.float32),
        },
    )
    assert list(outputs) == ["y", "loud"]
    np.testing.assert_allclose(outputs["y"], [6, 12])
    assert outputs["loud"].tolist() == [b"A", "é".encode()]


def test_the_card_describes_and_the_graph_completes(affine: Path) -> None:
    servable = load_servable(affine)
    assert servable.contract[DEFAULT_SIGNATURE].input("x").maximum == 100
    assert [field.name for field in servable.contract["only_y"].inputs] == ["x"]
    # Also what cannot be called, such as the operation that fills the tables.
    assert set(servable.signature_def) > {DEFAULT_SIGNATURE, "only_y"}


def test_warms_up_and_proves_itself(affine: Path) -> None:
    servable = load_servable(affine)
    servable.warm_up()
    servable.prove()


def test_a_wrong_golden_answer_is_refused(affine: Path, tmp_path: Path) -> None:
    directory = tmp_path / "1"
    shutil.copytree(affine, directory)
    wrong = GoldenExample("only_y", {"x": [1, 2]}, {"y": 7.0}, "wrong")
    write_golden(directory, Golden([wrong]))
    with pytest.raises(LoadError, match=r"\(wrong\) answers y = 6\.0, expected 7\.0"):
        load_servable(directory).prove()


def test_a_golden_example_that_cannot_run_is_refused(affine: Path, tmp_path: Path) -> None:
    directory = tmp_path / "1"
    shutil.copytree(affine, directory)
    write_golden(directory, Golden([GoldenExample("only_y", {"x": "no"}, {})]))
    with pytest.raises(LoadError, match="no valid 'x'"):
        load_servable(directory).warm_up()


def test_a_foreign_model_is_described_by_its_signatures(shapes: Servable) -> None:
    assert shapes.card is None
    assert "complex_only" not in shapes.contract
    assert shapes.contract["grid"].inputs[0].shape == (None, 2, 3)
    assert shapes.contract["any_shape"].inputs[0].shape is None
    assert shapes.contract["scalar"].inputs[0].shape == ()
    assert not shapes.contract["scalar"].batched
    shapes.warm_up()
    shapes.prove()


def test_inputs_of_a_version_that_lacks_some_are_completed(affine: Path) -> None:
    """As a rollout's other version gets them; what a request must have is not made up."""
    servable = load_servable(affine)
    signature = servable.contract[DEFAULT_SIGNATURE]
    inputs = {"x": np.array([[1, 2]], np.float32), "text": np.array([b"a"], object)}
    assert servable.predict(signature, inputs)["y"].tolist() == [6]
    assert inputs.keys() == {"x", "text"}
    with pytest.raises(KeyError, match="text"):
        servable.predict(signature, {"x": inputs["x"]})


def test_what_the_graph_refuses_is_the_clients_error(shapes: Servable) -> None:
    with pytest.raises(InvalidRequestError, match="The model refused the input") as caught:
        shapes.predict(shapes.contract["decode"], {"png_bytes": np.array([b"no image"], object)})
    assert "/" not in caught.value.message
    assert "{{" not in caught.value.message


def test_the_last_lease_unloads(affine: Path) -> None:
    servable = load_servable(affine)
    ended: list[str] = []
    assert servable.acquire()
    servable.retire(lambda: ended.append("end"))
    assert not servable.acquire()
    assert ended == []
    servable.predict(servable.contract["only_y"], {"x": np.zeros((1, 2), np.float32)})
    servable.release()
    assert ended == ["end"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda d: (d / "saved_model.pb").write_bytes(b"junk"), "TensorFlow cannot load it"),
        (lambda d: shutil.rmtree(d / "variables"), "TensorFlow cannot load it"),
        (lambda d: (d / CARD).write_text("{"), "card.json is not JSON"),
    ],
)
def test_what_cannot_be_loaded_says_why(affine: Path, tmp_path: Path, spoil, reason: str) -> None:
    directory = tmp_path / "1"
    shutil.copytree(affine, directory)
    spoil(directory)
    with pytest.raises(LoadError, match=reason) as caught:
        load_servable(directory)
    assert str(tmp_path) not in str(caught.value)


def test_a_card_of_another_model_is_refused(affine: Path, tmp_path: Path) -> None:
    directory = tmp_path / "1"
    save_shapes(directory)
    (directory / CARD).parent.mkdir()
    shutil.copy(affine / CARD, directory / CARD)
    with pytest.raises(LoadError, match="'serving_default' that the SavedModel lacks"):
        load_servable(directory)


def test_a_model_without_usable_signatures_is_refused(tmp_path: Path) -> None:
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), str(tmp_path / "1"))
    with pytest.raises(LoadError, match="no signature with only numeric"):
        load_servable(tmp_path / "1")


def test_plain_save_loads(tmp_path: Path) -> None:
    save_affine(tmp_path / "1", bias=2.0)
    servable = load_servable(tmp_path / "1")
    outputs = servable.predict(servable.contract["only_y"], {"x": np.ones((1, 2), np.float32)})
    np.testing.assert_allclose(outputs["y"], [5])
