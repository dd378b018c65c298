"""The named figures and printed tables of an evaluation, from its workbook, survey and scores."""

from decimal import Decimal

from evalkit.core.measure import Measure
from evalkit.core.model import IndicatorScore, Scorecard, Source
from evalkit.core.numbers import fixed, percent, plain, round_to, wan
from evalkit.report.prose import WORDS
from evalkit.scoring.indicator import funds_evaluated, split_list
from evalkit.scoring.measures import fund_rate
from evalkit.survey.satisfaction import Survey
from evalkit.workbook.printed import table_text
from evalkit.workbook.schema import Schema

_PRINTED = ("funds", "data", "samples", "visits", "evidence", "issues", "adjustments", "self")
_MONEY = ("initial", "budget", "arrived", "spent")


def values(source: Source, survey: Survey | None) -> dict[str, Decimal]:
    """Named figures: money in 元, rates in percent with two decimals; what is unknown is absent.

    ``funds.execution_rate`` is 支出÷到位 (财预〔2020〕10号 附2); ``funds.budget_execution_rate`` is
    支出÷全年预算, the rate of a 自评表.
    """
    form, rows = source.forms["project"], funds_evaluated(source)
    found = {f"funds.{field}": _sum([r[field].number for r in rows]) for field in _MONEY}
    for key, (part, whole) in WORDS["rates"].items():
        found[f"funds.{key}"] = _rounded(fund_rate(rows, part, whole))
    for field in ("population", "sent", "returned"):
        found[f"survey.{field}"] = form[f"survey_{field}"].number
    if survey:
        found["survey.valid"] = Decimal(survey.valid)
        found["survey.satisfaction"] = _rounded(survey.measure)
        for key, part, whole in (("return", "returned", "sent"), ("valid", "valid", "returned")):
            found[f"survey.{key}_rate"] = percent(found[f"survey.{part}"], found[f"survey.{whole}"])
    for key, (part, whole) in WORDS["coverage"].items():
        found[f"sample.{key}"] = _coverage(source, part, whole)
    return {key: value for key, value in found.items() if value is not None}


def _rounded(measure: Measure) -> Decimal | None:
    return None if measure.term is None else round_to(measure.term.value, 2)


def _printed(part: Decimal | None, whole: Decimal | None) -> str:
    share = percent(part, whole)
    return "" if share is None else f"{fixed(share)}%"


def _compared(row: dict[str, str], score: IndicatorScore | None) -> dict[str, str]:
    """A row of 自评情况 beside the score of its indicator; the difference is in 得分率.

    Points may differ between the two, so marks as such are not compared.
    """
    if score is None:
        return {}
    own, mine = _printed(Decimal(row["score"] or 0), Decimal(row["points"] or 0)), score.rate
    found = {"level3": score.level3, "actual_found": score.actual, "own_rate": own}
    if mine is None or not own:
        return found
    gap = Decimal(own.rstrip("%")) - mine
    return found | {"full": plain(score.points), "awarded": fixed(score.score or Decimal(0)),
                    "rate": f"{fixed(mine)}%", "gap": fixed(gap)}  # fmt: skip


def _sum(numbers: list[Decimal | None]) -> Decimal | None:
    """The sum, or None where a part is missing: half a sum is no sum."""
    known = [n for n in numbers if n is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(numbers) else None


def _coverage(source: Source, part: str, whole: str) -> Decimal | None:
    rows = source.tables["samples"]
    if not part.endswith("amount") and len({r["unit"].text for r in rows}) != 1:
        return None
    return percent(_sum([r[part].number for r in rows]), _sum([r[whole].number for r in rows]))


def tables(
    source: Source,
    schema: Schema,
    card: Scorecard,
    survey: Survey | None,
    changes: list[dict[str, str]],
) -> dict[str, list[dict[str, str]]]:
    """The printed tables: the workbook's own with totals and shares, then the survey's."""
    found = {sheet: table_text(source, schema, sheet) for sheet in _PRINTED}
    found["changes"] = changes
    if found["funds"]:
        rows = funds_evaluated(source)  # the total is what the text says, and names its year
        sums = {f: _sum([r[f].number for r in rows]) for f in _MONEY}
        row = {f: "" if amount is None else wan(amount) for f, amount in sums.items()}
        partly = len(rows) < len(source.tables["funds"])
        row |= {"source": "合计", "year": source.forms["project"]["year"].text if partly else ""}
        found["funds"].append(dict.fromkeys(found["funds"][0], "") | row)
    for printed, cells in zip(found["data"], source.tables["data"], strict=True):
        printed["rate"] = _printed(cells["actual"].number, cells["plan"].number)
    for printed, cells in zip(found["samples"], source.tables["samples"], strict=True):
        for key, (part, whole) in WORDS["coverage"].items():
            printed[key] = _printed(cells[part].number, cells[whole].number)
    scores = {i.code: i for i in card.indicators}
    for issue in found["issues"]:
        under = [scores[c] for c in split_list(issue["indicators"]) if c in scores]
        issue["indicator_names"] = "、".join(i.level3 for i in under)
        issue["lost"] = plain(sum((i.lost or Decimal(0) for i in under), Decimal(0)))
    for adjustment in found["adjustments"]:
        score = scores.get(adjustment["indicator"])
        adjustment["level3"] = score.level3 if score else ""
    for row in found["self"]:
        row |= _compared(row, scores.get(row["indicator"]))
    questions, groups = (survey.questions, survey.groups) if survey else ((), {})
    found["survey_questions"] = [
        {"question": q.text, **{option: str(n) for option, n in q.counts.items()},
         "valid": str(q.valid),
         "satisfaction": "" if q.satisfaction is None else f"{fixed(q.satisfaction.value)}%"}
        for q in questions
    ]  # fmt: skip
    found["survey_groups"] = [
        {"group": name, "valid": str(n), "satisfaction": f"{fixed(share)}%"}
        for name, (n, share) in groups.items()
    ]
    return found
