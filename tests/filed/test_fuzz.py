"""Whatever a form looks like: what was put in comes back, or a problem names the cell."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import fuzz
import pytest
from boards import Board, to_docx, to_html, to_xlsx
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from support import SOAK

from evalkit.core.model import Datum, Source
from evalkit.filed.forms import read_forms
from evalkit.workbook.schema import load_schema

ITEMS = {f"items.{spec.id}": spec.label for spec in load_schema("filed_form").sheet("items").fields}
WRITERS = {"xlsx": to_xlsx, "html": to_html, "docx": to_docx}
EXAMPLES = 400 if SOAK else 24


def check(source: Source, expected: fuzz.Expected) -> None:
    labels = {problem.cell for problem in source.problems}
    heads = " ".join(problem.what for problem in source.problems)
    spec_of = {
        spec.id: spec.label for sheet in load_schema("filed_form").sheets for spec in sheet.fields
    }

    def same(name: str, datum: Datum, cell: fuzz.Cell) -> None:
        if cell.value is fuzz.NONE:
            assert not isinstance(datum.value, Decimal), (name, datum)
            return
        if cell.doubtful:
            assert datum.value is None, (name, datum, cell)
            told = datum.cell.rpartition("!")[2] in labels or spec_of[name] in heads
            assert told, f"{name} {datum} without a problem: {source.problems}"
            return
        assert datum.value == cell.value, (name, datum, cell, list(map(str, source.problems)))
        if isinstance(cell.value, Decimal) and name in ("target", "actual"):
            assert (datum.unit, datum.bound) == (cell.unit, cell.bound), (name, datum, cell)

    project = source.forms["project"]
    for name, value in expected.project.items():
        assert project[name].value == value, (name, project[name], list(map(str, source.problems)))
    funds = {row["item"].text: row for row in source.tables["funds"]}
    for path, told in expected.funds:
        for name, cell in told.items():
            same(name, funds[ITEMS[path]][name], cell)
    assert len(funds) == len(expected.funds)
    rows = source.tables["indicators"]
    assert [row["level3"].value for row in rows] == [r["level3"].value for r in expected.indicators]
    for row, told in zip(rows, expected.indicators, strict=True):
        for name, cell in told.items():
            same(name, row[name], cell)


def often(examples: int) -> settings:
    phases = (Phase.explicit, Phase.reuse, Phase.generate)  # a form takes too long to shrink
    calm = list(HealthCheck)
    return settings(max_examples=examples, deadline=None, phases=phases, suppress_health_check=calm)


def filed_and_read(kind: str, boards: list[Board], forms: list[fuzz.Expected]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        suffix = "xls" if kind == "html" else kind
        path = WRITERS[kind](Path(folder) / f"自评.{suffix}", *boards)
        for board in boards:
            for spot in sorted(board.values):
                note(f"{board.title} {spot} {board.values[spot]!r}")
            note(f"merges {board.merges}")
        sources = read_forms(path)
    assert len(sources) == len(forms), [s.forms["project"]["name"].text for s in sources]
    for source, expected in zip(sources, forms, strict=True):
        check(source, expected)


@pytest.mark.parametrize("kind", ["xlsx", "html"])
@often(EXAMPLES)
@given(data=st.data())
def test_a_form_comes_back_as_it_was_or_a_problem_names_the_cell(kind: str, data: Any) -> None:
    filed_and_read(kind, *data.draw(fuzz.workbooks()))


@often(EXAMPLES // 3)
@given(fuzz.workbooks())
def test_so_does_a_form_in_word(drawn: Any) -> None:
    filed_and_read("docx", *drawn)


@often(EXAMPLES)
@given(fuzz.exports())
def test_so_does_an_export(drawn: Any) -> None:
    filed_and_read("xlsx", *drawn)
