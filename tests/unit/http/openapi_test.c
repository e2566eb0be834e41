/* schema/openapi.yaml and the route table say the same: every operation has a
 * row and every row an operation, with its callers, roles, sockets, needs,
 * query and body; every problem code is listed with its status. The file is
 * read by its indentation, as we write it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "caller/class.h"
#include "http/messages.h"
#include "http/routes.h"

enum {
    FILE_MAX_BYTES = 512 * 1024,
    LINE_BYTES = 512,
};

static struct buf text;

static int
load(void **state)
{
    AG_AUTO(fd) int fd = open(AG_SOURCE_DIR "/schema", O_RDONLY | O_DIRECTORY);

    (void)state;
    buf_init(&text, FILE_MAX_BYTES, BUF_PLAIN);
    assert_int_equal(fs_read(fd, "openapi.yaml", FILE_MAX_BYTES, &text), AG_OK);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    buf_done(&text);
    return 0;
}

/* The block below a line that is exactly `head`, up to the next line with the
 * same indent or less. NULL: there is no such line. The caller frees it. */
static char *
block_of(const char *within, const char *head)
{
    size_t indent = strspn(head, " ");
    size_t head_len = strlen(head);
    const char *start = NULL;

    for (const char *line = within; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t len = end != NULL ? (size_t)(end - line) : strlen(line);

        if (start != NULL && len > 0 && strspn(line, " ") <= indent) {
            return strndup(start, (size_t)(line - start));
        }
        if (start == NULL && len == head_len && strncmp(line, head, len) == 0) {
            start = end != NULL ? end + 1 : line + len;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return start != NULL ? strdup(start) : NULL;
}

static char *
operation(const struct route *row)
{
    char head[LINE_BYTES];
    char method[16] = "";
    char *paths = block_of(buf_cstr(&text), "paths:");
    char *path;
    char *found;

    for (size_t i = 0; row->method[i] != '\0'; i++) {
        method[i] = (char)(row->method[i] | 0x20);
    }
    (void)snprintf(head, sizeof(head), "  %s:", row->pattern);
    path = block_of(paths, head);
    if (path == NULL) {
        fail_msg("openapi.yaml has no path %s", row->pattern);
    }
    (void)snprintf(head, sizeof(head), "    %s:", method);
    found = block_of(path, head);
    if (found == NULL) {
        fail_msg("openapi.yaml has no %s %s", row->method, row->pattern);
    }
    free(path);
    free(paths);
    return found;
}

static void
expect_line(const struct route *row, const char *block, const char *line)
{
    char wanted[LINE_BYTES];

    (void)snprintf(wanted, sizeof(wanted), "%s\n", line);
    if (strstr(block, wanted) == NULL) {
        fail_msg("%s %s: openapi.yaml should say:%s", row->method, row->pattern,
                 line);
    }
}

struct word {
    unsigned int bits;
    const char *text;
};

/* "      x-callers: [a, b]" of those words whose bit is in the mask. */
static void
expect_words(const struct route *row, const char *block, const char *key,
             const struct word *words, size_t count, unsigned int mask)
{
    char line[LINE_BYTES];
    size_t len;
    bool first = true;

    (void)snprintf(line, sizeof(line), "      %s: [", key);
    for (size_t i = 0; i < count; i++) {
        if ((mask & words[i].bits) != 0) {
            len = strlen(line);
            (void)snprintf(line + len, sizeof(line) - len, "%s%s",
                           first ? "" : ", ", words[i].text);
            first = false;
        }
    }
    len = strlen(line);
    (void)snprintf(line + len, sizeof(line) - len, "]");
    expect_line(row, block, line);
}

static void
expect_demands(const struct route *row, const char *block)
{
    static const struct word CALLERS[] = {
        {1U << CALLER_NEIGHBOUR, "neighbour"},
        {1U << CALLER_SERVICE, "service"},
        {1U << CALLER_OPERATOR, "operator"},
        {1U << CALLER_PROOF, "proof"},
        {1U << CALLER_TASK, "task"},
    };
    static const struct word ROLES[] = {
        {1U << ROLE_ROTATOR, "rotator"},
        {1U << ROLE_RUNNER, "runner"},
        {1U << ROLE_AUDITOR, "auditor"},
        {1U << ROLE_BACKUP, "backup"},
    };
    static const struct word SOCKETS[] = {
        {HTTP_ADMIN, "admin"},
        {HTTP_TASK, "task"},
        {HTTP_TCP, "tcp"},
    };
    static const struct word NEEDS[] = {
        {ROUTE_OPEN, "open"},
        {ROUTE_TOKEN, "token"},
    };

    expect_words(row, block, "x-callers", CALLERS, AG_COUNT(CALLERS),
                 row->callers);
    expect_words(row, block, "x-roles", ROLES, AG_COUNT(ROLES), row->roles);
    expect_words(row, block, "x-sockets", SOCKETS, AG_COUNT(SOCKETS),
                 row->sockets);
    expect_words(row, block, "x-needs", NEEDS, AG_COUNT(NEEDS), row->flags);
}

static size_t
count_of(const char *block, const char *needle)
{
    size_t count = 0;

    for (const char *at = block; (at = strstr(at, needle)) != NULL; at++) {
        count++;
    }
    return count;
}

static void
expect_query(const struct route *row, const char *block)
{
    size_t count = row->query != NULL ? row->query->field_count : 0;

    for (size_t i = 0; i < count; i++) {
        char wanted[LINE_BYTES];

        (void)snprintf(wanted, sizeof(wanted),
                       "        - {name: %s, in: query,",
                       row->query->fields[i].name);
        if (strstr(block, wanted) == NULL) {
            fail_msg("%s %s: openapi.yaml lacks the parameter %s", row->method,
                     row->pattern, row->query->fields[i].name);
        }
    }
    assert_int_equal(count_of(block, "in: query,"), count);
}

static void
expect_field(const struct route *row, const char *block,
             const struct msg_field *field)
{
    char wanted[LINE_BYTES];
    const char *line;

    (void)snprintf(wanted, sizeof(wanted), "\n                %s: {",
                   field->name);
    line = strstr(block, wanted);
    if (line == NULL) {
        fail_msg("%s %s: openapi.yaml lacks the field %s", row->method,
                 row->pattern, field->name);
        return;
    }
    line++;
    if (field->type == MSG_STRING || field->type == MSG_SECRET) {
        char most[32];
        char *whole = strndup(line, strcspn(line, "\n"));

        (void)snprintf(most, sizeof(most), "maxLength: %lld",
                       (long long)field->max);
        if (strstr(whole, most) == NULL && strstr(whole, "enum:") == NULL) {
            fail_msg("%s %s: %s should have %s", row->method, row->pattern,
                     field->name, most);
        }
        free(whole);
    }
}

static void
expect_body(const struct route *row, const char *block)
{
    char required[LINE_BYTES] = "              required: [";
    bool first = true;
    size_t len;

    if (row->body == NULL) {
        assert_null(strstr(block, "requestBody:"));
        return;
    }
    assert_non_null(strstr(block, "additionalProperties: false"));
    for (size_t i = 0; i < row->body->field_count; i++) {
        const struct msg_field *field = &row->body->fields[i];

        expect_field(row, block, field);
        if ((field->flags & MSG_REQUIRED) != 0) {
            len = strlen(required);
            (void)snprintf(required + len, sizeof(required) - len, "%s%s",
                           first ? "" : ", ", field->name);
            first = false;
        }
    }
    len = strlen(required);
    (void)snprintf(required + len, sizeof(required) - len, "]");
    expect_line(row, block, required);
    assert_int_equal(count_of(block, "\n                "),
                     row->body->field_count);
}

static void
test_every_row_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUTES.count; i++) {
        const struct route *row = &ROUTES.rows[i];
        char *block = operation(row);

        expect_demands(row, block);
        expect_query(row, block);
        expect_body(row, block);
        free(block);
    }
}

