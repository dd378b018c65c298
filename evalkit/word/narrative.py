"""文字.docx: an evaluator's own prose, put under the report's headings of the same name.

Words, tables, lists and pictures are kept; fonts and styles become the report's. Elements are let
through by name, so what could act or reach out (links, field instructions, macros, embedded
objects) stays behind, and what a person would miss is said.
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docx.document import Document as WordDocument
from docx.exceptions import InvalidXmlError
from docx.image.exceptions import UnrecognizedImageError
from docx.oxml.ns import qn

from evalkit.core.problem import Problem
from evalkit.ooxml import package, transplant
from evalkit.ooxml.oxml import (
    EMU_PER_DXA,
    GAP,
    MARK_REFERENCE,
    Element,
    clean,
    el,
    local_name,
    paragraph,
    plain_text,
    run,
    style_of,
)
from evalkit.word.blocks import Page, caption, fitted, frame, gap, picture, room

_SHORT_ROW = 200  # characters
_SMALL_TABLE = 14  # rows: such a table stays on one page
_TOTALS = ("合计", "总计", "小计")  # never alone on a page
_CAPTION = 40  # characters: what is longer is a sentence
_LABEL = re.compile(r"([表图])\s?(\d+(?:[-－—.．]\d+)*)")
_OWN_LABEL = re.compile(rf"{_LABEL.pattern}[\s:：、.．]*|([表图])()[:：\s]+")
_NUMBERING = re.compile(
    r"^(?:第[一二三四五六七八九十\d]+[章节部分]+|附件\d*|[（(]?[一二三四五六七八九十\d]{1,3}[）)、．.，,]|[①-⑳])"
)
_BROKEN = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError,
           InvalidXmlError, UnrecognizedImageError)  # fmt: skip
_OPENED = {"hyperlink", "ins", "moveTo", "smartTag", "fldSimple", "sdt", "sdtContent", "customXml"}
_RUN_LOOKS = {"b", "i", "u", "strike", "vertAlign"}
_CELL_LOOKS = {"gridSpan", "vMerge"}
_SAID = {
    "object": "嵌入对象", "pict": "旧格式图形", "AlternateContent": "文本框或形状",
    "altChunk": "嵌入的文件", "footnoteReference": "脚注", "endnoteReference": "尾注",
}  # fmt: skip


def heading_key(text: str) -> str:
    """A heading without numbering, spaces and punctuation at its end.

    >>> heading_key("（一） 项目概况："), heading_key("1．项目 背景")
    ('项目概况', '项目背景')
    """
    bare = re.sub(r"\s+", "", text)
    while (shorter := _NUMBERING.sub("", bare)) and shorter != bare:
        bare = shorter
    return bare.strip("：:。.")


def heading_levels(document: WordDocument) -> dict[str, int]:
    """Style id → level 1–9 of the styles that make headings, by name or outline level."""
    found = {}
    for style in document.styles:
        outline = style.element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        named = re.fullmatch(r"(?i)(?:heading|标题)\s*([1-9])", style.name or "")
        if named:
            found[style.style_id] = int(named[1])
        elif outline is not None and outline.get(qn("w:val"), "9") < "9":
            found[style.style_id] = int(outline.get(qn("w:val"))) + 1
    return found


@dataclass(frozen=True)
class Outline:
    """The report's headings: normalised name → level and paragraph (the first of that name)."""

    levels: dict[str, int]
    sections: dict[str, tuple[int, Element]]

    @classmethod
    def of(cls, document: WordDocument) -> Outline:
        """The outline of a rendered report."""
        levels = heading_levels(document)
        found: dict[str, tuple[int, Element]] = {}
        for element in document.element.body.iterchildren(qn("w:p")):
            if level := levels.get(style_of(element)):
                found.setdefault(heading_key(plain_text(element)), (level, element))
        return cls(levels, found)

    def end_of(self, heading: Element, stop: str) -> Element:
        """The last element of a section's own content; `stop` is a style that ends it too."""
        last, ends = heading, {stop, *self.levels}
        for node in heading.itersiblings():
            if style_of(node) in ends or next(node.iter(qn("w:sectPr")), None) is not None:
                break
            last = node
        return last


