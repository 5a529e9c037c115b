import numpy as np

from datasets.xor import xor


def test_the_four_points_and_their_exclusive_or():
    dataset = xor()
    assert dataset.train.X.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert dataset.train.y.tolist() == [0, 1, 1, 0]
    assert (dataset.train.X.dtype, dataset.train.y.dtype) == (np.float64, np.int64)
    assert dataset.test is None
    assert dataset.classes == (0.0, 1.0)
