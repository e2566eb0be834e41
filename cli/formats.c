#include "formats.h"

#include <string.h>
#include <strings.h>

#include "base/span.h"

static const struct {
    const char *end;
    enum format format;
} ENDS[] = {
    {".jsonl", STREAM_JSONL}, {".ndjson", STREAM_JSONL},
    {".json", STREAM_JSON},   {".sse", STREAM_SSE},
    {".md", STREAM_MARKDOWN}, {".markdown", STREAM_MARKDOWN},
    {".diff", STREAM_DIFF},   {".patch", STREAM_DIFF},
};

static const char *const PACKED[] = {".gz", ".zst"};

enum ag_err
format_wish_parse(const char *text, struct format_wish *ret)
{
    if (strcmp(text, "auto") == 0) {
        *ret = (struct format_wish){.by_name = true};
        return AG_OK;
    }
    for (enum format f = STREAM_TEXT; f < STREAM_COUNT; f++) {
        if (strcmp(text, format_name(f)) == 0) {
            *ret = (struct format_wish){.format = f};
            return AG_OK;
        }
    }
    return err_why(AG_EUSAGE,
                   "--format is text, jsonl, json, sse, markdown, diff or "
                   "auto, not %s",
                   text);
}

static bool
ends_with(const char *name, size_t len, const char *end)
{
    size_t end_len = strlen(end);

    return len > end_len &&
           strncasecmp(name + len - end_len, end, end_len) == 0;
}

enum format
format_wish_of(const struct format_wish *wish, const char *name)
{
    size_t len = strlen(name);

    if (!wish->by_name) {
        return wish->format;
    }
    for (size_t i = 0; i < AG_COUNT(PACKED); i++) {
        if (ends_with(name, len, PACKED[i])) {
            len -= strlen(PACKED[i]);
            break;
        }
    }
    for (size_t i = 0; i < AG_COUNT(ENDS); i++) {
        if (ends_with(name, len, ENDS[i].end)) {
            return ENDS[i].format;
        }
    }
    return STREAM_TEXT;
}
