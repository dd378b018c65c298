"""Published tables of real units, typed as they printed them (figures from public disclosures)."""

from __future__ import annotations

from decimal import Decimal

import pytest
import support

from evalkit.core.numbers import fixed, wan
from evalkit.policy import load as load_policy
from evalkit.scoring.scorecard import grade_of

# 永德县明朗中学 2022年度 义务教育营养改善计划专项资金 项目支出绩效自评表:
# (level 1, level 3, target as printed, actual as printed, points, printed score)
YONGDE = [
    ("预算执行", "预算执行率", "100%", "100%", 10, 10),
    ("产出指标", "学生受资助人数", "≧735人次", "735", 10, 10),
    ("产出指标", "营养改善计划覆盖率", "≧100%", "100%", 10, 10),
    ("产出指标", "资金到位及时率", "≧100%", "100%", 10, 7),
    ("产出指标", "生均补助标准达标率", "═100%", "100%", 10, 10),
    ("效益指标", "减轻贫困学生家庭经济负担", "有效", "有效", 10, 10),
    ("效益指标", "政策知晓率", "═100%", "98%", 10, 9),
    ("效益指标", "促进学校教育事业健康发展", "≧100%", "100%", 10, 10),
    ("满意度指标", "学生满意度", "≧95%", "100%", 10, 10),
    ("满意度指标", "家长满意度", "≧95%", "100%", 10, 10),
]


def percent(part, whole):
    return fixed(part / whole * 100) + "%"


def rows(table):
    return [
        {
            "level1": one,
            "level2": one,
            "level3": name,
            "target": target,
            "actual": actual,
            "unit": "人次" if "人" in target else "%",
            "points": str(points),
        }
        for one, name, target, actual, points, _ in table
    ]


def test_a_printed_self_evaluation_recomputes_but_for_its_two_departures(tmp_path):
    indicators = rows(YONGDE)
    indicators[5] |= {"rule": "定性分级", "tier": "达成预期", "tier_rate": "100%", "target": "有效"}
    result = support.evaluate(support.workbook(tmp_path / "a.xlsx", indicators=indicators))
    computed = {i.level3: i.score for i in result.score.indicators}
    printed = {name: Decimal(score) for _, name, _, _, _, score in YONGDE}
    departures = {n: (s, printed[n]) for n, s in computed.items() if s != printed[n]}
    assert departures == {"资金到位及时率": (10, 7), "政策知晓率": (Decimal("9.80"), 9)}
    assert sum(printed.values()) == 96
    assert result.score.total == Decimal("99.80")


def test_a_text_target_under_a_numeric_rule_is_refused_in_a_sentence(tmp_path):
    result = support.evaluate(support.workbook(tmp_path / "a.xlsx", indicators=rows(YONGDE)))
    gap = next(i for i in result.score.indicators if i.level3 == "减轻贫困学生家庭经济负担")
    assert gap.score is None
    assert "不是数值" in gap.gap
    assert result.score.total is None


# 天长市水利局 2022年度 水旱灾害防御经费: most targets and actuals are blank, yet all scored in full
TIANCHANG = [
    ("预算执行", "预算执行率", "", "880/880", 10, 10),
    ("产出指标", "完成中型灌区节水改造项目数量", "1", "1", 10, 10),
    ("产出指标", "完成农业综合水价改革项目", "1", "1", 10, 10),
    ("产出指标", "工程质量合格", "", "", 10, 10),
    ("产出指标", "年度资金支付完成率100%", "", "", 10, 10),
    ("产出指标", "资金执行在预算范围内", "", "", 10, 10),
    ("效益指标", "全市安全度汛", "", "", 10, 10),
    ("效益指标", "保护全市人口财产不受损失", "", "", 10, 10),
    ("效益指标", "已建工程良性运行", "", "", 10, 10),
    ("满意度指标", "服务对象满意度", "90%", "100%", 10, 10),
]


def test_blank_targets_and_actuals_never_become_marks(tmp_path):
    path = support.workbook(tmp_path / "a.xlsx", indicators=rows(TIANCHANG))
    card = support.evaluate(path).score
    assert card.total is None
    assert (card.low, card.high) == (30, 100)
    assert [i.level3 for i in card.indicators if i.score is not None] == [
        "完成中型灌区节水改造项目数量",
        "完成农业综合水价改革项目",
        "服务对象满意度",
    ]


def test_units_inside_cells_are_read(tmp_path):
    # 阆中市 2021 普通省道：目标值印作 32.1公里
    row = {"target": "32.1公里", "actual": "31.5公里", "unit": "公里", "reason": "征地滞后"}
    result = support.evaluate(support.workbook(tmp_path / "a.xlsx", indicators=[row]))
    indicator = result.score.indicators[0]
    assert (indicator.target, indicator.actual) == ("32.1公里", "31.5公里")
    assert indicator.score == Decimal("98.13")


@pytest.mark.parametrize(("score", "grade"), [(87, "良"), (91, "优"), (94, "优"), (90, "优")])
def test_printed_grades_of_five_bond_projects_are_reproduced(score, grade):
    # 三门县 2024年度专项债券项目
    from datetime import date

    bands = load_policy(as_of=date(2024, 12, 31)).value("grade_bands")
    assert grade_of(Decimal(score), bands) == grade


def test_printed_sums_and_changes_reproduce():
    vouchers = [Decimal(n) for n in (488000, 27000, 16200, 358800)]  # 汨罗 2017, 元 against 万元
    assert wan(sum(vouchers)) == "89.00"
    income = Decimal("28521.28") - Decimal("24634.58")  # 通州绿化 2023
    assert income == Decimal("3886.70")  # printed 3886.71: unrounded figures lie behind it
    assert percent(income, Decimal("24634.58")) == "15.78%"
    assert sum(map(Decimal, ("434.89", "77.4", "286.83"))) == Decimal("799.12")  # 南县 2021
    assert percent(Decimal("189.25"), Decimal("792.22") - Decimal("189.25")) == "31.39%"
    assert percent(Decimal("2798.30"), Decimal("2960.00")) == "94.54%"  # 苏州 2017, printed 98 %


def test_a_reduction_rate_is_a_rate_of_sums():
    submitted = list(map(Decimal, ("849861.07", "558127.72", "66450.39", "685737.93")))
    approved = list(map(Decimal, ("769842.35", "514868.48", "64940.76", "577370.36")))
    cut = sum(submitted) - sum(approved)
    assert (sum(submitted), sum(approved), cut) == (
        Decimal("2160177.11"),
        Decimal("1927021.95"),
        Decimal("233155.16"),
    )
    assert percent(cut, sum(submitted)) == "10.79%"
    rates = [(s - a) / s * 100 for s, a in zip(submitted, approved, strict=True)]
    assert fixed(sum(rates) / 4) == "8.81"
