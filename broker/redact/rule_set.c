#include "redact/rule_set.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "redact/rule_set_impl.h"

enum {
    PATH_MAX_BYTES = 4096,
    REGEX_MAX_BYTES = 4096,
};

/* ---- regexes ---- */

static enum ag_err
compile(const struct rule_lib *lib, const char *regex, pcre2_code **ret)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *compiled = lib->pcre2_compile_8(
        (PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
        PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);

    if (compiled == NULL) {
        return err_why(AG_ECORRUPT, "a compiled rule's regex is no regex");
    }
    /* Without it a match is slower and the same. */
    (void)lib->pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE);
    *ret = compiled;
    return AG_OK;
}

enum ag_err
rule_code_compile(const struct rule_lib *lib, struct rule_code *code)
{
    const struct rule *rule = code->rule;
    char regex[REGEX_MAX_BYTES];
    int len = snprintf(regex, sizeof(regex), "(?:%s)\\z", rule->regex);
    enum ag_err err =
        len > 0 && (size_t)len < sizeof(regex) ? AG_OK : AG_ELIMIT;

    for (size_t i = 0; err == AG_OK && i < rule->allow_count; i++) {
        err = compile(lib, rule->allow[i], &code->allow[i]);
    }
    return err == AG_OK ? compile(lib, regex, &code->regex) : err;
}

static enum ag_err
add_rule(struct rule_set *set, const struct rule *rule)
{
    struct rule_code *code = &set->codes[set->count];
    enum ag_err err = AG_OK;

    code->rule = rule;
    set->count++;
    code->allow = calloc(rule->allow_count + 1, sizeof(pcre2_code *));
    if (code->allow == NULL) {
        err = AG_ENOMEM;
    } else if (set->flags == RULE_SET_READY) {
        err = rule_code_compile(set->lib, code);
    }
    if (rule->window > set->window) {
        set->window = rule->window;
    }
    return err == AG_OK ? rule_open_add(set->open, rule) : err;
}

/* ---- packs ---- */

static enum ag_err
other_engine(const char *theirs, const char *ours)
{
    return err_why(AG_EUNSUPPORTED,
                   "the rules were compiled for Vectorscan %.*s, here is "
                   "%.*s; compile them again: auth-guard-rules install, or "
                   "go on with --rules known",
                   (int)strcspn(theirs, " "), theirs, (int)strcspn(ours, " "),
                   ours);
}

static enum ag_err
add_database(const struct rule_set *set, struct span bytes, hs_database_t **ret)
{
    return set->lib->hs_deserialize_database((const char *)bytes.ptr, bytes.len,
                                             ret) == HS_SUCCESS
               ? AG_OK
               : err_why(AG_ECORRUPT,
                         "the compiled rules are damaged; compile them again: "
                         "auth-guard-rules install");
}

static enum ag_err
add_pack(struct rule_set *set, struct span bytes)
{
    size_t at = set->pack_count;
    struct rule_pack_parts parts;
    struct rule_code *more;
    enum ag_err err = rule_pack_read(bytes, &set->packs[at]);

    if (err != AG_OK) {
        return err;
    }
    set->pack_count++;
    parts = rule_pack_parts(set->packs[at]);
    if (strcmp(parts.engine, set->lib->hs_version()) != 0) {
        return other_engine(parts.engine, set->lib->hs_version());
    }
    err = add_database(set, parts.database, &set->databases[at]);
    if (err == AG_OK && parts.gated.len > 0) {
        err = add_database(set, parts.gated, &set->gated[at]);
    }
    if (err != AG_OK) {
        return err;
    }
    if (set->count + parts.count > RULES_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d rules", (int)RULES_MAX_COUNT);
    }
    more = reallocarray(set->codes, set->count + parts.count, sizeof(*more));
    if (more == NULL) {
        return AG_ENOMEM;
    }
    memset(more + set->count, 0, parts.count * sizeof(*more));
    set->codes = more;
    set->firsts[at] = set->count;
    for (size_t i = 0; err == AG_OK && i < parts.count; i++) {
        const struct rule *rule = &parts.rules[i];

        if (rule->window > set->reach[at][rule->gate]) {
            set->reach[at][rule->gate] = rule->window;
        }
        err = add_rule(set, rule);
    }
    return err;
}

enum ag_err
rule_set_new(const struct span *packs, size_t count, enum rule_set_flags flags,
             struct rule_set **ret)
{
    AG_AUTO(rule_set) struct rule_set *set = calloc(1, sizeof(*set));
    enum ag_err err = set == NULL ? AG_ENOMEM : rule_lib_open(&set->lib);

