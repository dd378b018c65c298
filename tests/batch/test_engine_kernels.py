"""Kernels forked from a warm parent or started ahead: what cells may do, and what they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
import pytest
from batch_support import lay_out, row, write_list
from rich.console import Console

from evalkit.batch.jobs import read_list
from evalkit.batch.results import Screen
from evalkit.batch.run import run_batch
from evalkit.batch.status import LOG
from evalkit.core.paths import asset
from evalkit.engine import kernels
from evalkit.engine.notebook import ATTEMPTS
from evalkit.engine.run import Run
from evalkit.engine.warm import WAYS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions and signals of POSIX")
SOAK = os.environ.get("EVALKIT_SOAK") == "1"
MB = 2**20
Execute = Callable[..., Run]


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook of code cells; the first is tagged `parameters`."""
    book = nbformat.v4.new_notebook()
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book.cells = [nbformat.v4.new_code_cell(source) for source in ("code = ''", *cells)]
    book.cells[0].metadata.tags = ["parameters"]
    nbformat.write(book, path)
    return path


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    kernels.close()


@pytest.fixture(params=["forked", "ready"])
def way(request, monkeypatch) -> Iterator[str]:
    """Each way to come by a kernel; the warm parent of the other tests is not used up by it."""
    if request.param == "ready":
        monkeypatch.setattr(kernels, "_SOURCES", {})
        monkeypatch.setenv("EVALKIT_KERNELS", "ready")
    yield request.param
    if request.param == "ready":
        kernels.close()


@pytest.fixture
def execute(tmp_path) -> Execute:
    """Run a notebook of some cells; further arguments are those of `Run`."""

    def run(*cells: str, **options: Any) -> Run:
        path = write_notebook(tmp_path / f"{time.monotonic_ns()}.ipynb", *cells)
        found = Run(path, {"code": "1"}, tmp_path, **options)
        found.execute()
        return found

    return run


def printed(run: Run) -> str:
    """What the cells printed."""
    return "".join(o.text for c in run.node.cells for o in c.get("outputs", []) if "text" in o)


def gone(*pids: int) -> bool:
    """True if none of the processes lives (a zombie does not)."""
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            continue
    return True


def soon(what: Callable[[], bool], seconds: float = 2) -> bool:
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.05)
    return what()


def test_a_project_leaves_nothing_to_the_next(execute, way):
    leave = """
import builtins, os, sys
import matplotlib as mpl, numpy as np, pandas as pd
from evalkit.report import figures
builtins.left = sys.left = figures.DPI = 1
os.environ["LEFT"] = "1"
sys.path.append("/left")
np.random.seed(1)
pd.set_option("display.max_rows", 1)
mpl.rcParams["font.size"] = 1
print(os.getpid(), mpl.rcParams["font.size"], pd.get_option("display.max_rows"), figures.DPI)
"""
    look = """
import builtins, os, sys
import matplotlib as mpl, numpy as np, pandas as pd
from evalkit.report import figures
left = hasattr(builtins, "left"), hasattr(sys, "left"), "LEFT" in os.environ, "/left" in sys.path
print(any(left))
print(mpl.rcParams["font.size"], pd.get_option("display.max_rows"), figures.DPI, np.random.rand())
"""
    first, second, third = execute(leave), execute(look), execute(look)
    assert [run.failure for run in (first, second, third)] == [None] * 3
    assert {run.kernel.way for run in (first, second, third)} == {way}
    assert printed(first).split()[1:] == ["1.0", "1", "1"]
    assert printed(second).split()[:4] == ["False", "10.0", "60", "300"]
    draws = [printed(run).split()[-1] for run in (second, third)]
    assert draws[0] != draws[1]
    assert len({run.kernel.process.pid for run in (first, second, third)}) == 3


def test_a_failing_cell_fails_its_project_alone(execute, way):
    bad, good = execute("1 / 0"), execute("print('好')")
    assert bad.failure.kind == "exception"
    assert bad.failure.lines == ("出错，ZeroDivisionError：division by zero",)
    assert good.failure is None
    assert printed(good) == "好\n"


