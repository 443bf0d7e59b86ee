/* SPDX-License-Identifier: Apache-2.0
 * tillit: one command line for administrators, owners and officers.
 * Role: finds the command; each command is a file of its own.
 * Trusts: who runs it. Law: 6 (it signs with keys its user holds; it has no door of its own into a store).
 * Spec: docs/spec/dir.md, docs/spec/statement.md
 */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "tillit: a store that records every access before it happens\n"
    "\n"
    "  tillit init DIR --tenant NAME [--json]      make a store with one tenant\n"
    "  tillit serve DIR [--s3-port N] [--s3-tls-port N] [--api-port N]\n"
    "                                              run it in the foreground\n"
    "  tillit tenant create DIR --tenant NAME      add a tenant (an officer's key signs)\n"
    "  tillit account create DIR                   give an account of the tenant a root access key (the owner's key signs)\n"
    "  tillit user create|list|delete DIR ...      users of an account, by IAM's calls\n"
    "  tillit log query|follow|export DIR ...      the record of every access, opened\n"
    "  tillit undelete DIR BUCKET KEY              bring back what was deleted or replaced\n"
    "  tillit person|purpose set|off|list ...      the provider's people and purposes (an officer's key signs)\n"
    "  tillit approver|quorum|rule|category|origin|recovery|notice|agree ...\n"
    "                                              the customer's side (approvers' keys sign)\n"
    "  tillit access request|list|show|approve|login|watch|revoke ...\n"
    "                                              access by the provider's people, under signatures\n"
    "  tillit say KIND ...                         any other statement\n"
    "  tillit who-can --bucket B --key K           who could read an object now, and why\n"
    "  tillit doctor DIR                           what is on, what is wrong, what to do\n"
    "\n"
    "Every command takes --help and --json. Exit codes: 0 done, 1 refused, 2 usage, 3 cannot reach, 4 internal.\n";

int options_read(int argc, char **argv, const struct option *o, size_t n, const char **positional, int positional_max, const char *text)
{
    int have = 0;
    for (int i = 0; i < argc; i++) {
        size_t k = 0;
        if (strcmp(argv[i], "--help") == 0) {
            fputs(text, stdout);
            return -2;
        }
        if (strncmp(argv[i], "--", 2) != 0) {
            if (have == positional_max) goto mistake;
            positional[have++] = argv[i];
            continue;
        }
        while (k < n && strcmp(argv[i], o[k].name) != 0) k++;
        if (k == n) goto mistake;
        if (o[k].flag) *o[k].flag = true;
        else if (i + 1 < argc) *o[k].value = argv[++i];
        else goto mistake;
    }
    return have;
mistake:
    fputs(text, stderr);
    return -1;
}

enum err file_read(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? ERR_MISSING : ERR_IO;
    ssize_t n = -1;
    for (uint8_t *at; (at = buf_room(out, MIN((size_t)65536, out->max - out->n))) && (n = read(fd, at, MIN((size_t)65536, out->max - out->n))) > 0;)
        out->n += (size_t)n;
    close(fd);
    return n == 0 ? ERR_OK : n < 0 ? ERR_IO : ERR_LIMIT;
}

enum err file_write(const char *path, struct slice text, unsigned mode)
{
    char tmp[TOOLS_PATH_MAX + 8];
    snprintf(tmp, sizeof tmp, "%s.new", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) return ERR_IO;
    bool ok = write(fd, text.p, text.n) == (ssize_t)text.n && fchmod(fd, mode) == 0 && fdatasync(fd) == 0;
    ok = close(fd) == 0 && ok;
    return ok && rename(tmp, path) == 0 ? ERR_OK : ERR_IO;
}

void random_bytes(void *out, size_t n)
{
    int ok = RAND_bytes(out, (int)n);
    ASSERT(ok == 1);
}

static int cmd_serve(int argc, char **argv)
{
    static char self[TOOLS_PATH_MAX], path[TOOLS_PATH_MAX + 32];
    (void)argc;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return EXIT_INTERNAL;
    self[n] = 0;
    snprintf(path, sizeof path, "%s/tillit-serve", dirname(self));
    argv[-1] = path;
    execv(path, argv - 1);
    fprintf(stderr, "tillit serve: %s: %s; build Tillit again (`make`)\n", path, strerror(errno));
    return EXIT_INTERNAL;
}

int main(int argc, char **argv)
{
    static const struct { const char *name; int (*run)(int, char **); } commands[] = {
        {"init", cmd_init}, {"serve", cmd_serve}, {"tenant", cmd_tenant}, {"account", cmd_account}, {"user", cmd_user},
        {"log", cmd_log}, {"undelete", cmd_undelete}, {"doctor", cmd_doctor}, {"say", cmd_say}, {"who-can", cmd_who_can}};
    log_init("tillit", LOG_WARN);
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        fputs(usage, stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; argc >= 2 && i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 2, argv + 2);
    if (argc >= 2 && say_begins(argv[1])) return cmd_say_short(argc - 1, argv + 1);
    if (argc >= 2) fprintf(stderr, "tillit: no command \"%.60s\"\n\n", argv[1]);
    fputs(usage, stderr);
    return EXIT_USAGE;
}
