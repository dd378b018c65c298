from __future__ import annotations

import zipfile
from datetime import date, datetime
from decimal import Decimal

import pytest
import xlsxwriter

from evalkit.core.problem import EvalkitError
from evalkit.workbook.opener import open_twice
from evalkit.workbook.reader import read

ITEM = ["A1", "产出", "数量", "面积", 8, "定量"]
DATA = ["指标编号", "实际", "单位"]


def found(source):
    return [(p.code, p.severity, p.sheet, p.cell) for p in source.problems]


def the(source, code):
    """The one problem with this code."""
    problems = [p for p in source.problems if p.code == code]
    assert len(problems) == 1, found(source)
    return problems[0]


def values(source, sheet, field):
    return [row[field].value for row in source.tables[sheet]]


def test_a_sound_workbook_is_read_without_a_word(lay, mini):
    source = read(lay(), mini)
    assert source.problems == []
    assert (source.schema_name, source.version) == ("mini", 2)
    assert source.forms["project"]["code"].value == "001"
    assert source.forms["project"]["day"].value == date(2025, 6, 30)
    assert source.forms["project"]["day"].cell == "项目!B3"
    (row,) = source.tables["items"]
    assert row["points"].value == 8
    assert row["points"].cell == "指标!E2"
    assert list(row) == [f.id for f in mini.sheet("items").fields]
    assert row["remark"].value is None
    assert row["remark"].cell == "指标!N2"
    assert source.tables["data"] == []


def test_every_problem_is_a_full_address(item):
    problem = the(item("分值", "很多"), "type.number")
    text = "数据底稿.xlsx｜指标｜E2：分值“很多”不是数字——请只填一个数字，说明写在文字列里"
    assert str(problem) == text
    assert problem.indicator == "A1"


def test_all_problems_come_at_once(items):
    source = items(
        ["A1", "产出", None, "面积", "x", "奇怪"], ["a1", None, None, None, 3, "定量", "2024-02-30"]
    )
    assert {p.code for p in source.problems} == {
        "type.number",
        "choice.unknown",
        "date.impossible",
        "required.always",
        "unique.duplicate",
    }


@pytest.mark.parametrize(
    ("label", "content", "code", "severity"),
    [
        ("名称", None, "required.always", "error"),
        ("类型", None, "required.final", "warning"),
        ("类型", "定型", "choice.unknown", "error"),
        ("分值", "八分多", "type.number", "error"),
        ("分值", None, "required.always", "error"),
        ("日期", "2024-02-30", "date.impossible", "error"),
        ("日期", "去年", "type.date", "error"),
        ("金额（万元）", "若干", "type.amount", "error"),
        ("金额（万元）", "15美元", "unit.unknown", "error"),
        ("占比", 0.98, "percent.ambiguous", "warning"),
        ("达标", "差不多", "type.yesno", "error"),
        ("份数", "3.5份", "type.integer", "error"),
        ("编号", 101, "code.zeros", "note"),
        ("编号", 6.21e20, "code.scientific", "error"),
        ("编号", datetime(2025, 3, 2), "code.date", "error"),
        ("名称", datetime(2025, 3, 2), "text.date", "warning"),
        ("情况说明", "长" * 10_000, "text.long", "warning"),
    ],
)
def test_a_cell_that_is_wrong_is_reported_with_its_address(item, label, content, code, severity):
    problem = the(item(label, content), code)
    assert problem.severity == severity
    assert problem.sheet == "指标"
    assert problem.cell.endswith("2")
    assert label.partition("（")[0] in problem.what


def test_a_blank_that_is_wrong_already_is_not_called_blank_too(item):
    assert [p.code for p in item("分值", "八分多").problems] == ["type.number"]


def test_percent_formats_and_units_of_the_row_are_respected(item):
    source = item("目标值", 0.98, "0.0%", 计量单位="%")
    datum = source.tables["items"][0]["target"]
    assert (datum.value, datum.unit, datum.raw, source.problems) == (Decimal(98), "%", "98%", [])
    assert item("目标值", 0.98, 计量单位="%").problems[0].code == "percent.ambiguous"
    assert item("目标值", "735人", 计量单位="公里").problems[0].code == "unit.conflict"


