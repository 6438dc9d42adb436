"""Takes SECONDS to end after SIGTERM."""

import os
import signal
import sys
import time
from pathlib import Path

folder = Path(os.environ["SLIPWAY_OUTPUT_DIR"])


def stop(*_: object) -> None:
    (folder / "told").touch()
    time.sleep(float(os.environ["SECONDS"]))
    (folder / "ended").touch()
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
(folder / "up").touch()
while True:
    time.sleep(0.1)
