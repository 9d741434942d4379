"""Selects the examples that a version answers worst."""

from typing import Any

import numpy as np

from training.evaluation.predictions import (
    ClassificationPredictions,
    Predictions,
    RegressionPredictions,
)
from training.reporting.report import Mistake
from training.tasks.task_interface import Task

_MOST = 24


def worst_mistakes(task: Task[Any], data: Any, answers: Predictions) -> list[Mistake]:
    """Return up to 24 mistakes: the most confident of a classifier, the largest of an estimator."""
    if isinstance(answers, ClassificationPredictions):
        return [_mistaken(task, data, answers, row) for row in _surest_wrong(answers)]
    largest = np.argsort(-answers.errors(), kind="stable")[:_MOST]
    return [_missed(task, data, answers, int(row)) for row in largest]


def _surest_wrong(answers: ClassificationPredictions) -> list[int]:
    wrong = np.flatnonzero(~answers.right())
    confidence = answers.probabilities[wrong].max(axis=1)
    return [int(row) for row in wrong[np.argsort(-confidence, kind="stable")][:_MOST]]


def _mistaken(task: Task[Any], data: Any, answers: ClassificationPredictions, row: int) -> Mistake:
    taken_for = answers.names[int(answers.predicted()[row])]
    confidence = answers.probabilities[row].max()
    return Mistake(
        shown=task.shown(data, row),
        truth=answers.names[int(answers.labels[row])],
        answer=f"{taken_for}, {confidence:.1%} sure",
    )


def _missed(task: Task[Any], data: Any, answers: RegressionPredictions, row: int) -> Mistake:
    return Mistake(
        shown=task.shown(data, row),
        truth=f"{answers.actual[row]:.4g} {answers.unit}",
        answer=f"{answers.predicted[:, row].mean():.4g} {answers.unit}",
    )
