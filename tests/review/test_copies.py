import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from copies_reports import CONSENTS, W, parts, put, rendered, result_of, spoil, words
from docx import Document
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from openxml_audit import OpenXmlValidator

from evalkit.core.problem import EvalkitError, Problem
from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import plain_text
from evalkit.review import copies, opinions
from evalkit.review.copies import copy_report, review_copy
from evalkit.review.opinions import MACHINE_AUTHOR

soffice = pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")


def comments(path: Path) -> dict[str, str]:
    """Comment texts by the text they stand at and their first line's first word."""
    document = Document(str(path))
    return {note.text.split()[0]: note.text for note in document.comments}


def anchored(path: Path) -> list[tuple[str, str]]:
    """What is commented on, and the comment."""
    document = Document(str(path))
    texts = {str(note.comment_id): note.text for note in document.comments}
    found = []
    for start in document.element.body.iter(qn("w:commentRangeStart")):
        inside, node = [], start.getnext()
        while node.tag != qn("w:commentRangeEnd") or node.get(qn("w:id")) != start.get(qn("w:id")):
            inside.append(plain_text(node))
            node = node.getnext()
        found.append(("".join(inside), texts[start.get(qn("w:id"))]))
    return found


def spoken(document):
    """Runs of a paragraph of the text."""
    return next(p.runs for p in document.paragraphs if p.text.startswith("经综合评价"))


def clean(path: Path) -> bool:
    found = [*package.check(path), *OpenXmlValidator().validate(str(path)).errors]
    assert found == []
    return True


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return rendered("sanitation", tmp_path)


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    return rendered("library", tmp_path)


# --- the review copy -------------------------------------------------------------------------


def test_every_score_says_where_it_comes_from(report: Path) -> None:
    result = result_of(report)
    path = review_copy(report, result, report.with_name("复核版.docx"))
    assert clean(path)
    said = {text.split()[0]: (at, text) for at, text in anchored(path)}
    document = Document(str(path))
    table = next(t for t in document.tables if "评分标准" in plain_text(t._tbl.tr_lst[0]))
    starts = list(table._tbl.iter(qn("w:commentRangeStart")))
    assert len(starts) == len(result.score.indicators)
    for indicator in result.score.indicators:
        at, text = said[indicator.code]
        assert at == f"{indicator.score:.2f}"
        assert indicator.trace.formula in text
        assert indicator.trace.rule_name in text
        assert indicator.trace.basis.document in text
        assert all(given.cell in text for given in indicator.trace.inputs)
        assert all(number in text for number in indicator.evidence)
        assert all(use.source in text for use in indicator.trace.policies)
        assert not indicator.lost or indicator.reason in text


def test_an_adjusted_score_says_who_changed_it_and_why(report: Path) -> None:
    result = result_of(report)
    changed = next(i for i in result.score.indicators if i.adjustment)
    text = comments(review_copy(report, result, report.with_name("复核版.docx")))[changed.code]
    for part in (changed.adjustment.reason, changed.adjustment.approver, changed.adjustment.cell):
        assert part in text


def test_the_grade_says_its_bands_and_how_firm_it_is(report: Path) -> None:
    result = result_of(report)
    path = review_copy(report, result, report.with_name("复核版.docx"))
    at, text = next(pair for pair in anchored(path) if pair[1].startswith("总分"))
    assert at == result.score.grade
    assert "90分及以上为优" in text
    assert "财预〔2020〕10号" in text
    said = [row["about"] + "：" + row["text"] for row in result.tables["robust_findings"]]
    assert text.splitlines()[-len(said) :] == said
    assert "等级保持“良”的概率为" in text and "最小改变：" in text
    older = {name: rows for name, rows in result.tables.items() if name != "robust_findings"}
    path = review_copy(report, result.model_copy(update={"tables": older}), path)
    assert any(text.endswith("稳健性分析：未做") for _, text in anchored(path))


def test_funds_say_the_cells_they_are_added_up_from(report: Path) -> None:
    path = review_copy(report, result_of(report), report.with_name("复核版.docx"))
    text = next(text for _, text in anchored(path) if text.startswith("到位，取自底稿"))
    assert all("（资金!F" in line for line in text.splitlines()[1:])
    assert "资金!F3" in text


def test_gaps_and_warnings_stand_where_they_concern(draft: Path) -> None:
    result = result_of(draft)
    path = review_copy(draft, result, draft.with_name("复核版.docx"))
    assert clean(path)
    pairs = anchored(path)
    gap = next(i for i in result.score.indicators if i.gap)
    at, text = next(pair for pair in pairs if pair[1].startswith(gap.code))
    assert at == "待补充"
    assert f"缺口：{gap.gap}" in text
    warned = "\n".join(text for _, text in pairs if text.startswith("需要注意"))
    assert all(str(problem) in warned for problem in result.problems)
    own = next(p for p in result.problems if p.indicator == gap.code)
    assert any(at == "待补充" and str(own) in text for at, text in pairs)


