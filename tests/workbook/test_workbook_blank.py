from __future__ import annotations

import zipfile
from collections import Counter
from datetime import date
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter

from evalkit.core.problem import EvalkitError
from evalkit.workbook import schema as schemas
from evalkit.workbook.blank import SPARE_ROWS, write_blank
from evalkit.workbook.manual import manual
from evalkit.workbook.reader import read
from evalkit.workbook.schema import Schema, load_schema


@pytest.fixture(scope="module")
def real() -> Schema:
    return load_schema("project_evaluation")


@pytest.fixture(scope="module")
def blank(real, tmp_path_factory):
    return write_blank(tmp_path_factory.mktemp("blank") / "数据底稿.xlsx", real)


def sound(source):
    """All problems but blanks."""
    return [p for p in source.problems if not p.code.startswith("required.")]


def test_a_blank_is_read_back_with_nothing_but_blanks_to_report(blank, real):
    source = read(blank, real)
    assert sound(source) == []
    assert all(table == [] for table in source.tables.values())
    needed = [f for s in real.sheets if s.kind == "form" for f in s.fields if f.required]
    assert len(source.problems) == len(needed)


def test_a_blank_has_instructions_first_then_the_sheets_in_order_and_hidden_helpers(blank, real):
    book = openpyxl.load_workbook(blank)
    names = [schemas.GUIDE_SHEET, *[s.name for s in real.sheets], schemas.LISTS_SHEET]
    assert book.sheetnames == [*names, schemas.META_SHEET]
    assert book[schemas.META_SHEET].sheet_state == "veryHidden"
    assert book[schemas.LISTS_SHEET].sheet_state == "hidden"
    assert book[schemas.META_SHEET]["B2"].value == str(real.version)
    assert book.active.title == schemas.GUIDE_SHEET
    text = "\n".join(str(c.value) for row in book[schemas.GUIDE_SHEET] for c in row if c.value)
    assert all(rule.rule in text and rule.meaning in text for rule in real.guide)


def test_every_table_has_frozen_panes_notes_an_example_and_prints_on_a4(blank, real):
    book = openpyxl.load_workbook(blank)
    for sheet in real.sheets:
        page = book[sheet.name]
        assert page.freeze_panes, sheet.name
        assert (page.page_setup.paperSize, page.page_setup.orientation) == (9, "landscape")
        assert page.print_title_rows
        assert page.page_setup.fitToHeight == 0
        if sheet.kind == "table":
            head = next(r for r in range(1, 5) if page.cell(r, 1).value == "序号")
            assert page.cell(head + 1, 1).value == "例"
            assert all(page.cell(head, c).comment for c in range(2, len(sheet.columns) + 2))
            shown = [page.cell(head + 1, c).value for c in range(2, len(sheet.columns) + 2)]
            assert sum(v is not None for v in shown) == sum(bool(f.example) for f in sheet.columns)


def test_every_choice_has_its_dropdown_and_a_long_list_goes_through_a_sheet(blank, real):
    book = openpyxl.load_workbook(blank)
    for sheet in real.sheets:
        rules = book[sheet.name].data_validations.dataValidation
        lists = [rule.formula1 for rule in rules if rule.type == "list"]
        for field in sheet.fields:
            if field.choices:
                inline = f'"{",".join(field.choices)}"'
                assert inline in lists or any("_lists" in formula for formula in lists)
        assert all(len(formula) <= 257 for formula in lists)
        assert len(lists) == sum(
            bool(f.choices) or f.type == "yesno" or bool(f.refers) for f in sheet.columns
        )


def test_a_dropdown_longer_than_excel_allows_points_to_the_list_sheet(tmp_path, mini):
    many = tuple(f"第{n}种计分办法的名称" for n in range(40))
    items = mini.sheet("items")
    fields = tuple(f.model_copy(update={"choices": many}) if f.choices else f for f in items.fields)
    sheets = tuple(
        items.model_copy(update={"fields": fields}) if s.id == "items" else s for s in mini.sheets
    )
    path = write_blank(tmp_path / "a.xlsx", mini.model_copy(update={"sheets": sheets}))
    book = openpyxl.load_workbook(path)
    (rule,) = [
        r for r in book["指标"].data_validations.dataValidation if "_lists" in (r.formula1 or "")
    ]
    assert rule.formula1 == "_lists!$A$1:$A$40"
    assert [cell.value for cell in book["_lists"]["A"]] == list(many)


