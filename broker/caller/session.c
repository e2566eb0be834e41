#include "caller/session.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One terminal session for ever. */
struct key {
    pid_t sid;
    uint64_t leader_start_ticks;
    uint32_t tty;
};

struct approval {
    struct key key;
    int64_t until_ms; /* 0: a free row */
};

struct proof {
    struct key key;
    struct proc_ref giver;
    struct proc_ref parent; /* pid 0: not of the session, shares nothing */
    int64_t until_ms;       /* 0: a free row */
};

struct sessions {
    pthread_mutex_t lock;
    struct approval approvals[SESSION_MAX_COUNT];
    struct proof proofs[SESSION_PROOF_MAX_COUNT];
};

enum ag_err
sessions_new(struct sessions **ret)
{
    struct sessions *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&s->lock, NULL);
    *ret = s;
    return AG_OK;
}

void
sessions_free(struct sessions *s)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* False: no session, or one that outlived its leader. */
static bool
key_of(const struct proc_facts *who, struct key *ret)
{
    if (who->sid == 0 || who->leader_start_ticks == 0) {
        return false;
    }
    *ret = (struct key){
        .sid = who->sid,
        .leader_start_ticks = who->leader_start_ticks,
        .tty = who->tty,
    };
    return true;
}

static bool
key_equal(const struct key *a, const struct key *b)
{
    return a->sid == b->sid && a->leader_start_ticks == b->leader_start_ticks &&
           a->tty == b->tty;
}

/* The parent that may share a proof: only one of the same session. */
static struct proc_ref
sharing_parent(const struct proc_facts *who)
{
    if (who->chain_count == 0 || who->parent_sid != who->sid) {
        return (struct proc_ref){.pid = 0};
    }
    return who->chain[0];
}

/* Under the lock. */
static struct approval *
find_approval(struct sessions *s, const struct key *key, int64_t now_ms)
{
    for (size_t i = 0; i < SESSION_MAX_COUNT; i++) {
        struct approval *a = &s->approvals[i];

        if (a->until_ms > now_ms && key_equal(&a->key, key)) {
            return a;
        }
    }
    return NULL;
}

/* Free, expired, or the one that ends first. Under the lock. */
static struct approval *
row_for_approval(struct sessions *s)
{
    struct approval *row = &s->approvals[0];

    for (size_t i = 1; i < SESSION_MAX_COUNT; i++) {
        if (s->approvals[i].until_ms < row->until_ms) {
            row = &s->approvals[i];
        }
    }
    return row;
}

static struct proof *
row_for_proof(struct sessions *s)
{
    struct proof *row = &s->proofs[0];

    for (size_t i = 1; i < SESSION_PROOF_MAX_COUNT; i++) {
        if (s->proofs[i].until_ms < row->until_ms) {
            row = &s->proofs[i];
        }
    }
    return row;
}

enum ag_err
sessions_approve(struct sessions *s, const struct proc_facts *who,
                 int64_t now_ms, int64_t until_ms)
{
    struct approval *row;
    struct key key;

    if (!key_of(who, &key)) {
        return err_why(AG_EUNTRACED,
                       "this process has no living session leader; start it "
                       "from a terminal or a script that waits for it");
    }
    (void)pthread_mutex_lock(&s->lock);
    row = find_approval(s, &key, now_ms);
    if (row == NULL) {
        row = row_for_approval(s);
        *row = (struct approval){.key = key};
    }
    if (until_ms > row->until_ms) {
        row->until_ms = until_ms;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return AG_OK;
}

int64_t
sessions_until(struct sessions *s, const struct proc_facts *who, int64_t now_ms)
{
    const struct approval *found;
    int64_t until_ms = 0;
    struct key key;

    if (!key_of(who, &key)) {
        return 0;
    }
    (void)pthread_mutex_lock(&s->lock);
    found = find_approval(s, &key, now_ms);
    if (found != NULL) {
        until_ms = found->until_ms;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return until_ms;
}

enum ag_err
sessions_prove(struct sessions *s, const struct proc_facts *who, int64_t now_ms,
               int64_t until_ms)
{
    enum ag_err err = AG_EOPERATOR;
    struct key key;

    if (!key_of(who, &key)) {
        return AG_EOPERATOR;
    }
    (void)pthread_mutex_lock(&s->lock);
    if (find_approval(s, &key, now_ms) != NULL) {
        *row_for_proof(s) = (struct proof){
            .key = key,
            .giver = who->self,
            .parent = sharing_parent(who),
            .until_ms = until_ms,
        };
        err = AG_OK;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return err;
}

/* Does this proof hold for `who`? */
static bool
proof_covers(const struct proof *proof, const struct key *key,
             const struct proc_facts *who)
{
    struct proc_ref parent = sharing_parent(who);

    return key_equal(&proof->key, key) &&
           (proc_ref_equal(proof->giver, who->self) ||
            (parent.pid != 0 && proc_ref_equal(proof->parent, parent)));
}

int64_t
sessions_proof_until(struct sessions *s, const struct proc_facts *who,
                     int64_t now_ms)
{
    int64_t until_ms = 0;
    struct key key;

    if (!key_of(who, &key)) {
        return 0;
    }
    (void)pthread_mutex_lock(&s->lock);
    if (find_approval(s, &key, now_ms) != NULL) {
        for (size_t i = 0; i < SESSION_PROOF_MAX_COUNT; i++) {
            const struct proof *proof = &s->proofs[i];

            if (proof->until_ms > now_ms && proof->until_ms > until_ms &&
                proof_covers(proof, &key, who)) {
                until_ms = proof->until_ms;
            }
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return until_ms;
}

void
sessions_forget(struct sessions *s)
{
    (void)pthread_mutex_lock(&s->lock);
    memset(s->approvals, 0, sizeof(s->approvals));
    memset(s->proofs, 0, sizeof(s->proofs));
    (void)pthread_mutex_unlock(&s->lock);
}

size_t
sessions_count(struct sessions *s, int64_t now_ms)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < SESSION_MAX_COUNT; i++) {
        count += s->approvals[i].until_ms > now_ms ? 1 : 0;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return count;
}
