"""意见采纳情况表: what people said about a report, gathered from it and answered one by one.

Comments and tracked changes are read from the report; letters, expert meetings and those who had
nothing to say are typed beside them. The table belongs to the people who fill it: it is changed in
place, cell by cell, so their rows, columns and decisions stay. An opinion is known again by who
said what on which day, then by the words it is about, without the bound numbers among them.
Basis: 财监〔2021〕4号 第十八条（二）.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

from docx import Document
from docx.document import Document as WordDocument
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from jinja2.sandbox import SandboxedEnvironment

from evalkit.core.model import Row
from evalkit.core.paths import asset
from evalkit.core.problem import Problem, errors, refuse, sentence
from evalkit.core.store import digest, keep_aside
from evalkit.core.yaml_file import load_yaml
from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import Element, clean, local_name, paragraph, plain_text
from evalkit.verify import reading
from evalkit.word.blocks import Column, Table, build, page_of
from evalkit.workbook import blank, names
from evalkit.workbook.amend import Cells, amend
from evalkit.workbook.printed import table_text
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

MACHINE_AUTHOR = "评分依据"  # who signs so in a review copy is the kit
TABLE, SHEET = "意见采纳情况表.xlsx", "opinions"
SILENT = ("无异议", "逾期未反馈")  # sources that need no decision
_NEEDED: dict[str, tuple[str, ...]] = dict.fromkeys(SILENT, ("party", "date"))
_NEEDED["来函"] = ("opinion", "decision", "unit", "date")

_Opinion = tuple[Cells, tuple[str, ...]]  # what it says in the table; what it is about and stays

_VERBS = {"del": "删除", "ins": "增加", "moveFrom": "移走", "moveTo": "移入"}
_TEXT = {"t": "", "delText": "", "tab": " ", "br": "\n"}
_TWICE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_CELL, _QUOTE = 30_000, 500  # characters that a cell surely holds; that are enough to find a place


@dataclass(frozen=True)
class Written:
    """The files written; numbers of opinions 新增, 沿用, 报告中已无, 人工填写, 未答复."""

    table: Path
    document: Path
    counts: Mapping[str, int]
    problems: tuple[Problem, ...]


# --- reading the report ---------------------------------------------------------------------


class _Piece(NamedTuple):
    """The n-th piece of a story's text; a line end opens a paragraph."""

    number: int
    text: str
    node: Element
    changes: list[Element]  # the tracked changes that brought it or took it away
    value: bind.Field | None  # the bound number that it shows


def _opinions(report: reading.Reading) -> Iterator[_Opinion]:
    """Every opinion in the order of the report; comments that stand nowhere last."""
    comments = _comments(report.document)
    for story in bind.stories(report.document):
        pieces, marks = _pieces(story)
        here: list[tuple[int, _Opinion]] = []  # with the number of its first piece
        for key in (key for key in marks if key in comments):
            (start, _), (end, at) = marks[key][0], marks[key][-1]
            words = pieces[start:end]
            here.append((start, _opinion(report, comments.pop(key), at, words, words)))
        for author in dict.fromkeys(_author(c) for piece in pieces for c in piece.changes):
            mine = [p for p in pieces if not p.changes or author in map(_author, p.changes)]
            for changed, group in groupby(mine, lambda piece: bool(piece.changes)):
                if changed:
                    touched = list(group)
                    here.append((touched[0].number, _change(report, author, touched)))
        yield from (opinion for _, opinion in sorted(here, key=lambda item: item[0]))
    for cells in comments.values():
        yield {**cells, "place": "报告中未定位", "quoted": "", "values": ""}, ("",)


def _pieces(story: Element) -> tuple[list[_Piece], dict[str, list[tuple[int, Element]]]]:
    """The text of a story, and before which piece the marks of each comment stand."""
    for twice in list(story.iter(_TWICE)):  # old programs' copy of a text box
        twice.getparent().remove(twice)
    bound = {run: field for field in bind.fields(story) if field.path for run in field.result}
    pieces: list[_Piece] = []
    marks: dict[str, list[tuple[int, Element]]] = {}
    for node in story.iter():
        name, holder = local_name(node), node.getparent()
        if name.startswith("comment"):
            marks.setdefault(node.get(qn("w:id")), []).append((len(pieces), node))
        elif name == "p" or (name in _TEXT and local_name(holder) == "r"):
            text = "\n" if name == "p" else _TEXT[name] or node.text or ""
            around = node.iterfind(f"{qn('w:pPr')}/{qn('w:rPr')}/*")  # of the paragraph's mark
            around = around if name == "p" else node.iterancestors()
            changes = [change for change in around if local_name(change) in _VERBS]
            if text or changes:
                pieces.append(_Piece(len(pieces), text, node, changes, bound.get(holder)))
    return pieces, marks


