"""result.json: `result` (the findings, byte-stable) and `run` (versions, hashes, times)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.core.model import SCHEMA_VERSION, Result
from evalkit.core.store import read_versioned, write_json

FILE_NAME = "result.json"


def save(path: Path, result: Result, run: dict[str, Any]) -> Path:
    """Write result.json; returns the path really written."""
    return write_json(path, {"result": result.model_dump(mode="json"), "run": run})


def load(path: Path) -> tuple[Result, dict[str, Any]]:
    """Read result.json.

    Raises:
        EvalkitError: not a result, or written by a newer major version.
    """
    data = read_versioned(path, "result", SCHEMA_VERSION, part="result")
    return Result.model_validate(data["result"]), dict(data.get("run", {}))
