/*
 * streams.h - how the command's input and output run: by a PTY of its own when a
 * person is there, by pipes otherwise; what it writes goes to the filter, never
 * straight to us.
 * Floor: cli/run. Depends on: run/term, base/fdx.
 */
#ifndef AG_CLI_RUN_STREAMS_H
#define AG_CLI_RUN_STREAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    STREAMS_MAX_COUNT = 2,
    STREAMS_CHUNK_BYTES = 4096, /* of input; PIPE_BUF, so no write blocks */
};

enum streams_wish {
    STREAMS_AUTO,
    STREAMS_PTY,
    STREAMS_PIPES,
};

/* One way through the filter. */
struct stream_pair {
    int src_fd; /* ours: the read end, or a second number of the master */
    int dst_fd; /* 1 or 2, borrowed */
};

struct streams {
    bool pty;
    bool pty_input;  /* a person types into it */
    int master_fd;   /* of the PTY once it is there, or -1 */
    int child_fd[3]; /* what the command gets: -1 the PTY; 0 may be our own */
    int input_fd;    /* where a person's input is copied to, or -1 */
    struct stream_pair out[STREAMS_MAX_COUNT];
    size_t out_count;
};

/* How many streams streams_open() will make: to ask for tickets first. */
size_t streams_count(enum streams_wish wish);

/* Opens the pipes. A PTY is made by the keeper, in the task's own devpts.
 * Errors: AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err streams_open(enum streams_wish wish,
                                             struct streams *ret);

/* The PTY's other end has come; it is taken over. */
AG_NONNULL void streams_attach(struct streams *s, int master_fd);

/* The terminal whose settings and size a PTY copies, or -1. */
int streams_model(void);

/* Descriptors above 2 that the caller left open would be open in the command,
 * which could write to them past the filter (a shell's `exec 3>&1`): all that
  * are more than a pipe to read from (its `<(...)`) are made to close. */
void streams_hide_inherited(void);

/* Closes what was handed on: the command's ends after it was started, the
 * filter's after they were sent. */
AG_NONNULL void streams_close_child(struct streams *s);
AG_NONNULL void streams_close_out(struct streams *s);
AG_NONNULL void streams_done(struct streams *s);

/*
 * Input: copies what is there from fd 0 towards input_fd without ever blocking
 * on it. `events` for poll() come from streams_want().
 */
struct input {
    unsigned char bytes[STREAMS_CHUNK_BYTES];
    size_t len;
    size_t at;
    bool ended; /* nothing more will come */
};

struct input_want {
    bool read;  /* poll fd 0 for POLLIN */
    bool write; /* poll input_fd for POLLOUT */
};
AG_NONNULL struct input_want
input_wants(const struct streams *s, const struct input *in, bool foreground);
AG_NONNULL void input_read(struct streams *s, struct input *in);
AG_NONNULL void input_write(struct streams *s, struct input *in);

#endif
