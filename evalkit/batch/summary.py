"""summary.xlsx: the whole list in one workbook, from result.json and checks.json alone.

How its sheets look stands in `params/books/summary.yaml`; here are their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from evalkit.batch.consistency import Finding
from evalkit.batch.outcome import Outcome
from evalkit.core.model import Result
from evalkit.core.numbers import YUAN_PER, fixed
from evalkit.core.problem import SEVERITY_NAMES
from evalkit.report.sheets import read_book, write_book

_Row = dict[str, Any]


def computed_total(result: Result) -> Decimal | None:
    """The total before people adjusted scores; None if nothing was adjusted or has gaps."""
    card = result.score
    if card is None or card.total is None:
        return None
    changes = [i.adjustment for i in card.indicators if i.adjustment]
    gained = sum((a.adjusted - a.computed for a in changes), Decimal(0))
    return card.total - gained if changes else None


def write_summary(path: Path, outcomes: Sequence[Outcome], findings: Iterable[Finding]) -> Path:
    """Write 汇总, 问题清单, 调分, 失败与警告 and 一致性复核; returns the path really written."""
    book = read_book("summary")
    page = book["pages"]["汇总"]
    cards = [o.result.score for o in outcomes if o.result and o.result.score]
    levels = dict.fromkeys(f"{group.level1}得分" for card in cards for group in card.level1())
    page["columns"] += [[name, name, page["more"]] for name in levels]
    reviewed = [
        {**vars(f), "severity": SEVERITY_NAMES[f.severity], "projects": "\n".join(f.projects)}
        for f in findings
    ]
    contents = {
        "汇总": [{**_found(o), **_who(o), "number": n} for n, o in enumerate(outcomes, 1)],
        "问题清单": [row | _who(o) for o in outcomes for row in _issues(o)],
        "调分": [row | _who(o) for o in outcomes for row in _adjusted(o)],
        "失败与警告": [row | _who(o) for o in outcomes for row in _trouble(o)],
        "一致性复核": reviewed,
    }
    return write_book(path, book, contents)


def _who(outcome: Outcome) -> _Row:
    return {"code": outcome.job.code, "name": outcome.job.name}


def _found(outcome: Outcome) -> _Row:
    result = outcome.result
    if result is None:
        return {"status": outcome.status}
    funds = {key: value / YUAN_PER["万元"] for key, value in result.values.items()}
    row = {
        **result.subject,
        "status": outcome.status,
        "budget": funds.get("funds.budget"),
        "spent": funds.get("funds.spent"),
        "execution": result.values.get("funds.budget_execution_rate"),
        "stage": result.stage,
        "issues": len(_issues(outcome)),
        "warnings": len(outcome.warnings),
        "missing": len(outcome.missing),
    }
    if (card := result.score) is None:
        return row
    tentative = f"暂计 {fixed(card.low)}–{fixed(card.high)}"
    return row | {
        "total": tentative if card.total is None else card.total,
        "computed": computed_total(result),
        "rate": card.rate,
        "grade": card.grade or "—",
        "adjusted": sum(bool(indicator.adjustment) for indicator in card.indicators),
        **{f"{group.level1}得分": group.score for group in card.level1()},
    }


def _issues(outcome: Outcome) -> list[_Row]:
    return outcome.result.tables.get("issues", []) if outcome.result else []


def _adjusted(outcome: Outcome) -> Iterator[_Row]:
    for i in outcome.indicators:
        if a := i.adjustment:
            yield {**dict(a), "level3": i.level3, "change": a.adjusted - a.computed}


def _trouble(outcome: Outcome) -> Iterator[_Row]:
    if failure := outcome.failure:
        for reason in failure.lines:
            yield _row(outcome.status, reason, "改正后重新运行", failure.place)
    for note in outcome.notes:
        yield _row("提示", note)
    for severity, kind in SEVERITY_NAMES.items():
        for problem in (p for p in outcome.problems if p.severity == severity):
            place = "｜".join(part for part in (problem.sheet, problem.cell) if part)
            yield _row(kind, problem.what, problem.remedy, place)
    for name in outcome.missing:
        yield _row("待补充", name, "请补充后重新运行")


def _row(kind: str, what: str, remedy: str = "", place: str = "") -> _Row:
    return {"kind": kind, "place": place, "what": what, "remedy": remedy}
