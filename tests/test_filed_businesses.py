"""The businesses on filed forms, whole: from the demo's folder to report, letters and summary."""

import csv
import json
import shutil
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from docx import Document
from openpyxl import load_workbook
from openxml_audit import OpenXmlValidator
from support import DEMO
from typer.testing import CliRunner

from evalkit.batch.run import run_batch
from evalkit.cli import app
from evalkit.core import result_file
from evalkit.ooxml import package
from evalkit.workflows import task

with (DEMO / "filed.csv").open(encoding="utf-8-sig") as stream:
    LISTED = [row["notebook"] for row in csv.DictReader(stream)]


def run(name: str, out: Path, **more: Any) -> dict[str, Path]:
    business = import_module(f"evalkit.workflows.{name}")
    data = business.load(business.Params(out=str(out), **more))
    result = business.evaluate(data)
    return business.deliver(data, result, business.draw(data, result))


@pytest.fixture(scope="module", params=LISTED)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp(request.param)
    return request.param, out, run(request.param, out)


def copied(name: str, folder: Path) -> Path:
    """The demo task of a business and all that lies beside it, to be changed."""
    workbook = Path(import_module(f"evalkit.workflows.{name}").Params().workbook)
    shutil.copytree(DEMO / workbook.parent.name, folder, dirs_exist_ok=True)
    return folder / workbook.name


def test_every_document_is_sound(ran):
    _, out, files = ran
    documents = [*out.glob("*.docx"), *(out / task.LETTERS).glob("*.docx")]
    assert len(documents) > 5
    for path in documents[:4]:
        assert OpenXmlValidator().validate(path).errors == []
    assert [problem for path in documents for problem in package.check(path)] == []
    assert not [p for p in task.checks(files) if p.severity == "error"]


def test_what_is_sent_carries_no_template_marks_and_no_place_of_this_machine(ran):
    _, out, _ = ran
    for path in (out / task.LETTERS).glob("*.docx"):
        document = Document(str(path))
        text = "\n".join(p.text for p in document.paragraphs)
        text += "\n".join(c.text for t in document.tables for r in t.rows for c in r.cells)
        assert text.strip()
        assert not any(mark in text for mark in ("{{", "{%", "None", "Decimal", str(out.parent)))


def test_the_summary_workbook_shows_the_tables_of_the_result(ran):
    _, out, files = ran
    result, run_record = result_file.load(out / result_file.FILE_NAME)
    book = load_workbook(files["汇总表"])
    assert len(book.sheetnames) > 2
    cells = {
        str(cell.value)
        for sheet in book.worksheets
        for row in sheet.iter_rows()
        for cell in row
        if cell.value is not None
    }
    form = "lines" if result.workflow == "monitoring" else "forms"
    assert {row["name"] for row in result.tables[form]} <= cells
    assert len(run_record["inputs"]) > 3  # the task and what was filed
    assert all(len(digest) == 64 for digest in run_record["inputs"].values())


def test_equal_inputs_give_an_equal_result(ran, tmp_path):
    name, out, _ = ran
    run(name, tmp_path)
    one, two = (
        json.loads((folder / "result.json").read_text(encoding="utf-8"))["result"]
        for folder in (out, tmp_path)
    )
    assert one == two


def test_a_letter_that_people_changed_is_kept_aside(tmp_path):
    first = run("target_review", tmp_path)
    letter = next((tmp_path / task.LETTERS).glob("*.docx"))
    document = Document(str(letter))
    document.add_paragraph("手写的一句话")
    document.save(str(letter))
    run("target_review", tmp_path)
    kept = [p for p in letter.parent.glob("*.docx") if "人工修改" in p.name]
    assert len(kept) == 1
    assert any(p.text == "手写的一句话" for p in Document(str(kept[0])).paragraphs)
    assert first["结果"].is_file()


def test_a_report_that_people_changed_is_refreshed_in_place(tmp_path):
    path = run("monitoring", tmp_path)["监控报告"]
    document = Document(str(path))
    body = next(p for p in document.paragraphs if p.style.name == "Body Text" and len(p.text) > 60)
    body.insert_paragraph_before("手写。")
    document.save(str(path))
    run("monitoring", tmp_path, months=10)
    assert any(p.text == "手写。" for p in Document(str(path)).paragraphs)


