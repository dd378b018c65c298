"""The demos of cost standards, read and studied once; and what they come to when cells change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from docx import Document
from docx.text.paragraph import Paragraph
from support import DEMO

from evalkit.core.model import Datum, Result, Row
from evalkit.core.problem import EvalkitError, Problem
from evalkit.workbook.cells import quantity
from evalkit.workflows import cost_standard as cost

D = Decimal
SLUGS = (
    "bus_subsidy", "sanitation", "wastewater", "landscape", "substitute_teacher", "canteen_cook",
    "rural_road",
)  # fmt: skip
STATISTICAL = ("sanitation", "landscape")
Change = tuple[str, Any, dict[str, Any] | None]
Files = dict[str, Path]


def workbook(slug: str) -> Path:
    return DEMO / "standards" / slug / "成本测算表.xlsx"


@cache
def data(slug: str) -> cost.Data:
    return cost.load(cost.Params(workbook=str(workbook(slug))))


@cache
def result(slug: str) -> Result:
    return cost.evaluate(data(slug))


def cell(slug: str, sheet: str, number: int, field: str = "") -> str:
    """The address of a field in a row (from 0) of a sheet, as a problem names it.

    Without a field it is some cell of that row, none that is filled down from above.
    """
    row = data(slug).source.tables[sheet][number]
    cells = [row[field]] if field else row.values()
    return max((d.cell.partition("!")[2] for d in cells), key=line)


def line(address: str) -> int:
    """The row of a cell, 0 where there is none."""
    return int("".join(filter(str.isdigit, address)) or 0)


# --- a demo with other cells ---------------------------------------------------------------------


def datum(value: Any, cell: str) -> Datum:
    """A cell as the reader gives it: numbers as they are, text with the quantity that it says."""
    if value is None:
        return Datum(cell=cell)
    if isinstance(value, int | Decimal):
        return Datum(value=Decimal(value), raw=str(value), cell=cell)
    found = quantity(value)
    return (found or Datum(value=value, raw=value)).model_copy(update={"cell": cell})


def _changed(table: list[Row], where: Any, fields: dict[str, Any] | None) -> list[Row]:
    if isinstance(where, int):
        chosen = [where % len(table)]
    else:
        wanted = where.items()
        chosen = [n for n, row in enumerate(table) if all(row[k].text == v for k, v in wanted)]
    assert chosen, f"no row is {where}"
    if fields is None:
        return [row for n, row in enumerate(table) if n not in chosen]
    swap = {n: {k: datum(v, table[n][k].cell) for k, v in fields.items()} for n in chosen}
    return [row | swap.get(n, {}) for n, row in enumerate(table)]


def changed(
    slug: str, *changes: Change, form: Mapping[str, Any] | None = None,
    without: Iterable[str] = (), stage: str = "初稿", **more: Any,
) -> cost.Data:  # fmt: skip
    """The demo with rows changed (sheet, which, fields) or taken out (fields None).

    `which` is a number, or a dict of what fields read. `form` changes 项目信息, the sheets
    `without` are emptied, `more` replaces attributes of the data.
    """
    base = data(slug)
    tables = dict(base.source.tables) | {sheet: [] for sheet in without}
    for sheet, where, fields in changes:
        tables[sheet] = _changed(tables[sheet], where, fields)
    project = base.source.forms["project"]
    swap = {k: datum(v, project[k].cell) for k, v in (form or {}).items()}
    forms = base.source.forms | {"project": project | swap}
    source = base.source.model_copy(update={"tables": tables, "forms": forms})
    params = base.params.model_copy(update={"stage": stage})
    return replace(base, **({"source": source, "params": params} | more))


def outcome(slug: str, *changes: Change, parts: str = "", **more: Any) -> Result:
    """What the changed demo comes to; of the study only the `parts` named, if any are."""
    kept = [part for part in cost.PARTS if not parts or part.__name__ in parts.split()]
    assert len(kept) == len(parts.split() or kept), f"no such parts: {parts}"
    with patch.object(cost, "PARTS", kept):
        return cost.evaluate(changed(slug, *changes, **more))


def told(slug: str, *changes: Change, **more: Any) -> list[Problem]:
    """The problems that the changed demo has, refused or not."""
    try:
        return list(outcome(slug, *changes, **more).problems)
    except EvalkitError as refused:
        return refused.problems


def place(problem: Problem) -> tuple[str, str]:
    return problem.sheet, problem.cell


# --- what the result and the documents say -------------------------------------------------------


def table(found: Result, name: str, key: str, value: str, **where: str) -> dict[str, str]:
    """One column of a result table by another, of the rows that read so."""
    rows = (r for r in found.tables[name] if all(r[k] == v for k, v in where.items()))
    return {row[key]: row[value] for row in rows}


class Part(NamedTuple):
    """A paragraph with its style, or a table."""

    style: str
    text: str
    rows: list[list[str]]


@cache
def document(path: Path) -> list[Part]:
    """The body of a Word file in its order."""
    file, parts = Document(str(path)), []
    for element in file.iter_inner_content():
        if isinstance(element, Paragraph):
            parts.append(Part(str(element.style.name), element.text.strip(), []))
        else:
            grid = [[c.text.strip() for c in row.cells] for row in element.rows]
            parts.append(Part("table", "\n".join("\t".join(row) for row in grid), grid))
    return parts


def tables(parts: Iterable[Part]) -> dict[str, list[dict[str, str]]]:
    """Tables by caption without its number, rows by heading."""
    found, caption = {}, ""
    for part in parts:
        if part.style == "Caption":
            caption = part.text.partition("　")[2]
        elif part.style == "table" and caption:
            head, *rows = part.rows
            heads = [name.replace("\n", "") for name in head]
            found[caption], caption = [dict(zip(heads, row, strict=True)) for row in rows], ""
    return found
