"""Cost regulation (成本规制): which of the actual costs count, and the subsidy that follows.

Sources: docs/cost_standards.md 9.15, 9.16, after the 简明问答 of
《山亭区公交企业客运成本规制管理办法》 (shanting.gov.cn, 2025-08-29). Ratios, bands, rewards, profit
rates are a county's own: columns.
"""

from typing import Any

from evalkit.core.expr import Term, greatest, least, total, when
from evalkit.core.problem import refuse
from evalkit.standards.quota import Frame, faults, final, raised, read

RULES = "据实", "不予列支", "区间", "定额", "前三年均值", "不超标准"


def regulate(lines: Frame) -> Frame:
    """Allowed cost of each item under its rule, in 元.

    ========== ==================================== ==================================
    rule       what of the actual cost counts       saving that `reward` is granted on
    ========== ==================================== ==================================
    据实       actual                               none
    不超标准   MIN(actual, standard)                standard − actual
    区间       MIN(actual, standard × (1 + high))   standard × (1 − low) − actual
    定额       MIN(actual, standard)                all of standard − actual, at 100 %
    前三年均值 MIN(actual, mean of the prior years) mean − actual
    不予列支   0                                    none
    ========== ==================================== ==================================

    Args:
        lines: rule, actual; standard for the rules that need one; low and high (percent under and
            over the standard; empty = 0); reward (percent of the saving; empty = 0); prior1,
            prior2, prior3 (the years that there are); and any other column such as item.

    Returns:
        The lines with base (what counts), incentive (what the saving earns), allowed = base +
        incentive, cut = actual − base, formula (of allowed).

    Raises:
        EvalkitError: a number is missing or wrong, a rule unknown, a standard missing.

    >>> lines = Frame({"item": ["能耗"], "rule": "区间", "actual": 118, "standard": "110.67",
    ...                "low": 10, "high": 10, "reward": 100})
    >>> regulate(lines).loc[0, ["allowed", "formula"]].tolist()
    [Decimal('118'), 'MIN(118,110.67*(1+10/100))']
    """
    rows = read(lines, "regulated_items", key="rule", known=RULES, once=False)
    parts = [_parts(row) for row in rows.itertuples()]
    refuse(faults(rows, "regulation", standard=[part is None for part in parts]))
    rows["base"], rows["incentive"] = zip(*parts, strict=True)
    rows["allowed"] = [base + more if more.value else base for base, more in parts]
    return final(rows.assign(cut=rows["actual"] - rows["base"]), "allowed")


def _parts(row: Any) -> Any:
    """What of a line's actual cost counts and what its saving earns; None without a standard."""
    prior = [term for term in (row.prior1, row.prior2, row.prior3) if term]
    mean = total(prior) / len(prior) if prior else None
    marks = {"据实": row.actual, "不予列支": Term.of(0), "前三年均值": mean}
    if (mark := marks.get(row.rule, row.standard)) is None:
        return None
    band, reward = row.rule == "区间", 100 if row.rule == "定额" else row.reward
    roof = mark * raised(row.high) if band else mark
    floor = mark * (Term.of(1) - row.low / 100) if band else mark
    base = row.actual if row.rule == "据实" else least(row.actual, roof)
    return base, greatest(0, floor - row.actual) * reward / 100


def staff(posts: Frame) -> Frame:
    """Allowed labour cost: MIN(heads, ratio × vehicles) × MIN(pay, pay cap), in 元.

    Args:
        posts: post (驾驶员, 管理人员 …), heads (yearly mean), ratio (heads a vehicle), vehicles
            (yearly mean), pay and pay_cap (元 a head and year).

    Returns:
        The rows with actual = heads × pay, allowed, formula.

    Raises:
        EvalkitError: a number is missing or wrong, a post empty or twice.

    >>> posts = Frame({"post": ["驾驶员"], "heads": 56, "ratio": "1.3", "vehicles": 40,
    ...                "pay": 82000, "pay_cap": 82000})
    >>> staff(posts).loc[0, ["allowed", "formula"]].tolist()
    [Decimal('4264000'), 'MIN(56,1.3*40)*MIN(82000,82000)']
    """
    rows = read(posts, "heads", "ratio", "vehicles", "pay", "pay_cap", key="post")
    heads = rows["heads"].combine(rows["ratio"] * rows["vehicles"], least)
    rows["allowed"] = heads * rows["pay"].combine(rows["pay_cap"], least)
    return final(rows.assign(actual=rows["heads"] * rows["pay"]), "allowed")


def subsidy(accounts: Frame) -> Frame:
    """The subsidy of a regulated operator, and whose loss is whose, in 元.

    loss = allowed + taxes − revenue − upper. If there is a loss, the subsidy is the loss and the
    granted profit on the regulated cost, times φ. An operator that earns gets none, whatever its
    profit rate: above the cap the rule refuses it, below it grants nothing.

    Args:
        accounts: allowed (regulated cost), actual (cost), taxes, revenue, upper (grants of upper
            levels; empty = 0), profit (percent of the regulated cost granted), profit_cap
            (percent), factor (φ, 0–1), km.

    Returns:
        The rows with policy_loss (政策性: at regulated cost), operating_loss (经营性: actual −
        regulated cost, borne by the operator; negative: its saving; both add up to the booked
        loss), subsidy (before φ), payable, unit_cost and unit_subsidy (before φ; 元/车公里),
        formula (of payable).

    Raises:
        EvalkitError: a number is missing or wrong, the granted profit is above its cap.

    >>> accounts = Frame([{"allowed": 100, "actual": 110, "taxes": 1, "revenue": 30, "profit": 2,
    ...                    "profit_cap": 3, "factor": "0.9", "km": 50}])
    >>> subsidy(accounts).loc[0, ["policy_loss", "operating_loss", "payable"]].tolist()
    [Decimal('71'), Decimal('10'), Decimal('65.7')]
    """
    rows = read(accounts, "accounts")
    refuse(faults(rows, "regulation", profit=rows["profit"] > rows["profit_cap"]))
    loss = rows["allowed"] + rows["taxes"] - rows["revenue"] - rows["upper"]
    due = loss + rows["allowed"] * rows["profit"] / 100
    rows["subsidy"] = loss.combine(due, lambda lost, whole: when(lost, ">", 0, whole, 0))
    rows["policy_loss"], rows["operating_loss"] = loss, rows["actual"] - rows["allowed"]
    for unit, whole in (("unit_cost", "allowed"), ("unit_subsidy", "subsidy")):
        rows[unit] = rows[whole] / rows["km"]
    return final(rows.assign(payable=rows["subsidy"] * rows["factor"]), "payable")
