/* The head of a request that is passed on, as libmicrohttpd has it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "http/given.h"
#include "http/pass_impl.h"

static enum MHD_Result
add_given(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size,
          const char *value, size_t value_size)
{
    struct pass *pass = cls;
    struct request_field *field = &pass->fields[pass->field_count];

    (void)kind;
    if (pass->field_count == PASS_FIELDS_MAX_COUNT) {
        return MHD_NO; /* the strict layer has the same limit */
    }
    field->name = span_of(key, key_size);
    field->value = span_of(value, value_size);
    pass->field_count++;
    return MHD_YES;
}

static bool
is_named(const struct request_field *field, const char *name)
{
    return field->name.len == strlen(name) &&
           strncasecmp((const char *)field->name.ptr, name, field->name.len) ==
               0;
}

/* The strict layer has made sure that these are well-formed. */
static void
find_length(struct pass *pass)
{
    pass->body_bytes = PASS_BODY_NONE;
    for (size_t i = 0; i < pass->field_count; i++) {
        const struct request_field *field = &pass->fields[i];

        if (is_named(field, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
            pass->body_bytes = PASS_BODY_CHUNKED;
        } else if (is_named(field, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
            pass->body_bytes = 0;
            for (size_t k = 0; k < field->value.len; k++) {
                pass->body_bytes =
                    pass->body_bytes * 10 + (field->value.ptr[k] - '0');
            }
        }
    }
}

void
pass_wipe_tokens(struct pass *pass)
{
    for (size_t i = 0; i < pass->field_count; i++) {
        const struct request_field *field = &pass->fields[i];

        if (request_is_own_token(field)) {
            given_wipe((const char *)field->value.ptr, field->value.len);
        }
    }
}

/* Room for as many as there are: most requests have few. */
enum ag_err
pass_read_head(struct pass *pass)
{
    int count =
        MHD_get_connection_values(pass->mhd, MHD_HEADER_KIND, NULL, NULL);

    if (count > 0) {
        pass->fields = calloc((size_t)count, sizeof(*pass->fields));
        if (pass->fields == NULL) {
            return AG_ENOMEM;
        }
    }
    (void)MHD_get_connection_values_n(pass->mhd, MHD_HEADER_KIND, add_given,
                                      pass);
    find_length(pass);
    return AG_OK;
}
