"""The section 得分和等级的稳健性: what it says, where it stands and where it must not."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
import support
from docx import Document

from evalkit.core.model import Datum, Result
from evalkit.report import frames, papers, robust
from evalkit.review.copies import final_copy, public_copy, review_copy
from evalkit.scoring.indicator import gather
from evalkit.scoring.sensitivity import outcomes_of, within
from evalkit.verify.report import check_report
from evalkit.workflows import project_evaluation as evaluation

sys.path.insert(0, str(support.ROOT / "tests" / "review"))
from copies_reports import CONSENTS, parts, rendered, result_of

TABLES = ("findings", "grades", "spread", "indicators", "flips", "settings", "totals", "cuts")
FIXED = {
    "points": "60",
    "rule": "按次扣分",
    "target": "",
    "actual": "0",
    "unit": "次",
    "per_unit": "1",
}
MEASURED = {"points": "40", "rule": "比例得分", "target": "100", "actual": "75.5", "unit": "吨"}
MACHINERY = re.compile("稳健|模拟|狄利克雷|robust|最小改变|概率")


def setting(policy, **changes):
    """The policy with another value of robustness."""
    parameter = policy.national.values["robustness"]
    value = parameter.values[0].model_copy(update={"value": parameter.values[0].value | changes})
    values = policy.national.values | {
        "robustness": parameter.model_copy(update={"values": (value,)})
    }
    return replace(policy, national=policy.national.model_copy(update={"values": values}))


def evaluated(path: Path, stage: str = "初稿", **changes: object) -> Result:
    """A workbook evaluated under another setting."""
    data = support.load(path, stage)
    return evaluation.evaluate(replace(data, policy=setting(data.policy, **changes)))


def told(result: Result, about: str = "等级") -> str:
    return next(r["text"] for r in result.tables["robust_findings"] if r["about"] == about)


def probability(result: Result, grade: str) -> Decimal:
    row = next(r for r in result.tables["robust_grades"] if r["grade"] == grade)
    return Decimal(row["probability"].rstrip("%"))


def varied(result: Result) -> dict[str, str]:
    return {row["code"]: row["varied"] for row in result.tables["robust_indicators"]}


@pytest.fixture(scope="module")
def demo() -> Result:
    """The demo with experts' marks."""
    project = next(
        p for p in support.demo_projects() if p.workbook.parent.name == "substitute_teacher"
    )
    return support.evaluate(project.workbook, project.stage, project.profile)


# --- what it says -------------------------------------------------------------------------------


def test_a_grade_that_hangs_on_one_measured_value_has_the_probability_of_that_value(tmp_path):
    """60 points stand; 40 × 75.5 ÷ 100 = 30.20, so 90.20. 优 needs 30 of them: 74.9875 at least,
    of 75.5 ± 1.51 met by 134 of the 200 equally likely values."""
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=[FIXED, MEASURED])
    values = within(75.5, 75.5 * 2 / 100)
    assert (values >= 74.9875).sum() == 134
    result = evaluated(path, concentration=None)
    assert abs(probability(result, "优") - 67) < 2  # four standard errors of 10 000 draws
    assert probability(result, "优") + probability(result, "良") == 100
    assert varied(result) == {"C102": "测量值", "C101": "不变动"}
    share = {row["code"]: row["share"] for row in result.tables["robust_indicators"]}
    assert share == {"C102": "100.0%", "C101": "0.0%"}
    assert told(result).startswith(
        f"在测量值的设定变动下，等级保持“优”的概率为{probability(result, '优')}%"
    )
    assert told(result, "最小改变") == (
        "总分降低0.21分，等级就降为“良”：C101 完成率、C102 完成率，其中任何一项单独少得0.21分即可；"
        "各项得分率不变，把0.82分的分值从得分率高的指标移给得分率低的指标，也到达这一分界。"
    )  # 0.20 ÷ (1 - 0.755) = 0.816 points moved


