"""Tables inside a page: where their headings stand, and what a row says under each of them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby, pairwise
from typing import NamedTuple

from evalkit.core.model import Datum, Row
from evalkit.filed.labels import FORMS, PATTERNS, UNREAD, Label, Labels, money_unit
from evalkit.workbook.cells import normal_unit, quantity
from evalkit.workbook.names import half, quote
from evalkit.workbook.reader import Cell, Page, Spot, cell_name, read_datum

LEVELS = {f"indicators.level{number}" for number in (1, 2, 3)}
MONEY = {f"funds.{name}" for name in ("initial", "budget", "arrived", "spent", "forecast")}
NAMES = {"project.name", "project.code"}
KINDS, ORDER = FORMS["kinds"], FORMS["order"]
HEAD_ROWS = 3  # a heading reaches over so many rows at most


class Area(NamedTuple):
    """A merge, or a cell alone, with the text that is seen there."""

    top: int
    left: int
    bottom: int
    right: int
    text: str = ""

    @property
    def spot(self) -> Spot:
        """The cell that holds the text."""
        return self.top, self.left


class Column(NamedTuple):
    """A heading and the columns under it; `item` is the line of 项目资金 that it speaks of."""

    label: Label
    left: int
    right: int
    head: Area
    unit: str = ""
    item: str = ""

    @property
    def key(self) -> str:
        """What its values are called in a row."""
        return f"{self.label.path}:{self.item}" if self.item else self.label.path


class Unknown(NamedTuple):
    """A heading that is not known, and where it stands."""

    heading: str
    place: str


class Band(NamedTuple):
    """The heading rows of a table and its last row; `kind` is a key of `ORDER`."""

    kind: str
    top: int
    bottom: int
    columns: Sequence[Column]
    end: int = 0

    @property
    def exported(self) -> bool:
        """Whether it is an export, with the names of projects among its columns."""
        return "project" in ORDER[self.kind]

    @property
    def left(self) -> int:
        """The first column that is understood."""
        return self.columns[0].left if self.columns else 0

    def column(self, *paths: str) -> Column | None:
        """The column of the first of these fields that there is."""
        by_path = {column.label.path: column for column in self.columns}
        return next((by_path[path] for path in paths if path in by_path), None)

    def over(self, area: Area) -> set[str]:
        """The fields whose columns an area covers."""
        return {c.label.path for c in self.columns if c.left <= area.right and c.right >= area.left}


@dataclass
class Grid:
    """A page while its forms are found: its areas, and what is known of them so far."""

    page: Page
    labels: Labels
    unknown: list[Unknown] = field(default_factory=list)  # headings
    used: set[int] = field(default_factory=set)  # rows of tables

    @cached_property
    def rows(self) -> dict[int, list[Area]]:
        """The areas with text by the row in which they begin, from the left."""
        spots = sorted(spot for spot, cell in self.page.cells.items() if cell.text)
        by_row = groupby(spots, key=lambda spot: spot[0])
        return {row: [self.at(*spot) for spot in group] for row, group in by_row}

    @cached_property
    def width(self) -> int:
        """The last filled column."""
        return max(areas[-1].left for areas in self.rows.values())

    @cached_property
    def _areas(self) -> dict[Spot, Area]:
        """The areas that are merged or filled, by every place that they cover."""
        areas = ((spot, self.page.area(*spot)) for spot in self.page.cells | self.page.merged)
        return {
            spot: Area(top, left, bottom, right, self.page.cell(top, left).text)
            for spot, (left, top, right, bottom) in areas
        }

    def at(self, row: int, column: int) -> Area:
        """The area that covers a place."""
        return self._areas.get((row, column)) or Area(row, column, row, column)

    def across(self, row: int, left: int, right: int) -> list[Area]:
        """The areas that cover the places of a row, from the left."""
        return [*dict.fromkeys(self.at(row, column) for column in range(left, right + 1))]

    def number(self, area: Area) -> bool:
        """Whether a number stands there."""
        value = self.page.cell(*area.spot).value
        return isinstance(value, int | float) or quantity(area.text) is not None

    def paths(self, area: Area) -> set[str]:
        """All fields that the area may be the heading of."""
        return {label.path for label in self.labels.all(area.text)}

    def stated(self, rows: Iterable[int]) -> str:
        """The money unit of a line 单位：万元 among the rows."""
        texts = (half(area.text) for row in rows for area in self.rows[row])
        units = {found[1] for text in texts if (found := PATTERNS["stated"].search(text))}
        return units.pop() if len(units) == 1 else ""

    def unit(self, rows: Iterable[int], left: int, otherwise: str) -> str:
        """The money unit that the nearest title left of a column states: 项目资金（万元）."""
        areas = (area for row in rows for area in reversed(self.across(row, 1, left - 1)))
        return next(filter(None, (money_unit(area.text) for area in areas)), otherwise)

    def told(self, area: Area, value: str | None = None) -> Datum:
        """What an area tells where no field is read."""
        cell = f"{self.page.title}!{cell_name(*area.spot)}"
        return Datum(value=value, raw=area.text, cell=cell)

    def ask(self, area: Area) -> None:
        """Note a heading that is not known."""
        self.unknown.append(Unknown(area.text, f"{self.page.title}｜{cell_name(*area.spot)}"))


def find_bands(grid: Grid) -> list[Band]:
    """The headings of all tables of a page, from the top; where there are exports, only theirs."""
    bands = list[Band]()
    for row in grid.rows:
        if row > 0 and row not in grid.used and (kind := _kind(grid, row)):
            top, bottom = _extent(grid, row, kind)
            grid.used |= {*range(top, bottom + 1)}
            bands.append(Band(kind, top, bottom, _columns(grid, kind, top, bottom)))
    bands = [band for band in bands if band.exported] or bands
    ends = [*(band.top - 1 for band in bands[1:]), max(grid.rows, default=0)]
    return [band._replace(end=end) for band, end in zip(bands, ends, strict=False)]


def _kind(grid: Grid, row: int) -> str:
    """The table whose headings a row may be: several known names side by side, no number."""
    areas = grid.rows[row]
    paths = {area: grid.paths(area) for area in areas}
    every, known = set[str]().union(*paths.values()), sum(map(bool, paths.values()))
    if known < 2 or any(map(grid.number, areas)):
        return ""
    sides = [(a, b) for a, b in pairwise(areas) if a.right + 1 == b.left and paths[a] and paths[b]]
    if any(NAMES & (paths[a] | paths[b]) for a, b in sides) and known > max(2, len(areas) / 2):
        return "lines" if every & LEVELS else "projects"
    of = [{path.partition(".")[0] for path in mine} for mine in paths.values()]
    if every & LEVELS and sum("indicators" in mine for mine in of) > 1:
        return "indicators"
    money = every & MONEY and "other.texts" not in every  # 任务名称, 主要内容, 预算金额 are none
    return "funds" if money and sum("funds" in mine for mine in of) > 1 else ""


def _extent(grid: Grid, row: int, kind: str) -> tuple[int, int]:
    """The first and the last heading row, by merges or by what stands under blank headings."""
    top = bottom = row
    for area in grid.across(row, 1, grid.width):
        sheets = {label.sheet for label in grid.labels.all(area.text)}
        if sheets & {*ORDER[kind]} and UNREAD not in sheets and area.bottom - area.top < HEAD_ROWS:
            top, bottom = min(top, area.top), max(bottom, area.bottom)

    def goes_on(line: int, beside: int) -> bool:
        """Whether a row has nothing but headings, each beside a blank or a wide one."""
        own = [area for area in grid.rows.get(line, ()) if area.bottom - area.top < HEAD_ROWS]
        next_to, paths = [grid.at(beside, area.left) for area in own], [*map(grid.paths, own)]
        columns = {p for mine in paths for p in mine if p.startswith("indicators") or p in MONEY}
        sound = all(paths) and all(area.right > area.left or not area.text for area in next_to)
        return sound and bool(columns or any(area.text for area in next_to))

    while bottom - top + 1 < HEAD_ROWS and goes_on(bottom + 1, bottom):
        bottom += 1
    if kind == "indicators" and top == row and goes_on(top - 1, top):
        top -= 1
    return top, bottom


def _columns(grid: Grid, kind: str, top: int, bottom: int) -> list[Column]:
    """The headings that are understood; the others are asked for, doubtful ones are said."""
    page, labels = grid.page, grid.labels
    heads: dict[Area, tuple[list[str], list[int]]] = {}  # texts from below, columns
    for column in range(1, grid.width + 1):
        areas = dict.fromkeys(grid.at(row, column) for row in range(bottom, top - 1, -1))
        seen = [area for area in areas if area.bottom <= bottom and area.text]
        under = [grid.at(bottom + row, column) for row in range(1, HEAD_ROWS + 1)]
        sums = kind != "funds" or any(map(grid.number, under))  # or else names of lines stand here
        if seen and (sums or not any(labels.of(area.text, "items") for area in under)):
            heads.setdefault(seen[0], ([area.text for area in seen], []))[1].append(column)
    found: dict[Area, Column] = {}
    claims: dict[tuple[str, str], list[Area]] = defaultdict(list)
    for weak in (False, True):
        for head, (texts, columns) in heads.items():
            if head in found:
                continue
            meant = _meant(labels, texts, kind, weak)
            free = [b for b in meant if not weak or (b.path, b.choice) not in claims]
            if free and (not weak or kind == "projects" or len({b.path for b in free}) == 1):
                item = next(filter(None, (labels.of(text, "items") for text in texts)), None)
                line = item.spec.label if item and free[0].sheet == "funds" else ""
                unit = next(filter(None, map(money_unit, texts)), "")
                found[head] = Column(free[0], columns[0], columns[-1], head, unit, line)
                claims[found[head].key, free[0].choice].append(head)
    for head in sorted(heads.keys() - found.keys()):
        meant = _meant(labels, heads[head][0], kind, weak=True)
        if not any((b.path, b.choice) in claims for b in meant):  # else a better one is there
            grid.ask(head)
    levels = {c.right: c.label for c in found.values() if c.label.path in LEVELS}
    for head in claims["indicators.points", ""][:-1]:  # 权重 of a level, beside it
        if head.left < max(levels, default=0) and (level := levels.get(head.left - 1)):
            found[head] = found[head]._replace(label=labels.all(f"{level.spec.label}分值")[0])
            claims["indicators.points", ""].remove(head)
    twice = {path: areas for (path, _), areas in claims.items() if len(areas) > 1}
    halves = [*zip(*twice.values(), strict=False)]  # 中期 and 年度 side by side: the later counts
    if "indicators.target" in twice and max(halves[0]) < min(halves[-1]) and len(halves) == 2:
        page.say("filed.halves", cell_name(*min(halves[0]).spot))
        start, later = (min(head.left for head in half) for half in halves)
        found = {head: one for head, one in found.items() if not start <= head.left < later}
        twice = {}
    for path, (first, *others) in twice.items():
        if not path.startswith(UNREAD):
            names = "、".join(cell_name(*head.spot) for head in others)
            page.say("filed.twice", cell_name(*first.spot), name=quote(first.text), others=names)
            found = {head: one for head, one in found.items() if head not in (first, *others)}
    return sorted((c for c in found.values() if c.label.sheet != UNREAD), key=lambda c: c.left)


def _meant(labels: Labels, texts: Sequence[str], kind: str, weak: bool) -> list[Label]:
    """The fields that a heading may mean, the likeliest first; texts are from below."""
    order, line = ORDER[kind], labels.of(texts[0], "items")
    for text in texts if line else texts[:1]:  # 财政拨款 under 全年预算数 is of the latter
        found = [b for b in labels.all(text) if b.sheet in order and b.weak == weak]
        if found:
            return sorted(found, key=lambda label: order.index(label.sheet))
    alone = weak and line and len(texts) == 1 and "project" in order
    return [labels.all("全年预算数")[0]] if alone else []


def read_row(grid: Grid, band: Band, row: int, owner: Mapping[int, object], unit: str = "") -> Row:
    """The values of a row by `Column.key`; what has two readings is said and has no value.

    `owner` tells which rows speak of one thing, `unit` is the money unit where a heading has none.
    """
    page, values = grid.page, Row()
    measure = band.column("indicators.unit")
    own = normal_unit(grid.at(row, measure.left).text) if measure else ""
    for column in band.columns:
        spec, choice, key = column.label.spec, column.label.choice, column.key
        datum = _value(grid, band, row, column, own if spec.unit_from else column.unit or unit)
        area = grid.at(row, column.left)
        whose = {owner.get(at) for at in range(area.top, area.bottom + 1)}
        alone = band.kind != "funds" and not spec.id.endswith("_points")  # not of several rows
        shared = len(whose - {None}) > 1 and (spec.type == "amount" or alone)
        if shared and not isinstance(datum.value, str | None):
            datum = doubted(page, datum, "filed.merged", spec.label)
        if not choice:
            values[key] = datum
        elif datum.text == "是" and key in values:
            values[key] = doubted(page, datum, "filed.ticks", spec.label)
        elif datum.text == "是":  # a tick under one of several choices
            values[key] = datum.model_copy(update={"value": choice})
    return values


def _value(grid: Grid, band: Band, row: int, column: Column, unit: str) -> Datum:
    page, spec = grid.page, column.label.spec
    areas = [area for area in grid.across(row, column.left, column.right) if area.text]
    first, *more = areas or [Area(row, column.left, row, column.left)]
    over = band.over(first) if first.right > first.left else set[str]()
    wide = len(over) > 1 and not over <= LEVELS
    one = not more or (  # an operator, a number and a unit under one heading
        spec.type in ("text", "longtext", "value")
        and all(page.cell(*area.spot).shown in "General@" for area in areas)
        and sum(bool(re.search(r"\d", area.text)) for area in areas) < 2
    )
    joined = "".join(area.text for area in areas)
    if wide or not one:
        datum = grid.told(first._replace(text=joined))
        return doubted(page, datum, "filed.wide" if wide else "filed.several", spec.label)
    return read_field(page, first, column.label, unit, column.head, joined if more else None)


def read_field(
    page: Page, area: Area, label: Label, unit: str, head: Area, text: str | None = None
) -> Datum:
    """One cell for a field; an amount needs a unit somewhere, 0.98 must say of what it is.

    `text` is read in place of what the cell says, `head` is where a unit was to be stated.
    """
    spec, start = label.spec, len(page.problems)
    if text is not None:
        page = Page(page.title, {area.spot: Cell(text, "s", text=text)}, problems=page.problems)
    unit = unit if spec.type == "amount" or spec.unit_from else ""
    datum, _ = read_datum(page, *area.spot, spec, unit or spec.unit)
    if datum.number and PATTERNS["scaled"].search(page.cell(*area.spot).shown):
        return doubted(page, datum, "filed.scaled", spec.label)
    if spec.type == "amount" and not unit and datum.value:
        own = quantity(datum.raw)
        if not (own and own.unit):
            return doubted(page, datum, "filed.unit", spec.label, cell_name(*head.spot))
    near = [c for c in spec.choices if datum.raw and (datum.raw in c or c in datum.raw)]
    if datum.value is None and len(near) == 1:  # 不可能 is 完全不可能
        del page.problems[start:]
        return datum.model_copy(update={"value": near[0]})
    if any(problem.code == "percent.ambiguous" for problem in page.problems[start:]):
        del page.problems[start:]
        return doubted(page, datum, "filed.percent", spec.label)
    return datum


def doubted(page: Page, datum: Datum, code: str, label: str, at: str = "", **facts: str) -> Datum:
    """A datum without its value, and the problem that says why, at its cell or another."""
    page.say(code, at or cell_of(datum), label, text=quote(datum.raw), **facts)
    return datum.model_copy(update={"value": None})


def cell_of(datum: Datum) -> str:
    """The cell of a datum in its sheet."""
    return datum.cell.rpartition("!")[2]
