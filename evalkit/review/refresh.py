"""A new rendering carried into a report that people have edited: their file stays the base.

Bound numbers get their new values, untouched generated paragraphs, rows and figures their new
content, new ones their place; whatever people did stays, and where the two disagree it is listed.
"""

import copy
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from docx import Document
from docx.document import Document as WordDocument

from evalkit.core.problem import Problem, refusal, sentence
from evalkit.ooxml import bind, package, transplant
from evalkit.ooxml.oxml import Element, local_name, plain_text, qn, style_of
from evalkit.word import render
from evalkit.word.blocks import page_of, picture_digest
from evalkit.word.narrative import heading_levels

Kind = Literal["number", "binding", "missing", "orphan", "field", "prose", "deleted", "gone",
               "figure", "foreign", "record"]  # fmt: skip

_MARKERS = re.compile("(commentRange|bookmark|perm)(Start|End)")
_OWN_NAMES = re.compile(rf"_Toc\d+|_Ref_\w+|{bind.OWNED.pattern}")
_LABEL = re.compile(r"\D{0,3}\d+")
_CLIP = 80


@dataclass(frozen=True)
class Conflict:
    """One place where a person's work and the new results meet.

    `was` is what the kit wrote last, `now` what stands there, `new` what the results say.
    """

    kind: Kind
    place: str
    was: str = ""
    now: str = ""
    new: str = ""
    author: str = ""
    path: str = ""

    def problem(self, file: str) -> Problem:
        """The conflict as a sentence."""
        texts = {k: v.lstrip("｜") for k, v in asdict(self).items()}
        short = {k: v if len(v) <= _CLIP else f"{v[:_CLIP]}…" for k, v in texts.items()}
        by = f"（{self.author}）" if self.author else ""
        return sentence(f"refresh.{self.kind}", file=file, sheet=self.place, by=by, **short)


def refresh(edited: Path, fresh: Path, record: Mapping[str, Any]) -> "Refreshed":
    """Merge a fresh rendering into the edited report.

    `record` is what was recorded of the last rendering: the texts of its `units` by key and its
    `pictures` (what is known but no longer there was deleted by a person), the conflicts still
    `open`, and the `values` of its bound numbers.

    Raises:
        EvalkitError: the edited file is no Word document any more.
    """
    try:
        theirs = Document(str(edited))
        theirs.element.body.sectPr.tag  # noqa: B018  a strict or foreign dialect has none we know
    except Exception:  # whatever python-docx or lxml make of a damaged file
        raise refusal("refresh.file", file=edited.name) from None
    return Refreshed(theirs, Document(str(fresh)), record)


