"""The same list on a Dask cluster: a real scheduler and two workers on loopback, and their end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from batch_support import lay_out, row, write_list
from crashing import Mute
from support import SOAK
from test_engine_kernels import gone, parts, soon, write_notebook

from evalkit.batch import cluster
from evalkit.batch.perform import order_of
from evalkit.batch.run import run_batch
from evalkit.batch.status import LOG
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError

distributed = pytest.importorskip("distributed", reason="needs the dask extra")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions and signals of POSIX")
PATIENCE = 90


class Processes:
    """A scheduler and its workers, as the README starts them."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folder, self.stack = folder, ExitStack()
        file = folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", str(file))
        assert soon(lambda: file.exists() and file.stat().st_size > 0, PATIENCE)
        self.address = json.loads(file.read_text(encoding="utf-8"))["address"]
        self.workers = [self.start("worker", self.address, "--nthreads", "1", "--local-directory",
                                   str(folder / str(n))) for n in range(workers)]  # fmt: skip
        with distributed.Client(self.address, set_as_default=False) as client:
            if workers:
                client.wait_for_workers(workers, timeout=PATIENCE)

    def start(self, kind: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", kind, *arguments, "--no-dashboard"]
        command += ["--host", "127.0.0.1"]
        log = self.stack.enter_context((self.folder / f"{kind}.log").open("ab"))
        return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def below(self) -> list[psutil.Process]:
        """What the workers have started, and what that has."""
        found = [psutil.Process(w.pid) for w in self.workers if w.poll() is None]
        return [child for process in found for child in process.children(recursive=True)]

    def end(self) -> None:
        left = self.below()
        for process in (*self.workers, self.scheduler):
            process.terminate()
        for process in (*self.workers, self.scheduler):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.stack.close()
        assert soon(lambda: gone(*(p.pid for p in left)), 10)


@contextmanager
def processes(folder: Path, workers: int = 2) -> Iterator[Processes]:
    folder.mkdir(exist_ok=True)
    started = Processes(folder, workers)
    try:
        yield started
    finally:
        started.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("集群")) as started:
        yield started


def kernels_of(started: Processes) -> list[psutil.Process]:
    """The leaders of sessions below the workers, but for the warm parents."""
    found = []
    for process in started.below():
        try:
            if os.getsid(process.pid) == process.pid and "evalkit.engine.warm" in "".join(
                process.parent().cmdline()
            ):
                found.append(process)
        except (OSError, psutil.NoSuchProcess, AttributeError):
            continue
    return found


def stages(out: Path, code: str) -> list[str]:
    if not (out / LOG).exists():
        return []
    lines = [json.loads(line) for line in (out / LOG).read_text("utf-8").splitlines()]
    return [r["stage"] for r in lines if r["event"] == "stage" and r["code"] == code]


def statuses(batch: Any) -> dict[str, str]:
    return {o.job.code: o.status for o in batch.outcomes}


def test_results_are_the_same_bytes_as_locally(shared, tmp_path):
    path = asset("params", "demo", "projects.csv")
    codes = ["629999-2024-0417", "629999-2024-0063"][: None if SOAK else 1]
    told: list[str] = []

    class Told(Mute):
        def begin(self, total: int, at_once: int = 1, told_: str = "") -> None:
            told.append(told_)

    done = run_batch(path, tmp_path / "集群", scheduler=shared.address, only=codes, reporter=Told())
    assert not done.failed
    assert told == [f"计算集群 {shared.address}：2 个工作进程，同时运行 2 个项目"]
    assert not run_batch(path, tmp_path / "本机", only=codes, reporter=Mute()).failed
    assert parts(tmp_path / "集群") == parts(tmp_path / "本机")
    assert len(parts(tmp_path / "本机")) > 10 * len(codes)
    for outcome in done.outcomes:
        if outcome.job.code in codes:
            text = (outcome.folder / outcome.job.notebook.name).read_text("utf-8")
            assert json.loads(text)["metadata"]["papermill"]["kernel"] == "forked"
            assert str(outcome.folder) in text
    there = {name for name, _ in done.outcomes[0].stages}
    assert there - {"启动内核"} <= {*stages(tmp_path / "集群", done.outcomes[0].job.code)}
    assert not kernels_of(shared)  # and the warm parents are gone, too
    assert not any("evalkit.engine.warm" in " ".join(p.cmdline()) for p in shared.below())


