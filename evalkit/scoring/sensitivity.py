"""How firmly a grade stands: what moves the total, how far, and how little would flip the grade.

Three things are uncertain in a score: the weights, the marks of experts and the measured values.
`robustness` takes plain arrays, `robustness_of` a scorecard; `within` makes of a stated tolerance
equally likely values, which the rules of `evalkit.scoring.rules` take as they are. A grade is that
of the published total: every drawn score is rounded as when it is awarded, their sum is exact.

What is found belongs to notebook, review copy and working papers, with the assumptions put in. It
says how firm a grade is, never what it should be.
"""

from bisect import bisect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.core.model import Scorecard
from evalkit.core.numbers import Rounding, round_to, to_decimal
from evalkit.core.problem import Problem, refuse, sentence
from evalkit.policy import Policy
from evalkit.scoring.apply import apply_rule
from evalkit.scoring.indicator import Indicator
from evalkit.scoring.texts import TEXTS

Given = Mapping[str, Any] | Sequence[Any] | NDArray[Any]  # by code; or one each, in order
_CHUNK = 100**2  # draws worked on at a time; the last of them tell what the total hangs on
_NOISE = float(np.sqrt(np.finfo(float).eps))  # 1/2**26 of a last digit: more than floats lose


@dataclass(frozen=True)
class Robustness:
    """What `robustness` found.

    Attributes:
        total: as published; `grade` is its grade.
        spread: of the drawn totals: mean, std, min, max and the quantiles in steps of half a
            percent by their names ("2.5%" and "97.5%" end the central interval of 95 %).
        grades: a row a grade, best first: from, grade, draws, probability (draws ÷ all draws).
            A probability p has the standard error √(p(1-p)/draws); none in n draws means that
            it is hardly above 3/n.
        indicators: a row an indicator, in order: code, points, rate, score; zero, full (the total
            if it alone scored nothing or all its points) and zero_grade, full_grade; share (of
            the variance of the total; they sum to 1, or are all 0 where nothing moves it); rank
            (Spearman's correlation of its part with the total).
        flips: what reaches the grade above and the grade below, where there are such: grade;
            change (of one score, in its last digit exact: the smallest that will do) and codes
            (the indicators that have room for it, most points first, so that the first changes
            its rate least); shift (Σ|change| of the smallest shift of points between indicators)
            and points (by code, after it). No indicator has room: codes is empty. No shift
            will do: shift is None, points empty.
        totals: every drawn total, in order.
    """

    total: Decimal
    grade: str
    spread: pd.Series
    grades: pd.DataFrame
    indicators: pd.DataFrame
    flips: pd.DataFrame
    totals: NDArray[Any]


def within(centre: Any, tolerance: Any, shape: str = "uniform", most: Any = np.inf) -> NDArray[Any]:
    """Equally likely values within centre ± tolerance, not below 0, not above `most`.

    They are the 200 quantiles (k-½)/200 of the distribution, so no draw is wasted on them and
    their mean is the centre; what lies outside the limits counts at the limit, as a rule stops
    at nothing and at full points.

    Args:
        centre: a measured value, in any unit; or a score.
        tolerance: the greatest error, in the same unit; state where it comes from.
        shape: uniform, or triangular (errors near the greatest are rare).
        most: the greatest value there can be.

    Raises:
        EvalkitError: a tolerance below 0, another shape.

    >>> within(95, 2)[[0, -1]].tolist(), within(9.9, 0.5, most=10).max()
    ([93.01, 96.99], np.float64(10.0))
    """
    z = np.arange(1, 2 * 2 * 100, 2) / (2 * 100) - 1
    bent = {"uniform": z, "triangular": np.sign(z) * (1 - np.sqrt(1 - np.abs(z)))}
    refuse(_faults(tolerance=float(tolerance) >= 0 and shape in bent))
    return np.asarray(np.clip(float(centre) + float(tolerance) * bent[shape], 0, float(most)))


