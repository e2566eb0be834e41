/* What scan finds, and how bad it says it is. */
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include <ftw.h>

#include "base/secret.h"
#include "common/check.h"
#include "move/copies.h"
#include "move/find.h"
#include "move/locks.h"
#include "move/naming.h"
#include "profile/load.h"

static struct profiles *profiles;
static char home[64];
static char found[8192]; /* "severity kind profile path\n" of each finding */

static enum ag_err
note(void *arg, const struct finding *f)
{
    size_t len = strlen(found);

    (void)arg;
    (void)snprintf(found + len, sizeof(found) - len, "%s %s %s %s\n",
                   severity_word(f->severity), finding_kind_word(f->kind),
                   f->profile->name, f->path + strlen(home));
    return AG_OK;
}

/* Makes a file and its directories below the home. */
static void
make(const char *name, const char *text, mode_t mode)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", home, name);
    for (char *p = path + strlen(home) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        (void)mkdir(path, 0755);
        *p = '/';
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int
setup(void **state)
{
    (void)state;
    (void)umask(022); /* who gets at a file depends on its directories too */
    (void)snprintf(home, sizeof(home), "/tmp/ag-find-XXXXXX");
    found[0] = '\0';
    return mkdtemp(home) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void)state;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    return nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
look(void)
{
    struct expand_env env = {.home = home};
    AG_AUTO(find) struct find f = {.profiles = profiles, .each = note};

    found[0] = '\0';
    check_ok(find_profiles(&f, &env));
    check_ok(find_tree(&f, home, &env));
}

static void
test_an_empty_home_has_nothing(void **state)
{
    (void)state;
    look();
    assert_string_equal(found, "");
}

static void
test_tools_own_files(void **state)
{
    (void)state;
    make(".codex/auth.json", "{\"tokens\":{\"refresh_token\":\"r1-abc\"}}",
         0600);
    make(".config/gh/hosts.yml", "github.com:\n    oauth_token: gho_x1\n",
         0644);
    make(".aws/sso/cache/a.json", "{\"accessToken\":\"at-12345\"}", 0600);
    make(".docker/config.json", "{\"credsStore\":\"pass\"}", 0600);
    make(".config/gcloud/credentials.db", "SQLite format 3", 0600);
    make(".npmrc", "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n", 0600);
    look(); /* the home is private: nobody gets at hosts.yml */
    assert_non_null(strstr(found, "high file gh /.config/gh/hosts.yml\n"));
    assert_int_equal(chmod(home, 0755), 0);
    look();
    assert_non_null(strstr(found, "high file codex /.codex/auth.json\n"));
    assert_non_null(strstr(found, "critical file gh /.config/gh/hosts.yml\n"));
    assert_non_null(strstr(found, "high file aws /.aws/sso/cache/a.json\n"));
    assert_non_null(
        strstr(found, "medium store gcloud /.config/gcloud/credentials.db\n"));
    assert_null(strstr(found, "docker"));
    assert_null(strstr(found, "npmrc"));
}

/* What can't be read may hold anything: it is not passed over in silence. */
static void
test_files_that_cannot_be_read_are_named(void **state)
{
    static char large[160 * 1024];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    make(".codex/auth.json", "{\"tokens\":", 0600);
    make(".kube/config", "users:\n- {name: u, user: {token: t0k3n}}\n", 0644);
    make("p/.env", large, 0600);
    make(".ssh/known_hosts", large, 0600);
    assert_int_equal(chmod(home, 0755), 0);
    look();
    assert_non_null(strstr(found, "medium file codex /.codex/auth.json\n"));
    assert_non_null(strstr(found, "high file kube /.kube/config\n"));
    assert_non_null(strstr(found, "medium file dotenv /p/.env\n"));
    assert_null(strstr(found, "known_hosts"));
}

static void
test_copies_beside_them(void **state)
{
    (void)state;
    make(".codex/auth.json.bak", "{\"OPENAI_API_KEY\":\"sk-old-1\"}", 0600);
    make(".codex/.auth.json.swp", "b0VIM sk-old-1", 0600);
    make(".codex/auth.json.orig", "{\"tokens\":null}", 0600);
    look();
    assert_string_equal(found, "high copy codex /.codex/.auth.json.swp\n"
                               "high copy codex /.codex/auth.json.bak\n");
}

static void
test_keys(void **state)
{
    (void)state;
    make(".ssh/id_rsa",
         "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nx\n"
         "-----END RSA PRIVATE KEY-----\n",
         0600);
    make(".ssh/id_plain",
         "-----BEGIN OPENSSH PRIVATE KEY-----\n"
         "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\n"
         "-----END OPENSSH PRIVATE KEY-----\n",
         0600);
    make(".ssh/id_locked",
         "-----BEGIN OPENSSH PRIVATE KEY-----\n"
         "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1j\n"
         "-----END OPENSSH PRIVATE KEY-----\n",
         0600);
    make(".ssh/id_rsa.pub", "ssh-rsa AAAA me", 0644);
    look();
    assert_string_equal(found, "low file ssh /.ssh/id_locked\n"
                               "high file ssh /.ssh/id_plain\n"
                               "low file ssh /.ssh/id_rsa\n");
}

static void
test_the_tree(void **state)
{
    char path[128];

    (void)state;
    make("p/.env", "API_KEY=abcdef\n", 0600);
    make("p/.env.example", "API_KEY=changeme\n", 0600);
    make("p/.env.local", "PORT=80\n", 0600);
    make("p/.env~", "API_KEY=older\n", 0600);
    make("p/node_modules/x/.env", "API_KEY=abcdef\n", 0600);
    make("p/.npmrc", "//r/:_authToken=npm_1\n", 0600);
    (void)snprintf(path, sizeof(path), "%s/loop", home);
    assert_int_equal(symlink(home, path), 0);
    look();
    assert_non_null(strstr(found, "medium file dotenv /p/.env\n"));
    assert_non_null(strstr(found, "high copy dotenv /p/.env~\n"));
    assert_non_null(strstr(found, "high file npm /p/.npmrc\n"));
    assert_null(strstr(found, "example"));
    assert_null(strstr(found, "local"));
    assert_null(strstr(found, "node_modules"));
    assert_null(strstr(found, "loop"));
}

static void
test_a_link_is_looked_at_where_it_leads(void **state)
{
    char path[128];
    char target[128];

    (void)state;
    make("dotfiles/npmrc", "//r/:_authToken=npm_1\n", 0600);
    (void)snprintf(path, sizeof(path), "%s/.npmrc", home);
    (void)snprintf(target, sizeof(target), "%s/dotfiles/npmrc", home);
    assert_int_equal(symlink(target, path), 0);
    look();
    assert_string_equal(found, "high file npm /dotfiles/npmrc\n");
    (void)unlink(target);
    look();
    assert_string_equal(found, "");
}

static void
test_one_file_and_nothing(void **state)
{
    struct expand_env env = {.home = home};
    AG_AUTO(find) struct find f = {.profiles = profiles, .each = note};
    char path[128];

    (void)state;
    make("x/.env", "A_TOKEN=abcdef\n", 0600);
    (void)snprintf(path, sizeof(path), "%s/x/.env", home);
    check_ok(find_tree(&f, path, &env));
    assert_string_equal(found, "medium file dotenv /x/.env\n");
    check_err(find_tree(&f, "/no/such/tree", &env), AG_ENOTFOUND);
}

static void
test_names_of_copies(void **state)
{
    static const struct {
        const char *other;
        bool want;
    } ROWS[] = {
        {"auth.json", false},      {"auth.json~", true},
        {".auth.json.swp", true},  {"#auth.json#", true},
        {"auth.json.bak", true},   {"auth.json.bak.3", true},
        {"auth.json.~2~", true},   {"auth.json.orig", true},
        {"auth.json.lock", false}, {"config.json", false},
        {".auth-AbCdEf", true},    {"xauth.json~", false},
    };

    static const char *const EXTRA[] = {".auth-*"};
    struct strings extra = {.items = EXTRA, .count = 1};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        if (copies_is_copy("auth.json", ROWS[i].other, &extra) !=
            ROWS[i].want) {
            fail_msg("%s", ROWS[i].other);
        }
    }
}

