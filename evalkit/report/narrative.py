"""文字.docx: an evaluator's own prose, put under the report's headings of the same name.

Words, tables, lists and pictures are kept; fonts and styles become the report's. What could act or
reach out is left behind and said: links, macros, embedded objects, field instructions.
"""

from __future__ import annotations

import copy
import difflib
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docx import Document
from docx.document import Document as WordDocument
from docx.image.exceptions import UnrecognizedImageError
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml.ns import qn
from lxml import etree

from evalkit.core.problem import EvalkitError, Problem
from evalkit.report.blocks import Page, frame, gap, picture
from evalkit.report.oxml import (
    EMU_PER_DXA,
    GAP,
    Element,
    clean,
    el,
    paragraph,
    plain_text,
    run,
    style_of,
)

_MAX_BYTES = 300_000_000  # unpacked; a docx that says more is a bomb or a scan archive
_NUMBERING = re.compile(
    r"^\s*(?:第[一二三四五六七八九十\d]+[章节部分]+|附件\s*\d*|[（(]?[一二三四五六七八九十\d]{1,3}[）)、．.，,]|[①-⑳])\s*"
)
_KEPT_RUN = ("b", "i", "u", "strike", "vertAlign")
_DROPPED = {
    "object": "嵌入对象（OLE）",
    "pict": "旧格式图形",
    "AlternateContent": "文本框或形状",
    "altChunk": "嵌入的外部文件",
    "footnoteReference": "脚注",
    "endnoteReference": "尾注",
    "control": "控件",
}


def heading_key(text: str) -> str:
    """A heading without numbering, spaces and punctuation at its ends.

    >>> heading_key("（一） 项目概况："), heading_key("1．项目 背景")
    ('项目概况', '项目背景')
    """
    bare = re.sub(r"[\s\u3000]+", "", text)
    while (shorter := _NUMBERING.sub("", bare)) != bare and shorter:
        bare = shorter
    return bare.strip("：:。.")


def heading_level(element: Element, document: WordDocument) -> int:
    """1–9 for a paragraph with an outline level (its own or its style's), else 0."""
    if element.tag != qn("w:p"):
        return 0
    own = element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
    if own is not None:
        return int(own.get(qn("w:val"), "9")) % 9 + 1 if own.get(qn("w:val")) != "9" else 0
    style = next((s for s in document.styles if s.style_id == style_of(element)), None)
    for _ in range(10):
        if style is None:
            return 0
        match = re.fullmatch(r"(?i)(?:heading|标题)\s*([1-9])", style.name or "")
        if match:
            return int(match[1])
        level = style.element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        if level is not None:
            value = int(level.get(qn("w:val"), "9"))
            return value + 1 if value < 9 else 0
        style = getattr(style, "base_style", None)
    return 0


@dataclass(frozen=True)
class Outline:
    """The report's headings: normalised name → level and paragraph (the first of that name)."""

    sections: dict[str, tuple[int, Element]]

    @classmethod
    def of(cls, document: WordDocument) -> Outline:
        """The outline of a rendered report."""
        found: dict[str, tuple[int, Element]] = {}
        for element in document.element.body:
            level = heading_level(element, document)
            if level:
                found.setdefault(heading_key(plain_text(element)), (level, element))
        return cls(found)


def insert_narrative(
    document: WordDocument, outline: Outline, page: Page, source: Path
) -> list[Problem]:
    """Put each section of `source` at the end of the report's section of the same name.

    A heading deeper than the section it stands in comes along as a sub-heading. Returns warnings.

    Raises:
        EvalkitError: `source` is not a Word document.
    """
    theirs = _open(source)
    copier = _Copier(theirs, document, page, source.name)
    target: tuple[int, Element] | None = None  # level and end of the section being filled
    depth, loose = 0, True  # level of its heading in the narrative; no heading seen yet
    for element in list(_flat(theirs.element.body)):
        level = heading_level(element, theirs)
        title = plain_text(element).strip()
        if level and title:
            loose = False
            match = outline.sections.get(heading_key(title))
            if match is not None:
                target, depth = (match[0], _section_end(match[1], outline, document)), level
                continue
            if target is None or level <= depth:
                copier.warn(_unknown(title, outline))
                target = None
                continue
        if target is None:
            if title and loose:
                copier.warn_once(f"“{title[:20]}…”一段前面没有标题，未写入报告",
                                 "请在它前面加上与报告相同的标题（用“标题”样式）")  # fmt: skip
            continue
        sub = min(4, target[0] + max(1, level - depth)) if level else 0
        last = target[1]
        for new in copier.copy(element, sub):
            if plain_text(last).strip() == GAP and last.tag == qn("w:p"):
                last.addprevious(new)
                last.getparent().remove(last)
            else:
                last.addnext(new)
            last = new
        target = (target[0], last)
    return copier.problems


