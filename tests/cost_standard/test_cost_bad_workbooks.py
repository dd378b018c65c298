"""Bad workbooks of cost standards: every fault in a sentence that names its row, all at once."""

from __future__ import annotations

import math
import re
from pathlib import Path

import openpyxl
import pytest
from cost_support import SLUGS, D, cell, data, line, outcome, place, told, workbook
from support import SOAK

from evalkit.core.problem import EvalkitError
from evalkit.standards.service import Statistics
from evalkit.workflows import cost_standard as cost

BOOKS = "services tiers audited unit_costs"
QUOTAS = "services tiers quotas"
ROSTER = "services tiers counted"
ONE = {  # name: demo, parts, sheet, row, what is written there, code, its place, words of it
    "a volume of zero": (
        "rural_road", BOOKS, "volumes", 1, {"volume": 0},
        "cost.volume", ("业务量", 1), ["2024 年", "养护里程", "“0”"],
    ),
    "a volume of zero where there is a capacity": (
        "wastewater", BOOKS, "volumes", 1, {"volume": 0},
        "cost.volume", ("业务量", 1), ["B厂", "“0”"],
    ),
    "a negative declared cost": (
        "rural_road", BOOKS, "declared", 7, {"amount": -5},
        "cost.number", ("申报成本", 7), ["申报数", "“-5”"],
    ),
    "money finer than a cent": (
        "rural_road", BOOKS, "declared", 7, {"amount": D("1.005")},
        "cost.number", ("申报成本", 7), ["1.005"],
    ),
    "tonnes where kilometres belong": (
        "rural_road", BOOKS, "volumes", 1, {"volume_unit": "吨"},
        "cost.unit", ("业务量", 1), ["“吨”", "“公里·年”"],
    ),
    "tonnes in a tier of square metres": (
        "sanitation", QUOTAS, "tiers", 1, {"volume_unit": "吨"},
        "cost.unit", ("档次", 1), ["“T2”", "“吨”", "“㎡·年”"],
    ),
    "a year given twice": (
        "rural_road", BOOKS, "volumes", 1, {"year": 2023},
        "cost.again", ("业务量", 1), ["2023 年", "重复"],
    ),
    "costs of a year without a volume": (
        "rural_road", BOOKS, "volumes", 1, None,
        "cost.volumeless", ("申报成本", 6), ["2024 年"],
    ),
    "thirteen months": (
        "rural_road", BOOKS, "volumes", 1, {"months": 13},
        "cost.months", ("业务量", 1), ["“13”"],
    ),
    "kilometres where ten thousands of them were declared": (
        "bus_subsidy", BOOKS, "volumes", 3, {"volume_unit": "车公里"},
        "cost.slip", ("业务量", 3), ["2024 年", "万公里写成了公里"],
    ),
    "an account that is not the sum of those below": (
        "rural_road", BOOKS, "ledger", 2, {"amount": 1},
        "audit.parent", ("科目余额", 1), ["500101 人工", "312001"],
    ),
    "an account of no item": (
        "rural_road", BOOKS, "ledger", 4, {"account": "500909"},
        "audit.unmapped", ("科目余额", 4), ["500909 材料"],
    ),
    "a cut without a reason": (
        "rural_road", BOOKS, "cuts", 3, {"reason": None},
        "audit.reason", ("核减", 3), ["2025 年", "管理费用"],
    ),
    "a cut without a basis": (
        "rural_road", BOOKS, "cuts", 0, {"basis": None},
        "audit.reason", ("核减", 0), ["2023 年", "管理费用"],
    ),
    "a cut above what was declared": (
        "rural_road", BOOKS, "cuts", 0, {"amount": 99_999_999},
        "audit.above", ("申报成本", 5), ["2023 年", "99999999", "198000"],
    ),
    "a cut of what nobody declared": (
        "rural_road", BOOKS, "cuts", 1, {"item": "别的"},
        "audit.undeclared", ("核减", 1), ["2024 年", "“别的”"],
    ),
    "an item declared twice": (
        "rural_road", BOOKS, "declared", 9, {"item": "材料"},
        "audit.twice", ("申报成本", 9), ["2024 年", "“材料”"],
    ),
    "an item of no category": (
        "rural_road", BOOKS, "declared", 1, {"item": "材料费"},
        "cost.category", ("申报成本", 1), ["“材料费”"],
    ),
    "assets that do not add up to the declared depreciation": (
        "rural_road", BOOKS, "assets", 1, {"declared": 1},
        "audit.register", ("申报成本", 9), ["2024 年", "66500"],
    ),
    "an asset that lives no year": (
        "rural_road", BOOKS, "assets", 1, {"life": 0},
        "audit.asset", ("资产", 1), ["清扫车"],
    ),
    "a year that a price series does not have": (
        "rural_road", BOOKS, "prices", 0, None,
        "price.step", ("申报成本", 6), ["2024 年", "2025 年", "“wage”"],
    ),
    "a price index of nothing": (
        "rural_road", BOOKS, "prices", 0, {"value": None},
        "quota.number", ("价格指数", 0), ["不是大于 0 的数"],
    ),
    "a tier that does not exist": (
        "rural_road", QUOTAS, "quota", 5, {"tier": "T9"},
        "quota.unknown", ("定额测算", 5), ["“T9”"],
    ),
    "a negative price": (
        "rural_road", QUOTAS, "quota", 5, {"price": -85},
        "quota.number", ("定额测算", 5), ["单价", "“-85”"],
    ),
    "a recommended value without a reason": (
        "rural_road", QUOTAS + " compared", "tiers", 1, {"reason": None},
        "quota.blank", ("档次", 1), ["推荐理由"],
    ),
    "a share above a hundred": (
        "rural_road", QUOTAS + " spending", "tiers", 2, {"share": 120},
        "quota.number", ("档次", 2), ["财政承担比例", "“120”"],
    ),
    "a tier with a value and no volume": (
        "rural_road", QUOTAS + " spending", "tiers", 1, {"volume": None},
        "fiscal.volume", ("档次", 1), ["“乡道”", "没有计入"],
    ),
    "a peer that costs less than nothing": (
        "rural_road", QUOTAS + " compared", "peers", 2, {"unit_cost": -5},
        "quota.number", ("同业比较", 2), ["单位成本", "“-5”"],
    ),
    "a contract price below zero": (
        "rural_road", QUOTAS + " compared", "market", 1, {"price": -5},
        "quota.number", ("市场价格", 1), ["单价", "“-5”"],
    ),
    "a year of history without spending": (
        "rural_road", QUOTAS + " spending", "history", 3, {"spending": None},
        "fiscal.actual", ("历年支出", 3), ["2024 年"],
    ),
    "a rule of regulation without its standard": (
        "bus_subsidy", QUOTAS + " regulated", "regulation", 3, {"standard": None},
        "regulation.standard", ("成本规制", 3), ["不超标准"],
    ),
    "a school given twice": (
        "canteen_cook", ROSTER, "posts", 2, {"site": "北山乡教学点"},
        "quota.twice", ("人员配备", 2), ["北山乡教学点"],
    ),
    "a person twice in the roster": (
        "substitute_teacher", ROSTER, "roster", 1, {"person": "629999196203141017"},
        "roster.twice", ("名册", 1), ["629***********1017"],
    ),
    "a person paid after death": (
        "substitute_teacher", ROSTER, "roster", 1, {"status": "死亡", "since": "2025-06-15"},
        "roster.late", ("发放", 25), ["629***********2024", "2025-07"],
    ),
    "a person paid twice in a month": (
        "substitute_teacher", ROSTER, "payments", 4, {"month": "2025-01"},
        "roster.again", ("发放", 4), ["629***********1017", "2025-01"],
    ),
    "a payment to somebody who is not on the roster": (
        "substitute_teacher", ROSTER, "payments", 6, {"person": "629999196203141099"},
        "roster.stranger", ("发放", 6), ["629***********1099"],
    ),
    "a person without a date of birth": (
        "substitute_teacher", ROSTER, "roster", 0, {"born": None},
        "roster.born", ("名册", 0), ["出生日期"],
    ),
    "an identity number that cannot be": (
        "substitute_teacher", ROSTER, "roster", 2, {"person": "629999195501091034"},
        "roster.digit", ("名册", 2), ["校验码"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_a_fault_is_told_at_its_row(name):
    slug, parts, sheet, number, fields, code, (where, row), words = ONE[name]
    found = [p for p in told(slug, (sheet, number, fields), parts=parts) if p.code == code]
    names = {s.name: s.id for s in data(slug).schema.sheets}
    here = (where, line(cell(slug, names[where], row)))
    said = [p for p in found if (p.sheet, line(p.cell)) == here]
    assert said, [*map(str, found)]
    for word in words:
        assert word in str(said[0])
    assert said[0].remedy
    assert said[0].severity == "warning"  # a draft shows it and goes on


def test_a_unit_that_declared_nothing_is_told_where_it_is_named():
    found = told("rural_road", form={"unit": "县公路站"}, parts=BOOKS)
    (said,) = [p for p in found if p.code == "audit.nobody"]
    assert place(said) == ("项目信息", data("rural_road").form["unit"].cell.partition("!")[2])
    assert "“县公路站”" in said.what


def test_no_whole_identity_number_is_ever_said():
    changes = [("roster", 1, {"person": "629999196203141017", "status": "死亡", "since": None}),
               ("payments", 6, {"person": "629999196203141099"})]  # fmt: skip
    said = "\n".join(map(str, told("substitute_teacher", *changes, parts=ROSTER)))
    assert "629***" in said
    assert not [row for row in data("substitute_teacher").source.tables["roster"]
                if row["person"].text in said]  # fmt: skip


def test_money_that_does_not_agree_with_the_treasury_is_told():
    (found,) = told("substitute_teacher", ("terms", {"name": "国库支付（元）"}, {"value": 13_900}),
                    parts=ROSTER)  # fmt: skip
    assert "13920 元" in found.what
    assert "13900 元" in found.what


@pytest.mark.parametrize("value", [None, 0, -100])
def test_a_term_that_the_reckoning_needs_is_asked_for_by_its_name(value):
    change = ("terms", {"name": "配备比例（人）"}, {"value": value})
    (found,) = told("canteen_cook", change, parts=ROSTER)
    assert "“配备比例（人）”" in found.what
    assert "“参数”" in found.what


def test_a_roster_is_checked_without_an_age_gate_and_before_the_treasury_has_paid():
    blank = [("terms", {"name": name}, {"value": None})
             for name in ("国库支付（元）", "领取最低年龄（岁）")]  # fmt: skip
    found = outcome("substitute_teacher", *blank, parts=ROSTER)
    assert found.problems == ()
    assert found.values["people.due"] == 13_920


def test_a_granted_profit_above_its_cap_is_refused():
    change = ("terms", {"name": "利润率（%）"}, {"value": 5})
    assert "利润率" in told("bus_subsidy", change, parts=QUOTAS + " regulated")[0].what


# --- the sample ----------------------------------------------------------------------------------

SAMPLE = "services tiers samples"


@pytest.mark.parametrize(
    ("number", "fields", "code", "words"),
    [
        (1, {"volume": 0}, "sample.positive", "“业务量”为 0"),
        (2, {"cost": -1}, "sample.positive", "“总成本”为 -1"),
        (3, {"volume_unit": "吨"}, "cost.unit", "“吨”"),
        (4, {"inputs:机械化清扫率（%）": None}, "sample.value", "机械化清扫率"),
        (5, {"year": 2024}, "sample.twice", "不止一次"),
    ],
)
def test_an_observation_that_cannot_be_used_is_named(number, fields, code, words):
    found = [p for p in told("sanitation", ("sample", number, fields), parts=SAMPLE)
             if p.code == code]  # fmt: skip
    here = ("样本", cell("sanitation", "sample", number, "unit"))
    assert here in map(place, found)
    assert words in found[0].what


def test_one_observation_is_no_sample_and_nothing_is_reckoned_from_it():
    rest = [("sample", -1, None)] * 26
    found = outcome("sanitation", *rest, without=["decisions"], parts=SAMPLE)
    assert found.tables["few"]
    assert "benchmarks" not in found.tables
    assert found.values["study.rows"] == 1


def test_regressors_that_say_the_same_are_refused_by_name():
    rows = data("landscape").source.tables["sample"]
    density, staff = "乔木密度（株/万㎡）", "养护人员（人）"
    twice = [("sample", n, {f"inputs:{staff}": row[f"inputs:{density}"].number * 2})
             for n, row in enumerate(rows)]  # fmt: skip
    service = data("landscape").service
    both = service.model_copy(update={"statistics": Statistics(others=(density, staff))})
    found = told("landscape", *twice, without=["decisions"], parts=SAMPLE, service=both)
    (said,) = [p for p in found if p.code == "sample.collinear"]
    assert density in said.what
    assert staff in said.what


def test_a_regressor_that_follows_the_volume_is_refused_and_benchmarks_stay():
    rows = data("sanitation").source.tables["sample"]
    name = "机械化清扫率（%）"
    logs = [("sample", n, {f"inputs:{name}": D(str(math.log(row["volume"].number)))})
            for n, row in enumerate(rows)]  # fmt: skip
    found = outcome("sanitation", *logs, parts=SAMPLE)
    assert [p.code for p in found.problems] == ["sample.collinear"]
    assert found.tables["benchmarks"]
    assert "terms" not in found.tables


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"unit": "东塬镇"}, "sample.unflagged", "东塬镇、2024"),
        ({"cause": None}, "sample.cause", "河口镇、2024"),
        ({"decision": "修改"}, "sample.decision", "“修改”"),
        ({"unit": "青岭乡", "year": 2023}, "sample.decided", "不止一个"),
    ],
)
def test_a_decision_that_does_not_stand_is_named_and_removes_nothing(fields, code, words):
    found = outcome("sanitation", ("decisions", 0, fields), parts=SAMPLE)
    said = [p for p in found.problems if p.code == code]
    assert place(said[0]) == ("异常值处理", cell("sanitation", "decisions", 0, "unit"))
    assert words in said[0].what
    assert "benchmarks" not in found.tables  # the part stops before it reckons anything


