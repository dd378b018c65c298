"""Make params/demo/survey: an export as 问卷星 writes it, and the task with tally and decisions.

    python tests/demo/survey.py [FOLDER]

Readers of the demo project params/demo/library are asked; survey.yaml says what and how well they
like it, a seeded generator what each of them answers. All names, answers, addresses and numbers are
invented; the task says 示例数据 and so does every report made of it. Building twice gives equal
bytes.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from xlsxwriter import Workbook

from evalkit.survey.satisfaction import OPTIONS, UNAWARE
from evalkit.workbook.blank import write_blank, write_xlsx
from evalkit.workbook.schema import load_schema

DEMO = Path(__file__).resolve().parents[2] / "params" / "demo" / "survey"
SPEC: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
SEED, CUTS, SPREAD = 20250506, (1.25, 0.15, -0.85, -1.6), 0.75
HEADS = ["序号", "提交答卷时间", "所用时间", "来源", "来源详情", "来自IP"]
GROUND, MANY, SCALE, AGREE = (SPEC[name] for name in ("ground", "many", "scale", "agree"))
(CHANNELS,) = MANY
Rows = list[dict[str, str]]


class Reader:
    """Someone who answers by a liking of her own."""

    def __init__(self, dice: random.Random, branch: str) -> None:
        self.dice, self.liking = dice, dice.gauss(SPEC["branches"][branch][3], SPREAD)
        others = [*GROUND.values()][1:]
        self.ground = [branch, *(dice.choices([*each], [*each.values()])[0] for each in others)]

    def level(self, ease: float, unaware: float) -> str:
        """One of the five levels, or 不了解."""
        if self.dice.random() < unaware:
            return UNAWARE
        value = self.liking + ease + self.dice.gauss(0, SPREAD)
        return OPTIONS[sum(value < cut for cut in CUTS)]

    def answers(self) -> list[str]:
        """To the questions of five levels, in the words of the form."""
        told = {name: self.level(*numbers) for name, (_, _, *numbers) in SCALE.items()}
        told[SPEC["reversed"]] = AGREE[-1 - OPTIONS.index(told[SPEC["reversed"]])]
        return [*told.values()]

    def channels(self) -> list[str]:
        """What was ticked, at least one."""
        ticked = [n for n, share in MANY[CHANNELS].items() if self.dice.random() * 100 < share]
        return ticked or [next(iter(MANY[CHANNELS]))]


def export(dice: random.Random) -> list[list[str | int]]:
    """The rows of the export under its headings, some of them careless."""
    asked = [*GROUND, CHANNELS, *SCALE, SPEC["open"], SPEC["unused"]]
    branches = {name: online for name, (_, online, _, _) in SPEC["branches"].items()}
    rows: list[list[Any]] = []
    for number in range(1, sum(branches.values()) + 1):
        reader = Reader(dice, dice.choices([*branches], [*branches.values()])[0])
        ticked = [f"{name}〖短视频〗" if name == "其他" else name for name in reader.channels()]
        said = dice.choice(SPEC["said"]) if dice.random() < 0.4 else "(空)"
        phone = f"1300000{number:04d}" if dice.random() < 0.1 else "(空)"
        seconds = max(58, round(dice.gauss(150, 40)))
        spent = f"{seconds // 60}分{seconds % 60}秒" if number % 9 == 0 else f"{seconds}秒"
        hour, minute = divmod(number * 7, 60)
        day = f"2025/5/{6 + hour // 2} {9 + hour % 12}:{minute:02d}:{number % 60:02d}"
        place = f"10.{number % 7}.{number}.{dice.randrange(2, 250)}(示例省-示例市)"
        about = [number, day, spent, dice.choice(["微信", "链接"]), "N/A", place]
        answers = [*reader.ground, "┋".join(ticked), *reader.answers(), said, phone]
        rows.append(about + answers)
    spent, place, scale = 2, 5, len(HEADS) + asked.index(next(iter(SCALE)))
    for number, of in SPEC["copies"].items():  # sent again by the same person
        rows[number - 1][place:] = rows[of - 1][place:]
    for number in SPEC["terminal"]:
        rows[number - 1][place] = rows[SPEC["terminal"][0] - 1][place]
    for number, level in SPEC["lines"].items():
        rows[number - 1][scale : scale + len(SCALE) - 1] = [
            AGREE[level] if name == SPEC["reversed"] else OPTIONS[level] for name in [*SCALE][:-1]
        ]
    for number, seconds in SPEC["fast"].items():
        rows[number - 1][spent] = f"{seconds}秒"
    return [[*HEADS, *asked], *rows]


def tally(dice: random.Random) -> Rows:
    """The counts of the paper forms by branch."""
    forms = [
        Reader(dice, name) for name, (_, _, n, _) in SPEC["branches"].items() for _ in range(n)
    ]
    told = [
        dict(zip([*GROUND, *SCALE], [*f.ground, *f.answers()], strict=True))
        | {CHANNELS: f.channels()}
        for f in forms
    ]
    first, *ground = GROUND
    rows: Rows = []
    for question in [*ground, *SCALE, CHANNELS]:
        options = [*{**GROUND, **MANY}.get(question, [*OPTIONS, UNAWARE])]
        options = AGREE if question == SPEC["reversed"] else options
        for branch in SPEC["branches"]:
            mine = [each[question] for each in told if each[first] == branch]
            counts = Counter(chain.from_iterable(mine) if question == CHANNELS else mine)
            size = {"people" if question == CHANNELS else "total": str(len(mine))}
            row = {"question": question, "group": branch, **size}
            rows.append(row | {option: str(counts[option]) for option in options})
    return once(rows)


def once(rows: Rows) -> Rows:
    """Rows that name their question in the first of them alone, as people fill in a form."""
    told = ["", *(row["question"] for row in rows)]
    return [
        row | {"question": "" if row["question"] == above else row["question"]}
        for row, above in zip(rows, told, strict=False)
    ]


def content(paper: Rows) -> dict[str, Any]:
    """The content of 调查任务.xlsx."""
    questions = [{"question": name, "kind": "背景"} for name in GROUND]
    questions.append({"question": CHANNELS, "kind": "多选"})
    for name, (dimension, share, *_) in SCALE.items():
        kind = "总体满意度" if name == SPEC["overall"] else "满意度"
        questions.append({"question": name, "kind": kind, "dimension": dimension, "share": share})
        questions[-1]["reverse"] = "是" if name == SPEC["reversed"] else ""
    questions += [{"question": SPEC["open"], "kind": "开放"}]
    questions += [{"question": SPEC["unused"], "kind": "不统计"}]
    listed = {**GROUND, **MANY}
    options = [{"question": name, "option": o} for name, each in listed.items() for o in each]
    pairs = zip(AGREE, OPTIONS, strict=True)
    options += [{"question": SPEC["reversed"], "code": said, "option": o} for said, o in pairs]
    columns = ("respondent", "rule", "decision", "cause", "approver")
    kinds = SPEC["categories"].items()
    return {
        "project": SPEC["project"],
        "questions": questions,
        "options": once(options),
        "strata": [{"stratum": n, "population": str(p)} for n, (p, *_) in SPEC["branches"].items()],
        "tally": paper,
        "decisions": [dict(zip(columns, row, strict=True)) for row in SPEC["decisions"]],
        "categories": once(
            [{"question": SPEC["open"], "category": name, "words": words} for name, words in kinds]
        ),
        "texts": SPEC["texts"],
    }


def build(folder: Path = DEMO) -> Path:
    """Write both files into a folder; returns the workbook."""
    dice = random.Random(SEED)  # noqa: S311
    rows = export(dice)

    def fill(book: Workbook) -> None:
        sheet = book.add_worksheet("Sheet1")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        sheet.set_column(0, len(rows[0]), 14)
        sheet.freeze_panes(1, 1)

    write_xlsx(folder / SPEC["project"]["answers"], "答卷", fill)
    schema = load_schema("satisfaction_survey")
    return write_blank(folder / "调查任务.xlsx", schema, content(tally(dice)))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO)
