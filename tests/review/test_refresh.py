"""A report that people edited is the base of the next one; what is promised of that, one by one."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import openpyxl
import pytest
from docx import Document
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.text.paragraph import Paragraph
from edits import Seen, field_parts, new_paragraph, new_run, path_of, tag, words, xml
from PIL import Image
from refresh_support import (
    Source,
    change_scores,
    demo,
    drop_indicator,
    findings,
    rescored,
    through_libreoffice,
)
from support import DEMO, load

from evalkit.core import result_file
from evalkit.core.problem import EvalkitError
from evalkit.core.store import sha256
from evalkit.ooxml import bind
from evalkit.report import evaluation
from evalkit.review.delivery import CONFLICTS, report_name
from evalkit.word.blocks import Column, Table
from evalkit.workflows import project_evaluation as workflow

REPORT = report_name("project_evaluation")


@dataclass
class Project:
    """One project's output folder, its report delivered once."""

    out: Path
    source: Source

    @property
    def report(self) -> Path:
        return self.out / REPORT

    @property
    def conflicts(self) -> list[dict[str, Any]]:
        return json.loads((self.out / CONFLICTS).read_text(encoding="utf-8"))["conflicts"]

    @property
    def seen(self) -> Seen:
        return Seen(self.report)

    def kinds(self) -> set[str]:
        return {c["kind"] for c in self.conflicts}

    def edit(self, change: Callable[[Any], None]) -> None:
        document = Document(str(self.report))
        change(document)
        document.save(str(self.report))

    def again(self, source: Source | None = None) -> Path:
        return (source or self.source).deliver(self.out).path


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder above that of a demo's report, delivered there once; tests take a copy."""
    folder = tmp_path_factory.mktemp("delivered")
    demo(0).deliver(folder / "out")
    return folder


@pytest.fixture
def project(delivered: Path, tmp_path: Path) -> Project:
    shutil.copytree(delivered, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path / "out", demo(0))


def lower(source: Source, place: int = 3, by: str = "0.5") -> Source:
    """The same project, one score lower."""
    indicators = list(source.result.score.indicators)
    i = indicators[place]
    score = i.score - Decimal(by)
    indicators[place] = i.model_copy(update={"score": score, "lost": i.points - score,
                                             "reason": "复核后新的扣分原因"})  # fmt: skip
    return replace(source, result=rescored(source.result, indicators))


def total(source: Source) -> str:
    return evaluation.printed(source.result)["score.total"]


def paragraph(document: Any, text: str) -> Any:
    """The first paragraph below the contents that says it."""
    found = [p for p in document.element.body.iter(qn("w:p")) if text in words(p)]
    return next(p for p in found if next(p.iter(qn("w:hyperlink")), None) is None)


def bound(document: Any, path: str) -> list[tuple[list[Any], list[Any]]]:
    """All runs, and those of the result, of each field over a path."""
    return [
        (runs, [r for r in runs if r.find(qn("w:t")) is not None])
        for code, _, found in field_parts(document.element.body)
        if path_of(code) == path
        for runs in [list(dict.fromkeys(found))]
    ]


def rows(seen: Seen, caption: str) -> list[str]:
    """Rows of the table under a caption."""
    above = next(
        p
        for p in seen.body.iterchildren(qn("w:p"))
        if caption in words(p) and any(c.startswith("SEQ") for c, _, _ in field_parts(p))
    )
    table = next(n for n in above.itersiblings() if tag(n) == "tbl")
    cells = (
        ["".join(t.text or "" for t in cell.iter(qn("w:t"))) for cell in row.findall(qn("w:tc"))]
        for row in table.findall(qn("w:tr"))
    )
    return ["｜".join(row) for row in cells]


def headings(document: Any) -> list[Any]:
    """Paragraphs in a heading style."""
    body = document.element.body
    return [p for p in body.iterchildren(qn("w:p")) if p.style and "Heading" in p.style]


def section(document: Any, title: str) -> list[Any]:
    """A heading that begins so, and the paragraphs under it."""
    found = [next(p for p in headings(document) if words(p).startswith(title))]
    for node in found[0].itersiblings():
        if tag(node) != "p" or (node.style and "Heading" in node.style):
            break
        found += [node] if words(node) else []
    return found


