"""Sentiment, on a slice of the real data."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.tasks.conftest import Trained, check_session, history, train
from training import tasks
from training.data import imdb
from training.data.dataset_location import Found
from training.data.dataset_types import Texts

SENTIMENT = tasks.get("sentiment")


@pytest.fixture(scope="module")
def data(found_sentiment: Found) -> Texts:
    everything = imdb.read(found_sentiment)
    rows = np.r_[0:300, 12_500:12_800]
    return dataclasses.replace(
        everything,
        train=[everything.train[row] for row in rows],
        train_labels=everything.train_labels[rows],
        test=[everything.test[row] for row in rows],
        test_labels=everything.test_labels[rows],
    )


@pytest.fixture(scope="module", params=["default", "tutorial", "dense"])
def trained(request: Any, data: Texts, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp(request.param)
    return train(SENTIMENT, data, folder, request.param, epochs=8, **{"learning-rate": 0.02})


def test_the_export_answers_the_golden_examples_in_a_session(trained: Trained) -> None:
    check_session(trained)


def test_the_graph_sees_what_the_network_learned_from(trained: Trained, data: Texts) -> None:
    held_out = trained.plan.validation
    texts = np.array([data.train[row] for row in held_out], object)
    probability = trained.predict("serving_default", {"text": texts})["probability"]
    logits = trained.plan.model.predict(trained.plan.state.features[held_out], verbose=0)[:, 0]
    ratio = np.log(probability / (1 - probability)) / logits
    assert np.allclose(ratio, ratio[0], rtol=1e-2)  # they differ by the temperature alone


def test_case_and_html_breaks_do_not_matter(trained: Trained) -> None:
    plain = trained.one(text=b"a wonderful film it is great")
    shouted = trained.one(text=b"A WONDERFUL FILM<br /><br />it is...GREAT")
    assert plain == shouted


@pytest.mark.parametrize("text", [b"", b"<br />", b"\xff\xfe\x00", "映画".encode(), b"z" * 60_000])
def test_strange_texts_get_a_sane_answer(trained: Trained, text: bytes) -> None:
    answer = trained.one(text=text)
    assert 0 < answer["probability"] < 1
    assert answer["label"] == (b"positive" if answer["probability"] >= 0.5 else b"negative")


def test_a_text_gets_the_same_answer_in_any_company(trained: Trained, data: Texts) -> None:
    texts = np.array([b"", data.test[0], b"bad", data.test[0]], object)
    answers = trained.predict("serving_default", {"text": texts})["probability"]
    assert answers[1] == answers[3] == pytest.approx(trained.one(text=data.test[0])["probability"])


def test_reading_stops_at_the_longest_text_allowed(trained: Trained) -> None:
    (field,) = trained.contract["serving_default"].inputs
    filler = b"zzz " * (field.max_length // 4)
    assert trained.one(text=filler) == trained.one(text=filler + b"awful terrible worst")


def test_the_same_seed_gives_the_same_metrics(data: Texts, tmp_path: Path) -> None:
    first, second = (history(SENTIMENT, data, tmp_path, "default") for _ in range(2))
    assert first == second