def test_a_header_states_the_unit_of_its_amounts(lay, mini):
    head = ["编号", "一级", "名称", "分值", "金额（{}）"]
    for unit, yuan in (("元", 15), ("万元", 150_000), ("亿元", 1_500_000_000), ("千元", 15_000)):
        rows = [[name.format(unit) for name in head], ["A1", "产出", "面积", 8, 15]]
        source = read(lay({"指标": rows}), mini)
        assert values(source, "items", "money") == [yuan]


def test_a_line_above_the_header_may_state_the_unit(lay, mini):
    rows = [["项目指标表"], ["单位：元"], [], ["编号", "一级", "名称", "分值", "金额"]]
    source = read(lay({"指标": [*rows, ["A1", "产出", "面积", 8, 15]]}), mini)
    assert values(source, "items", "money") == [15]
    assert source.tables["items"][0]["code"].cell == "指标!A5"
    source = read(lay({"指标": [rows[-1], ["A1", "产出", "面积", 8, 15]]}), mini)
    assert the(source, "unit.missing").severity == "warning"
    assert values(source, "items", "money") == [150_000]


def test_an_unknown_currency_in_the_header_is_an_error(lay, mini):
    rows = [["编号", "一级", "名称", "分值", "金额（美元）"], ["A1", "产出", "面积", 8, None]]
    assert the(read(lay({"指标": rows}), mini), "unit.unknown").cell == "E1"


def test_merged_cells_fill_down_only_where_the_schema_says(items):
    def merge(sheet):
        sheet.merge_cells("B2:B4")
        sheet.merge_cells("E2:E3")

    rows = [ITEM, ["A2", None, None, "次数", None, "定量"], ["A3", None, None, "里程", 4, "定量"]]
    source = items(*rows, touch=merge)
    assert values(source, "items", "level1") == ["产出"] * 3
    assert source.tables["items"][2]["level1"].cell == "指标!B2"
    assert values(source, "items", "points") == [8, None, 4]
    problem = the(source, "required.always")
    assert problem.cell == "E3"
    assert "合并单元格" in problem.what


def test_a_blank_level_is_the_one_above_until_the_level_before_changes(items):
    source = items(
        ITEM, ["A2", None, None, "次数", 2, "定量"], ["A3", "效益", None, "影响", 2, "定性（分级）"]
    )
    assert values(source, "items", "level1") == ["产出", "产出", "效益"]
    assert values(source, "items", "level2") == ["数量", "数量", None]


def test_a_header_merged_over_two_rows_is_one_header(lay, mini):
    rows = [
        ["编号", "一级", "名称", "评分", None],
        [None, None, None, "分值", "类型"],
        ["A1", "产出", "面积", 8, "定量"],
    ]

    def merge(sheet):
        for area in ("A1:A2", "B1:B2", "C1:C2", "D1:E1"):
            sheet.merge_cells(area)

    source = read(lay({"指标": rows}, {"指标": merge}), mini)
    assert values(source, "items", "points") == [8]
    assert values(source, "items", "level1") == ["产出"]


def test_a_blank_row_is_skipped(items):
    source = items([], ITEM, [None, "  "], [], ["A2", "产出", None, "次数", 2, "定量"])
    assert values(source, "items", "code") == ["A1", "A2"]
    assert source.problems == []


@pytest.mark.parametrize(
    "line",
    [
        "注：数据来自月报",
        "注1：含上年结转",
        "说明：分值已审定",
        "备注:无",
        "资料来源：统计年鉴",
        "填表说明：略",
    ],
)
def test_a_footnote_row_is_skipped(items, line):
    source = items(ITEM, [line])
    assert values(source, "items", "code") == ["A1"]
    assert source.problems == []


def test_a_signature_line_under_the_table_is_skipped(items):
    source = items(ITEM, ["填表人：张三", None, None, "审核人：李四"])
    assert values(source, "items", "code") == ["A1"]


def test_a_total_row_is_not_data_and_is_noted(items):
    source = items(ITEM, ["合 计", None, None, None, 8])
    assert values(source, "items", "code") == ["A1"]
    assert the(source, "row.total").severity == "note"


