# ruff: noqa: E501
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Cm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openxml_audit import OpenXmlValidator
from word_results import make_result

from evalkit.core.problem import EvalkitError
from evalkit.ooxml import package
from evalkit.report import evaluation
from evalkit.word.blocks import Column, Table
from evalkit.word.render import RenderReport, render

Rendered = Callable[..., RenderReport]


def lines_of(path: Path) -> list[str]:
    document = Document(str(path))
    return ["".join(t.text or "" for t in p.iter(f"{{{p.nsmap['w']}}}t"))
            for p in document.element.body.iter(f"{{{document.element.nsmap['w']}}}p")]  # fmt: skip


def findings(path: Path) -> list[object]:
    return list(OpenXmlValidator().validate(str(path)).errors)


def test_a_finished_report_has_no_finding(rendered: Rendered) -> None:
    path = rendered().path
    assert findings(path) == []
    assert package.check(path) == []


def test_a_draft_has_no_finding(rendered: Rendered) -> None:
    path = rendered(stage="初稿", gaps={"C101": "实际完成值待补充"}, client="").path
    assert findings(path) == []
    assert package.check(path) == []


def test_base_and_template_have_no_finding(report_template: Path) -> None:
    assert findings(report_template) == []
    assert findings(report_template.with_name("base.docx")) == []


def test_the_committed_templates_are_what_the_sources_make(report_template: Path) -> None:
    committed = Path(__file__).parents[2] / "templates"
    for name in ("base.docx", "project_evaluation.docx"):
        assert (committed / name).read_bytes() == (report_template.parent / name).read_bytes()


def test_equal_inputs_give_equal_bytes(rendered: Rendered) -> None:
    one, two = rendered(out="一.docx").path, rendered(out="二.docx").path
    assert one.read_bytes() == two.read_bytes()


def test_the_file_names_no_tool_and_no_clock(rendered: Rendered, tmp_path: Path) -> None:
    with zipfile.ZipFile(rendered().path) as archive:
        core = archive.read("docProps/core.xml").decode()
        assert "2025-06-30T00:00:00Z" in core
        everything = b"".join(archive.read(name) for name in archive.namelist()).lower()
        assert {item.date_time[0] for item in archive.infolist()} == {1980}
    for word in (b"python", b"evalkit", b"docxtpl", str(tmp_path).lower().encode()):
        assert word not in everything


def test_the_parts_of_the_outline_stand_in_order(rendered: Rendered) -> None:
    document = Document(str(rendered().path))
    titles = [
        p.text for p in document.paragraphs if p.style is not None and p.style.name == "Heading 1"
    ]
    assert titles == [
        "基本情况", "绩效评价工作开展情况", "综合评价情况及评价结论", "绩效评价指标分析",
        "主要经验及做法、存在的问题及原因分析", "有关建议", "其他需要说明的问题",
    ]  # fmt: skip


def test_score_grade_and_reasons_are_in_the_text(rendered: Rendered) -> None:
    text = "\n".join(lines_of(rendered().path))
    assert "得94.89分（满分100分），得分率94.89%，评价等级为“优”" in text
    assert "低于目标值1.50个百分点" in text
    assert "扣0.80分" in text
    assert "（见问题W01）" in text
    assert "〔佐证3-1、3-2〕" in text
    assert "计算得分为4.50分，经李某某批准调整为4.00分" in text


def test_the_report_shows_no_machinery(rendered: Rendered) -> None:
    text = "\n".join(lines_of(rendered().path))
    for word in ("表!", "evalkit", "ROUND(", "None", "Decimal", "trace"):
        assert word not in text


def test_a_gap_shows_and_withholds_the_grade(rendered: Rendered) -> None:
    report = rendered(stage="初稿", gaps={"C101": "实际完成值待补充"})
    text = "\n".join(lines_of(report.path))
    assert "总分暂计：最低87.05分、最高95.05分，暂不评定等级" in text
    assert "评价等级为" not in text
    assert "清扫保洁面积完成率（8分）" in report.missing


