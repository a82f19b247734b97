"""Models: each public name in a number to differentiate, or why not."""

import jax.numpy as jnp

import jaxgibbs as jg
from compositions.common import STRUCTURE, log_z, square
from jaxgibbs import models, operators

SPINS = tuple(
    f"models.{name}"
    for name in (
        "heisenberg_chain",
        "heisenberg_ring",
        "xxz_chain",
        "xx_chain",
        "transverse_ising_chain",
        "single_spin",
        "spin_dimer",
        "two_level",
        "heisenberg",
        "xxz",
        "xyz",
        "transverse_ising",
        "lipkin_meshkov_glick",
        "p_spin",
        "fermi_hubbard",
        "t_v_chain",
        "interacting_kitaev_chain",
        "bose_hubbard",
        "dicke",
        "jaynes_cummings",
        "rabi",
        "spin_boson",
    )
)


LADDER = models.ladder_lattice(2)


def of_spin_models(theta):
    a, b, c = theta
    chains = [
        models.heisenberg_chain(3, a, field=b),
        models.heisenberg_ring(3, b, field=c),
        models.xxz_chain(3, c, a, field=b),
    ]
    chains += [models.xx_chain(3, a, c), models.transverse_ising_chain(3, b, a)]
    others = [
        models.single_spin(3.5, axial=a, rhombic=b, field=c),
        models.spin_dimer(a, spins=(0.5, 1.5), field=theta, single_ion=c),
    ]
    small = jnp.kron(models.two_level(a, b).to_dense(), jnp.eye(8, dtype=theta.dtype))
    four = [
        models.heisenberg(LADDER, a, field=b),
        models.xxz(LADDER, b, {"leg": a, "rung": c}),
        models.xyz(LADDER, a, b, c, field=a),
        models.transverse_ising(LADDER, c, b),
        models.lipkin_meshkov_glick(15, a, b, c),
        models.p_spin(4, b, c, maximal_spin=False),
        models.fermi_hubbard(models.chain_lattice(2), a, b, c),
        models.t_v_chain(4, b, c, a),
        models.interacting_kitaev_chain(4, c, a, b, c),
        models.bose_hubbard(models.chain_lattice(2), a, b, c, levels=4),
        models.dicke(3, b, c, a, levels=4),
        models.jaynes_cummings(a, b, c, levels=8),
        models.rabi(c, a, b, levels=8),
        models.spin_boson(a, b, theta[:1], theta[1:2], levels=8),
    ]
    total = sum((1 + 0.3 * k) * model.to_dense() for k, model in enumerate(chains + others))
    total = jnp.kron(total, jnp.eye(2, dtype=theta.dtype)) + sum(
        (0.5 + 0.3 * k) * model.to_dense() for k, model in enumerate(four)
    )
    return jg.log_partition(total + small, jnp.float32(0.1))


SPECTRA = tuple(
    f"models.{name}"
    for name in (
        "hopping_chain_modes",
        "xx_chain_modes",
        "level_scheme",
        "oscillator",
        "particle_in_box",
        "power_law",
        "rotor",
        "symmetric_top",
        "spherical_top",
        "logarithmic_spectrum",
        "p_spin_spectrum",
        "blume_capel",
    )
)


def of_spectra(theta):
    a, b, _ = theta
    modes = [operators.Fermions(make(3, a, b)[0]) for make in (models.hopping_chain_modes, models.xx_chain_modes)]
    infinite = [models.oscillator(square(a), levels=64), models.particle_in_box(square(a), square(b), levels=64)]
    infinite += [
        models.power_law(square(b), 1.5, levels=64),
        models.rotor(square(a), even_weight=1, odd_weight=3, levels=32),
        models.symmetric_top(square(a), square(b), weights=(4, 2, 2), levels=12),
        models.spherical_top(square(b), levels=24),
    ]
    graphs = [models.p_spin_spectrum(4, a, b), models.blume_capel(4, a, b)]
    total = sum(
        (1 + 0.3 * k) * log_z(model)
        for k, model in enumerate([*modes, models.level_scheme(theta, [1, 2, 3]), *infinite, *graphs])
    )
    return total + jg.log_partition(models.logarithmic_spectrum(square(b), levels=64), 8.0)


FREE_FERMIONS = tuple(
    f"models.{name}" for name in ("tight_binding", "tight_binding_chain", "ssh_chain", "kitaev_chain")
)


RING_MODES = ("models.xx_ring_modes", "models.transverse_ising_ring_modes")


def of_free_fermions(theta):
    a, b, c = theta
    metals = [models.tight_binding(4, [(0, 1), (0, 2), (0, 3)], a, b), models.tight_binding_chain(4, b, c)]
    total = metals[0] + metals[1] + models.ssh_chain(2, c, a) + models.kitaev_chain(4, a, b, c)
    rings = [models.xx_ring_modes(4, b, c), models.transverse_ising_ring_modes(4, c, a)]
    return log_z(total) + sum(log_z(operators.Fermions(sector)) for sectors in rings for sector in sectors)


def of_potential(theta):
    particle = models.particle_in_potential(
        lambda x: 0.5 * x**2 + 0.1 * (1 + theta[0] ** 2) * x**4, 1 + theta[1] ** 2, beta=1.0, levels=24, tolerance=1e-3
    )
    state = jg.gibbs_state(particle.hamiltonian, 1.0)
    return state.energy + state.covariance(particle.position, particle.position)


TABLE = {
    SPINS: of_spin_models,
    SPECTRA: of_spectra,
    (*FREE_FERMIONS, *RING_MODES): of_free_fermions,
    "models.particle_in_potential": of_potential,
}

EXEMPT = {
    **dict.fromkeys(
        (
            "models.nuclear_spin_weights",
            "models.spin_weights_of_ring",
            "models.spin_weights_of_tetrahedron",
            "models.Lattice",
        ),
        STRUCTURE,
    ),
    **dict.fromkeys(
        (f"models.{kind}_lattice" for kind in ("chain", "ladder", "square", "triangular", "honeycomb", "kagome")),
        STRUCTURE,
    ),
    "models.enough_levels": "finds a size, which is static",
    "models.hydrogen": "refused at every temperature",
}
