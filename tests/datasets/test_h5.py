import h5py
import numpy as np
import pytest

from datasets import DataError, prepare
from datasets.h5 import h5


@pytest.fixture
def write(tmp_path):
    """Writes arrays into own.h5 and returns its path."""

    def written(**named):
        path = tmp_path / "own.h5"
        with h5py.File(path, "w") as file:
            for name, array in named.items():
                file[name.replace("__", "/")] = array
        return str(path)

    return written


X = np.arange(12.0).reshape(6, 2)
y = np.array([0, 1, 0, 1, 0, 1])


def test_rows_and_classes(write):
    path = write(X=X, y=y)
    dataset = h5(path)
    assert np.array_equal(dataset.train.X, X)
    assert np.array_equal(dataset.train.y, y)
    assert dataset.classes == (0.0, 1.0)
    assert dataset.test is None
    assert dataset.source == path
    prepare(dataset, scaling="standardise", test_fraction=0.3)


def test_arrays_may_lie_in_groups_and_have_other_names(write):
    assert np.array_equal(h5(write(a__b__X=X, a__t=y), inputs="a/b/X", target="a/t").train.X, X)


def test_a_test_set_is_in_the_classes_of_training(write):
    path = write(X=X, y=[5, 7, 5, 7, 9, 9], X_test=X[:2], y_test=[9, 5])
    dataset = h5(path, test_inputs="X_test", test_target="y_test")
    assert dataset.test.y.tolist() == [2, 0]
    assert np.array_equal(dataset.test.X, X[:2])


def test_one_row_is_enough_to_test(write):
    dataset = h5(write(X=X, y=y, A=X[:1], b=[1]), test_inputs="A", test_target="b")
    assert dataset.test.y.tolist() == [1]


@pytest.mark.parametrize("kind", [h5py.string_dtype(), h5py.string_dtype(length=5), "S5"])
def test_text_labels_of_every_kind(write, kind):
    labels = np.array(["cat", "dog", "cat", "dog", "cat", "dog"], dtype=object).astype(kind)
    dataset = h5(write(X=X, y=labels))
    assert dataset.classes == ("cat", "dog")
    assert dataset.train.y.tolist() == [0, 1, 0, 1, 0, 1]


def test_pictures_are_flattened_and_remembered(write):
    pictures = np.arange(6 * 2 * 2 * 3, dtype=np.uint8).reshape(6, 2, 2, 3)
    dataset = h5(write(X=pictures, y=y))
    assert dataset.image_shape == (2, 2, 3)
    assert np.array_equal(dataset.train.X, pictures.reshape(6, 12))


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        (
            {"x_train": X, "y": y},
            {"inputs": "x_tarin"},
            "no dataset 'x_tarin'; it holds 'x_train', 'y'; .*mean 'x_train'",
        ),
        ({"g__X": X, "y": y}, {"inputs": "g"}, "no dataset 'g'; it holds 'g/X', 'y'"),
        ({"X": X, "y": y[:5]}, {}, r"'y' in .* has shape \(5,\); expected \(6,\), one target for each"),
        ({"X": X, "y": y}, {"test_inputs": "X"}, "must be given both or not at all"),
        (
            {"X": X, "y": y, "A": X[:, :1]},
            {"test_inputs": "A", "test_target": "y"},
            "has 1 values a row; expected 2",
        ),
        (
            {"X": X, "y": y, "b": y + 1},
            {"test_inputs": "X", "test_target": "b"},
            r"'b' in .*row 1 .* is 2\.0, no class",
        ),
        ({"X": X * np.nan, "y": y}, {}, r"'X' in .*: row 0, column 0 \(counted from 0\) is nan"),
        ({"X": X, "y": y + np.nan}, {}, r"'y' in .*: row 0 .* is nan"),
        ({"X": X, "y": y * 0}, {}, "single class"),
        ({"X": X.astype("S3"), "y": y}, {}, "'X' in .* holds <U3; expected numbers"),
        ({"X": np.zeros(6, dtype=[("a", "S3")]), "y": y}, {}, "'X' in .* expected numbers"),
        ({"X": h5py.Empty("f8"), "y": y}, {}, "'X' in .* holds"),
    ],
)
def test_what_cannot_be_used_is_refused(write, arrays, options, message):
    with pytest.raises(DataError, match=message):
        h5(write(**arrays), **options)


def test_bytes_that_are_no_text_are_refused(write):
    with pytest.raises(DataError, match=r"'y' in .* not UTF-8"):
        h5(write(X=X, y=np.array([b"\xff"] * 6)))


def test_a_truncated_file_is_refused(write, tmp_path):
    path = write(X=np.zeros((1000, 10)), y=np.arange(1000))
    content = (tmp_path / "own.h5").read_bytes()
    (tmp_path / "own.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"own\.h5 is damaged or no HDF5 file"):
        h5(path)


def test_a_damaged_array_is_refused(tmp_path):
    path = tmp_path / "own.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=np.zeros((1000, 10)), chunks=(1000, 10), fletcher32=True)
        file["y"] = np.arange(1000)
        offset = file["X"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\x01" * 64)
    with pytest.raises(DataError, match=r"'X' in .* is damaged"):
        h5(str(path))


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "own.h5").write_text("X,y\n")
    with pytest.raises(DataError, match="damaged or no HDF5 file"):
        h5(str(tmp_path / "own.h5"))
