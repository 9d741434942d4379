"""What a training and a tuning import."""

import h5py  # noqa: F401
import keras  # noqa: F401
import matplotlib.figure  # noqa: F401
import optuna  # noqa: F401
import sklearn.ensemble  # noqa: F401
import tensorflow  # noqa: F401
