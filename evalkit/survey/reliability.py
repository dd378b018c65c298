"""Whether the items of a questionnaire measure one thing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evalkit.core.problem import refusal
from evalkit.survey.answers import Frame
from evalkit.survey.estimates import levels
from evalkit.survey.satisfaction import OPTIONS


def scores(table: Frame, questions: Sequence[str]) -> Frame:
    """Respondents × questions of five levels as 5 (非常满意) to 1; NaN for 不了解 and no answer.

    Args:
        table: tidy; rows of a tally, which know no respondents, are left out.
        questions: headings.

    Raises:
        EvalkitError: as `evalkit.survey.estimates.levels`.
    """
    rows = levels(table[table["respondent"] != ""], questions)
    rows["level"] = rows["level"].map(dict(zip(OPTIONS, range(len(OPTIONS), 0, -1), strict=True)))
    wide = rows.pivot(index="respondent", columns="question", values="level")
    return wide.reindex(columns=list(questions))


def reliability(
    items: Frame, reverse: Sequence[str] = (), ends: tuple[float, float] = (1, 5),
    least: int = 3, confidence: float = 0.95,
) -> tuple[dict[str, float], Frame]:  # fmt: skip
    """Cronbach's α = k/(k-1)·(1 - Σs²_j/s²_total), of all items and without each of them.

    Source: Cronbach (1951), Psychometrika 16(3). Not for items of different dimensions, nor to
    show that there is one; under some 30 respondents the interval says little. The interval is
    1 - (1-α)F with n-1 and (n-1)(k-1) degrees of freedom, for items of equal covariance: Feldt
    (1965), Psychometrika 30(3); Feldt, Woodruff & Salih (1987), APM 11, formulas 6 and 7.

    Args:
        items: respondents × items (`scores`); who lacks an answer is left out and counted.
        reverse: items worded the other way round; they become low + high - x.
        ends: low and high, the ends of the scale.
        least: fewest complete respondents.
        confidence: of the interval.

    Returns:
        n, dropped, items (k), alpha, low, high; and a row an item: item, reversed, mean (after
        reversing), deviation, item_total (correlation with the sum of the others; NaN if either
        is constant), alpha_deleted (NaN for two items).

    Raises:
        EvalkitError: fewer than two items, too few respondents, all sums alike, an item to
            reverse that is not there, or a value beyond the ends.

    >>> v9 = ["5454", "4444", "3323", "5545", "2322", "4454", "3433", "5554"]
    >>> found, table = reliability(Frame([[int(x) for x in row] for row in v9]))
    >>> print(f"{found['alpha']:.4f} {found['low']:.3f} {found['high']:.3f}")
    0.9360 0.810 0.986
    """
    from scipy.stats import f

    turned = items.columns.isin(reverse)
    whole = items.dropna().apply(pd.to_numeric, errors="coerce").astype(float)
    whole = Frame(np.where(turned, sum(ends) - whole, whole), columns=items.columns)
    n, k = whole.shape
    fair = {*reverse} <= {*items} and whole.apply(lambda x: x.between(*ends)).all(axis=None)
    if not (fair and n >= max(least, 2) and k > 1 and whole.sum(axis=1).round(9).nunique() > 1):
        raise refusal("survey.items", n=n, k=k, least=least, ends=ends)
    cov = np.cov(whole, rowvar=False)
    own, row, total = np.diag(cov), cov.sum(0), cov.sum()
    alpha = min(k / (k - 1) * (1 - own.sum() / total), 1.0)
    tails = f.ppf([(1 + confidence) / 2, (1 - confidence) / 2], n - 1, (n - 1) * (k - 1))
    found = [n, len(items) - n, k, alpha, *(1 - (1 - alpha) * tails)]
    # variances, of the sum of the others and of the item: no correlation where there is none
    rest, spread = (np.where(v.round(9) > 0, v, np.nan) for v in (total - 2 * row + own, own))
    table = Frame({
        "item": [*whole], "reversed": turned, "mean": [*whole.mean()], "deviation": np.sqrt(own),
        "item_total": np.minimum((row - own) / np.sqrt(spread * rest), 1),
        "alpha_deleted": (k - 1) / (k - 2) * (1 - (own.sum() - own) / rest) if k > 2 else np.nan,
    })  # fmt: skip
    return dict(zip(["n", "dropped", "items", "alpha", "low", "high"], found, strict=True)), table
