"""From a style profile to base.docx, and from base.docx and a body outline to a report template.

base.docx carries what every report shares: styles, cover, statement and signature page, contents,
header and footer. It is made once from the style profile and then belongs to the firm: `build`
reads it as it is, so whatever was changed in Word carries over.

A body outline is plain text, one paragraph a line::

    # 基本情况                      heading 1 (to #### for heading 4; Word numbers them)
    [附件标题] 绩效评价评分表        a paragraph of any style of base.docx
    {{ funds.sentence }}            a paragraph with template fields
    {%p for row in issues %}        a template instruction, alone in its paragraph
    :: 正文                         the summary ends, the body begins (once)
    :: 横向 / :: 纵向                the following pages are landscape / portrait
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from docx import Document
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE as RELATION
from docx.oxml.ns import qn

from evalkit.core.problem import EvalkitError, Problem, refuse
from evalkit.report import package
from evalkit.report.oxml import DXA_PER_MM, Element, el, field, paragraph, plain_text, run

Style = dict[str, Any]

SUMMARY_SLOT, BODY_SLOT = "【摘要】", "【正文】"
_STYLED = re.compile(r"^(?:(?P<level>#{1,4})|\[(?P<name>[^\]]+)\])\s+(?P<text>.+)$")
_STATEMENT = (
    "本报告由{{ subject.agency }}受{{ subject.client }}委托，依据《项目支出绩效评价管理办法》"
    "（财预〔2020〕10号）等规定出具。评价遵循独立、客观、规范的原则。",
    "委托方和被评价单位对所提供资料的真实性、完整性负责。评价结论以评价基准日及报告所列资料、"
    "现场核查情况为依据。",
    "未经委托方及其同级财政部门同意，任何单位和个人不得以任何形式对外提供、泄露或公开本报告。",
    "本报告由主评人签名并加盖评价机构公章后生效。",
)
_SIGNATURES = (
    ("主评人", "{{ subject.lead_evaluator }}", "（签名）"),
    ("内部审核人", "{{ subject.reviewer }}", "（签名）"),
    ("评价机构", "{{ subject.agency }}", "（盖章）"),
    ("签署日期", "", "年　　月　　日"),
)
_COVER = (
    ("委托方", "{{ subject.client }}"),
    ("被评价单位", "{{ subject.unit }}"),
    ("评价机构", "{{ subject.agency }}"),
    ("报告日期", "{{ subject.report_date }}"),
)


def load_style(path: Path) -> Style:
    """Read a style profile.

    Raises:
        EvalkitError: not a style profile.
    """
    try:
        style = yaml.safe_load(path.read_text(encoding="utf-8"))
        missing = {"page", "fonts", "styles", "numbering", "table"} - set(style)
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        missing = {"page"}
    if missing:
        raise EvalkitError(
            [Problem(file=path.name, what="不是版式文件", remedy=f"应有 {'、'.join(sorted(missing))}")]
        )
    return dict(style)


# --- base.docx ------------------------------------------------------------------------------


def build_base(style: Path, out: Path) -> Path:
    """Make base.docx from a style profile; returns the path written."""
    profile = load_style(style)
    document = Document()
    _strip_package(document)
    _replace(document.styles.element, _style_elements(profile))
    numbering = document.part.numbering_part.element
    _replace(numbering, _numbering_elements(profile))
    _replace(document.settings.element, _setting_elements())
    body = document.element.body
    _replace(body, [*_front_pages(profile), body.sectPr])
    _set_section(body.sectPr, profile["page"])
    body.sectPr.append(el("pgNumType", start=1))
    _header_and_footer(document, profile)
    return package.save(document, out, title="绩效评价报告模板")


def _strip_package(document: WordDocument) -> None:
    """Drop from python-docx's stock template what a report does not need or validators refuse."""
    for rels in (document.part.package.rels, document.part.rels):
        for key, rel in list(rels.items()):
            kind = rel.reltype.rsplit("/", 1)[-1]
            if kind in {"thumbnail", "extended-properties", "customXml", "stylesWithEffects",
                        "webSettings"}:  # fmt: skip
                del rels[key]


