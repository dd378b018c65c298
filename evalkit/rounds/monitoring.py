"""双监控: how far each line's budget is spent and its targets are met, and what follows from it.

A line is a project, or a department as a whole, as its unit filed it. What is compared is what is
printed: percentages are rounded once to two decimals, deviations are differences of printed
percentages, money is exact. Sums of lines are divided; rates are never averaged. Lights, disposal
and findings are checks (params/checks/monitoring.yaml) over policy values. How units write things
stands in params/monitoring.yaml.

Sources: the two things watched 中发〔2018〕34号（八）; the form 财预〔2019〕136号. Lights have no
national rule.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

from evalkit.core.model import Datum, Row, Source
from evalkit.core.numbers import percent
from evalkit.core.paths import asset
from evalkit.core.yaml_file import load_yaml
from evalkit.scoring.findings import Finding, run_checks
from evalkit.scoring.rows import Line, called, groups, key_of, summed

WORDS: dict[str, Any] = load_yaml(asset("params", "monitoring.yaml"), texts=True)
TOTAL, BASES, LIGHTS = WORDS["total"], WORDS["bases"], WORDS["lights"]
CAUSES, _NO = WORDS["causes"], WORDS["no_cause"]
MONTHS = date.max.month  # of a year
_MONEY = ("budget", "spent", "outlook", "carryover")
_POINTED = ("name", "month", "year", "budget", "spent", "forecast", "rate")  # cells for checks
_FULL = Decimal(100)
_WIDE = Context(prec=100, rounding=ROUND_HALF_UP)

Round = Mapping[str, Any]
"""What a round measures with: `months`, the base `asked` (of `BASES`), the `checks` and the
policy values they name; and by code (see `key_of`) `plans`, planned execution in percent (also by
category), `violations`, `previous` lights and `decisions`."""


def rate(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """Percent as printed; None where one is unknown or there is nothing to divide by.

    >>> rate(Decimal(1), Decimal(3)), rate(Decimal(1), Decimal(0))
    (Decimal('33.33'), None)
    """
    return percent(part, whole) if whole is not None and whole > 0 else None


def completion(target: Datum, value: Datum) -> Decimal | None:
    """How far a value meets its target, in percent; None where that cannot be told.

    An upper limit (``≤``) is kept or missed by target ÷ value, an exact target (``=``) by the
    smaller ratio; a date or words are met or cannot be told.

    >>> goal, cost = Datum(value=Decimal(80), unit="%"), Datum(value=Decimal(80), bound="≤")
    >>> completion(goal, Datum(value=Decimal(60))), completion(cost, Datum(value=Decimal(100)))
    (Decimal('75.00'), Decimal('80.00'))
    """
    goal, reached = target.value, value.value
    if not isinstance(goal, Decimal) or not isinstance(reached, Decimal):
        early = isinstance(goal, date) and isinstance(reached, date) and reached <= goal
        return _FULL if goal and (early or goal == reached) else None
    units = {target.unit, value.unit}
    fraction = units == {"%", ""} and reached <= 1 < goal  # 0.98 of 98%?
    if len(units - {""}) > 1 or min(goal, reached) < 0 or fraction:
        return None
    if target.bound in ("≤", "<"):
        return _FULL if reached <= goal else rate(goal, reached)
    if target.bound == "=" and goal != reached:
        return min(rate(goal, reached) or Decimal(0), rate(reached, goal) or Decimal(0))
    return rate(reached, goal) if goal else _FULL


def _indicator(row: Row, progress: Decimal) -> Line:
    """Completion of an indicator so far and expected, and why it departs.

    `lag` is 目标偏差: completion so far against progress, in percent, of what adds up by month.
    """
    target, adds_up = row["target"], row["target"].bound in ("", "≥", ">")
    done, expected = completion(target, row["actual"]), completion(target, row["forecast"])
    pace = rate(done, progress) if adds_up and target.number and target.unit != "%" else None
    return {
        **{name: row[name] for name in ("level3", "target", "actual", "likelihood")},
        "ending": row["forecast"], "done": done, "expected": expected,
        "lag": None if pace is None else pace - 100, "points": row["points"].number,
        "possibility": row["likelihood"].text,
        "why": row["cause"].text or row["reason"].text or row["note"].text,
        "causes": [name for key, name in CAUSES.items() if row[key].text.strip() not in _NO],
    }  # fmt: skip


def read_line(source: Source, given: Round) -> Line:
    """A filed form as a line, money in 元, with the cells (``…_at``) its checks point to."""
    form, none = source.forms["project"], defaultdict[str, Datum](Datum)
    funds = next((row for row in source.tables["funds"] if row["item"].text == TOTAL), none)
    cells = {name: funds[name] for name in (*BASES.values(), "spent", "forecast", "rate")}
    ways = (given["asked"], *BASES)
    base = next((way for way in ways if cells[BASES[way]].number is not None), ways[0])
    cells["budget"] = cells[BASES[base]]
    budget, spent, forecast = (cells[name].number for name in ("budget", "spent", "forecast"))
    key, category = key_of(called(source)), key_of(form["category"].text)
    planned = given["plans"].get(key, given["plans"].get(category))
    exact = _WIDE.divide(_FULL * given["months"], MONTHS) if planned is None else planned
    progress, percent, trend = rate(exact, _FULL) or Decimal(0), rate(spent, budget), None
    if spent is not None and budget is not None and exact:
        trend = max(spent, min(budget, rate(spent, exact) or budget))
    outlook = trend if forecast is None else forecast
    indicators = [_indicator(row, progress) for row in source.tables["indicators"]]
    known = [i for i in indicators if i["expected"] is not None]
    weights = [i["points"] for i in known] if all(i["points"] for i in known) else [1] * len(known)
    met = sum(min(i["expected"], _FULL) * w for i, w in zip(known, weights, strict=True))
    said = {i["possibility"] for i in indicators}
    return {
        **{name: form[name].text for name in ("code", "name", "unit", "department", "scope")},
        "key": key, "category": category, "kind": form["kind"].text,
        "file": Path(source.path).name, "problems": source.problems, "base": base,
        "budget": budget, "spent": spent, "rate": percent, "progress": progress,
        "pace": "序时进度" if planned is None else "计划进度",
        "deviation": None if percent is None else percent - progress, "forecast": forecast,
        "trend": trend, "outlook": outlook, "indicators": indicators,
        "carryover": None if outlook is None or budget is None else budget - outlook,
        "worst": min((i["expected"] for i in known), default=None),
        "weighted": rate(Decimal(met), Decimal(sum(weights) * 100)),
        "possibility": next((p for p in WORDS["possibilities"] if p in said), ""),
        "causes": [c for c in CAUSES.values() if any(c in i["causes"] for i in indicators)],
        "why": "；".join(dict.fromkeys(i["why"] for i in indicators if i["why"])),
        "violation": given["violations"].get(key, ""), "before": given["previous"].get(key, ""),
        "month": form["month"].number, "year": form["year"].number,
        **{f"{name}_at": (form | cells)[name] for name in _POINTED},
    }  # fmt: skip


def judge(line: Line, given: Round) -> Line:
    """The line with its `light`, the `reasons`, the `change` since last time, and what `to_do`.

    Each aspect gives the light of its first check that holds, all aspects the worst of theirs;
    未定 where nothing warns and execution is not known.
    """
    hits: dict[str, Finding] = {}
    for found in run_checks(given["checks"], {"lights": [{**given, **line}]}):
        hits.setdefault(found.check.title, found)
    lights = {aspect: WORDS["light_of"][found.check.severity] for aspect, found in hits.items()}
    order, before = list(LIGHTS), line["before"]
    usual = "未定" if line["deviation"] is None else "绿"
    light = min(lights.values(), key=order.index, default=usual)
    change = "无法比较" if before else "本轮新增" if given["previous"] else ""
    if before and "未定" not in (light, before):
        step = order.index(light) - order.index(before)
        change = "改善" if step > 0 else "恶化" if step < 0 else "持平"
    judged = line | {
        "light": light, "change": change, "letter": line["unit"] * (light in given["letter"]),
        "aspects": "、".join(aspect for aspect, own in lights.items() if own == light),
        "reasons": "；".join(f"{a}（{lights[a]}）：{found.what}" for a, found in hits.items()),
    }  # fmt: skip
    advised = run_checks(given["checks"], {"disposal": [{**given, **judged}] if hits else []})
    decided = given["decisions"].get(line["key"])
    return judged | {"to_do": decided or next((found.what for found in advised), "")}


def monitor(sources: Iterable[Source], given: Round) -> tuple[list[Line], list[Line]]:
    """All lines, judged; and those filed again, which do not count.

    A line is known by its scope and code, without a code by its unit and name.
    """

    def identity(line: Line) -> tuple[Any, ...]:
        return line["scope"], line["code"] or (line["unit"], line["name"])

    known = groups((read_line(source, given) for source in sources), identity).values()
    again = [line | {"first": first["file"]} for first, *others in known for line in others]
    return [judge(first, given) for first, *_ in known], again


def totals(lines: Sequence[Line]) -> Line:
    """How many lines there are of each light, and the money of all, for `rows.add_up`.

    Rates are sums divided by sums over the `counted` lines, whose budget and spending are known;
    `progress` is what these should have spent by now, so with planned curves groups differ.
    """
    known = [line for line in lines if None not in (line["budget"], line["spent"])]
    lights = Counter(line["light"] for line in lines)
    money = {name: summed(line[name] for line in known) for name in _MONEY}
    due = summed(line["budget"] * line["progress"] / 100 for line in known)
    done, planned = (rate(part, money["budget"]) for part in (money["spent"], due))
    return money | {
        **{name: lights[light] for light, name in LIGHTS.items()}, "lines": len(lines),
        "counted": len(known), "due": due, "rate": done, "progress": planned,
        "deviation": None if done is None or planned is None else done - planned,
        "outlook_rate": rate(money["outlook"], money["budget"]),
    }  # fmt: skip