def test_sections_without_text_are_listed(rendered: Rendered) -> None:
    report = rendered()
    assert {"项目背景", "评价工作过程"} <= set(report.missing)
    lines = lines_of(report.path)
    assert lines[lines.index("项目背景", lines.index("基本情况")) + 1] == "待补充"


def test_a_report_without_survey_counts_its_annexes_anew(
    report_template: Path, photos: Path, tmp_path: Path
) -> None:
    result = make_result()
    tables = {k: v for k, v in result.tables.items() if not k.startswith("survey")}
    result = result.model_copy(update={"tables": tables})
    context, blocks = evaluation.report_context(result, {}, photos, "gbt9704")
    lines = lines_of(render(report_template, context, tmp_path / "r.docx", blocks).path)
    assert "附件3　现场照片" in lines[: lines.index("基本情况")] + lines
    assert not any("满意度调查情况" in line for line in lines)


def test_captions_count_in_order_and_references_agree(rendered: Rendered) -> None:
    lines = lines_of(rendered().path)
    numbers = [int(m[1]) for line in lines if (m := re.match(r"表(\d+)　", line))]
    count = len(numbers) // 2  # once in the list of tables, once above each table
    assert numbers == [*range(1, count + 1)] * 2
    caption = next(line for line in lines if line.endswith("　绩效评价评分表") and line[0] == "表")
    assert f"评分明细见{caption.split('　')[0]}。" in "\n".join(lines)


def test_contents_hold_every_heading_with_its_number(rendered: Rendered) -> None:
    document = Document(str(rendered().path))
    entries = ["".join(t.text or "" for t in p._p.iter(f"{{{p._p.nsmap['w']}}}t"))
               for p in document.paragraphs if p.style is not None and p.style.name.startswith("toc")]  # fmt: skip
    assert entries[:3] == ["摘　要", "一、基本情况", "（一）项目概况"]
    assert "附件2　问题清单" in entries


def test_level_cells_begin_anew_for_each_group(rendered: Rendered) -> None:
    document = Document(str(rendered().path))
    table = next(t for t in document.tables if t._tbl.tr_lst[0].tc_lst[0].p_lst[0].text.startswith("一级")
                 and len(t._tbl.tr_lst) > 10)  # fmt: skip
    merges = [tr.tc_lst[1].vMerge for tr in table._tbl.tr_lst[1:]]
    names = [tr.tc_lst[1].p_lst[0].text for tr in table._tbl.tr_lst[1:]]
    assert [bool(name) for name in names[:-1]] == [merge == "restart" for merge in merges[:-1]]
    assert names[:3] == ["项目立项", "", "绩效目标"]


HOSTILE = "{{ 7*7 }} {% for x in y %} <w:t>&amp; </w:p> {_{ $1 =cmd() \x01\x0b 末"


def test_hostile_text_comes_out_literally(rendered: Rendered) -> None:
    path = rendered(name="{{ config }} {% raw %}<b>&", unit=HOSTILE, demo="否").path
    text = "\n".join(lines_of(path))
    assert "{{ config }} {% raw %}<b>&" in text
    assert "{{ 7*7 }} {% for x in y %} <w:t>&amp; </w:p>" in text
    assert "49" not in text.split("被评价单位")[1][:60]
    assert findings(path) == []


@given(st.text(max_size=40))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_gives_a_valid_report(rendered: Rendered, text: str) -> None:
    path = rendered(department=text, report_no=text).path
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    assert [p for p in package.check(path) if p.severity == "error"] == []


