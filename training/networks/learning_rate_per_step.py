"""The learning rate of a step, computed once however often its optimizer asks."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("understudy")
class LearningRatePerStep(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that is asked once in the graph of a training step.

    Keras' weight decay asks for the rate of the same step once for each weight. With a schedule
    that branches, as a warm-up does, that was half of what is traced of a step, and of what it
    calls.

    Args:
        schedule: gives the rates.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule) -> None:
        super().__init__()
        self._schedule = schedule
        # The graph of the step that is traced, and its rate there.
        self._latest: tuple[tf.Graph, Any] | None = None

    def __call__(self, step: Any) -> Any:
        if tf.executing_eagerly():  # there each call is of a step of its own
            return self._schedule(step)
        graph = tf.compat.v1.get_default_graph()
        if self._latest is None or self._latest[0] is not graph:
            self._latest = graph, self._schedule(step)
        return self._latest[1]

    def get_config(self) -> dict[str, Any]:
        return {"schedule": keras.optimizers.schedules.serialize(self._schedule)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LearningRatePerStep":
        return cls(keras.optimizers.schedules.deserialize(config["schedule"]))
