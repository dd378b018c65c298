"""Opening an .xlsx that a stranger sent: looked at before openpyxl unpacks it."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from pathlib import Path

import msoffcrypto
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.cell_range import CellRange

from evalkit.core.problem import EvalkitError
from evalkit.workbook.sentences import sentence

MAX_BYTES = 200 * 2**20  # unpacked
MAX_ENTRIES = 10_000
MAX_RATIO = 300  # unpacked to packed; looked at only above RATIO_FROM
RATIO_FROM = 20 * 2**20
MAX_SPAN = 3_000_000  # cells under merges and links, each of which openpyxl creates

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls, .et and encrypted .xlsx
_SPAN = re.compile(rb"(?:mergeCell|hyperlink)\b[^>]*?\bref\s*=\s*[\"']([A-Z]+\d+:[A-Z]+\d+)[\"']")


def open_twice(path: Path) -> tuple[Workbook, Workbook]:
    """The workbook with cached values and the workbook with formulas.

    Raises:
        EvalkitError: missing, locked, not an .xlsx by content, encrypted, damaged, or so large
            when unpacked that it must be a bomb.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _refusal(path, "file.missing") from None
    except OSError as error:
        raise _refusal(path, "file.unreadable", why=error.strerror) from None
    if data.startswith(_OLE):
        raise _refusal(path, "file.encrypted" if _encrypted(data) else "file.old")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _look(path, archive, len(data))
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError):
        raise _refusal(path, "file.kind") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl on extensions that it drops
            return (
                load_workbook(io.BytesIO(data), data_only=True, keep_links=False),
                load_workbook(io.BytesIO(data), data_only=False, keep_links=False),
            )
    except Exception as error:  # openpyxl raises whatever a damaged part provokes
        raise _refusal(path, "file.damaged", why=type(error).__name__) from None


def _look(path: Path, archive: zipfile.ZipFile, packed: int) -> None:
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if (
        len(entries) > MAX_ENTRIES
        or unpacked > MAX_BYTES
        or (unpacked > RATIO_FROM and unpacked > MAX_RATIO * packed)
    ):
        raise _refusal(path, "file.size", mb=unpacked // 2**20, parts=len(entries))
    names = {entry.filename for entry in entries}
    if "xl/workbook.xml" not in names:
        raise _refusal(path, "file.kind")
    span = 0
    for name in names:
        if name.endswith((".xml", ".rels")):
            part = archive.read(name)
            if b"<!DOCTYPE" in part:  # no program writes one; entities could unfold without end
                raise _refusal(path, "file.doctype")
            if name.startswith("xl/worksheets/"):
                for found in _SPAN.finditer(part):
                    area = CellRange(found[1].decode())
                    span += area.size["rows"] * area.size["columns"]
    if span > MAX_SPAN:
        raise _refusal(path, "file.span")


def _encrypted(data: bytes) -> bool:
    try:
        return bool(msoffcrypto.OfficeFile(io.BytesIO(data)).is_encrypted())
    except Exception:  # an OLE file that is no Office document
        return False


def _refusal(path: Path, code: str, **facts: object) -> EvalkitError:
    return EvalkitError([sentence(code, **facts).model_copy(update={"file": path.name})])
