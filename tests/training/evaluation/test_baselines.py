"""Well-known models on the folds of a cross-validation, in threads."""

import warnings
from collections.abc import Callable

import numpy as np

from training.array_types import Floats
from training.evaluation.baselines import mean_errors, median


def warns(features: Floats, target: Floats) -> Callable[[Floats], Floats]:
    """Learn the median, and warn as scikit-learn does while another thread sets the filters."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.warn("It is used in a wrong way.", UserWarning, stacklevel=1)
        return median(features, target)


def test_warnings_of_the_models_are_not_shown() -> None:
    features, numbers = np.zeros((20, 2)), np.arange(1.0, 21.0)
    held_out = np.arange(20) % 5 == np.arange(5)[:, None]
    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True) as shown:
        errors = mean_errors({"one": warns, "other": median}, features, np.log(numbers), held_out)
    assert shown == []
    assert warnings.filters == filters
    assert errors["one"] == errors["other"] > 0
