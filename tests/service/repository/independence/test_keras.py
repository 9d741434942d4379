"""What is proved of the layers that Keras exports, held against what they really do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from service.repository.independence import Proof, prove_independence
from service.repository.rowcheck import neighbours_matter

ROWS = 4
SERIES, PICTURE, NUMBERS = (5, 4), (8, 8, 3), (6,)
# Series of any length.
FREE = (None, 4)
TOKENS = "tokens"
WORDS = "words"
# Their rows must be proved: dense, convolutional, pooling, embedding, normalising, attending.
PROVED = "proved"
# What these do with rows is for the graph to say; only a false proof is wrong.
EITHER = "either"
MIXING = "mixing"


@dataclass(frozen=True)
class Case:
    """One or several layers: how to make them, what they take, and what is expected."""

    make: Callable[[Any], Any]
    takes: tuple[int | None, ...] | str
    expected: str = PROVED


def _layer(layer: Callable[[], Any], takes: Any, expected: str = PROVED) -> Case:
    return Case(lambda x: layer()(x), takes, expected)


def _adapted(layer: Any, data: Any) -> Any:
    layer.adapt(data)
    return layer


def _attend(x: Any, **how: Any) -> Any:
    return layers.MultiHeadAttention(2, 4)(x, x, **how)


def _encode(x: Any) -> Any:
    x = layers.LayerNormalization()(x + _attend(x))
    return layers.LayerNormalization()(x + layers.Dense(4)(layers.Dense(8, "gelu")(x)))


def _residual(x: Any) -> Any:
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", use_bias=False)(x))
    y = layers.Add()([layers.ReLU()(y), layers.Conv2D(4, 1)(x)])
    return layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(y))


class OverRows(layers.Layer):
    """Mixes rows, as a layer of a user's own may."""

    def call(self, x: Any) -> Any:
        return x - keras.ops.mean(x, axis=0, keepdims=True)


