"""Fields with cached results: contents, numbered as Word numbers headings, lists of captions."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator

from docx.document import Document as WordDocument
from docx.oxml.ns import qn

from evalkit.core.numbers import chinese
from evalkit.ooxml import bind
from evalkit.ooxml.oxml import Element, bookmark, el, field, paragraph, plain_text, run, style_of
from evalkit.word.blocks import Page
from evalkit.word.narrative import heading_levels

LIST_TITLE = "目录小标题"  # style of the titles of lists of tables and figures


def _lists(fields: list[bind.Field]) -> list[tuple[str, list[Element]]]:
    """Instruction and paragraphs of the contents and of each list of captions."""
    found = []
    for item in fields:
        if item.code.split()[:1] == ["TOC"]:
            holders = dict.fromkeys(p for m in item.marks for p in m.iterancestors(qn("w:p")))
            found.append((item.code, list(holders)))
    return found


def _put(spanned: list[Element], entries: list[Element]) -> None:
    for entry in entries:
        spanned[0].addprevious(entry)
    for mark in [n for old in spanned for n in old.iter() if _comments(n)] if entries else ():
        entries[0].append(mark)
    for old in spanned:
        ends_section = old.find(f".//{qn('w:sectPr')}") is not None
        for gone in [c for c in old if c.tag != qn("w:pPr")] if ends_section else [old]:
            gone.getparent().remove(gone)


def _comments(node: Element) -> bool:
    return (
        node.tag in (qn("w:commentRangeStart"), qn("w:commentRangeEnd"))
        or node.find(qn("w:commentReference")) is not None
    )


def collapse(document: WordDocument) -> None:
    """Forget cached entries: in a template they repeat headings, template fields and all."""
    for code, spanned in _lists(bind.fields(document.element.body)):
        _put(spanned, [paragraph(style_of(spanned[0]), *field(code, [run("…")], dirty=True))])


def fill(document: WordDocument, page: Page, found: list[bind.Field]) -> None:
    """Write the entries of contents and lists of captions as links to what they name.

    A list that says it already is left alone; one of captions goes with its title where there are
    none. Page numbers are known to a word processor alone: those it has written stay, and leaders
    to nothing would look broken. The field is marked dirty, so Word sets numbers and leaders when
    it opens the file, without a switch that would ask at every later opening too.
    """
    body = document.element.body
    for code, spanned in _lists(found):
        wanted = list(_listed(document, code, found))
        said = [pair for entry in spanned if (pair := _said(entry))[0]]
        names = Counter(mark.get(qn("w:name")) for mark in body.iter(qn("w:bookmarkStart")))
        links = {link.get(qn("w:anchor")) for p in spanned for link in p.iter(qn("w:hyperlink"))}
        if [text for text, _ in said] == [text for _, text, _ in wanted] and links <= set(names):
            continue
        entries: list[Element] = []
        for style, text, target in wanted:
            shown = "\t".join(filter(None, (text, dict(said).get(text))))
            link = el("hyperlink", run(shown), anchor=_anchor(target, names), history=1)
            entries.append(paragraph(page.style(style), link))
        if entries:
            *opening, end = field(code, [], dirty=True)
            for item in reversed(opening):
                entries[0].pPr.addnext(item)
            entries[-1].append(end)
        else:
            spanned += [p for p in spanned[0].itersiblings(qn("w:p"), preceding=True)
                        if style_of(p) == page.ids.get(LIST_TITLE.lower())][:1]  # fmt: skip
        _put(spanned, entries)


def _said(entry: Element) -> tuple[str, str]:
    """Text and page number of an entry."""
    text, tab, last = "".join(r.text for r in entry.iter(qn("w:r"))).strip().rpartition("\t")
    return (text, last) if tab else (last, "")


def _listed(
    document: WordDocument, code: str, fields: list[bind.Field]
) -> Iterator[tuple[str, str, Element]]:
    """Style, text and target of the entries that an instruction asks for."""
    if label := re.search(r'\\c\s+"?([^"\s]+)', code):
        for item in fields:
            if item.code.split()[:2] == ["SEQ", label[1]]:
                target = next(item.marks[0].iterancestors(qn("w:p")))
                yield "table of figures", plain_text(target).strip(), target
        return
    levels, numbers = heading_levels(document), _Numbers(document)
    span = re.search(r'\\o\s+"?\d-(\d)', code)
    bare = f"{qn('w:pPr')}/{qn('w:numPr')}/{qn('w:numId')}[@{qn('w:val')}='0']"
    for heading in document.element.body.iterchildren(qn("w:p")):
        style = style_of(heading)
        if style not in levels and style not in numbers.places:
            continue
        title = plain_text(heading).strip()
        number = numbers.next(style) if heading.find(bare) is None else ""
        if title and 0 < levels.get(style, 0) <= (int(span[1]) if span else 3):
            yield f"toc {levels[style]}", number + title, heading


def _anchor(target: Element, names: Counter[str]) -> str:
    """The bookmark of a heading or caption that links go to, set where there is none."""
    for mark in target.iter(qn("w:bookmarkStart")):
        name: str = mark.get(qn("w:name"), "")
        if name.startswith(("_Toc", "_Ref")) and names[name] == 1:
            return name
    name = next(n for n in (f"_Toc{i:08d}" for i in itertools.count(1)) if n not in names)
    names[name] = 1
    target.extend(bookmark(name, *(c for c in target if c.tag != qn("w:pPr"))))
    return name


class _Numbers:
    """Counts headings as Word's multilevel numbering does."""

    def __init__(self, document: WordDocument) -> None:
        self.counts: dict[tuple[str, int], int] = {}
        self.places: dict[str, tuple[str, int]] = {}  # style id → list, level
        self.shapes: dict[tuple[str, int], tuple[str, str]] = {}  # list, level → format, text
        root = document.part.numbering_part.element
        lists = {n.get(qn("w:numId")): n.find(qn("w:abstractNumId")).get(qn("w:val"))
                 for n in root.iterchildren(qn("w:num"))}  # fmt: skip
        for style in document.styles:
            number, level = (style.element.find(f"{qn('w:pPr')}/{qn('w:numPr')}/{qn(tag)}")
                             for tag in ("w:numId", "w:ilvl"))  # fmt: skip
            if number is not None and number.get(qn("w:val")) in lists:
                depth = 0 if level is None else int(level.get(qn("w:val")))
                self.places[style.style_id] = (lists[number.get(qn("w:val"))], depth)
        for level in root.iter(qn("w:lvl")):
            place = (level.getparent().get(qn("w:abstractNumId")), int(level.get(qn("w:ilvl"))))
            kind, text = (level.find(qn(tag)) for tag in ("w:numFmt", "w:lvlText"))
            if kind is not None and text is not None:
                self.shapes[place] = (kind.get(qn("w:val")), text.get(qn("w:val"), ""))

    def next(self, style: str) -> str:
        """The number of the next heading of a style, empty for styles without numbers."""
        key, level = self.places.get(style, ("", 0))
        if (key, level) not in self.shapes:
            return ""
        self.counts[key, level] = self.counts.get((key, level), 0) + 1
        self.counts = {k: n for k, n in self.counts.items() if k[0] != key or k[1] <= level}
        text = self.shapes[key, level][1]
        for depth in range(level + 1):
            kind, count = self.shapes[key, depth][0], self.counts.get((key, depth), 1)
            text = text.replace(f"%{depth + 1}", chinese(count) if "hinese" in kind else str(count))
        return text
