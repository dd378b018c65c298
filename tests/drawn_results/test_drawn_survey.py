"""Satisfaction drawn from a survey result: adopted, traced, told in the report."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import drawn_support as drawn
import openpyxl
import pytest
import support
import test_traces

from evalkit.report.drawn import fill_from
from evalkit.report.evaluation import report_context
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

ROW = {
    "points": "100",
    "rule": "满意度得分",
    "measure": "问卷满意度",
    "target": "≥90%",
    "actual": "",
}
PLACE = "[满意度/汇总表.xlsx]采用结果!"


def book(folder: Path, survey=None, **form: str) -> Path:
    """A workbook whose satisfaction is drawn; what tells of the survey is left blank."""
    form = {"survey_mapping": "", "survey_from": "满意度", **form}
    more = {"survey": survey} if survey else {}
    return support.workbook(folder / "数据底稿.xlsx", indicators=[ROW], project=form, **more)


def drawing(path: Path, stage: str = "初稿") -> dict[str, str]:
    """What is said of drawing."""
    found = fill_from(read(path, load_schema("project_evaluation")), stage, []).problems
    return {p.code.removeprefix("check.drawn."): f"{p.severity} {p}" for p in found}


def test_the_adopted_satisfaction_is_the_measure_and_is_scored(tmp_path):
    """100 × 83.87 ÷ 90 = 93.19."""
    drawn.survey(tmp_path / "满意度")
    (score,) = support.evaluate(book(tmp_path)).score.indicators
    assert score.score == Decimal("93.19")
    assert score.trace.formula == "ROUND(100*MAX(0,MIN(1,83.87/90)),2)"
    assert score.actual == "83.87%"
    assert drawing(tmp_path / "数据底稿.xlsx") == {}


def test_it_is_printed_with_two_decimals_everywhere(tmp_path):
    drawn.survey(tmp_path / "满意度", values={"satisfaction": "84"})
    (score,) = support.evaluate(book(tmp_path)).score.indicators
    assert score.actual == "84.00%" and "84.00%" in score.trace.measured


def test_it_is_traced_to_the_adopted_cell_and_opening_it_gives_it(tmp_path):
    drawn.survey(tmp_path / "满意度")
    path = book(tmp_path)
    (score,) = support.evaluate(path).score.indicators
    cells = {e.name: e for e in score.trace.inputs}
    assert (cells["满意度"].cell, cells["满意度"].value) == (f"{PLACE}B3", "83.87")
    assert (cells["满意度口径"].cell, cells["满意度口径"].of) == (f"{PLACE}A3", "setting")
    workbook = openpyxl.load_workbook(path, data_only=True)
    assert all(test_traces._holds(workbook, e, tmp_path) for e in score.trace.inputs)
    wrong = cells["满意度"].model_copy(update={"value": "83.88"})
    assert not test_traces._holds(workbook, wrong, tmp_path)


def test_the_figures_of_the_survey_are_those_of_its_result(tmp_path):
    """Returned 196 of 210: 93.33 %; valid 182 of 196: 92.86 %."""
    drawn.survey(tmp_path / "满意度")
    values = support.evaluate(book(tmp_path)).values
    wanted = drawn.VALUES | {"return_rate": "93.33", "valid_rate": "92.86"}
    assert {k: str(values[f"survey.{k}"]) for k in wanted} == wanted


def test_questions_and_groups_of_the_report_are_those_of_the_survey(tmp_path):
    drawn.survey(tmp_path / "满意度")
    result = support.evaluate(book(tmp_path))
    for row, theirs in zip(result.tables["survey_questions"], drawn.QUESTIONS, strict=True):
        assert row["question"] == theirs["question"] and row["valid"] == theirs["n"]
        assert [row[o] for o in drawn.OPTIONS] == [theirs[o] for o in drawn.OPTIONS]
        assert row["satisfaction"] == f"{theirs['satisfaction']}%"
    assert result.tables["survey_groups"] == [
        {"group": g["group"], "valid": g["n"], "satisfaction": f"{g['satisfaction']}%"}
        for g in drawn.GROUPS
    ]
    subject = result.subject
    assert subject["survey_mapping"] == "五级均值"
    assert subject["survey_period"] == "2025年5月6日至5月20日"
    assert subject["survey_method"] == "入户问卷"


@pytest.mark.parametrize("name", ["五级均值", "百分赋值", "递减赋值", "前两级占比", "前三级占比"])
def test_every_mapping_that_the_policy_has_can_be_adopted(name, tmp_path):
    """Of the same answers, 50 满意, 30 一般, 20 不满意; by hand."""
    wanted = {"五级均值": 66, "百分赋值": 57.5, "递减赋值": 64, "前两级占比": 50, "前三级占比": 80}
    drawn.survey(tmp_path / "满意度", subject={"survey_mapping": name})
    assert drawing(book(tmp_path, survey_mapping=name)) == {}
    said = ["满意"] * 50 + ["一般"] * 30 + ["不满意"] * 20
    rows = [{"no": str(n), "服务": answer} for n, answer in enumerate(said)]
    path = support.workbook(
        tmp_path / "问卷.xlsx", indicators=[ROW], survey=rows, project={"survey_mapping": name}
    )
    data = support.load(path)
    assert not [p for p in data.problems if "口径" in p.what]
    assert float(data.survey.measure.term.value) == wanted[name]


def test_a_mapping_or_a_count_that_differs_is_an_error_that_names_both_cells(tmp_path):
    drawn.survey(tmp_path / "满意度")
    said = drawing(book(tmp_path, survey_mapping="百分赋值"))["differs"]
    assert said.startswith("error 项目信息｜B") and f"（{PLACE}A3）" in said
    assert "填写的是“百分赋值”，结果中是“五级均值”" in said
    said = drawing(book(tmp_path, survey_sent="300"))["differs"]
    assert "填写的是“300”，结果中是“210”" in said


def test_what_agrees_and_words_of_the_forms_own_stand(tmp_path):
    drawn.survey(tmp_path / "满意度")
    form = {"survey_mapping": "五级均值", "survey_sent": "210", "survey_period": "2025年5月"}
    path = book(tmp_path, **form)
    assert drawing(path) == {}
    assert support.evaluate(path).subject["survey_period"] == "2025年5月"


def test_answers_in_the_workbook_and_a_survey_result_are_too_much(tmp_path):
    drawn.survey(tmp_path / "满意度")
    rows = [{"no": "1", "您对保洁是否满意": "满意"}]
    said = drawing(book(tmp_path, rows))["both"]
    assert said.startswith("error 项目信息｜B")
    assert "“问卷”表有1份答卷，又填写了满意度结果文件夹“满意度”" in said
    (score,) = support.evaluate(book(tmp_path, rows)).score.indicators
    assert score.actual == "83.87%"


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"code": "OTHER-9"}, "code", "项目编码是“OTHER-9”，本项目是“TEST-001”"),
        ({"subject": {"year": "2023"}}, "year", "年度是“2023”，评价年度是“2024”"),
    ],
)
def test_a_survey_of_another_project_or_year_is_a_warning(more, kind, words, tmp_path):
    drawn.survey(tmp_path / "满意度", **more)
    said = drawing(book(tmp_path), "终稿")
    assert list(said) == [kind] and said[kind].startswith("warning") and words in said[kind]


def test_a_survey_still_in_draft_is_a_warning_under_a_final_report(tmp_path):
    drawn.survey(tmp_path / "满意度", stage="初稿")
    assert drawing(book(tmp_path)) == {}
    assert "文件夹“满意度”中的结果还是初稿" in drawing(tmp_path / "数据底稿.xlsx", "终稿")["stage"]


def test_weights_where_a_survey_should_be_are_refused(tmp_path):
    drawn.weights(tmp_path / "满意度", {"C101": "100"})
    said = drawing(book(tmp_path))
    assert list(said) == ["business"] and "满意度结果文件夹应为满意度调查的结果" in said["business"]


def test_a_survey_without_a_satisfaction_leaves_a_gap(tmp_path):
    drawn.survey(tmp_path / "满意度", values={"satisfaction": None, "low": None, "high": None})
    result = support.evaluate(book(tmp_path))
    (score,) = result.score.indicators
    assert (score.score, score.gap) == (None, "满意度待补充")
    assert "survey.satisfaction" not in result.values


def test_a_survey_that_counts_nobody_sent_leaves_it_to_the_form(tmp_path):
    drawn.survey(tmp_path / "满意度", values={"sent": None, "returned": None, "population": None})
    values = support.evaluate(book(tmp_path, survey_sent="205")).values
    assert values["survey.sent"] == 205 and "survey.returned" not in values


def test_a_question_that_nobody_answered_is_printed_without_satisfaction(tmp_path):
    folder = drawn.survey(tmp_path / "满意度")
    path = folder / "result.json"
    path.write_text(path.read_text("utf-8").replace('"85.11"', '""'), encoding="utf-8")
    rows = support.evaluate(book(tmp_path)).tables["survey_questions"]
    assert [row["satisfaction"] for row in rows] == ["", "82.00%"]


# --- how sure it is ------------------------------------------------------------------------------


def test_half_the_interval_is_the_error_of_the_satisfaction(tmp_path):
    """(86.27 - 81.47) ÷ 2 = 2.40 points, so scores of 100 × (83.87 ± 2.40) ÷ 90."""
    drawn.survey(tmp_path / "满意度")
    data = support.load(book(tmp_path))
    result = support.evaluation.evaluate(data)
    rows = {row["name"]: row["value"] for row in result.tables["robust_settings"]}
    assert rows["满意度的最大误差"] == "±2.40个百分点"
    spread = result.tables["robust_spread"][0]
    assert float(spread["min"]) == pytest.approx(100 * 81.47 / 90, abs=0.02)
    assert float(spread["max"]) == pytest.approx(100 * 86.27 / 90, abs=0.02)


def test_without_an_interval_the_tolerance_of_the_policy_holds(tmp_path):
    drawn.survey(tmp_path / "满意度", values={"low": None, "high": None})
    result = support.evaluate(book(tmp_path))
    assert "满意度的最大误差" not in {row["name"] for row in result.tables["robust_settings"]}
    least = float(result.tables["robust_spread"][0]["min"])
    assert least == pytest.approx(100 * 83.87 * 0.98 / 90, abs=0.02)
    context, _ = report_context(result, {}, tmp_path, "gbt9704")
    assert not context["has"]["survey_low"]
