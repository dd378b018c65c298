"""The forms in a file: self-evaluations, targets and monitoring of projects, one `Source` each.

A form is a claim: what is missing is absent, and what can be read in two ways has no value and a
problem that names its cell.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

from evalkit.core.model import Datum, Row, Source
from evalkit.core.problem import Problem, refusal, sentence
from evalkit.filed import tables
from evalkit.filed.labels import PATTERNS, SCHEMA, UNREAD, Label, Labels, heading_key, money_unit
from evalkit.filed.pages import read_pages
from evalkit.filed.tables import Area, Band, Grid, Unknown, cell_of, doubted, read_field, read_row
from evalkit.workbook.cells import convert, quantity, read_cell
from evalkit.workbook.names import half, match_key
from evalkit.workbook.reader import FOOTNOTE, SIGNATURE, Page, cell_name
from evalkit.workbook.schema import Schema, load_schema
from evalkit.workbook.texts import BOUNDS, WORDS

TOTAL = "年度资金总额"
SAME = 100  # amounts that differ by less may be of one unit

_LEVEL_IDS = ("level3", "level2", "level1")
_COMPARED = {"actual": "实际完成值", "forecast": "全年预计完成情况", "target": "年度指标值"}
_AMOUNTS = {*tables.MONEY, "funds.rate"}  # what may stand beside a label of its own
_SUMS = {"points": "points", "score": "total"}  # of the whole form
_NOWHERE = Area(0, 0, 0, 0)
_Key = tuple[str | int, ...]  # sheet and row of a form; code, name and unit in an export


class Filing(NamedTuple):
    """What was read from files: the forms, what is wrong with files, headings nobody knows."""

    sources: list[Source]
    problems: list[Problem]
    unknown: list[Unknown]


@dataclass
class _Draft:
    """A form while it is read; lines of 项目资金 by name and row."""

    project: Row = field(default_factory=dict)
    funds: dict[tuple[str, int], Row] = field(default_factory=dict)
    indicators: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    listed: bool = False  # in an export

    def line(self, grid: Grid, area: Area, item: str, row: int = 0) -> Row:
        """The line of 项目资金 of that name, and of a row where names may stand twice."""
        return self.funds.setdefault((item, row), {"item": grid.told(area, item)})

    def take(self, page: Page, row: Row, label: Label, datum: Datum, name: str = "") -> None:
        """Put a value where none is; a number that differs from the one there unsettles both."""
        name, at = name or label.spec.id, cell_of(datum)
        mine = row.setdefault(name, datum)
        if mine.value is None and not mine.raw:
            row[name] = datum
        elif None not in (mine.number, datum.number) and mine.value != datum.value:
            row[name] = doubted(page, mine, "filed.differs", label.spec.label, at, other=mine.cell)


def read_forms(path: Path, headings: Mapping[str, str] | None = None) -> list[Source]:
    """The forms in a file; each project of an export is one.

    `headings` are those of `load_headings`. Money comes in 元, rates in percent points.

    Raises:
        EvalkitError: the file cannot be read, or holds none of the forms.
    """
    return read_file(path, Labels(headings or {})).sources


def read_file(path: Path, labels: Labels) -> Filing:
    """`read_forms` with what is wrong with the file itself, and the headings nobody knows.

    Raises:
        EvalkitError: as `read_forms`.
    """
    drafts, problems, unknown = dict[_Key, _Draft](), list[Problem](), list[Unknown]()
    for page in read_pages(path):
        grid = Grid(page, labels)
        bands = tables.find_bands(grid)
        if bands and bands[0].exported:
            for band in bands:
                _read_export(grid, band, drafts, path.stem)
        elif grid.rows:
            _read_page(grid, bands, drafts, path.stem)
        problems += page.problems
        unknown += [u._replace(place=f"{path.name}｜{u.place}") for u in grid.unknown]
    for key, draft in [*drafts.items()]:
        if not (draft.funds or draft.indicators or draft.listed):
            del drafts[key]
            problems.append(sentence("filed.page", sheet=key[0]))
    if not drafts:
        raise refusal("filed.none", file=path.name)
    schema = load_schema(SCHEMA)
    sources = [_source(path, schema, draft) for draft in drafts.values()]
    return Filing(sources, _claimed(path, problems), unknown)


def _source(path: Path, schema: Schema, draft: _Draft) -> Source:
    project, funds, indicators = (sheet.blank for sheet in schema.sheets[:3])
    project |= draft.project
    coded = PATTERNS["coded"].fullmatch(project["name"].text)
    if coded and not project["code"].raw:
        for name, value in zip(("code", "name"), coded.groups(), strict=True):
            project[name] = draft.project["name"].model_copy(update={"value": value})
    texts = (project[name].text for name in ("name", "nature", "scope"))
    whole = any(map(PATTERNS["whole"].search, texts))
    scope = {"value": "部门整体" if whole else "项目"}
    project["scope"] = project["scope"].model_copy(update=scope)
    if whole and not project["name"].text:
        project["name"] = project["department"] if project["department"].text else project["unit"]
    nameless = [] if project["name"].text else [sentence("filed.nameless")]
    lines = [funds | row for row in draft.funds.values()]
    return Source(
        path=str(path), schema_name=SCHEMA, version=schema.version, forms={"project": project},
        tables={"funds": lines, "indicators": [indicators | row for row in draft.indicators]},
        problems=_claimed(path, dict.fromkeys([*draft.problems, *nameless])),
    )  # fmt: skip


def _claimed(path: Path, problems: Iterable[Problem]) -> list[Problem]:
    """What is wrong with a claim stops nobody."""
    calm = {"error": "warning"}
    told = ((p, {"severity": calm.get(p.severity, p.severity)}) for p in problems)
    return [problem.model_copy(update={"file": path.name, **update}) for problem, update in told]


# --- forms --------------------------------------------------------------------------------------


def _read_page(grid: Grid, bands: Sequence[Band], drafts: dict[_Key, _Draft], stem: str) -> None:
    """The forms on a page; what has no name of its own may go on with the form before it."""
    page, starts = grid.page, _starts(grid)
    known = [*drafts] if not starts and (bands or PATTERNS["table"].fullmatch(page.title)) else []
    firsts = [min(grid.rows)]
    for before, start in pairwise(starts):  # each form begins with the titles over it
        above = [row for row in grid.rows if before < row < start][-6:]
        firsts.append(next((row for row in above if _titles(grid, [row])), start))
    for first, end in pairwise([*firsts, max(grid.rows) + 1]):
        rows = [row for row in grid.rows if first <= row < end]
        mine = [b._replace(end=min(b.end, end - 1)) for b in bands if first <= b.top < end]
        draft = drafts.setdefault(known[-1] if known else (page.title, first), _Draft())
        _read_form(grid, mine, rows, draft)
        _tell(grid, rows, mine, draft.project, stem)
        draft.problems += page.problems
        page.problems.clear()


def _starts(grid: Grid) -> list[int]:
    """The rows with the name of a project, else of a department or unit, outside of tables."""
    names: dict[str, list[int]] = {}
    for area in chain.from_iterable(own for row, own in grid.rows.items() if row not in grid.used):
        label = grid.labels.of(re.split("[:：]", area.text)[0], "project")
        if area.top > 0 and label and not label.weak:
            names.setdefault(label.spec.id, []).append(area.top)
    rows = next(filter(None, map(names.get, ("name", "department", "unit"))), [])
    return [row for row, last in zip(rows, [0, *rows], strict=False) if row - last > 2 or not last]


def _titles(grid: Grid, rows: Iterable[int]) -> list[Area]:
    """The areas that say what a form is, or of what year."""
    own = [grid.rows[row][0] for row in rows if len(grid.rows[row]) < 3]
    mine = [area for area in own if not grid.paths(area)]
    return [area for area in mine if PATTERNS["title"].fullmatch(area.text)]


def _read_form(grid: Grid, bands: Sequence[Band], rows: Sequence[int], draft: _Draft) -> None:
    """The tables of a form, and the values beside its labels."""
    stated = grid.stated(rows)
    longs = [b for b in bands if PATTERNS["long"].match(match_key(grid.at(b.bottom, 1).text))]
    for band in bands:
        if band in longs and bands[-1] not in longs:
            grid.page.say("filed.halves", cell_name(band.top, 1))
            grid.used |= {*range(band.top, band.end + 1)}
        elif band.kind == "funds":
            _read_funds(grid, band, draft, stated)
        else:
            _read_indicators(grid, band, draft)
    top = min((band.top for band in bands), default=0)
    _read_labels(grid, [row for row in rows if row not in grid.used], draft, stated, top)


def _lines(grid: Grid, band: Band) -> dict[int, list[Area]]:
    """The rows under a heading with their areas, without notes, signatures and marginal titles."""
    lines = {}
    for row in (row for row in grid.rows if band.bottom < row <= band.end):
        own = [a for a in grid.rows[row] if a.right >= band.left or a.top == a.bottom]
        text = own[0].text if own else ""
        if text and not SIGNATURE.match(text) and not (len(own) == 1 and FOOTNOTE.match(text)):
            lines[row] = own
    return lines


def _sums_up(grid: Grid, area: Area) -> bool:
    return heading_key(area.text) in WORDS["totals"] or "project.total" in grid.paths(area)


def _read_indicators(grid: Grid, band: Band, draft: _Draft) -> None:
    """The indicators of a form, and the line 总分 or 合计 under them."""
    above, lines = Row(), _lines(grid, band)
    name = band.column(*(f"indicators.{level}" for level in _LEVEL_IDS))
    owner = {row: grid.at(row, name.left).top for row in lines} if name else {}
    for row, own in lines.items():
        values = [paths for paths in map(band.over, own) if not paths <= tables.LEVELS]
        if _sums_up(grid, own[0]):
            grid.used.add(row)
            if "小计" not in own[0].text:
                _read_total(grid, band, row, own, draft)
        elif min(map(len, values), default=1) > 1:
            continue  # a remark across the table
        elif entry := _indicator(grid.page, read_row(grid, band, row, owner), above):
            grid.used.add(row)
            draft.indicators.append(above := entry)


def _indicator(page: Page, values: Mapping[str, Datum], above: Row) -> Row:
    """A row as an indicator, empty if it is none; blank levels are those of the row above."""
    row = {key.partition(".")[2]: d for key, d in values.items() if key.startswith("indicators.")}
    named = next((row[level] for level in _LEVEL_IDS if level in row), Datum())
    blank = named.raw in ("", *WORDS["nothing"]) or PATTERNS["blank"].fullmatch(named.raw)
    told = {datum.raw for key, datum in row.items() if not key.startswith("level")}
    wide = named.cell == row.get("level1", Datum()).cell  # a remark across the levels
    if (blank or wide) and told <= {"", *WORDS["nothing"]}:
        return {}
    inherits = bool(above)
    for level in ("level1", "level2"):
        datum = row.get(level, Datum())
        text = re.sub(r"\s+", "", datum.text)
        if found := PATTERNS["points"].fullmatch(text):
            text, points = found[1], read_cell(found[2], "number")[0]
            row[f"{level}_points"] = points.model_copy(update={"cell": datum.cell})
        if text:
            row[level] = datum.model_copy(update={"value": text})
            inherits = inherits and text == above.get(level, Datum()).value
        elif inherits and level in above:
            row[level] = above[level]
    text = "" if blank else PATTERNS["numbered"].sub("", named.text, count=1)
    row["level3"] = named.model_copy(update={"value": text or None})
    _compare(page, row)
    if sign := BOUNDS.get(half(row.get("direction", Datum()).text)):
        row["direction"] = row["direction"].model_copy(update={"value": sign})
        target = row.get("target", Datum())
        if target.value is not None and not target.bound:
            row["target"] = target.model_copy(update={"bound": sign})
    return row


def _compare(page: Page, row: Row) -> None:
    """A bare number beside a percentage or an amount of 万元 is read by that, or has no value."""
    told, rate = dict(row), PATTERNS["rate"].search(row["level3"].text)
    for name, label in _COMPARED.items():
        datum = told.get(name, Datum())
        beside = told.get("actual" if name == "target" else "target", Datum())
        number, unit = datum.number, (quantity(beside.raw) or beside).unit
        if not number or datum.unit:
            continue
        if (unit == "%" or rate) and abs(number) <= 1:
            row[name] = doubted(page, datum, "filed.percent", label)
        elif beside.number is not None and beside.unit == "元" != unit and name != "target":
            yuan, other = abs(convert(number, unit, "元") or number), abs(beside.number)
            near = other <= yuan * SAME and yuan <= other * SAME
            page.say("filed.scale" if near else "filed.unit", cell_of(datum), label, unit=unit)
            row[name] = datum.model_copy(update={"value": yuan if near else None, "unit": "元"})


def _read_total(grid: Grid, band: Band, row: int, own: Sequence[Area], draft: _Draft) -> None:
    """The line 总分 or 合计 under the indicators."""
    for area in own[1:]:
        if PATTERNS["grade"].fullmatch(grade := re.split("[:：]", area.text)[-1]):
            draft.project["grade"] = grid.told(area, grade)
    for column in band.columns:
        name = _SUMS.get(column.label.spec.id, "")
        if name and column.left > own[0].right:
            datum = read_row(grid, band._replace(columns=[column]), row, {})[column.key]
            if datum.raw:
                draft.take(grid.page, draft.project, column.label, datum, name)


def _read_funds(grid: Grid, band: Band, draft: _Draft, stated: str) -> None:
    """The lines of 项目资金 under their headings; `stated` is the money unit of the form."""
    unit = grid.unit(range(band.top, band.bottom + 1), band.left, stated)
    money = [column for column in band.columns if column.label.path in tables.MONEY]
    first = min((column.left for column in money), default=1)
    lines = _lines(grid, band)
    owner = {row: row for row in lines}
    for row, own in lines.items():
        before = reversed(grid.across(row, 1, first - 1))
        named = next((area for area in before if area.text), own[0])
        label = grid.labels.of(named.text, "items")
        numbers = any(grid.number(a) for a in own for c in money if c.left <= a.left <= c.right)
        if label or numbers:
            grid.used.add(row)
            alone = "未注明" if draft.funds else TOTAL  # a line without a name
            item = label.spec.label if label else named.text if named.top == row else alone
            values = read_row(grid, band, row, owner, grid.unit([row], first, unit))
            for column in band.columns:  # points, rate and score may reach down from the first
                of = column.item if item == TOTAL and column.item else item
                late = column.label.spec.type != "amount" and grid.at(row, column.left).top < row
                datum = Datum() if late else values[column.key]
                draft.line(grid, named, of, row).setdefault(column.label.spec.id, datum)
        elif grid.paths(own[0]) and named.top == row:
            break


# --- labels with a value beside -----------------------------------------------------------------


def _read_labels(grid: Grid, rows: Sequence[int], draft: _Draft, unit: str, top: int) -> None:
    """Values to the right of labels, under them, or behind a colon in one cell.

    Above row `top`, where the tables begin, what may be a label and is not known is asked for.
    """
    page, taken, found = grid.page, set[Area](), list[tuple[Area, Label, Datum]]()
    whole = dict[int, str]()  # by column, whether 实施期 or 年度资金总额 stood last
    for area, beside in (p for row in rows for p in pairwise([*grid.rows[row], _NOWHERE])):
        label, known = grid.labels.of(area.text, "project", "items", "funds"), grid.paths(area)
        if label and label.sheet == "funds" and label.path not in _AMOUNTS:
            label = None
        if label and label.sheet == "items":
            whole |= {area.left: label.spec.id} if label.spec.id in ("period", "total") else {}
            if whole.get(area.left) == "period" != label.spec.id:
                continue
        pairs = [] if known else [*_pairs(grid, area, unit)]
        if label and (value := _beside(grid, area, label)):
            given = money_unit(area.text) or grid.unit([area.top], area.left, unit)
            taken.add(value)
            pairs = [(label, read_field(page, value, label, given, area))]
        elif 0 < area.top < top and not known and not pairs and area not in taken:
            taken.add(beside)
            near = beside.left == area.right + 1 and not grid.paths(beside)
            if near and PATTERNS["name"].fullmatch(area.text):
                grid.ask(area)
        found += [(area, *pair) for pair in pairs]
    for area, label, datum in sorted(found, key=lambda one: one[1].weak):
        named = label.sheet == "items"
        name, told = "budget" if named else label.spec.id, draft.project
        if label.sheet != "project":
            if label.sheet == UNREAD or not (datum.raw or label.weak):
                continue
            told = draft.line(grid, area, label.spec.label if named else TOTAL)
        doubtful = PATTERNS["unit"].fullmatch(datum.text) or told.get(name, Datum()).raw
        if not (label.weak and doubtful):
            draft.take(page, told, label, datum, name)


def _pairs(grid: Grid, area: Area, unit: str) -> Iterator[tuple[Label, Datum]]:
    """Labels with their values in one cell: 填报人：张三  联系电话：123."""
    text, found = PATTERNS["stamp"].sub("", area.text), list[tuple[Label, int, int]]()
    for match in PATTERNS["pair"].finditer(text):
        for at in range(len(match[1]) - 1):
            if label := grid.labels.of(match[1][at:], "project", "items", UNREAD):
                found.append((label, match.start() + at, match.end()))
                break
    stops = [*(start for _, start, _ in found[1:]), None]
    for (label, _, end), stop in zip(found, stops, strict=False):
        value = re.split(r"\s{2,}|\n", text[end:stop].strip())[0]
        yield label, read_field(grid.page, area, label, unit, area, value)


def _beside(grid: Grid, area: Area, label: Label) -> Area | None:
    """Where the value of a label stands: to the right; for long text also below."""
    stops = {"project", UNREAD} | ({"items", "funds"} if label.sheet != "project" else set())
    next_to, below = grid.at(area.top, area.right + 1), grid.at(area.bottom + 1, area.left)
    filled = list[Area]()
    for here in grid.across(area.top, area.right + 1, grid.width):
        wide = here == next_to and here.right > here.left and not here.text
        if wide or stops & {other.sheet for other in grid.labels.all(here.text)}:
            break
        filled += [here] if here.text else []
        if here.text and here == next_to and label.path != "project.total":
            break  # but 总分 has its points and its score
    if len(filled) > 1:
        grid.page.say("filed.several", cell_name(*area.spot), label.spec.label)
    elif filled and (filled[0] == next_to or not PATTERNS["label"].fullmatch(filled[0].text)):
        return filled[0]
    if label.spec.type == "longtext" and not filled and below.text and not grid.paths(below):
        return below
    return None if filled or next_to.text else next_to


# --- exports of the budget system ---------------------------------------------------------------


def _read_export(grid: Grid, band: Band, drafts: dict[_Key, _Draft], stem: str) -> None:
    """A table with one row a project or one row an indicator."""
    page, above = grid.page, [row for row in grid.rows if row < band.top]
    mine = [band.column(f"project.{name}") for name in ("code", "name", "unit")]
    owner, key = dict[int, _Key](), _Key()
    for row, own in _lines(grid, band).items():
        names = tuple(match_key(grid.at(row, one.left).text) if one else "" for one in mine)
        if _sums_up(grid, own[0]) or (len(own) == 1 and own[0].right > own[0].left):
            key = ()  # a sum, or the name of a group across the table
        elif not (key and all(new in ("", old) for new, old in zip(names, key, strict=True))):
            key = names
        if any(key):
            owner[row] = key
    unit, told, start = grid.stated(above), Row(), len(page.problems)
    _tell(grid, above, [band], told, stem)
    said = page.problems[start:]
    del page.problems[start:]
    for row, key in owner.items():
        draft = drafts.setdefault(key, _Draft({**told}, problems=[*said], listed=True))
        values, entry = read_row(grid, band, row, owner, unit), Row()
        for column in band.columns:
            label, datum = column.label, values.get(column.key, Datum())
            sums = band.kind == "projects" and label.sheet == "funds"
            target = _SUMS.get(label.spec.id, "") if sums else ""
            if label.sheet == "project" or target:
                draft.take(page, draft.project, label, datum, target)
            elif label.sheet == "funds":
                line = draft.line(grid, column.head, column.item or TOTAL)
                draft.take(page, line, label, datum)
            elif datum.raw:
                entry[label.spec.id] = datum
        if band.kind == "lines":
            entry = _indicator(page, values, draft.indicators[-1] if draft.indicators else {})
        draft.indicators += [entry] if entry else []
        draft.problems += page.problems
        page.problems.clear()


# --- what a form is -----------------------------------------------------------------------------


def _tell(grid: Grid, rows: Iterable[int], bands: Sequence[Band], project: Row, stem: str) -> None:
    """The kind, scope, year and month of a form from its titles and headings."""
    top = min((band.top for band in bands), default=0)
    titles = _titles(grid, [row for row in rows if row < top or not bands])
    heads = {column.label.spec.id: column.head for band in bands for column in band.columns}
    place = [*titles, *heads.values(), grid.at(1, 1)][0]
    named = " ".join([*(area.text for area in titles), grid.page.title])
    forms = tables.KINDS
    kinds = [kind for text in (named, stem) for word, (kind, _) in forms.items() if word in text]
    kinds += [kind for kind, columns in forms.values() if heads.keys() & columns]
    if kinds:
        project.setdefault("kind", grid.told(place, kinds[0]))
    if PATTERNS["whole"].search(named):
        project["scope"] = grid.told(place, "部门整体")
    timed = [heads[name] for name in ("spent", "actual", "rate") if name in heads]
    years = {found[1]: area for area in titles for found in PATTERNS["year"].finditer(area.text)}
    ends = ((area, [*PATTERNS["month"].finditer(area.text)][-1:]) for area in (*titles, *timed))
    months = {found[1] or "6": area for area, last in ends for found in last}
    for name, found in (("year", years), ("month", months)):
        if len(found) > 1:
            grid.page.say("filed.year", cell_name(*place.spot), found="、".join(found))
        elif found and project.get(name, Datum()).value is None:
            ((value, area),) = found.items()
            update = {"value": read_cell(value, "integer")[0].value}
            project[name] = grid.told(area).model_copy(update=update)
