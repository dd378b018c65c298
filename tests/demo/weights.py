"""Make params/demo/weights: the task of 指标权重 for the demo library and seven questionnaires.

    python tests/demo/weights.py [FOLDER]

The tree is that of the demo library's 数据底稿. Judgements and marks follow from the importance
that weights.yaml gives each indicator, scattered for each expert by a seeded generator and brought
to Saaty's scale and to whole marks; the second round lies nearer to the others' mean. All is
invented and says 示例数据. Building twice gives equal bytes.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.core.yaml_file import load_yaml
from evalkit.scoring.weights import DATA
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema
from evalkit.workflows.indicator_weights import begin

ROOT = Path(__file__).resolve().parents[2]
DEMO, LIBRARY = ROOT / "params/demo/weights", ROOT / "params/demo/library/数据底稿.xlsx"
SPEC: dict[str, Any] = load_yaml(Path(__file__).with_suffix(".yaml"))
SEED, ROUNDS = 20250428, ("第一轮", "第二轮")
SCALE = {step: eval(step) for step in DATA["steps"]}  # noqa: S307 (1/9 … 9)


def nearest(ratio: float) -> str:
    """The judgement on Saaty's scale that is nearest to a ratio."""
    return min(SCALE, key=lambda step: abs(np.log(SCALE[step] / ratio)))


def importances(rows: list[dict[str, str]], scatter: float, leaning: dict[str, float], random: Any):
    """One expert's importance of the third level by code, and of every path as their sum."""
    leaves, paths = {}, defaultdict[str, float](float)
    for row in rows:
        own = float(SPEC["indicators"][row["code"]]) * float(leaning.get(row["level1"], 1))
        leaves[row["code"]] = own = own * float(np.exp(random.normal(0, scatter)))
        names = [row["level1"], row["level2"], row["level3"]]
        for depth in (1, 2, 3):
            paths["/".join(names[:depth])] += own
    return leaves, paths


def judgement(paths: dict[str, float], who: str, pair: dict[str, str]) -> str:
    """What an expert says of a pair."""
    muddled, said = SPEC["muddled"], f"{pair['a']}|{pair['b']}"
    if (who, pair["parent"]) == (muddled["who"], muddled["parent"]) and said in muddled[
        "judgements"
    ]:
        return str(muddled["judgements"][said])
    above = "" if pair["parent"] == "总目标" else f"{pair['parent']}/"
    return nearest(paths[above + pair["a"]] / paths[above + pair["b"]])


def build(out: Path) -> list[Path]:
    """Write the task and the questionnaires."""
    content, large = begin(LIBRARY, "none")
    assert not large
    rows = [{**row, "points": ""} for row in content["indicators"]]
    assert [row["code"] for row in rows] == list(SPEC["indicators"])
    random = np.random.default_rng(SEED)
    experts = [
        dict(zip(("name", "unit", "title", "field"), e, strict=False)) for e in SPEC["experts"]
    ]
    minds = {e[0]: importances(rows, float(e[4]), e[5], random) for e in SPEC["experts"]}
    first = {
        who: {
            code: 2.5 + 2.5 * np.log(value) + random.normal(0, 0.8) for code, value in mind.items()
        }
        for who, (mind, _) in minds.items()
    }
    means = {code: np.mean([said[code] for said in first.values()]) for code in SPEC["indicators"]}
    second = {
        who: {code: 0.4 * value + 0.6 * means[code] for code, value in said.items()}
        for who, said in first.items()
    }
    blank = [
        {"round": r, "indicator": row["code"], "name": row["level3"]}
        for r in ROUNDS
        for row in rows
    ]
    task = {
        "project": SPEC["project"], "texts": SPEC["texts"], "indicators": rows, "experts": experts,
        "pairs": content["pairs"], "marks": blank, "shares": SPEC["shares"],
    }  # fmt: skip
    schema = load_schema("indicator_weights")
    written = [write_blank(out / "权重任务.xlsx", schema, task)]
    for number, who in enumerate(minds, 1):
        said = dict(zip(ROUNDS, (first[who], second[who]), strict=True))
        own = {
            "pairs": [
                p | {f"judgement:{who}": judgement(minds[who][1], who, p)} for p in task["pairs"]
            ],
            "marks": [
                row
                | {f"mark:{who}": str(round(min(10, max(1, said[row["round"]][row["indicator"]]))))}
                for row in blank
            ],
        }
        path = out / SPEC["project"]["folder"] / f"{number:02d}{who}.xlsx"
        written.append(write_blank(path, schema, task | own))
    return written


if __name__ == "__main__":
    for path in build(Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO):
        print(path)  # noqa: T201
