"""The methods by which a thermal spectrum is computed."""

import equinox as eqx


class AbstractMethod(eqx.Module):
    """How a thermal spectrum is computed; its fields are its knobs."""


class Auto(AbstractMethod):
    """Chooses by the structure and the size of the operator, never by values: see `state.explain()`."""


class Exact(AbstractMethod):
    """Exact diagonalisation, block by block where every term of the operator has the same diagonal blocks.

    Args:
        levels_only: compute eigenvalues alone, at less than half the cost. Thermodynamic functions and derivatives in
            beta need no more; an observable or a derivative in a coupling then decomposes once more.
    """

    levels_only: bool = eqx.field(static=True, default=False)
