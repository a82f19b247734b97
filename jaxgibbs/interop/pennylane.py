"""PennyLane: operators with a Pauli representation both ways. Wire `i` of the order given is site `i`, left-most first."""

from collections.abc import Hashable, Sequence

from jaxgibbs.operators import PauliSum

from ._strings import needed, pauli_sum, strings_of


def from_pennylane(operator, wires: Sequence[Hashable] | None = None) -> PauliSum:
    """A `PauliSum` with a coupling for each string.

    Args:
        operator: any PennyLane operator with a Pauli representation and real coefficients.
        wires: the wires in the order of the sites; by default those of the operator, sorted where they are numbers.

    Raises:
        ValueError: if there is no such representation, a coefficient is not real, or a wire is missing from `wires`.
    """
    needed("pennylane")
    sentence = getattr(operator, "pauli_rep", None)
    if sentence is None:
        found = type(operator).__name__
        raise ValueError(f"`operator` must have a Pauli representation, but `{found}` has none; decompose it first.")
    own = list(sentence.wires)
    if wires is None:
        wires = sorted(own) if all(isinstance(wire, int) for wire in own) else own
    place = {wire: site for site, wire in enumerate(wires)}
    missing = [wire for wire in own if wire not in place]
    if missing:
        raise ValueError(f"`wires` must hold every wire of the operator, but {missing} are missing.")
    strings = [(c, {place[wire]: letter for wire, letter in word.items()}) for word, c in sentence.items()]
    return pauli_sum(strings, len(place))


def to_pennylane(operator: PauliSum):
    """A PennyLane `Hamiltonian` on wires `0, 1, ...` with the values of the couplings.

    Args:
        operator: a `PauliSum`.

    Raises:
        ValueError: if it is none, or its couplings are traced.
    """
    pennylane = needed("pennylane")
    sentence = pennylane.pauli.PauliSentence()
    for coefficient, letters in strings_of(operator):
        word = pennylane.pauli.PauliWord(letters)
        sentence[word] = sentence.get(word, 0.0) + coefficient
    sites = operator.terms.sites
    return pennylane.Hamiltonian(
        list(sentence.values()), [word.operation(wire_order=range(sites)) for word in sentence]
    )
