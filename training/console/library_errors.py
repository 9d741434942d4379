"""Failures of other people's code that a person can fix, as sentences.

When a database disappears during a tuning, or memory or a disk is full, the libraries raise errors
of their own, from anywhere. These are recognised by the names of their classes, so that no command
imports a library only to catch its errors.
"""

_DATABASE = {
    ("sqlalchemy", "SQLAlchemyError"),
    ("sqlite3", "Error"),
    ("optuna", "StorageInternalError"),
}
# What these raise of Python's own where a database holds other tables than they expect, of another
# version of Optuna say, or where somebody has removed a study in the midst of it.
_STORAGES = ("optuna.storages", "alembic")
_OF_PYTHON = (RuntimeError, AssertionError, LookupError, ValueError)


def sentence_of(error: BaseException) -> str | None:
    """Return what happened and what to do; ``None`` for a fault of this program."""
    error = _of_optuna(error)
    reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(". ")
    if _is_one_of(error, _DATABASE):
        # What is below says what the database said; SQLAlchemy's own first line repeats it.
        return (
            f"The database of the study cannot be used: {_cause(error) or reason}. Run the "
            "same command to continue when it can be used again."
        )
    if is_of_database(error):
        return f"The database of the study is not as this version of Optuna needs it: {reason}."
    if isinstance(error, MemoryError) or _is_one_of(error, {("tensorflow", "ResourceExhausted")}):
        return f"There is not enough memory: {reason}. Smaller batches (--batch-size) need less."
    if _is_one_of(error, {("tensorflow", "OpError")}) and "No space left" in str(error):
        return f"No space left on device: {reason}."
    return None


def is_of_database(error: BaseException) -> bool:
    """Whether Optuna failed because a database does not hold what it needs."""
    if not isinstance(error, _OF_PYTHON) and type(error).__module__.partition(".")[0] != "alembic":
        return False
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith(_STORAGES):
            return True
        trace = trace.tb_next
    return False


def _of_optuna(error: BaseException) -> BaseException:
    """Return what went wrong before Optuna failed over it.

    It takes for granted what holds while its database does; where it is wrong, what the database
    said is the exception before.
    """
    while isinstance(error, AssertionError | NameError) and error.__context__ is not None:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is None or not trace.tb_frame.f_globals.get("__name__", "").startswith("optuna."):
            break
        error = error.__context__
    return error


def _is_one_of(error: BaseException, kinds: set[tuple[str, str]]) -> bool:
    return any(
        cls.__module__.partition(".")[0] == package and cls.__name__.startswith(name)
        for cls in type(error).__mro__
        for package, name in kinds
    )


def _cause(error: BaseException) -> str:
    """Return what the database said, wherever it stands among the causes; else nothing."""
    seen: BaseException | None = error
    while seen is not None:
        original = getattr(seen, "orig", None)
        if original is not None:
            return str(original).splitlines()[0].rstrip(". ")
        seen = seen.__cause__ or seen.__context__
    return ""
