"""``python -m tests.bench.sealing``: fetches of an encrypted archive beside those of a plain one.

An archive is fetched by the program of the server pod from a local store, plain and encrypted in
turns. Ends with 1 if the encrypted one takes more than 1.3 times as long, in the median over pairs.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dev import gotools
from slipway_pods.store import manifest
from slipway_pods.trust import keyset, sealing
from tests.bench.price import Spread
from tests.bench.transfer import Cost, Programs, today, write_random
from tests.harness.s3 import S3Server
from tests.unit.runtime.trust import keysets

MOST_RATIO = 1.3
PLACE = "team/net/uid/1/net-1.0.mar"
URI = "s3://slipway/models/team/net"
MODULE = "slipway_pods.serve.fetch"


def archives(folder: Path, size: int) -> dict[str, Path]:
    """Make an archive of random bytes, and the same encrypted."""
    made = {name: folder / "archives" / name for name in ("plain", "encrypted")}
    made["plain"].parent.mkdir()
    write_random(made["plain"], size)
    primary, *_ = keyset.read(folder / "keyset.json", "the keyset")
    with made["plain"].open("rb") as plain, made["encrypted"].open("wb") as sealed:
        sealing.seal(plain, sealed, primary, PLACE.encode())
    return made


def fetch(programs: Programs, name: str, sha256: str, folder: Path) -> Cost:
    """Fetch an archive that lies in the store by its name, and remove the copy."""
    dest = folder / "fetched.mar"
    opened = ("--keyset", str(folder / "keyset.json"), f"--associated-data={PLACE}")
    cost = programs.run(
        MODULE,
        *("--uri", f"{URI}/{name}", "--sha256", sha256, "--dest", str(dest)),
        *(opened if name == "encrypted" else ()),
    )
    dest.unlink()
    return cost


def measure(size: int, turns: int, folder: Path) -> Mapping[str, list[Cost]]:
    """Return what each fetch took, of the plain and of the encrypted archive."""
    gotools.ensure(["slipway-store"])
    (folder / "keyset.json").write_text(keysets.KEYSET)
    server, made = S3Server(folder / "s3"), archives(folder, size)
    digests = {name: manifest.digest(path) for name, path in made.items()}
    server.start()
    try:
        programs = today("today", server, folder / "secret")
        programs.run(programs.upload, str(folder / "archives"), URI)
        taken: dict[str, list[Cost]] = {name: [] for name in digests}
        for number in range(turns):
            for name in sorted(digests, reverse=number % 2 == 1):
                taken[name].append(fetch(programs, name, digests[name], folder))
        return taken
    finally:
        server.stop()


def ratio(taken: Mapping[str, list[Cost]], figure: str) -> Spread:
    """Return a figure of the encrypted archive as a multiple of the plain one's."""
    pairs = zip(taken["encrypted"], taken["plain"], strict=True)
    return Spread.of(getattr(one, figure) / getattr(other, figure) for one, other in pairs)


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sealing", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=6)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-sealing-") as folder:
        taken = measure(chosen.megabytes * 1_000_000, chosen.turns, Path(folder))
    for figure in ("seconds", "processor"):
        print(f"{figure}: {ratio(taken, figure).text('.3f')} of a plain archive's")
    return 0 if ratio(taken, "seconds").median <= MOST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
