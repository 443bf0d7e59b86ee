/* SPDX-License-Identifier: Apache-2.0
 * Stands in for libFuzzer where the compiler has none: runs a fuzz target over the files and directories it is given,
 * and with -mutate=N over N mutations of each, from a fixed seed, so that a failure can be run again.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_BYTES_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long mutations, inputs;
static uint64_t seed = 1;

static uint32_t next(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

/* A copy of exactly size bytes, so that a sanitizer sees a read of one too many. */
static void run(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL) abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

static size_t mutate(uint8_t *data, size_t size) {
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, '/', '\n', '=', '"', '%'};
    for (uint32_t n = 1 + next() % 4; n > 0 && size > 0; n--) {
        size_t at = next() % size;
        switch (next() % 5) {
        case 0: data[at] ^= (uint8_t)(1u << next() % 8); break;
        case 1: data[at] = edges[next() % sizeof edges]; break;
        case 2: size = at; break;
        case 3: memmove(data + at, data + at + 1, --size - at); break;
        default:
            if (size == INPUT_BYTES_MAX) break;
            memmove(data + at + 1, data + at, size++ - at);
            data[at] = (uint8_t)next();
        }
    }
    return size;
}

static void run_file(const char *path) {
    static uint8_t data[INPUT_BYTES_MAX], work[INPUT_BYTES_MAX];
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    run(data, size);
    for (unsigned long i = 0; i < mutations; i++) {
        memcpy(work, data, size);
        run(work, mutate(work, size));
    }
}

static void run_path(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(st.st_mode)) {
        run_file(path);
        return;
    }
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char inner[4096];
        if (names[i]->d_name[0] != '.' && snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name) < (int)sizeof inner) run_path(inner);
        free(names[i]);
    }
    if (n >= 0) free(names);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-mutate=", 8) == 0) mutations = strtoul(argv[i] + 8, NULL, 10);
        else if (strncmp(argv[i], "-seed=", 6) == 0) seed = strtoul(argv[i] + 6, NULL, 10);
        else if (argv[i][0] != '-') run_path(argv[i]);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("%lu inputs\n", inputs + 1);
    return 0;
}
