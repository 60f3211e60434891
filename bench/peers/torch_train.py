"""W1, W2 and W3 on PyTorch, eager, f32: whole training steps. cases.json says what each one is.

    python torch_train.py --case w1 --threads 2 [--fused] [--data DIR]

Plain: Adam with and without foreach, the CNN in both memory formats, attention written out; the fastest counts.
--fused: the fused optimizer and scaled_dot_product_attention, the strongest eager form.
"""

import itertools
import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

import mnist
import side

ROWS = 12_800  # a multiple of both batch sizes; small enough to stay resident


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(),  # (B, 32, 26, 26)
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),  # (B, 64, 12, 12)
        nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


class Block(nn.Module):
    def __init__(self, dim, heads, context, fused):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.norm1, self.qkv, self.out = nn.LayerNorm(dim), nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.norm2, self.up, self.down = nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.register_buffer("mask", torch.full((context, context), -math.inf).triu(1))

    def attend(self, q, k, v):  # (B, H, T, D) each
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + self.mask).softmax(-1) @ v

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(self.attend(q, k, v).transpose(1, 2).reshape(B, T, C))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, fused, layers=4, dim=256, heads=4, vocabulary=256, context=128):
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, dim), nn.Embedding(context, dim)
        self.blocks = nn.Sequential(*(Block(dim, heads, context, fused) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, vocabulary, bias=False)

    def forward(self, tokens):  # (B, T)
        x = self.token(tokens) + self.position(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))  # (B, T, vocabulary)


def trainer(model, optimizer, batches):
    turn = itertools.cycle(batches)

    def step():
        x, y = next(turn)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x).flatten(0, -2), y.flatten()).backward()
        optimizer.step()

    return step


def digits(directory, batch, *shape):
    x, y = mnist.load(directory)[0]
    x, y = x[:ROWS].reshape(ROWS, *shape).clone(), y[:ROWS].clone()
    return list(zip(x.split(batch), y.split(batch)))


def variants(case, fused, directory):
    forms = {"fused": {"fused": True}} if fused else {"loop": {"foreach": False}, "foreach": {"foreach": True}}
    if case == "w1":
        batches = digits(directory, 128, 784)
        for name, form in forms.items():
            model = mlp()
            yield name, trainer(model, torch.optim.Adam(model.parameters(), 1e-3, **form), batches)
    elif case == "w2":
        batches = digits(directory, 64, 1, 28, 28)
        for memory in (torch.contiguous_format, torch.channels_last):
            model = cnn().to(memory_format=memory)
            fed = [(x.contiguous(memory_format=memory), y) for x, y in batches]
            optimizer = torch.optim.Adam(model.parameters(), 1e-3, **list(forms.values())[0])
            yield str(memory).removeprefix("torch."), trainer(model, optimizer, fed)
    else:
        tokens = torch.randint(0, 256, (8, 16, 129))
        batches = [(part[:, :-1].contiguous(), part[:, 1:].contiguous()) for part in tokens]
        for name, form in forms.items():
            model = Gpt(fused)
            yield name, trainer(model, torch.optim.AdamW(model.parameters(), 3e-4, **form), batches)


def main():
    options = side.arguments("train", data={"type": pathlib.Path, "default": mnist.DEFAULT})
    side.serve("train", options, dict(variants(options.case, options.fused, options.data)))


if __name__ == "__main__":
    main()
