#include "core/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/secret.h"
#include "core/holds.h"
#include "core/mint.h"
#include "core/promise_impl.h"
#include "core/state.h"
#include "core/values.h"
#include "store/exposure.h"

#define OPENS  "{{"
#define CLOSES "}}"
#define SCHEME "ag://"

/* ---- the template ---- */

struct template
{
    struct span rest;
    int line; /* of its beginning, from 1 */
};

/* What stands up to the next reference, and that reference. */
struct piece {
    struct span literal;
    bool is_brace; /* "{{" itself follows */
    bool has_ref;
    char name[NAME_MAX_BYTES + 1];
    char field[GRANT_FIELD_BYTES];
};

static size_t
find(struct span in, const char *what)
{
    const uint8_t *at =
        in.len > 0 ? memmem(in.ptr, in.len, what, strlen(what)) : NULL;

    return at != NULL ? (size_t)(at - in.ptr) : in.len;
}

static struct span
trim(struct span s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s = span_sub(s, 1, s.len);
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

static enum ag_err
not_one(const struct template *t)
{
    return err_why(AG_EINVAL,
                   "line %d of the template: what stands between {{ and }} is "
                   "no reference as ag://NAME#/FIELD",
                   t->line);
}

static enum ag_err
read_ref(const struct template *t, struct span inner, struct piece *ret)
{
    struct reference ref = {0};

    if (!span_starts(inner, span_str(SCHEME)) ||
        parse_reference(inner, &ref) != AG_OK ||
        ref.name.len >= sizeof(ret->name) ||
        ref.pointer.len >= sizeof(ret->field)) {
        return not_one(t);
    }
    (void)snprintf(ret->name, sizeof(ret->name), "%.*s", (int)ref.name.len,
                   (const char *)ref.name.ptr);
    (void)snprintf(ret->field, sizeof(ret->field), "%.*s", (int)ref.pointer.len,
                   (const char *)ref.pointer.ptr);
    ret->has_ref = true;
    return AG_OK;
}

static enum ag_err
next_piece(struct template *t, struct piece *ret)
{
    size_t opens = find(t->rest, OPENS);
    struct span inner = span_sub(t->rest, opens, t->rest.len);
    size_t closes = 0;

    *ret = (struct piece){.literal = span_sub(t->rest, 0, opens)};
    for (size_t i = 0; i < opens; i++) {
        t->line += t->rest.ptr[i] == '\n' ? 1 : 0;
    }
    if (inner.len == 0) {
        t->rest = inner;
        return AG_OK;
    }
    inner = span_sub(inner, strlen(OPENS), inner.len);
    closes = find(inner, CLOSES);
    if (closes == inner.len) {
        return not_one(t);
    }
    t->rest = span_sub(inner, closes + strlen(CLOSES), inner.len);
    inner = trim(span_sub(inner, 0, closes));
    ret->is_brace = span_is(inner, "\"" OPENS "\"");
    return ret->is_brace ? AG_OK : read_ref(t, inner, ret);
}

/* ---- twice through it: may it be had, and then what it gives ---- */

struct filling {
    struct core *core;
    struct db_tx *tx;
    const struct call *call;
    const struct render_request *request;
    struct promises *promises;
    crypto_generichash_state state;
    size_t refs_count;
    struct buf out;
};

static void
filling_done(struct filling *f)
{
    promises_free(AG_TAKE(f->promises));
    buf_done(&f->out);
}

AG_DEFINE_CLEANUP_INPLACE(filling, filling_done)

typedef enum ag_err (*ref_fn)(struct filling *f, const struct piece *piece);

/* The same rules as of `run --file`. */
static enum ag_err
check_ref(struct filling *f, const struct piece *piece)
{
    const struct promising m = {
        .core = f->core, .tx = f->tx, .call = f->call, .p = f->promises};
    AG_AUTO(secret_row) struct secret_row row = {0};
    int64_t numbers[2] = {0};
    enum ag_err err =
        promise_secret(db_tx_read(f->tx), piece->name, VERB_FILE, &row);

    if (++f->refs_count > RENDER_REFS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "a template has %d references at most",
                       RENDER_REFS_MAX_COUNT);
    }
    if (err == AG_OK && mint_has_rule(&row)) {
        err = err_why(AG_EUNSUPPORTED,
                      "%s is minted for each task, and a daemon is none",
                      row.name);
    }
    if (err == AG_OK) {
        err = promise_by_name(&m, &row, VERB_FILE);
    }
    if (err == AG_OK) {
        err = holds_check(f->core->holds, row.id, row.name);
    }
    if (err == AG_OK) {
        numbers[0] = row.id;
        numbers[1] = row.current_version;
        (void)crypto_generichash_update(
            &f->state, (const unsigned char *)numbers, sizeof(numbers));
    }
    return err;
}

