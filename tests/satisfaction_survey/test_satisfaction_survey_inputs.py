"""What is wrong in a task or its answers is said, all of it, at its place; drafts show gaps."""

from __future__ import annotations

from decimal import Decimal

import pytest
from satisfaction_support import LEVELS, PROJECT, Q, deliver, export, paper, run, said, task, texts

from evalkit.core.problem import EvalkitError

GROUND = {"question": "2、您的住处：", "kind": "背景"}
TWO = [{"question": Q, "kind": "满意度"}, GROUND]
ANSWERS = [["满意", "城里"], ["一般", "乡下"], ["非常满意", "城里"], ["满意", "乡下"]]


def online(folder, rows=ANSWERS, questions=TWO, heads=(Q, GROUND["question"]), **more):
    """A task whose answers came on line."""
    how = {name: more.pop(name) for name in ("seconds", "places", "encoding") if name in more}
    name = export(folder, rows, *heads, **how)
    project = {"answers": name, "sent_online": str(len(rows))} | more.pop("project", {})
    return task(folder, questions=questions, project=project, **more)


# --- what is refused in every state ------------------------------------------------------------


@pytest.mark.parametrize("stage", ["初稿", "终稿"])
def test_a_tally_of_a_question_that_is_not_listed_is_refused_at_its_cell(tmp_path, stage):
    told = said(task(tmp_path, tally=[paper(3), paper(3, question="2、没有这题")]), stage)
    assert "调查任务.xlsx｜纸质问卷｜B4：“2、没有这题”不在“题目”表中" in told


@pytest.mark.parametrize("sheet", ["options", "categories"])
def test_a_list_about_an_unknown_question_is_refused(tmp_path, sheet):
    row = {"question": "9、没有", "category": "某类", "words": "词", "option": "甲"}
    kept = {"options": ("question", "option"), "categories": ("question", "category", "words")}
    path = online(tmp_path, **{sheet: [{key: row[key] for key in kept[sheet]}]})
    assert "“9、没有”不在“题目”表中" in said(path, "初稿")


def test_a_stratum_question_that_is_none_is_refused(tmp_path):
    path = online(tmp_path, project={"strata": "7、不存在"})
    assert "任务信息" in said(path, "初稿") and "“7、不存在”不在“题目”表中" in said(path, "初稿")


def test_questions_are_known_whatever_their_width_and_last_colon(tmp_path):
    path = online(tmp_path, project={"strata": "２、您的住处:"})
    assert [row["group"] for row in run(path, "初稿").tables["groups"]] == ["城里", "乡下"]


def test_codes_without_a_codebook_are_refused(tmp_path):
    path = online(tmp_path, rows=[["4", "城里"], ["5", "乡下"]])
    assert "的答案“4”不是五级满意度的单选答案" in said(path, "初稿")


def test_a_code_that_the_codebook_lacks_is_refused(tmp_path):
    options = [{"question": "1", "code": "5", "option": "非常满意"}]
    path = online(tmp_path, rows=[["4", "城里"], ["5", "乡下"]], options=options)
    assert "答卷.csv" in said(path, "初稿") and "的答案“4”不在选项表中" in said(path, "初稿")


def test_sums_and_counts_of_the_tally_are_checked_at_their_row(tmp_path):
    wrong = [paper(3, 2, group="甲") | {"total": "6"}, paper(1, group="乙") | {"people": "5"}]
    told = said(task(tmp_path, tally=wrong), "初稿")
    assert (
        "调查任务.xlsx｜纸质问卷：第 3 行“1、您对服务是否满意？”的合计 6 与各选项之和 5 不符"
        in told
    )
    assert "第 4 行“1、您对服务是否满意？”的答题人数“5”不能用" in told


def test_a_count_that_is_no_number_is_not_lost(tmp_path):
    path = task(tmp_path, tally=[paper(3) | {"满意": "多"}], project={"valid_paper": "9"})
    assert "“满意”的份数“多”不是非负整数" in said(path, "初稿")


@pytest.mark.parametrize(
    "heading",
    ["3、您的姓名：", "3、您的联系电话（选填）", "3、家庭地址", "3、您的手机号码", "3、身份证号"],
)
def test_what_tells_of_persons_is_never_counted(tmp_path, heading):
    rows = [[*row, f"某某{n}"] for n, row in enumerate(ANSWERS)]
    heads = (Q, GROUND["question"], heading)
    questions = [*TWO, {"question": heading, "kind": "背景"}]
    told = said(online(tmp_path, rows, questions, heads), "初稿")
    assert f"“{heading}”涉及个人信息" in told and "某某" not in told
    unused = [*TWO, {"question": heading, "kind": "不统计"}]
    result = run(online(tmp_path, rows, unused, heads))
    assert "某某" not in result.model_dump_json()


