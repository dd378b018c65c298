"""Tables, figures and photo pages, put where the template has ``{{ block('name') }}``.

They are built as XML after rendering: their cost grows linearly, and text in them is never
evaluated. Captions are SEQ fields with a bookmark, so Word can renumber and refer to them.
"""

import copy
import hashlib
import io
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from docx.document import Document as WordDocument
from docx.image.exceptions import UnrecognizedImageError
from docx.oxml.ns import qn
from docx.oxml.shape import CT_Inline
from docx.shared import Emu

from evalkit.core.problem import refusal
from evalkit.ooxml.bind import numbered, runs, unbound
from evalkit.ooxml.oxml import EMU_PER_DXA, GAP, Element, bookmark, clean, el, field, paragraph, run

Align = Literal["left", "center", "right"]

LABEL = "_Ref_"  # before a block's name: bookmark of its label, hidden in Word's dialogs
_CELL_DXA = 136  # left and right cell margins together
_CHARACTER_DXA = 210  # width of a Chinese character at 10.5 pt
_ROOM_DXA = 120
_GROUP_LINES = 22  # what is surely less than a landscape page: a longer group is opened anew
_SHORT_ROW_LINES = 11  # rows up to this height may not break across pages
_SMALL_TABLE_LINES = 14  # tables up to this height stay on one page
_PICTURE_LIMIT_DXA = 8200  # height left on a page beside a caption


@dataclass(frozen=True)
class Column:
    """One column; `width` is relative to the others."""

    title: str
    width: float
    align: Align = "left"


@dataclass(frozen=True)
class Table:
    """A table with caption above, unit line, repeated header and note below.

    Equal values in the first `merge` columns form level cells. They are merged within a group of
    the last of these columns, and the group is kept on one page: so each page begins with its
    level names, whatever fonts or margins a firm chooses. `total` sets the last row in bold.
    Without `keys` rows are known by the text of their first cell.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    unit: str = ""
    note: str = ""
    merge: int = 0
    total: bool = False
    keys: Sequence[str] = ()  # what a row is known by when the table is made again


@dataclass(frozen=True)
class Figure:
    """A picture with caption below. `width` is its share of the text width."""

    caption: str
    path: Path
    alt: str = ""
    width: float = 0.92


@dataclass(frozen=True)
class Photo:
    """One photo of a photo page; without a readable file the place stays visibly open."""

    caption: str
    path: Path | None


@dataclass(frozen=True)
class PhotoGrid:
    """Photos two a row, each with its numbered caption."""

    photos: Sequence[Photo]


Block = Table | Figure | PhotoGrid


@dataclass(frozen=True)
class Page:
    """What a block must know of the document it goes into; `width` is the text width in dxa."""

    document: WordDocument
    ids: Mapping[str, str]
    width: int

    def style(self, name: str) -> str:
        """Style id for a style name, whatever its case (Word renames ids, never names).

        Raises:
            EvalkitError: the template has no such style.
        """
        if name.lower() not in self.ids:
            raise refusal("template.style", name=name)
        return self.ids[name.lower()]


def page_of(document: WordDocument, section: Element | None = None) -> Page:
    """A page description of the section with these properties, or of a document's last one."""
    section = document.element.body.sectPr if section is None else section
    ids = {style.name.lower(): style.style_id for style in document.styles if style.name}
    edges = section.left_margin + section.right_margin
    return Page(document, ids, Emu(section.page_width - edges).twips)


def build(name: str, block: Block, page: Page) -> list[Element]:
    """The body elements of a block; `name` makes its bookmark (ASCII, at most 36 characters)."""
    if isinstance(block, Table):
        return list(_table(name, block, page))
    if isinstance(block, Figure):
        size = round(page.width * block.width), _PICTURE_LIMIT_DXA
        image = picture(block.path, block.alt or block.caption, page, *size, name)
        shown = paragraph(page.style("图片"), image, keep_next=True)
        return [shown, caption(name, "图", block.caption, page.style("Caption"))]
    return [_photo_grid(block, page)]


def row_keys(table: Table) -> list[str]:
    """What the rows are known by, repeated keys numbered."""
    seen, keys = numbered(), map(unbound, table.keys or [row[0] for row in table.rows])
    return [f"{key}.{next(seen[key])}" for key in keys]


