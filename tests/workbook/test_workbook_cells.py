from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.numbers import plain
from evalkit.workbook.cells import (
    LONG_TEXT,
    convert,
    excel_number,
    moment,
    quantity,
    read_cell,
    yes_no,
)
from evalkit.workbook.names import clean, split_label

KINDS = [
    "text",
    "longtext",
    "code",
    "integer",
    "number",
    "amount",
    "date",
    "choice",
    "yesno",
    "value",
]


def value(content, kind="value", **options):
    datum, problems = read_cell(content, kind, **options)
    assert problems == []
    return datum.value, datum.unit, datum.bound


def fault(content, kind="value", **options):
    return [problem.code for problem in read_cell(content, kind, **options)[1]]


# cells as published by government units
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("≧735人次", ("735", "人次", "≥")),
        ("735", ("735", "", "")),
        ("≧100%", ("100", "%", "≥")),
        ("═100%", ("100", "%", "=")),
        ("98%", ("98", "%", "")),
        ("≧95%", ("95", "%", "≥")),
        ("32.1公里", ("32.1", "公里", "")),
        ("2370人", ("2370", "人", "")),
        ("0.4亿元", ("40000000", "元", "")),
        ("1.36亿元", ("136000000", "元", "")),
        ("0.1亿元", ("10000000", "元", "")),
        ("15万元", ("150000", "元", "")),
        ("89.974万元", ("899740", "元", "")),
        ("387664.62元", ("387664.62", "元", "")),
        ("3千元", ("3000", "元", "")),
        ("≤90万元", ("900000", "元", "≤")),
        ("１，２３４．５０", ("1234.5", "", "")),
        ("1，234，567元", ("1234567", "元", "")),
        ("1 234 567", ("1234567", "", "")),
        ("不低于95％", ("95", "%", "≥")),
        ("不少于３次", ("3", "次", "≥")),
        ("不超过5%", ("5", "%", "≤")),
        ("98%以上", ("98", "%", "≥")),
        ("98%及以上", ("98", "%", "≥")),
        ("30天以下", ("30", "天", "≤")),
        ("24小时以内", ("24", "小时", "≤")),
        ("＞0.5毫克/升", ("0.5", "毫克/升", ">")),
        ("<10mg/L", ("10", "mg/L", "<")),
        (">=90%", ("90", "%", "≥")),
        ("＝6次", ("6", "次", "=")),
        ("≦12.5万公里", ("12.5", "万公里", "≤")),
        ("60.89万m2", ("60.89", "万m2", "")),
        ("百分之98", ("98", "%", "")),
        ("达到100%", ("100", "%", "")),
        ("90%（含）以上", ("90", "%", "≥")),
        ("-0", ("0", "", "")),
        ("-3.5%", ("-3.5", "%", "")),
        ("3万", ("30000", "", "")),
        ("1.2E3", ("1200", "", "")),
        ("¥1,000元整", ("1000", "元", "")),
    ],
)
def test_a_real_number_is_read_with_unit_and_operator(content, expected):
    number, unit, bound = value(content)
    assert (plain(number), unit, bound) == expected


@pytest.mark.parametrize(
    "content",
    [
        "有效",
        "880/880",
        "3-5次",
        "2处未达标",
        "约30公里",
        "5至10天",
        "全市安全度汛",
        "1,23",
        "三次",
        "100个乡镇全部覆盖",
        "≥3次以下",
        "PM2.5",
        "第3批",
        "2.3.4",
        "=cmd()",
        "2024年1月1日至12月31日",
    ],
)
def test_what_is_not_one_number_stays_text(content):
    assert value(content) == (content, "", "")


