"""Target tables made by hand, as the reader of filed forms gives them, and what they face."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from evalkit.core.model import Datum, Row, Source
from evalkit.policy import Policy
from evalkit.policy import load as load_policy
from evalkit.rounds.target_review import contexts
from evalkit.scoring.findings import Finding, load_checks, run_checks
from evalkit.scoring.rows import key_of
from evalkit.workbook.cells import read_cell
from evalkit.workbook.schema import Sheet, load_schema

GOAL = "新建农村公路10公里，全部一次验收合格，年底前通车，改善沿线3个村的出行条件。"
# level 1, level 2, level 3, target, unit, points: 101号 with 成本 and 满意度
CLEAN = [
    ("成本指标", "经济成本指标", "每公里造价", "≤80", "万元/公里", "20"),
    ("产出指标", "数量指标", "新建公路里程", "≥10", "公里", "15"),
    ("产出指标", "质量指标", "一次验收合格率", "100", "%", "15"),
    ("产出指标", "时效指标", "通车时间", "2026年12月前", "", "10"),
    ("效益指标", "社会效益指标", "受益村", "≥3", "个", "20"),
    ("满意度指标", "服务对象满意度指标", "群众满意度", "≥90", "%", "10"),
]
FUNDS = [("年度资金总额", "800"), ("财政拨款", "700"), ("上年结转资金", "100")]


def cell(
    text: str, kind: str, address: str = "", unit: str = "", choices: tuple[str, ...] = ()
) -> Datum:
    datum, _ = read_cell(text, kind, unit=unit, choices=choices)  # type: ignore[arg-type]
    return datum.model_copy(update={"cell": address})


def row_of(sheet: Sheet, values: Mapping[str, str], line: int, name: str) -> Row:
    """A row of a filed form; addresses are made up, one column a field."""
    row = sheet.blank
    for n, field in enumerate(sheet.columns):
        if field.id in values:
            unit = values.get("unit", "") if field.unit_from else field.unit
            address = f"{name}!{chr(65 + n % 26)}{line}"
            row[field.id] = cell(values[field.id], field.type, address, unit, field.choices)
    return row


def table(
    rows: list[tuple[str, ...]] | None = None,
    funds: list[tuple[str, str]] | None = None,
    **form: str,
) -> Source:
    """A target table; without arguments one that nothing is to be said against."""
    schema = load_schema("filed_form")
    known = {"code": "P-001", "name": "农村道路项目", "unit": "某中心", "department": "某局",
             "year": "2026", "goal": GOAL, "scope": "项目"} | form  # fmt: skip
    names = ("level1", "level2", "level3", "target", "unit", "points", "direction", "actual")
    lines = [dict(zip(names, row, strict=False)) for row in (CLEAN if rows is None else rows)]
    money = [{"item": item, "budget": f"{amount}万元" if amount else ""}
             for item, amount in (FUNDS if funds is None else funds)]  # fmt: skip
    return Source(
        path=f"{known['name']}.xlsx",
        schema_name="filed_form",
        version=1,
        forms={"project": row_of(schema.sheet("project"), known, 2, "表")},
        tables={
            name: [row_of(schema.sheet(name), each, n, "表") for n, each in enumerate(mine, 5)]
            for name, mine in (("funds", money), ("indicators", lines))
        },
    )


@cache
def policy() -> Policy:
    return load_policy("national", as_of=date(2026, 12, 31))


def standard(item: str, unit: str, limit: str, source: str = "某财行〔2025〕8号") -> Row:
    return {"item": cell(item, "text"), "unit": cell(unit, "text"), "source": cell(source, "text"),
            "limit": cell(limit, "value", unit=unit)}  # fmt: skip


def known(**facts: Any) -> dict[str, Any]:
    """What a table is held against, as the workflow gathers it."""
    blank = load_schema("target_review").sheet("objects").blank
    usual = {
        "review": "重点项目", "tree": "101号", "facts": blank, "names": [], "standards": [],
        "last": {}, "stem": "农村道路项目", "task_year": Decimal(2026),
        "like_goals": [], "like_rows": [],
    }  # fmt: skip
    return usual | facts


def about(**facts: str) -> Row:
    """A line of 审核对象."""
    sheet = load_schema("target_review").sheet("objects")
    return row_of(sheet, facts, 2, "审核对象")


def last_year(**actuals: tuple[str, str]) -> dict[tuple[str, str], Row]:
    """What was filed for the last year: actual value and unit by name of indicator."""
    sheet = load_schema("filed_form").sheet("indicators")
    told = {
        name: dict(zip(("actual", "unit"), pair, strict=True)) for name, pair in actuals.items()
    }
    return {
        ("农村道路项目", key_of(name)): row_of(sheet, fields, 9, "自评表")
        for name, fields in told.items()
    }


def findings(source: Source, **facts: Any) -> list[Finding]:
    return [*run_checks(load_checks("targets"), contexts(source, known(**facts), policy()))]


def ids(source: Source, **facts: Any) -> list[str]:
    return [found.check.id for found in findings(source, **facts)]


def changed(place: int, **fields: str) -> list[tuple[str, ...]]:
    """The clean rows with one of them changed."""
    names = ("level1", "level2", "level3", "target", "unit", "points")
    rows = [*CLEAN]
    rows[place] = tuple((dict(zip(names, rows[place], strict=True)) | fields).values())
    return rows
