"""A head on patches: it learns what it is shown, and one example does no harm."""

import time

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from anodiff.scores.fewshot import fused, marked, scaled, suspected, tail_scale, trust, weight_of
from anodiff.scores.head import PatchHead, farthest, shares, whitening
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


def test_a_linear_head_is_logistic_regression_on_whitened_patches(normal):
    defect = planted(30, 1)
    head = PatchHead(C, anchors=0, penalty=0.3, hard=0.0).fit(normal, defect)
    mean, whiten = whitening(normal, 0.05)
    rows = (torch.cat([normal, defect]) - mean) @ whiten
    share = np.r_[np.full(4000, 0.5 / 4000), np.full(30, 0.5 / 30)]
    oracle = LogisticRegression(C=1 / 0.3, tol=1e-10, max_iter=1000)
    oracle.fit(rows.numpy(), np.r_[np.zeros(4000), np.ones(30)], sample_weight=share)
    np.testing.assert_allclose(head.weight[:-1].numpy(), oracle.coef_[0], atol=2e-3)
    np.testing.assert_allclose(float(head.weight[-1]), oracle.intercept_[0], atol=2e-3)


def test_with_a_stiff_penalty_it_is_fishers_discriminant(normal):
    defect = planted(30, 1)
    head = PatchHead(C, anchors=0, penalty=1e4, hard=0.0, shrinkage=0.0).fit(normal, defect)
    _, whiten = whitening(normal, 0.0)
    fisher = ((defect - normal.mean(0)) @ whiten).mean(0)
    assert torch.nn.functional.cosine_similarity(head.weight[:-1], fisher, dim=0) > 0.9999


@pytest.mark.parametrize("anchors", [0, 16])
def test_a_planted_direction_is_separated(normal, anchors):
    head = PatchHead(C, anchors=anchors).fit(normal, planted(40, 1), of=torch.arange(40) // 8)
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
    assert auroc(odds[~region], odds[region]) > 0.85
    torch.testing.assert_close(head.logit(x[1:2]), odds[1:2])


@pytest.mark.parametrize("of_the_kind", [True, False])
def test_one_example_does_no_harm(normal, of_the_kind):
    """Another defect, on the other side of normal, is found as before; one of the same kind is found better."""
    mean, whiten = whitening(normal, 0.05)
    distance = lambda rows: ((rows - mean) @ whiten).norm(dim=1)  # noqa: E731
    held_out, other = drawn(3000, 5), drawn(3000, 6)
    test = planted(400, 7) if of_the_kind else planted(400, 7, by=-0.25)
    head = PatchHead(C).fit(normal, planted(6, 8))
    scales = tail_scale(distance(held_out)), tail_scale(head.odds(held_out))
    before, after = [], []
    for rows in (other, test):
        z, z_head = scaled(distance(rows), scales[0]), scaled(head.odds(rows), scales[1])
        before.append(z)
        after.append(fused(z, z_head, weight_of(1)))
    assert (after[1] >= before[1]).all()
    assert auroc(*after) > auroc(*before) - 0.005
    if of_the_kind:
        assert auroc(*after) > auroc(*before) + 0.01


def test_leaving_examples_out_tells_what_carries_over(normal):
    of = torch.arange(4).repeat_interleave(8)
    held_out = drawn(2000, 5)
    alike = planted(32, 1)
    apart = torch.cat([planted(8, 10 + k, channel=k, by=(-1) ** k * 0.25) for k in range(4)])
    kept = {}
    for name, defect in (("alike", alike), ("apart", apart)):
        head = PatchHead(C).fit(normal, defect, of=of)
        kept[name] = trust(head.left_out(normal, defect, of), of, head.odds(held_out))
    assert kept["alike"] > 0.7
    assert kept["apart"] < kept["alike"] - 0.2
    with pytest.raises(Misfit, match="at least two"):
        PatchHead(C).left_out(normal, alike, torch.zeros(32))


def test_a_seed_is_a_head_and_a_state_is_all_that_it_knows(normal):
    defect, rows = planted(40, 1), drawn(50, 2)
    one, same, other = (PatchHead(C, most=1000).fit(normal, defect, seed) for seed in (0, 0, 1))
    assert torch.equal(one.odds(rows), same.odds(rows))
    assert not torch.equal(one.odds(rows), other.odds(rows))
    twin = PatchHead(**one.config())
    twin.load_state_dict(one.state_dict())
    assert torch.equal(twin.odds(rows), one.odds(rows))
    assert (PatchHead(C).odds(rows) == 0).all()
    assert not any(p.requires_grad for p in one.parameters())


def test_examples_weigh_the_same_whatever_their_size(normal):
    share, examples = shares(5, torch.tensor([3, 3, 3, 3, 7]))
    assert examples == 2
    torch.testing.assert_close(share, torch.tensor([0.125, 0.125, 0.125, 0.125, 0.5]))
    small, large = planted(4, 1, by=0.25), planted(400, 2, channel=1, by=0.25)
    of = torch.cat([torch.zeros(4), torch.ones(400)])
    head = PatchHead(C).fit(normal, torch.cat([small, large]), of=of)
    assert auroc(head.odds(drawn(1000, 3)), head.odds(planted(200, 4))) > 0.8


def test_hard_normals_are_pushed_down(normal):
    odd = drawn(60, 11)
    odd[:, 0] += 0.2
    mixed = torch.cat([normal, odd])
    plain, mined = (PatchHead(C, hard=hard).fit(mixed, planted(40, 1)) for hard in (0.0, 0.02))
    test = planted(200, 3)
    far = [
        float((head.odds(drawn(4000, 12)).quantile(0.99) < head.odds(test)).float().mean()) for head in (plain, mined)
    ]
    assert far[1] > far[0] - 0.02
    assert mined.odds(odd).mean() < plain.odds(odd).mean()


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


def test_a_scale_is_that_of_the_upper_tail():
    generator = torch.Generator().manual_seed(0)
    middle, width = tail_scale(torch.randn(200_000, generator=generator))
    assert middle == pytest.approx(0, abs=0.02)
    assert width == pytest.approx(1, abs=0.05)
    heavy = torch.randn(200_000, generator=generator).exp()
    assert float((scaled(heavy, tail_scale(heavy)) > 3.09).float().mean()) == pytest.approx(1e-3, rel=0.1)
    assert tail_scale(torch.ones(7)) == (1.0, 1e-9)


def test_few_rows_and_farthest_ones():
    rows = torch.tensor([[0.0], [1.0], [10.0], [0.2]])
    assert rows[farthest(rows, 2)][:, 0].tolist() == [1.0, 10.0]
    assert len(farthest(rows, 6)) == 6
    head = PatchHead(1).fit(torch.randn(2, 1), torch.ones(1, 1))
    assert head.logit(torch.zeros(1, 1, 2, 2)).isfinite().all()


def test_refusals(normal):
    with pytest.raises(Misfit, match=r"takes patches \(n, 12\); got \(4000, 12\) and \(2, 3\)"):
        PatchHead(C).fit(normal, torch.zeros(2, 3))
    with pytest.raises(Misfit, match="got 4000 and 0"):
        PatchHead(C).fit(normal, torch.zeros(0, C))


def test_fifty_thousand_patches_are_learnt_in_seconds():
    generator = torch.Generator().manual_seed(0)
    normal, defect = torch.randn(50_000, 64, generator=generator), torch.randn(100, 64, generator=generator) + 0.5
    start = time.process_time()
    PatchHead(64).fit(normal, defect, of=torch.arange(100) // 10)
    assert time.process_time() - start < 15
