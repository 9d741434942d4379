"""Failures that a person can fix: each is one clear sentence, never a stack trace.

Each kind has the exit code that the command line ends with, so that a scheduler can distinguish
them.
"""


class TrainingError(Exception):
    """Something outside the program is not as it must be; the message says what and where."""

    exit_code = 1


class UsageError(TrainingError):
    """An option, a configuration file or a name given by the user is wrong."""

    exit_code = 2


class RefusedError(TrainingError):
    """A version does not pass a gate, and is not published."""

    exit_code = 3


class NoNewDataError(TrainingError):
    """There is nothing to learn that a published version has not learned."""

    exit_code = 4


class BusyError(TrainingError):
    """Another process does the same; it may be tried again later."""

    exit_code = 5


class NotReproducedError(TrainingError):
    """A training that was repeated came to other figures."""

    exit_code = 6


class UnansweredError(TrainingError):
    """A version's graph refuses what it is asked."""


class DivergedError(TrainingError):
    """The loss of a training is not a number any more."""
