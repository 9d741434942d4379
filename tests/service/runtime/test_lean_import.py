"""What a serving process imports of TensorFlow, and what it does without."""

from tests.fresh_python import run_script


def test_tensorflow_is_imported_without_keras() -> None:
    script = """
import sys
from service.runtime.memory import import_tensorflow

import_tensorflow()
import tensorflow as tf
unneeded = {"keras", "matplotlib", "scipy", "sklearn"}
print(sorted(unneeded & {name.partition(".")[0] for name in sys.modules}))
assert not unneeded & sys.modules.keys()
# It hides nothing from whoever comes after it.
import keras
print(tf.keras.Sequential is keras.Sequential, float(keras.layers.Dense(1)(tf.zeros((1, 2)))[0, 0]))
"""
    assert run_script(script).splitlines() == ["[]", "True 0.0"]


def test_no_garbage_is_looked_for_in_what_is_imported() -> None:
    script = """
import gc
from service.runtime.memory import import_tensorflow

import_tensorflow()
print(gc.get_stats()[2]["collections"], gc.get_freeze_count() > 100_000, gc.isenabled())
"""
    assert run_script(script) == "0 True True\n"
