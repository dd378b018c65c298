"""Agreement of experts against published tables and independent packages, laws, edge cases."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, spearmanr
from support import SOAK

from evalkit.core.problem import EvalkitError
from evalkit.scoring.agreement import icc, kendall, outlying


def frame(rows: object) -> pd.DataFrame:
    a = np.asarray(rows)
    items, experts = ([f"{name}{i + 1}" for i in range(n)]
                      for name, n in zip(("项", "专家"), a.shape, strict=True))  # fmt: skip
    return pd.DataFrame(a, items, experts)


def codes(error: pytest.ExceptionInfo[EvalkitError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


# Shrout & Fleiss (1979), table 2: six targets, four judges
JUDGES = frame(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
# R package irr, data set anxiety: 20 subjects, three raters, with ties
ANXIETY = frame(np.transpose([
    [3, 3, 3, 4, 5, 5, 2, 3, 5, 2, 2, 6, 1, 5, 2, 2, 1, 2, 4, 3],
    [3, 6, 4, 6, 2, 4, 2, 4, 3, 3, 2, 3, 3, 3, 2, 2, 1, 3, 3, 4],
    [2, 1, 4, 4, 3, 2, 1, 6, 1, 1, 1, 2, 3, 3, 1, 1, 3, 3, 2, 2],
]))  # fmt: skip
# Siegel & Castellan (1988), in the documentation of R's DescTools::KendallW: three raters
CONFERENCE = frame(np.transpose([
    [5, 6, 7, 1, 2, 4, 3, 8], [1, 7, 6, 2, 3, 5, 4, 8], [4, 5, 1, 3, 2, 7, 6, 8],
]))  # fmt: skip

laws = settings(deadline=None, max_examples=200 if SOAK else 20)
scores = st.integers(2, 7).flatmap(
    lambda m: st.lists(
        st.lists(st.integers(1, 9), min_size=m, max_size=m), min_size=3, max_size=9
    ).filter(lambda rows: len({tuple(row) for row in rows}) > 1)
)


def ranks_of(rank_sums: list[int], experts: int) -> pd.DataFrame:
    """Untied rankings with these sums."""
    n = len(rank_sums)
    for orders in product(list(permutations(range(1, n + 1))), repeat=experts):
        if np.sum(orders, axis=0).tolist() == rank_sums:
            return frame(np.transpose(orders))
    raise AssertionError


# --- Kendall's W ---------------------------------------------------------------------------------


def test_w_with_ties_is_that_of_r():
    # irr::kendall(anxiety, TRUE), DescTools::KendallW(anxiety, TRUE)
    found = kendall(ANXIETY)
    assert round(found["w"], 7) == 0.5396569
    assert (round(found["chi2"], 2), found["df"], round(found["p_chi2"], 5)) == (30.76, 19, 0.04288)
    assert (found["experts"], found["items"]) == (3, 20)
    assert "置换检验（9999次，随机种子0）" in found["method"]


def test_w_of_siegel_and_castellan():
    found = kendall(CONFERENCE)
    assert round(found["w"], 7) == 0.6560847
    assert (round(found["chi2"], 3), round(found["p_chi2"], 5)) == (13.778, 0.05528)


@pytest.mark.parametrize(("rank_sums", "experts", "chi2", "p"), [
    ([3, 6, 9], 3, 6.0, 0.028), ([4, 5, 9], 3, 4.667, 0.194), ([4, 8, 12], 4, 8.0, 0.0046),
    ([5, 7, 12], 4, 6.5, 0.042), ([3, 6, 9, 12], 3, 9.0, 0.0017), ([4, 5, 9, 12], 3, 8.2, 0.017),
    ([2, 4, 6, 8], 2, 6.0, 0.042), ([3, 3, 6, 8], 2, 5.4, 0.167),
])  # fmt: skip
def test_exact_probabilities_are_those_of_friedman_1937(rank_sums, experts, chi2, p):
    # Friedman (1937), Journal of the American Statistical Association 32; Siegel (1956), table N
    found = kendall(ranks_of(rank_sums, experts))
    assert round(found["chi2"], 3) == chi2 and found["method"].startswith("精确概率")
    assert round(found["p"], len(str(p)) - 2) == p


@laws
@given(rows=scores)
def test_w_is_friedmans_chi2_and_lies_between_0_and_1(rows):
    x = frame(rows)
    if (x.nunique() == 1).all():
        return
    found = kendall(x, draws=10)
    assert 0 <= found["w"] <= 1 and 0 < found["p"] <= 1
    if x.shape[1] > 2 and len(x) > 2:
        chi2, p = friedmanchisquare(*x.to_numpy())  # items as treatments, experts as blocks
        assert (found["chi2"], found["p_chi2"]) == pytest.approx((chi2, p))


@laws
@given(rows=st.lists(st.lists(st.integers(1, 3), min_size=3, max_size=3), min_size=3, max_size=4))
def test_exact_probabilities_count_every_order_of_tied_ranks(rows):
    x = frame(rows)
    ranks = x.rank()
    if (x.nunique() == 1).all():
        return
    first, *others = (ranks[name].to_numpy() for name in x)
    least = ((ranks.sum(axis=1) - ranks.sum(axis=1).mean()) ** 2).sum()
    orders = product(*(list(map(np.array, permutations(row))) for row in others))
    hits = [np.var(first + sum(order)) * len(x) >= least - 1e-9 for order in orders]
    assert kendall(x)["p"] == pytest.approx(np.mean(hits))


def test_permutations_agree_with_the_exact_probability_and_are_seeded():
    x = frame(np.random.default_rng(3).permuted(np.tile(np.arange(6), (3, 1)), axis=1).T)
    exact = kendall(x)
    assert exact["method"].startswith("精确概率")
    wide = frame(np.random.default_rng(3).permuted(np.tile(np.arange(10), (4, 1)), axis=1).T)
    again = [kendall(wide, 999, seed)["p"] for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    assert kendall(wide, 20_000)["p"] == pytest.approx(0.5091, abs=0.02)  # of 400 000 by hand


@laws
@given(order=st.permutations(range(6)), experts=st.integers(2, 12), slope=st.integers(1, 5))
def test_equal_rankings_agree_perfectly(order, experts, slope):
    x = frame(np.transpose([np.array(order) * slope ** (k % 3) + k for k in range(experts)]))
    found = kendall(x, draws=10)
    assert found["w"] == 1
    again = kendall(x.iloc[::-1, ::-1], draws=10)
    assert again["w"] == 1 and again["formula"] == found["formula"]


def test_opposite_rankings_of_two_experts_have_no_agreement():
    found = kendall(frame([[1, 4], [2, 3], [3, 2], [4, 1]]))
    assert (found["w"], found["p"]) == (0, 1)


def test_the_formula_gives_w():
    found = kendall(JUDGES)
    formula = found["formula"].removeprefix("W＝").replace("×", "*").replace("÷", "/")
    assert eval(formula) == found["w"]  # noqa: S307


def test_an_expert_without_differences_counts_and_all_such_experts_are_refused():
    mixed = JUDGES.assign(专家2=5)
    rest = JUDGES.drop(columns="专家2")
    assert kendall(mixed)["w"] == pytest.approx(kendall(rest)["w"] * 3 / 4)
    with pytest.raises(EvalkitError, match="分不出先后") as error:
        kendall(JUDGES * 0)
    assert codes(error) == ["agree.flat"]


# --- ICC -----------------------------------------------------------------------------------------


def test_icc_of_shrout_and_fleiss_1979():
    # the intervals and tests as R's psych::ICC prints them for these data
    found = icc(JUDGES)
    assert found["icc"].round(2).tolist() == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    assert found["low"].round(3).tolist() == [-0.133, 0.019, 0.342, -0.884, 0.071, 0.676]
    assert found["high"].round(2).tolist() == [0.72, 0.76, 0.95, 0.91, 0.93, 0.99]
    assert found["f"].round(1).tolist() == [1.8, 11.0, 11.0] * 2
    assert found["df1"].tolist() == [5] * 6 and found["df2"].tolist() == [18, 15, 15] * 2
    assert found["p"].round(5).tolist() == [0.16477, 0.00013, 0.00013] * 2
    assert found.index.tolist() == [f"ICC({form},{k})" for k in "1k" for form in "123"]


def test_icc_of_the_anxiety_ratings():
    # pingouin 0.7.0; irr::icc(anxiety, "twoway", "agreement"): 0.198 (-0.039, 0.494)
    found = icc(ANXIETY)
    expected = [0.175022381, 0.197998259, 0.216049383, 0.388925729, 0.425498753, 0.452586207]
    assert found["icc"].round(9).tolist() == expected
    assert found["f"].iloc[:3].round(9).tolist() == [1.636462290, 1.826771654, 1.826771654]
    assert found["p"].iloc[:3].round(9).tolist() == [0.093930727, 0.056201274, 0.056201274]
    assert found["low"].round(2).tolist() == [-0.08, -0.04, -0.05, -0.27, -0.13, -0.15]
    assert found["high"].round(2).tolist() == [0.48, 0.49, 0.52, 0.74, 0.75, 0.77]
    assert found.loc["ICC(2,1)", ["low", "high"]].round(3).tolist() == [-0.039, 0.494]


@laws
@given(rows=scores, shift=st.integers(-50, 50), factor=st.integers(1, 9))
def test_icc_of_means_is_not_below_that_of_one_and_does_not_depend_on_the_scale(
    rows, shift, factor
):
    x = frame(rows)
    try:
        found = icc(x)
    except EvalkitError:
        assert np.ptp(x.mean(axis=1)) < 1e-12
        return
    one, many = found["icc"].iloc[:3].to_numpy(), found["icc"].iloc[3:].to_numpy()
    assert (many[one >= 0] >= one[one >= 0] - 1e-12).all() and (found["icc"] <= 1).all()
    assert found.notna().all(axis=None) and np.isfinite(found.iloc[:3, :3]).all(axis=None)
    assert (found["low"] <= found["icc"] + 1e-9).all() and (
        found["icc"] <= found["high"] + 1e-9
    ).all()
    again = icc(x.iloc[::-1, ::-1] * factor + shift)
    assert np.allclose(again[["icc", "low", "high", "p"]], found[["icc", "low", "high", "p"]])


def test_a_wider_confidence_gives_a_wider_interval():
    narrow, wide = icc(JUDGES, 0.9), icc(JUDGES, 0.99)
    assert (wide["low"] < narrow["low"]).all() and (wide["high"] > narrow["high"]).all()


def test_perfect_agreement_is_one_with_certainty():
    found = icc(frame([[0.1, 0.1, 0.1], [0.7, 0.7, 0.7], [0.3, 0.3, 0.3]]))
    assert (found[["icc", "low", "high"]] == 1).all(axis=None)
    assert (found["f"] == math.inf).all() and (found["p"] == 0).all()


def test_experts_who_differ_by_a_constant_agree_but_for_their_level():
    found = icc(frame([[1, 3, 4], [2, 4, 5], [5, 7, 8], [4, 6, 7]]))["icc"]
    assert found["ICC(3,1)"] == found["ICC(3,k)"] == 1
    assert found["ICC(1,1)"] < found["ICC(2,1)"] < 1


def test_experts_who_disagree_utterly_have_coefficients_below_zero():
    found = icc(frame([[1, 1], [1, 3], [3, 1]]))["icc"]
    assert found["ICC(1,1)"] == pytest.approx(-1 / 3) and found["ICC(2,1)"] == pytest.approx(-1)
    assert found["ICC(2,k)"] == -math.inf


def test_items_that_do_not_differ_have_no_icc():
    for rows in ([[1, 3], [3, 1], [2, 2]], [[2, 2], [2, 2]], [[0, 0], [0, 0]]):
        with pytest.raises(EvalkitError, match="项目之间没有差异") as error:
            icc(frame(rows))
        assert codes(error) == ["agree.items"]


def test_the_formulas_give_the_coefficients():
    found = icc(JUDGES)
    for form in ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)"):
        formula = found.loc[form, "formula"].replace("÷", "/")
        assert eval(formula) == pytest.approx(found.loc[form, "icc"], abs=1e-4)  # noqa: S307
    assert found.loc["ICC(3,k)", "formula"].startswith("4ρ÷(1+3ρ)，ρ＝(11.2417-1.0194)÷")


# --- who stands apart ----------------------------------------------------------------------------


def test_the_report_compares_every_expert_with_the_mean_of_the_others():
    found = outlying(JUDGES)
    for name in JUDGES:
        rest = JUDGES.drop(columns=name)
        mean = rest.mean(axis=1)
        line = found.loc[name]
        assert line["correlation"] == pytest.approx(spearmanr(JUDGES[name], mean).statistic)
        assert line["bias"] == pytest.approx((JUDGES[name] - mean).mean())
        assert line["deviation"] == pytest.approx((JUDGES[name] - mean).abs().mean())
        assert line["w_without"] == kendall(rest)["w"]
    assert (found["w"] == kendall(JUDGES)["w"]).all() and not found["flagged"].any()
    assert (found["reason"] == "").all()


def test_an_expert_who_ranks_against_the_others_is_flagged():
    found = outlying(frame([[9, 8, 9, 3], [7, 7, 6, 6], [5, 4, 5, 9]]))
    assert found["flagged"].tolist() == [False, False, False, True]
    assert "名次不一致" in found["reason"].iloc[3]
    assert found["w_without"].iloc[3] == 1 > found["w"].iloc[0]


def test_an_expert_far_from_the_others_level_is_flagged_by_the_modified_z():
    base = np.arange(60, 100, 5)[:, None] + np.array([0, 1, -1, 2, -2, 1, 0])
    found = outlying(frame(np.column_stack([base, base[:, 0] - 30])))
    assert found["flagged"].tolist() == [False] * 7 + [True]
    assert "修正z" in found["reason"].iloc[7] and found["bias"].iloc[7] < -25
    apart = found["deviation"] - found["deviation"].median()
    assert np.allclose(found["z"], 0.6745 * apart / apart.abs().median())


def test_where_most_experts_deviate_alike_the_mean_deviation_stands_in():
    x = frame(np.column_stack([np.tile([[1], [2], [3]], 9), [4, 6, 8]]))
    x.iloc[:, 8] = x.iloc[:, 0]
    found = outlying(x)
    apart = found["deviation"] - found["deviation"].median()
    assert apart.abs().median() == pytest.approx(0)
    assert found["z"].iloc[9] > 3.5 and found["flagged"].tolist() == [False] * 9 + [True]


def test_perfect_agreement_and_constant_experts_have_an_answer():
    same = outlying(frame([[1, 1, 1], [2, 2, 2], [3, 3, 3]]))
    assert (same[["correlation", "w", "w_without"]] == 1).all(axis=None)
    assert (same[["bias", "deviation", "z"]] == 0).all(axis=None) and not same["flagged"].any()
    flat = outlying(frame([[1, 1, 5], [2, 2, 5], [3, 3, 5]]))
    assert math.isnan(flat["correlation"].iloc[2])
    assert flat["flagged"].tolist() == [False, False, True]
    alone = outlying(frame([[1, 5, 5], [2, 5, 5], [3, 5, 5]]))
    assert math.isnan(alone["w_without"].iloc[0])


# --- tables that cannot be used ------------------------------------------------------------------


@pytest.mark.parametrize("report", [kendall, icc, outlying])
def test_one_expert_or_one_item_is_refused_with_the_reason(report):
    for x in (JUDGES[["专家1"]], JUDGES.iloc[:1]):
        with pytest.raises(EvalkitError, match="只有一位专家或一个项目时无从计算") as error:
            report(x)
        assert codes(error) == ["weight.few"]
    with pytest.raises(EvalkitError):
        report(pd.DataFrame())


def test_two_experts_are_too_few_to_say_which_stands_apart():
    with pytest.raises(EvalkitError, match="表有 6 行、2 列，至少须有 2 行、3 列"):
        outlying(JUDGES.iloc[:, :2])


@pytest.mark.parametrize("report", [kendall, icc, outlying])
@pytest.mark.parametrize(("cell", "code"), [
    (np.nan, "missing"), (None, "missing"), ("弃权", "cell"), (np.inf, "cell"),
])  # fmt: skip
def test_a_gap_is_named_by_row_and_column(report, cell, code):
    x = JUDGES.astype(object)
    x.loc["项2", "专家3"] = cell
    with pytest.raises(EvalkitError, match="“项2”行“专家3”列") as error:
        report(x)
    assert codes(error) == [f"weight.{code}"]
