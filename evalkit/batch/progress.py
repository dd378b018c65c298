"""What a person sees while a batch runs: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from evalkit.batch.jobs import Job
from evalkit.batch.outcome import BatchOutcome, Outcome

_STYLES = {"完成": "green", "未变化": "dim", "失败": "bold red", "中断": "yellow"}


class Screen:
    """A line a finished project; on a terminal also the running ones with stage and time."""

    def __init__(self, console: Console | None = None) -> None:
        plain = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
        self.console = console or plain
        self.view = Progress(
            SpinnerColumn("line"), TextColumn("{task.description}", markup=False), BarColumn(24),
            TextColumn("{task.fields[stage]}", style="cyan", markup=False), TimeElapsedColumn(),
            console=self.console, transient=True, disable=not self.console.is_terminal,
        )  # fmt: skip
        self.tasks: dict[str, TaskID] = {}
        self.whole, self.total, self.count = TaskID(0), 0, 0

    def begin(self, total: int) -> None:
        """Called once, with the number of projects to run."""
        self.total = total
        self.console.print(f"共 {total} 个项目")
        self.whole = self.view.add_task("全部项目", total=total, stage="")
        self.view.start()

    def stage(self, job: Job, stage: str) -> None:
        """Called, from worker threads, when a project reaches another heading of its notebook."""
        if job.code not in self.tasks:
            self.tasks[job.code] = self.view.add_task(job.name, total=None, stage="")
        self.view.update(self.tasks[job.code], stage=stage)

    def done(self, outcome: Outcome) -> None:
        """Called when a project has ended."""
        self.count += 1
        if outcome.job.code in self.tasks:
            self.view.remove_task(self.tasks.pop(outcome.job.code))
        count = f"{self.count}/{self.total}"
        self.console.print(f"[{count}] {_line(outcome)}", style=_STYLES[outcome.status])
        for note in outcome.notes:
            self.console.print(f"      {note}", style="yellow")
        self.view.update(self.whole, completed=self.count, stage=count)
        if self.count == self.total:
            self.view.stop()

    def end(self, batch: BatchOutcome) -> None:
        """Called once, at last: counts, each failure with cell and reason, where results are."""
        say = self.console.print
        counts = Counter(outcome.status for outcome in batch.outcomes)
        shown = "，".join(f"{status} {n} 个" for status, n in counts.items())
        say(f"{shown}；用时 {batch.seconds:.1f} 秒")
        for outcome in batch.outcomes:
            if failure := outcome.failure:
                say(f"未完成：{outcome.job.title} {failure.place}".rstrip())
                say("\n".join(f"    {reason}" for reason in failure.lines))
        if batch.index:
            say(f"汇总表：{batch.summary}\n首页：{batch.index}")
        else:
            say("\n".join(f"成果：{outcome.folder}" for outcome in batch.outcomes))


def _line(outcome: Outcome) -> str:
    status = "未变化，跳过" if outcome.status == "未变化" else outcome.status
    took = f"{outcome.seconds:.1f} 秒" if outcome.status in ("完成", "失败") else ""
    why = outcome.failure.place or outcome.failure.lines[0] if outcome.failure else ""
    facts = [status, outcome.job.code, outcome.job.name, outcome.headline, why, took]
    return "  ".join(fact for fact in facts if fact)
