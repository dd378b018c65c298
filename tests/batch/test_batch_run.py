from __future__ import annotations

import _thread
import json
import re
import shutil
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import openpyxl
import psutil
import pytest
from batch_support import HEADERS, lay_out, row
from batch_support import write_list as write_into

from evalkit.batch import manifest
from evalkit.batch.jobs import Job
from evalkit.batch.outcome import BatchOutcome, Outcome
from evalkit.batch.progress import Screen
from evalkit.batch.run import run_batch, run_one
from evalkit.core.problem import EvalkitError


@pytest.fixture(autouse=True)
def _steady(monkeypatch):
    """The kit's own source may be edited while the tests run; that is tested on its own."""
    monkeypatch.setattr(manifest, "shared_inputs", lambda: {"evalkit": "1"})


class Quiet:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, str]] = []
        self.finished: list[str] = []

    def begin(self, total: int) -> None:
        self.total = total

    def stage(self, job: Job, stage: str) -> None:
        self.stages.append((job.code, stage))

    def done(self, outcome: Outcome) -> None:
        self.finished.append(outcome.job.code)

    def end(self, batch: BatchOutcome) -> None:
        self.ended = batch


def states(batch: BatchOutcome) -> dict[str, str]:
    return {o.job.code: o.status for o in batch.outcomes}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A list of good and bad projects, run once; tests only look at it."""
    place = lay_out(tmp_path_factory.mktemp("清单"))
    rows = [row("1", "甲 & 乙<项目>"), row("2", "坏项目", "failing"), row("3", "丙项目", "dying")]
    path = write_into(place, *rows, row("4", "丁项目"))
    reporter = Quiet()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "shared_inputs", lambda: {"evalkit": "1"})
        return run_batch(path, place / "成果", jobs=2, reporter=reporter), reporter, path, place


def test_one_failure_stops_nothing_and_everything_is_written(mixed):
    batch, reporter, _, place = mixed
    assert states(batch) == {"1": "完成", "2": "失败", "3": "失败", "4": "完成"}
    assert batch.exit_code == 1
    assert sorted(reporter.finished) == ["1", "2", "3", "4"]
    assert ("4", "三、结果") in reporter.stages
    folder = place / "成果" / "1_甲 & 乙_项目"
    names = {path.name for path in folder.iterdir()}
    assert names == {"ok.ipynb", "ok.html", "result.json", "checks.json", "评价报告.docx"}
    failed = nbformat.read(place / "成果" / "2_坏项目" / "failing.ipynb", 4)
    assert "运行未完成" in failed.cells[0].source
    assert failed.metadata.papermill.parameters.code == "2"


def test_the_summary_tells_results_and_failures(mixed):
    batch, _, _, _ = mixed
    book = openpyxl.load_workbook(batch.summary)
    assert book.sheetnames == ["汇总", "问题清单", "调分", "失败与警告", "一致性复核"]
    totals = list(book["汇总"].iter_rows(min_row=2, values_only=True))
    found = [dict(zip(totals[0], line, strict=True)) for line in totals[1:]]
    assert [line["运行情况"] for line in found] == ["完成", "失败", "失败", "完成"]
    assert found[0]["全年预算（万元）"] == 12.5
    assert found[0]["警告数"] == 1
    assert found[1]["实施单位"] is None
    trouble = list(book["失败与警告"].iter_rows(min_row=3, values_only=True))
    assert ("2", "坏项目", "失败", "“二、评分”代码格 [4]") in [line[:4] for line in trouble]
    assert any(line[:5] == ("1", "甲 & 乙<项目>", "警告", None, "执行率偏低") for line in trouble)


class Page(HTMLParser):
    """Links, and whatever would load something."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        given = dict(attrs)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.loads += [
            v for k, v in attrs if k in ("src", "srcset", "data", "action", "background")
        ]
        if tag == "link":
            self.loads.append(given.get("href", ""))


def test_the_index_links_to_files_that_are_there_and_loads_nothing(mixed):
    batch, _, _, place = mixed
    page = Page(batch.index)
    assert page.loads == []
    assert len(page.links) >= 4
    for link in page.links:
        assert (place / "成果" / unquote(link)).is_file(), link
    text = batch.index.read_text(encoding="utf-8")
    assert "甲 &amp; 乙&lt;项目&gt;" in text
    assert "目标值 &lt;b&gt;为零&lt;/b&gt;" in text
    assert "Content-Security-Policy" in text


def test_the_notebook_page_loads_nothing_but_its_own_pictures(mixed):
    _, _, _, place = mixed
    good = Page(place / "成果" / "1_甲 & 乙_项目" / "ok.html")
    assert good.loads
    assert all(source.startswith("data:image/png;base64,") for source in good.loads)
    assert "script" not in good.tags
    bad = (place / "成果" / "2_坏项目" / "failing.html").read_text(encoding="utf-8")
    assert "“二、评分”代码格 [4]" in bad
    assert "<b>为零</b>" not in bad


