"""Exports of 问卷星 in all their forms, and tallies of paper forms, come out as one tidy table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xlwt
from hypothesis import given
from hypothesis import strategies as st
from survey_support import codes

from evalkit.core.problem import EvalkitError
from evalkit.survey.answers import cells_of, decoded, grouped, read, tallied

HEADS = ["序号", "提交答卷时间", "所用时间", "来源", "来源详情", "来自IP", "总分"]
# headings as real exports have them (public repositories that analyse such files, 2016–2026)
TEXT = pd.DataFrame(
    [
        ["1", "2025/5/6 10:01:02", "123秒", "微信", "N/A", "1.2.3.4(甘肃-庆阳)", "8",
         "男", "满意", "非常满意", "微信┋村广播", "其他〖邻居┋亲戚〗", "A→B", "很好"],
        ["2", "2025/5/6 10:05:00", "2分3秒", "链接", "直接访问", "1.2.3.5(甘肃-庆阳)", "9",
         "女", "(跳过)", "一般", "村广播", "(空)", "B→A", "(空)"],
        ["3", "2025/5/6 10:09:00", "1小时0分5秒", "微信", "", "1.2.3.6(陕西-西安)", "7",
         "女", "不了解", "", "(跳过)", "微信群", "(跳过)", "无"],
    ],
    columns=[*HEADS, "1、您的性别：", "2、请评价以下服务—服务态度", "2、办事效率",
             "3、您从哪里得知？", "4、您的身份（可注明）", "5、请排序", "6、您的建议："],
)  # fmt: skip


def write(path, table: pd.DataFrame, encoding: str = "utf-8"):
    if path.suffix == ".csv":
        table.to_csv(path, index=False, encoding=encoding)
    elif path.suffix == ".xlsx":
        table.to_excel(path, index=False, engine="xlsxwriter")
    else:
        book = xlwt.Workbook()
        sheet = book.add_sheet("Sheet1")
        for row, line in enumerate([list(table.columns), *table.to_numpy().tolist()]):
            for column, value in enumerate(line):
                sheet.write(row, column, value)
        book.save(str(path))
    return path


def shown(table: pd.DataFrame, question: str) -> list[tuple[str, str]]:
    rows = table[table["question"] == question]
    return list(zip(rows["respondent"], rows["option"], strict=True))


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("a.xlsx", ""), ("a.xls", ""), ("a.csv", "utf-8"), ("a.csv", "utf-8-sig"),
     ("a.csv", "gb18030")],
)  # fmt: skip
def test_every_kind_of_file_reads_the_same(tmp_path, name, encoding):
    people, table, problems = read(write(tmp_path / name, TEXT, encoding))
    assert problems == []
    assert people["respondent"].tolist() == ["1", "2", "3"]
    assert people["seconds"].tolist() == [123, 123, 3605]
    assert people["row"].tolist() == [2, 3, 4]
    assert people["ip"].tolist()[2] == "1.2.3.6(陕西-西安)"
    assert people["source"].tolist() == ["微信", "链接", "微信"]
    assert people["detail"].tolist() == ["N/A", "直接访问", ""]
    assert people["score"].tolist() == ["8", "9", "7"]
    assert shown(table, "1、您的性别：") == [("1", "男"), ("2", "女"), ("3", "女")]
    assert shown(table, "2、请评价以下服务—服务态度") == [("1", "满意"), ("3", "不了解")]
    assert shown(table, "2、办事效率") == [("1", "非常满意"), ("2", "一般")]
    assert shown(table, "5、请排序") == [("1", "A→B"), ("2", "B→A")]
    assert shown(table, "6、您的建议：") == [("1", "很好"), ("3", "无")]


def test_one_column_of_several_options_becomes_a_row_an_option(tmp_path):
    _, table, _ = read(write(tmp_path / "a.csv", TEXT))
    asked = table[table["question"] == "3、您从哪里得知？"]
    assert asked["option"].tolist() == ["微信", "村广播", "村广播"]
    assert asked["people"].tolist() == [0.5, 0.5, 1]
    assert asked["count"].tolist() == [1, 1, 1]
    assert set(table.loc[table["question"].str.startswith("2、"), "number"]) == {"2"}


def test_what_was_written_in_is_kept_apart(tmp_path):
    _, table, _ = read(write(tmp_path / "a.csv", TEXT))
    asked = table[table["question"] == "4、您的身份（可注明）"]
    assert asked[["option", "text"]].to_numpy().tolist() == [["其他", "邻居┋亲戚"], ["微信群", ""]]


CODES = pd.DataFrame(
    [
        [1, "88秒", 1, 2, 1, 0, 1, 4, "3┋1", 1],
        [2, "90秒", 2, -3, -3, -3, -3, -2, "2", 0],
        [3, "91秒", 2, 5, 0, 0, 0, 3, -3, 1],
    ],
    columns=["序号", "所用时间", "1、性别", "2、满意吗", "3、(微信)", "3、(村广播（大喇叭）)",
             "3、（其他）", "4、(第一项)", "第5题(多选)", "6、有无"],
)  # fmt: skip


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.csv"])
def test_codes_and_columns_of_0_and_1(tmp_path, name):
    people, table, problems = read(write(tmp_path / name, CODES))
    assert problems == [] and people["seconds"].tolist() == [88, 90, 91]
    assert shown(table, "1、性别") == [("1", "1"), ("2", "2"), ("3", "2")]
    assert shown(table, "2、满意吗") == [("1", "2"), ("3", "5")]
    assert shown(table, "3、多选题") == [("1", "微信"), ("1", "其他")]  # 3 ticked none
    assert table.loc[table["question"] == "3、多选题", "people"].tolist() == [0.5, 0.5]
    assert shown(table, "4、(第一项)") == [("1", "4"), ("3", "3")]  # one column: no ticks
    assert shown(table, "第5题(多选)") == [("1", "3"), ("1", "1"), ("2", "2")]
    assert shown(table, "6、有无") == [("1", "1"), ("2", "0"), ("3", "1")]


def test_ticks_may_have_their_question_before_the_option(tmp_path):
    table = pd.DataFrame(
        {"序号": [1, 2], "3、渠道（可多选）(微信)": [1, 0], "3、渠道（可多选）(广播)": [1, 1]}
    )
    _, found, _ = read(write(tmp_path / "a.csv", table))
    assert shown(found, "3、渠道（可多选）") == [("1", "微信"), ("1", "广播"), ("2", "广播")]


def test_rankings_in_columns_are_no_ticks(tmp_path):
    table = pd.DataFrame({"序号": [1, 2], "7、(安全)": [1, 2], "7、(票价)": [2, 1]})
    _, found, _ = read(write(tmp_path / "a.csv", table))
    assert set(found["question"]) == {"7、(安全)", "7、(票价)"}


def test_codes_get_their_texts_from_the_questionnaire(tmp_path):
    _, table, _ = read(write(tmp_path / "a.csv", CODES))
    book = {
        "2": {"1": "非常满意", "2": "满意", "5": "非常不满意"},
        "1、性别": {"1": "男", "2": "女"},
    }
    found = decoded(table, book)
    assert shown(found, "2、满意吗") == [("1", "满意"), ("3", "非常不满意")]
    assert shown(found, "1、性别") == [("1", "男"), ("2", "女"), ("3", "女")]
    assert shown(found, "6、有无") == shown(table, "6、有无")
    assert decoded(found, book).equals(found)


def test_a_code_that_the_questionnaire_does_not_have_is_refused(tmp_path):
    _, table, _ = read(write(tmp_path / "a.csv", CODES))
    with pytest.raises(EvalkitError) as error:
        decoded(table, {"1": {"1": "男"}, "2、满意吗": {"2": "满意"}})
    assert codes(error) == ["survey.code"] * 2
    assert str(error.value).startswith("“1、性别”的答案“2”不在选项表中")


def test_other_columns_stay_with_the_respondents(tmp_path):
    table = CODES.assign(经纬度="107.6,35.7")
    people, _, _ = read(write(tmp_path / "a.csv", table))
    assert people["经纬度"].tolist() == ["107.6,35.7"] * 3
    assert "ip" not in people and "spent" not in people


def test_without_numbers_of_respondents_their_rows_are_taken(tmp_path):
    people, table, _ = read(write(tmp_path / "a.csv", CODES.drop(columns="序号")))
    assert people["respondent"].tolist() == ["2", "3", "4"]
    assert set(table["respondent"]) == {"2", "3", "4"}


def test_a_number_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(EvalkitError) as error:
        read(write(tmp_path / "a.csv", CODES.assign(序号=[1, 1, 1])))
    assert codes(error) == ["survey.respondent"] * 2


def test_blank_rows_are_skipped_and_rows_keep_their_numbers(tmp_path):
    table = pd.concat([CODES.iloc[:1], CODES.iloc[:1].map(lambda _: None), CODES.iloc[1:]])
    people, _, _ = read(write(tmp_path / "a.xlsx", table))
    assert people["row"].tolist() == [2, 4, 5]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("123秒", 123), ("2分3秒", 123), ("2分", 120), ("2分钟", 120), ("1小时2分3秒", 3723),
     ("1时5秒", 3605), ("1天1小时", 90_000), ("45", 45), ("12.5秒", 12.5), ("2 分 3 秒", 123),
     ("0秒", 0), ("", np.nan), ("(空)", np.nan)],
)  # fmt: skip
def test_durations_become_seconds(tmp_path, text, seconds):
    people, _, problems = read(write(tmp_path / "a.xlsx", CODES.assign(所用时间=text)))
    assert people["seconds"].tolist() == pytest.approx([seconds] * 3, nan_ok=True)
    assert not problems


def test_a_duration_that_is_none_is_said_and_left_out(tmp_path):
    table = CODES.assign(所用时间=["很久", "90秒", "--"])
    people, _, problems = read(write(tmp_path / "答卷.xlsx", table))
    assert people["seconds"].tolist() == pytest.approx([np.nan, 90, np.nan], nan_ok=True)
    assert [p.code for p in problems] == ["survey.duration"] * 2
    assert str(problems[0]) == (
        "答卷.xlsx：第 2 行的所用时间“很久”不能识别，按没有用时处理——应为“123秒”或“2分3秒”的样子"
    )


def test_an_export_without_answers_is_empty_and_no_error(tmp_path):
    for name in ("a.xlsx", "a.csv"):
        people, table, problems = read(write(tmp_path / name, TEXT.iloc[:0]))
        assert (len(people), len(table), problems) == (0, 0, [])
        assert table.columns.tolist()[:3] == ["respondent", "question", "number"]


def test_answers_all_skipped_leave_respondents_without_rows(tmp_path):
    people, table, _ = read(
        write(tmp_path / "a.csv", CODES.assign(**dict.fromkeys(CODES.columns[2:], -3)))
    )
    assert (len(people), len(table)) == (3, 0)


@pytest.mark.parametrize("table", [
    pd.DataFrame({"姓名": ["张"], "2024年人数": [3]}), pd.DataFrame(), pd.DataFrame({"姓名": []}),
])  # fmt: skip
def test_a_table_without_questions_is_refused(tmp_path, table):
    with pytest.raises(EvalkitError) as error:
        read(write(tmp_path / "a.xlsx", table))
    assert codes(error) == ["survey.questions"]


def test_nothing_between_two_separators_is_no_option(tmp_path):
    ticked = ["┋", "甲┋", "┋乙", "甲┋乙┋", "〖另述〗"]
    table = pd.DataFrame({"序号": range(5), "1、渠道": ticked})
    _, found, _ = read(write(tmp_path / "a.xlsx", table))
    assert shown(found, "1、渠道") == [
        ("1", "甲"),
        ("2", "乙"),
        ("3", "甲"),
        ("3", "乙"),
        ("4", ""),
    ]
    assert found["people"].tolist() == [1, 1, 0.5, 0.5, 1] and found["text"].iloc[-1] == "另述"


def test_files_that_cannot_be_read_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "b.xlsx").write_bytes(b"no workbook")
    (tmp_path / "b.csv").write_bytes(b"")
    (tmp_path / "c.csv").write_bytes(b'a,b\n1,2,3\n"')
    for name, code in [("none.xlsx", "file.missing"), ("none.csv", "file.missing"),
                       ("b.xlsx", "file.unreadable"), ("b.csv", "file.unreadable"),
                       ("c.csv", "file.unreadable")]:  # fmt: skip
        with pytest.raises(EvalkitError) as error:
            read(tmp_path / name)
        assert codes(error) == [code], name
        assert error.value.problems[0].file == name
    with pytest.raises(EvalkitError) as error:
        read(write(tmp_path / "d.xlsx", CODES), "没有这张表")
    assert codes(error) == ["file.unreadable"]


@given(st.lists(st.lists(st.sampled_from("甲乙丙丁"), max_size=4, unique=True), max_size=12))
def test_every_respondent_adds_one_to_the_people_who_answered(tmp_path_factory, choices):
    table = pd.DataFrame({
        "序号": range(1, len(choices) + 1),
        "1、渠道": ["┋".join(ticked) or "(空)" for ticked in choices],
    })  # fmt: skip
    _, found, _ = read(write(tmp_path_factory.mktemp("law") / "a.csv", table))
    assert found["people"].sum() == pytest.approx(sum(map(bool, choices)))
    assert found["count"].sum() == sum(map(len, choices))


# tallies


def test_a_tally_by_columns_and_one_by_rows_are_the_same():
    wide = pd.DataFrame({"题目": ["1、态度", "2、效率"], "满意": [30, "12"], "一般": [5, None]})
    long = pd.DataFrame({
        "题目": ["1、态度", "1、态度", "2、效率"], "选项": ["满意", "一般", "满意"],
        "份数": [30, 5, 12.0],
    })  # fmt: skip
    assert tallied(wide).equals(tallied(long))
    assert tallied(wide)["people"].tolist() == [30, 5, 12]
    assert tallied(wide)["respondent"].eq("").all()


def test_a_tally_of_a_file_may_have_groups_and_sums(tmp_path):
    table = pd.DataFrame({"题目": ["态度"] * 2, "分组": ["甲村", "乙村"], "满意": [3, 4],
                          "不满意": [1, 0], "合计": [4, 4]})  # fmt: skip
    found = tallied(cells_of(write(tmp_path / "a.xlsx", table)))
    assert found[["group", "option", "count"]].to_numpy().tolist() == [
        ["甲村", "满意", 3], ["甲村", "不满意", 1], ["乙村", "满意", 4], ["乙村", "不满意", 0],
    ]  # fmt: skip


def test_people_who_ticked_several_options_are_counted_once():
    table = pd.DataFrame({"题目": ["渠道"], "微信": [30], "广播": [20], "答题人数": [40]})
    found = tallied(table)
    assert found["people"].tolist() == pytest.approx([24, 16])


def test_an_option_that_nobody_chose_is_no_division_by_zero():
    found = tallied(pd.DataFrame({"题目": ["态度"], "满意": [0], "一般": [0]}))
    assert found[["count", "people"]].to_numpy().tolist() == [[0, 0], [0, 0]]


def test_all_faults_of_a_tally_are_said_at_once():
    table = pd.DataFrame({
        "题目": ["甲", "乙", "丙", "丁", "丁"], "满意": [1.5, -2, 3, 4, 5],
        "一般": ["多", 3, 4, 5, 6], "合计": [None, None, 8, 9, 11],
        "答题人数": [None, None, None, 12, None],
    })  # fmt: skip
    with pytest.raises(EvalkitError) as error:
        tallied(table)
    found, said = codes(error), str(error.value)
    assert found == ["survey.count"] * 3 + ["survey.total"] * 2 + ["survey.twice"] * 2
    for name, code in (("合计", "survey.total"), ("答题人数", "survey.people")):
        with pytest.raises(EvalkitError) as error:
            tallied(pd.DataFrame({"题目": ["甲"], "满意": [3], name: ["约三人"]}))
        assert codes(error) == [code]
    assert "第 3 行“丙”的合计 8 与各选项之和 7 不符——请核对计票" in said
    assert "第 1 行“甲”中“一般”的份数“多”不是非负整数" in said
    with pytest.raises(EvalkitError) as error:
        tallied(table.iloc[3:4].drop(columns="合计"))
    assert codes(error) == ["survey.people"]


@pytest.mark.parametrize("count", ["1e20", np.inf, -1, 1.5, "１２", "三", True, "1,000"])
def test_a_count_that_is_none_is_refused(count):
    with pytest.raises(EvalkitError) as error:
        tallied(pd.DataFrame({"题目": ["甲"], "满意": pd.Series([count], dtype=object)}))
    assert codes(error) == ["survey.count"]


@pytest.mark.parametrize("people", [29, 51, 35.5, -1, "许多"])
def test_people_are_whole_and_no_fewer_than_any_option_and_no_more_than_all(people):
    table = pd.DataFrame({"题目": ["渠道"], "微信": [30], "广播": [20], "答题人数": [people]})
    with pytest.raises(EvalkitError) as error:
        tallied(table)
    assert codes(error) == ["survey.people"]
    for right in (30, 50):
        assert tallied(table.assign(答题人数=right))["people"].sum() == pytest.approx(right)


@pytest.mark.parametrize("heads", [["题目", "满意", "满意"], ["题目", "份数", "频数"],
                                   ["题目", "问题", "满意"]])  # fmt: skip
def test_columns_that_mean_the_same_are_refused_by_name(heads):
    with pytest.raises(EvalkitError, match="重复或意思相同") as error:
        tallied(pd.DataFrame([["甲", "3", "4"]], columns=heads))
    assert codes(error) == ["survey.column"]


def test_a_row_of_a_merged_cell_is_refused_and_not_counted_under_no_name():
    long = pd.DataFrame({"题目": ["甲", None], "选项": ["满意", "一般"], "份数": [3, 4]})
    with pytest.raises(EvalkitError, match="第 2 行没有题目或选项") as error:
        tallied(long)
    assert codes(error) == ["survey.blank"]
    with pytest.raises(EvalkitError) as error:
        tallied(pd.DataFrame({"题目": [None, "乙"], "满意": [3, 4], "一般": [5, 6]}))
    assert codes(error) == ["survey.blank"]


@pytest.mark.parametrize("heads", [["满意", "一般"], ["题目", "选项"], ["题目", "份数"]])
def test_a_tally_without_its_columns_is_refused(heads):
    with pytest.raises(EvalkitError) as error:
        tallied(pd.DataFrame([["1", "2"]], columns=heads))
    assert codes(error) == ["survey.tally"]


def test_an_empty_tally_is_empty():
    assert tallied(pd.DataFrame({"题目": [], "满意": []})).empty


# groups


def test_respondents_are_grouped_by_an_answer_and_tallies_keep_their_own(tmp_path):
    _, table, _ = read(write(tmp_path / "a.csv", TEXT))
    paper = tallied(pd.DataFrame({"题目": ["2、办事效率"], "分组": ["甲村"], "满意": [3]}))
    found = grouped(pd.concat([table, paper]), "2、请评价以下服务—服务态度")
    own = found.drop_duplicates(["respondent", "group"])[["respondent", "group"]]
    assert own.to_numpy().tolist() == [["1", "满意"], ["2", "未填"], ["3", "不了解"], ["", "甲村"]]
    assert len(found) == len(table) + 1


def test_grouping_by_a_question_that_nobody_answered_is_refused(tmp_path):
    _, table, _ = read(write(tmp_path / "a.csv", TEXT))
    with pytest.raises(EvalkitError) as error:
        grouped(table, "9、没有这一题")
    assert codes(error) == ["survey.question"]
