"""A whole round: sums, identities, the workbook of the task, and what is written."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from monitoring_demo import build
from monitoring_support import D, filed, given, indicator, lines
from openpyxl import load_workbook

from evalkit.core.problem import EvalkitError
from evalkit.rounds.monitoring import monitor, rate, totals
from evalkit.scoring.rows import add_up
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema
from evalkit.workflows import monitoring as workflow
from evalkit.workflows.task import Task

# --- sums ------------------------------------------------------------------------------------

money = st.one_of(st.just(""), st.integers(0, 10**11).map(lambda fen: D(fen) / 100))
some_lines = st.lists(st.tuples(st.sampled_from("甲乙丙"), money, money), min_size=1, max_size=12)


@hypothesis_given(some_lines)
def test_departments_add_up_to_the_county(told):
    judged = lines(
        filed(budget, spent, code=f"P{n}", department=name)
        for n, (name, budget, spent) in enumerate(told)
    )
    (county,) = add_up(judged, totals, "scope")
    *parts, whole = add_up(judged, totals, "department", whole="合计")
    names = (
        "lines",
        "red",
        "yellow",
        "green",
        "open",
        "counted",
        "budget",
        "spent",
        "outlook",
        "due",
    )
    for name in names:
        assert sum(part[name] or 0 for part in parts) == (county[name] or 0) == (whole[name] or 0)
    assert whole["rate"] == county["rate"] == rate(county["spent"], county["budget"])
    assert [part["department"] for part in parts] == [*dict.fromkeys(name for name, *_ in told)]


@hypothesis_given(some_lines)
def test_every_line_has_one_light(told):
    judged = lines(filed(b, s, code=f"P{n}", unit=name) for n, (name, b, s) in enumerate(told))
    for row in add_up(judged, totals, "unit"):
        assert row["lines"] == row["red"] + row["yellow"] + row["green"] + row["open"]


def test_rates_of_groups_are_sums_divided_and_never_averaged():
    judged = lines([filed(900, 90, code="P1"), filed(100, 90, code="P2"), filed("", 50, code="P3")])
    (row,) = add_up(judged, totals, "scope")
    assert (row["lines"], row["counted"], row["budget"], row["spent"]) == (3, 2, 1000, 180)
    assert (row["rate"], row["deviation"]) == (D("18.00"), D("-32.00"))  # the mean is 50


def test_progress_of_a_group_follows_its_planned_curves():
    sources = [filed(300, 150, code="P1"), filed(100, 10, code="P2", category="教育类")]
    (row,) = add_up(lines(sources, plans={"教育类": D(10)}), totals, "scope")
    assert (row["due"], row["progress"]) == (160, D("40.00"))


def test_what_departments_and_projects_spend_is_not_added():
    judged = lines([filed(100, 50, code="P1"), filed(500, 250, code="ZT", scope="部门整体")])
    assert [(row["scope"], row["budget"]) for row in add_up(judged, totals, "scope")] == [
        ("项目", 100),
        ("部门整体", 500),
    ]


def test_a_line_filed_twice_counts_once():
    sources = [filed(100, 50), filed(100, 60), filed(100, 70, scope="部门整体"),
               *(filed(9, 5, code="", name="办公设备", unit=unit) for unit in "甲乙")]  # fmt: skip
    kept, again = monitor(sources, given())
    assert [line["spent"] for line in kept] == [50, 70, 5, 5]
    assert [(line["spent"], line["first"]) for line in again] == [(60, "P1.xlsx")]


def test_no_lines_give_no_sums():
    assert add_up([], totals, "department", whole="合计") == []


# --- the workbook of the task ----------------------------------------------------------------

FORM = {
    "code": "JK", "name": "某县2026年1—6月", "year": "2026", "months": "6", "county": "某县",
    "client": "某县财政局", "agency": "某公司", "lead_evaluator": "张某", "reviewer": "李某",
    "folder": "填报表", "tasks": "1",
    "reply_by": "2026-08-15", "report_date": "2026-07-31",
}  # fmt: skip
TEXTS = dict.fromkeys(("organisation", "problems", "analysis", "advice", "other"), "略。")


def open_round(
    folder: Path, monkeypatch, sources: Any, stage="初稿", form=None, **sheets: Any
) -> workflow.Data:
    """The task with lines made to order instead of a folder of files."""
    monkeypatch.setattr(Task, "read_filed", lambda opened: list(sources))
    content = {"project": FORM | (form or {}), "texts": TEXTS, **sheets}
    path = write_blank(folder / "监控任务.xlsx", load_schema("monitoring"), content)
    return workflow.load(workflow.Params(workbook=str(path), out=str(folder / "out"), stage=stage))


def said(problems) -> list[str]:
    return [f"{problem.severity} {problem.what}" for problem in problems]


def test_4923_tasks_are_538_departments_4384_projects_and_one_that_was_not_monitored(
    tmp_path, monkeypatch
):
    sources = [filed(200, 100, code=f"P{n}") for n in range(4384)]
    sources += [filed(200, 100, code=f"B{n}", scope="部门整体") for n in range(538)]
    residual = [
        {"scope": "项目", "name": "财政代列项目", "count": "1", "reason": "财政代列，未监控"}
    ]
    data = open_round(
        tmp_path, monkeypatch, sources, "送审稿", {"tasks": "4923"}, residual=residual
    )
    result = workflow.evaluate(data)
    values = {name: int(value) for name, value in result.values.items()}
    assert (values["whole.lines"], values["project.lines"], values["monitor.residual"]) == (
        538,
        4384,
        1,
    )
    assert (values["monitor.tasks"], values["monitor.lines"], values["monitor.unexplained"]) == (
        4923,
        4922,
        0,
    )
    assert not [p for p in result.problems if p.code == "check.residual"]


def test_a_residual_that_nobody_explains_is_shown_in_a_draft_and_refused_later(
    tmp_path, monkeypatch
):
    draft = open_round(tmp_path, monkeypatch, [filed()], form={"tasks": "3"})
    what = "下达3条，已监控1条，未监控说明0条，相差2条"
    assert f"warning {what}" in said(workflow.evaluate(draft).problems)
    strict = open_round(tmp_path, monkeypatch, [filed()], "送审稿", {"tasks": "3"})
    with pytest.raises(EvalkitError, match=what):
        workflow.evaluate(strict)


def test_an_explanation_too_many_is_found_too(tmp_path, monkeypatch):
    residual = [{"scope": "项目", "name": "某", "count": "1", "reason": "财政代列"}]
    data = open_round(tmp_path, monkeypatch, [filed()], residual=residual)
    assert "warning 下达1条，已监控1条，未监控说明1条，相差-1条" in said(
        workflow.evaluate(data).problems
    )


def test_without_the_number_of_tasks_nothing_is_claimed_about_them(tmp_path, monkeypatch):
    result = workflow.evaluate(open_round(tmp_path, monkeypatch, [filed()], form={"tasks": ""}))
    assert "warning 没有填下达任务条数，不能核对是否全部监控" in said(result.problems)
    assert "monitor.residual" not in result.values


def test_entries_of_codes_that_nobody_filed_are_found(tmp_path, monkeypatch):
    entries = {
        "violations": [{"code": "P9", "kind": "其他", "fact": "某"}],
        "decisions": [{"code": "P1", "decision": "调减"}],
        "plans": [{"code": "教育类", "month": "6", "planned": "45"}],
    }
    sources = [filed(code="P1", category="教育类")]
    data = open_round(tmp_path, monkeypatch, sources, **entries)
    problems = [p for p in workflow.evaluate(data).problems if p.code == "check.entry"]
    assert [(p.what, p.sheet, p.cell) for p in problems] == [
        ("编码“P9”不在填报表中", "合规性问题", "B3")
    ]


def test_only_the_plan_of_the_month_is_used(tmp_path, monkeypatch):
    plans = [
        {"code": "P1", "month": month, "planned": planned}
        for month, planned in (("5", "10"), ("6", "20"))
    ]
    data = open_round(tmp_path, monkeypatch, [filed(100, 50)], plans=plans)
    assert data.lines[0]["progress"] == 20


def test_no_month_no_round(tmp_path, monkeypatch):
    with pytest.raises(EvalkitError, match="没有写明监控截止到几月"):
        open_round(tmp_path, monkeypatch, [filed()], form={"months": ""})


def test_a_missing_folder_is_said(tmp_path):
    content = {"project": FORM | {"folder": "没有"}, "texts": TEXTS}
    path = write_blank(tmp_path / "监控任务.xlsx", load_schema("monitoring"), content)
    with pytest.raises(EvalkitError, match="找不到填报表文件夹“没有”"):
        workflow.load(workflow.Params(workbook=str(path)))


def test_an_empty_folder_gives_a_report_that_says_so_and_no_final(tmp_path, monkeypatch):
    result = workflow.evaluate(open_round(tmp_path, monkeypatch, []))
    assert "warning 填报表文件夹里没有读到任何监控数据" in said(result.problems)
    assert result.values["project.lines"] == 0
    with pytest.raises(EvalkitError, match="没有读到任何监控数据"):
        workflow.evaluate(open_round(tmp_path, monkeypatch, [], "终稿"))


def test_parameters_win_over_the_workbook(tmp_path, monkeypatch):
    opened = open_round(tmp_path, monkeypatch, [filed(100, 45, funds={"budget": 90})])
    params = workflow.Params(workbook=str(opened.path), months=10, base="调整后预算数")
    (line,) = workflow.load(params).lines
    assert (line["rate"], line["progress"]) == (D("50.00"), D("83.33"))


# --- the demo --------------------------------------------------------------------------------


@cache
def demo() -> tuple[workflow.Data, Any]:
    data = workflow.load(workflow.Params())
    return data, workflow.evaluate(data)


def test_the_demo_is_what_its_builder_makes(tmp_path):
    build(tmp_path)
    made = workflow.load(workflow.Params(workbook=str(tmp_path / "监控任务.xlsx")))
    drop = ("problems",)
    one, other = (
        [{k: v for k, v in line.items() if k not in drop} for line in d.lines]
        for d in (made, demo()[0])
    )
    assert one == other


def test_the_demo_covers_all_lights_and_formats():
    data, result = demo()
    assert len(data.lines) == 135
    assert {line["light"] for line in data.lines} == {"红", "黄", "绿", "未定"}
    assert {Path(line["file"]).suffix for line in data.lines} == {".xlsx", ".docx", ".xls"}
    assert result.values["monitor.residual"] == 1 and result.values["monitor.unexplained"] == 0
    assert {row["change"] for row in result.tables["changes"]} >= {
        "改善",
        "恶化",
        "持平",
        "本轮新增",
    }
    assert [row["name"] for row in result.tables["gone"]] == ["秸秆综合利用项目"]
    faults = {row["id"] for row in result.tables["findings"]}
    assert faults >= {"over", "less", "rate", "budget", "spent", "compare", "never", "unit", "why"}


def test_report_letters_and_workbook_are_written_and_agree(tmp_path):
    data, result = demo()
    moved = workflow.Data(**{**vars(data), "params": workflow.Params(out=str(tmp_path))})
    files = workflow.deliver(moved, result, workflow.draw(moved, result))
    assert [str(p) for p in workflow.checks(files) if p.severity == "error"] == []
    text = "\n".join(p.text for p in Document(files["监控报告"]).paragraphs)
    assert "下达监控任务136条，未监控1条" in text and "灯号界限国家层面没有统一规定" in text
    book = load_workbook(files["汇总表"])
    assert book["监控明细"].max_row == 2 + 135
    assert {"分部门项目支出", "未监控", "核对发现", "与上轮比较"} <= {*book.sheetnames}
    warned = {
        row["unit"]
        for row in result.tables["lines"]
        if row["light"] in ("红", "黄") and row["unit"]
    }
    letters = {path.stem: path for path in (tmp_path / "函件").iterdir()}
    assert letters.keys() == {f"监控提醒函（{unit}）" for unit in warned}
    for unit in sorted(warned)[:3]:
        letter = Document(letters[f"监控提醒函（{unit}）"])
        mine = [
            r for r in result.tables["lines"] if r["unit"] == unit and r["light"] in ("红", "黄")
        ]
        told = "\n".join(p.text for p in letter.paragraphs)
        assert all(
            f"{row['name']}（{row['light']}灯）" in told and row["reasons"] in told for row in mine
        )
        assert "2025年12月5日前书面回复示例县财政局" in told
        assert [row.cells[0].text for row in letter.tables[0].rows][1:] == [
            row["name"] for row in mine
        ]


def test_equal_inputs_give_equal_results():
    again = workflow.evaluate(workflow.load(workflow.Params()))
    assert again.model_dump_json() == demo()[1].model_dump_json()


def test_money_is_printed_exactly():
    result = demo()[1]
    whole = result.tables["project_departments"][-1]
    assert whole["department"] == "合计"
    budgets = [
        D(row["budget"])
        for row in result.tables["lines"]
        if row["scope"] == "项目" and "—" not in (row["budget"], row["spent"])
    ]
    assert D(whole["budget"]) == sum(budgets) == result.values["project.budget"] / 10000


def test_hostile_words_of_a_form_are_only_words(tmp_path, monkeypatch):
    evil = "=1+1{{ 7*7 }}{% for %}"
    sources = [
        filed(
            100,
            10,
            indicator(cause=evil),
            code="P1",
            name=evil,
            unit="../甲:单位",
            department="=cmd",
        )
    ]
    data = open_round(tmp_path, monkeypatch, sources)
    result = workflow.evaluate(data)
    files = workflow.deliver(data, result, {})
    (letter,) = (tmp_path / "out" / "函件").iterdir()
    assert evil in "\n".join(p.text for p in Document(letter).paragraphs)
    cell = load_workbook(files["汇总表"])["监控明细"]["C3"]
    assert (cell.value, cell.data_type) == (evil, "s")
    assert (
        json.loads(files["结果"].read_text(encoding="utf-8"))["result"]["tables"]["lines"][0][
            "name"
        ]
        == evil
    )
    shutil.rmtree(tmp_path / "out")
