from __future__ import annotations

import csv
import io
import tempfile
import unicodedata
from pathlib import Path

import openpyxl
import pytest
from batch_support import FILES, HEADERS, row
from hypothesis import given
from hypothesis import strategies as st

from evalkit.batch.jobs import choose, read_list
from evalkit.core.problem import EvalkitError
from evalkit.engine.notebook import declared


def refusal(path: Path) -> list[str]:
    with pytest.raises(EvalkitError) as caught:
        read_list(path)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_is_read_in_every_encoding_that_offices_use(write_list, place, encoding):
    (job,) = read_list(write_list(row("001", "某县环卫项目"), encoding=encoding))
    assert (job.row, job.code, job.name) == (2, "001", "某县环卫项目")
    assert job.workbook == (place / "数据底稿.xlsx").resolve()
    assert job.notebook == (place / "ok.ipynb").resolve()
    assert job.folder == "001_某县环卫项目"


def test_chinese_headers_and_further_parameters_are_understood(write_list):
    headers = (
        "项目编码",
        "项目名称",
        "笔记本",
        "数据底稿",
        "报告状态",
        "政策方案",
        "top",
        "ratio",
        "final",
    )
    path = write_list(
        row("1", "甲", "ok", "终稿", "national", "１２", "0.75", "是"),
        row("2", "乙", "ok", "", "", "", "", ""),
        headers=headers,
    )
    first, second = read_list(path)
    assert first.parameters == {
        "stage": "终稿",
        "profile": "national",
        "top": 12,
        "ratio": 0.75,
        "final": True,
    }
    assert second.parameters == {}


def test_the_notebook_is_given_only_what_it_declares(write_list, place):
    (job,) = read_list(write_list(row("1", "甲")))
    out = place / "输出"
    assert job.injected(out) == {
        "code": "1",
        "name": "甲",
        "workbook": str((place / "数据底稿.xlsx").resolve()),
        "out": str(out),
    }


def test_a_notebook_may_be_named_instead_of_pointed_to(write_list):
    (job,) = read_list(write_list(("1", "甲", "project_evaluation", "数据底稿.xlsx")))
    assert job.notebook.parts[-2:] == ("notebooks", "project_evaluation.ipynb")


def test_blank_rows_are_skipped_and_rows_keep_their_numbers(write_list):
    path = write_list(row("1", "甲"), ("", "", "", ""), row("2", "乙"))
    assert [job.row for job in read_list(path)] == [2, 4]


def test_an_xlsx_list_is_read_from_its_first_sheet(place):
    book = openpyxl.Workbook()
    for line in (HEADERS, row("0012", "甲"), row(13, "乙")):
        book.active.append(line)
    book.create_sheet("说明").append(["不读"])
    book.save(place / "清单.xlsx")
    assert [job.code for job in read_list(place / "清单.xlsx")] == ["0012", "13"]


@pytest.mark.parametrize(
    ("value", "number_format"), [(6.21026e20, "General"), (1.5, "General"), (12, "000000")]
)
def test_a_code_that_excel_has_spoilt_is_refused(place, value, number_format):
    book = openpyxl.Workbook()
    book.active.append(HEADERS)
    book.active.append(row(value, "甲"))
    book.active["A2"].number_format = number_format
    book.save(place / "清单.xlsx")
    (sentence,) = refusal(place / "清单.xlsx")
    assert "第 2 行" in sentence
    assert "文本格式" in sentence


def test_a_code_that_shows_an_error_is_refused_and_a_zero_is_a_code(place):
    book = openpyxl.Workbook()
    for line in (HEADERS, row("#N/A", "甲"), row(0, "乙"), row(7, "丙")):
        book.active.append(line)
    book.save(place / "清单.xlsx")
    (sentence,) = refusal(place / "清单.xlsx")
    assert "第 2 行：项目编码显示 #N/A" in sentence


def test_a_code_in_scientific_notation_is_refused_in_csv_too(write_list):
    (sentence,) = refusal(write_list(row("6.21E+20", "甲")))
    assert "科学计数" in sentence


def test_every_problem_of_a_list_is_told_at_once_with_its_row(write_list):
    path = write_list(
        row("A1", "甲"),
        row("a1", "乙"),
        row("", "丙"),
        row("4", ""),
        ("5", "戊", "ok.ipynb", "没有.xlsx"),
        ("6", "己", "没有.ipynb", "数据底稿.xlsx"),
    )
    found = refusal(path)
    for expected in (
        "第 3 行：项目编码“a1”与第 2 行重复",
        "第 4 行：项目编码为空",
        "第 5 行：项目名称为空",
        "第 6 行：找不到数据底稿“没有.xlsx”",
        "第 7 行：找不到笔记本“没有.ipynb”",
    ):
        assert any(expected in sentence for sentence in found), expected
    assert len(found) == 5


