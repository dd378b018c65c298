"""The named figures and printed tables of an evaluation, from its workbook, survey and scores."""

from __future__ import annotations

from decimal import Decimal

from evalkit.core.model import Scorecard, Source
from evalkit.core.numbers import fixed, plain, round_to, wan
from evalkit.scoring.indicator import split_list
from evalkit.scoring.measures import fund_rate
from evalkit.survey.satisfaction import OPTIONS, UNAWARE, Survey
from evalkit.workbook.printed import table_text
from evalkit.workbook.schema import Schema

_MONEY = ("initial", "budget", "arrived", "spent")


def values(source: Source, survey: Survey | None) -> dict[str, Decimal]:
    """Named figures: money in 元, rates in percent with two decimals; what is unknown is absent.

    ``funds.execution_rate`` is 支出÷到位 (财预〔2020〕10号 附2); ``funds.budget_execution_rate`` is
    支出÷全年预算, the rate of a 自评表.
    """
    annual = source.forms["project"]["phase"].text == "年度评价"
    year = source.forms["project"]["year"].number
    rows = [r for r in source.tables["funds"] if not annual or r["year"].number == year]
    found: dict[str, Decimal] = {}
    for field in _MONEY:
        amount = _sum([r[field].number for r in rows])
        if amount is not None:
            found[f"funds.{field}"] = amount
    for key, part, whole in (
        ("funds.arrival_rate", "arrived", "budget"),
        ("funds.execution_rate", "spent", "arrived"),
        ("funds.budget_execution_rate", "spent", "budget"),
    ):
        rate = fund_rate(rows, part, whole).term
        if rate is not None:
            found[key] = round_to(rate.value, 2)
    form = source.forms["project"]
    for field in ("population", "sent", "returned"):
        number = form[f"survey_{field}"].number
        if number is not None:
            found[f"survey.{field}"] = number
    if survey:
        found["survey.valid"] = Decimal(survey.valid)
        if survey.measure.term is not None:
            found["survey.satisfaction"] = round_to(survey.measure.term.value, 2)
        for key, part, whole in (("return", "returned", "sent"), ("valid", "valid", "returned")):
            top, base = found.get(f"survey.{part}"), found.get(f"survey.{whole}")
            if top is not None and base:
                found[f"survey.{key}_rate"] = round_to(top / base * 100, 2)
    for key, part, whole in (
        ("coverage", "sample", "total"),
        ("coverage_amount", "sample_amount", "total_amount"),
    ):
        share = _coverage(source, part, whole)
        if share is not None:
            found[f"sample.{key}"] = share
    return found


def _sum(numbers: list[Decimal | None]) -> Decimal | None:
    """The sum, or None where a part is missing: half a sum is no sum."""
    known = [n for n in numbers if n is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(numbers) else None


def _coverage(source: Source, part: str, whole: str) -> Decimal | None:
    rows = source.tables["samples"]
    one_unit = part.endswith("amount") or len({r["unit"].text for r in rows}) == 1
    pairs = [(r[part].number, r[whole].number) for r in rows]
    if not pairs or not one_unit or any(a is None or b is None for a, b in pairs):
        return None
    base = sum((b or Decimal(0) for _, b in pairs), Decimal(0))
    top = sum((a or Decimal(0) for a, _ in pairs), Decimal(0))
    return round_to(top / base * 100, 2) if base else None


def tables(
    source: Source,
    schema: Schema,
    card: Scorecard,
    survey: Survey | None,
    changes: list[dict[str, str]],
) -> dict[str, list[dict[str, str]]]:
    """The printed tables: the workbook's own with totals and shares, then the survey's."""
    found = {
        sheet: table_text(source, schema, sheet)
        for sheet in ("funds", "data", "samples", "visits", "evidence", "issues", "adjustments")
    }
    found["changes"] = changes
    if found["funds"]:
        sums = {f: _sum([r[f].number for r in source.tables["funds"]]) for f in _MONEY}
        row = {f: "" if amount is None else wan(amount) for f, amount in sums.items()}
        found["funds"].append(dict.fromkeys(found["funds"][0], "") | row | {"source": "合计"})
    for printed, row_data in zip(found["data"], source.tables["data"], strict=True):
        done, plan = row_data["actual"].number, row_data["plan"].number
        printed["rate"] = fixed(done / plan * 100) + "%" if done is not None and plan else ""
    for printed, row_sample in zip(found["samples"], source.tables["samples"], strict=True):
        for key, part, whole in (
            ("coverage", "sample", "total"),
            ("coverage_amount", "sample_amount", "total_amount"),
        ):
            top, base = row_sample[part].number, row_sample[whole].number
            printed[key] = fixed(top / base * 100) + "%" if top is not None and base else ""
    scores = {i.code: i for i in card.indicators}
    for issue in found["issues"]:
        under = [scores[c] for c in split_list(issue["indicators"]) if c in scores]
        issue["indicator_names"] = "、".join(i.level3 for i in under)
        issue["lost"] = plain(sum((i.lost or Decimal(0) for i in under), Decimal(0)))
    for adjustment in found["adjustments"]:
        score = scores.get(adjustment["indicator"])
        adjustment["level3"] = score.level3 if score else ""
    found["survey_questions"] = [
        {"question": q.text}
        | {option: str(q.counts[option]) for option in (*OPTIONS, UNAWARE)}
        | {
            "valid": str(q.valid),
            "satisfaction": f"{fixed(q.satisfaction.value)}%" if q.satisfaction else "",
        }
        for q in (survey.questions if survey else ())
    ]
    found["survey_groups"] = [
        {"group": name, "valid": str(n), "satisfaction": f"{fixed(share)}%"}
        for name, (n, share) in (survey.groups if survey else {}).items()
    ]
    return found
