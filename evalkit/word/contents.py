"""Fields with cached results: contents, numbered as Word numbers headings, lists of captions."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator

from docx.document import Document as WordDocument

from evalkit.core.numbers import chinese
from evalkit.ooxml import bind, oxml
from evalkit.ooxml.oxml import Element, el, field, paragraph, plain_text, qn, run, style_of
from evalkit.word.blocks import Page
from evalkit.word.narrative import heading_levels

_Entry = tuple[str, str, Element]  # style, text and target
_LIST_TITLE = "目录小标题"  # style of the titles of lists of tables and figures
_COMMENTS = ".//w:commentRangeStart | .//w:commentRangeEnd | .//*[w:commentReference]"


def _lists(fields: list[bind.Field]) -> list[tuple[str, list[Element]]]:
    """Instruction and paragraphs of the contents and of each list of captions."""
    found = []
    for item in fields:
        if item.code.split()[:1] == ["TOC"]:
            holders = dict.fromkeys(p for m in item.marks for p in m.iterancestors(qn("w:p")))
            found.append((item.code, list(holders)))
    return found


def _put(spanned: list[Element], entries: list[Element]) -> None:
    """Set entries in the place of the paragraphs of a list; comments and ends of sections stay."""
    for entry in entries:
        spanned[0].addprevious(entry)
    for old in spanned:
        if entries:
            entries[0].extend(old.xpath(_COMMENTS))
        if old.xpath(".//w:sectPr"):
            old.clear_content()
        else:
            old.getparent().remove(old)


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
            entries[0][1:1] = opening  # after the paragraph's properties
            entries[-1].append(end)
        else:
            spanned += [p for p in spanned[0].itersiblings(qn("w:p"), preceding=True)
                        if style_of(p) == page.ids.get(_LIST_TITLE.lower())][:1]  # fmt: skip
        _put(spanned, entries)


def _said(entry: Element) -> tuple[str, str]:
    """Text and page number of an entry."""
    text, tab, last = "".join(r.text for r in entry.iter(qn("w:r"))).strip().rpartition("\t")
    return (text, last) if tab else (last, "")


def _listed(document: WordDocument, code: str, fields: list[bind.Field]) -> Iterator[_Entry]:
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
    target.extend(oxml.bookmark(name, *(c for c in target if c.tag != qn("w:pPr"))))
    return name


class _Numbers:
    """Counts headings as Word's multilevel numbering does."""

    def __init__(self, document: WordDocument) -> None:
        self.counts: dict[tuple[int, int], int] = {}
        self.places: dict[str, tuple[int, int]] = {}  # style id → list, level
        self.shapes: dict[tuple[int, int], list[str]] = {}  # list, level → format, text
        root = document.part.numbering_part.element
        lists = {number.numId: number.abstractNumId.val for number in root.num_lst}
        for style in document.styles.element.style_lst:
            for number in style.xpath("w:pPr/w:numPr[w:numId]"):
                if number.numId.val in lists:
                    depth = 0 if number.ilvl is None else number.ilvl.val
                    self.places[style.styleId] = lists[number.numId.val], depth
        for level in root.xpath("w:abstractNum/w:lvl[w:numFmt and w:lvlText]"):
            place = level.getparent().get(qn("w:abstractNumId")), level.get(qn("w:ilvl"))
            shape = (level.find(qn(f"w:{n}")).get(qn("w:val"), "") for n in ("numFmt", "lvlText"))
            self.shapes[int(place[0]), int(place[1])] = list(shape)

    def next(self, style: str) -> str:
        """The number of the next heading of a style, empty for styles without numbers."""
        key, level = self.places.get(style, (-1, 0))
        if (key, level) not in self.shapes:
            return ""
        self.counts[key, level] = self.counts.get((key, level), 0) + 1
        self.counts = {k: n for k, n in self.counts.items() if k[0] != key or k[1] <= level}
        text = self.shapes[key, level][1]
        for depth in range(level + 1):
            kind, count = self.shapes[key, depth][0], self.counts.get((key, depth), 1)
            text = text.replace(f"%{depth + 1}", chinese(count) if "hinese" in kind else str(count))
        return text
