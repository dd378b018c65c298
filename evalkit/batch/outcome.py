"""How one project ended and what it found, and how the batch did."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from evalkit.batch.jobs import Job
from evalkit.core import result_file
from evalkit.core.model import IndicatorScore, Result
from evalkit.core.numbers import fixed
from evalkit.core.problem import EvalkitError, Problem

REPORT, PAPERS, CHECKS = "评价报告.docx", "底稿.xlsx", "checks.json"
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
        heading = f"“{self.heading}”" if self.heading else ""
        return f"{heading}代码格 [{self.cell}]" if self.cell else ""

    def __str__(self) -> str:
        reason = "；".join(self.lines)
        return f"{self.place}：{reason}" if self.place else reason


@dataclass(frozen=True)
class Outcome:
    """One project. `outputs` are the files of its last run, relative to `folder`.

    `read_back` fills in what those files say: `result` (None if the project failed or has none),
    the `problems` of its checks and the names of fields still `missing`.
    """

    job: Job
    folder: Path
    status: Status
    failure: Failure | None = None
    notes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    seconds: float = 0.0
    result: Result | None = None
    problems: tuple[Problem, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """True if it failed or was cut short: what lies in its folder is not of this run."""
        return self.status in ("失败", "中断")

    @property
    def warnings(self) -> list[Problem]:
        """Errors and warnings of the checks; notes are left out."""
        return [problem for problem in self.problems if problem.severity != "note"]

    @property
    def indicators(self) -> tuple[IndicatorScore, ...]:
        """The scores; none without a result."""
        return self.result.score.indicators if self.result and self.result.score else ()

    @property
    def headline(self) -> str:
        """Score and grade in a few words, e.g. ``88.50 分 良``; empty without a score."""
        card = self.result.score if self.result else None
        if card is None:
            return ""
        if card.total is None:
            return f"暂计 {fixed(card.low)}–{fixed(card.high)} 分"
        return f"{fixed(card.total)} 分 {card.grade}".strip()

    def file(self, name: str) -> Path | None:
        """A result file, or the one written beside it because it was open elsewhere."""
        path = Path(name)
        for choice in (f"{path.stem}_新{path.suffix}", name):
            if choice in self.outputs and (self.folder / choice).is_file():
                return self.folder / choice
        return None

    def read_back(self) -> Outcome:
        """This outcome with what its result.json and checks.json say."""
        if self.failed or result_file.FILE_NAME not in self.outputs:
            return self
        try:
            result, _ = result_file.load(self.folder / result_file.FILE_NAME)
            path = self.folder / CHECKS
            checks = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            found = [*result.problems, *map(Problem.model_validate, checks.get("problems", []))]
        except (EvalkitError, ValueError) as error:
            return replace(self, problems=(Problem(what=f"成果读不出来：{error}"),))
        problems, missing = dict.fromkeys(found), dict.fromkeys(checks.get("missing", []))
        return replace(self, result=result, problems=tuple(problems), missing=tuple(missing))


@dataclass(frozen=True)
class BatchOutcome:
    """The whole list, in its order."""

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
