"""From a filled workbook to data: every value with its cell, every problem in one go.

The layout is taken as people leave it: title rows above the header, moved or missing columns,
merged cells, blank rows, footnotes, totals, example rows.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from evalkit.core.model import Datum, Row, Source, Table
from evalkit.core.problem import Problem, refusal, sentence
from evalkit.workbook.cells import normal_unit, read_cell, split_scale
from evalkit.workbook.names import clean, label_key, match_key, nearest, quote, split_label
from evalkit.workbook.opener import open_twice
from evalkit.workbook.schema import GUIDE_SHEET, LISTS_SHEET, META_SHEET, Field, Schema, Sheet
from evalkit.workbook.texts import WORDS

HEADER_WITHIN = 15
INDEX, EXAMPLE_MARK = "序号", "例"
FORM_HEAD = ("项目", "填写内容", "说明")

FOOTNOTE = re.compile(r"(注|备注|说明|附注|填表说明|资料来源|数据来源)\s*\d*\s*[:：、.．]")
SIGNATURE = re.compile(r"(填表|填报|制表|审核|编制|复核|联系)(人|日期|单位|电话)\s*[:：]")
UNIT_LINE = re.compile(r"(?:金额)?单位[:：]\s*(\S*元)")
_OTHER_FILE = re.compile(r"\[(?:\d+|[^\]]+\.(?:xl\w+|et))\]", re.IGNORECASE)


class Cell(NamedTuple):
    """One filled cell; `type` is openpyxl's: e an Excel error, str the text of a formula."""

    value: Any = None
    type: str = "n"
    shown: str = "General"  # its number format
    formula: str = ""
    text: str = ""  # its value as clean text


Spot = tuple[int, int]  # row, column


