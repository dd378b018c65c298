"""Cells as a report prints them: money in 万元, dates in Chinese, the rest as written."""

from datetime import date

from evalkit.core.model import Datum, Source
from evalkit.core.numbers import chinese_date, wan
from evalkit.workbook.schema import Schema


def printed(datum: Datum, kind: str) -> str:
    """One cell, printed; empty for an empty cell. `kind` is the field's type."""
    if datum.value is None:
        return ""
    if kind == "amount" and datum.number is not None:
        return wan(datum.number)
    if isinstance(datum.value, date):
        return chinese_date(datum.value) if not datum.precision else datum.raw
    return datum.raw.strip()


def form_text(source: Source, schema: Schema, sheet: str) -> dict[str, str]:
    """A form as printed text by field id."""
    form = source.forms[sheet]
    return {f.id: printed(form[f.id], f.type) for f in schema.sheet(sheet).fields}


def table_text(source: Source, schema: Schema, sheet: str) -> list[dict[str, str]]:
    """A table as rows of printed text by field id (free columns are left out)."""
    fields = schema.sheet(sheet).columns
    return [{f.id: printed(row[f.id], f.type) for f in fields} for row in source.tables[sheet]]
