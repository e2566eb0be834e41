/* hook run codex|claude: what an agent calls at an event. */
#include <sys/stat.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/buf.h"
#include "base/fdx.h"
#include "cli.h"
#include "hook/added.h"
#include "hook/agent.h"
#include "hook/behind.h"
#include "hook/credential.h"
#include "hook/hook.h"
#include "hook/leaves.h"
#include "hook/reach.h"
#include "hook/search.h"
#include "printset.h"
#include "redaction.h"
#include "shim.h"

enum {
    EVENT_MAX_BYTES = 64 * 1024 * 1024, /* what a tool answered is in it */
    WHY_MAX_BYTES = 16 * 1024,
    TOLD_MAX_COUNT = 5, /* finds by name; the rest is counted */
};

static const struct arg_list NO_FILES = {.count = 0};

struct asking {
    struct cli *cli;
    const struct agent *agent;
    enum agent_event event;
    bool must_know;
    const char *set; /* of fingerprints, or NULL */
    json_t *root;    /* what the agent told; owned */
    struct added *added;
    struct search *search;
    struct places found;
};

static void
asking_done(struct asking *a)
{
    json_decref(a->root);
    added_free(a->added);
    search_free(a->search);
    places_done(&a->found);
}
AG_DEFINE_CLEANUP_INPLACE(asking, asking_done)

/* ---- what the agent told ---- */

static enum ag_err
read_event(struct asking *a)
{
    AG_AUTO(fd) int fd = -1;
    AG_AUTO(buf) struct buf text;
    json_error_t wrong;
    struct stat st;
    uint8_t *room = NULL;
    enum ag_err err = search_spool(STDIN_FILENO, &fd);

    buf_init(&text, EVENT_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK && fstat(fd, &st) != 0) {
        err = err_from_errno(errno);
    }
    if (err == AG_OK) {
        err = buf_room(&text, (size_t)st.st_size, &room);
    }
    if (err == AG_OK && pread(fd, room, (size_t)st.st_size, 0) != st.st_size) {
        err = AG_EIO;
    }
    if (err != AG_OK) {
        return err;
    }
    buf_grew(&text, (size_t)st.st_size);
    a->root = json_loadb((const char *)text.ptr, text.len,
                         JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &wrong);
    if (!json_is_object(a->root)) {
        return err_why(AG_EINVAL, "what %s told is no JSON object",
                       a->agent->title);
    }
    if (strcmp(out_member(a->root, "hook_event_name"),
               agent_event_name(a->event)) != 0) {
        return err_why(AG_EINVAL, "what %s told is no %s", a->agent->title,
                       agent_event_name(a->event));
    }
    return AG_OK;
}

static const json_t *
subject(const struct asking *a)
{
    static const char *const members[] = {[AGENT_BEFORE] = "tool_input",
                                          [AGENT_BEHIND] = "tool_response",
                                          [AGENT_PROMPT] = "prompt"};

    return json_object_get(a->root, members[a->event]);
}

/* ---- values and what looks like one ---- */

static enum ag_err
look(struct asking *a)
{
    const struct search_terms terms = {
        .known = a->must_know ? SEARCH_KNOWN_MUST : SEARCH_KNOWN_IF_OPEN,
        .rules = RULE_WORD_DEFAULT,
        .files = &NO_FILES,
        .set = a->set};
    int fd = -1;
    enum ag_err err = added_new(&a->added);

    if (err == AG_OK) {
        err = leaves_gather(subject(a), a->added);
    }
    if (err == AG_OK) {
        err = search_open(a->cli, &terms, &a->search);
    }
    if (err != AG_OK || added_is_empty(a->added)) {
        return err;
    }
    err = added_fd(a->added, &fd);
    return err == AG_OK ? search_text(a->search, fd, STREAM_TEXT, &a->found)
                        : err;
}

/* "holds the value of web/key (in new_string)"; each once. */
static enum ag_err
tell_found(const struct asking *a, struct buf *out)
{
    size_t told = 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0;
         err == AG_OK && i < a->found.count && told < TOLD_MAX_COUNT; i++) {
        const struct place *p = &a->found.items[i];

        if (i > 0 && strcmp(p->name, a->found.items[i - 1].name) == 0 &&
            strcmp(p->form, a->found.items[i - 1].form) == 0) {
            continue;
        }
        err = buf_add_str(out, told++ == 0 ? "" : ", and ");
        if (err == AG_OK) {
            err = place_words(p, out);
        }
    }
    return err;
}

static bool
has_value(const struct asking *a)
{
    for (size_t i = 0; i < a->found.count; i++) {
        if (!place_is_rule(&a->found.items[i])) {
            return true;
        }
    }
    return false;
}

/* ---- before a tool ---- */

