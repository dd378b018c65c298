"""The command line as people use it: words, exit codes, files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import openpyxl
import pytest
import support


def evalkit(*arguments: str, cwd=support.ROOT, code: int = 0) -> str:
    command = [sys.executable, "-m", "evalkit.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_help_is_chinese_and_lists_the_commands():
    text = evalkit("--help")
    assert "项目清单" in text
    assert all(name in text for name in ("batch", "run", "check", "new", "freeze", "init", "lab"))


def test_check_validates_the_demo_list_without_running(tmp_path):
    text = evalkit("check", "params/demo/projects.csv")
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
    assert "个问题" in evalkit(command, tmp_path / "list.csv", code=2)
    assert "个问题" in evalkit(command, tmp_path / "none.csv", code=2)


def test_a_wrong_call_exits_with_two():
    evalkit("batch", code=2)
    evalkit("run", "x.xlsx", "--stage", "定稿", code=2)


def test_new_prefills_the_framework_and_never_overwrites(tmp_path):
    path = tmp_path / "数据底稿.xlsx"
    evalkit("new", "project-evaluation", "--out", path)
    page = openpyxl.load_workbook(path)["指标"]
    names = {cell.value for row in page.iter_rows() for cell in row}
    assert {"立项依据充分性", "成本节约率"} <= names
    assert "已存在" in evalkit("new", "project-evaluation", "--out", path, code=2)


def test_init_lays_out_a_working_folder_and_keeps_what_is_there(tmp_path):
    folder = tmp_path / "机构"
    evalkit("init", folder)
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
    refused = evalkit("run", demo, "--stage", "终稿", cwd=folder, code=1)
    assert "待补充" in refused


def test_freeze_then_change_asks_for_a_reason(tmp_path):
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=[{}])
    evalkit("freeze", path, "--approver", "某县财政局", "--date", "2025-04-10")
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
