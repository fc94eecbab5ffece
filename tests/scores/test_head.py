"""A head on patches: it learns what it is shown, and one example does no harm."""

import time

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from anodiff.scores.fewshot import marked, suspected
from anodiff.scores.head import PatchHead, newton, shares, whitening
from anodiff.types import Misfit

C = 12


def drawn(n, seed):
    """Correlated patches whose channels differ in scale a hundredfold."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(C, C, generator=torch.Generator().manual_seed(99))
    return torch.randn(n, C, generator=generator) @ mixing * torch.logspace(-1, 1, C) + 5


def planted(n, seed, channel=0, by=0.25):
    """Patches with one channel of small scale moved: hardly visible without whitening."""
    rows = drawn(n, seed)
    rows[:, channel] += by
    return rows


def pictures(count, seed, size=16):
    """Features `(B, C, h, w)` with a square of planted patches in each, and where."""
    rows, region = drawn(count * size * size, seed).reshape(count, size, size, C), torch.zeros(count, size, size)
    generator = torch.Generator().manual_seed(seed)
    for one, where in zip(rows, region, strict=True):
        down, right = torch.randint(0, size - 4, (2,), generator=generator).tolist()
        one[down : down + 4, right : right + 4, 0] += 0.25
        where[down : down + 4, right : right + 4] = 1
    return rows.movedim(3, 1), region.bool()


def auroc(normal, abnormal):
    labels = np.r_[np.zeros(normal.numel()), np.ones(abnormal.numel())]
    return roc_auc_score(labels, torch.cat([normal.flatten(), abnormal.flatten()]).numpy())


@pytest.fixture(scope="module")
def normal():
    return drawn(4000, 0)


def with_map(rows, loud=0.0):
    """Patches, each followed by how far it is from normal, as an unsupervised map would say, and by what is added."""
    mean, whiten = whitening(drawn(4000, 0), 0.05)
    return torch.cat([rows, ((rows - mean) @ whiten).norm(dim=1, keepdim=True) + loud], 1)


def test_a_head_is_logistic_regression_on_whitened_patches(normal):
    defect = planted(30, 1)
    head = PatchHead(C, penalty=0.3).fit(normal, defect)
    mean, whiten = whitening(normal, 0.05)
    rows = (torch.cat([normal, defect]) - mean) @ whiten
    share = np.r_[np.full(4000, 0.5 / 4000), np.full(30, 0.5 / 30)]
    oracle = LogisticRegression(C=1 / 0.3, tol=1e-10, max_iter=1000)
    oracle.fit(rows.numpy(), np.r_[np.zeros(4000), np.ones(30)], sample_weight=share)
    np.testing.assert_allclose(
        head.odds(drawn(50, 2)), oracle.decision_function((drawn(50, 2) - mean) @ whiten), atol=0.01
    )


def test_with_a_stiff_penalty_it_is_fishers_discriminant(normal):
    defect = planted(30, 1)
    head = PatchHead(C, penalty=1e4, shrinkage=0.0).fit(normal, defect)
    _, whiten = whitening(normal, 0.0)
    fisher = whiten @ ((defect - normal.mean(0)) @ whiten).mean(0)
    assert torch.nn.functional.cosine_similarity(head.slope * normal.std(0), fisher * normal.std(0), dim=0) > 0.9999


def test_a_planted_direction_is_separated(normal):
    head = PatchHead(C).fit(normal, planted(40, 1), of=torch.arange(40) // 8)
    other, test = drawn(2000, 2), planted(200, 3)
    raw = auroc((other - 5).norm(dim=1), (test - 5).norm(dim=1))
    assert raw < 0.6
    assert auroc(head.odds(other), head.odds(test)) > 0.9


def test_features_are_judged_patch_by_patch(normal):
    head = PatchHead(C).fit(normal, planted(40, 1))
    x, region = pictures(3, 4)
    odds = head.logit(x)
    assert odds.shape == (3, 16, 16)
    assert float(odds[1, 2, 3]) == pytest.approx(float(head.odds(x[1, :, 2, 3][None])), rel=1e-4)
    assert auroc(odds[~region], odds[region]) > 0.8
    torch.testing.assert_close(head.logit(x[1:2]), odds[1:2])


@pytest.mark.parametrize("of_the_kind", [True, False])
def test_one_example_does_no_harm(normal, of_the_kind):
    """Another defect, in another direction, is found as by the map alone; one of the same kind is found better."""
    test = planted(1000, 7) if of_the_kind else planted(1000, 7, channel=1, by=1.5)
    head = PatchHead(C, told=1).fit(with_map(normal), with_map(planted(6, 8)))
    held_out, test = with_map(drawn(3000, 6)), with_map(test)
    alone, aided = auroc(held_out[:, -1], test[:, -1]), auroc(head.odds(held_out), head.odds(test))
    assert aided > alone + (0.02 if of_the_kind else -0.01)


def test_the_more_examples_the_less_is_left_to_the_map(normal):
    part = {}
    for count in (1, 5, 50):
        rows = with_map(planted(250, 1))
        head = PatchHead(C, told=1).fit(with_map(normal), rows, of=torch.arange(250) % count)
        x = with_map(drawn(3000, 6))
        part[count] = float((head.slope[-1] * x[:, -1]).std() / head.odds(x).std())
    assert part[1] > 0.95 > part[50] + 0.05
    assert part[1] > part[5] > part[50]


def test_it_never_falls_where_the_map_rises(normal):
    contrary = with_map(planted(40, 1), loud=-8.0)
    head = PatchHead(C, told=1).fit(with_map(normal), contrary)
    assert head.slope[-1] == 0
    assert auroc(head.odds(with_map(drawn(1000, 2))), head.odds(with_map(planted(200, 3)))) > 0.8
    free = newton(torch.cat([torch.ones(4, 1), torch.ones(4, 1)], 1), torch.ones(4), torch.full((4,), 0.25), 0.1)
    assert free[0] > 0


def test_what_lies_beside_a_defect_says_where_it_ends(normal):
    """All of a defect's picture is moved in one channel, its defect in two."""
    beside = planted(300, 4, channel=1, by=1.0)
    defect = planted(60, 5, channel=1, by=1.0)
    defect[:, 0] += 0.25
    of = torch.arange(60) // 6
    plain, told = (PatchHead(C).fit(normal, defect, of, rows) for rows in (None, beside))
    ends, begins = planted(500, 6, channel=1, by=1.0), planted(500, 7, channel=1, by=1.0)
    begins[:, 0] += 0.25
    assert auroc(told.odds(ends), told.odds(begins)) > auroc(plain.odds(ends), plain.odds(begins)) + 0.02
    assert auroc(told.odds(drawn(500, 8)), told.odds(begins)) > 0.9


