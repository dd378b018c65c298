"""From a template and a context to a finished docx: the one place that knows docxtpl.

docxtpl fills the text in a sandbox, once. What follows works on the document itself: narrative
from the evaluator's own docx, blocks at their anchors, references, contents. So nothing that came
from a workbook or from the narrative is ever read as a template or as a field instruction.
"""

import copy
import hashlib
import itertools
import re
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from docx.document import Document as WordDocument
from docxtpl import DocxTemplate
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from evalkit.core.problem import EvalkitError, Problem, refusal, sentence
from evalkit.ooxml import bind, oxml, package
from evalkit.ooxml.oxml import Element, el, local_name, plain_text, qn, run, style_of
from evalkit.word import contents
from evalkit.word.blocks import LABEL, Block, Page, Table, build, page_of, row_keys
from evalkit.word.narrative import Outline, heading_key, heading_levels, insert_narrative

Context = Mapping[str, Any]
Blocks = Mapping[str, Block | None]

_UNIT = "unit_"  # the template function that names a paragraph
_LOOP = re.compile(r"{%-?(?:p|tr)\s+(?:for\s+(\w+)\s+in|endfor)\b")
_NO_UNIT = re.compile(r"{%-?(?:p|tr|tc)\s|{{\s*block\(")
_ROW_KEYS = ("key", "code", "no", "name")
_REFERENCE = re.compile(f"{oxml.MARK_REFERENCE}(\\w+){oxml.MARK_REFERENCE}")
_SIMPLE_REFERENCE = re.compile(r"REF\s+\S+(\s+\\h|\s+\\\*\s+\w+)*\s*")
_GAP = re.compile(f"({oxml.GAP})")
_REASONS = {"SecurityError": "用到了不允许的写法", "TemplateSyntaxError": "写法有误"}


@dataclass(frozen=True)
class RenderReport:
    """What was written: the path, the sections still 待补充, and what a person should look at.

    `units` is the text of every generated paragraph and row by key, `bindings` how many fields
    show each bound number, `pictures` the keys of the drawings, `narrative` the keys of what is the
    evaluator's own text.
    """

    path: Path
    missing: tuple[str, ...]
    problems: tuple[Problem, ...]
    units: Mapping[str, str]
    bindings: Mapping[str, int]
    pictures: tuple[str, ...]
    narrative: tuple[str, ...]


def render(
    template: Path, context: Context, out: Path, blocks: Blocks, narrative: Path | None = None
) -> RenderReport:
    """Fill a template and write the docx. A block that is None leaves no trace of its anchor.

    `context["document"]` may hold `title` and `date`, the only properties the file carries, and
    `headings` that must be there.

    Raises:
        EvalkitError: the template or the narrative cannot be read, or the template asks for
            something that is not there; with its paragraph and the heading above it.
    """
    document, about = _fill(template, context, blocks), context.get("document", {})
    page, outline = page_of(document), Outline.of(document)
    lacking = [t for t in about.get("headings", ()) if heading_key(t) not in outline.sections]
    problems = [sentence("report.outline", file=template.name, title=title) for title in lacking]
    if narrative:
        problems += insert_narrative(outline, page, narrative)
    _place_blocks(document, page, blocks)
    missing = _mark_gaps(document, page, outline)
    narrated = _own_rest(document, outline)
    shown = settle(document, page, context.get("bound", {}))
    units = bind.units(document.element.body)
    texts = {key: bind.seal(unit) for key, unit in units.items()}
    path = package.save(document, out, about)
    pictures = tuple(bind.pictures(document.element.body))
    own = tuple(key for key in narrated if key in units)
    return RenderReport(path, tuple(missing), tuple(problems), texts, shown, pictures, own)


def settle(document: WordDocument, page: Page, values: Mapping[str, str]) -> dict[str, int]:
    """Give every field its result: bound numbers, captions, references, contents.

    Returns how many fields show each bound number.
    """
    bind.set_properties(document, values, keep=True)
    body, *others = bind.stories(document)
    found = bind.fields(body)
    bound = [item for item in (*found, *bind.fields(*others)) if item.path]
    for item in bound:
        if item.path in values and (item.text != values[item.path] or item.author):
            item.put(values[item.path])
    for item, text in labels(body, found):
        if item.text != text or item.author:
            item.put(text)
    contents.fill(document, page, found)
    return dict(Counter(item.path for item in bound))


