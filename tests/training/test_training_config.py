"""Options by name: short or full, typed, and one line for each mistake."""

import pytest

from anyview.errors import InputError
from anyview.modalities import modality
from anyview.training.config import (
    check_options,
    flatten,
    full_name,
    option_names,
    option_parser,
    parse_text,
    plain,
)
from anyview.training.plan import method_class, views_factory


def parser_of(method: str):
    cls = method_class(method)
    return option_parser(cls, views_factory(cls, modality("image")))


@pytest.fixture(scope="module")
def simclr():
    return parser_of("simclr")


@pytest.fixture(scope="module")
def byol():
    return parser_of("byol")


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("temperature", "method.temperature"),
        ("method.temperature", "method.temperature"),
        ("out-dim", "method.out_dim"),
        ("crop_scale", "views.crop_scale"),
        ("lr", "optimizer.lr"),
        ("epochs", "training.epochs"),
        ("encoder.name", "encoder.name"),
        ("encoder.width", "encoder.width"),
    ],
)
def test_short_names_become_full(simclr, given: str, full: str) -> None:
    assert full_name(given, simclr, "simclr") == full


def test_every_option_is_found_by_its_full_name(simclr) -> None:
    names = option_names(simclr)
    assert {"method.temperature", "views.flip", "optimizer.lr", "training.batch_size"} <= set(names)
    assert all(full_name(name, simclr, "simclr") == name for name in names)
    assert not any(name.split(".")[1] in {"encoder", "views", "spec"} for name in names)


def test_a_name_of_two_sections_must_be_written_in_full(byol) -> None:
    with pytest.raises(InputError, match=r"method\.momentum and optimizer\.momentum"):
        full_name("momentum", byol, "byol")
    assert full_name("method.momentum", byol, "byol") == "method.momentum"


def test_the_same_name_is_clear_where_one_section_has_it(simclr) -> None:
    assert full_name("momentum", simclr, "simclr") == "optimizer.momentum"


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("temprature", "temperature"), ("method.temprature", "method.temperature"), ("batchsize", "batch_size")],
)
def test_unknown_names_get_the_nearest(simclr, wrong: str, nearest: str) -> None:
    with pytest.raises(InputError) as caught:
        full_name(wrong, simclr, "simclr")
    text = str(caught.value)
    assert f'no option "{wrong}" for simclr; did you mean "{nearest}"?' in text
    assert "anyview pretrain simclr --help" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("temperature", "hot", "float"),
        ("out_dim", 3.5, "int"),
        ("optimizer.name", "adam", "adamw"),
        ("health", "perhaps", "bool"),
        ("crop_scale", 0.5, "tuple"),
        ("epochs", "many", "int"),
        ("precision", "fp8", "bf16"),
    ],
)
def test_wrong_types_are_one_line_with_name_and_type(simclr, name: str, value: object, wanted: str) -> None:
    with pytest.raises(InputError) as caught:
        check_options(simclr, {name: value}, "simclr")
    text = str(caught.value)
    assert "\n" not in text
    assert name.split(".")[-1] in text
    assert repr(value) in text
    assert wanted in text


def test_values_are_typed_and_defaults_filled_in(simclr) -> None:
    sections, encoder = check_options(
        simclr, {"temperature": 1, "crop_scale": [0.3, 1.0], "lr": "1e-3", "encoder.width": 8}, "simclr"
    )
    assert sections["method"] == {"hidden_dim": None, "out_dim": 128, "layers": 2, "temperature": 1.0}
    assert isinstance(sections["method"]["temperature"], float)
    assert tuple(sections["views"]["crop_scale"]) == (0.3, 1.0)
    assert sections["optimizer"]["lr"] == 1e-3
    assert sections["training"]["batch_size"] is None
    assert encoder == {"width": 8}


def test_an_option_given_twice_is_an_error(simclr) -> None:
    with pytest.raises(InputError, match=r'"method\.temperature" is given twice'):
        check_options(simclr, {"temperature": 0.1, "method.temperature": 0.2}, "simclr")


def test_checking_leaves_the_parser_as_it_was(simclr) -> None:
    check_options(simclr, {"temperature": 9.0}, "simclr")
    assert check_options(simclr, {}, "simclr")[0]["method"]["temperature"] == 0.5


def test_flatten_names_leaves_by_their_path() -> None:
    nested = {"method": {"temperature": 0.2}, "a": {"b": {"c": [1, 2]}}, "seed": 3, "empty": {}}
    assert flatten(nested) == {"method.temperature": 0.2, "a.b.c": [1, 2], "seed": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.2", 0.2), ("true", True), ("[0.2, 1.0]", [0.2, 1.0]), ("lars", "lars"), ("null", None), ("[", "[")],
)
def test_text_is_read_as_yaml(text: str, value: object) -> None:
    assert parse_text(text) == value


def test_text_never_makes_objects() -> None:
    assert isinstance(parse_text("!!python/object/apply:os.getcwd []"), str)


def test_plain_has_yaml_types_only() -> None:
    assert plain({"a": (1, [2, (3,)]), 5: {"b": None}}) == {"a": [1, [2, [3]]], "5": {"b": None}}
