/*
 * Random operations on a vault against a naive model in memory: after each the
 * results agree, after each restart, lock or rekey all the vault holds does.
 */
#include "common/prop.h"
#include "common/vaultdump.h"

enum {
    NAMES = 4,
    SECRETS_MAX = DUMP_IDS - 1,
    VERSIONS_MAX = 64,
    TOKENS_MAX = DUMP_IDS - 1,
    STEPS = 400,
};

struct m_version {
    enum version_state state;
    unsigned value;
};

struct m_secret {
    unsigned name;
    bool removed;
    unsigned retain;
    unsigned current; /* 0: none */
    unsigned count;
    struct m_version versions[VERSIONS_MAX + 1];
};

struct m_token {
    unsigned parent; /* 0: none */
    unsigned depth;
    bool revoked;
    char accessor[TOKEN_ACCESSOR_MAX_BYTES + 1];
};

static struct {
    struct m_secret secrets[SECRETS_MAX + 1]; /* by id, from 1 */
    unsigned secret_count;
    struct m_token tokens[TOKENS_MAX + 1];
    unsigned token_count;
    unsigned serial;
    int64_t slot_id;
} m;

static const char *const M_NAMES[NAMES] = {"codex/default", "github/bot", "npm",
                                           "a/b/c"};

/* ---- the model ---- */

static unsigned
m_find(unsigned name)
{
    for (unsigned id = 1; id <= m.secret_count; id++) {
        if (m.secrets[id].name == name && !m.secrets[id].removed) {
            return id;
        }
    }
    return 0;
}

static void
m_make_current(struct m_secret *s, unsigned number)
{
    unsigned kept = 0;

    if (s->current != 0) {
        s->versions[s->current].state = VERSION_RETAINED;
    }
    s->current = number;
    s->versions[number].state = VERSION_CURRENT;
    for (unsigned v = s->count; v > 0; v--) {
        if (s->versions[v].state == VERSION_RETAINED && ++kept > s->retain) {
            s->versions[v].state = VERSION_DESTROYED;
        }
    }
}

static void
m_dump(struct buf *out)
{
    for (unsigned id = 1; id <= m.secret_count; id++) {
        const struct m_secret *s = &m.secrets[id];

        check_ok(buf_fmt(out, "secret %u %s current %u removed %d\n", id,
                         M_NAMES[s->name], s->current, s->removed));
        for (unsigned v = s->count; v > 0; v--) {
            check_ok(buf_fmt(out, "  v%u %s ", v,
                             version_state_text(s->versions[v].state)));
            if (s->versions[v].state <= VERSION_RETAINED) {
                check_ok(buf_fmt(out, "%u\n", s->versions[v].value));
            } else {
                check_ok(buf_add_str(out, "-\n"));
            }
        }
    }
    for (unsigned id = 1; id <= m.token_count; id++) {
        check_ok(buf_fmt(out, "token %u %s %s\n", id, m.tokens[id].accessor,
                         m.tokens[id].revoked ? "revoked" : ""));
    }
}

static void
compare(void)
{
    AG_AUTO(buf) struct buf want;
    AG_AUTO(buf) struct buf got;

    buf_init(&want, DUMP_MAX_BYTES, BUF_PLAIN);
    buf_init(&got, DUMP_MAX_BYTES, BUF_PLAIN);
    m_dump(&want);
    check_ok(vault_dump(&got));
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
}

/* ---- operations ---- */

static void
op_put(bool pending)
{
    unsigned name = (unsigned)prop_below(NAMES);
    unsigned id = m_find(name);
    struct m_secret *s = &m.secrets[id];
    unsigned retain = (unsigned)prop_below(4);
    int64_t if_version = (int64_t)prop_below(6) - 3;
    char value[16];
    struct vault_put put = {.name = M_NAMES[name],
                            .value = value,
                            .state =
                                pending ? VERSION_PENDING : VERSION_CURRENT,
                            .if_version = if_version < 0 ? -1 : if_version,
                            .retain_count = retain};
    bool fits =
        if_version < 0 || if_version == (id == 0 ? 0 : (int64_t)s->current);

    if ((id == 0 && m.secret_count == SECRETS_MAX) ||
        (id != 0 && s->count == VERSIONS_MAX)) {
        return;
    }
    m.serial++;
    (void)snprintf(value, sizeof(value), "%u", m.serial);
    check_err(store_do(vault.s, vault_put_job, &put),
              fits ? AG_OK : AG_ECONFLICT);
    if (!fits) {
        return;
    }
    if (id == 0) {
        s = &m.secrets[++m.secret_count];
        *s = (struct m_secret){.name = name, .retain = retain};
    }
    s->versions[++s->count] =
        (struct m_version){.state = VERSION_PENDING, .value = m.serial};
    if (!pending) {
        m_make_current(s, s->count);
    }
}

