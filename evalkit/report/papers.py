"""Working papers (底稿.xlsx): every score with its data, source, calculation and signatures.

Scores, subtotals and rates are live formulas with cached values. Text from a project is always
written as text. Nothing reads the clock: equal results give equal bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.utility import quote_sheetname, xl_range
from xlsxwriter.utility import xl_rowcol_to_cell as at

from evalkit.core.model import (
    SCHEMA_VERSION,
    GroupScore,
    IndicatorScore,
    PolicyUse,
    Result,
    Scorecard,
    Trace,
)
from evalkit.core.numbers import chinese, fixed, plain
from evalkit.core.problem import SEVERITY_NAMES
from evalkit.core.store import write_bytes
from evalkit.word.blocks import display_width

FILE_NAME = "底稿.xlsx"
SCHEMA = "working_papers"
GAP = "待补充"

_COVER = {
    "code": "项目编码", "year": "评价年度", "department": "主管部门", "unit": "实施单位",
    "client": "委托方", "agency": "评价机构", "lead_evaluator": "主评人",
    "base_date": "评价基准日", "report_date": "报告日期", "stage": "报告状态",
    "nature": "数据性质",
}  # fmt: skip

# Headings and column widths of the tables that have a sheet to themselves.
_ADJUSTMENTS = {"指标编号": 10, "三级指标": 20, "计算得分": 10, "调整后得分": 11, "调整理由": 36,
                "依据": 24, "批准人": 10, "日期": 16}  # fmt: skip
_CHANGES = {"指标编号": 10, "三级指标": 20, "变更内容": 12, "审定时": 22, "现为": 22,
            "变更理由": 26, "批准人": 10, "日期": 16}  # fmt: skip
_PROBLEMS = {"严重程度": 10, "位置": 32, "内容": 54, "处理": 42}
_DATA = {"指标编号": 10, "数据项": 34, "计划": 14, "实际": 14, "单位": 12, "完成率": 12,
         "来源": 28, "佐证": 14}  # fmt: skip
POLICIES = {"名称": 20, "取值": 34, "文号与条款": 32, "生效日期": 12, "配置": 10,
             "覆盖了什么": 16, "用于": 14}  # fmt: skip
# The fields of a result's tables that fill these columns.
_FIELDS = {
    "adjustments": "indicator level3 computed adjusted reason basis approver date",
    "changes": "indicator level3 field approved now reason approver date",
    "data": "indicator item plan actual unit rate origin evidence",
}
_NUMERIC = {"computed", "adjusted", "plan", "actual"}
_WORDS = {"half_up": "四舍五入", "gbt8170": "逢五取偶", "True": "是", "False": "否"}

_Look = Mapping[str, Any]
_TEXT: _Look = {"font_name": "宋体", "font_size": 10.5, "border": 1, "text_wrap": True,
                "valign": "vcenter", "indent": 1}  # fmt: skip
_CENTRE = {"align": "center", "indent": 0}
_BOLD = _CENTRE | {"bold": True}
_LABEL = _CENTRE | {"font_name": "黑体", "bg_color": "#F2F2F2"}
_HEADER = _LABEL | {"bg_color": "#E4ECF4"}
_HEADING = {"font_name": "黑体", "font_size": 11, "border": 0, "indent": 0, "valign": "bottom"}
_TITLE = _CENTRE | {"font_name": "黑体", "font_size": 16, "border": 0}
_TOTALS: Sequence[_Look] = (  # 总计, 一级指标合计, 小计
    {"bg_color": "#D3DFEC", "bold": True}, {"bg_color": "#E4ECF4"}, {"bg_color": "#F5F7FA"},
)  # fmt: skip
_MARGINS = {"left": 0.75, "right": 0.6, "top": 0.9, "bottom": 0.8}  # inches
_ONE_PAGE = 1000  # points of rows that an upright A4 page holds when shrunk to 72 %

# What a trace formula may hold to be written as a live formula; anything else stays text.
_LIVE = re.compile(r"(?:ROUND|ROUNDUP|ROUNDDOWN|MIN|MAX|IF|SUM|AVERAGE|ABS|DATE|[\d.,()<>=+*/ -])+")
_SHEET_FORBIDDEN = re.compile(r"[\[\]:*?/\\'\x00-\x1f]")
_NUMBER = re.compile(r"-?(\d{1,15}|\d{1,3}(,\d{3})+)(\.\d{1,10})?")


def sheet_names(codes: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """A valid sheet name for each code: at most 31 characters, unique ignoring case.

    >>> sheet_names(["A1/01", "a1_01", "History"])
    ['A1_01', 'a1_01_2', 'History_2']
    """
    used = {"history", *(name.casefold() for name in taken)}
    names = []
    for code in codes:
        name = base = _SHEET_FORBIDDEN.sub("_", code).strip()[:26] or "指标"
        n = 1
        while name.casefold() in used:
            n += 1
            name = f"{base}_{n}"
        used.add(name.casefold())
        names.append(name)
    return names


def value_text(value: Any) -> str:
    """A policy value as people read it; only the Chinese names of its parts are told.

    >>> value_text([{"grade": "优", "from": Decimal(90)}, {"grade": "良", "from": Decimal(80)}])
    '优 90、良 80'
    >>> value_text({"五级": [100, 80], "两级": [100, 0]})
    '五级 100、80；两级 100、0'
    """
    if isinstance(value, dict):
        parts = [("" if k.isascii() else f"{k} ") + value_text(v) for k, v in value.items()]
        return (" " if "".join(value).isascii() else "；").join(parts)
    if isinstance(value, (list, tuple)):
        return "、".join(map(value_text, value))
    return plain(value) if isinstance(value, Decimal) else _WORDS.get(str(value), str(value))


@dataclass(frozen=True)
class _Cell:
    """One cell: a text, a number, or a live formula with this as its cached value."""

    value: str | Decimal
    look: _Look = field(default_factory=dict)
    formula: str = ""


_Row = Sequence[str | _Cell]
_Parts = Sequence[tuple[int, int]]  # first and last rows
_Links = Mapping[str, tuple[str, str, str]]  # code → sheet name, points cell, score cell
_Spans = Sequence[int]  # columns each cell of a row covers; empty for one each


def _number(text: str, look: _Look = _CENTRE) -> _Cell:
    """A number where the text is plainly one, printed as written; else text."""
    if not _NUMBER.fullmatch(text):
        return _Cell(text, look)
    digits = len(text.partition(".")[2])
    pattern = ("#,##0" if "," in text else "0") + "." * bool(digits) + "0" * digits
    return _Cell(Decimal(text.replace(",", "")), {**look, "num_format": pattern})


def _live(formula: str, value: Decimal | str, form: str = "0.00", look: _Look = _CENTRE) -> _Cell:
    return _Cell(value, {**_CENTRE, "num_format": form, **look}, formula)


def _awarded(formula: str, known: Decimal, whole: Decimal | None, look: _Look) -> _Cell:
    """A total: with gaps only what is known, marked 暂计."""
    return _live(formula, known, "0.00" if whole is not None else '"暂计 "0.00', look)


def _rate(row: int, rate: Decimal | None, look: _Look = _CENTRE) -> _Cell:
    """得分率 of a row of 汇总: column F over column E."""
    if rate is None:
        return _Cell(GAP, {**_CENTRE, **look})
    return _live(f"ROUND({at(row, 5)}/{at(row, 4)},4)", rate / 100, "0.00%", look)


class _Sheet:
    """A new A4 sheet, one page wide, its title in the first row; `row` is the next free one."""

    def __init__(self, book: Workbook, name: str, title: str, widths: Sequence[float]) -> None:
        self.book, self.widths, self.row, self.height, self.sections = book, widths, 0, 0.0, 0
        self.xl = book.add_worksheet(name)
        for column, width in enumerate(widths):
            self.xl.set_column(column, column, width)
        self.xl.set_paper(9)
        self.xl.hide_gridlines(2)
        self.xl.fit_to_pages(1, 0)
        self.xl.set_margins(**_MARGINS)
        self.xl.center_horizontally()
        self.xl.repeat_rows(0)
        self.xl.set_footer('&C&"宋体,常规"&9 第 &P 页，共 &N 页')
        self.line([_Cell(title, _TITLE)], [len(widths)], height=30)

    def line(self, cells: _Row, spans: _Spans = (), height: float = 0) -> int:
        """Write one row, each cell over so many columns, high enough for its longest text.

        Returns the row's number.
        """
        row, column, lines = self.row, 0, 1
        for entry, span in zip(cells, spans or [1] * len(cells), strict=True):
            cell = entry if isinstance(entry, _Cell) else _Cell(entry)
            self.put(row, column, cell, across=span)
            margin = 1 if cell.look.get("align") == "center" else 2
            width = max(1, int(sum(self.widths[column : column + span]) - margin))
            texts = cell.value.split("\n") if isinstance(cell.value, str) else []
            full = [-(-display_width(text) // width) or 1 for text in texts]
            spare = max(full, default=0) // 2 if texts and texts[0].isascii() else 0
            lines = max(lines, sum(full) + spare)  # a long formula breaks raggedly
            column += span
        height = height or min(409, max(19, lines * 14 + 5))
        self.xl.set_row(row, height)
        self.row, self.height = row + 1, self.height + height
        return row

    def put(self, row: int, column: int, cell: _Cell, across: int = 1, down: int = 1) -> None:
        """Write one cell, merged over so many columns and rows."""
        look = self.book.add_format({**_TEXT, **cell.look})
        value = float(cell.value) if isinstance(cell.value, Decimal) else cell.value
        if across > 1 or down > 1:
            self.xl.merge_range(row, column, row + down - 1, column + across - 1, "", look)
        if cell.formula:
            self.xl.write_formula(row, column, f"={cell.formula}", look, value)
        elif isinstance(value, float):
            self.xl.write_number(row, column, value, look)
        else:
            self.xl.write_string(row, column, value, look)

    def fit(self) -> None:
        """Shrink to one page what is a little longer, so that no block is torn."""
        self.xl.fit_to_pages(1, int(self.height <= _ONE_PAGE))

    def heading(self, text: str) -> None:
        """A section heading over the whole width."""
        self.line([_Cell(text, _HEADING)], [len(self.widths)], height=26)

    def section(self, text: str) -> None:
        """A numbered section heading."""
        self.sections += 1
        self.heading(f"{chinese(self.sections)}、{text}")

    def facts(self, cells: _Row, spans: _Spans = (), height: float = 0) -> int:
        """A row of labels, each with its value to the right."""
        labelled = list(cells)
        labelled[::2] = [_Cell(str(label), _LABEL) for label in cells[::2]]
        return self.line(labelled, spans, height)

    def pair(self, label: str, text: str) -> None:
        """A labelled text over the whole width, if there is one."""
        if text:
            self.facts([label, text], [1, len(self.widths) - 1])

    def table(self, headings: Iterable[str], rows: Iterable[_Row], spans: _Spans = ()) -> None:
        """A header row and the rows below it."""
        for row in ([_Cell(text, _HEADER) for text in headings], *rows):
            self.line(row, spans)

    def listing(self, title: str, headings: str, rows: Sequence[_Row], spans: _Spans = ()) -> None:
        """A numbered section of one table, if there is anything to list."""
        if rows:
            self.section(title)
            self.table(headings.split(), rows, spans)


def _policy(use: PolicyUse) -> tuple[str, str, str, str, str, str]:
    """Title, value, source, date, profile and what was overridden."""
    profile = "国家" if use.profile == "national" else use.profile
    value, overrode = value_text(use.value), use.overrode or "无"
    return use.title, value, use.source, use.effective, profile, overrode


def _score_note(score: IndicatorScore) -> str:
    """What sets this score apart: a gap, a veto, an adjustment."""
    if score.score is None:
        return score.gap or GAP
    notes = ["一票否决"] if score.vetoed else []
    if change := score.adjustment:
        notes.append(f"经调分：{fixed(change.computed)}→{fixed(change.adjusted)}")
    return "；".join(notes)


def _write_inputs(sheet: _Sheet, trace: Trace) -> None:
    """The values that went into a score, then the choices made, each once with all its cells."""
    values = [i for i in trace.inputs if i.of != "setting"]
    sheet.listing(
        "取数",
        "名称 数值 单位 来源单元格 原文 原公式",
        [[i.name, _number(i.value), i.unit, i.cell, i.raw, i.formula] for i in values],
    )
    choices: dict[tuple[str, str], list[str]] = {}
    for i in trace.inputs:
        if i.of == "setting":
            choices.setdefault((i.name, i.value + i.unit), []).append(i.cell)
    if choices:
        sheet.line([_Cell("计分设定（规则、口径、期间等）", _LABEL)], [len(sheet.widths)])
    for choice, cells in choices.items():
        sheet.line([*choice, "、".join(cells)], [1, 2, 3])


def _indicator_sheet(book: Workbook, name: str, score: IndicatorScore) -> tuple[str, str]:
    """Write one indicator's sheet; gives the references of its points and its score."""
    trace, change = score.trace, score.adjustment
    sheet = _Sheet(book, name, "绩效评价指标工作底稿", (29, 12, 11, 17, 13, 22))
    sheet.pair("指标名称", f"{score.code}　{score.level3}")
    sheet.pair("所属指标", f"{score.level1}—{score.level2}")
    sheet.pair("指标解释", score.explanation)
    points = at(sheet.row, 1)
    worth = _number(plain(score.points))
    sheet.facts(["分值", worth, "指标类型", score.kind, "计分规则", trace.rule_name])
    sheet.facts(["目标值", score.target, "实际值", score.actual], [1, 1, 1, 3])
    sheet.pair("计分依据", str(trace.basis))
    sheet.pair("评分标准", trace.standard or score.standard)
    _write_inputs(sheet, trace)
    elements: list[_Row] = [
        [e.text, f"{fixed(e.share)}%", e.evidence,
         GAP if e.met is None else f"{plain(e.met * 100)}%", e.finding]
        for e in score.elements
    ]  # fmt: skip
    spans = [2, 1, 1, 1, 1]
    sheet.listing("评价要点", "要点 占比 佐证 符合程度 核查情况", elements, spans)
    policies: list[_Row] = [[*p[:3], f"{p[3]}\n{p[4]}", p[5]] for p in map(_policy, trace.policies)]
    headings, spans = "名称 取值 文号与条款 生效与配置 覆盖了什么", [1, 2, 1, 1, 1]
    sheet.listing("政策取值", headings, policies, spans)

    sheet.section("计算过程")
    sheet.pair("计量结果", trace.measured)
    sheet.pair("计算式", trace.formula or GAP)
    computed = at(sheet.row, 1)
    result = _number(GAP if trace.computed is None else fixed(trace.computed))
    if trace.computed is not None and _LIVE.fullmatch(trace.formula):
        result = _live(trace.formula, trace.computed)
    sheet.facts(["计算得分", result, "说明", trace.limit], [1, 1, 1, 3])
    for note in trace.notes:
        sheet.pair("备注", note)

    sheet.section("评价得分")
    awarded = at(sheet.row, 1)
    mark = lost = _number(GAP)
    if score.score is not None:
        mark = _number(fixed(score.score), _BOLD)
        if trace.computed == score.score and not change:
            mark = _live(computed, score.score, look=_BOLD)
        lost = _live(f"{points}-{awarded}", score.points - score.score)
    sheet.facts(["得分", mark, "扣分", lost, "佐证索引", "、".join(score.evidence) or "无"])
    sheet.pair("得分说明", _score_note(score))
    sheet.pair("扣分原因", score.reason or ("未扣分" if score.lost == 0 else GAP))
    sheet.pair("评价情况", score.finding or GAP)
    if change:
        sheet.section("调分记录")
        marks = [_number(fixed(mark)) for mark in (change.computed, change.adjusted)]
        row: _Row = [*marks, change.approver, change.dated, change.basis, change.reason]
        sheet.table(["计算得分", "调整后得分", "批准人", "日期", "依据", "调整理由"], [row])

    sheet.section("编制与复核")
    for who in ("编制人", "一级复核人", "二级复核人", "三级复核人"):
        sheet.facts([who, "", "日期", ""], [1, 2, 1, 2], height=25)
    sheet.fit()
    return f"{quote_sheetname(name)}!{points}", f"{quote_sheetname(name)}!{awarded}"


