/*
 * recv.h - the definitions of recv(), setsockopt() and epoll_wait() for the whole
 * process; see gate.h and worker.h. In a file of their own, since <sys/socket.h>
 * may bring an inline recv().
 * Floor: http. Depends on: http/gate, http/worker.
 */
#ifndef AG_HTTP_RECV_H
#define AG_HTTP_RECV_H

/* Where our recv() is, to compare with what the dynamic linker found. */
void *recv_address(void);

#endif