struct pick {
    int64_t id;
    int64_t number;
};

static enum ag_err
step_promote(struct db_tx *tx, void *arg)
{
    const struct pick *p = arg;

    return versions_promote(tx, p->id, p->number);
}

static enum ag_err
step_rollback(struct db_tx *tx, void *arg)
{
    const struct pick *p = arg;

    return versions_rollback(tx, p->id, p->number);
}

static enum ag_err
step_destroy(struct db_tx *tx, void *arg)
{
    const struct pick *p = arg;

    return versions_destroy(tx, p->id, p->number);
}

static enum ag_err
step_release(struct db_tx *tx, void *arg)
{
    const struct pick *p = arg;

    return versions_release(tx, p->id, p->number);
}

static enum ag_err
step_remove(struct db_tx *tx, void *arg)
{
    const struct pick *p = arg;

    return secrets_remove(tx, p->id);
}

/* What the model says of a step from one state to the current one. */
static enum ag_err
m_step(const struct pick *p, enum version_state from)
{
    struct m_secret *s = &m.secrets[p->id];

    if (p->id > m.secret_count || s->removed || p->number > s->count) {
        return AG_ENOTFOUND;
    }
    if (s->versions[p->number].state != from) {
        return AG_ECONFLICT;
    }
    m_make_current(s, (unsigned)p->number);
    return AG_OK;
}

static enum ag_err
m_destroy(const struct pick *p)
{
    struct m_secret *s = &m.secrets[p->id];

    if (p->id > m.secret_count || p->number > s->count) {
        return AG_ENOTFOUND;
    }
    if (s->versions[p->number].state == VERSION_CURRENT) {
        return AG_ECONFLICT;
    }
    if (s->versions[p->number].state <= VERSION_RETAINED) {
        s->versions[p->number].state = VERSION_DESTROYED;
    }
    return AG_OK;
}

static void
m_destroy_all(struct m_secret *s)
{
    for (unsigned v = 1; v <= s->count; v++) {
        if (s->versions[v].state <= VERSION_RETAINED) {
            s->versions[v].state = VERSION_DESTROYED;
        }
    }
    s->current = 0;
}

static enum ag_err
m_release(const struct pick *p)
{
    struct m_secret *s = &m.secrets[p->id];

    if (p->id > m.secret_count || s->removed) {
        return AG_ENOTFOUND;
    }
    if (s->current == 0 || s->current != p->number) {
        return AG_ECONFLICT;
    }
    s->versions[p->number].state = VERSION_RELEASED;
    m_destroy_all(s);
    return AG_OK;
}

static enum ag_err
m_remove(const struct pick *p)
{
    struct m_secret *s = &m.secrets[p->id];

    if (p->id > m.secret_count || s->removed) {
        return AG_ENOTFOUND;
    }
    m_destroy_all(s);
    s->removed = true;
    return AG_OK;
}

static void
op_version(size_t which)
{
    struct pick p = {.id = 1 + (int64_t)prop_below(m.secret_count + 1)};

    p.id = p.id > SECRETS_MAX ? SECRETS_MAX : p.id;
    p.number = 1 + (int64_t)prop_below(m.secrets[p.id].count + 1);
    switch (which) {
    case 0:
        check_err(vault_do(step_promote, &p), m_step(&p, VERSION_PENDING));
        break;
    case 1:
        check_err(vault_do(step_rollback, &p), m_step(&p, VERSION_RETAINED));
        break;
    case 2:
        check_err(vault_do(step_destroy, &p), m_destroy(&p));
        break;
    case 3:
        check_err(vault_do(step_release, &p), m_release(&p));
        break;
    default: /* a number drawn by op_any() */
        check_err(vault_do(step_remove, &p), m_remove(&p));
        break;
    }
}

