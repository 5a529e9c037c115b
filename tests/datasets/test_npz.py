import io
import zipfile

import numpy as np
import pytest

from datasets import DataError
from datasets.npz import npz

X = np.arange(12.0).reshape(6, 2)
y = np.array([0, 1, 0, 1, 0, 1])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_rows_and_classes(path, save):
    save(path, X=X, y=y, X_test=X[:2], y_test=y[:2])
    dataset = npz(str(path), test_inputs="X_test", test_target="y_test")
    assert np.array_equal(dataset.train.X, X)
    assert np.array_equal(dataset.train.y, y)
    assert dataset.test.y.tolist() == [0, 1]
    assert dataset.classes == (0.0, 1.0)


def test_text_labels(path):
    np.savez(path, X=X, y=np.array(["b", "a"] * 3))
    assert npz(str(path)).classes == ("a", "b")


def test_fractions_are_a_regression(path):
    np.savez(path, X=X, y=y / 2)
    dataset = npz(str(path))
    assert dataset.classes is None
    assert np.array_equal(dataset.train.y, y / 2)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("something was unpickled",))


def test_python_objects_are_refused_and_never_unpickled(path):
    np.savez(path, X=X, y=np.array([Bomb()] * 6, dtype=object))
    with pytest.raises(DataError, match=r"'y' in .*own\.npz holds Python objects"):
        npz(str(path))


def test_an_unknown_array_is_named_with_the_nearest(path):
    np.savez(path, x_train=X, y=y)
    with pytest.raises(DataError, match=r"no array 'xtrain'; it holds 'x_train', 'y' .did you mean 'x_train'"):
        npz(str(path), inputs="xtrain")


def test_lengths_have_to_agree(path):
    np.savez(path, X=X, y=y[:4])
    with pytest.raises(DataError, match=r"'y' in .* has shape \(4,\); expected \(6,\)"):
        npz(str(path))


def test_a_single_array_is_no_archive(path):
    with path.open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match="is a single array; expected an archive"):
        npz(str(path))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no archive", b"some text", b"\x93NUMPY"])
def test_another_kind_of_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged or no .npz file"):
        npz(str(path))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_array_is_refused(path, save):
    save(path, X=np.random.default_rng(0).random((1000, 3)), y=np.arange(1000))
    content = bytearray(path.read_bytes())
    content[5000:5100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"'X' in .* is damaged"):
        npz(str(path))


def test_a_member_that_is_no_array_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X", "hello")
        archive.writestr("y.npy", (lambda b: (np.save(b, y), b.getvalue())[1])(io.BytesIO()))
    with pytest.raises(DataError, match=r"'X' in .* is not an array"):
        npz(str(path))
