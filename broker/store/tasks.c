#include "store/tasks.h"

#include <string.h>

#include "store/ends.h"
#include "store/row.h"
#include "store/tokens.h"

enum {
    I_CREATED,
    I_DEADLINE,
    I_ENDED,
    I_REASON,
    I_EXIT,
    I_PID,
    I_START,
};

static const char SQL_LIVE[] =
    "SELECT " COLS(TASK_COLS) " FROM task WHERE ended_ms = 0 ORDER BY id";
static const char SQL_RECENT[] =
    "SELECT " COLS(TASK_COLS) " FROM task ORDER BY id DESC LIMIT ?";

void
task_row_done(struct task_row *row)
{
    text_free(AG_TAKE(row->detail));
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct task_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    if (!end_reason_known(row->ints[I_REASON])) {
        return err_why(AG_ECORRUPT, "table task, row %lld: unknown word",
                       (long long)row->id);
    }
    memset(ret, 0, sizeof(*ret));
    ret->id = row->id;
    ret->created_ms = row->ints[I_CREATED];
    ret->deadline_ms = row->ints[I_DEADLINE];
    ret->ended_ms = row->ints[I_ENDED];
    ret->end_reason = (enum end_reason)row->ints[I_REASON];
    ret->exit_code = row->ints[I_EXIT];
    ret->root_pid = row->ints[I_PID];
    ret->root_start = row->ints[I_START];
    unpack_text(&u, ret->name, sizeof(ret->name));
    unpack_text(&u, ret->purpose, sizeof(ret->purpose));
    unpack_text(&u, ret->repository, sizeof(ret->repository));
    unpack_new(&u, &ret->detail);
    if (unpack_end(&u) != AG_OK) {
        task_row_done(ret);
    }
    return u.err;
}

enum ag_err
tasks_get(struct db_read *r, int64_t id, struct task_row *ret)
{
    return row_one(r, TABLE_TASK, id, decode, ret);
}

ROWS_TAKE(AG_AUTO(task_row), task_row, tasks_each_fn)

enum ag_err
tasks_live_each(struct db_read *r, tasks_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {.table = TABLE_TASK,
                                   .ask = {.sql = SQL_LIVE},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

enum ag_err
tasks_recent_each(struct db_read *r, uint32_t limit, tasks_each_fn each,
                  void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {
        .table = TABLE_TASK,
        .ask = {.sql = SQL_RECENT, .keys = {limit}, .key_count = 1},
        .take = take,
        .arg = &to};

    return rows_each(r, &walk);
}

static enum ag_err
write_task(struct db_tx *tx, const struct task_row *task)
{
    AG_AUTO(row) struct row row;
    struct pack p = {.out = &row.body};

    row_init(&row);
    row.id = task->id;
    row.ints[I_CREATED] = task->created_ms;
    row.ints[I_DEADLINE] = task->deadline_ms;
    row.ints[I_ENDED] = task->ended_ms;
    row.ints[I_REASON] = (int64_t)task->end_reason;
    row.ints[I_EXIT] = task->exit_code;
    row.ints[I_PID] = task->root_pid;
    row.ints[I_START] = task->root_start;
    pack_text(&p, task->name, TASK_NAME_MAX_BYTES);
    pack_text(&p, task->purpose, TASK_PURPOSE_MAX_BYTES);
    pack_text(&p, task->repository, TASK_REPOSITORY_MAX_BYTES);
    pack_json(&p, task->detail, TASK_DETAIL_MAX_BYTES);
    return p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_TASK), &row);
}

enum ag_err
tasks_add(struct db_tx *tx, struct task_row *task)
{
    enum ag_err err;

    if (task->deadline_ms <= tx->now_ms) {
        return err_why(AG_EINVAL, "the task's deadline has passed already");
    }
    err = row_next_id(tx, table_of(TABLE_TASK), &task->id);
    if (err != AG_OK) {
        return err;
    }
    task->created_ms = tx->now_ms;
    task->ended_ms = 0;
    task->end_reason = END_NONE;
    task->exit_code = -1;
    return write_task(tx, task);
}

enum ag_err
tasks_end(struct db_tx *tx, int64_t id, enum end_reason reason,
          int64_t exit_code)
{
    AG_AUTO(task_row) struct task_row task = {0};
    struct revoke how = {.reason = END_PARENT};
    uint64_t count = 0;
    enum ag_err err = tasks_get(db_tx_read(tx), id, &task);

    if (err != AG_OK) {
        return err;
    }
    if (task.ended_ms != 0) {
        return err_why(AG_ECONFLICT, "the task has ended already");
    }
    if (reason == END_NONE) {
        return err_why(AG_EINVAL, "an end needs a reason");
    }
    task.ended_ms = tx->now_ms;
    task.end_reason = reason;
    task.exit_code = exit_code < -1 || exit_code > 255 ? -1 : exit_code;
    err = write_task(tx, &task);
    if (err == AG_OK) {
        err = tokens_revoke_task(tx, id, &how, &count);
    }
    if (err == AG_OK) {
        err = grants_end_task(tx, id);
    }
    return err != AG_OK ? err : leases_end_task(tx, id);
}