L = layers
CASES: dict[str, Case] = {
    "dense": _layer(lambda: L.Dense(3, "relu"), NUMBERS),
    "dense_series": _layer(lambda: L.Dense(3), SERIES),
    "einsum_dense": _layer(lambda: L.EinsumDense("abc,cd->abd", (None, 3)), SERIES),
    "conv1d": _layer(lambda: L.Conv1D(3, 2), SERIES),
    "conv1d_same": _layer(lambda: L.Conv1D(3, 3, padding="same"), SERIES),
    "conv1d_causal": _layer(lambda: L.Conv1D(3, 2, padding="causal"), SERIES),
    "conv1d_dilated": _layer(lambda: L.Conv1D(3, 2, dilation_rate=2), SERIES),
    "conv1d_dilated_causal": _layer(
        lambda: L.Conv1D(3, 2, dilation_rate=2, padding="causal"), SERIES
    ),
    "conv2d": _layer(lambda: L.Conv2D(3, 3, strides=2), PICTURE),
    "conv2d_same": _layer(lambda: L.Conv2D(3, 3, padding="same"), PICTURE),
    "conv2d_dilated": _layer(lambda: L.Conv2D(3, 3, dilation_rate=2), PICTURE),
    "conv2d_transposed": _layer(lambda: L.Conv2DTranspose(3, 3, strides=2), PICTURE),
    "depthwise_conv1d": _layer(lambda: L.DepthwiseConv1D(2), SERIES),
    "depthwise_conv2d": _layer(lambda: L.DepthwiseConv2D(3, depth_multiplier=2), PICTURE),
    "depthwise_dilated": _layer(lambda: L.DepthwiseConv2D(3, dilation_rate=2), PICTURE),
    "separable_conv1d": _layer(lambda: L.SeparableConv1D(3, 2), SERIES),
    "separable_conv2d": _layer(lambda: L.SeparableConv2D(4, 3), PICTURE),
    "max_pooling1d": _layer(lambda: L.MaxPooling1D(2), SERIES),
    "max_pooling2d": _layer(lambda: L.MaxPooling2D(2), PICTURE),
    "average_pooling1d": _layer(lambda: L.AveragePooling1D(2), SERIES),
    "average_pooling2d": _layer(lambda: L.AveragePooling2D(2, padding="same"), PICTURE),
    "global_max_pooling": _layer(lambda: L.GlobalMaxPooling2D(), PICTURE),
    "global_average_pooling": _layer(lambda: L.GlobalAveragePooling2D(keepdims=True), PICTURE),
    "global_pooling1d": _layer(lambda: L.GlobalAveragePooling1D(), SERIES),
    "embedding": _layer(lambda: L.Embedding(10, 3), TOKENS),
    "embedding_masked": Case(
        lambda x: L.GlobalAveragePooling1D()(L.Embedding(10, 3, mask_zero=True)(x)), TOKENS
    ),
    "batch_normalization": _layer(lambda: L.BatchNormalization(), PICTURE),
    "batch_normalization_flat": _layer(lambda: L.BatchNormalization(), NUMBERS),
    "layer_normalization": _layer(lambda: L.LayerNormalization(), SERIES),
    "group_normalization": _layer(lambda: L.GroupNormalization(2), SERIES),
    "unit_normalization": _layer(lambda: L.UnitNormalization(), NUMBERS),
    "attention": Case(_attend, SERIES),
    "attention_causal": Case(lambda x: _attend(x, use_causal_mask=True), SERIES),
    "attention_of_any_length": Case(_attend, FREE),
    "attention_causal_of_any_length": Case(lambda x: _attend(x, use_causal_mask=True), FREE),
    "conv1d_dilated_of_any_length": _layer(
        lambda: L.Conv1D(3, 2, dilation_rate=2, padding="causal"), FREE
    ),
    "attention_grouped": Case(
        lambda x: L.GroupQueryAttention(4, 2, 1)(x, x, use_causal_mask=True), FREE
    ),
    "attention_masked": Case(lambda x: _attend(L.Embedding(10, 4, mask_zero=True)(x)), TOKENS),
    "attention_dot": Case(lambda x: L.Attention()([x, x]), SERIES),
    "attention_additive": Case(lambda x: L.AdditiveAttention()([x, x]), SERIES),
    "encoder": Case(_encode, SERIES),
    "residual": Case(_residual, PICTURE),
    "flatten": _layer(lambda: L.Flatten(), PICTURE),
    "reshape": _layer(lambda: L.Reshape((-1, 2)), SERIES),
    "permute": _layer(lambda: L.Permute((2, 1)), SERIES),
    "repeat": _layer(lambda: L.RepeatVector(3), NUMBERS),
    "concatenate": Case(lambda x: L.Concatenate()([x, L.Dense(2)(x)]), NUMBERS),
    "add": Case(lambda x: L.Add()([x, L.Dense(6)(x)]), NUMBERS),
    "multiply": Case(lambda x: L.Multiply()([x, L.Dense(6)(x)]), NUMBERS),
    "dot": Case(lambda x: L.Dot(axes=(2, 2))([x, L.Dense(4)(x)]), SERIES),
    "dot_flat": Case(lambda x: L.Dot(axes=1)([x, L.Dense(6)(x)]), NUMBERS),
    "softmax": _layer(lambda: L.Softmax(), NUMBERS),
    "softmax_over_rows": _layer(lambda: L.Softmax(axis=0), NUMBERS, MIXING),
    "relu": _layer(lambda: L.ReLU(max_value=6), NUMBERS),
    "prelu": _layer(lambda: L.PReLU(), NUMBERS),
    "dropout": _layer(lambda: L.Dropout(0.5), NUMBERS),
    "upsampling1d": _layer(lambda: L.UpSampling1D(2), SERIES, EITHER),
    "upsampling2d": _layer(lambda: L.UpSampling2D(2), PICTURE),
    "zero_padding": _layer(lambda: L.ZeroPadding2D(1), PICTURE),
    "cropping": _layer(lambda: L.Cropping2D(1), PICTURE),
    "lstm": _layer(lambda: L.LSTM(3), SERIES, EITHER),
    "gru": _layer(lambda: L.GRU(3, return_sequences=True), SERIES, EITHER),
    "simple_rnn": _layer(lambda: L.SimpleRNN(3), SERIES, EITHER),
    "bidirectional": _layer(lambda: L.Bidirectional(L.LSTM(3)), SERIES, EITHER),
    "time_distributed": _layer(lambda: L.TimeDistributed(L.Dense(3)), SERIES, EITHER),
    "normalization": _layer(
        lambda: _adapted(L.Normalization(), np.random.normal(size=(9, 6))), NUMBERS
    ),
    "rescaling": _layer(lambda: L.Rescaling(1 / 255), PICTURE),
    "resizing": _layer(lambda: L.Resizing(4, 4), PICTURE),
    "discretization": _layer(lambda: L.Discretization([-1.0, 0.0, 1.0]), NUMBERS, EITHER),
    "category_encoding": _layer(lambda: L.CategoryEncoding(10), TOKENS, EITHER),
    "hashing": _layer(lambda: L.Hashing(5), WORDS, EITHER),
    "string_lookup": _layer(lambda: L.StringLookup(vocabulary=["a", "b"]), WORDS, EITHER),
    "text_vectorization": Case(
        lambda x: L.TextVectorization(vocabulary=["a", "b"], output_sequence_length=3)(x),
        WORDS,
        EITHER,
    ),
    "over_rows": _layer(OverRows, NUMBERS, MIXING),
}


