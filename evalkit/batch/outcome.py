"""How one project ended, and how the batch did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evalkit.batch.jobs import Job

if TYPE_CHECKING:
    from evalkit.batch.engine import Failure

Status = Literal["完成", "未变化", "失败", "中断", "未选"]


@dataclass(frozen=True)
class Outcome:
    """One project. `outputs` are the files of its last good run, relative to `folder`."""

    job: Job
    folder: Path
    status: Status
    seconds: float = 0.0
    failure: Failure | None = None
    notes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    headline: str = ""  # e.g. 88.50 分 良

    @property
    def good(self) -> bool:
        """True if the files in its folder are those of the present inputs."""
        return self.status in ("完成", "未变化")


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
        return [o for o in self.outcomes if o.status in ("失败", "中断")]

    @property
    def exit_code(self) -> int:
        """0 all well, 1 some failed."""
        return 1 if self.failed else 0
