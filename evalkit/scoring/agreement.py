"""How far experts agree: Kendall's W, intraclass correlations, who stands apart.

Tables have items in rows and experts in columns, every cell filled. One expert, one item and
scores without any difference are refused with the reason.
"""

from itertools import count, permutations
from math import factorial, isqrt
from typing import Any

import numpy as np
import pandas as pd

from evalkit.core.problem import demand
from evalkit.scoring.weights import DATA, DIGITS, LEAST, NOISE, WORDS, Frame, grid, shown

WORK, SORTED, DRAWS, CONFIDENCE, MODIFIED, FAR = (float(n) for n in DATA["agreement"].values())


def _ranked(x: Frame) -> tuple[Any, list[int], int, float]:
    """Ranks by expert (twice, less their mean: integers), their squares, those of their sums, W."""
    ranks = (2 * x.rank() - len(x) - 1).to_numpy().astype(int).T
    # summed without end: those of a million items pass 2⁶³
    squares, s = (ranks**2).sum(1).tolist(), sum((ranks.sum(0) ** 2).tolist())
    return ranks, squares, s, s / (len(ranks) * sum(squares)) if any(squares) else np.nan


def _scaled(x: Frame) -> tuple[Frame, float]:
    """Numbers up to 1, and the power of two that they were divided by: nothing is rounded."""
    scale = float(np.exp2(np.frexp(np.abs(x.to_numpy()).max())[1]))
    return x / scale, scale


def _chance(ranks: Any, s: int) -> float | None:
    """Probability of at least `s` if all experts rank at random; None if too much to count."""
    n, states, chance = ranks.shape[1], ranks[:1], np.array([1.0])
    for row in ranks[1:]:
        if len(states) * factorial(min(n, DIGITS)) > WORK:
            return None
        every = np.array(list(permutations(row)))
        sums = np.sort((states[:, None] + every).reshape(-1, n))
        _, first, which = np.unique(sums @ (2 * ranks.size + 1) ** np.arange(n), True, True)
        states, chance = sums[first], np.bincount(which, np.repeat(chance, len(every)) / len(every))
    return min(float(chance[(states**2).sum(1) >= s].sum()), 1.0)  # a sum of roundings


def _drawn(ranks: Any, s: int, draws: int, seed: int) -> float | None:
    """The same of random orders, the given one among them; None if too much to sort and add.

    From q orders of each expert come q² tables: (a, b) takes order a + kb mod q of expert k. As q
    is prime and not below the number of experts, two tables share at most one order; one order
    tells nothing of S, so that any two are independent as if each had been sorted by itself.
    """
    q = next(q for q in count(max(len(ranks), isqrt(draws) + 1)) if all(q % d for d in range(2, q)))
    if ranks.size * q**2 > SORTED:
        return None
    random = np.random.default_rng(seed)
    orders = random.permuted(np.repeat(ranks[:, None], q - 1, 1), axis=2)
    tables = np.concatenate([ranks[:, None], orders] * 2, 1).astype(float)
    sums = (sum(table[k * b % q :][:q] for k, table in enumerate(tables)) for b in range(q))
    high = np.ravel([np.einsum("ij,ij->i", one, one) >= s for one in sums])
    return float(1 + random.choice(high[1:], draws, False).sum()) / (1 + draws)


