# ruff: noqa: E501
"""意见采纳情况表: what is read from a report, what stays with whom, what is still open."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from docx import Document
from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from openpyxl import load_workbook
from openxml_audit import OpenXmlValidator

from evalkit import cli
from evalkit.core.problem import EvalkitError, errors
from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import el, field, plain_text, run
from evalkit.review.opinions import MACHINE_AUTHOR, SHEET, TABLE, collect, undecided
from evalkit.workbook.blank import write_blank
from evalkit.workbook.manual import manual
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

SAYS = "2025-06-01T10:00:00Z"
LETTER = {"source": "来函", "unit": "某县住建局", "document": "某建函〔2025〕3号", "date": "2025-06-03",
          "opinion": "建议调整成本指标"}  # fmt: skip


def report() -> WordDocument:
    """Two chapters, a scored table with caption, the total bound in text and table."""
    document = Document()
    document.core_properties.title = "某项目支出绩效评价报告"
    document.core_properties.content_status = "征求意见稿"
    document.add_heading("基本情况", 1)
    document.add_paragraph("项目由某中心实施，覆盖全县。")
    document.add_paragraph("资金及时到位，用途合规。")
    document.add_heading("评价结论", 1)
    total = document.add_paragraph("经评价，项目得")
    total._p.extend([*field('DOCPROPERTY "score.total"', [run("94.54")]), run("分，等级为优。")])
    document.add_paragraph("表0　前一张表")
    document.add_paragraph("表1　指标得分表")
    table = document.add_table(3, 3)
    rows = (("指标", "分值", "得分"), ("到位率", "3", "3.00"), ("执行率", "4", ""))
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    score = table.rows[2].cells[2].paragraphs[0]._p
    score.extend(field('DOCPROPERTY "score.indicators.b102.score"', [run("3.91")]))
    document.add_paragraph("完。")
    values = {"score.total": "94.54", "score.indicators.b102.score": "3.91"}
    bind.set_properties(document, values)
    return document


def comment(document: WordDocument, start: object, text: str, author: str = "张三",
            end: object = None, dated: str | None = SAYS) -> object:  # fmt: skip
    """A comment over whole paragraphs."""
    note = document.comments.add_comment(text, author, "")._comment_elm
    if dated is None:
        del note.attrib[qn("w:date")]
    else:
        note.set(qn("w:date"), dated)
    first, last = start._p, (end or start)._p
    first.insert(1 if first.pPr is not None else 0, el("commentRangeStart", id=note.id))
    last.append(el("commentRangeEnd", id=note.id))
    last.append(el("r", el("commentReference", id=note.id)))
    return note


def track(kind: str, *content: object, author: str = "李四", dated: str = SAYS) -> object:
    """A tracked change around runs."""
    change = el(kind, *content, id=900, author=author, date=dated)
    for text in list(change.iter(qn("w:t"))) if kind in ("del", "moveFrom") else ():
        text.tag = qn("w:delText") if kind == "del" else text.tag
    return change


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "评价报告.docx"


def save(document: WordDocument, path: Path) -> Path:
    document.save(str(path))
    return path


def rows(table: Path) -> list[dict[str, str]]:
    """The table's rows as text."""
    found = read(table, load_schema(SHEET)).tables[SHEET]
    return [{name: datum.text for name, datum in row.items()} for row in found]


def head(page: object) -> dict[str, int]:
    return {cell.value.rstrip("*△"): cell.column for cell in page[2] if cell.value}


def fill(table: Path, number: int, **cells: str) -> None:
    """Type into the n-th row (from 1) by column title, as a person would."""
    book = load_workbook(table)
    page = book["意见采纳情况"]
    for title, text in cells.items():
        page.cell(number + 2, head(page)[title], text)
    book.save(table)


def decide(table: Path, number: int, decision: str = "采纳", reason: str = "") -> None:
    fill(table, number, 是否采纳=decision, 核实情况="已核对", 理由=reason, 修改位置="第二部分")


# --- what is read ---------------------------------------------------------------------------


def test_a_comment_comes_with_author_date_place_words_and_text(out: Path) -> None:
    document = report()
    comment(document, document.paragraphs[1], "请补充服务范围")
    done = collect(save(document, out))
    (row,) = rows(done.table)
    assert (row["source"], row["party"], row["date"]) == ("批注", "张三", "2025-06-01")
    assert row["opinion"] == "请补充服务范围"
    assert row["place"] == "基本情况"
    assert row["quoted"] == "项目由某中心实施，覆盖全县。"
    assert row["values"] == ""
    assert done.counts["新增"] == 1


def test_a_comment_over_several_paragraphs_quotes_them_all(out: Path) -> None:
    document = report()
    comment(document, document.paragraphs[1], "两段重复", end=document.paragraphs[2])
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert row["quoted"] == "项目由某中心实施，覆盖全县。\n资金及时到位，用途合规。"


