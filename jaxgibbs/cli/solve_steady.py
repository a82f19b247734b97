"""From an open system to its steady state: what the library answers, in the units of the problem."""

import dataclasses

import numpy as np

from jaxgibbs._solution import RESULTS
from jaxgibbs.diagnostics import VERDICTS, detailed_balance
from jaxgibbs.dynamics import heat_currents
from jaxgibbs.linalg import eigh
from jaxgibbs.open_systems import steady_state

from .open_problem import OpenProblem


@dataclasses.dataclass(frozen=True)
class Answer:
    """The steady state of a problem and what flows in it, in the units of the problem.

    Args:
        found: whether there is one steady state, and it was found.
        meaning: the text of the result of the solver.
        certificate: numbers of the solver by name, and `error`.
        density_matrix: the state, in the basis of the Hamiltonian as given.
        energies: levels of the Hamiltonian, ascending.
        populations: of these levels.
        coherence: the largest element between two levels.
        currents: energy from each bath or jump into the system, per unit of time.
        entropy_production: `-sum_a beta_a J_a`; None where something that is no bath exchanges energy.
        balance: the first words of the verdict on detailed balance.
        explanation: the verdict and what it rests on.
        warnings: doubts of the library about the model.
    """

    found: bool
    meaning: str
    certificate: dict[str, float]
    density_matrix: np.ndarray
    energies: np.ndarray
    populations: np.ndarray
    coherence: float
    currents: dict[str, float]
    entropy_production: float | None
    balance: str
    explanation: str
    warnings: list[str]


def solve_steady(problem: OpenProblem) -> Answer:
    """The answer in plain arrays; where there is none, NaN and the reason."""
    generator = problem.generator
    solution = steady_state(generator, throw=False)
    found = bool(solution.result == RESULTS.optimal)
    energies, vectors = map(np.asarray, eigh(problem.hamiltonian.to_dense()))
    state = np.asarray(solution.value) if found else np.full((generator.dim, generator.dim), np.nan, complex)
    between = vectors.conj().T @ state @ vectors
    populations = np.real(np.diag(between))
    heats = np.asarray(heat_currents(generator, solution.value, problem.hamiltonian)) if found else np.zeros(0)
    currents = dict(zip(map(str, generator.baths), map(float, heats), strict=False))
    report = _balance(problem) if found else None
    return Answer(
        found=found,
        meaning=str(RESULTS[solution.result]),
        certificate={name: float(value) for name, value in solution.stats.items()} | {"error": float(solution.error)},
        density_matrix=state,
        energies=energies,
        populations=populations,
        coherence=float(np.max(np.abs(between - np.diag(np.diag(between))), initial=0.0)),
        currents=currents,
        entropy_production=_entropy_production(problem, currents),
        balance="" if report is None else str(VERDICTS[report.verdict]),
        explanation="" if report is None else report.explain(),
        warnings=[],
    )


def _balance(problem: OpenProblem):
    """Against the Gibbs state of the bath where there is one temperature alone, else against the steady state itself."""
    different = set(problem.betas.values())
    only = different.pop() if len(different) == 1 else None
    usable = only is not None and np.isfinite(only) and set(map(str, problem.generator.baths)) == set(problem.betas)
    return detailed_balance(problem.generator, beta=only) if usable else detailed_balance(problem.generator)


def _entropy_production(problem: OpenProblem, currents: dict[str, float]) -> float | None:
    if set(currents) != set(problem.betas) or not all(map(np.isfinite, problem.betas.values())):
        return None
    return -sum(problem.betas[name] * current for name, current in currents.items())
