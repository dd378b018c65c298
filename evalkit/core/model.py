"""What crosses a floor: data read from a workbook, traces, scores, and the result of a run.

Everything here is frozen. Decimals are exact and written to JSON as strings.
"""

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evalkit.core.problem import Problem

SCHEMA_VERSION = "1.0"

Stage = Literal["初稿", "征求意见稿", "送审稿", "终稿"]
STAGES: tuple[Stage, ...] = ("初稿", "征求意见稿", "送审稿", "终稿")
STRICT_STAGES: tuple[Stage, ...] = ("送审稿", "终稿")
Bound = Literal["", "≥", "≤", "=", ">", "<"]
Precision = Literal["", "month", "year"]


class Frozen(BaseModel):
    """Base of all models that cross a floor."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Datum(Frozen):
    """One workbook cell after reading.

    `value` is a decimal (money in 元, percentages in percent points with unit ``%``), a date, a
    text or None for an empty cell. `cell` is its address as ``表!单元格``; `raw` is what a person
    sees there; `formula` is the Excel formula the value was cached from.
    """

    value: Decimal | date | str | None = None
    cell: str = ""
    raw: str = ""
    unit: str = ""
    formula: str = ""
    precision: Precision = ""  # a date known only to the month or year
    bound: Bound = ""  # an operator written with the value

    @property
    def text(self) -> str:
        """The value as text, empty for an empty cell; a choice or code in its normal spelling."""
        if isinstance(self.value, str):
            return self.value
        return self.raw if self.value is not None else ""

    @property
    def number(self) -> Decimal | None:
        """The value if it is a number."""
        return self.value if isinstance(self.value, Decimal) else None


Row = dict[str, Datum]  # field id → datum; the field ids are those of the sheet's schema
Table = list[Row]


class Source(Frozen):
    """A whole 数据底稿 after reading: a form (id → datum) or a table (rows) for each sheet id."""

    path: str
    schema_name: str
    version: int
    forms: dict[str, dict[str, Datum]]
    tables: dict[str, list[dict[str, Datum]]]
    open_columns: dict[str, list[str]] = Field(default_factory=dict)  # sheet id → free headers
    problems: list[Problem] = Field(default_factory=list)


class Basis(Frozen):
    """Where an indicator's scoring rule comes from (财监〔2021〕4号 art. 15–16)."""

    kind: str = ""  # 法规 / 委托方规定 / 实施方案 / 机构设定
    document: str = ""
    dated: str = ""

    def __str__(self) -> str:
        dated = f"（{self.dated}）" if self.dated else ""
        return f"{self.kind}：{self.document}{dated}" if self.document else self.kind


class Input(Frozen):
    """One number that went into a score, and the cell (or range) it came from."""

    name: str
    value: str
    unit: str = ""
    cell: str
    raw: str = ""
    formula: str = ""  # the Excel formula in that cell
    of: Literal["value", "count", "setting"] = "value"  # counted in a range; or a choice made
    criterion: str = ""  # what is counted in the range


class PolicyUse(Frozen):
    """One policy value used, with its source; `overrode` names what a profile replaced."""

    key: str
    title: str
    value: Any
    source: str
    effective: str
    profile: str
    overrode: str = ""


class Trace(Frozen):
    """How one score came about; report text, 底稿 and result.json are all written from it.

    `formula` is an Excel expression with numbers in it; evaluating it gives `computed`.
    `limit` says why a changed input need not move the score (封顶, 扣完, 本档内, …).
    """

    rule: str
    rule_name: str
    basis: Basis
    standard: str = ""
    inputs: tuple[Input, ...] = ()
    policies: tuple[PolicyUse, ...] = ()
    formula: str = ""
    computed: Decimal | None = None
    limit: str = ""
    measured: str = ""  # what was found, in words, e.g. 实际完成 205.80 万公里，计划 210 万公里
    notes: tuple[str, ...] = ()


class Adjustment(Frozen):
    """A person's change of a score, the only way there is (调分记录)."""

    indicator: str
    computed: Decimal
    adjusted: Decimal
    reason: str
    basis: str = ""
    approver: str = ""
    dated: str = ""
    cell: str = ""


class Element(Frozen):
    """One evaluation point (评价要点) and how far it is met."""

    text: str
    share: Decimal  # percent points; an indicator's shares make 100
    met: Decimal | None  # 0–1
    finding: str = ""
    evidence: str = ""
    cell: str = ""


class IndicatorScore(Frozen):
    """One third-level indicator with its score. `score` is None where there is a gap."""

    code: str
    level1: str
    level2: str
    level3: str
    explanation: str = ""
    kind: str = ""
    points: Decimal
    target: str = ""
    actual: str = ""
    standard: str = ""
    score: Decimal | None = None
    lost: Decimal | None = None
    rate: Decimal | None = None  # 得分率, percent, two decimals
    reason: str = ""  # 扣分原因
    finding: str = ""  # 评价情况
    evidence: tuple[str, ...] = ()
    elements: tuple[Element, ...] = ()
    trace: Trace
    adjustment: Adjustment | None = None
    gap: str = ""
    vetoed: bool = False


class GroupScore(Frozen):
    """Subtotal of a level-1 or level-2 indicator; None where an indicator below has a gap."""

    level1: str
    level2: str = ""
    points: Decimal
    score: Decimal | None
    rate: Decimal | None


class Scorecard(Frozen):
    """All scores of one project. With gaps, `total` is None and the range is stated."""

    indicators: tuple[IndicatorScore, ...]
    groups: tuple[GroupScore, ...]  # level 1 then its level 2s, in order
    points: Decimal
    total: Decimal | None
    low: Decimal  # what the total can be at least: gaps score zero
    high: Decimal  # and at most: gaps score their points
    rate: Decimal | None
    grade: str = ""  # empty while there are gaps
    grade_note: str = ""  # e.g. the veto that capped it
    policies: tuple[PolicyUse, ...] = ()

    def level1(self) -> list[GroupScore]:
        """Only the level-1 subtotals."""
        return [group for group in self.groups if not group.level2]


class Result(Frozen):
    """What one project's run found: the `result` part of result.json.

    `values` are named figures (money in 元, rates in percent); `tables` are rows of printed text
    whose columns the workflow documents. Equal inputs give equal bytes.
    """

    schema_version: str = SCHEMA_VERSION
    workflow: str
    code: str
    name: str
    stage: Stage
    subject: dict[str, str]  # the project form as printed, by field id
    texts: dict[str, str] = Field(default_factory=dict)  # short prose by field id
    values: dict[str, Decimal] = Field(default_factory=dict)
    score: Scorecard | None = None
    tables: dict[str, list[dict[str, str]]] = Field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
