/* Where a form may start: the other half of scan.c. */
#include "redact/marks.h"
#include "redact/scan.h"
#include "redact/tokens.h"

static void
add_start(struct scan *s, size_t start)
{
    s->starts[start % STARTS_COUNT / 64] |= 1ULL << (start % 64);
}

static uint64_t
word_at(const struct scan *s, size_t at)
{
    size_t left = s->text.len - at;

    return left >= WORD_BYTES ? set_load(s->text.ptr + at)
                              : set_load_short(s->text.ptr + at, left);
}

/* A block in the middle of some form stands at `block`: which starts fit? */
static void
add_starts_before(struct scan *s, const struct set_class *class, size_t block)
{
    size_t from = block + 1 - class->stride;
    size_t to = block < s->tile_end ? block + 1 : s->tile_end;

    for (; from < to; from++) {
        uint64_t hash = set_hash(word_at(s, from), class->block_bytes);

        if (marks_has(class->heads, hash, class->head_shift)) {
            add_start(s, from);
        }
    }
}

/*
 * Looks at one block in every stride. Each form that starts in the tile has
 * exactly one of these blocks within its window.
 */
static void
find_starts(struct scan *s, const struct set_class *class)
{
    const struct marks m = {.bitmap = class->blocks,
                            .stride = class->stride,
                            .shift = class->block_shift,
                            .block_bytes = class->block_bytes};
    const size_t stride = class->stride;
    size_t at = s->tile + stride - 1;
    size_t end = s->tile_end + stride - 1;
    size_t words_end =
        s->text.len < WORD_BYTES ? 0 : s->text.len - WORD_BYTES + 1;
    size_t fast_end = end < words_end ? end : words_end;

    while ((at = marks_next(&m, s->text.ptr, at, fast_end)) < fast_end) {
        add_starts_before(s, class, at);
        at += stride;
    }
    for (; at < end && at + class->block_bytes <= s->text.len; at += stride) {
        uint64_t hash = set_hash(word_at(s, at), class->block_bytes);

        if (marks_has(class->blocks, hash, class->block_shift)) {
            add_starts_before(s, class, at);
        }
    }
}

/* The same of the shortest forms. */
static void
find_tokens(struct scan *s, const struct matcher *part)
{
    const struct set_class *class = &part->classes[CLASS_TOKENS];
    size_t whole = s->text.len < KEY_BYTES ? 0 : s->text.len - KEY_BYTES + 1;
    size_t end = s->tile_end < whole ? s->tile_end : whole;
    size_t fast_end = s->text.len < TOKENS_READ_BYTES
                          ? 0
                          : s->text.len - TOKENS_READ_BYTES + 1;
    size_t at = s->tile;

    if (part->tokens.tables == NULL || !tokens_can_look()) {
        find_starts(s, class);
        return;
    }
    fast_end = end < fast_end ? end : fast_end;
    for (; at < end; at++) {
        uint64_t hash;

        if (at < fast_end) {
            at = tokens_next(&part->tokens, s->text.ptr, at, fast_end);
        }
        if (at == end) {
            break;
        }
        hash = set_hash(word_at(s, at), class->block_bytes);
        if (marks_has(class->heads, hash, class->head_shift)) {
            add_start(s, at);
        }
    }
}

/* Does a form of another class begin there, as far as its head tells? */
static bool
has_head(const struct scan *s, const struct matcher *part, size_t at)
{
    uint64_t word = word_at(s, at);
    size_t i;

    if (!marks_has(part->quads, set_hash(word, KEY_BYTES), part->quad_shift)) {
        return false;
    }
    for (i = 0; i < CLASS_TOKENS; i++) {
        const struct set_class *class = &part->classes[i];
        uint64_t hash = set_hash(word, class->block_bytes);

        if (class->heads != NULL &&
            marks_has(class->heads, hash, class->head_shift)) {
            return true;
        }
    }
    return false;
}

/* Of the blocks that were found with the fragments, the starts before them. */
static void
take_starts(struct scan *s, const struct matcher *part,
            const struct marked *marked)
{
    size_t stride = part->fragments.stride;
    size_t i;

    for (i = 0; i < marked->count; i++) {
        size_t block = marked->at[i];
        size_t from = block < stride ? 0 : block + 1 - stride;
        size_t to = block < s->tile_end ? block + 1 : s->tile_end;

        for (from = from < s->tile ? s->tile : from; from < to; from++) {
            if (has_head(s, part, from)) {
                add_start(s, from);
            }
        }
    }
}

/* Is this some form's first byte? */
static bool
is_first(const struct matcher *part, uint8_t c)
{
    const uint8_t *row = part->pairs + (size_t)c * (256 / 8);
    uint64_t any = set_load(row) | set_load(row + 8) | set_load(row + 16) |
                   set_load(row + 24);

    return any != 0;
}

/* Could a form begin with text[at..], of which little is there? */
static bool
may_begin(const struct scan *s, const struct matcher *part, size_t at)
{
    size_t left = s->text.len - at;
    uint64_t hash;

    if (left == 1) {
        return is_first(part, s->text.ptr[at]);
    }
    if (left < KEY_BYTES) {
        return set_bit(part->pairs,
                       (uint64_t)s->text.ptr[at] << 8 | s->text.ptr[at + 1]);
    }
    hash = set_hash(word_at(s, at), KEY_BYTES);
    return marks_has(part->quads, hash, part->quad_shift);
}

/* Near the end of the text a form may have begun whose window is not there. */
static void
find_open_starts(struct scan *s, const struct matcher *part)
{
    size_t window = part->window_max_bytes;
    size_t from = s->text.len < window ? 0 : s->text.len - window;

    if (from < s->tile) {
        from = s->tile;
    }
    for (; from < s->tile_end; from++) {
        if (may_begin(s, part, from)) {
            add_start(s, from);
        }
    }
}

static void
find_all_starts(struct scan *s, const struct matcher *part)
{
    const struct marked *marked =
        s->marked == NULL ? NULL : &s->marked[part == s->set ? 0 : 1];
    bool is_known = marked != NULL && marked->is_all;
    size_t i;

    if (is_known) {
        take_starts(s, part, marked);
    }
    for (i = is_known ? CLASS_TOKENS : 0; i < CLASS_TOKENS; i++) {
        const struct set_class *class = &part->classes[i];

        if (class->blocks != NULL) {
            find_starts(s, class);
        }
    }
    if (part->classes[CLASS_TOKENS].blocks != NULL &&
        ((s->flags & SCAN_STRONG) == 0 || part->has_strong_tokens)) {
        find_tokens(s, part);
    }
    if ((s->flags & SCAN_AT_END) == 0) {
        find_open_starts(s, part);
    }
}

/* Windows lie behind the starts of their forms, some far. */
static void
find_for_task(struct scan *s, const struct matcher *part)
{
    size_t from = s->tile == 0 ? 0 : s->tile + part->reach_bytes;

    windows_find(part, s->text, from, s->tile_end + part->reach_bytes,
                 s->starts);
}

void
scan_find_starts(struct scan *s)
{
    bool is_for_task = (s->flags & SCAN_FOR_TASK) != 0;
    void (*find)(struct scan *, const struct matcher *) =
        is_for_task ? find_for_task : find_all_starts;

    find(s, s->set);
    if (s->set->base != NULL) {
        find(s, s->set->base);
    }
}
