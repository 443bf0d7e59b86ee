#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make conformance S3TESTS=DIR: ceph/s3-tests, a checkout of which stays outside, against a store of our own in the test profile, over http and https.

Accounts A to E and their keys are made by owners' statements, the IAM user of account B by IAM calls, as any customer would make them. A stage passes
when its share of passed ids is at its bar in both passes; docs/results/conformance.md names each id that failed, what we answered, what AWS answers
and what would mend it (tests/s3/suite/known.tsv).

  tests/s3/conformance.py --suite DIR [--build DIR] [--stage core]... [--only SUBSTRING] [--transport http|https] [--no-results]
"""
import argparse
import collections
import csv
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as tree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
from lib import statement                               # noqa: E402
from lib.case import Case                               # noqa: E402
from lib.tools import once, run                         # noqa: E402
from lib.case import PYTHON                             # noqa: E402

COMMIT = "8f0ae7b"
BARS = {"core": 0.95, "policy": 0.90, "post": 0.80}      # share of ids that must pass
PROFILE = "\n[s3]\nanonymous_tenant = acme\n[s3-tests]\non = yes\n"
RESULTS = os.path.join(ROOT, "docs", "results", "conformance.md")
SUITE = os.path.join(HERE, "suite")

CONFIG = """[DEFAULT]
host = 127.0.0.1
port = {port}
is_secure = {secure}
ssl_verify = False

[fixtures]
bucket prefix = tillit-{{random}}-
iam name prefix = s3-tests-
iam path prefix = /s3-tests/

[s3 main]
display_name = {A[name]}
user_id = {A[id]}
email = main@example.com
api_name = {region}
access_key = {A[key]}
secret_key = {A[secret]}
lc_debug_interval = 10

[s3 alt]
display_name = {B[name]}
user_id = {B[id]}
email = alt@example.com
access_key = {user[key]}
secret_key = {user[secret]}

[s3 tenant]
display_name = {C[name]}
user_id = {C[id]}
email = tenant@example.com
tenant = testx
access_key = {C[key]}
secret_key = {C[secret]}

[iam]
display_name = {B[name]}
user_id = {B[id]}
email = iam@example.com
access_key = {B[key]}
secret_key = {B[secret]}

[iam root]
user_id = {D[account]}
email = account1@example.com
access_key = {D[key]}
secret_key = {D[secret]}

