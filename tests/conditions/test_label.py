"""One model for several products: what is normal of one is not of another."""

import pytest
import torch

from anodiff.conditions import Entity, Label
from anodiff.diffusion.denoise import Preconditioned, denoising_loss
from anodiff.diffusion.guide import ClassifierFree
from anodiff.diffusion.masked import forgetting
from anodiff.diffusion.noise import EDM
from anodiff.diffusion.spectral import drawn, over
from anodiff.nets.mlp import seeded
from anodiff.nets.unet2d import UNet2d
from anodiff.scores.levels import ask
from anodiff.scores.reconstruction import Reconstruction, Residual
from anodiff.training import batches, train

SIZE = 16
LABEL = Label(["bolt", "nut"])


def made(n, seed):
    """Stripes of any phase, along for bolts and across for nuts, and whose they are."""
    generator = torch.Generator().manual_seed(seed)
    phase = 6.28 * torch.rand(n, 1, 1, 1, generator=generator)
    stripes = torch.sin(torch.linspace(0, 9.4, SIZE) + phase).expand(n, 1, SIZE, SIZE)
    nuts = torch.arange(n) % 2 == 1
    x = torch.where(nuts[:, None, None, None], stripes, stripes.mT)
    return x + 0.05 * torch.randn(x.shape, generator=generator), ["nut" if nut else "bolt" for nut in nuts]


def denoising(denoiser):
    def loss(x, generator, **condition):
        return denoising_loss(denoiser, x, *drawn(x, denoiser.schedule, (0.1, 5.0), generator), **condition)

    return loss


@pytest.fixture(scope="module")
def denoiser():
    """Told the class of four in five; of the others it must do without."""
    x, names = made(400, 0)
    net = seeded(UNet2d, 0, width=16, depth=1, channels=1, labels=2)
    model = Preconditioned(net, EDM(), variance=0.5)
    loss = over(forgetting(denoising(model), LABEL.null(1)), x, **LABEL.encode(names))
    generator = torch.Generator().manual_seed(0)
    places = batches(torch.arange(400), 32, 150, generator)
    for _ in train(model, loss, places, 150, generator, lr=5e-3, averaging=0.9):
        pass
    return model


def swapped(names):
    return ["nut" if name == "bolt" else "bolt" for name in names]


def test_the_label_changes_the_reconstruction(denoiser):
    x, names = made(40, 1)
    right, wrong, unknown = (ask(denoiser, x, 1.0, **LABEL.encode(v)).mean for v in (names, swapped(names), ["?"] * 40))
    error = [float((x - mean).square().mean()) for mean in (right, unknown, wrong)]
    assert error[0] < error[2]
    assert error[1] < error[2]


@pytest.mark.parametrize("score", [Residual((0.5, 1.0)), Reconstruction((2.0,), draws=1)])
@pytest.mark.parametrize("weight", [None, 1.0])
def test_a_product_among_others_is_found(score, weight, denoiser):
    """A nut in the box of bolts is normal for a model that is told nothing, and not for one that is told."""
    x, names = made(40, 1)
    asked = denoiser if weight is None else ClassifierFree(denoiser, LABEL.null(1), weight)
    right, wrong = (score(asked, x, **LABEL.encode(v)).total for v in (names, swapped(names)))
    assert (wrong > right).float().mean() > 0.9
    assert torch.equal(score(denoiser, x).total, score(denoiser, x, **LABEL.null(40)).total)


def test_guidance_moves_away_from_what_is_normal_of_any_product(denoiser):
    x, names = made(40, 1)
    wrong = LABEL.encode(swapped(names))
    plain, guided = (
        Residual((1.0,))(ClassifierFree(denoiser, LABEL.null(1), weight), x, **wrong).total for weight in (0.0, 1.0)
    )
    torch.testing.assert_close(plain, Residual((1.0,))(denoiser, x, **wrong).total)
    assert guided.median() > 1.2 * plain.median()


def test_a_batch_may_mix_products(denoiser):
    x, names = made(6, 1)
    together = Reconstruction((2.0,), draws=1)(denoiser, x, **LABEL.encode(names)).total
    alone = [
        Reconstruction((2.0,), draws=1)(denoiser, x[i : i + 1], **LABEL.encode(names[i : i + 1])) for i in range(6)
    ]
    torch.testing.assert_close(torch.cat([one.total for one in alone]), together, rtol=1e-4, atol=1e-4)


def test_classes_are_numbered_as_entities_are():
    names = ["nut", "bolt", "nut", "screw"]
    assert torch.equal(Label.fit(names).encode(names)["label"], Entity.fit(names).encode(names)["entity"])
    assert LABEL.encode([])["label"].shape == (0,)
