"""Result folders made to order, as a weights run and a survey run leave them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import support

from evalkit.core import result_file
from evalkit.core.model import Result
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema

sys.path.insert(0, str(support.ROOT / "tests" / "demo"))
import build as demo

METHOD = "层次分析法与熵权法线性组合"
OPTIONS = ("非常满意", "满意", "一般", "不满意", "非常不满意", "不了解")


def save(folder: Path, result: Result, page: str, rows: Sequence[Sequence[Any]]) -> Path:
    """result.json and 汇总表.xlsx with this page: a title, then these rows."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = page
    for row in ([page], *rows):
        sheet.append(list(row))
    folder.mkdir(parents=True, exist_ok=True)
    book.save(folder / "汇总表.xlsx")
    result_file.save(folder / result_file.FILE_NAME, result, {"written": "2025-04-01T08:00:00"})
    return folder


def weights(
    folder: Path,
    points: Mapping[str, str],
    *,
    spread: str = "0.0100",
    stage: str = "终稿",
    **more: Any,
) -> Path:
    """A weights result of these points by code; `spread` is that of every weight."""
    rows = [
        {"code": code, "level1": "产出", "level2": "产出数量", "level3": f"指标{code}",
         "weight": f"{Decimal(text or 0) / 100:.4f}", "points": text, "spread": spread}
        for code, text in points.items()
    ]  # fmt: skip
    about = {"workflow": "indicator_weights", "code": "QZ-2025-001", "name": "测试项目权重"} | more
    subject = {"method": METHOD, "experts": "7", "year": "2024"}
    result = Result(**about, stage=stage, subject=subject, tables={"points": rows})
    heads = ("编号", "一级指标", "二级指标", "三级指标", "权重", "分值")
    fields = ("code", "level1", "level2", "level3")
    table = [[*(r[f] for f in fields), float(r["weight"]), float(r["points"] or 0)] for r in rows]
    return save(folder, result, "权重与分值", [heads, *table])


QUESTIONS = [
    {"no": "1", "question": "1、您对路面保洁是否满意", "dimension": "环境", "share": "60.00",
     "非常满意": "90", "满意": "60", "一般": "20", "不满意": "6", "非常不满意": "4", "不了解": "2",
     "n": "180", "satisfaction": "85.11", "low": "82.90", "high": "87.32"},
    {"no": "2", "question": "2、您对公厕卫生是否满意", "dimension": "环境", "share": "40.00",
     "非常满意": "70", "满意": "70", "一般": "30", "不满意": "8", "非常不满意": "2", "不了解": "2",
     "n": "180", "satisfaction": "82.00", "low": "79.60", "high": "84.40"},
]  # fmt: skip
GROUPS = [
    {"group": "城区居民", "n": "130", "satisfaction": "84.50", "low": "82.00", "high": "87.00"},
    {"group": "沿街商户", "n": "52", "satisfaction": "82.10", "low": "78.00", "high": "86.20"},
]
VALUES = {"satisfaction": "83.87", "low": "81.47", "high": "86.27", "valid": "182", "sent": "210",
          "returned": "196", "population": "146000", "confidence": "95"}  # fmt: skip
SUBJECT = {"survey_mapping": "五级均值", "survey_period": "2025年5月6日至5月20日",
           "survey_method": "入户问卷", "year": "2024"}  # fmt: skip


def survey(folder: Path, *, code: str = "TEST-001", stage: str = "终稿", **more: Any) -> Path:
    """A survey result; `values` and `subject` go over the usual ones, None takes one away."""
    given = {k: v for k, v in (VALUES | more.pop("values", {})).items() if v is not None}
    subject = SUBJECT | more.pop("subject", {})
    about = {"workflow": "satisfaction_survey", "name": "测试项目满意度"} | more
    result = Result(
        **about, code=code, stage=stage, subject=subject,
        values={f"survey.{name}": Decimal(number) for name, number in given.items()},
        tables={"questions": QUESTIONS, "groups": GROUPS},
    )  # fmt: skip
    heads = ("口径", "满意度（%）", "下限", "上限", "有效份数")
    ends = [float(given[name]) if name in given else None for name in
            ("satisfaction", "low", "high", "valid")]  # fmt: skip
    return save(folder, result, "采用结果", [heads, [subject["survey_mapping"], *ends]])


def demo_drawn(slug: str, folder: Path) -> Path:
    """A demo project that draws its points and its satisfaction instead of typing them."""
    source = demo.load(support.ROOT / "tests" / "demo" / "sources" / f"{slug}.yaml")
    content = {name: source[name] for name in (*demo.FORMS, *demo.TABLES) if source.get(name)}
    points = {row["code"]: row["points"] for row in content["indicators"]}
    weights(folder / "权重", points, spread="0.0080")
    survey(folder / "满意度", code=content["project"]["code"])
    form = {k: v for k, v in content["project"].items() if not k.startswith("survey_")}
    content["project"] = form | {"weights_from": "权重", "survey_from": "满意度"}
    content["indicators"] = [{**row, "points": ""} for row in content["indicators"]]
    return write_blank(folder / "数据底稿.xlsx", load_schema("project_evaluation"), content)
