"""A picture, or another file of a type that the contract names: one instance."""

from service.api.codecs.media.content_types import canonical, signature_for, takes_files
from service.api.codecs.media.plain_request import (
    PlainCodec,
    PlainRequest,
    request_of_files,
    whole_body_path,
)
from service.errors import InvalidRequestError
from service.repository.contract import Signature
from service.runtime.servable import Servable


class FileCodec(PlainCodec):
    """A file."""

    def parse(self, body: bytes) -> bytes:
        return body

    def read(self, file: bytes, servable: Servable) -> PlainRequest:
        signature = signature_for(
            servable.contract, self.info.signature_name, self.info.content_type, self._is_taken
        )
        if not file:
            raise InvalidRequestError("Expected a file, not an empty body.")
        return request_of_files(signature, [file], whole_body_path, self.limits)

    def _is_taken(self, signature: Signature) -> bool:
        content_type = canonical(self.info.content_type)
        return takes_files(signature) and content_type in signature.inputs[0].content_types
