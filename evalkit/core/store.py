"""Files that are never half written, never escape their folder and never eat a person's work."""

import hashlib
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from evalkit.core.problem import EvalkitError, Problem, refusal

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = {"CON", "PRN", "AUX", "NUL"} | {f"{d}{i}" for d in ("COM", "LPT") for i in range(1, 10)}
KEPT = "_人工修改_"
_NAME_BYTES = 120


def safe_name(text: str, fallback: str = "未命名") -> str:
    """Text as one file or folder name that every system accepts and that cannot leave its folder.

    >>> safe_name("../../县城环卫/一体化?"), safe_name("CON")
    ('县城环卫_一体化', '_CON')
    """
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf")  # no turned text
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", visible)).strip(" ._")
    name = name.encode("utf-8")[:_NAME_BYTES].decode("utf-8", "ignore").rstrip(" .") or fallback
    return f"_{name}" if name.split(".")[0].upper() in _RESERVED else name


def inside(folder: Path, name: str) -> Path:
    """`folder/name`, refused unless it really lies in the folder.

    Raises:
        EvalkitError: the path would leave the folder.
    """
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        raise EvalkitError([Problem(what=f"路径“{name}”越出输出文件夹", remedy="请改用普通文件名")])
    return path


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Hex digest of a JSON-able value, independent of key order."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_atomic(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Write through a temporary neighbour, then replace.

    A file that Word or Excel holds open cannot be replaced on Windows; the new one is then
    written beside it as ``NAME_新.ext``. Returns the path really written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        with temporary.open("xb") as stream:  # unlike a file of tempfile's, one to share
            write(stream)
        try:
            os.replace(temporary, path)
        except PermissionError:
            path = path.with_name(f"{path.stem}_新{path.suffix}")
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def keep_aside(path: Path) -> Path:
    """Copy a file that a person edited to ``NAME_人工修改_N.ext`` beside it.

    The same contents are kept once, however often they are about to be replaced.
    """
    data = path.read_bytes()
    copies = (path.with_name(f"{path.stem}{KEPT}{n}{path.suffix}") for n in count(1))
    copy = next(c for c in copies if not c.exists() or c.read_bytes() == data)
    return copy if copy.exists() else write_bytes(copy, data)


def write_bytes(path: Path, data: bytes) -> Path:
    """`write_atomic` for bytes at hand."""
    return write_atomic(path, lambda stream: stream.write(data))


def write_json(path: Path, value: Any) -> Path:
    """JSON as people read it: Chinese kept, two spaces, keys as given, newline at the end."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return write_bytes(path, (text + "\n").encode("utf-8"))


def read_versioned(path: Path, kind: str, version: str, *, part: str = "") -> dict[str, Any]:
    """A JSON file of the kit's own that states `schema_version`, in its `part` or at its top.

    `kind` is result or freeze, as in the codes of its sentences; `version` is the one supported.

    Raises:
        EvalkitError: not such a file, or written by a newer major version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        stated = str((data[part] if part else data)["schema_version"])
        newer = int(stated.split(".")[0]) > int(version.split(".")[0])
    except (OSError, ValueError, KeyError, TypeError):
        raise refusal(f"{kind}.file", file=path.name) from None
    if newer:
        raise refusal(f"{kind}.version", file=path.name, has=stated, mine=version)
    return dict(data)
