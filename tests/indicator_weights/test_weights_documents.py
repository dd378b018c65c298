"""The demo whole: prefilled workbook, memo, summary workbook, notebook, equal bytes."""

from __future__ import annotations

import csv
import re
import shutil
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from docx import Document
from openpyxl import load_workbook
from openxml_audit import OpenXmlValidator
from support import DEMO, ROOT
from test_weights_published import OBJECTS, TREE, tree_pairs
from typer.testing import CliRunner
from weights_support import FORM, load, marks, numbers, people, put, run, write

from evalkit.batch.run import run_batch
from evalkit.cli import app
from evalkit.core import result_file
from evalkit.core.store import sha256
from evalkit.indicators import frameworks
from evalkit.ooxml import package
from evalkit.report.sheets import read_book
from evalkit.template import build
from evalkit.workbook.blank import write_blank
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema
from evalkit.workflows import indicator_weights as weighing

SPEC = yaml.safe_load((ROOT / "tests/demo/weights.yaml").read_text(encoding="utf-8"))


def deliver(workbook: Path, out: Path, **more: str):
    data = weighing.load(weighing.Params(workbook=str(workbook), out=str(out), **more))
    result = weighing.evaluate(data)
    return result, weighing.deliver(data, result, weighing.draw(data, result))


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return out, *deliver(DEMO / "weights" / "权重任务.xlsx", out, stage="终稿")


def words(path: Path) -> str:
    document = Document(str(path))
    cells = (c.text for table in document.tables for row in table.rows for c in row.cells)
    return "\n".join([*(p.text for p in document.paragraphs), *cells])


def test_the_demo_is_in_order_in_its_final_stage(demo):
    _, result, files = demo
    told = [problem.code for problem in weighing.checks(files)]
    assert told == ["check.W5", "check.W11", "opinion.table"]
    assert sum(Decimal(row["points"]) for row in result.tables["points"]) == 100
    assert all(Decimal(row["points"]) > 0 for row in result.tables["points"])
    assert result.values["weights.outcome"] >= 60
    assert [row["name"] for row in result.tables["mends"]] == [SPEC["muddled"]["who"]]
    rounds = [row for row in result.tables["agreement"] if row["source"].startswith("专家打分")]
    assert Decimal(rounds[0]["w"]) < Decimal(rounds[1]["w"])  # opinions converge


def test_points_are_kept_as_others_read_them(demo):
    out, result, files = demo
    rows = result_file.load(out / "result.json")[0].tables["points"]
    keys = ["code", "level1", "level2", "level3", "weight", "points", "spread"]
    assert all(set(keys) <= row.keys() for row in rows)
    assert all(re.fullmatch(r"0\.\d{4}", row["weight"]) for row in rows)
    assert all(re.fullmatch(r"0\.\d{4}", row["spread"]) for row in rows)
    page = load_workbook(files["汇总表"])["权重与分值"]
    assert [page.cell(2, n).value for n in range(1, 7)] == [
        "编号", "一级指标", "二级指标", "三级指标", "权重", "分值",
    ]  # fmt: skip
    for number, row in enumerate(rows, 3):
        assert [page.cell(number, 1).value, page.cell(number, 4).value] == [
            row["code"],
            row["level3"],
        ]
        assert page.cell(number, 6).value == float(row["points"])
    assert result.subject["method"] == "层次分析法与专家打分法线性组合"
    assert result.subject["experts"] == "7"
    library = read(DEMO / "library" / "数据底稿.xlsx", load_schema("project_evaluation"))
    mine = {row["code"]: row["level3"] for row in rows}
    assert {r["code"].text: r["level3"].text for r in library.tables["indicators"]} == mine


def test_the_memo_says_what_the_result_says(demo):
    _, result, files = demo
    text = words(files["指标权重说明"])
    for row in result.tables["levels"]:
        assert f"{row['level1']}权重{row['weight']}，分值{row['points']}分" in text
    for row in result.tables["points"]:
        assert {row["weight"], row["w:层次分析法"], row["w:专家打分法"]} <= set(text.split("\n"))
    (mend,) = result.tables["mends"]
    assert f"CR＝{mend['cr']}" in text and "判断值没有改动" in text
    for said in ("财金〔2020〕13号", "效力以现行规定为准", "财预〔2020〕10号", "采用7位专家的意见"):
        assert said in text
    matrix = [row for row in result.tables["matrices"] if row["parent"] == "总目标"]
    cells = set(text.split("\n"))
    assert {v for row in matrix for k, v in row.items() if k[:2] in ("a:", "s:")} <= cells
    (goal,) = (row for row in result.tables["groups"] if row["parent"] == "总目标")
    assert {goal["c:λmax"], goal["c:CI"], goal["c:RI"], goal["c:CR"]} <= cells
    assert goal["formula"] in text
    assert "熵权法" not in text and "CRITIC" not in text  # not in play
    assert "待补充" not in text and "示例数据" in text


