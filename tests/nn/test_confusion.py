"""What is said of each class is what scikit-learn says."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from runner.nn.confusion import auc, balanced_accuracy, confusion, f1, recall

answers = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1, max_size=40).map(
        lambda pairs: (k, np.array(pairs))
    )
)


@given(answers)
def test_counts_and_shares_are_those_of_scikit_learn(given: tuple[int, np.ndarray]) -> None:
    k, pairs = given
    y, predicted = pairs.T
    C = confusion(predicted, y, k)
    assert np.array_equal(C, metrics.confusion_matrix(y, predicted, labels=range(k)))
    here, known = np.unique(y), np.unique(pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a class is answered and has no row
        assert balanced_accuracy(C) == pytest.approx(metrics.balanced_accuracy_score(y, predicted), rel=1e-12)
    assert recall(C)[here] == pytest.approx(metrics.recall_score(y, predicted, labels=here, average=None), rel=1e-12)
    assert f1(C)[known] == pytest.approx(metrics.f1_score(y, predicted, labels=known, average=None), rel=1e-12)
    assert np.isnan(recall(C)[np.setdiff1d(range(k), here)]).all()


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_the_area_is_that_of_scikit_learn_with_ties(rows: list[tuple[int, bool]]) -> None:
    score, positive = np.array([row[0] for row in rows], dtype=float), np.array([row[1] for row in rows])
    if positive.all() or not positive.any():
        assert np.isnan(auc(score, positive))
    else:
        assert auc(score, positive) == pytest.approx(metrics.roc_auc_score(positive, score), rel=1e-12)