def test_a_cell_that_leaves_python_fails_its_project_alone(execute, way):
    bad = execute("import os\nos._exit(0)", "2")
    assert (bad.failure.kind, bad.failure.lines) == ("kernel", ("计算进程意外退出",))
    assert bad.failure.cell == 3  # behind the parameters and those that were given
    assert execute("print('好')").failure is None


def test_a_segmentation_fault_is_told_and_not_tried_again(execute, tmp_path, way):
    tries = tmp_path / "tries"
    bad = execute(
        f"open({str(tries)!r}, 'a').write('x')",
        "import ctypes\nprint('至此')",
        "ctypes.string_at(0)",
    )
    assert bad.failure.kind == "kernel"
    assert "SIGSEGV" in bad.failure.lines[0]
    assert "至此" in printed(bad)
    assert tries.read_text() == "x"


def test_a_hanging_cell_ends_with_its_whole_session(execute, way):
    hang = """
import re, subprocess, sys
child = subprocess.Popen(["sleep", "600"])
grandchild = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!"], stdout=subprocess.PIPE)
print(child.pid, int(grandchild.stdout.readline()), flush=True)
"""
    begun = time.monotonic()
    run = execute(hang, "re.match('(a+)+$', 'a' * 64 + 'b')", timeout=4)  # holds the lock of Python
    assert run.failure.kind == "timeout"
    assert run.failure.lines == ("项目用时超过 4 秒，已停止",)
    assert gone(run.kernel.process.pid, *map(int, printed(run).split()))
    assert kernels.session(run.kernel.process.pid) == []
    assert time.monotonic() - begun < 4 + kernels.START


def test_within_two_seconds_of_its_time_no_process_of_a_project_lives(tmp_path):
    """Seen from outside, while the run itself is still at work."""
    path = write_notebook(tmp_path / "hang.ipynb", "while True: pass")
    run = Run(path, {}, tmp_path, timeout=3)
    thread = threading.Thread(target=run.execute)
    thread.start()
    assert soon(lambda: bool(run.kernel and run.kernel.process), kernels.START)
    pid, begun = run.kernel.process.pid, time.monotonic()
    time.sleep(2)
    assert kernels.session(pid) != []
    assert soon(lambda: kernels.session(pid) == [], 3)
    assert time.monotonic() - begun < 3 + 2
    thread.join()


def test_a_project_that_takes_too_much_memory_is_ended(execute, way):
    greedy = "import time\nblock = bytearray(b'1') * (600 * 2**20)\ntime.sleep(60)"
    run = execute(greedy, memory=500 * MB)
    assert (run.failure.kind, run.failure.cell) == ("memory", 3)
    assert run.failure.lines == ("项目占用内存超过 500 MB，已停止",)
    assert kernels.session(run.kernel.process.pid) == []


def test_memory_counts_what_a_project_has_started(execute):
    greedy = "block = bytearray(b'1') * (600 * 2**20); import time; time.sleep(60)"
    run = execute(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {greedy!r}])",
                  memory=500 * MB)  # fmt: skip
    assert run.failure.kind == "memory"


def test_what_a_cell_leaves_running_ends_with_its_project(execute, way):
    leak = """
import subprocess, sys, threading, time
def forever():
    while True:
        time.sleep(1)
for _ in range(5):
    threading.Thread(target=forever).start()
sleepers = [subprocess.Popen(["sleep", "600"]).pid for _ in range(3)]
print(*sleepers)
"""
    run = execute(leak)
    assert run.failure is None
    assert gone(run.kernel.process.pid, *map(int, printed(run).split()))


def test_a_killed_process_is_no_fault_of_its_project_which_runs_again(tmp_path, way):
    tries = tmp_path / "tries"
    cells = (
        f"tries = open({str(tries)!r}, 'a+')\ntries.write('x')\ntries.flush()\ntries.seek(0)",
        "import time\nif len(tries.read()) == 1: time.sleep(60)",
    )
    run = Run(write_notebook(tmp_path / "killed.ipynb", *cells), {}, tmp_path)
    thread = threading.Thread(target=run.execute)
    thread.start()
    assert soon(lambda: len(run.started) > 2, kernels.START)
    killed = run.kernel.process.pid
    os.kill(killed, signal.SIGKILL)
    thread.join(kernels.START)
    assert run.failure is None
    assert tries.read_text() == "xx"
    assert run.kernel.process.pid != killed


