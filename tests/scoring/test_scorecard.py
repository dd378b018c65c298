"""Gaps, adjustments, vetoes, checks and the states of a report, through whole workbooks."""

from __future__ import annotations

from decimal import Decimal

import pytest
import support

from evalkit.core.model import Datum
from evalkit.core.problem import EvalkitError
from evalkit.scoring.checks import check_scorecard, standard_conflicts
from evalkit.scoring.indicator import split_list


@pytest.fixture
def build(tmp_path):
    def make(*indicators, **sheets):
        return support.workbook(tmp_path / "数据底稿.xlsx", indicators=list(indicators), **sheets)

    return make


def codes(result) -> set[str]:
    return {p.code for p in result.problems}


def refused(workbook, stage="终稿") -> list:
    with pytest.raises(EvalkitError) as error:
        support.evaluate(workbook, stage)
    return error.value.problems


def scores(result) -> dict[str, Decimal | None]:
    return {i.code: i.score for i in result.score.indicators}


def test_a_complete_workbook_passes_as_final(build):
    result = support.evaluate(build({}), "终稿")
    assert result.score.total == 100
    assert result.score.grade == "优"
    assert not [p for p in result.problems if p.severity == "error"]


@pytest.mark.parametrize(
    ("target", "actual", "direction", "met"),
    [
        ("≥0%", "-3.5%", "", False),
        ("≥0%", "0%", "", True),
        ("≤0%", "-3.5%", "", True),
        (">0%", "0%", "", False),
        ("95%", "96%", "", True),
        ("95%", "94%", "", False),
        ("20%", "25%", "越低越好", False),
        ("0%", "1%", "", False),  # 事故为零: more than none is too much
        ("0%", "0%", "", True),
        ("是", "是", "", True),
        ("是", "否", "", False),
        ("95%", "是", "", True),  # somebody has compared it
    ],
)
def test_yes_or_no_compares_numbers_with_the_target(build, target, actual, direction, met):
    row = {"points": "100", "rule": "是否达标", "unit": "%"}
    result = support.evaluate(
        build(row | {"target": target, "actual": actual, "direction": direction})
    )
    (scored,) = result.score.indicators
    assert scored.score == (100 if met else 0)
    names = {i.name for i in scored.trace.inputs}
    assert ("目标值" in names) == (actual not in {"是", "否"})


def test_a_gap_leaves_the_total_provisional_with_its_range_and_no_grade(build):
    result = support.evaluate(build({"points": "60"}, {"points": "40", "actual": ""}))
    card = result.score
    assert scores(result) == {"C101": 60, "C102": None}
    assert (card.total, card.low, card.high, card.grade) == (None, 60, 100, "")
    assert [g.score for g in card.groups] == [None, None]
    assert "gap" in codes(result)


def test_a_final_refuses_gaps_and_lists_everything_at_once(build):
    workbook = build({"points": "60"}, {"points": "41", "actual": "", "basis_document": ""})
    found = {p.code for p in refused(workbook)}
    assert {"gap", "points.sum", "required.final"} <= found


@pytest.mark.parametrize("stage", ["送审稿", "终稿"])
@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"points": "90"}, "points.sum"),
        ({"actual": ""}, "gap"),
        ({"actual": "50", "unit": "", "target": "100人"}, ""),
        ({"target": "0"}, "rule"),
        ({"actual": "2024-02-30", "target": "2024-06-30", "rule": "按期完成"}, ""),
        ({"target": "120人", "actual": "120户"}, "rule"),
        ({"actual": "50%"}, "reason.missing"),
        ({"level1": "过程"}, "weights.outcome"),
        ({"rule": "定性分级", "tier": "达成预期", "tier_rate": "70%"}, "rule"),
        ({"actual": "0.98", "reason": "未完成"}, "percent.ambiguous"),
        ({"target": "10公里", "actual": "9人", "unit": "公里"}, "unit.conflict"),
    ],
)
def test_strict_stages_refuse_what_drafts_only_show(build, stage, row, code):
    workbook = build(row)
    if code:
        assert code in {p.code for p in refused(workbook, stage)}
    result = support.evaluate(workbook, "初稿")
    assert not [p for p in result.problems if p.severity == "error"]
    assert not code or code in codes(result)


