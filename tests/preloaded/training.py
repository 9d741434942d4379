"""What a training and a tuning import."""

import gc
import importlib

gc.disable()
for _name in ("h5py", "keras", "matplotlib.figure", "optuna", "sklearn.ensemble", "tensorflow"):
    importlib.import_module(_name)

# Collections in forks have nothing to look at here, and write to no page that is shared.
gc.collect()
gc.freeze()
gc.enable()
