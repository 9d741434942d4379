"""Miles to the gallon, on the whole data."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from service.repository.model_card import read_card
from tests.training.tasks.conftest import Trained, check_session, train
from training import tasks
from training.data import auto_mpg
from training.data.dataset_location import Found
from training.data.dataset_types import Table
from training.evaluation import baselines
from training.tasks import mpg

MPG = tasks.get("mpg")
CAR = {
    "cylinders": 4,
    "displacement": 140,
    "horsepower": 90,
    "weight": 2264,
    "acceleration": 15.5,
    "model_year": 71,
    "origin": "usa",
}


@pytest.fixture(scope="module")
def data(found_mpg: Found) -> Table:
    return auto_mpg.read(found_mpg)


@pytest.fixture(scope="module", params=["default", "tutorial"])
def trained(request: Any, data: Table, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp(request.param)
    return train(MPG, data, folder, request.param, epochs=5, **{"learning-rate": 0.01})


def test_the_export_answers_the_golden_examples_in_a_session(trained: Trained) -> None:
    check_session(trained)


def test_it_is_better_than_the_median_and_its_intervals_hold(trained: Trained) -> None:
    card = read_card(trained.run.export)
    assert card is not None
    mae = card.evaluation["cross_validation"]["mae"]
    assert mae < 3.5
    assert 0.85 < card.evaluation["interval"]["coverage"] < 0.95
    assert card.evaluation["headline"]["low"] < mae < card.evaluation["headline"]["high"]


def test_rivals_learn_from_the_same_folds(
    trained: Trained, data: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    forest = RandomForestRegressor
    monkeypatch.setattr(
        baselines,
        "RandomForestRegressor",
        lambda **options: forest(**options | {"n_estimators": 2}),
    )
    monkeypatch.setattr(
        mpg, "_RIVALS", {k: v for k, v in mpg._RIVALS.items() if k != "Gaussian process"}
    )
    compared = MPG.baselines(data, trained.plan)
    assert "50 folds (10 x 5)" in compared["how"]
    models = compared["models"]
    # By scikit-learn's and this project's records of this data.
    assert models["median of all cars"] == pytest.approx(6.54, abs=0.02)
    assert models["linear regression"] == pytest.approx(2.07, abs=0.02)
    assert 1.9 < models["random forest"] < 2.5
    monkeypatch.setattr(mpg, "_MOST_FOR_RIVALS", 397)
    assert MPG.baselines(data, trained.plan) == {}


def test_a_car_of_1982_goes_further_than_one_of_1970(trained: Trained) -> None:
    old, new = (trained.one(**CAR | {"model_year": year}) for year in (70, 82))
    assert old["mpg_low"] < old["mpg"] < old["mpg_high"]
    assert old["mpg"] < new["mpg"]


def test_unknown_horsepower_is_estimated(trained: Trained) -> None:
    unknown = trained.one(**CAR | {"horsepower": np.nan})
    assert np.isfinite(unknown["mpg"])
    assert unknown["mpg"] == pytest.approx(trained.one(**CAR)["mpg"], rel=0.2)


def test_every_real_car_fits_the_contract(trained: Trained, data: Table) -> None:
    for field in trained.contract["serving_default"].inputs:
        if field.name == "origin":
            assert set(data.origin) == set(field.choices)
            continue
        known = data.numbers[field.name][~np.isnan(data.numbers[field.name])]
        assert field.nullable == (len(known) < len(data.mpg))
        assert field.minimum is not None
        assert field.maximum is not None
        assert field.minimum <= known.min()
        assert known.max() <= field.maximum
