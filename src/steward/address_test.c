/* SPDX-License-Identifier: Apache-2.0
 * address_test: where a webhook may be called, at each range's first and last address and one beyond.
 * Role: unit test of address.c. Spec: docs/ops/notices.md; IANA special-purpose address registries
 */
#include "base/test.h"

#include <arpa/inet.h>

#include "steward/notice.h"

static bool ok(const char *text, bool allow_private)
{
    struct sockaddr_in a4 = {.sin_family = AF_INET};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &a4.sin_addr) == 1) return address_ok((const struct sockaddr *)&a4, allow_private);
    if (inet_pton(AF_INET6, text, &a6.sin6_addr) != 1) fail_msg("%s is no address", text);
    return address_ok((const struct sockaddr *)&a6, allow_private);
}

static void check(const char *const *list, bool without, bool with)
{
    for (; *list; list++)
        if (ok(*list, false) != without || ok(*list, true) != with) fail_msg("%s: got %d and %d, want %d and %d", *list, ok(*list, false), ok(*list, true), without, with);
}

static void anyone_may_be_called(void **state)
{
    static const char *const list[] = {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
                                       "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
                                       "2001:4860:4860::8888", "2a00::1", "fbff::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", NULL};
    (void)state;
    check(list, true, true);
}

static void private_ones_when_the_administrator_says_so(void **state)
{
    static const char *const list[] = {"127.0.0.1", "127.255.255.255", "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255", "100.64.0.0",
                                       "100.127.255.255", "192.0.0.0", "192.0.0.255", "198.18.0.0", "198.19.255.255", "240.0.0.0", "255.255.255.254", "::1", "fc00::", "fdff:ffff::1",
                                       "fec0::1", "64:ff9b:1::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
                                       "2002:c0a8:101::1", NULL};
    (void)state;
    check(list, false, true);
}

static void some_never(void **state)
{
    static const char *const list[] = {"0.0.0.0", "0.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255", "224.0.0.0", "239.255.255.255", "255.255.255.255", "::", "fe80::1",
                                       "febf::1", "ff02::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::ffff:0.0.0.0", NULL};
    (void)state;
    check(list, false, false);
}

static void another_family_is_no_address(void **state)
{
    const struct sockaddr a = {.sa_family = AF_UNIX};
    (void)state;
    assert_false(address_ok(&a, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anyone_may_be_called), cmocka_unit_test(private_ones_when_the_administrator_says_so), cmocka_unit_test(some_never),
        cmocka_unit_test(another_family_is_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