def test_duplicated_codes_are_refused_by_a_final_and_a_gap_in_a_draft(build):
    rows = ({"points": "60"}, {"points": "40", "code": "C101"})
    assert any("重复" in p.what for p in refused(build(*rows)))
    assert [i.score for i in support.evaluate(build(*rows)).score.indicators] == [60, None]


def test_a_low_outcome_weight_is_allowed_with_a_written_reason(build):
    rows = ({"points": "50", "level1": "过程"}, {"points": "50"})
    assert "weights.outcome" in {p.code for p in refused(build(*rows))}
    reasoned = build(*rows, project={"weight_reason": "实施期间评价，侧重过程"})
    assert support.evaluate(reasoned, "终稿").score.total == 100


@pytest.mark.parametrize(
    ("row", "sheets"),
    [
        ({"actual": "150%", "target": "100%"}, {}),
        ({}, {"funds": [support.FUNDS[0] | {"spent": "501"}]}),
        ({}, {"funds": [support.FUNDS[0] | {"arrived": "500.01"}]}),
    ],
)
def test_oddities_block_the_final_until_explained(build, row, sheets):
    assert any(p.code.startswith("oddity") for p in refused(build(row, **sheets)))
    warned = support.evaluate(build(row, **sheets), "送审稿")
    assert any(p.code.startswith("oddity") for p in warned.problems)
    funds = [f | {"explanation": "上年结转在本年列支"} for f in sheets.get("funds", support.FUNDS)]
    explained = build(row | {"explanation_high": "需求超出预期"}, funds=funds)
    assert support.evaluate(explained, "终稿").score.total == 100


def test_execution_above_one_hundred_percent_is_an_oddity(build):
    row = {"measure": "预算执行率", "actual": ""}
    funds = [support.FUNDS[0] | {"spent": "510", "explanation": "见说明"}]
    assert "oddity.rate" in {p.code for p in refused(build(row, funds=funds))}


ADJUSTMENT = {
    "indicator": "C101",
    "computed": "80",
    "adjusted": "75",
    "reason": "凭证不全",
    "basis": "专家意见第3条",
    "approver": "李某",
    "date": "2025-06-18",
}
LOST = {"actual": "80%", "reason": "未完成", "evidence": "1-1"}


def test_an_adjustment_replaces_the_score_and_both_are_kept(build):
    result = support.evaluate(build(LOST, adjustments=[ADJUSTMENT]))
    indicator = result.score.indicators[0]
    assert (indicator.trace.computed, indicator.score) == (80, 75)
    assert indicator.adjustment.reason == "凭证不全"
    assert result.score.total == 75
    assert result.tables["adjustments"][0]["adjusted"] == "75"


@pytest.mark.parametrize(
    ("change", "row", "code"),
    [
        ({"adjusted": "101"}, {}, "adjustment.range"),
        ({"computed": "70"}, {}, "adjustment.stale"),
        ({}, {"actual": ""}, "adjustment.gap"),
    ],
)
def test_adjustments_that_do_not_fit_are_problems(build, change, row, code):
    workbook = build(LOST | row, adjustments=[ADJUSTMENT | change])
    assert code in codes(support.evaluate(workbook))


def test_a_veto_zeroes_its_indicator_and_caps_the_grade(build):
    rows = (
        {"points": "95"},
        {"points": "5", "rule": "一票否决", "target": "", "actual": "是", "veto_cap": "中"},
    )
    card = support.evaluate(build(*rows)).score
    assert (card.total, card.grade) == (95, "中")
    assert "一票否决" in card.grade_note
    harmless = build(rows[0], rows[1] | {"actual": "否"})
    assert support.evaluate(harmless).score.grade == "优"


