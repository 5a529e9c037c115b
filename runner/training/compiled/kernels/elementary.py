"""exp, expm1, the logistic function, tanh and log1p of eight numbers, over all of float64: docs/engine.md has errors.

exp and expm1 reduce x = n ln 2 + r, |r| <= ln(2) / 2, and multiply a polynomial in r by 2ⁿ. inf and NaN come out as
they should: training that overflows must be seen to. log, erf and what else is rare are the C library's, one by one.
"""

from runner.training.compiled.kernels.lanes import (
    Eight,
    at_least,
    at_most,
    fma,
    magnitude,
    one_by_one,
    power_of_two,
    with_sign_of,
)

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the high part's last 21 bits are 0
ROUNDER = 6755399441055744.0  # 1.5 * 2⁵²: the lowest bits of x + ROUNDER are the whole number nearest to x


def _reduced(x: Eight) -> tuple[Eight, Eight, Eight]:
    """(n + ROUNDER, n, r) of x = n ln 2 + r."""
    shifted = fma(x, LOG2_E, ROUNDER)
    n = shifted - ROUNDER
    return shifted, n, fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x))


def _tail(r: Eight) -> Eight:
    """exp(r) - 1 - r = r² q(r): q through ten Chebyshev nodes (1e-17 off at most), by Estrin's scheme."""
    r2 = r * r
    r4 = r2 * r2
    a = fma(fma(r, 0.008333333333330062, 0.04166666666662413), r2, fma(r, 0.16666666666666669, 0.5))
    b = fma(
        fma(r, 2.7557268459997064e-06, 2.4801521295954376e-05),
        r2,
        fma(r, 0.00019841269863053618, 0.0013888888917213717),
    )
    return r2 * fma(fma(fma(r, 2.510038549551032e-08, 2.7620088445409746e-07), r4, b), r4, a)


def _exp(r: Eight) -> Eight:
    """e to the r: 1 + r is added exactly, as two numbers."""
    sum = r + 1.0
    return sum + ((1.0 - sum + r) + _tail(r))


def exp(x: Eight) -> Eight:
    """eˣ; inf from where it overflows, and gradually 0."""
    _, n, r = _reduced(at_least(at_most(x, 710.0), -746.0))
    half = fma(n, 0.5, ROUNDER)  # 2ⁿ as two factors: n = 1024 has no number of its own
    return _exp(r) * power_of_two(half) * power_of_two((n - (half - ROUNDER)) + ROUNDER)


def exp_below_0(x: Eight) -> Eight:
    """eˣ of x <= 0; 0 where that is no normal number."""
    shifted, _, r = _reduced(at_least(x, -708.0))
    return x.choose(x < -708.0, 0.0, _exp(r) * power_of_two(shifted))


def expm1(x: Eight) -> Eight:
    """eˣ - 1 of -1000 <= x <= 700: 2ⁿ - 1 + 2ⁿ r is added exactly, as two numbers."""
    shifted, _, r = _reduced(x)
    scale = power_of_two(shifted)
    rest = scale - 1.0
    sum = fma(scale, r, rest)
    return sum + fma(scale, _tail(r), fma(scale, r, rest - sum))


def expit(x: Eight) -> Eight:
    """1 / (1 + e⁻ˣ), with the rounding of 1 + e⁻ˣ corrected; 0 where that is no normal number."""
    shifted, _, r = _reduced(at_least(at_most(-x, 709.0), -50.0))
    e = _exp(r) * power_of_two(shifted)
    below = e + 1.0
    q = 1.0 / below
    return x.choose(x < -708.0, 0.0, fma(-(q * q), 1.0 - (below - e), q))


def tanh(x: Eight) -> Eight:
    """(e²ˣ - 1) / (e²ˣ + 1), by |x|; the rounding of divisor and quotient is corrected."""
    e = expm1(2.0 * at_most(magnitude(x), 25.0))
    below = e + 2.0
    inverse = 1.0 / below
    q = e * inverse
    q = fma(fma(-q, below, e) - q * (2.0 - below + e), inverse, q)
    return with_sign_of(q, x)


def log1p(t: Eight) -> Eight:
    """log(1 + t) of 0 <= t <= 1.

    With f = t, or (t - 1) / 2 and ln 2 apart where 1 + t > sqrt(2): log(1 + f) = f - f²/2 + s (f²/2 + R(s²)),
    s = f / (2 + f). R is that of fdlibm's log (Sun Microsystems, 1993).
    """
    above = t > 0.41421356237309515
    f = t.choose(above, (t - 1.0) * 0.5, t)
    s = f / (f + 2.0)
    z = s * s
    w = z * z
    odd = fma(w, fma(w, 1.531383769920937332e-01, 2.222219843214978396e-01), 3.999999999940941908e-01) * w
    even = fma(w, fma(w, 1.479819860511658591e-01, 1.818357216161805012e-01), 2.857142874366239149e-01)
    R = fma(fma(w, even, 6.666666666666735130e-01), z, odd)
    h = 0.5 * f * f
    low, high = t.choose(above, LN2_LOW, 0.0), t.choose(above, LN2_HIGH, 0.0)
    return high - ((h - fma(s, h + R, low)) - f)


def softplus(x: Eight) -> Eight:
    """log(1 + eˣ), without overflow."""
    return at_least(x, 0.0) + log1p(exp_below_0(-magnitude(x)))


def erf(x: Eight) -> Eight:
    """The error function."""
    return one_by_one("erf", x)


def log(x: Eight) -> Eight:
    """The natural logarithm; -inf at 0, NaN below."""
    return one_by_one("log", x)
