"""A folder of filed forms, and the headings of a county that are asked once and kept."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from evalkit.core.model import Source
from evalkit.core.problem import EvalkitError, noting, sentence
from evalkit.filed.forms import Filing, read_file
from evalkit.filed.labels import SCHEMA, UNREAD, Labels, heading_key
from evalkit.filed.tables import Unknown
from evalkit.workbook.amend import amend
from evalkit.workbook.blank import write_blank
from evalkit.workbook.names import match_key
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

HEADINGS, FILE = "headings", "列名对应"


def fields() -> dict[str, str]:
    """The choices of 对应项目 with their paths; that of 不用 is empty.

    >>> fields()["指标｜年度指标值"], fields()["不用"]
    ('indicators.target', '')
    """
    sheets = [sheet for sheet in load_schema(SCHEMA).sheets if sheet.id != UNREAD]
    each = [(sheet, spec) for sheet in sheets for spec in sheet.fields]
    return {"不用": ""} | {f"{s.name}｜{spec.label}": f"{s.id}.{spec.id}" for s, spec in each}


def load_headings(path: Path) -> dict[str, str]:
    """What a county's headings mean, ``SHEET.FIELD`` or empty; nothing where there is no file.

    Raises:
        EvalkitError: not such a table, or an answer that is no choice.
    """
    if not path.exists():
        return {}
    source = read(path, load_schema(HEADINGS))
    wrong = [p for p in source.problems if p.code == "choice.unknown"]
    if wrong:
        raise EvalkitError(wrong)
    rows = source.tables[HEADINGS]
    return {row["heading"].text: fields()[row["field"].text] for row in rows if row["field"].text}


def ask(path: Path, unknown: Sequence[Unknown]) -> Path:
    """Write the headings that nobody knows into 列名对应.xlsx; what was answered there stays.

    Returns the path really written.

    Raises:
        EvalkitError: the file is there and is not such a table.
    """
    schema = load_schema(HEADINGS)
    rows = read(path, schema).tables[HEADINGS] if path.exists() else []
    known = {heading_key(row["heading"].text) for row in rows}
    fresh = {heading_key(one.heading): one for one in reversed(unknown)}
    new = [
        {"heading": one.heading, "place": one.place}
        for key, one in reversed(fresh.items())
        if key not in known
    ]
    if rows:
        return amend(path, schema.sheets[0], rows, [{}] * len(rows), new) if new else path
    return write_blank(path, schema, {HEADINGS: new} if new else {})


def read_folder(folder: Path, headings: Mapping[str, str] | None = None) -> Filing:
    """All forms under a folder, in natural order; a file that cannot be read stops no other.

    A project that was filed twice in one kind of form is a problem that names both files.
    """
    labels = Labels(headings or {})
    filed = Filing([], [], [])
    for path in sorted(folder.rglob("*"), key=lambda path: _natural(path.relative_to(folder))):
        parts = path.relative_to(folder).parts
        if path.is_dir() or any(part.startswith((".", "~$", FILE)) for part in parts):
            continue
        with noting(filed.problems):
            one = read_file(path, labels)
            filed.sources.extend(one.sources)
            filed.problems.extend(one.problems)
            filed.unknown.extend(one.unknown)
    seen: dict[tuple[str, ...], Source] = {}
    for source in filed.sources:
        project = source.forms["project"]
        names = ("code",) if project["code"].text else ("name", "unit")
        what = (*names, "kind", "scope", "year", "month")
        key = tuple(match_key(str(project[name].value or "")) for name in what)
        first = seen.setdefault(key, source)
        if first is not source and any(key[: len(names)]):
            name, file, other = project["name"], Path(source.path).name, Path(first.path).name
            facts = {"file": file, "sheet": name.cell.partition("!")[0], "other": other}
            filed.problems.append(sentence("filed.project", name=name.text, **facts))
    return filed


def _natural(path: Path) -> list[tuple[int, str]]:
    """2 before 10."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
