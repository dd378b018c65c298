"""result.json: `result` (the findings, byte-stable) and `run` (versions, hashes, times)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evalkit.core.model import SCHEMA_VERSION, Result
from evalkit.core.problem import EvalkitError, Problem
from evalkit.core.store import write_json

FILE_NAME = "result.json"


def save(path: Path, result: Result, run: dict[str, Any]) -> Path:
    """Write result.json; returns the path really written."""
    return write_json(path, {"result": result.model_dump(mode="json"), "run": run})


def load(path: Path) -> tuple[Result, dict[str, Any]]:
    """Read result.json.

    Raises:
        EvalkitError: not a result, or written by a newer major version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = str(data["result"]["schema_version"])
    except (OSError, ValueError, KeyError, TypeError):
        raise EvalkitError(
            [Problem(file=path.name, what="不是评价结果文件", remedy="请重新运行该项目")]
        ) from None
    if int(version.split(".")[0]) > int(SCHEMA_VERSION.split(".")[0]):
        raise EvalkitError(
            [
                Problem(
                    file=path.name,
                    what=f"结果版本 {version} 高于本程序支持的 {SCHEMA_VERSION}",
                    remedy="请升级 evalkit 后再读取",
                )
            ]
        )
    return Result.model_validate(data["result"]), dict(data.get("run", {}))
