"""Bottom-up quotas (定额测算): consumption × price of each item, rates, coefficients, loads.

Tables hold a row an item of a tier. Reckoning is done on exact `Term`s, so that every figure comes
with the Excel formula that yields it; what leaves a function is `Decimal` (28 digits).
"""

from math import prod
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from evalkit.core.expr import Number, Term, greatest, least, total, when
from evalkit.core.numbers import to_decimal
from evalkit.core.problem import Problem, refuse, sentence
from evalkit.standards.rows import problems

Frame = pd.DataFrame
Checked = tuple[Frame, list[Problem]]  # a table and what is wrong with it
_DATA = yaml.safe_load(Path(__file__).with_name("columns.yaml").read_text("utf-8"))


def _term(value: Any) -> Term | None:
    try:
        return value if isinstance(value, Term) else Term.of(to_decimal(value))
    except ValueError:
        return None


def exact(frame: Frame, *columns: str, key: str = "", **how: Any) -> Checked:
    """A copy with these columns as terms, and a problem for each cell that does not fit.

    `columns.yaml` says which numbers fit a column, what an empty cell of it means, and the columns
    of tables that have a name. The `key` is looked at by `keyed`.

    >>> rows, found = exact(Frame({"price": ["9.5", None]}), "price", "per")
    >>> print(rows["price"][0], rows["per"][0], *found)
    Term(9.5, '9.5') Term(1, '1') 第 2 行的单价“”不是不小于 0 的数——请改正
    """
    rows = frame.reset_index(drop=True)
    found = keyed(rows, key, **how) if key else []
    for column in _DATA["tables"].get(columns[0], columns):
        label, (want, sign, low, high), *blank = _DATA["columns"][column]
        cells = ["" if pd.isna(c) else c for c in rows.get(column, [""] * len(rows))]
        terms = [_term(blank[0] if c == "" and blank else c) for c in cells]
        wrong = [not (blank and c == "") if t is None else t > high or when(t, sign, low, 1, 0) == 0
                 for t, c in zip(terms, cells, strict=True)]  # fmt: skip
        found += faults(rows.assign(given=cells, label=label, want=want), "quota", number=wrong)
        rows[column] = pd.Series(terms, dtype=object)
    return rows, found or [sentence("quota.empty", label=label)] * rows.empty


def read(frame: Frame, *columns: str, **key: Any) -> Frame:
    """The frame with these columns as terms.

    Raises:
        EvalkitError: everything that `exact` finds.
    """
    rows, found = exact(frame, *columns, **key)
    refuse(found)
    return rows


def keyed(rows: Frame, column: str, known: Any = None, once: bool = True) -> list[Problem]:
    """Problems of a column of keys: empty, there twice, or (if `known` is given) not among these.

    >>> print(*keyed(Frame({"tier": ["一级", "二级"]}), "tier", ["一级"]))
    第 2 行的档次“二级”没有对应的内容——可用的有：一级
    """
    keys, blank = rows.get(column, pd.Series("", rows.index)), empty(rows, column)
    known = [k for k in dict.fromkeys(keys if known is None else known) if not pd.isna(k)]
    again, stray, names = keys.duplicated() & once, ~keys.isin(known), "、".join(map(str, known))
    shown = rows.assign(key=keys, label=_DATA["columns"][column][0], known=names)
    return faults(shown, "quota", blank=blank, twice=again & ~blank, unknown=stray & ~blank)


def empty(rows: Frame, column: str) -> Any:
    """Which rows have nothing in a column."""
    return rows.get(column, pd.Series("", rows.index)).fillna("").astype(str).str.strip() == ""


def faults(rows: Frame, prefix: str, **masks: Any) -> list[Problem]:
    """The problems of a table: the rows that each mask picks, by the code of their sentence."""
    here = {"row": "本行"} if "at" in rows else {}  # the cell says which
    named = ((f"{prefix}.{code}", mask) for code, mask in masks.items())
    return [problem for code, mask in named for problem in problems(rows, mask, code, **here)]


def final(frame: Frame, of: str = "") -> Frame:
    """The frame with every term as its decimal value; `formula` tells how column `of` was found."""
    frame = frame.assign(formula=frame[of].map(lambda term: term.text)) if of else frame
    return frame.map(lambda cell: cell.decimal() if isinstance(cell, Term) else cell)


def within(term: Term, high: Any = None, low: Any = None) -> Term:
    """The term, not over `high` and not under `low` where there are such limits.

    >>> within(Term.of("1.38"), Term.of("1.3"))
    Term(1.3, 'MIN(1.3,1.38)')
    """
    term = term if high is None else least(high, term)
    return term if low is None else greatest(low, term)


def raised(percent: Term) -> Term:
    """1 + a rate in percent.

    >>> raised(Term.of(6))
    Term(1.06, '1+6/100')
    """
    return Term.of(1) + percent / 100


def _lines(lines: Frame, known: Any = None) -> Checked:
    """The lines with their amounts as terms, if nothing is wrong; `change` multiplies an amount."""
    rows, found = exact(lines, "quota_lines", key="tier", known=known, once=False)
    if not found:
        amount = rows["consumption"] * rows["price"]
        amount = amount.where(rows["change"] == 1, amount * rows.pop("change"))
        rows["amount"] = amount.where(rows["per"] == 1, amount / rows["per"])
        rows["direct"] = rows.groupby("tier")["amount"].transform(lambda part: total(list(part)))
        found = faults(rows, "quota", nothing=rows["direct"] == 0)
    return rows, found


