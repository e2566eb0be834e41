/*
 * Power cuts on the file's side of adopt and release: before each call that
 * changes anything the power goes, and with it what was not synced. Two worlds
 * are tried after each cut: names as of the last sync of the directory, and
 * names as they were with only the unsynced contents lost.
 */
// WRAP: line_lock line_begin line_take line_deliver line_commit line_done line_undo cli_call
// WRAP: write pwrite fsync renameat2 linkat unlinkat fchmod futimens
#include <sys/wait.h>

#include "common/fault.h"
#include "common/moves_scene.h"

enum {
    CUT = 77,
    NAMES_MAX_COUNT = 16,
    CONTENT_MAX_BYTES = 2048,
};

/* What a disk would still hold, in memory that outlives the process. */
struct disk {
    struct {
        char name[64];
        ino_t ino;
    } names[NAMES_MAX_COUNT];

    size_t name_count;

    struct {
        ino_t ino;
        uint8_t bytes[CONTENT_MAX_BYTES];
        size_t len;
    } files[NAMES_MAX_COUNT];

    size_t file_count;
};

static struct disk *disk;
static bool cutting; /* in the process whose power goes */

static bool
point(void)
{
    if (cutting && fault_now()) {
        _exit(CUT);
    }
    return false;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);

#define WRAPPER(type, name, params, args)                                      \
    type __real_##name params;                                                 \
    type __wrap_##name params;                                                 \
    type __wrap_##name params                                                  \
    {                                                                          \
        return point() ? (type)-1 : __real_##name args;                        \
    }

WRAPPER(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAPPER(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at),
        (fd, p, n, at))
WRAPPER(int, renameat2,
        (int a, const char *p, int b, const char *q, unsigned flags),
        (a, p, b, q, flags))
WRAPPER(int, linkat, (int a, const char *p, int b, const char *q, int flags),
        (a, p, b, q, flags))
WRAPPER(int, unlinkat, (int d, const char *p, int flags), (d, p, flags))
WRAPPER(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAPPER(int, futimens, (int fd, const struct timespec *t), (fd, t))

/* The content of this file is on the disk now. */
static void
keep_file(int fd)
{
    struct stat st;
    size_t i = 0;
    ssize_t len;

    assert_int_equal(fstat(fd, &st), 0);
    while (i < disk->file_count && disk->files[i].ino != st.st_ino) {
        i++;
    }
    assert_true(i < NAMES_MAX_COUNT);
    len = pread(fd, disk->files[i].bytes, CONTENT_MAX_BYTES, 0);
    if (len < 0) {
        return; /* open for writing only: its content is of no interest */
    }
    disk->files[i].ino = st.st_ino;
    disk->files[i].len = (size_t)len;
    disk->file_count = i == disk->file_count ? i + 1 : disk->file_count;
}

/* The names of the directory are on the disk now. */
static void
keep_names(void)
{
    struct dirent **entries = NULL;
    int count = scandir(place.dir, &entries, NULL, alphasort);

    disk->name_count = 0;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_type == DT_REG) {
            size_t at = disk->name_count++;

            assert_true(at < NAMES_MAX_COUNT);
            (void)snprintf(disk->names[at].name, sizeof(disk->names[at].name),
                           "%.60s", entries[i]->d_name);
            disk->names[at].ino = entries[i]->d_ino;
        }
        free(entries[i]);
    }
    free(entries);
}

int
__wrap_fsync(int fd)
{
    struct stat st;
    int rc;

    (void)point();
    rc = __real_fsync(fd);
    if (cutting && fstat(fd, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            keep_names();
        } else {
            keep_file(fd);
        }
    }
    return rc;
}

/* Everything that the scene was set up with is on the disk. */
static void
keep_all(void)
{
    memset(disk, 0, sizeof(*disk));
    keep_names();
    for (size_t i = 0; i < disk->name_count; i++) {
        char path[256];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", place.dir,
                       disk->names[i].name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        keep_file(fd);
        (void)close(fd);
    }
}

/* The machine comes up again: each name with what the disk has of its file; of
 * one that was never synced, nothing. */
static void
come_up(bool names_kept)
{
    static struct disk was;

    was = *disk;

    if (names_kept) {
        keep_names();
        was.name_count = disk->name_count;
        memcpy(was.names, disk->names, sizeof(was.names));
    }
    (void)place_count(&place, "", true);
    for (size_t i = 0; i < was.name_count; i++) {
        char path[256];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", place.dir,
                       was.names[i].name);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        for (size_t k = 0; k < was.file_count; k++) {
            if (was.files[k].ino == was.names[i].ino) {
                assert_int_equal(
                    __real_write(fd, was.files[k].bytes, was.files[k].len),
                    was.files[k].len);
            }
        }
        (void)close(fd);
    }
}

static bool
run_cut(const struct scene *scene, unsigned n)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (secret_arena_open(SECRET_ARENA_CLI_BYTES) != AG_OK) {
            _exit(1);
        }
        cutting = true;
        fault_arm(n);
        _exit(scene->run() == AG_OK ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != CUT) {
        fail_msg("point %u: ended with %d", n, WEXITSTATUS(status));
    }
    return WEXITSTATUS(status) == CUT;
}

static unsigned
cut_each(const struct scene *scene, bool names_kept)
{
    for (unsigned n = 1;; n++) {
        bool cut;

        set_up(scene);
        keep_all();
        cut = run_cut(scene, n);
        come_up(names_kept);
        recover(scene, n,
                names_kept ? "power cut, contents lost"
                           : "power cut, names lost");
        if (!cut) {
            return n - 1;
        }
    }
}

static void
test_power_cut_at_every_change(void **state)
{
    (void)state;
    disk = mmap(NULL, sizeof(*disk), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(disk != MAP_FAILED);
    for (size_t i = 0; i < AG_COUNT(SCENES); i++) {
        unsigned names = cut_each(&SCENES[i], false);
        unsigned contents = cut_each(&SCENES[i], true);

        printf("%s: %u power cuts with names lost, %u with contents lost\n",
               SCENES[i].kind, names, contents);
        assert_true(names >= 5);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cut_at_every_change),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
