# ruff: noqa: E501
import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from docx import Document
from docx.oxml.ns import qn
from openxml_audit import OpenXmlValidator
from PIL import Image

from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import bookmark, el, field, paragraph, run
from evalkit.word.render import RenderReport

BASE = Path(__file__).parents[2] / "templates" / "base.docx"
DOCUMENT, RELS = "word/document.xml", "word/_rels/document.xml.rels"
COMMENTS, CUSTOM, HEADER = "word/comments.xml", "docProps/custom.xml", "word/header1.xml"


def replaced(path: Path, part: str, old: str, new: str) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = parts[part].decode()
    assert old in text
    parts[part] = text.replace(old, new, 1).encode()
    planted = path.with_name("改.docx")
    with zipfile.ZipFile(planted, "w") as archive:
        for name, blob in parts.items():
            archive.writestr(name, blob)
    return planted


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document with one of everything that the check looks at, and no fault."""
    document = Document()
    body = document.element.body
    picture = io.BytesIO()
    Image.new("RGB", (20, 20)).save(picture, "png")
    for _ in range(2):
        document.add_picture(picture)
    title = paragraph("Heading1", *bookmark("_Toc00000001", run("标题")))
    target = paragraph("Normal", *bookmark("_Ref_t", run("表"), *field("SEQ 表", [run("1")])))
    link = paragraph("Normal", el("hyperlink", run("标题"), anchor="_Toc00000001"))
    body.sectPr.addprevious(title)
    for item in (target, link, paragraph("Normal", *field("REF _Ref_t \\h", [run("表1")])),
                 paragraph("Normal", *field('DOCPROPERTY "score.total"', [run("90")])),
                 paragraph("Normal", *field("DOCPROPERTY Title", [run("题")]))):  # fmt: skip
        body.sectPr.addprevious(item)
    header = document.sections[0].header.paragraphs[0]._p
    header.extend(bookmark("_Ref_h", run("页眉")))
    header.extend(field("REF _Ref_t \\h", [run("表1")]))
    bind.set_properties(document, {"score.total": "90", "score.grade": "优"})
    for text in ("甲", "乙"):
        document.add_comment(document.add_paragraph(text).runs, text="意见", author="某人")
    path = package.save(document, tmp_path_factory.mktemp("sound") / "全.docx")
    assert package.check(path) == []
    return path


@pytest.mark.parametrize(
    ("part", "old", "new", "said"),
    [
        (DOCUMENT, '<w:bookmarkEnd w:id="1"/>', "", "书签的起止不成对"),
        (HEADER, '<w:bookmarkEnd w:id="3"/>', "", "书签的起止不成对"),
        (DOCUMENT, 'w:name="_Ref_t"', 'w:name="_Toc00000001"', "书签“_Toc00000001”重复"),
        (HEADER, 'w:name="_Ref_h"', 'w:name="_Ref_t"', "书签“_Ref_t”重复"),
        (HEADER, 'w:id="3" w:name', 'w:id="2" w:name', "书签编号 2 重复"),
        (DOCUMENT, 'w:name="_Ref_t"', 'w:name="x"', "交叉引用的书签“_Ref_t”不存在"),
        (HEADER, "REF _Ref_t", "REF _Ref_x", "交叉引用的书签“_Ref_x”不存在"),
        (DOCUMENT, 'w:anchor="_Toc00000001"', 'w:anchor="_Toc9"', "链接指向的书签“_Toc9”不存在"),
        (DOCUMENT, '<w:fldChar w:fldCharType="end"/>', "", "域的起止不成对"),
        (HEADER, '<w:fldChar w:fldCharType="begin"/>', "", "域的起止不成对"),
        (DOCUMENT, '<wp:docPr id="2"', '<wp:docPr id="1"', "图形编号 1 重复"),
        (DOCUMENT, "score.total", "score.totl", "域引用的文档属性“score.totl”不存在"),
        (CUSTOM, 'name="score.total"', 'name="x"', "域引用的文档属性“score.total”不存在"),
        (CUSTOM, 'name="score.grade"', 'name="Score.Total"', "文档属性“score.total”重复"),
        (CUSTOM, 'pid="3"', 'pid="2"', "文档属性编号 2 重复"),
        (CUSTOM, 'pid="2"', 'pid="1"', "编号不是 2 以上的整数"),
        (DOCUMENT, '<w:commentRangeEnd w:id="1"/>', "", "批注 1 的起止不成对"),
        (DOCUMENT, '<w:commentRangeStart w:id="0"/>', "", "批注 0 的起止不成对"),
        (DOCUMENT, '<w:commentReference w:id="1"/>', "", "批注 1 的内容与标记不是一一对应"),
        (COMMENTS, 'w:id="1"', 'w:id="7"', "批注 1 的内容与标记不是一一对应"),
        (COMMENTS, 'w:id="1"', 'w:id="0"', "批注 0 的内容与标记不是一一对应"),
        (DOCUMENT, 'r:embed="', 'r:embed="rId999', "没有定义"),
        (DOCUMENT, "</w:body>", "</w:bod>", "不是合法的 XML"),
        (DOCUMENT, "</w:body>", "<w:p><w:r><w:t>{{ x }}</w:t></w:r></w:p></w:body>", "疑似留有模板标记"),
        (DOCUMENT, "</w:body>", "<w:p><w:r><w:t>\ue000t\ue000</w:t></w:r></w:p></w:body>", "留有未替换的占位"),
        (RELS, 'Target="styles.xml"', 'Target="no.xml"', "指向的“no.xml”不存在"),
        (RELS, "</Relationships>", '<Relationship Id="e" Type="t" Target="http://x" TargetMode="External"/></Relationships>', "指向外部的链接“http://x”"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(sound: Path, part: str, old: str, new: str, said: str) -> None:
    found = package.check(replaced(sound, part, old, new))
    assert any(said in problem.what for problem in found), found


def test_what_is_no_zip_is_said(tmp_path: Path) -> None:
    path = tmp_path / "报告.docx"
    path.write_bytes(b"")
    assert [str(p) for p in package.check(path)] == ["报告.docx：不是 Word 文档"]


def test_ids_are_given_across_parts(rendered: Callable[..., RenderReport], tmp_path: Path) -> None:
    document = Document(str(rendered().path))
    for side in (document.sections[1].header, document.sections[1].even_page_footer):
        side.paragraphs[0]._p.extend(bookmark(f"旁{id(side)}", run("甲")))
    path = package.save(document, tmp_path / "报告.docx")
    assert package.check(path) == []
    roots = list(bind.stories(Document(str(path))))
    ids = [m.get(qn("w:id")) for root in roots for m in root.iter(qn("w:bookmarkStart"))]
    assert len(ids) == len(set(ids)) > 2


ABOUT = {"title": "某项目评价报告", "author": "某评价公司", "subject": "某项目（001）",
         "stage": "送审稿", "date": date(2025, 6, 30)}  # fmt: skip


def status(path: Path) -> list[str | None]:
    with zipfile.ZipFile(path) as archive:
        root = ElementTree.fromstring(archive.read("docProps/core.xml"))
    space = "http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
    return [node.text for node in root.findall(f"{{{space}}}contentStatus")]


def test_properties_say_what_the_report_is(tmp_path: Path) -> None:
    path = package.save(Document(str(BASE)), tmp_path / "新.docx", ABOUT)
    core = Document(str(path)).core_properties
    assert (core.title, core.author) == ("某项目评价报告", "某评价公司")
    assert (core.subject, status(path)) == ("某项目（001）", ["送审稿"])
    assert core.language == "zh-CN"
    assert core.created.replace(tzinfo=None) == core.modified.replace(tzinfo=None)
    assert core.created.replace(tzinfo=None) == datetime(2025, 6, 30)
    assert (core.last_modified_by, core.keywords, core.comments) == ("", "", "")
    assert list(OpenXmlValidator().validate(str(path)).errors) == []


def test_properties_that_people_wrote_stay_but_for_title_and_stage(tmp_path: Path) -> None:
    document = Document()
    core = document.core_properties
    core.author, core.keywords, core.last_modified_by = "王某", "公交", "李某"
    core.modified = datetime(2025, 7, 1, 9)
    package.save(document, tmp_path / "改.docx", ABOUT, edited=True)
    core = Document(str(tmp_path / "改.docx")).core_properties
    assert (core.author, core.keywords, core.last_modified_by) == ("王某", "公交", "李某")
    assert core.modified.replace(tzinfo=None) == datetime(2025, 7, 1, 9)
    assert (core.title, status(tmp_path / "改.docx")) == ("某项目评价报告", ["送审稿"])
    final = package.save(
        Document(str(tmp_path / "改.docx")), tmp_path / "终.docx", {"stage": "终稿"}, edited=True
    )
    assert status(final) == ["终稿"]
    assert Document(str(final)).core_properties.title == "某项目评价报告"


def test_no_clock_enters_a_document_that_came_without_properties(tmp_path: Path) -> None:
    document = Document()
    rels = document.part.package.rels
    for key in [k for k, rel in rels.items() if rel.reltype.endswith("core-properties")]:
        del rels[key]
    path = package.save(document, tmp_path / "无.docx", ABOUT, edited=True)
    core = Document(str(path)).core_properties
    assert core.last_modified_by == ""
    assert core.modified.replace(tzinfo=None) == datetime(2025, 6, 30)
