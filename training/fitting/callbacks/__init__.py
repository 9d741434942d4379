"""Keras callbacks that run between batches and epochs."""
