"""Small functions of rows, and whether a row's answer truly depends on that row alone.

``KEEPING`` must be proved, ``MIXING`` must never be. ``UNPROVED`` keep rows apart, but the proof
does not follow them; they are here so that a change of that is noticed and documented.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

VECTOR = tf.TensorSpec([None], tf.float32, name="x")
MATRIX = tf.TensorSpec([None, 4], tf.float32, name="x")
FREE = tf.TensorSpec([None, None], tf.float32, name="x")
CUBE = tf.TensorSpec([None, 4, 3], tf.float32, name="x")
PICTURE = tf.TensorSpec([None, 6, 6, 2], tf.float32, name="x")
NUMBERS = tf.TensorSpec([None], tf.int32, name="x")
NUMBER_ROWS = tf.TensorSpec([None, 4], tf.int32, name="x")
TEXTS = tf.TensorSpec([None], tf.string, name="x")
OTHER = tf.TensorSpec([None], tf.float32, name="y")


@dataclass(frozen=True)
class GraphCase:
    """One function: what it takes and does."""

    specs: tuple[tf.TensorSpec, ...]
    function: Callable[..., Any]


W = tf.constant(np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32))
FILTER = tf.constant(np.random.default_rng(1).normal(size=(3, 3, 2, 5)).astype(np.float32))
TABLE = tf.lookup.StaticHashTable(
    tf.lookup.KeyValueTensorInitializer(["a", "b", "c"], tf.constant([1, 2, 3], tf.int64)), 0
)
VARIABLE = tf.Variable(np.arange(20, dtype=np.float32).reshape(5, 4))
COUNTER = tf.Variable(0.0)


def _of(*specs: tf.TensorSpec) -> Callable[[Callable[..., Any]], GraphCase]:
    return lambda function: GraphCase(specs, function)


def _attention(x: tf.Tensor) -> tf.Tensor:
    scores = tf.nn.softmax(tf.matmul(x, x, transpose_b=True))
    return tf.matmul(scores, x)


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


def _after(*checks: Callable[[tf.Tensor], Any]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Give the rows back once all checks of them have run."""

    def checked(x: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([check(x) for check in checks]):
            return tf.identity(x)

    return checked


def _unawaited(check: Callable[[tf.Tensor], Any]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Give the rows back with a check beside that no result waits for."""

    @tf.function
    def inner(x: tf.Tensor) -> tf.Tensor:
        check(x)
        return x * 2

    return inner


def _small_sum(x: tf.Tensor) -> Any:
    return tf.debugging.Assert(tf.reduce_sum(x) < 1.0, [x])


KEEPING: dict[str, GraphCase] = {
    "assert_rank": _of(MATRIX)(
        _after(lambda x: tf.debugging.Assert(tf.equal(tf.shape(x)[1], 4), [x]))
    ),
    "assert_variable": _of(VECTOR)(
        _after(lambda x: tf.debugging.assert_less(tf.reduce_sum(VARIABLE), 1e6))
    ),
    "check_of_each": _of(VECTOR)(_after(lambda x: tf.debugging.check_numerics(x, "x"))),
    "check_unawaited_of_each": _of(VECTOR)(
        _unawaited(lambda x: tf.debugging.check_numerics(x, "x"))
    ),
    "identity_times": _of(VECTOR)(lambda x: x * 2 + 1),
    "where_nan": _of(VECTOR)(lambda x: tf.where(tf.math.is_nan(x), -1.0, x)),
    "two_inputs": _of(VECTOR, OTHER)(lambda x, y: x * y),
    "stack_columns": _of(VECTOR, OTHER)(lambda x, y: tf.stack([x, y], 1) @ tf.ones([2, 3])),
    "dense": _of(MATRIX)(lambda x: tf.nn.relu(x @ W + tf.ones([4]))),
    "dense_transposed": _of(MATRIX)(lambda x: tf.transpose(tf.matmul(W, x, transpose_b=True))),
    "dense_variable": _of(MATRIX)(lambda x: tf.matmul(x, VARIABLE, transpose_b=True)),
    "tensordot": _of(CUBE)(lambda x: tf.tensordot(x, tf.ones([3, 2]), [[2], [0]])),
    "tensordot_free": _of(tf.TensorSpec([None, None, 3], tf.float32, name="x"))(
        lambda x: tf.tensordot(x, tf.ones([3, 2]), [[2], [0]])
    ),
    "einsum": _of(CUBE)(lambda x: tf.einsum("btf,fg->btg", x, tf.ones([3, 2]))),
    "einsum_dots": _of(CUBE)(lambda x: tf.einsum("...f,fg->...g", x, tf.ones([3, 2]))),
    "attention": _of(CUBE)(_attention),
    "heads": _of(CUBE)(_heads),
    "softmax": _of(MATRIX)(lambda x: tf.nn.softmax(x)),
    "softmax_middle": _of(CUBE)(lambda x: tf.nn.softmax(x, axis=1)),
    "log_softmax_free": _of(FREE)(lambda x: tf.nn.log_softmax(x)),
    "layer_norm": _of(MATRIX)(_layer_norm),
    "l2": _of(MATRIX)(lambda x: tf.math.l2_normalize(x, 1)),
    "mean_of_row": _of(FREE)(lambda x: x - tf.reduce_mean(x, 1, keepdims=True)),
    "sort_row": _of(MATRIX)(lambda x: tf.sort(x, axis=1)),
    "argsort_gather": _of(MATRIX)(_by_group),
    "top_k": _of(MATRIX)(lambda x: tf.math.top_k(x, 2).values),
    "cumsum_row": _of(MATRIX)(lambda x: tf.cumsum(x, 1)),
    "reverse_row": _of(MATRIX)(lambda x: x[:, ::-1]),
    "roll_row": _of(MATRIX)(lambda x: tf.roll(x, 1, 1)),
    "column": _of(MATRIX)(lambda x: x[:, 1]),
    "columns": _of(MATRIX)(lambda x: x[..., 1:3]),
    "new_axis": _of(VECTOR)(lambda x: x[:, None] * tf.constant([1.0, 2.0, 3.0])),
    "pad_row": _of(MATRIX)(lambda x: tf.pad(x, [[0, 0], [1, 2]])),
    "flatten": _of(PICTURE)(lambda x: tf.reshape(x, [tf.shape(x)[0], -1])),
    "flatten_literal": _of(PICTURE)(lambda x: tf.reshape(x, [-1, 72])),
    "merged": _of(CUBE)(_merged),
    "conv": _of(PICTURE)(lambda x: tf.nn.conv2d(x, FILTER, 2, "SAME")),
    "conv_flat": _of(PICTURE)(
        lambda x: tf.reshape(tf.nn.conv2d(x, FILTER, 1, "VALID"), [-1, 4 * 4 * 5])
    ),
    "conv_transposed": _of(PICTURE)(
        lambda x: tf.nn.conv2d_transpose(
            x, tf.ones([3, 3, 5, 2]), tf.stack([tf.shape(x)[0], 12, 12, 5]), 2
        )
    ),
    "pool": _of(PICTURE)(lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME")),
    "global_pool": _of(PICTURE)(lambda x: tf.reduce_mean(x, [1, 2])),
    "batch_norm_inference": _of(PICTURE)(
        lambda x: tf.compat.v1.nn.fused_batch_norm(
            x, tf.ones([2]), tf.zeros([2]), tf.zeros([2]), tf.ones([2]), is_training=False
        )[0]
    ),
    "resize": _of(PICTURE)(lambda x: tf.image.resize(x, [3, 3])),
    "embedding": _of(NUMBER_ROWS)(lambda x: tf.gather(VARIABLE, tf.math.floormod(x, 5))),
    "embedding_constant": _of(NUMBER_ROWS)(lambda x: tf.gather(W, tf.math.floormod(x, 4))),
    "one_hot": _of(NUMBERS)(lambda x: tf.one_hot(x, 5)),
    "table": _of(TEXTS)(lambda x: TABLE.lookup(tf.strings.lower(x))),
    "labels": _of(MATRIX)(lambda x: tf.gather(tf.constant(["p", "q", "r", "s"]), tf.argmax(x, 1))),
    "hash": _of(TEXTS)(lambda x: tf.strings.to_hash_bucket_fast(x, 10)),
    "substr": _of(TEXTS)(lambda x: tf.strings.length(tf.strings.substr(x, 0, 2))),
    "map": _of(MATRIX)(_map(lambda row: row / (1 + tf.reduce_sum(tf.abs(row))), [4])),
    "map_branch": _of(MATRIX)(
        _map(lambda row: tf.cond(tf.reduce_sum(row) > 0, lambda: row, lambda: -row), [4])
    ),
    "map_loop": _of(VECTOR)(
        _map(lambda v: tf.while_loop(lambda a: a < 10.0, lambda a: a * 2 + 1, [tf.abs(v)])[0], [])
    ),
    "map_two": _of(MATRIX)(_two_by_map),
    "time_first_and_back": _of(CUBE)(
        lambda x: tf.transpose(tf.cumsum(tf.transpose(x, [1, 0, 2]), 0), [1, 0, 2])
    ),
    "recurrent": _of(CUBE)(_recurrent),
    "autograph_time": _of(CUBE)(_running_state),
    "fixed_rounds": _of(VECTOR)(_fixed_rounds),
    "branch_by_shape": _of(MATRIX)(_branch_by_shape),
    "twice_and_split": _of(MATRIX)(_twice_and_split),
    "tile_by_rows": _of(VECTOR)(
        lambda x: tf.tile(tf.constant([[1.0, 2.0]]), [tf.shape(x)[0], 1]) + x[:, None]
    ),
    "fill_by_rows": _of(VECTOR)(lambda x: tf.fill([tf.shape(x)[0]], 3.0)),
    "broadcast_by_rows": _of(VECTOR)(
        lambda x: tf.concat([x[:, None], tf.broadcast_to([[1.0, 2.0]], [tf.shape(x)[0], 2])], 1)
    ),
    "zeros_like": _of(MATRIX)(lambda x: tf.zeros_like(x) + tf.ones_like(x)),
    "parse": _of(TEXTS)(
        lambda x: tf.io.parse_example(x, {"a": tf.io.FixedLenFeature([2], tf.float32, [0.0, 0.0])})[
            "a"
        ]
    ),
    "check_values": _of(VECTOR)(lambda x: tf.debugging.check_numerics(x, "no")),
    "fixed_noise": _of(MATRIX)(lambda x: x + tf.random.stateless_normal([4], [1, 2])),
    "first_column_alone": _of(MATRIX)(lambda x: tf.unstack(x, axis=1)[0]),
    "space_to_depth": _of(PICTURE)(lambda x: tf.reduce_sum(tf.nn.space_to_depth(x, 2), [1, 2])),
    "reshape_there_and_back": _of(MATRIX)(
        lambda x: tf.reshape(tf.reshape(x, [-1, 2]) * 2, [-1, 4])
    ),
    "squeeze": _of(tf.TensorSpec([None, 1], tf.float32, name="x"))(lambda x: tf.squeeze(x, -1)),
    "reverse_sequence": _of(MATRIX)(
        lambda x: tf.reverse_sequence(x, tf.cast(tf.reduce_sum(x, 1) * 0 + 2, tf.int32), 1)
    ),
    "space_to_batch_and_back": _of(PICTURE)(
        lambda x: tf.batch_to_space(
            tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), [2, 2], [[0, 0], [0, 0]]
        )
    ),
    "dilated": _of(PICTURE)(lambda x: tf.nn.convolution(x, FILTER, dilations=2)),
    "dilated_of_any_size": _of(tf.TensorSpec([None, None, None, 2], tf.float32, name="x"))(
        lambda x: tf.nn.convolution(x, FILTER, padding="SAME", dilations=2)
    ),
    "copies_to_space": _of(PICTURE)(
        lambda x: tf.batch_to_space(tf.tile(x, [4, 1, 1, 1]), [2, 2], [[0, 0], [0, 0]])
    ),
    "band": _of(CUBE)(lambda x: tf.linalg.band_part(x, 1, 0)),
}


def _loop_while_any(x: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda y: tf.reduce_any(y < 4.0), lambda y: y + 1.0, [x])[0]


def _scan(x: tf.Tensor) -> tf.Tensor:
    return tf.scan(lambda total, row: total + row, x)


def _carries(x: tf.Tensor) -> tf.Tensor:
    out = tf.TensorArray(tf.float32, size=tf.shape(x)[0], element_shape=[])
    total = 0.0
    for i in tf.range(tf.shape(x)[0]):
        total += x[i]
        out = out.write(i, total)
    return out.stack()


def _previous(x: tf.Tensor) -> tf.Tensor:
    out = tf.TensorArray(tf.float32, size=tf.shape(x)[0], element_shape=[])
    for i in tf.range(tf.shape(x)[0]):
        out = out.write(i, x[tf.maximum(i - 1, 0)])
    return out.stack()


def _decays(x: tf.Tensor) -> tf.Tensor:
    """What it carries depends on no row, but on how many came before."""

    def step(i: Any, weight: Any, out: Any) -> Any:
        return i + 1, weight * 0.5, out.write(i, x[i] * weight)

    out = tf.TensorArray(tf.float32, size=tf.shape(x)[0], element_shape=[])
    count = tf.shape(x)[0]
    return tf.while_loop(lambda i, *_: i < count, step, (0, 1.0, out))[2].stack()


def _decays_by_list(x: tf.Tensor) -> tf.Tensor:
    count = tf.shape(x)[0]
    items = tf.TensorArray(tf.float32, size=count).unstack(x)
    out = tf.TensorArray(tf.float32, size=count, element_shape=[])
    return tf.while_loop(
        lambda i, *_: i < count,
        lambda i, weight, out: (i + 1, weight * 0.5, out.write(i, items.read(i) * weight)),
        (0, 1.0, out),
    )[2].stack()


def _softmaxed_state(x: tf.Tensor) -> tf.Tensor:
    """What it carries is known to be a vector before and after each round, and nothing more."""
    count = tf.shape(x)[0]
    items = tf.TensorArray(tf.float32, size=count).unstack(x)
    out = tf.TensorArray(tf.float32, size=count, element_shape=[])
    return tf.while_loop(
        lambda i, *_: i < count,
        lambda i, v, out: (i + 1, tf.nn.softmax(v), out.write(i, items.read(i) * v[0])),
        (0, tf.constant([1.0, 5.0]), out),
    )[2].stack()


def _all_by_all(x: tf.Tensor) -> tf.Tensor:
    """For each row it writes all rows' answers anew, so that those of the last one stay."""
    count = tf.shape(x)[0]
    items = tf.TensorArray(tf.float32, size=count).unstack(x)
    out = tf.TensorArray(tf.float32, size=count, element_shape=[], clear_after_read=False)

    def outer(i: Any, out: Any) -> Any:
        def inner(j: Any, out: Any) -> Any:
            return j + 1, out.write(j, items.read(j) - items.read(i))

        return i + 1, tf.while_loop(lambda j, _: j < count, inner, (0, out))[1]

    return tf.while_loop(lambda i, _: i < count, outer, (0, out))[1].stack()


def _backwards(x: tf.Tensor) -> tf.Tensor:
    count = tf.shape(x)[0]
    items = tf.TensorArray(tf.float32, size=count).unstack(x)
    out = tf.TensorArray(tf.float32, size=count, element_shape=[])
    return tf.while_loop(
        lambda i, _: i < count,
        lambda i, out: (i + 1, out.write(count - 1 - i, items.read(i))),
        (0, out),
    )[1].stack()


def _count(x: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([COUNTER.assign_add(1.0)]):
        return x + COUNTER


def _hidden_count(x: tf.Tensor) -> tf.Tensor:
    COUNTER.assign_add(1.0)
    return x + COUNTER


def _batch_norm(x: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, [0])
    return tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)


MIXING: dict[str, GraphCase] = {
    "assert_sum": _of(VECTOR)(_after(_small_sum)),
    "assert_count": _of(VECTOR)(_after(lambda x: tf.debugging.assert_less(tf.size(x), 4))),
    "assert_extremes": _of(VECTOR)(
        _after(lambda x: tf.debugging.assert_less(tf.reduce_max(x) - tf.reduce_min(x), 0.5))
    ),
    "assert_unawaited": _of(VECTOR)(_unawaited(_small_sum)),
    "assert_in_branch": _of(VECTOR)(
        _after(lambda x: tf.cond(VARIABLE[0, 0] < 1.0, lambda: _small_sum(x), tf.no_op))
    ),
    "assert_in_map": _of(VECTOR)(
        lambda x: tf.map_fn(lambda row: _after(lambda _: _small_sum(x))(row), x)
    ),
    "check_of_sum": _of(VECTOR)(
        _after(lambda x: tf.debugging.check_numerics(1.0 / (tf.reduce_sum(x) * 0.0), "sum"))
    ),
    "check_unawaited": _of(VECTOR)(
        _unawaited(lambda x: tf.debugging.check_numerics(tf.reduce_sum(x) * 1e38 * 9, "sum"))
    ),
    "print_all": _of(VECTOR)(_after(lambda x: tf.print(x, output_stream="file:///dev/null"))),
    "waits_for_sum": _of(VECTOR)(_after(tf.reduce_sum)),
    "share": _of(VECTOR)(lambda x: x / tf.reduce_sum(x)),
    "cumsum": _of(VECTOR)(lambda x: tf.cumsum(x)),
    "cumprod_negative_axis": _of(VECTOR)(lambda x: tf.math.cumprod(x, -1)),
    "sort": _of(VECTOR)(lambda x: tf.sort(x)),
    "sort_rows": _of(MATRIX)(lambda x: tf.sort(x, axis=0)),
    "argsort": _of(VECTOR)(lambda x: tf.argsort(x)),
    "top_k_of_all": _of(VECTOR)(lambda x: tf.math.top_k(x, tf.shape(x)[0]).values),
    "unique": _of(NUMBERS)(lambda x: tf.unique(x).idx),
    "unique_values": _of(NUMBERS)(
        lambda x: tf.gather(tf.unique(x).y, tf.unique(x).idx) * tf.size(tf.unique(x).y)
    ),
    "softmax_rows": _of(MATRIX)(lambda x: tf.nn.softmax(x, axis=0)),
    "softmax_vector": _of(VECTOR)(lambda x: tf.nn.softmax(x)),
    "minus_mean": _of(MATRIX)(lambda x: x - tf.reduce_mean(x, 0)),
    "minus_mean_kept": _of(MATRIX)(lambda x: x - tf.reduce_mean(x, 0, keepdims=True)),
    "minus_all": _of(MATRIX)(lambda x: x - tf.reduce_max(x)),
    "batch_statistics": _of(MATRIX)(_batch_norm),
    "fused_batch_norm": _of(PICTURE)(
        lambda x: tf.compat.v1.nn.fused_batch_norm(x, tf.ones([2]), tf.zeros([2]))[0]
    ),
    "gram": _of(MATRIX)(lambda x: tf.matmul(tf.matmul(x, x, transpose_b=True), x)),
    "pairs": _of(MATRIX)(lambda x: tf.matmul(x, x, transpose_b=True)),
    "across": _of(MATRIX)(lambda x: x @ tf.matmul(x, x, transpose_a=True)),
    "reverse": _of(VECTOR)(lambda x: tf.reverse(x, [0])),
    "reverse_slice": _of(VECTOR)(lambda x: x[::-1]),
    "roll": _of(VECTOR)(lambda x: tf.roll(x, 1, 0)),
    "shift": _of(VECTOR)(lambda x: tf.concat([x[1:], x[:1]], 0)),
    "gather_first": _of(VECTOR)(lambda x: tf.gather(x, tf.zeros_like(x, tf.int32))),
    "gather_computed": _of(NUMBERS)(lambda x: tf.gather(x, tf.math.floormod(x, tf.shape(x)[0]))),
    "gather_transposed": _of(MATRIX)(
        lambda x: tf.gather(x, tf.argsort(x, axis=0), axis=0)[:, 0, :]
    ),
    "minus_first": _of(VECTOR)(lambda x: x - x[0]),
    "minus_first_kept": _of(MATRIX)(lambda x: x - x[:1]),
    "minus_last": _of(VECTOR)(lambda x: x - x[-1]),
    "reshape_mixes": _of(MATRIX)(lambda x: tf.reshape(tf.transpose(x), [-1, 4])),
    "reshape_other_way": _of(MATRIX)(
        lambda x: tf.reshape(
            tf.reduce_sum(tf.reshape(x, [2, -1]), 0, keepdims=True) * tf.ones([2, 1]), [-1, 4]
        )
    ),
    "transposed_softmax": _of(MATRIX)(lambda x: tf.transpose(tf.nn.softmax(tf.transpose(x)))),
    "transposed_reverse": _of(MATRIX)(lambda x: tf.transpose(tf.transpose(x)[:, ::-1])),
    "position": _of(VECTOR)(lambda x: x + tf.cast(tf.range(tf.shape(x)[0]), tf.float32)),
    "count_as_value": _of(VECTOR)(lambda x: x * tf.cast(tf.shape(x)[0], tf.float32)),
    "count_by_size": _of(MATRIX)(lambda x: x / tf.cast(tf.size(x), tf.float32)),
    "boolean_mask": _of(VECTOR)(
        lambda x: tf.concat([tf.boolean_mask(x, x > 0), tf.boolean_mask(x, x <= 0)], 0)
    ),
    "partition": _of(VECTOR)(
        lambda x: tf.concat(tf.dynamic_partition(x, tf.cast(x > 0, tf.int32), 2), 0)
    ),
    "where_rows": _of(VECTOR)(lambda x: x + tf.cast(tf.shape(tf.where(x > 0))[0], tf.float32)),
    "segment_sum": _of(VECTOR)(
        lambda x: tf.gather(
            tf.math.unsorted_segment_sum(x, tf.cast(x > 0, tf.int32), 2), tf.cast(x > 0, tf.int32)
        )
    ),
    "scan": _of(VECTOR)(_scan),
    "scan_rows": _of(MATRIX)(_scan),
    "loop_carries": _of(VECTOR)(_carries),
    "loop_previous": _of(VECTOR)(_previous),
    "loop_decays": _of(VECTOR)(_decays),
    "loop_decays_by_list": _of(VECTOR)(_decays_by_list),
    "loop_carries_a_vector": _of(VECTOR)(_softmaxed_state),
    "loop_within_loop": _of(VECTOR)(_all_by_all),
    "loop_backwards": _of(VECTOR)(_backwards),
    "loop_while_any": _of(VECTOR)(_loop_while_any),
    "map_with_all": _of(VECTOR)(lambda x: tf.map_fn(lambda v: v - tf.reduce_max(x), x)),
    "cond_any": _of(VECTOR)(lambda x: tf.cond(tf.reduce_any(x > 1.0), lambda: x, lambda: -x)),
    "cond_count": _of(VECTOR)(lambda x: tf.cond(tf.shape(x)[0] > 2, lambda: x, lambda: -x)),
    "random": _of(VECTOR)(lambda x: x + tf.random.uniform([])),
    "random_rows": _of(MATRIX)(lambda x: x + tf.random.normal(tf.shape(x))),
    "seeded_rows": _of(MATRIX)(lambda x: x + tf.random.stateless_normal(tf.shape(x), [1, 2])),
    "dropout": _of(MATRIX)(lambda x: tf.nn.dropout(x, 0.5)),
    "counter": _of(VECTOR)(_count),
    "counter_hidden": _of(VECTOR)(_hidden_count),
    "outer": _of(VECTOR)(lambda x: x + x[:, None]),
    "outer_sum": _of(VECTOR)(lambda x: tf.reduce_sum(x[:, None] * x[None, :], 1)),
    "row_axis_meets_column": _of(tf.TensorSpec([None, None], tf.float32, name="x"), OTHER)(
        lambda x, y: x * y
    ),
    "concat_rows": _of(VECTOR)(lambda x: tf.concat([x, x], 0)),
    "tile_rows": _of(VECTOR)(lambda x: tf.tile(x, [2])),
    "repeat_rows": _of(VECTOR)(lambda x: tf.repeat(x, 2)),
    "batch_to_space": _of(PICTURE)(
        lambda x: tf.space_to_batch(tf.concat([x] * 4, 0), [2, 2], [[0, 0], [0, 0]])
    ),
    "einsum_contracts": _of(MATRIX)(lambda x: x * tf.einsum("bf,bg->g", x, x)[None]),
    "einsum_pairs": _of(MATRIX)(lambda x: tf.einsum("bf,cf->bc", x, x)),
    "attention_over_rows": _of(MATRIX)(_attention),
    "conv_over_rows": _of(MATRIX)(
        lambda x: tf.nn.conv1d(x[None], tf.ones([3, 4, 2]), 1, "SAME")[0]
    ),
    "pool_over_rows": _of(MATRIX)(lambda x: tf.nn.max_pool1d(x[None], 3, 1, "SAME")[0]),
    "pad_rows": _of(VECTOR)(lambda x: tf.pad(x, [[1, 0]])[:-1]),
    "total": _of(VECTOR)(lambda x: tf.reduce_sum(x)),
    "total_kept": _of(VECTOR)(lambda x: tf.reduce_sum(x, keepdims=True)),
    "constant": _of(VECTOR)(lambda x: tf.constant([1.0, 2.0])),
    "constant_ignores": _of(VECTOR)(lambda x: VARIABLE[:, 0] * 1.0),
    "positions_alone": _of(VECTOR)(lambda x: tf.range(tf.shape(x)[0])),
    "half": _of(VECTOR)(lambda x: x[: tf.shape(x)[0] // 2]),
    "every_second": _of(VECTOR)(lambda x: x[::2]),
    "padded_to_longest": _of(TEXTS)(
        lambda x: tf.reduce_sum(tf.ones_like(tf.strings.length(tf.strings.split(x).to_tensor())), 1)
    ),
    # An empty text has one where others stand beside it, and none alone.
    "padded_n_grams": _of(TEXTS)(
        lambda x: tf.strings.ngrams(tf.strings.split(x), 2, pad_values=("", "")).row_lengths()
    ),
    "join_all": _of(TEXTS)(lambda x: x + tf.strings.reduce_join(x)),
    "mode": _of(MATRIX)(lambda x: x[:, 0] * tf.cast(tf.argmax(x, 0)[0], tf.float32)),
    "diagonal": _of(MATRIX)(
        lambda x: tf.linalg.diag_part(tf.matmul(x, x, transpose_b=True)[:, ::-1])
    ),
    "inverse": _of(MATRIX)(lambda x: x @ tf.linalg.pinv(tf.matmul(x, x, transpose_a=True) + W)),
    "rank_of_value": _of(VECTOR)(
        lambda x: tf.reduce_sum(tf.cast(x[:, None] > x[None], tf.float32), 1)
    ),
    "scatter": _of(VECTOR)(lambda x: tf.tensor_scatter_nd_add(x, [[0]], [tf.reduce_sum(x)])),
    "histogram": _of(NUMBERS)(lambda x: tf.gather(tf.math.bincount(tf.abs(x)), tf.abs(x))),
    "first_row_branch": _of(MATRIX)(lambda x: tf.cond(x[0, 0] > 0, lambda: x, lambda: -x)),
    "rows_to_space": _of(PICTURE)(lambda x: tf.batch_to_space(x, [2, 2], [[0, 0], [0, 0]])),
    "repeated_rows_to_space": _of(PICTURE)(
        lambda x: tf.batch_to_space(tf.repeat(x, 4, axis=0), [2, 2], [[0, 0], [0, 0]])
    ),
    "rows_in_blocks": _of(MATRIX)(
        lambda x: tf.transpose(
            tf.batch_to_space(
                tf.space_to_batch(tf.transpose(tf.repeat(x, 2, axis=0)), [2], [[0, 0]]) + 1.0,
                [2],
                [[0, 0]],
            )
        )
    ),
    "space_to_batch_of_all": _of(PICTURE)(
        lambda x: tf.reduce_sum(
            tf.reshape(tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), [-1, 4, 3, 3, 2]), 1
        )
    ),
    "band_of_rows": _of(MATRIX)(lambda x: tf.linalg.band_part(x, 1, 0)),
    "band_of_columns": _of(MATRIX)(
        lambda x: tf.transpose(tf.linalg.band_part(tf.transpose(x), 0, 0))
    ),
    "band_as_wide_as_rows": _of(CUBE)(
        lambda x: tf.linalg.band_part(x, tf.minimum(tf.shape(x)[0] - 1, 3), 0)
    ),
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
    "sparse_features": _of(TEXTS)(_lengths_of(tf.io.VarLenFeature(tf.float32))),
    "ragged_features": _of(TEXTS)(_lengths_of(tf.io.RaggedFeature(tf.float32))),
    "words_of_each": _of(TEXTS)(lambda x: tf.strings.split(x).row_lengths()),
    "n_grams": _of(TEXTS)(lambda x: tf.strings.ngrams(tf.strings.split(x), 2).row_lengths()),
    "assert_each": _of(VECTOR)(_after(lambda x: tf.debugging.assert_greater(x, -1e9))),
    "row_counts": _of(NUMBER_ROWS)(
        lambda x: tf.math.bincount(tf.abs(x) % 5, minlength=5, maxlength=5, axis=-1)
    ),
    "vectorized_map": _of(MATRIX)(lambda x: tf.vectorized_map(lambda row: row * 2, x)),
    "diagonal_of_rows": _of(MATRIX)(lambda x: tf.linalg.diag(x)),
    "inverse_of_rows": _of(tf.TensorSpec([None, 2, 2], tf.float32, name="x"))(
        lambda x: tf.linalg.inv(x + 9 * tf.eye(2))
    ),
}
