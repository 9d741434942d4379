"""``understudy import``: from a Keras file to a version that serves, and sentences for mistakes."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from service.repository.contract import Field, Signature
from service.repository.golden_examples import Golden, read_golden
from service.repository.manifest import verify_manifest
from service.repository.model_card import Card, read_card
from service.repository.reference.reference_file import read_reference
from service.runtime.contract_on_disk import contract_on_disk
from understudy import cli

# Of Keras, when it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CUSTOMERS = "tenure,Monthly charges,calls\n3,70.5,2\n60,20,0\n12,55,5\n"


def mixed() -> keras.Model:
    """Numbers and strings in, two classes out."""
    age = keras.Input((1,), name="age")
    plan = keras.Input((1,), name="plan", dtype="string")
    known = layers.StringLookup(vocabulary=["basic", "pro"], output_mode="one_hot")(plan)
    joined = layers.Concatenate()([layers.Rescaling(0.01)(age), known])
    return keras.Model({"age": age, "plan": plan}, layers.Dense(1, activation="sigmoid")(joined))


def texts() -> keras.Model:
    words = layers.TextVectorization(
        max_tokens=8, output_mode="multi_hot", vocabulary=["good", "bad", "film"]
    )
    return keras.Sequential([keras.Input((), dtype="string"), words, layers.Dense(3, activation="softmax")])  # fmt: skip


def many() -> keras.Model:
    """Two outputs: a number, and logits of classes."""
    inputs = keras.Input((None, 2), name="series")
    pooled = layers.GlobalAveragePooling1D()(inputs)
    return keras.Model(
        inputs,
        {"price": layers.Dense(1)(pooled), "kind": layers.Dense(2)(pooled)},
    )


def vector(activation: str | None = "softmax", size: int = 2) -> keras.Model:
    return keras.Sequential([keras.Input((3,)), layers.Dense(size, activation=activation)])


def across() -> keras.Model:
    """Each row's answer depends on the mean of all rows."""
    inputs = keras.Input((3,))
    return keras.Model(inputs, inputs - keras.ops.mean(inputs, axis=0, keepdims=True))


