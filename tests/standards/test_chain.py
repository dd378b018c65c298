"""The chain of the five standards: whole, and broken at each link."""

from __future__ import annotations

import pandas as pd
import pytest

from evalkit.core.model import PolicyUse
from evalkit.core.problem import EvalkitError
from evalkit.standards.chain import check

LEAST = PolicyUse(
    key="outcome_share_min", title="产出和效益的最低分值", value=60,
    source="财预〔2020〕10号第十四条", effective="2020-02-25", profile="national",
)  # fmt: skip
SERVICES = pd.DataFrame(
    {"no": ["S01", "S02"], "item": ["清扫保洁", "满意度"], "clause": ["CJJ/T 126—2022", "合同"],
     "at": ["公共服务标准!A3", "公共服务标准!A4"]}
)  # fmt: skip
QUOTAS = pd.DataFrame({"tier": ["T1"], "quota": ["9.5"]})
TARGETS = pd.DataFrame(
    {"code": ["C101", "C401", "D301"], "level1": ["产出", "产出", "效益"],
     "level2": ["产出质量", "产出成本", "满意度"], "value": ["90", "9.50", "≥85%"],
     "points": [40, 30, "30"], "basis": ["S01", "T1", "S02"],
     "at": [f"绩效目标标准!A{n}" for n in range(3, 6)]}
)  # fmt: skip
RULES = pd.DataFrame(
    {"target": ["C101", "C401", "D301"], "points": [40, 30, 30], "rule": "比例得分",
     "at": [f"绩效评价标准!A{n}" for n in range(3, 6)]}
)  # fmt: skip
GIVEN = {"services": SERVICES, "quotas": QUOTAS, "targets": TARGETS, "rules": RULES}


def found(outcome=LEAST, **changes) -> list[tuple[str, str]]:
    _, problems = check(**(GIVEN | changes), outcome=outcome)
    return [(problem.code, problem.sheet[-4:] + problem.cell) for problem in problems]


def changed(name: str, row: int, **cells) -> dict[str, pd.DataFrame]:
    table = GIVEN[name].astype(object)
    for column, value in cells.items():
        table.at[row, column] = value
    return {name: table}


def test_a_whole_chain_has_no_problems_and_shows_each_source():
    table, problems = check(**GIVEN, outcome=LEAST)
    assert problems == []
    assert table[["code", "source", "scored"]].astype(str).values.tolist() == [
        ["C101", "CJJ/T 126—2022", "40"], ["C401", "9.5", "30"], ["D301", "合同", "30"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "row", "cells", "expected"),
    [
        ("services", 0, {"clause": " "}, [("quota.blank", "服务标准A3")]),
        ("services", 1, {"no": "S01"},
         [("quota.twice", "服务标准A4"), ("quota.unknown", "目标标准A5")]),
        ("targets", 0, {"basis": "S09"}, [("quota.unknown", "目标标准A3")]),
        ("targets", 0, {"basis": None}, [("quota.blank", "目标标准A3")]),
        ("targets", 1, {"basis": "S01"}, [("chain.cost", "目标标准A4")]),
        ("targets", 1, {"value": None}, [("chain.cost", "目标标准A4")]),
        ("targets", 1, {"value": "9.51"}, [("chain.quota", "目标标准A4")]),
        ("targets", 1, {"value": "9.49"}, []),
        ("targets", 0, {"basis": "T1"}, []),
        ("targets", 0, {"points": 39}, [("chain.points", "目标标准A3")]),
        ("targets", 2, {"code": "D302"},
         [("quota.unknown", "目标标准A5"), ("quota.unknown", "评价标准A5")]),
        ("rules", 0, {"points": 41}, [("chain.points", "目标标准A3"), ("chain.sum", "")]),
        ("rules", 0, {"target": None},
         [("quota.unknown", "目标标准A3"), ("quota.blank", "评价标准A3")]),
    ],
)  # fmt: skip
def test_each_broken_link_is_found_at_its_cell(name, row, cells, expected):
    assert found(**changed(name, row, **cells)) == expected


def test_the_cost_of_101_is_a_first_level_indicator():
    targets = changed("targets", 1, level1="成本", level2="经济成本", basis="S01")
    assert found(**targets) == [("chain.cost", "目标标准A4")]


def test_too_few_points_for_outputs_and_effects_are_a_note_with_its_source():
    targets = TARGETS.assign(level1=["成本", "产出", "满意度"], level2=["经济成本", "产出成本", ""],
                             basis="T1", value="1")  # fmt: skip
    _, problems = check(**(GIVEN | {"targets": targets}), outcome=LEAST)
    (problem,) = problems
    assert problem.severity == "note"
    assert str(problem) == (
        "产出和效益指标的分值占 30%，低于 60%（财预〔2020〕10号第十四条）——请调整，或说明理由"
    )
    assert found(outcome=LEAST.model_copy(update={"value": 30}), targets=targets) == []


def test_a_target_without_a_rule_is_told_which_there_are():
    _, problems = check(**(GIVEN | {"rules": RULES[:2]}), outcome=LEAST)
    assert (
        "绩效目标标准｜A5：本行的绩效目标的编号“D301”没有对应的内容——可用的有：C101、C401"
        in map(str, problems)
    )


def test_empty_tables_are_said_not_crashed_on():
    codes = {code for code, _ in found(rules=RULES[:0])}
    assert codes == {"quota.empty", "quota.unknown", "chain.sum"}


@pytest.mark.parametrize(
    ("name", "cells"),
    [("targets", {"points": None}), ("rules", {"points": "x"}), ("quotas", {"quota": None})],
)
def test_points_and_quotas_that_are_no_numbers_are_refused(name, cells):
    with pytest.raises(EvalkitError) as error:
        found(**changed(name, 0, **cells))
    assert {problem.code for problem in error.value.problems} == {"quota.number"}
