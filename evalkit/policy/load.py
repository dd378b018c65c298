"""Policy files: every value with its source and the day it takes effect.

A file holds keys; a key holds dated values, after OpenFisca's parameter files. `null` ends a
value.
"""

import difflib
from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, model_validator

from evalkit.core.model import Frozen, PolicyUse
from evalkit.core.numbers import plain
from evalkit.core.paths import asset, assets
from evalkit.core.problem import refusal
from evalkit.core.yaml_file import read_yaml

NATIONAL = "national"
_WORDS = {"half_up": "四舍五入", "gbt8170": "逢五取偶", "True": "是", "False": "否"}


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
    def _dates_differ(self) -> "Parameter":
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
        files = (self.own, self.national)
        rules = [(file, rule) for file in files if (rule := file.values.get(key))]
        current = [(file, value) for file, rule in rules if (value := rule.at(self.as_of))]
        if not current:
            days = sorted(value.effective for _, rule in rules for value in rule.values)
            at = bisect(days, self.as_of)
            near = "、".join(map(str, days[max(at - 1, 0) : at + 1]))  # the last before, the next
            facts = {"title": parameter.title, "key": key, "day": self.as_of, "dates": near}
            raise refusal("policy.date", file=f"{self.profile}.yaml", **facts)
        (file, found), *replaced = current
        overrode = (f"{f.title}：{value_text(v.value)}（{v.source}）" for f, v in replaced)
        return PolicyUse(
            key=key, title=parameter.title, value=found.value, source=found.source,
            effective=str(found.effective), profile=file.id, overrode="".join(overrode),
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


def load(profile: str = NATIONAL, *, as_of: date) -> Policy:
    """Policy as of a day (the end of the evaluated year), by profile id or Chinese title.

    Files of the working folder win over the kit's own.

    >>> load("宁县", as_of=date(2025, 12, 31)).profile
    'ningxian'

    Raises:
        EvalkitError: unknown profile, or a broken file (all its faults at once).
    """
    national = read_yaml(asset("params", "policy", f"{NATIONAL}.yaml"), PolicyFile)
    files = [national]
    for name, path in assets("params", "policy", "profiles").items():
        files.append(read_yaml(path, PolicyFile))
        if (files[-1].id, files[-1].extends) != (name, NATIONAL):
            raise refusal("policy.identity", file=path.name, name=name, base=NATIONAL)
    named = {n: file for file in files for n in (file.title, file.id)}
    if profile not in named:
        raise refusal("policy.profile", name=profile, hint=nearest(profile, named))
    chosen = named[profile]
    own = chosen if chosen is not national else national.model_copy(update={"values": {}})
    return Policy(chosen.id, chosen.title, as_of, national, own)


def nearest(name: str, known: Iterable[str]) -> str:
    """What a person may have meant.

    >>> nearest("grade_band", ["grade_bands", "rounding"])
    '是不是“grade_bands”？'
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"是不是“{'”“'.join(close)}”？" if close else "可用的有：" + "、".join(names)


def value_text(value: Any) -> str:
    """A policy value as people read it; only the Chinese names of its parts are told.

    >>> value_text([{"grade": "优", "from": Decimal(90)}, {"grade": "良", "from": Decimal(80)}])
    '优 90、良 80'
    >>> value_text({"五级": [100, 80], "两级": [100, 0]})
    '五级 100、80；两级 100、0'
    """
    if isinstance(value, dict):
        parts = [("" if k.isascii() else f"{k} ") + value_text(v) for k, v in value.items()]
        return (" " if "".join(value).isascii() else "；").join(parts)
    if isinstance(value, list | tuple):
        return "、".join(map(value_text, value))
    return plain(value) if isinstance(value, Decimal) else _WORDS.get(str(value), str(value))