def test_too_low_a_target_costs_marks_only_where_the_workbook_says_so(build):
    row = {"actual": "160%", "explanation_high": "目标偏低"}
    assert support.evaluate(build(row)).score.total == 100
    low = support.evaluate(build(row | {"target_low": "是"})).score
    assert low.total == 94  # 100 − 100×min(20 %, 0.2×(1.6−1−0.3))


def test_rates_are_sums_over_sums_not_means_of_rates(build):
    row = {"measure": "基础数据完成率", "actual": ""}
    data = [
        {"indicator": "C101", "item": "甲", "plan": "10", "actual": "10", "unit": "公里"},
        {"indicator": "C101", "item": "乙", "plan": "90", "actual": "45", "unit": "公里"},
    ]
    result = support.evaluate(build(row, data=data))
    assert result.score.total == 55
    assert result.tables["data"][1]["rate"] == "50.00%"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([], "没有该指标的数据"),
        ([{"indicator": "C101", "item": "甲", "plan": "0", "actual": "1"}], "合计为 0"),
        ([{"indicator": "C101", "item": "甲", "plan": "3", "actual": ""}], "待补充"),
    ],
)
def test_a_rate_that_cannot_be_found_is_a_gap(build, data, why):
    row = {"measure": "基础数据完成率", "actual": ""}
    result = support.evaluate(build(row, data=data))
    assert why in result.score.indicators[0].gap
    assert result.score.total is None


def test_execution_rate_divides_by_arrivals_and_is_named(build):
    row = {"measure": "预算执行率", "actual": "", "reason": "进度慢"}
    funds = [support.FUNDS[0] | {"arrived": "450", "spent": "405"}]
    result = support.evaluate(build(row, funds=funds))
    assert result.score.total == 90
    assert result.values["funds.execution_rate"] == 90
    assert result.values["funds.budget_execution_rate"] == 81


def test_only_the_evaluated_year_counts_in_an_annual_evaluation(build):
    row = {"measure": "资金到位率", "actual": ""}
    funds = [support.FUNDS[0], support.FUNDS[0] | {"year": "2023", "arrived": "0", "spent": "0"}]
    annual = support.evaluate(build(row, funds=funds))
    assert annual.score.total == 100
    last = annual.tables["funds"][-1]
    assert (last["year"], last["source"], last["arrived"]) == ("2024", "合计", "500.00")
    assert annual.values["funds.arrived"] == 5_000_000
    mid = support.evaluate(build(row, funds=funds, project={"phase": "中期评价"}))
    assert mid.score.total == 50
    assert (mid.tables["funds"][-1]["year"], mid.tables["funds"][-1]["budget"]) == ("", "1000.00")


def test_deductions_need_a_reason_evidence_and_a_problem(build):
    found = codes(support.evaluate(build({"actual": "80%", "evidence": ""})))
    assert {"reason.missing", "evidence.missing", "issue.missing"} <= found


def test_problems_and_evidence_must_exist(build):
    issue = {"no": "W1", "category": "产出未达", "title": "题", "fact": "事", "indicators": "C999"}
    workbook = build({"evidence": "9-9"}, issues=[issue, issue | {"no": "W2", "indicators": ""}])
    found = codes(support.evaluate(workbook))
    assert {"issue.unknown", "issue.indicator", "evidence.unknown"} <= found


def test_a_total_near_a_cut_is_warned_of(build):
    row = {"actual": "89.7%", "reason": "略低"}
    assert "grade.near" in codes(support.evaluate(build(row)))


def test_another_projects_workbook_is_refused_in_every_state(build):
    workbook = build({})
    with pytest.raises(EvalkitError, match="清单"):
        support.load(workbook, "初稿", code="OTHER")


