"""What a unit filed, as the beginning of the 数据底稿 of its evaluation."""

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

from evalkit.core.model import Datum, Source
from evalkit.core.numbers import YUAN_PER, plain
from evalkit.core.problem import refusal
from evalkit.filed.folder import load_headings
from evalkit.filed.forms import TOTAL, read_forms
from evalkit.workbook.blank import Content, Entry
from evalkit.workbook.names import match_key
from evalkit.workbook.schema import load_schema

BUSINESS = "project_evaluation"


def prefill_from(path: Path, project: str = "") -> Content:
    """`prefill` of the form in a file; `project` is its name or code where there are several.

    Raises:
        EvalkitError: the file cannot be read, or it is not told which of its projects is meant.
    """
    found = {
        match_key(form[key].text): source
        for source in read_forms(path, load_headings(path.with_name("列名对应.xlsx")))
        for form in [source.forms["project"]]
        for key in ("name", "code")
        if form[key].text
    }
    chosen = {id(s): s for name, s in found.items() if match_key(project) in ("", name)}
    if len(chosen) != 1:
        names = dict.fromkeys(source.forms["project"]["name"].text for source in found.values())
        raise refusal("filed.choose", file=path.name, names="、".join(names))
    return prefill(*chosen.values())


def prefill(source: Source) -> Content:
    """Content for `write_blank`: project, funds, approved targets, what the unit says of itself.

    What the form does not tell stays blank: which level of government the money is of, and the
    rule of an indicator, which is that of the approved 实施方案 (财监〔2021〕4号第十五条).
    """
    form = source.forms["project"]
    same = ("code", "name", "department", "unit")
    project: dict[str, Entry] = {key: form[key].text for key in same}
    project |= {"year": _number(form["year"]), "industry": form["category"].text}
    fields = {spec.id: spec for spec in load_schema(BUSINESS).sheet("funds").fields}
    origins = {origin.removesuffix("资金"): origin for origin in fields["source"].choices}
    lines = [row for row in source.tables["funds"] if any(row[key].number for key in _MONEY)]
    parts = [row for row in lines if row["item"].text != TOTAL] or lines
    funds = [
        {key: _number(row[key], YUAN_PER["万元"]) for key in _MONEY}
        | {
            "year": project["year"],
            "source": origins.get(row["item"].text.removesuffix("资金"), ""),
        }
        for row in parts
    ]
    indicators, claims, groups = [], [], defaultdict[str, Counter[str]](Counter)
    for row in source.tables["indicators"]:
        first, second = row["level1"].text.removesuffix("指标"), row["level2"].text
        under, target = groups[first], row["target"]
        under[second] += 1
        letter, group = chr(ord("A") + [*groups].index(first)), [*under].index(second) + 1
        code = f"{letter}{group}{under[second]:02}"
        indicators.append({
            "code": code, "level1": first, "level2": second, "level3": row["level3"].text,
            "kind": "定性" if isinstance(target.value, str | None) else "定量",
            "points": _number(row["points"]), "unit": target.unit or row["unit"].text,
            "target": target.raw if target.number is None else target.bound + plain(target.number),
        })  # fmt: skip
        claims.append({
            "indicator": code, "name": row["level3"].text, "actual": row["actual"].raw,
            "points": _number(row["points"]), "score": _number(row["score"]),
        })  # fmt: skip
    return {
        "project": project, "funds": funds, "indicators": indicators, "self": claims,
        "texts": {"general_target": form["goal"].text},
    }  # fmt: skip


_MONEY = ("initial", "budget", "spent")


def _number(datum: Datum, per: Decimal | int = 1) -> Entry:
    return None if datum.number is None else datum.number / per
