# SPDX-License-Identifier: Apache-2.0
"""A wall clock that is wrong by some seconds, for one start of a store: a library before libc's clock_gettime. Monotonic time stays true."""
import os
import subprocess

from lib.case import program

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *ts) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    const char *s = getenv("CLOCK_OFF_S");
    int r = real(id, ts);
    if (s && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) ts->tv_sec += atol(s);
    return r;
}
"""


def start_off_by(s, seconds, wait=True):
    """Starts s with its wall clock off by seconds. The command line (doctor, log) keeps the true one."""
    shim, faked, tools = s.case.path("clock.so"), s.case.path(f"faked{seconds}"), s.build
    if not os.path.exists(shim):
        subprocess.run([program("cc"), "-shared", "-fPIC", "-o", shim, s.case.path("clock.c", SHIM.encode()), "-ldl"], check=True)
        os.chmod(shim, 0o755)
    os.makedirs(faked, exist_ok=True)
    with open(os.path.join(faked, "tillit"), "w") as f:
        f.write(f'#!/bin/sh\nLD_PRELOAD={shim} CLOCK_OFF_S={seconds} exec {tools}/tillit "$@"\n')
    os.chmod(os.path.join(faked, "tillit"), 0o755)
    s.build = faked
    try:
        return s.start(wait=wait)
    finally:
        s.build = tools
