"""What several test files need: programs inspected as they are traced, and references to 50 digits and more.

References know nothing of eigenvectors or divided differences of matrices: derivatives are the coefficients of truncated
polynomials (`Jet`), to which matrix functions are applied by series, squarings and inverses in 80-digit arithmetic.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

# -- programs --------------------------------------------------------------------------------------------------------

_DECOMPOSITIONS = {"decompose", "eigh", "eig", "schur", "svd", "qr", "householder_product", "tridiagonal"}


def equations(jaxpr, repeats: int = 1) -> Iterator[tuple[object, int]]:
    """Every equation of a traced program, nested programs included, with how often it runs.

    Of the branches of a `cond` only one runs: the one with the most decompositions is taken.
    """
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    for equation in jaxpr.eqns:
        yield equation, repeats
        inner = [item for value in equation.params.values() for item in _programs(value)]
        if equation.primitive.name == "cond":
            inner = [max(inner, key=_decompositions_in)]
        times = equation.params["length"] if equation.primitive.name == "scan" else 1
        for program in inner:
            if equation.primitive.name == "while" and _decompositions_in(program):
                raise AssertionError("a decomposition inside a `while` runs an unknown number of times")
            yield from equations(program, repeats * times)


def _programs(value) -> Iterator[object]:
    for item in value if isinstance(value, list | tuple) else [value]:
        if hasattr(item, "jaxpr") or hasattr(item, "eqns"):
            yield item


def _decompositions_in(jaxpr) -> int:
    total = 0
    for equation, repeats in equations(jaxpr):
        kernel = str(equation.params.get("target_name", ""))
        if equation.primitive.name in _DECOMPOSITIONS or "lapack" in kernel:
            total += repeats * math.prod(equation.invars[0].aval.shape[:-2])
    return total


def decompositions(function: Callable, *arguments) -> int:
    """Matrices decomposed by `function(*arguments)`: calls in the traced program times their batch size."""
    return _decompositions_in(jax.make_jaxpr(function)(*arguments))


# -- matrices and derivatives ----------------------------------------------------------------------------------------


def direction(rng: np.random.Generator, dim: int, is_complex: bool = False) -> np.ndarray:
    """A random Hermitian matrix of norm 1."""
    matrix = rng.normal(size=(dim, dim)) + (1j * rng.normal(size=(dim, dim)) if is_complex else 0)
    matrix = matrix + matrix.conj().T
    return matrix / np.linalg.norm(matrix, 2)


def with_levels(rng: np.random.Generator, levels, is_complex: bool = False) -> np.ndarray:
    """A Hermitian matrix with these eigenvalues in a random basis."""
    basis = np.linalg.eigh(direction(rng, len(levels), is_complex))[1]
    matrix = (basis * np.asarray(levels)) @ basis.conj().T
    return (matrix + matrix.conj().T) / 2


def _forward(derivatives):
    def raised(t):
        values, slopes = jax.jvp(derivatives, (t,), (jnp.ones_like(t),))
        return [*values, slopes[-1]]

    return raised


def _reverse(derivatives):
    def raised(t):
        slope, values = jax.grad(lambda t: ((answers := derivatives(t))[-1], answers), has_aux=True)(t)
        return [*values, slope]

    return raised


def derivatives_of(function: Callable, modes: str) -> Callable:
    """`t -> [f, f', f'', ...]`, a derivative for each letter of `modes`, the innermost first: f(orward) or r(everse)."""
    return functools.reduce(lambda f, mode: {"f": _forward, "r": _reverse}[mode](f), modes, lambda t: [function(t)])


# -- numbers of many digits ------------------------------------------------------------------------------------------

DIGITS = 80


def in_digits(function: Callable) -> Callable:
    """Run `function` in `DIGITS`-digit arithmetic."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        with mpmath.workdps(DIGITS):
            return function(*args, **kwargs)

    return wrapped


def exact(array) -> np.ndarray:
    """An array of floats as an array of `mpf` or `mpc`, without rounding."""
    array = np.asarray(array)
    if array.dtype == object:
        return array
    convert = (lambda z: mpmath.mpc(complex(z))) if np.iscomplexobj(array) else (lambda x: mpmath.mpf(float(x)))
    return np.frompyfunc(convert, 1, 1)(array) + np.zeros(array.shape, dtype=object)


