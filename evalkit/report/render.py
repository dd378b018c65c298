"""From a template and a context to a finished docx: the one place that knows docxtpl.

docxtpl fills the text in a sandbox, once. What follows works on the document itself: narrative
from the evaluator's own docx, blocks at their anchors, references, contents. So nothing that came
from a workbook or from the narrative is ever read as a template or as a field instruction.
"""

from __future__ import annotations

import copy
import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml.ns import qn
from docxtpl import DocxTemplate
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from evalkit.core.problem import EvalkitError, Problem
from evalkit.report import blocks as building
from evalkit.report import package
from evalkit.report.blocks import Block, Page, bookmark_name, page_of
from evalkit.report.narrative import Outline, heading_key, insert_narrative
from evalkit.report.oxml import (
    GAP,
    MARK_BLOCK,
    MARK_REFERENCE,
    Element,
    bookmark,
    clean,
    el,
    paragraph,
    plain_text,
    run,
    style_of,
)
from evalkit.report.oxml import field as word_field

_REFERENCE = re.compile(f"{MARK_REFERENCE}(\\w+){MARK_REFERENCE}")
_GAP = re.compile(f"({GAP})")
_CHINESE = "零一二三四五六七八九"


@dataclass(frozen=True)
class RenderReport:
    """What was written: the path, the sections still 待补充, and what a person should look at."""

    path: Path
    missing: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


def render(
    template: Path,
    context: Mapping[str, Any],
    out: Path,
    blocks: Mapping[str, Block | None] | None = None,
    narrative: Path | None = None,
) -> RenderReport:
    """Fill a template and write the docx. A block that is None leaves no trace of its anchor.

    `context["document"]` may hold `title` and `date`, the only properties the file carries, and
    `headings` that must be there.

    Raises:
        EvalkitError: the template or the narrative cannot be read, or the template asks for
            something that is not there; with its paragraph and the heading above it.
    """
    found = blocks or {}
    document = _fill(template, context, set(found))
    page = page_of(document)
    outline = Outline.of(document)
    about = context.get("document", {})
    problems = _lost_headings(template, outline, about.get("headings", ()))
    if narrative:
        problems += insert_narrative(document, outline, page, narrative)
    _place_blocks(document, page, found)
    missing = _mark_gaps(document, page)
    _refresh_captions(document)
    _fill_contents(document, page)
    path = package.save(document, out, title=about.get("title", ""), dated=_date(about))
    return RenderReport(path, tuple(missing), tuple(problems))


def _lost_headings(template: Path, outline: Outline, wanted: Iterable[str]) -> list[Problem]:
    return [
        Problem(file=template.name, what=f"报告中没有必需的章节“{title}”", severity="warning",
                remedy="请在模板中补上该标题", code="report.outline")
        for title in wanted
        if heading_key(title) not in outline.sections
    ]  # fmt: skip


def _date(about: Mapping[str, Any]) -> date | None:
    value = about.get("date")
    return value if isinstance(value, date) else None


# --- the template engine --------------------------------------------------------------------


def _fill(template: Path, context: Mapping[str, Any], names: set[str]) -> WordDocument:
    try:
        engine = DocxTemplate(str(template))
        engine.init_docx()
    except (OSError, ValueError, KeyError, PackageNotFoundError):
        raise EvalkitError(
            [Problem(file=template.name, what="不是可用的 Word 模板", remedy="请重新生成模板")]
        ) from None
    _collapse_contents(engine.docx)
    environment = SandboxedEnvironment(autoescape=True, undefined=StrictUndefined)

    def block(name: str) -> str:
        if name not in names:
            raise TemplateError(f"没有名为“{name}”的表或图")
        return f"{MARK_BLOCK}{name}{MARK_BLOCK}"

    def reference(name: str) -> str:
        return f"{MARK_REFERENCE}{name}{MARK_REFERENCE}"

    values = {key: _literal(value) for key, value in context.items()}
    try:
        engine.render({**values, "block": block, "ref": reference}, environment)
    except (
        TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
    ) as error:
        raise EvalkitError([_template_problem(template, engine, error)]) from None
    buffer = io.BytesIO()
    engine.docx.save(buffer)
    return Document(buffer)


