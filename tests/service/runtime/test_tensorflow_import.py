"""What the service reads of TensorFlow's private names is there."""

from service.runtime.tensorflow_import import (
    CallableOptions,
    RewriterConfig,
    RunOptions,
    SavedModelLoader,
    is_known_operation,
    is_stateful_operation,
    tf,
)


def test_private_names_are_there() -> None:
    assert callable(tf.compat.v1.Session._make_callable_from_options)
    assert callable(SavedModelLoader.get_meta_graph_def_from_tags)
    assert callable(SavedModelLoader.load)
    assert "feed" in CallableOptions.DESCRIPTOR.fields_by_name
    assert "inter_op_thread_pool" in RunOptions.DESCRIPTOR.fields_by_name
    assert "auto_mixed_precision_onednn_bfloat16" in RewriterConfig.DESCRIPTOR.fields_by_name


def test_operations_are_known_by_name() -> None:
    assert is_known_operation("AddV2")
    assert is_stateful_operation("AddV2") is False
    assert is_stateful_operation("RandomUniform") is True
    assert not is_known_operation("NoSuchOperation")
    assert is_stateful_operation("NoSuchOperation") is None
