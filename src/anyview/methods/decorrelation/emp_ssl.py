"""EMP-SSL: many small pieces of a sample at once, so that few passes over the data do."""

from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.encoders.heads import mlp
from anyview.methods.base import Method
from anyview.objectives.coding_rate import emp_ssl
from anyview.register import system
from anyview.views.base import Views


@system(
    "emp-ssl",
    title="EMP-SSL: Towards Self-Supervised Learning in One Training Epoch",
    paper="arXiv:2304.03977",
    year=2023,
    kind="method",
)
class EMPSSL(Method):
    """Twenty pieces of each sample, of a quarter of it each, go to their mean, while the coding rate of the batch is
    made large for every piece (equation 3). Not the loss but the number of pieces makes few epochs enough.

    A sample is best embedded as the mean over many pieces, as the network saw only such. The paper takes the output
    of ``block`` (4,096 wide), the first layer of the head, for its features; ``embed`` gives the encoder's.

    Args:
        block_dim: width of the head's first layer; None is eight times the encoder's (4,096 for 512).
        out_dim: width of the embeddings; None is twice the encoder's (1,024 for 512).
        similarity: weight of the agreement of the pieces with their mean.
        eps: allowed distortion of the coding rate, squared in the formula. The results of the paper are those of its
            code, which has 0.2 where the square stands; so this is its root.
    """

    needs = "multi_view"
    couples_samples = True
    view_defaults = {"count": 20, "crop_scale": (0.25, 0.25), "solarise": 0.1}
    collapse_hint = (
        "With emp-ssl this is usually a similarity weight too large for the eps of the coding rate"
    )

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        block_dim: int | None = None,
        out_dim: int | None = None,
        similarity: float = 200.0,
        eps: float = 0.447,
    ) -> None:
        super().__init__(encoder, views)
        self.similarity, self.eps = similarity, eps
        block, out = block_dim or 8 * encoder.dim, out_dim or 2 * encoder.dim
        self.block = nn.Sequential(*mlp([encoder.dim, block], last_norm=True), nn.ReLU())
        self.projector = mlp([block, out, out])

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        return {"z": self.encode(views, lambda x: self.projector(self.block(self.encoder(x))))}

    def loss(self, z: Tensor) -> dict[str, Tensor]:
        return emp_ssl(z, self.similarity, self.eps)
