"""The errors of the event store; their messages are sentences for people."""


class StoreError(Exception):
    """The event store cannot be used now: a full disk, a lock, a server that is gone."""


class RecordError(StoreError):
    """The event store works, and refuses what it was given."""
