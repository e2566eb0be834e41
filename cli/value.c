#include "value.h"

#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/secret.h"
#include "body.h"
#include "cli.h"
#include "keyfile.h"
#include "tty.h"

enum ag_err
value_ask(struct cli *cli, const char *from, const char *prompt,
          struct secret **ret)
{
    struct span text;
    enum ag_err err;

    if (from == NULL && isatty(STDIN_FILENO) == 1) {
        return tty_secret_line(cli, prompt, ret);
    }
    err = value_read(cli, from == NULL ? "-" : from, ret);
    if (err != AG_OK || from != NULL) {
        return err;
    }
    text = secret_view(*ret);
    if (text.len > 0 && span_find(text, '\n') == text.len - 1) {
        secret_shrink(*ret, text.len - 1);
    }
    return AG_OK;
}

static enum ag_err
print_decoded(const struct secret *answer)
{
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(secret) struct secret *bytes = NULL;
    json_auto_t *rest = NULL;
    struct span view;
    enum ag_err err = body_take(answer, "value", &value, &rest);

    if (err == AG_OK && strcmp(out_member(rest, "encoding"), "base64") == 0) {
        err = decode_base64_secret(secret_view(value), &bytes);
    }
    if (err != AG_OK) {
        return err;
    }
    view = secret_view(bytes != NULL ? bytes : value);
    err = out_bytes(view);
    if (err == AG_OK && isatty(STDOUT_FILENO) == 1 &&
        (view.len == 0 || view.ptr[view.len - 1] != '\n')) {
        err = out_bytes(span_str("\n"));
    }
    return err;
}

enum ag_err
value_print(struct cli *cli, const struct secret *answer)
{
    enum ag_err err;

    if (!cli->out.json) {
        return print_decoded(answer);
    }
    err = out_bytes(secret_view(answer));
    return err == AG_OK ? out_bytes(span_str("\n")) : err;
}
