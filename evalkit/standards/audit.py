"""The cost audit (成本核定): what a unit declares, what its books bear out, what is allowed.

Money is in 元, Decimals of whole cents, and exact: declared − cut = allowed. Each cut is a row of
its own with reason, basis and evidence, so that the unit can answer it.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import pandas as pd

from evalkit.core.numbers import fixed, plain
from evalkit.core.problem import Problem, refuse, sentence
from evalkit.standards.costs import Frame, amounts, cents
from evalkit.standards.rows import problems

_KEYS, _ZERO, _WORDS = ["unit", "year", "item"], Decimal(0), ["reason", "basis", "evidence"]


def _joined(texts: Iterable[str]) -> str:
    """Texts that are not empty, each once."""
    return "；".join(dict.fromkeys(filter(None, texts)))


def booked(ledger: Frame, items: Mapping[str, str]) -> Frame:
    """Books by cost item, from a 科目余额表 or a 明细账.

    An account with sub-accounts is their sum and is not added again; one that is not allowed bars
    its sub-accounts too.

    Args:
        ledger: [unit, year, account (code, text), name, amount (red entries negative), item (""
            where the code decides), allowed (False: 不予列支), at?].
        items: beginning of an account code → cost item; the longest wins, the ledger's own over it.

    Returns:
        [unit, year, item, booked, refused (the part of it on barred accounts), accounts (these)].

    Raises:
        EvalkitError: amounts that are no money, an account without code, accounts that no item
            takes, sums that differ from their sub-accounts.

    >>> rows = [("6602", "管理费用", 120, True), ("660201", "办公", 100, True),
    ...         ("660202", "罚款", 20, False)]
    >>> ledger = pd.DataFrame(rows, columns=["account", "name", "amount", "allowed"])
    >>> ledger = ledger.assign(amount=ledger["amount"].map(Decimal), unit="甲", year=2024, item="")
    >>> booked(ledger, {"6602": "管理"}).values.tolist()
    [['甲', 2024, '管理', Decimal('120'), Decimal('20'), '660202罚款']]
    """
    refuse(amounts(ledger, "amount", "发生额"))
    keys = ["\t".join(map(str, key)) for key in ledger[["unit", "year", "account"]].to_numpy()]
    lines = [[key[:end] for end in range(len(key), 0, -1)] for key in keys]
    barred = {key for key, fine in zip(keys, ledger["allowed"], strict=True) if not fine}
    known, rows = set(keys), ledger.assign(booked=ledger["amount"])
    above = [next((key for key in line[1:] if key in known), "") for line in lines]
    rows["below"] = pd.Series(keys, rows.index).map(rows["amount"].groupby(above).sum())
    begins = [[a[:end] for end in range(len(a), 0, -1)] for a in rows["account"]]
    coded = [next((items[start] for start in line if start in items), "") for line in begins]
    rows["item"] = [i or c for i, c in zip(rows["item"].fillna(""), coded, strict=True)]
    leaf, out = rows["below"].isna(), [not barred.isdisjoint(line) for line in lines]
    unmapped = problems(rows, leaf & (rows["item"] == ""), "audit.unmapped")
    refuse(unmapped + problems(rows, ~leaf & (rows["below"] != rows["amount"]), "audit.parent"))
    rows["refused"], names = rows["amount"] * out, rows["account"] + rows["name"]
    rows["accounts"] = names.where(out, "")
    kinds = {"booked": "sum", "refused": "sum", "accounts": _joined}
    return rows[leaf].groupby(_KEYS, sort=False).agg(kinds).reset_index()


def depreciation(assets: Frame, months: int = 12) -> Frame:
    """Straight-line depreciation: cost × (1 − residual) / life × months / 12.

    Args:
        assets: [name, cost (元), residual (share, 0.05), life (years), own (False: government or
            donated money), declared (元), months?, at?], numbers as Decimals; `months` 0 for an
            asset that was fully depreciated before the year, the number that were left where its
            life ended within it.
        months: for assets without the column.

    Returns:
        The frame with `computed` (to the cent), `allowed` (the lesser of it and the declared
        amount, 0 for assets not of the unit's own) and `formula`.

    Raises:
        EvalkitError: amounts that are no money or negative, a residual outside [0, 1), a life that
            is not positive, months outside 0–12.

    >>> bus = pd.DataFrame({"name": ["客车"], "cost": [Decimal(19200000)], "own": [True],
    ...     "residual": [Decimal("0.05")], "life": [Decimal(8)], "declared": [Decimal(2400000)]})
    >>> depreciation(bus)[["computed", "allowed", "formula"]].values.tolist()
    [[Decimal('2280000.00'), Decimal('2280000.00'), '19200000.00×(1-0.05)/8×12/12']]
    """
    assets = assets.assign(months=assets.get("months", months))
    residual, life = (pd.to_numeric(assets[name], errors="coerce") for name in ("residual", "life"))
    right = residual.ge(0) & residual.lt(1) & life.gt(0) & assets["months"].isin(range(13))
    found = amounts(assets, "cost", "原值", 0) + amounts(assets, "declared", "申报折旧", 0)
    refuse(found + problems(assets, ~right, "audit.asset"))
    parts = list(zip(*(assets[n] for n in ("cost", "residual", "life", "months")), strict=True))
    worth = [cents(c * (1 - r) * int(m) / (12 * n)) for c, r, n, m in parts]
    allowed = assets["declared"].where(assets["declared"] < worth, worth) * assets["own"]
    formula = [f"{fixed(c)}×(1-{plain(r)})/{plain(n)}×{m}/12" for c, r, n, m in parts]
    return assets.assign(computed=worth, allowed=allowed, formula=formula)


def audit(
    declared: Frame, books: Frame, cuts: Frame, assets: Frame | None = None, item: str = ""
) -> tuple[Frame, Frame, list[Problem]]:
    """The table 成本核定表: declared − cuts = allowed, to the cent.

    Automatic cuts lower what is left of a declared amount, in this order, so that nothing is cut
    twice: to the books; to the books without refused accounts; for `item` to what `depreciation`
    allows of the assets (own money, straight line). Manual cuts follow.

    Args:
        declared: [unit, year, item, declared (元), at?].
        books: of `booked`.
        cuts: manual cuts [unit, year, item, amount, reason, basis, evidence, at?].
        assets: [unit, year, …] of `depreciation`: all assets behind the declared amount of `item`.
        item: the cost item that is depreciation.

    Returns:
        The table [unit, year, item, declared, booked (NaN without books), cut, allowed, reason,
        basis, evidence, formula, at?, …]; its steps [unit, year, item, amount, reason, basis,
        evidence, at?, …], a row a cut, automatic ones first; and warnings (items without books).

    Raises:
        EvalkitError: amounts that are no money or negative, an item declared twice, cuts of items
            that nobody declared, without reason or basis, together above the declared amount, a
            register of assets that does not add up to the declared depreciation.
    """
    refuse(amounts(declared, "declared", "申报数", 0) + amounts(cuts, "amount", "核减数", 0))
    table = declared.merge(books, how="left", on=_KEYS)
    left = table["declared"]
    caps = {"books": table["booked"], "refused": table["booked"] - table["refused"]}
    asked, given = (pd.MultiIndex.from_frame(frame[_KEYS]) for frame in (cuts, declared))
    found = problems(declared, declared.duplicated(_KEYS), "audit.twice")
    found += problems(cuts, ~asked.isin(given), "audit.undeclared")
    found += problems(cuts, (cuts[["reason", "basis"]] == "").any(axis=1), "audit.reason")
    if assets is not None:
        register = {"every": ("declared", "sum"), "worth": ("allowed", "sum")}
        table = table.join(assets.groupby(_KEYS[:2]).agg(**register), on=_KEYS[:2])
        owned = (table["item"] == item) & table["every"].notna()
        found += problems(table, owned & (table["every"] != left), "audit.register")
        caps["assets"] = table["worth"].where(owned)
    steps = [cuts]
    for rule, cap in caps.items():
        cut = (left - cap).fillna(_ZERO).clip(_ZERO, left)
        said, proof = sentence(f"audit.{rule}"), table["accounts"] if rule == "refused" else ""
        step = table.assign(amount=cut, reason=said.what, basis=said.remedy, evidence=proof)
        steps, left = [*steps, step[cut > 0]], left - cut
    rows: Frame = pd.concat([*steps[1:], cuts])
    rows["formula"] = "-" + rows["amount"].map(fixed)
    rules = {"amount": "sum", "formula": "".join} | dict.fromkeys(_WORDS, _joined)
    table = table.join(rows.groupby(_KEYS).agg(rules), on=_KEYS).rename(columns={"amount": "cut"})
    table = table.fillna({"cut": _ZERO} | dict.fromkeys(["formula", *_WORDS], ""))
    table["allowed"] = table["declared"] - table["cut"]
    table["formula"] = table["declared"].map(fixed) + table["formula"]
    refuse(found + problems(table, table["allowed"] < 0, "audit.above"))
    return table, rows, problems(table, table["booked"].isna(), "audit.unbooked")
