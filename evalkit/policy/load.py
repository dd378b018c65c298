"""Policy files: every value with its source and the day it takes effect.

A file holds keys; a key holds dated values, after OpenFisca's parameter files. `null` ends a
value.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from evalkit.core.model import Frozen, PolicyUse
from evalkit.core.numbers import plain
from evalkit.core.paths import asset, assets
from evalkit.core.problem import refusal
from evalkit.core.yaml_file import read_yaml

NATIONAL = "national"


class DatedValue(Frozen):
    """A value, valid from `effective` until the next one; None ends it."""

    effective: date
    value: Any
    source: str = Field(min_length=1)
    status: Literal["规定", "示例", "地方做法", "机构设定"]


class Parameter(Frozen):
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


class PolicyFile(Frozen):
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
    own: PolicyFile  # what the profile sets; empty for the national one

    def use(self, key: str) -> PolicyUse:
        """One value with its source and, for a profile's value, what it replaced.

        >>> policy = load("national", as_of=date(2024, 12, 31))
        >>> policy.use("outcome_share_min").source
        '财预〔2020〕10号第十四条'

        Raises:
            EvalkitError: no such key, or no value in force on that day.
        """
        parameter = self.parameter(key)
        rules = [file.values.get(key) for file in (self.own, self.national)]
        mine, base = (rule.at(self.as_of) if rule else None for rule in rules)
        found = mine or base
        if found is None:
            days = sorted(value.effective for rule in rules if rule for value in rule.values)
            facts = {"title": parameter.title, "key": key, "day": self.as_of}
            near = "、".join(map(str, _around(days, self.as_of)))
            raise refusal("policy.date", file=f"{self.profile}.yaml", **facts, dates=near)
        replaced = f"{self.national.title}：{_show(base.value)}（{base.source}）" if base else ""
        whose = {"profile": self.profile, "overrode": replaced} if mine else {"profile": NATIONAL}
        return PolicyUse(
            key=key, title=parameter.title, value=found.value, source=found.source,
            effective=str(found.effective), **whose,
        )  # fmt: skip

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
        known = self.national.values | self.own.values
        if key not in known:
            hint = nearest(key, sorted(known))
            raise refusal("policy.key", file=f"{self.profile}.yaml", key=key, hint=hint)
        return known[key]


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
        raise refusal("policy.profile", name=profile, hint=nearest(profile, named))
    chosen, national = named[profile], files[NATIONAL]
    own = chosen if chosen is not national else national.model_copy(update={"values": {}})
    return Policy(chosen.id, chosen.title, as_of, national, own)


def _files(start: Path | None) -> list[PolicyFile]:
    """All policy files; a profile of the working folder wins over the kit's own."""
    files = [read_yaml(asset("params", "policy", f"{NATIONAL}.yaml", start=start), PolicyFile)]
    for name, path in assets("params", "policy", "profiles", start=start).items():
        file = read_yaml(path, PolicyFile)
        if (file.id, file.extends) != (name, NATIONAL):
            raise refusal("policy.identity", file=path.name, name=name, base=NATIONAL)
        files.append(file)
    return files


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
