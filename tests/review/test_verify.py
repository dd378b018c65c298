"""Published tables of real units, rebuilt as forms and as reports: their faults, and no others.

Figures from public disclosures:

- 永德县明朗中学 2022 营养改善计划: yongde.gov.cn/info/3003/116104.htm
- 天长市水利局 2022 水旱灾害防御经费, published 2023-12-05
- 阆中市 2021 普通省道: langzhong.gov.cn/zwgk/zdlygk/zxzj/202208/t20220817_1715346.html
- 三门县 2024 专项债券: sanmen.gov.cn/art/2025/6/26/art_1229320395_4042158.html
- 汨罗 2017 公交补贴: miluo.gov.cn/25308/27701/27734/27738/27925/content_1462985.html
- 通州 2023 绿化: bjtzh.gov.cn/bjtz/xxfb/202409/1727666.shtml
- 南县 2021 部门决算: hnnxzx.com/a/webbase/div-css/2022/0415/1230.html
- 宁县 2025年预算绩效管理工作开展情况; 李口镇预算评审 (a mistyped part in a published summary)
"""

from __future__ import annotations

import json
import zipfile

import pytest
from docx import Document

from evalkit.core.problem import EvalkitError
from evalkit.verify import report as verify
from evalkit.verify.report import check_report

HEAD = [
    "一级指标",
    "二级指标",
    "三级指标",
    "年度指标值",
    "实际完成值",
    "分值",
    "得分",
    "偏差原因分析",
]
YONGDE = [
    ["产出指标", "数量指标", "学生受资助人数", "≧735人次", "735人次", "10", "10", ""],
    ["产出指标", "质量指标", "营养改善计划覆盖率", "≧100%", "100%", "10", "10", ""],
    ["产出指标", "时效指标", "资金到位及时率", "≧100%", "100%", "10", "7", ""],
    ["产出指标", "成本指标", "生均补助标准达标率", "═100%", "100%", "10", "10", ""],
    ["效益指标", "经济效益指标", "减轻贫困学生家庭经济负担", "有效", "有效", "10", "10", ""],
    ["效益指标", "社会效益指标", "政策知晓率", "═100%", "98%", "10", "9", ""],
    ["效益指标", "可持续影响指标", "促进学校教育事业健康发展", "≧100%", "100%", "10", "10", ""],
    ["满意度指标", "服务对象满意度", "学生满意度", "≧95%", "100%", "10", "10", ""],
    ["满意度指标", "服务对象满意度", "家长满意度", "≧95%", "100%", "10", "10", ""],
]
TIANCHANG = [
    ["产出指标", "数量指标", "完成中型灌区节水改造项目数量", "1", "1", "10", "10", ""],
    ["产出指标", "数量指标", "完成农业综合水价改革项目", "1", "1", "10", "10", ""],
    ["产出指标", "质量指标", "工程质量合格", "", "", "10", "10", ""],
    ["产出指标", "时效指标", "年度资金支付完成率100%", "", "", "10", "10", ""],
    ["产出指标", "成本指标", "资金执行在预算范围内", "", "", "10", "10", ""],
    ["效益指标", "经济效益指标", "全市安全度汛", "", "", "10", "10", ""],
    ["效益指标", "社会效益指标", "保护全市人口财产不受损失", "", "", "10", "10", ""],
    ["效益指标", "可持续影响指标", "已建工程良性运行", "", "", "10", "10", ""],
    ["满意度指标", "服务对象满意度指标", "服务对象满意度", "90%", "100%", "10", "10", ""],
]
LANGZHONG = [
    ["产出指标", "数量指标", "建设普通省道二级公路", "32.1公里", "", "20", "20", ""],
    ["产出指标", "质量指标", "建设符合验收要求", "", "", "20", "20", ""],
    ["产出指标", "时效指标", "按期完成投资", "", "", "10", "10", ""],
    ["效益指标", "经济效益指标", "对经济发展的促进作用", "", "", "10", "10", ""],
    ["效益指标", "社会效益指标", "基本公共服务水平", "", "", "10", "10", ""],
    ["效益指标", "生态效益指标", "交通建设符合环评审批要求", "", "", "10", "10", ""],
    ["满意度指标", "服务对象满意度指标", "改善通行服务水平群众满意度", "", "", "20", "20", ""],
]
SANMEN = [
    ["三门县城镇污水处理设施建设工程", "0.4亿元", "87", "良"],
    ["三门县石羊溪水质提升工程", "1.36亿元", "91", "优"],
    ["三门县老旧小区改造项目", "0.1亿元", "94", "优"],
    ["三门县社区智慧化改造及配套基础设施提升工程", "0.2亿元", "91", "优"],
    ["三门县农村生活污水处理设施建设工程(2021-2025)", "0.3亿元", "90", "优"],
]


