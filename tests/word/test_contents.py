"""Contents and lists of tables and figures, first written and written again after people edited."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from docx import Document
from docx.document import Document as WordDocument
from docx.oxml.ns import qn
from word_results import make_result

from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import el, plain_text, run, style_of
from evalkit.report import evaluation
from evalkit.word import contents
from evalkit.word.blocks import Figure, page_of
from evalkit.word.render import RenderReport, render, settle

Rendered = Callable[..., RenderReport]


@pytest.fixture
def with_figure(report_template: Path, photos: Path, tmp_path: Path) -> WordDocument:
    context, blocks = evaluation.report_context(make_result(), {}, photos, "gbt9704")
    blocks["fig_score_rates"] = Figure("一级指标得分率", photos / "照片" / "01.png")
    context["has"]["fig_score_rates"] = True
    return Document(str(render(report_template, context, tmp_path / "图.docx", blocks).path))


def lists(document: WordDocument) -> dict[str, list[tuple[str, str]]]:
    """Entries with their page numbers, by the first words of the field's instruction."""
    return {
        code.replace("\\h \\z ", ""): [contents._said(entry) for entry in spanned]
        for code, spanned in contents._lists(bind.fields(document.element.body))
    }


def targets(document: WordDocument, kind: str) -> list[str]:
    """Text of the paragraphs that the entries of a list link to."""
    body = document.element.body
    marks = {m.get(qn("w:name")): m for m in body.iter(qn("w:bookmarkStart"))}
    spanned = next(
        s for code, s in contents._lists(bind.fields(document.element.body)) if kind in code
    )
    links = [
        link.get(qn("w:anchor")) for entry in spanned for link in entry.iter(qn("w:hyperlink"))
    ]
    return [plain_text(next(marks[name].iterancestors(qn("w:p")))) for name in links]


def again(document: WordDocument) -> None:
    settle(document, page_of(document), {})


def heading(document: WordDocument, text: str):
    return next(p for p in document.paragraphs if p.text == text and p.style.name[:7] == "Heading")


def test_lists_name_every_caption_and_link_to_it(with_figure: WordDocument) -> None:
    found = lists(with_figure)
    tables = [text for text, _ in found['TOC \\c "表"']]
    captions = [p.text for p in with_figure.paragraphs if p.style.name == "Caption"]
    assert tables == [text for text in captions if text.startswith("表")]
    assert tables[0] == "表1　项目基本信息"
    assert [text for text, _ in found['TOC \\c "图"']] == ["图1　一级指标得分率"]
    assert targets(with_figure, '"表"') == tables
    assert not any("照片" in text for text in tables)


def test_a_list_of_nothing_is_left_out_with_its_title(rendered: Rendered) -> None:
    document = Document(str(rendered().path))
    assert 'TOC \\c "图"' not in lists(document)
    texts = [p.text for p in document.paragraphs]
    assert "图目录" not in texts
    assert "表目录" in texts


def test_what_says_the_same_is_left_alone(with_figure: WordDocument) -> None:
    before = with_figure.element.xml
    again(with_figure)
    assert with_figure.element.xml == before


def test_page_numbers_that_word_wrote_stay_until_an_entry_changes(
    with_figure: WordDocument,
) -> None:
    for _, spanned in contents._lists(bind.fields(with_figure.element.body)):
        for number, entry in enumerate(spanned, 1):
            next(entry.iter(qn("w:hyperlink"))).append(run(f"\t{number}"))
    before = with_figure.element.xml
    again(with_figure)
    assert with_figure.element.xml == before
    heading(with_figure, "绩效目标").text = "绩效目标及其调整"
    again(with_figure)
    entries = dict(lists(with_figure)['TOC \\o "1-2" \\u'])
    assert entries["一、基本情况"] == "2"
    assert entries["（二）绩效目标及其调整"] == ""
    assert 'w:dirty="true"' in with_figure.element.xml