# --- the template engine --------------------------------------------------------------------


class _Environment(SandboxedEnvironment):
    """The sandbox; a text that was compiled for one letter is not compiled for the next."""

    from_string = lru_cache(maxsize=256)(SandboxedEnvironment.from_string)  # type: ignore[assignment]


_ENVIRONMENT = _Environment(autoescape=True, undefined=StrictUndefined)


def _fill(template: Path, context: Context, blocks: Blocks) -> WordDocument:
    try:
        engine = DocxTemplate(str(template))
        engine.init_docx()
    except Exception:  # whatever python-docx makes of a damaged file
        raise refusal("template.damaged", file=template.name) from None
    contents.collapse(engine.docx)
    _mark_units(engine.docx)

    def block(name: str) -> str:
        if name not in blocks:
            raise TemplateError(f"没有名为“{name}”的表或图")
        return f"{oxml.MARK_BLOCK}{name}{oxml.MARK_BLOCK}"

    def reference(name: str) -> str:
        if blocks.get(name) is None:
            raise TemplateError(f"“{name}”没有内容，不能引用")
        return f"{oxml.MARK_REFERENCE}{name}{oxml.MARK_REFERENCE}"

    functions = {"block": block, "ref": reference, _UNIT: _unit}
    try:
        engine.render(_literal(context) | functions, _ENVIRONMENT)
    except Exception as error:  # a template may ask for anything; whatever fails, say where
        raise EvalkitError([_template_problem(template, engine, error)]) from None
    document: WordDocument = engine.docx
    for story in bind.stories(document):
        split_runs(story, bind.BOUND, bind.bound_runs)
    _own_marked(document.element.body)
    return document


def _literal(value: Any) -> Any:
    """Context values as the engine must see them: cleaned, line ends as new paragraphs."""
    if isinstance(value, str):
        return re.sub(r"\s*\n\s*", "\a", oxml.clean(value, bound=True).strip())
    if isinstance(value, Mapping):
        return {key: _literal(item) for key, item in value.items()}
    return [_literal(item) for item in value] if isinstance(value, (list, tuple)) else value


def _template_problem(template: Path, engine: DocxTemplate, error: Exception) -> Problem:
    """Say which paragraph, under which heading, asked for what."""
    frames = traceback.walk_tb(error.__traceback__)  # the template's last gives the line
    numbers = [line for frame, line in frames if frame.f_code.co_filename == "<template>"]
    number = numbers[-1] if numbers else getattr(error, "lineno", None)
    part = engine.current_rendering_part
    inside = part is None or part is engine.docx.part
    source = engine.get_xml() if inside else engine.get_part_xml(part)
    # a line is a paragraph
    lines = re.sub(r"<w:p([ >])", r"\n<w:p\1", engine.patch_xml(source)).splitlines()
    upwards = lines[number - 1 :: -1] if number else [""]
    headings = [f'w:pStyle w:val="{style}"' for style in heading_levels(engine.docx)]
    above = (line for line in upwards if any(mark in line for mark in headings))
    heading = f"“{_words(next(above, '文首'))}”下的" if inside else "页眉页脚中的"
    said = str(error)
    unknown = re.search(r"'([^']+)' is undefined|has no (?:attribute|element) '?([^']+)'?", said)
    reason = f"没有字段“{unknown[1] or unknown[2]}”" if unknown else ""
    reason = reason or _REASONS.get(type(error).__name__, said)
    facts = {"heading": heading, "text": _words(upwards[0])[:60], "reason": reason}
    return sentence("template.field", file=template.name, **facts)


def _words(xml: str) -> str:
    xml = re.sub(rf"{{{{\s*{_UNIT}\(.*?}}}}|{oxml.MARK_UNIT}.*?{oxml.MARK_UNIT}", "", xml)
    return re.sub(r"<[^>]+>|{%p?\s.*?%}", "", xml).strip() or re.sub(r"<[^>]+>", "", xml).strip()


# --- generated paragraphs ------------------------------------------------------------------


