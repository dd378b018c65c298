"""Problems of tables, each at the cell that its row came from."""

from typing import Any

import numpy as np
import pandas as pd

from evalkit.core.problem import Problem, sentence


def problems(frame: pd.DataFrame, mask: Any, code: str, /, **facts: str) -> list[Problem]:
    """One problem for each row that the boolean `mask` picks.

    Its sentence is completed with the columns of the row and with `facts`. The row's column `at`
    (``表!单元格``) says where; without it the sentence's ``{row}`` is the row's number from 1.

    >>> costs = pd.DataFrame({"item": ["人工", "能耗"], "amount": [1, -2]})
    >>> costs["at"] = ["成本!D3", "成本!D4"]
    >>> print(*problems(costs, costs["amount"] < 0, "cost.negative"))
    成本｜D4：“能耗”的金额为负数 -2——冲销请与原记录合并，退款请记入收入
    """
    found = []
    for number in np.flatnonzero(np.asarray(mask, dtype=bool)):
        row = {str(name): value for name, value in frame.iloc[number].items()}
        found.append(sentence(code, **(row | {"row": f"第 {number + 1} 行"} | facts)))
    return found
