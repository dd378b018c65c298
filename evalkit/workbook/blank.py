"""The blank workbook, or one filled as a person would, for Excel and WPS."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from evalkit.core.numbers import plain
from evalkit.core.problem import EvalkitError, Problem
from evalkit.core.store import write_atomic
from evalkit.workbook.reader import EXAMPLE_MARK, FORM_HEAD, INDEX
from evalkit.workbook.schema import (
    GUIDE_SHEET,
    LISTS_SHEET,
    META_SHEET,
    REQUIRED,
    Field,
    Schema,
    Sheet,
)

Entry = Decimal | date | str | int | float | None
FormContent = Mapping[str, Entry]
TableContent = Sequence[Mapping[str, Entry]]
Column = tuple[Field, str, str]  # field, header, key of its content
Columns = Sequence[Column]
Content = Mapping[str, FormContent | TableContent]

INPUT_ROWS = 60  # formatted rows of a table, and how many stay free under given content
SPARE_ROWS = 20
PAGE_WIDTH = 175  # column units that stay readable on a landscape A4 page
OPEN_COLUMNS = 8  # formatted free columns
MARKS = {"always": "*", "final": "△", "": ""}
FILLS = {"always": "#FFF2CC", "final": "#E2EFDA", "": "#FFFFFF"}
BANDS = ("#D9E1F2", "#EDEDED")

_GRID: dict[str, Any] = {"border": 1, "border_color": "#A6A6A6"}
_NOTE = {"author": "", "width": 220, "font_size": 9, "font_name": "微软雅黑", "color": "#FFFFE1"}
_BORN = datetime(2000, 1, 1)  # no clock in the file: equal content gives equal bytes
_DIGITS = 15  # what a number of Excel holds
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TEXT_FORMAT = {"code", "text", "choice", "yesno"}
_FORMATS = {"amount": "#,##0.00####", "integer": "0", "date": "yyyy-mm-dd"}
_WIDTHS = {
    "longtext": 36, "text": 20, "code": 13, "integer": 10, "number": 11, "amount": 15, "date": 13,
    "yesno": 9, "value": 14,
}  # fmt: skip
_HOW = (
    "在有颜色的单元格里填写。黄色必填；绿色在送审稿、终稿前必填，初稿可以空着；白色按需要填。",
    f"{INDEX}列写“{EXAMPLE_MARK}”的行是示范，不会被读取；从下一行开始填，可以保留示范行。",
    "不要改表名和列名。可以插入空行、合并单元格、在表下写“注：……”，也可以用公式（用公式后请保存一次）。",
    "数字可以带单位和符号，如 ≥735人次、15万元；百分数请写明百分号，如 98%；金额按列名中的单位填。",
    "日期写成 2025-06-30；只知道月份的写成 2021年12月。",
    "编号按文本填写，如 001、3-1。把鼠标放在列名上可以看到说明。",
)


def write_blank(path: Path, schema: Schema, content: Content | None = None) -> Path:
    """Write the workbook; returns the path really written.

    `content` is by sheet id: a dict for a form, a list of dicts for a table, by field id;
    a sheet with `open: X` takes further keys, ``HEADER`` or
    ``X:HEADER``, as free columns. Money stands in the unit of its
    column. Numbers and ISO dates in text become numbers and dates, the rest stays text. Sheets
    without content carry an example row.

    Raises:
        EvalkitError: content for an unknown sheet or field, or longer than a cell can hold.
    """
    content = content or {}
    _check(schema, content)

    def write(stream: BinaryIO) -> None:
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
                   "strings_to_numbers": False}  # fmt: skip
        with Workbook(stream, options) as book:
            book.set_properties({"title": schema.title, "created": _BORN})
            _Writer(book, schema).write(content)

    return write_atomic(path, write)


def _check(schema: Schema, content: Content) -> None:
    known = {sheet.id: sheet for sheet in schema.sheets}
    strange: list[str] = []
    for sheet_id, entries in content.items():
        sheet = known.get(sheet_id)
        if sheet is None or (sheet.kind == "form") != isinstance(entries, Mapping):
            strange.append(sheet_id)
            continue
        fields = {spec.id for spec in sheet.columns}
        for entry in [entries] if isinstance(entries, Mapping) else entries:
            unknown = [] if sheet.open else [key for key in entry if key not in fields]
            strange += [f"{sheet_id}.{key}" for key in unknown]
    if strange:
        names = "、".join(dict.fromkeys(strange))
        what = f"“{schema.title}”里没有这些表或字段：{names}"
        raise EvalkitError([Problem(what=what, code="content")])


def _opened(sheet: Sheet, given: TableContent | None) -> dict[str, str]:
    """The free columns: content key → header."""
    mine = {spec.id for spec in sheet.columns}
    keys = [key for row in given or () for key in row if key not in mine]
    return {key: key.removeprefix(f"{sheet.open}:") for key in keys or sheet.example_open}


class _Writer:
    """The open file, its formats, and the lists that dropdowns point to."""

    def __init__(self, book: Workbook, schema: Schema) -> None:
        self.book = book
        self.schema = schema
        self.formats: dict[str, Format] = {}
        self.lists: dict[tuple[str, ...], str] = {}
        self.codes: dict[str, str] = {}  # sheet id → range of its codes

    def format(self, **settings: Any) -> Format:
        key = repr(sorted(settings.items()))
        if key not in self.formats:
            base = {"font_name": "微软雅黑", "font_size": 10, "valign": "vcenter"}
            self.formats[key] = self.book.add_format(base | settings)
        return self.formats[key]

    def input(self, spec: Field, **settings: Any) -> Format:
        shown = "@" if spec.type in _TEXT_FORMAT else _FORMATS.get(spec.type, "General")
        settings = {"bg_color": FILLS[spec.required], "num_format": shown} | settings
        if spec.type in ("text", "longtext"):
            settings = {"align": "left", "indent": 1} | settings
        elif spec.type not in ("number", "amount"):
            settings.setdefault("align", "center")
        return self.format(text_wrap=True, **_GRID, **settings)

    def write(self, content: Content) -> None:
        guide = self.book.add_worksheet(GUIDE_SHEET)
        sheets = {sheet.id: self.book.add_worksheet(sheet.name) for sheet in self.schema.sheets}
        lists = self.book.add_worksheet(LISTS_SHEET)
        meta = self.book.add_worksheet(META_SHEET)
        self.guide(guide)
        for sheet in self.schema.sheets:
            for spec in sheet.fields:
                self.remember(spec.choices)
        for column, choices in enumerate(self.lists):
            lists.write_column(0, column, choices)
        for sheet in self.schema.sheets:
            given = content.get(sheet.id)
            if sheet.kind == "form":
                self.form(sheets[sheet.id], sheet, given if isinstance(given, Mapping) else {})
            else:
                rows = None if given is None or isinstance(given, Mapping) else given
                self.table(sheets[sheet.id], sheet, rows)
        lists.hide()
        meta.write_column(0, 0, ["schema", "version"])
        meta.write_column(0, 1, [self.schema.name, str(self.schema.version)])
        meta.very_hidden()
        guide.activate()

    def remember(self, choices: tuple[str, ...]) -> None:
        """Excel takes at most 255 characters in a dropdown's own list."""
        if len(",".join(choices)) > 255 or any("," in choice for choice in choices):
            column = xl_col_to_name(len(self.lists), col_abs=True)
            self.lists.setdefault(choices, f"={LISTS_SHEET}!{column}$1:{column}${len(choices)}")

    def guide(self, page: Worksheet) -> None:
        wrap = self.format(text_wrap=True)
        cell = self.format(text_wrap=True, indent=1, **_GRID)
        for column, width in enumerate((24, 66, 44)):
            page.set_column(column, column, width)
        page.hide_gridlines(2)
        title = self.format(bold=True, font_size=16, align="center")
        page.merge_range(0, 0, 0, 2, f"{self.schema.title}填写说明", title)
        page.set_row(0, 32)
        self.heading(page, 1, "一、怎么填")
        row = 2
        for number, line in enumerate(_HOW, 1):
            page.merge_range(row, 0, row, 2, f"{number}. {line}", wrap)
            page.set_row(row, 18)
            row += 1
        self.heading(page, row, "二、颜色和记号")
        for level, meaning in REQUIRED.items():
            row += 1
            swatch = self.format(bg_color=FILLS[level], **_GRID, align="center")
            page.write_string(row, 0, f"列名{MARKS[level]}", swatch)
            page.write_string(row, 1, meaning, wrap)
        self.heading(page, row + 1, "三、各表")
        row += 2
        for sheet in self.schema.sheets:
            page.write_url(row, 0, f"internal:'{sheet.name}'!A1", cell, sheet.name)
            page.merge_range(row, 1, row, 2, sheet.help, cell)
            page.set_row(row, _height(sheet.help, 110))
            row += 1
        if self.schema.guide:
            self.heading(page, row, "四、计分规则")
            head = self.format(bold=True, bg_color=BANDS[0], **_GRID)
            page.write_row(row + 1, 0, ("规则", "含义", "要填的列或表"), head)
            row += 2
        for rule in self.schema.guide:
            needs = "、".join(rule.needs)
            page.write_row(row, 0, (rule.rule, rule.meaning, needs), cell)
            page.set_row(row, max(_height(rule.meaning, 66), _height(needs, 44)))
            row += 1
        _print_setup(page, landscape=False)
        page.fit_to_pages(1, 1)
        page.print_area(0, 0, row - 1, 2)

    def heading(self, page: Worksheet, row: int, text: str) -> None:
        style = self.format(bold=True, font_size=12, font_color="#1F3864", valign="bottom")
        page.write_string(row, 0, text, style)
        page.set_row(row, 30)

    def title(self, page: Worksheet, sheet: Sheet, widths: Sequence[float]) -> None:
        """The first line: what the sheet is for, across what a screen shows."""
        last, total = 0, 0.0
        for at, width in enumerate(widths):
            total += width
            if at and total > 110:
                break
            last = at
        style = self.format(text_wrap=True, font_color="#44546A", bold=True)
        page.merge_range(0, 0, 0, max(last, 1), f"{sheet.name}：{sheet.help}", style)
        page.set_row(0, _height(sheet.help, min(total, 110)) + 6)

    def form(self, page: Worksheet, sheet: Sheet, given: FormContent) -> None:
        widths = (24, 56, 60)
        for column, width in enumerate(widths):
            page.set_column(column, column, width)
        self.title(page, sheet, widths)
        head = self.format(bold=True, align="center", bg_color=BANDS[0], **_GRID)
        label = self.format(indent=1, bold=True, text_wrap=True, bg_color="#F2F2F2", **_GRID)
        note = self.format(font_color="#7F7F7F", text_wrap=True, font_size=9, indent=1)
        page.write_row(1, 0, FORM_HEAD, head)
        for row, spec in enumerate(sheet.fields, 2):
            page.write_string(row, 0, spec.label + MARKS[spec.required], label)
            example = f"例：{spec.example}" if spec.example else ""
            hints = "；".join(text for text in (spec.note, example) if text)
            page.write_string(row, 2, hints, note)
            entry = given.get(spec.id)
            self.entry(page, row, 1, entry, spec, self.input(spec, align="left", indent=1))
            tall = 64.0 if spec.type == "longtext" else 20.0
            page.set_row(row, max(tall, _height(hints, 66), _height(str(entry or ""), 54)))
            self.validate(page, row, row, 1, spec)
        page.freeze_panes(2, 1)
        _print_setup(page, landscape=True)
        page.fit_to_pages(1, 0)
        page.repeat_rows(0, 1)

    def table(self, page: Worksheet, sheet: Sheet, given: TableContent | None) -> None:
        specs = list(sheet.columns)
        opened = _opened(sheet, given)
        columns: list[Column] = [(spec, spec.label, spec.id) for spec in specs]
        if sheet.open_field:
            columns += [(sheet.open_field, label, key) for key, label in opened.items()]
            columns += [(sheet.open_field, "", "")] * max(0, OPEN_COLUMNS - len(opened))
        widths = [6.0] + [_width(spec, label) for spec, label, _ in columns]
        for column, width in enumerate(widths):
            page.set_column(column, column, width)
        self.title(page, sheet, widths)
        top = 1
        if any(spec.group for spec in specs):
            self.groups(page, top, specs)
            top += 1
        self.heads(page, top, sheet, columns)
        first = top + 1
        if given is None:
            look: dict[str, Any] = {"italic": True, "font_color": "#7F7F7F", "bg_color": "#F2F2F2"}
            examples = {
                key: sheet.example_open.get(label, spec.example) for spec, label, key in columns
            }
            self.row(page, first, EXAMPLE_MARK, columns, examples, look)
            first += 1
        rows = given or []
        last = first + max(INPUT_ROWS, len(rows) + SPARE_ROWS) - 1
        for row in range(first, last + 1):
            number = row - first + 1
            self.row(
                page, row, number, columns, rows[number - 1] if number <= len(rows) else {}, {}
            )
        for column, (spec, _, _) in enumerate(columns, 1):
            self.validate(page, first, last, column, spec)
            if spec.unique:
                letter = xl_col_to_name(column, col_abs=True)
                self.codes[sheet.id] = f"='{sheet.name}'!{letter}${first + 1}:{letter}${last + 1}"
        fixed = max((at for at, spec in enumerate(specs, 1) if spec.fill_down), default=0) + 1
        page.freeze_panes(top + 1, max(fixed + 1, 2))
        _print_setup(page, landscape=True)
        page.fit_to_pages(max(1, math.ceil(sum(widths) / PAGE_WIDTH)), 0)
        page.repeat_rows(top)
        if sum(widths) > PAGE_WIDTH:
            page.repeat_columns(0, fixed)

    def groups(self, page: Worksheet, row: int, specs: Sequence[Field]) -> None:
        starts = [at for at, spec in enumerate(specs, 1) if spec.group]
        for number, (start, stop) in enumerate(
            zip(starts, [*starts[1:], len(specs) + 1], strict=True)
        ):
            style = self.format(
                bold=True, align="center", **_GRID,
                font_color="#FFFFFF", bg_color=("#2F5597", "#7F7F7F")[number % 2],
            )  # fmt: skip
            name = specs[start - 1].group
            if stop - start > 1:
                page.merge_range(row, start, row, stop - 1, name, style)
            else:
                page.write_string(row, start, name, style)

    def heads(
        self,
        page: Worksheet,
        row: int,
        sheet: Sheet,
        columns: Columns,
    ) -> None:
        band = 0
        look: dict[str, Any] = {"bold": True, "align": "center", "text_wrap": True, **_GRID}
        page.write_string(row, 0, INDEX, self.format(**look, bg_color=BANDS[0]))
        height = 38
        for column, (spec, label, _) in enumerate(columns, 1):
            band += bool(spec.group) and column > 1
            free = spec.id == sheet.open
            text = label if free else label + MARKS[spec.required]
            fill = FILLS["always"] if free else BANDS[band % 2]
            page.write_string(row, column, text, self.format(**look, bg_color=fill))
            hints = [
                f"此处写{spec.label}名称，可改" if free else REQUIRED[spec.required],
                spec.note,
            ]
            hints = [hint for hint in (*hints, spec.example and f"例：{spec.example}") if hint]
            lines = sum(math.ceil((_units(line) + 1) / 30) for line in hints) + 1
            page.write_comment(row, column, "\n".join(hints), _NOTE | {"height": 18 * lines + 6})
            height = max(height, 18 * math.ceil(_units(text) / _width(spec, label)) + 2)
        page.set_row(row, height)

    def row(
        self,
        page: Worksheet,
        row: int,
        mark: str | int,
        columns: Columns,
        entries: Mapping[str, Entry],
        look: dict[str, Any],
    ) -> None:
        grey = self.format(**{"font_color": "#7F7F7F", "align": "center"} | _GRID | look)
        page.write(row, 0, mark if entries else None, grey)
        height = 20.0
        for column, (spec, label, key) in enumerate(columns, 1):
            entry = entries.get(key)
            height = max(height, _height(str(entry or ""), _width(spec, label) - 2))
            self.entry(page, row, column, entry, spec, self.input(spec, **look))
        page.set_row(row, height)

    def entry(
        self, page: Worksheet, row: int, column: int, entry: Entry, spec: Field, style: Format
    ) -> None:
        """One cell as a person would type it; text is always text, never a formula."""
        if isinstance(entry, str) and spec.type not in _TEXT_FORMAT | {"longtext"}:
            entry = _typed(entry, spec)
        if entry is None or entry == "":
            page.write_blank(row, column, None, style)
        elif isinstance(entry, date):
            page.write_datetime(row, column, entry, style)
        elif isinstance(entry, str):
            if page.write_string(row, column, entry, style) != 0:
                raise EvalkitError(
                    [Problem(what=f"{spec.label}有 {len(entry)} 个字符，超出一个单元格的容量",
                             remedy="请缩短，长的叙述写在“文字.docx”里", code="text.long")]
                )  # fmt: skip
        elif isinstance(entry, Decimal) and len(entry.as_tuple().digits) > _DIGITS:
            page.write_string(row, column, plain(entry), style)
        else:
            page.write_number(row, column, float(entry), style)

    def validate(self, page: Worksheet, top: int, bottom: int, column: int, spec: Field) -> None:
        choices: Any = ["是", "否"] if spec.type == "yesno" else list(spec.choices)
        if spec.choices in self.lists:
            choices = self.lists[spec.choices]
        rule: dict[str, Any] = {"validate": "list", "source": choices}
        rule |= {"error_title": "不在可选项中", "error_message": "请从下拉框选择。"}
        if spec.refers in self.codes:
            rule |= {"source": self.codes[spec.refers], "error_type": "warning"}
            rule |= {"error_message": "没有这个编号，仍要填写吗？"}
        if rule["source"]:
            page.data_validation(top, column, bottom, column, rule)


def _typed(text: str, spec: Field) -> Entry:
    """Text that Excel would take as a number or a date, typed so."""
    digits = text.replace("-", "").replace(".", "")
    if spec.type != "date" and _NUMBER.fullmatch(text) and len(digits) <= _DIGITS:
        return Decimal(text)
    if spec.type in ("date", "value") and _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text
    return text


def _units(text: str) -> float:
    """Width of text in Excel's column units: a Chinese character takes two."""
    return sum(2.1 if ord(char) > 0x2E7F else 1.1 for char in text)


def _width(spec: Field, label: str) -> float:
    if spec.fill_down:
        return 14
    natural = float(_WIDTHS.get(spec.type, 0)) or max(map(_units, spec.choices), default=8) + 3
    return max(natural, min(_units(label + "*") + 2, 18))


def _height(text: str, width: float) -> float:
    """Row height for wrapped text in a column of `width`."""
    lines = sum(max(1, math.ceil(_units(line) / width)) for line in text.split("\n"))
    return min(17.0 * lines + 3, 400)


def _print_setup(page: Worksheet, landscape: bool) -> None:
    if landscape:
        page.set_landscape()
    page.set_paper(9)  # A4
    page.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
    page.set_footer("&C第 &P 页，共 &N 页")
