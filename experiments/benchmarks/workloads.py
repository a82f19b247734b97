"""The numbers that every row of a workload starts from; NumPy only, so that each peer builds its own objects."""

import numpy as np

BETAS = 1 / np.geomspace(0.05, 20.0, 200)
BATCH_BETAS = np.geomspace(0.1, 10.0, 100)
BATCH = 1000


def chain_entries(sites: int) -> dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Terms of an open spin-1/2 chain, `flip` and `parallel` for each bond, `field` (S^z) for each site: rows, columns, values."""
    states = np.arange(2**sites)

    def spin(site):
        return 0.5 - ((states >> (sites - 1 - site)) & 1)

    bonds = [(i, 3 << (sites - 2 - i)) for i in range(sites - 1)]
    opposite = [(states[spin(i) != spin(i + 1)], mask) for i, mask in bonds]
    return {
        "flip": [(rows, rows ^ mask, np.full(len(rows), 0.5)) for rows, mask in opposite],
        "parallel": [(states, states, spin(i) * spin(i + 1)) for i, _ in bonds],
        "field": [(states, states, spin(i)) for i in range(sites)],
    }


def chain_matrices(sites: int) -> dict[str, list[np.ndarray]]:
    """The same as dense matrices."""

    def dense(rows, columns, values):
        matrix = np.zeros((2**sites, 2**sites))
        matrix[rows, columns] = values
        return matrix

    return {name: [dense(*term) for term in terms] for name, terms in chain_entries(sites).items()}


def chain_couplings(sites: int) -> dict[str, np.ndarray]:
    """Site-dependent couplings of a random-field XXZ chain."""
    rng = np.random.default_rng(1)
    return {
        "flip": 1 + 0.3 * rng.standard_normal(sites - 1),
        "parallel": 0.7 + 0.3 * rng.standard_normal(sites - 1),
        "field": rng.uniform(-1, 1, sites),
    }


def heisenberg_matrix(sites: int) -> np.ndarray:
    """The open Heisenberg chain with J = 1."""
    terms = chain_matrices(sites)
    return sum(terms["flip"]) + sum(terms["parallel"])


def sparse_heisenberg(sites: int):
    """The open Heisenberg chain with J = 1, as a CSR matrix of float64 with int32 indices."""
    import scipy.sparse

    states = np.arange(2**sites, dtype=np.int32)
    diagonal, rows, columns = np.zeros(2**sites), [states], [states]
    for bond in range(sites - 1):
        differ = ((states >> bond) ^ (states >> (bond + 1))) & 1 == 1
        diagonal += np.where(differ, -0.25, 0.25)
        rows.append(states[differ])
        columns.append(states[differ] ^ np.int32(3 << bond))
    row, column = np.concatenate(rows), np.concatenate(columns)
    values = np.concatenate([diagonal, np.full(len(row) - len(diagonal), 0.5)])
    return scipy.sparse.csr_matrix((values, (row, column)), shape=(2**sites, 2**sites))


def vector(sites: int) -> np.ndarray:
    """A random vector of length 1."""
    v = np.random.default_rng(3).standard_normal(2**sites)
    return v / np.linalg.norm(v)


PROBES, DEPTH = 4, 50


def probe_signs(sites: int) -> np.ndarray:
    """Vectors of random signs, one a row, as small integers."""
    return 2 * np.random.default_rng(2).integers(0, 2, size=(PROBES, 2**sites), dtype=np.int8) - 1


def probe_vectors(sites: int) -> np.ndarray:
    """The same as numbers."""
    return probe_signs(sites).astype(float)


def random_batch(dim: int) -> np.ndarray:
    """1000 complex Hermitian matrices of unit width."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, dim, dim)) + 1j * rng.standard_normal((BATCH, dim, dim))
    return (x + x.conj().transpose(0, 2, 1)) / (2 * np.sqrt(dim))


