"""Suites: many tasks, one command. A file each, which is a list of tasks; found by lying here."""

from anyview.errors import unknown
from anyview.evaluation.suites.base import Suite
from anyview.plugins import modules

#: by the name that users give
SUITES: dict[str, Suite] = {
    module.SUITE.name: module.SUITE for module in modules(__name__) if hasattr(module, "SUITE")
}


def suite_named(name: str) -> Suite:
    """The suite of this name; InputError with the nearest one for a wrong name."""
    if name not in SUITES:
        raise unknown("suite", name, SUITES)
    return SUITES[name]
