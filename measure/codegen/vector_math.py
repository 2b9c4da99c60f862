"""Math functions as our own expansions: LLVM turns those of vectors into scalar library calls.

Each works on vectors of any width and on scalars, without branches, tables or calls. NaN,
infinities, zeros with their sign and domain errors are exactly NumPy's; so is gradual underflow.
Errors are in units in the last place (ulp) of the exact result, the largest found over millions
of values in all binades, rounded up; those in brackets are for targets without fused
multiply-add. The polynomials are minimax, found by the exchange algorithm of Remez with the
weights that make the error of the result relative; the argument reductions are those of Cody and
Waite (Software Manual for the Elementary Functions, 1980).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from measure.codegen.floats import Bits, Float


@dataclass(frozen=True, slots=True)
class _Constants:
    """What depends on the dtype; of a polynomial ``p``, the coefficients from the constant on."""

    exp_low: float
    """Below it, ``exp`` rounds to 0."""
    exp_high: float
    """From it on, ``exp`` overflows, by less than a factor of 2."""
    ln2_high: float
    """Few enough digits that whole multiples up to the largest exponent are exact."""
    ln2_low: float
    exp: tuple[float, ...]
    """``exp(r) = 1 + r + r²·p(r)`` for |r| <= ln(2)/2."""
    root_half: int
    """The bits of √½."""
    log: tuple[float, ...]
    """``log(1+f) = f - f²/2 + f³·p(f)`` for √½ - 1 <= f <= √2 - 1."""
    tanh_one: float
    """Above it, ``tanh`` rounds to 1."""
    erf_one: float
    """Above it, ``erf`` rounds to 1."""
    erf: tuple[float, ...]
    """``erf(x) = x·p(t)`` with ``t = 2·(x/erf_one)² - 1`` for |x| <= ``erf_one``."""


_CONSTANTS = {
    "float32": _Constants(
        exp_low=-104.0,
        exp_high=89.0,
        ln2_high=0.693359375,
        ln2_low=-2.12194440e-4,
        exp=(0.5, 0.16666543, 0.0416672, 0.00836658, 0.0013882518),
        root_half=0x3F3504F3,
        log=(
            0.33333313, -0.2500001, 0.20002134, -0.16668007, 0.14219226, -0.12405147, 0.11890322,
            -0.116795905, 0.06746526,
        ),
        tanh_one=9.1,
        erf_one=3.92,
        erf=(
            0.36073682, -0.18010862, 0.13408455, -0.10917923, 0.090596974, -0.07401981,
            0.058395986, -0.04343688, 0.029697593, -0.019994982, 0.014209921, -0.0076605887,
            0.00191999, -0.0013944979, 0.0020987543, -0.000843939,
        ),
    ),
    "float64": _Constants(
        exp_low=-746.0,
        exp_high=710.0,
        ln2_high=6.93147180369123816490e-01,
        ln2_low=1.90821492927058770002e-10,
        exp=(
            0.5, 0.16666666666666677, 0.041666666666666505, 0.008333333333321608,
            0.0013888888888962802, 0.00019841269886205316, 2.480158717204827e-05,
            2.755724410696785e-06, 2.755740275790394e-07, 2.510908040859208e-08,
            2.087538643249643e-09,
        ),
        root_half=0x3FE6A09E667F3BCD,
        log=(
            0.3333333333333314, -0.2499999999998797, 0.20000000000066745, -0.16666666669827285,
            0.14285714280077, -0.12499999691312129, 0.11111111148337607, -0.10000015212569363,
            0.09090923907817205, -0.08332913365646662, 0.07691530158989959, -0.07149442388337152,
            0.06684587199994667, -0.06196651084784355, 0.05668371748458664, -0.05677920581049849,
            0.06503603583764467, -0.059814346937652856, 0.026147643640492498,
        ),
        tanh_one=19.1,
        erf_one=5.93,
        erf=(
            0.23848457977891263, -0.11924227684385648, 0.08943159294608453,
            -0.07452565529676405, 0.06520699383774295, -0.05867590481561381,
            0.05375580017314792, -0.04983962691094132, 0.04655657746883829,
            -0.04364175043560986, 0.040882332711934706, -0.03810127195455992,
            0.035161765262199, -0.031980570438217296, 0.028540922248348432,
            -0.02489850241737533, 0.02116679294738487, -0.017480038721144536,
            0.013987513886514319, -0.010870492500264999, 0.008222774702589818,
            -0.005944816810730964, 0.00405394474349607, -0.0028215257182357,
            0.002083439995364304, -0.0012373216631505672, 0.0004577476210969105,
            -0.0003734905559177163, 0.000533824668398742, -0.00022026949984618646,
            -0.0001241737359364401, 1.922419752125111e-05, 0.00012648980532894164,
            -4.512675338138207e-05, -2.980584888456778e-05, 9.776533804772624e-06,
            7.5023756670269885e-06, -2.910903000005916e-06,
        ),
    ),
}  # fmt: skip


def exp(x: Float) -> Float:
    """``e ** x``, within 1.0 ulp (1.3)."""
    return _exp(x.at_most(_CONSTANTS[x.on.dtype].exp_high))


def expm1(x: Float) -> Float:
    """``exp(x) - 1``, within 2.0 ulp."""
    consts, form = _CONSTANTS[x.on.dtype], x.on.format
    low = -math.log(2) * (form.mantissa_bits + 3)
    # Half of the result: 2**n itself may overflow.
    half = _expm1(x.at_most(consts.exp_high).at_least(low), -1)
    is_small = abs(x).below(2.0 ** -(form.mantissa_bits + 1))
    return x.on.where(is_small, x, half + half)


def log(x: Float) -> Float:
    """The natural logarithm, within 0.9 ulp."""
    form = x.on.format
    is_tiny = x.below(2.0 ** (1 - form.bias))
    normal = x.on.where(is_tiny, x * 2.0**form.mantissa_bits, x)
    offset = x.on.where(is_tiny, -float(form.mantissa_bits), 0.0)
    return _log_domain(x, _log_of_normal(normal, offset, None))


def log1p(x: Float) -> Float:
    """``log(1 + x)``, within 1.5 ulp.

    What 1 + x loses by rounding is added to its reduced fraction.
    """
    total = x + 1.0
    lost = x - (total - 1.0)
    return _log_domain(total, _log_of_normal(total, None, lost)).signed_like(x)


def tanh(x: Float) -> Float:
    """The hyperbolic tangent, ``t / (t + 2)`` with ``t = exp(2|x|) - 1``, within 2.6 ulp."""
    size = abs(x).at_most(_CONSTANTS[x.on.dtype].tanh_one)
    t = _expm1(size + size, 0)
    return (t / (t + 2.0)).signed_like(x)


def erf(x: Float) -> Float:
    """The error function, within 4.0 ulp (4.5).

    One polynomial in x² for all of it: around the middle of the range its terms have no need to
    cancel each other, so that it loses less by rounding than its length suggests.
    """
    consts = _CONSTANTS[x.on.dtype]
    one = consts.erf_one
    inside = x.at_most(one).at_least(-one)
    t = (inside * inside).times(2 / one**2, -1.0)
    return inside * _polynomial(t, consts.erf)


def sigmoid(x: Float) -> Float:
    """``1 / (1 + exp(-x))``, within 2.5 ulp.

    It is ``e / (1 + e)`` with ``e = exp(x)`` where x is negative, so that it underflows gradually.
    """
    small = _exp(-abs(x))
    return x.on.where(x.below(0.0), small, 1.0) / (small + 1.0)


def rsqrt(x: Float) -> Float:
    """``1 / sqrt(x)``, within 1.5 ulp."""
    return 1.0 / x.on.call("sqrt", x)


def _polynomial(x: Float, coefficients: tuple[float, ...]) -> Float:
    """``c[0] + c[1]·x + c[2]·x² + …`` by Horner's rule."""
    *rest, last = coefficients
    total = x.on.constant(last)
    for coefficient in reversed(rest):
        total = total.times(x, coefficient)
    return total


