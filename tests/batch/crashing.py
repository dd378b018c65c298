"""A batch whose notebooks are played by a few lines, ended at any moment, and what must hold then.

    crashing.py PLACE kill|full|size SEED TIMES

A child runs the batch and is ended at some file operation below the output folder (kill), or from
one on every such operation finds the disk full (full), or no file may grow beyond some bytes
(size). Then every file under its final name must be whole, and what was finished must not run
again.
"""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import sys
import types
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat.v4 as v4
import pytest
from batch_support import FILES, HEADERS, row, write_list

from evalkit.batch import perform, run
from evalkit.batch.record import RUNNING
from evalkit.core import model, result_file
from evalkit.core.problem import EvalkitError
from evalkit.engine.notebook import Failure

CODES = [f"{n:02}" for n in range(1, 5)]
REPORT = "评价报告.docx"
SHARED = {"evalkit": "1"}


class Run:
    """Writes what a notebook would, in pieces and straight to the names they end up with."""

    def __init__(self, notebook: Path, parameters: dict[str, Any], folder: Path, *_: Any) -> None:
        self.code, self.book = parameters["code"], Path(parameters["workbook"])
        self.name, self.folder, self.node = parameters["name"], folder, v4.new_notebook()
        self.failure: Failure | None = None

    def execute(self) -> None:
        text = self.book.read_text("utf-8")
        with self.book.with_name("运行过.txt").open("a", encoding="utf-8") as stream:
            stream.write(f"{self.code}\n")
        try:
            pictures = self.folder / "图"
            pictures.mkdir(exist_ok=True)
            for path in (self.folder / REPORT, pictures / "一.png"):
                with path.open("wb") as stream:
                    for piece in pieces(self.code, text):
                        stream.write(piece)
                        stream.flush()
            values = {"funds.budget": Decimal(text)}
            about = {"workflow": "ok", "code": self.code, "name": self.name, "stage": "初稿"}
            result = model.Result(**about, subject={"unit": "某中心"}, values=values)
            result_file.save(self.folder / "result.json", result, {})
        except OSError as error:
            self.failure = Failure("exception", (str(error),))

    def stop(self) -> None: ...


def pieces(code: str, text: str) -> list[bytes]:
    """A report of a project on a workbook, as it is written."""
    return [f"{code} {text} {n}".encode() * 40 for n in range(3)]


def _notebook(folder: Path, job: Any, *_: Any) -> None:
    (folder / f"{job.notebook.stem}.html").write_text("<p>过程</p>", encoding="utf-8")


def install(patch: pytest.MonkeyPatch) -> None:
    """Let this process run such batches."""
    idle = {"prepare": lambda *_: None, "close": lambda: None}
    for name, part in (("run", {"Run": Run}), ("kernels", idle)):
        module = types.ModuleType(f"evalkit.engine.{name}")
        vars(module).update(part)
        patch.setitem(sys.modules, module.__name__, module)
    patch.setattr(perform, "write_notebook", _notebook)
    patch.setattr(run, "shared_inputs", lambda: SHARED)


def lay_out(place: Path, text: str) -> Path:
    """A list whose projects have a workbook each, with a text."""
    shutil.copy(FILES / "ok.ipynb", place)
    for code in CODES:
        (place / code).mkdir(exist_ok=True)
        (place / code / "底稿.xlsx").write_text(text, encoding="utf-8")
    rows = [(*row(code, f"项目{code}")[:3], f"{code}/底稿.xlsx") for code in CODES]
    return write_list(place, *rows, headers=HEADERS)


class Mute(run.Screen):
    """Says nothing."""

    def begin(self, *_: Any) -> None: ...
    def stage(self, *_: Any) -> None: ...
    def done(self, *_: Any) -> None: ...
    def end(self, *_: Any) -> None: ...


