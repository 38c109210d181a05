"""What every views object is: a map from one Batch to a list of Batches, made on the batch's device."""

from anyview.data.batch import Batch


class Views:
    """Makes views of whole batches with parameters drawn per sample from torch's global generator.

    Subclasses draw all parameters of a view at once, apply them to the whole batch, and keep what they did
    in ``Batch.meta``. The loop seeds the generator before each step, so a step is repeatable by its number.
    """

    count: int  #: how many batches a call returns
    #: of views that tell a parameter of theirs from 0 to 1 (``meta["parameter"]``): whether 0 and 1 are the same
    cyclic: bool = False

    def __call__(self, batch: Batch) -> list[Batch]:
        raise NotImplementedError(f"{type(self).__name__} makes no views")
