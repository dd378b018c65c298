"""The demo survey, whole: export and tally to tables, report, summary; blank, batch, bytes."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from docx import Document
from openpyxl import load_workbook
from openxml_audit import OpenXmlValidator
from satisfaction_support import LEVELS, deliver, run, task, texts, value
from support import DEMO
from typer.testing import CliRunner

from evalkit.batch.run import run_batch
from evalkit.cli import app
from evalkit.core import result_file
from evalkit.core.numbers import fixed
from evalkit.ooxml import package
from evalkit.verify.report import check_report
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema
from evalkit.workflows import satisfaction_survey as survey

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))
import survey as demo

FOLDER = DEMO / "survey"
TASK = FOLDER / "调查任务.xlsx"


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    out = tmp_path_factory.mktemp("满意度")
    return out, deliver(TASK, out, "送审稿", figures=True)


@pytest.fixture(scope="module")
def result(delivered):
    return result_file.load(delivered[0] / result_file.FILE_NAME)[0]


@pytest.fixture(scope="module")
def report(delivered):
    return texts(delivered[1]["满意度调查报告"])


def test_the_demo_is_what_its_script_makes(tmp_path):
    demo.build(tmp_path)
    for path in FOLDER.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_the_demo_asks_readers_of_the_demo_library():
    theirs = load_workbook(DEMO / "library" / "数据底稿.xlsx")
    known = {cell.value for sheet in theirs for row in sheet.iter_rows() for cell in row}
    assert {demo.SPEC["project"][name] for name in ("name", "unit", "department")} <= known


def test_online_and_paper_make_one_sample(result):
    modes = {row["mode"]: row for row in result.tables["sample"]}
    assert {m: (r["sent"], r["returned"], r["valid"]) for m, r in modes.items()} == {
        "线上": ("225", "180", "174"), "纸质": ("70", "64", "60"), "合计": ("295", "244", "234"),
    }  # fmt: skip
    assert sum(int(row["n"]) for row in result.tables["exclusions"]) == 10
    assert sum(int(row["n"]) for row in result.tables["groups"]) == 234


def test_every_careless_sheet_is_found_and_decided(result):
    found = {(row["respondent"], row["rule"]) for row in result.tables["flags"]}
    made = {(str(n), "直线作答") for n in demo.SPEC["lines"]}
    made |= {(str(n), "用时过短") for n in demo.SPEC["fast"]}
    made |= {(str(n), rule) for n in demo.SPEC["copies"]
             for rule in ("IP相同", "答案全部相同", "IP和答案都相同")}  # fmt: skip
    made |= {(str(n), "IP相同") for n in demo.SPEC["terminal"][1:]}
    assert made <= found
    assert all(row["decision"] for row in result.tables["flags"])


def test_the_adopted_satisfaction_follows_from_the_printed_counts(result):
    counts = {}
    for row in result.tables["strata_counts"]:
        counts.setdefault(row["question"], []).append(row)
    values = dict(zip(LEVELS, (100, 80, 60, 40, 20), strict=True))
    whole = Decimal(0)
    for row in result.tables["questions"]:
        top = bottom = Decimal(0)
        for part in counts[row["question"]]:
            asked = sum(int(part[level]) for level in (*LEVELS, "不了解"))
            each = Decimal(part["population"]) / asked
            top += each * sum(int(part[level]) * values[level] for level in LEVELS)
            bottom += each * sum(int(part[level]) for level in LEVELS)
        assert fixed(top / bottom) == row["satisfaction"] == fixed(value(row["formula"]))
        whole += Decimal(row["share"]) / 100 * top / bottom
    assert fixed(whole) == str(result.values["survey.satisfaction"])


def test_what_is_adopted_stands_where_an_evaluation_looks_for_it(delivered, result):
    book = load_workbook(delivered[1]["汇总表"])
    sheet = book["采用结果"]
    heads = [cell.value for cell in sheet[2]][:5]
    assert heads == ["口径", "满意度（%）", "下限（%）", "上限（%）", "有效份数"]
    adopted = [cell.value for cell in sheet[3]][:5]
    wanted = [float(result.values[f"survey.{n}"]) for n in ("satisfaction", "low", "high", "valid")]
    assert adopted == ["五级均值", *wanted] and book.sheetnames[0] == "采用结果"
    assert result.subject["survey_mapping"] == "五级均值"
    fields = {"no", "question", "dimension", "share", *LEVELS, "不了解", "n", "satisfaction", "low",
              "high"}  # fmt: skip
    assert fields <= result.tables["questions"][0].keys()
    assert {"group", "n", "satisfaction", "low", "high"} <= result.tables["groups"][0].keys()


def test_the_report_says_what_the_result_holds(delivered, result, report):
    values = {name: fixed(result.values[f"survey.{name}"])
              for name in ("satisfaction", "low", "high", "return_rate", "margin")}  # fmt: skip
    for said in (
        "按“五级均值”口径（从“非常满意”到“非常不满意”依次赋100、80、60、40、20分）计算，"
        f"满意度为{values['satisfaction']}%，95%置信区间为{values['low']}%～{values['high']}%",
        f"发放问卷295份，回收244份，回收率{values['return_rate']}%；有效问卷234份",
        f"实际误差为{values['margin']}个百分点",
        "需要有效问卷213份，计划发放284份",
        "共列出可疑答卷9份，逐份核定后剔除6份，其余保留",
    ):
        assert said in report, said
    for table in ("mappings", "questions", "groups", "open"):
        for row in result.tables[table]:
            assert all(row[name] in report for name in ("satisfaction", "share") if row.get(name))
    alarms = check_report(delivered[1]["满意度调查报告"], result)
    assert [str(p) for p in alarms if p.severity == "error"] == []


def test_a_satisfaction_changed_in_the_report_is_an_alarm(delivered, result, tmp_path):
    document = Document(str(delivered[1]["满意度调查报告"]))
    right = fixed(result.values["survey.satisfaction"])
    for paragraph in document.paragraphs:
        for piece in paragraph.runs:
            piece.text = piece.text.replace(f"{right}%", "99.99%")
    changed = tmp_path / "满意度调查报告.docx"
    document.save(str(changed))
    alarms = [p for p in check_report(changed, result) if p.severity == "error"]
    assert any("99.99%" in str(problem) for problem in alarms)


def test_the_outline_has_its_parts_in_order_and_documents_are_sound(delivered, report):
    order = [
        "调查对象与总体", "抽样方法、样本量与误差", "调查实施", "样本结构", "信度与效度",
        "各题结果", "交叉分析", "开放题归类", "结论与局限",
    ]  # fmt: skip
    found = [line for line in report.split("\n") if line in order]
    assert found == order
    path = delivered[1]["满意度调查报告"]
    assert OpenXmlValidator().validate(path).errors == [] and package.check(path) == []
    assert len(list((delivered[0] / "图").glob("*.png"))) == 3
    assert not {"{{", "{%", "None", "nan"} & set(re.findall(r"\{\{|\{%|None|nan", report))


def test_nothing_of_persons_leaves_the_export(delivered, result, report):
    book = load_workbook(delivered[1]["汇总表"])
    cells = "\n".join(str(c.value) for s in book for row in s.iter_rows() for c in row if c.value)
    stored = (delivered[0] / result_file.FILE_NAME).read_text(encoding="utf-8")
    export = load_workbook(FOLDER / "答卷.xlsx").active
    heads = [cell.value for cell in export[1]]
    secret = {row[heads.index(name)].value for row in export.iter_rows(min_row=2)
              for name in ("来自IP", demo.SPEC["unused"])} - {"(空)"}  # fmt: skip
    secret |= {place.partition("(")[0] for place in secret if "(" in place}
    assert len(secret) > 180
    for text in (report, cells, stored):
        assert not [each for each in secret if each in text]
    assert "13000000000" not in cells and "请回电＊＊＊" in cells


def test_equal_inputs_give_equal_bytes(delivered, tmp_path):
    again = deliver(TASK, tmp_path, "送审稿", figures=True)

    def parts(path: Path) -> dict[str, str]:
        with zipfile.ZipFile(path) as archive:
            return {n: hashlib.sha256(archive.read(n)).hexdigest() for n in archive.namelist()}

    for name in ("满意度调查报告", "汇总表"):
        assert parts(again[name]) == parts(delivered[1][name])
    one, two = (json.loads((folder / "result.json").read_text(encoding="utf-8"))["result"]
                for folder in (delivered[0], tmp_path))  # fmt: skip
    assert one == two


def test_parts_without_answers_are_absent_from_the_report(tmp_path):
    tally = [{"question": "1、您对服务是否满意？", "满意": "40", "一般": "10"}]
    path = task(tmp_path, tally=tally)
    report = texts(deliver(path, tmp_path / "out", figures=True)["满意度调查报告"])
    for title in ("样本结构", "信度与效度", "交叉分析", "开放题归类", "选择题", "答卷核定"):
        assert title not in report.split("\n"), title
    assert "各题结果" in report.split("\n")
    assert sorted(p.name for p in (tmp_path / "out" / "图").iterdir()) == [
        "各题满意度及置信区间.png",
        "各题答案分布.png",
    ]


def test_a_blank_begun_from_an_export_is_filled_in_and_run(tmp_path):
    out = tmp_path / "调查任务.xlsx"
    command = ["new", "satisfaction-survey", "--from", str(FOLDER / "答卷.xlsx"), "-o", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    content = survey.begin(FOLDER / "答卷.xlsx")
    kinds = {row["question"]: row["kind"] for row in content["questions"]}
    assert [kinds[name] for name in demo.SCALE][:7] == ["满意度"] * 7
    assert kinds[demo.SPEC["overall"]] == "总体满意度" and kinds[demo.CHANNELS] == "多选"
    listed = [
        row[1].value for row in load_workbook(out)["题目"].iter_rows(min_row=3) if row[1].value
    ]
    assert listed == list(kinds)
    kinds |= {demo.SPEC["open"]: "开放", demo.SPEC["unused"]: "不统计"}
    paper = ("weighted", "sent_paper", "returned_paper", "valid_paper", "paper_cause")
    filled = {
        "project": {key: text for key, text in demo.SPEC["project"].items() if key not in paper},
        "questions": [{"question": name, "kind": kind} for name, kind in kinds.items()],
    }
    (tmp_path / "答卷.xlsx").write_bytes((FOLDER / "答卷.xlsx").read_bytes())
    draft = run(write_blank(out, load_schema("satisfaction_survey"), filled), "初稿")
    assert draft.values["survey.pending"] >= 9 and draft.values["survey.valid"] == 180


def test_codes_of_an_export_are_listed_for_their_options(tmp_path):
    path = tmp_path / "答卷.csv"
    path.write_text("序号,1、满意吗,2、意见\n1,5,好\n2,3,多开门\n3,5,少排队\n", encoding="utf-8")
    content = survey.begin(path)
    assert content["options"] == [{"question": "1、满意吗", "code": code} for code in ("3", "5")]
    assert [row["kind"] for row in content["questions"]] == ["背景", "开放"]


def test_the_blank_has_every_sheet_and_a_manual():
    done = CliRunner().invoke(app, ["manual", "satisfaction-survey"])
    assert done.exit_code == 0
    for sheet in load_schema("satisfaction_survey").sheets:
        assert sheet.name in done.output


def test_a_batch_runs_it_through_its_notebook_and_again_only_if_answers_changed(tmp_path):
    demo.build(tmp_path / "调查")
    listed = tmp_path / "清单.csv"
    row = "629999-2024-0136,公共图书馆免费开放项目,satisfaction_survey,调查/调查任务.xlsx,送审稿"
    listed.write_text(f"code,name,notebook,workbook,stage\n{row}\n", encoding="utf-8")
    (first,) = run_batch(listed, tmp_path / "out").outcomes
    assert (first.status, first.failure) == ("完成", None)
    assert first.file("满意度调查报告.docx") and first.file("汇总表.xlsx")
    assert first.read_back().result.values["survey.valid"] == 234
    assert run_batch(listed, tmp_path / "out").outcomes[0].status == "未变化"


def test_the_list_of_the_demos_names_it():
    text = (DEMO / "science.csv").read_text(encoding="utf-8-sig")
    assert (
        "629999-2024-0136,公共图书馆免费开放项目,satisfaction_survey,survey/调查任务.xlsx," in text
    )
