"""Any file that a unit sends as a form, as pages of cells with their merges and number formats."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, product
from pathlib import Path
from typing import Any

import xlrd  # type: ignore[import-untyped]
from docx import Document
from docx.oxml.ns import qn
from lxml import etree, html  # type: ignore[import-untyped]

from evalkit.core.problem import EvalkitError, refusal
from evalkit.workbook.names import clean
from evalkit.workbook.opener import ENCRYPTED, OLE, look, open_twice, read_bytes
from evalkit.workbook.reader import Cell, Page, sheet_page

MAX_COLUMNS = 256
MAX_BYTES = 50 * 2**20  # of an .xls or a web page, which are not packed

_BOOKS = "Workbook".encode("utf-16-le"), "Book".encode("utf-16-le")
_SCANS = re.compile(rb"%PDF|\x89PNG|\xff\xd8\xff|GIF8|BM|II\*\x00|MM\x00\*")
_KINDS = dict.fromkeys((".zip", ".rar", ".7z"), "packed")
_KINDS |= {".doc": "word", ".wps": "word", ".ofd": "scan"}
_HTML = re.compile(rb"<(?:!doctype html|html|table|body|meta|head|div)[\s>]", re.IGNORECASE)
_WINGDINGS = {"F0FC", "F0FE", "F050", "F052"}  # the ticks among them
_LINE = "\ue001"  # a new line, as no text has it


def read_pages(path: Path) -> list[Page]:
    """The visible sheets, or the tables of a file.

    Tables of a web page, of Word and of a CSV are called 表1, 表2, …; text around them has the
    place 表外文字.

    Raises:
        EvalkitError: unreadable, encrypted, damaged, a scan, or no file of tables at all.
    """
    data = read_bytes(path)
    try:
        pages = [*_pages(path, data, data[:4096].lstrip(b"\xef\xbb\xbf \r\n\t"))]
    except EvalkitError:
        raise
    except Exception as error:  # the libraries raise whatever a damaged part provokes
        locked = "encrypted" in str(error)  # an .xls with a password
        code = "file.encrypted" if locked else "file.damaged"
        raise refusal(code, file=path.name, why=type(error).__name__) from None
    if not any(page.cells for page in pages):
        scan = data.startswith(b"PK") and b"media/" in data
        raise refusal("filed.scan" if scan else "filed.empty", file=path.name)
    return pages


def _pages(path: Path, data: bytes, start: bytes) -> Iterable[Page]:
    packed, old, named = start.startswith(b"PK"), start.startswith(OLE), path.suffix.lower()
    if packed and b"xl/workbook.xml" in data:
        values, formulas = open_twice(path)
        shown = [sheet for sheet in values.worksheets if sheet.sheet_state == "visible"]
        return [sheet_page(sheet.title, sheet, formulas[sheet.title]) for sheet in shown]
    if packed and b"word/document.xml" in data:
        look(path, data, "word/document.xml")
        return _word(Document(io.BytesIO(data)).element.body)
    if not start or len(data) > MAX_BYTES:
        raise refusal("filed.large" if start else "filed.empty", file=path.name)
    book = named not in _KINDS and any(name in data for name in _BOOKS)
    if old and book and ENCRYPTED not in data:
        return _old(data)
    if _HTML.search(start) and not old:
        parser = html.HTMLParser(encoding="utf-8")
        return _web(html.fromstring(_text(data).encode(), parser=parser))
    if named == ".csv" and b"\x00" not in data:
        rows = csv.reader(io.StringIO(_text(data)))
        return [_laid(1, [[(text, 1, 1) for text in row] for row in rows])]
    code = "word" if old or start.startswith(b"{\\rtf") else _KINDS.get(named, "kind")
    code = "scan" if _SCANS.match(start) else code
    raise refusal("file.encrypted" if ENCRYPTED in data else f"filed.{code}", file=path.name)


def _text(data: bytes) -> str:
    """What a web page or a list says, whatever encoding it claims."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def _merge(page: Page, left: int, top: int, right: int, bottom: int) -> None:
    area, spots = (
        (left, top, right, bottom),
        product(range(top, bottom + 1), range(left, right + 1)),
    )
    page.merged.update((spot, area) for spot in spots if (left, top) != (right, bottom))


def _put(page: Page, row: int, column: int, text: str) -> None:
    if text := clean(text)[0]:
        page.cells[row, column] = Cell(text, "s", text=text)