def broken(template: Path, tmp_path: Path, field: str, where: str = "body") -> Path:
    document = Document(str(template))
    if where == "body":
        heading = next(p for p in document.paragraphs if p.text == "其他需要说明的问题")
        heading._p.addnext(Document().add_paragraph(field)._p)
    else:
        document.sections[1].header.paragraphs[0].text = field
    path = tmp_path / "模板.docx"
    document.save(str(path))
    return path


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("总分{{ score.totl }}分", "没有字段“totl”"),
        ("{{ nothing }}", "没有字段“nothing”"),
        ("{{ score.total", "写法有误"),
        ("{{ ''.__class__.__mro__ }}", "不允许"),
        ("{{ block('no_such') }}", "没有名为“no_such”的表或图"),
    ],
)
def test_a_wrong_field_is_named_with_its_paragraph_and_heading(
    report_template: Path, tmp_path: Path, photos: Path, field: str, said: str
) -> None:
    context, blocks = evaluation.report_context(make_result(), {}, photos, "gbt9704")
    with pytest.raises(EvalkitError) as refused:
        render(broken(report_template, tmp_path, field), context, tmp_path / "out.docx", blocks)
    assert said in str(refused.value)
    assert "“其他需要说明的问题”下的段落" in str(refused.value)
    assert not (tmp_path / "out.docx").exists()


def test_a_wrong_field_in_the_header_is_found_there(
    report_template: Path, tmp_path: Path, photos: Path
) -> None:
    context, blocks = evaluation.report_context(make_result(), {}, photos, "gbt9704")
    template = broken(report_template, tmp_path, "{{ headr }}", "header")
    with pytest.raises(
        EvalkitError, match=r"页眉页脚中的段落“\{\{ headr \}\}”无法生成：没有字段“headr”"
    ):
        render(template, context, tmp_path / "out.docx", blocks)


def test_a_file_that_is_no_template_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "坏.docx"
    path.write_bytes(b"PK not really")
    with pytest.raises(EvalkitError, match="不是可用的 Word 模板"):
        render(path, {}, tmp_path / "out.docx", {})


def test_a_photo_outside_the_folder_is_not_read(
    report_template: Path, photos: Path, tmp_path: Path
) -> None:
    outside = photos.parent / "外.png"
    outside.write_bytes((photos / "照片" / "01.png").read_bytes())
    result = make_result()
    rows = [{**row, "photo": "../外.png"} for row in result.tables["visits"]]
    result = result.model_copy(update={"tables": {**result.tables, "visits": rows}})
    context, blocks = evaluation.report_context(result, {}, photos, "gbt9704")
    report = render(report_template, context, tmp_path / "r.docx", blocks)
    assert "现场照片" in report.missing
    with zipfile.ZipFile(report.path) as archive:
        assert not [name for name in archive.namelist() if "media" in name]


def test_a_template_whose_contents_were_updated_in_word_still_renders(
    report_template: Path, rendered: Rendered, tmp_path: Path, photos: Path
) -> None:
    document = Document(str(report_template))
    entry = next(p for p in document.paragraphs if p.style is not None and p.style.name == "toc 1")
    result = next(r for r in entry.runs if r.text == "…")
    result.text = "四、{{ part.name }}{{ item.title }}"  # what Word caches from the headings
    template = tmp_path / "模板.docx"
    document.save(str(template))
    context, blocks = evaluation.report_context(make_result(), {}, photos, "gbt9704")
    assert render(template, context, tmp_path / "r.docx", blocks).path.exists()


def narrative(path: Path, picture: Path | None = None) -> Document:
    document = Document()
    document.add_heading("（一）项目 背景：", 1)
    document.add_paragraph("县城常住").add_run("8.6万人").bold = True
    document.add_heading("投入方式", 2)
    document.add_paragraph("甲", style="List Bullet")
    table = document.add_table(2, 2)
    table.rows[0].cells[0].merge(table.rows[0].cells[1]).text = "合并"
    if picture:
        document.add_picture(str(picture), width=Cm(30))
    document.save(str(path))
    return document


