"""What is gunicorn's: the worker, its connections and their protocols."""
