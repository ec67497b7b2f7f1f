"""Files of master data as rows: CSV in UTF-8 or CP949, and JSON; what cannot be read at all is refused as a whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from inference.errors import ImportRefused
from integrations.masterdata.cells import unguarded
from integrations.masterdata.kinds import Kind
from integrations.masterdata.range_text import read_ranges

MOST_BYTES: Final = 5 << 20
MOST_ROWS: Final = 20_000
_ENCODINGS: Final = ("utf-8-sig", "cp949")
"""Korean Excel saves CSV as CP949; hardly any text of it is valid UTF-8 by chance, so UTF-8 is tried first."""

ACTIVE: Final = "active"
RANGES: Final = "reference_ranges"
KEPT_MEMBERS: Final = frozenset({"version", "created_at", "updated_at"})
"""Members that the API shows and the node decides: a list that was read there can be sent back."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One entry of a file.

    Parameters
    ----------
    line
        Line of the CSV file on which it begins, or its place in the JSON list, from 1.
    values
        What the file says; a member that it does not name is not there.
    faults
        Why it is no row at all.
    """

    line: int
    values: Mapping[str, Any]
    faults: tuple[str, ...] = field(default=())


def read_csv(content: bytes, kind: Kind) -> list[FileRow]:
    """Read a CSV file (RFC 4180) whose first line names the columns.

    Raises
    ------
    ImportRefused
        If it is too large, is no CSV in UTF-8 or CP949, or has columns that are unknown, missing or doubled.
    """
    _check_size(content)
    reader = csv.reader(io.StringIO(_text(content), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header, kind)
        return _counted(_rows(reader, header))
    except csv.Error as error:
        raise ImportRefused(f"line {reader.line_num}: this is no CSV ({error})") from error


def read_json(content: bytes, kind: Kind) -> list[FileRow]:
    """Read a JSON file: a list of entries, or an object whose ``items`` is one, as an export gives.

    Raises
    ------
    ImportRefused
        If it is too large or something else.
    """
    _check_size(content)
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ImportRefused("this is no JSON in UTF-8") from error
    entries = document.get("items") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        raise ImportRefused("write a list of entries, or an object whose `items` is one")
    return _counted(_entry(number, entry, kind) for number, entry in enumerate(entries, start=1))


def _check_size(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise ImportRefused(f"the file is larger than {MOST_BYTES >> 20} MiB")


def _counted(rows: Iterator[FileRow]) -> list[FileRow]:
    found: list[FileRow] = []
    for row in rows:
        if len(found) == MOST_ROWS:
            raise ImportRefused(f"the file has more than {MOST_ROWS} entries")
        found.append(row)
    return found


def _text(content: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ImportRefused("the text is neither UTF-8 nor CP949")


def _check_header(header: Sequence[str], kind: Kind) -> None:
    known = {*kind.members, ACTIVE}
    unknown = [name for name in header if name not in known]
    if unknown or len(set(header)) != len(header) or "code" not in header:
        wanted = ", ".join([*kind.members, ACTIVE])
        raise ImportRefused(f"the first line names the columns, each once, `code` among them; there are: {wanted}")


def _rows(reader: Any, header: Sequence[str]) -> Iterator[FileRow]:
    ended = reader.line_num
    for cells in reader:
        line, ended = ended + 1, reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            yield FileRow(line, {}, (f"{len(cells)} cells instead of {len(header)}",))
        else:
            yield _row(line, dict(zip(header, map(unguarded, cells), strict=True)))


def _row(line: int, values: dict[str, Any]) -> FileRow:
    if not values.get(ACTIVE, "-").strip():
        del values[ACTIVE]
    try:
        if RANGES in values:
            values[RANGES] = read_ranges(values[RANGES])
    except ValueError as error:
        return FileRow(line, values, (f"{RANGES}: {error}",))
    return FileRow(line, values)


def _entry(number: int, entry: object, kind: Kind) -> FileRow:
    if not isinstance(entry, dict):
        return FileRow(number, {}, ("an entry is an object",))
    unknown = sorted(set(entry) - {*kind.members, ACTIVE} - KEPT_MEMBERS)
    if unknown:
        return FileRow(number, entry, ("there are members that nobody knows",))
    return FileRow(number, {name: value for name, value in entry.items() if name not in KEPT_MEMBERS})