def _replace(parent: Element, children: list[Element]) -> None:
    for child in list(parent):
        parent.remove(child)
    parent.extend(children)


def _fonts(profile: Style, key: str, latin: str = "") -> Element:
    name, latin = profile["fonts"][key]["name"], latin or profile["latin"]
    return el("rFonts", ascii=latin, hAnsi=latin, eastAsia=name, cs=latin)


def _style_elements(profile: Style) -> list[Element]:
    first = profile["styles"][0]
    size = round(first["size"] * 2)
    language = el("lang", val="en-US", eastAsia="zh-CN", bidi="ar-SA")
    defaults = el(
        "docDefaults",
        el("rPrDefault", el("rPr", _fonts(profile, first["font"]), el("kern", val=2),
                            el("sz", val=size), el("szCs", val=size), language)),
        el("pPrDefault", el("pPr")),
    )  # fmt: skip
    rule = round(profile["table"]["rule"] * 8)
    sides = ("top", "left", "bottom", "right", "insideH", "insideV")
    grid = [el(side, val="single", sz=rule, space=0, color="000000") for side in sides]
    padding = {side: round(profile["table"][f"{kind}_margin"] * DXA_PER_MM) for side, kind in
               (("top", "row"), ("left", "cell"), ("bottom", "row"), ("right", "cell"))}  # fmt: skip
    cells = el("tblCellMar", *(el(side, w=w, type="dxa") for side, w in padding.items()))
    shade = el("shd", val="clear", color="auto", fill=profile["table"]["head_fill"])
    zero = el("tblCellMar", *(el(side, w=0, type="dxa") for side in ("left", "right")))
    plain = el("style", el("name", val="Normal Table"), el("uiPriority", val=99),
               el("semiHidden"), el("unhideWhenUsed"),
               el("tblPr", el("tblInd", w=0, type="dxa"), zero),
               type="table", default=1, styleId="TableNormal")  # fmt: skip
    table = el("style", el("name", val="报告表格"), el("basedOn", val="TableNormal"),
               el("qFormat"), el("tblPr", el("tblBorders", *grid), cells),
               el("tblStylePr", el("tcPr", shade), type="firstRow"),
               type="table", customStyle=1, styleId="ReportTable")  # fmt: skip
    character = el("style", el("name", val="Default Paragraph Font"), el("uiPriority", val=1),
                   el("semiHidden"), type="character", default=1, styleId="DefaultParagraphFont")  # fmt: skip
    empty = el("style", el("name", val="No List"), el("uiPriority", val=99), el("semiHidden"),
               type="numbering", default=1, styleId="NoList")  # fmt: skip
    return [defaults, *(_style_element(profile, s) for s in profile["styles"]),
            character, plain, table, empty]  # fmt: skip


