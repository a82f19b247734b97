"""Magnetic molecules: a few spins, each with its own size and g-tensor."""

import jax.numpy as jnp
from jaxtyping import ArrayLike

from jaxgibbs.operators.local import kron, spin_dimension, spin_matrices
from jaxgibbs.operators.terms import TermSum

from ._assembly import check_shape, real_couplings, sparse_terms, tied_or_each


def spin_dimer(
    coupling: ArrayLike,
    *,
    spins: tuple[float, float] = (0.5, 0.5),
    field: ArrayLike = 0.0,
    g: ArrayLike = 1.0,
    single_ion: ArrayLike = 0.0,
) -> TermSum:
    """Two spins, `H = S_0 . J . S_1 - sum_i h . g_i . S_i + sum_i D_i (S_i^z)^2`.

    With a scalar coupling the levels at `h = D = 0` are `J [S (S + 1) - S_0 (S_0 + 1) - S_1 (S_1 + 1)] / 2` with
    degeneracy `2 S + 1`: `J > 0` is antiferromagnetic. (Chemists often write `-2 J S_0 . S_1`: their J is `-J / 2`.)

    Args:
        coupling: `J`, a scalar, or a tensor of shape `(3, 3)` that holds anisotropic and antisymmetric exchange too.
        spins: the two spins.
        field: `h`, a scalar along z or shape `(3,)`, as an energy `mu_B B`.
        g: g-factor, a scalar, one a site `(2,)`, or tensors `(2, 3, 3)`. 1 by default: the field is `g mu_B B`.
        single_ion: `D`, a scalar or shape `(2,)`.

    Returns:
        A `TermSum` with linear couplings `coupling`, `field` (`g_i^T h`, the field each spin feels) and `single_ion`;
        derivatives in `g` and `h` come from differentiating through this function. The matrix is real when `coupling`,
        `field` and `g` name no direction but z.
    """
    if len(spins) != 2:
        raise ValueError(f"`spins` must be two spins, but has {len(spins)} entries.")
    values = real_couplings(coupling=coupling, field=field, g=g, single_ion=single_ion)
    check_shape("coupling", values["coupling"], (), (3, 3))
    check_shape("field", values["field"], (), (3,))
    check_shape("g", values["g"], (), (2,), (2, 3, 3))
    check_shape("single_ion", values["single_ion"], (), (2,))
    fields = _local_fields(values["field"], values["g"])

    matrices = [spin_matrices(spin) for spin in spins]
    pairs = [[(kron(a, b), (0, 1)) for b in matrices[1]] for a in matrices[0]]
    if values["coupling"].ndim == 0:
        exchange = [[pairs[axis][axis] for axis in range(3)]]
    else:
        exchange = [[pair] for row in pairs for pair in row]
    axes = [2] if fields.ndim == 1 else [0, 1, 2]
    squares = [(matrices[site][2] ** 2, (site,)) for site in range(2)]
    terms = {
        "coupling": exchange,
        "field": [[(-matrices[site][axis], (site,))] for site in range(2) for axis in axes],
        "single_ion": tied_or_each(squares, values["single_ion"].ndim == 0),
    }
    couplings = {"coupling": values["coupling"], "field": fields, "single_ion": values["single_ion"]}
    return TermSum(couplings, sparse_terms([spin_dimension(spin) for spin in spins], terms))


def _local_fields(field, g):
    """`g_i^T h` of both sites: shape `(2,)` where only z occurs, else `(2, 3)`."""
    if g.ndim < 3:
        factors = jnp.broadcast_to(g, (2,))
        return factors * field if field.ndim == 0 else factors[:, None] * field
    vector = field * jnp.asarray([0, 0, 1], field.dtype) if field.ndim == 0 else field
    return jnp.einsum("b,iba->ia", vector, g, precision="highest")
