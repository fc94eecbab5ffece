"""Backbones: embedded, of the hub, of one's own; frozen, the same alone and among others, found by fingerprint."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from anodiff.nets import efficientnet
from anodiff.nets.backbones import Backbone, as_channels, backbone, restored
from anodiff.types import BadModel, Misfit

transformers = pytest.importorskip("transformers")


class Two(nn.Module):
    """Two maps, as a dict."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = nn.Conv2d(3, 5, 3, 2, 1)
        self.second = nn.Conv2d(5, 7, 3, 2, 1)
        self.dropout = nn.Dropout(0.5)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=generator)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.dropout(self.first(x))
        return {"near": h, "far": self.second(h)}


class Gives(nn.Module):
    """Whatever a function makes of the images."""

    def __init__(self, give: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.give = give

    def forward(self, x: Tensor) -> Any:
        return self.give(x)


def dino(folder: Path, seed: int = 0) -> str:
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    transformers.Dinov2WithRegistersModel(transformers.Dinov2WithRegistersConfig(**sizes)).save_pretrained(folder)
    return str(folder)


def resnet(folder: Path) -> str:
    torch.manual_seed(0)
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 12, 16], depths=[1, 1, 1])
    transformers.ResNetModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(name="x")
def images() -> Tensor:
    return torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(name="each", params=["embedded", "tokens", "maps", "own"])
def each_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Backbone:
    kinds: dict[str, Callable[[], Any]] = {
        "embedded": lambda: "embedded",
        "tokens": lambda: dino(tmp_path),
        "maps": lambda: "hf:" + resnet(tmp_path),
        "own": Two,
    }
    return backbone(kinds[request.param]())


def test_laws_of_every_kind(each: Backbone, x: Tensor) -> None:
    before = x.clone()
    maps = each(x)
    assert [tuple(found.shape[1:]) for found in maps] == each.shapes(64, 64)
    for found, alone, again in zip(maps, each(x[3:4]), each(x), strict=True):
        assert found.dtype == torch.float32
        assert not found.requires_grad
        assert found.std() > 0
        assert (found[3:4] - alone).abs().max() <= 1e-5 * found.abs().max()
        assert torch.equal(found, again)
    assert torch.equal(x, before)
    assert not any(weight.requires_grad for weight in each.parameters())
    assert not any(part.training for part in each.train().modules())


def test_found_again_by_its_config(each: Backbone, x: Tensor) -> None:
    given = Two() if each.name.startswith("own:") else None
    again = restored(each.config(), given)
    for found, same in zip(each(x), again(x), strict=True):
        assert torch.equal(found, same)
    with pytest.raises(BadModel, match="other weights than at fit"):
        restored({**each.config(), "fingerprint": "0"}, given)


def test_embedded_sees_pixels_as_in_training(x: Tensor) -> None:
    told = ((x / 2 + 0.5) - efficientnet.MEAN[0]) / efficientnet.STD[0]
    for found, expected in zip(backbone()(x), efficientnet.embedded()(told), strict=True):
        assert torch.allclose(found, expected, atol=1e-4)


def test_tokens_are_laid_out_as_a_grid(tmp_path: Path) -> None:
    # Without the blocks' doings, layer 0 of a transformer is what its patches hold: a bright patch is where it was.
    whole = backbone(dino(tmp_path), layers=(0, -1))
    x = torch.zeros(1, 3, 42, 56)
    bright = x.clone()
    bright[:, :, 14:28, 42:] = 1
    changed = (whole(bright)[0] - whole(x)[0]).abs().sum(1)[0]
    assert changed.shape == (3, 4)
    assert changed.argmax() == 1 * 4 + 3
    assert (changed > 1e-6).sum() == 1
    model = transformers.AutoModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        told = model((bright / 2 + 0.5 - whole.mean) / whole.std).last_hidden_state[:, 5:]
    assert torch.allclose(whole(bright)[1].flatten(2).transpose(1, 2), told, atol=1e-5)


def test_other_sides_than_multiples_of_the_patch(tmp_path: Path) -> None:
    assert backbone(dino(tmp_path)).shapes(64, 50) == [(16, 5, 4)] * 2


def test_the_preprocessor_tells_mean_and_std(tmp_path: Path) -> None:
    folder = resnet(tmp_path)
    assert backbone(folder).mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 3]}')
    assert backbone(folder).std.flatten().tolist() == [1, 2, 3]
    assert backbone(folder, std=(4, 4, 4)).std.flatten().tolist() == [4, 4, 4]


def test_a_model_of_the_hub_may_be_given_itself(tmp_path: Path, x: Tensor) -> None:
    model = transformers.AutoModel.from_pretrained(resnet(tmp_path))
    for found, same in zip(backbone(model, (1, 2))(x), backbone(str(tmp_path), (1, 2))(x), strict=True):
        assert torch.equal(found, same)


def test_grey_is_repeated(x: Tensor) -> None:
    grey = x[:, :1]
    for found, same in zip(backbone()(grey), backbone()(grey.repeat(1, 3, 1, 1)), strict=True):
        assert torch.equal(found, same)
    assert as_channels(x, 1).shape == (5, 1, 64, 64)
    with pytest.raises(Misfit, match="images have 4 channels"):
        as_channels(torch.zeros(1, 4, 2, 2), 3)


def test_a_module_of_ones_own_is_copied_and_left_as_it_was(x: Tensor) -> None:
    own = Two().train()
    found = backbone(own, ("far",))
    before = found(x)[0]
    own.first.weight.data.zero_()
    assert own.training
    assert own.first.weight.requires_grad
    assert torch.equal(found(x)[0], before)
    with pytest.raises(Misfit, match=r"your own, Two; give it again"):
        restored(found.config())
    with pytest.raises(BadModel, match="other weights"):
        restored(found.config(), Two(seed=1))


@pytest.mark.parametrize("give", [lambda x: x, lambda x: [x, x[:, :, ::2]], lambda x: (x,)])
def test_maps_of_any_container(give: Callable[[Tensor], Any], x: Tensor) -> None:
    assert backbone(Gives(give), mean=(0.5,) * 3, std=(0.5,) * 3)(x)[0].allclose(x, atol=1e-6)


def test_refusals(tmp_path: Path, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misfit, match="no backbone 'resnet50'"):
        backbone("resnet50")
    with pytest.raises(Misfit, match="cannot be loaded"):
        backbone(str(tmp_path))
    with pytest.raises(Misfit, match="has layers 0 to 3; given"):
        backbone(resnet(tmp_path), (7,))
    with pytest.raises(Misfit, match="are numbers"):
        backbone(str(tmp_path), ("s8",))
    with pytest.raises(Misfit, match="Two gives near, far; asked for layers"):
        backbone(Two(), ("middle",))(x)
    with pytest.raises(Misfit, match=r"gave shape \(5, 3\) for 5 images"):
        backbone(Gives(lambda x: x.mean((2, 3))))(x)
    with pytest.raises(Misfit, match="gave a str"):
        backbone(Gives(lambda x: ["no map"]))(x)
    with pytest.raises(Misfit, match="std positive"):
        backbone(Two(), std=(0, 1, 1))
    words = transformers.BertModel(
        transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    )
    words.save_pretrained(tmp_path / "words")
    with pytest.raises(Misfit, match="BertModel does not read images"):
        backbone(str(tmp_path / "words"))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(Misfit, match=r"pip install anodiff\[hub\]"):
        backbone("hf:facebook/dinov2-small")
