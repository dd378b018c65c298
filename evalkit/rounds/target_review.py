"""Target review (绩效目标审核): what filed target tables show, and the grade that follows.

The kinds of indicator, words, limits, the form of eight points and sixteen items, its grades,
rates and counting rule are policy; what is looked for stands in `params/checks/targets.yaml`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, count, pairwise
from typing import Any

from evalkit.core.model import Datum, Row, Source
from evalkit.core.numbers import YUAN_PER, round_to
from evalkit.policy import Policy
from evalkit.rounds.self_evaluation import funds_of
from evalkit.scoring.findings import Context, Finding
from evalkit.scoring.rows import key_of
from evalkit.scoring.scorecard import grade_of


def twins(
    texts: Sequence[str], share: Decimal, short: Decimal
) -> dict[int, list[tuple[bool, Decimal, int]]]:
    """For the place of each text the others that are like it: whether equal, how alike, where.

    Alike (percent, the most alike first) is Dice's measure over pairs of characters: twice the
    common ones through all of both. Texts shorter than `short` are left out.

    >>> texts = ["新建农村公路十公里并通过验收", "新建农村公路九公里并通过验收", "采购教学设备"]
    >>> twins(texts, Decimal(80), Decimal(2))
    {0: [(False, Decimal('84.62'), 1)], 1: [(False, Decimal('84.62'), 0)]}
    """
    found, bit = defaultdict(list), defaultdict[tuple[str, str], int](count().__next__)
    places = [place for place, text in enumerate(texts) if len(text) >= short]
    # a set of pairs is a number with a bit for each: common ones are quickly counted
    sets = {place: sum(1 << bit[pair] for pair in {*pairwise(texts[place])}) for place in places}
    sizes = {place: pairs.bit_count() for place, pairs in sets.items()}
    for one, two in combinations(places, 2):
        common, both = 2 * 100 * (sets[one] & sets[two]).bit_count(), sizes[one] + sizes[two]
        if common >= share * both:
            how = texts[one] == texts[two], round_to(Fraction(common, both), 2)
            found[one].append((*how, two))
            found[two].append((*how, one))
    return {place: sorted(near, reverse=True) for place, near in sorted(found.items())}


def measured(datum: Datum, unit: Datum) -> tuple[Decimal | None, str]:
    """A number and its unit, its own or that of its column; 万 is resolved.

    >>> measured(Datum(value=Decimal("1.5"), unit="万元"), Datum())
    (Decimal('15000.0'), '元')
    """
    number, name = datum.number, datum.unit or unit.text
    if number is None or not name.startswith("万"):
        return number, name
    return number * YUAN_PER["万元"], name.removeprefix("万")


def contexts(form: Source, known: Context, policy: Policy) -> dict[str, list[dict[str, Any]]]:
    """What the checks see of a target table, by scope.

    `form` the whole table, `indicators` its rows, `needs` the kinds of indicator that are not
    there, `reading` what could not be read. `known` holds the `tree`, the `standards`, the rows
    of the `last` year by name of project and indicator, and what else the checks ask for.
    """
    tree = policy.value("target_trees")[known["tree"]]
    used = {name: policy.value(f"target_{name}") for name in ("words", "limits", "totals")}
    funds = form.tables["funds"]
    shared = {**form.forms["project"], **known, **used, "kinds": tree, "funds": funds}
    money = {row["item"].text: row["budget"] for row in funds}
    shared["budget"] = money.get("年度资金总额", Datum())
    shared["parts"] = funds_of(form, "plan")[1]["budget"]
    lines = [shared | row | _line(row, shared) for row in form.tables["indicators"]]
    named, points = Counter(line["named"] for line in lines), Counter[str]()
    for line in lines:
        points[line["group"]] += line["points"].number or 0
    whole, rest = sum(points.values()), points.pop("", 0)
    shares = {g: used["totals"][0] * n / (whole - rest) for g, n in points.items() if n}
    off = [max(abs(shares.get(g, 0) - w.get(g, 0)) for g in shares | w) for w in tree["weights"]]
    there = {line[level] for line in lines for level in ("sort", "group")}
    return {
        "form": [shared | {"rows": lines, "shares": shares, "off": off, "sum": whole}],
        "indicators": [line | {"times": named[line["named"]], "sum": whole} for line in lines],
        "needs": [shared | {"need": need} for need in tree["needs"] if need["kind"] not in there],
        "reading": [{"p": p, "at": Datum(cell=f"{p.sheet}!{p.cell}")} for p in form.problems],
    }


def _first(words: Iterable[str], text: str) -> str:
    return next((word for word in words if word in text), "")


def _line(row: Row, known: Context) -> dict[str, Any]:
    """What is found out about one indicator: its kind, its standard, its value of last year."""
    kinds, classes = known["kinds"]["kinds"], known["words"]["classes"]
    sort = _first(kinds, row["level2"].text) or _first(kinds, row["level1"].text)
    named, group = key_of(row["level3"].text), kinds.get(sort, "")
    meant = (c for c in classes if _first(classes[c], named) and c not in sort + group)
    blank: Row = defaultdict(Datum)
    fitting = [each for each in known["standards"] if key_of(each["item"].text) in named]
    standard = max(fitting, key=lambda each: len(each["item"].text), default=blank)
    last = known["last"].get((known["stem"], named), blank)
    value, was = measured(row["target"], row["unit"]), measured(last["actual"], last["unit"])
    limit = measured(standard["limit"], standard["unit"])
    found = {"sort": sort, "group": group, "named": named, "meant": next(meant, ""), "value": value}
    found |= {"standard": standard, "limit": limit, "was": last["actual"], "ratio": None}
    if value[0] is not None and was[0] and value[1] == was[1]:
        found["ratio"] = value[0] / was[0] * 100
    return found


def counted(grades: Sequence[str], rules: Sequence[Mapping[str, Any]]) -> str:
    """The grade of an ordinary project from those of its eight points (郑州 附2-6).

    `rules` run from the best grade down: so many points of at least `of`, none below `others`.

    >>> rules = [{"grade": "优", "count": 6, "of": "优", "others": "良"},
    ...          {"grade": "良", "count": 0, "of": "良", "others": "良"}]
    >>> counted(list("优优优优优优良良"), rules), counted(list("优优优优优良良良"), rules)
    ('优', '良')
    """
    order = [rule["grade"] for rule in rules]
    ranks = [order.index(grade) for grade in grades]
    for rule in rules:
        good = sum(rank <= order.index(rule["of"]) for rank in ranks)
        if good >= rule["count"] and max(ranks) <= order.index(rule["others"]):
            return str(rule["grade"])
    raise ValueError(f"no grade for {grades}")


def review(
    entries: Mapping[str, Row], found: Sequence[Finding], scored: bool, policy: Policy
) -> dict[str, Any]:
    """Grade a target table by what reviewers entered or, where they have not, by the findings.

    `entries` are by name of item or point. `scored` tables get points by item and a grade on their
    sum, others one by counting points. Without a rate an item scores what its grade has at least
    and at most.

    Returns:
        `items`, those of policy `target_review_form` with their `grade`, the score they have at
        least (`low`) and at most (`high`), the `opinion`, and whether a person has still to decide
        (`open`); `low`, `high` and `grade` of the whole, empty while it cannot be given.
    """
    hints, digits = policy.value("target_review_suggestions"), policy.value("target_review_digits")
    rates = {rate["grade"]: rate for rate in policy.value("target_review_rates")}
    items, points, order = [], defaultdict(list), [*rates]
    for item in policy.value("target_review_form"):
        entry = entries.get(item["item"]) or entries.get(item["point"]) or defaultdict(Datum)
        mine = [finding for finding in found if finding.check.dimension == item["id"]]
        weight = sum(finding.check.deduct for finding in mine)
        suggested = (hint["grade"] for hint in hints if weight >= hint["weight"])
        grade = entry["grade"].text or next(suggested, item.get("clean", ""))
        rate, band = entry["rate"].number, rates[grade]
        ends = (band["from"], band["to"]) if rate is None else (rate, rate)
        low, high = (round_to(item["points"] * end / 100, int(digits)) for end in ends)
        said = entry["opinion"].text or "；".join(dict.fromkeys(each.what for each in mine))
        waits = not entry["grade"].text or (scored and rate is None)
        graded = {"low": low, "high": high, "opinion": said, "open": waits}
        items.append(item | band | graded)
        points[item["point"]].append(order.index(grade))
    low, high = (sum((item[end] for item in items), Decimal(0)) for end in ("low", "high"))
    grades = {grade_of(total, policy.value("target_review_bands")) for total in (low, high)}
    if not scored:
        lower = [order[max(places)] for places in points.values()]
        grades = {counted(lower, policy.value("target_review_counting")) if all(lower) else ""}
    grade = min(grades) if len(grades) == 1 else ""
    return {"items": items, "low": low, "high": high, "grade": grade}
