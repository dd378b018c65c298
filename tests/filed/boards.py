"""Forms as units file them, laid out from plain data and written in every format that is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import zip_longest
from pathlib import Path
from typing import Any

from docx import Document
from openpyxl import Workbook

Spot = tuple[int, int]  # row, column from 1


def cells(text: str) -> list[tuple[Any, ...]]:
    """Lines of cells between bars; a number is one, ~ is the cell above, ↵ a new line."""
    rows: list[tuple[Any, ...]] = []
    for line in text.strip().splitlines():
        told = [cell.strip().replace("↵", "\n") for cell in line.split("|")]
        rows.append(tuple(rows[-1][n] if c == "~" else _typed(c) for n, c in enumerate(told)))
    return rows


def _typed(text: str) -> Any:
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text


@dataclass
class Board:
    """A sheet to be: values, number formats, merges (top, left, bottom, right)."""

    title: str = "自评表"
    values: dict[Spot, Any] = field(default_factory=dict)
    formats: dict[Spot, str] = field(default_factory=dict)
    merges: list[tuple[int, int, int, int]] = field(default_factory=list)

    def put(self, row: int, left: int, value: Any, right: int = 0, bottom: int = 0) -> None:
        """A value, merged to the right and down if told."""
        right, bottom = right or left, bottom or row
        if value not in (None, ""):
            if isinstance(value, tuple):
                value, self.formats[row, left] = value
            self.values[row, left] = value
        if (right, bottom) != (left, row):
            self.merges.append((row, left, bottom, right))

    def fill(self, row: int, left: int, text: str) -> None:
        """Lines of cells between bars, as `cells` reads them."""
        for at, told in enumerate(cells(text), row):
            for column, value in enumerate(told, left):
                self.put(at, column, value)

    def line(self, row: int, text: str, *lefts: int, last: int = 0) -> None:
        """Cells that begin at these columns, each merged up to the next one."""
        ends = [*(left - 1 for left in lefts[1:]), last or lefts[-1]]
        for value, left, right in zip(cells(text)[0], lefts, ends, strict=True):
            self.put(row, left, value, right)

    @property
    def size(self) -> Spot:
        spots = [*self.values, *((bottom, right) for *_, bottom, right in self.merges)]
        return max(r for r, _ in spots), max(c for _, c in spots)

    def shown(self, spot: Spot) -> str:
        """What a person sees in the cell."""
        value = self.values.get(spot, "")
        if self.formats.get(spot) == "0%":
            return f"{value:.0%}"
        return str(value)


# --- formats -----------------------------------------------------------------------------------


def to_xlsx(path: Path, *boards: Board) -> Path:
    book = Workbook()
    book.remove(book.active)
    for board in boards:
        sheet = book.create_sheet(board.title)
        for (row, column), value in board.values.items():
            cell = sheet.cell(row, column, value)
            if isinstance(value, str):
                cell.data_type = "s"
            cell.number_format = board.formats.get((row, column), "General")
        for top, left, bottom, right in board.merges:
            sheet.merge_cells(None, top, left, bottom, right)
    book.save(path)
    return path


def to_xls(path: Path, *boards: Board) -> Path:
    import xlwt

    book = xlwt.Workbook(encoding="utf-8")
    for board in boards:
        sheet = book.add_sheet(board.title)
        merged = {(top, left): (bottom, right) for top, left, bottom, right in board.merges}
        for row, column in {**board.values, **merged}:
            style = xlwt.XFStyle()
            style.num_format_str = board.formats.get((row, column), "General")
            value = board.values.get((row, column), "")
            bottom, right = merged.get((row, column), (row, column))
            if (bottom, right) == (row, column):
                sheet.write(row - 1, column - 1, value, style)
            else:
                sheet.write_merge(row - 1, bottom - 1, column - 1, right - 1, value, style)
    book.save(str(path))
    return path


def _walk(board: Board) -> Iterable[list[tuple[str, int, int]]]:
    """Row by row the cells that a table of the web has: text, columns, rows."""
    spans = {(t, left): (r - left + 1, b - t + 1) for t, left, b, r in board.merges}
    covered = {
        (row, column)
        for t, left, b, r in board.merges
        for row in range(t, b + 1)
        for column in range(left, r + 1)
    } - spans.keys()
    rows, columns = board.size
    for row in range(1, rows + 1):
        spots = [(row, c) for c in range(1, columns + 1) if (row, c) not in covered]
        yield [(board.shown(spot), *spans.get(spot, (1, 1))) for spot in spots]


def to_html(path: Path, *boards: Board, encoding: str = "utf-8", around: str = "") -> Path:
    """A web page as budget systems save it under the name .xls."""
    tables = []
    for board in boards:
        rows = (
            "".join(
                f'<td colspan="{wide}" rowspan={high}>{escape(text)}</td>'.replace("\n", "<br>")
                for text, wide, high in cells
            )
            for cells in _walk(board)
        )
        tables.append("<table border=1>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")
    meta = f'<meta http-equiv="Content-Type" content="text/html; charset={encoding}">'
    text = f"<html><head>{meta}</head><body>{around}{'<p>'.join(tables)}</body></html>"
    path.write_bytes(text.encode("gb18030" if encoding == "gb2312" else encoding))
    return path


def to_docx(
    path: Path, *boards: Board, before: Sequence[str] = (), after: Sequence[str] = ()
) -> Path:
    document = Document()
    for line in before:
        document.add_paragraph(line)
    for board in boards:
        table = document.add_table(*board.size)
        cells = [[*row.cells] for row in table.rows]
        for top, left, bottom, right in board.merges:
            cells[top - 1][left - 1].merge(cells[bottom - 1][right - 1])
        for row, column in board.values:
            cells[row - 1][column - 1].text = board.shown((row, column))
        document.add_paragraph()
    for line in after:
        document.add_paragraph(line)
    document.save(str(path))
    return path


def to_csv(path: Path, board: Board, encoding: str = "utf-8-sig") -> Path:
    rows, columns = board.size
    lines = [
        ",".join(f'"{board.shown((row, column))}"' for column in range(1, columns + 1))
        for row in range(1, rows + 1)
    ]
    path.write_text("\n".join(lines), encoding=encoding)
    return path


# --- layouts -----------------------------------------------------------------------------------

FUNDS = ("年度资金总额", "其中：当年财政拨款", "上年结转资金", "其他资金")
MONEY = "年初预算数|全年预算数|全年执行数|分值|执行率|得分"
LEVELS = "一级指标|二级指标|三级指标"


@dataclass
class Form:
    """What a unit says: funds and indicators as rows of what is typed into the cells.

    An indicator is level1–3, operator, target, unit, actual, points, score, reason.
    """

    name: str = "义务教育营养改善计划"
    code: str = ""
    department: str = "某县教育局"
    unit: str = "某县明朗中学"
    year: str = "2022"
    money: str = "万元"
    goal: str = "保障学生营养餐"
    achieved: str = "已完成"
    funds: Sequence[Sequence[Any]] = ((880, 880, 880, 10, "100%", 10), (880, 880, 880))
    indicators: Sequence[Sequence[Any]] = ()
    total: tuple[Any, Any] | None = (100, 100)


def _levels(board: Board, top: int, columns: Sequence[int], rows: Sequence[Sequence[Any]]) -> None:
    """The first levels, each merged down over the rows that share it."""
    for at, column in enumerate(columns):
        start = 0
        for row in range(1, len(rows) + 1):
            if row == len(rows) or rows[row][: at + 1] != rows[start][: at + 1]:
                board.put(top + start, column, rows[start][at], bottom=top + row - 1)
                start = row


def _funds(board: Board, top: int, left: int, form: Form, items: Sequence[str]) -> None:
    """The lines of the money, each with its name before column `left`."""
    for at, (item, *told) in enumerate(zip_longest(items, form.funds, fillvalue=())):
        board.put(top + at, left - 1, item)
        for column, value in enumerate(told[0], left):
            board.put(top + at, column, value)


def self_evaluation(form: Form, board: Board | None = None, top: int = 1) -> Board:
    """项目支出绩效自评表, 财预〔2020〕10号 附1; operators and units stand inside the cells."""
    board = board or Board()
    board.line(top, "项目支出绩效自评表", 1, last=10)
    board.line(top + 1, f"（{form.year}年度）", 1, last=10)
    board.line(top + 2, f"项目名称|{form.name}", 1, 4, last=10)
    board.line(top + 3, f"主管部门|{form.department}|实施单位|{form.unit}", 1, 4, 7, 9, last=10)
    board.put(top + 4, 1, f"项目资金\n（{form.money}）", 3, top + 4 + len(FUNDS))
    board.fill(top + 4, 5, MONEY)
    _funds(board, top + 5, 5, form, FUNDS)
    row = top + 5 + len(FUNDS)
    board.put(row, 1, "年度总体目标", bottom=row + 1)
    board.line(row, "预期目标|实际完成情况", 2, 7, last=10)
    board.line(row + 1, f"{form.goal}|{form.achieved}", 2, 7, last=10)
    row += 2
    board.put(row, 1, "绩效指标", bottom=row + len(form.indicators))
    board.fill(row, 2, f"{LEVELS}|年度↵指标值|实际↵完成值|分值|得分")
    board.put(row, 9, "偏差原因分析及改进措施", 10)
    _levels(board, row + 1, (2, 3), form.indicators)
    for here, (_, _, name, sign, target, unit, *told) in enumerate(form.indicators, row + 1):
        wanted = f"{sign}{target}{unit}" if sign or unit else target
        for column, value in enumerate((name, wanted, *told[:3]), 4):
            board.put(here, column, value)
        board.put(here, 9, told[3] if len(told) > 3 else None, 10)
    row += 1 + len(form.indicators)
    if form.total:
        board.line(row, f"总分|{form.total[0]}|{form.total[1]}", 1, 7, 8)
    return board


def two_level(form: Form) -> Board:
    """A 自评表 whose headings take two rows; operator, value and unit have columns of their own."""
    board = Board("公开14表")
    board.line(1, f"{form.year}年度项目支出绩效自评表", 1, last=11)
    board.line(2, f"编制单位：{form.unit}|公开14表", 1, 11)
    board.line(3, f"项目名称|{form.name}", 1, 2, last=11)
    board.line(4, f"主管部门|{form.department}|实施单位|{form.unit}", 1, 2, 6, 7, last=11)
    board.put(5, 1, f"项目资金（{form.money}）", 2, 5 + len(FUNDS))
    board.fill(5, 6, MONEY)
    _funds(board, 6, 6, form, FUNDS)
    board.put(10, 1, "年度\n总体\n目标", bottom=11)
    board.line(10, "预期目标|实际完成情况", 2, 7, last=11)
    board.line(11, f"{form.goal}|{form.achieved}", 2, 7, last=11)
    board.line(12, "绩效指标|年度指标值", 1, 4, last=6)
    for column, text in enumerate(("实际完成值", "分值", "得分", "偏差原因分析及改进措施"), 7):
        board.put(12, column, text, 11 if column == 10 else column, 13)
    board.fill(13, 1, f"{LEVELS}|指标性质|指标值|度量单位")
    _levels(board, 14, (1, 2), form.indicators)
    for row, (_, _, *told) in enumerate(form.indicators, 14):
        for column, value in enumerate(told[:7], 3):
            board.put(row, column, value)
        board.put(row, 10, told[7] if len(told) > 7 else None, 11)
    row = 14 + len(form.indicators)
    board.line(row, "其他需要说明事项|无", 1, 2, last=11)
    if form.total:
        points, total = form.total
        board.line(row + 1, f"总分|{points}|{total}|（自评等级）|优", 1, 8, 9, 10, 11)
    return board


def provincial(form: Form, board: Board | None = None, top: int = 1) -> Board:
    """部门预算项目支出绩效自评表 as a province's budget system prints it, levels without merges."""
    board = board or Board("zp")
    name = f"{form.code}-{form.name}" if form.code else form.name
    board.line(top, f"部门预算项目支出绩效自评表（{form.year}年度）", 1, last=11)
    board.line(top + 1, f"项目名称|{name}", 1, 2, last=11)
    two = f"主管部门|{form.department}|实施单位 （盖章）|{form.unit}"
    board.line(top + 2, two, 1, 2, 6, 7, last=11)
    board.put(top + 3, 1, "项目基本情况", bottom=top + 5)
    board.put(top + 3, 2, "1.项目年度目标完成情况", 3, top + 4)
    board.line(top + 3, "项目年度目标|年度目标完成情况", 4, 8, last=11)
    board.line(top + 4, f"{form.goal}|{form.achieved}", 4, 8, last=11)
    board.line(top + 5, "2.项目实施内容及过程概述|按月组织实施", 2, 4, last=11)
    board.put(top + 6, 1, "预算执行情况（10分）", bottom=top + 10)
    board.fill(top + 6, 2, f"年度预算数（{form.money}）|年初预算|调整后预算数|预算执行数")
    board.fill(top + 6, 6, "权重|预算执行率|得分|原因")
    _funds(board, top + 7, 3, form, ("总额", "其中：财政资金", "上年结转资金", "其他资金"))
    board.put(top + 7, 9, "1.预算执行率=预算执行数/调整后预算数", bottom=top + 10)
    row = top + 11
    board.put(row, 1, "绩效指标（90分）", bottom=row + len(form.indicators))
    board.fill(row, 2, f"{LEVELS}|指标性质|指标值|度量单位|完成值|权重|得分|未完成原因分析")
    for at, told in enumerate(form.indicators):
        for column, value in enumerate(told, 2):
            same = at and form.indicators[at - 1][: column - 1] == told[: column - 1]
            board.put(row + 1 + at, column, "" if column < 4 and same else value)
    row += len(form.indicators) + 1
    if form.total:
        board.line(row, f"合计|{form.total[0]}|{form.total[1]}", 1, 9, 10)
    board.line(row + 1, "评价结论|自评100分，项目实施良好。", 1, 2, last=11)
    board.line(row + 2, "项目负责人：查某某|财务负责人：唐某", 1, 6, last=11)
    return board


