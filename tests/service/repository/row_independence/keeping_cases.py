"""Functions that keep rows apart: ``KEEPING`` must be proved.

``UNPROVED`` keep rows apart as well, but the proof does not follow them; they are here so that a
change of that is noticed and documented.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tests.service.repository.row_independence.graph_cases import (
    CUBE,
    FILTER,
    FREE,
    MATRIX,
    NUMBER_ROWS,
    NUMBERS,
    OTHER,
    PICTURE,
    TABLE,
    TEXTS,
    VARIABLE,
    VECTOR,
    GraphCase,
    W,
    after,
    attention,
    by_autograph,
    of,
    unawaited,
)


def _heads(x: tf.Tensor) -> tf.Tensor:
    projected = tf.einsum("btf,fhd->bthd", x, tf.ones([3, 2, 5]))
    scores = tf.nn.softmax(tf.einsum("bthd,bshd->bhts", projected, projected))
    return tf.einsum("bhts,bshd->bthd", scores, projected)


def _layer_norm(x: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, None, tf.ones([4]), 1e-3)


def _running_state(x: tf.Tensor) -> tf.Tensor:
    """A recurrent network over time, which is the second dimension."""
    state = tf.zeros([tf.shape(x)[0], 3])
    for t in tf.range(tf.shape(x)[1]):
        state = tf.tanh(state + x[:, t])
    return state


def _recurrent(x: tf.Tensor) -> tf.Tensor:
    steps = tf.TensorArray(tf.float32, size=tf.shape(x)[1], element_shape=[None, 3])
    inputs = tf.TensorArray(tf.float32, size=tf.shape(x)[1]).unstack(tf.transpose(x, [1, 0, 2]))

    def step(t: Any, state: Any, out: Any) -> Any:
        state = tf.tanh(state + inputs.read(t))
        return t + 1, state, out.write(t, state)

    first = tf.zeros([tf.shape(x)[0], 3])
    _, _, out = tf.while_loop(lambda t, *_: t < tf.shape(x)[1], step, (0, first, steps))
    return tf.transpose(out.stack(), [1, 0, 2])


def _map(function: Callable[..., Any], shape: list[int], dtype: Any = tf.float32) -> Any:
    spec = tf.TensorSpec(shape, dtype)
    return lambda x: tf.map_fn(function, x, fn_output_signature=spec)


def _two_by_map(x: tf.Tensor) -> tf.Tensor:
    spec = (tf.TensorSpec([4], tf.float32), tf.TensorSpec([], tf.float32))
    doubled, total = tf.map_fn(
        lambda row: (row * 2, tf.reduce_sum(row)), x, fn_output_signature=spec
    )
    return doubled + total[:, None]


def _merged(x: tf.Tensor) -> tf.Tensor:
    flat = tf.reshape(x, [-1, 3]) @ tf.ones([3, 2])
    return tf.reshape(flat, [tf.shape(x)[0], 4, 2])


def _twice_and_split(x: tf.Tensor) -> tf.Tensor:
    first, second = tf.split(tf.concat([x, tf.reverse(x, [1])], 0) * 2, 2)
    return first + second


def _branch_by_shape(x: tf.Tensor) -> tf.Tensor:
    return tf.cond(tf.shape(x)[1] > 2, lambda: x * 2, lambda: x + 1)


def _fixed_rounds(x: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 0.5 + x), (0, x))[1]


def _by_group(x: tf.Tensor) -> tf.Tensor:
    return tf.gather(x, tf.argsort(x, axis=1), axis=1, batch_dims=1)


KEEPING: dict[str, GraphCase] = {
    "assert_rank": of(MATRIX)(
        after(lambda x: tf.debugging.Assert(tf.equal(tf.shape(x)[1], 4), [x]))
    ),
    "assert_variable": of(VECTOR)(
        after(lambda x: tf.debugging.assert_less(tf.reduce_sum(VARIABLE), 1e6))
    ),
    "check_of_each": of(VECTOR)(after(lambda x: tf.debugging.check_numerics(x, "x"))),
    "check_unawaited_of_each": of(VECTOR)(unawaited(lambda x: tf.debugging.check_numerics(x, "x"))),
    "identity_times": of(VECTOR)(lambda x: x * 2 + 1),
    "where_nan": of(VECTOR)(lambda x: tf.where(tf.math.is_nan(x), -1.0, x)),
    "two_inputs": of(VECTOR, OTHER)(lambda x, y: x * y),
    "stack_columns": of(VECTOR, OTHER)(lambda x, y: tf.stack([x, y], 1) @ tf.ones([2, 3])),
    "dense": of(MATRIX)(lambda x: tf.nn.relu(x @ W + tf.ones([4]))),
    "dense_transposed": of(MATRIX)(lambda x: tf.transpose(tf.matmul(W, x, transpose_b=True))),
    "dense_variable": of(MATRIX)(lambda x: tf.matmul(x, VARIABLE, transpose_b=True)),
    "tensordot": of(CUBE)(lambda x: tf.tensordot(x, tf.ones([3, 2]), [[2], [0]])),
    "tensordot_free": of(tf.TensorSpec([None, None, 3], tf.float32, name="x"))(
        lambda x: tf.tensordot(x, tf.ones([3, 2]), [[2], [0]])
    ),
    "einsum": of(CUBE)(lambda x: tf.einsum("btf,fg->btg", x, tf.ones([3, 2]))),
    "einsum_dots": of(CUBE)(lambda x: tf.einsum("...f,fg->...g", x, tf.ones([3, 2]))),
    "attention": of(CUBE)(attention),
    "heads": of(CUBE)(_heads),
    "softmax": of(MATRIX)(lambda x: tf.nn.softmax(x)),
    "softmax_middle": of(CUBE)(lambda x: tf.nn.softmax(x, axis=1)),
    "log_softmax_free": of(FREE)(lambda x: tf.nn.log_softmax(x)),
    "layer_norm": of(MATRIX)(_layer_norm),
    "l2": of(MATRIX)(lambda x: tf.math.l2_normalize(x, 1)),
    "mean_of_row": of(FREE)(lambda x: x - tf.reduce_mean(x, 1, keepdims=True)),
    "sort_row": of(MATRIX)(lambda x: tf.sort(x, axis=1)),
    "argsort_gather": of(MATRIX)(_by_group),
    "top_k": of(MATRIX)(lambda x: tf.math.top_k(x, 2).values),
    "cumsum_row": of(MATRIX)(lambda x: tf.cumsum(x, 1)),
    "reverse_row": of(MATRIX)(lambda x: x[:, ::-1]),
    "roll_row": of(MATRIX)(lambda x: tf.roll(x, 1, 1)),
    "column": of(MATRIX)(lambda x: x[:, 1]),
    "columns": of(MATRIX)(lambda x: x[..., 1:3]),
    "new_axis": of(VECTOR)(lambda x: x[:, None] * tf.constant([1.0, 2.0, 3.0])),
    "pad_row": of(MATRIX)(lambda x: tf.pad(x, [[0, 0], [1, 2]])),
    "contrast_of_pictures": of(PICTURE)(lambda x: tf.image.adjust_contrast(x, 2.0)),
    "hue_of_lines": of(CUBE)(lambda x: tf.image.adjust_hue(x, 0.2)),
    "flatten": of(PICTURE)(lambda x: tf.reshape(x, [tf.shape(x)[0], -1])),
    "flatten_literal": of(PICTURE)(lambda x: tf.reshape(x, [-1, 72])),
    "merged": of(CUBE)(_merged),
    "conv": of(PICTURE)(lambda x: tf.nn.conv2d(x, FILTER, 2, "SAME")),
    "conv_flat": of(PICTURE)(
        lambda x: tf.reshape(tf.nn.conv2d(x, FILTER, 1, "VALID"), [-1, 4 * 4 * 5])
    ),
    "conv_transposed": of(PICTURE)(
        lambda x: tf.nn.conv2d_transpose(
            x, tf.ones([3, 3, 5, 2]), tf.stack([tf.shape(x)[0], 12, 12, 5]), 2
        )
    ),
    "pool": of(PICTURE)(lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME")),
    "global_pool": of(PICTURE)(lambda x: tf.reduce_mean(x, [1, 2])),
    "batch_norm_inference": of(PICTURE)(
        lambda x: tf.compat.v1.nn.fused_batch_norm(
            x, tf.ones([2]), tf.zeros([2]), tf.zeros([2]), tf.ones([2]), is_training=False
        )[0]
    ),
    "resize": of(PICTURE)(lambda x: tf.image.resize(x, [3, 3])),
    "embedding": of(NUMBER_ROWS)(lambda x: tf.gather(VARIABLE, tf.math.floormod(x, 5))),
    "embedding_constant": of(NUMBER_ROWS)(lambda x: tf.gather(W, tf.math.floormod(x, 4))),
    "one_hot": of(NUMBERS)(lambda x: tf.one_hot(x, 5)),
    "table": of(TEXTS)(lambda x: TABLE.lookup(tf.strings.lower(x))),
    "labels": of(MATRIX)(lambda x: tf.gather(tf.constant(["p", "q", "r", "s"]), tf.argmax(x, 1))),
    "hash": of(TEXTS)(lambda x: tf.strings.to_hash_bucket_fast(x, 10)),
    "substr": of(TEXTS)(lambda x: tf.strings.length(tf.strings.substr(x, 0, 2))),
    "map": of(MATRIX)(_map(lambda row: row / (1 + tf.reduce_sum(tf.abs(row))), [4])),
    "map_branch": of(MATRIX)(
        _map(lambda row: tf.cond(tf.reduce_sum(row) > 0, lambda: row, lambda: -row), [4])
    ),
    "map_loop": of(VECTOR)(
        _map(lambda v: tf.while_loop(lambda a: a < 10.0, lambda a: a * 2 + 1, [tf.abs(v)])[0], [])
    ),
    "map_two": of(MATRIX)(_two_by_map),
    "time_first_and_back": of(CUBE)(
        lambda x: tf.transpose(tf.cumsum(tf.transpose(x, [1, 0, 2]), 0), [1, 0, 2])
    ),
    "recurrent": of(CUBE)(_recurrent),
    "autograph_time": of(CUBE)(by_autograph(_running_state)),
    "fixed_rounds": of(VECTOR)(_fixed_rounds),
    "branch_by_shape": of(MATRIX)(_branch_by_shape),
    "twice_and_split": of(MATRIX)(_twice_and_split),
    "tile_by_rows": of(VECTOR)(
        lambda x: tf.tile(tf.constant([[1.0, 2.0]]), [tf.shape(x)[0], 1]) + x[:, None]
    ),
    "fill_by_rows": of(VECTOR)(lambda x: tf.fill([tf.shape(x)[0]], 3.0)),
    "broadcast_by_rows": of(VECTOR)(
        lambda x: tf.concat([x[:, None], tf.broadcast_to([[1.0, 2.0]], [tf.shape(x)[0], 2])], 1)
    ),
    "zeros_like": of(MATRIX)(lambda x: tf.zeros_like(x) + tf.ones_like(x)),
    "parse": of(TEXTS)(
        lambda x: tf.io.parse_example(x, {"a": tf.io.FixedLenFeature([2], tf.float32, [0.0, 0.0])})[
            "a"
        ]
    ),
    "check_values": of(VECTOR)(lambda x: tf.debugging.check_numerics(x, "no")),
    "fixed_noise": of(MATRIX)(lambda x: x + tf.random.stateless_normal([4], [1, 2])),
    "first_column_alone": of(MATRIX)(lambda x: tf.unstack(x, axis=1)[0]),
    "space_to_depth": of(PICTURE)(lambda x: tf.reduce_sum(tf.nn.space_to_depth(x, 2), [1, 2])),
    "reshape_there_and_back": of(MATRIX)(lambda x: tf.reshape(tf.reshape(x, [-1, 2]) * 2, [-1, 4])),
    "squeeze": of(tf.TensorSpec([None, 1], tf.float32, name="x"))(lambda x: tf.squeeze(x, -1)),
    "reverse_sequence": of(MATRIX)(
        lambda x: tf.reverse_sequence(x, tf.cast(tf.reduce_sum(x, 1) * 0 + 2, tf.int32), 1)
    ),
    "space_to_batch_and_back": of(PICTURE)(
        lambda x: tf.batch_to_space(
            tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), [2, 2], [[0, 0], [0, 0]]
        )
    ),
    "dilated": of(PICTURE)(lambda x: tf.nn.convolution(x, FILTER, dilations=2)),
    "dilated_of_any_size": of(tf.TensorSpec([None, None, None, 2], tf.float32, name="x"))(
        lambda x: tf.nn.convolution(x, FILTER, padding="SAME", dilations=2)
    ),
    "copies_to_space": of(PICTURE)(
        lambda x: tf.batch_to_space(tf.tile(x, [4, 1, 1, 1]), [2, 2], [[0, 0], [0, 0]])
    ),
    "band": of(CUBE)(lambda x: tf.linalg.band_part(x, 1, 0)),
}


def _lengths_of(feature: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    """What each record has of a feature that is not dense: their sum, or how many."""

    def lengths(x: tf.Tensor) -> tf.Tensor:
        found = tf.io.parse_example(x, {"a": feature})["a"]
        if isinstance(found, tf.SparseTensor):
            return tf.sparse.reduce_sum(found, 1)
        return found.row_lengths()

    return lengths


UNPROVED: dict[str, GraphCase] = {
    "sparse_features": of(TEXTS)(_lengths_of(tf.io.VarLenFeature(tf.float32))),
    "ragged_features": of(TEXTS)(_lengths_of(tf.io.RaggedFeature(tf.float32))),
    "words_of_each": of(TEXTS)(lambda x: tf.strings.split(x).row_lengths()),
    "n_grams": of(TEXTS)(lambda x: tf.strings.ngrams(tf.strings.split(x), 2).row_lengths()),
    "assert_each": of(VECTOR)(after(lambda x: tf.debugging.assert_greater(x, -1e9))),
    "row_counts": of(NUMBER_ROWS)(
        lambda x: tf.math.bincount(tf.abs(x) % 5, minlength=5, maxlength=5, axis=-1)
    ),
    "vectorized_map": of(MATRIX)(lambda x: tf.vectorized_map(lambda row: row * 2, x)),
    "diagonal_of_rows": of(MATRIX)(lambda x: tf.linalg.diag(x)),
    "inverse_of_rows": of(tf.TensorSpec([None, 2, 2], tf.float32, name="x"))(
        lambda x: tf.linalg.inv(x + 9 * tf.eye(2))
    ),
}
