"""Every public function that is differentiable, in programs as users write them.

Each, or a few that share a decomposition, go through `jit(scan(optax step of vmap(grad(f))))` over stacked
Hamiltonians in float32: `f` maps three couplings to a number. The program compiles, keeps its precision, meets no
NaN, and its gradients explain the steps of its values.
The table and the exemptions together must name everything public.
"""

import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxgibbs as jg
from jaxgibbs import fitting, linalg, models, operators, symmetry, units
from jaxgibbs.operators import LocalSum, LocalTerms, PauliSum, PauliTerms, SparseTerms, TermSum

rng = np.random.default_rng(7)
TERMS = rng.normal(size=(3, 4, 4)) + 1j * rng.normal(size=(3, 4, 4))
TERMS = (TERMS + TERMS.conj().swapaxes(1, 2)) / 4
SPARSE = SparseTerms.from_matrices({"theta": list(TERMS)})
START = np.array([[0.5, -0.3, 0.8], [0.2, 0.6, -0.4]], np.float32)  # two sets of couplings
STRINGS = PauliTerms.from_strings(8, {"theta": ["X0 X1 + Y0 Y1", "Z0 Z7 - X3", "Y0 Y7 + Z2"]})
LOCAL = LocalTerms([2, 3, 2], {"theta": [(TERMS[0], (2, 0)), (np.diag([1.0, 0, -1]), 1), [(TERMS[1], (0, 2))]]})
A, B = TERMS[0].astype(np.complex64), TERMS[1].astype(np.complex64)
BETA = np.float32(0.8)


def matrix(theta):
    return jnp.einsum("k,kij->ij", theta, jnp.asarray(TERMS, jnp.complex64))


def chain(theta):
    return models.xxz_chain(3, 1.0 + theta[0], theta[1], field=theta[2])


def positive(theta):
    return linalg.exp(matrix(theta))


def weigh(array):
    """A number that no symmetry of the array leaves unchanged."""
    array = jnp.asarray(array)
    weights = jnp.cos(jnp.arange(array.size, dtype=jnp.float32)).reshape(array.shape)
    return jnp.sum(weights * (array.real + 0.5 * array.imag))


def of_tree(tree):
    return sum(weigh(leaf) for leaf in jax.tree_util.tree_leaves(tree))


def log_z(operator):
    return jg.log_partition(operator, BETA)


def of_state(state):
    scalars = [state.log_partition, state.entropy, state.purity, state.renyi_entropy(0.5), state.expectation(A)]
    return (
        sum(scalars)
        + weigh(state.covariance_matrix((A, B)))
        + weigh(state.density_matrix())
        + weigh(state.reduced((2, 2), 1))
    )


def of_gibbs_state(theta):
    state = jg.gibbs_state(matrix(theta), BETA)
    more = state.free_energy + state.energy_variance + state.heat_capacity + state.susceptibility(A, B)
    return (
        of_state(state)
        + more
        + weigh(state.populations)
        + weigh(state.in_basis(operators.bell_basis().astype(np.float32)))
    )


def of_pauli_sum(theta):
    operator = PauliSum({"theta": theta}, STRINGS)
    small = PauliTerms.from_strings(2, {"theta": ["X0 X1", "Z0", "Y0 - Z1"]})
    return weigh(operator.matvec(jnp.cos(jnp.arange(256.0, dtype=theta.dtype)))) + log_z(
        PauliSum({"theta": theta}, small)
    )


def of_local_sum(theta):
    operator = LocalSum({"theta": theta}, LOCAL)
    return weigh(operator.matvec(jnp.cos(jnp.arange(12.0, dtype=theta.dtype)))) + log_z(operator)


def of_charges(theta):
    return [matrix(theta), jnp.asarray(B)]


def targets(theta):
    """Expectation values that some state has."""
    return 0.3 * jnp.tanh(theta[:2])


def line(parameters):
    return parameters["slope"] * jnp.arange(4, dtype=jnp.float32) + parameters["offset"]


def of_fit_model(theta):
    start = {"slope": jnp.zeros((), theta.dtype), "offset": jnp.zeros((), theta.dtype)}
    data = line({"slope": theta[0], "offset": theta[1]}) + theta[2] * jnp.asarray([0.1, -0.1, 0.2, 0.0], theta.dtype)
    fit = jg.fit_model(line, start, data, jnp.full(4, 0.01, theta.dtype))
    return of_tree(fit.value) + weigh(fit.stats["covariance"])