def rounded(array) -> np.ndarray:
    """An array of `mpf` or `mpc` as floats."""
    array = np.asarray(array, dtype=object)
    kind = complex if any(isinstance(z, mpmath.mpc) for z in array.ravel()) else float
    return np.array([kind(z) for z in array.ravel()]).reshape(array.shape)


def divided_difference(function: Callable, nodes) -> mpmath.mpf:
    """`f[x_0, ..., x_k]`, k < 6, by the defining recursion at 300 digits, equal nodes set 1e-40 apart: exact to 39 digits."""
    with mpmath.workdps(300):
        nodes = [mpmath.mpf(float(x)) for x in nodes]
        small = min([abs(x) for x in nodes if x != 0], default=1)
        nodes = [x + k * min(small, 1) * mpmath.mpf(10) ** -40 for k, x in enumerate(nodes)]
        table = [function(x) for x in nodes]
        for order in range(1, len(nodes)):
            table = [
                (upper - lower) / (nodes[k + order] - nodes[k])
                for k, (lower, upper) in enumerate(itertools.pairwise(table))
            ]
        return table[0]


@in_digits
def opitz(matrix_function: Callable, nodes) -> mpmath.mpf:
    """`f[x_0, ..., x_k]` as the corner of `f` of the bidiagonal matrix of the nodes (Opitz 1964)."""
    count = len(nodes)
    bidiagonal = mpmath.matrix(count, count)
    for k, node in enumerate(nodes):
        bidiagonal[k, k] = mpmath.mpf(float(node))
        if k:
            bidiagonal[k - 1, k] = 1
    return matrix_function(bidiagonal)[0, count - 1]


# -- jets ------------------------------------------------------------------------------------------------------------


class Jet:
    """A square matrix of polynomials in `t_1 ... t_n`, cut off above the degree `orders[k]` in `t_k`."""

    def __init__(self, coefficients: dict, orders: tuple[int, ...]):
        self.coefficients, self.orders = coefficients, orders

    @classmethod
    def affine(cls, base, *directions, orders: tuple[int, ...]) -> "Jet":
        """`base + sum_k t_k directions[k]`."""
        units = [tuple(int(k == j) for j in range(len(orders))) for k in range(len(orders))]
        terms = {(0,) * len(orders): exact(base)}
        terms.update({unit: exact(d) for unit, d in zip(units, directions, strict=True) if d is not None})
        return cls(terms, orders)

    @property
    def body(self) -> np.ndarray:
        """The matrix at `t = 0`."""
        return self.coefficients[(0,) * len(self.orders)]

    def constant(self, matrix) -> "Jet":
        """A matrix without `t`, in the same variables."""
        return Jet({(0,) * len(self.orders): matrix}, self.orders)

    @property
    def one(self) -> "Jet":
        """The identity."""
        return self.constant(exact(np.eye(len(self.body))))

    @property
    def nilpotent(self) -> "Jet":
        """The part that vanishes at `t = 0`."""
        return Jet({index: c for index, c in self.coefficients.items() if any(index)}, self.orders)

    @in_digits
    def __add__(self, other: "Jet") -> "Jet":
        terms = dict(self.coefficients)
        for index, c in other.coefficients.items():
            terms[index] = terms[index] + c if index in terms else c
        return Jet(terms, self.orders)

    @in_digits
    def __rmul__(self, number) -> "Jet":
        return Jet({index: c * number for index, c in self.coefficients.items()}, self.orders)

    @in_digits
    def __sub__(self, other: "Jet") -> "Jet":
        return self + (-1) * other

    @in_digits
    def __matmul__(self, other: "Jet") -> "Jet":
        terms: dict = {}
        for (i, a), (j, b) in itertools.product(self.coefficients.items(), other.coefficients.items()):
            index = tuple(p + q for p, q in zip(i, j, strict=True))
            if all(p <= q for p, q in zip(index, self.orders, strict=True)):
                product = a @ b
                terms[index] = terms[index] + product if index in terms else product
        return Jet(terms, self.orders)

    @in_digits
    def derivative(self, *index: int) -> np.ndarray:
        """The partial derivative at `t = 0`, `index[k]` times in `t_k`."""
        zero = 0 * self.body
        return self.coefficients.get(tuple(index), zero) * math.prod(math.factorial(n) for n in index)

    @in_digits
    def trace(self) -> "Jet":
        """The trace, as a 1 x 1 matrix."""
        return Jet({index: np.array([[np.trace(c)]]) for index, c in self.coefficients.items()}, self.orders)

    @in_digits
    def norm(self):
        """The Frobenius norm at `t = 0`."""
        return mpmath.sqrt(sum(abs(z) ** 2 for z in self.body.ravel()))


