"""One finished result (an adjustment, a veto, a survey) and one draft with gaps, made by hand."""

from decimal import Decimal

import pytest

from evalkit.core.expr import Term, least, when
from evalkit.core.model import (
    Adjustment,
    Basis,
    Element,
    GroupScore,
    IndicatorScore,
    Input,
    PolicyUse,
    Result,
    Scorecard,
    Trace,
)
from evalkit.core.numbers import round_to
from evalkit.core.problem import Problem

ROUNDING = PolicyUse(
    key="score.digits",
    title="指标得分小数位数",
    value=2,
    source="本机构评价工作规程第3条",
    effective="2020-01-01",
    profile="national",
)
BANDS = PolicyUse(
    key="grade.bands",
    title="评价等级",
    value=[
        {"grade": "优", "from": 90},
        {"grade": "良", "from": 80},
        {"grade": "中", "from": 60},
        {"grade": "差", "from": 0},
    ],
    source="财预〔2020〕10号第二十条",
    effective="2020-02-25",
    profile="national",
)
OVERRIDDEN = PolicyUse(
    key="rate.floor",
    title="起算完成率",
    value="70%",
    source="某县评价办法第八条",
    effective="2023-01-01",
    profile="某县",
    overrode="60%（财预〔2021〕101号）",
)
STANDARD = (
    "完成率达到目标值得满分；未达到的，按实际完成值与目标值之比乘以分值计分，四舍五入保留两位小数。"
)
PLAN = Basis(kind="实施方案", document="县城环卫一体化项目绩效评价实施方案", dated="2025年4月10日")

# code, level1, level2, level3, points, actual, target, unit
ROWS = [
    ("A101", "决策", "项目立项", "立项依据充分性", "3", "1", "1", ""),
    ("A102", "决策", "项目立项", "立项程序规范性", "3", "0.8", "1", ""),
    ("A201", "决策", "绩效目标", "绩效目标合理性", "3", "1", "1", ""),
    ("A202", "决策", "绩效目标", "绩效指标明确性", "3", "0.75", "1", ""),
    ("A301", "决策", "资金投入", "预算编制科学性", "4", "1", "1", ""),
    ("A302", "决策", "资金投入", "资金分配合理性", "4", "1", "1", ""),
    ("B101", "过程", "资金管理", "资金到位率", "4", "747.30", "747.30", "万元"),
    ("B102", "过程", "资金管理", "预算执行率", "4", "731.26", "747.30", "万元"),
    ("B103", "过程", "资金管理", "资金使用合规性", "5", "1", "1", ""),
    ("B201", "过程", "组织实施", "管理制度健全性", "3", "1", "1", ""),
    ("B202", "过程", "组织实施", "制度执行有效性", "4", "0.7", "1", ""),
    ("C101", "产出", "产出数量", "清扫保洁面积完成率", "8", "205.8", "210", "万平方米"),
    ("C102", "产出", "产出数量", "生活垃圾清运量完成率", "8", "3.42", "3.5", "万吨"),
    ("C201", "产出", "产出质量", "道路保洁质量达标率", "8", "92.5", "95", "%"),
    ("C301", "产出", "产出时效", "作业完成及时率", "6", "97", "98", "%"),
    ("C401", "产出", "产出成本", "成本节约率", "6", "1", "1", ""),
    ("D101", "效益", "项目效益", "城区环境卫生改善程度", "8", "0.9", "1", ""),
    ("D102", "效益", "项目效益", "重大环境污染事故", "6", "1", "0", "起"),
    ("D201", "效益", "满意度", "服务对象满意度", "10", "86.35", "90", "%"),
]  # fmt: skip


