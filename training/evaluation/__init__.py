"""How good the predictions of a version are, and how sure that is."""