def _mark_units(document: WordDocument) -> None:
    """Let each paragraph of the body say which it is: its source, and the row it is made for."""
    seen, loops = bind.numbered(), list[str]()
    for element in document.element.body.iter(qn("w:p")):
        text = plain_text(element)
        if loop := _LOOP.search(text):
            loops = [*loops, loop[1]] if loop[1] else loops[:-1]
        codes = (node.text or "" for node in element.iter(qn("w:instrText")))
        if _NO_UNIT.search(text) or not text.strip() or any("TOC" in code for code in codes):
            continue
        source = hashlib.sha256(text.encode()).hexdigest()[:12]
        name = f"{source}.{next(seen[source])}"
        inside = f"{{{{ {_UNIT}('{name}', {', '.join(['loop.index', *loops])}) }}}}"
        mark = _copied(inside if loops else _unit(name))
        next(c for c in element if local_name(c) != "pPr").addprevious(mark)


def _unit(source: str, place: int = 0, *rows: Any) -> str:
    """The mark of one paragraph: in loops rows are known by key, code, number or name."""
    fields = (row if isinstance(row, Mapping) else {} for row in rows)
    known = (next((row[k] for k in _ROW_KEYS if row.get(k)), place) for row in fields)
    return f"{oxml.MARK_UNIT}{'.'.join(map(str, [source, *known]))}{oxml.MARK_UNIT}"


def _own_marked(body: Element) -> None:
    """Turn marks into units; a paragraph without one goes on from the last."""
    key, part = "", 0
    for element in list(body.iter(qn("w:p"))):
        first = next((t for t in element.iter(qn("w:t")) if oxml.MARK_UNIT in (t.text or "")), None)
        if first is not None:
            key, part = first.text.strip(oxml.MARK_UNIT), 0
            element.remove(first.getparent())
        elif plain_text(element).startswith(oxml.MARK_BLOCK):
            key = ""
        if key:
            bind.own(element, f"{key}.{part}")
            part += 1


def _own_rest(document: WordDocument, outline: Outline) -> list[str]:
    """What the evaluator's own text brought is known by its heading and its words; its keys."""
    seen, heading, keys = bind.numbered(), "", []
    for element in document.element.body:
        if style_of(element) in outline.levels:
            heading = plain_text(element)
        names = (node.get(qn("w:name"), "") for node in element.iter(qn("w:bookmarkStart")))
        codes = (code.text or "" for code in element.iter(qn("w:instrText")))
        if any(map(bind.OWNED.fullmatch, names)) or any("TOC" in code for code in codes):
            continue
        rows = list(element.iter(qn("w:tr"))) or [element]  # a table is known by its first row
        first = hashlib.sha256(f"{heading}|{plain_text(rows[0])}".encode()).hexdigest()[:16]
        place = next(seen[first])
        for row in rows:
            name = f"{first}.{place}.{plain_text(next(row.iter(qn('w:tc')), row))}"
            keys.append(bind.own(row, f"text.{name}.{next(seen[name])}"))
    return keys


# --- blocks and references ------------------------------------------------------------------


def _place_blocks(document: WordDocument, page: Page, blocks: Blocks) -> None:
    body = document.element.body
    pending: list[Element] = []
    for element in list(body):
        if local_name(element) == "p" and plain_text(element).startswith(oxml.MARK_BLOCK):
            pending.append(element)
        section = next(element.iter(qn("w:sectPr")), None)
        if section is None:
            continue
        here = page_of(document, section)
        for anchor in pending:  # the section that holds an anchor ends after it
            name = plain_text(anchor).strip(oxml.MARK_BLOCK)
            block = blocks[name]
            for number, new in enumerate(build(name, block, here) if block else ()):
                anchor.addprevious(new)
                _own_block(name, number, block, new)
            body.remove(anchor)
        pending.clear()
    _tighten(document, page)
    split_runs(body, _REFERENCE, lambda n: oxml.field(f"REF {LABEL}{n} \\h", [run("")]))


def _own_block(name: str, number: int, block: Block | None, element: Element) -> None:
    if local_name(element) != "tbl":
        bind.own(element, f"{name}.{number}")
        return
    rows = element.findall(qn("w:tr"))
    keys = ["", *row_keys(block)] if isinstance(block, Table) else range(len(rows))
    for key, row in zip(keys, rows, strict=True):
        bind.own(row, f"{name}.row.{key}")