def of_potential(theta):
    particle = models.particle_in_potential(
        lambda x: 0.5 * x**2 + 0.1 * (1 + theta[0] ** 2) * x**4, 1 + theta[1] ** 2, beta=1.0, levels=24, tolerance=1e-3
    )
    state = jg.gibbs_state(particle.hamiltonian, 1.0)
    return state.energy + state.covariance(particle.position, particle.position)


def of_spectral_map(theta):
    d = linalg.decompose(matrix(theta))
    kernel = linalg.Kernel(lambda x, y: jnp.exp(-((x - y) ** 2)), lambda x: jnp.ones_like(x))
    return weigh(linalg.spectral_map(kernel, d, A) + linalg.spectral_map(linalg.Exponential(), d, A))


def of_matrix_function(theta):
    function = linalg.Analytic(lambda x: 1 / (x + 5), lambda x: jnp.abs(x + 5))
    return weigh(linalg.matrix_function(function, linalg.decompose(matrix(theta))))


def of_blocks(theta):
    total = sum(np.kron(np.kron(np.eye(2**k), np.diag([0.5, -0.5])), np.eye(2 ** (2 - k))) for k in range(3))
    return sum((1 + 0.1 * k) * log_z(part) for k, (_, part) in enumerate(symmetry.blocks(chain(theta), [total])))


def of_block(theta):
    total = np.kron(np.diag([0.5, -0.5]), np.eye(2)) + np.kron(np.eye(2), np.diag([0.5, -0.5]))
    sector = symmetry.sectors([total])[1]
    return log_z(symmetry.block(models.xxz_chain(2, 1.0 + theta[0], theta[1], field=theta[2]), sector))


def square(x):
    return 1 + x**2


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
        "logarithmic_spectrum",
    )
)


def of_spectra(theta):
    a, b, _ = theta
    modes = [operators.Fermions(make(3, a, b)[0]) for make in (models.hopping_chain_modes, models.xx_chain_modes)]
    infinite = [models.oscillator(square(a), levels=64), models.particle_in_box(square(a), square(b), levels=64)]
    infinite += [
        models.power_law(square(b), 1.5, levels=64),
        models.rotor(square(a), even_weight=1, odd_weight=3, levels=32),
    ]
    total = sum(
        (1 + 0.3 * k) * log_z(model)
        for k, model in enumerate([*modes, models.level_scheme(theta, [1, 2, 3]), *infinite])
    )
    return total + jg.log_partition(models.logarithmic_spectrum(square(b), levels=64), 8.0)


def of_quadratic(theta):
    pairing = jnp.asarray([[0.0, 0.5], [-0.5, 0.0]], theta.dtype) * theta[2]
    one_body = theta[0] * jnp.eye(2, dtype=theta.dtype) + jnp.asarray([[0.0, 1.0], [1.0, 0.5]], theta.dtype)
    state = jg.gibbs_state(operators.QuadraticFermions(one_body, pairing), BETA)
    total = weigh(state.correlation_matrix()) + weigh(state.pairing_matrix()) + state.reduced_entropy((0,))
    return (
        total + state.entropy + state.ladder_expectation((0, 1), (1, 0)) + state.product_expectation(one_body, one_body)
    )


def of_quadratic_bosons(theta):
    one_body = jnp.diag(square(theta[:2])) + 2 * jnp.eye(2, dtype=theta.dtype)
    state = jg.gibbs_state(operators.QuadraticBosons(one_body, theta[2] * jnp.ones((2, 2), theta.dtype)), BETA)
    return state.log_partition + weigh(state.correlation_matrix()) + state.reduced_entropy((0,)) + state.heat_capacity


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


FIXED = tuple(
    f"equilibrium.{name}"
    for name in ("canonical_log_partition", "canonical_occupations", "parity_log_partition", "ring_log_partition")
)


def of_fixed_number(theta):
    equilibrium = jg.equilibrium
    modes = operators.Fermions(theta), operators.Bosons(theta)
    total = sum(equilibrium.canonical_log_partition(m, BETA, 2) for m in modes)
    total = total + weigh(equilibrium.canonical_occupations(modes[0], BETA, 2))
    rings = [models.xx_ring_modes(4, theta[0], theta[1]), models.transverse_ising_ring_modes(4, theta[1], theta[2])]
    total = total + equilibrium.parity_log_partition(theta, BETA, -1)
    return total + sum(equilibrium.ring_log_partition(sectors, BETA) for sectors in rings)


