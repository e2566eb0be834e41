#include "move/naming.h"

#include <stdio.h>
#include <string.h>

enum {
    SEGMENT_MAX_BYTES = 64, /* of a name, as parse_name() has it */
};

/* Lower case, everything else that a name may not hold as '-', without dots
 * and dashes at the ends; "x" if nothing is left. */
static void
make_segment(struct span text, char out[SEGMENT_MAX_BYTES + 1])
{
    size_t len = 0;

    for (size_t i = 0; i < text.len && len < SEGMENT_MAX_BYTES; i++) {
        char c = (char)text.ptr[i];

        if (c >= 'A' && c <= 'Z') {
            c = (char)(c + ('a' - 'A'));
        }
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", c) == NULL) {
            c = '-';
        }
        if (len > 0 || (c != '.' && c != '-')) {
            out[len++] = c;
        }
    }
    while (len > 0 && (out[len - 1] == '.' || out[len - 1] == '-')) {
        len--;
    }
    out[len] = '\0';
    if (len == 0) {
        memcpy(out, "x", 2);
    }
}

static struct span
base_of(struct span path, struct span *ret_dir)
{
    size_t at = path.len;

    while (at > 0 && path.ptr[at - 1] != '/') {
        at--;
    }
    *ret_dir = span_sub(path, 0, at == 0 ? 0 : at - 1);
    return span_sub(path, at, path.len - at);
}

void
naming_default(const struct profile_match *match, bool by_name,
               const char *path, char out[NAME_MAX_BYTES + 1])
{
    const struct profile_file *f =
        match == NULL ? NULL : &match->profile->files.items[match->file_index];
    struct span dir;
    struct span base = base_of(span_str(path), &dir);
    struct span above;
    struct span parent = base_of(dir, &above);
    char text[256];
    char last[SEGMENT_MAX_BYTES + 1];
    const char *head = match == NULL ? "file" : match->profile->secret;
    int head_len = (int)strcspn(head, "/");

    if (f != NULL && !by_name && match->file_index == 0 &&
        (f->path == NULL || strchr(f->path, '*') == NULL)) {
        (void)snprintf(out, NAME_MAX_BYTES + 1, "%s", match->profile->secret);
        return;
    }
    if (f == NULL || by_name || (f->path != NULL && strstr(f->path, "*/"))) {
        int cut = parent.len > 40 ? 40 : (int)parent.len;

        while (base.len > 1 && base.ptr[0] == '.') {
            base = span_sub(base, 1, base.len - 1);
        }
        (void)snprintf(text, sizeof(text), "%.*s-%.*s", cut,
                       (const char *)parent.ptr, (int)base.len,
                       (const char *)base.ptr);
        make_segment(span_str(text), last);
    } else {
        make_segment(base, last);
    }
    (void)snprintf(out, NAME_MAX_BYTES + 1, "%.*s/%s", head_len, head, last);
}
