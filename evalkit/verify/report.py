"""`evalkit verify`: a report as it now is against its result.json, and against itself.

What contradicts the result is an alarm (severity error); a figure in free prose that matches none
is a note, for evaluators quote many. Codes are ``verify.<kind>``; kinds, words and patterns stand
in params/verify.yaml.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from docx.oxml.ns import qn

from evalkit.core import result_file
from evalkit.core.model import STRICT_STAGES, Result
from evalkit.core.numbers import plain
from evalkit.core.problem import SEVERITY_NAMES, Problem
from evalkit.core.store import write_json
from evalkit.ooxml.bind import document_fields, properties, units
from evalkit.ooxml.oxml import GAP, Element
from evalkit.policy import load as load_policy
from evalkit.report.evaluation import printed
from evalkit.scoring.scorecard import grade_of
from evalkit.verify.arithmetic import Bands, check, money, said_in
from evalkit.verify.reading import Line, Reading, figures, found, normal, pattern, read, spec

CHECKS = "checks.json"

# `report` of result.json's run: units and bindings as rendered, narrative: the units of 文字.docx
Record = Mapping[str, Any]


def check_report(path: Path, result: Result | None, record: Record | None = None) -> list[Problem]:
    """Everything found in a docx, alarms first; without a result only what it says of itself.

    Raises:
        EvalkitError: not a Word file.
    """
    report, bands = read(path), _bands()
    problems = [*check(report, bands), *_gaps(report, result)]
    if result:
        same: set[Element] = set()  # paragraphs that say what they said when they were rendered
        grade = (result.score and result.score.grade) or "暂不评定"
        problems += _bound(report, printed(result), (record or {}).get("bindings", {}))
        problems += _texts(report, result, record or {}, same)
        problems += _prose(report, result, same)
    else:
        text = "\n".join(line.text for line in report.lines)
        total = None if re.search(spec()["capped"], text) else re.search(spec()["scored"], text)
        grade = grade_of(Decimal(total[1]), bands) if total else ""
    problems += _said(report, result, grade)
    unique = dict.fromkeys(problem.model_copy(update={"file": path.name}) for problem in problems)
    return sorted(unique, key=lambda problem: problem.severity == "note")


@cache
def _bands() -> Bands:
    return list(load_policy(as_of=date.max).value("grade_bands"))


# --- against the result ---------------------------------------------------------------------


def _bound(
    report: Reading, truth: Mapping[str, str], wanted: Mapping[str, int]
) -> Iterator[Problem]:
    """Bound numbers and document properties changed, removed or unknown."""
    known = properties(report.document)
    fields = [field for field in document_fields(report.document) if field.path]
    right = {k: text for k, text in known.items() if k.startswith("document.")} | dict(truth)
    for field in fields:
        place, shown = report.place(field.marks[0]), normal(right.get(field.path, ""))
        said = normal(field.text)
        if field.path not in right:
            yield found("path", place, field.path)
        elif said != shown and (figures(said) != figures(shown) or not figures(said)):
            yield found("field", place, field.path, said=field.text, right=shown)
    counts = Counter(field.path for field in fields)
    for path in sorted({*known, *counts} & {*truth}):
        if known.get(path) != truth[path]:
            yield found("property", "", path, said=known.get(path, ""), right=truth[path])
    linked = known or fields  # neither: the copy handed over, whose fields are unlinked
    for path in (path for path, count in wanted.items() if linked and counts[path] < count):
        yield found("unbound", "", path, said=counts[path], right=wanted[path])


def _texts(
    report: Reading, result: Result, record: Record, same: set[Element]
) -> Iterator[Problem]:
    """Generated paragraphs and rows whose figures or names are not the recorded ones.

    What came from 文字.docx is an evaluator's own prose: who changes it is free to.
    """
    live, own = units(report.document.element.body), {*record.get("narrative", ())}
    names = [normal(result.subject.get(field, "")) for field in spec()["whole_names"]]
    owned = {report.line(unit.start).element for unit in live.values()}
    rows = ["｜".join(row).replace("\n", "") for row, _ in report.rows]
    said = {*rows, *(line.text for line in report.lines)}
    loose = [line for line in report.lines if line.element not in owned]
    loose += [] if live else [Line(row, "", 0, True, None) for row in rows]
    shapes = {_shape(line.text): line for line in loose}  # who lost their bookmarks
    for key, text in record.get("units", {}).items():
        old, unit = normal(text).replace("\n", ""), live.get(key)
        if unit:
            line = report.line(unit.start)
            now = normal(unit.full_text if unit.row else line.text).replace("\n", "")
        elif old in said:
            continue
        elif _shape(old) in shapes:
            line = shapes[_shape(old)]
            now = line.text
        else:
            kind = "row" if "｜" in old and key not in own else "gone"
            yield found(kind, "", old.split("｜")[0], said=old[:60])
            continue
        before, after = Counter(figures(old)), Counter(figures(now))
        lost, new = "、".join(before - after), "、".join(after - before)
        renamed = "、".join(name for name in names if name in old and name not in now)
        if not (lost or new or renamed):
            same.add(line.element)
        elif key not in own and (renamed or (lost and (new or "｜" in old))):
            yield found("text", line.place, said=new or "删去", right=lost or renamed)
        elif key not in own and lost:
            yield found("text.cut", line.place, said=lost)


def _shape(text: str) -> str:
    return re.sub(r"\d+(?:\.\d+)?", "#", text)


def _prose(report: Reading, result: Result, same: set[Element]) -> Iterator[Problem]:
    """What sentences say of the result's figures; figures that the result does not know."""
    dump = normal(json.dumps(result.model_dump(mode="json"), ensure_ascii=False))
    numbers = {Decimal(n) for n in re.findall(r"\d+(?:\.\d+)?", dump)}
    funds = {v for k, v in result.values.items() if k.startswith("funds.") and "rate" not in k}
    truth = {f"measured.{n}": n for n in map(Decimal, re.findall(r"(\d+(?:\.\d+)?)%", dump))}
    for path, text in printed(result).items():
        if re.fullmatch(r"[\d.]+%?", text):
            truth[path] = result.values.get(path, Decimal(text.rstrip("%")))
    for line in (line for line in report.lines if not line.level):
        for entry, number, words in said_in(line.text, normal(result.name)):
            known = [v for k, v in truth.items() if re.fullmatch(entry.get("paths", ""), k)]
            if known and number not in known and not re.search(spec()["partly"], words):
                right = plain(min(known, key=lambda v: abs(v - number)))
                yield found("claim", line.place, what=entry["role"], said=words[-30:], right=right)
        for shown, unit, amount in money(line.text):
            slips = {amount * Decimal(by) for by in ("1e4", "1e8", "1e-4", "1e-8")} & funds
            if slips and amount not in funds and len(shown.replace(".", "")) > 3:
                yield found("unit", line.place, said=shown + unit, right=plain(slips.pop()) + "元")
        odd = [m for m in pattern("free").finditer(line.text) if Decimal(m[1]) not in numbers]
        if odd and line.element not in same and not line.cell:
            near = [min(numbers, key=lambda n: abs(n - Decimal(m[1]))) for m in odd]
            said = "、".join(match[0] for match in odd)
            yield found("number", line.place, said=said, right="、".join(map(plain, near)))


