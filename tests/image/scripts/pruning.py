# mypy: ignore-errors
# It runs where torch is, which has no types here.
"""Prunes and shrinks small networks, and tells what became of them, a word and a value a line."""

import copy
import json
import sys
from pathlib import Path

import torch
from torch import nn

import slipway_runtime as slipway


def tell(word, value):
    print(word, json.dumps(value), flush=True)


def zeros(model):
    return sum(int((each.weight == 0).sum()) for each in layers(model))


def layers(model):
    return [
        each
        for each in model.modules()
        if hasattr(each, "in_features") or hasattr(each, "in_channels")
    ]


def step(model, optimizer, rows, wanted):
    loss = nn.functional.mse_loss(model(rows), wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def refused(work):
    try:
        work()
    except ValueError as error:
        return str(error)
    return ""


torch.manual_seed(0)
rows, wanted = torch.randn(64, 8), torch.randn(64, 3)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
sizes = torch.cat([net[0].weight.detach().abs().flatten(), net[2].weight.detach().abs().flatten()])
least = sizes.sort().values[: round(0.8 * len(sizes))][-1]
expected = [each.weight.detach().abs() <= least for each in (net[0], net[2])]
optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=0.1)
step(copy.deepcopy(net), optimizer, rows, wanted)
names = set(net.state_dict())
parameters = [id(each) for each in net.parameters()]
with slipway.prune(net, 0.8) as same:
    tell("the-model-itself", same is net)
    tell(
        "smallest",
        all(bool(((e.weight == 0) == w).all()) for e, w in zip(layers(net), expected, strict=True)),
    )
    losses = [step(net, optimizer, rows, wanted) for _ in range(50)]
    tell("learns", losses[-1] < losses[0])
    tell("held", zeros(net) == round(0.8 * len(sizes)))
    tell(
        "twice",
        "within another slipway.prune" in refused(lambda: slipway.prune(net, 0.5).__enter__()),
    )
    path = slipway.export(net, rows[:2], folder=Path(sys.argv[1]))
    exported = torch.export.load(path).module()
    tell("exported-within", bool(torch.allclose(exported(rows), net(rows), atol=1e-5)))
tell("kept", zeros(net) == round(0.8 * len(sizes)))
tell("ordinary-names", set(net.state_dict()) == names)
tell("the-optimizers-parameters", [id(each) for each in net.parameters()] == parameters)
tell("a-layer-again", type(net[0]) is nn.Linear)
with slipway.prune(net, 0.9):
    tell("more", zeros(net) == round(0.9 * len(sizes)))
attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
with slipway.prune(attention, 0.5):
    learner = torch.optim.Adam(attention.parameters())
    texts = torch.randn(4, 5, 8)
    for _ in range(3):
        step(attention, learner, texts, texts)
tell("attention", zeros(attention) > 0)
tied = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4), "c": nn.Linear(4, 4)})
tied["b"].weight = tied["a"].weight
with slipway.prune(tied, 0.5):
    pass
tell("in-common", [int((tied[name].weight == 0).sum()) for name in "abc"] == [0, 0, 8])
try:
    with slipway.prune(net, 0.95):
        raise RuntimeError
except RuntimeError:
    tell(
        "after-an-error", set(net.state_dict()) == names and zeros(net) == round(0.95 * len(sizes))
    )
tell(
    "no-layer",
    "linear or convolutional" in refused(lambda: slipway.prune(nn.ReLU(), 0.5).__enter__()),
)


def pictures(*more):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.GELU()),
        nn.Flatten(),
        nn.Linear(256, 32),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(32, 10),
        *more,
    )


def silence(model, share):
    """Have the outputs that would go answer zero in a copy, instead of taking them away."""
    silent = copy.deepcopy(model)
    blocks = [(silent[0], silent[1]), (silent[4][0], silent[4][1]), (silent[6], None)]
    gone, inputs = torch.tensor([], dtype=torch.int64), 1
    for layer, norm in blocks:
        left = layer.weight.detach().clone()
        if len(gone):
            each = left.shape[1] // inputs
            left.view(left.shape[0], inputs, each, -1)[:, gone] = 0
        inputs = layer.weight.shape[0]
        sums = left.abs().flatten(1).sum(1)
        gone = sums.topk(int(share * inputs), largest=False).indices
        with torch.no_grad():
            for owner in (each for each in (layer, norm) if each is not None):
                owner.weight[gone] = 0
                if owner.bias is not None:
                    owner.bias[gone] = 0
    return silent


example = torch.randn(2, 1, 8, 8)
model = pictures()
for _ in range(3):
    model(torch.randn(32, 1, 8, 8))  # for batch norm's means
before = copy.deepcopy(model.state_dict())
small = slipway.shrink(model, 0.5, example)
tell(
    "smaller",
    [tuple(e.weight.shape[:2]) for e in layers(small)] == [(4, 1), (8, 4), (16, 128), (10, 16)],
)
tell(
    "told",
    (small[0].out_channels, small[4][0].in_channels, small[6].in_features, small[1].num_features)
    == (4, 4, 128, 4),
)
tell(
    "unchanged", all(torch.equal(before[name], value) for name, value in model.state_dict().items())
)
silent = silence(model, 0.5)
tell("as-if-silent", bool(torch.allclose(small.eval()(example), silent.eval()(example), atol=1e-5)))
tell("still-training", model.training)
learner = torch.optim.Adam(small.parameters())
target = torch.randn(2, 10)
small.train()
losses = [step(small, learner, example, target) for _ in range(30)]
tell("fine-tuned", losses[-1] < losses[0])
path = slipway.export(small, example, "small.pt2", folder=Path(sys.argv[1]))
tell(
    "exported",
    bool(
        torch.allclose(torch.export.load(path).module()(example), small.eval()(example), atol=1e-4)
    ),
)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.way = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 8)

    def forward(self, rows):
        return self.head(rows + self.way(rows))


around = slipway.shrink(Residual(), 0.25, rows)
tell("inside-a-shortcut", (around.way[0].out_features, around.head.in_features) == (12, 8))


class Shortcut(nn.Module):
    def __init__(self):
        super().__init__()
        self.way = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))

    def forward(self, rows):
        return self.way(rows) + self.way[0](rows)[:, 8:]


tell(
    "into-a-sequential",
    "Write it as a module" in refused(lambda: slipway.shrink(Shortcut(), 0.5, rows)),
)
one = nn.Sequential(nn.Linear(8, 1), nn.Linear(1, 3))
tell("one-stays", layers(slipway.shrink(one, 0.9, rows))[0].out_features == 1)
shared = nn.Linear(8, 8)
twice = nn.Sequential(shared, nn.ReLU(), shared)
tell("used-twice", "this one has none" in refused(lambda: slipway.shrink(twice, 0.5, rows)))
grouped = nn.Sequential(nn.Conv1d(4, 4, 1, groups=4), nn.ReLU(), nn.Conv1d(4, 2, 1))
tell(
    "groups",
    "this one has none" in refused(lambda: slipway.shrink(grouped, 0.5, torch.randn(2, 4, 5))),
)
with slipway.prune(net, 0.96):
    tell(
        "within-prune",
        "outside of slipway.prune" in refused(lambda: slipway.shrink(net, 0.5, rows)),
    )
