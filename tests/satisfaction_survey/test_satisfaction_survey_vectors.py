"""Published and worked vectors, from the workbook to the result."""

from __future__ import annotations

from decimal import Decimal
from math import sqrt

import pytest
from satisfaction_support import LEVELS, TEXTS, Q, deliver, export, paper, run, task, texts, value

from evalkit.core.numbers import fixed

V8 = (96, 120, 48, 12, 4)  # a worked example under five mappings
MAPPED = {"五级均值": "80.86", "百分赋值": "76.07", "递减赋值": "80.14", "前两级占比": "77.14",
          "前三级占比": "94.29"}  # fmt: skip


@pytest.mark.parametrize("mapping", MAPPED)
def test_v8_gives_each_mapping_and_the_adopted_one_exactly(tmp_path, mapping):
    path = task(tmp_path, tally=[paper(*V8)], project={"survey_mapping": mapping})
    result = run(path)
    assert {row["mapping"]: row["satisfaction"] for row in result.tables["mappings"]} == MAPPED
    assert str(result.values["survey.satisfaction"]) == MAPPED[mapping]
    (adopted,) = result.tables["adopted"]
    assert (adopted["mapping"], adopted["satisfaction"], adopted["valid"]) == (
        mapping,
        MAPPED[mapping],
        "280",
    )
    (row,) = result.tables["questions"]
    assert [row[level] for level in LEVELS] == list(map(str, V8))
    assert fixed(value(row["formula"])) == MAPPED[mapping]
    (marked,) = (r for r in result.tables["mappings"] if r["adopted"])
    assert marked["mapping"] == mapping == result.subject["survey_mapping"]


def test_v8_has_wilsons_interval_where_a_share_is_adopted(tmp_path):
    result = run(task(tmp_path, tally=[paper(*V8)], project={"survey_mapping": "前两级占比"}))
    assert (result.values["survey.low"], result.values["survey.high"]) == (
        Decimal("71.88"),
        Decimal("81.67"),
    )
    assert result.tables["questions"][0]["mean"] == "4.04"  # 80.86 / 20


ITEMS = [f"2、请评价：—{name}" for name in ("态度", "效率", "环境", "时间")]
V9 = ["5454", "4444", "3323", "5545", "2322", "4454", "3433", "5554"]
CODES = [{"question": "2", "code": str(5 - n), "option": level} for n, level in enumerate(LEVELS)]


def v9(folder, rows=V9, **more):
    name = export(folder, [list(row) for row in rows], *ITEMS)
    questions = [{"question": item, "kind": "满意度"} for item in ITEMS]
    project = {"answers": name, "sent_online": "10"} | more.pop("project", {})
    return task(folder, questions=questions, options=CODES, project=project, **more)


def test_v9_gives_its_alpha_from_an_export_by_codes(tmp_path):
    result = run(v9(tmp_path))
    assert result.values["survey.alpha"] == Decimal("0.9360")
    (row,) = result.tables["alphas"]
    assert (row["n"], row["k"], row["alpha"], row["level"]) == ("8", "4", "0.9360", "良好")
    # Feldt's interval, as the room `survey` has it of the same vector
    assert [f"{float(row[end]):.3f}" for end in ("low", "high")] == ["0.810", "0.986"]
    assert [item["item"] for item in result.tables["reliability"]] == [i[2:] for i in ITEMS]


def test_few_answers_are_said_to_be_few_and_no_factor_analysis_is_spoken_of(tmp_path):
    report = texts(deliver(v9(tmp_path), tmp_path / "out")["满意度调查报告"])
    assert "完整答卷不足30份" in report and "0.936" in report
    assert "因子" not in report and "KMO" not in report


def test_a_reversed_item_is_turned_before_satisfaction_and_reliability(tmp_path):
    plain = run(v9(tmp_path))
    (tmp_path / "反").mkdir()
    turned = ["".join([row[0], str(6 - int(row[1])), *row[2:]]) for row in V9]
    path = v9(tmp_path / "反", turned)
    questions = [{"question": item, "kind": "满意度", "reverse": "是" if n == 1 else ""}
                 for n, item in enumerate(ITEMS)]  # fmt: skip
    name = "答卷.csv"
    path = task(tmp_path / "反", questions=questions, options=CODES,
                project={"answers": name, "sent_online": "10"})  # fmt: skip
    result = run(path)
    assert result.values["survey.alpha"] == plain.values["survey.alpha"]
    assert result.values["survey.satisfaction"] == plain.values["survey.satisfaction"]
    counted = [[row[level] for level in LEVELS] for row in result.tables["questions"]]
    assert counted == [[row[level] for level in LEVELS] for row in plain.tables["questions"]]
    report = texts(deliver(path, tmp_path / "out")["满意度调查报告"])
    assert "反向题：“请评价：—效率”" in report and "满意度（反向）" in report


