"""The one error of a benchmark that a person is told about in a sentence."""


class BenchmarkError(Exception):
    """Something that was to be measured cannot be; the message says why."""
