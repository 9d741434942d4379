"""What the process imports that a fleet's trainings are forks of; it imports this module alone."""

import importlib

from training.console.native_stderr import silent_stderr

# TensorFlow announces its optimisations on the terminal, in the midst of the fleet's own lines.
with silent_stderr():
    importlib.import_module("training.workflows.retrain")
