import copy
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from docx import Document
from docx.document import Document as WordDocument
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from openxml_audit import OpenXmlValidator
from word_results import BODY, ROOT, STYLE, make_result

from evalkit.core.problem import EvalkitError
from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import field, plain_text, run
from evalkit.report import evaluation
from evalkit.template import build as template
from evalkit.template.check import check_template
from evalkit.word.render import RenderReport, render

SKELETON = ROOT / "templates" / "base.xml"
PROFILES = sorted((ROOT / "params" / "styles").glob("*.yaml"))
each_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)


def test_page_and_body_text_follow_the_standard(report_template: Path) -> None:
    document = Document(str(report_template))
    section = document.sections[0]
    assert round(section.page_width / Mm(1)) == 210
    margins = (section.top_margin, section.bottom_margin, section.left_margin, section.right_margin)
    assert [round(m / Mm(1)) for m in margins] == [37, 35, 28, 26]
    normal, body = document.styles["Normal"], document.styles["Body Text"]
    assert normal.font.size == Pt(16)
    assert normal.paragraph_format.line_spacing == Pt(29)
    assert body.element.pPr.ind.get(qn("w:firstLineChars")) == "200"


def test_every_style_names_its_east_asian_font_and_no_theme_font(report_template: Path) -> None:
    styles = Document(str(report_template)).styles
    for style in styles:
        fonts = style.element.find(f"{qn('w:rPr')}/{qn('w:rFonts')}")
        if style.type == 1:
            assert fonts.get(qn("w:eastAsia"))
        if fonts is not None:
            assert not [key for key in fonts.attrib if "Theme" in key]


def test_score_table_lies_on_landscape_pages_that_go_on_counting(report_template: Path) -> None:
    sections = Document(str(report_template)).sections
    assert [s.page_width > s.page_height for s in sections] == [False, False, False, True, False]
    starts = [s._sectPr.find(qn("w:pgNumType")) is not None for s in sections]
    assert starts == [False, True, True, False, False]


def test_what_a_firm_changes_in_base_carries_over(tmp_path: Path) -> None:
    base = template.build_base(STYLE, tmp_path / "base.docx", SKELETON)
    document = Document(str(base))
    document.styles["Body Text"].font.size = Pt(14)
    document.paragraphs[0].insert_paragraph_before("某某咨询集团")
    document.save(str(base))
    built = Document(str(template.build(STYLE, BODY, tmp_path / "out.docx", base)))
    assert built.styles["Body Text"].font.size == Pt(14)
    assert built.paragraphs[0].text == "某某咨询集团"


def test_base_is_made_where_it_is_missing(tmp_path: Path) -> None:
    body = tmp_path / BODY.name
    body.write_bytes(BODY.read_bytes())
    (tmp_path / "base.xml").write_bytes(SKELETON.read_bytes())
    template.build(STYLE, body, tmp_path / "out.docx")
    assert (tmp_path / "base.docx").exists()


def test_all_faults_of_an_outline_are_said_at_once(tmp_path: Path) -> None:
    body = tmp_path / "project_evaluation.md"
    body.write_text("# 基本情况\n[没有的样式] 附录\n", encoding="utf-8")
    base = template.build_base(STYLE, tmp_path / "base.docx", SKELETON)
    with pytest.raises(EvalkitError) as refused:
        template.build(STYLE, body, tmp_path / "out.docx", base)
    said = str(refused.value)
    for words in ("缺少必需的标题“摘要”", "没有样式“没有的样式”", "只有一行“:: 正文”"):
        assert words in said


@pytest.mark.parametrize("content", ["", "[]", "name: x", "a: [", "page: 1\nfonts: 2"])
def test_an_incomplete_style_profile_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "版式.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(EvalkitError, match=r"版式\.yaml：不是完整的版式文件"):
        template.load_style(path)


def test_another_profile_gives_another_base(tmp_path: Path) -> None:
    style = copy.deepcopy(STYLE)
    style["page"]["left"], style["styles"][0]["line"] = 30, 28
    document = Document(str(template.build_base(style, tmp_path / "base.docx", SKELETON)))
    assert round(document.sections[0].left_margin / Mm(1)) == 30
    assert document.styles["Normal"].paragraph_format.line_spacing == Pt(28)


# --- pages printed on both sides ---------------------------------------------------------------