def of_chemical_potential(theta):
    number = 1.5 + 0.3 * jnp.tanh(theta[0])
    fits = [jg.fit_chemical_potential(kind(theta), BETA, number) for kind in (operators.Fermions, operators.Bosons)]
    return fits[0].value + fits[1].value


MATRICES = tuple(f"operators.{name}" for name in ("Dense", "Scaled", "Sum", "TermSum"))
UNITS = tuple(
    f"units.{name}" for name in ("convert", "inverse_temperature", "zeeman_energy", "molar_susceptibility", "seconds")
)


def of_units(theta):
    gap = units.convert(theta[0], units.KELVIN, units.INVERSE_CENTIMETRE) + units.zeeman_energy(
        theta[1], units.KELVIN, 2.0
    )
    beta = units.inverse_temperature(square(theta[2]), units.KELVIN, units.KELVIN)
    variance = jg.gibbs_state(operators.Fermions(gap[None]), beta).energy_variance
    return units.molar_susceptibility(variance, units.KELVIN, 2.0) + 1e9 * units.seconds(beta, units.KELVIN)


TABLE = {
    # equilibrium
    "log_partition": lambda theta: log_z(matrix(theta)) + log_z(chain(theta)),
    "energy": lambda theta: jg.energy(matrix(theta), BETA),
    "entropy": lambda theta: jg.entropy(matrix(theta), BETA),
    "heat_capacity": lambda theta: jg.heat_capacity(matrix(theta), BETA),
    "free_energy": lambda theta: jg.free_energy(matrix(theta), square(theta[2])),
    "expectation": lambda theta: jg.expectation(matrix(theta), BETA, A),
    "thermodynamics": lambda theta: of_tree(jg.thermodynamics(matrix(theta), square(theta[2]))),
    "generalized_forces": lambda theta: weigh(jg.generalized_forces(matrix(theta), BETA)),
    "gibbs_state": of_gibbs_state,
    "thermal_spectrum": lambda theta: weigh(jax.vmap(jg.thermal_spectrum(matrix(theta)).heat_capacity)(theta[:2])),
    "Lanczos": lambda theta: jg.energy(chain(theta), BETA, method=jg.Lanczos(probes=2, depth=8)),
    "generalized_gibbs_state": lambda theta: of_state(jg.generalized_gibbs_state(of_charges(theta), theta[1:])),
    FIXED: of_fixed_number,
    # fitting
    "fit_chemical_potential": of_chemical_potential,
    "fitting.multipliers_of_occupations": lambda theta: weigh(
        fitting.multipliers_of_occupations(jax.nn.sigmoid(theta))
        + fitting.multipliers_of_occupations(square(theta), bosonic=True)
    ),
    "fit_multipliers": lambda theta: weigh(jg.fit_multipliers(of_charges(theta), targets(theta), copies=10.0).value),
    "fit_expectations": lambda theta: weigh(
        jg.fit_expectations(
            of_charges(theta),
            [A, B, TERMS[2].astype(np.complex64)],
            0.3 * jnp.tanh(theta),
            jnp.full(3, 0.01, theta.dtype),
        ).value
    ),
    "fit_model": of_fit_model,
    "fit_beta": lambda theta: jg.fit_beta(matrix(theta), energy=jg.energy(matrix(theta), 0.5) + 0.05 * theta[0]).value,
    "entropy_at_energy": lambda theta: jg.entropy_at_energy(
        matrix(theta), jg.energy(matrix(theta), 0.5) + 0.05 * theta[0]
    ),
    "energy_at_entropy": lambda theta: jg.energy_at_entropy(matrix(theta), 1.2 + 0.05 * theta[0]),
    "fitting.dual": lambda theta: fitting.dual(theta[:2], of_charges(theta), targets(theta)),
    "fitting.negative_log_likelihood": lambda theta: fitting.negative_log_likelihood(
        matrix(theta), jnp.diag(jnp.asarray([0.4, 0.3, 0.2, 0.1], jnp.float32))
    ),
    "fitting.quantum_fisher_information": lambda theta: weigh(
        fitting.quantum_fisher_information(of_charges(theta), theta[:2])
    ),
    "fitting.thermometry_bounds": lambda theta: of_tree(fitting.thermometry_bounds(matrix(theta), BETA)),
    # linalg
    "linalg.exp": lambda theta: weigh(linalg.exp(matrix(theta))),
    "linalg.log": lambda theta: weigh(linalg.log(positive(theta))),
    "linalg.sqrt": lambda theta: weigh(linalg.sqrt(positive(theta))),
    "linalg.power": lambda theta: weigh(linalg.power(positive(theta), 1.7)),
    "linalg.fermi": lambda theta: weigh(linalg.fermi(matrix(theta))),
    "linalg.bose": lambda theta: weigh(linalg.bose(positive(theta))),
    "linalg.matrix_function": of_matrix_function,
    "linalg.spectral_map": of_spectral_map,
    "linalg.partial_trace": lambda theta: weigh(linalg.partial_trace(positive(theta), (2, 2), 0)),
    "linalg.matmul": lambda theta: weigh(linalg.matmul(matrix(theta), linalg.dagger(positive(theta)))),
    # operators
    MATRICES: lambda theta: log_z(
        operators.Sum(
            (operators.Scaled(theta[0], operators.Dense(A)), TermSum({"theta": theta}, SPARSE), operators.Dense(B))
        )
    ),
    "operators.PauliSum": of_pauli_sum,
    "operators.LocalSum": of_local_sum,
    "operators.Spectrum": lambda theta: of_tree(jg.thermodynamics(operators.Spectrum(theta, 2 * theta), BETA)),
    "operators.Fermions": lambda theta: of_tree(jg.thermodynamics(operators.Fermions(theta), BETA)),
    "operators.Bosons": lambda theta: of_tree(jg.thermodynamics(operators.Bosons(square(theta)), BETA)),
    "operators.QuadraticFermions": of_quadratic,
    "operators.QuadraticBosons": of_quadratic_bosons,
    "operators.KroneckerSum": lambda theta: of_tree(
        jg.thermodynamics(operators.KroneckerSum([matrix(theta), operators.Fermions(theta)]), BETA)
    ),
    "operators.simplify": lambda theta: log_z(
        operators.simplify(theta[0] * operators.Fermions(theta) + operators.Fermions(theta))
    ),
    "operators.hermitian_gradient": lambda theta: weigh(operators.hermitian_gradient(log_z)(matrix(theta))),
    # models
    SPINS: of_spin_models,
    SPECTRA: of_spectra,
    (*FREE_FERMIONS, *RING_MODES): of_free_fermions,
    "models.particle_in_potential": of_potential,
    # symmetry
    "symmetry.block": of_block,
    "symmetry.blocks": of_blocks,
    # units
    UNITS: of_units,
}

