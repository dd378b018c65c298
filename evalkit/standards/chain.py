"""The chain of the five standards: every target has a source, every rule a target.

Source: docs/cost_standards.md, 十五.
"""

from typing import Any

from evalkit.core.expr import Term, total
from evalkit.core.problem import refuse
from evalkit.standards.quota import Checked, Frame, exact, faults, final, keyed


def check(services: Frame, quotas: Frame, targets: Frame, rules: Frame, outcome: Any) -> Checked:
    """The chain from each target back to its source and on to its rule, and where it is broken.

    Args:
        services: no, clause (of the standard or contract).
        quotas: tier, quota (the recommended one).
        targets: code, level1, level2, value (a number for cost indicators), points, basis (the no
            of a service or, for cost indicators, a tier).
        rules: target (its code), points, and any other column; the 绩效评价标准.
        outcome: the least share of 产出 and 效益 in percent: the `PolicyUse` of the policy key
            `outcome_share_min`.

    Returns:
        The targets with source (the clause, or the quota) and scored (the points of the rule). And
        problems: a service row without a clause; a target without a source or a rule; a rule
        without a target; a cost indicator that cites no quota, or whose value is over it; points
        that differ in both or do not add up to 100; a share of 产出 and 效益 under the least one
        (note: 财预〔2020〕10号第十四条 allows a departure that is explained).

    Raises:
        EvalkitError: points, a quota or the value of a cost indicator are no numbers.

    >>> services = Frame({"no": ["S1"], "clause": ["合同第三条"]})
    >>> quotas = Frame({"tier": ["T1"], "quota": ["9.5"]})
    >>> targets = Frame({"code": ["C1", "C2"], "level1": "产出", "level2": ["产出质量", "产出成本"],
    ...                  "value": ["98", "9.6"], "points": [60, 40], "basis": ["S1", "T1"]})
    >>> rules = Frame({"target": ["C1", "C2"], "points": [60, 40]})
    >>> from evalkit.core.model import PolicyUse
    >>> least = PolicyUse(key="k", title="", value=60, source="财预〔2020〕10号第十四条",
    ...                   effective="", profile="")
    >>> table, found = check(services, quotas, targets, rules, least)
    >>> print(*table["source"], *found)
    合同第三条 9.5 成本指标“C2”的指标值高于所引用档次的推荐定额——成本指标值不应超过定额
    """
    levels = targets["level1"] + targets["level2"].fillna("")
    cost = levels.str.contains("成本", na=False).to_numpy()
    given = targets.assign(limit=targets["value"].where(cost))
    goals, found = exact(given, "points", "limit", key="code", known=rules.get("target"))
    rules, more = exact(rules, "points", key="target", known=targets.get("code"))
    tiers, others = exact(quotas, "quota", key="tier")
    found += more + others + keyed(services, "no") + keyed(services, "clause", once=False)
    refuse(problem for problem in found if problem.code == "quota.number")
    quota, points = dict(tiers[["tier", "quota"]].values), dict(rules[["target", "points"]].values)
    source = dict(services[["no", "clause"]].values) | quota
    goals["source"], goals["scored"] = goals["basis"].map(source), goals["code"].map(points)
    over = goals["limit"].combine(goals["basis"], lambda v, by: bool(v) and v > quota.get(by, v))
    bare = cost & (goals["limit"].isna() | ~goals["basis"].isin(list(quota)))
    apart = goals["scored"].notna() & (goals["scored"] != goals["points"])
    found += keyed(goals, "basis", source, once=False)
    found += faults(goals, "chain", cost=bare, quota=over, points=apart)
    aimed, zero = goals["points"][goals["level1"].isin(["产出", "效益"])], Term.of(0)
    sums = {"sum": total([zero, *rules["points"]]), "share": total([zero, *aimed])}
    facts = final(Frame([sums])).assign(least=outcome.value, source=outcome.source)
    short = sums["share"] < outcome.value
    return final(goals), found + faults(facts, "chain", sum=[sums["sum"] != 100], outcome=[short])
