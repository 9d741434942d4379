"""How good the predictions of a version are, with confidence intervals."""