static void
test_every_operation_has_a_row(void **state)
{
    char *paths = block_of(buf_cstr(&text), "paths:");

    (void)state;
    assert_int_equal(count_of(paths, "      operationId: "), ROUTES.count);
    free(paths);
}

static void
test_every_problem_is_listed_with_its_status(void **state)
{
    (void)state;
    for (int i = AG_OK + 1; i < AG_ERR_COUNT; i++) {
        enum ag_err err = (enum ag_err)i;
        char wanted[LINE_BYTES];

        if (err == AG_EFOUND) {
            continue; /* an exit code of `scan`, never an answer */
        }
        (void)snprintf(wanted, sizeof(wanted), "\n            - %s\n",
                       err_code(err));
        if (strstr(buf_cstr(&text), wanted) == NULL) {
            fail_msg("openapi.yaml lacks the code %s", err_code(err));
        }
        (void)snprintf(wanted, sizeof(wanted), "\n        %s: %d\n",
                       err_code(err), err_http(err));
        if (strstr(buf_cstr(&text), wanted) == NULL) {
            fail_msg("openapi.yaml lacks the status of %s", err_code(err));
        }
    }
}

/* The table itself: what may never be in a row. */
static void
test_rows_are_sane(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUTES.count; i++) {
        const struct route *row = &ROUTES.rows[i];
        bool is_get = strcmp(row->method, "GET") == 0;

        assert_non_null(row->run);
        assert_true(row->callers != CALLER_MAY_NONE);
        assert_true(row->durable == NULL || row->work == WORK_READ);
        assert_false(is_get && row->body != NULL);
        assert_false(is_get && row->work == WORK_WRITE);
        /* The admin API is never on TCP. */
        assert_false((row->sockets & HTTP_TCP) != 0 &&
                     (row->callers & CALLER_MAY_TASK) == 0);
        /* Only an operator starts, reveals by himself, or widens. */
        assert_false(strcmp(row->pattern, "/v1/tasks") == 0 &&
                     (row->callers & CALLER_MAY_TASK) != 0);
        assert_true((row->roles == ROLES_NONE) ==
                        ((row->callers & CALLER_MAY_SERVICE) == 0) ||
                    row->callers == CALLER_MAY_OUTSIDE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_described),
        cmocka_unit_test(test_every_operation_has_a_row),
        cmocka_unit_test(test_every_problem_is_listed_with_its_status),
        cmocka_unit_test(test_rows_are_sane),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
