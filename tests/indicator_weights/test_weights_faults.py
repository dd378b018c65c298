"""What is wrong with a task or a questionnaire is told, all at once, with file and cell."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from openpyxl import load_workbook
from support import DEMO
from test_weights_published import OBJECTS, TREE, tree_pairs
from weights_support import (
    GOAL,
    column,
    flat,
    head_row,
    load,
    marks,
    numbers,
    pairs,
    people,
    put,
    run,
    said,
    write,
)

from evalkit.core.problem import EvalkitError

CODES = [row["code"] for row in TREE]


def sent_out(folder, *names):
    """A task that names a folder, and a questionnaire of each expert in it."""
    same = {"indicators": TREE, "experts": people(*names)}
    task = write(folder / "权重任务.xlsx", {"folder": "问卷"}, pairs=tree_pairs(), **same,
                 marks=marks("第一轮", CODES))  # fmt: skip
    (folder / "问卷").mkdir()
    for name in names:
        write(folder / "问卷" / f"{name}.xlsx", pairs=tree_pairs({name: "3 1 4"}), **same,
              marks=marks("第一轮", CODES, **{name: "8 4 6 2"}))  # fmt: skip
    return task


def test_questionnaires_are_merged_with_the_task(tmp_path):
    task = sent_out(tmp_path, "甲", "乙")
    (tmp_path / "问卷" / "~$甲.xlsx").write_bytes(b"lock")
    (tmp_path / "问卷" / "子").mkdir()
    shutil.move(tmp_path / "问卷" / "乙.xlsx", tmp_path / "问卷" / "子" / "乙.xlsx")
    result = run(task, "终稿")
    assert result.subject["experts"] == "2"
    assert {row["name"] for row in result.tables["consistency"]} == {"甲", "乙"}
    assert {path.name for path in load(task).inputs} == {"权重任务.xlsx", "甲.xlsx", "乙.xlsx"}


def test_everything_wrong_with_the_questionnaires_is_told_at_once(tmp_path):
    task, folder = sent_out(tmp_path, "甲", "乙", "丙", "丁"), tmp_path / "问卷"
    top = head_row(folder / "甲.xlsx", "两两比较", "上级")
    put(folder / "甲.xlsx", "两两比较", f"E{top}", "陌生人")
    put(folder / "乙.xlsx", "两两比较", f"C{top + 1}", "产出们")
    shutil.copy(folder / "丙.xlsx", folder / "丙的另一份.xlsx")
    (folder / "说明.docx").write_bytes(b"no workbook")
    shutil.copy(DEMO / "library" / "数据底稿.xlsx", folder / "别的底稿.xlsx")
    write(folder / "丁.xlsx", indicators=TREE, experts=people("甲"), pairs=tree_pairs())
    data = load(task)
    result = run(task)
    found = {code: said(result, f"check.{code}") for code in ("W1", "W2", "W3", "W20")}
    (strange,), (place,), clashes, (silent,) = found.values()
    assert (strange.file, strange.sheet, strange.cell) == ("甲.xlsx", "两两比较", f"E{top + 1}")
    assert "“陌生人”" in strange.what
    assert (place.file, place.cell) == ("乙.xlsx", f"E{top + 1}") and "产出们" in place.what
    assert {clash.file for clash in clashes} == {"丙的另一份.xlsx"} and len(clashes) == 7
    assert "丙.xlsx｜两两比较!E" in clashes[0].what
    assert "丁" in silent.what
    told = {(p.file, p.code) for p in data.problems}
    assert {("说明.docx", "filed.file.kind"), ("别的底稿.xlsx", "filed.meta.other"),
            ("丁.xlsx", "filed.weighting.empty")} <= told  # fmt: skip
    assert all(
        p.severity == "warning" for p in result.problems if p.code in ("check.W1", "check.W3")
    )
    with pytest.raises(EvalkitError) as refused:
        run(task, "送审稿")
    codes = {problem.code for problem in refused.value.problems}
    assert {"check.W1", "check.W2", "check.W3", "check.W20", "filed.file.kind"} <= codes


@pytest.mark.parametrize("named", ["没有的", ".", ".."])
def test_a_folder_that_is_none_or_holds_the_task_is_refused(tmp_path, named):
    (tmp_path / "任务").mkdir()
    task = write(tmp_path / "任务" / "a.xlsx", {"folder": named}, indicators=TREE)
    with pytest.raises(EvalkitError, match="找不到专家问卷文件夹"):
        load(task)


def test_an_experts_matrix_with_a_gap_is_left_out_visibly_and_refused_in_the_end(tmp_path):
    rows = tree_pairs({"甲": "3 1 4"}, {"乙": "5 1 4"})
    del rows[2]["judgement:乙"]
    task = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲", "乙"), pairs=rows)
    result = run(task)
    (gap,) = said(result, "weight.unjudged")
    assert gap.what.startswith("乙｜产出/数量：") and gap.severity == "warning"
    assert [row["experts"] for row in result.tables["groups"]] == ["2", "2", "1"]
    assert numbers(result)[0] / numbers(result)[1] == pytest.approx(4, rel=2e-3)  # of 甲 alone
    assert column(result, "spread") == [""] * 4  # 甲 alone has all matrices
    with pytest.raises(EvalkitError, match=r"乙｜产出/数量：“甲”与“乙”没有比较"):
        run(task, "终稿")


@pytest.mark.parametrize("text", ["十", "0", "10", "-3", "1/0", "2.5"])
def test_a_judgement_off_the_scale_is_told_with_its_cell(tmp_path, text):
    task = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲", "乙"),
                 pairs=tree_pairs({"甲": "3 1 4"}, {"乙": "3 1 4"}))  # fmt: skip
    row = head_row(task, "两两比较", "上级") + 1
    put(task, "两两比较", f"F{row}", text)
    result = run(task)
    (fault,) = said(result, "choice.unknown")
    assert (fault.sheet, fault.cell) == ("两两比较", f"F{row}")
    assert [r["experts"] for r in result.tables["groups"]] == ["1", "2", "2"]


@pytest.mark.parametrize(("text", "same"), [("１／３", "1/3"), (" 3 ", "3"), (3, "3")])
def test_judgements_are_read_in_every_width(tmp_path, text, same):
    task = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲"),
                 pairs=tree_pairs({"甲": f"{same} 1 4"}))  # fmt: skip
    expected = numbers(run(task))
    put(task, "两两比较", f"E{head_row(task, '两两比较', '上级') + 1}", text)
    assert numbers(run(task)) == expected


def test_an_inconsistent_matrix_is_dropped_or_kept_as_the_form_says_and_never_changed(tmp_path):
    tree = flat(["甲", "乙", "丙"])
    rows = pairs(GOAL, ["甲", "乙", "丙"], {"张": "2 4 2"}, {"王": "5 1/5 5"})
    make = {"indicators": tree, "experts": people("张", "王"), "pairs": rows}
    kept = run(write(tmp_path / "a.xlsx", {"inconsistent": "保留"}, **make))
    dropped = run(write(tmp_path / "b.xlsx", **make))  # 剔除 by policy
    assert [round(w, 4) for w in numbers(dropped)] == [0.5714, 0.2857, 0.1429]
    assert numbers(kept) != numbers(dropped)
    for result, handling in ((kept, "保留"), (dropped, "剔除")):
        (finding,) = said(result, "check.W5")
        assert "王对“总目标”的判断矩阵" in finding.what and handling in finding.what
        assert result.tables["mends"][0]["verdict"] == result.subject["handling"] == handling
    assert [row["experts"] for row in kept.tables["groups"]] == ["2"]
    only = run(write(tmp_path / "c.xlsx", {"inconsistent": "保留"}, **make | {"pairs": pairs(
        GOAL, ["甲", "乙", "丙"], {"王": "5 1/5 5"})}))  # fmt: skip
    assert only.subject["experts"] == "1"
    alone = write(tmp_path / "d.xlsx", **make | {"pairs": pairs(GOAL, ["甲", "乙", "丙"],
                                                                {"王": "5 1/5 5"})})  # fmt: skip
    with pytest.raises(EvalkitError, match="“总目标”没有可用的判断矩阵"):
        run(alone)  # and no other method


def test_more_items_than_a_matrix_may_have(tmp_path):
    names = [f"项{n}" for n in range(16)]
    rows = pairs(GOAL, names, {"甲": " ".join(["1"] * 120)})
    scored = marks("一", [f"A{n}" for n in range(1, 17)], 甲=" ".join(["5"] * 16))
    task = write(tmp_path / "a.xlsx", indicators=flat(names), experts=people("甲"), pairs=rows,
                 marks=scored)  # fmt: skip
    result = run(task)
    assert "超过 15 项" in said(result, "weight.size")[0].what
    assert result.subject["method"] == "专家打分法"


def test_a_gap_in_the_marks_leaves_that_expert_out_of_that_round(tmp_path):
    rows = marks("一", CODES, 甲="8 4 6 2", 乙="8 _ 6 2") + marks(
        "二", CODES, 甲="8 4 6 2", 乙="6 4 8 2"
    )
    task = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲", "乙"), marks=rows)
    result = run(task)
    (gap,) = said(result, "weight.missing")
    assert gap.what.startswith("一：") and "A102" in gap.what and "乙" in gap.what
    assert [r["n"] for r in result.tables["rounds"]] == ["1"] * 4 + ["2"] * 4
    with pytest.raises(EvalkitError, match="一：“A102”行“乙”列没有填写"):
        run(task, "送审稿")


def test_marks_above_the_full_mark_or_below_zero_are_told_with_their_cell(tmp_path):
    rows = marks("一", CODES, 甲="8 4 11 2", 乙="8 4 6 2", 丙="-1 4 6 2")
    task = write(tmp_path / "a.xlsx", {"full": "10"}, indicators=TREE,
                 experts=people("甲", "乙", "丙"), marks=rows)  # fmt: skip
    result = run(task)
    (high,) = said(result, "check.W4")
    assert "11 分，高于满分 10 分" in high.what and high.cell.startswith("E")
    assert "丙" in said(result, "weight.negative")[0].what
    assert {row["n"] for row in result.tables["marks"]} == {"2"}


def test_only_some_experts_have_a_share(tmp_path):
    task = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲", "乙", 甲="2"),
                 pairs=tree_pairs({"甲": "3 1 4"}, {"乙": "3 1 4"}),
                 marks=marks("一", CODES, 甲="8 4 6 2"))  # fmt: skip
    result = run(task)
    assert "“乙”行“比重”列没有填写" in said(result, "weight.missing")[0].what
    assert result.subject["method"] == "专家打分法"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"value:B101": None}, "check.W8", "没有 B101 的数据"),
        ({"value:B101": None, "value:戊": "1"}, "check.W7", "列名 戊 不是指标编号"),
    ],
)
def test_data_of_some_indicators_only_are_refused_by_name(tmp_path, change, code, words):
    lines = [{k: v for k, v in (row | change).items() if v is not None} for row in OBJECTS]
    task = write(tmp_path / "a.xlsx", {"entropy": "比重"}, indicators=TREE, objects=lines,
                 experts=people("甲"), pairs=tree_pairs({"甲": "3 1 4"}))  # fmt: skip
    result = run(task)
    assert words in said(result, code)[0].what
    assert result.subject["method"] == "层次分析法"
    with pytest.raises(EvalkitError):
        run(task, "终稿")


@pytest.mark.parametrize(
    ("lines", "form", "code"),
    [
        (OBJECTS[:2], "比重", "weight.objects"),
        ([row | {"value:A101": "90"} for row in OBJECTS], "极差", "weight.constant"),
        ([OBJECTS[0] | {"value:A101": "0"}, *OBJECTS[1:]], "比重", "weight.positive"),
        ([*OBJECTS[1:], {k: v for k, v in OBJECTS[0].items() if k != "value:A101"}], "比重",
         "weight.missing"),
    ],
)  # fmt: skip
def test_data_that_cannot_weigh_leave_their_method_out(tmp_path, lines, form, code):
    task = write(tmp_path / "a.xlsx", {"entropy": form}, indicators=TREE, objects=lines,
                 experts=people("甲"), pairs=tree_pairs({"甲": "3 1 4"}))  # fmt: skip
    result = run(task)
    (fault,) = said(result, code)
    assert fault.what.startswith("熵权法：")
    assert result.subject["method"] == "层次分析法"


def test_data_that_nobody_asked_for_are_noted(tmp_path):
    task = write(tmp_path / "a.xlsx", indicators=TREE, objects=OBJECTS, experts=people("甲"),
                 pairs=tree_pairs({"甲": "3 1 4"}))  # fmt: skip
    (note,) = said(run(task, "终稿"), "check.W9")
    assert note.severity == "note"


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([{"method": "层次分析法", "share": "1"}, {"method": "熵权法", "share": "1"}], "不一致"),
        ([{"method": "层次分析法", "share": "1"}], "不一致"),
        (
            [{"method": "层次分析法", "share": "0"}, {"method": "专家打分法", "share": "0"}],
            "全为 0",
        ),
    ],
)
def test_shares_that_do_not_fit_the_methods_in_play_are_refused_in_any_stage(
    tmp_path, shares, words
):
    scored = marks("一", CODES, 甲="8 4 6 2")
    task = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲"), shares=shares,
                 pairs=tree_pairs({"甲": "3 1 4"}), marks=scored)  # fmt: skip
    with pytest.raises(EvalkitError, match=words):
        run(task)


def test_a_step_that_does_not_divide_the_total_is_refused(tmp_path):
    task = write(tmp_path / "a.xlsx", {"step": "3"}, indicators=TREE, experts=people("甲"),
                 pairs=tree_pairs({"甲": "3 1 4"}))  # fmt: skip
    with pytest.raises(EvalkitError, match="不是分值单位 3 的整数倍"):
        run(task)


def test_a_task_without_any_answer_is_refused_with_all_that_is_missing(tmp_path):
    task = write(tmp_path / "a.xlsx", {"report_date": ""}, indicators=TREE, pairs=tree_pairs())
    with pytest.raises(EvalkitError, match="没有一种方法有可用的数据") as refused:
        run(task)
    assert "required.always" in {problem.code for problem in refused.value.problems}


def test_two_indicators_of_one_name_are_told(tmp_path):
    tree = [*TREE[:1], TREE[0] | {"code": "A102"}, *TREE[2:]]
    task = write(tmp_path / "a.xlsx", indicators=tree, experts=people("甲"),
                 marks=marks("一", CODES, 甲="8 4 6 2"))  # fmt: skip
    assert len(said(run(task), "check.W12")) == 2
    with pytest.raises(EvalkitError, match="“数量”下有 2 个“甲”"):
        run(task, "送审稿")


def findings(tmp_path, marks_, **form):
    experts = people(*(f"专家{n}" for n in range(5)))
    rows = marks("一", CODES, **dict.fromkeys((e["name"] for e in experts), marks_))
    tree = [row | {"points": p} for row, p in zip(TREE, ("30", "20", "", "20"), strict=True)]
    task = write(tmp_path / "a.xlsx", form, indicators=tree, experts=experts, marks=rows)
    return task, run(task)


def test_findings_on_points(tmp_path):
    tree_of = {"产出": "决策", "效益": "过程"}
    task, result = findings(tmp_path, "9 9 9 3")
    assert not said(result, "check.W18")
    changed = [f"{p.indicator}{p.what}" for p in said(result, "check.W14")]
    assert len(changed) == 2 and "原定 20" in changed[0]
    tree = [row | {"level1": tree_of[row["level1"]]} for row in TREE]
    rows = marks("一", CODES, 甲="9 9 9 3")
    low = write(task, indicators=tree, experts=people("甲"), marks=rows)
    (share,) = said(run(low), "check.W18")
    assert "产出、效益指标权重合计 0%，低于 60%（财预〔2020〕10号第十四条，原则上）" in share.what
    with pytest.raises(EvalkitError, match="低于 60%"):
        run(low, "终稿")
    reason = write(task, {"weight_reason": "项目处于前期"}, indicators=tree, experts=people("甲"),
                   marks=rows)  # fmt: skip
    assert not said(run(reason, "终稿"), "check.W18")
    assert "少于 5 位" in said(run(low), "check.W19")[0].what


def test_an_indicator_without_points_is_told(tmp_path):
    task = write(tmp_path / "a.xlsx", {"step": "10"}, indicators=TREE, experts=people("甲"),
                 marks=marks("一", CODES, 甲="100 100 100 1"))  # fmt: skip
    (zero,) = said(run(task), "check.W13")
    assert "丁的分值为 0" in zero.what
    with pytest.raises(EvalkitError, match="丁的分值为 0"):
        run(task, "终稿")


def test_a_county_rule_on_points_holds_under_its_profile_only(tmp_path):
    task, result = findings(tmp_path, "9 9 8 3", step="0.5")
    assert not [p for n in (15, 16, 17) for p in said(result, f"check.W{n}")]
    result = run(task, profile="zhengzhou")
    halves = [problem.what for problem in said(result, "check.W15")]
    assert halves == ["丙的分值 27.5 不是整数", "丁的分值 10.5 不是整数"]
    (low,) = said(result, "check.W17")
    assert "效益的分值 10.5 低于 15" in low.what
    assert [p.what for p in said(result, "check.W16")] == [
        "产出的分值 89.5 不是 5 的整数倍", "效益的分值 10.5 不是 5 的整数倍",
    ]  # fmt: skip


def test_experts_who_disagree_and_who_stand_apart_are_told_and_kept(tmp_path):
    rows = marks("一", CODES, 甲="9 7 5 1", 乙="9 6 5 1", 丙="9 7 4 1", 丁="1 5 7 9")
    task = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲", "乙", "丙", "丁"),
                 marks=rows)  # fmt: skip
    result = run(task)
    (disagree,), (apart,) = said(result, "check.W10"), said(result, "check.W11")
    assert (
        "专家意见不一致" in disagree.what and result.tables["agreement"][0]["verdict"] == "不一致"
    )
    assert apart.what.startswith("丁（专家打分（一））：与其余专家的名次不一致")
    assert (apart.sheet, apart.severity) == ("专家", "note")
    assert {row["n"] for row in result.tables["marks"]} == {"4"}
    assert len(result.tables["icc"]) == 6


def test_a_workbook_of_another_business_is_refused(tmp_path):
    other = Path(shutil.copy(DEMO / "library" / "数据底稿.xlsx", tmp_path / "a.xlsx"))
    with pytest.raises(EvalkitError, match="不是“权重任务”工作簿"):
        run(other)


def test_columns_that_stand_in_the_task_itself_count_without_a_folder(tmp_path):
    task = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲"),
                 pairs=tree_pairs({"甲": "3 1 4"}))  # fmt: skip
    assert load(task).answers == [load(task).source]
    book = load_workbook(task)
    assert book["两两比较"].data_validations.dataValidation
    assert numbers(run(task, "终稿"))[0] == pytest.approx(0.3)
