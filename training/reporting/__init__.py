"""The report of a training, with its plots and the worst mistakes."""
