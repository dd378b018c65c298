"""From tidy answers to what a survey reports: which sheets count, what they say, how surely."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from math import inf, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from evalkit.core.expr import Term, total
from evalkit.core.problem import refuse, sentence
from evalkit.survey.answers import Frame
from evalkit.survey.estimates import estimates, levels
from evalkit.survey.sample import allocate
from evalkit.survey.satisfaction import OPTION_OF, OPTIONS, UNAWARE, satisfaction

Found = dict[str, Any]  # term (None where nobody answered), low, high (NaN then)
UNKNOWN: Found = {"term": None, "low": float("nan"), "high": float("nan")}
_PART = {"return_rate": "returned", "valid_rate": "valid"}
_TURNED = dict(zip(OPTIONS, reversed(OPTIONS), strict=True))


def decided(
    log: Sequence[Mapping[str, Any]], decisions: Sequence[Mapping[str, str]], known: Collection[str]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Flags with what people decided on them, and the rule by which each struck sheet goes.

    A sheet leaves the sample by 剔除 with cause and approver alone; 保留 settles a flag.

    Args:
        log: of `evalkit.survey.quality.flags`, by respondent and rule.
        decisions: respondent, rule ("" for all flags of the sheet), decision, cause, approver.
        known: the respondents that there are.

    Returns:
        The flags in the order of rows, their decision "" while there is none; struck respondents.

    >>> log = [{"respondent": "7", "row": 8, "rule": "直线作答", "reason": "…"}]
    >>> struck = {"respondent": "7", "rule": "", "decision": "剔除", "cause": "敷衍"}
    >>> lines, out = decided(log, [struck | {"approver": ""}], ["7"])
    >>> lines[0]["decision"], out
    ('', {})
    >>> lines, out = decided(log, [struck | {"approver": "张"}], ["7"])
    >>> lines[0]["decision"], out
    ('剔除', {'7': '直线作答'})
    """
    rules: dict[str, list[str]] = {}
    for line in log:
        rules.setdefault(line["respondent"], []).append(line["rule"])
    done = {(row["respondent"], row["rule"]): row for row in decisions}
    out = {row["respondent"]: row for row in decisions if row["decision"] == "剔除"
           and row["cause"] and row["approver"] and row["respondent"] in known}  # fmt: skip
    lines = []
    for line in sorted(log, key=lambda line: line["row"]):
        who, nothing = line["respondent"], dict[str, str](decision="")
        kept = (done.get((who, rule), nothing) for rule in (line["rule"], ""))
        said = out.get(who) or next((row for row in kept if row["decision"] == "保留"), nothing)
        told = {key: said.get(key, "") for key in ("decision", "cause", "approver")}
        lines.append({**line, **told})
    why = {who: "、".join(rules.get(who, ["其他"])) for who in out}
    return lines, {who: row["rule"] or why[who] for who, row in out.items()}


def turned(table: Frame, reverse: Sequence[str]) -> Frame:
    """The tidy table with the levels of reversed questions the other way round; 不了解 stays.

    >>> from evalkit.survey.answers import tallied
    >>> paper = tallied(Frame({"题目": ["等候过久"], "非常满意": [3], "不满意": [2]}))
    >>> turned(paper, ["等候过久"])["option"].tolist()
    ['非常不满意', '满意']
    """
    level = table["option"].map(OPTION_OF).mask(table["option"].str.isdigit()).map(_TURNED)
    level = level.where(table["question"].isin(reverse)).fillna(table["option"])
    return table.assign(option=level)


def sheets(rows: Frame) -> int:
    """Questionnaires behind tidy rows: respondents, and the most people of a tallied question."""
    online, paper = (rows[(rows["respondent"] == "") == mark] for mark in (False, True))
    most = paper.groupby("question")["people"].sum().max() if len(paper) else 0
    return online["respondent"].nunique() + round(most)