/* Where the agent says that the command will run. */
static const char *
directory(const struct asking *a)
{
    const char *cwd = json_string_value(json_object_get(a->root, "cwd"));

    return cwd != NULL && *cwd == '/' ? cwd : "/";
}

/* As a text, or as words. */
static enum ag_err
command_text(const json_t *command, struct buf *out)
{
    const json_t *word;
    size_t i;
    enum ag_err err = AG_OK;

    if (json_is_string(command)) {
        return buf_add(out, span_of(json_string_value(command),
                                    json_string_length(command)));
    }
    json_array_foreach(command, i, word)
    {
        if (err == AG_OK && json_is_string(word)) {
            err = shim_add_quoted(out, json_string_value(word));
        }
        if (err == AG_OK) {
            err = buf_add_byte(out, ' ');
        }
    }
    return err;
}

static enum ag_err
check_command(const struct asking *a, struct credentials *credentials,
              struct buf *why)
{
    const json_t *input = subject(a);
    const json_t *command = json_object_get(input, "command");
    AG_AUTO(buf) struct buf text;
    enum ag_err err;

    if (command == NULL) {
        command = json_object_get(input, "cmd");
    }
    buf_init(&text, EVENT_MAX_BYTES, BUF_WIPE);
    err = command_text(command, &text);
    /* A patch is a "command" too. */
    return err == AG_OK && text.len > 0 &&
                   strcmp(out_member(a->root, "tool_name"), "apply_patch") != 0
               ? reach_command(credentials, buf_view(&text), why)
               : err;
}

/* Tools that are given a file to read, not those that write one. */
static enum ag_err
check_paths(const struct asking *a, struct credentials *credentials,
            struct buf *why)
{
    static const char *const members[] = {"file_path", "path", "notebook_path"};
    static const char *const others[] = {"Write", "Glob", "LS"};
    const char *tool = out_member(a->root, "tool_name");
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < AG_COUNT(others); i++) {
        if (strcmp(tool, others[i]) == 0) {
            return AG_OK;
        }
    }
    for (size_t i = 0; err == AG_OK && why->len == 0 && i < AG_COUNT(members);
         i++) {
        const char *path =
            json_string_value(json_object_get(subject(a), members[i]));

        if (path != NULL) {
            err = reach_path(credentials, path, strcmp(tool, "Grep") == 0, why);
        }
    }
    return err;
}

static enum ag_err
check_reach(const struct asking *a, struct buf *why)
{
    AG_AUTO(credentials)
    struct credentials credentials = {.cli = a->cli, .cwd = "/"};
    enum ag_err err;

    credentials_cd(&credentials, directory(a));
    err = check_command(a, &credentials, why);

    return err == AG_OK && why->len == 0 ? check_paths(a, &credentials, why)
                                         : err;
}

/* ---- answers ---- */

static enum ag_err
refuse(const struct asking *a, bool is_value, const char *why)
{
    AG_AUTO(buf) struct buf reason;
    bool asks = a->agent->can_ask && !is_value;
    enum ag_err err;

    buf_init(&reason, 2UL * WHY_MAX_BYTES, BUF_PLAIN);
    err = buf_fmt(&reason, "auth-guard: this call %s. %s", why,
                  asks ? "Let it run?"
                       : "It was not run. Do without, or ask the person to "
                         "do it; auth-guard run gives a tool what it needs "
                         "without showing it.");
    return err != AG_OK || buf_cstr(&reason) == NULL
               ? AG_ENOMEM
               : behind_print(
                     a->cli,
                     json_pack("{s:{s:s, s:s, s:s}}", "hookSpecificOutput",
                               "hookEventName", agent_event_name(a->event),
                               "permissionDecision", asks ? "ask" : "deny",
                               "permissionDecisionReason", buf_cstr(&reason)));
}

static enum ag_err
answer_before(const struct asking *a)
{
    AG_AUTO(buf) struct buf why;
    enum ag_err err;

    buf_init(&why, WHY_MAX_BYTES, BUF_PLAIN);
    err = a->found.count > 0 ? tell_found(a, &why) : check_reach(a, &why);
    if (err != AG_OK || why.len == 0) {
        return err;
    }
    return buf_cstr(&why) == NULL ? AG_ENOMEM
                                  : refuse(a, has_value(a), buf_cstr(&why));
}

