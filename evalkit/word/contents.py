"""Fields with cached results, and the contents, numbered as Word numbers its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docx.document import Document as WordDocument
from docx.oxml.ns import qn

from evalkit.core.numbers import chinese
from evalkit.word.blocks import Page
from evalkit.word.narrative import heading_levels
from evalkit.word.oxml import Element, bookmark, el, field, paragraph, plain_text, run, style_of


def fields(body: Element) -> Iterator[tuple[str, list[Element]]]:
    """Instruction and result runs of every complex field that holds no other field."""
    code, result, inside = "", [], ""  # type: str, list[Element], str
    for node in body.iter(qn("w:r")):
        mark = node.find(qn("w:fldChar"))
        if mark is not None:
            inside = mark.get(qn("w:fldCharType"), "")
            if inside == "begin":
                code, result = "", []
            elif inside == "end" and result:
                yield code.strip(), result
        elif inside == "begin":
            code += "".join(t.text or "" for t in node.iter(qn("w:instrText")))
        elif inside == "separate":
            result.append(node)


def set_result(result: list[Element], text: str) -> None:
    """Write a field's cached result into its first run."""
    for old in result[0].findall(qn("w:t")):
        result[0].remove(old)
    result[0].extend(list(run(text)))
    for other in result[1:]:
        other.getparent().remove(other)


def _contents(document: WordDocument) -> tuple[list[Element], str]:
    """The paragraphs of the first TOC field from its begin to its end, and its instruction."""
    depth, code = 0, ""
    spanned: list[Element] = []
    for element in document.element.body.iter(qn("w:p")):
        said = (t.text.strip() for t in element.iter(qn("w:instrText")) if t.text)
        code = code or next((text for text in said if text.startswith("TOC")), "")
        if not code:
            continue
        spanned.append(element)
        kinds = [mark.get(qn("w:fldCharType")) for mark in element.iter(qn("w:fldChar"))]
        depth += kinds.count("begin") - kinds.count("end")
        if depth <= 0:
            break
    return spanned, code


def _put(spanned: list[Element], entries: list[Element]) -> None:
    for entry in entries:
        spanned[0].addprevious(entry)
    for old in spanned:
        old.getparent().remove(old)


def collapse(document: WordDocument) -> None:
    """Forget cached entries: in a template they repeat headings, template fields and all."""
    spanned, code = _contents(document)
    if spanned:
        _put(spanned, [paragraph(style_of(spanned[0]), *field(code, [run("…")], dirty=True))])


def fill(document: WordDocument, page: Page) -> None:
    """Write the contents' entries as links to the headings, without page numbers.

    Page numbers are known to a word processor alone; leaders to nothing would look broken. The
    field is marked dirty, so Word sets numbers and leaders when it opens the file, without a switch
    that would ask at every later opening too.
    """
    spanned, code = _contents(document)
    span = re.search(r'\\o "\d-(\d)"', code)
    deepest, levels = int(span[1]) if span else 3, heading_levels(document)
    numbers = _Numbers(document)
    entries: list[Element] = []
    for heading in document.element.body.iterchildren(qn("w:p")) if spanned else ():
        style = style_of(heading)
        number = numbers.next(style)
        if not 0 < levels.get(style, 0) <= deepest or not plain_text(heading).strip():
            continue
        name = f"_Toc{len(entries) + 1:08d}"
        heading.extend(bookmark(name, *(c for c in heading if c.tag != qn("w:pPr"))))
        text = run(number + plain_text(heading).strip())
        link = el("hyperlink", text, anchor=name, history=1)
        entries.append(paragraph(page.style(f"toc {levels[style]}"), link))
    if entries:
        *opening, end = field(code, [], dirty=True)
        for item in reversed(opening):
            entries[0].pPr.addnext(item)
        entries[-1].append(end)
        _put(spanned, entries)


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
