"""Copies of a report: for the reviewer, to hand over, to publish, as PDF; the master stays here.

The review copy says at each score where it comes from: comments written from the same traces as
the report, in the words of notes.j2; people's own comments stay.
Of what leaves the firm only known parts of the package stay, their XML as handover.xsl lets it
through, their pictures as bare pixels; what cannot be taken out without loss is a problem. What is
personal, and which annexes are not disclosed, is data: params/disclosure.yaml.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

from docx.document import Document as WordDocument
from docx.opc.packuri import PackURI
from docx.opc.part import Part, XmlPart
from docx.oxml.ns import nsmap, qn
from docx.oxml.parser import parse_xml
from jinja2 import Environment, PackageLoader, select_autoescape
from lxml import etree  # type: ignore[import-untyped]
from PIL import Image

from evalkit.core import result_file
from evalkit.core.model import Result
from evalkit.core.numbers import fixed, plain
from evalkit.core.paths import asset
from evalkit.core.problem import Problem, refusal, refuse, sentence
from evalkit.core.store import sha256, write_bytes, write_json
from evalkit.core.yaml_file import load_yaml
from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import GAP, Element, clean, el, local_name, plain_text, style_of
from evalkit.report.prose import report_date
from evalkit.review.delivery import keep_edited, last_run
from evalkit.review.opinions import MACHINE_AUTHOR, TABLE, collect
from evalkit.verify.reading import Reading, read
from evalkit.verify.report import check_report
from evalkit.word.blocks import page_of
from evalkit.word.narrative import Outline, heading_key
from evalkit.word.render import settle

FINAL, RECORD, PARTIES = "终稿", "公开登记.json", ("委托方", "同级财政部门")
_BLOCKING = {"verify.field", "verify.placeholder", "verify.gap"}
_CHANGES = re.compile("ins|del|moveFrom|moveTo|cell(Ins|Del|Merge)|.*Change")
_R, _TURNED, _MARKED = f"{{{nsmap['r']}}}", 0x0112, "打分"  # an expert's input is named so
_SHEET = "资金"
_WORDS = Environment(loader=PackageLoader("evalkit.review", ""), autoescape=select_autoescape(),
                     trim_blocks=True, lstrip_blocks=True)  # fmt: skip
_WORDS.filters |= {"fixed": fixed, "plain": plain}
_Note = tuple[list[Element], str]  # sibling elements, and what to say there
_OFFICE = ("soffice", "libreoffice", "/Applications/LibreOffice.app/Contents/MacOS/soffice",
           r"C:\Program Files\LibreOffice\program\soffice.exe",
           r"C:\Program Files (x86)\LibreOffice\program\soffice.exe")  # fmt: skip
_WORD = ("$w = New-Object -ComObject Word.Application; try { $d = $w.Documents.Open("
         "$env:REPORT_DOCX, $false, $true); $d.ExportAsFixedFormat($env:REPORT_PDF, 17); "
         "$d.Close(0) } finally { $w.Quit(0) }")  # fmt: skip


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
        given = zip(PARTIES, (client_consent, finance_consent), strict=True)
        client, finance = (said or ask(f"{who}同意公开的单位和文号或日期：") for who, said in given)
        put("公开版", lambda out: public_copy(report, result, out, client, finance))
    return [*written, *(map(to_pdf, written or [report]) if pdf else ())]


# --- for the reviewer -----------------------------------------------------------------------


def review_copy(master: Path, result: Result, out: Path, problems: Iterable[Problem] = ()) -> Path:
    """Write the master with comments at its scores, grade, funds, gaps and warnings.

    Dates are the report's (subject.report_date), never the clock's. Returns the path really
    written.
    """
    (document, *_), day = read(master), report_date(result)
    for anchor, text in _notes(document, result, problems):
        lines = [line for line in clean(text).splitlines() if line.strip()]
        note = document.comments.add_comment("\n".join(lines), MACHINE_AUTHOR, "据")._comment_elm
        note.date = datetime(day.year, day.month, day.day) if day else None
        for run in note.iter(qn("w:r")):  # nine points, and in no style that the report lacks
            run.insert(0, el("rPr", el("sz", val=18)))
            run[1:] = [child for child in run[1:] if child.tag != qn("w:rPr")]
        anchor[0].addprevious(el("commentRangeStart", id=note.id))
        anchor[-1].addnext(el("r", el("commentReference", id=note.id)))
        anchor[-1].addnext(el("commentRangeEnd", id=note.id))
    return package.save(document, out, edited=True)


def _notes(document: WordDocument, result: Result, problems: Iterable[Problem]) -> Iterator[_Note]:
    """What to say, and where."""
    say: Any = _WORDS.get_template("notes.j2").module
    body, indicators = document.element.body, result.score.indicators if result.score else ()
    fields = [field for field in bind.fields(body) if field.path]
    tabled = [f for f in fields if next(f.marks[0].iterancestors(qn("w:tbl")), None) is not None]
    places = {f.path: f.marks for f in [*reversed(fields), *tabled]}  # the first, but in tables
    start = next([r] for r in body.iter(qn("w:r")) if plain_text(r).strip())
    whole = (places.get(f"score.{name}") for name in ("grade", "total", "low"))
    top = next(filter(None, whole), start)
    if result.score:
        yield top, say.grade(result.score, result.tables.get("robust_findings", ()))
    inputs = {x.cell: x for i in indicators for x in i.trace.inputs}
    money = [x for cell, x in inputs.items() if cell.startswith(f"{_SHEET}!")]
    for path, names in say.FUNDS.items():
        mine = [x for name in names for x in money if x.name.endswith(name)]
        if mine and path in places:
            yield places[path], say.funds("÷".join(names), mine)
    titles = {row["no"]: row["title"] for row in result.tables.get("evidence", [])}
    for i in indicators:
        field = places.get(f"score.indicators.{bind.slug(i.code)}.score")
        places[i.code] = field or _row(body, i.level3) or top
        yield places[i.code], say.score(i, titles)
    warned: dict[int, tuple[list[Element], list[Problem]]] = {}
    for problem in dict.fromkeys((*result.problems, *problems)):
        paths = (problem.cell, problem.indicator, "funds.budget" * (problem.sheet == _SHEET))
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


# --- to hand over, to publish ---------------------------------------------------------------


def final_copy(master: Path, result: Result, out: Path) -> Path:
    """Write what is handed over: no fields over properties, no comments, no trace of tools.

    Raises:
        EvalkitError: everything at once that keeps the report from being final, with its place.
    """
    report = read(master)
    refuse([*_unready(master, report, result), *_neutralise(report.document)])
    return _save(report.document, result, out)


def public_copy(
    master: Path, result: Result, out: Path, client_consent: str, finance_consent: str,
    given: date | None = None,
) -> Path:  # fmt: skip
    """Write the disclosure version, and 公开登记.json beside it (财监〔2021〕4号 art. 21).

    Consents say who and which document or day, e.g. ``示例县财政局 2025年7月8日``; `given` is the
    day the copy is made (today).

    Raises:
        EvalkitError: a consent is missing, the report is not final, or a name cannot be taken out.
    """
    consents = dict(zip(PARTIES, (client_consent.strip(), finance_consent.strip()), strict=True))
    problems = [sentence("copy.consent", party=party) for party, said in consents.items()
                if not re.search(r"\D\d|\d\D", said)]  # fmt: skip
    report = read(master)
    problems += _unready(master, report, result)
    counts, names = _redact(report.document, result)
    problems += [*_neutralise(report.document), *_leaks(report.document, names, text=True)]
    refuse(problems)
    written = _save(report.document, result, out)
    record = {
        "项目": result.name, "编码": result.code, "同意公开": consents,
        "登记日期": (given or date.today()).isoformat(), "文件": written.name,
        "sha256": sha256(written), "隐去": dict(counts),
        "请人工核对": "正文图片中没有人脸、证件和车牌；叙述中没有其他能认出个人的内容",
    }  # fmt: skip
    write_json(out.with_name(RECORD), record)
    return written


def _save(document: WordDocument, result: Result, out: Path) -> Path:
    about = {"title": document.core_properties.title, "author": result.subject.get("agency", ""),
             "date": report_date(result)}  # fmt: skip
    return package.save(document.part.document, out, about)


def _rules() -> dict[str, Any]:
    return dict(load_yaml(asset("params", "disclosure.yaml")))


def _unready(master: Path, report: Reading, result: Result) -> Iterator[Problem]:
    """Everything that keeps a report from being final."""
    if result.stage != FINAL:
        yield sentence("copy.stage", file=master.name, stage=result.stage)
    nodes = (node for story in bind.stories(report.document) for node in story.iter())
    changes = (node for node in nodes if _CHANGES.fullmatch(local_name(node)))
    who = ((report.line(change).place, change.get(qn("w:author"), "")) for change in changes)
    for place, author in dict.fromkeys(who):
        yield sentence("copy.change", file=master.name, sheet=place, author=author)
    table = master.with_name(TABLE)
    count = sum(note.author != MACHINE_AUTHOR for note in report.document.comments)
    if table.exists():
        yield from collect(master).problems  # what came since must be answered, too
    elif count:
        yield sentence("copy.comments", file=master.name, sheet="批注", count=count, table=TABLE)
    for problem in check_report(master, result):
        if problem.code in _BLOCKING:
            yield problem.model_copy(update={"severity": "error"})


# --- no machinery ---------------------------------------------------------------------------


def _neutralise(document: WordDocument) -> list[Problem]:
    """Reduce a document to what people read; returns what forbids to hand it over."""
    rules, whole, wrong = _rules(), document.part.package, list[Problem]()
    always, used = rules["relations"]["always"], rules["relations"]["used"]
    _unlink(document, rules["fields"])
    reduce = etree.XSLT(etree.parse(Path(__file__).with_name("handover.xsl")))
    for part, root in [(whole, None), *_roots(document)]:
        keys = set() if root is None else _replace(part, reduce(root))
        for key, rel in list(part.rels.items()):
            kind = rel.reltype.rpartition("/")[2]
            known = re.fullmatch(always, kind) or (key in keys and re.fullmatch(used, kind))
            if rel.is_external or not known:
                del part.rels[key]
        wrong += [] if keys <= set(part.rels) else [sentence("copy.outside")]
    for part in whole.iter_parts():
        if part.content_type.startswith("image/") and not _bare(part):
            wrong.append(sentence("copy.picture", kind=part.content_type))
    for trace in rules["traces"]:
        wrong += _leaks(document, **trace)
    return list(dict.fromkeys(wrong))


def _replace(part: Any, root: Element) -> set[str]:
    """Give a part its new XML, names of bookmarks without meaning; the relations it uses."""
    blob = etree.tostring(root, encoding="UTF-8", standalone=True)
    blob = re.sub(rb"_Ref_\w+", lambda m: b"_Ref%010d" % zlib.crc32(m[0]), blob)
    part._element, part._blob = parse_xml(blob), blob  # it is written from one of them
    return {v for n in part._element.iter() for k, v in n.attrib.items() if k.startswith(_R)}


def _unlink(document: WordDocument, kept: str) -> None:
    """Leave only the results of the fields whose code does not match."""
    for field in bind.document_fields(document):
        for node in () if re.match(kept, field.code) else field.marks:
            if node.tag == qn("w:fldSimple"):
                node.tag = qn("w:smartTag")  # unwrapped with those
            elif node not in field.result and node.getparent() is not None:
                node.getparent().remove(node)


def _leaks(document: WordDocument, find: str, *, text: bool) -> Iterator[Problem]:
    """Where a pattern is found: in attributes, names of parts and, if wanted, in text."""
    for part, root in _roots(document):
        said = [str(part.partname), *(v for n in root.iter() for v in n.attrib.values())]
        said = [value for value in said if not re.match(r"https?:|urn:", value)]
        said += ["".join(root.itertext())] if text else []
        for hit in dict.fromkeys(m[0] for value in said if (m := re.search(find, value))):
            yield sentence("copy.left", part=part.partname, hit=hit)


def _roots(document: WordDocument) -> Iterator[tuple[Part, Element]]:
    """XML parts (properties are written anew) with their roots; a copy where there are bytes."""
    for part in [p for p in document.part.package.iter_parts() if "core" not in p.content_type]:
        if isinstance(part, XmlPart) or part.partname.endswith(".xml"):
            yield part, part.element if isinstance(part, XmlPart) else parse_xml(part.blob)


def _bare(part: Part) -> bool:
    """Keep a picture's pixels and which way up it is, nothing else that a camera or tool wrote."""
    try:
        image = Image.open(io.BytesIO(part.blob))
        turned, kind = image.getexif().get(_TURNED), image.format
        image.load()
    except (OSError, ValueError, Image.DecompressionBombError):
        return False
    kind = "jpeg" if kind in ("JPEG", "MPO") else "png"
    image.info = {k: v for k, v in image.info.items() if k == "transparency"}
    exif, out = Image.Exif(), io.BytesIO()
    exif.update({_TURNED: turned} if turned else {})
    image.save(out, kind, quality=95, exif=exif)
    part._blob, part._content_type = out.getvalue(), f"image/{kind}"
    part.partname = PackURI(f"{part.partname.rpartition('.')[0]}.{kind}")
    return True


