"""What is done on the event loop, and what on a thread."""

import json
import threading
from typing import Any

import numpy as np
import pytest

from service.api.inference.parse_cost import LARGE_BYTES, SMALL_BYTES, ParseCost, is_large
from service.api.inference.pipeline import Prediction
from tests.savedmodels.affine import publish_affine
from tests.service.conftest import MakeApp

URL = "/v1/models/affine:predict"


def test_small_bodies_are_quick_and_large_ones_are_not_whatever_was_measured() -> None:
    cost = ParseCost()
    for seconds in (0.0, 10.0):
        for _ in range(50):
            cost.note(SMALL_BYTES + 1, seconds)
        assert cost.is_quick(SMALL_BYTES)
        assert not cost.is_quick(LARGE_BYTES + 1)


def test_what_lies_between_is_decided_by_what_was_measured() -> None:
    cost = ParseCost()
    for _ in range(20):
        cost.note(LARGE_BYTES, 0.001)
    assert cost.is_quick(LARGE_BYTES)
    for _ in range(20):
        cost.note(SMALL_BYTES + 1, 0.1)
    assert not cost.is_quick(SMALL_BYTES + 1)
    for _ in range(50):
        cost.note(LARGE_BYTES, 0.001)
    assert cost.is_quick(LARGE_BYTES)


@pytest.mark.parametrize(
    ("tensor", "large"),
    [
        (np.zeros((1, 10)), False),
        (np.zeros(0), False),
        (np.zeros((2048, 1)), False),
        (np.zeros((2049, 1)), True),
        (np.array([b"x" * 100, b""], object), False),
        (np.array([b"x" * 200_000, b""], object), True),
        (np.full(1000, b"x" * 64, object), False),
        (np.full(1100, b"x" * 64, object), True),
    ],
)
def test_large_answers(tensor: np.ndarray[Any, Any], large: bool) -> None:
    assert is_large({"y": tensor}) is large


def test_large_answers_of_several_outputs() -> None:
    half = np.zeros(1200)
    assert not is_large({"a": half})
    assert is_large({"a": half, "b": half})


def test_bodies_are_parsed_and_answers_written_where_they_belong(
    make_app: MakeApp, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path / "models")
    where: dict[str, list[str]] = {"check": [], "write_response": []}

    def watched(name: str) -> Any:
        original = getattr(Prediction, name)

        def work(*arguments: Any) -> Any:
            thread = threading.current_thread().name
            where[name].append("thread" if thread.startswith("parse") else "loop")
            return original(*arguments)

        return work

    for name in where:
        monkeypatch.setattr(Prediction, name, watched(name))
    client = make_app().test_client()
    row = {"x": [1, 2], "text": "quiet"}
    small = {"instances": [row]}
    # As many bytes as are never parsed on the loop, in one row.
    spaces = " " * LARGE_BYTES
    for body, expected in (
        (json.dumps(small), ("loop", "loop")),
        (json.dumps(small) + spaces, ("thread", "loop")),
        (json.dumps({"instances": [row] * 1500}), ("loop", "thread")),
    ):
        answer = client.post(URL, data=body, content_type="application/json")
        assert answer.status_code == 200
        assert (where["check"].pop(), where["write_response"].pop()) == expected
