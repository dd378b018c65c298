"""Measurements that come from several cells: sums, rates of sums, fund rates."""

from dataclasses import replace

from evalkit.core.expr import Term, total
from evalkit.core.measure import Measure, direct, input_of, setting
from evalkit.core.model import Datum, Row, Table
from evalkit.core.numbers import fixed, plain, wan
from evalkit.scoring.texts import TEXTS


def _sum(entries: list[tuple[str, Datum]], label: str, absent: str) -> Measure:
    """The sum of named cells; a gap where there are none or one is blank."""
    blank = [datum.cell for _, datum in entries if datum.number is None]
    if blank or not entries:
        return Measure(gap=f"{label}待补充（{'、'.join(blank)}）" if blank else absent)
    inputs = tuple(input_of(name, datum) for name, datum in entries)
    return Measure(total([Term.of(datum.number or 0) for _, datum in entries]), inputs)


def _rate(top: Measure, base: Measure, zero: str) -> Measure:
    """One sum in percent of another; `zero` is said where that is none."""
    if top.term is None or base.term is None:
        return Measure(gap=top.gap or base.gap)
    if base.term == 0:
        return Measure(gap=zero)
    rate = top.term / base.term * 100
    return Measure(rate, (*top.inputs, *base.inputs), f"{fixed(rate.value)}%", "%")


def _data(rows: Table, field: str, label: str) -> Measure:
    """The sum of one column of 基础数据."""
    entries = [
        (f"{row['item'].text}·{label}", row[field].model_copy(update={"unit": row["unit"].text}))
        for row in rows
    ]
    return _sum(entries, f"基础数据的{label}数", "“基础数据”表中没有该指标的数据")


def data_sum(rows: Table) -> Measure:
    """基础数据合计: Σ实际 over an indicator's rows."""
    found = _data(rows, "actual", "实际")
    units = list(dict.fromkeys(row["unit"].text for row in rows if row["unit"].text))
    if found.term is None:
        return found
    if len(units) > 1:
        return Measure(gap=f"基础数据的单位不一致（{'、'.join(units)}），不能相加")
    unit = units[0] if units else ""
    return replace(found, shown=f"{plain(found.term.decimal())}{unit}", unit=unit)


def data_rate(rows: Table) -> Measure:
    """基础数据完成率: Σ实际 ÷ Σ计划 in percent; never the mean of the rows' rates."""
    done, plan = _data(rows, "actual", "实际"), _data(rows, "plan", "计划")
    return _rate(done, plan, "基础数据的计划数合计为 0，不能计算完成率")


def fund_rate(rows: Table, part: str, whole: str) -> Measure:
    """A rate of two columns of 资金, in percent: Σpart ÷ Σwhole.

    资金到位率 = 到位 ÷ 全年预算, 预算执行率 = 支出 ÷ 到位: 财预〔2020〕10号 附2. (A 自评表 divides
    spending by the budget instead, and calls it the same.)
    """
    sums, words = [], []
    for column in (part, whole):
        label = TEXTS["funds"][column]
        entries = [(f"{row['source'].text}{label}", row[column]) for row in rows]
        sums.append(_sum(entries, f"资金表的{label}", "“资金”表没有评价年度的数据"))
        words.append(f"{label} {wan((sums[-1].term or Term.of(0)).decimal())} 万元")
    rate = _rate(sums[0], sums[1], f"{TEXTS['funds'][whole]}资金为 0，不能计算比率")
    if rate.term is None:
        return rate
    years = tuple(entry for row in rows for entry in setting("年度", row["year"]))
    shown = f"{rate.shown}（{' ÷ '.join(words)}）"
    return replace(rate, inputs=(*rate.inputs, *years), shown=shown)


def of_row(row: Row, data: Table, funds: Table, survey: Measure) -> Measure:
    """The measurement of one row of 指标, by its 取数方式."""
    match row["measure"].text:
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
    typed, unit = direct(row["actual"]), row["unit"].text
    if typed.term is None or typed.unit or typed.day is not None:
        return typed
    return replace(typed, shown=typed.shown + unit, unit=unit)