ANSWER = "what functions of the table return or hold; its numbers are differentiated there"
CHOICE = "a method: static knobs and tolerances"
STRUCTURE = "static structure, without numbers to differentiate"
VERDICT = "a verdict on values, given outside `jit`"
EXEMPT = {
    **dict.fromkeys(("GibbsState", "GeneralizedGibbsState", "Thermodynamics", "Solution", "RESULTS"), ANSWER),
    **dict.fromkeys(
        ("linalg.Decomposition", "linalg.decompose", "linalg.dagger", "models.Particle", "fitting.ThermometryBounds"),
        ANSWER,
    ),
    **dict.fromkeys(
        ("linalg.Analytic", "linalg.Exponential", "linalg.Kernel"),
        "a spectral function, given to functions of the table",
    ),
    **dict.fromkeys(
        ("linalg.eigh", "linalg.eigvalsh"),
        "without derivatives by design: those of a decomposition are what the table is built from",
    ),
    **dict.fromkeys(("Auto", "Exact", "fitting.DualNewton", "fitting.LeastSquares"), CHOICE),
    **dict.fromkeys(
        ("operators.AbstractOperator", "operators.as_operator"),
        "an interface; every operator of the table goes through it",
    ),
    **dict.fromkeys(
        tuple(
            f"operators.{name}"
            for name in ("SparseTerms", "PauliTerms", "LocalTerms", "BlockStructure", "block_structure", "bell_basis")
        ),
        STRUCTURE,
    ),
    **dict.fromkeys(("models.nuclear_spin_weights", "models.Lattice"), STRUCTURE),
    **dict.fromkeys(
        (f"models.{kind}_lattice" for kind in ("chain", "ladder", "square", "triangular", "honeycomb", "kagome")),
        STRUCTURE,
    ),
    **dict.fromkeys(
        (f"operators.{kind}Tail" for kind in ("Abstract", "Ladder", "Power", "Rotor", "Logarithmic", "Continuum")),
        "a bound, with derivative zero by definition",
    ),
    "models.enough_levels": "finds a size, which is static",
    "models.hydrogen": "refused at every temperature",
    **dict.fromkeys(
        (
            f"symmetry.{name}"
            for name in ("Antiunitary", "KramersPairs", "Sector", "SelectionRule", "sectors", "site_permutation")
        ),
        STRUCTURE,
    ),
    **dict.fromkeys(
        (
            f"symmetry.{name}"
            for name in ("translation", "reflection", "spin_rotation", "spin_time_reversal", "complex_conjugation")
        ),
        STRUCTURE,
    ),
    **dict.fromkeys(
        (
            f"symmetry.{name}"
            for name in ("check_symmetry", "is_symmetry", "symmetry_defect", "selection_rule", "kramers_pairs")
        ),
        VERDICT,
    ),
    **dict.fromkeys(
        (f"symmetry.{name}" for name in ("check_time_reversal", "time_reversal_defect", "time_reversal_parity")),
        VERDICT,
    ),
    **dict.fromkeys(
        ("symmetry.allowed_part", "symmetry.time_reversal_parts"), "parts of an observable, static NumPy arrays"
    ),
    **dict.fromkeys(
        (f"linalg.{name}" for name in ("random_phases", "random_sphere", "unit_vectors")),
        "vectors that depend on no number",
    ),
    "thermal_pure_states": "vectors, whose derivatives are refused: those of traces are better taken from `Lanczos`",
    "equilibrium.ThermalPureStates": ANSWER,
    **dict.fromkeys(("units.EnergyUnit",), STRUCTURE),
}


