"""Each automatic finding on a target table is provoked alone, and a sound table has none."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from targets_support import (
    CLEAN,
    FUNDS,
    GOAL,
    about,
    changed,
    findings,
    ids,
    last_year,
    policy,
    standard,
    table,
)

from evalkit.core.problem import Problem
from evalkit.rounds.target_review import twins
from evalkit.scoring.findings import load_checks


def without(level: str) -> list[tuple[str, ...]]:
    return [row for row in CLEAN if level not in row[0] + row[1]]


def test_a_sound_table_has_no_finding_under_its_tree():
    assert findings(table()) == []


def test_a_sound_table_of_the_older_tree_has_none_either():
    rows = [
        ("产出指标", "数量指标", "新建里程", "≥10", "公里", "20"),
        ("产出指标", "质量指标", "验收合格率", "100", "%", "10"),
        ("产出指标", "时效指标", "通车时间", "2026年12月前", "", "10"),
        ("产出指标", "成本指标", "每公里造价", "≤80", "万元/公里", "10"),
        ("效益指标", "社会效益指标", "受益村", "≥3", "个", "20"),
        ("效益指标", "可持续影响指标", "设计使用年限", "≥15", "年", "10"),
        ("满意度指标", "服务对象满意度指标", "群众满意度", "≥90", "%", "10"),
    ]
    assert ids(table(rows), tree="10号") == []


def test_a_department_is_held_against_the_six_aspects():
    rows = [
        ("履职效能", "", "重点工作完成率", "≥95", "%", "20"),
        ("管理效率", "", "预算执行率", "≥95", "%", "20"),
        ("运行成本", "", "公用经费控制率", "≤100", "%", "20"),
        ("社会效应", "", "政策知晓率", "≥80", "%", "20"),
        ("可持续发展能力", "", "培训人次", "≥120", "人次", "10"),
        ("服务对象满意度", "", "服务对象满意程度", "≥90", "%", "10"),
    ]
    whole = {"review": "部门整体", "tree": "34号"}
    assert ids(table(rows), **whole) == []
    assert ids(table(rows[1:]), **whole) == ["C1", "E2"]
    assert ids(table([*rows[:3], *rows[4:]]), **whole) == ["C2", "E2"]


VAGUE = "改善农村公路出行条件，方便沿线群众出行和农产品运输，促进乡村发展。"
TWO_COUNTS = [*without("质量"), ("产出指标", "数量指标", "涵洞", "4", "座", "15")]
OTHER_WEIGHTS = [
    (*row[:5], points)
    for row, points in zip(CLEAN, ["10", "20", "20", "10", "20", "10"], strict=True)
]
DEARER = last_year(每公里造价=("60", "万元/公里"))
# what is wrong: (check, table, what it is held against)
PROVOKED = {
    "no name": ("A1", table(name=""), {}),
    "another year": ("A2", table(year="2025"), {}),
    "nameless indicator": ("A4", table(changed(2, level3="")), {}),
    "no goal": ("B1", table(goal=""), {}),
    "short goal": ("B2", table(goal="新建10公里公路。"), {}),
    "goal without number": ("B3", table(goal=VAGUE), {}),
    "no quality": ("C2", table(TWO_COUNTS), {}),
    "cost is due": ("C3", table(without("成本")), {"facts": about(type="工程基建类")}),
    "cost may be due": ("C4", table(without("成本"), name="农村道路建设项目"), {}),
    "public": ("C5", table(without("满意度")), {"facts": about(public="是")}),
    "foreign level 2": ("C6", table(changed(4, level2="可持续影响指标")), {}),
    "cost under output": ("C7", table(changed(0, level1="产出指标")), {}),
    "wrong class": ("C8", table(changed(4, level3="工程造价控制数")), {}),
    "twice": ("C9", table(changed(2, level3="新建公路里程")), {}),
    "no target": ("D1", table(changed(4, target="")), {}),
    "no number": ("D2", table(changed(1, target="按计划完成")), {}),
    "vague": ("D3", table(changed(4, target="明显改善")), {}),
    "no unit": ("D4", table(changed(4, unit="")), {}),
    "over 100 percent": ("D5", table(changed(2, target="105")), {}),
    "direction": ("D6", table(changed(5, target="≤90")), {}),
    "another year's date": ("D8", table(changed(3, target="2027年6月前")), {}),
    "points missing": ("E5", table(changed(3, points="")), {}),
    "printed sum": ("E3", table(points="100"), {}),
    "weights": ("E4", table(OTHER_WEIGHTS), {}),
    "no funds": ("F1", table(funds=[]), {}),
    "above": ("F2", table(funds=[FUNDS[0], ("单位资金", "801")]), {}),
    "split": ("F2", table(funds=[*FUNDS[:2], ("上年结转资金", "90"), ("其他资金", "")]), {}),
    "standard": ("S1", table(), {"standards": [standard("每公里造价", "万元/公里", "75")]}),
    "other unit": ("S2", table(), {"standards": [standard("每公里造价", "元/平方米", "75")]}),
    "over budget": ("S3", table(changed(0, level3="建设费用", target="900", unit="万元")), {}),
    "same goal": ("G1", table(), {"like_goals": [(True, Decimal(100), 1)], "names": ["甲", "乙"]}),
    "like goal": ("G2", table(), {"like_goals": [(False, Decimal(90), 1)], "names": ["甲", "乙"]}),
    "same rows": ("G3", table(), {"like_rows": [(True, Decimal(100), 1)], "names": ["甲", "乙"]}),
    "like rows": ("G4", table(), {"like_rows": [(False, Decimal(90), 1)], "names": ["甲", "乙"]}),
    "below last year": ("H1", table(), {"last": last_year(新建公路里程=("15", "公里"))}),
    "above last year": ("H2", table(), {"last": last_year(新建公路里程=("7", "公里"))}),
    "cost far above last year's": ("H1", table(), {"last": DEARER}),
}  # fmt: skip
ALONG = {"twice": ["C9"]}  # what comes with it
for each in ("cost is due", "cost may be due", "public", "points missing"):
    ALONG[each] = ["E2", "E4"]


@pytest.mark.parametrize("case", PROVOKED)
def test_each_fault_is_found_with_its_cell_and_basis(case):
    check, source, facts = PROVOKED[case]
    found = findings(source, **facts)
    assert sorted(f.check.id for f in found) == sorted([check, *ALONG.get(case, [])])
    (one, *_) = [f for f in found if f.check.id == check]
    assert one.what and one.check.basis and one.check.dimension
    assert one.cell.startswith("表!") or case in ("no name", "no funds")


def test_a_table_without_indicators_is_said_once_and_weighs_most():
    found = findings(table(rows=[]))
    assert [f.check.id for f in found] == ["A3", "C1", "C1", "C2", "C2"]
    assert found[0].check.deduct == max(check.deduct for check in load_checks("targets"))


def test_points_that_are_missing_everywhere_are_one_note():
    assert ids(table([(*row[:5], "") for row in CLEAN])) == ["E1"]


def test_equal_targets_everywhere_are_said():
    rows = [(*row[:3], "100", "%", row[5]) for row in CLEAN]
    found = [f for f in findings(table(rows)) if f.check.id == "D7"]
    assert found[0].what == "6个数值指标的指标值都是100"


def test_what_could_not_be_read_is_a_finding_at_its_cell():
    broken = table().model_copy(
        update={"problems": [Problem(what="指标值有两种读法", sheet="表", cell="D9")]}
    )
    (found,) = findings(broken)
    assert (found.check.id, found.what, found.cell) == ("A5", "指标值有两种读法", "表!D9")


def test_the_sentence_names_standard_value_and_source():
    rule = standard("每公里造价", "元/公里", "750000")
    (found,) = findings(table(), standards=[rule])
    assert found.what == (
        "“每公里造价”的指标值为≤80万元/公里，高于支出标准750000元/公里（某财行〔2025〕8号）"
    )


def test_the_longest_fitting_standard_counts():
    rules = [standard("造价", "万元/公里", "10"), standard("每公里造价", "万元/公里", "80")]
    assert ids(table(), standards=rules) == []


def test_a_target_at_the_limit_is_no_departure_from_last_year():
    assert ids(table(), last=last_year(受益村=("3", "个"))) == []
    edge = last_year(群众满意度=("90", "%"), 新建公路里程=("10", "公里"))
    assert ids(table(), last=edge) == []


def test_last_years_value_in_another_unit_is_not_compared():
    assert ids(table(), last=last_year(新建公路里程=("90000", "米"))) == []


def test_weights_of_a_form_scaled_to_100_are_brought_back_to_90():
    rows = [(*row[:5], points) for row, points in
            zip(CLEAN, ["22", "17", "17", "11", "22", "11"], strict=True)]  # fmt: skip
    assert ids(table(rows)) == []
    with_rate = [*CLEAN, ("预算执行率", "预算执行率", "预算执行率", "100", "%", "10")]
    assert ids(table(with_rate)) == []


def test_every_check_has_a_dimension_of_the_form_or_is_about_the_task_itself():
    items = {item["id"] for item in policy().value("target_review_form")}
    own = {"reviews", "astray", "pending"}
    for check in load_checks("targets"):
        assert check.dimension in items or check.each in own, check.id
        assert check.each in own or (check.basis and check.advice), check.id
    assert len({check.id for check in load_checks("targets")}) == len(load_checks("targets"))


# --- like texts --------------------------------------------------------------------------------


def test_equal_texts_come_before_like_ones_and_short_ones_are_left_out():
    other = GOAL.replace("10公里", "9公里")
    found = twins([GOAL, other, GOAL, "修路", "修路"], Decimal(85), Decimal(15))
    assert [(same, place) for same, _, place in found[0]] == [(True, 2), (False, 1)]
    assert set(found) == {0, 1, 2}


@given(st.lists(st.text("甲乙丙丁", max_size=8), max_size=7))
def test_likeness_is_symmetric_and_equal_texts_are_wholly_alike(texts):
    found = twins(texts, Decimal(50), Decimal(2))
    for place, near in found.items():
        assert place not in [other for *_, other in near]
        for same, alike, other in near:
            assert (same, alike, place) in found[other]
            assert 50 <= alike <= 100
            assert same == (texts[place] == texts[other])
            assert alike == 100 or not same
    equal = {n for n, text in enumerate(texts) if len(text) > 1 and texts.count(text) > 1}
    assert equal <= found.keys()
