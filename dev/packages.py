"""Debian packages that the development environment is built on."""

import os
import shutil
from pathlib import Path

from dev.errors import DevError
from dev.shell import run
from dev.steps import step

CLUSTER = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "iproute2": "ip",
    "openssl": "openssl",
}
IMAGES = {"buildah": "buildah", "skopeo": "skopeo", "mmdebstrap": "mmdebstrap"}
PYTHON = {"python3-venv": ""}
TESTS = {"git": "git", "openssl": "openssl"}


def ensure(wanted: dict[str, str]) -> None:
    """Install the packages whose program is missing; needs root only if one is.

    ``wanted`` maps a package to a program (looked up in PATH and the sbin folders) or file.
    """
    missing = sorted(package for package, program in wanted.items() if not _present(program))
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise DevError(f"Install {', '.join(missing)}, or run this as root on Debian 12.")
    with step(f"Installing Debian packages: {', '.join(missing)}"):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-q", env=quiet)
        run("apt-get", "install", "-q", "-y", "--no-install-recommends", *missing, env=quiet)


def _present(program: str) -> bool:
    if not program:
        return _venv_works()
    return Path(program).exists() if "/" in program else bool(shutil.which(program))


def _venv_works() -> bool:
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False
    return True
