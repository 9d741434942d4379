"""How a path names a model, one of its versions, or a label."""

from flask import Flask, request
from werkzeug.routing import BaseConverter

from service.errors import NotFoundError

# A version's number, without leading zeros; no version has one beyond 64 bits.
VERSION = "0|[1-9][0-9]{0,39}"


class ModelNameConverter(BaseConverter):
    """A model's name in a path: anything up to the next slash or colon."""

    regex = "[^/:]+"


class VersionConverter(BaseConverter):
    """A version's number in a path."""

    regex = VERSION

    def to_python(self, value: str) -> int:
        """Return the number."""
        return int(value)


def configure_urls(app: Flask) -> None:
    """Register the converters of paths; a path with additional slashes is not found."""
    app.url_map.converters |= {"model": ModelNameConverter, "version": VersionConverter}
    app.url_map.merge_slashes = False

    @app.before_request
    def refuse_slashes() -> None:
        # Werkzeug reads any number of slashes at the start as one.
        if request.environ.get("PATH_INFO", "").startswith("//"):
            raise NotFoundError("Expected a path that begins with one slash.")


MODEL = "/v1/models/<model:model>"
# A path to a model, to one of its versions, and to the version with a label.
SERVABLE_PATHS = (
    MODEL,
    f"{MODEL}/versions/<version:version>",
    f"{MODEL}/labels/<model:label>",
)
