"""The messages, beside those that TensorFlow Serving and Triton publish.

``published_fields.json`` was written from the descriptors of tensorflow-serving-api 2.21 (2.19 for
the configuration of models) and tritonclient 2.73: of each field its number, type, whether it is
repeated, its message, its oneof.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from service.grpc import messages
from service.grpc.proto_files import read_proto

PUBLISHED = json.loads(Path(__file__).with_name("published_fields.json").read_text())


def described(name: str, published: Any) -> Any:
    """Return what the file has, in the form of the published."""
    if isinstance(published, list):
        service, _, method = name.rpartition(".")
        call = messages.service_methods(service)[method]
        return [
            call.input_type.full_name,
            call.output_type.full_name,
            call.client_streaming,
            call.server_streaming,
        ]
    if published and all(isinstance(number, int) for number in published.values()):
        values = messages.POOL.FindEnumTypeByName(name).values
        return {value.name: value.number for value in values}
    return {
        field.name: [
            field.number,
            field.type,
            field.is_repeated,
            kind.full_name if (kind := field.message_type or field.enum_type) else None,
            field.containing_oneof.name if field.containing_oneof else None,
        ]
        for field in messages.POOL.FindMessageTypeByName(name).fields
    }


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items(), ids=PUBLISHED)
def test_fields_are_the_published_ones(name: str, published: Any) -> None:
    ours = described(name, published)
    if isinstance(published, list):
        assert ours == published
    else:
        # What the service does not use, it need not know.
        assert ours.items() <= published.items()


@pytest.mark.parametrize(
    "line", ["import public x;", "message A {\noptional x;\n}", "enum A {\n?\n}"]
)
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        read_proto("x.proto", line, ())
