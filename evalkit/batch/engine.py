"""One notebook, executed by papermill in a kernel of its own, with a status we can trust.

After a timeout or a dead kernel papermill marks every cell completed, so success is judged here
from exceptions, from the cells really started, and from the figures really drawn.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent
from typing import IO, Any

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop, run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill import clientwrap, engines, exceptions, execute, models, translators

from evalkit.batch.jobs import declared
from evalkit.batch.outcome import ERROR_TAG, Failure, Kind
from evalkit.batch.page import SILENT

NAME = "evalkit"  # our key in papermill's registries; nobody else's run is touched
FIGURE_TAG = "figure"
_INLINE = "module://matplotlib_inline.backend_inline"
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


@dataclass
class Run:
    """One notebook's execution; `stop` may be called from another thread."""

    notebook: Path
    parameters: dict[str, Any]
    folder: Path
    timeout: float = 600  # seconds, from the start of the kernel
    on_stage: Callable[[str], None] = lambda stage: None
    stopped: threading.Event = field(default_factory=threading.Event)
    node: Any = None  # the executed notebook, also after a failure
    failure: Failure | None = None
    started: list[int] = field(default_factory=list)
    stderr: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    kernel: AsyncKernelManager | None = None
    _begun: float = 0.0

    def execute(self) -> None:
        """Run the notebook; afterwards `node` and `failure` say how it went."""
        self._begun = time.monotonic()
        with self.stderr:
            try:
                self.on_stage("启动内核")
                path = str(self.notebook).replace("{", "{{").replace("}", "}}")  # str.format-ted
                options = {"engine_name": NAME, "kernel_name": NAME, "language": "python"}
                given = plain(self.parameters)
                execute.execute_notebook(path, None, given, progress_bar=False, run=self, **options)
                self.failure = self._incomplete()
            except Exception as error:
                self.failure = self._explain(error)
            finally:
                _settle()
        if self.node is not None:
            self._tidy()

    def stop(self) -> None:
        """End the kernel at once; the run then fails as stopped."""
        self.stopped.set()
        if self.kernel and self.kernel.provisioner:
            run_sync(self.kernel.provisioner.kill)()

    def seconds_left(self, cell: Any) -> float:
        """The time a cell may take: what remains of the project's."""
        return max(self._begun + self.timeout - time.monotonic(), 0.01)

    def cell_started(self, cell: Any, cell_index: int) -> None:
        """Called by nbclient before each code cell that is not blank."""
        self.started.append(cell_index)
        self.on_stage(_place(self.node, cell_index)[0] or "准备参数")
        if self.stopped.is_set():
            raise DeadKernelError("stopped")

    def _code(self) -> list[tuple[int, Any]]:
        """The code cells that have to run, with their index."""
        cells = enumerate(self.node.cells)
        return [(n, cell) for n, cell in cells if cell.cell_type == "code" and cell.source.strip()]

    def _incomplete(self) -> Failure | None:
        for index, cell in self._code():
            if index not in self.started:
                what = "笔记本提前退出，后面的代码格没有运行"
                return self._at(self.started[-1], "exception", what)
            if FIGURE_TAG in cell.metadata.get("tags", []) and not any(
                "image/png" in output.get("data", {}) for output in cell.outputs
            ):
                return self._at(index, "figure", "应有图而没有画出来，请检查绘图设置")
        return None

    def _explain(self, error: Exception) -> Failure:
        last = self.started[-1] if self.started else None
        if self.stopped.is_set():
            return self._at(last, "stopped", "已中断")
        if isinstance(error, exceptions.PapermillExecutionError):
            execute.remove_error_markers(self.node)  # papermill's own, which shift the cells
            lines = [line for line in str(error.evalue).splitlines() if line.strip()]
            if error.ename == "EvalkitError":
                return self._at(error.cell_index, "refused", *lines)
            last_line = f"{error.ename}：{lines[-1]}" if lines else str(error.ename)
            return self._at(error.cell_index, "exception", f"出错，{last_line}")
        if isinstance(error, CellTimeoutError):
            return self._at(last, "timeout", f"项目用时超过 {self.timeout} 秒，已停止")
        if isinstance(error, DeadKernelError):
            return self._at(last, "kernel", f"计算进程意外退出{self._stderr_tail()}")
        if last is None and isinstance(error, RuntimeError | TimeoutError):
            return Failure("kernel", (f"计算进程没有启动成功（{error}）{self._stderr_tail()}",))
        return self._at(last, "internal", f"运行失败，{type(error).__name__}：{error}")

    def _stderr_tail(self) -> str:
        """The kernel's last own words, in brackets."""
        self.stderr.seek(0)
        lines = map(str.strip, self.stderr.read().decode("utf-8", "replace").splitlines())
        said = [line for line in lines if line and not line.startswith("[IPKernelApp]")]
        return f"（{said[-1][:200]}）" if said else ""

    def _at(self, index: int | None, kind: Kind, *lines: str) -> Failure:
        place = () if index is None else _place(self.node, index)
        return Failure(kind, lines, *place)

    def _tidy(self) -> None:
        """Correct what papermill says of cells that never ran, and note the failure on top."""
        self.node.metadata.papermill["output_path"] = str(self.folder / self.notebook.name)
        for index, cell in self._code():
            if index not in self.started:
                cell.metadata.papermill["status"] = "pending"
        if self.failure:
            self.node.metadata.papermill["exception"] = True
            if self.started and self.failure.kind != "figure":
                state = self.node.cells[self.started[-1]].metadata.papermill
                state["status"], state["exception"] = "failed", True
            text = "**运行未完成。**\n\n" + indent(str(self.failure), "    ")  # code: no markup
            note = nbformat.v4.new_markdown_cell(text)  # type: ignore[no-untyped-call]
            note.metadata["tags"] = [ERROR_TAG]
            self.node.cells.insert(0, note)


