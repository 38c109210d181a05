"""From a method's name and a few options to a full, checked configuration that repeats the run.

Options come from signatures: the method's ``__init__``, the modality's views function, the two option
classes. Python, YAML and the command line all end here.
"""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace

from anyview.errors import InputError, unknown
from anyview.methods.base import Method
from anyview.training.options import OptimizerOptions, TrainingOptions

Config = dict[str, Any]  # nested, in YAML's types
SECTIONS = ("method", "views", "encoder", "optimizer", "training")


def option_parser(method: type[Method], views: Callable) -> ArgumentParser:
    """All options of a method on a modality, as ``section.option``, typed and documented by signatures."""
    parser = ArgumentParser(exit_on_error=False, add_help=False)
    parser.add_class_arguments(method, "method", skip={"encoder", "views"})
    parser.add_function_arguments(views, "views", skip={"spec"})
    parser.add_class_arguments(OptimizerOptions, "optimizer")
    parser.add_class_arguments(TrainingOptions, "training")
    return parser


def option_names(parser: ArgumentParser) -> list[str]:
    return [a.dest for a in parser._actions if "." in a.dest]


def full_name(name: str, parser: ArgumentParser, method: str) -> str:
    """``temperature`` -> ``method.temperature``; a name that stands in two sections must be written in full.

    Raises:
        InputError: for a name that no section has, with the nearest one.
    """
    name = name.replace("-", "_")
    known = option_names(parser)
    if name in known or name == "encoder.name" or name.startswith("encoder."):
        return name
    hits = [k for k in known if k.split(".")[1] == name]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise InputError(f'"{name}" is an option of {" and ".join(hits)}; write which')
    section = name.rpartition(".")[0]
    shown = [k for k in known if k.startswith(section + ".")] if section else [k.split(".")[1] for k in known]
    error = unknown("option", name, shown, f"for {method}").args[0].split(" (known:")[0]
    raise InputError(f"{error} (anyview pretrain {method} --help lists all)")


def parse_text(text: str) -> Any:
    """A value from the command line, read as YAML (safely): ``0.2``, ``true``, ``[0.2, 1.0]``, ``lars``."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"method": {"temperature": 0.2}}`` -> ``{"method.temperature": 0.2}``."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + str(key)] = value
    return flat


def check_options(
    parser: ArgumentParser, options: Mapping[str, Any], method: str
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Typed values of all sections (defaults filled in), and the options of the encoder.

    Raises:
        InputError: one line, for a wrong name or a value of the wrong type.
    """
    named: dict[str, Any] = {}
    for key, value in options.items():
        full = full_name(key, parser, method)
        if full in named:
            raise InputError(f'option "{full}" is given twice')
        named[full] = value
    encoder = {k.removeprefix("encoder."): v for k, v in named.items() if k.startswith("encoder.")}
    config = parser.get_defaults()
    given = {key: value for key, value in named.items() if not key.startswith("encoder.")}
    try:
        typed = _parsed(parser, given)
    except _REFUSALS as together:  # which of them was it?
        for key, value in given.items():
            try:
                _parsed(parser, {key: value})
            except _REFUSALS as error:
                action = next(a for a in parser._actions if a.dest == key)
                hint = getattr(action, "_typehint", None)
                wanted = (
                    getattr(hint, "__name__", None)
                    if isinstance(hint, type)
                    else str(hint).replace("typing.", "")
                )
                raise InputError(f'option "{key}" of {method} takes {wanted}; got {value!r}') from error
        first = str(together).partition("\n")[0]
        raise InputError(
            f"these options of {method} do not go together, leave one out: {first}"
        ) from together
    for key, value in typed.items():
        config[key] = value
        if not key.startswith("training.") and type(value) is int and value < 0:
            raise InputError(f'option "{key}" of {method} counts something; it cannot be {given[key]}')
    values = config.as_dict() if isinstance(config, Namespace) else dict(config)
    return {s: dict(values.get(s) or {}) for s in SECTIONS if s != "encoder"}, encoder


#: what a parser raises for a value that does not fit
_REFUSALS = (argparse.ArgumentError, TypeError, ValueError)


def _parsed(parser: ArgumentParser, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values by their full names, in the types of their options; all in one pass, for a pass is slow."""
    nested: dict[str, dict[str, Any]] = {}
    for key, value in given.items():
        section, option = key.split(".")
        nested.setdefault(section, {})[option] = value
    parsed = parser.parse_object(nested)
    return {key: parsed[key] for key in given}


def plain(value: Any) -> Any:
    """Tuples and named tuples as lists, so that a configuration is made of YAML's types only."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return value
