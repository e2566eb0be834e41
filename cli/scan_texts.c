#include "scan_texts.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "cli.h"
#include "hook/search.h"
#include "move/find.h"
#include "profile/expand.h"
#include "transcript/kind.h"
#include "transcript/walk.h"

enum {
    WORDS_MAX_BYTES = 1024, /* of one find: a name and a form */
};

static const struct arg_list NO_FILES = {.count = 0};

static const char *const USUAL[] = {
    /* shells and the like */
    "~/.bash_history",
    "~/.zsh_history",
    "~/.zhistory",
    "~/.histfile",
    "~/.history",
    "~/.local/share/fish/fish_history",
    "~/.python_history",
    "~/.node_repl_history",
    "~/.psql_history",
    "~/.mysql_history",
    "~/.sqlite_history",
    "~/.irb_history",
    /* agents: transcripts, and what they are told each time */
    "${CODEX_HOME:-~/.codex}/sessions",
    "${CODEX_HOME:-~/.codex}/archived_sessions",
    "${CODEX_HOME:-~/.codex}/history.jsonl",
    "${CODEX_HOME:-~/.codex}/shell_snapshots",
    "${CODEX_HOME:-~/.codex}/AGENTS.md",
    "${CLAUDE_CONFIG_DIR:-~/.claude}/projects",
    "${CLAUDE_CONFIG_DIR:-~/.claude}/history.jsonl",
    "${CLAUDE_CONFIG_DIR:-~/.claude}/CLAUDE.md",
    "~/.gemini/tmp",
    "~/.gemini/GEMINI.md",
    "~/.local/share/opencode/storage",
    "~/.aider.chat.history.md",
    "~/.aider.input.history",
};

void
scan_texts_done(struct scan_texts *s)
{
    json_decref(s->found);
    search_free(s->search);
}

enum ag_err
scan_texts_open(struct scan_texts *s)
{
    const struct search_terms terms = {.known = SEARCH_KNOWN_IF_OPEN,
                                       .rules = RULE_WORD_DEFAULT,
                                       .files = &NO_FILES};

    s->found = json_array();
    return s->found == NULL ? AG_ENOMEM
                            : search_open(s->cli, &terms, &s->search);
}

const char *
scan_texts_without(const struct scan_texts *s)
{
    return search_without(s->search);
}

/* ---- one file ---- */

/* Into memory that can't grow past the limit, whatever it unpacks to. */
static enum ag_err
unpack(int fd, enum pack_kind pack, int *ret)
{
    AG_AUTO(fd)
    int plain = memfd_create("text", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    off_t len = 0;
    enum ag_err err;

    if (plain < 0 || ftruncate(plain, SCAN_TEXT_MAX_BYTES) != 0 ||
        fcntl(plain, F_ADD_SEALS, F_SEAL_GROW) != 0) {
        return err_from_errno(errno);
    }
    err = pack_open(pack, fd, plain);
    if (err != AG_OK) {
        return err;
    }
    len = lseek(plain, 0, SEEK_CUR);
    if (len < 0 || ftruncate(plain, len) != 0 ||
        lseek(plain, 0, SEEK_SET) < 0) {
        return err_from_errno(errno);
    }
    *ret = FD_TAKE(plain);
    return AG_OK;
}

/* Its text, at its beginning; AG_EFILE: none of ours to look into. */
static enum ag_err
open_text(int dir_fd, const char *name, int *ret)
{
    AG_AUTO(fd)
    int fd = openat(dir_fd, name,
                    O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
    enum pack_kind pack = PACK_NONE;
    enum kind kind = KIND_EMPTY;
    struct stat st;
    enum ag_err err;

    if (fd < 0 || fstat(fd, &st) != 0) {
        return errno == ELOOP || errno == ENXIO ? AG_EFILE
                                                : err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        return AG_EFILE;
    }
    if (st.st_size > SCAN_TEXT_MAX_BYTES) {
        return AG_ELIMIT;
    }
    err = kind_of(fd, &kind, &pack);
    if (err != AG_OK || kind != KIND_TEXT) {
        return err == AG_OK ? AG_EFILE : err;
    }
    if (pack == PACK_NONE) {
        *ret = FD_TAKE(fd);
        return AG_OK;
    }
    return unpack(fd, pack, ret);
}

static enum ag_err
keep(struct scan_texts *s, const char *path, const struct place *p)
{
    AG_AUTO(buf) struct buf words;
    json_t *row;
    enum ag_err err;

    buf_init(&words, WORDS_MAX_BYTES, BUF_PLAIN);
    err = place_words(p, &words);
    if (err != AG_OK || buf_cstr(&words) == NULL) {
        return err == AG_OK ? AG_ENOMEM : err;
    }
    row = json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "path", path,
                    "severity", place_is_rule(p) ? "medium" : "high", "line",
                    (json_int_t)p->line, "column", (json_int_t)p->column,
                    "name", p->name, "form", p->form, "what", buf_cstr(&words));
    if (row == NULL) {
        s->more_count++; /* a path that is not UTF-8 can't be written as JSON */
        return AG_OK;
    }
    return json_array_append_new(s->found, row) == 0 ? AG_OK : AG_ENOMEM;
}

static enum ag_err
look_into(void *arg, int dir_fd, const char *name, const char *path)
{
    struct scan_texts *s = arg;
    AG_AUTO(places) struct places places = {.count = 0};
    AG_AUTO(fd) int fd = -1;
    enum ag_err err = open_text(dir_fd, name, &fd);

    if (err != AG_OK) {
        s->left_count += err == AG_EFILE ? 0 : 1;
        err_clear();
        return err == AG_ENOMEM ? err : AG_OK;
    }
    s->file_count++;
    out_progress(&s->cli->out, path);
    err = search_text(s->search, fd, STREAM_TEXT, &places);
    for (size_t i = 0; err == AG_OK && i < places.count; i++) {
        err = keep(s, path, &places.items[i]);
    }
    s->more_count += places.more;
    return err;
}

/* ---- places ---- */

enum ag_err
scan_texts_path(struct scan_texts *s, const char *path)
{
    struct walk w = {.each = look_into,
                     .pass_over = find_passes_over,
                     .arg = s,
                     .look_only = true};
    enum ag_err err = walk_path(&w, path);

    out_progress(&s->cli->out, NULL);
    s->unreadable_count += w.unreadable_count;
    return err;
}

enum ag_err
scan_texts_usual(struct scan_texts *s, const struct expand_env *env)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(USUAL); i++) {
        AG_AUTO(buf) struct buf path;

        buf_init(&path, EXPAND_MAX_BYTES, BUF_PLAIN);
        if (expand_path(USUAL[i], env, EXPAND_USUAL, &path) == AG_OK &&
            buf_cstr(&path) != NULL && access(buf_cstr(&path), R_OK) == 0) {
            err = scan_texts_path(s, buf_cstr(&path));
        }
        err_clear();
    }
    return err;
}