def _open(source: Path) -> WordDocument:
    try:
        with zipfile.ZipFile(source) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > _MAX_BYTES:
            raise ValueError
        return Document(str(source))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, PackageNotFoundError,
            etree.XMLSyntaxError):  # fmt: skip
        raise EvalkitError(
            [Problem(file=source.name, what="不是可用的 Word 文档（.docx），或过大",
                     remedy="请用 Word 另存为 .docx，不要加密、不要带宏")]
        ) from None  # fmt: skip


def _flat(body: Element) -> Iterator[Element]:
    """Paragraphs and tables, with content controls opened and tracked changes accepted."""
    for element in body:
        if element.tag in (qn("w:p"), qn("w:tbl")):
            yield element
        elif element.tag == qn("w:sdt"):
            content = element.find(qn("w:sdtContent"))
            yield from _flat(content) if content is not None else ()
        elif element.tag in (qn("w:ins"), qn("w:customXml"), qn("w:moveTo")):
            yield from _flat(element)


def _unknown(title: str, outline: Outline) -> Problem:
    close = difflib.get_close_matches(heading_key(title), outline.sections, n=1, cutoff=0.5)
    hint = f"是不是“{close[0]}”？" if close else ""
    return Problem(what=f"标题“{title}”不是报告的章节，其下内容未写入报告", severity="warning",
                   remedy=f"{hint}请改为与报告章节相同的标题", code="narrative.heading")  # fmt: skip


def _section_end(heading: Element, outline: Outline, document: WordDocument) -> Element:
    """The last element before the next heading or section end; the heading if there is none."""
    last, node = heading, heading.getnext()
    while node is not None and node.tag != qn("w:sectPr"):
        if node.find(f".//{qn('w:sectPr')}") is not None or heading_level(node, document):
            break
        if node.find(f"{qn('w:pPr')}/{qn('w:pageBreakBefore')}") is not None:
            break
        if style_of(node) in {s.style_id for s in document.styles if s.name == "TOC Heading"}:
            break
        last, node = node, node.getnext()
    return last


