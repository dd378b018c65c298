"""Run a project list: several kernels at once, each project in its own folder."""

from __future__ import annotations

import difflib
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.batch import manifest as record
from evalkit.batch.consistency import review
from evalkit.batch.jobs import Job, notebook_parameters, read_list
from evalkit.batch.outcome import BatchOutcome, Failure, Outcome
from evalkit.batch.page import write_index, write_notebook
from evalkit.batch.progress import Reporter, Screen
from evalkit.batch.summary import collect, headline, write_summary
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError, Problem, refuse
from evalkit.core.store import digest, safe_name

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
    timeout: float | None = 600,
    cell_timeout: float | None = None,
    reporter: Reporter | None = None,
) -> BatchOutcome:
    """Run every project of a list; one project's failure stops nothing.

    Projects whose inputs, notebook, template, policy and evalkit are as at their last good run
    are passed over unless `force`. `only` names codes. Timeouts are seconds, for a project and
    for a cell. Writes ``summary.xlsx``, ``index.html`` and ``manifest.jsonl`` into `out`.

    Raises:
        EvalkitError: the list is wrong or the output folder cannot be written; nothing ran.
    """
    listed = read_list(list_path)
    wanted = _wanted(listed, only)
    batch = _Batch(_folder(out), force, timeout, cell_timeout, reporter or Screen())
    batch.reporter.begin(len(wanted))
    begun = time.monotonic()
    done = batch.run(wanted, min(MOST_AT_ONCE, os.cpu_count() or 1) if jobs is None else jobs)
    outcomes = tuple(done.get(job.code) or batch.left_out(job) for job in listed)
    entries = collect(outcomes)
    findings = review(entries)
    result = BatchOutcome(
        batch.out,
        outcomes,
        time.monotonic() - begun,
        write_summary(batch.out / "summary.xlsx", entries, findings),
        write_index(batch.out / "index.html", entries, findings),
    )
    batch.reporter.end(result)
    return result


