"""Files and contents that mean harm, or that are not what their name says."""

from __future__ import annotations

import io
import zipfile

import msoffcrypto.format.ooxml
import pytest

from evalkit.core.problem import EvalkitError
from evalkit.workbook import opener
from evalkit.workbook.blank import write_blank
from evalkit.workbook.reader import read


def refusal(path, schema):
    with pytest.raises(EvalkitError) as caught:
        read(path, schema)
    (problem,) = caught.value.problems
    assert problem.file == path.name
    assert problem.remedy
    return problem.what


def repacked(path, change):
    """The same package with its members passed through `change(name, data)`."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in members.items():
            new.writestr(name, change(name, data))


def test_a_missing_file_is_refused(tmp_path, mini):
    assert refusal(tmp_path / "没有.xlsx", mini) == "文件不存在"


def test_a_folder_is_refused(tmp_path, mini):
    assert "无法读取" in refusal(tmp_path, mini)


@pytest.mark.parametrize(
    "data",
    [b"", b"code,name\n1,x\n", b"PK\x03\x04 broken", b"%PDF-1.7", "编号\n".encode("gb18030")],
)
def test_a_file_that_is_no_xlsx_is_refused_by_its_content(tmp_path, mini, data):
    path = tmp_path / "假的.xlsx"
    path.write_bytes(data)
    assert refusal(path, mini) == "不是 .xlsx 工作簿"


def test_another_kind_of_zip_is_refused(tmp_path, mini):
    path = tmp_path / "文档.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    assert refusal(path, mini) == "不是 .xlsx 工作簿"


def test_an_encrypted_workbook_is_refused(lay, mini):
    path = lay()
    locked = io.BytesIO()
    msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(path.read_bytes())).encrypt("密码", locked)
    path.write_bytes(locked.getvalue())
    assert refusal(path, mini) == "文件已加密"


def test_an_old_xls_is_refused(tmp_path, mini):
    path = tmp_path / "旧的.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))
    assert "旧版" in refusal(path, mini)


def test_a_damaged_workbook_is_refused(lay, mini):
    path = lay()
    repacked(path, lambda name, data: data[: len(data) // 2] if "sheet1" in name else data)
    assert "已损坏" in refusal(path, mini)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(lay, mini, monkeypatch):
    path = lay()
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/bomb.bin", bytes(opener.RATIO_FROM + 1))
    assert path.stat().st_size < 100_000
    opened: list[str] = []
    real = zipfile.ZipFile.open
    monkeypatch.setattr(
        zipfile.ZipFile,
        "open",
        lambda self, name, *rest, **more: (
            opened.append(str(name)) or real(self, name, *rest, **more)
        ),
    )
    assert "超出正常工作簿" in refusal(path, mini)
    assert not any("bomb" in name for name in opened)


def test_a_package_of_too_many_parts_is_refused(lay, mini):
    path = lay()
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(opener.MAX_ENTRIES):
            archive.writestr(f"xl/media/{number}.bin", b"")
    assert "超出正常工作簿" in refusal(path, mini)


def test_a_merge_over_a_whole_sheet_is_refused_instead_of_filling_memory(lay, mini):
    path = lay()
    merge = b'<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells><pageMargins'
    repacked(path, lambda name, data: data.replace(b"<pageMargins", merge, 1))
    assert "范围过大" in refusal(path, mini)


def test_an_entity_bomb_is_refused(lay, mini):
    path = lay()
    entities = "".join(
        f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "lol" * 10}">' for i in range(9)
    )
    head = f"<!DOCTYPE worksheet [{entities}]><worksheet".encode()
    repacked(
        path, lambda _, data: data.replace("面积".encode(), b"&a8;").replace(b"<worksheet", head, 1)
    )
    assert "文档类型声明" in refusal(path, mini)


def test_a_cell_in_the_last_corner_costs_nothing(lay, mini):
    def corner(sheet):
        sheet["XFD1048576"] = "远"

    source = read(lay(touch={"指标": corner}), mini)  # 17 thousand million cells would not end
    assert [p.code for p in source.problems] == ["column.untitled"]


def test_two_thousand_rows_are_read(lay, mini):
    head = ["指标编号", "对象类别", *[f"问题{n}" for n in range(20)]]
    rows = [["A1", "居民", *[5] * 20] for _ in range(2000)]
    path = lay({"打分": [head, *rows]})
    assert len(read(path, mini).tables["scores"]) == 2000


HOSTILE = [
    "=cmd()",
    "=1+1",
    "+1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-2+3",
    "{{ 7*7 }}",
    "{% for x in y %}",
    "../../x",
    "http://example.com",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_written_and_read_as_that_text(tmp_path, mini, text):
    content = {
        "project": {"code": "001", "name": text, "goal": text},
        "items": [{"code": "A1", "level1": "产出", "name": text, "points": "8", "target": text}],
    }
    path = write_blank(tmp_path / "a.xlsx", mini, content)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/sheet"):
                assert b"<f>" not in archive.read(name)
                assert b"External" not in archive.read(name)
    source = read(path, mini)
    assert source.forms["project"]["name"].value == text
    row = source.tables["items"][0]
    assert (row["name"].value, row["target"].value, row["name"].formula) == (text, text, "")


def test_control_characters_in_a_file_are_removed_and_noted(tmp_path, mini):
    content = {"project": {"code": "001", "name": "保\x01洁\x0b", "goal": "x"}}
    source = read(write_blank(tmp_path / "a.xlsx", mini, content), mini)
    assert source.forms["project"]["name"].value == "保洁"
    (problem,) = [p for p in source.problems if p.code == "text.control"]
    assert (problem.severity, problem.cell) == ("note", "B4")


def test_a_cell_of_ten_thousand_characters_comes_back_whole(tmp_path, mini):
    long = "长" * 10_000
    content = {"project": {"code": "001", "goal": long}}
    source = read(write_blank(tmp_path / "a.xlsx", mini, content), mini)
    assert source.forms["project"]["goal"].value == long
    assert [p.severity for p in source.problems if p.code == "text.long"] == ["warning"]