def _old(data: bytes) -> Iterator[Page]:
    """The sheets of an .xls or .et, with cells as openpyxl gives them."""
    book = xlrd.open_workbook(
        file_contents=data, logfile=io.StringIO(), formatting_info=True, ragged_rows=True
    )
    shown = [book.format_map[style.format_key].format_str for style in book.xf_list]
    for sheet in (sheet for sheet in book.sheets() if not sheet.visibility):
        page = Page(sheet.name)
        for top, bottom, left, right in sheet.merged_cells:
            _merge(page, left + 1, top + 1, right, bottom)
        rows = enumerate(map(sheet.row, range(sheet.nrows)), 1)
        for at, old in (((row, c), old) for row, olds in rows for c, old in enumerate(olds, 1)):
            value, kind = old.value, "n"
            if old.ctype == xlrd.XL_CELL_ERROR:
                value, kind = xlrd.error_text_from_code.get(value, "#N/A"), "e"
            elif old.ctype == xlrd.XL_CELL_DATE:
                value = xlrd.xldate_as_datetime(value, book.datemode)
            elif old.ctype == xlrd.XL_CELL_BOOLEAN:
                value = bool(value)
            elif isinstance(value, float) and value.is_integer():
                value = int(value)
            covered = page.area(*at)[:2] != at[::-1]  # what a merge left behind is not seen
            if (text := clean(str(value))[0]) and not covered:
                page.cells[at] = Cell(value, kind, shown[old.xf_index], text=text)
        yield page


def _word(body: Any) -> list[Page]:
    """The tables of a .docx, each with the paragraphs before it; the last with those after it."""
    gone = map(qn, ("w:moveFrom", "w:sdtPr", "w:sdtEndPr"))
    etree.strip_elements(body, "{*}Fallback", *gone, with_tail=False)
    etree.strip_tags(body, qn("w:sdt"), qn("w:sdtContent"))
    pages, around = list[Page](), list[str]()
    for block in body.iterchildren(qn("w:p"), qn("w:tbl")):
        if block.tag == qn("w:p"):
            around.append(_said(block))
            continue
        page, below = Page(f"表{len(pages) + 1}"), dict[int, list[int]]()  # areas by column
        pages.append(page)
        for row, line in enumerate(block.tr_lst, 1):
            for cell in line.tc_lst:
                left, span = cell.grid_offset + 1, cell.grid_span
                area = below.get(left, [0] * 4)
                if cell.vMerge != "continue" or area[2:] != [left + span - 1, row - 1]:
                    area = below[left] = [left, row, left + span - 1, row]
                    _put(page, row, left, "\n".join(map(_said, cell.iterchildren(qn("w:p")))))
                area[3] = row
                _merge(page, *area)
        _surround(page, around)
        around = []
    if pages:
        _surround(pages[-1], around)
    return pages


def _said(paragraph: Any) -> str:
    """The text of a paragraph, with what was inserted and without what was deleted."""
    text = ""
    for node in paragraph.iter(*map(qn, ("w:t", "w:br", "w:tab", "w:sym"))):
        if node.tag == qn("w:sym"):
            text += "√" if node.get(qn("w:char")) in _WINGDINGS else "□"
        else:
            text += str(node)
    return text


def _surround(page: Page, lines: Iterable[str]) -> None:
    """Text around a table stands in rows from 0 up."""
    for line in lines:
        _put(page, min([1, *(row for row, _ in page.cells)]) - 1, 1, line)


def _web(root: Any) -> list[Page]:
    """The tables of a web page, the first with the text around them."""
    etree.strip_elements(root, "script", "style", etree.Comment, with_tail=False)
    for node in root.iter("br", "p", "div", "li"):
        node.tail = f"{_LINE}{node.tail or ''}"
    pages = list[Page]()
    for table in [table for table in root.iter("table") if table.find(".//table") is None]:
        rows = [
            [(_plain(cell), *_spans(cell)) for cell in row.iter("td", "th")]
            for row in table.iter("tr")
        ]
        pages.append(_laid(len(pages) + 1, rows))
        table.clear(keep_tail=True)
    for page in pages[:1]:
        _surround(page, _plain(root).split("\n"))
    return pages


def _spans(cell: Any) -> tuple[int, int]:
    """How many columns and rows a cell covers."""
    found = (re.match(r"\s*(\d{1,5})", cell.get(name, "")) for name in ("colspan", "rowspan"))
    wide, high = (max(int(span[1]), 1) if span else 1 for span in found)
    return wide, high


def _plain(node: Any) -> str:
    """Text as a browser shows it."""
    lines = node.text_content().split(_LINE)
    return "\n".join(re.sub(r"[ \t\r\n\xa0]+", " ", line).strip(" ") for line in lines).strip("\n")


def _laid(number: int, rows: Sequence[Sequence[tuple[str, int, int]]]) -> Page:
    """Cells (text, columns, rows) set as a browser sets them: round those that reach down."""
    page = Page(f"表{number}")
    for row, texts in enumerate(rows, 1):
        free = (column for column in count(1) if (row, column) not in page.merged)
        for text, wide, high in texts:
            left = next(free)
            if left > MAX_COLUMNS:
                break
            _put(page, row, left, text)
            right, bottom = min(left + wide - 1, MAX_COLUMNS), min(row + high - 1, len(rows))
            _merge(page, left, row, right, bottom)
    return page
