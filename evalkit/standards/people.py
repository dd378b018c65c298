"""Standards that are counted in people: cooks by school, seniority allowances, roster checks.

Sources: docs/cost_standards.md 9.17, 9.18. Ratios, rates, ages and roundings are a county's own
and come as arguments. A whole identity or account number never stands in a message.
"""

from typing import Any

import pandas as pd

from evalkit.core.expr import Number, Term, greatest, total, whole_down, whole_up
from evalkit.core.problem import Problem, refuse
from evalkit.standards.quota import Frame, empty, exact, faults, final, read, within


def staffing(sites: Frame, least: Number, ratios: dict[Any, Any], pay: Frame) -> Frame:
    """Posts of each school or campus, MAX(least, served/ratio rounded up), and what they cost.

    Args:
        sites: site, served; may hold filled (posts that are filled) and worked (months that all of
            them worked).
        least: posts that every site has.
        ratios: served a post, by how many a site serves at most; None for all others, e.g.
            ``{50: 40, None: 100}``.
        pay: one row with wage (元 a month), months (paid a year) and other (元 a head and year;
            empty = 0).

    Returns:
        The sites with posts, vacant, ceiling (元 a year), pay (元: worked months and filled posts
        up to those of the standard, so vacant posts are not paid; planned where they are not
        known), county (posts if only the total were divided by the ratio), formula (of pay).

    Raises:
        EvalkitError: a number is missing or wrong, a site empty or twice.

    >>> sites = Frame({"site": ["甲", "乙"], "served": [38, 101], "filled": 1, "worked": 10})
    >>> pay = Frame({"wage": [2200], "months": 10, "other": 600})
    >>> rows = staffing(sites, 1, {None: 100}, pay)
    >>> rows[["posts", "county", "vacant", "pay"]].astype(str).values.tolist()
    [['1', '2', '0', '22600'], ['2', '2', '1', '22600']]
    """
    rows, cost = read(sites, "served", "filled", "worked", key="site"), read(pay, "pay").iloc[0]
    small, served = sorted(most for most in ratios if most is not None), rows["served"]
    per = pd.Series([ratios[next((m for m in small if n <= m), None)] for n in served])
    rows["posts"] = served.combine(per, lambda n, ratio: greatest(least, whole_up(n / ratio)))
    rows["county"] = pd.Series([whole_up(total(list(served)) / ratios[None])] * len(rows))
    filled = rows["posts"].combine(rows["filled"], within)
    worked = (rows["posts"] * cost["months"]).combine(rows["worked"], within)
    rows["ceiling"] = rows["posts"] * (cost["wage"] * cost["months"] + cost["other"])
    rows["pay"] = worked * cost["wage"] + filled * cost["other"]
    return final(rows.assign(vacant=rows["posts"] - filled), "pay")


def seniority(roster: Frame, rates: dict[int, Any], how: str = "half", **limits: Any) -> Frame:
    """Seniority allowance of each person: counted years × rate a month, × eligible months, in 元.

    Args:
        roster: years (recognised, with part-years as a fraction), months (eligible in the year).
        rates: 元 a year of service and month, by the years it takes, e.g. ``{0: 20}`` or in tiers
            ``{0: 20, 10: 25}`` (all years at the rate of the tier; below the first: nothing).
        how: part-years count as half (≥ 6 months are a year), down, up or exact.
        limits: high and low of the monthly allowance, in 元.

    Returns:
        The roster with counted (years), monthly, annual, formula (of annual).

    Raises:
        EvalkitError: a number is missing or wrong.

    >>> rows = seniority(Frame({"years": ["4.5", 12], "months": 12}), {0: 20})
    >>> rows[["counted", "annual", "formula"]].astype(str).values.tolist()[0]
    ['5', '1200', 'ROUNDDOWN(4.5+0.5,0)*20*12']
    """
    rows = read(roster, "years", "months")
    ways = {"half": lambda y: whole_down(Term.of(y) + "0.5"), "down": whole_down, "up": whole_up}
    rows["counted"] = rows["years"].map({**ways, "exact": Term.of}[how])
    tiers = sorted(rates.items(), reverse=True)
    rate = rows["counted"].map(lambda y: next((rate for least, rate in tiers if y >= least), 0))
    rows["monthly"] = rows["counted"].combine(rate, lambda y, r: within(y * r, **limits))
    return final(rows.assign(annual=rows["monthly"] * rows["months"]), "annual")


