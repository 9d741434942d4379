"""What a training and a tuning import."""

import gc

import h5py  # noqa: F401
import keras  # noqa: F401
import matplotlib.figure  # noqa: F401
import optuna  # noqa: F401
import sklearn.ensemble  # noqa: F401
import tensorflow  # noqa: F401

# Collections in forks have nothing to look at here, and write to no page that is shared.
gc.collect()
gc.freeze()