def test_what_kills_itself_again_and_again_fails_in_the_end(execute, tmp_path):
    tries = tmp_path / "tries"
    suicide = f"open({str(tries)!r}, 'a').write('x')\nimport os\nos.kill(os.getpid(), 9)"
    run = execute(suicide)
    assert run.failure.kind == "kernel"
    assert "SIGKILL" in run.failure.lines[0]
    assert tries.read_text() == "x" * ATTEMPTS


def test_a_refused_workbook_is_never_tried_again(execute, tmp_path):
    tries = tmp_path / "tries"
    refuse = """
from evalkit.core.problem import EvalkitError, Problem
raise EvalkitError([Problem(what="目标值为空")])
"""
    run = execute(f"open({str(tries)!r}, 'a').write('x')", refuse)
    assert run.failure.kind == "refused"
    assert tries.read_text() == "x"


def test_a_lost_warm_parent_is_replaced_and_its_project_runs_again(execute, tmp_path):
    assert execute("1").failure is None
    (source,) = kernels._SOURCES.values()
    path = write_notebook(tmp_path / "slow.ipynb", "import time\ntime.sleep(1.5)", "print('好')")
    run = Run(path, {}, tmp_path)
    thread = threading.Thread(target=run.execute)
    thread.start()
    assert soon(lambda: len(run.started) > 1, kernels.START)
    source.process.kill()
    thread.join(kernels.START)
    assert run.failure is None
    assert printed(run) == "好\n"
    (replaced,) = kernels._SOURCES.values()
    assert replaced is not source
    assert run.kernel.way == "forked"