def test_a_question_with_ever_different_answers_is_no_background(tmp_path):
    rows = [["满意", f"第{n}村"] for n in range(31)]
    assert "有31种答案，多于30种，疑为填空题" in said(online(tmp_path, rows), "初稿")


def test_a_background_that_some_ticked_twice_is_no_single_choice(tmp_path):
    rows = [*ANSWERS, ["满意", "城里┋乡下"]]
    assert "“2、您的住处：”有人选了不止一项" in said(online(tmp_path, rows), "初稿")


def test_a_file_of_answers_that_is_not_there_is_refused(tmp_path):
    assert "没有的.csv" in said(task(tmp_path, project={"answers": "没有的.csv"}), "初稿")


def test_strata_cannot_be_weighed_without_their_populations(tmp_path):
    project = {"strata": GROUND["question"], "weighted": "是"}
    path = online(tmp_path, project=project, strata=[{"stratum": "城里", "population": "90"}])
    told = said(path, "初稿")
    assert "“乡下”层有2份答卷，“分层”表中没有总体人数" in told


def test_sheets_of_no_stratum_are_told_to_be_struck_or_not_weighed(tmp_path):
    project = {"strata": GROUND["question"], "weighted": "是"}
    strata = [{"stratum": name, "population": "90"} for name in ("城里", "乡下")]
    rows = [*ANSWERS, ["满意", "(空)"]]
    assert "有1份答卷不知道属于哪一层" in said(
        online(tmp_path, rows, project=project, strata=strata)
    )


def test_everything_is_said_at_once(tmp_path):
    rows, tally = [["4", "城里"], ["坏", "乡下"]], [paper(3, question="9、无")]
    path = online(tmp_path, rows=rows, tally=tally, project={"strata": "7、不存在"})
    told = said(path, "初稿")
    for each in ("答案“4”", "答案“坏”", "“9、无”不在", "“7、不存在”不在"):
        assert each in told


# --- what only strict states refuse -------------------------------------------------------------


