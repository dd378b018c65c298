"""绩效自评复核 of the demo and of forms made by hand: faults, marks, sample, opinions, report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest
from build_self_evaluation import build
from docx import Document
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from self_evaluation_forms import datum, form, money, row

from evalkit.core.model import Datum, Result, Source
from evalkit.core.problem import EvalkitError, Problem
from evalkit.scoring.findings import load_checks
from evalkit.scoring.rows import called, key_of
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema
from evalkit.workflows import self_evaluation_review as review

DEMO = Path(__file__).resolve().parents[2] / "params" / "demo" / "self_evaluation"
TITLES = {  # the fifteen of the plan, the time of filing, and rows of the task
    1: "表样完整、无空项", 2: "资金合计与分项一致", 3: "执行率计算正确", 4: "权重与规定和批复一致",
    5: "指标与批复一致", 6: "得分与计分规则一致", 7: "得分不超出分值", 8: "偏差有原因",
    9: "指标归类正确", 10: "完成值有佐证、口径一致", 11: "定性表述有依据", 12: "满意度有调查",
    13: "与其他来源得分相近", 14: "与决算数一致", 15: "满分率正常", 16: "按时报送",
    17: "任务的行有对应的自评表",
}  # fmt: skip


@cache
def demo() -> Result:
    return review.evaluate(review.load(review.Params()))


def of(name: str, table: str, result: Result | None = None) -> list[dict[str, str]]:
    """The rows of a table about a form."""
    return [row for row in (result or demo()).tables[table] if row["name"] == name]


def said(name: str, check: str = "", result: Result | None = None) -> list[str]:
    found = of(name, "findings", result)
    return [f["what"] for f in found if check in ("", f["id"]) or f["id"].startswith(f"{check}.")]


@cache
def opened() -> review.Data:
    return review.load(review.Params())


def reviewed(*sources: Source, approved: Sequence[Source] = (), **rows: list[dict]) -> Result:
    """The result of forms made by hand; `rows` are those of the task's sheets."""
    data = opened()
    tables = {
        name: [data.schema.sheet(name).blank | r for r in rows.get(name, [])]
        for name in data.source.tables
    }
    source = data.source.model_copy(update={"tables": tables})
    known = {key_of(called(one)): one for one in approved}
    return review.evaluate(
        dataclasses.replace(data, source=source, filed=list(sources), approved=known)
    )


GOOD = {"code": "1", "name": "好项目", "unit": "甲所", "department": "甲局", "year": "2022",
        "goal": "目标", "achieved": "已完成", "filer": "张", "phone": "1", "points": "100",
        "filed_on": "2023-03-01", "total": "98.8"}  # fmt: skip
FUNDS = [
    money("年度资金总额", "100", "100", "100", points="10", rate="100%", score="10"),
    money("财政拨款", "100", "100", "100"),
]


def rows(**changes: dict[str, str]) -> list:
    """Indicators of a sound form; changed by third level."""
    heads = ("level1", "level2", "level3", "target", "unit", "actual", "points", "score", "reason")
    lines = [
        ("产出指标", "数量指标", "数量", "≥50", "个", "50", "30", "30", ""),
        ("产出指标", "质量指标", "合格率", "≥95%", "", "95%", "20", "20", ""),
        ("效益指标", "社会效益指标", "受益人数", "≥100", "人", "96", "30", "28.8", "需求减少"),
        ("满意度指标", "服务对象满意度", "群众满意度", "≥90%", "", "92%", "10", "10", ""),
    ]
    told = [dict(zip(heads, line, strict=True)) for line in lines]
    return [row(**t | changes.get(t["level3"], {}), at=str(9 + n)) for n, t in enumerate(told)]


def good(**changes: dict[str, str]) -> Source:
    return form(rows(**changes), FUNDS, **GOOD)


# --- real tables: the demo ---------------------------------------------------------------------


def test_the_two_departures_of_the_school_meals_are_found_and_no_other():
    found = [f for f in of("义务教育营养改善计划专项资金", "findings") if f["id"] == "6.1"]
    assert [(f["indicator"], f["what"], f["cell"]) for f in found] == [
        ("资金到位及时率", "资金到位及时率自评7分，按规则应为10.00分，少3分", "公开14表!I16"),
        ("政策知晓率", "政策知晓率自评9分，按规则应为9.80分，少0.8分", "公开14表!I19"),
    ]
    (line,) = (f for f in demo().tables["forms"] if f["name"] == "义务教育营养改善计划专项资金")
    assert (line["filed"], line["excess"], line["unverified"]) == ("96.00", "-3.80", "0.00")


