"""The end of the operator's process, whatever its parts do."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, contextlib, logging
from slipway.controller.ending import end_within

async def part(takes_it):
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if takes_it:
            return

async def main():
    task = asyncio.create_task(part({takes_it}))
    await asyncio.sleep(0)
    end_within({seconds})
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

logging.basicConfig()
asyncio.run(main())
"""


def ended(*, takes_it: bool, seconds: float) -> "subprocess.CompletedProcess[str]":
    program = PROGRAM.format(takes_it=takes_it, seconds=seconds)
    argv = [sys.executable, "-c", program]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def test_a_part_that_does_not_take_its_cancellation_holds_up_no_end_and_is_named() -> None:
    late = ended(takes_it=False, seconds=0.2)
    assert late.returncode == 1
    assert "A task has not ended in 0 s" in late.stderr
    assert "in part" in late.stderr


@pytest.mark.parametrize("seconds", [60.0])
def test_parts_that_end_in_time_end_the_process_as_ever(seconds: float) -> None:
    done = ended(takes_it=True, seconds=seconds)
    assert (done.returncode, done.stderr) == (0, "")


HANGING = """
import asyncio, runpy, sys, threading
from importlib.metadata import entry_points
import slipway.__main__ as program
from slipway.controller import ending

(entry,) = entry_points(group="console_scripts", name="slipway")
sys.argv = ["slipway", "crds"]
threading.Thread(target=threading.Event().wait).start()
"""
"""A thread hangs as it does where no name server answers."""
SCRIPT = "sys.exit(entry.load()())"
MODULE = (
    "del sys.modules['slipway.__main__'], program; runpy.run_module('slipway', run_name='__main__')"
)


def hanging(*lines: str) -> "subprocess.CompletedProcess[str]":
    """Run lines beside a thread that hangs; fail where it holds up the end for two minutes."""
    argv = [sys.executable, "-c", "\n".join((HANGING, *lines))]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("begin", [SCRIPT, MODULE], ids=["slipway", "python -m slipway"])
def test_a_thread_that_waits_for_a_name_server_holds_up_no_end(begin: str) -> None:
    done = hanging(begin)
    assert (done.returncode, done.stderr) == (0, "")
    assert "trainingjobs.slipway.dev" in done.stdout
    assert "modeldeployments.slipway.dev" in done.stdout


@pytest.mark.parametrize(
    ("error", "status"), [("RuntimeError('broken')", 1), ("KeyboardInterrupt", 130)]
)
def test_such_a_thread_holds_up_no_end_by_an_error_either_which_is_told(
    error: str, status: int
) -> None:
    done = hanging("def fail(): raise " + error, "program._print_crds = fail", SCRIPT)
    assert done.returncode == status
    assert "Traceback" in done.stderr
    assert error.partition("(")[0] in done.stderr


@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("--unknown", 2)])
def test_nor_does_it_hold_up_what_the_parser_ends(argument: str, status: int) -> None:
    done = hanging(f"sys.argv[1:] = ['{argument}']", SCRIPT)
    assert done.returncode == status
    assert "usage: slipway" in done.stdout + done.stderr


POOLED = """
ending.END_SECONDS = 0.2
async def work(settings):
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    {end}
sys.exit(program._with_settings(work))
"""


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        ("return 0", 0, "A task has not ended"),
        ("return 3", 3, "A task has not ended"),
        ("raise RuntimeError('broken')", 1, "RuntimeError: broken"),
        ("raise OSError(98, 'Address already in use')", 1, "Address already in use"),
    ],
)
def test_a_thread_that_the_event_loop_waits_for_holds_up_no_end(
    end: str, status: int, told: str
) -> None:
    done = hanging(POOLED.format(end=end))
    assert done.returncode == status
    assert told in done.stderr
