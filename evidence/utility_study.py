"""What SimCLR saves of the labels of CIFAR-10 at 16 pixels, from 100 labels to 6,400."""

from anyview.evaluation.label_sweep import label_sweep
from evidence.common import Check, Evidence, Figures, cifar10, over_seeds, pretrained

CLAIM = (
    "Starting from SimCLR saves labels of CIFAR-10 where there are few, and its utility U = labels needed from scratch "
    "/ labels - 1 is less at the largest budget than at the smallest."
)
BUDGET = 25  #: epochs
BUDGETS = (100, 400, 1600, 6400)
STEPS = 400  #: of each training


def one(budget: int, seed: int) -> Figures:
    data = cifar10(test=2000)
    _, model = pretrained("simclr", data, seed, budget)
    sweep = label_sweep(model, data.train, data.splits["test"], BUDGETS, steps=STEPS, seed=seed)
    rows: Figures = {}
    for i, saved in enumerate(sweep.utility.saved()):
        rows[f"{BUDGETS[i]} labels"] = {
            "from scratch": 100 * sweep.scratch[i],
            "fine-tuned": 100 * sweep.finetuned[i],
            "linear": 100 * sweep.linear[i],
            "utility": saved.utility,
            "bound": float(saved.bound),
        }
    meet = sweep.utility.meet()
    rows["where they meet"] = {"labels": meet or BUDGETS[-1], "beyond these": float(meet is None)}
    return rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    first, last = rows[f"{BUDGETS[0]} labels"], rows[f"{BUDGETS[-1]} labels"]
    return Evidence(
        list(rows.values()),
        [
            Check("utility with the fewest labels", first["utility"], 0.1),
            Check("utility, fewest above most labels", first["utility"] - last["utility"], 0.1),
            Check("fine-tuned above scratch, fewest labels", first["fine-tuned"] - first["from scratch"], 1),
        ],
    )
