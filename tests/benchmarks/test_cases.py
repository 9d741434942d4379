"""Payloads made of golden examples, and the check of answers."""

import json

import pytest

from benchmarks.cases import all_case_names, build_cases, choose
from benchmarks.errors import BenchmarkError
from benchmarks.protocols import ROWS, TENSORS
from benchmarks.review import join_words
from service.repository.golden_examples import Golden, GoldenExample


def example(
    instance: dict[str, object], prediction: dict[str, object], signature: str = "serving_default"
) -> GoldenExample:
    return GoldenExample(signature, instance, prediction)


DENSE = Golden(
    [
        example({"image": [[0.0, 255.0]]}, {"probabilities": [0.25, 0.75]}),
        example({"image": [[7.0, 8.5]]}, {"probabilities": [0.5, 0.5]}),
    ]
)
MPG = Golden(
    [
        example({"horsepower": None, "origin": "usa"}, {"mpg": 9.0, "mpg_low": 1.0}),
        example({"horsepower": 88.0, "origin": "usa"}, {"mpg": 30.0, "mpg_low": 20.0}),
    ]
)


def test_a_case_is_there_when_its_model_is() -> None:
    cases = build_cases({"mpg": MPG}, all_case_names())
    assert [case.name for case in cases] == ["mpg-1x8", "mpg-1x32"]
    assert [case.connections for case in cases] == [8, 32]


def test_only_the_cases_asked_for() -> None:
    cases = build_cases({"clothing_dense": DENSE}, ["clothing_dense-64x2"])
    assert [(case.rows, case.connections) for case in cases] == [(64, 2)]


def test_the_body_is_rows_with_whole_numbers_and_no_names_for_a_lone_input() -> None:
    [case] = build_cases({"clothing_dense": DENSE}, ["clothing_dense-1x1"])
    assert case.payload.body() == b'{"instances":[[[0,255]]]}'


def test_the_same_rows_as_tensors() -> None:
    [case] = build_cases({"clothing_dense": DENSE}, ["clothing_dense-64x2"])
    [tensor] = json.loads(case.payload.body(TENSORS))["inputs"]
    assert tensor.pop("data")[:6] == [0, 255, 7, 8.5, 0, 255]
    assert tensor == {"name": "image", "shape": [64, 1, 2], "datatype": "FP32"}


def test_the_body_names_several_inputs_and_leaves_out_rows_with_unknown_values() -> None:
    [case] = build_cases({"mpg": MPG}, ["mpg-1x8"])
    assert json.loads(case.payload.body()) == {"instances": [{"horsepower": 88, "origin": "usa"}]}


def test_examples_are_repeated_to_fill_a_request() -> None:
    assert choose(DENSE.examples, 3) == [*DENSE.examples, DENSE.examples[0]]


def test_the_review_nearest_to_the_usual_length_is_chosen() -> None:
    texts = ["word " * count for count in (3, 240, 600)]
    examples = [example({"text": text}, {"probability": 0.5}) for text in texts]
    assert choose(examples, 1) == [examples[1]]


def test_a_long_review_is_made_of_the_words_of_short_ones() -> None:
    assert join_words(["a b", "", "c"], 5) == "a b c a b"


def test_examples_of_other_signatures_are_not_sent() -> None:
    with pytest.raises(BenchmarkError, match="default signature"):
        choose([example({"x": 1}, {"y": 1}, signature="from_encoded")], 1)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ('{"predictions": [[0.25, 0.75]]}', ""),
        ('{"predictions": [[0.25001, 0.75]]}', ""),
        ('{"predictions": [[0.35, 0.65]]}', "probabilities"),
        ('{"predictions": []}', "not 1 predictions"),
        ('{"outputs": [[0.25, 0.75]]}', "not 1 predictions"),
        ("<html>", "not 1 predictions"),
        ("[]", "not 1 predictions"),
    ],
)
def test_answers_are_compared_with_the_golden_ones(answer: str, says: str) -> None:
    [case] = build_cases({"clothing_dense": DENSE}, ["clothing_dense-1x1"])
    problems = case.payload.problems(answer.encode())
    assert bool(problems) == bool(says)
    assert all(says in problem for problem in problems)


def test_answers_with_several_outputs_are_compared_by_name() -> None:
    [case] = build_cases({"mpg": MPG}, ["mpg-1x8"])
    assert case.payload.problems(b'{"predictions": [{"mpg_low": 20.0, "mpg": 30.0}]}') == []
    assert case.payload.problems(b'{"predictions": [{"mpg_low": 20.0, "mpg": 31.0}]}')
    assert case.payload.problems(b'{"predictions": [{"mpg_low": 20.0}]}')


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        ({"name": "probabilities", "shape": [1, 2], "data": [0.25, 0.75]}, ""),
        ({"name": "probabilities", "shape": [1, 2], "data": [0.75, 0.25]}, "probabilities"),
        ({"name": "probabilities", "shape": [2, 1], "data": [0.25, 0.75]}, "not 1 predictions"),
        ({"name": "probabilities", "shape": [1, 2], "data": [0.25]}, "not 1 predictions"),
        ({"name": "other", "shape": [1, 2], "data": [0.25, 0.75]}, "not 1 predictions"),
    ],
)
def test_answers_of_tensors_are_compared_with_the_golden_ones(
    tensor: dict[str, object], says: str
) -> None:
    [case] = build_cases({"clothing_dense": DENSE}, ["clothing_dense-1x1"])
    problems = case.payload.problems(json.dumps({"outputs": [tensor]}).encode(), TENSORS)
    assert bool(problems) == bool(says)
    assert all(says in problem for problem in problems)


def test_rows_are_not_tensors() -> None:
    [case] = build_cases({"clothing_dense": DENSE}, ["clothing_dense-1x1"])
    answer = b'{"predictions": [[0.25, 0.75]]}'
    assert case.payload.problems(answer, ROWS) == []
    assert case.payload.problems(answer, TENSORS)
