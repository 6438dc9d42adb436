"""The launcher's main process with a command of the test's own in torchrun's place.

``python launcher.py LOG_DIR COMMAND...`` runs `slipway_runtime.launcher.launch.run`.
"""

import os
import sys
from pathlib import Path

from slipway_runtime.launcher import launch, run_settings

if __name__ == "__main__":
    settings = run_settings.Settings.from_environment(os.environ)
    supervisor = launch.Supervisor(settings.grace_seconds)
    sys.exit(launch.run(settings, supervisor, sys.argv[2:], Path(sys.argv[1])))
