"""Bottom-up quotas: the published vectors, the laws, and every refusal."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools import excel

from evalkit.core.expr import Term
from evalkit.core.numbers import fixed
from evalkit.core.problem import EvalkitError
from evalkit.standards.quota import amounts, coefficient, exact, load_curve, quotas

# the manual P2, vector V3: 2600 元 × 12 × 1.26 + 900 a head and year
PAY = Decimal(2600) * 12 * Decimal("1.26") + 900
HEADS = {"一级": ("1.8", "0.9"), "二级": ("1.4", "0.7"), "三级": ("1.0", "0.4")}
SWEEPING = pd.DataFrame(
    [
        row
        for tier, (heads, machines) in HEADS.items()
        for row in (
            {"tier": tier, "item": "人工", "consumption": heads, "per": 10_000, "price": PAY},
            {"tier": tier, "item": "机械", "consumption": 1, "per": None, "price": machines},
        )
    ]
)
SWEEPING["at"] = [f"定额测算!E{n}" for n in range(3, 9)]
RATES = pd.DataFrame({"tier": list(HEADS), "management": 6, "profit": 4, "tax": 6})


def codes(error) -> set[str]:
    return {problem.code for problem in error.value.problems}


def test_vector_v3_all_three_grades():
    table = quotas(SWEEPING, RATES)
    assert [fixed(quota, 3) for quota in table["quota"]] == ["9.510", "7.397", "5.166"]
    assert PAY == 40212


def test_the_formula_shows_every_number():
    assert quotas(SWEEPING, RATES)["formula"][0] == (
        "(1.8*40212/10000+1*0.9)*(1+6/100)*(1+4/100)*(1+6/100)"
    )


def test_tiers_come_in_the_order_of_the_rates():
    assert quotas(SWEEPING, RATES[::-1])["tier"].tolist() == ["三级", "二级", "一级"]


def test_amounts_keep_the_columns_they_were_given():
    table = amounts(SWEEPING.assign(price_basis="2025年当地工资"))
    assert table["price_basis"].eq("2025年当地工资").all()
    assert table["at"].tolist() == SWEEPING["at"].tolist()
    assert [fixed(share) for share in table["share"][:2]] == ["88.94", "11.06"]


money = st.decimals("0.01", 9999, places=2)
rate = st.decimals(0, 30, places=1)
line = st.tuples(st.sampled_from("甲乙"), st.decimals("0.001", 99, places=3), money,
                 st.sampled_from([1, 7, 100, 10_000]))  # fmt: skip


def frame(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["tier", "consumption", "price", "per"])


def rates_of(lines: pd.DataFrame, *percents: Decimal) -> pd.DataFrame:
    names = dict(zip(("management", "profit", "tax"), percents, strict=True))
    return pd.DataFrame({"tier": lines["tier"].unique(), **names})


@given(st.lists(line, min_size=1, max_size=8), rate, rate, rate)
def test_a_quota_is_what_its_formula_gives_and_its_parts_add_up(rows, m, r, t):
    lines = frame(rows)
    table = quotas(lines, rates_of(lines, m, r, t))
    for row in table.itertuples():
        exact_value = excel.evaluate(row.formula)
        expected = sum(  # the formula of the manual, in fractions
            Fraction(n) * Fraction(p) / per for tier, n, p, per in rows if tier == row.tier
        )
        for percent in (m, r, t):
            expected *= 1 + Fraction(percent) / 100
        assert exact_value == expected
        assert abs(Fraction(row.quota) - expected) < Fraction(1, 10**18)
        parts = Fraction(row.direct) + Fraction(row.management) + Fraction(row.profit)
        assert abs(parts + Fraction(row.tax) - expected) < Fraction(1, 10**18)


@given(st.lists(line, min_size=1, max_size=8))
def test_shares_add_up_to_a_hundred_in_each_tier(rows):
    table = amounts(frame(rows))
    for part in table.groupby("tier")["share"].sum():
        assert abs(part - 100) < Decimal("1E-20")
    for row in table.itertuples():
        assert Fraction(row.amount) == pytest.approx(excel.evaluate(row.formula), rel=1e-20)


@given(st.lists(line, min_size=1, max_size=6), st.data())
def test_a_quota_rises_with_every_price_and_consumption(rows, data):
    lines = frame(rows).assign(tier="前").astype(object)
    dearer = lines.assign(tier="后")
    column = data.draw(st.sampled_from(["price", "consumption"]))
    dearer.loc[data.draw(st.integers(0, len(rows) - 1)), column] += data.draw(money)
    both = pd.concat([lines, dearer])
    table = quotas(both, rates_of(both, Decimal(6), Decimal(4), Decimal(6)))
    before, after = table["quota"]
    assert before < after


# --- load curve ----------------------------------------------------------------------------------

# the manual P3, table of two real plants: plant A, 万元 of a year with 1277.5 万 m³
PLANT = {"薪酬": "68", "药剂": "385.52", "动力": "394.00", "修理": "325.12", "其他制造": "111.56",
         "管理": "143.34"}  # fmt: skip
VOLUME = Decimal("1277.5")
OPERATION = pd.DataFrame(
    {"tier": "一级A", "item": list(PLANT), "consumption": 1, "per": VOLUME,
     "price": list(PLANT.values()),
     "behaviour": ["变动" if item in ("药剂", "动力") else "固定" for item in PLANT]}
)  # fmt: skip
NO_RATES = pd.DataFrame({"tier": ["一级A"], "management": 0, "profit": 0, "tax": 0})


def test_the_load_curve_passes_through_the_quota_of_the_base_volume():
    curve = load_curve(OPERATION, NO_RATES, VOLUME, [VOLUME])
    # 1427.54/1277.5; double rounding (1.1175) would give 1.118
    assert fixed(curve["quota"][0], 4) == "1.1174"
    assert abs(curve["quota"][0] - quotas(OPERATION, NO_RATES)["quota"][0]) < Decimal("1E-25")


def test_fixed_costs_are_spread_over_the_volume_and_variable_ones_are_not():
    capacity = Decimal(1825)
    volumes = [capacity * load / 100 for load in range(40, 101, 10)]
    curve = load_curve(OPERATION, NO_RATES, VOLUME, volumes)
    held = Fraction(68) + Fraction("325.12") + Fraction("111.56") + Fraction("143.34")
    moving = (Fraction("385.52") + 394) / Fraction(VOLUME)
    for volume, quota, formula in curve[["volume", "quota", "formula"]].values:
        assert excel.evaluate(formula) == held / Fraction(volume) + moving
        assert abs(Fraction(quota) - held / Fraction(volume) - moving) < Fraction(1, 10**24)
    assert curve["volume"].tolist() == volumes
    assert curve["quota"].is_monotonic_decreasing


def test_the_load_curve_wants_the_behaviour_of_every_line():
    with pytest.raises(EvalkitError) as error:
        load_curve(OPERATION.assign(behaviour=[*["固定"] * 4, "半固定", ""]), NO_RATES, 1, [1])
    assert [str(problem) for problem in error.value.problems] == [
        "第 6 行的成本性态为空——请填写成本性态",
        "第 5 行的成本性态“半固定”没有对应的内容——可用的有：固定、变动",
    ]
    with pytest.raises(EvalkitError) as error:
        load_curve(OPERATION.drop(columns="behaviour"), NO_RATES, 1, [1])
    assert codes(error) == {"quota.blank"}
    with pytest.raises(EvalkitError) as error:
        load_curve(OPERATION, NO_RATES, VOLUME, [0])
    assert codes(error) == {"quota.number"}


# --- coefficients --------------------------------------------------------------------------------

HILLS = pd.DataFrame({"tier": ["一级", "一级", "二级"], "name": ["山区", "夜间", "山区"],
                      "alpha": ["20", "15", "-30"]})  # fmt: skip


@pytest.mark.parametrize(("how", "raw"), [("product", ["1.38", "0.7"]), ("sum", ["1.35", "0.7"])])
def test_coefficients_are_multiplied_or_added(how, raw):
    table = coefficient(HILLS, how)
    assert table["coefficient"].tolist() == table["raw"].tolist() == [Decimal(k) for k in raw]
    assert table["limit"].tolist() == ["", ""]
    for k, formula in table[["coefficient", "formula"]].values:
        assert excel.evaluate(formula) == Fraction(k)


def test_coefficients_are_capped_and_say_so():
    table = coefficient(HILLS, "product", Decimal("0.8"), Decimal("1.3"))
    assert table["coefficient"].tolist() == [Decimal("0.8"), Decimal("1.3")][::-1]
    assert table["limit"].tolist() == ["封顶", "托底"]
    assert table["formula"][0] == "MAX(0.8,MIN(1.3,1*(1+20/100)*(1+15/100)))"


def test_an_unknown_way_of_combining_coefficients_is_not_taken_for_another():
    with pytest.raises(KeyError):
        coefficient(HILLS, "连乘")


def test_a_coefficient_cannot_reach_zero():
    with pytest.raises(EvalkitError) as error:
        coefficient(HILLS.assign(alpha=["-100", "", 5]))
    assert [str(problem) for problem in error.value.problems] == [
        "第 1 行的增减“-100”不是大于 -100 的数——请改正",
        "第 2 行的增减“”不是大于 -100 的数——请改正",
    ]


# --- what is refused -----------------------------------------------------------------------------

BAD = ["", None, float("nan"), float("inf"), "许多", Decimal("NaN"), Decimal("-Infinity"), True]


@pytest.mark.parametrize("bad", BAD, ids=repr)
@pytest.mark.parametrize("column", ["consumption", "price"])
def test_what_is_no_number_is_refused_at_its_cell(column, bad):
    lines = SWEEPING.astype(object)
    lines.at[4, column] = bad
    with pytest.raises(EvalkitError) as error:
        amounts(lines)
    (problem,) = error.value.problems
    assert (problem.code, problem.sheet, problem.cell) == ("quota.number", "定额测算", "E7")


@pytest.mark.parametrize(("column", "bad"), [("consumption", -1), ("price", "-0.01"), ("per", 0),
                                             ("per", "-5")])  # fmt: skip
def test_numbers_out_of_range_are_refused(column, bad):
    lines = SWEEPING.astype(object)
    lines.at[0, column] = bad
    with pytest.raises(EvalkitError) as error:
        amounts(lines)
    assert codes(error) == {"quota.number"}


def test_everything_wrong_is_said_at_once():
    lines = SWEEPING.astype(object)
    lines.at[0, "price"], lines.at[1, "tier"], lines.at[2, "tier"] = "x", None, "四级"
    rates = pd.concat([RATES, RATES[:1]]).assign(tax=[6, -6, 6, 6])
    with pytest.raises(EvalkitError) as error:
        quotas(lines, rates)
    found = sorted(problem.code for problem in error.value.problems)
    assert found == ["quota.blank", "quota.number", "quota.number", "quota.twice", "quota.unknown"]


def test_a_tier_without_lines_and_lines_without_rates_are_refused():
    with pytest.raises(EvalkitError, match="“三级”没有对应的内容——可用的有：一级、二级"):
        quotas(SWEEPING, RATES[:2])
    with pytest.raises(EvalkitError, match="第 3 行的档次“三级”没有对应的内容"):
        quotas(SWEEPING[:4], RATES)


def test_a_tier_that_costs_nothing_is_refused():
    with pytest.raises(EvalkitError, match="档次“一级”的各项金额合计为 0"):
        amounts(SWEEPING[:2].assign(price=0))


def test_empty_tables_are_refused():
    with pytest.raises(EvalkitError, match="表中没有任何行"):
        amounts(SWEEPING[:0])
    with pytest.raises(EvalkitError, match="表中没有任何行"):
        quotas(SWEEPING, RATES[:0])


def test_floats_and_terms_are_taken_as_what_they_print():
    rows, found = exact(pd.DataFrame({"price": [0.1, Term.of("0.2"), 3]}), "price")
    assert not found
    assert [term.text for term in rows["price"]] == ["0.1", "0.2", "3"]


def test_the_frame_that_is_given_stays_as_it_is():
    before = SWEEPING.copy()
    quotas(SWEEPING, RATES)
    pd.testing.assert_frame_equal(SWEEPING, before)
