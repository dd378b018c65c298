"""How many to ask, and where."""

from math import ceil

import numpy as np
import pandas as pd

from evalkit.core.problem import refusal, refuse
from evalkit.survey.answers import Frame, told


def size(
    margin: float, confidence: float = 0.95, p: float = 0.5, population: float = np.inf,
    deff: float = 1.0, response: float = 1.0,
) -> tuple[int, int, str]:  # fmt: skip
    """Sample size for a proportion: n₀ = z²p(1-p)/e², n = n₀/(1+(n₀-1)/N), n·deff, n/response.

    Source: Cochran (1977), Sampling Techniques, 3rd ed., 4.4; Kish (1965) for the design effect.

    Args:
        margin: e, half the width of the interval, as a share (0.05).
        confidence: of the interval; z is the normal quantile, 1.95996 for 0.95.
        p: the proportion expected; 0.5 needs the most.
        population: N; without it, one that is large beside n.
        deff: design effect, 1 for simple random sampling, 1.5–2 where villages are drawn.
        response: the share of those asked who answer validly.

    Returns:
        Valid answers needed; questionnaires to hand out, at most N; the formula with numbers.

    Raises:
        EvalkitError: an argument out of range.

    >>> needed, issued, formula = size(0.05, population=1000, response=0.8)
    >>> print(needed, issued, formula)
    278 348 1.96²×0.5×(1-0.5)/0.05²=384.15，/(1+(384.15-1)/1000)=277.73，取278，/有效率0.8，发放348
    """
    from scipy.stats import norm

    shares = all(0 < share < 1 for share in (margin, confidence, p)) and 0 < response <= 1
    if not (shares and 0 < deff < np.inf and population >= 1):
        raise refusal("survey.size")
    z = float(norm.isf((1 - confidence) / 2))
    first = z * z * p * (1 - p) / margin / margin
    finite = first / (1 + (first - 1) / population)
    if not finite * deff / response < 2**53:  # beyond it floats count no people
        raise refusal("survey.size")
    # to six digits: what is that near a whole number is that number, not one more
    needed = int(min(max(ceil(round(finite * deff, 6)), 1), population))
    issued = int(min(ceil(round(needed / response, 6)), population))
    formula = f"{z:.4g}²×{p:g}×(1-{p:g})/{margin:g}²={first:.2f}"
    formula += f"，/(1+({first:.2f}-1)/{population})={finite:.2f}" * bool(population < np.inf)
    formula += f"，×设计效应{deff:g}={finite * deff:.2f}" * (deff != 1)
    return needed, issued, f"{formula}，取{needed}，/有效率{response:g}，发放{issued}"


def allocate(strata: Frame, n: int, method: str = "proportional", least: int = 0) -> Frame:
    """Divide a sample among strata: n_h ∝ N_h, or ∝ N_h·S_h (Neyman), by largest remainders.

    No stratum gets fewer than `least` (or than it has), none more than it has; what that takes
    or leaves the others share in proportion. Source: Cochran (1977), 5.5 and 5.9.

    Args:
        strata: stratum, population and, for Neyman, deviation (S_h of what is asked, from a
            pilot or an earlier survey; for a proportion √(p(1-p))).
        n: the sample, all of it.
        method: proportional or neyman.
        least: the fewest in a stratum that is to be reported on.

    Returns:
        The strata with n, whose sum is the sample exactly, and rate (n/population).

    Raises:
        EvalkitError: a population or deviation that is none, or a sample that does not fit.

    >>> villages = pd.DataFrame({"stratum": ["甲", "乙"], "population": [300, 100]})
    >>> allocate(villages, 50)["n"].tolist()
    [38, 12]
    """
    names = ["population", "deviation"] if method == "neyman" else ["population"]
    numbers = strata.reindex(columns=names).apply(pd.to_numeric, errors="coerce").astype(float)
    fair = (numbers.ge(0) & numbers.lt(2**53)).all(axis=1) & (numbers["population"] % 1 == 0)
    refuse(told("survey.population", strata[~fair]))
    high, weight = numbers["population"].to_numpy(), numbers.prod(axis=1).to_numpy()
    low = np.minimum(least, high)
    top = np.where(weight > 0, high, low)
    whole = method in ("proportional", "neyman") and least >= 0 == least % 1 + n % 1
    if not (whole and low.sum() <= n <= top.sum()):
        raise refusal("survey.allocation", n=n, low=low.sum(), high=top.sum())
    over = np.where(weight > 0, weight, np.inf)
    bends = np.unique([*low / over, *top / over, 0])  # the sum is linear between them
    factor = np.interp(n, np.clip(bends[:, None] * weight, low, top).sum(1), bends)
    exact = np.clip(factor * weight, low, top).round(6)
    rest = np.argsort(np.floor(exact) - exact, kind="stable")[: round(n - np.floor(exact).sum())]
    found = np.floor(exact) + np.isin(np.arange(len(exact)), rest)
    return strata.assign(n=found.astype(int), rate=found / np.fmax(high, 1))
