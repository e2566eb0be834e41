/* Names: what they stand for is judged when it is connected to, so a name that
 * changes its mind gains nothing; a resolver that hangs holds nobody else up.
 * This program's own getaddrinfo() is the resolver. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "base/secret.h"
#include "common/talk.h"

enum {
    ANSWERS_MAX_COUNT = 4,
};

/* What each name stands for; each look-up takes the next line of a name. */
struct line {
    const char *name;
    const char *addresses[ANSWERS_MAX_COUNT];
    bool hangs;
    bool used;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct line *lines;
    size_t count;
    int asked;
    bool released;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static struct addrinfo *
make_answer(const char *address, uint16_t port, struct addrinfo *next)
{
    struct {
        struct addrinfo info;

        union {
            struct sockaddr any;
            struct sockaddr_in in4;
            struct sockaddr_in6 in6;
        } at;
    } *one = calloc(1, sizeof(*one));

    assert_non_null(one);
    if (inet_pton(AF_INET, address, &one->at.in4.sin_addr) == 1) {
        one->at.in4.sin_family = AF_INET;
        one->at.in4.sin_port = htons(port);
        one->info.ai_addrlen = sizeof(one->at.in4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, address, &one->at.in6.sin6_addr),
                         1);
        one->at.in6.sin6_family = AF_INET6;
        one->at.in6.sin6_port = htons(port);
        one->info.ai_addrlen = sizeof(one->at.in6);
    }
    one->info.ai_family = one->at.any.sa_family;
    one->info.ai_socktype = SOCK_STREAM;
    one->info.ai_protocol = IPPROTO_TCP;
    one->info.ai_addr = &one->at.any;
    one->info.ai_next = next;
    return &one->info;
}

/* Under the lock. The last line of a name stays. */
static struct line *
next_line(const char *name)
{
    struct line *last = NULL;

    for (size_t i = 0; i < fake.count; i++) {
        if (strcmp(fake.lines[i].name, name) == 0) {
            last = &fake.lines[i];
            if (!last->used) {
                break;
            }
        }
    }
    if (last != NULL) {
        last->used = true;
    }
    return last;
}

/* Take the library's places, for libcurl too. */
__attribute__((visibility("default"))) int
find_faked(const char *name, const char *port_text,
           const struct addrinfo *hints,
           struct addrinfo **ret) __asm__("getaddrinfo");
__attribute__((visibility("default"))) void
free_faked(struct addrinfo *list) __asm__("freeaddrinfo");

int
find_faked(const char *name, const char *port_text,
           const struct addrinfo *hints, struct addrinfo **ret)
{
    uint16_t port = (uint16_t)strtoul(port_text, NULL, 10);
    struct addrinfo *answers = NULL;
    const struct line *line;

    (void)hints;
    (void)pthread_mutex_lock(&fake.lock);
    fake.asked++;
    (void)pthread_cond_broadcast(&fake.changed);
    line = next_line(name);
    while (line != NULL && line->hangs && !fake.released) {
        (void)pthread_cond_wait(&fake.changed, &fake.lock);
    }
    for (size_t i = ANSWERS_MAX_COUNT; line != NULL && i > 0; i--) {
        if (line->addresses[i - 1] != NULL) {
            answers = make_answer(line->addresses[i - 1], port, answers);
        }
    }
    (void)pthread_mutex_unlock(&fake.lock);
    if (answers == NULL) {
        return EAI_NONAME;
    }
    *ret = answers;
    return 0;
}

void
free_faked(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;

        free(list);
        list = next;
    }
}

static void
names_are(struct line *lines, size_t count)
{
    (void)pthread_mutex_lock(&fake.lock);
    fake.lines = lines;
    fake.count = count;
    fake.asked = 0;
    fake.released = false;
    (void)pthread_mutex_unlock(&fake.lock);
}

static void
wait_asked(int count)
{
    (void)pthread_mutex_lock(&fake.lock);
    while (fake.asked < count) {
        (void)pthread_cond_wait(&fake.changed, &fake.lock);
    }
    (void)pthread_mutex_unlock(&fake.lock);
}

static void
release_hanging(void)
{
    (void)pthread_mutex_lock(&fake.lock);
    fake.released = true;
    (void)pthread_cond_broadcast(&fake.changed);
    (void)pthread_mutex_unlock(&fake.lock);
}

static struct talk *
call_name(const char *name, unsigned flags)
{
    struct talk *t = talk_new(service.good, "/connection");

    t->request.host = span_str(name);
    t->request.flags = flags;
    return t;
}

static void
expect(struct upstream *u, const char *name, unsigned flags, enum ag_err want,
       const char *says)
{
    struct talk *t = call_name(name, flags);

    talk_run(u, t, want, says);
    talk_done(t);
}

