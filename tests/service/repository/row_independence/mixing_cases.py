"""Functions that mix rows: ``MIXING`` must never be proved."""

from typing import Any

import tensorflow as tf

from tests.service.repository.row_independence.graph_cases import (
    COUNTER,
    CUBE,
    MATRIX,
    NUMBERS,
    OTHER,
    PICTURE,
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


def _small_sum(x: tf.Tensor) -> Any:
    return tf.debugging.Assert(tf.reduce_sum(x) < 1.0, [x])


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
    "assert_sum": of(VECTOR)(after(_small_sum)),
    "assert_count": of(VECTOR)(after(lambda x: tf.debugging.assert_less(tf.size(x), 4))),
    "assert_extremes": of(VECTOR)(
        after(lambda x: tf.debugging.assert_less(tf.reduce_max(x) - tf.reduce_min(x), 0.5))
    ),
    "assert_unawaited": of(VECTOR)(unawaited(_small_sum)),
    "assert_in_branch": of(VECTOR)(
        after(lambda x: tf.cond(VARIABLE[0, 0] < 1.0, lambda: _small_sum(x), tf.no_op))
    ),
    "assert_in_map": of(VECTOR)(
        lambda x: tf.map_fn(lambda row: after(lambda _: _small_sum(x))(row), x)
    ),
    "check_of_sum": of(VECTOR)(
        after(lambda x: tf.debugging.check_numerics(1.0 / (tf.reduce_sum(x) * 0.0), "sum"))
    ),
    "check_unawaited": of(VECTOR)(
        unawaited(lambda x: tf.debugging.check_numerics(tf.reduce_sum(x) * 1e38 * 9, "sum"))
    ),
    "print_all": of(VECTOR)(after(lambda x: tf.print(x, output_stream="file:///dev/null"))),
    "waits_for_sum": of(VECTOR)(after(tf.reduce_sum)),
    "share": of(VECTOR)(lambda x: x / tf.reduce_sum(x)),
    "cumsum": of(VECTOR)(lambda x: tf.cumsum(x)),
    "cumprod_negative_axis": of(VECTOR)(lambda x: tf.math.cumprod(x, -1)),
    "sort": of(VECTOR)(lambda x: tf.sort(x)),
    "sort_rows": of(MATRIX)(lambda x: tf.sort(x, axis=0)),
    "argsort": of(VECTOR)(lambda x: tf.argsort(x)),
    "top_k_of_all": of(VECTOR)(lambda x: tf.math.top_k(x, tf.shape(x)[0]).values),
    "unique": of(NUMBERS)(lambda x: tf.unique(x).idx),
    "unique_values": of(NUMBERS)(
        lambda x: tf.gather(tf.unique(x).y, tf.unique(x).idx) * tf.size(tf.unique(x).y)
    ),
    "softmax_rows": of(MATRIX)(lambda x: tf.nn.softmax(x, axis=0)),
    "softmax_vector": of(VECTOR)(lambda x: tf.nn.softmax(x)),
    "minus_mean": of(MATRIX)(lambda x: x - tf.reduce_mean(x, 0)),
    "minus_mean_kept": of(MATRIX)(lambda x: x - tf.reduce_mean(x, 0, keepdims=True)),
    "minus_all": of(MATRIX)(lambda x: x - tf.reduce_max(x)),
    "batch_statistics": of(MATRIX)(_batch_norm),
    "fused_batch_norm": of(PICTURE)(
        lambda x: tf.compat.v1.nn.fused_batch_norm(x, tf.ones([2]), tf.zeros([2]))[0]
    ),
    "gram": of(MATRIX)(lambda x: tf.matmul(tf.matmul(x, x, transpose_b=True), x)),
    "pairs": of(MATRIX)(lambda x: tf.matmul(x, x, transpose_b=True)),
    "across": of(MATRIX)(lambda x: x @ tf.matmul(x, x, transpose_a=True)),
    "contrast_of_lines": of(CUBE)(lambda x: tf.image.adjust_contrast(x, 2.0)),
    "reverse": of(VECTOR)(lambda x: tf.reverse(x, [0])),
    "reverse_slice": of(VECTOR)(lambda x: x[::-1]),
    "roll": of(VECTOR)(lambda x: tf.roll(x, 1, 0)),
    "shift": of(VECTOR)(lambda x: tf.concat([x[1:], x[:1]], 0)),
    "gather_first": of(VECTOR)(lambda x: tf.gather(x, tf.zeros_like(x, tf.int32))),
    "gather_computed": of(NUMBERS)(lambda x: tf.gather(x, tf.math.floormod(x, tf.shape(x)[0]))),
    "gather_transposed": of(MATRIX)(lambda x: tf.gather(x, tf.argsort(x, axis=0), axis=0)[:, 0, :]),
    "minus_first": of(VECTOR)(lambda x: x - x[0]),
    "minus_first_kept": of(MATRIX)(lambda x: x - x[:1]),
    "minus_last": of(VECTOR)(lambda x: x - x[-1]),
    "reshape_mixes": of(MATRIX)(lambda x: tf.reshape(tf.transpose(x), [-1, 4])),
    "reshape_other_way": of(MATRIX)(
        lambda x: tf.reshape(
            tf.reduce_sum(tf.reshape(x, [2, -1]), 0, keepdims=True) * tf.ones([2, 1]), [-1, 4]
        )
    ),
    "transposed_softmax": of(MATRIX)(lambda x: tf.transpose(tf.nn.softmax(tf.transpose(x)))),
    "transposed_reverse": of(MATRIX)(lambda x: tf.transpose(tf.transpose(x)[:, ::-1])),
    "position": of(VECTOR)(lambda x: x + tf.cast(tf.range(tf.shape(x)[0]), tf.float32)),
    "count_as_value": of(VECTOR)(lambda x: x * tf.cast(tf.shape(x)[0], tf.float32)),
    "count_by_size": of(MATRIX)(lambda x: x / tf.cast(tf.size(x), tf.float32)),
    "boolean_mask": of(VECTOR)(
        lambda x: tf.concat([tf.boolean_mask(x, x > 0), tf.boolean_mask(x, x <= 0)], 0)
    ),
    "partition": of(VECTOR)(
        lambda x: tf.concat(tf.dynamic_partition(x, tf.cast(x > 0, tf.int32), 2), 0)
    ),
    "where_rows": of(VECTOR)(lambda x: x + tf.cast(tf.shape(tf.where(x > 0))[0], tf.float32)),
    "segment_sum": of(VECTOR)(
        lambda x: tf.gather(
            tf.math.unsorted_segment_sum(x, tf.cast(x > 0, tf.int32), 2), tf.cast(x > 0, tf.int32)
        )
    ),
    "scan": of(VECTOR)(_scan),
    "scan_rows": of(MATRIX)(_scan),
    "loop_carries": of(VECTOR)(by_autograph(_carries)),
    "loop_previous": of(VECTOR)(by_autograph(_previous)),
    "loop_decays": of(VECTOR)(_decays),
    "loop_decays_by_list": of(VECTOR)(_decays_by_list),
    "loop_carries_a_vector": of(VECTOR)(_softmaxed_state),
    "loop_within_loop": of(VECTOR)(_all_by_all),
    "loop_backwards": of(VECTOR)(_backwards),
    "loop_while_any": of(VECTOR)(_loop_while_any),
    "map_with_all": of(VECTOR)(lambda x: tf.map_fn(lambda v: v - tf.reduce_max(x), x)),
    "cond_any": of(VECTOR)(lambda x: tf.cond(tf.reduce_any(x > 1.0), lambda: x, lambda: -x)),
    "cond_count": of(VECTOR)(lambda x: tf.cond(tf.shape(x)[0] > 2, lambda: x, lambda: -x)),
    "random": of(VECTOR)(lambda x: x + tf.random.uniform([])),
    "random_rows": of(MATRIX)(lambda x: x + tf.random.normal(tf.shape(x))),
    "seeded_rows": of(MATRIX)(lambda x: x + tf.random.stateless_normal(tf.shape(x), [1, 2])),
    "dropout": of(MATRIX)(lambda x: tf.nn.dropout(x, 0.5)),
    "counter": of(VECTOR)(_count),
    "counter_hidden": of(VECTOR)(_hidden_count),
    "outer": of(VECTOR)(lambda x: x + x[:, None]),
    "outer_sum": of(VECTOR)(lambda x: tf.reduce_sum(x[:, None] * x[None, :], 1)),
    "row_axis_meets_column": of(tf.TensorSpec([None, None], tf.float32, name="x"), OTHER)(
        lambda x, y: x * y
    ),
    "concat_rows": of(VECTOR)(lambda x: tf.concat([x, x], 0)),
    "tile_rows": of(VECTOR)(lambda x: tf.tile(x, [2])),
    "repeat_rows": of(VECTOR)(lambda x: tf.repeat(x, 2)),
    "batch_to_space": of(PICTURE)(
        lambda x: tf.space_to_batch(tf.concat([x] * 4, 0), [2, 2], [[0, 0], [0, 0]])
    ),
    "einsum_contracts": of(MATRIX)(lambda x: x * tf.einsum("bf,bg->g", x, x)[None]),
    "einsum_pairs": of(MATRIX)(lambda x: tf.einsum("bf,cf->bc", x, x)),
    "attention_over_rows": of(MATRIX)(attention),
    "conv_over_rows": of(MATRIX)(lambda x: tf.nn.conv1d(x[None], tf.ones([3, 4, 2]), 1, "SAME")[0]),
    "pool_over_rows": of(MATRIX)(lambda x: tf.nn.max_pool1d(x[None], 3, 1, "SAME")[0]),
    "pad_rows": of(VECTOR)(lambda x: tf.pad(x, [[1, 0]])[:-1]),
    "total": of(VECTOR)(lambda x: tf.reduce_sum(x)),
    "total_kept": of(VECTOR)(lambda x: tf.reduce_sum(x, keepdims=True)),
    "constant": of(VECTOR)(lambda x: tf.constant([1.0, 2.0])),
    "constant_ignores": of(VECTOR)(lambda x: VARIABLE[:, 0] * 1.0),
    "positions_alone": of(VECTOR)(lambda x: tf.range(tf.shape(x)[0])),
    "half": of(VECTOR)(lambda x: x[: tf.shape(x)[0] // 2]),
    "every_second": of(VECTOR)(lambda x: x[::2]),
    "padded_to_longest": of(TEXTS)(
        lambda x: tf.reduce_sum(tf.ones_like(tf.strings.length(tf.strings.split(x).to_tensor())), 1)
    ),
    # An empty text has one where others stand beside it, and none alone.
    "padded_n_grams": of(TEXTS)(
        lambda x: tf.strings.ngrams(tf.strings.split(x), 2, pad_values=("", "")).row_lengths()
    ),
    "join_all": of(TEXTS)(lambda x: x + tf.strings.reduce_join(x)),
    "mode": of(MATRIX)(lambda x: x[:, 0] * tf.cast(tf.argmax(x, 0)[0], tf.float32)),
    "diagonal": of(MATRIX)(
        lambda x: tf.linalg.diag_part(tf.matmul(x, x, transpose_b=True)[:, ::-1])
    ),
    "inverse": of(MATRIX)(lambda x: x @ tf.linalg.pinv(tf.matmul(x, x, transpose_a=True) + W)),
    "rank_of_value": of(VECTOR)(
        lambda x: tf.reduce_sum(tf.cast(x[:, None] > x[None], tf.float32), 1)
    ),
    "scatter": of(VECTOR)(lambda x: tf.tensor_scatter_nd_add(x, [[0]], [tf.reduce_sum(x)])),
    "histogram": of(NUMBERS)(lambda x: tf.gather(tf.math.bincount(tf.abs(x)), tf.abs(x))),
    "first_row_branch": of(MATRIX)(lambda x: tf.cond(x[0, 0] > 0, lambda: x, lambda: -x)),
    "rows_to_space": of(PICTURE)(lambda x: tf.batch_to_space(x, [2, 2], [[0, 0], [0, 0]])),
    "repeated_rows_to_space": of(PICTURE)(
        lambda x: tf.batch_to_space(tf.repeat(x, 4, axis=0), [2, 2], [[0, 0], [0, 0]])
    ),
    "rows_in_blocks": of(MATRIX)(
        lambda x: tf.transpose(
            tf.batch_to_space(
                tf.space_to_batch(tf.transpose(tf.repeat(x, 2, axis=0)), [2], [[0, 0]]) + 1.0,
                [2],
                [[0, 0]],
            )
        )
    ),
    "space_to_batch_of_all": of(PICTURE)(
        lambda x: tf.reduce_sum(
            tf.reshape(tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), [-1, 4, 3, 3, 2]), 1
        )
    ),
    "band_of_rows": of(MATRIX)(lambda x: tf.linalg.band_part(x, 1, 0)),
    "band_of_columns": of(MATRIX)(
        lambda x: tf.transpose(tf.linalg.band_part(tf.transpose(x), 0, 0))
    ),
    "band_as_wide_as_rows": of(CUBE)(
        lambda x: tf.linalg.band_part(x, tf.minimum(tf.shape(x)[0] - 1, 3), 0)
    ),
}