def _tighten(document: WordDocument, page: Page) -> None:
    """Distances after tables must not open a page and leave it empty."""
    body, end = document.element.body, page.style("分节")
    styles = document.styles.element.xpath("w:style[w:pPr/w:pageBreakBefore]")
    for space in [p for p in body.iterchildren() if style_of(p) == page.style("表格间隔")]:
        if style_of(space.getnext()) in {end, *(style.styleId for style in styles)}:
            body.remove(space)
        elif space.getnext() is body.sectPr:  # Word wants a paragraph here
            space.pPr.pStyle.val = end


def split_runs(body: Element, find: re.Pattern[str], make: Callable[[str], list[Element]]) -> None:
    """Replace each match in runs of text by what `make` gives for its group; looks are kept."""
    found = (t.getparent() for t in body.iter(qn("w:t")) if find.search(t.text or ""))
    for old in dict.fromkeys(found):
        looks = [] if old.rPr is None else list(old.rPr)
        for child in (c for c in old if local_name(c) != "rPr"):
            pieces = find.split(child.text or "") if local_name(child) == "t" else [""]
            made = [make(p) if n % 2 else [_copied(p)] for n, p in enumerate(pieces) if p]
            for item in itertools.chain.from_iterable(made or [[el("r", copy.copy(child))]]):
                for look in reversed(looks):
                    item.get_or_add_rPr().insert(0, copy.deepcopy(look))
                old.addprevious(item)
        old.getparent().remove(old)


def _copied(text: str) -> Element:
    """A run of text that may still hold marks for a later pass."""
    return el("r", oxml.spaced(text))


def labels(body: Element, fields: list[bind.Field]) -> list[tuple[bind.Field, str]]:
    """Fields that number captions or refer to bookmarks, each with what it must say."""
    counts = bind.numbered()
    found = [(item, item.code.split()[1]) for item in fields if " " in item.code]
    said, numbers = dict[Element, str](), list[tuple[bind.Field, str]]()
    for item, label in found:
        if item.code.startswith("SEQ"):
            numbers.append((item, str(next(counts[label]))))
            said |= dict.fromkeys(item.result, "") | {item.marks[-1]: numbers[-1][1]}
    wanted = [pair for pair in found if _SIMPLE_REFERENCE.fullmatch(pair[0].code)]
    texts = dict.fromkeys((name for _, name in wanted), "")
    for start in body.iter(qn("w:bookmarkStart")):
        if texts.get(start.get(qn("w:name"))) == "":
            texts[start.get(qn("w:name"))] = _enclosed(start, said)
    return numbers + [(item, texts[name]) for item, name in wanted if texts[name]]


def _enclosed(start: Element, said: Mapping[Element, str]) -> str:
    """Text of a bookmark within one paragraph, with what fields are going to say; else empty."""
    text = ""
    for node in start.itersiblings():
        if local_name(node) == "bookmarkEnd" and node.get(qn("w:id")) == start.get(qn("w:id")):
            return text
        for inner in node.iter(qn("w:r"), qn("w:fldSimple")):
            own = plain_text(inner) if local_name(inner) == "r" else ""
            text += said.get(inner, own)
    return ""


# --- gaps -----------------------------------------------------------------------------------


def _mark_gaps(document: WordDocument, page: Page, outline: Outline) -> list[str]:
    """Write 待补充 under headings with nothing below; list and mark all places that say so."""
    body, stop = document.element.body, page.style("TOC Heading")
    headings = [p for p in body.iterchildren(qn("w:p")) if style_of(p) in outline.levels]
    before = itertools.takewhile(lambda p: p not in headings[:1], body.iter(qn("w:p")))
    missing = ["封面和声明"] if any(oxml.GAP in plain_text(p) for p in before) else []
    for heading in headings:
        section = outline.content_of(heading, stop)
        after = (section or [heading])[-1].getnext()
        level = 0 if after is None else outline.levels.get(style_of(after), 0)
        empty = not any(plain_text(n).strip() or [*n.iter(qn("w:drawing"))] for n in section)
        if empty and level <= outline.levels[style_of(heading)]:
            section = [oxml.paragraph(page.style("Body Text"), oxml.GAP)]
            heading.addnext(section[0])
        if any(oxml.GAP in plain_text(node) for node in section):
            missing.append(plain_text(heading).strip())
    yellow = el("rPr", el("highlight", val="yellow"))
    split_runs(body, _GAP, lambda text: [run(text, properties=copy.deepcopy(yellow))])
    return missing