def run_one(
    notebook: str,
    workbook: Path,
    out: Path,
    *,
    timeout: float | None = 600,
    reporter: Reporter | None = None,
    **parameters: str,
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
    batch = _Batch(_folder(out), True, timeout, None, reporter or Screen())
    batch.reporter.begin(1)
    begun = time.monotonic()
    outcomes = tuple(batch.run([job], 1).values())
    result = BatchOutcome(batch.out, outcomes, time.monotonic() - begun)
    batch.reporter.end(result)
    return result


def _wanted(listed: list[Job], only: Sequence[str] | None) -> list[Job]:
    if only is None:
        return listed
    codes = {job.code.casefold(): job for job in listed}
    chosen = [code.casefold() for code in only]
    problems = []
    for code in [code for code in only if code.casefold() not in codes]:
        close = difflib.get_close_matches(code.casefold(), codes, n=1)
        remedy = f"是否应为“{codes[close[0]].code}”？" if close else "请核对编码"
        problems.append(Problem(what=f"清单中没有编码“{code}”", remedy=remedy))
    refuse(problems)
    return [job for job in listed if job.code.casefold() in chosen]


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"无法建立输出文件夹“{out}”（{error.strerror}）"
        raise EvalkitError([Problem(what=what, remedy="请换一个可写的位置")]) from None
    return out.resolve()


@dataclass
class _Batch:
    out: Path
    force: bool
    timeout: float | None
    cell_timeout: float | None
    reporter: Reporter
    stopping: bool = False
    running: list[Run] = field(default_factory=list)
    manifest: record.Manifest = field(init=False)
    shared: dict[str, str] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.manifest = record.Manifest.open(self.out)
        self.shared = record.shared_inputs()

    def run(self, jobs: Sequence[Job], at_once: int) -> dict[str, Outcome]:
        """Run all; Ctrl-C ends what is running and leaves the rest for the next time."""
        done: dict[str, Outcome] = {}
        with ThreadPoolExecutor(max(at_once, 1), "evalkit") as pool:
            waiting = {pool.submit(self._project, job): job for job in jobs}
            while waiting:
                try:
                    finished, _ = wait(waiting, timeout=0.5, return_when="FIRST_COMPLETED")
                except KeyboardInterrupt:
                    self._stop(waiting)
                    continue
                for future in finished:
                    job = waiting.pop(future)
                    stopped = Outcome(job, self.out / job.folder, "中断")
                    done[job.code] = stopped if future.cancelled() else future.result()
                    self.reporter.done(done[job.code])
        return done

    def left_out(self, job: Job) -> Outcome:
        """A project that was not chosen this time; its last good results still count."""
        last = self.manifest.last.get(job.folder, {})
        outputs = tuple(last["outputs"]) if last.get("status") == "ok" else ()
        return Outcome(job, self.out / job.folder, "未选", outputs=outputs)

    def _stop(self, waiting: dict[Future[Outcome], Job]) -> None:
        self.stopping = True
        for future in waiting:
            future.cancel()
        with self._lock:
            for run in self.running:
                run.stop()

    def _project(self, job: Job) -> Outcome:
        begun = time.monotonic()
        try:
            outcome = self._attempt(job)
        except Exception as error:  # whatever it was, the other projects go on
            failure = Failure("internal", (f"程序内部错误，{type(error).__name__}：{error}",))
            if isinstance(error, OSError):
                what = f"文件读写失败：{error.strerror or error}（{error.filename or ''}）"
                failure = Failure("internal", (what,))
            outcome = Outcome(job, self.out / job.folder, "失败", failure=failure)
        return replace(outcome, seconds=time.monotonic() - begun)

    def _attempt(self, job: Job) -> Outcome:
        begun = time.monotonic()
        folder = self.out / job.folder
        inputs = record.inputs(job, self.shared)
        key = digest(inputs)
        if not self.force and self.manifest.unchanged(job, key, self.out):
            return self._unchanged(job, folder)
        folder.mkdir(exist_ok=True)
        self.reporter.stage(job, "准备")
        copies = {path: record.keep(path) for path in self.manifest.edited(job, self.out)}
        before = record.marks(folder)
        self.manifest.intent(job, inputs)
        run = self._execute(job, folder)
        if run.node is not None:
            self.reporter.stage(job, "生成网页")
            write_notebook(folder, job, run.node, run.failure)
        outputs = record.made(folder, before)
        status = "ok" if run.failure is None else run.failure.kind
        seconds = round(time.monotonic() - begun, 3)
        reason = {"reason": str(run.failure)} if run.failure else {}
        self.manifest.done(job, key, outputs, status=status, seconds=seconds, **reason)
        notes = [*_kept(folder, copies, outputs), *_beside(outputs)]
        if run.failure is None:
            line = headline(folder)
            return Outcome(job, folder, "完成", 0, None, tuple(notes), tuple(outputs), line)
        if run.failure.kind == "stopped":
            return Outcome(job, folder, "中断", failure=run.failure)
        if (folder / "评价报告.docx").exists() and "评价报告.docx" not in outputs:
            notes.append("文件夹中的评价报告是以前生成的，本次没有更新")
        return Outcome(job, folder, "失败", 0, run.failure, tuple(notes), tuple(outputs))

    def _unchanged(self, job: Job, folder: Path) -> Outcome:
        outputs = tuple(self.manifest.last[job.folder]["outputs"])
        edited = [path.relative_to(folder) for path in self.manifest.edited(job, self.out)]
        kept = [path.name for path in edited if path.as_posix() in outputs]
        notes = tuple(f"{name} 有人工修改，保持原样" for name in kept)
        return Outcome(job, folder, "未变化", 0, None, notes, outputs, headline(folder))

    def _execute(self, job: Job, folder: Path) -> Run:
        from evalkit.batch.engine import Run  # two seconds, spared where nothing runs

        def tell(stage: str) -> None:
            self.reporter.stage(job, stage)

        given = job.injected(folder)
        run = Run(job.notebook, given, folder, self.timeout, self.cell_timeout, tell)
        with self._lock:
            self.running.append(run)
            run.stopped = self.stopping
        try:
            run.execute()
        finally:
            with self._lock:
                self.running.remove(run)
        return run


def _kept(folder: Path, copies: dict[Path, Path], outputs: dict[str, str]) -> list[str]:
    """Say which edited files were set aside; drop copies of files that nothing overwrote."""
    notes = []
    for path, copy in copies.items():
        if path.relative_to(folder).as_posix() in outputs:
            notes.append(f"{path.name} 有人工修改，原文件另存为 {copy.name}")
        else:
            copy.unlink()
    return notes


def _beside(outputs: dict[str, str]) -> list[str]:
    """Say which files were open elsewhere and therefore written beside."""
    new = [Path(name) for name in outputs if Path(name).stem.endswith("_新")]
    return [f"{p.stem[:-2]}{p.suffix} 正被其他程序打开，新文件写为 {p.name}" for p in new]