[iam alt root]
user_id = {E[account]}
email = account2@example.com
access_key = {E[key]}
secret_key = {E[secret]}
"""


def suite_python():
    def make(path):
        run(PYTHON, "-m", "venv", os.path.join(path, "v"))
        run(os.path.join(path, "v", "bin", "pip"), "install", "-q", "--disable-pip-version-check", "-r", os.path.join(SUITE, "requirements.txt"))
    stamp = str(int(os.path.getmtime(os.path.join(SUITE, "requirements.txt"))))
    return os.path.join(once("py-s3-tests-" + stamp, make), "v", "bin", "python")


def ids():
    """{stage: [node id]}"""
    stages = collections.defaultdict(list)
    with open(os.path.join(SUITE, "ids.tsv")) as f:
        for row in csv.DictReader((line for line in f if not line.startswith("#")), delimiter="\t"):
            stages[row["stage"]].append(row["node_id"])
    return stages


def known():
    with open(os.path.join(SUITE, "known.tsv")) as f:
        return {r["test"]: r for r in csv.DictReader((x for x in f if not x.startswith("#")), delimiter="\t")}


# -- accounts ---------------------------------------------------------------------------------------------------------------------------

def client(store, service, key, secret, region=None):
    import boto3
    from botocore.config import Config
    return boto3.client(service, endpoint_url=store.endpoints["s3"], region_name=region or store.info["region"], aws_access_key_id=key,
                        aws_secret_access_key=secret, config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))


def make_account(store, number):
    a = statement.say(store, "key.add", subject=number)
    key, secret = a["access_key_id"], a["secret_access_key"]
    owner = client(store, "s3", key, secret).list_buckets()["Owner"]
    return {"account": number, "key": key, "secret": secret, "id": owner["ID"], "name": owner.get("DisplayName", number)}


def make_accounts(store):
    accounts = {k: make_account(store, n) for k, n in zip("ABCDE", ("100000000001", "100000000002", "100000000003", "111122223333", "444455556666"))}
    iam = client(store, "iam", accounts["B"]["key"], accounts["B"]["secret"])
    name = accounts["B"]["id"]
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="administrator", PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}')
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {**accounts, "user": {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}}


# -- one pass ---------------------------------------------------------------------------------------------------------------------------

def run_stage(python, suite, conf, nodes, out, seconds):
    listed = out + ".ids"
    with open(listed, "w") as f:
        f.write("\n".join(nodes) + "\n")
    # Its hooks print and wait; nothing of that is wanted. The proxy of this machine, if there is one, is not for a loopback.
    env = {**os.environ, "S3TEST_CONF": conf, "NO_PROXY": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
    try:
        r = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--junitxml=" + out, "@" + listed], cwd=suite, env=env,
                           capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return {n: ("failed", f"not over after {seconds} s") for n in nodes}
    if not os.path.exists(out):
        raise AssertionError(f"pytest gave no result:\n{r.stdout[-3000:]}\n{r.stderr[-3000:]}")
    return read_result(out, nodes)


def read_result(path, nodes):
    """{node id: (passed|failed|skipped, what it said)}"""
    found = {n: ("failed", "was not run") for n in nodes}
    for case in tree.parse(path).iter("testcase"):
        node = case.get("classname").replace(".", "/") + ".py::" + case.get("name")
        state, text = "passed", ""
        for kind in ("failure", "error", "skipped"):
            e = case.find(kind)
            if e is not None:
                state = "skipped" if kind == "skipped" else "failed"
                text = " ".join((e.get("message") or e.text or "").split())[:300]
        if node in found:
            found[node] = (state, text)
    return found


def one_pass(args, case, secure, stages, python):
    store = case.store(config=PROFILE)
    conf = case.path("s3tests-" + ("https" if secure else "http") + ".conf")
    port = store.endpoints["s3_tls" if secure else "s3"].rsplit(":", 1)[1].strip("/")
    with open(conf, "w") as f:
        f.write(CONFIG.format(port=port, secure=secure, region=store.info["region"], **make_accounts(store)))
    found = {}
    for stage, nodes in stages.items():
        begun = time.monotonic()
        found[stage] = run_stage(python, args.suite, conf, nodes, case.path(f"{stage}.xml"), args.seconds)
        passed = sum(1 for s, _ in found[stage].values() if s == "passed")
        print(f"{'https' if secure else 'http ':5} {stage:10} {passed:4} of {len(nodes):4} passed, {time.monotonic() - begun:.0f} s", flush=True)
    store.stop()
    return found


def write_results(passes, notes):
    lines = ["# Conformance: ceph/s3-tests", "", f"Made by `make conformance S3TESTS=DIR` with the suite at commit {COMMIT} (its code stays outside), in the test profile, "
             f"{time.strftime('%Y-%m-%d')}. The ids of each stage stand in tests/s3/suite/ids.tsv; the causes in known.tsv beside it.", "",
             "| stage | bar | " + " | ".join(passes) + " |", "| --- | --- |" + " --- |" * len(passes)]
    for stage in next(iter(passes.values())):
        cells = []
        for p in passes.values():
            n = sum(1 for s, _ in p[stage].values() if s == "passed")
            cells.append(f"{n} of {len(p[stage])} ({100 * n / len(p[stage]):.1f} %)")
        lines.append(f"| {stage} | {BARS[stage] * 100:.0f} % | " + " | ".join(cells) + " |" if stage in BARS else f"| {stage} | no bar yet | " + " | ".join(cells) + " |")
    lines += ["", "## Failed ids", "", "| test | over | our answer | cause | AWS | what would mend it |", "| --- | --- | --- | --- | --- | --- |"]
    failed = collections.OrderedDict()
    for transport, p in passes.items():
        for stage in p.values():
            for node, (state, text) in stage.items():
                if state != "passed":
                    failed.setdefault(node.split("::")[1], []).append((transport, text))
    for test, where in failed.items():
        n = notes.get(test, {})
        said = where[0][1].replace("|", "\\|")
        lines.append(f"| {test} | {', '.join(t for t, _ in where)} | {said} | {n.get('cause', 'not yet looked into')} | {n.get('aws', '')} | {n.get('mend', '')} |")
    with open(RESULTS, "w") as f:
        f.write("\n".join(lines) + "\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--suite", required=True)
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--stage", action="append")
    p.add_argument("--only")
    p.add_argument("--transport", choices=("http", "https"))
    p.add_argument("--seconds", type=int, default=1800, help="longest time for one stage")
    p.add_argument("--no-results", action="store_true")
    p.add_argument("--keep", action="store_true")
    args = p.parse_args()
    if not os.path.exists(os.path.join(args.suite, "s3tests", "functional", "test_s3.py")):
        sys.exit(f"conformance: {args.suite} is no checkout of ceph/s3-tests: git clone https://github.com/ceph/s3-tests DIR && git -C DIR checkout {COMMIT}, then "
                 "make conformance S3TESTS=DIR")
    every = ids()
    stages = {s: [n for n in every[s] if not args.only or args.only in n] for s in args.stage or BARS}
    python, passes = suite_python(), {}
    case = Case("conformance", args.build, keep=args.keep)
    try:
        for transport in ("http", "https"):
            if args.transport in (None, transport):
                passes[transport] = one_pass(args, case, transport == "https", stages, python)
    finally:
        case.close()
    partly = args.only or args.stage or args.transport or args.no_results
    if not partly:
        write_results(passes, known())
    below = [f"{t} {s}" for t, p in passes.items() for s, found in p.items()
             if s in BARS and sum(1 for x, _ in found.values() if x == "passed") < BARS[s] * len(found)]
    if partly:
        for t, p in passes.items():
            for found in p.values():
                for node, (state, text) in found.items():
                    if state != "passed":
                        print(f"  {t} {node.split('::')[1]}: {state} {text}")
    print("conformance: " + ("every stage is at its bar" if not below else "below the bar: " + ", ".join(below)))
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
