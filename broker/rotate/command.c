/*
 * command: a program of the operator's does what we don't know how to. It is
 * told what to do as one JSON object on its standard input, finds the old and
 * the new value on descriptors, and answers with one JSON object:
 *
 *   in   {"act":"prepare","rotation":"7","secret":"db/app",
 *         "old_fd":3,"new_fd":4,"out_fd":5}
 *   out  {"outcome":"done"}, or "refused" or "later" with a "code"
 *
 * A descriptor that has nothing is null. out_fd is there when the program makes
 * the new value: `prepare` writes it there. Anything else (an exit code that is
 * not 0, another answer, no answer in time) leaves open what came of it.
 * Parameters: program; generate (the value is made here), and then those of
 * random.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/parse.h"
#include "base/secret.h"
#include "privsep/runner.h"
#include "rotate/rotators.h"
#include "wire/json.h"

enum {
    VALUE_MAX_BYTES = 64 * 1024 - 1, /* what a pipe takes without a reader */
    READ_WAIT_MS = 100,              /* all that could write are dead by then */
    CODE_MAX_BYTES = 32,             /* a few words; no key fits */
};

/* ---- parameters ---- */

static bool
generates(const json_t *params)
{
    return json_is_true(json_object_get(params, "generate"));
}

static const char *
program_name(const json_t *params)
{
    return json_string_value(json_object_get(params, "program"));
}

static enum ag_err
check(const json_t *params)
{
    static const char *const TAKES[] = {"program",  "generate", "length",
                                        "alphabet", "require",  NULL};
    const char *program = program_name(params);

    if (!params_only(params, TAKES)) {
        return err_why(AG_EINVAL, "command: takes program, generate, length, "
                                  "alphabet, require");
    }
    if (program == NULL || parse_name(span_str(program)) != AG_OK) {
        return err_why(AG_EINVAL,
                       "command: say which: --program NAME, as it was put on "
                       "record by auth-guard rotate program add");
    }
    if (generates(params)) {
        return random_check(params);
    }
    return json_object_get(params, "length") == NULL &&
                   json_object_get(params, "alphabet") == NULL &&
                   json_object_get(params, "require") == NULL
               ? AG_OK
               : err_why(AG_EINVAL, "command: length, alphabet and require go "
                                    "with --generate");
}

static enum ag_err
make(const json_t *params, struct secret **ret)
{
    return generates(params) ? random_make(params, ret) : AG_ENOTFOUND;
}

/* ---- descriptors ---- */

struct pipes {
    int old_value; /* ends that the program reads; -1: none */
    int new_value;
    int out;      /* the end that it writes */
    int out_read; /* and ours */
};

static void
pipes_close(struct pipes *p)
{
    fd_close(p->old_value);
    fd_close(p->new_value);
    fd_close(p->out);
    fd_close(p->out_read);
}

AG_DEFINE_CLEANUP_INPLACE(pipes, pipes_close)

/* The reading end of a pipe with the value in it. */
static enum ag_err
pipe_with(const struct secret *value, int *ret_fd)
{
    int ends[2];
    ssize_t put = 0;
    struct span view;

    if (value == NULL) {
        return AG_OK;
    }
    view = secret_view(value);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return err_from_errno(errno);
    }
    put = write(ends[1], view.ptr, view.len);
    fd_close(ends[1]);
    if (put != (ssize_t)view.len) {
        fd_close(ends[0]);
        return err_why(AG_ELIMIT, "the value is too long for a program");
    }
    *ret_fd = ends[0];
    return fd_set_nonblock(ends[0], false);
}

static enum ag_err
open_pipes(const struct rotator_call *call, bool makes, struct pipes *p)
{
    int ends[2];
    enum ag_err err = pipe_with(call->old_value, &p->old_value);

    if (err == AG_OK) {
        err = pipe_with(call->new_value, &p->new_value);
    }
    if (err != AG_OK || call->act != ROTATOR_PREPARE || !makes) {
        return err;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    p->out_read = ends[0];
    p->out = ends[1];
    return fd_set_nonblock(p->out_read, true);
}

/* Without the newline that a shell adds. Errors: AG_ENOTFOUND nothing came. */
static enum ag_err
read_value(int fd, struct secret **ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    size_t len = 0;
    ssize_t got = 1;
    enum ag_err err = secret_new(VALUE_MAX_BYTES, &value);

    while (err == AG_OK && got > 0 && len < VALUE_MAX_BYTES) {
        got = poll(&wait, 1, READ_WAIT_MS) == 1
                  ? read(fd, secret_bytes(value) + len, VALUE_MAX_BYTES - len)
                  : -1;
        len += got > 0 ? (size_t)got : 0;
    }
    if (err == AG_OK && len > 0 && secret_bytes(value)[len - 1] == '\n') {
        len--;
    }
    if (err != AG_OK || got != 0 || len == 0) {
        return err != AG_OK ? err : AG_ENOTFOUND;
    }
    return secret_from(span_of(secret_bytes(value), len), ret);
}

/* ---- the act ---- */

static json_t *
number_or_null(int fd, int number)
{
    return fd >= 0 ? json_integer(number) : json_null();
}

static enum ag_err
write_input(const struct rotator_call *call, const json_t *more,
            const struct pipes *p, struct buf *out)
{
    char id[24];
    AG_AUTO(wjson) json_t *input = NULL;

    (void)snprintf(id, sizeof(id), "%lld", (long long)call->rotation_id);
    input = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "act",
                      rotator_act_text(call->act), "rotation", id, "secret",
                      call->secret_name, "old_fd",
                      number_or_null(p->old_value, RUNNER_OLD_FD), "new_fd",
                      number_or_null(p->new_value, RUNNER_NEW_FD), "out_fd",
                      number_or_null(p->out, RUNNER_OUT_FD));
    if (input == NULL ||
        (more != NULL &&
         json_object_update(input, (json_t *)(uintptr_t)more) != 0)) {
        return AG_ENOMEM;
    }
    return wjson_dump(input, out);
}

