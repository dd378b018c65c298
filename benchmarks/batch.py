"""The batch against the papermill command: throughput, overhead, first report, time by stage.

All in one run on this machine: the demo's projects repeated under other codes, by the batch from a
cold start; a loop of the papermill command over some of them, and two such commands at a time. Both
sides end with the notebook's HTML: the batch's own, here one nbconvert command a project. Then the
same cells in one process without any notebook, and all again with half a second of work instead of
the demo's, and the demo's list by two workers of a Dask cluster. CPU is user and system time of all
processes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from evalkit.batch.jobs import Job, read_list
from evalkit.core.paths import asset

LIGHT = """import time
import pandas as pd
import matplotlib.pyplot as plt
begun = time.process_time()
while time.process_time() - begun < 0.5:
    total = sum(range(10_000))
print(total)"""


def recoded(source: Path, target: Path, old: str, new: str) -> None:
    """A project's folder under another code."""
    shutil.copytree(source.parent, target.parent)
    with ZipFile(source) as book, ZipFile(target, "w", ZIP_DEFLATED) as copy:
        for entry in book.infolist():
            copy.writestr(entry, book.read(entry).replace(old.encode(), new.encode()))


def write_list(folder: Path, projects: list[Job], number: int) -> Path:
    """A list of so many projects: the demo's, again and again, each time with codes of its own."""
    path = folder / "list.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(["code", "name", "notebook", "workbook", "stage", "profile"])
        for n in range(number):
            job = projects[n % len(projects)]
            code, own = f"{job.code}-{n:03}", folder / f"{n:03}" / job.workbook.name
            recoded(job.workbook, own, job.code, code)
            more = [job.parameters.get(name, "") for name in ("stage", "profile")]
            lines.writerow([code, job.name, job.notebook, own, *more])
    return path


def light_list(folder: Path, number: int) -> Path:
    """A list of projects whose notebook works for half a second."""
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {"tags": tags}, "source": source,
         "outputs": [], "execution_count": None}
        for n, (tags, source) in enumerate([(["parameters"], 'code = ""'), ([], LIGHT)])
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
    (folder / "light.ipynb").write_text(json.dumps(book), encoding="utf-8")
    (folder / "none.xlsx").write_bytes(b"")
    rows = [f"L{n:03},项目{n},light.ipynb,none.xlsx" for n in range(number)]
    path = folder / "light.csv"
    path.write_text("\n".join(["code,name,notebook,workbook", *rows]), encoding="utf-8")
    return path


def measured(work: Callable[[], object]) -> dict[str, Any]:
    """Wall and CPU seconds of some work in subprocesses."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begun
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu}


def batch(projects: Path, out: Path, at_once: int | None, scheduler: str = "") -> dict[str, Any]:
    """One `run_batch` in a process of its own: as `measured`, and what that process noted."""
    command = [sys.executable, __file__, "--batch", str(projects), str(out), str(at_once or 0)]
    command.append(scheduler)
    noted: dict[str, Any] = {}
    started = time.time()

    def work() -> None:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        noted.update(json.loads(done.stdout.splitlines()[-1]))

    found = measured(work) | noted
    found["first"] -= started
    return found


def on_cluster(projects: Path, out: Path, here: dict[str, Any], number: int) -> dict[str, float]:
    """The list by two workers, beside the same `here` by two kernels at a time."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = batch(projects, out, None, cluster.scheduler_address)
    return {
        "cluster_seconds_each": there["seconds"] / number,
        "two_here_seconds_each": here["seconds"] / number,
        "cluster_to_two_here": there["seconds"] / here["seconds"],
    }


def run_noting(projects: Path, out: Path, at_once: int, scheduler: str) -> None:
    """Run a list, then print when the first project was done and the mean seconds by stage."""
    from evalkit.batch.results import Screen
    from evalkit.batch.run import run_batch

    marks: dict[str, list[tuple[str, float]]] = defaultdict(list)
    first: list[float] = []

    class Noting(Screen):
        def stage(self, job: Job, stage: str) -> None:
            marks[job.code].append((stage, time.perf_counter()))
            super().stage(job, stage)

        def done(self, outcome: Any) -> None:
            first.append(time.time())
            marks[outcome.job.code].append(("", time.perf_counter()))
            super().done(outcome)

    where = {"jobs": at_once or None, "scheduler": scheduler or None}
    done = run_batch(projects, out, reporter=Noting(), **where)
    spent: dict[str, float] = defaultdict(float)
    for steps in marks.values():
        for (stage, begun), (_, ended) in pairwise(steps):
            spent[stage] += (ended - begun) / len(marks)
    print(json.dumps({"first": first[0], "stages": spent}))
    sys.exit(done.exit_code)


