"""Measurements that come from several cells: sums, rates of sums, fund rates."""

from __future__ import annotations

from evalkit.core.expr import Term, total
from evalkit.core.measure import Measure, direct, input_of, setting
from evalkit.core.model import Datum, Input, Row, Table
from evalkit.core.numbers import fixed, plain, wan

NAMES = ("直接填报", "基础数据合计", "基础数据完成率", "资金到位率", "预算执行率", "问卷满意度")


def _sum(rows: Table, field: str, label: str) -> tuple[Term, tuple[Datum, ...]] | str:
    """The sum over one column, or what is missing."""
    data = [row[field] for row in rows]
    blank = [d.cell for d in data if d.number is None]
    if blank:
        return f"{label}待补充（{'、'.join(blank)}）"
    return total([Term.of(d.number or 0) for d in data]), tuple(data)


def data_sum(rows: Table) -> Measure:
    """基础数据合计: Σ实际 over an indicator's rows."""
    if not rows:
        return Measure(gap="“基础数据”表中没有该指标的数据")
    found = _sum(rows, "actual", "基础数据的实际数")
    if isinstance(found, str):
        return Measure(gap=found)
    term, data = found
    units = list(dict.fromkeys(row["unit"].text for row in rows if row["unit"].text))
    if len(units) > 1:
        return Measure(gap=f"基础数据的单位不一致（{'、'.join(units)}），不能相加")
    inputs = tuple(_named(rows, data, "实际"))
    unit = units[0] if units else ""
    return Measure(term, inputs, f"{plain(term.decimal())}{unit}", unit)


def data_rate(rows: Table) -> Measure:
    """基础数据完成率: Σ实际 ÷ Σ计划 in percent; never the mean of the rows' rates."""
    if not rows:
        return Measure(gap="“基础数据”表中没有该指标的数据")
    done, plan = _sum(rows, "actual", "基础数据的实际数"), _sum(rows, "plan", "基础数据的计划数")
    if isinstance(done, str):
        return Measure(gap=done)
    if isinstance(plan, str):
        return Measure(gap=plan)
    if plan[0] == 0:
        return Measure(gap="基础数据的计划数合计为 0，不能计算完成率")
    inputs = (*_named(rows, done[1], "实际"), *_named(rows, plan[1], "计划"))
    rate = done[0] / plan[0] * 100
    return Measure(rate, inputs, f"{fixed(rate.value)}%", "%")


def fund_rate(rows: Table, part: str, whole: str) -> Measure:
    """A rate of two columns of 资金, in percent: Σpart ÷ Σwhole.

    资金到位率 = 到位 ÷ 全年预算, 预算执行率 = 支出 ÷ 到位: 财预〔2020〕10号 附2. (A 自评表 divides
    spending by the budget instead, and calls it the same.)
    """
    labels = {"budget": "全年预算", "arrived": "到位", "spent": "支出", "initial": "年初预算"}
    if not rows:
        return Measure(gap="“资金”表没有评价年度的数据")
    top = _sum(rows, part, f"资金表的{labels[part]}")
    base = _sum(rows, whole, f"资金表的{labels[whole]}")
    if isinstance(top, str):
        return Measure(gap=top)
    if isinstance(base, str):
        return Measure(gap=base)
    if base[0] == 0:
        return Measure(gap=f"{labels[whole]}资金为 0，不能计算比率")
    inputs = tuple(
        input_of(f"{row['source'].text}{labels[column]}", row[column])
        for column in (part, whole)
        for row in rows
    )
    inputs += tuple(entry for row in rows for entry in setting("年度", row["year"]))
    rate = top[0] / base[0] * 100
    shown = (
        f"{fixed(rate.value)}%（{labels[part]} {wan(top[0].decimal())} 万元 ÷ "
        f"{labels[whole]} {wan(base[0].decimal())} 万元）"
    )
    return Measure(rate, inputs, shown, "%")


def _named(rows: Table, data: tuple[Datum, ...], label: str) -> list[Input]:
    return [
        input_of(f"{row['item'].text}·{label}", datum.model_copy(update={"unit": row["unit"].text}))
        for row, datum in zip(rows, data, strict=True)
    ]


def of_row(row: Row, data: Table, funds: Table, survey: Measure) -> Measure:
    """The measurement of one row of 指标, by its 取数方式."""
    match row["measure"].text or NAMES[0]:
        case "基础数据合计":
            return data_sum(data)
        case "基础数据完成率":
            return data_rate(data)
        case "资金到位率":
            return fund_rate(funds, "arrived", "budget")
        case "预算执行率":
            return fund_rate(funds, "spent", "arrived")
        case "问卷满意度":
            return survey
        case _:
            return _typed(row)


def _typed(row: Row) -> Measure:
    measure = direct(row["actual"])
    if measure.term is not None and not measure.unit and row["unit"].text and measure.day is None:
        return Measure(
            measure.term, measure.inputs, measure.shown + row["unit"].text, row["unit"].text
        )
    return measure