def _cover(sheet: _Sheet, result: Result) -> int:
    """Who and what; gives the row in which the total and grade go."""
    subject = {"name": result.name, "code": result.code} | result.subject
    subject |= {"stage": result.stage, "nature": _nature(result)}
    sheet.pair("项目名称", subject["name"])
    facts = [[label, subject[key]] for key, label in _COVER.items() if subject.get(key)]
    for left, right in zip_longest(facts[::2], facts[1::2], fillvalue=["", ""]):
        sheet.facts([*left, *right], [1, 3, 2, 2])
    gap = _Cell(GAP, _CENTRE)
    return sheet.facts(["评价得分", gap, "评价等级", gap], [1, 3, 2, 2], height=34)


def _nature(result: Result) -> str:
    return "示例数据" if result.subject.get("demo") == "是" else ""


def _below(scores: Iterable[IndicatorScore], g: GroupScore) -> list[IndicatorScore]:
    """The indicators of a group; an empty level stands for all."""
    return [i for i in scores if g.level1 in ("", i.level1) and g.level2 in ("", i.level2)]


def _subtotal(sheet: _Sheet, depth: int, group: GroupScore, card: Scorecard, parts: _Parts) -> int:
    """A row of points, score and rate: the sums of rows `parts`. Returns the row's number."""
    look = _TOTALS[depth]
    known = sum((i.score or Decimal(0) for i in _below(card.indicators, group)), Decimal(0))
    points, score = (f"SUM({','.join(xl_range(a, c, b, c) for a, b in parts)})" for c in (4, 5))
    cells: _Row = [
        _Cell(("总计", f"{group.level1}合计", "小计")[depth], {**_CENTRE, **look}),
        _live(points, group.points, "General", look),
        _awarded(score, known, group.score, look),
        _rate(sheet.row, group.rate, look),
        _Cell("" if depth else card.grade_note, look),
    ]
    return sheet.line([*[""] * depth, *cells], [*[1] * depth, 4 - depth, 1, 1, 1, 1])


