from dataclasses import replace

import numpy as np
from toys_for_bench import table

from anodiff.bench.contestants import Theirs
from anodiff.bench.cut import Cut, cut
from anodiff.bench.judge import judged
from anodiff.bench.leaks import copies
from anodiff.bench.protocols import PROTOCOLS
from anodiff.bench.sets import DataSet


def clean() -> Cut:
    return cut(PROTOCOLS["shuffled"], DataSet("toy", *table(), ""), 0, None, (None,))


def test_a_clean_split_is_not_flagged() -> None:
    found = copies(clean(), 0)
    assert (found["copies_exact"], found["copies_near"], found["leaky"]) == (0, 0, False)


def test_copies_are_counted_exact_and_near() -> None:
    before = clean()
    leaked = before.flat_test.copy()
    leaked[:10] = before.flat_train[:10]
    leaked[10:30] = before.flat_train[10:30] + 1e-8
    leaked[30:40] = before.flat_train[30:40] + 1e-3
    found = copies(replace(before, flat_test=leaked), 0)
    normals = (before.y == 0).sum()
    assert found["copies_exact"] == 10 / normals
    assert found["copies_near"] == 30 / normals
    assert found["leaky"]


def test_jittered_copies_are_close() -> None:
    before = clean()
    leaked = before.flat_test.copy()
    leaked[:20] = before.flat_train[:20] + 1e-4
    found = copies(replace(before, flat_test=leaked), 0)
    assert (found["copies_near"], found["leaky"]) == (0, True)
    assert found["copies_close"] == 20 / (before.y == 0).sum()


def test_resampling_before_the_split_leaks() -> None:
    found = copies(cut(PROTOCOLS["published"], DataSet("toy", *table(), ""), 0, None, (None,)), 0)
    assert found["copies_exact"] > 0.5


def test_a_method_that_looks_at_the_rest_of_the_test_is_told() -> None:
    class Peeking(Theirs):
        def score(self, cut, rows=None):
            scores = super().score(cut, rows)
            return scores.argsort().argsort() / len(scores)

    for kind, expected in ((Theirs, False), (Peeking, True)):
        record, _ = judged(kind("knn", 0), clean(), 0)
        assert record["transductive"] is expected


def test_ecod_is_transductive_but_its_threshold_comes_from_training() -> None:
    found = clean()
    record, _ = judged(Theirs("ecod", 0), found, 0)
    assert record["transductive"] is True
    method = Theirs("ecod", 0)
    method.fit(found)
    before = method.p_of(np.linspace(0, 20, 50))
    method.score(replace(found, flat_test=found.flat_test * 9))
    np.testing.assert_array_equal(method.p_of(np.linspace(0, 20, 50)), before)
