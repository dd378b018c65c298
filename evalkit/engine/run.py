"""One notebook, executed by papermill in a kernel of its own, with a status we can trust.

After a timeout or a dead kernel papermill marks every cell completed, so success is judged here
from exceptions, from the cells really started, and from the figures really drawn. Time, memory and
patience are watched from outside: whatever a cell does, its whole session ends in time.
"""

import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent
from typing import Any

import nbformat
from nbclient.exceptions import DeadKernelError
from papermill import engines, exceptions, execute, models, translators

from evalkit.engine import kernels
from evalkit.engine.entry import Engine
from evalkit.engine.notebook import (
    ATTEMPTS,
    ERROR_TAG,
    MEMORY,
    SILENT,
    Failure,
    Kind,
    declared,
    plain,
)

NAME = "evalkit"  # our key in papermill's registries; nobody else's run is touched
FIGURE_TAG = "figure"
PAUSE = 0.2  # seconds between two looks at a running project
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


@dataclass
class Run:
    """One notebook's execution; `stop` may be called from another thread."""

    notebook: Path
    parameters: dict[str, Any]
    folder: Path
    timeout: float = 600  # seconds, from the start of its process
    memory: int = MEMORY
    on_stage: Callable[[str], None] = lambda stage: None
    stopped: threading.Event = field(default_factory=threading.Event)
    node: Any = None  # the executed notebook, also after a failure
    failure: Failure | None = None
    started: list[int] = field(default_factory=list)
    kernel: kernels.Kernel | None = None
    ended: Kind | None = None  # why it was ended from outside

    def execute(self) -> None:
        """Run the notebook; afterwards `node` and `failure` say how it went."""
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=[over], daemon=True)
        watch.start()
        for _ in range(ATTEMPTS):
            self.started, self.kernel = [], None
            self._attempt()
            if not self._machine_failed():
                break
        over.set()
        watch.join()
        if self.node is not None:
            self._tidy()

    def _attempt(self) -> None:
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
            kernels.settle()

    def _machine_failed(self) -> bool:
        """True if the kernel was lost through no doing of the notebook.

        That is, before its first cell, or by a signal to kill that was not ours; what a cell does
        to its own process (exit, segmentation fault) it would do again.
        """
        if self.ended or not self.failure or self.failure.kind != "kernel":
            return False
        return not self.started or self._exit_code() == -9

    def _exit_code(self) -> int | None:
        process = self.kernel.process if self.kernel else None
        return None if process is None else process.poll()

    def _watch(self, over: threading.Event) -> None:
        """End the project's session when it has had its time or memory, or is stopped."""
        begun, known = time.monotonic(), None
        while not over.wait(PAUSE):
            process = self.kernel.process if self.kernel else None
            if process is not known:
                begun, known = time.monotonic(), process
            if self.stopped.is_set():
                self.ended = self.ended or "stopped"
            elif process and time.monotonic() > begun + self.timeout:
                self.ended = self.ended or "timeout"
            elif process and kernels.memory(process.pid) > self.memory:
                self.ended = self.ended or "memory"
            if self.ended and process:
                kernels.end(process.pid)

    def stop(self) -> None:
        """End it at once; the run then fails as stopped. May be called from another thread."""
        self.stopped.set()

    def attach(self, client: Any) -> None:
        """Called by the engine before the kernel starts."""
        self.node, self.kernel = client.nb, client.km
        client.log, client.on_cell_execute = SILENT, self.cell_started
        if self.ended:
            raise DeadKernelError("ended")

    def cell_started(self, cell: Any, cell_index: int) -> None:
        """Called by nbclient before each code cell that is not blank."""
        self.started.append(cell_index)
        self.on_stage(_place(self.node, cell_index)[0] or "准备参数")
        if self.ended or self.stopped.is_set():
            raise DeadKernelError("ended")

    def _code(self) -> list[tuple[int, Any]]:
        """The code cells that have to run, with their index."""
        cells = enumerate(self.node.cells)
        return [(n, cell) for n, cell in cells if cell.cell_type == "code" and cell.source.strip()]

    def _incomplete(self) -> Failure | None:
        for index, cell in self._code():
            if index not in self.started:
                what = "笔记本提前退出，后面的代码格没有运行"
                return self._at(self.started[-1], "exception", what)
            drawn = any("image/png" in output.get("data", {}) for output in cell.outputs)
            if FIGURE_TAG in cell.metadata.get("tags", []) and not drawn:
                return self._at(index, "figure", "应有图而没有画出来，请检查绘图设置")
        return None

    def _explain(self, error: Exception) -> Failure:
        last = self.started[-1] if self.started else None
        if self.ended or self.stopped.is_set():
            what = {
                "timeout": f"项目用时超过 {self.timeout} 秒，已停止",
                "memory": f"项目占用内存超过 {self.memory / 1024**2:.0f} MB，已停止",
            }
            return self._at(last, self.ended or "stopped", what.get(self.ended or "", "已中断"))
        if isinstance(error, exceptions.PapermillExecutionError):
            execute.remove_error_markers(self.node)  # papermill's own, which shift the cells
            lines = [line for line in str(error.evalue).splitlines() if line.strip()]
            if error.ename == "EvalkitError":
                return self._at(error.cell_index, "refused", *lines)
            last_line = "：".join([error.ename, *lines[-1:]])
            return self._at(error.cell_index, "exception", f"出错，{last_line}")
        words = f"（{self.kernel.last_words}）" if self.kernel and self.kernel.last_words else ""
        if isinstance(error, DeadKernelError):
            code = self._exit_code() or 0
            by = f"，信号 {signal.Signals(-code).name}" if code < 0 else ""
            return self._at(last, "kernel", f"计算进程意外退出{by}{words}")
        if last is None and isinstance(error, RuntimeError | OSError):
            return Failure("kernel", (f"计算进程没有启动成功（{error}）{words}",))
        return self._at(last, "internal", f"运行失败，{type(error).__name__}：{error}")

    def _at(self, index: int | None, kind: Kind, *lines: str) -> Failure:
        return Failure(kind, lines, *(() if index is None else _place(self.node, index)))

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
            tags = {"tags": [ERROR_TAG]}
            self.node.cells.insert(0, nbformat.v4.new_markdown_cell(text, metadata=tags))  # type: ignore[no-untyped-call]


class _Translator(translators.PythonTranslator):  # type: ignore[misc]
    """Parameters as Python that people can read: Chinese stays Chinese."""

    translate_str = staticmethod(repr)

    @classmethod
    def inspect(cls, parameters_cell: Any) -> list[models.Parameter]:
        found = declared(parameters_cell["source"]).items()
        return [models.Parameter(name, kind, "", "") for name, kind in found]


engines.papermill_engines.register(NAME, Engine)
translators.papermill_translators.register(NAME, _Translator)


def _place(node: Any, index: int) -> tuple[str, int | None]:
    """The nearest markdown heading above a cell, and the cell's number among code cells."""
    before = node.cells[: index + 1]
    text = "\n".join(cell.source for cell in before if cell.cell_type == "markdown")
    headings = ["", *_HEADING.findall(text)]
    return headings[-1], sum(c.cell_type == "code" and bool(c.source.strip()) for c in before)
