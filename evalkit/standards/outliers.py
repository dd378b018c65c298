"""Outliers are flagged by rules and decided by people; nothing leaves a sample silently."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.core.numbers import to_decimal
from evalkit.core.problem import demand, refuse, sentence
from evalkit.core.yaml_file import load_yaml
from evalkit.standards.rows import problems

Floats = NDArray[np.float64]
Values = Sequence[Any] | NDArray[Any] | pd.Series
TEXTS = load_yaml(Path(__file__).with_name("samples.yaml"))
QUANTILE_TYPES: dict[int, Any] = {int(key): name for key, name in TEXTS["quantile_types"].items()}
_KEYS = ("unit", "year", "item", "category", "driver", "tier")  # what tells observations apart
_SAID = ["decision", "cause", "approver"]
_FIXED = r"修正为-?\d+(\.\d+)?"
_NOISE = 1e-12  # what floats lose in a sum; a value this near a limit is on it, not beyond


def shown(number: float, digits: int = 10) -> str:
    """A statistic in a formula: plain digits, `digits` of them significant.

    >>> shown(1234567.891, 6), shown(0.1 + 0.2)
    ('1234570', '0.3')
    """
    return np.format_float_positional(number, digits, unique=False, fractional=False, trim="-")


def numbers(
    frame: pd.DataFrame, columns: Sequence[str], least: int = 1, positive: Sequence[str] = ()
) -> pd.DataFrame:
    """The columns as floats, each of them checked.

    Args:
        frame: one row an observation; a column `at` names the cell each row came from.
        columns: those to take; text is not taken for a number.
        least: the fewest rows that make a sample.
        positive: columns that must be above zero.

    Raises:
        EvalkitError: a column is missing, rows are too few, a value is not a finite number or,
            in a column of `positive`, not above zero; all at once.

    >>> numbers(pd.DataFrame({"cost": [Decimal("1.5"), 2]}), ["cost"])["cost"].tolist()
    [1.5, 2.0]
    """
    refuse([sentence("sample.column", name=name) for name in columns if name not in frame])
    number, cells = int | float | np.number | Decimal, frame[list(columns)]
    table = cells.map(lambda v: float(v) if isinstance(v, number) else np.nan)
    found = [sentence("sample.few", n=len(frame), least=least)] * (len(frame) < least)
    for name in columns:
        rows = frame.assign(value=frame[name].astype(object))
        finite = table[name].abs() < 1e100  # so that squares and sums are
        low = finite & (table[name] <= 0) & (name in positive)
        found += problems(rows, ~finite, "sample.value", name=name)
        found += problems(rows, low, "sample.positive", name=name)
    refuse(found)
    return table


def _values(values: Values) -> tuple[pd.Index, Floats]:
    frame = pd.DataFrame({"数值": pd.Series(values, dtype=object)})
    return frame.index, numbers(frame, ["数值"], least=3)["数值"].to_numpy()


def _scores(
    rule: str, index: pd.Index, x: Floats, centre: Any, spread: Any, limit: Any, factor: float = 1
) -> pd.DataFrame:
    """Deviates from the centre in units of the spread, with their limits."""
    centre, spread, limit = (np.broadcast_to(part, x.shape) for part in (centre, spread, limit))
    spread = np.where(spread > 0, spread, 1)  # no spread: nothing departs from the centre
    statistic, times = factor * (x - centre) / spread, "" if factor == 1 else f"{shown(factor)}×"
    parts = ([shown(number) for number in part] for part in (x, centre, spread))
    return pd.DataFrame({
        "rule": rule, "statistic": statistic, "low": -limit, "high": limit,
        "flagged": np.abs(statistic) > limit * (1 + _NOISE),
        "formula": [f"{times}({v}-{c})/{s}" for v, c, s in zip(*parts, strict=True)],
    }, index=index)  # fmt: skip


def _moments(x: Floats) -> tuple[float, float]:
    """Mean and standard deviation; of equal values their own, and 0."""
    equal = np.ptp(x) <= _NOISE * np.abs(x).max()
    return (x[0], 0.0) if equal else (x.mean(), x.std(ddof=1))


def tukey(values: Values, k: float = 1.5, quantile_type: int = 7) -> pd.DataFrame:
    """Tukey's fences: flagged below Q1-k·IQR or above Q3+k·IQR.

    Source: Tukey (1977), Exploratory Data Analysis, with k = 1.5; quantile types are those of
    Hyndman & Fan (1996), 7 being linear interpolation, as in Excel's QUARTILE.INC.

    Args:
        values: one number an observation, at least three; a Series keeps its index.
        k: how many interquartile ranges the fences stand off.
        quantile_type: 1–9.

    Returns:
        One row an observation, in order: rule, statistic (here the value itself), low, high,
        flagged, formula. The other rules give the same columns.

    Raises:
        EvalkitError: a value is not a finite number, or there are fewer than three.

    >>> costs = [4.82, 5.10, 5.36, 5.55, 5.61, 5.90, 6.20, 9.80]
    >>> fences = tukey(costs)
    >>> print(*fences.loc[7, ["rule", "flagged", "formula"]])
    Tukey围栏（k=1.5，分位数类型7） True [5.295-1.5×(5.975-5.295), 5.975+1.5×(5.975-5.295)]
    """
    valid = k > 0 and quantile_type in QUANTILE_TYPES
    demand(valid, "sample.argument", name="k、quantile_type", known="大于 0 的数、1–9")
    index, x = _values(values)
    first, third = np.quantile(x, (0.25, 0.75), method=QUANTILE_TYPES[quantile_type])
    low, high = first - k * (third - first), third + k * (third - first)
    noise, reach = _NOISE * np.abs(x).max(), f"{shown(k)}×({shown(third)}-{shown(first)})"
    return pd.DataFrame({
        "rule": f"Tukey围栏（k={shown(k)}，分位数类型{quantile_type}）", "statistic": x, "low": low,
        "high": high, "flagged": (x < low - noise) | (x > high + noise),
        "formula": f"[{shown(first)}-{reach}, {shown(third)}+{reach}]",
    }, index=index)  # fmt: skip


def robust_z(values: Values, limit: float = 3.5) -> pd.DataFrame:
    """Modified z-scores 0.6745(x-median)/MAD; flagged where |z| exceeds the limit.

    Source: Iglewicz & Hoaglin (1993), How to Detect and Handle Outliers, with limit 3.5. When
    more than half of the values coincide the MAD is 0; the mean absolute deviation about the
    median takes its place, with its own constant √(2/π) = 0.7979; when all values coincide
    every score is 0.

    Returns:
        The columns of `tukey`; statistic is the signed score.

    >>> robust_z([4.82, 5.10, 5.36, 5.55, 5.61, 5.90, 6.20, 9.80]).loc[7, "formula"]
    '0.6745×(9.8-5.58)/0.4'
    """
    demand(limit > 0, "sample.argument", name="limit", known="大于 0 的数")
    index, x = _values(values)
    median, factor, kind = np.median(x), 0.6745, "MAD"
    apart = np.abs(x - median)
    apart[apart <= _NOISE * np.abs(x).max()] = 0
    if (spread := np.median(apart)) == 0:
        spread, factor, kind = apart.mean(), np.sqrt(2 / np.pi), "MAD为0，改用平均绝对偏差"
    return _scores(f"稳健z（{kind}，限值{shown(limit)}）", index, x, median, spread, limit, factor)


def three_sigma(values: Values, limit: float = 3.0) -> pd.DataFrame:
    """Classical z-scores (x-mean)/s, kept for comparison only: the outlier inflates its own s.

    No value of n can lie farther than (n-1)/√n standard deviations from the mean (Shiffler 1988,
    The American Statistician 42(1)), so a sample that could never be flagged is refused: n ≤ 10
    for three sigma.

    Returns:
        The columns of `tukey`; statistic is the signed score.

    >>> three_sigma([5.0] * 5 + [5.2] * 5 + [9.8])["flagged"].sum()
    np.int64(1)
    """
    index, x = _values(values)
    reach = (len(x) - 1) / np.sqrt(len(x))
    demand(limit < reach, "sample.sigma", n=len(x), reach=f"{reach:.3f}", limit=shown(limit))
    return _scores(f"{shown(limit)}倍标准差", index, x, *_moments(np.sort(x)), limit)


def esd(values: Values, most: int, alpha: float = 0.05) -> pd.DataFrame:
    """Generalised extreme Studentised deviates for up to `most` outliers.

    Source: Rosner (1983), Technometrics 25(2); NIST/SEMATECH e-Handbook 1.3.5.17.3. The farthest
    value is taken out `most` times; the outliers are all that were taken out up to the last
    step whose deviate exceeds its critical value, so outliers that mask one another are found.
    Rosner's critical values are approximate below n = 15.

    Args:
        values: one number an observation.
        most: the most outliers to look for, at most n-2.
        alpha: level of the test.

    Returns:
        The columns of `tukey` and step: when the value was taken out, 0 if never; its deviate
        and limit are those of that step (of the last one, for values never taken out). Of two
        values equally far out the higher goes first; equal values are flagged together.

    >>> esd([3.1, 3.0, 3.2, 2.9, 3.1, 3.0, 8.0, 8.1], most=2)["flagged"].tolist()
    [False, False, False, False, False, False, True, True]
    """
    from scipy.stats import t as student

    index, x = _values(values)
    n, beyond, left = len(x), 0, np.argsort(-x, kind="stable")
    valid, known = 0 < alpha < 1 and 1 <= most <= n - 2, f"0 与 1 之间的数、1–{n - 2}"
    demand(valid, "sample.argument", name="alpha、most", known=known)
    centre, spread, limit, step = np.zeros((4, n))
    for i in range(1, most + 1):
        rest, tail = x[left], student.ppf(1 - alpha / (2 * (n - i + 1)), n - i - 1)
        centre[left], spread[left] = _moments(rest)
        limit[left] = (n - i) * tail / np.sqrt((n - i - 1 + tail**2) * (n - i + 1))
        apart = np.abs(rest - centre[left])
        far = left[np.flatnonzero(apart >= apart.max() * (1 - _NOISE))[0]]
        beyond = i if apart.max() > spread[far] * limit[far] * (1 + _NOISE) > 0 else beyond
        step[far], left = i, left[left != far]
    table = _scores(f"广义ESD（至多{most}个，α={shown(alpha)}）", index, x, centre, spread, limit)
    taken = x[(step > 0) & (step <= beyond)]
    return table.assign(flagged=np.isin(x, taken), step=step.astype(int))


def grubbs(values: Values, alpha: float = 0.05) -> pd.DataFrame:
    """Grubbs' two-sided test for one outlier: `esd` with one step.

    Source: Grubbs (1950), Annals of Mathematical Statistics 21(1); NIST/SEMATECH e-Handbook
    1.3.5.17.1.

    >>> grubbs([199.31, 199.53, 200.19, 200.82, 201.92, 201.95, 202.18, 245.57])["statistic"].max()
    np.float64(2.46876461121...)
    """
    return esd(values, 1, alpha).assign(rule=f"Grubbs（双侧，α={shown(alpha)}）")


def log(frame: pd.DataFrame, column: str, *rules: pd.DataFrame, least: int = 8) -> pd.DataFrame:
    """Every flag of every rule, ready for people to decide on.

    Args:
        frame: the observations; of its columns unit, year, item, category, driver, tier and at
            those that are there are taken over.
        column: the one that was tested.
        rules: results of the rules on that column, row for row.
        least: below this many values (8: docs/cost_standards.md) a flag alone removes nothing; the
            decision that is waited for then says that the median is to be used.

    Returns:
        One row for each flagged observation and rule: the columns taken over; row (number of
        the observation from 1), n (size of the sample), value, rule, statistic, limit, reason,
        decision (待核实), cause, approver.

    >>> costs = pd.DataFrame({"unit": list("甲乙丙丁戊"), "cost": [5.1, 5.2, 5.0, 5.1, 9.8]})
    >>> found = log(costs, "cost", robust_z(costs["cost"]))
    >>> print(found.loc[0, "unit"], found.loc[0, "reason"])
    戊 统计量高于上限：0.6745×(9.8-5.1)/0.1
    """
    known, n = [name for name in (*_KEYS, "at") if name in frame], len(frame)
    base = frame[known].assign(row=range(1, n + 1), n=n, value=frame[column])
    tables = [base.reset_index(drop=True).join(rule.reset_index(drop=True)) for rule in rules]
    found = pd.concat(tables).query("flagged").reset_index(drop=True)
    above = found["statistic"] > found["high"]
    says = np.where(above, "统计量高于上限：", "统计量低于下限：") + found["formula"].astype(object)
    found["limit"] = found["high"].where(above, found["low"])
    waiting = TEXTS["pending"][n < least].format(least=least)
    found = found[[*base, "rule", "statistic", "limit"]]
    return found.assign(reason=says, decision=waiting, cause="", approver="")


def _names(frame: pd.DataFrame, keys: list[str]) -> pd.Index:
    return pd.Index(["、".join(map(str, key)) for key in frame[keys].itertuples(index=False)])


def decide(log: pd.DataFrame, decisions: pd.DataFrame, least: int = 8) -> pd.DataFrame:
    """Enter people's decisions in the log; nothing is removed without a cause.

    In a sample of fewer than `least` values (docs/cost_standards.md: 8) a removal also needs a name
    of the person who approved it, as a corrected value always does; until then the value is
    only flagged, and the median is the figure to use.

    Args:
        log: made by `log`.
        decisions: one row for each observation decided on: the columns that tell the log's
            observations apart (unit, year, item, …; or row where it has none), decision (保留,
            剔除 or 修正为 with the number), cause, approver; `at` names the cell.
        least: sample size from which a rule and a cause suffice for a removal.

    Returns:
        The log with decision, cause and approver filled in; what nobody decided stays 待核实.

    Raises:
        EvalkitError: a decision about what was not flagged, twice about the same, in other
            words, without a cause, or without the approver it needs.

    >>> costs = pd.DataFrame({"unit": list("甲乙丙丁戊"), "cost": [5.1, 5.2, 5.0, 5.1, 9.8]})
    >>> said = pd.DataFrame([{"unit": "戊", "decision": "剔除", "cause": "含一次性大修",
    ...                       "approver": "张某"}])
    >>> decided = decide(log(costs, "cost", robust_z(costs["cost"])), said)
    >>> settle(costs, "cost", decided)["unit"].tolist()
    ['甲', '乙', '丙', '丁']
    """
    if decisions.empty:
        return log
    needed = [name for name in _KEYS if name in log and log[name].nunique() > 1]
    keys = [name for name in _KEYS if name in log and name in {*decisions, *needed}] or ["row"]
    missing = [name for name in (*keys, *_SAID) if name not in decisions]
    refuse([sentence("sample.column", name=name) for name in missing])
    said = decisions[_SAID].map(lambda text: "" if pd.isna(text) else str(text).strip())
    said.index, whose = _names(decisions, keys), _names(log, keys)
    n = said.index.map(dict(zip(whose, log["n"], strict=True))).fillna(0)
    removed, fixed = said["decision"] == "剔除", said["decision"].str.fullmatch(_FIXED)
    named = decisions.assign(name=said.index, n=n, least=least)
    checks = {
        "unflagged": n == 0, "decided": said.index.duplicated(keep=False),
        "decision": ~(fixed | removed | (said["decision"] == "保留")),
        "cause": said["cause"] == "",
        "approver": (said["approver"] == "") & (fixed | (removed & (n < least))),
    }  # fmt: skip
    refuse([p for what, mask in checks.items() for p in problems(named, mask, f"sample.{what}")])
    return log.assign(**said.reindex(whose).set_axis(log.index).fillna(log[_SAID]))


def settle(frame: pd.DataFrame, column: str, decided: pd.DataFrame) -> pd.DataFrame:
    """The observations after the decisions: without those removed, with those corrected.

    Args:
        frame: the observations that were given to `log`, unchanged.
        column: the one that was tested.
        decided: made by `decide`; what is 待核实 or 保留 stays as it is.
    """
    values: list[Any] = frame[column].tolist()
    for row, text in zip(decided["row"] - 1, decided["decision"], strict=True):
        if text.startswith(("剔除", "修正为")):
            values[row] = to_decimal(text[3:]) if text[3:] else None
    return frame.assign(**{column: values})[[value is not None for value in values]]
