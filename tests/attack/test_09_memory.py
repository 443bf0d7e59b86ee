# SPDX-License-Identifier: Apache-2.0
"""Attack 9: another process of the same uid looks into the memory of gate, keeper or worker: ptrace, /proc/PID/mem, gcore."""
import os
import shutil
import subprocess

from lib.attack import attack, held, records, store
from lib.case import PYTHON, Skip, program
from lib.evilfront import Web

PROBE = r"""
import ctypes, os, subprocess, sys
pid = int(sys.argv[1])

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
def ptrace(request):
    r = libc.ptrace(request, pid, None, None)
    e = ctypes.get_errno()
    if r == 0:
        if request == 16: os.waitpid(pid, 0x40000000)
        libc.ptrace(17, pid, None, None)
    return "done" if r == 0 else os.strerror(e)
def opened(name, mode):
    try:
        with open(f"/proc/{pid}/{name}", mode) as f:
            f.read(1) if name != "mem" else None
        return "done"
    except OSError as e:
        return e.strerror
def vm_read():
    class iov(ctypes.Structure): _fields_ = [("p", ctypes.c_void_p), ("n", ctypes.c_size_t)]
    b = ctypes.create_string_buffer(16)
    l, r = iov(ctypes.addressof(b), 16), iov(0x1000, 16)
    got = libc.process_vm_readv(pid, ctypes.byref(l), 1, ctypes.byref(r), 1, 0)
    e = ctypes.get_errno()
    return "done" if got >= 0 or e == 14 else os.strerror(e)      # EFAULT: the door was open, the address empty
print("ptrace attach|" + ptrace(16))
print("ptrace seize|" + ptrace(0x4206))
print("mem|" + opened("mem", "rb"))
print("mem for writing|" + opened("mem", "r+b"))
print("environ|" + opened("environ", "rb"))
print("maps|" + opened("maps", "rb"))
print("process_vm_readv|" + vm_read())
if sys.argv[2]:
    r = subprocess.run([sys.argv[2], "-o", sys.argv[3], str(pid)], capture_output=True, text=True)
    print("gcore|" + ("done" if os.path.exists(f"{sys.argv[3]}.{pid}") else "Operation not permitted"))
"""


@attack("09", ("dumpable", "looked into the memory"))
def test_memory_is_closed_to_the_same_uid(case):
    if os.geteuid() != 0:
        raise Skip("needs root: each process has a uid of its own")
    setpriv = program("setpriv")
    gcore = shutil.which("gcore") or ""
    s = store(case)
    web = Web(s)
    web.ok("PUT", "/memory")
    web.ok("PUT", "/memory/k", body=b"hello")
    before = [r for r in records(s) if r.get("bucket") == "memory"]
    probe = case.path("probe.py", PROBE.encode())
    os.chmod(probe, 0o644)
    seen = {}
    for role in ("gate", "keeper", "worker", "nginx", "steward"):
        pid = s.pids(role)[0][0]
        with open(f"/proc/{pid}/status") as f:
            uid = [int(line.split()[1]) for line in f if line.startswith("Uid:")][0]
        assert uid != 0, f"{role} runs as root"
        out_dir = case.path(f"core-{role}")
        os.makedirs(out_dir)
        os.chown(out_dir, uid, uid)
        r = subprocess.run([setpriv, "--reuid", str(uid), "--regid", str(uid), "--clear-groups", PYTHON, probe, str(pid), gcore, os.path.join(out_dir, "core")],
                           capture_output=True, text=True, timeout=60)
        assert r.returncode == 0 and r.stdout.count("|") >= 7, r.stdout + r.stderr
        for line in r.stdout.splitlines():
            what, _, outcome = line.partition("|")
            seen[role, what] = outcome
    opened = {k: v for k, v in seen.items() if v not in ("Operation not permitted", "Permission denied")}
    held(not opened, "looked into the memory", opened)
    # The attempts left the store as it was: it serves, and the log has one record more for it and none for anything else.
    assert web.request("GET", "/memory/k").body == b"hello"
    after = [r for r in records(s) if r.get("bucket") == "memory"]
    assert len(after) == len(before) + 1 and after[-1]["act"] == "GetObject", after[len(before):]
