#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make clients: every client's journey in full, and docs/results/clients.md: which operations each of them asked for, as the access log
counted them. The table is made of records, not of what the journeys mean to do.

  tests/clients/run.py [--build DIR] [--only SUBSTRING]
"""
import argparse
import collections
import os
import platform
import re
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)
os.environ.setdefault("TILLIT_CLIENTS_MIB", "64")         # before test_core reads it
import test_core                                        # noqa: E402
import test_sdks                                        # noqa: E402
import test_tools                                       # noqa: E402
from lib.case import PYTHON, Case, Skip                 # noqa: E402
from lib.tools import BOTO3, python_with                # noqa: E402

RESULTS = os.path.join(ROOT, "docs", "results", "clients.md")


def first_line(*command):
    r = subprocess.run(command, capture_output=True, text=True)
    return (r.stdout or r.stderr).splitlines()[0]


def boto3_version(python):
    return "boto3 " + first_line(python, "-c", "import boto3; print(boto3.__version__)")


def node_version():
    import json
    with open(os.path.join(HERE, "js", "package-lock.json")) as f:
        return "@aws-sdk/client-s3 " + json.load(f)["packages"]["node_modules/@aws-sdk/client-s3"]["version"]


def minio_version():
    import json
    with open(os.path.join(HERE, "minio", "package-lock.json")) as f:
        return "minio-js " + json.load(f)["packages"]["node_modules/minio"]["version"]


# Journey, and what tells its client's version.
CLIENTS = [
    (test_sdks.test_debian_boto3_over_http, lambda: boto3_version(PYTHON)),
    (test_sdks.test_debian_boto3_over_https, lambda: boto3_version(PYTHON)),
    (test_sdks.test_current_boto3_over_http, lambda: boto3_version(python_with(BOTO3))),
    (test_sdks.test_current_boto3_over_https, lambda: boto3_version(python_with(BOTO3))),
    (test_sdks.test_javascript_sdk_over_http_and_https, node_version),
    (test_sdks.test_aws_cli_over_http_and_https, lambda: "aws cli " + re.search(r"aws-cli/(\S+)", first_line("/usr/bin/aws", "--version")).group(1)),
    (test_tools.test_curl_signs_by_itself, lambda: "curl " + first_line("curl", "--version").split()[1]),
    (test_tools.test_rclone_copies_checks_and_purges, lambda: first_line("rclone", "version").replace("-DEV", "")),
    (test_tools.test_s3cmd_puts_gets_and_deletes, lambda: first_line("s3cmd", "--version").replace("version ", "")),
    (test_tools.test_restic_backs_up_and_restores, lambda: " ".join(first_line("restic", "version").split()[:2])),
    (test_core.test_core_with_debian_boto3_over_http, lambda: boto3_version(PYTHON)),
    (test_core.test_core_with_debian_boto3_over_https, lambda: boto3_version(PYTHON)),
    (test_core.test_core_with_current_boto3_over_http, lambda: boto3_version(python_with(BOTO3))),
    (test_core.test_core_with_current_boto3_over_https, lambda: boto3_version(python_with(BOTO3))),
    (test_core.test_minio_js_over_http_and_https, minio_version),
    (test_core.test_aws_cli_in_parts_and_syncs, lambda: "aws cli " + re.search(r"aws-cli/(\S+)", first_line("/usr/bin/aws", "--version")).group(1)),
    (test_core.test_current_aws_cli_v1, lambda: "aws cli " + test_core.AWSCLI1.split("==")[1]),
    (test_core.test_rclone_in_parts_and_both_ways, lambda: first_line("rclone", "version").replace("-DEV", "")),
    (test_core.test_s3cmd_in_parts, lambda: first_line("s3cmd", "--version").replace("version ", "")),
    (test_core.test_restic_with_large_packs, lambda: " ".join(first_line("restic", "version").split()[:2])),
    (test_core.test_duplicity_backs_up_and_restores, lambda: first_line("duplicity", "--version").replace("$version", "").strip()),
    (test_core.test_s3fs_mounts, lambda: "s3fs " + re.search(r"V(\S+)", first_line("s3fs", "--version")).group(1)),
    (test_core.test_a_browser_uploads_by_presigned_url_and_form, lambda: first_line("chromium", "--version").split(" built")[0].strip()),
    (test_core.test_parquet_by_ranges_with_pyarrow, lambda: test_core.PYARROW.replace("==", " ")),
    (test_core.test_one_gibibyte, lambda: "aws cli " + re.search(r"aws-cli/(\S+)", first_line("/usr/bin/aws", "--version")).group(1)),
]


def operations(case):
    """{(tls, act): requests that were allowed} of a journey, from its store's logs."""
    seen = collections.Counter()
    for s in case.stores:
        for r in s.log_records() + s.log_records("control"):
            if r.get("act") and r.get("auth") in ("hdr", "qry", "form", "anon") and r["act"] != "ReadOpenings" and r.get("dec") == "allow":
                seen[(bool(r.get("tls")), r["act"])] += 1
    return seen


