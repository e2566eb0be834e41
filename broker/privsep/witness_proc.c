#include "privsep/witness_proc.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/parse.h"

enum {
    STAT_BYTES = 1024, /* 52 numbers and a name: below 700 */
    STATUS_BYTES = 4096,
    PATH_ROOM_BYTES = 64,
    TRIES = 8, /* readings of a chain that changes under our eyes */
    SCAN_TRIES = 4,
    FIRST_ENTRIES = 512,
    KEPT_COUNT = 128, /* open files of processes asked for before */
};

static enum ag_err
open_file(int proc_fd, pid_t pid, const char *name, int *ret_fd)
{
    char path[PATH_ROOM_BYTES];

    (void)snprintf(path, sizeof(path), "%ld/%s", (long)pid, name);
    *ret_fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*ret_fd < 0) {
        return errno == ENOENT || errno == ESRCH ? AG_ENOTFOUND : AG_EUNTRACED;
    }
    return AG_OK;
}

/* The beginning of a small file, from its start whatever was read before. */
static enum ag_err
read_file(int fd, char *out, size_t cap, struct span *ret)
{
    ssize_t n;

    do {
        n = pread(fd, out, cap, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 || errno == ESRCH ? AG_ENOTFOUND : AG_EUNTRACED;
    }
    *ret = span_of(out, (size_t)n);
    return AG_OK;
}

static enum ag_err
read_stat(int fd, pid_t pid, struct proc_stat *ret)
{
    char text[STAT_BYTES];
    struct proc_stat stat;
    struct span line;
    enum ag_err err = read_file(fd, text, sizeof(text), &line);

    if (err != AG_OK) {
        return err;
    }
    err = proc_parse_stat(line, &stat);
    if (err == AG_ENOTFOUND) {
        return err;
    }
    if (err != AG_OK || stat.self.pid != pid) {
        return AG_EUNTRACED;
    }
    *ret = stat;
    return AG_OK;
}

enum ag_err
wproc_stat(int proc_fd, pid_t pid, struct proc_stat *ret)
{
    AG_AUTO(fd) int fd = -1;
    enum ag_err err = open_file(proc_fd, pid, "stat", &fd);

    return err == AG_OK ? read_stat(fd, pid, ret) : err;
}

/* The effective uid: the second number behind "Uid:". */
static enum ag_err
read_uid(int proc_fd, pid_t pid, uid_t *ret)
{
    static const char KEY[] = "\nUid:\t";
    AG_AUTO(fd) int fd = -1;
    char text[STATUS_BYTES];
    struct span status;
    struct span rest;
    const uint8_t *at;
    uint64_t uid = 0;
    enum ag_err err = open_file(proc_fd, pid, "status", &fd);

    if (err == AG_OK) {
        err = read_file(fd, text, sizeof(text), &status);
    }
    if (err != AG_OK) {
        return err;
    }
    at = memmem(status.ptr, status.len, KEY, sizeof(KEY) - 1);
    if (at == NULL) {
        return AG_EUNTRACED;
    }
    rest = span_sub(status, (size_t)(at - status.ptr) + sizeof(KEY) - 1,
                    status.len);
    rest = span_sub(rest, span_find(rest, '\t') + 1, rest.len);
    rest = span_sub(rest, 0, span_find(rest, '\t'));
    if (parse_u64(rest, UINT_MAX - 1, &uid) != AG_OK) {
        return AG_EUNTRACED;
    }
    *ret = (uid_t)uid;
    return AG_OK;
}

/* ---- one process and its ancestors ---- */

/*
 * Files of processes that are asked for again and again: shells, terminals,
 * supervisors. An open one stays bound to its process, not to the number: when
 * that is gone reading says so, also if the number was given again.
 */
static struct {
    pid_t pid; /* 0: free */
    int fd;
} kept[KEPT_COUNT];

/* As wproc_stat(), by a file that may be open already. */
static enum ag_err
stat_again(int proc_fd, pid_t pid, struct proc_stat *ret)
{
    size_t at = (size_t)pid % KEPT_COUNT;
    enum ag_err err;

    if (kept[at].pid == pid && read_stat(kept[at].fd, pid, ret) == AG_OK) {
        return AG_OK;
    }
    if (kept[at].pid != 0) {
        fd_close(kept[at].fd);
        kept[at].pid = 0;
    }
    err = open_file(proc_fd, pid, "stat", &kept[at].fd);
    if (err != AG_OK) {
        return err;
    }
    kept[at].pid = pid;
    return read_stat(kept[at].fd, pid, ret);
}

/* The process, its parent's session, and the chain, read once. */
struct reading {
    struct proc_stat self;
    pid_t parent_sid;
    size_t chain_count;
    struct proc_ref chain[PROC_CHAIN_MAX_COUNT];
};

static enum ag_err
read_chain(int proc_fd, pid_t pid, struct reading *ret)
{
    struct proc_stat stat;
    enum ag_err err = stat_again(proc_fd, pid, &ret->self);

    ret->chain_count = 0;
    ret->parent_sid = 0;
    stat = ret->self;
    while (err == AG_OK && stat.ppid != 0) {
        uint64_t child_ticks = stat.self.start_ticks;

        if (ret->chain_count == PROC_CHAIN_MAX_COUNT) {
            return err_why(AG_EUNTRACED, "more than %d ancestors",
                           PROC_CHAIN_MAX_COUNT);
        }
        err = stat_again(proc_fd, stat.ppid, &stat);
        if (err == AG_OK && stat.self.start_ticks > child_ticks) {
            err = AG_EUNTRACED; /* younger than its child: not its parent */
        }
        if (err == AG_OK) {
            if (ret->chain_count == 0) {
                ret->parent_sid = stat.sid;
            }
            ret->chain[ret->chain_count++] = stat.self;
        }
    }
    return err;
}

static bool
same_reading(const struct reading *a, const struct reading *b)
{
    if (!proc_ref_equal(a->self.self, b->self.self) ||
        a->self.sid != b->self.sid || a->self.tty != b->self.tty ||
        a->parent_sid != b->parent_sid || a->chain_count != b->chain_count) {
        return false;
    }
    for (size_t i = 0; i < a->chain_count; i++) {
        if (!proc_ref_equal(a->chain[i], b->chain[i])) {
            return false;
        }
    }
    return true;
}

/* When session `sid` began, 0 when its leader is dead. The number itself is
 * not given to a new process while the session has members. */
static uint64_t
leader_start(int proc_fd, pid_t sid)
{
    struct proc_stat leader;

    if (sid == 0 || stat_again(proc_fd, sid, &leader) != AG_OK ||
        leader.sid != sid || leader.state == 'Z' || leader.state == 'X') {
        return 0;
    }
    return leader.self.start_ticks;
}

static void
fill_facts(const struct reading *reading, struct proc_facts *ret)
{
    ret->self = reading->self.self;
    ret->sid = reading->self.sid;
    ret->tty = reading->self.tty;
    ret->parent_sid = reading->parent_sid;
    memcpy(ret->name, reading->self.name, sizeof(ret->name));
    ret->chain_count = reading->chain_count;
    memcpy(ret->chain, reading->chain, sizeof(ret->chain));
}

enum ag_err
wproc_facts(int proc_fd, pid_t pid, struct proc_facts *ret)
{
    static struct reading readings[2]; /* the witness has one thread */
    enum ag_err err = AG_OK;
    uid_t uid = (uid_t)-1;

    for (size_t i = 0; i < TRIES; i++) {
        struct proc_stat self;
        uint64_t leader_ticks;

        err = read_chain(proc_fd, pid, &readings[0]);
        if (err == AG_OK) {
            err = read_uid(proc_fd, pid, &uid);
        }
        leader_ticks = leader_start(proc_fd, readings[0].self.sid);
        if (err == AG_OK) {
            err = read_chain(proc_fd, pid, &readings[1]);
        }
        if (err == AG_OK && same_reading(&readings[0], &readings[1])) {
            fill_facts(&readings[0], ret);
            ret->uid = uid;
            ret->leader_start_ticks = leader_ticks;
            return AG_OK;
        }
        err = wproc_stat(proc_fd, pid, &self);
        if (err != AG_OK) {
            return err; /* it is gone: no use in trying again */
        }
    }
    return err_why(AG_EUNTRACED, "the ancestors of a process can't be read");
}

/* ---- all processes ---- */

void
wproc_scan_done(struct wproc_scan *scan)
{
    free(scan->entries);
    memset(scan, 0, sizeof(*scan));
}

static int
by_pid(const void *a, const void *b)
{
    const struct wproc_entry *ea = a;
    const struct wproc_entry *eb = b;

    return (ea->self.pid > eb->self.pid) - (ea->self.pid < eb->self.pid);
}

static struct wproc_entry *
find_entry(const struct wproc_scan *scan, pid_t pid)
{
    const struct wproc_entry key = {.self = {.pid = pid}};

    if (scan->count == 0) {
        return NULL;
    }
    return bsearch(&key, scan->entries, scan->count, sizeof(*scan->entries),
                   by_pid);
}

static enum ag_err
add_entry(struct wproc_scan *scan, const struct proc_stat *stat)
{
    if (scan->count == scan->cap) {
        size_t cap = scan->cap == 0 ? FIRST_ENTRIES : 2 * scan->cap;
        struct wproc_entry *larger;

        if (cap > WPROC_SCAN_MAX_COUNT) {
            return err_why(AG_EUNTRACED, "more processes than can be searched");
        }
        larger = reallocarray(scan->entries, cap, sizeof(*larger));
        if (larger == NULL) {
            return AG_ENOMEM;
        }
        scan->entries = larger;
        scan->cap = cap;
    }
    scan->entries[scan->count++] = (struct wproc_entry){
        .self = stat->self,
        .ppid = stat->ppid,
        .root = WPROC_OUTSIDE,
        .state = stat->state,
    };
    return AG_OK;
}

static enum ag_err
read_all(int proc_fd, DIR *dir, struct wproc_scan *scan)
{
    const struct dirent *entry;
    enum ag_err err = AG_OK;

    scan->count = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    while (err == AG_OK && (entry = readdir(dir)) != NULL) {
        struct proc_stat stat;
        uint64_t pid = 0;

        if (parse_u64(span_str(entry->d_name), INT_MAX, &pid) != AG_OK) {
            continue; /* not a process */
        }
        err = wproc_stat(proc_fd, (pid_t)pid, &stat);
        if (err == AG_OK) {
            err = add_entry(scan, &stat);
        } else if (err == AG_ENOTFOUND) {
            err = AG_OK; /* it ended meanwhile */
        }
    }
    if (scan->count > 0) {
        qsort(scan->entries, scan->count, sizeof(*scan->entries), by_pid);
    }
    return err;
}

static int
root_index(const struct wproc_entry *e, const struct proc_ref *roots,
           size_t root_count)
{
    for (size_t i = 0; i < root_count; i++) {
        if (proc_ref_equal(e->self, roots[i])) {
            return (int)i;
        }
    }
    return WPROC_OUTSIDE;
}

/* The parent, NULL when there is none or it was not seen. */
static struct wproc_entry *
parent_of(struct wproc_scan *scan, const struct wproc_entry *e)
{
    struct wproc_entry *parent =
        e->ppid == 0 ? NULL : find_entry(scan, e->ppid);

    /* A scan is not one moment: it may lack a parent, or hold a circle. */
    if (e->ppid != 0 && (parent == NULL || parent->place == WPROC_CLIMBING)) {
        scan->torn = true;
        return NULL;
    }
    return parent;
}

/* Places `e` and, before it, all above it: up first, then down again. */
static void
place_line(struct wproc_scan *scan, struct wproc_entry *e,
           const struct proc_ref *roots, size_t root_count)
{
    struct wproc_entry *parent;

    e->below = NULL;
    for (;;) {
        e->place = WPROC_CLIMBING;
        parent = parent_of(scan, e);
        if (parent == NULL || parent->place == WPROC_PLACED) {
            break;
        }
        parent->below = e;
        e = parent;
    }
    for (; e != NULL; parent = e, e = e->below) {
        if (parent != NULL) {
            int index = root_index(parent, roots, root_count);

            e->root = index != WPROC_OUTSIDE ? index : parent->root;
        }
        e->place = WPROC_PLACED;
    }
}

void
wproc_place(struct wproc_scan *scan, const struct proc_ref *roots,
            size_t root_count)
{
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->entries[i].place == WPROC_NEW) {
            place_line(scan, &scan->entries[i], roots, root_count);
        }
    }
}

