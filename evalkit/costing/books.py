"""From declared costs and books to unit costs: what a service has really cost."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from evalkit.core.expr import Term
from evalkit.core.numbers import fine, finer, fixed, plain, wan
from evalkit.core.paths import packaged, workspace
from evalkit.core.problem import refuse, sentence
from evalkit.costing.study import Frame, Study, printed
from evalkit.scoring.rows import Line
from evalkit.standards import audit as auditing
from evalkit.standards import costs, fiscal, prices
from evalkit.standards.quota import exact


def services(study: Study) -> None:
    """公共服务标准 and 参数 as they were written."""
    rows = study.frame("services")
    study.tables["services"] = printed(rows)
    checked = rows["checked"] == "已核对原文"
    study.values["study"] = {"services": len(rows), "checked": int(checked.sum())}
    shown = {"nature": study.service.nature, "driver_unit": study.service.driver.unit}
    study.subject |= shown | {"boundary": study.service.boundaries[0].name}


def audited(study: Study) -> None:
    """成本核定: what was declared, against the books."""
    declared, ledger, cuts, assets = map(study.frame, ("declared", "ledger", "cuts", "assets"))
    if declared.empty:
        return
    accounts = {begins: item.name for item in study.service.items for begins in item.accounts}
    books = auditing.booked(ledger.assign(allowed=ledger["allowed"] != "否"), accounts)
    owned = None
    if len(assets):
        assets["months"] = assets["months"].fillna(12)
        assets["residual"] = assets["residual"].map(lambda p: None if p is None else p / 100)
        own = assets["funding"] == "自有资金"
        owned = auditing.depreciation(assets.assign(cost=assets["original"], own=own))
    table, steps, told = auditing.audit(
        declared.rename(columns={"amount": "declared"}), books, cuts, owned,
        study.service.depreciation,
    )  # fmt: skip
    study.problems += told
    money = ["declared", "booked", "cut", "allowed"]
    sums = [part.assign(item="合计", reason="")[:1].assign(**part[money].fillna(0).sum())
            for _, part in table.groupby(["unit", "year"], sort=False)]  # fmt: skip
    pairs = zip(table.groupby(["unit", "year"], sort=False), sums, strict=True)
    every = pd.concat([piece for (_, part), whole in pairs for piece in (part, whole)])
    study.tables["audit"] = printed(every, **dict.fromkeys(money, fixed))
    study.tables["steps"] = printed(steps, amount=fixed)
    study.allowed = table.assign(amount=table["allowed"])[["unit", "year", "item", "amount", "at"]]
    mine = table[table["unit"] == study.text("unit")]
    if mine.empty:
        unit = study.task.form["unit"]
        study.problems.append(sentence("audit.nobody", unit=unit.text, at=unit.cell))
    study.year = int(mine["year"].max()) if len(mine) else 0
    now = [row for row in study.tables["audit"] if row["year"] == str(study.year)]
    study.tables["audit_year"] = now
    mine = mine[mine["year"] == study.year]
    study.values["cost"] = {name: mine[name].sum() for name in ("declared", "cut", "allowed")}
    last = costs.structure(mine.assign(amount=mine["allowed"]))
    kinds = {item.name: item.category for item in study.service.items}
    last["category"] = last["item"].map(kinds).fillna("")
    last["said"] = [f"{wan(a)}万元（{s}%）" for a, s in last[["amount", "share"]].to_numpy()]
    study.tables["structure"] = printed(last, amount=wan, share=fixed)


def unit_costs(study: Study) -> None:
    """Unit costs by boundary, their trend in prices of the year, and what history says."""
    volumes, service = study.frame("volumes"), study.service
    if study.allowed.empty or volumes.empty:
        return
    drivers = {driver.name: driver for driver in service.drivers}
    stock = volumes["driver"].map(lambda name: name in drivers and drivers[name].stock)
    volumes = volumes.assign(months=volumes["months"].fillna(12), stock=stock)
    measures = {name: driver.unit for name, driver in drivers.items()}
    capacity = costs.units(volumes.assign(volume=volumes["capacity"]), measures)["volume"]
    volumes = costs.units(volumes, measures)
    volumes["capacity"] = capacity.where(capacity.notna(), Decimal(0))
    study.problems += [p for p in costs.check(study.allowed, volumes) if p.severity != "error"]
    boundaries = {boundary.name: boundary.without for boundary in service.boundaries}
    kinds = {item.name: item.category for item in service.items}

    def main(of: Frame, kept: dict[str, Any]) -> Frame:
        found = costs.unit_costs(of, volumes, kept, kinds)
        return found[found["driver"] == service.driver.name].sort_values("year", kind="stable")

    every, first = main(study.allowed, boundaries), service.boundaries[0].name
    told = every[every["year"] == study.year]
    told = told.assign(volume=[f"{plain(v)}{u}" for v, u in told[["volume", "volume_unit"]].values])
    study.tables["boundaries"] = printed(told, cost=wan, unit_cost=fine)
    mine = costs.trend(every[(every["unit"] == study.text("unit")) & (every["boundary"] == first)])
    last = mine[mine["year"] == study.year]
    if len(last):
        study.values["cost"]["unit_cost"], study.capacity = last[["unit_cost", "capacity"]].iloc[0]
    files = {path.stem: path for root in (packaged(), workspace())
             for path in root.joinpath("params", "prices").glob("*.csv")}  # fmt: skip
    series = {item.name: item.index for item in service.items}
    wanted = sorted({series[item] for item in study.allowed["item"] if series.get(item)})
    base = int(study.text("base") or study.text("year"))
    adjusted, study.subject["base"] = study.allowed, str(base)
    if wanted and set(study.allowed["year"]) != {base}:
        known = _series(study, [prices.load_series(files[n]) for n in wanted if n in files])
        adjusted = prices.adjust(study.allowed, known, series, base)
        study.tables["indices"] = _indices(adjusted, known)
    moved = main(adjusted, {first: boundaries[first]})
    mine["adjusted"] = moved.loc[moved["unit"] == study.text("unit"), "unit_cost"].to_list()
    if len(mine) > 1:
        study.tables["trend"] = printed(mine, unit_cost=fine, adjusted=fine, change=fixed)
    weights = study.policy("standard_history")
    years = sorted(set(moved["year"]), reverse=True)[: len(weights)]
    shares = [Fraction(weight) for weight in weights[: len(years)]]
    by_year = {y: Term.of(w / sum(shares)) for y, w in zip(years, shares, strict=True)}
    mine = moved[moved["unit"] == study.text("unit")]
    past = fiscal.history((mine if len(mine) else moved).query("year in @years"), by_year)
    note = f"{min(years)}—{max(years)}年，按{base}年价格换算后加权，不含利润和税金"
    study.offer(study.whole, "历史成本", past.decimal(), len(years), note)


def _series(study: Study, files: list[Frame]) -> Frame:
    """The price series of files, with what the sheet 价格指数 adds or puts in its place."""
    own = study.frame("prices")
    refuse(exact(own, "value", "year")[1] if len(own) else [])
    heads = {str(f["series"].iloc[0]): f[["title", "basis"]].iloc[0] for f in files}
    title = [heads[name]["title"] if name in heads else f"标题：{name}" for name in own["series"]]
    basis = [heads[name]["basis"] if name in heads else "上年=100" for name in own["series"]]
    own = own.assign(title=title, basis=basis, own=True)
    known = pd.concat([*(f.assign(own=False) for f in files), own], ignore_index=True)
    return known.drop_duplicates(["series", "year"], keep="last")


def _indices(adjusted: Frame, known: Frame) -> list[Line]:
    """How each cost item was brought to the prices of the year."""
    heads = known.drop_duplicates("series").set_index("series")
    found = []
    for item, rows in adjusted[adjusted["series"] != ""].groupby("item", sort=False):
        years = rows.drop_duplicates("year")[["year", "factor"]].itertuples(index=False)
        factors = "，".join(f"{year}年{finer(float(by))}" for year, by in years)
        name = rows["series"].iloc[0]
        title = str(heads.loc[name, "title"]).partition("：")[2]
        note = (
            "含未核实的数，使用前请核对"
            if rows["unverified"].any()
            else "逐年来源见价格指数文件和“价格指数”表"
        )
        used = known[known["series"] == name]
        own = used.loc[used["own"], ["year", "source"]]
        told = [f"{year}年：{source}" for year, source in own.itertuples(index=False)]
        told += [f"其他年度：{note}" if told else note] * (len(own) < len(used))
        found.append({"item": item, "series": title, "factors": factors, "source": "；".join(told)})
    return found