def insert_narrative(outline: Outline, page: Page, source: Path) -> list[Problem]:
    """Put each section of `source` at the end of the report's section of the same name.

    A heading deeper than the section it stands in comes along as a sub-heading. Returns warnings.

    Raises:
        EvalkitError: `source` is not a Word document.
    """
    theirs = package.open_document(source)
    levels = heading_levels(theirs)
    copier = _Copier(theirs, page)
    target: Element | None = None  # what the next element comes after
    base, depth, loose = 0, 0, True  # the section's level there and here; no heading seen yet
    for element in _flat(theirs.element.body):
        if local_name(element) not in ("p", "tbl"):
            copier.left_out(element)
            continue
        title, level = plain_text(element).strip(), levels.get(style_of(element), 0)
        if level and title:
            loose = False
            match = outline.sections.get(heading_key(title))
            if match is not None:
                base, depth = match[0], level
                target = outline.end_of(match[1], page.style("TOC Heading"))
                continue
            if target is None or level <= depth:
                target = None
                what = f"标题“{title}”不是报告的章节，其下内容未写入报告"
                copier.say(what, _hint(title, outline))
                continue
        if target is None:
            if title and loose:
                copier.say(f"“{title[:20]}…”前面没有标题，未写入报告", "请加上与报告章节相同的标题")
            continue
        try:
            new = copier.block(element, min(4, base + max(1, level - depth)) if level else 0)
        except _BROKEN:
            copier.say(f"“{title[:20]}…”的格式损坏，未写入报告", "请在 Word 中重新输入该段或该表")
            continue
        drawn = next(new[0].iter(qn("w:drawing")), None) is not None
        if not title and not drawn and local_name(new[0]) == "p":
            continue  # an empty line: distances are the template's
        for item in reversed(new):
            target.addnext(item)
        if plain_text(target).strip() == GAP:
            target.getparent().remove(target)
        target = new[-1]
    copier.number_captions()
    return [p.model_copy(update={"file": source.name}) for p in copier.problems.values()]


def _hint(title: str, outline: Outline) -> str:
    close = difflib.get_close_matches(heading_key(title), outline.sections, n=1, cutoff=0.5)
    return (f"是不是“{close[0]}”？" if close else "") + "请改为与报告章节相同的标题"


def _flat(parent: Element) -> Iterator[Element]:
    """Children with links, content controls, fields and accepted insertions opened."""
    for child in parent:
        if local_name(child) in _OPENED:
            yield from _flat(child)
        else:
            yield child


def _looks(element: Element, where: str, names: set[str]) -> list[Element]:
    """The named properties of an element, each with its plain value alone."""
    found = [n for n in element.iterfind(f"{qn(where)}/*") if local_name(n) in names]
    values = [{"val": v} if (v := n.get(qn("w:val"))) else {} for n in found]
    return [el(local_name(n), **value) for n, value in zip(found, values, strict=True)]


