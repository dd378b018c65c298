"""The seven demos of cost standards: the vectors of the manual as printed, and both documents."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise, product

import pytest
from cost_support import SLUGS, STATISTICAL, D, data, document, result, table, tables
from docx import Document
from support import ROOT, SOAK

from evalkit.core.numbers import wan
from evalkit.core.problem import errors
from evalkit.core.yaml_file import load_yaml
from evalkit.review.delivery import report_name
from evalkit.verify import report as verify
from evalkit.workflows import cost_standard as cost

OF_SAMPLES = {"benchmarks", "points", "flags", "terms", "diagnostics", "fit", "fitted", "frontier"}
# columns of numbers where a cell may say that there is none: the rows that may, by table and column
NONE = {
    ("trend", "change"): lambda row: row["previous"] == "—",
    ("regulation", "standard"): lambda row: row["rule"] in ("据实", "不予列支"),
    ("terms", "vif"): lambda row: row["term"] == "常数",
    ("diagnostics", "p"): lambda row: "条件数" in row["name"] or "VIF" in row["name"],
}
BROKEN = re.compile(r"None|nan|NaN|Decimal|\{\{|\{%|#REF|Infinity|inf\b|错误！|待补充")


# --- the vectors ---------------------------------------------------------------------------------


def test_every_demo_is_studied_without_an_error(slug):
    assert errors(result(slug).problems) == []
    # recommended values that are rounded leave the range of the methods, which is told
    assert {p.code for p in result(slug).problems} <= {"fiscal.outside"}


def test_v2_the_bus_has_its_regulated_cost_its_loss_and_its_subsidy(delivered):
    expected = {
        "规制成本": "1133.90", "规制亏损（政策性亏损）": "746.50", "补贴额": "769.18",
        "应付补贴": "730.72", "单位规制成本": "5.400", "单位补贴": "3.663",
    }  # fmt: skip
    shown = table(result("bus_subsidy"), "subsidy", "label", "value")
    assert shown | expected == shown
    for kind, caption in (("编制说明", "补贴测算"), ("支出标准", "补贴测算方法")):
        rows = tables(document(delivered("bus_subsidy")[kind]))[caption]
        assert {row["项目"]: row["金额"] for row in rows} == shown
    assert table(result("bus_subsidy"), "quotas", "tier", "adjusted") == {"T1": "5.400"}


def test_v3_sanitation_has_its_three_quotas_and_their_total():
    found = result("sanitation")
    assert list(table(found, "quotas", "tier", "quota").values()) == ["9.510", "7.397", "5.166"]
    assert list(table(found, "spending", "tier", "budget").values()) == [
        "285.29", "332.84", "129.16",
    ]  # fmt: skip
    assert table(found, "impact", "label", "value")["按新标准的年度财政支出"] == "747.30"
    assert table(found, "choices", "tier", "recommended")["综合"] == "7.473"


def test_v4_two_plants_and_both_together_at_four_boundaries():
    """Domain.md prints 1.118 for plant A at O&M; 1427.54 万元 ÷ 1277.5 万m³ is 1.1174…"""
    stated = {
        "生产成本（不含期间费用）": ["1.496", "1.730", "1.652"],
        "完全成本": ["2.097", "2.610", "2.439"],
        "不含财务费用": ["1.608", "1.807", "1.741"],
        "运维口径（不含折旧和财务费用）": ["1.117", "1.093", "1.101"],
    }
    found = result("wastewater")
    for boundary, costs in stated.items():
        shown = table(found, "boundaries", "unit", "unit_cost", boundary=boundary)
        assert shown == dict(zip(("A厂", "B厂", "两厂合计"), costs, strict=True))
    loads = table(found, "curve", "load", "note")
    assert loads["70.00"] == "现状"
    assert list(loads) == sorted(loads, key=Decimal)


def test_v5_landscape_comes_to_its_total():
    found = result("landscape")
    assert table(found, "impact", "label", "value")["按新标准的年度财政支出"] == "320.50"
    assert list(table(found, "spending", "tier", "budget").values()) == [
        "90.00", "150.00", "52.50", "28.00",
    ]  # fmt: skip


def test_v6_four_persons_with_their_years_come_to_their_allowance():
    found = result("substitute_teacher")
    assert (found.values["people.years"], found.values["people.due"]) == (58, 13_920)
    due = table(found, "audit", "item", "allowed", year="2025")
    assert due["工龄补助"] == "13920.00"
    assert found.values["budget.new"] == 13_920
    assert found.tables["roster"] == []  # nobody is wrongly accused


def test_v7_schools_are_staffed_one_by_one(delivered):
    found = result("canteen_cook")
    assert list(table(found, "posts", "site", "posts").values()) == ["1", "1", "2", "3", "7", "13"]
    assert (found.values["people.needed"], found.values["people.whole"]) == (27, 24)
    assert table(found, "impact", "label", "value")["按新标准的年度财政支出"] == "61.02"
    text = "\n".join(part.text for part in document(delivered("canteen_cook")["编制说明"]))
    assert "共27人" in text
    assert "24人" in text


# --- the path of the sample ----------------------------------------------------------------------


def test_statistics_stand_where_there_is_a_sample_and_are_absent_elsewhere(slug, delivered):
    shown = {name for name, rows in result(slug).tables.items() if rows} & OF_SAMPLES
    parts = document(delivered(slug)["编制说明"])
    text = "\n".join(part.text for part in parts)
    heads = {part.text for part in parts if part.style.startswith("Heading")}
    statistical = {"样本单位成本的分布", "成本函数", "前沿分析"}
    if slug in STATISTICAL:
        assert shown == OF_SAMPLES
        assert statistical <= heads
        assert "标杆分析" in text
    else:
        assert shown == set()
        assert not statistical & heads
        assert "可比单位不足8个" in text
        assert not re.search("标杆|效率值|回归|弹性|DEA", text)


def test_flagged_points_are_kept_or_removed_as_it_was_decided():
    found = result("sanitation")
    decided = {(f["unit"], f["year"]): f["decision"] for f in found.tables["flags"]}
    assert decided == {("河口镇", "2024"): "剔除", ("青岭乡", "2023"): "保留"}
    assert {row["n"] for row in found.tables["benchmarks"] if row["name"] == "中位数"} == {"26"}
    assert "河口镇2024" not in {row["of"] for row in found.tables["frontier"]}
    assert "青岭乡2023" in {row["of"] for row in found.tables["frontier"]}


# --- the documents -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["编制说明", "支出标准"])
def test_a_document_has_no_empty_section_and_no_broken_word(slug, kind, delivered):
    parts = [part for part in document(delivered(slug)[kind]) if part.text]
    assert not [part.text for part in parts if BROKEN.search(part.text)]
    level = {"Heading 1": 1, "Heading 2": 2, "附件标题": 1, "附件小标题": 1}
    for part, after in pairwise(parts):
        if part.style in level:
            assert after.style not in level or level[after.style] > level[part.style], part.text
    assert parts[-1].style not in level


def test_every_number_column_holds_numbers(slug):
    found, seen = result(slug).tables, 0
    for spec in load_yaml(ROOT / "templates" / "cost_standard.yaml", texts=True).values():
        source = spec["source"]
        columns = [column[1] for column in spec["columns"] if "right" in column]
        for row, column in product(found.get(source, []), columns):
            number = re.fullmatch(r"-?\d+(\.\d+)?(?P<unit>\D*)", row[column])
            if not number:
                may = NONE.get((source, column), lambda _: False)
                assert may(row), (source, column, row[column])
                assert row[column] in ("—", "")
            elif number["unit"]:
                assert (column, number["unit"]) == ("volume", row["volume_unit"])
            seen += 1
    assert seen > 80


def test_both_documents_say_that_the_data_are_a_sample(delivered):
    for kind in ("编制说明", "支出标准"):
        file = Document(str(delivered("rural_road")[kind]))
        heads = [p.text for s in file.sections for p in s.header.paragraphs]
        body = [p.text for p in file.paragraphs]
        assert any("示例数据" in text for text in [*heads, *body]), kind


# --- consistency ---------------------------------------------------------------------------------


def test_what_was_declared_less_what_was_cut_is_what_is_allowed(slug):
    found, sums = result(slug).tables, defaultdict(lambda: [D(0)] * 3)
    cuts = defaultdict(D)
    for step in found["steps"]:
        cuts[step["unit"], step["year"], step["item"]] += D(step["amount"])
        assert step["reason"]
        assert step["basis"]
    assert found["audit"]
    for row in found["audit"]:
        money = [D(row[name]) for name in ("declared", "cut", "allowed")]
        assert money[0] - money[1] == money[2]
        key = row["unit"], row["year"]
        if row["item"] == "合计":
            assert sums[key] == money
        else:
            assert cuts[*key, row["item"]] == money[1]
            assert bool(row["reason"]) == bool(money[1])
            sums[key] = [a + b for a, b in zip(sums[key], money, strict=True)]


def test_text_and_tables_of_the_report_agree(slug, delivered):
    found = result(slug)
    parts = document(delivered(slug)["编制说明"])
    text = "\n".join(part.text for part in parts if part.style == "Body Text")
    unit, year = found.subject["unit"], found.subject["year"]
    (whole,) = (row for row in found.tables["audit"]
                if (row["unit"], row["year"], row["item"]) == (unit, year, "合计"))  # fmt: skip
    money = [wan(D(whole[name])) for name in ("declared", "cut", "allowed")]
    assert "申报成本{}万元，核减{}万元，核定{}万元".format(*money) in text
    boundary = data(slug).service.boundaries[0].name
    (each,) = table(found, "boundaries", "unit", "unit_cost", boundary=boundary, unit=unit).values()
    assert f"单位成本{each}元/{data(slug).service.driver.unit}" in text
    for row in found.tables["choices"]:
        assert f"{row['name']}推荐定额{row['recommended']}元/{row['unit']}" in text
    (budget,) = {wan(found.values["budget.new"]), found.tables["impact"][0]["value"]}
    assert f"年度财政支出{budget}万元" in text
    listed = sum(D(row["budget"]) for row in found.tables["spending"])
    assert abs(listed - D(budget)) <= D("0.005") * len(found.tables["spending"])
    shares = sum(D(row["share"]) for row in found.tables["structure"])
    assert shares == 100


def test_the_tables_of_the_document_are_those_of_the_result(slug, delivered):
    shown = tables(document(delivered(slug)["编制说明"]))
    specs = load_yaml(ROOT / "templates" / "cost_standard.yaml", texts=True).values()
    seen = 0
    for spec in specs:
        rows = result(slug).tables.get(spec["source"], [])
        if rows:
            heads = [c[0].replace("\n", "") for c in spec["columns"]]
            printed = [[row[head].split() for head in heads] for row in shown[spec["caption"]]]
            assert printed == [[row[c[1]].split() for c in spec["columns"]] for row in rows]
            seen += 1
        else:
            assert spec["caption"] not in shown
    assert seen > 14


@pytest.mark.parametrize("slug", SLUGS if SOAK else ["bus_subsidy", "landscape", "canteen_cook"])
def test_every_bound_number_of_a_report_passes_the_check(slug, delivered):
    found = cost.checks(delivered(slug))
    assert [p for p in found if p.code != "fiscal.outside"] == []


def test_a_number_that_was_changed_by_hand_is_noticed(delivered, tmp_path):
    files = delivered("rural_road")
    report = tmp_path / files["编制说明"].name
    file, seen = Document(str(files["编制说明"])), 0
    for run in (run for p in file.paragraphs for run in p.runs if run.text == "387.45"):
        run.text, seen = "387.46", seen + 1
    assert seen
    file.save(str(report))
    found = verify.update(report, files["结果"])
    assert any("387.4" in p.what and p.severity != "note" for p in found)


def test_the_standard_itself_holds_the_five_standards(slug, delivered):
    parts, found = document(delivered(slug)["支出标准"]), result(slug)
    shown = tables(parts)
    five = ("公共服务标准", "成本定额标准", "财政支出标准", "绩效目标标准", "绩效评价标准")
    heads = [part.text.partition("、")[2] for part in parts if part.style == "附件小标题"]
    assert heads == ["总则", *five, "附则"]
    sources = ("services", "spending", "spending", "targets", "evaluations")
    for name, source in zip(five, sources, strict=True):
        assert len(shown[name]) == len(found.tables[source]) > 0
    quotas = [next(v for k, v in row.items() if "定额" in k) for row in shown["成本定额标准"]]
    assert quotas == [row["recommended"] for row in found.tables["spending"]]


def test_every_target_has_its_source_and_its_rule(slug):
    found = result(slug).tables
    assert [row["target"] for row in found["chain"]] == [row["code"] for row in found["targets"]]
    assert {row["verdict"] for row in found["chain"]} == {"引用完整"}
    tiers = set(table(result(slug), "spending", "tier", "name"))
    for row in found["chain"]:
        assert row["rule"]
        assert row["ground"].partition("：")[2] or row["basis"] in tiers, row
    assert {row["basis"] for row in found["chain"] if row["level2"].endswith("成本")} == tiers


def test_the_report_is_called_what_the_kit_calls_it(delivered):
    assert delivered("bus_subsidy")["编制说明"].name == report_name("cost_standard")
    assert set(SLUGS) >= set(STATISTICAL)