def test_weights_alone_move_the_total_by_what_the_rates_differ(tmp_path):
    """Two indicators of 60 and 40 points, rates 1 and 0.755: the total is 75.5 + 24.5 w₁, the
    standard deviation of w₁ √(0.6 × 0.4 ÷ 400) = 0.0245, so of the total 0.60 points."""
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=[FIXED, MEASURED])
    result = evaluated(path, tolerance=0)
    (spread,) = result.tables["robust_spread"]
    assert float(spread["std"]) == pytest.approx(0.60, abs=0.02)
    assert float(spread["mean"]) == pytest.approx(90.2, abs=0.03)
    assert set(varied(result).values()) == {"权重"}


def test_counts_of_things_stay_whole_and_small_ones_do_not_move(tmp_path):
    """3 座 ± 2 % is 3 座; 150 座 ± 2 % is 147 to 153."""
    few = MEASURED | {"target": "4", "actual": "3", "unit": "座"}
    many = MEASURED | {"target": "200", "actual": "150", "unit": "座"}
    for row, least, most in ((few, 30, 30), (many, 29.4, 30.6)):
        path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=[FIXED, row])
        data = support.load(path)
        indicators = gather(data.source, data.survey)
        card = support.rescore(data.source)
        found = outcomes_of(indicators, card, data.policy, 2)
        ends = float(min(found["C102"])), float(max(found["C102"]))
        assert ends == (pytest.approx(least), pytest.approx(most))
        assert len(set(found["C102"])) == (1 if row is few else 7)


UNMEASURED = [
    {"rule": "按次扣分", "actual": "3", "unit": "次", "per_unit": "1", "target": ""},
    {
        "rule": "按期完成",
        "actual": "2024-07-10",
        "target": "2024-06-30",
        "per_unit": "0.2",
        "unit": "",
    },
    {"rule": "是否达标", "actual": "是", "target": "是", "unit": ""},
    {"rule": "等值达标", "actual": "5", "target": "5", "unit": "个"},
    {"rule": "一票否决", "actual": "否", "target": "", "unit": ""},
    {
        "rule": "定性分级",
        "actual": "",
        "target": "",
        "unit": "",
        "tier": "达成预期",
        "tier_rate": "90%",
    },
    {"rule": "比例得分", "actual": "", "measure": "预算执行率", "target": "100%"},
    {"rule": "比例得分", "actual": "0", "target": "100"},
    {"rule": "区间线性得分", "actual": "-3%", "target": "", "full_at": "0", "zero_at": "-10%"},
]


@pytest.mark.parametrize("row", UNMEASURED, ids=lambda row: f"{row['rule']}{row['actual']}")
def test_what_no_percentage_can_be_wrong_by_does_not_vary(row, tmp_path):
    path = support.workbook(
        tmp_path / "数据底稿.xlsx",
        indicators=[MEASURED | {"points": "90"}, {**row, "points": "10"}],
    )
    result = evaluated(path, concentration=None)
    assert result.score.total is not None, [i.gap for i in result.score.indicators]
    assert varied(result) == {"C101": "测量值", "C102": "不变动"}


def test_a_number_against_its_target_varies_where_it_decides_whether_it_is_met(tmp_path):
    """95.2 ± 1.904 meets ≥ 95 with 110 or 111 of the 200 values: 55 %."""
    row = {"rule": "是否达标", "points": "40", "target": "≥95", "actual": "95.2", "unit": "吨"}
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=[FIXED, row])
    result = evaluated(path, concentration=None)
    assert (result.score.total, result.score.grade) == (100, "优")
    assert abs(probability(result, "优") - Decimal("55.5")) < 2
    assert probability(result, "中") == 100 - probability(result, "优")  # 60 points are 中


def test_a_score_that_a_person_changed_stands(tmp_path):
    change = {"indicator": "C102", "computed": "30.2", "adjusted": "35", "reason": "复核认定",
              "basis": "复核记录", "approver": "李某", "date": "2025-06-18"}  # fmt: skip
    path = support.workbook(
        tmp_path / "数据底稿.xlsx", indicators=[FIXED, MEASURED], adjustments=[change]
    )
    result = evaluated(path, concentration=None)
    assert result.score.total == 95
    assert set(varied(result).values()) == {"不变动"}
    assert told(result) == "没有设定任何变动，只计算最小改变。"