@dataclass(frozen=True)
class Page:
    """One sheet while it is read: its filled cells by row and column, in order, and its merges."""

    title: str
    cells: dict[Spot, Cell] = field(default_factory=dict)
    merged: dict[Spot, tuple[int, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def say(self, code: str, cell: str = "", label: str = "", **facts: object) -> None:
        """Note a problem at a cell; the field's label stands before its sentence."""
        self.add(sentence(code, **facts), cell, label)

    def add(self, problem: Problem, cell: str, label: str) -> None:
        """The same for a problem that has been put in words."""
        update = {"what": label + problem.what, "sheet": self.title, "cell": cell}
        self.problems.append(problem.model_copy(update=update))

    def ascribe(self, start: int, row: Row) -> None:
        """Say of the problems from `start` on which indicator they concern."""
        code = next((row[key].text for key in ("indicator", "code") if key in row), "")
        late = [p.model_copy(update={"indicator": code}) for p in self.problems[start:]]
        self.problems[start:] = late

    def cell(self, row: int, column: int) -> Cell:
        """What stands at row and column, counted from 1."""
        return self.cells.get((row, column), Cell())

    def area(self, row: int, column: int) -> tuple[int, ...]:
        """The merge that a cell lies in, or the cell alone: left, top, right, bottom."""
        return self.merged.get((row, column), (column, row, column, row))

    def header(self, row: int, column: int) -> str:
        """A header cell; one merged downwards counts for each of its rows."""
        left, top, *_ = self.area(row, column)
        return self.cell(top if left == column else row, column).text


def read(path: Path, schema: Schema) -> Source:
    """Read a filled workbook.

    All problems of the content are in `Source.problems`, in the order of sheets and rows; blank
    fields that only a 送审稿 or 终稿 needs are warnings with code ``required.final``.
    Money columns come in 元; other numbers in the unit of their row where it can be converted.

    Raises:
        EvalkitError: the file cannot be opened, is not this kind of workbook, or is newer.
    """
    values, formulas = open_twice(path)
    titles = {label_key(title): title for title in values.sheetnames}
    version, problems = _version(path, schema, values)
    forms: dict[str, Row] = {}
    tables: dict[str, Table] = {}
    pages: dict[str, Page] = {}
    for sheet in schema.sheets:
        title = titles.get(label_key(sheet.name))
        page = sheet_page(title, values[title], formulas[title]) if title else None
        pages[sheet.id] = page or Page(sheet.name)
        if sheet.kind == "form":
            forms[sheet.id] = sheet.blank | (_read_form(page, sheet, version) if page else {})
        else:
            tables[sheet.id] = _read_table(page, sheet, version) if page else []
    for sheet in schema.sheets:
        _check_codes(pages[sheet.id], sheet, schema, tables)
        problems += _gathered(pages[sheet.id].problems)
    opened = {sheet.id: _free_headers(tables[sheet.id]) for sheet in schema.sheets if sheet.open}
    return Source(
        path=str(path), schema_name=schema.name, version=version,
        forms=forms, tables=tables, open_columns=opened,
        problems=[problem.model_copy(update={"file": path.name}) for problem in problems],
    )  # fmt: skip


def _version(path: Path, schema: Schema, book: Workbook) -> tuple[int, list[Problem]]:
    """The schema version a workbook was made with, and what its list of sheets tells."""
    sheet = book[META_SHEET] if META_SHEET in book.sheetnames else None
    page = sheet_page(META_SHEET, sheet, sheet)
    meta = {page.cell(row, 1).text: page.cell(row, 2).text for row in (1, 2)}
    version = int(meta["version"]) if re.fullmatch(r"\d{1,6}", meta.get("version", "")) else 0
    keys = {label_key(sheet.name): sheet for sheet in schema.sheets}
    absent = [keys[key] for key in keys if key not in map(label_key, book.sheetnames)]
    if meta.get("schema", schema.name) != schema.name or len(absent) == len(schema.sheets):
        raise refusal("meta.other", file=path.name, title=schema.title)
    if version > schema.version:
        raise refusal("meta.newer", file=path.name, has=version, mine=schema.version)
    code = "meta.older" if version else "meta.missing"
    problems = [sentence(code, has=version)] if version < schema.version else []
    version = version or schema.version
    missed = [s.name for s in absent if s.since <= version and not s.optional]
    if missed:
        problems.append(sentence("sheet.missing", names="、".join(missed)))
    known = keys.keys() | {GUIDE_SHEET, META_SHEET, LISTS_SHEET}
    strange = [title for title in book.sheetnames if label_key(title) not in known]
    problems += [sentence("sheet.unknown", name=quote(t), hint=nearest(t, missed)) for t in strange]
    return version, problems


def sheet_page(title: str, values: Any, formulas: Any) -> Page:
    """A sheet of openpyxl's as a page: its values, and the same sheet with formulas."""
    page = Page(title)
    if not isinstance(values, Worksheet):  # a chart sheet
        return page
    # openpyxl's iterators create every missing cell up to the last formatted row: a million
    for (row, column), written in sorted(formulas._cells.items()):
        if written.value is None:
            continue
        formula, cell = "", values.cell(row, column)
        if written.data_type == "f":  # text, or an object for an array
            formula = str(getattr(written.value, "text", written.value))
        text = "" if cell.value is None else clean(str(cell.value))[0]
        shown = cell.number_format
        page.cells[row, column] = Cell(cell.value, cell.data_type, shown, formula, text)
    for area in values.merged_cells.ranges:
        page.merged.update((spot, area.bounds) for spot in area.cells)
    return page


def cell_name(row: int, column: int) -> str:
    """A cell as people name it; rows from 0 up hold what a file says around its table.

    >>> cell_name(12, 4), cell_name(0, 1)
    ('D12', '表外文字')
    """
    return f"{get_column_letter(column)}{row}" if row > 0 else "表外文字"


def read_datum(page: Page, row: int, column: int, spec: Field, unit: str) -> tuple[Datum, bool]:
    """One cell read for one field, its problems said; and whether it is in order."""
    cell = page.cell(row, column)
    address = cell_name(row, column)
    if _OTHER_FILE.search(cell.formula):
        page.say("formula.external", address, spec.label)
    if cell.type == "e":
        why = sentence(f"formula.{cell.value}", shown=cell.value)
        problems = [why.model_copy(update={"code": "formula.error"})]
        datum = Datum(raw=str(cell.value))
    elif cell.formula and cell.value is None and cell.type != "str":  # str: its result is empty
        datum, problems = Datum(raw=cell.formula), [sentence("formula.uncached")]
    else:
        datum, problems = read_cell(
            cell.value, spec.type, unit=unit, choices=spec.choices, number_format=cell.shown
        )
    for problem in problems:
        page.add(problem, address, spec.label)
    place = {"cell": f"{page.title}!{address}", "formula": cell.formula}
    return datum.model_copy(update=place), all(p.severity != "error" for p in problems)


class _Place(NamedTuple):
    """A cell to read: `key` is that of the row; a free column's is ``OPEN:HEADER``."""

    key: str
    spec: Field
    row: int
    column: int
    unit: str  # of the header or the field


def _locate(
    page: Page, sheet: Sheet, labels: Mapping[Spot, str], version: int
) -> tuple[list[_Place], list[str]]:
    """The fields where their labels stand, and the labels of the others; says what is wrong.

    `labels` are texts by row and column; `version` is that of the workbook.
    """
    kind = "行" if sheet.kind == "form" else "列"
    by_key = {label_key(spec.label): spec for spec in sheet.columns}
    found: dict[str, _Place] = {}
    for spot, label in labels.items():
        name, unit = split_label(label)
        if (spec := by_key.get(name)) and spec.id in found:
            page.say("column.duplicate", cell_name(*spot), kind=kind, name=quote(label))
        elif spec:
            found[spec.id] = _Place(spec.id, spec, *spot, unit)
    absent = [spec for spec in sheet.columns if spec.id not in found]
    for code, needed in (("column.missing", True), ("column.absent", False)):
        missed = [s.label for s in absent if bool(s.required) == needed and s.since <= version]
        if missed:
            page.say(code, kind=kind, names="、".join(missed))
    places = [found[spec.id] for spec in sheet.columns if spec.id in found]
    return places, [spec.label for spec in absent]


def _read_form(page: Page, sheet: Sheet, version: int) -> dict[str, Datum]:
    keys = {label_key(spec.label) for spec in sheet.fields}
    known = Counter(at for (_, at), cell in page.cells.items() if label_key(cell.text) in keys)
    ((at, _),) = known.most_common(1) or [(1, 0)]
    labels = {spot: cell.text for spot, cell in page.cells.items() if spot[1] == at and cell.text}
    places, absent = _locate(page, sheet, labels, version)
    beside = {row: page.area(row, at)[2] + 1 for row, _ in labels}
    spots = (p._replace(column=beside[p.row], unit=p.spec.unit or p.unit) for p in places)
    result = _read_places(page, [*spots], above={})
    for (row, _), label in labels.items():
        other = label_key(label) in keys or label in FORM_HEAD or FOOTNOTE.match(label)
        if not other and page.cell(row, beside[row]).text:
            name, hint = quote(label), nearest(label, absent)
            page.say("column.unknown", cell_name(row, at), kind="项目", name=name, hint=hint)
    return result


class _Head(NamedTuple):
    """Where a table's columns are."""

    row: int  # the last header row
    columns: list[_Place]  # in that row
    numbers: list[int]  # the columns 序号


def _find_head(page: Page, sheet: Sheet, version: int) -> _Head | None:
    keys = {label_key(spec.label) for spec in sheet.columns}
    width = range(1, max((column for _, column in page.cells), default=0) + 1)

    def known(row: int) -> int:
        return len({label_key(page.header(row, column)) for column in width} & keys)

    rows = dict.fromkeys(row for row, _ in page.cells if row <= HEADER_WITHIN)
    best = max(rows, key=known, default=0)
    if known(best) < (1 if sheet.open else min(2, len(keys))):
        names = "、".join(spec.label for spec in sheet.columns)
        page.say("header.missing", rows=HEADER_WITHIN, names=names)
        return None
    above = " ".join(cell.text for (row, _), cell in page.cells.items() if row < best)
    stated = UNIT_LINE.search(above)
    labels = {(best, column): page.header(best, column) for column in width}
    places, absent = _locate(page, sheet, labels, version)
    head = _Head(max(page.area(best, column)[3] for column in width), [], [])
    for place in places:
        spec, unit = place.spec, normal_unit(place.unit)
        address = cell_name(best, place.column)
        if spec.type == "amount":
            unit = unit or (stated[1] if stated else "")
            if not unit:
                page.say("unit.missing", address, spec.label, unit=spec.unit)
            elif split_scale(unit)[1] != "元":
                page.say("unit.unknown", address, text=spec.label, unit=unit)
        head.columns.append(place._replace(unit=unit or spec.unit))
    below = {column: row for row, column in reversed(page.cells) if row > head.row}
    opened: set[str] = set()
    for (_, column), label in labels.items():
        key, address, name = label_key(label), cell_name(best, column), quote(label)
        if key == INDEX:
            head.numbers.append(column)
        elif not label and column in below:
            page.say("column.untitled", cell_name(below[column], column))
        elif not label or key in keys:
            continue
        elif label in opened:
            page.say("column.duplicate", address, kind="列", name=name)
        elif free := sheet.open_field:
            opened.add(label)
            head.columns.append(_Place(f"{free.id}:{label}", free, best, column, free.unit))
            if get_close_matches(key, [label_key(other) for other in absent], n=1, cutoff=0.7):
                hint = nearest(label, absent)
                page.say("column.similar", address, kind=free.label, name=name, hint=hint)
        elif column in below:
            page.say("column.unknown", address, kind="列", name=name, hint=nearest(label, absent))
    return head


def _read_table(page: Page, sheet: Sheet, version: int) -> Table:
    head = _find_head(page, sheet, version)
    if head is None:
        return []
    rows = dict.fromkeys(_data_rows(page, head))
    filled = {column for row, column in page.cells if row in rows}
    columns = [c for c in head.columns if c.key == c.spec.id or c.column in filled]
    table: Table = []
    for row in rows:
        start, above = len(page.problems), table[-1] if table else {}
        places = [column._replace(row=row) for column in columns]
        table.append(sheet.blank | _read_places(page, places, above))
        page.ascribe(start, table[-1])
    return table


def _free_headers(table: Table) -> list[str]:
    return [key.partition(":")[2] for key in table[0] if ":" in key] if table else []


def _data_rows(page: Page, head: _Head) -> Iterator[int]:
    mine = {place.column for place in head.columns}
    spots = (spot for spot, cell in page.cells.items() if cell.formula or cell.text)
    for row, found in groupby(spots, key=lambda spot: spot[0]):
        filled = [column for _, column in found]
        if row <= head.row or mine.isdisjoint(filled):
            continue
        first = page.cell(row, filled[0]).text
        if any(page.cell(row, column).text.startswith(EXAMPLE_MARK) for column in head.numbers):
            _check_example(page, head, row)
        elif match_key(first) in WORDS["totals"]:
            page.say("row.total", cell_name(row, filled[0]), name=quote(first))
        elif not (SIGNATURE.match(first) or (len(filled) == 1 and FOOTNOTE.match(first))):
            yield row


def _check_example(page: Page, head: _Head, row: int) -> None:
    """An example row that a person wrote over would be lost in silence."""
    for key, spec, _, at, unit in head.columns:
        both = (page.cell(row, at).value, spec.example)
        has, had = (read_cell(x, spec.type, unit=unit, choices=spec.choices)[0] for x in both)
        if key == spec.id and page.cell(row, at).text and has.value != had.value:
            page.say("example.edited", cell_name(row, at))
            return


def _read_places(page: Page, places: Sequence[_Place], above: Row) -> Row:
    """A form or a row of a table; `above` is what blank cells may take over."""
    result: Row = {}
    inherits = bool(above)  # a new value further left ends what is filled down
    by_key = {place.key: place for place in places}
    for key, spec, row, column, unit in places:
        if beside := by_key.get(spec.unit_from):
            unit = normal_unit(page.cell(beside.row, beside.column).text) or unit
        datum, sound = read_datum(page, row, column, spec, unit)
        if spec.fill_down:
            if datum.value is None and sound and inherits:
                datum = above[key]
            elif datum.value != above.get(key, Datum()).value:
                inherits = False
        if sound and spec.required and datum.value is None:
            inside = page.area(row, column)[1] < row
            why = "（位于合并单元格内，只有首行有值）" if inside else ""
            page.say(f"required.{spec.required}", cell_name(row, column), spec.label, why=why)
        result[key] = datum
    return result


def _check_codes(page: Page, sheet: Sheet, schema: Schema, tables: dict[str, Table]) -> None:
    """Codes are unique and known, ignoring case and width; references take the code's spelling."""
    table = tables.get(sheet.id, [])
    for spec in sheet.columns:
        seen: dict[str, str] = {}
        target = schema.sheet(spec.refers) if spec.refers else None
        codes = [row[target.key].text for row in tables[target.id]] if target else []
        known = {match_key(code): code for code in codes}
        for at, row in enumerate(table):
            datum = row[spec.id]
            key, cell = match_key(datum.text), datum.cell.rpartition("!")[2]
            start, text = len(page.problems), quote(datum.text)
            if spec.unique and key and seen.setdefault(key, cell) != cell:
                page.say("unique.duplicate", cell, spec.label, text=text, cell_of=seen[key])
            if key in known:
                table[at] = row | {spec.id: datum.model_copy(update={"value": known[key]})}
            elif key and target and codes:  # where the target itself is empty, that is the problem
                facts = {"table": target.name, "hint": nearest(datum.text, codes)}
                page.say("refers.unknown", cell, spec.label, text=text, **facts)
            page.ascribe(start, row)


def _gathered(problems: Sequence[Problem]) -> Iterator[Problem]:
    """Notes of one kind about one column become one note, where the first stands."""
    groups: dict[object, list[Problem]] = {}
    for at, problem in enumerate(problems):
        column = problem.cell.rstrip("0123456789")
        key = (problem.code, column) if problem.severity == "note" else at
        groups.setdefault(key, []).append(problem)
    for first, *more in groups.values():
        what = first.what + (f"（同列共 {len(more) + 1} 处）" if more else "")
        yield first.model_copy(update={"what": what})
