"""Benchmarks of unit cost among comparable units, and how far a resampled sample moves them."""

import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from evalkit.core.problem import demand
from evalkit.standards import outliers
from evalkit.standards.outliers import QUANTILE_TYPES, Floats, Values, numbers, shown

NAMES: dict[str, list[str]] = outliers.TEXTS["benchmarks"]
_QUANTILES = {"median": 0.5, "p25": 0.25, "p75": 0.75}


def _counts(key: str, x: Floats, w: Floats) -> Any:
    """What each value (along the last axis) counts in a benchmark that is a mean."""
    if key in ("best_third", "min"):
        return x.argsort(-1).argsort(-1) < (-(-x.shape[-1] // 3) if key == "best_third" else 1)
    if key == "advanced_mean":  # a float mean of equal values may fall short of them
        return x <= x.mean(-1, keepdims=True) + 1e-12 * np.abs(x).max(-1, keepdims=True)
    return w if key == "weighted_mean" else np.ones_like(x)


def _value(key: str, quantile: Any, x: Floats, w: Floats, axis: int = -1) -> Any:
    """One benchmark of values with weights, along the last axis."""
    if key in _QUANTILES:
        return np.quantile(x, _QUANTILES[key], axis=axis, method=quantile)
    if key == "mean_advanced":
        return (_value("mean", quantile, x, w) + _value("advanced_mean", quantile, x, w)) / 2
    counts = _counts(key, x, w)
    return np.clip((x * counts).sum(axis) / counts.sum(axis), x.min(axis), x.max(axis))


def _sample(values: Values, weights: Values | None, least: int) -> tuple[Floats, Floats]:
    demand(weights is None or len(weights) == len(values), "sample.weights")
    columns = {"单位成本": list(values), "业务量": 1 if weights is None else list(weights)}
    table = numbers(pd.DataFrame(columns), list(columns), least, positive=["业务量"])
    x, w = table.sort_values(list(columns)).to_numpy().T
    return x, w


def benchmarks(
    values: Values, weights: Values | None = None, quantile_type: int = 7
) -> pd.DataFrame:
    """Benchmarks of unit cost, lower being better.

    Source: docs/cost_standards.md (先进平均, 平均先进 in the common form; P25 or the best third as
    标杆). The best third is the mean of the ⌈n/3⌉ lowest values.

    Args:
        values: unit costs, one a unit.
        weights: volumes in the same order, above zero; without them no weighted mean is given.
        quantile_type: of Hyndman & Fan (1996), 1–9; 7 interpolates linearly.

    Returns:
        One row a benchmark, by key (mean, weighted_mean, median, p25, p75, advanced_mean,
        mean_advanced, best_third, min): name, value, n (observations it rests on), method,
        formula.

    Raises:
        EvalkitError: no values, one that is not a finite number, a weight that is not positive.

    >>> table = benchmarks([4.82, 5.10, 5.36, 5.55, 5.61, 5.90, 6.20])
    >>> table["value"].round(4).to_dict()["advanced_mean"], table.loc["p25", "formula"]
    (5.0933, '5.1+0.5×(5.36-5.1)')
    """
    demand(quantile_type in QUANTILE_TYPES, "sample.argument", name="quantile_type", known="1–9")
    (x, w), rows = _sample(values, weights, 1), []
    for key, (name, method) in NAMES.items():
        counts, value = _counts(key, x, w), float(_value(key, QUANTILE_TYPES[quantile_type], x, w))
        formula = f"{shown((x * counts).sum())}/{shown(counts.sum())}"
        if key in _QUANTILES:
            low, high = x[x <= value][-1], x[x >= value][0]
            share = shown((value - low) / (high - low or 1))
            formula = f"{shown(low)}+{share}×({shown(high)}-{shown(low)})"
        method = method.format(type=quantile_type)
        rows.append((name, value, np.count_nonzero(counts), method, formula))
    table = pd.DataFrame(rows, list(NAMES), ["name", "value", "n", "method", "formula"])
    both = table["value"].map(shown)
    table.loc["mean_advanced", "formula"] = f"({both['mean']}+{both['advanced_mean']})/2"
    return table.drop([] if weights is not None else "weighted_mean")


def interval(
    values: Values, statistic: str = "median", level: float = 0.95, draws: int = 9999,
    seed: int = 0, weights: Values | None = None, quantile_type: int = 7, least: int = 8,
) -> pd.DataFrame:  # fmt: skip
    """Bootstrap intervals of one benchmark: percentile and BCa.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, ch. 13–14; scipy.
    Units are resampled with their weights. Equal input and seed give equal intervals.

    Args:
        values: unit costs.
        statistic: a key of `benchmarks`.
        level: of confidence.
        draws: resamples.
        seed: of the generator.
        weights: volumes, as for `benchmarks`.
        quantile_type: as for `benchmarks`.
        least: below this many values the note says that the interval is too narrow.

    Returns:
        One row a method: method, low, high, estimate, n, level, draws, seed, note. Where BCa
        has no answer (all resamples alike) its row is left out and the note says so.

    Raises:
        EvalkitError: as `benchmarks`; fewer than two values; an unknown statistic.

    >>> interval([4.82, 5.10, 5.36, 5.55, 5.61, 5.90, 6.20], "mean", draws=999)["method"].tolist()
    ['百分位法', 'BCa法']
    """
    from scipy.stats import bootstrap

    valid = 0 < level < 1 and draws > 0 and quantile_type in QUANTILE_TYPES
    valid = valid and statistic in NAMES and (weights is not None or statistic != "weighted_mean")
    demand(valid, "sample.interval", known="、".join(NAMES))
    (x, w), rows, done = _sample(values, weights, 2), [], None
    note = f"样本仅{len(x)}个，不足{least}个，区间偏窄，仅供参考" if len(x) < least else ""
    one = partial(_value, statistic, QUANTILE_TYPES[quantile_type])
    for name, method in (("百分位法", "percentile"), ("BCa法", "BCa")):
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            done = bootstrap(
                (x, w), one, paired=True, vectorized=True, confidence_level=level, method=method,
                n_resamples=0 if done else draws, bootstrap_result=done,
                batch=max(1, 500_000 // len(x)), rng=np.random.default_rng(seed),
            )  # fmt: skip
        rows.append((name, *done.confidence_interval))
    table = pd.DataFrame(rows, columns=["method", "low", "high"]).dropna()
    note += "；BCa法无解（各次重抽样结果相同）" * (len(table) < 2)
    table = table.assign(estimate=float(one(x, w)), n=len(x), level=level, draws=draws, seed=seed)
    return table.assign(note=note.lstrip("；"))
