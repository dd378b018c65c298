"""From consumption and prices to quotas, spending standards and targets, tier by tier."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.core.numbers import fine, finer, fixed, plain, to_decimal, wan
from evalkit.core.problem import refusal, refuse, sentence
from evalkit.core.yaml_file import load_yaml
from evalkit.costing.study import WHOLE, Frame, Study, printed
from evalkit.scoring.rows import Line
from evalkit.standards import chain, costs, fiscal, people, quota, regulation
from evalkit.standards.rows import problems

_TEXTS = load_yaml(Path(__file__).with_name("texts.yaml"), texts=True)
_RATES = ["management", "profit", "tax"]
_HUNDRED = Decimal(100)


def tiers(study: Study) -> None:
    """档次, with volumes in the unit of the tier."""
    rows = study.frame("tiers").rename(columns={"code": "tier"})
    study.tiers = rows
    given = rows["volume"].notna()
    least = rows[rows["guarantee"].notna() & given]
    study.tiers["guarantee"] = _volumes(least.assign(volume=least["guarantee"]), rows).reindex(
        rows.index
    )
    study.tiers["volume"] = _volumes(rows[given], rows).reindex(rows.index)


def _volumes(rows: Frame, tiers: Frame) -> Any:
    """Volumes of rows with a tier, in its unit."""
    if rows.empty:
        return pd.Series(dtype=object)
    units = dict(zip(tiers["tier"], tiers["unit"], strict=True))
    return costs.units(rows.assign(driver=rows["tier"]), units)["volume"]


def counted(study: Study) -> None:
    """人员配备 and 名册: volumes that are counted head by head."""
    posts, roster, terms = study.frame("posts"), study.frame("roster"), _Terms(study)
    if len(posts):
        sites = posts.rename(columns={"actual": "filled", "months": "worked"})
        pay = pd.DataFrame([terms.take("wage", "months", "other")], dtype=object)
        least, ratio = terms["least"], terms["ratio"]
        if ratio <= 0:
            raise refusal("quota.term", name=_TEXTS["terms"]["ratio"])
        table = people.staffing(sites, least, {None: ratio}, pay)
        due = {"needed": sum(table["posts"]), "whole": table["county"].iloc[0]}
        study.values["people"] = due | {"due": sum(table["ceiling"])}
        study.tables["posts"] = printed(table)
        _fill(study, due["needed"])
    if len(roster):
        ends: dict[str, Any] = {key: terms[key] for key in ("high", "low") if key in terms}
        table = people.seniority(roster, {0: terms["rate"]}, **ends)
        rules = {
            "as_of": study.task.policy.as_of, "supported": (),
            "least_age": float(terms.get("least_age", 0)),
            "start_age": float(terms["start_age"]),
        }  # fmt: skip
        if drawn := terms.get("treasury"):
            rules["treasury"] = drawn
        found = people.roster_problems(table, study.frame("payments"), rules)
        study.problems += found
        study.tables["roster"] = [
            {"cell": f"{p.sheet}!{p.cell}", "what": p.what, "remedy": p.remedy} for p in found
        ]
        sums = {"years": sum(table["counted"]), "due": sum(table["annual"])}
        study.values["people"] = sums | {"persons": len(table)}
        _fill(study, sum(table["counted"] * table["months"].map(Decimal)))


def _fill(study: Study, volume: Any) -> None:
    """Give a counted volume to the tier that was left without one."""
    blank = study.tiers.index[study.tiers["volume"].isna()]
    study.tiers.loc[blank[:1], "volume"] = volume


class _Terms(dict[str, Decimal]):
    """The sheet 参数 by figure of texts.yaml; what is asked for and not filled in is refused."""

    def __init__(self, study: Study) -> None:
        given = {name: value for name, value, *_ in study.frame("terms").to_numpy()}
        named = ((key, given.get(name)) for key, name in _TEXTS["terms"].items())
        super().__init__({key: value for key, value in named if value is not None})

    def __missing__(self, key: str) -> Decimal:
        raise refusal("quota.term", name=_TEXTS["terms"][key])

    def take(self, *keys: str) -> dict[str, Decimal]:
        """These figures; all that are missing are refused at once."""
        refuse(sentence("quota.term", name=_TEXTS["terms"][k]) for k in keys if k not in self)
        return {key: self[key] for key in keys}


def quotas(study: Study) -> None:
    """定额测算 and 调整系数, and the curve of unit cost over load."""
    lines, rows = study.frame("quota"), study.tiers
    rates = rows[rows["tier"].isin(lines["tier"])]
    names = dict(zip(rows["tier"], rows["name"], strict=True))
    shown = quota.amounts(lines)
    shown = shown.assign(name=shown["tier"].map(names))
    study.tables["quota_lines"] = printed(shown, amount=fine, share=fixed, price=plain)
    found: Frame = quota.quotas(lines, rates[["tier", *_RATES]])
    by: dict[str, Decimal] = {}
    given = study.frame("coefficients")
    study.tables["coefficients"] = printed(given)
    if (used := given["applied"] != "否").any():
        how = study.policy("standard_coefficient")
        ends = (to_decimal(how[end]) / _HUNDRED for end in ("low", "high"))
        told = quota.coefficient(given[used], how["how"], *ends)
        by = dict(zip(told["tier"], told["coefficient"], strict=True))
    found["coefficient"] = [by.get(tier, Decimal(1)) for tier in found["tier"]]
    found["adjusted"] = found["quota"] * found["coefficient"]
    found = found.merge(rows[["tier", "name", "unit"]], on="tier")
    money = dict.fromkeys(["direct", *_RATES, "quota", "adjusted"], fine)
    study.tables["quotas"] = printed(found, **money)
    for row in found.to_dict("records"):
        study.offer(row["tier"], "定额测算", row["adjusted"], 1, "消耗量×单价，自下而上")
    study.quotas = found
    if study.capacity:
        _curve(study, lines, rates)


def _curve(study: Study, lines: Frame, rates: Frame) -> None:
    """负荷率曲线 of the tier in the unit of the main driver."""
    mine = study.tiers[(study.tiers["tier"] == study.whole) & study.tiers["volume"].notna()]
    if mine.empty:
        return
    name, volume = mine[["name", "volume"]].iloc[0]
    loads = {volume / study.capacity * _HUNDRED: "是"}
    loads = {to_decimal(load): "" for load in study.policy("standard_load")} | loads
    at = sorted(loads)
    curve = quota.load_curve(
        lines[lines["tier"] == study.whole], rates[rates["tier"] == study.whole][["tier", *_RATES]],
        volume, [load * study.capacity / _HUNDRED for load in at],
    )  # fmt: skip
    curve = curve.assign(load=at, now=[loads[load] for load in at], name=name,
                         unit_cost=curve["quota"])  # fmt: skip
    curve["note"] = curve["now"].map({"是": "现状", "": ""})
    study.tables["curve"] = printed(curve, unit_cost=fine, load=fixed, volume=fixed)


def regulated(study: Study) -> None:
    """成本规制 and 补贴测算."""
    rows = study.frame("regulation")
    if rows.empty:
        return
    found = regulation.regulate(rows)
    money = ["actual", "standard", "allowed", "incentive"]
    study.tables["regulation"] = printed(found.assign(reward=found["incentive"]),
                                         **dict.fromkeys([*money, "reward"], wan))  # fmt: skip
    terms, unit = _Terms(study), study.service.driver.unit
    whole = study.tiers[study.tiers["unit"] == unit]  # all tiers of the operator
    km = sum(whole["volume"].dropna(), Decimal(0))
    if not km:
        raise refusal("regulation.volume", unit=unit)
    account = terms.take("taxes", "revenue", "upper", "profit", "profit_cap", "score")
    twice = whole[["profit", "tax"]].fillna(0).astype(bool).any(axis=1)
    study.problems += problems(whole, twice, "quota.both")
    factor = fiscal.performance_factor(account["score"], _bands(study)).decimal()
    account |= {"allowed": sum(found["allowed"]), "actual": sum(found["actual"]),
                "factor": factor, "km": km}  # fmt: skip
    due = regulation.subsidy(pd.DataFrame([account], dtype=object)).iloc[0]
    told = {"profit": plain(account["profit"]), "factor": plain(factor)}
    study.tables["subsidy"] = [
        {"label": label, "unit": unit, "formula": how.format(**told),
         "value": (wan if unit == "万元" else fine)(due[name])}
        for label, name, unit, how in _TEXTS["subsidy"]
    ]  # fmt: skip
    beside = (
        due["subsidy"] - due["policy_loss"] + account["taxes"] if due["subsidy"] else Decimal(0)
    )
    study.extra = dict.fromkeys(whole["tier"], finer(beside / km))


def _bands(study: Study) -> list[Line]:
    bands = study.policy("standard_performance")
    return [{"from": band["from"], "factor": band.get("factor", "score")} for band in bands]


def compared(study: Study) -> None:
    """几种方法的比较: every method's value beside the recommended one."""
    rows = study.tiers
    peers, market = study.frame("peers"), study.frame("market")
    study.tables |= {"peers": printed(peers), "market": printed(market)}
    asked = ((peers, "unit_cost"), (market, "price"))
    refuse(p for given, price in asked if len(given) for p in quota.exact(given, price, "year")[1])
    for tier, mine in peers.groupby(peers["tier"].replace("", study.whole), sort=False):
        costs_, sizes = mine["unit_cost"].map(float), mine["weight"].map(float, na_action="ignore")
        mean = (
            f"，按业务量加权平均{(costs_ * sizes).sum() / sizes.sum():.3f}元"
            if sizes.notna().all() and sizes.sum()
            else ""
        )
        study.offer(
            str(tier), "同业中位数", costs_.median(), len(mine), f"口径见同业单位成本表{mean}"
        )
    for tier, mine in market.groupby(market["tier"].replace("", study.whole), sort=False):
        if len(mine) >= (few := study.policy("standard_market"))["least"]:
            middle = fiscal.market(mine, int(few["least"]), int(few["most"])).decimal()
            oldest = sorted(mine["year"])[-int(few["most"]) :][0]
            used = int((mine["year"] >= oldest).sum())
            study.offer(str(tier), "市场价格", middle, used, f"{oldest}年以来合同单价的中位数")
    if not study.offers:
        return
    names = dict(zip(rows["tier"], rows["name"], strict=True)) | {WHOLE: WHOLE}
    units = dict(zip(rows["tier"], rows["unit"], strict=True)) | {WHOLE: study.service.driver.unit}
    chosen = rows[rows["recommended"].notna()][["tier", "recommended", "reason", "at"]]
    if study.whole == WHOLE:
        chosen = pd.concat([chosen, _together(study)])
    values = pd.DataFrame(study.offers, dtype=object)
    chosen = chosen[chosen["tier"].isin(values["tier"])]
    table, found = fiscal.triangulate(values, chosen.rename(columns={"recommended": "value"}))
    study.problems += found
    study.tables["methods"] = printed(
        table.assign(name=table["tier"].map(names)), value=fine, deviation=fixed
    )
    ends = table.groupby("tier")["value"].agg([min, max])
    spread = dict(zip(table["tier"], table["spread"], strict=True))
    study.tables["choices"] = [
        {"tier": tier, "name": names[tier], "unit": units[tier], "reason": reason,
         "recommended": plain(finer(value)), "spread": fixed(spread[tier]),
         "low": fine(ends.loc[tier, "min"]), "high": fine(ends.loc[tier, "max"])}
        for tier, value, reason, _ in chosen.itertuples(index=False)
    ]  # fmt: skip


