"""Thermal spectra of free modes: the ideal Bose and Fermi gases with `x_k = beta e_k` (the chemical potential included)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgibbs._errors import NotTraceClass, check_finite, is_concrete, nan_unless
from jaxgibbs.linalg.levels import LevelSums
from jaxgibbs.operators import AbstractOperator, Bosons, Fermions, Scaled, Sum, simplify
from jaxgibbs.operators.base import inexact

from .state import AbstractThermalSpectrum, no_matrix, renyi, smooth_inside


class FermionSpectrum(AbstractThermalSpectrum):
    """`ln Z = sum_k ln(1 + e^{-x_k})`, `<n_k> = 1 / (e^{x_k} + 1)`."""

    operator: Fermions

    def _x(self, beta):
        return exponent(beta, self.operator.energies)

    def _magnitude(self, beta):
        """`|x|`, with the derivative +1 at 0: even functions of `x` written with it are right to every order."""
        x = self._x(beta)
        return jnp.where(x < 0, -x, x)

    def log_partition(self, beta):
        return jnp.sum(jax.nn.softplus(-self._x(beta)))

    def populations(self, beta):
        """Occupations `<n_k>`."""
        return jax.nn.sigmoid(-self._x(beta))

    def energy(self, beta):
        return jnp.sum(self.operator.energies * self.populations(beta))

    def energy_variance(self, beta):
        return jnp.sum(self.operator.energies**2 * self._spread(beta))

    def entropy(self, beta):
        # softplus(-x) + x f(x), written for |x|: f(-x) = 1 - f(x), and the entropy is even in x.
        x = self._magnitude(beta)
        return jnp.sum(jax.nn.softplus(-x) + _finite_product(x, jax.nn.sigmoid(-x)))

    def heat_capacity(self, beta):
        x = self._x(beta)
        return smooth_inside(jnp.sum(_finite_product(x, _finite_product(x, self._spread(beta)))), beta)

    def renyi_entropy(self, beta, order):
        def log_shifted(b):
            return jnp.sum(jax.nn.softplus(-self._magnitude(b)))

        return renyi(log_shifted, self.entropy, self.operator.dim * np.log(2.0), jnp.zeros_like, inexact(beta), order)

    def expectation(self, beta, observable):
        return jnp.sum(mode_values(observable, self.operator) * self.populations(beta))

    def covariance_matrix(self, beta, observables):
        return _mode_covariance(observables, self.operator, self._spread(beta))

    def density_matrix(self, beta):
        levels = jnp.diagonal(self.operator.to_dense())
        return jnp.diag(LevelSums(-jnp.asarray(beta, levels.dtype), levels).weights)

    def explain(self):
        return f"closed form of {self.operator.dim} free fermionic modes; error: rounding"

    def _spread(self, beta):
        x = self._x(beta)
        return jax.nn.sigmoid(-x) * jax.nn.sigmoid(x)


class BosonSpectrum(AbstractThermalSpectrum):
    """`ln Z = -sum_k ln(1 - e^{-x_k})`, `<n_k> = 1 / (e^{x_k} - 1)`; every `x_k` must be positive."""

    operator: Bosons

    def _x(self, beta):
        x = exponent(beta, self.operator.energies)
        if is_concrete(x) and not np.all(np.asarray(x) > 0):
            raise NotTraceClass(
                "Every mode must have `beta * energy > 0` (a chemical potential below the lowest mode), but the smallest is "
                f"{float(jnp.min(x)):.3g}: the sum over its occupations diverges."
            )
        return nan_unless(jnp.all(x > 0), x)

    def log_partition(self, beta):
        return -jnp.sum(_log1mexp(self._x(beta)))

    def populations(self, beta):
        """Occupations `<n_k>`."""
        return _bose(self._x(beta))

    def energy(self, beta):
        return jnp.sum(self.operator.energies * self.populations(beta))

    def energy_variance(self, beta):
        return jnp.sum(self.operator.energies**2 * self._spread(beta))

    def entropy(self, beta):
        x = self._x(beta)
        return jnp.sum(_finite_product(x, _bose(x)) - _log1mexp(x))

    def heat_capacity(self, beta):
        x = self._x(beta)  # x^2 n (n + 1) = (x / 2 sinh(x / 2))^2, where n^2 may overflow
        return smooth_inside(jnp.sum(_finite_product(x, jnp.exp(-x / 2) / -jnp.expm1(-x)) ** 2), beta)

    def renyi_entropy(self, beta, order):
        def log_shifted(b):
            return -jnp.sum(_log1mexp(self._x(b)))

        return renyi(log_shifted, self.entropy, jnp.inf, jnp.zeros_like, inexact(beta), order)

    def expectation(self, beta, observable):
        return jnp.sum(mode_values(observable, self.operator) * self.populations(beta))

    def covariance_matrix(self, beta, observables):
        return _mode_covariance(observables, self.operator, self._spread(beta))

    def density_matrix(self, beta):
        raise no_matrix(self.operator, "`density_matrix`")

    def explain(self):
        return f"closed form of {self.operator.dim} free bosonic modes; error: rounding"

    def _spread(self, beta):
        n = self.populations(beta)
        return n * (n + 1)


def mode_values(observable: Any, operator: Bosons | Fermions):
    """The coefficients `c_k` of an observable `sum_k c_k n_k` of the same modes."""
    if isinstance(observable, Scaled | Sum):
        observable = simplify(observable)
    if isinstance(observable, AbstractOperator) and type(observable) is not type(operator):
        raise ValueError(
            f"`observable` must be `{type(operator).__name__}` like the Hamiltonian, but is `{type(observable).__name__}`."
        )
    values = observable.energies if isinstance(observable, Bosons | Fermions) else inexact(observable)
    if values.shape != operator.energies.shape or jnp.iscomplexobj(values):
        raise ValueError(
            f"`observable` must have one real coefficient a mode, shape {operator.energies.shape}, but has shape "
            f"{values.shape} and dtype {values.dtype}."
        )
    check_finite("observable", values)
    return values


def _mode_covariance(observables, operator, spread):
    if not observables:
        raise ValueError("`observables` must have at least one operator, but is empty.")
    values = jnp.stack([mode_values(observable, operator) for observable in observables])
    return jnp.einsum("ak,bk,k->ab", values, values, spread, precision="highest")


def exponent(beta, energies):
    """`beta e_k`, 0 for a mode at zero energy also at infinite `beta`."""
    beta, zero = jnp.asarray(beta, energies.dtype), energies == 0
    x = jnp.where(zero, jnp.where(jnp.isinf(beta), 0, beta) * energies, beta * jnp.where(zero, 1, energies))
    return smooth_inside(x, beta)


def _finite_product(x, y):
    """`x y` for a `y` that decays exponentially: 0 at infinite `x`."""
    infinite = jnp.isinf(x)
    return jnp.where(infinite, 0, jnp.where(infinite, 0, x) * y)


def _log1mexp(x):
    """`ln(1 - e^{-x})` for `x > 0`, accurate at both ends."""
    small = x < 0.6931
    near = jnp.log(-jnp.expm1(-jnp.where(small, x, 1)))
    far = jnp.log1p(-jnp.exp(-jnp.where(small, 1, x)))
    return jnp.where(small, near, far)


def _bose(x):
    return jnp.exp(-x) / -jnp.expm1(-x)
