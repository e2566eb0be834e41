#include "rotate/pq_lib.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dlfcn.h>

static struct pq_lib lib;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_there;

#define SLOT(name)                                                             \
    {                                                                          \
#name, offsetof(struct pq_lib, name)                                   \
    }

static const struct {
    const char *name;
    size_t offset;
} SLOTS[] = {
    SLOT(PQconnectStartParams),
    SLOT(PQconnectPoll),
    SLOT(PQsetErrorVerbosity),
    SLOT(PQstatus),
    SLOT(PQfinish),
    SLOT(PQsocket),
    SLOT(PQsendQuery),
    SLOT(PQconsumeInput),
    SLOT(PQisBusy),
    SLOT(PQgetResult),
    SLOT(PQresultStatus),
    SLOT(PQresultErrorField),
    SLOT(PQclear),
    SLOT(PQerrorMessage),
    SLOT(PQencryptPasswordConn),
    SLOT(PQfreemem),
    SLOT(PQsetNoticeProcessor),
};

enum {
    VARIABLE_BYTES = 256,
};

/*
 * What libpq is not told it takes from PG… variables: the address of the host
 * (PGHOSTADDR), a service file, options of the session; and "" is to it as if it
 * were not told. The broker's environment may be that of whoever began it.
 */
static void
forget_variables(void)
{
    char **at = environ;

    while (at != NULL && *at != NULL) {
        char name[VARIABLE_BYTES];
        size_t len = strcspn(*at, "=");

        if (strncmp(*at, "PG", 2) == 0 && len < sizeof(name)) {
            (void)snprintf(name, sizeof(name), "%.*s", (int)len, *at);
            (void)unsetenv(name); // NOLINT(concurrency-mt-unsafe)
            at = environ;         /* those behind it moved */
        } else {
            at++;
        }
    }
}

static void
load(void)
{
    void *handle = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    forget_variables();
    for (size_t i = 0; handle != NULL && i < AG_COUNT(SLOTS); i++) {
        void *symbol = dlsym(handle, SLOTS[i].name);

        if (symbol == NULL) {
            return;
        }
        memcpy((uint8_t *)&lib + SLOTS[i].offset, &symbol, sizeof(symbol));
    }
    is_there = handle != NULL;
}

void
pq_lib_load(void)
{
    (void)pthread_once(&once, load);
}

enum ag_err
pq_lib_open(const struct pq_lib **ret)
{
    pq_lib_load();
    if (!is_there) {
        return err_why(AG_EUNSUPPORTED,
                       "PostgreSQL needs libpq.so.5 of version 10 or newer; "
                       "install libpq5, then: auth-guard stop");
    }
    *ret = &lib;
    return AG_OK;
}
