"""What a person sees while a batch runs: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from evalkit.batch.jobs import Job
from evalkit.batch.outcome import BatchOutcome, Outcome

_STYLES = {"完成": "green", "未变化": "dim", "失败": "bold red", "中断": "yellow"}


class Reporter(Protocol):
    """Told by the batch what happens; `stage` comes from worker threads."""

    def begin(self, total: int) -> None:
        """Called once, with the number of projects to run."""

    def stage(self, job: Job, stage: str) -> None:
        """Called when a project reaches another heading of its notebook."""

    def done(self, outcome: Outcome) -> None:
        """Called when a project has ended."""

    def end(self, batch: BatchOutcome) -> None:
        """Called once, after the summary is written."""


def choose() -> Reporter:
    """The live view if standard output is a terminal, plain lines if not."""
    return Live() if sys.stdout.isatty() else Lines()


class Lines:
    """One plain line a finished project, then the failures."""

    def __init__(self) -> None:
        self.total = self.count = 0

    def begin(self, total: int) -> None:
        """See Reporter."""
        self.total = total
        _say(f"共 {total} 个项目")

    def stage(self, job: Job, stage: str) -> None:
        """See Reporter."""

    def done(self, outcome: Outcome) -> None:
        """See Reporter."""
        self.count += 1
        _say(f"[{self.count}/{self.total}] {_line(outcome)}")
        for note in outcome.notes:
            _say(f"      {note}")

    def end(self, batch: BatchOutcome) -> None:
        """See Reporter."""
        for line in closing(batch):
            _say(line)


class Live:
    """Running projects with their stage and time, above one bar for the whole list."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self.view = Progress(
            SpinnerColumn("line"),
            TextColumn("{task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn("[cyan]{task.fields[stage]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self.tasks: dict[str, TaskID] = {}
        self.whole = TaskID(0)

    def begin(self, total: int) -> None:
        """See Reporter."""
        self.whole = self.view.add_task("全部项目", total=total, stage="")
        self.view.start()

    def stage(self, job: Job, stage: str) -> None:
        """See Reporter."""
        if job.code not in self.tasks:
            self.tasks[job.code] = self.view.add_task(escape(job.name), total=None, stage="")
        self.view.update(self.tasks[job.code], stage=escape(stage))

    def done(self, outcome: Outcome) -> None:
        """See Reporter."""
        task = self.tasks.pop(outcome.job.code, None)
        if task is not None:
            self.view.remove_task(task)
        style = _STYLES.get(outcome.status, "")
        self.console.print(f"[{style}]{escape(_line(outcome))}[/]")
        for note in outcome.notes:
            self.console.print(f"    [yellow]{escape(note)}[/]")
        self.view.advance(self.whole)

    def end(self, batch: BatchOutcome) -> None:
        """See Reporter."""
        self.view.stop()
        for line in closing(batch):
            self.console.print(escape(line), style="red" if line.startswith("  ") else "")


def closing(batch: BatchOutcome) -> list[str]:
    """The last lines: counts, each failure with cell and reason, where the results are."""
    counts = dict.fromkeys(("完成", "未变化", "失败", "中断", "未选"), 0)
    for outcome in batch.outcomes:
        counts[outcome.status] += 1
    lines = ["，".join(f"{status} {n} 个" for status, n in counts.items() if n)]
    lines[0] += f"；用时 {batch.seconds:.1f} 秒"
    if batch.failed:
        lines.append("未完成的项目：")
        for outcome in batch.failed:
            place = outcome.failure.place if outcome.failure else ""
            reasons = outcome.failure.lines if outcome.failure else ("还没有运行",)
            lines.append(
                f"  {outcome.job.code} {outcome.job.name}" + (f" {place}" if place else "")
            )
            lines += [f"    {reason}" for reason in reasons]
    if batch.index:
        lines += [f"汇总表：{batch.summary}", f"首页：{batch.index}"]
    elif batch.outcomes:
        lines.append(f"成果：{batch.outcomes[0].folder}")
    return lines


def _line(outcome: Outcome) -> str:
    status = "未变化，跳过" if outcome.status == "未变化" else outcome.status
    facts = [status, outcome.job.code, outcome.job.name, outcome.headline]
    if outcome.failure and outcome.status == "失败":
        facts.append(outcome.failure.place or outcome.failure.lines[0])
    if outcome.status in ("完成", "失败"):
        facts.append(f"{outcome.seconds:.1f} 秒")
    return "  ".join(fact for fact in facts if fact)


def _say(line: str) -> None:
    """Print what the console's encoding (often cp936) can show; the rest becomes `?`."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
