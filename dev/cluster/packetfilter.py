"""Removing the packet filter rules that kube-proxy and kubelet leave behind."""

from dev.shell import run, succeeds

PREFIX = "KUBE-"


def clean() -> list[str]:
    """Remove every chain named KUBE-* and the rules that lead to them; return what was done."""
    done = []
    for family in ("iptables", "ip6tables"):
        for table in ("filter", "mangle", "nat"):
            count = _clean_table(family, table)
            if count:
                done.append(f"{count} {family} chains ({table})")
    return done


def _clean_table(family: str, table: str) -> int:
    if not succeeds(f"{family}-save", "-t", table):
        return 0
    lines = run(f"{family}-save", "-t", table).splitlines()
    chains = [line[1:].split()[0] for line in lines if line.startswith(f":{PREFIX}")]
    leading = [
        line.replace("-A", "-D", 1)
        for line in lines
        if line.startswith("-A ") and f" {PREFIX}" in line and not line.startswith(f"-A {PREFIX}")
    ]
    if not chains:
        return 0
    script = [f"*{table}", *(f":{chain} - [0:0]" for chain in chains), *leading]
    # Naming a chain flushes it, so that no chain refers to another when they are deleted.
    script += [*(f"-X {chain}" for chain in chains), "COMMIT", ""]
    run(f"{family}-restore", "--noflush", stdin="\n".join(script))
    return len(chains)
