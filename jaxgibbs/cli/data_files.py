"""Columns of a CSV file and matrices of .npy and .npz files, checked at the door."""

import csv
import dataclasses
import pathlib

import numpy as np

from .complaints import complain, listing, must_be_one_of


@dataclasses.dataclass(frozen=True)
class Columns:
    """A CSV file with one header line; blank lines and lines that begin with `#` are passed over."""

    path: pathlib.Path
    header: list[str]
    cells: list[list[str]]
    line_numbers: list[int]

    def index(self, name: str) -> int:
        """Position of the column called `name`."""
        if name not in self.header:
            raise complain(self.path, f"the column asked for {must_be_one_of(name, self.header)}", line=None)
        return self.header.index(name)

    def texts(self, name: str) -> list[str]:
        """A column as texts."""
        column = self.index(name)
        return [row[column] for row in self.cells]

    def numbers(self, name: str, *, positive: bool = False) -> np.ndarray:
        """A column as finite numbers, shape (rows,)."""
        words = "a positive number" if positive else "a finite number"
        values = []
        for line, cell in zip(self.line_numbers, self.texts(name), strict=True):
            try:
                value = float(cell)
            except ValueError:
                value = np.nan
            if not np.isfinite(value) or (positive and value <= 0):
                raise complain(self.path, f'column "{name}" must hold {words}, but holds "{cell}"', line=line)
            values.append(value)
        return np.asarray(values)


def read_columns(path: pathlib.Path) -> Columns:
    """Read a CSV file: a header of unique names, and at least one row of as many cells."""
    header: list[str] = []
    cells: list[list[str]] = []
    numbers: list[int] = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise complain(path, "there is no such file") from None
    except UnicodeDecodeError:
        raise complain(path, "must be UTF-8 text, a CSV file with a header line") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        row = [cell.strip() for cell in next(csv.reader([line]))]
        if not header:
            header = row
            if len(set(header)) != len(header):
                raise complain(path, f"the header must not repeat a name, but is {listing(header)}", line=number)
        elif len(row) != len(header):
            raise complain(path, f"must have {len(header)} cells like its header, but has {len(row)}", line=number)
        else:
            cells.append(row)
            numbers.append(number)
    if not cells:
        raise complain(path, "must hold a header line and at least one row, but holds no data")
    return Columns(path, header, cells, numbers)


def read_array(path: pathlib.Path, name: str | None = None) -> np.ndarray:
    """Read an array from a .npy file, or the array called `name` from a .npz file; pickled objects are refused."""
    if path.suffix not in {".npy", ".npz"}:
        raise complain(path, f'must be a .npy or .npz file, but ends in "{path.suffix}"')
    try:
        loaded = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise complain(path, "there is no such file") from None
    except (ValueError, EOFError, OSError) as error:
        raise complain(path, f"must hold numbers that NumPy can read, but: {error}") from None
    if isinstance(loaded, np.ndarray):
        return _numeric(path, loaded)
    with loaded:
        names = sorted(loaded.files)
        if name is None and len(names) == 1:
            name = names[0]
        if name is None:
            raise complain(path, f'holds the arrays {listing(names)}; say which with array = "..."')
        if name not in names:
            raise complain(path, f"the array asked for {must_be_one_of(name, names)}")
        try:
            return _numeric(path, loaded[name])
        except ValueError as error:
            raise complain(path, f"must hold numbers that NumPy can read, but: {error}") from None


def _numeric(path: pathlib.Path, array: np.ndarray) -> np.ndarray:
    if not np.issubdtype(array.dtype, np.number):
        raise complain(path, f"must hold numbers, but holds {array.dtype}")
    if np.issubdtype(array.dtype, np.integer):
        array = array.astype(float)
    if not np.all(np.isfinite(array)):
        raise complain(path, "must hold finite numbers, but has NaN or infinite entries")
    return array
