"""The fiscal spending standard: published vectors, laws, and every refusal."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools import excel

from evalkit.core.expr import Term
from evalkit.core.numbers import fixed, wan
from evalkit.core.problem import EvalkitError
from evalkit.standards.fiscal import (
    back_test,
    budget_impact,
    history,
    market,
    performance_factor,
    sensitivity,
    settle,
    spending,
    triangulate,
)
from evalkit.standards.quota import quotas

D = Decimal
# the manual P2, vector V3: 1.8/1.4/1.0 heads a 万㎡ at 40 212 元, machines 0.9/0.7/0.4 元 a ㎡
SWEEPING = pd.DataFrame(
    {"tier": ["一级", "一级", "二级", "二级", "三级", "三级"], "item": ["人工", "机械"] * 3,
     "consumption": ["1.8", 1, "1.4", 1, "1.0", 1], "per": [10_000, 1] * 3,
     "price": ["40212", "0.9", "40212", "0.7", "40212", "0.4"]}
)  # fmt: skip
RATES = pd.DataFrame({"tier": ["一级", "二级", "三级"], "management": 6, "profit": 4, "tax": 6})


def codes(error) -> list[str]:
    return [problem.code for problem in error.value.problems]


# --- spending and settlement ---------------------------------------------------------------------


def test_vector_v3_the_budget_of_the_sweeping_quotas():
    tiers = quotas(SWEEPING, RATES)[["tier", "quota"]].assign(
        share=100, volume=[300_000, 450_000, 250_000]
    )
    table = spending(tiers)
    assert [wan(budget) for budget in table["budget"]] == ["285.29", "332.84", "129.16"]
    total = table["budget"].sum()
    assert wan(total) == "747.30"
    assert fixed(total / 1_000_000, 3) == "7.473"


def test_vector_v5_green_areas_and_street_trees():
    tiers = pd.DataFrame(
        {"tier": ["一级", "二级", "三级", "行道树"], "quota": ["9.0", "6.0", "3.5", "35"],
         "share": 100, "volume": [100_000, 250_000, 150_000, 8000]}
    )  # fmt: skip
    table = spending(tiers)
    assert [wan(budget, 1) for budget in table["budget"]] == ["90.0", "150.0", "52.5", "28.0"]
    assert wan(table["budget"].sum(), 1) == "320.5"


def test_fees_grants_share_cap_and_fixed_part_all_show_in_the_formula():
    tiers = pd.DataFrame({"tier": ["甲"], "quota": 10, "user_fee": 1, "upper": 2, "share": 50,
                          "cap": 3, "volume": 100, "fixed": 20})  # fmt: skip
    table = spending(tiers)
    assert table.loc[0, ["spend", "budget"]].tolist() == [3, 320]
    assert table["formula"][0] == "100*MIN(3,MAX(0,10-1-2)*50/100)+20"


def test_a_service_that_pays_for_itself_costs_the_budget_nothing():
    tiers = pd.DataFrame({"tier": ["甲"], "quota": 5, "user_fee": 6, "share": 100, "volume": 9})
    assert spending(tiers)["budget"][0] == 0


amount = st.decimals(0, 999, places=2)
percent = st.decimals(0, 100, places=1)


@given(amount, amount, amount, percent, st.none() | amount, amount, amount)
def test_spending_is_never_negative_never_over_the_cap_nor_over_the_quota(q, fee, up, s, cap, v, f):
    tiers = pd.DataFrame([{"tier": "甲", "quota": q, "user_fee": fee, "upper": up, "share": s,
                           "cap": cap, "volume": v, "fixed": f}])  # fmt: skip
    row = spending(tiers).iloc[0]
    assert 0 <= row["spend"] <= q
    assert cap is None or row["spend"] <= cap
    assert row["budget"] == v * row["spend"] + f
    assert excel.evaluate(row["formula"]) == Fraction(row["budget"])


def test_a_guarantee_counts_only_where_the_contract_gives_one():
    rows = pd.DataFrame({"tier": ["甲", "乙"], "accepted": [90, 90], "guarantee": [100, None],
                         "spend": ["1.5", "1.5"]})  # fmt: skip
    table = settle(rows, D("0.95"))
    assert table["pay"].tolist() == [D("142.5"), D("128.25")]
    assert [excel.evaluate(formula) for formula in table["formula"]] == [142.5, 128.25]


@given(st.lists(st.tuples(amount, amount, st.none() | amount), min_size=1, max_size=5), percent)
def test_a_settlement_is_volume_times_spending_times_the_factor(rows, score):
    frame = pd.DataFrame(rows, columns=["accepted", "spend", "guarantee"])
    frame["tier"] = frame.index
    table = settle(frame, score / 100)
    for (done, spend, guarantee), pay in zip(rows, table["pay"], strict=True):
        volume = done if guarantee is None else max(done, guarantee)
        assert Fraction(pay) == Fraction(volume) * Fraction(spend) * Fraction(score) / 100


@pytest.mark.parametrize("column", ["quota", "share", "volume"])
@pytest.mark.parametrize("bad", [None, "x", -1, float("nan")])
def test_a_tier_that_misses_a_number_is_refused(column, bad):
    tiers = pd.DataFrame({"tier": ["甲"], "quota": 1, "share": 100, "volume": 1, "at": "档次!A3"})
    with pytest.raises(EvalkitError) as error:
        spending(tiers.astype(object).assign(**{column: [bad]}))
    (problem,) = error.value.problems
    assert (problem.code, problem.cell) == ("quota.number", "A3")


def test_a_share_over_a_hundred_and_a_tier_that_is_there_twice_are_refused():
    tiers = pd.DataFrame({"tier": ["甲", "甲"], "quota": 1, "share": [101, 100], "volume": 1})
    with pytest.raises(EvalkitError) as error:
        spending(tiers)
    assert sorted(codes(error)) == ["quota.number", "quota.twice"]


def test_a_factor_beyond_one_is_refused():
    rows = pd.DataFrame({"tier": ["甲"], "accepted": 1, "spend": 1})
    for bad in ("1.01", -1, None):
        with pytest.raises(EvalkitError, match="绩效系数"):
            settle(rows, bad)


# --- performance ---------------------------------------------------------------------------------

# the default of the manual, marked there as our own
BANDS = [{"from": D(90), "factor": D(1)}, {"from": D(80), "factor": D("0.95")},
         {"from": D(60), "factor": "score"}, {"from": D(0), "factor": D("0.5")}]  # fmt: skip


@pytest.mark.parametrize(
    ("score", "factor"),
    [("100", "1"), ("90", "1"), ("89.99", "0.95"), ("80", "0.95"), ("79.99", "0.7999"),
     ("60", "0.6"), ("59.99", "0.5"), ("0", "0.5")],
)  # fmt: skip
def test_the_performance_factor_of_each_band(score, factor):
    assert performance_factor(D(score), BANDS).decimal() == D(factor)
    assert performance_factor(D(score), BANDS[::-1]).decimal() == D(factor)


def test_a_factor_shows_where_it_comes_from():
    assert performance_factor(72, BANDS).text == "72/100"


@given(percent, percent)
def test_the_performance_factor_stays_within_one_and_never_rewards_a_lower_score(a, b):
    low, high = sorted((a, b))
    assert 0 <= performance_factor(low, BANDS) <= performance_factor(high, BANDS) <= 1


@pytest.mark.parametrize("score", [101, -1, None, "好"])
def test_a_score_outside_a_hundred_is_refused(score):
    with pytest.raises(EvalkitError, match="绩效得分"):
        performance_factor(score, BANDS)


@pytest.mark.parametrize(
    ("bands", "code"),
    [
        (BANDS[:3], "fiscal.bands"),
        ([*BANDS, {"from": 60, "factor": "0.7"}], "quota.twice"),
        ([{"from": 0, "factor": "9.5"}], "quota.number"),
        ([{"from": 0, "factor": None}], "quota.number"),
    ],
)
def test_bands_with_gaps_overlaps_or_slips_are_refused(bands, code):
    with pytest.raises(EvalkitError) as error:
        performance_factor(85, bands)
    assert codes(error) == [code]


# --- methods -------------------------------------------------------------------------------------

COSTS = pd.DataFrame({"year": [2025] * 3 + [2024] * 2 + [2023],
                      "unit_cost": ["5.1", "5.36", "9.8", "5", "5.2", "4.9"]})  # fmt: skip
WEIGHTS = {2025: D("0.5"), 2024: D("0.3"), 2023: D("0.2")}


def test_history_weighs_the_medians_of_the_years():
    value = history(COSTS, WEIGHTS)
    assert value.decimal() == D("0.5") * D("5.36") + D("0.3") * D("5.1") + D("0.2") * D("4.9")
    assert excel.evaluate(value.text) == value.value


cost = st.decimals("0.01", 99, places=2)


@given(st.lists(cost, min_size=1, max_size=9), st.lists(cost, min_size=1, max_size=9), percent)
def test_history_agrees_with_numpy(one, two, share):
    frame = pd.DataFrame({"year": [1] * len(one) + [2] * len(two), "unit_cost": one + two})
    value = history(frame, {1: share / 100, 2: 1 - share / 100})
    weights = float(share) / 100, 1 - float(share) / 100
    medians = [np.median(np.array(part, dtype=float)) for part in (one, two)]
    assert float(value.value) == pytest.approx(np.dot(weights, medians), rel=1e-12)


def test_weights_that_are_not_one_in_all_are_refused():
    with pytest.raises(EvalkitError, match="各年权重合计为"):
        history(COSTS, {**WEIGHTS, 2023: D("0.3")})


def test_years_without_a_weight_and_weights_without_a_year_are_refused():
    with pytest.raises(EvalkitError) as error:
        history(COSTS, {2025: D("0.5"), 2024: D("0.3"), 2022: D("0.2")})
    assert [str(problem) for problem in error.value.problems] == [
        "第 6 行的年度“2023”没有对应的内容——可用的有：2025、2024、2022",
        "第 3 行的年度“2022”没有对应的内容——可用的有：2025、2024、2023",
    ]


def test_the_market_price_is_the_median_of_the_last_contracts():
    prices = pd.DataFrame({"year": range(2019, 2026), "price": [1, 1, 7, 6, "7.4", "7.1", 8]})
    assert repr(market(prices)) == "Term(7.1, 'MEDIAN(7,6,7.4,7.1,8)')"
    assert market(prices, most=4).decimal() == D("7.25")


def test_no_contract_of_a_year_is_preferred_to_another_of_the_same_year():
    prices = pd.DataFrame({"year": [2025, 2024, 2024, 2024, 2023], "price": [9, 6, 7, 8, 1]})
    assert market(prices, most=3).text == "MEDIAN(9,6,7,8)"


def test_two_contracts_are_no_market():
    prices = pd.DataFrame({"year": [2024, 2025], "price": [7, 8]})
    with pytest.raises(EvalkitError, match="只有 2 份可比合同，少于 3 份"):
        market(prices)
    with pytest.raises(EvalkitError, match="表中没有任何行"):
        market(prices[:0])


VALUES = pd.DataFrame(
    {"tier": ["一级"] * 4 + ["二级"] * 2,
     "method": ["历史", "测算", "同业", "市场", "历史", "测算"],
     "value": ["8", Term.of("9.5"), "9", "10", "7", "7.4"], "n": [3, None, 8, 4, 3, None],
     "least": [None, None, "8.6", None, None, None], "most": [None, None, "9.2", None, None, None]}
)  # fmt: skip
CHOSEN = pd.DataFrame(
    {"tier": ["一级"], "value": ["9.5"], "reason": ["测算口径最全"], "at": "档次!I3"}
)


def test_methods_stand_side_by_side_with_their_spread_and_distance():
    table, _ = triangulate(VALUES, CHOSEN)
    assert table["spread"].tolist()[:4] == [25] * 4
    assert fixed(table["spread"][4]) == "5.71"
    assert [fixed(gap) for gap in table["deviation"][:4]] == ["-15.79", "0.00", "-5.26", "5.26"]
    assert table["deviation"][4:].isna().all()  # nothing is recommended for the second tier
    assert table["value"].tolist()[:2] == [8, D("9.5")]


def test_a_recommended_value_outside_of_an_interval_names_the_method():
    _, found = triangulate(VALUES, CHOSEN)
    (problem,) = found
    assert str(problem) == "档次｜I3：推荐值 9.5 不在这些方法的范围内：同业——请核对“一级”的推荐理由"
    assert problem.severity == "warning"


@pytest.mark.parametrize(("value", "methods"), [("11", "历史、测算、同业、市场"), ("9", "")])
def test_a_recommended_value_outside_of_all_methods_names_them_all(value, methods):
    _, found = triangulate(VALUES, CHOSEN.assign(value=value))
    assert [methods in str(problem) for problem in found] == ([True] if methods else [])


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_recommended_value_needs_a_reason(reason):
    _, found = triangulate(VALUES, CHOSEN.assign(value=9, reason=reason))
    (problem,) = found
    assert str(problem) == "档次｜I3：本行的推荐理由为空——请填写推荐理由"
    assert problem.severity == "error"


def test_without_any_recommended_value_the_methods_are_still_shown():
    table, found = triangulate(VALUES, CHOSEN[:0])
    assert not found
    assert table["deviation"].isna().all()
    assert len(table) == 6


def test_unknown_tiers_and_bad_values_are_refused_together():
    chosen = pd.concat([CHOSEN, CHOSEN.assign(tier="三级")])
    with pytest.raises(EvalkitError) as error:
        triangulate(VALUES.assign(value=[0, *VALUES["value"][1:]]), chosen)
    assert codes(error) == ["quota.number", "quota.unknown"]


# --- back-test, budget, affordability ------------------------------------------------------------

PAST = pd.DataFrame(
    {"year": [2024, 2024, 2023, 2023, 2022], "tier": ["一级", "二级", "一级", "二级", "一级"],
     "volume": [100, 50, 90, 50, 80], "spending": [1000, "320", None, "900.50", 900],
     "reason": ["", None, "新增路段", "雪灾", None],
     "at": [f"历年支出!A{n}" for n in range(3, 8)]}
)  # fmt: skip
SPEND = pd.DataFrame({"tier": ["一级", "二级"], "spend": ["9", "6"], "fixed": [None, 20]})


def test_the_back_test_compares_each_year_with_the_new_standard():
    table, found = back_test(PAST, SPEND, 10)
    assert table[["year", "actual", "standard", "difference"]].values.tolist() == [
        [2022, 900, 740, -160],
        [2023, D("900.50"), 1130, D("229.50")],
        [2024, 1320, 1220, -100],
    ]
    assert [fixed(rate) for rate in table["rate"]] == ["-17.78", "25.49", "-7.58"]
    assert table["reason"].tolist() == ["", "新增路段；雪灾", ""]
    assert table["formula"][2] == "100*9+50*6+0+20"
    assert [str(problem) for problem in found] == [
        "历年支出｜A7：2022 年按新标准应支出与实际支出相差 -17.78%——请说明差异原因",
        "历年支出｜A5：2023 年按新标准应支出与实际支出相差 25.49%，原因：新增路段；雪灾"
        "——请核对原因是否成立",
    ]
    assert [problem.severity for problem in found] == ["error", "warning"]


def test_a_difference_at_the_limit_is_accepted():
    past = pd.DataFrame({"year": [2024], "tier": "一级", "volume": 100, "spending": 1000})
    assert back_test(past, SPEND[:1], 10)[1] == []
    assert len(back_test(past, SPEND[:1], D("9.99"))[1]) == 1


year = st.tuples(st.integers(2018, 2025), st.sampled_from(["一级", "二级"]), amount, cost)


@given(st.lists(year, min_size=1, max_size=9))
def test_the_differences_of_a_back_test_add_up(rows):
    past = pd.DataFrame(rows, columns=["year", "tier", "volume", "spending"])
    table, _ = back_test(past, SPEND, 10)
    due = sum(v * {"一级": 9, "二级": 6}[t] for _, t, v, _ in rows) + 20 * past["year"].nunique()
    assert table["difference"].sum() == due - past["spending"].sum()
    for row in table.itertuples():
        assert row.difference == row.standard - row.actual
        assert excel.evaluate(row.formula) == Fraction(row.standard)


def test_a_year_without_spending_an_unknown_tier_and_a_missing_year_are_refused():
    with pytest.raises(EvalkitError, match="历年支出｜A7：2022 年没有填写实际支出"):
        back_test(PAST.assign(spending=[1, 1, 1, 1, None]), SPEND, 10)
    with pytest.raises(EvalkitError) as error:
        back_test(PAST.assign(year=[2024, 2024, 2023, 2023, None], tier=["一级"] * 4 + ["三级"]),
                  SPEND.assign(spend=["9", "?"]), 10)  # fmt: skip
    assert sorted(codes(error)) == ["quota.blank", "quota.number", "quota.unknown"]


def test_a_budget_is_held_against_last_years_and_against_what_there_is():
    table = budget_impact(D("1250.5"), {"上年预算": 1000, "可用财力": D("120000")})
    assert table["difference"].tolist() == [D("250.5"), D("-118749.5")]
    assert [fixed(rate) for rate in table["rate"]] == ["125.05", "1.04"]
    assert table["formula"][0] == "1250.5/1000*100"


@pytest.mark.parametrize("base", [0, -1, None, "无"])
def test_a_budget_is_not_held_against_nothing(base):
    with pytest.raises(EvalkitError, match="比较对象"):
        budget_impact(1, {"上年预算": base})


# --- sensitivity ---------------------------------------------------------------------------------

TIERS = quotas(SWEEPING, RATES)[["tier", "quota"]].assign(share=80, upper=1, volume=[30, 45, 25])


def test_the_widest_bar_of_the_tornado_comes_first():
    changes = {"机械": [-10, 10], "业务量": [-10, 10], "人工": [-10, 10]}
    table = sensitivity(SWEEPING, TIERS.assign(upper=0), changes)
    assert table["factor"].tolist() == ["业务量"] * 6 + ["人工"] * 6 + ["机械"] * 6
    assert table["span"].is_monotonic_decreasing
    assert set(table["percent"]) == {-10, 10}


@pytest.mark.parametrize("item", ["人工", "机械"])
@pytest.mark.parametrize("change", [-30, D("12.5")])
def test_a_changed_price_gives_what_quotas_and_spending_give_at_that_price(item, change):
    table = sensitivity(SWEEPING, TIERS, {item: [change]})
    hit = (SWEEPING["item"] == item).to_numpy()
    price = [D(p) * (1 + D(change) / 100) if at else p
             for at, p in zip(hit, SWEEPING["price"], strict=True)]  # fmt: skip
    moved = quotas(SWEEPING.assign(price=price), RATES)["quota"]
    expected = spending(TIERS.assign(quota=moved))["budget"]
    base = spending(TIERS)["budget"]
    for got, want in zip(table["budget"], expected, strict=True):
        assert abs(got - want) < D("1E-20")
    for got, want in zip(table["difference"], expected - base, strict=True):
        assert abs(got - want) < D("1E-20")


def test_a_changed_volume_leaves_the_quota_alone():
    table = sensitivity(SWEEPING, TIERS, {"业务量": [10]})
    assert table["quota"].tolist() == TIERS["quota"].tolist()
    assert table["difference"].tolist() == (spending(TIERS)["budget"] / 10).tolist()


def test_a_recommended_quota_moves_in_proportion():
    rounded = TIERS.assign(quota=["9.5", "7.4", "5.2"])
    table = sensitivity(SWEEPING, rounded, {"人工": [100]})
    share = D("7.23816") / D("8.13816")
    assert abs(table["quota"][0] - D("9.5") * (1 + share)) < D("1E-20")


def test_a_factor_that_is_no_item_is_refused():
    with pytest.raises(EvalkitError, match="“人力”没有对应的内容"):
        sensitivity(SWEEPING, TIERS, {"人力": [10]})
    with pytest.raises(EvalkitError, match="档次“四级”没有对应的内容"):
        sensitivity(SWEEPING, TIERS.assign(tier=["一级", "二级", "四级"]), {"人工": [10]})
