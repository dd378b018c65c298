"""From a filled workbook to data: every value with its cell, every problem in one go.

The layout is taken as people leave it: title rows above the header, moved or missing columns,
merged cells, blank rows, footnotes, totals, example rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from evalkit.core.model import Datum, Row, Source, Table
from evalkit.core.problem import EvalkitError, Problem
from evalkit.workbook.cells import (
    clean,
    label_key,
    match_key,
    nearest,
    normal_unit,
    quote,
    read_cell,
    split_label,
    split_scale,
)
from evalkit.workbook.opener import open_twice
from evalkit.workbook.schema import GUIDE_SHEET, LISTS_SHEET, META_SHEET, Field, Schema, Sheet
from evalkit.workbook.sentences import EXCEL_ERRORS, sentence

HEADER_WITHIN = 15
INDEX, EXAMPLE_MARK = "序号", "例"
FORM_HEAD = ("项目", "填写内容", "说明")

_FOOTNOTE = re.compile(r"(注|备注|说明|附注|填表说明|资料来源|数据来源)\s*\d*\s*[:：、.．]")
_SIGNATURE = re.compile(r"(填表|填报|制表|审核|编制|复核|联系)(人|日期|单位|电话)\s*[:：]")
_TOTALS = {"合计", "总计", "小计", "共计"}
_UNIT_LINE = re.compile(r"(?:金额)?单位[:：]\s*(\S*元)")
_OTHER_FILE = re.compile(r"\[(?:\d+|[^\]]+\.(?:xl\w+|et))\]", re.IGNORECASE)


@dataclass(frozen=True)
class _Page:
    """One sheet while it is read. `values` and `formulas` hold non-empty cells by row, column."""

    title: str
    values: dict[int, dict[int, Any]] = field(default_factory=dict)
    formulas: dict[int, dict[int, str]] = field(default_factory=dict)
    merged: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def say(self, code: str, cell: str = "", indicator: str = "", **facts: object) -> None:
        self.add(sentence(code, **facts), cell, indicator)

    def add(self, problem: Problem, cell: str, indicator: str = "", label: str = "") -> None:
        place = {"sheet": self.title, "cell": cell, "indicator": indicator}
        self.problems.append(problem.model_copy(update={"what": label + problem.what} | place))

    def text(self, row: int, column: int) -> str:
        """A cell as clean text."""
        cell = self.values.get(row, {}).get(column)
        return "" if cell is None or cell.value is None else clean(str(cell.value))[0]

    def area(self, row: int, column: int) -> tuple[int, ...]:
        """The merge that a cell lies in, or the cell alone: left, top, right, bottom."""
        return self.merged.get((row, column), (column, row, column, row))

    def header(self, row: int, column: int) -> str:
        """A header cell; one merged downwards counts for each of its rows."""
        left, top, *_ = self.area(row, column)
        return self.text(top if left == column else row, column)


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
    problems: list[Problem] = []
    try:
        version = _version(schema, values, titles, problems)
    except EvalkitError as refusal:
        raise EvalkitError(_placed(refusal.problems, path)) from None
    forms: dict[str, dict[str, Datum]] = {}
    tables: dict[str, Table] = {}
    open_columns: dict[str, list[str]] = {}
    pages: dict[str, _Page] = {}
    for sheet in schema.sheets:
        title = titles.get(label_key(sheet.name))
        page = _page(title, values[title], formulas[title]) if title else None
        pages[sheet.id] = page or _Page(sheet.name)
        if sheet.kind == "form":
            forms[sheet.id] = _read_form(page, sheet, version) if page else _blank(sheet)
        else:
            tables[sheet.id], opened = _read_table(page, sheet, version) if page else ([], [])
            if sheet.open:
                open_columns[sheet.id] = opened
    for sheet in schema.sheets:
        if sheet.kind == "table":
            _check_codes(pages[sheet.id], sheet, schema, tables)
        problems += _gathered(pages[sheet.id].problems)
    return Source(
        path=str(path),
        schema_name=schema.name,
        version=version,
        forms=forms,
        tables=tables,
        open_columns=open_columns,
        problems=_placed(problems, path),
    )


def _placed(problems: list[Problem], path: Path) -> list[Problem]:
    return [problem.model_copy(update={"file": path.name}) for problem in problems]


def _blank(sheet: Sheet) -> dict[str, Datum]:
    return {spec.id: Datum() for spec in sheet.fields}


def _version(
    schema: Schema, workbook: Workbook, titles: Mapping[str, str], problems: list[Problem]
) -> int:
    """The schema version a workbook was made with; also what its list of sheets tells."""
    meta: dict[str, str] = {}
    if META_SHEET in workbook.sheetnames and isinstance(workbook[META_SHEET], Worksheet):
        found = workbook[META_SHEET]
        meta = {str(found.cell(r, 1).value): str(found.cell(r, 2).value) for r in (1, 2)}
    version = int(meta["version"]) if re.fullmatch(r"\d{1,6}", meta.get("version", "")) else 0
    absent = [sheet.name for sheet in schema.sheets if label_key(sheet.name) not in titles]
    if meta.get("schema", schema.name) != schema.name or len(absent) == len(schema.sheets):
        raise EvalkitError([sentence("meta.other", title=schema.title)])
    if version > schema.version:
        raise EvalkitError([sentence("meta.newer", has=version, mine=schema.version)])
    if not version:
        problems.append(sentence("meta.missing"))
        version = schema.version
    elif version < schema.version:
        problems.append(sentence("meta.older", has=version))
    absent = [s.name for s in schema.sheets if s.name in absent and s.since <= version]
    if absent:
        problems.append(sentence("sheet.missing", names="、".join(absent)))
    known = {label_key(sheet.name) for sheet in schema.sheets}
    known |= {GUIDE_SHEET, META_SHEET, LISTS_SHEET}
    for key, title in titles.items():
        if key not in known:
            hint = nearest(title, absent)
            problems.append(sentence("sheet.unknown", name=quote(title), hint=hint))
    return version


def _page(title: str, values: Any, formulas: Any) -> _Page:
    if not isinstance(values, Worksheet):  # a chart sheet
        return _Page(title)
    grid: dict[int, dict[int, Any]] = {}
    written: dict[int, dict[int, str]] = {}
    # openpyxl's iterators create every missing cell up to the last formatted row: a million
    for (row, column), cell in sorted(formulas._cells.items()):
        if cell.value is None:
            continue
        grid.setdefault(row, {})[column] = values.cell(row, column)
        if cell.data_type == "f":
            text = cell.value if isinstance(cell.value, str) else getattr(cell.value, "text", "=")
            written.setdefault(row, {})[column] = str(text)
    merged = {
        (row, column): area.bounds
        for area in values.merged_cells.ranges
        for row in range(area.min_row, area.max_row + 1)
        for column in range(area.min_col, area.max_col + 1)
    }
    return _Page(title, grid, written, merged)


def _address(row: int, column: int) -> str:
    return f"{get_column_letter(column)}{row}"


def _datum(page: _Page, row: int, column: int, spec: Field, unit: str) -> tuple[Datum, bool]:
    """One cell read for one field, its problems said; and whether it is in order."""
    address = _address(row, column)
    formula = page.formulas.get(row, {}).get(column, "")
    place = {"cell": f"{page.title}!{address}", "formula": formula}
    cell = page.values.get(row, {}).get(column)
    found: list[Problem] = []
    if cell is None:
        return Datum(**place), True
    if formula and _OTHER_FILE.search(formula):
        found.append(sentence("formula.external"))
    if cell.data_type == "e":
        datum = Datum(raw=str(cell.value))
        what, remedy = EXCEL_ERRORS.get(datum.raw, ("公式出错", "请检查公式"))
        found.append(sentence("formula.error", shown=datum.raw, what=what, remedy=remedy))
    elif formula and cell.value is None and cell.data_type != "str":  # str: its result is empty
        datum = Datum(raw=formula)
        found.append(sentence("formula.uncached"))
    else:
        shown = cell.number_format
        datum, more = read_cell(
            cell.value, spec.type, unit=unit, choices=spec.choices, number_format=shown
        )
        found += more
    for problem in found:
        page.add(problem, address, label=spec.label)
    return datum.model_copy(update=place), all(p.severity != "error" for p in found)


def _require(page: _Page, spec: Field, datum: Datum, indicator: str = "", why: str = "") -> None:
    if spec.required and datum.value is None:
        cell = datum.cell.rpartition("!")[2]
        page.say(f"required.{spec.required}", cell, indicator, label=spec.label, why=why)


def _missing(page: _Page, sheet: Sheet, found: Collection[str], version: int) -> None:
    absent = [spec for spec in sheet.columns if spec.id not in found and spec.since <= version]
    kind = "行" if sheet.kind == "form" else "列"
    for code, needed in (("column.missing", True), ("column.absent", False)):
        labels = [spec.label for spec in absent if bool(spec.required) == needed]
        if labels:
            page.say(code, kind=kind, names="、".join(labels))


def _read_form(page: _Page, sheet: Sheet, version: int) -> dict[str, Datum]:
    by_key = {label_key(spec.label): spec for spec in sheet.fields}
    counts = Counter(
        column
        for row, cells in page.values.items()
        for column in cells
        if label_key(page.text(row, column)) in by_key
    )
    labels_in = max(counts, key=lambda column: counts[column], default=1)
    labels = {row: label for row in page.values if (label := page.text(row, labels_in))}
    rows: dict[str, int] = {}
    for row, label in labels.items():
        spec = by_key.get(label_key(label))
        if spec and spec.id in rows:
            page.say("column.duplicate", _address(row, labels_in), kind="行", name=quote(label))
        elif spec:
            rows[spec.id] = row
    result = _blank(sheet)
    for spec in sheet.fields:
        if spec.id in rows:
            row = rows[spec.id]
            value_in = page.area(row, labels_in)[2] + 1
            unit = spec.unit or split_label(labels[row])[1]
            result[spec.id], sound = _datum(page, row, value_in, spec, unit)
            if sound:
                _require(page, spec, result[spec.id])
    _missing(page, sheet, rows, version)
    missing = [spec.label for spec in sheet.fields if spec.id not in rows]
    for row, label in labels.items():
        known = label_key(label) in by_key or label in FORM_HEAD or _FOOTNOTE.match(label)
        if not known and page.text(row, page.area(row, labels_in)[2] + 1):
            facts = {"name": quote(label), "hint": nearest(label, missing)}
            page.say("column.unknown", _address(row, labels_in), kind="项目", **facts)
    return result


@dataclass(frozen=True)
class _Head:
    """Where a table's columns are."""

    row: int  # the last header row
    columns: dict[str, int] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)  # free header → column
    index: list[int] = field(default_factory=list)  # the column 序号