def execution(budget, spent, rate, unit):
    """The money block of a 自评表 (财预〔2020〕10号附1)."""
    head = [
        f"项目资金（{unit}）",
        "年初预算数",
        "全年预算数",
        "全年执行数",
        "分值",
        "执行率",
        "得分",
        "",
    ]
    return [head, ["年度资金总额", budget, budget, spent, "10", rate, "10", ""],
            ["其中：当年财政拨款", budget, budget, spent, "—", "", "—", ""]]  # fmt: skip


def form(tmp_path, title, *blocks, total=()):
    """A filed form: one table, its blocks each with a header."""
    document = Document()
    document.add_paragraph(title)
    rows = [row for block in blocks for row in block] + [list(row) for row in total]
    table = document.add_table(len(rows), max(map(len, rows)))
    for target, row in zip(table.rows, rows, strict=True):
        for cell, text in zip(target.cells, row, strict=False):
            cell.text = text
    document.save(str(tmp_path / "自评表.docx"))
    return found(tmp_path / "自评表.docx")


def text(tmp_path, *paragraphs):
    document = Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.save(str(tmp_path / "说明.docx"))
    return found(tmp_path / "说明.docx")


def found(path):
    return [(p.code.removeprefix("verify."), p.cell, p.what) for p in check_report(path, None)
            if p.severity != "note"]  # fmt: skip


def total(score):
    return [["总分", "", "", "", "", "100", score, ""]]


# --- forms ----------------------------------------------------------------------------------


def test_a_school_meal_form_departs_from_its_rule_twice_and_nowhere_else(tmp_path):
    money = execution("387664.62", "387664.62", "100%", "元")
    problems = form(tmp_path, "项目支出绩效自评表", money, [HEAD], YONGDE, total=total("96"))
    assert [(kind, cell.split("·")[-1]) for kind, cell, _ in problems] == [
        ("rule", "资金到位及时率"),
        ("rule", "政策知晓率"),
    ]
    assert "得7分；按完成比例为10分" in problems[0][2]
    assert "得9分；按完成比例为9.8分" in problems[1][2]


def test_a_departure_with_a_reason_is_only_a_note(tmp_path):
    rows = [[*row[:7], "拨付晚于时限"] if row[6] in ("7", "9") else row for row in YONGDE]
    money = execution("387664.62", "387664.62", "100%", "元")
    assert form(tmp_path, "项目支出绩效自评表", money, [HEAD], rows, total=total("96")) == []


def test_a_wrong_total_of_a_form_is_found(tmp_path):
    rows = [[*row[:6], "10", ""] for row in YONGDE if row[6] == "10"]
    money = execution("387664.62", "387664.62", "100%", "元")
    problems = form(tmp_path, "项目支出绩效自评表", money, [HEAD], rows, total=total("85"))
    assert {(kind, what) for kind, _, what in problems} == {
        ("sum", "合计写为100，各项相加为80"),  # points, with those of the execution rate
        ("sum", "合计写为85，各项相加为80"),
    }


def test_a_sound_form_with_text_targets_and_blanks_is_not_accused(tmp_path):
    money = execution("880", "880", "100%", "万元")
    assert form(tmp_path, "项目支出绩效自评表", money, [HEAD], TIANCHANG) == []


def test_an_execution_rate_that_its_parts_do_not_give_is_found(tmp_path):
    money = execution("880", "780", "98.64%", "万元")
    problems = form(tmp_path, "项目支出绩效自评表", money, [HEAD], TIANCHANG)
    assert [(kind, what) for kind, _, what in problems] == [
        ("ratio", "执行率写为98.64%，按列出的数应为88.64%")
    ]


def test_a_form_without_an_execution_row_says_so(tmp_path):
    problems = form(tmp_path, "中央车购税补助地方资金绩效目标自评表", [HEAD], LANGZHONG)
    assert [kind for kind, _, _ in problems] == ["form"]


def test_parts_that_do_not_make_the_yearly_funds_are_found(tmp_path):
    money = execution("880", "880", "100%", "万元")
    money[2][1] = "860"
    kinds = form(tmp_path, "项目支出绩效自评表", money, [HEAD], TIANCHANG)
    assert [(kind, cell) for kind, cell, _ in kinds] == [("sum", "年度资金总额·年初预算数")]


# --- tables and texts of reports ------------------------------------------------------------


