"""Find the images most like a given one, by their embeddings.

python examples/embed_and_search.py runs/photos photos/ --query 7
python examples/embed_and_search.py                  # trains on scikit-learn's digits for a minute first
"""

import argparse

import numpy as np

import anyview as av

parser = argparse.ArgumentParser()
parser.add_argument("run", nargs="?", help="a run folder or a saved encoder")
parser.add_argument("data", nargs="?", default="digits", help="what is searched (default: digits)")
parser.add_argument("--query", type=int, default=0, help="number of the sample to look for (default 0)")
parser.add_argument("--neighbours", type=int, default=5)
parser.add_argument("--epochs", type=int, default=30, help="of training, when no run is given")


def nearest(vectors: np.ndarray, query: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The samples with the largest cosine similarity to one of them, and these similarities."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit[query]
    similarity[query] = -np.inf  # itself
    order = similarity.argsort()[::-1][:count]
    return order, similarity[order]


def main(args: argparse.Namespace) -> None:
    data = av.open(args.data)
    if args.run:
        model = av.load(args.run)
    else:
        model = av.pretrain("simclr", data, epochs=args.epochs, flip=0.0)
    source = model.open(args.data, "train" if "train" in data.splits else None)
    vectors = model.embed(source)
    found, similarity = nearest(vectors, args.query, args.neighbours)
    for place, value in zip(found, similarity):
        named = f"  class {int(source.label[place])}" if source.label is not None else ""
        print(f"sample {place:5d}  similarity {value:.3f}{named}")


if __name__ == "__main__":
    main(parser.parse_args())
