"""The fiscal spending standard: what the budget bears of a quota, settled, compared, tested.

Money is in 元 (per driver unit or in all), rates in percent. Sources: docs/cost_standards.md 9.
"""

from fractions import Fraction
from statistics import median
from typing import Any

import pandas as pd

from evalkit.core.expr import Number, Term, greatest, total
from evalkit.core.numbers import fixed
from evalkit.core.problem import Problem, refusal, refuse
from evalkit.standards.quota import Frame, amounts, exact, faults, final, keyed, read, within


def spending(tiers: Frame) -> Frame:
    """What the budget spends: MIN(cap, MAX(0, quota + extra − user fee − upper grant) × share).

    Args:
        tiers: tier, quota (the recommended one), share (percent borne by the budget), volume; may
            hold extra (taxes and profit that the quota does not hold), user_fee and upper (元 per
            driver unit; empty = 0), cap (元 per unit; empty = none), fixed (元 a year; empty = 0).

    Returns:
        The tiers with spend (元 per driver unit), budget = volume × spend + fixed, and formula.

    Raises:
        EvalkitError: a number is missing or wrong, a tier empty or twice, a share over 100.

    >>> tiers = Frame({"tier": ["一级"], "quota": ["9.5"], "user_fee": ["0.5"],
    ...                       "share": 60, "volume": 300000})
    >>> spending(tiers).loc[0, ["spend", "budget", "formula"]].tolist()
    [Decimal('5.4'), Decimal('1620000'), '300000*(MAX(0,9.5-0.5-0)*60/100)+0']
    """
    rows = read(tiers, "spending_tiers", key="tier")
    whole = rows["quota"].where(rows["extra"] == 0, rows["quota"] + rows["extra"])
    net = (whole - rows["user_fee"] - rows["upper"]).map(lambda left: greatest(0, left))
    rows["spend"] = (net * rows["share"] / 100).combine(rows["cap"], within)
    rows["budget"] = rows["volume"] * rows["spend"] + rows["fixed"]
    return final(rows, "budget")


def settle(accepted: Frame, factor: Any = 1) -> Frame:
    """Pay = accepted volume (or the guaranteed one, if that is more) × spend × φ.

    Args:
        accepted: tier, accepted (volume), spend (元 per driver unit); may hold guarantee (volume
            that a contract guarantees; empty = none).
        factor: φ of the performance score (0–1, number or term), see `performance_factor`.

    Returns:
        The rows with pay and formula.

    Raises:
        EvalkitError: a number is missing or wrong, a tier empty or twice.

    >>> rows = Frame({"tier": ["甲"], "accepted": 90, "guarantee": 100, "spend": ["1.5"]})
    >>> settle(rows, Term.of("0.95")).loc[0, ["pay", "formula"]].tolist()
    [Decimal('142.5'), 'MAX(100,90)*1.5*0.95']
    """
    rows = read(accepted.assign(factor=factor), "accepted_volumes", key="tier")
    paid = rows["accepted"].combine(rows["guarantee"], lambda done, low: within(done, None, low))
    return final(rows.assign(pay=paid * rows["spend"] * rows["factor"]), "pay")


def performance_factor(score: Any, bands: list[dict[str, Any]]) -> Term:
    """φ(S), the share that is paid at a performance score.

    Args:
        score: 0–100.
        bands: from (the least score of the band) and factor (0–1, or "score" for S/100), e.g. the
            default of docs/cost_standards.md 9: S≥90 → 1, S≥80 → 0.95, S≥60 → S/100, else 0.5.

    Raises:
        EvalkitError: the score is not within 0–100; the bands leave scores out, overlap, give
            more than 1, or pay a better score less.

    >>> bands = [{"from": 90, "factor": 1}, {"from": 60, "factor": "score"},
    ...          {"from": 0, "factor": "0.5"}]
    >>> performance_factor(95, bands), performance_factor(72, bands)
    (Term(1, '1'), Term(0.72, '72/100'))
    """
    scored: Term = read(Frame({"score": [score]}), "score")["score"][0]
    rules = [{**b, "factor": {"score": scored / 100}.get(b["factor"], b["factor"])} for b in bands]
    rows = read(Frame(rules), "from", "factor", key="from")
    steps: list[tuple[Term, Term]] = sorted(zip(rows["from"], rows["factor"], strict=True))
    if steps[0][0] > 0:
        raise refusal("fiscal.bands", low=steps[0][0].text)
    return [factor for low, factor in steps if low <= scored][-1]


