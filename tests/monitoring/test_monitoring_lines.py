"""Figures, lights and findings of single lines, computed by hand."""

# ruff: noqa: E501 (a case a line)

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from monitoring_support import D, datum, filed, findings, given, indicator, line

from evalkit.core.model import Datum
from evalkit.rounds.monitoring import LIGHTS, completion, read_line

SURE = indicator(likelihood="确定能")

# --- lights --------------------------------------------------------------------------------

# (budget, spent, indicators, months, light, what gives it), 1–6月: 50 % of the time is over
LIGHT_CASES = [
    (100, 50, [SURE], 6, "绿", ""),
    (100, 40, [SURE], 6, "绿", ""),  # −10.00 is not below −10
    (100, D("39.99"), [SURE], 6, "黄", "执行进度（黄）：执行率39.99%，比序时进度50.00%低10.01个百分点"),
    (100, 25, [SURE], 6, "黄", "执行进度（黄）：执行率25.00%，比序时进度50.00%低25.00个百分点"),
    (100, D("24.99"), [SURE], 6, "红", "执行进度（红）：执行率24.99%，比序时进度50.00%低25.01个百分点"),
    (100, 60, [indicator(forecast="19个", likelihood="确定能")], 6, "绿", ""),  # 95 % is enough
    (100, 60, [indicator(forecast="18个", likelihood="确定能")], 6, "黄", "目标完成（黄）：全年预计完成率最低的指标为90.00%"),
    (100, 60, [SURE, indicator(forecast="15个")], 6, "红", "目标完成（红）：全年预计完成率最低的指标为75.00%"),
    (100, 60, [indicator(likelihood="有可能")], 6, "黄", "完成可能性（黄）：有指标填报“有可能”完成"),
    (100, 60, [indicator(likelihood="有可能"), indicator(likelihood="完全不可能")], 6, "红",
     "完成可能性（红）：有指标填报“完全不可能”完成"),
    (100, 0, [SURE], 6, "红", "执行进度（红）：执行率0.00%，比序时进度50.00%低50.00个百分点"),
    (100, 0, [SURE], 7, "红", "零支出（红）：1—7月没有支出；执行进度（红）：执行率0.00%，比序时进度58.33%低58.33个百分点"),
    ("", 60, [SURE], 6, "未定", ""),
    (100, "", [SURE], 6, "未定", ""),
    (0, 0, [SURE], 6, "未定", ""),
    ("", "", [indicator(likelihood="有可能")], 6, "黄", "完成可能性（黄）：有指标填报“有可能”完成"),
    (100, 45, [], 6, "绿", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("budget", "spent", "indicators", "months", "light", "reasons"), LIGHT_CASES
)
def test_a_line_has_the_worst_light_of_its_aspects_and_each_with_its_reason(
    budget, spent, indicators, months, light, reasons
):
    found = line(budget, spent, *indicators, under=given(months))
    assert (found["light"], found["reasons"]) == (light, reasons)


def test_a_violation_is_red_whatever_else_is_fine():
    found = line(100, 60, SURE, under=given(violations={"p1": "挪用3万元"}))
    assert (found["light"], found["reasons"]) == ("红", "合规性（红）：挪用3万元")
    assert found["aspects"] == "合规性"


@hypothesis_given(
    st.integers(1, 12), st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)
)
def test_more_execution_never_gives_a_worse_light(months, budget, one, other):
    less, more = sorted((one, other))
    measured, order = given(months), list(LIGHTS)
    worse, better = (line(budget, spent, under=measured)["light"] for spent in (less, more))
    assert order.index(better) >= order.index(worse)


# --- execution -----------------------------------------------------------------------------


def test_rate_progress_and_deviation_are_of_printed_figures():
    found = line(D("300.00"), D("100.00"), under=given(7))
    assert (found["rate"], found["progress"], found["deviation"]) == (
        D("33.33"),
        D("58.33"),
        D("-25.00"),
    )
    assert found["light"] == "黄"  # decided by what is printed


def test_the_other_budget_is_used_and_said_where_the_named_one_is_missing():
    found = line("", 45, funds={"budget": 90})
    assert (found["base"], found["rate"]) == ("调整后预算数", D("50.00"))
    assert findings("", 45, SURE, funds={"budget": 90}) == {
        "base": "没有填年初预算数，执行率按调整后预算数计算"
    }


def test_the_named_budget_decides():
    both = filed(100, 45, funds={"budget": 90})
    initial, adjusted = (
        read_line(both, given(asked=base)) for base in ("年初预算数", "调整后预算数")
    )
    assert (initial["rate"], adjusted["rate"]) == (D("45.00"), D("50.00"))


def test_a_planned_curve_stands_for_the_time_that_is_over():
    measured = given(plans={"教育类": D(30), "p2": D(45)})
    by_category = line(100, 32, category="教育类", under=measured)
    by_code = line(100, 32, code="Ｐ2", category="教育类", under=measured)
    assert (by_category["pace"], by_category["deviation"]) == ("计划进度", D("2.00"))
    assert (by_code["progress"], by_code["deviation"]) == (D("45.00"), D("-13.00"))
    assert by_code["reasons"] == "执行进度（黄）：执行率32.00%，比计划进度45.00%低13.00个百分点"