def test_what_nobody_decided_on_stays_in_the_sample():
    found = outcome("sanitation", without=["decisions"], parts=SAMPLE)
    assert {flag["decision"] for flag in found.tables["flags"]} == {"待核实"}
    asked = {place(p) for p in found.problems if p.code == "gap.outlier"}
    assert len(asked) == 2
    assert {sheet for sheet, _ in asked} == {"样本"}
    assert {row["n"] for row in found.tables["benchmarks"] if row["name"] == "中位数"} == {"27"}


# --- a workbook of paper, so to speak ------------------------------------------------------------


def spoiled(folder: Path, **cells: object) -> Path:
    """The road demo's workbook with other cells, by ``SHEET_CELL``."""
    book = openpyxl.load_workbook(workbook("rural_road"))
    for name, value in cells.items():
        sheet, _, address = name.partition("_")
        book[sheet][address].value = value
    path = folder / "成本测算表.xlsx"
    book.save(path)
    return path


def test_a_workbook_with_many_faults_is_answered_all_at_once(tmp_path):
    path = spoiled(
        tmp_path, 业务量_F4="吨", 定额测算_B7="T9", 档次_K5=None, 绩效评价标准_B5="C999",
        历年支出_C7="T9", 申报成本_E5="很多", 核减_F4=None,
    )  # fmt: skip
    found = cost.evaluate(cost.load(cost.Params(workbook=str(path)))).problems
    places = {f"{p.sheet}_{p.cell}" for p in found}
    assert {
        "定额测算_B7", "档次_K5", "绩效评价标准_B5", "历年支出_C7", "申报成本_E5", "核减_F4",
    } <= places  # fmt: skip
    assert all(p.remedy and p.file == path.name for p in found)
    with pytest.raises(EvalkitError) as refused:
        cost.evaluate(cost.load(cost.Params(workbook=str(path), stage="送审稿")))
    assert places == {f"{p.sheet}_{p.cell}" for p in refused.value.problems if p.cell} | {
        f"{p.sheet}_{p.cell}" for p in found if p.severity == "note" or p.code == "fiscal.outside"
    }


