"""Three copies of one report: for the reviewer, to hand over, to publish; the master stays here.

The review copy says at each score where it comes from: comments written from the same traces as
the report, in the words of notes.j2; people's own comments stay.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from docx.document import Document as WordDocument
from docx.oxml.ns import qn
from jinja2 import Environment, PackageLoader, select_autoescape

from evalkit.core import result_file
from evalkit.core.model import Result
from evalkit.core.numbers import fixed, plain
from evalkit.core.problem import Problem, refusal
from evalkit.core.store import sha256
from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import GAP, Element, clean, el, plain_text
from evalkit.review.delivery import keep_edited, last_run
from evalkit.review.handover import FINAL, PARTIES, final_copy, public_copy, report_day
from evalkit.review.opinions import MACHINE_AUTHOR
from evalkit.review.pdf import to_pdf
from evalkit.verify.reading import read

_SHEET = "资金"
_SIZE = 18  # half points


def copy_report(
    report: Path, *, review: bool = False, final: bool = False, public: bool = False,
    client_consent: str = "", finance_consent: str = "", pdf: bool = False,
    ask: Callable[[str], str] | None = None,
) -> list[Path]:  # fmt: skip
    """Make the copies asked for beside a report, from the result.json there; what was written.

    Missing consents are asked for (`ask`, else the terminal where there is one). A copy that a
    person has edited is kept aside. Where only `pdf` is asked for, it is the master's.

    Raises:
        EvalkitError: nothing is asked for, or a copy is refused; those before it are written.
    """
    if not (review or final or public or pdf):
        raise refusal("copy.none")
    result, _ = result_file.load(report.with_name(result_file.FILE_NAME))
    ask = ask or (input if sys.stdin.isatty() else lambda _: "")
    written: list[Path] = []

    def put(kind: str, write: Callable[[Path], Path]) -> None:
        out = report.with_name(f"{report.stem}_{kind}.docx")
        keep_edited(out.parent, out.name)
        written.append(write(out))
        run = last_run(out.parent)
        run["outputs"] = {**run.get("outputs", {}), written[-1].name: sha256(written[-1])}
        result_file.save(out.with_name(result_file.FILE_NAME), result, run)

    if review:
        path = report.with_name("checks.json")
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        problems = [Problem.model_validate(item) for item in found.get("problems", ())]
        put("复核版", lambda out: review_copy(report, result, out, problems))
    if final:
        put(FINAL, lambda out: final_copy(report, result, out))
    if public:
        question = "{}同意公开的单位和文号或日期："
        client = client_consent or ask(question.format(PARTIES[0]))
        finance = finance_consent or ask(question.format(PARTIES[1]))
        put("公开版", lambda out: public_copy(report, result, out, client, finance))
    return [*written, *(map(to_pdf, written or [report]) if pdf else ())]


def review_copy(master: Path, result: Result, out: Path, problems: Iterable[Problem] = ()) -> Path:
    """Write the master with comments at its scores, grade, funds, gaps and warnings.

    Dates are the report's (subject.report_date), never the clock's. Returns the path really
    written.
    """
    (document, *_), day = read(master), report_day(result)
    for anchor, text in _notes(document, result, problems):
        lines = [line for line in clean(text).splitlines() if line.strip()]
        note = document.comments.add_comment("\n".join(lines), MACHINE_AUTHOR, "据")._comment_elm
        note.date = datetime(day.year, day.month, day.day) if day else None
        for run in note.iter(qn("w:r")):  # small, and in no style that the report lacks
            run.insert(0, el("rPr", el("sz", val=_SIZE)))
            run[1:] = [child for child in run[1:] if child.tag != qn("w:rPr")]
        anchor[0].addprevious(el("commentRangeStart", id=note.id))
        anchor[-1].addnext(el("r", el("commentReference", id=note.id)))
        anchor[-1].addnext(el("commentRangeEnd", id=note.id))
    return package.save(document, out, edited=True)


def _notes(
    document: WordDocument, result: Result, problems: Iterable[Problem]
) -> Iterator[tuple[list[Element], str]]:
    """Anchors (sibling elements) and what to say there."""
    words = Environment(loader=PackageLoader("evalkit.review", ""), autoescape=select_autoescape(),
                        trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    words.filters |= {"fixed": fixed, "plain": plain}
    say: Any = words.get_template("notes.j2").module
    body, indicators = document.element.body, result.score.indicators if result.score else ()
    fields = [field for field in bind.fields(body) if field.path]
    places = {field.path: field.marks for field in reversed(fields)}  # the first, but in tables
    places |= {f.path: f.marks for f in fields
               if next(f.marks[0].iterancestors(qn("w:tbl")), None) is not None}  # fmt: skip
    start = next([r] for r in body.iter(qn("w:r")) if plain_text(r).strip())
    whole = (places.get(f"score.{name}") for name in ("grade", "total", "low"))
    top = next(filter(None, whole), start)
    if result.score:
        yield top, say.grade(result.score, result.texts.get("robustness"))
    inputs = {x.cell: x for i in indicators for x in i.trace.inputs}.values()
    for path, names in say.FUNDS.items():
        mine = [x for name in names for x in inputs
                if x.name.endswith(name) and x.cell.startswith(f"{_SHEET}!")]  # fmt: skip
        if mine and path in places:
            yield places[path], say.funds("÷".join(names), mine)
    titles = {row["no"]: row["title"] for row in result.tables.get("evidence", [])}
    for i in indicators:
        field = places.get(f"score.indicators.{bind.slug(i.code)}.score")
        places[i.code] = field or _row(body, i.level3) or top
        yield places[i.code], say.score(i, titles)
    warned: dict[int, tuple[list[Element], list[Problem]]] = {}
    for problem in dict.fromkeys((*result.problems, *problems)):
        paths = (getattr(problem, "path", ""), problem.cell, problem.indicator,
                 "funds.budget" if problem.sheet == _SHEET else "")  # fmt: skip
        anchor = next((places[path] for path in paths if path in places), top)
        warned.setdefault(id(anchor), (anchor, []))[1].append(problem)
    yield from ((anchor, say.warnings(mine)) for anchor, mine in warned.values())


def _row(body: Element, name: str) -> list[Element]:
    """In the table row of an indicator without score: what says 待补充, or else its name."""
    for row in body.iter(qn("w:tr")):
        cells = {plain_text(cell).strip(): cell for cell in row.iter(qn("w:tc"))}
        if name in cells:
            return [r for r in cells.get(GAP, cells[name]).iter(qn("w:r")) if plain_text(r)][-1:]
    return []