class _OwnInterpreter(KernelSpecManager):
    """Kernels of the interpreter that runs evalkit, whatever kernelspecs are installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


class _Engine(engines.NBClientEngine):  # type: ignore[misc]
    """papermill's engine with our kernel, limits and hooks; called by `execute_notebook`."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, run: Run, start_timeout: int, **unused: Any
    ) -> None:
        specs = _OwnInterpreter()
        run.node = nb_man.nb
        run.kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
        client = clientwrap.PapermillNotebookClient(
            nb_man,
            km=run.kernel,
            log=SILENT,
            startup_timeout=start_timeout,
            timeout_func=run.seconds_left,
            shutdown_kernel="immediate",
            resources={"metadata": {"path": str(run.folder)}},
            on_cell_execute=run.cell_started,
        )
        env = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | os.environ
        env |= {"MPLBACKEND": _INLINE}  # Agg would lose every figure without a word
        client.execute(cleanup_kc=True, env=env, stdout=run.stderr, stderr=run.stderr)


class _Translator(translators.PythonTranslator):  # type: ignore[misc]
    """Parameters as Python that people can read: Chinese stays Chinese."""

    @classmethod
    def translate_str(cls, val: str) -> str:
        return repr(val)

    @classmethod
    def inspect(cls, parameters_cell: Any) -> list[models.Parameter]:
        found = declared(parameters_cell["source"])
        return [models.Parameter(name, kind, "", "") for name, kind in found.items()]


def _settle() -> None:
    """Cancel what a dead kernel left waiting in this thread's event loop, and close the loop."""
    loop = ensure_event_loop()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()


engines.papermill_engines.register(NAME, _Engine)
translators.papermill_translators.register(NAME, _Translator)


def plain(value: Any) -> Any:
    """A parameter as JSON types: numpy scalars unwrapped, dates ISO, decimals as text.

    >>> from datetime import date
    >>> plain({"day": date(2025, 6, 30), "codes": ("001",)})
    {'day': '2025-06-30', 'codes': ['001']}
    """

    def other(item: Any) -> Any:
        return item.item() if hasattr(item, "item") else str(item)

    return json.loads(json.dumps(value, default=other))


def _place(node: Any, index: int) -> tuple[str, int | None]:
    """The nearest markdown heading above a cell, and the cell's number among code cells."""
    before = node.cells[: index + 1]
    text = "\n".join(cell.source for cell in before if cell.cell_type == "markdown")
    headings = ["", *_HEADING.findall(text)]
    return headings[-1], sum(c.cell_type == "code" and bool(c.source.strip()) for c in before)
