"""AMDIM: the whole of one view must find the parts of the other, at several scales."""

from typing import Literal

import torch
from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.heads import ResidualHead
from anyview.encoders.localnet import LocalNet, that_sees_parts
from anyview.methods.base import Method
from anyview.objectives.parts import part_nce
from anyview.register import system
from anyview.views.base import Views


@system(
    "amdim",
    title="Learning Representations by Maximizing Mutual Information Across Views",
    paper="arXiv:1906.00910",
    year=2019,
    kind="method",
)
class AMDIM(Method):
    """The vector of one view is compared with each cell of the other's coarse and fine maps, and one cell of the coarse
    map, chosen at random for each image, with the other's coarse cells; all both ways (section 3). Negatives are the
    cells of all other images of the batch.

    The network must not let cells see the whole, so it pads nothing (``LocalNet``). Its vector is compared as it is;
    maps go through a small head each. Both views are mirrored or none, so that places keep their side.

    Args:
        compare: ``parts`` is the paper's; ``coarse`` leaves the vector and the coarse map alone, ``whole`` compares
            vectors with vectors: the ablations.
        clip: scores lie between -clip and clip.
        penalty: weight of the squared scores before they are clipped, without which the clip takes the gradient.
    """

    needs = "local_views"
    couples_samples = True
    view_defaults = {"shared_flip": True}
    collapse_hint = "With amdim this is usually scores that are all clipped: a learning rate or clip too high"
    encoder: LocalNet
    steps: Tensor

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        compare: Literal["parts", "coarse", "whole"] = "parts",
        clip: float = 20.0,
        penalty: float = 0.05,
    ) -> None:
        super().__init__(encoder, views)
        self.encoder = that_sees_parts(encoder, "amdim")
        self.clip, self.penalty = clip, penalty
        maps = {"parts": ("fine", "coarse"), "coarse": ("coarse",), "whole": ()}[compare]
        self.heads = torch.nn.ModuleDict({name: ResidualHead(encoder.dim, encoder.dim) for name in maps})
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        whole, *maps = self.encoder.parts(torch.cat([view.x for view in views]))
        found = {"whole": whole} | {
            name: self.heads[name](map) for name, map in zip(("fine", "coarse"), maps) if name in self.heads
        }
        return {name: z.unflatten(0, (len(views), -1)) for name, z in found.items()}

    def loss(
        self, whole: Tensor, coarse: Tensor | None = None, fine: Tensor | None = None
    ) -> dict[str, Tensor]:
        pairs = {"whole_whole": (whole, whole[:, :, None])}
        if coarse is not None:
            pairs = {"whole_coarse": (whole, coarse)}
        if coarse is not None and fine is not None:
            pairs |= {"whole_fine": (whole, fine), "coarse_coarse": (self.one_place(coarse), coarse)}
        terms, squares = {}, []
        for name, (source, target) in pairs.items():
            there, back = (part_nce(source[v], target[1 - v], self.clip) for v in (0, 1))
            terms[name] = (there[0] + back[0]) / 2
            squares.append((there[1] + back[1]) / 2)
        return terms | {"penalty": self.penalty * torch.stack(squares).sum()}

    def one_place(self, maps: Tensor) -> Tensor:
        """A random place of each map ``(views, batch, places, dim)``, which follows from the step's number."""
        generator = torch.Generator().manual_seed(int(self.steps))
        place = torch.randint(maps.shape[2], maps.shape[:2], generator=generator).to(maps.device)
        return maps.gather(2, place[..., None, None].expand(*place.shape, 1, maps.shape[3]))[:, :, 0]

    def after_step(self) -> None:
        self.steps += 1
