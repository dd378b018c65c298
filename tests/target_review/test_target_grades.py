"""Grades: two tables worked by hand, the counting rule in all cases, ranges before a decision."""

from decimal import Decimal
from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from targets_support import cell, findings, policy, table

from evalkit.core.model import Datum
from evalkit.rounds.target_review import counted, review

GRADES = "优良中差"
FORM = policy().value("target_review_form")
POINTS = [*dict.fromkeys(item["point"] for item in FORM)]
RULES = policy().value("target_review_counting")


def entry(grade: str, rate: str = "", opinion: str = "") -> dict[str, Datum]:
    return {"grade": cell(grade, "text"), "rate": cell(rate, "value", unit="%"),
            "opinion": cell(opinion, "text")}  # fmt: skip


def test_the_form_is_the_published_one():
    assert len(FORM) == 16 and len(POINTS) == 8
    by_aspect: dict[str, Decimal] = {}
    for item in FORM:
        by_aspect[item["aspect"]] = by_aspect.get(item["aspect"], Decimal(0)) + item["points"]
    assert [int(points) for points in by_aspect.values()] == [20, 30, 30, 20]
    assert all(f"（{points}分）" in aspect for aspect, points in by_aspect.items())
    for item in FORM:
        points = sum(each["points"] for each in FORM if each["point"] == item["point"])
        assert item["label"] == f"{item['point']}（{points}分）"


# rates by item, and the scores worked by hand: points × rate, one decimal, half up
KEY_PROJECT = [
    ("优", "100", "5.0"), ("优", "90", "4.5"),  # 5, 5
    ("良", "85", "4.3"), ("良", "89.5", "4.5"),  # 4.25 → 4.3; 4.475 → 4.5
    ("优", "95", "6.7"), ("优", "100", "8.0"),  # 7 × 0.95 = 6.65 → 6.7
    ("中", "70", "5.6"), ("中", "60", "4.2"),  # 8, 7
    ("良", "80", "6.4"), ("良", "88", "6.2"),  # 7 × 0.88 = 6.16
    ("差", "50", "4.0"), ("良", "85", "6.0"),  # 7 × 0.85 = 5.95 → 6.0
    ("优", "92", "4.6"), ("优", "96", "4.8"),
    ("良", "82", "4.1"), ("优", "100", "5.0"),
]  # fmt: skip


def test_a_key_project_worked_by_hand():
    entries = {item["item"]: entry(grade, f"{rate}%")
               for item, (grade, rate, _) in zip(FORM, KEY_PROJECT, strict=True)}  # fmt: skip
    done = review(entries, [], True, policy())
    assert [str(item["low"]) for item in done["items"]] == [score for *_, score in KEY_PROJECT]
    assert (done["low"], done["high"], done["grade"]) == (Decimal("83.9"), Decimal("83.9"), "良")
    assert not any(item["open"] for item in done["items"])


def test_an_ordinary_project_worked_by_hand():
    """Six points are 优; 资金匹配性 is 良 by its lower item; 条件充分性 is 良: 优 in all."""
    entries = {point: entry("优") for point in POINTS}
    entries |= {
        "6.1 资金量匹配": entry("优"),
        "6.2 支出内容匹配": entry("良"),
        "条件充分性": entry("良"),
    }
    assert review(entries, [], False, policy())["grade"] == "优"
    entries["8.2 内控制度"] = entry("中")  # one of the others is 中: no longer 优, but 良
    assert review(entries, [], False, policy())["grade"] == "良"
    entries["7.1 论证测算"] = entry("差")  # 差 among the others: no longer 良, but 中
    assert review(entries, [], False, policy())["grade"] == "中"
    for name in ("1.1 格式规范", "2.1 目标明确"):  # five of at least 中 are too few
        entries[name] = entry("差")
    assert review(entries, [], False, policy())["grade"] == "差"