@pytest.mark.parametrize(
    ("content", "day", "precision", "bound"),
    [
        ("2025-06-30", date(2025, 6, 30), "", ""),
        ("2025/6/30", date(2025, 6, 30), "", ""),
        ("2025.6.30", date(2025, 6, 30), "", ""),
        ("2025年6月30日", date(2025, 6, 30), "", ""),
        ("２０２５年６月３０日", date(2025, 6, 30), "", ""),
        ("2025 年 6 月 30 日", date(2025, 6, 30), "", ""),
        ("2025-06-30 00:00:00", date(2025, 6, 30), "", ""),
        ("2021年12月完成", date(2021, 12, 31), "month", ""),
        ("2021年12月底前完成", date(2021, 12, 31), "month", "≤"),
        ("2025年6月30日前", date(2025, 6, 30), "", "≤"),
        ("≤2024年12月31日", date(2024, 12, 31), "", "≤"),
        ("不晚于2024-12-31", date(2024, 12, 31), "", "≤"),
        ("2024年2月", date(2024, 2, 29), "month", ""),
        ("2025-06", date(2025, 6, 30), "month", ""),
        ("2021年", date(2021, 12, 31), "year", ""),
        ("2021年度", date(2021, 12, 31), "year", ""),
        ("2021年底", date(2021, 12, 31), "year", ""),
    ],
)
def test_a_date_is_read_in_every_usual_spelling(content, day, precision, bound):
    for kind in ("date", "value"):
        datum, problems = read_cell(content, kind)
        assert (datum.value, datum.precision, datum.bound) == (day, precision, bound)
        assert problems == []
        assert datum.raw == content


def test_digits_alone_are_a_date_only_where_a_date_is_asked_for():
    assert value("20250630", "date")[0] == date(2025, 6, 30)
    assert value(20250630, "date")[0] == date(2025, 6, 30)
    assert value("20250630")[0] == Decimal(20250630)
    assert value("2025.6", "date")[0] == date(2025, 6, 30)
    assert value("2025.6")[0] == Decimal("2025.6")
    assert fault(2025.1, "date") == ["type.date"]  # may have been 2025.10
    assert fault(45838, "date") == ["type.date"]


@pytest.mark.parametrize("content", ["2024-02-30", "2023年2月29日", "2025/13/1", "2025年13月"])
def test_a_date_that_does_not_exist_is_an_error(content):
    assert fault(content, "date") == ["date.impossible"]
    assert fault(content, "value") == ["date.impossible"]


def test_an_excel_date_is_a_date_and_one_shown_without_a_day_is_a_month():
    assert value(datetime(2025, 6, 30, 8, 30), "date")[0] == date(2025, 6, 30)
    datum, _ = read_cell(datetime(2021, 12, 1), "value", number_format='yyyy"年"m"月"')
    assert (datum.value, datum.precision) == (date(2021, 12, 31), "month")


@pytest.mark.parametrize("content", ["是", "有", "√", "✔", "Y", "ｙｅｓ", True])
def test_yes_in_its_usual_spellings(content):
    assert value(content, "yesno")[0] == "是"
    assert value(content, "value")[0] == "是"


@pytest.mark.parametrize("content", ["否", "无", "×", "N", "no", False])
def test_no_in_its_usual_spellings(content):
    assert value(content, "yesno")[0] == "否"


@pytest.mark.parametrize(
    ("content", "unit", "yuan"),
    [
        (285.29, "万元", "2852900"),
        ("285.29", "万元", "2852900"),
        ("15万元", "元", "150000"),
        ("1.36亿元", "万元", "136000000"),
        ("387664.62元", "万元", "387664.62"),
        (0.4, "亿元", "40000000"),
        ("12.5千元", "万元", "12500"),
        ("3百万元", "万元", "3000000"),
        ("5万", "元", "50000"),
        ("1，234.56", "元", "1234.56"),
        (0.1 + 0.2, "万元", "3000"),
        ("人民币800元", "万元", "800"),
    ],
)
def test_an_amount_is_exact_yuan(content, unit, yuan):
    number, unit_read, _ = value(content, "amount", unit=unit)
    assert (plain(number), unit_read) == (yuan, "元")


def test_binary_noise_of_excel_goes_at_fifteen_digits():
    assert excel_number(94.54000000000001) == Decimal("94.54")
    assert excel_number(0.1 + 0.2) == Decimal("0.3")
    assert excel_number(123456789012.345) == Decimal("123456789012.345")
    assert plain(excel_number(1e20)) == "1" + "0" * 20


def test_a_percent_format_makes_percent_points_and_nothing_else_does():
    datum, problems = read_cell(0.98, "value", number_format="0.00%", unit="%")
    assert (datum.value, datum.unit, datum.raw, problems) == (Decimal(98), "%", "98%", [])
    datum, problems = read_cell(0.98, "value", unit="%")
    assert (datum.value, datum.unit) == (Decimal("0.98"), "%")
    assert [(p.code, p.severity) for p in problems] == [("percent.ambiguous", "warning")]
    assert value(98, unit="%")[:2] == (Decimal(98), "%")
    assert value(0, unit="%")[0] == 0
    assert value("0.5%", unit="%")[0] == Decimal("0.5")


