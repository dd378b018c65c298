"""Run a project list: several kernels at once, each project in its own folder."""

import errno
import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from evalkit.batch.jobs import choose, read_list
from evalkit.batch.outcome import BatchOutcome, Job, Outcome
from evalkit.batch.perform import MB, Here, Lost, Runner, order_of
from evalkit.batch.record import Manifest, made_since, mark, marks, opened, result_files
from evalkit.batch.results import Screen, write_pages
from evalkit.batch.status import Log
from evalkit.core.paths import asset
from evalkit.core.problem import Problem, refusal, refuse, sentence
from evalkit.core.result_file import FILE_NAME, versions
from evalkit.core.store import digest, safe_name, sha256, write_json
from evalkit.engine.notebook import ATTEMPTS, MEMORY, Failure, notebook_parameters
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema
from evalkit.workflows.inputs import NAMES, files_used, name_in, places_of, shared_inputs

LONGEST = 240  # characters of a path, with which Word and Explorer still open a file
_INSIDE = 50  # of them for the longest name in a project's folder
_LOST = Failure("kernel", ("运行这个项目的工作进程一再失去联系",))
_FAULTS = {errno.ENOSPC: "full", errno.EDQUOT: "full", errno.EFBIG: "full", errno.EROFS: "denied",
           errno.EACCES: "denied", errno.EPERM: "denied", errno.ENOENT: "gone"}  # fmt: skip


def run_batch(
    list_path: Path,
    out: Path,
    *,
    jobs: int | None = None,
    force: bool = False,
    only: Sequence[str] | None = None,
    where: Sequence[str] = (),
    timeout: float = 600,
    memory: float = MEMORY / MB,
    scheduler: str | None = None,
    reporter: Screen | None = None,
) -> BatchOutcome:
    """Run every project of a list; one project's failure stops nothing.

    Projects whose inputs, notebook, template, policy and evalkit are as at their last good run
    are passed over unless `force`. `only` and `where` `choose` some; `timeout` is in seconds and
    `memory` in MB, for each project. With `scheduler`, an address like ``tcp://host:8786``, the
    workers of a Dask cluster run them. Writes ``summary.xlsx``, ``index.html``,
    ``manifest.jsonl`` and ``run_log.jsonl`` into `out`.

    Raises:
        EvalkitError: the list is wrong, the output folder cannot be written, or the cluster is
            not fit; nothing ran. Or the summary cannot be written; all else is.
    """
    listed = read_list(list_path)
    wanted = choose(listed, only, where)
    refuse(_too_long(out, wanted))
    source = {"file": list_path.name, "sha256": sha256(list_path)}
    batch = _Batch(force, reporter or Screen(), list=source)
    with opened(out, **batch.facts, **versions()) as manifest:
        order = order_of(manifest.out, wanted, jobs, batch.shared, timeout, memory)
        runner: Runner = Here(order)
        if scheduler:
            from evalkit.batch.cluster import Cluster

            runner = Cluster(scheduler, order, list_path.resolve(), jobs)
        done = batch.run(manifest, wanted, runner)
        outcomes = [done.get(job.code) or batch.left_out(job) for job in listed]
        try:
            pages = batch.pages(outcomes)
        except OSError as error:
            raise refusal("batch.pages", why=error.strerror or error) from None
        return batch.end(outcomes, *pages)


def run_one(
    notebook: str, workbook: Path, out: Path, *,
    timeout: float = 600, memory: float = MEMORY / MB, **parameters: str,
) -> BatchOutcome:  # fmt: skip
    """Run one workbook without a list, always; code and name are those in its 项目信息.

    Raises:
        EvalkitError: no such notebook, the workbook cannot be read, or the output folder cannot
            be written.
    """
    book = asset("notebooks", f"{notebook}.ipynb").resolve()
    known = notebook_parameters(book)
    workbook = workbook.resolve()
    project = read(workbook, load_schema(notebook)).forms["project"]
    code, name = project["code"].text or "无编码", project["name"].text or workbook.stem
    folder = safe_name(f"{code}_{name}")
    job = Job(1, code, name, book, workbook, folder, parameters, tuple(known))
    refuse(_too_long(out, [job]))
    batch = _Batch(True, Screen())
    with opened(out, **batch.facts, **versions()) as manifest:
        runner = Here(order_of(manifest.out, [job], 1, batch.shared, timeout, memory))
        return batch.end(batch.run(manifest, [job], runner).values())


def _too_long(out: Path, jobs: Iterable[Job]) -> Iterator[Problem]:
    """What would lie too deep for the programs of the people who are to open it."""
    out = out.resolve()
    for job in jobs:
        size = len(str(out / job.folder)) + _INSIDE
        if size > LONGEST:
            kind = "deep" if len(str(out)) > len(job.folder) else "long"
            facts = {"size": size, "most": LONGEST, "over": size - LONGEST, "out": out}
            yield sentence(f"list.{kind}", cell=f"第 {job.row} 行", name=job.name, **facts)