def test_flood_control_has_880_of_880_and_sixty_points_that_cannot_be_worked_out():
    (line,) = of("水旱灾害防御经费", "forms")
    assert (line["filed"], line["own"], line["unverified"]) == ("100.00", "40.00～100.00", "60.00")
    assert len(said("水旱灾害防御经费", "1.2")) == 6
    assert said("水旱灾害防御经费", "15") == ["各项指标全部满分"]
    assert not said("水旱灾害防御经费", "6")


def test_the_faults_of_the_township_are_found():
    name = "委托业务项目"
    assert said(name, "2") == [
        "年度资金总额的年初预算数为0万元，分项合计为90万元",
        "年度资金总额的全年预算数为0万元，分项合计为89.974万元",
        "年度资金总额的全年执行数为0万元，分项合计为89.974万元",
        "目标完成情况中写合计89.97万元，各项之和为89.99万元",
    ]
    assert said(name, "3.1") == ["填写的执行率为0%，按全年执行数÷全年预算数计算为100%"]
    assert said(name, "6") == ["预算执行率自评0分，按规则应为10.00分，少10分"]
    moved = "“对控制基建项目成本影响程度”是成本指标，放在了生态效益指标之下"
    assert said(name, "9") == [moved, "“项目总成本”填写90万元，全年执行数为89.974万元"]
    assert len(said(name, "11.2")) == 6
    assert said(name, "11.2")[0] == "经费支出合规性的实际完成情况只写“达成预期指标”"


def test_an_execution_rate_of_98_percent_that_is_94_54_is_found():
    name = "城区园林绿化养护"
    assert said(name, "3.1") == ["填写的执行率为98%，按全年执行数÷全年预算数计算为94.54%"]
    assert said(name, "6.1") == ["预算执行率自评9.8分，按规则应为9.45分，多0.35分"]


def test_a_road_without_execution_row_and_with_twenty_points_of_satisfaction():
    name = "普通省道建设"
    assert said(name, "3.3") == ["没有预算执行率的分值和得分"]
    assert "产出50、效益30、满意度20" in said(name, "4.2")[0]
    assert said(name, "1.6") == ["表中年度为2021年，本次自评的是2022年"]
    lines = of(name, "lines")
    assert lines[0]["target"] == "32.1公里"
    assert {line["own"] for line in lines} == {"无法复算"}


def test_weights_with_cost_of_their_own_are_a_variant():
    assert not said("公交运营补贴")
    (line,) = of("公交运营补贴", "forms")
    assert (line["own"], line["other"]) == ("99.70", "97.25")


def test_what_differs_from_the_approved_targets_is_found():
    name = "污水处理厂运行"
    assert said(name, "4.3") == [
        "处理污水量的分值为10分，批复为15分",
        "出水水质达标率的分值为20分，批复为15分",
    ]
    assert said(name, "5") == [
        "批复的指标没有自评：污泥处置率",
        "设备完好率不在批复的指标之内",
        "处理污水量的目标值为“≥700万立方米”，批复为“800”",
    ]
    assert not said("城区道路清扫保洁", "5") and not said("城区道路清扫保洁", "4")


def test_what_people_found_decided_and_brought_along_counts():
    assert said("中小学校舍维修", "12") == [
        "师生满意度：没有开展满意度调查。单位未能提供问卷和统计表。"
    ]
    assert said("中小学校舍维修", "13") == ["自评100分，2022年度财政评价为81.5分，相差18.5分"]
    (waived,) = (f for f in of("代课教师工资补助", "findings") if f["id"] == "8.1")
    assert (waived["deduct"], waived["verdict"]) == ("0", "不成立")
    assert waived["decided"].startswith("不成立：单位补充说明")
    raised = [f["deduct"] for f in of("农村饮水安全工程维修养护", "findings") if f["id"] == "6.1"]
    assert raised == ["6", "4"]
    (line,) = of("代课教师工资补助", "forms")
    assert int(line["findings"]) == len(of("代课教师工资补助", "findings")) - 1


