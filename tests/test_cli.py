"""The command line as people use it: words, exit codes, files."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from unittest import mock

import openpyxl
import pytest
import support
from docx import Document

from evalkit import cli
from evalkit.ooxml import bind


def process(*arguments: str, cwd=support.ROOT, code: int = 0) -> str:
    """What the command says in a process of its own, as people start it."""
    command = [sys.executable, "-m", "evalkit.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def evalkit(*arguments: str, cwd=support.ROOT, code: int = 0) -> str:
    """The same without a new process; every command is also called in one of its own below."""
    said = io.StringIO()
    argv = mock.patch.object(sys, "argv", ["evalkit", *map(str, arguments)])
    ended = pytest.raises(SystemExit)
    with ended as left, argv, chdir(cwd), redirect_stdout(said), redirect_stderr(said):
        cli.main()
    assert (left.value.code or 0) == code, said.getvalue()
    return said.getvalue()


def test_help_is_chinese_and_lists_the_commands():
    text = process("--help")
    assert "项目清单" in text
    names = "batch run check new freeze init lab verify comments copy template"
    assert all(name in text for name in names.split())


def test_check_validates_the_demo_list_without_running(tmp_path):
    text = process("check", "params/demo/projects.csv")
    assert "共 8 个项目，0 个有错误" in text


def test_check_names_each_fault_with_its_cell(tmp_path):
    support.workbook(tmp_path / "a.xlsx", indicators=[{"points": "90"}])
    (tmp_path / "list.csv").write_text(
        "code,name,notebook,workbook,stage\nTEST-001,测试项目,project_evaluation,a.xlsx,终稿\n",
        encoding="utf-8",
    )
    text = evalkit("check", tmp_path / "list.csv", code=1)
    assert "各指标分值合计为 90，应为 100" in text


@pytest.mark.parametrize("command", ["check", "batch"])
def test_a_list_that_is_none_exits_with_two(tmp_path, command):
    (tmp_path / "list.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert "个问题" in process(command, tmp_path / "list.csv", code=2)
    assert "个问题" in evalkit(command, tmp_path / "none.csv", code=2)


def test_a_wrong_call_exits_with_two():
    evalkit("batch", code=2)
    process("run", "x.xlsx", "--stage", "定稿", code=2)


def test_new_prefills_the_framework_and_never_overwrites(tmp_path):
    path = tmp_path / "数据底稿.xlsx"
    process("new", "project-evaluation", "--out", path)
    page = openpyxl.load_workbook(path)["指标"]
    names = {cell.value for row in page.iter_rows() for cell in row}
    assert {"立项依据充分性", "成本节约率"} <= names
    assert "已存在" in evalkit("new", "project-evaluation", "--out", path, code=2)


def test_init_lays_out_a_working_folder_and_keeps_what_is_there(tmp_path):
    folder = tmp_path / "机构"
    process("init", folder)
    mine = folder / "templates" / "project_evaluation.md"
    mine.write_text("我的提纲", encoding="utf-8")
    text = evalkit("init", folder)
    assert "写入 0 个文件" in text
    assert mine.read_text(encoding="utf-8") == "我的提纲"
    assert (folder / "notebooks" / "project_evaluation.ipynb").is_file()


def test_run_makes_a_report_in_a_working_folder(tmp_path):
    folder = tmp_path / "机构"
    evalkit("init", folder)
    demo = "params/demo/library/数据底稿.xlsx"
    evalkit("run", demo, "--stage", "初稿", cwd=folder)
    assert list((folder / "outputs").rglob("评价报告.docx"))
    refused = process("run", demo, "--stage", "终稿", cwd=folder, code=1)
    assert "待补充" in refused


def test_freeze_then_change_asks_for_a_reason(tmp_path):
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=[{}])
    process("freeze", path, "--approver", "某县财政局", "--date", "2025-04-10")
    frozen = json.loads((tmp_path / "指标体系_审定.json").read_text(encoding="utf-8"))
    assert frozen["approver"] == "某县财政局"
    support.workbook(path, indicators=[{"target": "90%"}])
    result = support.evaluate(path, "初稿")
    assert [(c["indicator"], c["field"]) for c in result.tables["changes"]] == [("C101", "目标值")]
    again = evalkit("freeze", path, "--approver", "某", "--date", "2025-13-10", code=2)
    assert "日期" in again


def test_equal_inputs_give_equal_results_in_any_folder(tmp_path):
    from evalkit.workflows import project_evaluation as evaluation

    def made(name):
        here = tmp_path / name
        shutil.copytree(support.DEMO / "library", here / "in")
        data = support.load(here / "in" / "数据底稿.xlsx", out=str(here / "out"))
        result = evaluation.evaluate(data)
        evaluation.deliver(data, result, evaluation.draw(data, result))
        written = json.loads((here / "out" / "result.json").read_text(encoding="utf-8"))
        files = {
            path.name: path.read_bytes()
            for path in (here / "out").rglob("*")
            if path.is_file() and path.name != "result.json"
        }
        return json.dumps(written["result"], ensure_ascii=False), files

    first, second = made("甲"), made("a b")
    assert first[0] == second[0]
    assert first[1].keys() == second[1].keys()
    assert [name for name in first[1] if first[1][name] != second[1][name]] == []


# --- a report's life after it was rendered ------------------------------------------------------


def _run(work, stage="初稿"):
    process("run", "数据底稿.xlsx", "--out", "成果", "--stage", stage, cwd=work)
    return next((work / "成果").rglob("评价报告.docx"))


def _typed_over(report, path="score.total", text="60.00"):
    """Someone types over a bound number."""
    document = Document(str(report))
    item = next(f for f in bind.fields(document.element.body) if f.path == path)
    item.put(text)
    document.save(str(report))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("工作")
    shutil.copytree(support.DEMO / "sanitation", folder, dirs_exist_ok=True)
    _run(folder)
    return folder


@pytest.fixture
def report(work, tmp_path):
    shutil.copytree(work, tmp_path / "项目")
    return next((tmp_path / "项目" / "成果").rglob("评价报告.docx"))


def test_verify_is_silent_on_what_the_kit_wrote_and_alarmed_by_a_changed_score(report):
    assert "没有发现问题" in process("verify", report)
    _typed_over(report)
    said = evalkit("verify", report, code=1)
    assert "60.00" in said
    found = json.loads((report.parent / "checks.json").read_text(encoding="utf-8"))["problems"]
    assert any(p["code"] == "verify.field" and "60.00" in p["what"] for p in found)
    report.write_bytes(b"nothing")
    assert "评价报告.docx" in evalkit("verify", report, code=2)


def test_a_second_run_puts_a_typed_number_back_says_so_and_keeps_the_file_before(report):
    document = Document(str(report))
    document.add_paragraph("评价组补充说明：资料已归档。")
    document.save(str(report))
    _typed_over(report)
    before = report.read_bytes()
    evalkit("run", "数据底稿.xlsx", "--out", "成果", cwd=report.parents[2])
    found = json.loads((report.parent / "conflicts.json").read_text(encoding="utf-8"))
    (changed,) = found["conflicts"]
    assert (changed["kind"], changed["path"], changed["now"]) == ("number", "score.total", "60.00")
    document = Document(str(report))
    assert document.paragraphs[-1].text == "评价组补充说明：资料已归档。"
    shown = {f.text for f in bind.fields(document.element.body) if f.path == "score.total"}
    assert shown == {changed["new"]}
    assert before in [p.read_bytes() for p in report.parent.glob("*人工修改*.docx")]


def test_copies_are_made_and_a_draft_is_no_final(report):
    assert "复核版" in process("copy", report, "--review")
    assert Document(str(report.with_name("评价报告_复核版.docx"))).comments
    assert "终稿" in evalkit("copy", report, "--final", code=2)
    assert not report.with_name("评价报告_终稿.docx").exists()


def test_a_final_is_handed_over_only_when_every_opinion_is_answered(work, tmp_path):
    folder = tmp_path / "项目"
    shutil.copytree(work, folder, ignore=shutil.ignore_patterns("成果"))
    report = _run(folder, "终稿")
    document = Document(str(report))
    said = next(p for p in reversed(document.paragraphs) if p.runs and p.text)
    document.add_comment(said.runs, "请补充依据", author="示例县财政局")
    document.save(str(report))
    process("comments", report)
    table = report.with_name("意见采纳情况表.xlsx")
    refused = evalkit("copy", report, "--final", code=2)
    assert "意见采纳情况表.xlsx" in refused
    final = ("run", "数据底稿.xlsx", "--out", "成果", "--stage", "终稿")
    assert "意见采纳情况表.xlsx" in evalkit(*final, cwd=folder, code=1)
    book = openpyxl.load_workbook(table)
    sheet = book["意见采纳情况"]
    places = {str(c.value).rstrip("*△ "): c for row in sheet["A1:Z9"] for c in row if c.value}
    row = next(c.row for c in sheet[places["意见"].column_letter] if c.value == "请补充依据")
    for name, text in (("是否采纳", "采纳"), ("核实情况", "已核实"), ("修改位置", "第五节")):
        sheet.cell(row, places[name].column, text)
    book.save(table)
    assert "终稿" in evalkit("copy", report, "--final")
    final = report.with_name("评价报告_终稿.docx")
    document = Document(str(final))
    assert not [f for f in bind.document_fields(document) if f.path]
    assert not bind.properties(document)
    assert not list(document.comments)


def test_a_sound_template_is_sound_and_a_broken_one_is_told_where(tmp_path):
    assert "没有问题" in process("template", "check")
    document = Document(str(support.ROOT / "templates" / "project_evaluation.docx"))
    document.add_paragraph("总分{{ score.totle }}分")
    document.save(str(tmp_path / "本机构.docx"))
    said = evalkit("template", "check", tmp_path / "本机构.docx", code=1)
    assert "score.totle" in said
    assert "score.total" in said
