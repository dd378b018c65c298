"""Which filed forms each business takes from a folder, and which it names and leaves."""

import pytest
from self_evaluation_forms import form, money, row

from evalkit.core.model import Datum, Source
from evalkit.scoring.findings import load_checks, run_checks

HEAD = "项目编码"  # what stands for the title of an export without one
SCORED = row(level3="数量", target="5个", actual="5个", points="10", score="10", at="9")
AIMED = row(level3="数量", target="5个", at="9")


def filed(kind: str, title: str, *rows: dict, spent: str = "", **texts: str) -> Source:
    """A form as the reader gives it: blank cells of columns that are there have an address."""
    source = form(rows, [money("年度资金总额", "", "10", spent)] if spent else [], **texts)
    named = Datum(value=kind or None, raw=title, cell="表!A1")
    return source.model_copy(
        update={"forms": {"project": source.forms["project"] | {"kind": named}}}
    )


def left(business: str, source: Source, file: str = "甲.xlsx") -> list[str]:
    seen = {**source.forms["project"], **source.tables, "file": file}
    return [f.what for f in run_checks(load_checks("filed_kinds"), {f"{business}.folder": [seen]})]


TAKEN = [
    ("self_evaluation_review", filed("自评表", "项目支出绩效自评表", SCORED)),
    ("self_evaluation_review", filed("自评表", "转移支付区域绩效自评表", AIMED)),
    ("self_evaluation_review", filed("", "", SCORED)),
    ("self_evaluation_review", filed("目标申报表", "绩效目标完成情况表", SCORED)),
    ("self_evaluation_review", filed("", "", total="95")),
    ("target_review", filed("目标申报表", "绩效目标申报表", AIMED)),
    ("target_review", filed("", "", AIMED)),
    ("target_review", filed("自评表", HEAD, row(level3="数量", target="5个", actual="4个"))),
    ("monitoring", filed("监控情况表", "绩效运行监控情况表", AIMED)),
    ("monitoring", filed("", HEAD, spent="5")),
    ("monitoring", filed("自评表", HEAD, row(level3="数量", target="5个", actual="4个"))),
    ("monitoring", filed("目标申报表", HEAD, AIMED, spent="5")),
]
LEFT = [
    ("self_evaluation_review", filed("目标申报表", "绩效目标申报表", AIMED), "目标申报表"),
    ("self_evaluation_review", filed("监控情况表", "绩效监控表", SCORED), "监控情况表"),
    ("self_evaluation_review", filed("", "", AIMED), "没有写明种类，也没有得分"),
    ("target_review", filed("自评表", "绩效自评表", SCORED), "自评表"),
    ("target_review", filed("自评表", HEAD, SCORED), "自评表"),
    ("target_review", filed("监控情况表", "绩效监控表", AIMED), "监控情况表"),
    ("monitoring", filed("自评表", "绩效自评表", SCORED, spent="5"), "自评表"),
    ("monitoring", filed("目标申报表", "绩效目标申报表", AIMED), "目标申报表"),
]


@pytest.mark.parametrize(("business", "source"), TAKEN)
def test_a_form_of_the_business_is_taken(business, source):
    assert left(business, source) == []


@pytest.mark.parametrize(("business", "source", "kind"), LEFT)
def test_a_form_of_another_kind_is_left_and_its_kind_is_said(business, source, kind):
    (said,) = left(business, source)
    assert f"（{kind}）" in said


def test_the_name_of_the_file_may_tell_the_kind():
    source = filed("自评表", HEAD, row(level3="数量", target="5个", actual="4个"), spent="5")
    assert left("monitoring", source) == []
    assert left("monitoring", source, "2024自评表.xlsx") == [
        "不是绩效监控情况表（自评表），未列入监控"
    ]
