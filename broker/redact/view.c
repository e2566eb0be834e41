#include "redact/view.h"

#include "redact/tetrads.h"
#include "redact/view_impl.h"

enum {
    SHOWN_PART = 4, /* idle shows at most a quarter of a value */
    DUMP_LEFT_BYTES = 2,
};

static const bool SHOWN_MARKS[256] = {
    ['\0'] = true, ['\a'] = true, ['\b'] = true, ['\n'] = true, ['\r'] = true,
    [0x1b] = true, [0xc2] = true, [0xe2] = true, [0xef] = true,
};
static const bool UNESCAPED_MARKS[256] = {
    ['\\'] = true, ['%'] = true, ['&'] = true};
static const bool MAIL_MARKS[256] = {['='] = true};

const struct view_row VIEW_ROWS[VIEW_COUNT] = {
    [VIEW_SHOWN] = {step_shown, VARIANT_ANSI, SHOWN_MARKS},
    [VIEW_UNESCAPED] = {step_unescaped, VARIANT_ESCAPED, UNESCAPED_MARKS},
    [VIEW_MAIL] = {step_mail, VARIANT_MAIL, MAIL_MARKS},
    [VIEW_DUMPED] = {step_dumped, VARIANT_HEXDUMP, NULL},
};

/* ---- searching what was read ---- */

static void
drop_before(struct view *view, size_t index)
{
    if (index == 0) {
        return;
    }
    view->norm_len -= index;
    memmove(view->norm, view->norm + index, view->norm_len);
    memmove(view->at, view->at + index, view->norm_len * sizeof(*view->at));
    memmove(view->used, view->used + index, view->norm_len);
}

/* The first byte of a match from norm[start] on that is covered. */
static size_t
covered_from(const struct view *view, enum view_id id, size_t start)
{
    size_t i = start;

    if (id == VIEW_DUMPED) {
        return start + DUMP_LEFT_BYTES;
    }
    while (i < view->norm_len && view->used[start] > 1 &&
           view->at[i] == view->at[start]) {
        i++;
    }
    return i;
}

static void
add_hole(struct reading *r, enum view_id id, const struct scan_hit *hit)
{
    const struct view *view = &r->v->list[id];
    size_t last = hit->start + hit->len - 1;
    uint64_t start = view->at[hit->start];
    uint64_t end = view->at[last] + view->used[last];

    if (end - start == hit->len || end - start > r->v->span_bytes) {
        return; /* seen in the text itself; or too long */
    }
    if (id == VIEW_DUMPED && view->dump.first > start) {
        return; /* its view is entered for certain only behind that */
    }
    start = view->at[covered_from(view, id, hit->start)];
    holes_add(&r->v->holes,
              &(struct hole){
                  .start = start,
                  .end = end,
                  .len = end - start,
                  .part = hit->part,
                  .value = hit->part->pieces[hit->ref >> FORM_BITS].value,
                  .form = VIEW_ROWS[id].form,
              });
}

static void
begin_scan(const struct views_request *in, const struct view *view, bool is_end)
{
    unsigned int flags = SCAN_STRONG | (is_end ? SCAN_AT_END : 0U);
    struct scan_request request = {
        .set = in->set,
        .text = span_of(view->norm, view->norm_len),
        .limit = view->norm_len,
        .flags = (enum scan_flags)flags,
    };

    scan_begin(in->scan, &request);
}

/* Of the shortest form all runs of four bytes are some form's. */
static bool
may_have_form(const struct matcher *set, const struct view *view)
{
    size_t run = 0;

    for (size_t i = 0; i + TETRAD_BYTES <= view->norm_len; i++) {
        run = tetrads_may_have(set, tetrad_load(view->norm + i)) ? run + 1 : 0;
        if (run == VIEW_FORM_TETRADS_COUNT) {
            return true;
        }
    }
    return false;
}

/* Searches what was read; what remains may still begin a match. */
static void
settle(struct reading *r, enum view_id id, bool is_end)
{
    struct view *view = &r->v->list[id];
    size_t keep = view->norm_len;
    struct scan_hit hit;

    if (view->norm_len == 0) {
        return;
    }
    if (is_end && !may_have_form(r->in->set, view)) {
        view->norm_len = 0;
        return;
    }
    begin_scan(r->in, view, is_end);
    while (scan_next(r->in->scan, &hit)) {
        if (hit.len > 0) {
            add_hole(r, id, &hit);
        }
        if (hit.is_open &&
            view->pos - view->at[hit.start] <= r->v->span_bytes) {
            keep = hit.start;
            break; /* what comes then is met again */
        }
    }
    drop_before(view, keep);
}

/* ---- reading ---- */

