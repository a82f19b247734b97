"""What the blocks of the computational basis conserve: all of it is found, and said."""

import jax
import numpy as np
import pytest

import jaxgibbs as jg
from jaxgibbs import models
from jaxgibbs.models import chain_lattice
from jaxgibbs.operators import PauliSum, PauliTerms, block_structure
from jaxgibbs.symmetry.charges import describe_conserved
from jaxgibbs.symmetry.detection import static_terms

THREE = chain_lattice(3)
# In words, and the number of different values that the charges and parities take together.
SYSTEMS = {
    "spins 1/2": (lambda: models.xxz_chain(5), "n_0 + ... + n_4", 6),
    "spins 1": (lambda: models.heisenberg_chain(3, spin=1), "n_0 + n_1 + n_2", 7),
    "spins 3/2": (lambda: models.xxz_chain(3, spin=1.5), "n_0 + n_1 + n_2", 10),
    "electrons": (lambda: models.fermi_hubbard(THREE), "n_0 + n_1 + n_2 and n_3 + n_4 + n_5", 16),
    "bosons": (lambda: models.bose_hubbard(THREE, levels=4), "n_0 + n_1 + n_2", 10),
    "excitations": (lambda: models.jaynes_cummings(1.0, 0.9, 0.1, levels=12), "n_1 - n_0", 13),
    "parity of one spin and a mode": (lambda: models.rabi(1.0, 0.9, 0.1, levels=12), "parity of n_0 + n_1", 2),
    "parity of a large spin and a mode": (lambda: models.dicke(4, 1.0, 0.9, 0.1, levels=12), "parity of n_0 + n_1", 2),
    "pairs": (lambda: models.interacting_kitaev_chain(5), "parity of n_0 + ... + n_4", 2),
    "a spin that does not flip": (lambda: models.spin_boson(0.3, 0.0, np.ones(2), np.ones(2), levels=3), "", 1),
    "weights": (
        lambda: PauliSum({"a": 1.0}, PauliTerms.from_strings(3, {"a": "X0 X1 + Y0 Y1 + Z1 Z2"})),
        "n_2 and n_0 + n_1",
        6,
    ),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_blocks_are_those_of_the_charges_and_are_named(name):
    build, words, count = SYSTEMS[name]
    operator = build()
    found = describe_conserved(static_terms(operator))
    assert sorted(found.split(" and ")) == sorted(words.split(" and "))
    structure = block_structure(operator)
    assert (1 if structure is None else structure.labels.max() + 1) == count


@pytest.mark.parametrize("name", ["spins 1", "electrons", "bosons", "excitations", "parity of one spin and a mode"])
def test_only_blocks_are_built(name):
    operator = SYSTEMS[name][0]()
    text = str(jax.make_jaxpr(jax.grad(jg.log_partition))(operator, 1.0))
    assert "decompose" in text
    assert f"[{operator.dim},{operator.dim}]" not in text


def test_many_charges_are_counted():
    diagonal = PauliSum({"a": 1.0}, PauliTerms.from_strings(8, {"a": "Z0 Z1 + Z6 Z7"}))
    assert describe_conserved(static_terms(diagonal)) == "8 charges and 0 parities"


def test_a_state_names_them():
    said = jg.thermal_spectrum(models.jaynes_cummings(1.0, 0.9, 0.1, levels=3)).explain()
    assert "conserved: n_1 - n_0 (n_i the level of site i)" in said
