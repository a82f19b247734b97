"""CSV columns and NumPy arrays: good ones are read, every bad one is refused with its place."""

import numpy as np
import pytest

from jaxgibbs.cli.complaints import InputError
from jaxgibbs.cli.data_files import read_array, read_columns


@pytest.fixture
def write(tmp_path):
    def put(text):
        path = tmp_path / "data.csv"
        path.write_text(text)
        return path

    return put


def test_columns(write):
    columns = read_columns(write('# comment\nname, value\n"a", 1.5\n\n# another\nb,2e3\n'))
    assert columns.header == ["name", "value"]
    assert columns.texts("name") == ["a", "b"]
    np.testing.assert_array_equal(columns.numbers("value"), [1.5, 2000.0])


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("name,value\na,x\n", "value", 'line 2: column "value" must hold a finite number, but holds "x"'),
        ("# c\nname,value\na,1\nb,nan\n", "value", 'line 4: column "value" must hold a finite number, but holds "nan"'),
        ("name,value\na,1\n", "valu", 'must be one of "name", "value", but is "valu"; did you mean "value"?'),
        ("name,value\na,1,2\n", "value", "line 2: must have 2 cells like its header, but has 3"),
        ("value,value\n1,2\n", "value", "line 1: the header must not repeat a name"),
        ("name,value\n", "value", "holds no data"),
        ("", "value", "holds no data"),
    ],
)
def test_bad_columns(write, text, column, words):
    with pytest.raises(InputError) as caught:
        read_columns(write(text)).numbers(column)
    assert words in str(caught.value)


def test_positive_columns(write):
    with pytest.raises(InputError, match='must hold a positive number, but holds "0"'):
        read_columns(write("value\n1\n0\n")).numbers("value", positive=True)


def test_no_such_csv(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_columns(tmp_path / "absent.csv")


def test_arrays(tmp_path):
    matrix = np.array([[1, 2], [2, 3]])
    np.save(tmp_path / "one.npy", matrix)
    np.savez(tmp_path / "single.npz", h=matrix)
    np.savez(tmp_path / "two.npz", h=matrix, sz=2 * matrix)
    assert read_array(tmp_path / "one.npy").dtype == float
    np.testing.assert_array_equal(read_array(tmp_path / "single.npz"), matrix)
    np.testing.assert_array_equal(read_array(tmp_path / "two.npz", "sz"), 2 * matrix)


@pytest.mark.parametrize(
    ("name", "save", "array", "words"),
    [
        ("a.txt", lambda p: p.write_text("1 2"), None, "must be a .npy or .npz file"),
        ("a.npy", lambda p: None, None, "there is no such file"),
        ("a.npy", lambda p: p.write_text("no array"), None, "must hold numbers that NumPy can read"),
        ("a.npy", lambda p: np.save(p, np.array(["a"])), None, "must hold numbers, but holds"),
        ("a.npy", lambda p: np.save(p, np.array([np.nan])), None, "must hold finite numbers"),
        ("a.npy", lambda p: np.save(p, np.array([None]), allow_pickle=True), None, "that NumPy can read"),
        ("a.npz", lambda p: np.savez(p, h=np.eye(2), g=np.eye(2)), None, 'holds the arrays "g", "h"; say which'),
        ("a.npz", lambda p: np.savez(p, h=np.eye(2)), "x", 'must be one of "h", but is "x"'),
    ],
)
def test_bad_arrays(tmp_path, name, save, array, words):
    path = tmp_path / name
    save(path)
    with pytest.raises(InputError) as caught:
        read_array(path, array)
    assert words in str(caught.value)
