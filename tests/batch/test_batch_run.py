from __future__ import annotations

import _thread
import io
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import openpyxl
import psutil
import pytest
from batch_support import HEADERS, lay_out, row
from batch_support import write_list as write_into
from rich.console import Console

from evalkit.batch import run
from evalkit.batch.jobs import Job, read_list
from evalkit.batch.outcome import BatchOutcome, Outcome
from evalkit.batch.results import Screen
from evalkit.batch.run import Manifest, inputs_of, run_batch, run_one
from evalkit.core.problem import EvalkitError
from evalkit.core.store import digest
from evalkit.engine import kernels

SHARED = {"evalkit": "1"}
GOOD = [row("1", "甲 & 乙<项目>"), row("B2", "丁项目")]
BAD = [row("2", "坏项目", "failing"), row("3", "丙项目", "dying"), row("4", "戊项目", "refusing")]


@pytest.fixture(autouse=True)
def _steady(monkeypatch):
    """The kit's own source may be edited while the tests run; that is tested on its own."""
    monkeypatch.setattr(run, "shared_inputs", lambda: SHARED)


class Quiet(Screen):
    """A reporter that keeps what it is told and what a plain screen would show."""

    def __init__(self) -> None:
        self.text = io.StringIO()
        super().__init__(Console(file=self.text, width=200, markup=False, highlight=False))
        self.stages: list[tuple[str, str]] = []
        self.finished: list[str] = []

    def stage(self, job: Job, stage: str) -> None:
        super().stage(job, stage)
        self.stages.append((job.code, stage))

    def done(self, outcome: Outcome) -> None:
        super().done(outcome)
        self.finished.append(outcome.job.code)


def states(batch: BatchOutcome) -> dict[str, str]:
    return {o.job.code: o.status for o in batch.outcomes}


def totals(batch: BatchOutcome) -> list[dict[str, object]]:
    lines = openpyxl.load_workbook(batch.summary)["汇总"].iter_rows(min_row=2, values_only=True)
    header = next(lines)
    return [dict(zip(header, line, strict=True)) for line in lines]


@dataclass
class Ran:
    place: Path
    path: Path
    batch: BatchOutcome
    reporter: Quiet
    out: Path
    folder: Path  # of the first project

    def again(self, **options) -> BatchOutcome:
        return run_batch(self.path, self.out, reporter=Quiet(), **options)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Ran:
    """A list of good and bad projects, run once; tests only look at it."""
    place = lay_out(tmp_path_factory.mktemp("清单"))
    path, out, reporter = write_into(place, *GOOD, *BAD), place / "成果", Quiet()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "shared_inputs", lambda: SHARED)
        batch = run_batch(path, out, jobs=2, reporter=reporter)
    return Ran(place, path, batch, reporter, out, out / "1_甲 & 乙_项目")


@pytest.fixture
def ran(mixed, tmp_path, monkeypatch) -> Ran:
    """The good projects of that list and their results, in a copy to be changed.

    The next batch takes over the warm parent of kernels; those that end without `ran` close it.
    """
    monkeypatch.setattr(kernels, "close", lambda: None)
    place = Path(shutil.copytree(mixed.place, tmp_path / "副本"))
    out = place / "成果"
    path = write_into(place, *GOOD)
    return Ran(place, path, mixed.batch, mixed.reporter, out, out / mixed.folder.name)


def test_one_failure_stops_nothing_and_everything_is_written(mixed):
    expected = {"1": "完成", "B2": "完成", "2": "失败", "3": "失败", "4": "失败"}
    assert states(mixed.batch) == expected
    assert mixed.batch.exit_code == 1
    assert sorted(mixed.reporter.finished) == sorted(expected)
    assert ("B2", "三、结果") in mixed.reporter.stages
    names = {path.name for path in mixed.folder.iterdir()}
    assert names == {"ok.ipynb", "ok.html", "result.json", "checks.json", "评价报告.docx"}
    failed = nbformat.read(mixed.out / "2_坏项目" / "failing.ipynb", 4)
    assert "运行未完成" in failed.cells[0].source
    assert failed.metadata.papermill.parameters.code == "2"