def test_page_numbers_and_headers_stand_at_the_outer_edge(report_template: Path) -> None:
    document = Document(str(report_template))
    assert document.settings.odd_and_even_pages_header_footer
    cover, front, *rest = document.sections
    sides = ("header", "even_page_header", "footer", "even_page_footer")
    assert all(getattr(cover, side).is_linked_to_previous for side in sides)
    assert all(getattr(s, side).is_linked_to_previous for s in rest for side in sides)
    looks = {}
    for side in sides:
        pr = getattr(front, side).paragraphs[0]._p.pPr
        indent = pr.find(qn("w:ind"))
        looks[side] = (pr.jc.val.name, {} if indent is None else dict(indent.attrib))
    assert looks["header"][0] == looks["footer"][0] == "RIGHT"
    assert looks["even_page_header"][0] == looks["even_page_footer"][0] == "LEFT"
    assert looks["footer"][1][qn("w:rightChars")] == "100"
    assert looks["even_page_footer"][1][qn("w:leftChars")] == "100"
    assert front.footer.paragraphs[0].text == front.even_page_footer.paragraphs[0].text == "— 1 —"
    assert front.even_page_header.paragraphs[0].text == "{{ header }}"


def test_a_bound_header_becomes_a_field_on_odd_and_even_pages(
    rendered: Callable[..., RenderReport],
) -> None:
    section = Document(str(rendered().path)).sections[1]
    for side in (section.header, section.even_page_header):
        assert [f.path for f in bind.fields(side._element)] == ["document.header"]
        assert "项目支出绩效评价报告" in plain_text(side._element)


# --- states and signatures ---------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["征求意见稿", "送审稿"])
def test_the_state_stands_on_cover_and_header(
    rendered: Callable[..., RenderReport], stage: str
) -> None:
    document = Document(str(rendered(stage=stage).path))
    assert f"（{stage}）" in [p.text for p in document.paragraphs[:8]]
    for side in (document.sections[1].header, document.sections[1].even_page_header):
        assert f"（{stage}）" in plain_text(side._element)


def test_three_levels_of_review_sign_after_the_statement(report_template: Path) -> None:
    document = Document(str(report_template))
    signatures, review = document.tables[1:3]
    head = [cell.text for cell in review.rows[0].cells]
    assert head == ["级次", "复核人", "复核意见", "签名", "日期"]
    levels = [[cell.text for cell in row.cells][:2] for row in review.rows[1:]]
    assert levels == [
        ["一级复核", "项目负责人"], ["二级复核", "部门负责人"], ["三级复核", "质量控制负责人"],
    ]  # fmt: skip
    assert [row.cells[0].text for row in signatures.rows][:2] == ["主评人", "内部审核人"]
    title = next(p for p in document.paragraphs if p.text == "内部审核（三级复核）")
    assert "规定" not in title.text  # the levels are the firm's, no regulation's


# --- profiles ----------------------------------------------------------------------------------


@each_profile
def test_every_profile_makes_a_sound_template_and_report(
    profile: Path, tmp_path: Path, photos: Path
) -> None:
    style = template.load_style(profile)
    assert style["name"] == profile.stem
    made = template.build(style, BODY, tmp_path / style["name"] / BODY.with_suffix(".docx").name,
                          template.build_base(style, tmp_path / "base.docx", SKELETON))  # fmt: skip
    context, blocks = evaluation.report_context(make_result(), {}, photos, profile.stem)
    outline = style["outline"][BODY.stem]
    assert check_template(made, context, blocks, (), outline, ("score.total", "score.grade")) == []
    report = render(made, context, tmp_path / "报告.docx", blocks)
    for path in (made, report.path):
        assert list(OpenXmlValidator().validate(str(path)).errors) == []
    assert package.check(report.path) == []


def test_profiles_have_the_same_styles_and_keys() -> None:
    styles = [template.load_style(path) for path in PROFILES]
    assert len(styles) > 1
    first = styles[0]
    for style in styles[1:]:
        assert style.keys() == first.keys()
        assert [s["name"] for s in style["styles"]] == [s["name"] for s in first["styles"]]


def test_another_style_is_built_beside_and_leaves_the_first_alone(tmp_path: Path) -> None:
    for name in (BODY.name, "base.xml"):
        shutil.copy(ROOT / "templates" / name, tmp_path)
    first = template.build(STYLE, tmp_path / BODY.name, tmp_path / "project_evaluation.docx")
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("*.docx")}
    other = template.load_style(ROOT / "params" / "styles" / "consulting.yaml")
    second = template.build(other, tmp_path / BODY.name, tmp_path / "consulting" / first.name)
    assert kept == {path.name: path.read_bytes() for path in tmp_path.glob("*.docx")}
    assert (tmp_path / "consulting" / "base.docx").exists()
    assert Document(str(second)).styles["Normal"].font.size == Pt(12)