def history(unit_costs: Frame, weights: dict[Any, Any]) -> Term:
    """The historical unit cost: q = Σ w_t · median_j u (docs/cost_standards.md 9.4).

    Args:
        unit_costs: year, unit_cost (元 per driver unit, prices of the base year); a row a unit
            and year.
        weights: the weight of each year; they add up to 1.

    Returns:
        The value, a term with its formula, as `triangulate` takes it.

    Raises:
        EvalkitError: a number is missing or wrong, the years differ, the weights are not 1 in all.

    >>> costs = Frame({"year": [2023, 2024, 2024], "unit_cost": ["4", "5", "6"]})
    >>> history(costs, {2023: "0.4", 2024: "0.6"})
    Term(4.9, '0.4*4+0.6*((5+6)/2)')
    """
    given = Frame({"year": list(weights), "weight": weights.values()})
    rows, found = exact(unit_costs, "unit_cost", key="year", known=weights, once=False)
    table, more = exact(given, "weight", key="year", known=rows.get("year"))
    refuse(found + more)
    if (whole := total(list(table["weight"]))) != 1:
        raise refusal("fiscal.weights", sum=whole.text)
    costs = table["year"].map(lambda year: median(rows["unit_cost"][rows["year"] == year]))
    return total(list(table["weight"] * costs))


def market(prices: Frame, least: int = 3, most: int = 5) -> Term:
    """The market price: median of the last 3–5 contracts, one scope (docs/cost_standards.md 9.14).

    Args:
        prices: year, price (元 per driver unit); a row a contract.
        least: how many contracts it takes.
        most: how many are used; all those of the oldest year that is used.

    Returns:
        The value, a term with its formula, as `triangulate` takes it.

    Raises:
        EvalkitError: a number is missing or wrong, there are too few contracts.

    >>> prices = Frame({"year": [2022, 2023, 2024, 2025], "price": ["6", "7", "7.1", "7.4"]})
    >>> market(prices, most=3)
    Term(7.1, 'MEDIAN(7,7.1,7.4)')
    """
    rows = read(prices, "price", "year")
    used = rows["price"][rows["year"] >= sorted(rows["year"])[-most:][0]]
    if len(used) < least:
        raise refusal("fiscal.contracts", least=least, n=len(used))
    return Term(median(used).value, f"MEDIAN({','.join(term.text for term in used)})")


def triangulate(values: Frame, recommended: Frame) -> tuple[Frame, list[Problem]]:
    """The methods side by side, and how the recommended value stands to them; nothing is averaged.

    Args:
        values: tier, method (历史, 测算, 同业, 前沿, 市场 …), value (元 per driver unit); may hold
            n, and least and most (the interval that the method gives).
        recommended: tier, value, reason; a tier that is not there has no value yet.

    Returns:
        The rows with spread ((max − min)/min of the tier) and deviation (of the method's value
        from the recommended one; NaN where nothing is recommended), in percent. And problems: a
        recommended value without a reason (error), outside of methods (warning that names them),
        which is outside of their interval or, where a method gives none, of all the values, by more
        than its own rounding (half a unit of its last digit).

    Raises:
        EvalkitError: a number is missing or wrong; a recommended tier is there twice or unknown.

    >>> values = Frame({"tier": "一级", "method": ["历史", "测算"], "value": ["8", "10"]})
    >>> chosen = Frame({"tier": ["一级"], "value": ["12.5"], "reason": ["测算口径最全"]})
    >>> table, found = triangulate(values, chosen)
    >>> print(*table["deviation"], *found)
    -36 -20 推荐值 12.5 不在这些方法的范围内：历史、测算——请核对“一级”的推荐理由
    """
    table, found = exact(values, "value", "n", "least", "most", key="tier", once=False)
    chosen, more = exact(recommended, "value", key="tier", known=table.get("tier"))
    refuse(found + [problem for problem in more if problem.code != "quota.empty"])
    by, tiers = table.groupby("tier")["value"], chosen.set_index("tier")["value"]
    low, high, best = by.transform(min), by.transform(max), table["tier"].map(tiers).dropna()
    half = best.map(lambda term: Fraction(1, 2 * 10 ** len(term.text.partition(".")[2])))
    table["spread"] = (high - low) / low * 100
    table["deviation"] = (table["value"][best.index] - best) / best * 100
    under = best + half < table["least"].fillna(low)[best.index]
    beyond = table.loc[best.index][under | (best - half > table["most"].fillna(high)[best.index])]
    names = beyond.groupby("tier")["method"].agg("、".join)
    chosen = final(chosen.assign(methods=chosen["tier"].map(names)))
    found = keyed(chosen, "reason", once=False)
    return final(table), found + faults(chosen, "fiscal", outside=chosen["methods"].notna())


