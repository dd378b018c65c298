"""The manual of a workbook, from the same schema as the blank and the reader."""

from pathlib import Path

from jinja2 import StrictUndefined, Template

from evalkit.workbook.schema import Schema
from evalkit.workbook.texts import NEEDS, TYPES

_TEXT = Path(__file__).with_suffix(".md.j2").read_text("utf-8")
_PAGE = Template(_TEXT, trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)


def manual(schema: Schema) -> str:
    """A Chinese Markdown manual: every sheet, every field, the scoring rules.

    >>> from evalkit.workbook.schema import load_schema
    >>> manual(load_schema("project_evaluation")).splitlines()[0]
    '# 数据底稿填写手册'
    """
    return str(_PAGE.render(schema=schema, types=TYPES, needs=NEEDS))
