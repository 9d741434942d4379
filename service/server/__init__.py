"""What is gunicorn's: the worker, its connections, and what they speak."""
