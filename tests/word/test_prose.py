# ruff: noqa: E501
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_results import ROWS, _card, _indicator, make_result

from evalkit.core.model import PolicyUse
from evalkit.ooxml.bind import unbound
from evalkit.ooxml.oxml import GAP, clean
from evalkit.report import evaluation, prose

CARD = _card({})


@pytest.mark.parametrize("place", range(len(ROWS)))
def test_an_analysis_says_points_score_rate_standard_and_evidence(place: int) -> None:
    indicator = CARD.indicators[place]
    text = unbound("".join(prose.indicator_paragraphs(indicator, place, [])))
    assert f"{indicator.points}分" in text
    assert f"得{indicator.score:.2f}分" in text
    assert f"得分率{indicator.rate:.2f}%" in text
    assert indicator.standard.rstrip("。") in text
    assert f"〔佐证{'、'.join(indicator.evidence)}〕" in text
    assert ("扣" in text.replace(indicator.standard.rstrip("。"), "")) == bool(indicator.lost)


def test_a_lost_mark_without_a_reason_is_a_gap_not_an_invention() -> None:
    row = (*ROWS[11][:-1], "")
    text = unbound(prose.indicator_paragraphs(_indicator(row), 0, [])[1])
    assert f"扣0.16分，原因是：{GAP}。" in text


def test_a_gap_gives_no_score_and_no_reason() -> None:
    paragraphs = prose.indicator_paragraphs(_indicator(ROWS[11], "实际完成值待补充"), 0, [])
    assert len(paragraphs) == 1
    assert "得分待补充" in paragraphs[0]
    assert "原因" not in paragraphs[0]


def test_wording_varies_with_the_place_and_only_with_it() -> None:
    indicator = CARD.indicators[11]
    texts = [prose.indicator_paragraphs(indicator, place, [])[1] for place in range(6)]
    assert len(set(texts)) == 3
    assert texts[:3] == texts[3:]


def test_a_veto_is_said() -> None:
    vetoed = CARD.indicators[18].model_copy(update={"vetoed": True, "score": Decimal(0)})
    assert "发生评分标准规定的否决事项" in prose.indicator_paragraphs(vetoed, 0, [])[1]


def test_a_group_with_a_gap_has_no_subtotal() -> None:
    card = _card({"C101": "实际完成值待补充"})
    group = next(g for g in card.level1() if g.level1 == "产出")
    mine = [i for i in card.indicators if i.level1 == "产出"]
    text = prose.said("group", "产出", prose.shown(group), mine)
    assert unbound(text) == "产出类指标分值40分，其中清扫保洁面积完成率待补充，小计待补充。"


def test_a_group_without_loss_says_so() -> None:
    full = [
        i.model_copy(update={"lost": Decimal(0)}) for i in CARD.indicators if i.level1 == "决策"
    ]
    text = prose.said("group", "决策", prose.shown(CARD.level1()[0]), full)
    assert text.endswith("各项指标均得满分。")


def test_money_is_in_wan_with_two_decimals_and_rates_carry_their_sign() -> None:
    fields = evaluation.printed(make_result())
    assert fields["funds.spent"] == "731.26"
    assert fields["funds.execution_rate"] == "97.85%"
    assert fields["survey.valid"] == "246"
    assert evaluation._spaces(make_result())["funds"]["change"] == "调减112.70"


def test_an_unknown_figure_is_a_gap() -> None:
    fields = evaluation._spaces(make_result().model_copy(update={"values": {}}))
    assert set(fields["funds"].values()) == {GAP, ""}


def test_a_rounding_tail_is_noted() -> None:
    rows = [{"source": s, "explanation": "", "initial": "", "budget": v, "arrived": "", "spent": ""}
            for s, v in (("甲", "33.33"), ("乙", "33.33"), ("丙", "33.33"), ("合计", "100.00"))]  # fmt: skip
    assert evaluation._funds_note(rows) == "因四舍五入存在尾差。"


@given(st.text())
def test_clean_text_is_accepted_by_xml_and_holds_no_marks(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == clean(cleaned)
    assert not any("\ue000" <= ch <= "\ue00f" or (ch < " " and ch not in "\n\t") for ch in cleaned)


def test_a_gap_is_told_without_the_cell_where_it_is() -> None:
    text = prose.indicator_paragraphs(_indicator(ROWS[11], "资金表的支出待补充（资金!G5）"), 0, [])
    assert "所需数据尚不完整（资金表的支出待补充），得分待补充" in text[0]


def test_the_satisfaction_mapping_names_its_weights_where_the_trace_has_them() -> None:
    assert prose.said("mapping", CARD.indicators, "五级均值") == "“五级均值”口径"
    use = PolicyUse(key="survey_mappings", title="满意度赋值", source="机构设定", effective="2020-01-01",
                    profile="national", value={"五级均值": ["100", "80", "60", "40", "20"]})  # fmt: skip
    last = CARD.indicators[-1]
    traced = last.model_copy(update={"trace": last.trace.model_copy(update={"policies": (use,)})})
    said = prose.said("mapping", (*CARD.indicators[:-1], traced), "五级均值")
    assert said.endswith("（从“非常满意”到“非常不满意”依次赋100、80、60、40、20分）")
