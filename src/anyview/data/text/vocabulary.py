"""Text -> numbers of tokens, by a vocabulary that is learned from the corpus or taken from a tokenizer's file."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from anyview.data.batch import Ragged
from anyview.data.source import Spec
from anyview.errors import InputError

PAD, UNKNOWN, MASK = "[PAD]", "[UNK]", "[MASK]"
#: what other tokenizers call these
_SPECIAL = {"pad": (PAD, "<pad>"), "unknown": (UNKNOWN, "<unk>"), "mask": (MASK, "<mask>")}
MAX_VOCABULARY = 8000
MIN_VOCABULARY = 256
#: words of the corpus for each entry of the vocabulary, so that an entry is seen about this often
WORDS_PER_TOKEN = 20
#: a vocabulary is learned from this much text, spread over the corpus, in characters
MAX_LEARNED = 4_000_000
LONG_WORD = re.compile(r"\S{256}")  #: a vocabulary is learned from its parts
#: longer texts lose their end, in tokens
MAX_LENGTH = 256


def encode(
    texts: Sequence[str], like: Spec | None = None, *, max_length: int | None = None
) -> tuple[Ragged, Spec]:
    """Numbers of the tokens of each text (``Ragged``, int64), and the spec that encodes other texts alike.

    Args:
        texts: any strings; empty ones too.
        like: spec of texts encoded before, or ``spec_of_file`` of a tokenizer's file. Without it a vocabulary is
            learned from ``texts``.
        max_length: tokens kept of each text; None takes that of ``like``, else ``MAX_LENGTH``.

    Raises:
        InputError: for no texts to learn a vocabulary from, or a length below 1.
    """
    spec = fit(texts, like, max_length=max_length)
    return numbers(texts, spec)[0], spec


def fit(texts: Sequence[str], like: Spec | None = None, *, max_length: int | None = None) -> Spec:
    """The spec of texts; see ``encode``.

    It holds ``vocabulary`` (how many tokens there are), ``max_length``, ``pad``, ``unknown`` and ``mask`` (their
    numbers), ``before`` and ``after`` (tokens that a foreign tokenizer puts around a text; they are not among its
    numbers) and ``tokenizer`` (JSON, as the ``tokenizers`` library writes it).
    """
    if max_length is not None and max_length < 1:
        raise InputError(f"size is {max_length}; give the number of tokens kept of each text, such as 128")
    if like is None:
        return _spec(learn(texts), max_length or MAX_LENGTH)
    return like | {"max_length": max_length or like["max_length"]}


def numbers(texts: Sequence[str], spec: Spec) -> tuple[Ragged, int]:
    """Tokens of each text, and how many texts were cut to the spec's ``max_length``.

    A text without any token, such as "", is one unknown token, so that no sample has length 0.
    """
    limit, empty = spec["max_length"], [spec["unknown"]]
    found = _tokenizer(spec["tokenizer"]).encode_batch_fast(list(texts), add_special_tokens=False)
    ids = [one.ids or empty for one in found]
    length = np.fromiter(map(len, ids), np.int64, len(ids))
    kept = length.clip(max=limit)
    values = np.fromiter((number for one in ids for number in one[:limit]), np.int64, int(kept.sum()))
    return Ragged(torch.from_numpy(values), torch.from_numpy(kept)), int((length > limit).sum())


def learn(texts: Sequence[str], size: int | None = None) -> Tokenizer:
    """A tokenizer of byte-pair encoding (Sennrich et al., arXiv:1508.07909) learned from ``texts``.

    Text is normalised (NFKC, lower case), cut at spaces and punctuation, and between ideographs. The same texts
    always give the same vocabulary.

    Args:
        size: tokens at most; None takes one for every ``WORDS_PER_TOKEN`` words of the corpus, within
            ``MIN_VOCABULARY`` and ``MAX_VOCABULARY``.
    """
    step = max(1, sum(map(len, texts)) // MAX_LEARNED)
    # what merges pairs in a word takes the square of its length
    texts = [LONG_WORD.sub(r"\g<0> ", text) for text in texts[::step]]
    if not any(text.strip() for text in texts):
        raise InputError("there is no text to learn a vocabulary from; all texts are empty")
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.BertNormalizer(strip_accents=False, lowercase=True),  # ideographs are words
        ]
    )
    # A word begins with "▁", so that words can be put together again from their tokens.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()
    if size is None:
        size = min(MAX_VOCABULARY, max(MIN_VOCABULARY, _words(tokenizer, texts) // WORDS_PER_TOKEN))
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[PAD, UNKNOWN, MASK],
        limit_alphabet=size * 3 // 4,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _words(tokenizer: Tokenizer, texts: Sequence[str], probed: int = 500_000) -> int:
    """Words and marks in all texts, reckoned from about ``probed`` characters spread over the corpus."""
    step = max(1, sum(map(len, texts)) // probed)
    some = [tokenizer.normalizer.normalize_str(text) for text in texts[::step]]
    return sum(len(tokenizer.pre_tokenizer.pre_tokenize_str(text)) for text in some) * len(texts) // len(some)


def spec_of_file(path: str | Path, max_length: int = MAX_LENGTH) -> Spec:
    """The spec of texts encoded by a ``tokenizer.json``, such as that of a model of the Hub in a local folder.

    Raises:
        InputError: when the file is no tokenizer.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exceptions
        raise InputError(f"{path} cannot be read as a tokenizer.json ({error})") from error
    return _spec(tokenizer, max_length)


