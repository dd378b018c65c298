"""The shipped policy files: values, sources, profiles."""

import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest

from evalkit import policy
from evalkit.core.model import PolicyUse
from evalkit.core.numbers import round_to
from evalkit.core.paths import assets
from evalkit.core.problem import EvalkitError
from evalkit.policy.load import NATIONAL, Policy

YEAR_END = date(2024, 12, 31)
PROFILES = {"national": "国家", "henan": "河南", "ningxian": "宁县", "zhengzhou": "郑州"}
NO_RULE = re.compile("国家层面无")


@pytest.fixture
def national() -> Policy:
    return policy.load(as_of=YEAR_END)


def grade(score: str, values: Policy) -> str:
    published = round_to(
        Decimal(score), int(values.value("score_digits")), values.value("rounding")
    )
    return next(b["grade"] for b in values.value("grade_bands") if published >= b["from"])


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("100", "优"),
        ("90", "优"),
        ("89.995", "优"),
        ("89.994", "良"),
        ("89.99", "良"),
        ("89.5", "良"),
        ("80", "良"),
        ("79.995", "良"),
        ("79.99", "中"),
        ("60", "中"),
        ("59.99", "差"),
        ("0", "差"),
    ],
)
@pytest.mark.parametrize("profile", ["national", "郑州"])
def test_grade_bands_are_half_open_and_leave_no_gap(profile: str, score: str, expected: str):
    assert grade(score, policy.load(profile, as_of=YEAR_END)) == expected


@pytest.mark.parametrize(
    ("rate", "plain_ratio", "with_floor"),
    [("80", "8", "5"), ("59.9", "5.99", "0"), ("60", "6", "0"), ("100", "10", "10")],
)
def test_the_two_self_evaluation_policies_differ(
    national: Policy, rate: str, plain_ratio: str, with_floor: str
):
    def score(policy_name: str) -> Fraction:
        floor = national.value(f"self_evaluation_policy_{policy_name}")["quantitative"]["floor"]
        share = (Fraction(rate) - Fraction(floor)) / (100 - Fraction(floor))
        return 10 * max(share, Fraction(0))

    assert score("10") == Fraction(plain_ratio)
    assert score("101") == Fraction(with_floor)


def test_an_execution_rate_of_92_percent_of_an_unfinished_project_gets_7_under_101(
    national: Policy,
):
    bands = national.value("self_evaluation_policy_101")["execution_rate"]["bands"]
    assert [b["points"] for b in bands if b["from"] <= 92 < b["to"]] == [7]


def test_the_examples_of_101_are_marked_as_examples(national: Policy):
    for key in ("self_evaluation_policy_101", "ratio_floor"):
        assert national.parameter(key).at(YEAR_END).status == "示例"
    assert national.use("self_evaluation_policy").value == "10"


def test_self_evaluation_weights_sum_to_100_in_every_case(national: Policy):
    cases = national.value("self_evaluation_weights")
    assert len(cases) == 5
    for case in cases:
        assert sum(v for v in case.values() if isinstance(v, Decimal)) == 100, case["case"]


def test_before_101_only_the_weights_of_10_are_in_force():
    early = policy.load(as_of=date(2020, 12, 31))
    assert [c["place"] for c in early.value("self_evaluation_weights")] == [
        "财预〔2020〕10号第十三条"
    ]
    with pytest.raises(EvalkitError, match=r"ratio_floor.*2020-12-31.*2021-08-18"):
        early.use("ratio_floor")


def test_tiers_cover_0_to_100_without_gap_or_overlap(national: Policy):
    for tiers in (
        national.value("tiers"),
        national.value("self_evaluation_policy_10")["qualitative"],
        national.value("self_evaluation_policy_101")["qualitative"],
    ):
        cuts = [(t["from"], t["to"]) for t in tiers]
        assert (cuts[0][1], cuts[-1][0]) == (100, 0)
        assert all(upper[0] == lower[1] for upper, lower in pairwise(cuts))


@pytest.mark.parametrize(
    ("key", "value", "source"),
    [
        ("full_total", 100, "财预〔2020〕10号第十八条"),
        ("outcome_share_min", 60, "财预〔2020〕10号第十四条"),
        ("ratio_floor", 60, "财预〔2021〕101号三（七）2"),
        ("near_cut_margin", Decimal("0.5"), "国家层面无统一规定，机构设定"),
        ("expert_trim_from", 5, "国家层面无统一规定，机构设定"),
        ("survey_min_valid", 30, "国家层面无统一规定，机构设定"),
        ("survey_min_return_rate", 80, "国家层面无统一规定，机构设定"),
        ("survey_top_boxes", 2, "国家层面无统一规定，机构设定"),
        ("score_digits", 2, "国家层面无统一规定，机构设定"),
        ("score_rate_digits", 2, "国家层面无统一规定，机构设定"),
    ],
)
def test_a_value_comes_with_its_source(national: Policy, key: str, value: object, source: str):
    use = national.use(key)
    assert (use.value, use.source, use.profile, use.overrode) == (value, source, "national", "")


