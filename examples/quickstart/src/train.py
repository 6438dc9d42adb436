"""The quickstart's training: scikit-learn's diabetes data, data-parallel on all processes.

442 patients with 10 features each; the target is the disease's progression after a year. A fifth of
the patients is held out, and the explained variance (R squared) on them is reported. The training
stops at a loss threshold or at the last epoch, whichever comes first.
"""

import argparse
import json
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from model import DiabetesNet
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

import slipway_runtime as slipway

SEED = 42


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60, help="stop here at the latest")
    parser.add_argument("--loss-threshold", type=float, default=0.47, help="or at this mean loss")
    parser.add_argument("--learning-rate", type=float, default=0.002)
    parser.add_argument("--batch-size", type=int, default=32, help="rows a process takes at a time")
    parser.add_argument(
        "--seconds-per-epoch", type=float, default=0.0, help="shortest time an epoch may take"
    )
    return parser.parse_args()


def load_data() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return training features (353, 10) and targets (353,), and the held-out ones (89)."""
    features, targets = load_diabetes(return_X_y=True, scaled=False)
    split = train_test_split(features, targets, test_size=0.2, random_state=SEED)
    train_x, test_x, train_y, test_y = (torch.tensor(part, dtype=torch.float32) for part in split)
    return train_x, train_y, test_x, test_y


def build_model(features: torch.Tensor, targets: torch.Tensor) -> DiabetesNet:
    """Return a fresh model that scales by the training data's mean and standard deviation."""
    torch.manual_seed(SEED)
    model = DiabetesNet()
    model.feature_mean.copy_(features.mean(0))
    model.feature_scale.copy_(features.std(0))
    model.target_mean.copy_(targets.mean())
    model.target_scale.copy_(targets.std())
    return model


def train_epoch(
    model: DistributedDataParallel, loader: DataLoader, optimiser: torch.optim.Optimizer
) -> float:
    """Go once through this process' share of the data; return the mean loss over all processes.

    The loss is the mean squared error in units of the targets' variance: 1 is what a model has that
    always answers the mean.
    """
    scale, loss_of = model.module.target_scale, nn.MSELoss()
    total = torch.zeros(2, device=scale.device)
    for features, targets in loader:
        features, targets = features.to(scale.device), targets.to(scale.device)
        optimiser.zero_grad()
        loss = loss_of(model(features) / scale, targets / scale)
        loss.backward()
        optimiser.step()
        total += torch.tensor([loss.item() * len(targets), len(targets)], device=scale.device)
    dist.all_reduce(total)
    return float(total[0] / total[1])


def train(
    model: DistributedDataParallel, data: TensorDataset, arguments: argparse.Namespace
) -> tuple[int, float]:
    """Train until the loss threshold or the last epoch; return the epochs taken and the loss."""
    sampler = DistributedSampler(data, shuffle=True, seed=SEED)
    loader = DataLoader(data, batch_size=arguments.batch_size, sampler=sampler)
    optimiser = torch.optim.SGD(model.parameters(), lr=arguments.learning_rate, momentum=0.9)
    for epoch in range(1, arguments.epochs + 1):
        started = time.monotonic()
        sampler.set_epoch(epoch)
        loss = train_epoch(model, loader, optimiser)
        slipway.report(epoch, total=arguments.epochs, epoch=epoch, loss=loss)
        if dist.get_rank() == 0:
            print(f"epoch {epoch:3d} of {arguments.epochs}: loss {loss:.4f}")
        if loss <= arguments.loss_threshold:
            break
        time.sleep(max(0.0, arguments.seconds_per_epoch - (time.monotonic() - started)))
    return epoch, loss


def evaluate(model: DiabetesNet, features: torch.Tensor, targets: torch.Tensor) -> float:
    """Return R squared on held-out patients: 1 is perfect, 0 is no better than the mean."""
    with torch.inference_mode():
        predictions = model(features.to(model.target_mean.device)).cpu().numpy()
    return float(r2_score(targets.numpy(), predictions))


def save(model: DiabetesNet, samples: torch.Tensor, folder: Path) -> None:
    """Write the weights, and a sample request with the trained model's own answer to it."""
    model = model.cpu()
    torch.save(model.state_dict(), folder / "model.pt")
    request = samples.tolist()
    with torch.inference_mode():
        response = model(torch.tensor(request)).tolist()
    sample = {"request": request, "response": response}
    (folder / "sample.json").write_text(json.dumps(sample, indent=2) + "\n")


def main() -> None:
    arguments = parse_arguments()
    world = slipway.init()
    train_x, train_y, test_x, test_y = load_data()
    model = DistributedDataParallel(build_model(train_x, train_y).to(world.device))
    epoch, loss = train(model, TensorDataset(train_x, train_y), arguments)
    if world.is_main:
        r2 = evaluate(model.module, test_x, test_y)
        slipway.report(epoch, total=epoch, epoch=epoch, loss=loss, r2=r2)
        why = "loss threshold" if loss <= arguments.loss_threshold else "last epoch"
        print(f"stopped at the {why}: epoch {epoch}, loss {loss:.4f}, held-out R2 {r2:.3f}")
        save(model.module, test_x[:3], Path(os.environ.get("SLIPWAY_OUTPUT_DIR", ".")))


if __name__ == "__main__":
    main()