CAUSES = ("经费保障", "制度保障", "人员保障", "硬件条件保障", "其他", "原因说明")
CHANCES = ("确定能", "有可能", "完全不可能")


def monitoring(form: Form, months: str = "1—7月", lines: Sequence[Sequence[Any]] = ()) -> Board:
    """项目支出绩效运行监控情况表.

    A line is level1–3, target, actual, forecast, the cause that is ticked, its explanation, what
    is possible, a note; a line of the money is budget, spent, rate, forecast.
    """
    board = Board("监控表")
    board.line(1, "项目支出绩效运行监控情况表", 1, last=17)
    board.line(2, f"（{form.year}年度）", 1, last=17)
    board.line(3, f"项目名称|{form.name}", 1, 3, last=17)
    two = f"主管部门及代码|{form.department}|实施单位|{form.unit}"
    board.line(4, two, 1, 3, 9, 11, last=17)
    board.put(5, 1, f"项目资金（{form.money}）", 2, 8)
    heads = f"年初预算数|{months}执行数|{months}执行率|全年预计执行数"
    board.line(5, heads, 5, 8, 11, 14, last=16)
    for at, item in enumerate(("年度资金总额", "其中：财政拨款", "其他资金")):
        board.put(6 + at, 3, item, 4)
        told = form.funds[at] if at < len(form.funds) else ()
        for column, value in zip((5, 8, 11, 14), told, strict=False):
            board.put(6 + at, column, value, column + 2)
    board.line(9, f"年度总体目标|{form.goal}", 1, 3, last=17)
    board.put(10, 1, "绩效指标", bottom=11 + len(lines))
    heads = f"{LEVELS}|年度指标值|{months}执行情况|全年预计完成情况"
    for column, text in enumerate(heads.split("|"), 2):
        board.put(10, column, text, bottom=11)
    board.line(10, "偏差原因分析|完成目标可能性", 8, 14, last=16)
    board.put(10, 17, "备注", bottom=11)
    board.fill(11, 8, "|".join((*CAUSES, *CHANCES)))
    _levels(board, 12, (2, 3), lines)
    for row, (_, _, *told, cause, reason, chance, note) in enumerate(lines, 12):
        for column, value in enumerate(told, 4):
            board.put(row, column, value)
        if cause:
            board.put(row, 8 + CAUSES.index(cause), "√")
        board.put(row, 13, reason)
        if chance:
            board.put(row, 14 + CHANCES.index(chance), "√")
        board.put(row, 17, note)
    return board


