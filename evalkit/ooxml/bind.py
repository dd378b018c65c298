"""What the kit owns in a document that people edit: bound numbers, and generated paragraphs.

A bound number is a DOCPROPERTY field over a custom document property; Word, WPS and LibreOffice
keep both. A generated paragraph or table row is enclosed by one bookmark whose name carries its
key and a seal of its content without field results: what people touched no longer fits its seal.
"""

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from docx.document import Document as WordDocument
from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.oxml import serialize_part_xml
from docx.opc.packuri import PackURI
from docx.opc.part import Part, XmlPart
from docx.oxml.parser import parse_xml
from lxml import etree  # type: ignore[import-untyped]

from evalkit.ooxml import oxml
from evalkit.ooxml.oxml import Element, bookmark, local_name, plain_text, qn, run

BOUND = re.compile(f"{oxml.MARK_PATH}([^{oxml.MARK_END}]+){oxml.MARK_END}")
OWNED = re.compile(r"_([kr])([0-9a-f]{12})_([0-9a-f]{10})")  # k: paragraph, r: table row
PICTURE = re.compile(r"(\w+)_([0-9a-f]{12})")  # name of a drawing: block, digest of the picture
_PROPERTY = re.compile(r'\s*DOCPROPERTY\s+"?([^"\s\\]+)', re.IGNORECASE)
_NAMES = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"
_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"
_FORMAT = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
_MAX_VALUE = 255
_STORIES = ("/header", "/footer", "/footnotes", "/endnotes")
_LOOKS = ("b", "i", "u", "strike", "highlight", "color", "vertAlign")
_PLAIN = {"0", "false", "none", "auto", "baseline"}
_UNSEEN = {"lang", "kern", "noProof", "webHidden", "bCs", "iCs", "szCs", "hint"}
_CHANGES = {"ins", "del", "moveFrom", "moveTo", "rPrChange", "pPrChange"}
_PARTS = _CHANGES | {"drawing", "pict", "object", "footnoteReference", "endnoteReference",
                     "hyperlink", "sdt", "sym", "tbl"}  # fmt: skip
_WORDS = {"t", "delText", "tab", "br", "cr"}
_R, _P, _CHAR, _SIMPLE, _PROPERTIES = map(qn, ("w:r", "w:p", "w:fldChar", "w:fldSimple", "w:rPr"))
_KIND, _CODES = qn("w:fldCharType"), (qn("w:instrText"), qn("w:delInstrText"))
_GONE, _TRACKED = (qn("w:del"), qn("w:moveFrom")), [qn(f"w:{name}") for name in _CHANGES]
_RARE = {"del", "moveFrom", "fldSimple"}  # what makes the place of a text matter
_SEEN = {qn(f"w:{name}"): name for name in
         (*_PARTS, "fldChar", "instrText", "fldSimple", "t", "tab", "br", "tc")}  # fmt: skip
_COMPATIBLE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_SEEN |= {qn("m:oMath"): "oMath", f"{_COMPATIBLE}AlternateContent": "AlternateContent"}


# --- text with bound numbers ----------------------------------------------------------------


def bound(path: str, text: str) -> str:
    """Text that becomes a field over the property `path` when it is rendered.

    >>> unbound("得" + bound("score.total", "93.60") + "分")
    '得93.60分'
    """
    return f"{oxml.MARK_PATH}{path}{oxml.MARK_TEXT}{text}{oxml.MARK_END}"


def slug(text: str) -> str:
    """A code or name as part of a property's name: ASCII, lower case.

    >>> slug("C201"), slug("产出")
    ('c201', 'u4ea7u51fa')
    """
    return re.sub(r"[^a-z0-9_.-]", lambda match: f"u{ord(match[0]):x}", text.lower())


def unbound(text: str) -> str:
    """The same text as people read it."""
    return BOUND.sub(lambda match: match[1].partition(oxml.MARK_TEXT)[2], text)


def runs(text: str, *, bold: bool = False) -> list[Element]:
    """Runs of a text, its bound numbers as fields."""
    made = [bound_runs(p, bold=bold) if n % 2 else [run(p, bold=bold)]
            for n, p in enumerate(BOUND.split(text)) if p]  # fmt: skip
    return [item for items in made for item in items]


def bound_runs(inside: str, *, bold: bool = False) -> list[Element]:
    """The field of one match of `BOUND`."""
    path, _, text = inside.partition(oxml.MARK_TEXT)
    return oxml.field(f'DOCPROPERTY "{path}"', [run(text, bold=bold)])


# --- document properties --------------------------------------------------------------------


def properties(document: WordDocument) -> dict[str, str]:
    """Custom document properties by name, as text."""
    return {node.get("name", ""): "".join(node.itertext()) for node in _custom(document)}


