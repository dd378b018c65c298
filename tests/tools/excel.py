"""A second opinion on formulas: evaluates the traces' Excel expressions without evalkit."""

from __future__ import annotations

import ast
import re
from datetime import date
from fractions import Fraction


def evaluate(formula: str) -> Fraction:
    """The exact value of an Excel expression over numbers (no cell references).

    >>> evaluate("ROUND(8*MAX(0,MIN(1,205.75/210)),2)")
    Fraction(196, 25)
    """
    # `=` compares in Excel; `<>` is not used
    python = re.sub(r"(?<![<>])=", "==", formula)
    tree = ast.parse(python, mode="eval")
    return _value(tree.body, python)


def _value(node: ast.expr, source: str) -> Fraction:
    match node:
        case ast.Constant():
            # the digits as written: no float comes near
            return Fraction(ast.get_source_segment(source, node) or "")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, source)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _value(left, source), _value(right, source)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div():
                    return a / b
        case ast.Call(func=ast.Name(id="IF"), args=[test, yes, no]):
            return _value(yes if _holds(test, source) else no, source)
        case ast.Call(func=ast.Name(id=name), args=args):
            values = [_value(arg, source) for arg in args]
            return _FUNCTIONS[name](*values)
    raise AssertionError(f"not an expression of ours: {ast.dump(node)}")


def _holds(test: ast.expr, source: str) -> bool:
    assert isinstance(test, ast.Compare)
    a, b = _value(test.left, source), _value(test.comparators[0], source)
    match test.ops[0]:
        case ast.GtE():
            return a >= b
        case ast.LtE():
            return a <= b
        case ast.Gt():
            return a > b
        case ast.Lt():
            return a < b
        case ast.Eq():
            return a == b
    raise AssertionError("unknown comparison")


def _round(x: Fraction, digits: Fraction) -> Fraction:
    scale = 10 ** int(digits)
    sign = -1 if x < 0 else 1
    return sign * Fraction(int(abs(x) * scale + Fraction(1, 2)), scale)


_FUNCTIONS = {
    "ROUND": _round,
    "MIN": lambda *xs: min(xs),
    "MAX": lambda *xs: max(xs),
    "ROUNDUP": lambda x, _: Fraction(-(-x.numerator // x.denominator)),
    "ROUNDDOWN": lambda x, _: Fraction(x.numerator // x.denominator),
    "DATE": lambda y, m, d: Fraction(date(int(y), int(m), int(d)).toordinal()),
}
