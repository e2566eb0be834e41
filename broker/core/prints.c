#include "core/prints.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/secret.h"
#include "core/redaction.h"
#include "core/state.h"
#include "redact/prints.h"

enum {
    /* In base64 it has to fit an answer. */
    SET_MAX_BYTES = 11 * 1024 * 1024,
};

struct gathering {
    const struct prints_request *request;
    struct prints_maker *maker;
    int64_t secret_id; /* the last one */
    int64_t secret_count;
    int64_t value_count;
    json_t *left_out;
};

static const char *
reason_of(enum prints_fate fate)
{
    switch (fate) {
    case PRINTS_TAKEN:
        break;
    case PRINTS_SHORT:
        return "short";
    case PRINTS_GUESSABLE:
        return "guessable";
    }
    return NULL;
}

/* One secret's versions say it once. */
static enum ag_err
leave_out(struct gathering *g, const struct secret_row *row,
          const char *pointer, const char *reason)
{
    size_t count = json_array_size(g->left_out);
    const json_t *last = json_array_get(g->left_out, count - 1);
    json_t *item = NULL;

    if (count > 0 &&
        strcmp(json_string_value(json_object_get(last, "name")), row->name) ==
            0 &&
        strcmp(json_string_value(json_object_get(last, "field")), pointer) ==
            0) {
        return AG_OK;
    }
    item = json_pack("{s:s, s:s, s:s}", "name", row->name, "field", pointer,
                     "reason", reason);
    return item != NULL && json_array_append_new(g->left_out, item) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
gather(void *arg, const struct secret_row *row, const char *pointer,
       bool is_syntax, const struct secret *secret)
{
    struct gathering *g = arg;
    char number[32];
    struct matcher_value value = {.value = secret_view(secret),
                                  .flags = is_syntax ? MATCHER_NO_LINES
                                                     : MATCHER_PLAIN};
    enum prints_fate fate = PRINTS_TAKEN;
    enum ag_err err;

    if (g->request->prefix != NULL &&
        strncmp(row->name, g->request->prefix, strlen(g->request->prefix)) !=
            0) {
        return AG_OK;
    }
    if (row->id != g->secret_id) {
        g->secret_id = row->id;
        g->secret_count++;
    }
    (void)snprintf(number, sizeof(number), "secret-%lld",
                   (long long)g->secret_count);
    value.name = span_str(g->request->names ? row->name : number);
    err = prints_maker_add(g->maker, &value, &fate);
    if (err != AG_OK || fate == PRINTS_TAKEN) {
        g->value_count += err == AG_OK ? 1 : 0;
        return err;
    }
    return leave_out(g, row, pointer, reason_of(fate));
}

static enum ag_err
make_file(struct core *core, struct db_tx *tx, const struct call *call,
          struct gathering *g, struct buf *ret)
{
    enum ag_err err = redaction_each(core, db_tx_read(tx), gather, g);

    if (err == AG_OK && g->secret_count == 0 && g->request->prefix != NULL) {
        err = err_why(AG_ENOTFOUND, "no secret's name begins with %s",
                      g->request->prefix);
    }
    if (err == AG_OK) {
        err = prints_maker_write(g->maker, call->now_ms, ret);
    }
    return err == AG_ELIMIT
               ? err_why(AG_ELIMIT,
                         "a redaction set of all these secrets would be larger "
                         "than %d MiB; take those under one prefix",
                         SET_MAX_BYTES >> 20)
               : err;
}

enum ag_err
core_redaction_set(struct core *core, struct db_tx *tx, const struct call *call,
                   const struct prints_request *request, json_t **ret)
{
    AG_AUTO(prints_maker) struct prints_maker *maker = NULL;
    AG_AUTO(buf) struct buf file = {0};
    AG_AUTO(buf) struct buf text = {0};
    json_auto_t *left_out = json_array();
    struct gathering g = {.request = request, .left_out = left_out};
    enum ag_err err = left_out == NULL ? AG_ENOMEM : prints_maker_new(&maker);

    g.maker = maker;
    buf_init(&file, SET_MAX_BYTES, BUF_PLAIN);
    buf_init(&text, 2 * (size_t)SET_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = make_file(core, tx, call, &g, &file);
    }
    if (err == AG_OK) {
        err = encode_base64(buf_view(&file), &text);
    }
    if (err == AG_OK) {
        err = core_note(
            tx, call, AUDIT_SET_EXPORTED, 0, 0,
            json_pack("{s:I, s:b, s:s}", "secrets", (json_int_t)g.secret_count,
                      "names", request->names, "prefix",
                      request->prefix == NULL ? "" : request->prefix));
    }
    if (err != AG_OK) {
        return err;
    }
    *ret = json_pack("{s:s%, s:I, s:I, s:O}", "set", (const char *)text.ptr,
                     text.len, "secrets", (json_int_t)g.secret_count, "values",
                     (json_int_t)g.value_count, "left_out", left_out);
    return *ret == NULL ? AG_ENOMEM : AG_OK;
}
