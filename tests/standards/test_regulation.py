"""Cost regulation: the bus vector to every printed digit, the laws, and every refusal."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools import excel

from evalkit.core.numbers import fixed, wan
from evalkit.core.problem import EvalkitError
from evalkit.standards.regulation import RULES, regulate, staff, subsidy

D = Decimal

# the manual P1, vector V2: 40 vehicles, 2.1 million km; 元
POSTS = pd.DataFrame(
    {"post": ["驾驶员", "管理人员"], "heads": [56, 15], "ratio": ["1.3", "0.6"], "vehicles": 40,
     "pay": [82_000, 90_000], "pay_cap": [82_000, 90_000]}
)  # fmt: skip
ITEMS = pd.DataFrame(
    [
        ("人工", "不超标准", 5_942_000, 5_614_000, None, None),
        ("能耗", "区间", 1_180_000, 1_106_700, 10, 10),
        ("保修", "前三年均值", 902_000, None, None, None),
        ("轮胎", "不超标准", 120_000, 126_000, None, None),
        ("保险及事故", "不超标准", 348_000, 360_000, None, None),
        ("折旧", "定额", D(19_200_000) * D("0.95") / 8, D(19_200_000) * D("0.95") / 8, None, None),
        ("安全生产费", "据实", 45_000, None, None, None),
        ("站场运营", "据实", 400_000, None, None, None),
        ("管理费用", "据实", 450_000, None, None, None),
        ("财务费用", "不予列支", 88_000, None, None, None),
    ],
    columns=["item", "rule", "actual", "standard", "low", "high"],
).assign(at=[f"成本规制!A{n}" for n in range(3, 13)])
ITEMS[["prior1", "prior2", "prior3"]] = None
ITEMS.loc[2, ["prior1", "prior2", "prior3"]] = [950_000, 945_000, 940_000]


def accounts(**changes) -> pd.DataFrame:
    table = regulate(ITEMS)
    given_ = {"allowed": table["allowed"].sum(), "actual": table["actual"].sum(),
              "taxes": 32_000, "revenue": 3_306_000, "upper": 600_000, "profit": 2,
              "profit_cap": 3, "factor": "0.95", "km": 2_100_000}  # fmt: skip
    return pd.DataFrame([given_ | changes])


def test_vector_v2_allowed_heads_and_labour_cost():
    table = staff(POSTS)
    assert table["formula"].tolist() == [
        "MIN(56,1.3*40)*MIN(82000,82000)",  # 52 drivers of 56
        "MIN(15,0.6*40)*MIN(90000,90000)",  # below the standard: as they are
    ]
    assert wan(table["allowed"].sum()) == "561.40"
    assert wan(table["actual"].sum()) == "594.20"


def test_vector_v2_the_regulated_cost():
    table = regulate(ITEMS).set_index("item")
    allowed = {item: wan(amount) for item, amount in table["allowed"].items()}
    assert allowed == {
        "人工": "561.40", "能耗": "118.00", "保修": "90.20", "轮胎": "12.00",
        "保险及事故": "34.80", "折旧": "228.00", "安全生产费": "4.50", "站场运营": "40.00",
        "管理费用": "45.00", "财务费用": "0.00",
    }  # fmt: skip
    assert wan(table["allowed"].sum()) == "1133.90"
    assert table.loc["能耗", "formula"] == "MIN(1180000,1106700*(1+10/100))"
    assert table.loc["保修", "formula"] == "MIN(902000,(950000+945000+940000)/3)"
    assert table.loc["人工", "cut"] == 328_000


def test_vector_v2_the_subsidy():
    row = subsidy(accounts()).iloc[0]
    assert wan(row["policy_loss"]) == "746.50"
    assert wan(row["allowed"] * row["profit"] / 100, 3) == "22.678"
    assert wan(row["subsidy"], 3) == "769.178"
    assert wan(row["payable"], 3) == "730.719"
    assert fixed(row["unit_cost"], 3) == "5.400"
    assert fixed(row["unit_subsidy"], 3) == "3.663"
    assert excel.evaluate(row["formula"]) == Fraction(row["payable"])


def test_the_losses_are_split_between_policy_and_operation():
    row = subsidy(accounts()).iloc[0]
    assert row["operating_loss"] == 328_000 + 88_000  # heads over the ratio, interest
    booked = row["actual"] + row["taxes"] - row["revenue"] - row["upper"]
    assert row["policy_loss"] + row["operating_loss"] == booked


@pytest.mark.parametrize("revenue", [10_771_000, 11_500_000, 90_000_000])
def test_an_operator_without_a_regulated_loss_gets_nothing(revenue):
    row = subsidy(accounts(revenue=revenue)).iloc[0]
    assert row["policy_loss"] <= 0
    assert row["subsidy"] == row["payable"] == 0


def test_a_yuan_of_loss_brings_the_whole_profit():
    row = subsidy(accounts(revenue=10_770_999)).iloc[0]
    assert row["policy_loss"] == 1
    assert row["subsidy"] == 1 + D(226_780)


def line(rule, actual, **more) -> pd.Series:
    return regulate(pd.DataFrame([{"item": "某项", "rule": rule, "actual": actual, **more}])).iloc[
        0
    ]


@pytest.mark.parametrize(
    ("actual", "base", "incentive"),
    [
        (99, "99", "1.2"),  # below the band of 100.2–133.6: the saving is rewarded in full
        ("100.2", "100.2", "0"),
        (120, "120", "0"),
        ("133.6", "133.6", "0"),
        (140, "133.6", "0"),  # above it: the upper limit
    ],
)
def test_energy_within_its_band_counts_as_it_is(actual, base, incentive):
    row = line(
        "区间", actual, standard="111.3333333333333333333333333", low=10, high=20, reward=100
    )
    assert [fixed(row["base"], 6), fixed(row["incentive"], 6)] == [
        fixed(D(base), 6), fixed(D(incentive), 6),
    ]  # fmt: skip


def test_a_share_of_the_saved_wages_is_granted():
    row = line("不超标准", 80, standard=100, reward=30)
    assert row[["base", "incentive", "allowed", "cut"]].tolist() == [80, 6, 86, 0]
    assert row["formula"] == "MIN(80,100)+MAX(0,100-80)*30/100"


def test_a_quota_is_paid_whatever_the_cost():
    assert [line("定额", actual, standard=100)["allowed"] for actual in (80, 100, 130)] == [100] * 3


def test_the_mean_takes_the_years_that_there_are():
    assert line("前三年均值", 99, prior1=90, prior2=None, prior3=94)["allowed"] == 92
    assert line("前三年均值", 99, prior2=90)["formula"] == "MIN(99,90/1)"


amount = st.decimals(0, 9999, places=2)
share = st.decimals(0, 100, places=1)


@given(st.sampled_from(RULES), amount, amount, share, share, share)
def test_what_is_allowed_is_at_most_the_cost_and_the_incentive(
    rule, actual, mark, low, high, reward
):
    row = line(rule, actual, standard=mark, low=low, high=high, reward=reward, prior1=mark)
    assert 0 <= row["base"] <= actual
    assert row["allowed"] == row["base"] + row["incentive"]
    assert row["cut"] == actual - row["base"] >= 0
    assert row["incentive"] == 0 or actual < mark
    assert excel.evaluate(row["formula"]) == Fraction(row["allowed"])


@given(amount, amount, amount, amount, share, share)
def test_a_subsidy_covers_the_loss_and_falls_with_the_score(
    allowed, taxes, revenue, upper, pi, phi
):
    allowed += 1
    row = subsidy(pd.DataFrame([{
        "allowed": allowed, "actual": allowed, "taxes": taxes, "revenue": revenue, "upper": upper,
        "profit": pi, "profit_cap": 100, "factor": phi / 100, "km": 1,
    }])).iloc[0]  # fmt: skip
    loss = allowed + taxes - revenue - upper
    assert row["subsidy"] == (loss + allowed * pi / 100 if loss > 0 else 0)
    assert 0 <= row["payable"] <= row["subsidy"]


# --- what is refused -----------------------------------------------------------------------------


def found(lines) -> list[tuple[str, str]]:
    with pytest.raises(EvalkitError) as error:
        regulate(lines)
    return [(problem.code, problem.cell) for problem in error.value.problems]


@pytest.mark.parametrize("row", [0, 1, 3, 5])
def test_a_rule_without_its_standard_is_refused(row):
    lines = ITEMS.astype(object)
    lines.at[row, "standard"] = None
    assert found(lines) == [("regulation.standard", f"A{row + 3}")]


def test_a_mean_without_any_year_is_refused():
    assert found(ITEMS.assign(prior1=None, prior2=None, prior3=None)) == [
        ("regulation.standard", "A5")
    ]


def test_unknown_rules_and_numbers_out_of_range_are_refused_together():
    lines = ITEMS.astype(object).assign(reward=[*[None] * 9, 101])
    lines.at[0, "rule"], lines.at[1, "rule"], lines.at[2, "actual"] = "看情况", None, -1
    assert sorted(found(lines)) == [
        ("quota.blank", "A4"), ("quota.number", "A12"), ("quota.number", "A5"),
        ("quota.unknown", "A3"),
    ]  # fmt: skip


@pytest.mark.parametrize("bad", [{"km": 0}, {"allowed": 0}, {"factor": "1.1"}, {"taxes": None},
                                 {"revenue": "?"}, {"upper": -1}])  # fmt: skip
def test_accounts_with_a_bad_number_are_refused(bad):
    with pytest.raises(EvalkitError) as error:
        subsidy(accounts(**bad))
    assert [problem.code for problem in error.value.problems] == ["quota.number"]


def test_a_profit_over_its_cap_is_refused():
    with pytest.raises(EvalkitError, match="核定利润率高于利润率上限"):
        subsidy(accounts(profit="3.1"))


def test_posts_are_named_once_and_have_their_numbers():
    with pytest.raises(EvalkitError) as error:
        staff(POSTS.assign(post="驾驶员", pay_cap=[None, 1]))
    assert [problem.code for problem in error.value.problems] == ["quota.twice", "quota.number"]
