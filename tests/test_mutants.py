"""Five faults planted in a copy of the code; the tests of the scores must notice every one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

SCORES = ("tests/scoring", "tests/test_traces.py")
FEW = "test_rules or execution_rate_divides or (test_every and (sanitation or library))"


@dataclass(frozen=True)
class Mutant:
    """One change of the code that an evaluator would call a wrong score."""

    name: str
    old: str
    new: str


MUTANTS = (
    Mutant("half up becomes half even", "floor(scaled + Fraction(1, 2))", "round(scaled)"),
    Mutant(
        "a grade's lower bound no longer belongs to it",
        'if score >= band["from"]:',
        'if score > band["from"]:',
    ),
    Mutant(
        "the floor of a ratio is dropped",
        "least(1, (share - start) / (1 - start))",
        "least(1, share)",
    ),
    Mutant(
        "spending is divided by the budget, not by what arrived",
        'fund_rate(funds, "spent", "arrived")',
        'fund_rate(funds, "spent", "budget")',
    ),
    Mutant(
        "a cell's address is one row off",
        'return f"{get_column_letter(column)}{row}"',
        'return f"{get_column_letter(column)}{row + 1}"',
    ),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The kit in a folder of its own, with what its tests of the scores need."""
    tmp_path = tmp_path_factory.mktemp("kit")
    skipped = shutil.ignore_patterns("__pycache__", "outputs", "*.docx", "照片")
    for name in ("evalkit", "params", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "templates").mkdir()
    return tmp_path


def _tests(copy: Path) -> tuple[int, str]:
    """Run the tests of the scores against the copy; exit code and output."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += [*SCORES, "-k", FEW]
    others = ("PYTEST_", "EVALKIT_", "COV", "PYTHONDONTWRITEBYTECODE")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(others)}
    environment["PYTHONPATH"] = str(copy)
    done = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def _planted(copy: Path, mutant: Mutant) -> Iterator[None]:
    holding = [p for p in sorted((copy / "evalkit").rglob("*.py")) if mutant.old in p.read_text()]
    assert len(holding) == 1, f"{mutant.old!r} stands in {holding}"
    source = holding[0].read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1
    then = holding[0].stat()
    holding[0].write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    # Bytecode belongs to a second and a size: each mutant has a second of its own.
    later = then.st_mtime_ns + (1 + MUTANTS.index(mutant)) * 10**11
    os.utime(holding[0], ns=(later, later))
    try:
        yield
    finally:
        holding[0].write_text(source, encoding="utf-8")
        os.utime(holding[0], ns=(then.st_atime_ns, then.st_mtime_ns))


def test_the_code_as_it_is_passes(copy):
    status, output = _tests(copy)
    assert status == 0, output[-3000:]
    assert " passed" in output


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name.replace(" ", "_"))
def test_a_planted_fault_is_noticed(copy, mutant):
    with _planted(copy, mutant):
        status, output = _tests(copy)
    assert status == 1, f"{mutant.name}: {output[-3000:]}"
    assert re.search(r"^1 failed, ", output, re.MULTILINE)  # no error of collection
    assert "AssertionError" in output
