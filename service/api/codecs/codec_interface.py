"""What every wire format implements, and what it makes of a request."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from service.api.http.responses import Response
from service.api.validation.problems import Index
from service.repository.contract import Signature
from service.repository.golden_examples import Tensors
from service.runtime.servable import Servable


class CheckedRequest(Protocol):
    """A checked request.

    Attributes:
        signature: the signature that is called.
        inputs: an array for each of its inputs, of its dtype and shape.
        instances: how many predictions the request is for.
    """

    @property
    def signature(self) -> Signature: ...
    @property
    def inputs(self) -> Tensors: ...
    @property
    def instances(self) -> int: ...
    def path_of(self, name: str, index: Index) -> str:
        """Return the path by which the client knows the value of an input at an index."""

    def path_of_row(self, row: int) -> str:
        """Return the path by which the client knows a row of all inputs."""


Document = TypeVar("Document")
Request = TypeVar("Request", bound=CheckedRequest)


class Codec(Protocol[Document, Request]):
    """A wire format: parses a body, reads a request for a model, writes its response.

    Each step raises ``InvalidRequestError`` where the client made a mistake, or another
    ``ServiceError`` where HTTP has a status of its own for it.

    Attributes:
        refuses_nonfinite: whether ``write`` refuses NaN and infinity, which JSON does not have;
            other formats carry them to the client.
    """

    @property
    def refuses_nonfinite(self) -> bool: ...
    def parse(self, body: bytes) -> Document:
        """Return the body's content, independent of the model."""

    def read(self, document: Document, servable: Servable) -> Request:
        """Return the request, checked against the contract of ``servable``."""

    def write(self, request: Request, outputs: Tensors, servable: Servable) -> Response:
        """Return the response that holds ``outputs``."""


class CodecSelector(Protocol):
    """The codecs of one route of predictions."""

    def select(self, environ: Mapping[str, Any], body: bytes) -> tuple[Codec[Any, Any], bytes]:
        """Return the codec of a request, and its body in that wire format.

        Args:
            environ: its line and headers, as WSGI names them.
            body: its body, unpacked.

        Raises:
            ServiceError: 415, the route has no codec for its content type.
        """