@pytest.mark.parametrize("folder", ["", "/", ".", "..", "没有这个文件夹"])
def test_a_folder_that_is_none_or_too_much_is_refused(tmp_path, folder):
    workbook = copied("target_review", tmp_path / "任务")
    book = load_workbook(workbook)
    sheet = book["任务信息"]
    row = next(r for r in sheet.iter_rows() if str(r[0].value).startswith("填报表文件夹"))
    row[1].value = folder or None
    book.save(workbook)
    with pytest.raises(Exception, match="填报表文件夹"):
        run("target_review", tmp_path / "out", workbook=str(workbook))


def test_a_batch_runs_them_and_again_only_what_changed(tmp_path):
    workbook = copied("target_review", tmp_path / "审核")
    listed = tmp_path / "清单.csv"
    row = "SH-2026-001,某县2026年度预算,target_review"
    listed.write_text(
        f"code,name,notebook,workbook\n{row},审核/{workbook.name}\n", encoding="utf-8"
    )
    out = tmp_path / "out"
    (first,) = run_batch(listed, out).outcomes
    assert (first.status, first.failure) == ("完成", None)
    forms = len(first.read_back().result.tables["forms"])
    assert first.file("审核报告.docx") and first.file("汇总表.xlsx")
    assert (out / "summary.xlsx").is_file()
    assert quote("审核报告.docx") in (out / "index.html").read_text(encoding="utf-8")
    assert run_batch(listed, out).outcomes[0].status == "未变化"
    form = next((tmp_path / "审核" / "申报表").rglob("*.xlsx"))
    form.unlink()
    again = run_batch(listed, out).outcomes[0]
    assert again.status == "完成"
    assert len(again.read_back().result.tables["forms"]) < forms


def test_the_demo_list_runs_through_its_notebooks(tmp_path):
    outcomes = run_batch(DEMO / "filed.csv", tmp_path).outcomes
    assert [(o.status, o.failure) for o in outcomes] == [("完成", None)] * len(LISTED)
    for outcome in outcomes:
        notebook = (outcome.folder / f"{outcome.job.notebook.stem}.html").read_text(
            encoding="utf-8"
        )
        assert notebook.count("<table") > 3
        assert "data:image/png" in notebook


def test_a_workbook_of_evaluation_is_begun_from_a_filed_form(tmp_path):
    form = next((DEMO / "self_evaluation").rglob("营养改善计划.xlsx"))
    out = tmp_path / "数据底稿.xlsx"
    done = CliRunner().invoke(
        app, ["new", "project-evaluation", "--from", str(form), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    from evalkit.workflows import project_evaluation as evaluation

    data = evaluation.load(evaluation.Params(workbook=str(out), out=str(tmp_path / "out")))
    rows = data.source.tables
    assert data.form["name"].text == "义务教育营养改善计划专项资金"
    assert [row["spent"].number for row in rows["funds"]] == [Decimal("387664.62")]
    claims = {row["name"].text: row["score"].number for row in rows["self"]}
    assert (claims["资金到位及时率"], claims["政策知晓率"]) == (7, 9)
    targets = {row["level3"].text: row["target"] for row in rows["indicators"]}
    assert (targets["学生受资助人数"].bound, targets["学生受资助人数"].number) == ("≥", 735)


def test_a_file_with_several_projects_asks_which_one_is_meant(tmp_path):
    export = next((DEMO / "self_evaluation").rglob("一体化系统导出.xlsx"))
    call = ["new", "project-evaluation", "--from", str(export), "--out", str(tmp_path / "a.xlsx")]
    with pytest.raises(Exception, match="敬老院运行"):
        CliRunner().invoke(app, call, catch_exceptions=False)
    done = CliRunner().invoke(app, [*call, "--project", "敬老院运行"])
    assert done.exit_code == 0
    assert (tmp_path / "a.xlsx").is_file()


def test_the_report_compares_what_the_unit_scored_with_what_was_found(tmp_path):
    from evalkit.workflows import project_evaluation as evaluation

    data = evaluation.load(evaluation.Params(out=str(tmp_path)))
    result = evaluation.evaluate(data)
    row = next(r for r in result.tables["self"] if r["indicator"] == "C201")
    score = next(i for i in result.score.indicators if i.code == "C201")
    assert (row["level3"], row["points"], row["own_rate"]) == (score.level3, "10", "100.00%")
    assert row["rate"] == f"{score.rate}%"
    assert float(row["gap"]) == pytest.approx(100 - float(score.rate))
    path = evaluation.deliver(data, result, {})["评价报告"]
    tables = [t for t in Document(str(path)).tables if "自评完成值" in t.rows[0].cells[1].text]
    assert len(tables) == 1
    assert len(tables[0].rows) == len(result.tables["self"]) + 1
