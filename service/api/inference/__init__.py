"""A prediction from request to response, on the event loop or on one thread."""