def set_properties(
    document: WordDocument, values: Mapping[str, str], keep: bool = False, drop: Iterable[str] = ()
) -> None:
    """Write custom properties in place of all there are; `keep` those of other names but `drop`."""
    root, package, gone = _custom(document), document.part.package, {*values, *drop}
    for node in list(root):
        if not keep or node.get("name", "").lower() in gone:
            root.remove(node)
    for name, value in sorted(values.items()):
        node = etree.SubElement(root, f"{{{_NAMES}}}property", fmtid=_FORMAT, name=name)
        etree.SubElement(node, f"{{{_TYPES}}}lpwstr").text = oxml.clean(value)[:_MAX_VALUE]
    for number, node in enumerate(root, start=2):
        node.set("pid", str(number))
    for key, rel in list(package.rels.items()):
        if rel.reltype == RELATIONSHIP_TYPE.CUSTOM_PROPERTIES:
            del package.rels[key]
    if len(root):
        uri, kind = PackURI("/docProps/custom.xml"), CONTENT_TYPE.OFC_CUSTOM_PROPERTIES
        part = Part(uri, kind, serialize_part_xml(root), package)
        package.relate_to(part, RELATIONSHIP_TYPE.CUSTOM_PROPERTIES)


def _custom(document: WordDocument) -> Element:
    rels = document.part.package.rels.values()
    blobs = [r.target_part.blob for r in rels if r.reltype == RELATIONSHIP_TYPE.CUSTOM_PROPERTIES]
    return parse_xml(blobs[0] if blobs else f'<Properties xmlns="{_NAMES}" xmlns:vt="{_TYPES}"/>')


# --- fields ---------------------------------------------------------------------------------


@dataclass
class Field:
    """One field: its code, the property it shows if it is bound, and the runs of its result."""

    code: str = ""
    result: list[Element] = field(default_factory=list)
    marks: list[Element] = field(default_factory=list)  # all elements it is made of
    begun: bool = False  # whether something divides its code from its result

    @property
    def path(self) -> str:
        """Name of the document property, lower case; empty for other fields."""
        match = _PROPERTY.match(self.code)
        return match[1].lower() if match else ""

    @property
    def text(self) -> str:
        """The result people see; what a tracked change deletes is not seen."""
        return "".join(t.text or "" for r in self.result for t in r.iter(qn("w:t")))

    @property
    def author(self) -> str:
        """Who changed the result, but not the whole field, under tracked changes."""
        around = set(self.marks[0].iterancestors(*_TRACKED))
        above = (a for r in self.result for a in r.iterancestors(*_TRACKED) if a not in around)
        return next((str(a.get(qn("w:author"), "")) for a in above), "")

    def put(self, text: str) -> None:
        """Write the result into its first run of text; that run's looks and all comments stay."""
        texts = (t for r in self.result for t in r.iterchildren(qn("w:t")) if not _deleted(r))
        kept = next((t.getparent() for t in texts), None)
        if kept is None:
            kept, end = run(""), self.marks[-1]
            if len(self.marks) == 1:  # a simple field
                end.append(kept)
            else:
                end.addprevious(kept)
                if not self.begun:
                    kept.addprevious(oxml.field("", [])[2])
        holder = kept.getparent()
        if local_name(holder) in _CHANGES and holder not in self.marks[0].iterancestors():
            holder.addprevious(kept)  # the kit's own text is no tracked change
        for each in [kept, *self.result, holder]:
            for child in [c for c in each if local_name(c) in _WORDS]:
                each.remove(child)
            while each is not kept and not [c for c in each if local_name(c) != "rPr"]:
                outer = each.getparent()
                outer.remove(each)
                if local_name(outer) not in _CHANGES:
                    break
                each = outer
        kept.extend(list(run(text)))
        self.result[:] = [kept]

    def unlink(self) -> None:
        """Leave the result as mere text."""
        if len(self.marks) == 1:
            for child in list(self.marks[0]):
                self.marks[0].addprevious(child)
        for mark in self.marks:
            if mark not in self.result and mark.find(qn("w:t")) is None:
                mark.getparent().remove(mark)


def _deleted(element: Element) -> bool:
    return next(element.iterancestors(*_GONE), None) is not None


