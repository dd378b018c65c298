"""Working papers (底稿.xlsx): every score with its data, source, calculation and signatures.

Scores, subtotals and rates are live formulas with cached values. Text from a project is always
written as text. Nothing reads the clock: equal results give equal bytes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell as at

from evalkit.core.model import (
    SCHEMA_VERSION,
    GroupScore,
    IndicatorScore,
    PolicyUse,
    Result,
    Scorecard,
)
from evalkit.core.numbers import fixed, plain
from evalkit.core.problem import SEVERITY_NAMES
from evalkit.core.store import write_atomic

FILE_NAME = "底稿.xlsx"
SCHEMA = "working_papers"
GAP = "待补充"

_COVER = (
    ("项目名称", "name"), ("项目编码", "code"), ("评价年度", "year"), ("主管部门", "department"),
    ("实施单位", "unit"), ("委托方", "client"), ("评价机构", "agency"),
    ("主评人", "lead_evaluator"), ("评价基准日", "base_date"), ("报告日期", "report_date"),
)  # fmt: skip
_ADJUSTMENTS = (
    ("indicator", "指标编号", 10), ("level3", "三级指标", 20), ("computed", "计算得分", 10),
    ("adjusted", "调整后得分", 11), ("reason", "调整理由", 36), ("basis", "依据", 22),
    ("approver", "批准人", 10), ("date", "日期", 15),
)  # fmt: skip
_CHANGES = (
    ("indicator", "指标编号", 10), ("level3", "三级指标", 20), ("field", "变更内容", 12),
    ("approved", "审定时", 22), ("now", "现为", 22), ("reason", "变更理由", 28),
    ("approver", "批准人", 10), ("date", "日期", 15),
)  # fmt: skip
_DATA = (
    ("indicator", "指标编号", 10), ("item", "数据项", 30), ("plan", "计划", 13),
    ("actual", "实际", 13), ("unit", "单位", 11), ("rate", "完成率", 11), ("origin", "来源", 26),
    ("evidence", "佐证", 14),
)  # fmt: skip
_PROBLEMS = (("severity", "严重程度", 10), ("place", "位置", 32), ("what", "内容", 52),
             ("remedy", "处理", 40))  # fmt: skip
_POLICIES = (
    ("title", "名称", 20), ("value", "取值", 36), ("source", "文号与条款", 32),
    ("effective", "生效日期", 12), ("profile", "配置", 12), ("overrode", "覆盖了什么", 24),
    ("used", "用于", 20),
)  # fmt: skip
_NUMERIC = {"computed", "adjusted", "plan", "actual"}

# What a trace formula may hold to be written as a live formula; anything else stays text.
_LIVE = re.compile(r"(?:ROUND|ROUNDUP|ROUNDDOWN|MIN|MAX|IF|SUM|AVERAGE|ABS|DATE|[\d.,()<>=+*/ -])+")
_SHEET_FORBIDDEN = re.compile(r"[\[\]:*?/\\'\x00-\x1f]")
_PLAIN_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,10})?")
_DATE = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})")


def sheet_names(codes: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """A valid sheet name for each code: at most 31 characters, unique ignoring case.

    >>> sheet_names(["A1/01", "a1_01", "History"])
    ['A1_01', 'a1_01_2', 'History_2']
    """
    used = {"history", "", *(name.casefold() for name in taken)}
    names = []
    for code in codes:
        base = _SHEET_FORBIDDEN.sub("_", code).strip()[:26] or "指标"
        name, n = base, 1
        while name.casefold() in used:
            n += 1
            name = f"{base}_{n}"
        used.add(name.casefold())
        names.append(name)
    return names


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in text)


def _lines(text: str, width: float) -> int:
    return sum(max(1, -(-_width(part) // max(1, int(width - 2)))) for part in text.split("\n"))


def value_text(value: Any) -> str:
    """A policy value as people read it.

    >>> value_text([{"grade": "优", "from": Decimal(90)}, {"grade": "良", "from": Decimal(80)}])
    '优 90、良 80'
    """
    if isinstance(value, dict):
        return " ".join(value_text(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return "、".join(value_text(item) for item in value)
    if isinstance(value, bool):
        return "是" if value else "否"
    return plain(value) if isinstance(value, Decimal) else str(value)


def _profile(use: PolicyUse) -> str:
    return "国家" if use.profile == "national" else use.profile


class _Book:
    """An XlsxWriter workbook with the house formats, made once each."""

    def __init__(self, stream: BinaryIO) -> None:
        self.file = xlsxwriter.Workbook(
            stream,
            {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
             "strings_to_numbers": False},
        )  # fmt: skip
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}

    def format(self, **properties: Any) -> Any:
        """宋体 10.5, bordered, wrapped and centred vertically, unless told otherwise."""
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            indent = int(properties.get("align") != "center")
            base = {"font_name": "宋体", "font_size": 10.5, "border": 1, "text_wrap": True,
                    "valign": "vcenter", "indent": indent}  # fmt: skip
            self._formats[key] = self.file.add_format(base | properties)
        return self._formats[key]

    def label(self) -> Any:
        """The cell that names the one to its right."""
        return self.format(font_name="黑体", bg_color="#F2F2F2", align="center")


class _Sheet:
    """A new A4 sheet, one page wide, its title in the first row; `row` is the next free one."""

    def __init__(
        self,
        book: _Book,
        name: str,
        widths: Sequence[float],
        title: str,
        header: str,
        landscape: bool = False,
    ) -> None:
        self.book, self.widths, self.row = book, widths, 0
        self.xl = book.file.add_worksheet(name)
        for column, width in enumerate(widths):
            self.xl.set_column(column, column, width)
        self.xl.set_paper(9)
        self.xl.hide_gridlines(2)
        self.xl.fit_to_pages(1, 0)
        self.xl.set_margins(left=0.75, right=0.6, top=0.9, bottom=0.8)
        self.xl.center_horizontally()
        if landscape:
            self.xl.set_landscape()
        self.xl.repeat_rows(0)
        left = header.replace("&", "&&")[:80]
        self.xl.set_header(f'&L&"宋体,常规"&9 {left}&R&"宋体,常规"&9 工作底稿')
        self.xl.set_footer('&C&"宋体,常规"&9 第 &P 页，共 &N 页')
        plain_title = book.format(font_name="黑体", font_size=16, border=0, align="center")
        self.line([title], [len(widths)], [plain_title], height=34)

    def line(
        self,
        texts: Sequence[str | None],
        spans: Sequence[int] | None = None,
        formats: Sequence[Any] | None = None,
        height: float = 0,
    ) -> int:
        """Write one row of texts, each over so many columns, high enough for its longest text.

        None leaves a cell to the caller. Returns the row's number.
        """
        spans = spans or [1] * len(texts)
        formats = formats or [self.book.format()] * len(texts)
        column, lines = 0, 1
        for text, span, form in zip(texts, spans, formats, strict=True):
            if span > 1:
                self.xl.merge_range(self.row, column, self.row, column + span - 1, "", form)
            if text is not None:
                self.xl.write_string(self.row, column, text, form)
                lines = max(lines, _lines(text, sum(self.widths[column : column + span])))
            column += span
        self.xl.set_row(self.row, height or min(409, max(21, lines * 14.5 + 5)))
        self.row += 1
        return self.row - 1

    def heading(self, text: str) -> None:
        """A section heading over the whole width."""
        form = self.book.format(font_name="黑体", font_size=11, border=0, indent=0, valign="bottom")
        self.line([text], [len(self.widths)], [form], height=26)

    def header(self, texts: Sequence[str], spans: Sequence[int] | None = None) -> None:
        """A table's header row."""
        form = self.book.format(font_name="黑体", align="center", bg_color="#E4ECF4")
        self.line(texts, spans, [form] * len(texts))

    def pair(self, label: str, text: str) -> int:
        """A labelled text over the whole width."""
        forms = [self.book.label(), self.book.format()]
        return self.line([label, text], [1, len(self.widths) - 1], forms)

    def number(self, row: int, column: int, text: str, **looks: Any) -> None:
        """A cell that is a number where the text is plainly one, else text."""
        looks = {"align": "center"} | looks
        if _PLAIN_NUMBER.fullmatch(text):
            digits = len(text.partition(".")[2])
            pattern = "0." + "0" * digits if digits else "0"
            form = self.book.format(num_format=pattern, **looks)
            self.xl.write_number(row, column, float(text), form)
        else:
            self.xl.write_string(row, column, text, self.book.format(**looks))

    def formula(self, row: int, column: int, formula: str, value: Decimal | str,
                **properties: Any) -> None:  # fmt: skip
        """A live formula with its cached value."""
        cached = float(value) if isinstance(value, Decimal) else value
        form = self.book.format(**({"align": "center", "num_format": "0.00"} | properties))
        self.xl.write_formula(row, column, f"={formula}", form, cached)