def test_an_export_gives_its_projects_and_is_not_asked_for_texts_it_has_no_place_for():
    (line,) = of("敬老院运行", "forms")
    assert (line["department"], line["rate"], line["filed"]) == ("示例县民政局", "97.50", "98.42")
    assert not said("敬老院运行", "1.1")
    assert said("公益性公墓建设", "3.1") == ["填写的执行率为100%，按全年执行数÷全年预算数计算为50%"]


def test_every_check_has_its_title_and_its_basis():
    for check in load_checks("self_evaluation"):
        group = int(check.id.partition(".")[0])
        assert check.title == (
            TITLES[3] if check.id == "3.3" else TITLES[10] if check.id == "9.6" else TITLES[group]
        )
        assert check.basis
        assert bool(check.dimension) == bool(check.deduct)
    assert {int(c.id.partition(".")[0]) for c in load_checks("self_evaluation")} == set(TITLES)


# --- sound forms and single faults -------------------------------------------------------------


def test_a_sound_form_has_no_finding_and_full_marks():
    result = reviewed(good())
    assert not result.tables["findings"]
    (line,) = result.tables["forms"]
    assert (line["quality"], line["grade"], line["own"], line["must"]) == (
        "100.00",
        "优",
        "98.80",
        "",
    )


FAULTS = """
1.2  数量       actual=                             数量自评30分，但实际完成值未填写，无法复算
1.3  数量       score=                              数量没有填写得分
6.1  受益人数   score=30                            受益人数自评30分，按规则应为28.80分，多1.2分
6.2  受益人数   actual=97;score=29.1                -
6.3  数量 actual=已完成 数量无法复算：实际完成值“已完成”不是数值，不能与目标值“≥50个”比较
7.1  合格率     score=21                            合格率得21分，超出0至分值20分的范围
8.1  受益人数   actual=60;score=18;reason=          受益人数完成60%，没有写偏差原因
8.1  数量       actual=61                           数量完成122%，没有写偏差原因
8.2  受益人数   reason=                             受益人数扣1.2分，没有写扣分原因
8.3  数量       actual=66;reason=需求大             数量完成132%，远高于目标值
9.2  群众满意度 level1=效益指标;level2=社会效益指标 “群众满意度”是满意度指标，放在了社会效益指标之下
9.4  合格率     level2=数量指标                     “合格率”是质量指标，放在了数量指标之下
9.5  数量       level3=按期开工数                   “按期开工数”是时效指标，放在了数量指标之下
11.2 合格率     target=较高;actual=达成预期指标     合格率的实际完成情况只写“达成预期指标”
"""


@pytest.mark.parametrize("line", FAULTS.split("\n")[1:-1])
def test_one_fault_is_one_finding_at_its_cell(line):
    check, level3, changes, what = line.split()
    change = dict(part.split("=") for part in changes.split(";"))
    found = [f for f in reviewed(good(**{level3: change})).tables["findings"] if f["id"] == check]
    assert [f["what"] for f in found] == ([] if what == "-" else [what])
    assert all(f["cell"].startswith("自评表!") and f["advice"] and f["basis"] for f in found)


def test_a_difference_that_rounding_explains_costs_nothing():
    whole = {"受益人数": {"actual": "96", "score": "29"}}
    result = reviewed(form(rows(**whole), FUNDS, **GOOD | {"total": "99"}))
    assert [(f["id"], f["severity"], f["deduct"]) for f in result.tables["findings"]] == [
        ("6.2", "提示", "0")
    ]


def test_sums_and_printed_totals_are_compared():
    parts = (
        ("财政拨款", "100", "90", "100"),
        ("上年结转资金", "", "0", "0"),
        ("其他资金", "", "", ""),
    )
    funds = [FUNDS[0], *(money(*part) for part in parts)]
    result = reviewed(form(rows(数量={"points": "35"}), funds, **GOOD | {"total": "99"}))
    assert said("好项目", "2", result) == ["年度资金总额的全年预算数为100万元，分项合计为90万元"]
    assert said("好项目", "4", result) == ["各项指标的分值合计为105分，不是100分"]
    assert said("好项目", "6.4", result) == ["总分填写99分，各项得分之和为98.8分"]
    assert said("好项目", "6.5", result) == ["分值合计填写100分，各项分值之和为105分"]


