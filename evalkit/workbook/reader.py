"""From a filled workbook to data: every value with its cell, every problem in one go.

The layout is taken as people leave it: title rows above the header, moved or missing columns,
merged cells, blank rows, footnotes, totals, example rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from evalkit.core.model import Datum, Row, Source, Table
from evalkit.core.problem import EvalkitError, Problem, Severity
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

HEADER_WITHIN = 15
INDEX, EXAMPLE_MARK = "序号", "例"
FORM_HEAD = ("项目", "填写内容", "说明")

_FOOTNOTE = re.compile(r"(注|备注|说明|附注|填表说明|资料来源|数据来源)\s*\d*\s*[:：、.．]")
_SIGNATURE = re.compile(r"(填表|填报|制表|审核|编制|复核|联系)(人|日期|单位|电话)\s*[:：]")
_TOTALS = {"合计", "总计", "小计", "共计"}
_UNIT_LINE = re.compile(r"(?:金额)?单位[:：]\s*(\S*元)")
_OTHER_FILE = re.compile(r"\[(?:\d+|[^\]]+\.(?:xl\w+|et))\]", re.IGNORECASE)
_ERRORS = {
    "#DIV/0!": ("公式除以了零", "请检查分母是否为空或为 0"),
    "#REF!": ("公式引用的单元格已被删除", "请重新指向数据所在的单元格"),
    "#N/A": ("公式没有查到对应的值", "请检查查找值，或直接填写数值"),
    "#VALUE!": ("公式拿文字做了计算", "请检查公式引用的单元格是否都是数值"),
    "#NAME?": ("公式里有不认识的函数或名称", "请检查拼写，或粘贴为数值"),
    "#NUM!": ("公式算出了无效的数", "请检查公式的参数"),
    "#NULL!": ("公式里的区域没有交集", "请检查区域之间的空格和逗号"),
}


@dataclass(frozen=True)
class _Page:
    """One sheet while it is read. `values` and `formulas` hold non-empty cells by row, column."""

    file: str
    title: str
    values: dict[int, dict[int, Any]]
    formulas: dict[int, dict[int, str]]
    merged: dict[tuple[int, int], tuple[int, int, int, int]]  # cell → left, top, right, bottom
    problems: list[Problem] = field(default_factory=list)

    def say(
        self,
        code: str,
        what: str,
        remedy: str = "",
        severity: Severity = "error",
        cell: str = "",
        indicator: str = "",
    ) -> None:
        self.problems.append(
            Problem(what=what, remedy=remedy, severity=severity, code=code, file=self.file,
                    sheet=self.title, cell=cell, indicator=indicator)
        )  # fmt: skip

    def text(self, row: int, column: int) -> str:
        """A cell as clean text."""
        cell = self.values.get(row, {}).get(column)
        return "" if cell is None or cell.value is None else clean(str(cell.value))[0]

    def header(self, row: int, column: int) -> str:
        """A header cell; one merged downwards counts for each of its rows."""
        left, top, _, _ = self.merged.get((row, column), (column, row, column, row))
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
    problems: list[Problem] = []
    titles = {label_key(title): title for title in values.sheetnames}
    version = _version(path, schema, values, titles, problems)
    forms: dict[str, dict[str, Datum]] = {}
    tables: dict[str, Table] = {}
    open_columns: dict[str, list[str]] = {}
    pages: dict[str, _Page] = {}
    for sheet in schema.sheets:
        title = titles.get(label_key(sheet.name))
        if title is None:
            page = _Page(path.name, sheet.name, {}, {}, {})
        else:
            page = _page(path.name, title, values[title], formulas[title])
        if sheet.kind == "form":
            forms[sheet.id] = _read_form(page, sheet, title is not None, version)
        else:
            tables[sheet.id], opened = _read_table(page, sheet, title is not None, version)
            if sheet.open:
                open_columns[sheet.id] = opened
        pages[sheet.id] = page
    for sheet in schema.sheets:
        if sheet.kind == "table":
            _check_codes(pages[sheet.id], sheet, schema, tables)
    for page in pages.values():
        problems += _gathered(page.problems)
    return Source(
        path=str(path),
        schema_name=schema.name,
        version=version,
        forms=forms,
        tables=tables,
        open_columns=open_columns,
        problems=problems,
    )


def _version(
    path: Path,
    schema: Schema,
    workbook: Workbook,
    titles: Mapping[str, str],
    problems: list[Problem],
) -> int:
    """The schema version a workbook was made with; also what its list of sheets tells."""

    def note(code: str, what: str, remedy: str, severity: Severity = "note") -> Problem:
        return Problem(file=path.name, code=code, what=what, remedy=remedy, severity=severity)

    meta: dict[str, str] = {}
    if META_SHEET in workbook.sheetnames and isinstance(workbook[META_SHEET], Worksheet):
        found = workbook[META_SHEET]
        meta = {str(found.cell(r, 1).value): str(found.cell(r, 2).value) for r in (1, 2)}
    version = int(meta["version"]) if meta.get("version", "").isdecimal() else 0
    absent = [sheet.name for sheet in schema.sheets if label_key(sheet.name) not in titles]
    if meta.get("schema", schema.name) != schema.name or len(absent) == len(schema.sheets):
        raise EvalkitError(
            [
                note(
                    "meta.other",
                    f"不是“{schema.title}”工作簿",
                    "请用 evalkit new 生成空白工作簿填写",
                    "error",
                )
            ]
        )
    if version > schema.version:
        raise EvalkitError(
            [note("meta.newer", f"工作簿版本 {version} 高于本程序支持的 {schema.version}",
                  "请升级 evalkit 后再读取", "error")]
        )  # fmt: skip
    if not version:
        problems.append(
            note("meta.missing", "没有版本信息，按当前版本读取", "建议使用空白工作簿填写")
        )
        version = schema.version
    elif version < schema.version:
        problems.append(
            note(
                "meta.older",
                f"由旧版本 {version} 的空白工作簿填写，已按旧版读取",
                "新增的列视为未填",
            )
        )
    absent = [s.name for s in schema.sheets if s.name in absent and s.since <= version]
    if absent:
        problems.append(
            note("sheet.missing", f"缺少工作表：{'、'.join(absent)}",
                 "请从空白工作簿复制这些表，无内容的留空即可", "error")
        )  # fmt: skip
    known = {label_key(sheet.name) for sheet in schema.sheets}
    extra = [
        t for k, t in titles.items() if k not in known | {GUIDE_SHEET, META_SHEET, LISTS_SHEET}
    ]
    for title in extra:
        problems.append(
            note("sheet.unknown", f"工作表{quote(title)}不在定义之内，未读取",
                 f"不影响评价，可保留{nearest(title, absent)}")
        )  # fmt: skip
    return version


def _page(file: str, title: str, values: Any, formulas: Any) -> _Page:
    if not isinstance(values, Worksheet):
        return _Page(file, title, {}, {}, {})
    grid: dict[int, dict[int, Any]] = {}
    # openpyxl's iterators create every missing cell up to the last formatted row: a million
    for (row, column), cell in values._cells.items():
        if cell.value is not None:
            grid.setdefault(row, {})[column] = cell
    written: dict[int, dict[int, str]] = {}
    for (row, column), cell in formulas._cells.items():
        if cell.data_type == "f":
            text = cell.value if isinstance(cell.value, str) else getattr(cell.value, "text", "=")
            written.setdefault(row, {})[column] = str(text)
            if row not in grid or column not in grid[row]:
                grid.setdefault(row, {})[column] = values.cell(row, column)
    merged = {}
    for area in values.merged_cells.ranges:
        for row in range(area.min_row, area.max_row + 1):
            for column in range(area.min_col, area.max_col + 1):
                merged[row, column] = area.bounds
    rows = {row: dict(sorted(grid[row].items())) for row in sorted(grid)}
    return _Page(file, title, rows, written, merged)


def _address(row: int, column: int) -> str:
    return f"{get_column_letter(column)}{row}"


def _datum(page: _Page, row: int, column: int, spec: Field, unit: str) -> tuple[Datum, bool]:
    """One cell read for one field, its problems said; and whether it is in order."""
    address = _address(row, column)
    formula = page.formulas.get(row, {}).get(column, "")
    place = {"cell": f"{page.title}!{address}", "formula": formula}
    cell = page.values.get(row, {}).get(column)

    def say(code: str, what: str, remedy: str, severity: Severity = "error") -> None:
        page.say(code, f"{spec.label}{what}", remedy, severity, address)

    if cell is not None and cell.data_type == "e":
        shown = str(cell.value)
        what, remedy = _ERRORS.get(shown, ("公式出错", "请检查公式"))
        say("formula.error", f"显示 {shown}：{what}", remedy)
        return Datum(raw=shown, **place), False
    if formula and _OTHER_FILE.search(formula):
        say("formula.external", "的公式引用了其他文件，取用的是上次保存的结果",
            "请核对后粘贴为数值", "warning")  # fmt: skip
    if formula and cell is not None and cell.value is None and cell.data_type != "str":
        say("formula.uncached", "是公式，但没有保存计算结果", "请用 Excel 或 WPS 打开并保存一次")
        return Datum(raw=formula, **place), False
    if cell is None:
        return Datum(**place), True
    datum, found = read_cell(
        cell.value, spec.type, unit=unit, choices=spec.choices, number_format=cell.number_format
    )
    for problem in found:
        say(problem.code, problem.what, problem.remedy, problem.severity)
    return datum.model_copy(update=place), not any(p.severity == "error" for p in found)


def _require(page: _Page, spec: Field, datum: Datum, indicator: str = "", why: str = "") -> None:
    if spec.required and datum.value is None:
        page.say(
            f"required.{spec.required}",
            f"{spec.label}为空{why}",
            "请填写" if spec.required == "always" else "送审稿、终稿前须填写",
            "error" if spec.required == "always" else "warning",
            datum.cell.rpartition("!")[2],
            indicator,
        )


def _missing(page: _Page, sheet: Sheet, found: Mapping[str, object], version: int) -> None:
    absent = [f for f in sheet.columns if f.id not in found and f.since <= version]
    what = "行" if sheet.kind == "form" else "列"
    for needed, severity in ((True, "error"), (False, "warning")):
        labels = [f.label for f in absent if bool(f.required) == needed]
        if labels:
            page.say(
                "column.missing",
                f"缺少{what}：{'、'.join(labels)}",
                f"请从空白工作簿复制{what}名" if needed else f"用不到的{what}可以忽略",
                "error" if severity == "error" else "warning",
            )


def _read_form(page: _Page, sheet: Sheet, present: bool, version: int) -> dict[str, Datum]:
    by_key = {label_key(spec.label): spec for spec in sheet.fields}
    places: dict[str, list[tuple[int, int]]] = {}
    counts: dict[int, int] = {}
    for row, cells in page.values.items():
        for column in cells:
            key = label_key(page.text(row, column))
            if key in by_key:
                counts[column] = counts.get(column, 0) + 1
                places.setdefault(by_key[key].id, []).append((row, column))
    labels_in = max(counts, key=lambda column: counts[column], default=1)
    result: dict[str, Datum] = {}
    found: dict[str, tuple[int, int]] = {}
    for spec in sheet.fields:
        here = [place for place in places.get(spec.id, []) if place[1] == labels_in]
        if len(here) > 1:
            page.say("column.duplicate", f"“{spec.label}”出现了 {len(here)} 次", "请只保留一行",
                     cell=_address(*here[1]))  # fmt: skip
        if not here:
            result[spec.id] = Datum()
            continue
        row, column = found[spec.id] = here[0]
        value_in = page.merged.get((row, column), (0, 0, column, 0))[2] + 1
        unit = spec.unit or split_label(page.text(row, column))[1]
        datum, sound = _datum(page, row, value_in, spec, unit)
        result[spec.id] = datum
        if sound:
            _require(page, spec, datum)
    if present:
        _missing(page, sheet, found, version)
        missing = [spec.label for spec in sheet.fields if spec.id not in found]
        for row in page.values:
            label = page.text(row, labels_in)
            known = label_key(label) in by_key or label in FORM_HEAD or _FOOTNOTE.match(label)
            if label and not known and page.text(row, labels_in + 1):
                page.say("column.unknown", f"不认识的项目{quote(label)}，未读取",
                         f"请使用空白工作簿中的名称{nearest(label, missing)}", "warning",
                         _address(row, labels_in))  # fmt: skip
    return result


@dataclass(frozen=True)
class _Head:
    """Where a table's columns are."""

    row: int  # the last header row
    columns: dict[str, int]
    units: dict[str, str]
    opened: dict[str, int]  # free header → column
    index: int = 0  # the column 序号


