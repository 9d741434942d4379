"""The table of what is proved (docs/reference/row-independence.md), held against tested cases."""

import re
from pathlib import Path

import pytest

from tests.service.repository.row_independence import keras_cases
from tests.service.repository.row_independence.keeping_cases import KEEPING, UNPROVED
from tests.service.repository.row_independence.keras_cases import CASES
from tests.service.repository.row_independence.mixing_cases import MIXING

PROVED = {
    "dense": ["dense", "dense_series", "einsum_dense"],
    "convolutional (also dilated, grouped, separable, depthwise, transposed, 1D to 3D)": [
        *("conv1d", "conv2d", "conv3d", "conv1d_dilated", "conv2d_dilated", "conv3d_dilated"),
        *("conv2d_grouped", "separable_conv1d", "separable_conv2d"),
        *("depthwise_conv1d", "depthwise_conv2d"),
        *("conv1d_transposed", "conv2d_transposed", "conv3d_transposed"),
    ],
    "pooling (1D to 3D)": [
        *("max_pooling1d", "max_pooling2d", "max_pooling3d"),
        *("average_pooling1d", "average_pooling2d", "average_pooling3d"),
        *("global_max_pooling1d", "global_max_pooling2d", "global_max_pooling3d"),
        *("global_average_pooling1d", "global_average_pooling2d", "global_average_pooling3d"),
        *("adaptive_average_pooling", "adaptive_max_pooling"),
    ],
    "embedding": ["embedding", "embedding_masked"],
    "merging": [
        *("concatenate", "add", "subtract", "multiply", "average", "maximum", "minimum"),
        *("dot", "dot_flat"),
    ],
    "reshaping": ["flatten", "reshape", "permute", "repeat"],
    "padding": ["zero_padding1d", "zero_padding2d", "zero_padding3d"],
    "cropping": ["cropping1d", "cropping2d", "cropping3d"],
    "upsampling layers": ["upsampling1d", "upsampling2d", "upsampling3d"],
    "activations": ["activations", "relu", "prelu", "elu", "leaky_relu"],
    "dropout and noise (inference)": ["dropout", "dropout_spatial", "dropout_alpha", "noise"],
    "batch normalisation (inference)": ["batch_normalization", "batch_normalization_flat"],
    "layer": ["layer_normalization", "layer_normalization_of_pictures"],
    "group": ["group_normalization", "group_normalization_of_pictures"],
    "unit": ["unit_normalization"],
    "RMS normalisation": ["rms_normalization", "rms_normalization_of_any_length"],
    "softmax over another axis": ["softmax", "softmax_over_time"],
    "attention": ["attention_dot", "attention_dot_causal"],
    "additive attention": ["attention_additive"],
    "multi-head attention": ["attention", "attention_of_any_length", "attention_masked"],
    "grouped-query attention": ["attention_grouped", "attention_grouped_causal"],
    "with causal masks": ["attention_causal", "attention_causal_of_any_length"],
    "SimpleRNN": ["simple_rnn", "simple_rnn_of_any_length"],
    "GRU": ["gru", "gru_of_any_length", "gru_backwards"],
    "LSTM": ["lstm", "lstm_of_any_length", "lstm_with_state"],
    "ConvLSTM (1D to 3D)": ["conv_lstm1d", "conv_lstm2d", "conv_lstm3d"],
    "Bidirectional": ["bidirectional", "bidirectional_sum"],
    "with masks": ["masking", "simple_rnn_masked", "gru_masked", "lstm_masked"],
    "TimeDistributed of a fixed number of steps": ["time_distributed", "time_distributed_pictures"],
    "`tf.map_fn` over the rows": ["map", "map_two"],
    "with branches and loops within": ["map_branch", "map_loop"],
    "pictures decoded in it": ["decoded", "decoded_png"],
    "Normalization": ["normalization"],
    "Rescaling": ["rescaling"],
    "Resizing": ["resizing", "resizing_cropped"],
    "CenterCrop": ["center_crop"],
    "Discretization": ["discretization"],
    "Hashing": ["hashing", "hashing_salted", "hashing_of_numbers"],
    "StringLookup": ["string_lookup", "string_lookup_buckets", "string_lookup_inverted"],
    "IntegerLookup": ["integer_lookup"],
    "STFTSpectrogram": ["stft_spectrogram"],
    "one-hot": ["string_lookup_one_hot", "integer_lookup_one_hot", "category_encoding_one_hot"],
    "`tf.io.parse_example` with dense features of fixed shape": ["parse"],
    "lookup tables": ["table"],
    "string operations value by value": ["hash", "substr"],
    "functions": ["check_unawaited_of_each"],
    "branches by shape or by constants": ["branch_by_shape"],
    "random numbers with a fixed seed that are the same for all rows": ["fixed_noise"],
}
NOT_PROVED = {
    "batch statistics": ["batch_statistics", "fused_batch_norm"],
    "softmax": ["softmax_rows", "softmax_vector", "softmax_over_rows"],
    "sums": ["share", "total"],
    "sorts over the rows": ["sort", "sort_rows"],
    "loops that carry values from row to row": ["loop_carries", "loop_carries_a_vector"],
    "TimeDistributed of any number of steps": ["time_distributed_of_any_length"],
    "loops that go on as long as some row wants": ["loop_while_any"],
    "`tf.scan` over the rows": ["scan", "scan_rows"],
    "`tf.vectorized_map`": ["vectorized_map"],
    # In test_keras.py, as Keras' own export writes them.
    "layers that augment pictures, such as RandomFlip": [],
    "multi-hot": [
        *("string_lookup_multi_hot", "integer_lookup_multi_hot", "category_encoding_multi_hot"),
    ],
    "counting lookups": ["string_lookup_count", "category_encoding_count"],
    "MelSpectrogram": ["mel_spectrogram"],
    "sparse features": ["sparse_features"],
    "ragged features": ["ragged_features"],
    "TextVectorization": ["text_vectorization", "text_vectorization_of_one_length"],
    "`tf.strings.split`": ["words_of_each"],
    "ragged tensors": ["padded_to_longest"],
    "n-grams: padding to the longest row can really depend on neighbours": [
        "n_grams",
        "padded_n_grams",
    ],
    "random numbers": ["random", "random_rows", "seeded_rows"],
    "assigned variables and all else with side effects": ["counter", "counter_hidden"],
    # In test_state.py, of several signatures at once.
    "variables and tables that another signature changes": [],
    "assertions": ["assert_sum", "assert_each"],
    "checks and prints that look at several rows": ["check_of_sum", "print_all"],
    "operations that are not in the list": ["inverse_of_rows"],
}


