#include "stray.h"

#include <fcntl.h>
#include <string.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "body.h"
#include "cli.h"
#include "client.h"

enum {
    LOOK_MAX_BYTES =
        64 * 1024, /* as scan looks at; credential files are small */
};

bool
stray_can_ask(struct cli *cli)
{
    json_auto_t *status = NULL;
    enum ag_err err = cli_call(cli, "GET", "/v1/status", NULL, &status);
    const char *class = out_member(json_object_get(status, "caller"), "class");

    return err == AG_OK && strcmp(out_member(status, "vault"), "open") == 0 &&
           strncmp(class, "operator", 8) == 0;
}

static enum ag_err
read_file(const char *path, struct secret **ret)
{
    AG_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    return fd < 0 ? AG_ENOTFOUND : fd_read_secret(fd, LOOK_MAX_BYTES, ret);
}

static enum ag_err
ask(struct cli *cli, const struct secret *body, json_t **ret)
{
    const struct client_request rq = {
        .method = "POST", .path = "/v1/placeholders", .secret_body = body};
    AG_AUTO(secret) struct secret *text = NULL;
    json_auto_t *answer = NULL;
    json_t *rows = NULL;
    enum ag_err err = cli_call_secret(cli, &rq, &text);

    if (err != AG_OK) {
        return err;
    }
    answer = json_loadb((const char *)secret_view(text).ptr,
                        secret_view(text).len, 0, NULL);
    rows = json_object_get(answer, "placeholders");
    if (!json_is_array(rows)) {
        return err_why(AG_ECORRUPT, "the broker's answer is none");
    }
    *ret = json_incref(rows);
    return AG_OK;
}

enum ag_err
stray_ask(struct cli *cli, const char *path, json_t **ret)
{
    AG_AUTO(secret) struct secret *content = NULL;
    AG_AUTO(secret) struct secret *body = NULL;
    enum ag_err err = read_file(path, &content);

    if (err == AG_OK) {
        err = body_make(NULL,
                        &(struct body_member){.name = "text", .value = content},
                        1, &body);
    }
    if (err == AG_OK) {
        return ask(cli, body, ret);
    }
    err_clear();
    *ret = json_array();
    return *ret == NULL || err == AG_EMEMLOCK ? AG_ENOMEM : AG_OK;
}
