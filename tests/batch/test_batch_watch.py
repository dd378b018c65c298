"""Watching a batch: its log, `evalkit status`, the time to go, and how long each step took."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import crashing
import openpyxl
import pytest
from crashing import CODES, Meanwhile, Mute, again, statuses
from rich.console import Console

from evalkit.batch import run
from evalkit.batch.outcome import Outcome
from evalkit.batch.results import Screen
from evalkit.batch.status import LOG, Log, read_status
from evalkit.core.problem import EvalkitError
from evalkit.engine.notebook import Failure


def command(place, *arguments: str, encoding: str = "utf-8") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "evalkit.cli", "status", *arguments],
        cwd=place, capture_output=True, check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).decode(encoding)


def log_of(place) -> list[dict]:
    lines = (place / "成果" / LOG).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_log_tells_what_happened_in_order(played):
    again(played)
    lines = log_of(played)
    assert [lines[0]["event"], *(line["event"] for line in lines[-2:])] == ["begin", "pages", "end"]
    assert (lines[0]["total"], lines[0]["list"]["file"]) == (len(CODES), "清单.csv")
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert len({line["batch"] for line in lines}) == 1
    ends = {line["code"]: line for line in lines if line["event"] == "done"}
    assert [ends[code]["status"] for code in CODES] == ["完成"] * 4
    assert [stage for stage, _ in ends[CODES[0]]["stages"]] == ["生成网页"]


def test_status_of_a_batch_that_is_running(played):
    seen = []

    def look() -> None:
        seen.append((read_status(played / "成果"), command(played, "成果")))

    again(played, Meanwhile(look), jobs=1)
    ((found, (code, said)),) = seen
    assert (found["state"], found["left"]) == ("running", len(CODES) - 1)
    assert code == 0
    assert "清单.csv" in said and "正在运行" in said
    assert "运行中 1，未运行 3" in said
    assert "预计还需 还不能估计" in said
    assert f"运行中  {CODES[0]}  项目{CODES[0]}  准备" in said


def test_status_of_a_batch_that_has_ended_with_failures(played):
    (played / CODES[1] / "底稿.xlsx").write_text("不是数", encoding="utf-8")
    again(played)
    code, said = command(played, "成果")
    assert code == 1
    assert "已结束" in said
    assert "共 4 个：完成 3，失败 1，未运行 0" in said.replace("失败 1，完成 3", "完成 3，失败 1")
    assert f"失败  {CODES[1]}  项目{CODES[1]}  程序内部错误" in said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="ends a forked child")
def test_status_of_a_batch_that_was_killed_says_so_and_what_was_running(played):
    out = played / "成果"

    def killed() -> None:
        again(played, Meanwhile(lambda: os._exit(9)), jobs=1)

    assert crashing.in_child(killed) == 9
    with (out / LOG).open("a", encoding="utf-8") as stream:
        stream.write('{"event": "done", "co')  # torn
    code, said = command(played, "成果")
    assert code == 0
    assert "没有正常结束" in said and "只补做没有完成的" in said
    assert "中途停下 1，未运行 3" in said
    again(played)
    assert read_status(out)["state"] == "end"


def test_status_counts_only_the_last_batch(played):
    again(played)
    again(played, only=CODES[:2])
    found = read_status(played / "成果")
    assert (found["begin"]["total"], found["counts"]) == (2, {"未变化": 2})


def test_a_folder_without_a_batch_is_told_and_left_alone(tmp_path):
    code, said = command(tmp_path, str(tmp_path))
    assert code == 2
    assert "没有运行记录" in said
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(EvalkitError, match="没有运行记录"):
        read_status(tmp_path / "没有")


def test_status_speaks_on_a_console_of_codepage_936(played):
    again(played)
    code, said = command(played, "成果", encoding="gb18030")
    assert code == 0
    assert "共 4 个：完成 4" in said
    assert "共 4 个" in command(played, "成果", encoding="cp936")[1]


def test_a_name_that_codepage_936_lacks_stops_nothing(tmp_path):
    log = Log(tmp_path, "1")
    log.add("begin", total=1, at_once=1)
    log.add("done", code="1", name="𠀀☃", status="失败", seconds=1, reason="缺𠀀")
    code, said = command(tmp_path, str(tmp_path), encoding="cp936")
    assert code == 1
    assert "失败  1  ??  缺?" in said


# --- what is still to come ----------------------------------------------------------------------


def finished(job, status, seconds=0.0) -> Outcome:
    failure = Failure("refused", ("缺",)) if status == "失败" else None
    return Outcome(job, job.workbook.parent, status, failure, seconds=seconds)


def test_plain_lines_say_how_long_it_will_take_once_something_has_run(played):
    jobs, text = run.read_list(played / "清单.csv"), io.StringIO()
    screen = Screen(Console(file=text, width=200, markup=False, highlight=False))
    screen.begin(4, at_once=2)
    screen.done(finished(jobs[0], "未变化"))
    screen.done(finished(jobs[1], "完成", 60))
    screen.done(finished(jobs[2], "失败", 30))
    screen.done(finished(jobs[3], "完成", 30))
    lines = text.getvalue().splitlines()
    assert "预计" not in lines[1]  # what was passed over tells nothing
    assert lines[2].endswith("60.0 秒  预计还需 1 分 0 秒")
    assert lines[3].endswith("30.0 秒  预计还需 22 秒")
    assert "预计" not in lines[4]


def test_the_live_view_has_the_stage_of_each_project_and_the_time_to_go(played):
    jobs = run.read_list(played / "清单.csv")
    screen = Screen(Console(force_terminal=True, width=120, file=io.StringIO()))
    screen.begin(4, at_once=2)
    screen.stage(jobs[0], "二、评分")
    screen.stage(jobs[1], "五、图")
    screen.done(finished(jobs[0], "完成", 10))
    shown = {task.description: task.fields["stage"] for task in screen.view.tasks}
    assert shown == {"全部项目": "1/4 预计还需 15 秒", f"项目{CODES[1]}": "五、图"}
    screen.view.stop()


# --- how long each step took --------------------------------------------------------------------


def test_manifest_log_and_summary_have_the_seconds_of_each_stage(played, monkeypatch):
    execute = crashing.Run.execute

    def staged(self) -> None:
        for name in ("启动内核", "一、读取", "一、读取", "二、评分"):
            self.tell(name)
        execute(self)

    def begun(self, notebook, parameters, folder, timeout, memory, tell, *more) -> None:
        initialise(self, notebook, parameters, folder)
        self.tell = tell

    initialise = crashing.Run.__init__
    monkeypatch.setattr(crashing.Run, "__init__", begun)
    monkeypatch.setattr(crashing.Run, "execute", staged)
    again(played)
    again(played, only=[CODES[0]])  # times of what was passed over stay
    names = ["启动内核", "一、读取", "二、评分", "生成网页"]
    lines = (played / "成果" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    made = [r for r in map(json.loads, lines) if r["event"] == "done" and r["folder"]]
    assert [[name for name, _ in r["stages"]] for r in made] == [names] * 4
    assert all(seconds >= 0 for r in made for _, seconds in r["stages"])
    assert [[n for n, _ in r["stages"]] for r in log_of(played) if r["event"] == "done"][:4] == [
        names
    ] * 4
    page = openpyxl.load_workbook(played / "成果" / "summary.xlsx")["运行用时"]
    head, *rows = list(page.iter_rows(min_row=2, values_only=True))
    assert [row[0] for row in rows] == CODES
    first = dict(zip(head, rows[0], strict=True))
    assert first["最长的一步"] in names
    assert first["各步用时（秒）"].startswith("启动内核 0.0；一、读取 0.")
    assert first["用时（秒）"] >= first["该步（秒）"]


class Telling(Mute):
    """Keeps the stages it is told."""

    def stage(self, job, stage) -> None:
        self.stages = [*getattr(self, "stages", []), (job.code, stage)]


def test_a_log_that_cannot_be_written_stops_nothing(played):
    (played / "成果" / LOG).mkdir(parents=True)
    assert set(statuses(again(played))) == {"完成"}


def test_the_reporter_hears_the_stages_that_the_log_has(played):
    reporter = Telling()
    again(played, reporter, jobs=1)
    assert reporter.stages == [
        (line["code"], line["stage"]) for line in log_of(played) if line["event"] == "stage"
    ]
    assert (CODES[3], "生成网页") in reporter.stages