def test_a_comment_on_a_bound_number_names_its_path_and_present_text(out: Path) -> None:
    document = report()
    comment(document, document.paragraphs[4], "总分有误")
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert row["values"] == "score.total＝94.54"
    assert row["quoted"] == "经评价，项目得94.54分，等级为优。"


def test_a_comment_in_a_table_names_caption_and_row(out: Path) -> None:
    document = report()
    comment(document, document.tables[0].rows[2].cells[2].paragraphs[0], "应得满分")
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert row["place"] == "评价结论／表1　指标得分表／第3行“执行率”"
    assert row["values"] == "score.indicators.b102.score＝3.91"


def test_headers_and_footers_are_read(out: Path) -> None:
    document = report()
    header = document.sections[0].header.paragraphs[0]
    header._p.append(track("ins", run("（修改稿）")))
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert (row["place"], row["opinion"]) == ("页眉", "增加“（修改稿）”")


def test_footnotes_are_read(out: Path) -> None:
    document = report()
    space = document.element.nsmap["w"]
    xml = (f'<w:footnotes xmlns:w="{space}"><w:footnote w:id="2"><w:p><w:del w:id="7" w:author="李四"'
           f' w:date="{SAYS}"><w:r><w:delText>旧注</w:delText></w:r></w:del></w:p></w:footnote>'
           "</w:footnotes>")  # fmt: skip
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, xml.encode(), document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert (row["place"], row["opinion"]) == ("脚注", "删除“旧注”")


def test_a_replaced_number_is_one_opinion_with_the_value_concerned(out: Path) -> None:
    document = report()
    paragraph = document.paragraphs[4]._p
    result = next(r for r in paragraph.iter(qn("w:r")) if plain_text(r) == "94.54")
    result.addnext(track("ins", run("96.00")))
    place = result.getnext()
    place.addprevious(track("del", result))
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert row["source"] == "修订" and row["party"] == "李四"
    assert row["opinion"] == "删除“94.54”，增加“96.00”"
    assert row["values"] == "score.total＝96.00"
    assert row["place"] == "评价结论"


def test_changes_of_two_authors_or_two_places_are_opinions_of_their_own(out: Path) -> None:
    document = report()
    p = document.paragraphs[1]._p
    p.insert(0, track("ins", run("本"), author="李四"))
    p.append(track("ins", run("又"), author="王五"))
    p.append(track("ins", run("及"), author="李四"))
    p.append(run("。"))
    p.append(track("ins", run("末"), author="李四"))
    collect(save(document, out))
    said = [(row["party"], row["opinion"]) for row in rows(out.with_name(TABLE))]
    assert said == [
        ("李四", "增加“本”"),
        ("王五", "增加“又”"),
        ("李四", "增加“及”"),
        ("李四", "增加“末”"),
    ]


def test_deleted_paragraphs_in_a_row_are_one_opinion(out: Path) -> None:
    document = report()
    for paragraph in document.paragraphs[1:3]:
        runs = list(paragraph._p.iter(qn("w:r")))
        paragraph._p.append(track("del", *runs))
        mark = el("del", id=901, author="李四", date=SAYS)
        paragraph._p.insert(0, el("pPr", el("rPr", mark)))
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert row["opinion"] == "删除“项目由某中心实施，覆盖全县。\n资金及时到位，用途合规。”"


def test_a_joined_paragraph_is_said(out: Path) -> None:
    document = report()
    mark = el("del", id=901, author="李四", date=SAYS)
    document.paragraphs[1]._p.insert(0, el("pPr", el("rPr", mark)))
    collect(save(document, out))
    assert [row["opinion"] for row in rows(out.with_name(TABLE))] == [
        "删除“分段”".replace("“", "").replace("”", "")
    ]


def test_moved_text_is_said_at_both_places(out: Path) -> None:
    document = report()
    text = list(document.paragraphs[1]._p.iter(qn("w:r")))
    document.paragraphs[1]._p.append(track("moveFrom", *text))
    document.paragraphs[-1]._p.append(track("moveTo", run("项目由某中心实施，覆盖全县。")))
    collect(save(document, out))
    said = [(row["place"], row["opinion"]) for row in rows(out.with_name(TABLE))]
    assert said == [("基本情况", "移走“项目由某中心实施，覆盖全县。”"),
                    ("评价结论", "移入“项目由某中心实施，覆盖全县。”")]  # fmt: skip


def test_a_comment_on_deleted_words_quotes_the_paragraph(out: Path) -> None:
    document = report()
    paragraph = document.paragraphs[1]
    runs = list(paragraph._p.iter(qn("w:r")))
    comment(document, paragraph, "为何删除")
    paragraph._p.insert(1, track("del", *runs))
    paragraph._p.append(run("另写。"))
    collect(save(document, out))
    said = {row["source"]: row for row in rows(out.with_name(TABLE))}
    assert said["批注"]["quoted"] == "另写。"
    assert said["修订"]["opinion"] == "删除“项目由某中心实施，覆盖全县。”"


