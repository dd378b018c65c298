"""One project's notebook, run in a folder of its own: by this process, or by a worker for it."""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from evalkit.batch.outcome import Job
from evalkit.batch.results import write_notebook
from evalkit.core.store import digest
from evalkit.engine.notebook import Failure
from evalkit.engine.warm import WAYS, default_way, spare_grammar

MOST_AT_ONCE = 4
MB = 1024**2


class Ended(NamedTuple):
    """How a notebook's run ended, and the seconds of its stages."""

    failure: Failure | None
    stages: tuple[tuple[str, float], ...]


class Order(NamedTuple):
    """What all runs of a batch have in common; it can be pickled."""

    out: Path
    runs: Mapping[str, int]  # how often each notebook runs, by its name
    at_once: int  # how many notebooks one process runs
    state: str  # digest of code and params: kernels warmed by others are of no use
    timeout: float  # seconds, for each project
    memory: int  # bytes that a project's processes may hold


class Lost(Exception):
    """The process that ran a project is gone; what lies in its folder is not to be used."""


class Runner(Protocol):
    """Where projects run; threads share it."""

    at_once: int
    told: str  # what it is, for people

    def perform(
        self, job: Job, place: Path, shown: Path,
        tell: Callable[[str], None], stopped: threading.Event,
    ) -> Ended:  # fmt: skip
        """Run a job; see `perform`. Raises Lost."""
        ...

    def close(self) -> None:
        """Called once, at the end."""
        ...


class Here:
    """Runs projects with kernels of this process."""

    def __init__(self, order: Order) -> None:
        self.order, self.at_once = order, order.at_once
        self.told = f"计算进程{WAYS[default_way()]}，同时运行 {self.at_once} 个项目"

    def perform(
        self, job: Job, place: Path, shown: Path,
        tell: Callable[[str], None], stopped: threading.Event,
    ) -> Ended:  # fmt: skip
        """Run a job; see `perform`."""
        return perform(self.order, job, place, shown, tell, stopped)

    def close(self) -> None:
        """End the kernels, if there are any."""
        if loaded := sys.modules.get("evalkit.engine.kernels"):
            loaded.close()


def order_of(
    out: Path, jobs: Sequence[Job], at_once: int | None, shared: Mapping[str, str],
    timeout: float, memory: float,
) -> Order:  # fmt: skip
    """What is to be told about a batch to those who run its projects; `memory` is in MB."""
    most = min(MOST_AT_ONCE, os.cpu_count() or 1) if at_once is None else at_once
    runs = Counter(job.notebook.stem for job in jobs)
    return Order(out, runs, max(most, 1), digest(shared), timeout, int(memory * MB))


def perform(
    order: Order, job: Job, place: Path, shown: Path,
    tell: Callable[[str], None], stopped: threading.Event,
) -> Ended:  # fmt: skip
    """Run a job's notebook in the folder `place`, and write there the notebook and its HTML.

    They call the folder `shown`, where all of it will lie in the end. `tell` is called with each
    stage that is reached; once `stopped` is set the run is ended.
    """
    spare_grammar()
    # a second, spared where nothing runs
    from evalkit.engine.kernels import prepare
    from evalkit.engine.run import Run

    begun: dict[str, float] = {}  # a stage's second; the cells under a heading are one

    def stage(name: str) -> None:
        if name not in begun:
            begun[name] = time.monotonic()
            tell(name)

    prepare(order.out, order.runs, order.at_once, order.state)
    given, limits = job.injected(place), (order.timeout, order.memory)
    run = Run(job.notebook, given, place, *limits, stage, stopped)
    run.execute()
    if run.node is not None and not (run.failure and run.failure.kind == "stopped"):
        stage("生成网页")
        write_notebook(place, job, run.node, run.failure, shown)
    spans = zip(begun.items(), [*begun.values(), time.monotonic()][1:], strict=True)
    return Ended(run.failure, tuple((name, round(end - at, 3)) for (name, at), end in spans))
