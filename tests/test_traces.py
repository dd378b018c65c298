"""Every score of the demo list can be traced: formula to score, cell to input, and back."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import openpyxl
import pytest
import support
from openpyxl.utils import range_boundaries
from tools import excel

from evalkit.core.model import Datum, Input, Scorecard

PROJECTS = support.demo_projects()
pytestmark = pytest.mark.parametrize("project", PROJECTS, ids=lambda p: p.workbook.parent.name)

_LINKS = {"code", "indicator", "indicators", "no", "level1", "level2", "level3"}


def _load(project):
    return support.load(project.workbook, project.stage, project.profile)


def test_every_formula_evaluates_to_its_score(project):
    result = support.evaluate(project.workbook, project.stage, project.profile)
    scored = [i for i in result.score.indicators if i.trace.computed is not None]
    assert len(scored) >= 10
    for indicator in scored:
        assert excel.evaluate(indicator.trace.formula) == Fraction(indicator.trace.computed)
        adjusted = indicator.adjustment
        assert indicator.score == (adjusted.adjusted if adjusted else indicator.trace.computed)


def _number(cell) -> Decimal | None:
    """What a cell holds, read without evalkit."""
    value = cell.value
    if isinstance(value, int | float):
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        number = Decimal(f"{number:.15g}")
        return number * 100 if "%" in cell.number_format else number
    text = str(value).translate(str.maketrans("０１２３４５６７８９．", "0123456789.", ",，"))
    digits = re.search(r"-?\d+(?:\.\d+)?", text)
    return Decimal(digits[0]) if digits else None


def _holds(book, entry: Input, folder: Path) -> bool:
    """Whether the cell holds the input; ``[权重/汇总表.xlsx]权重与分值!F3`` is in another file."""
    other, _, cell = entry.cell.rpartition("]")
    if other:
        book = openpyxl.load_workbook(folder / other.removeprefix("["), data_only=True)
    sheet, _, address = cell.partition("!")
    page = book[sheet]
    if entry.of == "count":
        left, top, right, bottom = range_boundaries(address)
        wanted = set(entry.criterion.split("|"))
        rows = page.iter_rows(top, bottom, left, right)
        found = [str(cell.value).strip() for row in rows for cell in row]
        return sum(text in wanted for text in found) == int(entry.value)
    cell = page[address]
    if isinstance(cell.value, datetime | date):
        return str(cell.value)[:10] == entry.value[:10]
    if re.fullmatch(r"\d{4}-\d\d-\d\d", entry.value):
        year, month, day = map(int, entry.value.split("-"))
        numbers = [int(n) for n in re.findall(r"\d+", str(cell.value))]
        return numbers[:2] == [year, month] and numbers[2:] in ([], [day])
    try:
        value = Decimal(entry.value)
    except ArithmeticError:
        return str(cell.value).strip().startswith(entry.value) or entry.value in {"是", "否"}
    scale = 10_000 if sheet == "资金" and entry.of == "value" else 1
    return _number(cell) is not None and value == _number(cell) * scale


def test_every_named_cell_holds_its_input(project):
    result = support.evaluate(project.workbook, project.stage, project.profile)
    book = openpyxl.load_workbook(project.workbook, data_only=True)
    entries = {e for i in result.score.indicators for e in i.trace.inputs}
    assert len(entries) > 40
    wrong = [e for e in entries if not _holds(book, e, project.workbook.parent)]
    assert not wrong


def _perturbed(datum: Datum) -> Datum | None:
    """The cell with another plausible value; None for what has none."""
    value = datum.value
    if isinstance(value, Decimal):
        other = value * Decimal("0.9") if value else Decimal(1)
        return datum.model_copy(update={"value": other, "raw": str(other)})
    if isinstance(value, date):
        return datum.model_copy(update={"value": value + timedelta(days=45)})
    flips = {"是": "否", "否": "是"}
    if value in flips:
        return datum.model_copy(update={"value": flips[value], "raw": flips[value]})
    return None


def _moved(before: Scorecard, after: Scorecard) -> set[str]:
    pairs = zip(before.indicators, after.indicators, strict=True)
    return {
        a.code
        for a, b in pairs
        if not a.gap and (a.score, a.trace.computed) != (b.score, b.trace.computed)
    }


def test_changing_a_named_cell_moves_its_score_and_changing_another_moves_none(project):
    source = _load(project).source
    before = support.rescore(source, project.profile)
    named: dict[str, set[str]] = {}
    must: dict[str, set[str]] = {}
    ranges: list[tuple[str, str]] = []
    for i in before.indicators:
        for entry in i.trace.inputs:
            named.setdefault(entry.cell, set()).add(i.code)
            if entry.of == "count":
                ranges.append((entry.cell, i.code))
            elif entry.of == "value" and not i.trace.limit and not i.gap:
                must.setdefault(entry.cell, set()).add(i.code)
        if i.adjustment:
            named.setdefault(i.adjustment.cell, set()).add(i.code)
    moved_some = 0
    selecting = [*_link_cells(source), source.forms["project"]["year"]]  # rows, and the policy
    for cell, datum in support.cells(source).items():
        other = _perturbed(datum)
        if other is None or datum in selecting:
            continue
        after = support.rescore(support.with_cell(source, cell, other), project.profile)
        moved = _moved(before, after)
        moved_some += bool(moved)
        assert moved <= named.get(cell, set()) | _in_range(cell, ranges), f"{cell} moves {moved}"
        assert moved >= must.get(cell, set()), f"{cell} should move {must[cell] - moved}"
    assert moved_some > 20


def _link_cells(source) -> list[Datum]:
    """Cells that say which indicator a row belongs to; they select, they are not measured."""
    return [
        datum
        for table in source.tables.values()
        for row in table
        for key, datum in row.items()
        if key in _LINKS
    ]


def _in_range(cell: str, ranges) -> set[str]:
    sheet, _, address = cell.partition("!")
    found = set()
    for span, code in ranges:
        page, _, area = span.partition("!")
        if page != sheet:
            continue
        left, top, right, bottom = range_boundaries(area)
        column, row, *_ = range_boundaries(address)
        if left <= column <= right and top <= row <= bottom:
            found.add(code)
    return found


def test_a_survey_answer_moves_the_satisfaction_score(project):
    source = _load(project).source
    before = support.rescore(source, project.profile)
    codes = {
        i.code for i in before.indicators if any(e.of == "count" for e in i.trace.inputs)
    }  # fmt: skip
    if not source.tables["survey"]:
        assert not codes
        return
    question = source.open_columns["survey"][0]
    happy = next(
        row[f"answers:{question}"]
        for row in source.tables["survey"]
        if row[f"answers:{question}"].raw in {"非常满意", "5"}
    )
    worse = happy.model_copy(update={"value": "非常不满意", "raw": "非常不满意"})
    after = support.rescore(support.with_cell(source, happy.cell, worse), project.profile)
    limited = {i.code for i in before.indicators if i.trace.limit}
    # one answer of hundreds may be less than the last printed digit
    shifted = {
        a.code for a, b in zip(before.indicators, after.indicators, strict=True)
        if a.trace.formula != b.trace.formula
    }  # fmt: skip
    assert codes - limited <= shifted


def test_editing_the_file_itself_moves_the_score_of_the_edited_cell(project, tmp_path):
    source = _load(project).source
    before = support.rescore(source, project.profile)
    named = [
        (entry.cell, i.code)
        for i in before.indicators
        for entry in i.trace.inputs
        if entry.of == "value" and not i.trace.limit and not i.gap and re.fullmatch(
            r"-?[\d.]+", entry.raw
        )
    ]  # fmt: skip
    assert len(named) > 10
    for cell, code in named[:: len(named) // (12 if support.SOAK else 3)]:
        book = openpyxl.load_workbook(project.workbook)
        sheet, _, address = cell.partition("!")
        value = book[sheet][address].value
        book[sheet][address] = float(value) * 0.9 or 1
        book.save(tmp_path / "edited.xlsx")
        edited = support.load(tmp_path / "edited.xlsx", "初稿", project.profile).source
        assert code in _moved(before, support.rescore(edited, project.profile)), cell
