"""What the room `survey` says of results: laws of exact satisfaction, joints, errors, decisions."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from math import inf, isnan
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.expr import Term
from evalkit.core.problem import EvalkitError
from evalkit.policy import load as load_policy
from evalkit.report import prose
from evalkit.survey.answers import tallied
from evalkit.survey.estimates import levels
from evalkit.survey.results import (
    classified,
    decided,
    joint,
    margin,
    measured,
    returned,
    sheets,
    stratified,
    turned,
)  # fmt: skip
from evalkit.survey.sample import size
from evalkit.survey.satisfaction import OPTIONS, UNAWARE
from evalkit.workbook.schema import load_schema

VALUES = {name: [Decimal(v) for v in values] for name, values in {
    "五级均值": (100, 80, 60, 40, 20), "百分赋值": (100, 75, 50, 25, 0),
    "递减赋值": (100, 80, 60, 30, 0), "前两级占比": (100, 100, 0, 0, 0),
    "前三级占比": (100, 100, 100, 0, 0),
}.items()}  # fmt: skip
counts6 = st.lists(st.integers(0, 40), min_size=6, max_size=6)
strata = st.lists(counts6.filter(lambda row: sum(row) > 1), min_size=2, max_size=4)


def table(rows: list[list[int]], question: str = "1、甲") -> pd.DataFrame:
    heads = ["题目", "分组", *OPTIONS, UNAWARE]
    return tallied(
        pd.DataFrame([[question, f"层{n}", *r] for n, r in enumerate(rows)], columns=heads)
    )


@given(strata, st.lists(st.integers(0, 5000), min_size=4, max_size=4))
def test_exact_and_floating_satisfaction_agree_with_and_without_strata(rows, more):
    answers = table(rows)
    sizes = {f"层{n}": sum(row) + more[n] for n, row in enumerate(rows)}
    for given_sizes, tidy in ((sizes, answers), ({}, answers.assign(group=""))):
        found = measured(tidy, ["1、甲"], VALUES, given_sizes)
        for each in (by["1、甲"] for by in found.values()):
            if each["term"] is None:
                assert isnan(each["low"]) and not any(sum(row[:5]) for row in rows)
                continue
            mean = float(each["term"].value)
            assert each["low"] - 1e-9 <= mean <= each["high"] + 1e-9
            assert 0 <= each["low"] <= each["high"] <= 100


@given(strata)
def test_strata_in_proportion_to_their_sample_weigh_nothing(rows):
    answers = table(rows)
    sizes = {f"层{n}": 7 * sum(row) for n, row in enumerate(rows)}
    weighed = measured(answers, ["1、甲"], VALUES, sizes)["百分赋值"]["1、甲"]["term"]
    plain = measured(answers.assign(group=""), ["1、甲"], VALUES, {})["百分赋值"]["1、甲"]["term"]
    assert (weighed is None) == (plain is None)
    assert weighed is None or weighed.value == plain.value


@given(st.lists(st.integers(0, 20), min_size=5, max_size=5).filter(any))
def test_turning_twice_changes_nothing_and_once_mirrors_symmetric_mappings(row):
    answers = table([[*row, 3]])
    twice = turned(turned(answers, ["1、甲"]), ["1、甲"])
    assert twice["option"].tolist() == answers["option"].tolist()
    once, plain = (measured(each.assign(group=""), ["1、甲"], VALUES, {})["百分赋值"]["1、甲"]
                   for each in (turned(answers, ["1、甲"]), answers))  # fmt: skip
    assert once["term"].value == 100 - plain["term"].value
    assert levels(turned(answers, []), ["1、甲"])["level"].equals(
        levels(answers, ["1、甲"])["level"]
    )


def test_a_wider_design_effect_widens_the_interval_within_the_scale():
    answers = table([[20, 10, 5, 3, 2, 0]]).assign(group="")
    one, four = (
        measured(answers, ["1、甲"], VALUES, {}, deff=d)["百分赋值"]["1、甲"] for d in (1, 4)
    )
    mean = float(one["term"].value)
    assert four["high"] - mean == pytest.approx(2 * (one["high"] - mean))
    many = measured(answers, ["1、甲"], VALUES, {}, deff=900)["百分赋值"]["1、甲"]
    assert (many["low"], many["high"]) == (0, 100)


def test_policy_has_all_five_mappings_and_an_evaluation_may_choose_any_of_them():
    national = load_policy("national", as_of=date(2024, 12, 31)).value("survey_mappings")
    assert national == VALUES
    choices = [
        next(
            f.choices for f in load_schema(name).sheet("project").fields if f.id == "survey_mapping"
        )
        for name in ("project_evaluation", "satisfaction_survey")
    ]
    assert choices == [tuple(national)] * 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("前三级占比", "“前三级占比”口径（答“非常满意”“满意”“一般”的占有效答案的比例）"),
        ("递减赋值", "“递减赋值”口径（从“非常满意”到“非常不满意”依次赋100、80、60、30、0分）"),
    ],
)
def test_a_report_of_an_evaluation_says_what_a_mapping_is(name, said):
    use = load_policy("national", as_of=date(2024, 12, 31)).use("survey_mappings")
    scored = SimpleNamespace(trace=SimpleNamespace(policies=(use,)))
    assert prose.said("mapping", [scored], name) == said


def test_a_joint_is_unknown_where_one_of_its_questions_is():
    known = {"term": Term.of(80), "low": 78.0, "high": 82.0}
    gone = {"term": None, "low": float("nan"), "high": float("nan")}
    assert joint({"甲": known, "乙": gone}, {"甲": Decimal(1), "乙": Decimal(1)})["term"] is None
    assert joint({"甲": known, "乙": gone}, {"甲": Decimal(1)}) == known
    assert joint({}, {})["term"] is None


@pytest.mark.parametrize("population", [100, 200, 500, 1000, 5000, inf])
@pytest.mark.parametrize("error", [0.03, 0.05, 0.1])
def test_the_planned_size_reaches_the_planned_error_and_one_less_does_not(population, error):
    for deff in (1.0, 1.5):
        needed, _, _ = size(error, population=population, deff=deff)
        assert margin(needed, 0.95, population, deff) <= error * 100 + 1e-9
        if deff == 1.0 and needed < population:
            assert margin(needed - 1, 0.95, population) > error * 100


def test_everybody_asked_leaves_no_sampling_error_and_no_certainty_is_refused():
    assert margin(50, 0.95, 50) == margin(1, 0.95, 1) == 0
    with pytest.raises(EvalkitError):
        margin(50, 1.0)


def test_sheets_count_persons_and_the_fullest_tally():
    paper = tallied(pd.DataFrame({"题目": ["甲", "乙"], "是": [7, 9]}))
    online = paper.head(1).assign(respondent="1", count=1, people=1.0)
    both = pd.concat([paper, online, online.assign(question="乙")])
    assert (sheets(paper), sheets(online), sheets(both), sheets(paper[:0])) == (9, 1, 10, 0)


def test_returns_of_nothing_are_nothing():
    assert returned({}).loc["合计", ["sent", "returned", "valid"]].tolist() == [0, 0, 0]
    found = returned({"线上": [10, 0, 0]})
    assert found.index.tolist() == ["线上"] and found.loc["线上", "return_rate"] == 0
    assert pd.isna(found.loc["线上", "valid_rate"])


def test_a_planned_sample_is_divided_wholly_even_where_it_is_small():
    answers = table([[1, 0, 0, 0, 0, 0]] * 3)
    found = stratified(answers, {"层0": 900, "层1": 60, "层2": 40}, 20, 10)
    assert found["planned"].sum() == 20 and found["planned"].min() >= 6
    assert stratified(answers, {}, 20, 10).empty


def test_a_later_decision_about_another_rule_settles_that_rule_alone():
    log = [
        {"respondent": "7", "row": 8, "rule": rule, "reason": ""} for rule in ("IP相同", "用时过短")
    ]
    kept = {
        "respondent": "7",
        "rule": "IP相同",
        "decision": "保留",
        "cause": "终端",
        "approver": "",
    }
    lines, out = decided(log, [kept], ["7"])
    assert [line["decision"] for line in lines] == ["保留", ""] and not out
    struck = kept | {"rule": "用时过短", "decision": "剔除", "approver": "张"}
    lines, out = decided(log, [kept, struck], ["7"])
    assert [line["decision"] for line in lines] == ["剔除", "剔除"] and out == {"7": "用时过短"}
    assert decided([], [struck], []) == ([], {})


def test_one_letter_words_are_whole_answers_and_no_category_leaves_all():
    said = pd.DataFrame({"option": ["无", "无障碍通道太少"], "count": 1, "people": 1.0})
    found, rest = classified(said, {"没有": ["无"]})
    assert found["count"].tolist() == [1] and rest == ["无障碍通道太少"]
    assert classified(said, {})[1] == said["option"].tolist()
    empty, rest = classified(said[:0], {"没有": ["无"]})
    assert empty["count"].tolist() == [0] and rest == []
