"""The batch against a plain loop of the papermill command, on the same notebooks and parameters.

Both run in one go on this machine, from a cold start. The batch also writes HTML, summary and
front page; the loop does not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evalkit.batch.jobs import Job, read_list
from evalkit.core.paths import asset


def batch(projects: Path, jobs: list[Job], out: Path, at_once: int | None) -> float:
    """Seconds for one `run_batch` in a process of its own."""
    code = (
        "import sys; from pathlib import Path; from evalkit.batch.run import run_batch\n"
        "_, projects, out, at_once, *codes = sys.argv\n"
        "done = run_batch(Path(projects), Path(out), jobs=int(at_once) or None, only=codes)\n"
        "sys.exit(done.exit_code)"
    )
    codes = [job.code for job in jobs]
    command = [sys.executable, "-c", code, str(projects), str(out), str(at_once or 0), *codes]
    return _seconds([command])


def loop(jobs: list[Job], out: Path) -> float:
    """Seconds for the papermill command, one project after another."""
    commands = []
    for number, job in enumerate(jobs):
        folder = out / str(number)
        folder.mkdir(parents=True)
        parameters = folder / "parameters.yaml"
        parameters.write_text(json.dumps(job.injected(folder)), encoding="utf-8")
        command = [sys.executable, "-m", "papermill", str(job.notebook)]
        command += [str(folder / job.notebook.name), "-f", str(parameters)]
        commands.append([*command, "-k", "python3", "--no-progress-bar", "--log-level", "ERROR"])
    return _seconds(commands)


def _seconds(commands: list[list[str]]) -> float:
    begun = time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--projects", type=int, help="only the first N projects of the list")
    parser.add_argument("--jobs", type=int, help="projects at once in the batch")
    parser.add_argument("--list", type=Path, default=asset("params", "demo", "projects.csv"))
    options = parser.parse_args()
    jobs = read_list(options.list)[: options.projects]
    with tempfile.TemporaryDirectory() as folder:
        ours = batch(options.list, jobs, Path(folder, "batch"), options.jobs)
        plain = loop(jobs, Path(folder, "loop"))
    found = {
        "projects": len(jobs),
        "cpus": os.cpu_count(),
        "batch_seconds": round(ours, 2),
        "papermill_seconds": round(plain, 2),
        "batch_seconds_each": round(ours / len(jobs), 2),
        "papermill_seconds_each": round(plain / len(jobs), 2),
        "ratio": round(plain / ours, 2),
    }
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24}{value}")


if __name__ == "__main__":
    main()
