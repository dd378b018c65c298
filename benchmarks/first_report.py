"""Time to a first report: `evalkit run` on one demo project, against the bare papermill command.

Both start cold, on the same workbook and notebook, and leave the same report; `evalkit run` also
writes the notebook's HTML, the summary and the home page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKBOOK = ROOT / "params" / "demo" / "sanitation" / "数据底稿.xlsx"
NOTEBOOK = ROOT / "notebooks" / "project_evaluation.ipynb"


def seconds(command: list[str]) -> float:
    """Wall time of one command that must succeed."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run = [sys.executable, "-m", "evalkit.cli", "run", str(WORKBOOK), "--out", str(out / "run")]
        bare = [sys.executable, "-m", "papermill", str(NOTEBOOK), str(out / "bare.ipynb")]
        bare += ["-k", "python3", "--no-progress-bar", "--log-level", "ERROR"]
        bare += ["-p", "workbook", str(WORKBOOK), "-p", "out", str(out / "bare")]
        first, plain = seconds(run), seconds(bare)
        assert list(out.rglob("评价报告.docx")), "no report was written"
    found = {
        "first_report_seconds": round(first, 1),
        "papermill_seconds": round(plain, 1),
        "ratio": round(first / plain, 2),
    }
    if options.json:
        print(json.dumps(found))
    else:
        print(f"首份报告 {first:.1f} 秒；papermill 命令 {plain:.1f} 秒；比值 {first / plain:.2f}")


if __name__ == "__main__":
    main()
