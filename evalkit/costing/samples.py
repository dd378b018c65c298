"""Comparable units: what can be said of their costs, if there are enough of them."""

import numpy as np
import pandas as pd

from evalkit.core.numbers import YUAN_PER, fine, finer, fixed
from evalkit.costing.study import Frame, Study, printed
from evalkit.standards import costs, outliers
from evalkit.standards.benchmarks import benchmarks, interval
from evalkit.standards.rows import problems

_DRAWN = ("median", "mean_advanced", "best_third")  # benchmark lines of the figure
_WAN = float(YUAN_PER["万元"])


def samples(study: Study) -> None:
    """Outliers, benchmarks, cost function and frontier of the sheet 样本."""
    rows, rules = study.frame("sample"), study.policy("standard_outliers")
    needed, level = study.policy("standard_sample"), study.policy("standard_interval")
    facts = study.values["study"] | {"least": needed["units"], "rows": len(rows)}
    units = rows["unit"].nunique()
    study.values["study"] = facts | {"units": units}
    study.tables["few"] = [{}] if units < needed["units"] else []
    if study.tables["few"]:
        return
    driver = study.service.driver
    rows = costs.units(rows.assign(driver=driver.name), {driver.name: driver.unit})
    rows = rows.drop(columns="driver")  # one for all: nothing that tells observations apart
    free = [name for name in rows if name in study.task.source.open_columns["sample"]]
    main, told = ["cost", "volume"], ["总成本", "业务量"]  # what people know them by
    named = rows.rename(columns=dict(zip(main, told, strict=True)))
    numeric = outliers.numbers(named, [*told, *free], positive=told)
    rows = rows.assign(**numeric.rename(columns=dict(zip(told, main, strict=True))))
    rows["unit_cost"] = rows["cost"] / rows["volume"]
    tests = [
        outliers.tukey(rows["unit_cost"], float(rules["fence"])),
        outliers.robust_z(rows["unit_cost"], float(rules["z"])),
        outliers.esd(
            rows["unit_cost"], max(1, len(rows) * int(rules["share"]) // 100), float(rules["alpha"])
        ),
    ]
    flags = outliers.log(rows, "unit_cost", *tests)
    decided = outliers.decide(flags, study.frame("decisions"), int(needed["units"]))
    study.tables["flags"] = printed(decided, value=fine, statistic=fine, limit=fine)
    study.values["study"]["shown"] = shown = int(study.policy("standard_shown"))
    study.tables["flags_shown"] = study.tables["flags"][:shown]
    open_ = decided[decided["decision"].str.startswith("待核实")].drop_duplicates(["unit", "year"])
    study.problems += problems(open_.drop(columns="limit"), [True] * len(open_), "gap.outlier")
    kept = outliers.settle(rows, "unit_cost", decided).reset_index(drop=True)
    odd = set(zip(decided["unit"], decided["year"], strict=True))
    points = rows.sort_values("unit_cost", ignore_index=True)
    flag = ["是" if key in odd else "" for key in zip(points["unit"], points["year"], strict=True)]
    points = points.assign(flag=flag, rank=range(1, len(points) + 1), cost=points["cost"] / _WAN)
    study.tables["points"] = printed(points, cost=fixed, unit_cost=fine)
    found = benchmarks(kept["unit_cost"].to_numpy(), kept["volume"].to_numpy())
    sure = interval(kept["unit_cost"].to_numpy(), "median", float(level["level"]) / 100,
                    int(level["draws"]), int(level["seed"])).iloc[0]  # fmt: skip
    drawn = ["是" if key in _DRAWN else "" for key in found.index]
    named = [
        f"{name} {value:.3f}" for name, value in zip(found["name"], found["value"], strict=True)
    ]
    study.tables["benchmarks"] = printed(found.assign(drawn=drawn, named=named), value=fine)
    ends = "{}%区间{:.3f}～{:.3f}元".format(level["level"], sure["low"], sure["high"])
    study.offer(study.whole, "样本中位数", found.loc["median", "value"], len(kept), ends)
    _function(study, kept, int(needed["per_regressor"]))
    _frontier(study, kept)


def _own(study: Study, kept: Frame) -> Frame:
    """The row of the unit itself in its last year, if it is in the sample."""
    mine = kept[kept["unit"] == study.text("unit")]
    return mine[mine["year"] == mine["year"].max()]


def _function(study: Study, kept: Frame, least: int) -> None:
    """成本函数: what a unit of this size is expected to cost."""
    from evalkit.standards.cost_function import fit

    others = [name for name in study.service.statistics.others if name in kept]
    if len(kept) < least * (1 + len(others)):
        return
    level = float(study.policy("standard_interval")["level"]) / 100
    robust = "cluster" if kept["unit"].duplicated().any() else "HC3"  # years of a unit are kin
    found = fit(kept, "cost", ["volume"], others, robust=robust, least=least, level=level)
    named = found.terms["term"].str.replace("volume", "业务量")
    study.tables["terms"] = printed(found.terms.assign(term=named), t=fixed, p=fine)
    study.tables["diagnostics"] = printed(found.diagnostics, statistic=fine, p=fine)
    formula = found.formula.replace("volume", "业务量").replace("cost", "成本")
    scale = found.scale.iloc[0]
    study.tables["fit"] = [{"formula": formula, "scale": scale["verdict"]}]
    facts = {"r2": found.r2, "elasticity": scale["b"], "smearing": found.smearing}
    study.values["study"] |= {n: finer(float(v)) for n, v in facts.items()}
    grid = np.geomspace(kept["volume"].min(), kept["volume"].max())
    curve = found.predict(
        pd.DataFrame({"volume": grid} | {name: kept[name].mean() for name in others}), level
    )
    shown = pd.DataFrame(
        {"volume": grid, "cost": curve["expected"], "low": curve["low"], "high": curve["high"]}
    )
    shown[["cost", "low", "high"]] /= _WAN
    study.tables["fitted"] = printed(shown)
    mine, note = _own(study, kept), ""
    if mine.empty:  # a new unit: of the size of the tiers, otherwise like the sample
        alike = study.tiers[study.tiers["unit"] == study.service.driver.unit]
        volume = alike["volume"].dropna().map(float).sum()
        mine = pd.DataFrame([{"volume": volume} | {name: kept[name].mean() for name in others}])
        note = "，其他条件取样本平均" if others else ""
        mine = mine[mine["volume"] > 0]
    for row in found.predict(mine, level).to_dict("records") if len(mine) else []:
        by, out = row["volume"], "，业务量超出样本范围" if row["extrapolated"] else ""
        ends = "预测区间{:.3f}～{:.3f}元".format(row["low"] / by, row["high"] / by)
        study.offer(study.whole, "成本函数", row["expected"] / by, found.n, ends + note + out)


def _frontier(study: Study, kept: Frame) -> None:
    """前沿分析: the sample against its own best practice."""
    from evalkit.standards.frontier import dea, scale_efficiency

    has = study.service.statistics
    inputs = ["cost", *(name for name in has.inputs if name in kept)]
    outputs = ["volume", *(name for name in has.outputs if name in kept)]
    m, s = len(inputs), len(outputs)
    least = int(study.policy("standard_sample")["per_dimension"])
    if len(kept) < max(m * s, least * (m + s)):
        return
    named = kept.assign(of=kept["unit"] + kept["year"].astype(str))
    found = dea(named, inputs, outputs, returns="vrs", unit="of")
    scale = scale_efficiency(named, inputs, outputs, unit="of")
    targets = found.targets[found.targets["variable"] == "cost"].set_index("unit")["target"]
    target = found.scores["unit"].map(targets)
    table = named.assign(
        score=found.scores["score"].to_numpy(), scale=scale["scale"].to_numpy(),
        kind=scale["returns"].to_numpy(), peers=found.scores["peers"].to_numpy(),
        target=target.to_numpy() / _WAN, target_unit=target.to_numpy() / named["volume"],
        edge=np.where(found.scores["efficient"], "是", ""),
    )  # fmt: skip
    study.tables["frontier"] = printed(table, score=fine, scale=fine, target=fixed, unit_cost=fine)
    study.tables["frontier_shown"] = study.tables["frontier"][: study.values["study"]["shown"]]
    mine = _own(study, table)
    for row in mine.to_dict("records"):
        note = f"效率值{row['score']:.3f}，规模报酬可变"
        study.offer(study.whole, "前沿（DEA）", row["target_unit"], len(table), note)
