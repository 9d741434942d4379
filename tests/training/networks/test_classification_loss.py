"""How classifiers learn from their logits."""

import numpy as np
import pytest

from training.networks import classification_loss


@pytest.mark.parametrize(("classes", "logits"), [(2, 1), (2, 2), (3, 3)])
def test_one_logit_tells_what_two_do(classes: int, logits: int) -> None:
    scores = np.array([[0.0, 3.0], [0.0, -1.0]], np.float32)
    labels = np.array([1, 1])
    if classes == 3:
        scores = np.pad(scores, ((0, 0), (0, 1)), constant_values=-1e9)
    targets = classification_loss.targets(classes, logits)[labels]
    answers = scores[:, -logits:] if classes == 2 else scores
    assert targets.shape == answers.shape
    expected = np.log1p(np.exp([-3.0, 1.0])).mean()
    assert float(classification_loss.loss(logits)(targets, answers)) == pytest.approx(
        expected, rel=1e-5
    )
    measured = {}
    for metric in classification_loss.metrics(logits):
        metric.update_state(targets, answers)
        measured[metric.name] = float(metric.result())
    assert measured == {"accuracy": 0.5, "log_loss": pytest.approx(expected, rel=1e-5)}


def test_two_classes_need_one_logit() -> None:
    assert [classification_loss.fewest_logits(classes) for classes in (2, 3, 10)] == [1, 3, 10]
