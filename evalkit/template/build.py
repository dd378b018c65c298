"""From a style profile to base.docx, and from base.docx and a body outline to a report template.

base.docx carries what every report shares: styles, cover, statement and signature page, contents,
header and footer. It is made once, from base.xml and the style profile, and then belongs to the
firm: `build` reads it as it is, so whatever was changed in Word carries over: fonts and sizes of
styles, a logo put on the cover as a picture, lines with fields of the report, wording. Only the
paragraphs 【摘要】 and 【正文】 and the names of styles must stay. Templates of another style stand
in a folder of their own with its base.docx.

A body outline is plain text, one paragraph a line::

    # 基本情况                      heading 1 (to #### for heading 4; Word numbers them)
    [附件标题] 绩效评价评分表        a paragraph of any style of base.docx
    {{ funds.sentence }}            a paragraph with template fields
    {%p for row in issues %}        a template instruction, alone in its paragraph
    :: 正文                         the summary ends, the body begins (once)
    :: 横向 / :: 纵向                the following pages are landscape / portrait
    :: 无封面                       all is body: no cover, no contents, no line :: 正文
    // …                            a remark

The outline of a letter (``NAME_letter.md``) is all body, too.
"""

import copy
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml
from docx import Document
from docx.document import Document as WordDocument
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE as RELATION
from docx.opc.oxml import serialize_part_xml
from docx.oxml.parser import parse_xml
from docx.shared import Emu, Mm
from jinja2 import Environment, StrictUndefined

from evalkit.core.paths import asset
from evalkit.core.problem import Problem, refusal, refuse
from evalkit.core.yaml_file import SAFE
from evalkit.ooxml import package
from evalkit.ooxml.oxml import DXA_PER_MM, Element, el, paragraph, plain_text, qn

Style = dict[str, Any]

SUMMARY_SLOT, BODY_SLOT, BARE = "【摘要】", "【正文】", ":: 无封面"
TITLE = "绩效评价报告模板"
_STYLED = re.compile(r"^(?:(?P<level>#{1,4})|\[(?P<name>[^\]]+)\])\s+(?P<text>.+)$")
_UNUSED = ("thumbnail", "extended-properties", "customXml", "stylesWithEffects", "webSettings")
_UNITS = {"mm": DXA_PER_MM, "pt": 20, "half": 2, "eighth": 8}


def load_style(path: Path) -> Style:
    """Read a style profile.

    Raises:
        EvalkitError: not a style profile.
    """
    parts = {"page", "fonts", "latin", "styles", "numbering", "table", "page_number"}
    try:
        style = dict(yaml.load(path.read_text(encoding="utf-8"), Loader=SAFE))  # noqa: S506
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        style = {}
    if missing := parts - set(style):
        raise refusal("style.parts", file=path.name, parts="、".join(sorted(missing)))
    return style


def template_for(name: str, style: str) -> Path:
    """The template of a business in a style: ``templates/STYLE/NAME.docx``, else the common one."""
    own = asset("templates", style, f"{name}.docx")
    return own if own.is_file() else asset("templates", f"{name}.docx")


def build_base(style: Style, out: Path, skeleton: Path | None = None) -> Path:
    """Make base.docx from a style profile and base.xml (beside `out` if not said).

    Returns the path written.
    """
    filled = _fill(skeleton or out.with_name("base.xml"), style)
    document = Document()
    for rels in (document.part.package.rels, document.part.rels):
        for key, rel in list(rels.items()):
            if rel.reltype.endswith(_UNUSED):
                del rels[key]
    document.element.body[:] = filled.find(qn("w:body"))
    document.styles.element[:] = filled.find(qn("w:styles"))
    document.part.numbering_part.element[:] = filled.find(qn("w:numbering"))
    document.settings.element[:] = filled.find(qn("w:settings"))
    fonts: Any = document.part.part_related_by(RELATION.FONT_TABLE)
    fonts._blob = serialize_part_xml(filled.find(qn("w:fonts")))
    section = document.sections[1]  # after the cover; later sections inherit header and footer
    sides = (section.header, section.even_page_header, section.footer, section.even_page_footer)
    sources = [*filled.iter(qn("w:hdr")), *filled.iter(qn("w:ftr"))]
    for side, source in zip(sides, sources, strict=True):
        side.is_linked_to_previous = False
        side._element[:] = source
    return package.save(document, out, {"title": TITLE})


