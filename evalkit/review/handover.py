"""What leaves the firm: the final report without its machinery, and its disclosure version.

Of a package only known parts stay, their XML as handover.xsl lets it through, their pictures as
bare pixels; what cannot be taken out without loss is a problem. What is personal, and which
annexes are not disclosed, is data: params/disclosure.yaml.
"""

from __future__ import annotations

import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from docx.document import Document as WordDocument
from docx.opc.oxml import serialize_part_xml
from docx.opc.packuri import PackURI
from docx.opc.part import Part, XmlPart
from docx.oxml.ns import nsmap, qn
from docx.oxml.parser import parse_xml
from lxml import etree  # type: ignore[import-untyped]
from PIL import Image

from evalkit.core.model import Result
from evalkit.core.paths import asset
from evalkit.core.problem import Problem, refuse, sentence
from evalkit.core.store import sha256, write_json
from evalkit.core.yaml_file import load_yaml
from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import Element, local_name, plain_text, style_of
from evalkit.review import opinions
from evalkit.verify.reading import Reading, read
from evalkit.verify.report import check_report
from evalkit.word.blocks import page_of
from evalkit.word.narrative import Outline, heading_key
from evalkit.word.render import settle

FINAL, RECORD, PARTIES = "终稿", "公开登记.json", ("委托方", "同级财政部门")
_BLOCKING = {"verify.field", "verify.placeholder", "verify.gap"}
_CHANGES = re.compile("ins|del|moveFrom|moveTo|cell(Ins|Del|Merge)|.*Change")
_R, _TURNED, _MARKED = f"{{{nsmap['r']}}}", 0x0112, "打分"  # an expert's input is named so


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
    left = [*_neutralise(report.document), *_leaks(report.document, names, text=True)]
    refuse([*problems, *left])
    written = _save(report.document, result, out)
    record = {
        "项目": result.name, "编码": result.code, "同意公开": consents,
        "登记日期": (given or date.today()).isoformat(), "文件": written.name,
        "sha256": sha256(written), "隐去": dict(counts),
        "请人工核对": "正文图片中没有人脸、证件和车牌；叙述中没有其他能认出个人的内容",
    }  # fmt: skip
    write_json(out.with_name(RECORD), record)
    return written


def report_day(result: Result) -> date | None:
    """The report's date, None where it has none."""
    found = re.fullmatch(r"(\d{4})年(\d+)月(\d+)日", result.subject.get("report_date", ""))
    return date(int(found[1]), int(found[2]), int(found[3])) if found else None


def _save(document: WordDocument, result: Result, out: Path) -> Path:
    about = {"title": document.core_properties.title, "author": result.subject.get("agency", ""),
             "date": report_day(result)}  # fmt: skip
    return package.save(document.part.document, out, about)


def _rules() -> dict[str, Any]:
    return dict(load_yaml(asset("params", "disclosure.yaml")))


def _unready(master: Path, report: Reading, result: Result) -> Iterator[Problem]:
    """Everything that keeps a report from being final."""
    if result.stage != FINAL:
        yield sentence("copy.stage", file=master.name, stage=result.stage)
    nodes = (node for story in bind.stories(report.document) for node in story.iter())
    changes = (node for node in nodes if _CHANGES.fullmatch(local_name(node)))
    who = ((report.place(change), change.get(qn("w:author"), "")) for change in changes)
    for place, author in dict.fromkeys(who):
        yield sentence("copy.change", file=master.name, sheet=place, author=author)
    table = master.with_name(opinions.TABLE)
    count = sum(note.author != opinions.MACHINE_AUTHOR for note in report.document.comments)
    if table.exists():
        yield from opinions.collect(master).problems  # what came since must be answered, too
    elif count:
        facts = {"sheet": "批注", "count": count, "table": table.name}
        yield sentence("copy.comments", file=master.name, **facts)
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


def _replace(part: Part, root: Element) -> set[str]:
    """Give a part its new XML, names of bookmarks without meaning; the relations it uses."""
    blob = etree.tostring(root)
    blob = re.sub(rb"_Ref_\w+", lambda m: b"_Ref%010d" % zlib.crc32(m[0]), blob)
    new = parse_xml(blob)
    if isinstance(part, XmlPart):
        part._element = new
    else:
        part._blob = serialize_part_xml(new)
    return {v for node in new.iter() for k, v in node.attrib.items() if k.startswith(_R)}


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
    clauses = [{"name": "提及不公开附件的分句", "find": find, "put": ""}
               for find in _drop_annexes(document, rules["annexes"])]  # fmt: skip
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


def _drop_annexes(document: WordDocument, titles: list[str]) -> list[str]:
    """Remove annexes and what refers to them; patterns of the brackets and clauses that do."""
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
    word = f"({'|'.join(words)})"
    clause = f"[^，；。]*{word}[^，；。]*"
    clauses = f"[，；]{clause}(?=[，；。]|$)|(?:^|(?<=。)){clause}[，；。]?"
    return [f"（[^（）]*{word}[^（）]*）", clauses]