def returned(modes: Mapping[str, Sequence[Any]]) -> Frame:
    """How many questionnaires were sent, came back and count, by mode and in all (合计).

    Args:
        modes: sent, returned, valid by mode; None where it is not known: half a sum is none.

    >>> found = returned({"线上": [None, 180, 170], "纸质": [70, 64, 60]})
    >>> print(*found.loc["合计"].round(2))
    <NA> 244.0 230.0 14.0 <NA> 94.26
    """
    found = Frame(dict(modes), index=["sent", "returned", "valid"]).T.astype("Int64")
    if len(found) != 1:
        found.loc["合计"] = found.sum(skipna=False)
    found["excluded"] = found["returned"] - found["valid"]
    for name, whole in (("return_rate", "sent"), ("valid_rate", "returned")):
        found[name] = 100 * found[_PART[name]] / found[whole].replace(0, pd.NA)
    return found.rename_axis("mode")


def margin(n: float, confidence: float, population: float = inf, deff: float = 1.0) -> float:
    """Half the width of the interval of a share of one half, in percent: `sample.size` turned.

    e = z/2·√(deff·(1/n - 1/N)·N/(N-1)), 0 where everybody answered.

    Raises:
        EvalkitError: the confidence is not between 0 and 1.

    >>> f"{margin(278, 0.95, 1000):.2f} {margin(385, 0.95):.2f}"
    '5.00 4.99'
    """
    refuse([sentence("survey.size")] * (not 0 < confidence < 1))
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    left = max(1 / n - 1 / population, 0) / (1 - 1 / population) if population > 1 else 0
    return 50 * z * sqrt(deff * left)


