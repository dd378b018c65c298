"""Scores worked out again: the rules of both policies, and what cannot be said."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from self_evaluation_forms import HUNDRED_ONE, TEN, form, money, row

from evalkit.rounds.self_evaluation import (
    Rescored,
    half_of,
    narrated,
    rescore,
    scored_rows,
    written,
)


def scored(finished: bool | None = None, **texts: str) -> tuple[str, str]:
    """What an indicator scores under 10号 and 101号."""
    texts = {
        "level1": "产出指标",
        "level2": "数量指标",
        "level3": "某指标",
        "points": "10",
        **texts,
    }
    (only,) = scored_rows(form([row(**texts)]))
    return str(rescore(only, TEN, finished)), str(rescore(only, HUNDRED_ONE, finished))


def why(**texts: str) -> str:
    texts = {
        "level1": "产出指标",
        "level2": "数量指标",
        "level3": "某指标",
        "points": "10",
        **texts,
    }
    (only,) = scored_rows(form([row(**texts)]))
    ten, other = rescore(only, TEN), rescore(only, HUNDRED_ONE)
    assert ten.why == other.why
    assert (ten.low, ten.high) == (0, only["points"].number or 0)
    return ten.why


# --- the two policies --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actual", "ten", "other"),
    [("80%", "8.00", "5.00"), ("59.9%", "5.99", "0.00"), ("60%", "6.00", "0.00"),
     ("100%", "10.00", "10.00"), ("160%", "10.00", "10.00"), ("0%", "0.00", "0.00")],
)  # fmt: skip
def test_the_policies_part_below_the_target(actual, ten, other):
    assert scored(target="100%", actual=actual) == (ten, other)


def test_execution_of_92_percent_is_9_20_or_7_of_an_unfinished_project():
    (only,) = scored_rows(form([], [money("年度资金总额", "100", "100", "92", points="10")]))
    assert str(rescore(only, TEN)) == "9.20"
    assert str(rescore(only, HUNDRED_ONE, finished=False)) == "7.00"
    assert str(rescore(only, HUNDRED_ONE, finished=True)) == "10.00"
    assert str(rescore(only, HUNDRED_ONE)) == "7.00～10.00"
    assert rescore(only, TEN).formula == "ROUND(10*MAX(0,MIN(1,920000/1000000)),2)"


@pytest.mark.parametrize(
    ("percent", "band"), [("79.99", "5.00"), ("80", "7.00"), ("60", "5.00"), ("59.9", "0.00")]
)
def test_a_limit_of_execution_belongs_to_its_band(percent, band):
    (only,) = scored_rows(form([], [money("年度资金总额", "", "100", percent, points="10")]))
    assert str(rescore(only, HUNDRED_ONE, finished=False)) == band


def test_spending_more_than_the_budget_has_no_rule_in_101():
    (only,) = scored_rows(form([], [money("年度资金总额", "100", "100", "101", points="10")]))
    assert str(rescore(only, TEN)) == "10.00"
    assert rescore(only, HUNDRED_ONE).why == "执行数超过预算，该办法没有规定如何计分"


@pytest.mark.parametrize(
    ("actual", "ten", "other"),
    [("95%", "10.00", "10.00"), ("90%", "9.47", "10.00"), ("85%", "8.95", "8.00"),
     ("79.9%", "8.41", "5.00"), ("59%", "6.21", "0.00")],
)  # fmt: skip
def test_satisfaction_is_in_proportion_or_by_bands(actual, ten, other):
    texts = {"level1": "满意度指标", "level2": "服务对象满意度", "level3": "群众满意度"}
    assert scored(**texts, target="≥95%", actual=actual) == (ten, other)


def test_bands_of_satisfaction_go_with_the_points_of_the_indicator():
    assert scored(level3="群众满意度", target="95%", actual="85%", points="20")[1] == "16.00"


# --- kinds of targets --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "ten"),
    [
        ({"target": "≥735", "actual": "735", "unit": "人次"}, "10.00"),
        ({"target": "735人次", "actual": "700人次"}, "9.52"),
        ({"target": "≤100", "actual": "110"}, "9.00"),
        ({"target": "100", "actual": "110", "direction": "≤"}, "9.00"),
        ({"target": "100", "actual": "110", "direction": "反向指标"}, "9.00"),
        ({"target": "＝100", "actual": "110"}, "9.00"),
        ({"target": "100%", "actual": "98%", "direction": "═"}, "9.80"),
        ({"target": "≤100", "actual": "250"}, "0.00"),
        ({"target": "3-5次", "actual": "4次"}, "10.00"),
        ({"target": "60%～80%", "actual": "54%"}, "9.00"),
        ({"target": "60～80", "actual": "88", "unit": "%"}, "9.00"),
        ({"target": "32.1公里", "actual": "32.1公里"}, "10.00"),
        ({"target": "95%", "actual": "98"}, "10.00"),
        ({"target": "100%", "actual": "880/880"}, "10.00"),
        ({"target": "95%", "actual": "95/100"}, "10.00"),
        ({"target": "", "actual": "45/50"}, "9.00"),
        ({"target": "50户", "actual": "45/50"}, "9.00"),
        ({"target": "是", "actual": "√"}, "10.00"),
        ({"target": "是", "actual": "否"}, "0.00"),
        ({"target": "0", "actual": "0", "direction": "≤"}, "10.00"),
        ({"target": "≥-5%", "actual": "-3%"}, "10.00"),
        ({"target": "2022年12月前完成", "actual": "2022年11月"}, "10.00"),
        ({"target": "2022年12月前完成", "actual": "2023年2月"}, "8.00"),
        ({"target": "2022-06-30", "actual": "2023-06-30"}, "0.00"),
    ],
    ids=str,
)
def test_numbers_ranges_dates_and_answers_have_one_score(texts, ten):
    assert scored(**texts)[0] == ten


@pytest.mark.parametrize(
    ("target", "actual", "interval"),
    [
        ("有效", "有效", "8.00～10.00"),
        ("有效提升", "已完成", "8.00～10.00"),
        ("有效", "部分完成", "0.00～7.99"),
        ("有效", "基本达到", "6.00～10.00"),
        ("有效", "未完成", "0.00～5.99"),
        ("提高", "5%", "0.00～10.00"),
    ],
)
def test_words_leave_the_interval_of_their_tiers(target, actual, interval):
    assert scored(target=target, actual=actual) == (interval, interval)


def test_an_upper_bound_of_a_tier_is_not_in_it():
    half = Rescored(low=Decimal(0), high=Decimal("7.99"))
    assert half.excess(Decimal(8)) == Decimal("0.01")
    assert half.excess(Decimal(7)) == 0


def test_cost_is_better_the_lower_where_the_form_does_not_say():
    assert scored(level3="项目总成本", target="90", unit="万元", actual="89") == ("10.00", "10.00")
    assert scored(level3="项目总成本", target="90", unit="万元", actual="99") == ("9.00", "7.50")


def test_a_cost_in_percent_without_direction_can_be_read_both_ways():
    assert scored(level3="成本控制率", target="100%", actual="98%") == (
        "9.80～10.00",
        "9.50～10.00",
    )


# --- what cannot be said -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"target": "", "actual": "100%"}, "目标值未填写"),
        ({"target": "90%", "actual": "/"}, "实际完成值未填写"),
        ({"target": "", "actual": ""}, "目标值、实际完成值未填写"),
        ({"target": "1", "actual": "1", "points": "", "score": "5"}, "分值没有填写正数"),
        ({"target": "100%", "actual": "0/0"}, "实际完成值“0/0”不是数值，不能与目标值“100%”比较"),
        ({"target": "5个", "actual": "100%"}, "实际完成值“100%”与目标值“5个”不是同一单位的数值"),
        ({"target": "90万元", "actual": "90"}, "实际完成值“90”与目标值“90万元”不是同一单位的数值"),
        ({"target": "95%", "actual": "0.98"}, "实际完成值“0.98”与目标值“95%”不是同一单位的数值"),
        ({"target": "3", "actual": "已完成"}, "实际完成值“已完成”不是数值，不能与目标值“3”比较"),
        ({"target": "≤0", "actual": "1"}, "目标值不大于0，没有达到时不能按比例计分"),
        ({"target": "0-5次", "actual": "3次"}, "区间下限须大于 0"),
    ],
)  # fmt: skip
def test_a_score_that_cannot_be_worked_out_says_why(texts, said):
    assert why(**texts) == said


def test_no_budget_and_no_spending_is_no_execution_rate():
    (only,) = scored_rows(form([], [money("年度资金总额", "0", "0", "0", points="10", score="0")]))
    assert rescore(only, TEN).why == "预算数为0，不能计算执行率"
    assert str(rescore(only, TEN)) == "无法复算"


# --- the rows of a form ------------------------------------------------------------------------


def test_a_whole_of_zero_is_executed_as_its_parts():
    funds = [money("年度资金总额", "0", "0", "0", points="10", rate="0%", score="0"),
             money("财政拨款", "90", "89.974", "89.974")]  # fmt: skip
    (only,) = scored_rows(form([], funds))
    assert str(rescore(only, TEN)) == "10.00"
    assert only["stated"].number == 0


def test_an_execution_rate_among_the_indicators_is_measured_by_the_funds():
    listed = row(level1="预算执行", level3="预算执行率", actual="98%", points="10", score="9.8")
    (only,) = scored_rows(form([listed], [money("年度资金总额", "", "2960", "2798.30")]))
    assert str(rescore(only, TEN)) == "9.45"
    assert (only["stated"].number, rescore(only, TEN).rate) == (98, Decimal("94.54"))


def test_a_finished_project_keeps_its_execution_rate_in_101():
    (only,) = scored_rows(form([], [money("年度资金总额", "100", "100", "92", points="10")]))
    assert rescore(only, HUNDRED_ONE, finished=True).rate == 92


def test_an_indicator_of_output_about_spending_is_not_the_execution_rate():
    texts = {"level1": "产出指标", "level2": "时效指标", "level3": "预算执行率", "target": "≥90%"}
    rows = [row(**texts, actual="92%", points="10", score="10")]
    (only,) = scored_rows(form(rows, [money("年度资金总额", "", "100", "92")]))
    assert written(only["target"]) == "≥90%"
    assert str(rescore(only, TEN)) == "10.00"


def test_money_of_the_funds_is_written_in_wan():
    (only,) = scored_rows(form([], [money("年度资金总额", "", "90", "89.974", points="10")]))
    assert (written(only["target"]), written(only["actual"])) == ("90万元", "89.974万元")


@pytest.mark.parametrize("actual", ["880/880", "100%"])
def test_without_funds_an_execution_rate_is_what_its_row_says(actual):
    listed = row(level1="预算执行", level3="预算执行率", actual=actual, points="10")
    (only,) = scored_rows(form([listed]))
    assert str(rescore(only, TEN)) == "10.00"


def test_rows_without_points_and_score_are_not_scored():
    rows = [
        row(level3="无", target="/", actual="/", points="/", score="/"),
        row(level3="有", points="5"),
    ]
    assert [r["level3"].text for r in scored_rows(form(rows))] == ["有"]


def test_rounding_explains_half_of_the_unit_used_for_indicators():
    whole = [row(level3="甲", points="10", score="9"), row(level3="乙", points="10", score="10")]
    assert half_of(whole) == Decimal("0.5")
    assert half_of([*whole, row(level3="丙", points="10", score="9.83")]) == Decimal("0.005")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("第一批30万元、第二批30万元、第三批29.99万元，合计89.97万元", ("89.97", "89.99")),
        ("共支出1,200元，其中甲700元、乙400元", ("0.12", "0.11")),
        ("合计100万元，其中甲60万元、乙40万元", None),
        ("合计100万元", None),
        ("已完成", None),
    ],
)
def test_a_total_in_the_text_is_compared_with_its_parts(text, found):
    told = narrated(text)
    assert (told and tuple(n / 10000 for n in told)) == (found and tuple(map(Decimal, found)))


# --- laws --------------------------------------------------------------------------------------

numbers = st.decimals("0.01", "100000", places=2)


@given(numbers, numbers, st.sampled_from(["≥", "≤", "="]), st.integers(1, 40))
def test_a_score_lies_between_zero_and_its_points(target, actual, sign, points):
    texts = {"level3": "某指标", "target": f"{sign}{target}", "actual": str(actual)}
    (only,) = scored_rows(form([row(**texts, points=str(points))]))
    ten, other = rescore(only, TEN), rescore(only, HUNDRED_ONE)
    assert 0 <= other.low <= ten.low == ten.high <= points
    assert ten.excess(ten.low) == 0


@given(numbers, numbers, numbers)
def test_doing_more_never_scores_less(target, actual, more):
    lesser, greater = (
        rescore(
            scored_rows(
                form([row(level3="某指标", target=str(target), actual=str(a), points="10")])
            )[0],
            way,
        )
        for a, way in ((actual, HUNDRED_ONE), (actual + more, HUNDRED_ONE))
    )
    assert lesser.low <= greater.low


@given(numbers, numbers)
def test_the_older_policy_scores_the_exact_share_rounded_once(target, actual):
    (only,) = scored_rows(
        form([row(level3="某指标", target=str(target), actual=str(actual), points="10")])
    )
    share = min(Fraction(1), Fraction(actual) / Fraction(target)) * 1000
    assert rescore(only, TEN).low == Decimal(int(share + Fraction(1, 2))) / 100