def test_what_no_national_rule_sets_says_so(national: Policy):
    for key, parameter in national.national.values.items():
        for dated in parameter.values:
            set_here = dated.status == "机构设定"
            assert bool(NO_RULE.search(dated.source)) == set_here, key
            if not set_here:
                assert re.search(r"财预〔20\d\d〕\d+号", dated.source), key


def test_the_two_denominators_of_the_execution_rate_are_named_apart(national: Policy):
    assert national.value("fund_report")["execution_definition"].endswith("实际到位资金")
    assert national.value("budget_execution_definition").endswith("全年预算数")


def test_no_number_is_a_float():
    def floats(value: object) -> bool:
        if isinstance(value, dict):
            return any(map(floats, value.values()))
        return any(map(floats, value)) if isinstance(value, list) else isinstance(value, float)

    for name in PROFILES:
        loaded = policy.load(name, as_of=YEAR_END)
        for file in filter(None, (loaded.national, loaded.own)):
            assert not [k for k, p in file.values.items() for v in p.values if floats(v.value)]


def test_the_profiles_are_found_by_id_and_by_chinese_title():
    assert [NATIONAL, *assets("params", "policy", "profiles")] == list(PROFILES)
    for profile, title in PROFILES.items():
        by_id, by_title = (policy.load(name, as_of=YEAR_END) for name in (profile, title))
        assert (
            (by_id.profile, by_id.title) == (by_title.profile, by_title.title) == (profile, title)
        )


def test_a_profile_overrides_and_says_what_it_replaced():
    use = policy.load("郑州", as_of=YEAR_END).use("grade_bands")
    assert use.profile == "zhengzhou"
    assert use.overrode == "国家：优 90、良 80、中 60、差 0（财预〔2020〕10号第十八条）"


def test_a_value_that_a_profile_leaves_alone_is_the_national_one():
    use = policy.load("河南", as_of=YEAR_END).use("outcome_share_min")
    assert (use.value, use.profile, use.overrode) == (60, "national", "")


def test_what_a_profile_sets_depends_on_the_day():
    def own(year: int) -> dict[str, PolicyUse]:
        loaded = policy.load("宁县", as_of=date(year, 12, 31))
        rules = loaded.own.values.items()
        return {key: loaded.use(key) for key, rule in rules if rule.at(loaded.as_of)}

    in_2025, in_2026 = own(2025), own(2026)
    assert in_2025["budget_link"].overrode.startswith("国家：优 根据情况予以支持")
    assert in_2025["monitor_months"].value == [7, 10]
    assert in_2025["target_sync"].overrode == ""
    assert "monitor_months" not in in_2026
    assert in_2026["monitor_periods"].value == [6, 10]
    assert policy.load(as_of=YEAR_END).own.values == {}


def test_before_a_profile_takes_effect_the_national_value_applies():
    use = policy.load("宁县", as_of=YEAR_END).use("budget_link")
    assert (use.profile, use.source) == ("national", "财预〔2020〕10号第二十七条")


def test_no_value_of_ningxian_lacks_its_place_in_the_annual_report():
    own = policy.load("宁县", as_of=date(2025, 12, 31)).own
    place = re.compile(r"宁县2025年预算绩效管理工作开展情况 [一二]（[一二三四五]）\d?")
    for key, parameter in own.values.items():
        for dated in parameter.values:
            assert place.match(dated.source), key
            assert dated.status == "地方做法", key


def test_ningxian_states_no_rate_and_no_deadline_that_its_report_does_not_state():
    ningxian = policy.load("宁县", as_of=date(2025, 12, 31))
    assert all(set(row) == {"grade", "action"} for row in ningxian.value("budget_link"))
    with pytest.raises(EvalkitError, match="没有“rectification_days”"):
        ningxian.use("rectification_days")
    assert len(ningxian.value("indicator_classes")) == 17
    assert len(ningxian.value("target_sync")) == 6
    assert len(ningxian.value("budget_link_mechanism")) == 3


def test_the_rates_of_henan_and_zhengzhou_are_nobodys_default():
    for name in ("henan", "zhengzhou"):
        link = {row["grade"]: row for row in policy.load(name, as_of=YEAR_END).value("budget_link")}
        assert (link["中"]["cut_min"], link["中"]["cut_max"]) == (10, 30)
        assert (link["差"]["cut_min"], link["差"]["cut_max"]) == (30, 100)
        assert policy.load(name, as_of=YEAR_END).value("rectification_days") == 60
    for name in ("national", "ningxian"):
        values = policy.load(name, as_of=date(2025, 12, 31))
        assert not any("cut_min" in row for row in values.value("budget_link"))


def test_zhengzhou_keeps_a_note_of_its_integer_bands_and_its_rules_for_points():
    zhengzhou = policy.load("zhengzhou", as_of=YEAR_END)
    assert "80—89" in zhengzhou.parameter("grade_bands").note
    assert zhengzhou.value("weight_rules") == {"integer": "是", "level1_step": 5, "level1_min": 15}