static enum ag_err
redact(const struct asking *a, json_t **ret)
{
    struct redaction r = {.cli = a->cli,
                          .rules = RULE_WORD_DEFAULT,
                          .is_local = !search_knows(a->search),
                          .receipt = {.fd = -1, .opening_fd = -1}};
    struct prints *set = NULL;
    enum ag_err err = AG_OK;

    if (r.is_local || a->set != NULL) {
        err = rule_stage_new(&a->cli->paths,
                             r.is_local ? r.rules : RULE_WORD_NONE, &NO_FILES,
                             &r.stage);
    }
    if (err == AG_OK && a->set != NULL) {
        err = printset_read(a->set, &set);
    }
    if (set != NULL) {
        rule_stage_use(r.stage, set);
    }
    if (err == AG_OK) {
        err = redaction_open(&r);
    }
    if (err == AG_OK) {
        err = leaves_redact(subject(a), &r, ret);
    }
    redaction_close(&r);
    return err;
}

/* What the tool answered, without. */
static enum ag_err
answer_behind(const struct asking *a)
{
    AG_AUTO(buf) struct buf reason;
    json_auto_t *clean = NULL;
    enum ag_err err = a->found.count == 0 ? AG_OK : redact(a, &clean);

    buf_init(&reason, BEHIND_REASON_MAX_BYTES, BUF_WIPE);
    if (err != AG_OK || clean == NULL) {
        return err;
    }
    err = buf_add_str(&reason, "auth-guard took secrets out of what the tool "
                               "answered: it ");
    if (err == AG_OK) {
        err = tell_found(a, &reason);
    }
    return err == AG_OK ? behind_replace(a->cli, a->agent, clean, &reason)
                        : err;
}

static enum ag_err
answer_prompt(const struct asking *a)
{
    AG_AUTO(buf) struct buf why;
    enum ag_err err;

    buf_init(&why, WHY_MAX_BYTES, BUF_PLAIN);
    if (a->found.count == 0) {
        if (search_without(a->search) == NULL || a->set != NULL) {
            return AG_OK;
        }
        err = buf_fmt(&why,
                      "auth-guard: only what looks like a secret is looked "
                      "for, not the vault's values: %s",
                      search_without(a->search));
        return err != AG_OK || buf_cstr(&why) == NULL
                   ? AG_ENOMEM
                   : behind_print(a->cli, json_pack("{s:s}", "systemMessage",
                                                    buf_cstr(&why)));
    }
    err = buf_add_str(&why, "auth-guard: what you wrote ");
    if (err == AG_OK) {
        err = tell_found(a, &why);
    }
    if (err == AG_OK) {
        err = buf_add_str(&why, ". It was not sent. Say it without; keep a "
                                "secret by auth-guard put, and name it by "
                                "ag://NAME.");
    }
    return err != AG_OK || buf_cstr(&why) == NULL
               ? AG_ENOMEM
               : behind_print(a->cli,
                              json_pack("{s:s, s:s}", "decision", "block",
                                        "reason", buf_cstr(&why)));
}

static enum ag_err
answer(const struct asking *a)
{
    switch (a->event) {
    case AGENT_BEFORE:
        return answer_before(a);
    case AGENT_BEHIND:
        return answer_behind(a);
    case AGENT_PROMPT:
    case AGENT_EVENT_COUNT:
        break;
    }
    return answer_prompt(a);
}

enum ag_err
hook_run_agent(struct cli *cli, int argc, char **argv)
{
    AG_AUTO(asking)
    struct asking a = {.cli = cli, .agent = agent_find(argv[0])};
    const struct arg_opt opts[] = {
        {"require-vault", ARG_FLAG, &a.must_know, NULL,
         "refuse while values of the vault can't be looked for"},
        {"set", ARG_TEXT, &a.set, "FILE",
         "look for the values by their fingerprints too, from\n"
         "`redaction-set export`"},
    };
    const struct arg_spec spec = {
        .usage = "hook run codex|claude [options] EVENT",
        .about =
            "What an agent calls: reads on stdin what it is about to do, what "
            "a tool answered,\nor what you wrote, and answers on stdout. A "
            "call that holds a value of the vault\nis refused; one that reads "
            "a credential file, prints a variable that looks like\na secret, "
            "or holds what looks like one is asked about (Codex: refused). "
            "Secrets\nare taken out of what a tool answered. Exit code 0; "
            "another: nothing can be said\nof it, and it must not go on.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    AG_ASSERT(a.agent != NULL);
    err = agent_event_find(args.words[0], &a.event);
    cli_harden_bare(cli);
    if (err == AG_OK) {
        err = behind_hurry(a.agent, a.event, AGENT_ANSWER_S);
    }
    if (err != AG_OK) {
        return err;
    }
    err = read_event(&a);
    if (err == AG_OK && a.event == AGENT_BEHIND) {
        err = behind_hurry_as(a.agent, subject(&a));
    }
    if (err == AG_OK) {
        err = look(&a);
    }
    if (err == AG_OK) {
        err = answer(&a);
    }
    return err != AG_OK && a.event == AGENT_BEHIND
               ? behind_withhold(cli, a.agent, subject(&a), err)
               : err;
}
