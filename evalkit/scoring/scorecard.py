"""From indicators to a scorecard: every score rounded once, every score with its trace."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from evalkit.core.expr import Term
from evalkit.core.model import (
    Adjustment,
    Basis,
    Datum,
    GroupScore,
    IndicatorScore,
    Scorecard,
    Trace,
    problem_at,
)
from evalkit.core.numbers import plain, round_to
from evalkit.core.problem import Problem
from evalkit.policy import Policy
from evalkit.scoring.apply import Applied, Gap, apply_rule
from evalkit.scoring.indicator import (
    Indicator,
    measured,
    shown_actual,
    shown_date,
    shown_target,
    split_list,
)
from evalkit.scoring.rules import RuleError

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
    scores: list[IndicatorScore] = []
    problems: list[Problem] = []
    caps: list[tuple[str, str]] = []
    for indicator in indicators:
        score, found = _score(indicator, adjustments.get(indicator.code), policy)
        scores.append(score)
        problems += found
        if score.vetoed and indicator.text("veto_cap"):
            caps.append((score.level3, indicator.text("veto_cap")))
    digits = int(policy.value("score_rate_digits"))
    points = sum((s.points for s in scores), Decimal(0))
    low = sum((s.score for s in scores if s.score is not None), Decimal(0))
    high = low + sum((s.points for s in scores if s.score is None), Decimal(0))
    total = low if scores and all(s.score is not None for s in scores) else None
    bands = policy.use("grade_bands")
    grade, note = "", ""
    if total is not None and points == policy.value("full_total"):
        grade = grade_of(total, bands.value)
        for name, cap in caps:
            capped = worse(grade, cap, bands.value)
            if capped != grade:
                note = f"“{name}”触发一票否决，评价等级由“{grade}”降为“{capped}”"
                grade = capped
    card = Scorecard(
        indicators=tuple(scores),
        groups=_groups(scores, digits),
        points=points,
        total=total,
        low=low,
        high=high,
        rate=_rate(total, points, digits),
        grade=grade,
        grade_note=note,
        policies=(bands, policy.use("score_digits"), policy.use("rounding")),
    )
    return card, problems


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


def award(term: Term, digits: int, mode: str) -> tuple[Decimal, str]:
    """Round a score once, when it is awarded; the formula says so.

    >>> award(Term.of(8) * "205.75" / 210, 2, "half_up")
    (Decimal('7.84'), 'ROUND(8*205.75/210,2)')
    """
    name = "ROUND" if mode == "half_up" else "GBT8170"
    value = round_to(term.value, digits, "half_up" if mode == "half_up" else "gbt8170")
    return value, f"{name}({term.text},{digits})"


def _score(
    indicator: Indicator, adjustment: Adjustment | None, policy: Policy
) -> tuple[IndicatorScore, list[Problem]]:
    row, code = indicator.row, indicator.code
    points = row["points"].number or Decimal(0)
    problems: list[Problem] = []
    gap, formula, computed, applied = "", "", None, None
    try:
        applied = apply_rule(indicator, policy)
    except Gap as missing:
        gap = str(missing)
        what = f"{indicator.text('level3')}：{gap}"
        problems.append(problem_at(row["actual"], "gap", what, "请补充", "warning", code))
    except RuleError as refused:
        gap, _, remedy = str(refused).partition("——")
        what = f"{indicator.text('level3')}：{gap}"
        problems.append(problem_at(row["rule"], "rule", what, remedy, "error", code))
    if applied is not None:
        digits, mode = int(policy.value("score_digits")), str(policy.value("rounding"))
        computed, formula = award(applied.term, digits, mode)
    score = computed
    if adjustment is not None:
        problems += _check_adjustment(indicator, adjustment, computed, points)
        if computed is not None and 0 <= adjustment.adjusted <= points:
            score = adjustment.adjusted
        else:
            adjustment = None
    trace = Trace(
        rule=indicator.rule,
        rule_name=row["rule"].text,
        basis=Basis(
            kind=row["basis_kind"].text,
            document=row["basis_document"].text,
            dated=shown_date(row["basis_date"]),
        ),
        standard=row["standard"].text,
        inputs=tuple(applied.inputs if applied else indicator.measure.inputs),
        policies=tuple(applied.policies if applied else ()),
        formula=formula,
        computed=computed,
        limit=_limit(applied, points) if applied else "",
        measured=measured(indicator),
        notes=tuple(applied.notes if applied else ()),
    )
    scored = IndicatorScore(
        code=code,
        level1=row["level1"].text,
        level2=row["level2"].text,
        level3=row["level3"].text,
        explanation=row["explanation"].text,
        kind=row["kind"].text,
        points=points,
        target=shown_target(row),
        actual=shown_actual(indicator),
        standard=row["standard"].text,
        score=score,
        lost=None if score is None else points - score,
        rate=_rate(score, points, int(policy.value("score_rate_digits"))),
        reason=row["reason"].text,
        finding=row["finding"].text,
        evidence=split_list(row["evidence"].text),
        elements=tuple(applied.elements if applied else ()),
        trace=trace,
        adjustment=adjustment,
        gap=gap,
        vetoed=indicator.rule == "veto" and computed == 0 and points > 0,
    )
    return scored, problems


def _check_adjustment(
    indicator: Indicator, adjustment: Adjustment, computed: Decimal | None, points: Decimal
) -> list[Problem]:
    """An adjustment must lie within the points and start from the score as it now is."""
    faults = []
    if not 0 <= adjustment.adjusted <= points:
        what = f"调整后得分 {plain(adjustment.adjusted)} 不在 0 与分值 {plain(points)} 之间"
        faults.append(("adjustment.range", what, "请改正"))
    if computed is None:
        faults.append(("adjustment.gap", "该指标没有计算得分，不能调整", "请先补齐数据"))
    elif computed != adjustment.computed:
        what = f"调分记录写的计算得分 {plain(adjustment.computed)} 与现在的 {plain(computed)} 不符"
        remedy = "数据已变化，请重新确认调整后得分并改正“计算得分”"
        faults.append(("adjustment.stale", what, remedy))
    place = Datum(cell=adjustment.cell)
    return [problem_at(place, *fault, indicator=indicator.code) for fault in faults]


def _limit(applied: Applied, points: Decimal) -> str:
    """Why a changed input need not move the score."""
    if applied.term.value >= Fraction(points):
        return "封顶"
    if applied.term.value <= 0:
        return "扣完"
    if applied.indicator.rule in _STEPPED:
        return "本档内"
    return "去掉最高最低" if applied.indicator.rule == "experts" and applied.notes else ""


def _rate(score: Decimal | None, points: Decimal, digits: int) -> Decimal | None:
    if score is None or points == 0:
        return None
    return round_to(Fraction(score) / Fraction(points) * 100, digits)


def _groups(scores: list[IndicatorScore], digits: int) -> tuple[GroupScore, ...]:
    """Subtotals in report order: each level 1, then its level 2s."""
    found = []
    for one in dict.fromkeys(s.level1 for s in scores):
        for two in dict.fromkeys(["", *(s.level2 for s in scores if s.level1 == one)]):
            under = [s for s in scores if s.level1 == one and two in {"", s.level2}]
            points = sum((s.points for s in under), Decimal(0))
            known = [s.score for s in under if s.score is not None]
            score = sum(known, Decimal(0)) if len(known) == len(under) else None
            rate = _rate(score, points, digits)
            found.append(GroupScore(level1=one, level2=two, points=points, score=score, rate=rate))
    return tuple(found)