void
view_begin_dump(struct view *view, uint64_t pos)
{
    view->pos = pos;
    view->is_on = true;
    view->dump =
        (struct view_dump){.start = pos, .end = pos, .first = VIEW_NOWHERE};
}

static void
take_out(struct view *view, const struct step *step)
{
    size_t i;

    for (i = 0; i < step->out_len; i++) {
        view->norm[view->norm_len] = step->out[i];
        view->at[view->norm_len] = view->pos;
        view->used[view->norm_len] = (uint8_t)step->used;
        view->norm_len++;
    }
}

/* `len` bytes at text[from], as they are. */
static void
take_plain(struct reading *r, struct view *view, size_t from, size_t len)
{
    uint64_t *at = view->at + view->norm_len;
    uint64_t first = r->in->offset + from;
    size_t i;

    memcpy(view->norm + view->norm_len, r->in->text.ptr + from, len);
    memset(view->used + view->norm_len, 1, len);
    for (i = 0; i < len; i++) {
        at[i] = first + i;
    }
    view->norm_len += len;
}

/* A number of two or four digits and one mark, after another: as step_dumped()
 * would read them. */
static void
read_numbers(struct reading *r, struct view *view, ptrdiff_t end)
{
    const uint8_t *text = r->in->text.ptr;
    ptrdiff_t at = view_at(r, view);

    end -= (ptrdiff_t)2 * VIEW_NUMBER_MAX_DIGITS;
    if (at < 1 || view_is_word(text[at - 1])) {
        return;
    }
    while (at < end) {
        int first = view_byte(text + at);
        int second = view_byte(text + at + 2);
        size_t len = second < 0 ? 2 : VIEW_NUMBER_MAX_DIGITS;

        if (first < 0 || !view_is_mark(text + at + len)) {
            break;
        }
        view_note_number(view, len);
        view->norm[view->norm_len] = (uint8_t)first;
        view->norm[view->norm_len + 1] = (uint8_t)second;
        for (size_t i = 0; i < len / 2; i++) {
            view->at[view->norm_len] = view->pos;
            view->used[view->norm_len] = (uint8_t)len;
            view->norm_len++;
        }
        at += (ptrdiff_t)len + 1;
        view->pos += len + 1;
    }
}

/* Up to the next byte that the view may read otherwise. */
static void
read_plain(struct reading *r, enum view_id id, ptrdiff_t end)
{
    struct view *view = &r->v->list[id];
    const bool *marks = VIEW_ROWS[id].marks;
    const uint8_t *text = r->in->text.ptr;
    ptrdiff_t from = view_at(r, view);
    ptrdiff_t at = from;

    if (marks == NULL) {
        read_numbers(r, view, end);
    }
    if (marks == NULL || view->carry != 0 || from < 0) {
        return;
    }
    while (at < end && !marks[text[at]]) {
        at++;
    }
    take_plain(r, view, (size_t)from, (size_t)(at - from));
    view->pos += (uint64_t)(at - from);
}

/* The last character. */
static void
take_back(struct view *view)
{
    while (view->norm_len > 0 &&
           (view->norm[--view->norm_len] & 0xc0) == 0x80) {
    }
}

/* One step that is no end of a batch. */
static void
take_step(struct reading *r, enum view_id id, const struct step *step)
{
    struct view *view = &r->v->list[id];

    if (step->kind == STEP_TEXT) {
        take_out(view, step);
        if (id == VIEW_DUMPED && step->out_len > 0) {
            view_note_number(view, step->used);
        }
    } else if (step->kind == STEP_ERASE) {
        /* Only what may belong to a match is still there. */
        settle(r, id, false);
        take_back(view);
    } else if (step->kind == STEP_ASIDE && view->aside == VIEW_NOWHERE) {
        view->aside = view->pos;
        view->dump_aside = view->dump;
    }
    view->pos += step->used;
}

/* One batch. False: it can't be read on. */
static bool
read_batch(struct reading *r, enum view_id id, size_t batch)
{
    struct view *view = &r->v->list[id];
    ptrdiff_t len = (ptrdiff_t)r->in->text.len;
    ptrdiff_t end = view_at(r, view) + (ptrdiff_t)batch;

    end = end < len ? end : len;
    for (;;) {
        struct step step;

        read_plain(r, id, end);
        if (view_at(r, view) >= end) {
            return view_at(r, view) < len;
        }
        r->text.is_fresh = view->norm_len == 0;
        step = VIEW_ROWS[id].step(&r->text, view_at(r, view), &view->carry);
        if (step.kind == STEP_MORE) {
            view->is_cut = true;
            return false;
        }
        if (step.kind == STEP_BREAK) {
            settle(r, id, true);
            view->norm_len = 0;
            view->is_on = false;
            view->pos += step.used;
            return view_at(r, view) < len;
        }
        take_step(r, id, &step);
    }
}

