#include "redact/json_keys.h"

/* ---- strings that are no secrets ---- */

/* Ids, which agents' records are full of and which have to stay to tell them
 * apart; hashes of public things; what a service has sealed for itself. */
static const char *const OPAQUE[] = {
    "call_id",
    "checksum",
    "commit",
    "commit_hash",
    "conversation_id",
    "digest",
    "encrypted_content",
    "etag",
    "event_id",
    "forked_from_id",
    "hash",
    "id",
    "item_id",
    "itemId",
    "leafUuid",
    "messageId",
    "message_id",
    "obfuscation",
    "parentUuid",
    "parent_id",
    "parent_tool_use_id",
    "parent_uuid",
    "previous_response_id",
    "promptId",
    "prompt_cache_key",
    "requestId",
    "request_id",
    "response_id",
    "safety_identifier",
    "sessionId",
    "session_id",
    "sha",
    "sha1",
    "sha256",
    "signature",
    "sourceToolAssistantUUID",
    "system_fingerprint",
    "threadId",
    "thread_id",
    "toolUseID",
    "tool_call_id",
    "tool_use_id",
    "turnId",
    "turn_id",
    "uuid",
};

/* Most differ in their first byte. */
static bool
is_key(struct span key, const char *name)
{
    return key.len > 0 && key.ptr[0] == (uint8_t)name[0] && span_is(key, name);
}

bool
json_key_is_opaque(struct span key)
{
    for (size_t i = 0; i < AG_COUNT(OPAQUE); i++) {
        if (is_key(key, OPAQUE[i])) {
            return true;
        }
    }
    return false;
}

/* ---- parts of longer texts ---- */

/* A way to a member; "*" is any place in an array. */
typedef const char *json_path[JSON_PATH_MAX];

static const json_path TEXTS[] = {
    /* OpenAI Responses: response.output_text.delta and all the others */
    {"delta"},
    /* Anthropic Messages; Claude Code's stream-json wraps the same */
    {"delta", "text"},
    {"delta", "thinking"},
    {"delta", "partial_json"},
    {"event", "delta", "text"},
    {"event", "delta", "thinking"},
    {"event", "delta", "partial_json"},
    /* OpenAI Chat completions, and the many that speak it */
    {"choices", "*", "text"},
    {"choices", "*", "delta", "content"},
    {"choices", "*", "delta", "reasoning"},
    {"choices", "*", "delta", "reasoning_content"},
    {"choices", "*", "delta", "refusal"},
    {"choices", "*", "delta", "function_call", "arguments"},
    {"choices", "*", "delta", "tool_calls", "*", "function", "arguments"},
    /* Codex: rollouts, exec --json of older ones, the app server */
    {"payload", "delta"},
    {"msg", "delta"},
    {"params", "delta"},
    {"params", "msg", "delta"},
    /* Gemini */
    {"candidates", "*", "content", "parts", "*", "text"},
};

/* What tells one text from another. */
static const json_path NAMES[] = {
    {"type"},
    {"id"},
    {"item_id"},
    {"call_id"},
    {"index"},
    {"output_index"},
    {"content_index"},
    {"summary_index"},
    {"session_id"},
    {"parent_tool_use_id"},
    {"method"},
    {"event", "index"},
    {"choices", "*", "index"},
    {"choices", "*", "delta", "tool_calls", "*", "index"},
    {"candidates", "*", "index"},
    {"payload", "type"},
    {"payload", "item_id"},
    {"payload", "call_id"},
    {"payload", "turn_id"},
    {"payload", "content_index"},
    {"payload", "summary_index"},
    {"msg", "type"},
    {"msg", "item_id"},
    {"msg", "call_id"},
    {"msg", "content_index"},
    {"msg", "summary_index"},
    {"params", "threadId"},
    {"params", "turnId"},
    {"params", "itemId"},
    {"params", "conversationId"},
    {"params", "msg", "type"},
    {"params", "msg", "item_id"},
};

