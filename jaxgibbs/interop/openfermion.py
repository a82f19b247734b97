"""OpenFermion: `QubitOperator` both ways, `FermionOperator` by Jordan and Wigner. Qubit `i` is site `i`, left-most first."""

from jaxgibbs.operators import PauliSum

from ._strings import needed, pauli_sum, strings_of


def from_openfermion(operator, sites: int | None = None) -> PauliSum:
    """A `PauliSum` with a coupling for each string.

    Args:
        operator: a Hermitian `QubitOperator` or `FermionOperator`; mode `p` of the latter becomes site `p`, index 1 filled.
        sites: how many there are; the largest index and one by default.

    Raises:
        ValueError: if it is neither, or not Hermitian.
    """
    openfermion = needed("openfermion")
    if isinstance(operator, openfermion.FermionOperator):
        operator = openfermion.jordan_wigner(operator)
    if not isinstance(operator, openfermion.QubitOperator):
        found = type(operator).__name__
        raise ValueError(f"`operator` must be a `QubitOperator` or a `FermionOperator`, but is a `{found}`.")
    return pauli_sum([(coefficient, dict(key)) for key, coefficient in operator.terms.items()], sites)


def to_openfermion(operator: PauliSum):
    """A `QubitOperator` with the values of the couplings.

    Args:
        operator: a `PauliSum`.

    Raises:
        ValueError: if it is none, or its couplings are traced.
    """
    openfermion = needed("openfermion")
    total = openfermion.QubitOperator()
    for coefficient, letters in strings_of(operator):
        total += openfermion.QubitOperator(tuple(sorted(letters.items())), coefficient)
    return total
