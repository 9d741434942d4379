"""The command ``understudy``: one command line over the service and the training."""
