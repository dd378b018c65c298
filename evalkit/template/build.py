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
    // …                            a remark
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml
from docx import Document
from docx.document import Document as WordDocument
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE as RELATION
from docx.opc.oxml import serialize_part_xml
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from docx.shared import Emu, Mm
from jinja2 import Environment, StrictUndefined

from evalkit.core.paths import asset
from evalkit.core.problem import Problem, refusal, refuse
from evalkit.ooxml import package
from evalkit.ooxml.oxml import DXA_PER_MM, Element, el, paragraph, plain_text

Style = dict[str, Any]

SUMMARY_SLOT, BODY_SLOT = "【摘要】", "【正文】"
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
        style = yaml.safe_load(path.read_text(encoding="utf-8"))
        missing = parts - set(style)
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        missing = parts
    if missing:
        raise refusal("style.parts", file=path.name, parts="、".join(sorted(missing)))
    return dict(style)


def template_for(name: str, style: str) -> Path:
    """The template of a business in a style: ``templates/STYLE/NAME.docx``, else the common one."""
    own = asset("templates", style, f"{name}.docx")
    return own if own.is_file() else asset("templates", f"{name}.docx")


def build_base(style: Style, out: Path, skeleton: Path | None = None) -> Path:
    """Make base.docx from a style profile and base.xml (beside `out` if not said).

    Returns the path written.
    """
    filled = _fill(skeleton or out.with_name("base.xml"), style)
    parts = {part.tag: part for part in filled}
    document = Document()
    for rels in (document.part.package.rels, document.part.rels):
        for key, rel in list(rels.items()):
            if rel.reltype.endswith(_UNUSED):
                del rels[key]
    _replace(document.element.body, parts[qn("w:body")])
    _replace(document.styles.element, parts[qn("w:styles")])
    _replace(document.part.numbering_part.element, parts[qn("w:numbering")])
    _replace(document.settings.element, parts[qn("w:settings")])
    fonts = next(r for r in document.part.rels.values() if r.reltype == RELATION.FONT_TABLE)
    fonts.target_part._blob = serialize_part_xml(parts[qn("w:fonts")])
    section = document.sections[1]  # after the cover; later sections inherit header and footer
    sides = (section.header, section.even_page_header, section.footer, section.even_page_footer)
    sources = [*filled.iter(qn("w:hdr")), *filled.iter(qn("w:ftr"))]
    for side, source in zip(sides, sources, strict=True):
        side.is_linked_to_previous = False
        _replace(side._element, source)
    return package.save(document, out, title=TITLE)


def _fill(skeleton: Path, style: Style) -> Element:
    environment = Environment(
        block_start_string="[%", block_end_string="%]", variable_start_string="[[",
        variable_end_string="]]", comment_start_string="[#", comment_end_string="#]",
        autoescape=True, undefined=StrictUndefined,
    )  # fmt: skip
    for name, factor in _UNITS.items():
        environment.filters[name] = lambda value, factor=factor: round(float(value) * factor)
    optional = ("keep", "level", "new_page", "number", "rule", "before", "after", "lines", "line",
                "indent", "align", "bold", "latin", "color")  # fmt: skip
    styles = [{**dict.fromkeys(optional), "custom": not s["name"].isascii(), **s}
              for s in style["styles"]]  # fmt: skip
    names = {"faces": style["fonts"], "grid": style["table"], "lists": list(style["numbering"])}
    source = environment.from_string(skeleton.read_text(encoding="utf-8"))
    return parse_xml(source.render({**style, **names, "styles": styles}).encode("utf-8"))


def _replace(target: Element, source: Element) -> None:
    for child in list(target):
        target.remove(child)
    target.extend(list(source))


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
    named = (match["name"] for match in matches if match["name"])
    wrong += [f"base.docx 中没有样式“{name}”" for name in named if name not in ids]
    wrong += ["应有且只有一行“:: 正文”"] if lines.count(":: 正文") != 1 else []
    refuse([Problem(file=body.name, what=what, remedy="请补上后重新生成") for what in wrong])
    start = lines.index(":: 正文")
    for slot, part in ((SUMMARY_SLOT, lines[:start]), (BODY_SLOT, lines[start + 1 :])):
        for line in part:
            slots[slot].addprevious(_body_paragraph(line, ids, document))
        slots[slot].getparent().remove(slots[slot])
    return package.save(document, out, title=TITLE)


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
    top, right, bottom, left = [sides[3], *sides[:3]] if landscape else sides
    section.page_width, section.page_height = reversed(size) if landscape else size
    section.top_margin, section.right_margin = top, right
    section.bottom_margin, section.left_margin = bottom, left
    section.header_distance = Emu(min(upright.header_distance or 0, (top or 0) - Mm(9)))
    section.footer_distance = Emu(min(upright.footer_distance or 0, (bottom or 0) - Mm(9)))
    for kind in ("pgNumType", "headerReference", "footerReference"):
        for node in section._sectPr.findall(qn(f"w:{kind}")):
            section._sectPr.remove(node)
