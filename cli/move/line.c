#include "move/line.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "cli.h"
#include "client.h"
#include "session.h"

enum ag_err
line_lock(struct cli *cli, int *ret_fd)
{
    AG_AUTO(fd) int dir_fd = -1;
    enum ag_err err = fs_private_dir(cli->paths.run, &dir_fd);

    if (err == AG_OK) {
        err = fs_lock(dir_fd, "moves.lock", ret_fd);
    }
    return err == AG_EBUSY ? err_why(AG_EBUSY, "another auth-guard is moving "
                                               "files; try again")
                           : err;
}

static enum ag_err
copy_text(const json_t *object, const char *key, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    size_t len = text == NULL ? 0 : strlen(text);

    if (len >= size) {
        return err_why(AG_ECORRUPT, "the broker's answer: %s is too long", key);
    }
    memcpy(to, text == NULL ? "" : text, len + 1);
    return AG_OK;
}

enum ag_err
line_from(struct cli *cli, const json_t *item, struct line *ret)
{
    struct line line = {.cli = cli};
    enum ag_err err = copy_text(item, "id", line.id, sizeof(line.id));

    if (err == AG_OK) {
        err = copy_text(item, "ticket", line.ticket, sizeof(line.ticket));
    }
    if (err == AG_OK && line.id[0] == '\0') {
        err = err_why(AG_ECORRUPT, "the broker's answer: a move without id");
    }
    if (err == AG_OK) {
        *ret = line;
    }
    return err;
}

enum ag_err
line_begin(struct cli *cli, const json_t *body, struct line *ret,
           json_t **ret_answer)
{
    json_auto_t *answer = NULL;
    enum ag_err err = cli_call(cli, "POST", "/v1/moves", body, &answer);

    if (err == AG_OK) {
        err = line_from(cli, answer, ret);
    }
    if (err == AG_OK) {
        *ret_answer = AG_TAKE(answer);
    }
    return err;
}

/* One question over fd.sock with one descriptor; the ticket is used up. */
static enum ag_err
ask(struct line *line, const char *op, int fd, json_t **ret)
{
    AG_AUTO(session) struct session *s = NULL;
    enum ag_err err;

    if (line->ticket[0] == '\0') {
        return err_why(AG_ETICKET, "the broker gave no ticket for move %s",
                       line->id);
    }
    err = session_open(line->cli->paths.fd_sock, &s);
    if (err == AG_OK) {
        err = session_send(s, op, line->ticket, &fd, 1);
    }
    line->ticket[0] = '\0';
    return err == AG_OK ? session_answer(s, ret) : err;
}

enum ag_err
line_take(struct line *line, int fd, int64_t *ret_version, bool *ret_changed)
{
    json_auto_t *answer = NULL;
    enum ag_err err = ask(line, "take", fd, &answer);

    if (err == AG_OK) {
        *ret_version = json_integer_value(json_object_get(answer, "version"));
        *ret_changed = !json_is_false(json_object_get(answer, "changed"));
    }
    return err;
}

enum ag_err
line_deliver(struct line *line, int fd, int64_t *ret_bytes)
{
    json_auto_t *answer = NULL;
    enum ag_err err = ask(line, "deliver", fd, &answer);

    if (err == AG_OK) {
        *ret_bytes = json_integer_value(json_object_get(answer, "bytes"));
    }
    return err;
}

static enum ag_err
step(struct line *line, const char *method, const char *fmt, const json_t *body)
{
    AG_AUTO(buf) struct buf path = {0};
    enum ag_err err;

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    err = client_path(&path, fmt, line->id);
    if (err == AG_OK && buf_cstr(&path) == NULL) {
        err = AG_ENOMEM;
    }
    return err == AG_OK
               ? cli_call(line->cli, method, buf_cstr(&path), body, NULL)
               : err;
}

enum ag_err
line_commit(struct line *line)
{
    return step(line, "POST", "/v1/moves/%s/commit", NULL);
}

enum ag_err
line_done(struct line *line, const char *outcome)
{
    json_auto_t *body = json_pack("{s:s}", "outcome", outcome);

    return body == NULL ? AG_ENOMEM
                        : step(line, "POST", "/v1/moves/%s/done", body);
}

enum ag_err
line_undo(struct line *line)
{
    return step(line, "DELETE", "/v1/moves/%s", NULL);
}
