"""A model of the transformers library from a local folder as an encoder (the extra ``anyview[transformers]``)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from anyview.data.batch import Ragged
from anyview.data.text.vocabulary import framed
from anyview.encoders.base import Encoder, Tokens
from anyview.encoders.lengths import by_length
from anyview.encoders.token_encoder import POOLS, mean_valid
from anyview.errors import InputError, unknown


class TransformersEncoder(Encoder):
    """A text model of transformers: BERT, RoBERTa, DistilBERT, ModernBERT, GPT-2 and others that ``AutoModel``
    knows, except encoder-decoders. Code that comes with a model is never run, and weights are read from
    safetensors only.

    The tokens that its tokenizer puts around a text are added here; ``tokens`` gives those of the text alone.
    Masks can be replaced by the tokenizer's mask, not dropped.

    Args:
        architecture: the model's ``config.json``.
        weights: the folder with its weights; None starts from fresh ones.
        input: ``max_length``, and the numbers ``pad``, ``mask``, ``before`` and ``after`` of the tokenizer.
        pool: ``mean`` over all tokens, or the output at the first (``cls``).
        normalise: divide the output by its length, as many sentence encoders do.

    Raises:
        InputError: when transformers is not installed or cannot build the model, or texts are too long for it.
    """

    def __init__(
        self,
        architecture: dict[str, Any],
        weights: str | None,
        input: dict[str, Any],
        pool: str = "mean",
        normalise: bool = False,
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise unknown("pool", pool, POOLS)
        self.pool, self.mask, self.normalise = pool, input["mask"], normalise
        self.frame = {key: input[key] for key in ("pad", "before", "after")}
        self.network = _network(architecture, weights)
        if hasattr(self.network, "pooler"):
            self.network.pooler = None  # a head of pretraining, not part of the hidden states
        config = self.network.config
        self.dim, self.depth = int(config.hidden_size), int(config.num_hidden_layers)
        if int(config.vocab_size) < input["vocabulary"]:
            raise InputError(
                f"this model knows {config.vocab_size:,} tokens and the texts have {input['vocabulary']:,}; "
                "encode them by its own tokenizer"
            )
        room = self._room() - len(self.frame["before"]) - len(self.frame["after"])
        if input["max_length"] > room:
            raise InputError(f"this model reads {room:,} tokens at most; cut the texts with --size {room}")

    def _room(self) -> int:
        positions = [m for n, m in self.network.named_modules() if n.endswith("position_embeddings")]
        first = getattr(positions[0], "padding_idx", None) if positions else None
        limit = getattr(self.network.config, "max_position_embeddings", None) or 2**31
        return int(limit) - (0 if first is None else first + 1)  # RoBERTa counts from behind its padding

    def forward(self, x: Ragged) -> Float[Tensor, "batch dim"]:
        numbers, valid = framed(x, self.frame)
        hidden = by_length(lambda n, v: self._run(n, v)[-1], numbers, valid)
        pooled = hidden[:, 0] if self.pool == "cls" else mean_valid(hidden, valid)
        return F.normalize(pooled, dim=1) if self.normalise else pooled

    def layout(self, x: Ragged) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        steps = torch.arange(int(x.length.max()), device=x.length.device)
        return steps.float()[None, :, None].expand(len(x), -1, -1), steps < x.length[:, None]

    def tokens(
        self,
        x: Ragged,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        if layers is not None:
            self.check_layers(layers)
        coords, inside = self.layout(x)
        if mask is not None:
            if masked == "drop":
                raise InputError('models of transformers cannot drop masked tokens; take masked="replace"')
            x = Ragged(x.values.masked_fill(mask[inside], self.mask), x.length)
        first = len(self.frame["before"])
        last = first + coords.shape[1]
        hidden = self._run(*framed(x, self.frame))
        chosen = [hidden[i] for i in (layers if layers is not None else [self.depth])]
        outputs = [Tokens(y[:, first:last], coords, inside) for y in chosen]
        return outputs[0] if layers is None else outputs

    def _run(self, numbers: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        """The input embedding and the output of every layer."""
        return tuple(
            self.network(
                input_ids=numbers, attention_mask=valid.long(), output_hidden_states=True
            ).hidden_states
        )


def read_architecture(folder: str) -> dict[str, Any]:
    """The ``config.json`` of a model's folder.

    Raises:
        InputError: when there is none, or the model needs code of its own.
    """
    path = Path(folder).expanduser() / "config.json"
    if not path.is_file():
        raise InputError(f"hf:{folder} is no folder of a transformers model: it has no config.json")
    try:
        architecture = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error})") from error
    if not isinstance(architecture, dict) or not isinstance(architecture.get("model_type"), str):
        raise InputError(f"{path} names no model_type; give a folder that transformers saved")
    if "auto_map" in architecture:
        raise InputError(f"hf:{folder} needs code that came with it, and such code is never run")
    if architecture.get("is_encoder_decoder"):
        raise InputError(f"hf:{folder} is an encoder-decoder; give a model that is an encoder alone")
    return architecture


#: what sentence-transformers calls the poolings that are here
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}


def read_sentence_modules(folder: str) -> dict[str, Any]:
    """``pool`` and ``normalise`` of a model that sentence-transformers saved; nothing for any other folder.

    Raises:
        InputError: for a model with other parts (a dense layer, another pooling), or whose parts cannot be read.
    """
    root = Path(folder).expanduser()
    if not (root / "modules.json").is_file():
        return {}
    try:
        parts = json.loads((root / "modules.json").read_text(encoding="utf-8"))
        kinds = [str(part["type"]).rpartition(".")[2] for part in parts]
        pooling = json.loads((root / parts[1]["path"] / "config.json").read_text(encoding="utf-8"))
        on = [name for name, value in pooling.items() if name.startswith("pooling_mode_") and value is True]
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(
            f"{root}/modules.json cannot be read as parts of a sentence encoder ({error})"
        ) from error
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) or parts[0]["path"]:
        raise InputError(
            f"hf:{folder} is made of {', '.join(kinds)}; only a transformer in the folder itself, its pooling and "
            "a normalisation can be read"
        )
    if len(on) != 1 or on[0] not in _POOLINGS:
        raise InputError(
            f"hf:{folder} pools by {' and '.join(on) or 'nothing known'}; only mean and cls are here"
        )
    return {"pool": _POOLINGS[on[0]], "normalise": len(kinds) == 3}


def _network(architecture: dict[str, Any], weights: str | None) -> Any:
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError:
        raise InputError(
            'models of transformers need it installed: pip install "anyview[transformers]"'
        ) from None
    try:
        with unspoken():
            if weights is not None:
                return AutoModel.from_pretrained(
                    Path(weights).expanduser(),
                    local_files_only=True,
                    use_safetensors=True,
                    trust_remote_code=False,
                ).float()
            options = {k: v for k, v in architecture.items() if k != "model_type"}
            config = AutoConfig.for_model(architecture["model_type"], **options)
            return AutoModel.from_config(config, trust_remote_code=False).float()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"transformers cannot build {weights or architecture['model_type']}: {reason}"
        ) from error


@contextmanager
def unspoken() -> Iterator[None]:
    """Without the library's bars of progress and its list of heads that are left out, as intended."""
    from transformers.utils import logging

    said = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(said)
        logging.enable_progress_bar()
