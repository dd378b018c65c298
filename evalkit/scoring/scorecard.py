"""From indicators to a scorecard: every score rounded once, every score with its trace."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from evalkit.core.expr import Term
from evalkit.core.model import Adjustment, Datum, GroupScore, IndicatorScore, Scorecard, Trace
from evalkit.core.numbers import Rounding, percent, round_to
from evalkit.core.problem import Problem
from evalkit.policy import Policy
from evalkit.scoring import indicator as read
from evalkit.scoring.apply import Applied, Gap, apply_rule
from evalkit.scoring.indicator import Indicator
from evalkit.scoring.rules import RuleError
from evalkit.scoring.texts import say

Scores = Sequence[IndicatorScore]

_PRINTED = ("level1", "level2", "level3", "explanation", "kind", "standard", "reason", "finding")
_STEPPED = {"bands", "within", "exact", "yes_no", "on_time", "step_deduct", "veto"}


def scorecard(
    indicators: list[Indicator], adjustments: dict[str, Adjustment], policy: Policy
) -> tuple[Scorecard, list[Problem]]:
    """Score every indicator, add up, grade.

    A missing input leaves the indicator without a score (a gap); the total is then None and the
    possible range is stated. A grade is given on the published total only, out of full points, and
    capped where a veto occurred that says so.

    Args:
        indicators: in report order.
        adjustments: by indicator code; each replaces a computed score.
        policy: values in force at the evaluated year's end.

    Returns:
        The scorecard, and every problem met on the way.
    """
    scored = [_score(i, adjustments.get(i.code), policy) for i in indicators]
    scores = [score for score, _ in scored]
    digits, bands = int(policy.value("score_rate_digits")), policy.use("grade_bands")
    points = sum((s.points for s in scores), Decimal(0))
    low = sum((s.score for s in scores if s.score is not None), Decimal(0))
    high = low + sum((s.points for s in scores if s.score is None), Decimal(0))
    total = summed(scores) if scores else None
    grade, note = "", ""
    if total is not None and points == policy.value("full_total"):
        grade = grade_of(total, bands.value)
        for indicator, score in zip(indicators, scores, strict=True):
            cap = indicator.text("veto_cap") if score.vetoed else ""
            if cap and (capped := worse(grade, cap, bands.value)) != grade:
                note = f"“{score.level3}”触发一票否决，评价等级由“{grade}”降为“{capped}”"
                grade = capped
    card = Scorecard(
        indicators=tuple(scores), groups=tuple(_groups(scores, digits)),
        points=points, total=total, low=low, high=high, rate=percent(total, points, digits),
        grade=grade, grade_note=note,
        policies=(bands, policy.use("score_digits"), policy.use("rounding")),
    )  # fmt: skip
    return card, [problem for _, found in scored for problem in found]


def summed(scores: Scores) -> Decimal | None:
    """The sum of awarded scores, None where one is missing."""
    known = [s.score for s in scores if s.score is not None]
    return sum(known, Decimal(0)) if len(known) == len(scores) else None


def members(scores: Scores, level1: str, level2: str = "") -> Scores:
    """The scores of one level-1 indicator, or of a level-2 indicator below it."""
    return [s for s in scores if s.level1 == level1 and level2 in {"", s.level2}]


def grade_of(score: Decimal, bands: list[dict[str, Any]]) -> str:
    """The grade of a published score; bands are half-open from below (财预〔2020〕10号 art. 18).

    >>> cuts = [{"grade": g, "from": f} for g, f in zip("优良中差", (90, 80, 60, 0))]
    >>> grade_of(Decimal("89.99"), cuts), grade_of(Decimal("90"), cuts)
    ('良', '优')
    """
    for band in sorted(bands, key=lambda b: b["from"], reverse=True):
        if score >= band["from"]:
            return str(band["grade"])
    raise ValueError(f"no grade for {score}")


def worse(grade: str, cap: str, bands: list[dict[str, Any]]) -> str:
    """The lower of two grades.

    >>> worse("优", "中", [{"grade": g, "from": f} for g, f in zip("优良中差", (90, 80, 60, 0))])
    '中'
    """
    floor = {str(b["grade"]): b["from"] for b in bands}
    return min(grade, cap, key=lambda g: floor[g])


def award(term: Term, digits: int, mode: Rounding) -> tuple[Decimal, str]:
    """Round a score once, when it is awarded; the formula says so.

    >>> award(Term.of(8) * "205.75" / 210, 2, "half_up")
    (Decimal('7.84'), 'ROUND(8*205.75/210,2)')
    """
    name = "ROUND" if mode == "half_up" else "GBT8170"
    return round_to(term.value, digits, mode), f"{name}({term.text},{digits})"


def _score(
    indicator: Indicator, adjustment: Adjustment | None, policy: Policy
) -> tuple[IndicatorScore, list[Problem]]:
    row, code, name = indicator.row, indicator.code, indicator.text("level3")
    points = row["points"].number or Decimal(0)
    problems: list[Problem] = []
    applied = Applied(indicator, policy, [*indicator.measure.inputs])  # where no rule can be
    gap, formula, limit, computed = "", "", "", None
    try:
        applied = apply_rule(indicator, policy)
        digits = int(policy.value("score_digits"))
        computed, formula = award(applied.term, digits, policy.value("rounding"))
        limit = _limit(applied, points)
    except Gap as missing:
        gap = str(missing)
        problems.append(say("gap", row["actual"], code, name=name, why=gap))
    except RuleError as refused:
        gap, _, remedy = str(refused).partition("——")
        problems.append(say("rule", row["rule"], code, name=name, why=gap, remedy=remedy))
    score = computed
    if adjustment is not None:
        problems += _check_adjustment(indicator, adjustment, computed, points)
        if computed is not None and 0 <= adjustment.adjusted <= points:
            score = adjustment.adjusted
        else:
            adjustment = None
    basis = {"kind": row["basis_kind"].text, "document": row["basis_document"].text}
    trace = Trace(
        rule=indicator.rule, rule_name=row["rule"].text,
        basis=basis | {"dated": read.shown_date(row["basis_date"])},
        standard=row["standard"].text, measured=read.measured(indicator),
        inputs=tuple(applied.inputs), policies=tuple(applied.policies), notes=tuple(applied.notes),
        formula=formula, computed=computed, limit=limit,
    )  # fmt: skip
    scored = IndicatorScore(
        code=code, points=points, trace=trace, gap=gap, adjustment=adjustment, score=score,
        lost=None if score is None else points - score,
        rate=percent(score, points, int(policy.value("score_rate_digits"))),
        vetoed=indicator.rule == "veto" and computed == 0 and points > 0,
        target=read.shown_target(row), actual=read.shown_actual(indicator),
        evidence=read.split_list(row["evidence"].text), elements=tuple(applied.elements),
        **read.texts(row, *_PRINTED),
    )  # fmt: skip
    return scored, problems


def _check_adjustment(
    indicator: Indicator, adjustment: Adjustment, computed: Decimal | None, points: Decimal
) -> list[Problem]:
    """An adjustment must lie within the points and start from the score as it now is."""
    facts = {"points": points, "computed": computed, "recorded": adjustment.computed}
    faults = []
    if not 0 <= adjustment.adjusted <= points:
        faults.append("adjustment.range")
    if computed != adjustment.computed:
        faults.append("adjustment.gap" if computed is None else "adjustment.stale")
    place, facts["adjusted"] = Datum(cell=adjustment.cell), adjustment.adjusted
    return [say(fault, place, indicator.code, **facts) for fault in faults]


def _limit(applied: Applied, points: Decimal) -> str:
    """Why a changed input need not move the score."""
    if applied.term.value >= Fraction(points):
        return "封顶"
    if applied.term.value <= 0:
        return "扣完"
    if applied.indicator.rule in _STEPPED:
        return "本档内"
    return "去掉最高最低" if applied.indicator.rule == "experts" and applied.notes else ""


def _groups(scores: Scores, digits: int) -> Iterator[GroupScore]:
    """Subtotals in report order: each level 1, then its level 2s."""
    for one in dict.fromkeys(s.level1 for s in scores):
        for two in dict.fromkeys(["", *(s.level2 for s in members(scores, one))]):
            under = members(scores, one, two)
            points, score = sum((s.points for s in under), Decimal(0)), summed(under)
            rate = percent(score, points, digits)
            yield GroupScore(level1=one, level2=two, points=points, score=score, rate=rate)