def test_codes_and_texts_are_text_cells_and_inputs_are_coloured_by_need(blank, real):
    page = openpyxl.load_workbook(blank)["指标"]
    heads = {page.cell(3, c).value: c for c in range(1, 12)}
    code, points, explanation = (page.cell(6, heads[h]) for h in ("编号*", "分值*", "指标解释"))
    assert code.number_format == "@"
    assert points.number_format == "General"
    fills = Counter(c.fill.fgColor.rgb for c in (code, points, explanation))
    assert fills == {"FFFFF2CC": 2, "FFFFFFFF": 1}


def test_equal_content_gives_equal_bytes(tmp_path, mini):
    content = {"items": [{"code": "A1", "points": Decimal(8)}]}
    one = write_blank(tmp_path / "1.xlsx", mini, content)
    two = write_blank(tmp_path / "2.xlsx", mini, content)
    assert one.read_bytes() == two.read_bytes()


def test_content_is_written_as_a_person_types_it(tmp_path, mini):
    content = {
        "project": {"code": "007", "day": "2025-06-30", "goal": "洁净"},
        "items": [
            {
                "code": "3-1",
                "level1": "产出",
                "name": "面积",
                "points": "8",
                "kind": "定量",
                "target": "98%",
                "money": "285.29",
                "rate": Decimal("12.5"),
                "day": date(2025, 5, 1),
                "ok": "是",
                "count": 3,
            },
            {
                "code": "007",
                "name": "次数",
                "points": 2,
                "kind": "定性（分级）",
                "target": "≥735人次",
            },
        ],
        "scores": [
            {"indicator": "3-1", "scores:张三": Decimal("8.5")},
            {"indicator": "007", "李四": "9"},
        ],
    }
    path = write_blank(tmp_path / "a.xlsx", mini, content)
    page = openpyxl.load_workbook(path)["指标"]
    row = [cell.value for cell in page[3]]
    assert row[0] == 1
    assert row[1] == "3-1"
    assert (row[5], row[7], row[9]) == (8, "98%", 285.29)
    source = read(path, mini)
    assert sound(source) == []
    first, second = source.tables["items"]
    assert first["target"].value == Decimal(98)
    assert first["money"].value == Decimal("2852900")
    assert first["rate"].value == Decimal("12.5")
    assert first["day"].value == date(2025, 5, 1)
    assert second["code"].value == "007"
    assert second["level1"].value == "产出"
    assert (second["target"].value, second["target"].bound) == (Decimal(735), "≥")
    assert source.open_columns == {"scores": ["张三", "李四"]}
    assert source.tables["scores"][1]["scores:李四"].value == 9
    assert source.forms["project"]["day"].value == date(2025, 6, 30)


def test_a_framework_of_many_rows_keeps_a_few_boxed_rows_below_and_prints_no_more(tmp_path, mini):
    rows = [{"code": f"A{n}", "level1": "产出", "name": "x", "points": 1} for n in range(100)]
    path = write_blank(tmp_path / "a.xlsx", mini, {"items": rows})
    page = openpyxl.load_workbook(path)["指标"]
    boxed = [row for row in range(1, page.max_row + 1) if page.cell(row, 2).border.left.style]
    assert page.max_row == max(boxed) == 2 + 100 + SPARE_ROWS  # what is boxed is printed
    assert page.print_area in (None, "")
    assert len(read(path, mini).tables["items"]) == 100


def test_rows_below_the_boxed_ones_are_ready_for_more(tmp_path, mini):
    page = openpyxl.load_workbook(write_blank(tmp_path / "a.xlsx", mini))["指标"]
    heads = {page.cell(2, c).value: get_column_letter(c) for c in range(2, 16)}
    formats = {name: page.column_dimensions[at].number_format for name, at in heads.items()}
    assert (formats["编号*"], formats["日期"], formats["分值*"]) == ("@", "yyyy-mm-dd", "General")
    for rule in page.data_validations.dataValidation:
        assert max(area.max_row for area in rule.sqref.ranges) > 400


