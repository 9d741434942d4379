"""Understudy's HTTP service: serves what is in ``saved_models/`` and swaps it while it serves."""

__version__ = "0.1.0"
