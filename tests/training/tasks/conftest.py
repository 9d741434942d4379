"""Small trainings of the real tasks, exported and called in both ways that TensorFlow has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from service.repository.contract import Contract
from service.repository.golden_examples import (
    batch_of,
    examples_by_signature,
    mismatches,
    read_golden,
)
from training.array_types import Predict
from training.data.load import Loaded
from training.data.own.bad_rows import BadRows
from training.fitting import config, run_folder, training_loop
from training.fitting.run_folder import Run
from training.fitting.training_plan import TrainingPlan
from training.publishing import saved_model_export
from training.tasks.task_interface import Task
from training.workflows import train as workflow


@dataclass
class Trained:
    """A run of a task: its plan with the trained network, and its export."""

    plan: TrainingPlan
    run: Run
    predict: Predict
    contract: Contract

    def one(self, signature: str = "serving_default", **inputs: Any) -> dict[str, Any]:
        """Return the answer to one instance."""
        fields = self.contract[signature].inputs
        tensors = {f.name: np.array([inputs[f.name]], f.numpy_type) for f in fields}
        return {name: t[0] for name, t in self.predict(signature, tensors).items()}


def fit(
    task: Task[Any], data: Any, folder: Path, arch: str, **options: Any
) -> tuple[TrainingPlan, Run]:
    """Train as the pipeline does, on the data given."""
    # With no version of its own there is nothing to be compared with.
    defaults = {"epochs": 1, "batch-size": 64, "seed": 3, "out": str(folder / "models")}
    given = {"arch": arch, **defaults, **options}
    run = run_folder.create_run_folder(
        folder, config.resolve(task.name, task.architectures, {}, given)
    )
    training_loop.set_seed(run.settings.seed)
    plan = task.plan(data, run.settings)
    training_loop.fit(plan, task.architectures[arch], run)
    return plan, run


def history(task: Task[Any], data: Any, folder: Path, arch: str) -> list[dict[str, float]]:
    """Return the figures of a short training, all but its time."""
    _, run = fit(task, data, folder, arch)
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.history()]


def train(task: Task[Any], data: Any, folder: Path, arch: str, **options: Any) -> Trained:
    """Train and export as the pipeline does."""
    plan, run = fit(task, data, folder, arch, **options)
    loaded = Loaded(data=data, story="", bad=BadRows(0), title=task.title, description="", own=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(task), "baselines", Task.baselines)  # those of mpg take a minute
        card = workflow._export(task, loaded, plan, run).card
    return Trained(plan, run, saved_model_export.open_saved_model(run.export), card.contract)


def check_session(trained: Trained) -> None:
    """Check the golden examples through a TensorFlow 1 session, as the service calls a version."""
    golden = read_golden(trained.run.export)
    assert golden is not None
    assert len(golden.examples) >= 8
    assert any("hard" in example.note for example in golden.examples)
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(trained.run.export))
        for signature, examples in examples_by_signature(golden, trained.contract):
            wires = meta.signature_def[signature.name]
            assert set(wires.inputs) == {field.name for field in signature.inputs}
            assert set(wires.outputs) == {field.name for field in signature.outputs}
            for field in signature.outputs:
                assert tf.dtypes.as_dtype(wires.outputs[field.name].dtype).name == field.dtype
            names = list(wires.outputs)
            batch = batch_of(signature, examples)
            answers = session.run(
                [wires.outputs[name].name for name in names],
                {wires.inputs[name].name: tensor for name, tensor in batch.items()},
            )
            assert mismatches(golden, examples, dict(zip(names, answers, strict=True))) == []
