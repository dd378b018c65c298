"""How one project ended, and how the batch did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalkit.batch.jobs import Job

ERROR_TAG = "papermill-error-cell-tag"  # cells so tagged are dropped when a notebook runs again

Status = Literal["完成", "未变化", "失败", "中断", "未选"]
Kind = Literal["refused", "exception", "timeout", "kernel", "figure", "stopped", "internal"]


@dataclass(frozen=True)
class Failure:
    """Why a project failed. `cell` is the number in ``In [n]``; `lines` are whole sentences."""

    kind: Kind
    lines: tuple[str, ...]
    heading: str = ""
    cell: int | None = None

    @property
    def place(self) -> str:
        """Where, as ``“三、评分”代码格 [4]``; empty if no cell is to blame."""
        if self.cell is None:
            return ""
        return f"“{self.heading}”代码格 [{self.cell}]" if self.heading else f"代码格 [{self.cell}]"

    def __str__(self) -> str:
        reason = "；".join(self.lines)
        return f"{self.place}：{reason}" if self.place else reason


@dataclass(frozen=True)
class Outcome:
    """One project. `outputs` are the files of its last run, relative to `folder`."""

    job: Job
    folder: Path
    status: Status
    seconds: float = 0.0
    failure: Failure | None = None
    notes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    headline: str = ""  # e.g. 88.50 分 良

    @property
    def failed(self) -> bool:
        """True if it failed or was cut short: what lies in its folder is not of this run."""
        return self.status in ("失败", "中断")

    @property
    def place(self) -> str:
        """The cell that failed, if one did."""
        return self.failure.place if self.failure else ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it failed, in sentences."""
        return self.failure.lines if self.failure else ("还没有运行",)


@dataclass(frozen=True)
class BatchOutcome:
    """The whole list, in its order."""

    out: Path
    outcomes: tuple[Outcome, ...]
    seconds: float
    summary: Path | None = None
    index: Path | None = None

    @property
    def failed(self) -> list[Outcome]:
        """Projects that failed or were cut short."""
        return [outcome for outcome in self.outcomes if outcome.failed]

    @property
    def exit_code(self) -> int:
        """0 all well, 1 some failed."""
        return 1 if self.failed else 0