def test_a_unit_that_a_number_format_shows_is_read():
    assert value(15, "amount", unit="元", number_format='0.00"万元"')[0] == 150000
    assert value(735, number_format='#,##0"人次"')[:2] == (Decimal(735), "人次")
    assert value(735, number_format="0.00_ ;[Red]-0.00 ")[:2] == (Decimal(735), "")


def test_a_number_comes_in_the_unit_of_its_row():
    assert value("15万元", unit="万元")[:2] == (Decimal(15), "万元")
    assert value("3万公里", unit="公里")[:2] == (Decimal(30000), "公里")
    assert value(14.5, unit="万元")[:2] == (Decimal("14.5"), "万元")
    assert value("98", unit="百分比")[:2] == (Decimal(98), "%")
    datum, problems = read_cell("735人", "value", unit="公里")
    assert datum.unit == "人"
    assert [(p.code, p.severity) for p in problems] == [("unit.conflict", "warning")]


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        ("约30", "number", "type.number"),
        ("三十", "number", "type.number"),
        ("30.5", "integer", "type.integer"),
        ("≥3", "integer", "type.integer"),
        (2.5, "integer", "type.integer"),
        ("很多", "amount", "type.amount"),
        ("15美元", "amount", "unit.unknown"),
        (datetime(2025, 1, 1), "amount", "type.amount"),
        ("长期", "date", "type.date"),
        ("也许", "yesno", "type.yesno"),
        ("定性的", "choice", "choice.unknown"),
        ("6.21E+20", "code", "code.scientific"),
        (6.21e20, "code", "code.scientific"),
        (1234567890123456, "code", "code.scientific"),
        (datetime(2025, 3, 2), "code", "code.date"),
        (float("inf"), "number", "type.number"),
        (time(8, 30), "number", "type.number"),
    ],
)
def test_what_does_not_fit_its_type_is_an_error_and_has_no_value(content, kind, code):
    datum, problems = read_cell(content, kind, choices=("定量", "定性"))
    assert [(p.code, p.severity) for p in problems] == [(code, "error")]
    assert datum.value is None or kind == "code"


def test_a_code_stays_text_and_a_numeric_one_is_noted():
    assert value("007", "code")[0] == "007"
    assert value("Ａ１０１", "code")[0] == "A101"
    datum, problems = read_cell(7, "code")
    assert (datum.value, [(p.code, p.severity) for p in problems]) == (
        "7",
        [("code.zeros", "note")],
    )
    assert read_cell(7, "code", number_format="000")[0].value == "007"


def test_a_date_in_a_text_cell_is_warned_about():
    datum, problems = read_cell(datetime(2025, 3, 1), "text")
    assert (datum.value, [p.code for p in problems]) == ("2025-03-01", ["text.date"])


@pytest.mark.parametrize("content", ["区间线性得分", " 区间 线性得分 ", "区间线性得分　"])
def test_a_choice_tolerates_blanks_and_width(content):
    assert value(content, "choice", choices=("区间线性得分",))[0] == "区间线性得分"
    assert (
        value("比例得分(设起算线)", "choice", choices=("比例得分（设起算线）",))[0]
        == "比例得分（设起算线）"
    )


def test_an_unknown_choice_names_the_nearest():
    (problem,) = read_cell("定性分极", "choice", choices=("定性分级", "比例得分"))[1]
    assert "是否应为“定性分级”" in problem.remedy


@pytest.mark.parametrize("content", ["", "  ", "　", "/", "—", "——", "-", None])
def test_a_dash_or_a_blank_is_an_empty_cell(content):
    for kind in ("number", "amount", "date", "value", "choice", "yesno", "integer"):
        assert value(content, kind)[0] is None


def test_control_characters_are_removed_and_noted_and_nothing_else_is_lost():
    assert clean("保洁_x0007_合\x00格\r\n二") == ("保洁合格\n二", True)
    assert clean("a_xABCD_b") == ("a_xABCD_b", False)
    datum, problems = read_cell("保洁\x07", "text")
    assert (datum.value, [(p.code, p.severity) for p in problems]) == (
        "保洁",
        [("text.control", "note")],
    )


