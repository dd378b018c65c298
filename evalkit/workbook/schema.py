"""The description of a workbook: which sheets and fields it has and what each may hold.

One file `params/workbooks/NAME.yaml` drives the blank workbook, the reader and the manual.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field as Setting

from evalkit.core.model import Datum, Frozen, Row
from evalkit.core.paths import asset
from evalkit.core.problem import refusal, refuse, sentence
from evalkit.core.yaml_file import read_yaml
from evalkit.workbook.cells import FieldType
from evalkit.workbook.names import label_key

_EMPTY = Datum()  # one for all: thousands of forms have hundreds of blanks
GUIDE_SHEET, META_SHEET, LISTS_SHEET = "填写说明", "_meta", "_lists"


class Field(Frozen):
    """One column of a table or one line of a form.

    `unit` is the unit of a bare number; `unit_from` names the field of the same row that states
    it instead. `result` is what the evaluation finds, no part of an indicator's approved design.
    `since` is the schema version that brought the field. `aliases` are further labels in tables
    that others laid out: ``/…/`` is a regular expression, ``~…`` counts where nothing better does.
    """

    id: str
    label: str
    type: FieldType
    required: Literal["", "always", "final"] = ""
    unit: str = ""
    unit_from: str = ""
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    unique: bool = False
    refers: str = ""
    fill_down: bool = False
    result: bool = False
    group: str = ""
    note: str = ""
    example: str = ""
    since: int = 1


class Sheet(Frozen):
    """One sheet: a form (one entry) or a table; `open` names the field of free columns.

    An `optional` sheet may be left out of a workbook.
    """

    id: str
    name: str
    kind: Literal["form", "table"]
    help: str = ""
    fields: tuple[Field, ...]
    open: str = ""
    example_open: dict[str, str] = Setting(default_factory=dict)
    optional: bool = False
    since: int = 1

    @property
    def columns(self) -> tuple[Field, ...]:
        """The fields with a column of their own: all but the open one."""
        return tuple(field for field in self.fields if field.id != self.open)

    @property
    def blank(self) -> Row:
        """A row or form that nobody has filled in."""
        return dict.fromkeys((field.id for field in self.columns), _EMPTY)

    @property
    def key(self) -> str:
        """The column of codes that other sheets refer to."""
        return next(field.id for field in self.columns if field.unique)

    @property
    def open_field(self) -> Field | None:
        """The field that every further column holds, if there is one."""
        return next((field for field in self.fields if field.id == self.open), None)


class Guide(Frozen):
    """One line of the rule table on the instructions page; `needs` are labels or sheet names."""

    rule: str
    meaning: str
    needs: tuple[str, ...] = ()


class Schema(Frozen):
    """A whole workbook."""

    name: str
    title: str
    version: int
    sheets: tuple[Sheet, ...]
    guide: tuple[Guide, ...] = ()

    def sheet(self, sheet_id: str) -> Sheet:
        """A sheet by id.

        Raises:
            KeyError: there is none.
        """
        return {sheet.id: sheet for sheet in self.sheets}[sheet_id]

    def using(self, optional: Iterable[str]) -> "Schema":
        """The same workbook with only these of its optional sheets."""
        kept = (sheet for sheet in self.sheets if not sheet.optional or sheet.id in optional)
        return self.model_copy(update={"sheets": tuple(kept)})


def load_schema(name: str) -> Schema:
    """The schema `params/workbooks/NAME.yaml` of the working folder, else the kit's own.

    >>> load_schema("project_evaluation").sheet("funds").name
    '资金'

    Raises:
        EvalkitError: no such file, or the file is not a sound schema; all faults at once.
    """
    path = asset("params", "workbooks", f"{name}.yaml")
    if not path.is_file():
        raise refusal("schema.name", name=name)
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _load(path: Path, _mtime: int) -> Schema:
    schema = read_yaml(path, Schema, texts=True)
    refuse(sentence("schema", file=path.name, fault=fault) for fault in _faults(schema))
    return schema


def _faults(schema: Schema) -> Iterator[str]:
    yield from _repeated("工作表标识", (sheet.id for sheet in schema.sheets))
    yield from _repeated("工作表名", (label_key(sheet.name) for sheet in schema.sheets))
    sheet_ids = {sheet.id for sheet in schema.sheets}
    known = {sheet.name for sheet in schema.sheets}
    for sheet in schema.sheets:
        where = f"工作表“{sheet.name}”"
        ids = {field.id for field in sheet.fields}
        known |= {label_key(field.label) for field in sheet.fields}
        yield from _repeated(f"{where}的字段标识", (field.id for field in sheet.fields))
        yield from _repeated(f"{where}的列名", (label_key(field.label) for field in sheet.fields))
        if sheet.open and (sheet.kind == "form" or sheet.open not in ids):
            yield f"{where}的 open 指向不存在的字段“{sheet.open}”"
        for field in sheet.fields:
            if (field.type == "choice") != bool(field.choices):
                yield f"{where}“{field.label}”：choice 类型与 choices 须同时给出"
            if field.refers and field.refers not in sheet_ids:
                yield f"{where}“{field.label}”：refers 指向不存在的工作表“{field.refers}”"
            if field.unit_from and field.unit_from not in ids:
                yield f"{where}“{field.label}”：unit_from 指向不存在的字段“{field.unit_from}”"
    for line in schema.guide:
        for need in line.needs:
            if need not in known:
                yield f"填写说明“{line.rule}”需要的“{need}”不是任何列名或工作表名"


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{what}“{name}”重复"
