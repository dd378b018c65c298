"""What was run on what: an append-only record beside the results.

One JSON line says what a run is about to use (intent), one what it made (done). A file whose
hash is in no record was edited by a person.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.batch.jobs import Job
from evalkit.core.paths import asset, workspace
from evalkit.core.store import digest, sha256, write_atomic
from evalkit.indicators.freeze import frozen_file

FILE_NAME = "manifest.jsonl"
KEPT = "_人工修改_"
NARRATIVE = "文字.docx"
_SHARED = ("policy", "styles", "workbooks", "frameworks", "indicators", "services")
_IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff"}


@dataclass
class Manifest:
    """The record of one output folder; `add` may be called from several threads."""

    path: Path
    last: dict[str, dict[str, Any]] = field(default_factory=dict)  # folder → last done record
    seen: dict[str, set[str]] = field(default_factory=dict)  # folder/file → hashes ever made
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, out: Path) -> Manifest:
        """Read the record of an output folder; a line torn by a crash is passed over."""
        manifest = cls(out / FILE_NAME)
        if manifest.path.exists():
            for line in manifest.path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    manifest._note(json.loads(line))
                except (ValueError, KeyError, AttributeError, TypeError):
                    continue
        return manifest

    def intent(self, job: Job, inputs: dict[str, str]) -> None:
        """Record what a run is about to use."""
        self._add({"event": "intent", "folder": job.folder, "code": job.code, "inputs": inputs})

    def done(self, job: Job, key: str, outputs: dict[str, str], **facts: Any) -> None:
        """Record what a run made; `key` is the digest of its inputs."""
        record = {"event": "done", "folder": job.folder, "code": job.code, "key": key}
        self._add(record | {"outputs": outputs} | facts)

    def unchanged(self, job: Job, key: str, out: Path) -> bool:
        """True if the last run was well, on the same inputs, and all it made is still there."""
        record = self.last.get(job.folder, {})
        return (
            record.get("status") == "ok"
            and record.get("key") == key
            and all((out / job.folder / name).exists() for name in record["outputs"])
        )

    def edited(self, job: Job, out: Path) -> list[Path]:
        """Files of a project that are not as any run of ours left them."""
        folder = out / job.folder
        return [
            path
            for path in files(folder)
            if sha256(path) not in self.seen.get(f"{job.folder}/{_name(folder, path)}", set())
        ]

    def _add(self, record: dict[str, Any]) -> None:
        record = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z")} | record
        data = (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8")
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as stream:
                if stream.tell():
                    stream.seek(-1, os.SEEK_END)
                    if stream.read(1) != b"\n":  # a crash cut the last line short
                        data = b"\n" + data
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            self._note(record)

    def _note(self, record: dict[str, Any]) -> None:
        if record["event"] != "done":
            return
        self.last[record["folder"]] = record
        for name, made in record["outputs"].items():
            self.seen.setdefault(f"{record['folder']}/{name}", set()).add(made)


def files(folder: Path) -> list[Path]:
    """The result files of a project: no hidden or lock files, no copies of edited ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".", "~$")) and KEPT not in path.name
    )


def marks(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Inode, time and size of each result file; a rewritten file changes one of them."""
    stats = {path: path.stat() for path in files(folder)}
    return {path: (s.st_ino, s.st_mtime_ns, s.st_size) for path, s in stats.items()}


def made(folder: Path, before: dict[Path, tuple[int, int, int]]) -> dict[str, str]:
    """Hash by name of the files written since `before`."""
    now = marks(folder)
    return {_name(folder, p): sha256(p) for p, mark in now.items() if before.get(p) != mark}


def keep(path: Path) -> Path:
    """Copy a file that a person edited to ``NAME_人工修改_N.ext`` beside it."""
    number = 1
    while (copy := path.with_name(f"{path.stem}{KEPT}{number}{path.suffix}")).exists():
        number += 1
    return write_atomic(copy, lambda stream: stream.write(path.read_bytes()))


def shared_inputs() -> dict[str, str]:
    """Digests of what every project uses: evalkit's source and the params of the workspace."""
    package = Path(__file__).resolve().parents[1]
    params = workspace() / "params"
    folders = [folder for name in _SHARED if (folder := params / name).is_dir()]
    return {
        "evalkit": _tree(package, package.rglob("*.py")),
        "params": _tree(params, (path for folder in folders for path in folder.rglob("*.*"))),
    }


def inputs(job: Job, shared: dict[str, str]) -> dict[str, str]:
    """Hash by name of all that one project's results depend on."""
    return dict(_inputs(job)) | shared


def _inputs(job: Job) -> Iterator[tuple[str, str]]:
    yield "workbook", sha256(job.workbook)
    yield "notebook", sha256(job.notebook)
    yield "parameters", digest({"code": job.code, "name": job.name, **job.parameters})
    stem = job.notebook.stem
    narrative, frozen = job.workbook.with_name(NARRATIVE), frozen_file(job.workbook)
    for name, path in (
        ("narrative", narrative),
        ("frozen", frozen),
        ("template", asset("templates", f"{stem}.docx")),
    ):
        if path.is_file():
            yield name, sha256(path)
    folder = job.workbook.parent
    yield "photos", _tree(folder, (p for p in folder.rglob("*") if p.suffix.lower() in _IMAGES))


def _tree(root: Path, paths: Iterable[Path]) -> str:
    return digest({_name(root, path): sha256(path) for path in sorted(paths) if path.is_file()})


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
