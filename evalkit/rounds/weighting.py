"""Weights of indicators: what experts judge and mark, and what data tell, method by method.

Formulas and where they come from stand in `scoring.weights` and `scoring.agreement`. A method
without data leaves no table. What cannot be used is left out and noted, never mended.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import accumulate, pairwise, permutations, product
from math import isfinite, prod
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pandas import DataFrame

from evalkit.core.model import Row, Source
from evalkit.core.numbers import finer, plain, to_decimal
from evalkit.core.problem import Problem, demand, noting, refuse, sentence
from evalkit.core.yaml_file import load_yaml
from evalkit.policy import Policy
from evalkit.scoring import agreement, weights
from evalkit.scoring.findings import load_checks, run_checks
from evalkit.scoring.rows import Line, groups, key_of
from evalkit.scoring.weights import TOP, shown

NAME, GOAL, LEVELS = "indicator_weights", "总目标", ("level1", "level2", "level3")
AHP, MARKS, ENTROPY, CRITIC = "层次分析法", "专家打分法", "熵权法", "CRITIC法"
DROPPED, KEPT = "剔除", "采用"  # what becomes of a judgement matrix
CHOICES, HEADS = load_yaml(Path(__file__).with_suffix(".yaml"), texts=True).values()
Frame = Any  # a pandas DataFrame; pandas-stubs knows no columns of Decimals
T = TypeVar("T")


def way(row: Mapping[str, str]) -> list[str]:
    """The paths from the goal down to an indicator.

    >>> way({"level1": "产出", "level2": "数量", "level3": "里程"})
    ['总目标', '产出', '产出/数量', '产出/数量/里程']
    """
    return [GOAL, *accumulate((row[level] for level in LEVELS), "{}/{}".format)]


def below(ways: Iterable[list[str]]) -> dict[str, list[str]]:
    """What stands right below the goal and below each indicator, in order.

    >>> below([["总目标", "产出", "产出/数量"], ["总目标", "效益"]])
    {'总目标': ['产出', '效益'], '产出': ['数量']}
    """
    found = dict[str, list[str]]()
    for above, path in dict.fromkeys(step for each in ways for step in pairwise(each)):
        found.setdefault(above, []).append(last(path))
    return found


def last(path: str) -> str:
    """The name of an indicator, without those above it."""
    return path.rpartition("/")[2]


def line(row: Any, **more: Any) -> Line:
    """A row of a table of `scoring`: floats to a ten-thousandth, None for what is no number."""
    numbers = {k: finer(v) if isfinite(v) else None for k, v in row.items() if isinstance(v, float)}
    return {**row} | numbers | more


@dataclass
class Weighing:
    """A task, and what is known of it so far."""

    form: Row
    sheets: Mapping[str, list[Row]]
    answers: Sequence[Source]  # the task itself, then the questionnaires
    policy: Policy
    problems: list[Problem] = field(default_factory=list)
    tables: dict[str, list[Line]] = field(default_factory=dict)
    subject: dict[str, str] = field(default_factory=dict)
    facts: Line = field(default_factory=dict)  # figures of the report
    methods: dict[str, Any] = field(default_factory=dict)  # by method, weights by code
    own: dict[str, Frame] = field(default_factory=dict)  # by method, weights: codes × experts
    scores: dict[str, Frame] = field(default_factory=dict)  # by round, marks: codes × experts
    products: dict[str, str] = field(default_factory=dict)  # how weights of 层次分析法 are found
    heard: set[str] = field(default_factory=set)  # experts who answered anything
    used: set[str] = field(default_factory=set)  # experts whose answers count

    def __post_init__(self) -> None:
        """Read the indicators and the experts."""
        self.rows = [{k: d.text for k, d in row.items()} for row in self.sheets["indicators"]]
        self.ways = {row["code"]: way(row) for row in self.rows}
        self.paths = [way(row)[-1] for row in self.rows]
        self.names = {row["code"]: row["level3"] for row in self.rows}
        self.experts = {row["name"].text: row for row in self.sheets["experts"]}

    def attempt(self, about: str, make: Callable[..., T], *given: Any) -> T | None:
        """What `make` gives; None where it refuses, and why is noted."""
        with noting(self.problems, about):
            return make(*given)
        return None

    def find(self, scope: str, contexts: Iterable[Line]) -> None:
        """Run the checks of a scope; a context may say of which `file` it is."""
        for file, mine in groups(contexts, lambda each: each.get("file", "")).items():
            found = run_checks(load_checks(NAME), {scope: mine})
            self.problems += [finding.problem(file) for finding in found]

    def chosen(self, name: str) -> str:
        """What a field of the form chooses, else the usual, as `weights` calls it."""
        text = self.subject[name] = self.form[name].text or next(iter(CHOICES[name]))
        return str(CHOICES[name][text])

    def gather(self, sheet: str, keys: Sequence[str], known: Iterable[Sequence[str]]) -> Frame:
        """What was answered on a sheet, in every file: the keys of its place, who, text.

        An unknown expert, a place that is not `known` or answered twice are noted and left out.
        """
        places, seen = {tuple(map(key_of, at)): tuple(at) for at in known}, dict[Any, str]()
        names, found = {key_of(name): name for name in self.experts}, list[Line]()
        for source, row in ((s, row) for s in self.answers for row in s.tables[sheet]):
            at = places.get(tuple(key_of(row[key].text) for key in keys), ())
            about, file = "、".join(row[key].text for key in keys), Path(source.path).name
            for key, datum in ((k, d) for k, d in row.items() if ":" in k and d.raw):
                name, here = key.partition(":")[2], f"{file}｜{datum.cell}"
                who = names.get(key_of(name), "")
                first = seen.setdefault((file, name), here) == here
                before = seen.setdefault((who, at), here) if who and at else here
                found.append({
                    "who": who, "at": at, "text": datum.text, "datum": datum, "file": file,
                    "name": name, "about": about, "first": first, "sheet": sheet,
                    "before": before.replace(here, ""), "full": self.form["full"].number,
                })  # fmt: skip
        self.find("answers", found)
        self.heard |= {each["who"] for each in found} - {""}
        good = [each for each in found if each["who"] and each["at"] and not each["before"]]
        lines = [(*each["at"], each["who"], each["text"]) for each in good]
        return DataFrame(lines, columns=[*keys, "who", "text"])


def judgements(work: Weighing) -> None:
    """层次分析法: every expert's matrices, then those of the group."""
    every, limit = below(work.ways.values()), work.policy.value("ahp_cr_limit")
    pairs = ((above, *pair) for above, names in every.items() for pair in permutations(names, 2))
    given = work.gather("pairs", ("parent", "a", "b"), pairs)
    handling = work.form["inconsistent"].text or work.policy.value("ahp_inconsistent")
    index, solved, detail = work.chosen("index"), dict[str, dict[str, Any]](), list[Line]()
    for (above, names), who in product(every.items(), work.experts):
        mine = given[given["who"] == who]
        if mine.empty or len(names) == 1:
            continue
        cells = mine[mine["parent"] == above].pivot(index="a", columns="b", values="text")
        matrix = cells.reindex(index=names, columns=names)
        if (done := work.attempt(f"{who}｜{above}", weights.ahp, matrix, index)) is None:
            continue
        row = line(done.consistency, name=who, parent=above, n=len(names), verdict=KEPT)
        if done.consistency["cr"] >= float(limit):
            worst = line(done.judgements.iloc[0])
            said = Fraction(done.judgements["judgement"][0]).limit_denominator(int(TOP))
            row = worst | row | {"judgement": str(said), "after": worst["cr"], "verdict": handling}
        detail.append(row)
        if row["verdict"] != DROPPED:
            solved.setdefault(above, {})[who] = matrix, done
    mends = [row | {"limit": plain(limit)} for row in detail if "after" in row]
    work.find("matrices", mends)
    work.tables |= {"consistency": detail, "mends": mends}
    work.facts |= {"matrices": len(detail), "faulty": len(mends), "limit": limit}
    work.subject["handling"] = handling
    if len(given):
        work.attempt(AHP, _grouped, work, every, solved)


