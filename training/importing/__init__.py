"""Models that were trained elsewhere: from a Keras file or a SavedModel to a signature."""
