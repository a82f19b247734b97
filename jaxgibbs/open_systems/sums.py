"""The sum of generators: thermal baths of one kind, and losses, dephasing or further baths of another."""

import functools
import operator as arithmetic

import jax.numpy as jnp
import numpy as np

from .generator import AbstractGenerator


class GeneratorSum(AbstractGenerator):
    """`L = L_1 + L_2 + ...` on one space: Hamiltonians add, and a label means the same bath in each part.

    Args:
        parts: generators of equal dimension.

    Raises:
        ValueError: if there are none, or their dimensions differ.
    """

    parts: tuple[AbstractGenerator, ...]

    def __init__(self, parts):
        flat: list[AbstractGenerator] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, GeneratorSum) else (part,))
        dims = sorted({part.dim for part in flat})
        if len(dims) != 1:
            raise ValueError(f"Generators must act on one space to be added, but have dimensions {dims}.")
        self.parts = tuple(flat)

    @property
    def dim(self) -> int:
        return self.parts[0].dim

    @property
    def dtype(self) -> np.dtype:
        return jnp.result_type(*(part.dtype for part in self.parts))

    @property
    def baths(self):
        return tuple(dict.fromkeys(label for part in self.parts for label in part.baths))

    def hamiltonian_matrix(self):
        return functools.reduce(arithmetic.add, (part.hamiltonian_matrix() for part in self.parts))

    def prepared(self):
        return GeneratorSum([part.prepared() for part in self.parts])

    def system_hamiltonian(self):
        return functools.reduce(arithmetic.add, (part.system_hamiltonian() for part in self.parts))

    def jump_map(self, bath=None):
        return _total([part.jump_map(bath) for part in self._with(bath)])

    def adjoint_jump_map(self, bath=None):
        return _total([part.adjoint_jump_map(bath) for part in self._with(bath)])

    def decay_matrix(self, bath=None):
        return functools.reduce(arithmetic.add, (part.decay_matrix(bath) for part in self._with(bath)))

    def transition_rates(self, basis=None):
        return functools.reduce(arithmetic.add, (part.transition_rates(basis) for part in self.parts))

    def _with(self, bath) -> list[AbstractGenerator]:
        self.check_bath(bath)
        return [part for part in self.parts if bath is None or bath in part.baths]


def _total(maps):
    return lambda x: functools.reduce(arithmetic.add, (each(x) for each in maps))
