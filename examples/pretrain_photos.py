"""Pretrain on a folder of images, judge the encoder if there are labels, and keep the embeddings.

    python examples/pretrain_photos.py photos/ --minutes 10
    python examples/pretrain_photos.py                        # scikit-learn's digits instead

Sub-folders of ``photos/`` are taken for classes; pretraining never sees them.
"""

import argparse

import numpy as np

import anyview as av
from anyview.evaluation.verdict import verdict
from anyview.report.tables import print_results

parser = argparse.ArgumentParser()
parser.add_argument("data", nargs="?", default="digits", help="a folder of images (default: digits)")
parser.add_argument("--method", default="simclr")
parser.add_argument("--minutes", type=float, default=1.0)
parser.add_argument("--epochs", type=int, help="instead of minutes")
parser.add_argument("--out", help="run folder (default: runs/METHOD-DATA)")
parser.add_argument("--vectors", default="vectors.npy", help="where the embeddings go")


def main(args: argparse.Namespace) -> None:
    length = {"epochs": args.epochs} if args.epochs else {"minutes": args.minutes}
    model = av.pretrain(args.method, args.data, out=args.out, **length)

    if av.open(args.data).train.label is not None:
        results = av.evaluate(model, args.data)
        print_results(results, method=args.method)
        print(verdict(results))
    else:
        print(
            "no labels here, so nobody can say yet whether it helps; the run's report.html says if it collapsed"
        )

    vectors = model.embed(args.data, split="train")
    np.save(args.vectors, vectors)
    print(f"wrote {args.vectors} ({vectors.shape[0]:,} x {vectors.shape[1]}) and {model.run}")


if __name__ == "__main__":
    main(parser.parse_args())
