"""What several tests need: the demo list, and workbooks made to order."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from evalkit.core.model import Datum, Result, Source
from evalkit.policy import Policy
from evalkit.policy import load as load_policy
from evalkit.scoring.indicator import adjustments_of, gather
from evalkit.scoring.scorecard import scorecard
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema
from evalkit.workflows import project_evaluation as evaluation

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "params" / "demo"
SOAK = os.environ.get("EVALKIT_SOAK") == "1"


@dataclass(frozen=True)
class DemoProject:
    """One row of the demo list."""

    code: str
    name: str
    workbook: Path
    stage: str
    profile: str


def demo_projects() -> list[DemoProject]:
    with (DEMO / "projects.csv").open(encoding="utf-8-sig", newline="") as stream:
        return [
            DemoProject(
                row["code"], row["name"], DEMO / row["workbook"], row["stage"],
                row["profile"] or "national",
            )
            for row in csv.DictReader(stream)
        ]  # fmt: skip


def load(workbook: Path, stage: str = "初稿", profile: str = "national", **more: str):
    return evaluation.load(
        evaluation.Params(workbook=str(workbook), stage=stage, profile=profile, **more)
    )


def evaluate(workbook: Path, stage: str = "初稿", profile: str = "national", **more: str) -> Result:
    return evaluation.evaluate(load(workbook, stage, profile, **more))


@cache
def _policy(profile: str, year: int) -> Policy:
    return load_policy(profile, as_of=date(year, 12, 31))


def rescore(source: Source, profile: str = "national"):
    """Only the scorecard, from a source changed in memory."""
    year = source.forms["project"]["year"].number
    policy = _policy(profile, int(year or 2024))
    survey = evaluation._survey(source, policy)
    measure = survey.measure if survey else evaluation.Measure(gap="满意度问卷待补充")
    return scorecard(gather(source, measure), adjustments_of(source), policy)[0]


def cells(source: Source) -> dict[str, Datum]:
    """Every cell that holds something, by address."""
    rows = [*source.forms.values(), *(row for table in source.tables.values() for row in table)]
    return {d.cell: d for row in rows for d in row.values() if d.value is not None}


def with_cell(source: Source, cell: str, datum: Datum) -> Source:
    """The source with one cell replaced."""

    def swap(row: Mapping[str, Datum]) -> dict[str, Datum]:
        return {key: datum if d.cell == cell else d for key, d in row.items()}

    return source.model_copy(
        update={
            "forms": {name: swap(form) for name, form in source.forms.items()},
            "tables": {name: [swap(r) for r in rows] for name, rows in source.tables.items()},
        }
    )


PROJECT = {
    "code": "TEST-001", "name": "测试项目", "year": "2024", "department": "某局", "unit": "某中心",
    "client": "某财政局", "agency": "某机构", "lead_evaluator": "张某", "reviewer": "李某",
    "mode": "财政评价", "phase": "年度评价", "base_date": "2024-12-31", "report_date": "2025-06-30",
    "survey_mapping": "五级均值",
}  # fmt: skip
FUNDS = [{"year": "2024", "source": "县级资金", "budget": "500", "arrived": "500", "spent": "450"}]
INDICATOR = {
    "code": "C101", "level1": "产出", "level2": "产出数量", "level3": "完成率", "points": "100",
    "kind": "定量", "rule": "比例得分", "target": "100%", "actual": "100%", "unit": "%",
    "basis_kind": "实施方案", "basis_document": "某方案", "basis_date": "2025-04-10",
    "standard": "按比例计分。", "reason": "", "evidence": "1-1",
}  # fmt: skip


def workbook(path: Path, **content: Any) -> Path:
    """A complete small 数据底稿; keyword arguments replace whole sheets by id.

    `indicators` may be a list of partial rows: missing fields come from `INDICATOR`, so a test
    names only what it is about.
    """
    rows = content.pop("indicators", [{}])
    sheets: dict[str, Any] = {
        "project": PROJECT,
        "funds": FUNDS,
        "indicators": [INDICATOR | {"code": f"C10{n}"} | row for n, row in enumerate(rows, 1)],
        "evidence": [{"no": "1-1", "title": "某资料"}],
        "texts": {"general_target": "某目标"},
    }
    sheets["project"] = sheets["project"] | content.pop("project", {})
    return write_blank(path, load_schema("project_evaluation"), sheets | content)