def _find_head(page: _Page, sheet: Sheet, version: int) -> _Head | None:
    by_key = {label_key(spec.label): spec for spec in sheet.columns}

    width = max((max(cells) for cells in page.values.values()), default=0)

    def known(row: int) -> int:
        return len({label_key(page.header(row, c)) for c in range(1, width + 1)} & set(by_key))

    rows = [row for row in page.values if row <= HEADER_WITHIN]
    best = max(rows, key=known, default=0)
    if not best or known(best) < (1 if sheet.open else min(2, len(by_key))):
        page.say(
            "header.missing",
            f"前 {HEADER_WITHIN} 行里没有找到表头",
            f"表头应有：{'、'.join(spec.label for spec in sheet.columns)}",
        )
        return None
    last = max(page.merged.get((best, c), (0, 0, 0, best))[3] for c in range(1, width + 1))
    above = " ".join(page.text(r, c) for r in rows if r < best for c in page.values[r])
    stated = _UNIT_LINE.search(above)
    columns: dict[str, int] = {}
    units: dict[str, str] = {}
    opened: dict[str, int] = {}
    index = 0
    labels = {column: page.header(best, column) for column in range(1, width + 1)}
    present = {label_key(label) for label in labels.values()}
    absent = [spec.label for key, spec in by_key.items() if key not in present]
    below: dict[int, int] = {}  # column → first filled row under the header
    for row, cells in page.values.items():
        if row > last:
            below |= {column: row for column in cells if column not in below}
    for column, label in labels.items():
        key, unit = split_label(label)
        spec = by_key.get(key)
        address = _address(best, column)
        hint = nearest(label, absent)
        if (spec and spec.id in columns) or label in opened:
            page.say(
                "column.duplicate",
                f"列名{quote(label)}重复",
                "请只保留一列或改名",
                "error",
                address,
            )
        elif spec:
            columns[spec.id] = column
            units[spec.id] = _column_unit(page, spec, unit, stated[1] if stated else "", address)
        elif key == INDEX:
            index = column
        elif label and sheet.open_field:
            opened[label] = column
            if get_close_matches(key, [label_key(name) for name in absent], n=1, cutoff=0.7):
                what = f"列名{quote(label)}作为“{sheet.open_field.label}”读取"
                page.say("column.similar", what, f"请核对列名{hint}", "warning", address)
        elif label and column in below:
            what = f"不认识的列{quote(label)}，未读取"
            page.say("column.unknown", what, f"请使用空白工作簿中的列名{hint}", "warning", address)
        elif column in below:
            address = _address(below[column], column)
            page.say(
                "column.untitled",
                "有内容但没有列名，未读取",
                "请补上列名或删去",
                "warning",
                address,
            )
    _missing(page, sheet, columns, version)
    return _Head(last, columns, units, opened, index)


