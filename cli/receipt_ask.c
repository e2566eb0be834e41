#include "receipt_ask.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "cli.h"
#include "crypt/sign.h"
#include "receipt_check.h"
#include "wire/receipt.h"

enum ag_err
receipt_ask_refuse(const struct receipt_ask *ask, const char *what)
{
    return ask->path == NULL
               ? AG_OK
               : err_why(AG_EUSAGE,
                         "--receipt says what the vault's filter saw: there is "
                         "none for %s",
                         what);
}

static enum ag_err
open_one(const char *path, int *ret, bool *ret_made)
{
    *ret = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    *ret_made = *ret >= 0;
    if (*ret < 0 && errno == EEXIST) {
        *ret = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    }
    return *ret >= 0 ? AG_OK
                     : err_why(err_from_errno(errno), "%s: %s", path,
                               strerrordesc_np(errno));
}

/* FILE.opening, to be freed; NULL: no memory. */
static char *
opening_of(const struct receipt_ask *ask)
{
    char *path = NULL;

    return asprintf(&path, "%s" RECEIPT_OPENING_ENDS, ask->path) < 0 ? NULL
                                                                     : path;
}

static enum ag_err
open_files(struct receipt_ask *ask)
{
    char *opening = opening_of(ask);
    enum ag_err err =
        opening == NULL ? AG_ENOMEM : open_one(ask->path, &ask->fd, &ask->made);

    if (err == AG_OK) {
        err = open_one(opening, &ask->opening_fd, &ask->opening_made);
    }
    /* One that was there already may be open to others. */
    if (err == AG_OK && fchmod(ask->opening_fd, 0600) != 0) {
        err = err_why(err_from_errno(errno), "%s: %s", opening,
                      strerrordesc_np(errno));
    }
    free(opening);
    return err;
}

enum ag_err
receipt_ask_begin(struct receipt_ask *ask, bool here)
{
    enum ag_err err = AG_OK;

    ask->fd = -1;
    ask->opening_fd = -1;
    if (ask->path == NULL) {
        return ask->subject == NULL && ask->names == NULL
                   ? AG_OK
                   : err_why(AG_EUSAGE, "--subject and --receipt-names are of "
                                        "a receipt: say --receipt FILE too");
    }
    if (strcmp(ask->path, "-") == 0) {
        return err_why(AG_EUSAGE,
                       "--receipt needs a FILE: stdout is for the text");
    }
    if (ask->names != NULL && strcmp(ask->names, "hashed") != 0 &&
        strcmp(ask->names, "plain") != 0) {
        return err_why(AG_EUSAGE, "--receipt-names: hashed or plain, not %s",
                       ask->names);
    }
    if (here) {
        err = receipt_ask_refuse(ask, "text that rules, or a set, are held "
                                      "against in this process (without a "
                                      "vault, --rules-file, --set)");
    }
    if (err == AG_OK && ask->subject != NULL) {
        err = receipt_check_subject(span_str(ask->subject));
    }
    if (err != AG_OK) {
        return err;
    }
    ask->lines = json_array();
    ask->openings = json_array();
    if (ask->lines == NULL || ask->openings == NULL) {
        return AG_ENOMEM;
    }
    return open_files(ask);
}

static void
drop_empty(int fd, const char *path)
{
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 0) {
        (void)unlink(path);
    }
}

void
receipt_ask_done(struct receipt_ask *ask)
{
    char *opening = ask->opening_made ? opening_of(ask) : NULL;

    if (ask->made) {
        drop_empty(ask->fd, ask->path);
    }
    if (opening != NULL) {
        drop_empty(ask->opening_fd, opening);
    }
    free(opening);
    ask->made = false;
    ask->opening_made = false;
    fd_close(ask->fd);
    fd_close(ask->opening_fd);
    ask->fd = -1;
    ask->opening_fd = -1;
    json_decref(ask->lines);
    json_decref(ask->openings);
    ask->lines = NULL;
    ask->openings = NULL;
}

void
receipt_ask_stream(const struct receipt_ask *ask, struct session_stream *stream)
{
    if (ask->path != NULL) {
        stream->receipt_subject = ask->subject != NULL ? ask->subject : "";
        stream->receipt_names = ask->names;
    }
}

/* What a verifier will say of it is said now. */
static enum ag_err
look_at(const struct cli *cli, const char *line)
{
    struct receipt *r = calloc(1, sizeof(*r));
    enum ag_err err = AG_ENOMEM;

    if (r != NULL) {
        err = receipt_get(span_str(line), sign_check, r);
    }
    if (err == AG_OK && r->residual > 0) {
        out_warn(&cli->out,
                 "searched again, the output still had %lld hits: the receipt "
                 "says so, and will not verify",
                 (long long)r->residual);
    }
    free(r);
    return err;
}

enum ag_err
receipt_ask_take(struct receipt_ask *ask, const struct cli *cli, json_t *event)
{
    json_t *line = json_object_get(event, "receipt");
    enum ag_err err = AG_OK;

    if (!json_is_string(line)) {
        err = err_why(err_from_code(out_member(event, "code")),
                      "there is no receipt: %s", out_member(event, "detail"));
    } else {
        err = look_at(cli, json_string_value(line));
    }
    if (err == AG_OK &&
        (json_array_append(ask->lines, line) != 0 ||
         json_array_append(ask->openings, json_object_get(event, "opening")) !=
             0)) {
        err = AG_ENOMEM;
    }
    json_decref(event);
    return err;
}

static enum ag_err
write_lines(int fd, const json_t *lines)
{
    const json_t *line = NULL;
    size_t i = 0;
    enum ag_err err = AG_OK;

    (void)!ftruncate(fd, 0); /* not at the open: a stream may be refused */
    json_array_foreach(lines, i, line)
    {
        if (err == AG_OK) {
            err = fd_write_all(fd, span_str(json_string_value(line)));
        }
        if (err == AG_OK) {
            err = fd_write_all(fd, span_str("\n"));
        }
    }
    return err;
}

enum ag_err
receipt_ask_write(const struct receipt_ask *ask, size_t count)
{
    enum ag_err err = AG_OK;

    if (ask->path == NULL) {
        return AG_OK;
    }
    if (json_array_size(ask->lines) != count) {
        return err_why(AG_ECORRUPT, "the broker gave no receipt for a stream");
    }
    err = write_lines(ask->opening_fd, ask->openings);
    return err == AG_OK ? write_lines(ask->fd, ask->lines) : err;
}