def test_grades_by_the_bands_90_inclusive(tmp_path):
    head = [["项目", "发行金额", "评价得分", "评价等级"]]
    issued = [["合计", "2.36亿元", "", ""]]
    assert form(tmp_path, "专项债券绩效评价情况表", head, SANMEN, total=issued) == []
    wrong = [[*row[:3], "良" if row[2] == "90" else row[3]] for row in SANMEN]
    problems = form(tmp_path, "专项债券绩效评价情况表", head, wrong, total=[["合计", "2.63亿元"]])
    assert [kind for kind, _, _ in problems] == ["sum", "grade"]


def test_vouchers_in_yuan_against_a_plan_in_ten_thousands(tmp_path):
    sound = "凭证金额488000元、27000元、16200元、358800元，合计890000元，与计划89万元一致。"
    assert text(tmp_path, sound) == []
    slipped = sound.replace("一致。", "一致。年末又列支890000万元。")
    assert [kind for kind, _, _ in text(tmp_path, slipped)] == ["unit"]
    short = sound.replace("358800元", "338800元")
    assert [kind for kind, _, _ in text(tmp_path, short)] == ["sum"]


def test_printed_differences_and_percentages_reproduce(tmp_path):
    sound = (  # of the first, unrounded figures lie behind
        "单位收入28521.28元，比上年24634.58元增加3886.71元，增长15.78%。",
        "本年收入792.22万元，比上年增加189.25万元，增长31.39%。",
        "全年支出合计799.12万元，其中人员经费434.89万元、公用经费77.4万元、项目支出286.83万元。",
        "送审64727.72万元，审减6008.00万元，审定58719.72万元，审减率9.28%。",
    )
    assert text(tmp_path, *sound) == []
    for old, new, kind in (
        ("3886.71", "3868.71", "change"),
        ("15.78%", "17.58%", "ratio"),
        ("31.39%", "33.19%", "ratio"),
        ("286.83", "268.83", "sum"),
        ("9.28%", "9.82%", "ratio"),
    ):
        problems = text(tmp_path, *(line.replace(old, new) for line in sound))
        assert kind in [k for k, _, _ in problems], (old, new)


def test_a_review_table_whose_printed_part_was_mistyped(tmp_path):
    # 李口镇预算评审: 577370.36 was printed as 577570.36
    head = [["项目", "送审金额（元）", "审定金额（元）", "审减额（元）", "审减率"]]
    rows = [
        ["一", "849861.07", "769842.35", "80018.72", "9.42%"],
        ["二", "558127.72", "514868.48", "43259.24", "7.75%"],
        ["三", "66450.39", "64940.76", "1509.63", "2.27%"],
        ["四", "685737.93", "577370.36", "108367.57", "15.80%"],
    ]
    all_ = [["合计", "2160177.11", "1927021.95", "233155.16", "10.79%"]]
    assert form(tmp_path, "评审情况表", head, rows, total=all_) == []
    rows[3][2] = "577570.36"
    problems = form(tmp_path, "评审情况表", head, rows, total=all_)
    assert problems == [("sum", "合计·审定金额（元）", "合计写为1927021.95，各项相加为1927221.95")]


def test_a_mean_of_rates_is_no_rate_of_sums(tmp_path):
    head = [["项目", "送审金额", "审减额", "审减率"]]
    rows = [["一", "849861.07", "80018.72", "9.42%"], ["二", "66450.39", "1509.63", "2.27%"]]
    total_row = [["合计", "916311.46", "81528.35", "5.85%"]]
    assert [kind for kind, _, _ in form(tmp_path, "评审", head, rows, total=total_row)] == ["ratio"]


def test_numbers_in_words_that_are_none_do_no_harm(tmp_path):
    assert text(tmp_path, "百分之百点评，百分之五点一点二，百分之点，百分之两。") == []


def test_amounts_in_words(tmp_path):
    words = "审定金额（大写）：壹佰玖拾贰万柒仟零贰拾壹元玖角伍分（小写：￥1,927,021.95）。"
    assert text(tmp_path, words) == []
    problems = text(tmp_path, words.replace("玖角伍分", "伍角玖分"))
    assert [kind for kind, _, _ in problems] == ["words"]


def test_rounded_parts_may_leave_a_tail(tmp_path):
    head = [["来源", "金额（万元）"]]
    thirds = [["甲", "33.33"], ["乙", "33.33"], ["丙", "33.33"]]
    assert form(tmp_path, "构成", head, thirds, total=[["合计", "100.00"]]) == []
    assert form(tmp_path, "构成", head, thirds, total=[["合计", "100.10"]]) != []


