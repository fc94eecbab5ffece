"""Reasons for records: the part that does not fit is named, with what the others led to expect."""

import warnings

import numpy as np
import pytest

from anodiff.detect_multimodal import MultimodalDetector
from anodiff.explain.parts import Reason, Told, in_words, quoted
from anodiff.types import Misfit
from record_toys import NAMES, mixed_up, modality, records


@pytest.fixture(scope="module")
def fitted() -> MultimodalDetector:
    return MultimodalDetector(modality(), false_alarm_rate=0.05).fit(records(90)[0])


@pytest.fixture(scope="module")
def told(fitted: MultimodalDetector) -> tuple[list[Reason], np.ndarray]:
    normal, colour = records(12, seed=8)
    return fitted.explain(mixed_up(normal, colour), top=2), colour


def test_names_the_part_and_what_was_expected(told: tuple[list[Reason], np.ndarray]) -> None:
    found, colour = told
    right = 0
    for reason, k in zip(found, colour, strict=True):
        step = [each for each in reason.parts if each.part == "step" and each.given]
        right += bool(step) and NAMES[k] in str(step[0].expected)
    assert right >= 9
    assert sum(reason.alarm for reason in found) >= 9
    loud = next(reason for reason in found if reason.alarm)
    assert "raises an alarm (p = " in loud.sentence
    assert "does not fit the rest" in loud.sentence


def test_is_json_and_sorted(told: tuple[list[Reason], np.ndarray]) -> None:
    for reason in told[0]:
        said = reason.to_dict()
        assert len(said["parts"]) <= 2
        adds = [each["adds"] for each in said["parts"]]
        assert adds == sorted(adds, reverse=True)


def test_says_what_is_missing(fitted: MultimodalDetector) -> None:
    normal, _ = records(2, seed=9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        one, bare = fitted.explain({"force": [normal["force"][0], None]})
    assert one.missing == ["photo", "step"]
    assert "It lacks photo and step." in one.sentence
    assert "no part that can be read" in bare.sentence
    assert bare.p_value == 1


def test_quotes_little() -> None:
    assert quoted("x" * 99) == '"' + "x" * 57 + '..."'
    assert quoted(np.arange(9.0)) == "0, 1, 2, 3, ..."
    assert quoted(np.ones((4, 2))) == "a series about 1"


def test_refuses_no_parts(fitted: MultimodalDetector) -> None:
    with pytest.raises(Misfit, match="top is 0"):
        fitted.explain(records(1)[0], top=0)


def test_what_was_expected_is_not_told_where_it_is_what_there_is() -> None:
    same = Told("step given the rest", "step", True, 3.0, 5.0, "fill it", "fill it", "line 7")
    assert in_words("line 9", 0.001, True, [same], []).endswith('step does not fit the rest: "fill it".')