def exact_spec() -> Spec:
    """The spec of texts that ``decode`` gives back letter by letter: their bytes, for whoever wants the text itself."""
    bytes_ = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=bytes_, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _spec(tokenizer, 2**24)


def framed(x: Ragged, spec: Spec) -> tuple[Int[Tensor, "batch tokens"], Bool[Tensor, "batch tokens"]]:
    """``(numbers, valid)``, padded, with the tokens that a foreign tokenizer puts around every text."""
    numbers, _ = x.padded(float(spec["pad"]))
    first, last = len(spec["before"]), len(spec["after"])
    out = numbers.new_full((len(x), first + numbers.shape[1] + last), spec["pad"])
    out[:, :first] = numbers.new_tensor(spec["before"])
    out[:, first : first + numbers.shape[1]] = numbers
    for i, number in enumerate(spec["after"]):
        out.scatter_(1, (first + x.length + i)[:, None], number)
    whole = first + x.length + last
    return out, torch.arange(out.shape[1], device=out.device) < whole[:, None]


def decode(ids: Ragged, spec: Spec) -> list[str]:
    """The texts again, as they were normalised and cut; special tokens are left out."""
    tokenizer = _tokenizer(spec["tokenizer"])
    return list(tokenizer.decode_batch([one.tolist() for one in ids.unpack()], skip_special_tokens=True))


def check(spec: Spec) -> None:
    """Raises KeyError, TypeError or ValueError when ``spec`` describes no text."""
    try:
        size = _tokenizer(spec["tokenizer"]).get_vocab_size()
    except (KeyError, TypeError):
        raise
    except Exception as error:  # the library raises plain Exceptions
        raise ValueError("its tokenizer cannot be read") from error
    special = (spec["pad"], spec["unknown"], spec["mask"], *spec["before"], *spec["after"])
    if size > spec["vocabulary"] or spec["max_length"] < 1 or not 0 <= min(special) <= max(special) < size:
        raise ValueError("its tokenizer does not fit its vocabulary")


@lru_cache(8)
def _tokenizer(text: str) -> Tokenizer:
    tokenizer = Tokenizer.from_str(text)
    tokenizer.encode_special_tokens = True  # "[MASK]" in a text is a word like others
    return tokenizer


def _spec(tokenizer: Tokenizer, max_length: int) -> Spec:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    special = {kind: _number(tokenizer, names) for kind, names in _SPECIAL.items()}
    around = tokenizer.encode("a")
    inside = [i for i, own in enumerate(around.special_tokens_mask) if not own]
    first, last = (inside[0], inside[-1] + 1) if inside else (0, 0)
    return {
        "vocabulary": tokenizer.get_vocab_size(),
        "max_length": max_length,
        **special,
        "before": around.ids[:first],
        "after": around.ids[last:],
        "tokenizer": tokenizer.to_str(),
    }


def _number(tokenizer: Tokenizer, names: Sequence[str]) -> int:
    """The number of a special token; a tokenizer that has none of the kind pads instead."""
    found = (tokenizer.token_to_id(name) for name in (*names, *_SPECIAL["pad"]))
    return next((int(number) for number in found if number is not None), 0)
