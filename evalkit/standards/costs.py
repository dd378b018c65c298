"""From allowed costs to unit costs: one measure, one VAT basis, full years, cost boundaries.

Costs are a frame [unit, year, item, amount, at?], amounts in 元 as Decimals of whole cents.
Volumes are a frame [unit, year, driver, volume (Decimal), volume_unit, months, stock, at?]:
`months` are those that cost and volume cover, `stock` is True for what is kept up all year (㎡, 座)
and False for what is produced (车公里, 吨). A unit-year may have several drivers; each divides all
its costs. Every step rounds money to the cent and says how in `formula`, so that a reader with a
calculator can follow the printed figures.
"""

import unicodedata
from collections.abc import Collection, Mapping
from decimal import Decimal
from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from evalkit.core.numbers import fixed, plain, round_to
from evalkit.core.problem import Problem, refuse
from evalkit.standards.rows import problems

Frame = Any  # a pandas DataFrame; pandas-stubs knows no columns of Decimals
_PERIOD, _DRIVEN = ["unit", "year"], ["unit", "year", "driver"]
_POWERS = {"百": 2, "千": 3, "万": 4, "亿": 8}
_VAT = {"含税": "×", "不含税": "/"}


def cents(value: Decimal | Fraction) -> Decimal:
    """Money to the cent, half up."""
    return round_to(value, 2)


def amounts(frame: Frame, column: str, what: str, low: float = -inf) -> list[Problem]:
    """Problems of a column of money, called `what`: no Decimal, under `low`, finer than a cent."""
    known = [isinstance(value, Decimal) and value.is_finite() for value in frame[column]]
    bad = [not k or not low <= v == cents(v) for k, v in zip(known, frame[column], strict=True)]
    return problems(frame.assign(value=frame[column]), bad, "cost.number", what=what)


def _measure(text: str) -> tuple[int, str]:
    """A unit of measure as (power of ten, base): 万车公里 is (4, 车km)."""
    name = unicodedata.normalize("NFKC", str(text)).strip().lower().replace("公里", "km")
    name = name.replace("平方米", "m2").replace("立方米", "m3")
    base = name.lstrip("".join(_POWERS)) or name
    return sum(_POWERS[sign] for sign in name[: len(name) - len(base)]), base


def units(volumes: Frame, drivers: Mapping[str, str]) -> Frame:
    """Volumes in the unit that the service declares for each driver.

    Args:
        volumes: as above.
        drivers: driver → its unit, e.g. ``{"车公里": "车公里"}``. Scales 百千万亿 before a unit are
            converted, ㎡, m², 平方米 (and ㎥, km likewise) are the same.

    Returns:
        The frame with `volume` and `volume_unit` as declared, and `formula`.

    Raises:
        EvalkitError: a volume that is not positive, a driver not declared, a unit that is none of
            the declared one with another scale.

    >>> rows = [("甲", 2024, "里程", Decimal("210"), "万车公里")]
    >>> frame = pd.DataFrame(rows, columns=["unit", "year", "driver", "volume", "volume_unit"])
    >>> units(frame, {"里程": "车公里"})[["volume", "volume_unit", "formula"]].values.tolist()
    [[Decimal('2100000'), '车公里', '210×10000']]
    """
    declared = volumes["driver"].map(drivers).fillna("（未列出）")
    found, wanted = volumes["volume_unit"].map(_measure), declared.map(_measure)
    refuse(problems(volumes.assign(wanted=declared), found.str[1] != wanted.str[1], "cost.unit"))
    scale = (found.str[0] - wanted.str[0]).map(Decimal(10).__pow__)
    pairs = list(zip(volumes["volume"], scale, strict=True))
    volume = [value * ten if isinstance(value, Decimal) else value for value, ten in pairs]
    formula = [f"{value}×{plain(ten)}" for value, ten in pairs]
    return volumes.assign(volume=volume, volume_unit=declared, formula=formula)