def test_points_written_beside_a_level_are_compared_with_their_sum():
    fifty, thirty = ({"level1_points": datum(text, "number")} for text in ("55", "30"))
    lines = [r | (fifty if n < 2 else thirty if n == 2 else {}) for n, r in enumerate(rows())]
    result = reviewed(form(lines, FUNDS, **GOOD))
    assert said("好项目", result=result) == ["产出指标写明55分，各项指标的分值之和为50分"]


NOT_ALL = {
    "only the fiscal part": [("财政拨款", "80", "80", "80")],
    "only a nought": [("其他资金", "0", "0", "0")],
    "of other governments": [("中央资金", "90", "90", "90"), ("其他资金", "0", "0", "0")],
    "one not read": [("财政拨款", "80", "80", "80"), ("上年结转资金", "约20", "约20", "约20"),
                     ("其他资金", "0", "0", "0")],
    "all, within the tail": [("财政拨款", "80", "80", "80"), ("上年结转资金", "20", "20", "20"),
                             ("其他资金", "0.005", "0.005", "0.005")],
    "two ways, both whole": [("财政拨款", "100", "100", "100"), ("上年结转资金", "", "", ""),
                             ("其他资金", "", "", ""), ("基本支出", "60", "60", "60"),
                             ("项目支出", "40", "40", "40")],
}  # fmt: skip


@pytest.mark.parametrize("parts", NOT_ALL.values(), ids=NOT_ALL)
def test_parts_that_are_not_all_accuse_nobody(parts):
    funds = [FUNDS[0], *(money(*part) for part in parts)]
    assert not said("好项目", "2", reviewed(form(rows(), funds, **GOOD)))


def test_parts_above_the_whole_are_found_even_where_they_are_not_all():
    funds = [FUNDS[0], money("财政拨款", "100", "90", "100"), money("单位资金", "", "20", "")]
    result = reviewed(form(rows(), funds, **GOOD))
    assert said("好项目", "2", result) == ["年度资金总额的全年预算数为100万元，分项合计为110万元"]


def unread(text: str, cell: str) -> dict:
    return {"actual": Datum(raw=text, cell=cell)}


def test_a_value_that_was_not_read_is_not_called_missing():
    lines = [r | (unread("0.97", "自评表!F10") if n == 1 else {}) for n, r in enumerate(rows())]
    what = "实际完成值“0.97”可能是百分数，也可能是比值，未取数"
    told = [Problem(what=what, sheet="自评表", cell="F10", severity="warning")]
    source = form(lines, FUNDS, **GOOD).model_copy(update={"problems": told})
    result = reviewed(source)
    assert said("好项目", "1.10", result) == [f"合格率无法复算：{what.removesuffix('，未取数')}"]
    assert not said("好项目", "1.2", result) and not said("好项目", "6.3", result)
    assert {f["deduct"] for f in result.tables["findings"]} == {"0"}


def test_a_form_without_any_points_has_one_finding_and_no_score_to_compare():
    lines = [r | {"points": Datum()} for r in rows()]
    result = reviewed(form(lines, FUNDS[1:], **GOOD | {"points": "", "total": "88.8"}), good())
    what = "各项指标都没有填写分值，得分无法复算"
    findings = result.tables["findings"]
    assert [f["what"] for f in findings if f["id"][0] in "146"] == [what]
    first, second = result.tables["forms"]
    blank = first if first["own"] == "无法复算" else second
    assert (blank["low"], blank["high"], blank["filed"]) == ("", "", "88.80")
    assert result.values["review.low"] == Decimal("98.80")  # the mean of those that have one


def test_the_form_for_transfers_has_no_scores_and_loses_nothing():
    lines = [r | {"points": Datum(), "score": Datum()} for r in rows()]
    own = GOOD | {"points": "", "total": ""}
    title = datum("转移支付区域（项目）绩效自评表").model_copy(update={"value": "自评表"})
    given = form(lines, FUNDS[1:], **own)
    transfer = given.model_copy(
        update={"forms": {"project": given.forms["project"] | {"kind": title}}}
    )
    result = reviewed(transfer)
    (found,) = (f for f in result.tables["findings"] if f["id"].startswith("1."))
    assert (found["severity"], found["deduct"]) == ("提示", "0")
    assert "没有分值和得分的栏目" in found["what"]
    assert result.tables["forms"][0]["filed"] == ""
    assert said("好项目", "1.5", reviewed(given)) == ["各项绩效指标都没有填写分值和得分"]


