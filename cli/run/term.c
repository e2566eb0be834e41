#include "run/term.h"

#include <sys/ioctl.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/fdx.h"

static struct {
    int fd;
    bool raw;
    struct termios before;
} person = {.fd = -1};

enum ag_err
pty_open(int like, struct pty *ret)
{
    struct termios settings;
    AG_AUTO(fd) int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int slave = -1;

    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        return err_why(AG_EUNSUPPORTED,
                       "no terminal can be made for the "
                       "command: %s; try --no-pty",
                       strerrordesc_np(errno));
    }
    /* By the master, not by a path: no other mount can come in between. */
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) {
        return err_why(AG_EUNSUPPORTED,
                       "no terminal can be opened for the "
                       "command: %s; try --no-pty",
                       strerrordesc_np(errno));
    }
    if (like >= 0 && tcgetattr(like, &settings) == 0) {
        (void)tcsetattr(slave, TCSANOW, &settings);
    }
    pty_resize(master, like);
    ret->master_fd = FD_TAKE(master);
    ret->slave_fd = slave;
    return AG_OK;
}

void
pty_resize(int master_fd, int from)
{
    struct winsize size;

    if (from >= 0 && ioctl(from, TIOCGWINSZ, &size) == 0) {
        (void)ioctl(master_fd, TIOCSWINSZ, &size);
    }
}

bool
term_raw(int fd)
{
    struct termios raw;

    if (person.raw) {
        return true;
    }
    if (tcgetpgrp(fd) != getpgrp() || tcgetattr(fd, &person.before) != 0) {
        return false;
    }
    raw = person.before;
    cfmakeraw(&raw);
    if (tcsetattr(fd, TCSADRAIN, &raw) != 0) {
        return false;
    }
    person.fd = fd;
    person.raw = true;
    return true;
}

void
term_restore(void)
{
    if (person.raw) {
        person.raw = false;
        (void)tcsetattr(person.fd, TCSADRAIN, &person.before);
    }
}
