"""A method in a loop of your own: it is a plain module, and needs no trainer.

python examples/custom_loop.py [STEPS]
"""

import sys

import torch

import anyview as av
from anyview.data.loader import Loader
from anyview.methods.contrastive.simclr import SimCLR
from anyview.modalities import modality


def main(steps: int = 200) -> None:
    torch.manual_seed(0)
    data, image = av.open("digits"), modality("image")
    encoder = image.encoder("convnet-s", data.spec)
    method = SimCLR(encoder, image.views["two_views"](data.spec, flip=0.0), temperature=0.5)
    optimizer = torch.optim.AdamW(method.parameters(), lr=1e-3)
    batches = Loader(data.train, batch_size=128, seed=0)

    for step in range(steps):
        method.progress = step / steps  # schedules of the method, such as a teacher's momentum, follow this
        views = method.views(next(batches).without_label())
        loss = method.loss(**method(views))  # a method may return named terms instead: then add them up
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        method.after_step()
        if step % 20 == 0:
            print(f"step {step:4d}  loss {loss.item():.3f}")

    model = av.Model(encoder, image, data.spec)
    print("embeddings of the test images:", model.embed(data, split="test").shape)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
