"""From a framework to a workbook, frozen, edited and read again."""

from datetime import date
from pathlib import Path

import openpyxl
import pytest

from evalkit.core.paths import assets
from evalkit.core.problem import EvalkitError, errors
from evalkit.indicators import frameworks
from evalkit.indicators.freeze import changes, freeze, frozen_file
from evalkit.scoring.checks import standard_conflicts
from evalkit.workbook.blank import write_blank
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

SCHEMA = load_schema("project_evaluation")
DAY = date(2025, 4, 10)


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    indicators, elements = frameworks.rows(frameworks.load("mof_2020_10"))
    project = {"code": "0012", "name": "道路清扫项目", "year": "2024"}
    content = {"project": project, "indicators": indicators, "elements": elements}
    return write_blank(tmp_path / "数据底稿.xlsx", SCHEMA, content)


def edit(workbook: Path, sheet: str, label: str, key: str, value: object) -> None:
    """Write `value` into column `label` of the row that holds `key`."""
    book = openpyxl.load_workbook(workbook)
    page = book[sheet]
    head = {str(c.value).strip("*△ "): c.column for row in page.iter_rows() for c in row if c.value}
    row = next(c.row for line in page.iter_rows() for c in line if c.value == key)
    page.cell(row, head[label]).value = value
    book.save(workbook)


@pytest.mark.parametrize("name", list(assets("params", "frameworks")))
def test_a_framework_prefills_the_workbook_and_reads_back_unchanged(tmp_path: Path, name: str):
    indicators, elements = frameworks.rows(frameworks.load(name))
    path = write_blank(
        tmp_path / "a.xlsx", SCHEMA, {"indicators": indicators, "elements": elements}
    )
    tables = read(path, SCHEMA).tables
    for sheet, rows in (("indicators", indicators), ("elements", elements)):
        assert len(tables[sheet]) == len(rows)
        for row, back in zip(rows, tables[sheet], strict=True):
            assert {k: back[k].text for k in row} == row


@pytest.mark.parametrize("name", list(assets("params", "frameworks")))
def test_no_default_standard_contradicts_its_parameters(tmp_path: Path, name: str):
    indicators, elements = frameworks.rows(frameworks.load(name))
    content = {"indicators": indicators, "elements": elements}
    tables = read(write_blank(tmp_path / "a.xlsx", SCHEMA, content), SCHEMA).tables
    found = {
        row["code"].text: conflicts
        for row in tables["indicators"]
        if (conflicts := standard_conflicts(row["standard"].text, row))
    }
    assert found == {}


def test_the_framework_of_10_can_be_frozen_as_it_is(workbook: Path):
    source = read(workbook, SCHEMA)
    assert not [p for p in errors(source.problems) if p.sheet in {"指标", "评分要点", "分档"}]
    assert changes(source, freeze(source, workbook, "李某某", DAY)) == []


def test_saving_again_in_another_program_is_no_change(workbook: Path):
    freeze(read(workbook, SCHEMA), workbook, "李某某", DAY)
    openpyxl.load_workbook(workbook).save(workbook)
    assert changes(read(workbook, SCHEMA), frozen_file(workbook)) == []


def test_an_edited_cell_is_the_only_change(workbook: Path):
    freeze(read(workbook, SCHEMA), workbook, "李某某", DAY)
    edit(workbook, "指标", "分值", "C101", 12)
    [row] = changes(read(workbook, SCHEMA), frozen_file(workbook))
    assert (row["indicator"], row["field"], row["approved"], row["now"]) == (
        "C101",
        "分值",
        "10",
        "12",
    )


def test_an_actual_value_is_no_change(workbook: Path):
    freeze(read(workbook, SCHEMA), workbook, "李某某", DAY)
    edit(workbook, "指标", "实际完成值", "C301", "2024-12-20")
    assert changes(read(workbook, SCHEMA), frozen_file(workbook)) == []


def test_a_workbook_with_an_indicator_without_points_cannot_be_frozen(workbook: Path):
    edit(workbook, "指标", "分值", "C101", None)
    with pytest.raises(EvalkitError, match=r"指标｜.*分值"):
        freeze(read(workbook, SCHEMA), workbook, "李某某", DAY)
    assert not frozen_file(workbook).exists()
