"""Numbers, expressions, problems and files."""

from __future__ import annotations

import os
import pickle
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools import excel

from evalkit.core import paths, result_file, store
from evalkit.core.expr import Term, greatest, least, total, when, whole_down, whole_up
from evalkit.core.model import Result
from evalkit.core.numbers import fixed, plain, round_to, rounding_tail, to_decimal
from evalkit.core.problem import EvalkitError, Problem, refuse

MONEY = st.decimals(-(10**9), 10**9, places=4)


@given(MONEY, st.integers(0, 4))
def test_rounding_agrees_with_the_decimal_library(value, digits):
    unit = Decimal(1).scaleb(-digits)
    assert round_to(value, digits) == value.quantize(unit, ROUND_HALF_UP)
    assert round_to(value, digits, "gbt8170") == value.quantize(unit, ROUND_HALF_EVEN)


@pytest.mark.parametrize(
    ("value", "half_up", "half_even"),
    [("0.125", "0.13", "0.12"), ("1.005", "1.01", "1.00"), ("2.675", "2.68", "2.68")],
)
def test_the_two_rounding_rules_differ_on_exact_halves(value, half_up, half_even):
    assert fixed(Decimal(value)) == half_up
    assert fixed(Decimal(value), mode="gbt8170") == half_even


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_becomes_the_decimal_that_it_prints(number):
    assert float(to_decimal(number)) == number


@pytest.mark.parametrize("bad", ["abc", "nan", float("inf"), "1e", ""])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="数"):
        to_decimal(bad)


@given(st.lists(st.decimals(0, 100, places=3), min_size=1, max_size=30))
def test_a_sum_of_rounded_parts_departs_by_at_most_half_a_unit_each(parts):
    printed = [round_to(p, 2) for p in parts]
    whole = round_to(sum(parts, Decimal(0)), 2)
    gap = abs(sum(printed, Decimal(0)) - whole)
    assert rounding_tail(printed, whole) == (gap > 0)
    assert not rounding_tail(printed, whole + len(parts))


numbers = st.decimals(-1000, 1000, places=2)


@given(numbers, numbers, numbers, st.decimals("0.01", 50, places=2))
def test_a_term_is_what_its_formula_says(a, b, c, d):
    x, y, z = Term.of(a), Term.of(b), Term.of(c)
    for term in (
        (x + y) * z / d - 1,
        x - (y - z) * 2,
        least(1, greatest(x / d, y)) * 100,
        whole_up(greatest(0, x) / d) - whole_down(greatest(0, y)),
        when(x, ">=", b, z * 2, total([x, y, z]) / 3),
    ):
        assert excel.evaluate(term.text) == term.value


def test_floats_do_not_enter_terms_silently_wrong():
    assert Term.of(to_decimal(0.1)).value == Fraction(1, 10)


@given(st.text(max_size=200))
def test_any_text_becomes_one_harmless_file_name(text):
    name = store.safe_name(text)
    assert name
    assert not set(name) & set('<>:"/\\|?*\x00')
    assert name not in {".", ".."}
    assert not name.endswith((" ", "."))
    assert len(name.encode()) <= 130
    assert (Path("a") / name).parent == Path("a")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "."])
def test_a_path_that_leaves_its_folder_is_refused(tmp_path, name):
    with pytest.raises(EvalkitError, match="越出"):
        store.inside(tmp_path / "out", name)


def test_a_file_held_open_elsewhere_is_written_beside(tmp_path, monkeypatch):
    target = tmp_path / "评价报告.docx"
    target.write_bytes(b"open in Word")
    real = os.replace

    def locked(source, destination):
        if Path(destination) == target:
            raise PermissionError(13, "locked")
        real(source, destination)

    monkeypatch.setattr(os, "replace", locked)
    written = store.write_bytes(target, b"new")
    assert written.name == "评价报告_新.docx"
    assert (target.read_bytes(), written.read_bytes()) == (b"open in Word", b"new")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "a.json"
    target.write_bytes(b"old")

    def broken(stream):
        stream.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write_atomic(target, broken)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_written_files_can_be_read_by_colleagues(tmp_path):
    path = store.write_bytes(tmp_path / "a.txt", b"x")
    (tmp_path / "b.txt").write_bytes(b"x")
    assert path.stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_refusals_carry_every_problem_and_survive_pickling():
    found = [Problem(what="甲", remedy="改"), Problem(what="乙", severity="warning"),
             Problem(what="丙", file="a.xlsx", sheet="指标", cell="B2")]  # fmt: skip
    with pytest.raises(EvalkitError) as error:
        refuse(found)
    assert [p.what for p in error.value.problems] == ["甲", "丙"]
    again = pickle.loads(pickle.dumps(error.value))
    assert again.problems == error.value.problems
    assert str(again) == "甲——改\na.xlsx｜指标｜B2：丙"


def result(**more):
    return Result(workflow="w", code="1", name="n", stage="初稿", subject={}, **more)


def test_a_result_reads_back_as_written(tmp_path):
    written = result(values={"a": Decimal("1.10")})
    path = result_file.save(tmp_path / "result.json", written, {"python": "3"})
    assert result_file.load(path) == (written, {"python": "3"})
    assert '"1.10"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"result": {}}', "{", '{"result": 1}'])
def test_what_is_no_result_is_refused(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(EvalkitError, match="不是评价结果"):
        result_file.load(path)


def test_a_newer_major_version_is_refused(tmp_path):
    path = result_file.save(tmp_path / "result.json", result(schema_version="2.0"), {})
    with pytest.raises(EvalkitError, match="高于"):
        result_file.load(path)


def test_a_working_folder_wins_over_the_kits_own_files(tmp_path, monkeypatch):
    (tmp_path / "params" / "policy").mkdir(parents=True)
    (tmp_path / "templates").mkdir()
    mine = tmp_path / "templates" / "base.docx"
    mine.write_bytes(b"mine")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert paths.workspace() == tmp_path
    assert paths.asset("templates", "base.docx") == mine
    assert paths.asset("params", "policy", "national.yaml").is_file()


def test_plain_prints_no_exponent_and_no_trailing_zero():
    assert plain(Decimal("1E+3")) == "1000"
    assert plain(Decimal("0.500")) == "0.5"