def test_subtotals_totals_and_a_total_column_add_up(tmp_path):
    head = [["单位", "A厂", "B厂", "合计"]]
    rows = [["薪酬", "68", "176", "244"], ["药剂", "385.52", "813.54", "1199.06"],
            ["小计", "453.52", "989.54", "1443.06"], ["折旧", "627.13", "1824.47", "2451.60"],
            ["小计", "627.13", "1824.47", "2451.60"]]  # fmt: skip
    all_ = [["总计", "1080.65", "2814.01", "3894.66"]]
    assert form(tmp_path, "成本", head, rows, total=all_) == []
    rows[1][3] = "1199.60"
    problems = form(tmp_path, "成本", head, rows, total=all_)
    assert {cell for kind, cell, _ in problems if kind == "sum"} == {
        "药剂",
        "小计·合计",
        "总计·合计",
    }


def test_the_county_report_is_not_accused(tmp_path):
    # 宁县 2025年预算绩效管理工作开展情况, sentences as published
    assert (
        text(
            tmp_path,
            "全年累计评估项目260个，送审64727.72万元，审减6008.00万元，审定58719.72万元，审减率9.28%。",
            "累计下达监控任务4923条，其中：部门整体支出监控538条，项目支出监控4384条（财政代列1个项目未监控）。",
            "全年累计公开信息488条（财政部门公开98条，预算单位公开390条），主动接收社会监督。",
            "财政重点评价反馈问题110个，整改到位105个，整改完成率95.45%，下剩5个问题正在持续整改之中。",
            "全年累计压减4个单位4个项目资金239.60万元，评价结果为“优”或“良”的项目优先安排预算。",
        )
        == []
    )


def test_the_same_name_in_two_spellings(tmp_path):
    problems = text(tmp_path, "实施单位：示例县污水处理厂", "项目由示例县污水处埋厂管理。")
    assert [kind for kind, _, _ in problems] == ["name"]
    schools = text(tmp_path, "实施单位：示例县第一小学", "同类学校有示例县第二小学。")
    assert schools == []


@pytest.mark.parametrize("name", ["C:\\x|y?*", "甲（一期", "[a-", "{0}{name}", "\\1+"])
def test_a_name_of_any_signs_is_only_a_name(tmp_path, name):
    import support

    project = {**support.PROJECT, "name": name, "unit": f"{name}中心"}
    result = support.evaluate(support.workbook(tmp_path / "a.xlsx", project=project))
    text(tmp_path, f"{name}绩效评价报告", f"项目名称：{name}。实施单位：{name}中心。",
         f"某财政局委托某机构对{name}开展评价，2024年{name}得90分。")  # fmt: skip
    codes = {problem.code for problem in check_report(tmp_path / "说明.docx", result)}
    assert "verify.year" not in codes
    text(tmp_path, f"{name}绩效评价报告", f"2019年{name}运行良好。")
    codes = {problem.code for problem in check_report(tmp_path / "说明.docx", result)}
    assert "verify.year" in codes


# --- the command ----------------------------------------------------------------------------


def test_a_file_that_is_no_word_document_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "报告.docx"
    path.write_bytes(b"PK nonsense")
    with pytest.raises(EvalkitError, match="不是可用的 Word 文档"):
        check_report(path, None)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(EvalkitError, match="不是可用的 Word 文档"):
        verify.cli(path)


def test_without_a_result_the_exit_code_tells_and_nothing_is_written(tmp_path, capsys):
    text(tmp_path, "金额合计：TODO。")
    assert verify.cli(tmp_path / "说明.docx") == 1
    assert "TODO" in capsys.readouterr().out
    text(tmp_path, "一切正常。")
    assert verify.cli(tmp_path / "说明.docx") == 0
    assert not (tmp_path / "checks.json").exists()


def test_earlier_findings_are_replaced_and_those_of_others_kept(tmp_path, monkeypatch):
    import support

    from evalkit.core import result_file

    result = support.evaluate(support.workbook(tmp_path / "a.xlsx"))
    result_file.save(tmp_path / "result.json", result, {})
    found_before = [{"what": "旧", "code": "verify.sum"}, {"what": "别", "code": "docx.package"}]
    old = {"problems": found_before, "missing": ["其他"]}
    (tmp_path / "checks.json").write_text(json.dumps(old), encoding="utf-8")
    text(tmp_path, "测试项目。", "预算执行率为12.00%。")
    problems = verify.update(tmp_path / "说明.docx")
    kept = json.loads((tmp_path / "checks.json").read_text(encoding="utf-8"))
    assert [p["what"] for p in kept["problems"]] == ["别", *(p.what for p in problems)]
    assert kept["missing"] == ["其他"]
    assert any(p.code == "verify.claim" for p in problems)