# --- untouched parts follow the data --------------------------------------------------------


def test_an_unedited_report_is_written_anew(project: Project) -> None:
    project.again(lower(project.source))
    assert not (project.out / CONFLICTS).exists()
    assert not list(project.out.glob("*_人工修改_*"))


def test_numbers_text_and_tables_follow_the_data(project: Project) -> None:
    project.edit(lambda d: d.add_paragraph("评价组补充的一段。"))
    new = lower(project.source)
    project.again(new)
    truth = evaluation.printed(new.result)
    assert all(
        text == truth[path] for path, text in project.seen.fields if path != "document.header"
    )
    assert truth.items() <= project.seen.properties.items()
    assert "复核后新的扣分原因" in project.seen.text
    assert "评价组补充的一段。" in project.seen.paragraphs
    assert project.conflicts == []


def test_a_new_indicator_gets_its_row_and_its_paragraphs(project: Project) -> None:
    project.edit(lambda d: d.add_paragraph("补充。"))
    old = list(project.source.result.score.indicators)
    new = old[4].model_copy(update={"code": "X901", "level3": "新增的指标"})
    result = rescored(project.source.result, [*old[:5], new, *old[5:]])
    project.again(replace(project.source, result=result))
    table = rows(project.seen, "绩效评价评分表")
    assert "新增的指标" in table[6]
    assert old[4].level3 in table[5]
    titles = [words(p) for p in headings(project.seen.document)]
    at = next(n for n, title in enumerate(titles) if title.startswith("新增的指标"))
    assert titles[at - 1].startswith(old[4].level3)


def test_an_indicator_that_is_gone_takes_its_row_and_its_paragraphs_along(project: Project) -> None:
    project.edit(lambda d: d.add_paragraph("补充。"))
    gone = project.source.result.score.indicators[4]
    indicators = [i for i in project.source.result.score.indicators if i is not gone]
    project.again(replace(project.source, result=rescored(project.source.result, indicators)))
    assert not [p for p in project.seen.paragraphs if p.startswith(f"{gone.level3}（")]
    assert project.conflicts == []


def test_a_figure_gets_its_new_picture_as_wide_as_people_made_it(project: Project) -> None:
    def narrow(document: Any) -> None:
        for extent in document.element.body.iter(qn("wp:extent"), qn("a:ext")):
            if extent.get("cx"):
                extent.set("cx", str(Mm(70)))

    project.edit(narrow)
    before = project.seen.pictures
    figures = tuple((name, 90) for name, _ in project.source.figures)
    project.again(replace(project.source, figures=figures))
    assert sum((before - project.seen.pictures).values()) >= len(figures) - 1
    assert sum(project.seen.pictures.values()) == sum(before.values())
    assert {e.get("cx") for e in project.seen.body.iter(qn("wp:extent"))} == {str(Mm(70))}


def test_the_stage_changes_on_cover_header_and_properties(project: Project) -> None:
    project.edit(lambda d: d.add_paragraph("补充。"))
    result = project.source.result.model_copy(update={"stage": "征求意见稿"})
    project.again(replace(project.source, result=result))
    assert "（征求意见稿）" in project.seen.paragraphs
    assert "征求意见稿" in project.seen.properties["document.header"]
    headers = [text for path, text in project.seen.fields if path == "document.header"]
    assert headers
    assert all("征求意见稿" in text for text in headers)


def test_changed_narrative_replaces_what_nobody_touched(project: Project) -> None:
    project.edit(lambda d: d.add_paragraph("补充。"))
    document = Document(io.BytesIO(project.source.narrative or b""))
    old = next(p for p in document.paragraphs if len(p.text) > 40)
    text, old.text = old.text, "重新写过的一段文字。"
    out = io.BytesIO()
    document.save(out)
    project.again(replace(project.source, narrative=out.getvalue()))
    assert "重新写过的一段文字。" in project.seen.text
    assert text not in project.seen.text
    assert project.conflicts == []