def test_a_very_long_text_is_kept_and_warned_about():
    datum, problems = read_cell("长" * 10_000, "longtext")
    assert datum.value == "长" * 10_000
    assert [(p.code, p.severity) for p in problems] == [("text.long", "warning")]
    assert fault("长" * LONG_TEXT, "longtext") == []


def test_text_that_begins_with_an_equals_sign_is_text():
    assert value("=cmd()", "text")[0] == "=cmd()"
    assert value("{{ 7*7 }}", "text")[0] == "{{ 7*7 }}"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("全年预算（万元）", ("全年预算", "万元")),
        ("全年预算 (万元) *", ("全年预算", "万元")),
        ("全年\n预算*", ("全年预算", "")),
        ("到位（单位：元）", ("到位", "元")),
        ("编号△", ("编号", "")),
        ("（一）", ("(一)", "")),
    ],
)
def test_a_header_is_a_name_and_a_unit(header, expected):
    assert split_label(header) == expected


numbers = st.decimals(
    min_value=Decimal("-1e9"), max_value=Decimal("1e9"), places=4, allow_nan=False
)
units = st.sampled_from(
    ["", "人次", "%", "万元", "元", "亿元", "公里", "万平方米", "次/年", "m2", "℃", "户"]
)
operators = st.sampled_from(
    [
        ("", ""),
        ("≥", "≥"),
        ("≧", "≥"),
        ("≤", "≤"),
        ("≦", "≤"),
        ("═", "="),
        ("＝", "="),
        ("＞", ">"),
        ("<", "<"),
        ("不低于", "≥"),
        ("不超过", "≤"),
        (">=", "≥"),
    ]
)


@given(
    numbers,
    units,
    operators,
    st.booleans(),
    st.sampled_from([",", "，", ""]),
    st.sampled_from(["", " "]),
)
def test_any_number_unit_operator_and_width_comes_back_exactly(
    number, unit, operator, wide, comma, gap
):
    digits = f"{number:,.4f}".replace(",", comma)
    if wide:
        digits = digits.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789.,%-"})
    found = quantity(f"{operator[0]}{gap}{digits}{gap}{unit}")
    assert found is not None
    assert (found.value, found.unit, found.bound) == (number, unit, operator[1])


@given(numbers, st.sampled_from([("元", 0), ("千元", 3), ("万元", 4), ("百万元", 6), ("亿元", 8)]))
def test_money_is_exact_in_every_unit(number, unit):
    assert value(f"{plain(number)}{unit[0]}", "amount")[0] == number.scaleb(unit[1])
    assert convert(convert(number, unit[0], "元"), "元", unit[0]) == number


@given(st.floats(min_value=-1e12, max_value=1e12).map(lambda x: round(x, 2)))
def test_a_money_float_of_excel_is_its_two_decimals(number):
    assert excel_number(number) == Decimal(f"{number:.2f}")


@given(
    st.dates(date(1900, 1, 1), date(2100, 12, 31)), st.sampled_from(["-", "/", "."]), st.booleans()
)
def test_any_date_comes_back(day, separator, padded):
    month, of_month = (f"{day.month:02}", f"{day.day:02}") if padded else (day.month, day.day)
    for text in (
        f"{day.year}{separator}{month}{separator}{of_month}",
        f"{day.year}年{month}月{of_month}日",
    ):
        assert moment(text).value == day


messy = st.text(
    st.sampled_from("0123456789.,，％%≥≧=-/年月日万亿元人 次以上（）EeＡx_\x00\n#"), max_size=40
)


@given(
    st.one_of(st.text(), messy), st.sampled_from(KINDS), st.sampled_from(["", "%", "万元", "人"])
)
def test_arbitrary_text_never_raises_and_raw_text_survives(text, kind, unit):
    datum, problems = read_cell(text, kind, unit=unit, choices=("是", "定量"))
    assert datum.raw == clean(text)[0]
    assert all(problem.code and problem.what for problem in problems)


@given(
    st.floats(),
    st.sampled_from(KINDS),
    st.sampled_from(["General", "0%", "yyyy-mm-dd", '0"元"', "000"]),
)
def test_arbitrary_numbers_never_raise(number, kind, number_format):
    read_cell(number, kind, unit="元", choices=("1",), number_format=number_format)


@given(st.text())
def test_yes_and_no_are_never_found_inside_other_words(text):
    assert yes_no(text + "达标") is None