def _opinion(
    report: reading.Reading, said: Cells, at: Element, words: list[_Piece], touched: list[_Piece]
) -> _Opinion:
    """What was `said` at a place about some words, or else about the paragraph."""
    values = {piece.value.path: piece.value.text for piece in touched if piece.value}
    quoted = "".join(p.text for p in words if local_name(p.node) != "delText").strip()
    kept = "".join(piece.text for piece in words if not (piece.changes or piece.value))
    whole = "".join(map(reading.text_of, list(at.iterancestors(qn("w:p")))[:1]))
    shown = "；".join(f"{path}＝{text or '已删除'}" for path, text in values.items())
    found = {"place": report.spot(at), "quoted": quoted or whole, "values": shown}
    found = {name: clean(text)[:_QUOTE] for name, text in found.items()}
    about = kept or ("" if values else found["quoted"])
    return {**said, **found}, (about, *values)


def _author(node: Element) -> str:
    return clean(node.get(qn("w:author"), "")).strip()[:_QUOTE] or "未署名"


def _said(source: str, node: Element, text: str) -> Cells:
    day = clean(node.get(qn("w:date"), ""))[:10]
    return {"source": source, "party": _author(node), "date": day, "opinion": clean(text)[:_CELL]}


def _thread(node: Element, name: str = "paraId") -> str:
    """An attribute that joins replies; its namespace differs between parts."""
    return next((value for key, value in node.attrib.items() if key.endswith(f"}}{name}")), "")


def _comments(document: WordDocument) -> dict[str, Cells]:
    """Comments by id, but the kit's own; a reply says to whom."""
    parts = {rel.reltype.rpartition("/")[2]: parse_xml(rel.target_part.blob)
             for rel in document.part.rels.values() if "/comments" in rel.reltype}  # fmt: skip
    above = {_thread(n): _thread(n, "paraIdParent") for n in parts.get("commentsExtended", ())}
    found, authors = dict[str, Cells](), dict[str, str]()
    for node in parts.get("comments", ()):
        mine = [key for line in node if (key := _thread(line))]
        authors |= dict.fromkeys(mine, _author(node))
        over = next((above[key] for key in mine if above.get(key)), "")
        reply = f"（回复{authors.get(over, '上文')}）" if over else ""
        text = "\n".join(map(plain_text, node)).strip() or "批注没有文字"
        if _author(node) != MACHINE_AUTHOR:
            found[node.get(qn("w:id"))] = _said("批注", node, reply + text)
    return found


def _change(report: reading.Reading, author: str, touched: list[_Piece]) -> _Opinion:
    """Changes of one author with nothing between them that stays."""
    changes = [(c, p.text) for p in touched for c in p.changes if _author(c) == author]
    said = []
    for kind, same in groupby(changes, lambda change: local_name(change[0])):
        text = "".join(text for _, text in same).strip()
        said.append(_VERBS[kind] + (f"“{text}”" if text else "分段"))
    first = changes[0][0]
    return _opinion(report, _said("修订", first, "，".join(said)), first, [], touched)


# --- the table ------------------------------------------------------------------------------


def collect(report: Path, table: Path | None = None) -> Written:
    """Bring the table beside a report (or `table`) up to date, and write it as a Word annex.

    Decisions stay with their opinions; an opinion that the report no longer holds keeps its row.

    Raises:
        EvalkitError: the report or the table cannot be read.
    """
    table = table or report.with_name(TABLE)
    if (beside := table.with_stem(f"{table.stem}_新")).exists():
        keep_aside(beside)  # what could not replace an open table, and may have been filled
    schema, document = load_schema(SHEET), reading.read(report)
    filled = read(table, schema) if table.exists() else None
    rows, said = (filled.tables[SHEET], filled.problems) if filled else ([], [])
    refuse(p for p in said if p.code.startswith(("sheet.", "header.", "column.")))
    fresh, seen = dict[str, Cells](), Counter[str]()  # by who said what on which day, and of what
    for cells, about in _opinions(document):
        mark = _digest(_who(cells), *about)
        seen[mark] += 1  # the same said again about the same words
        key = f"{_who(cells)}-{_digest(mark, str(seen[mark]))[:8]}"
        fresh[key] = {**cells, "key": key, "state": "新增"}
    keys = _matched([_known(row) for row in rows], fresh)
    new = [fresh[key] for key in fresh if key not in keys]
    kept = {k: {"key": c["key"], "values": c["values"], "state": "沿用"} for k, c in fresh.items()}
    # of the kit's own columns
    changes = [kept.get(key, {"state": "报告中已无"} if "-" in key else {}) for key in keys]
    written = table
    if rows:
        written = amend(table, schema.sheet(SHEET), rows, changes, new)
    elif new or not filled:
        if filled:
            keep_aside(table)  # an empty table is made anew
        written = blank.write_blank(table, schema, {SHEET: new})
    annex, found = _annex(document.document, written), undecided(written)
    unanswered = {re.sub(r"\D", "", problem.cell) for problem in errors(found)}
    if written != table:
        found.append(sentence("opinion.locked", file=table.name, beside=written.name))
    states = Counter(cells.get("state", "人工填写") for cells in changes)
    counts = {"新增": len(new), **states, "未答复": len(unanswered)}
    return Written(written, annex, counts, tuple(found))


