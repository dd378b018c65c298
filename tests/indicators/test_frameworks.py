"""Frameworks: shape, sums, and that they fit the workbook they prefill."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from evalkit import policy
from evalkit.core.paths import assets, packaged
from evalkit.core.problem import EvalkitError
from evalkit.indicators import frameworks
from evalkit.workbook.schema import load_schema

YEAR_END = date(2024, 12, 31)
IDS = ["mof_2013_53_department", "mof_2020_10", "mof_2021_101"]


def points_by_level(framework: frameworks.Framework) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for indicator in framework.indicators:
        if indicator.points is not None:
            sums[indicator.level1] = sums.get(indicator.level1, Decimal(0)) + indicator.points
    return sums


def test_the_shipped_frameworks_are_these():
    assert list(assets("params", "frameworks")) == IDS


def test_annex_2_of_10_has_17_indicators_whose_points_make_100_with_60_for_outcomes():
    framework = frameworks.load("mof_2020_10")
    points = points_by_level(framework)
    assert list(points.values()) == [20, 20, 30, 30]
    national = policy.load(as_of=YEAR_END)
    assert sum(points.values()) == national.value("full_total")
    outcome = sum(v for k, v in points.items() if k in national.value("outcome_levels"))
    assert outcome >= national.value("outcome_share_min")


def test_annex_2_of_10_has_the_evaluation_points_of_its_nine_qualitative_indicators():
    counts = {
        i.level3: len(i.elements) for i in frameworks.load("mof_2020_10").indicators if i.elements
    }
    assert counts == {
        "立项依据充分性": 5,
        "立项程序规范性": 3,
        "绩效目标合理性": 4,
        "绩效指标明确性": 3,
        "预算编制科学性": 4,
        "资金分配合理性": 2,
        "资金使用合规性": 4,
        "管理制度健全性": 2,
        "制度执行有效性": 4,
    }


def test_101_has_cost_as_its_own_level_and_no_sustainability():
    framework = frameworks.load("mof_2021_101")
    tree = {(i.level1, i.level2) for i in framework.indicators}
    assert ("成本指标", "生态环境成本指标") in tree
    assert not any("可持续" in level2 for _, level2 in tree)
    assert sum(points_by_level(framework).values()) == 100


def test_the_default_points_of_101_follow_the_case_with_cost_and_satisfaction():
    points = points_by_level(frameworks.load("mof_2021_101"))
    cases = policy.load(as_of=YEAR_END).value("self_evaluation_weights")
    chosen = next(case for case in cases if case["case"] == "设成本、设满意度")
    weights = {name: value for name, value in chosen.items() if isinstance(value, Decimal)}
    assert {name.removesuffix("指标"): value for name, value in points.items()} == weights


def test_the_department_tree_has_no_points_and_says_that_a_page_is_lost():
    framework = frameworks.load("mof_2013_53_department")
    assert points_by_level(framework) == {}
    assert "缺一页" in framework.note
    assert [i.level3 for i in framework.indicators if i.level2 == "预算管理"] == ["管理制度健全性"]
    quality = next(i for i in framework.indicators if i.level3 == "质量达标率")
    assert quality.formula.endswith("计划工作数×100%")


@pytest.mark.parametrize("name", IDS)
def test_the_rows_fit_the_workbook(name: str):
    schema = load_schema("project_evaluation")
    fields = {f.id: f for f in schema.sheet("indicators").fields}
    rows, elements = frameworks.rows(frameworks.load(name))
    for row in rows:
        assert set(row) <= set(fields), row["code"]
        for field, value in row.items():
            assert not fields[field].choices or value in fields[field].choices, (field, value)
    codes = [row["code"] for row in rows]
    assert len(set(codes)) == len(codes)
    assert {row["indicator"] for row in elements} == {
        row["code"] for row in rows if row.get("rule") == "评价要点"
    }
    assert set().union(*elements) <= {f.id for f in schema.sheet("elements").fields}


@pytest.mark.parametrize("name", IDS)
def test_every_indicator_cites_its_place_and_has_an_identifier_of_its_own(name: str):
    framework = frameworks.load(name)
    assert all("〔" in i.reference for i in framework.indicators)
    identifiers = [i.identifier for i in framework.indicators]
    assert len(set(identifiers)) == len(identifiers)
    assert all(i.isidentifier() for i in identifiers)


@pytest.mark.parametrize("name", IDS)
def test_points_are_never_passed_off_as_a_regulation(name: str):
    framework = frameworks.load(name)
    assert "国家层面无统一规定" in framework.points_source
    rows, _ = frameworks.rows(framework)
    assert {row["basis_kind"] for row in rows} == {"机构设定"}
    assert all("待委托方审定" in row["basis_document"] for row in rows)


@pytest.mark.parametrize("name", IDS)
def test_the_prose_agrees_with_the_parameters(name: str):
    for i in frameworks.load(name).indicators:
        if i.elements and len(i.elements) != 3:
            assert f"各占分值的 {100 // len(i.elements)}%" in i.standard, i.code
        if i.target:
            assert i.target in i.standard, i.code
        if "per_unit" in i.settings:
            assert f"扣 {i.settings['per_unit']} 分" in i.standard, i.code
            assert i.settings["step"] in i.standard, i.code
        if i.points is not None:
            assert i.rule, i.code
            assert i.standard, i.code


def test_element_shares_reach_the_workbook_as_percentages():
    framework = frameworks.load("mof_2020_10")
    element = framework.indicators[0].elements[0].model_copy(update={"share": Decimal("12.5")})
    first = framework.indicators[0].model_copy(update={"elements": (element,)})
    _, elements = frameworks.rows(framework.model_copy(update={"indicators": (first,)}))
    assert elements == [{"indicator": "A101", "text": element.text, "share": "12.5%"}]


def test_an_unknown_framework_names_the_nearest():
    with pytest.raises(EvalkitError, match=r"没有名为“mof_2020”.*是不是“mof_2020_10”"):
        frameworks.load("mof_2020")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("code: A102", "code: A101", "指标编号重复：A101"),
        ("id: mof_2020_10", "id: other", "id 应与文件名相同（ours）"),
        ("kind: 定量", "kind: 随意", "kind：不在允许的取值之内"),
        ("points: 10", "points: 十分", "points：不是数字"),
    ],
)
def test_a_broken_framework_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, sentence: str
):
    for name in ("templates", "params/policy", "params/frameworks"):
        (tmp_path / name).mkdir(parents=True)
    text = (packaged() / "params" / "frameworks" / "mof_2020_10.yaml").read_text("utf-8")
    text = text.replace("id: mof_2020_10", "id: ours") if "id: mof" not in old else text
    assert old in text
    (tmp_path / "params" / "frameworks" / "ours.yaml").write_text(text.replace(old, new), "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EvalkitError) as caught:
        frameworks.load("ours")
    assert sentence in str(caught.value)


def test_a_framework_without_indicators_is_refused():
    with pytest.raises(ValueError, match="没有任何指标"):
        frameworks.Framework(
            id="a", title="b", source="c", points_source="d", basis="e", indicators=()
        )