def test_a_veto_keeps_every_draw_at_its_cap_even_where_it_has_not_bitten_yet(tmp_path):
    """79.5 points are 中, the veto's cap: nothing lowered the grade, yet no draw may be 良."""
    rows = [
        FIXED | {"points": "70"},
        MEASURED | {"points": "20", "actual": "47.5"},
        {
            "rule": "一票否决",
            "points": "10",
            "actual": "是",
            "target": "",
            "unit": "",
            "veto_cap": "中",
        },
    ]
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=rows)
    result = evaluated(path)
    assert (result.score.total, result.score.grade) == (Decimal("79.5"), "中")
    assert result.score.grade_note == ""
    assert float(result.tables["robust_spread"][0]["max"]) > 80
    assert probability(result, "良") == 0
    assert "一票否决已发生，等级最高为“中”。" in told(result)
    assert [row["grade"] for row in result.tables["robust_flips"]] == ["差"]
    assert [row["named"] for row in result.tables["robust_cuts"]] == ["本次得分79.50分"]


def test_experts_marks_are_drawn_again_and_said_to_be(demo):
    assert varied(demo)["D201"] == "权重、专家打分"
    assert "在权重、专家打分和测量值的设定变动下" in told(demo)
    named = {row["name"]: row["value"] for row in demo.tables["robust_settings"]}
    assert named["专家打分"] == "重抽"


def test_what_the_grade_hangs_on_is_that_whose_loss_changes_it(demo):
    card, floor = demo.score, 80
    for row in demo.tables["robust_indicators"]:
        score = next(i for i in card.indicators if i.code == row["code"])
        left = card.total - score.score
        assert row["zero"] == f"{left:.2f}（{'良' if left >= floor else '中'}）"
        assert row["full"].startswith(f"{left + score.points:.2f}（")
    shares = [Decimal(row["share"].rstrip("%")) for row in demo.tables["robust_indicators"]]
    assert shares == sorted(shares, reverse=True)
    assert abs(sum(shares) - 100) < 2  # each rounded to a tenth


def test_the_draws_of_all_grades_and_the_bars_of_the_figure_are_all_draws(demo):
    rows = demo.tables["robust_grades"]
    assert [row["grade"] for row in rows] == ["优", "良", "中", "差"]
    assert sum(int(row["draws"]) for row in rows) == 10000
    assert abs(sum(Decimal(r["share"]) for r in demo.tables["robust_totals"]) - 100) < 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([FIXED, MEASURED | {"actual": ""}], "有指标待补充，还没有总分和等级，未作稳健性分析。"),
        ([FIXED, MEASURED | {"points": "30"}], "分值合计不是满分，还没有等级，未作稳健性分析。"),
    ],
)
def test_a_draft_without_a_grade_says_why_and_does_not_fail(rows, said, tmp_path):
    result = support.evaluate(support.workbook(tmp_path / "数据底稿.xlsx", indicators=rows), "初稿")
    assert result.tables["robust_findings"] == [{"about": "等级", "text": said}]
    empty = [name for name in TABLES if name not in {"findings", "settings"}]
    assert not any(result.tables[f"robust_{name}"] for name in empty)
    assert all(p.code in {"gap", "points.sum"} or p.severity != "error" for p in result.problems)


def test_equal_inputs_give_equal_bytes_and_another_seed_other_draws(tmp_path):
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=[FIXED, MEASURED])
    first, again, other = evaluated(path), evaluated(path), evaluated(path, seed=Decimal(2))
    assert first.model_dump_json() == again.model_dump_json()
    assert first.tables["robust_spread"] != other.tables["robust_spread"]


# --- where it stands ----------------------------------------------------------------------------


def test_the_notebook_has_the_section_and_shows_its_tables(demo):
    book = json.loads((support.ROOT / "notebooks" / "project_evaluation.ipynb").read_text("utf-8"))
    text = ["".join(cell["source"]) for cell in book["cells"]]
    at = next(n for n, source in enumerate(text) if source.startswith("## 六、得分和等级的稳健性"))
    shown = re.findall(r'"(\w+)"', text[at + 1])
    assert shown == ["findings", "grades", "indicators", "flips", "settings"]
    for name in shown:
        frame = frames.table(demo, f"robust_{name}")
        assert len(frame) == len(demo.tables[f"robust_{name}"]) > 0
        assert not frame.isna().to_numpy().any()