def test_a_changed_cell_of_the_narratives_table_changes_in_place(project: Project) -> None:
    def widen(document: Any) -> None:
        caption = paragraph(document, "规制成本确认情况")
        table = next(n for n in caption.itersiblings() if tag(n) == "tbl")
        table.find(qn("w:tblGrid"))[0].set(qn("w:w"), "3333")

    project.edit(widen)
    document = Document(io.BytesIO(project.source.narrative or b""))
    document.tables[0].rows[1].cells[1].text = "888.88"
    out = io.BytesIO()
    document.save(out)
    before = rows(project.seen, "规制成本确认情况")
    project.again(replace(project.source, narrative=out.getvalue()))
    after = rows(project.seen, "规制成本确认情况")
    assert [n for n in range(len(after)) if after[n] != before[n]] == [1]
    assert "888.88" in after[1]
    assert "3333" in {n.get(qn("w:w")) for n in project.seen.body.iter(qn("w:gridCol"))}
    assert project.conflicts == []


# --- what people did stays ------------------------------------------------------------------


def test_edited_prose_stays_and_is_flagged_until_someone_deals_with_it(project: Project) -> None:
    def reword(document: Any) -> None:
        run = next(r for r in paragraph(document, "评价等级").iter(qn("w:r")) if words(r))
        run.append(xml("<w:t>（经专家会议讨论）</w:t>"))

    project.edit(reword)
    place = [p for p in project.seen.paragraphs if "经专家会议讨论" in p]
    new = drop_indicator(lower(project.source), Random(1))  # noqa: S311
    project.again(new)
    assert [p for p in project.seen.paragraphs if "经专家会议讨论" in p] == place
    truth = evaluation.printed(new.result)
    assert all(text == truth[path] for path, text in project.seen.fields if path in truth)


def test_prose_that_new_data_contradict_is_flagged_at_every_run_until_it_is_edited(
    project: Project,
) -> None:
    title = f"{project.source.result.score.indicators[3].level3}（"

    def reword(document: Any) -> None:
        award = section(document, title)[-1]
        next(r for r in award.iter(qn("w:r")) if words(r)).append(xml("<w:t>经现场复核，</w:t>"))

    def deal_with_it(document: Any) -> None:
        texts = paragraph(document, "经现场复核，").iter(qn("w:t"))
        next(t for t in texts if t.text == "经现场复核，").text = "经现场复核并按新数据核改，"

    project.edit(reword)
    new = lower(project.source)
    for _ in range(3):
        project.again(new)
        (flagged,) = [c for c in project.conflicts if c["kind"] == "prose"]
        assert "经现场复核，" in flagged["now"]
        assert "复核后新的扣分原因" not in flagged["now"]
        assert "复核后新的扣分原因" in flagged["new"]
        assert title in flagged["place"]
    project.edit(deal_with_it)
    project.again(new)
    assert project.conflicts == []


def test_formatting_comments_changes_and_pictures_stay(project: Project, tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "#884422").save(tmp_path / "p.png")
    title = f"{project.source.result.score.indicators[3].level3}（"

    def work(document: Any) -> None:
        award = Paragraph(section(document, title)[-1], document._body)
        for run in award.runs:
            run.font.size = Pt(19)
        document.add_comment(award.runs[:1], "请核对", author="复核人")
        award.paragraph_format.left_indent = Mm(13)
        inserted = xml('<w:ins w:id="901" w:author="王复核"/>')
        inserted.append(new_run("修订插入的话"))
        award._p.addnext(new_paragraph(""))
        award._p.getnext().append(inserted)
        document.add_paragraph().add_run().add_picture(str(tmp_path / "p.png"))

    project.edit(work)
    edited = project.seen.pictures
    project.again(lower(project.source))
    document = project.seen.document
    changed = next(p for p in document.paragraphs if "复核后新的扣分原因" in p.text)
    assert abs(changed.paragraph_format.left_indent - Mm(13)) < Mm(0.1)
    assert {r.font.size for r in changed.runs if r.text} == {Pt(19)}
    assert [c.text for c in document.comments] == ["请核对"]
    assert next(changed._p.iter(qn("w:commentRangeStart")), None) is not None
    assert [i.get(qn("w:author")) for i in project.seen.body.iter(qn("w:ins"))] == ["王复核"]
    assert "修订插入的话" in project.seen.text
    assert project.seen.pictures == edited


