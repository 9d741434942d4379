"""The error of a benchmark whose message is printed for a person."""


class BenchmarkError(Exception):
    """Something that was to be measured cannot be; the message says why."""
