/*
 * parties.h - two tasks that run at once, each with a supervisor and a process of
 * its own and the placeholder of one value: on top of permits.h.
 */
#ifndef AG_TESTS_PARTIES_H
#define AG_TESTS_PARTIES_H

#include "common/permits.h"
#include "core/proxied.h"
#include "core/state.h"
#include "profile/placeholder.h"

struct party {
    struct peer *root;
    struct peer *child;
    struct handout_line line;
    int64_t id;
    uint64_t key_id;
    char key[1024];
    char token[64];
    const char *reason; /* why it ended; NULL: it has not */
};

static struct party owner;
static struct party caller;

static inline void
on_party_ended(void *arg, const char *reason)
{
    ((struct party *)arg)->reason = reason;
}

static inline uint64_t
party_key_id(const char *key)
{
    AG_AUTO(secret) struct secret *secret = NULL;
    uint64_t id = 0;

    check_ok(core_key(flow.core, KDF_PLACEHOLDER, &secret));
    check_ok(placeholder_read(secret, span_str(key), &id));
    return id;
}

static inline void
start_party(struct party *p, pid_t pid)
{
    const struct task_proxy_request wish = {.uses = -1,
                                            .ref = "ag://github/bot",
                                            .upstream = "https://api.example",
                                            .key_env = "K"};
    const struct task_request request = {
        .name = "party", .proxies = &wish, .proxy_count = 1};
    const struct life_listener listener = {on_party_ended, p};
    struct call call = {0};
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(secret) struct secret *key = NULL;

    *p = (struct party){.root = make_peer(pid, 900, 900),
                        .child = make_peer(pid + 1, pid, pid)};
    call = call_of(p->root);
    check_ok(act(do_start, &call, &request, &answer));
    (void)snprintf(p->token, sizeof(p->token), "%s", text_at(answer, "token"));
    p->line =
        (struct handout_line){.connection_id = (uint64_t)pid, .peer = p->root};
    check_ok(handout_attach(flow.core, &p->line, text_at(answer, "life"),
                            &listener, &p->id));
    check_ok(handout_value(
        flow.core, &p->line,
        text_at(json_array_get(json_object_get(answer, "deliveries"), 0),
                "ticket"),
        &key));
    (void)snprintf(p->key, sizeof(p->key), "%.*s", (int)secret_len(key),
                   (const char *)secret_view(key).ptr);
    p->key_id = party_key_id(p->key);
    assert_int_equal(proxied_id_task(p->key_id), p->id);
}

static inline void
end_party(struct party *p)
{
    handout_lost(flow.core, p->id);
    peer_free(p->child);
    peer_free(p->root);
}

static inline int
parties_begin(void **state)
{
    (void)state;
    start_party(&owner, 2000);
    start_party(&caller, 3000);
    return 0;
}

static inline int
parties_end(void **state)
{
    (void)state;
    end_party(&caller);
    end_party(&owner);
    return 0;
}

static inline enum ag_err
send_key(struct peer *peer, const char *key)
{
    return send_one(&(struct sent){.peer = peer,
                                   .service = "api.example",
                                   .name = "Authorization",
                                   .value = bearer(key)});
}

#endif