def test_the_trend_goes_on_as_so_far_but_not_beyond_the_budget():
    assert line(100, 40)["trend"] == D("80.00")
    assert line(100, 40, under=given(7))["trend"] == D("68.57")  # 40 ÷ 7/12, not ÷ 58.33 %
    assert line(100, 70)["trend"] == 100
    assert line(100, 108)["trend"] == 108
    assert line(100, 40, under=given(plans={"p1": D(0)}))["trend"] is None


def test_the_filed_forecast_comes_before_the_trend():
    found = line(100, 40, forecast=95)
    assert (found["outlook"], found["carryover"], found["trend"]) == (95, 5, D("80.00"))
    assert line(100, 40)["carryover"] == D("20.00")
    assert line("", 40, forecast=95)["carryover"] is None


def test_amounts_that_nobody_spends_stop_no_run():
    found = line(D(10) ** 40, D(10) ** 39)
    assert found["rate"] == D("10.00")
    assert line(D("-5"), 3)["rate"] is None


# --- targets -------------------------------------------------------------------------------

COMPLETIONS = [
    ("≥20个", "18个", D("90.00")),
    ("20个", "30个", D("150.00")),
    ("≤80万元", "80万元", D(100)),
    ("≤80万元", "60万元", D(100)),
    ("≤80万元", "100万元", D("80.00")),
    ("≤0次", "0次", D(100)),
    ("≤0次", "2次", D("0.00")),
    ("=100元", "100元", D(100)),
    ("=100元", "80元", D("80.00")),
    ("=100元", "125元", D("80.00")),
    ("=100元", "0元", D(0)),
    ("≥0个", "0个", D(100)),
    ("≥98%", "98", D(100)),
    ("≥98%", "0.98", None),  # 0.98 or 98 %?
    ("20个", "20公里", None),
    ("20个", "", None),
    ("20个", "按期完成", None),
    ("达到预期", "达到预期", D(100)),
    ("达到预期", "基本达到", None),
    ("-5", "3", None),
    (date(2026, 9, 30), date(2026, 9, 1), D(100)),
    (date(2026, 9, 30), date(2026, 12, 1), None),
    ("", "", None),
]  # fmt: skip


@pytest.mark.parametrize(("target", "value", "percent"), COMPLETIONS)
def test_completion_is_a_percentage_or_is_not_told(target, value, percent):
    assert completion(datum(target), datum(value)) == percent


def test_the_worst_indicator_and_their_average_by_points():
    rows = (
        indicator(forecast="30个", points=30),
        indicator(forecast="15个", points=10),
        indicator(forecast="", points=50),
    )
    found = line(100, 50, *rows)
    assert found["worst"] == D("75.00")
    assert found["weighted"] == D("93.75")  # (100 × 30 + 75 × 10) ÷ 40: more than 100 counts as 100
    rows = (indicator(forecast="30个", points=30), indicator(forecast="15个"))
    assert line(100, 50, *rows)["weighted"] == D("87.50")  # points missing: all alike


def test_what_adds_up_over_the_year_is_compared_with_the_time_that_is_over():
    number, quality, cost = line(
        100, 50, indicator(actual="8个"), indicator("≥95%", "95%", "95%"), indicator("≤9元", "9元", "9元")
    )["indicators"]  # fmt: skip
    assert (number["done"], number["lag"]) == (D("40.00"), D("-20.00"))  # 40 % of 50 %
    assert (quality["lag"], cost["lag"]) == (None, None)


def test_causes_are_what_is_ticked():
    found = line(
        100,
        50,
        indicator(cause_fund="√", cause_rule="否", cause="资金未到"),
        indicator(cause_fund="√", cause_other="/"),
    )
    assert found["causes"] == ["经费保障"]
    assert found["why"] == "资金未到"


# --- what follows --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "spent", "change"),
    [("红", 50, "改善"), ("黄", 30, "持平"), ("绿", 10, "恶化"), ("未定", 50, "无法比较"), ("绿", "", "无法比较"), ("", 50, "本轮新增")],
)  # fmt: skip
def test_lights_are_compared_with_the_round_before(before, spent, change):
    previous = {"p1": before} if before else {"p9": "绿"}
    assert line(100, spent, under=given(previous=previous))["change"] == change


def test_without_a_round_before_nothing_is_compared():
    assert line(100, 50)["change"] == ""


@pytest.mark.parametrize(
    ("spent", "indicators", "more", "to_do"),
    [
        (50, [SURE], {}, ""),
        (50, [SURE], {"violations": {"p1": "挪用"}}, "暂缓拨款，限期核实整改，整改到位后恢复"),
        (10, [indicator(cause="八月暴雨，工期顺延")], {}, "核实客观原因，按程序调整预算和绩效目标"),
        (50, [indicator(likelihood="完全不可能")], {}, "说明不能完成的原因，提出调整绩效目标和预算的意见"),
        (50, [indicator(forecast="10个")], {}, "制定纠偏措施，确实不能完成的按程序调整绩效目标和预算"),
        (10, [SURE], {}, "限期整改，加快执行；年底前不能支出的提出调减或统筹意见"),
        (30, [SURE], {}, "分析偏差原因，采取纠偏措施，下一轮重点跟踪"),
        (10, [SURE], {"decisions": {"p1": "调减10万元"}}, "调减10万元"),
        (10, [SURE], {"profile": "henan"}, "预算执行偏离较大，限期纠正；不能纠正的研究暂停实施，按程序调减预算"),
    ],
)  # fmt: skip
def test_disposal_follows_the_light_and_its_cause_unless_people_decided(
    spent, indicators, more, to_do
):
    assert line(100, spent, *indicators, under=given(**more))["to_do"] == to_do


