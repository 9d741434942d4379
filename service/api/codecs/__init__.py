"""Wire formats: what travels over HTTP, and the tensors that it stands for."""
