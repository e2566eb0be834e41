/*
 * shed.h - gives back the memory that only the start needed.
 * Floor: daemon. Depends on: nothing.
 */
#ifndef AG_DAEMON_SHED_H
#define AG_DAEMON_SHED_H

/*
 * Takes the read-only pages of the program and its libraries out of this
 * process; those that are needed come back from their files. What stays away
 * is what the loader looked names up in, and the start of GnuTLS and its kin,
 * which libmicrohttpd brings and no request here touches.
 */
void shed_start(void);

#endif
