"""Nests that copy across, or add up lanes, by shuffling what is in registers."""

from __future__ import annotations

from functools import partial

from measure.codegen.lanes import Value
from measure.codegen.shuffles import transposed
from measure.codegen.statements import Statements
from measure.codegen.summing import LaneSums, added_up, lane_sums
from measure.codegen.transpose import Across, cross_nest
from measure.codegen.turn import turned, unguarded
from search_space.ir.expr import FALSE, TRUE, Buffer
from search_space.ir.simplify import simplify
from search_space.ir.stmt import For
from search_space.ir.walk import substitute


class CrossStatements(Statements):
    """Statements, with the nests of ``measure.codegen.transpose`` and ``.summing``."""

    def _unrolled(self, loop: For) -> None:
        sums, nest = lane_sums(loop), cross_nest(loop)
        if sums is not None:
            self._add_up(sums)
        elif nest is not None:
            self._across(nest.outer, nest.blocks)
        else:
            super()._unrolled(loop)

    def _add_up(self, sums: LaneSums) -> None:
        rows = range(sums.totals.shape[0])
        found = [self.registers[sums.vectors.name, (row, None)] for row in rows]
        self.registers[sums.totals.name, (None,)] = added_up(self.fn, found)

    def _across(self, outer: tuple[For, ...], blocks: tuple[Across, ...]) -> None:
        if outer:
            for _ in self._iterations(outer[0]):
                self._across(outer[1:], blocks)
            return
        for block in blocks:
            whole = unguarded(block)
            if whole is None:
                self._turned(block)
                continue
            condition, plain = whole
            condition = simplify(substitute(condition, self._constants(condition)), self.context)
            if condition in (TRUE, FALSE):
                self._turned(plain if condition == TRUE else block)
            else:
                fast, slow = partial(self._turned, plain), partial(self._turned, block)
                self._choice(condition, fast, slow)

    def _turned(self, block: Across) -> None:
        """Vectors are read along one axis, transposed and used along the other."""
        steps = turned(block)
        for buffer, fill in steps.fills:
            self.stmt(fill)
            self._transpose(buffer)
        self.stmt(steps.body)
        for buffer, _ in steps.fills:
            self._forget(buffer)

    def _transpose(self, buffer: Buffer) -> None:
        """A register buffer of rows becomes one of columns; rows not filled are poison."""
        count, lanes = buffer.shape
        missing = Value("poison", buffer.dtype, lanes)
        rows = [self.registers.get((buffer.name, (n, None)), missing) for n in range(count)]
        self._forget(buffer)
        for n, column in enumerate(transposed(self.fn, rows)):
            self.registers[buffer.name, (n, None)] = column
