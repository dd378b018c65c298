import copy
from pathlib import Path

import pytest
from docx import Document
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from word_results import BODY, ROOT, STYLE

from evalkit.core.problem import EvalkitError
from evalkit.word import template

SKELETON = ROOT / "templates" / "base.xml"


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
