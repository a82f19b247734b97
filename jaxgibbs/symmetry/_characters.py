"""Which combinations of characters label the sectors of a block, and how often each occurs.

For a character `chi` of a commuting group and signs of symmetries of order two that leave it as it is, there is one sector. One
with a complex `chi` (a momentum other than 0 and pi) occurs twice, for the matrix is real; symmetries that take `chi` to another
character take the sector to one with the same block.
"""

import numpy as np

from ._bases import Sector
from ._signed import Signed
from .detection import Symmetries


def sectors_of(found: Symmetries, kept: np.ndarray, involutions: list[int], real: bool) -> list[Sector]:
    """All sectors for the elements `kept` of the commuting group and some of the involutions; `real` if the terms are."""
    rows = np.unique(np.round(found.group.characters[:, kept], 9), axis=0, return_index=True)[1]
    characters = found.group.characters[np.sort(rows)][:, kept]
    number = {_key(row): i for i, row in enumerate(characters)}
    position = np.full(len(found.group), -1)
    position[kept] = np.arange(len(kept))
    moved = {q: position[found.moved[q][kept]] for q in involutions}
    elements = [found.group.elements[k] for k in kept]
    cache: dict[tuple[int, ...], tuple[Signed, ...]] = {}
    seen: set[int] = set()
    answer = []
    for i, chi in enumerate(characters):
        if i in seen:
            continue
        star, size = {i} | ({number[_key(chi.conj())]} if real else set()), 0
        while size < len(star):
            size = len(star)
            star |= {number[_key(characters[j][moved[q]])] for q in involutions for j in star}
        seen |= star
        complex_ = bool(np.any(chi.imag))
        mirror = None
        if complex_ and real:
            mirror = next((q for q in involutions if np.allclose(chi[moved[q]], chi.conj(), atol=1e-8)), None)
        little = _little_group(found, involutions, moved, chi, mirror, elements)
        chosen = tuple(little)
        if chosen not in cache:
            cache[chosen] = tuple(_products([found.involutions[q] for q in little], elements))
        for signs in range(2 ** len(little)):
            parities = np.array([(signs & k).bit_count() % 2 for k in range(2 ** len(little))])
            values = np.outer(1 - 2 * parities, chi).ravel()
            values = values if complex_ else np.real(values)
            answer.append(
                Sector(cache[chosen], values, None if mirror is None else found.involutions[mirror], len(star))
            )
    return answer


def _key(character: np.ndarray) -> bytes:
    return (np.round(character, 6) + 0.0).tobytes()


def _products(generators: list[Signed], elements: list[Signed]) -> list[Signed]:
    """Products of commuting involutions with all elements; bit `i` of the slow index tells whether generator `i` is there."""
    answer = list(elements)
    for generator in generators:
        answer += [generator.after(element) for element in answer]
    return answer


def _little_group(found, involutions, moved, chi, mirror, elements) -> list[int]:
    """Involutions that leave `chi` as it is, commute with one another and the mirror, and are no product of the others."""
    little: list[int] = []
    inside = {element.key() for element in elements}
    for q in involutions:
        symmetry = found.involutions[q]
        others = [found.involutions[k] for k in (*little, *(() if mirror is None else (mirror,)))]
        if (
            np.allclose(chi[moved[q]], chi, atol=1e-8)
            and symmetry.key() not in inside
            and all(symmetry.commutes(other) for other in others)
        ):
            little.append(q)
            inside = {e.key() for e in _products([found.involutions[k] for k in little], elements)}
    return little
