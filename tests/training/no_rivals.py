"""Spares a process that imports this first the rivals of mpg, which take half of a small training."""

from training import tasks
from training.tasks.task_interface import Task

type(tasks.get("mpg")).baselines = Task.baselines
