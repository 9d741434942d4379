"""A schedule that a step's graph asks once."""

import keras
import tensorflow as tf

from training.networks.learning_rate_per_step import LearningRatePerStep

WARM_UP = keras.optimizers.schedules.CosineDecay(0.004, 85, warmup_target=0.1, warmup_steps=15)


def test_a_step_asks_once_and_each_step_has_its_rate() -> None:
    schedule = LearningRatePerStep(WARM_UP)
    step = tf.Variable(0, dtype=tf.int64)

    @tf.function(autograph=False)
    def asked() -> tuple[tf.Tensor, tf.Tensor]:
        return schedule(step), schedule(step)

    for number in (0, 7, 14, 15, 50, 100, 101):
        step.assign(number)
        assert {float(rate) for rate in asked()} == {float(WARM_UP(step))}
        assert float(schedule(step)) == float(WARM_UP(step))
    graph = asked.get_concrete_function().graph
    assert len([op for op in graph.get_operations() if op.type.endswith("If")]) == 1


def test_another_graph_has_a_rate_of_its_own() -> None:
    schedule = LearningRatePerStep(WARM_UP)
    for number in (3, 40):
        rate = tf.function(lambda number=number: schedule(tf.constant(number)), autograph=False)
        assert float(rate()) == float(WARM_UP(number))


def test_it_can_be_made_again_from_its_configuration() -> None:
    schedules = keras.optimizers.schedules
    again = schedules.deserialize(schedules.serialize(LearningRatePerStep(WARM_UP)))
    assert float(again(7)) == float(WARM_UP(7))