# --- findings ------------------------------------------------------------------------------


def test_a_sound_line_has_no_findings():
    assert findings(100, 50, SURE, forecast=100, funds={"rate": 50}) == {}


FINDINGS = [
    ((100, 50, SURE), {"month": 7}, "month", "填报的数据为1—7月，本轮监控为1—6月"),
    ((100, 50, SURE), {"year": 2025}, "year", "填报的年度为2025年，本轮为2026年"),
    ((100, 50, SURE), {"unit": ""}, "unit", "没有填实施单位"),
    ((100, 50, SURE), {"department": ""}, "unit", "没有填主管部门"),
    ((100, 50, SURE), {"kind": "自评表"}, "kind", "看起来是自评表，按监控情况表读取"),
    (("", 50, SURE), {}, "budget", "没有填预算数，或预算数为0，不能计算执行率"),
    ((100, "", SURE), {}, "spent", "没有填1—6月执行数"),
    ((100, -5, SURE), {}, "negative", "预算数、执行数或预计执行数为负"),
    ((1000000, 1080000, SURE), {}, "over", "执行数108.00万元，超过年初预算数100.00万元"),
    ((1000000, 600000, SURE), {"forecast": 550000}, "less", "全年预计执行数55.00万元，低于已执行的60.00万元"),
    ((1000000, 600000, SURE), {"forecast": 1050000}, "more", "全年预计执行数105.00万元，超过年初预算数100.00万元"),
    ((100, 50, SURE), {"funds": {"rate": 98}}, "rate", "填报执行率98%，按年初预算数计算为50.00%"),
    ((100, 10, indicator(cause="手续未办结")), {"forecast": 100}, "hope", "执行率比序时进度低40.00个百分点，仍预计全年执行完毕"),
    ((100, 10, SURE), {}, "why", "综合灯号为红，没有填偏差原因"),
    ((100, 30, SURE), {}, "why_yellow", "综合灯号为黄，没有填偏差原因"),
    ((100, 50), {}, "targets", "没有填绩效指标，只监控了预算执行"),
    ((100, 50, indicator(forecast="18个", likelihood="确定能", cause="人手不足")), {}, "sure", "填“确定能”完成，全年预计完成率只有90.00%"),
    ((100, 50, indicator(likelihood="完全不可能", cause="停工")), {}, "never", "填“完全不可能”完成，全年预计完成率却为100.00%"),
    ((100, 50, indicator(forecast="")), {}, "ending", "没有填全年预计完成情况"),
    ((100, 50, indicator(forecast="20公里")), {}, "compare", "指标值“≥20个”与预计“20公里”不能比较，未计入预计完成率"),
    ((100, 50, indicator(forecast="20个", actual="22个")), {}, "back", "全年预计完成率100.00%，低于已完成的110.00%"),
    ((100, 50, indicator(likelihood="完全不可能", forecast="10个")), {}, "impossible", "填“完全不可能”完成，没有说明原因和拟采取的措施"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "more", "id_", "what"), FINDINGS, ids=[row[2] for row in FINDINGS]
)
def test_each_fault_is_found_and_said(args, more, id_, what):
    assert findings(*args, **more)[id_] == what


def test_a_rate_rounded_by_the_unit_is_no_fault():
    assert "rate" not in findings(300, 151, SURE, funds={"rate": 50})  # 50.33 %
    assert "rate" in findings(300, 152, SURE, funds={"rate": 50})  # 50.67 %


def test_findings_name_the_cell():
    from evalkit.scoring.findings import run_checks

    measured = given()
    judged = line(100, 120, SURE, under=measured)
    (found,) = run_checks(measured["checks"], {"lines": [{**measured, **judged}]})
    assert (found.check.id, found.cell) == ("over", "监控表!spent")


def test_a_total_row_is_needed_where_there_are_several():
    source = filed(100, 50, SURE)
    (total,) = source.tables["funds"]
    parts = [{**total, "item": Datum(value=name)} for name in ("财政拨款", "其他资金")]
    source = source.model_copy(update={"tables": {**source.tables, "funds": parts}})
    found = read_line(source, given())
    assert (found["budget"], found["spent"], found["rate"]) == (None, None, None)


def test_policy_lights_say_that_no_rule_set_them():
    from evalkit.policy import load

    use = load("national", as_of=date(2026, 12, 31)).use("monitoring_lights")
    assert use.source == "国家层面无统一规定，机构设定"
    assert Decimal(use.value["red"]["deviation"]) == -25
