"""Answers as one tidy table, from exports of 问卷星 as they are and from tallies of paper forms.

The tidy table has a row for each option that somebody chose: respondent (序号; empty in a tally),
question (its heading), number (the 3 of ``3、…``, shared by the rows of a matrix), option (as it
stands there, a text or a code), text (what was written in after 其他), group, count, and people
(what the row adds to the number of people who answered: of three options ticked by one person
each has 1/3). Questions left out have no row. Tables of both kinds may be put under each other.
"""

from collections.abc import Mapping
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pandas as pd
from python_calamine import CalamineError

from evalkit.core.problem import Problem, refusal, refuse, sentence
from evalkit.core.yaml_file import load_yaml

Frame = pd.DataFrame
_FORMS = load_yaml(Path(__file__).with_name("columns.yaml"))
_TIDY = ["respondent", "question", "number", "option", "text", "group", "count", "people"]


def told(code: str, rows: Frame) -> list[Problem]:
    """The sentence `code` for each of the rows, completed with its columns.

    >>> print(*told("survey.question", Frame({"question": ["1、性别"]})))
    没有人回答“1、性别”——请核对题目名称
    """
    return [sentence(code, **{str(k): row[k] for k in row}) for row in rows.to_dict("records")]


def read(path: Path, sheet: str | int = 0) -> tuple[Frame, Frame, list[Problem]]:
    """Read an export of 问卷星, by text or by code: XLSX, XLS or CSV (UTF-8 or GB18030).

    A question of several options may be one column (A┋B) or one column of 0 and 1 an option
    (``3、(A)``, ``3、(B)``). Of (跳过), (空), -3, -2 and an empty cell there is no answer; one who
    ticked none of the options did not answer. Rankings (A→B) and open answers stay as one text.

    Returns:
        The respondents, one row a questionnaire: respondent, row (of the sheet), seconds
        (所用时间, NaN if unknown), submitted, source, detail, ip, score as far as they are there,
        and every other column that is no question. The tidy table. Warnings.

    Raises:
        EvalkitError: the file cannot be read or has no numbered questions; or all 序号 that stand
            there twice.
    """
    cells, missing = cells_of(path, sheet), _FORMS["missing"]
    known = pd.DataFrame({"heading": cells.columns, "question": cells.columns}, dtype=str)
    known[["number", "stem"]] = known["heading"].str.extract(_FORMS["heading"])
    known[["asked", "choice"]] = known["stem"].str.extract(_FORMS["choice"])
    known = known.dropna(subset="number")
    if known.empty:
        raise refusal("survey.questions", file=path.name)
    for (number, asked), part in known.groupby(["number", "asked"]):
        if len(part) > 1 and cells[part["heading"]].isin(["0", "1", *missing]).all(axis=None):
            many, name = known["heading"].isin(part["heading"]), f"{number}、{asked or '多选题'}"
            known["question"] = known["question"].mask(many, name)

    people = cells.drop(columns=known["heading"]).rename(columns=_FORMS["export"])
    people = people.assign(**{"respondent": cells.index.astype(str), "spent": ""} | dict(people))
    parts = people["spent"].str.replace(" ", "").str.extract(_FORMS["time"]).astype(float)
    seconds = (parts.fillna(0) @ pd.Series([86400, 3600, 60, 1])).where(parts.notna().any(axis=1))
    people = people.assign(row=cells.index, seconds=seconds, file=path.name)
    problems = told("survey.duration", people[seconds.isna() & ~people["spent"].isin(missing)])
    refuse(told("survey.respondent", people[people["respondent"].duplicated()]))

    long = cells.assign(respondent=people["respondent"])
    long = long.melt("respondent", list(known["heading"]), "heading").merge(known, on="heading")
    tick = long["question"] != long["heading"]
    long["said"] = long["choice"].where(tick, long["value"]).astype(str)
    long = long[~long["value"].isin(missing) & (~tick | (long["value"] == "1"))]
    said = long[["said"]].drop_duplicates()  # they are few: each is read once
    said = said.assign(option=said["said"].str.split(_FORMS["separator"])).explode("option")
    said[["option", "text"]] = said["option"].astype(str).str.extract(_FORMS["written"]).fillna("")
    long = long.merge(said[said["option"].ne("") | said["text"].ne("")], on="said")
    size = long.groupby(["respondent", "question"])["option"].transform("size")
    table = long.assign(group="", count=1, people=1 / size)[_TIDY].reset_index(drop=True)
    return people.drop(columns=["spent", "file"]).reset_index(drop=True), table, problems


def cells_of(path: Path, sheet: str | int = 0) -> Frame:
    """A sheet as texts under its headings, blank rows left out; the index is the row number.

    Raises:
        EvalkitError: the file cannot be read.
    """
    try:
        if path.suffix.lower() in (".csv", ".txt"):
            text = (data := path.read_bytes()).decode("gb18030", "replace")
            with suppress(UnicodeDecodeError):  # GB18030 takes almost any bytes: UTF-8 decides
                text = data.decode("utf-8-sig")
            cells = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
        else:
            cells = pd.read_excel(path, sheet, engine="calamine", dtype=str, keep_default_na=False)
    except (OSError, ValueError, CalamineError) as fault:
        why = "unreadable" if path.exists() else "missing"
        raise refusal(f"file.{why}", file=path.name, why=fault) from None
    cells = cells.fillna("").map(str.strip).rename(columns=lambda name: str(name).strip())
    cells.index += 2
    return Frame(cells[(cells != "").any(axis=1)])


