"""A filed 自评表 as a claim: what each score can be under a stated way of scoring.

The ways are 财预〔2020〕10号 art. 16 and the examples of 财预〔2021〕101号 三（七）, as policy
holds them. Nothing is guessed: what the form does not say leaves an interval, or no score with
the reason why. How units write things stands in params/self_evaluation.yaml. And which forms are
looked at on site: strata, a share of each, an order that anybody can repeat.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from hashlib import sha256
from operator import itemgetter
from typing import Any

from evalkit.core.expr import Term, greatest, least
from evalkit.core.model import Datum, Frozen, Row, Source, Table
from evalkit.core.numbers import YUAN_PER, fixed, plain, round_to
from evalkit.core.paths import asset
from evalkit.core.yaml_file import load_yaml
from evalkit.scoring import rules
from evalkit.scoring.rows import Line, groups, key_of, summed
from evalkit.scoring.rules import RuleError
from evalkit.scoring.scorecard import award

WORDS: dict[str, Any] = load_yaml(asset("params", "self_evaluation.yaml"))
Way = Mapping[str, Any]  # the policy value with what it leaves open: late, digits, rounding
MONEY, NONE = ("initial", "budget", "spent"), Decimal(0)


class Rescored(Frozen):
    """What a score can be: at least `low`, at most `high`; or `why` that cannot be said."""

    low: Decimal = NONE
    high: Decimal = NONE
    formula: str = ""
    rate: Decimal | None = None  # completion, percent
    why: str = ""

    def excess(self, filed: Decimal | None) -> Decimal | None:
        """By how much a filed score lies above or, negative, below what it can be.

        >>> Rescored(low=Decimal(8), high=Decimal(10)).excess(Decimal(7))
        Decimal('-1')
        """
        return None if self.why or filed is None else filed - min(max(filed, self.low), self.high)

    def __add__(self, other: "Rescored") -> "Rescored":
        return Rescored(low=self.low + other.low, high=self.high + other.high)

    def __str__(self) -> str:
        ends = dict.fromkeys((fixed(self.low), fixed(self.high)))
        return "无法复算" if self.why else "～".join(ends)


def unread(datum: Datum) -> bool:
    """Whether something is written there that the reader could not take."""
    return datum.value is None and bool(re.search(r"\w", datum.raw))


def written(datum: Datum) -> str:
    """A value as it was filed, with the unit that stands elsewhere.

    >>> written(Datum(value=Decimal(735), raw="735", unit="人次"))
    '735人次'
    """
    bare, number = datum.raw[-1:].isdigit(), datum.number
    if bare and datum.unit == "元" and number is not None and plain(number) != datum.raw:
        return f"{plain(number / YUAN_PER['万元'])}万元"  # read in the unit of its column
    return datum.raw + datum.unit * bare


def named(words: str, row: Row) -> str:
    """Which of the `words` of params/self_evaluation.yaml the levels of a row say; or none."""
    place = "/".join(key_of(row[level].text) for level in ("level1", "level2", "level3"))
    return next((name for name, said in WORDS[words].items() if re.search(said, place)), "")


def rescore(row: Row, way: Way, finished: bool | None = None) -> Rescored:
    """What the score of one of the `scored_rows` can be.

    `finished` tells whether the project is complete, which 101号 asks for the execution rate.
    """
    points, asked = row["points"].number or NONE, {"target": "目标值", "actual": "实际完成值"}
    gaps: dict[str, list[str]] = {}
    for name in (name for name in asked if row[name].value is None):
        gaps.setdefault("读不准" if unread(row[name]) else "未填写", []).append(asked[name])
    why = "，".join("、".join(labels) + gap for gap, labels in gaps.items())
    if points <= 0 or why:
        return Rescored(high=max(points, NONE), why=why or "分值没有填写正数")
    try:
        shares, rule = _shares(row, points, way, finished)
        ends = [_points(points, share, rule) for share in shares]
    except RuleError as refused:
        return Rescored(high=points, why=str(refused).partition("——")[0])
    scores = dict(sorted(award(end, int(way["digits"]), way["rounding"]) for end in ends))
    rate, formula = round_to(shares[0].value * 100, 2) if rule else None, "～".join(scores.values())
    return Rescored(low=min(scores), high=max(scores), formula=formula, rate=rate)


def _shares(row: Row, points: Decimal, way: Way, finished: bool | None) -> tuple[list[Term], Way]:
    """How much was done, all readings, and the rule that makes a score of it; none as it is."""
    target, actual, kind, one = row["target"], row["actual"], named("kinds", row), Term.of(1)
    if isinstance(target.value, date) and isinstance(actual.value, date):
        late = rules.on_time(1, actual.value, target.value, way["late"] / 100, by="月")
        return [late], {}
    if {target.text, actual.text} <= {"是", "否"}:
        return [rules.yes_no(1, int(target.text == actual.text))], {}
    if target.number is None:
        return _tiers(row, points, way), {}
    done, aim, rule = _comparable(row), Term.of(target.number), way[kind or "quantitative"]
    if kind == "execution_rate" and aim <= 0:
        raise RuleError("预算数为0，不能计算执行率")
    if kind == "execution_rate" and "bands" in rule:
        if done > aim:
            raise RuleError("执行数超过预算，该办法没有规定如何计分")
        full = {"from": Decimal(0 if finished else 100), "points": rule["complete_within_budget"]}
        bands = [full] if finished else [full, *rule["bands"]]
        return [done / aim, *([one] if finished is None else [])], {**rule, "bands": bands}
    if "bands" in rule:
        return [done / 100], rule
    if "upper" in row:
        return [rules.within(1, done, aim, row["upper"].number or 0)], rule
    return [_share(sign, done, aim) for sign in _signs(row)], rule


def _tiers(row: Row, points: Decimal, way: Way) -> list[Term]:
    """The ends of the tiers that the words about an actual value can mean."""
    said, tiers, best, worst = key_of(row["actual"].raw), way["qualitative"], 1, 1
    if said != key_of(row["target"].raw):
        words = next(each for each in WORDS["answers"] if re.search(each["said"], said))
        best, worst = map(int, words["tiers"])
    high = Term.of(tiers[best - 1]["to"]) / 100
    if best > 1:  # an open end
        high -= Term.of(Decimal(1).scaleb(-int(way["digits"]))) / points
    return [Term.of(tiers[worst - 1]["from"]) / 100, high]


def _comparable(row: Row) -> Term:
    """The actual value as a number in the unit of the target."""
    target, actual = row["target"], row["actual"]
    number, units = actual.number, {key_of(target.unit), key_of(actual.unit)}
    if number is not None and len(units) > 1:  # what has no unit may be the other's, but for money
        percent = target.unit == "%" and not actual.unit and 1 < number <= 100
        number = number if percent or ("" in units and not units & {"%", "元"}) else None
    if number is None:
        said = "与{}不是同一单位的数值" if actual.number is not None else "不是数值，不能与{}比较"
        aim = f"目标值“{written(target)}”"
        raise RuleError(f"实际完成值“{written(actual)}”{said.format(aim)}")
    return Term.of(number)


def _signs(row: Row) -> list[str]:
    """Which way an indicator goes; more than one where its form does not say."""
    said = "/".join((key_of(row["direction"].text), row["target"].bound))
    found = [sign for sign, how in WORDS["signs"].items() if re.search(how, said)]
    lower = [named("lower", row)] if named("lower", row) else []
    return found or [*lower, *(["≥"] if not lower or row["target"].unit == "%" else [])]


def _share(sign: str, done: Term, aim: Term) -> Term:
    """How much is done; what departs from ≤ and = is taken off."""
    off = greatest(0, *([done - aim] * (sign != "≥")), *([aim - done] * (sign != "≤")))
    if aim <= 0 and off > 0:
        raise RuleError("目标值不大于0，没有达到时不能按比例计分")
    return Term.of(1) if aim <= 0 else done / aim if sign == "≥" else 1 - off / aim


def _points(points: Decimal, share: Term, rule: Way) -> Term:
    if "bands" in rule:
        limits = [band["from"] for band in rule["bands"]]
        rates = [band["points"] * 100 / rule["points"] for band in rule["bands"]]
        return rules.bands(points, share * 100, limits=limits, rates=rates)
    if rule.get("floor"):
        return rules.linear(points, share, 1, Term.of(rule["floor"]) / 100)
    return Term.of(points) * greatest(0, least(1, share))


def funds_of(source: Source, lists: str = "whole") -> tuple[Row, Row, Row]:
    """The whole year's funds, the sum of their parts, and what counts of both; may be blank.

    A whole of 0 or blank is taken from its parts. A sum has the bound ≥ where parts are missing,
    as the `lists` of params/self_evaluation.yaml tell.
    """
    blank = dict.fromkeys(("item", *MONEY, "points", "rate", "score"), Datum())
    lines = groups(source.tables["funds"], lambda row: key_of(row["item"].text))
    first, parts = {item: rows[0] for item, rows in lines.items()}, WORDS["funds"]["parts"]
    whole = [row for item, row in first.items() if re.search(WORDS["funds"]["whole"], item)]
    other = [row for item, row in first.items() if not any(item in part["of"] for part in parts)]
    sums = {name: _sum({item: row[name] for item, row in first.items()}, lists) for name in MONEY}
    total = counted = [*whole, *other, blank][0]
    for name in MONEY:
        if yuan := total[name].number or sums[name].number:
            stands = {"value": yuan, "raw": f"{plain(yuan / YUAN_PER['万元'])}万元"}
            counted = counted | {name: total[name].model_copy(update=stands)}
    return total, sums, counted


def _sum(cells: Mapping[str, Datum], lists: str) -> Datum:
    """What the parts of funds come to, by the breakdown that is whole or else by the largest."""
    found = []
    for part in WORDS["funds"]["parts"]:
        mine = [cells[item] for item in part["of"] if item in cells]
        whole = any(cells.keys() >= {*need} and cells[need[0]].number is not None
                    for need in part[lists]) and not any(map(unread, mine))  # fmt: skip
        if (known := summed(cell.number for cell in mine)) is not None:
            found.append((whole, known))
    whole, known = max(found, default=(False, None))
    return Datum(value=known, bound="" if whole else "≥")


def scored_rows(source: Source) -> Table:
    """The scored rows of a form: the execution rate, then the indicators, with pairs made plain."""
    rows = [_plain(row) for row in filter(_scored, source.tables["indicators"])]
    executed = [row for row in rows if named("kinds", row) == "execution_rate"]
    *_, whole = funds_of(source)
    blank = dict.fromkeys(("level2", "direction", "target", "unit", "reason"), Datum())
    lines = [whole] if _scored(whole) else filter(_scored, source.tables["funds"])
    for line in () if executed else lines:
        called = "预算执行率" if line is whole else f"{line['item'].text}执行率"
        level1, level3 = (Datum(value=text, raw=text) for text in ("预算执行", called))
        executed.append(blank | line | {"level1": level1, "level3": level3, "actual": line["rate"]})
    for row in executed:
        rows, line = [other for other in rows if other is not row], whole | row
        row["stated"] = row["actual"] if row["actual"].unit == "%" else Datum()
        if line["budget"].value is not None:
            row |= {"target": line["budget"], "actual": line["spent"]}
        elif row["target"].value is None and row["actual"].unit == "%":
            row["target"] = Datum(value=Decimal(100), raw="100%", unit="%")
    return executed + rows


def _scored(row: Row) -> bool:
    return not row["points"].value is row["score"].value is None


def half_of(rows: Iterable[Row]) -> Decimal:
    """Half of the least unit in which indicators are scored: what rounding to it can explain."""
    scores = [row["score"].number for row in rows if named("kinds", row) != "execution_rate"]
    digits = [int(score.as_tuple().exponent) for score in scores if score is not None]
    return Decimal(1).scaleb(min([0, *digits])) / 2


def _plain(row: Row) -> Row:
    """A copy in which a range is its two ends, and 880/880 is a number and its target."""
    target, actual = row["target"], row["actual"]
    if found := re.fullmatch(WORDS["range"], key_of(target.text)):
        *ends, unit = found.groups()
        update = {"unit": unit or actual.unit}
        low, upper = (target.model_copy(update=update | {"value": Decimal(end)}) for end in ends)
        return row | {"target": low, "upper": upper}
    found = re.fullmatch(WORDS["pair"], key_of(actual.text))
    done, whole = map(Decimal, found.groups()) if found else (0, 0)
    if whole and (target.value in (None, whole) or target.unit == "%"):
        due = whole * (target.number if target.unit == "%" and target.number else 100) / 100
        return row | {"target": target.model_copy(update={"value": due, "unit": ""}),
                      "actual": actual.model_copy(update={"value": done})}  # fmt: skip
    return {**row}


def narrated(text: str) -> tuple[Decimal, Decimal] | None:
    """The first total that a text states and, where it differs, the sum of its parts, in 元.

    >>> narrated("拨付30万元、30万元和29.99万元，合计89.97万元")
    (Decimal('899700.00'), Decimal('899900.00'))
    """
    amounts = [(total, Decimal(number.replace(",", "")) * YUAN_PER[unit])
               for total, number, unit in re.findall(WORDS["amount"], key_of(text))]  # fmt: skip
    parts = [amount for total, amount in amounts if not total]
    whole, totals = sum(parts, Decimal(0)), [amount for total, amount in amounts if total]
    wrong = [amount for amount in totals if amount != whole and len(parts) > 1]
    return (wrong[0], whole) if wrong else None


def order_of(seed: str, code: str) -> str:
    """The place of a form in the order of a seed, equal on every machine.

    >>> order_of("2025", "A1") < order_of("2025", "A2")
    True
    """
    return sha256(f"{seed}:{code}".encode()).hexdigest()


def sample(forms: Iterable[Line], bands: Sequence[Line], rate: Decimal, seed: str) -> list[Line]:
    """The forms by stratum, in the order of the seed, each with its `band` and `how` it is chosen.

    A form has code, department, amount (元, 0 where unknown) and `must`, which says why it is
    looked at in any case (必查). Of the others of each stratum `rate` percent are drawn (随机), at
    least one. Nothing in a stratum depends on the forms of another.

    >>> forms = [{"code": c, "department": "甲局", "amount": 5, "must": ""} for c in "ABCDEF"]
    >>> [f["code"] for f in sample(forms, [{"band": "全部", "from": 0}], Decimal(30), "7")
    ...  if f["how"]]
    ['A', 'F']
    """
    rising, stratum = sorted(bands, key=itemgetter("from")), itemgetter("department", "from")
    placed = [form | [band for band in rising if band["from"] <= form["amount"]][-1]
              | {"how": "必查" if form["must"] else ""} for form in forms]  # fmt: skip
    placed.sort(key=lambda form: (*stratum(form), order_of(seed, form["code"])))
    for others in groups((form for form in placed if not form["must"]), stratum).values():
        for form in others[: max(1, int(round_to(len(others) * rate / 100, 0)))]:
            form["how"] = "随机"
    return placed