# --- the document as a whole ----------------------------------------------------------------


def _said(report: Reading, result: Result | None, grade: str) -> Iterator[Problem]:
    """Names, years and grades that differ from the result's, or from those said first."""
    filled = ([cell.strip("：:") for cell in row if cell.strip("：:")] for row, _ in report.rows)
    rows = [row for row in filled if row]
    texts = [(line.text, line.place) for line in report.lines]
    texts += [("：".join(row[:2]), row[0]) for row in rows]
    right = {k: normal(text) for k, text in result.subject.items() if text} if result else {}
    right["grade"] = grade
    name = right.get("name", "　")
    fill = {"name": re.escape(name), "short": re.escape(name[:4])}
    for (text, place), (kind, field, saying) in product(texts, spec()["statements"]):
        for match in re.finditer(saying.format(**fill), text):
            said = next(filter(None, match.groups()))
            wanted = right.get(field, "") if result else right.setdefault(field, said)
            if wanted and not said.startswith(wanted) and said != GAP:
                yield found(kind, place, said=said[:30], right=wanted)
    names = [right[field] for field in spec()["whole_names"] if right.get(field)]
    for (text, place), name in product(texts, names):
        for match in _slips(name).finditer(text):
            # 第一小学 is no slip for 第二小学
            odd = {c for a, b in zip(match[0], name, strict=False) if a != b for c in a + b}
            if odd and match[0] not in names and not odd <= {*spec()["ordinals"]}:
                yield found("name", place, said=match[0], right=name)
    front = "".join(line.text for line in report.lines[:10])
    headers = [text for text, place in texts if place == spec()["stories"]["hdr"] and text]
    for text in [front, *headers] if right.get("name") else ():
        if right["name"] not in text:
            yield found("name", "封面和页眉", said=text[:40], right=right["name"])
    for label, field in spec()["signatures"].items() if spec()["report_title"] in front else ():
        mine = [row[1:] for row in rows if re.search(label, row[0])]
        wanted = right.get(field, "")
        signed = [c for row in mine for c in row if not re.search(spec()["signing"], c)]
        if not mine or (field and not (wanted in signed if wanted else signed)):
            yield found("signature", "签署块", label, right=wanted)


