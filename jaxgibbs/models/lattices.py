"""Lattices: sites, bonds by kind, and the permutations of sites that map the bonds to themselves. Static data."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from jaxgibbs.operators.local import whole_number

Bond = tuple[int, int]


class Lattice:
    """Sites `0 ... sites - 1` and bonds between them; hashed by content.

    Args:
        sites: number of sites.
        bonds: the bonds by kind, such as `{"leg": [(0, 2), ...], "rung": [(0, 1), ...]}`, or one list, of the kind `bond`.
        permutations: permutations of the sites, each `order` taking site `i` to `order[i]`, that map the set of all bonds to
            itself (kinds may be exchanged); they generate the symmetry group.

    Raises:
        ValueError: if a bond does not join two different sites or occurs twice, or a permutation is none or moves a bond away.

    Example:
        >>> triangle = Lattice(3, [(0, 1), (1, 2), (2, 0)], permutations=[(1, 2, 0)])
        >>> print(triangle.all_bonds)
        ((0, 1), (1, 2), (2, 0))
    """

    def __init__(
        self,
        sites: int,
        bonds: Mapping[str, Sequence[Sequence[int]]] | Sequence[Sequence[int]],
        permutations: Sequence[Sequence[int]] = (),
    ):
        self.sites = whole_number("sites", sites)
        kinds = bonds if isinstance(bonds, Mapping) else {"bond": bonds}
        self.bonds = tuple((kind, tuple(self._bond(bond) for bond in group)) for kind, group in kinds.items())
        unordered = [frozenset(bond) for bond in self.all_bonds]
        if len(set(unordered)) < len(unordered):
            twice = next(bond for bond in self.all_bonds if unordered.count(frozenset(bond)) > 1)
            raise ValueError(
                f"`bonds` must join each pair of sites once, but bond {twice} occurs twice; a ring of two cells closes on "
                "itself, so take a longer one, or add up the couplings."
            )
        self.permutations = tuple(tuple(int(i) for i in order) for order in permutations)
        for order in self.permutations:
            if not self.is_invariant(order):
                raise ValueError(f"`permutations` must map the bonds to themselves, but {order} does not.")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds of bonds."""
        return tuple(kind for kind, _ in self.bonds)

    @property
    def all_bonds(self) -> tuple[Bond, ...]:
        """Bonds of every kind, one kind after the other: the order of a coupling with one entry a bond."""
        return tuple(bond for _, group in self.bonds for bond in group)

    def is_invariant(self, order: Sequence[int]) -> bool:
        """Whether the set of all bonds stays as it is when site `i` is moved to `order[i]`."""
        if sorted(order) != list(range(self.sites)):
            raise ValueError(f"A permutation must hold 0 ... {self.sites - 1} in some order, but is {tuple(order)}.")
        pairs = {frozenset(bond) for bond in self.all_bonds}
        return {frozenset((order[i], order[j])) for i, j in self.all_bonds} == pairs

    def _bond(self, bond) -> Bond:
        given = tuple(bond)
        if len(given) != 2 or given[0] == given[1] or not all(site in range(self.sites) for site in given):
            raise ValueError(
                f"bond {given} must join two different sites of the {self.sites}-site lattice, numbered 0 to {self.sites - 1}."
            )
        return int(given[0]), int(given[1])

    def __hash__(self) -> int:
        return hash((self.sites, self.bonds, self.permutations))

    def __eq__(self, other) -> bool:
        return isinstance(other, Lattice) and (self.sites, self.bonds, self.permutations) == (
            other.sites,
            other.bonds,
            other.permutations,
        )

    def __repr__(self) -> str:
        kinds = ", ".join(f"{len(group)} {kind}" for kind, group in self.bonds)
        return f"Lattice({self.sites} sites, bonds: {kinds or 'none'})"


def chain_lattice(sites: int, *, periodic: bool = False) -> Lattice:
    """Sites in a row, bonds `(i, i + 1)`, closed by `(sites - 1, 0)` if periodic, which needs three sites."""
    sites = whole_number("sites", sites)
    if not isinstance(periodic, bool | np.bool_):
        raise ValueError(f"`periodic` must be True or False, but is {periodic!r}.")
    if periodic and sites < 3:
        raise ValueError(
            f"`sites` must be at least 3 for a ring, but is {sites}; two spins have one bond, as an open chain."
        )
    return _lattice(_Cell(((0, 0),), (("bond", 0, 0, 1, 0),)), (sites, 1), (bool(periodic), False))


def ladder_lattice(rungs: int, *, periodic: bool = False) -> Lattice:
    """Two legs: sites `2 i` and `2 i + 1` form rung `i`. Kinds `leg` and `rung`; periodic along the legs."""
    bonds = (("leg", 0, 0, 1, 0), ("rung", 0, 0, 0, 1))
    return _lattice(_Cell(((0, 0),), bonds), (rungs, 2), (periodic, False))


def square_lattice(columns: int, rows: int, *, periodic: bool | tuple[bool, bool] = True) -> Lattice:
    """Site `x rows + y` at `(x, y)`; kinds `x` and `y`.

    Args:
        columns: number of sites along x.
        rows: number of sites along y.
        periodic: along both directions, or one answer for each; a periodic direction needs three cells.
    """
    return _lattice(_Cell(((0, 0),), (("x", 0, 0, 1, 0), ("y", 0, 0, 0, 1))), (columns, rows), periodic)