def robustness(
    rates: Given, points: Given, bands: Sequence[Mapping[str, Any]], *, digits: int,
    mode: Rounding = "half_up", codes: Sequence[Any] = (), cap: str = "",
    vetoed: Collection[str] = (), concentration: float | None = None, marks: Given = (),
    trim_from: int = 0, outcomes: Given = (), draws: int = 100**2, seed: int = 0,
) -> Robustness:  # fmt: skip
    """How the total Σ points × rate and its grade move when weights, marks and values vary.

    A rate that does not vary is that of the score as awarded.

    Weights: drawn from the Dirichlet distribution around the chosen ones w = points ÷ Σ points.
    Their means stay w, the standard deviation of one is √(w(1-w)/(c+1)), c the concentration: of
    20 points in 100 it is 4 points at c = 99, 2 at c = 399, 1 at c = 1599. From experts whose
    weights for an indicator differ by s, c is w(1-w)/s² - 1. Drawn points are rounded to the last
    digit so that they keep their sum (running sums are rounded).

    Marks: the bootstrap of Efron (1979), Annals of Statistics 7(1). Experts are drawn with
    replacement, the same for all indicators that as many experts marked, and the rule
    `rules.experts` applied to those drawn. From fewer than about five experts it tells little;
    from one, nothing.

    Measured values: give the scores that are equally likely; `within` on the measured value and
    the indicator's own rule make them. Indicators vary independently of each other.

    An indicator's part is its score less the chosen overall rate of its points; the parts sum to
    the total but for a constant. Its share is cov(part, total) ÷ var(total): where only weights
    vary, w(rate - overall rate)² in proportion; where only independent scores do, their
    variances. Below 0, it works against the rest. Share and rank are of the last 10 000 draws
    or so, the rank with a standard error of about 0.01.

    Exact, without draws: zero and full, change, and shift, which takes points from the lowest
    rates upward (to the grade above; from the highest downward to the one below) and gives them
    all to the best (the worst) rate: the solution of the linear program of least Σ|change| among
    points ≥ 0 with the same sum. At that shift the unrounded total is on the cut: anything less
    leaves the grade, downward anything more changes it; awarding the shifted points anew may
    still add or take n half last digits. On a cut already, the shift downward is 0.

    Args:
        rates: of the indicators, 0–1.
        points: their points, in the unit of the cuts.
        bands: grade and from, as the policy value grade_bands; the lowest from 0.
        digits, mode: how scores are rounded when awarded; policy score_digits and rounding.
        codes: of the indicators; 1, 2, … unless given.
        cap: the best grade that a veto leaves; empty for none.
        vetoed: codes that a veto holds at their score: they take no marks, outcomes or change.
        concentration: of the weights; None leaves them.
        marks: by code, the experts' marks in points.
        trim_from: from so many marks up the highest and the lowest are left out; 0 for never.
        outcomes: by code, equally likely scores in points; they go before marks.
        draws: how many.
        seed: of the generator; equal seeds give equal results.

    Raises:
        EvalkitError: what cannot be used, by indicator and argument, all at once.

    >>> cuts = [{"grade": g, "from": f} for g, f in zip("优良中差", (90, 80, 60, 0))]
    >>> found = robustness([0.95, 0.85, 0.88], [40, 30, 30], cuts, digits=2, concentration=100)
    >>> print(found.total, found.grade, *found.spread[["2.5%", "97.5%"]])
    89.90 良 89.0600 90.7600
    >>> print(*found.flips.loc[0, ["grade", "change", "codes", "shift"]])
    优 0.10 ['1', '2', '3'] 2.0
    >>> from evalkit.scoring.rules import step_deduct
    >>> score = [term.decimal() for term in step_deduct(30, within(93, 2), 95, 2)]
    >>> found = robustness([0.95, 0.85, "0.8666"], [40, 30, 30], cuts, digits=2,
    ...                    outcomes={"3": score})
    >>> print(found.total, *found.grades.loc[0, ["grade", "probability"]])
    89.50 优 0.4438
    """
    names = [str(code) for code in codes] or [str(k + 1) for k in range(len(points))]
    ladder = sorted((to_decimal(band["from"]), str(band["grade"])) for band in bands)
    cuts, grades = [cut for cut, _ in ladder], [grade for _, grade in ladder]
    found = _faults(
        size=len(rates) == len(points) == len(names) == len({*names}) > 0,
        bands=len({*cuts}) == len({*grades}) == len(bands) > 0 == cuts[0], digits=digits >= 0,
        concentration=concentration is None or 0 < concentration < np.inf,
        trim_from=trim_from not in {1, 2}, veto=cap in {"", *grades} and {*vetoed} <= {*names},
        draws=draws > 1 and seed >= 0 == draws % 1 == seed % 1,
    )  # fmt: skip
    share = _read("rates", rates, dict.fromkeys(names, 1), found)
    full = _read("points", points, dict.fromkeys(names, np.inf), found)
    free = {n: full[n] for n in sorted(full, key=lambda n: -full[n].sum()) if n not in vetoed}
    panels = _read("marks", dict(marks), free, found)
    pools = _read("outcomes", dict(outcomes), free, found)
    refuse(found)
    draws, seed = int(draws), int(seed)
    table, unit, drawn = pd.DataFrame({"code": names}), Decimal(1).scaleb(-digits), []
    for part, of in (("points", full), ("rate", share)):
        table[part] = pd.Series([to_decimal(of[name][0]) for name in names])
    table["score"] = (table["points"] * table["rate"]).map(lambda s: round_to(s, digits, mode))
    total, cuts = np.sum(table["score"]), cuts[: grades.index(cap) + 1 if cap else None]
    for leave, left in (("zero", 0), ("full", table["points"])):
        table[leave] = total - table["score"] + left
        table[f"{leave}_grade"] = [grades[bisect(cuts, t) - 1] for t in table[leave]]
    weights, values, experts = (np.random.default_rng([seed, key]) for key in range(1 + 2))
    width, base = (table[part].to_numpy(float) / float(unit) for part in ("points", "score"))
    given, size, alpha = width, width.sum(), width / width.sum() * (concentration or 1)
    for n in map(len, np.array_split(np.arange(draws), -(-draws // _CHUNK))):
        seats = {k: experts.integers(k, size=(k, n)) for k in sorted({*map(len, panels.values())})}
        rate = np.tile(base / width, (n, 1))
        for code, panel in panels.items():
            heard, less = panel[seats[len(panel)]], 0 < trim_from <= len(panel)
            middle = heard.sum(axis=0) - less * (heard.max(axis=0) + heard.min(axis=0))
            rate[:, names.index(code)] = middle / (len(panel) - 2 * less) / full[code]
        for code, pool in pools.items():
            rate[:, names.index(code)] = values.choice(pool, n) / full[code]
        if concentration is not None:
            given = np.diff(np.rint(weights.dirichlet(alpha, n).cumsum(axis=1) * size), prepend=0)
        scores = np.rint(given * rate / _NOISE) * _NOISE
        scores = np.rint(scores) if mode == "gbt8170" else np.floor(scores + 1 / 2)
        drawn.append(scores.sum(axis=1))
    totals, moved = np.concatenate(drawn), pd.Series(drawn[-1])
    apart = pd.DataFrame(np.rint((scores - given * (base.sum() / size)) / _NOISE))
    table["share"] = apart.apply(moved.cov).pipe(lambda part: part / part.sum()).fillna(0)
    table["rank"] = apart.rank().corrwith(moved.rank()).fillna(0)
    place = np.searchsorted([float(cut / unit) for cut in cuts], totals, side="right") - 1
    odds = pd.DataFrame(ladder[::-1], columns=["from", "grade"])
    odds["draws"] = np.bincount(place, minlength=len(ladder))[::-1]
    odds["probability"] = odds["draws"].map(lambda n: Decimal(n) / draws)
    spread = pd.Series(totals).describe([k / (2 * 100) for k in range(1, 2 * 100)]).drop("count")
    spread = spread.map(lambda stat: round_to(to_decimal(stat) * unit, digits + 2))
    at = bisect(cuts, total)
    up = [(1, cut - total, grade) for cut, grade in ladder[at : len(cuts)][:1]]
    down = [(-1, total - cuts[at - 1], grades[at - 2])] * (at > 1)
    flips = pd.DataFrame([_flip(table.set_index("code"), free, unit, way) for way in (*up, *down)])
    return Robustness(total, grades[at - 1], spread, odds, table, flips, totals / float(1 / unit))


def robustness_of(card: Scorecard, policy: Policy, **how: Any) -> Robustness:
    """`robustness` of a scorecard, under the policy's bands and rounding.

    Rates are those of the scores as awarded. Experts' marks are taken from the traces, except
    where a person changed the score (调分记录): that stands. Measured values vary only as
    `outcomes` says; a card no longer holds what its rules read, so apply the rule to each value of
    `within` (`rules`, or for a row of the workbook `apply.apply_rule` with its measure replaced).

    Args:
        card: complete, its points summing to full ones.
        policy: that the card was scored under.
        how: arguments of `robustness`, which replace what the card and the policy say: marks={}
            leaves the experts' marks as they are. Where a veto lowered the grade the card says
            so; a cap that has not yet bitten has to be given.

    Raises:
        EvalkitError: indicators without a score (each of them), a total without a grade; what
            `robustness` raises.
    """
    rows = card.indicators
    refuse(_faults(graded=card.total is None or bool(card.grade)))
    asked = [i for i in rows if i.trace.rule == "experts" and not (i.gap or i.adjustment)]
    own = {
        "mode": policy.value("rounding"), "trim_from": int(policy.value("expert_trim_from")),
        "digits": max(int(policy.value("score_digits")), len(str(card.total).partition(".")[2])),
        "codes": [i.code for i in rows], "vetoed": [i.code for i in rows if i.vetoed],
        "marks": {i.code: [x.value for x in i.trace.inputs if x.of == "value"] for i in asked},
        "cap": card.grade if card.grade_note else "",
    }  # fmt: skip
    rates = ["空" if i.score is None else i.score / (i.points or 1) for i in rows]
    return robustness(rates, [i.points for i in rows], policy.value("grade_bands"), **(own | how))


def outcomes_of(
    indicators: Sequence[Indicator], card: Scorecard, policy: Policy, percent: Any,
    survey: Any = None,
) -> dict[str, list[Decimal]]:  # fmt: skip
    """The scores, in points, of equally likely values around what indicators measured, by code.

    Each indicator's own rule is applied to the values `within` ± `percent` of what it measured.
    Whole numbers without a percent sign are counted things and stay whole: 3 次 ± 2 % is 3 次.
    What cannot be wrong by some percent does not vary: counted events (按次扣分), dates, 是/否,
    what has to be met exactly (等值达标), judgements (评价要点, 定性分级), what the accounts say
    (资金到位率, 预算执行率), values not above 0; nor does a score that a person changed.

    Args:
        indicators: those of the card, in its order.
        percent: the greatest error, in percent of the value; None or 0 for none.
        survey: the same in percent points for 问卷满意度, where its survey tells it.

    Raises:
        EvalkitError: a tolerance that is none.
    """
    found = {}
    for given, scored in zip(indicators, card.indicators, strict=True):
        measure, how = given.measure, given.text("measure")
        centre = float(0 if measure.term is None else measure.term.value)
        polled = survey is not None and how == "问卷满意度"
        half = survey if polled else abs(centre) * float(percent or 0) / 100
        values = within(centre, half)
        number = given.rule != "yes_no" or given.row["target"].number is not None
        varied = number and given.rule in TEXTS["varied"] and how not in TEXTS["booked"]
        if not varied or centre <= 0 or half == 0 or scored.gap or scored.adjustment:
            continue
        drawn: Any = np.rint(values) if centre % 1 == 0 and measure.unit != "%" else values
        term: Any = apply_rule(replace(given, measure=replace(measure, term=drawn)), policy).term
        found[given.code] = [each.decimal() for each in term]
    return found


def _flip(table: pd.DataFrame, free: Any, unit: Decimal, way: Any) -> dict[str, Any]:
    """The smallest changes that bring the total up (1) or down (-1) by a gap, to another grade."""
    sign, gap, grade = way
    top, got = ({str(c): Fraction(v) for c, v in table[p].items()} for p in ("points", "score"))
    change = sign * unit * (gap // unit + (sign < 0 or gap % unit > 0))
    codes = [code for code in free if 0 <= got[code] + Fraction(change) <= top[code]]
    rate = {code: sign * got[code] / top[code] for code in got}
    best, left, new = max(rate, key=rate.__getitem__), Fraction(gap), dict(top)
    for code in sorted(rate, key=rate.__getitem__):
        if gain := rate[best] - rate[code]:
            move = min(new[code], left / gain)
            new[code], new[best], left = new[code] - move, new[best] + move, left - move * gain
    able = not left and rate[best] > min(rate.values())
    after = {code: Decimal(p.numerator) / p.denominator for code, p in new.items() if able}
    shift = sum(map(abs, table["points"] - pd.Series(after))) if able else None
    return {"grade": grade, "change": change, "codes": codes, "shift": shift, "points": after}


def _faults(**right: bool) -> list[Problem]:
    """The sentences of what is not right."""
    return [sentence(f"robust.{name}") for name, met in right.items() if not met]


def _read(what: str, given: Given, most: Any, found: list[Problem]) -> dict[str, NDArray[Any]]:
    """The numbers of each code as an array; what is none, or not from 0 to the most, is found."""
    table, known = {}, given if isinstance(given, Mapping) else dict(zip(most, given, strict=False))
    for code, values in known.items():
        texts = np.ravel(np.asarray(values, dtype=object)).astype(str)
        table[code] = numbers = np.array(pd.to_numeric(texts, errors="coerce"), dtype=float)
        right = np.isfinite(numbers) & (numbers >= 0) & (numbers <= most.get(code, -1))
        if not right.all() or not right.size or (what == "points" and numbers == 0):
            found.append(sentence(f"robust.{what}", indicator=code, value="、".join(texts)))
    return table
