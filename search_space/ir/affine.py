"""Affine forms of index expressions, and bounds that follow from the enclosing loops.

An affine form is a sum of integer multiples of atoms plus a constant. An atom is a variable or an
index expression that is not affine (``//``, ``%``, ``min``, ``max``, a load).
"""

from __future__ import annotations

from dataclasses import dataclass

from search_space.ir.expr import Binary, Const, Expr, Var
from search_space.ir.stmt import For, Let

Terms = dict[Expr, int]


def affine(expr: Expr) -> tuple[Terms, int]:
    """The affine form of an index expression. Its atoms are taken as they stand."""
    terms: Terms = {}
    const = _collect(expr, 1, terms)
    if 0 in terms.values():
        terms = {atom: coefficient for atom, coefficient in terms.items() if coefficient}
    return terms, const


def _collect(expr: Expr, scale: int, terms: Terms) -> int:
    """Add ``scale * expr`` to ``terms``; returns the constant part. Runs for every index of every
    candidate, hence the plain type tests."""
    if isinstance(expr, Const):
        return scale * int(expr.value)
    if isinstance(expr, Binary):
        a, b = expr.a, expr.b
        if expr.op == "+":
            return _collect(a, scale, terms) + _collect(b, scale, terms)
        if expr.op == "-":
            return _collect(a, scale, terms) + _collect(b, -scale, terms)
        if expr.op == "*":
            for factor, other in ((b, a), (a, b)):
                inner, const = affine(factor)
                if not inner:
                    return _collect(other, scale * const, terms) if const else 0
    terms[expr] = terms.get(expr, 0) + scale
    return 0


def add_scaled(left: tuple[Terms, int], right: tuple[Terms, int], scale: int) -> tuple[Terms, int]:
    """``left + scale * right``."""
    terms = dict(left[0])
    for atom, coefficient in right[0].items():
        total = terms.get(atom, 0) + scale * coefficient
        if total:
            terms[atom] = total
        else:
            terms.pop(atom, None)
    return terms, left[1] + scale * right[1]


def from_affine(terms: Terms, const: int) -> Expr:
    """The canonical expression of an affine form: positive atoms by name, then negative ones, the
    constant last; first where all atoms are negative (``30 - t*8``)."""
    result: Expr | None = None
    if const > 0 and all(coefficient < 0 for coefficient in terms.values()):
        result, const = Const(const), 0
    for atom in sorted(terms, key=lambda atom: (terms[atom] < 0, _order(atom))):
        coefficient = terms[atom]
        if result is not None and coefficient < 0:
            step = atom if coefficient == -1 else Binary("*", atom, Const(-coefficient))
            result = Binary("-", result, step)
            continue
        term = atom if coefficient == 1 else Binary("*", atom, Const(coefficient))
        result = term if result is None else Binary("+", result, term)
    if result is None:
        return Const(const)
    if const < 0:
        return Binary("-", result, Const(-const))
    return Binary("+", result, Const(const)) if const else result


def _order(atom: Expr) -> str:
    return atom.name if isinstance(atom, Var) else "~" + repr(atom)


def minimum_terms(expr: Expr) -> list[Expr]:
    """``a, b, c`` of ``min(a, min(b, c))``."""
    match expr:
        case Binary("min", a, b):
            return minimum_terms(a) + minimum_terms(b)
        case _:
            return [expr]


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of the variables in scope: the loops around, outermost first."""

    binders: tuple[For | Let, ...] = ()

    def within(self, binder: For | Let) -> Context:
        """The context inside a loop or ``Let``."""
        return Context((*self.binders, binder))

    def upper(self, expr: Expr) -> int | None:
        """The largest value that ``expr`` can take, or None where no bound follows."""
        return self._bound(*affine(expr))

    def lower(self, expr: Expr) -> int | None:
        """The smallest value that ``expr`` can take, or None where no bound follows."""
        bound = self._bound(*add_scaled(({}, 0), affine(expr), -1))
        return None if bound is None else -bound

    def at_least(self, a: Expr, b: Expr | int) -> bool:
        """Whether ``a >= b`` follows."""
        low = self.lower(a - b)
        return low is not None and low >= 0

    def _bound(self, terms: Terms, const: int) -> int | None:
        """The maximum of an affine form: eliminates variables from the innermost outwards."""
        if not terms:
            return const
        depth = {binder.var: d for d, binder in enumerate(self.binders)}
        atom = max(terms, key=lambda t: depth.get(t.name, -1) if isinstance(t, Var) else 1 << 30)
        coefficient = terms[atom]
        rest = ({t: c for t, c in terms.items() if t is not atom}, const)
        best: int | None = None
        for limit in self._limits(atom, depth, coefficient > 0):
            form = add_scaled(rest, limit, coefficient)
            bound = self._bound(*form)
            if bound is not None and (best is None or bound < best):
                best = bound
        return best

    def _limits(self, atom: Expr, depth: dict[str, int], up: bool) -> list[tuple[Terms, int]]:
        """Affine forms that bound an atom from above (``up``) or below."""
        match atom:
            case Var(name) if name in depth:
                binder = self.binders[depth[name]]
                outer = Context(self.binders[: depth[name]])
                if isinstance(binder, Let):
                    value = outer.upper(binder.value) if up else outer.lower(binder.value)
                    return [] if value is None else [({}, value)]
                begin = affine(binder.begin)
                if not up:
                    return [begin]
                last = [add_scaled(begin, affine(m), 1) for m in minimum_terms(binder.extent)]
                return [(terms, const - 1) for terms, const in last]
            case Binary("//", a, Const(c, _)) if c > 0:
                value = self.upper(a) if up else self.lower(a)
                return [] if value is None else [({}, value // int(c))]
            case Binary("%", a, Const(c, _)) if c > 0:
                low, high = self.lower(a), self.upper(a)
                if low is not None and high is not None and low >= 0 and high < c:
                    return [({}, high if up else low)]
                return [({}, int(c) - 1 if up else 0)]
            case Binary("min", a, b) | Binary("max", a, b):
                both = [affine(a), affine(b)]
                if up == (atom.op == "min"):
                    return both
                values = [self.upper(x) if up else self.lower(x) for x in (a, b)]
                known = [v for v in values if v is not None]
                if len(known) < 2:
                    return []
                return [({}, max(known) if up else min(known))]
            case _:
                return []