def caption(name: str, label: str, text: str, style: str, *, keep_next: bool = False) -> Element:
    """A caption paragraph: bookmarked label and SEQ number, then the text."""
    number = field(f"SEQ {label} \\* ARABIC", [run("0")])
    marked = bookmark(f"{LABEL}{name}", run(label), *number) if name else [run(label), *number]
    return paragraph(style, *marked, run(f"　{text}"), keep_next=keep_next)


# --- tables ---------------------------------------------------------------------------------


def _table(name: str, table: Table, page: Page) -> Iterator[Element]:
    yield caption(name, "表", table.caption, page.style("Caption"), keep_next=True)
    if table.unit:
        yield paragraph(page.style("表格单位"), f"单位：{table.unit}", keep_next=True)
    share = page.width / sum(column.width for column in table.columns)
    widths = [round(column.width * share) for column in table.columns]
    titles = (paragraph(page.style("表格标题"), column.title) for column in table.columns)
    head = el("tr", el("trPr", el("cantSplit"), el("tblHeader")), *map(cell, widths, titles))
    yield frame(widths, [head, *_rows(table, widths, page)], page)
    yield paragraph(page.style("表格附注"), f"注：{table.note}") if table.note else gap(page)


def gap(page: Page) -> Element:
    """The small distance after a table."""
    return paragraph(page.style("表格间隔"))


def frame(widths: list[int], rows: list[Element], page: Page, *, grid: bool = True) -> Element:
    """A fixed-layout table element of the report's table style."""
    style = page.style("报告表格") if grid else page.style("Normal Table")
    properties = el("tblPr", el("tblStyle", val=style), el("tblW", w=sum(widths), type="dxa"),
                    el("jc", val="center"), el("tblLayout", type="fixed"),
                    el("tblLook", val="0020", firstRow=1, lastRow=0, firstColumn=0, lastColumn=0,
                       noHBand=1, noVBand=1))  # fmt: skip
    return el("tbl", properties, el("tblGrid", *(el("gridCol", w=w) for w in widths)), *rows)


def _rows(table: Table, widths: Sequence[int], page: Page) -> Iterator[Element]:
    style, heights = page.style("表格文字"), [max(map(_height, row, widths)) for row in table.rows]
    starts = _group_starts(table, heights)

    @cache
    def shape(width: int, align: str, keep: bool, merged: str) -> Element:
        content = paragraph(style, keep_next=keep, align="" if align == "left" else align)
        return cell(width, content, looks=[el("vMerge", val=merged)] if merged else ())

    # A row keeps with the next one of its group, so that groups and small tables stay whole.
    small = sum(heights) <= _SMALL_TABLE_LINES
    for number, row in enumerate(table.rows):
        bold = table.total and number == len(table.rows) - 1
        last = table.total and number + 2 == len(table.rows)  # a total never stands alone
        grouped = small or last or (table.merge > 0 and number + 1 not in starts)
        keep = grouped and number + 1 < len(table.rows)
        level = "restart" if number in starts else "continue"
        cells: list[Element] = []
        for text, width, column in zip(row, widths, table.columns, strict=True):
            merged = level if len(cells) < table.merge else ""
            cells.append(copy.deepcopy(shape(width, column.align, keep, merged)))
            if merged != "continue":
                cells[-1][-1].extend(runs(text, bold=bold))
        short = heights[number] <= _SHORT_ROW_LINES
        yield el("tr", el("trPr", el("cantSplit")) if short else None, *cells)


def cell(width: int, *content: Element, looks: Sequence[Element] = ()) -> Element:
    """A cell of a table, its content in the middle."""
    size, middle = el("tcW", w=width, type="dxa"), el("vAlign", val="center")
    return el("tc", el("tcPr", size, *looks, middle), *content)


def _group_starts(table: Table, heights: Sequence[int]) -> set[int]:
    """Rows where level cells begin: a new group, or one too high for the rest of a page."""
    starts, height = set(), 0
    for number, (row, lines) in enumerate(zip(table.rows, heights, strict=True)):
        same = number and row[: table.merge] == table.rows[number - 1][: table.merge]
        if not same or height + lines > _GROUP_LINES:
            starts.add(number)
            height = 0
        height += lines
    return starts


