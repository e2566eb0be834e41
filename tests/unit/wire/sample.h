/*
 * sample.h - one message with every type of field, for the tests of wire/msg.
 */
#ifndef AG_TESTS_UNIT_WIRE_SAMPLE_H
#define AG_TESTS_UNIT_WIRE_SAMPLE_H

#include "base/parse.h"
#include "base/secret.h"
#include "wire/msg.h"

struct sample_item {
    char *secret;
    int64_t uses;
};

struct sample_part {
    char *path;
    struct secret *key;
};

struct sample {
    struct secret *value;
    char *name;
    int64_t ttl_s;
    bool unbound;
    int kind;
    struct msg_list words;
    struct msg_list items;
    struct sample_part *part;
};

static const char *const SAMPLE_KINDS[] = {"text", "base64", NULL};

static const struct msg_field SAMPLE_ITEM_ROWS[] = {
    MSG_FIELD_STRING(struct sample_item, secret, 1, 20, MSG_REQUIRED,
                     parse_name),
    MSG_FIELD_INT(struct sample_item, uses, 1, 9, MSG_OPTIONAL, -1),
};
static const struct msg_spec SAMPLE_ITEM =
    MSG_SPEC(struct sample_item, SAMPLE_ITEM_ROWS);

static const struct msg_field SAMPLE_PART_ROWS[] = {
    MSG_FIELD_STRING(struct sample_part, path, 1, 20, MSG_REQUIRED, NULL),
    MSG_FIELD_SECRET(struct sample_part, key, 1, 20, MSG_OPTIONAL),
};
static const struct msg_spec SAMPLE_PART =
    MSG_SPEC(struct sample_part, SAMPLE_PART_ROWS);

static const struct msg_field SAMPLE_ROWS[] = {
    MSG_FIELD_SECRET(struct sample, value, 2, 40, MSG_REQUIRED),
    MSG_FIELD_STRING(struct sample, name, 1, 20, MSG_OPTIONAL, parse_name),
    MSG_FIELD_INT(struct sample, ttl_s, 1, 60, MSG_OPTIONAL, 30),
    MSG_FIELD_BOOL(struct sample, unbound, MSG_OPTIONAL, true),
    MSG_FIELD_CHOICE(struct sample, kind, SAMPLE_KINDS, MSG_OPTIONAL, 1),
    MSG_FIELD_STRINGS(struct sample, words, 0, 3, MSG_OPTIONAL, NULL),
    MSG_FIELD_LIST(struct sample, items, 0, 2, MSG_OPTIONAL, &SAMPLE_ITEM),
    MSG_FIELD_OBJECT(struct sample, part, MSG_OPTIONAL, &SAMPLE_PART),
};
static const struct msg_spec SAMPLE = MSG_SPEC(struct sample, SAMPLE_ROWS);

#endif
