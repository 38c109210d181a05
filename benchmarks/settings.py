"""What both sides of a comparison have in common: batches, widths, depths."""

#: images of a batch
BATCH = {"simclr": 128, "dino": 32, "mae": 128}
#: a ViT-tiny for images of 32 pixels
VIT = {"dim": 192, "depth": 12, "patch": 4}
DINO = {"hidden_dim": 2048, "bottleneck_dim": 256, "out_dim": 2048, "local_count": 6}
MAE = {"decoder_dim": 192, "decoder_depth": 2, "decoder_heads": 4, "mask_ratio": 0.75}
#: what anyview's run is given besides
OPTIONS = {
    "simclr": {},
    "dino": {**DINO, "local_size": 16},
    "mae": MAE,
}
ENCODERS = {"simclr": "resnet18", "dino": "vit-tiny", "mae": "vit-tiny"}
