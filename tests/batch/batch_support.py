"""Rows, indicators and scorecards made by hand."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from evalkit.core import model

FILES = Path(__file__).parent / "files"
HEADERS = ("code", "name", "notebook", "workbook")


def lay_out(folder: Path) -> Path:
    """Put the tiny notebooks and one workbook (a text that `ok.ipynb` reads) into a folder."""
    for notebook in FILES.glob("*.ipynb"):
        shutil.copy(notebook, folder)
    (folder / "数据底稿.xlsx").write_text("某县甲中心｜125000", encoding="utf-8")
    return folder


def write_list(
    folder: Path,
    *rows: Sequence[str],
    headers: Sequence[str] = HEADERS,
    encoding: str = "utf-8-sig",
) -> Path:
    """Write a CSV list; its rows are `row(…)`."""
    path = folder / "清单.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream).writerows([headers, *rows])
    return path


def row(code: str, name: str, notebook: str = "ok", *further: str) -> tuple[str, ...]:
    return (code, name, f"{notebook}.ipynb", "数据底稿.xlsx", *further)


def indicator(level3: str = "资金到位率", **changes: Any) -> model.IndicatorScore:
    """One scored indicator of 10 points; `rule`, `basis`, `inputs` go into its trace."""
    trace = model.Trace(
        rule=changes.pop("rule", "proportional"),
        rule_name=changes.pop("rule_name", "比例得分"),
        basis=model.Basis(kind="实施方案"),
        inputs=changes.pop("inputs", ()),
    )
    fields: dict[str, Any] = {
        "code": "B101",
        "level1": "过程",
        "level2": "资金管理",
        "points": Decimal(10),
        "score": Decimal(9),
        "target": "100%",
        "actual": "90%",
    }
    return model.IndicatorScore(level3=level3, trace=trace, **{**fields, **changes})


def scorecard(*indicators: model.IndicatorScore) -> model.Scorecard:
    scores = [i.score for i in indicators]
    known = sum((s for s in scores if s is not None), Decimal(0))
    points = sum((i.points for i in indicators), Decimal(0))
    total = None if None in scores else known
    group = model.GroupScore(level1="过程", points=points, score=total, rate=None)
    return model.Scorecard(
        indicators=indicators,
        groups=(group,),
        points=points,
        total=total,
        low=known,
        high=points,
        rate=None if total is None else total / points * 100,
        grade="" if total is None else "良",
    )
