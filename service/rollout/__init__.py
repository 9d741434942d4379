"""A new version on trial: evidence, shadow answers, and the controller that decides on them."""