def check(costs: Frame, volumes: Frame, slip: float = 30) -> list[Problem]:
    """All that is wrong or odd with costs and volumes (after `units`), as errors and warnings.

    Errors: amounts that are no money or negative, volumes that are not positive, rows given twice,
    months outside 1–12, one driver in two units, costs without any volume. Warnings: a unit cost
    `slip` times above or below the median of its driver (of two values each is √1000 ≈ 32 away
    from their geometric middle where one is in km and the other in 千km), a single observation,
    volumes without costs.
    """
    cost = pd.to_numeric(costs["amount"], errors="coerce")
    volume = pd.to_numeric(volumes["volume"], errors="coerce")
    volume = volume.where(volume.between(0, inf, inclusive="neither"))
    spent, made = (pd.MultiIndex.from_frame(frame[_PERIOD]) for frame in (costs, volumes))
    ratio = cost.groupby(spent).sum().reindex(made).to_numpy() / volume
    logs, names = np.log10(ratio.where(ratio > 0)), volumes["driver"]
    middle = logs.groupby(names).transform("median")
    first = volumes.groupby(names)["volume_unit"].transform("first")
    seen = volumes.assign(first=first, ratio=ratio, middle=10**middle)
    return [
        *amounts(costs, "amount", "金额"),
        *problems(costs, cost < 0, "cost.negative"),
        *problems(costs, costs.duplicated([*_PERIOD, "item"]), "cost.twice"),
        *problems(costs, ~spent.isin(made) & ~costs.duplicated(_PERIOD), "cost.volumeless"),
        *problems(volumes, volume.isna(), "cost.volume"),
        *problems(volumes, volumes.duplicated(_DRIVEN), "cost.again"),
        *problems(volumes, ~volumes["months"].isin(range(1, 13)), "cost.months"),
        *problems(seen, volumes["volume_unit"].map(_measure) != first.map(_measure), "cost.mixed"),
        *problems(volumes, ~made.isin(spent), "cost.costless"),
        *problems(volumes, ~names.duplicated(keep=False), "cost.single"),
        *problems(seen, (logs - middle).abs() >= np.log10(slip), "cost.slip"),
    ]


def annualise(costs: Frame, volumes: Frame, once: Collection[str] = ()) -> Frame:
    """Costs by driver, those of part of a year over a stock driver brought to twelve months.

    A produced volume (吨) of the same months divides the cost as it is. What is kept up all year
    (㎡) has no such months: its cost is multiplied by 12/months, except items in `once`, which fall
    due once a year.

    Returns:
        [unit, year, item, amount, driver, months, stock, annualised (bool), formula, …], one row an
        item and driver.

    Raises:
        EvalkitError: the errors of `check`.

    >>> volumes = pd.DataFrame({"unit": ["某区"], "year": 2024, "driver": "面积", "months": 11,
    ...     "volume": [Decimal(13460088)], "volume_unit": "㎡", "stock": True})
    >>> costs = volumes[["unit", "year"]].assign(item="清扫", amount=[Decimal(56520000)])
    >>> annualise(costs, volumes)[["amount", "annualised", "formula"]].values.tolist()
    [[Decimal('61658181.82'), True, '56520000.00×12/11']]
    """
    refuse(check(costs, volumes))
    rows = costs.merge(volumes[[*_DRIVEN, "months", "stock"]], on=_PERIOD)
    short = rows["stock"].astype(bool) & (rows["months"] < 12) & ~rows["item"].isin(list(once))
    months = rows["months"].map(int).where(short, 12)
    year = (rows["amount"] * 12 / months).map(cents)
    formula = rows["amount"].map(fixed) + ("×12/" + months.map(str)).where(short, "")
    return rows.assign(amount=year, annualised=short, formula=formula)


def to_basis(costs: Frame, basis: str, rates: Mapping[str, Decimal]) -> Frame:
    """Costs with or without VAT, all alike.

    Args:
        costs: with the column `vat`, 含税 or 不含税.
        basis: 含税 or 不含税.
        rates: item → rate in percent; 0 where the item bears no VAT (wages).

    Returns:
        The frame with `amount` and `vat` on the basis, and `formula`.

    Raises:
        EvalkitError: another word in `vat`, an amount that is no money, a rate that is needed and
            not known or not in [0, 100).

    >>> costs = pd.DataFrame({"item": ["能耗"], "amount": [Decimal(113)], "vat": ["含税"]})
    >>> to_basis(costs, "不含税", {"能耗": Decimal(13)})[["amount", "formula"]].values.tolist()
    [[Decimal('100.00'), '113.00/(1+13%)']]
    """
    change, rate = costs["vat"] != basis, costs["item"].map(rates)
    known = pd.to_numeric(rate, errors="coerce").between(0, 100, inclusive="left")
    wrong = problems(costs, ~costs["vat"].isin(list(_VAT)), "cost.vat")
    refuse(amounts(costs, "amount", "金额") + wrong + problems(costs, change & ~known, "cost.rate"))
    times = 1 + rate.where(change, Decimal(0)).map(Fraction) / 100
    moved = costs["amount"].map(Fraction) * (times if basis == "含税" else 1 / times)
    rise = (_VAT[basis] + "(1+" + rate.map(str) + "%)").where(change, "")
    formula = costs["amount"].map(fixed) + rise
    return costs.assign(amount=moved.map(cents), vat=basis, formula=formula)


