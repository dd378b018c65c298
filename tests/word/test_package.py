# ruff: noqa: E501
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evalkit.word import package
from evalkit.word.render import RenderReport

DOCUMENT, RELS = "word/document.xml", "word/_rels/document.xml.rels"


def plant(path: Path, part: str, old: str, new: str) -> Path:
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


@pytest.mark.parametrize(
    ("part", "old", "new", "said"),
    [
        (DOCUMENT, '<w:bookmarkEnd w:id="3"/>', "", "书签的起止不成对"),
        (DOCUMENT, 'w:name="_Ref_score_table"', 'w:name="_Ref_funds_table"', "书签“_Ref_funds_table”重复"),
        (DOCUMENT, 'w:name="_Ref_score_table"', 'w:name="x"', "交叉引用的书签“_Ref_score_table”不存在"),
        (DOCUMENT, '<w:fldChar w:fldCharType="end"/>', "", "域的起止不成对"),
        (DOCUMENT, '<wp:docPr id="2"', '<wp:docPr id="1"', "图形编号 1 重复"),
        (DOCUMENT, 'r:embed="', 'r:embed="rId999', "没有定义"),
        (DOCUMENT, "</w:body>", "</w:bod>", "不是合法的 XML"),
        (DOCUMENT, "</w:body>", "<w:p><w:r><w:t>{{ x }}</w:t></w:r></w:p></w:body>", "疑似留有模板标记"),
        (DOCUMENT, "</w:body>", "<w:p><w:r><w:t>\ue000t\ue000</w:t></w:r></w:p></w:body>", "留有未替换的占位"),
        (RELS, 'Target="styles.xml"', 'Target="no.xml"', "指向的“no.xml”不存在"),
        (RELS, "</Relationships>", '<Relationship Id="e" Type="t" Target="http://x" TargetMode="External"/></Relationships>', "指向外部的链接“http://x”"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(
    rendered: Callable[..., RenderReport], part: str, old: str, new: str, said: str
) -> None:
    found = package.check(plant(rendered().path, part, old, new))
    assert any(said in problem.what for problem in found)


def test_what_is_no_zip_is_said(tmp_path: Path) -> None:
    path = tmp_path / "报告.docx"
    path.write_bytes(b"")
    assert [str(p) for p in package.check(path)] == ["报告.docx：不是 Word 文档"]
