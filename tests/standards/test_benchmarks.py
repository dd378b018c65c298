"""Benchmarks against the domain reference and their laws; bootstrap against its own formulas."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from support import SOAK
from test_outliers import V1, codes, hyndman_fan, worked_out

from evalkit.core.problem import EvalkitError
from evalkit.standards.benchmarks import NAMES, benchmarks, interval

KEPT = V1[:7]  # the manual, test vector V1 after the removal of 9.80
unit_costs = st.lists(
    st.integers(1, 10_000).map(lambda cents: cents / 100), min_size=1, max_size=60
)


def value(values, key: str, **more) -> float:
    return float(benchmarks(values, **more).loc[key, "value"])


# published values


def test_v1_to_the_printed_digit():
    found = benchmarks(KEPT)["value"]
    assert [f"{found[key]:.4f}" for key in ("mean", "median", "advanced_mean", "p25")] == [
        "5.5057", "5.5500", "5.0933", "5.2300",
    ]  # fmt: skip
    assert found["mean_advanced"] == pytest.approx((38.54 / 7 + 15.28 / 3) / 2)
    assert np.quantile(V1, (0.25, 0.75)) == pytest.approx([5.295, 5.975])
    assert (value(V1, "p25"), value(V1, "p75")) == pytest.approx((5.295, 5.975))


def test_names_methods_and_counts_are_told():
    found = benchmarks(KEPT, range(1, 8))
    assert found.index.tolist() == list(NAMES)
    assert found.loc["advanced_mean", ["name", "n"]].tolist() == ["先进平均值", 3]
    assert found.loc["best_third", "n"] == math.ceil(7 / 3)
    assert found.loc["p25", "method"] == "25%分位数，Hyndman–Fan 类型7"
    assert "类型6" in benchmarks(KEPT, quantile_type=6).loc["p75", "method"]


def test_the_weighted_mean_is_total_cost_over_total_volume():
    costs, volumes = [Decimal("120.50"), Decimal("300"), Decimal("81.20")], [40, 150, 20]
    unit = [cost / volume for cost, volume in zip(costs, volumes, strict=True)]
    assert value(unit, "weighted_mean", weights=volumes) == pytest.approx(501.70 / 210)
    assert "weighted_mean" not in benchmarks(unit).index


@pytest.mark.parametrize("n", range(1, 10))
def test_the_best_third_is_the_mean_of_the_lowest_rounded_up(n):
    values = [float(v) for v in range(n, 0, -1)]
    assert value(values, "best_third") == pytest.approx(np.mean(range(1, math.ceil(n / 3) + 1)))


@pytest.mark.parametrize("kind", range(1, 10))
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 9])
def test_quantiles_are_those_of_hyndman_and_fan(kind, n):
    values = [float(v * v) for v in range(n)]
    found = benchmarks(values, quantile_type=kind)["value"]
    for key, p in (("p25", 0.25), ("median", 0.5), ("p75", 0.75)):
        assert found[key] == pytest.approx(hyndman_fan(values, p, kind))


def test_one_value_is_every_benchmark():
    assert set(benchmarks([Decimal("3.10")], [7])["value"]) == {3.1}


@pytest.mark.parametrize("same", [0.1, 0.7, 1e9 / 3])
@pytest.mark.parametrize("n", [3, 7, 49])
def test_equal_values_all_count_as_advanced(same, n):
    found = benchmarks([same] * n, [1.0] * n)
    assert found.loc["advanced_mean", "n"] == n
    assert set(found["value"]) == {same}


# laws


@given(unit_costs)
def test_benchmarks_lie_between_the_lowest_and_the_highest(values):
    found = benchmarks(values, [1 + v for v in values])["value"]
    assert found.between(min(values), max(values)).all()
    assert found["advanced_mean"] <= found["mean_advanced"] <= found["mean"]
    assert found["min"] <= found["best_third"] <= found["mean"]
    assert found["p25"] <= found["median"] <= found["p75"]


@given(unit_costs, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(values, order):
    rows = [(v, v % 7 + 1) for v in values]
    before = benchmarks(*zip(*rows, strict=True))
    order.shuffle(rows)
    assert benchmarks(*zip(*rows, strict=True)).equals(before)


@given(unit_costs, st.sampled_from([0.01, 0.5, 3.0, 10_000.0]))
def test_benchmarks_scale_with_the_unit_of_money(values, scale):
    before, after = benchmarks(values)["value"], benchmarks([v * scale for v in values])["value"]
    assert after.to_numpy() == pytest.approx(before.to_numpy() * scale, rel=1e-12)


@given(unit_costs)
def test_the_weights_unit_does_not_matter(values):
    weights = [v % 5 + 1 for v in values]
    thousand = value(values, "weighted_mean", weights=[w * 1000 for w in weights])
    assert thousand == pytest.approx(value(values, "weighted_mean", weights=weights))


@given(unit_costs)
def test_formulas_give_their_values(values):
    found = benchmarks(values, [v % 3 + 1 for v in values])
    for formula, number in zip(found["formula"], found["value"], strict=True):
        assert worked_out(formula) == pytest.approx(number, abs=1e-7)


# bootstrap


def own_intervals(values, statistic, level, draws, seed):
    """Percentile and BCa from Efron & Tibshirani (1993), (13.5) and (14.9)–(14.15)."""
    x, rng = np.array(values), np.random.default_rng(seed)
    n = len(x)
    drawn = np.array([statistic(x[rng.integers(0, n, n)]) for _ in range(draws)])
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    z0 = norm.ppf((drawn < statistic(x)).mean() + (drawn == statistic(x)).mean() / 2)
    left_out = np.array([statistic(np.delete(x, i)) for i in range(n)])
    u = left_out.mean() - left_out
    a = (u**3).sum() / (6 * (u**2).sum() ** 1.5)
    z = z0 + norm.ppf(tails)
    return np.quantile(drawn, tails), np.quantile(drawn, norm.cdf(z0 + z / (1 - a * z)))


def advanced(x):
    return x[x <= x.mean()].mean()


@pytest.mark.parametrize(
    ("key", "statistic"),
    [
        ("mean", np.mean),
        ("advanced_mean", advanced),
        ("mean_advanced", lambda x: (x.mean() + advanced(x)) / 2),
        ("best_third", lambda x: np.sort(x)[: math.ceil(len(x) / 3)].mean()),
    ],
)
def test_intervals_are_those_of_efron_and_tibshirani(key, statistic):
    values = np.random.default_rng(3).lognormal(2, 0.4, 30)
    draws = 100_000 if SOAK else 10_000
    found = interval(values, key, 0.9, draws=draws, seed=1)
    width = found["high"] - found["low"]
    percentile, bca = own_intervals(values, statistic, 0.9, draws, 2)
    assert found["method"].tolist() == ["百分位法", "BCa法"]
    assert found.loc[0, ["low", "high"]].tolist() == pytest.approx(percentile, abs=width[0] / 20)
    assert found.loc[1, ["low", "high"]].tolist() == pytest.approx(bca, abs=width[1] / 20)


def test_the_interval_of_a_mean_nears_the_normal_one():
    values = np.random.default_rng(5).normal(10, 2, 400)
    half = norm.ppf(0.975) * values.std() / math.sqrt(400)
    for low, high in interval(values, "mean", draws=4000)[["low", "high"]].to_numpy():
        assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_units_are_resampled_with_their_weights():
    values, weights = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [1, 1, 1, 1, 1, 1, 1, 1000]
    found = interval(values, "weighted_mean", weights=weights, draws=2000)
    assert found["estimate"].iloc[0] == pytest.approx((28 + 8000) / 1007)
    assert found.loc[0, "low"] < 5 and found.loc[0, "high"] == pytest.approx(8, abs=0.1)


@pytest.mark.parametrize("key", NAMES)
def test_equal_input_and_seed_give_equal_intervals_in_any_order(key):
    values, weights = np.array(KEPT), np.arange(1.0, 8.0)
    found = interval(values, key, draws=500, seed=7, weights=weights)
    again = interval(values[::-1], key, draws=500, seed=7, weights=weights[::-1])
    assert found.equals(again)
    assert not found.equals(interval(values, key, draws=500, seed=8, weights=weights))
    assert ((found["low"] <= found["estimate"]) & (found["estimate"] <= found["high"])).all()


def test_a_small_sample_is_told():
    assert interval(KEPT, draws=200)["note"].iloc[0].startswith("样本仅7个，不足8个，区间偏窄")
    assert interval(V1, draws=200)["note"].tolist() == ["", ""]


def test_without_any_spread_bca_is_left_out_and_told():
    found = interval([4.2] * 9, "mean", draws=200)
    assert found[["method", "low", "high"]].values.tolist() == [["百分位法", 4.2, 4.2]]
    assert found.loc[0, "note"] == "BCa法无解（各次重抽样结果相同）"


def test_thousands_of_units_are_quick_and_quiet():
    values = np.random.default_rng(1).lognormal(size=3000)
    assert interval(values, "p25", draws=1000).notna().all(axis=None)


# refusals


@pytest.mark.parametrize("bad", [None, float("nan"), "5", math.inf])
def test_a_value_that_is_no_number_is_refused(bad):
    with pytest.raises(EvalkitError, match=r"第 2 行“单位成本”的值.*不是有限的数"):
        benchmarks([1.0, bad])


@pytest.mark.parametrize("bad", [0, -5])
def test_a_volume_that_is_not_positive_is_refused(bad):
    with pytest.raises(EvalkitError, match=rf"第 2 行“业务量”为 {bad}，不是正数"):
        benchmarks([1.0, 2.0], [3, bad])


def test_values_and_volumes_must_match():
    with pytest.raises(EvalkitError, match="个数不同"):
        benchmarks([1.0, 2.0], [3.0])


def test_an_empty_sample_and_a_sample_of_one_are_refused():
    with pytest.raises(EvalkitError, match="只有 0 个样本"):
        benchmarks([])
    with pytest.raises(EvalkitError, match="只有 1 个样本，至少需要 2 个"):
        interval([1.0])


@pytest.mark.parametrize(
    "arguments",
    [
        {"statistic": "mode"},
        {"statistic": "weighted_mean"},
        {"level": 1},
        {"draws": 0},
        {"quantile_type": 0},
    ],
)
def test_arguments_of_an_interval_out_of_range_are_refused(arguments):
    with pytest.raises(EvalkitError) as error:
        interval(KEPT, **arguments)
    assert codes(error) == ["sample.interval"]


def test_a_quantile_type_that_does_not_exist_is_refused():
    with pytest.raises(EvalkitError, match="应为1–9"):
        benchmarks(KEPT, quantile_type=12)


def test_a_series_with_any_index_is_taken_in_order():
    series = pd.Series(KEPT, index=list("gfedcba"))
    assert benchmarks(series, pd.Series(range(1, 8))).equals(benchmarks(KEPT, list(range(1, 8))))