def test_a_second_run_does_only_what_changed(mixed, tmp_path):
    _, _, path, place = mixed
    out = shutil.copytree(place / "成果", tmp_path / "成果")
    again = run_batch(path, out, jobs=2, reporter=Quiet())
    assert states(again) == {"1": "未变化", "2": "失败", "3": "失败", "4": "未变化"}
    totals = openpyxl.load_workbook(again.summary)["汇总"]
    assert totals["F3"].value == 12.5  # results of the first run still count


@pytest.mark.parametrize("changed", ["workbook", "notebook", "文字.docx", "照片", "parameter"])
def test_a_changed_input_runs_its_project_again(write_list, place, changed):
    path = write_list(row("1", "甲", "ok", "5"), headers=(*HEADERS, "top"))
    out = place / "成果"
    assert states(run_batch(path, out, reporter=Quiet())) == {"1": "完成"}
    assert states(run_batch(path, out, reporter=Quiet())) == {"1": "未变化"}
    if changed == "workbook":
        (place / "数据底稿.xlsx").write_text("某县甲中心｜130000", encoding="utf-8")
    elif changed == "notebook":
        node = nbformat.read(place / "ok.ipynb", 4)
        node.cells[0].source += "（修订）"
        nbformat.write(node, place / "ok.ipynb")
    elif changed == "parameter":
        write_list(row("1", "甲", "ok", "6"), headers=(*HEADERS, "top"))
    elif changed == "照片":
        (place / "照片").mkdir()
        (place / "照片" / "01.png").write_bytes(b"png")
    else:
        (place / changed).write_bytes(b"docx")
    assert states(run_batch(path, out, reporter=Quiet())) == {"1": "完成"}


def test_changed_policy_or_source_runs_everything_again(write_list, place, monkeypatch):
    path, out = write_list(row("1", "甲")), place / "成果"
    run_batch(path, out, reporter=Quiet())
    monkeypatch.setattr(manifest, "shared_inputs", lambda: {"evalkit": "2"})
    assert states(run_batch(path, out, reporter=Quiet())) == {"1": "完成"}


def test_a_missing_output_is_made_again_and_force_runs_all(write_list, place):
    path, out = write_list(row("1", "甲")), place / "成果"
    run_batch(path, out, reporter=Quiet())
    (out / "1_甲" / "评价报告.docx").unlink()
    assert states(run_batch(path, out, reporter=Quiet())) == {"1": "完成"}
    assert states(run_batch(path, out, force=True, reporter=Quiet())) == {"1": "完成"}
    assert not list((out / "1_甲").glob("*人工修改*"))


def test_a_report_that_a_person_edited_is_never_lost(write_list, place):
    path, out = write_list(row("1", "甲")), place / "成果"
    report = out / "1_甲" / "评价报告.docx"
    run_batch(path, out, reporter=Quiet())
    shutil.copy(place / "数据底稿.xlsx", report)
    edited = report.read_bytes()
    (out / "1_甲" / "会议纪要.txt").write_text("我自己的文件", encoding="utf-8")

    skipped = run_batch(path, out, reporter=Quiet())
    assert states(skipped) == {"1": "未变化"}
    assert skipped.outcomes[0].notes == ("评价报告.docx 有人工修改，保持原样",)
    assert report.read_bytes() == edited

    for number in (1, 2):
        forced = run_batch(path, out, force=True, reporter=Quiet())
        kept = report.with_name(f"评价报告_人工修改_{number}.docx")
        assert kept.read_bytes() == edited
        assert forced.outcomes[0].notes == (f"评价报告.docx 有人工修改，原文件另存为 {kept.name}",)
        assert report.read_bytes() != edited
        report.write_bytes(edited)
    assert not list((out / "1_甲").glob("会议纪要_人工修改*"))


def test_a_report_written_beside_a_locked_one_is_said_and_linked(write_list, place):
    node = nbformat.read(place / "ok.ipynb", 4)
    for cell in node.cells:
        cell.source = cell.source.replace("评价报告.docx", "评价报告_新.docx")
    nbformat.write(node, place / "ok.ipynb")
    out = place / "成果"
    batch = run_batch(write_list(row("1", "甲")), out, reporter=Quiet())
    (note,) = batch.outcomes[0].notes
    assert note == "评价报告.docx 正被其他程序打开，新文件写为 评价报告_新.docx"
    assert any(unquote(link).endswith("评价报告_新.docx") for link in Page(batch.index).links)


def test_a_failure_after_a_good_run_does_not_pass_the_old_report_off_as_new(write_list, place):
    path, out = write_list(row("1", "甲")), place / "成果"
    run_batch(path, out, reporter=Quiet())
    (place / "数据底稿.xlsx").write_text("缺预算", encoding="utf-8")
    batch = run_batch(path, out, reporter=Quiet())
    assert states(batch) == {"1": "失败"}
    assert "没有更新" in batch.outcomes[0].notes[0]
    assert openpyxl.load_workbook(batch.summary)["汇总"]["F3"].value is None