enum ag_err
wproc_scan(int proc_fd, const struct proc_ref *roots, size_t root_count,
           struct wproc_scan *ret)
{
    enum ag_err err = AG_OK;
    int fd;
    DIR *dir;

    for (size_t i = 0; i < SCAN_TRIES; i++) {
        fd = openat(proc_fd, ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
        dir = fd < 0 ? NULL : fdopendir(fd);
        if (dir == NULL) {
            fd_close(fd);
            return err_why(AG_EUNTRACED, "/proc can't be listed");
        }
        err = read_all(proc_fd, dir, ret);
        (void)closedir(dir);
        if (err != AG_OK) {
            return err;
        }
        ret->torn = false;
        wproc_place(ret, roots, root_count);
        if (!ret->torn) {
            break;
        }
    }
    return AG_OK;
}

enum ag_err
wproc_tree(int proc_fd, struct proc_ref root, struct proc_ref *out, size_t cap,
           size_t *ret_count)
{
    AG_AUTO(wproc_scan) struct wproc_scan scan = {0};
    const struct wproc_entry *at;
    size_t count = 0;
    enum ag_err err = wproc_scan(proc_fd, &root, 1, &scan);

    if (err != AG_OK) {
        return err;
    }
    at = find_entry(&scan, root.pid);
    if (at == NULL || !proc_ref_equal(at->self, root)) {
        return AG_ENOTFOUND;
    }
    for (size_t i = 0; i < scan.count; i++) {
        if (scan.entries[i].root == WPROC_OUTSIDE) {
            continue;
        }
        if (count == cap) {
            return AG_ELIMIT;
        }
        out[count++] = scan.entries[i].self;
    }
    *ret_count = count;
    return scan.torn ? AG_EUNTRACED : AG_OK;
}