def _used_policies(result: Result) -> list[tuple[PolicyUse, list[str]]]:
    """Every policy value used, once, with the codes of the indicators that used it."""
    found: dict[tuple[str, str, str], tuple[PolicyUse, list[str]]] = {}
    card = result.score
    uses = [(use, "总评") for use in card.policies] if card else []
    uses += [(use, i.code) for i in card.indicators for use in i.trace.policies] if card else []
    for use, user in uses:
        key = (use.key, value_text(use.value), use.profile)
        found.setdefault(key, (use, []))[1].append(user)
    everyone = [i.code for i in card.indicators] if card else []
    return [
        (use, ["全部指标"] if len(users) > 1 and users == everyone else users)
        for use, users in found.values()
    ]


def _score_note(score: IndicatorScore) -> str:
    """What sets this score apart: a gap, a veto, an adjustment."""
    if score.score is None:
        return score.gap or GAP
    notes = ["一票否决"] if score.vetoed else []
    if score.adjustment:
        change = f"{fixed(score.adjustment.computed)}→{fixed(score.adjustment.adjusted)}"
        notes.append(f"经调分：{change}")
    return "；".join(notes)


def _indicator_sheet(book: _Book, name: str, score: IndicatorScore, header: str) -> tuple[str, str]:
    """Write one indicator's sheet; gives the references of its points and its score."""
    trace = score.trace
    sheet = _Sheet(book, name, (14, 16, 11, 20, 13, 24), "绩效评价指标工作底稿", header)
    label, cell = book.label(), book.format()
    six = [label, cell] * 3
    sheet.pair("指标名称", f"{score.code}　{score.level3}")
    sheet.pair("所属指标", f"{score.level1}—{score.level2}")
    if score.explanation:
        sheet.pair("指标解释", score.explanation)
    row = sheet.line(
        ["分值", None, "指标类型", score.kind, "计分规则", trace.rule_name], formats=six
    )
    sheet.number(row, 1, plain(score.points))
    points = at(row, 1)
    targets = ["目标值", score.target, "实际值", score.actual, "计分依据", str(trace.basis)]
    sheet.line(targets, formats=six)
    sheet.pair("评分标准", trace.standard or score.standard)

    numerals = iter("一二三四五六七八")
    if trace.inputs:
        sheet.heading(f"{next(numerals)}、取数")
        sheet.header(["名称", "数值", "单位", "来源单元格", "原文", "原公式"])
        for item in trace.inputs:
            row = sheet.line([item.name, None, item.unit, item.cell, item.raw, item.formula])
            sheet.number(row, 1, item.value)
    if score.elements:
        spans = [2, 1, 1, 1, 1]
        sheet.heading(f"{next(numerals)}、评价要点")
        sheet.header(["要点", "占比", "佐证", "符合程度", "核查情况"], spans)
        for one in score.elements:
            met = GAP if one.met is None else f"{plain(one.met * 100)}%"
            share = f"{plain(one.share * 100)}%"
            sheet.line([one.text, share, one.evidence, met, one.finding], spans)
    if trace.policies:
        spans = [1, 2, 1, 1, 1]
        sheet.heading(f"{next(numerals)}、政策取值")
        sheet.header(["名称", "取值", "文号与条款", "生效与配置", "覆盖了什么"], spans)
        for use in trace.policies:
            origin = f"{use.effective}\n{_profile(use)}"
            texts = [use.title, value_text(use.value), use.source, origin, use.overrode or "无"]
            sheet.line(texts, spans)

    sheet.heading(f"{next(numerals)}、计算过程")
    if trace.measured:
        sheet.pair("计量结果", trace.measured)
    sheet.pair("计算式", trace.formula or GAP)
    row = sheet.line(["计算得分", None, "说明", trace.limit], [1, 1, 1, 3],
                     [label, cell, label, cell])  # fmt: skip
    computed = at(row, 1)
    if trace.computed is None:
        sheet.number(row, 1, GAP)
    elif _LIVE.fullmatch(trace.formula):
        sheet.formula(row, 1, trace.formula, trace.computed)
    else:
        sheet.number(row, 1, fixed(trace.computed))
    for note in trace.notes:
        sheet.pair("备注", note)

    sheet.heading(f"{next(numerals)}、评价得分")
    evidence = "、".join(score.evidence) or "无"
    row = sheet.line(["得分", None, "扣分", None, "佐证索引", evidence], formats=six)
    awarded = at(row, 1)
    if score.score is None:
        sheet.number(row, 1, GAP)
        sheet.number(row, 3, GAP)
    else:
        if trace.computed == score.score and not score.adjustment:
            sheet.formula(row, 1, computed, score.score, bold=True)
        else:
            sheet.number(row, 1, fixed(score.score), bold=True)
        sheet.formula(row, 3, f"{points}-{awarded}", score.points - score.score)
    if _score_note(score):
        sheet.pair("得分说明", _score_note(score))
    sheet.pair("扣分原因", score.reason or ("未扣分" if score.lost == 0 else GAP))
    sheet.pair("评价情况", score.finding or GAP)
    if score.adjustment:
        change = score.adjustment
        sheet.heading(f"{next(numerals)}、调分记录")
        sheet.header(["计算得分", "调整后得分", "批准人", "日期", "依据", "调整理由"])
        row = sheet.line([None, None, change.approver, change.dated, change.basis, change.reason])
        sheet.number(row, 0, fixed(change.computed))
        sheet.number(row, 1, fixed(change.adjusted))

    sheet.heading(f"{next(numerals)}、编制与复核")
    for who in ("编制人", "一级复核人", "二级复核人", "三级复核人"):
        sheet.line([who, "", "日期", ""], [1, 2, 1, 2], [label, cell, label, cell], height=25)
    return f"'{name}'!{points}", f"'{name}'!{awarded}"


