"""Published values, then laws."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.expr import Term
from evalkit.scoring import rules
from evalkit.scoring.rules import RuleError
from evalkit.scoring.scorecard import award, grade_of

CUTS = [{"grade": g, "from": f} for g, f in zip("优良中差", (90, 80, 60, 0), strict=True)]
POINTS = st.integers(1, 40).map(Decimal)
VALUES = st.decimals(0, 1000, places=2)
POSITIVE = st.decimals("0.01", 1000, places=2)


@pytest.mark.parametrize(
    ("rate", "ten", "hundred_one"),
    [("80", "8.00", "5.00"), ("59.9", "5.99", "0.00"), ("60", "6.00", "0.00"), ("100", "10", "10")],
)
def test_the_two_documents_give_their_published_marks(rate, ten, hundred_one):
    assert award(rules.proportional(10, rate, 100), 2, "half_up")[0] == Decimal(ten)
    assert award(rules.ratio_floor(10, rate, 100, 60), 2, "half_up")[0] == Decimal(hundred_one)


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        ("90", "优"),
        ("89.99", "良"),
        ("87", "良"),
        ("80", "良"),
        ("79.99", "中"),
        ("60", "中"),
        ("59.99", "差"),
    ],
)
def test_a_boundary_belongs_to_the_upper_grade(score, grade):
    assert grade_of(Decimal(score), CUTS) == grade


@pytest.mark.parametrize(
    ("exact", "published"), [("89.995", "90.00"), ("79.995", "80.00"), ("7.845", "7.85")]
)
def test_scores_are_rounded_half_up_and_only_then_graded(exact, published):
    assert award(Term.of(exact), 2, "half_up")[0] == Decimal(published)


def test_gbt8170_rounds_an_exact_half_to_even():
    assert award(Term.of("0.125"), 2, "gbt8170") == (Decimal("0.12"), "GBT8170(0.125,2)")


def test_a_step_deduction_reproduces_the_county_table():
    # 在职人员控制率 1 分，每超 1 个百分点扣 0.1；三公变动率 3 分，每增 1 个百分点扣 0.3
    assert rules.step_deduct(1, 103, 100, "0.1", lower_is_better=True) == Decimal("0.7")
    assert rules.step_deduct(3, 12, 0, "0.3", lower_is_better=True) == 0


@pytest.mark.parametrize(
    ("rounding", "score"), [("按比例", "2.75"), ("不计", "3"), ("按一步计", "2.5")]
)
def test_part_of_a_step_costs_what_the_workbook_says(rounding, score):
    assert rules.step_deduct(4, "92.5", 95, "0.5", rounding=rounding) == Decimal(score)


@pytest.mark.parametrize(
    ("done", "by", "score"),
    [
        (date(2024, 6, 30), "日", 6),
        (date(2024, 6, 1), "日", 6),
        (date(2024, 7, 5), "日", 5),
        (date(2025, 1, 10), "日", 0),
        (date(2024, 9, 1), "月", "5.4"),
    ],
)
def test_lateness_is_counted_in_days_or_calendar_months(done, by, score):
    assert rules.on_time(6, done, date(2024, 6, 30), "0.2", by=by) == Decimal(score)


def test_five_experts_lose_their_extremes_and_four_do_not():
    assert rules.experts(10, [1, 8, 8, 8, 10], trim_from=5) == 8
    assert rules.experts(10, [1, 8, 8, 10], trim_from=5) == Decimal("6.75")


def test_over_achievement_is_capped():
    assert rules.overachieved(10, 10, 400, 100, 30, "0.2", 20) == 8
    assert rules.overachieved(10, 10, 129, 100, 30, "0.2", 20) == 10


def test_a_tier_and_its_percentage_must_agree():
    assert rules.tiers(10, 80, low=80, high=100, top=True) == 8
    with pytest.raises(RuleError, match="不在所选档次"):
        rules.tiers(10, 80, low=60, high=80)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: rules.proportional(5, 1, 0),
        lambda: rules.ratio_floor(5, 1, 0, 60),
        lambda: rules.ratio_floor(5, 1, 1, 100),
        lambda: rules.lower_deduct(5, 1, 0),
        lambda: rules.lower_ratio(5, 1, 0),
        lambda: rules.linear(5, 1, 3, 3),
        lambda: rules.within(5, 1, 0, 3),
        lambda: rules.within(5, 1, 3, 3),
        lambda: rules.bands(5, 1, limits=[], rates=[]),
        lambda: rules.bands(5, 1, limits=[80, 90], rates=[100, 80]),
        lambda: rules.bands(5, 1, limits=[90, 80], rates=[80, 100]),
        lambda: rules.bands(5, 1, limits=[90, 80], rates=[120, 100]),
        lambda: rules.elements(5, []),
        lambda: rules.elements(5, [2]),
        lambda: rules.deduct(5, -1, 1),
        lambda: rules.step_deduct(5, 1, 1, 1, step=0),
        lambda: rules.step_deduct(5, 1, 1, 1, rounding="随便"),
        lambda: rules.on_time(5, date(2024, 1, 1), date(2024, 1, 1), 1, by="周"),
        lambda: rules.experts(5, [], trim_from=5),
        lambda: rules.experts(5, [6], trim_from=5),
        lambda: rules.overachieved(5, 5, 1, 0, 30, 1, 20),
    ],
)
def test_division_by_zero_and_nonsense_are_refused_in_a_sentence(refused):
    with pytest.raises(RuleError) as refusal:
        refused()
    assert len(str(refusal.value)) > 5


def test_rules_work_on_whole_columns():
    frame = pd.DataFrame({"points": [8, 10], "actual": ["205.8", "55"], "target": [210, 50]})
    scores = rules.proportional(frame["points"], frame["actual"], frame["target"])
    assert list(scores) == [Decimal("7.84"), 10]
    assert list(rules.deduct(np.array([5, 5]), np.array([1, 9]), 1)) == [4, 0]


RULES = [
    lambda p, a, t: rules.proportional(p, a, t),
    lambda p, a, t: rules.ratio_floor(p, a, t, 60),
    lambda p, a, t: rules.linear(p, a, t + 10, t),
    lambda p, a, t: rules.step_deduct(p, a, t, "0.5"),
    lambda p, a, t: rules.step_deduct(p, a, t, "0.5", rounding="不计"),
    lambda p, a, t: rules.bands(p, a, limits=[t * 2, t, t / 2], rates=[100, 60, 20]),
]
REVERSE = [
    lambda p, a, t: rules.lower_deduct(p, a, t),
    lambda p, a, t: rules.lower_ratio(p, a, t),
    lambda p, a, t: rules.deduct(p, a, t),
    lambda p, a, t: rules.linear(p, a, t, t + 10),
    lambda p, a, t: rules.step_deduct(p, a, t, "0.5", lower_is_better=True, rounding="按一步计"),
    lambda p, a, t: rules.bands(p, a, limits=[t / 2, t], rates=[100, 50], lower_is_better=True),
]


@pytest.mark.parametrize("rule", RULES)
@given(points=POINTS, low=VALUES, more=VALUES, target=POSITIVE)
def test_a_better_value_never_scores_less_and_stays_within_the_points(
    rule, points, low, more, target
):
    worse, better = rule(points, low, target), rule(points, low + more, target)
    assert 0 <= worse <= better <= points


@pytest.mark.parametrize("rule", REVERSE)
@given(points=POINTS, low=VALUES, more=VALUES, target=POSITIVE)
def test_where_lower_is_better_a_higher_value_never_scores_more(rule, points, low, more, target):
    better, worse = rule(points, low, target), rule(points, low + more, target)
    assert 0 <= worse <= better <= points


@given(points=POINTS, value=VALUES, lower=POSITIVE, width=POSITIVE)
def test_a_range_gives_full_marks_inside_and_less_outside(points, value, lower, width):
    score = rules.within(points, value, lower, lower + width)
    inside = lower <= value <= lower + width
    assert (score == points) == inside
    assert 0 <= score <= points


@given(
    points=POINTS,
    parts=st.lists(st.tuples(st.integers(1, 50), st.fractions(0, 1)), min_size=1, max_size=8),
)
def test_evaluation_points_are_a_weighted_mean(points, parts):
    shares, met = zip(*parts, strict=True)
    score = rules.elements(points, met, shares)
    low, high = (bound(met) * Fraction(points) for bound in (min, max))
    assert low <= score.value <= high
    assert rules.elements(points, [1] * len(met), shares) == points


@given(points=POINTS, scores=st.lists(st.decimals(0, 1, places=2), min_size=1, max_size=9))
def test_the_expert_mean_lies_between_the_experts(points, scores):
    given_scores = [s * points for s in scores]
    mean = rules.experts(points, given_scores, trim_from=5).value
    assert min(map(Fraction, given_scores)) <= mean <= max(map(Fraction, given_scores))