def indicator(row: tuple[str, ...], place: int, gap: bool = False) -> IndicatorScore:
    code, level1, level2, level3, points, actual, target, unit = row
    whole = Decimal(points)
    veto = code == "D102"
    elements: tuple[Element, ...] = ()
    if veto:
        term = when(Term.of(1), "=", 0, Term.of(points), 0)
        name = "一票否决"
    else:
        term = Term.of(points) * least(1, Term.of(actual) / Term.of(target))
        name = "比例得分" if unit else "评价要点"
    if name == "评价要点":
        elements = tuple(
            Element(
                text=f"要点{n + 1}：{level3}的有关材料齐全，程序完整，与实际情况相符",
                share=Decimal(50),
                met=Decimal(1) if n == 0 else Decimal(actual) * 2 - 1,
                finding="有县政府会议纪要、预算批复和招标文件，核对一致",
                evidence="1-1、1-2",
                cell=f"评分要点!D{place * 2 + n}",
            )
            for n in range(2)
        )
    computed = round_to(term.value, 2)
    adjustment = None
    score: Decimal | None = computed
    if code == "B103":
        score = Decimal("4.50")
        adjustment = Adjustment(
            indicator=code, computed=computed, adjusted=score, dated="2025年6月18日",
            reason="专家评审会认为抽查的 12 份凭证中有 2 份附件不全", basis="专家评审意见第3条",
            approver="李某某", cell="调分记录!A2",
        )  # fmt: skip
    if gap:
        score = None
    lost = None if score is None else whole - score
    inputs = [
        Input(
            name="实际完成值",
            value=actual,
            unit=unit,
            cell=f"指标!K{place}",
            raw=f"{actual}{unit}",
            formula="=SUM(基础数据!D4:D9)" if unit else "",
        ),
        Input(
            name="目标值", value=target, unit=unit, cell=f"指标!J{place}", raw=f"≥{target}{unit}"
        ),
    ]
    return IndicatorScore(
        code=code, level1=level1, level2=level2, level3=level3, points=whole,
        explanation=f"{level3}的情况，反映项目实施的实际效果与预期之间的差距",
        kind="定性" if name == "评价要点" else "定量",
        target=f"≥{target}{unit}", actual=f"{actual}{unit}",
        standard=STANDARD, score=score, lost=lost,
        rate=None if score is None else round_to(score / whole * 100, 2),
        reason=f"{level3}未达到预期，实际 {actual}{unit}，目标 {target}{unit}" if lost else "",
        finding="查阅月度考核表与现场核查记录，数据一致" if not gap else "",
        evidence=("3-1", "3-2"), elements=elements, adjustment=adjustment,
        gap="实际完成值待补充" if gap else "", vetoed=veto,
        trace=Trace(
            rule="proportional", rule_name=name, basis=PLAN, standard=STANDARD,
            inputs=() if gap else tuple(inputs),
            policies=(ROUNDING, OVERRIDDEN) if code == "C201" else (ROUNDING,),
            formula="" if gap else f"ROUND({term.text},2)", computed=None if gap else computed,
            limit="封顶" if actual == target else "",
            measured="" if gap else f"实际完成 {actual}{unit}，目标 {target}{unit}",
        ),
    )  # fmt: skip


def group(scores: list[IndicatorScore], level1: str, level2: str = "") -> GroupScore:
    mine = [s for s in scores if s.level1 == level1 and level2 in ("", s.level2)]
    points = sum((s.points for s in mine), Decimal(0))
    if any(s.score is None for s in mine):
        return GroupScore(level1=level1, level2=level2, points=points, score=None, rate=None)
    score = sum((s.score or Decimal(0) for s in mine), Decimal(0))
    return GroupScore(level1=level1, level2=level2, points=points, score=score,
                      rate=round_to(score / points * 100, 2))  # fmt: skip


ROBUST = {
    "robust_grades": [
        {"grade": grade, "from": f"{cut}分及以上", "draws": str(n),
         "probability": f"{n / 100:.2f}%"}
        for grade, cut, n in (("优", 90, 2119), ("良", 80, 7881), ("中", 60, 0), ("差", 0, 0))
    ],
    "robust_totals": [
        {"at": at, "share": share, "none": "0"}
        for at, share in (("87.500", "9.40"), ("88.500", "31.20"), ("89.500", "38.21"),
                          ("90.500", "17.80"), ("91.500", "3.39"))
    ],
    "robust_cuts": [
        {"at": "89.04", "named": "本次得分89.04分"}, {"at": "90", "named": "“优”的下限90分"},
    ],
}  # fmt: skip


