#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "text.h"

enum {
    ROWS_MAX_COUNT = 1000000, /* a list of everything a vault may hold */
    GAP_COLUMNS = 2,
};

struct out_table {
    const struct out_column *columns;
    size_t column_count;
    size_t width[OUT_COLUMNS_MAX_COUNT];
    char **cells; /* row by row */
    size_t row_count;
    size_t row_cap;
};

enum ag_err
out_table_new(const struct out_column *columns, size_t column_count,
              struct out_table **ret)
{
    struct out_table *t;

    AG_ASSERT(column_count <= OUT_COLUMNS_MAX_COUNT);
    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return AG_ENOMEM;
    }
    t->columns = columns;
    t->column_count = column_count;
    for (size_t i = 0; i < column_count; i++) {
        t->width[i] = text_width(columns[i].title);
    }
    *ret = t;
    return AG_OK;
}

void
out_table_free(struct out_table *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->row_count * t->column_count; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    free(t);
}

static enum ag_err
make_room(struct out_table *t)
{
    size_t cap = t->row_cap == 0 ? 16 : t->row_cap * 2;
    char **more;

    if (t->row_count < t->row_cap) {
        return AG_OK;
    }
    if (cap > ROWS_MAX_COUNT) {
        return AG_ELIMIT;
    }
    more = reallocarray(t->cells, cap * t->column_count, sizeof(*more));
    if (more == NULL) {
        return AG_ENOMEM;
    }
    t->cells = more;
    t->row_cap = cap;
    return AG_OK;
}

enum ag_err
out_table_add(struct out_table *t, const char *const *cells)
{
    char *copy[OUT_COLUMNS_MAX_COUNT] = {NULL};
    enum ag_err err = make_room(t);

    for (size_t i = 0; err == AG_OK && i < t->column_count; i++) {
        copy[i] = strdup(cells[i] == NULL ? "-" : cells[i]);
        err = copy[i] == NULL ? AG_ENOMEM : AG_OK;
    }
    if (err != AG_OK) {
        for (size_t i = 0; i < t->column_count; i++) {
            free(copy[i]);
        }
        return err;
    }
    for (size_t i = 0; i < t->column_count; i++) {
        size_t width = text_width(copy[i]);

        t->cells[t->row_count * t->column_count + i] = copy[i];
        t->width[i] = width > t->width[i] ? width : t->width[i];
    }
    t->row_count++;
    return AG_OK;
}

static void
print_row(const struct out_table *t, const char *const *cells)
{
    for (size_t i = 0; i < t->column_count; i++) {
        bool last = i + 1 == t->column_count;
        int pad = (int)(t->width[i] - text_width(cells[i]));

        if (t->columns[i].right) {
            printf("%*s", pad, "");
        }
        text_show(stdout, cells[i]);
        if (!t->columns[i].right && !last) {
            printf("%*s", pad, "");
        }
        if (!last) {
            printf("%*s", GAP_COLUMNS, "");
        }
    }
}

enum ag_err
out_table_print(const struct out *out, const struct out_table *t)
{
    const char *titles[OUT_COLUMNS_MAX_COUNT] = {NULL};

    for (size_t i = 0; i < t->column_count; i++) {
        titles[i] = t->columns[i].title;
    }
    fputs(out->stdout_colour ? "\033[1m" : "", stdout);
    print_row(t, titles);
    fputs(out->stdout_colour ? "\033[0m\n" : "\n", stdout);
    for (size_t r = 0; r < t->row_count; r++) {
        const char *row[OUT_COLUMNS_MAX_COUNT] = {NULL};

        for (size_t i = 0; i < t->column_count; i++) {
            row[i] = t->cells[r * t->column_count + i];
        }
        print_row(t, row);
        putchar('\n');
    }
    return AG_OK;
}
