"""Whatever NumPy code computes is followed: reverse mode over its trace is the slope of what it returns."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import exp, zeros
from numpy.lib.stride_tricks import sliding_window_view

from runner.diagnosis.line.adjoints import adjoints
from runner.diagnosis.line.trace import recording

rng = np.random.default_rng(0)
X = rng.normal(size=(5, 3))
W, b = rng.normal(size=(3, 4)), rng.normal(size=4)
IMAGE, K = rng.normal(size=(2, 6, 6, 3)), rng.normal(size=(3, 3, 3, 2))


def in_place(W: Any, b: Any) -> Any:
    Z = X @ W
    Z += b
    Z[Z < 0] *= 0.1
    return Z.sum() / len(X)


def softmax_by_loops(W: Any, b: Any) -> Any:
    Z = np.zeros((5, 4))
    for i in range(5):
        for j in range(4):
            Z[i, j] = np.sum(X[i] * W[:, j]) + b[j]
    e = np.exp(Z - Z.max(axis=1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return -np.log(p[np.arange(5), [0, 1, 2, 3, 0]]).mean()


def recurrent_in_a_buffer(W: Any, b: Any) -> Any:
    h = np.zeros((6, 4))
    for t in range(5):
        h[t + 1] = np.tanh(X[t] @ W + 0.5 * h[t] + b)
    return (h[1:] ** 2).sum()


def convolution_by_slices(K: Any) -> Any:
    out = np.zeros((2, 4, 4, 2))
    for i in range(4):
        for j in range(4):
            out[:, i, j, :] = np.tensordot(IMAGE[:, i : i + 3, j : j + 3, :], K, axes=([1, 2, 3], [0, 1, 2]))
    return np.maximum(out, 0).sum()


def convolution_by_windows(K: Any) -> Any:
    padded = np.pad(IMAGE, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.einsum("nhwcij,ijco->nhwo", sliding_window_view(padded, (3, 3), axis=(1, 2)), K)
    return (out.reshape(2, 3, 2, 3, 2, 2).max(axis=(2, 4)) ** 2).mean()


def windows_by_strides(image: Any) -> Any:
    s = image.strides
    windows = np.lib.stride_tricks.as_strided(image, (2, 4, 4, 3, 3, 3), (s[0], s[1], s[2], s[1], s[2], s[3]))
    return (windows**2).mean()


def normalised(W: Any, b: Any) -> Any:
    scaled = (W - W.mean(0)) / np.sqrt(W.var(axis=0) + 1e-5)
    return (scaled**3 * b).sum() + np.std(W) + np.linalg.norm(W)


def written_views(W: Any, b: Any) -> Any:
    turned = W.T
    turned += 1
    row = W[0]
    row *= b
    flat = W.reshape(-1)
    flat[3:5] = flat[3:5] ** 2
    return (W**2).sum()


def into_out(W: Any, b: Any) -> Any:
    out = np.empty((5, 4))
    np.dot(X, W, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 2, out)
    return out.sum()


def imported_names(W: Any, b: Any) -> Any:
    z = zeros((3, 4))
    z[:] = W
    return exp(z).sum()


def joined(W: Any, b: Any) -> Any:
    whole = (np.concatenate([W, b[None]], 0) ** 2).sum() + np.vstack((W, b)).std() + np.hstack([b, b * 2]).max()
    return whole + (np.split(W, 2, axis=1)[1] ** 2).sum()


def reduced(W: Any, b: Any) -> Any:
    some = (np.cumsum(W, 0) ** 2).sum() + np.prod(b) + np.where(W > 0, W, np.exp(W) - 1).sum()
    return some + np.clip(W, -0.5, 0.5).sum() + np.outer(b, b).sum() + b.dot(b) + np.logaddexp(0, W).sum()


def moved(W: Any, b: Any) -> Any:
    some = (np.tile(b, (3, 1)) * W).sum() + np.repeat(b, 2).std() + np.roll(W, 1, 0)[0].sum() + W[::-1, None].sum()
    return some + np.flip(W)[0, 0] + (W.T.reshape(-1) ** 3).sum() + np.swapaxes(W, 0, 1).ravel()[2]


def looked_up(W: Any, b: Any) -> Any:
    some = (W[np.array([0, 1, 1, 2])] ** 2).sum() + np.take(W, [0, 0], axis=0).sum()
    return some + np.take_along_axis(W, np.array([[0], [1], [1]]), axis=1).sum()


def in_lists(W: Any, b: Any) -> Any:
    some = np.mean([(W[:, i] ** 2).sum() for i in range(4)]) + np.array([b[0], b[1] * 2]).sum()
    return some + sum(W).sum() + max(b) + sum(math.exp(x) for x in b)


def by_hand(W: Any, b: Any) -> Any:
    return np.vectorize(lambda x: x * x if x > 0 else 0.1 * x)(W).sum() + (np.convolve(b, W[:, 0], "same") ** 2).sum()


def matrices(W: Any, b: Any) -> Any:
    W = np.matrix(W)
    Z = (W.T * np.matrix(X).T).T + np.matrix(b)
    return np.sum(np.power(Z, 2)) + (np.matrix(X) * W).sum()


OF_TWO = (
    in_place, softmax_by_loops, recurrent_in_a_buffer, normalised, written_views, into_out, imported_names, joined,
    reduced, moved, looked_up, in_lists, by_hand, matrices,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("function", OF_TWO, ids=lambda each: each.__name__)
def test_the_adjoint_is_the_slope(function: Callable[..., Any]) -> None:
    assert_slope(function, W, b)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_the_adjoint_of_a_matrix_is_the_slope() -> None:
    assert_slope(matrices, np.matrix(W), np.matrix(b))


@pytest.mark.parametrize("function", [convolution_by_slices, convolution_by_windows, windows_by_strides])
def test_the_adjoint_of_a_convolution_is_the_slope(function: Callable[..., Any]) -> None:
    assert_slope(function, IMAGE if function is windows_by_strides else K)


def assert_slope(function: Callable[..., Any], *given: Any) -> None:
    with recording([function.__globals__]) as tape:
        watched = [tape.watch(each.copy(), f"p{i}") for i, each in enumerate(given)]
        leaves = [tape.node_of(each) for each in watched]
        top = tape.node_of(function(*watched))
    assert top is not None
    found = adjoints(top)
    moves = [np.random.default_rng(7).normal(size=each.shape) for each in given]

    def moved_by(step: float) -> float:
        return float(function(*[each + step * move for each, move in zip(given, moves, strict=True)]))

    pairs = zip(leaves, moves, strict=True)
    slope = sum(float((found[leaf].total * move).sum()) for leaf, move in pairs if leaf in found)
    assert slope == pytest.approx((moved_by(1e-5) - moved_by(-1e-5)) / 2e-5, rel=1e-6)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_numpy_is_itself_again_afterwards() -> None:
    before = np.zeros, np.array, np.sum, np.matrix, np.vectorize, math.exp, zeros
    with recording([globals()]) as tape:
        tape.watch(np.ones(3), "x")
        assert np.zeros is not before[0]
        assert isinstance(np.matrix([[1.0]]), np.matrix)
    assert (np.zeros, np.array, np.sum, np.matrix, np.vectorize, math.exp, zeros) == before


def test_a_number_taken_out_is_told_with_its_line() -> None:
    with recording() as tape:
        x = tape.watch(np.ones(1), "x")
        float(x * 2)
    ((file, line),) = tape.lost
    assert file == __file__
    assert "float(x * 2)" in Path(file).read_text().splitlines()[line - 1]
