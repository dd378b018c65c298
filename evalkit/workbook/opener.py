"""Opening an .xlsx that a stranger sent: looked at before openpyxl unpacks it."""

import io
import re
import warnings
import zipfile
import zlib
from pathlib import Path

from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.cell_range import CellRange

from evalkit.core.problem import refusal

MAX_BYTES = 200 * 2**20  # unpacked
MAX_ENTRIES = 10_000
MAX_RATIO = 300  # unpacked to packed; looked at only above RATIO_FROM
RATIO_FROM = 20 * 2**20
MAX_SPAN = 3_000_000  # cells under merges and links, each of which openpyxl creates

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls, .et and encrypted .xlsx
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # the stream that holds the package then
_SPAN = re.compile(rb"(?:mergeCell|hyperlink)\b[^>]*?\bref\s*=\s*[\"']([A-Z]+\d+:[A-Z]+\d+)[\"']")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")


def open_twice(path: Path) -> tuple[Workbook, Workbook]:
    """The workbook with cached values and the workbook with formulas: the same if it has none.

    Raises:
        EvalkitError: missing, locked, not an .xlsx by content, encrypted, damaged, or so large
            when unpacked that it must be a bomb.
    """
    data = read_bytes(path)
    if data.startswith(OLE):
        raise refusal("file.encrypted" if ENCRYPTED in data else "file.old", file=path.name)
    formulas = look(path, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl on extensions that it drops
            values = load_workbook(io.BytesIO(data), data_only=True, keep_links=False)
            return values, load_workbook(io.BytesIO(data), keep_links=False) if formulas else values
    except Exception as error:  # openpyxl raises whatever a damaged part provokes
        raise refusal("file.damaged", file=path.name, why=type(error).__name__) from None


def read_bytes(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        EvalkitError: missing or locked.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise refusal("file.missing", file=path.name) from None
    except OSError as error:
        raise refusal("file.unreadable", file=path.name, why=error.strerror) from None


def look(path: Path, data: bytes, main: str = "xl/workbook.xml") -> bool:
    """Refuse a package that could do harm; tell whether any sheet has a formula.

    Raises:
        EvalkitError: no package with the part `main`, damaged, or a bomb.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _look(path, archive, len(data), main)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError, KeyError):
        raise refusal("file.kind", file=path.name) from None


def _look(path: Path, archive: zipfile.ZipFile, packed: int, main: str) -> bool:
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    bomb = unpacked > RATIO_FROM and unpacked > MAX_RATIO * packed
    if bomb or unpacked > MAX_BYTES or len(entries) > MAX_ENTRIES:
        raise refusal("file.size", file=path.name, mb=unpacked // 2**20, parts=len(entries))
    archive.getinfo(main)  # a KeyError if it is another kind of package
    span, formulas = 0, False
    for name in sorted(archive.namelist()):
        part = archive.read(name) if name.endswith((".xml", ".rels")) else b""
        if b"<!DOCTYPE" in part:  # no program writes one; entities could unfold without end
            raise refusal("file.doctype", file=path.name)
        if name.startswith("xl/worksheets/"):
            formulas = formulas or _FORMULA.search(part) is not None
            for found in _SPAN.finditer(part):
                area = CellRange(found[1].decode())
                span += area.size["rows"] * area.size["columns"]
    if span > MAX_SPAN:
        raise refusal("file.span", file=path.name)
    return formulas
