from __future__ import annotations

import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import papermill
import psutil
import pytest
from batch_support import FILES
from jupyter_client.connect import LocalPortCache

from evalkit.engine import kernels
from evalkit.engine.notebook import Failure, plain
from evalkit.engine.run import Run


def execute(notebook: str, folder: Path, **limits: float) -> Run:
    run = Run(FILES / f"{notebook}.ipynb", {"out": str(folder)}, folder, **limits)
    run.execute()
    return run


def statuses(run: Run) -> list[str]:
    cells = run.node.cells
    return [c.metadata.papermill.status for c in cells if c.cell_type == "code"]


@pytest.fixture(scope="module", autouse=True)
def _closed():
    yield
    kernels.close()
    assert psutil.Process().children(recursive=True) == []


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("带{x}的文件夹")
    (folder / "底稿").write_text("某县甲中心｜125000", encoding="utf-8")
    stages: list[str] = []
    parameters = {
        "out": str(folder),
        "workbook": str(folder / "底稿"),
        "code": "0012",
        "name": '某县"环卫"项目\\{{ 1 }}',
        "top": np.int64(7),
    }
    before = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "Agg"
    try:
        run = Run(FILES / "ok.ipynb", parameters, folder, on_stage=stages.append)
        run.execute()
    finally:
        del os.environ["MPLBACKEND"]
        if before is not None:
            os.environ["MPLBACKEND"] = before
    return run, stages, folder


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> dict[str, Run]:
    """The notebooks that end badly by themselves, run side by side."""
    names = ["failing", "refusing", "dying", "leaving", "blank_figure"]
    folder = tmp_path_factory.mktemp("坏")
    with ThreadPoolExecutor(3) as pool:
        return dict(zip(names, pool.map(lambda name: execute(name, folder), names), strict=True))


def test_a_good_notebook_has_no_failure_and_carries_papermills_metadata(good):
    run, _, folder = good
    assert run.failure is None
    found = run.node.metadata.papermill
    assert found.input_path == str(FILES / "ok.ipynb")
    assert found.output_path == str(folder / "ok.ipynb")
    assert found.parameters.code == "0012"
    assert found.version == papermill.__version__
    assert found.duration > 0
    assert set(statuses(run)) == {"completed"}
    assert run.node.metadata.kernelspec.name == "python3"