def _grouped(work: Weighing, every: Mapping[str, list[str]], solved: Mapping[str, Any]) -> None:
    """Weights of the group from the matrices that count, and of each expert who has them all.

    Raises:
        EvalkitError: nobody's matrix counts for a group; only some experts have shares.
    """
    local: dict[str, Any] = {k: {names[0]: 1.0} for k, names in every.items() if len(names) == 1}
    lost = [above for above in every if above not in local and above not in solved]
    refuse(sentence("weighting.nobody", parent=above) for above in lost)
    own = {who: dict(local) for mine in solved.values() for who in mine}
    shared = any(row["share"].raw for row in work.experts.values())
    work.subject["shared"] = "按所定比重" if shared else "相同"
    how, parents, matrices = work.chosen("aggregation"), list[Line](), list[Line]()
    for above, mine in solved.items():
        shares = {who: work.experts[who]["share"].number for who in mine} if shared else None
        cells = DataFrame({who: done.weights["weight"] for who, (_, done) in mine.items()})
        for who in mine:
            own[who][above] = cells[who]
        told: Line = {"parent": above, "n": len(cells), "experts": len(mine), "cr": None}
        signs = [chr(ord("①") + n) for n in range(len(cells))]
        if how:
            steps = weights.combine(cells, how, shares)[["weight"]]
        else:
            joint = weights.aggregate({who: matrix for who, (matrix, _) in mine.items()}, shares)
            steps, consistency, _ = weights.ahp(joint, work.chosen("index"))
            cells = joint.set_axis(signs, axis=1)
            told |= line(consistency.rename(HEADS)) | {"cr": finer(consistency["cr"])}
        local[above] = steps["weight"]
        singles = (row for row in work.tables["consistency"] if row["parent"] == above)
        parents.append(told | {f"cr:{row['name']}": row["cr"] for row in singles})
        for name, mark in zip(cells.index, signs, strict=True):
            row = {f"a:{head}": finer(cell) for head, cell in cells.loc[name].items()}
            row |= line(steps.loc[name].rename(HEADS))
            matrices.append({"parent": above, "item": name if how else mark + name} | row)
    work.find("groups", [row | {"limit": work.facts["limit"]} for row in parents])
    work.tables |= {"groups": parents, "matrices": matrices}
    work.tables["tested"] = [row for row in parents if row["n"] > 2]  # others never contradict
    work.used |= own.keys()
    work.methods[AHP], work.products = _down(work, local)
    full = {who: mine for who, mine in own.items() if len(mine) == len(every)}
    work.own[AHP] = DataFrame({who: _down(work, mine)[0] for who, mine in full.items()})


