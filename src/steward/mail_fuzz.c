/* SPDX-License-Identifier: Apache-2.0
 * mail_fuzz: any bytes as an event: nothing in it begins a line, a header or an id of its own.
 * Role: fuzz target of mail.c. Spec: docs/ops/notices.md
 */
#include <string.h>

#include "steward/notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct mail m;
    mail_init(&m);
    if (mail_write(slice_of(p, n), SLICE_LIT("a@example.org"), &m) == ERR_OK) {
        ASSERT(slice_is_utf8(buf_slice(&m.subject)) && slice_is_utf8(buf_slice(&m.text)) && slice_is_utf8(buf_slice(&m.event)));
        for (size_t i = 0; i < m.subject.n; i++) ASSERT(m.subject.p[i] >= 0x20 && m.subject.p[i] != 0x7f);
        for (size_t i = 0; i < m.text.n; i++) ASSERT((m.text.p[i] >= 0x20 && m.text.p[i] != 0x7f) || m.text.p[i] == '\n');
        for (const char *c = m.message_id; *c; c++) ASSERT(*c > 0x20 && *c < 0x7f);
        ASSERT(strlen(m.message_id) < sizeof m.message_id - 1 && strchr(m.message_id + 1, '<') == NULL);
    }
    mail_done(&m);
    return 0;
}