def _series(terms: Iterator[Jet]) -> Jet:
    """The sum of a series, until its terms no longer count."""
    total = next(terms)
    for term in terms:
        total = total + term
        if all(abs(z) < mpmath.mpf(10) ** -(DIGITS + 5) for c in term.coefficients.values() for z in c.ravel()):
            return total
    raise AssertionError("a series ended early")


@in_digits
def jet_exp(a: Jet) -> Jet:
    """`e^A` by scaling, Taylor's series and squaring."""
    squarings = max(0, int(mpmath.ceil(mpmath.log(a.norm() + 1, 2))) + 4)
    scaled = mpmath.mpf(2) ** -squarings * a

    def terms():
        term = a.one
        for n in itertools.count(1):
            yield term
            term = mpmath.mpf(1) / n * (term @ scaled)

    total = _series(terms())
    for _ in range(squarings):
        total = total @ total
    return total


@in_digits
def jet_inverse(a: Jet) -> Jet:
    """`A^-1`: the inverse at `t = 0` and a Neumann series, which ends."""
    body = a.constant(np.array((mpmath.matrix(a.body.tolist()) ** -1).tolist(), dtype=object))
    step = (-1) * (body @ a.nilpotent)
    total = term = body
    for _ in range(sum(a.orders)):
        term = step @ term
        total = total + term
    return total


@in_digits
def jet_sqrt(a: Jet) -> Jet:
    """`A^(1/2)` by Denman and Beavers' iteration."""
    y, z = a, a.one
    for _ in range(12 + int(mpmath.log(a.norm() + 1 / a.norm() + jet_inverse(a).norm(), 2))):
        y, z = mpmath.mpf(0.5) * (y + jet_inverse(z)), mpmath.mpf(0.5) * (z + jet_inverse(y))
    return y


@in_digits
def jet_log(a: Jet) -> Jet:
    """`ln A` by square roots until it is near 1, then `2 artanh((A - 1) / (A + 1))`."""
    roots = 0
    while (a - a.one).norm() > 0.1:
        a, roots = jet_sqrt(a), roots + 1
    ratio = (a - a.one) @ jet_inverse(a + a.one)
    square = ratio @ ratio

    def terms():
        power = ratio
        for n in itertools.count(1, 2):
            yield mpmath.mpf(2) ** (roots + 1) / n * power
            power = power @ square

    return _series(terms())


@in_digits
def jet_power(a: Jet, exponent: float) -> Jet:
    """`A^p = e^{p ln A}`."""
    return jet_exp(mpmath.mpf(exponent) * jet_log(a))


@in_digits
def jet_fermi(a: Jet) -> Jet:
    """`(e^A + 1)^-1`, by `e^-A`: for an `A` that is not very negative."""
    decay = jet_exp(mpmath.mpf(-1) * a)
    return decay @ jet_inverse(a.one + decay)


@in_digits
def jet_bose(a: Jet) -> Jet:
    """`(e^A - 1)^-1`."""
    decay = jet_exp(mpmath.mpf(-1) * a)
    return decay @ jet_inverse(a.one - decay)


@in_digits
def jet_log_trace(a: Jet) -> Jet:
    """`ln Tr A`, as a 1 x 1 matrix."""
    trace = a.trace()
    ratio = (1 / trace.body[0, 0]) * trace.nilpotent
    total, power = a.trace().constant(np.array([[mpmath.log(trace.body[0, 0])]])), trace.one
    for n in range(1, sum(a.orders) + 1):
        power = power @ ratio
        total = total + (mpmath.mpf((-1) ** (n + 1)) / n) * power
    return total