def targets(form: Form) -> Board:
    """项目支出绩效目标申报表: funds as labels with a value beside them, no headings over them."""
    board = Board("目标表")
    board.line(1, "项目支出绩效目标申报表", 1, last=8)
    board.line(2, f"（{form.year}年度）", 1, last=8)
    board.line(3, f"填报单位：{form.unit}|填报日期：2023年1月5日", 1, 6, last=8)
    board.line(4, f"项目名称|{form.name}|项目编码", 1, 2, 5)
    board.put(4, 6, form.code, 8)
    board.line(5, f"主管部门|{form.department}|实施单位|{form.unit}", 1, 2, 5, 6, last=8)
    board.line(6, "项目属性|延续项目|项目期|1年", 1, 2, 5, 6, last=8)
    board.put(7, 1, f"项目资金（{form.money}）", bottom=9)
    for at, item in enumerate(("年度资金总额：", "其中：财政拨款", "其他资金")):
        board.put(7 + at, 2, item, 4)
        board.put(7 + at, 5, form.funds[at][0] if at < len(form.funds) else "", 8)
    board.line(10, f"年度总体目标|{form.goal}", 1, 2, last=8)
    board.put(11, 1, "绩效指标", bottom=11 + len(form.indicators))
    board.fill(11, 2, f"{LEVELS}|指标方向|指标值|计量单位|权重")
    _levels(board, 12, (2, 3), form.indicators)
    for row, (_, _, *told) in enumerate(form.indicators, 12):
        for column, value in enumerate((*told[:4], told[5]), 4):
            board.put(row, column, value)
    row = 12 + len(form.indicators)
    people = "填报人：张某某    联系电话：0934-6622345    单位负责人：李某某"
    board.line(row, people, 1, last=8)
    board.line(row + 1, "注：1.指标值应量化；2.表中金额保留两位小数。", 1, last=8)
    return board


