/*
 * ssh: a new ed25519 key pair; the public half is put where it belongs by a
 * program on record, as `command` starts one (command.c), and taken away there
 * when the old one has had its time.
 *
 * The program is told both public halves, which are no secrets, as members
 * `old_key` and `new_key`: lines of authorized_keys (null: there is none). Of
 * the private ones it gets the one that works for certain at that act: the old
 * one at prepare and undo, the new one at verify and retire.
 * Parameters: program.
 */
#include <sodium.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/secret.h"
#include "crypt/armour.h"
#include "crypt/sshkey.h"
#include "rotate/rotators.h"
#include "wire/json.h"

enum {
    /* Both lines, their quotes escaped, go into a program's input. */
    COMMENT_TOLD_MAX_BYTES = 256,
};

static const char *
program_name(const json_t *params)
{
    return json_string_value(json_object_get(params, "program"));
}

static enum ag_err
check(const json_t *params)
{
    const char *program = program_name(params);

    if (program == NULL || parse_name(span_str(program)) != AG_OK) {
        return err_why(AG_EINVAL,
                       "ssh: say which program installs the public key: "
                       "--program NAME, as it was put on record by auth-guard "
                       "rotate program add");
    }
    return json_object_size(params) == 1
               ? AG_OK
               : err_why(AG_EINVAL, "ssh: takes --program alone");
}

/* ---- the new key ---- */

struct fresh {
    uint8_t seed[SSHKEY_SEED_BYTES];
    uint8_t check[SSHKEY_CHECK_BYTES];
};

static void
fresh_done(struct fresh *f)
{
    wipe(f, sizeof(*f));
}

AG_DEFINE_CLEANUP_INPLACE(fresh, fresh_done)

/* Every kind of key but the one that is made here would become another. */
static enum ag_err
open_value(const struct secret *value, struct sshkey *ret)
{
    enum ag_err err = sshkey_open(secret_view(value), ret);

    if (err == AG_EINVAL || err == AG_EUNSUPPORTED) {
        return err_why(AG_EINVAL,
                       "ssh: the value is no ed25519 key in OpenSSH's format "
                       "without a passphrase, and no other kind is made; put "
                       "one of ssh-keygen -t ed25519 -N ''");
    }
    if (err == AG_OK && !sshkey_is_pair(ret)) {
        sshkey_done(ret);
        return err_why(AG_EINVAL,
                       "ssh: the public half in the value is not that of its "
                       "private key; put the file as ssh-keygen made it");
    }
    return err;
}

/* What can't be told to the program is said before anything is begun. */
static enum ag_err
check_comment(struct span comment)
{
    return comment.len <= COMMENT_TOLD_MAX_BYTES && parse_is_utf8(comment)
               ? AG_OK
               : err_why(AG_EINVAL,
                         "ssh: the key's comment is longer than %d bytes, or "
                         "no UTF-8; change it with ssh-keygen -c",
                         COMMENT_TOLD_MAX_BYTES);
}

static enum ag_err
make_from(const struct secret *old, struct secret **ret)
{
    AG_AUTO(sshkey) struct sshkey key = {0};
    AG_AUTO(fresh) struct fresh fresh = {{0}, {0}};
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf line = {0};
    struct span view = secret_view(old);
    size_t len = armour_trim(view).len;
    enum ag_err err = open_value(old, &key);

    buf_init(&text, ARMOUR_MAX_BYTES, BUF_WIPE);
    buf_init(&line, SSHKEY_LINE_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = check_comment(key.comment);
    }
    if (err == AG_OK) {
        err = sshkey_line(&key, &line); /* its comment is one line */
    }
    randombytes_buf(&fresh, sizeof(fresh));
    if (err == AG_OK) {
        err = sshkey_add(fresh.seed, fresh.check, key.comment, &text);
    }
    /* A file ends as the one before did. */
    if (err == AG_OK) {
        err = buf_add(&text, span_sub(view, len, view.len - len));
    }
    return err == AG_OK ? secret_from(buf_view(&text), ret) : err;
}

/* ---- the acts ---- */

/* The line of a value; null without one, or when it is no key any more. */
static enum ag_err
add_line(json_t *more, const char *name, const struct secret *value)
{
    AG_AUTO(sshkey) struct sshkey key = {0};
    AG_AUTO(buf) struct buf line = {0};
    enum ag_err err = value != NULL ? open_value(value, &key) : AG_EINVAL;
    json_t *text = NULL;

    buf_init(&line, SSHKEY_LINE_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = sshkey_line(&key, &line);
    }
    if (err != AG_OK && err != AG_EINVAL) {
        return err;
    }
    text = err == AG_OK ? json_stringn((const char *)line.ptr, line.len)
                        : json_null();
    return json_object_set_new(more, name, text) == 0 ? AG_OK : AG_ENOMEM;
}

static enum ag_err
act(const struct rotator_call *call, struct rotator_answer *ret)
{
    AG_AUTO(wjson) json_t *more = json_object();
    struct rotator_call told = *call;
    bool old_works = call->act == ROTATOR_PREPARE || call->act == ROTATOR_UNDO;
    enum ag_err err =
        more != NULL ? add_line(more, "old_key", call->old_value) : AG_ENOMEM;

    if (err == AG_OK) {
        err = add_line(more, "new_key", call->new_value);
    }
    if (err != AG_OK) {
        return err;
    }
    if (old_works) {
        told.new_value = NULL;
    } else {
        told.old_value = NULL;
    }
    return command_act(&told, more, ret);
}

const struct rotator ROTATOR_SSH = {
    .name = "ssh",
    .check = check,
    .make_from = make_from,
    .program_name = program_name,
    .act = act,
};