def test_the_example_row_is_skipped_and_an_overwritten_one_is_warned_about(lay, mini):
    head = ["序号", "编号", "一级", "名称", "分值"]
    example = ["例", "A1", "产出", "面积", 8]
    own = [1, "A2", "产出", "里程", 10]
    source = read(lay({"指标": [head, example, own]}), mini)
    assert values(source, "items", "code") == ["A2"]
    assert "example.edited" not in {p.code for p in source.problems}
    source = read(lay({"指标": [head, ["例", "A7", "产出", "真数据", 9], own]}), mini)
    assert the(source, "example.edited").cell == "B2"


def test_columns_may_move_and_unknown_ones_are_named(lay, mini):
    rows = [["分直", "名称", "一级", "编号", "分值 *", "心得"], [1, "面积", "产出", "A1", 8, "好"]]
    source = read(lay({"指标": rows}), mini)
    assert values(source, "items", "points") == [8]
    unknown = [p for p in source.problems if p.code == "column.unknown"]
    assert [(p.severity, p.cell) for p in unknown] == [("warning", "A1"), ("warning", "F1")]
    assert "心得" in unknown[1].what


def test_an_unknown_column_names_the_missing_one_that_it_resembles(lay, mini):
    rows = [["编号", "一级", "名称", "分值分", "类型"], ["A1", "产出", "面积", 8, "定量"]]
    source = read(lay({"指标": rows}), mini)
    assert "是否应为“分值”" in the(source, "column.unknown").remedy
    missing = [(p.severity, p.what) for p in source.problems if p.code == "column.missing"]
    assert ("error", "缺少必填的列：分值") in missing
    assert all(p.code != "required.always" for p in source.problems)


def test_the_same_column_twice_is_an_error(lay, mini):
    rows = [["编号", "一级", "名称", "分值", "分值"], ["A1", "产出", "面积", 8, 9]]
    assert the(read(lay({"指标": rows}), mini), "column.duplicate").cell == "E1"


def test_content_without_a_column_name_is_pointed_at(items):
    source = items([*ITEM, *[None] * 9, "落单"])
    assert the(source, "column.untitled").cell == "P2"


def test_a_table_without_a_header_is_an_error(lay, mini):
    source = read(lay({"指标": [["随便", "写写"], ["A1", 8]]}), mini)
    assert the(source, "header.missing").severity == "error"
    assert source.tables["items"] == []


def test_missing_sheets_are_listed_and_extra_ones_noted(lay, mini):
    source = read(lay({"数据": None, "打分": None, "草稿": [["x"]]}), mini)
    assert the(source, "sheet.missing").what == "缺少工作表：数据、打分"
    assert the(source, "sheet.unknown").severity == "note"
    assert source.tables["data"] == []


def test_a_code_is_unique_ignoring_case_and_width(items):
    source = items(ITEM, ["ａ１", "产出", "数量", "次数", 2, "定量"])
    problem = the(source, "unique.duplicate")
    assert (problem.cell, problem.indicator) == ("A3", "a1")
    assert "A2" in problem.what


def test_a_reference_takes_the_codes_own_spelling_and_an_unknown_one_is_an_error(lay, mini):
    source = read(lay({"数据": [DATA, ["ａ1", 3, "次"], ["A11", 4, "次"]]}), mini)
    assert values(source, "data", "indicator") == ["A1", "A11"]
    problem = the(source, "refers.unknown")
    assert (problem.cell, problem.indicator) == ("A3", "A11")
    assert "是否应为“A1”" in problem.remedy


def test_numbers_stored_as_codes_are_noted_once_a_column(lay, mini):
    rows = [[101, 1], [102, 2], [103, 3]]
    head = ["编号", "一级", "名称", "分值"]
    source = read(lay({"指标": [head, *[[c, "产出", "x", p] for c, p in rows]]}), mini)
    assert "同列共 3 处" in the(source, "code.zeros").what