def _find_head(page: _Page, sheet: Sheet, version: int) -> _Head | None:
    by_key = {label_key(spec.label): spec for spec in sheet.columns}
    width = range(1, max((max(cells) for cells in page.values.values()), default=0) + 1)

    def known(row: int) -> int:
        return len({label_key(page.header(row, column)) for column in width} & set(by_key))

    rows = [row for row in page.values if row <= HEADER_WITHIN]
    best = max(rows, key=known, default=0)
    if not best or known(best) < (1 if sheet.open else min(2, len(by_key))):
        names = "、".join(spec.label for spec in sheet.columns)
        page.say("header.missing", rows=HEADER_WITHIN, names=names)
        return None
    above = " ".join(page.text(r, c) for r in rows if r < best for c in page.values[r])
    stated = _UNIT_LINE.search(above)
    head = _Head(max(page.area(best, column)[3] for column in width))
    labels = {column: page.header(best, column) for column in width}
    absent = {key: spec.label for key, spec in by_key.items()}
    for label in labels.values():
        absent.pop(label_key(label), None)
    below: dict[int, int] = {}  # column → first filled row under the header
    for row, cells in page.values.items():
        if row > head.row:
            below |= {column: row for column in cells if column not in below}
    for column, label in labels.items():
        key, unit = split_label(label)
        spec = by_key.get(key)
        address = _address(best, column)
        if (spec and spec.id in head.columns) or label in head.opened:
            page.say("column.duplicate", address, kind="列", name=quote(label))
        elif spec:
            head.columns[spec.id] = column
            unit = normal_unit(unit) or (stated[1] if stated and spec.type == "amount" else "")
            head.units[spec.id] = unit or spec.unit
            _check_unit(page, spec, unit, address)
        elif key == INDEX:
            head.index.append(column)
        elif label and sheet.open_field:
            head.opened[label] = column
            if get_close_matches(key, absent, n=1, cutoff=0.7):
                facts = {"name": quote(label), "hint": nearest(label, list(absent.values()))}
                page.say("column.similar", address, kind=sheet.open_field.label, **facts)
        elif label and column in below:
            facts = {"name": quote(label), "hint": nearest(label, list(absent.values()))}
            page.say("column.unknown", address, kind="列", **facts)
        elif column in below:
            page.say("column.untitled", _address(below[column], column))
    _missing(page, sheet, head.columns, version)
    return head


