"""Prices of a base year: cited index series, chained, item by item.

A series is a CSV file of `params/prices` (a county adds its own beside them): first the comment
lines ``# 标题：``, ``# 口径：`` (上年=100, to be chained, or 水平, a level such as a wage in 元),
``# 来源：``, ``# 说明：``, then the columns year, value, source. A figure whose publication was not
found carries 未核实 in its source; the others were copied from pages that reprint it, so:
使用前请与国家统计局公布数核对.
"""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from math import inf, prod
from pathlib import Path

import pandas as pd

from evalkit.core.numbers import fixed, plain
from evalkit.core.problem import refusal, refuse
from evalkit.standards.costs import Frame, amounts, cents
from evalkit.standards.rows import problems

_RANGE = {"上年=100": (50, 200), "水平": (0, inf)}  # what a figure can be, by basis


def load_series(path: Path) -> Frame:
    """A price series: [series (the file's name), title, basis, year, value (Decimal), source].

    The file is UTF-8 or GB18030; `title` is its first line (标题：…).

    Raises:
        EvalkitError: no such file, no 口径 or columns; or all rows with a year that is no year or
            stands twice, or a value that is not positive or is a rate instead of an index.
    """
    text, rows = "", pd.DataFrame()
    for encoding in ("gb18030", "utf-8-sig"):  # GB18030 takes almost any bytes: UTF-8 decides
        with suppress(OSError, ValueError):
            text = path.read_text(encoding).replace(":", "：")
            rows = pd.read_csv(path, encoding=encoding, comment="#", dtype=str).fillna("")
    basis = next((name for name in _RANGE if f"口径：{name}" in text), "")
    if not basis or {"year", "value", "source"} - set(rows):
        raise refusal("price.file", file=path.name)
    year, value = (pd.to_numeric(rows[name], errors="coerce") for name in ("year", "value"))
    fine = year.isin(range(1900, 2200)) & value.between(*_RANGE[basis], inclusive="neither")
    refuse(problems(rows, ~fine | year.duplicated(), "price.value", file=path.name))
    rows = rows.assign(series=path.stem, title=text.partition("\n")[0].strip("#, \r"), basis=basis)
    return rows.assign(year=year.astype(int), value=rows["value"].map(Decimal))


def _step(series: Frame, start: int, base: int) -> tuple[Fraction, str, bool] | None:
    """The factor from one year to another, as it is written, and whether it rests on 未核实.

    None where the series does not have the years that it takes.
    """
    chained = set(series["basis"]) == {"上年=100"}
    years = range(min(start, base) + 1, max(start, base) + 1) if chained else {start} ^ {base}
    used = series[series["year"].isin(list(years))].sort_values("year")
    if len(used) < len(years):
        return None
    values = list(used["value"])
    over, under = (values, [Decimal(100)] * len(values)) if chained else (values[1:], values[:1])
    pairs = list(zip(over, under, strict=True) if start < base else zip(under, over, strict=True))
    text = "".join(f"×{plain(n)}/{plain(d)}" for n, d in pairs)
    times = prod((Fraction(n) / Fraction(d) for n, d in pairs), start=Fraction(1))
    return times, text, bool(used["source"].str.contains("未核实").any())


def factor(series: Frame, start: int, base: int) -> Fraction:
    """What a price of the year `start` is multiplied by to stand in prices of the year `base`.

    Exact, so that factor(a, b) × factor(b, c) = factor(a, c); 1 for the same year.

    Raises:
        EvalkitError: years that the series does not have, with its name.

    >>> cpi = pd.DataFrame({"series": "cpi", "basis": "上年=100", "year": [2023, 2024],
    ...                     "source": "", "value": [Decimal("100.2"), Decimal("100.2")]})
    >>> float(factor(cpi, 2022, 2024))
    1.004004
    """
    one = pd.DataFrame({"item": ["价格"], "year": [start], "amount": [Decimal(1)]})
    names = {"价格": series["series"].iloc[0]}
    return Fraction(adjust(one, series, names, base)["factor"].iloc[0])


def adjust(costs: Frame, prices: Frame, series: Mapping[str, str], base: int) -> Frame:
    """Costs in prices of the base year: C × P(base) / P(year), each item by its own series.

    Args:
        costs: [unit, year, item, amount (元), …].
        prices: series of `load_series`, one below the other (`pd.concat`).
        series: item → name of its series; "" for an item that keeps its amount (折旧).
        base: the base year.

    Returns:
        The frame with `amount` in cents, `series`, `factor` (an exact Fraction),
        `unverified` (True where a figure of the chain says 未核实) and `formula`.

    Raises:
        EvalkitError: amounts that are no numbers, items without a word about their series, series
            not loaded, years that a series does not have, all at once.

    >>> cpi = pd.DataFrame({"series": "cpi", "basis": "上年=100", "year": [2024], "source": "",
    ...                     "value": [Decimal("100.2")]})
    >>> costs = pd.DataFrame({"year": [2023], "item": ["办公"], "amount": [Decimal(1000)]})
    >>> adjust(costs, cpi, {"办公": "cpi"}, 2024)[["amount", "formula"]].values.tolist()
    [[Decimal('1002.00'), '1000.00×100.2/100']]
    """
    named = costs.assign(series=costs["item"].map(series).fillna("未指定"))
    tables = dict(iter(prices.groupby("series"))) | {"": prices}
    keys = list(zip(named["series"], named["year"], strict=True))
    steps = {(n, y): _step(tables[n], y if n else base, base) for n, y in {*keys} if n in tables}
    rows = [steps.get(key) for key in keys]
    short = problems(named, [row is None for row in rows], "price.step", base=str(base))
    refuse(amounts(costs, "amount", "金额") + short)
    done = pd.DataFrame(rows, columns=["factor", "text", "unverified"], index=costs.index)
    moved = (costs["amount"].map(Fraction) * done["factor"]).map(cents)
    formula = costs["amount"].map(fixed) + done.pop("text")
    return named.assign(amount=moved, formula=formula, **done)