@pytest.mark.parametrize("day", ["2025-04-30", date(2025, 4, 30)])
def test_a_date_in_a_value_column_is_shown_and_read_as_a_date(tmp_path, mini, day):
    path = write_blank(tmp_path / "a.xlsx", mini, {"items": [{"code": "A1", "target": day}]})
    cell = openpyxl.load_workbook(path)["指标"]["H3"]
    assert (cell.is_date, cell.number_format) == (True, "yyyy-mm-dd")
    datum = read(path, mini).tables["items"][0]["target"]
    assert (datum.value, datum.raw, datum.precision) == (date(2025, 4, 30), "2025-04-30", "")


def test_a_zero_is_written_as_a_number(tmp_path, mini):
    rows = [{"code": f"A{n}", "points": zero} for n, zero in enumerate([0, "0", Decimal(0), 0.0])]
    source = read(write_blank(tmp_path / "a.xlsx", mini, {"items": rows}), mini)
    assert [row["points"].value for row in source.tables["items"]] == [0, 0, 0, 0]


def test_content_for_unknown_sheets_and_fields_is_refused_by_name(tmp_path, mini):
    with pytest.raises(EvalkitError, match=r"nowhere、items\.pts"):
        write_blank(tmp_path / "a.xlsx", mini, {"nowhere": {}, "items": [{"pts": 1}]})
    assert not (tmp_path / "a.xlsx").exists()


def test_content_longer_than_a_cell_is_refused_instead_of_lost(tmp_path, mini):
    with pytest.raises(EvalkitError, match="超出一个单元格的容量"):
        write_blank(tmp_path / "a.xlsx", mini, {"project": {"goal": "长" * 40_000}})


def test_a_blank_is_a_sound_package(blank):
    with zipfile.ZipFile(blank) as archive:
        assert archive.testzip() is None


@given(
    st.lists(
        st.tuples(
            st.decimals(min_value=0, max_value=10**9, places=2),
            st.text(
                st.characters(
                    codec="utf-8", exclude_categories=["Cc", "Cs", "Cf", "Zs", "Zl", "Zp"]
                ),
                min_size=1,
                max_size=30,
            ),
            st.dates(date(1950, 1, 1), date(2090, 1, 1)),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_content_comes_back_as_it_went_in(tmp_path_factory, mini, rows):
    content = {
        "items": [
            {
                "code": f"A{at}",
                "level1": "产出",
                "name": f"x{text}",
                "points": number,
                "money": number,
                "day": day,
                "kind": "定量",
            }
            for at, (number, text, day) in enumerate(rows)
        ],
        "project": {"code": "001", "goal": "x"},
    }
    source = read(write_blank(tmp_path_factory.mktemp("h") / "a.xlsx", mini, content), mini)
    assert source.problems == []
    for row, (number, text, day) in zip(source.tables["items"], rows, strict=True):
        assert row["points"].value == number
        assert row["money"].value == number * 10_000
        assert row["name"].value == f"x{text}"
        assert row["day"].value == day


def test_the_manual_names_every_sheet_column_choice_and_rule(real):
    text = manual(real)
    for sheet in real.sheets:
        assert f"## {sheet.name}\n" in text
        for field in sheet.columns:
            assert f"| {field.label} |" in text
            assert all(choice in text for choice in field.choices)
    assert all(f"| {rule.rule} |" in text for rule in real.guide)


def test_the_rule_table_of_the_instructions_covers_every_rule(real):
    (rule,) = [f for f in real.sheet("indicators").fields if f.id == "rule"]
    assert [line.rule for line in real.guide] == list(rule.choices)


def test_every_example_of_the_real_schema_is_valid_in_its_own_column(real):
    from evalkit.workbook.cells import read_cell

    for sheet in real.sheets:
        for field in sheet.fields:
            problems = read_cell(
                field.example or None, field.type, unit=field.unit, choices=field.choices
            )[1]
            assert problems == [], (sheet.name, field.label)
