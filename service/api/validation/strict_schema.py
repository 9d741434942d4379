"""A marshmallow schema that refuses unknown keys, in the same words in every process."""

from typing import Any

import marshmallow

# Under what marshmallow has the errors of a schema as a whole.
_SCHEMA = "_schema"


class StrictSchema(marshmallow.Schema):
    """Names unknown keys in alphabetical order."""

    class Meta:
        """Keys that are not known are mistakes, and are named."""

        unknown = marshmallow.RAISE

    def handle_error(self, error: marshmallow.ValidationError, data: Any, **_: Any) -> None:
        """Give the unknown keys of an error their order; marshmallow calls this.

        It finds them in a set, whose order differs from one process to another: so would the one
        that the error's sentence names.
        """
        messages = error.messages
        if not isinstance(messages, dict):
            return
        known = {
            name if field.data_key is None else field.data_key
            for name, field in self.fields.items()
        }
        found = dict(messages)
        unknown = iter(sorted(found.keys() - known - {_SCHEMA}))
        messages.clear()
        for name in found:
            key = name if name in known or name == _SCHEMA else next(unknown)
            messages[key] = found[key]
