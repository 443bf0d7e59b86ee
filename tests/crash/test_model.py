# SPDX-License-Identifier: Apache-2.0
"""The model of the order, in its short form (make model is the long one)."""
import os
import subprocess

from lib.case import PYTHON, ROOT, limit, program


@limit(180)
def test_order_holds_and_its_rules_are_needed(t):
    """Whatever dies and whenever, the log and the store agree; and the model notices when a rule is dropped."""
    program("spin"), program("gcc")
    r = subprocess.run([PYTHON, os.path.join(ROOT, "tests/model/run.py"), "--fast"], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    assert r.stdout.count("falls ") >= 13, r.stdout
