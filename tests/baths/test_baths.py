"""Baths: the KMS condition, rates at the hard points, level shifts and correlations against 30-digit references."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs.baths import (
    DrudeLorentzBath,
    FermionicBath,
    FlatBath,
    OhmicBath,
    QuantumOpticalBath,
    TabulatedBath,
    UnderdampedBath,
)

BOSONIC = {
    "ohmic": lambda beta: OhmicBath(beta, 0.1, 5.0),
    "super-Ohmic": lambda beta: OhmicBath(beta, 0.1, 5.0, exponent=2.5),
    "radiation": lambda beta: QuantumOpticalBath(beta, 0.02, 5.0),
    "overdamped": lambda beta: DrudeLorentzBath(beta, 0.2, 2.0),
    "underdamped": lambda beta: UnderdampedBath(beta, 0.2, 3.0, 0.4),
}
DENSITIES = {
    "ohmic": lambda w: w * mpmath.exp(-w / 5) / 10,
    "super-Ohmic": lambda w: w * (w / 5) ** 1.5 * mpmath.exp(-w / 5) / 10,
    "radiation": lambda w: w**3 * mpmath.exp(-w / 5) / 50,
    "overdamped": lambda w: 0.8 * w / (w**2 + 4),
    "underdamped": lambda w: 1.44 * w / ((w**2 - 9) ** 2 + 0.16 * w**2),
}
OTHERS = {
    "flat": lambda beta: FlatBath(beta, 0.3, 0.05),
    "lead": lambda beta: FermionicBath(beta, 0.4, 0.3, 2.0),
    "table": lambda beta: table(beta),
}
FREQUENCIES = np.array([1e-8, 1e-3, 0.2, 1.0, 3.7, 20.0])


def is_traced(value):
    return isinstance(value, jax.core.Tracer)


def table(beta):
    largest = 25.0 if is_traced(beta) or abs(beta) < 20 else 12.0  # beyond, rates of a cold bath underflow
    sizes = np.linspace(0.0, largest, 60)
    frequencies = np.concatenate([-sizes[1:], sizes])
    return TabulatedBath(beta, frequencies, OhmicBath(beta, 0.1, 5.0).rate(frequencies))


@pytest.mark.parametrize("beta", [0.02, 1.3, 40.0])
@pytest.mark.parametrize("name", [*BOSONIC, *OTHERS])
def test_rates_obey_the_kms_condition(name, beta):
    bath = (BOSONIC | OTHERS)[name](beta)
    w = FREQUENCIES[FREQUENCIES < 12] if name == "table" else FREQUENCIES
    emission, absorption = bath.rate(w), bath.rate(-w)
    assert np.all(emission > 0)
    np.testing.assert_allclose(absorption, np.exp(-beta * w) * emission, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("name", BOSONIC)
def test_rates_are_those_of_the_spectral_density(name):
    bath = BOSONIC[name](1.3)
    density = np.array([float(DENSITIES[name](mpmath.mpf(w))) for w in FREQUENCIES])
    np.testing.assert_allclose(bath.spectral_density(FREQUENCIES), density, rtol=1e-14)
    np.testing.assert_allclose(bath.spectral_density(-FREQUENCIES), -density, rtol=1e-14)
    np.testing.assert_allclose(bath.rate(FREQUENCIES), 2 * density / -np.expm1(-1.3 * FREQUENCIES), rtol=1e-13)


@pytest.mark.parametrize("name", BOSONIC)
def test_a_cold_bath_absorbs_nothing(name):
    cold = BOSONIC[name](jnp.inf)
    np.testing.assert_array_equal(cold.rate(-FREQUENCIES), 0)
    np.testing.assert_allclose(cold.rate(FREQUENCIES), 2 * cold.spectral_density(FREQUENCIES), rtol=1e-15)
    assert np.all(np.isfinite(jax.vmap(jax.grad(cold.rate))(np.concatenate([FREQUENCIES, -FREQUENCIES]))))
    nearly = BOSONIC[name](1e6)
    np.testing.assert_allclose(nearly.correlation(0.7), cold.correlation(0.7), rtol=1e-9)


@pytest.mark.parametrize("w", [0.0, 1e-9, 0.3, 0.384, 0.385, -0.3, -5.0, 700.0])
def test_derivatives_of_a_rate_are_right_through_zero(w):
    bath = FermionicBath(1.0, 0.0, 1.0)  # only to have a bath whose rate is smooth and known: the logistic function
    logistic = float(mpmath.diff(lambda x: 1 / (1 + mpmath.exp(-x)), w))
    np.testing.assert_allclose(jax.grad(bath.rate)(w), logistic, atol=1e-12)
    smooth = DrudeLorentzBath(1.3, 0.2, 2.0)
    with mpmath.workdps(40):

        def rate(x):
            return 2 * 0.8 / (x**2 + 4) * (x / -mpmath.expm1(mpmath.mpf(-1.3) * x) if x else 1 / mpmath.mpf(1.3))

        expected = [float(mpmath.diff(rate, mpmath.mpf(w) + mpmath.mpf(10) ** -25, n)) for n in (1, 2)]
    slopes = jax.grad(smooth.rate)(w), jax.grad(jax.grad(smooth.rate))(w)
    np.testing.assert_allclose(slopes, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [*BOSONIC, "lead"])
@pytest.mark.parametrize("w", [0.0, 0.7, -2.2])
def test_level_shifts_are_principal_values(name, w):
    bath = (BOSONIC | OTHERS)[name](1.3)
    with mpmath.workdps(25):

        def rate(x):
            if name == "lead":
                return 0.3 / (1 + x**2 / 4) / (1 + mpmath.exp(-mpmath.mpf(1.3) * x))
            return 2 * mpmath.sign(x) * DENSITIES[name](abs(x)) / -mpmath.expm1(mpmath.mpf(-1.3) * x)

        ends = sorted({1e-15, abs(w) + 1e-15, 1.0, 3.0 + w, 3.0 - w, 8.0, 30.0, 120.0, 400.0, 1e4, 1e7})
        expected = mpmath.quad(lambda u: (rate(w - u) - rate(w + u)) / (2 * mpmath.pi * u), ends)
    np.testing.assert_allclose(bath.lamb_shift(w), float(expected), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(
        jax.grad(bath.lamb_shift)(w + 0.1),
        (bath.lamb_shift(w + 0.101) - bath.lamb_shift(w + 0.099)) / 0.002,
        rtol=1e-3,
        atol=1e-5,
    )


def test_the_reorganisation_energy_is_minus_the_shift_at_zero():
    for beta in (0.1, 1.3, jnp.inf):
        np.testing.assert_allclose(DrudeLorentzBath(beta, 0.2, 2.0).lamb_shift(0.0), -0.2, rtol=1e-12)
        np.testing.assert_allclose(UnderdampedBath(beta, 0.2, 3.0, 0.4).lamb_shift(0.0), -0.2, rtol=1e-10)


@pytest.mark.parametrize(("exponent", "strength"), [(1, 0.1), (3, 0.1)])
def test_cut_off_powers_have_correlations_that_are_zeta_functions(exponent, strength):
    # C(t) = (s! / pi) (zeta(s + 1, (1/c + it) / beta) + zeta(s + 1, 1 + (1/c - it) / beta)) / beta^(s + 1)
    bath = OhmicBath(1.3, strength, 5.0) if exponent == 1 else QuantumOpticalBath(1.3, strength, 5.0)
    times = np.array([0.0, 0.3, 40.0, 2.0 - 0.4j, 0.5 - 1.3j, -0.6j, -2.0 - 0.4j])
    with mpmath.workdps(25):

        def hurwitz(z):
            return mpmath.zeta(exponent + 1, z)

        def reference(t):
            a, t = mpmath.mpf(1) / 5, mpmath.mpc(t)
            beta, factor = mpmath.mpf(1.3), strength * mpmath.factorial(exponent) / mpmath.pi
            return factor * (hurwitz((a + 1j * t) / beta) + hurwitz(1 + (a - 1j * t) / beta)) / beta ** (exponent + 1)

        expected = np.array([complex(reference(t)) for t in times])
    np.testing.assert_allclose(bath.correlation(times), expected, rtol=2e-13)


@pytest.mark.parametrize("exponent", [0.2, 0.5])
def test_a_sub_ohmic_bath_loses_no_digits_where_its_rates_are_singular(exponent):
    """`x^(s - 1)` at frequency 0: energies by a gamma function, correlations by zeta functions, shifts by incomplete gammas."""
    strength, cutoff, beta = 0.1, 5.0, 1.3
    bath = OhmicBath(beta, strength, cutoff, exponent=exponent)
    s, factor = mpmath.mpf(exponent), strength * cutoff / mpmath.pi
    np.testing.assert_allclose(bath.reorganisation_energy(), float(factor * mpmath.gamma(s)), rtol=1e-12)
    for t in (0.0, 0.3, 7.0):
        near, far = (mpmath.zeta(s + 1, z) for z in (mpmath.mpc(0.2, t) / beta, 1 + mpmath.mpc(0.2, -t) / beta))
        expected = factor * cutoff**-s * mpmath.gamma(s + 1) * (near + far) / mpmath.mpf(beta) ** (s + 1)
        np.testing.assert_allclose(complex(bath.correlation(t)), complex(expected), rtol=1e-12)
    cold = OhmicBath(np.inf, strength, cutoff, exponent=exponent)
    for w in (-2.0, 0.3, 2.0):  # P int x^s e^-x / (a - x) dx, the real part of a value beside the cut
        a = mpmath.mpc(w / cutoff, 1e-40)
        integral = -mpmath.gamma(s + 1) * (-a) ** s * mpmath.exp(-a) * mpmath.gammainc(-s, -a)
        np.testing.assert_allclose(cold.lamb_shift(w), float((factor * integral).real), rtol=1e-11)
    warm = jg.davies(np.diag([0.0, 2.0]), [(np.array([[0.0, 1.0], [1.0, 0.0]]), bath)])
    shifts = np.diag(warm.hamiltonian_matrix()).real - np.array([0.0, 2.0])
    np.testing.assert_allclose(shifts, [bath.lamb_shift(-2.0), bath.lamb_shift(2.0)], rtol=1e-12)


@pytest.mark.parametrize("damping", [0.1, 3.6, 5.0, 6.1])
def test_poles_give_correlations_that_are_sums_of_exponentials(damping):
    bath, times = UnderdampedBath(1.3, 0.2, 3.0, damping), np.array([0.05, 0.5, 4.0, 20.0])
    with mpmath.workdps(30):
        beta, g, w0 = mpmath.mpf(1.3), mpmath.mpf(damping), mpmath.mpf(3)
        root = mpmath.sqrt(w0**2 - g**2 / 4)
        poles = [root - 1j * g / 2, -root - 1j * g / 2, root + 1j * g / 2, -root + 1j * g / 2]

        def reference(t):
            total = 0
            for k in (0, 1):
                p, rest = poles[k], mpmath.fprod(poles[k] - q for j, q in enumerate(poles) if j != k)
                total += 4 * mpmath.mpf(0.2) * g * w0**2 * p / rest / -mpmath.expm1(-beta * p) * mpmath.exp(-1j * p * t)

            def matsubara(k):
                w = -2j * mpmath.pi * k / beta
                return (
                    2
                    * 2
                    * mpmath.mpf(0.2)
                    * g
                    * w0**2
                    * w
                    / ((w**2 - w0**2) ** 2 + g**2 * w**2)
                    / beta
                    * mpmath.exp(-1j * w * t)
                )

            return -1j * (total + mpmath.nsum(matsubara, [1, mpmath.inf]))

        expected = np.array([complex(reference(mpmath.mpf(t))) for t in times])
    np.testing.assert_allclose(bath.correlation(times), expected, rtol=1e-9, atol=1e-10 * abs(expected[0]))


@pytest.mark.parametrize("cutoff", [0.05, 2.0, 2 * np.pi / 1.3, 2 * np.pi / 1.3 * (1 + 1e-9)])
def test_an_overdamped_bath_also_where_its_series_is_singular(cutoff):
    # 2 pi k / beta = cutoff makes two terms of the Matsubara series infinite; their sum has a limit
    times = np.array([0.02, 0.3, 3.0])
    with mpmath.workdps(40):
        beta, wc = mpmath.mpf(1.3), mpmath.mpf(cutoff) + mpmath.mpf(10) ** -12

        def reference(t):
            def term(k):
                v = 2 * mpmath.pi * k / beta
                return v * mpmath.exp(-v * t) / (v**2 - wc**2)

            series = mpmath.fsum(term(k) for k in range(1, 800 if t < 0.1 else 80))
            return mpmath.mpf(0.2) * wc * ((mpmath.cot(beta * wc / 2) - 1j) * mpmath.exp(-wc * t) + 4 / beta * series)

        expected = np.array([complex(reference(mpmath.mpf(t))) for t in times])
    bath = DrudeLorentzBath(1.3, 0.2, cutoff)
    np.testing.assert_allclose(bath.correlation(times), expected, rtol=1e-10)
    assert np.isinf(bath.correlation(0.0).real)


@pytest.mark.parametrize("name", [*BOSONIC, "table"])
def test_correlations_obey_the_kms_condition_in_time(name):
    bath, times = (BOSONIC | OTHERS)[name](1.3), np.array([0.2, 0.9, -3.0])
    shifted = bath.correlation(times - 1.3j)
    np.testing.assert_allclose(shifted, bath.correlation(-times), rtol=1e-9)
    np.testing.assert_allclose(bath.correlation(-times), np.conj(bath.correlation(times)), rtol=1e-12)
    middle = bath.correlation(-0.65j)
    np.testing.assert_allclose(middle.imag, 0, atol=1e-12 * middle.real)
    with pytest.raises(ValueError, match="imaginary part"):
        bath.correlation(0.5j)


@pytest.mark.slow
def test_the_rate_is_the_transform_of_the_correlation():
    bath, times = OhmicBath(1.3, 0.1, 5.0), np.linspace(-60, 60, 24001)
    values = bath.correlation(times)
    for w in (-1.1, 0.4, 2.0):
        transform = np.trapezoid(values * np.exp(1j * w * times), times)
        np.testing.assert_allclose(transform, bath.rate(w), rtol=0, atol=2e-3)  # what lies beyond |t| = 60
    damped = np.trapezoid(values * np.exp(1j * 2.0 * times), times).imag
    assert abs(damped) < 1e-12


@pytest.mark.slow
def test_a_table_reproduces_what_it_was_made_of_and_measures_its_own_violation():
    bath, ohmic = table(1.3), OhmicBath(1.3, 0.1, 5.0)
    w = np.array([0.0, 0.31, -2.77, 4.1, 24.9])
    assert bath.kms_violation < 1e-12
    np.testing.assert_allclose(bath.rate(w), ohmic.rate(w), rtol=2e-4)
    np.testing.assert_allclose(bath.lamb_shift(w[:4]), ohmic.lamb_shift(w[:4]), atol=2e-3)  # what lies beyond the table
    rates = np.array([0.1, 0.2, 0.3, 0.25, 0.2])
    spoilt = TabulatedBath(0.8, [-1.0, -0.5, 0.0, 0.5, 1.0], rates)
    expected = np.abs(np.log(rates[:2] / rates[:2:-1]) + 0.8 * np.array([1.0, 0.5])).max()
    np.testing.assert_allclose(spoilt.kms_violation, expected, rtol=1e-12)
    np.testing.assert_allclose(spoilt.rate(-0.7) / spoilt.rate(0.7), np.exp(-0.8 * 0.7), rtol=1e-13)
    one_sided = TabulatedBath(0.8, [0.0, 0.5, 1.0], rates[2:])
    assert one_sided.kms_violation == 0
    np.testing.assert_allclose(one_sided.rate([0.0, 0.5, 1.0]), rates[2:], rtol=1e-14)


def test_electrons_are_removed_and_injected_in_detailed_balance():
    lead, energies = FermionicBath(1.3, 0.4, 0.3), np.array([-2.0, 0.4, 1.7])
    filling = 1 / (np.exp(1.3 * (energies - 0.4)) + 1)
    np.testing.assert_allclose(lead.injection_rate(energies), 0.3 * filling, rtol=1e-14)
    np.testing.assert_allclose(lead.removal_rate(energies), 0.3 * (1 - filling), rtol=1e-14)
    inverted = FermionicBath(-1.3, 0.4, 0.3)
    np.testing.assert_allclose(inverted.injection_rate(energies), 0.3 * (1 - filling), rtol=1e-14)
    cold = FermionicBath(jnp.inf, 0.4, 0.3)
    np.testing.assert_array_equal(cold.injection_rate(energies), [0.3, 0.15, 0.0])
    assert np.isfinite(jax.grad(lambda e: cold.injection_rate(e))(0.4))


@pytest.mark.parametrize("name", [*BOSONIC, *OTHERS])
def test_single_precision_batches_and_derivatives(name):
    make = (BOSONIC | OTHERS)[name]
    w = FREQUENCIES.astype(np.float32)

    def total(beta, w):
        return jnp.sum(make(beta).rate(w))

    betas = jnp.asarray([0.5, 1.3], jnp.float32)
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(total), (0, None)))(betas, w)
    assert np.all(np.isfinite(slopes))
    if name != "table":  # made of float64 numbers
        assert values.dtype == jnp.float32
    np.testing.assert_allclose(values, [total(0.5, FREQUENCIES), total(1.3, FREQUENCIES)], rtol=1e-5)
    step = 1e-5
    expected = [(total(b + step, FREQUENCIES) - total(b - step, FREQUENCIES)) / (2 * step) for b in (0.5, 1.3)]
    np.testing.assert_allclose(slopes, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OhmicBath(-1.0, 0.1, 5.0), "`beta` must be a positive number, but is -1"),
        (lambda: OhmicBath(0.0, 0.1, 5.0), "`beta` must be a positive number"),
        (lambda: OhmicBath(jnp.nan, 0.1, 5.0), "`beta` must be a positive number"),
        (lambda: OhmicBath(1.0, -0.1, 5.0), "`strength` must be finite, a number of at least 0"),
        (lambda: OhmicBath(1.0, 0.1, np.inf), "`cutoff` must be finite, a positive number"),
        (lambda: OhmicBath(1.0, 0.1, 5.0, exponent=0), "`exponent` must be a positive number"),
        (lambda: OhmicBath([1.0, 2.0], 0.1, 5.0), "has shape"),
        (lambda: DrudeLorentzBath(1.0, 0.1j, 5.0), "dtype complex"),
        (lambda: FlatBath(1.0, 0.1).lamb_shift(1.0), "no level shift"),
        (lambda: FermionicBath(1.0, 0.0, 0.1).lamb_shift(1.0), "no level shift"),
        (lambda: FlatBath(1.0, 0.1).correlation(1.0), "no correlation function"),
        (lambda: FermionicBath(1.0, np.inf, 0.1), "`chemical_potential` must be finite, a number"),
        (lambda: table(1.0).rate(30.0), "within the table"),
        (lambda: TabulatedBath(1.0, [0.0, 1.0, 2.0], [0.1, 0.2]), "must have the shape"),
        (lambda: TabulatedBath(1.0, [0.0, 1.0, 2.0], [0.1, 0.0, 0.2]), "must be positive"),
        (lambda: TabulatedBath(1.0, [0.0, 1.0, 2.0], [0.1, np.nan, 0.2]), "must be finite"),
        (lambda: TabulatedBath(1.0, [0.0, 1.0, 1.0], [0.1, 0.1, 0.2]), "must not repeat"),
        (lambda: TabulatedBath(1.0, [-1.0, 0.0, 1.0], [0.1, 0.1, 0.2]), "three different sizes"),
        (lambda: TabulatedBath(1.0, [[0.0, 1.0, 2.0]], [[0.1, 0.1, 0.2]]), "shape \\(points,\\)"),
        (lambda: jax.jit(lambda w: TabulatedBath(1.0, w, np.ones(3)).beta)(np.arange(3.0)), "must have values"),
        (lambda: table(np.inf), "`beta` must be finite"),
    ],
)
def test_misuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_cannot_be_read_under_a_trace_is_nan():
    assert np.isnan(jax.jit(lambda b: OhmicBath(b, 0.1, 5.0).rate(1.0))(-1.0))
    assert np.isnan(jax.jit(lambda w: table(1.0).rate(w))(30.0))
    assert np.isnan(jax.jit(lambda t: OhmicBath(1.0, 0.1, 5.0).correlation(t))(0.5j))