def test_an_unknown_column_is_refused_with_a_suggestion(write_list):
    path = write_list(row("1", "甲", "ok", "终稿"), headers=(*HEADERS, "stagee"))
    (sentence,) = refusal(path)
    assert "不认识的列“stagee”" in sentence
    assert "是否应为“stage”" in sentence


@pytest.mark.parametrize("header", ["x=1;print('进来了')#", "out", "__import__('os')"])
def test_a_column_that_is_no_parameter_never_reaches_the_notebook(write_list, header):
    (sentence,) = refusal(write_list(row("1", "甲", "ok", "1"), headers=(*HEADERS, header)))
    assert header in sentence


@pytest.mark.parametrize(
    ("header", "value"), [("top", "五"), ("top", "1.5"), ("ratio", "高"), ("final", "也许")]
)
def test_a_value_of_the_wrong_type_is_refused(write_list, header, value):
    (sentence,) = refusal(write_list(row("1", "甲", "ok", value), headers=(*HEADERS, header)))
    assert f"参数“{header}”的值“{value}”不是" in sentence


def test_a_stage_that_does_not_exist_is_refused(write_list):
    (sentence,) = refusal(write_list(row("1", "甲", "ok", "定稿"), headers=(*HEADERS, "stage")))
    assert "初稿、征求意见稿、送审稿、终稿" in sentence


@pytest.mark.parametrize("header", ["主管部门", "预算（万元）", "项目类型", "项目负责人", "2024年"])
def test_a_column_for_people_is_kept_for_choosing_and_never_reaches_the_notebook(
    write_list, header
):
    (job,) = read_list(write_list(row("1", "甲", "ok", "某局"), headers=(*HEADERS, header)))
    assert job.columns[unicodedata.normalize("NFKC", header)] == "某局"
    assert job.parameters == {}
    assert "某局" not in job.injected(Path("out")).values()


@pytest.mark.parametrize("header", ["报告状太", "政策方按", "报告 状态"])
def test_a_mistyped_parameter_is_no_column_for_people(write_list, header):
    (sentence,) = refusal(write_list(row("1", "甲", "ok", "终稿"), headers=(*HEADERS, header)))
    assert "不认识的列" in sentence


# --- choosing -----------------------------------------------------------------------------------

COLUMNS = (*HEADERS, "报告状态", "主管部门")


@pytest.fixture
def county(write_list):
    rows = [
        row("A-01", "甲", "ok", "初稿", "某局"),
        row("A-02", "乙", "ok", "终稿", "某局"),
        row("A-03", "丙", "ok", "初稿", "住建局"),
        row("B-01", "丁", "ok", "", "教育局 "),
        row("B*", "戊", "ok", "初稿", "教育局"),
    ]
    return read_list(write_list(*rows, headers=COLUMNS))


def codes(jobs) -> list[str]:
    return [job.code for job in jobs]


@pytest.mark.parametrize(
    ("only", "chosen"),
    [
        (["A-02"], "A-02"),
        (["a-02", "B-01"], "A-02 B-01"),
        (["A-0*"], "A-01 A-02 A-03"),
        (["?-01"], "A-01 B-01"),
        (["A-02..B-01"], "A-02 A-03 B-01"),
        (["B-01～A-02"], "A-02 A-03 B-01"),
        (["A-02 ~ A-03", "B*"], "A-02 A-03 B*"),  # a code that looks like a pattern is a code
    ],
)
def test_codes_ranges_and_patterns_choose(county, only, chosen):
    assert codes(choose(county, only)) == chosen.split()


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        (["主管部门=某局"], "A-01 A-02"),
        (["主管部门=某局", "stage=初稿"], "A-01"),
        (["报告状态=初稿", "主管部门=*局"], "A-01 A-03 B*"),
        (["主管部门=教育局"], "B-01 B*"),
        (["stage="], "B-01"),
        (["项目名称=丙"], "A-03"),
        (["notebook=ok*"], "A-01 A-02 A-03 B-01 B*"),
    ],
)
def test_every_condition_must_hold(county, where, chosen):
    assert codes(choose(county, None, where)) == chosen.split()


def test_codes_and_conditions_both_count(county):
    assert codes(choose(county, ["A-*"], ["主管部门=某局", "报告状态=终稿"])) == ["A-02"]
    assert choose(county) == county


