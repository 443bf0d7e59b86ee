#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of status.py, test_all.py's reading of results, and gen_wire_md.py."""
import unittest

import gen_wire_md
import status
import test_all

PROMISES = "# comment\nP1.01\t\tfirst\twhole\nP1.02\tleap\tsecond\tpart: no x\nP1.03\t\tthird\t-\n"


def test_of(row, result):
    return {"name": f"t {row}", "row": [row], "result": result}


class Status(unittest.TestCase):
    def state(self, number, tests):
        return status.state(status.read_promises(PROMISES)[number], tests)

    def test_a_claim_without_a_test_is_not_kept(self):
        self.assertEqual(self.state(0, [])[0], "not yet")
        self.assertEqual(self.state(0, [test_of("P1.01", "skipped")])[0], "not yet")

    def test_a_claim_with_passing_tests_is_kept(self):
        self.assertEqual(self.state(0, [test_of("P1.01", "passed"), test_of("P1.01", "skipped")]), ("kept", ""))

    def test_one_failure_among_many_is_failing(self):
        self.assertEqual(self.state(0, [test_of("P1.01", "passed"), test_of("P1.01", "failed")])[0], "failing")

    def test_a_part_is_named(self):
        self.assertEqual(self.state(1, [test_of("P1.02", "passed")]), ("in part", "no x"))

    def test_a_test_without_a_claim_counts_for_nothing(self):
        self.assertEqual(self.state(2, [test_of("P1.03", "passed")])[0], "not yet")

    def test_a_claim_of_another_form_is_an_error(self):
        with self.assertRaises(ValueError):
            status.read_promises("P1.01\t\tfirst\tmostly\n")

    def test_the_table_goes_between_the_markers(self):
        text = status.readme_with(f"a\n{status.BEGIN}\nold\n{status.END}\nb\n", f"{status.BEGIN}\nnew\n{status.END}")
        self.assertEqual(text, f"a\n{status.BEGIN}\nnew\n{status.END}\nb\n")
        with self.assertRaises(ValueError):
            status.readme_with("nothing", "x")

    def test_every_row_of_the_tree_reads(self):
        rows = status.read_promises(status.PROMISES.read_text())
        self.assertEqual(len({row["id"] for row in rows}), len(rows))


class Tap(unittest.TestCase):
    def test_cases_are_read_with_their_result(self):
        cases, planned = test_all.parse_tap("1..3\nok 1 - a\nnot ok 2 - b\n# why\nok 3 - c # SKIP\n")
        self.assertEqual(cases, [("a", "passed"), ("b", "failed"), ("c", "skipped")])
        self.assertEqual(planned, 3)

    def run_shell(self, script):
        return test_all.run_cmocka({"name": "t", "cmd": ["sh", "-c", script], "env": {}})

    def test_a_crash_in_the_middle_is_a_failure(self):
        found = self.run_shell("echo 1..2; echo ok 1 - a; kill -SEGV $$")
        self.assertEqual([result for _, result, _ in found], ["passed", "failed"])

    def test_a_bad_exit_code_with_good_cases_is_a_failure(self):
        found = self.run_shell("echo 1..1; echo ok 1 - a; exit 3")
        self.assertEqual([result for _, result, _ in found], ["passed", "failed"])

    def test_silence_is_a_failure(self):
        self.assertEqual([result for _, result, _ in self.run_shell("exit 0")], ["failed"])


class WirePage(unittest.TestCase):
    def test_every_message_and_field_of_the_table_is_on_the_page(self):
        table, page = (gen_wire_md.ROOT / "src/lib/wire/wire.def").read_text(), gen_wire_md.page()
        messages = [line for line in table.splitlines() if line.startswith("MSG(")]
        fields = [line for line in table.splitlines() if line.startswith("    ") and "(" in line]
        self.assertEqual(page.count("\n### "), len(messages))
        tables = page.count("| --- | --- | --- |")
        rows = sum(line.startswith("| ") for line in page.splitlines()) - 2 * tables - 4  # the frame's own four fields
        self.assertEqual(rows, len(fields))


if __name__ == "__main__":
    unittest.main()
