"""What no textbook has: every odd cell, name and shape has one answer, and numbers stay numbers."""

from __future__ import annotations

import math
from datetime import date, time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK

from evalkit.core.problem import EvalkitError
from evalkit.scoring import agreement, weights
from evalkit.scoring.agreement import icc, kendall, outlying
from evalkit.scoring.weights import (
    aggregate,
    ahp,
    combine,
    complete,
    critic,
    delphi,
    entropy,
    expert_scores,
    grid,
    shown,
    to_points,
)

laws = settings(deadline=None, max_examples=200 if SOAK else 20)


def table(cells: object) -> pd.DataFrame:
    a = np.array(cells)
    return pd.DataFrame(a, [f"项{i + 1}" for i in range(len(a))], [*"甲乙丙丁戊"][: a.shape[1]])


def one(cell: object) -> pd.DataFrame:
    return pd.DataFrame({"甲": pd.Series([cell], ["数量"], dtype=object)})


def codes(error: pytest.ExceptionInfo[EvalkitError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


# --- cells ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "number"), [
    (3, 3), (2.5, 2.5), (np.int64(3), 3), (np.float32(0.5), 0.5), (np.uint8(7), 7),
    (Decimal("0.1"), 0.1), (Fraction(1, 3), 1 / 3), ("3", 3), (" 3 ", 3), ("　7　", 7), ("+5", 5),
    ("１２．５", 12.5), ("1/3", 1 / 3), ("1 / 3", 1 / 3), ("１／３", 1 / 3), ("1∶3", 1 / 3),
    ("1：3", 1 / 3), ("1:3", 1 / 3), ("1÷3", 1 / 3), ("1⁄3", 1 / 3), ("⅓", 1 / 3), ("½", 0.5),
    ("－3", -3), ("−3", -3), ("1e2", 100), ("1e100", 1e100), ("3\xa0", 3),
])  # fmt: skip
def test_a_number_may_be_written_in_many_ways(cell, number):
    assert grid(one(cell)).iloc[0, 0] == number


@pytest.mark.parametrize("cell", [
    "1½", "3²", "①", "1_000", "1,000", "1 1/3", "1/2/3", "3/0", "3/", "/", "50%", "三", "弃权",
    "nan", "NaN", "inf", "-inf", "1e300", "-1e300", 1e300, -1e300, 10**400, np.inf, -np.inf,
    Decimal("Infinity"), True, np.bool_(False), date(2025, 1, 3), time(1, 3),
    pd.Timedelta(days=1), 1 + 2j, b"3", [1, 2], {}, "\u200b3",
])  # fmt: skip
def test_what_is_no_number_is_told_by_row_and_column_as_it_stands_there(cell):
    with pytest.raises(EvalkitError, match=r"“数量”行“甲”列的“.*”不是数——请填写数字") as error:
        grid(one(cell))
    assert codes(error) == ["weight.cell"]
    if isinstance(cell, str):
        assert f"“{cell}”" in str(error.value)


@pytest.mark.parametrize("cell", [None, np.nan, pd.NA, pd.NaT, Decimal("NaN"), "", " ", "　"])
def test_an_empty_cell_is_missing_and_no_zero(cell):
    with pytest.raises(EvalkitError, match="“数量”行“甲”列没有填写") as error:
        grid(one(cell))
    assert codes(error) == ["weight.missing"]


def test_a_cell_that_is_wrong_in_two_ways_is_told_once():
    with pytest.raises(EvalkitError) as error:
        grid(table([[-np.inf, -1.0], [0, np.nan]]), sign="positive")
    assert codes(error) == ["weight.cell", "weight.missing", "weight.positive", "weight.positive"]


@pytest.mark.parametrize("sign", ["", "negative", "positive"])
def test_columns_of_numbers_and_of_texts_are_checked_alike(sign):
    numbers = table([[1.0, -2, 0], [np.nan, np.inf, 4], [0, 5, -1e200]])
    texts = numbers.astype(object).astype(str).replace("nan", "")
    told = []
    for each in (numbers, texts, numbers.astype(object), numbers.assign(丙=texts["丙"])):
        with pytest.raises(EvalkitError) as error:
            grid(each, (4, 1), sign)
        told.append([(p.code, p.what) for p in error.value.problems])
    assert told[0] == told[1] == told[2] == told[3]


def test_numbers_are_not_read_as_texts(monkeypatch):
    monkeypatch.setattr(weights, "_number", lambda _: pytest.fail("a number was read as a text"))
    mixed = table([[1.0, 2], [3, 4], [6, 5]]).assign(甲=[1, 2, 4])
    assert grid(mixed).to_numpy().tolist() == [[1, 2], [2, 4], [4, 5]]
    assert entropy(mixed)["weight"].sum() == pytest.approx(1)


def test_a_table_that_was_read_is_not_the_callers():
    given = table([[1.0, 2.0], [3.0, 4.0]])
    read = grid(given)
    read.iloc[0, 0] = 99
    assert given.iloc[0, 0] == 1


