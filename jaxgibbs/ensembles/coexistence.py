"""Two phases of equal free energy."""

import equinox as eqx
from jaxtyping import Array, Float

from ._inputs import Scalar


class Coexistence(eqx.Module):
    """Two phases of equal free energy, between whose energies the canonical ensemble has no state: Maxwell's construction.

    The straight line of slope `beta` from one energy to the other is the common tangent of `s(e)`.

    Args:
        beta: inverse temperature of the transition.
        energies: of the ordered and the disordered phase, per site, shape `(2,)`, ascending.
    """

    beta: Scalar
    energies: Float[Array, "2"]

    @property
    def latent_heat(self) -> Scalar:
        """`e_2 - e_1`, per site."""
        return self.energies[1] - self.energies[0]
