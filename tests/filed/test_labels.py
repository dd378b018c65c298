"""The headings of filed_form.yaml say one thing each."""

from __future__ import annotations

from collections import Counter

import pytest

from evalkit.filed.labels import SCHEMA, Labels, heading_key, money_unit
from evalkit.workbook.schema import load_schema

LABELS = Labels({})


def test_no_heading_means_two_fields_of_one_table():
    for sheet in load_schema(SCHEMA).sheets:
        names = [
            (heading_key(name), spec.id)
            for spec in sheet.fields
            for name in (spec.label, *spec.aliases)
            if name[0] not in "/~"
        ]
        meant = Counter(key for key, _ in set(names))
        assert not [key for key, times in meant.items() if times > 1], sheet.id


@pytest.mark.parametrize(
    ("heading", "sheets", "path"),
    [
        ("1—6月执行数", ("funds",), "funds.spent"),
        ("截至2023年7月底累计支出数（万元）", ("funds",), "funds.spent"),
        ("1-10月预算执行率（%）", ("funds",), "funds.rate"),
        ("1～7月完成情况", ("indicators",), "indicators.actual"),
        ("全年预算数（A）", ("funds",), "funds.budget"),
        ("调整后\n预算", ("funds",), "funds.budget"),
        ("★三级指标", ("indicators",), "indicators.level3"),
        ("指 标 值", ("indicators",), "indicators.target"),
        ("其中：本年财政拨款", ("items",), "items.fiscal"),
        ("（一）项目名称", ("project",), "project.name"),
        ("２.自评得分", ("indicators", "project"), "indicators.score"),
        ("自评得分", ("project", "indicators"), "project.total"),
        ("单位", ("indicators",), "indicators.unit"),
    ],
)
def test_headings_as_units_write_them(heading, sheets, path):
    label = LABELS.of(heading, *sheets)
    assert label is not None and label.path == path


@pytest.mark.parametrize(
    "heading", ["预算调整数", "资金到位及时率", "上年实际值", "2022年", "某列"]
)
def test_what_only_looks_like_a_heading_is_none(heading):
    assert LABELS.of(heading, "funds", "indicators", "project") is None


def test_a_weak_heading_yields_to_a_strong_one():
    assert LABELS.of("单位", "project", "indicators").weak
    assert not LABELS.of("预算单位", "project").weak


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("年初预算数（单位：万元）", "万元"),
        ("（元/人）", ""),
        ("支出（亿元）（B）", "亿元"),
        ("元谋县", ""),
    ],
)
def test_units_in_headings(text, unit):
    assert money_unit(text) == unit
