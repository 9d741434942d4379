"""From a model to a published version: what it must prove, and what a killed publisher leaves."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from service.repository.contract import Field, Signature
from service.repository.golden_examples import Golden, GoldenExample, read_golden, write_golden
from service.repository.manifest import verify_manifest
from service.repository.model_card import Card, read_card, write_card
from service.repository.model_store import Store
from tests.savedmodels.saving import save
from training.errors import TrainingError, UnansweredError
from training.publishing import saved_model_export
from training.tasks.task_interface import Case, Exportable

SIGNATURE = Signature(
    "serving_default",
    (Field(name="x", dtype="float32", shape=(None,)),),
    (
        Field(name="double", dtype="float32", shape=(None,)),
        Field(name="sign", dtype="string", shape=(None,)),
    ),
)
CONTRACT = {"serving_default": SIGNATURE}
CASES = [Case(instance={"x": 1.5}, note="a number"), Case(instance={"x": -2.0}, note="below zero")]


def exportable(factor: float = 2.0) -> Exportable:
    holder = tf.Module()
    holder.factor = tf.Variable(factor)

    def serve(x: Any) -> dict[str, Any]:
        return {"double": x * holder.factor, "sign": tf.where(x < 0, "minus", "plus")}

    return Exportable(functions={"serving_default": serve}, tracked=[holder], contract=CONTRACT)


def card() -> Card:
    return Card(
        name="double", title="Twice", task="regression", contract=CONTRACT, created_at="2026-01-01"
    )


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    saved_model_export.write_saved_model(exportable(), folder)
    golden = saved_model_export.answer(saved_model_export.open_saved_model(folder), CONTRACT, CASES)
    saved_model_export.finish(folder, card(), golden)
    return folder


def test_signatures_have_the_names_of_the_contract(version: Path) -> None:
    loaded = tf.saved_model.load(version)
    call = loaded.signatures["serving_default"]
    assert set(call.structured_input_signature[1]) == {"x"}
    assert set(call.structured_outputs) == {"double", "sign"}


def test_golden_answers_come_from_the_export(version: Path) -> None:
    golden = read_golden(version)
    assert golden is not None
    assert [example.prediction for example in golden.examples] == [
        {"double": 3.0, "sign": "plus"},
        {"double": -4.0, "sign": "minus"},
    ]
    saved_model_export.prove(saved_model_export.open_saved_model(version), version)


def test_a_version_is_published_whole_and_the_next_beside_it(version: Path, tmp_path: Path) -> None:
    root = tmp_path / "models"
    assert saved_model_export.publish(version, root, "double") == 1
    assert saved_model_export.publish(version, root, "double") == 2
    for folder in Store(root).versions("double").values():
        verify_manifest(folder)
        assert read_card(folder) == card()


def change(version: Path, **prediction: Any) -> None:
    example = GoldenExample("serving_default", {"x": 1.0}, prediction)
    write_golden(version, Golden([example]))


def test_other_answers_than_the_golden_ones_are_refused(version: Path) -> None:
    change(version, double=2.5, sign="plus")
    with pytest.raises(
        TrainingError,
        match=r"not answer its golden examples as its card says: .* double = 2\.0, expected 2\.5",
    ):
        saved_model_export.prove(saved_model_export.open_saved_model(version), version)


def test_answers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    saved_model_export.write_saved_model(exportable(float("inf")), folder)
    saved_model_export.finish(
        folder, card(), Golden([GoldenExample("serving_default", {"x": 1.0}, {})])
    )
    with pytest.raises(TrainingError, match="answers double that is not finite"):
        saved_model_export.prove(saved_model_export.open_saved_model(folder), folder)


def test_each_signature_needs_an_example(version: Path) -> None:
    contract = {**CONTRACT, "other": replace(SIGNATURE, name="other")}
    write_card(version, replace(card(), contract=contract))
    with pytest.raises(TrainingError, match="No golden example calls signature 'other'"):
        saved_model_export.prove(saved_model_export.open_saved_model(version), version)


def test_a_version_that_is_called_otherwise_than_it_can_be(version: Path) -> None:
    predict = saved_model_export.open_saved_model(version)
    with pytest.raises(TrainingError, match=r"has no signature 'other'\."):
        predict("other", {"x": np.array([1.0])})
    with pytest.raises(TrainingError, match=r"signature 'serving_default' takes x, not y, z\."):
        predict("serving_default", {"z": np.array([1.0]), "y": np.array([1.0])})


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be loaded"):
        saved_model_export.open_saved_model(tmp_path)


@pytest.mark.parametrize(("text", "told"), [(b"a", "a"), (b"\xff", "\N{REPLACEMENT CHARACTER}")])
def test_values_that_a_graph_refuses_are_told_whatever_they_are(
    tmp_path: Path, text: bytes, told: str
) -> None:
    module, spec = tf.Module(), tf.TensorSpec([None], tf.string, name="text")
    module.read = tf.function(
        lambda text: {"y": tf.strings.to_number(text)}, input_signature=[spec]
    )
    save(tmp_path / "numbers", module, serving_default=module.read)
    predict = saved_model_export.open_saved_model(tmp_path / "numbers", place="numbers")
    with pytest.raises(UnansweredError) as caught:
        predict("serving_default", {"text": np.array([text], object)})
    assert str(caught.value) == (
        "numbers: signature 'serving_default' does not answer: "
        f"StringToNumberOp could not correctly convert string: {told}."
    )


def test_an_export_is_written_anew(version: Path) -> None:
    (version / "stale").write_text("of an earlier attempt")
    saved_model_export.write_saved_model(exportable(3.0), version)
    assert not (version / "stale").exists()
    predict = saved_model_export.open_saved_model(version)
    assert predict("serving_default", {"x": np.array([1.0])})["double"].tolist() == [3.0]


def test_a_root_that_cannot_be_written(version: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"Nothing was published: .*file: Not a directory\."):
        saved_model_export.publish(version, tmp_path / "file", "double")


# Copies slowly, so that the kill can come between any two files.
PUBLISH_SLOWLY = """
import shutil, sys, time
from pathlib import Path
from service.repository import model_store
copy, write = shutil.copy2, model_store.write_manifest
def slow_copy(*a, **k):
    time.sleep(0.02)
    return copy(*a, **k)
def slow_tree(source, target, dirs_exist_ok):
    return tree(source, target, dirs_exist_ok=True, copy_function=slow_copy)
def slow_manifest(folder):
    time.sleep(0.02)
    write(folder)
    print("written", flush=True)
    time.sleep(0.02)
tree, shutil.copytree = shutil.copytree, slow_tree
model_store.write_manifest = slow_manifest
from service.repository.model_store import Store
def fill(staging):
    print("begun", flush=True)
    shutil.copytree(Path(sys.argv[1]), staging, dirs_exist_ok=True)
Store(Path(sys.argv[2])).publish("double", fill)
print("done", flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.07, 0.11, 0.15, 0.19, 0.25])
def test_a_publisher_that_is_killed_leaves_nothing_to_load(
    version: Path, tmp_path: Path, repository_root: Path, delay: float
) -> None:
    root = tmp_path / "models"
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISH_SLOWLY, str(version), str(root)],
        cwd=repository_root,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as lines:
        assert lines.readline() == "begun\n"
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        finished = "done\n" in lines.readlines()
    process.wait()
    versions = Store(root).versions("double")
    for folder in versions.values():  # killed after the rename: then it is whole
        verify_manifest(folder)
    assert not finished or versions
    assert Store(root).models() == (["double"] if versions else [])
    assert saved_model_export.publish(version, root, "double") == len(versions) + 1