    if (err == AG_OK && (count == 0 || count > RULE_PACKS_MAX_COUNT)) {
        err = err_why(AG_ELIMIT, "%zu packs of rules; there can be %d", count,
                      (int)RULE_PACKS_MAX_COUNT);
    }
    if (err == AG_OK) {
        set->flags = flags;
        err = rule_open_new(&set->open);
    }
    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = add_pack(set, packs[i]);
    }
    if (err != AG_OK) {
        return err;
    }
    rule_open_ready(set->open);
    *ret = AG_TAKE(set);
    return AG_OK;
}

void
rule_set_free(struct rule_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        struct rule_code *code = &set->codes[i];

        for (size_t j = 0; code->allow != NULL && j < code->rule->allow_count;
             j++) {
            set->lib->pcre2_code_free_8(code->allow[j]);
        }
        free(code->allow);
        set->lib->pcre2_code_free_8(code->regex);
    }
    free(set->codes);
    rule_open_free(set->open);
    for (size_t i = 0; i < set->pack_count; i++) {
        if (set->databases[i] != NULL) {
            (void)set->lib->hs_free_database(set->databases[i]);
        }
        if (set->gated[i] != NULL) {
            (void)set->lib->hs_free_database(set->gated[i]);
        }
        rule_pack_free(set->packs[i]);
    }
    free(set);
}

size_t
rule_set_count(const struct rule_set *set)
{
    return set->count;
}

const struct rule *
rule_set_at(const struct rule_set *set, size_t index)
{
    AG_ASSERT(index < set->count);
    return set->codes[index].rule;
}

size_t
rule_set_window(const struct rule_set *set)
{
    return set->window;
}

/* ---- files ---- */

/* Who could change this very program: in a user namespace, where root's files
 * are nobody's, there is no other way to know them. */
static bool
owns_program(uid_t uid)
{
    struct stat st;

    return stat("/proc/self/exe", &st) == 0 && st.st_uid == uid;
}

/* A pack is code: only root or the caller may be able to write it. */
static enum ag_err
check_owner(int fd, const char *path, struct stat *st)
{
    if (fstat(fd, st) != 0) {
        return err_from_errno(errno);
    }
    if (!S_ISREG(st->st_mode) ||
        (st->st_uid != 0 && st->st_uid != geteuid() &&
         !owns_program(st->st_uid)) ||
        (st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_why(AG_EMODE,
                       "%s: must be a regular file of yours or root's that "
                       "nobody else can write",
                       path);
    }
    return AG_OK;
}

/* Maps all of it: half a millisecond less of each start than to read it. Who may
 * write to it might as well have written before. */
static enum ag_err
map_pack(const char *path, struct span *ret)
{
    AG_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    void *at;
    enum ag_err err;

    if (fd < 0 && errno == ENOENT) {
        return err_why(AG_ENOTFOUND,
                       "%s is not there; compile the rules: auth-guard-rules "
                       "install, or go on with --rules known",
                       path);
    }
    err = fd < 0 ? err_why(err_from_errno(errno), "%s: %s", path,
                           strerrordesc_np(errno))
                 : check_owner(fd, path, &st);
    if (err != AG_OK) {
        return err;
    }
    if (st.st_size <= 0 || st.st_size > RULE_PACK_MAX_BYTES) {
        return err_why(st.st_size <= 0 ? AG_ECORRUPT : AG_ELIMIT,
                       "%s: compiled rules of %lld bytes", path,
                       (long long)st.st_size);
    }
    at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
              fd, 0);
    if (at == MAP_FAILED) {
        return err_from_errno(errno);
    }
    *ret = span_of(at, (size_t)st.st_size);
    return AG_OK;
}

enum ag_err
rule_set_load(const struct rule_source *source, struct rule_set **ret)
{
    static const char *const NAMES[] = {"default", "all"};
    struct span files[AG_COUNT(NAMES)] = {{.ptr = NULL}};
    struct span packs[AG_COUNT(NAMES) + 1];
    size_t count = source->level == RULES_ALL       ? 2
                   : source->level == RULES_DEFAULT ? 1
                                                    : 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < count; i++) {
        char path[PATH_MAX_BYTES];

        (void)snprintf(path, sizeof(path), "%s/%s.rules", source->dir,
                       NAMES[i]);
        err = map_pack(path, &files[i]);
        packs[i] = files[i];
    }
    if (source->own != NULL) {
        packs[count++] = *source->own;
    }
    if (err == AG_OK) {
        err = rule_set_new(packs, count, source->flags, ret);
    }
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        if (files[i].len > 0) {
            (void)munmap((void *)(uintptr_t)files[i].ptr, files[i].len);
        }
    }
    return err;
}
