"""How a batch is getting on: its log in the output folder, and what the log says to others."""

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from evalkit.batch.outcome import Job
from evalkit.batch.record import in_use
from evalkit.core.problem import refusal

LOG = "run_log.jsonl"
RAN = ("完成", "失败")  # how a project ends that has really run


class Log:
    """What happens in one batch, a JSON line each, for people and programs that watch it.

    Nothing depends on it: where it cannot be written the batch goes on. `at` is in seconds since
    the batch began, by a clock that nobody sets.
    """

    def __init__(self, out: Path, batch: str) -> None:
        self._path, self._batch, self._lock = out / LOG, batch, threading.Lock()
        self._begun = time.monotonic()

    def add(self, event: str, job: Job | None = None, **facts: Any) -> None:
        """Note an event: begin, stage, done, pages or end."""
        at, now = round(time.monotonic() - self._begun, 2), time.strftime("%Y-%m-%dT%H:%M:%S%z")
        record = {"time": now, "batch": self._batch, "at": at, "event": event}
        record |= {"code": job.code, "name": job.name} if job else {}
        line = json.dumps(record | facts, ensure_ascii=False) + "\n"
        with self._lock, suppress(OSError), self._path.open("a", encoding="utf-8") as stream:
            stream.write(line)


def time_left(seconds: Sequence[float], left: int, at_once: int) -> float | None:
    """Seconds that the projects `left` will take, judged by those that have run.

    >>> time_left([10.0, 20.0], left=8, at_once=2)
    60.0
    >>> time_left([], left=8, at_once=2) is None
    True
    """
    return sum(seconds) / len(seconds) * left / max(at_once, 1) if seconds else None


def spoken(seconds: float | None) -> str:
    """A duration in words.

    >>> spoken(42), spoken(125), spoken(3 * 3600 + 300), spoken(None)
    ('42 秒', '2 分 5 秒', '3 小时 5 分', '还不能估计')
    """
    if seconds is None:
        return "还不能估计"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} 小时 {minutes} 分"
    return f"{minutes} 分 {rest} 秒" if minutes else f"{rest} 秒"


def read_status(out: Path) -> dict[str, Any]:
    """What the log of an output folder says of its last batch, also while that is running.

    Returns:
        `begin` and `last`, its first and last record; `state`: "end", "running" or "" if it was
        cut off; `counts` by status; `running` and `failed`, the last records of such projects;
        how many are `left`; `eta`, the seconds to go, None where that cannot be told.

    Raises:
        EvalkitError: no batch has run into this folder.
    """
    running, last = in_use(out), list[dict[str, Any]]()
    with suppress(OSError):
        for line in (out / LOG).read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, LookupError, TypeError):  # torn by a crash
                record = json.loads(line)
                if record["event"] == "begin":
                    last.clear()
                last.append(record)
    if not last or last[0]["event"] != "begin":
        raise refusal("batch.none", out=out)
    begin, done = last[0], {r["code"]: r for r in last if r["event"] == "done"}
    stages = {r["code"]: r for r in last if r["event"] == "stage" and r["code"] not in done}
    ran = [r["seconds"] for r in done.values() if r["status"] in RAN]
    left = begin["total"] - len(done)
    return {
        "begin": begin,
        "state": last[-1]["event"] if last[-1]["event"] == "end" else "running" if running else "",
        "counts": Counter(r["status"] for r in done.values()),
        "left": left - len(stages),
        "running": list(stages.values()),
        "failed": [r for r in done.values() if r["status"] in ("失败", "中断")],
        "last": last[-1],
        "eta": time_left(ran, left, begin["at_once"]),
    }
