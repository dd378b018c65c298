"""summary.xlsx: the whole list in one workbook, from result.json and checks.json alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from evalkit.batch.consistency import Finding
from evalkit.batch.outcome import Outcome
from evalkit.core import result_file
from evalkit.core.model import Result
from evalkit.core.numbers import YUAN_PER, fixed, to_decimal
from evalkit.core.problem import SEVERITY_NAMES, EvalkitError, Problem
from evalkit.core.store import write_atomic

REPORT, PAPERS, CHECKS = "评价报告.docx", "底稿.xlsx", "checks.json"
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

Cell = str | Decimal | int | None


@dataclass(frozen=True)
class Entry:
    """One project with what its last good run found; `result` is None if there is none."""

    outcome: Outcome
    result: Result | None = None
    problems: tuple[Problem, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[Problem]:
        """Errors and warnings of the checks; notes are left out."""
        return [problem for problem in self.problems if problem.severity != "note"]

    def file(self, name: str) -> Path | None:
        """A result file, or the one written beside it because it was open elsewhere."""
        path = Path(name)
        for choice in (f"{path.stem}_新{path.suffix}", name):
            if choice in self.outcome.outputs and (self.outcome.folder / choice).is_file():
                return self.outcome.folder / choice
        return None


def collect(outcomes: Sequence[Outcome]) -> list[Entry]:
    """Read back what each project wrote; failed projects carry no result."""
    return [_entry(outcome) for outcome in outcomes]


def _entry(outcome: Outcome) -> Entry:
    if outcome.failed or result_file.FILE_NAME not in outcome.outputs:
        return Entry(outcome)
    try:
        result, _ = result_file.load(outcome.folder / result_file.FILE_NAME)
        checks: dict[str, Any] = {}
        if (outcome.folder / CHECKS).is_file():
            checks = json.loads((outcome.folder / CHECKS).read_text(encoding="utf-8"))
        found = [*result.problems, *map(Problem.model_validate, checks.get("problems", []))]
        missing = checks.get("missing", [])
    except (EvalkitError, ValueError) as error:
        return Entry(outcome, None, (Problem(what=f"成果读不出来：{error}"),))
    return Entry(outcome, result, tuple(dict.fromkeys(found)), tuple(dict.fromkeys(missing)))


def headline(folder: Path) -> str:
    """Score and grade in a few words, e.g. ``88.50 分 良``; empty without a result."""
    try:
        result, _ = result_file.load(folder / result_file.FILE_NAME)
    except (EvalkitError, ValueError):
        return ""
    card = result.score
    if card is None:
        return ""
    if card.total is None:
        return f"暂计 {fixed(card.low)}–{fixed(card.high)} 分"
    return f"{fixed(card.total)} 分 {card.grade}".strip()


def computed_total(result: Result) -> Decimal | None:
    """The total before people adjusted scores; None if nothing was adjusted or has gaps."""
    card = result.score
    if card is None or card.total is None:
        return None
    changes = [i.adjustment for i in card.indicators if i.adjustment]
    gained = sum((a.adjusted - a.computed for a in changes), Decimal(0))
    return card.total - gained if changes else None


def write_summary(path: Path, entries: Sequence[Entry], findings: Sequence[Finding]) -> Path:
    """Write 汇总, 问题清单, 调分, 失败与警告 and 一致性复核; returns the path really written."""

    def write(stream: Any) -> None:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
        with xlsxwriter.Workbook(stream, options) as book:
            book.set_properties({"title": "绩效评价结果汇总"})
            sheets = _Sheets(book)
            sheets.add("汇总", "绩效评价结果汇总表", *_totals(entries), pinned=3)
            sheets.add("问题清单", "评价发现问题清单", _ISSUES, _issues(entries))
            sheets.add("调分", "调分情况表", _ADJUSTED, _adjusted(entries))
            sheets.add("失败与警告", "运行失败与核对警告", _TROUBLE, _trouble(entries))
            sheets.add("一致性复核", "一致性复核表", _REVIEW, _reviewed(findings))

    return write_atomic(path, write)


def _totals(entries: Sequence[Entry]) -> tuple[str, list[list[Cell]]]:
    cards = [e.result.score for e in entries if e.result and e.result.score]
    levels = list(dict.fromkeys(g.level1 for card in cards for g in card.level1()))
    rows: list[dict[str, Cell]] = [
        {
            "序号": number,
            "项目编码": entry.outcome.job.code,
            "项目名称": entry.outcome.job.name,
            "运行情况": entry.outcome.status,
            **_found(entry),
        }
        for number, entry in enumerate(entries, 1)
    ]
    spec = "|".join([_TOTALS, *(f"{level}得分 8" for level in levels)])
    return spec, [[row.get(name) for name, _ in _columns(spec)] for row in rows]


def _columns(spec: str) -> list[tuple[str, int]]:
    pairs = [column.rsplit(" ", 1) for column in spec.replace("\n", "").split("|")]
    return [(name, int(width)) for name, width in pairs]


def _found(entry: Entry) -> dict[str, Cell]:
    result = entry.result
    if result is None:
        return {}
    card = result.score
    row: dict[str, Cell] = {
        "实施单位": result.subject.get("unit", ""),
        "评价年度": result.subject.get("year", ""),
        "全年预算（万元）": _wan(result.values.get("funds.budget")),
        "支出（万元）": _wan(result.values.get("funds.spent")),
        "预算执行率（%）": result.values.get("funds.budget_execution_rate"),
        "报告状态": result.stage,
        "问题数": len(result.tables.get("issues", [])),
        "警告数": len(entry.warnings),
        "待补充": len(entry.missing),
    }
    if card is None:
        return row
    tentative = f"暂计 {fixed(card.low)}–{fixed(card.high)}"
    row |= {f"{group.level1}得分": group.score for group in card.level1()}
    return row | {
        "总分": tentative if card.total is None else card.total,
        "调分前总分": computed_total(result),
        "得分率（%）": card.rate,
        "等级": card.grade or "—",
        "调分项数": sum(bool(indicator.adjustment) for indicator in card.indicators),
    }


def _wan(yuan: Decimal | None) -> Decimal | None:
    return None if yuan is None else yuan / YUAN_PER["万元"]


def _issues(entries: Iterable[Entry]) -> list[list[Cell]]:
    fields = ["no", "category", "title", "fact", "amount", "rule", "evidence", "indicator_names"]
    fields += ["lost", "cause", "advice", "responsible", "deadline", "severe"]
    numbers = ("amount", "lost")
    rows: list[list[Cell]] = []
    for entry in entries:
        if entry.result is None:
            continue
        for issue in entry.result.tables.get("issues", []):
            texts = {name: issue.get(name, "") for name in fields}
            cells = [_number(texts[n]) if n in numbers else texts[n] for n in fields]
            rows.append([*_who(entry), *cells])
    return rows


def _number(text: str) -> Cell:
    try:
        return to_decimal(text)
    except ValueError:
        return text


def _adjusted(entries: Iterable[Entry]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for entry in entries:
        card = entry.result.score if entry.result else None
        for score in card.indicators if card else ():
            if change := score.adjustment:
                row = [*_who(entry), score.code, score.level3, change.computed, change.adjusted]
                row += [change.adjusted - change.computed, change.reason, change.basis]
                rows.append([*row, change.approver, change.dated])
    return rows


def _trouble(entries: Iterable[Entry]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for entry in entries:
        who, outcome = _who(entry), entry.outcome
        if outcome.failed:
            failed = [*who, outcome.status, outcome.place]
            rows += [[*failed, reason, "改正后重新运行"] for reason in outcome.reasons]
        rows += [[*who, "提示", "", note, ""] for note in outcome.notes]
        for problem in sorted(entry.problems, key=lambda p: list(SEVERITY_NAMES).index(p.severity)):
            place = "｜".join(part for part in (problem.sheet, problem.cell) if part)
            kind = SEVERITY_NAMES[problem.severity]
            rows.append([*who, kind, place, problem.what, problem.remedy])
        rows += [[*who, "待补充", "", name, "请补充后重新运行"] for name in entry.missing]
    return rows


def _reviewed(findings: Iterable[Finding]) -> list[list[Cell]]:
    return [
        [f.kind, SEVERITY_NAMES[f.severity], f.where, "\n".join(f.projects), f.what, f.remedy]
        for f in findings
    ]


def _who(entry: Entry) -> list[Cell]:
    return [entry.outcome.job.code, entry.outcome.job.name]


class _Sheets:
    """Sheets of one look: title, header row, frozen, filtered, A4 landscape, one page wide."""

    def __init__(self, book: Any) -> None:
        font = {"font_name": "宋体", "font_size": 10, "valign": "vcenter"}
        cell = font | {"border": 1, "border_color": "#A6A6A6"}
        self.book = book
        self.title = book.add_format(
            font | {"font_name": "黑体", "font_size": 16, "align": "center"}
        )
        self.head = book.add_format(
            cell | {"bold": True, "bg_color": "#DDE6F0", "align": "center", "text_wrap": True}
        )
        self.text = book.add_format(cell | {"text_wrap": True, "num_format": "@"})
        self.short = book.add_format(cell | {"align": "center", "num_format": "@"})
        self.number = book.add_format(cell | {"num_format": "#,##0.00"})
        self.count = book.add_format(cell | {"num_format": "0", "align": "center"})
        self.none = book.add_format(font | {"font_color": "#7F7F7F"})

    def add(
        self, name: str, title: str, spec: str, rows: list[list[Cell]], pinned: int = 0
    ) -> None:
        sheet = self.book.add_worksheet(name)
        columns = _columns(spec)
        last = len(columns) - 1
        sheet.merge_range(0, 0, 0, last, title, self.title)
        sheet.set_row(0, 30)
        sheet.set_row(1, 32)
        for column, (header, width) in enumerate(columns):
            sheet.write_string(1, column, header, self.head)
            sheet.set_column(column, column, width)
        for number, row in enumerate(rows, 2):
            lines = [_lines(value, w) for value, (_, w) in zip(row, columns, strict=True)]
            sheet.set_row(number, min(_LINE * max(lines) + 4, _TALLEST))
            for column, value in enumerate(row):
                self._write(sheet, number, column, value)
        if not rows:
            sheet.merge_range(2, 0, 2, last, "无", self.none)
        sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{len(rows) + 2}"})
        sheet.freeze_panes(2, pinned)
        sheet.autofilter(1, 0, max(len(rows) + 1, 2), last)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(1)
        sheet.set_margins(0.5, 0.5, 0.6, 0.6)
        sheet.set_footer("&C第 &P 页，共 &N 页")

    def _write(self, sheet: Any, row: int, column: int, value: Cell) -> None:
        if value is None or value == "":
            sheet.write_blank(row, column, None, self.text)
        elif isinstance(value, Decimal):
            sheet.write_number(row, column, float(value), self.number)
        elif isinstance(value, int):
            sheet.write_number(row, column, value, self.count)
        else:
            style = self.short if len(value) <= _SHORT else self.text
            sheet.write_string(row, column, value[:_TEXT_LIMIT], style)


def _lines(value: Cell, width: int) -> int:
    """Lines that a text fills in a column; a wide character takes two places."""
    if not isinstance(value, str):
        return 1
    places = [sum(2 if ord(c) > _WIDE else 1 for c in line) for line in value.split("\n")]
    return sum(max(-(-p // (width - 1)), 1) for p in places)