def test_entries_follow_headings_and_captions_that_come_go_and_move(
    with_figure: WordDocument, tmp_path: Path
) -> None:
    body = with_figure.element.body
    moved, gone = heading(with_figure, "有关建议")._p, heading(with_figure, "评价依据")._p
    heading(with_figure, "基本情况")._p.addprevious(moved)
    body.remove(gone)
    body.remove(next(p._p for p in with_figure.paragraphs if p.style.name == "Caption"))
    bare = heading(with_figure, "评价工作过程")._p
    bare.pPr.append(el("numPr", el("ilvl", val=0), el("numId", val=0)))
    again(with_figure)
    found = lists(with_figure)
    entries = [text for text, _ in found['TOC \\o "1-2" \\u']]
    assert entries[1:3] == ["一、有关建议", "二、基本情况"]
    assert not any("评价依据" in text for text in entries)
    assert "评价工作过程" in entries
    assert found['TOC \\c "表"'][0][0].startswith("表1　")
    assert "项目基本信息" not in found['TOC \\c "表"'][0][0]
    names = [m.get(qn("w:name")) for m in body.iter(qn("w:bookmarkStart"))]
    assert len(names) == len(set(names))
    path = package.save(with_figure, tmp_path / "再.docx", edited=True)
    said = [str(p) for p in package.check(path)]
    assert all("_Ref_subject_table" in line for line in said)  # the caption it named is gone


def test_a_bookmark_that_word_set_is_used_and_none_is_added(with_figure: WordDocument) -> None:
    title = heading(with_figure, "有关建议")
    for mark in title._p.iter(qn("w:bookmarkStart")):
        if mark.get(qn("w:name")).startswith("_Toc"):
            mark.set(qn("w:name"), "_Toc201234567")
    again(with_figure)
    assert "有关建议" in targets(with_figure, "1-2")
    own = [m.get(qn("w:name")) for m in title._p.iter(qn("w:bookmarkStart"))]
    assert [name for name in own if name.startswith("_Toc")] == ["_Toc201234567"]


def test_a_heading_copied_with_its_bookmark_gets_one_of_its_own(with_figure: WordDocument) -> None:
    title = heading(with_figure, "有关建议")._p
    title.addprevious(copy.deepcopy(title))
    again(with_figure)
    links = targets(with_figure, "1-2")
    assert links.count("有关建议") == 2
    linked = [link.get(qn("w:anchor")) for link in with_figure.element.iter(qn("w:hyperlink"))]
    assert len(linked) == len(set(linked))


def test_the_end_of_a_section_in_the_list_itself_is_kept(with_figure: WordDocument) -> None:
    count = len(with_figure.sections)
    spanned = contents._lists(bind.fields(with_figure.element.body))[-1][1]
    after = spanned[-1].getnext()
    assert after.find(f".//{qn('w:sectPr')}") is not None
    for item in list(after.pPr):
        if item.tag == qn("w:sectPr"):
            spanned[-1].pPr.append(item)
    after.getparent().remove(after)
    heading(with_figure, "有关建议").text = "建议"
    captions = [p for p in with_figure.paragraphs if p.style.name == "Caption"]
    next(p for p in captions if p.text.startswith("图1　")).add_run("（改）")
    again(with_figure)
    assert len(with_figure.sections) == count
    assert lists(with_figure)['TOC \\c "图"'][0][0] == "图1　一级指标得分率（改）"


def test_fields_of_lists_are_paired_and_styled(with_figure: WordDocument) -> None:
    page = page_of(with_figure)
    for code, spanned in contents._lists(bind.fields(with_figure.element.body)):
        wanted = "table of figures" if "\\c" in code else "toc"
        fitting = {key for name, key in page.ids.items() if name.startswith(wanted)}
        assert {style_of(entry) for entry in spanned} <= fitting
    assert sum(f.code.startswith("TOC") for f in bind.fields(with_figure.element.body)) == 3
