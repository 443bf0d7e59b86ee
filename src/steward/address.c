/* SPDX-License-Identifier: Apache-2.0
 * address: where a webhook may be called.
 * Role: send.c asks with the address that a socket is about to be connected to: after the name was resolved, so that a name that answers
 *       differently the second time (DNS rebinding) gains nothing, and for each address of a name.
 * Distrusts: the tenant who chose the target: it must not reach what only this machine or this network can (cloud metadata at
 *       169.254.169.254, administration pages, databases on loopback), neither directly nor through an address that carries another one.
 * Spec: docs/ops/notices.md; IANA special-purpose address registries
 */
#include "steward/notice.h"

enum reach { EVERYWHERE, PRIVATE, NOWHERE };       /* anyone may be called; with allow_private; never */

struct range4 {
    uint8_t at[4];
    unsigned bits;
    enum reach reach;
};
static const struct range4 ranges4[] = {
    {{0, 0, 0, 0}, 8, NOWHERE},                    /* "this host": 0.0.0.0 reaches loopback */
    {{169, 254, 0, 0}, 16, NOWHERE},               /* link-local: cloud metadata */
    {{224, 0, 0, 0}, 4, NOWHERE},                  /* multicast */
    {{255, 255, 255, 255}, 32, NOWHERE},
    {{127, 0, 0, 0}, 8, PRIVATE},
    {{10, 0, 0, 0}, 8, PRIVATE},
    {{172, 16, 0, 0}, 12, PRIVATE},
    {{192, 168, 0, 0}, 16, PRIVATE},
    {{100, 64, 0, 0}, 10, PRIVATE},                /* shared by a carrier; some clouds' metadata */
    {{192, 0, 0, 0}, 24, PRIVATE},
    {{198, 18, 0, 0}, 15, PRIVATE},                /* benchmarks */
    {{240, 0, 0, 0}, 4, PRIVATE},
};
struct range6 {
    uint8_t at[16];
    unsigned bits;
    enum reach reach;
};
static const struct range6 ranges6[] = {
    {{0xfe, 0x80}, 10, NOWHERE},                   /* link-local */
    {{0xff}, 8, NOWHERE},                          /* multicast */
    {{0}, 128, NOWHERE},                           /* :: reaches loopback */
    {{[15] = 1}, 128, PRIVATE},                    /* ::1 */
    {{0xfc}, 7, PRIVATE},
    {{0xfe, 0xc0}, 10, PRIVATE},                   /* site-local of old */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, PRIVATE},    /* a network's own translation to IPv4 */
};
/* Addresses that carry an IPv4 address: what holds for that one holds for them. */
static const struct {
    uint8_t at[12];
    unsigned bits, offset;
} carriers[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, 12},          /* ::ffff:a.b.c.d */
    {{0}, 96, 12},                                 /* ::a.b.c.d */
    {{[8] = 0xff, [9] = 0xff}, 96, 12},            /* ::ffff:0:a.b.c.d */
    {{0, 0x64, 0xff, 0x9b}, 96, 12},               /* 64:ff9b::a.b.c.d, NAT64 */
    {{0x20, 0x02}, 16, 2},                         /* 6to4 */
};

static bool within(const uint8_t *a, const uint8_t *range, unsigned bits)
{
    if (memcmp(a, range, bits / 8) != 0) return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((a[bits / 8] ^ range[bits / 8]) >> (8 - rest)) == 0;
}

static enum reach reach4(const uint8_t a[4])
{
    for (size_t i = 0; i < ARRAY_LEN(ranges4); i++)
        if (within(a, ranges4[i].at, ranges4[i].bits)) return ranges4[i].reach;
    return EVERYWHERE;
}

static enum reach reach6(const uint8_t a[16])
{
    for (size_t i = 0; i < ARRAY_LEN(ranges6); i++)
        if (within(a, ranges6[i].at, ranges6[i].bits)) return ranges6[i].reach;
    for (size_t i = 0; i < ARRAY_LEN(carriers); i++)
        if (within(a, carriers[i].at, carriers[i].bits)) return reach4(a + carriers[i].offset);
    return EVERYWHERE;
}

bool address_ok(const struct sockaddr *a, bool allow_private)
{
    enum reach r = NOWHERE;
    if (a->sa_family == AF_INET) r = reach4((const uint8_t *)&((const struct sockaddr_in *)(const void *)a)->sin_addr);
    else if (a->sa_family == AF_INET6) r = reach6((const uint8_t *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
    return r == EVERYWHERE || (r == PRIVATE && allow_private);
}