def _column_unit(page: _Page, spec: Field, header: str, stated: str, address: str) -> str:
    unit = normal_unit(header)
    if spec.type != "amount":
        return unit or spec.unit
    unit = unit or stated
    if not unit:
        page.say("unit.missing", f"{spec.label}的表头没有写明金额单位，按{spec.unit}读取",
                 "请在表头写明，如（万元）", "warning", address)  # fmt: skip
    elif split_scale(unit)[1] != "元":
        page.say("unit.unknown", f"{spec.label}的单位“{unit}”不是金额单位",
                 "请用元、千元、万元或亿元", cell=address)  # fmt: skip
    return unit or spec.unit


def _read_table(page: _Page, sheet: Sheet, present: bool, version: int) -> tuple[Table, list[str]]:
    head = _find_head(page, sheet, version) if present else None
    if head is None:
        return [], []
    rows = list(_data_rows(page, sheet, head))
    filled = {c for row in rows for c in page.values[row]}
    opened = {label: column for label, column in head.opened.items() if column in filled}
    table: Table = []
    for row in rows:
        table.append(_read_row(page, sheet, head, opened, row, table[-1] if table else {}))
    return table, list(opened)


def _data_rows(page: _Page, sheet: Sheet, head: _Head) -> Iterator[int]:
    mine = {*head.columns.values(), *head.opened.values()}
    for row, cells in page.values.items():
        formulas = page.formulas.get(row, {})
        if row <= head.row or not any(
            column in mine and (column in formulas or page.text(row, column)) for column in cells
        ):
            continue
        texts = [text for column in cells if (text := page.text(row, column))]
        first = texts[0] if texts else ""
        if head.index and page.text(row, head.index).startswith(EXAMPLE_MARK):
            _check_example(page, sheet, head, row)
        elif (len(texts) == 1 and _FOOTNOTE.match(first)) or _SIGNATURE.match(first):
            continue
        elif match_key(first) in _TOTALS:
            page.say("row.total", f"“{first}”行不读取，合计由程序计算", severity="note",
                     cell=_address(row, next(iter(cells))))  # fmt: skip
        else:
            yield row


