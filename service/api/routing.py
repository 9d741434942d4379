"""How a path names a model, one of its versions, or a label."""

from werkzeug.routing import BaseConverter, ValidationError


class ModelNameConverter(BaseConverter):
    """A model's name in a path: anything up to the next slash or colon."""

    regex = "[^/:]+"


class VersionConverter(BaseConverter):
    """A version's number in a path: a decimal of 64 bits."""

    regex = "[0-9]+"

    def to_python(self, value: str) -> int:
        """Return the number."""
        if len(value) > 18:
            raise ValidationError
        return int(value)


MODEL = "/v1/models/<model:model>"
# A path to a model, to one of its versions, and to whatever version bears a label.
SERVABLE_PATHS = (
    MODEL,
    f"{MODEL}/versions/<version:version>",
    f"{MODEL}/labels/<model:label>",
)