def triangular_lattice(columns: int, rows: int, *, periodic: bool | tuple[bool, bool] = True) -> Lattice:
    """Site `x rows + y` at `x a_1 + y a_2`, at an angle of 120 degrees; kinds `x`, `y` and `diagonal`, each along one direction."""
    bonds = (("x", 0, 0, 1, 0), ("y", 0, 0, 0, 1), ("diagonal", 0, 0, 1, 1))
    return _lattice(_Cell(((0, 0),), bonds, angle=120.0), (columns, rows), periodic)


def honeycomb_lattice(columns: int, rows: int, *, periodic: bool | tuple[bool, bool] = True) -> Lattice:
    """Two sites a cell, `2 (x rows + y)` and one more; kinds `x`, `y` and `z`, the three directions of bonds."""
    bonds = (("x", 1, 0, 1, 0), ("y", 1, 0, 0, 1), ("z", 0, 1, 0, 0))
    return _lattice(_Cell(((1 / 3, 1 / 3), (2 / 3, 2 / 3)), bonds, angle=60.0), (columns, rows), periodic)


def kagome_lattice(columns: int, rows: int, *, periodic: bool | tuple[bool, bool] = True) -> Lattice:
    """Three sites a cell, from `3 (x rows + y)` on; kinds `up` and `down`, the triangles inside and between cells."""
    up = (("up", 0, 1, 0, 0), ("up", 0, 2, 0, 0), ("up", 1, 2, 0, 0))
    down = (("down", 1, 0, 1, 0), ("down", 2, 0, 0, 1), ("down", 1, 2, 1, -1))
    return _lattice(_Cell(((0.5, 0.5), (1.0, 0.5), (0.5, 1.0)), up + down, angle=60.0), (columns, rows), periodic)


class _Cell:
    """A unit cell: positions in units of two vectors at an angle, and bonds `(kind, from, to, dx, dy)`."""

    def __init__(self, positions, bonds, angle=90.0):
        self.positions, self.bonds = np.array(positions), bonds
        turn = math.radians(angle)
        self.vectors = np.array([[1.0, 0.0], [math.cos(turn), math.sin(turn)]])


def _lattice(cell: _Cell, lengths: tuple[int, int], periodic) -> Lattice:
    lengths = whole_number("columns", lengths[0]), whole_number("rows", lengths[1])
    wraps = tuple(periodic) if isinstance(periodic, tuple | list) else (periodic, periodic)
    if len(wraps) != 2 or not all(isinstance(wrap, bool | np.bool_) for wrap in wraps):
        raise ValueError(f"`periodic` must be True, False or a pair of them, but is {periodic!r}.")
    if any(wrap and n < 3 for wrap, n in zip(wraps, lengths, strict=True)):
        raise ValueError(f"A periodic direction must have at least 3 cells, but there are {lengths[0]} x {lengths[1]}.")
    basis, cells = len(cell.positions), list(itertools.product(range(lengths[0]), range(lengths[1])))
    bonds: dict[str, list[Bond]] = {kind: [] for kind, *_ in cell.bonds}
    for (x, y), (kind, a, b, dx, dy) in itertools.product(cells, cell.bonds):
        end = [p % n if wrap else p for p, n, wrap in zip((x + dx, y + dy), lengths, wraps, strict=True)]
        if all(0 <= p < n for p, n in zip(end, lengths, strict=True)):
            bonds[kind].append(((x * lengths[1] + y) * basis + a, (end[0] * lengths[1] + end[1]) * basis + b))
    places = np.array([position + (x, y) for x, y in cells for position in cell.positions])
    lattice = Lattice(len(places), bonds)
    kept = [order for order in _candidates(places, cell, lengths, wraps) if order and lattice.is_invariant(order)]
    identity = tuple(range(lattice.sites))
    return Lattice(lattice.sites, bonds, [order for order in dict.fromkeys(kept) if order != identity])


def _candidates(places, cell, lengths, wraps):
    """Shifts by one cell, turns and mirrors, as permutations; `None` where a site has no image among the sites."""

    def order_of(images):
        # Positions are thirds and halves of a cell: compared in twelfths, wrapped where the lattice is periodic.
        def key(place):
            units = np.rint(12 * place).astype(int)
            return tuple(u % (12 * n) if wrap else u for u, n, wrap in zip(units, lengths, wraps, strict=True))

        numbers = {key(place): i for i, place in enumerate(places)}
        order = tuple(numbers.get(key(image), -1) for image in images)
        return order if sorted(order) == list(range(len(places))) else None

    for step, wrap in zip(np.eye(2), wraps, strict=True):
        if wrap:
            yield order_of(places + step)
    # About the middle of an open direction, the corner of a cell in a periodic one.
    middle = (places.min(0) + places.max(0)) / 2
    centre = np.where(wraps, 0.0, middle)
    cosine, sine = math.cos(math.pi / 3), math.sin(math.pi / 3)
    sixth, fourth = np.array([[cosine, -sine], [sine, cosine]]), np.array([[0.0, -1.0], [1.0, 0.0]])
    mirror = np.diag([1.0, -1.0])
    for turn in (sixth, fourth, sixth @ sixth, -np.eye(2), mirror, -mirror, sixth @ mirror, fourth @ mirror):
        images = (places - centre) @ cell.vectors @ turn.T @ np.linalg.inv(cell.vectors) + centre
        if np.allclose(12 * images, np.rint(12 * images), atol=1e-6):
            yield order_of(images)
