"""How a view becomes vectors: tokenizers, trunks, layers, heads, and encoders by name."""

from anyview.encoders.base import Encoder, Targets, Tokenizer, Tokens
from anyview.encoders.convnet import ConvNet
from anyview.encoders.decoder import MaskedDecoder, gather_masked, masked_targets
from anyview.encoders.heads import mlp, predictor, projector
from anyview.encoders.layers import MIXERS
from anyview.encoders.positions import Positions, sincos
from anyview.encoders.registry import build, load, names, read_config, save
from anyview.encoders.resnet import ResNet
from anyview.encoders.timm_adapter import TimmEncoder
from anyview.encoders.token_encoder import TokenEncoder
from anyview.encoders.tokenizers.image import PatchTokenizer, patchify
from anyview.encoders.transformer import Trunk

__all__ = [
    "MIXERS",
    "ConvNet",
    "Encoder",
    "MaskedDecoder",
    "PatchTokenizer",
    "Positions",
    "ResNet",
    "Targets",
    "TimmEncoder",
    "TokenEncoder",
    "Tokenizer",
    "Tokens",
    "Trunk",
    "build",
    "gather_masked",
    "load",
    "masked_targets",
    "mlp",
    "names",
    "patchify",
    "predictor",
    "projector",
    "read_config",
    "save",
    "sincos",
]
