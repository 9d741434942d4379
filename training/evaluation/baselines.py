"""The errors of well-known models on the examples and folds that a network is measured by."""

import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from threadpoolctl import threadpool_limits

from training.array_types import Floats

# From features [n, F] and targets [n] to a function of further features.
Learn = Callable[[Floats, Floats], Callable[[Floats], Floats]]


def median(_features: Floats, target: Floats) -> Callable[[Floats], Floats]:
    """Learn the median of all, whatever the features."""
    middle = np.median(target)
    return lambda unseen: np.full(len(unseen), middle)


def linear_regression(features: Floats, target: Floats) -> Callable[[Floats], Floats]:
    """Learn by least squares."""

    def design(x: Floats) -> Floats:
        return np.concatenate([np.ones((len(x), 1)), x], axis=1)

    solution = np.linalg.lstsq(design(features), target)[0]
    return lambda unseen: np.asarray(design(unseen) @ solution)


def random_forest(features: Floats, target: Floats) -> Callable[[Floats], Floats]:
    """Learn a random forest (Breiman 2001), as scikit-learn has it, of 100 trees."""
    forest = RandomForestRegressor(random_state=0).fit(features, target)
    return lambda unseen: np.asarray(forest.predict(unseen))


def gaussian_process(features: Floats, target: Floats) -> Callable[[Floats], Floats]:
    """Learn a Gaussian process with one length scale and noise, by maximum likelihood.

    A length scale for each feature does worse on data as small as ours (docs/experiments.md).
    """
    kernel = ConstantKernel() * RBF(3.0) + WhiteKernel(0.1)
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    process.fit(features, target)
    return lambda unseen: np.asarray(process.predict(unseen))


def mean_errors(
    models: Mapping[str, Learn],
    features: Floats,
    logarithms: Floats,
    held_out: npt.NDArray[np.bool_],
) -> dict[str, float]:
    """Return each model's mean absolute error by repeated cross-validation.

    Args:
        models: by name.
        features: standardised, [N, F].
        logarithms: of the numbers to predict, [N]; the models learn these, the errors
            are those of the numbers.
        held_out: the rows of each fold, [folds, N].
    """
    x, actual = features.astype(np.float64), np.exp(logarithms)

    def error(learn: Learn, fold: npt.NDArray[np.bool_]) -> float:
        predict = learn(x[~fold], logarithms[~fold])
        return float(np.abs(np.exp(predict(x[fold])) - actual[fold]).sum())

    # A thread for each fold, and one for each matrix: these are too small to be shared, and their
    # figures would depend on the number of threads. Their warnings concern nobody who trains, and
    # scikit-learn warns of itself where two threads set the filters of warnings, which they share.
    with (
        warnings.catch_warnings(record=True),
        threadpool_limits(1),
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        errors = {
            name: sum(pool.map(partial(error, learn), held_out)) for name, learn in models.items()
        }
    return {name: total / int(held_out.sum()) for name, total in errors.items()}
