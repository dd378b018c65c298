"""What people do to a report: edit operators, each with what must survive of it.

An operator takes a document and a random generator, changes the document and says what must be
found afterwards, in the file or in the conflicts. What it says is about content (a text, a
picture, a comment, a look), read by `Seen` without the kit's own readers.
"""

from __future__ import annotations

import copy
import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from docx import Document
from docx.opc.oxml import serialize_part_xml
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from docx.shared import Mm
from PIL import Image

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_XMLNS = f'xmlns:w="{W}"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
Element = Any


# --- reading, without the kit ---------------------------------------------------------------


def tag(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def field_parts(root: Element) -> Iterator[tuple[str, str, list[Element]]]:
    """Code, shown result and runs of each field, simple or complex."""
    stack: list[tuple[list[str], list[str], list[Element], list[bool]]] = []
    for node in root.iter():
        name = tag(node)
        if name == "fldSimple":
            text = "".join(t.text or "" for t in node.iter(qn("w:t")))
            yield node.get(qn("w:instr")).strip(), text, [node]
        elif name == "fldChar":
            kind = node.get(qn("w:fldCharType"))
            if kind == "begin":
                stack.append(([], [], [], [False]))
            for _, _, runs, _ in stack:
                runs.append(node.getparent())
            if kind == "separate" and stack:
                stack[-1][3][0] = True
            elif kind == "end" and stack:
                code, text, runs, _ = stack.pop()
                yield "".join(code).strip(), "".join(text), runs
        elif name == "instrText" and stack and not stack[-1][3][0]:
            stack[-1][0].append(node.text or "")
        elif name == "t":
            for _, text, _, started in stack:
                if started[0]:
                    text.append(node.text or "")
        if name == "r" and stack:
            for _, _, runs, _ in stack:
                runs.append(node)


def path_of(code: str) -> str:
    """Property of a DOCPROPERTY field."""
    found = re.match(r'(?i)DOCPROPERTY\s+(?:"([^"]+)"|(\S+))', code)
    return (found[1] or found[2]).lower() if found else ""


def words(element: Element) -> str:
    """Text of a paragraph; what a field shows is written as ¤."""
    said: list[str] = []
    depth = 0
    for node in element.iter():
        name = tag(node)
        if name == "fldChar":
            kind = node.get(qn("w:fldCharType"))
            depth += (kind == "begin") - (kind == "end")
            said += ["¤"] * (kind == "end" and depth == 0)
        elif name == "fldSimple":
            said.append("¤")
        elif name in ("t", "delText") and depth <= 0:
            inside = any(tag(a) == "fldSimple" for a in node.iterancestors())
            said.append("" if inside else node.text or "")
    return "".join(said)


@dataclass(frozen=True)
class Seen:
    """A docx as a reader sees it."""

    path: Path

    @cached_property
    def document(self) -> Any:
        return Document(str(self.path))

    @cached_property
    def roots(self) -> dict[str, Element]:
        """XML parts by name."""
        found = {}
        for part in self.document.part.package.iter_parts():
            if str(part.partname).endswith(".xml"):
                found[str(part.partname)] = parse_xml(part.blob)
        return found

    @cached_property
    def body(self) -> Element:
        return self.document.element.body

    def stories(self) -> list[Element]:
        names = re.compile(r"/word/(document|header\d*|footer\d*|footnotes|endnotes)\.xml")
        return [root for name, root in self.roots.items() if names.fullmatch(name)]

    @cached_property
    def paragraphs(self) -> list[str]:
        """Words of every paragraph of every story, comments too, in order of parts."""
        return [words(p) for root in self.roots.values() for p in root.iter(qn("w:p"))]

    @cached_property
    def text(self) -> str:
        return "\n".join(self.paragraphs)

    @cached_property
    def pictures(self) -> Counter[str]:
        """Digests of the pictures shown in the body, with how often."""
        embedded = (blip.get(qn("r:embed")) for blip in self.body.iter(qn("a:blip")))
        parts = self.document.part.related_parts
        return Counter(hashlib.sha256(parts[key].blob).hexdigest() for key in embedded if key)

    @cached_property
    def fields(self) -> list[tuple[str, str]]:
        """Path and shown text of each DOCPROPERTY field that is not deleted."""
        return [(path_of(code), text) for root in self.stories()
                for code, text, runs in field_parts(root)
                if path_of(code) and not any(tag(a) in ("del", "moveFrom")
                                             for a in runs[0].iterancestors())]  # fmt: skip

    @cached_property
    def properties(self) -> dict[str, str]:
        root = self.roots.get("/docProps/custom.xml", ())
        return {node.get("name"): "".join(node.itertext()) for node in root}

    def near(self, marker: str) -> list[str]:
        """Words of the paragraphs that follow the one with a marker."""
        found = [p for p in self.body.iter(qn("w:p")) if marker in words(p)]
        after = found[0].itersiblings() if found else ()
        return [words(p) for p in after if tag(p) in ("p", "tbl")]


@dataclass(frozen=True)
class Kept:
    """Something that must be found afterwards; `said` may stand in the conflicts in its place."""

    what: str
    holds: Callable[[Seen], bool]
    said: str = "\0"
    listed: str = ""  # a text or path that must be among the conflicts, whatever the file says


# --- choosing -------------------------------------------------------------------------------


@dataclass
class Hand:
    """Whoever edits: a document, dice, and marks that are used once."""

    document: Any
    dice: Random
    folder: Path
    used: int = 0
    kept: list[Kept] = field(default_factory=list)
    figure_paths: frozenset[str] = frozenset()

    @property
    def body(self) -> Element:
        return self.document.element.body

    def mark(self) -> str:
        self.used += 1
        return f"手改{self.used:02d}第{self.dice.randrange(10**6):06d}号"

    def unique(self) -> int:
        self.used += 1
        return 1000 + self.used * 7

    def toc(self) -> set[Element]:
        """Paragraphs of contents and lists of captions."""
        found: set[Element] = set()
        depth: list[bool] = []
        for node in self.body.iter(qn("w:fldChar"), qn("w:instrText"), qn("w:p")):
            if tag(node) == "p":
                found |= {node} if any(depth) else set()
            elif tag(node) == "instrText":
                if depth and (node.text or "").strip().startswith("TOC"):
                    depth[-1] = True
                    found.add(next(node.iterancestors(qn("w:p"))))
            else:
                kind = node.get(qn("w:fldCharType"))
                depth = [*depth, False] if kind == "begin" else depth
                depth = depth[:-1] if kind == "end" else depth
        return found

    def paragraphs(self, *, table: bool | None = None, least: int = 1) -> list[Element]:
        toc = self.toc()
        found = []
        for p in self.body.iter(qn("w:p")):
            inside = any(tag(a) == "tbl" for a in p.iterancestors())
            if p in toc or (table is not None and inside is not table):
                continue
            if len(words(p)) >= least and p.find(f".//{qn('w:sectPr')}") is None:
                found.append(p)
        return found

    def paragraph(self, **how: Any) -> Element | None:
        found = self.paragraphs(**how)
        return self.dice.choice(found) if found else None

    def runs(self, least: int = 2) -> list[Element]:
        """Runs of plain text outside fields and contents."""
        found = []
        for p in self.paragraphs():
            depth = 0
            for r in p.iter(qn("w:r")):
                for mark in r.iter(qn("w:fldChar")):
                    kind = mark.get(qn("w:fldCharType"))
                    depth += (kind == "begin") - (kind == "end")
                text = "".join(t.text or "" for t in r.iter(qn("w:t")))
                if depth == 0 and len(text) >= least and tag(r.getparent()) == "p":
                    found.append(r)
        return found

    def run(self, least: int = 2) -> Element | None:
        found = self.runs(least)
        return self.dice.choice(found) if found else None

    def bound(self) -> list[tuple[str, list[Element], list[Element]]]:
        """Path, all runs and result runs of each complex bound field of the body."""
        found = []
        for code, _, runs in field_parts(self.body):
            runs = list(dict.fromkeys(runs))
            if not path_of(code) or len(runs) < 4 or len({r.getparent() for r in runs}) > 1:
                continue
            marks = [r.find(qn("w:fldChar")) for r in runs]
            kinds = ["" if m is None else m.get(qn("w:fldCharType")) for m in marks]
            if kinds.count("separate") == 1 and kinds.count("begin") == 1:
                result = runs[kinds.index("separate") + 1 : kinds.index("end")]
                if result:
                    found.append((path_of(code), runs, result))
        return found

    def tables(self) -> list[Element]:
        return [t for t in self.body.iterchildren(qn("w:tbl")) if len(t.findall(qn("w:tr"))) > 1]

    def table(self) -> Element | None:
        found = self.tables()
        return self.dice.choice(found) if found else None

    def row(self) -> Element | None:
        table = self.table()
        return None if table is None else self.dice.choice(table.findall(qn("w:tr")))

    def expect(self, what: str, holds: Callable[[Seen], bool], said: str = "\0") -> None:
        self.kept.append(Kept(what, holds, said))

    def text(self, text: str) -> None:
        """That text must be somewhere."""
        self.expect(f"文字 {text}", lambda seen: text in seen.text, text)

    def listing(self, text: str) -> None:
        """That text or path must be among the conflicts."""
        self.kept.append(Kept(f"列出 {text}", lambda seen: True, listed=text))


def xml(source: str) -> Element:
    """An element from text; ``w:`` is known."""
    return parse_xml(re.sub(r"<(w:\w+)", rf"<\1 {_XMLNS}", source, count=1))


def new_run(text: str, looks: str = "") -> Element:
    inner = f"<w:rPr>{looks}</w:rPr>" if looks else ""
    return xml(f'<w:r>{inner}<w:t xml:space="preserve">{text}</w:t></w:r>')


def new_field(code: str, shown: str) -> list[Element]:
    """A complex field: its runs."""
    inner = ('<w:fldChar w:fldCharType="begin"/>', f"<w:instrText> {code} </w:instrText>",
             '<w:fldChar w:fldCharType="separate"/>', f"<w:t>{shown}</w:t>",
             '<w:fldChar w:fldCharType="end"/>')  # fmt: skip
    return [xml(f"<w:r>{part}</w:r>") for part in inner]


def new_paragraph(text: str, style: str = "") -> Element:
    looks = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return xml(f'<w:p>{looks}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>')


def looks_of(run: Element) -> Element:
    return run.get_or_add_rPr()


def picture_file(hand: Hand) -> tuple[Path, str]:
    colour = tuple(hand.dice.randrange(256) for _ in range(3))
    path = hand.folder / f"图{hand.unique()}.png"
    Image.new("RGB", (60, 40), colour).save(path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


# --- paragraphs and words -------------------------------------------------------------------


def add_paragraph(hand: Hand) -> None:
    place, mark = hand.paragraph(), hand.mark()
    if place is not None:
        place.addnext(new_paragraph(f"评价组补充说明{mark}。"))
        hand.text(mark)


def add_paragraph_with_own_heading(hand: Hand) -> None:
    place, mark = hand.paragraph(table=False), hand.mark()
    if place is not None:
        ids = {s.name: s.style_id for s in hand.document.styles}
        place.addnext(new_paragraph(f"正文{mark}"))
        place.addnext(new_paragraph(f"自拟小节{mark}", ids["Heading 3"]))
        hand.text(f"自拟小节{mark}")
        hand.text(f"正文{mark}")
        hand.expect(
            "小节的正文在其标题之后",
            lambda seen: f"正文{mark}" in "".join(seen.near(f"自拟小节{mark}")[:1]),
        )


def delete_paragraph(hand: Hand) -> None:
    place = hand.paragraph(table=False, least=6)
    if place is None:
        return
    said = words(place)
    alike = sum(words(p) == said for p in hand.body.iter(qn("w:p")))
    place.getparent().remove(place)
    if alike == 1:
        hand.expect(f"删去的“{said[:20]}”没有回来", lambda seen: said not in seen.paragraphs)


def move_paragraph(hand: Hand) -> None:
    place, target = hand.paragraph(table=False, least=6), hand.paragraph(table=False)
    if place is None or target is None or place is target:
        return
    mark = hand.mark()
    target.addnext(place)
    target.addnext(new_paragraph(mark))
    hand.text(mark)
    hand.expect("移到的地方不空", lambda seen: seen.near(mark)[0] != "")


def split_paragraph(hand: Hand) -> None:
    run = hand.run(8)
    if run is None:
        return
    place, mark = run.getparent(), hand.mark()
    new = xml("<w:p/>")
    if place.pPr is not None:
        new.append(copy.deepcopy(place.pPr))
    place.addnext(new)
    for node in [run, *run.itersiblings()]:
        new.append(node)
    run.addprevious(new_run(mark))
    hand.text(mark)
    first = words(place)
    if first:
        hand.expect("拆开的前半段", lambda seen: first in seen.paragraphs, first)


def join_paragraphs(hand: Hand) -> None:
    place = hand.paragraph(table=False, least=4)
    after = None if place is None else place.getnext()
    if after is None or tag(after) != "p" or after in hand.toc() or not words(after):
        return
    if after.find(f".//{qn('w:sectPr')}") is not None:
        return
    mark = hand.mark()
    place.append(new_run(mark))
    for node in [n for n in after if tag(n) != "pPr"]:
        place.append(node)
    after.getparent().remove(after)
    hand.text(mark)


def change_words(hand: Hand) -> None:
    run, mark = hand.run(), hand.mark()
    if run is not None:
        node = next(run.iter(qn("w:t")))
        text = node.text or ""
        cut = hand.dice.randrange(len(text) + 1)
        node.text = text[:cut] + mark + text[cut + 2 :]
        hand.text(mark)


def delete_words(hand: Hand) -> None:
    run = hand.run(12)
    if run is None:
        return
    node = next(run.iter(qn("w:t")))
    cut = hand.dice.randrange(2, len(node.text) - 6)
    node.text = node.text[:cut] + node.text[cut + 4 :]
    rest = words(run.getparent())
    hand.expect("删字后的段落", lambda seen: rest in seen.paragraphs, node.text[:40])


def append_words(hand: Hand) -> None:
    place, mark = hand.paragraph(), hand.mark()
    if place is not None:
        place.append(new_run(f"（{mark}）"))
        hand.text(mark)


def prepend_words(hand: Hand) -> None:
    run, mark = hand.run(), hand.mark()
    if run is not None:
        place = run.getparent()
        at = next(n for n in place if tag(n) != "pPr")
        at.addprevious(new_run(f"（{mark}）"))
        hand.text(mark)


def replace_everywhere(hand: Hand) -> None:
    """A term changed throughout, as people do with 全部替换."""
    old = hand.dice.choice(["项目", "绩效", "资金", "评价", "完成"])
    mark = hand.mark()
    changed = 0
    for run in hand.runs(1):
        for node in run.iter(qn("w:t")):
            if old in (node.text or ""):
                node.text = node.text.replace(old, mark)
                changed += 1
    if changed:
        hand.expect(
            f"{changed}处“{mark}”",
            lambda seen: seen.text.count(mark) > 0 and mark in seen.text,
            mark,
        )


def change_heading(hand: Hand) -> None:
    levels = {s.style_id for s in hand.document.styles if (s.name or "").startswith("Heading")}
    found = [p for p in hand.paragraphs(table=False) if p.style in levels]
    if found:
        place, mark = hand.dice.choice(found), hand.mark()
        place.append(new_run(mark))
        hand.text(mark)


def retype_heading(hand: Hand) -> None:
    """Delete a heading and write another in its place."""
    levels = {s.style_id for s in hand.document.styles if (s.name or "").startswith("Heading")}
    found = [p for p in hand.paragraphs(table=False) if p.style in levels]
    if found:
        place, mark = hand.dice.choice(found), hand.mark()
        place.addnext(new_paragraph(f"改写的标题{mark}", place.style))
        place.getparent().remove(place)
        hand.text(mark)


def line_break(hand: Hand) -> None:
    run, mark = hand.run(4), hand.mark()
    if run is not None:
        run.append(xml("<w:br/>"))
        run.append(xml(f"<w:t>{mark}</w:t>"))
        hand.text(mark)


# --- looks ----------------------------------------------------------------------------------

_LOOKS = [
    '<w:b/><w:color w:val="{c}"/>',
    '<w:i/><w:color w:val="{c}"/>',
    '<w:color w:val="{c}"/><w:highlight w:val="green"/>',
    '<w:color w:val="{c}"/><w:sz w:val="37"/>',
    '<w:color w:val="{c}"/><w:u w:val="single"/>',
    '<w:strike/><w:color w:val="{c}"/>',
    '<w:shd w:val="clear" w:color="auto" w:fill="{c}"/>',
    '<w:rFonts w:eastAsia="楷体"/><w:color w:val="{c}"/>',
    '<w:spacing w:val="{n}"/>',
    '<w:sz w:val="{n2}"/><w:szCs w:val="{n2}"/>',
]


def _set_looks(run: Element, looks: str) -> None:
    old = run.find(qn("w:rPr"))
    if old is not None:
        run.remove(old)
    run.insert(0, xml(f"<w:rPr>{looks}</w:rPr>"))


def _shown(text: str, key: str, value: str) -> Callable[[Seen], bool]:
    """Whether some text has a property of that value; of `text` some words if it is there."""

    def holds(seen: Seen) -> bool:
        for root in seen.stories():
            for node in root.iter(qn(f"w:{key}")):
                if value in node.attrib.values() and tag(node.getparent()) == "rPr":
                    run = node.getparent().getparent()
                    if "".join(t.text or "" for t in run.iter(qn("w:t"))).strip():
                        return True
        return False

    return holds


def _look(hand: Hand, runs: list[Element], what: str) -> None:
    colour, number = f"{hand.dice.randrange(0x100000, 0xFFFFFF):06X}", hand.unique()
    shape = hand.dice.choice(_LOOKS)
    size = 20 + number % 97
    for run in runs:
        _set_looks(run, shape.format(c=colour, n=number % 60 + 3, n2=size))
    text = "".join(t.text or "" for r in runs for t in r.iter(qn("w:t")))
    if "{c}" in shape:
        key, value = ("shd" if "shd" in shape else "color"), colour
        hand.expect(f"{what}的样子 {key}={value}", _shown(text, key, value), text)


def look_of_words(hand: Hand) -> None:
    run = hand.run(6)
    if run is None:
        return
    node = next(run.iter(qn("w:t")))
    text, cut = node.text, hand.dice.randrange(1, len(node.text) - 2)
    later = copy.deepcopy(run)
    node.text, next(later.iter(qn("w:t"))).text = text[:cut], text[cut:]
    for other in (node, next(later.iter(qn("w:t")))):
        other.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    run.addnext(later)
    _look(hand, [later], "几个字")


def look_of_paragraph(hand: Hand) -> None:
    place = hand.paragraph(least=4)
    if place is not None:
        runs = [r for r in place.iter(qn("w:r")) if next(r.iter(qn("w:t")), None) is not None]
        _look(hand, runs, "整段")


def look_of_number(hand: Hand) -> None:
    found = hand.bound()
    if found:
        path, _, result = hand.dice.choice(found)
        _look(hand, result, f"数字 {path}")


def layout_of_paragraph(hand: Hand) -> None:
    place = hand.paragraph(least=2)
    if place is None:
        return
    number = hand.unique()
    properties = place.get_or_add_pPr()
    for old in properties.findall(qn("w:ind")):
        properties.remove(old)
    spot = properties.find(qn("w:jc"))
    new = xml(f'<w:ind w:left="{number}"/>')
    later = {"jc", "textDirection", "textAlignment", "outlineLvl", "rPr", "sectPr", "pPrChange"}
    spot = next((n for n in properties if tag(n) in later), None)
    if spot is None:
        properties.append(new)
    else:
        spot.addprevious(new)
    hand.expect(
        f"缩进 {number}",
        lambda seen: any(
            n.get(qn("w:left"), n.get(qn("w:start"))) == str(number)
            for n in seen.body.iter(qn("w:ind"))
        ),
        words(place),
    )


def style_of_paragraph(hand: Hand) -> None:
    place, mark = hand.paragraph(table=False, least=4), hand.mark()
    if place is None:
        return
    styles = hand.document.styles
    style = styles.add_style(mark, 1)
    place.get_or_add_pPr().get_or_add_pStyle().val = style.style_id

    def holds(seen: Seen) -> bool:
        known = {s.name: s.style_id for s in seen.document.styles}
        return mark in known and any(p.style == known[mark] for p in seen.body.iter(qn("w:p")))

    hand.expect(f"样式 {mark}", holds, words(place))


def page_break(hand: Hand) -> None:
    place, mark = hand.paragraph(table=False), hand.mark()
    if place is not None:
        new = new_paragraph(mark)
        new.insert(0, xml('<w:r><w:br w:type="page"/></w:r>'))
        place.addnext(new)
        hand.expect(
            "分页符",
            lambda seen: any(
                mark in words(p) and next(p.iter(qn("w:br")), None) is not None
                for p in seen.body.iter(qn("w:p"))
            ) or any(mark in words(p) and "pageBreakBefore" in {tag(n) for n in p.iter()}
                     for p in seen.body.iter(qn("w:p"))),
        )  # fmt: skip


def own_section(hand: Hand) -> None:
    """A section of their own around a paragraph."""
    place, mark = hand.paragraph(table=False), hand.mark()
    if place is None:
        return
    sizes = copy.deepcopy(hand.body.sectPr)
    for node in [n for n in sizes if tag(n) not in ("pgSz", "pgMar")]:
        sizes.remove(node)
    new = new_paragraph(mark)
    new.get_or_add_pPr().append(sizes)
    place.addnext(new)
    count = sum(1 for _ in hand.body.iter(qn("w:sectPr")))
    hand.text(mark)
    hand.expect(
        "分节", lambda seen: sum(1 for _ in seen.body.iter(qn("w:sectPr"))) >= count
    )  # fmt: skip


def bullet_list(hand: Hand) -> None:
    place = hand.paragraph(table=False)
    number = hand.document.part.numbering_part.element.find(qn("w:num")).get(qn("w:numId"))
    if place is None:
        return
    for _ in range(3):
        mark = hand.mark()
        new = new_paragraph(mark)
        new.get_or_add_pPr().append(
            xml(f'<w:numPr><w:ilvl w:val="0"/><w:numId w:val="{number}"/></w:numPr>')
        )
        place.addnext(new)
        place = new
        hand.expect(
            "列表项",
            lambda seen, mark=mark: any(
                mark in words(p) and p.find(f".//{qn('w:numId')}") is not None
                for p in seen.body.iter(qn("w:p"))
            ),
        )


# --- tables ---------------------------------------------------------------------------------


def add_table(hand: Hand) -> None:
    place, mark = hand.paragraph(table=False), hand.mark()
    if place is None:
        return
    table = hand.document.add_table(2, 2)
    for number, cell in enumerate(table._cells):
        cell.text = f"{mark}格{number}"
        hand.text(f"{mark}格{number}")
    place.addnext(table._tbl)
    table._tbl.addnext(new_paragraph(""))


def delete_table(hand: Hand) -> None:
    table = hand.table()
    if table is None:
        return
    rows = [
        r for r in ["".join(map(words, r.iter(qn("w:p")))) for r in table.iter(qn("w:tr"))] if r
    ]
    table.getparent().remove(table)
    count = len(hand.tables())
    hand.expect("删去的表没有回来", lambda seen: _tables(seen) <= count, rows[0][:10])


def _tables(seen: Seen) -> int:
    return sum(len(t.findall(qn("w:tr"))) > 1 for t in seen.body.iterchildren(qn("w:tbl")))


def move_table(hand: Hand) -> None:
    table, place, mark = hand.table(), hand.paragraph(table=False), hand.mark()
    if table is None or place is None:
        return
    first = "".join(map(words, next(table.iter(qn("w:tr"))).iter(qn("w:p"))))
    place.addnext(new_paragraph(""))
    place.addnext(table)
    place.addnext(new_paragraph(mark))

    def holds(seen: Seen) -> bool:
        found = [p for p in seen.body.iter(qn("w:p")) if mark in words(p)]
        after = found[0].getnext() if found else None
        return after is not None and tag(after) == "tbl"

    hand.expect(f"移动的表“{first[:10]}”", holds, first[:10])


def edit_cell(hand: Hand) -> None:
    place, mark = hand.paragraph(table=True, least=0), hand.mark()
    if place is not None:
        place.append(new_run(mark))
        hand.text(mark)


def retype_cell(hand: Hand) -> None:
    row, mark = hand.row(), hand.mark()
    cells = [] if row is None else row.findall(qn("w:tc"))
    if cells:
        cell = hand.dice.choice(cells)
        for old in [c for c in cell if tag(c) != "tcPr"]:
            cell.remove(old)
        cell.append(new_paragraph(mark))
        hand.text(mark)


def add_row(hand: Hand) -> None:
    row = hand.row()
    if row is None:
        return
    new = xml("<w:tr/>")
    for _ in row.findall(qn("w:tc")):
        mark = hand.mark()
        cell = xml("<w:tc/>")
        cell.append(new_paragraph(mark))
        new.append(cell)
        hand.text(mark)
    row.addnext(new)


def copy_row(hand: Hand) -> None:
    """As Word's 插入行 and copy–paste do by script: bookmarks and all."""
    row, mark = hand.row(), hand.mark()
    if row is not None:
        new = copy.deepcopy(row)
        next(new.iter(qn("w:p"))).append(new_run(mark))
        row.addnext(new)
        hand.text(mark)


def delete_row(hand: Hand) -> None:
    row = hand.row()
    if row is None:
        return
    said = "".join(map(words, row.iter(qn("w:p"))))
    table = row.getparent()
    table.remove(row)
    if table.find(qn("w:tr")) is None:
        table.getparent().remove(table)
    if len(said) > 12:
        hand.expect(
            f"删去的行“{said[:12]}”没有回来",
            lambda seen: said not in
            {"".join(map(words, r.iter(qn("w:p")))) for r in seen.body.iter(qn("w:tr"))},
        )  # fmt: skip


def move_row(hand: Hand) -> None:
    table = hand.table()
    if table is None:
        return
    rows, mark = table.findall(qn("w:tr")), hand.mark()
    hand.dice.choice(rows[1:]).addnext(rows[hand.dice.randrange(1, len(rows))])
    cell = rows[0].findall(qn("w:tc"))[0]
    next(cell.iter(qn("w:p"))).append(new_run(mark))
    hand.text(mark)


def split_table(hand: Hand) -> None:
    table, mark = hand.table(), hand.mark()
    rows = [] if table is None else table.findall(qn("w:tr"))
    if len(rows) < 3:
        return
    cut = hand.dice.randrange(2, len(rows))
    new = xml("<w:tbl/>")
    for properties in (table.find(qn("w:tblPr")), table.find(qn("w:tblGrid"))):
        new.append(copy.deepcopy(properties))
    for row in rows[cut:]:
        new.append(row)
    table.addnext(new)
    table.addnext(new_paragraph(mark))
    hand.text(mark)
    hand.expect(
        "拆开的表",
        lambda seen: any(mark in words(p) and tag(p.getprevious()) == tag(p.getnext()) == "tbl"
                         for p in seen.body.iterchildren(qn("w:p"))),
        mark,
    )  # fmt: skip


def add_column(hand: Hand) -> None:
    table = hand.table()
    rows = [] if table is None else table.findall(qn("w:tr"))
    if not rows:
        return
    at = hand.dice.randrange(len(rows[0].findall(qn("w:tc"))))
    grid = table.find(qn("w:tblGrid"))
    grid.append(copy.deepcopy(grid[-1]))
    for row in rows:
        cells, mark = row.findall(qn("w:tc")), hand.mark()
        new = xml("<w:tc><w:tcPr><w:tcW w:w='600' w:type='dxa'/></w:tcPr></w:tc>")
        new.append(new_paragraph(mark))
        cells[min(at, len(cells) - 1)].addnext(new)
        hand.text(mark)


def delete_column(hand: Hand) -> None:
    table = hand.table()
    rows = [] if table is None else table.findall(qn("w:tr"))
    count = min((len(r.findall(qn("w:tc"))) for r in rows), default=0)
    if count < 3:
        return
    at = hand.dice.randrange(count)
    head = rows[0].findall(qn("w:tc"))[at]
    title = "".join(map(words, head.iter(qn("w:p"))))
    near = [words(next(c.iter(qn("w:p")))) for c in rows[0].findall(qn("w:tc")) if c is not head]
    for row in rows:
        row.remove(row.findall(qn("w:tc"))[at])
    grid = table.find(qn("w:tblGrid"))
    grid.remove(grid[-1])

    def holds(seen: Seen) -> bool:
        for found in seen.body.iter(qn("w:tr")):
            cells = [words(next(c.iter(qn("w:p")))) for c in found.findall(qn("w:tc"))]
            if cells == near:
                return True
        return False

    hand.expect(f"没有“{title}”一列的表头", holds, near[0])


def merge_cells(hand: Hand) -> None:
    row, mark = hand.row(), hand.mark()
    cells = [] if row is None else row.findall(qn("w:tc"))
    if len(cells) < 3:
        return
    first, second = cells[-2:]
    properties = first.get_or_add_tcPr()
    size = properties.find(qn("w:tcW"))
    if properties.find(qn("w:gridSpan")) is not None or size is None:
        return
    if second.find(f".//{qn('w:gridSpan')}") is not None:
        return
    size.addnext(xml('<w:gridSpan w:val="2"/>'))
    for node in [n for n in second if tag(n) != "tcPr"]:
        first.append(node)
    row.remove(second)
    next(first.iter(qn("w:p"))).append(new_run(mark))
    hand.text(mark)


def shade_cell(hand: Hand) -> None:
    row = hand.row()
    if row is None:
        return
    colour = f"{hand.dice.randrange(0x100000, 0xFFFFFF):06X}"
    cell = hand.dice.choice(row.findall(qn("w:tc")))
    text = "".join(map(words, cell.iter(qn("w:p"))))
    properties = cell.get_or_add_tcPr()
    later = {"noWrap", "tcMar", "textDirection", "tcFitText", "vAlign", "hideMark", "tcPrChange"}
    spot = next((n for n in properties if tag(n) in later), None)
    new = xml(f'<w:shd w:val="clear" w:color="auto" w:fill="{colour}"/>')
    properties.append(new) if spot is None else spot.addprevious(new)
    hand.expect(
        f"底纹 {colour}",
        lambda seen: any(n.get(qn("w:fill")) == colour for n in seen.body.iter(qn("w:shd"))),
        text,
    )


def width_of_column(hand: Hand) -> None:
    table, number = hand.table(), hand.unique()
    rows = [] if table is None else table.findall(qn("w:tr"))
    if rows:
        for row in rows:
            size = row.find(qn("w:tc")).find(f"{qn('w:tcPr')}/{qn('w:tcW')}")
            if size is not None:
                size.set(qn("w:w"), str(number))
        table.find(qn("w:tblGrid"))[0].set(qn("w:w"), str(number))
        hand.expect(
            f"列宽 {number}",
            lambda seen: any(abs(int(n.get(qn("w:w"))) - number) < 3
                             for n in seen.body.iter(qn("w:gridCol"))),
        )  # fmt: skip


def table_from_row(hand: Hand) -> None:
    """A table inside a cell."""
    row, mark = hand.row(), hand.mark()
    if row is not None:
        cell = hand.dice.choice(row.findall(qn("w:tc")))
        inner = hand.document.add_table(1, 2)
        inner._cells[0].text = mark
        cell.insert(sum(tag(c) == "tcPr" for c in cell), inner._tbl)
        hand.text(mark)


def paragraph_into_cell(hand: Hand) -> None:
    """A generated paragraph dragged into a table of their own."""
    place, mark = hand.paragraph(table=False, least=6), hand.mark()
    if place is None:
        return
    table = hand.document.add_table(1, 2)
    place.addprevious(table._tbl)
    table._tbl.addnext(new_paragraph(""))
    cell = table._cells[1]._tc
    cell.remove(next(cell.iter(qn("w:p"))))
    cell.append(place)
    table._cells[0].text = mark

    def holds(seen: Seen) -> bool:
        rows = [list(r.iter(qn("w:p"))) for r in seen.body.iter(qn("w:tr"))]
        mine = [row for row in rows if any(mark in words(p) for p in row)]
        return bool(mine) and words(mine[0][-1]) != ""

    hand.expect("拖进表格的段落", holds)


# --- pictures -------------------------------------------------------------------------------


def insert_picture(hand: Hand) -> None:
    place = hand.paragraph(table=False)
    if place is None:
        return
    path, digest = picture_file(hand)
    new = hand.document.add_paragraph()
    new.add_run().add_picture(str(path), width=Mm(40))
    place.addnext(new._p)
    hand.expect("插入的图片", lambda seen: seen.pictures[digest] > 0)


def _drawings(hand: Hand) -> list[Element]:
    return [d for d in hand.body.iter(qn("w:drawing")) if d.find(f".//{qn('a:blip')}") is not None]


def replace_picture(hand: Hand) -> None:
    found = _drawings(hand)
    if found:
        path, digest = picture_file(hand)
        key, _ = hand.document.part.get_or_add_image(str(path))
        hand.dice.choice(found).find(f".//{qn('a:blip')}").set(qn("r:embed"), key)
        hand.expect("换上的图片", lambda seen: seen.pictures[digest] > 0)


def resize_picture(hand: Hand) -> None:
    found = _drawings(hand)
    if found:
        size = 360 * hand.dice.randrange(2500, 9000)
        drawing = hand.dice.choice(found)
        for extent in (drawing.find(f".//{qn('wp:extent')}"), drawing.find(f".//{qn('a:ext')}")):
            if extent is not None:
                extent.set("cx", str(size))
        hand.expect(
            f"图宽 {size}",
            lambda seen: any(
                abs(int(n.get("cx")) - size) < 800 for n in seen.body.iter(qn("wp:extent"))
            ),
            drawing.find(f".//{qn('wp:docPr')}").get("descr", "\0"),
        )


def delete_picture(hand: Hand) -> None:
    found = _drawings(hand)
    if found:
        drawing = hand.dice.choice(found)
        mine, name = _digest(hand, drawing), _block(drawing)
        digests, names = [_digest(hand, d) for d in found], [_block(d) for d in found]
        photos = [d for d in found if _block(d).startswith("photo")]
        drawing.getparent().remove(drawing)
        if name.startswith("fig") and names.count(name) == 1:
            hand.expect(
                "删去的图没有回来",
                lambda seen: name not in {_block(d) for d in seen.body.iter(qn("w:drawing"))},
            )
        # changed data may show the last photo once more
        if drawing in photos[:-1] and digests.count(mine) == 1:
            hand.expect("删去的照片没有回来", lambda seen: not seen.pictures[mine])


def _block(drawing: Element) -> str:
    """The name a rendered picture keeps when its data change: without the digest of its bytes."""
    return drawing.find(f".//{qn('wp:docPr')}").get("name", "").rpartition("_")[0]


def _digest(hand: Hand, drawing: Element) -> str:
    key = drawing.find(f".//{qn('a:blip')}").get(qn("r:embed"))
    return hashlib.sha256(hand.document.part.related_parts[key].blob).hexdigest()


def copy_picture(hand: Hand) -> None:
    """Copy–paste of a figure: two drawings over one part."""
    found, place, mark = _drawings(hand), hand.paragraph(table=False), hand.mark()
    if found and place is not None:
        new = new_paragraph(mark)
        run = xml("<w:r/>")
        run.append(copy.deepcopy(hand.dice.choice(found)))
        new.append(run)
        place.addnext(new)

        def holds(seen: Seen) -> bool:
            mine = [p for p in seen.body.iter(qn("w:p")) if mark in words(p)]
            blips = [b for p in mine for b in p.iter(qn("a:blip"))]
            return bool(blips) and blips[0].get(qn("r:embed")) in seen.document.part.related_parts

        hand.expect("复制的图片", holds)


def move_picture(hand: Hand) -> None:
    found, place, mark = _drawings(hand), hand.paragraph(table=False), hand.mark()
    if not found or place is None:
        return
    holder = next(hand.dice.choice(found).iterancestors(qn("w:p")))
    if holder is place or any(tag(a) == "tc" for a in holder.iterancestors()):
        return
    place.addnext(holder)
    place.addnext(new_paragraph(mark))

    def holds(seen: Seen) -> bool:
        mine = [p for p in seen.body.iter(qn("w:p")) if mark in words(p)]
        after = mine[0].getnext() if mine else None
        return after is not None and next(after.iter(qn("w:drawing")), None) is not None

    hand.expect("移动的图", holds)


def retitle_picture(hand: Hand) -> None:
    found = _drawings(hand)
    if found:
        mark = hand.mark()
        hand.dice.choice(found).find(f".//{qn('wp:docPr')}").set("descr", mark)
        hand.expect(
            "图的替代文字",
            lambda seen: any(n.get("descr") == mark for n in seen.body.iter(qn("wp:docPr"))),
            mark,
        )


# --- comments and tracked changes -----------------------------------------------------------


def _comment(hand: Hand, first: Any, last: Any) -> None:
    mark = hand.mark()
    hand.document.add_comment([first, last], mark, author="复核人", initials="复")
    _expect_comment(hand, mark)


def _expect_comment(hand: Hand, mark: str) -> None:
    def holds(seen: Seen) -> bool:
        notes = seen.roots.get("/word/comments.xml", ())
        mine = [n for n in notes if any(mark in words(p) for p in n.iter(qn("w:p")))]
        if len(mine) != 1:
            return False
        key = mine[0].get(qn("w:id"))
        found = Counter(
            tag(n) for n in seen.body.iter(qn("w:commentReference"), qn("w:commentRangeStart"),
                                           qn("w:commentRangeEnd"))
            if n.get(qn("w:id")) == key
        )  # fmt: skip
        return (
            found["commentReference"] == 1
            and found["commentRangeStart"] == found["commentRangeEnd"]
        )

    hand.expect(f"批注 {mark}", holds)


def _run_of(hand: Hand, run: Element) -> Any:
    from docx.text.paragraph import Paragraph
    from docx.text.run import Run

    return Run(run, Paragraph(run.getparent(), hand.document._body))


def comment_on_words(hand: Hand) -> None:
    run = hand.run(1)
    if run is not None:
        _comment(hand, _run_of(hand, run), _run_of(hand, run))


def comment_on_number(hand: Hand) -> None:
    """Around the whole field, as Word does for a selected number."""
    found = hand.bound()
    if found:
        _, runs, _ = hand.dice.choice(found)
        _comment(hand, _run_of(hand, runs[0]), _run_of(hand, runs[-1]))


def comment_inside_number(hand: Hand) -> None:
    """On some digits of a number: all marks inside the field's result."""
    found = hand.bound()
    if found:
        _, _, result = hand.dice.choice(found)
        _comment(hand, _run_of(hand, result[0]), _run_of(hand, result[-1]))


def comment_over_paragraphs(hand: Hand) -> None:
    found = [r for r in hand.runs(2) if not any(tag(a) == "tc" for a in r.iterancestors())]
    if len(found) > 5:
        at = hand.dice.randrange(len(found) - 4)
        _comment(hand, _run_of(hand, found[at]), _run_of(hand, found[at + 4]))


def comment_on_picture(hand: Hand) -> None:
    found = [r for r in hand.body.iter(qn("w:r")) if r.find(qn("w:drawing")) is not None]
    if found:
        run = hand.dice.choice(found)
        _comment(hand, _run_of(hand, run), _run_of(hand, run))


def comment_on_contents(hand: Hand) -> None:
    found = [r for p in hand.toc() for r in p.iter(qn("w:r"))
             if next(r.iter(qn("w:t")), None) is not None]  # fmt: skip
    if found:
        run = hand.dice.choice(sorted(found, key=words))
        holder = run.getparent()
        at = holder if tag(holder) == "hyperlink" else run
        mark = hand.mark()
        note = hand.document.part._comments_part.comments.add_comment(mark, "复核人", "复")
        key = note._comment_elm.get(qn("w:id"))
        at.addprevious(xml(f'<w:commentRangeStart w:id="{key}"/>'))
        at.addnext(xml(f'<w:r><w:commentReference w:id="{key}"/></w:r>'))
        at.addnext(xml(f'<w:commentRangeEnd w:id="{key}"/>'))
        _expect_comment(hand, mark)


def _change(hand: Hand, kind: str, *content: Element) -> Element:
    new = xml(f'<w:{kind} w:id="{90000 + hand.unique()}" w:author="王复核" '
              'w:date="2025-07-01T09:00:00Z"/>')  # fmt: skip
    new.extend(content)
    return new


def _expect_change(hand: Hand, kind: str, mark: str) -> None:
    inner = {"ins": "t", "del": "delText"}[kind]
    hand.expect(
        f"修订 {kind} {mark}",
        lambda seen: any(
            mark in "".join(t.text or "" for t in node.iter(qn(f"w:{inner}")))
            and node.get(qn("w:author")) == "王复核"
            for root in seen.stories() for node in root.iter(qn(f"w:{kind}"))
        ),
        mark,
    )  # fmt: skip


def tracked_insertion(hand: Hand) -> None:
    run, mark = hand.run(2), hand.mark()
    if run is not None:
        run.addnext(_change(hand, "ins", new_run(mark)))
        _expect_change(hand, "ins", mark)


def _deleted(run: Element) -> Element:
    for text in run.iter(qn("w:t")):
        text.tag = qn("w:delText")
    for text in run.iter(qn("w:instrText")):
        text.tag = qn("w:delInstrText")
    return run


def tracked_deletion(hand: Hand) -> None:
    run = hand.run(3)
    if run is not None:
        text = words(run)
        new = _change(hand, "del")
        run.addprevious(new)
        new.append(_deleted(run))
        _expect_change(hand, "del", text)


def tracked_replacement(hand: Hand) -> None:
    run, mark = hand.run(3), hand.mark()
    if run is not None:
        new = _change(hand, "del")
        run.addprevious(new)
        new.append(_deleted(run))
        new.addnext(_change(hand, "ins", new_run(mark)))
        _expect_change(hand, "ins", mark)


def tracked_paragraph(hand: Hand) -> None:
    place, mark = hand.paragraph(table=False), hand.mark()
    if place is not None:
        new = xml("<w:p><w:pPr/></w:p>")
        looks = xml("<w:rPr/>")
        looks.append(_change(hand, "ins"))
        new[0].append(looks)
        new.append(_change(hand, "ins", new_run(mark)))
        place.addnext(new)
        _expect_change(hand, "ins", mark)


def tracked_paragraph_deletion(hand: Hand) -> None:
    run = hand.run(6)
    if run is None:
        return
    place = run.getparent()
    text = words(run)
    looks = xml("<w:rPr/>")
    looks.append(_change(hand, "del"))
    properties = place.get_or_add_pPr()
    for old in properties.findall(qn("w:rPr")):
        properties.remove(old)
    properties.append(looks)
    for each in [n for n in place if tag(n) == "r"]:
        new = _change(hand, "del")
        each.addprevious(new)
        new.append(_deleted(each))
    _expect_change(hand, "del", text)


def tracked_looks(hand: Hand) -> None:
    run = hand.run(3)
    if run is not None:
        colour = f"{hand.dice.randrange(0x100000, 0xFFFFFF):06X}"
        _set_looks(run, f'<w:color w:val="{colour}"/>')
        change = _change(hand, "rPrChange", xml("<w:rPr/>"))
        run.find(qn("w:rPr")).append(change)
        hand.expect("修订的格式", _shown(words(run), "color", colour), words(run))


def tracked_row(hand: Hand) -> None:
    row, mark = hand.row(), hand.mark()
    if row is None:
        return
    new = xml("<w:tr><w:trPr/></w:tr>")
    new[0].append(_change(hand, "ins"))
    for _ in row.findall(qn("w:tc")):
        cell = xml("<w:tc><w:p/></w:tc>")
        cell[0].append(_change(hand, "ins", new_run(mark)))
        new.append(cell)
    row.addnext(new)
    _expect_change(hand, "ins", mark)


def tracked_row_deletion(hand: Hand) -> None:
    row = hand.row()
    if row is None:
        return
    properties = row.get_or_add_trPr()
    change = _change(hand, "del")
    properties.append(change)
    key = change.get(qn("w:id"))
    hand.expect(
        "修订删行",
        lambda seen: any(
            n.get(qn("w:author")) == "王复核" and tag(n.getparent()) == "trPr"
            for n in seen.body.iter(qn("w:del"))
        ),
        "".join(map(words, row.iter(qn("w:p"))))[:6] or key,
    )


def tracked_move(hand: Hand) -> None:
    place, target = hand.paragraph(table=False, least=6), hand.paragraph(table=False)
    if place is None or target is None or place is target:
        return
    runs = [n for n in place if tag(n) == "r" and n.find(qn("w:t")) is not None]
    if not runs:
        return
    text, mark = words(runs[0]), hand.mark()
    new = xml("<w:p/>")
    new.append(_change(hand, "moveTo", copy.deepcopy(runs[0]), new_run(mark)))
    target.addnext(new)
    old = _change(hand, "moveFrom")
    runs[0].addprevious(old)
    old.append(runs[0])
    hand.expect("移到处的文字", lambda seen: text in seen.text and mark in seen.text, mark)


# --- fields ---------------------------------------------------------------------------------


def overtype_number(hand: Hand) -> None:
    found = hand.bound()
    if found:
        path, _, result = hand.dice.choice(found)
        number = f"{hand.dice.randrange(100, 999)}.77"
        next(result[0].iter(qn("w:t"))).text = number
        for other in result[1:]:
            other.getparent().remove(other)
        hand.listing(number)
        hand.listing(path)


def overtype_number_tracked(hand: Hand) -> None:
    found = hand.bound()
    if found:
        path, _, result = hand.dice.choice(found)
        number = f"{hand.dice.randrange(100, 999)}.78"
        result[0].addprevious(_change(hand, "ins", new_run(number)))
        for run in result:
            new = _change(hand, "del")
            run.addprevious(new)
            new.append(_deleted(run))
        hand.listing(number)
        hand.listing("王复核")
        hand.listing(path)


def add_to_number(hand: Hand) -> None:
    """Typing at the end of a number lands inside the field."""
    found = hand.bound()
    if found:
        path, _, result = hand.dice.choice(found)
        mark = hand.mark()
        result[-1].addnext(new_run(mark))
        hand.listing(mark)
        hand.listing(path)


def unlink_field(hand: Hand) -> None:
    """Ctrl+Shift+F9: the number stays as mere text."""
    found = hand.bound()
    if found:
        path, runs, result = hand.dice.choice(found)
        for run in runs:
            if run not in result:
                run.getparent().remove(run)
        hand.listing(path)


def delete_field(hand: Hand) -> None:
    found = hand.bound()
    if found:
        path, runs, _ = hand.dice.choice(found)
        for run in runs:
            run.getparent().remove(run)
        hand.listing(path)


def delete_field_tracked(hand: Hand) -> None:
    found = hand.bound()
    if found:
        path, runs, result = hand.dice.choice(found)
        text = "".join(t.text or "" for r in result for t in r.iter(qn("w:t")))
        for run in runs:
            new = _change(hand, "del")
            run.addprevious(new)
            new.append(_deleted(run))
        _expect_change(hand, "del", text)
        hand.listing(path)


def insert_field_tracked(hand: Hand) -> None:
    """A sentence with a bound number, typed under tracked changes."""
    found, place, mark = hand.bound(), hand.paragraph(), hand.mark()
    if found and place is not None:
        _, runs, _ = hand.dice.choice(found)
        place.append(
            _change(hand, "ins", new_run(mark), *copy.deepcopy(runs), new_run("后" + mark))
        )
        _expect_change(hand, "ins", mark)
        _expect_change(hand, "ins", "后" + mark)


def simple_field(hand: Hand) -> None:
    found = hand.bound()
    if found:
        path, runs, result = hand.dice.choice(found)
        new = xml(f'<w:fldSimple w:instr=" DOCPROPERTY &quot;{path}&quot; "/>')
        runs[0].addprevious(new)
        new.extend(result)
        for run in runs:
            if run not in result:
                run.getparent().remove(run)
        _expect_field(hand, path)


def _expect_field(hand: Hand, path: str) -> None:
    count = sum(path_of(code) == path for code, _, _ in field_parts(hand.body))
    hand.expect(
        f"{count}处 {path}",
        lambda seen: sum(p == path for p, _ in seen.fields) >= min(count, 1),
        path,
    )


def merge_format(hand: Hand) -> None:
    found = hand.bound()
    if found:
        path, runs, _ = hand.dice.choice(found)
        code = next(n for r in runs for n in r.iter(qn("w:instrText")))
        shapes = (
            " DOCPROPERTY  {}  \\* MERGEFORMAT ",
            ' docproperty "{}" \\* CHARFORMAT',
            ' DOCPROPERTY "{}" ',
        )
        shape = hand.dice.choice(shapes)
        code.text = shape.format(hand.dice.choice([path, path.upper()]))
        _expect_field(hand, path)


def split_code(hand: Hand) -> None:
    """Word splits instructions over runs."""
    found = hand.bound()
    if found:
        path, runs, _ = hand.dice.choice(found)
        code = next(r for r in runs if r.find(qn("w:instrText")) is not None)
        node = code.find(qn("w:instrText"))
        cut = len(node.text) // 2
        new = xml(f'<w:r><w:instrText xml:space="preserve">{node.text[cut:]}</w:instrText></w:r>')
        node.text = node.text[:cut]
        code.addnext(new)
        _expect_field(hand, path)


def split_result(hand: Hand) -> None:
    found = hand.bound()
    if found:
        path, _, result = hand.dice.choice(found)
        node = next(result[0].iter(qn("w:t")))
        new = copy.deepcopy(result[0])
        next(new.iter(qn("w:t"))).text = node.text[1:]
        node.text = node.text[:1]
        result[0].addnext(new)
        result[0].addnext(xml('<w:proofErr w:type="spellStart"/>'))
        _expect_field(hand, path)


def insert_fixed_path(hand: Hand) -> None:
    """From Word's own menu: a property the kit knows."""
    place, mark = hand.paragraph(), hand.mark()
    path = hand.dice.choice(["score.total", "score.grade", "funds.spent", "funds.execution_rate",
                             "score.groups.process.rate", "score.points"])  # fmt: skip
    if place is not None:
        place.append(new_run(mark))
        place.extend(new_field(f"DOCPROPERTY  {path}  \\* MERGEFORMAT", "0"))
        hand.text(mark)
        _expect_field(hand, path)


def nested_field(hand: Hand) -> None:
    place, mark = hand.paragraph(table=False), hand.mark()
    if place is not None:
        outer = new_field('IF = "优" "好" "一般"', f"结果{mark}")
        place.append(new_run(mark))
        place.extend([outer[0], xml("<w:r><w:instrText> IF </w:instrText></w:r>")])
        place.extend(new_field("DOCPROPERTY score.grade", "优"))
        next(outer[1].iter(qn("w:instrText"))).text = ' = "优" "好" "一般" '
        place.extend(outer[1:])
        hand.text(mark)


def own_property(hand: Hand) -> None:
    """A property and a field of the firm's own, and a built-in one."""
    from evalkit.ooxml import bind

    place, mark = hand.paragraph(table=False), hand.mark()
    if place is None:
        return
    bind.set_properties(hand.document, {"项目联系人": mark, "client.contact": mark}, keep=True)
    for code in ("DOCPROPERTY 项目联系人", 'DOCPROPERTY "client.contact"', "DOCPROPERTY Title"):
        place.extend(new_field(code, mark))
    hand.expect("自己的属性", lambda seen: seen.properties.get("项目联系人") == mark)
    hand.expect("自己的域", lambda seen: ("client.contact", mark) in seen.fields)
    hand.expect("内置属性的域", lambda seen: ("title", mark) in seen.fields)


def drop_properties(hand: Hand) -> None:
    """A converter lost docProps/custom.xml."""
    rels = hand.document.part.package.rels
    for key in [k for k, r in rels.items() if r.reltype.endswith("custom-properties")]:
        del rels[key]


def change_property(hand: Hand) -> None:
    """File → properties, then F9: number and property say the same, and both are wrong."""
    from evalkit.ooxml import bind

    found = [f for f in hand.bound() if f[0] in bind.properties(hand.document)]
    if found:
        path, _, _ = hand.dice.choice(found)
        number = f"{hand.dice.randrange(100, 999)}.79"
        bind.set_properties(hand.document, {path: number}, keep=True)
        for other, _, result in hand.bound():
            if other == path:
                next(result[0].iter(qn("w:t"))).text = number
                for more in result[1:]:
                    more.getparent().remove(more)
        hand.listing(number)
        hand.listing(path)


def edit_caption_number(hand: Hand) -> None:
    """Typing over 表3: inside a field, so it cannot stay and must be said."""
    found = []
    toc = hand.toc()
    for code, _, runs in field_parts(hand.body):
        if code.startswith(("SEQ", "REF _Ref_")) and runs[0].getparent() not in toc:
            shown = [r for r in runs if r.find(qn("w:t")) is not None]
            found += [shown] if shown else []
    if found:
        shown, mark = hand.dice.choice(found), hand.mark()
        next(shown[0].iter(qn("w:t"))).text = mark
        hand.text(mark)


def edit_contents(hand: Hand) -> None:
    found = [
        t for p in sorted(hand.toc(), key=words) for t in p.iter(qn("w:t")) if len(t.text or "") > 3
    ]
    if found:
        mark = hand.mark()
        hand.dice.choice(found).text = mark
        hand.text(mark)


# --- bookmarks, links, notes, other parts ---------------------------------------------------


def delete_bookmark(hand: Hand) -> None:
    found = list(hand.body.iter(qn("w:bookmarkStart")))
    if found:
        start = hand.dice.choice(found)
        key = start.get(qn("w:id"))
        for end in [e for e in hand.body.iter(qn("w:bookmarkEnd")) if e.get(qn("w:id")) == key]:
            end.getparent().remove(end)
        start.getparent().remove(start)


def copy_paragraph(hand: Hand) -> None:
    """A paragraph copied by script: its bookmark twice."""
    place, target, mark = (
        hand.paragraph(table=False, least=6),
        hand.paragraph(table=False),
        hand.mark(),
    )
    if place is None or target is None:
        return
    new = copy.deepcopy(place)
    target.addnext(new)
    new.append(new_run(mark))
    hand.text(mark)
    said = words(new)
    hand.expect("复制的段落", lambda seen: said in seen.paragraphs or mark in seen.text, mark)


def user_bookmark(hand: Hand) -> None:
    """A bookmark around generated words and a cross-reference to it."""
    run, place, number = hand.run(3), hand.paragraph(table=False), hand.unique()
    if run is None or place is None:
        return
    name = f"我的书签{number}"
    run.addprevious(xml(f'<w:bookmarkStart w:id="{70000 + number}" w:name="{name}"/>'))
    run.addnext(xml(f'<w:bookmarkEnd w:id="{70000 + number}"/>'))
    _reference(hand, place, f"REF {name} \\h", words(run))
    hand.expect("自己的书签", lambda seen: any(
        n.get(qn("w:name")) == name for n in seen.body.iter(qn("w:bookmarkStart"))))  # fmt: skip


def _reference(hand: Hand, place: Element, code: str, text: str) -> None:
    place.extend(new_field(code, text))
    kind = code.split(" \\")[0]
    hand.expect(f"交叉引用 {kind}", lambda seen: any(
        kind in c for root in seen.stories() for c, _, _ in field_parts(root)))  # fmt: skip


def reference_to_caption(hand: Hand) -> None:
    """Word's own cross-reference to a generated caption: a bookmark `_Ref` and a field."""
    found = [p for p in hand.paragraphs(table=False)
             if any(c.startswith("SEQ") for c, _, _ in field_parts(p))]  # fmt: skip
    place, number = hand.paragraph(table=False), hand.unique()
    if not found or place is None:
        return
    target = hand.dice.choice(found)
    name = f"_Ref99{number:07d}"
    first = next(n for n in target if tag(n) != "pPr")
    first.addprevious(xml(f'<w:bookmarkStart w:id="{80000 + number}" w:name="{name}"/>'))
    target.append(xml(f'<w:bookmarkEnd w:id="{80000 + number}"/>'))
    whole = "".join(t.text or "" for t in target.iter(qn("w:t")))
    tail = whole[-4:]
    place.append(new_run("参见"))
    _reference(hand, place, f"REF {name} \\h", whole)
    hand.expect(
        "引用的整个图表标题",
        lambda seen: any(name in c and tail in shown
                         for c, shown, _ in field_parts(seen.body)) or tail not in seen.text,
    )  # fmt: skip


def link(hand: Hand) -> None:
    place, mark = hand.paragraph(), hand.mark()
    if place is not None:
        key = hand.document.part.relate_to(
            f"https://www.example.org/{hand.unique()}",
            f"{_OFFICE}/relationships/hyperlink",
            is_external=True,
        )
        new = xml("<w:hyperlink/>")
        new.set(qn("r:id"), key)
        new.append(new_run(mark))
        place.append(new)
        _expect_link(hand, mark)


def _expect_link(hand: Hand, text: str) -> None:
    hand.expect(
        f"链接 {text[:12]}",
        lambda seen: any(
            text in words(n) for n in seen.body.iter(qn("w:hyperlink")) if n.get(qn("r:id"))
        ),
        text,
    )


def link_words(hand: Hand) -> None:
    """Generated words made into a link."""
    run = hand.run(3)
    if run is not None:
        key = hand.document.part.relate_to(
            f"https://www.example.org/{hand.unique()}",
            f"{_OFFICE}/relationships/hyperlink",
            is_external=True,
        )
        text = words(run)
        new = xml("<w:hyperlink/>")
        new.set(qn("r:id"), key)
        run.addprevious(new)
        new.append(run)
        _expect_link(hand, text)


def _part(hand: Hand, kind: str, root: str, reserved: str = "") -> Part:
    """The footnotes or endnotes part, made when it is not there."""
    part = hand.document.part
    for rel in part.rels.values():
        if rel.reltype.endswith(f"/{kind}"):
            return rel.target_part
    inner = "<w:p><w:r><w:separator/></w:r></w:p>"
    first = f'<w:{reserved} w:type="separator" w:id="-1">{inner}</w:{reserved}>'
    blob = f"<w:{root} {_XMLNS}>{first}</w:{root}>".encode()
    mime = f"application/vnd.openxmlformats-officedocument.wordprocessingml.{kind}+xml"
    new = Part(PackURI(f"/word/{kind}.xml"), mime, blob, part.package)
    part.relate_to(new, f"{_OFFICE}/relationships/{kind}")
    return new


def _note(hand: Hand, kind: str, *more: Element) -> None:
    run, mark = hand.run(2), hand.mark()
    if run is None:
        return
    part, number = _part(hand, f"{kind}s", f"{kind}s", kind), hand.unique()
    root = part.element if hasattr(part, "element") else parse_xml(part.blob)
    note = xml(f'<w:{kind} w:id="{number}"><w:p><w:r><w:t>{mark}</w:t></w:r></w:p></w:{kind}>')
    note[0].extend(more)
    root.append(note)
    if not hasattr(part, "element"):
        part._blob = serialize_part_xml(root)
    run.addnext(xml(f'<w:r><w:{kind}Reference w:id="{number}"/></w:r>'))
    hand.text(mark)
    hand.expect(
        f"{kind}的引用", lambda seen: sum(1 for _ in seen.body.iter(qn(f"w:{kind}Reference"))) > 0
    )


def footnote(hand: Hand) -> None:
    _note(hand, "footnote")


def footnote_with_number(hand: Hand) -> None:
    """A bound number in a footnote."""
    _note(hand, "footnote", *new_field("DOCPROPERTY score.total", "1"))
    _expect_field(hand, "score.total")


def endnote(hand: Hand) -> None:
    _note(hand, "endnote")


def edit_header(hand: Hand) -> None:
    section, mark = hand.dice.choice(list(hand.document.sections)), hand.mark()
    story = hand.dice.choice([section.header, section.footer])
    story.is_linked_to_previous = story.is_linked_to_previous
    if story.is_linked_to_previous:
        return
    story.paragraphs[0]._p.append(new_run(mark))
    hand.text(mark)


def _header_field(hand: Hand) -> tuple[list[Element], list[Element]] | None:
    for section in hand.document.sections:
        for story in (section.header, section.even_page_header, section.first_page_header):
            if story.is_linked_to_previous:
                continue
            for code, _, runs in field_parts(story._element):
                if path_of(code) == "document.header":
                    kept = list(dict.fromkeys(runs))
                    return kept, [r for r in kept if r.find(qn("w:t")) is not None]
    return None


def overtype_header(hand: Hand) -> None:
    found = _header_field(hand)
    if found and found[1]:
        mark = hand.mark()
        next(found[1][0].iter(qn("w:t"))).text = mark
        hand.listing(mark)


def unlink_header(hand: Hand) -> None:
    found = _header_field(hand)
    if found and found[1] and len(found[0]) > 3:
        for run in found[0]:
            if run not in found[1]:
                run.getparent().remove(run)
        hand.listing("document.header")


def _shape(hand: Hand, inside: str) -> Element:
    """A paragraph with a shape of the old kind, as Word writes text boxes and watermarks."""
    style, names = "width:100pt;height:30pt", 'xmlns:v="urn:schemas-microsoft-com:vml"'
    shape = f'<v:shape id="s{hand.unique()}" style="{style}">{inside}</v:shape>'
    return parse_xml(f"<w:p {_XMLNS} {names}><w:r><w:pict>{shape}</w:pict></w:r></w:p>")


def text_box(hand: Hand) -> None:
    place, mark = hand.paragraph(table=False), hand.mark()
    if place is not None:
        text = f"<w:p><w:r><w:t>{mark}</w:t></w:r></w:p>"
        box = f"<v:textbox><w:txbxContent>{text}</w:txbxContent></v:textbox>"
        place.addnext(_shape(hand, box))
        hand.text(mark)


def equation(hand: Hand) -> None:
    place, mark = hand.paragraph(table=False), hand.mark()
    if place is not None:
        math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
        place.append(parse_xml(
            f'<m:oMath xmlns:m="{math}"><m:r><m:t>{mark}</m:t></m:r></m:oMath>'))  # fmt: skip

        def holds(seen: Seen) -> bool:
            return any(mark in (t.text or "") for t in seen.body.iter(f"{{{math}}}t"))

        hand.expect("公式", holds)


def _control(hand: Hand, content: Element) -> None:
    """A content control around a paragraph or run."""
    mark, text = hand.mark(), words(content)
    new = xml(f'<w:sdt><w:sdtPr><w:alias w:val="{mark}"/></w:sdtPr><w:sdtContent/></w:sdt>')
    content.addprevious(new)
    new[1].append(content)
    hand.expect(
        "内容控件",
        lambda seen: any(n.get(qn("w:val")) == mark for n in seen.body.iter(qn("w:alias"))),
        text,
    )


def control_around_paragraph(hand: Hand) -> None:
    place = hand.paragraph(table=False, least=4)
    if place is not None and tag(place.getparent()) == "body":
        _control(hand, place)


def control_around_words(hand: Hand) -> None:
    run = hand.run(3)
    if run is not None:
        _control(hand, run)


def move_section(hand: Hand) -> None:
    """A heading with all that is under it, put before another heading."""
    levels = {s.style_id: s.name[-1] for s in hand.document.styles
              if (s.name or "").startswith("Heading")}  # fmt: skip
    heads = [
        p for p in hand.body.iterchildren(qn("w:p")) if p.style in levels and p not in hand.toc()
    ]
    if len(heads) < 3:
        return
    head, target = hand.dice.choice(heads), hand.dice.choice(heads)
    moving = [head]
    for node in head.itersiblings():
        if node.find(f".//{qn('w:sectPr')}") is not None or tag(node) == "sectPr":
            break
        if tag(node) == "p" and node.style in levels and levels[node.style] <= levels[head.style]:
            break
        moving.append(node)
    if target in moving:
        return
    mark = hand.mark()
    target.addprevious(new_paragraph(mark))
    for node in moving:
        target.addprevious(node)
    title = words(head)
    hand.text(mark)
    hand.expect(
        f"移走的“{title[:12]}”",
        lambda seen: seen.near(mark)[0][:4] == title[:4] or title not in seen.text,
    )


def copy_section(hand: Hand) -> None:
    """A heading with what is under it, copied: bookmarks, fields, pictures and all."""
    levels = {s.style_id: s.name[-1] for s in hand.document.styles
              if (s.name or "").startswith("Heading")}  # fmt: skip
    heads = [p for p in hand.body.iterchildren(qn("w:p"))
             if p.style in levels and levels[p.style] in "34"]  # fmt: skip
    if not heads:
        return
    head, mark = hand.dice.choice(heads), hand.mark()
    nodes = [head]
    for node in head.itersiblings():
        stop = tag(node) == "p" and node.style in levels
        if stop or node.find(f".//{qn('w:sectPr')}") is not None or tag(node) == "sectPr":
            break
        nodes.append(node)
    last = nodes[-1]
    for node in reversed(nodes):
        last.addnext(copy.deepcopy(node))
    last.addnext(new_paragraph(mark))
    hand.text(mark)
    title = words(head)
    hand.expect("复制的小节", lambda seen: seen.near(mark)[0] == title or mark in seen.text, mark)


def core_property(hand: Hand) -> None:
    mark = hand.mark()
    hand.document.core_properties.keywords = mark
    hand.expect("关键词", lambda seen: seen.document.core_properties.keywords == mark)


def track_revisions(hand: Hand) -> None:
    settings = hand.document.settings.element
    if settings.find(qn("w:trackRevisions")) is None:
        later = {
            "zoom",
            "embedTrueTypeFonts",
            "view",
            "removePersonalInformation",
            "writeProtection",
        }
        at = sum(tag(n) in later for n in settings)
        settings.insert(at, xml("<w:trackRevisions/>"))
        hand.expect("修订状态", lambda seen: seen.document.settings.element.find(
            qn("w:trackRevisions")) is not None)  # fmt: skip


def own_style(hand: Hand) -> None:
    """The look of body text changed for the whole report."""
    style = hand.document.styles["Body Text"]
    size = 11 + hand.dice.randrange(9)
    style.font.size = size * 12700
    hand.expect(
        "正文样式", lambda seen: seen.document.styles["Body Text"].font.size == size * 12700
    )


def set_text(hand: Hand) -> None:
    """python-docx's `paragraph.text = …`: runs, fields and bookmarks go."""
    from docx.text.paragraph import Paragraph

    place, mark = hand.paragraph(least=4), hand.mark()
    if place is not None:
        paths = [path_of(code) for code, _, _ in field_parts(place) if path_of(code)]
        Paragraph(place, hand.document._body).text = f"整段改写{mark}。"
        hand.text(f"整段改写{mark}。")
        for path in paths:
            hand.listing(path)


def set_cell(hand: Hand) -> None:
    tables = hand.document.tables
    if tables:
        table, mark = hand.dice.choice(tables), hand.mark()
        cells = table._cells
        hand.dice.choice(cells).text = mark
        hand.text(mark)


def grow_table(hand: Hand) -> None:
    """python-docx's `add_row` and `add_column`."""
    tables = [t for t in hand.document.tables if len(t.columns) > 1]
    if tables:
        table = hand.dice.choice(tables)
        for cell in (table.add_row().cells[0], table.add_column(Mm(20)).cells[-1]):
            mark = hand.mark()
            cell.text = mark
            hand.text(mark)


def delete_section(hand: Hand) -> None:
    nodes = _section(hand)
    if nodes:
        title, count = (
            words(nodes[0]),
            sum(words(p) == words(nodes[0]) for p in hand.body.iter(qn("w:p"))),
        )
        for node in nodes:
            node.getparent().remove(node)
        if count == 1:
            hand.expect(f"删去的“{title[:12]}”没有回来", lambda seen: title not in seen.paragraphs)


def _section(hand: Hand) -> list[Element]:
    levels = {s.style_id: s.name[-1] for s in hand.document.styles
              if (s.name or "").startswith("Heading")}  # fmt: skip
    heads = [
        p for p in hand.body.iterchildren(qn("w:p")) if p.style in levels and p not in hand.toc()
    ]
    if len(heads) < 3:
        return []
    nodes = [hand.dice.choice(heads)]
    for node in nodes[0].itersiblings():
        if node.find(f".//{qn('w:sectPr')}") is not None or tag(node) == "sectPr":
            break
        if (
            tag(node) == "p"
            and node.style in levels
            and levels[node.style] <= levels[nodes[0].style]
        ):
            break
        nodes.append(node)
    return nodes


def section_in_a_cell(hand: Hand) -> None:
    """A whole section put into a frame table."""
    nodes, mark = _section(hand), hand.mark()
    if nodes and not any(p in hand.toc() for n in nodes for p in n.iter(qn("w:p"))):
        table = hand.document.add_table(1, 1)
        nodes[0].addprevious(table._tbl)
        cell = table._cells[0]
        cell.text = mark
        cell._tc.extend(nodes)
        cell._tc.append(new_paragraph(""))
        hand.text(mark)


def replace_numbers(hand: Hand) -> None:
    """全部替换 does not stop at fields."""
    found = hand.bound()
    if found:
        path, _, result = hand.dice.choice(found)
        old = "".join(t.text or "" for r in result for t in r.iter(qn("w:t")))
        new = f"{hand.dice.randrange(1000, 9999)}.66"
        toc = hand.toc()
        for node in hand.body.iter(qn("w:t")):
            if node.text == old and next(node.iterancestors(qn("w:p"))) not in toc:
                node.text = new
        hand.listing(new)
        hand.listing(path)


def look_of_everything(hand: Hand) -> None:
    """Ctrl+A, then another size."""
    size = str(21 + hand.used)
    for run in hand.body.iter(qn("w:r")):
        if run.find(qn("w:t")) is not None:
            looks = run.get_or_add_rPr()
            for old in looks.findall(qn("w:sz")):
                looks.remove(old)
            looks._insert_sz(xml(f'<w:sz w:val="{size}"/>'))
    hand.expect(
        "全文的字号",
        lambda seen: sum(n.get(qn("w:val")) == size for n in seen.body.iter(qn("w:sz"))) > 300,
    )


def copy_number(hand: Hand) -> None:
    """A bound number copied into a sentence of one's own."""
    found, place, mark = hand.bound(), hand.paragraph(), hand.mark()
    if found and place is not None:
        path, runs, _ = hand.dice.choice(found)
        place.addnext(new_paragraph(f"据此{mark}："))
        place.getnext().extend(copy.deepcopy(runs))
        hand.text(f"据此{mark}：")
        _expect_field(hand, path)


def move_number(hand: Hand) -> None:
    found, place = hand.bound(), hand.paragraph()
    if found and place is not None:
        path, runs, _ = hand.dice.choice(found)
        place.extend(runs)
        _expect_field(hand, path)


def table_to_text(hand: Hand) -> None:
    table, mark = hand.table(), hand.mark()
    if table is not None:
        table.addprevious(new_paragraph(mark))
        for row in table.findall(qn("w:tr")):
            for p in row.iter(qn("w:p")):
                table.addprevious(p)
        table.getparent().remove(table)
        hand.text(mark)
        count = len(hand.tables())
        hand.expect("转成文字的表没有回来", lambda seen: _tables(seen) <= count)


def sort_rows(hand: Hand) -> None:
    table, mark = hand.table(), hand.mark()
    if table is not None:
        rows = table.findall(qn("w:tr"))[1:]
        for row in sorted(rows, key=lambda r: "".join(map(words, r.iter(qn("w:p")))), reverse=True):
            table.append(row)
        next(table.iter(qn("w:p"))).append(new_run(mark))
        hand.text(mark)


def row_to_other_table(hand: Hand) -> None:
    row, table, mark = hand.row(), hand.table(), hand.mark()
    if row is None or table is None or row.getparent() is table:
        return
    if len(row.getparent().findall(qn("w:tr"))) > 2:
        table.append(row)
        next(row.iter(qn("w:p"))).append(new_run(mark))
        hand.text(mark)


def empty_header(hand: Hand) -> None:
    for section in hand.document.sections:
        for story in (section.header, section.even_page_header):
            if not story.is_linked_to_previous and _header_field(hand):
                for p in story.paragraphs:
                    p.clear()
    if _header_field(hand) is None:
        hand.listing("document.header")


def watermark(hand: Hand) -> None:
    """As Word does it: a shape in every header."""
    mark = hand.mark()
    for section in hand.document.sections:
        if not section.header.is_linked_to_previous:
            text = f'<v:textpath string="{mark}"/>'
            section.header._element.append(_shape(hand, text))
    hand.expect(
        "水印",
        lambda seen: any(n.get("string") == mark for root in seen.stories() for n in root.iter()),
    )


def landscape(hand: Hand) -> None:
    section, number = hand.dice.choice(list(hand.document.sections)), hand.unique()
    section.left_margin = number * 635
    hand.expect("页边距", lambda seen: any(
        n.get(qn("w:left")) == str(number) for n in seen.body.iter(qn("w:pgMar"))))  # fmt: skip


def empty_paragraphs(hand: Hand) -> None:
    place = hand.paragraph(table=False)
    if place is not None:
        for _ in range(4):
            place.addnext(xml("<w:p/>"))


def second_contents(hand: Hand) -> None:
    place, mark = hand.paragraph(table=False), hand.mark()
    if place is not None:
        place.addnext(new_paragraph(""))
        new = place.getnext()
        new.extend(new_field('TOC \\o "1-2" \\h', "请更新"))
        new.addnext(new_paragraph(mark))
        hand.text(mark)
        count = _contents(hand.body)
        hand.expect("另一个目录", lambda seen: _contents(seen.body) == count)


def _contents(body: Element) -> int:
    return sum(code.startswith("TOC") for code, _, _ in field_parts(body))


def tracked_cell(hand: Hand) -> None:
    """Words of a row struck out and typed anew under tracked changes."""
    row, mark = hand.row(), hand.mark()
    inside = [] if row is None else [r for r in hand.runs(1) if row in r.iterancestors()]
    for run in inside[:1]:
        new = _change(hand, "del")
        run.addprevious(new)
        new.append(_deleted(run))
        new.addnext(_change(hand, "ins", new_run(mark)))
        _expect_change(hand, "ins", mark)


OPERATORS: list[Callable[[Hand], None]] = [
    add_paragraph, add_paragraph_with_own_heading, delete_paragraph, move_paragraph,
    split_paragraph, join_paragraphs, change_words, delete_words, append_words, prepend_words,
    replace_everywhere, change_heading, retype_heading, line_break, look_of_words,
    look_of_paragraph, look_of_number, layout_of_paragraph, style_of_paragraph, page_break,
    own_section, bullet_list, add_table, delete_table, move_table, edit_cell, retype_cell,
    add_row, copy_row, delete_row, move_row, split_table, add_column, delete_column,
    merge_cells, shade_cell, width_of_column, table_from_row, paragraph_into_cell,
    insert_picture, replace_picture, resize_picture, delete_picture, copy_picture, move_picture,
    retitle_picture, comment_on_words, comment_on_number, comment_inside_number,
    comment_over_paragraphs, comment_on_picture, comment_on_contents, tracked_insertion,
    tracked_deletion, tracked_replacement, tracked_paragraph, tracked_paragraph_deletion,
    tracked_looks, tracked_row, tracked_row_deletion, tracked_move, overtype_number,
    overtype_number_tracked, add_to_number, unlink_field, delete_field, delete_field_tracked,
    insert_field_tracked, simple_field, merge_format, split_code, split_result,
    insert_fixed_path, nested_field, own_property, drop_properties, change_property,
    edit_caption_number, edit_contents, delete_bookmark, copy_paragraph, user_bookmark,
    reference_to_caption, link, link_words, footnote, footnote_with_number, endnote,
    edit_header, overtype_header, unlink_header, text_box, equation, control_around_paragraph,
    control_around_words, move_section, copy_section, core_property, track_revisions, own_style,
    set_text, set_cell, grow_table, delete_section, section_in_a_cell, replace_numbers,
    look_of_everything, copy_number, move_number, table_to_text, sort_rows, row_to_other_table,
    empty_header, watermark, landscape, empty_paragraphs, second_contents, tracked_cell,
]  # fmt: skip


def edit(
    source: Path, target: Path, dice: Random, operators: list[Callable[[Hand], None]]
) -> list[Kept]:
    """Apply operators to a copy; what must survive is what the edited file really shows."""
    hand = Hand(Document(io.BytesIO(source.read_bytes())), dice, target.parent)
    for operator in operators:
        operator(hand)
    hand.document.save(str(target))
    return hand.kept