static void
op_token(void)
{
    unsigned parent = (unsigned)prop_below(m.token_count + 1);
    struct token_row token = vault_token(0, parent);
    enum ag_err want = AG_OK;

    if (m.token_count == TOKENS_MAX) {
        return;
    }
    if (parent != 0 && m.tokens[parent].revoked) {
        want = AG_EREVOKED;
    } else if (parent != 0 && m.tokens[parent].depth == TOKEN_DEPTH_MAX_COUNT) {
        want = AG_ELIMIT;
    }
    check_err(vault_do(vault_add_token_step, &token), want);
    if (want == AG_OK) {
        struct m_token *t = &m.tokens[++m.token_count];

        *t = (struct m_token){.parent = parent,
                              .depth =
                                  parent == 0 ? 0 : m.tokens[parent].depth + 1};
        (void)snprintf(t->accessor, sizeof(t->accessor), "%s", token.accessor);
        assert_int_equal(token.id, m.token_count);
    }
}

struct revoking {
    int64_t id;
    uint64_t count;
};

static enum ag_err
step_revoke(struct db_tx *tx, void *arg)
{
    struct revoking *r = arg;
    struct revoke how = {.reason = END_REVOKED};

    return tokens_revoke_tree(tx, r->id, &how, &r->count);
}

static bool
m_below(unsigned id, unsigned root)
{
    while (id != 0 && id != root) {
        id = m.tokens[id].parent;
    }
    return id == root;
}

static void
op_revoke(void)
{
    struct revoking r = {.id = 1 + (int64_t)prop_below(m.token_count + 1)};
    uint64_t count = 0;

    if (r.id > m.token_count) {
        check_err(vault_do(step_revoke, &r), AG_ENOTFOUND);
        return;
    }
    check_ok(vault_do(step_revoke, &r));
    for (unsigned id = 1; id <= m.token_count; id++) {
        if (m_below(id, (unsigned)r.id) && !m.tokens[id].revoked) {
            m.tokens[id].revoked = true;
            count++;
        }
    }
    assert_int_equal(r.count, count);
}

/* A job that does something and then fails leaves nothing. */
static enum ag_err
step_fail(struct db_tx *tx, void *arg)
{
    struct pick *p = arg;
    enum ag_err err = secrets_remove(tx, p->id);

    return err == AG_OK ? AG_EDENIED : err;
}

static void
op_fail(void)
{
    struct pick p = {.id = 1};

    check_err(vault_do(step_fail, &p),
              m.secret_count == 0 || m.secrets[1].removed ? AG_ENOTFOUND
                                                          : AG_EDENIED);
}

/* Tokens end with the old hash key, so the model is told. */
static void
op_rekey(void)
{
    struct keyring *fresh = vault_keyring();
    struct slot_row slot = vault_slot(++m.slot_id);

    for (unsigned id = 1; id <= m.token_count; id++) {
        struct revoking r = {.id = id};

        check_ok(vault_do(step_revoke, &r));
        m.tokens[id].revoked = true;
    }
    check_ok(store_rekey(vault.s, fresh, &slot, 1));
    keyring_free(vault.ring);
    vault.ring = fresh;
}

static void
op_restart(void)
{
    struct store_found found;

    if (prop_below(2) == 0) {
        vault_reopen();
    } else {
        store_lock(vault.s);
        check_ok(store_unlock(vault.s, vault.ring, &found));
    }
    compare();
}

static void
op_any(void)
{
    size_t op = prop_below(100);

    if (op < 35) {
        op_put(op < 8);
    } else if (op < 65) {
        op_version(prop_below(10) == 0 ? 3 + prop_below(2) : prop_below(3));
    } else if (op < 80) {
        op_token();
    } else if (op < 85) {
        op_revoke();
    } else if (op < 90) {
        op_fail();
    } else if (op < 92) {
        op_rekey();
    } else {
        op_restart();
    }
}

static void
test_random_operations(void **state)
{
    uint64_t runs = prop_begin(3);

    for (; runs > 0; runs--) {
        memset(&m, 0, sizeof(m));
        m.slot_id = 1;
        assert_int_equal(vault_set_up(state), 0);
        for (unsigned i = 0; i < STEPS; i++) {
            op_any();
        }
        compare();
        vault_check_sound();
        assert_int_equal(vault_tear_down(state), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