def plainly(grades: tuple[str, ...]) -> str:
    """The rule as 附2-6 words it, written out."""
    best, good, fair = (sum(g in kinds for g in grades) for kinds in ("优", "优良", "优良中"))
    if best >= 6 and not {"中", "差"} & {*grades}:
        return "优"
    if good >= 6 and "差" not in grades:
        return "良"
    return "中" if fair >= 6 else "差"


def test_the_counting_rule_in_all_65536_cases():
    seen = {}
    for grades in product(GRADES, repeat=8):
        key = tuple(sorted(grades))
        if key not in seen:
            seen[key] = counted(grades, RULES)
            assert seen[key] == plainly(grades)
    assert len(seen) == 165
    assert {*seen.values()} == {*GRADES}


@given(st.lists(st.sampled_from(GRADES), min_size=8, max_size=8), st.integers(0, 7))
def test_a_better_grade_never_lowers_the_result(grades, place):
    better = [*grades]
    better[place] = GRADES[max(0, GRADES.index(grades[place]) - 1)]
    assert GRADES.index(counted(better, RULES)) <= GRADES.index(counted(grades, RULES))


@given(st.lists(st.sampled_from("优良中差"), min_size=16, max_size=16), st.integers(0, 15))
def test_a_better_item_never_lowers_a_score_or_its_range(grades, place):
    def done(mine):
        entries = {item["item"]: entry(g) for item, g in zip(FORM, mine, strict=True)}
        return review(entries, [], True, policy())

    better = [*grades]
    better[place] = GRADES[max(0, GRADES.index(grades[place]) - 1)]
    before, after = done(grades), done(better)
    assert before["low"] <= before["high"]
    assert (after["low"], after["high"]) >= (before["low"], before["high"])


def test_without_an_entry_findings_suggest_and_the_score_is_a_range():
    found = findings(table(goal=""))  # 总体目标为空 weighs as 差 in item 2.1
    done = review({}, found, True, policy())
    by_id = {item["id"]: item for item in done["items"]}
    assert (by_id["2.1"]["grade"], by_id["2.1"]["opinion"]) == ("差", "没有填写总体目标")
    assert (str(by_id["2.1"]["low"]), str(by_id["2.1"]["high"])) == ("0.0", "3.0")
    assert (by_id["1.1"]["grade"], str(by_id["1.1"]["low"])) == ("优", "4.5")
    # what no check can see stays open from nought to its points
    assert (by_id["3.1"]["grade"], by_id["3.1"]["low"], by_id["3.1"]["high"]) == ("", 0, 7)
    assert all(item["open"] for item in done["items"]) and done["grade"] == ""


def test_one_warning_suggests_the_second_grade_and_one_error_the_third():
    found = findings(table(points="100", name=""))
    by_id = {item["id"]: item for item in review({}, found, True, policy())["items"]}
    assert (by_id["1.1"]["grade"], by_id["1.2"]["grade"]) == ("良", "中")


def test_an_ordinary_project_has_no_grade_while_an_item_has_none():
    done = review({}, [], False, policy())
    assert done["grade"] == "" and all(item["open"] for item in done["items"])
    done = review({point: entry("优") for point in POINTS[:-1]}, [], False, policy())
    assert done["grade"] == ""
    assert [item["id"] for item in done["items"] if item["open"]] == ["8.1", "8.2"]


def test_a_scored_table_without_rates_stays_open_but_may_have_its_grade():
    done = review({point: entry("优") for point in POINTS}, [], True, policy())
    assert (str(done["low"]), str(done["high"]), done["grade"]) == ("90.0", "100.0", "优")
    assert all(item["open"] for item in done["items"])


def test_what_the_reviewer_writes_replaces_the_sentences_of_the_findings():
    found = findings(table(goal=""))
    entries = {"明确清晰性": entry("中", "70%", "补写总体目标")}
    item = review(entries, found, True, policy())["items"][2]
    assert (item["opinion"], item["grade"], str(item["low"])) == ("补写总体目标", "中", "3.5")