def test_parameters_are_injected_as_people_write_them(good):
    run, _, _ = good
    (cell,) = [c for c in run.node.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert "name = '某县\"环卫\"项目\\\\{{ 1 }}'" in cell.source
    assert "code = '0012'" in cell.source
    assert "top = 7" in cell.source.splitlines()


def test_the_kernel_draws_inline_and_works_in_the_project_folder(good):
    run, _, folder = good
    shown = run.node.cells[-1].outputs[0].data["text/plain"]
    assert "matplotlib_inline" in shown
    assert str(folder) in shown


def test_the_headings_of_the_notebook_are_told_as_stages(good):
    _, stages, _ = good
    assert stages[0] == "启动内核"
    assert stages[-3:] == ["三、结果", "四、图", "五、环境"]


def test_an_exception_is_told_with_heading_cell_and_last_line(bad):
    run = bad["failing"]
    assert run.failure.kind == "exception"
    assert run.failure.place == "“二、评分”代码格 [4]"
    assert run.failure.lines == ("出错，ValueError：目标值 <b>为零</b>",)
    assert statuses(run) == ["completed", "completed", "completed", "failed", "pending"]
    assert "运行未完成" in run.node.cells[0].source


def test_a_refusal_in_the_notebook_keeps_every_sentence(bad):
    assert bad["refusing"].failure == Failure(
        "refused",
        (
            "数据底稿.xlsx｜指标｜D12：目标值为空——请填写数值",
            "数据底稿.xlsx｜资金｜C3：支出不是数字——请填写金额",
        ),
        "检查数据",
        3,
    )


def test_a_hanging_cell_is_ended_and_cells_that_never_ran_are_not_called_completed(tmp_path):
    begun = time.monotonic()
    run = execute("hanging", tmp_path, timeout=5)
    assert time.monotonic() - begun < 20
    assert run.failure.kind == "timeout"
    assert "超过 5 秒" in run.failure.lines[0]
    assert run.failure.place == "“等待”代码格 [3]"
    assert statuses(run) == ["completed", "completed", "failed", "pending"]
    assert kernels.session(run.kernel.process.pid) == []


def test_a_dead_kernel_is_a_failure_at_its_cell(bad):
    run = bad["dying"]
    assert run.failure.kind == "kernel"
    assert run.failure.place == "“退出”代码格 [3]"
    assert statuses(run)[-1] == "pending"


def test_a_notebook_that_leaves_early_is_a_failure(bad):
    run = bad["leaving"]
    assert "提前退出" in run.failure.lines[0]


def test_a_figure_cell_without_an_image_is_a_failure(bad):
    run = bad["blank_figure"]
    assert run.failure.kind == "figure"
    assert run.failure.place == "“画图”代码格 [3]"


def test_a_run_can_be_stopped_from_another_thread(tmp_path):
    run = Run(FILES / "hanging.ipynb", {}, tmp_path)
    thread = threading.Thread(target=run.execute)
    thread.start()
    while not run.started or "sleep" not in run.node.cells[run.started[-1]].source:
        time.sleep(0.05)
    run.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert run.failure.kind == "stopped"
    assert kernels.session(run.kernel.process.pid) == []


def test_a_kernel_that_does_not_start_is_told_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_KERNELS", "ready")
    monkeypatch.setattr(kernels, "_SOURCES", {})
    command = [sys.executable, "-c", "raise SystemExit('没有内核')"]
    spec = {"argv": command, "display_name": "", "language": ""}
    monkeypatch.setattr(kernels, "get_kernel_dict", lambda: spec)
    run = execute("ok", tmp_path)
    assert run.failure.kind == "kernel"
    assert "没有内核" in run.failure.lines[0]


def test_a_kernel_that_finds_its_port_taken_is_started_anew(tmp_path, monkeypatch):
    """Ports, where there are no sockets in files, are chosen before the kernel binds them; another
    process may come between."""
    monkeypatch.setattr(kernels, "_SOCKET_PATH", 0)
    find, asked = LocalPortCache.find_available_port, []
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def first_one_taken(cache: LocalPortCache, ip: str) -> int:
            asked.append(ip)
            return taken.getsockname()[1] if len(asked) == 1 else find(cache, ip)

        monkeypatch.setattr(LocalPortCache, "find_available_port", first_one_taken)
        run = execute("refusing", tmp_path)
    assert len(asked) == 10  # five ports a kernel
    assert run.failure.kind == "refused"


def test_a_kernel_lost_by_its_notebook_is_not_started_again(tmp_path):
    stages: list[str] = []
    run = Run(FILES / "dying.ipynb", {}, tmp_path, on_stage=stages.append)
    run.execute()
    assert run.failure.kind == "kernel"
    assert stages.count("启动内核") == 1


def test_kernels_use_the_interpreter_that_runs_evalkit():
    spec = kernels._OwnInterpreter().get_kernel_spec("python3")
    assert spec.argv[0] == sys.executable


def test_papermills_own_registries_are_left_alone():
    from papermill.engines import papermill_engines
    from papermill.translators import papermill_translators

    assert papermill_engines.get_engine(None).__module__ == "papermill.engines"
    stock = papermill_translators.find_translator("python3", "python")
    assert stock.__module__ == "papermill.translators"


def test_parameters_become_plain_json_types():
    found = plain(
        {
            "whole": np.int64(5),
            "yes": np.bool_(True),
            "word": np.str_("字"),
            "day": date(2025, 6, 30),
            "money": Decimal("1.20"),
            "many": (1, 2.5),
            7: None,
        }
    )
    assert found == {
        "whole": 5,
        "yes": True,
        "word": "字",
        "day": "2025-06-30",
        "money": "1.20",
        "many": [1, 2.5],
        "7": None,
    }
    assert type(found["word"]) is str
    assert type(found["yes"]) is bool
