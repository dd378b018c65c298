"""A list of a county's size: reading it, running it again unchanged, and summing it up.

Eight demo projects are really run; their results are then written out under as many names as
asked for, each with its own name, code and unit in result and report, and put on record as if a
batch had made them. Times are the processor's, so that a busy machine does not count.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import resource
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
from rich.console import Console

from evalkit.batch import record, run
from evalkit.batch.jobs import Job, read_list
from evalkit.batch.results import Screen
from evalkit.core.paths import asset
from evalkit.core.store import digest, sha256

SHARED = {"evalkit": "as it was", "params": "as they were"}
HEADERS = ["项目编码", "项目名称", "笔记本", "数据底稿", "报告状态", "主管部门"]


def seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of an action, and what it gives."""
    begun = time.process_time()
    found = action()
    return round(time.process_time() - begun, 2), found


def lay_out(place: Path, count: int) -> None:
    """The list as CSV and XLSX, and a workbook a project."""
    book = asset("params", "demo", "sanitation", "数据底稿.xlsx").read_bytes()
    rows = [HEADERS]
    for n in range(1, count + 1):
        folder = place / "底稿" / f"{n:05}"
        folder.mkdir(parents=True)
        (folder / "数据底稿.xlsx").write_bytes(book)
        where = f"底稿/{n:05}/数据底稿.xlsx"
        name = f"第{n}号县城环卫一体化服务项目"
        stage, department = ("初稿", "终稿")[n % 2], f"第{n % 40}局"
        rows.append([f"629999-{n:05}", name, "project_evaluation", where, stage, department])
    with (place / "清单.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows(rows)
    sheet = openpyxl.Workbook(write_only=True)
    page = sheet.create_sheet()
    for row in rows:
        page.append(row)
    sheet.save(place / "清单.xlsx")


def fabricate(demo: Path, out: Path, jobs: list[Job]) -> None:
    """Results of the demo projects under the names of others, and their record."""
    folders = sorted(path.parent for path in demo.glob("*/result.json"))
    manifest, known = record.Manifest(out), dict[tuple[Path, str], str]()
    for n, job in enumerate(jobs):
        source, place = folders[n % len(folders)], out / job.folder
        place.mkdir(parents=True)
        result = json.loads((source / "result.json").read_text(encoding="utf-8"))["result"]
        unit = result["subject"]["unit"]
        others = {result["name"]: job.name, result["code"]: job.code, unit: f"第{n}号{unit}"}
        for path in (path for path in source.iterdir() if path.is_file()):
            data = path.read_bytes()
            if path.suffix == ".json":
                data = renamed(data, others)
            elif path.name == job.report:
                data = repacked(data, others)
            elif path.suffix in (".ipynb", ".html"):
                data = data[:1000]  # nobody reads them here
            (place / path.name).write_bytes(data)
        inputs = run.inputs_of(job, SHARED, [], known)
        outputs = {path.name: sha256(path) for path in place.iterdir()}
        marks = {name: record.mark(place / name) for name in outputs}
        facts = {"code": job.code, "key": digest(inputs), "outputs": outputs, "status": "ok"}
        stages = [("启动内核", 1.1), ("二、读取数据底稿", 1.9), ("三、计分与核对", 0.4)]
        manifest.add("intent", job.folder, code=job.code, inputs=inputs, places=[])
        manifest.add("done", job.folder, **facts, stages=stages, marks=marks)


def renamed(data: bytes, others: dict[str, str]) -> bytes:
    """A text with other names in it."""
    text = data.decode("utf-8")
    for old, new in others.items():
        text = text.replace(old, new)
    return text.encode("utf-8")


def repacked(data: bytes, others: dict[str, str]) -> bytes:
    """A report with other names in it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w") as new:
        for part in old.infolist():
            text = old.read(part)
            text = renamed(text, others) if part.filename == "word/document.xml" else text
            new.writestr(part.filename, text, zipfile.ZIP_DEFLATED, 1)
    return packed.getvalue()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--projects", type=int, default=200)
    parser.add_argument("--demo", type=Path, help="results of the demo list, if there are any")
    options = parser.parse_args()
    mute = Console(file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        place, out = Path(folder, "县"), Path(folder, "县", "成果")
        demo = options.demo or Path(folder, "demo")
        if not options.demo:
            run.run_batch(asset("params", "demo", "projects.csv"), demo, reporter=Screen(mute))
        lay_out(place, options.projects)
        as_csv, jobs = seconds(lambda: read_list(place / "清单.csv"))
        as_xlsx, _ = seconds(lambda: read_list(place / "清单.xlsx"))
        fabricate(demo, out, jobs)
        run.shared_inputs = lambda: SHARED

        def again() -> Counter[str]:
            done = run.run_batch(place / "清单.csv", out, reporter=Screen(mute))
            return Counter(outcome.status for outcome in done.outcomes)

        summed, first = seconds(again)
        unchanged, second = seconds(again)
        if not first == second == {"未变化": options.projects}:
            sys.exit(f"they should all be unchanged: {first}, {second}")
        found = {
            "projects": options.projects,
            "read_csv_seconds": as_csv,
            "read_xlsx_seconds": as_xlsx,
            "unchanged_seconds": unchanged,
            "summed_up_seconds": round(summed - unchanged, 2),
            "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "summary_megabytes": round((out / "summary.xlsx").stat().st_size / 1e6, 2),
            "index_megabytes": round((out / "index.html").stat().st_size / 1e6, 2),
            "manifest_megabytes": round((out / "manifest.jsonl").stat().st_size / 1e6, 2),
        }
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24}{value}")


if __name__ == "__main__":
    main()