def parts(column: int, root: Path) -> list[str]:
    """Return what a column of the table names, one by one."""
    text = (root / "docs" / "reference" / "row-independence.md").read_text()
    _, _, rest = text.partition("\n| proved | not proved |\n|---|---|\n")
    cells = [line.split("|")[column] for line in rest.partition("\n\n")[0].splitlines()]
    separated = (re.split(r"(?:,(?! such)|;)\s+(?![^(]*\))", cell.strip()) for cell in cells)
    return [part for cell in separated for part in cell if part]


@pytest.mark.parametrize(("column", "named"), [(1, PROVED), (2, NOT_PROVED)])
def test_all_that_the_table_names_is_tried(
    repository_root: Path, column: int, named: dict[str, list[str]]
) -> None:
    assert sorted(parts(column, repository_root)) == sorted(named)


def test_what_is_named_as_proved_must_be() -> None:
    proved = {name for name, case in CASES.items() if case.expected == keras_cases.PROVED}
    tried = [name for names in PROVED.values() for name in names]
    assert all(PROVED.values())
    assert [name for name in tried if name not in proved | KEEPING.keys()] == []


def test_what_is_named_as_not_proved_must_not_be() -> None:
    others = {name for name, case in CASES.items() if case.expected != keras_cases.PROVED}
    known = others | MIXING.keys() | UNPROVED.keys()
    assert [each for names in NOT_PROVED.values() for each in names if each not in known] == []
