"""SMILES as numbers: an atom, a bond or a bracket is a token."""

import re

import torch

from anyview.data.batch import Ragged

#: what is in brackets is one atom; then atoms of two letters, ring numbers of two digits, any other character
TOKEN = re.compile(r"\[[^\]]*\]|Br|Cl|%\d\d|.")


def vocabulary(texts: list[str]) -> list[str]:
    """All tokens, sorted; the number of each is its place from 1, and 0 stands for what is unknown."""
    return sorted({token for text in texts for token in TOKEN.findall(text)})


def numbers(texts: list[str], tokens: list[str]) -> Ragged:
    """The tokens of each text by their numbers, int64."""
    place = {token: i + 1 for i, token in enumerate(tokens)}
    ids = [[place.get(token, 0) for token in TOKEN.findall(text)] for text in texts]
    values = torch.tensor([i for row in ids for i in row], dtype=torch.int64)
    return Ragged(values, torch.tensor([len(row) for row in ids], dtype=torch.int64))
