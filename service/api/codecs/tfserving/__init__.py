"""TensorFlow Serving's REST formats: ``:predict``, ``:classify`` and ``:regress``."""