class _Copier:
    """Copies blocks of one document into another, keeping words and dropping what may act."""

    def __init__(self, theirs: WordDocument, ours: WordDocument, page: Page, name: str) -> None:
        self.theirs, self.ours, self.page, self.name = theirs, ours, page, name
        self.problems: list[Problem] = []
        self.lists: dict[str, str] = {}
        self.styles = {s.style_id: s for s in theirs.styles}

    def warn(self, problem: Problem) -> None:
        self.problems.append(problem.model_copy(update={"file": self.name}))

    def warn_once(self, what: str, remedy: str) -> None:
        if all(problem.what != what for problem in self.problems):
            self.warn(
                Problem(what=what, remedy=remedy, severity="warning", code="narrative.content")
            )

    def copy(self, element: Element, heading: int = 0) -> list[Element]:
        """A paragraph or table as new elements of the report."""
        if element.tag == qn("w:tbl"):
            return [self._table(element), gap(self.page)]
        if heading:
            return [paragraph(self.page.style(f"Heading {heading}"), plain_text(element).strip())]
        return [self._paragraph(element, "Body Text", self.page.width)]

    def _paragraph(self, element: Element, style: str, width: int) -> Element:
        content = list(self._inline(element, width))
        drawn = any(item.find(qn("w:drawing")) is not None for item in content)
        theirs = self.styles.get(style_of(element))
        if theirs is not None and (theirs.name or "").lower() in ("caption", "题注"):
            style = "Caption"
        elif drawn and not plain_text(el("p", *(copy.copy(i) for i in content))).strip():
            style = "图片"
        new = paragraph(self.page.style(style), *content)
        number = self._list(element)
        if number is not None:
            new.pPr.append(number)
        align = element.find(f"{qn('w:pPr')}/{qn('w:jc')}")
        if align is not None and style in ("Body Text", "表格文字"):
            new.pPr.append(el("jc", val=align.get(qn("w:val"), "left")))
            if align.get(qn("w:val")) == "center" and style == "Body Text":
                new.pPr.insert_element_before(el("ind", firstLine=0, firstLineChars=0), "w:jc")
        return new

    def _inline(self, element: Element, width: int) -> Iterator[Element]:
        """Runs of a paragraph: links become text, fields their results, changes are accepted."""
        instruction = False
        for child in element:
            if child.tag == qn("w:r"):
                mark = child.find(qn("w:fldChar"))
                if mark is not None:
                    instruction = mark.get(qn("w:fldCharType")) == "begin"
                    continue
                if not instruction:
                    yield from self._run(child, width)
            elif child.tag in (qn("w:hyperlink"), qn("w:ins"), qn("w:smartTag"), qn("w:fldSimple"),
                               qn("w:sdt"), qn("w:sdtContent"), qn("w:moveTo")):  # fmt: skip
                if child.get(qn("r:id")) is not None:
                    self.warn_once("超链接已改为普通文字", "报告中不保留指向外部的链接")
                yield from self._inline(child, width)
            elif child.tag not in (qn("w:pPr"), qn("w:del"), qn("w:moveFrom")):
                self._say_dropped(child)

    def _run(self, element: Element, width: int) -> Iterator[Element]:
        kept = [copy.deepcopy(item) for item in (element.rPr if element.rPr is not None else ())
                if etree.QName(item).localname in _KEPT_RUN]  # fmt: skip
        for item in kept:
            for key in [key for key in item.attrib if key != qn("w:val")]:
                del item.attrib[key]
        properties = el("rPr", *kept) if kept else None
        text = "".join({"t": child.text or "", "tab": "\t", "br": "\n", "noBreakHyphen": "-"}
                       .get(etree.QName(child).localname, "") for child in element)  # fmt: skip
        if text:
            yield run(text, properties=properties)
        for child in element:
            if child.tag == qn("w:drawing"):
                yield from self._drawing(child, width)
            else:
                self._say_dropped(child)

    def _say_dropped(self, element: Element) -> None:
        kind = (
            _DROPPED.get(etree.QName(element).localname) if isinstance(element.tag, str) else None
        )
        if kind:
            self.warn_once(f"{kind}未写入报告", "请改为普通文字、表格，或粘贴为图片")

    def _drawing(self, element: Element, width: int) -> Iterator[Element]:
        blip = element.find(f".//{qn('a:blip')}")
        key = blip.get(qn("r:embed")) if blip is not None else None
        extent = element.find(f".//{qn('wp:extent')}")
        about = element.find(f".//{qn('wp:docPr')}")
        part = self.theirs.part.related_parts.get(key) if key else None
        if part is None or extent is None:
            self.warn_once("链接的图片、图表或图形未写入报告", "请粘贴为图片")
            return
        size = [int(extent.get(side, "0")) // EMU_PER_DXA for side in ("cx", "cy")]
        scale = min(1.0, width / max(size[0], 1))
        alt = clean(about.get("descr") or "") if about is not None else ""
        limit = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        try:
            yield picture(io.BytesIO(part.blob), alt or "插图", self.page, *limit)
        except UnrecognizedImageError:
            self.warn_once("有图片的格式不能识别，未写入报告", "请改用 PNG 或 JPEG 图片")

    def _list(self, element: Element) -> Element | None:
        """The list a paragraph belongs to, its own or its style's, in our numbering."""
        number = element.find(f"{qn('w:pPr')}/{qn('w:numPr')}")
        style = self.styles.get(style_of(element))
        while number is None and style is not None:
            number = style.element.find(f"{qn('w:pPr')}/{qn('w:numPr')}")
            style = getattr(style, "base_style", None)
        key = number.find(qn("w:numId")) if number is not None else None
        if key is None or key.get(qn("w:val")) == "0":
            return None
        mine = self._numbering(key.get(qn("w:val")))
        level = number.find(qn("w:ilvl"))
        depth = level.get(qn("w:val"), "0") if level is not None else "0"
        return el("numPr", el("ilvl", val=depth), el("numId", val=mine)) if mine else None

    def _numbering(self, key: str) -> str:
        """Copy a list definition once; returns its id in the report, empty if it is not defined."""
        if key in self.lists:
            return self.lists[key]
        self.lists[key] = ""
        source = self.theirs.part.numbering_part.element
        target = self.ours.part.numbering_part.element
        path = f"w:abstractNum[@w:abstractNumId=../w:num[@w:numId='{int(key)}']/w:abstractNumId/@w:val]"
        found = source.xpath(path)
        if not found:
            return ""
        levels = []
        for level in found[0].findall(qn("w:lvl")):
            names = ("start", "numFmt", "lvlText", "lvlJc")
            kept = {name: level.find(qn(f"w:{name}")) for name in names}
            for name in names:  # only the shape of the list: no styles, fonts or pictures
                if kept[name] is not None:
                    value = kept[name].get(qn("w:val"), "")
                    kept[name] = el(name, val=_bullet(value) if name == "lvlText" else value)
            depth = int(level.get(qn("w:ilvl"), "0"))
            indent = el("pPr", el("ind", left=640 + 420 * (depth + 1), hanging=420))
            levels.append(el("lvl", *(kept[name] for name in names), indent, ilvl=depth))
        abstracts, numbers = target.findall(qn("w:abstractNum")), target.findall(qn("w:num"))
        fresh = 1 + max([int(n.get(qn("w:numId"))) for n in numbers]
                        + [int(a.get(qn("w:abstractNumId"))) for a in abstracts])  # fmt: skip
        kind = el("multiLevelType", val="hybridMultilevel")
        abstracts[-1].addnext(el("abstractNum", kind, *levels, abstractNumId=fresh))
        target.findall(qn("w:num"))[-1].addnext(
            el("num", el("abstractNumId", val=fresh), numId=fresh)
        )
        self.lists[key] = str(fresh)
        return self.lists[key]

    def _table(self, element: Element) -> Element:
        """A table in the report's table style, no wider than the page."""
        widths = [
            max(200, int(c.get(qn("w:w")) or 0))
            for c in element.findall(f"{qn('w:tblGrid')}/{qn('w:gridCol')}")
        ]
        scale = min(1.0, self.page.width / max(1, sum(widths)))
        rows = []
        for row in element.findall(qn("w:tr")):
            cells = []
            for cell in row.findall(qn("w:tc")):
                cells.append(self._table_cell(cell, widths, scale, len(cells)))
            head = row.find(f"{qn('w:trPr')}/{qn('w:tblHeader')}") is not None
            if cells:
                rows.append(el("tr", el("trPr", el("tblHeader")) if head else None, *cells))
        return frame([round(w * scale) for w in widths], rows, self.page)

    def _table_cell(self, cell: Element, widths: list[int], scale: float, place: int) -> Element:
        width = cell.find(f"{qn('w:tcPr')}/{qn('w:tcW')}")
        fallback = widths[min(place, len(widths) - 1)] if widths else 1000
        stated = (
            width.get(qn("w:w"), "")
            if width is not None and width.get(qn("w:type")) == "dxa"
            else ""
        )
        wide = round((int(stated) if stated.isdigit() and int(stated) else fallback) * scale)
        properties = el("tcPr", el("tcW", w=wide, type="dxa"))
        for name in ("gridSpan", "vMerge"):
            found = cell.find(f"{qn('w:tcPr')}/{qn(f'w:{name}')}")
            if found is not None:
                properties.append(copy.deepcopy(found))
        properties.append(el("vAlign", val="center"))
        content = []
        for item in _flat(cell):
            if item.tag == qn("w:tbl"):
                content += [self._table(item), paragraph(self.page.style("表格文字"))]
            else:
                content.append(self._paragraph(item, "表格文字", wide))
        return el("tc", properties, *(content or [paragraph(self.page.style("表格文字"))]))


def _bullet(text: str) -> str:
    """Symbol-font bullets live in the private area of one font; a plain dot is in all."""
    return "•" if any("\ue000" <= ch <= "\uf8ff" for ch in text) else clean(text)
