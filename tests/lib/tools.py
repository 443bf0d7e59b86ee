# SPDX-License-Identifier: Apache-2.0
"""Programs that tests use and Debian does not have: made once below the build directory, every version pinned."""
import fcntl
import os
import shutil
import subprocess

from lib.case import PYTHON, ROOT, Skip, go_at_least, program

CACHE = os.environ.get("TILLIT_TEST_TOOLS", os.path.join(ROOT, "build-test", "tools"))
BOTO3 = "boto3==1.43.67"


def once(name, make):
    """make(directory) the first time; a finished directory carries a mark, so that a broken off download starts again."""
    path = os.path.join(CACHE, name)
    os.makedirs(CACHE, exist_ok=True)
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(path, ".made")):
            shutil.rmtree(path, ignore_errors=True)
            os.makedirs(path)
            make(path)
            open(os.path.join(path, ".made"), "w").close()
    return path


def run(*args, **kw):
    r = subprocess.run(args, capture_output=True, text=True, timeout=600, **kw)
    if r.returncode:
        raise AssertionError(f"{' '.join(args)}: exit {r.returncode}\n{r.stdout[-3000:]}\n{r.stderr[-3000:]}")
    return r.stdout


def python_with(*packages):
    """A python of a venv with these pinned packages."""
    def make(path):
        run(PYTHON, "-m", "venv", os.path.join(path, "v"))
        run(os.path.join(path, "v", "bin", "pip"), "install", "-q", "--disable-pip-version-check", *packages)
    return os.path.join(once("py-" + "-".join(p.replace("==", "") for p in packages), make), "v", "bin", "python")


def node_with(folder):
    """A directory with node_modules from folder/package-lock.json and folder's scripts."""
    program("node")

    def make(path):
        for name in os.listdir(folder):
            shutil.copy(os.path.join(folder, name), path)
        run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=path)
    stamp = str(int(max(os.path.getmtime(os.path.join(folder, n)) for n in os.listdir(folder))))
    return once("node-" + os.path.basename(os.path.dirname(folder)) + "-" + os.path.basename(folder) + "-" + stamp, make)


def go_build(folder, minor, name):
    """Builds the Go program in folder (its go.sum pins everything); needs go >= 1.minor."""
    go = go_at_least(minor)

    def make(path):
        env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0", "PATH": os.path.dirname(go) + ":" + os.environ["PATH"]}
        for f in os.listdir(folder):
            shutil.copy(os.path.join(folder, f), path)
        run(go, "build", "-o", os.path.join(path, name), ".", cwd=path, env=env)
    stamp = str(int(max(os.path.getmtime(os.path.join(folder, n)) for n in os.listdir(folder))))
    return os.path.join(once("go-" + name + "-" + stamp, make), name)
