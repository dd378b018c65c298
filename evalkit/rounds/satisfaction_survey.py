"""What a satisfaction survey reports, part by part: sheets, sample, results, groups, reliability.

Counting and estimating are the room `survey`'s; here are the workbook and the tables.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from math import inf, isnan
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.core.expr import Term
from evalkit.core.model import Row, Source
from evalkit.core.numbers import finer, plain, round_to, to_decimal
from evalkit.core.problem import EvalkitError, Problem, noting
from evalkit.policy import Policy
from evalkit.scoring.rows import Line, add_up, key_of
from evalkit.survey import results
from evalkit.survey.answers import Frame, decoded, grouped, read, tallied
from evalkit.survey.estimates import frequencies, levels
from evalkit.survey.quality import flags
from evalkit.survey.reliability import reliability, scores
from evalkit.survey.sample import size
from evalkit.survey.satisfaction import OPTION_OF, OPTIONS, UNAWARE

Table = Any  # a pandas DataFrame: pandas-stubs knows no records with fields of text
SCALE, OVERALL, GROUND, MANY, OPEN = "满意度", "总体满意度", "背景", "多选", "开放"
UNUSED = "不统计"
LEVELS = [*OPTIONS, UNAWARE]
SCORES = [Decimal(len(OPTIONS) - place) for place in range(len(OPTIONS))]  # 5 to 1
NOTHING = {"合计": [None, 0, 0]}  # sent, returned, valid
HEADS = {"question": "题目", "group": "分组", "total": "合计", "people": "答题人数"}
_AROUND = re.compile(r"^(?:第|Q)?\s*\d+\s*[题、.．:：]\s*|\s*[：:？?。]$")  # a question's words
_PERSONAL = re.compile(r"\S+@\S+|\d(?:[\s-]?\d){6,}")  # addresses; numbers of seven digits


@dataclass
class Answers:
    """Who answered on line, all answers in one tidy table, and the codes by question or number."""

    people: Table
    table: Table
    book: dict[str, dict[str, str]]

    def options(self, question: str, worded: bool = False) -> list[str]:
        """The options of a question: those listed, `worded` as on the form, and others chosen."""
        mine = self.table[self.table["question"] == question]
        books = [self.book.get(key, {}) for key in (question, *mine["number"][:1])]
        book, seen = books[0] or books[-1], {*mine["option"]}
        listed = [code if worded and len(code) > 1 and not code.isdigit() else option
                  for code, option in book.items()]  # fmt: skip
        if not listed and seen and seen <= {*OPTION_OF}:
            listed = [*OPTIONS]
        return [*dict.fromkeys([*listed, *(o for o in mine["option"] if o not in book.values())])]

    def scopes(self, source: Source, policy: Policy) -> dict[str, list[Line]]:
        """What is looked at before counting: unknown questions, what may tell of persons."""
        lists, most = source.tables, policy.value("survey_quality")["options"]
        several = {*self.table.loc[self.table["people"] < self.table["count"], "question"]}
        names = {"", *(_key(name) for name in _asked(source))}
        at = [(row["question"], names) for row in (*lists["tally"], *lists["categories"])]
        numbers = names | {*self.table["number"]}  # a matrix has its codes by number
        at += [(row["question"], numbers) for row in lists["options"]]
        at += [(source.forms["project"]["strata"], names)]
        return {
            "named": [{"at": each, "known": _key(each.text) in known} for each, known in at],
            "door": [{**row, "options": len(self.options(name)), "most": most,
                      "several": name in several} for name, row in _questions(source).items()],
        }  # fmt: skip


def read_answers(source: Source, file: Path | None) -> tuple[Answers, list[Problem]]:
    """The answers of an export, if there is one, and under them those of the sheet 纸质问卷.

    Returns:
        The answers, and what is wrong: every answer that cannot be read or decoded, and warnings.
    """
    found, names = list[Problem](), {_key(name): name for name in _asked(source)}
    people, parts = Frame(columns=["respondent", "row", "seconds"]), [tallied(_tally([]))]
    if file:
        with noting(found, file=file.name):
            people, table, said = read(file)
            parts.append(table)
            found += [problem.model_copy(update={"file": file.name}) for problem in said]
    with noting(found, file=Path(source.path).name, sheet="纸质问卷"):
        parts.append(tallied(_tally(source.tables["tally"])))
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    table["question"] = table["question"].map(lambda name: names.get(_key(name), name))
    book = dict[str, dict[str, str]]()
    for row in source.tables["options"]:
        asked, option = row["question"].text, row["option"].text
        book.setdefault(names.get(_key(asked), asked), {})[row["code"].text or option] = option
    with noting(found, file=file.name if file else ""):
        table = decoded(table, book) if len(table) else table.astype(object)  # no texts, no type
        levels(table, _asked(source, SCALE, OVERALL))
    return Answers(people, table, book), found


class Study:
    """A survey while it is worked on, and what was found."""

    def __init__(self, source: Source, policy: Policy, answers: Answers) -> None:
        self.source, self.policy, self.answers = source, policy, answers
        self.form, self.lists = source.forms["project"], source.tables
        self.table: Table = answers.table  # becomes what counts, its groups the strata
        self.tables = defaultdict[str, list[Line]](list)
        self.scopes = defaultdict[str, list[Line]](list)
        self.values, self.subject = dict[str, Any](), dict[str, str]()
        self.sizes = dict[str, int]()  # people by stratum, or all of them under ""
        self.weighted = self.form["weighted"].text == "是"
        usual = policy.value("survey_confidence")
        deff = max(float(self.number("deff", 1)), 1)
        self.how = float(self.number("confidence", usual)) / 100, deff
        self.questions = _questions(source)
        self.by = next((n for n in self.questions if _key(n) == _key(self.form["strata"].text)), "")
        given = {name: self.questions[name]["share"].number for name in self.asked(SCALE)}
        known = [share for share in given.values() if share is not None]
        sound = len(known) == len(given) and sum(known) == 100 and min(known, default=0) >= 0
        # whoever sets no shares sets equal ones
        shares = given if sound else dict.fromkeys(given if not known else (), Decimal(1))
        self.shares = {name: share for name, share in shares.items() if share}
        self.scopes["survey"] = [{**self.form, "scale": len(given), "shares": [*given.values()]}]

    def number(self, name: str, usual: Any = None) -> Any:
        """A number of the first sheet."""
        given = self.form[name].number
        return usual if given is None else given

    def asked(self, *kinds: str) -> list[str]:
        """The questions of these kinds, in their order."""
        return _asked(self.source, *kinds)

    def parts(self) -> dict[str, list[str]]:
        """The satisfaction questions by dimension, where there is more than one."""
        parts = defaultdict[str, list[str]](list)
        for name in self.asked(SCALE):
            parts[self.questions[name]["dimension"].text or "其他题目"].append(name)
        return parts if len(parts) > 1 else {}

    def printed(self) -> tuple[dict[str, list[Line]], Line]:
        """The tables and the values, each number rounded once."""
        tables = {name: [_line(row) for row in rows] for name, rows in self.tables.items()}
        return tables, _line(self.values)


def _quality(s: Study) -> None:
    """Doubtful answer sheets, what was decided on them, and the answers that are left."""
    people, table, limits = s.answers.people, s.table, s.policy.value("survey_quality")
    scale, log, rows = s.asked(SCALE), list[Line](), s.lists["decisions"]
    if len(people):
        usual = people["seconds"].median() // float(limits["divisor"])
        s.values["seconds"] = least = float(s.number("seconds", usual))
        log = _rows(flags(people, table, scale, least, int(limits["line"])))
        answered = table.loc[table["question"].isin(scale), "respondent"]
        silent = people.loc[~people["respondent"].isin(answered), ["respondent", "row"]]
        log += _rows(silent.assign(rule="未答满意度题", reason="满意度题均未作答"))
    said = [{name: datum.text for name, datum in row.items()} for row in rows]
    s.tables["flags"], struck = results.decided(log, said, {*people["respondent"]})
    keys = [(row["respondent"], row["rule"]) for row in said]
    s.scopes["pending"] = [line for line in s.tables["flags"] if not line["decision"]]
    for row, key in zip(rows, keys, strict=True):
        rules = [line["rule"] for line in log if line["respondent"] == key[0]]
        facts = {"known": key[0] in {*people["respondent"]}, "times": keys.count(key)}
        s.scopes["decisions"].append({**row, **facts, "flagged": rules})
    causes = {row["respondent"]: row["cause"] for row in said if row["decision"] == "剔除"}
    out = [{"mode": "线上", "rule": rule, "cause": causes[who]} for who, rule in struck.items()]
    s.tables["exclusions"] = add_up(out, lambda rows: {"n": len(rows)}, "mode", "rule", "cause")
    for name, lines in (("flagged", log), ("pending", s.scopes["pending"])):
        s.values[name] = len({line["respondent"] for line in lines})
    s.values["struck"] = len(struck)
    back = [name for name, row in s.questions.items() if row["reverse"].text == "是"]
    s.table = results.turned(table[~table["respondent"].isin(struck)], back)
    if (s.table.loc[s.table["respondent"] != "", "question"] == s.by).any():
        s.table = grouped(s.table, s.by)


def _sample(s: Study) -> None:
    """Who was asked and who answered, what error was planned and reached, how strata are met."""
    value, online = s.policy.value, len(s.answers.people)
    modes = {"线上": [s.number("sent_online"), online, online - s.values["struck"]],
             "纸质": [s.number(f"{n}_paper") for n in ("sent", "returned", "valid")]}  # fmt: skip
    found = results.returned({mode: part for mode, part in modes.items() if any(part)} or NOTHING)
    s.tables["sample"] = _rows(found.reset_index())
    s.values |= _line(s.tables["sample"][-1])
    cause = {"rule": "计票前剔除", "cause": s.form["paper_cause"].text}
    s.tables["exclusions"] += [{"mode": "纸质", "n": line["excluded"], **cause}
                               for line in map(_line, s.tables["sample"])
                               if line["mode"] == "纸质" and line["excluded"]]  # fmt: skip
    strata = {row["stratum"].text: int(row["population"].number or 0) for row in s.lists["strata"]}
    whole, ways = s.number("population", sum(strata.values()) or None), value("survey_sampling")
    way = next((way for way in ways if s.form["sampling"].text in ways[way]), "")
    s.sizes = strata if s.weighted else {"": int(whole)} if whole and way else {}
    s.values |= {"population": whole, "allowed": s.number("allowed"), "deff": s.how[1],
                 "confidence": 100 * s.how[0], "least": value("survey_min_valid"),
                 "least_rate": value("survey_min_return_rate")}  # fmt: skip
    confidence, deff, people = *s.how, int(whole or 0) or inf
    if s.values["allowed"] is not None:
        e, rate = (float(n) / 100 for n in (s.values["allowed"], s.number("valid_rate", 100)))
        planned = size(e, confidence, population=people, deff=deff, response=rate)
        s.values["needed"], s.values["issued"], s.subject["plan"] = planned
    if way == "random" and s.values["valid"]:
        s.values["margin"] = results.margin(s.values["valid"], confidence, people, deff)
    least = int(value("survey_stratum_min"))
    lines = results.stratified(s.table, strata, s.values.get("needed", 0), least)
    for name, part in (("share", "population"), ("of_sample", "n")):
        lines[name] = 100 * lines[part] / max(lines[part].sum(), 1)
    s.tables["strata"], tally = _rows(lines), s.table[s.table["respondent"] == ""]
    for name in dict.fromkeys([*strata, *s.table["group"]]) if s.weighted and strata else ():
        n = results.sheets(s.table[s.table["group"] == name])
        facts = {"group": name, "n": n, "population": strata.get(name)}
        s.scopes["groups"].append({**s.form, **facts})
    s.scopes["survey"][0] = s.values | s.scopes["survey"][0] | {
        "tally": len(tally) > 0, "asked": results.sheets(tally), "random": way == "random",
        "groups": s.table["group"].any(), "strata_sum": sum(strata.values()) if strata else None,
    }  # fmt: skip
    s.subject |= {"way": way, "strata": _words(s.by)}
    s.subject |= {name: plain(s.values[name]) for name in ("least", "least_rate")}


def _results(s: Study) -> None:
    """Each question and all together: counts, satisfaction under every mapping, the adopted one."""
    mappings, asked = s.policy.value("survey_mappings"), s.asked(SCALE, OVERALL)
    table = s.table if s.weighted else s.table.assign(group="")
    rows, found = levels(table, asked), results.measured(table, asked, mappings, s.sizes, *s.how)
    name = s.form["survey_mapping"].text if s.sizes or not s.weighted else ""  # strata are missing
    mine = found.get(name, dict.fromkeys(asked, results.UNKNOWN))
    whole = _shown(results.joint(mine, s.shares))
    cells = rows.pivot_table("count", "question", "level", "sum", fill_value=0)
    cells = cells.reindex(index=asked, columns=LEVELS, fill_value=0).astype(int)
    n, all_of = cells[OPTIONS].sum(axis=1), float(sum(s.shares.values())) or 1
    parts = (100 * cells).div(n.replace(0, pd.NA), axis=0).drop(columns=UNAWARE).add_suffix("占比")
    parts["不了解占比"] = 100 * cells[UNAWARE] / cells.sum(axis=1).replace(0, pd.NA)
    for place, line in enumerate(_rows(cells.join(parts).assign(n=n).reset_index())):
        row, question = s.questions[line["question"]], line["question"]
        share, counted = s.shares.get(question), rows[rows["question"] == question]
        line |= {key: row[key].text for key in ("dimension", "reverse")} | _shown(mine[question])
        line |= {"no": place + 1, "label": _words(question), "whole": whole["satisfaction"],
                 "share": 100 * float(share) / all_of if share else None,
                 "mean": results.exact(counted, SCORES, s.sizes)}  # fmt: skip
        s.tables["questions" if row["kind"].text == SCALE else "overall"].append(line)
    for part, names in s.parts().items():
        line = {"dimension": part, "names": "、".join(map(_words, names))}
        own = results.joint({each: mine[each] for each in names}, s.shares)
        s.tables["dimensions"].append(line | _shown(own))
    for each, values in mappings.items():
        best = "".join(f"“{o}”" for o, v in zip(OPTIONS, values, strict=True) if v == max(values))
        line = {"mapping": each, "worth": "、".join(map(plain, values)),
                "boxes": best if len({*values}) == 2 else "",  # a share of the best levels
                "adopted": "采用" if each == name else ""}  # fmt: skip
        s.tables["mappings"].append(line | _shown(results.joint(found.get(each, {}), s.shares)))
    how = "Σ（权重×各题满意度），" + ("各题按层加权" if s.weighted else "不按层加权")
    s.tables["adopted"] = [{"mapping": name, "valid": s.values["valid"], "how": how, **whole}]
    s.values |= {key: whole[key] for key in ("satisfaction", "low", "high")}
    s.values["scale"] = len(s.tables["questions"])
    if s.weighted:
        cells = rows.pivot_table("count", ["question", "group"], "level", "sum", fill_value=0)
        axes = pd.MultiIndex.from_product([asked, s.sizes], names=["question", "group"])
        cells = cells.reindex(index=axes, columns=LEVELS, fill_value=0).astype(int).reset_index()
        cells["population"] = cells["group"].map(s.sizes)
        s.tables["strata_counts"] = _rows(cells)


def _crossed(s: Study) -> None:
    """The adopted satisfaction by stratum and by each background, unweighted."""
    by, scale, name = s.by, s.asked(SCALE), s.form["survey_mapping"].text
    mappings, raw = s.policy.value("survey_mappings"), s.table[s.table["respondent"] != ""]
    for factor in dict.fromkeys([by, *s.asked(GROUND)]) if name else ():
        if factor != by and not (raw["question"] == factor).any():
            continue
        rows, title = s.table if factor == by else grouped(raw, factor), _words(factor) or "分组"
        order = dict.fromkeys([*s.sizes, *s.answers.options(factor), *rows["group"]])
        for group in (each for each in order if each and each in {*rows["group"]}):
            mine = rows[rows["group"] == group].assign(group="")
            found = results.measured(mine, scale, {name: mappings[name]}, {}, *s.how).get(name, {})
            n = results.sheets(mine[mine["question"].isin(scale)])
            line = {"factor": title, "group": group, "n": n, "label": f"{title}：{group}",
                    "whole": s.values["satisfaction"],
                    "note": "份数少" if n < s.values["least"] else ""}  # fmt: skip
            s.tables["cross"].append(line | _shown(results.joint(found, s.shares)))
            s.tables["groups"] += s.tables["cross"][-1:] if factor == by else []
            s.tables["cross_questions"] += [line | {"question": _words(asked)} | _shown(each)
                                            for asked, each in found.items()]  # fmt: skip


def _others(s: Study) -> None:
    """How often each option was chosen, open answers by category, the questionnaire itself."""
    table, options = s.table.assign(group=""), s.answers.options
    counted = _rows(frequencies(table, s.how[0])) if len(table) else []
    chosen = {(line["question"], line["option"]): line for line in counted}
    by = s.by if s.tables["strata"] else ""  # that table tells it of all sheets
    for kind, name in ((GROUND, "structure"), ("单选", "choices"), (MANY, "choices")):
        for asked in (each for each in s.asked(kind) if each != by):
            for line in (chosen[asked, o] for o in options(asked) if (asked, o) in chosen):
                told = {"question": _words(asked), "n": round(line["n"]), "group": ""}
                s.tables[name].append(line | told)
    for asked in s.asked(OPEN):
        words = {row["category"].text: re.split("[、，,;；]", row["words"].text)
                 for row in s.lists["categories"]
                 if _key(row["question"].text) == _key(asked)}  # fmt: skip
        mine = table[table["question"] == asked]
        found, rest = results.classified(mine, words)
        n, said = round(mine["people"].sum()), [_PERSONAL.sub("＊＊＊", text) for text in rest]
        left = {"category": "未归类", "count": len(rest), "share": 100 * len(rest) / max(n, 1)}
        line = {"question": _words(asked), "n": n}
        lines = [line | each for each in (*_rows(found), left) if each["count"]]
        s.tables["open"] += lines
        s.tables["unclassified"] += [line | {"text": text} for text in said]
        s.scopes["open"].append(line | {"rest": len(rest)})
    every = s.answers.table["question"]
    for place, (name, row) in enumerate(s.questions.items(), 1):
        kind, back = row["kind"].text, "（反向）" * (row["reverse"].text == "是")
        listed = [] if kind in (OPEN, UNUSED) else options(name, worded=True)
        listed = listed or ([*OPTIONS] if kind in (SCALE, OVERALL) else [])
        line = {"no": place, "question": name, "kind": kind + back, "options": "、".join(listed)}
        s.tables["questionnaire"].append(line)
        s.scopes["questions"].append({**row, "answers": (every == name).sum()})
    s.scopes["unlisted"] = [{"question": n} for n in dict.fromkeys(every) if n not in s.questions]


def _reliable(s: Study) -> None:
    """Cronbach's α of all questions and of each dimension, by who answered all of them."""
    bands, least = s.policy.value("cronbach_levels"), s.policy.value("survey_item_total")
    ranks = [f"{plain(band['from'])}以上为{band['level']}" for band in bands[:-1]]
    s.subject["levels"] = "，".join([*ranks, f"更低的{bands[-1]['level']}"])
    for scope, names in ({"全部题目": s.asked(SCALE)} | s.parts()).items():
        with suppress(EvalkitError):  # too few sheets or questions: there is no coefficient
            found, items = reliability(scores(s.table, names), confidence=s.how[0])
            level = next((band for band in bands if found["alpha"] >= band["from"]), bands[-1])
            line: Line = {key: finer(found[key]) for key in ("alpha", "low", "high")}
            line |= {key: int(found[key]) for key in ("n", "dropped")}
            line |= {"scope": scope, "k": len(names), "level": level["level"]}
            s.tables["alphas"].append(line)
            s.scopes["alphas"].append(line | {"weak": level in bands[2:]})
            if len(s.tables["alphas"]) == 1 and scope == "全部题目":
                s.values |= {"alpha": line["alpha"], "complete": line["n"]}
                items["note"] = items["item_total"].lt(float(least)).map({True: "偏低", False: ""})
                items["item"] = items["item"].map(_words)
                s.tables["reliability"] = _rows(items)


