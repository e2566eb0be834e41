/*
 * random: a value of our own making, for what is checked against the vault
 * itself (a webhook's signing secret, an internal token): there is no provider
 * to tell. Parameters: length, alphabet, require (classes that must occur).
 */
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "rotate/rotators.h"

enum {
    LENGTH_DEFAULT = 32,
    LENGTH_LEAST = 12, /* shorter ones can't be told from words in output */
    LENGTH_MOST = 1024,
    ROUNDS_MAX_COUNT = 100000, /* until each class occurs: one of 15 at worst */
};

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define SYMBOL "!#$%&()*+,-./:;<=>?@[]^_{|}~"

static const struct {
    const char *name;
    const char *letters;
} ALPHABETS[] = {
    {"alnum", LOWER UPPER DIGITS},
    {"hex", DIGITS "abcdef"},
    {"url", LOWER UPPER DIGITS "-_"},
    {"ascii", LOWER UPPER DIGITS SYMBOL},
    {"digits", DIGITS},
};

static const struct {
    const char *name;
    const char *letters;
} CLASSES[] = {
    {"lower", LOWER},
    {"upper", UPPER},
    {"digit", DIGITS},
    {"symbol", SYMBOL "-_"},
};

/* ---- parameters ---- */

static const char *
letters_of(const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "alphabet"));

    for (size_t i = 0; name != NULL && i < AG_COUNT(ALPHABETS); i++) {
        if (strcmp(name, ALPHABETS[i].name) == 0) {
            return ALPHABETS[i].letters;
        }
    }
    return name == NULL ? ALPHABETS[0].letters : NULL;
}

static size_t
length_of(const json_t *params)
{
    const json_t *length = json_object_get(params, "length");

    return length != NULL ? (size_t)json_integer_value(length) : LENGTH_DEFAULT;
}

static const char *
class_of(const json_t *name)
{
    const char *text = json_string_value(name);

    for (size_t i = 0; text != NULL && i < AG_COUNT(CLASSES); i++) {
        if (strcmp(text, CLASSES[i].name) == 0) {
            return CLASSES[i].letters;
        }
    }
    return NULL;
}

enum ag_err
random_check(const json_t *params)
{
    const json_t *length = json_object_get(params, "length");
    const json_t *require = json_object_get(params, "require");
    const char *letters = letters_of(params);
    size_t i = 0;
    json_t *name = NULL;

    if (length != NULL && (!json_is_integer(length) ||
                           json_integer_value(length) < LENGTH_LEAST ||
                           json_integer_value(length) > LENGTH_MOST)) {
        return err_why(AG_EINVAL, "length: %d to %d", LENGTH_LEAST,
                       LENGTH_MOST);
    }
    if (letters == NULL) {
        return err_why(AG_EINVAL, "alphabet: alnum, hex, url, ascii or digits");
    }
    json_array_foreach((json_t *)(uintptr_t)require, i, name)
    {
        const char *wanted = class_of(name);

        if (wanted == NULL) {
            return err_why(AG_EINVAL, "require: lower, upper, digit or symbol");
        }
        if (strpbrk(letters, wanted) == NULL) {
            return err_why(AG_EINVAL, "require: the alphabet has no %s",
                           json_string_value(name));
        }
    }
    return AG_OK;
}

/* ---- the value ---- */

static bool
has_one_of(struct span value, const char *letters)
{
    for (size_t i = 0; i < value.len; i++) {
        if (strchr(letters, value.ptr[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool
has_all(const json_t *params, struct span value)
{
    const json_t *require = json_object_get(params, "require");

    for (size_t i = 0; i < json_array_size(require); i++) {
        if (!has_one_of(value, class_of(json_array_get(require, i)))) {
            return false;
        }
    }
    return true;
}

/* Thrown away whole while a class is missing, so that every value that has them
 * all is as likely as any other. */
enum ag_err
random_make(const json_t *params, struct secret **ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    const char *letters = letters_of(params);
    uint32_t count = (uint32_t)strlen(letters);
    enum ag_err err = secret_new(length_of(params), &value);
    bool whole = false;

    if (err != AG_OK) {
        return err;
    }
    for (int round = 0; !whole && round < ROUNDS_MAX_COUNT; round++) {
        for (size_t i = 0; i < secret_len(value); i++) {
            secret_bytes(value)[i] =
                (uint8_t)letters[randombytes_uniform(count)];
        }
        whole = has_all(params, secret_view(value));
    }
    AG_ASSERT(whole);
    *ret = AG_TAKE(value);
    return AG_OK;
}

static enum ag_err
check(const json_t *params)
{
    static const char *const TAKES[] = {"length", "alphabet", "require", NULL};

    return params_only(params, TAKES)
               ? random_check(params)
               : err_why(AG_EINVAL, "random: takes length, alphabet, require");
}

const struct rotator ROTATOR_RANDOM = {
    .name = "random",
    .check = check,
    .make = random_make,
    .makes_plain = true,
};
