"""Tells its arguments and the folder that it runs in, and writes beside its own files."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

Path("lightning_logs/version_0").mkdir(parents=True, exist_ok=True)
told = {"args": sys.argv[1:], "here": str(Path.cwd()), "beside": import_module("beside").WORD}
Path(os.environ["SLIPWAY_OUTPUT_DIR"], "told.json").write_text(json.dumps(told))