def _style_element(profile: Style, spec: Style) -> Element:
    first = spec["id"] == "Normal"
    builtin = spec["name"].isascii()
    ppr, level = el("pPr"), spec.get("level")
    if spec.get("keep") or level or spec["id"] == "Caption":
        ppr.append(el("keepNext"))
    if spec.get("new_page"):
        ppr.append(el("pageBreakBefore"))
    if "number" in spec:
        which = list(profile["numbering"]).index(spec["number"]) + 1
        depth = level - 1 if spec["number"] == "headings" else 0
        ppr.append(el("numPr", el("ilvl", val=depth), el("numId", val=which)))
    if spec.get("rule"):
        ppr.append(el("pBdr", el("bottom", val="single", sz=4, space=1, color="auto")))
    if "toc" in spec:
        width = round((profile["page"]["width"] - profile["page"]["left"]
                       - profile["page"]["right"]) * DXA_PER_MM)  # fmt: skip
        ppr.append(el("tabs", el("tab", val="right", leader="dot", pos=width)))
    ppr.append(_spacing(spec))
    if "toc" in spec:
        ppr.append(el("ind", left=round(spec["toc"] * spec["size"] * 20)))
    elif "indent" in spec:
        width = round(spec["indent"] * spec["size"] * 20)
        ppr.append(el("ind", firstLineChars=spec["indent"] * 100, firstLine=width))
    if "align" in spec:
        ppr.append(el("jc", val=spec["align"]))
    if level:
        ppr.append(el("outlineLvl", val=level - 1))
    size = round(spec["size"] * 2)
    rpr = el("rPr", _fonts(profile, spec["font"], spec.get("latin", "")),
             *([el("b"), el("bCs")] if spec.get("bold") else []),
             el("sz", val=size), el("szCs", val=size))  # fmt: skip
    follow = "BodyText" if level else None
    element = el(
        "style",
        el("name", val=spec["name"]),
        None if first else el("basedOn", val="Normal"),
        el("next", val=follow) if follow else None,
        el("uiPriority", val=39) if "toc" in spec else None,
        None if "toc" in spec else el("qFormat"),
        ppr,
        rpr,
        type="paragraph",
        styleId=spec["id"],
    )
    if first:
        element.set(qn("w:default"), "1")
    if not builtin:
        element.set(qn("w:customStyle"), "1")
    return element


def _spacing(spec: Style) -> Element:
    line = spec.get("line", "")
    spacing = el("spacing", before=round(spec.get("before", 0) * 20),
                 after=round(spec.get("after", 0) * 20))  # fmt: skip
    if isinstance(line, str) and line:
        spacing.set(qn("w:line"), str(round(float(line.split()[0]) * 240)))
        spacing.set(qn("w:lineRule"), "auto")
    elif line:
        spacing.set(qn("w:line"), str(round(line * 20)))
        spacing.set(qn("w:lineRule"), "exact")
    return spacing


def _numbering_elements(profile: Style) -> list[Element]:
    abstract, concrete = [], []
    for number, (key, levels) in enumerate(profile["numbering"].items(), start=1):
        linked = {s["level"] - 1 if key == "headings" else 0: s["id"]
                  for s in reversed(profile["styles"]) if s.get("number") == key}  # fmt: skip
        items = [
            el("lvl", el("start", val=1), el("numFmt", val=level["format"]),
               el("pStyle", val=linked[depth]) if depth in linked else None,
               el("suff", val="nothing"), el("lvlText", val=level["text"]),
               el("lvlJc", val="left"), ilvl=depth)
            for depth, level in enumerate(levels)
        ]  # fmt: skip
        kind = el("multiLevelType", val="multilevel")
        abstract.append(el("abstractNum", kind, *items, abstractNumId=number))
        concrete.append(el("num", el("abstractNumId", val=number), numId=number))
    return [*abstract, *concrete]


def _setting_elements() -> list[Element]:
    mode = el("compatSetting", name="compatibilityMode", val=15,
              uri="http://schemas.microsoft.com/office/word")  # fmt: skip
    return [el("zoom", percent=100), el("defaultTabStop", val=420),
            el("characterSpacingControl", val="compressPunctuation"),
            el("compat", el("useFELayout"), mode)]  # fmt: skip


def _set_section(section: Element, page: Style, *, landscape: bool = False) -> None:
    """Page size and margins; a landscape page is the portrait one turned, binding edge on top."""
    mm = {side: page[side] for side in ("top", "right", "bottom", "left")}
    size = {"w": page["width"], "h": page["height"]}
    if landscape:
        mm = {"top": page["left"], "right": page["top"], "bottom": page["right"],
              "left": page["bottom"]}  # fmt: skip
        size = {"w": page["height"], "h": page["width"]}
    mm["header"] = min(page["header"], mm["top"] - 9)
    mm["footer"] = min(page["footer"], mm["bottom"] - 9)
    for tag in ("pgSz", "pgMar", "cols", "docGrid", "pgNumType"):
        for old in section.findall(qn(f"w:{tag}")):
            section.remove(old)
    dxa = {key: round(value * DXA_PER_MM) for key, value in {**mm, **size}.items()}
    sheet = el("pgSz", w=dxa["w"], h=dxa["h"])
    if landscape:
        sheet.set(qn("w:orient"), "landscape")
    edges = {side: dxa[side] for side in ("top", "right", "bottom", "left", "header", "footer")}
    section.extend([sheet, el("pgMar", **edges, gutter=0)])


