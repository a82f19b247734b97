"""What every kind of static terms has: names, sizes, and a hash by content."""


class AbstractTerms:
    """Static terms `T_0, T_1, ...`, so many a named coupling; hashed by content so that they may key a compilation.

    Attributes:
        sizes: name and number of terms of each coupling, in the order of the terms.
    """

    sizes: tuple[tuple[str, int], ...]
    _digest: bytes

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the couplings, in the order of the terms."""
        return tuple(name for name, _ in self.sizes)

    @property
    def count(self) -> int:
        """Number of terms."""
        return sum(size for _, size in self.sizes)

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other) -> bool:
        return isinstance(other, AbstractTerms) and type(other) is type(self) and self._digest == other._digest
