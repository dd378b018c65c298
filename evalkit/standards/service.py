"""A service as data: its drivers, cost items, boundaries, and what its workbook begins with.

One file `params/services/NAME.yaml` a service; a new service needs no code.
"""

from typing import Literal

from evalkit.core.model import Frozen
from evalkit.core.paths import assets
from evalkit.core.problem import refusal, refuse, sentence
from evalkit.core.yaml_file import read_yaml


class Item(Frozen):
    """One cost item. `accounts` are beginnings of account codes; `index` a file in params/prices.

    `vat` is the rate in percent between 含税 and 不含税; None where the item bears none.
    """

    name: str
    category: str
    behaviour: Literal["固定", "变动"] = "变动"
    accounts: tuple[str, ...] = ()
    index: str = ""
    vat: float | None = None


class Boundary(Frozen):
    """A cost boundary: which categories of cost are left out."""

    name: str
    without: tuple[str, ...] = ()


class Driver(Frozen):
    """What a unit cost is divided by; `stock` is kept up all year (㎡), not produced (吨)."""

    name: str
    unit: str
    stock: bool = False


class Statistics(Frozen):
    """Columns of the sheet 样本: of the cost function, and of the frontier besides the cost."""

    others: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


class Service(Frozen):
    """One service. The first driver and the first boundary are those that a quota is for.

    `sheets` are optional sheets of the workbook that it needs; `depreciation` the cost item whose
    government-funded part is cut; `content` what its blank workbook holds, by sheet and field id.
    """

    name: str
    title: str
    nature: str
    drivers: tuple[Driver, ...]
    items: tuple[Item, ...]
    boundaries: tuple[Boundary, ...]
    depreciation: str = ""
    sheets: tuple[str, ...] = ()
    statistics: Statistics = Statistics()
    content: dict[str, list[dict[str, str]]]

    @property
    def driver(self) -> Driver:
        """The main driver."""
        return self.drivers[0]


def load_service(name: str) -> Service:
    """The service of this name, or the only one whose name begins so.

    >>> load_service("bus").driver.unit
    '车公里'

    Raises:
        EvalkitError: there is none, or its file is not sound; every fault at once.
    """
    files = assets("params", "services")
    meant = [known for known in files if known == name or (name and known.startswith(name))]
    if len(meant) != 1:
        raise refusal("service.unknown", name=name, names="、".join(files))
    path = files[meant[0]]
    service = read_yaml(path, Service, texts=True)
    known = {item.category for item in service.items}
    strange = [f"口径“{boundary.name}”不含的“{category}”不是任何成本项目的类别"
               for boundary in service.boundaries for category in boundary.without
               if category not in known]  # fmt: skip
    if service.depreciation not in ("", *(item.name for item in service.items)):
        strange.append(f"depreciation 指向不存在的成本项目“{service.depreciation}”")
    refuse(sentence("service.fault", file=path.name, fault=fault) for fault in strange)
    return service
