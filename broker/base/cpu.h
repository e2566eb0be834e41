/*
 * cpu.h - one function for every machine, and again for newer ones.
 * Floor: base. Depends on: nothing.
 *
 * A body is written once, as AG_EACH_CPU; a plain function and one that is
 * AG_FOR_V3 call it; cpu_is_v3() tells which to use. V3 is x86-64-v3 of the
 * psABI as far as we need it: AVX2, BMI. On other machines it never holds.
 */
#ifndef AG_BASE_CPU_H
#define AG_BASE_CPU_H

#include <stdbool.h>

#define AG_EACH_CPU __attribute__((always_inline)) static inline

#ifdef __x86_64__
#define AG_FOR_V3 __attribute__((target("avx2,bmi,bmi2")))
#else
#define AG_FOR_V3
#endif

/* Threads: safe. A few instructions; no call. */
static inline bool
cpu_is_v3(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

#endif