def _cover(sheet: _Sheet, result: Result) -> int:
    """Who and what; gives the row in which the total and grade go."""
    book, subject = sheet.book, {"name": result.name, "code": result.code} | result.subject
    label, cell = book.label(), book.format()
    facts = [(text, subject[key]) for text, key in _COVER if subject.get(key)]
    facts.append(("报告状态", result.stage))
    if subject.get("demo") == "是":
        facts.append(("数据性质", "示例数据"))
    sheet.line([*facts[0]], [1, 7], [label, cell])
    four, spans = [label, cell, label, cell], [1, 3, 2, 2]
    rest = facts[1:] + [("", "")] * (len(facts[1:]) % 2)
    for left, right in zip(rest[::2], rest[1::2], strict=True):
        sheet.line([*left, *right], spans, four)
    return sheet.line(["评价得分", None, "评价等级", None], spans, four)


def _merge(sheet: _Sheet, first: int, last: int, column: int, text: str) -> None:
    form = sheet.book.format(align="center")
    if last > first:
        sheet.xl.merge_range(first, column, last, column, "", form)
    sheet.xl.write_string(first, column, text, form)


def _rate(sheet: _Sheet, row: int, rate: Decimal | None, **looks: Any) -> None:
    if rate is None:
        sheet.xl.write_string(row, 6, GAP, sheet.book.format(align="center", **looks))
    else:
        live = f"ROUND({at(row, 5)}/{at(row, 4)},4)"
        sheet.formula(row, 6, live, rate / 100, num_format="0.00%", **looks)


