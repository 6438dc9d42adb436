"""The launcher's main process with a command of the test's own in torchrun's place.

``python launcher.py LOG_DIR COMMAND...`` runs `slipway_runtime.launch.run`.
"""

import os
import sys
from pathlib import Path

from slipway_runtime import launch

if __name__ == "__main__":
    settings = launch.Settings.from_environment(os.environ)
    supervisor = launch.Supervisor()
    sys.exit(launch.run(settings, supervisor, sys.argv[2:], Path(sys.argv[1])))
