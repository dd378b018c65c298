"""What was run on what: an append-only record beside the results.

One JSON line says what a run is about to use (intent), one what it made (done). A file whose
hash is in no record was edited by a person.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.batch.jobs import Job
from evalkit.core.paths import asset, workspace
from evalkit.core.store import KEPT, digest, sha256
from evalkit.indicators.freeze import frozen_file

FILE_NAME = "manifest.jsonl"
NARRATIVE = "文字.docx"
_IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff"}


@dataclass
class Manifest:
    """The record of one output folder; `intent` and `done` may be called from several threads."""

    out: Path
    last: dict[str, dict[str, Any]] = field(default_factory=dict)  # folder → last done record
    seen: set[tuple[str, str, str]] = field(default_factory=set)  # folder, file, hash ever made
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Read what is there; a line torn by a crash is passed over."""
        path = self.out / FILE_NAME
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for line in text.splitlines():
            try:
                self._note(json.loads(line))
            except (ValueError, KeyError, AttributeError, TypeError):
                continue

    def intent(self, job: Job, inputs: dict[str, str]) -> None:
        """Record what a run is about to use."""
        self._add(event="intent", folder=job.folder, code=job.code, inputs=inputs)

    def done(self, job: Job, inputs: dict[str, str], outputs: dict[str, str], **facts: Any) -> None:
        """Record what a run made, under the digest of its inputs."""
        same = {"folder": job.folder, "code": job.code, "key": digest(inputs)}
        self._add(event="done", **same, outputs=outputs, **facts)

    def unchanged(self, job: Job, inputs: dict[str, str]) -> bool:
        """True if the last run was well, on the same inputs, and all it made is still there."""
        record = self.last.get(job.folder, {})
        known = record.get("status") == "ok" and record.get("key") == digest(inputs)
        return known and all((self.out / job.folder / name).exists() for name in record["outputs"])

    def edited(self, job: Job) -> list[str]:
        """Names in a project's folder of files that are not as any run of ours left them."""
        folder = self.out / job.folder
        names = [_name(folder, path) for path in files(folder)]
        return [n for n in names if (job.folder, n, sha256(folder / n)) not in self.seen]

    def _add(self, **record: Any) -> None:
        record = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z")} | record
        data = json.dumps(record, ensure_ascii=False).encode("utf-8")
        with self._lock, (self.out / FILE_NAME).open("ab") as stream:
            # the line break goes first, so a line cut short by a crash spoils no other
            stream.write(b"\n" + data if stream.tell() else data)
            stream.flush()
            os.fsync(stream.fileno())
            self._note(record)

    def _note(self, record: dict[str, Any]) -> None:
        if record["event"] == "done":
            self.last[record["folder"]] = record
            self.seen |= {(record["folder"], *made) for made in record["outputs"].items()}


def files(folder: Path) -> list[Path]:
    """The result files of a project: no hidden or lock files, no copies of edited ones."""
    found = (p for p in folder.rglob("*") if p.is_file() and KEPT not in p.name)
    return sorted(path for path in found if not path.name.startswith((".", "~$")))


def marks(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Inode, time and size of each result file; a rewritten file changes one of them."""
    stats = {path: path.stat() for path in files(folder)}
    return {path: (s.st_ino, s.st_mtime_ns, s.st_size) for path, s in stats.items()}


def made(folder: Path, before: dict[Path, tuple[int, int, int]]) -> dict[str, str]:
    """Hash by name of the files written since `before`."""
    now = marks(folder)
    return {_name(folder, p): sha256(p) for p, mark in now.items() if before.get(p) != mark}


def shared_inputs() -> dict[str, str]:
    """Digests of what every project uses: evalkit's source and the params of the workspace."""
    package = Path(__file__).resolve().parents[1]
    params = workspace() / "params"
    used = (path for path in params.rglob("*.*") if not path.is_relative_to(params / "demo"))
    source = (path for path in package.rglob("*.*") if path.suffix != ".pyc")  # code and texts
    return {"evalkit": _tree(package, source), "params": _tree(params, used)}


def inputs(job: Job, shared: dict[str, str]) -> dict[str, str]:
    """Hash by name of all that one project's results depend on."""
    folder, templates = job.workbook.parent, asset("templates")
    photos = (p for p in folder.rglob("*") if p.suffix.lower() in _IMAGES)
    template = templates.rglob(f"{job.notebook.stem}.*")  # any style's, and what stands in tables
    found = {
        "workbook": sha256(job.workbook),
        "notebook": sha256(job.notebook),
        "parameters": digest({"code": job.code, "name": job.name, **job.parameters}),
        "photos": _tree(folder, photos),
        "template": _tree(templates, template),
    }
    perhaps = {"narrative": folder / NARRATIVE, "frozen": frozen_file(job.workbook)}
    return found | {k: sha256(p) for k, p in perhaps.items() if p.is_file()} | shared


def _tree(root: Path, paths: Iterable[Path]) -> str:
    return digest({_name(root, path): sha256(path) for path in sorted(paths) if path.is_file()})


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
