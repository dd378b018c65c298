from __future__ import annotations

from decimal import Decimal

import pytest
from batch_support import indicator

from evalkit.core.model import Adjustment, Element, Input
from evalkit.verify.consistency import SHORTEST, Review

LONG = "项目单位没有建立设备台账，备品备件领用没有登记，年末盘点的数量与账面不一致，责任没有落实。"


def review(outcomes):
    found = Review()
    for outcome in outcomes:
        found.add(outcome.job.title, outcome.result, outcome.file(outcome.job.report))
    return found.findings()


def kinds(outcomes):
    return [finding.kind for finding in review(outcomes)]


def parameter(name, value, cell="指标!K5"):
    return Input(name=name, value=value, cell=cell, raw=value)


def test_projects_that_agree_give_no_finding(make_outcome):
    assert (
        review(
            [
                make_outcome("1", "甲项目", indicators=[indicator()]),
                make_outcome("2", "乙项目", indicators=[indicator()]),
            ]
        )
        == []
    )


@pytest.mark.parametrize(
    ("changes", "aspect", "severity"),
    [
        ({"rule": "bands", "rule_name": "分档得分"}, "计分规则", "warning"),
        ({"points": Decimal(8), "score": Decimal("7.2")}, "分值", "note"),
        ({"inputs": (parameter("起算完成率", "60%"),)}, "评分参数", "warning"),
    ],
)
def test_one_indicator_scored_by_two_yardsticks_is_found(make_outcome, changes, aspect, severity):
    base = {"inputs": (parameter("起算完成率", "80%"),)} if aspect == "评分参数" else {}
    (finding,) = review(
        [
            make_outcome("1", "甲项目", indicators=[indicator(**base)]),
            make_outcome("2", "乙项目", indicators=[indicator(**changes)]),
        ]
    )
    assert (finding.kind, finding.severity) == ("口径不一", severity)
    assert f"的{aspect}不同" in finding.what
    assert finding.projects == ("1 甲项目", "2 乙项目")


def test_dates_and_facts_may_differ_between_projects(make_outcome):
    one = (
        parameter("目标日期", "2024-06-30"),
        parameter("实际完成值", "98", "指标!M5"),
        parameter("一标段·计划", "98", "基础数据!C5"),
    )
    two = (
        parameter("目标日期", "2024-09-30"),
        parameter("实际完成值", "91", "指标!M5"),
        parameter("二标段·计划", "91", "基础数据!C5"),
    )
    assert (
        review(
            [
                make_outcome("1", "甲项目", indicators=[indicator(inputs=one)]),
                make_outcome("2", "乙项目", indicators=[indicator(inputs=two)]),
            ]
        )
        == []
    )


def test_like_facts_with_different_marks_are_found_and_an_adjustment_is_named(make_outcome):
    changed = Adjustment(
        indicator="B101", computed=Decimal(9), adjusted=Decimal(7), reason="证据不足"
    )
    (finding,) = review(
        [
            make_outcome("1", "甲项目", indicators=[indicator()]),
            make_outcome(
                "2", "乙项目", indicators=[indicator(score=Decimal(7), adjustment=changed)]
            ),
        ]
    )
    assert finding.kind == "同况异分"
    assert "得分率 90.00%（1 甲项目）；得分率 70.00%（经调分）（2 乙项目）" in finding.what


def test_equal_shares_of_different_points_are_like_marks(make_outcome):
    found = kinds(
        [
            make_outcome("1", "甲项目", indicators=[indicator()]),
            make_outcome(
                "2", "乙项目", indicators=[indicator(points=Decimal(4), score=Decimal("3.6"))]
            ),
        ]
    )
    assert found == ["口径不一"]


def test_evaluation_points_met_in_different_degree_are_not_like_facts(make_outcome):
    def judged(met: str, score: str):
        points = (Element(text="制度健全", share=Decimal(1), met=Decimal(met)),)
        return indicator(actual="1 个要点中 1 个部分符合", elements=points, score=Decimal(score))

    assert (
        review(
            [
                make_outcome("1", "甲项目", indicators=[judged("0.5", "5")]),
                make_outcome("2", "乙项目", indicators=[judged("0.8", "8")]),
            ]
        )
        == []
    )


def test_a_gap_is_no_mark_to_compare(make_outcome):
    assert (
        review(
            [
                make_outcome("1", "甲项目", indicators=[indicator()]),
                make_outcome("2", "乙项目", indicators=[indicator(score=None)]),
            ]
        )
        == []
    )


def test_a_paragraph_carried_from_one_report_to_another_is_found(make_outcome):
    retouched = LONG.replace("，", "、").replace("台账", "台 账")
    (finding,) = review(
        [
            make_outcome("1", "甲项目", paragraphs=[LONG, "短句相同。"]),
            make_outcome("2", "乙项目", paragraphs=["短句相同。", retouched]),
            make_outcome("3", "丙项目", paragraphs=["别的话。"]),
        ]
    )
    assert finding.kind == "雷同段落"
    assert finding.projects == ("1 甲项目", "2 乙项目")
    assert finding.what == LONG


