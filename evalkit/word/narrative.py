"""文字.docx: an evaluator's own prose, put under the report's headings of the same name.

Words, tables, lists and pictures are kept; fonts and styles become the report's. Elements are let
through by name, so what could act or reach out (links, field instructions, macros, embedded
objects) stays behind, and what a person would miss is said.
"""

import difflib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from docx.document import Document as WordDocument
from lxml import etree  # type: ignore[import-untyped]

from evalkit.core.problem import Problem
from evalkit.ooxml import oxml, package, transplant
from evalkit.ooxml.oxml import Element, el, local_name, paragraph, plain_text, qn, run, style_of
from evalkit.word.blocks import Page, caption, cell, fitted, frame, gap, picture, room

_SHORT_ROW = 200  # characters
_SMALL_TABLE = 14  # rows: such a table stays on one page
_TOTALS = ("合计", "总计", "小计")  # never alone on a page
_CAPTION = 40  # characters: what is longer is a sentence
_LABEL = re.compile(r"([表图])\s?(\d+(?:[-－—.．]\d+)*)")
_OWN_LABEL = re.compile(rf"{_LABEL.pattern}[\s:：、.．]*|([表图])()[:：\s]+")
_NUMBERING = re.compile(
    r"^(?:第[一二三四五六七八九十\d]+[章节部分]+|附件\d*|[（(]?[一二三四五六七八九十\d]{1,3}[）)、．.，,]|[①-⑳])"
)
_OPENED = ("ins", "moveTo", "smartTag", "fldSimple", "sdt", "sdtContent", "customXml")
_RUN_LOOKS = {"b", "i", "u", "strike", "vertAlign"}
_CELL_LOOKS = {"gridSpan", "vMerge"}
_SHAPE = ("start", "numFmt", "lvlText")  # what a level of a list must have
_LEVEL = qn("w:lvl") + "".join(f"[{qn(f'w:{name}')}]" for name in _SHAPE)
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
    def of(cls, document: WordDocument) -> "Outline":
        """The outline of a rendered report."""
        levels = heading_levels(document)
        found: dict[str, tuple[int, Element]] = {}
        for element in document.element.body.iterchildren(qn("w:p")):
            if level := levels.get(style_of(element)):
                found.setdefault(heading_key(plain_text(element)), (level, element))
        return cls(levels, found)

    def content_of(self, heading: Element, stop: str) -> list[Element]:
        """The elements of a section's own content; `stop` is a style that ends it too."""
        found, ends = [], {stop, *self.levels}
        for node in heading.itersiblings():
            if style_of(node) in ends or next(node.iter(qn("w:sectPr")), None) is not None:
                break
            found.append(node)
        return found


def insert_narrative(outline: Outline, page: Page, source: Path) -> list[Problem]:
    """Put each section of `source` at the end of the report's section of the same name.

    A heading deeper than the section it stands in comes along as a sub-heading. Returns warnings.

    Raises:
        EvalkitError: `source` is not a Word document.
    """
    theirs = package.open_document(source)
    levels, copier = heading_levels(theirs), _Copier(theirs, page, source.name)
    etree.strip_tags(theirs.element.body, *(qn(f"w:{name}") for name in _OPENED))
    target: Element | None = None  # what the next element comes after
    base, depth, loose = 0, 0, True  # the section's level there and here; no heading seen yet
    for element in theirs.element.body:
        if local_name(element) not in ("p", "tbl"):
            copier.left_out(element)
            continue
        title, level = plain_text(element).strip(), levels.get(style_of(element), 0)
        if level and title:
            loose = False
            if match := outline.sections.get(heading_key(title)):
                base, depth = match[0], level
                target = [match[1], *outline.content_of(match[1], page.style("TOC Heading"))][-1]
                continue
            if target is None or level <= depth:
                target = None
                near = difflib.get_close_matches(heading_key(title), outline.sections, 1, 0.5)
                hint = "".join(f"是不是“{name}”？" for name in near) + "请改为与报告章节相同的标题"
                copier.say(f"标题“{title}”不是报告的章节，其下内容未写入报告", hint)
                continue
        if target is None:
            if title and loose:
                copier.say(f"“{title[:20]}…”前面没有标题，未写入报告", "请加上与报告章节相同的标题")
            continue
        try:
            new = copier.block(element, min(4, base + max(1, level - depth)) if level else 0)
        except Exception:  # whatever python-docx or lxml make of damaged or hostile elements
            copier.say(f"“{title[:20]}…”的格式损坏，未写入报告", "请在 Word 中重新输入该段或该表")
            continue
        if not title and local_name(new[0]) == "p" and not [*new[0].iter(qn("w:drawing"))]:
            continue  # an empty line: distances are the template's
        for item in reversed(new):
            target.addnext(item)
        if plain_text(target).strip() == oxml.GAP:
            target.getparent().remove(target)
        target = new[-1]
    copier.number_captions()
    return list(copier.problems.values())


