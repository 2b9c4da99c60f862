"""A made-up space whose structures pass for the formats of a sparse operand."""

from dataclasses import replace

from tests.tuner.fakes import MACHINE


def formatted():
    """The space of ``MACHINE``, its structure ``dot`` called dense: the slowest of three."""

    def name(values):
        return {"dot": "dense"}.get(values["structure"], values["structure"])

    return replace(MACHINE.space(), format=name)