def _together(study: Study) -> Frame:
    """The recommended quotas of all tiers in the unit of the main driver, by volume.

    The bottom-up quotas are put together in the same way.
    """
    rows = study.tiers[study.tiers["unit"] == study.service.driver.unit]
    rows = rows.merge(study.quotas[["tier", "adjusted"]], on="tier")
    if rows.empty or rows[["volume", "recommended"]].isna().any(axis=None):
        return pd.DataFrame()
    volume = sum(rows["volume"])
    mean = sum(rows["volume"] * rows["adjusted"]) / volume
    study.offer(WHOLE, "定额测算", mean, len(rows), "各档次定额按工作量加权")
    value = finer(sum(rows["volume"] * rows["recommended"]) / volume)
    reason, at = "各档次推荐定额按工作量加权，用于与历史、同业比较", rows["at"].iloc[0]
    row = {"tier": WHOLE, "recommended": value, "reason": reason, "at": at}
    return pd.DataFrame([row], dtype=object)


def spending(study: Study) -> None:
    """财政支出标准, its budget, and what it means: impact, back-test, sensitivity."""
    rows, lines = study.tiers, study.frame("quota")
    ready = rows[rows[["recommended", "volume", "share"]].notna().all(axis=1)]
    idle = rows["recommended"].notna() & rows["volume"].isna()
    study.problems += problems(rows, idle, "fiscal.volume")
    bands = _bands(study)
    ends = [
        *(f"{plain(b['from'])}分（含）以上" for b in bands[:-1]),
        f"{plain(bands[-2]['from'])}分以下",
    ]
    told = ["得分÷100" if b["factor"] == "score" else plain(b["factor"]) for b in bands]
    study.tables["performance"] = [
        {"band": band, "factor": factor} for band, factor in zip(ends, told, strict=True)
    ]
    if ready.empty:
        return
    extra = [study.extra.get(tier, Decimal(0)) for tier in ready["tier"]]
    ready = ready.assign(quota=ready["recommended"], extra=extra)
    found = fiscal.spending(ready)
    if ready["guarantee"].notna().any():  # what a contract guarantees is paid in any case
        paid = fiscal.settle(found.assign(accepted=found["volume"]))
        found = found.assign(budget=paid["pay"], formula=paid["formula"])
    study.tables["spending"] = printed(found, spend=fine, budget=wan, extra=fine)
    budget = sum(found["budget"])
    study.values["budget"] = {"new": budget}
    _impact(study, budget)
    _back_test(study, found)
    change = to_decimal(study.policy("standard_sensitivity"))
    study.values["study"]["change"] = change
    mine = lines[lines["tier"].isin(ready["tier"])]
    factors = [*dict.fromkeys(mine["item"]), "业务量"]
    moves = fiscal.sensitivity(mine, ready, {factor: [-change, change] for factor in factors})
    sums: dict[Any, Decimal] = {}
    for factor, percent, difference in moves[["factor", "percent", "difference"]].to_numpy():
        sums[factor, percent] = sums.get((factor, percent), Decimal(0)) + difference
    pairs = {f: (-sums[f, -change], sums[f, change]) for f in dict.fromkeys(moves["factor"])}
    study.tables["sensitivity"] = [
        {"factor": factor, "low": wan(budget - fall), "high": wan(budget + rise),
         "fall": wan(fall), "rise": wan(rise), "span": wan(fall + rise)}
        for factor, (fall, rise) in pairs.items()
    ]  # fmt: skip