def test_a_rate_stated_beside_the_funds_is_checked_where_it_has_no_score():
    funds = [money("年度资金总额", "", "2960", "2798.30", rate="98%")]
    told = "填写的执行率为98%，按全年执行数2798.3万元÷全年预算数2960万元计算为94.54%"
    result = reviewed(form(rows(), funds, **GOOD), form([], funds, **GOOD | {"name": "无指标"}))
    assert said("好项目", "3.4", result) == said("无指标", "3.4", result) == [told]
    right = [money("年度资金总额", "", "2960", "2798.30", rate="94.5%")]
    assert not said("好项目", "3.4", reviewed(form(rows(), right, **GOOD)))


def test_parts_that_are_scored_each_are_execution_rates_of_their_own():
    funds = [money("基本支出", "", "320", "318", points="5", rate="99.38%", score="4.97"),
             money("项目支出", "", "680", "600", points="5", rate="88.24%", score="4.41"),
             ]  # fmt: skip
    result = reviewed(form(rows(), funds, **GOOD | {"total": "98.18"}))
    assert [r["level3"] for r in of("好项目", "lines", result)][:2] == [
        "基本支出执行率",
        "项目支出执行率",
    ]
    assert not said("好项目", result=result)
    assert (result.tables["forms"][0]["rate"], result.tables["forms"][0]["amount"]) == (
        "91.80",
        "10000000.00",
    )


@pytest.mark.parametrize(
    ("target", "actual", "score", "why"),
    [
        ("50户", "0.005万户", "30", ""),
        ("0.5万元", "5000元", "30", ""),
        ("1万条", "9000条", "27", ""),
        ("50元/亩", "50元", "30", "不是同一单位"),
        ("50户", "50人", "30", "不是同一单位"),
    ],
)  # fmt: skip
def test_units_that_differ_by_scale_only_are_compared(target, actual, score, why):
    change = {"target": target, "unit": "", "actual": actual, "score": score, "reason": "晚"}
    result = reviewed(form(rows(数量=change), FUNDS, **GOOD | {"total": ""}))
    assert [why in what for what in said("好项目", "6", result)] == ([True] if why else [])
    assert of("好项目", "lines", result)[1]["actual"] == actual  # shown as it was filed


def test_the_same_cause_on_every_row_costs_no_more_than_its_check_may():
    changes = {name: {"actual": "已完成"} for name in ("数量", "合格率", "受益人数", "群众满意度")}
    found = [f for f in reviewed(good(**changes)).tables["findings"] if f["id"] == "6.3"]
    assert [f["deduct"] for f in found] == ["4", "4", "4", "0"]
    struck = [{"check": datum("6.3"), "level3": datum("数量"), "verdict": datum("不成立")}]
    rows_of = [{"form": datum("1"), **row} for row in struck]
    found = reviewed(good(**changes), decisions=rows_of).tables["findings"]
    assert [f["deduct"] for f in found if f["id"] == "6.3"] == ["0", "4", "4", "4"]


def test_a_department_is_not_asked_for_its_unit():
    own = GOOD | {"unit": "", "scope": "部门整体"}
    assert not said("好项目", "1.1", reviewed(form(rows(), FUNDS, **own)))


def test_what_the_layout_has_no_place_for_is_a_hint_and_what_is_left_blank_a_fault():
    given = form(rows(), FUNDS, **GOOD | {"unit": "", "goal": "", "kind": "自评表"})
    project = given.forms["project"] | {"goal": Datum()}
    found = reviewed(given.model_copy(update={"forms": {"project": project}})).tables["findings"]
    assert [(f["id"], f["what"], f["deduct"]) for f in found] == [
        ("1.1", "没有填写实施单位", "2"),
        ("1.11", "表中没有找到以下栏目：预期目标", "0"),
    ]


def test_a_printed_total_that_leaves_out_execution_is_one_finding():
    result = reviewed(
        form(rows(数量={"points": "40", "score": "40"}), FUNDS, **GOOD | {"total": "98.8"})
    )
    assert said("好项目", "4", result) == [
        "各项指标的分值合计为110分，不是100分（填写的合计100分没有计入预算执行率的10分）"
    ]
    assert not said("好项目", "6.4", result) and not said("好项目", "6.5", result)