def _check_unit(page: _Page, spec: Field, unit: str, address: str) -> None:
    if spec.type == "amount" and not unit:
        page.add(sentence("unit.missing", unit=spec.unit), address, label=spec.label)
    elif spec.type == "amount" and split_scale(unit)[1] != "元":
        page.say("unit.unknown", address, text=spec.label, unit=unit)


def _read_table(page: _Page, sheet: Sheet, version: int) -> tuple[Table, list[str]]:
    head = _find_head(page, sheet, version)
    if head is None:
        return [], []
    rows = list(_data_rows(page, sheet, head))
    filled = {column for row in rows for column in page.values[row]}
    opened = {label: column for label, column in head.opened.items() if column in filled}
    table: Table = []
    for row in rows:
        table.append(_read_row(page, sheet, head, opened, row, table[-1] if table else {}))
    return table, list(opened)


def _data_rows(page: _Page, sheet: Sheet, head: _Head) -> Iterator[int]:
    mine = {*head.columns.values(), *head.opened.values()}
    for row, cells in page.values.items():
        filled = {c for c in cells if c in page.formulas.get(row, {}) or page.text(row, c)}
        if row <= head.row or not filled & mine:
            continue
        first = page.text(row, min(filled))
        if any(page.text(row, column).startswith(EXAMPLE_MARK) for column in head.index):
            _check_example(page, sheet, head, row)
        elif match_key(first) in _TOTALS:
            page.say("row.total", _address(row, min(filled)), name=quote(first))
        elif not (_SIGNATURE.match(first) or (len(filled) == 1 and _FOOTNOTE.match(first))):
            yield row


