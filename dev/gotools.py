"""Programs built from the Go modules in dev/tools, once, into the cache."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev import paths
from dev.errors import DevError
from dev.shell import digest, locked, replacing, run
from dev.steps import step

FLAGS = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")
"""The linker drops debugging data (-s -w): the compiler, which ``go build`` does not tell so, needs
a quarter less time where it writes none."""
KUBERNETES_VERSION = "v1.35.4"
HELM_VERSION = "v3.20.2"
PROMETHEUS_VERSION = "v3.16.0"
_PROMETHEUS = "github.com/prometheus/prometheus"


@dataclass(frozen=True)
class Module:
    """Programs that are built alike from a pinned Go module (program -> Go package).

    ``shared`` names the folder of the go.mod, where programs of other names stand on it too: they
    have the same versions of all packages, each of which is compiled once for all of them.
    """

    name: str
    programs: dict[str, str]
    variables: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    shared: str = ""

    @property
    def source(self) -> Path:
        """The folder of its go.mod and go.sum."""
        return paths.TOOL_MODULES / (self.shared or self.name)

    @property
    def files(self) -> list[Path]:
        """What it is built from: go.mod, go.sum and, for a program of our own, its Go files."""
        own = self.source / self.name if self.shared else self.source
        return sorted([self.source / "go.mod", self.source / "go.sum", *own.glob("*.go")])

    @property
    def ldflags(self) -> str:
        """Flags for the linker: no symbol table, and the versions that programs report."""
        return " ".join(("-s -w", *(f"-X {variable}" for variable in self.variables)))

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags for ``go build``, besides those for the linker."""
        return (*FLAGS, *(("-tags", ",".join(self.tags)) if self.tags else ()))

    @property
    def folder(self) -> Path:
        """Where its programs lie, by the hash of everything that decides what they are."""
        files = [file.read_bytes() for file in self.files]
        return paths.cache() / "tools" / f"{self.name}-{digest(*files, *self.flags, self.ldflags)}"


def _kubernetes() -> Module:
    names = ("apiserver", "controller-manager", "proxy", "scheduler")
    programs = [*(f"kube-{name}" for name in names), "kubectl", "kubelet"]
    version = "k8s.io/component-base/version"
    client = "k8s.io/client-go/pkg/version"
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor}
    return Module(
        "kubernetes",
        {program: f"k8s.io/kubernetes/cmd/{program}" for program in programs},
        tuple(f"{at}.{key}={value}" for at in (version, client) for key, value in values.items()),
    )


MODULES = (
    _kubernetes(),
    Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Module(
        "helm",
        {"helm": "helm.sh/helm/v3/cmd/helm"},
        (f"helm.sh/helm/v3/internal/version.version={HELM_VERSION}",),
        shared="kubernetes",
    ),
    Module(
        "helm-unittest",
        {"helm-unittest": "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"},
    ),
    Module("kubeconform", {"kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform"}),
    Module("actionlint", {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"}),
    Module(
        "versitygw",
        {
            "slipway-store": "slipway.dev/dev/tools/versitygw",
            "versitygw": "github.com/versity/versitygw/cmd/versitygw",
        },
    ),
    Module(
        "coredns",
        {"coredns": "slipway.dev/dev/tools/kubernetes/coredns"},
        shared="kubernetes",
    ),
    Module(
        "metrics-server",
        {"metrics-server": "slipway.dev/dev/tools/kubernetes/metrics-server"},
        shared="kubernetes",
    ),
    Module(
        "local-path-provisioner",
        {"local-path-provisioner": "github.com/rancher/local-path-provisioner"},
        shared="kubernetes",
    ),
    Module(
        "prometheus",
        {name: f"{_PROMETHEUS}/cmd/{name}" for name in ("prometheus", "promtool")},
        (f"github.com/prometheus/common/version.Version={PROMETHEUS_VERSION.removeprefix('v')}",),
        ("remove_all_sd", "enable_kubernetes_sd"),
    ),
    Module("vegeta", {"vegeta": "github.com/tsenart/vegeta/v12"}),
    Module("pause", {"pause": "slipway.dev/dev/tools/pause"}),
    Module("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}),
    Module("kueue", {"kueue": "sigs.k8s.io/kueue/cmd/kueue"}),
    Module("coscheduling", {"coscheduling": "slipway.dev/dev/tools/coscheduling"}),
    Module(
        "volcano",
        {
            "vc-scheduler": "volcano.sh/volcano/cmd/scheduler",
            "vc-controller-manager": "volcano.sh/volcano/cmd/controller-manager",
        },
    ),
    Module(
        "kube-router", {"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"}
    ),
    Module(
        "dra-example-driver",
        {"dra-example-driver": "sigs.k8s.io/dra-example-driver/cmd/dra-example-kubeletplugin"},
    ),
)
CONTRACT_TESTS = ("etcd", "kube-apiserver", "kubectl")
CHART_TESTS = ("helm", "helm-unittest", "kubeconform")
SIMULATION = (*CONTRACT_TESTS, "kube-controller-manager", "kube-scheduler", "kwok")
LONG_TESTS = (
    *("kueue", "coscheduling", "vc-scheduler", "vc-controller-manager"),
    *("dra-example-driver", "kube-router"),
)
ALL = tuple(name for module in MODULES for name in module.programs if name not in LONG_TESTS)
"""All that ``make tools`` builds; what only `make test-long` needs is built by its tests."""


def path(program: str) -> Path:
    """Return where a program lies, whether it has been built or not."""
    return _module_of(program).folder / program


def unpacked(program: str, module: str) -> Path:
    """Return the files of a Go module that a program is built from, its manifests among them."""
    found = run("go", "mod", "download", "-json", module, cwd=_module_of(program).source)
    return Path(json.loads(found)["Dir"])


def ensure(programs: Iterable[str] = ALL) -> None:
    """Build what is missing of the programs; a build that is interrupted leaves nothing."""
    missing = [program for program in programs if not path(program).exists()]
    if not missing:
        return
    if not shutil.which("go"):
        raise DevError("Install Go 1.25 or later (https://go.dev/dl) and put it into PATH.")
    for program in missing:
        module = _module_of(program)
        lock = paths.cache() / "tools" / f"{module.source.name}.lock"
        with locked(lock, f"another build from dev/tools/{module.source.name}"):
            if not path(program).exists():
                _build(program)


def _module_of(program: str) -> Module:
    return next(module for module in MODULES if program in module.programs)


def _build(program: str) -> None:
    module = _module_of(program)
    where = f"dev/tools/{module.source.name}"
    with step(f"Building {program} from {where}"), replacing(path(program)) as out:
        flags = (*module.flags, "-ldflags", module.ldflags, "-o", str(out))
        package = module.programs[program]
        run("go", "build", *flags, package, cwd=module.source, env={"CGO_ENABLED": "0"})
