#include "upstream/lib.h"

#include <stdarg.h>
#include <string.h>

#include <curl/curl.h>
#include <dlfcn.h>

/* The header checks the third argument by macros. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

/* clang-format off */
#define FUNCTIONS(X)                                                           \
    X(CURLcode, curl_global_init_mem,                                          \
      (long flags, curl_malloc_callback m, curl_free_callback f,               \
       curl_realloc_callback r, curl_strdup_callback s,                        \
       curl_calloc_callback c),                                                \
      (flags, m, f, r, s, c))                                                  \
    X(curl_version_info_data *, curl_version_info, (CURLversion v), (v))       \
    X(CURL *, curl_easy_init, (void), ())                                      \
    X(CURLcode, curl_easy_pause, (CURL *handle, int bitmask),                  \
      (handle, bitmask))                                                       \
    X(CURLM *, curl_multi_init, (void), ())                                    \
    X(CURLMcode, curl_multi_cleanup, (CURLM *multi_handle), (multi_handle))    \
    X(CURLMcode, curl_multi_add_handle,                                        \
      (CURLM *multi_handle, CURL *curl_handle), (multi_handle, curl_handle))   \
    X(CURLMcode, curl_multi_remove_handle,                                     \
      (CURLM *multi_handle, CURL *curl_handle), (multi_handle, curl_handle))   \
    X(CURLMcode, curl_multi_socket_action,                                     \
      (CURLM *multi_handle, curl_socket_t s, int ev_bitmask,                   \
       int *running_handles),                                                  \
      (multi_handle, s, ev_bitmask, running_handles))                          \
    X(CURLMsg *, curl_multi_info_read,                                         \
      (CURLM *multi_handle, int *msgs_in_queue),                               \
      (multi_handle, msgs_in_queue))

/* clang-format on */

static struct {
    // NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration
#define FUNCTION_POINTER(type, name, params, args) type(*name) params;
    FUNCTIONS(FUNCTION_POINTER)
#undef FUNCTION_POINTER
    void (*curl_easy_cleanup)(CURL *easy);
    CURLcode (*curl_easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*curl_easy_getinfo)(CURL *easy, CURLINFO info, ...);
    CURLMcode (*curl_multi_setopt)(CURLM *multi, CURLMoption option, ...);
} lib;

static const struct {
    const char *name;
    void *slot;
} SLOTS[] = {

#define FUNCTION_SLOT(type, name, params, args) {#name, &lib.name},
    FUNCTIONS(FUNCTION_SLOT)
#undef FUNCTION_SLOT
        {"curl_easy_cleanup", &lib.curl_easy_cleanup},
    {"curl_easy_setopt", &lib.curl_easy_setopt},
    {"curl_easy_getinfo", &lib.curl_easy_getinfo},
    {"curl_multi_setopt", &lib.curl_multi_setopt},
};

#define FUNCTION_BODY(type, name, params, args)                                \
    type name params                                                           \
    {                                                                          \
        return lib.name args;                                                  \
    }
FUNCTIONS(FUNCTION_BODY)
#undef FUNCTION_BODY

void
curl_easy_cleanup(CURL *curl)
{
    if (curl != NULL) {
        lib.curl_easy_cleanup(curl);
    }
}

/* An option's number says of what type its value is. */
CURLcode
curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
    CURLcode code;
    va_list args;

    va_start(args, option);
    // NOLINTNEXTLINE(bugprone-branch-clone): the types differ
    if ((int)option < CURLOPTTYPE_OBJECTPOINT) {
        code = lib.curl_easy_setopt(curl, option, va_arg(args, long));
    } else if ((int)option >= CURLOPTTYPE_OFF_T &&
               (int)option < CURLOPTTYPE_BLOB) {
        code = lib.curl_easy_setopt(curl, option, va_arg(args, curl_off_t));
    } else {
        code = lib.curl_easy_setopt(curl, option, va_arg(args, void *));
    }
    va_end(args);
    return code;
}

CURLcode
curl_easy_getinfo(CURL *curl, CURLINFO info, ...)
{
    CURLcode code;
    va_list args;

    va_start(args, info);
    code = lib.curl_easy_getinfo(curl, info, va_arg(args, void *));
    va_end(args);
    return code;
}

/* As above; none has a curl_off_t. */
CURLMcode
curl_multi_setopt(CURLM *multi_handle, CURLMoption option, ...)
{
    CURLMcode code;
    va_list args;

    va_start(args, option);
    // NOLINTNEXTLINE(bugprone-branch-clone): the types differ
    if ((int)option < CURLOPTTYPE_OBJECTPOINT) {
        code = lib.curl_multi_setopt(multi_handle, option, va_arg(args, long));
    } else {
        code =
            lib.curl_multi_setopt(multi_handle, option, va_arg(args, void *));
    }
    va_end(args);
    return code;
}

enum ag_err
lib_open(void)
{
    void *handle =
        dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (handle == NULL) {
        return err_why(AG_EUNSUPPORTED, "libcurl can't be loaded: %s",
                       dlerror()); // NOLINT(concurrency-mt-unsafe)
    }
    for (size_t i = 0; i < AG_COUNT(SLOTS); i++) {
        void *found = dlsym(handle, SLOTS[i].name);

        if (found == NULL) {
            return err_why(AG_EUNSUPPORTED, "this libcurl lacks %s",
                           SLOTS[i].name);
        }
        /* ISO C has no cast from one to the other; POSIX has this. */
        memcpy(SLOTS[i].slot, &found, sizeof(found));
    }
    return AG_OK;
}
