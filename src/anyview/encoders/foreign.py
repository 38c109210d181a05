"""A network that was made elsewhere and can only be called: what it gives becomes one vector a sample."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Payload, payload_map
from anyview.encoders.base import Encoder, Tokens
from anyview.encoders.positions import grid
from anyview.encoders.token_encoder import mean_valid
from anyview.errors import InputError

Arguments = tuple[Any, ...]


class ForeignEncoder(Encoder):
    """An encoder of which nothing is known but what it answers: vectors ``(batch, dim)``, tokens
    ``(batch, tokens, dim)`` or a feature map ``(batch, dim, rows, columns)``, whose mean is taken.

    Args:
        name: what it is called in print.
        call: the network.
        arguments: what ``call`` is given for a payload; of texts the last one is the mask of valid tokens.
        probe: a few samples as a payload, from which ``dim`` is taken.

    Raises:
        InputError: when it fails on the probe, or answers something else.
    """

    depth = 0

    def __init__(
        self, name: str, call: Callable[..., Any], arguments: Callable[[Payload], Arguments], probe: Payload
    ) -> None:
        super().__init__()
        self.config = {"name": name}  # what cannot be built again from it: see ``registry.save``
        self.network = call if isinstance(call, nn.Module) else None  # moves along with this one
        self.call, self.arguments, self.probe = call, arguments, probe
        with torch.no_grad():
            self.dim = self.eval()(probe).shape[1]

    def forward(self, x: Payload) -> Float[Tensor, "batch dim"]:
        y, valid = self._answer(x)
        if y.ndim == 2:
            return y
        return y.flatten(2).mean(2) if y.ndim > 3 else mean_valid(y, _all(y) if valid is None else valid)

    def tokens(
        self,
        x: Payload,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        """The cells of its feature map.

        Raises:
            InputError: when it gives none, or for masks and layers, of which nothing is known.
        """
        y, _ = self._answer(x)
        if y.ndim < 4 or mask is not None or layers is not None:
            what = "feature map" if y.ndim < 4 else "masks or layers"
            raise InputError(f"{self.config['name']} was made elsewhere and has no {what} to be judged by")
        coords = grid(tuple(y.shape[2:]), y.device).expand(len(y), -1, -1)
        values = y.flatten(2).transpose(1, 2)
        return Tokens(values, coords, _all(values))

    def fresh(self) -> "ForeignEncoder | None":
        """The same network with fresh weights; None where only its author could make them."""
        network = None if self.network is None else reinitialised(self.network)
        name = self.config["name"]
        return None if network is None else ForeignEncoder(name, network, self.arguments, self.probe)

    def _answer(self, x: Payload) -> tuple[Tensor, Tensor | None]:
        """What it answers, as floats, and which tokens are valid where that is known."""
        name, given = self.config["name"], self.arguments(x)
        try:
            y = _tensor(self.call(*given))
        except InputError:
            raise
        except Exception as error:  # another's code
            reason = " ".join(str(error).split())[-200:] or type(error).__name__
            raise InputError(f"{name} failed on samples of this kind: {reason}") from error
        count = len(given[0])
        if y.ndim < 2 or len(y) != count:
            raise InputError(
                f"{name} answers {tuple(y.shape)} for {count} samples; one vector a sample, or its tokens or feature "
                "map, is wanted"
            )
        valid = given[-1].bool() if len(given) > 1 else None
        return y.float(), valid


def on_cpu(x: Payload) -> Payload:
    return payload_map(x, lambda leaf: leaf.to("cpu"))


def _all(y: Tensor) -> Tensor:
    return torch.ones(y.shape[:2], dtype=torch.bool, device=y.device)


#: names of answers that hold vectors, where a network gives several, the surest first
ANSWERS = ("sentence_embedding", "embedding", "last_hidden_state")


def _tensor(answer: Any) -> Tensor:
    """The answer itself, or of several the one whose name tells, else the first."""
    if isinstance(answer, Mapping):
        answer = next((answer[name] for name in ANSWERS if name in answer), next(iter(answer.values())))
    if isinstance(answer, tuple) and answer:
        answer = answer[0]
    return torch.as_tensor(answer)


def reinitialised(network: nn.Module) -> nn.Module | None:
    """A copy with fresh weights, each by the initialisation of its own layer; None when some layer has none."""
    if isinstance(network, torch.jit.ScriptModule) or next(network.parameters(), None) is None:
        return None
    fresh, done = copy.deepcopy(network), set()
    for module in fresh.modules():
        if id(module) in done:
            continue
        if hasattr(module, "_init_weights") and hasattr(module, "config"):  # a model of transformers
            module.load_state_dict(type(module)(module.config).state_dict())
            done |= {id(inner) for inner in module.modules()}
        elif callable(reset := getattr(module, "reset_parameters", None)):
            reset()
        elif next(module.parameters(recurse=False), None) is not None:
            return None
    return fresh
