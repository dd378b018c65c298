"""Forms at random, as units lay them out and spell them, with what must come back."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from boards import Board
from hypothesis import strategies as st

from evalkit.workbook.schema import load_schema

SCHEMA = load_schema("filed_form")
ALIASES = {
    f"{sheet.id}.{spec.id}": [spec.label, *(a for a in spec.aliases if a[0] not in "/~")]
    for sheet in SCHEMA.sheets
    for spec in sheet.fields
}
# spelt like another field of the same table, or read as the name of an export's column
ALIASES["project.points"] = ["总分值"]
NOISE = ["", "  ", "\n", "　"]
NONE = object()  # whatever stands there, it has no value


@dataclass
class Cell:
    """A cell to be and what it must come back as; `doubtful` says that a problem may name it."""

    content: Any = None
    value: Any = None
    unit: str = ""
    bound: str = ""
    doubtful: bool = False


@dataclass
class Expected:
    """A form that was laid out: its values by field, its rows in order."""

    project: dict[str, Any] = field(default_factory=dict)
    funds: list[tuple[str, dict[str, Cell]]] = field(default_factory=list)
    indicators: list[dict[str, Cell]] = field(default_factory=list)


def wide(text: str) -> str:
    """Half-width signs as full-width ones."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@st.composite
def heading(draw: Any, path: str, unit: str = "") -> str:
    text = draw(st.sampled_from(ALIASES[path]))
    if len(text) > 2 and draw(st.booleans()):
        cut = draw(st.integers(1, len(text) - 1))
        if text[cut - 1] not in "0123456789（(" and text[cut] not in "0123456789":
            text = text[:cut] + draw(st.sampled_from(NOISE)) + text[cut:]
    text = draw(st.sampled_from(["", "", "", "1.", "★", "（2）"])) + text
    text += f"（{unit}）" if unit else ""
    return text + draw(st.sampled_from(["", "", "", "（A）", "*", "："]))


@st.composite
def amount(draw: Any, unit: str, stated: bool) -> Cell:
    """Money in 万元 or 元; without a unit anywhere only what carries its own is read."""
    scale = Decimal(10_000) if unit == "万元" else Decimal(1)
    value = Decimal(draw(st.integers(1, 9_999_999))) / 100
    style = draw(
        st.sampled_from(
            ["number", "text", "commas", "wide", "own", "zero", "blank", "dash", "words"]
        )
    )
    if style == "own":
        return Cell(f"{value}万元", value * 10_000)
    if style == "zero":
        return Cell(0, Decimal(0))
    if style in ("blank", "dash"):
        return Cell({"blank": None, "dash": "—"}[style], None)
    if style == "words":
        return Cell("约100多", None, doubtful=True)
    content = {
        "number": float(value),
        "text": str(value),
        "commas": f"{value:,}",
        "wide": wide(str(value)),
    }
    return Cell(content[style], value * scale if stated else None, doubtful=not stated)


@st.composite
def measured(draw: Any, unit: str, column: bool, percent: bool) -> Cell:
    """A target or an actual value; with `column` its unit stands in a column of its own."""
    sign = draw(st.sampled_from(["", "≥", "≤", "≧", "＝"]))
    bound = {"≧": "≥", "＝": "="}.get(sign, sign)
    style = draw(
        st.sampled_from(["plain", "text", "wide", "blank", "slash", "words", "date", "ratio"])
    )
    if style in ("blank", "slash"):
        return Cell({"blank": None, "slash": "/"}[style], None)
    if style == "words":
        return Cell("显著提升", "显著提升")
    if style == "date":
        return Cell("2022年12月前完成", NONE)
    if style == "ratio":
        return Cell("880/880", "880/880")
    if percent:
        value = draw(st.integers(0, 200))
        if style == "plain":
            kind = draw(st.sampled_from(["format", "bare", "fraction"]))
            if kind == "format":
                return Cell((value / 100, "0%"), Decimal(value), "%")
            bare = value if kind == "bare" else value / 100
            doubt = 0 < bare <= 1
            known = Decimal(value) if kind == "bare" else Decimal(value) / 100
            return Cell(bare, None if doubt else known, "%" if column else "", doubtful=doubt)
        text = f"{sign}{value}%"
        return Cell(wide(text) if style == "wide" else text, Decimal(value), "%", bound)
    value = draw(st.integers(0, 100_000))
    if style == "plain":
        return Cell(value, Decimal(value), unit if column else "")
    text = f"{sign}{value}" + ("" if column else unit)
    return Cell(wide(text) if style == "wide" else text, Decimal(value), unit, bound)