/* What was passed over in favour of what reached across: nothing does. */
static bool
goes_back(struct view *view)
{
    if (view->aside == VIEW_NOWHERE ||
        (view->norm_len > 0 && view->at[0] < view->aside)) {
        return false;
    }
    view->norm_len = 0;
    view->pos = view->aside;
    view->aside = VIEW_NOWHERE;
    view->dump = view->dump_aside;
    view->is_cut = false;
    view->is_on = true;
    return true;
}

/* A dump's step needs more text because of what was under way, which is nothing
 * now: it is told again, as nothing of the text would wait for it. */
static bool
starts_anew(const struct reading *r, struct view *view)
{
    if (!view->is_on || !view->is_cut || r->text.is_fresh ||
        view->norm_len > 0) {
        return false;
    }
    view->is_cut = false;
    return true;
}

/* Is all that is under way text as it is? Then a view that is entered later has
 * it too. */
static bool
is_plain(const struct view *view, enum view_id id)
{
    size_t len = view->norm_len;

    return len > 0 && id != VIEW_DUMPED && view->carry == 0 && !view->is_cut &&
           view->pos == view->at[0] + len && view->pos == view->at[len - 1] + 1;
}

void
view_read(struct reading *r, enum view_id id, size_t batch)
{
    struct view *view = &r->v->list[id];
    bool goes_on;

    do {
        goes_on = read_batch(r, id, batch);
        settle(r, id, !goes_on && r->in->is_at_end);
        goes_on = starts_anew(r, view) || goes_back(view) || goes_on;
        batch = VIEW_BATCH_BYTES;
        view->clean = view->norm_len == 0 ? view->pos : view->at[0];
        if (is_plain(view, id)) {
            view->norm_len = 0;
        }
    } while (goes_on && (view->norm_len > 0 || view->is_on));
}

void
view_read_from(struct reading *r, enum view_id id, size_t from, size_t at)
{
    struct view *view = &r->v->list[id];

    take_plain(r, view, from, at - from);
    view->pos = r->in->offset + at;
    view_read(r, id, VIEW_FIRST_BATCH_BYTES);
}

/* What the view still needs of the text begins there. */
static uint64_t
needed_from(const struct view *view, enum view_id id)
{
    size_t first = covered_from(view, id, 0);
    uint64_t cut = view->is_cut ? view->pos : VIEW_NOWHERE;

    if (view->norm_len == 0) {
        return id == VIEW_SHOWN ? cut : VIEW_NOWHERE;
    }
    if (first < view->norm_len) {
        cut = view->at[first];
    }
    return cut < view->aside ? cut : view->aside;
}

size_t
views_find(struct views *v, const struct views_request *request)
{
    struct reading r = {
        .v = v,
        .in = request,
        .text = {.text = request->text,
                 .behind = request->behind,
                 .is_at_end = request->is_at_end},
    };
    uint64_t end = request->offset + request->text.len;
    uint64_t open = end;
    unsigned int id;

    for (id = 0; id < VIEW_COUNT; id++) {
        struct view *view = &v->list[id];

        if (view->norm_len > 0 || view->is_cut || view->is_on ||
            view->carry != 0) {
            view->is_cut = false;
            view_read(&r, (enum view_id)id, VIEW_FIRST_BATCH_BYTES);
        }
    }
    view_enter_all(&r);
    for (id = 0; id < VIEW_COUNT; id++) {
        struct view *view = &v->list[id];
        uint64_t needed = needed_from(view, (enum view_id)id);

        view->pos = view->is_cut ? view->pos : end;
        open = needed < open ? needed : open;
    }
    return open > request->offset ? (size_t)(open - request->offset) : 0;
}

size_t
views_show(struct views *v, const struct views_request *request, size_t most)
{
    uint64_t upto = request->offset + request->text.len;
    unsigned int id;

    for (id = 0; id < VIEW_COUNT; id++) {
        const struct view *view = &v->list[id];
        struct scan_hit hit;

        if (view->norm_len == 0) {
            continue;
        }
        begin_scan(request, view, false);
        while (scan_next(request->scan, &hit)) {
            size_t shortest = scan_shortest_open(request->scan, hit.start);
            size_t part = shortest / SHOWN_PART;
            size_t index = hit.start + (part < most ? part : most);

            if (shortest != SIZE_MAX && index < view->norm_len &&
                view->at[index] < upto) {
                upto = view->at[index];
            }
        }
    }
    return upto > request->offset ? (size_t)(upto - request->offset) : 0;
}
