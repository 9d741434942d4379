"""Values of requests, held to the contract of a model."""
