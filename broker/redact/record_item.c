#include "redact/record_item.h"

#include <stdlib.h>

void
record_item_free(struct record_item *item)
{
    if (item == NULL) {
        return;
    }
    for (size_t i = 0; i < item->part_count; i++) {
        buf_done(&item->parts[i].text);
    }
    buf_done(&item->bytes);
    free(item);
}

enum ag_err
record_item_new(size_t part_count, struct record_item **ret)
{
    struct record_item *item =
        calloc(1, sizeof(*item) + part_count * sizeof(item->parts[0]));

    if (item == NULL) {
        return AG_ENOMEM;
    }
    buf_init(&item->bytes, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    item->part_count = part_count;
    for (size_t i = 0; i < part_count; i++) {
        item->parts[i].item = item;
        buf_init(&item->parts[i].text, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    }
    *ret = item;
    return AG_OK;
}

enum ag_err
record_item_of(const struct record *record, const struct json_deltas *deltas,
               struct record_item **ret)
{
    AG_AUTO(record_item) struct record_item *item = NULL;
    size_t len = record->head.len + record->body.len + record->tail.len;
    struct span all;
    enum ag_err err = record_item_new(deltas->count, &item);

    if (err == AG_OK) {
        err = buf_expect(&item->bytes, len);
    }
    if (err == AG_OK) {
        err = buf_add(&item->bytes, record->head);
    }
    if (err == AG_OK) {
        err = buf_add(&item->bytes, record->body);
    }
    if (err == AG_OK) {
        err = buf_add(&item->bytes, record->tail);
    }
    if (err != AG_OK) {
        return err;
    }
    all = buf_view(&item->bytes);
    item->record = *record;
    item->open_count = item->part_count;
    item->record.head = span_sub(all, 0, record->head.len);
    item->record.body = span_sub(all, record->head.len, record->body.len);
    item->record.tail = span_sub(all, len - record->tail.len, len);
    for (size_t i = 0; i < deltas->count; i++) {
        struct json_delta *delta = &item->parts[i].delta;

        *delta = deltas->items[i];
        delta->raw = span_sub(item->record.body, delta->at + 1, delta->raw.len);
    }
    *ret = AG_TAKE(item);
    return AG_OK;
}

size_t
record_item_bytes(const struct record_item *item)
{
    return item->bytes.len + sizeof(*item) +
           item->part_count * sizeof(item->parts[0]);
}
