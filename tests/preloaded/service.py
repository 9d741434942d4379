"""What a service imports."""

import gc
import importlib
import os

from service.runtime import memory

# As services import it, without Keras.
memory.import_tensorflow()

import gunicorn.app.wsgiapp  # noqa: E402, F401

# What prometheus_client counts in follows from whether it is there when it is imported; where, it
# asks whenever a value is made.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.devnull
importlib.import_module("service.asgi")

# Collections in forks have nothing to look at here, and write to no page that is shared.
gc.collect()
gc.freeze()