def _summary(sheet: _Sheet, card: Scorecard, place: int, links: _Links) -> None:
    """The score table; total and grade go to row `place` of the cover block."""
    sheet.heading("评分汇总表")
    sheet.xl.repeat_rows(sheet.row)
    sheet.table(["一级指标", "二级指标", "编号", "三级指标", "分值", "得分", "得分率", "说明"], [])
    link = sheet.book.add_format({**_TEXT, **_CENTRE, "font_color": "#1F4E79"})
    top, totals = sheet.row, []
    for one in card.level1():
        first, parts = sheet.row, []
        for two in (g for g in card.groups if g.level1 == one.level1 and g.level2):
            start = sheet.row
            for i in _below(card.indicators, two):
                name, points, score = links[i.code]
                mark = _live(score, GAP if i.score is None else i.score)
                marks = [_live(points, i.points, "General"), mark, _rate(sheet.row, i.rate)]
                row = sheet.line(["", "", i.code, i.level3, *marks, _score_note(i)])
                sheet.xl.write_url(row, 2, f"internal:{quote_sheetname(name)}!A1", link, i.code)
            parts.append((start, sheet.row - 1))
            if sheet.row - start > 1:
                _subtotal(sheet, 2, two, card, parts[-1:])
            sheet.put(start, 1, _Cell(two.level2, _CENTRE), down=sheet.row - start)
        row = _subtotal(sheet, 1, one, card, parts)
        sheet.put(first, 0, _Cell(one.level1, _CENTRE), down=sheet.row - first)
        totals.append((row, row))
    whole = GroupScore(level1="", points=card.points, score=card.total, rate=card.rate)
    row = _subtotal(sheet, 0, whole, card, totals)
    total, large = at(row, 5), _BOLD | {"font_size": 12}
    grade = card.grade or f"{GAP}（可能区间 {fixed(card.low)}～{fixed(card.high)} 分）"
    sheet.put(place, 1, _awarded(total, card.low, card.total, large))
    sheet.put(place, 6, _Cell(grade, large if card.grade else _CENTRE))
    if card.total is None:
        scores, points = (xl_range(top, column, row - 1, column) for column in (5, 4))
        high = _live(f'{total}+SUMIF({scores},"{GAP}",{points})', card.high)
        label, low = _Cell("可能区间（最低、最高）", _CENTRE), _live(total, card.low)
        sheet.line([label, "", low, high, "待补充指标得零分、得满分"], [4, 1, 1, 1, 1])


