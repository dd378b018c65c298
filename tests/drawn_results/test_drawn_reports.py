"""A whole evaluation with points and satisfaction drawn: report, copies, working papers, batch."""

from __future__ import annotations

import json
import re
from pathlib import Path

import drawn_support as drawn
import openpyxl
import pytest
import support
import test_traces
from docx import Document

from evalkit.batch.outcome import Job
from evalkit.batch.run import inputs_of
from evalkit.core import result_file
from evalkit.core.model import Result
from evalkit.engine.notebook import notebook_parameters
from evalkit.review.copies import review_copy
from evalkit.verify.report import check_report
from evalkit.workflows import project_evaluation as evaluation

MACHINERY = re.compile(r"汇总表\.xlsx|权重与分值!|采用结果!|result\.json|文件夹")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run; 输入 holds the workbook and the results it draws from."""
    folder = tmp_path_factory.mktemp("drawn")
    path = drawn.demo_drawn("sanitation", folder / "输入")
    data = support.load(path, "终稿", out=str(folder))
    result = evaluation.evaluate(data)
    evaluation.deliver(data, result, evaluation.draw(data, result))
    return folder


@pytest.fixture(scope="module")
def result(made: Path) -> Result:
    return result_file.load(made / "result.json")[0]


def text(path: Path) -> list[str]:
    return [p.text for p in Document(str(path)).paragraphs]


def test_the_report_says_where_points_and_satisfaction_come_from(made):
    said = "\n".join(text(made / "评价报告.docx"))
    assert f"各项指标的权重和分值采用{drawn.METHOD}确定，7位专家参与；" in said
    assert "问卷调查时间为2025年5月6日至5月20日。调查方式：入户问卷。" in said
    assert "发放问卷210份，回收196份，回收率93.33%；有效问卷182份，有效率92.86%。" in said
    assert (
        "满意度按“五级均值”口径（从“非常满意”到“非常不满意”依次赋100、80、60、40、20分）计算"
        in said
    )
    assert "总体满意度为83.87%，区间估计为81.47%至86.27%（置信水平95%）。" in said


def test_the_report_shows_the_questions_and_groups_of_the_survey(made):
    tables = [
        [[cell.text for cell in row.cells] for row in table.rows]
        for table in Document(str(made / "评价报告.docx")).tables
    ]
    questions = next(t for t in tables if t[0][0] == "问题")
    assert questions[1] == [
        "1、您对路面保洁是否满意", "90", "60", "20", "6", "4", "2", "180", "85.11%"]  # fmt: skip
    groups = next(t for t in tables if t[0][0] == "调查对象")
    assert groups[1:] == [["城区居民", "130", "84.50%"], ["沿街商户", "52", "82.10%"]]


def test_the_report_shows_no_cell_and_no_file(made):
    lines = text(made / "评价报告.docx")
    assert not [line for line in lines if MACHINERY.search(line)]


def test_without_a_weights_result_the_report_says_nothing_of_a_method(tmp_path):
    data = support.load(support.DEMO / "sanitation" / "数据底稿.xlsx", "终稿", out=str(tmp_path))
    evaluation.deliver(data, evaluation.evaluate(data), {})
    said = "\n".join(text(tmp_path / "评价报告.docx"))
    assert "构成，总分100分；各级指标、分值和评分标准见" in said and "区间估计" not in said


def test_the_report_raises_no_alarm_but_of_what_was_left_out(made, result):
    run = json.loads((made / "result.json").read_text("utf-8"))["run"]
    found = check_report(made / "评价报告.docx", result, run["report"])
    assert {p.code for p in found if p.severity == "error"} <= {"verify.placeholder"}


def test_the_review_copy_names_the_cells_in_the_other_files(made, result, tmp_path):
    copy = review_copy(made / "评价报告.docx", result, tmp_path / "复核版.docx")
    notes = "\n".join(note.text for note in Document(str(copy)).comments)
    assert "满意度 83.87%（[满意度/汇总表.xlsx]采用结果!B3）" in notes
    assert "满意度口径 五级均值（[满意度/汇总表.xlsx]采用结果!A3）" in notes
    assert "分值 8（[权重/汇总表.xlsx]权重与分值!F14）" in notes


def test_the_working_papers_name_them_too(made):
    book = openpyxl.load_workbook(made / "底稿.xlsx")
    cells = {str(c.value) for row in book["D201"].iter_rows() for c in row}
    assert {"[满意度/汇总表.xlsx]采用结果!B3", "[权重/汇总表.xlsx]权重与分值!F25"} <= cells


def test_opening_every_named_cell_gives_its_input(made, result):
    folder = made / "输入"
    book = openpyxl.load_workbook(folder / "数据底稿.xlsx", data_only=True)
    entries = {e for i in result.score.indicators for e in i.trace.inputs}
    assert sum(e.cell.startswith("[") for e in entries) == len(result.score.indicators) + 2
    assert [e for e in entries if not test_traces._holds(book, e, folder)] == []


def test_the_record_of_the_run_names_every_file_that_was_read(made):
    run = json.loads((made / "result.json").read_text("utf-8"))["run"]
    drawn_from = {f"{folder}/{name}" for folder in ("权重", "满意度")
                  for name in ("result.json", "汇总表.xlsx")}  # fmt: skip
    assert drawn_from | {"数据底稿.xlsx"} <= set(run["inputs"])


# --- batch ---------------------------------------------------------------------------------------


def _job(workbook: Path) -> Job:
    notebook = support.ROOT / "notebooks" / "project_evaluation.ipynb"
    known = tuple(notebook_parameters(notebook))
    return Job(1, "1", "项目", notebook, workbook, "一", {}, known)


def _again(folder: Path) -> dict[str, str]:
    return inputs_of(_job(folder / "数据底稿.xlsx"), {})


def test_a_batch_runs_again_what_draws_from_a_result_that_changed(tmp_path):
    drawn.demo_drawn("library", tmp_path)
    first = _again(tmp_path)
    assert _again(tmp_path) == first
    (tmp_path / "满意度" / "调查报告.docx").write_bytes(b"a report that somebody edits")
    (tmp_path / "权重" / "~$汇总表.xlsx").write_bytes(b"open in Excel")
    assert _again(tmp_path) == first
    drawn.survey(tmp_path / "满意度", values={"satisfaction": "83.88"})
    second = _again(tmp_path)
    assert {key for key in first if first[key] != second[key]} == {"filed"}
    (tmp_path / "权重" / "汇总表.xlsx").unlink()
    assert _again(tmp_path)["filed"] not in {first["filed"], second["filed"]}
