"""The sample for visits: strata, shares, an order that can be repeated."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from evalkit.rounds.self_evaluation import order_of, sample

BANDS = [
    {"band": "50万元及以上", "from": Decimal(500000)},
    {"band": "50万元以下", "from": Decimal(0)},
]


def form(code: str, department: str = "甲局", amount: int = 0, must: str = "") -> dict:
    return {"code": code, "department": department, "amount": Decimal(amount), "must": must}


def drawn(forms, rate=20, seed="7") -> list[str]:
    return [f["code"] for f in sample(forms, BANDS, Decimal(rate), seed) if f["how"] == "随机"]


def test_the_order_of_a_seed_is_known_everywhere():
    assert order_of("20230415", "621026220001").startswith("6e8235dc")


def test_a_limit_belongs_to_the_upper_band():
    placed = sample([form("A", amount=500000), form("B", amount=499999)], BANDS, Decimal(20), "7")
    assert {f["code"]: f["band"] for f in placed} == {"A": "50万元及以上", "B": "50万元以下"}


def test_each_stratum_gives_its_share_at_least_one():
    forms = [form(f"{d}{n}", d) for d, size in (("甲局", 3), ("乙局", 15)) for n in range(size)]
    found = drawn(forms)
    assert sum(code.startswith("甲局") for code in found) == 1
    assert sum(code.startswith("乙局") for code in found) == 3


def test_what_must_be_looked_at_is_not_drawn_and_does_not_count():
    forms = [form("A", must="大额"), *(form(f"B{n}") for n in range(10))]
    assert "A" not in drawn(forms)
    assert len(drawn(forms)) == 2


def test_another_seed_is_another_sample():
    forms = [form(f"{n:03}") for n in range(100)]
    assert drawn(forms) != drawn(forms, seed="8")


codes = st.lists(st.text("ABC123", min_size=1, max_size=6), unique=True, max_size=30)


@given(codes, st.randoms(use_true_random=False), st.integers(1, 100))
def test_the_same_seed_draws_the_same_whatever_the_order_of_the_files(found, random, rate):
    forms = [form(code, f"局{code[0]}") for code in found]
    mixed = random.sample(forms, len(forms))
    assert drawn(forms, rate) == drawn(mixed, rate)


@given(codes, codes)
def test_a_form_elsewhere_changes_nothing_in_a_stratum(found, others):
    forms = [form(code) for code in found]
    more = [form(code, "乙局") for code in others]
    alone = {f["code"] for f in sample(forms, BANDS, Decimal(20), "7") if f["how"]}
    together = sample([*forms, *more], BANDS, Decimal(20), "7")
    assert alone == {f["code"] for f in together if f["how"] and f["department"] == "甲局"}


@given(codes)
def test_all_forms_are_drawn_at_a_hundred_percent(found):
    assert sorted(drawn([form(code) for code in found], 100)) == sorted(found)