def test_what_every_report_of_a_list_says_is_a_standing_phrase(make_outcome):
    assert review([make_outcome(str(n), f"{n}号项目", paragraphs=[LONG]) for n in range(3)]) == []


def test_sentences_written_from_a_trace_may_be_alike(make_outcome):
    standard = "到位率达到百分之百得满分，每低一个百分点扣百分之五的分值，扣完为止，不设起算线。"
    text = f"本项评分标准为：{standard}"
    assert len(text) > SHORTEST
    outcomes = [
        make_outcome("1", "甲项目", indicators=[indicator(standard=standard)], paragraphs=[text]),
        make_outcome("2", "乙项目", indicators=[indicator(standard=standard)], paragraphs=[text]),
        make_outcome("3", "丙项目"),
    ]
    assert review(outcomes) == []


def test_sentences_of_the_template_may_be_alike(make_outcome, tmp_path, monkeypatch):
    import docx

    (tmp_path / "templates").mkdir()
    (tmp_path / "params" / "policy").mkdir(parents=True)
    template = docx.Document()
    template.add_paragraph(
        "根据{{ client }}的委托，评价组于{{ period }}对项目开展了评价，现将情况报告如下。"
    )
    template.save(str(tmp_path / "templates" / "ok.docx"))
    monkeypatch.chdir(tmp_path)
    text = "根据某县财政局的委托，评价组于2025年5月对项目开展了评价，现将情况报告如下。"
    outcomes = [
        make_outcome("1", "甲项目", paragraphs=[text, LONG]),
        make_outcome("2", "乙项目", paragraphs=[text, LONG]),
        make_outcome("3", "丙项目"),
    ]
    assert [finding.what for finding in review(outcomes)] == [LONG]


def test_another_projects_name_or_unit_in_a_report_is_an_error(make_outcome):
    found = review(
        [
            make_outcome(
                "1",
                "甲街道保洁项目",
                unit="某县环卫中心",
                paragraphs=["某县污水处理厂的设备运行正常。"],
            ),
            make_outcome(
                "2",
                "乙污水运维项目",
                unit="某县污水处理厂、某县排水所",
                paragraphs=["与甲街道保洁项目一致。", "某县污水处理厂自查。"],
            ),
        ]
    )
    assert [(f.kind, f.severity, f.projects) for f in found] == [
        ("串名", "error", ("1 甲街道保洁项目", "2 乙污水运维项目")),
        ("串名", "error", ("2 乙污水运维项目", "1 甲街道保洁项目")),
    ]
    assert "“某县污水处理厂”" in found[0].what
    assert "某县污水处理厂的设备运行正常" in found[0].where


def test_a_unit_whose_name_contains_anothers_is_itself_only(make_outcome):
    outcomes = [
        make_outcome("1", "甲类补助项目", unit="某县教育局", paragraphs=["某县教育局负责实施。"]),
        make_outcome(
            "2",
            "乙类补助项目",
            unit="某县教育局教师中心",
            paragraphs=["某县教育局教师中心负责实施。"],
        ),
    ]
    assert review(outcomes) == []


def test_a_longer_foreign_unit_is_found_although_it_begins_like_ones_own(make_outcome):
    outcomes = [
        make_outcome(
            "1", "甲类补助项目", unit="某县教育局", paragraphs=["某县教育局教师中心负责实施。"]
        ),
        make_outcome("2", "乙类补助项目", unit="某县教育局教师中心"),
    ]
    assert kinds(outcomes) == ["串名"]


def test_a_department_client_or_provider_of_ones_own_is_no_foreign_name(make_outcome):
    others = ("某县住建局", "某县财政局", "某县自来水公司", "某县城管局")
    text = "某县住建局核定预算，某县财政局下达，某县自来水公司提供记录，某县城管局限期整改。"
    outcomes = [
        make_outcome(
            "1",
            "甲街道保洁项目",
            unit="某县环卫中心",
            paragraphs=[text],
            subject={"department": "某县住建局", "client": "某县财政局"},
            tables={
                "evidence": [{"provider": "某县自来水公司"}],
                "issues": [{"responsible": "某县环卫中心、某县城管局"}],
            },
        ),
        *(make_outcome(str(n), f"第{n}号其他项目", unit=unit) for n, unit in enumerate(others, 2)),
    ]
    assert review(outcomes) == []


def test_names_inside_tables_are_seen_and_patterns_in_names_are_only_text(make_outcome):
    import docx

    one = make_outcome("1", "甲街道保洁项目")
    path = one.folder / "评价报告.docx"
    report = docx.Document()
    report.add_table(1, 1).rows[0].cells[0].text = "见乙.*项目(二期)"
    report.save(str(path))
    two = make_outcome("2", "乙.*项目(二期)", paragraphs=["乙某某项目二期"])
    assert kinds([one, two]) == ["串名"]


def test_a_report_that_cannot_be_opened_is_said(make_outcome):
    one = make_outcome("1", "甲项目", paragraphs=[LONG])
    (one.folder / "评价报告.docx").write_bytes(b"not a docx")
    (finding,) = review([one, make_outcome("2", "乙项目")])
    assert "打不开" in finding.what
    assert finding.projects == ("1 甲项目",)