def test_where_no_parent_can_be_warmed_kernels_are_started_ahead(execute, tmp_path, monkeypatch):
    refusal = "import sys\nif 'evalkit.engine.warm' in sys.orig_argv: raise SystemExit(1)"
    (tmp_path / "sitecustomize.py").write_text(refusal, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(kernels, "_SOURCES", {})
    run = execute("print('好')")
    assert run.failure is None
    assert run.node.metadata.papermill.kernel == run.kernel.way == "ready"
    kernels.close()


def test_nothing_outlives_a_killed_driver(tmp_path):
    path = write_notebook(
        tmp_path / "hang.ipynb",
        "import subprocess, time\nprint(subprocess.Popen(['sleep', '600']).pid)",
        "time.sleep(600)",
    )
    code = f"""
import threading, time
from pathlib import Path
from evalkit.engine.run import Run
run = Run(Path({str(path)!r}), {{}}, Path({str(tmp_path)!r}))
threading.Thread(target=run.execute, daemon=True).start()
while len(run.started) < 3:
    time.sleep(0.05)
print(run.kernel.process.pid, run.node.cells[1].outputs[0].text, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as driver:
        pids = [int(pid) for pid in driver.stdout.readline().split()]
        below = [child.pid for child in psutil.Process(driver.pid).children(recursive=True)]
        assert {*pids} <= {*below}
        driver.kill()
    assert soon(lambda: gone(*below), 3)


def test_ctrl_c_ends_a_batch_cleanly_and_the_next_goes_on(tmp_path):
    place = lay_out(tmp_path)
    listed = write_list(place, row("1", "甲"), row("2", "乙", "hanging"), row("3", "丙"))
    command = [sys.executable, "-m", "evalkit.cli", "batch", str(listed), "-j", "1"]
    command += ["-o", str(place / "成果")]
    env = os.environ | {"PYTHONUTF8": "1", "COLUMNS": "200"}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": env}
    with subprocess.Popen(command, start_new_session=True, cwd=place, **pipe) as driver:
        log = place / "成果" / LOG
        hung = '"code": "2", "name": "乙", "stage": "等待"'
        assert soon(lambda: log.exists() and hung in log.read_text("utf-8"), 2 * kernels.START)
        below = [child.pid for child in psutil.Process(driver.pid).children(recursive=True)]
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
        said, errors = driver.communicate(timeout=kernels.START)
    assert driver.returncode == 1
    assert (errors, gone(*below)) == ("", True)
    assert "中断  2  乙" in said
    again = subprocess.run([*command, "--only", "1,3"], check=True, cwd=place, **pipe)
    assert "未变化，跳过  1  甲" in again.stdout
    assert "完成  3  丙" in again.stdout


def bare(node: Any) -> list[Any]:
    """A notebook's code cells without what differs from run to run."""
    cells = [c for c in json.loads(nbformat.writes(node))["cells"] if c["cell_type"] == "code"]
    for cell in cells:
        cell.pop("id")
        times = cell["metadata"].pop("papermill")
        assert times.keys() == {"duration", "end_time", "exception", "start_time", "status"}
        cell["state"] = [times["status"], times["exception"], times["duration"] is None]
        cell["metadata"].pop("execution", None)
        cell["source"] = "".join(cell["source"])
        cell["metadata"]["tags"] = sorted(cell["metadata"].get("tags", []))
    return cells


TALKATIVE = (
    "print('标准输出')\n1 + 1",
    "import sys\nprint('错误输出', file=sys.stderr)",
    "import pandas as pd\npd.DataFrame({'甲': [1, 2]})",
    "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.title('x')\nplt.show()",
    "!echo 命令",
    "import asyncio\nawait asyncio.sleep(0)\n'异步'",
    "from IPython.display import HTML, display\ndisplay(HTML('<b>粗</b>'))\n_",
    "raise LookupError('目标值为零')",
    "'没有运行'",
)


def test_the_executed_notebook_is_as_papermill_writes_it(tmp_path, way):
    path = write_notebook(tmp_path / "talkative.ipynb", *TALKATIVE)
    with pytest.raises(papermill.PapermillExecutionError) as stopped:
        papermill.execute_notebook(
            str(path), str(tmp_path / "stock.ipynb"), {"code": "甲"}, engine_name="nbclient",
            kernel_name="python3", progress_bar=False, cwd=tmp_path,
        )  # fmt: skip
    stock = nbformat.read(tmp_path / "stock.ipynb", 4)
    papermill.execute.remove_error_markers(stock)
    run = Run(path, {"code": "甲"}, tmp_path)
    run.execute()
    assert run.failure.lines == ("出错，LookupError：目标值为零",)
    ours, theirs = bare(run.node), bare(stock)
    sources = [cells[1].pop("source") for cells in (ours, theirs)]
    assert sources == ["# Parameters\ncode = '甲'\n", '# Parameters\ncode = "\\u7532"\n']
    assert ours == theirs
    assert str(stopped.value.evalue) in str(run.node.cells[-2].outputs)
    outer = [{*node.metadata.papermill} for node in (run.node, stock)]
    assert outer[0] - outer[1] == {"kernel"}
    assert run.node.metadata.language_info == stock.metadata.language_info


def test_papermills_own_command_takes_the_engine_by_name(tmp_path):
    path = write_notebook(tmp_path / "light.ipynb", "import os\nprint(code, os.getcwd())")
    command = [sys.executable, "-m", "papermill", str(path), str(tmp_path / "out.ipynb")]
    command += ["--engine", "evalkit", "-p", "code", "7", "--no-progress-bar"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    node = nbformat.read(tmp_path / "out.ipynb", 4)
    assert node.cells[-1].outputs[0].text == f"7 {tmp_path}\n"
    assert node.metadata.papermill.kernel == "forked"
    assert {cell.metadata.papermill.status for cell in node.cells} == {"completed"}


def test_the_kit_says_where_kernels_come_from(tmp_path, way, monkeypatch):
    monkeypatch.setattr(kernels, "_SOURCES", {})
    place = lay_out(tmp_path)
    console = Console(width=200, record=True, markup=False)
    path = write_list(place, row("1", "甲"), row("2", "乙"))
    before = {*psutil.Process().children(recursive=True)}
    batch = run_batch(path, place / "成果", jobs=2, reporter=Screen(console))
    assert batch.exit_code == 0
    assert f"计算进程{WAYS[way]}，同时运行 2 个项目" in console.export_text()
    assert {*psutil.Process().children(recursive=True)} == before


@pytest.mark.parametrize(
    ("asked", "platform", "found"),
    [
        ("", "linux", "forked"),
        ("ready", "linux", "ready"),
        ("", "darwin", "ready"),  # fork after Apple's frameworks are loaded may crash
        ("forked", "darwin", "forked"),
        ("forked", "win32", "ready"),
    ],
)
def test_fork_is_used_where_it_is_sound(monkeypatch, asked, platform, found):
    monkeypatch.setenv("EVALKIT_KERNELS", asked)
    monkeypatch.setattr(sys, "platform", platform)
    if platform == "win32":
        monkeypatch.delattr(os, "fork")
    assert kernels.default_way() == found


def parts(out: Path) -> dict[str, Any]:
    """What equal inputs give equally: the `result` parts, and the parts of the documents."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.name == "result.json":
            found[name] = json.loads(path.read_text(encoding="utf-8"))["result"]
        elif path.suffix == ".docx":
            with zipfile.ZipFile(path) as package:
                found |= {f"{name}/{part}": package.read(part) for part in package.namelist()}
        elif path.suffix == ".png":
            found[name] = path.read_bytes()
    return found


LISTS = ("projects", "filed", "standards") if SOAK else ("projects",)


@pytest.mark.parametrize("name", LISTS)
def test_equal_inputs_give_equal_results_whatever_runs_them(tmp_path, monkeypatch, name):
    monkeypatch.setattr(kernels, "_SOURCES", {})
    path = asset("params", "demo", f"{name}.csv")
    codes = [job.code for job in read_list(path)][: 4 if SOAK else 2]
    found = []
    ways = [("forked", 3), ("ready", 2), *([("forked", 1)] if SOAK else [])]
    for number, (kind, jobs) in enumerate(ways):  # the stock engine runs one after the other
        monkeypatch.setenv("EVALKIT_KERNELS", kind)
        out = tmp_path / str(number)
        assert run_batch(path, out, jobs=jobs, only=codes).failed == []
        found.append(parts(out))
    stock = tmp_path / "stock"
    for job in read_list(path):
        if job.code in codes:
            folder = stock / job.folder
            folder.mkdir(parents=True)
            papermill.execute_notebook(
                str(job.notebook), None, job.injected(folder), engine_name="nbclient",
                kernel_name="python3", progress_bar=False, cwd=folder,
            )  # fmt: skip
    found.append(parts(stock))
    assert len(found[0]) > 10 * len(codes)
    assert all(other == found[0] for other in found)


def test_many_projects_take_no_more_memory_and_time_at_the_end(tmp_path):
    number, each = (500, 100) if SOAK else (20, 5)
    place = lay_out(tmp_path)
    write_notebook(place / "light.ipynb", "import pandas as pd\ntotal = sum(range(1_000_000))")
    path = write_list(place, *(row(f"{n:03}", f"项目{n}", "light") for n in range(number)))
    marks: list[tuple[float, float]] = []  # CPU seconds and resident bytes when one is done

    class Noting(Screen):
        def done(self, outcome: Any) -> None:
            super().done(outcome)
            mine = psutil.Process()
            own, cpu = mine.cpu_times(), 0.0
            resident = mine.memory_info().rss
            for child in mine.children(recursive=True):
                try:
                    spent = child.cpu_times()
                    cpu += spent.user + spent.system + spent.children_user + spent.children_system
                    resident += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            marks.append((own.user + own.system + cpu, resident))

    with (tmp_path / "screen.txt").open("w", encoding="utf-8") as stream:
        batch = run_batch(path, place / "成果", reporter=Noting(Console(file=stream)))
    assert batch.failed == []
    fifths = [marks[begin : begin + each] for begin in range(0, number, each)]
    peaks = [sorted(resident for _, resident in part)[each * 9 // 10] for part in fifths]
    spent = [part[-1][0] - part[each // 10][0] for part in fifths]
    assert peaks[-1] <= peaks[0] * (1.05 if SOAK else 1.25)
    if SOAK:  # of a few the CPU seconds say nothing
        assert spent[-1] <= spent[0] * 1.3
