#include "privsep/confine.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <linux/landlock.h>
#include <seccomp.h>

enum ag_err
confine_begin(const char *process_name)
{
    const struct rlimit none = {0, 0};

    (void)umask(077);
    if (prctl(PR_SET_NAME, process_name, 0, 0, 0) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0) {
        return err_why(AG_EIO, "a helper process can't confine itself");
    }
    /* A parent that was gone before PDEATHSIG was set has closed the channel:
     * the helper sees its end at the first read. */
#ifndef AG_SANITIZED /* leak checking attaches to the process */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return err_why(AG_EIO, "a helper process stays dumpable");
    }
#endif
    return AG_OK;
}

#ifndef AG_SANITIZED
/* What every helper needs to serve its channel, hold memory and end. */
static const int COMMON[] = {
    SCMP_SYS(read),          SCMP_SYS(write),
    SCMP_SYS(readv),         SCMP_SYS(writev),
    SCMP_SYS(close),         SCMP_SYS(poll),
    SCMP_SYS(ppoll),         SCMP_SYS(futex),
    SCMP_SYS(recvmsg),       SCMP_SYS(sendmsg),
    SCMP_SYS(munmap),        SCMP_SYS(mremap),
    SCMP_SYS(madvise),       SCMP_SYS(brk),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),     SCMP_SYS(getpid),
    SCMP_SYS(gettid),        SCMP_SYS(exit),
    SCMP_SYS(exit_group),    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sigaltstack),   SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),   SCMP_SYS(rseq),
    SCMP_SYS(sysinfo), /* qsort */
};

/* Memory, but never executable. */
static const struct confine_call COMMON_MEMORY[] = {
    {SCMP_SYS(mmap), 2, 4, 0},     /* prot without PROT_EXEC */
    {SCMP_SYS(mprotect), 2, 4, 0}, /* the same */
};

static int
add_call(scmp_filter_ctx ctx, const struct confine_call *row)
{
    const struct scmp_arg_cmp when = {
        .arg = row->arg_index,
        .op = SCMP_CMP_MASKED_EQ,
        .datum_a = row->mask,
        .datum_b = row->value,
    };

    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, row->call,
                                  row->mask != 0 ? 1 : 0, &when);
}

static int
fill(scmp_filter_ctx ctx, const struct confine_call *rows, size_t row_count)
{
    /* Signals to its own threads, and abort(): to no other process. */
    const struct confine_call own_signals = {SCMP_SYS(tgkill), 0, ~0ULL,
                                             (uint64_t)getpid()};
    int failed = add_call(ctx, &own_signals);

    for (size_t i = 0; failed == 0 && i < AG_COUNT(COMMON); i++) {
        failed =
            seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, COMMON[i], 0, NULL);
    }
    for (size_t i = 0; failed == 0 && i < AG_COUNT(COMMON_MEMORY); i++) {
        failed = add_call(ctx, &COMMON_MEMORY[i]);
    }
    for (size_t i = 0; failed == 0 && i < row_count; i++) {
        failed = add_call(ctx, &rows[i]);
    }
    return failed;
}

enum ag_err
confine_calls(const struct confine_call *rows, size_t row_count)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int failed;

    if (ctx == NULL) {
        return AG_ENOMEM;
    }
    failed = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (failed == 0) {
        failed = fill(ctx, rows, row_count);
    }
    if (failed == 0) {
        failed = seccomp_load(ctx);
    }
    seccomp_release(ctx);
    if (failed != 0) {
        return err_why(AG_EUNSUPPORTED,
                       "this system has no seccomp filters (error %d)",
                       -failed);
    }
    return AG_OK;
}
#else
enum ag_err
confine_calls(const struct confine_call *rows, size_t row_count)
{
    (void)rows;
    (void)row_count;
    return AG_OK;
}
#endif

/* File rights by ABI level; each level adds to those before. */
static uint64_t
file_rights(long level)
{
    /* ABI 1 knows bits 0 to 12, 2 adds REFER, 3 TRUNCATE, 5 IOCTL_DEV. */
    static const uint64_t RIGHTS[] = {
        0,
        (1u << 13) - 1,
        (1u << 14) - 1,
        (1u << 15) - 1,
        (1u << 15) - 1,
        (1u << 16) - 1,
    };
    size_t last = AG_COUNT(RIGHTS) - 1;

    return RIGHTS[(size_t)level < last ? (size_t)level : last];
}

enum ag_err
confine_files(int *ret_level)
{
    struct landlock_ruleset_attr rules = {.handled_access_fs = 0};
    long level = 0; /* sanitized: leak checking reads /proc at the end */
    long fd;
    long failed;

#ifndef AG_SANITIZED
    level = syscall(SYS_landlock_create_ruleset, NULL, 0,
                    LANDLOCK_CREATE_RULESET_VERSION);
#endif
    if (level <= 0) {
        *ret_level = 0;
        return AG_OK;
    }
    rules.handled_access_fs = file_rights(level);
    fd = syscall(SYS_landlock_create_ruleset, &rules,
                 sizeof(rules.handled_access_fs), 0);
    if (fd < 0) {
        return err_why(AG_EIO, "Landlock refuses a rule set (error %d)", errno);
    }
    failed = syscall(SYS_landlock_restrict_self, (int)fd, 0);
    (void)close((int)fd);
    if (failed != 0) {
        return err_why(AG_EIO, "Landlock refuses its rules (error %d)", errno);
    }
    *ret_level = (int)level;
    return AG_OK;
}
