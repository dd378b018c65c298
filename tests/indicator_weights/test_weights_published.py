"""Published cases through the workbook, and what can be reckoned by hand."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from pymcdm.weights import critic_weights, entropy_weights
from weights_support import GOAL, column, flat, marks, numbers, pairs, people, run, said, write

# Saaty (1980), The Analytic Hierarchy Process: buying a house; the same matrix in Saaty (2003),
# European Journal of Operational Research 145(1)
HOUSE = ["size", "transport", "neighbourhood", "age", "yard", "modern", "condition", "financing"]
HOUSE_SAID = (
    "5 3 7 6 6 1/3 1/4 1/3 5 3 3 1/5 1/7 6 3 4 6 1/5 1/3 1/4 1/7 1/8 1/2 1/5 1/6 1/5 1/6 1/2"
)
# Saaty (2008), International Journal of Services Sciences 1(1): consumption of drinks in the USA
DRINKS = ["coffee", "wine", "tea", "beer", "soda", "milk", "water"]
DRINKS_SAID = "9 5 2 1 1 1/2 1/3 1/9 1/9 1/9 1/9 1/3 1/4 1/3 1/9 1/2 1 1/3 2 1/2 1/3"


def one_level(path, names, said_, **form):
    rows = pairs(GOAL, names, {"甲": said_})
    return write(path, form, indicators=flat(names), experts=people("甲"), pairs=rows)


def test_the_house_of_saaty_comes_out_of_the_workbook_as_printed(tmp_path):
    result = run(one_level(tmp_path / "a.xlsx", HOUSE, HOUSE_SAID, inconsistent="保留"))
    printed = [0.173, 0.054, 0.188, 0.018, 0.031, 0.036, 0.167, 0.333]
    assert [round(w, 3) for w in numbers(result)] == printed
    (group,) = result.tables["groups"]
    told = [round(float(group[key]), 3) for key in ("c:λmax", "c:CI", "c:RI", "c:CR")]
    assert told == [9.669, 0.238, 1.41, 0.169]
    (mend,) = result.tables["mends"]
    assert (mend["row"], mend["column"], mend["judgement"]) == ("neighbourhood", "condition", "6")
    assert (mend["suggested"], round(float(mend["after"]), 3)) == ("1/2", 0.082)  # as Saaty (2003)
    (finding,) = said(result, "check.W5")
    for words in ("CR＝0.16", "不小于 0.1", "“neighbourhood”对“condition”的 6", "1/2", "保留"):
        assert words in finding.what
    assert said(result, "check.W6")  # the group's matrix is that of its only expert


def test_the_drinks_of_saaty_2008_with_the_random_indices_of_2005(tmp_path):
    result = run(one_level(tmp_path / "a.xlsx", DRINKS, DRINKS_SAID, index="Saaty（2005）"))
    printed = [0.177, 0.019, 0.042, 0.116, 0.190, 0.129, 0.327]
    assert [round(w, 3) for w in numbers(result)] == printed
    assert round(float(result.tables["groups"][0]["c:CR"]), 3) == 0.022
    assert result.subject["index"] == "Saaty（2005）"
    assert not said(result, "check.W5")


@pytest.mark.parametrize("order", ["upper", "lower", "shuffled"])
def test_it_does_not_matter_which_way_round_or_in_which_order_pairs_stand(tmp_path, order):
    rows = pairs(GOAL, DRINKS, {"甲": DRINKS_SAID})
    turn = {text: str(text[2:] if "/" in text else f"1/{text}") for text in DRINKS_SAID.split()}
    turn["1"] = "1"
    if order == "lower":
        rows = [
            {
                "parent": r["parent"],
                "a": r["b"],
                "b": r["a"],
                "judgement:甲": turn[r["judgement:甲"]],
            }
            for r in rows
        ]
    if order == "shuffled":
        rows = rows[::-2] + rows[-2::-2]
    path = write(tmp_path / "a.xlsx", indicators=flat(DRINKS), experts=people("甲"), pairs=rows)
    assert [round(w, 3) for w in numbers(run(path))][:2] == [0.177, 0.019]


TREE = [
    {"code": "A101", "level1": "产出", "level2": "数量", "level3": "甲"},
    {"code": "A102", "level1": "产出", "level2": "数量", "level3": "乙"},
    {"code": "A201", "level1": "产出", "level2": "质量", "level3": "丙"},
    {"code": "B101", "level1": "效益", "level2": "社会", "level3": "丁"},
]


def tree_pairs(*said_: dict[str, str]):
    """Judgements of the goal, of 产出 and of 产出/数量: one text an expert, three judgements."""
    parts = [(GOAL, ["产出", "效益"]), ("产出", ["数量", "质量"]), ("产出/数量", ["甲", "乙"])]
    return [
        row
        for n, (above, names) in enumerate(parts)
        for row in pairs(above, names, {w: t.split()[n] for e in said_ for w, t in e.items()})
    ]


def test_weights_are_multiplied_down_the_levels(tmp_path):
    rows = tree_pairs({"甲": "3 1 4"})
    result = run(write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲"), pairs=rows))
    # 3/4 × 1/2 × 4/5 and so on; a lone indicator has all of what stands above it
    assert numbers(result) == pytest.approx([0.3, 0.075, 0.375, 0.25])
    assert column(result, "product") == [
        "0.75×0.5×0.8", "0.75×0.5×0.2", "0.75×0.5×1", "0.25×1×1",
    ]  # fmt: skip
    # 7.5 and 37.5: of equal remainders the larger weight's
    assert column(result, "points") == ["30", "7", "38", "25"]
    assert column(result, "spread") == [""] * 4  # of one expert there is none


AIP = {"权重算术平均": (2 / 3 + 8 / 9) / 2, "权重几何平均": 0.8}


@pytest.mark.parametrize("how", ["判断矩阵几何平均", *AIP])
def test_two_experts_are_one_group_by_each_way_of_aggregation(tmp_path, how):
    rows = tree_pairs({"甲": "2 1 1"}, {"乙": "8 1 1"})
    path = write(tmp_path / "a.xlsx", {"aggregation": how}, indicators=TREE,
                 experts=people("甲", "乙"), pairs=rows)  # fmt: skip
    result = run(path)
    # √(2×8)=4 → 0.8; (2/3+8/9)/2; √(2/3·8/9) : √(1/3·1/9) = 4 : 1
    assert sum(numbers(result)[:3]) == pytest.approx(AIP.get(how, 0.8), abs=2e-4)
    heads = {key for row in result.tables["matrices"] for key in row if key.startswith("a:")}
    assert heads == ({"a:甲", "a:乙"} if how in AIP else {"a:①", "a:②"})
    # each alone: 甲 2/3, 乙 8/9 of the first level, a quarter of it each for A101 and A102
    sd = np.std([2 / 3 / 4, 8 / 9 / 4], ddof=1)
    assert numbers(result, "spread")[0] == pytest.approx(sd, abs=1e-4)


def test_shares_of_experts_count(tmp_path):
    rows = tree_pairs({"甲": "2 1 1"}, {"乙": "8 1 1"})
    path = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲", "乙", 甲="3", 乙="1"),
                 pairs=rows)  # fmt: skip
    a = 2 ** (3 / 4) * 8 ** (1 / 4)
    assert sum(numbers(run(path))[:3]) == pytest.approx(a / (a + 1), abs=2e-4)


def test_marks_are_means_over_the_sum_of_means_and_the_last_round_counts(tmp_path):
    codes = [row["code"] for row in TREE]
    rows = marks("第一轮", codes, 甲="9 1 5 5", 乙="1 9 5 5") + marks(
        "第二轮", codes, 甲="8 4 6 2", 乙="6 4 8 2"
    )
    path = write(tmp_path / "a.xlsx", indicators=TREE, experts=people("甲", "乙"), marks=rows)
    result = run(path)
    assert numbers(result) == pytest.approx([0.35, 0.2, 0.35, 0.1])
    assert column(result, "round", "marks") == ["第二轮"] * 4
    first = result.tables["rounds"][0]
    assert (first["mean"], first["mean_change"]) == ("5.0000", "")
    assert result.tables["marks"][0]["mean_change"] == "2.0000"
    assert column(result, "spread")[0] == f"{np.std([8 / 20, 6 / 20], ddof=1):.4f}"
    assert (result.subject["method"], result.subject["experts"]) == ("专家打分法", "2")


def test_the_highest_and_the_lowest_mark_may_be_dropped(tmp_path):
    codes = [row["code"] for row in TREE]
    rows = marks("第一轮", codes, 甲="1 5 5 5", 乙="5 5 5 5", 丙="9 5 5 5")
    kept = write(tmp_path / "a.xlsx", {"trim": "1"}, indicators=TREE, marks=rows,
                 experts=people("甲", "乙", "丙"))  # fmt: skip
    assert numbers(run(kept)) == pytest.approx([0.25] * 4)


BOTH = {
    "线性": lambda a, m: [0.7 * x + 0.3 * y for x, y in zip(a, m, strict=True)],
    "几何": lambda a, m: [x**0.7 * y**0.3 for x, y in zip(a, m, strict=True)],
    "乘法": lambda a, m: [x * y for x, y in zip(a, m, strict=True)],
}


@pytest.mark.parametrize("how", BOTH)
def test_two_methods_are_combined_as_the_formula_says(tmp_path, how):
    codes = [row["code"] for row in TREE]
    shares = [{"method": "专家打分法", "share": "3"}, {"method": "层次分析法", "share": "7"}]
    path = write(tmp_path / "a.xlsx", {"combination": how}, indicators=TREE, shares=shares,
                 experts=people("甲"), pairs=tree_pairs({"甲": "3 1 4"}),
                 marks=marks("第一轮", codes, 甲="8 4 6 2"))  # fmt: skip
    result = run(path)
    raw = BOTH[how]([0.3, 0.075, 0.375, 0.25], [0.4, 0.2, 0.3, 0.1])
    assert numbers(result) == pytest.approx([x / sum(raw) for x in raw], abs=6e-5)
    assert result.subject["method"] == f"层次分析法与专家打分法{how}组合"
    assert column(result, "w:专家打分法") == ["0.4000", "0.2000", "0.3000", "0.1000"]


OBJECTS = [
    {"name": "甲县", "value:A101": "90", "value:A102": "4", "value:丙": "88.5", "value:B101": "70"},
    {"name": "乙县", "value:A101": "95", "value:A102": "2", "value:丙": "91", "value:B101": "64"},
    {"name": "丙县", "value:A101": "99", "value:A102": "1", "value:丙": "86", "value:B101": "81"},
]
DATA = np.array([[90, 4, 88.5, 70], [95, 2, 91, 64], [99, 1, 86, 81]])


def test_entropy_and_critic_are_those_of_pymcdm_and_join_the_experts(tmp_path):
    rows = [row | ({"direction": "逆向"} if row["code"] == "A102" else {}) for row in TREE]
    form = {"entropy": "比重", "critic": "是"}
    path = write(tmp_path / "a.xlsx", form, indicators=rows, objects=OBJECTS, experts=people("甲"),
                 pairs=tree_pairs({"甲": "3 1 4"}))  # fmt: skip
    result = run(path)
    turned = DATA.copy()
    turned[:, 1] = 1 / turned[:, 1]
    assert numbers(result, "w:熵权法") == pytest.approx(entropy_weights(turned), abs=6e-5)
    turned[:, 1] = -DATA[:, 1]
    assert numbers(result, "w:CRITIC法") == pytest.approx(critic_weights(turned), abs=6e-5)
    every = [numbers(result, f"w:{m}") for m in ("层次分析法", "熵权法", "CRITIC法")]
    assert numbers(result) == pytest.approx(np.mean(every, axis=0), abs=2e-4)  # alike shares
    assert result.subject["method"] == "层次分析法、熵权法与CRITIC法线性组合"
    assert len(result.tables["entropy"]) == len(result.tables["critic"]) == 4


def test_data_alone_need_no_expert(tmp_path):
    path = write(tmp_path / "a.xlsx", {"entropy": "极差"}, indicators=TREE, objects=OBJECTS)
    result = run(path, "终稿")
    assert math.isclose(sum(numbers(result)), 1, abs_tol=2e-4)
    assert result.subject["experts"] == "0" and not result.tables.get("agreement")


@pytest.mark.parametrize(("total", "step"), [("100", "1"), ("90", "0.5"), ("100", "5")])
def test_points_sum_exactly_and_are_whole_steps(tmp_path, total, step):
    path = write(tmp_path / "a.xlsx", {"total": total, "step": step}, indicators=TREE,
                 experts=people("甲"), pairs=tree_pairs({"甲": "3 1 4"}))  # fmt: skip
    result = run(path)
    points = [Decimal(text) for text in column(result, "points")]
    assert sum(points) == Decimal(total)
    assert not any(each % Decimal(step) for each in points)
    assert not any("." in text and text.endswith("0") for text in column(result, "points"))
    quotas = [Decimal(text) for text in column(result, "quota")]
    assert all(abs(a - b) < Decimal(step) for a, b in zip(points, quotas, strict=True))


def test_the_first_level_may_have_a_step_of_its_own(tmp_path):
    path = write(tmp_path / "a.xlsx", {"level1_step": "5"}, indicators=TREE, experts=people("甲"),
                 pairs=tree_pairs({"甲": "2 3 2"}))  # fmt: skip
    result = run(path)
    # 66.67 and 33.33 of 100 in steps of 5: 65 and 35; 产出's 65 by 1/2, 1/4, 1/4
    assert column(result, "points", "levels") == ["65", "35"]
    assert column(result, "points") == ["33", "16", "16", "35"]
