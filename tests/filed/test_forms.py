"""Filed forms are read as they were filed: published tables, layouts, and what has two readings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import cases
import pytest
from boards import (
    Board,
    Form,
    export_of_indicators,
    export_of_projects,
    monitoring,
    provincial,
    self_evaluation,
    targets,
    to_csv,
    to_docx,
    to_html,
    to_xls,
    to_xlsx,
    two_level,
)

from evalkit.core.model import Source
from evalkit.core.problem import EvalkitError
from evalkit.filed.forms import read_file, read_forms
from evalkit.filed.labels import Labels

Write = Callable[..., Path]
WRITERS = {"xlsx": to_xlsx, "xls": to_xls, "html": to_html, "docx": to_docx}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[Source]]:
    """Read boards that were written in a format."""

    def go(*boards: Board, kind: str = "xlsx", **more: object) -> list[Source]:
        suffix = "xls" if kind == "html" else kind
        return read_forms(WRITERS[kind](tmp_path / f"表.{suffix}", *boards, **more))

    return go


def values(source: Source, table: str, *names: str) -> list[tuple[object, ...]]:
    return [tuple(row[name].value for name in names) for row in source.tables[table]]


def codes(source: Source) -> list[tuple[str, str]]:
    return [(problem.code, problem.cell) for problem in source.problems]


def project(source: Source, *names: str) -> list[object]:
    return [source.forms["project"][name].value for name in names]


def line(name: str = "人数", target: object = "", actual: object = "", points: object = 10,
         score: object = 10, unit: str = "", sign: str = "") -> tuple[object, ...]:  # fmt: skip
    return ("产出指标", "数量指标", name, sign, target, unit, actual, points, score)


# --- published tables --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WRITERS)
def test_the_yongde_table_comes_back_whole_in_every_format(read, kind):
    (source,) = read(two_level(cases.YONGDE), kind=kind)
    assert project(source, "name", "unit", "total", "grade") == [
        "义务教育营养改善计划专项资金", "临沧市永德县明朗中学", Decimal(96), "优",
    ]  # fmt: skip
    assert project(source, "year", "kind", "scope") == [Decimal(2022), "自评表", "项目"]
    money = Decimal("387664.62")
    assert values(source, "funds", "item", "budget", "spent", "rate", "score")[0] == (
        "年度资金总额", money, money, Decimal(100), Decimal(10),
    )  # fmt: skip
    told = values(source, "indicators", "level3", "target", "actual", "score")
    assert told[2] == ("资金到位及时率", Decimal(100), Decimal(100), Decimal(7))
    assert told[4] == ("减轻贫困学生家庭经济负担", "有效", "有效", Decimal(10))
    assert told[5] == ("政策知晓率", Decimal(100), Decimal(98), Decimal(9))
    bounds = [row["target"].bound for row in source.tables["indicators"]]
    assert bounds == ["≥", "≥", "≥", "=", "", "=", "≥", "≥", "≥"]
    total = sum(row["score"].number for row in source.tables["indicators"])
    assert total + 10 == Decimal(96) and not source.problems


@pytest.mark.parametrize("kind", WRITERS)
def test_the_tianchang_table_keeps_its_blanks_and_its_crossed_out_line(read, kind):
    (source,) = read(self_evaluation(cases.TIANCHANG), kind=kind)
    rows = source.tables["indicators"]
    assert len(rows) == 10 and not source.problems
    assert rows[0]["actual"].value == "880/880" and rows[0]["target"].value is None
    assert rows[3]["level3"].value == "工程质量合格" and rows[3]["target"].value is None
    assert rows[-1]["target"].value == 90 and rows[-1]["target"].unit == "%"
    assert sum(row["score"].number for row in rows) == 100
    assert "生态效益指标" not in [row["level2"].value for row in rows]


def test_the_langzhong_table_has_units_inside_its_cells(read):
    (source,) = read(self_evaluation(cases.LANGZHONG), kind="docx")
    first = source.tables["indicators"][0]["target"]
    assert (first.value, first.unit, first.cell) == (Decimal("32.1"), "公里", "表1!E13")
    assert sum(row["points"].number for row in source.tables["indicators"]) == 100
    assert values(source, "funds", "budget", "rate")[0] == (Decimal(40_000_000), Decimal(100))
    assert project(source, "year", "total") == [Decimal(2021), None]


@pytest.mark.parametrize("kind", WRITERS)
def test_the_tangxi_table_comes_back_with_its_faults(read, kind):
    (source,) = read(self_evaluation(cases.TANGXI), kind=kind)
    assert values(source, "funds", "item", "initial", "budget", "spent", "score")[:2] == [
        ("年度资金总额", 0, 0, 0, 0),
        ("财政拨款", Decimal(900_000), Decimal(899_740), Decimal(899_740), None),
    ]
    rows = source.tables["indicators"]
    assert [row["level1_points"].value for row in rows] == [50] * 6 + [30] * 3 + [10]
    assert {row["level1"].value for row in rows} == {"产出指标", "效益指标", "满意度指标"}
    quality = rows[1]["target"]
    assert (quality.value, quality.unit, quality.bound) == (100, "%", "≥")
    cost = rows[4]
    assert (cost["target"].value, cost["actual"].value) == (Decimal(900_000), Decimal(900_000))
    assert [code for code, _ in codes(source)] == ["filed.scale"]  # 90 beside ≤90万元
    assert len(rows) == 10 and sum(row["score"].number for row in rows) == 90


def test_the_suzhou_table_says_98_percent_and_that_is_what_is_read(read):
    (source,) = read(cases.suzhou(), kind="xls")
    *parts, total = values(source, "funds", "item", "budget", "spent", "rate")
    assert total == ("年度资金总额", Decimal(29_600_000), Decimal(27_983_000), Decimal(98))
    assert sum(row[2] for row in parts) == Decimal(27_983_000)
    assert project(source, "total", "year") == [Decimal("96.5"), Decimal(2017)]
    assert not source.problems


@pytest.mark.parametrize("kind", WRITERS)
def test_lines_of_the_blank_form_that_nobody_filled_are_no_indicators(read, kind):
    (source,) = read(cases.langfang(), kind=kind)
    told = values(source, "indicators", "level1", "level2", "level3")
    assert told[:3] == [
        ("产出指标", "数量指标", "工程资金金额"),
        ("产出指标", "质量指标", "工程完工率"),
        ("产出指标", "质量指标", "工程验收合格率"),
    ]
    assert len(told) == 7 and told[-1] == ("满意度指标", "服务对象满意度指标", "学生满意度")
    assert values(source, "funds", "rate", "score")[0] == (Decimal(86), Decimal(9))
    assert project(source, "points", "total") == [Decimal(80), Decimal(79)]


@pytest.mark.parametrize("kind", WRITERS)
def test_the_huangshi_monitoring_table(read, kind):
    (source,) = read(cases.huangshi(), kind=kind)
    assert project(source, "kind", "month", "unit") == ["监控情况表", Decimal(6), "黄石市文物局"]
    assert values(source, "funds", "initial", "spent")[0] == (Decimal(2_200_000), Decimal(875_700))
    assert values(source, "indicators", "level1", "level3", "likelihood", "note") == [
        ("产出指标", "成本", "确定能", None),
        ("产出指标", "数量", "完全不可能", "场地未落实"),
        ("效益指标", "社会效益", "有可能", None),
    ]


# --- layouts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WRITERS)
def test_two_forms_on_a_sheet_and_more_on_the_next_are_forms_of_their_own(read, kind):
    board = provincial(
        Form(name="甲项目", code="51000021R000000019951", indicators=[line("甲", 1, 1)])
    )
    provincial(
        Form(name="乙项目", unit="乙单位", indicators=[line("乙", 2, 2)]), board, board.size[0] + 2
    )
    other = self_evaluation(Form(name="丙项目", indicators=[line("丙", 3, 3)]), Board("第二张"))
    sources = read(board, other, kind=kind)
    assert [project(s, "name")[0] for s in sources] == ["甲项目", "乙项目", "丙项目"]
    assert project(sources[0], "code")[0] == "51000021R000000019951"
    assert [s.tables["indicators"][0]["target"].value for s in sources] == [1, 2, 3]
    assert [len(s.tables["indicators"]) for s in sources] == [1, 1, 1]
    assert sources[0].forms["project"]["goal"].value == "保障学生营养餐"


@pytest.mark.parametrize("kind", WRITERS)
def test_ticks_and_causes_of_a_monitoring_table_have_two_rows_of_headings(read, kind):
    form = Form(funds=((100, 50, (0.5, "0%"), 100), (100, 50, "50%", 100)))
    lines = [
        ("产出指标", "数量指标", "人数", "735人", "400人", "735人", "", "", "确定能", ""),
        (
            "产出指标",
            "数量指标",
            "户数",
            "10户",
            "4户",
            "6户",
            "经费保障",
            "资金未到",
            "有可能",
            "争取资金",
        ),
    ]
    (source,) = read(monitoring(form, "1—7月", lines), kind=kind)
    assert project(source, "kind", "month") == ["监控情况表", Decimal(7)]
    assert values(source, "funds", "spent", "rate", "forecast")[0] == (500_000, 50, 1_000_000)
    assert values(
        source, "indicators", "forecast", "cause_fund", "cause", "likelihood", "note"
    ) == [
        (Decimal(735), None, None, "确定能", None),
        (Decimal(6), "√", "资金未到", "有可能", "争取资金"),
    ]


def test_a_tick_in_two_columns_is_a_problem(read):
    lines = [("产出指标", "数量指标", "人数", "735人", "400人", "735人", "", "", "确定能", "")]
    board = monitoring(Form(), "1-7月", lines)
    board.put(12, 16, "√")
    (source,) = read(board)
    assert source.tables["indicators"][0]["likelihood"].value is None
    assert codes(source) == [("filed.ticks", "P12")]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_target_form_has_its_money_beside_labels_and_people_under_it(read, kind):
    form = Form(
        code="621026-001",
        funds=((880,), (800,), (80,)),
        indicators=[line("人数", 735, "", 50, "", "人次", "≧")],
    )
    (source,) = read(targets(form), kind=kind)
    assert project(source, "code", "kind", "nature") == ["621026-001", "目标申报表", "延续项目"]
    assert project(source, "filer", "phone", "filed_on") == [
        "张某某",
        "0934-6622345",
        date(2023, 1, 5),
    ]
    assert values(source, "funds", "item", "budget") == [
        ("年度资金总额", 8_800_000), ("财政拨款", 8_000_000), ("其他资金", 800_000),
    ]  # fmt: skip
    assert values(source, "indicators", "target", "points") == [(Decimal(735), Decimal(50))]


def test_a_department_form_is_known_by_its_title(read):
    board = Board("部门整体")
    board.put(1, 1, "部门整体支出绩效自评表（2023年度）", 8)
    board.put(2, 1, "部门（单位）名称")
    board.put(2, 2, "某县水务局", 8)
    for column, text in enumerate(
        ("年度预算（万元）", "年初预算数", "全年预算数", "全年执行数"), 1
    ):
        board.put(3, column, text)
    for row, told in enumerate(
        (("资金总额", 300, 310, 305), ("基本支出", 100, 100, 100), ("项目支出", 200, 210, 205)), 4
    ):
        for column, text in enumerate(told, 1):
            board.put(row, column, text)
    for column, text in enumerate(
        ("一级指标", "二级指标", "三级指标", "指标值", "完成值", "权重", "得分"), 1
    ):
        board.put(7, column, text)
    for column, text in enumerate(
        ("履职效能", "重点工作", "供水户数", "10万户", "9.8万户", 40, 39), 1
    ):
        board.put(8, column, text)
    (source,) = read(board)
    assert project(source, "scope", "name", "department") == [
        "部门整体",
        "某县水务局",
        "某县水务局",
    ]
    assert values(source, "funds", "item", "spent")[1:] == [
        ("基本支出", 1_000_000),
        ("项目支出", 2_050_000),
    ]
    assert values(source, "indicators", "level3", "actual") == [("供水户数", Decimal("9.8"))]


@pytest.mark.parametrize("kind", WRITERS)
def test_an_export_with_one_row_a_project(read, kind):
    first = Form(name="甲", code="001", funds=((100, 120, 90, 10, "75%", 7.5),), total=(100, 91))
    second = Form(name="乙", code="002", unit="乙单位", funds=((1, 2, 1.5, 10, "75%", 7.5),))
    sources = read(export_of_projects([first, second]), kind=kind)
    assert [project(s, "code", "name", "unit", "total", "year") for s in sources] == [
        ["001", "甲", "某县明朗中学", 91, 2022], ["002", "乙", "乙单位", 100, 2022],
    ]  # fmt: skip
    assert values(sources[0], "funds", "item", "initial", "budget", "spent", "rate") == [
        ("年度资金总额", 1_000_000, 1_200_000, 900_000, 75),
        ("财政拨款", None, 1_200_000, None, None),
    ]
    assert not sources[0].tables["indicators"] and not sources[0].problems


@pytest.mark.parametrize("style", ["merged", "repeated", "blank"])
@pytest.mark.parametrize("kind", WRITERS)
def test_an_export_with_one_row_an_indicator(read, kind, style):
    first = Form(name="甲", code="001", indicators=[line("甲一", 1, 1), line("甲二", 2, 2)])
    second = Form(name="乙", code="002", indicators=[line("乙一", 3, 3)])
    sources = read(export_of_indicators([first, second], style), kind=kind)
    assert [values(s, "indicators", "level3", "target") for s in sources] == [
        [("甲一", 1), ("甲二", 2)], [("乙一", 3)],
    ]  # fmt: skip
    assert [values(s, "funds", "budget") for s in sources] == [[(880,)], [(880,)]]


def test_a_project_of_an_export_may_go_on_in_another_sheet(read):
    first = Form(name="甲", code="001", unit="甲单位", indicators=[line("甲一", 1, 1)])
    projects, indicators = export_of_projects([first]), export_of_indicators([first])
    indicators.values[1, 4] = "序号"
    (source,) = read(projects, indicators)
    assert values(source, "funds", "budget")[0] == (8_800_000,)
    assert values(source, "indicators", "level3") == [("甲一",)]


def test_projects_of_one_name_in_two_units_are_two(read):
    forms = [
        Form(name="办公设备购置", unit=unit, indicators=[line(unit, 1, 1)])
        for unit in ("甲局", "乙局")
    ]
    assert [project(s, "unit")[0] for s in read(export_of_indicators(forms, "repeated"))] == [
        "甲局",
        "乙局",
    ]


def test_a_list_in_gb18030_is_read(tmp_path):
    board = export_of_projects([Form(name="甲", code="001", total=(100, 91))])
    board.merges.clear()
    (source,) = read_forms(to_csv(tmp_path / "导出.csv", board, "gb18030"))
    assert project(source, "name", "total") == ["甲", Decimal(91)]


def test_what_stands_around_a_table_in_word_belongs_to_it(read):
    board = self_evaluation(Form(indicators=[line()]))
    board.values = {(row - 2, column): v for (row, column), v in board.values.items() if row > 2}
    board.merges = [(t - 2, left, b - 2, r) for t, left, b, r in board.merges if t > 2]
    (source,) = read(
        board,
        kind="docx",
        before=["附件1", "项目支出绩效自评表", "（2021年度）"],
        after=["填报人：张某　联系电话：13900000000"],
    )
    assert project(source, "kind", "year", "filer", "phone") == [
        "自评表",
        2021,
        "张某",
        "13900000000",
    ]
    assert source.forms["project"]["year"].cell == "表1!表外文字"


def test_a_transfer_form_of_the_centre(read):
    board = Board()
    board.line(1, "转移支付区域（项目）绩效目标自评表", 1, last=8)
    board.line(2, "（2021年度）", 1, last=8)
    board.line(3, "转移支付（项目）名称|中央车购税补助地方资金", 1, 3, last=8)
    board.line(4, "地方主管部门|某县交通运输局|资金使用单位|某县公路段", 1, 3, 5, 6, last=8)
    board.put(5, 1, "资金投入情况（万元）", 2, 8)
    board.line(5, "全年预算数（A）|全年执行数（B）|预算执行率（B/A×100%）", 4, 5, 6)
    board.fill(
        6,
        3,
        "年度资金总额：|4000|3900|97.5%\n其中：中央财政资金|3000|3000|100%\n地方资金|1000|900|90%",
    )
    board.put(9, 1, "总体目标完成情况", bottom=10)
    board.line(9, "总体目标|全年实际完成情况", 2, 5, last=8)
    board.line(10, "建设公路32.1公里|全部建成", 2, 5, last=8)
    board.put(11, 1, "绩效指标", bottom=13)
    board.fill(11, 2, "一级指标|二级指标|三级指标|指标值|全年实际完成值|未完成原因和改进措施")
    board.fill(
        12, 2, "产出指标|数量指标|公路里程|32.1公里|32.1公里\n|质量指标|合格率|100%|98%|返工"
    )
    board.line(14, "说明|无", 1, 2, last=8)
    (source,) = read(board)
    assert project(source, "name", "department", "unit") == [
        "中央车购税补助地方资金", "某县交通运输局", "某县公路段",
    ]  # fmt: skip
    assert project(source, "goal", "achieved") == ["建设公路32.1公里", "全部建成"]
    assert values(source, "funds", "item", "spent", "rate") == [
        ("年度资金总额", 39_000_000, Decimal("97.5")),
        ("中央资金", 30_000_000, 100),
        ("地方资金", 9_000_000, 90),
    ]
    assert values(source, "indicators", "level1", "actual", "reason") == [
        ("产出指标", Decimal("32.1"), None), ("产出指标", 98, "返工"),
    ]  # fmt: skip
    assert not source.problems


def test_of_medium_term_and_annual_indicators_side_by_side_the_annual_ones_are_read(read):
    board = Board()
    board.line(1, "项目支出绩效目标申报表（2023年度）", 1, last=8)
    board.line(2, "项目名称|某项目", 1, 2, last=8)
    board.line(3, "总体目标|中期目标（2023年—2025年）|年度目标", 1, 2, 6, last=8)
    board.merges.append((3, 1, 4, 1))
    board.line(4, "三年建成|今年开工", 2, 6, last=8)
    board.fill(5, 1, "绩效指标|一级指标|二级指标|三级指标|指标值|二级指标|三级指标|指标值")
    board.fill(6, 2, "产出指标|数量指标|三年里程|90公里|数量指标|今年里程|30公里")
    (source,) = read(board)
    assert project(source, "goal_period", "goal") == ["三年建成", "今年开工"]
    assert values(source, "indicators", "level1", "level3", "target") == [
        ("产出指标", "今年里程", 30)
    ]
    assert codes(source) == [("filed.halves", "C5")]


def test_a_form_may_go_on_in_the_next_tables_of_a_word_file(read):
    head, money, rows = Board("1"), Board("2"), Board("3")
    head.fill(1, 1, "项目名称|某项目\n实施单位|某单位")
    money.fill(1, 1, "项目资金（元）|年初预算数|全年预算数|全年执行数\n年度资金总额|100|100|90")
    rows.fill(1, 1, "一级指标|二级指标|三级指标|年度指标值|实际完成值|分值|得分")
    rows.fill(2, 1, "产出指标|数量指标|人数|735人|735人|90|90\n总分||||||90")
    (source,) = read(head, money, rows, kind="docx", before=["项目支出绩效自评表", "（2022年度）"])
    assert project(source, "name", "year", "total") == ["某项目", 2022, 90]
    assert values(source, "funds", "spent") == [(90,)]
    assert values(source, "indicators", "target") == [(735,)]


def test_how_to_fill_in_is_no_form(read):
    guide = Board("填表说明")
    guide.fill(1, 1, "项目名称：填写项目全称\n实施单位：填写单位全称")
    (source,) = read(self_evaluation(Form(indicators=[line()])), guide)
    assert project(source, "name") == ["义务教育营养改善计划"]


def test_one_total_by_source_of_money_across_the_headings(read):
    board = Board()
    board.line(1, "项目名称|某项目", 1, 2, last=5)
    board.line(2, "资金（元）|全年预算数|全年执行数", 1, 2, 4, last=5)
    board.fill(3, 2, "财政拨款|其他资金|财政拨款|其他资金")
    board.fill(4, 1, "年度资金总额|90|10|80|5")
    (source,) = read(board)
    assert values(source, "funds", "item", "budget", "spent") == [
        ("财政拨款", 90, 80), ("其他资金", 10, 5),
    ]  # fmt: skip


def test_a_project_of_raising_the_whole_village_is_no_department(read):
    (source,) = read(self_evaluation(Form(name="乡村风貌整体提升工程", indicators=[line()])))
    assert project(source, "scope") == ["项目"]


# --- what has two readings ---------------------------------------------------------------------


def one(read: Callable[..., list[Source]], *lines: tuple[object, ...], **form: object) -> Source:
    return read(self_evaluation(Form(indicators=lines, **form)))[0]


def test_98_percent_is_never_0_98(read):
    for kind in ("xlsx", "xls"):
        board = two_level(Form(indicators=[line("合格率", 100, (0.98, "0%"), unit="%")]))
        (source,) = read(board, kind=kind)
        assert values(source, "indicators", "actual") == [(Decimal(98),)] and not source.problems


@pytest.mark.parametrize(
    ("target", "actual", "cell"), [("≥100%", 0.98, "F13"), ("", 0.98, "F13"), (1, "98%", "E13")]
)
def test_a_bare_0_98_of_a_rate_is_a_problem(read, target, actual, cell):
    source = one(read, line("合格率", target, actual))
    assert codes(source) == [("filed.percent", cell)]
    datum = source.tables["indicators"][0]["actual" if cell == "F13" else "target"]
    assert datum.value is None and datum.raw == str(datum.raw) and datum.raw in ("0.98", "1")


def test_a_bare_rate_of_execution_is_a_problem(read):
    source = one(read, line(), funds=((100, 100, 50, 10, 0.5, 5),))
    assert values(source, "funds", "rate")[0] == (None,)
    assert ("filed.percent", "I6") in codes(source)


def test_an_amount_without_a_unit_anywhere_is_a_problem_of_its_column(read):
    board = self_evaluation(Form(indicators=[line()]))
    board.values[5, 1] = "项目资金"
    board.values[6, 5] = "100万元"
    (source,) = read(board)
    assert values(source, "funds", "initial", "budget")[:2] == [(1_000_000, None), (None, None)]
    assert set(codes(source)) == {("filed.unit", cell) for cell in ("E5", "F5", "G5")}


def test_a_heading_states_its_own_unit_against_that_of_the_table(read):
    board = self_evaluation(Form(indicators=[line()]))
    board.values[5, 7] = "全年执行数（元）"
    (source,) = read(board)
    assert values(source, "funds", "budget", "spent")[0] == (8_800_000, 880)


def test_the_unit_nearest_to_an_amount_counts(read):
    board = self_evaluation(Form(indicators=[line()]))
    board.values |= {(2, 1): "单位：元", (5, 1): "项目资金", (6, 4): "年度资金总额（万元）"}
    (source,) = read(board)
    assert values(source, "funds", "budget")[:2] == [(8_800_000,), (880,)]


def test_an_amount_in_the_cell_of_its_label_needs_a_unit_too(read):
    board = Board()
    board.fill(
        1,
        1,
        "项目名称|某项目\n年度资金总额：100|其中：财政拨款：80万元\n三级指标|指标值\n人数|735人",
    )
    (source,) = read(board)
    assert values(source, "funds", "item", "budget") == [
        ("年度资金总额", None),
        ("财政拨款", 800_000),
    ]
    assert codes(source) == [("filed.unit", "A2")]


def test_a_code_only_in_the_first_row_of_a_project_counts_for_all_its_rows(read):
    form = Form(name="甲", code="001", indicators=[line("甲一", 1, 1), line("甲二", 2, 2)])
    board = export_of_indicators(
        [form, Form(name="乙", indicators=[line("乙一", 3, 3)])], "repeated"
    )
    del board.values[3, 1]
    first, second = read(board)
    assert values(first, "indicators", "level3") == [("甲一",), ("甲二",)]
    assert project(second, "name", "code") == ["乙", None]


def test_the_county_of_yuanmou_is_no_unit_of_money(read):
    board = self_evaluation(Form(indicators=[line()]))
    board.values |= {(2, 1): "填报单位：元谋县财政局", (5, 1): "项目资金"}
    (source,) = read(board)
    assert values(source, "funds", "budget")[0] == (None,)
    assert project(source, "year", "unit") == [None, "某县明朗中学"]


def test_a_number_format_that_shows_ten_thousandths_is_a_problem(read):
    board = self_evaluation(Form(indicators=[line()]))
    board.put(6, 5, (8_800_000, "#,##0.00"))
    board.put(6, 6, (8_800_000, '0!.0,"万元"'))
    board.put(6, 7, (8_800_000, "#,##0.00,"))
    (source,) = read(board)
    assert values(source, "funds", "initial", "budget", "spent")[0] == (88 * 10**9, None, None)
    assert codes(source) == [("filed.scaled", "F6"), ("filed.scaled", "G6")]


def test_an_amount_merged_over_two_lines_belongs_to_neither_and_points_to_the_first(read):
    board = self_evaluation(Form(indicators=[line()]))
    board.merges += [(6, 5, 7, 5), (6, 8, 9, 8)]
    (source,) = read(board)
    assert values(source, "funds", "initial", "points")[:2] == [(None, 10), (None, None)]
    assert codes(source) == [("filed.merged", "E6")]


def test_two_headings_for_one_field_are_a_problem_and_neither_is_read(read):
    board = self_evaluation(Form(indicators=[line("人数", 735, 735)]))
    board.values[12, 8] = "自评得分"
    board.values[12, 7] = "得分"
    (source,) = read(board)
    assert values(source, "indicators", "target", "score") == [(Decimal(735), None)]
    assert [code for code, _ in codes(source)] == ["filed.twice"]


def test_a_number_merged_over_two_indicators_belongs_to_neither(read):
    board = self_evaluation(Form(indicators=[line("甲", 1, 1, 20), line("乙", 2, 2, "")]))
    board.merges.append((13, 7, 14, 7))
    (source,) = read(board)
    assert values(source, "indicators", "points", "score") == [(None, 10), (None, 10)]
    assert codes(source) == [("filed.merged", "G13")]


def test_a_number_merged_over_two_columns_is_of_neither(read):
    board = self_evaluation(Form(indicators=[line("甲", 1, 1, 20, "")]))
    board.merges.append((13, 7, 13, 8))
    (source,) = read(board)
    assert values(source, "indicators", "actual", "points", "score") == [(1, None, None)]
    assert ("filed.wide", "G13") in codes(source)


def test_an_indicator_merged_over_its_own_rows_is_whole(read):
    board = self_evaluation(Form(indicators=[line("甲", 1, 1, 20), line("", 2, 2, "", "")]))
    board.merges += [(13, 4, 14, 4), (13, 7, 14, 7)]
    (source,) = read(board)
    assert values(source, "indicators", "level3", "target", "points") == [
        ("甲", 1, 20),
        ("甲", 2, 20),
    ]


def test_operator_number_and_unit_under_one_heading_are_one_value(read):
    board = Board()
    board.put(1, 1, "项目名称")
    board.put(1, 2, "甲项目", 6)
    board.put(2, 1, "三级指标")
    board.put(2, 2, "指标值", 4)
    board.put(2, 5, "完成值")
    for column, text in enumerate(("人数", "≥", 735, "人次", "700"), 1):
        board.put(3, column, text)
    for column, text in enumerate(("户数", 3, 5, "户", "4"), 1):
        board.put(4, column, text)
    (source,) = read(board)
    first, second = (row["target"] for row in source.tables["indicators"])
    assert (first.value, first.unit, first.bound) == (735, "人次", "≥")
    assert second.value is None and codes(source) == [("filed.several", "B4")]


def test_the_same_project_with_two_amounts_in_an_export_is_a_problem(read):
    board = export_of_indicators(
        [Form(name="甲", code="001", indicators=[line("一", 1, 1), line("二", 2, 2)])], "repeated"
    )
    board.values[3, 4] = 900
    (source,) = read(board)
    assert values(source, "funds", "budget") == [(None,)]
    assert codes(source) == [("filed.differs", "D3")]


def test_formulas_and_their_errors_are_said(read):
    source = one(read, line("甲", 1, "=1/0"), line("乙", 2, 2))
    assert source.tables["indicators"][0]["actual"].value == "=1/0"  # text is no formula


def test_no_problem_of_a_form_is_an_error(read):
    source = one(read, line("甲", 1, 1, "十分", "满分"))
    assert {problem.severity for problem in source.problems} == {"warning"}
    assert values(source, "indicators", "points", "score") == [(None, None)]
    assert all(
        problem.file == "表.xlsx" and problem.sheet == "自评表" for problem in source.problems
    )


# --- headings ----------------------------------------------------------------------------------


def test_a_heading_that_nobody_knows_is_asked_and_then_known(tmp_path):
    board = self_evaluation(Form(indicators=[line("人数", "735人", "700人")]))
    board.values[12, 6] = "年末考核值"
    path = to_xlsx(tmp_path / "表.xlsx", board)
    filing = read_file(path, Labels({}))
    assert [(one.heading, one.place) for one in filing.unknown] == [
        ("年末考核值", "表.xlsx｜自评表｜F12")
    ]
    assert values(filing.sources[0], "indicators", "actual") == [(None,)]
    (known,) = read_forms(path, {"年末 考核值（A）": "indicators.actual"})
    assert values(known, "indicators", "actual") == [(Decimal(700),)]
    unread = read_file(path, Labels({"年末考核值": ""}))
    assert not unread.unknown and values(unread.sources[0], "indicators", "actual") == [(None,)]


def test_a_label_that_nobody_knows_is_asked_for(tmp_path):
    board = self_evaluation(Form(indicators=[line()]))
    board.values[4, 7] = "具体经办机构"
    filing = read_file(to_xlsx(tmp_path / "表.xlsx", board), Labels({}))
    assert [one.heading for one in filing.unknown] == ["具体经办机构"]
    assert project(filing.sources[0], "unit") == [None]


def test_a_county_may_say_that_its_word_for_a_field_means_another(tmp_path):
    board = self_evaluation(Form(indicators=[line("人数", 735, 700)]))
    path = to_xlsx(tmp_path / "表.xlsx", board)
    (source,) = read_forms(path, {"实际完成值": "indicators.forecast"})
    assert values(source, "indicators", "actual", "forecast") == [(None, Decimal(700))]


def test_a_file_without_any_form_is_refused(tmp_path):
    board = Board()
    board.put(1, 1, "通讯录")
    with pytest.raises(EvalkitError, match="没有认出自评表"):
        read_forms(to_xlsx(tmp_path / "表.xlsx", board))
