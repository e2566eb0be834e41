/*
 * Placeholders of random values under random keys: the id comes back, prefix,
 * length, alphabet and punctuation stay, a changed character and a stranger's
 * value are not recognised, and a scan finds what it says it finds.
 */
#include "base/buf.h"
#include "common/arena.h"
#include "common/prop.h"
#include "profile/placeholder.h"

enum {
    VALUE_MAX_BYTES = 300,
};

static struct secret *key;

static int
setup(void **state)
{
    assert_int_equal(arena_set_up(state), 0);
    check_ok(secret_new(32, &key));
    return 0;
}

static int
teardown(void **state)
{
    secret_free(key);
    return arena_tear_down(state);
}

static uint64_t
random_id(void)
{
    uint64_t id = 0;

    prop_bytes(&id, 6);
    return id;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM LOWER UPPER "0123456789"

static const char *const CHARS[] = {
    [ALPHABET_ANY] = ALNUM "!#%+-./:;=?@_~ ",
    [ALPHABET_ALNUM] = ALNUM,
    [ALPHABET_HEX] = "0123456789abcdef",
    [ALPHABET_BASE64] = ALNUM "+/",
    [ALPHABET_BASE64URL] = ALNUM "-_",
    [ALPHABET_JWT] = ALNUM, /* not drawn */
    [ALPHABET_ALPHA] = LOWER UPPER,
    [ALPHABET_BASE32] = UPPER "234567",
};

static const char *const PREFIXES[] = {NULL,   "sk-",    "ghp_", "AKIA", "a.b.",
                                       "AIza", "x-y_z-", "1//",  "hf_"};

struct value {
    struct profile_shape shape;
    char text[VALUE_MAX_BYTES + 64];
    size_t len;
};

static void
random_value(struct value *v)
{
    const char *chars;
    size_t body = 8 + prop_below(prop_below(2) == 0 ? 40 : VALUE_MAX_BYTES);

    memset(v, 0, sizeof(*v));
    do {
        v->shape.alphabet =
            (enum shape_alphabet)prop_below(ALPHABET_BASE32 + 1);
    } while (v->shape.alphabet == ALPHABET_JWT);
    chars = CHARS[v->shape.alphabet];
    v->shape.prefix = PREFIXES[prop_below(AG_COUNT(PREFIXES))];
    if (v->shape.alphabet == ALPHABET_ALNUM && prop_below(2) == 0 &&
        (v->shape.prefix == NULL || strpbrk(v->shape.prefix, "_.-/") != NULL)) {
        v->shape.checksum = CHECKSUM_CRC32_BASE62;
    }
    v->len = (size_t)snprintf(v->text, sizeof(v->text), "%s",
                              v->shape.prefix == NULL ? "" : v->shape.prefix);
    for (size_t i = 0; i < body; i++) {
        v->text[v->len++] = chars[prop_below(strlen(chars))];
    }
    if (v->shape.alphabet == ALPHABET_BASE64 && prop_below(3) == 0) {
        v->text[v->len++] = '=';
    }
}

static bool
is_alnum(uint8_t c)
{
    return c != 0 && strchr(ALNUM, c) != NULL;
}

/* As the shape says, and where there was none, class by class. */
static void
check_shape(const struct value *v, const struct profile_shape *shape,
            struct span made)
{
    const char *chars = CHARS[shape == NULL ? ALPHABET_ANY : shape->alphabet];
    struct span prefix = span_str(shape == NULL ? "" : shape->prefix);

    assert_int_equal(made.len, v->len);
    if (!span_starts(made, prefix)) {
        fail_msg("%.*s (alphabet %d) became %.*s", (int)v->len, v->text,
                 (int)shape->alphabet, (int)made.len, made.ptr);
    }
    for (size_t i = prefix.len; i < made.len; i++) {
        uint8_t was = (uint8_t)v->text[i];

        if (shape == NULL && v->shape.alphabet == ALPHABET_HEX) {
            assert_int_equal(is_alnum(was), is_alnum(made.ptr[i]));
        } else if (shape == NULL || shape->alphabet == ALPHABET_ANY) {
            assert_true(is_alnum(was) ? is_alnum(made.ptr[i])
                                      : made.ptr[i] == was);
            assert_true((strchr(LOWER, was) == NULL) ==
                        (strchr(LOWER, made.ptr[i]) == NULL));
            assert_true((strchr(UPPER, was) == NULL) ==
                        (strchr(UPPER, made.ptr[i]) == NULL));
        } else {
            assert_true(strchr(chars, made.ptr[i]) != NULL || was == '=');
        }
    }
}

/* The tag of a short value has as few as 16 bits; those are not counted on. */
static void
check_change(struct buf *made, bool strong)
{
    size_t at = prop_below(made->len);
    uint8_t was = made->ptr[at];
    uint64_t got = 0;

    made->ptr[at] = (uint8_t)ALNUM[prop_below(62)];
    if (made->ptr[at] != was && strong) {
        if (placeholder_read(key, buf_view(made), &got) == AG_OK) {
            fail_msg("%s, with a %c at %zu, is still one", buf_cstr(made), was,
                     at);
        }
    }
    made->ptr[at] = was;
}

/* Only a short value may have none, or one that its prefix crowds out. */
static void
check_refused(const struct value *v, enum ag_err err, const struct buf *made)
{
    check_err(err, AG_EUNSUPPORTED);
    assert_int_equal(made->len, 0);
    if (v->len >= 64) {
        fail_msg("%.*s (alphabet %d): %s", (int)v->len, v->text,
                 (int)v->shape.alphabet, err_text(err));
    }
}

static void
test_the_id_comes_back(void **state)
{
    uint64_t runs = prop_begin(20000);
    uint64_t refused = 0;

    (void)state;
    for (uint64_t run = 0; run < runs; run++) {
        AG_AUTO(buf) struct buf made = {0};
        struct value v;
        const struct profile_shape *shape = NULL;
        uint64_t id = random_id();
        uint64_t got = 0;
        enum ag_err err;

        prop_bytes(secret_bytes(key), 32);
        random_value(&v);
        if (prop_below(4) > 0) {
            shape = &v.shape;
        }
        buf_init(&made, 4096, BUF_PLAIN);
        err = placeholder_make(key, id, shape, span_of(v.text, v.len), &made);
        if (err != AG_OK) {
            check_refused(&v, err, &made);
            refused++;
            continue;
        }
        check_ok(placeholder_read(key, buf_view(&made), &got));
        assert_true(got == id);
        check_shape(&v, shape, buf_view(&made));
        check_change(&made, v.len > 48);
    }
    printf("%llu of %llu without a placeholder\n", (unsigned long long)refused,
           (unsigned long long)runs);
    assert_true(refused < runs / 2);
}

/* Of each shape, from the shortest that has one to 80 characters. */
static void
test_every_length(void **state)
{
    (void)state;
    (void)prop_begin(1);
    prop_bytes(secret_bytes(key), 32);
    for (int a = ALPHABET_ANY; a <= ALPHABET_BASE32; a++) {
        struct profile_shape shape = {.prefix = "p-",
                                      .alphabet = (enum shape_alphabet)a};
        size_t shortest = 0;

        for (size_t len = 4; a != ALPHABET_JWT && len < 80; len++) {
            AG_AUTO(buf) struct buf made = {0};
            char real[96] = "p-";
            uint64_t got = 0;
            enum ag_err err;

            for (size_t i = 2; i < len; i++) {
                const char *chars = a == ALPHABET_ANY ? LOWER : CHARS[a];

                real[i] = chars[prop_below(strlen(chars))];
            }
            buf_init(&made, 4096, BUF_PLAIN);
            err = placeholder_make(key, len, &shape, span_of(real, len), &made);
            if (err == AG_EUNSUPPORTED) {
                assert_int_equal(shortest == 0 || a == ALPHABET_ANY ||
                                     a == ALPHABET_ALPHA || a == ALPHABET_HEX,
                                 1);
                continue;
            }
            check_ok(err);
            check_ok(placeholder_read(key, buf_view(&made), &got));
            assert_true(got == len);
            shortest = shortest == 0 ? len : shortest;
        }
        printf("alphabet %d: from %zu bytes\n", a, shortest);
    }
}

/* 32 free characters and more: none of them ever. */
static void
test_strangers_are_not_recognised(void **state)
{
    uint64_t runs = prop_begin(100000);

    (void)state;
    prop_bytes(secret_bytes(key), 32);
    for (uint64_t run = 0; run < runs; run++) {
        struct value v;
        uint64_t got = 0;

        do {
            random_value(&v);
        } while (v.len < 40);
        if (placeholder_read(key, span_of(v.text, v.len), &got) == AG_OK) {
            fail_msg("%.*s is taken for one", (int)v.len, v.text);
        }
    }
}

static enum ag_err
note(void *arg, const struct placeholder_hit *hit)
{
    uint64_t *id = arg;

    *id = hit->id;
    return AG_OK;
}

/* Cut anywhere, between random text. */
static void
test_a_scan_finds_it_however_cut(void **state)
{
    static const char NOISE[] = " \n\"'=:@/.,{}";
    uint64_t runs = prop_begin(3000);

    (void)state;
    for (uint64_t run = 0; run < runs; run++) {
        AG_AUTO(placeholder_scan) struct placeholder_scan *s = NULL;
        AG_AUTO(buf) struct buf text = {0};
        struct value v;
        uint64_t id = random_id() | 1;
        uint64_t found = 0;
        size_t at = 0;

        prop_bytes(secret_bytes(key), 32);
        do {
            random_value(&v);
        } while (v.len < 60 || v.shape.alphabet == ALPHABET_ANY ||
                 (v.len > 100 && v.shape.checksum != CHECKSUM_NONE));
        buf_init(&text, 4096, BUF_PLAIN);
        for (size_t i = prop_below(200); i > 0; i--) {
            check_ok(buf_add_byte(&text, (uint8_t)ALNUM[prop_below(62)]));
        }
        check_ok(
            buf_add_byte(&text, (uint8_t)NOISE[prop_below(sizeof(NOISE) - 1)]));
        check_ok(
            placeholder_make(key, id, &v.shape, span_of(v.text, v.len), &text));
        if (prop_below(2) == 0) {
            check_ok(buf_add_byte(
                &text, (uint8_t)NOISE[prop_below(sizeof(NOISE) - 1)]));
        }
        check_ok(placeholder_scan_new(key, note, &found, &s));
        while (at < text.len) {
            size_t part = 1 + prop_below(60);

            check_ok(
                placeholder_scan_feed(s, span_sub(buf_view(&text), at, part)));
            at += part;
        }
        check_ok(placeholder_scan_finish(s));
        if (found != id) {
            fail_msg("not found in %s", buf_cstr(&text));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_id_comes_back),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_strangers_are_not_recognised),
        cmocka_unit_test(test_a_scan_finds_it_however_cut),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