def export_of_projects(forms: Sequence[Form], title: str = "2022年县级项目绩效自评表") -> Board:
    """One row a project, headings in two rows."""
    board = Board("项目清单")
    board.line(1, title, 1, last=10)
    board.put(2, 9, f"单位：{forms[0].money}", 10)
    heads = "序号|项目编码|项目名称|主管部门|预算单位|年初预算数||| 全年执行数|执行率|自评得分"
    for column, text in enumerate(heads.split("|"), 1):
        if column not in (7, 8):
            board.put(3, column, text.strip(), bottom=4)
    board.put(3, 7, "全年预算数", 8)
    board.fill(4, 7, "合计|财政拨款")
    for at, form in enumerate(forms, 1):
        initial, budget, spent, _, rate, _ = form.funds[0]
        own = (at, form.code, form.name, form.department, form.unit)
        score = form.total[1] if form.total else None
        for column, value in enumerate((*own, initial, budget, budget, spent, rate, score), 1):
            board.put(4 + at, column, value)
    board.line(5 + len(forms), "合计|12345", 1, 6)
    return board


def export_of_indicators(forms: Sequence[Form], style: str = "merged") -> Board:
    """One row an indicator; the project's cells merged, repeated, or blank under the first."""
    board = Board("指标明细")
    board.fill(1, 1, f"项目编码|项目名称|预算单位|全年预算数（元）|{LEVELS}|指标性质|指标值")
    board.fill(1, 10, "度量单位|实际完成值|分值|得分|偏差原因分析")
    row = 2
    for form in forms:
        last = row + len(form.indicators) - 1
        for at, told in enumerate(form.indicators):
            for column, value in enumerate((form.code, form.name, form.unit, form.funds[0][1]), 1):
                if style == "repeated" or not at:
                    board.put(row + at, column, value, bottom=last if style == "merged" else 0)
            for column, value in enumerate(told, 5):
                board.put(row + at, column, value)
        row = last + 1
    return board
