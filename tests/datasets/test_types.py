from dataclasses import replace

import numpy as np

from datasets import Dataset, Rows, Scaling
from datasets.xor import xor


def test_equal_rows_have_equal_digests_whatever_their_name_and_source():
    assert xor().digest() == replace(xor(), name="mine", source="mine.csv").digest()


def test_a_digest_sees_values_order_classes_and_the_part_that_rows_play():
    X, y = xor().train
    rows = Rows(X, y)
    others = [
        Dataset("xor", Rows(X + 1e-9, y), classes=(0.0, 1.0)),
        Dataset("xor", Rows(X[::-1], y), classes=(0.0, 1.0)),
        Dataset("xor", Rows(X, 1 - y), classes=(0.0, 1.0)),
        Dataset("xor", rows, classes=(0.0, 2.0)),
        Dataset("xor", rows, test=rows, classes=(0.0, 1.0)),
        Dataset("xor", rows, validation=rows, classes=(0.0, 1.0)),
    ]
    digests = {dataset.digest() for dataset in [xor(), *others]}
    assert len(digests) == 7


def test_a_digest_does_not_depend_on_the_layout_in_memory():
    X, y = xor().train
    assert Dataset("xor", Rows(np.asfortranarray(X), y), classes=(0.0, 1.0)).digest() == xor().digest()


def test_parts_are_those_that_there_are():
    assert list(xor().parts) == ["train"]


def test_dividing_is_bit_for_bit_the_division():
    X = np.arange(256.0)[:, None]
    scaled = Scaling(np.zeros(1), np.full(1, 255.0)).apply(X)
    assert np.array_equal(scaled, X / 255)