@cache
def _slips(name: str) -> re.Pattern[str]:
    """The name, or it with one character changed, or with one left out inside."""
    inner = range(1, len(name) - 1) if len(name) > 4 else ()
    cut = [f"{re.escape(name[:n])}.?{re.escape(name[n + 1 :])}" for n in inner]
    ends = [f".{re.escape(name[1:])}", f"{re.escape(name[:-1])}."] if cut else ["(?!)"]
    return re.compile("|".join([*cut, *ends]))


def _gaps(report: Reading, result: Result | None) -> Iterator[Problem]:
    """Placeholders and headings with nothing below; 待补充 is the kit's own word in a draft."""
    draft = result is not None and result.stage not in STRICT_STAGES
    heading: Line | None = None
    for line in [*report.lines, Line("", "", 1, False, None)]:
        for match in dict.fromkeys(re.findall(spec()["placeholders"], line.text)):
            if "_" not in match or not re.search(spec()["signing"], line.text):
                kind = "gap" if draft and match == GAP else "placeholder"
                yield found(kind, line.place, said=match)
        if line.level:
            if heading and line.level <= heading.level:
                yield found("empty", heading.text)
            heading = line
        elif line.text or next(line.element.iter(qn("w:drawing")), None) is not None:
            heading = None


# --- the command ----------------------------------------------------------------------------


def update(report: Path, result: Path | None = None) -> list[Problem]:
    """Check a report against the result beside it (or the one given).

    With a result, checks.json beside the report gets the findings in place of earlier ones.

    Raises:
        EvalkitError: the report or the given result cannot be read.
    """
    source = result or report.with_name(result_file.FILE_NAME)
    if not result and not source.exists():
        return check_report(report, None)
    known, run = result_file.load(source)
    problems, path = check_report(report, known, run.get("report")), report.with_name(CHECKS)
    checks: dict[str, Any] = {"problems": [], "missing": []}
    if path.exists():
        checks = json.loads(path.read_text(encoding="utf-8"))
    kept = [p for p in checks["problems"] if not p.get("code", "").startswith("verify.")]
    checks["problems"] = kept + [problem.model_dump(mode="json") for problem in problems]
    write_json(path, checks)
    return problems


def cli(report: Path, result: Path | None = None) -> int:
    """Print what `update` finds; 1 if there is an alarm, else 0.

    Raises:
        EvalkitError: the report or the given result cannot be read.
    """
    from rich.console import Console
    from rich.table import Column, Table

    problems = update(report, result)
    heads = (Column(head, overflow="fold") for head in ("程度", "位置", "内容", "处理"))
    table = Table(*heads, title=report.name)
    for p in problems:
        table.add_row(SEVERITY_NAMES[p.severity], f"{p.sheet}\n{p.cell}".strip(), p.what, p.remedy)
    Console().print(table if problems else f"{report.name}：没有发现问题")
    return int(any(problem.severity != "note" for problem in problems))