def test_the_working_papers_have_its_page(demo, tmp_path):
    book = openpyxl.load_workbook(papers.write_papers(demo, tmp_path / "底稿.xlsx"))
    cells = [str(c.value) for row in book["稳健性"].iter_rows() for c in row if c.value is not None]
    assert cells[0] == "得分和等级的稳健性"
    for row in demo.tables["robust_findings"]:
        assert row["text"] in cells
    for name in ("grades", "indicators", "settings"):
        for row in demo.tables[f"robust_{name}"]:
            assert next(iter(row.values())) in cells


def test_the_working_papers_of_a_draft_say_why_there_is_none(tmp_path):
    rows = [FIXED, MEASURED | {"actual": ""}]
    result = support.evaluate(support.workbook(tmp_path / "数据底稿.xlsx", indicators=rows))
    book = openpyxl.load_workbook(papers.write_papers(result, tmp_path / "底稿.xlsx"))
    cells = [str(c.value) for row in book["稳健性"].iter_rows() for c in row if c.value is not None]
    assert "有指标待补充，还没有总分和等级，未作稳健性分析。" in cells


def test_the_review_copy_says_it_and_nothing_that_leaves_the_firm_does(tmp_path):
    report = rendered("sanitation", tmp_path, figures=True)
    result = result_of(report)
    copy = review_copy(report, result, tmp_path / "复核版.docx")
    notes = [
        note.text for note in Document(str(copy)).comments if "等级保持“良”的概率为" in note.text
    ]
    assert len(notes) == 1 and notes[0].startswith("总分：")
    final = final_copy(report, result, tmp_path / "终稿.docx")
    public = public_copy(report, result, tmp_path / "公开版.docx", *CONSENTS)
    for path in (report, final, public):
        for name, blob in parts(path).items():
            said = MACHINERY.search(
                blob.decode("utf-8", "ignore") if not name.endswith("png") else ""
            )
            assert not said, f"{path.name} {name}: {said}"


def test_the_figure_is_drawn_but_no_picture_of_the_report(tmp_path):
    report = rendered("sanitation", tmp_path, figures=True)
    data = support.load(support.DEMO / "sanitation" / "数据底稿.xlsx", "终稿", out=str(tmp_path))
    drawn = evaluation.draw(data, result_of(report))
    with zipfile.ZipFile(report) as package:
        pictures = {package.read(n) for n in package.namelist() if n.startswith("word/media/")}
    mine = {name: path.read_bytes() in pictures for name, path in drawn.items()}
    assert mine.pop("robust_totals") is False
    assert mine and all(mine.values())


def test_a_report_is_verified_as_if_there_were_no_simulation(tmp_path):
    """No alarm because of it, and no figure of the report is excused by a simulated one."""
    report = rendered("sanitation", tmp_path)
    result = result_of(report)
    bare = {k: v for k, v in result.tables.items() if not k.startswith("robust_")}
    without = result.model_copy(update={"tables": bare})
    document = Document(str(report))
    spoken = next(p for p in document.paragraphs if p.text.startswith("经综合评价"))
    share = next(r["share"] for r in result.tables["robust_indicators"] if r["share"] != "0.0%")
    spoken.add_run(f"满意度为{share}。")
    document.save(tmp_path / "改动.docx")
    for path in (report, tmp_path / "改动.docx"):
        assert check_report(path, result) == check_report(path, without)
    said = [p.what for p in check_report(tmp_path / "改动.docx", result)]
    assert any(share in what for what in said)


# --- the settings -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    return support.workbook(folder / "数据底稿.xlsx", indicators=[FIXED, MEASURED])


def test_the_settings_are_policy_with_source_and_are_explained_in_plain_words(small):
    rows = {row["name"]: row for row in support.evaluate(small).tables["robust_settings"]}
    assert rows["权重的集中度"]["value"] == "399"
    assert "分值20分的指标，标准差约2.0分" in rows["权重的集中度"]["meaning"]
    assert rows["测量值的最大误差"]["value"] == "±2%"
    assert "按次扣分的次数、日期、是否" in rows["测量值的最大误差"]["meaning"]
    assert rows["抽样次数"]["value"] == "10000"
    assert rows["设定的依据"]["value"] == "国家层面无统一规定，机构设定"