def _check_example(page: _Page, sheet: Sheet, head: _Head, row: int) -> None:
    """An example row that a person wrote over would be lost in silence."""
    for spec in sheet.columns:
        column = head.columns.get(spec.id, 0)
        if not page.text(row, column):
            continue
        unit = head.units[spec.id]
        has, had = (
            read_cell(content, spec.type, unit=unit, choices=spec.choices)[0].value
            for content in (page.values[row][column].value, spec.example)
        )
        if has != had:
            page.say("example.edited", _address(row, column))
            return


def _read_row(
    page: _Page, sheet: Sheet, head: _Head, opened: Mapping[str, int], row: int, above: Row
) -> Row:
    start = len(page.problems)
    result: Row = {}
    unsound: set[str] = set()
    inherits = bool(above)  # a new value further left ends what is filled down
    for spec in sheet.columns:
        if spec.id not in head.columns:
            result[spec.id] = Datum()
            continue
        unit = head.units[spec.id]
        if beside := head.columns.get(spec.unit_from):
            unit = normal_unit(page.text(row, beside)) or unit
        datum, sound = _datum(page, row, head.columns[spec.id], spec, unit)
        if not sound:
            unsound.add(spec.id)
        if spec.fill_down:
            if datum.value is None and sound and inherits:
                datum = above[spec.id]
            elif datum.value != above.get(spec.id, Datum()).value:
                inherits = False
        result[spec.id] = datum
    if sheet.open_field:
        for label, column in opened.items():
            datum, _ = _datum(page, row, column, sheet.open_field, sheet.open_field.unit)
            result[f"{sheet.open}:{label}"] = datum
    for spec in sheet.columns:
        if spec.id in head.columns and spec.id not in unsound:
            inside = page.area(row, head.columns[spec.id])[1] < row
            why = "（位于合并单元格内，只有首行有值）" if inside else ""
            _require(page, spec, result[spec.id], why=why)
    update = {"indicator": _indicator(result)}
    page.problems[start:] = [p.model_copy(update=update) for p in page.problems[start:]]
    return result


def _check_codes(page: _Page, sheet: Sheet, schema: Schema, tables: dict[str, Table]) -> None:
    """Codes are unique and known, ignoring case and width; references take the code's spelling."""
    table = tables[sheet.id]
    for spec in sheet.columns:
        seen: dict[str, str] = {}
        target = schema.sheet(spec.refers) if spec.refers else None
        codes = [row[_code_of(target)].text for row in tables[target.id]] if target else []
        known = {match_key(code): code for code in codes}
        for at, row in enumerate(table):
            datum = row[spec.id]
            key = match_key(datum.text)
            cell = datum.cell.rpartition("!")[2]
            facts = {"label": spec.label, "text": quote(datum.text)}
            if spec.unique and key in seen:
                page.say("unique.duplicate", cell, _indicator(row), **facts, cell_of=seen[key])
            if key:
                seen[key] = cell
            if key in known:
                table[at] = row | {spec.id: datum.model_copy(update={"value": known[key]})}
            elif key and target and codes:  # where the target itself is empty, that is the problem
                facts |= {"sheet": target.name, "hint": nearest(datum.text, codes)}
                page.say("refers.unknown", cell, _indicator(row), **facts)


def _code_of(sheet: Sheet) -> str:
    return next(spec.id for spec in sheet.columns if spec.unique)


def _indicator(row: Row) -> str:
    return next((row[key].text for key in ("indicator", "code") if key in row), "")


def _gathered(problems: list[Problem]) -> list[Problem]:
    """Notes of one kind about one column become one note, where the first stands."""
    groups: dict[object, list[Problem]] = {}
    for at, problem in enumerate(problems):
        column = problem.cell.rstrip("0123456789")
        key = (problem.code, column) if problem.severity == "note" else at
        groups.setdefault(key, []).append(problem)
    return [
        first.model_copy(update={"what": f"{first.what}（同列共 {len(more) + 1} 处）"})
        if more
        else first
        for first, *more in groups.values()
    ]