def _record_rows(result: Result, table: str) -> list[_Row]:
    rows = ([(key, row.get(key, "")) for key in _FIELDS[table].split()]
            for row in result.tables.get(table, []))  # fmt: skip
    return [[_number(text) if key in _NUMERIC else text for key, text in row] for row in rows]


def _problem_rows(result: Result) -> list[_Row]:
    rows: list[_Row] = []
    for p in result.problems:
        place = "｜".join(filter(None, (p.file, p.sheet, p.cell, p.indicator)))
        rows.append([SEVERITY_NAMES[p.severity], place, p.what, p.remedy])
    return rows


def policy_rows(card: Scorecard | None) -> list[_Row]:
    """Every policy value used, once, with the codes of the indicators that used it."""
    found: dict[tuple[str, ...], list[str]] = {}
    scores = card.indicators if card else ()
    uses = [("总评", use) for use in card.policies] if card else []
    for user, use in [*uses, *((i.code, use) for i in scores for use in i.trace.policies)]:
        found.setdefault(_policy(use), []).append(user)
    every = [i.code for i in scores]
    named = (["全部指标"] if users == every != every[:1] else users for users in found.values())
    return [[*policy, "、".join(users)] for policy, users in zip(found, named, strict=True)]


def _created(result: Result) -> datetime:
    """The report date, so that no clock enters the file."""
    found = re.search(r"(\d{4})\D(\d{1,2})\D(\d{1,2})", result.subject.get("report_date", ""))
    year, month, day = map(int, found.groups()) if found else (2000, 1, 1)
    return datetime(year, month, day)


