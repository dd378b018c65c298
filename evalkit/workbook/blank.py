"""The blank workbook, or one filled as a person would, for Excel and WPS."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any, BinaryIO

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range_abs
from xlsxwriter.worksheet import Worksheet

from evalkit.core.numbers import plain
from evalkit.core.problem import refusal
from evalkit.core.store import write_atomic
from evalkit.workbook.reader import EXAMPLE_MARK, FORM_HEAD, INDEX, Spot
from evalkit.workbook.schema import GUIDE_SHEET, LISTS_SHEET, META_SHEET, Field, Schema, Sheet
from evalkit.workbook.texts import DROPDOWNS, GUIDE, NEEDS, STYLES, TYPES

Entry = Decimal | date | str | int | float | None
Entries = Mapping[str, Entry]
Content = Mapping[str, Entries | Sequence[Entries]]
Columns = Sequence[tuple[Field, str, str]]  # field, header, key of its content
Style = Mapping[str, Any]
Widths = Sequence[float]  # of columns, in Excel's units
Line = tuple[str | int | None, Entries]  # what stands under 序号, content

BLANK_ROWS = 20  # boxed rows of an empty table; what is boxed is printed
SPARE_ROWS = 5  # boxed rows under given content
READY_ROWS = 500  # rows with dropdowns, boxed or not
PAGE_WIDTH = 175  # column units that stay readable on a landscape A4 page
OPEN_COLUMNS = 8  # formatted free columns
BANDS = (("#D9E1F2", "#2F5597"), ("#EDEDED", "#7F7F7F"))  # columns and the heading over them

BORN = datetime(2000, 1, 1)
_SAFE = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
_DIGITS = 15  # what a number of Excel holds
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def write_blank(path: Path, schema: Schema, content: Content | None = None) -> Path:
    """Write the workbook; returns the path really written.

    `content` is by sheet id: a dict for a form, a list of dicts for a table, by field id;
    a sheet with `open: X` takes further keys, ``HEADER`` or ``X:HEADER``, as free columns. Money
    stands in the unit of its column. Numbers and ISO dates in text become numbers and dates, the
    rest stays text. Sheets without content carry an example row.

    Raises:
        EvalkitError: content for an unknown sheet or field, or longer than a cell can hold.
    """
    _check(schema, content or {})
    return write_xlsx(path, schema.title, _Writer(schema, content or {}).write)


def write_xlsx(
    path: Path, title: str, fill: Callable[[Workbook], object], created: datetime = BORN
) -> Path:
    """Write what `fill` puts into a new workbook, where text is always text and never a formula.

    No clock is read: equal contents give equal bytes. Returns the path really written.
    """

    def write(stream: BinaryIO) -> None:
        with Workbook(stream, _SAFE) as book:
            book.set_properties({"title": title, "created": created})
            fill(book)

    return write_atomic(path, write)


def _check(schema: Schema, content: Content) -> None:
    known = {sheet.id for sheet in schema.sheets}
    strange = [sheet_id for sheet_id in content if sheet_id not in known]
    for sheet in schema.sheets:
        entries = content.get(sheet.id, ())
        rows = [entries] if isinstance(entries, Mapping) else entries
        keys = () if sheet.open else dict.fromkeys(chain.from_iterable(rows))
        strange += [f"{sheet.id}.{key}" for key in keys if key not in sheet.blank]
    if strange:
        raise refusal("content", title=schema.title, names="、".join(strange))


@dataclass
class _Writer:
    """The open file, its formats, and the lists that dropdowns point to."""

    schema: Schema
    content: Mapping[str, Any]  # as `write_blank` takes it
    style: Callable[[Any], Format] = field(init=False)
    lists: dict[tuple[str, ...], str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)  # sheet id → range of its codes

    def format(self, style: str = "line", **settings: Any) -> Format:
        return self.style(tuple((STYLES["every"] | STYLES[style] | settings).items()))

    def write(self, book: Workbook) -> None:
        self.style = cache(lambda look: book.add_format(dict(look)))
        guide = book.add_worksheet(GUIDE_SHEET)
        pages = [book.add_worksheet(sheet.name) for sheet in self.schema.sheets]
        lists, meta = map(book.add_worksheet, (LISTS_SHEET, META_SHEET))
        self.guide(guide)
        for page, sheet in zip(pages, self.schema.sheets, strict=True):
            fill = self.form if sheet.kind == "form" else self.table
            fill(page, sheet, self.content.get(sheet.id))
        for column, choices in enumerate(self.lists):
            lists.write_column(0, column, choices)
        lists.hide()
        meta.write_column(0, 0, ["schema", "version"])
        meta.write_column(0, 1, [self.schema.name, str(self.schema.version)])
        meta.very_hidden()
        guide.activate()

    def guide(self, page: Worksheet) -> None:
        schema = self.schema
        lines = [["title", f"{schema.title}填写说明"], *GUIDE["needs"]]
        lines += [[level, f"列名{need.mark}", need.meaning] for level, need in NEEDS.items()]
        lines += [*GUIDE["sheets"], *(["row", s.name, s.help] for s in schema.sheets)]
        rules = [["row", r.rule, r.meaning, "、".join(r.needs)] for r in schema.guide]
        lines += [*GUIDE["rules"], *rules] if rules else []
        widths = (24, 66, 44)
        _set_up(page, widths, 1)
        names = {sheet.name for sheet in schema.sheets}
        for row, (look, *texts) in enumerate(lines):
            need = NEEDS.get(look)
            style = self.format("row", bg_color=need.fill) if need else self.format(look)
            page.write_row(row, 0, texts, style)
            last = len(texts) - 1  # spans the rest of the width
            if last < 2:
                page.merge_range(row, last, row, 2, texts[last], style)
            if texts[0] in names:
                page.write_url(row, 0, f"internal:'{texts[0]}'!A1", style, texts[0])
            heights = map(_height, texts, (*widths[:last], sum(widths[last:])))
            page.set_row(row, 30 if look in ("title", "heading") else max(heights))
        page.hide_gridlines(2)
        page.print_area(0, 0, len(lines) - 1, 2)

    def title(self, page: Worksheet, sheet: Sheet, widths: Widths) -> None:
        """The first line: what the sheet is for, across what a screen shows."""
        _set_up(page, widths, 0)
        fits = sum(reach <= 110 for reach in accumulate(widths))
        text, style = f"{sheet.name}：{sheet.help}", self.format("purpose")
        page.merge_range(0, 0, 0, max(fits - 1, 1), text, style)
        page.set_row(0, _height(sheet.help, min(sum(widths), 110)) + 6)

    def form(self, page: Worksheet, sheet: Sheet, given: Entries | None) -> None:
        widths = (24, 56, 60)
        self.title(page, sheet, widths)
        page.write_row(1, 0, FORM_HEAD, self.format("head"))
        for row, spec in enumerate(sheet.fields, 2):
            page.write_string(row, 0, spec.label + NEEDS[spec.required].mark, self.format("label"))
            hints = "；".join(_hints(spec))
            page.write_string(row, 2, hints, self.format("hint"))
            entry = (given or {}).get(spec.id)
            self.entry(page, (row, 1), spec, entry, {"align": "left", "indent": 1})
            tall = 64.0 if spec.type == "longtext" else 20.0
            page.set_row(row, max(tall, _height(hints, 66), _height(str(entry or ""), 54)))
            self.validate(page, row, row, 1, spec)
        page.freeze_panes(2, 1)
        page.repeat_rows(0, 1)

    def table(self, page: Worksheet, sheet: Sheet, given: Sequence[Entries] | None) -> None:
        columns = _columns(sheet, given or [])
        widths = [6.0] + [_width(spec, label) for spec, label, _ in columns]
        self.title(page, sheet, widths)
        top = 1 + self.groups(page, sheet)
        self.heads(page, top, sheet, columns)
        lines: list[Line] = [*enumerate(given or [], 1)]
        lines += [(None, {})] * (SPARE_ROWS if given else BLANK_ROWS)
        shown = {key: sheet.example_open.get(label, f.example) for f, label, key in columns}
        example: list[Line] = [(EXAMPLE_MARK, shown)] if given is None else []
        first = top + 1 + len(example)
        for row, line in enumerate([*example, *lines], top + 1):
            self.row(page, row, columns, line)
        last = first + max(READY_ROWS, len(lines)) - 1
        for column, (spec, *_) in enumerate(columns, 1):
            page.set_column(column, column, widths[column], self.format(**TYPES[spec.type].style))
            self.validate(page, first, last, column, spec)
            if spec.unique:
                place = xl_range_abs(first, column, last, column)
                self.codes[sheet.id] = f"='{sheet.name}'!{place}"
        fixed = 1 + max((n for n, spec in enumerate(sheet.columns, 1) if spec.fill_down), default=0)
        page.freeze_panes(top + 1, max(fixed + 1, 2))
        page.repeat_rows(top)
        if sum(widths) > PAGE_WIDTH:
            page.repeat_columns(0, fixed)

    def groups(self, page: Worksheet, sheet: Sheet) -> bool:
        """The headings over bands of columns, in the second row; whether there are any."""
        starts = [at for at, spec in enumerate(sheet.columns, 1) if spec.group]
        for band, (start, stop) in enumerate(pairwise([*starts, len(sheet.columns) + 1])):
            style = self.format("head", font_color="#FFFFFF", bg_color=BANDS[band % 2][1])
            if stop - start > 1:
                page.merge_range(1, start, 1, stop - 1, "", style)
            page.write_string(1, start, sheet.columns[start - 1].group, style)
        return bool(starts)

    def heads(self, page: Worksheet, row: int, sheet: Sheet, columns: Columns) -> None:
        band, height = 0, 38
        page.write_string(row, 0, INDEX, self.format("head"))
        for column, (spec, label, _) in enumerate(columns, 1):
            band += bool(spec.group) and column > 1
            free, need = spec.id == sheet.open, NEEDS[spec.required]
            text = label if free else label + need.mark
            fill = NEEDS["always"].fill if free else BANDS[band % 2][0]
            page.write_string(row, column, text, self.format("head", bg_color=fill))
            hints = _hints(spec, f"此处写{spec.label}名称，可改" if free else need.meaning)
            lines = sum(math.ceil((_units(line) + 1) / 30) for line in hints) + 1
            options = STYLES["comment"] | {"height": 18 * lines + 6}
            page.write_comment(row, column, "\n".join(hints), options)
            height = max(height, 18 * math.ceil(_units(text) / _width(spec, label)) + 2)
        page.set_row(row, height)

    def row(self, page: Worksheet, row: int, columns: Columns, line: Line) -> None:
        mark, entries = line
        look = STYLES["example"] if mark == EXAMPLE_MARK else {}
        page.write(row, 0, mark if entries else None, self.format("number", **look))
        height = 20.0
        for column, (spec, label, key) in enumerate(columns, 1):
            entry = entries.get(key)
            height = max(height, _height(str(entry or ""), _width(spec, label) - 2))
            self.entry(page, (row, column), spec, entry, look)
        page.set_row(row, height)

    def entry(self, page: Worksheet, at: Spot, spec: Field, entry: Entry, look: Style) -> None:
        """One cell as a person would type it; text is always text, never a formula."""
        entry = _typed(entry, spec)
        settings = TYPES[spec.type].style | STYLES["grid"] | {"bg_color": NEEDS[spec.required].fill}
        if isinstance(entry, date):
            settings["num_format"] = TYPES["date"].style["num_format"]
        style = self.format(**{**settings, **look})
        if page.write(*at, entry, style) and isinstance(entry, str):
            raise refusal("content.long", label=spec.label, size=len(entry))

    def validate(self, page: Worksheet, top: int, bottom: int, column: int, spec: Field) -> None:
        """A dropdown of choices, or of the codes that another sheet holds."""
        choices = ("是", "否") if spec.type == "yesno" else spec.choices
        rule: dict[str, Any] = {"validate": "list", "source": list(choices), **DROPDOWNS["choices"]}
        if len(",".join(choices)) > 255 or any("," in choice for choice in choices):
            at = len(self.lists)  # Excel takes such a list only from cells
            place = f"={LISTS_SHEET}!{xl_range_abs(0, at, len(choices) - 1, at)}"
            rule["source"] = self.lists.setdefault(choices, place)
        if spec.refers in self.codes:
            rule |= {"source": self.codes[spec.refers], **DROPDOWNS["codes"]}
        if rule["source"]:
            page.data_validation(top, column, bottom, column, rule)


def _columns(sheet: Sheet, given: Sequence[Entries]) -> Columns:
    columns = [(spec, spec.label, spec.id) for spec in sheet.columns]
    if free := sheet.open_field:
        keys = dict.fromkeys(key for row in given for key in row if key not in sheet.blank)
        heads = [(key.removeprefix(f"{free.id}:"), key) for key in keys or sheet.example_open]
        heads += [("", "")] * (OPEN_COLUMNS - len(heads))
        columns += [(free, label, key) for label, key in heads]
    return columns


def _hints(spec: Field, first: str = "") -> list[str]:
    example = f"例：{spec.example}" if spec.example else ""
    return [hint for hint in (first, spec.note, example) if hint]


def _typed(entry: Entry, spec: Field) -> Entry:
    """What Excel makes of an entry that a person types in a column of this type."""
    entry = plain(entry) if isinstance(entry, Decimal) else entry
    if not isinstance(entry, str) or TYPES[spec.type].style["num_format"] == "@":
        return entry
    if spec.type not in ("date", "longtext") and _NUMBER.fullmatch(entry):
        return float(entry) if sum(map(str.isdigit, entry)) <= _DIGITS else entry
    if spec.type in ("date", "value") and _DATE.fullmatch(entry):
        with suppress(ValueError):  # a day that does not exist stays text
            return date.fromisoformat(entry)
    return entry


def _units(text: str) -> float:
    """Width of text in Excel's column units: a Chinese character takes two."""
    return sum(2.1 if ord(char) > 0x2E7F else 1.1 for char in text)


def _width(spec: Field, label: str) -> float:
    if spec.fill_down:
        return 14
    natural = TYPES[spec.type].width or max(map(_units, spec.choices), default=8) + 3
    return max(natural, min(_units(label + "*") + 2, 18))


def _height(text: str, width: float) -> float:
    """Row height for wrapped text in a column of `width`."""
    lines = sum(max(1, math.ceil(_units(line) / width)) for line in text.split("\n"))
    return min(17.0 * lines + 3, 400)


def _set_up(page: Worksheet, widths: Widths, pages: int) -> None:
    """Columns and print on A4: upright on so many pages, else as wide as stays readable."""
    for column, width in enumerate(widths):
        page.set_column(column, column, width)
    if not pages:
        page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(math.ceil(sum(widths) / PAGE_WIDTH), pages)
    page.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
    page.set_footer("&C第 &P 页，共 &N 页")
