"""One training run: its settings, its folder, the loop, checkpoints and initial weights."""