def _check_example(page: _Page, sheet: Sheet, head: _Head, row: int) -> None:
    """An example row that a person wrote over would be lost in silence."""
    expected = {s.id: s.example for s in sheet.columns if s.id in head.columns}
    for spec in sheet.columns:
        column = head.columns.get(spec.id)
        shown = page.text(row, column) if column else ""
        if not column or not shown:
            continue
        same = [
            read_cell(content, spec.type, unit=head.units[spec.id], choices=spec.choices)[0].value
            for content in (page.values[row][column].value, expected[spec.id])
        ]
        if same[0] != same[1]:
            page.say(
                "example.edited",
                f"标为“{EXAMPLE_MARK}”的示例行已被改动，仍按示例处理，未读取",
                f"如为真实数据，请把{INDEX}列的“{EXAMPLE_MARK}”改成数字",
                "warning",
                _address(row, column),
            )
            return


def _read_row(
    page: _Page, sheet: Sheet, head: _Head, opened: Mapping[str, int], row: int, above: Row
) -> Row:
    start = len(page.problems)
    result: Row = {}
    unsound: set[str] = set()
    inherits = bool(above)  # a new value further left ends what is filled down
    for spec in sheet.columns:
        column = head.columns.get(spec.id)
        if column is None:
            result[spec.id] = Datum()
            continue
        unit = head.units[spec.id]
        if spec.unit_from and (beside := head.columns.get(spec.unit_from)):
            unit = normal_unit(page.text(row, beside)) or unit
        datum, sound = _datum(page, row, column, spec, unit)
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
    indicator = _indicator(result)
    for spec in sheet.columns:
        if spec.id in head.columns and spec.id not in unsound:
            area = page.merged.get((row, head.columns[spec.id]))
            why = "（位于合并单元格内，只有首行有值）" if area and area[1] < row else ""
            _require(page, spec, result[spec.id], indicator, why)
    for at in range(start, len(page.problems)):
        page.problems[at] = page.problems[at].model_copy(update={"indicator": indicator})
    return result