def make_result(gaps: tuple[str, ...] = (), rows: list[tuple[str, ...]] | None = None) -> Result:
    rows = ROWS if rows is None else rows
    scores = [indicator(row, n + 4, row[0] in gaps) for n, row in enumerate(rows)]
    groups: list[GroupScore] = []
    for level1 in dict.fromkeys(s.level1 for s in scores):
        groups.append(group(scores, level1))
        twos = dict.fromkeys(s.level2 for s in scores if s.level1 == level1)
        groups += [group(scores, level1, level2) for level2 in twos]
    points = sum((s.points for s in scores), Decimal(0))
    low = sum((s.score or Decimal(0) for s in scores), Decimal(0))
    open_points = sum((s.points for s in scores if s.score is None), Decimal(0))
    done = not open_points
    card = Scorecard(
        indicators=tuple(scores), groups=tuple(groups), points=points,
        total=low if done else None, low=low, high=low + open_points,
        rate=round_to(low / points * 100, 2) if done else None,
        grade="中" if done else "",
        grade_note="发生重大环境污染事故，评价等级最高为中" if done else "", policies=(BANDS,),
    )  # fmt: skip
    values = {
        "funds.initial": Decimal("8000000"), "funds.budget": Decimal("7473000"),
        "funds.arrived": Decimal("7473000"), "funds.spent": Decimal("7312600"),
        "funds.arrival_rate": Decimal(100), "funds.execution_rate": Decimal("97.85"),
        "survey.satisfaction": Decimal("86.35"),
    }  # fmt: skip
    if gaps:
        del values["funds.spent"], values["funds.execution_rate"]
    survey = [
        ("您对路面保洁是否满意", 96, 84, 21, 6, 3, 0, "84.52%"),
        ("您对公共厕所卫生状况及开放时间是否满意", 70, 90, 30, 12, 5, 3, "80.10%"),
        ("您对垃圾清运是否及时是否满意", 120, 70, 15, 3, 2, 0, "88.95%"),
        ("您对项目总体情况是否满意", 101, 85, 18, 4, 2, 0, "86.35%"),
    ]
    answers = ("非常满意", "满意", "一般", "不满意", "非常不满意", "不了解")
    return Result(
        workflow="project_evaluation", code="621026-2024-001", name="县城环卫一体化项目",
        stage="初稿" if gaps else "终稿",
        subject={
            "code": "621026-2024-001", "name": "县城环卫一体化项目", "year": "2024",
            "department": "某县住房和城乡建设局", "unit": "某县环境卫生服务中心",
            "client": "某县财政局", "agency": "某评价咨询有限公司",
            "lead_evaluator": "张某某",
            "reviewer": "李某某", "mode": "财政评价", "base_date": "2024年12月31日",
            "report_date": "2025年6月30日", "demo": "是",
        },
        values=values, score=card,
        tables={
            "data": [
                {"indicator": "C101", "item": f"{town}清扫面积", "plan": "70", "actual": actual,
                 "unit": "万平方米", "rate": rate, "origin": "月度考核表", "evidence": "3-1"}
                for town, actual, rate in [
                    ("新宁镇", "68.60", "98.00%"), ("和盛镇", "68.6", "98.00%"),
                    ("早胜镇", "68.6", "98.00%"),
                ]
            ],
            "adjustments": [
                {"indicator": "B103", "level3": "资金使用合规性", "computed": "5.00",
                 "adjusted": "4.50", "reason": "专家评审会认为抽查的 12 份凭证中有 2 份附件不全",
                 "basis": "专家评审意见第3条", "approver": "李某某", "date": "2025年6月18日"}
            ],
            "changes": [
                {"indicator": "C301", "level3": "作业完成及时率", "field": "目标值",
                 "approved": "100%", "now": "98%", "reason": "委托方审核意见第2条",
                 "approver": "李某某", "date": "2025年5月8日"}
            ],
            "survey_questions": [
                {"question": q, **dict(zip(answers, map(str, n), strict=True)),
                 "valid": str(sum(n[:5])), "satisfaction": s}
                for q, *n, s in survey
            ],
            **({} if gaps else ROBUST),
        },
        problems=(
            Problem(severity="warning", file="数据底稿.xlsx", sheet="资金", cell="F4",
                    what="支出小于到位", remedy="请说明结余原因", indicator="B102"),
            Problem(severity="note", sheet="问卷", what="有效问卷 210 份", indicator="D201"),
        ),
    )  # fmt: skip


@pytest.fixture
def result() -> Result:
    """A 终稿: 19 indicators, one adjusted, one vetoed, a survey."""
    return make_result()


@pytest.fixture
def draft() -> Result:
    """A 初稿 whose 产出质量 and 满意度 are not known yet."""
    return make_result(gaps=("C201", "D201"))