def test_further_columns_of_an_open_sheet_are_kept_under_their_headers(lay, mini):
    rows = [
        ["指标编号", "对象类别", "张专家", "李专家", "没来的专家"],
        ["A1", "居民", 8.5, "九", None],
    ]
    source = read(lay({"打分": rows}), mini)
    assert source.open_columns == {"scores": ["张专家", "李专家"]}
    (row,) = source.tables["scores"]
    assert list(row) == ["indicator", "group", "scores:张专家", "scores:李专家"]
    assert row["scores:张专家"].value == Decimal("8.5")
    assert row["scores:张专家"].cell == "打分!C2"
    assert the(source, "type.number").cell == "D2"


def test_a_mistyped_column_of_an_open_sheet_is_not_silently_an_open_one(lay, mini):
    source = read(lay({"打分": [["指标编号", "对象类型"], ["A1", 3]]}), mini)
    assert "对象类别" in the(source, "column.similar").remedy


def test_a_form_may_have_titles_merges_and_unknown_lines(lay, mini):
    rows = [
        ["某项目基本情况表"],
        [None, "项目编码*", None, "001"],
        [None, "项目名称", None, "保洁"],
        [None, "项目名字", None, "x"],
        [None, "总体目标△", None, "洁净"],
        [None, "注：如实填写"],
    ]

    def merge(sheet):
        for row in range(2, 6):
            sheet.merge_cells(start_row=row, end_row=row, start_column=2, end_column=3)

    source = read(lay({"项目": rows}, {"项目": merge}), mini)
    assert source.forms["project"]["code"].value == "001"
    assert source.forms["project"]["code"].cell == "项目!D2"
    assert source.forms["project"]["day"].value is None
    missing = the(source, "column.absent")
    assert (missing.what, missing.severity) == ("缺少行：报告日期", "warning")


def test_an_unknown_line_of_a_form_is_named(lay, mini):
    rows = [["项目编码", "1-1"], ["项目名字", "保洁"], ["报告日期", None], ["总体目标", "x"]]
    source = read(lay({"项目": rows}), mini)
    assert "是否应为“项目名称”" in the(source, "column.unknown").remedy


def test_the_same_line_of_a_form_twice_is_an_error(lay, mini):
    rows = [["项目编码", "1-1"], ["项目编码", "1-2"], ["项目名称", "x"], ["总体目标", "x"]]
    assert the(read(lay({"项目": rows}), mini), "column.duplicate").cell == "A2"


def formulas(path, *cells, number_format=""):
    """A workbook whose 分值 cells hold formulas with cached results, as Excel saves them."""
    with xlsxwriter.Workbook(path) as book:
        for title, rows in {
            "项目": [["项目编码", "001"], ["项目名称", "x"], ["报告日期", ""], ["总体目标", "y"]],
            "指标": [["编号", "一级", "名称", "分值", "类型", "目标值"]],
            "数据": [DATA],
            "打分": [["指标编号", "对象类别"]],
            "_meta": [["schema", "mini"], ["version", "2"]],
        }.items():
            sheet = book.add_worksheet(title)
            for at, row in enumerate(rows):
                for column, text in enumerate(row):
                    sheet.write_string(at, column, text)
            if title == "指标":
                for at, (formula, cached) in enumerate(cells, 1):
                    for column, text in enumerate((f"A{at}", "产出", "面积")):
                        sheet.write_string(at, column, text)
                    sheet.write_string(at, 4, "定量")
                    sheet.write_formula(at, 3, formula, book.add_format(), cached)
    return path


def test_a_formula_gives_its_cached_value_and_is_kept(tmp_path, mini):
    source = read(formulas(tmp_path / "a.xlsx", ("=3+5.5", 8.5)), mini)
    datum = source.tables["items"][0]["points"]
    assert (datum.value, datum.formula, datum.cell) == (Decimal("8.5"), "=3+5.5", "指标!D2")
    assert all(p.code == "column.absent" for p in source.problems)


@pytest.mark.parametrize(
    ("shown", "sentence"),
    [
        ("#DIV/0!", "除以了零"),
        ("#REF!", "已被删除"),
        ("#N/A", "没有查到"),
        ("#VALUE!", "拿文字做了计算"),
        ("#NAME?", "不认识的函数"),
        ("#NUM!", "无效的数"),
        ("#NULL!", "没有交集"),
    ],
)
def test_each_excel_error_has_its_own_sentence(tmp_path, mini, shown, sentence):
    source = read(formulas(tmp_path / "a.xlsx", ("=1/0", shown)), mini)
    problem = the(source, "formula.error")
    assert sentence in problem.what
    assert shown in problem.what
    assert (problem.cell, problem.severity) == ("D2", "error")
    assert source.tables["items"][0]["points"].formula == "=1/0"
    assert not any(p.code == "required.always" for p in source.problems)