def test_a_comment_at_a_point_quotes_the_paragraph(out: Path) -> None:
    document = report()
    note = comment(document, document.paragraphs[1], "漏了一句")
    for mark in list(document.element.iter(qn("w:commentRangeStart"), qn("w:commentRangeEnd"))):
        mark.getparent().remove(mark)
    assert note is not None
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert (row["quoted"], row["place"]) == ("项目由某中心实施，覆盖全县。", "基本情况")


def test_a_comment_that_stands_nowhere_is_not_lost(out: Path) -> None:
    document = report()
    note = document.comments.add_comment("无处安放", "张三", "")
    assert note.comment_id == 0
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert (row["opinion"], row["place"]) == ("无处安放", "报告中未定位")


def thread(document: WordDocument, replies: dict[object, object]) -> None:
    """commentsExtended: reply → the comment it answers."""
    w14 = "http://schemas.microsoft.com/office/word/2010/wordml"
    w15 = "http://schemas.microsoft.com/office/word/2012/wordml"
    ids = {}
    for number, note in enumerate((*replies, *replies.values()), 1):
        ids[note] = f"{number:08X}"
        note.p_lst[-1].set(f"{{{w14}}}paraId", ids[note])
    lines = "".join(f'<w15:commentEx w15:paraId="{ids[r]}" w15:paraIdParent="{ids[c]}" w15:done="1"/>'
                    for r, c in replies.items())  # fmt: skip
    xml = f'<w15:commentsEx xmlns:w15="{w15}">{lines}</w15:commentsEx>'
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.commentsExtended+xml"
    part = Part(PackURI("/word/commentsExtended.xml"), kind, xml.encode(), document.part.package)
    document.part.relate_to(
        part, "http://schemas.microsoft.com/office/2011/relationships/commentsExtended"
    )


def test_the_kits_own_comments_are_no_opinions_but_replies_to_them_are(out: Path) -> None:
    document = report()
    own = comment(document, document.paragraphs[4], "得分计算：…", MACHINE_AUTHOR)
    reply = comment(document, document.paragraphs[4], "分母应为全年预算", "某局")
    thread(document, {reply: own})
    collect(save(document, out))
    (row,) = rows(out.with_name(TABLE))
    assert (row["party"], row["opinion"]) == ("某局", f"（回复{MACHINE_AUTHOR}）分母应为全年预算")
    assert row["values"] == "score.total＝94.54"


@pytest.mark.parametrize("dated", [None, "", "昨天", "2025-02-31T00:00:00Z"])
def test_a_comment_without_a_sound_date_is_kept(out: Path, dated: str | None) -> None:
    document = report()
    comment(document, document.paragraphs[1], "没有日期", dated=dated)
    done = collect(save(document, out))
    again = collect(out)
    assert [row["opinion"] for row in rows(done.table)] == ["没有日期"]
    assert (again.counts["新增"], again.counts["沿用"]) == (0, 1)


def test_a_report_without_opinions_gives_an_empty_table_for_letters(out: Path) -> None:
    done = collect(save(report(), out))
    assert rows(done.table) == [] and done.counts["新增"] == 0
    assert done.document.exists()
    book = load_workbook(done.table)
    page = book["意见采纳情况"]
    page.cell(3, head(page)["来源"], "无异议")
    book.save(done.table)
    assert [row["source"] for row in rows(collect(out).table)] == ["无异议"]


# --- untrusted text -------------------------------------------------------------------------

NASTY = ["=1+1", "=HYPERLINK(\"http://x\")", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "{{ score.total }}",
         "😀 收到", "甲\tb", "<w:p/>&amp;", "_x0041_", "'单引号", "\ue002score.total\ue0039\ue004"]  # fmt: skip


