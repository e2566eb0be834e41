#include "http/given.h"

#include <strings.h>

#include "base/secret.h"
#include "http/decode.h"
#include "http/dispatch.h"
#include "wire/json.h"

/* MHD shows its own memory as const; what held a secret is wiped in place. */
void
given_wipe(const char *text, size_t len)
{
    wipe((void *)(uintptr_t)text, len); // NOLINT(performance-no-int-to-ptr)
}

/* The credentials of the request; the text they stand in, or NULL. */
const char *
given_token(struct MHD_Connection *mhd, struct dispatch_input *in)
{
    static const char SCHEME[] = "Bearer ";
    const char *text =
        MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "X-Vault-Token");

    if (text != NULL) {
        in->token = span_str(text);
        return text;
    }
    text = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND,
                                       MHD_HTTP_HEADER_AUTHORIZATION);
    if (text == NULL) {
        return NULL;
    }
    if (strncasecmp(text, SCHEME, sizeof(SCHEME) - 1) == 0) {
        in->token = span_str(text + sizeof(SCHEME) - 1);
    }
    if (in->token.len == 0) {
        in->token_err =
            err_why(AG_ETOKEN, "Authorization must be: Bearer TOKEN");
    }
    return text;
}

enum MHD_Result
given_query(void *cls, enum MHD_ValueKind kind, const char *key,
            size_t key_size, const char *value, size_t value_size)
{
    struct dispatch_input *in = cls;

    (void)kind;
    if (in->query == NULL) {
        wjson_setup();
        in->query = json_object();
    }
    if (in->query == NULL) {
        in->query_err = AG_ENOMEM;
        return MHD_NO;
    }
    in->query_err = decode_query_add(in->query, span_of(key, key_size),
                                     span_of(value, value_size));
    return in->query_err == AG_OK ? MHD_YES : MHD_NO;
}
