"""The training of version 0.1.0: distil the teacher's labels into a small 3-D U-Net at 2 mm, on a CPU.

Kept as it was run, so that the weights can be understood; MODEL_CARD.md says what it reached. The graph was then
exported to ONNX, opset 17, with dynamic sides. It needs torch, numpy and
scipy, which the node itself does not. Inputs are `<head>.npz` files with x (uint8, 0..255, 256^3 conformed, 1 mm, axes
R->L, S->I, P->A) and y (uint8 labels of the teacher on the same grid).

    recipe.py SECONDS OUT.pt head.npz head.npz ...
"""
import copy
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from scipy import ndimage as ndi

SHAPE, STEP_MM, CLASSES = (80, 80, 96), 2.0, 18


def block(i, o):
    norm = lambda: nn.InstanceNorm3d(o, affine=True)
    act = lambda: nn.LeakyReLU(0.01, inplace=True)
    conv = lambda a: nn.Conv3d(a, o, 3, padding=1, bias=False)
    return nn.Sequential(conv(i), norm(), act(), conv(o), norm(), act())


class UNet(nn.Module):
    """Input (1, 1, D, H, W), z-scored over the crop, D H W multiples of 8; output logits (1, 18, D, H, W)."""

    def __init__(self, c=(12, 24, 48, 96), n=CLASSES):
        super().__init__()
        self.e = nn.ModuleList([block(1 if i == 0 else c[i - 1], c[i]) for i in range(len(c))])
        self.d = nn.ModuleList([block(c[i] + c[i + 1], c[i]) for i in range(len(c) - 1)])
        self.o = nn.Conv3d(c[0], n, 1)

    def forward(self, x):
        skips = []
        for i, e in enumerate(self.e):
            x = e(F.max_pool3d(x, 2) if i else x)
            skips.append(x)
        for i in range(len(self.d) - 1, -1, -1):
            x = self.d[i](torch.cat([skips[i], F.interpolate(x, scale_factor=2, mode="nearest")], 1))
        return self.o(x)


def head_labels(x, y):
    """0 air, 1..17 structures, 18..22 the rest of the head by brightness: the ground for synthetic contrast."""
    z = y.astype("u1").copy()
    out = ndi.binary_fill_holes(ndi.binary_closing(x > 0.06, iterations=2)) & (y == 0)
    z[out] = 18 + np.digitize(x[out], np.quantile(x[out], [0.2, 0.4, 0.6, 0.85])).astype("u1")
    return z


def sample(head, rng):
    """One augmented crop: affine, elastic, mirror, synthetic contrast, skull-strip, gamma, bias, thick slices, noise."""
    x0, y0, h0, idx = head
    noise = lambda s, n=3: F.interpolate(torch.from_numpy(rng.normal(0, s, (1, 1, n, n, n)).astype("f4")), size=SHAPE, mode="trilinear")
    pts = np.array(np.unravel_index(idx, (256,) * 3))
    c = (pts.min(1) + pts.max(1)) / 2 + rng.normal(0, 8, 3)
    (a, b, g), (ca, cb, cg) = (np.sin(t := rng.normal(0, 0.2, 3)), np.cos(t))
    r = np.array([[1, 0, 0], [0, ca, -a], [0, a, ca]]) @ np.array([[cb, 0, b], [0, 1, 0], [-b, 0, cb]]) @ np.array([[cg, -g, 0], [g, cg, 0], [0, 0, 1]])
    m = r @ np.diag(STEP_MM * rng.uniform(0.82, 1.2, 3))
    if rng.random() < 0.5:
        m[:, 0] *= -1
    grid = np.stack(np.meshgrid(*[np.arange(n) - n / 2 + 0.5 for n in SHAPE], indexing="ij"), -1) @ m.T + c
    s = rng.uniform(0, 4)
    warp = torch.stack([noise(s, 5)[0, 0] for _ in range(3)], -1)
    grid = ((torch.from_numpy(grid.astype("f4")) + warp) / 127.5 - 1)[..., [2, 1, 0]][None]
    y = F.grid_sample(y0, grid, mode="nearest", align_corners=True)[0, 0].long()
    if rng.random() < 0.35:
        h = F.grid_sample(h0, grid, mode="nearest", align_corners=True).long()
        mean, sd = rng.uniform(0.1, 1, 23), rng.uniform(0.01, 0.08, 23)
        if rng.random() < 0.7:
            mean[5], mean[6], mean[[4, 11, 12]] = mean[1], mean[2], mean[3]
        mean[0] = rng.uniform(0, 0.05)
        x = torch.from_numpy(mean.astype("f4"))[h] + torch.from_numpy(sd.astype("f4"))[h] * torch.randn(h.shape)
        x = F.avg_pool3d(x, 3, 1, 1)
    else:
        x = F.grid_sample(x0, grid, align_corners=True)
    if rng.random() < 0.15:
        x = x * F.max_pool3d((y > 0).float()[None, None], 7, 1, 3)
    x = x.clamp(0, 1.5) ** np.exp(rng.normal(0, 0.3)) * noise(0.25).exp()
    if rng.random() < 0.3:
        k = [1, 1, 1]
        k[rng.integers(3)] = 2
        x = F.interpolate(F.avg_pool3d(x, k), size=SHAPE, mode="trilinear")
    x = x + torch.randn_like(x) * rng.uniform(0, 0.05)
    return (x - x.mean()) / (x.std() + 1e-3), y


def main(seconds, out, *files):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    heads, count = [], np.zeros(CLASSES)
    for f in files:
        v = np.load(f)
        x, y = v["x"].astype("f4") / 255, v["y"]
        t = lambda a: torch.from_numpy(a.astype("f4"))[None, None]
        heads.append((t(x), t(y), t(head_labels(x, y)), np.flatnonzero(y.ravel())[::97]))
        count += np.bincount(y.ravel(), minlength=CLASSES)
    weight = torch.from_numpy((1 / np.sqrt(count / count[2])).clip(0.3, 8).astype("f4"))
    net = UNet()
    ema, opt = copy.deepcopy(net), torch.optim.AdamW(net.parameters(), 4e-3, weight_decay=1e-4)
    start, it = time.time(), 0
    while (done := (time.time() - start) / seconds) < 1:
        for g in opt.param_groups:
            g["lr"] = 4e-3 * min(1, it / 50) * (1 - done) ** 0.9 + 1e-5
        x, y = sample(heads[rng.integers(len(heads))], rng)
        with torch.autocast("cpu", torch.bfloat16):
            z = net(x)
        z = z.float()
        p, hot = z.softmax(1)[0], F.one_hot(y, CLASSES).permute(3, 0, 1, 2).float()
        dice = 1 - (2 * (p * hot).sum((1, 2, 3)) + 1) / (p.sum((1, 2, 3)) + hot.sum((1, 2, 3)) + 1)
        loss = F.cross_entropy(z, y[None], weight=weight) + dice[hot.sum((1, 2, 3)) > 20].mean()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        opt.step()
        it += 1
        with torch.no_grad():
            for a, b in zip(ema.parameters(), net.parameters()):
                a.lerp_(b, 1 - min(0.995, (it + 1) / (it + 20)))
    torch.save(ema.state_dict(), out)


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
