from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from batch_support import FILES, indicator

from evalkit.batch.jobs import Job
from evalkit.batch.outcome import Outcome
from evalkit.batch.results import PAGES, computed_total, write_index, write_summary
from evalkit.core import result_file, store
from evalkit.core.model import Adjustment
from evalkit.core.problem import Problem
from evalkit.engine.notebook import Failure

HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "http://example.test/x", "{=1}"]


def sheet(path: Path, name: str) -> list[dict[str, object]]:
    lines = list(openpyxl.load_workbook(path)[name].iter_rows(min_row=2, values_only=True))
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


@pytest.fixture
def adjusted(make_outcome):
    change = Adjustment(
        indicator="B101",
        computed=Decimal(9),
        adjusted=Decimal("7.5"),
        reason="凭证不全",
        basis="抽查记录",
        approver="李某",
        dated="2025年6月1日",
    )
    lowered = indicator(score=Decimal("7.5"), adjustment=change)
    return make_outcome(
        "001",
        "甲项目",
        unit="某县甲中心",
        indicators=[indicator("资金使用合规性"), lowered],
        subject={"year": "2024"},
        values={
            "funds.budget": Decimal("7473000"),
            "funds.spent": Decimal("7312600"),
            "funds.budget_execution_rate": Decimal("97.85"),
        },
        tables={"issues": [{"no": "W01", "title": "台账不全", "amount": "12.50", "lost": "1.50"}]},
        problems=[
            Problem(what="执行率偏低", severity="warning"),
            Problem(what="说明", severity="note"),
        ],
    )


def test_the_total_is_shown_before_and_after_adjustment(adjusted, tmp_path):
    assert computed_total(adjusted.result) == Decimal("18.0")
    path = write_summary(tmp_path / "summary.xlsx", [adjusted], [])
    (line,) = sheet(path, "汇总")
    assert line["总分"] == 16.5
    assert line["调分前总分"] == 18
    assert line["得分率（%）"] == 82.5
    assert line["过程得分"] == 16.5
    assert (line["全年预算（万元）"], line["支出（万元）"]) == (747.3, 731.26)
    assert (line["项目编码"], line["评价年度"], line["等级"]) == ("001", "2024", "良")
    assert (line["问题数"], line["警告数"], line["调分项数"]) == (1, 1, 1)
    (change,) = sheet(path, "调分")
    assert (change["计算得分"], change["调整后得分"], change["调整"]) == (9, 7.5, -1.5)
    assert (change["理由"], change["批准人"]) == ("凭证不全", "李某")
    (issue,) = sheet(path, "问题清单")
    assert (issue["编号"], issue["问题"]) == ("W01", "台账不全")
    assert (issue["涉及金额（万元）"], issue["扣分"]) == (12.5, 1.5)


def test_a_draft_with_gaps_shows_its_range_and_no_grade(make_outcome, tmp_path):
    outcome = make_outcome("1", "甲项目", indicators=[indicator(), indicator("满意度", score=None)])
    (line,) = sheet(write_summary(tmp_path / "summary.xlsx", [outcome], []), "汇总")
    assert (line["总分"], line["等级"]) == ("暂计 9.00–20.00", "—")
    assert computed_total(outcome.result) is None
    text = write_index(tmp_path / "index.html", [outcome], []).read_text(encoding="utf-8")
    assert "9.00–20.00" in text


def test_the_sheets_print_on_a4_with_frozen_titles_and_filters(adjusted, tmp_path):
    book = openpyxl.load_workbook(write_summary(tmp_path / "summary.xlsx", [adjusted], []))
    for page in book:
        assert (page.page_setup.paperSize, page.page_setup.orientation) == (9, "landscape")
        assert page.sheet_properties.pageSetUpPr.fitToPage
        assert page.page_setup.fitToHeight == 0  # one page wide, as many as needed
        assert page.print_title_rows == "$2:$2"
        assert page.auto_filter.ref
    assert book["汇总"].freeze_panes == "D3"
    assert book["汇总"]["B3"].number_format == "@"


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_workbooks_never_becomes_a_formula_or_link(make_outcome, tmp_path, text):
    outcome = make_outcome(
        text[:3],
        text,
        unit=text,
        tables={"issues": [{"title": text}]},
        problems=[Problem(what=text, severity="warning")],
    )
    path = write_summary(tmp_path / "summary.xlsx", [outcome], [])
    for page in openpyxl.load_workbook(path):
        for line in page.iter_rows():
            for cell in line:
                assert cell.data_type != "f", cell
                assert cell.hyperlink is None
    assert sheet(path, "问题清单")[0]["问题"] == text


def test_text_from_workbooks_stays_text_on_the_index_page(make_outcome, tmp_path):
    evil = "</td><script>alert(1)</script>{{ 7*7 }}"
    outcome = make_outcome(
        "1", "甲项目", unit=evil, problems=[Problem(what=evil, severity="warning")]
    )
    text = write_index(tmp_path / "index.html", [outcome], []).read_text(encoding="utf-8")
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7*7 }}" in text
    assert "49" not in text.split("</style>")[1].split("<script>")[0]


def test_a_list_where_all_failed_still_gives_summary_and_index(tmp_path):
    job = Job(2, "1", "甲项目", FILES / "ok.ipynb", tmp_path / "x.xlsx", "1_甲项目")
    failure = Failure("refused", ("目标值为空", "支出为空"), "二、检查", 3)
    outcome = Outcome(job, tmp_path / "1_甲项目", "失败", failure=failure)
    path = write_summary(tmp_path / "summary.xlsx", [outcome], [])
    assert [line["说明"] for line in sheet(path, "失败与警告")] == ["目标值为空", "支出为空"]
    text = write_index(tmp_path / "index.html", [outcome], []).read_text(encoding="utf-8")
    assert "“二、检查”代码格 [3]" in text


def test_results_are_read_back_from_their_files(adjusted):
    outputs = ("result.json", "评价报告.docx")
    outcome = Outcome(adjusted.job, adjusted.folder, "完成", outputs=outputs)
    result_file.save(outcome.folder / "result.json", adjusted.result, {})
    checks = {"problems": [{"what": "执行率偏低"}] * 2, "missing": ["评价结论"]}
    store.write_json(outcome.folder / "checks.json", checks)
    found = outcome.read_back()
    assert found.result == adjusted.result
    assert found.problems == (Problem(what="执行率偏低"),)
    assert found.missing == ("评价结论",)
    line = PAGES.get_template("line.txt.j2")
    assert line.render(outcome=found, count="1/1") == "[1/1] 完成  001  甲项目  16.50 分 良  0.0 秒"
    (outcome.folder / "result.json").write_text("{", encoding="utf-8")
    broken = outcome.read_back()
    assert broken.result is None
    assert "成果读不出来" in broken.problems[0].what
    assert line.render(outcome=broken, count="1/1") == "[1/1] 完成  001  甲项目  0.0 秒"


def test_a_failed_project_carries_no_old_result(adjusted):
    result_file.save(adjusted.folder / "result.json", adjusted.result, {})
    failed = Outcome(adjusted.job, adjusted.folder, "失败", outputs=("result.json",))
    assert failed.read_back() == failed


def test_the_report_written_beside_a_locked_one_is_the_one_linked(adjusted):
    (adjusted.folder / "评价报告_新.docx").write_bytes(b"1")
    assert adjusted.file("评价报告.docx").name == "评价报告.docx"
    newer = replace(adjusted, outputs=("评价报告_新.docx",))
    assert newer.file("评价报告.docx").name == "评价报告_新.docx"
