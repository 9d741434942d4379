"""Flask's routes: one module a group of them."""
