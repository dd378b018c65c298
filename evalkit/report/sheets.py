"""Workbooks for people to read: YAML says how their sheets look, code only brings the rows.

A file `params/books/NAME.yaml` describes a book and, by the names of their sheets, its
pages. A page has a title and one table, or, if it gives the `widths` of its columns, `blocks`:

    book       title, header (both may name what it is about: {name}), setup (of every page),
               line (points of a line of text, and what a row has besides), heights (of rows with
               a cell in that look), short (texts up to so long look `short`), looks, pages
    page       title, setup, filtered, shrink (points of rows that go on one page), widths, blocks
    table      columns (see `Column` and `opened`), rows (where they are found), merge (so many
               leading columns join equal cells), repeat (its head on every page), empty (what it
               says, not to be left out, if there are no rows)
    fields     labelled values; spans (what label and value cover by turns, a line holding one
               round), blank (empty ones are shown)
    both       heading ({n} is its number among those shown) in the look `look`

A setup holds settings of XlsxWriter's worksheet, a look properties of its format. Text is always
written as text, and no clock is read: equal rows give equal bytes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from itertools import chain, count, islice, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import quote_sheetname, xl_range
from xlsxwriter.worksheet import Worksheet

from evalkit.core.numbers import chinese
from evalkit.core.paths import asset
from evalkit.core.yaml_file import SAFE
from evalkit.word.blocks import display_width
from evalkit.workbook.blank import BORN, write_xlsx

Spec = Mapping[str, Any]  # a part of the YAML
Row = Mapping[str, Any]  # by field a value or a Cell; under "look" a look laid over all of them
Content = Sequence[Row] | Mapping[str, Any]  # of a page with blocks: by field values and rows

_TALLEST = 409  # points of a row
_SHEET_FORBIDDEN = re.compile(r"[\[\]:*?/\\'\x00-\x1f]")
_NUMBER = re.compile(r"-?(\d{1,15}|\d{1,3}(,\d{3})+)(\.\d{1,10})?")
_REFERENCE = re.compile(r"\[(?:([^\[\]]+)!)?(\w+)(?: (\d+)(?::(\d+))?)?\]")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with what its column does not say.

    In a formula ``[score]`` is the cell of that field in the same row, else the last on the sheet;
    ``[score 3]`` is the one in the fourth row that has it, ``[score 0:3]`` are the first four;
    ``[A101!score]`` stands on sheet A101. The value is then what the formula gives.
    """

    value: Any
    formula: str = ""
    look: str = ""
    link: str = ""  # the sheet that a click leads to
    over: int = 1  # columns of its table that it covers
    field: str = ""  # the name by which formulas refer to it


class Column(NamedTuple):
    """A column of a table, or a labelled field."""

    heading: str
    field: str
    size: int = 1  # its width; on a page with `widths`, how many of those columns it covers
    look: str = ""  # if not said, by the value: number, count, short or text


def opened(columns: Iterable[Sequence[Any]], rows: Iterable[Row]) -> Iterator[Sequence[Any]]:
    """The columns of a table; one of a field ``OPEN:`` stands for every field that begins so.

    Its heading is what follows, as in a workbook that people fill in.

    >>> list(opened([["指标", "item", 6], ["", "w:", 2]], [{"item": "产出", "w:甲": "1"}]))
    [['指标', 'item', 6], ['甲', 'w:甲', 2]]
    """
    fields = dict.fromkeys(field for row in rows for field in row)
    for heading, field, *looks in columns:
        mine = [name for name in fields if name.startswith(field)] if field[-1:] == ":" else [field]
        yield from ([name.removeprefix(field) or heading, name, *looks] for name in mine)


def sheet_names(codes: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """A valid sheet name for each code: at most 31 characters, unique ignoring case.

    >>> sheet_names(["A1/01", "a1_01", "History"])
    ['A1_01', 'a1_01_2', 'History_2']
    """
    used = {"history", *(name.casefold() for name in taken)}
    names = []
    for code in codes:
        base = _SHEET_FORBIDDEN.sub("_", code).strip()[:26] or "指标"
        choices = chain([base], (f"{base}_{n}" for n in count(2)))
        names.append(next(name for name in choices if name.casefold() not in used))
        used.add(names[-1].casefold())
    return names


def read_book(name: str) -> Spec:
    """What `params/books/NAME.yaml` says."""
    path = asset("params", "books", f"{name}.yaml")
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=SAFE))  # noqa: S506


