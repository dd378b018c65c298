"""自评表 made by hand, as the reader of filed forms would give them."""

from collections.abc import Sequence
from datetime import date

from evalkit.core.model import Datum, Row, Source
from evalkit.policy import load as load_policy
from evalkit.workbook.cells import read_cell
from evalkit.workbook.schema import load_schema

SCHEMA = load_schema("filed_form")
POLICY = load_policy("national", as_of=date(2024, 12, 31))
HABITS = POLICY.value("self_evaluation_conventions") | {
    "digits": POLICY.value("score_digits"),
    "rounding": POLICY.value("rounding"),
}
TEN, HUNDRED_ONE = (POLICY.value(f"self_evaluation_policy_{n}") | HABITS for n in ("10", "101"))


def datum(text: str, kind: str = "value", unit: str = "", cell: str = "") -> Datum:
    """A cell as it is written."""
    found, _ = read_cell(text, kind, unit=unit)
    return found.model_copy(update={"cell": cell})


def row(**texts: str) -> Row:
    """A row of 绩效指标: fields as they are written, in one line of the form."""
    sheet, number = SCHEMA.sheet("indicators"), texts.pop("at", "9")
    found = {field.id: Datum() for field in sheet.fields}
    unit = texts.get("unit", "")
    for place, (name, text) in enumerate(texts.items()):
        kind = next(field.type for field in sheet.fields if field.id == name)
        found[name] = datum(text, kind, unit, f"自评表!{chr(65 + place)}{number}")
    return found


def form(
    rows: Sequence[Row] = (), funds: Sequence[Row] = (), path: str = "表.xlsx", **texts: str
) -> Source:
    """A whole form."""
    sheet = SCHEMA.sheet("project")
    project = {field.id: Datum() for field in sheet.fields}
    for name, text in texts.items():
        kind = next(field.type for field in sheet.fields if field.id == name)
        project[name] = datum(text, kind, cell="自评表!B3")
    tables = {"funds": list(funds), "indicators": list(rows)}
    return Source(path=path, schema_name="filed_form", version=1, forms={"project": project},
                  tables=tables)  # fmt: skip


def money(item: str, *amounts: str, points: str = "", rate: str = "", score: str = "") -> Row:
    """A line of 项目资金: initial, budget and spent in 万元."""
    found = {field.id: Datum() for field in SCHEMA.sheet("funds").fields}
    found["item"] = datum(item, "text")
    for name, text in zip(("initial", "budget", "spent"), amounts, strict=False):
        found[name] = datum(text, "amount", "万元", f"自评表!{name[0].upper()}5")
    return found | {
        "points": datum(points, "number"), "rate": datum(rate, "value", "%", "自评表!H5"),
        "score": datum(score, "number", cell="自评表!I5"),
    }  # fmt: skip