def charges(kind: str, sites: int) -> np.ndarray:
    """Eight charges: `commuting`, as vectors over the 2^sites states of free modes, or `noncommuting`, as matrices."""
    if kind == "commuting":
        states = np.arange(2**sites)
        filled = ((states[:, None] >> np.arange(sites)) & 1).astype(float)
        momentum = np.pi * np.arange(1, sites + 1) / (sites + 1)
        profiles = (
            [np.cos(k * momentum) for k in range(1, 5)] + [np.sin(k * momentum) for k in range(1, 4)] + [np.ones(sites)]
        )
        return (filled @ np.stack(profiles).T).T.copy()
    sx, sz = np.array([[0, 0.5], [0.5, 0]]), np.diag([0.5, -0.5])
    isy = np.array([[0, 0.5], [-0.5, 0]])  # i S^y, real

    def at(matrix, site):
        return np.kron(np.kron(np.eye(2**site), matrix), np.eye(2 ** (sites - 1 - site)))

    def bond(matrix, site):
        return at(matrix, site) @ at(matrix, site + 1)

    def total(matrix):
        return sum(at(matrix, i) for i in range(sites))

    chains = [sum(sign * bond(m, i) for i in range(sites - 1)) for m, sign in ((sx, 1), (isy, -1), (sz, 1))]
    return np.array([*chains, total(sx), total(sz), bond(sx, 0), bond(sz, sites // 2), at(sx, sites - 1)])


MULTIPLIERS = np.array([0.6, -0.4, 0.8, 0.3, -0.5, 0.7, 0.2, -0.3])


def targets(q: np.ndarray) -> np.ndarray:
    """Expectation values of the charges at `MULTIPLIERS`."""
    if q.ndim == 2:
        x = -MULTIPLIERS @ q
        p = np.exp(x - x.max())
        return q @ (p / p.sum())
    energies, vectors = np.linalg.eigh(np.tensordot(MULTIPLIERS, q, 1))
    p = np.exp(-(energies - energies[0]))
    rho = (vectors * (p / p.sum())) @ vectors.T
    return np.einsum("aij,ji->a", q, rho)


STEADY_POINT = {"chain": np.array([0.9, 0.6, 0.7, 0.45, 0.25]), "boundary": np.array([1.1, 0.7, 0.2, 0.8, 0.3])}
STEADY_POINT["kerr"] = np.array([0.8, 0.35, 1.4, 1.1, 0.06])


def steady_model(kind: str, size: int):
    """An open system with five parameters: `(terms, jumps, coefficients, rates, observable)`, the two functions of parameters.

    `chain`: XXZ in a tilted field, loss and dephasing on every site. `boundary`: XXZ, driven in and out at its ends. `kerr`: a
    driven nonlinear cavity of dimension `size` with loss of one photon and of two.
    """
    if kind == "kerr":
        a = np.diag(np.sqrt(np.arange(1.0, size)), 1)
        number = a.T @ a
        terms = [-number, 0.5 * (number @ number - number), a + a.T]
        return np.array(terms), [a, a @ a], lambda p: p[:3], lambda p: p[3:], number
    x, z = np.array([[0.0, 0.5], [0.5, 0.0]]), np.diag([0.5, -0.5])
    iy, lower = np.array([[0.0, 0.5], [-0.5, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])

    def on(matrix, site):
        return np.kron(np.kron(np.eye(2**site), matrix), np.eye(2 ** (size - 1 - site)))

    bonds = range(size - 1)
    hopping = sum(on(x, i) @ on(x, i + 1) - on(iy, i) @ on(iy, i + 1) for i in bonds)
    ising = sum(on(z, i) @ on(z, i + 1) for i in bonds)
    magnetisation = sum(on(z, i) for i in range(size))
    if kind == "chain":
        tilted = sum(on(x, i) for i in range(size)) + 0.3 * magnetisation
        jumps = [on(lower, i) for i in range(size)] + [on(z, i) for i in range(size)]
        repeats = np.repeat([3, 4], size)
        terms = np.array([hopping, ising, tilted])
        return terms, jumps, lambda p: (p[0], p[0] * p[1], p[2]), lambda p: p[repeats], magnetisation / size
    jumps = [on(lower.T, 0), on(lower, 0), on(lower.T, size - 1), on(lower, size - 1)]
    staggered = sum((-1) ** i * on(z, i) for i in range(size))
    order = np.array([3, 4, 4, 3])
    current = on(x, 0) @ on(iy, 1) - on(iy, 0) @ on(x, 1)
    terms = np.array([hopping, ising, staggered])
    return terms, jumps, lambda p: (p[0], p[0] * p[1], p[2]), lambda p: p[order], (1j * current)


def steady_points(count: int) -> np.ndarray:
    """Parameters of the chain around its point."""
    return STEADY_POINT["chain"] * np.random.default_rng(5).uniform(0.8, 1.2, (count, 5))


TIMES = np.linspace(0.0, 20.0, 101)


def damped_chain(sites: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, np.ndarray]:
    """`(H, jumps, rates, observable)`: an XXZ chain in a tilted field with decay and dephasing on every site; the mean S^z."""
    sx, sz, down = np.array([[0, 0.5], [0.5, 0]]), np.diag([0.5, -0.5]), np.array([[0.0, 0.0], [1.0, 0.0]])
    isy = np.array([[0, 0.5], [-0.5, 0]])  # i S^y, real

    def at(matrix, site):
        return np.kron(np.kron(np.eye(2**site), matrix), np.eye(2 ** (sites - 1 - site)))

    bonds = [
        at(sx, i) @ at(sx, i + 1) - at(isy, i) @ at(isy, i + 1) + 0.7 * at(sz, i) @ at(sz, i + 1)
        for i in range(sites - 1)
    ]
    fields = [0.8 * (at(sx, i) + 0.3 * at(sz, i)) for i in range(sites)]
    jumps = [at(down, i) for i in range(sites)] + [at(sz, i) for i in range(sites)]
    rates = np.array([0.5] * sites + [0.2] * sites)
    return sum(bonds) + sum(fields), jumps, rates, sum(at(sz, i) for i in range(sites)) / sites


def all_up(sites: int) -> np.ndarray:
    """The state with every spin up."""
    rho = np.zeros((2**sites, 2**sites), complex)
    rho[0, 0] = 1
    return rho
