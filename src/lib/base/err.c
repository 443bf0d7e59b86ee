/* SPDX-License-Identifier: Apache-2.0
 * err: names, texts and classes of the one error enum.
 * Role: any room turns an enum err into a word for a log line or an answer.
 * Trusts: err.def, which is compiled in; a value out of range is our mistake.
 * Spec: src/lib/base/err.def
 */
#include "base/base.h"

#include <assert.h>

struct err_row {
    const char *name;
    const char *text;
    enum err_class class;
};

static const struct err_row err_rows[] = {
#define ERR(name, class, text) {#name, text, ERRC_##class},
#include "err.def"
#undef ERR
};
static_assert(ARRAY_LEN(err_rows) == ERR__COUNT, "one row for each error");

static const struct err_row *err_row(enum err e) {
    ASSERT((size_t)e < ARRAY_LEN(err_rows));
    return &err_rows[e];
}

const char *err_name(enum err e) { return err_row(e)->name; }

const char *err_text(enum err e) { return err_row(e)->text; }

enum err_class err_class(enum err e) { return err_row(e)->class; }
