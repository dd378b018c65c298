"""The 数据底稿 that a cost standard leaves behind: the next evaluation takes it over and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest
import support
from cost_support import SLUGS, result
from support import SOAK

from evalkit.core.model import Result
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

FORM = {
    "项目编码": "P-1", "评价年度": 2026, "评价方式": "财政评价", "评价期限": "年度评价",
    "报告日期": "2027-06-30", "满意度口径": "五级均值",
}  # fmt: skip


def columns(sheet: Any) -> tuple[int, dict[str, int]]:
    """The row of the headings of a table, and their columns."""
    head = next(row for row in sheet.iter_rows(max_row=4) if row[0].value == "序号")
    return head[0].row, {str(c.value).rstrip("* "): c.column for c in head if c.value}


def evaluated(path: Path, folder: Path, worse: str = "") -> Result:
    """The evaluation after an evaluator filled in what only he can know; all targets are met.

    The actual value of the indicator `worse` is half its target.
    """
    book = openpyxl.load_workbook(path)
    for label, value in book["项目信息"].iter_rows(max_col=2):
        name = str(label.value).rstrip("* ")
        if name in FORM:
            value.value = FORM[name]
    first, place = columns(book["指标"])
    said = {"一票否决": "否", "是否达标": "是", "按次扣分": 0, "满意度得分": None}
    for row in book["指标"].iter_rows(min_row=first + 1):
        at = {name: row[number - 1] for name, number in place.items()}
        if not (rule := at["计分规则"].value):
            continue
        target = str(at["目标值"].value).lstrip("≥≤")
        half = f"{float(target.rstrip('%')) / 2}%" if at["编号"].value == worse else target
        at["实际完成值"].value = said.get(rule, half)
    survey = book["问卷"]
    first, place = columns(survey)
    asked, other = place["对象类别"] + 1, place["对象类别"] + 2
    survey.cell(first, asked).value, survey.cell(first, other).value = "您是否满意", None
    for n in range(1, 31):
        answer = {1: n, place["问卷编号"]: f"{n:03}", asked: "非常满意"}
        for column, value in answer.items():
            survey.cell(first + 1 + n, column).value = value
    filled = folder / "数据底稿.xlsx"
    book.save(filled)
    return support.evaluate(filled)


def test_the_workbook_is_read_with_nothing_missing_but_what_the_evaluator_must_fill(
    slug, delivered
):
    source = read(delivered(slug)["绩效评价数据底稿"], load_schema("project_evaluation"))
    assert {(p.code, p.sheet) for p in source.problems} <= {
        ("required.always", "项目信息"), ("required.final", "项目信息"), ("required.final", "文字"),
    }  # fmt: skip
    found = result(slug)
    project = source.forms["project"]
    assert (project["name"].text, project["unit"].text) == (found.name, found.subject["unit"])
    rows = {row["code"].text: row for row in source.tables["indicators"]}
    assert list(rows) == [target["code"] for target in found.tables["targets"]]
    rules = {row["target"]: row for row in found.tables["evaluations"]}
    for target in found.tables["targets"]:
        row = rows[target["code"]]
        assert (row["target"].raw, row["level3"].text) == (target["value"], target["level3"])
        assert row["rule"].text == rules[target["code"]]["rule"]
        assert str(row["points"].number) == rules[target["code"]]["points"]
        assert row["standard"].text == rules[target["code"]]["standard"]
        assert found.name in row["basis_document"].text
    assert sum(row["points"].number for row in rows.values()) == 100


@pytest.mark.parametrize("slug", SLUGS if SOAK else ["sanitation", "substitute_teacher"])
def test_indicators_score_when_the_actual_values_are_filled_in(slug, delivered, tmp_path):
    found = evaluated(delivered(slug)["绩效评价数据底稿"], tmp_path)
    assert (found.score.points, found.score.total) == (100, 100)
    assert not [i.code for i in found.score.indicators if i.gap]


def test_a_target_that_was_missed_costs_its_share(delivered, tmp_path):
    found = evaluated(delivered("rural_road")["绩效评价数据底稿"], tmp_path, worse="C101")
    (missed,) = (i for i in found.score.indicators if i.score != i.points)
    assert missed.code == "C101"
    assert missed.score == missed.points / 2
    assert found.score.total == 100 - missed.points / 2