static enum ag_err
note(struct filling *f, const struct secret_row *row, const char *field,
     int64_t version)
{
    const struct exposure_row seen = {
        .secret_id = row->id, .version = version, .verb = VERB_FILE};
    enum ag_err err = exposure_note(f->tx, &seen, NULL);

    return err != AG_OK ? err
                        : core_note(f->tx, f->call, AUDIT_DELIVERED, 0, row->id,
                                    json_pack("{s:s, s:s, s:I, s:s, s:s}",
                                              "name", row->name, "field", field,
                                              "version", (json_int_t)version,
                                              "grade", verb_text(VERB_FILE),
                                              "path", f->request->path));
}

static enum ag_err
fill_ref(struct filling *f, const struct piece *piece)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(secret) struct secret *value = NULL;
    struct db_read *r = db_tx_read(f->tx);
    struct version_row version = {0};
    enum ag_err err = secrets_find(r, span_str(piece->name), &row);

    if (err == AG_OK) {
        err =
            value_of(f->core, r, &(struct value_wish){&row, piece->field, 0, 0},
                     &version, &value);
    }
    if (err == AG_OK) {
        err = note(f, &row, piece->field, version.number);
    }
    return err == AG_OK ? buf_add(&f->out, secret_view(value)) : err;
}

/* What fails of a reference is told with its line; not what is asked for, or
 * of none. */
static enum ag_err
at_line(const struct template *t, enum ag_err err)
{
    return err == AG_OK || err == AG_ENOMEM || err == AG_EPROOF ||
                   err == AG_ELIMIT
               ? err
               : err_why(err, "line %d of the template: %s", t->line,
                         err_text(err));
}

static enum ag_err
walk(struct filling *f, ref_fn each)
{
    struct template t = {.rest = secret_view(f->request->text), .line = 1};
    struct piece piece;
    enum ag_err err = AG_OK;

    do {
        err = next_piece(&t, &piece);
        if (err == AG_OK) {
            err = buf_add(&f->out, piece.literal);
        }
        if (err == AG_OK && piece.is_brace) {
            err = buf_add_str(&f->out, OPENS);
        }
        if (err == AG_OK && piece.has_ref) {
            err = at_line(&t, each(f, &piece));
        }
    } while (err == AG_OK && t.rest.len > 0);
    return err;
}

static enum ag_err
begin(struct filling *f)
{
    buf_init(&f->out, RENDER_MAX_BYTES, BUF_WIPE);
    (void)crypto_generichash_init(&f->state, NULL, 0,
                                  (RENDER_STATE_BYTES - 1) / 2);
    f->promises = calloc(1, sizeof(*f->promises));
    if (f->promises == NULL) {
        return AG_ENOMEM;
    }
    f->promises->downgraded = json_object();
    return f->promises->downgraded != NULL ? AG_OK : AG_ENOMEM;
}

static void
end_state(struct filling *f, char out[RENDER_STATE_BYTES])
{
    unsigned char hash[(RENDER_STATE_BYTES - 1) / 2];

    (void)crypto_generichash_final(&f->state, hash, sizeof(hash));
    (void)sodium_bin2hex(out, RENDER_STATE_BYTES, hash, sizeof(hash));
}

void
rendering_done(struct rendering *r)
{
    secret_free(AG_TAKE(r->text));
}

enum ag_err
core_render(struct core *core, struct db_tx *tx, const struct call *call,
            const struct render_request *request, struct rendering *ret)
{
    AG_AUTO(filling)
    struct filling f = {
        .core = core, .tx = tx, .call = call, .request = request};
    char state[RENDER_STATE_BYTES];
    enum ag_err err = begin(&f);

    if (err == AG_OK) {
        err = walk(&f, check_ref);
    }
    if (err != AG_OK) {
        return err;
    }
    end_state(&f, state);
    if (request->unless == NULL || strcmp(request->unless, state) != 0) {
        buf_clear(&f.out);
        err = walk(&f, fill_ref);
        if (err == AG_OK) {
            err = secret_from(buf_view(&f.out), &ret->text);
        }
    }
    if (err == AG_OK) {
        memcpy(ret->state, state, sizeof(state));
    }
    return err;
}
