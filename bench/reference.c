/* SPDX-License-Identifier: Apache-2.0
 * reference: what the bars are measured against, on the same bytes and machine, as lines `name value`.
 * Role: raw pwrite + fdatasync of 400 B into a zero-filled file (p50, us), and CPU of AES-256-GCM, SHA-256, MD5, CRC32 over 64 MiB (ms).
 * Trusts: OpenSSL, zlib. Spec: none; usage: reference DIR
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define BYTES (64u * 1024 * 1024)
#define FRAME 65536u
#define ROUNDS 2000
#define WAL_BYTES (16u * 1024 * 1024)

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}
static double wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void raw_sync(const char *dir)
{
    char path[4096], record[400];
    static char zeros[1024 * 1024];
    static double took[ROUNDS];
    snprintf(path, sizeof path, "%s/raw", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (unsigned i = 0; i < WAL_BYTES / sizeof zeros; i++)
        if (write(fd, zeros, sizeof zeros) < 0) exit(3);
    fsync(fd);
    memset(record, 7, sizeof record);
    for (int i = 0; i < ROUNDS; i++) {
        double begin = wall_us();
        if (pwrite(fd, record, sizeof record, (off_t)i * 400) != 400 || fdatasync(fd) != 0) exit(3);
        took[i] = wall_us() - begin;
    }
    close(fd);
    unlink(path);
    qsort(took, ROUNDS, sizeof *took, by_value);
    printf("fdatasync_p50_us %.1f\n", took[ROUNDS / 2]);
}

static void gcm(unsigned char *data)
{
    static unsigned char out[FRAME + 16];
    unsigned char key[32] = {1}, iv[12] = {0};
    int n;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex2(c, cipher, key, NULL, NULL);
    double begin = cpu_ms();
    for (unsigned at = 0; at < BYTES; at += FRAME) {
        memcpy(iv, &at, 4);
        EVP_EncryptInit_ex2(c, NULL, NULL, iv, NULL);
        EVP_EncryptUpdate(c, out, &n, data + at, FRAME);
        EVP_EncryptFinal_ex(c, out + n, &n);
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out + FRAME);
    }
    printf("aes_gcm_ms %.2f\n", cpu_ms() - begin);
}

static void digest(const char *name, const char *label, const unsigned char *data)
{
    unsigned char out[64];
    EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    double begin = cpu_ms();
    EVP_DigestInit_ex2(c, md, NULL);
    for (unsigned at = 0; at < BYTES; at += FRAME) EVP_DigestUpdate(c, data + at, FRAME);
    EVP_DigestFinal_ex(c, out, NULL);
    printf("%s_ms %.2f\n", label, cpu_ms() - begin);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    unsigned char *data = malloc(BYTES);
    for (unsigned i = 0; i < BYTES; i++) data[i] = (unsigned char)(i * 2654435761u >> 24);
    raw_sync(argv[1]);
    gcm(data);
    digest("SHA256", "sha256", data);
    digest("MD5", "md5", data);
    double begin = cpu_ms();
    unsigned long crc = 0;
    for (unsigned at = 0; at < BYTES; at += FRAME) crc = crc32(crc, data + at, FRAME);
    printf("crc32_ms %.2f\n", cpu_ms() - begin);
    return crc == 1;
}