def test_failures_are_those_of_the_notebook(shared, tmp_path):
    place = lay_out(tmp_path)
    rows = (
        row("1", "甲"),
        row("2", "乙", "failing"),
        row("3", "丙", "dying"),
        row("4", "丁", "hanging"),
    )
    listed = write_list(place, *rows)
    options = {"scheduler": shared.address, "timeout": 4, "reporter": Mute()}
    done = run_batch(listed, place / "成果", **options)
    assert list(statuses(done).values()) == ["完成", "失败", "失败", "失败"]
    assert [o.failure.kind for o in done.failed] == ["exception", "kernel", "timeout"]
    assert not kernels_of(shared)


def test_projects_of_a_killed_worker_are_done_elsewhere(tmp_path):
    place = lay_out(tmp_path)
    cells = "open('开始', 'w').write(code)", "import time\ntime.sleep(2)", "print('做完')"
    write_notebook(place / "slow.ipynb", *cells)
    listed = write_list(place, *(row(str(n), f"项目{n}", "slow") for n in range(4)))
    killed: list[psutil.Process] = []

    with processes(tmp_path / "集群") as started:

        class Killing(Mute):
            def stage(self, job: Any, stage: str) -> None:
                if not killed and (found := kernels_of(started)):
                    kernel = found[0]
                    nanny = next(w for w in started.workers
                                 if w.pid in [p.pid for p in kernel.parents()])  # fmt: skip
                    killed.extend([kernel, *psutil.Process(nanny.pid).children(recursive=True)])
                    nanny.kill()  # so it does not start another
                    for process in killed[1:]:
                        if "evalkit.engine.warm" not in " ".join(process.cmdline()):
                            process.kill()

        done = run_batch(listed, place / "成果", scheduler=started.address, reporter=Killing())
        assert killed
        assert soon(lambda: gone(*(p.pid for p in killed)), 5)
    assert set(statuses(done).values()) == {"完成"}
    lines = (place / "成果" / "manifest.jsonl").read_text("utf-8").splitlines()
    begun = [json.loads(line)["folder"] for line in lines if json.loads(line)["event"] == "intent"]
    assert len(begun) > len(set(begun)) == 4  # one of them twice
    assert sorted(p.name for p in (place / "成果").iterdir() if p.is_dir()) == [
        f"{n}_项目{n}" for n in range(4)
    ]


def test_a_lost_scheduler_ends_the_batch_which_can_be_resumed(tmp_path):
    place = lay_out(tmp_path)
    cells = "import time, pathlib", "time.sleep(0 if pathlib.Path('../../../快').exists() else 60)"
    write_notebook(place / "slow.ipynb", *cells)
    rows = row("1", "甲"), row("2", "乙", "slow"), row("3", "丙", "slow"), row("4", "丁", "slow")
    listed = write_list(place, *rows)

    with processes(tmp_path / "集群") as started:

        class Killing(Mute):
            def stage(self, job: Any, stage: str) -> None:
                if len(kernels_of(started)) == 2 and (place / "成果" / "1_甲").exists():
                    started.scheduler.kill()
                    killed.append(time.monotonic())

        killed: list[float] = []
        done = run_batch(listed, place / "成果", scheduler=started.address, reporter=Killing())
        assert time.monotonic() - killed[0] < 60  # nobody waited for the notebooks
        assert soon(lambda: not kernels_of(started), 60)  # workers end without a scheduler
    assert list(statuses(done).values()) == ["完成", "失败", "失败", "中断"]
    assert all("失去联系" in str(o.failure) for o in done.failed[:2])
    (place / "快").touch()
    again = run_batch(listed, place / "成果", reporter=Mute())
    assert list(statuses(again).values()) == ["未变化", "完成", "完成", "完成"]
    assert not (place / "成果" / "_运行中").exists()


