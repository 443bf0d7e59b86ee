#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tidy.py: every rule finds a bad sample and leaves a good one alone."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import tidy

ROOMS = """# a comment
base src/lib/base :
loop src/lib/loop : base
calc src/lib/calc : base pure
gate src/gate : base loop
tools src/tools : base loop
verify src/tools/verify : base
"""
GOOD_C = """/* SPDX-License-Identifier: Apache-2.0
 * x: does one thing.
 * Role: somewhere.
 * Distrusts: input.
 * Spec: RFC 1
 */
#include "base/base.h"

int x_add(int a, int b) { return a + b; }
"""


class TidyCase(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tillit-tidy-"))
        self.addCleanup(shutil.rmtree, self.root)
        self.write("src/rooms.txt", ROOMS)
        self.write("src/lib/base/base.h", "/* SPDX-License-Identifier: Apache-2.0 */\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run_check(self, check, *more):
        found = tidy.Tidy(self.root)
        check(found, *more)
        return found

    def found(self, check, *more):
        return "\n".join(self.run_check(check, *more).findings)


class Rooms(TidyCase):
    def test_an_allowed_include_passes(self):
        self.write("src/gate/x.c", '#include "loop/loop.h"\n#include "gate/x.h"\n#include <stdio.h>\n#include "near.def"\n')
        self.assertEqual(self.found(tidy.check_rooms), "")

    def test_a_forbidden_include_is_found_with_its_line(self):
        self.write("src/lib/loop/x.c", '\n#include "gate/gate.h"\n')
        self.assertIn("src/lib/loop/x.c:2: rooms: loop may not include gate", self.found(tidy.check_rooms))

    def test_an_include_in_a_comment_is_none(self):
        self.write("src/lib/loop/x.c", '/*\n#include "gate/gate.h"\n*/\n')
        self.assertEqual(self.found(tidy.check_rooms), "")

    def test_a_folder_that_is_no_room_is_found(self):
        self.write("src/lib/other/x.c", "")
        self.assertIn("this folder is no room", self.found(tidy.check_rooms))

    def test_the_verifier_has_narrower_arrows_than_the_tools_beside_it(self):
        self.write("src/tools/verify_log.c", '#include "loop/loop.h"\n')
        self.write("src/tools/admin.c", '#include "loop/loop.h"\n')
        self.assertEqual(self.found(tidy.check_rooms).count("may not include"), 1)

    def test_a_forbidden_link_is_found(self):
        self.write("src/lib/loop/meson.build", "x = static_library('x', dependencies: [lib_base_dep])\n")
        self.assertEqual(self.found(tidy.check_rooms), "")
        self.write("src/lib/loop/meson.build", "x = static_library('x', dependencies: [lib_gate_dep])\n")
        self.assertIn("loop may not link gate", self.found(tidy.check_rooms))

    def test_an_arrow_to_no_room_is_an_error(self):
        self.write("src/rooms.txt", "base src/lib/base : nowhere\n")
        with self.assertRaises(ValueError):
            self.run_check(tidy.check_rooms)


class Banned(TidyCase):
    def test_a_banned_call_is_found_with_its_replacement(self):
        self.write("src/gate/x.c", "void f(char *p) { strcpy (p, q); }\n")
        self.assertIn("strcpy: use buf_put_str", self.found(tidy.check_banned))

    def test_names_that_only_contain_one_and_comments_and_strings_pass(self):
        self.write("src/gate/x.c", 'int my_system(void); /* system() */ char *s = "gets()"; int n = ops->rand(1) + snprintf(a, b, c);\n')
        self.assertEqual(self.found(tidy.check_banned), "")

    def test_memcmp_on_a_secret_is_found(self):
        self.write("src/gate/x.c", "bool f(void) { return memcmp(secret, other, 32) == 0; }\n")
        self.assertIn("use ct_equal", self.found(tidy.check_banned))
        self.write("src/gate/x.c", "bool f(void) { return memcmp(name, other, 32) == 0; }\n")
        self.assertEqual(self.found(tidy.check_banned), "")


class Lengths(TidyCase):
    def body(self, lines, comment=""):
        return f"int long_one(int a){comment} {{\n" + "    a++;\n" * lines + "    return a;\n}\n"

    def test_a_function_of_seventy_lines_passes_and_one_more_is_found(self):
        self.write("src/gate/x.c", self.body(67))
        self.assertEqual(self.found(tidy.check_lengths), "")
        self.write("src/gate/x.c", self.body(68))
        self.assertIn("long_one has 71 lines", self.found(tidy.check_lengths))

    def test_a_reason_on_the_first_line_lets_it_pass(self):
        self.write("src/gate/x.c", self.body(100, " /* long: one table */"))
        self.assertEqual(self.found(tidy.check_lengths), "")

    def test_braces_in_strings_macros_structs_and_inner_blocks_do_not_confuse(self):
        text = ('#define M(x) \\\n    if (x) {\nstruct s { int a; };\nstatic const char *t = "}{";\n'
                "__attribute__((noinline)) static int\nsecond(struct s *p, int (*f)(int))\n{\n    if (p) { p->a = '}'; }\n    return 0;\n}\n")
        self.assertEqual([name for name, _, _ in tidy.functions(text)], ["second"])

    def test_functions_in_extern_c_are_seen(self):
        self.assertEqual([f[0] for f in tidy.functions('extern "C" {\nint a(void) { return 1; }\n}\nint b(void) { return 2; }\n')], ["a", "b"])

    def test_a_file_of_600_lines_passes_and_one_more_is_found(self):
        self.write("src/gate/x.c", "\n" * 600)
        self.assertEqual(self.found(tidy.check_lengths), "")
        self.write("src/gate/x.c", "\n" * 601)
        self.assertIn("601 lines", self.found(tidy.check_lengths))


class Headers(TidyCase):
    def test_a_good_header_passes(self):
        self.write("src/gate/x.c", GOOD_C)
        self.assertEqual(self.found(tidy.check_headers), "")

    def test_each_missing_line_is_found(self):
        for gone, told in (("SPDX-License-Identifier", "SPDX"), ("Role:", "no Role:"), ("Distrusts:", "no Trusts:"), ("Spec:", "no Spec:")):
            self.write("src/gate/x.c", GOOD_C.replace(gone, "x"))
            self.assertIn(told, self.found(tidy.check_headers))

    def test_tests_need_only_the_licence(self):
        self.write("src/gate/x_test.c", "/* SPDX-License-Identifier: Apache-2.0 */\n")
        self.assertEqual(self.found(tidy.check_headers), "")


class Laws(TidyCase):
    def all_laws(self):
        return " ".join(f"LAW-{n}" for n in tidy.LAWS)

    def test_every_law_with_site_and_test_passes(self):
        self.write("src/gate/x.c", f"/* {self.all_laws()} */")
        self.write("tests/attack/test_1.py", f"# {self.all_laws()}")
        self.assertEqual(self.found(tidy.check_laws, True), "")

    def test_a_site_in_a_test_is_no_site(self):
        self.write("src/gate/x_test.c", f"/* {self.all_laws()} */")
        self.assertIn("LAW-3 has no site", self.found(tidy.check_laws, True))
        self.assertNotIn("has no test", self.found(tidy.check_laws, True))

    def test_without_strict_they_are_notes(self):
        found = self.run_check(tidy.check_laws, False)
        self.assertEqual(found.findings, [])
        self.assertEqual(len(found.warnings), 2 * len(tidy.LAWS))


class Rest(TidyCase):
    def test_two_names_with_one_magic_are_found(self):
        self.write("src/gate/a.c", "#define A_MAGIC 0x1234u\n")
        self.write("src/gate/b.c", "#define B_MAGIC 0x1235u\n")
        self.assertEqual(self.found(tidy.check_magics), "")
        self.write("src/gate/b.c", "#define B_MAGIC 0x1234\n")
        self.assertIn("B_MAGIC has the value of A_MAGIC", self.found(tidy.check_magics))

    def test_a_domain_word_in_base_is_found_and_limits_may_have_them(self):
        self.write("src/lib/base/limits.h", "#define TENANTS_MAX 1 /* tenant */\n")
        self.write("src/gate/x.c", "int tenant;\n")
        self.assertEqual(self.found(tidy.check_base_words), "")
        self.write("src/lib/base/x.c", "int tenant;\n")
        self.assertIn("'tenant' is a word of the domain", self.found(tidy.check_base_words))

    def test_links_to_what_is_not_there_are_found(self):
        self.write("docs/a.md", "[b](b.md#part) [web](https://example.org/x) `src/rooms.txt` `src/*.c`\n")
        self.write("docs/b.md", "")
        self.assertEqual(self.found(tidy.check_documents), "")
        self.write("docs/a.md", "[c](c.md) `dev/nothing.py`\n")
        self.assertEqual(self.found(tidy.check_documents).count("is not there"), 2)

    def test_a_path_of_one_machine_is_found(self):
        self.write("README.md", "see /home" + "/someone/tillit\n")
        self.assertIn("names one machine", self.found(tidy.check_machine_paths))
        self.write("README.md", "see /var/lib/tillit and $HOME/x and ~/home/x\n")
        self.assertEqual(self.found(tidy.check_machine_paths), "")

    def archive(self, body):
        source = self.write("build/src/lib/calc/calc.c", body + "\n")
        made = source.with_suffix(".o")
        subprocess.run(["gcc", "-O0", "-c", str(source), "-o", str(made)], check=True)
        archive = source.parent / "libcalc.a"
        archive.unlink(missing_ok=True)
        subprocess.run(["ar", "rc", str(archive), str(made)], check=True)
        return tidy.read_rooms(self.root / "src/rooms.txt"), self.root / "build"

    @unittest.skipUnless(shutil.which("gcc") and shutil.which("nm"), "needs gcc and nm")
    def test_an_external_symbol_without_the_rooms_name_is_found(self):
        self.assertEqual(self.found(tidy.check_symbols, *self.archive("int calc_add(int a) { return a; }\nstatic int x = 1;\nint *calc_x = &x;")), "")
        self.assertIn("add does not begin with calc_", self.found(tidy.check_symbols, *self.archive("int add(int a) { return a; }")))

    @unittest.skipUnless(shutil.which("gcc") and shutil.which("nm"), "needs gcc and nm")
    def test_an_impure_archive_is_found(self):
        for body, told in (("int calc(int a) { return a + 1; }", False), ("#include <stdlib.h>\nvoid *calc(void) { return getenv(\"A\"); }", True)):
            found = self.found(tidy.check_purity, *self.archive(body))
            self.assertEqual("calls getenv" in found, told)


if __name__ == "__main__":
    unittest.main()