def amounts(lines: Frame) -> Frame:
    """The amount of each cost item: consumption × price / per, in 元 per driver unit.

    Args:
        lines: tier, consumption, price (元); optional per (the driver units that the consumption
            is for; empty = 1), and any other column such as item.

    Returns:
        The lines with amount, direct (the tier's sum), share (percent of it) and formula.

    Raises:
        EvalkitError: a number or tier is missing or wrong; a tier costs nothing.

    >>> lines = Frame({"tier": "一级", "item": ["人工", "机械"], "consumption": ["1.8", 1],
    ...                       "per": [10000, None], "price": ["40212", "0.9"]})
    >>> amounts(lines)[["amount", "formula"]].values.tolist()
    [[Decimal('7.23816'), '1.8*40212/10000'], [Decimal('0.9'), '1*0.9']]
    """
    rows, found = _lines(lines)
    refuse(found)
    return final(rows.assign(share=rows["amount"] / rows["direct"] * 100), "amount")


def quotas(lines: Frame, rates: Frame) -> Frame:
    """Quota of each tier: Σ n·p × (1+m)(1+r)(1+t), in 元 a unit (docs/cost_standards.md 9.5).

    Args:
        lines: as `amounts` takes them.
        rates: tier and management, profit, tax in percent; a row a tier.

    Returns:
        A row a tier in the order of the rates: tier, direct, management, profit, tax (amounts;
        with direct they add up to the quota), quota, formula.

    Raises:
        EvalkitError: as `amounts`; a rate is missing or wrong; the tiers of both differ.

    >>> lines = Frame({"tier": ["一级"], "item": "人工", "consumption": 2, "price": 5})
    >>> rates = Frame({"tier": ["一级"], "management": 6, "profit": 4, "tax": 6})
    >>> quotas(lines, rates).loc[0, ["quota", "formula"]].tolist()
    [Decimal('11.68544'), '2*5*(1+6/100)*(1+4/100)*(1+6/100)']
    """
    table, found = exact(rates, "management", "profit", "tax")
    rows, more = _lines(lines, table.get("tier"))
    refuse(found + more + keyed(table, "tier", rows.get("tier")))
    reached = table["tier"].map(rows.drop_duplicates("tier").set_index("tier")["direct"])
    parts = {"tier": table["tier"], "direct": reached}
    for rate in ("management", "profit", "tax"):
        parts[rate] = reached * table[rate] / 100
        reached = reached * table[rate].map(raised)
    return final(Frame(parts | {"quota": reached}), "quota")


def load_curve(lines: Frame, rates: Frame, volume: Number, volumes: list[Any]) -> Frame:
    """Quota as the volume changes: q(Q) = F/Q + v, with the rates of `quotas` applied.

    Args:
        lines: as `amounts` takes them, with behaviour (固定, 变动); F = Σ fixed amounts × volume,
            v = Σ variable amounts.
        rates: as `quotas` takes them.
        volume: the yearly volume that the fixed amounts were reckoned for.
        volumes: the volumes to show, e.g. 40–100 % of the capacity.

    Returns:
        What `quotas` gives for each of the volumes, and the volume.

    Raises:
        EvalkitError: as `quotas`; a line has no behaviour; a volume is not positive.

    >>> lines = Frame({"tier": "甲", "behaviour": ["固定", "变动"], "consumption": 1,
    ...                       "price": ["0.6", "0.5"]})
    >>> rates = Frame({"tier": ["甲"], "management": 0, "profit": 0, "tax": 0})
    >>> load_curve(lines, rates, 700, [350, 1000])[["volume", "quota"]].values.tolist()
    [[Decimal('350'), Decimal('1.7')], [Decimal('1000'), Decimal('0.92')]]
    """
    base, *loads = read(Frame({"load": [volume, *volumes]}), "load")["load"]
    refuse(keyed(lines, "behaviour", ["固定", "变动"], once=False))
    kinds = lines["behaviour"]
    curve = [quotas(lines.assign(change=kinds.map({"固定": base / load})), rates)
             .assign(volume=load.decimal()) for load in loads]  # fmt: skip
    return pd.concat(curve, ignore_index=True)


def coefficient(given: Frame, how: str = "product", low: Any = None, high: Any = None) -> Frame:
    """Adjustment coefficient of each tier: K = Π(1+α) or 1+Σα, within `low` and `high`.

    Args:
        given: tier, alpha (percent, > −100), and any other column such as name, condition.
        how: product (multiplied) or sum (added up).
        low: the least K, if there is one.
        high: the greatest K, if there is one.

    Returns:
        A row a tier: tier, raw (before the limits), coefficient, limit (封顶, 托底 or empty),
        formula.

    Raises:
        EvalkitError: an alpha is missing or wrong, or a tier is empty.

    >>> given = Frame({"tier": "一级", "name": ["山区", "夜间"], "alpha": [20, 15]})
    >>> coefficient(given, high=Term.of("1.3")).loc[0, ["raw", "coefficient", "limit"]].tolist()
    [Decimal('1.38'), Decimal('1.3'), '封顶']
    """
    rows = read(given, "alpha", key="tier", once=False)
    ways = {"product": lambda part: prod(map(raised, part), start=Term.of(1)),
            "sum": lambda part: total([Term.of(1), *(alpha / 100 for alpha in part)])}  # fmt: skip
    raw = rows.groupby("tier", sort=False)["alpha"].agg(ways[how])
    k = raw.map(lambda term: within(term, high, low))
    limit = raw.combine(k, lambda a, b: "封顶" if b < a else "托底" if b > a else "")
    return final(Frame({"raw": raw, "coefficient": k, "limit": limit}).reset_index(), "coefficient")
