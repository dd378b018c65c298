"""Make params/demo/library/权重 and 满意度: what the demos of weights and survey result in.

    python tests/demo/drawn.py [FOLDER]

The 数据底稿 of the demo library draws its points and its satisfaction from there. Only what it
reads is written, without the part of a run, so building twice gives equal bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from evalkit.core import result_file
from evalkit.core.model import Stage
from evalkit.workflows import indicator_weights, satisfaction_survey
from evalkit.workflows.task import BOOK

LIBRARY = Path(__file__).resolve().parents[2] / "params/demo/library"
STAGE: Stage = "送审稿"
FOLDERS = {"权重": indicator_weights, "满意度": satisfaction_survey}


def build(folder: Path) -> None:
    """Write result.json and 汇总表.xlsx of both into folders of their own."""
    for name, business in FOLDERS.items():
        task = business.load(business.Params(stage=STAGE))
        result = business.evaluate(task)
        (folder / name).mkdir(parents=True, exist_ok=True)
        result_file.save(folder / name / result_file.FILE_NAME, result, {})
        task.books(result)[BOOK](folder / name / BOOK)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else LIBRARY)
