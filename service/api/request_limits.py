"""What the service allows every request, whatever its route and wire format."""

from dataclasses import dataclass, fields

from service.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of requests; the settings of the same names.

    Attributes:
        max_rows: the most instances of a request.
        max_errors: the most problems of one request that are listed.
        max_body_bytes: the most bytes of a body, packed or not.
        max_image_pixels: the most pixels of a picture.
        max_queue: the most predictions of a model that are under way in a worker.
        timeout_s: the seconds in which a prediction must be answered.
        workers: the processes that each hold a copy of a model.
    """

    max_rows: int
    max_errors: int
    max_body_bytes: int
    max_image_pixels: int
    max_queue: int
    timeout_s: float
    workers: int

    @classmethod
    def from_settings(cls, settings: Settings) -> "Limits":
        """Return the limits that settings say."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})