@dataclass
class Refreshed:
    """Their report with ours merged into it, not yet written, and all conflicts.

    `last` is what was recorded of the last rendering, `record` is what to record of this one.
    """

    theirs: WordDocument
    ours: WordDocument
    last: Mapping[str, Any]
    conflicts: list[Conflict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.body = self.theirs.element.body
        self.levels, self.heads = heading_levels(self.theirs), heading_levels(self.ours)
        self.mine = bind.units(self.ours.element.body)
        self.found = bind.units(self.body)
        self.pictures, self.drawn = bind.pictures(self.ours.element.body), bind.pictures(self.body)
        self.starts = {key: drawings[0] for key, drawings in self.drawn.items()}
        self.starts |= {key: unit.start for key, unit in self.found.items()}
        self.values, self.old = bind.properties(self.ours), bind.properties(self.theirs)
        self.old |= self.last.get("values", {})
        texts = dict(self.last.get("units", {}))
        self.known: dict[str, str] = texts | dict.fromkeys(self.last.get("pictures", ()), "")
        self.open: dict[str, str] = {}
        self.lists: dict[str, str] = {}
        if self.found:
            self._merge()
        else:
            self._say("foreign", self.body)
            self.theirs = self.ours
        kept = {key: self.known[key] for key in self.found if key in self.known}
        documents = (self.theirs, self.ours)[: 1 + self.destroyed]
        bindings = (_paths(bind.stories(document)) for document in documents)
        self.record: dict[str, Any] = {
            "units": kept | {key: unit.full_text for key, unit in self.mine.items()},
            "bindings": {path: n for counts in bindings for path, n in counts.items()},
            "pictures": sorted(self.pictures), "open": self.open,
        }  # fmt: skip

    @property
    def destroyed(self) -> bool:
        """Whether numbers lost their bindings: then the file is not written over."""
        return any(conflict.kind in ("binding", "foreign") for conflict in self.conflicts)

    def save(self, path: Path, about: Mapping[str, Any]) -> Path:
        """Write the merged report; returns the path really written."""
        return package.save(self.theirs, path, about, edited=True)

    def _merge(self) -> None:
        before, page = set(_names(self.body)), page_of(self.theirs)
        if not self.known:
            self._say("record", self.body)
        self._copies()
        self._numbers()
        self._typed()
        self._walk(self.ours.element.body, self.body)
        self._leftovers()
        here = bind.units(self.body)
        self._bindings(here)
        for key in here.keys() & self.mine:
            here[key].start.set(qn("w:name"), self.mine[key].start.get(qn("w:name")))
        self._loose_ends(before.difference(_names(self.body)))
        render.settle(self.theirs, page, self.values)

    def _say(self, kind: Kind, at: Element, **more: str) -> None:
        self.conflicts.append(Conflict(kind, self._place(at), **more))

    def _place(self, element: Element) -> str:
        """The heading that an element stands under."""
        top = _top(element, self.body)
        if top is None:
            return "全文" if element is self.body else "页眉页脚或注释"
        before = itertools.chain([top], top.itersiblings(preceding=True))
        return next((plain_text(p) for p in before if style_of(p) in self.levels), "文首")

    # --- before: what people did to what is ours ---

    def _copies(self) -> None:
        """What was copied is its owner's; the original is renewed."""
        for unit in list(bind.all_units(self.body)):
            if unit.start is not self.found[unit.key].start:
                mine = self.mine.get(unit.key)
                if mine is None or mine.seal != unit.seal:
                    self._say("prose", unit.start, was=self.known.get(unit.key, ""),
                             now=unit.full_text, new=mine.full_text if mine else "")  # fmt: skip
                for mark in (unit.start, unit.end):
                    mark.getparent().remove(mark)

    def _numbers(self) -> None:
        """List what people typed into bound numbers."""
        ours = {*self.values, *self.last.get("values", ())}
        for item in bind.document_fields(self.theirs):
            was, new = self.old.get(item.path, ""), self.values.get(item.path, "（已无此数）")
            if item.path in ours and item.text not in (was, new):
                self._say("number", item.marks[0], path=item.path, was=was, now=item.text,
                         new=new, author=item.author)  # fmt: skip

    def _typed(self) -> None:
        """List what people typed into numbers of captions, references and contents."""
        fields = bind.fields(self.body)
        entries = {p: None for item in fields if item.code.startswith("TOC")
                   for m in item.marks for p in m.iterancestors(qn("w:p"))}  # fmt: skip
        said = {run: self.known[key] for key, unit in self.found.items() if key in self.known
                for node in unit.nodes for run in node.iter(qn("w:r"))}  # fmt: skip
        for item, wanted in render.labels(self.body, fields):
            now = item.text
            last = said.get(item.marks[0], now if _LABEL.fullmatch(now) else "")
            if now != wanted and now not in last:
                self._say("field", item.marks[0], now=now, new=wanted)
        lines = (plain_text(p) for p in self.body.iter(qn("w:p")) if p not in entries)
        titles = {t.rpartition("　")[2].strip() for t in (*lines, *self.known.values())} - {""}
        for entry in entries:
            text = bind.text_of([entry]).strip().rpartition("\t")
            now = (text[0] or text[2]).strip()
            if now and not now.endswith(tuple(titles)):
                self._say("field", entry, now=now)

    # --- units ---

    def _walk(self, ours: Element, theirs: Element) -> None:
        """Bring the children of a body or table into the other one, in order."""
        cursor: Element | None = None
        carrying = False  # the last one was put in; what belongs to it and has no key follows
        closed = 0  # level of a heading that was deleted: nothing new is put under it
        for element in ours:
            keys, level = _keys(element), self.heads.get(style_of(element), 0)
            closed = 0 if 0 < level <= closed else closed
            here = [self.starts[key] for key in keys if key in self.starts]
            if here:
                tops = (_top(start, theirs) for start in here)
                top = next((top for top in tops if top is not None), None)
                if top is None and local_name(element) == "tr":  # in the rest of a split table
                    top = next(here[0].iterancestors(qn("w:tr")), None)
                self._update(element, keys)
                cursor, carrying, closed = cursor if top is None else top, False, 0
            elif not keys:
                after = None if cursor is None else cursor.getnext()
                if carrying and next(element.iter(qn("w:sectPr")), None) is None:
                    cursor = self._insert(theirs, cursor, element)
                elif after is not None and not _keys(after) and _alike(after, element):
                    cursor = after
            elif closed or any(key in self.known for key in keys):
                carrying, closed = False, closed or level
                new = [u.full_text for k in keys if (u := self.mine.get(k))]
                new += [self.pictures[k][0].get("descr", "") for k in keys if k in self.pictures]
                self._say("deleted", self.body if cursor is None else cursor, new="\n".join(new))
            else:
                cursor, carrying = self._insert(theirs, cursor, element), True

    def _update(self, element: Element, keys: list[str]) -> None:
        both = {key: unit for key in keys if (unit := self.found.get(key)) and key in self.mine}
        rows = [unit for unit in both.values() if unit.row]
        if local_name(element) == "tbl" and rows:
            tables = dict.fromkeys(next(u.start.iterancestors(qn("w:tbl"))) for u in rows)
            self._walk(element, next(iter(tables)))
            for table in tables:
                self._level(element, table)
                grids = table.find(qn("w:tblGrid")), element.find(qn("w:tblGrid"))
                counts = {len(row.tc_lst) for row in table.tr_lst}
                if len(grids[0]) != len(grids[1]) and counts == {len(grids[1])}:
                    table.replace(grids[0], copy.deepcopy(grids[1]))
            return
        for key in keys:
            if key in self.pictures:
                self._figure(key)
            elif key in both:
                self._renew(self.mine[key], both[key])

    def _renew(self, mine: bind.Unit, unit: bind.Unit) -> None:
        """Rewrite what nobody touched; where people did, say what is new once they should know."""
        key, now = unit.key, bind.seal_of(unit.nodes)
        if mine.seal == unit.seal and self.last.get("open", {}).get(key) != now:
            return
        drawings = (d for n in unit.nodes for d in n.iter(qn("wp:docPr")) if bind.picture_key(d))
        if unit.touched or any(_is_touched(d, self.theirs) for d in drawings):
            if mine.text != unit.text:
                self.open[key] = now
                self._say("prose", unit.start, was=self.known.get(key, ""), now=unit.full_text,
                         new=mine.full_text, author=_author(unit.nodes))  # fmt: skip
        elif unit.row:
            row = unit.nodes[0]
            self._fit(row, mine.nodes[0])
            _mark(row, key, mine.seal)
        else:
            self._swap(unit.start.getparent(), unit.nodes, mine.nodes)

    def _fit(self, old: Element, new: Element) -> None:
        """Renew what differs in a row, a cell or a paragraph, as far as they are built alike."""
        inside = {"tr": "w:tc", "tc": "w:p"}.get(local_name(old))
        pairs = [element.findall(qn(inside)) if inside else [] for element in (old, new)]
        if pairs[0] and len(pairs[0]) == len(pairs[1]):
            for mine, fresh in zip(*pairs, strict=True):
                if bind.seal_of([mine]) != bind.seal_of([fresh]):
                    self._fit(mine, fresh)
        else:
            self._swap(old, *(list(e)[_content_start(e) :] for e in (old, new)))

    def _swap(self, parent: Element, old: list[Element], new: list[Element]) -> None:
        """Put new content in the place of old, in its looks; comments and bookmarks stay."""
        made = [self._adopt(node) for node in new]
        names = {name for node in made for name in _names(node)}
        kept = list(_markers(old, names))
        _dress(made, old)
        at = parent.index(old[0]) if old else _content_start(parent)
        for node in old:
            parent.remove(node)
        parent[at:at] = made
        holder, start, end = parent, at, at + len(made)
        if local_name(parent) != "p":
            holder = next(parent.iter(qn("w:p")))
            start, end = _content_start(holder), len(holder)
        holder[end:end] = [node for node in kept if not local_name(node).endswith("Start")]
        holder[start:start] = [node for node in kept if local_name(node).endswith("Start")]

    def _level(self, ours: Element, theirs: Element) -> None:
        """Join level cells as the new rows have them; a row that stands apart says its level."""
        heads: list[Element] = []
        fresh: dict[str, tuple[Element, list[Element]]] = {}
        for row in ours.tr_lst:
            pairs = itertools.zip_longest(row.tc_lst, heads[: len(row.tc_lst)])
            heads = [head if cell.vMerge == "continue" else cell for cell, head in pairs]
            fresh |= dict.fromkeys(_keys(row)[:1], (row, heads))
        last: Element | None = None
        for unit in [u for u in bind.units(theirs).values() if u.row and u.key in fresh]:
            row, (new, heads) = unit.nodes[0], fresh[unit.key]
            split = last is not next(new.itersiblings(qn("w:tr"), preceding=True), None)
            triples = zip(row.tc_lst, new.tc_lst, heads, strict=False)
            for old, cell, head in triples if len(row.tc_lst) == len(heads) else ():
                apart = cell.vMerge == "continue" and split
                cell, want = (head, "restart") if apart else (cell, cell.vMerge)
                said = plain_text(old).strip()
                own = want == "continue" and said not in ("", plain_text(head).strip())
                if old.vMerge != want and not own:
                    if want == "continue" or not said:
                        self._fit(old, cell)
                    old.vMerge = want
            last = new
            _mark(row, unit.key, unit.seal)

    def _leftovers(self) -> None:
        """Take out what the new results no longer have, unless a person worked on it."""
        for unit in [unit for key, unit in self.found.items() if key not in self.mine]:
            self._drop(unit)
        for drawing in [d for k in self.drawn.keys() - self.pictures for d in self.drawn[k]]:
            holder = next(drawing.iterancestors(qn("w:p")), None)
            if holder is not None and _top(holder, self.body) is not None:
                alone = not plain_text(holder).strip()
                if _is_touched(drawing, self.theirs) or _worked_on([holder]) or not alone:
                    self._say("gone", holder, now=drawing.get("descr", ""))
                else:
                    _remove(holder)

    def _drop(self, unit: bind.Unit) -> None:
        nodes = unit.nodes
        if unit.touched or _worked_on(nodes):
            self._say("gone", unit.start, now=unit.full_text, was=self.known.get(unit.key, ""))
            return
        del self.found[unit.key]
        holder = nodes[0] if unit.row else unit.start.getparent()
        for node in [] if unit.row else [*nodes, unit.start, unit.end]:
            holder.remove(node)
        left = plain_text(holder).strip() or next(holder.iter(qn("w:drawing")), None) is not None
        if unit.row or not left:
            _remove(holder)

    def _figure(self, name: str) -> None:
        """Give drawings their new picture, as wide as people made them."""
        new = self.pictures[name][0]
        for old in self.drawn.get(name, ()):
            if old.get("name") == new.get("name"):
                continue
            if _is_touched(old, self.theirs):
                self._say("figure", old, now=old.get("descr", ""), new=new.get("descr", ""))
                continue
            blob, around = transplant.picture_of(new.getparent(), self.ours), old.getparent()
            key, image = self.theirs.part.get_or_add_image(io.BytesIO(blob))
            around.find(f".//{qn('a:blip')}").set(qn("r:embed"), key)
            for extent in (around.find(qn("wp:extent")), around.find(f".//{qn('a:ext')}")):
                if extent is not None and extent.get("cx"):
                    extent.set("cy", str(round(int(extent.get("cx")) * image.height / image.width)))
            for node in (old, *around.iter(qn("pic:cNvPr"))):
                node.set("name", new.get("name"))
                node.set("descr", new.get("descr", ""))

    # --- after: what is not there any more ---

    def _bindings(self, here: Mapping[str, bind.Unit]) -> None:
        """List bound numbers that are there no more, and those left behind as mere text."""
        plain = {bind.text_of([p]) for p in self.body.iter(qn("w:p")) if not _paths([p])}
        places = []  # what must be there, what of it is not; where; the text there, and due there
        for key, mine in self.mine.items():
            unit, known = here.get(key), self.known.get(key, "")
            lack = _paths(mine.nodes) - (_paths(unit.nodes) if unit else Counter())
            usual = mine.text if unit or known in plain else known
            at, text = (unit.start, unit.text) if unit else (self.body, known)
            places.append((lack, lack, at, text, usual))
        ours, theirs = (list(bind.stories(d))[1:] for d in (self.ours, self.theirs))
        paths, texts = _paths(ours), (bind.text_of(s, results=False) for s in (theirs, ours))
        places.append((paths, paths - _paths(theirs), theirs[0] if theirs else self.body, *texts))
        missing: dict[str, Element] = {}
        for wanted, lack, at, text, usual in places:
            for path in sorted(wanted):
                was, new = self.old.get(path, ""), self.values.get(path, "")
                if any(_count(v, text) > _count(v, usual) for v in {was, new} - {""}):
                    self._say("binding", at, path=path, was=was or new, new=new)
                elif path in lack:
                    missing.setdefault(path, at)
        for path, at in missing.items():
            self._say("missing", at, path=path, new=self.values.get(path, ""))

    def _loose_ends(self, gone: set[str]) -> None:
        """References to what is gone become text; numbers without a result are said."""
        spaces = tuple({f"{path.partition('.')[0]}." for path in self.values})
        fields = bind.document_fields(self.theirs)
        for item in fields:
            kind, target, *_ = [*item.code.split(), "", ""]
            lost = kind in ("REF", "PAGEREF") and target in gone and not target.startswith("_Toc")
            if lost or (item.path.startswith(spaces) and item.path not in self.values):
                self._say("orphan", item.marks[0], now=item.text, path=item.path or target)
            if lost:
                item.unlink()
        stale = {name for name in bind.properties(self.theirs) if name.startswith(spaces)}
        stale -= {item.path for item in fields}
        bind.set_properties(self.theirs, {}, keep=True, drop=stale)

    # --- from one document into the other ---

    def _insert(self, parent: Element, cursor: Element | None, element: Element) -> Element:
        new = self._adopt(element)
        if cursor is None:
            parent.insert(_content_start(parent), new)
        else:
            cursor.addnext(new)
        return new

    def _adopt(self, element: Element) -> Element:
        return transplant.adopt(element, self.ours, self.theirs, self.lists)


def _top(element: Element, parent: Element) -> Element | None:
    """The child of `parent` that holds an element, or None."""
    line = itertools.chain([element], element.iterancestors())
    return next((node for node in line if node.getparent() is parent), None)


def _keys(element: Element) -> list[str]:
    """Keys of the units and named drawings in an element, in order."""
    found = map(bind.OWNED.fullmatch, _names(element))
    return [match[2] for match in found if match] + list(bind.pictures(element))


def _is_touched(drawing: Element, document: WordDocument) -> bool:
    try:
        blob = transplant.picture_of(drawing.getparent(), document)
    except (AttributeError, KeyError):  # no picture of its own any more
        return True
    return not drawing.get("name", "").endswith(picture_digest(blob, drawing.get("descr", "")))


def _mark(row: Element, key: str, seal: str) -> None:
    """Enclose the first text of a row anew: its cells may have changed."""
    if plain_text(row).strip():
        for unit in [u for u in bind.all_units(row) if u.row and u.nodes[0] is row]:
            for mark in (unit.start, unit.end):
                mark.getparent().remove(mark)
        bind.enclose(row, key, seal)


def _paths(nodes: Iterable[Element]) -> Counter[str]:
    return Counter(item.path for item in bind.fields(*nodes) if item.path)


def _names(element: Element) -> list[str]:
    """Names of bookmarks that fields may refer to."""
    return [mark.get(qn("w:name"), "") for mark in element.iter(qn("w:bookmarkStart"))]


def _count(number: str, text: str) -> int:
    return len(re.findall(rf"(?<![\d.]){re.escape(number)}(?!\.?\d)", text))


def _kinds(nodes: list[Element]) -> Iterator[tuple[str, str, Element]]:
    """Runs of text: the property shown or nothing, the kit's own looks, the run."""
    inside = {run: item.path for item in bind.fields(*nodes) for run in item.result}
    for run in (r for node in nodes for r in node.iter(qn("w:r"))):
        if run.find(qn("w:t")) is not None:
            yield inside.get(run, ""), bind.looks(run).partition(";")[0] + ";", run


def _dress(made: list[Element], old: list[Element]) -> None:
    """Give new runs the looks that people gave the old ones of their kind."""
    worn: dict[str, Element] = {}
    for path, looks, run in _kinds(old):
        if run.rPr is not None:
            worn.setdefault(path or looks, run.rPr)
    for path, looks, run in list(_kinds(made)):
        dress = worn.get(path, worn.get(looks))
        if dress is not None:
            run._remove_rPr()
            run._insert_rPr(copy.deepcopy(dress))


def _alike(one: Element, other: Element) -> bool:
    """Two elements without text of one kind: distances, ends of sections."""
    same = local_name(one) == local_name(other) == "p"
    return same and not plain_text(one).strip() and not plain_text(other).strip()


def _worked_on(nodes: list[Element]) -> bool:
    """Whether comments or other people's bookmarks hang on content."""
    names = {name for node in nodes for name in _names(node) if name}
    commented = any(local_name(n).startswith("comment") for node in nodes for n in node.iter())
    return commented or not all(map(_OWN_NAMES.fullmatch, names))


def _markers(nodes: list[Element], replaced: set[str]) -> Iterator[Element]:
    """Marks of comments and of others' bookmarks, out of content that is to go."""
    gone: set[tuple[str, str]] = set()
    for node in (inner for outer in nodes for inner in list(outer.iter())):
        name, title = local_name(node), node.get(qn("w:name"), "")
        if name == "bookmarkStart" and (title in replaced or bind.OWNED.fullmatch(title)):
            gone.add(("bookmarkEnd", node.get(qn("w:id"))))
        elif name == "r" and node.find(qn("w:commentReference")) is not None:
            for word in node.findall(qn("w:t")):
                node.remove(word)
            yield node
        elif _MARKERS.fullmatch(name) and (name, node.get(qn("w:id"))) not in gone:
            yield node


def _content_start(parent: Element) -> int:
    return sum(local_name(child).endswith(("Pr", "PrEx", "Grid")) for child in parent)


def _author(nodes: list[Element]) -> str:
    marks = (n for outer in nodes for n in outer.iter() if n.get(qn("w:author")))
    return next((str(n.get(qn("w:author"))) for n in marks), "")


def _remove(element: Element) -> None:
    """Take out a paragraph or row; a table without rows goes too, the end of a section stays."""
    parent = element.getparent()
    if element.find(f".//{qn('w:sectPr')}") is not None:
        return
    parent.remove(element)
    if local_name(parent) == "tbl" and parent.find(qn("w:tr")) is None:
        after = parent.getnext()
        if after is not None and not _keys(after) and not plain_text(after).strip():
            _remove(after)
        _remove(parent)
    elif local_name(parent) == "tc" and parent.find(qn("w:p")) is None:
        parent.append(parent.makeelement(qn("w:p")))
