"""``text/csv``: a header with the names of the inputs, then one instance a row."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import Any

from service.api.codecs.media.content_types import CSV, signature_for, takes_records
from service.api.codecs.media.plain_request import PlainCodec, PlainRequest, request_of_values
from service.api.codecs.media.plain_text import decode
from service.api.validation.error_messages import count_with_noun, describe_expected_value
from service.api.validation.problems import Index, Problems, name_in_path
from service.errors import InvalidRequestError
from service.repository.contract import Field, Signature
from service.runtime.servable import Servable

# Numbers as tables have them: JSON's, and with a plus sign or nothing before or after the point.
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,9})?")
_BOOLEANS = {"true": True, "false": False}

# A row's first line and its cells.
_Row = tuple[int, list[str]]


def cell_reader(field: Field) -> Callable[[str], Any]:
    """Return a function from a cell of a table to the JSON value that it stands for.

    A cell that stands for no value stays a text, which ``to_tensor`` rejects.
    """
    if field.dtype == "string":
        return str
    if field.dtype == "bool":
        return lambda cell: _BOOLEANS.get(cell.strip().lower(), cell)
    pattern, kind = (_NUMBER, float) if field.is_float else (_WHOLE, int)

    def number(cell: str) -> Any:
        text = cell.strip()
        if pattern.fullmatch(text):
            return kind(text)
        return None if field.nullable and not text else cell

    return number


class TableCodec(PlainCodec):
    """A CSV file (RFC 4180)."""

    def parse(self, body: bytes) -> str:
        return decode(body, self.info.options.get("charset", ""))

    def read(self, text: str, servable: Servable) -> PlainRequest:
        signature = signature_for(servable.contract, self.info.signature_name, CSV, takes_records)
        rows = _rows(text)
        names = self._header(rows, signature)
        fields = [signature.input(name) for name in names]
        readers = [cell_reader(field) for field in fields]
        columns: dict[str, list[Any]] = {name: [] for name in names}
        into = [columns[name].append for name in names]
        lines: list[int] = []
        problems = Problems(self.limits.max_errors)
        for line, cells in rows:
            if len(cells) != len(names):
                expected = f"{count_with_noun(len(names))}, as many as the header has names"
                problems.add(f"line {line}", f"Expected {expected}, not {len(cells)}.")
                if problems.are_too_many:
                    break
                continue
            if len(lines) == self.limits.max_rows:
                most = self.limits.max_rows
                raise InvalidRequestError(
                    f"Expected at most {most} rows in one request, not more; divide it."
                )
            lines.append(line)
            for append, reader, cell in zip(into, readers, cells, strict=True):
                append(reader(cell))
        problems.raise_if_any()
        if not lines:
            raise InvalidRequestError("Expected at least 1 row below the header.")

        def path_of(index: Index, name: str = "") -> str:
            return f"line {lines[index[0]]}" + (f", {name}" if name else "")

        return request_of_values(signature, columns, path_of, self.limits)

    def _header(self, rows: Iterator[_Row], signature: Signature) -> list[str]:
        line, cells = next(rows, (1, []))
        names = [cell.strip() for cell in cells]
        fields = {field.name: field for field in signature.inputs}
        problems = Problems(self.limits.max_errors)
        seen: set[str] = set()
        for name in names:
            if problems.are_too_many:
                break
            if name not in fields:
                text = f"Unknown column; expected {', '.join(fields)}."
            elif name in seen:
                text = "Expected a column once, not twice."
            else:
                seen.add(name)
                continue
            problems.add(f"line {line}, {name_in_path(name)}", text)
        for name, field in fields.items():
            if name not in names and not field.may_be_absent:
                problems.add(
                    f"line {line}, {name}",
                    f"Missing column; expected {describe_expected_value(field)}.",
                )
        problems.raise_if_any()
        return names


def _rows(text: str) -> Iterator[_Row]:
    """Yield the rows that are not blank.

    Raises:
        InvalidRequestError: the quotes are not those of CSV.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidRequestError(f"line {line}: Expected CSV; {error}.") from error
