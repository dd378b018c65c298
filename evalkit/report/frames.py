"""What a notebook shows: results as DataFrames with Chinese columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

import pandas as pd

from evalkit.core.model import Result, Trace
from evalkit.core.numbers import fixed, plain, wan
from evalkit.core.problem import SEVERITY_NAMES, Problem
from evalkit.ooxml.oxml import GAP
from evalkit.report.papers import policy_rows
from evalkit.report.prose import card_of, figure

# Formulas and cells are there to be read, not to be cut.
pd.set_option("display.max_colwidth", None, "display.max_rows", None)


def _frame(columns: str, rows: Iterable[Sequence[str]]) -> pd.DataFrame:
    names = columns.split()
    return pd.DataFrame(list(rows), columns=names).set_index(names[0])


def problems(found: Iterable[Problem]) -> pd.DataFrame:
    """Problems, errors first: 程度, 位置, 内容, 处理."""
    order = list(SEVERITY_NAMES)
    rows = [
        (SEVERITY_NAMES[p.severity], "｜".join(x for x in (p.sheet, p.cell) if x), p.what, p.remedy)
        for p in sorted(found, key=lambda p: order.index(p.severity))
    ]
    return _frame("程度 位置 内容 处理", rows or [("", "", "没有问题", "")])


def subject(result: Result) -> pd.DataFrame:
    """The project in a few lines."""
    rows = [
        ("项目编码", result.code), ("项目名称", result.name), ("实施单位", result.subject["unit"]),
        ("评价年度", result.subject["year"]), ("报告状态", result.stage),
    ]  # fmt: skip
    for label, key in (("全年预算", "budget"), ("到位", "arrived"), ("支出", "spent")):
        amount = result.values.get(f"funds.{key}")
        rows.append((f"{label}（万元）", GAP if amount is None else wan(amount)))
    return _frame("项目 内容", rows)


def scores(result: Result) -> pd.DataFrame:
    """One row an indicator: points, score, rate, rule, target and actual."""
    rows = [
        (i.code, i.level1, i.level2, i.level3, plain(i.points), figure(i.score),
         figure(i.rate, "%"), i.trace.rule_name, i.target, i.actual)
        for i in card_of(result).indicators
    ]  # fmt: skip
    columns = "编号 一级指标 二级指标 三级指标 分值 得分 得分率 计分规则 目标值 实际"
    return _frame(columns, rows)


def groups(result: Result) -> pd.DataFrame:
    """Level-1 subtotals and the total; with gaps the total is 暂计 with its range."""
    card = card_of(result)
    rows = [(g.level1, plain(g.points), figure(g.score), figure(g.rate, "%"))
            for g in card.level1()]  # fmt: skip
    total = f"暂计 {fixed(card.low)}～{fixed(card.high)}"
    total = total if card.total is None else fixed(card.total)
    rows.append(("合计", plain(card.points), total, figure(card.rate, "%")))
    return _frame("一级指标 分值 得分 得分率", rows)


def _inputs(trace: Trace) -> str:
    """The first values of a trace with their cells; the choices made are told in 底稿."""
    values = [f"{x.name} {x.value}{x.unit}（{x.cell}）" for x in trace.inputs if x.of != "setting"]
    return "；".join([*values[:6], *(["……"] if len(values) > 6 else [])])


def traces(result: Result) -> pd.DataFrame:
    """How each score came about: formula, inputs with their cells, basis."""
    rows = [
        (i.level3, i.trace.formula, figure(i.trace.computed), figure(i.score), _inputs(i.trace),
         str(i.trace.basis))
        for i in card_of(result).indicators
    ]  # fmt: skip
    return _frame("三级指标 计算式 计算得分 得分 输入 依据", rows)


def policies(result: Result) -> pd.DataFrame:
    """Every policy value used: value, source, date, profile, what it overrode, by whom used."""
    pick = itemgetter("title", "value", "source", "effective", "profile", "overrode", "users")
    columns = "名称 取值 文号与条款 生效日期 配置 覆盖了什么 用于"
    return _frame(columns, map(pick, policy_rows(card_of(result))))


def issues(result: Result) -> pd.DataFrame:
    """The problems found, as a rectification ledger starts."""
    pick = itemgetter("no", "title", "indicator_names", "lost", "advice", "responsible", "deadline")
    columns = "编号 问题 关联指标 扣分 建议 责任单位 整改期限"
    return _frame(columns, map(pick, result.tables["issues"]))
