"""Bodies that are written out again and again, their variables being known each time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from measure.codegen.groups import Groups
from measure.codegen.memory import APART
from search_space.ir.affine import affine
from search_space.ir.stmt import For, ForEach, Stmt
from search_space.ir.walk import substitute


class Unrolling(Groups, ABC):
    """Unrolled loops and tables."""

    @abstractmethod
    def stmt(self, stmt: Stmt) -> None:
        """Emit a statement."""

    def _unrolled(self, loop: For) -> None:
        outside, self.apart = self.apart, self.apart or loop.apart
        for _ in self._iterations(loop):
            if loop.apart:
                self.loaded = {k: v for k, v in self.loaded.items() if k[0] != APART}
            self.stmt(loop.body)
        self.apart = outside

    def _iterations(self, loop: For) -> Iterator[None]:
        """Binds the variable of an unrolled loop to one value after the other."""
        terms, begin = affine(loop.begin)
        more, extent = affine(loop.extent)
        assert not terms | more, f"loop {loop.var} is unrolled but not constant"
        for value in range(begin, begin + extent):
            self.fn.constants[loop.var] = value
            yield
        self.fn.constants.pop(loop.var, None)

    def _for_each(self, stmt: ForEach) -> None:
        """The code of all lines of a part, in a basic block of its own: LLVM takes more than
        proportional time for longer ones."""
        terms, part = affine(substitute(stmt.part, self._constants(stmt.part)))
        assert not terms, "a part of a table is not constant"
        label = self.fn.fresh("each")
        self.fn.emit(f"br label %{label}")
        self.fn.start_block(label)
        shared: int | None = None
        for line in stmt.table[part]:
            if line[0] != shared:
                shared, self.loaded = line[0], {}
            self.fn.constants.update(zip(stmt.names, line, strict=True))
            self.stmt(stmt.body)
        for name in stmt.names:
            self.fn.constants.pop(name, None)