def write_book(
    path: Path, book: Spec, contents: Mapping[str, Content], meta: Mapping[str, str] | None = None,
    *, name: str = "", created: datetime = BORN,
) -> Path:  # fmt: skip
    """Write a sheet for each of the contents, in their order; returns the path really written.

    Page ``*`` of the book is for every sheet without its own, `meta` goes to a hidden sheet
    ``_meta``, `name` is what the book is about.

        write_book(path, read_book("summary"), {"调分": [{"code": "001", "reason": "凭证不全"}]})
    """

    def fill(file: Workbook) -> None:
        style = cache(lambda look: file.add_format(dict(look)))
        sheets: dict[str, _Sheet] = {}
        for sheet, content in contents.items():
            page = book["pages"].get(sheet) or book["pages"]["*"]
            if "columns" in page:
                mine = content if isinstance(content, Mapping) else {"rows": content}
                rows = mine.get(page.get("rows", "rows"), ())
                page = {**page, "columns": [*opened(page["columns"], rows)]}
            sheets[sheet] = _Sheet(file.add_worksheet(sheet), book, page, content)
        for laid in sheets.values():
            laid.write(sheets, style)
            laid.xl.set_header(book["header"].replace("{name}", name[:80].replace("&", "&&")))
        if meta:
            hidden = file.add_worksheet("_meta")
            hidden.hide()
            for row, fact in enumerate(meta.items()):
                hidden.write_row(row, 0, fact)

    return write_xlsx(path, book["title"].replace("{name}", name), fill, created)


@dataclass(slots=True)
class _Placed:
    """A cell on its sheet, with the properties of its look, over so many rows."""

    cell: Cell
    value: Any
    look: dict[str, Any]
    row: int
    column: int
    down: int = 1


