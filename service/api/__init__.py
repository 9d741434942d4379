"""What speaks: requests to tensors, tensors to responses, and the routes between."""