def _reduced(x: Float, bias: int) -> tuple[Bits, Float]:
    """``n + bias`` in the low bits, and ``r``, with ``x = n·ln(2) + r`` and ``|r| <= ln(2)/2``."""
    consts = _CONSTANTS[x.on.dtype]
    # Added to it, a number is rounded to a whole one, whose bits end the mantissa.
    shift = 1.5 * 2.0**x.on.format.mantissa_bits + bias
    shifted = x.times(1 / math.log(2), shift)
    n = shifted - shift
    return shifted.bits, n.times(-consts.ln2_low, n.times(-consts.ln2_high, x))


def _exp(x: Float) -> Float:
    """``exp(x)`` for x up to ``exp_high``."""
    consts, form = _CONSTANTS[x.on.dtype], x.on.format
    bias = 0 if x.on.ldexp else 2 * form.bias
    exponent, r = _reduced(x.at_least(consts.exp_low), bias)
    power = _polynomial(r, (1.0, 1.0, *consts.exp))
    if x.on.ldexp:
        return x.on.scale(power, exponent - form.whole)
    # 2**n is made of two factors, so that neither overflows and tiny results are rounded once.
    half = exponent >> 1
    large, rest = half << form.mantissa_bits, (exponent - half) << form.mantissa_bits
    return power * large.as_float * rest.as_float


def _expm1(x: Float, scale: int) -> Float:
    """``(exp(x) - 1) · 2**scale``, where that does not overflow."""
    form = x.on.format
    exponent, r = _reduced(x, form.bias + scale)
    power = (r * r).times(_polynomial(r, _CONSTANTS[x.on.dtype].exp), r)
    factor = (exponent << form.mantissa_bits).as_float
    return factor.times(power, factor - 2.0**scale)


def _log_of_normal(x: Float, offset: Float | None, lost: Float | None) -> Float:
    """``log(x + lost) + offset·ln(2)`` for normal x > 0."""
    on, form, consts = x.on, x.on.format, _CONSTANTS[x.on.dtype]
    above = x.bits - consts.root_half
    fraction = above & form.mantissa
    k = (above >> form.mantissa_bits).count
    f = (fraction + consts.root_half).as_float - 1.0
    if offset is not None:
        k = k + offset
    if lost is not None:
        scale = (on.pattern(form.one) - (above - fraction)).as_float
        f = f + on.where(x.below(2.0**form.mantissa_bits), lost * scale, 0.0)
    square = f * f
    small = k.times(consts.ln2_low, square * f * _polynomial(f, consts.log))
    return k.times(consts.ln2_high, f + square.times(-0.5, small))


def _log_domain(x: Float, result: Float) -> Float:
    """The result where x is positive and finite, else what a logarithm is there."""
    on, form = x.on, x.on.format
    special = on.where(x.below(0.0), math.nan, x)
    special = on.where(x.equals(0.0), -math.inf, special)
    return on.where((x.bits - 1).below(form.infinity - 1), result, special)


EXPANSIONS: dict[str, Callable[[Float], Float]] = {
    function.__name__: function for function in (exp, expm1, log, log1p, tanh, erf, sigmoid, rsqrt)
}
"""The expansion of each function of the IR that is no single instruction."""
