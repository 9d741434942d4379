"""A prediction from its bytes to its answer, on the event loop or on one thread."""
