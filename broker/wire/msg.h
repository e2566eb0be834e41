/*
 * msg.h - messages decoded by table: a row per field says its name, type,
 * place in a C struct, bounds and whether it must be there. What no row names
 * is refused, so a handler sees only whole, checked structs.
 * Floor: wire. Depends on: wire/json, base/secret.
 *
 *   struct msg_unlock { struct secret *passphrase; char *name; int64_t ttl_s; };
 *   static const struct msg_field UNLOCK_FIELDS[] = {
 *       MSG_FIELD_SECRET(struct msg_unlock, passphrase, 1, 1024, MSG_REQUIRED),
 *       MSG_FIELD_STRING(struct msg_unlock, name, 1, 64, MSG_OPTIONAL, NULL),
 *       MSG_FIELD_INT(struct msg_unlock, ttl_s, 1, 86400, MSG_OPTIONAL, 3600),
 *   };
 *   static const struct msg_spec UNLOCK = MSG_SPEC(struct msg_unlock,
 *                                                  UNLOCK_FIELDS);
 */
#ifndef AG_WIRE_MSG_H
#define AG_WIRE_MSG_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum msg_type {
    MSG_STRING,  /* char *, NUL-ended; NULL when absent */
    MSG_INT,     /* int64_t; `absent` when absent */
    MSG_BOOL,    /* bool; `absent` (0 or 1) when absent */
    MSG_SECRET,  /* struct secret *; NULL when absent */
    MSG_CHOICE,  /* int: index into `choices`; `absent` when absent */
    MSG_STRINGS, /* struct msg_list of char * */
    MSG_LIST,    /* struct msg_list of structs of the spec `of` */
    MSG_OBJECT,  /* pointer to a struct of the spec `of`; NULL when absent */
    MSG_TREE, /* json_t *, an object that its reader checks; NULL when absent */
};

enum msg_flags {
    MSG_OPTIONAL = 0,
    MSG_REQUIRED = 1,
    MSG_TOLERANT = 2, /* of a spec: unknown fields are passed over (answers) */
};

struct msg_list {
    void *items; /* char *[] or an array of the element's struct */
    size_t count;
};

struct msg_spec;

/* A further check of a string, e.g. parse_name. It raises its own sentence. */
typedef enum ag_err (*msg_check_fn)(struct span text);

struct msg_field {
    const char *name;
    enum msg_type type;
    enum msg_flags flags;
    size_t offset;
    int64_t min; /* length in bytes, value, or count */
    int64_t max;
    int64_t absent;             /* INT, BOOL, CHOICE */
    msg_check_fn check;         /* STRING, STRINGS; or NULL */
    const char *const *choices; /* CHOICE: ended by NULL */
    const struct msg_spec *of;  /* LIST, OBJECT */
};

struct msg_spec {
    const struct msg_field *fields;
    size_t field_count;
    size_t size; /* of the C struct */
    enum msg_flags flags;
};

#define MSG_SPEC(struct_type, field_rows)                                      \
    {                                                                          \
        .fields = (field_rows), .field_count = AG_COUNT(field_rows),           \
        .size = sizeof(struct_type)                                            \
    }

#define MSG_FIELD_STRING(t, f, lo, hi, need, check_fn)                         \
    {                                                                          \
        .name = #f, .type = MSG_STRING, .flags = (need),                       \
        .offset = offsetof(t, f), .min = (lo), .max = (hi),                    \
        .check = (check_fn)                                                    \
    }
#define MSG_FIELD_INT(t, f, lo, hi, need, otherwise)                           \
    {                                                                          \
        .name = #f, .type = MSG_INT, .flags = (need),                          \
        .offset = offsetof(t, f), .min = (lo), .max = (hi),                    \
        .absent = (otherwise)                                                  \
    }
#define MSG_FIELD_BOOL(t, f, need, otherwise)                                  \
    {                                                                          \
        .name = #f, .type = MSG_BOOL, .flags = (need),                         \
        .offset = offsetof(t, f), .absent = (otherwise)                        \
    }
#define MSG_FIELD_SECRET(t, f, lo, hi, need)                                   \
    {                                                                          \
        .name = #f, .type = MSG_SECRET, .flags = (need),                       \
        .offset = offsetof(t, f), .min = (lo), .max = (hi)                     \
    }
#define MSG_FIELD_CHOICE(t, f, list, need, otherwise)                          \
    {                                                                          \
        .name = #f, .type = MSG_CHOICE, .flags = (need),                       \
        .offset = offsetof(t, f), .choices = (list), .absent = (otherwise)     \
    }
/* `lo`..`hi` bound the count; each string is 1..WJSON_MAX_BYTES and `check`ed. */
#define MSG_FIELD_STRINGS(t, f, lo, hi, need, check_fn)                        \
    {                                                                          \
        .name = #f, .type = MSG_STRINGS, .flags = (need),                      \
        .offset = offsetof(t, f), .min = (lo), .max = (hi),                    \
        .check = (check_fn)                                                    \
    }
#define MSG_FIELD_LIST(t, f, lo, hi, need, element_spec)                       \
    {                                                                          \
        .name = #f, .type = MSG_LIST, .flags = (need),                         \
        .offset = offsetof(t, f), .min = (lo), .max = (hi),                    \
        .of = (element_spec)                                                   \
    }
#define MSG_FIELD_OBJECT(t, f, need, object_spec)                              \
    {                                                                          \
        .name = #f, .type = MSG_OBJECT, .flags = (need),                       \
        .offset = offsetof(t, f), .of = (object_spec)                          \
    }
#define MSG_FIELD_TREE(t, f, need)                                             \
    {                                                                          \
        .name = #f, .type = MSG_TREE, .flags = (need),                         \
        .offset = offsetof(t, f)                                               \
    }

/*
 * Decodes `body` (at most max_bytes of JSON, one object) into *out, a struct
 * of spec->size bytes. null counts as absent.
 *
 * Ownership: on AG_OK the caller calls msg_done(spec, out); on error *out is
 *            zeroed and owns nothing.
 * Errors:    AG_EINVAL with a sentence that names the field ("ttl_s: 0 is
 *            below 1", "colour: no such field"); AG_ELIMIT; AG_ENOMEM;
 *            AG_EMEMLOCK.
 * Threads:   safe. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err msg_decode(const struct msg_spec *spec,
                                           struct span body, size_t max_bytes,
                                           void *out);

/* The same from a tree that was parsed already. */
AG_CHECK AG_NONNULL enum ag_err msg_from_tree(const struct msg_spec *spec,
                                              json_t *tree, void *out);

/* The struct of a message that was left out: every field absent.
 * Errors: AG_EINVAL a field is required. */
AG_CHECK AG_NONNULL enum ag_err msg_absent(const struct msg_spec *spec,
                                           void *out);

/* Wipes and frees what the struct owns and zeroes it. A zeroed struct is
 * allowed. */
AG_NONNULL void msg_done(const struct msg_spec *spec, void *out);

#endif
