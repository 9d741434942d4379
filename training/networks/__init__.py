"""The networks of tasks: how each is built, how it learns, and its form for serving.

A network is described by a frozen dataclass; its fields are its hyperparameters, which studies and
tunings replace by name.
"""
