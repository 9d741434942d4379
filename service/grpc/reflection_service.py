"""gRPC's server reflection, with which tools list and call services without their files."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

from service.grpc.call import Call
from service.grpc.messages import POOL, message_class

# The same service under the name that older tools ask for.
REFLECTION_SERVICES = tuple(
    f"grpc.reflection.{version}.ServerReflection" for version in ("v1", "v1alpha")
)
_NOT_FOUND = 5
_INVALID = 3
_UNIMPLEMENTED = 12


class ReflectionService:
    """One version of the service."""

    def __init__(self, name: str, services: Sequence[str]) -> None:
        """The service of a worker.

        Args:
            name: its full name.
            services: the full names of all services.
        """
        package = name.rpartition(".")[0]
        self._request = message_class(f"{package}.ServerReflectionRequest")
        self._response = message_class(f"{package}.ServerReflectionResponse")
        self._services = services

    async def server_reflection_info(
        self, requests: AsyncIterator[bytes], call: Call
    ) -> AsyncGenerator[bytes]:
        """Answer questions about the services, one by one."""
        async for data in requests:
            yield self._answer(data).SerializeToString()

    def _answer(self, data: bytes) -> Any:
        response = self._response()
        try:
            request = self._request.FromString(data)
        except DecodeError:
            return self._refused(response, _INVALID, "The request cannot be parsed.")
        response.original_request.CopyFrom(request)
        response.valid_host = request.host
        asked = request.WhichOneof("message_request")
        if asked == "list_services":
            for name in self._services:
                response.list_services_response.service.add(name=name)
            return response
        try:
            if asked == "file_by_filename":
                file = POOL.FindFileByName(request.file_by_filename)
            elif asked == "file_containing_symbol":
                file = POOL.FindFileContainingSymbol(request.file_containing_symbol)
            else:
                return self._refused(response, _UNIMPLEMENTED, "There are no extensions here.")
        except KeyError:
            return self._refused(response, _NOT_FOUND, "There is no such file or symbol.")
        files: dict[str, bytes] = {}
        _collect(file, files)
        response.file_descriptor_response.file_descriptor_proto.extend(files.values())
        return response

    @staticmethod
    def _refused(response: Any, code: int, message: str) -> Any:
        response.error_response.error_code = code
        response.error_response.error_message = message
        return response


def _collect(file: Any, files: dict[str, bytes]) -> None:
    """Add a file and all that it imports, itself first."""
    if file.name not in files:
        description = FileDescriptorProto()
        file.CopyToProto(description)
        files[file.name] = description.SerializeToString()
        for dependency in file.dependencies:
            _collect(dependency, files)
