"""Models with state: what the service runs by itself leaves them as they were published."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from service.monitoring.prometheus_metrics import Metrics
from service.repository.contract import Field, Signature
from service.repository.golden_examples import Golden, GoldenExample, write_golden
from service.repository.model_card import write_card
from service.runtime.directory_snapshot import take_snapshot
from service.runtime.load_error import Fault, LoadError
from service.runtime.loader import Loader
from service.runtime.servable import Servable
from tests.lifecycles import load_servable
from tests.savedmodels.affine import fill_affine
from tests.savedmodels.saving import card, save
from tests.waiting import eventually

X = tf.TensorSpec([None], tf.float32, name="x")
KEY = tf.TensorSpec([None], tf.string, name="x")


class Stateful(tf.Module):
    """Signatures that write, each in a way of its own, and some that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(0.0)
        self.scale = tf.Variable([1.0, 2.0])
        self.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, -1.0)
        self.random = tf.random.Generator.from_seed(1)
        self.words = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["a"], [1.0]), -1.0
        )

    @tf.function(input_signature=[X])
    def counter(self, x):
        return {"y": x + self.count.assign_add(1.0)}

    @tf.function(input_signature=[X])
    def nested(self, x):
        def count():
            return self.counter(x)["y"]

        return {"y": tf.cond(tf.size(x) >= 0, count, lambda: x)}

    @tf.function(input_signature=[X])
    def looped(self, x):
        for _ in tf.range(2):
            self.count.assign_add(1.0)
        return {"y": x + self.count}

    @tf.function(input_signature=[X])
    def scattered(self, x):
        self.scale.scatter_nd_add([[0]], [1.0])
        return {"y": x * self.scale[0]}

    @tf.function(input_signature=[X])
    def unasked(self, x):
        self.count.assign_add(1.0)
        return {"y": x}

    @tf.function(input_signature=[X])
    def drawn(self, x):
        return {"y": x + self.random.normal([])}

    @tf.function(input_signature=[X])
    def seeded(self, x):
        return {"y": x + tf.random.uniform([], seed=1)}

    @tf.function(input_signature=[KEY])
    def inserted(self, x):
        seen = self.table.lookup(x)
        self.table.insert(x, seen + 1.0)
        return {"y": seen}

    @tf.function(input_signature=[X])
    def reads(self, x):
        return {"y": x * self.scale[0] + tf.gather(self.scale, 1) + self.count}

    @tf.function(input_signature=[KEY])
    def looks_up(self, x):
        return {"y": self.words.lookup(x)}

    @tf.function(input_signature=[X])
    def stateless(self, x):
        tf.debugging.assert_all_finite(x, "finite")
        y = tf.map_fn(lambda each: each + 1.0, x)
        return {"y": y + tf.random.stateless_uniform([], seed=[1, 2])}


WRITING = {"counter", "nested", "looped", "scattered", "unasked", "drawn", "seeded", "inserted"}


def ready(directory: Path) -> Servable:
    """Load a version as the service does."""
    loader = Loader(lambda *_: load_servable(directory), Metrics())
    loading = loader.begin(
        "m",
        1,
        directory,
        take_snapshot(directory),
        contents=dict,
        declared=None,
        on_step=lambda _: None,
        on_end=lambda: None,
    )
    eventually(lambda: loading.done)
    return loading.result().servable


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("stateful") / "1"
    module = Stateful()
    names = (*WRITING, "reads", "looks_up", "stateless")
    save(directory, module, **{name: getattr(module, name) for name in names})
    return directory


def ask(servable: Servable, name: str) -> np.ndarray:
    signature = servable.contract[name]
    kind = object if signature.inputs[0].dtype == "string" else np.float32
    x = np.array([b"a" if kind is object else 0], kind)
    return servable.predict(signature, {"x": x})["y"]


def test_what_writes_is_told_from_what_reads(directory: Path) -> None:
    assert load_servable(directory)._saved_model.state_writers == WRITING


@pytest.mark.parametrize("name", sorted(WRITING - {"seeded"}))
def test_the_first_client_gets_the_first_answer(directory: Path, name: str) -> None:
    expected = tf.saved_model.load(str(directory)).signatures[name]
    x = tf.constant(["a"] if name == "inserted" else [0.0])
    np.testing.assert_array_equal(ask(ready(directory), name), expected(x=x)["y"].numpy())


def test_models_without_state_are_warmed_up(tmp_path: Path, repository_root: Path) -> None:
    fill_affine(tmp_path / "1", bias=0.0)
    committed = sorted((repository_root / "saved_models").glob("*/[0-9]*"))
    assert committed
    for folder in (tmp_path / "1", *committed):
        assert load_servable(folder)._saved_model.state_writers == set(), folder


@pytest.fixture
def publish_counter(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a counter with golden answers to two examples."""

    def publish(*answers: float) -> Path:
        directory = tmp_path / "1"
        module = Stateful()
        save(directory, module, serving_default=module.counter)
        fields = {"dtype": "float32", "shape": (None,)}
        contract = {
            "serving_default": Signature(
                "serving_default",
                inputs=(Field(name="x", **fields),),
                outputs=(Field(name="y", **fields),),
            )
        }
        write_card(directory, replace(card("m", contract)))
        examples = tuple(
            GoldenExample("serving_default", {"x": float(x)}, {"y": answer})
            for x, answer in enumerate(answers)
        )
        write_golden(directory, Golden(examples=examples))
        return directory

    return publish


def test_golden_examples_of_a_model_with_state_are_proved_and_leave_no_trace(
    publish_counter: Callable[..., Path],
) -> None:
    """They run once, one after the other, as clients' first requests, on the state as published."""
    servable = ready(publish_counter(1.0, 3.0))
    np.testing.assert_array_equal(ask(servable, "serving_default"), [1.0])
    np.testing.assert_array_equal(ask(servable, "serving_default"), [2.0])


def test_golden_examples_that_are_wrong_refuse_it(publish_counter: Callable[..., Path]) -> None:
    with pytest.raises(LoadError) as raised:
        ready(publish_counter(5.0, 6.0))
    assert raised.value.fault is Fault.GOLDEN