static void
test_names_of_inner_addresses(void **state)
{
    struct line lines[] = {
        {.name = "a.service.test", .addresses = {"127.0.0.1"}},
        {.name = "b.service.test", .addresses = {"10.1.2.3", "fd00::1"}},
        {.name = "c.service.test", .addresses = {"169.254.169.254"}},
        {.name = "d.service.test", .addresses = {"::ffff:127.0.0.1"}},
        {.name = "e.service.test", .addresses = {"0.0.0.0", "::"}},
        {.name = "f.service.test", .addresses = {"64:ff9b::7f00:1"}},
        {.name = "g.service.test", .addresses = {"fd00:ec2::254"}},
        {.name = "h.service.test", .addresses = {"224.0.0.1"}},
    };
    struct upstream *u = talk_upstream();

    (void)state;
    names_are(lines, AG_COUNT(lines));
    expect(u, "a.service.test", 0, AG_EADDRESS,
           "a.service.test: 127.0.0.1 is a loopback address");
    expect(u, "a.service.test", UPSTREAM_INNER, AG_OK, NULL);
    expect(u, "b.service.test", 0, AG_EADDRESS, "is a private address");
    expect(u, "c.service.test", 0, AG_EADDRESS, "metadata address");
    /* Not even for a name that may be inside: only as an address. */
    expect(u, "c.service.test", UPSTREAM_INNER, AG_EADDRESS, "metadata");
    expect(u, "d.service.test", 0, AG_EADDRESS, "is a loopback address");
    expect(u, "e.service.test", UPSTREAM_INNER, AG_EADDRESS, "unspecified");
    expect(u, "f.service.test", 0, AG_EADDRESS, "is a loopback address");
    expect(u, "g.service.test", UPSTREAM_INNER, AG_EADDRESS, "metadata");
    expect(u, "h.service.test", UPSTREAM_INNER, AG_EADDRESS, "multicast");
    expect(u, "none.service.test", 0, AG_EUNREACHABLE, "has no address");
    upstream_free(u);
}

/* One that may be called among those that may not. */
static void
test_only_allowed_addresses_are_tried(void **state)
{
    struct line lines[] = {
        {.name = "a.service.test",
         .addresses = {"169.254.169.254", "0.0.0.0", "127.0.0.1"}},
    };
    struct upstream *u = talk_upstream();
    struct talk *t = NULL;

    (void)state;
    names_are(lines, AG_COUNT(lines));
    expect(u, "a.service.test", UPSTREAM_INNER, AG_OK, NULL);
    expect(u, "a.service.test", 0, AG_EADDRESS, "a.service.test: ");
    /* What fails behind that is told as what it is. */
    t = call_name("a.service.test", UPSTREAM_INNER);
    t->request.target = span_str("/cut-body");
    talk_run(u, t, AG_EUPSTREAM, "closed within its answer");
    talk_done(t);
    upstream_free(u);
}

/* Asked twice, it answers twice: first with what may be called. */
static void
test_name_that_changes_its_mind(void **state)
{
    struct line lines[] = {
        {.name = "a.service.test", .addresses = {"127.0.0.1"}},
        {.name = "a.service.test", .addresses = {"169.254.169.254"}},
    };
    struct upstream *first = talk_upstream();
    struct upstream *second = talk_upstream();

    (void)state;
    names_are(lines, AG_COUNT(lines));
    expect(first, "a.service.test", UPSTREAM_INNER, AG_OK, NULL);
    /* Another pool and cache of names: asked anew. */
    expect(second, "a.service.test", UPSTREAM_INNER, AG_EADDRESS, "metadata");
    upstream_free(second);
    upstream_free(first);
}

static void
test_hanging_resolver_holds_nobody_up(void **state)
{
    struct line lines[] = {
        {.name = "a.service.test", .addresses = {"127.0.0.1"}, .hangs = true},
        {.name = "b.service.test", .addresses = {"127.0.0.1"}},
    };
    struct upstream *u = talk_upstream();
    struct talk *hangs = call_name("a.service.test", UPSTREAM_INNER);
    struct talk *given_up = call_name("a.service.test", UPSTREAM_INNER);

    (void)state;
    names_are(lines, AG_COUNT(lines));
    talk_start(u, hangs);
    talk_start(u, given_up);
    wait_asked(2);
    expect(u, "b.service.test", UPSTREAM_INNER, AG_OK, NULL);
    talk_done(given_up); /* its resolver's thread still hangs */
    expect(u, "b.service.test", UPSTREAM_INNER, AG_OK, NULL);
    release_hanging();
    talk_wait_end(hangs);
    check_ok(hangs->err);
    talk_done(hangs);
    upstream_free(u);
}

static int
setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    return service_start();
}

static int
teardown(void **state)
{
    (void)state;
    assert_int_equal(secret_arena_used_bytes(), 0);
    return service_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_inner_addresses),
        cmocka_unit_test(test_only_allowed_addresses_are_tried),
        cmocka_unit_test(test_name_that_changes_its_mind),
        cmocka_unit_test(test_hanging_resolver_holds_nobody_up),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
