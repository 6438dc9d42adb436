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


THREAD = """
import runpy, sys, threading
threading.Thread(target=threading.Event().wait).start()
sys.argv = ["slipway", "crds"]
runpy.run_module("slipway", run_name="__main__")
"""


def test_a_thread_that_waits_for_a_name_server_holds_up_no_end() -> None:
    argv = [sys.executable, "-c", THREAD]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "trainingjobs.slipway.dev" in done.stdout
    assert "modeldeployments.slipway.dev" in done.stdout