def _front_pages(profile: Style) -> Iterator[Element]:
    width = profile["page"]["width"] - profile["page"]["left"] - profile["page"]["right"]
    yield paragraph("Normal", "{%p if cover.mark %}")
    yield paragraph("CoverMark", "{{ cover.mark }}", align="right")
    yield paragraph("Normal", "{%p endif %}")
    yield paragraph("Normal", "{{ cover.number }}", align="right")
    yield _spaced(paragraph("Title", "{{ cover.project }}"), 120)
    yield paragraph("Title", "{{ cover.kind }}")
    yield paragraph("Subtitle", "{{ cover.stage }}")
    yield _spaced(paragraph("Normal"), 130)
    yield _cover_table(width)
    yield paragraph("TOCHeading", "声　明")
    for text in _STATEMENT:
        yield paragraph("BodyText", text)
    yield _spaced(paragraph("Normal"), 40)
    yield _signature_table(width)
    yield _section_end(profile["page"])
    yield paragraph("BodyText", SUMMARY_SLOT)
    yield paragraph("TOCHeading", "目　录")
    yield paragraph("TOC1", *field('TOC \\o "1-2" \\h \\z \\u', [run("（目录）")], dirty=True))
    front = _section_end(profile["page"])
    front.find(f".//{qn('w:sectPr')}").append(el("pgNumType", fmt="upperRoman", start=1))
    yield front
    yield paragraph("BodyText", BODY_SLOT)


def _spaced(element: Element, before: int) -> Element:
    element.pPr.insert(1, el("spacing", before=before * 20))
    return element


def _section_end(page: Style) -> Element:
    section = el("sectPr")
    _set_section(section, page)
    return el("p", el("pPr", el("pStyle", val="SectionEnd"), section))


def _cell(width: int, style: str, text: str, borders: tuple[str, ...] = ()) -> Element:
    lines = el("tcBorders", *(el(b, val="single", sz=4, space=0, color="000000") for b in borders))
    properties = el("tcPr", el("tcW", w=width, type="dxa"), lines if borders else None,
                    el("vAlign", val="center" if len(borders) > 1 else "bottom"))  # fmt: skip
    return el("tc", properties, paragraph(style, text))


def _grid(widths: list[int], rows: list[Element]) -> Element:
    properties = el("tblPr", el("tblStyle", val="TableNormal"),
                    el("tblW", w=sum(widths), type="dxa"), el("jc", val="center"),
                    el("tblLayout", type="fixed"))  # fmt: skip
    return el("tbl", properties, el("tblGrid", *(el("gridCol", w=w) for w in widths)), *rows)


def _cover_table(width: float) -> Element:
    widths = [round(w * DXA_PER_MM) for w in (30, 6, min(84, width - 36))]
    rows = []
    for label, value in _COVER:
        cells = [_cell(widths[0], "CoverLabel", label), _cell(widths[1], "CoverValue", "："),
                 _cell(widths[2], "CoverValue", value, ("bottom",))]  # fmt: skip
        rows.append(el("tr", el("trPr", el("trHeight", val=800, hRule="atLeast")), *cells))
    return _grid(widths, rows)


def _signature_table(width: float) -> Element:
    widths = [round(width * share * DXA_PER_MM) for share in (0.24, 0.4, 0.36)]
    sides = ("top", "left", "bottom", "right")
    rows = []
    for row in _SIGNATURES:
        cells = [_cell(w, "CoverValue", text, sides) for w, text in zip(widths, row, strict=True)]
        for cell, align in zip(cells, ("center", "center", "right"), strict=True):
            cell.p_lst[0].pPr.append(el("jc", val=align))
        rows.append(el("tr", el("trPr", el("trHeight", val=1000, hRule="atLeast")), *cells))
    return _grid(widths, rows)


