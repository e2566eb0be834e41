/*
 * recv.h - the definitions of recv() and setsockopt() for the whole process;
 * see gate.h. In a file of their own, since <sys/socket.h> may bring an inline
 * recv().
 * Floor: http. Depends on: http/gate.
 */
#ifndef AG_HTTP_RECV_H
#define AG_HTTP_RECV_H

/* Where our recv() is, to compare with what the dynamic linker found. */
void *recv_address(void);

#endif