class _Batch:
    """The runs into one output folder; `_project` and below work in the pool's threads."""

    def __init__(self, force: bool, reporter: Screen, **facts: Any) -> None:
        self.begun, self.facts = time.monotonic(), {"id": secrets.token_hex(4), **facts}
        self.force, self.reporter = force, reporter
        self.shared = shared_inputs()
        self.known: dict[tuple[Path, str], str] = {}  # hashes of what several projects use
        self.stopped = threading.Event()  # once set, no run goes on

    def run(self, manifest: Manifest, jobs: Sequence[Job], runner: Runner) -> dict[str, Outcome]:
        """Run all; Ctrl-C ends what is running and leaves the rest for the next time."""
        self.manifest, self.out, self.runner = manifest, manifest.out, runner
        at_once = runner.at_once
        self.log = Log(self.out, self.facts["id"])
        self.log.add("begin", **self.facts, total=len(jobs), at_once=at_once, pid=os.getpid())
        self.reporter.begin(len(jobs), at_once, runner.told)
        done: dict[str, Outcome] = {}
        with ExitStack() as stack:
            if threading.current_thread() is threading.main_thread():
                # a KeyboardInterrupt could fall anywhere, and be lost there: Ctrl-C sets an event
                before = signal.signal(signal.SIGINT, lambda *_: self.stopped.set())
                stack.callback(signal.signal, signal.SIGINT, before)
            stack.callback(runner.close)
            pool = stack.enter_context(ThreadPoolExecutor(at_once, "evalkit"))
            finished = SimpleQueue[Future[Outcome]]()
            for job in jobs:
                pool.submit(self._project, job).add_done_callback(finished.put)
            while len(done) < len(jobs):
                with suppress(Empty):
                    outcome = finished.get(timeout=0.2).result()
                    done[outcome.job.code] = outcome
                    self.log.add(
                        "done", outcome.job, status=outcome.status, stages=outcome.stages,
                        reason=str(outcome.failure or ""), seconds=round(outcome.seconds, 2),
                    )  # fmt: skip
                    fresh = outcome.status == "完成"
                    self.reporter.done(outcome.read_back() if fresh else outcome)
        return done

    def left_out(self, job: Job) -> Outcome:
        """A project that was not chosen this time; its last good results still count."""
        last = self.manifest.last.get(job.folder, {})
        outcome = Outcome(job, self.out / job.folder, "未选")
        return replace(outcome, **_told(last)) if last.get("status") == "ok" else outcome

    def pages(self, outcomes: Sequence[Outcome]) -> list[Path]:
        """Summary and front page, written anew if anything that they tell is another."""
        self.log.add("pages")
        told = [
            [o.job.title, str(o.failure), o.notes, *(mark(o.folder / name) for name in o.outputs)]
            for o in outcomes
        ]
        key = digest([told, self.shared])
        if not self.manifest.unchanged("", key):
            with self.manifest.workplace("") as place:
                write_pages(place, outcomes)
                outputs = {path.name: sha256(path) for path in result_files(place)}
                self.manifest.publish("", place, outputs, key=key, status="ok")
        return [self.out / name for name in sorted(self.manifest.last[""]["outputs"], reverse=True)]

    def end(self, outcomes: Iterable[Outcome], *written: Path) -> BatchOutcome:
        """Tell how it went; `written` are summary and index, if there are any."""
        result = BatchOutcome(tuple(outcomes), time.monotonic() - self.begun, *written)
        self.log.add("end")
        self.reporter.end(result)
        return result

    def _project(self, job: Job) -> Outcome:
        begun = time.monotonic()
        if self.stopped.is_set():
            return Outcome(job, self.out / job.folder, "中断", Failure("stopped", ("还没有运行",)))
        try:
            outcome = self._attempt(job)
        except Exception as error:  # whatever it was, the other projects go on
            what = f"程序内部错误，{type(error).__name__}：{error}"
            if isinstance(error, OSError):
                code = f"batch.{_FAULTS.get(error.errno or 0, 'file')}"
                facts = {"path": error.filename or "", "why": error.strerror or error}
                what = str(sentence(code, **facts))
            outcome = Outcome(job, self.out / job.folder, "失败", Failure("internal", (what,)))
        return replace(outcome, seconds=time.monotonic() - begun)

    def _attempt(self, job: Job) -> Outcome:
        places = self.manifest.places(job, self.shared)
        if places is None:
            places = places_of(job.notebook.stem, job.workbook)
        inputs = inputs_of(job, self.shared, places, self.known)
        if self.force or not self.manifest.unchanged(job.folder, digest(inputs)):
            self._tell(job, "准备")
            for _ in range(ATTEMPTS):
                with self.manifest.workplace(job.folder) as place, suppress(Lost):
                    return self._make(job, place, inputs, places)
            return Outcome(job, self.out / job.folder, "失败", _LOST)
        edited = (Path(name).name for name in self.manifest.edited(job.folder))
        notes = tuple(f"{name} 有人工修改，保持原样" for name in edited)
        told = _told(self.manifest.last[job.folder])
        return Outcome(job, self.out / job.folder, "未变化", notes=notes, **told)

    def _make(self, job: Job, place: Path, inputs: dict[str, str], places: list[str]) -> Outcome:
        """Run a project in a folder of its own and put in place what it made."""
        folder, tell, before = self.out / job.folder, partial(self._tell, job), marks(place)
        self.manifest.add("intent", job.folder, code=job.code, inputs=inputs, places=places)
        ended = self.runner.perform(job, place, folder, tell, self.stopped)
        failure = ended.failure
        if failure and failure.kind == "stopped":
            self.manifest.add("stopped", job.folder, code=job.code)
            return Outcome(job, folder, "中断", failure, stages=ended.stages)
        made, there = made_since(place, before), set(result_files(place))
        gone = [name_in(place, path) for path, *_ in before if path not in there]
        if failure:  # what else it wrote is not to be trusted
            pages = job.notebook.name, f"{job.notebook.stem}.html"
            made, gone = {name: made[name] for name in pages if name in made}, []
        if FILE_NAME in made:
            _stamp(place / FILE_NAME, self.facts | {"row": job.row, "inputs": inputs})
            made[FILE_NAME] = sha256(place / FILE_NAME)
        changed = _changed(job, inputs, self.shared, places)
        facts = {"code": job.code, "key": "" if changed else digest(inputs), "gone": gone}
        facts |= {"status": failure.kind, "reason": str(failure)} if failure else {"status": "ok"}
        put = self.manifest.publish(job.folder, place, made, **facts, stages=ended.stages)
        notes = [*_notes(*put)]
        if changed:
            notes.append(str(sentence("batch.changed", what="、".join(changed))))
        if failure and (folder / job.report).exists():
            notes.append(f"文件夹中的{job.report[:-5]}是以前生成的，本次没有更新")
        return Outcome(
            job, folder, "失败" if failure else "完成", failure, tuple(notes), tuple(put[0]),
            stages=ended.stages,
        )  # fmt: skip

    def _tell(self, job: Job, stage: str) -> None:
        self.log.add("stage", job, stage=stage)
        self.reporter.stage(job, stage)