def test_only_chosen_codes_run_and_the_others_keep_their_results(write_list, place):
    path, out = write_list(row("A1", "甲"), row("B2", "乙")), place / "成果"
    first = run_batch(path, out, only=["b2"], reporter=Quiet())
    assert states(first) == {"A1": "未选", "B2": "完成"}
    assert first.exit_code == 0
    second = run_batch(path, out, only=["A1"], reporter=Quiet())
    totals = openpyxl.load_workbook(second.summary)["汇总"]
    assert [totals.cell(line, 6).value for line in (3, 4)] == [12.5, 12.5]
    with pytest.raises(EvalkitError, match="没有编码“A11”——是否应为“A1”"):
        run_batch(path, out, only=["A11"], reporter=Quiet())


def test_an_output_folder_that_cannot_be_made_is_refused(write_list, place):
    (place / "成果").write_text("是个文件", encoding="utf-8")
    with pytest.raises(EvalkitError, match="无法建立输出文件夹"):
        run_batch(write_list(row("1", "甲")), place / "成果", reporter=Quiet())


def test_a_project_whose_folder_is_blocked_fails_alone(write_list, place):
    out = place / "成果"
    out.mkdir()
    (out / "1_甲").write_text("是个文件", encoding="utf-8")
    batch = run_batch(write_list(row("1", "甲"), row("2", "乙")), out, reporter=Quiet())
    assert states(batch) == {"1": "失败", "2": "完成"}
    assert "文件读写失败" in batch.outcomes[0].failure.lines[0]


def test_ctrl_c_ends_what_runs_and_reports_what_is_done(write_list, place):
    path = write_list(row("1", "甲"), row("2", "乙", "hanging"), row("3", "丙"))
    reporter = Quiet()

    def interrupt() -> None:
        while ("2", "等待") not in reporter.stages:
            time.sleep(0.05)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    batch = run_batch(path, place / "成果", jobs=1, reporter=reporter)
    assert states(batch) == {"1": "完成", "2": "中断", "3": "中断"}
    assert batch.exit_code == 1
    assert batch.summary.exists()
    assert psutil.Process().children(recursive=True) == []
    after = run_batch(path, place / "成果", only=["1"], reporter=Quiet())
    assert states(after)["1"] == "未变化"


def test_a_project_that_takes_too_long_is_stopped(write_list, place):
    path = write_list(row("1", "甲", "hanging"))
    batch = run_batch(path, place / "成果", timeout=3, reporter=Quiet())
    assert batch.outcomes[0].failure.kind == "timeout"
    assert batch.outcomes[0].seconds < 15


def test_the_manifest_says_intent_before_done(mixed):
    _, _, _, place = mixed
    text = (place / "成果" / "manifest.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    first = [r for r in records if r["code"] == "1"]
    assert [r["event"] for r in first] == ["intent", "done"]
    assert {"workbook", "notebook", "parameters", "photos", "evalkit"} <= set(first[0]["inputs"])
    assert set(first[1]["outputs"]) >= {"result.json", "评价报告.docx", "ok.html"}
    (failed,) = [r for r in records if r["code"] == "2" and r["event"] == "done"]
    assert failed["status"] == "exception"
    assert "ValueError" in failed["reason"]


def test_a_torn_line_in_the_manifest_does_no_harm(write_list, place):
    path, out = write_list(row("1", "甲")), place / "成果"
    run_batch(path, out, reporter=Quiet())
    with (out / "manifest.jsonl").open("ab") as stream:
        stream.write(b'{"event": "done", "fold')
    assert states(run_batch(path, out, reporter=Quiet())) == {"1": "未变化"}
    run_batch(path, out, force=True, reporter=Quiet())
    assert states(run_batch(path, out, reporter=Quiet())) == {"1": "未变化"}


def test_plain_lines_name_each_project_and_end_with_the_reasons(write_list, place, capsys):
    path = write_list(row("1", "甲"), row("2", "坏项目", "refusing"))
    run_batch(path, place / "成果", jobs=1)
    said = capsys.readouterr().out
    assert re.search(r"\[1/2\] 完成  1  甲  .*秒", said)
    assert "[2/2] 失败  2  坏项目  “检查数据”代码格 [3]" in said
    assert "    数据底稿.xlsx｜指标｜D12：目标值为空——请填写数值" in said
    assert "\x1b" not in said
    run_batch(path, place / "成果", only=["1"])
    assert "未变化，跳过  1  甲" in capsys.readouterr().out


def test_the_live_view_shows_names_as_they_are(write_list, place):
    from rich.console import Console

    console = Console(force_terminal=True, width=120, record=True, markup=False)
    path = write_list(row("1", "[red]甲[/] 项目"), row("2", "坏项目", "failing"))
    run_batch(path, place / "成果", jobs=1, reporter=Screen(console))
    said = console.export_text()
    assert "[red]甲[/] 项目" in said
    assert "ValueError：目标值 <b>为零</b>" in said


def test_one_workbook_runs_without_a_list(tmp_path, capsys):
    from evalkit.core.paths import asset

    book = asset("params", "demo", "sanitation", "数据底稿.xlsx")
    batch = run_one("project_evaluation", book, tmp_path, stage="初稿", timeout=0.05)
    (outcome,) = batch.outcomes
    assert outcome.status == "失败"
    assert outcome.failure.kind == "timeout"
    assert outcome.job.code in outcome.job.folder
    assert outcome.job.name in capsys.readouterr().out
