"""Templates of log lines: parameters are masked, words are not, and the order of the lines makes no difference."""

import random

import pytest

from anodiff.data.templates import Templates, masked
from anodiff.types import BadModel

USERS = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"]
LINES = [
    *(f"2024-01-0{1 + i % 9}T10:00:{10 + i}Z Connection opened by 10.0.0.{i} port {i * 7}" for i in range(20)),
    *(f"2024-01-0{1 + i % 9}T10:01:{10 + i}Z Connection closed by 10.0.0.{i} port {i * 9}" for i in range(20)),
    *(f"user {user} logged in from room {i}" for i, user in enumerate(USERS)),
    *(f"Received block blk_{i * 918273} of size {i * 1024} from /10.1.2.{i}" for i in range(9)),
    "system is going down",
]
EXPECTED = {
    "<time> Connection opened by <ip> port <num>",
    "<time> Connection closed by <ip> port <num>",
    "user <*> logged in from room <num>",
    "Received block <id> of size <num> from <ip>",
    "system is going down",
}


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates().fit(LINES)


def test_what_lines_say_alike(templates: Templates) -> None:
    assert set(templates.texts) == EXPECTED
    assert sum(templates.counts_) == len(LINES)
    assert templates.counts_ == sorted(templates.counts_, reverse=True)


def test_the_order_of_the_lines_makes_no_difference(templates: Templates) -> None:
    for seed in range(5):
        shuffled = random.Random(seed).sample(LINES, len(LINES))
        assert Templates().fit(shuffled).config() == templates.config()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2031-12-09T23:59:59Z Connection closed by 192.168.7.7 port 1", "<time> Connection closed by <ip> port <num>"),
        ("user mallory logged in from room 99", "user <*> logged in from room <num>"),
        ("user mallory logged out from room 99", None),
        ("2031-12-09T23:59:59Z Connection refused by 192.168.7.7 port 1", None),
        ("system is going down now", None),
        ("", None),
    ],
)
def test_a_line_is_of_its_template_or_unseen(templates: Templates, line: str, expected: str | None) -> None:
    assert templates.template_of(line) == expected
    assert templates.match(line).seen is (expected is not None)


def test_the_nearest_template_of_an_unseen_line(templates: Templates) -> None:
    found = templates.match("user mallory logged out from room 99")
    assert found.place is not None
    assert templates.texts[found.place] == "user <*> logged in from room <num>"
    assert found.agreement == pytest.approx(6 / 7)
    assert templates.match("a line of quite another length that nobody ever wrote").place is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("took 3.5 ms, -2e-3 and 1,024", "took <num> ms, <num> and <num>"),
        ("at 0x7ffe and deadbeef01", "at <hex> and <hex>"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <id>"),
        ("open /var/log/app.log and C:\\temp\\x.txt", "open <path> and <path>"),
        ("see https://example.org/a?b=1 or mail a.b@c.org", "see <url> or mail <mail>"),
        ("from 10.0.0.1:8080 to fe80:0:0:0:1:2:3:4", "from <ip> to <ip>"),
        ("12:30:45 step4 done", "<time> <id> done"),
        ("and/or read/write", "and/or read/write"),
        ("no numbers here", "no numbers here"),
    ],
)
def test_parameters_are_masked(line: str, expected: str) -> None:
    assert masked(line) == expected
    assert masked(masked(line)) == expected


def test_saved_and_restored(templates: Templates) -> None:
    again = Templates.restore(templates.config())
    assert again.config() == templates.config()
    assert all(again.match(line) == templates.match(line) for line in LINES)
    for damaged in ({}, {"templates": [["a"]], "counts": []}, {"templates": [[1]], "counts": [1]}):
        with pytest.raises(BadModel, match="templates of log lines are damaged"):
            Templates.restore(damaged)


def test_lines_without_words_and_lines_without_end() -> None:
    found = Templates().fit(["", "  ", "word " * 10_000])
    assert found.match("").seen
    assert found.match("word " * 10_000).seen
    assert not found.match("word").seen