def public_names():
    """Everything importable from the contents pages, once: `log_partition`, and `operators.Dense`, but no constants.

    The command line is no part of `import jaxgibbs`; it becomes an attribute when another test imports it.
    """
    top = {name: item for name, item in vars(jg).items() if not name.startswith("_") and name != "cli"}
    names = {name for name, item in top.items() if not isinstance(item, types.ModuleType)}
    seen = {id(top[name]) for name in names}
    for area, module in top.items():
        if isinstance(module, types.ModuleType):
            for name, item in vars(module).items():
                ours = getattr(item, "__module__", "").startswith("jaxgibbs") and callable(item)
                if not name.startswith("_") and ours and id(item) not in seen:
                    names.add(f"{area}.{name}")
    return {name for name in names if name not in ("units.Number",)}


def test_no_public_name_is_forgotten():
    table = {name for names in TABLE for name in ([names] if isinstance(names, str) else names)}
    assert table.isdisjoint(EXEMPT)
    missing = public_names() - table - set(EXEMPT)
    assert not missing, f"put these into TABLE, or into EXEMPT with a reason: {sorted(missing)}"
    gone = (table | set(EXEMPT)) - public_names()
    assert not gone, f"these are no longer public: {sorted(gone)}"


@pytest.mark.parametrize("names", TABLE, ids=str)
def test_composition(names):
    function = TABLE[names]
    gradients = jax.vmap(jax.value_and_grad(function))
    optimizer = optax.sgd(2e-2)

    @jax.jit
    def train(theta):
        def step(carry, _):
            theta, state = carry
            values, slopes = gradients(theta)
            updates, state = optimizer.update(slopes / (1 + jnp.max(jnp.abs(slopes))), state)
            return (optax.apply_updates(theta, updates), state), (theta, values, slopes)

        return jax.lax.scan(step, (theta, optimizer.init(theta)), None, length=2)[1]

    thetas, values, slopes = train(jnp.asarray(START))
    for array in (thetas, values, slopes):
        assert array.dtype == jnp.float32
        assert np.all(np.isfinite(array))
    assert np.any(slopes != 0)
    # f(y) - f(x) = (grad f(x) + grad f(y)) . (y - x) / 2 + O(|y - x|^3): steps are at most 0.02 * sqrt(3) long, values
    # are known to a few eps, and solvers stop at eps^(2/3) of their scale.
    expected = np.sum((slopes[0] + slopes[1]) / 2 * (thetas[1] - thetas[0]), axis=-1)
    rounding = 5e-5 * (1 + np.max(np.abs(values)))
    np.testing.assert_allclose(values[1] - values[0], expected, rtol=0.02, atol=rounding)
