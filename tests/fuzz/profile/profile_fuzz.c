/* A profile's JSON: what loads is whole and can be asked anything. */
#include "base/buf.h"
#include "profile/expand.h"
#include "profile/load.h"
#include "profile/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ask(const struct profile *p)
{
    struct expand_env env = {.home = "/h"};
    struct delivery_plan plan;
    size_t index = 0;

    AG_ASSERT(p->run != NULL && p->conflict != NULL);
    (void)!profile_file_for_path(p, &env, "/h/.a/b", &index);
    for (size_t i = 0; i < p->files.count; i++) {
        AG_AUTO(buf) struct buf path = {0};
        const struct profile_file *f = &p->files.items[i];

        AG_ASSERT(f->deliver != NULL);
        AG_ASSERT(f->path != NULL || f->names.count > 0);
        (void)!delivery_plan(p, i, NULL, &plan);
        buf_init(&path, EXPAND_MAX_BYTES, BUF_PLAIN);
        if (f->path != NULL &&
            expand_path(f->path, &env, EXPAND_USUAL, &path) == AG_OK) {
            AG_ASSERT(path.len > 0 && path.ptr[0] == '/');
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profiles *ps = NULL;

    if (profiles_load_one(span_of(data, size), "fuzz", &ps) == AG_OK) {
        AG_ASSERT(profiles_count(ps) == 1);
        ask(profiles_at(ps, 0));
        profiles_free(ps);
    }
    return 0;
}