def test_a_section_moved_elsewhere_stays_there_and_is_renewed(project: Project) -> None:
    title = f"{project.source.result.score.indicators[3].level3}（"

    def move(document: Any) -> None:
        target = headings(document)[1]
        for node in section(document, title):
            target.addprevious(node)

    project.edit(move)
    project.again(lower(project.source))
    assert words(headings(project.seen.document)[1]).startswith(title)
    assert "复核后新的扣分原因" in words(section(project.seen.document, title)[-1])
    assert project.conflicts == []


def test_what_was_deleted_does_not_come_back_and_is_noted(project: Project) -> None:
    def delete(document: Any) -> None:
        found = paragraph(document, "资金安排与使用情况")
        picture = found.getprevious()
        for node in (found, picture):
            node.getparent().remove(node)

    project.edit(delete)
    before = sum(project.seen.pictures.values())
    project.again(lower(project.source))
    assert sum(project.seen.pictures.values()) == before
    assert [c["kind"] for c in project.conflicts] == ["deleted"] * 2


def test_nothing_new_is_put_under_a_heading_that_was_deleted(project: Project) -> None:
    group = project.source.result.score.indicators[-1]

    def delete(document: Any) -> None:
        head = paragraph(document, f"项目{group.level1}情况")
        for node in list(head.itersiblings()):
            if tag(node) != "p" or node.style in ("Heading1", "Heading2"):
                break
            node.getparent().remove(node)
        head.getparent().remove(head)

    project.edit(delete)
    indicators = list(project.source.result.score.indicators)
    new = group.model_copy(update={"code": "X902", "level3": "删去一节里的新指标"})
    project.again(
        replace(project.source, result=rescored(project.source.result, [*indicators, new]))
    )
    lines = [words(p) for p in project.seen.body.iterchildren(qn("w:p"))]
    assert not [line for line in lines if line.startswith("删去一节里的新指标（")]
    assert any(
        "删去一节里的新指标" in c["new"] for c in project.conflicts if c["kind"] == "deleted"
    )
    assert any("删去一节里的新指标" in row for row in rows(project.seen, "绩效评价评分表"))


# --- numbers typed by hand ------------------------------------------------------------------


def overtype(path: str, text: str, place: int = 0) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        _, result = bound(document, path)[place]
        next(result[0].iter(qn("w:t"))).text = text

    return change


def test_a_number_typed_over_is_listed_and_put_back(project: Project) -> None:
    project.edit(overtype("score.total", "95.00"))
    new = lower(project.source)
    project.again(new)
    (listed,) = project.conflicts
    assert (listed["kind"], listed["path"], listed["was"], listed["now"], listed["new"]) == (
        "number", "score.total", total(project.source), "95.00", total(new))  # fmt: skip
    assert {text for path, text in project.seen.fields if path == "score.total"} == {total(new)}


def test_a_score_typed_over_comes_with_the_record_that_would_change_it(project: Project) -> None:
    i = project.source.result.score.indicators[5]
    path = f"score.indicators.{bind.slug(i.code)}.score"
    project.edit(overtype(path, "1.23"))
    project.again()
    (listed,) = project.conflicts
    assert listed["调分记录"]["指标编号"] == i.code
    assert listed["调分记录"]["调整后得分"] == "1.23"


def test_a_tracked_change_of_a_number_is_listed_with_its_author(project: Project) -> None:
    def change(document: Any) -> None:
        _, result = bound(document, "score.total")[0]
        result[0].addprevious(xml('<w:ins w:id="902" w:author="张主任"/>'))
        result[0].getprevious().append(new_run("96.00"))
        for text in result[0].iter(qn("w:t")):
            text.tag = qn("w:delText")
        result[0].addprevious(xml('<w:del w:id="903" w:author="张主任"/>'))
        result[0].getprevious().append(result[0])

    project.edit(change)
    project.again()
    (listed,) = project.conflicts
    assert (listed["now"], listed["author"]) == ("96.00", "张主任")
    assert not list(project.seen.body.iter(qn("w:ins"), qn("w:del")))


def test_a_number_typed_over_that_the_new_data_confirm_is_no_conflict(project: Project) -> None:
    new = lower(project.source)
    project.edit(overtype("score.total", total(new)))
    project.again(new)
    assert project.conflicts == []