def test_few_answers_are_warned_of_and_impossible_counts_refused(build):
    row = {"measure": "问卷满意度", "actual": "", "rule": "满意度得分", "target": "90%"}
    survey = [{"no": f"{n}", "group": "居民", "您满意吗": "满意"} for n in range(5)]
    project = {"survey_sent": "3", "survey_returned": "4"}
    found = codes(support.evaluate(build(row, survey=survey, project=project)))
    assert {"survey.few", "survey.counts"} <= found


def test_an_answer_that_is_no_option_is_named(build):
    row = {"measure": "问卷满意度", "actual": "", "rule": "满意度得分", "target": "90%"}
    survey = [{"no": "1", "您满意吗": "还行吧"}, {"no": "2", "您满意吗": "满意"}]
    result = support.evaluate(build(row, survey=survey))
    assert [p.cell for p in result.problems if p.code == "survey.answer"]
    assert result.values["survey.valid"] == 1


def tampered(card, **change):
    return card.model_copy(update=change)


def test_the_arithmetic_check_finds_each_planted_fault(build):
    data = support.load(build({"points": "60"}, {"points": "40"}))
    card = support.evaluate(build({"points": "60"}, {"points": "40"})).score
    first = card.indicators[0]

    def found(bad):
        return {p.code for p in check_scorecard(bad, data.policy) if p.severity == "error"}

    assert found(card) == set()
    assert found(tampered(card, total=Decimal(99))) == {"score.sum", "grade"} - {"grade"}
    assert "grade" in found(tampered(card, grade="良"))
    over = tampered(first, score=Decimal(61))
    assert "score.range" in found(tampered(card, indicators=(over, card.indicators[1])))
    small = tampered(first, points=Decimal(59))
    assert "points.sum" in found(tampered(card, indicators=(small, card.indicators[1])))
    group = tampered(card.groups[0], score=Decimal(1))
    assert "score.sum" in found(tampered(card, groups=(group, *card.groups[1:])))


ROW = {name: Datum() for name in ("per_unit", "cap", "points", "target", "full_at", "zero_at",
                                  "lower", "upper", "floor", "rule")}  # fmt: skip


@pytest.mark.parametrize(
    ("prose", "params", "conflict"),
    [
        ("每发现一起扣0.5分，扣完为止", {"per_unit": "0.5", "rule": "按次扣分"}, ""),
        ("每发现一起扣一分，扣完为止", {"per_unit": "0.5", "rule": "按次扣分"}, "每次扣分"),
        ("达到95%得满分，低于60%不得分", {"full_at": "95", "zero_at": "60"}, ""),
        ("达到90%得满分，低于60%不得分", {"full_at": "95", "zero_at": "60"}, "满分值"),
        ("低于 50% 的不得分", {"floor": "60"}, "零分值"),
        ("满分5分，按比例计分", {"points": "8", "rule": "比例得分"}, "分值"),
        ("未达到的按完成率乘以分值计分", {"rule": "是否达标"}, "按比例"),
        ("每降低1个百分点扣0.2分", {"rule": "比例得分"}, "逐点"),
        ("最多扣3分", {"cap": "2"}, "封顶"),
    ],
)
def test_prose_that_contradicts_the_parameters_is_found(prose, params, conflict):
    row = dict(ROW)
    for name, text in params.items():
        value = text if name == "rule" else Decimal(text)
        row[name] = Datum(value=value, raw=text)
    found = standard_conflicts(prose, row)
    assert [c for c in found if conflict in c] if conflict else not found


def test_bands_missing_in_the_prose_are_found():
    row = dict(ROW) | {"rule": Datum(value="分档得分", raw="分档得分")}
    bands = [{"limit": Datum(value=Decimal(n))} for n in (95, 85)]
    assert not standard_conflicts("达到95%得满分，85%（含）以上得80%", row, bands)
    assert standard_conflicts("达到95%得满分，80%（含）以上得80%", row, bands)


def test_lists_of_codes_take_any_separator():
    assert split_list("C101，C102; C103\n") == ("C101", "C102", "C103")
