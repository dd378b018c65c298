"""The chain of the five standards, broken on purpose: the sentence names the cell."""

from __future__ import annotations

import pytest
from cost_support import D, cell, data, outcome, place, result, told

from evalkit.core.problem import EvalkitError

TARGETS, RULES = "绩效目标标准", "绩效评价标准"
PARTS = "services tiers chained"


def broken(*changes, **more):
    """Problems of the road demo's chain after changes, by their code."""
    return {p.code: p for p in told("rural_road", *changes, parts=PARTS, **more)}


def test_the_chain_of_the_demo_itself_is_whole():
    assert broken() == {}


def test_a_target_without_a_source_row_is_named_with_what_there_is():
    found = broken(("targets", 1, {"basis": "S99"}))["quota.unknown"]
    assert place(found) == (TARGETS, cell("rural_road", "targets", 1, "code"))
    assert "取值依据“S99”" in found.what
    assert "S01、" in found.remedy


def test_a_target_without_a_source_row_is_shown_as_incomplete():
    rows = outcome("rural_road", ("targets", 1, {"basis": "S99"}), parts=PARTS).tables["chain"]
    assert [row["target"] for row in rows if row["verdict"] != "引用完整"] == ["C102"]


@pytest.mark.parametrize("value", ["≤10,100.01", "≤10101", "10200元"])
def test_a_cost_target_above_the_recommended_quota_is_named(value):
    found = broken(("targets", {"code": "C401"}, {"value": value}))["chain.quota"]
    row = [r["code"].text for r in data("rural_road").source.tables["targets"]].index("C401")
    assert place(found) == (TARGETS, cell("rural_road", "targets", row, "code"))
    assert "C401" in found.what


def test_a_recommended_quota_below_the_cost_target_breaks_the_chain_from_the_other_end():
    found = broken(("tiers", {"code": "T1"}, {"recommended": 10_000}))["chain.quota"]
    assert "C401" in found.what


@pytest.mark.parametrize("change", [{"basis": "S01"}, {"value": None}])
def test_a_cost_target_that_cites_no_tier_or_says_no_number_is_named(change):
    found = broken(("targets", {"code": "C402"}, change))["chain.cost"]
    assert found.sheet == TARGETS
    assert "C402" in found.what


def test_a_rule_without_a_target_and_the_target_left_without_a_rule_are_both_named():
    found = told("rural_road", ("evaluations", 1, {"target": "C999"}), parts=PARTS)
    assert {place(p): p.what for p in found if p.code == "quota.unknown"} == {
        (TARGETS, cell("rural_road", "targets", 1, "code")): found[0].what,
        (RULES, cell("rural_road", "evaluations", 1, "target")): found[1].what,
    }
    assert "C102" in found[0].what
    assert "C999" in found[1].what


def test_points_that_are_not_a_hundred_are_told_with_their_sum():
    given = data("rural_road").source.tables["evaluations"][1]["points"].number
    found = broken(("evaluations", 1, {"points": given + 1}))
    assert "合计为 101" in found["chain.sum"].what
    assert RULES in found["chain.sum"].what
    apart = found["chain.points"]
    assert place(apart) == (TARGETS, cell("rural_road", "targets", 1, "code"))


def test_a_linear_rule_that_does_not_say_where_nothing_is_left_is_named():
    found = broken(("evaluations", {"target": "C201"}, {"zero_at": None}))["chain.zero"]
    assert found.sheet == RULES
    assert "C201" in found.what
    assert "零分值" in found.what


def test_points_that_are_no_number_above_zero_are_refused_at_their_row():
    found = broken(("targets", 2, {"points": D(-3)}))["quota.number"]
    assert place(found) == (TARGETS, cell("rural_road", "targets", 2, "code"))
    assert "-3" in found.what


def test_a_target_given_twice_is_named():
    found = broken(("targets", 1, {"code": "C101"}))["quota.twice"]
    assert place(found) == (TARGETS, cell("rural_road", "targets", 1, "code"))


def test_a_service_row_without_its_clause_is_named():
    found = broken(("services", 1, {"clause": None}))["quota.blank"]
    assert place(found) == ("公共服务标准", cell("rural_road", "services", 1, "no"))
    assert "依据" in found.what


def test_too_little_for_output_and_outcome_is_only_noted_with_its_source():
    moved = [("targets", {"level1": "效益"}, {"level1": "决策"}),
             ("targets", {"level2": "产出数量"}, {"level1": "过程"})]  # fmt: skip
    found = broken(*moved)
    assert found["chain.outcome"].severity == "note"
    assert "财预〔2020〕10号" in found["chain.outcome"].what


def test_a_strict_stage_refuses_a_broken_chain_with_everything_at_once():
    changes = [("targets", 1, {"basis": "S99"}), ("targets", {"code": "C401"}, {"value": "≤10200"}),
               ("evaluations", 2, {"points": 50})]  # fmt: skip
    with pytest.raises(EvalkitError) as refused:
        outcome("rural_road", *changes, parts=PARTS, stage="送审稿")
    codes = {p.code for p in refused.value.problems}
    assert codes == {"quota.unknown", "chain.quota", "chain.points", "chain.sum"}
    drafted = outcome("rural_road", *changes, parts=PARTS)
    assert {p.code for p in drafted.problems} == codes
    assert len(drafted.tables["chain"]) == len(result("rural_road").tables["chain"])
