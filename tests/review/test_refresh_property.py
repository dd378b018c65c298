"""Reports edited at random, refreshed with other data: nothing of anybody's work is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from edits import OPERATORS, Hand, Kept, edit
from refresh_support import CHANGES, Source, broken_promises, demo, same_parts, through_libreoffice
from support import SOAK

from evalkit.review.delivery import CONFLICTS, report_name

ROUNDS, SAVED_ROUNDS, AT_ONCE = (140, 60, 6) if SOAK else (7, 3, 3)

Operator = Callable[[Hand], None]

REPORT = report_name("project_evaluation")


def dice_of(number: int) -> Random:
    return Random(number)  # noqa: S311


@dataclass
class Round:
    """One report on its way: rendered, edited, its data changed."""

    out: Path
    old: Source
    new: Source
    dice: Random
    before: Path
    kept: list[Kept]
    names: str

    @property
    def report(self) -> Path:
        return self.out / REPORT


def begin(number: int, folder: Path, operators: list[Operator]) -> Round:
    """Render a demo report and edit it."""
    dice = dice_of(number)
    old = demo(dice.randrange(8))
    out = folder / f"项目{number}"
    if dice.random() < 0.3:
        old = dice.choice(CHANGES)(old, dice)
    old.deliver(out)
    before = folder / f"生成{number}.docx"
    shutil.copy(out / REPORT, before)
    kept = edit(before, out / REPORT, dice, operators)
    new, changes = old, dice.sample(CHANGES, dice.randrange(1, 4))
    for change in changes:
        new = change(new, dice)
    names = "、".join(f.__name__ for f in (*operators, *changes))
    return Round(out, old, new, dice, before, kept, names)


def finish(now: Round) -> list[str]:
    """Refresh, and again with the same data; what is not as promised."""
    edited = now.out.parent / f"{now.out.name}改过.docx"
    shutil.copy(now.report, edited)
    done = now.new.deliver(now.out)
    listed = json.loads((now.out / CONFLICTS).read_text(encoding="utf-8"))["conflicts"]
    fresh = now.out.parent / f"{now.out.name}新"
    now.new.deliver(fresh)
    merged = now.out.parent / f"{now.out.name}完成.docx"
    shutil.copy(done.path, merged)
    found = list(broken_promises(now.before, edited, fresh / REPORT, merged, now.kept, listed))
    aside = [p for p in now.out.glob("*_人工修改_*") if p.read_bytes() == edited.read_bytes()]
    if done.path.name == REPORT and not aside:
        found.append("改过的版本没有留存")
    if done.path.name != REPORT and now.report.read_bytes() != edited.read_bytes():
        found.append("绑定被破坏，原文件却被改动")
    again = now.new.deliver(now.out)
    if not same_parts(again.path, merged):
        found.append("再刷新一次，结果不同")
    later = json.loads((now.out / CONFLICTS).read_text(encoding="utf-8"))["conflicts"]
    known = {(c["kind"], c["path"], c["new"]) for c in listed}
    again = [c for c in later if (c["kind"], c["path"], c["new"]) not in known]
    found += [f"再刷新一次，又列出 {c}" for c in again]
    return found


def chosen(number: int) -> list[Operator]:
    """In the small counts each operator has its turn; in the full counts they come at random."""
    if SOAK:
        return dice_of(number).choices(OPERATORS, k=dice_of(number).randrange(3, 13))
    every = dice_of(0).sample(OPERATORS, len(OPERATORS))
    return every[number :: ROUNDS + SAVED_ROUNDS]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whatever_people_did_is_in_the_file_or_listed(number: int, tmp_path: Path) -> None:
    now = begin(number, tmp_path, chosen(number))
    assert not finish(now), now.names


@pytest.mark.parametrize("first", range(ROUNDS, ROUNDS + SAVED_ROUNDS, AT_ONCE))
def test_so_it_is_when_libreoffice_saved_the_file_in_between(first: int, tmp_path: Path) -> None:
    numbers = range(first, first + AT_ONCE)
    rounds = [begin(number, tmp_path, chosen(number)) for number in numbers]
    files = []
    for now in rounds:
        files.append(tmp_path / f"{now.out.name}.docx")
        shutil.copy(now.report, files[-1])
    for now, saved in zip(rounds, through_libreoffice(files, tmp_path), strict=True):
        shutil.copy(saved, now.report)
    found = {now.names: broken for now in rounds if (broken := finish(now))}
    assert not found