def test_what_a_check_found_is_noted_too(report: Path) -> None:
    found = Problem(what="表文不一致", remedy="请核对", indicator="C101", severity="note")
    path = review_copy(report, result_of(report), report.with_name("复核版.docx"), [found])
    assert any("提示：表文不一致——请核对" in text for _, text in anchored(path))


def test_dates_are_the_reports_and_equal_inputs_give_equal_bytes(report: Path) -> None:
    one, two = (review_copy(report, result_of(report), report.with_name(f"{n}.docx")) for n in "ab")
    assert one.read_bytes() == two.read_bytes()
    day = datetime(2025, 6, 30, tzinfo=UTC)
    assert {note.timestamp for note in Document(str(one)).comments} == {day}


def test_comments_and_changes_of_people_stay(report: Path) -> None:
    document = Document(str(report))
    document.add_comment(spoken(document), "这个数不对", "委托方", "委")
    change = f'<w:ins {W} w:id="7" w:author="复核人"><w:r><w:t>新增的话</w:t></w:r></w:ins>'
    document.paragraphs[21]._p.append(parse_xml(change))
    document.save(str(report))
    path = review_copy(report, result_of(report), report.with_name("复核版.docx"))
    authors = [note.author for note in Document(str(path)).comments]
    assert authors[0] == "委托方"
    assert set(authors) == {"委托方", MACHINE_AUTHOR}
    assert 'w:author="复核人"' in parts(path)["word/document.xml"].decode()


# --- the final copy --------------------------------------------------------------------------


def test_the_final_copy_reads_like_the_master_and_is_bound_to_nothing(report: Path) -> None:
    path = copies.final_copy(report, result_of(report), report.with_name("终稿.docx"))
    assert clean(path)
    one, two = (Document(str(p)) for p in (report, path))
    assert [plain_text(p) for p in one.element.body.iter(qn("w:p"))] == [
        plain_text(p) for p in two.element.body.iter(qn("w:p"))
    ]
    kinds = {field.code.split()[0] for field in bind.document_fields(two)}
    assert kinds == {"TOC", "SEQ", "REF", "PAGE"}
    assert "docProps/custom.xml" not in parts(path)
    assert two.core_properties.author == result_of(report).subject["agency"]
    assert two.core_properties.title.endswith("报告")
    assert not re.search(r'w:name="_[kr][0-9a-f]', parts(path)["word/document.xml"].decode())


def test_equal_masters_give_equal_final_copies(report: Path) -> None:
    one, two = (
        copies.final_copy(report, result_of(report), report.with_name(f"{n}.docx")) for n in "ab"
    )
    assert one.read_bytes() == two.read_bytes()


def test_nothing_in_the_final_copy_names_a_path_or_a_tool(report: Path) -> None:
    document = Document(str(report))
    spoil(report)
    document = Document(str(report))  # paths people wrote into their text are told, not cut out
    for paragraph in [
        p for p in document.element.body.iter(qn("w:p")) if "考核表.pdf" in plain_text(p)
    ]:
        paragraph.getparent().remove(paragraph)
    document.save(str(report))
    path = copies.final_copy(report, result_of(report), report.with_name("终稿.docx"))
    assert clean(path)
    text = re.sub(r"https?://schemas\.[^\"']+|urn:schemas[^\"']+", "", words(path))
    for trace in ("隐藏的话", "evalkit", "LibreOffice", "Microsoft", "python", "docx", "file:",
                  "Users", ".jpg", ".dotx", "rsid", "proofErr", "attachedTemplate", "CameraMaker",
                  "GPS", "Matplotlib", "lastModifiedBy", "app.xml", "customXml",
                  "thumbnail"):  # fmt: skip
        assert trace not in text, trace
    assert "底稿链接" in text
    assert "控件里的话" in text


def test_what_keeps_a_report_from_being_final_is_said_at_once(report: Path) -> None:
    document = Document(str(report))
    put(document, "这里待补充。")
    document.add_comment(spoken(document), "请核实", "委托方", "委")
    change = f'<w:del {W} w:id="7" w:author="某人"><w:r><w:delText>删</w:delText></w:r></w:del>'
    document.paragraphs[40]._p.append(parse_xml(change))
    total = next(f for f in bind.document_fields(document) if f.path == "score.total")
    total.put("95.00")
    document.save(str(report))
    result = result_of(report).model_copy(update={"stage": "送审稿"})
    with pytest.raises(EvalkitError) as refused:
        copies.final_copy(report, result, report.with_name("终稿.docx"))
    said = str(refused.value)
    for part in ("送审稿", "待补充", "1条批注没有列入", "某人的修订", "95.00"):
        assert part in said
    assert all(p.file or p.sheet for p in refused.value.problems)
    assert not report.with_name("终稿.docx").exists()