def test_decimal_headings_are_numbered_in_the_contents(tmp_path: Path, photos: Path) -> None:
    style = template.load_style(ROOT / "params" / "styles" / "consulting.yaml")
    base = template.build_base(style, tmp_path / "base.docx", SKELETON)
    made = template.build(style, BODY, tmp_path / "t.docx", base)
    context, blocks = evaluation.report_context(make_result(), {}, photos, "consulting")
    document = Document(str(render(made, context, tmp_path / "报告.docx", blocks).path))
    entries = [p.text for p in document.paragraphs if p.style.name.startswith("toc")]
    assert "1　基本情况" in entries
    assert "2.4　评价抽样" in entries
    assert "附件1　绩效评价评分表" in entries


# --- what firms do to base.docx ----------------------------------------------------------------


def restyled(document: WordDocument, picture: Path) -> None:
    """What the manual says: a logo and a line on the cover, other fonts."""
    cover = document.paragraphs[0]
    cover.insert_paragraph_before("").add_run().add_picture(str(picture), width=Mm(40))
    cover.insert_paragraph_before("评价期限：{{ subject.phase }}")
    bound = cover.insert_paragraph_before("综合得分：")
    bound._p.extend(field('DOCPROPERTY "score.total"', [run("0")]))
    fonts = document.styles["Body Text"].element.rPr.rFonts
    fonts.set(qn("w:eastAsia"), "华文中宋")
    document.styles["Body Text"].font.size = Pt(15)


def through_libreoffice(path: Path, out: Path) -> Path:
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            ["soffice", f"-env:UserInstallation={Path(profile).as_uri()}", "--headless",
             "--convert-to", "docx:MS Word 2007 XML", "--outdir", str(out), str(path)],
            check=True, capture_output=True,
        )  # fmt: skip
    return out / path.name


def built_and_rendered(base: Path, tmp_path: Path, photos: Path) -> WordDocument:
    made = template.build(STYLE, BODY, tmp_path / "t.docx", base)
    context, blocks = evaluation.report_context(make_result(), {}, photos, "gbt9704")
    paths = bind.properties(Document(str(base))).keys() | {"score.total"}
    outline = STYLE["outline"][BODY.stem]
    assert check_template(made, context, blocks, paths, outline, ("score.total",)) == []
    report = render(made, context, tmp_path / "报告.docx", blocks)
    assert package.check(report.path) == []
    document = Document(str(report.path))
    texts = [p.text for p in document.paragraphs]
    assert "评价期限：年度评价" in texts
    assert "综合得分：94.89" in texts
    drawn = next(document.element.body.iter(qn("w:drawing")))
    assert plain_text(next(drawn.iterancestors(qn("w:p")))) == ""
    assert texts.index("评价期限：年度评价") < texts.index("声　明")
    body = document.styles["Body Text"]
    assert body.font.size == Pt(15)
    assert body.element.rPr.rFonts.get(qn("w:eastAsia")) == "华文中宋"
    return document


def test_a_logo_fonts_and_lines_put_into_base_come_into_the_report(
    tmp_path: Path, photos: Path
) -> None:
    base = template.build_base(STYLE, tmp_path / "base.docx", SKELETON)
    document = Document(str(base))
    restyled(document, photos / "照片" / "01.png")
    document.save(str(base))
    built_and_rendered(base, tmp_path, photos)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_a_base_that_libreoffice_saved_anew_still_builds_and_renders(
    tmp_path: Path, photos: Path
) -> None:
    base = template.build_base(STYLE, tmp_path / "base.docx", SKELETON)
    document = Document(str(base))
    restyled(document, photos / "照片" / "01.png")
    document.save(str(base))
    (tmp_path / "lo").mkdir()
    saved = through_libreoffice(base, tmp_path / "lo")
    ids = {s.name: s.style_id for s in Document(str(saved)).styles}
    assert ids["前置标题"] != "FrontTitle"  # ids were renamed, names were not
    document = built_and_rendered(saved, tmp_path, photos)
    entries = [plain_text(p) for p in document.element.body.iter(qn("w:p"))]
    assert {"一、基本情况", "表1　项目基本信息"} <= set(entries)
    assert document.settings.odd_and_even_pages_header_footer
    assert re.fullmatch(r"— \w+ —", document.sections[1].footer.paragraphs[0].text)
