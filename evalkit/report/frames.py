"""What a notebook shows: results as DataFrames with Chinese columns."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pandas as pd

from evalkit.core.model import Result
from evalkit.core.numbers import fixed, plain
from evalkit.core.problem import SEVERITY_NAMES, Problem


def _score(value: Decimal | None) -> str:
    return "待补充" if value is None else fixed(value)


def problems(found: Iterable[Problem]) -> pd.DataFrame:
    """Problems, errors first: 程度, 位置, 内容, 处理."""
    order = list(SEVERITY_NAMES)
    rows = [
        {
            "程度": SEVERITY_NAMES[p.severity],
            "位置": "｜".join(x for x in (p.sheet, p.cell) if x),
            "内容": p.what,
            "处理": p.remedy,
        }
        for p in sorted(found, key=lambda p: order.index(p.severity))
    ]
    return pd.DataFrame(rows, columns=["程度", "位置", "内容", "处理"])


def subject(result: Result) -> pd.DataFrame:
    """The project in a few lines."""
    money = {
        "全年预算（万元）": "funds.budget",
        "到位（万元）": "funds.arrived",
        "支出（万元）": "funds.spent",
    }
    rows = [
        ("项目编码", result.code),
        ("项目名称", result.name),
        ("实施单位", result.subject["unit"]),
        ("评价年度", result.subject["year"]),
        ("报告状态", result.stage),
    ]
    rows += [
        (label, fixed(result.values[key] / 10000) if key in result.values else "待补充")
        for label, key in money.items()
    ]
    return pd.DataFrame(rows, columns=["项目", "内容"]).set_index("项目")


def scores(result: Result) -> pd.DataFrame:
    """One row an indicator: points, score, rate, rule, target and actual."""
    card = result.score
    rows = [
        {
            "编号": i.code,
            "一级指标": i.level1,
            "二级指标": i.level2,
            "三级指标": i.level3,
            "分值": plain(i.points),
            "得分": _score(i.score),
            "得分率": "" if i.rate is None else f"{fixed(i.rate)}%",
            "计分规则": i.trace.rule_name,
            "目标值": i.target,
            "实际": i.actual,
        }
        for i in (card.indicators if card else ())
    ]
    return pd.DataFrame(rows)


def groups(result: Result) -> pd.DataFrame:
    """Level-1 subtotals and the total; with gaps the total is 暂计 with its range."""
    card = result.score
    if card is None:
        return pd.DataFrame(columns=["一级指标", "分值", "得分", "得分率"])
    rows = [
        {
            "一级指标": g.level1,
            "分值": plain(g.points),
            "得分": _score(g.score),
            "得分率": "" if g.rate is None else f"{fixed(g.rate)}%",
        }
        for g in card.level1()
    ]
    total = (
        f"暂计 {fixed(card.low)}～{fixed(card.high)}" if card.total is None else fixed(card.total)
    )
    rate = "" if card.rate is None else f"{fixed(card.rate)}%"
    rows.append({"一级指标": "合计", "分值": plain(card.points), "得分": total, "得分率": rate})
    return pd.DataFrame(rows)


def traces(result: Result) -> pd.DataFrame:
    """How each score came about: formula, inputs with their cells, basis."""
    card = result.score
    rows = [
        {
            "三级指标": i.level3,
            "计算式": i.trace.formula,
            "计算得分": _score(i.trace.computed),
            "得分": _score(i.score),
            "输入": "；".join(f"{x.name} {x.value}{x.unit}（{x.cell}）" for x in i.trace.inputs[:6])
            + ("；……" if len(i.trace.inputs) > 6 else ""),
            "依据": str(i.trace.basis),
        }
        for i in (card.indicators if card else ())
    ]
    return pd.DataFrame(rows)


def issues(result: Result) -> pd.DataFrame:
    """The problems found, as a rectification ledger starts."""
    labels = {
        "no": "编号",
        "title": "问题",
        "indicator_names": "关联指标",
        "lost": "扣分",
        "advice": "建议",
        "responsible": "责任单位",
        "deadline": "整改期限",
    }
    frame = pd.DataFrame(result.tables["issues"], columns=list(labels))
    return frame.rename(columns=labels)
