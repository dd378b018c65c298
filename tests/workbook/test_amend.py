"""A table that people fill is changed in place: what is theirs stays."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from evalkit.core.problem import EvalkitError
from evalkit.workbook.amend import amend
from evalkit.workbook.blank import write_blank
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

SCHEMA = load_schema("project_evaluation")
FUNDS = SCHEMA.sheet("funds")
ROWS = [
    {"year": "2024", "source": "县级资金", "budget": "500"},
    {"year": "2024", "source": "省级资金", "budget": "300"},
]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return write_blank(tmp_path / "数据底稿.xlsx", SCHEMA, {"funds": ROWS})


def test_cells_change_rows_come_and_the_rest_stays(book: Path) -> None:
    workbook = openpyxl.load_workbook(book)
    page = workbook[FUNDS.name]
    page.cell(1, 30, "他人的批语")
    page.row_dimensions[4].height = 77
    workbook.save(book)
    rows = read(book, SCHEMA).tables["funds"]
    new = [{"year": "2024", "source": "中央资金", "budget": "20", "document": "=1+1"}]
    assert amend(book, FUNDS, rows, [{"source": "市级资金"}, {}], new) == book
    found = read(book, SCHEMA).tables["funds"]
    assert [row["source"].text for row in found] == ["市级资金", "省级资金", "中央资金"]
    assert found[2]["document"].text == "=1+1"
    assert [row["budget"].number for row in found] == [5_000_000, 3_000_000, 200_000]
    page = openpyxl.load_workbook(book)[FUNDS.name]
    assert page.cell(1, 30).value == "他人的批语"
    assert page.row_dimensions[4].height == 77
    assert not list(book.parent.glob("*人工修改*"))


def test_a_table_that_lost_a_column_is_refused_and_left_alone(book: Path) -> None:
    workbook = openpyxl.load_workbook(book)
    head = {
        cell.value: cell.column for row in workbook[FUNDS.name].iter_rows(max_row=3) for cell in row
    }
    workbook[FUNDS.name].delete_cols(next(n for text, n in head.items() if "文号" in str(text)))
    workbook.save(book)
    before, rows = book.read_bytes(), read(book, SCHEMA).tables["funds"]
    with pytest.raises(EvalkitError, match=r"缺少列：.*文号"):
        amend(book, FUNDS, rows, [{}, {}], [])
    assert book.read_bytes() == before