def kendall(scores: Frame, draws: int = int(DRAWS), seed: int = 0) -> pd.Series:
    """Kendall's coefficient of concordance, corrected for ties, with two tests.

    W = 12 S / (m²(n³-n) - m ΣT), T = Σ(t³-t) of an expert's ties, reckoned as the square sum of
    the rank sums ÷ (m × the square sum of all ranks), both about their means; χ² = m(n-1)W with
    n-1 degrees of freedom, for more than seven items, too cautious for few experts. Beside it the
    exact probability (every expert's own ranks, ties kept, in every order) where it can be
    counted, else that of random permutations, (1+hits)/(1+draws); for tables for which that is too
    much (some ten thousand cells at 9 999 draws) that of the Beta distribution which has the mean
    1/m and the variance of W under all orders, 2((Σa)²-Σa²)/((n-1)(mΣa)²), a the square sum of an
    expert's ranks. Not for scores whose level matters as well: `icc`.

    Source: Kendall & Babington Smith (1939), Annals of Mathematical Statistics 10(3); Kendall &
    Gibbons (1990), Rank Correlation Methods, 5th ed., 6; Legendre (2005), Journal of Agricultural,
    Biological and Environmental Statistics 10 (few experts); Kong & Zheng (2021), Design based
    incomplete U-statistics, Statistica Sinica 31 (the choice of orders).

    Args:
        scores: items × experts, at least two of each; scores or ranks (low or high first).
        draws: random permutations.
        seed: of their generator.

    Returns:
        w, experts, items, chi2, df, p_chi2, p, method (how p was found), formula.

    Raises:
        EvalkitError: what `grid` raises; every expert scores all items alike.

    >>> ranks = Frame({"一": [1, 2, 3], "二": [1, 3, 2], "三": [1, 2, 3]}, index=list("甲乙丙"))
    >>> kendall(ranks)[["w", "p", "formula"]].tolist()
    [0.7777777777777778, 0.194..., 'W＝56÷(3×24)']
    """
    from scipy.stats import beta, chi2

    x = grid(scores, (2, 2))
    (ranks, squares, s, w), (n, m) = _ranked(x), x.shape
    demand(ranks.any(), "agree.flat")
    whole, apart = sum(squares), ranks[ranks.any(1)]
    p, method = _chance(apart, s), WORDS["exact"]
    if p is None:
        p, method = _drawn(apart, s, draws, seed), WORDS["random"].format(draws, seed)
    if p is None:
        spread = 2 * (1 - sum((a / whole) ** 2 for a in squares))
        size, method = (m - 1) * (n - 1) / spread - 1, WORDS["beta"]
        p = beta.sf(w, size / m, size - size / m)
    chi, formula = m * (n - 1) * w, f"W＝{s}÷({m}×{whole})"
    return pd.Series([w, m, n, chi, n - 1, chi2.sf(chi, n - 1), float(p), method, formula],
                     DATA["kendall"])  # fmt: skip


def icc(scores: Frame, confidence: float = CONFIDENCE) -> Frame:
    """The six intraclass correlations of Shrout & Fleiss with intervals and F tests.

    With mean squares between items B, within items W, between experts J and residual E:
    ICC(1,1) = (B-W)/(B+(k-1)W): each item has experts of its own; ICC(2,1) =
    (B-E)/(B+(k-1)E+k(J-E)/n): the experts are a sample, their level counts; ICC(3,1) =
    (B-E)/(B+(k-1)E): these experts only, their level does not count; (·,k) = kρ/(1+(k-1)ρ): of
    the mean of k experts. F = B/W or B/E. Not for ranks, nor for items chosen to be alike.

    Source: Shrout & Fleiss (1979), Psychological Bulletin 86(2); McGraw & Wong (1996),
    Psychological Methods 1(1).

    Args:
        scores: n items × k experts, at least two of each.
        confidence: of the two-sided intervals.

    Returns:
        A row a form: icc, low, high, f, df1, df2, p, formula. Perfect agreement gives 1 with the
        interval 1–1, F infinite. Below zero, experts agree less than at random; where ρ is not
        above -1/(k-1), that of the mean is -∞. Satterthwaite's degrees of freedom of ICC(2,·) count
        as 1 in the upper limit if below, lest it fall under the coefficient.

    Raises:
        EvalkitError: what `grid` raises; all items have the same mean.

    >>> table = icc(Frame({"一": [9, 6, 8], "二": [8, 5, 8]}, index=list("甲乙丙")))
    >>> table["icc"].round(4).tolist()[:3], table["formula"].iloc[2]
    ([0.8788, 0.8824, 0.9375], '(5.1667-0.1667)÷(5.1667+0.1667)')
    """
    from scipy.stats import f

    table, scale = _scaled(grid(scores, (2, 2)))
    x = table.to_numpy()
    (n, k), rows, columns, q = x.shape, x.mean(1), x.mean(0), (1 + confidence) / 2
    both, rest = (n - 1) * (k - 1), ((x - rows[:, None] - columns + x.mean()) ** 2).sum()
    squares = [k * rows.var(ddof=1), x.var(1, ddof=1).mean(), n * columns.var(ddof=1), rest / both]
    b, w, j, e = np.where(np.sqrt(squares) > NOISE * np.abs(x).max(), squares, 0)
    demand(b > 0, "agree.items")
    err, df = np.array([w, e, e]), np.array([n * (k - 1), both, both])
    g = (k - 1) * err + np.array([0, k * (j - e) / n, 0])
    one, whole = k * j * (b - e), n * b * (e + g[1])  # of Satterthwaite's degrees of freedom
    v = both * whole**2 / ((n - 1) * one**2 + (whole - one) ** 2) if j or e else both
    nu = np.where([0, 1, 0], v, df)
    t = b * np.array([0 * df + 1, 1 / f.ppf(q, n - 1, nu), f.ppf(q, nu.clip(1), n - 1)])
    single = (t - err) / (t + g)
    ratio = np.divide(b, err, out=np.full(len(err), np.inf), where=err > 0)
    parts = (map(shown, scale**2 * np.array([b, d, b, h])) for d, h in zip(err, g, strict=True))
    text = ["({}-{})÷({}+{})".format(*part) for part in parts]
    text += [f"{k}ρ÷(1+{k - 1}ρ)，ρ＝{ρ}" for ρ in text]
    room, none = 1 + (k - 1) * single, np.full(single.shape, -np.inf)
    found = np.hstack([single, np.divide(k * single, room, none, where=room > NOISE)])
    tests = np.tile([ratio, 0 * df + n - 1, df, f.sf(ratio, n - 1, df)], 2)
    return Frame(np.vstack([found, tests]).T, DATA["forms"], DATA["icc"]).assign(formula=text)