def test_the_memo_is_a_sound_document_without_cover_and_contents(demo):
    _, _, files = demo
    path = files["指标权重说明"]
    assert OpenXmlValidator().validate(path).errors == []
    assert not [p for p in package.check(path) if p.severity == "error"]
    document = Document(str(path))
    assert [p.text for p in document.paragraphs[:2]] == [SPEC["project"]["name"], "指标权重说明"]
    assert not any(p.text == "声　明" or "TOC" in p._p.xml for p in document.paragraphs)
    assert {s.orientation for s in document.sections} == {0, 1}


def test_parts_without_data_are_absent(tmp_path):
    rows = marks("一", [row["code"] for row in TREE], 甲="8 4 6 2")
    task = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲"), marks=rows)
    result, files = deliver(task, tmp_path / "out")
    text = words(files["指标权重说明"])
    for heading in ("判断矩阵与一致性", "客观赋权", "附件3", "各方法的权重按"):
        assert heading not in text
    assert "专家打分与意见一致程度" in text and "最大余额法" in text
    assert load_workbook(files["汇总表"]).sheetnames == [
        "权重与分值",
        "一级指标",
        "二级指标",
        "专家打分",
    ]
    assert not [p for p in weighing.checks(files) if p.severity == "error"]
    assert result.subject["method"] == "专家打分法"


def test_data_and_single_priorities_are_told_in_the_memo(tmp_path):
    form = {"entropy": "比重", "critic": "是", "aggregation": "权重算术平均", "level1_step": "5"}
    said = tree_pairs({"甲": "3 1 4"}, {"乙": "2 1 3"})
    task = write(tmp_path / "a.xlsx", form, indicators=TREE, objects=OBJECTS, pairs=said,
                 experts=people("甲", "乙"))  # fmt: skip
    result, files = deliver(task, tmp_path / "out")
    text = words(files["指标权重说明"])
    for told in ("熵权法：指标的熵e", "CRITIC法：数据化为", "再按权重算术平均集结并归一",
                 "以5分为单位", "不反映指标本身的重要程度", "各方法的比重相同"):  # fmt: skip
        assert told in text, told
    assert "按几何平均集结" not in text
    assert {row["weight"] for row in result.tables["entropy"]} <= set(text.split("\n"))
    head = [cell.value for cell in load_workbook(files["汇总表"])["判断矩阵"][2]]
    assert head == ["上级", "指标", "甲", "乙", "w"]


def test_equal_inputs_give_equal_bytes(demo, tmp_path):
    out, _, files = demo
    _, again = deliver(DEMO / "weights" / "权重任务.xlsx", tmp_path, stage="终稿")
    one, two = (result_file.load(folder / "result.json")[0] for folder in (out, tmp_path))
    assert one == two
    for kind in ("指标权重说明", "汇总表"):
        assert sha256(files[kind]) == sha256(again[kind])
    for picture in (out / "图").iterdir():
        assert picture.read_bytes() == (tmp_path / "图" / picture.name).read_bytes()


def test_the_demo_is_what_its_script_builds(tmp_path):
    sys.path.insert(0, str(ROOT / "tests" / "demo"))
    import weights as demo_of_weights

    written = demo_of_weights.build(tmp_path)
    assert len(written) == 8
    for path in written:
        kept = DEMO / "weights" / path.relative_to(tmp_path)
        assert path.read_bytes() == kept.read_bytes(), path.name
    assert {p.name for p in (DEMO / "weights").rglob("*.xlsx")} == {p.name for p in written}


def test_a_task_is_begun_from_a_project_sent_out_filled_and_run(tmp_path):
    task = tmp_path / "权重任务.xlsx"
    call = ["new", "indicator-weights", "--from", str(DEMO / "library" / "数据底稿.xlsx")]
    done = CliRunner().invoke(app, [*call, "--out", str(task)])
    assert done.exit_code == 0, done.output
    begun = read(task, load_schema("indicator_weights"))
    assert len(begun.tables["indicators"]) == len(begun.tables["marks"]) == 25
    asked = begun.tables["pairs"]
    assert len(asked) == 39 and asked[0]["parent"].text == "总目标"
    assert not any(row["parent"].text == "产出/产出时效" for row in asked)  # a group of one
    assert begun.forms["project"]["name"].text == "公共图书馆免费开放项目"
    assert begun.forms["project"]["code"].text == ""
    for cell, value in {"B3": "QZ-9", "B13": "2025-03-01"}.items():
        put(task, "任务信息", cell, value)
    book = load_workbook(task)
    sheet = book["两两比较"]
    column = next(c.column for row in sheet.iter_rows() for c in row if c.value == "专家姓名")
    head = next(c.row for row in sheet.iter_rows() for c in row if c.value == "专家姓名")
    sheet.cell(head, column).value = "甲"
    for row in range(head + 1, head + 40):
        sheet.cell(row, column).value = "1"
    people_ = book["专家"]
    top = next(c.row for row in people_.iter_rows() for c in row if c.value == "姓名*")
    people_.cell(top + 2, 2).value = "甲"
    book.save(task)
    result = run(task)
    assert numbers(result)[:2] == pytest.approx([1 / 4 / 3 / 2] * 2, abs=1e-4)
    assert result.tables["groups"][0]["cr"] == "0.0000"


