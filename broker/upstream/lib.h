/*
 * lib.h - libcurl, loaded when it is asked for: linked, it and what it brings
 * (TLS, LDAP, Kerberos, SSH) would start with the filter and the witness, which
 * are the same program, and cost each 3 MiB and 3 ms.
 * Floor: upstream. Depends on: base/err, libcurl's header, dlopen().
 *
 * lib.c defines the functions of <curl/curl.h> that the room calls; each passes
 * to the loaded library.
 */
#ifndef AG_UPSTREAM_LIB_H
#define AG_UPSTREAM_LIB_H

#include "base/attr.h"
#include "base/err.h"

/*
 * Once per process, before it confines itself and before any curl_ function.
 * Errors: AG_EUNSUPPORTED with a sentence: no such library, or not all of it.
 */
AG_CHECK enum ag_err lib_open(void);

#endif
