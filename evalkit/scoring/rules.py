"""The scoring rules: points, a measurement and parameters in, an exact score out.

Every rule returns a `Term`: the unrounded score together with the Excel formula that yields it.
Scores stay within 0 and the points by construction. Positional arguments may be arrays or Series
of shape (n,); they broadcast and an object array of terms comes back. Percentages are in percent
points (98 is 98 %).

The legal basis of a rule in a project evaluation is the approved 实施方案 (财监〔2021〕4号
art. 15–16); 财预〔2020〕10号 art. 16 and 财预〔2021〕101号 三（七） speak of self-evaluation only.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import wraps
from typing import ParamSpec, cast

import numpy as np

from evalkit.core.expr import Number, Term, greatest, least, total, when, whole_down, whole_up
from evalkit.scoring.texts import TEXTS

P = ParamSpec("P")

NAMES: dict[str, str] = TEXTS["rules"]
BY_NAME = {name: rule for rule, name in NAMES.items()}


class RuleError(ValueError):
    """A rule cannot be applied to these numbers; the message says what to do (Chinese)."""


def _vectorised(rule: Callable[P, Term]) -> Callable[P, Term]:
    @wraps(rule)
    def over(*args: P.args, **kwargs: P.kwargs) -> Term:
        if any(hasattr(arg, "__array__") for arg in args):
            call = np.frompyfunc(lambda *a: rule(*a, **kwargs), len(args), 1)
            return cast(Term, call(*args))
        return rule(*args, **kwargs)

    return over


def _require(holds: bool, sentence: str) -> None:
    """Refuse, in this sentence, numbers that a rule cannot work with."""
    if not holds:
        raise RuleError(sentence)


def _target(number: Number) -> Term:
    """A target that can be divided by."""
    term = Term.of(number)
    _require(term > 0, f"目标值为 {term.text}，不能作除数——请改用“按次扣分”“是否达标”等规则")
    return term


@_vectorised
def proportional(points: Number, actual: Number, target: Number) -> Term:
    """比例得分: points × actual ÷ target, at most the points.

    The form of 财预〔2020〕10号 art. 16 for quantities (there for self-evaluation).

    Raises:
        RuleError: target ≤ 0.

    >>> proportional(8, "205.8", 210)
    Term(7.84, '8*MAX(0,MIN(1,205.8/210))')
    """
    share = Term.of(actual) / _target(target)
    return Term.of(points) * greatest(0, least(1, share))


satisfaction = proportional  # 满意度得分


@_vectorised
def ratio_floor(points: Number, actual: Number, target: Number, floor: Number) -> Term:
    """比例得分（设起算线）: zero up to `floor` percent of the target, then linear to the points.

    The form that 财预〔2021〕101号 三（七） gives as an example, with 60 %.

    >>> ratio_floor(10, 80, 100, 60)
    Term(5, '10*MAX(0,MIN(1,(80/100-60/100)/(1-60/100)))')

    Raises:
        RuleError: target ≤ 0, or a floor outside [0, 100).
    """
    start = Term.of(floor) / 100
    _require(0 <= start < 1, f"起算完成率 {Term.of(floor).text}% 须在 0 与 100% 之间")
    share = Term.of(actual) / _target(target)
    return Term.of(points) * greatest(0, least(1, (share - start) / (1 - start)))


@_vectorised
def overachieved(
    points: Number, score: Number, actual: Number, target: Number,
    tolerance: Number, slope: Number, cap: Number,
) -> Term:  # fmt: skip
    """Reduce a score because the target was set too low (10号 art. 16: 按偏离度适度调减).

    Deduction = points × min(cap, slope × (actual ÷ target − 1 − tolerance)), all in percent but
    the slope. No national formula exists; the three figures are policy values.

    >>> overachieved(10, 10, 160, 100, tolerance=30, slope="0.2", cap=20).decimal()
    Decimal('9.4')
    """
    excess = Term.of(actual) / _target(target) - 1 - Term.of(tolerance) / 100
    lost = Term.of(points) * least(Term.of(cap) / 100, Term.of(slope) * greatest(0, excess))
    return greatest(0, Term.of(score) - lost)


@_vectorised
def bands(
    points: Number, actual: Number, *,
    limits: Sequence[Number], rates: Sequence[Number], lower_is_better: bool = False,
) -> Term:  # fmt: skip
    """分档得分: the rate (percent) of the first limit met, best first; none met scores zero.

    Limits belong to their band (≥, or ≤ where lower is better).

    >>> bands(10, 92, limits=[95, 90, 80], rates=[100, 80, 50])
    Term(8, 'IF(92>=95,10*100/100,IF(92>=90,10*80/100,IF(92>=80,10*50/100,0)))')

    Raises:
        RuleError: no bands, limits not sorted from best to worst, rates outside 0–100 or rising.
    """
    cuts, shares = [Term.of(x) for x in limits], [Term.of(x) for x in rates]
    _require(bool(cuts), "没有分档——请在“分档”表中填写该指标的档次")
    order = sorted(set(cuts), reverse=not lower_is_better)
    _require(cuts == order, "分档界限须从好到差排列且不重复")
    falling = shares == sorted(shares, reverse=True) and all(0 <= s <= 100 for s in shares)
    _require(falling, "分档得分比例须在 0 与 100% 之间且从高到低")
    result = Term.of(0)
    for cut, share in reversed(list(zip(cuts, shares, strict=True))):
        op = "<=" if lower_is_better else ">="
        result = when(Term.of(actual), op, cut, Term.of(points) * share / 100, result)
    return result


@_vectorised
def linear(points: Number, actual: Number, full_at: Number, zero_at: Number) -> Term:
    """区间线性得分（功效系数法）: full points at one value, zero at the other, linear between.

    Works in both directions: for lower-is-better, `full_at` is the smaller value.

    >>> linear(8, 85, 90, 60).decimal()
    Decimal('6.666666666666666666666666667')

    Raises:
        RuleError: both values are equal.
    """
    full, zero = Term.of(full_at), Term.of(zero_at)
    _require(full != zero, "满分值与零分值相同——请填写两个不同的值")
    return Term.of(points) * greatest(0, least(1, (Term.of(actual) - zero) / (full - zero)))


@_vectorised
def within(points: Number, actual: Number, lower: Number, upper: Number) -> Term:
    """区间达标: full points inside [lower, upper]; outside, reduced by the relative distance.

    >>> within(5, 72, 60, 80).decimal(), within(5, 54, 60, 80).decimal()
    (Decimal('5'), Decimal('4.5'))

    Raises:
        RuleError: lower ≥ upper, or a bound ≤ 0 (a relative distance needs a positive bound).
    """
    p, a, low, high = (Term.of(x) for x in (points, actual, lower, upper))
    _require(low < high, "区间下限须小于区间上限")
    _require(low > 0, "区间下限须大于 0——否则请改用“区间线性得分”")
    below = p * greatest(0, 1 - (low - a) / low)
    above = p * greatest(0, 1 - (a - high) / high)
    return when(a, "<", low, below, when(a, ">", high, above, p))


@_vectorised
def exact(points: Number, actual: Number, target: Number) -> Term:
    """等值达标: full points when actual equals the target, else zero.

    >>> exact(4, 5, 5)
    Term(4, 'IF(5=5,4,0)')
    """
    return when(Term.of(actual), "=", target, points, 0)


@_vectorised
def on_time(
    points: Number, done: date, due: date, each: Number, by: str = "日", cap: Number | None = None
) -> Term:
    """按期完成: a deduction for each day (日) or calendar month (月) past the due date.

    >>> on_time(6, date(2024, 7, 10), date(2024, 6, 30), "0.2").decimal()
    Decimal('4')

    Raises:
        RuleError: the unit is neither 日 nor 月.
    """
    _require(by in {"日", "月"}, f"扣分步长“{by}”须为 日 或 月")
    if by == "日":
        late = Term.of(done) - Term.of(due)
    else:
        late = (Term.of(done.year) - due.year) * 12 + (Term.of(done.month) - due.month)
    return deduct(points, greatest(0, late), each, cap=cap)


@_vectorised
def lower_deduct(points: Number, actual: Number, target: Number) -> Term:
    """逆向扣减 (lower is better): the points reduced by the share by which the target is exceeded.

    >>> lower_deduct(10, 110, 100).decimal()
    Decimal('9')
    """
    t = _target(target)
    return Term.of(points) * greatest(0, 1 - greatest(0, Term.of(actual) - t) / t)


@_vectorised
def lower_ratio(points: Number, actual: Number, target: Number) -> Term:
    """逆向比例 (lower is better): points × target ÷ actual, at most the points.

    >>> lower_ratio(10, 125, 100).decimal(), lower_ratio(10, 0, 100).decimal()
    (Decimal('8'), Decimal('10'))
    """
    a, t = Term.of(actual), _target(target)
    return Term.of(points) * least(1, t / a) if a > 0 else when(a, "<=", 0, points, 0)


@_vectorised
def yes_no(
    points: Number, actual: Number, sign: str = "=", limit: Number = 1,
    penalty: Number | None = None,
) -> Term:  # fmt: skip
    """是否达标: full points if met; else zero, or the points less a fixed penalty.

    What is asked for is a limit on a number, by its sign (``>= > <= < =``), or 1 for 是.

    >>> yes_no(6, 1), yes_no(6, 0, penalty=2)
    (Term(6, 'IF(1=1,6,0)'), Term(4, 'IF(0=1,6,MAX(0,6-2))'))
    >>> yes_no(8, "-3.5", ">=", 0)
    Term(0, 'IF(-3.5>=0,8,0)')
    """
    p = Term.of(points)
    otherwise = Term.of(0) if penalty is None else greatest(0, p - penalty)
    return when(Term.of(actual), sign, limit, p, otherwise)


def elements(points: Number, met: Sequence[Number], shares: Sequence[Number] | None = None) -> Term:
    """评价要点: points × Σ(share × how far met, 0–1); equal shares unless given (any scale).

    >>> elements(5, [1, 1, "0.5"], [40, 40, 20])
    Term(4.5, '5*(40*1+40*1+20*0.5)/(40+40+20)')

    Raises:
        RuleError: no points, or a degree outside 0–1.
    """
    degrees = [Term.of(m) for m in met]
    _require(bool(degrees), "没有评分要点——请在“评分要点”表中填写该指标的要点")
    _require(all(0 <= d <= 1 for d in degrees), "要点符合程度须在 0 与 100% 之间")
    if shares is None:
        return Term.of(points) * total(degrees) / len(degrees)
    weights = [Term.of(s) for s in shares]
    weighted = total([w * d for w, d in zip(weights, degrees, strict=True)])
    return Term.of(points) * weighted / total(weights)


@_vectorised
def tiers(points: Number, rate: Number, *, low: Number, high: Number, top: bool = False) -> Term:
    """定性分级: points × rate %; the rate must lie in [low, high), for the top tier [low, high].

    Tiers and bounds: 财预〔2020〕10号 art. 16 (a boundary belongs to the upper tier).

    >>> tiers(10, 85, low=80, high=100, top=True).decimal()
    Decimal('8.5')

    Raises:
        RuleError: tier and percentage disagree.
    """
    r, lo, hi = Term.of(rate), Term.of(low), Term.of(high)
    tier = f"[{lo.text}%, {hi.text}%{']' if top else ')'}"
    _require(lo <= r < hi or (top and r == hi), f"得分比例 {r.text}% 不在所选档次 {tier} 内")
    return Term.of(points) * r / 100


@_vectorised
def deduct(points: Number, count: Number, per_unit: Number, cap: Number | None = None) -> Term:
    """按次扣分: a deduction for each event, up to a cap, down to zero (扣完为止).

    >>> deduct(5, 3, "0.5"), deduct(5, 9, 1, cap=3)
    (Term(3.5, 'MAX(0,5-3*0.5)'), Term(2, 'MAX(0,5-MIN(3,9*1))'))

    Raises:
        RuleError: a negative count or deduction.
    """
    n, each = Term.of(count), Term.of(per_unit)
    _require(n >= 0 and each >= 0, "次数和每单位扣分不能为负")
    lost = n * each
    return greatest(0, Term.of(points) - (lost if cap is None else least(cap, lost)))


@_vectorised
def step_deduct(
    points: Number, actual: Number, target: Number, per_step: Number, step: Number = 1,
    lower_is_better: bool = False, rounding: str = "按比例", cap: Number | None = None,
) -> Term:  # fmt: skip
    """逐点扣分: a deduction for each step (e.g. percent point) by which the target is missed.

    `rounding` says what a part of a step costs: 按比例, 不计 or 按一步计.

    >>> step_deduct(4, "92.5", 95, "0.5", rounding="按一步计").decimal()
    Decimal('2.5')

    Raises:
        RuleError: step ≤ 0 or an unknown rounding.
    """
    a, t = Term.of(actual), Term.of(target)
    _require(Term.of(step) > 0, "扣分步长须大于 0")
    steps = greatest(0, a - t if lower_is_better else t - a) / step
    counted = {"按比例": Term.of, "不计": whole_down, "按一步计": whole_up}
    _require(rounding in counted, f"“不足一步”填写的“{rounding}”无法识别")
    return deduct(points, counted[rounding](steps), per_step, cap=cap)


def experts(points: Number, scores: Sequence[Number], *, trim_from: int) -> Term:
    """专家评分: the mean, without the highest and the lowest from `trim_from` experts up.

    >>> experts(10, [9, 8, "9.5", 6, 10], trim_from=5).decimal()
    Decimal('8.833333333333333333333333333')

    Raises:
        RuleError: no scores, or one outside 0 and the points.
    """
    terms = [Term.of(s) for s in scores]
    _require(bool(terms), "没有专家打分——请在“专家打分”表中填写")
    fair = all(0 <= t <= Term.of(points) for t in terms)
    _require(fair, f"专家打分须在 0 与分值 {Term.of(points).text} 之间")
    if len(terms) < trim_from:
        return total(terms) / len(terms)
    return (total(terms) - greatest(*terms) - least(*terms)) / (len(terms) - 2)


@_vectorised
def veto(points: Number, occurred: bool) -> Term:
    """一票否决: zero if the event occurred. Capping the grade is the scorecard's work.

    >>> veto(8, False)
    Term(8, 'IF(0=0,8,0)')
    """
    return when(Term.of(int(occurred)), "=", 0, points, 0)