def _looks(element: Element, where: str, names: set[str]) -> list[Element]:
    """The named properties of an element, each with its plain value alone."""
    found = [n for n in element.iterfind(f"{qn(where)}/*") if local_name(n) in names]
    values = [{"val": v} if (v := n.get(qn("w:val"))) else {} for n in found]
    return [el(local_name(n), **value) for n, value in zip(found, values, strict=True)]


@dataclass(frozen=True)
class _Copier:
    theirs: WordDocument
    page: Page
    file: str
    problems: dict[str, Problem] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    written: list[Element] = field(default_factory=list)
    captions: list[Element] = field(default_factory=list)  # what may be a caption

    def say(self, what: str, remedy: str) -> None:
        facts = {"file": self.file, "severity": "warning", "code": "narrative"}
        self.problems.setdefault(what, Problem(what=what, remedy=remedy, **facts))

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
        looks = [element] if theirs is None else [element, theirs]
        centred = any(node.xpath("w:pPr/w:jc[@w:val='center']") for node in looks)
        named = theirs is not None and (theirs.name_val or "").lower() == "caption"
        short = 0 < len(text) <= _CAPTION and text[-1] not in "。；：:"
        return short and (named or centred or text[0] in "表图")

    def _style(self, element: Element) -> Any:
        return self._styles.get(style_of(element))

    @cached_property
    def _styles(self) -> dict[str, Any]:
        """Their styles by id; the first of two with one id counts."""
        return {style.styleId: style for style in reversed(self.theirs.styles.element.style_lst)}

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
        mark = oxml.MARK_REFERENCE
        marked = {old: f"{mark}{name}{mark}" for old, name in names.items()}
        for node in (t for item in self.written for t in item.iter(qn("w:t"))):
            node.text = _LABEL.sub(lambda m: marked.get(m[1] + m[2], m[0]), node.text)

    def _paragraph(
        self, element: Element, style: str, width: int, *, keep: bool = False, align: str = ""
    ) -> Element:
        if element.find(f".//{qn('w:hyperlink')}") is not None:
            self.say("超链接已改为普通文字", "报告中不保留指向外部的链接")
            etree.strip_tags(element, qn("w:hyperlink"))
        runs = [new for old in element for new in self._run(old, width)]
        theirs = self._style(element)
        if theirs is not None and (theirs.name_val or "").lower() == "caption":
            style = "Caption"
        elif runs and not any(plain_text(item) for item in runs):
            style = "图片"
        new = paragraph(self.page.style(style), *runs, keep_next=keep, align=align)
        for _ in self._styles:  # styles may be based on each other in a circle
            if theirs is None or element.find(f".//{qn('w:numPr')}") is not None:
                break
            element, theirs = theirs, theirs.base_style
        number, level = (element.find(f".//{qn(tag)}") for tag in ("w:numId", "w:ilvl"))
        mine = self._list(number.get(qn("w:val"))) if number is not None else ""
        if mine:
            depth = level.get(qn("w:val")) if level is not None else "0"
            new.pPr.append(el("numPr", el("ilvl", val=depth), el("numId", val=mine)))
        return new

    def _run(self, element: Element, width: int) -> Iterator[Element]:
        if local_name(element) == "r" and element.text:
            looks = _looks(element, "w:rPr", _RUN_LOOKS)
            yield run(element.text, properties=el("rPr", *looks) if looks else None)
        for child in (element, *element):
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
            wide, high = (int(extent.get(side)) // oxml.EMU_PER_DXA for side in ("cx", "cy"))
            scale = min(1, width / wide)
            alt = oxml.clean(about.get("descr") or "插图")
            yield picture(image, alt, self.page, round(wide * scale), round(high * scale))
        except Exception:  # no extent, no picture, one of an unknown kind, a size that is none
            self.say("有图表、图形或链接的图片未写入报告", "请粘贴为 PNG 或 JPEG 图片")

    def _list(self, key: str) -> str:
        """Copy a list's shape once; its id in the report, empty if it is not defined."""
        if key not in self.lists:
            shape = transplant.list_of(self.theirs, key)[:1]
            levels = [_level(level) for each in shape for level in each.iterfind(_LEVEL)]
            mine = el("abstractNum", el("multiLevelType", val="hybridMultilevel"), *levels)
            self.lists[key] = transplant.add_list(self.page.document, mine) if levels else ""
        return self.lists[key]

    def _table(self, element: Element) -> Element:
        """A table in the report's table style, as wide as the page, columns by content."""
        source = [row.tc_lst for row in element.tr_lst if row.tc_lst]
        columns = max((sum(c.grid_span for c in cells) for cells in source), default=1)
        even = [list(map(plain_text, cells)) for cells in source if len(cells) == columns]
        widths = fitted(even or [["表"] * columns], self.page.width)
        small, rows = len(source) <= _SMALL_TABLE, list[Element]()
        for number, cells in enumerate(source):
            place, made = 0, []
            total = number + 2 == len(source) and plain_text(source[-1][0]).strip() in _TOTALS
            keep = number + 1 < len(source) and (small or total or number == 0)
            for old in cells:
                width, text = sum(widths[place:][: old.grid_span]) or 1000, plain_text(old)
                align = "right" if re.fullmatch(r"[-－]?[\d.,]+[%％]?", text.strip()) else ""
                style = "表格文字" if rows else "表格标题"
                inner = [self._paragraph(p, style, width, keep=keep, align=align if rows else "")
                         for p in old.iter(qn("w:p"))]  # fmt: skip
                if not rows and room(text) > width:  # a heading breaks before its unit
                    broken = text.replace("（", "\n（", 1)
                    inner = [paragraph(self.page.style(style), broken, keep_next=keep)]
                made.append(cell(width, *inner, looks=_looks(old, "w:tcPr", _CELL_LOOKS)))
                place += old.grid_span
            # short rows stay whole, the first one repeats on each page
            marks = [el("cantSplit")] * (sum(len(plain_text(c)) for c in cells) < _SHORT_ROW)
            marks += [el("tblHeader")] * (not rows)
            rows.append(el("tr", el("trPr", *marks) if marks else None, *made))
        return frame(widths, rows, self.page)


def _level(level: Element) -> Element:
    """What makes the numbers of a list's level, indented as in the report."""
    value = {n: oxml.clean(level.find(qn(f"w:{n}")).get(qn("w:val"), "")) for n in _SHAPE}
    if value["numFmt"] == "bullet":  # symbol fonts have no glyph elsewhere; a plain dot has
        value["lvlText"] = "•"
    depth = int(level.get(qn("w:ilvl"), "0"))
    indent = el("pPr", el("ind", left=640 + 420 * (depth + 1), hanging=420))
    shape = (el(name, val=said) for name, said in value.items())
    return el("lvl", *shape, el("lvlJc", val="left"), indent, ilvl=depth)