def _digest(*texts: str) -> str:
    """Of texts, however they are spaced."""
    return digest(["".join(names.clean(text)[0].split()) for text in texts])


def _who(cells: Cells) -> str:
    return _digest(*(cells[name] for name in ("source", "party", "date", "opinion")))[:12]


def _known(row: Row) -> str:
    """What a row is known by: its mark, else its content; nothing if a person typed it."""
    if re.fullmatch("[0-9a-f]{12}-[0-9a-f]{8}", row["key"].text):
        return row["key"].text
    cells = {name: str(datum.value or "") for name, datum in row.items()}
    return _who(cells) if cells["source"] in ("批注", "修订") else ""


def _matched(known: Sequence[str], fresh: Mapping[str, object]) -> list[str]:
    """The keys of the rows; where the words about which it is changed without doubt, the new."""
    moved: dict[str, str] = {}
    for who in {key[:12] for key in fresh}:
        old = [key for key in dict.fromkeys(known) if key[:12] == who and key not in fresh]
        new = [key for key in fresh if key[:12] == who and key not in known]
        moved |= dict(zip(old, new, strict=True)) if len(old) == len(new) else {}
    return [moved.get(key, key) for key in known]


# --- what is still open ---------------------------------------------------------------------


def undecided(table: Path) -> list[Problem]:
    """What keeps a report from being final; what only wants a look is a warning.

    Raises:
        EvalkitError: the table cannot be read.
    """
    schema = load_schema(SHEET)
    source, labels = read(table, schema), {f.id: f.label for f in schema.sheet(SHEET).fields}
    found = errors(source.problems)
    for row in source.tables[SHEET]:
        kind, decision, scan = (row[name].text for name in ("source", "decision", "scan"))
        needed = [*_NEEDED.get(kind, ("opinion", "decision", "party"))]
        needed += ["reason"] if decision in ("部分采纳", "不采纳") else []
        needed += ["checked"] if decision else []
        lacking = [name for name in needed if not row[name].raw]
        if scan and not os.path.isfile(table.parent / scan.replace("\\", "/")):
            lacking.append("scan")
        for name in lacking:
            place = {"file": table.name, "at": row[name].cell}
            facts = {"label": labels[name], "why": decision if name == "reason" else kind}
            found.append(sentence(f"opinion.{name}", **place, **facts, scan=names.quote(scan)))
    return found


# --- the annex ------------------------------------------------------------------------------


def _annex(report: WordDocument, table: Path) -> Path:
    """The table as a Word annex in the report's style; returns the path really written."""
    out, look = table.with_suffix(".docx"), load_yaml(asset("templates", "opinions.yaml"))
    if out.exists():
        with ZipFile(out) as archive:  # no program but ours leaves these marks
            ours = {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        if not ours:
            keep_aside(out)
    schema, engine = load_schema(SHEET), SandboxedEnvironment()
    engine.filters["quote"] = names.quote
    cells = [engine.from_string(text) for *_, text in look["columns"]]
    texts = table_text(read(table, schema), schema, SHEET)
    rows = [[cell.render(row, number=n) for cell in cells] for n, row in enumerate(texts, 1)]
    open_rows = (row for row in texts if row["decision"] or row["source"] not in SILENT)
    counts = Counter(row["decision"] or "未答复" for row in open_rows)
    note = f"共{len(rows)}条" + "".join(f"，{name}{count}条" for name, count in counts.items())
    about = report.core_properties
    stage = f"（{about.content_status}）" if about.content_status else ""
    title = f"《{about.title or '评价报告'}{stage}》"
    document = Document(str(asset("templates", "project_evaluation.docx")))  # has a wide page
    body, wide = document.element.body, next(s for s in document.sections if s.orientation)._sectPr
    edges = body.iter(qn("w:headerReference"), qn("w:footerReference"))
    wide[:0] = {(ref.tag, ref.type_): ref for ref in edges}.values()
    body[:] = [wide]
    (section,), page = document.sections, page_of(document)
    for line in [*section.header.paragraphs, *section.even_page_header.paragraphs]:
        line.text = f"{title}{look['title']}" if "{{" in line.text else line.text
    columns = [Column(*column) for *column, _ in look["columns"]]
    _, grid, foot = build(SHEET, Table("", columns, rows, note=f"{note}。"), page)
    for line in [*grid[-1].iter(qn("w:p")), foot]:
        line.get_or_add_pPr().get_or_add_keepNext()  # nobody signs an empty page
    head = paragraph(page.style("前置标题"), f"{title}\n{look['title']}")
    sign = paragraph(page.style("Normal"), look["sign"], align="right")
    for element in (head, grid, foot, sign):
        wide.addprevious(element)
    return package.save(document, out, {"title": f"{title}{look['title']}"})
