/* By itself: clang 14 can't have another look at what its builtin reads. */
#include "common/plain.h"

#ifdef __x86_64__

enum {
    FEATURES = 3, /* behind vendor, type and subtype */
    FEATURE_AVX2 = 10,
};

/* What __builtin_cpu_supports() reads, filled before main(). */
extern __attribute__((visibility("hidden"))) unsigned int
    __cpu_model[FEATURES + 1]; // NOLINT(readability-identifier-naming): theirs

void
plain_cpu(void)
{
    __cpu_model[FEATURES] &= ~(1U << FEATURE_AVX2);
}

#else

void
plain_cpu(void)
{
}

#endif
