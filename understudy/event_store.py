"""Where commands find the events that services have stored: ``--store``, or the setting."""

import os
from pathlib import Path

import click

from service.events.event_store import EventStore
from understudy.help import Option
from understudy.options import Decorator

_VARIABLE = "UNDERSTUDY_EVENTS"


def store(panel: str = "Options") -> Decorator:
    """Take ``--store``."""
    return click.option(
        "--store", cls=Option, metavar="STORE", shown=_VARIABLE, help="file or URL", panel=panel
    )


def location_of(given: str | None) -> str:
    """Return where the store is: what was given, or what the service's setting says.

    Raises:
        click.UsageError: neither says so.
    """
    location = given or os.environ.get(_VARIABLE)
    if not location:
        raise click.UsageError(f"Which store? Give --store, or set {_VARIABLE}.")
    return location


def open_store(location: str) -> EventStore:
    """Return the store at a place: a file that is there, or the URL of a database.

    Raises:
        click.UsageError: it names a file that is not there.
        StoreError: it names nothing that can be a store.
    """
    from service.events.event_store_location import open_database

    if "://" not in location and not Path(location).exists():
        raise click.UsageError(f"{location} is not there.")
    return EventStore(open_database(location))
