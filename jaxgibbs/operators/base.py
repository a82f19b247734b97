"""What an operator is: `sum_k theta_k T_k`, with the couplings `theta_k` as leaves and the terms `T_k` as structure."""

import abc
import functools
import operator as arithmetic
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Inexact

from jaxgibbs._errors import check_finite


def inexact(value: ArrayLike) -> Array:
    """An array of floating or complex dtype: integers become floats, so that `coupling=1` has a gradient.

    Raises:
        ValueError: for half precision, which no eigensolver takes.
    """
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        return array.astype(jnp.result_type(float))
    if jnp.finfo(array.dtype).bits < 32:
        raise ValueError(
            f"Numbers must have single or double precision, but have dtype {array.dtype}; convert them to `jnp.float32`."
        )
    return array


def real_scalar(name: str, value: ArrayLike, dtype=None) -> Array:
    """`value` as a finite real scalar, of the precision of `dtype` if given.

    Raises:
        ValueError: if it is no scalar, complex, or (where it is known) not finite.
    """
    array = inexact(value)
    if array.ndim != 0 or jnp.iscomplexobj(array):
        raise ValueError(
            f"`{name}` must be a real scalar, but has shape {array.shape} and dtype {array.dtype}; "
            "map over an array of them with `jax.vmap`."
        )
    check_finite(name, array)
    return array if dtype is None else array.astype(jnp.finfo(dtype).dtype)


class AbstractOperator(eqx.Module):
    """A Hermitian operator on a space of dimension `dim`.

    Operators add (`a + b`, `a - b`, `sum([a, b])`) and scale (`2.0 * a`, `a / 3`); the factors are differentiable leaves.
    """

    __array_ufunc__ = None  # `numpy_scalar * operator` is left to `__rmul__`

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Dimension of the space the operator acts on."""

    @property
    @abc.abstractmethod
    def dtype(self) -> np.dtype:
        """dtype of the matrix elements."""

    @abc.abstractmethod
    def to_dense(self) -> Inexact[Array, "dim dim"]:
        """The matrix."""

    @abc.abstractmethod
    def matvec(self, vector: Inexact[Array, " dim"]) -> Inexact[Array, " dim"]:
        """The product with a vector of shape `(dim,)`."""

    def linear_map(self) -> Callable[[Inexact[Array, " dim"]], Inexact[Array, " dim"]]:
        """`matvec` as a function that has prepared what does not depend on the vector, for many products in a row."""
        return self.matvec

    @property
    def space(self) -> tuple:
        """What space the operator acts on: operators may be added where this is equal."""
        return "dimension", self.dim

    def __add__(self, other: "AbstractOperator") -> "AbstractOperator":
        if not isinstance(other, AbstractOperator):
            return NotImplemented
        return Sum((self, other))

    def __radd__(self, other: int) -> "AbstractOperator":
        return self if isinstance(other, int) and other == 0 else NotImplemented  # where `sum` starts

    def __sub__(self, other: "AbstractOperator") -> "AbstractOperator":
        if not isinstance(other, AbstractOperator):
            return NotImplemented
        return Sum((self, Scaled(-1.0, other)))

    def __mul__(self, factor: ArrayLike) -> "AbstractOperator":
        if isinstance(factor, AbstractOperator):
            return NotImplemented
        return Scaled(factor, self)

    __rmul__ = __mul__

    def __truediv__(self, divisor: ArrayLike) -> "AbstractOperator":
        return Scaled(1.0 / inexact(divisor), self)

    def __neg__(self) -> "AbstractOperator":
        return Scaled(-1.0, self)


class Scaled(AbstractOperator):
    """`factor * operator` with a real factor that is a leaf."""

    factor: Inexact[Array, ""]
    operator: AbstractOperator

    def __init__(self, factor: ArrayLike, operator: AbstractOperator):
        self.factor = inexact(factor)
        self.operator = operator
        if self.factor.ndim != 0 or jnp.issubdtype(self.factor.dtype, jnp.complexfloating):
            raise ValueError(
                f"The factor of an operator must be a real scalar, but has shape {self.factor.shape} and dtype {self.factor.dtype}."
            )
        check_finite("factor", self.factor)

    @property
    def dim(self) -> int:
        return self.operator.dim

    @property
    def space(self) -> tuple:
        return self.operator.space

    @property
    def dtype(self) -> np.dtype:
        return jnp.result_type(self.factor, self.operator.dtype)

    def to_dense(self):
        return self.factor * self.operator.to_dense()

    def matvec(self, vector):
        return self.factor * self.operator.matvec(vector)

    def linear_map(self):
        prepared = self.operator.linear_map()
        return lambda vector: self.factor * prepared(vector)


class Sum(AbstractOperator):
    """A sum of operators on the same space."""

    parts: tuple[AbstractOperator, ...]

    def __init__(self, parts):
        flat: list[AbstractOperator] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, Sum) else (part,))
        if not flat:
            raise ValueError("A `Sum` must have at least one part, but got none.")
        spaces = {part.space: None for part in flat}
        if len(spaces) > 1:
            names = " and ".join(" ".join(map(str, space)) for space in spaces)
            raise ValueError(f"Operators must act on the same space to be added, but act on {names}.")
        self.parts = tuple(flat)

    @property
    def dim(self) -> int:
        return self.parts[0].dim

    @property
    def space(self) -> tuple:
        return self.parts[0].space

    @property
    def dtype(self) -> np.dtype:
        return jnp.result_type(*(part.dtype for part in self.parts))

    def to_dense(self):
        total = self.parts[0].to_dense()
        for part in self.parts[1:]:
            total = total + part.to_dense()
        return total

    def matvec(self, vector):
        return _summed((part.matvec for part in self.parts), vector)

    def linear_map(self):
        prepared = [part.linear_map() for part in self.parts]
        return lambda vector: _summed(prepared, vector)


def _summed(maps, vector):
    return functools.reduce(arithmetic.add, (product(vector) for product in maps))
