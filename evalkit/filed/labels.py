"""Which field a heading means: its label, an alias, or what the county's table of headings says."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from evalkit.workbook.names import label_key, match_key
from evalkit.workbook.schema import Field, load_schema

SCHEMA = "filed_form"
UNREAD = "other"  # the sheet of headings that are known and not read

FORMS = yaml.safe_load(Path(__file__).with_name("patterns.yaml").read_text("utf-8"))
PATTERNS = {name: re.compile(text) for name, text in FORMS["patterns"].items()}
_DASHES = str.maketrans("—–~", "---")
_LONGEST = 40  # longer text is no heading


class Label(NamedTuple):
    """A field that a heading may mean; a choice where the heading is one of its choices."""

    sheet: str
    spec: Field
    choice: str = ""
    weak: bool = False

    @property
    def path(self) -> str:
        """How the table of headings names it."""
        return f"{self.sheet}.{self.spec.id}"


def heading_key(text: str) -> str:
    """A heading as it is compared.

    >>> heading_key("其中：当年财政 拨款（Ａ）"), heading_key("1.指标 值"), heading_key("1—7月执行")
    ('当年财政拨款', '指标值', '1-7月执行')
    """
    return label_key(PATTERNS["lead"].sub("", match_key(text).translate(_DASHES)).rstrip("%"))


def money_unit(text: str) -> str:
    """The money unit in the brackets of a heading, or none.

    >>> money_unit("全年执行数（单位：万元）（B）"), money_unit("得分")
    ('万元', '')
    """
    found = PATTERNS["money"].search(match_key(text))
    return found[1] if found else ""


class Labels:
    """The headings that are known: those of `filed_form.yaml` and of a county.

    `headings` gives for a heading the path ``SHEET.FIELD``, empty where it is not to be read.
    """

    def __init__(self, headings: Mapping[str, str]) -> None:
        self._exact: dict[str, list[Label]] = {}
        self._patterns: list[tuple[re.Pattern[str], Label]] = []
        self._found: dict[str, list[Label]] = {}
        paths: dict[str, Label] = {}
        for label, name in _all():
            paths.setdefault(label.path, label)
            if name.startswith("/"):
                self._patterns.append((re.compile(name.strip("/")), label))
            else:
                self._exact.setdefault(heading_key(name.removeprefix("~")), []).append(label)
        unread = next(label for path, label in paths.items() if path.startswith(UNREAD))
        for heading, path in headings.items():
            self._exact[heading_key(heading)] = [paths.get(path, unread)]

    def all(self, text: str) -> list[Label]:
        """Every field that the heading may mean."""
        if text not in self._found:
            key = heading_key(text) if len(text) <= _LONGEST else ""
            matched = [label for pattern, label in self._patterns if pattern.fullmatch(key)]
            self._found[text] = self._exact.get(key) or matched
        return self._found[text]

    def of(self, text: str, *sheets: str) -> Label | None:
        """The first of the sheets' fields that it means; one of its own name before a weak one."""
        found = [label for label in self.all(text) if label.sheet in sheets]
        return min(found, key=lambda label: (label.weak, sheets.index(label.sheet)), default=None)


def _all() -> Iterator[tuple[Label, str]]:
    for sheet in load_schema(SCHEMA).sheets:
        for spec in sheet.fields:
            for name in (spec.label, *spec.aliases):
                yield Label(sheet.id, spec, weak=name.startswith("~")), name
            for choice in spec.choices:  # a column to tick
                tick = Field(id=spec.id, label=choice, type="yesno")
                yield Label(sheet.id, tick, choice), choice
