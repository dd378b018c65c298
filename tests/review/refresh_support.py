"""Rendered demo reports, the same with other data, and what a refresh promises, checked."""

from __future__ import annotations

import bisect
import io
import json
import re
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from docx import Document
from docx.oxml.ns import qn
from edits import Kept, Seen, field_parts, tag, words
from openxml_audit import OpenXmlValidator
from PIL import Image
from support import demo_projects, load

from evalkit.core import result_file
from evalkit.core.model import GroupScore, IndicatorScore, Result
from evalkit.core.numbers import round_to
from evalkit.core.paths import asset
from evalkit.core.store import sha256
from evalkit.ooxml import package
from evalkit.report import evaluation
from evalkit.report.figures import TITLES
from evalkit.review import delivery
from evalkit.workflows import project_evaluation

TEMPLATE = asset("templates", "project_evaluation.docx")


# --- data -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """All that a report is made from."""

    result: Result
    narrative: bytes | None
    photos: Path
    style: str
    figures: tuple[tuple[str, int], ...] = tuple((name, 0) for name in TITLES["project_evaluation"])
    template: Path = TEMPLATE

    def filling(self, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        drawn = {}
        for name, shade in self.figures:
            drawn[name] = folder / f"{name}{shade}.png"
            if not drawn[name].exists():
                colour = (
                    40 + shade % 200,
                    90,
                    20 + 40 * list(TITLES["project_evaluation"]).index(name),
                )
                Image.new("RGB", (120, 70), colour).save(drawn[name])
        return evaluation.report_context(self.result, drawn, self.photos, self.style)

    def deliver(self, out: Path) -> delivery.Delivered:
        """As the workflow does it, papers and figures left out."""
        out.mkdir(exist_ok=True, parents=True)
        pictures = out.parent / "图"
        pictures.mkdir(exist_ok=True)
        text = None
        if self.narrative is not None:
            text = pictures / "文字.docx"
            text.write_bytes(self.narrative)
        done = delivery.deliver_report(
            out, self.result, self.template, self.filling(pictures), text
        )
        run = {"outputs": {done.path.name: sha256(done.path)}, "report": done.record}
        result_file.save(out / result_file.FILE_NAME, self.result, run)
        return done


@cache
def demo(number: int) -> Source:
    """A demo project, evaluated once."""
    project = demo_projects()[number % len(demo_projects())]
    data = load(project.workbook, project.stage, project.profile)
    narrative = data.path.with_name("文字.docx")
    return Source(
        project_evaluation.evaluate(data),
        narrative.read_bytes() if narrative.exists() else None,
        data.path.parent,
        str(data.policy.value("report_style")),
    )


def rescored(result: Result, indicators: list[IndicatorScore]) -> Result:
    """Subtotals and total summed anew."""

    def group(one: str, two: str = "") -> GroupScore:
        mine = [i for i in indicators if i.level1 == one and two in ("", i.level2)]
        points = sum((i.points for i in mine), Decimal(0))
        known = [i.score for i in mine if i.score is not None]
        score = sum(known, Decimal(0)) if len(known) == len(mine) else None
        rate = None if score is None else round_to(score / points * 100, 2)
        return GroupScore(level1=one, level2=two, points=points, score=score, rate=rate)

    ones = list(dict.fromkeys(i.level1 for i in indicators))
    twos = {one: dict.fromkeys(i.level2 for i in indicators if i.level1 == one) for one in ones}
    groups = [group(one, two) for one in ones for two in ("", *twos[one])]
    low = sum((i.score or Decimal(0) for i in indicators), Decimal(0))
    high = sum((i.points if i.score is None else i.score for i in indicators), Decimal(0))
    points = sum((i.points for i in indicators), Decimal(0))
    total = None if any(i.score is None for i in indicators) else low
    card = result.score.model_copy(update={
        "indicators": tuple(indicators), "groups": tuple(groups), "points": points, "low": low,
        "high": high, "total": total,
        "rate": None if total is None else round_to(total / points * 100, 2),
        "grade": "" if total is None else "优" if total >= 90 else "良" if total >= 80 else "中",
    })  # fmt: skip
    return result.model_copy(update={"score": card})


def change_scores(source: Source, dice: Random) -> Source:
    indicators = list(source.result.score.indicators)
    for place in dice.sample(range(len(indicators)), dice.randrange(1, 5)):
        i = indicators[place]
        score = round_to(i.points * dice.randrange(60, 100) / 100, 2)
        reason = f"复核发现{dice.randrange(99)}处不符"
        new = {"score": score, "lost": i.points - score, "gap": "", "reason": reason}
        new["rate"] = round_to(score / i.points * 100, 2)
        indicators[place] = i.model_copy(update=new)
    return replace(source, result=rescored(source.result, indicators))


def drop_indicator(source: Source, dice: Random) -> Source:
    indicators = list(source.result.score.indicators)
    indicators.pop(dice.randrange(len(indicators)))
    return replace(source, result=rescored(source.result, indicators))


def add_indicator(source: Source, dice: Random) -> Source:
    indicators = list(source.result.score.indicators)
    place = dice.randrange(len(indicators))
    new = indicators[place].model_copy(update={
        "code": f"X{dice.randrange(100, 999)}", "level3": f"新增指标{dice.randrange(999)}",
        "reason": "新增指标的扣分原因"})  # fmt: skip
    indicators.insert(place + 1, new)
    return replace(source, result=rescored(source.result, indicators))


def change_money(source: Source, dice: Random) -> Source:
    values = dict(source.result.values)
    for key in ("funds.spent", "funds.arrived", "survey.satisfaction"):
        if key in values:
            values[key] += Decimal(dice.randrange(1, 9)) * (10000 if "funds" in key else 1)
    return replace(source, result=source.result.model_copy(update={"values": values}))


def change_issues(source: Source, dice: Random) -> Source:
    tables = dict(source.result.tables)
    issues = list(tables.get("issues", []))
    if issues and dice.random() < 0.5:
        issues.pop(dice.randrange(len(issues)))
    elif issues:
        new = issues[-1] | {
            "no": f"W9{dice.randrange(10)}",
            "title": f"新问题{dice.randrange(999)}",
        }
        issues.insert(dice.randrange(len(issues) + 1), new)
    tables["issues"] = issues
    return replace(source, result=source.result.model_copy(update={"tables": tables}))


def change_tables(source: Source, dice: Random) -> Source:
    tables = dict(source.result.tables)
    for name in ("evidence", "visits", "samples", "survey_questions"):
        rows = [dict(row) for row in tables.get(name, [])]
        if len(rows) > 1:
            action = dice.randrange(3)
            if action == 0:
                rows.pop(dice.randrange(len(rows)))
            elif action == 1:
                key = next(iter(rows[0]))
                rows.append(rows[-1] | {key: f"新行{dice.randrange(999)}"})
            else:
                row = dice.choice(rows)
                row[list(row)[1]] = f"改值{dice.randrange(999)}"
        if name != "survey_questions" or rows:
            tables[name] = rows
    return replace(source, result=source.result.model_copy(update={"tables": tables}))


def change_stage(source: Source, dice: Random) -> Source:
    stage = dice.choice(["初稿", "征求意见稿", "送审稿", "终稿"])
    return replace(source, result=source.result.model_copy(update={"stage": stage}))


def change_texts(source: Source, dice: Random) -> Source:
    texts = dict(source.result.texts)
    for key in dice.sample(sorted(texts), min(2, len(texts))):
        texts[key] = f"重写的{key}{dice.randrange(999)}。"
    return replace(source, result=source.result.model_copy(update={"texts": texts}))


def change_figures(source: Source, dice: Random) -> Source:
    figures = [
        (n, dice.randrange(1, 200)) if dice.random() < 0.5 else (n, s) for n, s in source.figures
    ]
    if dice.random() < 0.3:
        figures.pop(dice.randrange(len(figures)))
    return replace(source, figures=tuple(figures))


def change_narrative(source: Source, dice: Random) -> Source:
    if source.narrative is None:
        return source
    document = Document(io.BytesIO(source.narrative))
    found = [p for p in document.paragraphs if len(p.text) > 12]
    for paragraph in dice.sample(found, min(3, len(found))):
        action = dice.randrange(3)
        if action == 0:
            paragraph.add_run(f"补写{dice.randrange(999)}。")
        elif action == 1:
            paragraph._p.getparent().remove(paragraph._p)
        else:
            paragraph.insert_paragraph_before(f"新写的一段{dice.randrange(9999)}。")
    for table in document.tables[:1]:
        table.rows[-1].cells[-1].text = str(dice.randrange(999))
    out = io.BytesIO()
    document.save(out)
    return replace(source, narrative=out.getvalue())


def gap(source: Source, dice: Random) -> Source:
    """An indicator's score withdrawn: no total, no grade."""
    if source.result.stage not in ("初稿", "征求意见稿"):
        return source
    indicators = list(source.result.score.indicators)
    place = dice.randrange(len(indicators))
    none = {"score": None, "lost": None, "rate": None, "gap": "完成值待补充"}
    indicators[place] = indicators[place].model_copy(update=none)
    return replace(source, result=rescored(source.result, indicators))


CHANGES = [change_scores, drop_indicator, add_indicator, change_money, change_issues, change_tables,
           change_stage, change_texts, change_figures, change_narrative, gap]  # fmt: skip


# --- what is promised -----------------------------------------------------------------------


def through_libreoffice(files: list[Path], profile: Path) -> list[Path]:
    """Saved by LibreOffice, all in one call."""
    if shutil.which("soffice") is None:
        pytest.skip("LibreOffice is not installed")
    out = profile / "saved"
    subprocess.run(
        ["soffice", f"-env:UserInstallation=file://{profile}/lo", "--headless", "--convert-to",
         "docx:MS Word 2007 XML", "--outdir", str(out), *map(str, files)],
        check=True, capture_output=True, timeout=900,
    )  # fmt: skip
    return [out / f.name for f in files]


def findings(path: Path) -> Counter[str]:
    """What our check and the schema validator say, without places that move."""
    ours = (f"{p.sheet} {p.what}" for p in package.check(path) if p.severity == "error")
    theirs = (re.sub(r"\d+", "#", f"{e.part_uri} {e.description}")
              for e in OpenXmlValidator().validate(str(path)).errors)  # fmt: skip
    return Counter(re.sub(r"\d+", "#", text) for text in (*ours, *theirs))


def unit_marks(root: Any) -> dict[str, Any]:
    """Elements of generated paragraphs and rows by their bookmark's key."""
    found: dict[str, Any] = {}
    for start in root.iter(qn("w:bookmarkStart")):
        known = re.fullmatch(r"_([kr])([0-9a-f]{12})_[0-9a-f]{10}", start.get(qn("w:name")))
        holder = "w:p" if known and known[1] == "k" else "w:tr"
        element = next(start.iterancestors(qn(holder)), None) if known else None
        if known and element is not None:
            found.setdefault(known[2], element)
    return found


def shown(element: Any) -> str:
    """Text as people read it; numbers of captions are ¤, cells that name a level are left out."""
    numbers = {run for code, _, runs in field_parts(element) if code.startswith(("SEQ", "REF"))
               for run in runs}  # fmt: skip
    cells = element.findall(qn("w:tc")) if tag(element) == "tr" else [element]
    texts = [
        "".join("¤" if t.getparent() in numbers else t.text or "" for t in c.iter(qn("w:t")))
        for c in cells
        if c.find(f"{qn('w:tcPr')}/{qn('w:vMerge')}") is None
    ]
    return "｜".join(texts)


def wrong_numbers(body: Any) -> Iterator[str]:
    """Captions not numbered in order, references that do not say what they refer to."""
    counts: Counter[str] = Counter()
    for code, text, _ in field_parts(body):
        if code.startswith("SEQ"):
            label = code.split()[1]
            counts[label] += 1
            if text != str(counts[label]):
                yield f"第{counts[label]}个{label}的编号是 {text}"
    labels: dict[str, str] = {}
    for start in body.iter(qn("w:bookmarkStart")):
        name, text = start.get(qn("w:name")), ""
        for node in start.itersiblings():
            if tag(node) == "bookmarkEnd" and node.get(qn("w:id")) == start.get(qn("w:id")):
                labels.setdefault(name, text)
                break
            text += "".join(t.text or "" for t in node.iter(qn("w:t")))
    for code, text, _ in field_parts(body):
        label = labels.get(code.split()[1]) if code.startswith("REF _Ref_") else ""
        if label and text != label:
            yield f"引用“{text}”应为“{label}”"


def broken_promises(
    before: Path,
    edited: Path,
    fresh: Path,
    merged: Path,
    kept: list[Kept],
    listed: list[dict[str, str]],
) -> Iterator[str]:
    """Every way in which a refreshed report does not keep what is promised.

    `before` is the report as rendered, `edited` what people made of it, `fresh` the new rendering,
    `merged` the result, `listed` the conflicts.
    """
    said = json.dumps(listed, ensure_ascii=False)
    old, now, new, done = Seen(before), Seen(edited), Seen(fresh), Seen(merged)
    count, wanted = Counter(p for p, _ in done.fields), Counter(p for p, _ in new.fields)
    # What people did is in the file or listed.
    for item in kept:
        if item.listed:
            path = item.listed if item.listed in new.properties else ""
            typed = not re.fullmatch(r"[a-z_]+(\.\w+)+", item.listed)
            still = typed and (item.listed in now.text or item.listed in str(now.fields))
            if item.listed not in said + done.text and (
                still or (path and count[path] < wanted[path])
            ):
                yield f"不在冲突清单中：{item.what}"
        elif item.holds(now) and not item.holds(done) and item.said[:20] not in said:
            gone = "手改" not in item.said and item.said[:12] not in done.text
            if item.said == "\0" or not gone:  # what was dressed may be gone with its data
                yield f"丢失：{item.what}"
    rendered = set(old.paragraphs)
    after = set(done.paragraphs)
    for text in set(now.paragraphs) - rendered - after:
        bare = _own_words(text, rendered)
        if bare and bare not in done.text and not _listed(text, said) and not _toc(now, text):
            yield f"人写的段落不见了：{text[:60]}"
    # Numbers are true; those not there are listed.
    truth = new.properties
    for path, text in truth.items():
        if done.properties.get(path) != text:
            yield f"属性 {path} 是 {done.properties.get(path)}，应为 {text}"
    ours = {path.split(".")[0] for path in truth}
    for path, text in done.fields:
        if path in truth and text != truth[path]:
            yield f"域 {path} 显示 {text}，应为 {truth[path]}"
        if path not in truth and path.split(".")[0] in ours and "." in path and path not in said:
            yield f"域 {path} 没有结果也没有列出"
    for path, number in wanted.items():
        if count[path] < number and path not in said:
            yield f"{path} 少了 {number - count[path]} 处，没有列出"
    # Nothing untouched is out of date.
    was, is_, will, ends = (unit_marks(s.body) for s in (old, now, new, done))
    untouched = [k for k in was if k in is_ and _same(was[k], is_[k])]
    for key in untouched:
        if key in will and key in ends and shown(ends[key]) != shown(will[key]):
            yield f"没有更新：{shown(ends[key])[:50]} → {shown(will[key])[:50]}"
        if key in will and key not in ends:
            yield f"丢了没人动过的：{shown(will[key])[:50]}"
        if key not in will and key in ends and shown(was[key])[:30] not in said:
            yield f"留下了旧的：{shown(ends[key])[:50]}"
    for key in will:
        first = shown(will[key]).split("｜")[0]
        if key not in was and key not in ends and first[:15] not in said:
            yield f"没有加入新的：{shown(will[key])[:50]}"
    yield from wrong_numbers(done.body)
    # Their order is that of the fresh rendering, but for what people moved.
    still = _longest([list(was).index(k) for k in is_ if k in was])
    fixed = {list(was)[n] for n in still} & set(will) & set(ends) & set(untouched)
    if [k for k in ends if k in fixed] != [k for k in will if k in fixed]:
        yield "没人动过的段落次序不同于新生成的报告"
    # The package is as sound as it was.
    worse = findings(merged)
    worse = worse and worse - findings(edited)
    if worse:
        yield f"新的格式问题：{dict(worse)}"


def _own_words(text: str, rendered: set[str]) -> str:
    """What of a paragraph was not rendered: the longest piece of a person's own."""
    for line in sorted((r for r in rendered if len(r) > 3), key=len, reverse=True):
        text = text.replace(line, "¤")
    return max(text.split("¤"), key=len).strip()


def _listed(text: str, said: str) -> bool:
    """Whether the words of a paragraph stand among the conflicts."""
    pieces = [p for p in text.split("¤") if len(p.strip()) > 3] or [text.replace("¤", "")]
    return all(json.dumps(p.strip()[:40], ensure_ascii=False)[1:-1] in said for p in pieces)


@cache
def _toc_texts(path: Path) -> frozenset[str]:
    body, depth, found = Seen(path).body, [], set()
    for node in body.iter(qn("w:fldChar"), qn("w:instrText"), qn("w:p")):
        if tag(node) == "p" and any(depth):
            found.add(words(node))
        elif tag(node) == "instrText" and depth and "TOC" in (node.text or ""):
            depth[-1] = True
            found.add(words(next(node.iterancestors(qn("w:p")))))
        elif tag(node) == "fldChar":
            kind = node.get(qn("w:fldCharType"))
            depth = [*depth, False] if kind == "begin" else depth[:-1] if kind == "end" else depth
    return frozenset(found)


def _toc(seen: Seen, text: str) -> bool:
    return text in _toc_texts(seen.path)


def _same(one: Any, other: Any) -> bool:
    """No difference in words, parts or looks that a person could have made."""

    def parts(element: Any) -> Counter[str]:
        kinds = {
            "ins",
            "del",
            "moveFrom",
            "moveTo",
            "hyperlink",
            "sdt",
            "drawing",
            "commentReference",
            "footnoteReference",
            "endnoteReference",
            "oMath",
            "pict",
            "color",
            "sz",
            "shd",
            "i",
            "strike",
            "highlight",
            "u",
            "tc",
            "p",
            "spacing",
            "rFonts",
            "fldSimple",
            "tbl",
            "bookmarkStart",
            "fldChar",
        }
        return Counter(tag(n) for n in element.iter() if tag(n) in kinds)

    cells = [[words(p) for p in e.iter(qn("w:p"))] for e in (one, other)]
    titles = [[n.get("descr") for n in e.iter(qn("wp:docPr"))] for e in (one, other)]
    same = cells[0] == cells[1] and titles[0] == titles[1] and shown(one) == shown(other)
    return same and parts(one) == parts(other)


def _longest(numbers: list[int]) -> list[int]:
    """A longest increasing subsequence."""
    tails: list[int] = []
    places: list[int] = []
    back: list[int] = []
    for place, number in enumerate(numbers):
        at = bisect.bisect_left(tails, number)
        tails[at:] = [number, *tails[at + 1 :]]
        places[at:] = [place, *places[at + 1 :]]
        back.append(places[at - 1] if at else -1)
    found, place = [], places[-1] if places else -1
    while place >= 0:
        found.append(numbers[place])
        place = back[place]
    return found[::-1]


def same_parts(one: Path, other: Path) -> bool:
    with zipfile.ZipFile(one) as a, zipfile.ZipFile(other) as b:
        return {n: a.read(n) for n in a.namelist()} == {n: b.read(n) for n in b.namelist()}