/* FNV-1a: tells texts apart, nothing more. */
static uint64_t
mix(uint64_t hash, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.ptr[i]) * 0x100000001b3U;
    }
    return (hash ^ 0xff) * 0x100000001b3U;
}

static bool
is_at(const struct json_deltas *d, const char *const *path, size_t depth)
{
    if (depth < JSON_PATH_MAX && path[depth] != NULL) {
        return false;
    }
    for (size_t i = depth; i > 0; i--) {
        const char *step = path[i - 1];
        struct span key = d->path[i - 1].key;

        if (step == NULL || (key.ptr == NULL) != (step[0] == '*') ||
            (key.ptr != NULL && !is_key(key, step))) {
            return false;
        }
    }
    return true;
}

/* The row of `table` that the path is at; `count`: none. */
static size_t
find_row(const struct json_deltas *d, const json_path *table, size_t count,
         size_t depth)
{
    size_t i = 0;

    while (i < count && !is_at(d, table[i], depth)) {
        i++;
    }
    return i;
}

static uint32_t
note_spots(const struct json_deltas *d, size_t depth, uint32_t spots[2])
{
    uint32_t n = 0;

    for (size_t i = 0; i < depth && n < 2; i++) {
        if (d->path[i].key.ptr == NULL) {
            spots[n++] = d->path[i].spot;
        }
    }
    return n;
}

static void
note_name(struct json_deltas *d, const struct json_token *token)
{
    size_t row = find_row(d, NAMES, AG_COUNT(NAMES), token->depth);
    struct json_name *name = &d->names[d->name_count];
    const uint8_t byte = (uint8_t)row;

    if (row == AG_COUNT(NAMES) || d->name_count == JSON_NAMES_MAX) {
        return;
    }
    name->hash = mix(mix(1, span_of(&byte, 1)), token->raw);
    name->spot_count = note_spots(d, token->depth, name->spots);
    d->name_count++;
}

static bool
note_text(struct json_deltas *d, const struct json_token *token)
{
    size_t row = find_row(d, TEXTS, AG_COUNT(TEXTS), token->depth);
    struct json_delta *delta = &d->items[d->count];

    if (row == AG_COUNT(TEXTS) || d->count == JSON_DELTAS_MAX) {
        return false;
    }
    *delta = (struct json_delta){.at = token->at,
                                 .raw = token->raw,
                                 .is_escaped = token->is_escaped,
                                 .row = (uint32_t)row};
    (void)note_spots(d, token->depth, delta->spots);
    d->count++;
    return true;
}

bool
json_deltas_token(struct json_deltas *d, const struct json_token *token)
{
    bool is_text = false;

    if (token->kind == JSON_KEY) {
        if (token->depth <= JSON_PATH_MAX) {
            d->path[token->depth - 1].key = token->raw;
        }
        return false;
    }
    if (token->kind != JSON_CLOSE && token->depth > 0 &&
        token->depth <= JSON_PATH_MAX) {
        if (token->kind == JSON_STRING) {
            is_text = note_text(d, token);
        }
        if (!is_text &&
            (token->kind == JSON_STRING || token->kind == JSON_SCALAR)) {
            note_name(d, token);
        }
        d->path[token->depth - 1].spot++;
    }
    if (token->kind == JSON_OPEN_ARRAY && token->depth < JSON_PATH_MAX) {
        d->path[token->depth].key = span_of(NULL, 0);
        d->path[token->depth].spot = 0;
    }
    return is_text;
}

static bool
is_in(const struct json_name *name, const struct json_delta *delta)
{
    for (uint32_t i = 0; i < name->spot_count; i++) {
        if (name->spots[i] != delta->spots[i]) {
            return false;
        }
    }
    return true;
}

void
json_deltas_end(struct json_deltas *d)
{
    for (size_t i = 0; i < d->count; i++) {
        struct json_delta *delta = &d->items[i];

        delta->stream = delta->row + 1;
        for (size_t k = 0; k < d->name_count; k++) {
            if (is_in(&d->names[k], delta)) {
                delta->stream += d->names[k].hash;
            }
        }
    }
}
