"""What is wrong with a template, all of it at once, before a report is made from it.

Each tag is read by Jinja by itself and its names are looked up in a sample context, so that
branches not taken, loops over nothing and what follows a mistake are checked too.
"""

import difflib
import re
from collections import ChainMap
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from evalkit.core.problem import EvalkitError, Problem, sentence
from evalkit.core.yaml_file import load_yaml
from evalkit.ooxml import bind, package
from evalkit.ooxml.oxml import Element, local_name, plain_text, qn, style_of
from evalkit.word import contents
from evalkit.word.narrative import Outline, heading_key

STYLES: list[str] = load_yaml(Path(__file__).with_name("styles.yaml"))
_TAG = re.compile(
    r"{{(?:[pr](?=\s))?(?P<said>.*?)}}|{#.*?#}"
    r"|{%-?(?:(?:p|tr|tc|r)(?=\s))?\s*(?P<word>\w+)(?P<rest>.*?)-?%}"
)
_ALONE, _HALF = re.compile(r"{%-?p\s.*?%}"), re.compile(r"{{|}}|{%|%}")
_QUOTES = str.maketrans("“”‘’", "\"\"''")  # Word's autocorrection; the engine takes them back too
_SAME = {"list", "sort", "reverse", "unique", "select", "reject", "selectattr", "rejectattr"}
_MAY_LACK = {"default", "d", "defined", "undefined"}
_STORIES = {"hdr": "页眉", "ftr": "页脚", "footnotes": "脚注", "endnotes": "尾注"}
_UNKNOWN = object()  # a value that the sample cannot tell
_ENGINE = SandboxedEnvironment(autoescape=True)


def check_template(
    path: Path,
    context: Mapping[str, Any],
    blocks: Collection[str],
    paths: Collection[str],
    outline: Collection[str],
    required: Collection[str],
) -> list[Problem]:
    """Every fault of a template with its place, then what it lacks; empty if it is sound.

    `context` is a sample that holds every field, and a row in every list; `blocks` names tables
    and figures, `paths` the numbers that DOCPROPERTY fields may show, `outline` the headings and
    `required` the fields (``score.total``) that must be there.
    """
    try:
        document = package.open_document(path)
    except EvalkitError:
        return [sentence("template.damaged", file=path.name)]
    contents.collapse(document)
    known = dict.fromkeys((*_ENGINE.globals, "block", "ref", "loop"), _UNKNOWN)
    paths = {*paths, *map(str.lower, bind.properties(document))}
    walk = _Walk(path.name, ChainMap({**known, **context}), blocks, paths)
    headings = Outline.of(document)
    for story in bind.stories(document):
        for element in story.iter(qn("w:p")):
            walk.paragraph(element, _STORIES.get(local_name(story), ""))
            if style_of(element) in headings.levels:
                walk.heading = plain_text(element)
        walk.close("")
    names, walk.place = {str(style.name).lower() for style in document.styles}, ""
    lacking = [f"缺少必需的字段“{name}”" for name in required if name not in walk.used]
    lacking += [f"缺少必需的标题“{t}”" for t in outline if heading_key(t) not in headings.sections]
    lacking += [f"没有样式“{name}”" for name in STYLES if name.lower() not in names]
    for what in lacking:
        walk.fault(what, "请在 Word 中补上")
    return list(dict.fromkeys(walk.found))