static void
test_default_names(void **state)
{
    static const struct {
        const char *profile; /* NULL: none */
        size_t file;
        bool by_name;
        const char *path;
        const char *want;
    } ROWS[] = {
        {"codex", 0, false, "/h/.codex/auth.json", "codex/default"},
        {"codex", 1, false, "/h/.codex/.credentials.json",
         "codex/credentials.json"},
        {"codex", 0, true, "/h/work/auth.json", "codex/work-auth.json"},
        {"dotenv", 0, true, "/h/My Project/.env", "env/my-project-env"},
        {"ssh", 0, false, "/h/.ssh/id_ed25519", "ssh/id_ed25519"},
        {"aws", 2, false, "/h/.aws/sso/cache/Ab.json", "aws/ab.json"},
        {NULL, 0, false, "/h/x/Secret File", "file/x-secret-file"},
        {NULL, 0, false, "/...", "file/x"},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        struct profile_match match = {.file_index = ROWS[i].file};
        char name[NAME_MAX_BYTES + 1];

        if (ROWS[i].profile != NULL) {
            check_ok(profile_find(profiles, ROWS[i].profile, &match.profile));
        }
        naming_default(ROWS[i].profile == NULL ? NULL : &match, ROWS[i].by_name,
                       ROWS[i].path, name);
        assert_string_equal(name, ROWS[i].want);
        check_ok(parse_name(span_str(name)));
    }
}

