"""Features become the messages that TensorFlow reads."""

from typing import Any

import hypothesis
import tensorflow as tf
from hypothesis import strategies as st

from service.api.codecs.tfserving.tf_example import example, feature
from service.api.validation.problems import InvalidValueError

FEATURES = st.dictionaries(
    st.text(max_size=5),
    st.one_of(
        st.lists(st.floats(width=32, allow_infinity=False), max_size=3),
        st.lists(st.integers(-(2**63), 2**63 - 1) | st.booleans(), max_size=3),
        st.lists(st.text(max_size=5), max_size=3),
        st.floats(width=32, allow_infinity=False),
        st.integers(-(2**63), 2**63 - 1),
        st.text(max_size=5),
    ),
)


@hypothesis.given(FEATURES, FEATURES)
@hypothesis.settings(max_examples=200, deadline=None)
def test_examples_are_what_tensorflow_reads_and_writes(
    context: dict[str, Any], features: dict[str, Any]
) -> None:
    """The bytes, read by TensorFlow's own message, hold what went in; the context comes first."""
    both = b"".join(
        example({k: feature(v) for k, v in part.items()}) for part in (context, features)
    )
    message = tf.train.Example.FromString(both)
    assert message.features.feature.keys() == {**context, **features}.keys()
    for name, value in {**context, **features}.items():
        values = value if isinstance(value, list) else [value]
        found = message.features.feature[name]
        kind = found.WhichOneof("kind")
        if not values:
            assert kind is None
            continue
        told = [
            item.decode() if isinstance(item, bytes) else item
            for item in getattr(found, kind).value
        ]
        assert kind == (
            "bytes_list"
            if isinstance(values[0], str)
            else "float_list"
            if isinstance(values[0], float)
            else "int64_list"
        )
        assert len(told) == len(values)
        assert all(a == b or (a != a and b != b) for a, b in zip(told, values, strict=True))


@hypothesis.given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["b64", "a"]), inner)
        ),
        max_leaves=5,
    )
)
@hypothesis.settings(max_examples=300, deadline=None)
def test_any_value_is_a_feature_or_an_explained_error(value: Any) -> None:
    try:
        tf.train.Feature.FromString(feature(value))
    except InvalidValueError as error:
        assert str(error).startswith("Expected ")
