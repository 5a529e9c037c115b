import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from datasets import DataError, prepare
from datasets.cats import cats


def contents(part, n):
    pictures = np.random.default_rng(n).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    return {
        f"{part}_set_x": pictures,
        f"{part}_set_y": np.arange(n) % 2,
        "list_classes": np.array([b"non-cat", b"cat"]),
    }


def write(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


@pytest.fixture
def directory(tmp_path):
    """Two small files of the right form."""
    write(tmp_path / "train_catvnoncat.h5", contents("train", 6))
    write(tmp_path / "test_catvnoncat.h5", contents("test", 4))
    return tmp_path


def test_pictures_become_rows_of_bytes_and_come_with_a_test_set(directory):
    dataset = cats(str(directory))
    assert np.array_equal(dataset.train.X, contents("train", 6)["train_set_x"].reshape(6, -1))
    assert dataset.train.X.dtype == np.float64
    assert dataset.train.y.tolist() == [0, 1, 0, 1, 0, 1]
    assert len(dataset.test.y) == 4
    assert dataset.classes == ("non-cat", "cat")
    assert dataset.image_shape == (8, 8, 3)


def test_divided_by_255_they_are_bit_for_bit_the_course_s(directory):
    pixels = contents("train", 6)["train_set_x"].reshape(6, -1)
    prepared = prepare(cats(str(directory)), scaling="divide", divisor=255.0)
    assert np.array_equal(prepared.train.X, pixels / 255.0)


def test_labels_in_a_row_are_taken_too(directory):
    labels = np.arange(6)[None] % 2
    write(directory / "train_catvnoncat.h5", contents("train", 6) | {"train_set_y": labels})
    assert cats(str(directory)).train.y.tolist() == [0, 1, 0, 1, 0, 1]


def test_absent_files_are_described_with_where_to_put_them(tmp_path):
    with pytest.raises(DataError) as refusal:
        cats(str(tmp_path))
    for part in ("no train_catvnoncat.h5 and no test_catvnoncat.h5", "deep-learning course", "dataset.dir="):
        assert part in str(refusal.value)


def test_one_absent_file_is_named_alone(directory):
    (directory / "test_catvnoncat.h5").unlink()
    with pytest.raises(DataError, match=r"has no test_catvnoncat.h5; expected the cat / non-cat pictures"):
        cats(str(directory))


def test_a_truncated_file_is_refused(directory):
    path = directory / "train_catvnoncat.h5"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"train_catvnoncat\.h5 is damaged or no HDF5 file"):
        cats(str(directory))


def test_a_missing_dataset_is_named_with_what_there_is(directory):
    arrays = contents("train", 6)
    arrays["train_set_z"] = arrays.pop("train_set_x")
    write(directory / "train_catvnoncat.h5", arrays)
    with pytest.raises(DataError) as refusal:
        cats(str(directory))
    assert "has no dataset 'train_set_x'; it holds 'list_classes', 'train_set_y', 'train_set_z'" in str(refusal.value)
    assert "expected a uint8 array (n, height, width, 3)" in str(refusal.value)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        (
            "train",
            {"train_set_x": np.zeros((6, 8, 8, 3))},
            r"is float64 of shape \(6, 8, 8, 3\); expected a uint8",
        ),
        (
            "train",
            {"train_set_x": np.zeros((6, 8, 8), np.uint8)},
            r"uint8 of shape \(6, 8, 8\); expected a uint8",
        ),
        ("test", {"test_set_x": np.zeros((4, 8, 8, 4), np.uint8)}, r"\(4, 8, 8, 4\); expected"),
        (
            "test",
            {"test_set_x": np.zeros((4, 9, 8, 3), np.uint8)},
            r"has pictures \(9, 8, 3\); expected \(8, 8, 3\)",
        ),
        ("train", {"train_set_y": np.arange(5)}, r"'train_set_y' in .* \(5,\); expected integers \(6,\)"),
        ("train", {"train_set_y": np.zeros(6)}, r"'train_set_y' in .* is float64"),
        (
            "test",
            {"test_set_y": np.array([0, 1, 2, 0])},
            r"'test_set_y' in .* row 2 is 2; expected a label in 0\.\.1",
        ),
        ("test", {"test_set_y": np.array([0, -1, 1, 0])}, r"row 1 is -1"),
        ("train", {"list_classes": np.array([b"cat"])}, r"'list_classes' in .* names of two or more"),
        ("train", {"list_classes": np.array([1, 2])}, r"'list_classes' in .* is int64"),
        (
            "test",
            {"list_classes": np.array([b"cat", b"non-cat"])},
            r"has classes \('cat', 'non-cat'\); expected",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(directory, part, changes, message):
    n = {"train": 6, "test": 4}[part]
    write(directory / f"{part}_catvnoncat.h5", contents(part, n) | changes)
    with pytest.raises(DataError, match=message):
        cats(str(directory))


@pytest.fixture
def real():
    place = os.environ.get("CATS_DIR")
    if place is None:
        reason = "CATS_DIR does not say where the real pictures are"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return cats(str(Path(place)))


def test_the_real_pictures_are_those_of_the_reference(real):
    assert real.train.X.shape == (209, 12288)
    assert real.test.X.shape == (50, 12288)
    assert real.image_shape == (64, 64, 3)
    assert real.train.y.sum() == 72  # the label entropy of the reference is H(72/209)
    assert real.classes == ("non-cat", "cat")


def test_the_network_of_the_course_has_its_published_cost_before_training(real):
    # reference.json: course.c1w4.L_layer, .771749 at iteration 0
    X, y = prepare(real, scaling="divide", divisor=255.0).train
    random = np.random.RandomState(1)
    A = X
    for fan_in, fan_out in ((12288, 20), (20, 7), (7, 5), (5, 1)):
        Z = A @ (random.randn(fan_out, fan_in) / np.sqrt(fan_in)).T
        A = np.maximum(Z, 0)
    Z = Z.ravel()
    assert np.mean(np.logaddexp(0, Z) - y * Z) == pytest.approx(0.771749, abs=5e-7)
