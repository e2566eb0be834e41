#include "redact/rule_lib.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include <dlfcn.h>

#include "redact/lockmem.h"

#define VECTORSCAN "libhs_runtime.so.5"
#define PCRE2      "libpcre2-8.so.0"

static struct rule_lib lib;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum ag_err opened;
static const char *missing; /* a library, or a name in one */

#define SLOT(file, name)                                                       \
    {                                                                          \
        file, #name, offsetof(struct rule_lib, name)                           \
    }

static const struct {
    const char *file;
    const char *name;
    size_t offset;
} SLOTS[] = {
    SLOT(VECTORSCAN, hs_version),
    SLOT(VECTORSCAN, hs_valid_platform),
    SLOT(VECTORSCAN, hs_deserialize_database),
    SLOT(VECTORSCAN, hs_free_database),
    SLOT(VECTORSCAN, hs_alloc_scratch),
    SLOT(VECTORSCAN, hs_free_scratch),
    SLOT(VECTORSCAN, hs_open_stream),
    SLOT(VECTORSCAN, hs_scan_stream),
    SLOT(VECTORSCAN, hs_reset_stream),
    SLOT(VECTORSCAN, hs_close_stream),
    SLOT(VECTORSCAN, hs_set_stream_allocator),
    SLOT(PCRE2, pcre2_compile_8),
    SLOT(PCRE2, pcre2_code_free_8),
    SLOT(PCRE2, pcre2_jit_compile_8),
    SLOT(PCRE2, pcre2_match_data_create_8),
    SLOT(PCRE2, pcre2_match_data_free_8),
    SLOT(PCRE2, pcre2_match_context_create_8),
    SLOT(PCRE2, pcre2_match_context_free_8),
    SLOT(PCRE2, pcre2_set_match_limit_8),
    SLOT(PCRE2, pcre2_set_depth_limit_8),
    SLOT(PCRE2, pcre2_match_8),
    SLOT(PCRE2, pcre2_get_ovector_pointer_8),
};

/* A stream's state keeps the last bytes of the text: locked, wiped when it is
 * given back. The mapping's description stands before what Vectorscan gets. */
enum {
    HEAD_BYTES = 64, /* keeps the alignment that Vectorscan asks for */
};

_Static_assert(sizeof(struct lockmem) <= HEAD_BYTES, "no room for it");

static void *
state_alloc(size_t len)
{
    struct lockmem mem = {.ptr = NULL};

    if (lockmem_init_text(len + HEAD_BYTES, &mem) != AG_OK) {
        return NULL;
    }
    memcpy(mem.ptr, &mem, sizeof(mem));
    return (uint8_t *)mem.ptr + HEAD_BYTES;
}

static void
state_free(void *ptr)
{
    struct lockmem mem;

    if (ptr != NULL) {
        memcpy(&mem, (uint8_t *)ptr - HEAD_BYTES, sizeof(mem));
        lockmem_done(&mem);
    }
}

static void
open_once(void)
{
    opened = AG_EUNSUPPORTED;
    for (size_t i = 0; i < AG_COUNT(SLOTS); i++) {
        void *handle = dlopen(SLOTS[i].file, RTLD_NOW | RTLD_LOCAL);
        void *symbol = NULL;

        missing = SLOTS[i].file;
        if (handle == NULL) {
            return;
        }
        missing = SLOTS[i].name;
        symbol = dlsym(handle, SLOTS[i].name);
        if (symbol == NULL) {
            return;
        }
        memcpy((uint8_t *)&lib + SLOTS[i].offset, &symbol, sizeof(symbol));
    }
    missing = "an instruction set of this processor";
    if (lib.hs_valid_platform() != HS_SUCCESS ||
        lib.hs_set_stream_allocator(state_alloc, state_free) != HS_SUCCESS) {
        return;
    }
    opened = AG_OK;
}

enum ag_err
rule_lib_open(const struct rule_lib **ret)
{
    (void)pthread_once(&once, open_once);
    if (opened != AG_OK) {
        return err_why(AG_EUNSUPPORTED,
                       "rules for unknown secrets need %s, which is not here; "
                       "install libvectorscan5 and libpcre2-8-0, or go on "
                       "with --rules known",
                       missing);
    }
    *ret = &lib;
    return AG_OK;
}