def test_the_summary_tells_results_and_failures(mixed):
    book = openpyxl.load_workbook(mixed.batch.summary)
    assert book.sheetnames == ["汇总", "问题清单", "调分", "失败与警告", "一致性复核", "运行用时"]
    found = totals(mixed.batch)
    assert [line["运行情况"] for line in found] == ["完成", "完成", "失败", "失败", "失败"]
    assert found[0]["全年预算（万元）"] == 12.5
    assert found[0]["警告数"] == 1
    assert found[2]["实施单位"] is None
    trouble = list(book["失败与警告"].iter_rows(min_row=3, values_only=True))
    assert ("2", "坏项目", "失败", "“二、评分”代码格 [4]") in [line[:4] for line in trouble]
    assert any(line[:5] == ("1", "甲 & 乙<项目>", "警告", None, "执行率偏低") for line in trouble)


def test_plain_lines_name_each_project_and_end_with_the_reasons(mixed):
    said = mixed.reporter.text.getvalue()
    assert said.startswith("共 5 个项目，计算进程由预热进程派生，同时运行 2 个项目\n")
    assert re.search(r"\[\d/5\] 完成  1  甲 & 乙<项目>  .*秒", said)
    assert re.search(r"\[\d/5\] 失败  4  戊项目  “检查数据”代码格 \[3\]", said)
    assert "    数据底稿.xlsx｜指标｜D12：目标值为空——请填写数值" in said
    assert "完成 2 个，失败 3 个；用时" in said
    assert said.endswith(f"首页：{mixed.batch.index}\n")
    assert "\n\n" not in said
    assert "\x1b" not in said


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
    page = Page(mixed.batch.index)
    assert page.loads == []
    assert len(page.links) >= 4
    for link in page.links:
        assert (mixed.out / unquote(link)).is_file(), link
    text = mixed.batch.index.read_text(encoding="utf-8")
    assert "甲 &amp; 乙&lt;项目&gt;" in text
    assert "目标值 &lt;b&gt;为零&lt;/b&gt;" in text
    assert "Content-Security-Policy" in text


def test_the_notebook_page_loads_nothing_but_its_own_pictures(mixed):
    good = Page(mixed.folder / "ok.html")
    assert good.loads
    assert all(source.startswith("data:image/png;base64,") for source in good.loads)
    assert "script" not in good.tags
    bad = (mixed.out / "2_坏项目" / "failing.html").read_text(encoding="utf-8")
    assert "“二、评分”代码格 [4]" in bad
    assert "<b>为零</b>" not in bad


