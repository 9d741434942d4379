"""Keras' layers as they are exported, and what is expected of the proof of their rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

ROWS = 4
SERIES, PICTURE, NUMBERS = (5, 4), (8, 8, 3), (6,)
VOLUME, FILM = (6, 6, 6, 2), (3, 6, 6, 2)
# Series of any length.
FREE = (None, 4)
TOKENS, WORDS, FILES = "tokens", "words", "files"

# Their rows must be proved.
PROVED = "proved"
# They keep rows apart, and the proof does not follow them: here so that a change is noticed, and
# the table in docs/reference/row-independence.md says so.
UNPROVED = "unproved"
# They must never be proved.
MIXING = "mixing"


@dataclass(frozen=True)
class Case:
    """One or several layers: how to make them, what they take, and what is expected."""

    make: Callable[[Any], Any]
    takes: tuple[int | None, ...] | str
    expected: str = PROVED

    @property
    def dtype(self) -> str:
        return {TOKENS: "int32", WORDS: "string", FILES: "string"}.get(str(self.takes), "float32")

    @property
    def shape(self) -> tuple[int | None, ...]:
        """What a row looks like."""
        if isinstance(self.takes, tuple):
            return self.takes
        return {TOKENS: (5,), WORDS: (1,), FILES: ()}[self.takes]

    def inputs(self) -> np.ndarray:
        """Return rows that differ."""
        random = np.random.default_rng(3)
        if self.takes == TOKENS:
            return random.integers(0, 10, size=(ROWS, 5)).astype(np.int32)
        if self.takes == WORDS:
            return np.array([[b"a"], [b"b a"], [b"c"], [b""]], dtype=object)
        if self.takes == FILES:
            pictures = random.integers(0, 256, size=(ROWS, 8, 8, 3)).astype(np.uint8)
            return np.array([tf.io.encode_png(each).numpy() for each in pictures], dtype=object)
        sizes = [5 if size is None else size for size in self.shape]
        return random.normal(size=(ROWS, *sizes)).astype(np.float32)


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


def _masked(layer: Callable[[], Any]) -> Case:
    """Tokens, of which 0 is none, through a layer that heeds their mask."""
    return Case(lambda x: layer()(layers.Embedding(10, 4, mask_zero=True)(x)), TOKENS)


def _stacked(x: Any) -> Any:
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    return layers.Dense(2)(layers.GRU(3)(x))


def _cells() -> Any:
    return layers.RNN([layers.LSTMCell(3), layers.GRUCell(2), layers.SimpleRNNCell(4)])


def _encoded_and_decoded(x: Any) -> Any:
    _, *state = layers.LSTM(3, return_state=True)(x)
    return layers.LSTM(3, return_sequences=True)(x, initial_state=state)


class OverRows(layers.Layer):
    """Mixes rows, as a layer of a user's own may."""

    def call(self, x: Any) -> Any:
        return x - keras.ops.mean(x, axis=0, keepdims=True)


class Decoded(layers.Layer):
    """Pictures, decoded one after the other as ``tf.map_fn`` does it."""

    def call(self, x: Any) -> Any:
        def decode(file: Any) -> Any:
            picture = tf.io.decode_image(file, channels=3, expand_animations=False)
            return tf.image.resize(tf.ensure_shape(picture, [None, None, 3]), [8, 8]) / 255.0

        return tf.map_fn(decode, x, fn_output_signature=tf.TensorSpec([8, 8, 3], tf.float32))

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((None, 8, 8, 3), "float32")


class DecodedPng(Decoded):
    """Pictures of one kind, whose size is known."""

    def call(self, x: Any) -> Any:
        def decode(file: Any) -> Any:
            picture = tf.ensure_shape(tf.io.decode_png(file, channels=3), [8, 8, 3])
            return tf.image.convert_image_dtype(picture, tf.float32)

        return tf.map_fn(decode, x, fn_output_signature=tf.TensorSpec([8, 8, 3], tf.float32))


def _seen(decoded: Callable[[], Any]) -> Case:
    return Case(lambda x: layers.Flatten()(layers.Conv2D(2, 3)(decoded()(x))), FILES)


