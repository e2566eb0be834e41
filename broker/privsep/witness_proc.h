/*
 * witness_proc.h - reading /proc: one process with its ancestors, and all
 * processes at once. Used inside the witness only.
 * Floor: privsep. Depends on: base/proc.
 *
 * Nothing in /proc holds still, so every chain is read twice and believed only
 * when both readings agree: a process whose parent died in between has a
 * younger parent number the second time, since the kernel gives its children
 * away before it frees the pid.
 */
#ifndef AG_PRIVSEP_WITNESS_PROC_H
#define AG_PRIVSEP_WITNESS_PROC_H

#include "base/attr.h"
#include "base/err.h"
#include "base/proc.h"

enum {
    WPROC_SCAN_MAX_COUNT = 128 * 1024, /* processes of one machine: 5 MiB */
    WPROC_OUTSIDE = -1,                /* below no root */
};

/* `proc_fd` is an open /proc everywhere. Errors: AG_ENOTFOUND, AG_EUNTRACED
 * (not readable, not understood). */
AG_CHECK AG_NONNULL enum ag_err wproc_stat(int proc_fd, pid_t pid,
                                           struct proc_stat *ret);

/* As proc_source.facts. */
AG_CHECK AG_NONNULL enum ag_err wproc_facts(int proc_fd, pid_t pid,
                                            struct proc_facts *ret);

enum wproc_place {
    WPROC_NEW,
    WPROC_CLIMBING, /* waits for its parent to be placed */
    WPROC_PLACED,   /* `root` is decided */
};

/* One process of a scan. */
struct wproc_entry {
    struct proc_ref self;
    pid_t ppid;
    int root; /* index of the nearest root above it, or WPROC_OUTSIDE */
    char state;
    enum wproc_place place;
    struct wproc_entry *below; /* while climbing: where we came from */
};

/* All processes at about one moment, ordered by pid. */
struct wproc_scan {
    struct wproc_entry *entries;
    size_t count;
    size_t cap;
    bool torn; /* somebody's parent was not found: it moved meanwhile */
};

void wproc_scan_done(struct wproc_scan *scan);
AG_DEFINE_CLEANUP_INPLACE(wproc_scan, wproc_scan_done)

/*
 * Fills *ret (zeroed before, or used before) and places every process below
 * the nearest of the roots.
 * Errors: AG_ENOMEM, AG_EUNTRACED (too many processes, /proc not readable).
 */
AG_CHECK enum ag_err wproc_scan(int proc_fd, const struct proc_ref *roots,
                                size_t root_count, struct wproc_scan *ret);

/* The placing alone, for tests: entries are ordered by pid and new. */
void wproc_place(struct wproc_scan *scan, const struct proc_ref *roots,
                 size_t root_count);

/* As proc_source.tree. */
AG_CHECK AG_NONNULL enum ag_err wproc_tree(int proc_fd, struct proc_ref root,
                                           struct proc_ref *out, size_t cap,
                                           size_t *ret_count);

#endif
