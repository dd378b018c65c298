"""Indicator frameworks (`params/frameworks/`): trees of three levels that prefill a workbook.

A framework is a reference, not a rule: its points and 评分标准 are defaults to be settled in the
实施方案 that the client approves (财监〔2021〕4号 art. 15–16).
"""

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from evalkit.core.model import Frozen
from evalkit.core.numbers import plain
from evalkit.core.paths import assets
from evalkit.core.problem import refusal
from evalkit.core.yaml_file import read_yaml
from evalkit.policy.load import nearest


class FrameworkElement(Frozen):
    """One 评价要点; without a share all of an indicator's points weigh the same."""

    text: str = Field(min_length=1)
    share: Decimal | None = None  # percent


class FrameworkIndicator(Frozen):
    """One third-level indicator; `settings` are further columns of the 指标 sheet by field id."""

    code: str
    level1: str
    level2: str
    level3: str
    identifier: str = Field(exclude=True)  # what is excluded is no column of 指标
    explanation: str
    formula: str = Field("", exclude=True)
    reference: str = Field(exclude=True)  # where the indicator stands
    points: Decimal | None = None
    kind: Literal["定量", "定性"]
    rule: str = ""
    measure: str = ""
    target: str = ""
    unit: str = ""
    settings: dict[str, str] = Field({}, exclude=True)
    standard: str = ""
    elements: tuple[FrameworkElement, ...] = Field((), exclude=True)


class Framework(Frozen):
    """A tree of indicators; `points_source` says where default points come from."""

    id: str
    title: str
    source: str
    note: str = ""
    points_source: str
    basis: str
    indicators: tuple[FrameworkIndicator, ...]

    @model_validator(mode="after")
    def _codes_differ(self) -> "Framework":
        codes = [indicator.code for indicator in self.indicators]
        if not codes:
            raise ValueError("没有任何指标")
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"指标编号重复：{'、'.join(twice)}")
        return self


def load(framework: str) -> Framework:
    """A framework by id.

    >>> len(load("mof_2020_10").indicators)
    17

    Raises:
        EvalkitError: no such framework, or a broken file (all its faults at once).
    """
    known = assets("params", "frameworks")
    if framework not in known:
        raise refusal("framework.id", name=framework, hint=nearest(framework, known))
    found = read_yaml(known[framework], Framework)
    if found.id != framework:
        raise refusal("framework.identity", file=known[framework].name, name=framework)
    return found


def rows(framework: Framework) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Rows of the sheets 指标 and 评分要点 by field id, to prefill a blank workbook.

    >>> indicators, elements = rows(load("mof_2020_10"))
    >>> indicators[0]["level3"], indicators[0]["points"], elements[0]["indicator"]
    ('立项依据充分性', '4', 'A101')
    """
    indicators, elements = [], []
    for one in framework.indicators:
        row = one.model_dump()
        row["points"] = "" if one.points is None else plain(one.points)
        row["explanation"] += f"（{one.formula}）" if one.formula else ""
        row |= {"basis_kind": "机构设定", "basis_document": framework.basis} | one.settings
        indicators.append({field: value for field, value in row.items() if value})
        for element in one.elements:
            share = {} if element.share is None else {"share": f"{plain(element.share)}%"}
            elements.append({"indicator": one.code, "text": element.text} | share)
    return indicators, elements