@pytest.mark.parametrize("kind", ["int8", "uint64", "float32", "Int64", "Float64", "category"])
def test_every_kind_of_column_is_read(kind):
    cells = pd.DataFrame({"甲": [1, 2]}, index=["a", "b"]).astype(kind)
    assert grid(cells)["甲"].tolist() == [1, 2]


# --- names and shapes ----------------------------------------------------------------------------


def test_names_need_not_be_texts():
    cells = pd.DataFrame([[1, 2], [3, 4]], index=[1, 2], columns=[date(2025, 1, 1), ("甲", 1)])
    found = grid(cells)
    assert (found.index.tolist(), found.columns.tolist()) == (
        ["1", "2"], ["2025-01-01", "('甲', 1)"],
    )  # fmt: skip


@pytest.mark.parametrize("names", [["甲", "甲"], ["甲", " 甲"], [1, "1"], ["甲", ""], ["甲", None],
                                   ["甲", np.nan], ["甲", "　"]])  # fmt: skip
def test_names_that_are_the_same_or_none_are_refused_on_either_side(names):
    cells = pd.DataFrame([[1, 2], [3, 4]])
    for each in (cells.set_axis(names), cells.set_axis(names, axis=1)):
        each = each.set_axis(["a", "b"], axis=1) if each.columns.dtype == "int64" else each
        with pytest.raises(EvalkitError) as error:
            grid(each)
        assert codes(error) == ["weight.twice"]


@pytest.mark.parametrize("cells", [pd.DataFrame(), pd.DataFrame(columns=["甲"]),
                                   pd.DataFrame(index=["a"])])  # fmt: skip
@pytest.mark.parametrize("method", [grid, entropy, critic, expert_scores, combine, kendall, icc,
                                    outlying])  # fmt: skip
def test_a_table_of_nothing_is_refused_with_its_size(method, cells):
    with pytest.raises(EvalkitError, match=r"表有 \d 行、\d 列，至少须有") as error:
        method(cells)
    assert codes(error) == ["weight.few"]


@pytest.mark.parametrize("method", [aggregate, delphi])
def test_nobody_s_tables_are_refused(method):
    with pytest.raises(EvalkitError) as error:
        method({})
    assert codes(error) == ["weight.few"]


@pytest.mark.parametrize("method", [ahp, complete])
def test_a_matrix_of_nothing_is_refused(method):
    with pytest.raises(EvalkitError) as error:
        method(pd.DataFrame())
    assert codes(error) == ["weight.items"]


# --- judgement matrices --------------------------------------------------------------------------


def test_a_lower_triangle_is_as_good_as_an_upper_one():
    names = ["产出", "效益", "满意度"]
    lower = pd.DataFrame(
        [["", "", ""], ["1∶3", "", None], ["１／５", " 1 / 2 ", np.nan]], names, names
    )
    upper = pd.DataFrame([[1, 3, 5], [None, 1, 2], [None, None, 1]], names, names)
    assert complete(lower).equals(complete(upper))
    assert ahp(lower).weights["weight"].round(4).tolist() == [0.6483, 0.2297, 0.122]


def test_names_of_a_matrix_need_not_be_texts():
    found = ahp(pd.DataFrame([[1, 3], [Fraction(1, 3), 1]], [1, 2], [1, 2]))
    assert found.weights["weight"].round(6).to_dict() == {"1": 0.75, "2": 0.25}


@pytest.mark.parametrize("cell", ["½", "1½", "2²", -3, 1e300, True, "nan", np.inf, Decimal("0")])
def test_a_judgement_is_read_as_any_other_number(cell):
    matrix = pd.DataFrame([["", cell], ["", ""]], ["甲", "乙"], ["甲", "乙"])
    if cell == "½":
        assert ahp(matrix).weights["weight"].round(6).tolist() == [0.333333, 0.666667]
        return
    with pytest.raises(EvalkitError, match=r"“甲”对“乙”的判断值“.*”不能用") as error:
        ahp(matrix)
    assert codes(error) == ["weight.judgement"]


# --- size of numbers -----------------------------------------------------------------------------

PLAIN = table([[1.0, 2, 3], [4, 5, 7], [1, 9, 2]])


@pytest.mark.parametrize("factor", [2.0**300, 2.0**-300])
@pytest.mark.parametrize("method", [
    entropy, critic, expert_scores, combine, kendall, icc, outlying,
    lambda cells: entropy(cells, ["乙"]), lambda cells: entropy(cells, how="range"),
])  # fmt: skip
def test_neither_huge_nor_tiny_numbers_move_a_weight_or_a_coefficient(method, factor):
    found, plain = method(PLAIN * factor), method(PLAIN)
    if isinstance(plain, pd.Series):  # of Kendall: ranks do not change at all
        assert found.equals(plain)
        return
    free = ["weight", "icc", "f", "p", "correlation", "z", "w", "w_without", "cv", "entropy"]
    same = [column for column in free if column in plain]
    assert np.allclose(found[same].astype(float), plain[same].astype(float), equal_nan=True)