# Morton & Price (1989), ACLS survey of scholars, as in Lohr, Sampling: Design and Analysis,
# stratified by discipline: members, valid returns, percent female. The estimate is 24.65 % with a
# standard error of 0.71 %.
ACLS = {
    "Literature": (9100, 636, 38), "Classics": (1950, 451, 27), "Philosophy": (5500, 481, 18),
    "History": (10850, 611, 19), "Linguistics": (2100, 493, 36),
    "Political Science": (5500, 575, 13), "Sociology": (9000, 588, 26),
}  # fmt: skip


def test_a_published_stratified_proportion_comes_out_with_its_error(tmp_path):
    counts = {name: (N, n, round(n * share / 100)) for name, (N, n, share) in ACLS.items()}
    path = task(
        tmp_path,
        project={"survey_mapping": "前两级占比", "weighted": "是", "sampling": "分层随机抽样"},
        tally=[paper(yes, 0, 0, 0, n - yes, group=name) for name, (_, n, yes) in counts.items()],
        strata=[{"stratum": name, "population": str(N)} for name, (N, *_) in counts.items()],
    )
    result = run(path)
    exact = sum(N * yes / n for N, n, yes in counts.values()) / 44000 * 100
    assert float(result.values["survey.satisfaction"]) == pytest.approx(exact, abs=0.005)
    assert float(result.values["survey.satisfaction"]) == pytest.approx(24.65, abs=0.05)
    half = float(result.values["survey.high"] - result.values["survey.low"]) / 2
    parts = [(N / 44000) ** 2 * (1 - n / N) * (y / n) * (1 - y / n) / (n - 1)
             for N, n, y in counts.values()]  # fmt: skip
    assert 100 * sqrt(sum(parts)) == pytest.approx(0.71, abs=0.005)
    assert half / 1.96 == pytest.approx(0.71, abs=0.01)
    (row,) = result.tables["questions"]
    assert fixed(value(row["formula"])) == row["satisfaction"]
    assert result.values["survey.valid"] == 3835 and result.values["survey.population"] == 44000


def test_shares_of_questions_weigh_exactly_and_the_overall_question_stands_beside(tmp_path):
    names = ["1、甲", "2、乙", "3、丙", "4、总体"]
    kinds = zip(names, ["满意度"] * 3 + ["总体满意度"], ["50%", "30%", "20%", ""], strict=True)
    path = task(
        tmp_path,
        questions=[{"question": q, "kind": k, "share": s} for q, k, s in kinds],
        tally=[paper(1, 0, 2, question=names[0]), paper(2, 1, question=names[1]),
               paper(0, 0, 0, 0, 3, question=names[2]), paper(3, question=names[3])],
    )  # fmt: skip
    result = run(path)
    # 百分赋值: (100+50+50)/3, (200+75)/3, 0
    assert result.values["survey.satisfaction"] == Decimal("60.83")  # 33.333… + 27.5
    assert [row["satisfaction"] for row in result.tables["questions"]] == ["66.67", "91.67", "0.00"]
    (overall,) = result.tables["overall"]
    assert (overall["satisfaction"], overall["question"]) == ("100.00", "4、总体")
    assert TEXTS["limits"] == result.texts["limits"]


def test_without_shares_each_question_weighs_the_same_and_it_is_said(tmp_path):
    path = task(tmp_path, questions=[{"question": q, "kind": "满意度"} for q in (Q, "2、乙")],
                tally=[paper(4), paper(0, 0, 4, question="2、乙")])  # fmt: skip
    assert run(path).values["survey.satisfaction"] == 75
    assert "各题等权" in texts(deliver(path, tmp_path / "out")["满意度调查报告"])


def test_who_does_not_know_counts_neither_way(tmp_path):
    result = run(task(tmp_path, tally=[paper(3, 0, 0, 0, 1, 6)]))
    (row,) = result.tables["questions"]
    assert (row["n"], row["不了解"], row["不了解占比"], row["satisfaction"]) == (
        "4",
        "6",
        "60.00",
        "75.00",
    )