def inputs_of(
    job: Job, shared: dict[str, str], places: Sequence[str] | None = None,
    known: dict[tuple[Path, str], str] | None = None,
) -> dict[str, str]:  # fmt: skip
    """Hash by name of all that a project's results depend on; see `files_used`."""
    if places is None:
        places = places_of(job.notebook.stem, job.workbook)
    own = files_used(job.notebook, job.workbook, places, {} if known is None else known)
    given = digest({"code": job.code, "name": job.name, **job.parameters})
    return shared | own | {"parameters": given}


def _told(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the record says of a project's last run."""
    stages = tuple((name, seconds) for name, seconds in record.get("stages", ()))
    return {"outputs": tuple(record["outputs"]), "stages": stages}


def _stamp(path: Path, facts: Mapping[str, Any]) -> None:
    """Note in a new result.json which batch made it, and of what."""
    with suppress(OSError, ValueError, LookupError, TypeError):  # there is none, or another's
        data = json.loads(path.read_text(encoding="utf-8"))
        data["run"]["batch"] = dict(facts)
        write_json(path, data)


def _changed(
    job: Job, inputs: Mapping[str, str], shared: dict[str, str], places: Sequence[str]
) -> list[str]:
    """The inputs that are not as they were when the run began."""
    try:
        now = inputs_of(job, shared, places)
    except OSError:
        return [NAMES["workbook"]]
    return [label for name, label in NAMES.items() if now[name] != inputs[name]]


def _notes(made: Collection[str], kept: Mapping[str, Path]) -> Iterator[str]:
    """Say which files were set aside and which written beside."""
    for name, copy in kept.items():
        yield f"{Path(name).name} 有人工修改，原文件另存为 {copy.name}"
    why = "没有覆盖（正被其他程序打开，或数字的域已被破坏）"
    for path in (path for path in map(Path, made) if path.stem.endswith("_新")):
        yield f"{path.stem[:-2]}{path.suffix} {why}，新文件写为 {path.name}"