static void
test_locks_of_every_kind(void **state)
{
    static const struct profile_lock LOCKS[] = {
        {"a.lock", LOCK_KIND_FLOCK},
        {"b.lock", LOCK_KIND_FILE},
        {"c.lock", LOCK_KIND_DIRECTORY},
    };
    struct profile_file file = {.locks = {LOCKS, AG_COUNT(LOCKS)}};
    int dir = open(home, O_RDONLY | O_DIRECTORY);
    struct locks *l = NULL;
    struct locks *second = NULL;
    struct stat st;

    (void)state;
    check_ok(locks_take(dir, &file, 0, &l));
    check_err(locks_take(dir, &file, 0, &second), AG_EBUSY);
    assert_int_equal(fstatat(dir, "b.lock", &st, 0), 0);
    locks_free(l);
    assert_int_equal(fstatat(dir, "a.lock", &st, 0), 0);
    assert_int_not_equal(fstatat(dir, "b.lock", &st, 0), 0);
    assert_int_not_equal(fstatat(dir, "c.lock", &st, 0), 0);
    /* Left behind by one that was killed: no process has this pid. */
    make("b.lock", "auth-guard 4194303\n", 0600);
    check_ok(locks_take(dir, &file, 100, &l));
    locks_free(l);
    make("b.lock", "somebody else's", 0600);
    check_err(locks_take(dir, &file, 60, &l), AG_EBUSY);
    assert_int_equal(fstatat(dir, "b.lock", &st, 0), 0);
    (void)close(dir);
}

static int
group_setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    return profiles_load(AG_SOURCE_DIR "/schema/profiles", NULL, &profiles) ==
                   AG_OK
               ? 0
               : -1;
}

static int
group_teardown(void **state)
{
    (void)state;
    profiles_free(profiles);
    return secret_arena_used_bytes() == 0 ? 0 : -1;
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_an_empty_home_has_nothing),
        CASE(test_tools_own_files),
        CASE(test_files_that_cannot_be_read_are_named),
        CASE(test_copies_beside_them),
        CASE(test_keys),
        CASE(test_the_tree),
        CASE(test_a_link_is_looked_at_where_it_leads),
        CASE(test_one_file_and_nothing),
        CASE(test_names_of_copies),
        CASE(test_default_names),
        CASE(test_locks_of_every_kind),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