def _subtotal(
    sheet: _Sheet,
    left: int,
    label: str,
    group: GroupScore | Scorecard,
    members: Sequence[IndicatorScore],
    ranges: Sequence[tuple[int, int]],
    note: str = "",
    **looks: Any,
) -> int:
    """A row of points, score and rate; with a gap the score is what is known, marked 暂计."""
    awarded = group.total if isinstance(group, Scorecard) else group.score
    known = sum((i.score or Decimal(0) for i in members), Decimal(0))
    cell, shaded = sheet.book.format(), sheet.book.format(align="center", **looks)
    row = sheet.line(
        [*[None] * left, label, None, None, None, note],
        [*[1] * left, 4 - left, 1, 1, 1, 1],
        [*[cell] * left, *[shaded] * 4, sheet.book.format(**looks)],
    )

    def sums(column: int) -> str:
        parts = (at(a, column) + (f":{at(b, column)}" if b > a else "") for a, b in ranges)
        return f"SUM({','.join(parts)})"

    sheet.formula(row, 4, sums(4), group.points, num_format="General", **looks)
    sheet.formula(row, 5, sums(5), known, num_format=_score_format(awarded), **looks)
    _rate(sheet, row, group.rate, **looks)
    return row


def _score_format(awarded: Decimal | None) -> str:
    return "0.00" if awarded is not None else '"暂计 "0.00'


