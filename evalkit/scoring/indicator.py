"""Indicators with what the whole workbook holds for each, and how they are printed."""

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date

from evalkit.core.measure import Measure, setting
from evalkit.core.model import Adjustment, Datum, Row, Source, Table
from evalkit.core.numbers import chinese_date, plain
from evalkit.scoring import rules
from evalkit.scoring.measures import of_row
from evalkit.scoring.texts import TEXTS


@dataclass(frozen=True)
class Indicator:
    """One row of 指标 with what the other sheets hold for it."""

    row: Row
    measure: Measure
    bands: Table = field(default_factory=list)
    elements: Table = field(default_factory=list)
    experts: tuple[tuple[str, Datum], ...] = ()
    duplicate: bool = False

    @property
    def code(self) -> str:
        """The indicator's code as typed."""
        return self.row["code"].text

    @property
    def rule(self) -> str:
        """The rule's id, empty when the cell is empty or names none."""
        return rules.BY_NAME.get(self.row["rule"].text, "")

    def text(self, name: str) -> str:
        """A field as text."""
        return self.row[name].text


def funds_evaluated(source: Source) -> Table:
    """The rows of 资金 that count: the evaluated year's in an annual evaluation, else all."""
    project, rows = source.forms["project"], source.tables["funds"]
    annual, year = project["phase"].text == "年度评价", project["year"].number
    return [row for row in rows if not annual or row["year"].number == year]


def gather(source: Source, survey: Measure) -> list[Indicator]:
    """The indicators of a 数据底稿, in order, each with its data, bands, points and experts."""
    project, funds = source.forms["project"], funds_evaluated(source)
    related: defaultdict[tuple[str, str], Table] = defaultdict(list)
    for sheet in ("data", "bands", "elements", "experts"):
        for row in source.tables[sheet]:
            related[sheet, row["indicator"].text].append(row)
    names, found, seen = source.open_columns.get("experts", []), [], set()
    for row in source.tables["indicators"]:
        code = row["code"].text
        measure = of_row(row, related["data", code], funds, survey)
        scope = TEXTS["scopes"].get(row["measure"].text, {}).items()  # what decides what it covers
        chosen = (entry for field, name in scope for entry in setting(name, project[field]))
        measure = replace(measure, inputs=(*measure.inputs, *chosen))
        given = [(n, row[f"scores:{n}"]) for row in related["experts", code] for n in names]
        experts = tuple(pair for pair in given if pair[1].value is not None)
        bands, elements = related["bands", code], related["elements", code]
        found.append(Indicator(row, measure, bands, elements, experts, duplicate=code in seen))
        seen.add(code)
    return found


def adjustments_of(source: Source) -> dict[str, Adjustment]:
    """调分记录 by indicator code; rows without both scores are left to the reader's problems."""
    found = {}
    for row in source.tables["adjustments"]:
        computed, adjusted = row["computed"].number, row["adjusted"].number
        if computed is not None and adjusted is not None:
            said = texts(row, "indicator", "reason", "basis", "approver")
            said |= {"dated": shown_date(row["date"]), "cell": row["adjusted"].cell}
            found[said["indicator"]] = Adjustment(computed=computed, adjusted=adjusted, **said)
    return found


def texts(row: Row, *fields: str) -> dict[str, str]:
    """Fields of a row as text, by name."""
    return {name: row[name].text for name in fields}


def split_list(text: str) -> tuple[str, ...]:
    """A cell that lists several codes, by 、 ， ； or blanks.

    >>> split_list("3-1、3-2，4-1")
    ('3-1', '3-2', '4-1')
    """
    return tuple(re.findall(r"[^,，;；、\n\t ]+", text))


def shown_date(datum: Datum) -> str:
    """A date as printed; as written where only the month is known, or where it is no date."""
    value = datum.value
    return chinese_date(value) if isinstance(value, date) and not datum.precision else datum.raw


def shown_target(row: Row) -> str:
    """The target as printed, in one spelling: ≥98%, 60%～80%, 2024年6月30日."""
    target = row["target"]
    if row["rule"].text == rules.NAMES["within"] and row["lower"].text:
        return f"{row['lower'].text}～{row['upper'].text}"
    if isinstance(target.value, date):
        return target.bound + shown_date(target)
    if target.number is None:
        return target.text
    return f"{target.bound}{plain(target.number)}{target.unit or row['unit'].text}"


def shown_actual(indicator: Indicator) -> str:
    """What was found, as printed; empty where nothing was."""
    rows = indicator.elements
    if indicator.rule == "tiers":
        return indicator.text("tier")
    if indicator.rule == "elements":
        return f"{len(rows)} 个要点中 {_met(rows)}" if rows else ""
    if indicator.rule == "experts":
        return f"{len(indicator.experts)} 位专家评分" if indicator.experts else ""
    return indicator.measure.shown


def _met(rows: Table) -> str:
    full = sum(row["met"].text == "是" or row["met"].number == 100 for row in rows)
    none = sum(row["met"].text == "否" or row["met"].number == 0 for row in rows)
    open_ = sum(row["met"].value is None for row in rows)
    part = len(rows) - full - none - open_
    counts = ((full, "符合"), (part, "部分符合"), (none, "不符合"), (open_, "待核查"))
    return "、".join(f"{n} 个{how}" for n, how in counts if n)


def measured(indicator: Indicator) -> str:
    """Target and actual in one clause."""
    shown, target = shown_actual(indicator), shown_target(indicator.row)
    if not shown or not target or indicator.rule in {"elements", "experts", "tiers"}:
        return shown
    return f"目标值 {target}，实际 {shown}"