# --- nothing personal -----------------------------------------------------------------------


def _redact(document: WordDocument, result: Result) -> tuple[Counter[str], str]:
    """Take out what is not disclosed; how often what, and the names that must be found nowhere."""
    rules = _rules()
    spelt = (r"\s*".join(map(re.escape, name)) for name in _names(result, rules["persons"]))
    names = "|".join(spelt) or "(?!)"
    word = _drop_annexes(document, rules["annexes"])
    clauses = [{**rule, "find": rule["find"].replace("{word}", word)} for rule in rules["clauses"]]
    people = {"name": "人名", "find": names, "put": rules["persons"]["put"]}
    hidden = [*rules["wording"], *rules["find"], *clauses, people]
    counts: Counter[str] = Counter()
    for node in (n for s in bind.stories(document) for n in s.iter(qn("w:p"), qn("wp:docPr"))):
        for rule in hidden:
            for key in {"descr", "title"} & set(node.attrib):
                node.set(key, re.sub(rule["find"], rule["put"], node.get(key)))
        found = [name for rule in hidden for name in [rule["name"]] * _rewrite(node, **rule)]
        counts.update(found)
        for rule in rules["tidy"] if found else ():
            _rewrite(node, **rule)
    settle(document, page_of(document), {})  # captions, references and contents
    return counts, names


