"""What went wrong, where, and what to do about it: one sentence a problem, all at once."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

Severity = Literal["error", "warning", "note"]
SEVERITY_NAMES: dict[str, str] = {"error": "错误", "warning": "警告", "note": "提示"}


class Problem(BaseModel):
    """One problem, addressed to the person who can mend it.

    >>> print(Problem(file="数据底稿.xlsx", sheet="指标", cell="D12",
    ...               what="目标值为空", remedy="请填写数值或改为定性指标"))
    数据底稿.xlsx｜指标｜D12：目标值为空——请填写数值或改为定性指标
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    remedy: str = ""
    severity: Severity = "error"
    code: str = ""  # stable name for tests and filters, e.g. "points.sum"
    file: str = ""
    sheet: str = ""
    cell: str = ""
    indicator: str = ""

    def __str__(self) -> str:
        place = "｜".join(part for part in (self.file, self.sheet, self.cell) if part)
        sentence = f"{self.what}——{self.remedy}" if self.remedy else self.what
        return f"{place}：{sentence}" if place else sentence


class EvalkitError(Exception):
    """A refusal that carries every problem found; it survives pickling."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


@cache
def _sentences() -> dict[str, Any]:
    return dict(yaml.safe_load(Path(__file__).with_name("sentences.yaml").read_text("utf-8")))


def sentence(code: str, /, **facts: Any) -> Problem:
    """The problem with this code, its sentence in sentences.yaml completed with the facts.

    Facts called file, sheet, cell or indicator also say where the problem is.

    >>> print(sentence("yaml.file", file="national.yaml"))
    national.yaml：读不到这个文件——请检查它是否存在
    """
    row = _sentences().get(code) or _sentences()[f"{code.partition('.')[0]}.other"]
    severity, what, remedy = (part.format(**facts) for part in row)
    place = {name: facts[name] for name in facts.keys() & {"file", "sheet", "cell", "indicator"}}
    return Problem(code=code, severity=severity, what=what, remedy=remedy, **place)


def refusal(code: str, /, **facts: Any) -> EvalkitError:
    """The error that carries only this `sentence`."""
    return EvalkitError([sentence(code, **facts)])


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Only the problems that must be mended."""
    return [problem for problem in problems if problem.severity == "error"]


def refuse(problems: Iterable[Problem]) -> None:
    """Raise all errors at once, if there is any.

    Raises:
        EvalkitError: with every problem of severity error.
    """
    if found := errors(problems):
        raise EvalkitError(found)