def outlying(scores: Frame) -> Frame:
    """Who stands apart from the other experts; people decide what follows from it.

    Rule (named in `reason`): Spearman's correlation with the mean of the others is not above 0,
    or the mean absolute deviation from it is far from the experts' usual one: modified z =
    0.6745 (d-median)/MAD above 3.5 (Iglewicz & Hoaglin 1993; where the MAD is 0 the mean
    deviation × √(π/2) stands for MAD/0.6745). Not for fewer than three experts.

    Args:
        scores: items × experts, at least two items and three experts.

    Returns:
        By expert: correlation (NaN where one side scores all items alike), bias (mean
        deviation, signed), deviation (mean absolute), z, w, w_without (W of the others, NaN where
        they score all alike), flagged, reason.

    Raises:
        EvalkitError: what `grid` raises.

    >>> said = {"一": [9, 7, 5], "二": [8, 7, 4], "三": [9, 6, 5], "四": [3, 6, 9]}
    >>> outlying(Frame(said, list("甲乙丙"))).loc["四", ["w_without", "reason"]].tolist()
    [np.float64(1.0), '与其余专家的名次不一致（Spearman相关系数不大于0）。']
    """
    x, scale = _scaled(grid(scores, (2, LEAST)))
    others = {name: x.drop(columns=name) for name in x}
    means = Frame({name: rest.mean(axis=1).round(DIGITS) for name, rest in others.items()})
    away = (x - means).abs().mean().round(DIGITS)
    off = (away - away.median()).abs()
    spread = off.median() / MODIFIED or off.mean() * np.sqrt(np.pi / 2)
    table = Frame({
        "correlation": x.rank().corrwith(means.rank()), "bias": scale * (x - means).mean(),
        "deviation": scale * away, "z": (away - away.median()) / (spread or 1),
        "w": _ranked(x)[-1],
        "w_without": {name: _ranked(rest)[-1] for name, rest in others.items()},
    })  # fmt: skip
    against = (~(table["correlation"] > 0)).map({True: WORDS["against"], False: ""})
    reason = against + (table["z"] > FAR).map({True: WORDS["far"], False: ""})
    return table.assign(flagged=reason != "", reason=reason)