@dataclass
class _Walk:
    """The state of reading a template; `opened` holds word, tag, place and scope before it."""

    file: str
    scope: ChainMap[str, Any]
    blocks: Collection[str]
    paths: Collection[str]
    opened: list[tuple[str, str, str, ChainMap[str, Any]]] = field(default_factory=list)
    found: list[Problem] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    heading: str = ""
    place: str = ""

    def fault(self, what: str, remedy: str = "请在 Word 中改正", place: str = "") -> None:
        self.found.append(Problem(file=self.file, sheet=place or self.place, what=what,
                                  remedy=remedy, code="template.field"))  # fmt: skip

    def paragraph(self, element: Element, story: str) -> None:
        mine = (t for t in element.iter(qn("w:t")) if next(t.iterancestors(element.tag)) is element)
        text = "".join(t.text or "" for t in mine)
        kind = "段落" if next(element.iterancestors(qn("w:tc")), None) is None else "单元格"
        where = story or (f"“{self.heading}”下" if self.heading else "文首")
        self.place = f"{where}的{kind}“{text.strip()[:60]}”"
        for match in _TAG.finditer(text):
            self.tag(match)
        if _HALF.search(_TAG.sub("", text)):
            self.fault("标记不完整，花括号不成对")
        if _ALONE.search(text) and _ALONE.sub("", text, count=1).strip():
            self.fault("“{%p … %}”须单独成段，同段的其他文字不会出现在报告里")
        for item in bind.fields(element):
            if _HALF.search(item.code):
                self.fault("域代码中不能写模板字段")
            elif item.path and not package.BUILT_IN.fullmatch(item.path):
                self.used.add(item.path)
                self.known(item.path, item.path, self.paths)

    def tag(self, match: re.Match[str]) -> None:
        """Read one tag; what it opens stays open until its end."""
        tag, word = match[0], match["word"] or ""
        rest = (match["said"] or match["rest"] or "").translate(_QUOTES)
        kind = word.removeprefix("end")
        inner = self.opened[-1][0] if self.opened else ""
        if not word:
            self.read(f"{{{{{rest}}}}}" if match["said"] is not None else "", tag)
        elif kind != word and kind in [item[0] for item in self.opened]:
            self.close(kind)
        elif kind != word or (word in ("else", "elif") and inner not in ("if", "for")):
            self.fault(f"“{tag}”没有对应的开始")
        elif word == "elif":
            self.read(f"{{% if {rest} %}}{{% endif %}}", tag)
        elif word == "set" and "=" in rest:
            self.read(f"{{% set {rest} %}}", tag)
        elif word != "else":
            self.opened.append((word, tag, self.place, self.scope))
            self.scope = self.scope if word == "if" else self.scope.new_child()
            self.read(f"{{% {word} {rest} %}}{{% end{word} %}}", tag)

    def close(self, kind: str) -> None:
        """End the innermost tag of a kind, or all; those inside it had no end."""
        while self.opened:
            word, tag, place, scope = self.opened.pop()
            self.scope = scope
            if word == kind:
                return
            self.fault(f"“{tag}”没有对应的结束", "请在 Word 中补上", place)

    def read(self, source: str, tag: str) -> None:
        """Look up the names in a tag, and bind those that it makes."""
        try:
            body = _ENGINE.parse(source).body
        except TemplateSyntaxError:
            self.fault(f"“{tag}”写法有误")
            return
        for node in body:
            if not isinstance(node, (nodes.For, nodes.Assign)):
                self.value(node)
                continue
            value = self.value(node.node if isinstance(node, nodes.Assign) else node.iter)
            self.value(node.target)
            if isinstance(node.target, nodes.Name):
                looped = isinstance(node, nodes.For)
                self.scope[node.target.name] = _first(value) if looped else value
            if isinstance(node, nodes.For) and node.test:
                self.value(node.test)

    def value(self, node: nodes.Node) -> Any:
        """What an expression is in the sample, as far as that can be told."""
        name, before = getattr(node, "name", ""), len(self.found)
        if isinstance(node, nodes.Const):
            return node.value
        if isinstance(node, nodes.Name):
            if node.ctx != "load":
                self.scope[name] = _UNKNOWN
            return self.known(name, name, self.scope)
        if isinstance(node, (nodes.Filter, nodes.Test)):
            self.known(name, name, {**_ENGINE.filters, **_ENGINE.tests})
        values = [self.value(child) for child in node.iter_child_nodes()]
        if isinstance(node, (nodes.Getattr, nodes.Getitem)):
            key = node.attr if isinstance(node, nodes.Getattr) else values[1]
            return self.part(values[0], key, _dotted(node.node))
        if name in _MAY_LACK:
            del self.found[before:]
        if isinstance(node, nodes.Call) and getattr(node.node, "name", "") in ("block", "ref"):
            for unknown in {v for v in values[1:] if isinstance(v, str)} - set(self.blocks):
                self.fault(f"没有名为“{unknown}”的表或图")
        return values[0] if name in _SAME else _UNKNOWN

    def part(self, whole: Any, key: Any, path: str) -> Any:
        """A field of a row, or a row of a list."""
        if isinstance(whole, (list, tuple)) and not isinstance(key, str):
            return whole if key is _UNKNOWN else _first(whole)
        fields = whole if isinstance(whole, Mapping) else {}
        method = key not in fields and not str(key).startswith("_") and hasattr(whole, str(key))
        if whole is _UNKNOWN or key is _UNKNOWN or method:
            return _UNKNOWN
        self.used.add(f"{path}.{key}")
        return self.known(key, f"{path}.{key}", fields)

    def known(self, key: str, path: str, there: Collection[str]) -> Any:
        """The value of a name; a fault, with the nearest one, if there is none."""
        if key in there:
            return there[key] if isinstance(there, Mapping) else _UNKNOWN
        near = difflib.get_close_matches(key, list(there), n=1)
        said = f"是不是“{path.removesuffix(key)}{near[0]}”？" if near else "请在 Word 中改正"
        self.fault(f"没有字段“{path}”", said)
        return _UNKNOWN


def _first(value: Any) -> Any:
    return next(iter(value), _UNKNOWN) if isinstance(value, (list, tuple)) else _UNKNOWN


def _dotted(node: nodes.Node) -> str:
    whole = getattr(node, "node", None)
    own = getattr(node, "attr", getattr(node, "name", ""))
    return own if whole is None else f"{_dotted(whole)}.{own}"
