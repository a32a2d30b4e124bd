"""What the shut-in process cannot do, each tried for real in a process of its own."""

import json
import os
import platform
import signal
import subprocess
import sys
import textwrap

import pytest

from veza.actors.encoding.sandbox import AARCH64, X86_64, filter_program

FILTERED = sys.platform == "linux" and platform.machine() in {"x86_64", "aarch64"}
pytestmark = pytest.mark.skipif(not FILTERED, reason="no system call filter for this machine")

PRELUDE = """
import ctypes, json, os, signal, socket, subprocess, sys, threading
from veza.actors.encoding import sandbox
libc = ctypes.CDLL(None, use_errno=True)
pair = socket.socketpair()
def attempt(action):
    try:
        return repr(action())
    except BaseException as error:
        return type(error).__name__ + ":" + str(getattr(error, "errno", ""))
notes = sandbox.enter(cpu_seconds={cpu}, memory_bytes={memory}, parent_pid={parent})
"""


def shut_in(script, *, cpu=20, memory=2**30, parent=None):
    """Run `script` in the sandbox; give its returned JSON, or the signal that ended it."""
    prelude = PRELUDE.format(cpu=cpu, memory=memory, parent=parent or os.getpid())
    done = subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(script)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        return done.returncode
    return json.loads(done.stdout)


def test_no_part_of_it_is_missing_here():
    assert shut_in("print(json.dumps(notes))") == []


@pytest.mark.parametrize(
    "action",
    [
        "lambda: socket.socket()",
        "lambda: socket.socketpair()",
        "lambda: pair[0].bind('/tmp/x')",
        "lambda: pair[0].connect('/tmp/x')",
        "lambda: pair[0].listen()",
        "lambda: os.execv('/bin/true', ['true'])",
        "lambda: os.fork()",
        "lambda: open('/etc/hostname')",
        "lambda: open('/tmp/sandbox-test', 'w')",
        "lambda: os.open('.', os.O_RDONLY)",
        "lambda: os.mkdir('/tmp/sandbox-test')",
        "lambda: os.unlink('/tmp/sandbox-test')",
        "lambda: os.kill(os.getpid(), 0)",
        "lambda: os.pipe()",
        "lambda: os.memfd_create('x')",
        "lambda: os.setuid(0)",
        "lambda: os.chroot('/')",
    ],
)
def test_the_filter_refuses(action):
    assert shut_in(f"print(json.dumps(attempt({action})))") in {
        "PermissionError:1",
        "OSError:1",
    }


def test_ptrace_and_processes_by_bare_system_calls_are_refused():
    numbers = {"x86_64": (101, 57, 425, 321), "aarch64": (117, 220, 425, 280)}[platform.machine()]
    # ptrace, fork (or clone without CLONE_THREAD), io_uring_setup, bpf
    script = f"""
    out = []
    for number in {numbers}:
        ctypes.set_errno(0)
        out.append([libc.syscall(number, 0, 0, 0, 0), ctypes.get_errno()])
    print(json.dumps(out))
    """
    assert shut_in(script) == [[-1, 1]] * 4


def test_threads_run_until_they_are_forbidden():
    script = """
    def start():
        threads = [threading.Thread(target=int) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        return len(threads)
    before = attempt(start)
    notes = sandbox.forbid_new_threads()
    print(json.dumps([before, notes, attempt(start)]))
    """
    before, notes, after = shut_in(script)
    assert (before, notes) == ("3", [])
    assert after.startswith("RuntimeError")


def test_limits_cannot_be_raised_again():
    script = """
    import resource
    lift = lambda: resource.setrlimit(resource.RLIMIT_CPU, (999, 999))
    print(json.dumps([attempt(lift), resource.getrlimit(resource.RLIMIT_CPU)]))
    """
    outcome, limit = shut_in(script)
    assert outcome.startswith(("ValueError", "PermissionError"))
    assert limit == [20, 20]


def test_memory_has_an_end():
    script = "print(json.dumps(attempt(lambda: len(bytearray(2**30)))))"
    assert shut_in(script, memory=400 * 2**20).startswith("MemoryError")


def test_cpu_time_has_an_end():
    assert shut_in("while True: pass", cpu=1) in {-signal.SIGXCPU, -signal.SIGKILL}


def test_a_process_whose_parent_is_gone_already_ends():
    assert shut_in("print('here')", parent=2**22 + 1) == os.EX_TEMPFAIL


def test_the_filter_knows_both_architectures():
    for architecture in (X86_64, AARCH64):
        program = filter_program(architecture)
        assert len(program) % 8 == 0
        assert architecture.audit_id.to_bytes(4, "little") in program
        assert not {architecture.clone, architecture.clone3} & architecture.allowed
