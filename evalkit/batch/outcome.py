"""One project to run, how it ended and what it found, and how the batch did."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from evalkit.core import result_file
from evalkit.core.model import IndicatorScore, Result
from evalkit.core.problem import EvalkitError, Problem
from evalkit.engine.notebook import Failure
from evalkit.report.prose import WORDS

CHECKS = "checks.json"
BOOKS = ("底稿.xlsx", "汇总表.xlsx")

GIVEN = ("code", "name", "workbook", "out")  # set by the batch where a notebook declares them
Status = Literal["完成", "未变化", "失败", "中断", "未选"]


@dataclass(frozen=True)
class Job:
    """One project to run. Paths are absolute; `folder` is its folder name under the output."""

    row: int
    code: str
    name: str
    notebook: Path
    workbook: Path
    folder: str
    parameters: dict[str, Any] = field(default_factory=dict)
    declared: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)  # its row of the list, as written

    @property
    def title(self) -> str:
        """Code and name, as lists show a project."""
        return f"{self.code} {self.name}"

    @property
    def report(self) -> str:
        """The file name of its report."""
        reports: dict[str, str] = WORDS["reports"]
        return reports.get(self.notebook.stem, next(iter(reports.values())))

    def injected(self, out: Path) -> dict[str, Any]:
        """The parameters given to the notebook, for its output folder `out`."""
        given = zip(GIVEN, (self.code, self.name, str(self.workbook), str(out)), strict=True)
        return {k: v for k, v in (*given, *self.parameters.items()) if k in self.declared}


@dataclass(frozen=True)
class Outcome:
    """One project. `outputs` are the files of its last run, relative to `folder`.

    `stages` are the parts of that run, by the headings of its notebook, with their seconds.

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
    stages: tuple[tuple[str, float], ...] = ()
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

    def file(self, name: str) -> Path | None:
        """A result file, or the one written beside it because it was open elsewhere."""
        path = self.folder / name
        choices = path.with_stem(f"{path.stem}_新"), path
        there = (path for path in choices if path.name in self.outputs and path.is_file())
        return next(there, None)

    def read_back(self) -> Self:
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

    def shown(self) -> Self:
        """This outcome with only what summary and front page show: a tenth of it."""
        if self.result is None:
            return self
        card, tables = self.result.score, {"issues": self.result.tables.get("issues", [])}
        adjusted = tuple(i for i in self.indicators if i.adjustment)
        card = card and card.model_copy(update={"indicators": adjusted, "policies": ()})
        less = {"score": card, "tables": tables, "texts": {}, "problems": ()}
        return replace(self, result=self.result.model_copy(update=less))


@dataclass(frozen=True)
class BatchOutcome:
    """The whole list, in its order; what was found is yet to be `read_back`."""

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