def test_narrative_stands_under_its_heading_with_its_shape(
    rendered: Rendered, tmp_path: Path, photos: Path
) -> None:
    source = tmp_path / "文字.docx"
    narrative(source, photos / "照片" / "01.png")
    report = rendered(source)
    assert report.problems == ()
    assert "项目背景" not in report.missing
    document = Document(str(report.path))
    texts = [p.text for p in document.paragraphs]
    start = texts.index("县城常住8.6万人")
    assert texts[start - 1] == "项目背景"
    assert document.paragraphs[start].runs[1].bold
    assert document.paragraphs[start].style.name == "Body Text"
    assert document.paragraphs[start + 1].style.name == "Heading 4"
    assert document.paragraphs[start + 2]._p.pPr.numPr is not None
    widths = [s.width for s in document.inline_shapes]
    assert max(widths) <= Cm(15.7)
    assert findings(report.path) == []
    assert package.check(report.path) == []


def test_narrative_under_an_unknown_heading_is_said_with_a_guess(
    rendered: Rendered, tmp_path: Path
) -> None:
    document = Document()
    document.add_paragraph("没有标题")
    document.add_heading("评价工作进程", 1)
    document.add_paragraph("丢不得")
    document.save(str(tmp_path / "文字.docx"))
    said = [str(p) for p in rendered(tmp_path / "文字.docx").problems]
    assert len(said) == 2
    assert "是不是“评价工作过程”？" in said[1]


def test_links_fields_objects_and_deletions_stay_behind(rendered: Rendered, tmp_path: Path) -> None:
    source = tmp_path / "文字.docx"
    narrative(source)
    link = (
        '<w:p xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
        '<w:hyperlink r:id="rIdX"><w:r><w:t>网址</w:t></w:r></w:hyperlink>'
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>INCLUDETEXT "c:/x"</w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>结果</w:t></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r><w:del w:id="1" w:author="a"><w:r><w:delText>删</w:delText></w:r></w:del>'
        '<w:ins w:id="2" w:author="a"><w:r><w:t>增</w:t></w:r></w:ins><w:r><w:object/></w:r></w:p>'
    )
    parts: dict[str, bytes] = {}
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    body = parts["word/document.xml"].decode().replace("<w:sectPr", link + "<w:sectPr", 1)
    rels = parts["word/_rels/document.xml.rels"].decode()
    external = '<Relationship Id="rIdX" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink" Target="http://x.example/" TargetMode="External"/></Relationships>'
    parts["word/document.xml"] = body.encode()
    parts["word/_rels/document.xml.rels"] = rels.replace("</Relationships>", external).encode()
    with zipfile.ZipFile(source, "w") as archive:
        for name, blob in parts.items():
            archive.writestr(name, blob)
    report = rendered(source)
    text = "\n".join(lines_of(report.path))
    assert "网址结果增" in text
    assert "删" not in text.split("网址")[1][:10]
    with zipfile.ZipFile(report.path) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"x.example" not in everything
    assert b"INCLUDETEXT" not in everything
    assert {p.what for p in report.problems} == {"超链接已改为普通文字", "嵌入对象未写入报告"}
    assert package.check(report.path) == []


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + b"\x00" * 18])
def test_a_narrative_that_is_no_docx_is_refused(
    rendered: Rendered, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "文字.docx"
    path.write_bytes(content)
    with pytest.raises(EvalkitError, match=r"文字\.docx：不是可用的 Word 文档"):
        rendered(path)


def test_a_narrative_that_unpacks_to_too_much_is_refused(
    rendered: Rendered, tmp_path: Path
) -> None:
    path = tmp_path / "文字.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", io.BytesIO(b"0" * 301_000_000).getbuffer().tobytes())
    with pytest.raises(EvalkitError, match="或过大"):
        rendered(path)


