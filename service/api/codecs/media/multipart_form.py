"""``multipart/form-data``: a file or a text an instance, or one instance's values by name.

Forms are not parsed by ``werkzeug.sansio.multipart`` because it parses a part's head of any length
(0.3 s a megabyte), rejects names of files that are not UTF-8, copies every file twice, and takes a
delimiter between single line feeds, as a file of another form may hold it, for one of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from werkzeug.http import parse_options_header

from service.api.codecs.media.content_types import (
    FORM,
    signature_for,
    takes_files,
    takes_records,
    takes_texts,
)
from service.api.codecs.media.csv_table import cell_reader
from service.api.codecs.media.plain_request import (
    BodyPath,
    PlainCodec,
    PlainRequest,
    request_of_files,
    request_of_values,
)
from service.api.codecs.media.plain_text import decode
from service.api.http.request_body import is_json_request
from service.api.validation.error_messages import describe_expected_value
from service.api.validation.problems import LONGEST_NAME, Index, Problems, name_in_path
from service.errors import InvalidRequestError
from service.repository.contract import Signature
from service.runtime.servable import Servable

_MOST_PARTS = 1000
# What a browser sends for a part is some hundred bytes.
_MOST_HEAD_BYTES = 4096
_LONGEST_BOUNDARY = 70  # RFC 2046, 5.1.1


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form.

    Attributes:
        name: of the form's field.
        filename: of the file; ``None`` when the part is not a file.
        charset: of its text, as its content type says; empty when it does not.
        body: its content.
    """

    name: str
    filename: str | None
    charset: str
    body: bytes


def parts_of(body: bytes, boundary: str) -> list[Part]:
    """Return the parts of a form (RFC 7578, RFC 2046).

    Raises:
        InvalidRequestError: it is not a form, or has too many parts or too long heads.
    """
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY or not boundary.isascii():
        raise InvalidRequestError(
            f"Expected a boundary of 1 to {_LONGEST_BOUNDARY} characters in the Content-Type of a "
            "form."
        )
    # What precedes the first delimiter has no meaning; the last is followed by two dashes.
    delimiter = f"\r\n--{boundary}".encode()
    _, *sections = (b"\r\n" + body).split(delimiter, _MOST_PARTS + 1)
    parts = []
    for i, section in enumerate(sections):
        if section.startswith(b"--"):
            break
        if i == _MOST_PARTS:
            raise InvalidRequestError(f"Expected at most {_MOST_PARTS} parts in a form, not more.")
        parts.append(_part(section, i))
    else:
        raise InvalidRequestError("The form is not whole: its closing delimiter is missing.")
    if not parts:
        raise InvalidRequestError("Expected at least 1 part in a form, not 0.")
    return parts


def _part(section: bytes, number: int) -> Part:
    # A delimiter may be followed by blanks (RFC 2046, transport padding).
    padding, _, section = section.partition(b"\r\n")
    head, end, body = (b"\r\n" + section).partition(b"\r\n\r\n")
    if padding.strip(b" \t") or not end:
        raise InvalidRequestError(f"Part {number} of the form is malformed: its head has no end.")
    if len(head) > _MOST_HEAD_BYTES:
        raise InvalidRequestError(
            f"Part {number} of the form: Expected a head of at most {_MOST_HEAD_BYTES} bytes, "
            f"not {len(head)}."
        )
    headers = {}
    for line in head.decode(errors="replace").split("\r\n"):
        key, _, value = line.partition(":")
        headers[key.strip().lower()] = value.strip()
    kind, options = parse_options_header(headers.get("content-disposition"))
    if kind.lower() != "form-data" or "name" not in options:
        raise InvalidRequestError(
            f"Part {number} of the form: Expected a Content-Disposition of form-data with a name."
        )
    if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        raise InvalidRequestError(
            f"Part {number} of the form: Expected no Content-Transfer-Encoding (RFC 7578, 4.7)."
        )
    _, typed = parse_options_header(headers.get("content-type"))
    return Part(options["name"], options.get("filename"), typed.get("charset", ""), body)


class FormCodec(PlainCodec):
    """A form, as browsers and ``curl -F`` send it."""

    def parse(self, body: bytes) -> list[Part]:
        return parts_of(body, self.info.options.get("boundary", ""))

    def read(self, parts: Sequence[Part], servable: Servable) -> PlainRequest:
        kinds = [takes_texts, takes_records, takes_files]
        if any(part.filename is not None for part in parts):
            kinds = [takes_files, takes_texts, takes_records]
        signature = signature_for(servable.contract, self.info.signature_name, FORM, *kinds)
        if takes_files(signature):
            files = [part.body for part in parts]
            return request_of_files(signature, files, _path_of(parts), self.limits)
        if takes_texts(signature):
            path_of = _path_of(parts)
            name = signature.inputs[0].name
            texts = [_text(part, path_of((i,))) for i, part in enumerate(parts)]
            return request_of_values(signature, {name: texts}, path_of, self.limits)
        return self._record(signature, parts)

    def _record(self, signature: Signature, parts: Sequence[Part]) -> PlainRequest:
        fields = {field.name: field for field in signature.inputs}
        columns = {}
        problems = Problems(self.limits.max_errors)
        for part in parts:
            if part.name not in fields:
                text = f"Unknown field; signature {signature.name!r} takes {', '.join(fields)}."
            elif part.name in columns:
                text = "Expected one value, not two."
            else:
                reader = cell_reader(fields[part.name])
                columns[part.name] = [
                    reader(decode(part.body, part.charset, part.name) if part.body else "")
                ]
                continue
            problems.add(name_in_path(part.name), text)
        for name, field in fields.items():
            if name not in columns and not field.may_be_absent:
                problems.add(name, f"Missing; expected {describe_expected_value(field)}.")
        problems.raise_if_any()
        return request_of_values(signature, columns, lambda index, name="": name, self.limits)


def _text(part: Part, path: str) -> str:
    text = decode(part.body, part.charset, path)
    if is_json_request(text.encode()):
        raise InvalidRequestError(
            f"{path}: Expected a text, not a request in JSON; send that as the whole body."
        )
    return text


def _path_of(parts: Sequence[Part]) -> BodyPath:
    def path_of(index: Index, name: str = "") -> str:
        filename = parts[index[0]].filename
        called = f" ({filename[:LONGEST_NAME]!r})" if filename else ""
        return f"files[{index[0]}]{called}"

    return path_of
