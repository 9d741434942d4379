"""The study of drift in short: real cars, answered by the committed model."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.drift import Served, load_standard
from benchmarks.drift_streams import MINIMUM_EFFECT, follow, reference_of, undisturbed
from benchmarks.models import latest_version
from service.monitoring.drift.evidence_blocks import AVERAGE_RUN_LENGTH
from service.repository.model_card import read_card
from service.settings.settings import Settings
from training import tasks
from training.data.dataset_location import find_dataset
from training.publishing.saved_model_export import open_saved_model

STREAMS = 40


@pytest.fixture(scope="module")
def served(repository_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    if find_dataset(tasks.get("mpg").data_set, None) is None:
        pytest.skip("the Auto MPG data is not on this machine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        data = load_standard("mpg")
    folder = latest_version(repository_root / "saved_models", "mpg")
    card = read_card(folder)
    assert card is not None
    return Served(open_saved_model(folder), card.contract["serving_default"], data)


def test_newer_cars_are_noticed_and_undisturbed_ones_raise_no_alarm(served: Served) -> None:
    data = served.data
    years = data.numbers["model_year"]
    every = served.answered({**data.numbers, "origin": data.origin.astype(object)})
    old = every.at(np.flatnonzero(years <= 75))
    outcomes = undisturbed(served.signature, old, reference_rows=len(old) // 2, streams=STREAMS)
    assert [outcome for outcome in outcomes if outcome.rows is not None] == []
    assert max(outcome.evidence for outcome in outcomes) < AVERAGE_RUN_LENGTH / 1_000

    new = every.at(np.flatnonzero(years >= 80))
    outcome = follow(reference_of(served.signature, old), new)
    assert outcome.rows == len(new)
    assert outcome.strangest == "inputs.model_year"


def test_streams_are_compared_as_the_service_does() -> None:
    assert Settings().drift_minimum_effect == MINIMUM_EFFECT
