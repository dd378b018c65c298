"""summary.xlsx: the whole list in one workbook, from result.json and checks.json alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from evalkit.batch.consistency import Finding
from evalkit.batch.outcome import Outcome
from evalkit.core.model import Result
from evalkit.core.numbers import YUAN_PER, fixed, to_decimal
from evalkit.core.problem import SEVERITY_NAMES
from evalkit.core.store import write_atomic

_TEXT_LIMIT = 32_767  # characters of an Excel cell

_WIDE = 0x2000  # from this character on, a character takes two places
_LINE, _TALLEST = 13, 409  # points
_SHORT = 5  # characters of a text that is centred

# Columns and their widths in characters; each sheet prints legibly on one A4 page across.
_TOTALS = """序号 5|项目编码 17|项目名称 22|实施单位 20|评价年度 8|全年预算（万元） 11
|支出（万元） 11|预算执行率（%） 8|总分 9|调分前总分 8|得分率（%） 8|等级 6|报告状态 8
|调分项数 8|问题数 8|警告数 8|待补充 8|运行情况 8"""
_ISSUES = """项目编码 17|项目名称 22|编号 6|类别 8|问题 18|事实 30|涉及金额（万元） 9|违反规定 22
|佐证 9|对应指标 14|扣分 7|原因 18|建议 24|责任单位 14|整改时限 15|严重 6"""
_ADJUSTED = """项目编码 17|项目名称 22|指标编号 8|三级指标 18|计算得分 8|调整后得分 8|调整 8
|理由 40|依据 28|批准人 12|日期 14"""
_TROUBLE = "项目编码 17|项目名称 22|性质 8|位置 20|说明 60|处理 34"
_REVIEW = "类别 8|性质 8|指标或位置 28|涉及项目 40|情况 56|处理 34"

# The fields of a result's issues that fill the columns from 编号 on.
_ISSUE_FIELDS = """no category title fact amount rule evidence indicator_names
lost cause advice responsible deadline severe""".split()
_NUMERIC = ("amount", "lost")

_FONT = {"font_name": "宋体", "font_size": 10, "valign": "vcenter"}
_CELL = _FONT | {"border": 1, "border_color": "#A6A6A6"}
_LOOKS = {
    "title": _FONT | {"font_name": "黑体", "font_size": 16, "align": "center"},
    "head": _CELL | {"bold": True, "bg_color": "#DDE6F0", "align": "center", "text_wrap": True},
    "text": _CELL | {"text_wrap": True, "num_format": "@"},
    "short": _CELL | {"align": "center", "num_format": "@"},
    "number": _CELL | {"num_format": "#,##0.00"},
    "count": _CELL | {"num_format": "0", "align": "center"},
    "none": _FONT | {"font_color": "#7F7F7F"},
}

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
    sheets = [
        ("汇总", "绩效评价结果汇总表", *_totals(outcomes)),
        ("问题清单", "评价发现问题清单", _ISSUES, _issues(outcomes)),
        ("调分", "调分情况表", _ADJUSTED, _adjusted(outcomes)),
        ("失败与警告", "运行失败与核对警告", _TROUBLE, _trouble(outcomes)),
        ("一致性复核", "一致性复核表", _REVIEW, _reviewed(findings)),
    ]

    def write(stream: Any) -> None:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
        with xlsxwriter.Workbook(stream, options) as book:
            book.set_properties({"title": "绩效评价结果汇总"})
            looks = {name: book.add_format(look) for name, look in _LOOKS.items()}
            for name, *content in sheets:
                _fill(book.add_worksheet(name), looks, *content)
            book.get_worksheet_by_name("汇总").freeze_panes(2, 3)

    return write_atomic(path, write)


def _totals(outcomes: Sequence[Outcome]) -> tuple[str, _Rows]:
    """The columns with one more for each level-1 indicator, and a row a project."""
    rows: list[dict[str, Cell]] = [
        {"序号": n, "项目编码": o.job.code, "项目名称": o.job.name, "运行情况": o.status}
        | _found(o)
        for n, o in enumerate(outcomes, 1)
    ]
    standing = [name for name, _ in _columns(_TOTALS)]
    levels = [
        name for name in dict.fromkeys(k for row in rows for k in row) if name not in standing
    ]
    spec = "|".join([_TOTALS, *(f"{name} 8" for name in levels)])
    return spec, [[row.get(name) for name in (*standing, *levels)] for row in rows]


def _columns(spec: str) -> list[tuple[str, int]]:
    pairs = [column.rsplit(" ", 1) for column in spec.replace("\n", "").split("|")]
    return [(name, int(width)) for name, width in pairs]


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
    return [
        [
            *_who(o),
            *(
                _number(issue.get(f, "")) if f in _NUMERIC else issue.get(f, "")
                for f in _ISSUE_FIELDS
            ),
        ]
        for o in outcomes
        for issue in (o.result.tables.get("issues", []) if o.result else [])
    ]


def _number(text: str) -> Cell:
    try:
        return to_decimal(text)
    except ValueError:
        return text


def _adjusted(outcomes: Iterable[Outcome]) -> _Rows:
    return [
        [*_who(o), i.code, i.level3, a.computed, a.adjusted, a.adjusted - a.computed]
        + [a.reason, a.basis, a.approver, a.dated]
        for o in outcomes
        for i in o.indicators
        if (a := i.adjustment)
    ]


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


def _fill(sheet: Any, looks: dict[str, Any], title: str, spec: str, rows: _Rows) -> None:
    """Title, header row, rows; frozen, filtered, A4 landscape, one page wide."""
    columns = _columns(spec)
    last = len(columns) - 1
    sheet.merge_range(0, 0, 0, last, title, looks["title"])
    sheet.set_row(0, 30)
    sheet.set_row(1, 32)
    for column, (header, width) in enumerate(columns):
        sheet.write_string(1, column, header, looks["head"])
        sheet.set_column(column, column, width)
    for number, row in enumerate(rows, 2):
        lines = [_lines(value, width) for value, (_, width) in zip(row, columns, strict=True)]
        sheet.set_row(number, min(_LINE * max(lines) + 4, _TALLEST))
        for column, value in enumerate(row):
            shown = value[:_TEXT_LIMIT] if isinstance(value, str) else value
            sheet.write(number, column, shown, looks[_look(value)])
    if not rows:
        sheet.merge_range(2, 0, 2, last, "无", looks["none"])
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{len(rows) + 2}"})
    sheet.freeze_panes(2, 0)
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
