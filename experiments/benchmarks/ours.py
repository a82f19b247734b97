"""The rows of jaxgibbs: each function sets up and returns what is timed. A timed call starts from arrays on the host."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

jax.config.update("jax_enable_x64", True)
import jaxgibbs as jg  # noqa: E402

from . import workloads  # noqa: E402


def thermodynamics(sites: int, blocks: bool):
    """ln Z, U, S and C of a Heisenberg chain at 200 temperatures, as a matrix or as the model (which has blocks)."""
    hamiltonian = jg.models.heisenberg_chain(sites) if blocks else jnp.asarray(workloads.heisenberg_matrix(sites))
    betas = jnp.asarray(workloads.BETAS)
    curves = jax.jit(jax.vmap(jg.thermodynamics, (None, 0)))

    def call():
        t = curves(hamiltonian, betas)
        return jnp.concatenate([t.log_partition, t.energy, t.entropy, t.heat_capacity])

    return call


def _chain(sites: int, blocks: bool):
    entries = workloads.chain_entries(sites)
    couplings = {name: jnp.asarray(value) for name, value in workloads.chain_couplings(sites).items()}
    sizes = {name: len(terms) for name, terms in entries.items()}
    in_order = [term for terms in entries.values() for term in terms]
    static = jg.operators.SparseTerms.from_entries(2**sites, sizes, in_order)

    def hamiltonian(couplings):
        operator = jg.operators.TermSum(couplings, static)
        return operator if blocks else jg.operators.Dense(operator.to_dense())

    return couplings, hamiltonian


def gradient(sites: int, blocks: bool):
    """Gradient of ln Z in the 3N - 2 couplings of a random-field XXZ chain at beta = 1."""
    couplings, hamiltonian = _chain(sites, blocks)
    slope = jax.jit(jax.grad(lambda c: jg.log_partition(hamiltonian(c), 1.0)))

    def call():
        answer = slope(couplings)
        return jnp.concatenate([answer[name] for name in couplings])

    return call


def hessian(sites: int, blocks: bool):
    """Hessian of ln Z in 20 couplings of the chain: `beta^2` times the Kubo-Mori covariance of their terms."""
    couplings, hamiltonian = _chain(sites, blocks)
    terms = [m for name in couplings for m in workloads.chain_matrices(sites)[name]][:20]
    single = [jg.operators.TermSum({"one": 1.0}, jg.operators.SparseTerms.from_matrices({"one": m})) for m in terms]
    observables = tuple(single) if blocks else jnp.asarray(np.stack(terms))

    @jax.jit
    def call(couplings, observables):
        state = jg.gibbs_state(hamiltonian(couplings), 1.0)
        return jnp.ravel(state.covariance_matrix(observables))

    return lambda: call(couplings, observables)


def hessian_by_autodiff(sites: int, blocks: bool):
    """The same Hessian by `jax.hessian`."""
    couplings, hamiltonian = _chain(sites, blocks)
    flat = jnp.concatenate(list(couplings.values()))
    sizes = np.cumsum([value.size for value in couplings.values()])[:-1]

    def log_z(first):
        parts = jnp.split(jnp.concatenate([first, flat[20:]]), sizes)
        return jg.log_partition(hamiltonian(dict(zip(couplings, parts, strict=True))), 1.0)

    curvature = jax.jit(jax.hessian(log_z))
    return lambda: jnp.ravel(curvature(flat[:20]))


def _curves(matrix):
    """ln Z and C of one matrix at 100 temperatures."""
    spectrum = jg.thermal_spectrum(matrix, method=jg.Exact(levels_only=True))
    betas = jnp.asarray(workloads.BATCH_BETAS)
    return jax.vmap(spectrum.log_partition)(betas), jax.vmap(spectrum.heat_capacity)(betas)


def batch(dim: int):
    """ln Z and C at 100 temperatures of 1000 random complex matrices, as one `vmap`."""
    return _batch(jax.jit(jax.vmap(_curves)), jnp.asarray(workloads.random_batch(dim)))


def batch_on_cores(dim: int):
    """The same with each core a device, and on each 25 matrices at a time, which stay in its cache."""
    jax.config.update("jax_num_cpu_devices", 2)
    mesh = jax.make_mesh((2,), ("cores",), axis_types=(AxisType.Auto,))
    split = PartitionSpec("cores")
    curves = jax.shard_map(
        lambda matrices: jax.lax.map(_curves, matrices, batch_size=25), mesh=mesh, in_specs=split, out_specs=split
    )
    matrices = jax.device_put(workloads.random_batch(dim), NamedSharding(mesh, split))
    return _batch(jax.jit(curves), matrices)


def _batch(curves, matrices):
    def call():
        answers = jax.block_until_ready(curves(matrices))  # all of them; the first are looked at where they lie
        first = [np.asarray(answer.addressable_shards[0].data)[:20] for answer in answers]
        return np.concatenate([np.ravel(answer) for answer in first])

    return call


def fit(kind: str, sites: int, compiled: bool):
    """The multipliers of eight charges; called as it is, with its checks and verdicts, or inside a compiled program."""
    q = workloads.charges(kind, sites)
    wanted = jnp.asarray(workloads.targets(q))
    if kind == "commuting":
        operators = tuple(jg.operators.Spectrum(row) for row in q)
    else:
        operators = tuple(jg.operators.Dense(matrix) for matrix in q)
    fitted = lambda operators, wanted: jg.fit_multipliers(operators, wanted).value  # noqa: E731
    call = jax.jit(fitted) if compiled else fitted
    return lambda: call(operators, wanted)


def product(sites: int, prepared: bool):
    """`H v` without a matrix: with the operator prepared, as in a Lanczos run, or all at once from the couplings."""
    hamiltonian, vector = jg.models.heisenberg_chain(sites), jnp.asarray(workloads.vector(sites))
    if not prepared:
        once = jax.jit(lambda hamiltonian, vector: hamiltonian.matvec(vector))
        return lambda: once(hamiltonian, vector)
    linear_map = jax.jit(lambda hamiltonian: hamiltonian.linear_map())(hamiltonian)
    apply = jax.jit(lambda linear_map, vector: linear_map(vector))
    return lambda: apply(linear_map, vector)


def _given_probes(sites: int, cores: int = 1):
    """The method whose probes are those of every row; with several cores, each is a device for its share of them."""
    split = None
    if cores > 1:
        jax.config.update("jax_num_cpu_devices", cores)
        mesh = jax.make_mesh((cores,), ("cores",), axis_types=(AxisType.Auto,))
        split = NamedSharding(mesh, PartitionSpec("cores"))
    probes = jnp.asarray(workloads.probe_signs(sites))

    def given(key, index, dim, dtype):
        return probes[index].astype(dtype)

    return jg.Lanczos(workloads.PROBES, workloads.DEPTH, distribution=given, sharding=split)


def ftlm(sites: int, cores: int):
    """ln Z, U and C of a Heisenberg chain at 200 temperatures from four given probes."""
    method, betas = _given_probes(sites, cores), jnp.asarray(workloads.BETAS)
    hamiltonian = jg.models.heisenberg_chain(sites)

    @jax.jit
    def call(hamiltonian):
        spectrum = jg.thermal_spectrum(hamiltonian, method=method)
        curves = (spectrum.log_partition, spectrum.energy, spectrum.heat_capacity)
        return jnp.concatenate([jax.vmap(curve)(betas) for curve in curves])

    return lambda: call(hamiltonian)


def ftlm_gradient(sites: int):
    """The gradient of ln Z at beta = 1 in the three couplings of the chain, from the same probes."""
    hamiltonian, method = jg.models.heisenberg_chain(sites), _given_probes(sites)
    slope = jax.jit(jax.grad(lambda h: jg.log_partition(h, 1.0, method=method)))
    return lambda: slope(hamiltonian).couplings["coupling"]


def evolution(sites: int, compiled: bool = True):
    """<S^z> of a damped chain at 101 times, by Taylor's series; called as it is, or inside a compiled program."""
    hamiltonian, jumps, rates, observable = workloads.damped_chain(sites)
    generator = jg.Lindbladian(hamiltonian, jumps, rates)
    rho, times, observable = jnp.asarray(workloads.all_up(sites)), jnp.asarray(workloads.TIMES), jnp.asarray(observable)

    def means(generator, rho, times):
        return jnp.sum(jg.evolve(generator, rho, times).value.real * observable, axis=(1, 2))

    call = jax.jit(means) if compiled else means
    return lambda: call(generator, rho, times)


def evolution_gradient(sites: int):
    """The gradient of the last <S^z> in all rates."""
    hamiltonian, jumps, rates, observable = workloads.damped_chain(sites)
    rho, times = jnp.asarray(workloads.all_up(sites)), jnp.asarray(workloads.TIMES[[0, -1]])

    def last(rates):
        generator = jg.Lindbladian(hamiltonian, jumps, rates)
        states = jg.evolve(generator, rho, times, method=jg.dynamics.Taylor(max_steps=64)).value
        return jnp.sum(states[-1].real * observable)

    slope = jax.jit(jax.grad(last))
    return lambda: slope(jnp.asarray(rates))
