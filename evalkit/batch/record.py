"""The record of an output folder, and how results come to their place in it.

Beside the results lies an append-only record, one JSON line for what a run is about to use
(intent), for what it made and is about to put in place (publish), and for when all of it is there
(done). A notebook writes into a folder of its own; only what is complete is moved to its place,
file by file. So every file under its final name is whole whenever the program ends, and the next
start finishes what was recorded. A file whose hash is in no record was edited by a person.
"""

import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from evalkit.batch.outcome import Job
from evalkit.core.problem import refusal
from evalkit.core.result_file import FILE_NAME
from evalkit.core.store import KEPT, keep_aside, sha256
from evalkit.review.delivery import stand_beside
from evalkit.workflows.inputs import MANIFEST, name_in

LOCK = ".evalkit.lock"
RUNNING = "_运行中"  # holds a folder for each run that is going on
_OF_LINE = ("time", "event", "folder")  # what every line of the record says
Event = Literal["batch", "intent", "publish", "done", "stopped"]


@contextmanager
def opened(out: Path, **batch: Any) -> Iterator["Manifest"]:
    """The record of an output folder, for one batch at a time, whose facts are noted first.

    What an earlier one had recorded and could not put in place is put there.

    Raises:
        EvalkitError: the folder cannot be made or written, or another batch is using it.
    """
    with ExitStack() as stack:
        try:
            out.mkdir(parents=True, exist_ok=True)
            # a moment, for `evalkit status` may be looking at it
            stack.enter_context(FileLock(out / LOCK, timeout=1))
            manifest = Manifest(out.resolve())
            manifest.add("batch", "", **batch)
            manifest.recover()
        except OSError as error:
            code = "batch.busy" if isinstance(error, Timeout) else "batch.out"
            raise refusal(code, out=out, why=error.strerror or error) from None
        stack.callback(manifest.clear)
        yield manifest


def in_use(out: Path) -> bool:
    """True if a batch is running into this folder."""
    if not (out / LOCK).exists():
        return False
    try:
        with FileLock(out / LOCK, timeout=0):
            return False
    except OSError as error:  # where nobody can write nobody is
        return isinstance(error, Timeout)