@pytest.mark.parametrize(
    ("project", "told"),
    [
        ({"survey_mapping": ""}, "没有选定满意度口径"),
        ({"weighted": "是"}, "填写了按层加权，而没有“分层”表或没有分组"),
        ({"population": "3"}, "有效答卷4份，多于总体人数3"),
        ({"sent_online": "3"}, "回收4份，多于发放份数"),
        ({"valid_paper": "5", "returned_paper": "5"}, "填写了纸质有效份数5，而没有纸质计票"),
        ({"deff": "0.5"}, "设计效应为0.5，小于1"),
        ({"sent_online": "-3"}, "份数或人数有负数"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_final_report_alone(tmp_path, project, told):
    if project.get("population"):
        with pytest.raises(EvalkitError, match=told):
            run(online(tmp_path, project=project), "初稿")
        return
    path = online(tmp_path, project=project)
    assert told in said(path)
    assert told in "\n".join(map(str, run(path, "初稿").problems))


SHARES = [
    (["50%", "40%"], "权重合计为90%，应为100%"),
    (["50%", ""], "2道满意度题中有1道没有填写权重"),
    (["120%", "-20%"], "有权重为负数"),
]


@pytest.mark.parametrize(("shares", "told"), SHARES)
def test_shares_that_do_not_make_a_whole_give_no_satisfaction(tmp_path, shares, told):
    names = (Q, "2、乙")
    questions = [{"question": q, "kind": "满意度", "share": s}
                 for q, s in zip(names, shares, strict=True)]  # fmt: skip
    path = task(tmp_path, questions=questions, tally=[paper(4), paper(4, question=names[1])])
    assert told in said(path)
    draft = run(path, "初稿")
    assert "survey.satisfaction" not in draft.values
    assert [row["satisfaction"] for row in draft.tables["questions"]] == ["100.00", "100.00"]
    assert "待补充" in texts(deliver(path, tmp_path / "out", "初稿")["满意度调查报告"])


def test_a_share_or_a_reversal_of_another_question_is_told(tmp_path):
    questions = [TWO[0], GROUND | {"share": "10%", "reverse": "是"}]
    told = said(online(tmp_path, questions=questions))
    assert "不是满意度题，填写了权重" in told and "不是量表题，填写了反向" in told


def test_a_question_without_answers_is_told_and_others_of_the_export_too(tmp_path):
    questions = [*TWO, {"question": "5、没人答", "kind": "满意度"}]
    told = said(online(tmp_path, questions=questions))
    assert "没有找到“5、没人答”的答案" in told
    result = run(online(tmp_path, questions=TWO[:1]))
    assert "导出的“2、您的住处：”没有列入“题目”表" in "\n".join(map(str, result.problems))


def test_paper_forms_must_add_up_to_what_was_returned(tmp_path):
    path = task(tmp_path, tally=[paper(5)], project={"valid_paper": "4", "returned_paper": "6"})
    told = said(path)
    assert (
        "答题人数为5，多于纸质有效份数4" in told and "纸质问卷有2份没有计票，没有写明原因" in told
    )
    path = task(tmp_path, tally=[paper(5)], project={"valid_paper": "", "returned_paper": ""})
    assert "没有填写纸质回收份数或有效份数" in said(path)
    draft = run(path, "初稿")
    assert "survey.valid" not in draft.values


# --- few, none, all alike -----------------------------------------------------------------------


def test_no_answers_at_all_are_a_gap_of_a_draft(tmp_path):
    path = task(tmp_path)
    assert "没有有效答卷" in said(path)
    draft = run(path, "初稿")
    assert draft.values["survey.valid"] == 0 and "survey.satisfaction" not in draft.values
    report = texts(deliver(path, tmp_path / "out", "初稿")["满意度调查报告"])
    assert "满意度为待补充" in report and "NaN" not in report and "None" not in report


def test_a_task_without_any_question_is_told_so(tmp_path):
    path = task(tmp_path, questions=[])
    assert "没有题型为“满意度”的题目" in said(path)
    report = texts(deliver(path, tmp_path / "out", "初稿")["满意度调查报告"])
    assert "满意度题待补充" in report and "# " not in report


def test_one_answer_and_answers_all_alike_have_a_wide_interval(tmp_path):
    one = run(task(tmp_path, tally=[paper(0, 1)]))
    assert one.values["survey.satisfaction"] == 75
    assert one.values["survey.high"] - one.values["survey.low"] > 50
    (tmp_path / "同").mkdir()
    alike = run(task(tmp_path / "同", tally=[paper(40)]))
    assert (alike.values["survey.satisfaction"], alike.values["survey.high"]) == (100, 100)
    assert alike.values["survey.low"] < 95  # Wilson's, of 40 of 40
    said_few = [p.what for p in one.problems]
    assert "有效答卷1份，少于30份" in said_few


def test_all_sheets_struck_leave_nothing(tmp_path):
    decisions = [{"respondent": str(n), "rule": "其他", "decision": "剔除", "cause": "不是读者",
                  "approver": "张某"} for n in range(1, 5)]  # fmt: skip
    path = online(tmp_path, decisions=decisions, project={"strata": GROUND["question"]})
    assert "没有有效答卷" in said(path)
    draft = run(path, "初稿")
    assert (draft.values["survey.valid"], draft.values["survey.excluded"]) == (0, 4)
    assert draft.tables["exclusions"] == [
        {"mode": "线上", "rule": "其他", "cause": "不是读者", "n": "4"}
    ]


# --- doubtful sheets ----------------------------------------------------------------------------

FAST = {3: 5}  # seconds


def test_a_doubtful_sheet_stays_until_somebody_decides(tmp_path):
    path = online(tmp_path, seconds=FAST)
    assert "答卷“3”（第4行）用时过短：用时 5 秒，少于 20 秒，还没有决定" in said(path)
    draft = run(path, "初稿")
    assert (draft.values["survey.valid"], draft.values["survey.pending"]) == (4, 1)


DECISION = {"respondent": "3", "rule": "用时过短", "decision": "剔除", "cause": "没读题",
            "approver": "张某"}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"respondent": "99"}, "没有序号为“99”的答卷"),
        ({"cause": ""}, "答卷“3”剔除没有写明原因，没有剔除"),
        ({"approver": ""}, "剔除答卷“3”没有批准人，没有剔除"),
        ({"decision": "保留", "cause": ""}, "答卷“3”保留没有写明原因"),
    ],
)
def test_a_decision_without_sheet_cause_or_approver_is_told(tmp_path, change, told):
    path = online(tmp_path, seconds=FAST, decisions=[DECISION | change])
    assert told in said(path)
    assert run(path, "初稿").values["survey.valid"] == 4


def test_a_decision_made_twice_or_about_another_rule_is_told(tmp_path):
    other = DECISION | {"rule": "直线作答"}
    path = online(tmp_path, seconds=FAST, decisions=[DECISION, DECISION, other])
    told = said(path)
    assert "答卷“3”的“用时过短”有2个决定" in told
    assert "答卷“3”没有被列为“直线作答”" in "\n".join(map(str, run(path, "初稿").problems))