@keras.saving.register_keras_serializable("tests")
class Doubled(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return 2 * inputs


class Subclass(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


class Pictures(keras.Model):
    """Its first layer makes Keras believe that all after it train, unless one says otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [
            layers.Resizing(4, 4),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]

    def call(self, inputs: Any) -> Any:
        for part in self.parts:
            inputs = part(inputs)
        return inputs


def oddly_named() -> keras.Model:
    """Names that no parameter of Python's can have, in an order that is not the alphabet's."""
    last, first = keras.Input((1,), name="last-name_"), keras.Input((1,), name="1st.name")
    return keras.Model([last, first], {"a-b.": last - first, "c_": last + first})


def ordered() -> keras.Model:
    """Inputs and outputs whose order is neither the alphabet's nor that of their text."""
    names = ["tenure", "charges", *(f"x{i}" for i in range(10))]
    inputs = [keras.Input((1,), name=name) for name in names]
    return keras.Model(inputs, [float(i) * each for i, each in enumerate(inputs, start=1)])


@keras.saving.register_keras_serializable("tests")
class Twelve(keras.Model):
    """The same without names, in code that only it knows."""

    def call(self, inputs: Any) -> Any:
        return [float(i) * each for i, each in enumerate(inputs, start=1)]


def one_row(x: tf.Tensor) -> dict[str, tf.Tensor]:
    tf.debugging.assert_equal(tf.shape(x)[0], 1)
    return {"y": 2 * x}


X = [tf.TensorSpec([None, 3], tf.float32, name="x")]
# Graphs that do not take what others take.
GRAPHS: list[tuple[str, Callable[..., Any], list[tf.TensorSpec]]] = [
    ("refusing", lambda x: {"y": tf.debugging.check_numerics(tf.math.log(-1 - x * x), "no")}, X),
    ("one_row", one_row, X),
    ("summing", lambda x: {"y": tf.reduce_sum(x)}, X),
    ("scattered", lambda x: {"y": tf.sparse.from_dense(x)}, X),
    ("lists", lambda x: {"y": tf.RaggedTensor.from_tensor(x)}, X),
    ("constant", lambda: {"y": tf.constant([3.0])}, []),
    ("hollow", lambda x: {"y": x}, [tf.TensorSpec([None, 0], tf.float32, "x")]),
    ("joining", lambda x: {"y": tf.strings.length(x)}, [tf.TensorSpec([None], tf.string, "x")]),
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models of many kinds, and files of samples."""
    folder = tmp_path_factory.mktemp("shelf")
    keras.utils.set_random_seed(1)
    vector().save(folder / "vector.keras")
    vector(None).save(folder / "logits.keras")
    vector("sigmoid", 1).save(folder / "two.keras")
    vector(None, 1).save(folder / "number.keras")
    mixed().save(folder / "mixed.keras")
    texts().save(folder / "texts.keras")
    many().save(folder / "many.keras")
    across().save(folder / "across.keras")
    across().export(folder / "exported", format="tf_saved_model", verbose=False)
    rainy, dry = keras.Input((1,), name="\u96e8"), keras.Input((1,), name="\u6674")
    keras.Model([rainy, dry], rainy + dry).save(folder / "foreign.keras")
    ordered().export(folder / "ordered", format="tf_saved_model", verbose=False)
    oddly_named().export(folder / "oddly-named", format="tf_saved_model", verbose=False)
    (folder / "oddly-named.jsonl").write_text(
        '{"1st.name": [1], "last-name_": [7]}\n{"1st.name": [2], "last-name_": [9]}\n'
    )
    twelve = Twelve()
    twelve([np.ones((2, 1), np.float32)] * 12)
    twelve.export(folder / "twelve", format="tf_saved_model", verbose=False)
    vector().save(folder / "legacy.h5")
    vector().save_weights(folder / "only.weights.h5")
    keras.Sequential([keras.Input((3,)), Doubled()]).save(folder / "custom.keras")
    keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x)]).save(folder / "lambda.keras")
    keras.Sequential([keras.Input((3,), batch_size=4), layers.Dense(1)]).save(
        folder / "fixed.keras"
    )
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.ops.log(0 * inputs)).save(folder / "infinite.keras")
    # Keras says that this is sparse, and that what follows is dense: both are wrong.
    keras.Model(inputs, [1000 * layers.Dense(2)(inputs), inputs * 2]).save(
        folder / "products.keras"
    )
    words = layers.TextVectorization(
        output_mode="multi_hot", vocabulary=["a", "b"], sparse=True, name="words"
    )
    keras.Sequential([keras.Input((), dtype="string"), words]).save(folder / "sparse.keras")
    lists = layers.TextVectorization(vocabulary=["a", "b"], ragged=True, name="lists")
    text = keras.Input((), dtype="string")
    keras.Model(text, lists(text)).save(folder / "ragged.keras")
    varying = tf.Module()
    varying.answer = tf.function(
        lambda x: {"y": x + tf.random.normal([])},
        input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")],
    )
    tf.saved_model.save(varying, folder / "random", signatures=varying.answer)
    for name, answer, spec in GRAPHS:
        graph = tf.Module()
        graph.answer = tf.function(answer, input_signature=spec)
        tf.saved_model.save(graph, folder / name, signatures=graph.answer)
    keras.Sequential([keras.Input((None, 2)), layers.GRU(2)]).save(folder / "series.keras")
    ids = keras.Input((), dtype="int64", name="id")
    keras.Model(ids, ids % 10).save(folder / "ids.keras")
    keras.Sequential([keras.Input((0,)), layers.Dense(2)]).save(folder / "empty-input.keras")
    # A name that a layer may have, and no operation of a graph.
    keras.Model(inputs, layers.Dense(1, name="two words")(inputs)).save(folder / "spaced.keras")
    diverged = keras.Model(inputs, layers.Dense(2, name="last")(inputs))
    diverged.weights[0].assign(np.full((3, 2), np.nan))
    diverged.save(folder / "diverged.keras")
    (folder / "plain.npy").write_text("1 2 3")
    (folder / "twice.jsonl").write_text('{"input": [1, 2, 3], "input": [4, 5, 6]}\n')
    (folder / "junk.bin").write_bytes(b"\xff\x00")
    (folder / "junk.keras").write_text("no archive")
    with zipfile.ZipFile(folder / "empty.keras", "w") as archive:
        archive.writestr("other", "")
    (folder / "junk.h5").write_text("no HDF5")
    (folder / "net.onnx").write_text("")
    (folder / "nothing").mkdir()
    (folder / "customers.csv").write_text(CUSTOMERS)
    (folder / "people.jsonl").write_text(
        '{"age": 30, "plan": "pro"}\n{"age": 71, "plan": "basic"}\n'
    )
    (folder / "reviews.csv").write_text("Review text\na good film\n")
    (folder / "series.jsonl").write_text("[[1,2]]\n[[1,2],[3,4]]\n[[5,6],[3,4]]\n")
    (folder / "reviews.jsonl").write_text('"a good film"\n"a bad film"\n"no words of it"\n')
    np.save(folder / "rows.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
    rows = np.random.default_rng(0).normal(size=(150, 3))
    np.save(folder / "plenty.npy", rows.astype(np.float32))
    (folder / "immense.json").write_text(f"[[1, 2, {'9' * 400}]]")
    (folder / "immense.csv").write_text("a,b,c\n1,2,1e39\n")
    (folder / "half.jsonl").write_text('"a\\ud800"\n')
    (folder / "junk.npz").write_bytes(b"PK\x03\x04junk")
    np.savez_compressed(folder / "cut.npz", input=rows)
    whole = (folder / "cut.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[:200] + b"\xff" * 50 + whole[250:])
    np.savez(folder / "objects.npz", input=np.array([{}], object))
    with zipfile.ZipFile(folder / "texts.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    np.save(folder / "latin.npy", np.array(["\xe9t\xe9".encode("latin-1")]))
    np.savez(folder / "series.npz", series=np.ones((2, 4, 2)) * [[[1]], [[2]]])
    return folder


@pytest.fixture(autouse=True)
def _on_the_shelf(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shelf)
    monkeypatch.delenv("MODELS", raising=False)


Published = Callable[..., tuple[Card, Golden | None, Signature]]


@pytest.fixture
def published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Published:
    """Return a function that imports with options, and returns what lies there then."""

    def run(*arguments: str) -> tuple[Card, Golden | None, Signature]:
        code = cli.main(["import", *arguments, "--name", "m", "--models", str(tmp_path)])
        output = capsys.readouterr()
        assert code == 0, output.err
        version = tmp_path / "m" / "1"
        verify_manifest(version)
        card = read_card(version)
        assert card is not None
        return card, read_golden(version), card.contract["serving_default"]

    return run


def shapes(fields: tuple[Field, ...]) -> dict[str, tuple[str, Any]]:
    return {field.name: (field.dtype, field.shape) for field in fields}


def test_many_samples_make_a_reference_and_few_do_not(published: Published, tmp_path: Path) -> None:
    published("vector.keras", "--samples", "plenty.npy", "--classes", "stays,leaves")
    reference = read_reference(tmp_path / "m" / "1")
    assert reference is not None
    assert (reference.rows, reference.origin, reference.held_out) == (150, "plenty.npy", False)
    assert [field.name for field in reference.fields][-2:] == [
        "outputs.label",
        "outputs.confidence",
    ]
    # Nobody has said that its probabilities are calibrated.
    assert (reference.probability, reference.expected_accuracy) == ("", None)


def test_headings_name_the_values_of_a_vector(published: Published) -> None:
    card, golden, signature = published(
        "vector.keras", "--samples", "customers.csv", "--classes", "stays,leaves",
        "--unit", "tenure=months", "--bounds", "tenure=0:72", "--title", "Who leaves?",
    )  # fmt: skip
    assert card.title == "Who leaves?"
    assert card.task == "classification"
    number = ("float32", (None,))
    assert shapes(signature.inputs) == dict.fromkeys(["tenure", "Monthly_charges", "calls"], number)
    tenure = signature.input("tenure")
    assert (tenure.unit, tenure.minimum, tenure.maximum, tenure.example) == ("months", 0, 72, 3.0)
    assert shapes(signature.outputs) == {
        "label": ("string", (None,)),
        "class_id": ("int64", (None,)),
        "confidence": number,
        "probabilities": ("float32", (None, 2)),
    }
    assert signature.rows_independent is True
    assert golden is not None
    example = golden.examples[0]
    assert example.note == "customers.csv, line 2"
    assert example.instance == {"tenure": 3.0, "Monthly_charges": 70.5, "calls": 2.0}
    assert example.prediction["label"] in ("stays", "leaves")
    assert sum(example.prediction["probabilities"]) == pytest.approx(1)


def test_logits_become_probabilities(published: Published) -> None:
    _, golden, _ = published(
        "logits.keras", "--samples", "rows.npy", "--classes", "a,b", "--logits"
    )
    assert golden is not None
    assert all(sum(e.prediction["probabilities"]) == pytest.approx(1) for e in golden.examples)


def test_a_sigmoid_is_the_probability_of_the_second_class(published: Published) -> None:
    _, golden, signature = published(
        "mixed.keras", "--samples", "people.jsonl", "--classes", "stays,leaves"
    )
    assert shapes(signature.inputs) == {
        "age": ("float32", (None,)),
        "plan": ("string", (None,)),
    }
    assert golden is not None
    for example in golden.examples:
        assert (example.prediction["label"] == "leaves") == (
            example.prediction["probability"] >= 0.5
        )


def test_a_number_is_answered_as_a_number(published: Published) -> None:
    card, golden, signature = published("number.keras", "--inputs", "a,b,c", "--outputs", "price", "--unit", "price=EUR")  # fmt: skip
    assert card.task == "regression"
    assert [field.name for field in signature.inputs] == ["a", "b", "c"]
    assert shapes(signature.outputs) == {"price": ("float32", (None,))}
    assert signature.outputs[0].unit == "EUR"
    assert golden is None
    # Without samples the graph decides.
    assert signature.rows_independent is None


def test_a_product_with_a_number_is_dense(published: Published) -> None:
    _, _, signature = published("products.keras", "--outputs", "grams,double")
    assert shapes(signature.outputs) == {
        "grams": ("float32", (None, 2)),
        "double": ("float32", (None, 3)),
    }


def test_texts_go_in_as_they_are(published: Published) -> None:
    _, golden, signature = published(
        "texts.keras", "--samples", "reviews.jsonl", "--classes", "x,y,z"
    )
    assert shapes(signature.inputs) == {"input": ("string", (None,))}
    assert golden is not None
    assert golden.examples[1].instance == {"input": "a bad film"}


def test_the_only_heading_names_the_only_value(published: Published) -> None:
    _, golden, signature = published("texts.keras", "--samples", "reviews.csv")
    assert shapes(signature.inputs) == {"Review_text": ("string", (None,))}
    assert golden is not None
    assert golden.examples[0].instance == {"Review_text": "a good film"}


def test_whole_numbers_of_a_csv_file_keep_all_digits(published: Published, tmp_path: Path) -> None:
    largest = 2**63 - 1
    (tmp_path / "ids.csv").write_text(f"id\n{largest}\n{2**53 + 1}\n7.0\n")
    _, golden, _ = published("ids.keras", "--samples", str(tmp_path / "ids.csv"))
    assert golden is not None
    assert [example.instance["id"] for example in golden.examples] == [largest, 2**53 + 1, 7]


def test_golden_examples_are_of_one_shape(published: Published) -> None:
    _, golden, _ = published("series.keras", "--samples", "series.jsonl")
    assert golden is not None
    assert [len(example.instance["input"]) for example in golden.examples] == [2, 2]


def test_several_outputs_are_described_in_a_file(published: Published, tmp_path: Path) -> None:
    config = tmp_path / "m.toml"
    config.write_text(
        'title = "Many"\n[inputs.series]\ndescription = "Two sensors."\nminimum = -5\n'
        '[outputs.price]\nunit = "EUR"\n[outputs.kind]\nclasses = ["p", "q"]\nlogits = true\n'
    )
    card, golden, signature = published(
        "many.keras", "--samples", "series.npz", "--config", str(config)
    )
    assert card.title == "Many"
    assert shapes(signature.inputs) == {"series": ("float32", (None, None, 2))}
    assert signature.input("series").minimum == -5
    assert [f.name for f in signature.outputs if f.name.startswith("kind_")] == [
        "kind_label", "kind_class_id", "kind_confidence", "kind_probabilities"
    ]  # fmt: skip
    assert {f.name: f.unit for f in signature.outputs}["price"] == "EUR"
    assert golden is not None
    assert len(golden.examples) == 2


def test_rows_that_depend_on_one_another_are_declared(published: Published) -> None:
    _, _, signature = published("across.keras", "--samples", "rows.npy")
    assert signature.rows_independent is False


def test_a_saved_model_is_published_unchanged(
    published: Published, shelf: Path, tmp_path: Path
) -> None:
    _, golden, signature = published("exported", "--samples", "rows.npy")
    assert [field.shape for field in signature.inputs] == [(None, 3)]
    assert golden is not None
    ours = (tmp_path / "m" / "1" / "saved_model.pb").read_bytes()
    assert ours == (shelf / "exported" / "saved_model.pb").read_bytes()


def test_made_up_rows_that_a_graph_refuses_say_nothing_against_it(published: Published) -> None:
    _, golden, _ = published("refusing")
    assert golden is None


def test_a_graph_that_takes_one_row_at_a_time_has_golden_examples(published: Published) -> None:
    _, golden, signature = published("one_row", "--samples", "plenty.npy")
    assert golden is not None
    assert signature.rows_independent is False


@pytest.mark.parametrize("model", ["summing", "constant"])
def test_a_graph_without_rows_has_golden_examples_and_no_reference(
    published: Published, tmp_path: Path, model: str
) -> None:
    samples = ["--samples", "plenty.npy"]
    _, golden, _ = published(model, *samples)
    assert golden is not None
    assert read_reference(tmp_path / "m" / "1") is None


def test_a_model_without_inputs_is_published(published: Published) -> None:
    _, golden, signature = published("constant")
    assert golden is None
    assert signature.inputs == ()


def test_a_saved_model_gets_names_where_they_are_given(published: Published) -> None:
    _, _, signature = published("exported", "--inputs", "a,b,c", "--outputs", "rest")
    assert [field.name for field in signature.inputs] == ["a", "b", "c"]
    assert shapes(signature.outputs) == {"rest": ("float32", (None, 3))}


@pytest.mark.parametrize("model", ["ordered", "twelve"])
def test_names_of_a_saved_model_are_in_the_order_of_its_model(
    published: Published, tmp_path: Path, model: str
) -> None:
    takes, gives = ([f"{letter}{i}" for i in range(12)] for letter in "ab")
    row = dict(zip(takes, range(1, 13), strict=True))
    samples = tmp_path / "twelve.jsonl"
    samples.write_text(json.dumps(row))
    names = ["--inputs", ",".join(takes), "--outputs", ",".join(gives)]
    _, golden, _ = published(model, *names, "--samples", str(samples))
    assert golden is not None
    assert golden.examples[0].prediction == {f"b{i}": (i + 1) ** 2 for i in range(12)}


def test_a_saved_model_keeps_names_that_python_could_not_have(
    published: Published, tmp_path: Path
) -> None:
    card, golden, signature = published("oddly-named", "--samples", "oddly-named.jsonl")
    assert [field.name for field in signature.inputs] == ["last-name_", "1st.name"]
    assert [field.name for field in signature.outputs] == ["a-b.", "c_"]
    assert golden is not None
    assert [example.prediction for example in golden.examples] == [
        {"a-b.": [6], "c_": [8]},
        {"a-b.": [7], "c_": [11]},
    ]
    # A service refuses a version whose card and graph disagree.
    assert contract_on_disk(tmp_path / "m" / "1", card).keys() >= card.contract.keys()


def test_a_saved_model_with_odd_names_gets_others_where_they_are_given(
    published: Published,
) -> None:
    _, golden, signature = published(
        "oddly-named", "--inputs", "last,first", "--outputs", "difference,total"
    )
    assert golden is None
    assert [field.name for field in signature.inputs] == ["last", "first"]
    assert [field.name for field in signature.outputs] == ["difference", "total"]


def test_what_is_sensitive_is_so_in_every_signature_of_a_saved_model(
    published: Published, tmp_path: Path
) -> None:
    card, _, _ = published("ordered", "--sensitive", "tenure,output_3")
    whole = contract_on_disk(tmp_path / "m" / "1", card)
    # Keras exports a model under both names; clients may ask for either.
    assert whole.keys() == {"serving_default", "serve"}
    for signature in whole.values():
        fields = (*signature.inputs, *signature.outputs)
        assert [field.name for field in fields if field.sensitive] == ["tenure", "output_3"]


def test_an_old_keras_file_is_loaded(published: Published) -> None:
    published("legacy.h5")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.keras", "--name", "m"], "none.keras is not there."),
        (["vector.keras"], "Say under which name vector.keras is served: understudy import vector.keras --name NAME."),
        (["vector.keras", "--name", "a b"], "'a b' cannot be a model's name: letters, digits, '_', '.' and '-' only, not starting with '.' or '-'."),
        (["net.onnx", "--name", "m"], "net.onnx is not a model that can be imported: expected a Keras file (.keras, .h5, .hdf5) or a SavedModel's folder."),
        (["nothing", "--name", "m"], "nothing holds no SavedModel: expected a folder with saved_model.pb, or a Keras file (.keras, .h5, .hdf5)."),
        (["junk.keras", "--name", "m"], "junk.keras is not a Keras file: a .keras file is a zip archive, this is not."),
        (["empty.keras", "--name", "m"], "empty.keras cannot be loaded: it is not a Keras file, or not a whole one."),
        (["junk.h5", "--name", "m"], "junk.h5 cannot be loaded: it is not a Keras file, or not a whole one."),
        (["only.weights.h5", "--name", "m"], "only.weights.h5 cannot be loaded: it holds weights without a model; save all of it, by model.save."),
        (["lambda.keras", "--name", "m"], 'lambda.keras cannot be loaded: it has a Lambda layer, whose code could do anything and so is not run from a file; export it where it was made, by model.export("folder", format="tf_saved_model"), and import that folder.'),
        (["fixed.keras", "--name", "m"], "fixed.keras: an input is of shape [4, 3]; its first dimension must be free (None), for any number of rows: keras.Sequential([keras.Input((3,), dtype='float32'), *model.layers]) has that."),
        (["empty-input.keras", "--name", "m"], "empty-input.keras: an input is of shape [None, 0]; each dimension must be 1 or more, or free (None)."),
        (["hollow", "--name", "m"], "hollow: input 'x' is of shape [None, 0]; each dimension must be 1 or more, or free (None)."),
        (["spaced.keras", "--name", "m"], "spaced.keras cannot be called: 'two words' is not a valid scope name. "),
        (["vector.keras", "--name", "m", "--samples", "twice.jsonl"], "twice.jsonl, line 1 is not JSON: the key 'input' stands twice."),
        (["sparse.keras", "--name", "m"], "sparse.keras: output 'words' is sparse or ragged; only dense tensors can be served."),
        (["ragged.keras", "--name", "m"], "ragged.keras: output 'lists' is sparse or ragged; only dense tensors can be served."),
        (["scattered", "--name", "m"], "scattered: output 'y' is sparse or ragged; only dense tensors can be served."),
        (["lists", "--name", "m"], "lists: output 'y' is sparse or ragged; only dense tensors can be served."),
        (["foreign.keras", "--name", "m"], "foreign.keras: two inputs have one name; name them by --inputs: x, x."),
        (["vector.keras", "--name", "m", "--models", "customers.csv"], "customers.csv cannot be a folder of models: File exists."),
        (["vector.keras", "--name", "m", "--classes", "a,b,c"], "--classes: expected 2 labels, because output 'output' has shape [None, 2], not 3 (a, b, c)."),
        (["vector.keras", "--name", "m", "--classes", "a"], "--classes must be a list of two or more different labels, not ['a']."),
        (["vector.keras", "--name", "m", "--inputs", "a b,c,d"], "--inputs must be different names of letters, digits and '_' that begin with a letter, not ['a b', 'c', 'd']."),
        (["vector.keras", "--name", "m", "--classes", "junk.bin"], "--classes: junk.bin is not UTF-8."),
        (["random", "--name", "m", "--samples", "rows.npy"], "The model answers one row differently each time: "),
        (["infinite.keras", "--name", "m", "--samples", "rows.npy"], "rows.npy, row 0: the model answers output = -inf, which is not a finite number."),
        (["vector.keras", "--name", "m", "--bounds", "input=0:inf"], "inputs.input.maximum must be a number, not inf."),
        (["vector.keras", "--name", "m", "--bounds", f"input=0:{'9' * 400}"], f"inputs.input.maximum must be a number, not {'9' * 57}...."),
        (["vector.keras", "--name", "m", "--example", f"input={'[' * 100_000}"], "inputs.input.example: input must be a list of 3 values, not '[[["),
        (["vector.keras", "--name", "m", "--example", "input=[1,2,1e39]"], "inputs.input.example: input[2] must be a number within float32, not 1e+39."),
        (["vector.keras", "--name", "m", "--samples", "immense.json"], f"immense.json, row 0: input[2] must be a number within float32, not {'9' * 57}...."),
        (["vector.keras", "--name", "m", "--samples", "immense.csv"], "immense.csv, line 2: c must be a number within float32, not '1e39'."),
        (["vector.keras", "--name", "m", "--samples", "junk.npz"], "junk.npz cannot be read: File is not a zip file."),
        (["vector.keras", "--name", "m", "--samples", "cut.npz"], "cut.npz cannot be read: "),
        (["vector.keras", "--name", "m", "--samples", "objects.npz"], "objects.npz cannot be read: it holds Python objects."),
        (["vector.keras", "--name", "m", "--samples", "texts.npz"], "texts.npz: 'notes.txt' is not an array of NumPy's."),
        (["refusing", "--name", "m", "--samples", "rows.npy"], "rows.npy, row 0: refusing: signature 'serving_default' does not answer: no : Tensor had NaN values."),
        (["joining", "--name", "m", "--samples", "half.jsonl"], r"half.jsonl, line 1: x must be a string without half a character, not 'a\ud800'."),
        (["joining", "--name", "m", "--example", 'x={"b64": "!"}'], "inputs.x.example: x must be base64, as {\"b64\": \"...\"}, not {'b64': '!'}."),
        (["texts.keras", "--name", "m", "--samples", "latin.npy"], r"latin.npy, row 0: input must be UTF-8, not b'\xe9t\xe9'."),
        (["logits.keras", "--name", "m", "--classes", "a,b", "--samples", "rows.npy"], "Output 'output' gives -"),
        (["many.keras", "--name", "m", "--classes", "a,b"], "--classes: the model has 2 outputs; say in a --config file which classes each has, as classes = [...] under [outputs.kind]."),
        (["mixed.keras", "--name", "m", "--samples", "customers.csv"], "customers.csv, line 2: expected a value of each input (age, plan); it has 'tenure', which is not one."),
        (["mixed.keras", "--name", "m", "--inputs", "a"], "--inputs: expected a name for each input, in this order: age, plan; not 1 (a)."),
        (["vector.keras", "--name", "m", "--inputs", "a,b"], "--inputs: expected one name, or one for each value of [None, 3]; not 2 (a, b)."),
        (["vector.keras", "--name", "m", "--unit", "tenure"], "--unit must be FIELD=UNIT, such as tenure=months, not 'tenure'."),
        (["vector.keras", "--name", "m", "--unit", "x=months"], "--unit, --bounds, --example: the model has no input or output 'x'; it takes input and gives output."),
        (["vector.keras", "--name", "m", "--samples", "plain.npy"], "plain.npy cannot be read: it is not a file of NumPy's."),
        (["vector.keras", "--name", "m", "--unit", "input=m", "--unit", "input=cm"], "--unit says the same of input twice."),
        (["vector.keras", "--name", "m", "--bounds", "input=0:", "--bounds", "input=1:2"], "--bounds says the same of input twice."),
        (["vector.keras", "--name", "m", "--example", "input=1", "--example", "input=2"], "--example says the same of input twice."),
        (["vector.keras", "--name", "m", "--sensitive", "ssn"], "--sensitive names 'ssn'; the contract's fields are input, output."),
        (["vector.keras", "--name", "m", "--sensitive", ","], "--sensitive must be names of inputs and outputs, or none, not ','."),
        (["vector.keras", "--name", "m", "--sensitive", " "], "--sensitive must be names of inputs and outputs, or none, not ' '."),
        (["vector.keras", "--name", "m", "--bounds", "input=9"], "--bounds must be FIELD=LEAST:LARGEST, such as tenure=0:72, not 'input=9'."),
        (["vector.keras", "--name", "m", "--bounds", "input=9:1"], "inputs.input: minimum 9 is above maximum 1."),
        (["vector.keras", "--name", "m", "--samples", "customers.csv", "--bounds", "tenure=0:50"], "customers.csv, line 3: tenure must be at least 0 and at most 50, not '60'."),
        (["vector.keras", "--name", "m", "--samples", "net.onnx"], "net.onnx: samples must be a file that ends in .csv, .jsonl, .json, .npy or .npz."),
        (["vector.keras", "--name", "m", "--samples", "none.csv"], "none.csv cannot be read: No such file or directory."),
        (["vector.keras", "--name", "m", "--samples", "reviews.jsonl"], "reviews.jsonl, line 1: input must be a list of 3 values, not 'a good film'."),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = [] if "--models" in arguments else ["--models", str(tmp_path)]
    assert cli.main(["import", *arguments, *folder]) in (1, 2)
    error = capsys.readouterr().err
    assert error.startswith(message), error
    assert error.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_weights_that_are_no_numbers_are_named(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, models = str(shelf / "diverged.keras"), str(tmp_path / "models")
    assert cli.main(["import", model, "--name", "m", "--models", models]) == 1
    # Keras may put names of models before it that were refused in this process.
    told = rf"{re.escape(model)}: (\w+/)*last/kernel holds NaN; its training has diverged\.\n"
    assert re.fullmatch(told, capsys.readouterr().err)


def test_files_whose_names_are_not_utf8_are_named_with_escapes(shelf: Path, tmp_path: Path) -> None:
    for name in ("vector.keras", "rows.npy"):
        (tmp_path / f"\udcff-{name}").write_bytes((shelf / name).read_bytes())
    model, samples = tmp_path / "\udcff-vector.keras", tmp_path / "\udcff-rows.npy"
    command = ["import", str(model), "--samples", str(samples), "--name", "m"]
    assert cli.main([*command, "--models", str(tmp_path / "models")]) == 0
    card = read_card(tmp_path / "models" / "m" / "1")
    golden = read_golden(tmp_path / "models" / "m" / "1")
    assert card is not None
    assert golden is not None
    assert card.training["imported_from"] == r"\udcff-vector.keras"
    assert golden.examples[0].note == r"\udcff-rows.npy, row 0"


def test_layers_of_somebodys_own_code_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(keras.saving.get_custom_objects(), "tests>Doubled")
    assert cli.main(["import", "custom.keras", "--name", "m", "--models", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        "custom.keras cannot be loaded: its layer Doubled is code that the file"
    )
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("nam = 'm'", "unknown key 'nam'; known are name, title, description, classes, logits, input_names, output_names, sensitive, samples, inputs, outputs."),
        ("name = 3", "name must be a string, not 3."),
        ("name = ", "is not TOML: Invalid value (at end of document)."),
        ("name = 'm'\n[inputs.input]\nunits = 'kg'", "unknown key 'inputs.input.units'; known are description, unit, minimum, maximum, choices, max_length, content_types, nullable, example."),
        ("name = 'm'\n[inputs.input]\nminimum = 'low'", "inputs.input.minimum must be a number, not 'low'."),
        (f"name = 'm'\n[inputs.input]\nminimum = {'9' * 400}", f"inputs.input.minimum must be a number, not {'9' * 57}...."),
        ('name = "m"\nsamples = "a\\u0000b.csv"', r"samples must be a path, not 'a\x00b.csv'."),
        ("name = 'm'\n[inputs.x]\nunit = 'kg'", "inputs.x: the model has no input of this name; it has input."),
        ("name = 'm'\n[inputs]\ninput = 3", "inputs.input must be a table, not 3."),
        ("name = 'm'\n[inputs.input]\nexample = [1, 2]", "inputs.input.example: input must be a list of 3 values, not a list of 2."),
        ("name = 'm'\n[inputs.input]\nmax_length = 3", "inputs.input: a float32 has no max_length."),
        ("name = 'm'\n[outputs.output]\nclasses = ['a', 'b']\nunit = 'kg'", "outputs.output.unit: an output with classes has labels, no unit."),
    ],
)  # fmt: skip
def test_mistakes_in_the_file_are_named_with_their_place(
    toml: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.toml"
    file.write_text(toml)
    models = tmp_path / "models"
    assert cli.main(["import", "vector.keras", "--config", str(file), "--models", str(models)]) == 2
    error = capsys.readouterr().err
    assert error in (f"{file}: {message}\n", f"{file} {message}\n")


def test_callers_of_the_live_version_are_not_left_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--name", "m", "--models", str(tmp_path)]
    assert cli.main(["import", "vector.keras", *common]) == 0
    assert cli.main(["import", "vector.keras", *common]) == 0
    capsys.readouterr()
    assert cli.main(["import", "number.keras", *common]) == 3
    assert "callers of live version 2 of m cannot go on" in capsys.readouterr().err
    assert cli.main(["import", "number.keras", *common, "--force"]) == 0
    assert capsys.readouterr().out.endswith(f"published as {tmp_path}/m/3\n")


def test_pictures_of_any_size_are_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sixteen of the usual size, as JSON, are more than a service reads."""
    pictures = np.random.default_rng(0).random((16, 224, 224, 3)).astype(np.float32)
    np.save(tmp_path / "usual.npy", pictures)
    np.save(tmp_path / "large.npy", np.tile(pictures[:2], (1, 3, 3, 1)))
    model = keras.Sequential([keras.Input((None, None, 3)), layers.GlobalAveragePooling2D()])
    model.save(tmp_path / "mean.keras")
    common = ["import", str(tmp_path / "mean.keras"), "--models", str(tmp_path)]
    assert cli.main([*common, "--name", "usual", "--samples", str(tmp_path / "usual.npy")]) == 0
    assert "4 golden examples from usual.npy; its rows are independent" in capsys.readouterr().out
    golden = read_golden(tmp_path / "usual" / "1")
    assert golden is not None
    assert [each.note for each in golden.examples] == [
        f"usual.npy, row {row}" for row in (0, 4, 8, 12)
    ]
    assert cli.main([*common, "--name", "large", "--samples", str(tmp_path / "large.npy")]) == 0
    assert (
        "a sample with its answer is larger than a file of them may be" in capsys.readouterr().out
    )
    assert read_golden(tmp_path / "large" / "1") is None


def test_what_is_sensitive_stays_so_until_it_is_said_otherwise(tmp_path: Path) -> None:
    def marked(*arguments: str) -> list[str]:
        common = ["--name", "m", "--models", str(tmp_path), "--samples", "customers.csv"]
        assert cli.main(["import", "vector.keras", *common, *arguments]) == 0
        version = max((tmp_path / "m").glob("[0-9]*"))
        card = read_card(version)
        assert card is not None
        signature = card.contract["serving_default"]
        marked = [f for f in (*signature.inputs, *signature.outputs) if f.sensitive]
        # Who reads the contract is not shown a customer's.
        assert [field.example for field in marked] == [None] * len(marked)
        return [field.name for field in marked]

    assert marked() == []
    (tmp_path / "m.toml").write_text('sensitive = ["tenure", "output"]')
    assert marked("--config", str(tmp_path / "m.toml")) == ["tenure", "output"]
    assert marked() == ["tenure", "output"]
    assert marked("--sensitive", "calls") == ["calls"]
    assert marked("--sensitive", "none") == []


def test_it_is_a_function_of_python(tmp_path: Path) -> None:
    from understudy import import_model

    folder = import_model(
        vector(), "m", models=tmp_path, samples=np.eye(3), classes=["a", "b"],
        inputs={"input": {"unit": "cm"}},
    )  # fmt: skip
    assert folder == tmp_path / "m" / "1"
    model = Subclass()
    model(np.zeros((1, 2)))
    import_model(model, "other", models=tmp_path, samples=[[1, 2], [3, 4]])
    loaded = tf.saved_model.load(tmp_path / "other" / "1")
    assert (
        list(loaded.signatures) == ["serving_default", "serve"]
        or "serving_default" in loaded.signatures
    )
    assert (
        json.loads((tmp_path / "m" / "1" / "assets.extra" / "card.json").read_text())["name"] == "m"
    )


def test_a_subclass_is_published_as_it_answers_and_not_as_it_trains(tmp_path: Path) -> None:
    from understudy import import_model

    keras.utils.set_random_seed(1)
    model = Pictures()
    rows = np.random.default_rng(1).normal(3, 5, (6, 5, 5, 1)).astype(np.float32)
    expected = model(rows, training=False)
    folder = import_model(model, "m", models=tmp_path, samples=rows)
    loaded = tf.saved_model.load(folder).signatures["serving_default"]
    np.testing.assert_allclose(
        loaded(args_0=tf.constant(rows))["output_0"], expected, rtol=1e-5, atol=1e-5
    )
    card = read_card(folder)
    assert card is not None
    assert card.contract["serving_default"].rows_independent
    # What Keras wrote to find out what it takes is gone from what is said of it.
    assert card.training["imported_from"] == "The model 'pictures'"
