"""The messages of all services, as classes.

They live in a descriptor pool of their own: protobuf refuses two files that describe the same
messages in one pool, and clients of these services bring such files.
"""

from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from service.grpc.proto_files import read_proto
from service.runtime.tensorflow_import import MESSAGE_FILES

_FOLDER = Path(__file__).with_name("protos")
_ENUMS = ("tensorflow.error.Code",)


def _add(pool: DescriptorPool, file: FileDescriptor, added: set[str]) -> None:
    """Add a file of another pool, after those that it imports."""
    if file.name not in added:
        added.add(file.name)
        for dependency in file.dependencies:
            _add(pool, dependency, added)
        description = FileDescriptorProto()
        file.CopyToProto(description)
        pool.Add(description)


def _make_pool() -> DescriptorPool:
    pool = DescriptorPool()
    added: set[str] = set()
    for file in MESSAGE_FILES:
        _add(pool, file, added)
    for path in sorted(_FOLDER.glob("*.proto")):
        pool.Add(read_proto(path.name, path.read_text(), _ENUMS))
    return pool


POOL = _make_pool()


def message_class(name: str) -> Any:
    """Return the class of a message.

    Args:
        name: its full name, such as "tensorflow.serving.PredictRequest".

    Raises:
        KeyError: no file describes it.
    """
    return GetMessageClass(POOL.FindMessageTypeByName(name))


def service_methods(name: str) -> Any:
    """Return the descriptors of a service's methods by their names.

    Args:
        name: its full name, such as "tensorflow.serving.PredictionService".

    Raises:
        KeyError: no file describes it.
    """
    return POOL.FindServiceByName(name).methods_by_name