def _fill(skeleton: Path, style: Style) -> Element:
    environment = Environment(
        block_start_string="[%", block_end_string="%]", variable_start_string="[[",
        variable_end_string="]]", comment_start_string="[#", comment_end_string="#]",
        autoescape=True, undefined=StrictUndefined,
    )  # fmt: skip
    for name, factor in _UNITS.items():
        environment.filters[name] = lambda value, factor=factor: round(float(value) * factor)
    # what a profile does not say of a style is false
    styles = [defaultdict(str, s, custom=not s["name"].isascii()) for s in style["styles"]]
    names = {"faces": style["fonts"], "grid": style["table"], "lists": list(style["numbering"])}
    source = environment.from_string(skeleton.read_text(encoding="utf-8"))
    return parse_xml(source.render({**style, **names, "styles": styles}).encode("utf-8"))


def build(style: Style, body: Path, out: Path, base: Path | None = None) -> Path:
    """Make a report template from base.docx (made first where it is missing) and a body outline.

    Returns the path written.

    Raises:
        EvalkitError: a slot of base.docx, a style or a required heading is missing.
    """
    base = base or out.with_name("base.docx")
    if not base.exists():
        build_base(style, base, body.with_name("base.xml"))
    document = Document(str(base))
    lines = [line.strip() for line in body.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("//")]
    ids = {s.name: s.style_id for s in document.styles if s.type == WD_STYLE_TYPE.PARAGRAPH}
    slots = {plain_text(p._p): p._p for p in document.paragraphs}
    outline = style.get("outline", {}).get(body.stem, [])
    matches = [match for line in lines if (match := _STYLED.match(line))]
    texts = {"".join(match["text"].split()) for match in matches}
    wrong = [f"base.docx 中没有段落“{s}”" for s in (SUMMARY_SLOT, BODY_SLOT) if s not in slots]
    wrong += [f"缺少必需的标题“{title}”" for title in outline if title not in texts]
    named = [match["name"] for match in matches if match["name"]]
    wrong += [f"base.docx 中没有样式“{name}”" for name in named if name not in ids]
    letter = body.stem.endswith("_letter") or BARE in lines
    lines = [line for line in lines if line != BARE]
    wrong += ["应有且只有一行“:: 正文”"] if lines.count(":: 正文") != 1 - letter else []
    refuse([Problem(file=body.name, what=what, remedy="请补上后重新生成") for what in wrong])
    start = -1 if letter else lines.index(":: 正文")
    if letter:
        _keep_only(document, slots[BODY_SLOT])
    for slot, part in ((SUMMARY_SLOT, lines[:start]), (BODY_SLOT, lines[start + 1 :]))[letter:]:
        for line in part:
            slots[slot].addprevious(_body_paragraph(line, ids, document))
        slots[slot].getparent().remove(slots[slot])
    return package.save(document, out, {"title": TITLE})


def _keep_only(document: WordDocument, slot: Element) -> None:
    """Drop what stands before the body: a letter has no cover, only header and footer."""
    last, inner = document.sections[-1]._sectPr, document.sections[1]._sectPr
    for kind in ("footerReference", "headerReference"):
        for node in inner.findall(qn(f"w:{kind}")):
            last.insert(0, node)
    for child in list(document.element.body):
        if child not in (slot, last):
            document.element.body.remove(child)


def _body_paragraph(line: str, ids: dict[str, str], document: WordDocument) -> Element:
    if line in (":: 横向", ":: 纵向"):
        # The last section's properties stand at the end of the body: a copy of them closes the
        # pages so far in a paragraph of its own, then they turn the page for those to come.
        closed = copy.deepcopy(document.sections[-1]._sectPr)
        _turn(document, landscape=line.endswith("横向"))
        return el("p", el("pPr", el("pStyle", val=ids["分节"]), closed))
    match = _STYLED.match(line)
    if match is None:
        return paragraph(ids["Body Text"], line)
    return paragraph(ids[match["name"] or f"Heading {len(match['level'])}"], match["text"])


def _turn(document: WordDocument, *, landscape: bool) -> None:
    """Turn the last section's page, the binding edge to the top; page numbers go on."""
    upright, section = document.sections[0], document.sections[-1]
    sides = [upright.top_margin, upright.right_margin, upright.bottom_margin, upright.left_margin]
    size = [upright.page_width, upright.page_height]
    section.orientation = WD_ORIENT.LANDSCAPE if landscape else WD_ORIENT.PORTRAIT
    sides = [sides[3], *sides[:3]] if landscape else sides
    section.page_width, section.page_height = reversed(size) if landscape else size
    section.top_margin, section.right_margin, section.bottom_margin, section.left_margin = sides
    section.header_distance = Emu(min(upright.header_distance or 0, (sides[0] or 0) - Mm(9)))
    section.footer_distance = Emu(min(upright.footer_distance or 0, (sides[2] or 0) - Mm(9)))
    for node in section._sectPr.xpath("w:pgNumType | w:headerReference | w:footerReference"):
        section._sectPr.remove(node)
