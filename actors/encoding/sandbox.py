"""Shut the encoder process in before it looks at a stranger's file.

Limits on CPU, memory, files and threads; no privileges, now or later; death with the parent; and a
system call filter that leaves what computing and one open socket need: no new socket, no program,
no file opened by name, no other process touched. Anything not listed fails with EPERM.
Each part that the system refuses is left out and told in a note: a container without the right to
change user still gets the filter. seccomp: Linux on x86-64 and AArch64; elsewhere the limits
remain.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

NOBODY = 65_534
OPEN_FILES = 16  # the three standard ones, socket and source; libraries hold a few more at start

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1

# linux/filter.h, linux/seccomp.h
LOAD_WORD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
EPERM, ENOSYS = 1, 38
OFFSET_NUMBER, OFFSET_ARCHITECTURE, OFFSET_FIRST_ARGUMENT = 0, 4, 16
CLONE_THREAD = 0x00010000


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """System call numbers, from the kernel's tables."""

    audit_id: int
    seccomp: int
    clone: int
    clone3: int
    prlimit64: int
    allowed: frozenset[int]


# In this order: read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask
# rt_sigreturn pread64 readv writev ppoll pselect6 sched_yield mremap madvise nanosleep
# clock_nanosleep getpid sendto recvfrom exit exit_group uname fcntl gettimeofday clock_gettime
# clock_getres gettid futex sched_getaffinity set_robust_list rseq getrandom membarrier sigaltstack
# restart_syscall sysinfo getcpu newfstatat statx
X86_64 = Architecture(
    audit_id=0xC000003E,
    seccomp=317,
    clone=56,
    clone3=435,
    prlimit64=302,
    allowed=frozenset(
        {0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 17, 19, 20, 271, 270, 24, 25, 28, 35, 230}
        | {39, 44, 45, 60, 231, 63, 72, 96, 228, 229, 186, 202, 204, 273, 334, 318, 324, 131}
        | {219, 99, 309, 262, 332}
        # Only here, from before the p- and generic forms: poll select getrlimit time
        | {7, 23, 97, 201}
    ),
)
AARCH64 = Architecture(
    audit_id=0xC00000B7,
    seccomp=277,
    clone=220,
    clone3=435,
    prlimit64=261,
    allowed=frozenset(
        {63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 67, 65, 66, 73, 72, 124, 216, 233}
        | {101, 115, 172, 206, 207, 93, 94, 160, 25, 169, 113, 114, 178, 98, 123, 99, 293, 278}
        | {283, 132, 128, 179, 168, 79, 291}
    ),
)
ARCHITECTURES = {"x86_64": X86_64, "aarch64": AARCH64}


def enter(*, cpu_seconds: int, memory_bytes: int, parent_pid: int) -> tuple[str, ...]:
    """Shut this process in; return a note for each part that is missing.

    Import first: nothing can be opened by name afterwards. Exits if the parent is gone already.
    """
    limits = {
        "RLIMIT_CPU": cpu_seconds,
        "RLIMIT_AS": memory_bytes,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
    }
    parts: list[tuple[str, Callable[[], None]]] = [
        (name, partial(_limit, name, value)) for name, value in limits.items()
    ]
    parts.append(("user nobody", _become_nobody))
    if sys.platform == "linux":
        # A change of user clears the death signal, so it comes after; the filter forbids prctl.
        parts += [
            ("not dumpable", partial(_prctl, PR_SET_DUMPABLE, 0)),
            ("parent death signal", partial(_prctl, PR_SET_PDEATHSIG, signal.SIGKILL)),
            ("no new privileges", partial(_prctl, PR_SET_NO_NEW_PRIVS, 1)),
        ]
    notes = tuple(_notes(parts))
    if os.getppid() != parent_pid:
        os._exit(os.EX_TEMPFAIL)  # it died before it could be asked to take us along
    return notes + tuple(_notes([("system call filter", _filter_system_calls)]))


def forbid_new_threads() -> tuple[str, ...]:
    """Call when all threads run: from now on not even those can be started."""
    return tuple(_notes([("RLIMIT_NPROC", lambda: _limit("RLIMIT_NPROC", 0))]))


def _notes(parts: list[tuple[str, Callable[[], None]]]) -> Iterator[str]:
    for name, apply in parts:
        try:
            apply()
        except (OSError, ValueError, NotImplementedError) as error:
            yield f"{name}: {error}"


def _limit(name: str, value: int) -> None:
    kind = getattr(resource, name, None)
    if kind is None:
        raise NotImplementedError("not known to this system")
    _soft, hard = resource.getrlimit(kind)
    wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (wanted, wanted))


def _become_nobody() -> None:
    if os.geteuid() != 0:
        return
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _prctl(option: int, argument: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(argument), zero, zero, zero):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _filter_system_calls() -> None:
    architecture = ARCHITECTURES.get(platform.machine()) if sys.platform == "linux" else None
    if architecture is None:
        raise NotImplementedError(f"none for {sys.platform} on {platform.machine()}")
    program = filter_program(architecture)
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, padded to the pointer behind it.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(
        ctypes.c_long(architecture.seccomp),
        ctypes.c_ulong(SECCOMP_SET_MODE_FILTER),
        ctypes.c_ulong(SECCOMP_FILTER_FLAG_TSYNC),
        ctypes.create_string_buffer(header, len(header)),
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def filter_program(architecture: Architecture) -> bytes:
    """Assemble the BPF program: allowed calls, threads but no processes, own limits, EPERM."""
    first_argument = _instruction(LOAD_WORD, 0, 0, OFFSET_FIRST_ARGUMENT)
    allow = _instruction(RETURN, 0, 0, ALLOW)
    refuse = _instruction(RETURN, 0, 0, ERRNO | EPERM)
    code = [
        _instruction(LOAD_WORD, 0, 0, OFFSET_ARCHITECTURE),
        _instruction(JUMP_EQUAL, 1, 0, architecture.audit_id),
        _instruction(RETURN, 0, 0, KILL_PROCESS),
        _instruction(LOAD_WORD, 0, 0, OFFSET_NUMBER),
    ]
    for number in sorted(architecture.allowed):
        code += [_instruction(JUMP_EQUAL, 0, 1, number), allow]
    # clone3 keeps its flags in memory, where a filter cannot look: libc falls back to clone.
    code += [
        _instruction(JUMP_EQUAL, 0, 1, architecture.clone3),
        _instruction(RETURN, 0, 0, ERRNO | ENOSYS),
        _instruction(JUMP_EQUAL, 0, 4, architecture.clone),
        first_argument,
        _instruction(JUMP_ANY_BIT, 0, 1, CLONE_THREAD),
        allow,
        refuse,
        _instruction(JUMP_EQUAL, 0, 3, architecture.prlimit64),
        first_argument,
        _instruction(JUMP_EQUAL, 0, 1, 0),  # process 0 is oneself
        allow,
        refuse,
    ]
    return b"".join(code)


def _instruction(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