@st.composite
def score(draw: Any) -> Cell:
    value = Decimal(draw(st.integers(0, 200))) / 10
    style = draw(st.sampled_from(["number", "text", "unit", "blank", "dash", "words"]))
    contents = {
        "number": float(value),
        "text": str(value),
        "unit": f"{value}分",
        "blank": None,
        "dash": "－",
    }
    if style == "words":
        return Cell("见附件", None, doubtful=True)
    return Cell(contents[style], value if style in ("number", "text", "unit") else None)


LEVEL1, LEVEL2 = ("产出指标", "效益指标", "满意度指标"), ("数量指标", "质量指标", "社会效益指标")
UNITS = ("人次", "公里", "个", "万亩")


@st.composite
def indicator(draw: Any, number: int, columns: list[str]) -> dict[str, Cell]:
    percent = draw(st.booleans())
    own = "indicators.unit" in columns
    unit = "%" if percent else draw(st.sampled_from(UNITS))
    name = f"内容{number}{'完成率' if percent else '数量'}"
    row = {"indicators.level3": Cell(name, name)}
    row["indicators.target"] = draw(measured(unit, own, percent))
    row["indicators.actual"] = draw(measured(unit, own, percent))
    row["indicators.unit"] = Cell(unit, unit)
    sign = draw(st.sampled_from(["", "≥", "≦", "定性"]))
    row["indicators.direction"] = Cell(sign, {"≦": "≤"}.get(sign, sign) or None)
    row["indicators.points"], row["indicators.score"] = draw(score()), draw(score())
    row["indicators.reason"] = draw(
        st.sampled_from([Cell(), Cell("招标较晚，1月完成", "招标较晚，1月完成")])
    )
    _doubt(row)
    return row


def _doubt(row: dict[str, Cell]) -> None:
    """A bare 0.98 has two readings in a rate or beside a percentage."""
    told = [row["indicators.target"], row["indicators.actual"]]
    was = [(cell.value, cell.unit) for cell in told]
    rate = row["indicators.level3"].value.endswith("率")
    for cell, (value, unit), (_, other) in zip(told, was, reversed(was), strict=True):
        if isinstance(value, Decimal) and not unit and 0 < value <= 1 and (rate or other == "%"):
            cell.value, cell.doubtful = None, True


def _bind(row: dict[str, Cell]) -> None:
    """An operator in a column of its own is that of the target."""
    sign, target = row["indicators.direction"].value, row["indicators.target"]
    if sign in ("≥", "≤") and not target.bound and target.value is not None:
        target.bound = sign


@st.composite
def lay(draw: Any, board: Board, top: int, number: int) -> tuple[int, Expected]:
    """One form from row `top`; returns the next free row."""
    put, expected = board.put, Expected()
    gap = lambda: draw(st.integers(0, 1))  # noqa: E731
    unit = draw(st.sampled_from(["元", "万元"]))
    place = draw(st.sampled_from(["line", "block", "heading", "item", "none"]))
    width = 14
    row = top
    if number or draw(st.booleans()):
        put(row, 1, "项目支出绩效自评表", draw(st.sampled_from([1, width])))
        put(row + 1, 1, "（2023年度）", width)
        row += 2
        expected.project["year"] = Decimal(2023)
    if place == "line":
        put(row, 9, draw(st.sampled_from([f"单位：{unit}", f"金额单位:{unit}"])), width)
        row += 1
    name = f"某县第{number}号道路养护项目"
    for path, value in (
        ("project.name", name),
        ("project.unit", "某县公路站"),
        ("project.department", "某县交通局"),
    ):
        spell = (
            draw(heading(path)) if path == "project.name" else draw(st.sampled_from(ALIASES[path]))
        )
        right = draw(st.integers(1, 3))
        put(row, 1, spell, right)
        put(row, right + 1, value, draw(st.sampled_from([right + 1, width])))
        expected.project[path.partition(".")[2]] = value
        row += 1 + gap()
    row = draw(_funds(board, row, expected, unit, place))
    if draw(st.booleans()):
        put(row, 1, "年度总体目标", bottom=row + 1)
        put(row, 2, "预期目标", 6)
        put(row, 7, "实际完成情况", width)
        put(row + 1, 2, "完成养护100公里", 6)
        put(row + 1, 7, "完成98公里", width)
        expected.project |= {"goal": "完成养护100公里", "achieved": "完成98公里"}
        row += 2
    row = draw(_indicators(board, row, expected))
    for line in draw(
        st.lists(
            st.sampled_from(
                ["注：1.指标值应量化。", "填报人：张三    联系电话：13900000000", "备注: 无"]
            ),
            max_size=2,
        )
    ):
        put(row, 1, line, draw(st.sampled_from([1, width])))
        row += 1
    return row + gap(), expected