def test_a_score_changed_in_word_and_then_recorded_is_no_conflict_through_the_whole_workflow(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(DEMO / "bus_subsidy", folder)
    workbook, out = folder / "数据底稿.xlsx", tmp_path / "out"

    def run() -> Path:
        data = load(workbook, out=str(out))
        result = workflow.evaluate(data)
        return workflow.deliver(data, result, workflow.draw(data, result))["评价报告"]

    report = run()
    document = Document(str(report))
    document.add_paragraph("复核补充的话。")
    overtype("score.indicators.a101.score", "1.50")(document)
    document.save(str(report))
    book = openpyxl.load_workbook(workbook)
    record = (1, "A101", 2, "1.50", "专家认为依据不足", "专家意见", "王主任", date(2025, 6, 20))
    for column, value in enumerate(record, start=1):
        book["调分记录"].cell(3, column).value = value
    book.save(workbook)
    assert run() == report
    listed = json.loads((out / CONFLICTS).read_text(encoding="utf-8"))["conflicts"]
    assert [c for c in listed if c["kind"] == "number"] == []
    assert "复核补充的话。" in Seen(report).paragraphs
    assert ("score.indicators.a101.score", "1.50") in Seen(report).fields
    problems = json.loads((out / "checks.json").read_text(encoding="utf-8"))["problems"]
    assert not [p for p in problems if p["code"].startswith("docx.")]


def test_a_property_changed_in_words_dialog_and_refreshed_there_is_listed(project: Project) -> None:
    def change(document: Any) -> None:
        bind.set_properties(document, {"score.total": "97.00"}, keep=True)
        for place in range(len(bound(document, "score.total"))):
            overtype("score.total", "97.00", place)(document)

    project.edit(change)
    project.again()
    assert {(c["kind"], c["now"]) for c in project.conflicts} == {("number", "97.00")}
    assert project.seen.properties["score.total"] == total(project.source)


def test_the_conflicts_are_listed_before_the_report_is_written(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalkit.review.refresh import Refreshed

    def full(self: Refreshed, *_: Any) -> Path:
        assert [c["kind"] for c in project.conflicts] == ["number"]
        raise OSError("disk full")

    project.edit(overtype("score.total", "95.00"))
    edited = project.report.read_bytes()
    monkeypatch.setattr(Refreshed, "save", full)
    with pytest.raises(OSError, match="disk full"):
        project.again()
    assert project.report.read_bytes() == edited


def test_text_typed_into_a_caption_number_is_listed(project: Project) -> None:
    def change(document: Any) -> None:
        runs = next(
            runs
            for code, _, runs in field_parts(document.element.body)
            if code.startswith("SEQ 表")
        )
        next(t for r in runs for t in r.iter(qn("w:t"))).text = "甲"

    project.edit(change)
    project.again()
    assert [(c["kind"], c["now"]) for c in project.conflicts] == [("field", "甲")]


def test_captions_moved_or_added_are_no_conflict(project: Project) -> None:
    def move(document: Any) -> None:
        body = document.element.body
        captions = [
            p
            for p in body.iterchildren(qn("w:p"))
            if any(c.startswith("SEQ 表") for c, _, _ in field_parts(p))
        ]
        moved = [captions[0], captions[0].getnext()]
        while tag(moved[-1]) != "tbl":
            moved.append(moved[-1].getnext())
        for node in moved:
            captions[2].addprevious(node)

    project.edit(move)
    project.again()
    assert project.conflicts == []


# --- destroyed bindings ---------------------------------------------------------------------


def unlink(document: Any, path: str = "score.total", place: int = 0) -> None:
    runs, result = bound(document, path)[place]
    for run in runs:
        if run not in result:
            run.getparent().remove(run)


def test_where_bindings_were_destroyed_the_file_stays_and_the_new_one_lies_beside(
    project: Project,
) -> None:
    project.edit(unlink)
    edited = project.report.read_bytes()
    new = lower(project.source)
    path = project.again(new)
    assert path.name == "评价报告_新.docx"
    assert project.report.read_bytes() == edited
    listed = [c for c in project.conflicts if c["kind"] == "binding"]
    assert [(c["path"], c["was"], c["new"]) for c in listed] == [
        ("score.total", total(project.source), total(new))
    ]
    again = project.again(new)
    assert again == path
    assert project.report.read_bytes() == edited
    assert not list(project.out.glob("*_人工修改_*"))


def test_when_the_destroyed_binding_is_mended_the_file_is_refreshed_again(project: Project) -> None:
    intact = project.report.read_bytes()
    project.edit(unlink)
    new = lower(project.source)
    project.again(new)
    project.report.write_bytes(intact)
    project.edit(lambda d: d.add_paragraph("补充。"))
    assert project.again(new) == project.report
    assert project.conflicts == []
    assert {text for path, text in project.seen.fields if path == "score.total"} == {total(new)}


def test_what_was_written_beside_and_then_edited_is_kept_too(project: Project) -> None:
    project.edit(unlink)
    beside = project.again(lower(project.source))
    document = Document(str(beside))
    document.add_paragraph("写在旁边那份里的话")
    document.save(str(beside))
    edited = beside.read_bytes()
    project.again(lower(project.source, by="0.7"))
    assert edited in [p.read_bytes() for p in project.out.glob("*_人工修改_*")]


def test_a_deleted_number_is_noted_and_does_no_harm(project: Project) -> None:
    def delete(document: Any) -> None:
        for run in bound(document, "funds.spent")[0][0]:
            run.getparent().remove(run)

    project.edit(delete)
    assert project.again(lower(project.source)) == project.report
    assert [(c["kind"], c["path"]) for c in project.conflicts] == [("missing", "funds.spent")]


def test_lost_properties_are_restored(project: Project) -> None:
    def lose(document: Any) -> None:
        bind.set_properties(document, {})

    project.edit(lose)
    new = lower(project.source)
    project.again(new)
    assert project.conflicts == []
    assert project.seen.properties["score.total"] == total(new)


def test_where_a_converter_lost_all_bookmarks_the_new_report_lies_beside(project: Project) -> None:
    def lose(document: Any) -> None:
        for mark in list(document.element.body.iter(qn("w:bookmarkStart"), qn("w:bookmarkEnd"))):
            mark.getparent().remove(mark)

    project.edit(lose)
    edited = project.report.read_bytes()
    beside = project.again(lower(project.source))
    assert "复核后新的扣分原因" in Seen(beside).text
    assert project.report.read_bytes() == edited
    assert [c["kind"] for c in project.conflicts] == ["foreign"]


def test_a_file_without_any_binding_is_left_alone(project: Project) -> None:
    document = Document()
    document.add_paragraph("别处写的报告")
    document.save(str(project.report))
    edited = project.report.read_bytes()
    path = project.again()
    assert path.name == "评价报告_新.docx"
    assert project.report.read_bytes() == edited
    assert [c["kind"] for c in project.conflicts] == ["foreign"]
    assert (
        total(project.source) in Seen(path).text
        or ("score.total", total(project.source)) in Seen(path).fields
    )


def test_all_bindings_survive_libreoffice(project: Project, tmp_path: Path) -> None:
    before = project.seen.fields
    (saved,) = through_libreoffice([project.report], tmp_path)
    after = Seen(saved)
    assert sorted(after.fields) == sorted(before) or set(after.fields) == set(before)
    shutil.copy(saved, project.report)
    project.again()
    assert project.conflicts == []
    assert not findings(project.report) - findings(saved)


# --- the version before, and things that go wrong -------------------------------------------


def test_the_version_before_is_kept_aside_once(project: Project) -> None:
    project.edit(lambda d: d.add_paragraph("补充。"))
    edited = project.report.read_bytes()
    project.again(lower(project.source))
    (aside,) = project.out.glob("*_人工修改_*")
    assert aside.read_bytes() == edited


def test_a_refreshed_report_is_a_base_like_any_other(project: Project) -> None:
    project.edit(lambda d: d.add_paragraph("第一次补充。"))
    project.again(lower(project.source))
    project.edit(lambda d: d.add_paragraph("第二次补充。"))
    project.again(lower(project.source, by="0.7"))
    assert {"第一次补充。", "第二次补充。"} <= set(project.seen.paragraphs)


def test_unedited_since_the_last_refresh_it_still_keeps_what_people_did_before(
    project: Project,
) -> None:
    project.edit(lambda d: d.add_paragraph("很早的补充。"))
    for by in ("0.1", "0.2", "0.3"):
        project.again(lower(project.source, by=by))
    assert "很早的补充。" in project.seen.paragraphs


def test_a_file_that_is_no_docx_any_more_is_refused_and_left(project: Project) -> None:
    project.report.write_bytes(b"PK\x03\x04 not a document")
    with pytest.raises(EvalkitError, match=r"评价报告\.docx：不是可用的 Word 文档"):
        project.again()
    assert project.report.read_bytes() == b"PK\x03\x04 not a document"


def test_without_the_last_result_nothing_is_lost_and_that_is_said(project: Project) -> None:
    project.edit(lambda d: d.add_paragraph("补充。"))
    project.edit(lambda d: paragraph(d, "评价等级").append(new_run("（人工补充的话）")))
    (project.out / result_file.FILE_NAME).unlink()
    new = lower(project.source)
    project.again(new)
    assert "补充。" in project.seen.paragraphs
    assert "（人工补充的话）" in project.seen.text
    assert [c["kind"] for c in project.conflicts] == ["record"]
    assert {text for path, text in project.seen.fields if path == "score.total"} == {total(new)}


def test_a_result_from_before_reports_were_recorded_is_no_hindrance(project: Project) -> None:
    result, run = result_file.load(project.out / result_file.FILE_NAME)
    result_file.save(
        project.out / result_file.FILE_NAME, result, {k: v for k, v in run.items() if k != "report"}
    )
    project.again(lower(project.source))
    assert not (project.out / CONFLICTS).exists()
    result, run = result_file.load(project.out / result_file.FILE_NAME)
    result_file.save(project.out / result_file.FILE_NAME, result, {"outputs": run["outputs"]})
    project.edit(lambda d: d.add_paragraph("补充。"))
    project.again()
    assert "补充。" in project.seen.paragraphs
    assert [c["kind"] for c in project.conflicts] == ["record"]


def test_while_word_holds_the_file_the_new_one_is_written_beside_and_work_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit(lambda d: d.add_paragraph("补充。"))
    replace_file = os.replace

    def locked(source: Any, target: Any) -> None:
        if Path(target) == project.report:
            raise PermissionError
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", locked)
    indicators = list(project.source.result.score.indicators)
    extra = indicators[2].model_copy(update={"code": "X903", "level3": "锁定时新增的指标"})
    new = replace(project.source, result=rescored(project.source.result, [*indicators, extra]))
    assert project.again(new).name == "评价报告_新.docx"
    monkeypatch.undo()
    assert project.again(new) == project.report
    assert any("锁定时新增的指标" in row for row in rows(project.seen, "绩效评价评分表"))
    assert "补充。" in project.seen.paragraphs
    assert project.conflicts == []


def test_a_template_reworded_between_runs_rewrites_what_nobody_touched(
    project: Project, tmp_path: Path
) -> None:
    project.edit(lambda d: d.add_paragraph("补充。"))
    template = Document(str(project.source.template))
    old = next(
        p for p in template.paragraphs if "委托" in p.text and "{{" in p.text and len(p.text) > 40
    )
    run = next(r for r in old.runs if "委托" in r.text)
    run.text = run.text.replace("委托", "书面委托", 1)
    template.save(str(tmp_path / "模板.docx"))
    project.again(replace(project.source, template=tmp_path / "模板.docx"))
    assert "书面委托" in project.seen.text
    assert "补充。" in project.seen.paragraphs
    (aside,) = project.out.glob("*_人工修改_*")
    counts = [sum("开展" in p and "委托" in p for p in seen.paragraphs)
              for seen in (project.seen, Seen(aside))]  # fmt: skip
    assert counts[0] == counts[1]


def test_a_table_with_another_column_is_taken_over_where_nobody_touched_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touch(document: Any) -> None:
        caption = paragraph(document, "佐证资料目录")
        table = next(n for n in caption.itersiblings() if tag(n) == "tbl")
        next(table.findall(qn("w:tr"))[2].iter(qn("w:p"))).append(new_run("手记"))

    project.edit(touch)
    blocks = evaluation._blocks

    def wider(*args: Any) -> Any:
        found = blocks(*args)
        old = found["evidence_table"]
        assert isinstance(old, Table)
        wide = [*old.columns, Column("新列", 3)]
        longer = [[*row, "新格"] for row in old.rows]
        found["evidence_table"] = replace(old, columns=wide, rows=longer)
        return found

    monkeypatch.setattr(evaluation, "_blocks", wider)
    project.again()
    table = rows(project.seen, "佐证资料目录")
    assert table[0].endswith("｜新列") and table[1].endswith("｜新格")
    assert "手记" in table[2] and not table[2].endswith("新格")
    assert [c["kind"] for c in project.conflicts] == ["prose"]
    assert not findings(project.report)


def test_conflicts_are_complete_and_readable_by_machines(project: Project) -> None:
    project.edit(overtype("score.total", "95.00"))
    project.edit(lambda d: unlink(d, "funds.spent"))
    done = project.source.deliver(project.out)
    data = json.loads((project.out / CONFLICTS).read_text(encoding="utf-8"))
    assert data["report"] == REPORT
    for listed in data["conflicts"]:
        assert {"kind", "place", "was", "now", "new", "author", "path", "what", "remedy"} <= set(
            listed
        )
        assert listed["what"] and listed["remedy"]
    assert len([p for p in done.problems if p.code.startswith("refresh.")]) == len(
        data["conflicts"]
    )
    assert {p.code for p in done.problems} >= {"refresh.number", "refresh.binding"}


def test_the_record_says_what_is_there(project: Project) -> None:
    project.edit(lambda d: d.add_paragraph("补充。"))
    done = lower(project.source).deliver(project.out)
    units = bind.units(Document(str(project.report)).element.body)
    assert set(units) == set(done.record["units"])
    assert done.record["pristine"] is False
    assert sha256(project.report) == sha256(done.path)


def test_a_table_of_a_thousand_rows_is_refreshed_in_linear_time(tmp_path: Path) -> None:
    source, seconds = demo(0), {}

    def listing(evidence: list[dict[str, str]]) -> Source:
        tables = {**source.result.tables, "evidence": evidence}
        return replace(source, result=source.result.model_copy(update={"tables": tables}))

    for count in (250, 1000):
        rest = {"file": "", "page": "1", "provider": "单位"}
        evidence = [{"no": f"9-{n}", "title": f"资料{n}", **rest} for n in range(count)]
        out = tmp_path / str(count)
        listing(evidence).deliver(out)
        document = Document(str(out / REPORT))
        document.add_paragraph("补充。")
        document.save(str(out / REPORT))
        changed = [row | {"title": f"{row['title']}改"} for row in evidence[:-5]]
        new = listing([*changed, {"no": "9-新", "title": "新资料", **rest}])
        begun = time.process_time()
        new.deliver(out)
        seconds[count] = time.process_time() - begun
        table = rows(Seen(out / REPORT), "佐证资料目录")
        assert len(table) == count - 5 + 2
        assert table[8].startswith("9-7｜资料7改")
        assert table[-1].startswith("9-新｜新资料")
    assert seconds[1000] < 6 * seconds[250]


def test_a_copy_of_a_paragraph_is_its_owners(project: Project) -> None:
    title = f"{project.source.result.score.indicators[3].level3}（"

    def duplicate(document: Any) -> None:
        copied = copy.deepcopy(section(document, title)[-1])
        copied.append(new_run("（抄录）"))
        document.element.body.sectPr.addprevious(new_paragraph("附：抄录如下"))
        document.element.body.sectPr.addprevious(copied)

    project.edit(duplicate)
    project.again(lower(project.source))
    (line,) = [p for p in project.seen.paragraphs if p.endswith("（抄录）")]
    assert "复核后新的扣分原因" not in line
    assert "复核后新的扣分原因" in words(section(project.seen.document, title)[-1])
    assert [c["kind"] for c in project.conflicts] == ["prose"]


def test_changes_of_scores_alone_touch_nothing_but_what_they_change(project: Project) -> None:
    """What no new data concern has the bytes it had."""
    project.edit(lambda d: d.add_paragraph("补充。"))
    before = {words(p) for p in project.seen.body.iter(qn("w:p"))}
    project.again(change_scores(project.source, Random(4)))  # noqa: S311
    after = {words(p) for p in project.seen.body.iter(qn("w:p"))}
    assert len(before - after) < 40
