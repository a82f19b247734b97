"""Qiskit: `SparsePauliOp` both ways. Qubit `i` becomes site `i`.

Qiskit writes qubit 0 right-most, in labels and in tensor products; here site 0 is left-most. So the letters stay with their
qubits, while matrices differ by the reversal of the bits.
"""

from jaxgibbs.operators import PauliSum

from ._strings import needed, pauli_sum, strings_of


def from_qiskit(operator) -> PauliSum:
    """A `PauliSum` with a coupling for each string, on as many sites as there are qubits.

    Args:
        operator: a `qiskit.quantum_info.SparsePauliOp` with real coefficients.

    Raises:
        ValueError: if it is none, or a coefficient is not real.
    """
    info = needed("qiskit.quantum_info")
    if not isinstance(operator, info.SparsePauliOp):
        raise ValueError(f"`operator` must be a `SparsePauliOp`, but is a `{type(operator).__name__}`.")
    strings = [
        (coefficient, {qubit: letter for qubit, letter in enumerate(reversed(label)) if letter != "I"})
        for label, coefficient in operator.to_list()
    ]
    return pauli_sum(strings, operator.num_qubits)


def to_qiskit(operator: PauliSum):
    """A `SparsePauliOp` with the values of the couplings.

    Args:
        operator: a `PauliSum`.

    Raises:
        ValueError: if it is none, or its couplings are traced.
    """
    info = needed("qiskit.quantum_info")
    sites = range(operator.terms.sites) if isinstance(operator, PauliSum) else ()
    found = [("".join(letters.get(s, "I") for s in reversed(sites)), c) for c, letters in strings_of(operator)]
    return info.SparsePauliOp.from_list(found, num_qubits=len(sites))