@pytest.mark.parametrize("actual", ["全面完成12公里，验收合格", "达到预期的产量，粮食增收"])
def test_words_with_facts_are_not_called_only_words(actual):
    assert not said("好项目", "11.2", reviewed(good(合格率={"target": "较高", "actual": actual})))


def test_spending_above_the_budget_is_found():
    funds = [money("年度资金总额", "100", "100", "101", points="10", rate="101%", score="10")]
    result = reviewed(form(rows(), funds, **GOOD))
    assert said("好项目", "3", result) == ["全年执行数101万元大于全年预算数100万元"]


def test_a_scaled_target_table_changes_no_weight():
    ninety = [r | {"points": r["points"].model_copy(update={"value": r["points"].value * 10 / 9})}
              for r in rows()]  # fmt: skip
    result = reviewed(good(), approved=[form(ninety, **GOOD)])
    assert not said("好项目", "4", result) and not said("好项目", "5", result)


def test_an_empty_form_and_one_without_indicators_are_findings_not_failures():
    result = reviewed(form(path="空.xlsx"), form([], FUNDS, **GOOD))
    assert {f["file"] for f in result.tables["forms"]} == {"空.xlsx", "表.xlsx"}
    texts = [f["what"] for f in result.tables["findings"]]
    assert texts.count("没有填写项目名称") == 1 and texts.count("没有绩效指标") == 2


def test_what_the_reader_could_not_read_is_a_finding():
    unread = good().model_copy(
        update={"problems": [Problem(what="0.98 可能是 98%，也可能是 0.98%")]}
    )
    (found,) = (f for f in reviewed(unread).tables["findings"] if f["id"] == "1.7")
    assert "0.98 可能是" in found["what"]


def test_late_filing_costs_its_ten_points_only():
    late = form(rows(), FUNDS, **GOOD | {"filed_on": "2023-04-01"})
    marks = {m["dimension"]: m["score"] for m in reviewed(late).tables["marks"]}
    assert marks == {"完整性": "30.00", "准确性": "40.00", "佐证": "20.00", "及时": "0.00"}


def test_marks_never_fall_below_zero():
    blank = {
        name: {"target": "", "actual": ""} for name in ("数量", "合格率", "受益人数", "群众满意度")
    }
    bad = {name: {**change, "score": "99"} for name, change in blank.items()}
    for mark in reviewed(good(**bad), form(path="空.xlsx")).tables["marks"]:
        assert 0 <= Decimal(mark["score"]) <= Decimal(mark["points"])
        assert Decimal(mark["lost"]) + Decimal(mark["score"]) == Decimal(mark["points"])


NUMBERS = (
    "/",
    "0",
    "0/0",
    "1/0",
    "880/880",
    "100%",
    "0.98",
    "≥95%",
    "-5%",
    "1e9",
    "１００％",
    "1,234.5",
)
RANGES = ("3-5次", "5-3次", "0～0", "约50", "≤", "90万元", "万", "9" * 18, "1234567890123456789.5")
WORDS = ("", "是", "否", "有效", "未完成", "2022年12月", "2022-02-30", "=1+1", "{{x}}", "100.00")
odd = st.sampled_from([*NUMBERS, *RANGES, *WORDS])
FIELDS = ("level1", "level2", "level3", "direction", "target", "unit", "actual", "points", "score")


@given(
    st.lists(st.lists(odd, min_size=9, max_size=9), max_size=4),
    st.lists(odd, min_size=6, max_size=6),
)
def test_whatever_is_filed_is_reviewed(cells, amounts):
    lines = [row(**dict(zip(FIELDS, line, strict=True))) for line in cells]
    funds = [
        money("年度资金总额", *amounts[:3], points=amounts[3], rate=amounts[4], score=amounts[5])
    ]
    (line,) = reviewed(form(lines, funds, **GOOD)).tables["forms"]
    assert 0 <= Decimal(line["quality"]) <= 100
    assert Decimal(line["low"] or 0) <= Decimal(line["high"] or 0)


# --- the county --------------------------------------------------------------------------------


