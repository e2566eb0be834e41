/* The format as rows; schema/rule.schema.json says the same (a test compares
 * them). */
#include "base/parse.h"
#include "redact/rule.h"
#include "rules/format.h"

enum {
    TEXT_MAX_BYTES = 512,
    REGEX_MAX_BYTES = 2048,
    CLASS_MAX_BYTES = 128,
    EXAMPLE_MAX_COUNT = 64,
    ITEMS_MAX_COUNT = 256,
    TAIL_MAX_BYTES = 1024 * 1024,
    BITS_MAX = 800,        /* a byte has eight */
    EFFICIENCY_MAX = 3000, /* the longest words */
    SECRET_MAX_GROUP = 9,
};

_Static_assert(sizeof(struct rule_texts) == sizeof(struct msg_list) &&
                   offsetof(struct rule_texts, count) ==
                       offsetof(struct msg_list, count) &&
                   sizeof(struct rule_items) == sizeof(struct msg_list),
               "layout differs");

static const char *const LEVELS[] = {"default", "all", NULL};

static enum ag_err
check_id(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') {
            return err_why(AG_EINVAL,
                           "an id or a group has only a-z, 0-9 and -");
        }
    }
    return AG_OK;
}

static enum ag_err
check_class(struct span text)
{
    struct rule_class ignored;

    return rule_class_parse(text, &ignored);
}

static enum ag_err
check_keyword(struct span text)
{
    if (text.len < RULE_KEYWORD_MIN_BYTES ||
        text.len > RULE_KEYWORD_MAX_BYTES) {
        return err_why(AG_EINVAL, "a keyword has %d to %d bytes",
                       (int)RULE_KEYWORD_MIN_BYTES,
                       (int)RULE_KEYWORD_MAX_BYTES);
    }
    return AG_OK;
}

static enum ag_err
check_text(struct span text)
{
    return parse_is_utf8(text) ? AG_OK
                               : err_why(AG_EINVAL, "a text is not UTF-8");
}

static const struct msg_field ITEM_FIELDS[] = {
    MSG_FIELD_STRING(struct rule_item, id, 1, RULE_ID_MAX_BYTES, MSG_REQUIRED,
                     check_id),
    MSG_FIELD_STRING(struct rule_item, service, 1, RULE_ID_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct rule_item, description, 1, TEXT_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct rule_item, source, 1, TEXT_MAX_BYTES, MSG_REQUIRED,
                     NULL),
    MSG_FIELD_CHOICE(struct rule_item, level, LEVELS, MSG_OPTIONAL,
                     RULE_LEVEL_DEFAULT),
    MSG_FIELD_STRING(struct rule_item, regex, 1, REGEX_MAX_BYTES, MSG_REQUIRED,
                     check_text),
    MSG_FIELD_STRINGS(struct rule_item, keywords, 1, RULE_STRINGS_MAX_COUNT,
                      MSG_REQUIRED, check_keyword),
    MSG_FIELD_INT(struct rule_item, secret, 0, SECRET_MAX_GROUP, MSG_OPTIONAL,
                  0),
    MSG_FIELD_STRING(struct rule_item, tail, 1, CLASS_MAX_BYTES, MSG_OPTIONAL,
                     check_class),
    MSG_FIELD_INT(struct rule_item, tail_max, 1, TAIL_MAX_BYTES, MSG_OPTIONAL,
                  0),
    MSG_FIELD_STRING(struct rule_item, until, 1, RULE_UNTIL_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_STRING(struct rule_item, stop, 1, CLASS_MAX_BYTES, MSG_OPTIONAL,
                     check_class),
    MSG_FIELD_STRING(struct rule_item, lead, 1, CLASS_MAX_BYTES, MSG_OPTIONAL,
                     check_class),
    MSG_FIELD_INT(struct rule_item, lead_max, 1, RULE_LEAD_MAX_BYTES,
                  MSG_OPTIONAL, 0),
    MSG_FIELD_BOOL(struct rule_item, context, MSG_OPTIONAL, false),
    MSG_FIELD_BOOL(struct rule_item, block, MSG_OPTIONAL, false),
    MSG_FIELD_BOOL(struct rule_item, words, MSG_OPTIONAL, false),
    MSG_FIELD_INT(struct rule_item, entropy, 1, BITS_MAX, MSG_OPTIONAL, 0),
    MSG_FIELD_INT(struct rule_item, efficiency, 1, EFFICIENCY_MAX, MSG_OPTIONAL,
                  0),
    MSG_FIELD_CHOICE(struct rule_item, checksum, RULE_SUM_NAMES, MSG_OPTIONAL,
                     RULE_SUM_NONE),
    MSG_FIELD_CHOICE(struct rule_item, gate, RULE_GATE_NAMES, MSG_OPTIONAL,
                     RULE_GATE_NONE),
    MSG_FIELD_BOOL(struct rule_item, checksum_must, MSG_OPTIONAL, false),
    MSG_FIELD_STRINGS(struct rule_item, allow, 1, RULE_STRINGS_MAX_COUNT,
                      MSG_OPTIONAL, check_text),
    MSG_FIELD_STRINGS(struct rule_item, examples, 1, EXAMPLE_MAX_COUNT,
                      MSG_REQUIRED, check_text),
    MSG_FIELD_STRINGS(struct rule_item, negatives, 1, EXAMPLE_MAX_COUNT,
                      MSG_REQUIRED, check_text),
};
static const struct msg_spec ITEM = MSG_SPEC(struct rule_item, ITEM_FIELDS);

static const struct msg_field FILE_FIELDS[] = {
    MSG_FIELD_INT(struct rule_file, rules, 1, 1, MSG_REQUIRED, 0),
    MSG_FIELD_STRING(struct rule_file, group, 1, RULE_ID_MAX_BYTES,
                     MSG_REQUIRED, check_id),
    MSG_FIELD_STRING(struct rule_file, title, 1, RULE_ID_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_LIST(struct rule_file, items, 1, ITEMS_MAX_COUNT, MSG_REQUIRED,
                   &ITEM),
};
static const struct msg_spec FILE_SPEC =
    MSG_SPEC(struct rule_file, FILE_FIELDS);

const struct msg_spec *
rule_file_spec(void)
{
    return &FILE_SPEC;
}