def stratified(table: Frame, strata: Mapping[str, int], n: int = 0, least: int = 0) -> Frame:
    """How the sample meets its strata.

    Args:
        table: tidy; its groups are the strata.
        strata: N_h by stratum.
        n: the planned sample, to be divided among them in proportion; 0: none was planned.
        least: fewest in a stratum, as far as n allows.

    Returns:
        A row a stratum: stratum, population, planned (0 if none), n (questionnaires), each (N_h/n).

    Raises:
        EvalkitError: as `evalkit.survey.sample.allocate`.

    >>> from evalkit.survey.answers import tallied
    >>> paper = tallied(Frame({"题目": "服务", "分组": ["甲", "乙"], "满意": [3, 0],
    ...                        "一般": [1, 2]}))
    >>> stratified(paper, {"甲": 100, "乙": 300}, 8).to_numpy().tolist()
    [['甲', 100, 2, 4, 25.0], ['乙', 300, 6, 2, 150.0]]
    """
    found = Frame({"stratum": [*strata], "population": [*strata.values()], "planned": 0})
    if n and strata:
        found["planned"] = allocate(found, n, least=min(least, n // len(strata)))["n"]
    found["n"] = [sheets(table[table["group"] == name]) for name in strata]
    return found.assign(each=found["population"] / found["n"].replace(0, np.nan))


def classified(rows: Frame, categories: Mapping[str, Sequence[str]]) -> tuple[Frame, list[str]]:
    """Open answers by category: those that hold one of its words; one answer may be of several.

    A word of one character must be the whole answer (无); a tally names the category itself.

    Args:
        rows: tidy, of one open question.
        categories: words by category.

    Returns:
        A row a category, most frequent first: category, count, share (percent of who answered);
        and the answers that are in none.

    >>> said = Frame({"option": ["晚上早关门", "无", "好"], "count": 1, "people": 1.0})
    >>> found, rest = classified(said, {"开放时间": ["关门", "晚上"], "没有意见": ["无"]})
    >>> found.round(1).to_numpy().tolist(), rest
    ([['开放时间', 1, 33.3], ['没有意见', 1, 33.3]], ['好'])
    """
    said = rows["option"].astype(str)
    hits = Frame({name: [text in (name, *words) or any(len(w) > 1 and w in text for w in words)
                         for text in said] for name, words in categories.items()},
                 index=rows.index, dtype=bool)  # fmt: skip
    found = hits.mul(rows["count"], axis=0).sum().rename_axis("category").reset_index(name="count")
    found["share"] = 100 * found["count"] / max(rows["people"].sum(), 1)
    rest = [*said[~hits.any(axis=1)]]
    return found.sort_values("count", ascending=False, kind="stable", ignore_index=True), rest


def exact(rows: Frame, values: Sequence[Decimal], sizes: Mapping[str, int]) -> Term | None:
    """Satisfaction of one question's answers, each of stratum h standing for N_h/n_h people.

    S = Σ N_h/n_h·v_h·S_h / Σ N_h/n_h·v_h, v_h of n_h answers not being 不了解: the estimate of
    `evalkit.survey.estimates`, exactly, with its Excel expression.

    Args:
        rows: of `evalkit.survey.estimates.levels`; their groups are the strata.
        values: what the five options are worth in percent, from the best.
        sizes: N_h by stratum; none: each answer counts the same.

    >>> from evalkit.survey.answers import tallied
    >>> paper = tallied(Frame({"题目": "服务", "分组": ["甲", "乙"], "满意": [3, 0],
    ...                        "一般": [1, 2]}))
    >>> found = exact(levels(paper, ["服务"]), [100, 75, 50, 25, 0], {"甲": 100, "乙": 300})
    >>> found.decimal()
    Decimal('54.6875')
    """
    parts = []
    for stratum, mine in rows.groupby("group", sort=False) if sizes else [("", rows)]:
        counts = {str(k): int(n) for k, n in mine.groupby("level")["count"].sum().items()}
        if (share := satisfaction(counts, values, 0)) is not None:
            asked = sum(counts.values())
            each = Term.of(sizes.get(str(stratum), 1)) / asked
            parts.append((each * (asked - counts.get(UNAWARE, 0)), share))
    return _mean(parts)


def measured(
    table: Frame, questions: Sequence[str], mappings: Mapping[str, Sequence[Decimal]],
    sizes: Mapping[str, int], confidence: float = 0.95, deff: float = 1.0,
) -> dict[str, dict[str, Found]]:  # fmt: skip
    """By mapping and question the `exact` satisfaction, and its interval widened by √deff.

    Args:
        table: tidy.
        questions: headings of questions of five levels.
        mappings, sizes, confidence: as `evalkit.survey.estimates.estimates`; no sizes is none.
        deff: design effect, 1 for simple random sampling.

    Raises:
        EvalkitError: as `estimates`.
    """
    rows, found = levels(table, questions), dict[str, dict[str, Found]]()
    told = estimates(table, questions, mappings, sizes or None, confidence)
    for each in told.to_dict("records"):
        name, values = each["question"], mappings[each["mapping"]]
        low, high = (each["satisfaction"] + (each[end] - each["satisfaction"]) * sqrt(deff)
                     for end in ("low", "high"))  # fmt: skip
        ends = {"low": max(low, float(min(values))), "high": min(high, float(max(values)))}
        term = exact(rows[rows["question"] == name], values, sizes)
        found.setdefault(each["mapping"], {})[name] = {"term": term, **ends}
    return found


def joint(found: Mapping[str, Found], shares: Mapping[str, Decimal]) -> Found:
    """Questions as one by their shares: S = Σλ_j·S_j/Σλ_j; unknown where one of them is.

    The ends are Σλ_j·low_j/Σλ_j and so with high: how the answers of one person to several
    questions move together a tally cannot tell, and never is the interval wider than where they
    all move as one (the deviation of a sum is at most the sum of deviations).

    >>> one, two = ({"term": Term.of(n), "low": n - 2.0, "high": n + 2.0} for n in (80, 60))
    >>> joint({"甲": one, "乙": two}, {"甲": Decimal(75), "乙": Decimal(25)})
    {'term': Term(75, '(75*80+25*60)/(75+25)'), 'low': 73.0, 'high': 77.0}
    """
    parts = [(shares[name], each) for name, each in found.items() if shares.get(name)]
    if not parts or any(each["term"] is None for _, each in parts):
        return UNKNOWN
    whole = float(sum(share for share, _ in parts))
    ends = {end: sum(float(share) * each[end] for share, each in parts) / whole
            for end in ("low", "high")}  # fmt: skip
    return {"term": _mean([(Term.of(share), each["term"]) for share, each in parts]), **ends}


def _mean(parts: Sequence[tuple[Term, Term]]) -> Term | None:
    if len(parts) < 2:
        return parts[0][1] if parts else None
    return total([weight * share for weight, share in parts]) / total([w for w, _ in parts])