@pytest.mark.parametrize("none", [None, "absent"])
def test_without_a_concentration_the_weights_stay(small, none):
    result = evaluated(small, concentration=None)
    if none == "absent":
        data = support.load(small)
        policy = setting(data.policy)
        parameter = policy.national.values["robustness"]
        del parameter.values[0].value["concentration"]
        result = evaluation.evaluate(replace(data, policy=policy))
    rows = {row["name"]: row for row in result.tables["robust_settings"]}
    assert (rows["权重的集中度"]["value"], rows["权重的集中度"]["meaning"]) == (
        "不变动", "没有设定，权重不变动")  # fmt: skip
    assert varied(result)["C101"] == "不变动"


@pytest.mark.parametrize("tolerance", [None, Decimal(0)])
def test_without_a_tolerance_the_measured_values_stay(small, tolerance):
    result = evaluated(small, tolerance=tolerance)
    rows = {row["name"]: row for row in result.tables["robust_settings"]}
    assert rows["测量值的最大误差"]["value"] == "不变动"
    assert varied(result) == {"C101": "权重", "C102": "权重"}


def test_where_nothing_varies_only_the_smallest_change_is_told(small):
    result = evaluated(small, tolerance=0, concentration=None)
    assert told(result) == "没有设定任何变动，只计算最小改变。"
    assert result.tables["robust_spread"][0]["std"] == "0.00"
    assert told(result, "最小改变").startswith("总分降低0.21分")


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("concentration", Decimal(0), "robust.concentration"),
        ("concentration", Decimal(-5), "robust.concentration"),
        ("concentration", "不变", "robust.concentration"),
        ("concentration", "inf", "robust.concentration"),
        ("tolerance", Decimal(-1), "robust.tolerance"),
        ("tolerance", "2%", "robust.tolerance"),
        ("draws", Decimal(1), "robust.draws"),
        ("draws", Decimal("99.5"), "robust.draws"),
        ("draws", None, "robust.draws"),
        ("seed", Decimal(-1), "robust.draws"),
        ("seed", "一", "robust.draws"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_and_stops_no_draft(small, key, value, code):
    result = evaluated(small, **{key: value})
    (problem,) = [p for p in result.problems if p.code.startswith("robust.")]
    assert (problem.code, problem.file, problem.severity) == (code, "national.yaml", "warning")
    assert told(result) == "设定不能用（见警告与提示），未作稳健性分析。"
    assert result.score.grade == "优"
    assert result.tables["robust_settings"] == []


def test_other_numbers_of_draws_are_possible(small):
    result = evaluated(small, draws=Decimal(400), concentration=Decimal("50.5"))
    assert sum(int(row["draws"]) for row in result.tables["robust_grades"]) == 400
    assert result.tables["robust_settings"][0]["value"] in {"50", "51"}


def test_a_name_from_the_workbook_is_text_and_no_template(tmp_path):
    rows = [FIXED | {"level3": "{{ 7*7 }}<b>率</b>"}, MEASURED]
    result = support.evaluate(support.workbook(tmp_path / "数据底稿.xlsx", indicators=rows))
    assert "C101 {{ 7*7 }}<b>率</b>" in told(result, "最小改变")


def test_a_measure_keeps_its_cells_and_only_the_value_is_replaced(small):
    data = support.load(small)
    indicators = gather(data.source, data.survey)
    before = indicators[1].measure
    outcomes_of(indicators, support.rescore(data.source), data.policy, 2)
    assert indicators[1].measure is before
    assert isinstance(data.source.tables["indicators"][1]["actual"], Datum)


def test_the_module_is_told_of_a_weights_result_only_by_its_spread():
    weights = Result(
        workflow="indicator_weights", code="1", name="权重", stage="终稿", subject={"experts": "3"},
        tables={"points": [{"weight": "0.2000", "spread": ""}, {"weight": "0.8000", "spread": ""}]},
    )  # fmt: skip
    assert robust._disagreement(weights) is None
    assert robust._disagreement(None) is None