def _literal(value: Any) -> Any:
    """Context values as the engine must see them: cleaned, line ends as new paragraphs."""
    if isinstance(value, str):
        return re.sub(r"\s*\n\s*", "\a", clean(value).strip())
    if isinstance(value, Mapping):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_literal(item) for item in value]
    return value


def _template_problem(template: Path, engine: DocxTemplate, error: Exception) -> Problem:
    """Say which paragraph, under which heading, asked for what."""
    number = getattr(error, "lineno", None)
    trace = error.__traceback__
    while trace is not None:  # the last frame of the template gives the line; a line is a paragraph
        if trace.tb_frame.f_code.co_filename == "<template>":
            number = trace.tb_lineno
        trace = trace.tb_next
    part = engine.current_rendering_part
    inside = part is None or part is engine.docx.part
    source = engine.get_xml() if inside else engine.get_part_xml(part)
    lines = re.sub(r"<w:p([ >])", r"\n<w:p\1", engine.patch_xml(source)).splitlines()
    at = min((number or 1) - 1, len(lines) - 1)
    text = _words(lines[at]) if number else ""
    headings = {style.style_id for style in engine.docx.styles if _level(style.name)}
    above = (line for line in reversed(lines[: at + 1]) if any(f'"{h}"' in line for h in headings))
    heading = _words(next(above, "")) if number and inside else "" if inside else "页眉页脚"
    place = f"“{heading}”下的段落“{text[:60]}”" if heading else f"段落“{text[:60]}”"
    return Problem(
        file=template.name,
        what=f"模板{place}无法生成：{_reason(error)}",
        remedy="请在 Word 中改正该段的字段名",
        code="template.field",
    )


def _words(xml: str) -> str:
    return re.sub(r"<[^>]+>|{%.*?%}", "", xml).strip()


def _reason(error: Exception) -> str:
    said = str(error)
    undefined = re.search(r"'([^']+)' is undefined|has no (?:attribute|element) '?([^']+)'?", said)
    if undefined:
        return f"没有字段“{undefined[1] or undefined[2]}”"
    if type(error).__name__ == "SecurityError":
        return "用到了不允许的写法"
    return "写法有误" if type(error).__name__ == "TemplateSyntaxError" else said


def _level(name: str | None) -> int:
    """1–4 for Word's heading styles and 1 for front and annex titles, else 0."""
    match = re.fullmatch(r"(?i)heading ([1-4])", name or "")
    if match:
        return int(match[1])
    return 1 if name in ("前置标题", "附件标题") else 0


# --- blocks and references ------------------------------------------------------------------


def _place_blocks(document: WordDocument, page: Page, found: Mapping[str, Block | None]) -> None:
    body = document.element.body
    pending: list[tuple[Element, str]] = []
    for element in list(body):
        text = plain_text(element) if element.tag == qn("w:p") else ""
        if (
            text.startswith(MARK_BLOCK)
            and text.endswith(MARK_BLOCK)
            and text.count(MARK_BLOCK) == 2
        ):
            pending.append((element, text.strip(MARK_BLOCK)))
        section = element if element.tag == qn("w:sectPr") else element.find(f".//{qn('w:sectPr')}")
        if section is None:
            continue
        here = page.within(section)
        for anchor, name in pending:  # the section that holds an anchor ends after it
            block = found[name]
            for new in building.build(name, block, here) if block is not None else ():
                anchor.addprevious(new)
            body.remove(anchor)
        pending.clear()
    for element in body.iter(qn("w:p")):
        if MARK_REFERENCE in plain_text(element):
            _place_references(element)


def _place_references(element: Element) -> None:
    for old in list(element.iter(qn("w:r"))):
        if MARK_REFERENCE in plain_text(old):
            _split(
                old,
                _REFERENCE,
                lambda name: word_field(f"REF {bookmark_name(name)} \\h", [run("")]),
            )


def _split(old: Element, pattern: re.Pattern[str], make: Callable[[str], list[Element]]) -> None:
    """Replace each match in a run by what `make` gives for its group; looks are kept."""
    for number, piece in enumerate(pattern.split(plain_text(old))):
        for item in make(piece) if number % 2 else [run(piece)] if piece else []:
            if old.rPr is not None:
                looks = item.get_or_add_rPr()
                for child in reversed(old.rPr):
                    looks.insert(0, copy.deepcopy(child))
            old.addprevious(item)
    old.getparent().remove(old)