def _rewrite(paragraph: Element, find: str, put: str, name: str = "") -> int:
    """Replace matches in a paragraph's text, over its runs; returns how many there were."""
    nodes = [n for n in paragraph.iter(qn("w:t"), qn("w:br")) if n.get(qn("w:type")) is None
             and next(n.iterancestors(qn("w:p"))) is paragraph]  # fmt: skip
    chars = [(c, n) for n in nodes for c in (n.text or "" if local_name(n) == "t" else "\n")]
    hits = [hit for hit in re.finditer(find, "".join(c for c, _ in chars)) if hit[0]]
    for hit in reversed(hits):
        chars[hit.start() : hit.end()] = [(c, chars[hit.start()][1]) for c in put]
    for node in nodes if hits else ():
        text = "".join(c for c, owner in chars if owner is node)
        if local_name(node) == "t":
            node.text = text
        elif not text:
            node.getparent().remove(node)
    return len(hits)


def _names(result: Result, rules: dict[str, Any]) -> list[str]:
    """Persons that the result knows, long names first."""
    said = [*rules["names"], *(result.subject.get(field, "") for field in rules["subject"])]
    said += [row.get(field, "") for table, fields in rules["tables"].items()
             for row in result.tables.get(table, []) for field in fields]  # fmt: skip
    traces = [i.trace for i in (result.score.indicators if result.score else ())]
    said += [x.name.removesuffix(_MARKED) for trace in traces if trace.rule == "experts"
             for x in trace.inputs if x.name.endswith(_MARKED)]  # fmt: skip
    names = {re.sub(r"\W", "", name) for text in said for name in re.split("[、，,；;/]", text)}
    people = {name for name in names if len(name) > 1 and not re.search(rules["bodies"], name)}
    return sorted(people, key=lambda name: (-len(name), name))