def test_a_list_in_a_narrative_without_definitions_becomes_plain_paragraphs(
    rendered: Rendered, tmp_path: Path
) -> None:
    document = Document()
    document.add_heading("项目背景", 1)
    document.add_paragraph("县城常住8.6万人", style="List Bullet")
    part = document.part
    part.rels.pop(next(k for k, rel in part.rels.items() if rel.reltype.endswith("/numbering")))
    document.save(str(tmp_path / "文字.docx"))
    report = rendered(tmp_path / "文字.docx")
    assert report.problems == ()
    (listed,) = (p for p in Document(str(report.path)).paragraphs if p.text == "县城常住8.6万人")
    assert listed._p.pPr.numPr is None


def test_styles_of_a_narrative_that_run_in_a_circle_end(rendered: Rendered, tmp_path: Path) -> None:
    document = Document()
    document.add_heading("项目背景", 1)
    document.add_paragraph("县城常住8.6万人", style="Body Text")
    document.styles["Normal"].base_style = document.styles["Body Text"]
    document.save(str(tmp_path / "文字.docx"))
    assert "县城常住8.6万人" in lines_of(rendered(tmp_path / "文字.docx").path)


def test_captions_in_the_narrative_join_the_numbering_and_are_referred_to(
    rendered: Rendered, tmp_path: Path, photos: Path
) -> None:
    document = Document()
    document.add_heading("项目背景", 1)
    document.add_paragraph("各年投入见表2-1，现场见图 7，旧表见表9。")
    document.add_paragraph("表2-1：各年投入")
    table = document.add_table(3, 2)
    for row, texts in zip(
        table.rows, (("年度", "投入（万元）"), ("2024", "5.20"), ("合计", "5.20")), strict=True
    ):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.add_paragraph("")
    document.add_picture(str(photos / "照片" / "01.png"), width=Cm(5))
    document.add_paragraph("图7 作业现场")
    document.add_paragraph("图文资料齐全。")
    document.save(str(tmp_path / "文字.docx"))
    report = rendered(tmp_path / "文字.docx")
    lines = lines_of(report.path)
    assert "表1　各年投入" in lines
    assert "图1　作业现场" in lines
    assert "各年投入见表1，现场见图1，旧表见表9。" in lines
    assert "图文资料齐全。" in lines
    assert package.check(report.path) == []
    ours = next(t for t in Document(str(report.path)).tables if t.cell(0, 0).text == "年度")
    before, after = ours._tbl.getprevious(), ours._tbl.getnext().getnext()
    assert "SEQ 表" in "".join(before.itertext())
    assert after.find(f".//{qn('w:drawing')}") is not None  # the empty line is gone
    assert ours.cell(1, 1).paragraphs[0].alignment == WD_ALIGN_PARAGRAPH.RIGHT
    assert all(c.paragraphs[0].paragraph_format.keep_with_next for c in ours.columns[0].cells[:-1])


def test_no_distance_stands_between_a_table_and_a_new_page(rendered: Rendered) -> None:
    body = Document(str(rendered().path)).element.body
    after = {
        node.getnext().style
        for node in body.iterchildren(qn("w:tbl"))
        if node.getnext().tag == qn("w:p")
    }
    assert {"AnnexTitle", "SectionEnd"} <= after
    for space in (p for p in body.iterchildren(qn("w:p")) if p.style == "TableGap"):
        assert space.getnext().style not in ("AnnexTitle", "SectionEnd")


def test_gaps_are_marked_in_table_cells_of_several_lines_too(
    report_template: Path, tmp_path: Path
) -> None:
    table = Table("责任", [Column("单位及期限", 1)], [["县环卫中心\n待补充"]])
    context, blocks = evaluation.report_context(make_result(), {}, tmp_path, "gbt9704")
    path = render(
        report_template, context, tmp_path / "r.docx", blocks | {"issues_table": table}
    ).path
    runs = [r for r in Document(str(path)).element.body.iter(qn("w:r")) if r.text == "待补充"]
    assert runs
    assert all(r.find(f".//{qn('w:highlight')}") is not None for r in runs)
    assert "县环卫中心待补充" in lines_of(path)