def test_ctrl_c_ends_what_workers_run_and_nothing_else(shared, tmp_path):
    place = lay_out(tmp_path)
    rows = row("1", "甲"), row("2", "乙", "hanging"), row("3", "丙", "hanging"), row("4", "丁")
    listed = write_list(place, *rows)
    command = [sys.executable, "-m", "evalkit.cli", "batch", str(listed), "-o", str(place / "成果")]
    command += ["--scheduler", shared.address]
    env = os.environ | {"PYTHONUTF8": "1", "COLUMNS": "200"}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": env}
    with subprocess.Popen(command, start_new_session=True, cwd=place, **pipe) as driver:
        hung = [lambda code=code: "等待" in stages(place / "成果", code) for code in "23"]
        assert all(soon(what, PATIENCE) for what in hung)
        os.killpg(driver.pid, signal.SIGINT)
        said, errors = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 1
    assert errors == ""
    assert soon(lambda: not kernels_of(shared))
    assert said.count("中断  ") >= 3
    assert not (place / "成果" / "_运行中").exists()


# --- what is refused ----------------------------------------------------------------------------


def refused(place: Path, **options: Any) -> str:
    listed = write_list(place, row("1", "甲"))
    with pytest.raises(EvalkitError) as refusal:
        run_batch(listed, place / "成果", reporter=Mute(), **options)
    assert not (place / "成果" / "1_甲").exists()
    return str(refusal.value)


def test_where_no_scheduler_answers_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 1)
    said = refused(lay_out(tmp_path), scheduler="tcp://127.0.0.1:9")
    assert "连不上调度程序“tcp://127.0.0.1:9”" in said


def test_without_dask_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "evalkit[dask]" in refused(lay_out(tmp_path), scheduler="tcp://127.0.0.1:9")


def test_a_scheduler_without_workers_is_refused(tmp_path):
    with processes(tmp_path / "集群", 0) as started:
        assert "没有工作进程" in refused(lay_out(tmp_path), scheduler=started.address)


def test_workers_with_other_packages_are_refused(shared, tmp_path, monkeypatch):
    about = cluster.versions()
    packages = about["packages"] | {"pandas": "0.1"}
    monkeypatch.setattr(cluster, "versions", lambda: about | {"packages": packages})
    said = refused(lay_out(tmp_path), scheduler=shared.address)
    assert said.count("与本机不同：pandas") == 2


def test_workers_that_see_another_folder_are_refused(shared, tmp_path, monkeypatch):
    place = lay_out(tmp_path)
    mark = place / "记号"
    assert cluster._probed(mark, "一", place / "清单.csv", place) is None
    mark.write_text("二", encoding="utf-8")
    assert cluster._probed(mark, "一", place / "清单.csv", place) is None
    mark.write_text("一", encoding="utf-8")
    assert cluster._probed(mark, "一", place / "清单.csv", place)["清单"] == ""

    class Elsewhere:
        """A client whose worker has the output folder under another path, and one without us."""

        status = "running"

        def __init__(self, *_: Any, **__: Any) -> None: ...
        def nthreads(self) -> dict[str, int]:
            return {"甲机": 1, "乙机": 1}

        def run(self, what: Any, *facts: Any, **_: Any) -> dict[str, Any]:
            return {"甲机": None, "乙机": ModuleNotFoundError("No module named 'evalkit'")}

        def close(self, **_: Any) -> None: ...

    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=Elsewhere))
    said = refused(place, scheduler="tcp://127.0.0.1:9")
    assert "工作进程 甲机 看不到或不能写输出文件夹" in said
    assert "工作进程 乙机 不能使用 evalkit（ModuleNotFoundError" in said


def test_a_run_that_was_taken_before_is_not_taken_again(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(get_worker=lambda: None))
    order = order_of(tmp_path, [], 1, {}, 1, 1)
    with pytest.raises(cluster.Lost):
        cluster.perform_there("", order, None, tmp_path, tmp_path)


def test_a_run_taken_back_is_stopped(tmp_path):
    mark = tmp_path / cluster.TAKEN
    mark.touch()
    stopped = cluster._Mark(mark)
    assert not stopped.is_set()
    shutil.rmtree(tmp_path)  # the next batch clears away what was left
    assert stopped.is_set()
