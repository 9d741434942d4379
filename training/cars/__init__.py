"""Cars: what a network sees of one, and what may be asked of it."""
