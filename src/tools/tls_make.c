/* SPDX-License-Identifier: Apache-2.0
 * Makes the demonstration's certificate authority and a server certificate signed by it.
 * Role: `tillit init`, so that https works from the first minute; a real store is given its own certificate in tillit.conf.
 * Trusts: the machine's randomness. The authority's key is thrown away after the one signature: nobody can sign with it later.
 * Spec: RFC 5280; docs/spec/dir.md
 */
#include "tools/tools.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#define CERT_DAYS 825                  /* what clients still accept for a server certificate */

static X509 *certificate(const char *common_name, EVP_PKEY *subject_key, long serial)
{
    X509 *x = X509_new();
    if (!x) return NULL;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400L * CERT_DAYS);
    X509_set_pubkey(x, subject_key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Tillit demonstration", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
    return x;
}

static bool extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static FILE *create(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static bool write_cert(const char *path, X509 *a, X509 *b)
{
    FILE *f = create(path, 0644);
    bool ok = f && PEM_write_X509(f, a) == 1 && (!b || PEM_write_X509(f, b) == 1);
    return (f ? fclose(f) == 0 : false) && ok;
}

static bool write_key(const char *path, EVP_PKEY *key)
{
    FILE *f = create(path, 0600);
    bool ok = f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
    return (f ? fclose(f) == 0 : false) && ok;
}

enum err tls_make(const char *dir, const char *ca_file, const char *names)
{
    char ca_path[1024], cert_path[1024], key_path[1024];
    snprintf(ca_path, sizeof ca_path, "%s", ca_file);
    snprintf(cert_path, sizeof cert_path, "%s/cert.pem", dir);
    snprintf(key_path, sizeof key_path, "%s/key.pem", dir);
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key ? certificate("Tillit demonstration authority", ca_key, 1) : NULL;
    X509 *cert = key ? certificate("localhost", key, 2) : NULL;
    bool ok = ca && cert && X509_set_issuer_name(ca, X509_get_subject_name(ca)) && X509_set_issuer_name(cert, X509_get_subject_name(ca)) &&
              extend(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") && extend(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
              extend(ca, ca, NID_subject_key_identifier, "hash") && X509_sign(ca, ca_key, EVP_sha256()) > 0 &&
              extend(cert, ca, NID_basic_constraints, "critical,CA:FALSE") && extend(cert, ca, NID_key_usage, "critical,digitalSignature") &&
              extend(cert, ca, NID_ext_key_usage, "serverAuth") && extend(cert, ca, NID_subject_key_identifier, "hash") &&
              extend(cert, ca, NID_authority_key_identifier, "keyid") && extend(cert, ca, NID_subject_alt_name, names) &&
              X509_sign(cert, ca_key, EVP_sha256()) > 0 && write_key(key_path, key) && write_cert(cert_path, cert, ca) && write_cert(ca_path, ca, NULL);
    X509_free(ca), X509_free(cert);
    EVP_PKEY_free(ca_key), EVP_PKEY_free(key);
    return ok ? ERR_OK : ERR_IO;
}
