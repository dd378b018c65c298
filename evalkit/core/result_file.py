"""result.json: `result` (the findings, byte-stable) and `run` (versions, hashes, times)."""

from functools import cache
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from evalkit import __version__
from evalkit.core.model import SCHEMA_VERSION, Result
from evalkit.core.store import read_versioned, write_json

FILE_NAME = "result.json"
_PACKAGES = "docxtpl ipykernel jinja2 matplotlib nbclient numpy openpyxl pandas papermill pillow"
_PACKAGES += " pydantic python-calamine python-docx scipy statsmodels XlsxWriter"


@cache
def versions() -> dict[str, Any]:
    """Versions of evalkit, Python and the packages that results and reports are made with."""
    packages = {name: version(name) for name in _PACKAGES.split()}
    return {"evalkit": __version__, "python": python_version(), "packages": packages}


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