def test_objects_that_hardly_differ_have_a_formula_that_can_be_reckoned():
    found = entropy(table([[88.1, 90.0], [88.2, 90.4], [88.4, 90.2]]))
    for weight, formula in zip(found["weight"], found["formula"], strict=True):
        assert eval(formula.replace("÷", "/")) == pytest.approx(weight, abs=1e-3)  # noqa: S307
    assert [shown(x) for x in (0.00123456, -0.00123456, 0, 1e-13, 0.01)] == [
        "0.001235", "-0.001235", "0", "0", "0.01",
    ]  # fmt: skip


def test_rank_sums_of_a_million_items_do_not_overflow():
    items = np.arange(1_100_000.0)
    ranks, squares, s, w = agreement._ranked(pd.DataFrame(dict.fromkeys("甲乙丙丁戊", items)))
    assert s == 25 * squares[0] > 2**63 and w == 1.0 and ranks.shape == (5, len(items))


def test_points_stay_exact_however_large_the_total():
    for total, step in (("1e15", "0.01"), (10**12, 1), ("0.03", "0.01")):
        found = to_points({"甲": 1, "乙": 1, "丙": 1}, total, step)["points"]
        assert sum(found) == Decimal(total)
    with pytest.raises(EvalkitError):
        to_points({"甲": 1, "乙": 1}, "1e400", "3")


# --- random orders -------------------------------------------------------------------------------


def test_random_tables_are_as_good_as_if_each_were_drawn_anew():
    # four experts, five items: the exact probability is countable, so the error can be measured
    x = table(np.random.default_rng(4).permuted(np.tile(np.arange(5), (4, 1)), axis=1).T)
    ranks, _, s, _ = agreement._ranked(x)
    exact = agreement._chance(ranks, s)
    found = np.array([agreement._drawn(ranks, s, 999, seed) for seed in range(300)])
    alone = math.sqrt(exact * (1 - exact) / 999)
    assert found.mean() == pytest.approx(exact, abs=4 * alone / math.sqrt(300) + 1 / 1000)
    assert found.std() == pytest.approx(alone, rel=0.2)


@laws
@given(draws=st.integers(0, 400), experts=st.integers(2, 30), seed=st.integers(0, 9))
def test_a_probability_is_a_share_of_the_draws_and_the_given_order(draws, experts, seed):
    x = np.random.default_rng(seed).integers(0, 9, (9, experts))
    ranks, _, s, _ = agreement._ranked(pd.DataFrame(x))
    p = agreement._drawn(ranks, s, draws, seed)
    assert 1 / (1 + draws) <= p <= 1 and p * (1 + draws) == pytest.approx(round(p * (1 + draws)))


def test_a_table_too_large_to_permute_has_the_beta_law_of_its_own_mean_and_variance():
    random = np.random.default_rng(8)
    x = pd.DataFrame(random.normal(size=(1500, 1)) * 0.25 + random.normal(size=(1500, 12)).round(1))
    x = x.set_axis([f"项{i}" for i in x.index]).set_axis([f"专家{k}" for k in x], axis=1)
    weak, none = kendall(x), kendall(x - x.mean(axis=1).to_numpy()[:, None] + random.normal(
        size=x.shape))  # fmt: skip
    assert weak["method"].startswith("置换分布的Beta近似") and weak["p"] < 1e-4
    assert 0 < none["p"] <= 1
    ranks, _, s, _ = agreement._ranked(x.iloc[:, :3])
    small = kendall(x.iloc[:, :3], 3)  # few draws: small enough to permute, and to compare
    assert small["method"].startswith("置换检验（3次")
    drawn, law = agreement._drawn(ranks, s, 999, 1), kendall(x.iloc[:, :3], 10**6)
    assert law["method"].startswith("置换分布") and law["p"] == pytest.approx(drawn, abs=0.05)


def test_chi_square_is_too_cautious_where_experts_are_few():
    # Legendre (2005), Journal of Agricultural, Biological and Environmental Statistics 10
    x = table(np.random.default_rng(11).normal(size=(20, 3)) + np.arange(20)[:, None] / 9)
    found = kendall(x)
    assert found["p"] < found["p_chi2"] / 2


def test_an_expert_without_differences_changes_no_probability():
    x = table([[1, 2, 1], [2, 1, 2], [3, 4, 4], [4, 3, 3]])
    assert kendall(x.assign(丁=5, 戊=0))["p"] == kendall(x)["p"]
    alone = kendall(pd.DataFrame({"甲": range(30), "乙": 1}, [f"项{i}" for i in range(30)]))
    assert (alone["p"], alone["w"]) == (1, 0.5) and alone["method"].startswith("精确概率")
