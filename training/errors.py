"""Failures that a person can mend: each is one clear sentence, never a stack trace."""


class TrainingError(Exception):
    """Something outside the program is not as it must be; the message says what and where."""


class UsageError(TrainingError):
    """An option, a configuration file or a name given by the user is wrong."""