class _Sheet:
    """A page laid out before it is written, so that formulas may point to what stands below."""

    def __init__(self, xl: Worksheet, book: Spec, page: Spec, content: Content) -> None:
        self.xl, self.book, self.page = xl, book, page
        self.widths = page.get("widths") or [size for _, _, size, *_ in page["columns"]]
        self.placed: list[_Placed] = []
        self.spots: dict[str, list[tuple[int, int]]] = {}  # where each field stands
        self.row, self.headings, self.height = 0, 0, 0.0
        for column, width in enumerate(self.widths):
            xl.set_column(column, column, width)
        for call, arguments in {**book["setup"], **page.get("setup", {})}.items():
            getattr(xl, call)(*arguments)
        self.across(page["title"], "title")
        content = content if isinstance(content, Mapping) else {"rows": content}
        for block in page.get("blocks", [page]):
            self.fields(block, content)
            self.table(block, content.get(block.get("rows", "rows"), ()))
        if self.height <= page.get("shrink", 0):
            xl.fit_to_pages(1, 1)
        if page.get("filtered"):
            xl.autofilter(1, 0, max(self.row - 1, 2), len(self.widths) - 1)

    def line(self, cells: Sequence[Cell], laid: str = "", joined: int = 0) -> list[_Placed]:
        """Place a row, high enough for its longest text; the first cells may be `joined` above."""
        column, placed = 0, []
        for cell in cells:
            placed.append(_Placed(cell, *self.styled(cell, laid), self.row, column))
            self.spots.setdefault(cell.field, []).append((self.row, column))
            column += cell.over
        self.placed += placed[joined:]
        fixed = max(self.book["heights"].get(cell.look, 0) for cell in cells)
        height = fixed or self.room(placed[joined:])
        self.xl.set_row(self.row, height)
        self.row, self.height = self.row + 1, self.height + height
        return placed

    def styled(self, cell: Cell, laid: str) -> tuple[Any, dict[str, Any]]:
        """Value and look; what is plainly a number is one under `number`, printed as written."""
        value, looks = cell.value, self.book["looks"]
        usual = "count" if isinstance(value, int) else "number"
        if isinstance(value, str):
            usual = "short" if 0 < len(value) <= self.book["short"] else "text"
        name, written = cell.look or usual, {}
        if name == "number" and isinstance(value, str) and _NUMBER.fullmatch(value):
            whole, point, decimals = value.partition(".")
            written["num_format"] = ("#,##0" if "," in whole else "0") + point + "0" * len(decimals)
            value = Decimal(value.replace(",", ""))
        more = [written, looks[name], looks.get(laid, {}), looks["link"] if cell.link else {}]
        plain = sum(map(bool, more)) == 1  # most are, and share one
        return value, looks[name] if plain else {k: v for part in more for k, v in part.items()}

    def room(self, cells: Iterable[_Placed]) -> float:
        """Height for the longest text; a long formula breaks raggedly and needs some more."""
        most = 1
        for cell in cells:
            texts = cell.value.split("\n") if isinstance(cell.value, str) else [""]
            margin = 1 + cell.look.get("indent", 0)
            width = sum(self.widths[cell.column : cell.column + cell.cell.over]) - margin
            full = [-(-display_width(text) // max(1, int(width))) or 1 for text in texts]
            most = max(most, sum(full) + (max(full) // 2 if texts[0].isascii() else 0))
        each, besides = self.book["line"]
        return float(min(_TALLEST, most * each + besides))

    def across(self, text: str, look: str) -> None:
        """A line of one text over the whole width."""
        self.line([Cell(text, look=look, over=len(self.widths))])

    def heading(self, block: Spec) -> None:
        """The heading of a block that has one."""
        if text := block.get("heading"):
            self.headings += "{n}" in text
            self.across(text.replace("{n}", chinese(self.headings)), block.get("look", "heading"))

    def fields(self, block: Spec, content: Mapping[str, Any]) -> None:
        """Lines of labels, each with its value to the right."""
        cells: list[Cell] = []
        for field in (Column(*each) for each in block.get("fields", ())):
            value = content.get(field.field)
            if value or block.get("blank"):
                cells += [Cell(field.heading, look="label"), _cell(field, value)]
        if cells:
            self.heading(block)
        spans = block.get("spans", (1, len(self.widths) - 1))
        cells += [Cell("", look="label"), Cell("")] * (-len(cells) % len(spans) // 2)
        for start in range(0, len(cells), len(spans)):
            line = zip(cells[start : start + len(spans)], spans, strict=True)
            self.line([replace(cell, over=over) for cell, over in line])

    def table(self, block: Spec, rows: Sequence[Row]) -> None:
        """A head and the rows below it."""
        if not rows and "empty" not in block:
            return
        columns = [Column(*each) for each in block["columns"]]
        if block is self.page:
            columns = [c._replace(size=1) for c in columns]
        self.heading(block)
        if block.get("repeat"):
            self.xl.repeat_rows(self.row)
        if any(c.heading for c in columns):
            self.line([Cell(c.heading, look="head", over=c.size) for c in columns])
        above: list[_Placed] = []  # the leading cells that may still grow down
        for row in rows:
            cells = _cells(columns, row)
            pairs = zip(above, cells, strict=False)
            same = [cell for cell, _ in takewhile(lambda p: p[0].value == p[1].value, pairs)]
            for cell in same:
                cell.down += 1
            placed = self.line(cells, row.get("look", ""), len(same))
            above = same + placed[len(same) : block.get("merge", 0)]
        if not rows:
            self.across(block["empty"], "none")

    def write(self, sheets: Mapping[str, "_Sheet"], style: Callable[[Any], Format]) -> None:
        """Write every cell."""
        for p in self.placed:
            place, look = (p.row, p.column), style(tuple(p.look.items()))
            value = float(p.value) if isinstance(p.value, Decimal) else p.value
            if p.cell.over > 1 or p.down > 1:
                end = p.row + p.down - 1, p.column + p.cell.over - 1
                self.xl.merge_range(*place, *end, "", look)
            if p.cell.formula:
                formula = _REFERENCE.sub(partial(self.refer, sheets, p.row), p.cell.formula)
                self.xl.write_formula(*place, f"={formula}", look, value)
            elif p.cell.link:
                target = f"internal:{quote_sheetname(p.cell.link)}!A1"
                self.xl.write_url(*place, target, look, value)
            else:
                self.xl.write(*place, value, look)

    def refer(self, sheets: Mapping[str, "_Sheet"], row: int, reference: re.Match[str]) -> str:
        """The address that a reference in a formula stands for."""
        sheet, field, first, last = reference.groups()
        spots = (sheets[sheet] if sheet else self).spots[field]
        if first:
            start, end = spots[int(first)], spots[int(last or first)]
        else:
            beside = [spot for spot in spots if spot[0] == row and not sheet]
            start = end = (beside or spots)[-1]
        address = xl_range(*start, *end)
        return f"{quote_sheetname(sheet)}!{address}" if sheet else address


def _cell(column: Column, value: Any, over: int = 1) -> Cell:
    """What stands in a column or field, over so many columns of its page."""
    if isinstance(value, Cell):
        return replace(value, look=value.look or column.look, field=column.field, over=over)
    return Cell("" if value is None else value, look=column.look, over=over, field=column.field)


def _cells(columns: Iterable[Column], row: Row) -> list[Cell]:
    """The cells of a row."""
    cells, left = [], iter(columns)
    for column in left:
        value = row.get(column.field)
        more = islice(left, value.over - 1) if isinstance(value, Cell) else ()
        cells.append(_cell(column, value, column.size + sum(other.size for other in more)))
    return cells