@pytest.mark.parametrize(
    ("only", "where", "said"),
    [
        (["A-04"], [], ["清单中没有编码“A-04”——是否应为“A-0"]),
        (["A-01..C-09"], [], ["清单中没有编码“A-01..C-09”"]),
        (["A-9*"], [], ["清单中没有编码“A-9*”"]),
        (None, ["主管部们=某局"], ["看不懂筛选条件“主管部们=某局”", "是否应为“主管部门”"]),
        (None, ["主管部门"], ["应为“列名=值”"]),
        (None, ["主管部门=水利局"], ["“主管部门”一列没有“水利局”——这一列有某局、住建局、教育局"]),
        (["A-03"], ["主管部门=某局"], ["没有项目同时符合A-03，主管部门=某局"]),
        (["X"], ["部门=某", "stage=定稿"], ["编码“X”", "“部门=某”", "没有“定稿”"]),
    ],
)
def test_what_chooses_nothing_is_told(county, only, where, said):
    with pytest.raises(EvalkitError) as caught:
        choose(county, only, where)
    text = str(caught.value)
    assert all(part in text for part in said), text


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_five_thousand_rows_are_read_checked_and_chosen_from(place, write_list, kind):
    body = [row(f"{n:05}", f"第{n}号", "ok", "初稿", f"{n % 40}局") for n in range(5000)]
    path = write_list(*body, headers=COLUMNS)
    if kind == "xlsx":
        book = openpyxl.Workbook(write_only=True)
        for line in (COLUMNS, *body):
            book.create_sheet() if not book.worksheets else None
            book.worksheets[0].append(line)
        path = place / "清单.xlsx"
        book.save(path)
    listed = read_list(path)
    assert len(choose(listed, ["00000..04999"], ["主管部门=7局", "stage=初稿"])) == 125
    assert len(listed) == 5000


def test_two_projects_must_not_share_an_output_folder(write_list):
    (sentence,) = refusal(write_list(row("a", "b_c"), row("A_b", "C")))
    assert "同一个输出文件夹" in sentence


def test_a_missing_column_is_named(write_list):
    (sentence,) = refusal(write_list(("1", "甲", "ok.ipynb"), headers=HEADERS[:3]))
    assert "缺少“数据底稿”（workbook）列" in sentence


def test_a_repeated_column_is_refused(write_list):
    (sentence,) = refusal(write_list(row("1", "甲", "ok", "2"), headers=(*HEADERS, "项目编码")))
    assert "“code”出现了不止一次" in sentence


def test_cells_beyond_the_header_are_refused(write_list):
    (sentence,) = refusal(write_list(row("1", "甲", "ok", "多出来的")))
    assert "列数多于表头" in sentence


def test_a_value_under_a_blank_header_is_refused(write_list):
    (sentence,) = refusal(write_list(row("1", "甲", "ok", "无主"), headers=(*HEADERS, "")))
    assert "没有表头" in sentence


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("空.csv", b"code,name,notebook,workbook\n", "没有项目"),
        ("坏.csv", b"\xff\xff\xff", "既不是 UTF-8 也不是 GB18030"),
        ("坏.csv", b"code\0", "不是 CSV 文本"),
        ("坏.csv", b'code,"name', "CSV 格式有误"),
        ("坏.xlsx", b"not a workbook", "坏.xlsx"),
    ],
)
def test_a_file_that_is_no_list_is_refused_in_a_sentence(tmp_path, name, data, expected):
    (tmp_path / name).write_bytes(data)
    (sentence,) = refusal(tmp_path / name)
    assert expected in sentence


@pytest.mark.parametrize("name", ["没有.csv", "没有.xlsx"])
def test_a_list_that_is_not_there_is_refused_in_a_sentence(tmp_path, name):
    (sentence,) = refusal(tmp_path / name)
    assert name in sentence


def test_a_parameters_cell_is_read_without_being_run():
    source = "a: int = 1\nb = None\nc: str | None = None\nd = [1]\ne = open('x')\nf = g = True"
    assert declared(source) == {
        "a": "int",
        "b": "str",
        "c": "str",
        "d": "other",
        "e": "str",
        "f": "bool",
        "g": "bool",
    }


words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1).map(str.strip)


@given(code=words.filter(bool), name=words.filter(bool))
def test_any_code_and_name_stay_text_and_inside_the_output_folder(code, name):
    with tempfile.TemporaryDirectory() as folder:
        text = io.StringIO()
        line = [code, name, str(FILES / "ok.ipynb"), "清单.csv"]
        csv.writer(text).writerows([HEADERS, line])
        path = Path(folder, "清单.csv")
        path.write_bytes(text.getvalue().encode("utf-8-sig"))
        try:
            (job,) = read_list(path)
        except EvalkitError as error:
            assert "科学计数" in str(error)  # noqa: PT017 the one thing a code may not be
            return
    assert (job.code, job.name) == (code, name)
    assert Path(folder, job.folder).resolve().parent == Path(folder).resolve()
