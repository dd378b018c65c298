"""Weights against published examples and independent packages, their laws, what they refuse."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import ahpy
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymcdm.weights import critic_weights, entropy_weights
from scipy.stats import entropy as shannon
from support import SOAK

from evalkit.core.problem import EvalkitError
from evalkit.scoring.weights import (
    DATA,
    INDEX,
    aggregate,
    ahp,
    combine,
    complete,
    critic,
    delphi,
    entropy,
    expert_scores,
    grid,
    to_points,
)


def upper(names: list[str], rows: list[str]) -> pd.DataFrame:
    """A judgement matrix from the texts above its diagonal."""
    cells = [[""] * (i + 1) + rows[i].split() for i in range(len(rows))]
    return pd.DataFrame([*cells, [""] * len(names)], names, names)


def full(a: np.ndarray) -> pd.DataFrame:
    names = [f"项{i}" for i in range(len(a))]
    return pd.DataFrame(a, names, names)


def codes(error: pytest.ExceptionInfo[EvalkitError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


# Saaty (2008), Int. J. Services Sciences 1(1): relative consumption of drinks in the United States
DRINKS = upper(
    ["coffee", "wine", "tea", "beer", "soda", "milk", "water"],
    ["9 5 2 1 1 1/2", "1/3 1/9 1/9 1/9 1/9", "1/3 1/4 1/3 1/9", "1/2 1 1/3", "2 1/2", "1/3"],
)
# Saaty (1980; 2003, European Journal of Operational Research 145): buying a house
HOUSE = upper(
    ["size", "transport", "neighbourhood", "age", "yard", "modern", "condition", "financing"],
    ["5 3 7 6 6 1/3 1/4", "1/3 5 3 3 1/5 1/7", "6 3 4 6 1/5", "1/3 1/4 1/7 1/8", "1/2 1/5 1/6",
     "1/5 1/6", "1/2"],
)  # fmt: skip
# Saaty (1977), Journal of Mathematical Psychology 15(3): choosing a school
GOALS = ["learning", "friends", "school life", "vocational", "college", "music"]
SCHOOLS = {"satisfaction": upper(GOALS, ["4 3 1 3 4", "7 3 1/5 1", "1/5 1/5 1/6", "1 1/3", "3"])}
for _goal, _rows in zip(GOALS, ["1/3 1/2|3", "1 1|1", "5 1|1/5", "9 7|1/5", "1/2 1|2", "6 4|1/3"],
                        strict=True):  # fmt: skip
    SCHOOLS[_goal] = upper(["A", "B", "C"], _rows.split("|"))

laws = settings(deadline=None, max_examples=200 if SOAK else 20)
judgements = st.sampled_from([1 / k for k in range(2, 10)] + [float(k) for k in range(1, 10)])


@st.composite
def matrices(draw: st.DrawFn, least: int = 1, most: int = 8) -> pd.DataFrame:
    n = draw(st.integers(least, most))
    a = np.ones((n, n))
    for i, j in zip(*np.triu_indices(n, 1), strict=True):
        a[i, j] = draw(judgements)
        a[j, i] = 1 / a[i, j]
    return full(a)


# --- published examples --------------------------------------------------------------------------


def test_the_drinks_of_saaty_2008():
    weights, consistency, _ = ahp(DRINKS, "saaty2005")
    assert weights["weight"].round(3).tolist() == [0.177, 0.019, 0.042, 0.116, 0.190, 0.129, 0.327]
    assert round(consistency["cr"], 3) == 0.022


def test_the_house_of_saaty_1980():
    weights, consistency, _ = ahp(HOUSE)
    expected = [0.173, 0.054, 0.188, 0.018, 0.031, 0.036, 0.167, 0.333]
    assert weights["weight"].round(3).tolist() == expected
    numbers = [round(consistency[name], 3) for name in ("lambda_max", "ci", "ri", "cr")]
    assert numbers == [9.669, 0.238, 1.41, 0.169]


def test_the_judgement_that_hurts_the_house_most_is_mended_as_in_saaty_2003():
    worst = ahp(HOUSE).judgements.iloc[0]
    assert (worst["row"], worst["column"], worst["judgement"]) == ("neighbourhood", "condition", 6)
    assert round(worst["deviation"], 3) == 5.321  # the largest ε = a w_j/w_i
    assert round(1 / worst["mend"], 2) == 2.18 and worst["suggested"] == "1/2"
    mended = HOUSE.copy()
    mended.loc["neighbourhood", "condition"] = "1/2"
    weights, consistency, _ = ahp(mended)
    expected = [0.175, 0.062, 0.103, 0.019, 0.034, 0.041, 0.221, 0.345]
    assert weights["weight"].round(3).tolist() == expected
    assert round(consistency["lambda_max"], 2) == 8.81
    assert round(consistency["cr"], 3) == round(worst["cr"], 3) == 0.082


def test_the_school_of_saaty_1977_has_the_same_alternatives_under_every_goal():
    goals, consistency, _ = ahp(SCHOOLS["satisfaction"])
    assert goals["weight"].round(2).tolist() == [0.32, 0.14, 0.03, 0.13, 0.24, 0.14]
    assert consistency["cr"] > 0.2  # Saaty kept the judgements all the same
    local = pd.DataFrame({goal: ahp(SCHOOLS[goal]).weights["weight"] for goal in goals.index})
    assert local["learning"].round(2).tolist() == [0.16, 0.59, 0.25]
    schools = local @ goals["weight"]
    assert schools.round(2).tolist() == [0.37, 0.38, 0.25]
    assert math.isclose(schools.sum(), 1)


def test_the_random_indices_are_those_that_are_usually_printed():
    values = [float(value) for value in INDEX["saaty1980"]["values"]]
    assert values[:9] == [0, 0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45]
    assert {len(table["values"]) for table in INDEX.values()} == {15}
    assert all(table["source"] for table in INDEX.values())


@pytest.mark.parametrize("name", INDEX)
def test_the_random_indices_are_means_over_random_matrices(name):
    # every table is a simulation; Saaty's first had 500 matrices a size, the others more
    random, off = np.random.default_rng(1), 0.06 if name == "saaty1980" else 0.03
    scale = np.array([1 / k for k in range(9, 1, -1)] + [*range(1, 10)])
    for n in range(3, 16, 1 if SOAK else 4):
        a = np.ones((4000, n, n))
        i, j = np.triu_indices(n, 1)
        a[:, i, j] = random.choice(scale, (4000, len(i)))
        a[:, j, i] = 1 / a[:, i, j]
        mean = (np.linalg.eigvals(a).real.max(1).mean() - n) / (n - 1)
        assert abs(mean - float(INDEX[name]["values"][n - 1])) < (0.11 if n == 12 else off)


# Diakoulaki and others weigh by CRITIC as pymcdm does; costs are turned by their sign
TABLE = pd.DataFrame(
    {"完成率": [90.0, 95, 100, 82], "投诉": [4.0, 2, 1, 9], "满意度": [88.5, 91, 86, 79]},
    index=["甲县", "乙县", "丙县", "丁县"],
)


def test_entropy_weights_are_those_of_pymcdm_and_scipy():
    found = entropy(TABLE)
    assert np.allclose(found["weight"], entropy_weights(TABLE.to_numpy()))
    assert np.allclose(found["entropy"], [shannon(TABLE[name], base=4) for name in TABLE])


def test_costs_enter_entropy_by_their_reciprocals_or_turned_ranges():
    turned = TABLE.assign(投诉=1 / TABLE["投诉"])
    assert np.allclose(entropy(TABLE, ["投诉"])["weight"], entropy_weights(turned.to_numpy()))
    ranged = (TABLE - TABLE.min()) / (TABLE.max() - TABLE.min())
    ranged["投诉"] = 1 - ranged["投诉"]
    expected = [shannon(ranged[name], base=4) for name in ranged]  # 0 ln 0 = 0
    assert np.allclose(entropy(TABLE, ["投诉"], "range")["entropy"], expected)


def test_critic_weights_are_those_of_pymcdm():
    assert np.allclose(critic(TABLE)["weight"], critic_weights(TABLE.to_numpy()))
    turned = TABLE.assign(投诉=-TABLE["投诉"])
    found = critic(TABLE, ["投诉"])
    assert np.allclose(found["weight"], critic_weights(turned.to_numpy()))
    assert np.allclose(found["information"], found["deviation"] * found["conflict"])


def test_hamiltons_points_are_the_house_seats_of_1790():
    # Balinski & Young (1982), Fair Representation: the bill that Washington vetoed, 120 seats
    people = {"VA": 630560, "MA": 475327, "PA": 432879, "NC": 353523, "NY": 331589, "MD": 278514,
              "CT": 236841, "SC": 206236, "NJ": 179570, "NH": 141822, "VT": 85533, "GA": 70835,
              "KY": 68705, "RI": 68446, "DE": 55540}  # fmt: skip
    seats = to_points(people, 120)["points"]
    assert seats.tolist() == [21, 16, 14, 12, 11, 9, 8, 7, 6, 5, 3, 2, 2, 2, 2]


@laws
@given(matrix=matrices(least=3))
def test_weights_and_consistency_are_those_of_ahpy(matrix):
    names = list(matrix.index)
    pairs = {(a, b): matrix.loc[a, b] for i, a in enumerate(names) for b in names[i + 1 :]}
    peer = ahpy.Compare("peer", pairs, precision=6, random_index="saaty")
    weights, consistency, _ = ahp(matrix, "saaty2005")
    for name in names:
        assert math.isclose(weights.loc[name, "weight"], peer.local_weights[name], abs_tol=2e-6)
    assert math.isclose(consistency["cr"], peer.consistency_ratio, abs_tol=2e-6)


# --- judgement matrices as they are filled in ----------------------------------------------------


def test_fractions_full_width_signs_and_either_half_are_read():
    names = ["产出", "效益", "满意度"]
    cells = [["", "１／３", None], [np.nan, 1, "2:1"], [" 5 ", Decimal("0.5"), "1"]]
    a = complete(pd.DataFrame(cells, names, names))
    assert np.allclose(a, [[1, 1 / 3, 1 / 5], [3, 1, 2], [5, 1 / 2, 1]])
    assert ahp(pd.DataFrame(cells, names, names)).weights["weight"].sum() == pytest.approx(1)


def test_the_columns_need_not_stand_in_the_order_of_the_rows():
    turned = HOUSE[HOUSE.columns[::-1]]
    assert complete(turned).equals(complete(HOUSE))


def test_of_two_rounded_judgements_on_a_pair_the_larger_counts():
    assert complete(full(np.array([[1, 0.33], [3, 1]]))).iloc[0, 1] == 1 / 3
    assert complete(full(np.array([[1, 9], [0.11, 1]]))).iloc[1, 0] == 1 / 9


@pytest.mark.parametrize(("cell", "code"), [
    ("", "weight.unjudged"), ("三", "weight.judgement"), (0, "weight.judgement"),
    (-3, "weight.judgement"), ("1/0", "weight.judgement"), ("1/2/3", "weight.judgement"),
    (33, "weight.judgement"), ("inf", "weight.judgement"), (True, "weight.judgement"),
    ("1e999999999", "weight.judgement"), ("3/", "weight.judgement"), (1e-300, "weight.judgement"),
    (datetime(2025, 1, 3), "weight.judgement"),  # what Excel makes of 1/3
])  # fmt: skip
def test_a_judgement_that_cannot_be_used_is_named_by_row_and_column(cell, code):
    matrix = DRINKS.astype(object).copy()
    matrix.loc["tea", "milk"] = cell
    with pytest.raises(EvalkitError, match=r"“tea”.*“milk”") as error:
        ahp(matrix)
    assert codes(error) == [code]


def test_all_faults_of_a_matrix_are_told_at_once():
    names = ["甲", "乙", "丙"]
    cells = [[2, "x", ""], ["", "", 4], ["", "4", ""]]
    with pytest.raises(EvalkitError) as error:
        complete(pd.DataFrame(cells, names, names))
    expected = ["weight.judgement", "weight.diagonal", "weight.unjudged", "weight.reciprocal"]
    assert codes(error) == expected
    assert "“甲”对“乙”的判断值“x”不能用" in str(error.value)
    assert "“乙”对“丙”的判断值“4”与反向的判断值不互为倒数" in str(error.value)


@pytest.mark.parametrize(("rows", "columns"), [
    (["甲", "乙"], ["甲", "丙"]), (["甲", "甲"], ["甲", "甲"]), (["甲", ""], ["甲", ""]),
    (["甲", "乙"], ["甲", "乙", "丙"]), ([], []),
])  # fmt: skip
def test_rows_and_columns_must_name_the_same_items(rows, columns):
    matrix = pd.DataFrame([["1"] * len(columns)] * len(rows), rows, columns)
    with pytest.raises(EvalkitError) as error:
        ahp(matrix)
    assert codes(error) == ["weight.items"]


def test_sixteen_items_are_too_many_for_one_matrix_and_fifteen_are_not():
    with pytest.raises(EvalkitError, match="分成两层") as error:
        ahp(full(np.ones((16, 16))))
    assert codes(error) == ["weight.size"]
    assert ahp(full(np.ones((15, 15)))).consistency["ri"] == 1.59


def test_measured_ratios_may_leave_the_scale():
    assert ahp(full(np.array([[1, 40], [1 / 40, 1]])), bound=math.inf).weights.iloc[0, 0] > 0.97


def test_one_or_two_items_are_always_consistent():
    one, two = ahp(full(np.ones((1, 1)))), ahp(full(np.array([[1, 9], [1 / 9, 1]])))
    for result in (one, two):
        assert result.consistency["cr"] == 0 and result.judgements.empty
        assert "总是一致" in result.consistency["formula"]
    assert one.weights["weight"].tolist() == [1.0]
    assert np.allclose(two.weights["weight"], [0.9, 0.1])


def test_the_formula_can_be_read_and_reckoned():
    formula = ahp(HOUSE).consistency["formula"]
    assert formula == ("λmax＝9.6689；CI＝(9.6689－8)÷(8－1)＝0.2384；CR＝0.2384÷1.41＝0.1691"
                       "（RI：Saaty（1980）The Analytic Hierarchy Process）")  # fmt: skip


# --- laws of judgements --------------------------------------------------------------------------


@laws
@given(matrix=matrices(), seed=st.integers(0, 99))
def test_ahp_weights_sum_to_one_and_do_not_depend_on_the_order_of_items(matrix, seed):
    weights, consistency, pairs = ahp(matrix)
    order = np.random.default_rng(seed).permutation(matrix.index)
    again = ahp(matrix.loc[order, order])
    assert weights["weight"].sum() == pytest.approx(1) and (weights["weight"] > 0).all()
    assert np.allclose(again.weights.loc[matrix.index], weights)
    assert again.consistency["cr"] == pytest.approx(consistency["cr"], abs=1e-9)
    assert consistency["cr"] >= 0
    assert np.allclose(weights["ratio"], consistency["lambda_max"])
    assert len(pairs) == (math.comb(len(matrix), 2) if len(matrix) > 2 else 0)


@laws
@given(raw=st.lists(st.floats(1, 3), min_size=3, max_size=9))
def test_a_consistent_matrix_gives_back_its_weights_with_cr_exactly_0(raw):
    w = np.array(raw) / sum(raw)
    weights, consistency, pairs = ahp(full(w[:, None] / w))
    assert np.allclose(weights["weight"], w)
    assert (consistency["cr"], consistency["ci"]) == (0, 0)
    assert np.allclose(pairs["deviation"], 1) and np.allclose(pairs["mend"], pairs["judgement"])


@laws
@given(raw=st.lists(st.integers(1, 3), min_size=4, max_size=8), data=st.data())
def test_one_wrong_judgement_among_consistent_ones_is_found_and_mended(raw, data):
    a = np.array(raw)[:, None] / np.array(raw)
    i, j = sorted(data.draw(st.permutations(range(len(raw))))[:2])
    right = a[i, j]
    wrong = 9.0 if right < 1 else 1 / 9
    a[i, j], a[j, i] = wrong, 1 / wrong
    worst = ahp(full(a)).judgements.iloc[0]
    assert (worst["row"], worst["column"]) == (f"项{i}", f"项{j}")
    assert worst["mend"] == pytest.approx(right)
    assert worst["deviation"] == ahp(full(a)).judgements["deviation"].max()
    if right in {Fraction(1, k) for k in range(1, 4)} | {1, 2, 3}:
        assert worst["cr"] == pytest.approx(0, abs=1e-9)


@laws
@given(matrix=matrices(least=3, most=6))
def test_the_consistency_told_for_a_mended_judgement_is_that_of_the_mended_matrix(matrix):
    worst = ahp(matrix).judgements.iloc[0]
    mended = matrix.copy()
    mended.loc[worst["row"], worst["column"]] = float(Fraction(worst["suggested"]))
    mended.loc[worst["column"], worst["row"]] = 1 / float(Fraction(worst["suggested"]))
    assert ahp(mended).consistency["cr"] == pytest.approx(worst["cr"], abs=1e-9)


# --- groups and hierarchies ----------------------------------------------------------------------


def test_a_groups_judgements_are_geometric_means():
    pair = {"一": full(np.array([[1, 2], [1 / 2, 1]])), "二": full(np.array([[1, 8], [1 / 8, 1]]))}
    assert aggregate(pair).iloc[0, 1] == pytest.approx(4)
    assert aggregate(pair, {"二": 1, "一": 3}).iloc[0, 1] == pytest.approx(2**1.5)


@laws
@given(raw=st.lists(st.lists(st.floats(1, 3), min_size=4, max_size=4), min_size=1, max_size=5))
def test_for_consistent_experts_aij_and_geometric_aip_agree(raw):
    # Forman & Peniwati (1998): both aggregations coincide under row geometric means
    experts = {f"专家{k}": np.array(w) / sum(w) for k, w in enumerate(raw)}
    joint = aggregate({name: full(w[:, None] / w) for name, w in experts.items()})
    assert np.allclose(joint * joint.T, 1)
    apart = combine(pd.DataFrame(experts, index=joint.index), "geometric")
    assert np.allclose(ahp(joint).weights["weight"], apart["weight"])


def test_faults_in_a_group_are_told_under_the_experts_name():
    good, bad = full(np.ones((2, 2))), full(np.array([[1.0, 0], [0, 1]]))
    with pytest.raises(EvalkitError, match=r"专家乙：“项0”对“项1”的判断值“0\.0”不能用"):
        aggregate({"专家甲": good, "专家乙": bad})
    with pytest.raises(EvalkitError, match="专家乙比较的各项与第一位专家不同") as error:
        aggregate({"专家甲": good, "专家乙": full(np.ones((3, 3)))})
    assert codes(error) == ["weight.experts"]
    with pytest.raises(EvalkitError) as error:
        aggregate({"专家甲": good}, {"专家丙": 1})
    assert codes(error) == ["weight.shares"]


# --- weights from data ---------------------------------------------------------------------------


def test_one_project_has_no_entropy_and_is_told_why():
    for method in (entropy, critic):
        with pytest.raises(EvalkitError, match="只有 1 个对象；客观赋权靠对象之间的差异") as error:
            method(TABLE.iloc[:1])
        assert codes(error) == ["weight.objects"]
    with pytest.raises(EvalkitError):
        entropy(TABLE.iloc[:2])


def test_constants_zeros_negatives_and_gaps_are_named_by_row_and_column():
    table = TABLE.assign(预算=[5.0, 5, 5, 5])
    for method in (entropy, critic):
        with pytest.raises(EvalkitError, match="指标“预算”在各对象上数值相同") as error:
            method(table, ["不存在"])
        assert codes(error) == ["weight.cost", "weight.constant"]
    for value, code in ((0, "positive"), (-2, "positive"), (None, "missing"), ("约9", "cell")):
        table = TABLE.astype(object)
        table.loc["乙县", "投诉"] = value
        with pytest.raises(EvalkitError, match="“乙县”行“投诉”列") as error:
            entropy(table)
        assert codes(error) == [f"weight.{code}"]
    zero = TABLE.assign(投诉=[0, -1, 5, 3])
    assert entropy(zero, how="range")["weight"].sum() == pytest.approx(1)
    assert critic(zero)["weight"].sum() == pytest.approx(1)


def test_indicators_that_move_together_have_no_critic_weights():
    together = pd.DataFrame({"甲": [1, 2, 4], "乙": [2, 4, 8]}, index=list("abc"))
    with pytest.raises(EvalkitError, match="无从确定权重") as error:
        critic(together)
    assert codes(error) == ["weight.flat"]
    assert critic(together[["甲"]])["weight"].tolist() == [1.0]


def test_nearly_equal_objects_still_have_entropy_weights():
    # 1-e is some 1e-18 here: reckoned as 1 minus the entropy it would be noise or negative
    table = pd.DataFrame({"甲": [1, 1 + 2e-9, 1], "乙": [1, 1 + 1e-9, 1]}, index=list("abc"))
    assert np.allclose(entropy(table)["weight"], [0.8, 0.2], rtol=1e-5)


tables = st.lists(
    st.lists(st.floats(0.5, 100), min_size=3, max_size=3), min_size=4, max_size=8
).filter(lambda rows: (np.ptp(rows, axis=0) > 0.5).all())


@laws
@given(rows=tables, factor=st.floats(0.01, 100), data=st.data())
def test_objective_weights_do_not_depend_on_order_unit_or_names(rows, factor, data):
    names = [f"县{i}" for i in range(len(rows))]
    table = pd.DataFrame(rows, names, ["甲", "乙", "丙"])
    assume(table.mul([1, -1, 1]).corr().min().min() < 0.99)  # else CRITIC has nothing to go by
    turned = table.loc[data.draw(st.permutations(names)), ["丙", "甲", "乙"]].mul([1, factor, 1])
    for method in (entropy, lambda t, c: entropy(t, c, "range"), critic):
        w = method(table, ["乙"])["weight"]
        assert w.sum() == pytest.approx(1) and (w >= 0).all()
        assert np.allclose(method(turned, ["乙"])["weight"][table.columns], w, atol=1e-9)


# --- weights from expert scores ------------------------------------------------------------------

SCORES = pd.DataFrame(
    [[9, 8, 9, 2], [5, 6, 5, 6], [7, 7, 7, 7]],
    index=["产出", "效益", "过程"], columns=["张", "王", "李", "赵"],
)  # fmt: skip


def test_expert_scores_have_mean_trimmed_mean_and_coefficient_of_variation():
    found = expert_scores(SCORES, trim=1).loc["产出"]
    assert (found["mean"], found["trimmed_mean"], found["low"], found["high"]) == (7, 8.5, 2, 9)
    assert found["cv"] == pytest.approx(np.std([9, 8, 9, 2], ddof=1) / 7)
    assert found["weight"] == pytest.approx(8.5 / (8.5 + 5.5 + 7))
    assert found["formula"] == "8.5÷21"
    assert expert_scores(SCORES)["weight"].tolist() == pytest.approx(
        [7 / 19.5, 5.5 / 19.5, 7 / 19.5]
    )
    assert expert_scores(SCORES).loc["过程", "cv"] == 0


def test_a_single_expert_has_weights_but_no_variation():
    found = expert_scores(SCORES[["张"]])
    assert found["weight"].sum() == pytest.approx(1) and found["cv"].isna().all()
    with pytest.raises(EvalkitError, match="表有 3 行、1 列，至少须有 1 行、3 列"):
        expert_scores(SCORES[["张"]], trim=1)


def test_an_item_that_nobody_gives_anything_is_refused_and_a_zero_is_not():
    with pytest.raises(EvalkitError, match="“效益”的评分或权重全为 0") as error:
        expert_scores(SCORES.mul([1, 0, 1], axis=0))
    assert codes(error) == ["weight.zero"]
    assert expert_scores(SCORES.assign(张=0))["low"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("cell", "code"), [(-1, "negative"), ("", "missing"), ("好", "cell")])
def test_a_score_that_cannot_be_used_is_named_by_row_and_column(cell, code):
    table = SCORES.astype(object)
    table.loc["效益", "李"] = cell
    with pytest.raises(EvalkitError, match="“效益”行“李”列") as error:
        expert_scores(table)
    assert codes(error) == [f"weight.{code}"]


def test_delphi_rounds_are_compared_item_by_item():
    second = pd.DataFrame([[8, 8, 8], [6, 6, 5]], index=["产出", "满意度"], columns=list("abc"))
    found = delphi({"第一轮": SCORES, "第二轮": second}).set_index(["item", "round"])
    assert len(found) == 5
    changed = found.loc[("产出", "第二轮")]
    assert changed["mean_change"] == 1 and changed["cv_change"] < 0
    assert found.loc[("满意度", "第二轮"), "mean_change":].isna().all()
    with pytest.raises(EvalkitError, match="第二轮：“产出”行“a”列"):
        delphi({"第一轮": SCORES, "第二轮": second.replace(8, -8)})


# --- combining -----------------------------------------------------------------------------------

BOTH = pd.DataFrame({"层次分析法": [0.6, 0.4], "熵权法": [20, 80]}, index=["产出", "效益"])


def test_weights_are_combined_by_sum_product_or_geometric_mean():
    linear = combine(BOTH, "linear", {"层次分析法": 0.7, "熵权法": "0.3"})
    assert linear["weight"].tolist() == pytest.approx([0.48, 0.52])
    assert linear["formula"].tolist() == ["(0.6×0.7+0.2×0.3)÷1", "(0.4×0.7+0.8×0.3)÷1"]
    product = combine(BOTH, "multiplicative")
    assert product["weight"].tolist() == pytest.approx([0.12 / 0.44, 0.32 / 0.44])
    assert product.loc["产出", "formula"] == "(0.6^1×0.2^1)÷0.44"
    mean = combine(BOTH, "geometric")["weight"]
    assert mean.tolist() == pytest.approx(
        [12**0.5 / (12**0.5 + 32**0.5), 32**0.5 / (12**0.5 + 32**0.5)]
    )
    assert combine(BOTH, "multiplicative", {"层次分析法": 1, "熵权法": 0})["weight"].equals(
        product["weight"]
    )


def test_weights_that_cannot_be_combined_are_refused():
    with pytest.raises(EvalkitError, match="“熵权法”的评分或权重全为 0"):
        combine(BOTH.assign(熵权法=0))
    with pytest.raises(EvalkitError) as error:
        combine(pd.DataFrame({"一": [1, 0], "二": [0, 1]}, index=["甲", "乙"]), "multiplicative")
    assert codes(error) == ["weight.flat"]
    with pytest.raises(EvalkitError) as error:
        combine(BOTH, shares={"层次分析法": 1})
    assert codes(error) == ["weight.shares"]
    with pytest.raises(EvalkitError) as error:
        combine(BOTH, shares={"层次分析法": 0, "熵权法": 0})
    assert codes(error) == ["weight.flat"]


@pytest.mark.parametrize("call", [lambda: combine(BOTH, "average"), lambda: ahp(DRINKS, "none"),
                                  lambda: entropy(TABLE, how="minmax")])  # fmt: skip
def test_an_unknown_method_is_an_error_of_the_caller(call):
    with pytest.raises(KeyError):
        call()


positive = st.floats(1e-6, 1e6)


@laws
@given(
    rows=st.lists(st.tuples(positive, positive), min_size=1, max_size=12), share=st.floats(0.1, 5)
)
def test_combined_weights_sum_to_one_whatever_the_scale(rows, share):
    table = pd.DataFrame(rows, [f"项{i}" for i in range(len(rows))], ["一", "二"])
    for how in ("linear", "multiplicative", "geometric"):
        w = combine(table, how, {"一": share, "二": 1})["weight"]
        assert w.sum() == pytest.approx(1) and (w >= 0).all()
        assert np.allclose(combine(table * 7, how, {"二": 2, "一": 2 * share})["weight"], w)


# --- points --------------------------------------------------------------------------------------


def test_points_are_exact_decimals_of_the_step():
    found = to_points({"甲": "1/3", "乙": "1/3", "丙": "1/3"}, total="10", step="0.5")
    assert [str(points) for points in found["points"]] == ["3.5", "3.5", "3.0"]
    assert found.loc["甲", "formula"] == "0.333333×10=3.3333，取3.5"
    assert to_points(pd.Series({"甲": 0.5, "乙": 0.5}), 90, 5)["points"].tolist() == [45, 45]
    assert to_points(pd.Series({"甲": 0.5, "乙": 0.5}), 10, 10)["points"].tolist() == [10, 0]


def test_points_of_equal_weights_do_not_depend_on_float_noise():
    noisy = {"甲": 0.1 + 0.2, "乙": 0.3, "丙": 0.3}
    assert to_points(noisy)["points"].tolist() == [34, 33, 33]
    assert to_points(dict(reversed(noisy.items())))["points"].tolist() == [34, 33, 33]


@pytest.mark.parametrize(("weights", "how", "code"), [
    ({"甲": 1}, {"step": 3}, "step"), ({"甲": 1}, {"step": 0}, "step"),
    ({"甲": 1}, {"total": -5}, "step"), ({"甲": 1}, {"total": "0.5"}, "step"),
    ({"甲": 0, "乙": 0}, {}, "flat"), ({"甲": -1, "乙": 2}, {}, "negative"),
    ({"甲": None, "乙": 2}, {}, "missing"), ({}, {}, "few"),
])  # fmt: skip
def test_points_that_cannot_be_given_out_are_refused(weights, how, code):
    with pytest.raises(EvalkitError) as error:
        to_points(weights, **how)
    assert codes(error) == [f"weight.{code}"]


@laws
@given(
    raw=st.lists(st.floats(0, 1e6), min_size=1, max_size=60).filter(lambda w: sum(w) > 1e-3),
    total=st.sampled_from([90, 100, "62.5"]), step=st.sampled_from(["0.5", "2.5", "0.01"]),
)  # fmt: skip
def test_points_sum_exactly_to_the_total_within_a_step_of_the_quota(raw, total, step):
    found = to_points({f"项{i}": w for i, w in enumerate(raw)}, total, step)
    assert sum(found["points"], Decimal(0)) == Decimal(total)
    assert all(points % Decimal(step) == 0 and points >= 0 for points in found["points"])
    off = (found["points"].astype(float) - found["quota"]).abs()
    assert (off < float(step) + 1e-6).all()
    assert found["weight"].sum() == pytest.approx(1)
    ranked = found.assign(weight=found["weight"].round(9)).sort_values("weight")
    least, most = ranked.groupby("weight")["points"].min(), ranked.groupby("weight")["points"].max()
    assert (least.iloc[1:].to_numpy() >= most.iloc[:-1].to_numpy()).all()


@laws
@given(
    raw=st.lists(st.integers(1, 10**6), min_size=2, max_size=20, unique=True),
    seed=st.integers(0, 9),
)
def test_points_do_not_depend_on_the_order_or_scale_of_different_weights(raw, seed):
    weights = {f"项{w}": w for w in raw}
    order = np.random.default_rng(seed).permutation(list(weights))
    again = to_points({name: weights[name] / 7 for name in order})["points"]
    assert again[list(weights)].tolist() == to_points(weights)["points"].tolist()


# --- tables --------------------------------------------------------------------------------------


def test_a_table_with_nameless_or_doubled_rows_is_refused_with_all_its_faults():
    table = pd.DataFrame([[1, None], [2, "x"]], index=["甲", "甲"], columns=["一", " "])
    with pytest.raises(EvalkitError) as error:
        grid(table, (3, 1))
    assert codes(error) == [
        "weight.twice", "weight.twice", "weight.few", "weight.missing", "weight.cell",
    ]  # fmt: skip
    assert DATA["least"] == 3


@laws
@given(cell=st.text(max_size=8) | st.floats() | st.integers() | st.none() | st.booleans())
def test_no_cell_breaks_a_table(cell):
    try:
        found = [grid(pd.DataFrame({"一": pd.Series([cell], dtype=object)})).iloc[0, 0]]
    except EvalkitError as refused:
        found = [problem.code for problem in refused.problems]
    assert found in (["weight.missing"], ["weight.cell"]) or math.isfinite(found[0])