def test_departments_add_up_to_the_county():
    *departments, whole = demo().tables["departments"]
    assert whole["department"] == "合计"
    for name in ("forms", "full", "findings", "listed", "drawn"):
        assert sum(int(row[name]) for row in departments) == int(whole[name])
    assert sum(Decimal(row["unverified"]) for row in departments) == Decimal(whole["unverified"])
    forms = demo().tables["forms"]
    mean = sum(Decimal(f["filed"]) for f in forms) / len(forms)
    assert abs(mean - demo().values["review.filed"]) <= Decimal("0.005")


def test_faults_are_ranked_by_the_forms_they_are_in():
    faults = demo().tables["faults"]
    counts = [int(row["forms"]) for row in faults]
    assert counts == sorted(counts, reverse=True)
    upheld = [f for f in demo().tables["findings"] if f["verdict"] != "不成立"]
    assert sum(int(row["times"]) for row in faults) == len(upheld)


def test_the_sample_holds_all_that_must_be_seen_and_one_of_each_other_stratum():
    forms = demo().tables["forms"]
    seen = {row["no"]: row["how"] for row in demo().tables["sample"]}
    assert {f["no"] for f in forms if f["must"]} == {
        no for no, how in seen.items() if how == "必查"
    }
    key = lambda f: (f["department"], f["band"])  # noqa: E731
    for _, stratum in groupby(sorted(forms, key=key), key):
        others = [f for f in stratum if not f["must"]]
        assert sum(f["no"] in seen for f in others) == min(len(others), 1)
    assert demo().subject["seed"] == "20230415"


def test_the_policy_asked_for_is_compared_with_the_other():
    data = opened()
    other = data.source.forms["project"] | {
        "policy": data.form["policy"].model_copy(update={"value": "101号文"})
    }
    source = data.source.model_copy(update={"forms": {"project": other}})
    result = review.evaluate(dataclasses.replace(data, source=source))
    assert (result.subject["chosen"], result.subject["other"]) == ("101", "10")
    mine, theirs = (of("公交运营补贴", "forms", r)[0] for r in (result, demo()))
    assert (mine["own"], mine["other"]) == (theirs["other"], theirs["own"])


def test_rows_of_the_task_about_no_form_are_said():
    stray = {"form": opened().source.tables["others"][0]["form"]}
    result = reviewed(good(), others=[stray])
    assert ["没有“621026220009”的自评表" in p.what for p in result.problems] == [True]


def test_equal_forms_give_equal_results():
    again = review.evaluate(review.load(review.Params()))
    assert again == demo()


# --- what is written ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out")
    data = review.load(review.Params(out=str(out)))
    review.deliver(data, review.evaluate(data), {})
    return out


def test_each_form_has_its_opinion_in_word(written):
    letters = sorted((written / "函件").glob("*.docx"))
    assert len(letters) == 14
    (township,) = (path for path in letters if "委托业务" in path.name)
    document = Document(str(township))
    text = "\n".join(p.text for p in document.paragraphs)
    assert "示例县溪口镇人民政府：" in text
    assert "自评得分90.00分" in text and "88.80分至100.00分" in text
    assert "2023年6月30日前" in text
    scores, findings, marks = document.tables
    assert [c.text for c in scores.rows[1].cells][:4] == [
        "预算执行率",
        "89.974万元",
        "89.974万元",
        "10",
    ]
    assert [c.text for c in findings.rows[0].cells][:4] == ["编号", "程度", "位置", "问题"]
    assert "表1!D20" in {row.cells[2].text for row in findings.rows}
    assert [row.cells[0].text for row in marks.rows][1:] == ["完整性", "准确性", "佐证", "及时"]


def test_the_report_and_the_summary_tell_the_county(written):
    text = "\n".join(p.text for p in Document(str(written / "复核报告.docx")).paragraphs)
    assert "共复核自评表14张" in text and "自评平均得分98.19分" in text
    assert "随机数“20230415”" in text and "20%" in text
    assert "待补充" not in text
    book = load_workbook(written / "汇总表.xlsx")
    names = "自评表 分部门 典型问题 全部满分 逐项复算 问题清单 自评质量 抽样分层 抽查名单"
    assert book.sheetnames == names.split()
    assert book["自评表"].max_row == 16
    formula = {row[4].value: row[12].value for row in book["逐项复算"].iter_rows(min_row=3)}
    assert formula["政策知晓率"] == "ROUND(10*MAX(0,MIN(1,1-MAX(0,98-100,100-98)/100)),2)"
    result = json.loads((written / "result.json").read_text(encoding="utf-8"))["result"]
    assert result["score"] is None and result["values"]["review.forms"] == "14.00"


