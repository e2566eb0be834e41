#include "receipt_pem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/fdx.h"

#define HEAD "-----BEGIN PUBLIC KEY-----\n"
#define FOOT "-----END PUBLIC KEY-----\n"

/* SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes } up to the
 * key. */
static const uint8_t DER_HEAD[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                   0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

enum {
    DER_BYTES = sizeof(DER_HEAD) + RECEIPT_KEY_BYTES,
    HEAD_CHARS = sizeof(HEAD) - 1,
    FOOT_CHARS = sizeof(FOOT) - 1,
    BODY_CHARS =
        sodium_base64_ENCODED_LEN(DER_BYTES, sodium_base64_VARIANT_ORIGINAL) -
        1,
    PEM_CHARS = HEAD_CHARS + BODY_CHARS + 1 + FOOT_CHARS,
};

_Static_assert((int)PEM_CHARS + 1 == (int)RECEIPT_PEM_BYTES, "PEM");

void
receipt_pem_put(const uint8_t key[RECEIPT_KEY_BYTES],
                char out[RECEIPT_PEM_BYTES])
{
    uint8_t der[DER_BYTES];
    char *at = stpcpy(out, HEAD);

    memcpy(der, DER_HEAD, sizeof(DER_HEAD));
    memcpy(der + sizeof(DER_HEAD), key, RECEIPT_KEY_BYTES);
    (void)sodium_bin2base64(at, (size_t)BODY_CHARS + 1, der, sizeof(der),
                            sodium_base64_VARIANT_ORIGINAL);
    at += BODY_CHARS;
    *at++ = '\n';
    (void)stpcpy(at, FOOT);
}

/* As receipt_pem_put() spells it, or not at all. */
static bool
get_key(const char *text, uint8_t key[RECEIPT_KEY_BYTES])
{
    uint8_t der[DER_BYTES];
    char again[RECEIPT_PEM_BYTES];
    size_t len = 0;

    if (strlen(text) != PEM_CHARS ||
        sodium_base642bin(der, sizeof(der), text + HEAD_CHARS, BODY_CHARS, NULL,
                          &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len != sizeof(der)) {
        return false;
    }
    memcpy(key, der + sizeof(DER_HEAD), RECEIPT_KEY_BYTES);
    receipt_pem_put(key, again);
    return strcmp(again, text) == 0;
}

static enum ag_err
read_file(const char *path, char out[RECEIPT_PEM_BYTES + 1])
{
    AG_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t len = 0;
    ssize_t n = 1;

    while (fd >= 0 && n > 0 && len < RECEIPT_PEM_BYTES) {
        n = read(fd, out + len, RECEIPT_PEM_BYTES - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (fd < 0 || n < 0) {
        return err_why(err_from_errno(errno), "%s: %s", path,
                       strerrordesc_np(errno));
    }
    out[len] = '\0';
    return AG_OK;
}

enum ag_err
receipt_pem_print(const char *said, char out[RECEIPT_PRINT_BYTES])
{
    char text[RECEIPT_PEM_BYTES + 1];
    uint8_t key[RECEIPT_KEY_BYTES];
    enum ag_err err;

    if (strncmp(said, "SHA256:", strlen("SHA256:")) == 0) {
        if (strlen(said) != RECEIPT_PRINT_BYTES - 1) {
            return err_why(AG_EINVAL, "--key: a fingerprint has %d characters",
                           (int)RECEIPT_PRINT_BYTES - 1);
        }
        (void)stpcpy(out, said);
        return AG_OK;
    }
    err = read_file(said, text);
    if (err == AG_OK && !get_key(text, key)) {
        err = err_why(AG_EINVAL,
                      "%s: not a key as `auth-guard receipt key` prints it",
                      said);
    }
    if (err == AG_OK) {
        receipt_print(key, out);
    }
    return err;
}
