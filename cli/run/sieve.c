#include "run/sieve.h"

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>

#if defined(__x86_64__)
enum {
    ARCH = (int)AUDIT_ARCH_X86_64
};
#elif defined(__aarch64__)
enum {
    ARCH = (int)AUDIT_ARCH_AARCH64
};
#else
_Static_assert(0, "name the AUDIT_ARCH_ of this machine");
#endif

enum {
    X32_BIT = 0x40000000, /* its numbers are the same calls again */
    TIOCLINUX_CALL = 0x541C,
};

static const uint32_t REFUSED[] = {
    SYS_add_key,
    SYS_keyctl,
    SYS_request_key,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_open_by_handle_at,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_syslog,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_vhangup,
    SYS_lookup_dcookie,
    SYS_fanotify_init,
#if defined(__x86_64__)
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
};

static const uint32_t FAMILIES[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

enum {
    PROGRAM_MAX_COUNT = 24 + 2 * (AG_COUNT(REFUSED) + AG_COUNT(FAMILIES)),
};

struct program {
    struct sock_filter code[PROGRAM_MAX_COUNT];
    unsigned short count;
};

static void
put(struct program *p, struct sock_filter instruction)
{
    AG_ASSERT(p->count < PROGRAM_MAX_COUNT);
    p->code[p->count++] = instruction;
}

static void
load(struct program *p, size_t offset)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                        (uint32_t)offset));
}

static void
answer(struct program *p, uint32_t what)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

static uint32_t
refuse(int errno_value)
{
    return SECCOMP_RET_ERRNO | ((uint32_t)errno_value & SECCOMP_RET_DATA);
}

/* Answers `what` when the loaded word is `value`. */
static void
when(struct program *p, uint32_t value, uint32_t what)
{
    put(p,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    answer(p, what);
}

/* Skips `count` instructions unless the loaded word is `value`. */
static void
unless_skip(struct program *p, uint32_t value, size_t count)
{
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0,
                                        (uint8_t)count));
}

/* The low half: the kernel looks at no more of these arguments. */
static size_t
argument(size_t index)
{
    return offsetof(struct seccomp_data, args) + index * sizeof(uint64_t);
}

static void
check_arch(struct program *p)
{
    load(p, offsetof(struct seccomp_data, arch));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                        (uint32_t)ARCH, 1, 0));
    answer(p, refuse(ENOSYS));
    load(p, offsetof(struct seccomp_data, nr));
}

static void
make(struct program *p)
{
    check_arch(p);
    put(p,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
    answer(p, refuse(ENOSYS));
    for (size_t i = 0; i < AG_COUNT(REFUSED); i++) {
        when(p, REFUSED[i], refuse(EPERM));
    }
    unless_skip(p, SYS_ioctl, 6);
    load(p, argument(1));
    when(p, TIOCSTI, refuse(EPERM));
    when(p, TIOCLINUX_CALL, refuse(EPERM));
    answer(p, SECCOMP_RET_ALLOW);
    unless_skip(p, SYS_socket, 2 + 2 * AG_COUNT(FAMILIES));
    load(p, argument(0));
    for (size_t i = 0; i < AG_COUNT(FAMILIES); i++) {
        when(p, FAMILIES[i], SECCOMP_RET_ALLOW);
    }
    answer(p, refuse(EAFNOSUPPORT));
    answer(p, SECCOMP_RET_ALLOW);
}

/* Calls whose flags may open a connection, and where the flags are. */
static const struct {
    uint32_t call;
    size_t flags;
} SENDING[] = {{SYS_sendto, 3}, {SYS_sendmsg, 2}, {SYS_sendmmsg, 3}};

static void
only_streams(struct program *p)
{
    static const uint32_t protocols[] = {0, IPPROTO_TCP};

    check_arch(p);
    for (size_t i = 0; i < AG_COUNT(SENDING); i++) {
        unless_skip(p, SENDING[i].call, 4);
        load(p, argument(SENDING[i].flags));
        put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
                                            MSG_FASTOPEN, 0, 1));
        answer(p, refuse(EOPNOTSUPP));
        answer(p, SECCOMP_RET_ALLOW);
    }
    unless_skip(p, SYS_socket, 13);
    load(p, argument(0));
    put(p,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1,
                                        0));
    answer(p, SECCOMP_RET_ALLOW);
    load(p, argument(1));
    put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM,
                                        0, 5));
    load(p, argument(2));
    for (size_t i = 0; i < AG_COUNT(protocols); i++) {
        when(p, protocols[i], SECCOMP_RET_ALLOW);
    }
    answer(p, refuse(EAFNOSUPPORT));
    answer(p, SECCOMP_RET_ALLOW);
}

static enum ag_err
install(struct program *p)
{
    struct sock_fprog program = {.len = p->count, .filter = p->code};

    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
        return err_why(AG_EIO, "filtering system calls: %s",
                       strerrordesc_np(errno));
    }
    return AG_OK;
}

enum ag_err
sieve_put_on(enum sieve_sockets sockets)
{
    struct program p = {.count = 0};
    struct program streams = {.count = 0};
    enum ag_err err;

    make(&p);
    err = install(&p);
    if (err == AG_OK && sockets == SIEVE_STREAMS) {
        only_streams(&streams);
        err = install(&streams);
    }
    return err;
}

enum ag_err
sieve_only(const uint32_t *calls, size_t count)
{
#ifdef AG_SANITIZED
    (void)calls;
    (void)count;
    return AG_OK;
#else
    struct program p = {.count = 0};

    AG_ASSERT(count <= SIEVE_ONLY_MAX_COUNT);
    check_arch(&p);
    for (size_t i = 0; i < count; i++) {
        when(&p, calls[i], SECCOMP_RET_ALLOW);
    }
    answer(&p, SECCOMP_RET_KILL_PROCESS);
    return install(&p);
#endif
}
