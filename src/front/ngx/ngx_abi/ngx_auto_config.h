/* SPDX-License-Identifier: Apache-2.0
 * What nginx' configure wrote for Debian's nginx 1.22.1, by hand, because nginx-dev ships no ngx_auto_config.h.
 * Role: gives nginx' headers the layout that the packaged binary has. NGX_HTTP_V2 and others only compile code in or out, but
 * struct layouts follow from COMPAT and friends: the module signature (ngx_module.h) must equal the binary's, which the
 * loader checks and dev/tidy.py need not.
 */
#ifndef TILLIT_NGX_AUTO_CONFIG_H
#define TILLIT_NGX_AUTO_CONFIG_H

#define NGX_COMPAT 1
#define NGX_DEBUG 1
#define NGX_OPENSSL 1
#define NGX_SSL 1
#define NGX_PCRE 1
#define NGX_PCRE2 1
#define NGX_SMP 1
#define NGX_STAT_STUB 1
#define NGX_THREADS 1
#define NGX_HTTP_CACHE 1
#define NGX_HTTP_DAV 1
#define NGX_HTTP_GZIP 1
#define NGX_HTTP_HEADERS 1
#define NGX_HTTP_REALIP 1
#define NGX_HTTP_SSI 1
#define NGX_HTTP_SSL 1
#define NGX_HTTP_UPSTREAM_ZONE 1
#define NGX_HTTP_V2 1
#define NGX_HTTP_X_FORWARDED_FOR 1
#define NGX_STREAM_UPSTREAM_ZONE 1
#define NGX_HAVE_C99_VARIADIC_MACROS 1
#define NGX_HAVE_CAPABILITIES 1
#define NGX_HAVE_DEFERRED_ACCEPT 1
#define NGX_HAVE_DLOPEN 1
#define NGX_HAVE_D_TYPE 1
#define NGX_HAVE_EPOLL 1
#define NGX_HAVE_EPOLLEXCLUSIVE 1
#define NGX_HAVE_EPOLLRDHUP 1
#define NGX_HAVE_EVENTFD 1
#define NGX_HAVE_FIONBIO 1
#define NGX_HAVE_FIONREAD 1
#define NGX_HAVE_GCC_ATOMIC 1
#define NGX_HAVE_GCC_VARIADIC_MACROS 1
#define NGX_HAVE_GMTOFF 1
#define NGX_HAVE_INET6 1
#define NGX_HAVE_KEEPALIVE_TUNABLE 1
#define NGX_HAVE_MEMALIGN 1
#define NGX_HAVE_NONALIGNED 1
#define NGX_HAVE_OPENAT 1
#define NGX_HAVE_O_DIRECT 1
#define NGX_HAVE_POSIX_FADVISE 1
#define NGX_HAVE_POSIX_MEMALIGN 1
#define NGX_HAVE_POSIX_SEM 1
#define NGX_HAVE_PREAD 1
#define NGX_HAVE_SCHED_SETAFFINITY 1
#define NGX_HAVE_SCHED_YIELD 1
#define NGX_HAVE_SENDFILE 1
#define NGX_HAVE_SENDFILE64 1
#define NGX_HAVE_SYS_EVENTFD_H 1
#define NGX_HAVE_TCP_FASTOPEN 1
#define NGX_HAVE_TRANSPARENT_PROXY 1
#define NGX_HAVE_UNIX_DOMAIN 1
#define NGX_PTR_SIZE 8
#define NGX_SIG_ATOMIC_T_SIZE 4
#define NGX_TIME_T_SIZE 8
#define NGX_MAX_OFF_T_VALUE 9223372036854775807LL

#endif