@st.composite
def _funds(draw: Any, board: Board, row: int, expected: Expected, unit: str, place: str) -> int:
    money = draw(st.permutations(["funds.initial", "funds.budget", "funds.spent"]))
    columns = [*money, *draw(st.permutations(["funds.points", "funds.rate", "funds.score"]))]
    names = draw(st.permutations(["items.fiscal", "items.carry", "items.other"]))
    items = ["items.total", *names[: draw(st.integers(0, 3))]]
    put = board.put
    side = draw(st.booleans())
    if side:
        put(row, 1, "项目资金" + (f"（{unit}）" if place == "block" else ""), 2, row + len(items))
    elif place == "block":
        place = "none"
    at, places = 4, {}
    for path in columns:
        at += draw(st.integers(0, 1))
        stated = unit if place == "heading" and path in money else ""
        put(row, at, draw(heading(path, stated)))
        places[path] = at
        at += 1
    row += 1
    cut, above = draw(st.integers(0, 5)), dict[str, Cell]()  # an amount merged into the next line
    for n, path in enumerate(items):
        if not side and n != cut + 1 and draw(st.integers(0, 4)) == 4:
            row += 1  # a blank row
        stated = unit if place == "item" else ""
        name = draw(heading(path, stated)).lstrip("1.★（2）")
        put(row, 3, draw(st.sampled_from(["", "其中："])) + name)
        told = {}
        for name in columns:
            cell = draw(amount(unit, place != "none")) if name in money else draw(score())
            if name == "funds.rate":
                value = draw(st.integers(2, 100))
                rates = [
                    Cell(f"{value}%", Decimal(value), "%"),
                    Cell((value / 100, "0%"), Decimal(value), "%"),
                    Cell(0.5, None, doubtful=True),
                ]
                cell = draw(st.sampled_from(rates))
            bottom = row
            if name == money[0] and n == cut and n + 1 < len(items):
                bottom = row + 1
                if isinstance(cell.value, Decimal):
                    cell.value, cell.doubtful = None, True
                above = {name: cell}
            if name in above and n == cut + 1:
                cell = above[name]
            else:
                put(row, places[name], cell.content, bottom=bottom)
            told[name.partition(".")[2]] = cell
        expected.funds.append((path, told))
        row += 1
    return row + draw(st.integers(0, 1))


@st.composite
def _indicators(draw: Any, board: Board, row: int, expected: Expected) -> int:
    own = draw(st.booleans())
    more = ["indicators.direction", "indicators.unit"] if own else []
    rest = draw(
        st.permutations(
            [
                "indicators.target",
                "indicators.actual",
                "indicators.points",
                "indicators.score",
                "indicators.reason",
                *more,
            ]
        )
    )
    columns = ["indicators.level1", "indicators.level2", "indicators.level3", *rest]
    count = draw(st.integers(1, 5))
    rows = [draw(indicator(n, columns)) for n in range(count)]
    first = sorted(draw(st.lists(st.sampled_from(LEVEL1), min_size=count, max_size=count)))
    second = draw(st.lists(st.sampled_from(LEVEL2), min_size=count, max_size=count))
    put = board.put
    at, places = 1 + draw(st.integers(0, 1)), {}
    if at == 2 and draw(st.booleans()):
        put(row, 1, "绩效指标", bottom=row + count)
    for path in columns:
        span = draw(st.integers(0, 1)) if path in ("indicators.level3", "indicators.reason") else 0
        text = draw(heading(path))
        put(row, at, text, at + span)
        places[path] = (at, at + span)
        at += span + 1 + (draw(st.integers(0, 5)) == 5)
    style = draw(st.sampled_from(["merged", "repeated", "blank"]))
    cut = draw(st.integers(0, count)) if draw(st.booleans()) else count
    row += 1
    for n, told in enumerate(rows):
        told["indicators.level1"] = Cell(first[n], first[n])
        told["indicators.level2"] = Cell(second[n], second[n])
        for path in columns:
            left, right = places[path]
            cell = told[path]
            if (
                path == "indicators.level1"
                and style != "repeated"
                and n
                and first[n] == first[n - 1]
            ):
                continue
            if path == "indicators.points" and n == cut + 1:
                continue  # under the merge below
            bottom = row
            if path == "indicators.points" and n == cut and n + 1 < count:
                bottom = row + 1
                if isinstance(cell.value, Decimal):
                    cell.value, cell.doubtful = None, True
                rows[n + 1][path] = Cell(cell.content, cell.value, doubtful=cell.doubtful)
            if path == "indicators.level1" and style == "merged":
                bottom = row + sum(1 for other in first[n:] if other == first[n]) - 1
            put(row, left, cell.content, right, bottom)
        if more:
            _bind(told)
        expected.indicators.append({path.partition(".")[2]: told[path] for path in columns})
        row += 1
        if style == "repeated" and cut == count and draw(st.integers(0, 4)) == 4:
            row += 1
    if draw(st.booleans()):
        total = draw(st.integers(0, 100))
        put(
            row,
            1,
            draw(st.sampled_from(["总分", "合计", "总 计"])),
            min(places[p][0] for p in rest) - 1,
        )
        put(row, places["indicators.points"][0], 100)
        put(row, places["indicators.score"][0], total)
        expected.project |= {"points": Decimal(100), "total": Decimal(total)}
        row += 1
    return row