def test_the_manifest_says_intent_before_done(mixed):
    text = (mixed.out / "manifest.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    first = [r for r in records if r.get("code") == "1"]
    assert [r["event"] for r in first] == ["intent", "publish", "done"]
    assert {"workbook", "notebook", "parameters", "photos", "evalkit"} <= set(first[0]["inputs"])
    assert set(first[1]["outputs"]) >= {"result.json", "评价报告.docx", "ok.html"}
    assert first[2]["outputs"] == first[1]["outputs"]
    (failed,) = [r for r in records if r.get("code") == "2" and r["event"] == "done"]
    assert failed["status"] == "exception"
    assert "ValueError" in failed["reason"]


def test_a_second_run_does_only_what_changed(ran):
    write_into(ran.place, *GOOD, BAD[0])
    again = ran.again(jobs=2)
    assert states(again) == {"1": "未变化", "B2": "未变化", "2": "失败"}
    assert totals(again)[0]["全年预算（万元）"] == 12.5  # results of the first run still count


@pytest.mark.parametrize("changed", ["workbook", "notebook", "narrative", "photos", "parameters"])
def test_a_changed_input_makes_its_project_run_again(ran, changed):
    def look() -> tuple[dict[str, str], bool]:
        job = read_list(ran.path)[0]
        inputs = inputs_of(job, SHARED)
        return inputs, Manifest(ran.out).unchanged(job.folder, digest(inputs))

    before, same = look()
    assert same
    if changed == "workbook":
        (ran.place / "数据底稿.xlsx").write_text("某县甲中心｜130000", encoding="utf-8")
    elif changed == "notebook":
        node = nbformat.read(ran.place / "ok.ipynb", 4)
        node.cells[0].source += "（修订）"
        nbformat.write(node, ran.place / "ok.ipynb")
    elif changed == "parameters":
        write_into(ran.place, row("1", "甲 & 乙<项目>", "ok", "6"), headers=(*HEADERS, "top"))
    elif changed == "photos":
        (ran.place / "照片").mkdir()
        (ran.place / "照片" / "01.png").write_bytes(b"png")
    else:
        (ran.place / "文字.docx").write_bytes(b"docx")
    after, same = look()
    assert not same
    assert {name for name in after if after[name] != before.get(name)} == {changed}


def test_a_missing_output_is_made_again(ran):
    (ran.folder / "评价报告.docx").unlink()
    assert states(ran.again()) == {"1": "完成", "B2": "未变化"}
    assert (ran.folder / "评价报告.docx").is_file()
    assert not list(ran.folder.glob("*人工修改*"))


def test_a_report_that_a_person_edited_is_never_lost(ran, monkeypatch):
    report = ran.folder / "评价报告.docx"
    shutil.copy(ran.place / "数据底稿.xlsx", report)
    edited = report.read_bytes()
    (ran.folder / "会议纪要.txt").write_text("我自己的文件", encoding="utf-8")

    skipped = ran.again()
    assert states(skipped)["1"] == "未变化"
    assert skipped.outcomes[0].notes == ("评价报告.docx 有人工修改，保持原样",)
    assert report.read_bytes() == edited

    def kept_by(rerun: BatchOutcome, number: int) -> None:
        assert states(rerun)["1"] == "完成"
        kept = report.with_name(f"评价报告_人工修改_{number}.docx")
        assert kept.read_bytes() == edited
        assert rerun.outcomes[0].notes == (f"评价报告.docx 有人工修改，原文件另存为 {kept.name}",)
        assert report.read_bytes() != edited
        report.write_bytes(edited)

    kept_by(ran.again(force=True, only=["1"]), 1)
    monkeypatch.setattr(run, "shared_inputs", lambda: {"evalkit": "2"})
    kept_by(ran.again(only=["1"]), 1)  # changed policy or source runs everything again
    assert len(list(ran.folder.glob("评价报告_人工修改_*"))) == 1  # the same edit is kept once
    assert not list(ran.folder.glob("会议纪要_人工修改*"))


def test_a_report_written_beside_a_locked_one_is_said_and_linked(write_list, place):
    node = nbformat.read(place / "ok.ipynb", 4)
    for cell in node.cells:
        cell.source = cell.source.replace("评价报告.docx", "评价报告_新.docx")
    nbformat.write(node, place / "ok.ipynb")
    out = place / "成果"
    batch = run_batch(write_list(row("1", "甲")), out, reporter=Quiet())
    (note,) = batch.outcomes[0].notes
    assert note.startswith("评价报告.docx 没有覆盖（正被其他程序打开")
    assert note.endswith("新文件写为 评价报告_新.docx")
    assert any(unquote(link).endswith("评价报告_新.docx") for link in Page(batch.index).links)


def test_a_failure_after_a_good_run_does_not_pass_the_old_report_off_as_new(ran):
    (ran.place / "数据底稿.xlsx").write_text("缺预算", encoding="utf-8")
    batch = ran.again(only=["1"])
    assert states(batch) == {"1": "失败", "B2": "未选"}
    assert "没有更新" in batch.outcomes[0].notes[0]
    assert [line["全年预算（万元）"] for line in totals(batch)] == [None, 12.5]


def test_only_chosen_codes_run_and_the_others_keep_their_results(ran):
    later = ran.again(only=["1"])
    assert states(later) == {"1": "未变化", "B2": "未选"}
    assert [line["全年预算（万元）"] for line in totals(later)] == [12.5, 12.5]
    first = run_batch(ran.path, ran.place / "另", only=["b2"], reporter=Quiet())
    assert states(first) == {"1": "未选", "B2": "完成"}
    assert first.exit_code == 0
    with pytest.raises(EvalkitError, match="没有编码“B22”——是否应为“B2”"):
        ran.again(only=["B22"])


def test_an_output_folder_that_cannot_be_made_is_refused(write_list, place):
    (place / "成果").write_text("是个文件", encoding="utf-8")
    with pytest.raises(EvalkitError, match="无法建立输出文件夹"):
        run_batch(write_list(row("1", "甲")), place / "成果", reporter=Quiet())


def test_a_project_whose_folder_is_blocked_fails_alone(ran):
    shutil.rmtree(ran.folder)
    ran.folder.write_text("是个文件", encoding="utf-8")
    batch = ran.again()
    assert states(batch) == {"1": "失败", "B2": "未变化"}
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
    (outcome,) = batch.outcomes
    assert outcome.failure.kind == "timeout"
    assert outcome.failure.lines == ("项目用时超过 3 秒，已停止",)
    assert outcome.failure.place == "“等待”代码格 [3]"
    assert outcome.seconds < 15
    cells = nbformat.read(outcome.folder / "hanging.ipynb", 4).cells
    found = [c.metadata.papermill.status for c in cells if c.cell_type == "code"]
    assert found == ["completed", "completed", "failed", "pending"]
    assert psutil.Process().children(recursive=True) == []


def test_a_torn_line_in_the_manifest_does_no_harm(ran):
    path = ran.out / "manifest.jsonl"
    with path.open("ab") as stream:
        stream.write(b'\n{"event": "done", "fold')
    assert set(states(ran.again()).values()) == {"未变化"}
    record, job = Manifest(ran.out), read_list(ran.path)[0]
    outputs = record.last[job.folder]["outputs"]
    record.add("done", job.folder, key=digest({"x": "1"}), outputs=outputs, status="ok")
    assert Manifest(ran.out).unchanged(job.folder, digest({"x": "1"}))


def test_the_default_screen_is_plain_where_there_is_no_terminal(ran, capfd):
    run_batch(ran.path, ran.out)
    said, errors = capfd.readouterr()
    assert "[1/2] 未变化，跳过  " in said
    assert "未变化，跳过  1  甲 & 乙<项目>" in said
    assert "\x1b" not in said
    assert errors == ""


def test_the_live_view_shows_names_as_they_are_and_no_word_of_the_kernels(write_list, place, capfd):
    console = Console(force_terminal=True, width=120, record=True, markup=False)
    path = write_list(row("1", "[red]甲[/] 项目", "failing"))
    run_batch(path, place / "成果", jobs=1, reporter=Screen(console))
    said = console.export_text()
    assert "[red]甲[/] 项目" in said
    assert "ValueError：目标值 <b>为零</b>" in said
    out, errors = capfd.readouterr()
    assert errors == ""
    assert "TCP" not in out


def test_one_workbook_runs_without_a_list(tmp_path, capsys):
    from evalkit.core.paths import asset

    book = asset("params", "demo", "sanitation", "数据底稿.xlsx")
    batch = run_one("project_evaluation", book, tmp_path, stage="初稿", timeout=0.05)
    (outcome,) = batch.outcomes
    assert outcome.status == "失败"
    assert outcome.failure.kind == "timeout"
    assert outcome.job.code in outcome.job.folder
    assert outcome.job.name in capsys.readouterr().out


def test_reading_a_list_loads_nothing_heavy(write_list):
    path = write_list(row("1", "甲"))
    code = (
        "import sys; from pathlib import Path; from evalkit.batch.jobs import read_list; "
        f"read_list(Path({str(path)!r})); "
        "heavy = {'nbconvert', 'nbformat', 'jsonschema', 'papermill', 'pandas', 'openpyxl'}; "
        "sys.exit(' '.join(heavy & sys.modules.keys()) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