def test_an_unknown_service_is_refused_with_those_that_there_are(tmp_path):
    path = spoiled(tmp_path, 项目信息_B5="heating")
    with pytest.raises(EvalkitError, match=r"“heating”.*bus_subsidy.*wastewater"):
        cost.load(cost.Params(workbook=str(path)))


def test_a_final_refuses_what_a_draft_shows():
    change = ("tiers", 0, {"reason": None})
    drafted = [str(p) for p in told("bus_subsidy", change)]
    with pytest.raises(EvalkitError) as refused:
        outcome("bus_subsidy", change, stage="送审稿")
    (said,) = refused.value.problems
    assert str(said) in drafted
    assert said.severity == "error"


# --- any cell ------------------------------------------------------------------------------------

ODD = {"number": [None, D(0), D(-1), D(10) ** 20, D("1e-9")], "text": [None, "没有这一个"]}
STEP = 5 if SOAK else 149  # every how many cells; odd, so that all kinds of values come up


def cells(slug):
    """Each field of the first row of each sheet, with each odd value."""
    for sheet in data(slug).schema.sheets:
        first = data(slug).source.tables.get(sheet.id, [])[:1]
        for field in (field for field in sheet.fields if first and field.id in first[0]):
            kind = "number" if field.type in ("number", "integer", "amount") else "text"
            yield from ((sheet.id, field.id, value) for value in ODD[kind])


@pytest.mark.parametrize("slug", SLUGS if SOAK else ["canteen_cook"])
def test_whatever_a_cell_says_a_draft_is_studied_to_its_end(slug):
    for sheet, field, value in [*cells(slug)][len(slug) :: STEP]:
        found = outcome(slug, (sheet, 0, {field: value}))
        assert {p.severity for p in found.problems} <= {"warning", "note"}, (sheet, field, value)
        said = re.search(r"\b(nan|inf|None)\b", str(found.tables))
        assert not said, (sheet, field, value)