class Meanwhile(Mute):
    """Does something when the first project is about to run."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def stage(self, job: Any, stage: str) -> None:
        if job.code == CODES[0] and stage == "准备":
            self.act()


def again(
    place: Path, reporter: run.Screen | None = None, **options: Any
) -> dict[str, run.Outcome]:
    """The outcomes by code of a batch over the list of a place into its 成果."""
    done = run.run_batch(place / "清单.csv", place / "成果", reporter=reporter or Mute(), **options)
    return {outcome.job.code: outcome for outcome in done.outcomes}


def statuses(outcomes: dict[str, run.Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes.values()]


def batch(place: Path) -> run.BatchOutcome:
    """Run the list of a place into its 成果."""
    return run.run_batch(place / "清单.csv", place / "成果", jobs=2, reporter=Mute())


def ran(place: Path) -> list[str]:
    """The projects whose notebook has run, as often as it has, since last asked."""
    found = []
    for path in place.glob("*/运行过.txt"):
        found += path.read_text(encoding="utf-8").split()
        path.unlink()
    return sorted(found)


def recorded(place: Path, text: str) -> set[str]:
    """The projects that the record says are made, or about to be put in place, on a text."""
    path, made, inputs = place / "成果" / "manifest.jsonl", dict[str, str](), dict[str, str]()
    digests = {code: run.sha256(place / code / "底稿.xlsx") for code in CODES}
    for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except ValueError:  # torn
            continue
        if record["event"] == "intent":
            inputs[record["code"]] = record["inputs"]["workbook"]
        if record["event"] in ("publish", "done") and record["folder"]:
            made[record["code"]] = inputs[record["code"]] if record["status"] == "ok" else ""
    return {code for code in CODES if made.get(code) == digests[code]}


def whole(place: Path, *texts: str) -> None:
    """Every file under its final name is what a run on one of the texts has made, to the end."""
    out = place / "成果"
    for path in (p for p in out.rglob("*") if p.is_file() and RUNNING not in p.parts):
        if path.name in (REPORT, "一.png"):
            code = path.relative_to(out).parts[0][:2]
            assert path.read_bytes() in [b"".join(pieces(code, text)) for text in texts], path
        elif path.name == "result.json":
            assert result_file.load(path)[0].values["funds.budget"] in map(Decimal, texts), path
        elif path.suffix == ".xlsx":
            assert zipfile.ZipFile(path).testzip() is None, path
        elif path.suffix == ".html":
            assert path.read_text(encoding="utf-8").endswith(("</p>", "</html>")), path


def finish(place: Path, text: str) -> None:
    """A run that nothing disturbs makes what is missing and nothing else."""
    out, made = place / "成果", recorded(place, text)
    ran(place)
    done = batch(place)
    assert {o.status for o in done.outcomes} <= {"完成", "未变化"}, done.outcomes
    assert ran(place) == sorted(set(CODES) - made)
    whole(place, text)
    names = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    each = [f"{code}_项目{code}/{name}" for code in CODES
            for name in ("ok.html", "result.json", REPORT, "图/一.png")]  # fmt: skip
    own = [".evalkit.lock", "index.html", "manifest.jsonl", "run_log.jsonl", "summary.xlsx"]
    assert names == sorted(each + own)


def in_child(action: Callable[[], object]) -> int:
    """The exit code of a forked process that does something."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        action()
        os._exit(0)
    except EvalkitError:
        os._exit(2)  # a sentence
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(3)


def disturbed(place: Path, how: str, moment: int) -> int:
    """Run the batch and disturb it; returns how it ended."""
    out, passed = str(place / "成果"), 0

    def hook(event: str, facts: tuple[Any, ...]) -> None:
        nonlocal passed
        writing = event == "open" and (facts[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        changing = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.copyfile")
        if not (writing or changing) or not str(facts[0]).startswith(out):
            return
        passed += 1
        if how == "kill" and passed == moment:
            os._exit(9)
        # what deletes needs no room, and a lock that is there none either
        if how == "full" and passed >= moment and event in ("open", "os.mkdir", "os.rename"):
            raise OSError(errno.ENOSPC, "No space left on device", str(facts[0]))

    def action() -> None:
        if how == "size":
            resource.setrlimit(resource.RLIMIT_FSIZE, (moment, moment))
        else:
            sys.addaudithook(hook)
        batch(place)

    return in_child(action)


def main() -> None:
    """Disturb batches and look what is left."""
    place, how, seed, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    install(pytest.MonkeyPatch())
    place.mkdir()
    lay_out(place, "0")
    batch(place)  # templates and the versions of packages are read once, not by every child
    chance = random.Random(seed)  # noqa: S311
    most = {"kill": 220, "full": 220, "size": 14_000}[how]
    moments = [*range(1, most + 1)] if times >= most else chance.sample(range(1, most + 1), times)
    ends: dict[int, int] = {}
    for moment in moments:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        lay_out(place, "1")
        if chance.random() < 0.7:  # mostly there are results, and workbooks have changed since
            assert in_child(lambda: batch(place)) == 0
            lay_out(place, "2")
        text = (place / CODES[0] / "底稿.xlsx").read_text(encoding="utf-8")
        for again in (moment, chance.randrange(1, most)):  # and what follows is disturbed, too
            code = disturbed(place, how, again)
            assert code in {"kill": (0, 9)}.get(how, (0, 2)), (moment, again, code)
            ends[code] = ends.get(code, 0) + 1
            whole(place, "1", text)
        assert in_child(lambda text=text: finish(place, text)) == 0, (moment, again)
    sys.stdout.write(json.dumps(ends))


if __name__ == "__main__":
    main()
