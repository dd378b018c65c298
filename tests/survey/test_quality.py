"""Careless and copied answers are flagged with the reason; none is dropped."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from survey_support import asked, tidy

from evalkit.survey.quality import flags

SCALE = ["1、态度", "2、效率", "3、环境"]
SAID = pd.DataFrame([
    ["满意", "一般", "满意", "男"], ["满意", "满意", "满意", "女"], ["满意", "一般", "满意", "男"],
    ["一般", "满意", None, "女"], [None, None, None, None], ["不满意", "不满意", None, "男"],
], columns=[*SCALE, "4、性别"])  # fmt: skip
PEOPLE = pd.DataFrame({
    "respondent": list("123456"), "row": range(2, 8),
    "ip": ["1.1.1.1", "1.1.1.2", "1.1.1.1", "1.1.1.1", "", ""],
    "seconds": [60, 20.5, np.nan, 30, 31, 29],
})  # fmt: skip


def found(people=PEOPLE, said=SAID, seconds=30, least=3) -> dict[str, list[str]]:
    log = flags(people, asked(said), SCALE, seconds=seconds, least=least)
    return log.groupby("rule")["respondent"].agg(list).to_dict()


def test_every_rule_flags_its_respondents():
    assert found() == {
        "IP相同": ["3", "4"], "答案全部相同": ["3"], "IP和答案都相同": ["3"], "直线作答": ["2"],
        "用时过短": ["2", "6"],
    }  # fmt: skip


def test_a_flag_says_why_and_waits_for_a_person():
    log = flags(PEOPLE, asked(SAID), SCALE, seconds=30, least=3)
    assert log["reason"].tolist() == [
        "与答卷“1”相同", "与答卷“1”相同", "与答卷“1”相同", "与答卷“1”相同",
        "量表各题都选“满意”", "用时 20.5 秒，少于 30 秒", "用时 29 秒，少于 30 秒",
    ]  # fmt: skip
    assert log[["decision", "cause", "approver"]].drop_duplicates().to_numpy().tolist() == [
        ["待核实", "", ""]
    ]
    assert log["row"].tolist() == [4, 5, 4, 4, 3, 3, 7]


def test_thresholds_are_those_that_are_stated():
    assert found(least=2)["直线作答"] == ["2", "6"]
    assert "直线作答" not in found(least=4)
    assert "用时过短" not in found(seconds=20.5)
    assert found(seconds=30.5)["用时过短"] == ["2", "4", "6"]


def test_what_was_written_in_tells_answers_apart():
    table = asked(SAID)
    table.loc[(table["respondent"] == "3") & (table["question"] == "4、性别"), "text"] = "另述"
    log = flags(PEOPLE, table, SCALE, seconds=0, least=9)
    assert log["rule"].tolist() == ["IP相同", "IP相同"]


def test_without_addresses_and_times_only_answers_are_compared():
    people = PEOPLE.drop(columns="ip").assign(seconds=np.nan)
    assert found(people) == {"答案全部相同": ["3"], "直线作答": ["2"]}


def test_one_who_answered_nothing_is_not_a_copy_of_another():
    assert found(said=SAID.iloc[[4, 4, 4, 4, 4, 4]].reset_index(drop=True)) == {
        "IP相同": ["3", "4"], "用时过短": ["2", "6"],
    }  # fmt: skip


def test_nobody_and_tallies_have_no_flags():
    assert flags(PEOPLE.iloc[:0], asked(SAID).iloc[:0], SCALE, seconds=30, least=3).empty
    assert flags(PEOPLE.iloc[:0], tidy([1, 2, 3, 4, 5]), SCALE, seconds=30, least=3).empty


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["满意", "一般"])), min_size=1))
def test_the_first_of_every_kind_is_never_a_copy(rows):
    people = pd.DataFrame({
        "respondent": [str(i + 1) for i in range(len(rows))], "row": range(len(rows)),
        "ip": [ip for ip, _ in rows], "seconds": 99.0,
    })  # fmt: skip
    log = flags(people, asked(pd.DataFrame({"1、态度": [a for _, a in rows]})), SCALE, 9, 2)
    kept = {
        rule: set(people["respondent"]) - set(part["respondent"])
        for rule, part in log.groupby("rule")
    }
    kinds = {"IP相同": {ip for ip, _ in rows}, "答案全部相同": {a for _, a in rows},
             "IP和答案都相同": set(rows)}  # fmt: skip
    for rule, left in kept.items():
        assert len(left) == len(kinds[rule])
