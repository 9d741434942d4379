"""The one error of this package; its message is a sentence for a person."""


class RepositoryError(Exception):
    """Something on disk is not what a version of a model must be.

    The message names the file or field, what was expected, and what was found.
    """