def _impact(study: Study, budget: Decimal) -> None:
    """预算影响和承受能力."""
    rows = [{"label": "按新标准的年度财政支出", "value": wan(budget), "unit": "万元", "note": ""}]
    previous, capacity = (study.task.form[name].number for name in ("previous", "capacity"))
    if previous:
        told = fiscal.budget_impact(budget, {"上年预算": previous}).iloc[0]
        gap, rate = told["difference"], fixed(told["rate"] - _HUNDRED)
        study.values["budget"] |= {"previous": previous, "change": abs(gap)}
        study.subject["direction"] = "增加" if gap >= 0 else "减少"
        rows += [
            {"label": "上年预算", "value": wan(previous), "unit": "万元", "note": ""},
            {"label": "增减额", "value": wan(gap), "unit": "万元", "note": "按新标准－上年预算"},
            {"label": "增减率", "value": rate, "unit": "%", "note": "增减额÷上年预算"},
        ]
    if capacity:
        told = fiscal.budget_impact(budget, {"可用财力": capacity}).iloc[0]
        rows += [{"label": "占本级可用财力", "value": fixed(told["rate"]), "unit": "%",
                  "note": f"可用财力{wan(capacity)}万元"}]  # fmt: skip
    study.tables["impact"] = rows


def _back_test(study: Study, spend: Frame) -> None:
    """回测: past years by the new standard."""
    past, limit = study.frame("history"), study.policy("standard_back_test")
    study.values["study"]["limit"] = limit
    if past.empty:
        return
    past = past.assign(volume=_volumes(past, study.tiers))
    table, found = fiscal.back_test(past, spend[["tier", "spend"]], limit)
    study.problems += found
    money = dict.fromkeys(["actual", "standard", "difference"], wan)
    study.tables["back_test"] = printed(table, rate=fixed, **money)


