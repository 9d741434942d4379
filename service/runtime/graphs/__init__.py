"""What a SavedModel's graph does, read from its operations before it runs."""
