"""``python -m tests.bench``: Envoy's price on networks of two sizes, on the local cluster.

Both doors are asked from within the pod's own network, so that nothing differs but Envoy. Ends with
1 where the price of a model of usual size is above its limits; the small one shows the worst case.
"""

import argparse
import sys
from pathlib import Path

from tests.bench.price import Price, measure_price
from tests.cluster import toy
from tests.cluster.attack import Target
from tests.cluster.conftest import fresh_space
from tests.cluster.support import Space, processes_of
from tests.harness import Cluster

LEAST_RATIO = 0.95
MOST_MILLISECONDS = 1.0

NETWORKS = {
    "small": ("10 to 20 to 1: hardly anything but the serving itself", "20"),
    "usual": ("25 million parameters, as many as a ResNet-50", ",".join(["2048"] * 7)),
}
ROW = [[59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]]


def _serve(cluster: Cluster, space: Space, network: str) -> int:
    """Serve a network; returns the process of Envoy, which is in its pod's network."""
    toy.apply(space, "bench", toy.put(cluster), NETWORK=network)
    space.wait_until_ready("bench")
    (pod,) = space.pods("slipway.dev/model-deployment=bench")
    (envoy,) = filter(_is_envoy, processes_of(pod))
    return envoy


def _is_envoy(process: int) -> bool:
    """Tell whether a process runs Envoy's program; one that has ended does not."""
    try:
        return Path(f"/proc/{process}/exe").readlink().name == "envoy"
    except OSError:
        return False


def _measure(cluster: Cluster, network: str, rounds: int, seconds: float) -> Price:
    with fresh_space(cluster.kubectl, "bench") as space:
        envoy = _serve(cluster, space, network)
        bare, proxied = (
            Target(f"http://127.0.0.1:{port}/predictions/toy", ROW, network=envoy)
            for port in (8080, 8000)
        )
        return measure_price(bare, proxied, envoy, rounds, seconds)


def _is_cheap(price: Price) -> bool:
    late = price.p99_difference.median
    return price.throughput_ratio.median >= LEAST_RATIO and late <= MOST_MILLISECONDS


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), help=", ".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    chosen = parser.parse_args()
    cluster, prices = Cluster.ensure(), {}
    for name in chosen.networks:
        told, network = NETWORKS[name]
        prices[name] = _measure(cluster, network, chosen.rounds, chosen.seconds)
        print(f"{name.capitalize()} network ({told})", prices[name].table(), "", sep="\n")
    limits = f"ratio at least {LEAST_RATIO}, p99 at most {MOST_MILLISECONDS:+g} ms"
    held = {name: _is_cheap(price) for name, price in prices.items()}
    for name, cheap in held.items():
        print(f"{name}: {limits}: {'held' if cheap else 'NOT held'}.")
    return 0 if held.get("usual", all(held.values())) else 1


if __name__ == "__main__":
    sys.exit(main())