def chained(study: Study) -> None:
    """绩效目标标准 and 绩效评价标准, and whether each cites what it rests on."""
    targets, rules, rows = study.frame("targets"), study.frame("evaluations"), study.tiers
    services = study.frame("services")
    chosen = rows[rows["recommended"].notna()].rename(columns={"recommended": "quota"})
    says = [next(filter(None, said), "") for said in
            services[["quantity", "quality", "time"]].itertuples(index=False)]  # fmt: skip
    ground = dict(zip(services["no"], services["item"] + "：" + says, strict=True))
    ground |= {
        tier: f"{name}推荐定额{plain(value)}元/{unit}"
        for tier, name, value, unit in chosen[["tier", "name", "quota", "unit"]].to_numpy()
    }
    names = dict(zip(targets["code"], targets["level3"], strict=True))
    ruled = dict(zip(rules["target"], rules["rule"], strict=True))
    shown = targets.assign(ground=targets["basis"].map(ground), rule=targets["code"].map(ruled))
    study.tables["targets"] = printed(shown)
    study.tables["evaluations"] = printed(rules.assign(level3=rules["target"].map(names)))
    study.values["study"]["targets"] = len(targets)
    values = [row["value"].number for row in study.task.source.tables["targets"]]
    least = study.task.policy.use("outcome_share_min")
    table, found = chain.check(services, chosen, targets.assign(value=values), rules, least)
    open_ = (rules["rule"] == "区间线性得分") & (rules["zero_at"] == "")
    study.problems += found + problems(rules, open_, "chain.zero")
    linked = table["source"].notna() & table["scored"].notna()
    shown["verdict"] = linked.map({True: "引用完整", False: "引用不完整"})
    study.tables["chain"] = printed(shown.rename(columns={"code": "target"}))
