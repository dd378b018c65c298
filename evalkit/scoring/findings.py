"""Checks as data: what a filed form, a line or a table is looked at for, and what is said then.

`params/checks/NAME.yaml` lists the checks of a business. `when` is a Jinja expression over one
context of the scope `each`, `say` the sentence; both may use whatever the workflow puts into the
context: the fields of a row as `Datum` (``score.number``, ``target.text``), computed figures,
policy values.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import groupby
from typing import Any, Literal

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from evalkit.core.model import Datum, Frozen
from evalkit.core.numbers import fixed, plain, wan
from evalkit.core.paths import asset
from evalkit.core.problem import Problem, Severity
from evalkit.core.yaml_file import read_yaml

Context = Mapping[str, Any]
SEVERITIES: dict[str, Severity] = {"错误": "error", "警告": "warning", "提示": "note"}


class Check(Frozen):
    """One check; `basis` is a 文号 with article or says that the firm set it."""

    id: str
    title: str
    each: str
    when: str
    say: str
    advice: str
    severity: Literal["错误", "警告", "提示"] = "警告"
    basis: str = ""
    dimension: str = ""
    deduct: Decimal = Decimal(0)
    most: Decimal = Decimal(100)  # what its findings in one form may cost together
    cell: str = ""  # the field whose address is printed


class Checks(Frozen):
    """The checks of a business, in the order they are run and printed."""

    checks: tuple[Check, ...]


class Finding(Frozen):
    """What a check found in one context."""

    check: Check
    what: str
    cell: str = ""  # 表!单元格
    indicator: str = ""

    @property
    def row(self) -> dict[str, str]:
        """The finding as a row of printed text."""
        said = self.check.model_dump(include={"id", "title", "severity", "basis", "dimension"})
        found = {"what": self.what, "cell": self.cell, "indicator": self.indicator}
        return {**said, **found, "advice": self.check.advice, "deduct": plain(self.check.deduct)}

    def problem(self, file: str) -> Problem:
        """The finding as a problem of a file."""
        sheet, _, cell = self.cell.rpartition("!")
        return Problem(
            severity=SEVERITIES[self.check.severity], code=f"check.{self.check.id}", what=self.what,
            remedy=self.check.advice, file=file, sheet=sheet, cell=cell, indicator=self.indicator,
        )  # fmt: skip


def load_checks(name: str) -> tuple[Check, ...]:
    """The checks in `params/checks/NAME.yaml` of the working folder, else the kit's own.

    Raises:
        EvalkitError: not a sound list of checks.
    """
    return read_yaml(asset("params", "checks", f"{name}.yaml"), Checks, texts=True).checks


@cache
def _engine() -> SandboxedEnvironment:
    engine = SandboxedEnvironment(undefined=StrictUndefined)
    engine.globals.clear()  # copied for each context, and no check needs them
    engine.filters |= {"n": plain, "fixed": fixed, "wan": wan}
    return engine


@cache
def _holding(conditions: tuple[str, ...]) -> Any:
    """What tells of a context which of the conditions hold: asked together, as asking is dear."""
    together = ",".join(f"({condition})" for condition in conditions)
    return _engine().compile_expression(f"[{together}]", undefined_to_none=False)


@cache
def _sentence(say: str) -> Any:
    return _engine().from_string(say)


def run_checks(
    checks: Iterable[Check], scopes: Mapping[str, Sequence[Context]]
) -> Iterator[Finding]:
    """What the checks find, check by check, in the order of the contexts.

    >>> check = Check(id="1", title="得分", each="rows", when="score.number > points.number",
    ...               say="得分{{ score.number|n }}分，高于分值", advice="请核对", cell="score")
    >>> row = {"score": Datum(value=Decimal(12), cell="表!G9"), "points": Datum(value=Decimal(10))}
    >>> [(f.what, f.cell) for f in run_checks([check], {"rows": [row]})]
    [('得分12分，高于分值', '表!G9')]
    """
    asked = [check for check in checks if scopes.get(check.each)]
    for each, mine in groupby(asked, lambda check: check.each):
        group = tuple(mine)
        holds = _holding(tuple(check.when for check in group))
        held = [(context, holds(**context)) for context in scopes[each]]
        for place, check in enumerate(group):
            for context in (context for context, answers in held if answers[place]):
                at, named = (context.get(key, Datum()) for key in (check.cell, "level3"))
                what = _sentence(check.say).render(context)
                yield Finding(check=check, what=what, cell=at.cell, indicator=named.text)