def tallied(table: Frame) -> Frame:
    """Counts of paper forms as a tidy table.

    Args:
        table: 题目, and either an option a column with the counts below, or 选项 and 份数;
            optional 分组, 合计 (checked) and 答题人数 (needed where people ticked several
            options; otherwise each count is one person). A blank: no such option. Of a file:
            ``tallied(cells_of(path))``.

    Raises:
        EvalkitError: a column is missing; or all counts that are no whole numbers, options that
            stand twice, sums that differ from 合计 or are below 答题人数.

    >>> paper = Frame({"题目": ["对服务态度"], "满意": [30], "不满意": [2]})
    >>> tallied(paper)[["question", "option", "count", "people"]].values.tolist()
    [['对服务态度', '满意', 30, 30.0], ['对服务态度', '不满意', 2, 2.0]]
    """
    cells = table.map(lambda cell: "" if pd.isna(cell) else str(cell).strip().removesuffix(".0"))
    cells = cells.rename(columns=lambda name: str(name).strip()).rename(columns=_FORMS["tally"])
    twice = "、".join(map(str, table.columns[cells.columns.duplicated(keep=False)]))
    refuse([sentence("survey.column", names=twice)] * bool(twice))
    blank = dict.fromkeys(["group", "people", "total"], "")
    # the sheet's own row numbers (`cells_of`), else the first row is 1
    cells = cells.assign(row=cells.index + (0 in cells.index), **blank | dict(cells))
    if "question" in cells and not {"option", "count"} & set(cells):
        cells = cells.melt(["row", "question", *blank], None, "option", "count")
        cells = cells.sort_values("row", kind="stable")
    if {"question", "option", "count"} - set(cells):
        raise refusal("survey.tally")
    cells = cells[cells["count"] != ""].reset_index(drop=True)
    count, people, total = (pd.to_numeric(cells[name], "coerce").fillna(-1).where(cells[name] != "")
                            for name in ("count", "people", "total"))  # fmt: skip
    sums = count.groupby([cells["question"], cells["group"]])
    whole, most = sums.transform("sum"), sums.transform("max")
    cells["sum"], first = whole.map("{:g}".format), ~cells.duplicated(["question", "group"])
    checks = {
        "count": ~count.between(0, 2**53) | (count % 1 > 0),  # beyond it, floats are no counts
        "total": first & total.fillna(whole).ne(whole),
        "twice": cells.duplicated(["question", "group", "option"]),
        "people": first & people.notna() & (~people.between(most, whole) | (people % 1 > 0)),
        "blank": (cells[["question", "option"]] == "").any(axis=1) & ~cells.duplicated("row"),
    }  # fmt: skip
    refuse(p for code, mask in checks.items() for p in told(f"survey.{code}", cells[mask]))
    cells["people"] = count * (people.fillna(whole) / whole).fillna(1)
    return cells.assign(respondent="", number="", text="", count=count.astype(int))[_TIDY]


def decoded(table: Frame, codebook: Mapping[str, Mapping[str, str]]) -> Frame:
    """The tidy table with the options' texts in place of their codes.

    Which option a code is only the questionnaire says: 问卷星 counts 1 from the first option, its
    scales from the worst level.

    Args:
        table: tidy.
        codebook: code → option by question, which is a heading, or a number for every question of
            that number (the rows of a matrix).

    Raises:
        EvalkitError: every answer to a question of the codebook that is neither one of its codes
            nor one of its options.

    >>> paper = tallied(Frame({"题目": ["1、满意吗"], "1": [30], "2": [2]}))
    >>> decoded(paper, {"1、满意吗": {"1": "满意", "2": "不满意"}})["option"].tolist()
    ['满意', '不满意']
    """
    keys = table["question"].where(table["question"].isin(list(codebook)), table["number"])
    books = [codebook.get(key, {}) for key in keys]
    meant = [book.get(said, said) for book, said in zip(books, table["option"], strict=True)]
    lost = [bool(b) and m not in b.values() for b, m in zip(books, meant, strict=True)]
    refuse(told("survey.code", table[lost].drop_duplicates(["question", "option"])))
    return table.assign(option=meant)


def grouped(table: Frame, by: str) -> Frame:
    """The tidy table with each respondent's answer to the question `by` as its group.

    Who did not answer it is in 未填; rows of a tally keep their own group.

    Raises:
        EvalkitError: nobody answered the question.
    """
    raw = table["respondent"] != ""
    own = table[raw & (table["question"] == by)].set_index("respondent")["option"]
    if own.empty:
        raise refusal("survey.question", question=by)
    people = table[raw].drop(columns="group").join(own.rename("group"), on="respondent")
    return pd.concat([people.fillna({"group": "未填"}), table[~raw]])[_TIDY]
