"""Table tokens and networks: every cell counts, missing is a state, targets are in one space of classes."""

import pytest
import torch

from anyview.encoders import registry
from anyview.encoders.tokenizers import tokenizer
from anyview.errors import InputError

INPUT = {"modality": "table", "edges": [[-1.0, 0.0, 1.0], [0.5]], "sizes": [4, 3, 6]}


def rows(n: int = 12) -> dict[str, torch.Tensor]:
    codes = torch.stack([torch.randint(size, (n,)) for size in INPUT["sizes"]], 1)
    return {"numeric": torch.randn(n, 2), "categorical": codes}


def test_tokens_are_what_the_paper_says() -> None:
    t, x = tokenizer(INPUT, 8), rows()
    x["numeric"][0, 1] = torch.nan
    values = t.embed(x).values
    for i in range(12):
        for j in range(2):
            number = x["numeric"][i, j]
            cell = t.missing[j] if number.isnan() else number * t.weight[j]
            torch.testing.assert_close(values[i, j], cell + t.bias[j])
        for j, start in enumerate((0, 4, 7)):
            cell = t.codes[start + x["categorical"][i, j]]
            torch.testing.assert_close(values[i, 2 + j], cell + t.bias[2 + j])


def test_targets_share_one_space_in_which_each_column_has_its_range() -> None:
    t = tokenizer(INPUT, 8)
    x = {
        "numeric": torch.tensor([[-2.0, 0.5], [-1.0, 0.6], [5.0, torch.nan]]),
        "categorical": torch.tensor([[0, 0, 0], [3, 2, 5], [1, 1, 1]]),
    }
    targets = t.targets(x)
    assert targets.kind == t.target_kind == "categorical"
    assert targets.size == t.target_size == 5 + 3 + 4 + 3 + 6
    # a number's classes are missing, then its bins, of which an edge belongs to the lower
    assert targets.values.tolist() == [
        [0 + 1, 5 + 1, 8, 12, 15],
        [0 + 1, 5 + 2, 11, 14, 20],
        [0 + 4, 5 + 0, 9, 13, 16],
    ]


def test_coords_are_the_numbers_of_the_columns() -> None:
    tokens = tokenizer(INPUT, 8).embed(rows())
    assert tokens.coords[3, :, 0].tolist() == [0, 1, 2, 3, 4]
    assert tokens.valid.all()


@pytest.mark.parametrize("name", ["mlp-s", "mlp-m", "transformer-nano"])
def test_networks_see_every_cell_and_each_row_alone(name: str) -> None:
    encoder, x = registry.build(name, INPUT).eval(), rows()
    z = encoder(x)
    assert z.shape == (12, encoder.dim)
    torch.testing.assert_close(encoder({k: v[4:5] for k, v in x.items()}), z[4:5], atol=1e-5, rtol=1e-5)
    for key, column in (("numeric", 0), ("numeric", 1), ("categorical", 0), ("categorical", 2)):
        y = {k: v.clone() for k, v in x.items()}
        y[key][:, column] = torch.nan if key == "numeric" else (y[key][:, column] + 1) % 3
        other = encoder(y)
        assert other.isfinite().all()
        assert ((other - z).abs().amax(1) > 1e-4).all()


def test_missing_numbers_have_finite_gradients() -> None:
    encoder, x = registry.build("mlp-s", INPUT), rows()
    x["numeric"][:6] = torch.nan
    encoder(x).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def test_a_saved_network_is_the_same(tmp_path) -> None:
    encoder, x = registry.build("mlp-s", INPUT, width=16).eval(), rows()
    registry.save(encoder, tmp_path)
    again, _ = registry.load(tmp_path)
    assert torch.equal(again(x), encoder(x))


def test_only_numbers_or_only_categories_work() -> None:
    x = rows()
    x["categorical"] = x["categorical"][:, :0]
    assert registry.build("mlp-s", INPUT | {"sizes": []})(x).isfinite().all()
    x = rows()
    x["numeric"] = x["numeric"][:, :0]
    assert registry.build("transformer-nano", INPUT | {"edges": []})(x).isfinite().all()


def test_patches_and_empty_tables_are_refused() -> None:
    with pytest.raises(InputError, match="leave patch out"):
        registry.build("transformer-nano", INPUT, patch=2)
    with pytest.raises(InputError, match="needs a column"):
        registry.build("mlp-s", {"modality": "table", "edges": [], "sizes": []})