def papermill(job: Job, out: Path) -> list[list[str]]:
    """The commands that give a project's results and its notebook's HTML."""
    out.mkdir(parents=True)
    parameters, executed = out / "parameters.yaml", out / job.notebook.name
    parameters.write_text(json.dumps(job.injected(out)), encoding="utf-8")
    run = [sys.executable, "-m", "papermill", str(job.notebook), str(executed)]
    run += ["-f", str(parameters), "-k", "python3", "--no-progress-bar", "--log-level", "ERROR"]
    html = [sys.executable, "-m", "nbconvert", "--to", "html", "--log-level", "ERROR"]
    return [run, [*html, str(executed)]]


def call(commands: Iterable[list[str]]) -> None:
    """Run commands one after another."""
    for command in commands:
        nothing = subprocess.DEVNULL
        subprocess.run(command, check=True, stdout=nothing, stderr=nothing)


def in_process(jobs: list[Job], out: Path) -> None:
    """Run the cells of all notebooks here, twice; print the CPU seconds of the second time."""
    for turn in range(2):
        begun = time.process_time()
        for n, job in enumerate(jobs):
            folder = out / f"{turn}{n}"
            folder.mkdir(parents=True)
            names: dict[str, Any] = {}
            for cell in json.loads(job.notebook.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    with redirect_stdout(None):
                        exec("".join(cell["source"]), names)  # noqa: S102 our own notebooks
                if "parameters" in cell["metadata"].get("tags", []):
                    names |= job.injected(folder)
    print(time.process_time() - begun)


def compare(
    path: Path, looped: int, ours: dict[str, Any], number: int, out: Path
) -> dict[str, Any]:
    """The batch's figures beside the papermill command's on the first of the list, by project."""
    jobs = read_list(path)[:looped]
    commands = [papermill(job, out / "loop" / str(n)) for n, job in enumerate(jobs)]
    loop = measured(lambda: call(run for run, _ in commands))
    html = measured(lambda: call(html for _, html in commands))
    pairs = [papermill(job, out / "pool" / str(n)) for n, job in enumerate(jobs)]
    with ThreadPoolExecutor(2) as threads:
        pool = measured(lambda: list(threads.map(call, pairs)))
    bare = [sys.executable, __file__, "--in-process", str(path), str(looped), str(out / "bare")]
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    same = subprocess.run(bare, check=True, stdout=subprocess.PIPE, env=env)
    work = float(same.stdout.split()[-1]) / len(jobs)
    each, theirs = ours["seconds"] / number, (loop["seconds"] + html["seconds"]) / len(jobs)
    cpu, their_cpu = ours["cpu"] / number, (loop["cpu"] + html["cpu"]) / len(jobs)
    return {
        "projects": number,
        "looped": len(jobs),
        "batch_seconds_each": each,
        "loop_seconds_each": theirs,
        "loop_seconds_each_without_html": loop["seconds"] / len(jobs),
        "pool_seconds_each": pool["seconds"] / len(jobs),
        "times_a_loop": theirs / each,
        "times_a_loop_without_its_html": loop["seconds"] / len(jobs) / each,
        "times_a_pool_of_two": pool["seconds"] / len(jobs) / each,
        "times_a_loop_if_only_the_cells_took_time": theirs / (work / (os.cpu_count() or 1)),
        "batch_cpu_each": cpu,
        "loop_cpu_each": their_cpu,
        "cells_cpu_each": work,
        "overhead_cpu_each": cpu - work,
        "overhead_of_papermill_cpu_each": their_cpu - work,
        "overhead_to_papermills": (cpu - work) / (their_cpu - work),
        "first_report_seconds": ours["first"],
        "papermill_seconds": loop["seconds"] / len(jobs),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--projects", type=int, default=54, help="projects in the batch")
    parser.add_argument("--loop", type=int, default=8, help="of these by the papermill command")
    parser.add_argument("--jobs", type=int, help="projects at once in the batch")
    parser.add_argument("--list", type=Path, default=asset("params", "demo", "projects.csv"))
    parser.add_argument("--batch", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--in-process", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batch:
        projects, out, at_once, scheduler = options.batch
        return run_noting(Path(projects), Path(out), int(at_once), scheduler)
    if options.in_process:
        projects, looped, out = options.in_process
        return in_process(read_list(Path(projects))[: int(looped)], Path(out))
    number, looped = options.projects, min(options.loop, options.projects)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lists = {"demo": write_list(folder, read_list(options.list), number)}
        lists["half_a_second"] = light_list(folder, number)
        found = {}
        for kind, path in lists.items():
            ours = batch(path, folder / kind / "batch", options.jobs)
            found[kind] = compare(path, looped, ours, number, folder / kind)
            found[kind]["stages"] = ours["stages"]
        two = batch(lists["demo"], folder / "two", 2)
        found["demo"] |= on_cluster(lists["demo"], folder / "cluster", two, number)
    if options.json:
        print(json.dumps(found))
        return None
    for kind, figures in found.items():
        print(kind)
        stages = figures.pop("stages")
        for title, values in (("", figures), ("seconds by stage", stages)):
            print(f"  {title}" if title else "", end="\n" if title else "")
            for key, value in values.items():
                print(f"  {key:44}{value:.3g}")
    return None


if __name__ == "__main__":
    main()
