"""Make the demos of cost standards: tests/demo/standards/*.yaml → params/demo/standards, its list.

    python tests/demo/standards.py [--only SLUG] [--out DIR]

A source holds `slug`, `service`, `order`, `stage` and content by sheet and field id, written as
FORMAT.md says (texts as people type them, tables as columns and rows). It is laid over what the
blank workbook of its service holds:

- in the sheets of `KEYS` a row completes the service's row with the same key, or is added;
- `without` (sheet → keys) leaves rows of the service out of these sheets;
- any other sheet replaces the service's rows as a whole.

Only the optional sheets that the service asks for are written. Building twice gives equal bytes.
"""

from __future__ import annotations

import argparse
import csv
from io import StringIO
from pathlib import Path
from typing import Any

import build
import yaml

from evalkit.core.store import write_bytes
from evalkit.standards.service import Service, load_service
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import Schema, load_schema

SOURCES = Path(__file__).resolve().parent / "standards"
DEMO = build.ROOT / "params" / "demo"
WORKBOOK = "standards/{slug}/成本测算表.xlsx"
KEYS = {
    "services": "no",
    "tiers": "code",
    "terms": "name",
    "targets": "code",
    "evaluations": "target",
}
LIST_COLUMNS = ("code", "name", "notebook", "workbook", "stage")
HEAD = {"slug", "service", "order", "stage", "without"}


def schema_of(service: Service) -> Schema:
    """The schema of the workbook with the optional sheets of this service alone."""
    schema = load_schema("cost_standard")
    kept = (sheet for sheet in schema.sheets if not sheet.optional or sheet.id in service.sheets)
    return schema.model_copy(update={"sheets": tuple(kept)})


def load(path: Path) -> dict[str, Any]:
    """A source with its content complete: forms as mappings, tables as lists of mappings.

    Raises:
        ValueError: an unknown key or sheet, or a row to leave out that is not there.
    """
    with path.open(encoding="utf-8") as stream:
        source: dict[str, Any] = yaml.load(stream, Loader=yaml.BaseLoader)  # noqa: S506
    service = load_service(source["service"])
    sheets = {sheet.id: sheet for sheet in schema_of(service).sheets}
    unknown = source.keys() - HEAD - sheets.keys()
    if unknown or source["slug"] != path.stem:
        raise ValueError(f"{path.name}：slug 须与文件名相同，未知的键 {sorted(unknown)}")
    content: dict[str, Any] = {}
    for sheet in sheets.values():
        given, theirs = source.pop(sheet.id, None), service.content.get(sheet.id, [])
        if sheet.kind == "form":
            content[sheet.id] = given or {}
            continue
        rows = list(build._rows(given or [], f"{path.name} {sheet.id}"))
        if key := KEYS.get(sheet.id):
            rows = _over(theirs, rows, key, source.get("without", {}).get(sheet.id, []))
        content[sheet.id] = theirs if given is None and sheet.id not in KEYS else rows
    content["project"] = {"service": source["service"], **content["project"]}
    return source | {"content": content}


def _over(
    theirs: list[dict[str, str]], mine: list[dict[str, str]], key: str, without: list[str]
) -> list[dict[str, str]]:
    """My rows over theirs by key."""
    rows = {row[key]: row for row in theirs}
    for name in without:
        if rows.pop(name, None) is None:
            raise ValueError(f"without：没有“{name}”")
    for row in mine:
        rows[row[key]] = {**rows.get(row[key], {}), **row}
    return list(rows.values())


def build_one(source: dict[str, Any], out: Path) -> Path:
    """Write the workbook of one source; returns its path."""
    path = out / WORKBOOK.format(slug=source["slug"])
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_blank(path, schema_of(load_service(source["service"])), source["content"])


def project_list(sources: list[dict[str, Any]]) -> str:
    """The text of standards.csv."""
    stream = StringIO()
    writer = csv.DictWriter(stream, LIST_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for source in sorted(sources, key=lambda s: (int(s["order"]), s["slug"])):
        project, workbook = source["content"]["project"], WORKBOOK.format(slug=source["slug"])
        row = project["code"], project["name"], "cost_standard", workbook, source["stage"]
        writer.writerow(dict(zip(LIST_COLUMNS, row, strict=True)))
    return stream.getvalue()


def main() -> None:
    """Build all demos, or one, and the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="slug of the one demo to build")
    parser.add_argument("--out", type=Path, default=DEMO)
    options = parser.parse_args()
    sources = [load(path) for path in sorted(SOURCES.glob("*.yaml"))]
    for source in sources:
        if options.only in (None, source["slug"]):
            build_one(source, options.out)
    write_bytes(options.out / "standards.csv", project_list(sources).encode("utf-8-sig"))


if __name__ == "__main__":
    main()