def _drop_annexes(document: WordDocument, titles: list[str]) -> str:
    """Remove annexes and references to them; a pattern of the words that speak of them."""
    body, outline = document.element.body, Outline.of(document)
    known = [outline.sections[key] for key in map(heading_key, titles) if key in outline.sections]
    words, marks = ["(?!)"], {"(?!)"}
    for _, heading in known:
        before = heading.itersiblings(qn("w:p"), preceding=True)
        number = 1 + sum(style_of(p) == style_of(heading) for p in before)
        words += [rf"附件\s*{number}(?!\d)", "见[“《]?" + re.escape(plain_text(heading).strip())]
    for level, heading in known:
        for node in [heading, *heading.itersiblings()]:
            above = 0 < outline.levels.get(style_of(node), 0) <= level and node is not heading
            if above or next(node.iter(qn("w:sectPr")), None) is not None:
                break
            marks |= {re.escape(n.get(qn("w:name"))) for n in node.iter(qn("w:bookmarkStart"))}
            labels = (re.match(r"(表|图|照片)\s*\d+", plain_text(p)) for p in node.iter(qn("w:p")))
            words += [f"{label[0]}(?!\\d)" for label in labels if label]
            body.remove(node)
    _unlink(document, rf"(?!.*\b({'|'.join(marks)})\b)")
    return f"({'|'.join(words)})"


# --- as PDF ---------------------------------------------------------------------------------


def to_pdf(docx: Path) -> Path:
    """Write a docx as PDF beside it; returns the path really written.

    Raises:
        EvalkitError: neither program is there, or it failed.
    """
    office = next(filter(None, map(shutil.which, _OFFICE)), None)
    program = office or shutil.which("powershell.exe")
    if not program:
        raise refusal("pdf.program", file=docx.name)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made, source = Path(folder) / f"{docx.stem}.pdf", str(docx.resolve())
        profile = f"-env:UserInstallation={(Path(folder) / 'profile').as_uri()}"
        asked = [profile, "--headless", "--convert-to", "pdf", "--outdir", folder, source]
        asked = asked if office else ["-NoProfile", "-Command", _WORD]
        paths = os.environ | {"REPORT_DOCX": source, "REPORT_PDF": str(made)}
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run([program, *asked], env=paths, timeout=300, capture_output=True)  # noqa: S603
            return write_bytes(docx.with_suffix(".pdf"), made.read_bytes())
    raise refusal("pdf.failed", file=docx.name)
