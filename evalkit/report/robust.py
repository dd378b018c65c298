"""How firm total and grade are: the robust_… tables of a result, as printed.

They belong to notebook, 底稿 and review copy, never to the report; they are laid out, and worded,
in robust.j2.
"""

from collections.abc import Sequence
from decimal import Decimal
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape

from evalkit.core.model import Result, Scorecard
from evalkit.core.numbers import fixed, plain, to_decimal
from evalkit.core.problem import Problem, noting
from evalkit.policy import Policy
from evalkit.scoring.indicator import Indicator
from evalkit.scoring.sensitivity import outcomes_of, robustness_of

_WORDS = Environment(loader=PackageLoader("evalkit.report", ""), autoescape=select_autoescape())
_WORDS.filters |= {"fixed": fixed, "plain": plain, "exact": to_decimal}


def tables(
    indicators: Sequence[Indicator], card: Scorecard, policy: Policy,
    weights: Result | None = None, survey: Result | None = None,
) -> tuple[dict[str, list[dict[str, Any]]], list[Problem]]:  # fmt: skip
    """The tables, and what is wrong with the policy value robustness; without a grade only why.

    ``robust_findings`` (about, text), ``robust_settings`` (name, value, meaning),
    ``robust_grades`` (grade, from, draws, probability), ``robust_spread`` (of the totals),
    ``robust_indicators`` (code, level3, points, score, varied, share, zero, full; what moves the
    total most first), ``robust_flips`` (grade, gap, codes, shift, points); of the figure
    ``robust_totals`` (at, share, none) and ``robust_cuts`` (at, named).

    Args:
        indicators: those of the card, in its order.
        weights: the result that the points were drawn from: its experts' disagreement is the
            concentration then, the median of w(1-w)/s² - 1 over the indicators, at least 1.
        survey: the result that 满意度 was drawn from: half its interval is the error then.
    """
    use, told = policy.use("robustness"), _disagreement(weights)

    def given(key: str, blank: Any) -> Any:
        value = use.value.get(key)
        return blank if value is None else pd.to_numeric(str(value), errors="coerce")

    low, high = (survey.values.get(f"survey.{e}") if survey else None for e in ("low", "high"))
    half = None if low is None or high is None else (high - low) / 2
    tolerance, own = given("tolerance", 0), given("concentration", None)
    facts = {"draws": given("draws", np.nan), "seed": given("seed", np.nan)}
    facts["concentration"] = own if told is None else told if told < np.inf else None
    bands = {str(band["grade"]): band["from"] for band in policy.value("grade_bands")}
    both = zip(indicators, card.indicators, strict=True)
    caps = [cap for i, s in both if s.vetoed and (cap := i.text("veto_cap"))]
    facts["cap"] = min(caps, key=bands.__getitem__, default="")
    problems = list[Problem]()
    with noting(problems, file=f"{use.profile}.yaml"):
        if card.grade:
            facts["outcomes"] = outcomes_of(indicators, card, policy, tolerance, half)
            found = robustness_of(card, policy, **facts)
            facts |= {"found": found, "bins": np.histogram(found.totals, "sturges")}
    about = {"card": card, "use": use, "tolerance": tolerance, "half": half, "told": told,
             "weights": weights}  # fmt: skip
    said: Any = _WORDS.get_template("robust.j2").make_module(facts | about)
    return {f"robust_{name}": rows for name, rows in said.ROWS.items()}, problems


def _disagreement(weights: Result | None) -> float | None:
    """The concentration that experts' weights show; infinite where they agree, None for none."""
    rows = weights.tables["points"] if weights else []
    pairs = [(Decimal(row["weight"]), Decimal(row["spread"])) for row in rows if row["spread"]]
    each = [w * (1 - w) / s**2 - 1 if s else Decimal("Infinity") for w, s in pairs]
    return float(max(median(each), Decimal(1))) if each else None