def _height(text: str, width: int) -> int:
    """Estimated lines of a text in a cell."""
    lines = (display_width(line) * _CHARACTER_DXA / 2 for line in text.split("\n"))
    return sum(max(1, math.ceil(line / (width - _CELL_DXA))) for line in lines)


@lru_cache(4096)
def display_width(text: str) -> int:
    """Width in half characters: Chinese counts two.

    >>> display_width("得分93")
    6
    """
    return sum(2 if unicodedata.east_asian_width(ch) in "WFA" else 1 for ch in unbound(text))


def fitted(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Column widths (dxa) by content: short columns stay on one line, long ones share the rest.

    >>> fitted([["项目", "金额", "说明"], ["人工", "561.40", "按工资上限确认" * 9]], 8000)
    [676, 886, 6438]
    """
    for mark in ("\n", "（"):  # where it must be, a heading breaks before its unit in brackets
        need = [max(room(part) for text in column for part in re.split(f"(?={mark})", text))
                for column in zip(*rows, strict=True)]  # fmt: skip
        if sum(need) <= width:
            return [each * width // sum(need) for each in need]
    left, open_columns = width, len(need)
    for wanted in sorted(need):
        if wanted * open_columns > left:
            break
        left, open_columns = left - wanted, open_columns - 1
    return [min(each, left // max(1, open_columns)) for each in need]


def room(text: str) -> int:
    """Width (dxa) of a cell that holds a text on one line, whatever font is at hand."""
    return display_width(text) * _CHARACTER_DXA // 2 + _CELL_DXA + _ROOM_DXA


# --- pictures -------------------------------------------------------------------------------


def picture(
    source: Path | io.BytesIO, alt: str, page: Page, width: int, height: int, name: str = "picture"
) -> Element:
    """A run with an inline picture, as large as fits into `width` × `height` (dxa).

    The drawing is named after `name` and its digest, so that an untouched one can be renewed.
    """
    part, target = page.document.part, str(source) if isinstance(source, Path) else source
    key, image = part.get_or_add_image(target)
    # a picture in somebody's text is never enlarged
    limit = 1 if isinstance(source, io.BytesIO) else math.inf
    scale = min(limit, width * EMU_PER_DXA / image.width, height * EMU_PER_DXA / image.height)
    size = (Emu(round(side * scale)) for side in (image.width, image.height))
    inline = CT_Inline.new_pic_inline(0, key, image.filename, *size)  # ids are given in the end
    for node in (inline.docPr, *inline.iter(qn("pic:cNvPr"))):
        node.set("name", f"{name}_{picture_digest(image.blob, clean(alt))}")
        node.set("descr", clean(alt))
    return el("r", el("drawing", inline))


def picture_digest(blob: bytes, alt: str) -> str:
    """Twelve hex digits for a picture and its alternative text."""
    return hashlib.sha256(blob + alt.encode()).hexdigest()[:12]


def _photo_grid(grid: PhotoGrid, page: Page) -> Element:
    width = page.width // 2
    contents = [_photo(n, photo, width, page) for n, photo in enumerate(grid.photos, start=1)]
    if len(contents) % 2:
        contents.append([paragraph(page.style("图片"))])
    cells = [el("tc", el("tcPr", el("tcW", w=width, type="dxa")), *each) for each in contents]
    pairs = zip(cells[::2], cells[1::2], strict=True)
    rows = [el("tr", el("trPr", el("cantSplit")), *pair) for pair in pairs]
    return frame([width, width], rows, page, grid=False)


def _photo(number: int, photo: Photo, width: int, page: Page) -> list[Element]:
    top: Element | str = f"（照片{GAP}）"
    if photo.path:
        with suppress(OSError, UnrecognizedImageError):
            name, height = f"photo{number}", round(width * 0.75)
            top = picture(photo.path, photo.caption, page, width - 170, height, name)
    shown = paragraph(page.style("图片"), top, keep_next=True)
    return [shown, caption("", "照片", photo.caption, page.style("照片说明"))]