@st.composite
def workbooks(draw: Any) -> tuple[list[Board], list[Expected]]:
    """Sheets with one or two forms each."""
    boards, forms = [], []
    for sheet in range(draw(st.integers(1, 2))):
        board, row = Board(f"表单{sheet}"), 1 + draw(st.integers(0, 1))
        for _ in range(draw(st.integers(1, 2))):
            row, expected = draw(lay(board, row, len(forms)))
            row += 1
            forms.append(expected)
        boards.append(board)
    return boards, forms


@st.composite
def exports(draw: Any) -> tuple[list[Board], list[Expected]]:
    """An export of the budget system: one row an indicator, or one row a project."""
    board, unit = Board("导出"), draw(st.sampled_from(["元", "万元"]))
    place = draw(st.sampled_from(["heading", "line", "none"]))
    lines = draw(st.booleans())
    mine = ["project.code", "project.name", "project.unit", "project.department"]
    money = ["funds.budget", "funds.spent"]
    told = ["target", "actual", "unit", "direction", "points", "score", "reason"]
    levels = ["indicators.level1", "indicators.level2", "indicators.level3"]
    more = (
        [*levels, *(f"indicators.{name}" for name in told)]
        if lines
        else ["project.total", "funds.rate", "funds.initial"]
    )
    columns = [*draw(st.permutations(mine)), *draw(st.permutations([*money, *more]))]
    row = 1
    if draw(st.booleans()):
        board.put(row, 1, "2023年项目支出绩效自评情况汇总表", len(columns))
        row += 1
    if place == "line":
        board.put(row, len(columns), f"单位：{unit}")
        row += 1
    deep = draw(st.integers(0, 1))
    for at, path in enumerate(columns, 1):
        own = unit if place == "heading" and path in (*money, "funds.initial") else ""
        board.put(row, at, draw(heading(path, own)), bottom=row + deep)
    row += 1 + deep
    style, forms = draw(st.sampled_from(["merged", "repeated", "blank"])), []
    for number in range(draw(st.integers(1, 3))):
        if draw(st.integers(0, 3)) == 3:
            board.put(row, 1, draw(st.sampled_from(["某县教育系统", "合计", "小计"])), len(columns))
            row += 1
        expected = Expected()
        names = {
            "code": f"A00{number}",
            "name": f"第{number}号项目",
            "unit": "某县公路站",
            "department": "某县交通局",
        }
        cells = {f"project.{name}": Cell(value, value) for name, value in names.items()}
        for path in (*money, *(["funds.initial"] if not lines else [])):
            cells[path] = draw(amount(unit, place != "none"))
        if not lines:
            cells["project.total"] = draw(score())
            rate = draw(st.integers(2, 100))
            cells["funds.rate"] = Cell(f"{rate}%", Decimal(rate), "%")
        count = draw(st.integers(1, 3)) if lines else 1
        for n in range(count):
            if lines:
                wanted = draw(indicator(n, columns))
                first = draw(st.sampled_from(LEVEL1))
                wanted["indicators.level1"] = Cell(first, first)
                wanted["indicators.level2"] = Cell("数量指标", "数量指标")
                _bind(wanted)
                expected.indicators.append(
                    {p.partition(".")[2]: wanted[p] for p in columns if p in wanted}
                )
            for at, path in enumerate(columns, 1):
                if lines and path in wanted:
                    board.put(row, at, wanted[path].content)
                elif style == "repeated" or not n:
                    bottom = row + count - 1 if style == "merged" else row
                    board.put(row, at, cells[path].content, bottom=bottom)
            row += 1
        expected.project = {name: cells[f"project.{name}"].value for name in names}
        if not lines:
            expected.project["total"] = cells["project.total"].value
        funds = {p.partition(".")[2]: c for p, c in cells.items() if p.startswith("funds")}
        expected.funds = [("items.total", funds)]
        forms.append(expected)
    return [board], forms
