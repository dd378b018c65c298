"""Run a project list: several kernels at once, each project in its own folder."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.batch import manifest as record
from evalkit.batch.consistency import review
from evalkit.batch.jobs import Job, notebook_parameters, read_list
from evalkit.batch.outcome import REPORT, BatchOutcome, Failure, Outcome, Status
from evalkit.batch.page import write_index, write_notebook
from evalkit.batch.progress import Screen
from evalkit.batch.summary import write_summary
from evalkit.core.paths import asset
from evalkit.core.problem import refusal, refuse, sentence
from evalkit.core.store import KEPT, keep_aside, safe_name
from evalkit.workbook.names import nearest

if TYPE_CHECKING:
    from evalkit.batch.engine import Run

MOST_AT_ONCE = 4


def run_batch(
    list_path: Path,
    out: Path,
    *,
    jobs: int | None = None,
    force: bool = False,
    only: Sequence[str] | None = None,
    timeout: float = 600,
    reporter: Screen | None = None,
) -> BatchOutcome:
    """Run every project of a list; one project's failure stops nothing.

    Projects whose inputs, notebook, template, policy and evalkit are as at their last good run
    are passed over unless `force`. `only` names codes; `timeout` is in seconds, for each project.
    Writes ``summary.xlsx``, ``index.html`` and ``manifest.jsonl`` into `out`.

    Raises:
        EvalkitError: the list is wrong or the output folder cannot be written; nothing ran.
    """
    listed = read_list(list_path)
    wanted = _wanted(listed, only)
    batch = _Batch(out, force, timeout, reporter)
    done = batch.run(wanted, min(MOST_AT_ONCE, os.cpu_count() or 1) if jobs is None else jobs)
    outcomes = [done.get(job.code) or batch.left_out(job) for job in listed]
    findings = review(outcomes)
    summary = write_summary(batch.out / "summary.xlsx", outcomes, findings)
    index = write_index(batch.out / "index.html", outcomes, findings)
    return batch.end(outcomes, summary, index)


def run_one(
    notebook: str, workbook: Path, out: Path, *, timeout: float = 600, **parameters: str
) -> BatchOutcome:
    """Run one workbook without a list, always; code and name are those in its 项目信息.

    Raises:
        EvalkitError: no such notebook, or the workbook cannot be read.
    """
    from evalkit.workbook.reader import read
    from evalkit.workbook.schema import load_schema

    book = asset("notebooks", f"{notebook}.ipynb").resolve()
    known = notebook_parameters(book)
    workbook = workbook.resolve()
    project = read(workbook, load_schema(notebook)).forms["project"]
    code, name = project["code"].text or "无编码", project["name"].text or workbook.stem
    chosen = {key: value for key, value in parameters.items() if key in known}
    folder = safe_name(f"{code}_{name}")
    job = Job(1, code, name, book, workbook, folder, chosen, tuple(known))
    batch = _Batch(out, True, timeout, None)
    return batch.end(batch.run([job], 1).values())


def _wanted(listed: list[Job], only: Sequence[str] | None) -> list[Job]:
    if only is None:
        return listed
    codes = {job.code.casefold(): job for job in listed}
    chosen = {code.casefold(): code for code in only}
    problems = []
    for code in (code for key, code in chosen.items() if key not in codes):
        hint = nearest(code, [job.code for job in listed]).strip("，") or "请核对编码"
        problems.append(sentence("list.only", code=code, hint=hint))
    refuse(problems)
    return [job for key, job in codes.items() if key in chosen]


@contextmanager
def _interrupts(stopped: threading.Event) -> Iterator[None]:
    """Let Ctrl-C set an event. A KeyboardInterrupt could fall anywhere, and be lost there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Batch:
    """The runs into one output folder; `_project` and below work in the pool's threads."""

    def __init__(self, out: Path, force: bool, timeout: float, reporter: Screen | None) -> None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal("batch.out", out=out, why=error.strerror) from None
        self.out, self.begun = out.resolve(), time.monotonic()
        self.force, self.timeout = force, timeout
        self.reporter = reporter or Screen()
        self.manifest, self.shared = record.Manifest(self.out), record.shared_inputs()
        self.running: list[Run] = []
        self.stopped = threading.Event()  # once set, no run goes on

    def run(self, jobs: Sequence[Job], at_once: int) -> dict[str, Outcome]:
        """Run all; Ctrl-C ends what is running and leaves the rest for the next time."""
        self.reporter.begin(len(jobs))
        done: dict[str, Outcome] = {}
        pool = ThreadPoolExecutor(max(at_once, 1), "evalkit")
        with _interrupts(self.stopped), pool:
            waiting = {pool.submit(self._project, job): job for job in jobs}
            while waiting:
                finished, _ = wait(waiting, timeout=0.2, return_when="FIRST_COMPLETED")
                if self.stopped.is_set():
                    for future in waiting:
                        future.cancel()
                    for run in list(self.running):
                        run.stop()
                for future in finished:
                    job = waiting.pop(future)
                    unrun = Failure("stopped", ("还没有运行",))
                    stopped = Outcome(job, self.out / job.folder, "中断", unrun)
                    done[job.code] = stopped if future.cancelled() else future.result()
                    self.reporter.done(done[job.code])
        return done

    def left_out(self, job: Job) -> Outcome:
        """A project that was not chosen this time; its last good results still count."""
        last = self.manifest.last.get(job.folder, {})
        outputs = tuple(last["outputs"]) if last.get("status") == "ok" else ()
        return Outcome(job, self.out / job.folder, "未选", outputs=outputs).read_back()

    def end(self, outcomes: Iterable[Outcome], *written: Path) -> BatchOutcome:
        """Tell how it went; `written` are summary and index, if there are any."""
        seconds = time.monotonic() - self.begun
        result = BatchOutcome(tuple(outcomes), seconds, *written)
        self.reporter.end(result)
        return result

    def _project(self, job: Job) -> Outcome:
        begun = time.monotonic()
        try:
            outcome = self._attempt(job, begun)
        except Exception as error:  # whatever it was, the other projects go on
            what = f"程序内部错误，{type(error).__name__}：{error}"
            if isinstance(error, OSError):
                what = f"文件读写失败：{error.strerror or error}（{error.filename or ''}）"
            failure = Failure("internal", (what,))
            outcome = Outcome(job, self.out / job.folder, "失败", failure)
        return replace(outcome.read_back(), seconds=time.monotonic() - begun)

    def _attempt(self, job: Job, begun: float) -> Outcome:
        folder = self.out / job.folder
        inputs = record.inputs(job, self.shared)
        edited = self.manifest.edited(job)
        if not self.force and self.manifest.unchanged(job, inputs):
            outputs = tuple(self.manifest.last[job.folder]["outputs"])
            kept = [Path(name).name for name in edited if name in outputs]
            notes = [f"{name} 有人工修改，保持原样" for name in kept]
            return Outcome(job, folder, "未变化", None, tuple(notes), outputs)
        folder.mkdir(exist_ok=True)
        self.reporter.stage(job, "准备")
        earlier = set(folder.rglob(f"*{KEPT}*"))
        copies = {name: keep_aside(folder / name) for name in edited}
        before = record.marks(folder)
        self.manifest.intent(job, inputs)
        run = self._execute(job, folder)
        failure = run.failure
        if run.node is not None:
            self.reporter.stage(job, "生成网页")
            write_notebook(folder, job, run.node, failure)
        made = record.made(folder, before)
        facts = {"status": failure.kind, "reason": str(failure)} if failure else {"status": "ok"}
        self.manifest.done(job, inputs, made, seconds=round(time.monotonic() - begun, 3), **facts)
        notes = list(_notes(copies, earlier, made))
        if failure and (folder / REPORT).exists() and REPORT not in made:
            notes.append("文件夹中的评价报告是以前生成的，本次没有更新")
        status: Status = "完成"
        if failure:
            status = "中断" if failure.kind == "stopped" else "失败"
        return Outcome(job, folder, status, failure, tuple(notes), tuple(made))

    def _execute(self, job: Job, folder: Path) -> Run:
        from evalkit.batch.engine import Run  # two seconds, spared where nothing runs

        tell = partial(self.reporter.stage, job)
        given = job.injected(folder)
        run = Run(job.notebook, given, folder, self.timeout, tell, self.stopped)
        self.running.append(run)
        try:
            run.execute()
        finally:
            self.running.remove(run)
        return run


def _notes(copies: dict[str, Path], earlier: set[Path], made: Collection[str]) -> Iterator[str]:
    """Say which files were set aside and which written beside; drop copies made for nothing."""
    for name, copy in copies.items():
        if name in made:
            yield f"{Path(name).name} 有人工修改，原文件另存为 {copy.name}"
        elif copy not in earlier:
            copy.unlink()
    why = "没有覆盖（正被其他程序打开，或数字的域已被破坏）"
    for path in (path for path in map(Path, made) if path.stem.endswith("_新")):
        yield f"{path.stem[:-2]}{path.suffix} {why}，新文件写为 {path.name}"