L = layers
VOCABULARY, IDS = ["a", "b"], [3, 5, 7]
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
    "conv1d_dilated_of_any_length": _layer(
        lambda: L.Conv1D(3, 2, dilation_rate=2, padding="causal"), FREE
    ),
    "conv1d_transposed": _layer(lambda: L.Conv1DTranspose(3, 3, strides=2), SERIES),
    "conv1d_transposed_of_any_length": _layer(
        lambda: L.Conv1DTranspose(3, 3, strides=2, padding="same"), FREE
    ),
    "conv2d": _layer(lambda: L.Conv2D(3, 3, strides=2), PICTURE),
    "conv2d_same": _layer(lambda: L.Conv2D(3, 3, padding="same"), PICTURE),
    "conv2d_grouped": _layer(lambda: L.Conv2D(6, 3, groups=3), PICTURE),
    "conv2d_dilated": _layer(lambda: L.Conv2D(3, 3, dilation_rate=2), PICTURE),
    "conv2d_transposed": _layer(lambda: L.Conv2DTranspose(3, 3, strides=2), PICTURE),
    "conv2d_transposed_same": _layer(lambda: L.Conv2DTranspose(3, 3, padding="same"), PICTURE),
    "conv3d": _layer(lambda: L.Conv3D(3, 2), VOLUME),
    "conv3d_strided": _layer(lambda: L.Conv3D(3, 3, strides=2, padding="same"), VOLUME),
    "conv3d_dilated": _layer(lambda: L.Conv3D(3, 2, dilation_rate=2), VOLUME),
    "conv3d_transposed": _layer(lambda: L.Conv3DTranspose(3, 3, strides=2), VOLUME),
    "depthwise_conv1d": _layer(lambda: L.DepthwiseConv1D(2), SERIES),
    "depthwise_conv2d": _layer(lambda: L.DepthwiseConv2D(3, depth_multiplier=2), PICTURE),
    "depthwise_dilated": _layer(lambda: L.DepthwiseConv2D(3, dilation_rate=2), PICTURE),
    "separable_conv1d": _layer(lambda: L.SeparableConv1D(3, 2), SERIES),
    "separable_conv2d": _layer(lambda: L.SeparableConv2D(4, 3), PICTURE),
    "max_pooling1d": _layer(lambda: L.MaxPooling1D(2), SERIES),
    "max_pooling2d": _layer(lambda: L.MaxPooling2D(2), PICTURE),
    "max_pooling3d": _layer(lambda: L.MaxPooling3D(2), VOLUME),
    "average_pooling1d": _layer(lambda: L.AveragePooling1D(2), SERIES),
    "average_pooling2d": _layer(lambda: L.AveragePooling2D(2, padding="same"), PICTURE),
    "average_pooling3d": _layer(lambda: L.AveragePooling3D(2, padding="same"), VOLUME),
    "global_max_pooling1d": _layer(lambda: L.GlobalMaxPooling1D(), SERIES),
    "global_max_pooling2d": _layer(lambda: L.GlobalMaxPooling2D(), PICTURE),
    "global_max_pooling3d": _layer(lambda: L.GlobalMaxPooling3D(), VOLUME),
    "global_average_pooling1d": _layer(lambda: L.GlobalAveragePooling1D(), SERIES),
    "global_average_pooling2d": _layer(lambda: L.GlobalAveragePooling2D(keepdims=True), PICTURE),
    "global_average_pooling3d": _layer(lambda: L.GlobalAveragePooling3D(), VOLUME),
    "global_average_pooling_of_any_length": _layer(lambda: L.GlobalAveragePooling1D(), FREE),
    "adaptive_average_pooling": _layer(lambda: L.AdaptiveAveragePooling2D(3), PICTURE),
    "adaptive_max_pooling": _layer(lambda: L.AdaptiveMaxPooling2D(3), PICTURE),
    "embedding": _layer(lambda: L.Embedding(10, 3), TOKENS),
    "embedding_masked": _masked(lambda: L.GlobalAveragePooling1D()),
    "embedding_reversible": _layer(lambda: L.ReversibleEmbedding(10, 3), TOKENS),
    "batch_normalization": _layer(lambda: L.BatchNormalization(), PICTURE),
    "batch_normalization_flat": _layer(lambda: L.BatchNormalization(), NUMBERS),
    "layer_normalization": _layer(lambda: L.LayerNormalization(), SERIES),
    "layer_normalization_of_pictures": _layer(
        lambda: L.LayerNormalization(axis=(1, 2, 3)), PICTURE
    ),
    "group_normalization": _layer(lambda: L.GroupNormalization(2), SERIES),
    "group_normalization_of_pictures": _layer(lambda: L.GroupNormalization(3), PICTURE),
    "instance_normalization": _layer(lambda: L.GroupNormalization(-1), PICTURE),
    "unit_normalization": _layer(lambda: L.UnitNormalization(), NUMBERS),
    "rms_normalization": _layer(lambda: L.RMSNormalization(), SERIES),
    "rms_normalization_of_any_length": _layer(lambda: L.RMSNormalization(), FREE),
    "spectral_normalization": _layer(lambda: L.SpectralNormalization(L.Dense(3)), NUMBERS),
    "attention": Case(_attend, SERIES),
    "attention_causal": Case(lambda x: _attend(x, use_causal_mask=True), SERIES),
    "attention_of_any_length": Case(_attend, FREE),
    "attention_causal_of_any_length": Case(lambda x: _attend(x, use_causal_mask=True), FREE),
    "attention_grouped": Case(lambda x: L.GroupQueryAttention(4, 2, 1)(x, x), SERIES),
    "attention_grouped_causal": Case(
        lambda x: L.GroupQueryAttention(4, 2, 1)(x, x, use_causal_mask=True), FREE
    ),
    "attention_masked": _masked(lambda: _attend),
    "attention_dot": Case(lambda x: L.Attention()([x, x]), SERIES),
    "attention_dot_causal": Case(lambda x: L.Attention()([x, x], use_causal_mask=True), SERIES),
    "attention_additive": Case(lambda x: L.AdditiveAttention()([x, x]), SERIES),
    "encoder": Case(_encode, SERIES),
    "residual": Case(_residual, PICTURE),
    "flatten": _layer(lambda: L.Flatten(), PICTURE),
    "reshape": _layer(lambda: L.Reshape((-1, 2)), SERIES),
    "permute": _layer(lambda: L.Permute((2, 1)), SERIES),
    "repeat": _layer(lambda: L.RepeatVector(3), NUMBERS),
    "concatenate": Case(lambda x: L.Concatenate()([x, L.Dense(2)(x)]), NUMBERS),
    "add": Case(lambda x: L.Add()([x, L.Dense(6)(x)]), NUMBERS),
    "subtract": Case(lambda x: L.Subtract()([x, L.Dense(6)(x)]), NUMBERS),
    "multiply": Case(lambda x: L.Multiply()([x, L.Dense(6)(x)]), NUMBERS),
    "average": Case(lambda x: L.Average()([x, L.Dense(6)(x)]), NUMBERS),
    "maximum": Case(lambda x: L.Maximum()([x, L.Dense(6)(x)]), NUMBERS),
    "minimum": Case(lambda x: L.Minimum()([x, L.Dense(6)(x)]), NUMBERS),
    "dot": Case(lambda x: L.Dot(axes=(2, 2))([x, L.Dense(4)(x)]), SERIES),
    "dot_flat": Case(lambda x: L.Dot(axes=1)([x, L.Dense(6)(x)]), NUMBERS),
    "softmax": _layer(lambda: L.Softmax(), NUMBERS),
    "softmax_over_time": _layer(lambda: L.Softmax(axis=1), SERIES),
    "softmax_over_rows": _layer(lambda: L.Softmax(axis=0), NUMBERS, MIXING),
    "relu": _layer(lambda: L.ReLU(max_value=6), NUMBERS),
    "prelu": _layer(lambda: L.PReLU(), NUMBERS),
    "elu": _layer(lambda: L.ELU(), NUMBERS),
    "leaky_relu": _layer(lambda: L.LeakyReLU(), NUMBERS),
    "activations": Case(
        lambda x: [
            L.Activation(name)(x)
            for name in ("gelu", "silu", "mish", "softplus", "hard_sigmoid", "tanh", "selu")
        ],
        NUMBERS,
    ),
    "dropout": _layer(lambda: L.Dropout(0.5), NUMBERS),
    "dropout_spatial": _layer(lambda: L.SpatialDropout2D(0.5), PICTURE),
    "dropout_alpha": _layer(lambda: L.AlphaDropout(0.5), NUMBERS),
    "noise": _layer(lambda: L.GaussianNoise(0.5), NUMBERS),
    "upsampling1d": _layer(lambda: L.UpSampling1D(2), SERIES),
    "upsampling2d": _layer(lambda: L.UpSampling2D(2), PICTURE),
    "upsampling2d_bilinear": _layer(lambda: L.UpSampling2D(2, interpolation="bilinear"), PICTURE),
    "upsampling3d": _layer(lambda: L.UpSampling3D(2), VOLUME),
    "zero_padding1d": _layer(lambda: L.ZeroPadding1D(1), SERIES),
    "zero_padding2d": _layer(lambda: L.ZeroPadding2D(1), PICTURE),
    "zero_padding3d": _layer(lambda: L.ZeroPadding3D(1), VOLUME),
    "cropping1d": _layer(lambda: L.Cropping1D(1), SERIES),
    "cropping2d": _layer(lambda: L.Cropping2D(1), PICTURE),
    "cropping3d": _layer(lambda: L.Cropping3D(1), VOLUME),
    "simple_rnn": _layer(lambda: L.SimpleRNN(3), SERIES),
    "simple_rnn_of_any_length": _layer(lambda: L.SimpleRNN(3, return_sequences=True), FREE),
    "gru": _layer(lambda: L.GRU(3, return_sequences=True), SERIES),
    "gru_of_any_length": _layer(lambda: L.GRU(3), FREE),
    "gru_backwards": _layer(lambda: L.GRU(3, go_backwards=True), SERIES),
    "lstm": _layer(lambda: L.LSTM(3), SERIES),
    "lstm_of_any_length": _layer(lambda: L.LSTM(3, return_sequences=True), FREE),
    "lstm_unrolled": _layer(lambda: L.LSTM(3, unroll=True), SERIES),
    "lstm_with_state": Case(_encoded_and_decoded, SERIES),
    "rnn_of_cells": _layer(_cells, SERIES),
    "bidirectional": _layer(lambda: L.Bidirectional(L.LSTM(3)), SERIES),
    "bidirectional_sum": _layer(
        lambda: L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode="sum"), FREE
    ),
    "recurrent_network": Case(_stacked, FREE),
    "simple_rnn_masked": _masked(lambda: L.SimpleRNN(3)),
    "gru_masked": _masked(lambda: L.GRU(3, return_sequences=True)),
    "lstm_masked": _masked(lambda: L.LSTM(3)),
    "bidirectional_masked": _masked(lambda: L.Bidirectional(L.LSTM(3))),
    "masking": Case(lambda x: L.LSTM(3)(L.Masking()(x)), SERIES),
    "conv_lstm1d": _layer(lambda: L.ConvLSTM1D(2, 2), (3, 6, 2)),
    "conv_lstm2d": _layer(lambda: L.ConvLSTM2D(2, 3), FILM),
    "conv_lstm2d_of_any_length": _layer(
        lambda: L.ConvLSTM2D(2, 3, padding="same", return_sequences=True), (None, 6, 6, 2)
    ),
    "conv_lstm3d": _layer(lambda: L.ConvLSTM3D(2, 2), (2, 4, 4, 4, 1)),
    "time_distributed": _layer(lambda: L.TimeDistributed(L.Dense(3)), SERIES),
    # Keras 3.15 takes as many steps here as there are rows.
    "time_distributed_of_any_length": _layer(lambda: L.TimeDistributed(L.Dense(3)), FREE, MIXING),
    "time_distributed_pictures": _layer(lambda: L.TimeDistributed(L.Conv2D(2, 3)), FILM),
    "decoded": _seen(Decoded),
    "decoded_png": _seen(DecodedPng),
    "normalization": _layer(
        lambda: _adapted(L.Normalization(), np.random.default_rng(1).normal(size=(9, 6))), NUMBERS
    ),
    "rescaling": _layer(lambda: L.Rescaling(1 / 255), PICTURE),
    "resizing": _layer(lambda: L.Resizing(4, 4), PICTURE),
    "resizing_cropped": _layer(lambda: L.Resizing(4, 6, crop_to_aspect_ratio=True), PICTURE),
    "center_crop": _layer(lambda: L.CenterCrop(4, 4), PICTURE),
    "random_flip": _layer(lambda: L.RandomFlip(), PICTURE),
    "random_rotation": _layer(lambda: L.RandomRotation(0.1), PICTURE),
    "discretization": _layer(lambda: L.Discretization([-1.0, 0.0, 1.0]), NUMBERS),
    "discretization_one_hot": _layer(
        lambda: L.Discretization([-1.0, 0.0, 1.0], output_mode="one_hot"), (1,)
    ),
    "hashing": _layer(lambda: L.Hashing(5), WORDS),
    "hashing_salted": _layer(lambda: L.Hashing(5, salt=[1, 2]), WORDS),
    "hashing_of_numbers": _layer(lambda: L.Hashing(5), TOKENS),
    "string_lookup": _layer(lambda: L.StringLookup(vocabulary=VOCABULARY), WORDS),
    "string_lookup_buckets": _layer(
        lambda: L.StringLookup(vocabulary=VOCABULARY, num_oov_indices=3), WORDS
    ),
    "string_lookup_inverted": Case(
        lambda x: L.StringLookup(vocabulary=VOCABULARY, invert=True)(
            L.StringLookup(vocabulary=VOCABULARY)(x)
        ),
        WORDS,
    ),
    "string_lookup_one_hot": _layer(
        lambda: L.StringLookup(vocabulary=VOCABULARY, output_mode="one_hot"), WORDS
    ),
    "string_lookup_multi_hot": _layer(
        lambda: L.StringLookup(vocabulary=VOCABULARY, output_mode="multi_hot"), WORDS, UNPROVED
    ),
    "string_lookup_count": _layer(
        lambda: L.StringLookup(vocabulary=VOCABULARY, output_mode="count"), WORDS, UNPROVED
    ),
    "integer_lookup": _layer(lambda: L.IntegerLookup(vocabulary=IDS), TOKENS),
    "integer_lookup_one_hot": Case(
        lambda x: L.IntegerLookup(vocabulary=IDS, output_mode="one_hot")(x[:, :1]), TOKENS
    ),
    "integer_lookup_multi_hot": _layer(
        lambda: L.IntegerLookup(vocabulary=IDS, output_mode="multi_hot"), TOKENS, UNPROVED
    ),
    "category_encoding_multi_hot": _layer(lambda: L.CategoryEncoding(10), TOKENS, UNPROVED),
    "category_encoding_one_hot": Case(
        lambda x: L.CategoryEncoding(10, output_mode="one_hot")(x[:, :1]), TOKENS
    ),
    "category_encoding_count": _layer(
        lambda: L.CategoryEncoding(10, output_mode="count"), TOKENS, UNPROVED
    ),
    "text_vectorization": _layer(lambda: L.TextVectorization(vocabulary=VOCABULARY), WORDS, MIXING),
    "text_vectorization_of_one_length": _layer(
        lambda: L.TextVectorization(vocabulary=VOCABULARY, output_sequence_length=3),
        WORDS,
        UNPROVED,
    ),
    "stft_spectrogram": _layer(
        lambda: L.STFTSpectrogram(frame_length=16, frame_step=8, fft_length=16), (64, 1)
    ),
    "mel_spectrogram": _layer(
        lambda: L.MelSpectrogram(fft_length=16, sequence_stride=8, num_mel_bins=4), (64,), UNPROVED
    ),
    "over_rows": _layer(OverRows, NUMBERS, MIXING),
}