def test_a_path_in_the_text_keeps_a_report_from_being_final(report: Path) -> None:
    document = Document(str(report))
    put(document, r"资料见D:\项目\考核表.xlsx。")
    document.save(str(report))
    with pytest.raises(EvalkitError, match="D:"):
        copies.final_copy(report, result_of(report), report.with_name("终稿.docx"))


def test_an_embedded_object_is_refused(report: Path) -> None:
    document = Document(str(report))
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    key = document.part.relate_to(
        "http://x.example/a.bin", f"{relation}/oleObject", is_external=True
    )
    office = "urn:schemas-microsoft-com:office:office"
    ole = f'<o:OLEObject xmlns:o="{office}" xmlns:r="{relation}" r:id="{key}"/>'
    ole = f"<w:object {W}>{ole}</w:object>"
    document.paragraphs[20]._p.append(parse_xml(f"<w:r {W}>{ole}</w:r>"))
    document.save(str(report))
    with pytest.raises(EvalkitError, match="嵌入的对象"):
        copies.final_copy(report, result_of(report), report.with_name("终稿.docx"))


# --- the command -----------------------------------------------------------------------------


def test_the_command_writes_the_copies_beside_the_master(report: Path) -> None:
    made = copy_report(report, review=True, final=True, public=True,
                       client_consent=CONSENTS[0], finance_consent=CONSENTS[1])  # fmt: skip
    assert [path.name for path in made] == [
        "评价报告_复核版.docx", "评价报告_终稿.docx", "评价报告_公开版.docx",
    ]  # fmt: skip
    assert all(path.parent == report.parent for path in made)


def test_a_command_that_asks_for_no_copy_is_answered(report: Path) -> None:
    with pytest.raises(EvalkitError, match="没有说明要哪一种副本"):
        copy_report(report)


def test_a_copy_that_someone_edited_is_kept_aside_once(report: Path) -> None:
    path, *_ = copy_report(report, final=True)
    copy_report(report, final=True)
    assert not list(report.parent.glob("*人工修改*"))
    document = Document(str(path))
    put(document, "有人加的话。")
    document.save(str(path))
    copy_report(report, final=True)
    kept, *more = report.parent.glob("评价报告_终稿_人工修改_*.docx")
    assert "有人加的话" in words(kept)
    assert not more


def test_an_opinion_that_came_since_the_table_was_written_must_be_answered(report: Path) -> None:
    opinions.collect(report)
    copy_report(report, final=True)
    document = Document(str(report))
    document.add_comment(spoken(document), "请核实", "委托方", "委")
    document.save(str(report))
    with pytest.raises(EvalkitError, match="是否采纳为空"):
        copy_report(report, final=True)


def test_an_opinion_is_not_lost_where_the_table_is_held_open(
    report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = opinions.collect(report).table
    document = Document(str(report))
    document.add_comment(spoken(document), "请核实", "委托方", "委")
    document.save(str(report))
    real = os.replace

    def locked(source: str, target: Path) -> None:
        if Path(target) == table:
            raise PermissionError
        real(source, target)

    monkeypatch.setattr(os, "replace", locked)
    for write in (copies.final_copy, lambda *a: copies.public_copy(*a, *CONSENTS)):
        with pytest.raises(EvalkitError, match=r"表_新\.xlsx.*是否采纳为空"):
            write(report, result_of(report), report.with_name("终稿.docx"))


def test_missing_consents_are_asked_for(report: Path) -> None:
    answers = dict(zip(copies.PARTIES, CONSENTS, strict=True))
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return answers[question.partition("同意")[0]]

    copy_report(report, public=True, ask=ask)
    assert len(asked) == 2
    copy_report(report, public=True, client_consent=CONSENTS[0], ask=ask)
    assert asked[2:] == [asked[1]]
    with pytest.raises(EvalkitError, match="没有委托方的公开同意意见"):
        copy_report(report, public=True, finance_consent=CONSENTS[1], ask=lambda _: " ")


@soffice
def test_a_pdf_is_written_beside_the_report(report: Path) -> None:
    path = copies.to_pdf(report)
    assert path == report.with_suffix(".pdf")
    assert path.read_bytes().startswith(b"%PDF")


@soffice
def test_a_master_saved_by_libreoffice_gives_a_clean_final_copy(
    report: Path, tmp_path: Path
) -> None:
    import subprocess

    out = tmp_path / "saved"
    command = ["soffice", f"-env:UserInstallation={(tmp_path / 'lo').as_uri()}", "--headless",
               "--convert-to", "docx", "--outdir", str(out), str(report)]  # fmt: skip
    subprocess.run(command, capture_output=True, check=True, timeout=180)
    shutil.copy(report.with_name("result.json"), out)
    path = copies.final_copy(out / report.name, result_of(report), out / "终稿.docx")
    assert package.check(path) == []
    assert "LibreOffice" not in words(path)
    assert "DOCPROPERTY" not in words(path)


def test_without_a_word_processor_it_is_said(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EvalkitError, match="没有找到 LibreOffice 或 Word"):
        copies.to_pdf(report)