def test_a_final_report_refuses_a_task_with_gaps(tmp_path):
    form_rows = {"code": "F", "name": "某县", "year": "2022", "county": "某县", "folder": "表",
                 "report_date": "2023-05-30"}  # fmt: skip
    workbook = tmp_path / "复核任务.xlsx"
    write_blank(workbook, load_schema(review.NAME), {"project": form_rows})
    build_one(tmp_path / "表")
    draft = review.Params(workbook=str(workbook), out=str(tmp_path / "out"))
    assert review.evaluate(review.load(draft)).tables["forms"]
    final = draft.model_copy(update={"stage": "终稿"})
    with pytest.raises(EvalkitError) as refused:
        review.evaluate(review.load(final))
    assert "委托方" in str(refused.value) and "复核机构" in str(refused.value)


def build_one(folder: Path) -> None:
    folder.mkdir()
    source = next((DEMO / "自评表").rglob("公交运营补贴.xlsx"))
    (folder / source.name).write_bytes(source.read_bytes())


def test_a_folder_without_a_form_is_refused_with_what_is_wrong_with_its_files(tmp_path):
    workbook, scan = tmp_path / "复核任务.xlsx", tmp_path / "表" / "扫描.pdf"
    scan.parent.mkdir()
    scan.write_bytes(b"%PDF-1.4")
    given = {"code": "F", "name": "某县", "year": "2022", "county": "某县", "folder": "表",
             "report_date": "2023-05-30"}  # fmt: skip
    write_blank(workbook, load_schema(review.NAME), {"project": given})
    with pytest.raises(EvalkitError, match="没有认出自评表"):
        review.load(review.Params(workbook=str(workbook)))


def test_a_scan_among_the_forms_is_said_and_stops_no_other(tmp_path):
    workbook = tmp_path / "复核任务.xlsx"
    build_one(tmp_path / "表")
    (tmp_path / "表" / "扫描.pdf").write_bytes(b"%PDF-1.4")
    given = {"code": "F", "name": "某县", "year": "2022", "county": "某县", "folder": "表",
             "report_date": "2023-05-30"}  # fmt: skip
    write_blank(workbook, load_schema(review.NAME), {"project": given})
    result = review.evaluate(review.load(review.Params(workbook=str(workbook))))
    assert len(result.tables["forms"]) == 1
    assert "扫描.pdf" in {p.file for p in result.problems}


def test_forms_of_another_kind_are_named_once_and_not_reviewed(tmp_path):
    workbook = tmp_path / "复核任务.xlsx"
    build_one(tmp_path / "表")
    for name in (
        "targets/申报表/01 农村公路养护工程.xlsx",
        "targets/申报表/农业、数据部门绩效目标导出.xlsx",
    ):
        source = DEMO.parent / name
        (tmp_path / "表" / source.name).write_bytes(source.read_bytes())
    given = {"code": "F", "name": "某县", "year": "2022", "county": "某县", "folder": "表",
             "report_date": "2023-05-30"}  # fmt: skip
    write_blank(workbook, load_schema(review.NAME), {"project": given})
    result = review.evaluate(review.load(review.Params(workbook=str(workbook))))
    assert [f["name"] for f in result.tables["forms"]] == ["公交运营补贴"]
    left = [p for p in result.problems if "不是自评表" in p.what]
    assert [(p.severity, p.what) for p in left] == [
        ("note", "不是自评表（目标申报表），未复核")
    ] * 2
    assert len({p.file for p in left}) == 2


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    workbook = tmp_path / "复核任务.xlsx"
    given = {"code": "F", "name": "某县", "year": "2022", "county": "某县", "folder": "没有",
             "report_date": "2023-05-30"}  # fmt: skip
    write_blank(workbook, load_schema(review.NAME), {"project": given})
    with pytest.raises(EvalkitError, match="没有"):
        review.load(review.Params(workbook=str(workbook)))


def test_the_demo_is_what_its_source_builds(tmp_path):
    build(tmp_path)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    kept = {p.relative_to(DEMO): p.read_bytes() for p in DEMO.rglob("*") if p.is_file()}
    assert made.keys() == kept.keys()
    assert [name for name in made if made[name] != kept[name]] == []