def test_a_task_is_begun_from_a_framework_or_from_nothing(tmp_path):
    done = CliRunner().invoke(app, ["new", "indicator-weights", "--out", str(tmp_path / "a.xlsx")])
    assert done.exit_code == 0, done.output
    begun = read(tmp_path / "a.xlsx", load_schema("indicator_weights"))
    assert len(begun.tables["indicators"]) == len(frameworks.load("mof_2020_10").indicators)
    call = ["new", "indicator-weights", "--framework", "none", "--out", str(tmp_path / "b.xlsx")]
    assert CliRunner().invoke(app, call).exit_code == 0
    assert read(tmp_path / "b.xlsx", load_schema("indicator_weights")).tables["pairs"] == []


def test_a_group_too_large_for_pairs_is_said_when_a_task_is_begun(tmp_path):
    rows = [
        {"code": f"A{n:02}", "level1": "产出", "level2": "数量", "level3": f"项{n}"}
        for n in range(16)
    ]
    project = {"code": "1", "name": "某项目"}
    path = write_blank(tmp_path / "底稿.xlsx", load_schema("project_evaluation"),
                       {"project": project, "indicators": rows})  # fmt: skip
    call = ["new", "indicator-weights", "--from", str(path), "--out", str(tmp_path / "a.xlsx")]
    done = CliRunner().invoke(app, call)
    assert "“产出/数量”下有 16 项，超过 15 项" in done.output


def test_the_demo_list_runs_through_its_notebook(tmp_path):
    with (DEMO / "science.csv").open(encoding="utf-8-sig") as stream:
        row = next(r for r in csv.DictReader(stream) if r["notebook"] == "indicator_weights")
    folder = tmp_path / "任务"
    shutil.copytree(DEMO / "weights", folder)
    listed = tmp_path / "清单.csv"
    listed.write_text(
        f"code,name,notebook,workbook,stage\n{row['code']},{row['name']},indicator_weights,"
        f"任务/权重任务.xlsx,{row['stage']}\n", encoding="utf-8",
    )  # fmt: skip
    (outcome,) = run_batch(listed, tmp_path / "out").outcomes
    assert (outcome.status, outcome.failure) == ("完成", None)
    assert outcome.file("指标权重说明.docx") and outcome.file("汇总表.xlsx")
    page = (outcome.folder / "indicator_weights.html").read_text(encoding="utf-8")
    assert page.count("<table") > 8 and "data:image/png" in page
    assert run_batch(listed, tmp_path / "out").outcomes[0].status == "未变化"
    (folder / "专家问卷" / "07吴某某.xlsx").unlink()
    again = run_batch(listed, tmp_path / "out").outcomes[0]
    assert again.status == "失败"  # a final stage does not do without an expert
    assert "吴某某" in str(again.failure)


def test_open_columns_follow_the_rows_and_vanish_without_them(tmp_path):
    pages = read_book("indicator_weights")["pages"]
    assert ["", "a:", 12, "number"] in pages["判断矩阵"]["columns"]
    rows = marks("一", [row["code"] for row in TREE], 甲="8 4 6 2")
    task = write(tmp_path / "a.xlsx", FORM, indicators=TREE, experts=people("甲"), marks=rows,
                 pairs=tree_pairs({"甲": "3 1 4"}))  # fmt: skip
    result, files = deliver(task, tmp_path / "out")
    head = [cell.value for cell in load_workbook(files["汇总表"])["权重与分值"][2]]
    assert head[9:11] == ["层次分析法", "专家打分法"]
    assert len(load(task).answers) == 1 and result.tables["points"][0]["w:层次分析法"] == "0.3000"


def test_an_outline_without_cover_is_all_body(tmp_path):
    style = build.load_style(ROOT / "params" / "styles" / "gbt9704.yaml")
    body = tmp_path / "短文.md"
    body.write_text(":: 无封面\n[Title] 题目\n# 一节\n正文。\n", encoding="utf-8")
    path = build.build(style, body, tmp_path / "短文.docx", ROOT / "templates" / "base.docx")
    assert [p.text for p in Document(str(path)).paragraphs if p.text] == ["题目", "一节", "正文。"]
    body.write_text("[Title] 题目\n", encoding="utf-8")
    with pytest.raises(Exception, match="应有且只有一行“:: 正文”"):
        build.build(style, body, tmp_path / "短文.docx", ROOT / "templates" / "base.docx")
