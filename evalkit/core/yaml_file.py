"""YAML files of people's making: no key twice, exact numbers, faults in Chinese with their line.

Floats never appear: numbers are read as exact decimals.
"""

from collections.abc import Hashable
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError

from evalkit.core.numbers import to_decimal
from evalkit.core.problem import EvalkitError, Problem, refusal, sentence

M = TypeVar("M", bound=BaseModel)
# libyaml's parser, where it is built in, takes a tenth of the time
SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BASE: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class _ExactLoader(SAFE):  # type: ignore[misc]
    """YAML as people mean it: numbers are exact decimals."""


class _TextLoader(_BASE):  # type: ignore[misc]
    """Every scalar as text, so that ``id: no`` and ``example: 2024-01-01`` mean what they say."""


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return to_decimal(loader.construct_scalar(node).replace("_", ""))


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Hashable, Any]:
    keys = [str(key.value) for key, _ in node.value]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        what = f"键“{'”“'.join(twice)}”重复"
        raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)
    return dict(loader.construct_mapping(node, deep=True))


_ExactLoader.add_constructor("tag:yaml.org,2002:int", _number)
_ExactLoader.add_constructor("tag:yaml.org,2002:float", _number)
_ExactLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
_TextLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_yaml(path: Path, *, texts: bool = False) -> Any:
    """The contents of a YAML file; with `texts` every scalar is the text that stands there.

    Raises:
        EvalkitError: unreadable, not YAML, or a key given twice.
    """
    loader = _TextLoader if texts else _ExactLoader
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    except OSError:
        raise refusal("yaml.file", file=path.name) from None
    except (yaml.YAMLError, ValueError) as fault:
        mark, why = getattr(fault, "problem_mark", None), getattr(fault, "problem", None)
        line = f"第 {mark.line + 1} 行：" if mark else ""
        sound = isinstance(fault, yaml.constructor.ConstructorError | ValueError)
        code = "yaml.content" if sound else "yaml.syntax"
        raise refusal(code, file=path.name, line=line, why=why or fault) from None


def read_yaml(path: Path, model: type[M], *, texts: bool = False) -> M:
    """Read a YAML file into a frozen model; `texts` as for `load_yaml`.

    A file that has not changed since is not read again.

    Raises:
        EvalkitError: as `load_yaml`, or contents that do not fit (all their faults at once).
    """
    with suppress(OSError):
        found = path.stat()
        return cast(M, _read(path, model, texts, found.st_mtime_ns, found.st_size))
    return cast(M, _read(path, model, texts))


@lru_cache(maxsize=64)
def _read(path: Path, model: type[BaseModel], texts: bool, *_: int) -> BaseModel:
    try:
        return model.model_validate(load_yaml(path, texts=texts))
    except ValidationError as faults:
        raise EvalkitError([_fault(path, dict(fault)) for fault in faults.errors()]) from None


def _fault(path: Path, fault: dict[str, Any]) -> Problem:
    place = "→".join(map(str, fault["loc"])) or "文件"
    own = fault["msg"].removeprefix("Value error, ")
    return sentence(f"yaml.{fault['type']}", file=path.name, place=place, own=own)