def _inputs(takes: Any) -> np.ndarray:
    random = np.random.default_rng(3)
    if takes == TOKENS:
        return random.integers(0, 10, size=(ROWS, 5)).astype(np.int32)
    if takes == WORDS:
        return np.array([[b"a"], [b"b a"], [b"c"], [b""]], dtype=object)
    sizes = [5 if size is None else size for size in takes]
    return random.normal(size=(ROWS, *sizes)).astype(np.float32)


def _exported(case: Case) -> tuple[Any, Any]:
    dtype = {TOKENS: "int32", WORDS: "string"}.get(case.takes, "float32")
    shape = {TOKENS: (5,), WORDS: (1,)}.get(case.takes, case.takes)
    given = keras.Input(shape, dtype=dtype, name="x")
    model = keras.Model(given, case.make(given))
    spec = tf.TensorSpec([None, *shape], dtype, name="x")
    traced = tf.function(lambda x: {"out": model(x, training=False)}, input_signature=[spec])
    return model, traced.get_concrete_function()


@pytest.fixture(scope="module")
def functions() -> Mapping[str, Any]:
    keras.utils.set_random_seed(1)
    return {name: _exported(case) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def proofs(
    functions: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Proof]:
    """What is proved of all of them, which are signatures of one SavedModel."""
    module = tf.Module()
    module.models = [model for model, _ in functions.values()]
    folder: Path = tmp_path_factory.mktemp("keras") / "1"
    signatures = {name: function for name, (_, function) in functions.items()}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return prove_independence(folder)


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_proved_only_where_it_keeps_rows_apart(
    functions: Mapping[str, Any], proofs: Mapping[str, Proof], name: str
) -> None:
    case, (_, function) = CASES[name], functions[name]

    def run(tensors: Mapping[str, Any]) -> dict[str, Any]:
        x = tensors["x"]
        given = tf.constant(x.tolist(), tf.string, x.shape) if x.dtype == object else x
        return {key: value.numpy() for key, value in function(tf.constant(given)).items()}

    mixing = neighbours_matter(run, {"x": _inputs(case.takes)}, absolute=1e-5, relative=1e-3)
    assert bool(mixing) is (case.expected == MIXING), mixing
    assert not (proofs[name].holds and mixing)
    if case.expected == PROVED:
        assert proofs[name].holds, proofs[name].reason
