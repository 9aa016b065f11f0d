import subprocess
import sys

# The launcher ends as soon as its process computes, for hours, in C.
PROCESS = """
import math, numba
from dvcview.run import stage_process

@numba.njit(nogil=True)
def compute(steps):
    total = 0.0
    for _ in range(steps):
        total += math.sin(total + 1)
    return total

compute(1)
import signal; signal.signal(signal.SIGTERM, lambda *_: None)
stage_process.GRACE = 1
stage_process.exit_with_parent()
print("computing", flush=True)
compute(10**13)
"""
LAUNCHER = """
import subprocess, sys
process = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
assert process.stdout.readline() == b"computing\\n"
"""


def test_a_process_that_computes_in_c_ends_with_its_launcher():
    command = [sys.executable, "-c", LAUNCHER, PROCESS]
    # This waits until the process, which has inherited stderr, has ended, too.
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "the launcher of this process has ended: the process stops"