class Manifest:
    """The record of one output folder; it may be used by several threads."""

    def __init__(self, out: Path) -> None:
        """Read what is there; a line torn by a crash is passed over."""
        self.out, self._lock = out, threading.Lock()
        self.last: dict[str, dict[str, Any]] = {}  # folder → last done record
        self._intents: dict[str, dict[str, Any]] = {}  # folder → last intent
        self._pending: dict[str, dict[str, Any]] = {}  # folder → what is yet to be put in place
        self._seen: set[int] = set()  # hashes of each folder, file and hash ever made
        path = out / MANIFEST
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for line in text.splitlines():
            with suppress(ValueError, KeyError, AttributeError, TypeError):
                self._note(json.loads(line))

    def unchanged(self, folder: str, key: str) -> bool:
        """True if what was made last in a folder, and well, has that key and is still there."""
        record = self.last.get(folder, {})
        known = record.get("status") == "ok" and record.get("key") == key
        return known and all((self.out / folder / name).exists() for name in record["outputs"])

    def places(self, job: Job, shared: Mapping[str, str]) -> list[str] | None:
        """The files and folders that a task names, if its workbook is as when they were read."""
        intent = self._intents.get(job.folder, {})
        used = intent.get("inputs", {})
        same = shared.items() <= used.items() and used.get("workbook") == sha256(job.workbook)
        return intent.get("places") if same else None

    def edited(self, folder: str) -> list[str]:
        """The files of the last run in a folder that are not as any run left them."""
        record, place = self.last[folder], self.out / folder
        known = record.get("marks", {})  # where they still hold, no file need be read
        touched = (name for name in record["outputs"] if mark(place / name) != known.get(name))
        return [name for name in touched if not self._ours(folder, name)]

    def add(self, event: Event, folder: str, **facts: Any) -> None:
        """Record something of a folder of results; "" is the output folder itself."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        record = {"time": now, "event": event, "folder": folder, **facts}
        data = json.dumps(record, ensure_ascii=False).encode("utf-8")
        with self._lock, (self.out / MANIFEST).open("ab") as stream:
            # the line break goes first, so a line cut short by a crash spoils no other
            stream.write(b"\n" + data if stream.tell() else data)
            stream.flush()
            os.fsync(stream.fileno())
            self._note(record)

    @contextmanager
    def workplace(self, folder: str) -> Iterator[Path]:
        """A new folder for a run to write into, with a copy of what the last one left.

        It is removed in the end, unless what was recorded in it is yet to be put in place.
        """
        place, last = self.out / RUNNING / secrets.token_hex(3), self.out / folder
        try:
            place.mkdir(parents=True)
            for path in last.rglob("*") if folder else ():
                if path.is_file() and not path.name.startswith((".", "~$")):
                    copy = place / path.relative_to(last)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, copy)
            yield place
        finally:
            if folder not in self._pending:
                shutil.rmtree(place, ignore_errors=True)

    def publish(
        self, folder: str, source: Path, outputs: dict[str, str], **facts: Any
    ) -> tuple[list[str], dict[str, Path]]:
        """Record what a run made in `source` and put it in place.

        `outputs` are hashes by name, `facts` what else is to be remembered: a `status`, and the
        names of files that are `gone`.

        Returns:
            The names under which it stands now: where a file was held open by another program,
            the new one lies beside it; and the copies of files that people had edited.
        """
        for name in outputs:
            with (source / name).open("r+b") as stream:
                os.fsync(stream.fileno())
        record = {"from": source.name, "outputs": outputs, **facts}
        self.add("publish", folder, **record)
        return self._put(folder, record)

    def recover(self) -> None:
        """Finish what a run that was cut off had recorded; what it had not is lost."""
        for folder, record in list(self._pending.items()):
            places = (self.out / RUNNING / record["from"], self.out / folder)
            if all(
                made in [sha256(p / name) for p in places if (p / name).is_file()]
                for name, made in record["outputs"].items()
            ):
                self._put(folder, record)
        self._pending.clear()
        self.clear()

    def clear(self) -> None:
        """Remove what runs have left in their own folders, unless it is yet to be put in place."""
        if not self._pending:
            shutil.rmtree(self.out / RUNNING, ignore_errors=True)

    def _put(self, folder: str, record: dict[str, Any]) -> tuple[list[str], dict[str, Path]]:
        source, target = self.out / RUNNING / record["from"], self.out / folder
        outputs, beside, kept = dict(record["outputs"]), dict[str, str](), dict[str, Path]()

        def put(name: str, place: str) -> None:
            path = target / place
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and not self._ours(folder, place):
                kept[place] = keep_aside(path)
            os.replace(source / name, path)

        for copy in source.rglob(f"*{KEPT}*") if record["status"] == "ok" else ():
            if not (target / copy.relative_to(source)).exists():
                put(*[copy.relative_to(source).as_posix()] * 2)
        # the result goes last: it tells of the others
        for name in sorted(outputs, key=lambda name: (name == FILE_NAME, name)):
            if not (source / name).exists():
                continue  # it is in place
            if name == FILE_NAME and beside:
                with suppress(ValueError, LookupError, TypeError):  # a result of another's making
                    stand_beside(source / name, target / name, beside)
                outputs[name] = sha256(source / name)
                self.add("publish", folder, **record | {"outputs": outputs})
            try:
                put(name, name)
            except PermissionError:  # so Windows says that another program holds it open
                path = Path(name)
                beside[name] = path.with_stem(f"{path.stem}_新").as_posix()
                put(name, beside[name])
                outputs[beside[name]] = outputs.pop(name)
        for name in record.get("gone", ()):
            if (target / name).is_file() and self._ours(folder, name):
                (target / name).unlink()
        found = {name: mark(target / name) for name in outputs}
        self.add("done", folder, **record | {"outputs": outputs, "marks": found})
        return list(outputs), kept

    def _ours(self, folder: str, name: str) -> bool:
        """True if a file is as some run left it."""
        return hash((folder, name, sha256(self.out / folder / name))) in self._seen

    def _note(self, record: dict[str, Any]) -> None:
        folder, event = record["folder"], record["event"]
        if event in ("publish", "done"):
            self._seen |= {hash((folder, *made)) for made in record["outputs"].items()}
        if event == "intent":
            self._intents[folder] = record
        elif event == "publish":
            self._pending[folder] = {k: v for k, v in record.items() if k not in _OF_LINE}
        elif event == "done":
            self.last[folder] = record
            self._pending.pop(folder, None)


def result_files(folder: Path) -> list[Path]:
    """The result files of a project: no hidden or lock files, no copies of edited ones."""
    found = (p for p in folder.rglob("*") if p.is_file() and KEPT not in p.name)
    return sorted(path for path in found if not path.name.startswith((".", "~$")))


def marks(folder: Path) -> set[tuple[Path, int, int, int]]:
    """Inode, time and size of each result file; a rewritten file changes one of them."""
    stats = ((path, path.stat()) for path in result_files(folder))
    return {(path, s.st_ino, s.st_mtime_ns, s.st_size) for path, s in stats}


def made_since(folder: Path, before: set[tuple[Path, int, int, int]]) -> dict[str, str]:
    """Hash by name of the files written since `before`."""
    return {name_in(folder, path): sha256(path) for path, *_ in sorted(marks(folder) - before)}


def mark(path: Path) -> list[int]:
    """Time and size of a file; none if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_mtime_ns, found.st_size]
