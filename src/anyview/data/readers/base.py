"""What every reader is: it says how sure it is of what was found, and makes a Dataset of it."""

from collections.abc import Sequence
from typing import ClassVar

from anyview.data.parts import Archive, Arrays, Files, Found, Table
from anyview.data.source import Dataset, Skipped, Spec
from anyview.errors import InputError


class Reader:
    """Reads one modality. Stateless; subclasses register by being defined in this folder."""

    modality: ClassVar[str]
    wants: ClassVar[str]  #: what a person should give, as in "Give a folder with images"

    def claim(self, found: Found) -> float:
        """How sure it is that this holds its modality: 0 (not at all) to 1. The surest reader reads."""
        raise NotImplementedError(f"{type(self).__name__} claims nothing")

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Opens what was found.

        Args:
            label: the column of the labels; None takes the usual name when it is there.
            size: how large a sample is held, in the modality's unit (images: pixels a side).
            like: spec of data read before; these samples are read as those were.

        Raises:
            InputError: when nothing in it can be read.
        """
        raise NotImplementedError(f"{type(self).__name__} reads nothing")


def none_readable(found: Found, modalities: str, wants: str, skipped: Sequence[Skipped] = ()) -> InputError:
    """The error when nothing of what was found can be read: what is there, its first, and what to give."""
    part = found.first
    if isinstance(part, Files):
        count = sum(len(files) for files in found.splits.values())
        if count == 1 and part.paths[0] == found.name:
            return InputError(
                f"{found.name} could not be read as {modalities}. Give a file or folder with {wants}."
            )
        holds = f"{found.name}/ holds {count:,} file{'s' if count != 1 else ''} and none"
        return InputError(
            f"{holds} could be read as {modalities} (first: {part.paths[0]}). Give a folder with {wants}."
        )
    if isinstance(part, Archive) and not skipped:
        arrays = ", ".join(part.arrays)
        return InputError(f"{part.name} has no arrays that could be read as {modalities} (arrays: {arrays})")
    if isinstance(part, Table) and not skipped:
        columns = ", ".join(part.schema.names)
        return InputError(
            f"{part.name} has no column that could be read as {modalities} (columns: {columns})"
        )
    if isinstance(part, Arrays):
        shape, kind = tuple(part.x.shape), str(part.x.dtype).removeprefix("torch.")
        return InputError(f"an array of shape {shape} and type {kind} could not be read as {modalities}")
    first = f" (first: {skipped[0].path} {skipped[0].reason})" if skipped else ""
    return InputError(
        f"{found.name} holds {len(part):,} samples and none could be read as {modalities}{first}"
    )
