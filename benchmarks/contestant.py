"""One contestant in a process of its own: ``python -m benchmarks.contestant '{"kind": ...}'`` prints JSON."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")


def measure(kind: str, images: Path, **options: Any) -> dict[str, Any]:
    """What ``kind`` measures; a contestant imports only what it needs."""
    if kind == "lightly":
        from benchmarks import peer

        return peer.training(images, **options)
    if kind == "stable-pretraining":
        from benchmarks import stable

        return stable.training(images, **options)
    if kind == "views":
        from benchmarks import viewmaking

        return viewmaking.speed(images, **options)
    from benchmarks import ours

    return {"anyview": ours.training, "network": ours.network}[kind](images, **options)


def main() -> None:
    task = json.loads(sys.argv[1])
    result = measure(task.pop("kind"), Path(task.pop("images")), **task)
    import torch

    print(json.dumps({**result, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
