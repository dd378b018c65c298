"""Answers that look careless or copied are flagged, and decided on by people."""

from collections.abc import Sequence

from evalkit.survey.answers import Frame

_SAME = {"IP相同": ["ip"], "答案全部相同": ["said"], "IP和答案都相同": ["ip", "said"]}


def flags(people: Frame, table: Frame, scale: Sequence[str], seconds: float, least: int) -> Frame:
    """Every flag of every rule, ready for people to decide on; nothing leaves the sample.

    IP相同 (a shared computer or a village's network does that too), 答案全部相同 (of all questions,
    with what was written in), IP和答案都相同: each as the first such respondent, who is not
    flagged.
    直线作答: one option throughout the scale, reversed items included. 用时过短.

    Args:
        people: the respondents of `evalkit.survey.answers.read`.
        table: tidy.
        scale: the questions among which straight lines are looked for.
        seconds: the time below which nobody can have read the questions, such as a third of the
            median; who has no time is not flagged.
        least: fewest answers to the scale that make a line.

    Returns:
        A row a flag: respondent, row, rule, reason, decision (待核实), cause, approver.

    >>> people = Frame({"respondent": ["1", "2"], "row": [2, 3], "seconds": [95.0, 8.0]})
    >>> table = Frame({"respondent": ["1", "2"], "question": "1、", "option": "满意",
    ...                       "text": ""})
    >>> print(*flags(people, table, ["1、"], seconds=30, least=5)["reason"])
    与答卷“1”相同 用时 8 秒，少于 30 秒
    """
    said = (table["question"] + table["option"] + table["text"]).groupby(table["respondent"])
    line = table[table["question"].isin(scale)].groupby("respondent")["option"]
    alike = line.agg(["nunique", "size", "first"]).query("nunique == 1 and size >= @least")["first"]
    who = people.assign(ip=people.get("ip", ""), said=people["respondent"].map(said.agg("\n".join)))
    found = people[["respondent", "row"]].copy()
    for rule, keys in _SAME.items():
        first = who.replace("", None).groupby(keys)["respondent"].transform("first")
        found[rule] = ("与答卷“" + first + "”相同").where(first != who["respondent"])
    found["直线作答"] = people["respondent"].map(alike.map("量表各题都选“{}”".format))
    spent = who["seconds"].map(f"用时 {{:g}} 秒，少于 {seconds:g} 秒".format)
    found["用时过短"] = spent.where(who["seconds"] < seconds)
    log = found.melt(["respondent", "row"], var_name="rule", value_name="reason")
    return log.dropna(ignore_index=True).assign(decision="待核实", cause="", approver="")