def _down(work: Weighing, local: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """Weights of the third level by code, and the products that they are."""
    steps = {code: [float(local[above][last(path)]) for above, path in pairwise(each)]
             for code, each in work.ways.items()}  # fmt: skip
    products = {code: "×".join(map(shown, each)) for code, each in steps.items()}
    return pd.Series({code: prod(each) for code, each in steps.items()}), products


def marks(work: Weighing) -> None:
    """专家打分法: the last round counts; each round is told beside the one before."""
    rounds = dict.fromkeys(row["round"].text for row in work.sheets["marks"])
    given = work.gather("marks", ("round", "indicator"), product(rounds, work.ways))
    for name in (name for name in rounds if name in {*given["round"]}):
        wide = given[given["round"] == name].pivot(index="indicator", columns="who", values="text")
        judges, wide = [who for who in work.experts if who in wide], wide.reindex([*work.ways])
        read = [work.attempt(name, weights.grid, wide[[who]], (1, 1), "negative") for who in judges]
        if kept := [table for table in read if table is not None]:
            work.scores[name] = pd.concat(kept, axis=1)
    trim = int(work.form["trim"].number or 0)
    if not work.scores or (done := work.attempt(MARKS, weights.delphi, work.scores, trim)) is None:
        return
    latest = [*work.scores][-1]
    work.own[MARKS] = (work.scores[latest] / work.scores[latest].sum()).dropna(axis="columns")
    work.methods[MARKS] = done[done["round"] == latest].set_index("item")["weight"]
    work.used |= {*work.scores[latest]}
    every = [line(row, name=work.names[row["item"]]) for _, row in done.iterrows()]
    work.tables |= {"rounds": every, "marks": [row for row in every if row["round"] == latest]}
    work.facts["rounds"] = len(work.scores)


def objects(work: Weighing) -> None:
    """熵权法 and CRITIC法, where the form asks for them: data of every indicator are needed."""
    rows, how = work.sheets["objects"], CHOICES["entropy"][work.form["entropy"].text]
    makers = {ENTROPY: partial(weights.entropy, how=how)} if how else dict[str, Any]()
    makers |= {CRITIC: weights.critic} if work.form["critic"].text == "是" else {}
    codes = {key_of(row[key]): row["code"] for row in work.rows for key in ("level3", "code")}
    names = {key: key.partition(":")[2] for row in rows[:1] for key in row if ":" in key}
    keys = {codes.get(key_of(name), name): key for key, name in names.items()}
    lacking = [code for code in work.ways if code not in keys]
    strange = [name for name in keys if name not in work.ways]
    told = {"asked": [*makers], "lacking": lacking, "strange": strange}
    work.find("objects", [{"rows": rows} | {key: "、".join(each) for key, each in told.items()}])
    if lacking:
        return
    table = DataFrame({code: [row[keys[code]].number for row in rows] for code in work.ways},
                  [row["name"].text for row in rows], dtype=object)  # fmt: skip
    cost = [row["code"] for row in work.rows if row["direction"] == "逆向"]
    for method, make in makers.items():
        if (done := work.attempt(method, make, table, cost)) is not None:
            work.methods[method] = done["weight"]
            named = [line(row, item=code, name=work.names[code]) for code, row in done.iterrows()]
            work.tables["entropy" if method == ENTROPY else "critic"] = named


def agreements(work: Weighing) -> None:
    """How far the experts agree, and who stands apart; people decide what follows."""
    frames = {f"{AHP}各专家权重": work.own.get(AHP, DataFrame())}
    frames |= {f"专家打分（{name}）": table for name, table in work.scores.items()}
    level, tested, apart = work.policy.value("weight_significance"), list[Line](), list[Line]()
    table: Frame
    for source, table in frames.items():
        test = work.attempt(source, agreement.kendall, table) if len(table.columns) > 1 else None
        if test is not None:
            verdict = "一致" if test["p"] <= level else "不一致"
            tested.append(line(test, source=source, verdict=verdict, level=plain(level)))
        done = work.attempt(source, agreement.outlying, table) if len(table.columns) > 2 else None
        if done is not None:
            apart += [line(row, source=source, name=who, at=work.experts[str(who)]["name"])
                      for who, row in done.iterrows()]  # fmt: skip
    work.find("rounds", tested)
    work.find("experts", apart)
    work.tables |= {"agreement": tested, "apart": apart}
    work.facts["level"] = level
    several = work.scores and len(table.columns) > 1  # of the last round
    icc = work.attempt(MARKS, agreement.icc, table) if several else None
    if icc is not None:
        work.tables["icc"] = [line(row, form=form) for form, row in icc.iterrows()]


def combined(work: Weighing) -> Frame:
    """Weights of all methods together and the points they make, by code.

    Returns:
        Weight, formula, quota, points, way (of the points), spread: the standard deviation of the
        weights if each expert alone had spoken; and each method's weights as ``w:METHOD``.

    Raises:
        EvalkitError: no method, shares of other methods, a total that the step does not divide.
    """
    demand(work.methods, "weighting.none")
    how, form = work.chosen("combination"), work.form
    every: Frame = DataFrame(work.methods)
    shares = {row["method"].text: row["share"].number for row in work.sheets["shares"]} or None
    whole = form["total"].number or work.policy.value("full_total")
    found = weights.combine(every, how, shares)[["weight", "formula"]]
    alone = {who: weights.combine(every.assign(**mine), how, shares)["weight"]
             for who in work.experts
             if (mine := {m: own[who] for m, own in work.own.items() if who in own})}  # fmt: skip
    tops = {r["code"]: r["level1"] if form["level1_step"].raw else GOAL for r in work.rows}
    parts = found["weight"].groupby(pd.Series(tops), sort=False)
    given = weights.to_points(parts.sum(), whole, form["level1_step"].number or whole)["points"]
    step = form["step"].number or 1
    points: Frame = pd.concat(weights.to_points(part, given[top], step) for top, part in parts)
    points["points"] = [to_decimal(plain(each)) for each in points["points"]]  # 4, not 4.0
    named = "与".join("、".join(every).rsplit("、", 1))
    joint = f"{named}{work.subject['combination']}组合" if len(every.columns) > 1 else named
    work.subject |= {"method": joint, "experts": str(len(work.used))}
    spread, more = DataFrame(alone, every.index).std(axis=1), every.add_prefix("w:")
    told = points.drop(columns="weight").rename(columns={"formula": "way"})
    return found.join([told, more.assign(spread=spread, product=pd.Series(work.products))])
