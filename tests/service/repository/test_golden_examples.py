from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from service.repository.contract import Field, Signature
from service.repository.errors import RepositoryError
from service.repository.golden_examples import (
    GOLDEN,
    Golden,
    GoldenExample,
    agree,
    batch_of,
    examples_by_signature,
    mismatches,
    read_golden,
    row_to_json,
    write_golden,
)

SIGNATURE = Signature(
    "s",
    (
        Field(name="x", dtype="float32", shape=(None, 2), nullable=True),
        Field(name="t", dtype="string", shape=(None,)),
    ),
    (),
)
EXAMPLE = GoldenExample("s", {"x": [1, None], "t": "é"}, {"y": [1.0, 2.0], "label": "a"}, "why")
BYTES = GoldenExample("s", {"x": [3, 4], "t": {"b64": "/w=="}}, {"y": [3.0, 4.0], "label": "b"})


def test_json_and_back(tmp_path: Path) -> None:
    golden = Golden([EXAMPLE, BYTES], absolute=0.5, relative=0.25)
    write_golden(tmp_path, golden)
    assert read_golden(tmp_path) == golden


def test_what_is_true_may_be_known(tmp_path: Path) -> None:
    golden = Golden([replace(EXAMPLE, truth={"label": "b"})])
    write_golden(tmp_path, golden)
    assert read_golden(tmp_path) == golden
    text = (tmp_path / GOLDEN).read_text().replace('"truth": {', '"truth": [], "other": {')
    (tmp_path / GOLDEN).write_text(text)
    with pytest.raises(RepositoryError, match="truth, where it is there, must be an object"):
        read_golden(tmp_path)


def test_none_when_there_is_no_file(tmp_path: Path) -> None:
    assert read_golden(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 2}', '{"format":1,"tolerance":{},"examples":[]}']
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / GOLDEN).parent.mkdir()
    (tmp_path / GOLDEN).write_text(text)
    with pytest.raises(RepositoryError, match=r"golden\.json"):
        read_golden(tmp_path)


def test_batch_of_examples() -> None:
    batch = batch_of(SIGNATURE, [EXAMPLE, BYTES])
    np.testing.assert_array_equal(batch["x"], np.array([[1, np.nan], [3, 4]], np.float32))
    assert batch["x"].dtype == np.float32
    assert batch["t"].tolist() == ["é".encode(), b"\xff"]


def test_an_example_that_does_not_fit_is_named() -> None:
    with pytest.raises(RepositoryError, match="no valid 't'"):
        batch_of(SIGNATURE, [GoldenExample("s", {"x": [1, 2]}, {})])
    with pytest.raises(RepositoryError, match="calls signature 'other'"):
        examples_by_signature(Golden([GoldenExample("other", {}, {})]), {"s": SIGNATURE})


def test_mismatches_within_tolerance_and_beyond() -> None:
    golden = Golden([EXAMPLE], absolute=0.01, relative=0.0)
    near = {"y": np.array([[1.009, 2.0]]), "label": np.array([b"a"], object)}
    assert mismatches(golden, [EXAMPLE], near) == []
    for outputs, name in (
        ({**near, "y": np.array([[1.02, 2.0]])}, "y"),
        ({**near, "y": np.array([[1.0, np.nan]])}, "y"),
        ({**near, "y": np.array([[1.0, 2.0, 3.0]])}, "y"),
        ({**near, "label": np.array([b"b"], object)}, "label"),
        ({"y": near["y"]}, "label"),
    ):
        (problem,) = mismatches(golden, [EXAMPLE], outputs)
        assert f"(why) answers {name} = " in problem


def test_a_row_as_json() -> None:
    outputs = {"y": np.array([[1.5], [2.5]], np.float32), "label": np.array([b"a", b"b"], object)}
    assert row_to_json(outputs, 1) == {"y": [2.5], "label": "b"}


def test_an_answer_that_is_no_text() -> None:
    outputs = {"thumbnail": np.array([b"\xff"], object)}
    prediction = row_to_json(outputs, 0)
    assert prediction == {"thumbnail": {"b64": "/w=="}}
    example = GoldenExample("s", {}, prediction)
    assert mismatches(Golden([example]), [example], outputs) == []
    (problem,) = mismatches(
        Golden([example]), [example], {"thumbnail": np.array([b"\xfe"], object)}
    )
    assert "answers thumbnail = b'\\xfe'" in problem


def test_nuls_belong_to_strings(tmp_path: Path) -> None:
    texts = [b"a\0", b"\0", b"\0b\0\0", b"\xff\0"]
    outputs = {"s": np.array([[text, b"\0"] for text in texts], dtype=np.object_)}
    fields = (Field(name="s", dtype="string", shape=(None, 2)),)
    examples = [
        GoldenExample("s", row_to_json(outputs, row), row_to_json(outputs, row), f"row {row}")
        for row in range(len(texts))
    ]
    write_golden(tmp_path, Golden(examples))
    golden = read_golden(tmp_path)
    assert golden is not None
    batch = batch_of(Signature("s", fields, fields), golden.examples)
    assert batch["s"].tolist() == outputs["s"].tolist()
    assert mismatches(golden, golden.examples, outputs) == []
    cut = {"s": np.array([[text.rstrip(b"\0"), b""] for text in texts], dtype=np.object_)}
    assert len(mismatches(golden, golden.examples, cut)) == len(texts)


def test_an_input_with_a_default_may_be_left_out() -> None:
    x = Field(name="x", dtype="float32", shape=(None,))
    scale = Field(name="scale", dtype="float32", shape=(None,), default=np.array([2], np.float32))
    examples = [GoldenExample("s", {"x": 1.0}, {}), GoldenExample("s", {"x": 3.0}, {})]
    batch = batch_of(Signature("s", (x, scale), ()), examples)
    assert batch["scale"].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("want", "got", "expected"),
    [
        ([[1.0, 2], [3, 4]], [[1.0005, 2], [3, 4.001]], True),
        ([[1.0, 2], [3, 4]], [[1.0, 2], [3, 5]], False),
        ([[1.0, 2], [3, 4]], [[1.0, 2, 3, 4]], False),
        ([[1.0, 2], [3, 4]], [1.0, 2], False),
        ([[1.0], [2.0, 3.0]], [[1.0], [2.0, 3.0001]], True),
        ([[1.0], [2.0, 3.0]], [[1.0], [2.0, 4.0]], False),
        ([1.0, "a"], [1.0, b"a"], True),
        ([1.0, "a"], [1.0, b"b"], False),
        ([True, False], [True, False], True),
        ([True, False], [True, True], False),
        ([1, 2], [float("nan"), 2], False),
        ([], [], True),
        ([[], []], [[], []], True),
        ([2**63, 1], [2**63, 1], True),
    ],
)
def test_lists_agree_as_their_values_do(want: Any, got: Any, expected: bool) -> None:
    assert agree(want, got, Golden([])) is expected


def test_large_answers_are_compared_at_once() -> None:
    """One by one a picture's values took seconds, in each worker that loaded the version."""
    picture = np.random.default_rng(0).random((2, 200, 200, 3))
    examples = [GoldenExample("s", {}, row_to_json({"y": picture}, row)) for row in range(2)]
    with mock.patch.object(np, "isclose", wraps=np.isclose) as isclose:
        assert mismatches(Golden(examples), examples, {"y": picture}) == []
    assert isclose.call_count == len(examples)
