"""Every file that comes is read or refused in a sentence."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
from boards import Board, Form, self_evaluation, to_docx, to_html, to_xls, to_xlsx
from docx import Document
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from evalkit.core.problem import EvalkitError
from evalkit.filed.pages import read_pages

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def refused(path: Path, data: bytes | None = None) -> str:
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(EvalkitError) as error:
        read_pages(path)
    return error.value.problems[0].code


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("扫描.pdf", b"%PDF-1.7 ...", "filed.scan"),
        ("照片.xlsx", b"\xff\xd8\xff\xe0 JFIF", "filed.scan"),
        ("扫描.png", b"\x89PNG\r\n\x1a\n", "filed.scan"),
        ("版式.ofd", b"PK\x03\x04 OFD.xml", "filed.scan"),
        ("自评.doc", OLE + "WordDocument".encode("utf-16-le"), "filed.word"),
        ("自评.wps", b"{\\rtf1 text}", "filed.word"),
        ("全部.zip", b"PK\x03\x04 a.xlsx", "filed.packed"),
        ("全部.rar", b"Rar!\x1a\x07", "filed.packed"),
        ("表.ods", b"PK\x03\x04 content.xml", "filed.kind"),
        ("空.xlsx", b"", "filed.empty"),
        ("空.csv", b" \n ", "filed.empty"),
        ("加密.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), "file.encrypted"),
        ("说明.txt", "自评表".encode(), "filed.kind"),
        ("坏.xls", OLE + "Workbook".encode("utf-16-le") + b"\x00" * 600, "file.damaged"),
        ("坏.xlsx", b"PK\x03\x04 xl/workbook.xml", "file.kind"),
        ("坏.docx", b"PK\x03\x04 word/document.xml", "file.kind"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_content(tmp_path, name, data, code):
    assert refused(tmp_path / name, data) == code


def test_a_missing_file_is_said(tmp_path):
    assert refused(tmp_path / "无.xlsx") == "file.missing"


def test_a_word_file_with_nothing_but_pictures_is_a_scan(tmp_path):
    document, picture = Document(), io.BytesIO()
    from PIL import Image

    Image.new("RGB", (4, 4)).save(picture, "PNG")
    picture.seek(0)
    document.add_picture(picture)
    document.save(str(tmp_path / "扫描.docx"))
    assert refused(tmp_path / "扫描.docx") == "filed.scan"
    Document().save(str(tmp_path / "空.docx"))
    assert refused(tmp_path / "空.docx") == "filed.empty"


def test_a_bomb_in_word_clothes_is_refused(tmp_path):
    path = tmp_path / "大.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * (30 * 2**20))
    assert refused(path) == "file.size"


def test_a_web_page_may_claim_any_encoding(tmp_path):
    board = self_evaluation(Form())
    pages = [
        read_pages(to_html(tmp_path / f"{n}.xls", board, encoding=encoding))[0].cells
        for n, encoding in enumerate(("utf-8", "gb2312"))
    ]
    assert pages[0] == pages[1]
    wrong = (tmp_path / "0.xls").read_bytes().replace(b"charset=utf-8", b"charset=gb2312")
    (tmp_path / "2.xls").write_bytes(wrong)
    assert read_pages(tmp_path / "2.xls")[0].cells == pages[0]


def test_spans_without_end_are_cut(tmp_path):
    path = tmp_path / "大.xls"
    path.write_text(
        "<table><tr><td rowspan=99999 colspan=99999>甲</td></tr><tr><td>乙</td></tr></table>"
    )
    (page,) = read_pages(path)
    assert len(page.merged) == 2 * 256


def test_a_table_in_a_layout_table_is_a_table(tmp_path):
    path = tmp_path / "页.xls"
    path.write_text(
        "<html><body>某县财政局<table><tr><td><table><tr><td>项目名称</td><td>甲<br>乙</td></tr>"
        "</table></td></tr></table><script>var x='表'</script></body></html>", encoding="utf-8",
    )  # fmt: skip
    (page,) = read_pages(path)
    assert page.cell(1, 2).text == "甲\n乙" and page.cell(0, 1).text == "某县财政局"
    assert len(page.cells) == 3


def test_old_workbooks_keep_formats_dates_errors_and_merges(tmp_path):
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("表")
    for row, (value, shown) in enumerate(
        ((0.98, "0%"), (datetime(2023, 1, 5), "yyyy-mm-dd"), (735, "General"), (True, "General"))
    ):
        style = xlwt.XFStyle()
        style.num_format_str = shown
        sheet.write(row, 0, value, style)
    sheet.write_merge(4, 5, 0, 2, "合并")
    book.add_sheet("隐藏").write(0, 0, "旧数")
    book.get_sheet(1).visibility = 1
    book.save(str(tmp_path / "旧.et"))
    (page,) = read_pages(tmp_path / "旧.et")
    assert [page.cell(row, 1).value for row in range(1, 5)] == [
        0.98,
        datetime(2023, 1, 5),
        735,
        True,
    ]
    assert page.cell(1, 1).shown == "0%" and page.area(6, 3) == (1, 5, 3, 6)


def test_hidden_sheets_are_not_read(tmp_path):
    path = to_xlsx(
        tmp_path / "表.xlsx", self_evaluation(Form()), self_evaluation(Form(), Board("旧"))
    )
    book = openpyxl.load_workbook(path)
    book["旧"].sheet_state = "hidden"
    book.save(path)
    assert [page.title for page in read_pages(path)] == ["自评表"]


def test_all_formats_give_the_same_cells_and_merges(tmp_path):
    board = self_evaluation(Form(funds=((880, 880, 880, 10, (0.98, "0%"), 10),)))
    files = [to_xlsx(tmp_path / "a.xlsx", board), to_xls(tmp_path / "a.xls", board),
             to_html(tmp_path / "b.xls", board), to_docx(tmp_path / "a.docx", board)]  # fmt: skip
    pages = [read_pages(path)[0] for path in files]
    assert all(page.merged == pages[0].merged for page in pages)
    assert all(page.cells.keys() == pages[0].cells.keys() for page in pages)


def test_ticks_of_wingdings_and_rows_that_begin_late_in_word(tmp_path):
    document = Document()
    table = document.add_table(2, 3)
    run = table.cell(0, 0).paragraphs[0].add_run()
    for char in ("F0FC", "F0A8"):
        sign = OxmlElement("w:sym")
        sign.set(qn("w:char"), char)
        run._r.append(sign)
    row = table.rows[1]._tr
    row.remove(row.tc_lst[0])
    before = OxmlElement("w:gridBefore")
    before.set(qn("w:val"), "1")
    row.get_or_add_trPr().append(before)
    table.rows[1].cells[0].text = "乙"
    document.save(str(tmp_path / "表.docx"))
    (page,) = read_pages(tmp_path / "表.docx")
    assert page.cell(1, 1).text == "√□" and page.cell(2, 2).text == "乙"


def test_word_tables_that_changed_shape_and_text_that_was_tracked(tmp_path):
    document = Document()
    table = document.add_table(3, 3)
    cells = [[*row.cells] for row in table.rows]
    cells[0][0].merge(cells[2][0])
    cells[0][1].merge(cells[0][2])
    down = OxmlElement("w:vMerge")  # goes on from a cell that ends elsewhere
    cells[1][1]._tc.get_or_add_tcPr().append(down)
    cells[1][1].text = "丙"
    paragraph = cells[2][1].paragraphs[0]
    for tag, text in (("w:ins", "1"), ("w:del", "9"), ("w:ins", "2")):
        run = paragraph.add_run(text)._r
        change = OxmlElement(tag)
        paragraph._p.append(change)
        change.append(run)
        if tag == "w:del":
            run[0].tag = qn("w:delText")
    control, content = OxmlElement("w:sdt"), OxmlElement("w:sdtContent")
    tc = cells[2][2]._tc
    cells[2][2].text = "在控件中"
    tc.addprevious(control)
    control.append(content)
    content.append(tc)
    document.save(str(tmp_path / "表.docx"))
    (page,) = read_pages(tmp_path / "表.docx")
    assert page.area(3, 1) == (1, 1, 1, 3) and page.area(1, 3) == (2, 1, 3, 1)
    assert page.cell(2, 2).text == "丙" and page.area(2, 2) == (2, 2, 2, 2)
    assert page.cell(3, 2).text == "12" and page.cell(3, 3).text == "在控件中"
