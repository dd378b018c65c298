"""A filed form becomes the beginning of the workbook of its evaluation."""

from __future__ import annotations

from pathlib import Path

import cases
from boards import self_evaluation, to_xlsx, two_level

from evalkit.filed.forms import read_forms
from evalkit.filed.prefill import prefill
from evalkit.workbook.blank import write_blank
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema


def prefilled(tmp_path: Path, board):
    (source,) = read_forms(to_xlsx(tmp_path / "自评表.xlsx", board))
    schema = load_schema("project_evaluation")
    return read(write_blank(tmp_path / "数据底稿.xlsx", schema, prefill(source)), schema)


def test_project_targets_and_self_scores_are_filled_in(tmp_path):
    book = prefilled(tmp_path, two_level(cases.YONGDE))
    assert book.forms["project"]["name"].value == "义务教育营养改善计划专项资金"
    assert book.forms["project"]["year"].value == 2022
    first = book.tables["indicators"][0]
    assert (first["level1"].value, first["level2"].value) == ("产出", "数量指标")
    assert (first["target"].value, first["target"].bound, first["unit"].value) == (735, "≥", "人次")
    assert first["rule"].value is None and first["kind"].value == "定量"
    codes = [row["code"].value for row in book.tables["indicators"]]
    assert codes == ["A101", "A201", "A301", "A401", "B101", "B201", "B301", "C101", "C102"]
    own = book.tables["self"]
    assert [(row["indicator"].value, row["score"].value) for row in own][2] == ("A301", 7)
    assert sum(row["score"].value for row in own) == 86
    assert book.forms["texts"]["general_target"].value == "改善学生营养"


def test_the_lines_of_the_money_are_taken_and_not_their_total(tmp_path):
    book = prefilled(tmp_path, self_evaluation(cases.TANGXI))
    (line,) = book.tables["funds"]
    assert (line["budget"].value, line["spent"].value) == (899_740, 899_740)
    assert line["source"].value is None  # the form does not say whose money it is
    texts = [row["target"].value for row in book.tables["indicators"]]
    assert texts[2] == "严格执行相关制度规定"