@pytest.mark.parametrize("formula", ["=[1]Sheet1!A1", "='[往年数据.xlsx]汇总'!B2"])
def test_a_link_to_another_file_is_reported_and_its_value_kept(tmp_path, mini, formula):
    source = read(formulas(tmp_path / "a.xlsx", (formula, 8)), mini)
    assert the(source, "formula.external").severity == "warning"
    assert values(source, "items", "points") == [8]


def test_a_workbook_without_formulas_is_loaded_once(lay, items, tmp_path):
    values, same = open_twice(lay())
    assert same is values
    items([*ITEM[:4], "=3+5"])
    values, other = open_twice(tmp_path / "数据底稿.xlsx")
    assert (values["指标"]["E2"].value, other["指标"]["E2"].value) == (None, "=3+5")


def test_a_date_in_a_choice_cell_names_the_choices(item):
    assert "定量、定性（分级）" in the(item("类型", datetime(2025, 3, 2)), "choice.unknown").remedy


def test_a_formula_without_a_cached_value_is_reported(items):
    source = items(["A1", "产出", "数量", "面积", "=3+5", "定量"])
    problem = the(source, "formula.uncached")
    assert "打开并保存一次" in problem.remedy
    assert source.tables["items"][0]["points"].value is None
    assert source.tables["items"][0]["points"].formula == "=3+5"


def test_a_formula_whose_result_is_empty_text_is_just_empty(tmp_path, mini):
    path = formulas(tmp_path / "a.xlsx", ('=IF(1,"","")', "x"))
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():  # Excel keeps the empty text and its type
            new.writestr(name, data.replace(b"</f><v>x</v>", b"</f><v></v>"))
    source = read(path, mini)
    assert "formula.uncached" not in {p.code for p in source.problems}
    assert the(source, "required.always").cell == "D2"


def test_a_row_of_formulas_without_values_is_not_taken_for_blank(items):
    source = items(ITEM, [None, None, None, None, "=1+1"])
    assert len(source.tables["items"]) == 2


def test_a_workbook_without_meta_is_read_with_a_note(lay, mini):
    source = read(lay(meta=None), mini)
    assert [(p.code, p.severity) for p in source.problems] == [("meta.missing", "note")]


def test_an_older_workbook_is_read_and_later_columns_are_not_missed(lay, mini):
    rows = [
        [
            "编号",
            "一级",
            "二级",
            "名称",
            "分值",
            "类型",
            "目标值",
            "计量单位",
            "金额（万元）",
            "占比",
        ]
    ]
    rows[0] += ["日期", "达标", "份数"]
    source = read(lay({"指标": [*rows, ITEM]}, meta=[["schema", "mini"], ["version", "1"]]), mini)
    assert source.version == 1
    assert [(p.code, p.severity) for p in source.problems] == [("meta.older", "note")]


def test_a_newer_workbook_is_refused_in_a_sentence(lay, mini):
    with pytest.raises(EvalkitError, match="版本 3 高于本程序支持的 2——请升级"):
        read(lay(meta=[["schema", "mini"], ["version", 3]]), mini)


@pytest.mark.parametrize(
    "meta", [[["schema", "other"], ["version", 1]], [["schema", "other"], ["version", 9]]]
)
def test_another_kind_of_workbook_is_refused(lay, mini, meta):
    with pytest.raises(EvalkitError, match="不是“小底稿”工作簿"):
        read(lay(meta=meta), mini)


def test_a_workbook_with_none_of_the_sheets_is_refused(lay, mini):
    with pytest.raises(EvalkitError, match="不是“小底稿”工作簿"):
        read(
            lay(dict.fromkeys(("项目", "指标", "数据", "打分")) | {"Sheet1": [["x"]]}, meta=None),
            mini,
        )
