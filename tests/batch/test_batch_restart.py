"""What is left when a batch ends at any moment, finds no room, or meets others in its folder."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import crashing
import nbformat
import openpyxl
import psutil
import pytest
from batch_support import FILES, lay_out, row
from batch_support import write_list as write_into
from crashing import CODES, REPORT, Meanwhile, Mute, again, statuses
from support import ROOT, SOAK

from evalkit.batch import run
from evalkit.batch.record import LOCK, RUNNING, opened
from evalkit.batch.run import run_batch
from evalkit.core.problem import EvalkitError

FIRST = f"{CODES[0]}_项目{CODES[0]}"


# --- ended at any moment ------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="ends forked children")
@pytest.mark.parametrize(
    ("how", "times"), [("kill", 90 if SOAK else 5), ("full", 60 if SOAK else 4),
                       ("size", 40 if SOAK else 3)]
)  # fmt: skip
def test_a_batch_ended_anywhere_loses_nothing_and_leaves_no_half_file(tmp_path, how, times):
    place = tmp_path / "县"
    command = [sys.executable, crashing.__file__, str(place), how, "7", str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    ends = json.loads(done.stdout)
    assert sum(ends.values()) == 2 * times
    assert ends.get({"kill": "9"}.get(how, "2"), 0) > 0  # some were really disturbed


def test_a_command_killed_at_random_moments_ends_like_one_that_was_not(tmp_path):
    place = lay_out(tmp_path)
    write_into(place, *(row(code, f"项目{code}") for code in CODES[:3]))
    out, chance = place / "成果", random.Random(7)  # noqa: S311
    command = [sys.executable, "-m", "evalkit.cli", "batch", "清单.csv", "--out", "成果", "-j", "2"]

    def started() -> subprocess.Popen:
        return subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL)

    for _ in range(12 if SOAK else 2):
        batch = started()
        deadline = time.monotonic() + 60
        while not (out / RUNNING).is_dir() and batch.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 4))
        kernels = psutil.Process(batch.pid).children(recursive=True) if batch.poll() is None else []
        batch.send_signal(signal.SIGKILL)
        batch.wait()
        for path in out.glob("*/result.json"):
            json.loads(path.read_text(encoding="utf-8"))
        for path in out.glob("*/ok.ipynb"):
            nbformat.read(path, 4)
        assert not psutil.wait_procs(kernels, timeout=20)[1]  # kernels do not outlive it
    assert started().wait() == 0
    names = {"ok.ipynb", "ok.html", "result.json", "checks.json", "评价报告.docx"}
    for code in CODES[:3]:
        assert {path.name for path in (out / f"{code}_项目{code}").iterdir()} == names
    assert not (out / RUNNING).exists()


def test_a_run_that_was_cut_off_is_no_persons_edit(played):
    again(played)
    crashing.lay_out(played, "2")
    with pytest.MonkeyPatch.context() as patch:
        replace, calls = os.replace, []

        def ends(source, target) -> None:
            calls.append(target)
            if str(target).endswith("result.json") and FIRST in str(target):
                raise KeyboardInterrupt  # as if the process ended here
            replace(source, target)

        patch.setattr(os, "replace", ends)
        with pytest.raises(KeyboardInterrupt):
            again(played, only=[CODES[0]])
    assert (played / "成果" / RUNNING).exists()
    crashing.ran(played)
    assert statuses(again(played, only=[CODES[0]]))[0] == "未变化"
    assert crashing.ran(played) == []
    assert not list((played / "成果").rglob("*人工修改*"))
    crashing.whole(played, "1", "2")


# --- others in the same folder ------------------------------------------------------------------


def test_a_second_batch_into_the_same_folder_is_refused_and_told(played):
    with opened(played / "成果"), pytest.raises(EvalkitError, match="另一个批次正在写入"):
        again(played)
    assert set(statuses(again(played))) == {"完成"}


def test_the_lock_of_a_batch_that_crashed_is_free(played):
    out = played / "成果"
    code = (
        "import sys, os, pathlib; from evalkit.batch.record import opened\n"
        "with opened(pathlib.Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline()
    with pytest.raises(EvalkitError, match="另一个批次正在写入"):
        again(played)
    holder.kill()
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    assert set(statuses(again(played))) == {"完成"}


def test_a_report_held_open_elsewhere_is_written_beside_and_the_result_knows(played, monkeypatch):
    again(played)
    crashing.lay_out(played, "2")
    replace = os.replace

    def refuse(source, target) -> None:
        if str(target).endswith((f"{FIRST}/{REPORT}", "summary.xlsx")):
            raise PermissionError(13, "Access is denied", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    outcome = again(played)[CODES[0]]
    (note,) = outcome.notes
    assert note.startswith(f"{REPORT} 没有覆盖（正被其他程序打开")
    assert outcome.file(REPORT).name == "评价报告_新.docx"
    assert outcome.file(REPORT).read_bytes() == b"".join(crashing.pieces(CODES[0], "2"))
    assert (outcome.folder / REPORT).read_bytes() == b"".join(crashing.pieces(CODES[0], "1"))
    assert (played / "成果" / "summary_新.xlsx").is_file()
    monkeypatch.setattr(os, "replace", replace)
    assert set(statuses(again(played))) == {"未变化"}
    crashing.lay_out(played, "3")
    outcome = again(played)[CODES[0]]
    assert outcome.file(REPORT).name == REPORT
    assert not list((played / "成果").rglob("*人工修改*"))


def test_a_report_that_was_open_once_is_refreshed_without_false_conflicts(tmp_path, monkeypatch):
    from docx import Document

    book = tmp_path / "图书馆" / "数据底稿.xlsx"
    shutil.copytree(ROOT / "params/demo/library", book.parent)
    replace, out = os.replace, tmp_path / "成果"
    (made,) = run.run_one("project_evaluation", book, out, stage="初稿").outcomes
    assert made.status == "完成", made.failure
    report = made.folder / REPORT
    document = Document(str(report))
    document.add_paragraph("评价组补充的一句话。")
    document.save(str(report))

    def refuse(source, target) -> None:
        if str(target) == str(report):
            raise PermissionError(13, "Access is denied", str(target))
        replace(source, target)

    def changed(sheet: str, label: str, value: object) -> None:
        workbook = openpyxl.load_workbook(book)
        for cells in workbook[sheet].iter_rows():
            if str(cells[0].value).startswith(label):
                cells[1].value = value
        workbook.save(book)

    changed("项目信息", "主评人", "赵某")
    monkeypatch.setattr(os, "replace", refuse)
    (beside,) = run.run_one("project_evaluation", book, out, stage="初稿").outcomes
    assert beside.file(REPORT).name == "评价报告_新.docx"
    recorded = json.loads((made.folder / "result.json").read_text(encoding="utf-8"))["run"]
    assert "评价报告_新.docx" in recorded["outputs"]
    assert recorded["report"]["base"]["values"]
    monkeypatch.setattr(os, "replace", replace)
    (last,) = run.run_one("project_evaluation", book, out, stage="初稿").outcomes
    assert last.file(REPORT).name == REPORT
    listed = json.loads((made.folder / "conflicts.json").read_text(encoding="utf-8"))
    assert [c for c in listed["conflicts"] if c["kind"] == "number"] == []
    assert "评价组补充的一句话。" in [p.text for p in Document(str(report)).paragraphs]


def test_a_summary_that_a_person_edited_is_kept_aside(played):
    again(played)
    summary = played / "成果" / "summary.xlsx"
    book = openpyxl.load_workbook(summary)
    book["汇总"]["A1"] = "已核"
    book.save(summary)
    mine = summary.read_bytes()
    again(played)
    assert summary.read_bytes() == mine  # nothing changed, so nothing is written
    crashing.lay_out(played, "2")
    again(played)
    assert summary.read_bytes() != mine
    assert summary.with_name("summary_人工修改_1.xlsx").read_bytes() == mine


# --- what changes or is missing -----------------------------------------------------------------


def test_a_workbook_changed_during_the_run_is_told_and_run_again(played):
    book = played / CODES[0] / "底稿.xlsx"

    def act() -> None:
        book.write_text("2", encoding="utf-8")

    first = again(played, Meanwhile(act))
    (note,) = first[CODES[0]].notes
    assert "数据底稿在运行期间有改动" in note
    assert "下次会重新运行" in note
    assert [o.notes for o in first.values()][1:] == [()] * 3
    crashing.ran(played)
    assert statuses(again(played)) == ["完成", "未变化", "未变化", "未变化"]
    assert crashing.ran(played) == [CODES[0]]


def test_a_workbook_that_has_vanished_fails_alone_in_a_sentence(played):
    class Taking(Mute):
        def begin(self, *_) -> None:
            (played / CODES[1] / "底稿.xlsx").unlink()

    done = again(played, Taking())
    assert statuses(done) == ["完成", "失败", "完成", "完成"]
    assert "在清单核对之后被移走或改名" in str(done[CODES[1]].failure)


def test_a_failed_run_leaves_what_was_there_as_it_was(played, monkeypatch):
    again(played)
    before = {p: p.read_bytes() for p in (played / "成果" / FIRST).rglob("*") if p.is_file()}
    crashing.lay_out(played, "2")
    execute = crashing.Run.execute

    def fails(self) -> None:
        execute(self)
        self.failure = crashing.Failure("exception", ("最后一步出错",))

    monkeypatch.setattr(crashing.Run, "execute", fails)
    done = again(played)
    assert set(statuses(done)) == {"失败"}
    after = {p: p.read_bytes() for p in (played / "成果" / FIRST).rglob("*") if p.is_file()}
    assert after == before
    assert done[CODES[0]].notes == ("文件夹中的评价报告是以前生成的，本次没有更新",)


def test_a_file_that_a_run_no_longer_writes_goes_unless_a_person_edited_it(played, monkeypatch):
    execute = crashing.Run.execute

    def lists(self) -> None:
        execute(self)
        listed = self.folder / "conflicts.json"
        if self.book.read_text(encoding="utf-8") == "1":
            listed.write_text("{}", encoding="utf-8")
        else:
            listed.unlink(missing_ok=True)

    monkeypatch.setattr(crashing.Run, "execute", lists)
    again(played)
    listed = [played / "成果" / f"{code}_项目{code}" / "conflicts.json" for code in CODES]
    listed[0].write_text("我的批注", encoding="utf-8")
    crashing.lay_out(played, "2")
    again(played)
    assert [path.exists() for path in listed] == [True, False, False, False]


@pytest.mark.parametrize("year", [1990, 2090])
def test_nothing_depends_on_the_order_of_clocks(played, monkeypatch, year):
    moment = time.mktime((year, 1, 2, 3, 4, 5, 0, 0, 0))
    again(played)
    strftime = time.strftime
    monkeypatch.setattr(time, "strftime", lambda form, *_: strftime(form, time.localtime(moment)))
    for path in played.rglob("*"):
        os.utime(path, (moment, moment))
    assert set(statuses(again(played))) == {"未变化"}
    crashing.lay_out(played, "2")
    os.utime(played / CODES[0] / "底稿.xlsx", (moment, moment))
    assert set(statuses(again(played))) == {"完成"}
    crashing.whole(played, "2")
    assert not list((played / "成果").rglob("*人工修改*"))


# --- folders that cannot be used ----------------------------------------------------------------


@pytest.mark.parametrize("blocked", ["成果", "成果/.evalkit.lock", "成果/manifest.jsonl"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(played, blocked):
    path = played / blocked
    if blocked == "成果":
        path.write_text("是个文件", encoding="utf-8")
    else:
        path.mkdir(parents=True)  # as where nobody may write; a superuser may everywhere
    with pytest.raises(EvalkitError, match="不能写入"):
        again(played)
    assert crashing.ran(played) == []


def test_a_project_folder_without_permission_fails_in_a_sentence(played, monkeypatch):
    replace = os.replace

    def refuse(source, target) -> None:
        if FIRST in str(target):
            raise PermissionError(13, "Permission denied", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    done = again(played)
    assert statuses(done) == ["失败", "完成", "完成", "完成"]
    assert "没有写入权限，或文件被其他程序占用" in str(done[CODES[0]].failure)
    monkeypatch.setattr(os, "replace", replace)
    crashing.ran(played)
    assert statuses(again(played)) == ["未变化"] * 4  # it was made, and only had to be put in place
    assert crashing.ran(played) == []


def test_a_summary_that_cannot_be_written_is_told_and_no_project_is_lost(played, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "write_pages", full)
        with pytest.raises(EvalkitError, match="各项目的成果都已保存"):
            again(played)
    assert set(statuses(again(played))) == {"未变化"}
    assert (played / "成果" / "summary.xlsx").is_file()


def test_paths_too_long_for_word_are_told_before_anything_runs(played):
    deep = played.joinpath(*["很深的文件夹" * 5] * 5)
    with pytest.raises(EvalkitError) as caught:
        run_batch(played / "清单.csv", deep, reporter=Mute())
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == len(CODES)
    assert "超过 240 个" in said[0]
    assert "请换一个更浅的输出文件夹" in said[0]
    assert not deep.exists()
    assert crashing.ran(played) == []


def test_a_list_that_is_about_nothing_writable_leaves_no_folder(played):
    with pytest.raises(EvalkitError):
        run_batch(played / "没有.csv", played / "成果", reporter=Mute())
    assert not (played / "成果").exists()


# --- where results come from --------------------------------------------------------------------


def test_a_result_says_which_batch_made_it_and_of_what(played):
    again(played)
    record = json.loads((played / "成果" / FIRST / "result.json").read_text(encoding="utf-8"))
    batch = record["run"]["batch"]
    assert batch["list"] == {"file": "清单.csv", "sha256": run.sha256(played / "清单.csv")}
    assert batch["row"] == 2
    assert batch["inputs"]["workbook"] == run.sha256(played / CODES[0] / "底稿.xlsx")
    assert batch["inputs"]["notebook"] == run.sha256(played / "ok.ipynb")
    assert {"evalkit", "template", "parameters"} <= batch["inputs"].keys()
    lines = (played / "成果" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    begun = json.loads(lines[0])
    assert (begun["event"], begun["id"]) == ("batch", batch["id"])
    assert {"pandas", "python-docx", "papermill"} <= begun["packages"].keys()


def test_equal_inputs_give_equal_results_and_reports_in_any_folder(tmp_path):
    import zipfile

    made = []
    for name in ("甲", "b c"):
        book = tmp_path / name / "in" / "数据底稿.xlsx"
        shutil.copytree(ROOT / "params/demo/library", book.parent)
        out = tmp_path / name / "一" / "成果"
        (outcome,) = run.run_one("project_evaluation", book, out, stage="初稿").outcomes
        assert outcome.status == "完成", outcome.failure
        text = (outcome.folder / "result.json").read_text(encoding="utf-8")
        with zipfile.ZipFile(outcome.folder / REPORT) as report:
            parts = {part: report.read(part) for part in report.namelist()}
        made.append((json.dumps(json.loads(text)["result"], ensure_ascii=False), parts))
        recorded = json.loads(text)["run"]
        assert list(recorded["template"]) == ["project_evaluation.docx"]
        assert list(recorded["policy"]) == ["national.yaml"]
        assert {"python", "evalkit", "packages", "batch"} <= recorded.keys()
        texts = [p for p in outcome.folder.iterdir() if p.suffix in (".json", ".html", ".ipynb")]
        for path in texts:  # nothing tells of the folder it was made in
            assert RUNNING not in path.read_text(encoding="utf-8")
        notebook = (outcome.folder / "project_evaluation.ipynb").read_text(encoding="utf-8")
        assert json.dumps(str(outcome.folder), ensure_ascii=False)[1:-1] in notebook
    assert made[0] == made[1]


def test_a_lock_file_is_all_that_an_idle_folder_keeps_beside_results(played):
    again(played)
    own = {path.name for path in (played / "成果").iterdir() if path.is_file()}
    assert own == {LOCK, "index.html", "manifest.jsonl", "run_log.jsonl", "summary.xlsx"}
    assert FILES.is_dir()
