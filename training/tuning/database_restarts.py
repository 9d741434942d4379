"""Lets a tuning outlive a restart of its database."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

# So long may a database be away before that ends a process, and between two attempts: seconds.
# Shorter than what a running trial may be silent for.
PATIENCE_S = 60.0
_AGAIN_S = 0.5
# A database that is stopped again and again is not restarted.
_TRIES = 3

Answer = TypeVar("Answer")


def outlive_restarts(engine: Engine) -> None:
    """Let an engine that has connected before wait for its database, when it connects again.

    An engine whose pool tests its connections (``pool_pre_ping``) connects again when the server
    has ended them.
    """

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _record: Any, arguments: Any, options: Any) -> Any:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return dialect.connect(*arguments, **options)
            except dialect.loaded_dbapi.OperationalError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_AGAIN_S)


def patiently(act: Callable[[], Answer]) -> Answer:
    """Return what ``act`` returns; where the database ends the connection, do it again.

    Args:
        act: may be done twice.
    """
    for _ in range(_TRIES - 1):
        try:
            return act()
        except (SQLAlchemyError, StorageInternalError) as error:
            if not was_cut_off(error):
                raise
    return act()


def was_cut_off(error: BaseException) -> bool:
    """Whether a database ended the connection in the midst of something."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, DBAPIError) and seen.connection_invalidated:
            return True
        seen = seen.__cause__ or seen.__context__
    return False
