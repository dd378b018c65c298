"""A described workbook: what YAML says of its sheets, with rows of its own."""

from decimal import Decimal

import pytest
from openpyxl import load_workbook

from evalkit.report.sheets import Cell, read_book, write_book

TABLE = {
    "title": "定额表",
    "merge": 1,
    "empty": "无",
    "columns": [
        ["类别", "group", 8],
        ["项目", "item", 20],
        ["数量", "count", 9, "number"],
        ["单价", "price", 9, "number"],
        ["金额", "sum", 11],
    ],
}
FORM = {
    "title": "申请表",
    "widths": [10, 20, 10, 20],
    "blocks": [
        {
            "heading": "{n}、基本情况",
            "fields": [["单位", "unit"], ["人数", "people", 1, "number"], ["电话", "phone"]],
            "spans": [1, 1, 1, 1],
        },
        {"heading": "{n}、没有的", "columns": [["甲", "a"], ["乙", "b"]], "rows": "none"},
        {"heading": "{n}、合计", "fields": [["金额", "whole"]], "blank": True},
    ],
}
ROWS = [
    {"group": "人工", "item": "清扫", "count": "1,200", "price": "3.50",
     "sum": Cell(Decimal(4200), "[count]*[price]")},
    {"group": "人工", "item": "=1+1", "count": "约20", "price": "2",
     "sum": Cell(Decimal(40), "20*[price]")},
    {"group": Cell("合计", over=4), "sum": Cell(Decimal(4240), "SUM([sum 0:1])")},
]  # fmt: skip


@pytest.fixture
def book():
    return {**read_book("papers"), "title": "{name}", "pages": {"定额": TABLE, "*": FORM}}


@pytest.fixture
def written(book, tmp_path):
    form = {"unit": "某中心", "people": "12", "whole": Cell(Decimal(4240), "[定额!sum 2]")}
    contents = {"定额": ROWS, "表 一": form, "空": {}}
    path = write_book(tmp_path / "a.xlsx", book, contents, {"schema": "x"}, name="某项目")
    return load_workbook(path)


def test_a_sheet_is_written_for_each_content_and_meta_is_hidden(written):
    assert written.sheetnames == ["定额", "表 一", "空", "_meta"]
    assert written["_meta"].sheet_state == "hidden"
    assert written.properties.title == "某项目"


def test_formulas_name_fields_of_their_row_of_other_rows_and_of_other_sheets(written):
    assert [written["定额"][f"E{row}"].value for row in (3, 4, 5)] == [
        "=C3*D3",
        "=20*D4",
        "=SUM(E3:E4)",
    ]
    assert written["表 一"]["B5"].value == "=定额!E5"


def test_plain_figures_are_numbers_printed_as_written_and_other_text_stays_text(written):
    sheet = written["定额"]
    assert (sheet["C3"].value, sheet["C3"].number_format) == (1200, "#,##0")
    assert (sheet["D3"].value, sheet["D3"].number_format) == (3.5, "0.00")
    assert sheet["C4"].value == "约20"
    assert (sheet["B4"].data_type, sheet["B4"].value) == ("s", "=1+1")


def test_equal_leading_cells_are_joined_and_a_label_covers_its_neighbours(written):
    merged = {str(cells) for cells in written["定额"].merged_cells.ranges}
    assert merged == {"A1:E1", "A3:A4", "A5:D5"}


def test_headings_count_only_the_blocks_that_are_shown(written):
    texts = [row[0] for row in written["表 一"].iter_rows(values_only=True)]
    assert texts == ["申请表", "一、基本情况", "单位", "二、合计", "金额"]
    assert [row[0] for row in written["空"].iter_rows(values_only=True)] == [
        "申请表", "一、合计", "金额",
    ]  # fmt: skip


def test_a_long_name_with_ampersands_keeps_the_header_whole(book, tmp_path):
    path = write_book(tmp_path / "a.xlsx", book, {"定额": ROWS}, name="&" * 120)
    header = load_workbook(path)["定额"].oddHeader
    assert header.right.text == "工作底稿"


@pytest.mark.parametrize("name", ["papers", "summary"])
def test_every_look_a_book_asks_for_is_described(name):
    book = read_book(name)
    used = {"title", "head", "none", "text", "number", *book["heights"]}
    for page in book["pages"].values():
        for block in page.get("blocks", [page]):
            used |= {c[3] for c in [*block.get("columns", ()), *block.get("fields", ())] if c[3:]}
    assert not used - book["looks"].keys()
