"""QuTiP: `Qobj` both ways, and a master equation from what its `mesolve` takes. Both stack columns; site 0 is left-most."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from jaxgibbs.open_systems import Lindbladian
from jaxgibbs.open_systems.generator import AbstractGenerator
from jaxgibbs.operators import as_operator

from ._strings import needed


def from_qutip(qobj) -> Inexact[Array, "..."]:
    """The matrix of a `Qobj` (a vector of a ket or bra), real where all its elements are.

    Operators are taken wherever a Hamiltonian or an observable is, superoperators act on stacked columns.

    Args:
        qobj: a `qutip.Qobj`.

    Raises:
        ValueError: if it is none.
    """
    qutip = needed("qutip")
    if not isinstance(qobj, qutip.Qobj):
        raise ValueError(f"`qobj` must be a `qutip.Qobj`, but is a `{type(qobj).__name__}`.")
    matrix = np.asarray(qobj.full())
    matrix = matrix if np.any(np.imag(matrix)) else np.real(matrix)
    return jnp.asarray(matrix.ravel() if qobj.isket or qobj.isbra else matrix)


def to_qutip(value: Any, dims: Sequence[int] | None = None):
    """A `Qobj`: an operator of an operator or a square matrix, a ket of a vector, a superoperator of a generator.

    Args:
        value: what to convert.
        dims: dimensions of the subsystems, left-most first; one system by default.

    Raises:
        ValueError: if `dims` do not multiply to the dimension, or the array is neither vector nor square.
    """
    qutip = needed("qutip")
    if isinstance(value, AbstractGenerator):
        shape = _dims(dims, value.dim)
        return qutip.Qobj(np.asarray(value.to_dense()), dims=[[shape, shape], [shape, shape]])
    array = np.asarray(value) if _is_array(value) else np.asarray(as_operator(value).to_dense())
    if array.ndim == 1:
        shape = _dims(dims, len(array))
        return qutip.Qobj(array[:, None], dims=[shape, [1] * len(shape)])
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"`value` must be a vector or a square matrix, but has shape {array.shape}.")
    shape = _dims(dims, len(array))
    return qutip.Qobj(array, dims=[shape, shape])


def lindbladian_from_qutip(hamiltonian, collapse_operators: Sequence) -> Lindbladian:
    """The `Lindbladian` of a Hamiltonian and collapse operators as `qutip.mesolve` takes them, every rate 1.

    Args:
        hamiltonian: a `Qobj`.
        collapse_operators: `Qobj`s, with the square roots of their rates within.

    Raises:
        ValueError: if one is no `Qobj`, or the Hamiltonian is not Hermitian.
    """
    return Lindbladian(from_qutip(hamiltonian), [from_qutip(jump) for jump in collapse_operators])


def _is_array(value) -> bool:
    return isinstance(value, np.ndarray | jnp.ndarray | list | tuple)


def _dims(dims, dim) -> list[int]:
    found = [dim] if dims is None else [int(d) for d in dims]
    if int(np.prod(found)) != dim:
        raise ValueError(f"`dims` must multiply to the dimension {dim}, but {found} multiply to {np.prod(found)}.")
    return found