@dataclass(frozen=True)
class _Copier:
    theirs: WordDocument
    page: Page
    problems: dict[str, Problem] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    written: list[Element] = field(default_factory=list)
    captions: list[Element] = field(default_factory=list)  # what may be a caption

    def say(self, what: str, remedy: str) -> None:
        problem = Problem(what=what, remedy=remedy, severity="warning", code="narrative")
        self.problems.setdefault(what, problem)

    def block(self, element: Element, heading: int = 0) -> list[Element]:
        """A paragraph or table as new elements of the report."""
        if heading:
            return [paragraph(self.page.style(f"Heading {heading}"), plain_text(element).strip())]
        if local_name(element) == "tbl":
            new = [self._table(element), gap(self.page)]
        else:
            new = [self._paragraph(element, "Body Text", self.page.width)]
            self.captions.extend(new if self._like_caption(element) else [])
        self.written.append(new[0])
        return new

    def _like_caption(self, element: Element) -> bool:
        text, theirs = plain_text(element).strip(), self._style(element)
        looks = [element] if theirs is None else [element, theirs.element]
        centred = any(node.xpath("w:pPr/w:jc[@w:val='center']") for node in looks)
        named = theirs is not None and (theirs.name or "").lower() == "caption"
        short = 0 < len(text) <= _CAPTION and text[-1] not in "。；：:"
        return short and (named or centred or text[0] in "表图")

    def _style(self, element: Element) -> Any:
        return next((s for s in self.theirs.styles if s.style_id == style_of(element)), None)

    def number_captions(self) -> None:
        """Let captions above tables and below pictures join the report's own numbering.

        The author's number goes; where the text refers to it, it becomes a cross-reference.
        """
        names: dict[str, str] = {}
        for item in self.written:
            label = "表" if local_name(item) == "tbl" else "图"
            near = item.getprevious() if label == "表" else item.getnext()
            if near not in self.captions or style_of(item) == self.page.style("Body Text"):
                continue
            name, said = f"text_{len(names) + 1}", plain_text(near).strip()
            own = _OWN_LABEL.match(said)
            names[own[1] + own[2] if own and own[2] else name] = name
            text = said[own.end() :] if own else said
            new = caption(name, label, text, self.page.style("Caption"), keep_next=label == "表")
            near.getparent().replace(near, new)
            self.captions.remove(near)
        for node in (t for item in self.written for t in item.iter(qn("w:t"))):
            node.text = _LABEL.sub(
                lambda m: f"{MARK_REFERENCE}{names[m[1] + m[2]]}{MARK_REFERENCE}"
                if m[1] + m[2] in names else m[0], node.text)  # fmt: skip

    def _paragraph(
        self, element: Element, style: str, width: int, *, keep: bool = False, align: str = ""
    ) -> Element:
        if element.find(f".//{qn('w:hyperlink')}") is not None:
            self.say("超链接已改为普通文字", "报告中不保留指向外部的链接")
        runs = [new for old in _flat(element) for new in self._run(old, width)]
        theirs = self._style(element)
        if theirs is not None and (theirs.name or "").lower() == "caption":
            style = "Caption"
        elif runs and not any(plain_text(item) for item in runs):
            style = "图片"
        new = paragraph(self.page.style(style), *runs, keep_next=keep, align=align)
        while theirs is not None and element.find(f".//{qn('w:numPr')}") is None:
            element, theirs = theirs.element, getattr(theirs, "base_style", None)
        number, level = (element.find(f".//{qn(tag)}") for tag in ("w:numId", "w:ilvl"))
        mine = self._list(number.get(qn("w:val"))) if number is not None else ""
        if mine:
            depth = level.get(qn("w:val")) if level is not None else "0"
            new.pPr.append(el("numPr", el("ilvl", val=depth), el("numId", val=mine)))
        return new

    def _run(self, element: Element, width: int) -> Iterator[Element]:
        if local_name(element) != "r":
            self.left_out(element)
            return
        looks = _looks(element, "w:rPr", _RUN_LOOKS)
        breaks = {"tab": "\t", "br": "\n", "noBreakHyphen": "-"}
        text = "".join(n.text or "" if local_name(n) == "t" else breaks.get(local_name(n), "")
                       for n in element)  # fmt: skip
        if text:
            yield run(text, properties=el("rPr", *looks) if looks else None)
        for child in element:
            if local_name(child) == "drawing":
                yield from self._drawing(child, width)
            else:
                self.left_out(child)

    def left_out(self, element: Element) -> None:
        if local_name(element) in _SAID:
            self.say(f"{_SAID[local_name(element)]}未写入报告", "请改为文字、表格或图片")

    def _drawing(self, element: Element, width: int) -> Iterator[Element]:
        extent, about = (element.find(f".//{qn(tag)}") for tag in ("wp:extent", "wp:docPr"))
        try:
            image = io.BytesIO(transplant.picture_of(element, self.theirs))
            wide, high = (int(extent.get(side)) // EMU_PER_DXA for side in ("cx", "cy"))
            scale = min(1, width / wide)
            alt = clean(about.get("descr") or "插图")
            yield picture(image, alt, self.page, round(wide * scale), round(high * scale))
        except _BROKEN:
            self.say("有图表、图形或链接的图片未写入报告", "请粘贴为 PNG 或 JPEG 图片")

    def _list(self, key: str) -> str:
        """Copy a list's shape once; its id in the report, empty if it is not defined."""
        if key not in self.lists:
            shape = next(iter(transplant.list_of(self.theirs, key)), ())
            levels = [_level(n) for n in shape if local_name(n) == "lvl"]
            levels = [level for level in levels if level is not None]
            mine = el("abstractNum", el("multiLevelType", val="hybridMultilevel"), *levels)
            self.lists[key] = transplant.add_list(self.page.document, mine) if levels else ""
        return self.lists[key]

    def _table(self, element: Element) -> Element:
        """A table in the report's table style, as wide as the page, columns by content."""
        source = [[c for c in _flat(row) if local_name(c) == "tc"]
                  for row in _flat(element) if local_name(row) == "tr"]  # fmt: skip
        source = [cells for cells in source if cells]
        spans = [[cell.grid_span for cell in cells] for cells in source]
        texts = [[plain_text(cell) for cell in cells] for cells in source]
        columns = max(map(sum, spans), default=1)
        plain_rows = [t for t, s in zip(texts, spans, strict=True) if len(s) == columns]
        widths = fitted(plain_rows or [["表"] * columns], self.page.width)
        small = len(source) <= _SMALL_TABLE
        rows: list[Element] = []
        for number, cells in enumerate(source):
            place, made = 0, []
            total = number + 2 == len(source) and texts[-1][0].strip() in _TOTALS
            keep = number + 1 < len(source) and (small or total or number == 0)
            for cell, span, text in zip(cells, spans[number], texts[number], strict=True):
                width = sum(widths[place : place + span]) or 1000
                align = "right" if re.fullmatch(r"[-－]?[\d.,]+[%％]?", text.strip()) else ""
                style = "表格文字" if rows else "表格标题"
                inner = [self._paragraph(p, style, width, keep=keep, align=align if rows else "")
                         for p in cell.iter(qn("w:p"))]  # fmt: skip
                if not rows and room(text) > width:  # a heading breaks before its unit
                    broken = text.replace("（", "\n（", 1)
                    inner = [paragraph(self.page.style(style), broken, keep_next=keep)]
                looks = _looks(cell, "w:tcPr", _CELL_LOOKS)
                size, middle = el("tcW", w=width, type="dxa"), el("vAlign", val="center")
                made.append(el("tc", el("tcPr", size, *looks, middle), *inner))
                place += span
            # short rows stay whole, the first one repeats on each page
            marks = [el("cantSplit")] * (sum(map(len, texts[number])) < _SHORT_ROW)
            marks += [el("tblHeader")] * (not rows)
            rows.append(el("tr", el("trPr", *marks) if marks else None, *made))
        return frame(widths, rows, self.page)


def _level(level: Element) -> Element | None:
    """What makes the numbers of a list's level, indented as in the report."""
    shape = {n: level.find(qn(f"w:{n}")) for n in ("start", "numFmt", "lvlText")}
    if None in shape.values():
        return None
    value = {n: clean(e.get(qn("w:val"), "")) for n, e in shape.items()}
    if value["numFmt"] == "bullet":  # symbol fonts have no glyph elsewhere; a plain dot has
        value["lvlText"] = "•"
    depth = int(level.get(qn("w:ilvl"), "0"))
    indent = el("pPr", el("ind", left=640 + 420 * (depth + 1), hanging=420))
    items = [el(n, val=v) for n, v in value.items()]
    return el("lvl", *items, el("lvlJc", val="left"), indent, ilvl=depth)