def _header_and_footer(document: WordDocument, profile: Style) -> None:
    """Put header and footer on the section after the cover; later sections inherit them."""
    section = document.sections[1]
    section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
    _replace(section.header._element, [paragraph("Header", "{{ header }}")])
    left, right = profile["page_number"].split("{}")
    page = [run(left), *field("PAGE", [run("1")]), run(right)]
    _replace(section.footer._element, [paragraph("Footer", *page)])
    fonts = next(r.target_part for r in document.part.rels.values() if r.reltype == RELATION.FONT_TABLE)
    table = el("fonts")
    for font in profile["fonts"].values():
        table.append(el("font", el("altName", val=font["alternative"]), el("charset", val=86),
                        el("family", val=font["family"]), el("pitch", val="variable"),
                        name=font["name"]))  # fmt: skip
    fonts._blob = package.xml_bytes(table)


# --- NAME.docx ------------------------------------------------------------------------------


def build(style: Path, body: Path, out: Path, base: Path | None = None) -> Path:
    """Make a report template from base.docx (made first where it is missing) and a body outline.

    Returns the path written.

    Raises:
        EvalkitError: a slot of base.docx, a style or a required heading is missing.
    """
    profile = load_style(style)
    base = base or body.parent / "base.docx"
    if not base.exists():
        build_base(style, base)
    document = Document(str(base))
    lines = [line.strip() for line in body.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("//")]
    ids = {s.name: s.style_id for s in document.styles if s.type == WD_STYLE_TYPE.PARAGRAPH}
    problems = _outline_problems(profile, body, lines, set(ids))
    slots = {plain_text(p._p): p._p for p in document.paragraphs}
    problems += [Problem(file=base.name, what=f"没有“{slot}”段落", remedy=f"请在正文中放一段文字“{slot}”")
                 for slot in (SUMMARY_SLOT, BODY_SLOT) if slot not in slots]  # fmt: skip
    refuse(problems)
    start = lines.index(":: 正文")
    final = document.element.body.sectPr
    for slot, part in ((SUMMARY_SLOT, lines[:start]), (BODY_SLOT, lines[start + 1 :])):
        for line in part:
            slots[slot].addprevious(_body_paragraph(line, ids, final, profile["page"]))
        slots[slot].getparent().remove(slots[slot])
    return package.save(document, out, title="绩效评价报告模板")


def _outline_problems(profile: Style, body: Path, lines: list[str], names: set[str]) -> list[Problem]:
    matches = [match for line in lines if (match := _STYLED.match(line))]
    texts = {match["text"] for match in matches}
    wanted = profile.get("outline", {}).get(body.stem, [])
    problems = [Problem(file=body.name, what=f"缺少标题“{title}”", remedy="请补上该标题")
                for title in wanted if title not in texts]  # fmt: skip
    problems += [Problem(file=body.name, what=f"base.docx 中没有样式“{match['name']}”",
                         remedy="请在 Word 中新建该样式或改用已有样式")
                 for match in matches if match["name"] and match["name"] not in names]  # fmt: skip
    if lines.count(":: 正文") != 1:
        problems.append(Problem(file=body.name, what="应有且只有一行“:: 正文”"))
    return problems


def _body_paragraph(line: str, ids: dict[str, str], final: Element, page: Style) -> Element:
    if line in (":: 横向", ":: 纵向"):
        # The last section's properties stand at the end of the body: they close this section
        # in a paragraph of its own, and the final ones turn the page.
        closed = copy.deepcopy(final)
        _set_section(final, page, landscape=line.endswith("横向"))
        for reference in final.xpath("w:headerReference | w:footerReference"):
            final.remove(reference)
        return el("p", el("pPr", el("pStyle", val=ids["分节"]), closed))
    match = _STYLED.match(line)
    if match is None:
        return paragraph(ids["Body Text"], line)
    name = match["name"] or f"Heading {len(match['level'])}"
    return paragraph(ids[name], match["text"])