def fields(*roots: Element) -> list[Field]:
    """All fields of elements in order, simple and complex, inner ones before what holds them.

    What a tracked change deletes is none.
    """
    found: list[Field] = []
    opened: list[Field] = []
    for block in (block for root in roots for block in list(root.iter(_P)) or [root]):
        if not opened and next(block.iter(_CHAR, _SIMPLE), None) is None:
            continue
        if next(block.iterancestors(_P), None) is not None and block.tag == _P:
            continue  # in a text box: comes with the paragraph that holds it
        for node in block.iter(_R, _SIMPLE):
            if node.tag == _SIMPLE:
                code = node.get(qn("w:instr"), "").strip()
                found.append(Field(code, list(node.iter(_R)), [node]))
                continue
            marked = False
            for child in node:
                if child.tag in _CODES and opened and not opened[-1].begun:
                    opened[-1].code += child.text or ""
                kind = child.get(_KIND) if child.tag == _CHAR else None
                marked |= kind is not None
                if kind == "begin":
                    opened.append(Field())
                elif kind == "separate" and opened:
                    opened[-1].begun = True
                elif kind == "end" and opened:
                    opened[-1].code = opened[-1].code.strip()
                    opened[-1].marks.append(node)
                    found.append(opened.pop())
            for item in opened:
                item.marks.append(node)
                if item.begun and not marked:
                    item.result.append(node)
    return [item for item in found if not _deleted(item.marks[0])]


def document_fields(document: WordDocument) -> list[Field]:
    """The fields of body, headers, footers and notes."""
    return [found for root in stories(document) for found in fields(root)]


def stories(document: WordDocument) -> Iterator[Element]:
    """Roots of body, headers, footers and notes; changes in them are saved."""
    yield document.element.body
    rels = document.part.rels.values()
    for rel in [r for r in rels if r.reltype.endswith(_STORIES) and not r.is_external]:
        if not isinstance(rel.target_part, XmlPart):  # notes come as bytes
            old = rel.target_part
            rel._target = XmlPart.load(old.partname, old.content_type, old.blob, old.package)
            rel._target.__dict__["rels"] = old.rels
        yield rel.target_part.element


# --- units ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """A generated paragraph or table row, by its bookmark."""

    key: str
    seal: str
    row: bool
    start: Element
    end: Element

    @property
    def whole(self) -> bool:
        """Whether nobody has torn it over several paragraphs."""
        return self.row or self.start.getparent() is self.end.getparent()

    @property
    def nodes(self) -> list[Element]:
        """What it is made of; where it is torn, all paragraphs it is spread over."""
        if self.row:
            return [next(self.start.iterancestors(qn("w:tr")))]
        if self.whole:
            return list(itertools.takewhile(lambda n: n is not self.end, self.start.itersiblings()))
        first, last = (next(m.iterancestors(qn("w:p")), m) for m in (self.start, self.end))
        found = [first, *first.itersiblings(qn("w:p"))]
        return found[: found.index(last) + 1] if last in found else [first]

    @property
    def text(self) -> str:
        """Its text without field results."""
        return text_of(self.nodes, results=False)

    @property
    def full_text(self) -> str:
        """Its text as people read it, cells divided by ｜."""
        return text_of(self.nodes)

    @property
    def touched(self) -> bool:
        """Whether a person changed it: words, looks or parts, beyond field results."""
        return not self.whole or seal_of(self.nodes) != self.seal


def numbered() -> defaultdict[str, Iterator[int]]:
    """Numbers from 1 for each text, as often as it comes."""
    return defaultdict(lambda: itertools.count(1))


def own(element: Element, key: str) -> str:
    """Enclose a paragraph's content, or a row's first text, as the unit of that key's digest."""
    return enclose(element, hashlib.sha256(key.encode()).hexdigest()[:12])


def enclose(element: Element, key: str, seal: str = "0" * 10) -> str:
    """`own` for a key that is a digest already; returns it."""
    kind = "r" if local_name(element) == "tr" else "k"
    inside = next((p for p in element.iter(_P) if plain_text(p).strip()), None)
    if inside is not None:
        content = [child for child in inside if local_name(child) != "pPr"]
        inside.extend(bookmark(f"_{kind}{key}_{seal}", *content, number=int(key[:7], 16)))
    return key


def units(root: Element) -> dict[str, Unit]:
    """The units in an element by key, in document order; of copies the first untouched."""
    found: dict[str, Unit] = {}
    for unit in all_units(root):
        if unit.key not in found or (found[unit.key].touched and not unit.touched):
            found[unit.key] = unit
    return found


def all_units(root: Element) -> Iterator[Unit]:
    """Every unit, with those that people copied."""
    opened: dict[str, list[Element]] = {}
    for mark in root.iter(qn("w:bookmarkStart"), qn("w:bookmarkEnd")):
        same = opened.setdefault(mark.get(qn("w:id")), [])
        if mark.tag == qn("w:bookmarkStart"):
            same.append(mark)
        elif same:
            start = same.pop()
            name = OWNED.fullmatch(start.get(qn("w:name"), ""))
            in_row = next(start.iterancestors(qn("w:tr")), None) is not None
            if name and (in_row or name[1] == "k"):
                yield Unit(name[2], name[3], name[1] == "r", start, mark)