def _refresh_captions(document: WordDocument) -> None:
    """Count SEQ fields in document order, then give every REF field its label as text."""
    counts: dict[str, int] = {}
    fields = list(_fields(document.element.body))
    for code, result in fields:
        if match := re.match(r"SEQ\s+(\S+)", code):
            counts[match[1]] = counts.get(match[1], 0) + 1
            _set_result(result, str(counts[match[1]]))
    labels: dict[str, str] = {}
    for start in document.element.body.iter(qn("w:bookmarkStart")):
        text, node = "", start.getnext()
        while node is not None and node.tag != qn("w:bookmarkEnd"):
            text += plain_text(node)
            node = node.getnext()
        labels[start.get(qn("w:name"), "")] = text
    for code, result in fields:
        if match := re.match(r"REF\s+(\S+)", code):
            if match[1] not in labels:
                raise EvalkitError([Problem(what=f"交叉引用“{match[1]}”没有对应的表或图")])
            _set_result(result, labels[match[1]])


def _set_result(result: list[Element], text: str) -> None:
    first, *rest = result
    for old in first.findall(qn("w:t")):
        first.remove(old)
    first.extend(list(run(text)))
    for other in rest:
        other.getparent().remove(other)


def _fields(body: Element) -> Iterator[tuple[str, list[Element]]]:
    """Instruction and result runs of every simple (unnested) complex field."""
    code, result, inside = "", [], ""
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


# --- gaps and contents ----------------------------------------------------------------------


def _headings(document: WordDocument) -> list[tuple[int, Element]]:
    levels = {style.style_id: _level(style.name) for style in document.styles}
    return [(levels[style_of(p)], p) for p in document.element.body.iter(qn("w:p"))
            if levels.get(style_of(p), 0) and plain_text(p).strip()]  # fmt: skip


def _mark_gaps(document: WordDocument, page: Page) -> list[str]:
    """Write 待补充 under headings with nothing below; list all sections that say so."""
    headings = _headings(document)
    first = headings[0][1] if headings else None
    before = itertools.takewhile(lambda p: p is not first, document.element.body.iter(qn("w:p")))
    missing = ["封面和声明"] if any(GAP in plain_text(p) for p in before) else []
    marks = {id(element): level for level, element in headings}
    for level, heading in headings:
        own, node = [], heading.getnext()
        while node is not None and id(node) not in marks and node.tag != qn("w:sectPr"):
            if style_of(node) == page.style("TOC Heading"):
                break
            own.append(node)
            node = node.getnext()
        filled = any(
            plain_text(n).strip() or n.find(f".//{qn('w:drawing')}") is not None for n in own
        )
        deeper = node is not None and marks.get(id(node), 0) > level
        if not filled and not deeper:
            heading.addnext(paragraph(page.style("Body Text"), GAP))
        if (not filled and not deeper) or any(GAP in plain_text(n) for n in own):
            missing.append(plain_text(heading).strip())
    for old in [r for r in document.element.body.iter(qn("w:r")) if GAP in plain_text(r)]:
        if all(child.tag in (qn("w:rPr"), qn("w:t")) for child in old):
            _split(
                old,
                _GAP,
                lambda text: [run(text, properties=el("rPr", el("highlight", val="yellow")))],
            )
    return missing


def _contents(document: WordDocument) -> list[Element]:
    """The paragraphs of the first TOC field, from its begin to its end."""
    depth, inside = 0, False
    spanned: list[Element] = []
    for element in document.element.body.iter(qn("w:p")):
        begins = [
            f for f in element.iter(qn("w:instrText")) if (f.text or "").strip().startswith("TOC")
        ]
        inside = inside or bool(begins)
        if not inside:
            continue
        spanned.append(element)
        for mark in element.iter(qn("w:fldChar")):
            kind = mark.get(qn("w:fldCharType"))
            depth += {"begin": 1, "end": -1}.get(kind, 0)
        if depth <= 0:
            break
    return spanned


def _toc_code(paragraphs: list[Element]) -> str:
    codes = (node.text or "" for p in paragraphs for node in p.iter(qn("w:instrText")))
    return next((code.strip() for code in codes if code.strip().startswith("TOC")), "")