def back_test(past: Frame, spend: Frame, limit: Number) -> tuple[Frame, list[Problem]]:
    """What past years would have cost by the new standard (回测表, docs/cost_standards.md 9.19).

    Args:
        past: year, tier, volume, spending (元; a year's may stand in any of its rows), reason.
        spend: tier, spend (元 per driver unit); may hold fixed (元 a year).
        limit: how far, in percent, a year may differ without a reason.

    Returns:
        A row a year: year, actual, standard, difference = standard − actual, rate (percent of the
        actual spending), reason, formula (of standard). And a problem for each year beyond the
        limit: a warning with a reason, an error without one.

    Raises:
        EvalkitError: a number is missing or wrong, a tier unknown, a year without spending.

    >>> past = Frame({"year": [2024], "tier": "甲", "volume": 100, "spending": [800]})
    >>> table, found = back_test(past, Frame({"tier": ["甲"], "spend": ["9"]}), 10)
    >>> print(*table.loc[0, ["difference", "rate"]], *found)
    100 12.5 2024 年按新标准应支出与实际支出相差 12.50%——请说明差异原因
    """
    table, found = exact(spend, "spend", "fixed", key="tier")
    rows, more = exact(past, "volume", "spending", key="tier", known=table.get("tier"), once=False)
    refuse(found + more + keyed(rows, "year", once=False))
    rows["actual"], unit = rows["spending"], table.set_index("tier")["spend"]
    rows["standard"] = rows["volume"] * rows["tier"].map(unit)
    reason = rows.get("reason", pd.Series("", rows.index)).fillna("").str.strip()
    by = rows.assign(at=rows.get("at", ""), reason=reason).groupby("year", as_index=False)
    ways: dict[str, Any] = dict.fromkeys(("actual", "standard"), lambda part: total(list(part)))
    years = by.agg(ways | {"reason": lambda part: "；".join(filter(None, part)), "at": "first"})
    refuse(faults(years, "fiscal", actual=years["actual"] == 0))
    years["standard"] = years["standard"].map(lambda due: total([due, *table["fixed"]]))
    years["difference"] = years["standard"] - years["actual"]
    years["rate"] = years["difference"] / years["actual"] * 100
    shown = final(years.assign(shown=years["rate"].map(lambda rate: fixed(rate.value))))
    beyond, silent = shown["rate"].abs() > Term.of(limit).decimal(), shown["reason"] == ""
    found = faults(shown, "fiscal", unexplained=beyond & silent, explained=beyond & ~silent)
    return final(years, "standard"), found


def budget_impact(budget: Number, against: dict[str, Any]) -> Frame:
    """A budget against last year's, and the share of 可用财力 that it takes.

    Args:
        budget: in 元.
        against: what it is held against, in 元, by name.

    Returns:
        A row for each: against, base, budget, difference = budget − base, rate (the budget as
        percent of the base), formula (of the rate).

    Raises:
        EvalkitError: a number is missing or wrong.

    >>> rows = budget_impact(1200, {"上年预算": 1000, "可用财力": 100000})
    >>> rows[["against", "difference", "rate"]].values.tolist()[0]
    ['上年预算', Decimal('200'), Decimal('120')]
    """
    given = Frame({"against": list(against), "base": against.values(), "budget": budget})
    rows = read(given, "base", "budget")
    rows["difference"] = rows["budget"] - rows["base"]
    return final(rows.assign(rate=rows["budget"] / rows["base"] * 100), "rate")


def sensitivity(lines: Frame, tiers: Frame, changes: dict[str, Any]) -> Frame:
    """Quota and budget as one thing changes and the others stay: the bars of a tornado chart.

    A recommended quota moves in proportion to the direct cost of the tier; it is not reckoned anew
    when the volume changes (`load_curve` does that).

    Args:
        lines: as `quotas` takes them, with item.
        tiers: as `spending` takes them.
        changes: percents by item (of its price or consumption) or volume (业务量), e.g.
            ``{"电": [-10, 10]}``.

    Returns:
        A row a factor, percent and tier, the factor of the widest span first: what `spending`
        gives, factor, percent, difference (from the unchanged budget) and span (Σ|difference| of
        the factor). Differences of a factor and percent may be added up over the tiers.

    Raises:
        EvalkitError: as `amounts` and `spending`; a tier without lines; a factor that is no item.

    >>> lines = Frame({"tier": "甲", "item": ["电", "药"], "consumption": [6, 4], "price": 1})
    >>> tiers = Frame({"tier": ["甲"], "quota": 10, "share": 100, "volume": 50})
    >>> rows = sensitivity(lines, tiers, {"药": [-10, 10], "电": [-10, 10]})
    >>> rows[["factor", "quota", "difference"]].values.tolist()[:2]
    [['电', Decimal('9.4'), Decimal('-30')], ['电', Decimal('10.6'), Decimal('30')]]
    """
    rows, found = exact(tiers, "quota", "volume", key="tier", known=lines.get("tier"))
    names, share = Frame({"item": list(changes)}), amounts(lines).groupby(["item", "tier"])["share"]
    refuse(found + keyed(names, "item", [*lines["item"], "业务量"]))
    base, shares = spending(rows).set_index("tier")["budget"], share.sum().to_dict()
    table = pd.concat([_moved(rows, shares, item, by) for item in changes for by in changes[item]])
    table["difference"] = table["budget"] - table["tier"].map(base)
    table["span"] = table["difference"].abs().groupby(table["factor"]).transform("sum")
    return table.sort_values(["span", "factor"], ascending=False, kind="stable", ignore_index=True)


def _moved(rows: Frame, shares: Any, factor: str, percent: Any) -> Frame:
    """The spending after a change of one factor."""
    by, volume = Term.of(percent) / 100, 100 if factor == "业务量" else 0
    up = [by * shares.get((factor, tier), 0) / 100 + 1 for tier in rows["tier"]]
    moved = rows.assign(volume=rows["volume"].map(lambda now: now * (by * volume / 100 + 1)))
    moved["quota"] = rows["quota"] * pd.Series(up)
    return spending(moved).assign(factor=factor, percent=percent)