def seal(unit: Unit) -> str:
    """Write the seal of its present content into its name; returns its full text."""
    walked = list(_walk(unit.nodes))
    name = f"_{'r' if unit.row else 'k'}{unit.key}_{_digest(walked)}"
    unit.start.set(qn("w:name"), name)
    return _said(walked, "result")


def seal_of(nodes: list[Element]) -> str:
    """Digest of content without field results: ten hex digits.

    Looks that programs write of themselves count only where they change within the content.
    """
    return _digest(_walk(nodes))


def _digest(walked: Iterable[tuple[str, str, str]]) -> str:
    parts: list[str] = []
    others: dict[str, int] = {}
    last = ""
    for kind, value, shape in (item for item in walked if item[0] != "result"):
        mine, _, other = shape.partition(";")
        mine += f";{others.setdefault(other, len(others))}" if kind == "text" else ""
        if kind == "text" and mine == last:
            parts[-1] += value
        else:
            parts.append(f"{kind}\x1f{mine}\x1f{value}")
        last = mine if kind == "text" else "\x1f"
    return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()[:10]


def text_of(nodes: list[Element], *, results: bool = True) -> str:
    """Text of content as people read it, or without field results; cells divided by ｜."""
    return _said(_walk(nodes), "result" if results else "")


def _said(walked: Iterable[tuple[str, str, str]], also: str) -> str:
    kinds = ("text", "cell", also)
    return "".join(value for kind, value, _ in walked if kind in kinds).removeprefix("｜")


def picture_key(drawing: Element) -> str:
    """A figure (its ``wp:docPr``) is known by its block, a picture of somebody's text by itself."""
    match = PICTURE.fullmatch(drawing.get("name", ""))
    return "" if not match else match[0] if match[1] == "picture" else match[1]


def pictures(root: Element) -> dict[str, list[Element]]:
    """The drawings (``wp:docPr``) that the kit put into an element, by key."""
    found: dict[str, list[Element]] = {}
    for drawing in root.iter(qn("wp:docPr")):
        if key := picture_key(drawing):
            found.setdefault(key, []).append(drawing)
    return found


def _walk(nodes: list[Element]) -> Iterator[tuple[str, str, str]]:
    """Content in order as (kind, value, looks): text, result, field, cell, other things."""
    depth: list[str] = []  # state of each open field
    code = ""
    rare = any(next(n.iterancestors(*_GONE, _SIMPLE), None) is not None for n in nodes[:1])
    row = [*_SEEN] if len(nodes) == 1 else []  # of a long content only what counts is looked at
    for node in (inner for outer in nodes for inner in outer.iter(*row)):
        name = _SEEN.get(node.tag)
        rare |= name in _RARE
        if name is None:
            continue
        if name == "fldChar":
            kind = node.get(_KIND, "")
            if kind == "begin":
                depth.append(kind)
                code = ""
            elif kind == "separate" and depth:
                depth[-1] = kind
                yield "field", _short(code), ""
            elif kind == "end" and depth:
                depth.pop()
        elif name == "instrText":
            code += node.text or ""
        elif name == "fldSimple":
            yield "field", _short(node.get(qn("w:instr"), "")), ""
        elif name == "tc":
            yield "cell", "｜", ""
        elif name not in ("t", "tab", "br"):
            yield "other", name, ""
        elif not rare or not _deleted(node):
            value = (node.text or "") if name == "t" else "\t" if name == "tab" else "\n"
            simple = rare and next(node.iterancestors(_SIMPLE), None) is not None
            inside = simple or "separate" in depth
            yield ("result" if inside else "text"), value, "" if inside else looks(node.getparent())


def _short(code: str) -> str:
    """Kind and first argument of a field code: programs rewrite the rest."""
    words = code.replace('"', " ").split()
    return f"{words[0].upper()} {words[1].lower()}" if len(words) > 1 else code.strip()


def looks(element: Element) -> str:
    """Looks of a run: those the kit writes itself, then, after a semicolon, all others."""
    mine: list[str] = []
    others: list[str] = []
    found = element.find(_PROPERTIES)
    for node in () if found is None else found:
        values = [v for k, v in sorted(node.items()) if k.rpartition("}")[2] not in _UNSEEN]
        value = ",".join(values) or ("none" if node.attrib else "1")
        if local_name(node) not in _UNSEEN and value.lower() not in _PLAIN:
            (mine if local_name(node) in _LOOKS else others).append(f"{local_name(node)}={value}")
    return f"{','.join(sorted(mine))};{','.join(sorted(others))}"
