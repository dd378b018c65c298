"""Layouts of provinces and of budget systems, each with what stands there otherwise than in 附1."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from boards import Board, to_xlsx

from evalkit.core.model import Source
from evalkit.filed.forms import read_file
from evalkit.filed.labels import Labels

HEAD = """项目支出绩效自评表
    （2023年度）
    项目名称|城区路灯|主管部门|某县住建局|实施单位|路灯所"""
MONEY = """项目资金（万元）|||年初预算数|全年预算数|全年执行数|分值|执行率|得分
    |年度资金总额||50|60|54|10|90%|9
    |其他资金||0|0|0|—||—"""


@pytest.fixture
def read(tmp_path: Path):
    """Read a board of lines of cells; merges are (top, left, bottom, right)."""

    def go(text: str, *merges: tuple[int, int, int, int]) -> list[Source]:
        board = Board(merges=[*merges])
        board.fill(1, 1, text)
        filing = read_file(to_xlsx(tmp_path / "表.xlsx", board), Labels({}))
        read.unknown = [one.heading for one in filing.unknown]  # type: ignore[attr-defined]
        return filing.sources

    return go


def values(source: Source, table: str, *names: str) -> list[tuple[object, ...]]:
    return [tuple(row[name].value for name in names) for row in source.tables[table]]


def project(source: Source, *names: str) -> list[object]:
    return [source.forms["project"][name].value for name in names]


def codes(source: Source) -> list[tuple[str, str]]:
    return [(problem.code, problem.cell) for problem in source.problems]


def test_measures_in_a_column_of_their_own_leave_the_indicators_and_the_total_whole(read):
    (source,) = read(f"""{HEAD}
        {MONEY}
        一级指标|二级指标|三级指标|年度指标值|实际完成值|分值|得分|偏差原因分析|改进措施
        产出指标|数量指标|安装路灯|60盏|54盏|60|54|厂家缺货|催货
        效益指标|社会效益指标|亮灯率|≥98%|99%|30|30||
        总分|||||100|93||""")
    assert values(source, "indicators", "level3", "actual", "score", "reason") == [
        ("安装路灯", Decimal(54), Decimal(54), "厂家缺货"),
        ("亮灯率", Decimal(99), Decimal(30), None),
    ]  # fmt: skip
    assert project(source, "points", "total") == [Decimal(100), Decimal(93)]


def test_a_list_of_projects_may_have_problems_and_measures_in_its_last_columns(read):
    heads = "项目名称|主管部门|实施单位|全年预算数（元）|全年执行数（元）|自评得分|问题|改进措施"
    sources = read(f"""{heads}
        路灯|住建局|路灯所|60|54|93|缺货|催货
        绿化|住建局|园林所|20|20|98|无|无""")
    assert [project(source, "name", "total") for source in sources] == [
        ["路灯", Decimal(93)], ["绿化", Decimal(98)],
    ]  # fmt: skip


def test_points_beside_the_word_total_are_not_the_score(read):
    (source,) = read(f"""{HEAD}
        {MONEY}
        指标体系|见附表
        总分|100|93""")
    assert project(source, "total") == [None]
    assert ("filed.several", "自评表!A8") in [(c, f"自评表!{cell}") for c, cell in codes(source)]


def test_names_of_money_further_down_do_not_hide_the_columns_over_them(read):
    # 部门整体支出绩效自评表 as 湖南 lays it out: 按收入性质分 and 按支出性质分 under the total
    (source,) = read(
        """部门整体支出绩效自评表
        省级预算部门名称||某县残联
        年度预算申请（万元）|||年初预算数|全年预算数|全年执行数|分值|执行率|得分
        |年度资金总额||512.3|640.5|601.2|10|93.86%|9.39
        |按收入性质分：||||按支出性质分：|||
        |其中：一般公共预算：||620.5||其中：基本支出：||330.2|""",
        *[(5, 2, 5, 5), (5, 6, 5, 9), (6, 2, 6, 3), (6, 4, 6, 5), (6, 6, 6, 7), (6, 8, 6, 9)],
    )
    total, part = values(source, "funds", "initial", "budget", "spent", "points", "rate", "score")
    amounts = [Decimal(text) for text in ("5123000", "6405000", "6012000", "10", "93.86", "9.39")]
    assert total == tuple(amounts)
    assert part == (None,) * 6
    assert {cell for code, cell in codes(source) if code == "filed.wide"} == {"D6", "F6", "H6"}
    assert project(source, "name", "department") == ["某县残联", "某县残联"]


def test_money_of_the_medium_term_beside_that_of_the_year_is_not_read_for_it(read):
    (source,) = read(
        """项目支出绩效目标表
        （2024年度）
        项目名称|信息化||主管部门|某局
        项目资金（万元）|中期资金总额：|900|年度资金总额：|300
        |其中：财政拨款|900|其中：财政拨款|280
        |上年结转资金||上年结转资金|20
        一级指标|二级指标|三级指标|指标值|备注
        产出指标|数量指标|系统|1个|""",
        (4, 1, 6, 1),
    )
    assert values(source, "funds", "item", "budget") == [
        ("实施期资金总额", Decimal(9000000)), ("年度资金总额", Decimal(3000000)),
        ("财政拨款", Decimal(2800000)), ("上年结转资金", Decimal(200000)),
    ]  # fmt: skip
    assert not source.problems


def test_long_term_indicators_over_those_of_the_year_are_left_out_and_said(read):
    # 财政支出项目绩效目标申报表 of 2015, still in use
    (source,) = read("""财政支出项目绩效目标申报表
        项目名称|安全饮水|主管部门|水务局
        长期绩效指标|一级指标|二级指标|指标内容|指标值|备注
        |产出指标|数量指标|供水点|9处|
        年度绩效指标|一级指标|二级指标|指标内容|指标值|备注
        |产出指标|数量指标|供水点|3处|""")
    assert values(source, "indicators", "level3", "target") == [("供水点", Decimal(3))]
    assert codes(source) == [("filed.halves", "A3")]


def test_a_ministry_over_the_local_department_makes_no_second_form(read):
    # 转移支付区域（项目）绩效目标自评表 of 旺苍县 2021: no points, no scores
    (source,) = read("""转移支付区域（项目）绩效目标自评表
        （2021年度）
        转移（项目）名称|基本药物制度补助资金
        中央主管部门|国家卫生健康委
        地方主管部门|旺苍县卫生健康局|资金使用单位|旺苍县卫生健康局
        项目资金（万元）||全年预算数（A）|全年执行数（B）|执行率（B/A）
        |年度资金总额：|2300.67|2300.67|100%
        |其中：中央补助|442.43|442.43|100%
        |地方资金|1858.24|1858.24|100%""")
    assert project(source, "name", "department", "year") == [
        "基本药物制度补助资金", "旺苍县卫生健康局", Decimal(2021),
    ]  # fmt: skip
    assert not source.problems


def test_a_weight_beside_each_level_is_of_that_level(read):
    (source,) = read(
        """外事专项经费绩效自评表
        项目名称|外事出国
        一级指标|权重|二级指标|分值|三级指标|目标值（标准）|分值|完成值|得分
        产出|60|数量|60|团组|3个|40|3个|40
        ||||人次|9人|20|9人|20
        效益|40|社会效益|40|成果|2项|40|1项|20""",
        *[(4, column, 5, column) for column in range(1, 5)],
    )
    names = ("level3", "level1_points", "level2_points", "points", "score")
    assert values(source, "indicators", *names)[1:] == [
        ("人次", Decimal(60), Decimal(60), Decimal(20), Decimal(20)),
        ("成果", Decimal(40), Decimal(40), Decimal(40), Decimal(20)),
    ]
    assert not source.problems


def test_an_amount_beside_a_label_that_means_many_things_is_of_the_whole(read):
    (source,) = read(f"""{HEAD}
        预算数（万元）|100|执行数（万元）|95|执行率|95%""")
    assert values(source, "funds", "budget", "spent", "rate") == [
        (Decimal(1000000), Decimal(950000), Decimal(95))
    ]


def test_a_remark_across_the_levels_is_no_indicator(read):
    (source,) = read(
        """项目支出绩效目标表
        项目名称|办公大楼运行保障
        一级指标|二级指标|三级指标|本县的说法|当年预期实现值
        产出指标|数量指标|维修次数|全年|≥280次
        加强管理||||""",
        (5, 1, 5, 3),
    )
    assert values(source, "indicators", "level3", "target") == [("维修次数", Decimal(280))]


def test_a_direction_of_its_own_column_goes_before_what_sort_of_indicator_it_is(read):
    (source,) = read("""项目支出绩效自评表
        项目名称|河道清淤
        一级指标|二级指标|三级指标|指标性质|指标方向|年初目标值|度量单位|全年完成值|完成率%|分值|得分
        产出指标|数量指标|长度|定量|≥|12|公里|12.5|104.17|20|20""")
    names = ("direction", "target", "unit", "rate")
    assert values(source, "indicators", *names) == [("≥", Decimal(12), "公里", Decimal("104.17"))]
    assert not source.problems


def test_two_projects_side_by_side_are_never_mixed(read):
    (source,) = read("""项目支出绩效自评表
        项目名称|甲|||||项目名称|乙
        三级指标|年度指标值|实际完成值|分值|得分||三级指标|年度指标值|实际完成值|得分
        a|1|1|50|50||b|2|1|25""")
    assert values(source, "indicators", "level3", "target", "points", "score") == [
        ("b", Decimal(2), None, Decimal(25))
    ]
    assert ("filed.halves", "A3") in codes(source)


def test_a_sum_of_one_level_is_not_the_total(read):
    (source,) = read("""项目支出绩效自评表
        项目名称|甲
        一级指标|二级指标|三级指标|年度指标值|实际完成值|分值|得分
        产出指标|数量指标|a|10|10|50|50
        小计|||||50|50
        效益指标|社会效益|b|10|9|50|45
        小计|||||50|45
        合计|||||100|95""")
    assert project(source, "points", "total") == [Decimal(100), Decimal(95)]
    assert len(source.tables["indicators"]) == 2
    assert not source.problems