def _check_codes(page: _Page, sheet: Sheet, schema: Schema, tables: dict[str, Table]) -> None:
    """Codes are unique and known, ignoring case and width; references take the code's spelling."""
    table = tables[sheet.id]

    def say(code: str, row: Row, datum: Datum, what: str, remedy: str) -> None:
        page.say(code, what, remedy, "error", datum.cell.rpartition("!")[2], _indicator(row))

    for spec in sheet.columns:
        seen: dict[str, str] = {}
        target = schema.sheet(spec.refers) if spec.refers else None
        codes = [row[_code_of(target)].text for row in tables[target.id]] if target else []
        known = {match_key(code): code for code in codes}
        for at, row in enumerate(table):
            datum = row[spec.id]
            key = match_key(datum.text)
            if spec.unique and key in seen:
                what = f"{spec.label}{quote(datum.text)}与 {seen[key]} 重复"
                say("unique.duplicate", row, datum, what, "请改成不同的编号，或只保留一行")
            if key:
                seen[key] = datum.cell.rpartition("!")[2]
            if key in known:
                table[at] = row | {spec.id: datum.model_copy(update={"value": known[key]})}
            elif key and target and codes:  # where the target itself is empty, that is the problem
                what = f"{spec.label}{quote(datum.text)}在“{target.name}”表里没有"
                say("refers.unknown", row, datum, what, f"请核对编号{nearest(datum.text, codes)}")


def _code_of(sheet: Sheet) -> str:
    return next(spec.id for spec in sheet.columns if spec.unique)


def _indicator(row: Row) -> str:
    return next((row[key].text for key in ("indicator", "code") if key in row), "")


def _gathered(problems: Sequence[Problem]) -> list[Problem]:
    """Notes of one kind about one column become one note."""
    result: list[Problem] = []
    first: dict[tuple[str, str], int] = {}
    times: dict[int, int] = {}
    for problem in problems:
        key = (problem.code, re.sub(r"\d", "", problem.cell))
        if problem.severity == "note" and key in first:
            times[first[key]] = times.get(first[key], 1) + 1
            continue
        if problem.severity == "note":
            first[key] = len(result)
        result.append(problem)
    for at, count in times.items():
        what = f"{result[at].what}（同列共 {count} 处）"
        result[at] = result[at].model_copy(update={"what": what})
    return result