def journey(function, version, build):
    """(rows, failure): rows are {(client, transport): {act: count}}."""
    case = Case("clients-" + function.__name__, build, keep=False)
    try:
        function(case)
        seen, name = operations(case), version()
        rows = {}
        for (tls, act), n in seen.items():
            rows.setdefault((name, "https" if tls else "http"), {})[act] = n
        return rows, None
    except Skip as why:
        return {}, f"skipped: {why}"
    except BaseException:
        return {}, traceback.format_exc() + case.evidence()
    finally:
        case.close()


def write(rows):
    acts = sorted({a for counts in rows.values() for a in counts})
    columns = list(rows)
    lines = ["# Clients and operations", "",
             "Written by `make clients` (tests/clients/run.py): each client's journeys against the product build, asserted by the journeys themselves; the numbers are the",
             f"requests that the access and control logs recorded as allowed. Debian {open('/etc/debian_version').read().strip()}, {platform.machine()},",
             f"{time.strftime('%Y-%m-%d')}, Tillit {subprocess.run(['sh', os.path.join(ROOT, 'dev', 'version.sh')], capture_output=True, text=True, cwd=ROOT).stdout.strip()}.", "",
             "A dash: no journey of this client asks for it.", "",
             "| operation | " + " | ".join(f"{client}, {transport}" for client, transport in columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for act in acts:
        lines.append(f"| {act} | " + " | ".join(str(rows[c].get(act, "-")) for c in columns) + " |")
    os.makedirs(os.path.dirname(RESULTS), exist_ok=True)
    with open(RESULTS, "w") as f:
        f.write("\n".join(lines) + "\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--only", default="")
    a = p.parse_args()
    rows, failed, skipped = {}, 0, 0
    for function, version in CLIENTS:
        if a.only not in function.__name__:
            continue
        begin = time.monotonic()
        got, wrong = journey(function, version, os.path.abspath(a.build))
        for column, counts in got.items():
            have = rows.setdefault(column, collections.Counter())
            have.update(counts)
        result = "passed" if wrong is None else "skipped" if wrong.startswith("skipped") else "failed"
        failed, skipped = failed + (result == "failed"), skipped + (result == "skipped")
        print(f"{result:8} {time.monotonic() - begin:6.1f} s  {function.__name__[5:]}" + (f"  ({wrong})" if result == "skipped" else ""), flush=True)
        if result == "failed":
            print("\n".join("    " + x for x in wrong.splitlines()), flush=True)
    # A table of half of the clients would say that the others do not work.
    if not failed and not skipped and not a.only:
        write(rows)
        print(f"clients: {len(rows)} rows in docs/results/clients.md")
    else:
        print(f"clients: {failed} failed, {skipped} skipped; docs/results/clients.md is unchanged")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