def write_papers(result: Result, path: Path) -> Path:
    """Write the working papers of one result; returns the path really written.

    Sheets: 汇总, one a third-level indicator (by its code), 调分记录, 指标变更, 警告与提示,
    基础数据, 政策取值汇总 and a hidden ``_meta`` with schema and version.
    """
    tables: dict[str, tuple[Mapping[str, int], Sequence[_Row]]] = {
        "调分记录": (_ADJUSTMENTS, _record_rows(result, "adjustments")),
        "指标变更": (_CHANGES, _record_rows(result, "changes")),
        "警告与提示": (_PROBLEMS, _problem_rows(result)),
        "基础数据": (_DATA, _record_rows(result, "data")),
        "政策取值汇总": (POLICIES, policy_rows(result.score)),
    }
    text_stays = {f"strings_to_{what}": False for what in ("formulas", "urls", "numbers")}
    book = Workbook(stream := io.BytesIO(), {"in_memory": True} | text_stays)
    book.set_properties({"title": f"{result.name}底稿", "created": _created(result)})
    summary = _Sheet(book, "汇总", "绩效评价工作底稿", (10, 13, 8, 28, 8, 11, 9, 17))
    scores = result.score.indicators if result.score else ()
    names = sheet_names((i.code for i in scores), ("汇总", "_meta", *tables))
    sheets = zip(scores, names, strict=True)
    links = {i.code: (name, *_indicator_sheet(book, name, i)) for i, name in sheets}
    place = _cover(summary, result)
    if result.score:
        _summary(summary, result.score, place, links)
    summary.fit()
    for name, (columns, rows) in tables.items():
        sheet = _Sheet(book, name, name, [*columns.values()])
        sheet.xl.set_landscape()
        sheet.xl.freeze_panes(2, 0)
        sheet.xl.repeat_rows(1)
        sheet.table(columns, rows)
        if not rows:
            sheet.line([_Cell("无", _CENTRE)], [len(columns)])
    nature = f"（{_nature(result)}）" if _nature(result) else ""
    left = (result.name + nature).replace("&", "&&")[:80]
    for one in book.worksheets():
        one.set_header(f'&L&"宋体,常规"&9 {left}&R&"宋体,常规"&9 工作底稿')
    meta = book.add_worksheet("_meta")
    facts = {"schema": SCHEMA, "version": SCHEMA_VERSION, "workflow": result.workflow,
             "code": result.code, "stage": result.stage}  # fmt: skip
    for row, fact in enumerate(facts.items()):
        meta.write_row(row, 0, fact)
    meta.hide()
    book.close()
    return write_bytes(path, stream.getvalue())