def _collapse_contents(document: WordDocument) -> None:
    """Forget cached entries: they repeat headings, template fields and all."""
    spanned = _contents(document)
    if spanned:
        mark = paragraph(
            style_of(spanned[0]), *word_field(_toc_code(spanned), [run("…")], dirty=True)
        )
        spanned[0].addprevious(mark)
        for old in spanned:
            old.getparent().remove(old)


def _fill_contents(document: WordDocument, page: Page) -> None:
    """Write the contents' entries, each a link with a page reference.

    Page numbers are known to a word processor alone. The field is marked dirty, so Word counts
    them when it opens the file, without a switch that would ask at every later opening too.
    """
    spanned = _contents(document)
    if not spanned:
        return
    code = _toc_code(spanned)
    span = re.search(r'\\o "(\d)-(\d)"', code)
    deepest = int(span[2]) if span else 3
    entries = []
    numbers = _Numbers(document)
    for level, heading in _headings(document):
        number = numbers.next(style_of(heading))
        if level > deepest:
            continue
        name = f"_Toc{len(entries) + 1:08d}"
        content = [child for child in heading if child.tag != qn("w:pPr")]
        for item in bookmark(name, *content):
            heading.append(item)
        page_field = word_field(f"PAGEREF {name} \\h", [run("")])
        link = el("hyperlink", run(number + plain_text(heading).strip()), el("r", el("tab")),
                  *page_field, anchor=name, history=1)  # fmt: skip
        entries.append(paragraph(page.style(f"toc {level}"), link))
    opening = word_field(code, [], dirty=True)
    if not entries:
        return
    for item in reversed(opening[:-1]):
        entries[0].pPr.addnext(item)
    entries[-1].append(opening[-1])
    for entry in entries:
        spanned[0].addprevious(entry)
    for old in spanned:
        old.getparent().remove(old)


class _Numbers:
    """Counts headings as Word's multilevel numbering does, for the cached contents."""

    def __init__(self, document: WordDocument) -> None:
        self.counts: dict[tuple[str, int], int] = {}
        self.levels: dict[str, tuple[str, int]] = {}
        self.formats: dict[tuple[str, int], tuple[str, str]] = {}
        root = document.part.numbering_part.element
        abstracts = {a.get(qn("w:abstractNumId")): a for a in root.findall(qn("w:abstractNum"))}
        chosen = {n.get(qn("w:numId")): n.find(qn("w:abstractNumId")).get(qn("w:val"))
                  for n in root.findall(qn("w:num"))}  # fmt: skip
        for style in document.styles:
            number = style.element.find(f"{qn('w:pPr')}/{qn('w:numPr')}/{qn('w:numId')}")
            if number is None or number.get(qn("w:val")) not in chosen:
                continue
            key = chosen[number.get(qn("w:val"))]
            depth = style.element.find(f"{qn('w:pPr')}/{qn('w:numPr')}/{qn('w:ilvl')}")
            level = 0 if depth is None else int(depth.get(qn("w:val")))
            self.levels[style.style_id] = (key, level)
            for item in abstracts[key].findall(qn("w:lvl")):
                place = (key, int(item.get(qn("w:ilvl"))))
                self.formats[place] = (item.find(qn("w:numFmt")).get(qn("w:val")),
                                       item.find(qn("w:lvlText")).get(qn("w:val")))  # fmt: skip

    def next(self, style: str) -> str:
        if style not in self.levels:
            return ""
        key, level = self.levels[style]
        self.counts[key, level] = self.counts.get((key, level), 0) + 1
        for deeper in range(level + 1, 9):
            self.counts.pop((key, deeper), None)
        text = self.formats[key, level][1]
        for depth in range(level + 1):
            kind, count = self.formats[key, depth][0], self.counts.get((key, depth), 1)
            shown = _chinese(count) if kind.startswith("chinese") else str(count)
            text = text.replace(f"%{depth + 1}", shown)
        return text


def _chinese(number: int) -> str:
    """1–99 in Chinese.

    >>> _chinese(7), _chinese(10), _chinese(21)
    ('七', '十', '二十一')
    """
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else _CHINESE[tens] + "十"
    return head + (_CHINESE[ones] if ones or not tens else "")
