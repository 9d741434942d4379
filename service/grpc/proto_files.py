"""Reads ``.proto`` files, as far as those beside it need: one declaration a line.

So they are the only source, and no code is generated from them. What protoc knows besides (options,
extensions, proto2) is not read.
"""

import re
from collections.abc import Container, Iterator
from pathlib import PurePosixPath

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

_SCALARS = {
    kind: getattr(FieldDescriptorProto, f"TYPE_{kind.upper()}")
    for kind in ("bool", "bytes", "double", "float", "int32", "int64", "string", "uint32", "uint64")
}
_IMPORT = re.compile(r'import "([^"]+)";')
_PACKAGE = re.compile(r"package ([\w.]+);")
_BLOCK = re.compile(r"(message|enum|oneof|service) (\w+) \{\}?")
_FIELD = re.compile(r"(repeated )?([\w.]+) (\w+) = (\d+);")
_MAP = re.compile(r"map<(\w+), ([\w.]+)> (\w+) = (\d+);")
_VALUE = re.compile(r"(\w+) = (\d+);")
_CALL = re.compile(r"rpc (\w+)\((stream )?(\w+)\) returns \((stream )?(\w+)\);")


def read_proto(name: str, text: str, enums: Container[str]) -> FileDescriptorProto:
    """Return the description of a file.

    Args:
        name: the name under which others would import it.
        text: its content.
        enums: the full names of enums of other files; other names of types are messages.

    Raises:
        ValueError: a line is not one that can be read here.
    """
    return _Reader(name, enums).read(text)


class _Reader:
    def __init__(self, name: str, enums: Container[str]) -> None:
        self._file = FileDescriptorProto(name=str(PurePosixPath(name)), syntax="proto3")
        self._enums = enums
        self._own_enums: set[str] = set()

    def read(self, text: str) -> FileDescriptorProto:
        bare = (line.partition("//")[0].strip() for line in text.splitlines())
        lines = iter([line for line in bare if line and line != 'syntax = "proto3";'])
        for line in lines:
            if found := _IMPORT.fullmatch(line):
                self._file.dependency.append(found[1])
            elif found := _PACKAGE.fullmatch(line):
                self._file.package = found[1]
            elif (found := _BLOCK.fullmatch(line)) and found[1] != "oneof":
                self._read_block(found, lines)
            else:
                raise ValueError(f"{self._file.name}: cannot read {line!r}.")
        return self._file

    def _read_block(self, found: re.Match[str], lines: Iterator[str]) -> None:
        kind, name = found[1], found[2]
        if kind == "service":
            self._read_service(name, lines)
        elif kind == "enum":
            self._own_enums.add(name)
            self._read_enum(self._file.enum_type.add(name=name), lines)
        elif found[0].endswith("{}"):
            self._file.message_type.add(name=name)
        else:
            self._read_message(self._file.message_type.add(name=name), name, lines)

    def _read_message(self, message: DescriptorProto, path: str, lines: Iterator[str]) -> None:
        oneof: int | None = None
        for line in lines:
            if line == "}":
                if oneof is None:
                    return
                oneof = None
            elif (found := _BLOCK.fullmatch(line)) and found[1] == "message":
                inner = message.nested_type.add(name=found[2])
                self._read_message(inner, f"{path}.{found[2]}", lines)
            elif found and found[1] == "enum":
                self._own_enums.add(found[2])
                self._read_enum(message.enum_type.add(name=found[2]), lines)
            elif found and found[1] == "oneof":
                oneof = len(message.oneof_decl)
                message.oneof_decl.add(name=found[2])
            elif found := _MAP.fullmatch(line):
                self._add_map(message, path, *found.groups())
            elif found := _FIELD.fullmatch(line):
                field = self._add_field(message, found[2], found[3], int(found[4]))
                if found[1]:
                    field.label = FieldDescriptorProto.LABEL_REPEATED
                if oneof is not None:
                    field.oneof_index = oneof
            else:
                raise ValueError(f"{self._file.name}: cannot read {line!r} in {path}.")

    def _add_map(
        self, message: DescriptorProto, path: str, key: str, value: str, name: str, number: str
    ) -> None:
        """Add a map, which is a repeated message of a key and a value."""
        entry = f"{''.join(part.capitalize() for part in name.split('_'))}Entry"
        inner = message.nested_type.add(name=entry)
        inner.options.map_entry = True
        self._add_field(inner, key, "key", 1)
        self._add_field(inner, value, "value", 2)
        field = self._add_field(message, f"{self._file.package}.{path}.{entry}", name, int(number))
        field.label = FieldDescriptorProto.LABEL_REPEATED

    def _add_field(
        self, message: DescriptorProto, kind: str, name: str, number: int
    ) -> FieldDescriptorProto:
        field = message.field.add(name=name, number=number)
        field.label = FieldDescriptorProto.LABEL_OPTIONAL
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
            return field
        is_enum = kind in self._enums or kind in self._own_enums
        field.type = (
            FieldDescriptorProto.TYPE_ENUM if is_enum else FieldDescriptorProto.TYPE_MESSAGE
        )
        # A full name begins with a point; the pool finds others from the inside outwards.
        field.type_name = f".{kind}" if "." in kind else kind
        return field

    def _read_enum(self, enum: EnumDescriptorProto, lines: Iterator[str]) -> None:
        for line in lines:
            if line == "}":
                return
            found = _VALUE.fullmatch(line)
            if not found:
                raise ValueError(f"{self._file.name}: cannot read {line!r} in {enum.name}.")
            enum.value.add(name=found[1], number=int(found[2]))

    def _read_service(self, name: str, lines: Iterator[str]) -> None:
        service = self._file.service.add(name=name)
        for line in lines:
            if line == "}":
                return
            found = _CALL.fullmatch(line)
            if not found:
                raise ValueError(f"{self._file.name}: cannot read {line!r} in {name}.")
            call = service.method.add(
                name=found[1],
                input_type=f".{self._file.package}.{found[3]}",
                output_type=f".{self._file.package}.{found[5]}",
            )
            # Unset where a call has no stream, as protoc leaves them.
            if found[2]:
                call.client_streaming = True
            if found[4]:
                call.server_streaming = True
