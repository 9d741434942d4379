"""Networks that tasks are made of: how each is built, how it learns, and what of it serves.

A network is described by a frozen dataclass; its fields are its hyperparameters, which studies and
tunings replace by name.
"""
