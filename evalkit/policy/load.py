"""Policy files: every value with its source and the day it takes effect.

A file holds keys; a key holds dated values, after OpenFisca's parameter files. `null` ends a
value. Floats never appear: YAML numbers are read as exact decimals.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evalkit.core.model import PolicyUse
from evalkit.core.numbers import plain, to_decimal
from evalkit.core.paths import asset, packaged, workspace
from evalkit.core.problem import EvalkitError, Problem

NATIONAL = "national"
M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """Base of what is read from YAML: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatedValue(Strict):
    """A value, valid from `effective` until the next one; None ends it."""

    effective: date
    value: Any
    source: str = Field(min_length=1)
    status: Literal["规定", "示例", "地方做法", "机构设定"]


class Parameter(Strict):
    """One key of a policy file."""

    title: str = Field(min_length=1)
    unit: str = ""
    note: str = ""
    values: tuple[DatedValue, ...]

    @model_validator(mode="after")
    def _dates_differ(self) -> Parameter:
        if not self.values:
            raise ValueError("没有任何取值")
        if len({value.effective for value in self.values}) != len(self.values):
            raise ValueError("同一生效日期出现两次")
        return self

    def at(self, day: date) -> DatedValue | None:
        """The value in force on that day; None before the first and after the end."""
        past = [value for value in self.values if value.effective <= day]
        latest = max(past, key=lambda value: value.effective, default=None)
        return None if latest is None or latest.value is None else latest


class PolicyFile(Strict):
    """`national.yaml`, or a profile that extends it."""

    id: str
    title: str
    extends: str = ""
    note: str = ""
    values: dict[str, Parameter]


@dataclass(frozen=True)
class Policy:
    """The values in force on one day: the national file under one profile.

    Where the profile has no value in force, the national one applies.
    """

    profile: str
    title: str
    as_of: date
    national: PolicyFile
    own: PolicyFile | None = None

    def use(self, key: str) -> PolicyUse:
        """One value with its source and, for a profile's value, what it replaced.

        >>> policy = load("national", as_of=date(2024, 12, 31))
        >>> policy.use("outcome_share_min").source
        '财预〔2020〕10号第十四条'

        Raises:
            EvalkitError: no such key, or no value in force on that day.
        """
        parameter = self.parameter(key)
        own = self.own.values.get(key) if self.own else None
        below = self.national.values.get(key)
        mine = own.at(self.as_of) if own else None
        base = below.at(self.as_of) if below else None
        found = mine or base
        if found is None:
            days = sorted(v.effective for p in (own, below) if p for v in p.values)
            raise _error(
                self._file,
                "policy.date",
                f"“{parameter.title}”（{key}）在 {self.as_of} 没有有效的值",
                "最近的生效或失效日期是 " + "、".join(map(str, _around(days, self.as_of))),
            )
        replaced = f"{self.national.title}：{_show(base.value)}（{base.source}）" if base else ""
        return PolicyUse(
            key=key,
            title=parameter.title,
            value=found.value,
            source=found.source,
            effective=str(found.effective),
            profile=self.profile if mine else NATIONAL,
            overrode=replaced if mine else "",
        )

    def get(self, key: str) -> PolicyUse | None:
        """As `use`, but None where no value is in force: for what only some places rule."""
        try:
            return self.use(key)
        except EvalkitError:
            return None

    def value(self, key: str) -> Any:
        """Only the value: Decimal, text, or a list or dict of these.

        >>> load("national", as_of=date(2024, 12, 31)).value("full_total")
        Decimal('100')

        Raises:
            EvalkitError: as `use`.
        """
        return self.use(key).value

    def parameter(self, key: str) -> Parameter:
        """Title, unit, note and all dated values, as the profile (else the national file) has them.

        Raises:
            EvalkitError: no such key.
        """
        known = {**self.national.values, **(self.own.values if self.own else {})}
        if key not in known:
            raise _error(
                self._file, "policy.key", f"政策参数中没有“{key}”", nearest(key, sorted(known))
            )
        return known[key]

    def overrides(self) -> list[PolicyUse]:
        """What the profile sets on that day; `overrode` is empty where it adds a value."""
        own = self.own.values if self.own else {}
        return [self.use(key) for key, parameter in own.items() if parameter.at(self.as_of)]

    @property
    def _file(self) -> str:
        return f"{self.profile}.yaml"