def test_a_state_is_all_that_it_knows(normal):
    defect, rows = with_map(planted(40, 1)), with_map(drawn(50, 2))
    one, same = (PatchHead(C, told=1).fit(with_map(normal), defect) for _ in range(2))
    assert torch.equal(one.odds(rows), same.odds(rows))
    twin = PatchHead(**one.config())
    twin.load_state_dict(one.state_dict())
    assert torch.equal(twin.odds(rows), one.odds(rows))
    assert (PatchHead(C, told=1).odds(rows) == 0).all()
    assert not any(p.requires_grad for p in one.parameters())


def test_examples_weigh_the_same_whatever_their_size(normal):
    share, examples = shares(5, torch.tensor([3, 3, 3, 3, 7]))
    assert examples == 2
    torch.testing.assert_close(share, torch.tensor([0.125, 0.125, 0.125, 0.125, 0.5]))
    small, large = planted(4, 1, by=0.25), planted(400, 2, channel=1, by=0.25)
    of = torch.cat([torch.zeros(4), torch.ones(400)])
    head = PatchHead(C).fit(normal, torch.cat([small, large]), of=of)
    assert auroc(head.odds(drawn(1000, 3)), head.odds(planted(200, 4))) > 0.8


def test_patches_of_a_mask_and_patches_under_suspicion():
    features = torch.arange(2 * 16.0).reshape(2, 1, 4, 4)
    region = torch.zeros(2, 8, 8, dtype=torch.bool)
    region[0, 2:6, 2:4] = True
    region[1, 0, 0] = True
    defect, of, clean = marked(features, region)
    assert defect[:, 0].tolist() == [5, 9, 16]
    assert of.tolist() == [0, 0, 1]
    assert len(clean) == 32 - 3
    rows, of = suspected(features, -features[:, 0], share=0.1)
    assert rows[:, 0].tolist() == [0, 1, 16, 17]
    assert of.tolist() == [0, 0, 1, 1]
    assert len(marked(features, torch.zeros(2, 8, 8, dtype=torch.bool))[0]) == 0


def test_few_rows():
    head = PatchHead(1).fit(torch.randn(2, 1), torch.ones(1, 1))
    assert head.logit(torch.zeros(1, 1, 2, 2)).isfinite().all()
    still = PatchHead(2, told=1).fit(torch.ones(5, 3), torch.ones(1, 3))
    assert still.odds(torch.ones(2, 3)).isfinite().all()


def test_refusals(normal):
    with pytest.raises(Misfit, match=r"takes patches \(n, 12\); got \(4000, 12\), \(2, 3\)"):
        PatchHead(C).fit(normal, torch.zeros(2, 3))
    with pytest.raises(Misfit, match="got 4000 and 0"):
        PatchHead(C).fit(normal, torch.zeros(0, C))


def test_forty_thousand_patches_are_learnt_in_seconds():
    generator = torch.Generator().manual_seed(0)
    normal, defect = torch.randn(40_000, 64, generator=generator), torch.randn(100, 64, generator=generator) + 0.5
    start = time.process_time()
    PatchHead(64).fit(normal, defect, of=torch.arange(100) // 10)
    assert time.process_time() - start < 15