def _summary(sheet: _Sheet, result: Result, links: dict[str, tuple[str, str, str]]) -> None:
    """Cover block and score table; `links` gives sheet name, points and score cell by code."""
    place = _cover(sheet, result)
    card, book = result.score, sheet.book
    if card is None:
        sheet.number(place, 1, GAP)
        sheet.number(place, 6, GAP)
        return
    sheet.heading("评分汇总表")
    sheet.header(["一级指标", "二级指标", "编号", "三级指标", "分值", "得分", "得分率", "说明"])
    sheet.xl.repeat_rows(sheet.row - 1)
    link = book.format(align="center", font_color="#1F4E79")
    top, sums = sheet.row, []
    for one in card.level1():
        first, spans = sheet.row, []
        for two in (g for g in card.groups if g.level1 == one.level1 and g.level2):
            mine = [i for i in card.indicators if (i.level1, i.level2) == (two.level1, two.level2)]
            start = sheet.row
            for score in mine:
                name, points_cell, score_cell = links[score.code]
                row = sheet.line([*[None] * 3, score.level3, *[None] * 3, _score_note(score)])
                sheet.xl.write_url(row, 2, f"internal:'{name}'!A1", link, score.code)
                sheet.formula(row, 4, points_cell, score.points, num_format="General")
                sheet.formula(row, 5, score_cell, GAP if score.score is None else score.score)
                _rate(sheet, row, score.rate)
            spans.append((start, sheet.row - 1))
            if len(mine) > 1:
                _subtotal(sheet, 2, "小计", two, mine, spans[-1:], bg_color="#F5F7FA")
            _merge(sheet, start, sheet.row - 1, 1, two.level2)
        below = [i for i in card.indicators if i.level1 == one.level1]
        row = _subtotal(sheet, 1, f"{one.level1}合计", one, below, spans, bg_color="#E4ECF4")
        sums.append((row, row))
        _merge(sheet, first, row, 0, one.level1)
    note, looks = card.grade_note, {"bg_color": "#D3DFEC", "bold": True}
    row = _subtotal(sheet, 0, "总计", card, card.indicators, sums, note, **looks)
    looks = {"bold": True, "font_size": 12}
    sheet.formula(place, 1, at(row, 5), card.low, num_format=_score_format(card.total), **looks)
    grade = card.grade or f"{GAP}（可能区间 {fixed(card.low)}～{fixed(card.high)} 分）"
    sheet.xl.write_string(place, 6, grade, book.format(align="center", **looks))
    if card.total is None:
        scores, points = (f"{at(top, column)}:{at(row - 1, column)}" for column in (5, 4))
        texts = ["可能区间（最低、最高）", "", None, None, "待补充指标得零分、得满分"]
        centre = book.format(align="center")
        last = sheet.line(texts, [4, 1, 1, 1, 1], [centre] * 4 + [book.format()])
        sheet.formula(last, 5, at(row, 5), card.low)
        sheet.formula(last, 6, f'{at(row, 5)}+SUMIF({scores},"{GAP}",{points})', card.high)