def load(profile: str = NATIONAL, *, as_of: date, start: Path | None = None) -> Policy:
    """Policy as of a day (the end of the evaluated year), by profile id or Chinese title.

    >>> load("宁县", as_of=date(2025, 12, 31)).profile
    'ningxian'

    Raises:
        EvalkitError: unknown profile, or a broken file (all its faults at once).
    """
    files = {file.id: file for file in _files(start)}
    named = {name: file for file in files.values() for name in (file.title, file.id)}
    if profile not in named:
        raise _error("", "policy.profile", f"没有“{profile}”政策方案", nearest(profile, named))
    chosen, national = named[profile], files[NATIONAL]
    own = None if chosen is national else chosen
    return Policy(chosen.id, chosen.title, as_of, national, own)


def profiles(start: Path | None = None) -> list[tuple[str, str]]:
    """Every profile as (id, Chinese title), the national one first."""
    return [(file.id, file.title) for file in _files(start)]


def _files(start: Path | None) -> list[PolicyFile]:
    """All policy files; a profile of the working folder wins over the kit's own."""
    folders = [root / "params" / "policy" / "profiles" for root in (packaged(), workspace(start))]
    paths = {path.stem: path for folder in folders for path in folder.glob("*.yaml")}
    national = read_yaml(asset("params", "policy", f"{NATIONAL}.yaml", start=start), PolicyFile)
    files = [national]
    for stem in sorted(paths):
        file = read_yaml(paths[stem], PolicyFile)
        if (file.id, file.extends) != (stem, NATIONAL):
            what = f"id 应与文件名相同（{stem}），extends 应为 {NATIONAL}"
            raise _error(paths[stem].name, "policy.identity", what, "请改正后再运行")
        files.append(file)
    return files


def read_yaml(path: Path, model: type[M]) -> M:
    """Read a YAML file of people's making into a model: exact numbers, no key twice.

    Raises:
        EvalkitError: unreadable, not YAML, a key given twice, or contents that do not fit
            (all faults of the contents at once).
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_ExactLoader)  # noqa: S506
    except OSError:
        raise _error(path.name, "yaml.file", "读不到这个文件", "请检查它是否存在") from None
    except (yaml.YAMLError, ValueError) as fault:
        mark = getattr(fault, "problem_mark", None)
        line = f"第 {mark.line + 1} 行：" if mark else ""
        what = f"{line}{getattr(fault, 'problem', None) or fault}"
        raise _error(path.name, "yaml.syntax", what, "请改正后再运行") from None
    try:
        return model.model_validate(data)
    except ValidationError as faults:
        raise EvalkitError([_fault(path.name, dict(fault)) for fault in faults.errors()]) from None


class _ExactLoader(yaml.SafeLoader):
    """YAML as people mean it: numbers are exact decimals and a key given twice is refused."""


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return to_decimal(loader.construct_scalar(node).replace("_", ""))


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    keys = [str(key.value) for key, _ in node.value]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        what = f"键“{'”“'.join(twice)}”重复"
        raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)
    return loader.construct_mapping(node, deep=True)


_ExactLoader.add_constructor("tag:yaml.org,2002:int", _number)
_ExactLoader.add_constructor("tag:yaml.org,2002:float", _number)
_ExactLoader.add_constructor("tag:yaml.org,2002:map", _mapping)

_FAULTS = {
    "missing": "缺少这一项",
    "extra_forbidden": "不认识的键",
    "string_too_short": "不能为空",
    "literal_error": "不在允许的取值之内",
    "date_type": "不是日期",
    "date_from_datetime_parsing": "不是日期",
    "decimal_parsing": "不是数字",
}


def _fault(file: str, fault: dict[str, Any]) -> Problem:
    place = "→".join(str(part) for part in fault["loc"]) or "文件"
    own = str(fault["msg"]).removeprefix("Value error, ") if fault["type"] == "value_error" else ""
    what = own or _FAULTS.get(fault["type"], "内容不合要求")
    code = f"yaml.{fault['type']}"
    return Problem(file=file, code=code, what=f"{place}：{what}", remedy="请对照同类文件改正")


def _error(file: str, code: str, what: str, remedy: str) -> EvalkitError:
    return EvalkitError([Problem(file=file, code=code, what=what, remedy=remedy)])


def nearest(name: str, known: Iterable[str]) -> str:
    """What a person may have meant.

    >>> nearest("grade_band", ["grade_bands", "rounding"])
    '是不是“grade_bands”？'
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"是不是“{'”“'.join(close)}”？" if close else "可用的有：" + "、".join(names)


def _around(days: list[date], day: date) -> list[date]:
    """The last date before a day and the first after it."""
    return [d for d in days if d <= day][-1:] + [d for d in days if d > day][:1]


def _show(value: Any) -> str:
    """A value in a sentence: 优 90、良 80、中 60、差 0."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return " ".join(_show(item) for item in value.values())
    return "、".join(map(_show, value)) if isinstance(value, list) else str(value)
