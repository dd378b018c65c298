"""Lines as the reader of filed forms gives them, made to order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from evalkit.core.model import Datum, Source
from evalkit.policy import load as load_policy
from evalkit.rounds.monitoring import TOTAL, Line, judge, monitor, read_line
from evalkit.scoring.findings import load_checks, run_checks
from evalkit.workbook.cells import quantity
from evalkit.workbook.schema import load_schema

D = Decimal
DEMO = "params/demo/monitoring/监控任务.xlsx"


@cache
def _blank(sheet: str) -> dict[str, Datum]:
    return load_schema("filed_form").sheet(sheet).blank


def datum(value: Any, cell: str = "") -> Datum:
    """A cell: a number, a date, a quantity such as ``≥20个``, or words."""
    if isinstance(value, Datum):
        return value
    if isinstance(value, int | float):
        value = D(str(value))
    if isinstance(value, str) and (found := quantity(value)):
        return found.model_copy(update={"cell": f"监控表!{cell}"})
    return Datum(value=value if value != "" else None, raw=str(value), cell=f"监控表!{cell}")


def indicator(target: Any = "≥20个", forecast: Any = "20个", actual: Any = "10个", **more: Any):
    told = {"level3": "数量", "target": target, "forecast": forecast, "actual": actual, **more}
    return _blank("indicators") | {name: datum(value, name) for name, value in told.items()}


def filed(
    budget: Any = 100, spent: Any = 50, *indicators: Mapping[str, Datum], forecast: Any = "",
    code: str = "P1", scope: str = "项目", funds: Mapping[str, Any] | None = None, **form: Any,
) -> Source:  # fmt: skip
    """A filed form; money in 元."""
    told = {"name": f"项目{code}", "unit": "甲单位", "department": "甲局", "month": 6, "year": 2026}
    told |= {"code": code, "scope": scope, "kind": "监控情况表", **form}
    money = {
        "item": TOTAL,
        "initial": budget,
        "spent": spent,
        "forecast": forecast,
        **(funds or {}),
    }
    texts = {k: Datum(value=told.pop(k) or None, cell=f"监控表!{k}") for k in ("code", "name")}
    return Source(
        path=f"{code or told['unit']}.xlsx", schema_name="filed_form", version=1,
        forms={"project": _blank("project") | {k: datum(v, k) for k, v in told.items()} | texts},
        tables={"funds": [_blank("funds") | {k: datum(v, k) for k, v in money.items()}],
                "indicators": list(indicators)},
    )  # fmt: skip


@cache
def _policy(profile: str):
    return load_policy(profile, as_of=date(2026, 12, 31))


def given(months: int = 6, profile: str = "national", **more: Any) -> dict[str, Any]:
    """What a round measures with, with the policy's own values."""
    policy = _policy(profile)
    return {
        "months": months, "asked": "年初预算数", "task_year": D(2026),
        "checks": load_checks("monitoring"),
        "lights": policy.value("monitoring_lights"), "actions": policy.value("monitoring_disposal"),
        "shown": policy.value("monitoring_shown"), "plans": {}, "violations": {}, "previous": {},
        "decisions": {}, "letter": policy.value("monitoring_letter"), **more,
    }  # fmt: skip


def line(*args: Any, under: Mapping[str, Any] | None = None, **more: Any) -> Line:
    """One judged line."""
    measured = under or given()
    return judge(read_line(filed(*args, **more), measured), measured)


def lines(sources: Sequence[Source], **more: Any) -> list[Line]:
    return monitor(sources, given(**more))[0]


def findings(*args: Any, under: Mapping[str, Any] | None = None, **more: Any) -> dict[str, str]:
    """What the checks say of one line, by id."""
    measured = under or given()
    judged = line(*args, under=measured, **more)
    scopes = {"lines": [{**measured, **judged}], "indicators": judged["indicators"]}
    return {found.check.id: found.what for found in run_checks(measured["checks"], scopes)}
