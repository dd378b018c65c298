"""What went wrong, where, and what to do about it: one sentence a problem, all at once."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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

    Facts called file, sheet, cell or indicator also say where the problem is; so does the address
    of a cell, called at: ``表!单元格``, of another file ``[权重/汇总表.xlsx]权重与分值!F3``.

    >>> print(sentence("yaml.file", file="national.yaml"))
    national.yaml：读不到这个文件——请检查它是否存在
    >>> print(sentence("project.year", at="项目信息!B9", label="评价年度"))
    项目信息｜B9：评价年度为空或不是年份——请填写四位年份
    """
    row = _sentences().get(code) or _sentences()[f"{code.partition('.')[0]}.other"]
    severity, what, remedy = (part.format(**facts) for part in row)
    place = {name: facts[name] for name in facts.keys() & {"file", "sheet", "cell", "indicator"}}
    book, _, own = str(facts.get("at", "")).rpartition("]")
    sheet, _, cell = own.partition("!")
    place |= {k: v for k, v in (("file", book[1:]), ("sheet", sheet), ("cell", cell)) if v}
    return Problem(code=code, severity=severity, what=what, remedy=remedy, **place)


def refusal(code: str, /, **facts: Any) -> EvalkitError:
    """The error that carries only this `sentence`."""
    return EvalkitError([sentence(code, **facts)])


def demand(met: Any, code: str, /, **facts: Any) -> None:
    """Refuse with the sentence `code` unless the condition is met."""
    if not met:
        raise refusal(code, **facts)


@contextmanager
def noting(problems: list[Problem], about: str = "", **place: str) -> Iterator[None]:
    """Note what is refused, and go on: what it is about stands before it, `place` says where.

    >>> found = []
    >>> with noting(found, "乙表", file="甲.xlsx"):
    ...     raise refusal("yaml.file", file="")
    >>> print(*found)
    甲.xlsx：乙表：读不到这个文件——请检查它是否存在
    """
    try:
        yield
    except EvalkitError as refused:
        for problem in refused.problems:
            update = {"what": f"{about}：{problem.what}"} if about else {}
            update |= {key: value for key, value in place.items() if value}
            problems.append(problem.model_copy(update=update))


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