@pytest.mark.parametrize("rule", ["用时过短", ""])
def test_a_struck_sheet_leaves_with_its_cause_and_a_kept_one_stays(tmp_path, rule):
    result = run(online(tmp_path, seconds=FAST, decisions=[DECISION | {"rule": rule}]))
    assert (result.values["survey.valid"], result.values["survey.struck"]) == (3, 1)
    assert result.tables["exclusions"] == [
        {"mode": "线上", "rule": "用时过短", "cause": "没读题", "n": "1"}
    ]
    assert result.tables["questions"][0]["n"] == "3"
    kept = DECISION | {"rule": rule, "decision": "保留", "approver": ""}
    assert run(online(tmp_path, seconds=FAST, decisions=[kept])).values["survey.valid"] == 4


def test_a_sheet_without_any_answer_to_the_scale_is_listed(tmp_path):
    path = online(tmp_path, rows=[*ANSWERS, ["(跳过)", "城里"]])
    assert "答卷“5”（第6行）未答满意度题" in said(path)


# --- non-random samples, gb18030, paper under line -----------------------------------------------


@pytest.mark.parametrize("sampling", ["自愿填答", "方便抽样", "配额抽样", "判断抽样"])
def test_a_sample_that_is_not_random_has_no_error_in_probability(tmp_path, sampling):
    path = task(tmp_path, tally=[paper(20, 20)], project={"sampling": sampling})
    result = run(path)
    assert "survey.margin" not in result.values
    report = texts(deliver(path, tmp_path / "out")["满意度调查报告"])
    assert f"{sampling}不是随机抽样，不能用概率说明误差" in report
    assert "实际误差" not in report and "结果不能推断总体" in report


def test_planned_and_reached_errors_are_of_cochrans_formula_and_the_design_effect(tmp_path):
    project = {"population": "1000", "allowed": "5%", "deff": "1.5", "valid_rate": "80%"}
    result = run(task(tmp_path, tally=[paper(100, 100, 78)], project=project))
    # n0 = 384.15; 277.73 of 1000, × 1.5 = 416.60; / 0.8
    assert [result.values[f"survey.{name}"] for name in ("needed", "issued")] == [417, 522]
    assert result.values["survey.margin"] == Decimal("6.12")  # 98·√(1.5·(1/278 - 1/1000)·1000/999)
    single = run(task(tmp_path, tally=[paper(100, 100, 78)], project=project | {"deff": ""}))
    assert single.values["survey.margin"] == Decimal("5.00")
    wide, narrow = (r.values["survey.high"] - r.values["survey.low"] for r in (result, single))
    assert float(wide / narrow) == pytest.approx(1.5**0.5, abs=0.01)


def test_a_gbk_export_reads_the_same(tmp_path):
    utf = run(online(tmp_path)).model_dump(exclude={"problems"})
    gbk = run(online(tmp_path, encoding="gb18030")).model_dump(exclude={"problems"})
    assert utf == gbk and utf["tables"]["questions"][0]["n"] == "4"


def test_paper_stands_under_what_came_on_line(tmp_path):
    path = online(
        tmp_path,
        tally=[paper(1, 1, group="乡下")],
        project={
            "strata": GROUND["question"],
            "valid_paper": "2",
            "returned_paper": "2",
            "sent_paper": "4",
        },
    )
    result = run(path)
    assert result.values["survey.valid"] == 6 and result.values["survey.sent"] == 8
    (row,) = result.tables["questions"]
    assert [row[level] for level in LEVELS] == ["2", "3", "1", "0", "0"]
    groups = {row["group"]: row["n"] for row in result.tables["groups"]}
    assert groups == {"城里": "2", "乡下": "4"}
    modes = [(row["mode"], row["valid"]) for row in result.tables["sample"]]
    assert modes == [("线上", "4"), ("纸质", "2"), ("合计", "6")]


def test_a_link_that_anybody_could_open_has_no_return_rate(tmp_path):
    path = online(tmp_path, project={"sent_online": "", "sampling": "自愿填答"})
    result = run(path)
    assert not {"survey.sent", "survey.return_rate"} & result.values.keys()
    report = texts(deliver(path, tmp_path / "out")["满意度调查报告"])
    assert "线上问卷没有逐份发放，不计算回收率" in report and "发放问卷" not in report


def test_a_workbook_of_another_project_is_refused(tmp_path):
    path = task(tmp_path, tally=[paper(3)])
    with pytest.raises(EvalkitError, match=PROJECT["code"]):
        run(path, code="别的")
