"""summary.xlsx: the whole list in one workbook, from result.json and checks.json alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
import yaml

from evalkit.batch.consistency import Finding
from evalkit.batch.outcome import Outcome
from evalkit.core.model import Result
from evalkit.core.numbers import YUAN_PER, fixed, to_decimal
from evalkit.core.problem import SEVERITY_NAMES
from evalkit.core.store import write_atomic

_LAYOUT = yaml.safe_load(Path(__file__).with_name("pages").joinpath("summary.yaml").read_bytes())
_TEXT_LIMIT = 32_767  # characters of an Excel cell
_WIDE = 0x2000  # from this character on, a character takes two places
_LINE, _TALLEST = 13, 409  # points
_SHORT = 5  # characters of a text that is centred
_LEVEL = 8  # width of a level-1 indicator's column

Cell = str | Decimal | int | None
_Rows = list[list[Cell]]


def computed_total(result: Result) -> Decimal | None:
    """The total before people adjusted scores; None if nothing was adjusted or has gaps."""
    card = result.score
    if card is None or card.total is None:
        return None
    changes = [i.adjustment for i in card.indicators if i.adjustment]
    gained = sum((a.adjusted - a.computed for a in changes), Decimal(0))
    return card.total - gained if changes else None


def write_summary(path: Path, outcomes: Sequence[Outcome], findings: Iterable[Finding]) -> Path:
    """Write 汇总, 问题清单, 调分, 失败与警告 and 一致性复核; returns the path really written."""
    totals = [_total(number, outcome) for number, outcome in enumerate(outcomes, 1)]
    columns: dict[str, int] = dict(_LAYOUT["sheets"]["汇总"]["columns"])
    columns |= {name: _LEVEL for row in totals for name in row if name not in columns}
    contents: dict[str, _Rows] = {
        "汇总": [[row.get(name) for name in columns] for row in totals],
        "问题清单": _issues(outcomes),
        "调分": _adjusted(outcomes),
        "失败与警告": _trouble(outcomes),
        "一致性复核": _reviewed(findings),
    }

    def write(stream: Any) -> None:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
        with xlsxwriter.Workbook(stream, options) as book:
            book.set_properties({"title": "绩效评价结果汇总"})
            looks = {name: book.add_format(look) for name, look in _LAYOUT["looks"].items()}
            for name, rows in contents.items():
                layout = _LAYOUT["sheets"][name] | ({"columns": columns} if name == "汇总" else {})
                _fill(book.add_worksheet(name), looks, rows, **layout)

    return write_atomic(path, write)


def _total(number: int, outcome: Outcome) -> dict[str, Cell]:
    """A row of 汇总 by column."""
    job, status = outcome.job, outcome.status
    who: dict[str, Cell] = {"序号": number, "项目编码": job.code, "项目名称": job.name}
    return who | {"运行情况": status} | _found(outcome)


def _found(outcome: Outcome) -> dict[str, Cell]:
    result = outcome.result
    if result is None:
        return {}
    funds = {key: value / YUAN_PER["万元"] for key, value in result.values.items()}
    row: dict[str, Cell] = {
        "实施单位": result.subject.get("unit", ""),
        "评价年度": result.subject.get("year", ""),
        "全年预算（万元）": funds.get("funds.budget"),
        "支出（万元）": funds.get("funds.spent"),
        "预算执行率（%）": result.values.get("funds.budget_execution_rate"),
        "报告状态": result.stage,
        "问题数": len(result.tables.get("issues", [])),
        "警告数": len(outcome.warnings),
        "待补充": len(outcome.missing),
    }
    if (card := result.score) is None:
        return row
    tentative = f"暂计 {fixed(card.low)}–{fixed(card.high)}"
    return row | {
        "总分": tentative if card.total is None else card.total,
        "调分前总分": computed_total(result),
        "得分率（%）": card.rate,
        "等级": card.grade or "—",
        "调分项数": sum(bool(indicator.adjustment) for indicator in card.indicators),
        **{f"{group.level1}得分": group.score for group in card.level1()},
    }


def _issues(outcomes: Iterable[Outcome]) -> _Rows:
    fields, numbers = _LAYOUT["issues"], _LAYOUT["numbers"]
    rows: _Rows = []
    for o in outcomes:
        for issue in o.result.tables.get("issues", []) if o.result else ():
            texts = [(field, issue.get(field, "")) for field in fields]
            rows.append([*_who(o), *(_number(t) if f in numbers else t for f, t in texts)])
    return rows


def _number(text: str) -> Cell:
    try:
        return to_decimal(text)
    except ValueError:
        return text


def _adjusted(outcomes: Iterable[Outcome]) -> _Rows:
    rows: _Rows = []
    for o in outcomes:
        for i in o.indicators:
            if a := i.adjustment:
                marks = [a.computed, a.adjusted, a.adjusted - a.computed]
                why = [a.reason, a.basis, a.approver, a.dated]
                rows.append([*_who(o), i.code, i.level3, *marks, *why])
    return rows


def _trouble(outcomes: Iterable[Outcome]) -> _Rows:
    rows: _Rows = []
    for o in outcomes:
        reasons = o.reasons if o.failed else ()
        rows += [[*_who(o), o.status, o.place, reason, "改正后重新运行"] for reason in reasons]
        rows += [[*_who(o), "提示", "", note, ""] for note in o.notes]
        for severity, kind in SEVERITY_NAMES.items():
            for problem in (p for p in o.problems if p.severity == severity):
                place = "｜".join(part for part in (problem.sheet, problem.cell) if part)
                rows.append([*_who(o), kind, place, problem.what, problem.remedy])
        rows += [[*_who(o), "待补充", "", name, "请补充后重新运行"] for name in o.missing]
    return rows


def _reviewed(findings: Iterable[Finding]) -> _Rows:
    return [
        [f.kind, SEVERITY_NAMES[f.severity], f.where, "\n".join(f.projects), f.what, f.remedy]
        for f in findings
    ]


def _who(outcome: Outcome) -> list[Cell]:
    return [outcome.job.code, outcome.job.name]


def _fill(
    sheet: Any, looks: dict[str, Any], rows: _Rows, title: str, columns: dict[str, int],
    pinned: int = 0,
) -> None:  # fmt: skip
    """Title, header row, rows; frozen, filtered, A4 landscape, one page wide."""
    last = len(columns) - 1
    sheet.merge_range(0, 0, 0, last, title, looks["title"])
    sheet.set_row(0, 30)
    sheet.set_row(1, 32)
    sheet.write_row(1, 0, columns, looks["head"])
    for column, width in enumerate(columns.values()):
        sheet.set_column(column, column, width)
    for number, row in enumerate(rows, 2):
        lines = [_lines(value, w) for value, w in zip(row, columns.values(), strict=True)]
        sheet.set_row(number, min(_LINE * max(lines) + 4, _TALLEST))
        for column, value in enumerate(row):
            shown = value[:_TEXT_LIMIT] if isinstance(value, str) else value
            sheet.write(number, column, shown, looks[_look(value)])
    if not rows:
        sheet.merge_range(2, 0, 2, last, "无", looks["none"])
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{len(rows) + 2}"})
    sheet.freeze_panes(2, pinned)
    sheet.autofilter(1, 0, max(len(rows) + 1, 2), last)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(1)
    sheet.set_margins(0.5, 0.5, 0.6, 0.6)
    sheet.set_footer("&C第 &P 页，共 &N 页")


def _look(value: Cell) -> str:
    if isinstance(value, Decimal):
        return "number"
    if isinstance(value, int):
        return "count"
    return "short" if value and len(value) <= _SHORT else "text"


def _lines(value: Cell, width: int) -> int:
    """Lines that a text fills in a column; a wide character takes two places."""
    if not isinstance(value, str):
        return 1
    places = [sum(2 if ord(c) > _WIDE else 1 for c in line) for line in value.split("\n")]
    return sum(max(-(-p // (width - 1)), 1) for p in places)