def _table_sheet(
    book: _Book,
    name: str,
    columns: Sequence[tuple[str, str, float]],
    rows: Sequence[dict[str, str]],
    header: str,
) -> None:
    """A landscape sheet of one table; an empty one says 无."""
    sheet = _Sheet(book, name, [width for _, _, width in columns], name, header, landscape=True)
    sheet.header([label for _, label, _ in columns])
    sheet.xl.freeze_panes(2, 0)
    sheet.xl.repeat_rows(1)
    for fields in rows:
        texts = [fields.get(key, "") for key, _, _ in columns]
        row = sheet.line(texts)
        for column, (key, _, _) in enumerate(columns):
            if key in _NUMERIC:
                sheet.number(row, column, texts[column], align="right")
    if not rows:
        sheet.line(["无"], [len(columns)], [book.format(align="center")])


def _problem_rows(result: Result) -> list[dict[str, str]]:
    rows = []
    for problem in result.problems:
        places = (problem.file, problem.sheet, problem.cell, problem.indicator)
        rows.append({
            "severity": SEVERITY_NAMES[problem.severity],
            "place": "｜".join(place for place in places if place),
            "what": problem.what,
            "remedy": problem.remedy,
        })  # fmt: skip
    said = {problem.what for problem in result.problems}
    gaps = [name for name in result.missing if name not in said]
    return rows + [{"severity": GAP, "what": name, "remedy": "送审前补齐"} for name in gaps]


def _policy_rows(result: Result) -> list[dict[str, str]]:
    return [
        {
            "title": use.title,
            "value": value_text(use.value),
            "source": use.source,
            "effective": use.effective,
            "profile": _profile(use),
            "overrode": use.overrode or "无",
            "used": "、".join(users),
        }
        for use, users in _used_policies(result)
    ]


def _created(result: Result) -> datetime:
    """The report date, so that no clock enters the file."""
    found = _DATE.search(result.subject.get("report_date", ""))
    year, month, day = map(int, found.groups()) if found else (2000, 1, 1)
    return datetime(year, month, day)


def write_papers(result: Result, path: Path) -> Path:
    """Write the working papers of one result; returns the path really written.

    Sheets: 汇总, one a third-level indicator (by its code), 调分记录, 指标变更, 警告与提示,
    基础数据, 政策取值汇总 and a hidden ``_meta`` with schema and version.
    """
    tables: dict[str, tuple[Sequence[tuple[str, str, float]], list[dict[str, str]]]] = {
        "调分记录": (_ADJUSTMENTS, result.tables.get("adjustments", [])),
        "指标变更": (_CHANGES, result.tables.get("changes", [])),
        "警告与提示": (_PROBLEMS, _problem_rows(result)),
        "基础数据": (_DATA, result.tables.get("data", [])),
        "政策取值汇总": (_POLICIES, _policy_rows(result)),
    }

    def write(stream: BinaryIO) -> None:
        book = _Book(stream)
        book.file.set_properties({"title": f"{result.name}底稿", "created": _created(result)})
        header = result.name + ("（示例数据）" if result.subject.get("demo") == "是" else "")
        summary = _Sheet(book, "汇总", (11, 15, 9, 25, 8, 11, 11, 20), "绩效评价工作底稿", header)
        scores = result.score.indicators if result.score else ()
        names = sheet_names((score.code for score in scores), ("汇总", "_meta", *tables))
        links = {
            score.code: (name, *_indicator_sheet(book, name, score, header))
            for score, name in zip(scores, names, strict=True)
        }
        _summary(summary, result, links)
        for name, (columns, rows) in tables.items():
            _table_sheet(book, name, columns, rows, header)
        meta = book.file.add_worksheet("_meta")
        facts = (("schema", SCHEMA), ("version", SCHEMA_VERSION), ("workflow", result.workflow),
                 ("code", result.code), ("stage", result.stage))  # fmt: skip
        for row, fact in enumerate(facts):
            meta.write_row(row, 0, fact)
        meta.hide()
        book.file.close()

    return write_atomic(path, write)
