# ruff: noqa: E501
"""A finished result with a survey, an adjustment and problems, and a draft with gaps; by hand."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from evalkit.core.model import (
    Adjustment,
    Basis,
    Element,
    GroupScore,
    IndicatorScore,
    Result,
    Scorecard,
    Trace,
)
from evalkit.core.numbers import round_to
from evalkit.report import evaluation
from evalkit.template import build as template
from evalkit.word import render

ROOT = Path(__file__).parents[2]
STYLE_FILE = ROOT / "params" / "styles" / "gbt9704.yaml"
STYLE = template.load_style(STYLE_FILE)
BODY = ROOT / "templates" / "project_evaluation.md"
PLAN = Basis(kind="实施方案", document="县城环卫一体化项目绩效评价实施方案", dated="2025年4月10日")

# code, level 1, level 2, level 3, points, score, target, actual, standard, reason
ROWS = [
    ("A101", "决策", "项目立项", "立项依据充分性", "2", "2", "", "4 个要点符合 4 个", "每符合一个要点得四分之一分值。", ""),
    ("A102", "决策", "项目立项", "立项程序规范性", "2", "2", "", "3 个要点符合 3 个", "每符合一个要点得三分之一分值。", ""),
    ("A201", "决策", "绩效目标", "绩效目标合理性", "3", "2.63", "", "4 个要点符合 3 个", "共4个要点，权重相同，部分符合的按符合程度计分。", "年初目标按上年数设定，未随作业面积增加调整，目标与资金量的对应关系只能部分成立。"),
    ("A202", "决策", "绩效目标", "绩效指标明确性", "3", "2.5", "", "3 个要点符合 2 个", "共3个要点，权重相同，部分符合的按符合程度计分。", "社会效益指标没有可以核对的指标值。"),
    ("A301", "决策", "资金投入", "预算编制科学性", "3", "3", "", "4 个要点符合 4 个", "每符合一个要点得四分之一分值。", ""),
    ("A302", "决策", "资金投入", "资金分配合理性", "2", "2", "", "2 个要点符合 2 个", "每符合一个要点得二分之一分值。", ""),
    ("B101", "过程", "资金管理", "资金到位率", "3", "3", "100%", "100%", "到位率达到100%得满分，未达到的按到位率乘以分值计分。", ""),
    ("B102", "过程", "资金管理", "预算执行率", "4", "3.91", "100%", "97.85%", "执行率达到100%得满分，未达到的按执行率乘以分值计分。", "12月份服务费16.04万元因考核结果未出，于次年1月支付。"),
    ("B103", "过程", "资金管理", "资金使用合规性", "5", "4", "", "1笔", "发现手续不完整的支出，每笔扣0.5分，扣完为止。", "1笔车辆维修费缺少验收单，金额2.86万元。"),
    ("B201", "过程", "组织实施", "管理制度健全性", "3", "3", "", "2 个要点符合 2 个", "每符合一个要点得二分之一分值。", ""),
    ("B202", "过程", "组织实施", "制度执行有效性", "5", "4.25", "", "4 个要点符合 3 个", "共4个要点，权重相同，部分符合的按符合程度计分。", "第三季度考核底稿未归档，两次人员调整没有报备。"),
    ("C101", "产出", "产出数量", "清扫保洁面积完成率", "8", "7.84", "100%", "98.05%", "完成率达到100%得满分，未达到的按完成率乘以分值计分。", "城西两条新建道路自5月起才纳入保洁，全年折算面积少1.95万平方米。"),
    ("C102", "产出", "产出数量", "生活垃圾日产日清率", "6", "6", "100%", "100%", "日产日清率达到100%得满分，每低1个百分点扣0.5分，扣完为止。", ""),
    ("C201", "产出", "产出质量", "道路保洁质量达标率", "8", "7.2", "≥90%", "88.50%", "达标率90%及以上得100%分值，85%（含）至90%得90%分值，80%（含）至85%得70%分值，低于80%不得分。", "抽查的12条道路中有2条夜间保洁频次不足，垃圾滞留时间超过30分钟。"),
    ("C202", "产出", "产出质量", "公厕达标率", "6", "6", "≥95%", "96.67%", "达到95%得满分，未达到的按完成比例乘以分值计分。", ""),
    ("C301", "产出", "产出时效", "投诉按时办结率", "6", "5.88", "100%", "98.00%", "按时办结率达到100%得满分，未达到的按办结率乘以分值计分。", "3件热线投诉超过48小时办结。"),
    ("C401", "产出", "产出成本", "单位清扫成本", "6", "6", "≤7.47元/平方米", "7.31元/平方米", "不高于7.47元得满分，高于的按超出比例乘以分值扣分，扣完为止。", ""),
    ("D101", "效益", "项目效益", "生活垃圾无害化处理率", "7", "7", "100%", "100%", "达到100%得满分，每低1个百分点扣1分，扣完为止。", ""),
    ("D102", "效益", "项目效益", "安全责任事故", "5", "5", "", "否", "未发生安全责任事故得满分；发生的本指标不得分，评价等级最高为中。", ""),
    ("D103", "效益", "项目效益", "环卫工人权益保障", "5", "4", "", "部分达成", "分达成预期、部分达成、未达成三档，部分达成的在60%至80%之间计分。", "21名临时用工未参加工伤保险。"),
    ("D201", "效益", "满意度", "公众满意度", "8", "7.68", "≥90%", "86.35%", "达到90%得满分，未达到的按满意度与90%之比乘以分值计分。", "背街小巷保洁和公厕卫生两题得分偏低。"),
]  # fmt: skip


def _indicator(row: tuple[str, ...], gap: str = "") -> IndicatorScore:
    code, one, two, three, points, score, target, actual, standard, reason = row
    whole = Decimal(points)
    got = None if gap else Decimal(score)
    change = None
    if code == "B103" and not gap:
        change = Adjustment(
            indicator=code, computed=Decimal("4.5"), adjusted=Decimal(4), approver="李某某",
            reason="专家评审会认为抽查凭证中另有1份附件不全", basis="专家评审意见第3条", dated="2025年6月18日",
        )  # fmt: skip
    elements: tuple[Element, ...] = ()
    if "要点" in actual:
        last = Decimal(1) if got == whole else Decimal("0.5")
        elements = (
            Element(text="有明确的政策依据和批复文件", share=Decimal("0.5"), met=Decimal(1),
                    finding="县政府常务会议纪要和预算批复齐全", evidence="1-1"),
            Element(text="与实际工作内容和资金量相匹配", share=Decimal("0.5"), met=last,
                    finding="" if last == 1 else "目标表与作业台账不完全对应", evidence="1-2"),
        )  # fmt: skip
    return IndicatorScore(
        code=code, level1=one, level2=two, level3=three, points=whole, target=target,
        explanation=f"{three}是否达到预期要求", kind="定性" if elements else "定量",
        actual="" if gap else actual, standard=standard, score=got,
        lost=None if got is None else whole - got,
        rate=None if got is None else round_to(got / whole * 100, 2), reason=reason,
        evidence=(f"{'ABCD'.index(code[0]) + 1}-1", f"{'ABCD'.index(code[0]) + 1}-2"), elements=elements,
        adjustment=change, gap=gap,
        finding="" if elements or gap else "查阅月度考核表与台账，并与现场核查记录核对，数据一致。",
        trace=Trace(rule="x", rule_name="比例得分", basis=PLAN, standard=standard, computed=got,
                    measured=f"目标值 {target}，实际 {actual}" if target else actual),
    )  # fmt: skip


def _groups(scores: list[IndicatorScore]) -> list[GroupScore]:
    found = []
    for one in dict.fromkeys(s.level1 for s in scores):
        for two in ("", *dict.fromkeys(s.level2 for s in scores if s.level1 == one)):
            under = [s for s in scores if s.level1 == one and two in ("", s.level2)]
            points = sum((s.points for s in under), Decimal(0))
            known = [s.score for s in under if s.score is not None]
            total = sum(known, Decimal(0)) if len(known) == len(under) else None
            rate = None if total is None else round_to(total / points * 100, 2)
            found.append(GroupScore(level1=one, level2=two, points=points, score=total, rate=rate))
    return found


def _card(gaps: dict[str, str]) -> Scorecard:
    scores = [_indicator(row, gaps.get(row[0], "")) for row in ROWS]
    low = sum((s.score or Decimal(0) for s in scores), Decimal(0))
    high = sum((s.points if s.score is None else s.score for s in scores), Decimal(0))
    total = None if gaps else low
    return Scorecard(
        indicators=tuple(scores), groups=tuple(_groups(scores)),
        points=sum((s.points for s in scores), Decimal(0)), total=total, low=low, high=high,
        rate=total, grade="" if gaps else "优",
    )  # fmt: skip


def _table(columns: str, *rows: str) -> list[dict[str, str]]:
    return [dict(zip(columns.split(), row.split("|"), strict=True)) for row in rows]


TABLES = {
    "funds": _table(
        "year source initial budget arrived spent document explanation",
        "2024|县级资金|800.00|687.30|687.30|671.26|某财预〔2024〕12号|",
        "2024|省级资金|60.00|60.00|60.00|60.00|某财建〔2024〕41号|",
        "|合计|860.00|747.30|747.30|731.26||",
    ),
    "samples": _table(
        "population unit total total_amount sample sample_amount coverage coverage_amount method",
        "一级道路|条|42|285.29|12|96.10|28.57%|33.68%|分层随机抽样",
        "公共厕所|座|30|61.00|12|24.40|40.00%|40.00%|等距抽样",
    ),
    "visits": _table(
        "place date fact difference photo caption",
        "辑宁路公厕|2025年5月12日|正常开放，保洁员在岗，洗手设施完好|无|照片/01.png|辑宁路公厕外景",
        "城西中转站|2025年5月12日|压缩设备运行正常，渗滤液收集池有溢流痕迹|上报“无渗漏”，现场有溢流痕迹|照片/02.png|中转站渗滤液收集池",
        "宁江一路|2025年5月13日|20时后未见保洁员|上报夜间保洁至22时|照片/03.png|",
    ),
    "evidence": _table(
        "no title file page provider",
        *(f"{a}-{b}|{t}|0{a}/x.pdf|1–{a + b}|县环卫中心" for a in (1, 2, 3, 4)
          for b, t in ((1, "立项批复和会议纪要"), (2, "2024年道路清扫月度考核表"))),
    ),
    "issues": _table(
        "no category title fact amount rule evidence indicators indicator_names lost cause advice responsible deadline severe",
        "W01|产出未达|部分路段夜间保洁频次不足|抽查的12条道路中有2条20时以后没有保洁员作业，垃圾滞留时间超过30分钟||《保洁服务合同》第六条|3-2|C201|道路保洁质量达标率|0.8|承包企业夜班人员不足，月度考核未与付款挂钩|按合同核减当月服务费，建立考核结果与付款挂钩机制|县环卫中心|2025年9月30日|否",
        "W02|资金管理|个别支出附件不全|车辆维修费支出缺少验收单和维修清单|2.86|《行政事业单位内部控制规范（试行）》第四十条|2-1|B103|资金使用合规性|1|财务审核只核对发票，未核对验收资料|补齐验收资料，修订支出审核清单|县环卫中心|2025年8月31日|是",
    ),
    "adjustments": _table(
        "indicator level3 computed adjusted reason basis approver date",
        "B103|资金使用合规性|4.5|4|专家评审会认为抽查凭证中另有1份附件不全|专家评审意见第3条|李某某|2025年6月18日",
    ),
    "survey_questions": _table(
        "question 非常满意 满意 一般 不满意 非常不满意 不了解 valid satisfaction",
        "您对主次干道的清扫保洁是否满意|120|96|18|4|2|6|240|87.33%",
        "您对背街小巷的清扫保洁是否满意|98|90|40|10|4|4|242|82.15%",
        "您对公厕卫生是否满意|108|92|28|8|2|8|238|84.87%",
    ),
    "survey_groups": _table("group valid satisfaction", "城区居民|160|85.20%", "沿街商户|86|88.40%"),
}  # fmt: skip


def make_result(stage: str = "终稿", gaps: dict[str, str] | None = None, **subject: str) -> Result:
    project = {
        "code": "621026-2024-001", "name": "2024年度县城环卫一体化项目", "year": "2024",
        "department": "某县住房和城乡建设局", "unit": "某县环境卫生服务中心", "client": "某县财政局",
        "agency": "某评价咨询有限公司", "lead_evaluator": "张某某", "lead_qualification": "高级会计师",
        "reviewer": "李某某", "mode": "财政评价", "phase": "年度评价", "industry": "城乡社区类",
        "nature": "延续项目", "start": "2024年1月1日", "end": "2024年12月31日",
        "base_date": "2024年12月31日", "report_no": "某评报字〔2025〕第001号",
        "report_date": "2025年6月30日", "demo": "是", "survey_mapping": "五级均值",
        "survey_period": "2025年5月6日至5月20日", "survey_method": "入户纸质问卷与线上问卷结合",
        "weights_method": "", "weights_experts": "",
    } | subject  # fmt: skip
    texts = {
        "purpose": "", "object": "评价对象为2024年度县城环卫一体化项目，涉及财政资金747.30万元。",
        "general_target": "完成县城建成区100万平方米道路清扫保洁，生活垃圾日产日清，公众满意度不低于90%。",
        "stage_target": "一级、二级、三级道路保洁面积分别为30万、45万、25万平方米。",
        "methods": "比较法、成本效益分析法、公众评判法", "process": "",
        "organisation": "县住建局负责行业监管，县环卫中心负责合同管理和月度考核。",
        "conclusion": "项目总体完成年度任务，夜间保洁和用工保障仍有短板",
        "experience": "推行机械化清扫与人工保洁结合，主次干道机械化清扫率达到72%。", "other": "无。",
    }  # fmt: skip
    money = {"initial": "8600000", "budget": "7473000", "arrived": "7473000", "spent": "7312600"}
    values = {f"funds.{key}": Decimal(number) for key, number in money.items()} | {
        "funds.arrival_rate": Decimal("100.00"), "funds.execution_rate": Decimal("97.85"),
        "funds.budget_execution_rate": Decimal("97.85"), "survey.population": Decimal(86000),
        "survey.sent": Decimal(260), "survey.returned": Decimal(250), "survey.valid": Decimal(246),
        "survey.return_rate": Decimal("96.15"), "survey.valid_rate": Decimal("98.40"),
        "survey.satisfaction": Decimal("86.35"), "sample.coverage_amount": Decimal("34.80"),
    }  # fmt: skip
    return Result(
        workflow="project_evaluation", code=project["code"], name=project["name"], stage=stage,  # type: ignore[arg-type]
        subject=project, texts=texts, values=values, score=_card(gaps or {}), tables=TABLES,
    )  # fmt: skip


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "照片").mkdir()
    for number, colour in enumerate(("#88aacc", "#aacc88"), start=1):
        image = Image.new("RGB", (800, 600), colour)
        ImageDraw.Draw(image).rectangle((200, 200, 600, 500), fill="#ddd")
        image.save(folder / "照片" / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="session")
def report_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    base = template.build_base(STYLE, folder / "base.docx", ROOT / "templates" / "base.xml")
    return template.build(STYLE, BODY, folder / "project_evaluation.docx", base)


@pytest.fixture
def rendered(
    report_template: Path, photos: Path, tmp_path: Path
) -> Callable[..., render.RenderReport]:
    """Render a result made with the given changes (no figures: they are tested elsewhere)."""

    def run(
        narrative: Path | None = None, out: str = "报告.docx", **change: object
    ) -> render.RenderReport:
        result = make_result(**change)  # type: ignore[arg-type]
        context, blocks = evaluation.report_context(result, {}, photos, "gbt9704")
        return render.render(report_template, context, tmp_path / out, blocks, narrative)

    return run