def test_hostile_text_stays_text_in_both_files(out: Path) -> None:
    document = report()
    for text in NASTY:
        comment(document, document.paragraphs[1], text, author=text[:20])
    done = collect(save(document, out))
    again = collect(out)
    assert again.counts["沿用"] == len(NASTY) and again.counts["新增"] == 0
    document = report()
    comment(document, document.paragraphs[2], "=2+2", author="=3+3")  # appended in place
    done = collect(save(document, out))
    book = load_workbook(done.table)
    cells = [cell for row in book["意见采纳情况"].iter_rows(min_row=3) for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    texts = {str(cell.value) for cell in cells}
    assert {"=1+1", "=2+2", "=3+3", "{{ score.total }}", "😀 收到"} <= texts
    annex = Document(str(done.document))
    said = "\n".join(plain_text(p) for p in annex.element.body.iter(qn("w:p")))
    assert "=1+1" in said and "{{ score.total }}" in said and "😀 收到" in said
    assert not [f.code for f in bind.fields(annex.element.body) if f.path]


def test_marks_of_bound_numbers_in_typed_cells_make_no_field(out: Path) -> None:
    table = first_round(out)
    fill(
        table, 1, 理由="甲\ue002score.total\ue0039\ue004乙", 提出方="\ue002score.rate\ue0038\ue004"
    )
    annex = Document(str(collect(out).document))
    assert not [found.code for found in bind.fields(annex.element.body) if found.path]


def test_control_characters_and_a_very_long_comment_are_written(out: Path) -> None:
    document = report()
    note = comment(document, document.paragraphs[1], "长" * 40_000)
    assert note is not None
    comment(document, document.paragraphs[2], "甲\u200b\u2028乙\ufeff")
    done = collect(save(document, out))
    lengths = sorted(len(row["opinion"]) for row in rows(done.table))
    assert lengths[1] == 30_000
    assert collect(out).counts["新增"] == 0


def test_five_hundred_comments_are_read_and_carried(out: Path) -> None:
    document = report()
    for number in range(500):
        comment(
            document, document.paragraphs[1 + number % 2], f"第{number}条", author=f"人{number % 7}"
        )
    done = collect(save(document, out))
    assert done.counts["新增"] == 500
    decide(done.table, 250, "不采纳", "不符合规定")
    before = rows(done.table)[249]["opinion"]
    again = collect(out)
    assert again.counts["沿用"] == 500 and again.counts["新增"] == 0
    kept = [row for row in rows(again.table) if row["decision"]]
    assert [(row["opinion"], row["reason"]) for row in kept] == [(before, "不符合规定")]


# --- the next round -------------------------------------------------------------------------


def first_round(out: Path) -> Path:
    document = report()
    comment(document, document.paragraphs[1], "请补充服务范围")
    comment(document, document.paragraphs[4], "总分有误")
    table = collect(save(document, out)).table
    decide(table, 1, "采纳")
    decide(table, 2, "不采纳", "经复核无误")
    return table


def by_text(table: Path) -> dict[str, dict[str, str]]:
    return {row["opinion"]: row for row in rows(table)}


def test_a_decision_stays_when_the_number_it_is_about_was_refreshed(out: Path) -> None:
    table = first_round(out)
    document = Document(str(out))
    for item in bind.fields(document.element.body):
        if item.path == "score.total":
            item.put("91.20")
    again = collect(save(document, out))
    row = by_text(table)["总分有误"]
    assert (row["decision"], row["reason"], row["state"]) == ("不采纳", "经复核无误", "沿用")
    assert row["values"] == "score.total＝91.20"
    assert row["quoted"] == "经评价，项目得94.54分，等级为优。"  # what was commented on
    assert dict(again.counts) == {"新增": 0, "沿用": 2, "未答复": 0}


def test_a_decision_stays_when_the_words_around_were_rewritten(out: Path) -> None:
    table = first_round(out)
    document = Document(str(out))
    next(iter(document.paragraphs[1].runs)).text = "项目由某中心组织实施。"
    collect(save(document, out))
    assert by_text(table)["请补充服务范围"]["decision"] == "采纳"
    assert len(rows(table)) == 2


def test_a_comment_that_is_gone_keeps_its_row_and_returns_to_it(out: Path) -> None:
    table = first_round(out)
    full = out.read_bytes()
    gone = collect(save(report(), out))
    assert gone.counts["报告中已无"] == 2
    assert {row["state"] for row in rows(table)} == {"报告中已无"}
    assert by_text(table)["总分有误"]["reason"] == "经复核无误"
    out.write_bytes(full)
    assert collect(out).counts["沿用"] == 2


def test_an_edited_comment_is_a_new_row_and_the_old_one_stays(out: Path) -> None:
    table = first_round(out)
    document = report()
    comment(document, document.paragraphs[1], "请补充服务范围和人数")
    comment(document, document.paragraphs[4], "总分有误")
    done = collect(save(document, out))
    found = by_text(table)
    assert found["请补充服务范围"]["state"] == "报告中已无"
    assert found["请补充服务范围"]["decision"] == "采纳"
    assert (found["请补充服务范围和人数"]["state"], found["请补充服务范围和人数"]["decision"]) == (
        "新增",
        "",
    )
    assert dict(done.counts) == {"新增": 1, "报告中已无": 1, "沿用": 1, "未答复": 1}


def two_alike(out: Path, *places: int) -> Path:
    document = report()
    for place in places:
        comment(document, document.paragraphs[place], "请核实")
    return collect(save(document, out)).table


def test_two_like_comments_keep_apart_by_what_they_are_about(out: Path) -> None:
    table = two_alike(out, 1, 2)
    decide(table, 1, "采纳")
    decide(table, 2, "不采纳", "无依据")
    two_alike(out, 2)  # the first is gone
    said = {row["quoted"]: (row["decision"], row["state"]) for row in rows(table)}
    assert said == {
        "项目由某中心实施，覆盖全县。": ("采纳", "报告中已无"),
        "资金及时到位，用途合规。": ("不采纳", "沿用"),
    }


def test_two_like_comments_on_the_same_words_are_two_rows(out: Path) -> None:
    table = two_alike(out, 1, 1)
    assert len(rows(table)) == 2
    two_alike(out, 1, 1)
    assert [row["state"] for row in rows(table)] == ["沿用", "沿用"]


def test_a_doubtful_match_carries_no_decision(out: Path) -> None:
    table = two_alike(out, 1, 2)
    decide(table, 1, "采纳")
    decide(table, 2, "不采纳", "无依据")
    two_alike(out, 7)  # one like them, about words that neither was about
    assert [row["state"] for row in rows(table)] == ["报告中已无", "报告中已无", "新增"]
    assert rows(table)[2]["decision"] == ""


def refreshed(document: WordDocument) -> WordDocument:
    for item in bind.fields(document.element.body):
        if item.path:
            item.put("0.07")
    return document


def test_like_comments_keep_apart_though_the_numbers_near_them_were_refreshed(out: Path) -> None:
    document = report()
    comment(document, document.paragraphs[4], "请核实")
    comment(document, document.paragraphs[1], "请核实")
    table = collect(save(document, out)).table
    said = {row["quoted"]: number for number, row in enumerate(rows(table), 1)}
    decide(table, said["项目由某中心实施，覆盖全县。"], "采纳")
    decide(table, said["经评价，项目得94.54分，等级为优。"], "不采纳", "无误")
    document = refreshed(report())
    comment(document, document.paragraphs[4], "请核实")
    collect(save(document, out))
    states = {row["decision"]: row["state"] for row in rows(table)}
    assert states == {"采纳": "报告中已无", "不采纳": "沿用"}


def test_like_comments_on_two_bare_numbers_keep_apart_by_their_paths(out: Path) -> None:
    document = report()
    document.tables[0].rows[1].cells[2].text = ""
    cell = document.tables[0].rows[1].cells[2].paragraphs[0]
    cell._p.extend(field('DOCPROPERTY "score.indicators.b101.score"', [run("3.91")]))
    cells = [cell, document.tables[0].rows[2].cells[2].paragraphs[0]]
    for each in cells:
        comment(document, each, "请核实")
    table = collect(save(document, out)).table
    decide(table, 1, "采纳")
    decide(table, 2, "不采纳", "无误")
    for mark in list(document.element.iter(qn("w:commentRangeStart"), qn("w:commentRangeEnd"))):
        if mark.getparent() is cell._p:
            mark.getparent().remove(mark)
    first = document.comments._comments_elm.comment_lst[0]
    first.getparent().remove(first)
    collect(save(refreshed(document), out))
    assert [(row["decision"], row["state"]) for row in rows(table)] == [
        ("采纳", "报告中已无"),
        ("不采纳", "沿用"),
    ]


def test_rows_sorted_by_a_person_keep_their_order_and_decisions(out: Path) -> None:
    table = first_round(out)
    book = load_workbook(table)
    page = book["意见采纳情况"]
    values = [[cell.value for cell in page[n]] for n in (3, 4)]
    for n, texts in zip((4, 3), values, strict=True):
        for cell, text in zip(page[n], texts, strict=True):
            cell.value = text
    book.save(table)
    document = Document(str(out))
    comment(document, document.paragraphs[2], "新意见")
    collect(save(document, out))
    found = rows(table)
    assert [row["opinion"] for row in found] == ["总分有误", "请补充服务范围", "新意见"]
    assert [row["decision"] for row in found] == ["不采纳", "采纳", ""]
    numbers = [load_workbook(table)["意见采纳情况"].cell(n, 1).value for n in (3, 4, 5)]
    assert numbers == [1, 2, 3]


def test_what_people_added_to_the_sheet_stays(out: Path) -> None:
    table = first_round(out)
    fill(table, 3, 来源="来函", 来函单位="某县住建局", 意见="不是公式", 日期="2025-06-03")
    book = load_workbook(table)
    page = book["意见采纳情况"]
    column = len(head(page)) + 1
    page.cell(2, column, "经办人")
    page.cell(3, column, "小王")
    page.cell(3, 2).fill = copy.copy(page.cell(2, 2).fill)
    page.row_dimensions[4].height = 77
    book.create_sheet("会议记录")["A1"] = "专家会"
    book.save(table)
    document = Document(str(out))
    comment(document, document.paragraphs[2], "新意见")
    done = collect(save(document, out))
    book = load_workbook(table)
    page = book["意见采纳情况"]
    assert page.cell(3, column).value == "小王"
    assert page.row_dimensions[4].height == 77
    assert book["会议记录"]["A1"].value == "专家会"
    assert [row["source"] for row in rows(table)] == ["批注", "批注", "来函", "批注"]
    assert done.counts["人工填写"] == 1
    assert not list(out.parent.glob("*人工修改*"))


def test_a_renamed_author_is_still_the_same_opinion(out: Path) -> None:
    table = first_round(out)
    fill(table, 2, 提出方="某县财政局（张三）", 来源="专家会")
    collect(out)
    row = by_text(table)["总分有误"]
    assert (row["party"], row["source"], row["state"]) == ("某县财政局（张三）", "专家会", "沿用")


def test_a_lost_mark_is_made_up_for_by_the_content(out: Path) -> None:
    table = first_round(out)
    fill(table, 2, 标识="")
    done = collect(out)
    assert done.counts["沿用"] == 2 and done.counts["新增"] == 0
    assert by_text(table)["总分有误"]["key"]


def test_one_comment_split_into_two_rows_stays_two(out: Path) -> None:
    table = first_round(out)
    mark = rows(table)[0]["key"]
    fill(table, 3, 来源="批注", 提出方="张三", 意见="二、请说明人数", 标识=mark, 是否采纳="采纳")
    done = collect(out)
    assert done.counts["沿用"] == 3 and done.counts["新增"] == 0


def test_formulas_give_their_values_and_the_table_is_kept_aside(out: Path) -> None:
    table = first_round(out)
    fill(table, 1, 修改位置='="第"&"三"&"部分"')
    with zipfile.ZipFile(table) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = next(name for name in parts if name.endswith("sheet2.xml"))
    found = re.search(rb'<c r="N3"([^>]*)><f>(.*?)</f><v */?>(?:</v>)?</c>', parts[sheet])
    cached = (
        b'<c r="N3"' + found[1] + b' t="str"><f>' + found[2] + "</f><v>第三部分</v></c>".encode()
    )
    parts[sheet] = parts[sheet].replace(found[0], cached)
    with zipfile.ZipFile(table, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    before = table.read_bytes()
    collect(out)
    assert rows(table)[0]["revised"] == "第三部分"
    (kept,) = out.parent.glob("*人工修改*.xlsx")
    assert kept.read_bytes() == before


def test_a_locked_table_is_written_beside_and_that_copy_is_never_overwritten(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = first_round(out)
    real = os.replace

    def locked(source: object, target: object) -> None:
        if Path(str(target)) == table:
            raise PermissionError
        real(source, target)

    monkeypatch.setattr(os, "replace", locked)
    before = table.read_bytes()
    done = collect(out)
    assert done.table.name == "意见采纳情况表_新.xlsx" and table.read_bytes() == before
    assert "被占用，已写到“意见采纳情况表_新.xlsx”" in done.problems[-1].what
    decide(done.table, 1, "不采纳", "另有考虑")
    filled = done.table.read_bytes()
    collect(out)
    (kept,) = out.parent.glob("*_新_人工修改_1.xlsx")
    assert kept.read_bytes() == filled


def test_merged_cells_do_not_swallow_a_new_row(out: Path) -> None:
    table = first_round(out)
    book = load_workbook(table)
    page = book["意见采纳情况"]
    for column in (head(page)["提出方"], head(page)["状态"]):
        page.merge_cells(start_row=3, end_row=6, start_column=column, end_column=column)
    book.save(table)
    document = Document(str(out))
    comment(document, document.paragraphs[2], "新意见", "王五")
    collect(save(document, out))
    assert rows(table)[-1]["party"] == "王五"


def test_the_annex_is_kept_aside_only_when_somebody_edited_it(out: Path) -> None:
    first_round(out)
    collect(out)
    collect(out)
    assert not list(out.parent.glob("*人工修改*"))
    annex = out.with_name("意见采纳情况表.docx")
    document = Document(str(annex))
    document.paragraphs[0].add_run("（改）")
    document.save(str(annex))
    edited = annex.read_bytes()
    collect(out)
    (kept,) = out.parent.glob("*人工修改*.docx")
    assert kept.read_bytes() == edited


# --- refusals -------------------------------------------------------------------------------


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "报告.docx"
    path.write_bytes(b"no zip")
    with pytest.raises(EvalkitError, match="不是可用的 Word 文档"):
        collect(path)
    assert not path.with_name(TABLE).exists()


def test_a_table_that_cannot_be_read_is_refused_and_left_alone(out: Path) -> None:
    save(report(), out)
    table = out.with_name(TABLE)
    table.write_bytes(b"PK nonsense")
    for call in (lambda: collect(out), lambda: undecided(table)):
        with pytest.raises(EvalkitError, match="不是 .xlsx 工作簿".replace(".", "[.]")):
            call()
    assert table.read_bytes() == b"PK nonsense"


def test_a_table_without_one_of_its_columns_is_refused(out: Path) -> None:
    table = first_round(out)
    book = load_workbook(table)
    page = book["意见采纳情况"]
    page.delete_cols(head(page)["标识"])
    book.save(table)
    before = table.read_bytes()
    with pytest.raises(EvalkitError, match="缺少列：标识"):
        collect(out)
    assert table.read_bytes() == before


@pytest.mark.parametrize("spoil", ["rename", "head", "source"])
def test_a_table_whose_sheet_or_head_is_gone_is_refused_and_left_alone(
    out: Path, spoil: str
) -> None:
    table = first_round(out)
    book = load_workbook(table)
    page = book["意见采纳情况"]
    if spoil == "rename":
        page.title = "意见"
    elif spoil == "head":
        page.delete_rows(2)
    else:
        page.delete_cols(head(page)["来源"])
    book.save(table)
    before = table.read_bytes()
    with pytest.raises(EvalkitError):
        collect(out)
    assert table.read_bytes() == before


def test_an_empty_table_with_other_sheets_is_kept_aside_before_it_is_made_anew(out: Path) -> None:
    table = collect(save(report(), out)).table
    book = load_workbook(table)
    book.create_sheet("会议记录")["A1"] = "专家会"
    book.save(table)
    before = table.read_bytes()
    collect(out)
    assert table.read_bytes() == before
    document = report()
    comment(document, document.paragraphs[1], "请核实")
    collect(save(document, out))
    (kept,) = out.parent.glob("*人工修改*")
    assert kept.read_bytes() == before


# --- what is still open ---------------------------------------------------------------------


def table_of(tmp_path: Path, *entries: dict[str, str]) -> Path:
    return write_blank(tmp_path / TABLE, load_schema(SHEET), {SHEET: list(entries)})


def cells_of(table: Path, severity: str = "error") -> list[tuple[str, str, str]]:
    return [(p.sheet, p.cell, p.what) for p in undecided(table) if p.severity == severity]


def test_a_row_without_decision_is_open(tmp_path: Path) -> None:
    table = table_of(tmp_path, {"source": "批注", "party": "张三", "opinion": "请核实"})
    assert cells_of(table) == [("意见采纳情况", "L3", "是否采纳为空")]
    assert undecided(table)[0].file == TABLE


@pytest.mark.parametrize("decision", ["不采纳", "部分采纳"])
def test_what_is_not_adopted_needs_a_reason(tmp_path: Path, decision: str) -> None:
    said = {
        "source": "批注",
        "party": "张三",
        "opinion": "请核实",
        "decision": decision,
        "checked": "已核",
    }
    assert cells_of(table_of(tmp_path, said)) == [("意见采纳情况", "M3", "理由为空")]
    assert cells_of(table_of(tmp_path, said | {"reason": "无依据"})) == []


def test_what_is_adopted_needs_no_reason_but_says_what_was_checked(tmp_path: Path) -> None:
    table = table_of(
        tmp_path, {"source": "批注", "party": "张三", "opinion": "请核实", "decision": "采纳"}
    )
    assert cells_of(table) == []
    assert cells_of(table, "warning") == [("意见采纳情况", "K3", "核实情况为空")]


def test_a_letter_names_its_sender_and_day(tmp_path: Path) -> None:
    decided = {"decision": "采纳", "checked": "已核"}
    assert cells_of(table_of(tmp_path, LETTER | decided)) == []
    bare = {"source": "来函", "opinion": "建议", **decided}
    assert [cell for _, cell, _ in cells_of(table_of(tmp_path, bare))] == ["D3", "F3"]


def test_a_scan_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    decided = LETTER | {"decision": "采纳", "checked": "已核", "scan": "来函\\3号.pdf"}
    table = table_of(tmp_path, decided)
    assert cells_of(table, "warning") == [("意见采纳情况", "O3", "找不到扫描件“来函\\3号.pdf”")]
    (tmp_path / "来函").mkdir()
    (tmp_path / "来函" / "3号.pdf").write_bytes(b"")
    assert undecided(table) == []
    assert cells_of(table_of(tmp_path, decided | {"scan": "长" * 3000}), "warning")


@pytest.mark.parametrize("source", ["无异议", "逾期未反馈"])
def test_who_said_nothing_needs_no_decision_but_name_and_day(tmp_path: Path, source: str) -> None:
    whole = {"source": source, "party": "某局", "date": "2025-06-20"}
    assert undecided(table_of(tmp_path, whole)) == []
    assert [
        cell for _, cell, _ in cells_of(table_of(tmp_path, {"source": source, "opinion": "无"}))
    ] == ["C3", "F3"]


def test_an_unknown_decision_or_day_is_said_once(tmp_path: Path) -> None:
    said = {
        "source": "来函",
        "unit": "某局",
        "opinion": "建议",
        "decision": "基本采纳",
        "date": "六月底",
    }
    found = undecided(table_of(tmp_path, said))
    assert [problem.cell for problem in errors(found)] == ["F3", "L3"]
    assert "不在可选项中" in found[1].what


# --- the annex ------------------------------------------------------------------------------


@pytest.fixture
def answered(out: Path) -> Path:
    table = first_round(out)
    fill(
        table,
        3,
        来源="来函",
        来函单位="某县住建局",
        文号="某建函〔2025〕3号",
        日期="2025-06-03",
        意见="建议调整",
    )
    fill(table, 4, 来源="无异议", 提出方="某县财政局", 日期="2025-06-04")
    return collect(out).document


def test_the_annex_has_exactly_the_columns_and_all_rows(answered: Path) -> None:
    document = Document(str(answered))
    (table,) = document.tables
    texts = [[cell.text for cell in row.cells] for row in table.rows]
    assert texts[0] == ["序号", "提出方", "意见", "核实情况", "是否采纳", "理由", "修改位置"]
    assert [row[0] for row in texts[1:]] == ["1", "2", "3", "4"]
    assert texts[1][3:] == ["已核对", "采纳", "", "第二部分"]
    assert texts[3][1] == "某县住建局\n（某建函〔2025〕3号，2025年6月3日）"
    assert texts[4][1:5] == ["某县财政局\n（2025年6月4日）", "无异议", "", "—"]


def test_the_annex_names_project_and_stage_and_has_room_to_sign(answered: Path) -> None:
    document = Document(str(answered))
    assert document.paragraphs[0].text == "《某项目支出绩效评价报告（征求意见稿）》\n意见采纳情况表"
    assert (
        document.paragraphs[-1].text.startswith("主评人（签名）：")
        and "日期：" in document.paragraphs[-1].text
    )
    assert "共4条" in document.paragraphs[-2].text
    section = document.sections[0]
    assert section.page_width > section.page_height
    assert document.tables[0].rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None


def test_the_annex_is_a_sound_file_that_names_no_tool_and_no_clock(answered: Path) -> None:
    assert package.check(answered) == []
    assert list(OpenXmlValidator().validate(str(answered)).errors) == []
    with zipfile.ZipFile(answered) as archive:
        everything = b"".join(map(archive.read, archive.namelist())).lower()
    for word in (b"python", b"evalkit", str(answered.parent).lower().encode()):
        assert word not in everything
    first = answered.read_bytes()
    collect(answered.with_name("评价报告.docx"))
    assert answered.read_bytes() == first


# --- the rest -------------------------------------------------------------------------------


def test_the_command_says_how_many_are_new_and_open(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = report()
    comment(document, document.paragraphs[1], "请[bold]补充[/bold]")
    cli.comments(save(document, out))
    said = capsys.readouterr().out
    assert "新增 1 条" in said and "未答复 1 条" in said and "L3：是否采纳为空" in said


def test_the_manual_explains_every_column() -> None:
    text = manual(load_schema(SHEET))
    assert "逾期未反馈" in text and "扫描件" in text


def soffice(folder: Path, kind: str, *files: Path) -> list[Path]:
    made = folder / "made"
    profile = f"-env:UserInstallation={(folder / 'lo').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", kind, "--outdir", str(made)]
    subprocess.run([*command, *map(str, files)], check=True, capture_output=True, timeout=180)
    return [made / file.name for file in files]


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_decisions_survive_libreoffice_saving_report_and_table(out: Path) -> None:
    document = report()
    comment(document, document.paragraphs[1], "请补充服务范围")
    comment(document, document.paragraphs[1], "请补充服务范围")
    comment(document, document.paragraphs[4], "总分有误\n请复核")
    comment(document, document.tables[0].rows[2].cells[2].paragraphs[0], "=应得满分")
    document.paragraphs[2]._p.append(track("ins", run("并公开。")))
    document.paragraphs[2]._p.insert(0, track("del", run("全部")))
    table = collect(save(document, out)).table
    before = rows(table)
    for number in range(1, len(before) + 1):
        decide(table, number, "部分采纳", f"理由{number}")
    (again,) = soffice(out.parent, "docx:MS Word 2007 XML", out)
    (book,) = soffice(out.parent, "xlsx:Calc MS Excel 2007 XML", table)
    shutil.copy(again, out)
    shutil.copy(book, table)
    done = collect(out)
    assert dict(done.counts) == {"新增": 0, "沿用": 6, "未答复": 0}
    after = rows(table)
    for name in ("opinion", "party", "date", "values", "key"):
        assert [row[name] for row in after] == [row[name] for row in before], name
    assert [row["reason"] for row in after] == [f"理由{number}" for number in range(1, 7)]


def test_nested_changes_count_for_both_authors(out: Path) -> None:
    document = report()
    inner = track("del", run("新增一句"), author="王五")
    document.paragraphs[1]._p.append(track("ins", inner, author="李四"))
    collect(save(document, out))
    said = {(row["party"], row["opinion"]) for row in rows(out.with_name(TABLE))}
    assert said == {("王五", "删除“新增一句”"), ("李四", "增加“新增一句”")}


def test_two_copies_of_a_text_box_are_read_once(out: Path) -> None:
    document = report()
    space = document.element.nsmap["w"]
    box = (f'<w:txbxContent><w:p><w:ins w:id="5" w:author="李四" w:date="{SAYS}"><w:r><w:t>框内</w:t>'
           "</w:r></w:ins></w:p></w:txbxContent>")  # fmt: skip
    xml = (f'<w:r xmlns:w="{space}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
           f'<mc:AlternateContent><mc:Choice Requires="wps">{box}</mc:Choice><mc:Fallback>{box}'
           "</mc:Fallback></mc:AlternateContent></w:r>")  # fmt: skip
    document.paragraphs[1]._p.append(parse_xml(xml))
    collect(save(document, out))
    assert [row["opinion"] for row in rows(out.with_name(TABLE))] == ["增加“框内”"]
