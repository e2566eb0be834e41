/*
 * receipt_pem.h - the key that signs receipts as a text that other programs
 * read too: a PEM of a SubjectPublicKeyInfo.
 * Floor: cli. Depends on: wire/receipt, libsodium. Source: RFC 8410 section 4,
 * RFC 7468 section 13.
 */
#ifndef AG_CLI_RECEIPT_PEM_H
#define AG_CLI_RECEIPT_PEM_H

#include "base/attr.h"
#include "base/err.h"
#include "wire/receipt.h"

enum {
    RECEIPT_PEM_BYTES = 27 + 61 + 25 + 1, /* three lines, and a NUL */
};

AG_NONNULL void receipt_pem_put(const uint8_t key[RECEIPT_KEY_BYTES],
                                char out[RECEIPT_PEM_BYTES]);

/*
 * What `--key` says, as a fingerprint: one of these itself, or a file with the
 * text above and nothing else.
 * Errors: AG_EINVAL with a sentence; those of open().
 */
AG_CHECK AG_NONNULL enum ag_err
receipt_pem_print(const char *said, char out[RECEIPT_PRINT_BYTES]);

#endif