PARTS = (_quality, _sample, _results, _crossed, _others, _reliable)


def _tally(rows: Sequence[Row]) -> Table:
    """The sheet of paper forms as `tallied` takes it, its index the numbers of the rows."""
    lines, at = list[Line](), list[int]()
    for row in rows:
        said = {HEADS.get(key) or key.partition(":")[2]: cell for key, cell in row.items()}
        lines.append({key: plain(cell.number) if cell.number is not None else cell.raw
                      for key, cell in said.items()})  # fmt: skip
        at.append(max(int(re.sub(r".*\D", "", cell.cell)) for cell in said.values() if cell.raw))
    return Frame(lines, index=at, columns=None if lines else [*HEADS.values()])


def _questions(source: Source) -> dict[str, Row]:
    return {row["question"].text: row for row in source.tables["questions"] if row["question"].text}


def _asked(source: Source, *kinds: str) -> list[str]:
    """The questions of these kinds, or all of them, in their order."""
    rows = _questions(source).items()
    return [name for name, row in rows if not kinds or row["kind"].text in kinds]


def _key(text: str) -> str:
    return key_of(text).rstrip(":")


def _words(question: str) -> str:
    """A question without its number and its last sign."""
    return _AROUND.sub("", question)


def _shown(found: results.Found) -> Line:
    """A satisfaction as tables and charts have it, each number rounded once."""
    names = ("satisfaction", "low", "high", "below", "above", "formula", "said")
    if found["term"] is None:
        return dict.fromkeys(names)
    mean, low, high = map(_told, (found["term"], found["low"], found["high"]))
    told = (mean, low, high, mean - low, high - mean, found["term"].text)
    return dict(zip(names, (*told, f"{mean}%（{low}%～{high}%）"), strict=True))


def _rows(frame: Table) -> list[Line]:
    return [dict(row) for row in frame.to_dict("records")]


def _line(row: Line) -> Line:
    return {key: _told(value) for key, value in row.items()}


def _told(value: Any) -> Any:
    """What is printed: satisfactions and shares to two decimals, nothing for what is unknown."""
    if isinstance(value, Term):
        return round_to(value.value, 2)
    if isinstance(value, float):
        return None if isnan(value) else round_to(to_decimal(value), 2)
    return None if value is pd.NA else value