static void
settle(struct rotator_answer *ret, enum rotator_outcome outcome,
       const char *code)
{
    ret->outcome = outcome;
    (void)snprintf(ret->code, sizeof(ret->code), "%s", code);
}

/* A word that may stand in the journal. That it is none of the values is looked
 * after by who has them (rotator.h). */
static bool
is_code(const char *text)
{
    size_t len = strlen(text);

    return len <= CODE_MAX_BYTES &&
           (len == 0 || (text[0] >= 'a' && text[0] <= 'z')) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == len;
}

static bool
read_answer(struct span text, struct rotator_answer *ret)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    const char *outcome = NULL;
    const char *code = "";

    if (wjson_parse(text, RUNNER_OUTPUT_MAX_BYTES, &answer) != AG_OK ||
        json_unpack(answer, "{s:s, s?s !}", "outcome", &outcome, "code",
                    &code) != 0 ||
        !is_code(code)) {
        return false;
    }
    if (strcmp(outcome, "done") == 0) {
        settle(ret, ROTATOR_DONE, code);
    } else if (strcmp(outcome, "refused") == 0) {
        settle(ret, ROTATOR_REFUSED, code);
    } else if (strcmp(outcome, "later") == 0) {
        settle(ret, ROTATOR_LATER, code);
    } else {
        return false;
    }
    return true;
}

/* What the program's end and its words say. */
static void
judge(const struct runner_result *result, struct span output,
      struct rotator_answer *ret)
{
    if (result->cut_off) {
        settle(ret, ROTATOR_UNSURE, "cut_off");
    } else if (result->timed_out) {
        settle(ret, ROTATOR_UNSURE, "timeout");
    } else if (result->status != 0) {
        settle(ret, ROTATOR_UNSURE,
               result->status > 0 ? "exit_code" : "killed");
    } else if (!read_answer(output, ret)) {
        settle(ret, ROTATOR_UNSURE, "garbage");
    }
}

/* The runner said no, before anything was started, or is gone. */
static enum ag_err
not_run(struct runner *runner, enum ag_err err, struct rotator_answer *ret)
{
    if (err == AG_ENOMEM) {
        return err;
    }
    if (err == AG_ECHANGED) {
        settle(ret, ROTATOR_REFUSED, "program_changed");
    } else if (err == AG_ENOTFOUND || err == AG_EDENIED || err == AG_EFILE) {
        settle(ret, ROTATOR_REFUSED, "program_missing");
    } else if (err == AG_ELOCKED) {
        settle(ret, ROTATOR_UNSURE, "cut_off");
    } else if (err == AG_EUNSUPPORTED && runner_is_alive(runner)) {
        settle(ret, ROTATOR_REFUSED, "memfd_noexec");
    } else {
        settle(ret, ROTATOR_UNSURE, err_code(err));
    }
    return AG_OK;
}

enum ag_err
command_act(const struct rotator_call *call, const json_t *more,
            struct rotator_answer *ret)
{
    AG_AUTO(pipes) struct pipes p = {-1, -1, -1, -1};
    AG_AUTO(buf) struct buf input = {0};
    AG_AUTO(buf) struct buf output = {0};
    struct runner_result result = {0};
    struct runner_job job = {.act = rotator_act_text(call->act)};
    enum ag_err err = AG_OK;

    if (call->runner == NULL || call->program == NULL) {
        settle(ret, ROTATOR_REFUSED, "program_missing");
        return AG_OK;
    }
    buf_init(&input, RUNNER_INPUT_MAX_BYTES, BUF_PLAIN);
    buf_init(&output, RUNNER_OUTPUT_MAX_BYTES, BUF_WIPE);
    err = open_pipes(call, more == NULL && !generates(call->params), &p);
    if (err == AG_OK) {
        err = write_input(call, more, &p, &input);
    }
    if (err != AG_OK) {
        return err;
    }
    if (call->forget != NULL) {
        call->forget(call->forget_ctx);
    }
    job.path = call->program->path;
    job.hash = call->program->hash;
    job.limit_ms = call->program->limit_ms;
    job.input = buf_view(&input);
    job.old_fd = p.old_value;
    job.new_fd = p.new_value;
    job.out_fd = p.out;
    err = runner_run(call->runner, &job, &result, &output);
    fd_close(FD_TAKE(p.out));
    if (err != AG_OK) {
        return not_run(call->runner, err, ret);
    }
    judge(&result, buf_view(&output), ret);
    if (ret->outcome == ROTATOR_DONE && p.out_read >= 0 &&
        read_value(p.out_read, &ret->value) != AG_OK) {
        settle(ret, ROTATOR_UNSURE, "no_value");
    }
    return AG_OK;
}

static enum ag_err
act(const struct rotator_call *call, struct rotator_answer *ret)
{
    return command_act(call, NULL, ret);
}

const struct rotator ROTATOR_COMMAND = {
    .name = "command",
    .check = check,
    .make = make,
    .program_name = program_name,
    .act = act,
};