def valid_id(number: str) -> bool:
    """Whether an 18-digit identity number has the check digit of GB 11643—1999 (ISO 7064 MOD 11-2).

    >>> valid_id("11010519491231002X"), valid_id("110105194912310021")
    (True, False)
    """
    digits = ["0123456789X".find(sign) for sign in number]
    fits = len(number) == 18 and digits[17] >= 0 and not {-1, 10} & {*digits[:17]}
    return fits and sum(digit << 17 - at for at, digit in enumerate(digits)) % 11 == 1


def masked(number: str) -> str:
    """An identity number as it may be shown.

    >>> masked("11010519491231002X"), masked("123456")
    ('110***********002X', '******')
    """
    return number[:3] + "*" * 11 + number[-4:] if len(number) > 14 else "*" * len(number)


def roster_problems(roster: Frame, payments: Frame, rules: dict[str, Any]) -> list[Problem]:
    """All that is wrong or odd with a roster of recipients and the file of what they were paid.

    Args:
        roster: person (identity number), born, years, account, status (在册, 死亡, 财政供养, 停发),
            since (of 死亡, 停发), annual (元, see `seniority`).
        payments: person, month (2025-06), amount (元).
        rules: as_of (date), least_age (0 where there is no gate), start_age (16: nobody worked
            earlier), supported (numbers on the 财政供养 list), treasury (元 that the treasury paid;
            left out while it is not known).

    Returns:
        Problems, each at its row; identity numbers are masked.

    Raises:
        EvalkitError: years, annual or amount are no numbers.
    """
    (people, found), (paid, more) = exact(roster, "years", "annual"), exact(payments, "amount")
    refuse(found + more)
    ids, payees = (frame["person"].astype(str).str.strip().str.upper() for frame in (people, paid))
    dates = people[["born", "since"]].apply(pd.to_datetime, format="ISO8601", errors="coerce")
    day = rules["as_of"]
    born, since, gone = dates["born"], dates["since"], people["status"].isin(["死亡", "停发"])
    age = day.year - born.dt.year - (born.dt.strftime("%m%d") > f"{day:%m%d}")
    served, month = people["years"].map(lambda n: float(n.value)), paid["month"].astype(str)
    ends = dict(zip(ids, since.where(gone).dt.strftime("%Y-%m").fillna("9999"), strict=True))
    listed = (people["status"] == "财政供养") | ids.isin(rules["supported"])
    again = people["account"].duplicated() & ~empty(people, "account")
    found = faults(final(people.assign(person=ids.map(masked))), "roster",
        twice=ids.duplicated(), account=again, digit=~ids.map(valid_id), supported=listed,
        born=ids.str[6:14] != born.dt.strftime("%Y%m%d"), young=age < rules["least_age"],
        years=served > age - rules["start_age"], since=gone & since.isna())  # fmt: skip
    found += faults(paid.assign(person=payees.map(masked)), "roster",
        stranger=~payees.isin(ids), month=~month.str.fullmatch(r"\d{4}-(0[1-9]|1[0-2])"),
        again=(payees + month).duplicated(),
        late=month > payees.map(lambda payee: ends.get(payee, "9999")))  # fmt: skip
    due, sent = (total(list(column)) for column in (people["annual"], paid["amount"]))
    sums = {"due": due, "sent": sent, "drawn": Term.of(rules.get("treasury", sent.decimal()))}
    return found + faults(final(Frame([sums])), "roster", sums=[len({*sums.values()}) > 1])
