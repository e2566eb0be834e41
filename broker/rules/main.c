/*
 * auth-guard-rules: checks rules for unknown secrets and compiles them for the
 * Vectorscan that is installed here. Beside the two programs, since only this
 * one needs Vectorscan's compiler.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "base/paths.h"
#include "redact/rule_pack.h"
#include "rules/check.h"
#include "rules/compile.h"
#include "rules/load.h"

static const char USAGE[] =
    "usage: auth-guard-rules check PATH...\n"
    "       auth-guard-rules compile [--out DIR] PATH...\n"
    "       auth-guard-rules pack PATH...\n"
    "       auth-guard-rules install\n"
    "\n"
    "A PATH is a file of rules or a directory of them.\n"
    "check    loads them and tries every example\n"
    "compile  writes default.rules and all.rules for the filter to DIR (.)\n"
    "pack     writes one file of all of them to stdout\n"
    "install  compiles the shipped rules to where the programs look for them\n";

static void
say(void *ctx, const char *problem)
{
    (void)ctx;
    (void)fprintf(stderr, "auth-guard-rules: %s\n", problem);
}

static enum ag_err
check(char *const *paths, size_t count)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;
    size_t problem_count = 0;
    enum ag_err err = rule_book_load(paths, count, &book);

    if (err == AG_OK) {
        err = rule_check(book, say, NULL, &problem_count);
    }
    if (err == AG_OK && problem_count > 0) {
        return err_why(AG_EINVAL, "%zu examples are not as they should be",
                       problem_count);
    }
    if (err == AG_OK) {
        (void)printf("%zu rules are right\n", rule_book_count(book));
    }
    return err;
}

static enum ag_err
write_pack(const struct rule_book *book, enum rule_level level, int dir_fd)
{
    static const char *const NAMES[] = {"default.rules", "all.rules"};
    AG_AUTO(buf) struct buf pack = {0};
    enum ag_err err;

    buf_init(&pack, RULE_PACK_MAX_BYTES, BUF_PLAIN);
    err = rule_compile(book, level, &pack);
    if (err == AG_OK) {
        err = fs_replace(dir_fd, NAMES[level], buf_view(&pack));
    }
    /* Rules are public. */
    if (err == AG_OK && fchmodat(dir_fd, NAMES[level], 0644, 0) != 0) {
        err = err_from_errno(errno);
    }
    return err;
}

static enum ag_err
compile(const char *out, char *const *paths, size_t count)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;
    AG_AUTO(fd) int dir_fd = -1;
    enum ag_err err = rule_book_load(paths, count, &book);

    if (err != AG_OK) {
        return err;
    }
    if (mkdir(out, 0755) != 0 && errno != EEXIST) {
        return err_why(err_from_errno(errno), "%s: %s", out,
                       strerrordesc_np(errno));
    }
    dir_fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", out,
                       strerrordesc_np(errno));
    }
    err = write_pack(book, RULE_LEVEL_DEFAULT, dir_fd);
    return err == AG_OK ? write_pack(book, RULE_LEVEL_ALL, dir_fd) : err;
}

static enum ag_err
pack(char *const *paths, size_t count)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;
    AG_AUTO(buf) struct buf out = {0};
    enum ag_err err = rule_book_load(paths, count, &book);

    buf_init(&out, RULE_PACK_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = rule_compile_all(book, &out);
    }
    return err == AG_OK ? fd_write_all(STDOUT_FILENO, buf_view(&out)) : err;
}

static enum ag_err
install(void)
{
    struct paths p;
    char rules[PATH_BYTES + sizeof("/rules")];
    char *paths[] = {rules};
    enum ag_err err = paths_find(&p);

    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(rules, sizeof(rules), "%s/rules", p.data);
    return compile(p.rules, paths, 1);
}

/* compile [--out DIR] PATH... */
static enum ag_err
compile_words(char *const *words, size_t count)
{
    if (strcmp(words[0], "--out") != 0) {
        return compile(".", words, count);
    }
    return count > 2 ? compile(words[1], words + 2, count - 2) : AG_EUSAGE;
}

static enum ag_err
install_words(char *const *words, size_t count)
{
    (void)words;
    (void)count;
    return install();
}

static enum ag_err
help(char *const *words, size_t count)
{
    (void)words;
    (void)count;
    (void)fputs(USAGE, stdout);
    return AG_OK;
}

static const struct {
    const char *name;
    bool takes_words;
    enum ag_err (*run)(char *const *words, size_t count);
} VERBS[] = {
    {"check", true, check},  {"compile", true, compile_words},
    {"pack", true, pack},    {"install", false, install_words},
    {"--help", false, help},
};

int
main(int argc, char **argv)
{
    enum ag_err err = AG_EUSAGE;

    for (size_t i = 0; argc > 1 && i < AG_COUNT(VERBS); i++) {
        if (strcmp(argv[1], VERBS[i].name) == 0 &&
            VERBS[i].takes_words == (argc > 2)) {
            err = VERBS[i].run(argv + 2, (size_t)argc - 2);
        }
    }
    if (err == AG_EUSAGE) {
        (void)fputs(USAGE, stderr);
    } else if (err != AG_OK) {
        say(NULL, err_text(err));
    }
    return err_exit(err);
}
