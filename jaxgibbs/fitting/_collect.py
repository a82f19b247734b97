"""From the operators a user passes to the arrays a fit works on."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxgibbs._errors import check_finite
from jaxgibbs.operators import (
    AbstractOperator,
    Bosons,
    Fermions,
    KroneckerSum,
    QuadraticBosons,
    Spectrum,
    Sum,
    block_structure,
    simplify,
)
from jaxgibbs.operators.blocks import to_blocks
from jaxgibbs.operators.quadratic import AbstractQuadratic

from ._charges import AbstractCharges, AbstractFacedCharges, IndependentCharges
from ._diagonal_charges import LevelCharges, ModeCharges
from ._matrix_charges import MatrixCharges
from ._quadratic_charges import QuadraticCharges, SqueezedCharges


def real_array(name: str, values: ArrayLike, dtype) -> Float[Array, "..."]:
    """`values` as a finite real array; plain Python numbers take `dtype`, arrays promote it."""
    if isinstance(values, jax.Array) and values.dtype == dtype and not values.weak_type:
        check_finite(name, values)
        return values
    if isinstance(values, tuple | list) and any(hasattr(value, "dtype") for value in values):
        values = jnp.stack([jnp.asarray(value) for value in values])
    given = getattr(values, "dtype", dtype)
    if jnp.issubdtype(given, jnp.complexfloating) or np.iscomplexobj(values):
        raise ValueError(f"`{name}` must be real, but is complex.")
    values = jnp.asarray(values, dtype if given == dtype else jnp.result_type(dtype, given))
    check_finite(name, values)
    return values


def real_vector(name: str, values: ArrayLike, length: int, dtype, of: str = "charge") -> Float[Array, " length"]:
    """`values` as a finite real vector with one entry for each `of`."""
    values = real_array(name, values, dtype)
    if values.shape != (length,):
        raise ValueError(f"`{name}` must have one entry a {of}, shape {(length,)}, but has shape {values.shape}.")
    return values


def shifted(
    charges: tuple[AbstractOperator, ...],
    targets: Float[Array, " charges"],
    log_reference: Array | None = None,
    *,
    in_blocks: bool = True,
) -> AbstractCharges:
    """The charges less their targets.

    Args:
        charges: operators of one kind on one space.
        targets: `q_k`.
        log_reference: logarithm of a reference state: a matrix, or a vector over levels, or minus the exponents of modes.
        in_blocks: whether to use the diagonal blocks that all terms have.
    """
    dtype = targets.dtype
    spectra = [charge for charge in charges if isinstance(charge, Spectrum)]
    if len(spectra) == len(charges):
        levels = jnp.stack([spectrum.levels for spectrum in spectra]).astype(dtype)
        log_weights = spectra[0].log_degeneracies.astype(dtype)
        if log_reference is not None:
            log_weights = log_weights + log_reference
        return LevelCharges(levels - targets[:, None], log_weights)
    modes = [charge for charge in charges if isinstance(charge, Bosons | Fermions)]
    if len(modes) == len(charges):
        energies = jnp.stack([charge.energies for charge in modes]).astype(dtype)
        tilts = jnp.zeros_like(energies[0]) if log_reference is None else -log_reference.astype(dtype)
        return ModeCharges(energies, targets, tilts, isinstance(modes[0], Bosons))
    quadratic = [charge for charge in charges if isinstance(charge, AbstractQuadratic)]
    if len(quadratic) == len(charges):
        return _quadratic(quadratic, targets)
    products = [charge.parts for charge in charges if isinstance(charge, KroneckerSum)]
    if len(products) == len(charges) and log_reference is None:
        groups = list(zip(*products, strict=True))
        shares = [targets] + [jnp.zeros_like(targets)] * (len(groups) - 1)
        parts = tuple(
            shifted(tuple(map(simplify, group)), share, in_blocks=in_blocks)
            for group, share in zip(groups, shares, strict=True)
        )
        faced = tuple(part for part in parts if isinstance(part, AbstractFacedCharges))
        if len(faced) < len(parts):
            raise ValueError(
                "The parts of `KroneckerSum` charges must not be bosons with pairing, but some are; fit each part for itself."
            )
        return IndependentCharges(faced)
    structure = block_structure(Sum(charges)) if in_blocks and log_reference is None else None
    stacks = []
    for group in zip(*(to_blocks(charge, structure) for charge in charges), strict=True):
        group = [block if structure is not None else block[None] for block in group]
        stack = jnp.stack(group, axis=1)
        complex_dtype = jnp.result_type(stack.dtype, dtype)
        shift = targets[:, None, None] * jnp.eye(stack.shape[-1], dtype=dtype)
        stacks.append(stack.astype(complex_dtype) - shift)
    return MatrixCharges(tuple(stacks), None if log_reference is None else (log_reference[None],))


def _quadratic(charges: list[AbstractQuadratic], targets) -> QuadraticCharges | SqueezedCharges:
    doubled, bosonic = any(charge.paired for charge in charges), isinstance(charges[0], QuadraticBosons)
    matrices = jnp.stack([(charge.nambu() if doubled else charge.matrix).to_dense() for charge in charges])
    matrices = matrices.astype(jnp.result_type(matrices.dtype, targets.dtype))
    if doubled:
        constants = jnp.stack([jnp.trace(charge.one_body()).real for charge in charges]) / 2
        targets = targets + charges[0].sign * constants.astype(targets.dtype)
    return (
        SqueezedCharges(matrices, targets)
        if doubled and bosonic
        else QuadraticCharges(matrices, targets, bosonic, doubled)
    )