def unit_costs(
    costs: Frame, volumes: Frame, boundaries: Mapping[str, Any], categories: Mapping[str, str]
) -> Frame:
    """Unit costs by driver, at several cost boundaries side by side.

    Args:
        costs: as above, or of `annualise` (which is otherwise done here).
        volumes: of `units`.
        boundaries: name → categories left out, e.g. ``{"完全成本": (), "不含折旧": ("折旧",)}``.
        categories: item → category.

    Returns:
        [unit, year, driver, annualised, volume, volume_unit, boundary, cost, formula, unit_cost, …]
        and the other columns of volumes; unit_cost is an unrounded Decimal in 元 a unit, the
        formula says what each left-out category takes away (0.00 where the unit has none of it).

    Raises:
        EvalkitError: the errors of `check`, an item without a category.
    """
    refuse(problems(costs, ~costs["item"].isin(list(categories)), "cost.category"))
    rows = costs if "annualised" in costs else annualise(costs, volumes)
    rows = rows.assign(category=rows["item"].map(categories))
    parts = rows.groupby([*_DRIVEN, "category"])["amount"].sum().unstack(fill_value=Decimal(0))
    base = rows.groupby(_DRIVEN)[["annualised"]].any().join(volumes.set_index(_DRIVEN))
    frames, whole = [], parts.sum(axis=1)
    for name, excluded in boundaries.items():
        left = [parts.get(category, whole * 0) for category in excluded]
        sums = zip(base["volume"], whole, *left, strict=True)
        text = [f"({'-'.join(map(fixed, money))})/{plain(volume)}" for volume, *money in sums]
        one = base.assign(boundary=name, cost=whole - sum(left, whole * 0), formula=text)
        frames.append(one.assign(unit_cost=one["cost"] / one["volume"]))
    return pd.concat(frames).reset_index()


def structure(costs: Frame) -> Frame:
    """Share of each item in the cost of its unit-year, in percent, adding up to 100.00.

    The hundredths that rounding down leaves go to the largest remainders (Hamilton's method).

    Returns:
        The frame with `share` (Decimal, two digits) and `formula`.

    Raises:
        EvalkitError: amounts that are no money or negative, a unit-year whose costs are zero.

    >>> costs = pd.DataFrame({"unit": "甲", "year": 2024, "item": ["a", "b", "c"]})
    >>> structure(costs.assign(amount=[Decimal(1)] * 3))["share"].tolist()
    [Decimal('33.34'), Decimal('33.33'), Decimal('33.33')]
    """
    refuse(amounts(costs, "amount", "金额", 0))
    amount, groups = costs["amount"], [costs[name] for name in _PERIOD]
    total = amount.groupby(groups).transform("sum")
    refuse(problems(costs, (total == 0) & ~costs.duplicated(_PERIOD), "cost.zero"))
    share = amount * 10000 / total
    whole = share.map(int)
    rank = (share - whole).astype(float).groupby(groups).rank(method="first", ascending=False)
    whole += rank <= 10000 - whole.groupby(groups).transform("sum")
    formula = amount.map(fixed) + "/" + total.map(fixed)
    return costs.assign(share=whole.map(lambda n: Decimal(n).scaleb(-2)), formula=formula)


def trend(unit_costs: Frame) -> Frame:
    """Year on year change of each unit cost; None where the year before is missing or zero.

    Returns:
        The frame with `previous`, `change` (percent, two digits) and `formula`.
    """
    keys = unit_costs[["unit", "boundary", "driver", "year"]].itertuples(index=False, name=None)
    known = dict(zip(keys, unit_costs["unit_cost"], strict=True))
    pairs = [(now, known.get((*key, year - 1))) for (*key, year), now in known.items()]
    formula = [f"({fixed(now, 4)}/{fixed(then, 4)}-1)×100" if then else "" for now, then in pairs]
    change = [cents((Fraction(n) / Fraction(t) - 1) * 100) if t else None for n, t in pairs]
    return unit_costs.assign(previous=[then for _, then in pairs], change=change, formula=formula)


def stated(costs: Frame, totals: Frame, allowed: Decimal) -> list[Problem]:
    """Where items do not add up to the total that a statement prints.

    Args:
        costs: the items [unit, year, item, amount] that the total is of.
        totals: [unit, year, total, at?].
        allowed: the difference that rounding may leave; up to it the row is only told (a note).
    """
    rows = totals.join(costs.groupby(_PERIOD)["amount"].sum().rename("added"), on=_PERIOD)
    gap = pd.to_numeric(rows["total"] - rows["added"]).abs()
    tail = problems(rows, (gap > 0) & (gap <= float(allowed)), "cost.tail")
    return problems(rows, ~(gap <= float(allowed)), "cost.total") + tail
